# frozen_string_literal: true

require_relative "refused"

module KarmaClient
  module Testing
    # The counters of one series. A day without a count and a counter without a day are not kept, as in the server.
    # @api private
    class Counters
      include Refusing

      LARGEST = (2**64) - 1
      private_constant :LARGEST

      def initialize
        @days = {}
      end

      # @return [Array<Integer>] the keys, ascending
      def keys
        @days.keys.sort
      end

      # @return [Hash{Integer => Integer}] value by day, ascending
      def days(key, range = nil)
        days = @days.fetch(key, {})
        days = days.select { |day, _| range.cover?(day) } if range
        days.sort.to_h
      end

      # @return [Integer]
      def sum(key, range = nil)
        days(key, range).each_value.sum
      end

      # All of them or, if one counter would grow too large, none.
      def add(points)
        refuse("Batch total overflow") if points.sum(&:last) > LARGEST
        points.each_with_object(Hash.new(0)) { |(key, _, value), added| added[key] += value }.each do |key, value|
          refuse("Counter overflow key=#{key}") if sum(key) + value > LARGEST
        end
        points.each { |key, day, value| put(key, day, days(key).fetch(day, 0) + value) }
      end

      # @return [void]
      def subtract(key, day, value)
        put(key, day, [days(key).fetch(day, 0) - value, 0].max)
      end

      # Like {#add} all or nothing; of equal points the last one counts.
      def set(points)
        wanted = points.to_h { |key, day, value| [[key, day], value] }
        wanted.keys.group_by(&:first).each do |key, places|
          kept = days(key).reject { |day, _| wanted.key?([key, day]) }.each_value.sum
          refuse("Counter overflow key=#{key}") if kept + places.sum { |place| wanted[place] } > LARGEST
        end
        wanted.each { |(key, day), value| put(key, day, value) }
      end

      # @return [Boolean] whether a day was removed
      def remove(key, range = nil)
        gone = days(key, range).keys
        gone.each { |day| put(key, day, 0) }
        gone.any?
      end

      # @return [void]
      def remove_range(range)
        @days.keys.map { |key| remove(key, range) }
      end

      # @return [void]
      def remove_before(day)
        remove_range(0...day)
      end

      # @return [void]
      def clear
        @days.clear
      end

      private

      def put(key, day, value)
        days = (@days[key] ||= {})
        value.zero? ? days.delete(day) : days[day] = value
        @days.delete(key) if days.empty?
      end
    end
  end
end
