# frozen_string_literal: true

require "fileutils"
require "socket"
require "tmpdir"

# A server of its own for a test: the real program, on a port and a directory of its own.
class TestNode
  START_SECONDS = 30

  attr_reader :port, :directory

  def self.binary
    ENV.fetch("KARMA_SERVER") { File.expand_path("../../../../build/release/karma", __dir__) }
  end

  def self.any_port
    server = TCPServer.new("127.0.0.1", 0)
    server.addr[1]
  ensure
    server&.close
  end

  attr_accessor :flags

  def initialize(*flags, port: nil, directory: nil)
    @flags = flags
    @port = port || self.class.any_port
    @directory = directory || Dir.mktmpdir("karma-ruby")
    @pid = nil
  end

  # Returns when the node answers.
  def start
    environment = ENV.keys.grep(/\AKARMA_/).to_h { |name| [name, nil] }
    @pid = Process.spawn(environment, self.class.binary, "--bind=127.0.0.1", "--port=#{port}",
                         "--directory=#{directory}", "--log=false", *@flags, in: File::NULL, out: File::NULL)
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + START_SECONDS
    until answers?
      raise "the server ended at its start" if Process.wait(@pid, Process::WNOHANG)
      raise "the server did not start" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

      sleep 0.01
    end
    self
  end

  def kill(signal = :KILL)
    return unless @pid

    Process.kill(signal, @pid)
    Process.wait(@pid)
    @pid = nil
  end

  # As if the machine hung: connections stay open, nothing is answered.
  def pause
    return unless @pid

    Process.kill(:STOP, @pid)
    Process.wait(@pid, Process::WUNTRACED)
  end

  def resume
    return unless @pid

    Process.kill(:CONT, @pid)
  end

  def remove
    kill
    FileUtils.rm_rf(directory)
  end

  # What it answers to lines, asked by hand.
  def ask(*lines)
    Socket.tcp("127.0.0.1", port, connect_timeout: 5) do |socket|
      lines.map do |line|
        socket.write(line, "\n")
        socket.gets
      end
    end
  end

  private

  def answers?
    ask('{"v":2,"op":"system.ping"}').first.to_s.include?("pong")
  rescue SystemCallError
    false
  end
end
