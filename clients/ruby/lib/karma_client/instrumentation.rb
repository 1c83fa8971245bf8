# frozen_string_literal: true

module KarmaClient
  # Tells whoever listens of each call: the configured instrumenter, or ActiveSupport::Notifications where it is loaded.
  #
  # The payload has `operation` and `series`, and afterwards `attempts`, `request_bytes`, `response_bytes`, `node`
  # (host:port) and `error_code` (nil after a success). An exception is in `exception`, as everywhere in Rails.
  module Instrumentation
    # Name of the event.
    EVENT = "request.karma_client"

    module_function

    # @yieldparam payload [Hash, nil] nil: nobody listens
    def call(instrumenter, operation, series, &block)
      instrumenter ||= ::ActiveSupport::Notifications if defined?(::ActiveSupport::Notifications)
      return yield unless instrumenter

      payload = { operation: operation, series: series }
      instrumenter.instrument(EVENT, payload) { block.call(payload) }
    end

    # The same in the words of OpenTelemetry's conventions for databases.
    # @param payload [Hash] of the event
    # @return [Hash{String => Object}]
    def attributes(payload)
      host, port = payload[:node]&.match(/\A(.*):(\d+)\z/)&.captures
      { "db.system.name" => "karma",
        "db.operation.name" => payload[:operation],
        "db.collection.name" => payload[:series],
        "db.response.status_code" => payload[:error_code],
        "server.address" => host,
        "server.port" => port&.to_i,
        "error.type" => payload[:error_code] || payload[:exception]&.first }.compact
    end
  end
end
