# frozen_string_literal: true

require_relative "catalog"
require_relative "command"
require_relative "errors"
require_relative "operations"

module KarmaClient
  # Writes that belong to one event and count once, however often the event is handled: see {Client#once}.
  class Once
    include Operations

    # @param event_id [String, Integer]
    # @param day [Integer] of writes that name none
    # @yield operation, fields and options, to be sent
    def initialize(event_id, day, &send)
      @event_id = event_id
      @day = day
      @send = send
      @writes = 0
    end

    private

    # The key says which write of the event this is. The day is written out, since a repeat after midnight would be
    # another write to the node.
    def perform(operation, fields, options)
      unless Catalog.read?(operation)
        raise InputError, "#{operation} cannot be done exactly once" unless Catalog.keyed?(operation)
        raise InputError, "the idempotency_key is that of the event" unless fields["idempotency_key"].nil?

        fields["idempotency_key"] = "#{@event_id}/#{@writes += 1}"
        fields["bucket"] ||= @day if Command::DATED.include?(operation)
      end
      @send.call(operation, fields, options)
    end
  end
end
