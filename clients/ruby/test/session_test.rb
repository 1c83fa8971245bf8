# frozen_string_literal: true

require_relative "test_helper"

class SessionTest < Minitest::Test
  include KarmaTest::Server

  def test_it_notes_the_latest_write
    session = KarmaClient::Session.new
    assert_nil session.lsn
    karma.increment(series: series, key: 1, session: session)
    first = session.lsn
    karma.increment(series: series, key: 1, session: session)
    assert_equal first + 1, session.lsn
    session.note(first)
    session.note(nil)
    assert_equal first + 1, session.lsn
    assert_equal 2, karma.sum(series: series, key: 1, session: session)
  end

  def test_positions
    epoch = "0123456789abcdef" * 2
    [7, "7", "7@#{epoch}"].each do |position|
      session = KarmaClient::Session.new(position)
      assert_equal [7, position.to_s], [session.lsn, session.position]
    end
    [nil, ""].each { |none| assert_nil KarmaClient::Session.new(none).position }
    ["x", "-7", -7, "7@", "7@12", "7@#{epoch}\n", 2**64, "9" * 20].each do |wrong|
      assert_raises(KarmaClient::InputError, wrong.to_s) { KarmaClient::Session.new(wrong) }
    end
  end

  # LSNs of another epoch may be lower, and mean other entries.
  def test_the_latest_write_of_the_latest_epoch
    session = KarmaClient::Session.new(900)
    noted = [[901, nil], [950, "a"], [949, "a"], [951, nil], [500, "b"], [499, "b"], [nil, "c"]].map do |position|
      session.note(*position)
      session.position
    end
    assert_equal %w[901 950@a 950@a 951@a 500@b 500@b 500@b], noted
  end

  # A master has all that it has acknowledged, so the write was lost with the one before it.
  def test_a_write_that_is_lost_is_not_waited_for
    karma.increment(series: series, key: 1)
    session = KarmaClient::Session.new(karma.replication_status["wal_current_lsn"] + 1_000_000)
    assert_equal 1, karma.sum(series: series, key: 1, session: session, wait_ms: 1)
    assert_equal karma.replication_replicas.values_at("source_lsn", "epoch").join("@"), session.position
  end

  # What it has not yet may come.
  def test_a_slave_that_is_not_there_yet_says_so
    script = KarmaTest::Script.new do |line|
      next KarmaTest.reply(line, { role: "slave", source_lsn: 5 }) if line.include?("replication.replicas")

      KarmaTest.reply(line, "text", success: false, error_code: "stale_replica")
    end
    session = KarmaClient::Session.new(7)
    client = KarmaClient::Client.new(port: script.port, retries: 0)
    assert_raises(KarmaClient::StaleReplicaError) { client.sum(series: "a", key: 1, session: session) }
    assert_equal 7, session.lsn
  ensure
    script&.close
  end

  # Another thread has written while this one read.
  def test_a_read_does_not_undo_a_write
    session = KarmaClient::Session.new(900)
    before = session.seen
    session.note(500, "b")
    session.move(before, KarmaClient::Position.new(400, "b"))
    assert_equal "500@b", session.position
  end

  def test_a_node_that_is_not_there_yet_says_so
    karma.increment(series: series, key: 1)
    ahead = karma.replication_status["wal_current_lsn"] + 1_000_000
    client = client(retries: 0)
    assert_raises(KarmaClient::StaleReplicaError) do
      client.sum(series: series, key: 1, min_lsn: ahead, wait_ms: 1)
    end
    assert_equal(-1, client.sum(series: series, key: 1, min_lsn: ahead, wait_ms: 1, fallback: -1))
  end

  # Or it would be this client that gives up.
  def test_the_node_waits_for_less_time_than_the_client
    script = KarmaTest::Script.new { |line| KarmaTest.reply(line, 1) }
    client = KarmaClient::Client.new(port: script.port, read_timeout: 3.0)
    client.sum(series: "a", key: 1, min_lsn: 7)
    client.sum(series: "a", key: 1, session: KarmaClient::Session.new(8), wait_ms: 5)
    client.sum(series: "a", key: 1, session: KarmaClient::Session.new)
    client.sum(series: "a", key: 1, min_lsn: 7, timeout: 20.0)
    client.sum(series: "a", key: 1, min_lsn: 7, timeout: 2.0)
    assert_equal([[7, 1250], [8, 5], [nil, nil], [7, 1500], [7, 500]],
                 script.requests.map { |request| request.values_at("min_lsn", "wait_ms") })
  ensure
    script&.close
  end

  def test_tokens_do_not_show
    client = KarmaClient::Client.new(token: "secret", urls: "tcp://a:1,tcp://b:2")
    refute_includes client.inspect + client.configuration.inspect, "secret"
    assert_equal "#<KarmaClient::Client a:1,b:2>", client.inspect
    refute_includes KarmaClient::Command.new("system.ping", {}, "secret").inspect, "secret"
  end
end
