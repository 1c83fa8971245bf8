# frozen_string_literal: true

require_relative "clock"
require_relative "errors"
require_relative "response"
require_relative "stream"

module KarmaClient
  # A node's address and the socket to it, which is opened when it is needed. Not safe for threads: {Client} is.
  class Connection
    # @return [String]
    attr_reader :host
    # @return [Integer]
    attr_reader :port

    def initialize(host:, port:, connect_timeout: 1.0, read_timeout: 1.0, write_timeout: 1.0, tcp_nodelay: true)
      @host = host
      @port = port
      @connect_timeout = connect_timeout
      @read_timeout = read_timeout
      @write_timeout = write_timeout
      @tcp_nodelay = tcp_nodelay
      @stream = nil
    end

    # Sends one request and returns its answer, or raises: never the answer to another one.
    # @param command [Command]
    # @param deadline [Float] moment of {Clock}
    # @return [Response]
    def exchange(command, deadline = Float::INFINITY)
      guarded do
        stream = ready_stream(deadline)
        id = stream.next_id
        write(stream, command.line(id), 1, deadline)
        read(stream, id, deadline)
      end
    end

    # Closes this process's socket. It is opened again when it is needed.
    def close
      stream = @stream
      @stream = nil
      stream&.close
    end

    # @return [String] host:port
    def address
      "#{host}:#{port}"
    end

    private

    # What fails leaves a stream that cannot be used again; closing it at once only spares the node its socket.
    def guarded
      yield
    rescue EOFError => e
      close
      raise ConnectionError.new(e.message, host: host, port: port)
    rescue SystemCallError, IOError, SocketError => e
      close
      raise ConnectionError.new("#{e.message} (#{address})", host: host, port: port)
    rescue TransportError, ProtocolError
      close
      raise
    end

    # The checkout: a stream that may owe anything, or is not this process's, is given up.
    def ready_stream(deadline)
      return @stream if @stream&.reusable?

      close
      @stream = open_stream(deadline)
    end

    def open_stream(deadline)
      limit = earlier(deadline, @connect_timeout)
      failure = nil
      Addrinfo.getaddrinfo(host, port, nil, :STREAM).each do |address|
        return Stream.new(connect(address, limit))
      rescue SystemCallError => e
        failure = e
      end
      raise failure
    end

    def connect(address, limit)
      socket = Socket.new(address.pfamily, Socket::SOCK_STREAM, 0)
      socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1) if @tcp_nodelay
      socket.setsockopt(Socket::SOL_SOCKET, Socket::SO_KEEPALIVE, 1)
      if socket.connect_nonblock(address, exception: false) == :wait_writable
        socket.wait_writable(time_left(limit)) || raise(Errno::ETIMEDOUT)
        # Says whether it is connected or what became of it.
        socket.connect_nonblock(address, exception: false)
      end
      socket
    rescue Errno::EISCONN
      socket
    rescue SystemCallError
      socket.close
      raise
    end

    def write(stream, lines, count, deadline)
      limit = nil
      stream.write(lines, count) { time_left(limit ||= earlier(deadline, @write_timeout)) } ||
        timed_out(:write, limit, deadline, @write_timeout)
    end

    def read(stream, id, deadline)
      limit = earlier(deadline, @read_timeout)
      line = stream.read_line { time_left(limit) } || timed_out(:read, limit, deadline, @read_timeout)
      response = Response.parse(line)
      unless stream.answer?(response, id)
        raise MismatchedReplyError.new("Karma answered another request (#{response.id.inspect})", payload: line.dup)
      end

      # The node closes such a connection, or is not heard to say whom it answers.
      close if response.error? && response.id.nil?
      response
    end

    # @return [Float] the moment that ends this step
    def earlier(deadline, seconds)
      return deadline if seconds.zero?

      [deadline, Clock.now + seconds].min
    end

    # @return [Float, nil] what IO#wait_readable takes
    def time_left(limit)
      return if limit == Float::INFINITY

      [limit - Clock.now, 0].max
    end

    def timed_out(operation, limit, deadline, seconds)
      seconds = nil if limit == deadline
      raise TimeoutError.new("Karma #{operation} timed out #{seconds ? "after #{seconds}s" : 'with the whole call'}",
                             operation: operation, timeout: seconds, host: host, port: port)
    end
  end
end
