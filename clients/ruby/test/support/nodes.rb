# frozen_string_literal: true

require_relative "node"

# A master and its slaves, each a process.
class TestNodes
  attr_reader :master, :slaves

  # @param flags [Array<String>] of all nodes
  # @param master [Array<String>] more, of the master
  def initialize(slaves: 1, flags: ["--wal-fsync=false"], master: [])
    @master = TestNode.new(*flags, *master).start
    @slaves = Array.new(slaves) do
      TestNode.new(*flags, "--role=slave", "--replication-source-host=127.0.0.1",
                   "--replication-source-port=#{@master.port}").start
    end
    @slaves.each { |slave| wait_for_copy(slave) }
  end

  def all
    [master, *slaves]
  end

  def urls
    all.map { |node| "tcp://127.0.0.1:#{node.port}" }
  end

  def promote(node)
    node.ask('{"v":2,"op":"replication.promote"}').first.include?('"promoted":true') or raise "not promoted"
  end

  def remove
    all.each do |node|
      node.resume
      node.remove
    end
  end

  private

  # Until it has its master's data it answers no reads.
  def wait_for_copy(slave)
    sleep 0.01 until slave.ask('{"v":2,"op":"tree.list"}').first.include?('"success":true')
  end
end
