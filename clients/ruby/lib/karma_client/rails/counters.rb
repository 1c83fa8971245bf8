# frozen_string_literal: true

require "active_support/concern"
require "karma_client"
require_relative "counter"
require_relative "counter_page"
require_relative "counter_totals"

module KarmaClient
  # What a model with counters has beside the methods of each, see {HasKarmaCounter}. A record keeps the totals that it
  # was told until it is reloaded or writes to the counter.
  module Counters
    extend ActiveSupport::Concern

    included do
      class_attribute :karma_counters, instance_accessor: false, default: {}
      after_find { CounterPage.current&.add(self) }
      CounterPage.listen
    end

    # Methods of the model.
    module ClassMethods
      # Asks for the totals of records that were not loaded together, or of a range of days: one request for each
      # counter. Those that are known are not asked for again.
      # @param records [Enumerable<ActiveRecord::Base>]
      # @param names [Array<Symbol>] counters; none: all
      # @param range [Range, nil]
      # @return [Array<ActiveRecord::Base>] the records
      def preload_karma_counters(records, *names, range: nil)
        records = records.to_a
        names = karma_counters.keys if names.empty?
        names.each { |name| Counters.load(karma_counters.fetch(name.to_sym), records, range) }
        records
      end

      private

      # Methods are defined in a module, so that the model may define them too and call super.
      def generated_karma_methods
        @generated_karma_methods ||= Module.new.tap { |methods| include methods }
      end
    end

    # @api private
    # @return [void]
    def self.load(counter, records, range)
      unknown = records.reject { |record| record.karma_totals.known?(counter, range) }
      return if unknown.empty?

      unknown.zip(counter.totals(unknown, range)) { |record, total| record.karma_totals.store(counter, range, total) }
    end

    # Forgets the totals, too.
    # @return [self]
    def reload(*)
      @karma_totals = nil
      super
    end

    # @api private
    # @return [CounterTotals]
    def karma_totals
      @karma_totals ||= CounterTotals.new
    end

    private

    def initialize_dup(other)
      @karma_totals = nil
      super
    end

    def karma_total(counter, range)
      karma_totals.fetch(counter, range) do
        Counters.load(counter, [self, *karma_totals.page&.having(counter)], range)
        karma_totals.fetch(counter, range)
      end
    end

    def karma_write(counter, operation, **options)
      counter.write(operation, self, **options)
    ensure
      # A write that failed may have been counted, too.
      karma_totals.forget(counter)
    end
  end
end
