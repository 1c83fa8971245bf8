# frozen_string_literal: true

module KarmaClient
  module Testing
    # The ops that read, of {Fake}. Each takes {Fields} and gives the +response+.
    # @api private
    module Reads
      LARGEST_TOTAL = (2**64) - 1
      private_constant :LARGEST_TOTAL

      private

      def sum(fields)
        range = fields.range
        key = fields.key
        existing(fields.series).sum(key, range)
      end

      def points(fields)
        range = fields.range(required: true)
        key = fields.key
        existing(fields.series).days(key, range).transform_keys(&:to_s)
      end

      def batch_sum(fields)
        keys = fields.keys
        range = fields.range
        ranges = fields.ranges(keys.size)
        counters = existing(fields.series)
        keys.map { |key| { "key" => key, **sums(counters, key, range, ranges) } }
      end

      def multi_sum(fields)
        subjects = fields.subjects
        range = fields.range
        ranges = fields.ranges(subjects.size)
        subjects.map do |series, key|
          { "series" => series, "key" => key, **sums(existing(series), key, range, ranges) }
        end
      end

      def sums(counters, key, range, ranges)
        return { "value" => counters.sum(key, range) } unless ranges

        { "values" => ranges.map { |each| counters.sum(key, each) } }
      end

      def list(_fields)
        @series.keys.sort
      end

      def info(fields)
        series = fields.series
        counters = existing(series)
        { "tree" => series, "key_count" => counters.keys.size, "bucket_count" => bucket_count(counters),
          **grand_total(counters), "branches" => 9 }
      end

      def keys(fields)
        page(fields) do |counters, keys|
          { "keys" => keys.map { |key| { "key" => key, "total" => counters.sum(key) } } }
        end
      end

      def all_points(fields)
        page(fields) do |counters, keys|
          { "points" => keys.flat_map { |key| counters.days(key).map { |day, value| [key, day, value] } } }
        end
      end

      def top(fields)
        range = fields.range
        series = fields.series
        limit = fields.limit(default: 50, most: 1000)
        compare_to, order = fields.comparison
        counters = existing(series)
        return changes(series, limit, order, changed(counters, range, compare_to)) if compare_to

        sums = counters.keys.to_h { |key| [key, counters.sum(key, range)] }
        best = sums.reject { |_, value| value.zero? }.min_by(limit) { |key, value| [-value, key] }
        { "tree" => series, "limit" => limit, "items" => best.map { |key, value| { "key" => key, "value" => value } } }
      end

      def changed(counters, range, compare_to)
        counters.keys.map do |key|
          value, previous = [range, compare_to].map { |days| counters.sum(key, days) }
          { "key" => key, "value" => value, "previous" => previous, "delta" => value - previous }
        end
      end

      def changes(series, limit, order, changed)
        counted = changed.reject { |item| item["value"].zero? && (order == "value" || item["previous"].zero?) }
        { "tree" => series, "limit" => limit,
          "items" => counted.min_by(limit) { |item| [-item[order], item["key"]] } }
      end

      def summary(fields)
        range = fields.range
        series = fields.series
        counters = existing(series)
        bounds = range ? { "range_from" => range.begin, "range_to" => range.end } : {}
        active = counters.keys.count { |key| counters.sum(key, range).positive? }
        { "tree" => series, **bounds, **grand_total(counters, range), "active_keys" => active,
          "bucket_count" => bucket_count(counters, range) }
      end

      def series_points(fields)
        range = fields.range(required: true)
        counters = existing(fields.series)
        counters.keys.to_h { |key| [key.to_s, counters.days(key, range).transform_keys(&:to_s)] }
      end

      def page(fields)
        series = fields.series
        limit = fields.limit(default: 100, most: 10_000)
        cursor = fields.cursor
        counters = existing(series)
        keys = counters.keys.select { |key| cursor.nil? || key > cursor }
        more = keys.size > limit
        keys = keys.first(limit)
        { "tree" => series, "limit" => limit, "cursor" => cursor, **yield(counters, keys),
          "next_cursor" => more ? keys.last : nil }
      end

      def bucket_count(counters, range = nil)
        counters.keys.sum { |key| counters.days(key, range).size }
      end

      def grand_total(counters, range = nil)
        total = counters.keys.sum { |key| counters.sum(key, range) }
        return { "total" => total } if total <= LARGEST_TOTAL

        { "total" => LARGEST_TOTAL, "saturated" => true }
      end

      def ping(_fields)
        "pong"
      end

      def health(_fields)
        { "status" => "ok", "uptime_seconds" => 0.0, "role" => "master", "wal_enabled" => true }
      end

      # What a client wants to know of a node that is alone; the server's reply has more.
      def replication_status(_fields)
        { "role" => "master", "wal_enabled" => true, "wal_current_lsn" => @lsn, "replication_lag_entries" => 0,
          "replication_lag_ms" => 0 }
      end
    end
  end
end
