# frozen_string_literal: true

require "json"
require_relative "catalog"
require_relative "counters"
require_relative "fields"
require_relative "mistakes"
require_relative "reads"
require_relative "refused"
require_relative "writes"

module KarmaClient
  module Testing
    # A node in memory: takes the lines of protocol v2 and answers what the server would. It knows the ops of
    # {Catalog}; ingest streams, snapshots and statistics are not among them. Safe to use from several threads.
    # @api private
    class Fake
      include Reads
      include Refusing
      include Writes

      PROTOCOL = 2
      DEEPEST = 512
      LONGEST_ID = 64
      LARGEST_ID = (2**64) - 1
      private_constant :PROTOCOL, :DEEPEST, :LONGEST_ID, :LARGEST_ID

      # Bytes of a request, without its line end.
      LONGEST_REQUEST = 4096

      # A write that was applied under an idempotency key.
      Applied = Struct.new(:fingerprint, :response)

      def initialize
        @mutex = Mutex.new
        reset!
      end

      # Forgets all counters, idempotency keys, requests and faults.
      def reset!
        @mutex.synchronize do
          @series = {}
          @applied = {}
          @requests = []
          @faults = []
          @lsn = 0
        end
      end

      # @return [Array<Hash>] the requests so far, oldest first
      def requests
        @mutex.synchronize { @requests.dup }
      end

      # The total of a counter, without a request: what a test compares with.
      # @return [Integer] 0 also where the series is missing
      def total(series, key, range = nil)
        @mutex.synchronize { @series.key?(series.to_s) ? @series[series.to_s].sum(key, range) : 0 }
      end

      # Answers the next requests with an error, and does nothing else with them.
      def fail_next(code, times: 1)
        @mutex.synchronize { @faults.concat([code] * times) }
      end

      # Executes the next requests, but closes the connection instead of answering.
      def lose_replies(times = 1)
        @mutex.synchronize { @faults.concat([:lost] * times) }
      end

      # @param line [String] a request without its line end
      # @return [String, nil] the reply without its line end; nil where the connection is to be closed instead
      def answer(line)
        @mutex.synchronize do
          request = parse(line)
          @requests << request
          fault = @faults.shift
          raise Refused.new(fault, "The test wants this error") if fault.is_a?(String)

          reply = success(request, execute(request))
          reply unless fault
        rescue Refused => e
          failure(request, e)
        end
      end

      # @return [String] the reply to a line that is too long
      def too_long
        failure(nil, Refused.new("request_too_large", "Request exceeds #{LONGEST_REQUEST} bytes"))
      end

      private

      def parse(line)
        text = line.dup.force_encoding(Encoding::UTF_8)
        raise Refused.new("invalid_json", "Invalid JSON") unless text.valid_encoding?

        request = JSON.parse(text, max_nesting: DEEPEST)
        raise Refused.new("validation_error", "A request must be an object") unless request.is_a?(Hash)

        request
      rescue JSON::ParserError
        raise Refused.new("invalid_json", "Invalid JSON")
      end

      def execute(request)
        unless request["v"].eql?(PROTOCOL)
          raise Refused.new("unsupported_protocol", "Karma accepts only protocol v2 requests with field v=2")
        end

        refuse("Field op is required") unless request["op"].is_a?(String)
        op = Catalog.find(request["op"]) ||
             raise(Refused.new("unknown_command", "#{request['op']} is no op, or none of the fake's"))
        refuse("Field id must be a string of up to 64 bytes or an unsigned integer") unless identified?(request)
        mistake = Mistakes.in(request, op)
        refuse(mistake) if mistake
        fields = Fields.new(request)
        op.kind == :read ? read(fields, op.handler) : send(op.handler, fields)
      end

      def identified?(request)
        case request.fetch("id", 0)
        when String then request["id"].bytesize <= LONGEST_ID
        when Integer then request.fetch("id", 0).between?(0, LARGEST_ID)
        end
      end

      def read(fields, handler)
        response = send(handler, fields)
        if fields.min_lsn > @lsn
          raise Refused.new("stale_replica", "This node has LSN #{@lsn} and not yet #{fields.min_lsn}")
        end

        { "response" => response }
      end

      # Applies a write, once under its idempotency key if it has one and the op honours it.
      def write(fields, command = nil, content = nil)
        want_lsn = fields.want_lsn
        key = fields.idempotency_key if command
        fingerprint = Fingerprint.of(command, content) if key
        done = applied_before(key, fingerprint, fields.fingerprint) if key
        return outcome(done.response, key && true, want_lsn) if done

        response = yield
        @lsn += 1
        @applied[key] = Applied.new(fingerprint, response) if key
        outcome(response, key && false, want_lsn)
      end

      # Whoever has the latest LSN has the write, also one that is repeated.
      def outcome(response, repeated, want_lsn)
        { "response" => response, **(repeated.nil? ? {} : { "idempotent" => repeated }),
          **(want_lsn ? { "lsn" => @lsn } : {}) }
      end

      def applied_before(key, fingerprint, wanted)
        conflict("Field fingerprint does not match request fingerprint") if wanted && wanted != fingerprint
        done = @applied[key]
        conflict("Idempotency key was already used with a different request") if done && done.fingerprint != fingerprint
        done
      end

      def conflict(message)
        raise Refused.new("idempotency_conflict", message)
      end

      def existing(series)
        @series[series] || raise(Refused.new("not_found", "Tree \"#{series}\" not found"))
      end

      # Gives the counters to change. A missing series exists from then on, unless the change is refused.
      def change(series)
        counters = @series[series] || Counters.new
        result = yield counters
        @series[series] = counters
        result
      end

      def success(request, outcome)
        envelope(request, { "success" => true, **outcome, "error_code" => nil })
      end

      def failure(request, error)
        envelope(request, { "success" => false, "response" => error.message, "error_code" => error.code })
      end

      def envelope(request, members)
        id = request&.key?("id") && identified?(request) ? { "id" => request["id"] } : {}
        JSON.generate({ "protocol_version" => PROTOCOL, **members, **id })
      end
    end
  end
end
