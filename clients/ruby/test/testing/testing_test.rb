# frozen_string_literal: true

require_relative "../test_helper"
require "karma_client/testing/minitest"

# What the tests of an application see.
class TestingTest < Minitest::Test
  include KarmaClient::Testing::Minitest

  Testing = KarmaClient::Testing

  def teardown
    Testing.stop
    super
  end

  def count(**options)
    KarmaClient.with_client { |client| client.increment(series: "links", key: 42, **options) }
  end

  def test_the_client_counts_in_the_fake
    assert_equal 3, count(value: 3)
    assert_equal 3, karma.total("links", 42)
    assert_equal 0, karma.total("links", 43)
    assert_equal 0, karma.total("links", 42, range: 20_200_101..20_200_102)
    assert_equal 3, KarmaClient::Client.new.sum(series: "links", key: 42)
  end

  def test_requests_are_counted
    assert_equal 1, assert_karma_requests(1) { count }
    assert_equal %w[counter.increment], karma.requests.map { |request| request["op"] }
    assert_raises(Minitest::Assertion) { assert_karma_requests(2) { count } }
  end

  def test_each_test_begins_with_nothing
    count
    before_setup
    assert_equal 0, karma.total("links", 42)
    assert_empty karma.requests
  end

  def test_the_client_has_its_settings_again_afterwards
    port = KarmaClient.configuration.port
    Testing.stop
    refute_equal port, KarmaClient.configuration.port
    assert_equal KarmaClient::Configuration.from_env.port, KarmaClient.configuration.port
    error = assert_raises(KarmaClient::Error) { karma.total("links", 42) }
    assert_match(/has not been started/, error.message)
  end

  def test_several_nodes_and_a_breaker_are_settings_too
    before = KarmaClient.configuration
    Testing.stop
    KarmaClient.configure { |settings| settings.assign(urls: "tcp://a:1,tcp://b:2", circuit_breaker: true) }
    breaker = before.circuit_breaker
    karma.reset!
    count
    assert_equal [1, nil], [karma.total("links", 42), KarmaClient.configuration.circuit_breaker]
    Testing.stop
    assert_equal [["a", 1], ["b", 2]], KarmaClient.configuration.nodes
    assert_same breaker, KarmaClient.configuration.circuit_breaker
  ensure
    KarmaClient.configure { |settings| settings.assign(host: "127.0.0.1", port: 8080, circuit_breaker: nil) }
  end

  def test_karma_can_be_down
    count
    karma.down { assert_raises(KarmaClient::ConnectionError) { count } }
    count
    assert_equal 2, karma.total("links", 42)
  end

  def test_an_error_on_demand
    karma.fail_next("forbidden")
    assert_raises(KarmaClient::ForbiddenError) { count }
    assert_equal 0, karma.total("links", 42)
  end

  def test_a_reply_that_is_lost
    karma.lose_replies
    assert_raises(KarmaClient::ConnectionError) { count }
    assert_equal 1, karma.total("links", 42)
  end

  def test_a_repeat_under_an_idempotency_key_counts_once
    2.times { count(idempotency_key: "click-1") }
    assert_equal 1, karma.total("links", 42)
    assert_raises(KarmaClient::IdempotencyConflictError) { count(value: 2, idempotency_key: "click-1") }
  end

  # As Rails' parallel tests do.
  def test_a_forked_process_has_a_fake_of_its_own
    count
    reader, writer = IO.pipe
    child = fork do
      Testing.reset!
      2.times { count }
      writer.write(karma.total("links", 42).to_s)
      writer.close
      Testing.stop
      exit!(0)
    end
    writer.close
    assert_equal "2", reader.read
    Process.wait(child)
    count
    assert_equal 2, karma.total("links", 42)
  end

  def test_many_threads
    threads = Array.new(8) { Thread.new { 50.times { count } } }
    threads.each(&:join)
    assert_equal 400, karma.total("links", 42)
  end
end
