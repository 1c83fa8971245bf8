# frozen_string_literal: true

module KarmaClient
  module Operations
    # Ops on single counters, and on lists of them.
    module Counters
      # Adds to the day of a counter. Creates the series.
      # @param bucket [Integer, Date, Time, String, nil] the day; nil: today in UTC
      # @param idempotency_key [String, Integer, nil] makes the call count once, however often it is made: with a
      #   `bucket:`, since a call that is made again tomorrow is another one without
      # @return [Integer] the value
      def increment(series:, key:, value: 1, bucket: nil, idempotency_key: nil, fingerprint: nil, **options)
        perform("counter.increment", amount(series, key, value, bucket, idempotency_key, fingerprint), options)
      end

      # Takes from the day of a counter, which does not fall below 0.
      # @return [Integer] the value that was asked for
      def decrement(series:, key:, value: 1, bucket: nil, idempotency_key: nil, fingerprint: nil, **options)
        perform("counter.decrement", amount(series, key, value, bucket, idempotency_key, fingerprint), options)
      end

      # @return [Integer] total of a counter, or of its days in the range
      def sum(series:, key:, range: nil, from: nil, to: nil, **options)
        perform("counter.sum", { "series" => Input.text(series, "series"), "key" => Input.u64(key, "key"),
                                 "range" => Input.range(range, from, to) }, options)
      end

      # @return [Hash{String => Integer}] days and their values
      def points(series:, key:, range: nil, from: nil, to: nil, **options)
        perform("counter.series", { "series" => Input.text(series, "series"), "key" => Input.u64(key, "key"),
                                    "range" => Input.required_range(range, from, to) }, options)
      end

      # @param ranges [Array<Range, nil>, nil] up to 16 in place of one range; nil among them: all days
      # @return [Array<Hash>] "key" and "value" of each, in the order of the keys; with ranges "values" in their order
      def batch_sum(series:, keys:, range: nil, from: nil, to: nil, ranges: nil, **options)
        perform("counter.batch_sum", { "series" => Input.text(series, "series"), "keys" => Input.keys(keys),
                                       **Input.range_or_ranges(range, from, to, ranges) }, options)
      end

      # @param items [Array<Hash>] `series` and `key` of each
      # @param ranges [Array<Range, nil>, nil] as of {#batch_sum}
      # @return [Array<Hash>] "series", "key" and "value" of each; with ranges "values"
      def multi_sum(items:, range: nil, from: nil, to: nil, ranges: nil, **options)
        perform("counter.multi_sum", { "items" => Input.counters(items),
                                       **Input.range_or_ranges(range, from, to, ranges) }, options)
      end

      # Adds many values at once, all or none. Creates the series.
      # @param items [Array<Array, Hash>] key, bucket and value of each
      # @return [Hash] "applied" and "total"
      def batch_add(series:, items:, idempotency_key: nil, fingerprint: nil, **options)
        perform("series.batch_add", { "series" => Input.text(series, "series"), "items" => Input.points(items),
                                      **idempotency(idempotency_key, fingerprint) }, options)
      end

      # Sets many values at once, all or none; 0 removes the day. Creates the series.
      # @return [Hash] "applied"
      def batch_set(series:, items:, idempotency_key: nil, fingerprint: nil, **options)
        perform("series.batch_set", { "series" => Input.text(series, "series"), "items" => Input.points(items),
                                      **idempotency(idempotency_key, fingerprint) }, options)
      end

      # Empties a counter.
      # @return [String] "OK"
      def reset_counter(series:, key:, idempotency_key: nil, fingerprint: nil, **options)
        perform("counter.reset", { "series" => Input.text(series, "series"), "key" => Input.u64(key, "key"),
                                   **idempotency(idempotency_key, fingerprint) }, options)
      end

      # @return [Hash] "reset" and "missing", numbers of counters
      def batch_reset(series:, keys:, idempotency_key: nil, fingerprint: nil, **options)
        perform("counter.batch_reset", { "series" => Input.text(series, "series"), "keys" => Input.keys(keys),
                                         **idempotency(idempotency_key, fingerprint) }, options)
      end

      # Removes days of a counter, or of all counters of the series where no key is given.
      # @return [true]
      def delete_range(series:, key: nil, range: nil, from: nil, to: nil, idempotency_key: nil, fingerprint: nil,
                       **options)
        perform(key.nil? ? "tree.delete_range" : "counter.delete_range",
                { "series" => Input.text(series, "series"), "key" => Input.optional_u64(key, "key"),
                  "range" => Input.required_range(range, from, to),
                  **idempotency(idempotency_key, fingerprint) }, options)
      end

      # @return [Hash] "deleted" and "missing", numbers of counters
      def batch_delete_range(series:, keys:, range: nil, from: nil, to: nil, idempotency_key: nil, fingerprint: nil,
                             **options)
        perform("counter.batch_delete_range",
                { "series" => Input.text(series, "series"), "keys" => Input.keys(keys),
                  "range" => Input.required_range(range, from, to),
                  **idempotency(idempotency_key, fingerprint) }, options)
      end

      private

      def amount(series, key, value, bucket, idempotency_key, fingerprint)
        fields = { "series" => Input.text(series, "series"), "key" => Input.u64(key, "key"),
                   "value" => Input.u64(value, "value") }
        fields["bucket"] = Input.day(bucket, "bucket") unless bucket.nil?
        return fields if idempotency_key.nil? && fingerprint.nil?

        fields.merge!(idempotency(idempotency_key, fingerprint))
      end

      def idempotency(key, fingerprint)
        { "idempotency_key" => Input.optional_text(key, "idempotency_key"),
          "fingerprint" => Input.optional_text(fingerprint, "fingerprint") }
      end
    end
  end
end
