# frozen_string_literal: true

require_relative "test_helper"
require "minitest/mock"
require_relative "support/nodes"

class ClusterTest < Minitest::Test
  def setup
    @nodes = TestNodes.new(slaves: 2)
  end

  def teardown
    @karma&.close
    @nodes.remove
    super
  end

  def karma(urls: @nodes.urls, **options)
    @karma ||= KarmaClient::Client.new(urls: urls, read_timeout: 2.0, retry_base: 0.001, **options)
  end

  # Where each call went.
  def events
    @events ||= []
  end

  def instrumenter
    events = self.events
    Object.new.tap do |object|
      object.define_singleton_method(:instrument) do |_, payload, &block|
        block.call
      ensure
        events << payload
      end
    end
  end

  def went_to
    events.map { |event| event[:node].to_s[/\d+\z/].to_i }
  end

  def test_writes_and_reads_go_to_the_master_wherever_it_stands
    client = karma(urls: @nodes.urls.reverse.join(", "), instrumenter: instrumenter)
    assert_equal [5, 5], [client.increment(series: "a", key: 1, value: 5), client.sum(series: "a", key: 1)]
    assert_equal [@nodes.master.port] * 2, went_to
  end

  def test_the_master_moves
    karma(instrumenter: instrumenter).increment(series: "a", key: 1)
    wait_for_sum(@nodes.slaves, 1)
    @nodes.promote(@nodes.slaves.last)
    @nodes.master.kill
    assert_equal 1, karma.increment(series: "a", key: 1, bucket: 20_260_505, idempotency_key: "k")
    assert_equal 2, karma.sum(series: "a", key: 1)
    assert_equal @nodes.slaves.last.port, went_to.last
  end

  # A write that was refused was not applied, so it is sent to the new master at once, key or not.
  def test_a_master_that_is_a_slave_now
    karma.increment(series: "a", key: 1)
    wait_for_sum(@nodes.slaves, 1)
    change_places
    assert_equal 1, karma(retries: 0).increment(series: "a", key: 1)
    assert_equal 2, karma.sum(series: "a", key: 1)
  end

  def test_of_two_masters_the_later_one_is_it
    @nodes.promote(@nodes.slaves.first)
    3.times { karma.increment(series: "a", key: 1) }
    old = JSON.parse(@nodes.master.ask('{"v":2,"op":"tree.list"}').first)["response"]
    new = JSON.parse(@nodes.slaves.first.ask('{"v":2,"op":"tree.list"}').first)["response"]
    assert_equal [[], ["a"]], [old, new]
  end

  # The earlier one does not know of it, and takes writes.
  def test_a_later_master_is_found_while_the_earlier_one_answers
    karma.increment(series: "a", key: 1)
    wait_for_sum(@nodes.slaves, 1)
    @nodes.promote(@nodes.slaves.first)
    now = KarmaClient::Clock.now
    KarmaClient::Clock.stub(:now, now + 5) { karma.increment(series: "a", key: 1, value: 10) }
    assert_equal [1, 11], [sum(@nodes.master), sum(@nodes.slaves.first)]
  end

  # It has seen a later master, and does not go back to an earlier one.
  def test_an_earlier_master_is_not_taken
    @nodes.promote(@nodes.slaves.first)
    karma(retries: 0).increment(series: "a", key: 1)
    @nodes.slaves.first.kill
    error = assert_raises(KarmaClient::ConnectionError) { 2.times { karma.increment(series: "a", key: 1) } }
    assert_match(/No master among|closed|refused|reset|broken pipe/i, error.message)
    error = assert_raises(KarmaClient::ConnectionError) { karma.increment(series: "a", key: 1) }
    assert_match(/No master among/, error.message)
  end

  def test_a_master_that_hangs
    client = karma(read_timeout: 0.2, call_timeout: 5.0, retries: 10)
    client.increment(series: "a", key: 1)
    wait_for_sum(@nodes.slaves, 1)
    @nodes.promote(@nodes.slaves.first)
    @nodes.master.pause
    assert_equal 1, client.increment(series: "a", key: 1, bucket: 20_260_505, idempotency_key: "k")
    assert_equal 2, client.sum(series: "a", key: 1)
  end

  def test_reads_from_replicas
    client = karma(reads: :replica, instrumenter: instrumenter)
    session = KarmaClient::Session.new
    20.times do |count|
      client.increment(series: "a", key: 1, session: session)
      assert_equal count + 1, client.sum(series: "a", key: 1, session: session)
    end
    assert_operator session.lsn, :>, 0
    reads = events.select { |event| event[:operation] == "counter.sum" }.map { |event| event[:node][/\d+\z/].to_i }
    assert_equal @nodes.slaves.map(&:port).sort, reads.uniq.sort
  end

  # The last ten writes reach one slave, and the other one becomes master. Then the LSNs of the first mean other entries
  # than those of the master.
  def test_a_failover_that_loses_writes
    client = karma(reads: :replica)
    session = KarmaClient::Session.new
    lose_writes(client, session)
    other = KarmaClient::Session.new(session.position)
    client.increment(series: "a", key: 1, value: 100, bucket: 20_260_505, idempotency_key: "k", session: session)
    assert_equal [101, 11], @nodes.slaves.map { |slave| sum(slave) }
    assert_equal([101] * 10, Array.new(10) { client.sum(series: "a", key: 1, session: session) })
    lsn = other.lsn
    @nodes.slaves.last.kill
    assert_equal 101, client.sum(series: "a", key: 1, session: other)
    assert_operator other.lsn, :<, lsn
    assert_equal session.position, other.position
  end

  # Nothing says of which log the LSN is, so it is waited for once.
  def test_an_lsn_alone_whose_write_was_lost
    client = karma(reads: :replica)
    session = KarmaClient::Session.new
    lose_writes(client, session)
    @nodes.slaves.last.kill
    session = KarmaClient::Session.new(session.lsn)
    assert_equal 1, client.sum(series: "a", key: 1, session: session, wait_ms: 1)
    assert_match(/\A\d+@\h{32}\z/, session.position)
  end

  # Replicas come to the master's new epoch, at the latest with its first entry.
  def test_sessions_after_a_restart_of_the_master
    client = karma(reads: :replica, instrumenter: instrumenter)
    client.increment(series: "a", key: 1)
    @nodes.master.kill(:TERM)
    @nodes.master.start
    session = KarmaClient::Session.new
    client.increment(series: "a", key: 1, bucket: 20_260_505, idempotency_key: "k", session: session)
    wait_for_sum(@nodes.slaves, 2)
    now = KarmaClient::Clock.now
    KarmaClient::Clock.stub(:now, now + 5) do
      4.times { assert_equal 2, client.sum(series: "a", key: 1, session: session) }
    end
    assert_empty went_to.last(2) - @nodes.slaves.map(&:port)
  end

  def test_questions_about_the_node_go_to_the_master
    assert_equal "master", karma(reads: :replica).health["role"]
  end

  def test_replicas_that_are_gone_are_not_missed
    client = karma(reads: :replica)
    client.increment(series: "a", key: 1)
    @nodes.slaves.each(&:kill)
    10.times { assert_equal 1, client.sum(series: "a", key: 1) }
  end

  def test_pipelines_follow_the_master
    client = karma
    client.increment(series: "a", key: 1)
    wait_for_sum(@nodes.slaves, 1)
    change_places
    assert_equal([1] * 100, client.pipelined { |p| 100.times { p.increment(series: "a", key: 1) } })
    assert_equal 101, client.sum(series: "a", key: 1)
  end

  def test_a_forked_child_finds_the_master_itself
    karma.increment(series: "a", key: 1)
    child = fork { exit!(karma.increment(series: "a", key: 1, value: 7)) }
    assert_equal 7, Process.wait2(child).last.exitstatus
    assert_equal 8, karma.sum(series: "a", key: 1)
  end

  private

  # The first slave is away while ten are made, and becomes master.
  def lose_writes(client, session)
    first, last = @nodes.slaves
    client.increment(series: "a", key: 1, session: session)
    wait_for_sum(@nodes.slaves, 1)
    first.kill(:TERM)
    10.times { client.increment(series: "a", key: 1, session: session) }
    wait_for_sum([last], 11)
    @nodes.master.kill
    @nodes.promote(first.start)
  end

  # The first slave is promoted, and the master comes back as its slave.
  def change_places
    new = @nodes.slaves.first
    @nodes.promote(new)
    @nodes.master.kill
    @nodes.master.flags = ["--role=slave", "--replication-source-host=127.0.0.1",
                           "--replication-source-port=#{new.port}"]
    @nodes.master.start
  end

  def wait_for_sum(nodes, total)
    nodes.each { |node| sleep 0.01 until sum(node) == total }
  end

  # What the node itself has.
  def sum(node)
    JSON.parse(node.ask('{"v":2,"op":"counter.sum","series":"a","key":1}').first)["response"]
  end
end
