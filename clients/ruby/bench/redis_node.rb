# frozen_string_literal: true

require "tmpdir"
require_relative "../test/support/node"

# A redis-server of its own, and a client of the gem redis.
class RedisNode
  attr_reader :client

  # @return [RedisNode, nil] nil: it is not installed
  def self.start
    require "redis"
    new if system("command -v redis-server >/dev/null")
  rescue LoadError
    nil
  end

  def initialize
    port = TestNode.any_port
    @directory = Dir.mktmpdir("karma-bench-redis")
    @pid = Process.spawn("redis-server", "--port", port.to_s, "--bind", "127.0.0.1", "--dir", @directory, "--save", "",
                         "--appendonly", "yes", "--appendfsync", "everysec", out: File::NULL)
    @client = Redis.new(host: "127.0.0.1", port: port)
    begin
      @client.ping
    rescue Redis::CannotConnectError
      sleep 0.01
      retry
    end
    (1..1000).each { |key| @client.set("links:#{key}", key * 7919) }
  end

  def stop
    @client.close
    Process.kill(:TERM, @pid)
    Process.wait(@pid)
    FileUtils.rm_rf(@directory)
  end
end
