# frozen_string_literal: true

module KarmaClient
  # The highest term in which this process has seen a master among some nodes. All clients of these nodes share it, so
  # that none of a pool takes an earlier master when another one knows of a later. A forked child begins with it.
  # @private
  class Term
    @terms = {}
    @mutex = Mutex.new

    # @param addresses [Array<String>] of the nodes, in any order
    # @return [Term] always the same one
    def self.of(addresses)
      @mutex.synchronize { @terms[addresses.sort] ||= new }
    end

    # @return [Integer]
    attr_reader :highest

    def initialize
      @highest = 0
      @mutex = Mutex.new
    end

    # @param term [Integer] of a master
    # @return [Boolean] false: there was a later one
    def take(term)
      @mutex.synchronize do
        @highest = term if term > @highest
        term == @highest
      end
    end
  end
end
