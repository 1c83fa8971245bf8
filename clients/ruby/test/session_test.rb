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
