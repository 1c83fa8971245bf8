# frozen_string_literal: true

require "date"
require_relative "ranges"
require_relative "refused"

module KarmaClient
  module Testing
    # Reads the fields of one request and refuses what the server refuses.
    # @api private
    class Fields
      include Ranges
      include Refusing

      LARGEST = (2**64) - 1
      LONGEST_LIST = 10_000
      LONGEST_NAME = 128
      LONGEST_IDEMPOTENCY_KEY = 256
      # A bucket's year needs four digits; a range may name any year, for counts of old data.
      BUCKET_YEARS = (1000..9999)
      private_constant :LARGEST, :LONGEST_LIST, :LONGEST_NAME, :LONGEST_IDEMPOTENCY_KEY, :BUCKET_YEARS

      # @param request [Hash] a parsed request
      def initialize(request)
        @request = request
      end

      # @return [String]
      def series
        name = @request["tree"].is_a?(String) ? @request["tree"] : @request["series"]
        refuse("Field tree or series is required") unless name.is_a?(String)
        series_name(name)
      end

      # @return [Integer]
      def key
        number("key")
      end

      # @return [Array<Integer>]
      def keys
        list("keys").map { |key| u64(key, "keys[]") }
      end

      # @return [Integer] 1 where the request names none
      def value
        value = number("value", default: 1)
        refuse("Field value must be greater than 0") if value.zero?
        value
      end

      # @return [Integer] the day that is counted; today in UTC where the request names none
      def bucket
        return day(given("date"), "date", BUCKET_YEARS) if @request.key?("date")
        return today unless @request.key?("bucket")

        bucket = @request["bucket"]
        # Karma 1.0 takes dashes anywhere in it.
        bucket = bucket.delete("-").to_i if bucket.is_a?(String) && bucket.match?(/\A\d[\d-]*\z/)
        day(bucket, "bucket", BUCKET_YEARS)
      end

      # @return [Integer] a day
      def before
        day(given(@request.key?("before") ? "before" : "date"), "before", BUCKET_YEARS)
      end

      # @return [Array<Array(Integer, Integer, Integer)>] key, day and value of each item
      def points(zero: false)
        list("items").map do |item|
          refuse("Each item must be [key, bucket, value]") unless item.is_a?(Array) && item.size == 3
          key, bucket, value = item.map { |number| u64(number, "items[]") }
          refuse("Batch item value must be greater than 0") if value.zero? && !zero
          [key, day(bucket, "items[]", BUCKET_YEARS), value]
        end
      end

      # @return [Array<Array(String, Integer)>] series and key of each item
      def subjects
        list("items").map do |item|
          refuse("Each item must be an object") unless item.is_a?(Hash)
          refuse("Field items[].series is required") unless item["series"].is_a?(String)
          [series_name(item["series"]), u64(item["key"], "items[].key")]
        end
      end

      # @return [Integer]
      def limit(default:, most:)
        limit = number("limit", default: default)
        refuse("Field limit must be greater than 0") if limit.zero?
        refuse("Field limit exceeds max size #{most}") if limit > most
        limit
      end

      # @return [Integer, nil]
      def cursor
        @request["cursor"].nil? ? nil : number("cursor")
      end

      # @return [Boolean] whether the reply has to name the write's LSN
      def want_lsn
        return false unless @request.key?("want_lsn")

        refuse("Field want_lsn must be true or false") unless [true, false].include?(@request["want_lsn"])
        @request["want_lsn"]
      end

      # @return [Integer] the LSN that a read has to see
      def min_lsn
        number("min_lsn", default: 0)
      end

      # @return [String, nil] the key under which a write is applied once
      def idempotency_key
        return nil unless @request.key?("idempotency_key")

        key = text("idempotency_key")
        refuse("Field idempotency_key must not be empty") if key.empty?
        refuse("Field idempotency_key exceeds max size") if key.bytesize > LONGEST_IDEMPOTENCY_KEY
        key
      end

      # @return [String, nil]
      def fingerprint
        @request.key?("fingerprint") ? text("fingerprint") : nil
      end

      private

      def series_name(name)
        refuse("Field tree_name is required") if name.empty?
        refuse("Series name is longer than #{LONGEST_NAME} bytes") if name.bytesize > LONGEST_NAME
        refuse("Series name must not contain a slash or control characters") if name.match?(%r{[/\x00-\x1f\x7f]})
        refuse("Series name must not start with a dot") if name.start_with?(".")
        name
      end

      def list(name, longest: LONGEST_LIST)
        list = @request[name]
        refuse("Field #{name} is required") unless list.is_a?(Array)
        refuse("Field #{name} exceeds max size") if list.size > longest
        list
      end

      def text(name)
        value = @request[name]
        refuse("Field #{name} must be a string or integer") unless value.is_a?(String) || value.is_a?(Integer)
        value.to_s
      end

      def given(name)
        @request.fetch(name) { refuse("Field #{name} is required") }
      end

      def number(name, default: nil)
        default && !@request.key?(name) ? default : u64(given(name), name)
      end

      def u64(value, name)
        refuse("Field #{name} must be an unsigned 64-bit integer") unless value.is_a?(Integer) && !value.negative?
        raise Refused.new("invalid_json", "Invalid JSON: integer beyond 64 bits") if value > LARGEST

        value
      end

      def day(value, name, years)
        value = value.delete("-").to_i if value.is_a?(String) && value.match?(/\A\d{4}-\d{2}-\d{2}\z/)
        number = u64(value, name)
        valid = years.cover?(number / 10_000) && Date.valid_date?(*parts(number))
        refuse("Invalid bucket date #{number}: a calendar day as YYYYMMDD is wanted") unless valid
        number
      end

      def parts(number)
        [number / 10_000, number / 100 % 100, number % 100, Date::GREGORIAN]
      end

      # The time of the process, so that a test which travels in time counts under the day it has travelled to.
      def today
        Time.now.utc.strftime("%Y%m%d").to_i
      end
    end
  end
end
