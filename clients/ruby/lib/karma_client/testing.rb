# frozen_string_literal: true

require "karma_client"
require_relative "testing/server"

module KarmaClient
  # Karma for the tests of an application: a node in memory, in the process of the tests, to which the whole client
  # talks over TCP. Nothing of the client is replaced, and no server has to be installed.
  #
  # Most applications need only {Testing::Minitest} or karma_client/testing/rspec.
  #
  # @example
  #   KarmaClient::Testing.start
  #   KarmaClient.with_client { |karma| karma.increment(series: "links", key: 42) }
  #   KarmaClient::Testing.total("links", 42) # => 1
  module Testing
    @mutex = Mutex.new

    class << self
      # Starts the node, if this process has none yet, and lets the client use it. A forked process (one of Rails'
      # parallel test workers, for instance) starts a node of its own, so that workers do not see each other's counts.
      # @return [void]
      def start
        @mutex.synchronize do
          return if @server && @pid == Process.pid

          @server&.abandon
          @replaced ||= settings
          @fake = Fake.new
          @server = Server.new(@fake).start
          @pid = Process.pid
          # A breaker that one test has opened would stay open in the next one.
          apply(url: "tcp://#{Server::HOST}:#{@server.port}", token: nil, circuit_breaker: nil)
        end
      end

      # Stops the node; the client has the settings again that it had before.
      # @return [void]
      def stop
        @mutex.synchronize do
          return unless @server

          @pid == Process.pid ? @server.stop : @server.abandon
          apply(@replaced)
          @server = @fake = @replaced = nil
        end
      end

      # Forgets all counters, idempotency keys, requests and faults. Starts the node where it does not run.
      # @return [void]
      def reset!
        start
        @fake.reset!
      end

      # @param series [String]
      # @param key [Integer]
      # @param range [Range<Integer>, nil] days such as 20260501..20260531
      # @return [Integer] what is counted under the key, 0 where nothing is; asks without a request
      def total(series, key, range: nil)
        node.total(series, key, range)
      end

      # @return [Array<Hash>] the requests that the node has got, as they were sent
      def requests
        node.requests
      end

      # Karma cannot be reached within the block.
      def down
        node
        @server.stop
        yield
      ensure
        @server&.start
      end

      # The next requests are answered with an error.
      # @param code [String] an error code such as "internal_error"
      # @return [void]
      def fail_next(code, times: 1)
        node.fail_next(code, times: times)
      end

      # The next requests are executed, but the connection breaks before the reply: what a client has to repeat under
      # an idempotency key.
      # @return [void]
      def lose_replies(times = 1)
        node.lose_replies(times)
      end

      private

      def node
        @fake || raise(Error, "KarmaClient::Testing has not been started")
      end

      def settings
        Configuration::DEFAULTS.keys.to_h { |name| [name, KarmaClient.configuration.public_send(name)] }
      end

      def apply(settings)
        KarmaClient.configure { |configuration| configuration.assign(settings) }
      end
    end
  end
end
