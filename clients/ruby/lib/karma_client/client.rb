# frozen_string_literal: true

require_relative "clock"
require_relative "cluster"
require_relative "command"
require_relative "configuration"
require_relative "connection"
require_relative "errors"
require_relative "instrumentation"
require_relative "once"
require_relative "operations"
require_relative "pipeline"
require_relative "rails/load_hook"
require_relative "retries"
require_relative "session"
require_relative "session_read"
require_relative "today"
require_relative "turns"

module KarmaClient
  # A client with a connection of its own, opened with the first call. Threads may share it: their calls come one after
  # another. It may be used after a fork, on both sides.
  class Client
    include Operations

    # Options of all reads, and of all writes.
    READ_OPTIONS = %i[timeout fallback session min_lsn wait_ms].freeze
    WRITE_OPTIONS = %i[timeout session].freeze
    private_constant :READ_OPTIONS, :WRITE_OPTIONS

    # @return [Configuration] its own copy
    attr_reader :configuration

    # @param configuration [Configuration, Hash, nil] nil: the global one; a Hash: the global one with these changes
    # @param options [Hash] changes
    def initialize(configuration = nil, **options)
      LoadHook.stop
      @configuration = configured(configuration).assign(options).validate!
      @call_timeout = @configuration.whole_call_timeout
      @breaker = @configuration.circuit_breaker&.of(@configuration.nodes)
      @connection = connection_for(@configuration)
      @retries = Retries.new(limit: @configuration.retries, base: @configuration.retry_base,
                             cap: @configuration.retry_cap, timeouts: @configuration.nodes.size > 1)
      @turns = Turns.new
    end

    # Sends a request with any fields. Errors of the node are returned, not raised.
    # @param operation [String] name on the wire, such as "counter.sum"
    # @param fields [Hash] nil: left out
    # @return [Response]
    def request(operation, **fields)
      dispatch(command(operation.to_s, fields.transform_keys(&:to_s), {}), {})
    end

    # Sends a request with any fields.
    # @return [Object] the answer's value
    # @raise [ServerError]
    def call(operation, **fields)
      perform(operation.to_s, fields.transform_keys(&:to_s), {})
    end

    # Sends many calls together, and waits for their answers once. They are applied in order, but not as one: others may
    # come in between, and one may fail where the next succeeds.
    #
    #   karma.pipelined do |p|
    #     p.increment(series: "clicks", key: 42)
    #     p.sum(series: "clicks", key: 42)
    #   end                                         # => [1, 1]
    #
    # Nothing is sent before the block ends. Within it, each call returns a {Pipeline::Future}.
    # @param exceptions [Boolean] false: errors of the node stand among the values instead of being raised
    # @param timeout [Numeric, nil] seconds for all of it; nil: `call_timeout` if it is set, else every answer has its own
    #   time
    # @yieldparam pipeline [Pipeline]
    # @return [Array<Object>] values, in the order of the calls
    # @raise [ServerError] the first one, after all answers have come; {RequestTooLargeError} in any case: the node does
    #   nothing with the calls that follow such a request
    def pipelined(exceptions: true, timeout: nil)
      pipeline = Pipeline.new do |operation, fields, options|
        raise ArgumentError, "unknown keyword: #{options.keys.first.inspect}" unless options.empty?

        Command.new(operation, fields, @configuration.token)
      end
      yield pipeline
      return [] if pipeline.futures.empty?

      observed(pipeline, Clock.deadline(timeout || @configuration.call_timeout))
      pipeline.futures.map do |future|
        future.value
      rescue ServerError => e
        raise if exceptions

        e
      end
    end

    # Writes that count once, however often the event is handled. Each write in the block gets a key made of the event's
    # id and its own place in the block, so the block must make the same writes in the same order each time.
    #
    #   karma.once("order-17", at: order.created_at) { |event| event.increment(series: "sales", key: 3) }
    #
    # @param event_id [String, Integer] the same each time, and of this event alone in the whole node
    # @param at [Integer, Date, Time, String, nil] the day of writes that name none. nil: today in UTC, as it is now; if
    #   the event may be handled again tomorrow, the day must come from the event
    # @yieldparam event [Once]
    # @return [Object] the block's value
    def once(event_id, at: nil)
      day = at.nil? ? today : Input.day(at, "at")
      yield(Once.new(Input.text(event_id, "event_id"), day) do |operation, fields, options|
        perform(operation, fields, options)
      end)
    end

    # @param zone [nil, String, #now] nil: UTC; "+03:00"; with ActiveSupport or tzinfo loaded a name such as
    #   "Europe/Berlin"; or a time zone of either
    # @return [Integer] the day that it is there, such as 20260505, for `bucket:` and `range:`
    def today(zone = nil)
      Today.in(zone)
    end

    # Closes the connection. It is opened again when it is needed.
    def close
      @turns.take { @connection.close }
      nil
    end

    # Without the token, which does not belong into logs.
    def inspect
      "#<#{self.class} #{@configuration.nodes.map { |node| node.join(':') }.join(',')}>"
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

    # Several nodes are one connection to whoever sends.
    def connection_for(configuration)
      options = configuration.to_connection_options
      return Connection.new(**options) if configuration.urls.empty?

      connections = configuration.nodes.map do |host, port|
        Connection.new(**options, host: host, port: port, opens_itself: configuration.nodes.one?)
      end
      return connections.first if connections.one?

      Cluster.new(connections, reads: configuration.reads, token: configuration.token)
    end

    def perform(operation, fields, options)
      command = command(operation, fields, options)
      response = dispatch(command, options)
      raise ServerError.from(response, repeatable: command.repeatable?) if response.error?

      response.value
    rescue TransportError, ProtocolError, CircuitOpenError, ServerError => e
      raise unless options.key?(:fallback) && e.retriable?

      fallback = options[:fallback]
      fallback.respond_to?(:call) ? fallback.call(e) : fallback
    end

    def dispatch(command, options)
      response = observed(command, Clock.deadline(options[:timeout] || @call_timeout))
      command.tell(options[:session], response) if options[:session]
      response
    end

    def command(operation, fields, options)
      return Command.new(operation, fields, @configuration.token) if options.empty?
      return read(operation, fields, options) if Catalog.read?(operation)

      check_options(options, WRITE_OPTIONS)
      fields["want_lsn"] = true if options[:session]
      Command.new(operation, fields, @configuration.token)
    end

    def read(operation, fields, options)
      check_options(options, READ_OPTIONS)
      session = options[:session] unless options[:min_lsn]
      session = nil unless session&.lsn
      fields["min_lsn"] = Input.optional_u64(options[:min_lsn], "min_lsn")
      fields["wait_ms"] = Input.optional_u64(options[:wait_ms], "wait_ms")
      fields["wait_ms"] ||= patience(options) if session || options[:min_lsn]
      return Command.new(operation, fields, @configuration.token) unless session

      SessionRead.new(operation, fields, @configuration.token, session)
    end

    def check_options(options, known)
      unknown = options.keys - known
      raise ArgumentError, "unknown keyword: #{unknown.first.inspect}" if unknown.any?
    end

    # Unless told otherwise, a node gives up the wait while this client still listens, and could ask the master.
    # @return [Integer, nil] milliseconds
    def patience(options)
      limits = [@configuration.read_timeout * 500, (options[:timeout] || @call_timeout) * 250].select(&:positive?)
      limits.min&.to_i
    end

    # Sends, unless the circuit breaker is open, and tells whoever listens.
    def observed(command, deadline)
      instrumenter = Instrumentation.instrumenter(@configuration.instrumenter)
      return deliver(command, deadline, nil) unless instrumenter || @breaker
      return @breaker.call { deliver(command, deadline, nil) } unless instrumenter

      payload = { operation: command.operation, series: command.series }
      instrumenter.instrument(Instrumentation::EVENT, payload) do
        @breaker ? @breaker.call { deliver(command, deadline, payload) } : deliver(command, deadline, payload)
      end
    end

    # All attempts of a call.
    def deliver(command, deadline, payload)
      attempts = 1
      outcome = attempt(command, deadline)
      while @retries.again?(command, outcome) && @retries.wait(attempts, deadline)
        attempts += 1
        outcome = attempt(command, deadline)
      end
      Instrumentation.fill(payload, command, attempts, outcome) if payload
      raise outcome if outcome.is_a?(Error)

      outcome
    end

    # @return [Response, Pipeline, Error]
    def attempt(command, deadline)
      @turns.take(deadline) { command.exchange(@connection, deadline) }
    rescue TransportError, ProtocolError => e
      e
    end
  end
end
