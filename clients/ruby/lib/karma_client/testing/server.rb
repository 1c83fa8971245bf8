# frozen_string_literal: true

require "socket"
require_relative "fake"

module KarmaClient
  module Testing
    # Serves a {Fake} over TCP in this process, so that the client under test runs whole: sockets, pool and retries.
    # @api private
    class Server
      # Where it listens.
      HOST = "127.0.0.1"

      # @return [Integer] the port, which stays the same over {#stop} and {#start}
      attr_reader :port

      # @param fake [Fake]
      def initialize(fake)
        @fake = fake
        @port = 0
        @mutex = Mutex.new
        @serving = {}
      end

      # @return [self]
      def start
        @listener = TCPServer.new(HOST, @port)
        @port = @listener.addr[1]
        @acceptor = Thread.new(@listener) { |listener| accept(listener) }
        self
      end

      # Refuses connections from now on and closes those that there are.
      def stop
        @listener.close
        @acceptor.join
        serving = @mutex.synchronize { @serving.dup }
        serving.each_value { |socket| hang_up(socket) }
        serving.each_key(&:join)
      end

      # In a forked child: gives up what it has inherited, without touching the connections of the parent.
      def abandon
        @listener.close
      end

      private

      def accept(listener)
        loop do
          socket = listener.accept
          socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
          @mutex.synchronize { @serving[Thread.new(socket) { |accepted| serve(accepted) }] = socket }
        end
      rescue IOError, SystemCallError
        nil # closed
      end

      def serve(socket)
        while (line = socket.gets("\n", Fake::LONGEST_REQUEST + 2))
          line = line.chomp
          return socket.write(@fake.too_long, "\r\n") if line.bytesize > Fake::LONGEST_REQUEST

          reply = @fake.answer(line) || return
          socket.write(reply, "\r\n")
        end
      rescue IOError, SystemCallError
        nil # the client has gone
      ensure
        socket.close
        @mutex.synchronize { @serving.delete(Thread.current) }
      end

      def hang_up(socket)
        socket.shutdown
      rescue IOError, SystemCallError
        nil # its thread was faster
      end
    end
  end
end
