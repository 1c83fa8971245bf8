# frozen_string_literal: true

require_relative "command"
require_relative "errors"
require_relative "operations"

module KarmaClient
  # Collects calls that are sent together, without waiting for the answers in between: see {Client#pipelined}.
  class Pipeline
    include Operations

    # A call whose answer comes later.
    class Future
      # @return [Command]
      attr_reader :command
      # @return [Response, nil] nil: not answered
      attr_accessor :response

      def initialize(command)
        @command = command
      end

      # @return [Object] the answer's value
      # @raise [ServerError] if that is the answer
      # @raise [Error] before there is one
      def value
        raise Error, "#{command.operation} is not answered yet" unless response
        raise ServerError.from(response, repeatable: command.repeatable?) if response.error?

        response.value
      end
    end

    # @return [Array<Future>]
    attr_reader :futures
    # @return [String, nil] host:port of the node that it was sent to last
    attr_reader :node
    # @return [Integer] of the last attempt
    attr_reader :request_bytes
    # @return [Integer]
    attr_accessor :response_bytes

    # @yield [operation, fields, options]
    # @yieldreturn [Command]
    def initialize(&command)
      @command = command
      @futures = []
      @request_bytes = @response_bytes = 0
    end

    # Adds a request with any fields.
    # @return [Future]
    def call(operation, **fields)
      perform(operation.to_s, fields.transform_keys(&:to_s), {})
    end

    # @return [String] as events have it
    def operation
      "pipelined"
    end

    # @return [nil] as events have it
    def series
      nil
    end

    # May a replica answer all of it?
    def data_read?
      futures.all? { |future| future.command.data_read? }
    end

    # See {Command#comparable?}. Calls of a pipeline have no session.
    def comparable?(_epoch)
      true
    end

    # See {Command#reach}.
    def reach(_position); end

    # Forgets the answers that have one of the codes, and those of the reads that follow: they are to see what the calls
    # before them have written.
    # @return [Boolean] whether there were any
    def refused?(_outcome, codes)
      refused = ->(future) { future.response && future.command.refused?(future.response, codes) }
      first = futures.index(&refused)
      return false unless first

      futures.drop(first).each { |future| future.response = nil if future.command.read? || refused.call(future) }
      true
    end

    # May what is not answered be sent again?
    def repeatable?
      unanswered.all? { |future| future.command.repeatable? }
    end

    # @return [Array<Future>]
    def unanswered
      futures.reject(&:response)
    end

    # Remembers the latest attempt.
    def sent(node, bytes)
      @node = node
      @request_bytes += bytes
    end

    # @return [self]
    def exchange(connection, deadline)
      connection.exchange_all(self, deadline)
    end

    private

    def perform(operation, fields, options)
      Future.new(@command.call(operation, fields, options)).tap { |future| futures << future }
    end
  end
end
