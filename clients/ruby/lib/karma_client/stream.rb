# frozen_string_literal: true

require "io/wait"
require "socket"
require_relative "clock"
require_relative "errors"

module KarmaClient
  # One open socket, with all that is known of it: what was sent and not answered, what was received and not taken.
  #
  # An exception may come at any instruction (Timeout.timeout, Thread#raise, Thread#kill). So nothing here is put right
  # by `ensure`. A reply counts as pending from before the first byte of its request is written, and until all of it is
  # read; a stream with a pending reply is never used again ({#reusable?}). When a stream is given up, all that belongs
  # to it goes with it.
  #
  # Waiting is done by IO#wait_readable and IO#wait_writable, which leave a Fiber scheduler in charge.
  # @private
  class Stream
    READ_BYTES = 65_536
    # A socket that a call began on so shortly ago is not looked at before it is used again: that is a system call.
    IDLE_SECONDS = 0.005
    # Ids are 62 bits, so that they are no big numbers to Ruby: 22 of the process, then 40 of the request.
    PROCESS_BITS = 40
    # Errors of requests that the node could not read, or of a connection that it does not want: they carry no id.
    WITHOUT_ID = %w[invalid_json request_too_large internal_error].freeze
    # In the encoding of what is received, so that Ruby does not look through all of that to see whether they agree.
    NEWLINE = "\n".b.freeze
    private_constant :NEWLINE, :READ_BYTES, :IDLE_SECONDS, :PROCESS_BITS, :WITHOUT_ID

    # @return [Integer] replies that are owed
    attr_reader :pending

    # @param max_bytes [Integer] of a reply, 0: no limit
    def initialize(io, max_bytes = 0)
      @io = io
      @max_bytes = max_bytes.zero? ? Float::INFINITY : max_bytes
      @process = Process.pid
      @pending = 0
      # Bytes that were received, from @taken on not taken yet.
      @received = String.new
      @taken = 0
      @chunk = String.new(capacity: READ_BYTES)
      @used = Clock.now
      @echoes = nil
      # Streams begin anywhere, so that no two of a process agree on a number.
      @serial = rand(1 << (PROCESS_BITS - 1))
    end

    # May the next request be sent here? Nothing may be owed, nothing may have arrived that nobody asked for, the other
    # end must not have closed, and the socket must be this process's own: a forked child has a copy.
    # @param process [Integer] id of this process
    # @param now [Float] moment of {Clock}
    def reusable?(process, now)
      idle = now - @used
      @used = now
      @process == process && @pending.zero? && @received.empty? && (idle < IDLE_SECONDS || quiet?)
    end

    # @param process [Integer] id of this process
    # @return [Integer] for the next request: no other one of this machine has it, forked children included
    def next_id(process)
      ((process & 0x3fffff) << PROCESS_BITS) + (@serial += 1)
    end

    # @param lines [String] requests, each with its line end
    # @param count [Integer] how many they are
    # @yieldreturn [Float] moment of {Clock} up to which to wait for room; asked for when there is none
    # @return [Boolean] false: the time was over
    def write(lines, count)
      @pending += count
      until (written = @io.write_nonblock(lines, exception: false)) == lines.bytesize
        if written == :wait_writable
          return false unless @io.wait_writable(Clock.until(limit ||= yield))
        else
          lines = lines.byteslice(written..)
        end
      end
      true
    end

    # @yieldreturn [Float] moment of {Clock} up to which to wait for all of the line; asked for if it is not there
    # @return [String, nil] one line with its end, valid until the next call; nil: the time was over
    # @raise [EOFError]
    def read_line
      line = (line_of_received unless @received.empty?) || receive_line(yield)
      @pending -= 1 if line
      line
    end

    # Is this the answer to the request with that id? Nodes of 1.0 send no ids: which sort a node is, the first answer on
    # the connection tells. One that sends ids sends them always, except where it could not read the request or does not
    # want the connection. Such an error may be nobody's answer, so what follows it is taken by its id alone.
    def answer?(response, id)
      return response.id == id && @echoes != false && (@echoes = true) unless response.id.nil?
      return @echoes = true if response.error? && WITHOUT_ID.include?(response.error_code)
      return false if @echoes

      @echoes = false
      true
    end

    # @return [Boolean] whether answers are taken by their ids
    def echoes?
      @echoes || false
    end

    def close
      @io.close
    rescue IOError, SystemCallError
      nil
    end

    private

    def quiet?
      @io.read_nonblock(1, @chunk, exception: false) == :wait_readable
    rescue SystemCallError, IOError
      false
    end

    # @param from [Integer] there is no line end before
    def line_of_received(from = @taken)
      ends = @received.index(NEWLINE, from)
      return unless ends

      line = @received.byteslice(@taken, ends + 1 - @taken)
      @taken = ends + 1
      forget_received if @taken == @received.bytesize
      line
    end

    def forget_received
      @received = String.new
      @taken = 0
    end

    # The reply is hardly ever there already: asking the socket first would be one system call more.
    def receive_line(limit)
      line = nil
      until line
        return unless @io.wait_readable(Clock.until(limit))

        line = receive
      end
      line
    end

    def receive
      # JSON.parse makes it UTF-8, and then all of it would be looked through for its line end's sake.
      @chunk.force_encoding(Encoding::BINARY)
      case @io.read_nonblock(READ_BYTES, @chunk, exception: false)
      when nil then raise EOFError, "Karma closed the connection"
      when :wait_readable then nil
      else take_line
      end
    end

    # Nearly always the chunk is the line.
    def take_line
      return @chunk if @received.empty? && @chunk.index(NEWLINE) == @chunk.bytesize - 1

      drop_taken if @taken > READ_BYTES
      searched = @received.bytesize
      @received << @chunk
      line_of_received(searched) || check_length
    end

    def check_length
      return if @received.bytesize - @taken <= @max_bytes

      raise ProtocolError, "Karma's reply is longer than #{@max_bytes} bytes"
    end

    def drop_taken
      @received = @received.byteslice(@taken..)
      @taken = 0
    end
  end
end
