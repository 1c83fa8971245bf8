# frozen_string_literal: true

require_relative "clock"
require_relative "errors"

module KarmaClient
  # Spares callers the wait for a node that does not answer. After so many calls that failed, one right after the other,
  # it is open: calls raise at once. When it has been open for a while, one call goes through; if that succeeds, all do.
  #
  # All clients with one configuration share its breaker, and so do all threads; clients of other nodes have another. A
  # forked child has one of its own.
  class CircuitBreaker
    # @param failures [Integer] calls in a row
    # @param seconds [Float] how long calls raise before the next one is let through
    def initialize(failures: 5, seconds: 2.0)
      raise ConfigurationError, "failures must be greater than 0" unless failures.is_a?(Integer) && failures.positive?
      raise ConfigurationError, "seconds must be greater than 0" unless seconds.is_a?(Numeric) && seconds.positive?

      @limit = failures
      @seconds = seconds
      @mutex = Mutex.new
      @failures = 0
      @next_probe = nil
      @others = {}
    end

    # @param nodes [Array<Array>] host and port of each
    # @return [CircuitBreaker] the one of these nodes: this is that of the nodes that are asked for first
    def of(nodes)
      @mutex.synchronize do
        @nodes ||= nodes
        next self if nodes == @nodes

        @others[nodes] ||= CircuitBreaker.new(failures: @limit, seconds: @seconds)
      end
    end

    # @yieldreturn [Object] the outcome of a call
    # @raise [CircuitOpenError]
    def call
      enter
      outcome = begin
        yield
      rescue ExpiredError
        # The node was not asked.
        raise
      rescue TransportError, ProtocolError
        failed
        raise
      end
      succeeded
      outcome
    end

    # @return [Boolean]
    def open?
      !@next_probe.nil?
    end

    private

    # The call that is let through moves the time of the next one first. So nobody has to be told when it is over, and if
    # its thread is killed, the next one tries.
    def enter
      return unless @next_probe

      @mutex.synchronize do
        next unless @next_probe

        now = Clock.now
        raise CircuitOpenError, "Karma has failed #{@failures} times, and is not asked for now" if now < @next_probe

        @next_probe = now + @seconds
      end
    end

    def failed
      @mutex.synchronize do
        @failures += 1
        @next_probe = Clock.now + @seconds if @failures >= @limit
      end
    end

    def succeeded
      return if @failures.zero?

      @mutex.synchronize do
        @failures = 0
        @next_probe = nil
      end
    end
  end
end
