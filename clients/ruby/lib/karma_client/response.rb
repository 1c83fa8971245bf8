# frozen_string_literal: true

require "json"

module KarmaClient
  # A reply of the node, as it came.
  class Response
    # @return [Integer, nil]
    attr_reader :protocol_version
    # @return [Object] the result, or the message of an error
    attr_reader :value
    # @return [String, nil] the stable code of an error
    attr_reader :error_code
    # @return [Integer, String, nil] the request that is answered, where the node says so
    attr_reader :id
    # @return [Integer, nil] LSN of the write, if it was asked for
    attr_reader :lsn

    # @param line [String] one line
    # @return [Response]
    # @raise [ProtocolError]
    def self.parse(line)
      fields = JSON.parse(line)
      raise ProtocolError.new("Karma response must be an object", payload: fields) unless fields.is_a?(Hash)

      new(fields)
    rescue JSON::ParserError
      raise ProtocolError.new("Karma response is not JSON", payload: line)
    end

    # @param fields [Hash{String => Object}]
    def initialize(fields)
      @success = fields["success"]
      unless @success == true || @success == false
        raise ProtocolError.new("Karma response has no boolean success", payload: fields)
      end

      @protocol_version = fields["protocol_version"]
      @value = fields["response"]
      @error_code = fields["error_code"]
      @idempotent = fields["idempotent"]
      @id = fields["id"]
      @lsn = fields["lsn"]
    end

    def success?
      @success
    end

    def error?
      !@success
    end

    # @return [Boolean] whether this is the saved answer to a repeated write
    def idempotent?
      @idempotent == true
    end
  end
end
