# frozen_string_literal: true

require_relative "test_helper"
require "minitest/mock"

# Masters that were replaced while they still answer.
class MovedMasterTest < Minitest::Test
  OLD = "a" * 32
  NEW = "b" * 32

  # Says that it has the role and the term, and counts what it is told to.
  class ScriptedNode
    attr_accessor :role, :term, :sum, :down, :error, :hangs
    attr_reader :operations, :asked_lsns

    def initialize(role, term, sum = 0)
      @role = role
      @term = term
      @sum = sum
      @operations = []
      @asked_lsns = []
      @script = KarmaTest::Script.new { |line, socket| down ? socket.close && nil : answer(line) }
    end

    def log_ends(lsn, epoch)
      @lsn = lsn
      @epoch = epoch
    end

    def url
      "tcp://127.0.0.1:#{@script.port}"
    end

    def close
      @script.close
    end

    private

    def answer(line)
      request = JSON.parse(line)
      operations << operation = request["op"]
      asked_lsns << request["min_lsn"] if request["min_lsn"]
      return if hangs == true || hangs == operation
      return refused(line, error) if error

      case operation
      when "replication.replicas"
        KarmaTest.reply(line, { role: role, term: term, source_lsn: @lsn, epoch: @epoch })
      when "counter.sum" then KarmaTest.reply(line, sum)
      else increment(line)
      end
    end

    def increment(line)
      return refused(line, role == "slave" ? "forbidden" : "superseded") unless role == "master"

      self.sum += 1
      KarmaTest.reply(line, 1)
    end

    def refused(line, code)
      KarmaTest.reply(line, "text", success: false, error_code: code)
    end
  end

  def teardown
    @clients&.each(&:close)
    @nodes&.each(&:close)
    super
  end

  def node(*state)
    ScriptedNode.new(*state).tap { |node| (@nodes ||= []) << node }
  end

  def client(**options)
    KarmaClient::Client.new(urls: @nodes.map(&:url), retries: 0, **options).tap { |client| (@clients ||= []) << client }
  end

  def later(seconds, &block)
    now = KarmaClient::Clock.now
    KarmaClient::Clock.stub(:now, now + seconds, &block)
  end

  # The term is known to all clients of these nodes, not only to that which has seen it.
  def test_no_client_takes_an_earlier_master
    new = node("master", 5)
    old = node("master", 4)
    client.increment(series: "a", key: 1)
    new.down = true
    error = assert_raises(KarmaClient::ConnectionError) { client.increment(series: "a", key: 1) }
    assert_match(/No master among/, error.message)
    assert_equal [1, 0], [new.sum, old.sum]
  end

  def test_what_one_client_finds_moves_all
    old = node("master", 4)
    new = node("slave", 4)
    first = client
    first.increment(series: "a", key: 1)
    new.role = "master"
    new.term = 5
    client.increment(series: "a", key: 1)
    first.increment(series: "a", key: 1)
    assert_equal [1, 2], [old.sum, new.sum]
  end

  # It does not know of the later one, so it refuses nothing.
  def test_a_later_master_is_found_while_the_earlier_one_answers
    node("master", 4, 10)
    new = node("slave", 4, 10)
    reader = client
    assert_equal 10, reader.sum(series: "a", key: 1)
    new.role = "master"
    new.term = 5
    new.sum = 500
    later(5) { assert_equal 500, reader.sum(series: "a", key: 1) }
  end

  def test_a_node_that_is_away_is_not_asked_for_its_role_each_time
    node("master", 4, 10)
    away = node("slave", 4)
    reader = client
    reader.sum(series: "a", key: 1)
    away.hangs = true
    later(4) { reader.sum(series: "a", key: 1, timeout: 0.1) }
    asked = away.operations.size
    [8, 20].each do |seconds|
      later(seconds) { reader.sum(series: "a", key: 1, timeout: 0.1) }
      assert_equal asked, away.operations.size
    end
    away.hangs = nil
    away.role = "master"
    away.term = 5
    away.sum = 500
    later(40) { assert_equal 500, reader.sum(series: "a", key: 1) }
  end

  # The token is wrong: no other call will succeed, and no fallback hides it.
  def test_a_token_that_no_node_takes
    2.times { node("master", 4).error = "unauthorized" }
    assert_raises(KarmaClient::UnauthorizedError) { client.sum(series: "a", key: 1, fallback: 0) }
    assert_equal "unauthorized", client.request("counter.sum", series: "a", key: 1).error_code
    assert_raises(KarmaClient::UnauthorizedError) { client.pipelined { |p| p.sum(series: "a", key: 1) } }
  end

  def test_a_replica_that_hangs_leaves_time_for_the_master
    node("master", 4, 10)
    replica = node("slave", 4)
    replica.hangs = "counter.sum"
    reader = client(reads: :replica)
    reader.increment(series: "a", key: 1)
    assert_equal 11, reader.sum(series: "a", key: 1, timeout: 1.0)
    assert_includes replica.operations, "counter.sum"
  end

  # Another process has written to a master that this client does not know of yet.
  def test_a_session_leads_to_a_later_master
    old = node("master", 4, 10)
    new = node("slave", 4, 10)
    [old, new].each { |node| node.log_ends(900, OLD) }
    reader = client
    assert_equal 10, reader.sum(series: "a", key: 1, session: KarmaClient::Session.new("900@#{OLD}"))
    new.role = "master"
    new.term = 5
    new.sum = 500
    new.log_ends(801, NEW)
    assert_equal 10, reader.sum(series: "a", key: 1)
    assert_equal 500, reader.sum(series: "a", key: 1, session: KarmaClient::Session.new("801@#{NEW}"))
    assert_equal [[900], [801]], [old.asked_lsns, new.asked_lsns]
  end

  # Until it is known to have come to the session's epoch, the master is read.
  def test_a_replica_of_an_earlier_epoch_is_passed_over
    nodes = [node("master", 5, 10), node("slave", 5, 10)]
    nodes.first.log_ends(801, NEW)
    nodes.last.log_ends(950, OLD)
    session = KarmaClient::Session.new("801@#{NEW}")
    reader = client(reads: :replica)
    2.times { reader.sum(series: "a", key: 1, session: session) }
    assert_equal [[801, 801], []], nodes.map(&:asked_lsns)
    nodes.last.log_ends(801, NEW)
    later(5) { 2.times { reader.sum(series: "a", key: 1, session: session) } }
    assert_equal [[801] * 3, [801]], nodes.map(&:asked_lsns)
  end

  # It has all that is left of what they wrote, and the session goes on from there, on any node.
  def test_sessions_of_an_earlier_master_ask_for_what_the_later_one_has
    nodes = [node("master", 5, 10), node("slave", 5, 10)]
    nodes.each { |node| node.log_ends(801, NEW) }
    session = KarmaClient::Session.new("900@#{OLD}")
    reader = client(reads: :replica)
    reads = Array.new(3) { reader.sum(series: "a", key: 1, session: session) }
    assert_equal [[10] * 3, "801@#{NEW}"], [reads, session.position]
    assert_equal [[801], [801, 801]], nodes.map(&:asked_lsns)
    assert_equal(1, nodes.first.operations.count("replication.replicas"))
  end

  # What comes after a write sees it, so it is the new master's to answer.
  def test_reads_after_a_refused_write_are_asked_again
    old = node("master", 4, 10)
    new = node("slave", 4, 10)
    reader = client
    assert_equal 10, reader.sum(series: "a", key: 1)
    old.role = "superseded"
    new.role = "master"
    new.term = 5
    new.sum = 500
    values = reader.pipelined do |p|
      p.increment(series: "a", key: 1)
      p.sum(series: "a", key: 1)
    end
    assert_equal [1, 501], values
  end
end
