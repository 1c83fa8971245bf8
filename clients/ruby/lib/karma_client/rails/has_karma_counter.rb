# frozen_string_literal: true

require_relative "counters"

module KarmaClient
  # Every Active Record model has {#has_karma_counter}.
  module HasKarmaCounter
    # Declares a counter that is kept in Karma, one for each record.
    #
    # @example
    #   class Link < ApplicationRecord
    #     has_karma_counter :clicks
    #   end
    #
    #   link.increment_clicks!           # counts one, today
    #   link.clicks                      # => 1
    #   Link.limit(50).each(&:clicks)    # one request for all fifty
    #   link.clicks(20260501..20260531)  # of these days
    #   Link.top_by_clicks(10)           # the ten with the most
    #
    # @param name [Symbol]
    # @param series [String, nil] nil: the table and the name, links_clicks
    # @param key [Symbol, Proc] what gives the key of a record, an integer from 0 to 2^64-1
    # @param fallback [Object, :raise] what a counter is while Karma cannot be reached; :raise lets the error through
    # @return [void]
    def has_karma_counter(name, series: nil, key: :id, fallback: nil) # rubocop:disable Naming/PredicateName -- as has_many
      include Counters unless include?(Counters)
      counter = Counter.new(self, name, series: series, key: key, fallback: fallback)
      self.karma_counters = karma_counters.merge(counter.name => counter)
      counter.define_methods(generated_karma_methods)
      define_singleton_method(:"top_by_#{name}") { |limit = 10, range: nil| counter.top(self, limit, range) }
    end
  end
end
