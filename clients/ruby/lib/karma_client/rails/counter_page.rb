# frozen_string_literal: true

module KarmaClient
  # Records that one query has loaded. Whoever asks one of them for a total gets those of all of them, so that a list
  # costs one request.
  #
  # Active Record announces each such loading (+instantiation.active_record+) and calls +after_find+ for each record
  # meanwhile. Both are documented, and cover relations, associations, +includes+ and +find_by_sql+.
  # @api private
  class CounterPage
    STACK = :karma_client_counter_pages
    private_constant :STACK

    def initialize
      @records = []
    end

    # Hears of loadings. They nest, where +after_find+ loads other records.
    class Listener
      # @return [void]
      def start(_name, _id, payload)
        CounterPage.stack.push(payload[:record_count] > 1 ? CounterPage.new : nil)
      end

      # @return [void]
      def finish(_name, _id, _payload)
        CounterPage.stack.pop
      end
    end

    class << self
      # @return [void]
      def listen
        @listen ||= ActiveSupport::Notifications.subscribe("instantiation.active_record", Listener.new)
      end

      # @return [CounterPage, nil] that of the loading which is under way
      def current
        stack.last
      end

      # Of the fiber: what Thread#[] gives.
      def stack
        Thread.current[STACK] ||= []
      end
    end

    # @return [void]
    def add(record)
      @records << record
      record.karma_totals.page = self
    end

    # @return [Array<ActiveRecord::Base>] those that have the counter
    def having(counter)
      @records.select { |record| record.class.karma_counters[counter.name].equal?(counter) }
    end
  end
end
