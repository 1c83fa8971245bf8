# frozen_string_literal: true

require_relative "command"
require_relative "position"

module KarmaClient
  # What a node says of itself: whether it is master, in which term, and how far its log goes.
  # @private
  class Standing
    # @param connection [Connection] an open one
    # @param token [String, nil]
    # @param deadline [Float] moment of {Clock}
    # @return [Standing]
    # @raise [TransportError, ProtocolError]
    def self.of(connection, token, deadline)
      response = connection.exchange(Command.new("replication.replicas", {}, token), deadline)
      # 1.0 has neither the op nor terms.
      response = connection.exchange(Command.new("system.health", {}, token), deadline) if response.error?
      new(response)
    end

    # @return [Response]
    attr_reader :response
    # @return [Position] the end of its log
    attr_reader :position

    # @param response [Response]
    def initialize(response)
      @response = response
      @fields = response.success? ? response.value : {}
      @position = Position.new(@fields["source_lsn"] || 0, @fields["epoch"])
    end

    def master?
      @fields["role"] == "master"
    end

    # @return [Integer]
    def term
      @fields["term"] || 0
    end
  end
end
