# frozen_string_literal: true

module KarmaClient
  module Operations
    # Ops on whole series.
    module Series
      # @return [String] "OK", also if it exists
      def create_series(series, **options)
        perform("tree.create", { "series" => Input.text(series, "series") }, options)
      end

      # @return [String] "OK"
      def drop_series(series, **options)
        perform("tree.drop", { "series" => Input.text(series, "series") }, options)
      end

      # @return [Array<String>] names
      def list_series(**options)
        perform("tree.list", {}, options)
      end

      # Empties a series, and creates it if it is missing.
      # @return [String] "OK"
      def reset_series(series, idempotency_key: nil, fingerprint: nil, **options)
        perform("tree.reset", { "series" => Input.text(series, "series"),
                                **idempotency(idempotency_key, fingerprint) }, options)
      end

      # @return [Hash] "key_count", "bucket_count", "total" …
      def series_info(series, **options)
        perform("tree.info", { "series" => Input.text(series, "series") }, options)
      end

      # One page of the counters of a series, keys ascending.
      # @param cursor [Integer, nil] the last "next_cursor"
      # @return [Hash] "keys" and "next_cursor"
      def series_keys(series, limit: 100, cursor: nil, **options)
        perform("tree.keys", { "series" => Input.text(series, "series"), "limit" => Input.limit(limit),
                               "cursor" => Input.optional_u64(cursor, "cursor") }, options)
      end

      # One page of the points of a series, keys and days ascending.
      # @return [Hash] "points", each [key, bucket, value], and "next_cursor"
      def series_points_page(series, limit: 100, cursor: nil, **options)
        perform("tree.points", { "series" => Input.text(series, "series"), "limit" => Input.limit(limit),
                                 "cursor" => Input.optional_u64(cursor, "cursor") }, options)
      end

      # @return [Hash] "total", "active_keys" and "bucket_count"
      def series_summary(series, range: nil, from: nil, to: nil, **options)
        perform("tree.summary", { "series" => Input.text(series, "series"),
                                  "range" => Input.range(range, from, to) }, options)
      end

      # @param compare_to [Range, nil] a second range: each item has "previous" and "delta" as well
      # @param order_by [String, Symbol, nil] beside it: value, or delta for what rises most
      # @return [Hash] "items", the largest counters first
      def series_top(series, limit: 50, range: nil, from: nil, to: nil, compare_to: nil, order_by: nil, **options)
        perform("tree.top", { "series" => Input.text(series, "series"), "limit" => Input.limit(limit),
                              "range" => Input.range(range, from, to),
                              "compare_to" => Input.range(compare_to, nil, nil),
                              "order_by" => Input.optional_text(order_by, "order_by") }, options)
      end

      # @return [Hash{String => Hash{String => Integer}}] days and values of all keys
      def series_points(series, range: nil, from: nil, to: nil, **options)
        perform("tree.series", { "series" => Input.text(series, "series"),
                                 "range" => Input.required_range(range, from, to) }, options)
      end

      # @return [String] "OK"
      def compact_series(series, **options)
        perform("series.compact", { "series" => Input.text(series, "series") }, options)
      end

      # @return [String] "OK"
      def compact_all(**options)
        perform("system.compact", {}, options)
      end

      # Removes all days before the one given.
      # @return [String] "OK"
      def delete_before(series, before:, **options)
        perform("series.delete_before", { "series" => Input.text(series, "series"),
                                          "before" => Input.day(before, "before") }, options)
      end
    end
  end
end
