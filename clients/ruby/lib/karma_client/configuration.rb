# frozen_string_literal: true

require "uri"
require_relative "circuit_breaker"
require_relative "errors"

module KarmaClient
  # Settings of a client. Times are in seconds; 0 means no limit.
  class Configuration
    # Port of a node that names none.
    DEFAULT_PORT = 8080

    # Names of the settings and their defaults.
    DEFAULTS = {
      host: "127.0.0.1",
      port: DEFAULT_PORT,
      urls: [],
      reads: :master,
      token: nil,
      connect_timeout: 1.0,
      read_timeout: 1.0,
      write_timeout: 1.0,
      call_timeout: nil,
      retries: 2,
      retry_base: 0.02,
      retry_cap: 0.5,
      circuit_breaker: nil,
      pool_size: 5,
      pool_timeout: 1.0,
      max_response_bytes: 64 * 1024 * 1024,
      tcp_nodelay: true,
      instrumenter: nil,
      logger: nil
    }.freeze

    NOT_NEGATIVE = %i[connect_timeout read_timeout write_timeout pool_timeout retries retry_base retry_cap
                      max_response_bytes].freeze
    private_constant :NOT_NEGATIVE

    # @!attribute host
    #   @return [String]
    # @!attribute port
    #   @return [Integer]
    # @!attribute urls
    #   @return [Array<String>] of several nodes; a string of them with commas is taken, too. They outrank host and port,
    #     unless these are set later
    # @!attribute reads
    #   @return [Symbol] :master, or :replica: counters are read from slaves, which may be behind
    # @!attribute token
    #   @return [String, nil] sent with every request
    # @!attribute connect_timeout
    #   @return [Float] for one attempt to connect
    # @!attribute read_timeout
    #   @return [Float] for one reply
    # @!attribute write_timeout
    #   @return [Float] for one request
    # @!attribute call_timeout
    #   @return [Float, nil] for a whole call, with its connections, attempts and waits; nil: the three together
    # @!attribute retries
    #   @return [Integer] how often a read, or a write with an idempotency key, is tried again within that time
    # @!attribute retry_base
    #   @return [Float] the first retry waits up to so long, each further one up to twice as long
    # @!attribute retry_cap
    #   @return [Float] but no longer than this
    # @!attribute circuit_breaker
    #   @return [CircuitBreaker, nil] true and a Hash of its arguments are taken, too; nil: none
    # @!attribute pool_size
    #   @return [Integer]
    # @!attribute pool_timeout
    #   @return [Float] wait for a client of the pool
    # @!attribute max_response_bytes
    #   @return [Integer] a longer reply is a {ProtocolError}; 0: no limit
    # @!attribute tcp_nodelay
    #   @return [Boolean]
    # @!attribute instrumenter
    #   @return [#instrument, nil] nil: ActiveSupport::Notifications, where it is loaded
    # @!attribute logger
    #   @return [Logger, nil]
    DEFAULTS.each_key { |name| attr_reader name }
    (DEFAULTS.keys - %i[host port urls reads circuit_breaker]).each { |name| attr_writer name }

    # Reads the settings from environment variables; an empty one counts as unset.
    # @param env [#[]]
    # @return [Configuration]
    def self.from_env(env = ENV)
      Environment.new(env).apply(new)
    end

    def initialize
      DEFAULTS.each { |name, value| public_send(:"#{name}=", value) }
    end

    # @param value [String] tcp://host:port, with ?token=… perhaps
    def url=(value)
      self.host, self.port = parse(value)
    end

    # @param value [String, Array<String>] of the form of {#url=}; with commas between them if it is a string
    def urls=(value)
      list = value.is_a?(String) ? value.split(",").map(&:strip) : Array(value)
      @nodes = list.map { |url| parse(url) }
      @urls = list
    end

    # @param value [String] of the only node
    def host=(value)
      @host = value
      self.urls = []
    end

    # @param value [Integer] of the only node
    def port=(value)
      @port = value
      self.urls = []
    end

    # @param value [Symbol, String] master or replica
    def reads=(value)
      @reads = value.respond_to?(:to_sym) ? value.to_sym : value
    end

    # @param value [CircuitBreaker, Hash, Boolean, nil] a Hash: arguments of {CircuitBreaker#initialize}
    def circuit_breaker=(value)
      @circuit_breaker = case value
                         when true then CircuitBreaker.new
                         when Hash then CircuitBreaker.new(**value)
                         when CircuitBreaker, nil then value
                         when false then nil
                         else raise ConfigurationError, "circuit_breaker must be true, a Hash or a CircuitBreaker"
                         end
    rescue ArgumentError => e
      raise ConfigurationError, "circuit_breaker: #{e.message}"
    end

    # @param options [Hash{Symbol, String => Object}]
    # @return [self]
    def assign(options)
      options.each do |name, value|
        setter = :"#{name}="
        raise ConfigurationError, "Unknown Karma client option #{name}" unless respond_to?(setter)

        public_send(setter, value)
      end
      self
    end

    # @return [self]
    # @raise [ConfigurationError]
    def validate!
      validate_address
      NOT_NEGATIVE.each { |name| require_not_negative(name) }
      require_not_negative(:call_timeout) unless call_timeout.nil?
      raise ConfigurationError, "reads must be :master or :replica" unless %i[master replica].include?(reads)
      raise ConfigurationError, "pool_size must be greater than 0" unless pool_size.to_i.positive?

      self
    end

    # @return [Array<Array>] host and port of each node
    def nodes
      @nodes.empty? ? [[host, port]] : @nodes
    end

    # @return [Hash{Symbol => Object}] what {Connection} takes
    def to_connection_options
      validate!
      { host: host, port: port, connect_timeout: connect_timeout, read_timeout: read_timeout,
        write_timeout: write_timeout, max_response_bytes: max_response_bytes, tcp_nodelay: tcp_nodelay }
    end

    # @return [Float] seconds that one call may take, 0: no limit
    def whole_call_timeout
      return call_timeout unless call_timeout.nil?

      parts = [connect_timeout, write_timeout, read_timeout]
      parts.any?(&:zero?) ? 0 : parts.sum
    end

    # Without the token, which does not belong into logs.
    def inspect
      settings = DEFAULTS.keys.reject { |name| name == :token }.map { |name| "#{name}=#{public_send(name).inspect}" }
      "#<#{self.class} #{settings.join(' ')}>"
    end

    private

    # @return [Array] host and port
    def parse(url)
      uri = URI.parse(url.to_s)
      unless uri.scheme == "tcp" && uri.host && !uri.host.empty?
        raise ConfigurationError, "KARMA_URL must use tcp://host:port"
      end

      query_token = URI.decode_www_form(uri.query.to_s).to_h["token"]
      self.token = query_token if query_token && !query_token.empty?
      [uri.hostname, uri.port || DEFAULT_PORT]
    rescue URI::InvalidURIError => e
      raise ConfigurationError, "Invalid KARMA_URL: #{e.message}"
    end

    def validate_address
      raise ConfigurationError, "Karma host is required" if host.to_s.empty?
      raise ConfigurationError, "Karma port must be greater than 0" unless port.to_i.positive?
      raise ConfigurationError, "Karma port must be less than 65536" if nodes.any? { |_, port| port.to_i > 65_535 }
    end

    def require_not_negative(name)
      value = public_send(name)
      raise ConfigurationError, "#{name} must be a number" unless value.is_a?(Numeric)
      return unless value.negative?

      raise ConfigurationError, "#{name} must be greater than or equal to 0"
    end

    # The environment variables of a {Configuration}.
    # @private
    class Environment
      TOKENS = %w[KARMA_TOKEN KARMA_AUTH_TOKEN KARMA_READ_AUTH_TOKEN].freeze

      def initialize(env)
        @env = env
      end

      def apply(configuration)
        address(configuration)
        text("KARMA_READS") { |value| configuration.reads = value }
        text(*TOKENS) { |value| configuration.token = value }
        integer("KARMA_POOL_SIZE", "RAILS_MAX_THREADS") { |value| configuration.pool_size = value }
        integer("KARMA_RETRIES") { |value| configuration.retries = value }
        %i[connect_timeout read_timeout write_timeout call_timeout pool_timeout].each do |name|
          float("KARMA_#{name.upcase}") { |value| configuration.public_send(:"#{name}=", value) }
        end
        configuration
      end

      private

      def address(configuration)
        text("KARMA_URL") { |value| configuration.url = value }
        text("KARMA_HOST") { |value| configuration.host = value }
        integer("KARMA_PORT") { |value| configuration.port = value }
        text("KARMA_URLS") { |value| configuration.urls = value }
      end

      # Yields the first of the variables that says something.
      def text(*names)
        name = names.find { |candidate| !@env[candidate].to_s.empty? }
        yield @env[name], name if name
      end

      def integer(*names)
        text(*names) do |value, name|
          yield Integer(value, 10)
        rescue ArgumentError
          raise ConfigurationError, "#{name} must be an integer"
        end
      end

      def float(*names)
        text(*names) do |value, name|
          yield Float(value)
        rescue ArgumentError
          raise ConfigurationError, "#{name} must be a number"
        end
      end
    end
    private_constant :Environment
  end
end
