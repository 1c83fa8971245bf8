# frozen_string_literal: true

require_relative "fingerprint"

module KarmaClient
  module Testing
    # The ops that write, of {Fake}. All fields are read before anything changes.
    # @api private
    module Writes
      private

      def increment(fields)
        step("increment", fields) { |counters, key, bucket, value| counters.add([[key, bucket, value]]) }
      end

      def decrement(fields)
        step("decrement", fields) { |counters, key, bucket, value| counters.subtract(key, bucket, value) }
      end

      def step(command, fields)
        series = fields.series
        key = fields.key
        bucket = fields.bucket
        value = fields.value
        write(fields, command, { "series" => series, "key" => key, "bucket" => bucket, "value" => value }) do
          change(series) { |counters| yield counters, key, bucket, value }
          value
        end
      end

      def batch_add(fields)
        series = fields.series
        points = fields.points
        write(fields, "batch_add", point_fields(series, points)) do
          change(series) { |counters| counters.add(points) }
          { "applied" => points.size, "total" => points.sum(&:last) }
        end
      end

      def batch_set(fields)
        series = fields.series
        points = fields.points(zero: true)
        write(fields, "batch_set", point_fields(series, points)) do
          change(series) { |counters| counters.set(points) } if points.any?
          { "applied" => points.size }
        end
      end

      def reset_counter(fields)
        series = fields.series
        key = fields.key
        write(fields, "reset", { "series" => series, "key" => key }) do
          change(series) { |counters| counters.remove(key) }
          "OK"
        end
      end

      def batch_reset(fields)
        series = fields.series
        keys = fields.keys
        write(fields, "batch_reset", key_fields(series, keys)) do
          counters = existing(series)
          reset = keys.count { |key| counters.remove(key) }
          { "reset" => reset, "missing" => keys.size - reset }
        end
      end

      def delete_range(fields)
        range = fields.range(required: true)
        series = fields.series
        key = fields.key
        write(fields, "delete", { "series" => series, "key" => key, **range_fields(range) }) do
          change(series) { |counters| counters.remove(key, range) }
          true
        end
      end

      def batch_delete_range(fields)
        range = fields.range(required: true)
        series = fields.series
        keys = fields.keys
        write(fields, "batch_delete_range", [*key_fields(series, keys), *range_fields(range)]) do
          counters = existing(series)
          there, missing = keys.map { |key| counters.days(key).any? && { removed: counters.remove(key, range) } }
                               .partition(&:itself)
          { "deleted" => there.count { |key| key[:removed] }, "missing" => missing.size }
        end
      end

      def reset_series(fields)
        series = fields.series
        write(fields, "reset", { "series" => series, "key" => nil }) do
          change(series, &:clear)
          "OK"
        end
      end

      def delete_series_range(fields)
        range = fields.range(required: true)
        series = fields.series
        write(fields, "delete", { "series" => series, "key" => nil, **range_fields(range) }) do
          change(series) { |counters| counters.remove_range(range) }
          true
        end
      end

      def delete_before(fields)
        series = fields.series
        before = fields.before
        write(fields) do
          existing(series).remove_before(before)
          "OK"
        end
      end

      def create(fields)
        series = fields.series
        write(fields) do
          change(series, &:itself)
          "OK"
        end
      end

      def drop(fields)
        series = fields.series
        write(fields) do
          existing(series)
          @series.delete(series)
          "OK"
        end
      end

      def compact(fields)
        series = fields.series
        write(fields) do
          existing(series)
          "OK"
        end
      end

      def compact_all(fields)
        write(fields) { "OK" }
      end

      def point_fields(series, points)
        [["series", series], ["items_count", points.size],
         *points.flat_map { |point| %w[item_key item_bucket item_value].zip(point) }]
      end

      def key_fields(series, keys)
        [["series", series], ["keys_count", keys.size], *keys.map { |key| ["key_value", key] }]
      end

      def range_fields(range)
        { "range_from" => range.begin, "range_to" => range.end }
      end
    end
  end
end
