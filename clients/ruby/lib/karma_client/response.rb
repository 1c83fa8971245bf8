# frozen_string_literal: true

require "json"

module KarmaClient
  # A reply of the node, as it came.
  class Response
    # Most answers are a number. It is taken out without a parser, in half the time.
    BEFORE_NUMBER = '{"protocol_version":2,"success":true,"response":'
    NUMBER = /\A#{BEFORE_NUMBER}\d+,"error_code":null,"id":\d+}\s*\z/
    NUMBER_BYTES = 20
    private_constant :BEFORE_NUMBER, :NUMBER, :NUMBER_BYTES

    # @param line [String] one line
    # @return [Response]
    # @raise [ProtocolError]
    def self.parse(line)
      line = line.b unless line.encoding == Encoding::BINARY
      NUMBER.match?(line) ? parse_number(line) : new(JSON.parse(line))
    rescue JSON::ParserError
      raise ProtocolError.new("Karma response is not JSON", payload: line.dup)
    end

    # Without captures of the pattern: these would share the memory of the line, and the next one could not be received
    # into it.
    private_class_method def self.parse_number(line)
      Number.new(line.byteslice(BEFORE_NUMBER.bytesize, NUMBER_BYTES).to_i,
                 line.byteslice(line.rindex(":") + 1, NUMBER_BYTES).to_i)
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

    # An answer that is a number.
    # @private
    class Number < Response
      FIELDS = { "protocol_version" => 2, "success" => true, "error_code" => nil }.freeze
      private_constant :FIELDS

      attr_reader :value, :id

      def initialize(value, id)
        super(FIELDS)
        @value = value
        @id = id
      end
    end
    private_constant :Number
  end
end
