# frozen_string_literal: true

module KarmaClient
  # Base of everything that this gem raises.
  class Error < StandardError
    # @return [Boolean] whether the same call may succeed a moment later
    def retriable?
      false
    end
  end

  # A setting has a value that makes no sense.
  class ConfigurationError < Error; end

  # An argument was refused before anything was sent.
  class InputError < Error; end

  # No client of the pool became free in time, or the pool is closed.
  class PoolTimeout < Error
    def retriable?
      true
    end
  end

  # Something between this process and the node failed. Whether a write was applied is not known.
  class TransportError < Error
    # @return [String, nil]
    attr_reader :host
    # @return [Integer, nil]
    attr_reader :port

    def initialize(message = nil, host: nil, port: nil)
      super(message)
      @host = host
      @port = port
    end

    def retriable?
      true
    end
  end

  # The node could not be reached, or the connection to it broke.
  class ConnectionError < TransportError; end

  # The node did not take the connection in time: nothing was sent.
  class ConnectTimeoutError < ConnectionError; end

  # The connection was closed before anything was sent.
  class ClosedError < ConnectionError; end

  # The circuit breaker is open: nothing was sent.
  class CircuitOpenError < Error
    def retriable?
      true
    end
  end

  # The node did not take the request or did not answer it in time.
  class TimeoutError < TransportError
    # @return [Symbol] :read or :write
    attr_reader :operation
    # @return [Float, nil] seconds; nil: the time of the whole call was over
    attr_reader :timeout

    def initialize(message = nil, operation: nil, timeout: nil, **node)
      super(message, **node)
      @operation = operation
      @timeout = timeout
    end
  end

  # The time of the call was over before anything was sent, since other threads had the client, say.
  class ExpiredError < TimeoutError; end

  # The reply is not one of Karma's.
  class ProtocolError < Error
    # @return [Object] what was received
    attr_reader :payload

    def initialize(message = nil, payload: nil)
      super(message)
      @payload = payload
    end

    def retriable?
      true
    end
  end

  # The reply belongs to another request. It was not returned, and its connection is closed.
  class MismatchedReplyError < ProtocolError; end

  # The node refused the request. {#code} is stable, the message is for human readers.
  class ServerError < Error
    # Codes after which the same request may succeed a moment later. Of `not_confirmed` see {NotConfirmedError}.
    RETRIABLE = %w[query_timeout replication_gap replication_error internal_error stale_replica].freeze

    # @return [String] the stable code
    attr_reader :code
    # @return [Integer, nil]
    attr_reader :protocol_version
    # @return [Response, nil]
    attr_reader :response

    # @param response [Response] an error
    # @param repeatable [Boolean] whether the request comes to the same, however often it is applied
    # @return [ServerError] of the class of its code
    def self.from(response, repeatable: false)
      BY_CODE.fetch(response.error_code, ServerError)
             .new(response.value.to_s, code: response.error_code, protocol_version: response.protocol_version,
                                       response: response, repeatable: repeatable)
    end

    def initialize(message = nil, code: nil, protocol_version: nil, response: nil, repeatable: false)
      super(message)
      @code = code
      @protocol_version = protocol_version
      @response = response
      @repeatable = repeatable
    end

    def retriable?
      RETRIABLE.include?(code)
    end
  end

  # A field is missing, of a wrong type or out of bounds.
  class ValidationError < ServerError; end
  # No such series, snapshot or stream.
  class NotFoundError < ServerError; end
  # A token is configured on the node, and none or a wrong one was sent.
  class UnauthorizedError < ServerError; end
  # A write with the read token, or sent to a slave.
  class ForbiddenError < ServerError; end
  # The request is longer than the node takes.
  class RequestTooLargeError < ServerError; end
  # The reply would be longer than the node sends.
  class ResponseTooLargeError < ServerError; end
  # A read took longer than the node allows.
  class QueryTimeoutError < ServerError; end
  # The idempotency key, stream or chunk was used before with another content.
  class IdempotencyConflictError < ServerError; end
  # The request is no JSON to the node.
  class InvalidJsonError < ServerError; end
  # The node does not speak protocol v2.
  class UnsupportedProtocolError < ServerError; end
  # The node does not know the op.
  class UnknownCommandError < ServerError; end
  # The log of the node does not reach back so far.
  class ReplicationGapError < ServerError; end
  # Another node misbehaves.
  class ReplicationError < ServerError; end
  # The slave has not got the data yet.
  class StaleReplicaError < ServerError; end

  # The write counts on its node, but too few slaves have confirmed it in time.
  class NotConfirmedError < ServerError
    # @return [Boolean] whether the write has an idempotency key: without one, the same call would count once more
    def retriable?
      @repeatable
    end
  end

  # The node was master, and knows of a later one.
  class SupersededError < ServerError; end
  # The disk, memory or the state of the node.
  class InternalError < ServerError; end

  class ServerError
    # Every stable code and its class.
    BY_CODE = {
      "validation_error" => ValidationError,
      "not_found" => NotFoundError,
      "unauthorized" => UnauthorizedError,
      "forbidden" => ForbiddenError,
      "request_too_large" => RequestTooLargeError,
      "response_too_large" => ResponseTooLargeError,
      "query_timeout" => QueryTimeoutError,
      "idempotency_conflict" => IdempotencyConflictError,
      "invalid_json" => InvalidJsonError,
      "unsupported_protocol" => UnsupportedProtocolError,
      "unknown_command" => UnknownCommandError,
      "replication_gap" => ReplicationGapError,
      "replication_error" => ReplicationError,
      "stale_replica" => StaleReplicaError,
      "not_confirmed" => NotConfirmedError,
      "superseded" => SupersededError,
      "internal_error" => InternalError
    }.freeze
  end
end
