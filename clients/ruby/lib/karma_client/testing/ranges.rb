# frozen_string_literal: true

require "date"

module KarmaClient
  module Testing
    # The fields of {Fields} that are ranges of days.
    # @api private
    module Ranges
      LONGEST_RANGES = 16
      MOST_VALUES = 10_000
      MOST_DAYS = 366
      RANGE_YEARS = (1..9999)
      private_constant :LONGEST_RANGES, :MOST_VALUES, :MOST_DAYS, :RANGE_YEARS

      # @return [Range<Integer>, nil] the days asked for; nil means all
      def range(required: false)
        return nil unless required || @request.key?("range")

        days(@request["range"], "range")
      end

      # @param keys [Integer] how many keys each of them is asked for
      # @return [Array<Range<Integer>, nil>, nil] in place of one range; nil among them means all
      def ranges(keys)
        return nil unless @request.key?("ranges")

        refuse("Fields range and ranges exclude each other") if @request.key?("range")
        ranges = list("ranges", longest: LONGEST_RANGES)
        refuse("Field ranges must not be empty") if ranges.empty?
        refuse("Too many values are asked for") if keys * ranges.size > MOST_VALUES
        ranges.map.with_index { |range, place| days(range, "ranges[#{place}]") unless range.nil? }
      end

      # @return [Array] the range to which another is compared, or nil, and what of both the order is by
      def comparison
        compare_to = days(@request["compare_to"], "compare_to") if @request.key?("compare_to")
        refuse("Field compare_to needs a range that is compared") if compare_to && !@request.key?("range")
        order = @request.fetch("order_by", "value")
        refuse("Field order_by must be value or delta") unless %w[value delta].include?(order)
        refuse("Field order_by needs compare_to") if @request.key?("order_by") && !compare_to
        [compare_to, order]
      end

      private

      def days(range, name)
        refuse("Field #{name} must be an object") unless range.is_a?(Hash)
        from, to = %w[from to].map { |place| day(range[place], "#{name}.#{place}", RANGE_YEARS) }
        refuse("Bucket range start must be less than or equal to range end") if from > to
        refuse("Range exceeds max days") if date(to) - date(from) > MOST_DAYS
        from..to
      end

      def date(number)
        Date.new(*parts(number))
      end
    end
  end
end
