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

    # @return [#instrument, nil] nil: nobody listens
    def instrumenter(configured)
      configured || (::ActiveSupport::Notifications if defined?(::ActiveSupport::Notifications))
    end

    # Adds what is known when the call is over.
    # @param outcome [Response, Error]
    def fill(payload, command, attempts, outcome)
      payload[:attempts] = attempts
      payload[:node] = command.node
      payload[:request_bytes] = command.request_bytes
      payload[:response_bytes] = command.response_bytes
      payload[:error_code] = outcome.error_code if outcome.is_a?(Response)
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
