# frozen_string_literal: true

require "json"

module KarmaClient
  # A reply of the node, as it came.
  class Response
    # Most answers are a number. It is taken out without a parser, in half the time.
    NUMBER = /\A{"protocol_version":2,"success":true,"response":(\d+),"error_code":null(?:,"id":(\d+))?}\s*\z/
    private_constant :NUMBER

    # @param line [String] one line
    # @return [Response]
    # @raise [ProtocolError]
    def self.parse(line)
      line = line.b unless line.encoding == Encoding::BINARY
      number = NUMBER.match(line)
      return new(JSON.parse(line)) unless number

      new({ "protocol_version" => 2, "success" => true, "response" => number[1].to_i, "error_code" => nil,
            "id" => number[2]&.to_i })
    rescue JSON::ParserError
      raise ProtocolError.new("Karma response is not JSON", payload: line.dup)
    end

    # @param fields [Hash{String => Object}]
    # @raise [ProtocolError]
    def initialize(fields)
      raise ProtocolError.new("Karma response must be an object", payload: fields) unless fields.is_a?(Hash)

      @fields = fields
      @success = fields["success"]
      return if @success == true || @success == false

      raise ProtocolError.new("Karma response has no boolean success", payload: fields)
    end

    def success?
      @success
    end

    def error?
      !@success
    end

    # @return [Object] the result, or the message of an error
    def value
      @fields["response"]
    end

    # @return [Integer, nil]
    def protocol_version
      @fields["protocol_version"]
    end

    # @return [String, nil] the stable code of an error
    def error_code
      @fields["error_code"]
    end

    # @return [Boolean] whether this is the saved answer to a repeated write
    def idempotent?
      @fields["idempotent"] == true
    end

    # @return [Integer, String, nil] the request that is answered, where the node says so
    def id
      @fields["id"]
    end

    # @return [Integer, nil] LSN of the write, if it was asked for
    def lsn
      @fields["lsn"]
    end
  end
end
