# frozen_string_literal: true

require_relative "clock"
require_relative "command"
require_relative "configuration"
require_relative "connection"
require_relative "errors"
require_relative "instrumentation"
require_relative "operations"
require_relative "rails/load_hook"

module KarmaClient
  # A client with a connection of its own, opened with the first call. Threads may share it: their calls come one after
  # another. It may be used after a fork, on both sides.
  class Client
    include Operations

    OPTIONS = %i[timeout].freeze
    private_constant :OPTIONS

    # @return [Configuration] its own copy
    attr_reader :configuration

    # @param configuration [Configuration, Hash, nil] nil: the global one; a Hash: the global one with these changes
    # @param options [Hash] changes
    def initialize(configuration = nil, **options)
      LoadHook.stop
      @configuration = configured(configuration).assign(options).validate!
      @connection = Connection.new(**@configuration.to_connection_options)
      @mutex = Mutex.new
    end

    # Sends a request with any fields. Errors of the node are returned, not raised.
    # @param operation [String] name on the wire, such as "counter.sum"
    # @param fields [Hash] nil: left out
    # @return [Response]
    def request(operation, **fields)
      dispatch(operation.to_s, fields.transform_keys(&:to_s), {})
    end

    # Sends a request with any fields.
    # @return [Object] the answer's value
    # @raise [ServerError]
    def call(operation, **fields)
      perform(operation.to_s, fields.transform_keys(&:to_s), {})
    end

    # Closes the connection. It is opened again when it is needed.
    def close
      @mutex.synchronize { @connection.close }
      nil
    end

    private

    def configured(configuration)
      case configuration
      when nil then KarmaClient.configuration.dup
      when Configuration then configuration.dup
      when Hash then KarmaClient.configuration.dup.assign(configuration)
      else raise ConfigurationError, "A Karma client takes a Configuration or a Hash"
      end
    end

    def perform(operation, fields, options)
      response = dispatch(operation, fields, options)
      raise ServerError.from(response) if response.error?

      response.value
    end

    def dispatch(operation, fields, options)
      check_options(options)
      command = Command.new(operation, fields, @configuration.token)
      deadline = Clock.deadline(options[:timeout] || @configuration.whole_call_timeout)
      Instrumentation.call(@configuration.instrumenter, operation, command.series) do |payload|
        response = @mutex.synchronize { @connection.exchange(command, deadline) }
        payload[:error_code] = response.error_code if payload
        response
      end
    end

    def check_options(options)
      unknown = options.empty? ? nil : options.keys - OPTIONS
      raise ArgumentError, "unknown keyword: #{unknown.first.inspect}" if unknown&.any?
    end
  end
end
