# frozen_string_literal: true

module KarmaClient
  # What a record knows of its counters, and with which others it was loaded.
  # @api private
  class CounterTotals
    # @return [CounterPage, nil]
    attr_accessor :page

    def initialize
      @values = {}
    end

    # @return [Object] the total, else the value of the block
    def fetch(counter, range, &block)
      @values.fetch([counter, range], &block)
    end

    def known?(counter, range)
      @values.key?([counter, range])
    end

    # @return [void]
    def store(counter, range, value)
      @values[[counter, range]] = value
    end

    # @return [void]
    def forget(counter)
      @values.delete_if { |(known, _), _| known.equal?(counter) }
    end

    # Nothing of this goes into a cache with its record: totals grow old there, and a page would drag all its records in.
    def marshal_dump
      nil
    end

    # @return [void]
    def marshal_load(_nothing)
      initialize
    end
  end
end
