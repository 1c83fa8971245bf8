# frozen_string_literal: true

require_relative "addresses"
require_relative "clock"
require_relative "errors"
require_relative "response"
require_relative "standing"
require_relative "stream"

module KarmaClient
  # A node's address and the socket to it, which is opened when it is needed. Not safe for threads: {Client} is.
  # @private
  class Connection
    FAILURES = [SystemCallError, IOError, SocketError, TransportError, ProtocolError].freeze
    # What is sent at once of a pipeline.
    PACK_BYTES = 16_384
    private_constant :FAILURES, :PACK_BYTES

    # @return [String]
    attr_reader :host
    # @return [Integer]
    attr_reader :port
    # @return [String] host:port
    attr_reader :address

    # @param opens_itself [Boolean] false: {#open} is called before {#exchange}, which raises {ClosedError} otherwise
    def initialize(host:, port:, connect_timeout: 1.0, read_timeout: 1.0, write_timeout: 1.0, tcp_nodelay: true,
                   max_response_bytes: 0, opens_itself: true)
      @host = host
      @port = port
      @address = "#{host}:#{port}"
      @connect_timeout = connect_timeout
      @read_timeout = read_timeout
      @write_timeout = write_timeout
      @tcp_nodelay = tcp_nodelay
      @max_response_bytes = max_response_bytes
      @opens_itself = opens_itself
      @stream = nil
    end

    # Sends one request and returns its answer, or raises: never the answer to another one.
    # @param command [Command]
    # @param deadline [Float] moment of {Clock}
    # @return [Response]
    def exchange(command, deadline = Float::INFINITY)
      process = Process.pid
      stream = ready_stream(process, deadline)
      id = stream.next_id(process)
      line = command.line(id)
      command.sent(address, line.bytesize)
      write(stream, line, 1, deadline)
      read(stream, id, command, deadline)
    rescue *FAILURES => e
      failed(e)
    end

    # Sends what is not answered of a pipeline, in packs. Two packs at most are under way: the answers to one are read
    # when the next is sent, since a node takes no more requests from one who does not take its replies.
    # @param pipeline [Pipeline]
    # @param deadline [Float] moment of {Clock}
    # @return [Pipeline]
    def exchange_all(pipeline, deadline = Float::INFINITY)
      process = Process.pid
      stream = ready_stream(process, deadline)
      sent = []
      each_pack(pipeline.unanswered, stream, process) do |lines, pack|
        # A request so long may not fit beside the replies that wait.
        read_answers(stream, sent.slice!(0..), pipeline, deadline) if lines.bytesize > PACK_BYTES
        pipeline.sent(address, lines.bytesize)
        write(stream, lines, pack.size, deadline)
        read_answers(stream, sent, pipeline, deadline)
        sent = pack
      end
      read_answers(stream, sent, pipeline, deadline)
      pipeline
    rescue *FAILURES => e
      failed(e)
    end

    # @param token [String, nil]
    # @return [Standing] of the node
    def standing(token, deadline)
      Standing.of(self, token, deadline)
    end

    # @return [Boolean] whether a request could be sent without connecting first
    def open?
      @stream&.reusable?(Process.pid, Clock.now) || false
    end

    # @param deadline [Float] moment of {Clock}
    def open(deadline)
      close
      @stream = open_stream(deadline)
    rescue *FAILURES => e
      failed(e)
    end

    # Closes this process's socket. It is opened again when it is needed.
    def close
      stream = @stream
      @stream = nil
      stream&.close
    end

    private

    # The checkout: a stream that may owe anything, or is not this process's, is given up. A call whose time is over,
    # since it waited for others, is not sent any more.
    def ready_stream(process, deadline)
      now = Clock.now
      timed_out(:write, deadline, nil) if now >= deadline
      return @stream if @stream&.reusable?(process, now)

      close
      raise ClosedError.new("Karma closed the connection", host: host, port: port) unless @opens_itself

      @stream = open_stream(deadline)
    end

    def open_stream(deadline)
      limit = [deadline, Clock.deadline(@connect_timeout)].min
      failure = nil
      addresses = Addresses.of(host, port, limit)
      addresses.each_with_index do |address, index|
        # One that does not answer leaves time for the others.
        return Stream.new(connect(address, Clock.share(limit, addresses.size - index)), @max_response_bytes)
      rescue SystemCallError => e
        failure = e
      end
      raise failure
    rescue Errno::ETIMEDOUT => e
      raise ConnectTimeoutError.new("#{e.message} (#{address})", host: host, port: port)
    end

    def connect(address, limit)
      socket = Socket.new(address.pfamily, Socket::SOCK_STREAM, 0)
      socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1) if @tcp_nodelay
      socket.setsockopt(Socket::SOL_SOCKET, Socket::SO_KEEPALIVE, 1)
      if socket.connect_nonblock(address, exception: false) == :wait_writable
        socket.wait_writable(Clock.until(limit)) || raise(Errno::ETIMEDOUT)
        # Says whether it is connected or what became of it.
        socket.connect_nonblock(address, exception: false)
      end
      connected = socket
    rescue Errno::EISCONN
      connected = socket
    ensure
      # Without it a socket whose connect is interrupted stays until the garbage collector comes.
      socket&.close unless connected
    end

    def write(stream, lines, count, deadline)
      stream.write(lines, count) { [deadline, Clock.deadline(@write_timeout)].min } ||
        timed_out(:write, deadline, @write_timeout)
    end

    # @yield lines, and the futures and ids that they belong to
    def each_pack(futures, stream, process)
      lines = String.new
      pack = []
      futures.each do |future|
        id = stream.next_id(process)
        line = future.command.line(id)
        if pack.any? && lines.bytesize + line.bytesize > PACK_BYTES
          yield lines, pack
          lines = String.new
          pack = []
        end
        lines << line
        pack << [future, id]
      end
      yield lines, pack
    end

    def read_answers(stream, pack, pipeline, deadline)
      pack.each do |future, id|
        future.response = read(stream, id, future.command, deadline)
        pipeline.response_bytes += future.command.response_bytes
        next unless future.response.error_code == "request_too_large" && pipeline.unanswered.any?

        # The node has thrown away what follows.
        raise ServerError.from(future.response)
      end
    end

    def read(stream, id, command, deadline)
      line = stream.read_line { [deadline, Clock.deadline(@read_timeout)].min } ||
             timed_out(:read, deadline, @read_timeout)
      command.response_bytes = line.bytesize
      response = Response.parse(line)
      unless stream.answer?(response, id)
        raise MismatchedReplyError.new("Karma answered another request (#{response.id.inspect})", payload: line.dup)
      end

      # Nothing follows what cannot be proved; and after a request that was too long, the node closes the connection.
      close if response.id.nil? && stream.echoes?
      response
    end

    def timed_out(operation, deadline, seconds)
      seconds = nil if Clock.now >= deadline
      raise TimeoutError.new("Karma #{operation} timed out #{seconds ? "after #{seconds}s" : 'with the whole call'}",
                             operation: operation, timeout: seconds, host: host, port: port)
    end

    # A stream that failed cannot be used again in any case; closing it now only spares the node its socket.
    def failed(error)
      close
      raise error if error.is_a?(Error)

      message = error.is_a?(EOFError) ? error.message : "#{error.message} (#{address})"
      raise ConnectionError.new(message, host: host, port: port)
    end
  end
end
