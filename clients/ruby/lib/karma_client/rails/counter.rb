# frozen_string_literal: true

module KarmaClient
  # One counter of a model: knows its series and keys, asks for totals and writes.
  # @api private
  class Counter
    # The server takes a request of 4096 bytes unless it is told otherwise. The rest is for series, range and token.
    KEY_BYTES = 3000

    # @return [Symbol]
    attr_reader :name

    def initialize(model, name, series:, key:, fallback:)
      @model = model
      @name = name.to_sym
      @series = series
      @key = key
      @fallback = fallback
    end

    # @return [String]
    def series
      @series ||= "#{@model.table_name}_#{name}"
    end

    # @return [Integer, nil] nil for a record that has no key yet
    def key_of(record)
      key = @key.is_a?(Proc) ? @key.call(record) : record.public_send(@key)
      # Its total would be that of no record: 0.
      raise InputError, "#{record.class} was loaded without its id" if key.nil? && @key == :id && record.persisted?

      key.is_a?(String) && key.match?(/\A\d+\z/) ? key.to_i : key
    end

    # Asks for the totals of many records at once.
    # @param records [Array<ActiveRecord::Base>]
    # @param range [Range, nil]
    # @return [Array<Integer, Object>] in the order of the records; the fallback for each if Karma is down
    def totals(records, range)
      keys = records.map { |record| key_of(record) }
      sums = sums(keys.compact.uniq, range)
      keys.map { |key| key.nil? ? 0 : sums.fetch(key) }
    rescue Error => e
      raise unless fall_back?(e)

      [@fallback] * records.size
    end

    # Finds the records with the largest totals, which they know then.
    # @param scope [ActiveRecord::Relation, Class] where to look for them
    # @return [Array<ActiveRecord::Base>] largest first; none if Karma is down
    def top(scope, limit, range)
      raise InputError, "the key of #{name} is no column" unless column?

      totals = largest(limit, range)
      records = scope.where(@key => totals.keys).index_by { |record| key_of(record) }
      totals.filter_map { |key, total| records[key]&.tap { |record| record.karma_totals.store(self, range, total) } }
    end

    # @return [Integer] the value that was counted
    def write(operation, record, **options)
      key = key_of(record)
      raise InputError, "#{record.class} has no key for #{name}: it is not saved" if key.nil?

      KarmaClient.with_client { |client| client.public_send(operation, series: series, key: key, **options) }
    end

    # Defines the methods of records.
    # @param methods [Module]
    # @return [void]
    def define_methods(methods)
      counter = self
      methods.define_method(name) { |range = nil| karma_total(counter, range) }
      %i[increment decrement].each do |operation|
        methods.define_method(:"#{operation}_#{name}!") do |value = 1, **options|
          karma_write(counter, operation, value: value, **options)
        end
        methods.define_method(:"#{operation}_#{name}") do |value = 1, **options|
          karma_write(counter, operation, value: value, **options)
          true
        rescue NotConfirmedError
          true # on the master
        rescue Error => e
          e.retriable? ? false : raise
        end
      end
      methods.define_method(:"reset_#{name}!") { |**options| karma_write(counter, :reset_counter, **options) }
    end

    private

    def column?
      return true if @key == :id
      return false if @key.is_a?(Proc)

      name = @key.to_s
      @model.attribute_names.include?(@model.attribute_aliases.fetch(name, name))
    end

    # Only what may be over in a moment: a wrong token or an impossible day is a mistake, not a failure of Karma.
    def fall_back?(error)
      @fallback != :raise && error.retriable?
    end

    def largest(limit, range)
      top = KarmaClient.with_client { |client| client.series_top(series, limit: limit, range: range) }
      top["items"].to_h { |item| item.values_at("key", "value") }
    rescue NotFoundError
      {}
    rescue Error => e
      fall_back?(e) ? {} : raise
    end

    def sums(keys, range)
      return {} if keys.empty?

      first, *more = slices(keys).map { |slice| { series: series, keys: slice, range: range } }
      items = KarmaClient.with_client do |client|
        next client.batch_sum(**first) if more.empty?

        client.pipelined { |pipeline| [first, *more].each { |fields| pipeline.batch_sum(**fields) } }.flatten(1)
      end
      items.to_h { |item| item.values_at("key", "value") }
    rescue NotFoundError
      keys.to_h { |key| [key, 0] } # the first increment creates the series
    end

    def slices(keys)
      bytes = 0
      keys.slice_when do |before, _|
        bytes += before.to_s.size + 1
        bytes = 0 if (full = bytes > KEY_BYTES)
        full
      end
    end
  end
end
