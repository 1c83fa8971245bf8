# frozen_string_literal: true

require "json"
require_relative "catalog"
require_relative "errors"
require_relative "today"

module KarmaClient
  # One request, which may have to be sent more than once.
  # @private
  class Command
    # The node takes the day of a write that names none from its clock.
    DATED = %w[counter.increment counter.decrement].freeze

    # @return [String] name on the wire
    attr_reader :operation
    # @return [String, nil]
    attr_reader :series
    # @return [String, nil] host:port of the node that it was sent to last
    attr_reader :node
    # @return [Integer, nil]
    attr_reader :request_bytes
    # @return [Integer, nil]
    attr_accessor :response_bytes

    # @param fields [Hash{String => Object}] becomes the command's own; nil: left out
    def initialize(operation, fields, token = nil)
      @operation = operation
      @series = fields["series"]
      fields.compact!
      @keyed = fields.key?("idempotency_key")
      # A repeat after midnight, with the same key, would be another write to the node.
      fields["bucket"] ||= Today.in if @keyed && DATED.include?(operation)
      fields["v"] = 2
      fields["op"] = operation
      fields["token"] ||= token if token
      fields.delete("id")
      @body = body(fields)
    end

    def read?
      Catalog.read?(operation)
    end

    # Does it come to the same, however often it is applied?
    def repeatable?
      read? || (@keyed && Catalog.keyed?(operation))
    end

    # @param id [Integer] comes back in the answer
    # @return [String] with its line end
    def line(id)
      "#{@body},\"id\":#{id}}\n"
    end

    # May a replica answer it? Not where the question is about the node itself.
    def data_read?
      Catalog.data_read?(operation)
    end

    # @param _epoch [String, nil] of a node's log
    # @return [Boolean] whether the node can tell that it has what the command is to see
    def comparable?(_epoch)
      true
    end

    # It is about to be sent to a master.
    # @param position [Position] where the master's log was when it was last asked
    def reach(position)
      @epoch = position.epoch
    end

    # Tells a session what became of it.
    def tell(session, response)
      session.note(response.lsn, @epoch)
    end

    # @return [Boolean] whether the node answered with one of the codes
    def refused?(response, codes)
      response.error? && codes.include?(response.error_code)
    end

    # @return [Response]
    def exchange(connection, deadline)
      connection.exchange(self, deadline)
    rescue UnauthorizedError => e
      # As nodes answered who were asked for their role.
      e.response
    end

    # Without the token, which does not belong into logs.
    def inspect
      "#<#{self.class} #{operation} #{series}>"
    end

    # Remembers the latest attempt.
    def sent(node, bytes)
      @node = node
      @request_bytes = bytes
    end

    private

    # All of the line but its id, which costs the node least at the end. It is made when the call is: what the caller does
    # afterwards with the strings and arrays that he gave changes nothing, in a pipeline neither.
    def body(fields)
      JSON.generate(fields).chop!
    rescue JSON::JSONError, EncodingError => e
      raise InputError, "the request cannot be written as JSON: #{e.message}"
    end
  end
end
