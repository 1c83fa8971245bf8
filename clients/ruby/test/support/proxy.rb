# frozen_string_literal: true

require "socket"

# Passes bytes on to a node, and does to them what networks do: cuts connections anywhere, holds answers back, passes
# them on in pieces. What it does follows from its seed and the order of events.
class ChaosProxy
  attr_reader :port, :faults

  # @param bytes [Integer] a direction of a connection comes to harm after so many at most
  def initialize(target, random, bytes: 4000)
    @target = target
    @random = random
    @bytes = bytes
    @server = TCPServer.new("127.0.0.1", 0)
    @port = @server.addr[1]
    @faults = Hash.new(0)
    @mutex = Mutex.new
    @thread = Thread.new { accept }
  end

  def close
    @server.close
    @thread.kill.join
  end

  private

  def draw
    @mutex.synchronize { yield @random }
  end

  def accept
    loop { Thread.new(@server.accept) { |client| serve(client) } }
  rescue IOError
    nil
  end

  def serve(client)
    node = TCPSocket.new("127.0.0.1", @target)
    upstream = Thread.new { pass(client, node) }
    pass(node, client)
  rescue SystemCallError, IOError
    nil
  ensure
    [client, node].each { |socket| socket&.close }
    upstream&.join
  end

  # Passes on until one side ends, or this direction comes to harm.
  def pass(from, to)
    room = draw { |random| random.rand(1..@bytes) }
    loop do
      bytes = from.readpartial(4096)
      if bytes.bytesize >= room
        to.write(bytes[0, room])
        return harm(from, to)
      end
      room -= bytes.bytesize
      pieces(bytes).each { |piece| to.write(piece) }
    end
  rescue SystemCallError, IOError
    shut(from, to)
  end

  def harm(from, to)
    kind = draw { |random| %i[cut reset stall].sample(random: random) }
    @mutex.synchronize { @faults[kind] += 1 }
    to.setsockopt(Socket::SOL_SOCKET, Socket::SO_LINGER, [1, 0].pack("ii")) if kind == :reset
    # Silence until the other side gives up.
    from.read if kind == :stall
    shut(from, to)
  end

  def shut(*sockets)
    sockets.each do |socket|
      socket.shutdown
    rescue SystemCallError, IOError
      nil
    end
  end

  def pieces(bytes)
    return [bytes] if bytes.bytesize < 2 || draw { |random| random.rand < 0.9 }

    at = draw { |random| random.rand(1...bytes.bytesize) }
    [bytes[0, at], bytes[at..]]
  end
end
