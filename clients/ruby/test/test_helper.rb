# frozen_string_literal: true

# Plugins of gems that happen to be installed (railties has one) would load half of Rails.
ENV["MT_NO_PLUGINS"] = "1"
$LOAD_PATH.unshift File.expand_path("../lib", __dir__)
require "minitest/autorun"
require "securerandom"
require "karma_client"
require_relative "support/node"

module KarmaTest
  # The real server, one for all tests of a run; each test has series of its own.
  module Server
    LARGE = %w[--max-request-bytes=1000000 --wal-fsync=false].freeze

    def self.node
      @node ||= TestNode.new(*LARGE).start.tap { |node| Minitest.after_run { node.remove } }
    end

    def node
      Server.node
    end

    def client(**options)
      client = KarmaClient::Client.new(host: "127.0.0.1", port: node.port, **options)
      (@clients ||= []) << client
      client
    end

    def karma
      @karma ||= client
    end

    # A series that no other test has. Minitest begins each class with the same random numbers.
    def series
      @series ||= "s#{SecureRandom.hex(8)}"
    end

    def teardown
      @clients&.each(&:close)
      super
    end
  end

  # A server that answers as the block says: for what the real one never does.
  class Script
    attr_reader :port, :lines, :connections

    # @yield each line that is received, and the socket
    # @yieldreturn what is sent, nil: nothing
    def initialize(&answer)
      @server = TCPServer.new("127.0.0.1", 0)
      @port = @server.addr[1]
      @lines = []
      @connections = 0
      @thread = Thread.new { accept(answer) }
    end

    def close
      @server.close
      @thread.kill
      @thread.join
    end

    def requests
      lines.map { |line| JSON.parse(line) }
    end

    private

    def accept(answer)
      loop do
        socket = @server.accept
        @connections += 1
        Thread.new { serve(socket, answer) }
      end
    rescue IOError
      nil
    end

    def serve(socket, answer)
      while (line = socket.gets)
        @lines << line
        reply = answer.call(line, socket)
        socket.write(reply) if reply
      end
    rescue IOError, SystemCallError
      nil
    end
  end

  # A client of a script, which the test need not close.
  module Scripted
    def script(**options, &answer)
      @script = Script.new(&answer)
      KarmaClient::Client.new(host: "127.0.0.1", port: @script.port, retry_base: 0.0, **options)
    end

    def teardown
      @script&.close
      super
    end
  end

  OK = %({"protocol_version":2,"success":true,"response":"OK","error_code":null}\n)

  # What a node that echoes ids answers.
  def self.reply(line, value = "OK", **more)
    request = JSON.parse(line)
    "#{JSON.generate({ protocol_version: 2, success: true, response: value, error_code: nil, id: request['id'],
                       **more })}\r\n"
  end
end
