# frozen_string_literal: true

require_relative "test_helper"
require "minitest/mock"

class CircuitBreakerTest < Minitest::Test
  def setup
    @time = 1000.0
    @breaker = KarmaClient::CircuitBreaker.new(failures: 3, seconds: 2.0)
  end

  def teardown
    @script&.close
    super
  end

  def at(seconds, &block)
    KarmaClient::Clock.stub(:now, @time + seconds, &block)
  end

  def fail_once
    assert_raises(KarmaClient::ConnectionError) { @breaker.call { raise KarmaClient::ConnectionError } }
  end

  def refused
    assert_raises(KarmaClient::CircuitOpenError) { @breaker.call { flunk } }
  end

  def open
    at(0) { 3.times { fail_once } }
  end

  def test_it_opens_after_failures_in_a_row
    at(0) do
      2.times { fail_once }
      assert_equal :ok, @breaker.call { :ok }
      2.times { fail_once }
      refute_predicate @breaker, :open?
      fail_once
      assert_predicate @breaker, :open?
      assert_predicate refused, :retriable?
    end
  end

  def test_one_call_tries_and_closes_it
    open
    at(1.9) { refused }
    at(2.1) do
      assert_equal(:ok, @breaker.call do
        refused
        :ok
      end)
    end
    at(2.2) { assert_equal :ok, @breaker.call { :ok } }
    refute_predicate @breaker, :open?
  end

  def test_one_call_tries_in_vain
    open
    at(2.1) { fail_once }
    at(4.0) { refused }
    at(4.2) { assert_equal :ok, @breaker.call { :ok } }
  end

  # Its thread was killed, say: the next one tries.
  def test_a_trial_that_never_ends_blocks_nobody
    open
    at(2.1) { catch(:gone) { @breaker.call { throw :gone } } }
    at(2.2) { refused }
    at(4.2) { assert_equal :ok, @breaker.call { :ok } }
  end

  def test_errors_of_a_node_that_answers_are_no_failures
    at(0) do
      5.times { assert_raises(KarmaClient::NotFoundError) { @breaker.call { raise KarmaClient::NotFoundError } } }
      refute_predicate @breaker, :open?
    end
  end

  def test_nonsense_is_refused
    assert_raises(KarmaClient::ConfigurationError) { KarmaClient::CircuitBreaker.new(failures: 0) }
    assert_raises(KarmaClient::ConfigurationError) { KarmaClient::CircuitBreaker.new(seconds: 0) }
  end

  # All clients of one configuration know when one of them has found out.
  def test_clients_share_it
    port = TestNode.any_port
    configuration = KarmaClient::Configuration.new
    configuration.assign(port: port, circuit_breaker: { failures: 2, seconds: 60.0 }, retries: 0)
    first, second = Array.new(2) { KarmaClient::Client.new(configuration) }
    assert_raises(KarmaClient::ConnectionError) { first.ping }
    assert_raises(KarmaClient::ConnectionError) { second.ping }
    assert_raises(KarmaClient::CircuitOpenError) { first.ping }
    assert_equal :without, second.sum(series: "a", key: 1, fallback: :without)
  end

  # A node that is down says nothing about another one.
  def test_clients_of_other_nodes_have_another
    @script = KarmaTest::Script.new { |line| KarmaTest.reply(line) }
    configuration = KarmaClient::Configuration.new
    configuration.assign(port: @script.port, circuit_breaker: { failures: 1, seconds: 60.0 }, retries: 0)
    well = KarmaClient::Client.new(configuration)
    port = TestNode.any_port
    down = Array.new(2) { KarmaClient::Client.new(configuration, port: port) }
    assert_raises(KarmaClient::ConnectionError) { down.first.ping }
    assert_equal "OK", well.ping
    assert_raises(KarmaClient::CircuitOpenError) { down.last.ping }
  end

  def test_settings
    assert_nil KarmaClient::Configuration.new.circuit_breaker
    assert_instance_of KarmaClient::CircuitBreaker, KarmaClient::Configuration.new.assign(circuit_breaker: true)
                                                                              .circuit_breaker
  end

  def client(&answer)
    @script = KarmaTest::Script.new(&answer)
    KarmaClient::Client.new(port: @script.port, retries: 0, read_timeout: 0.05)
  end

  def test_fallbacks_of_reads
    client = client { |_, socket| socket.close && nil }
    assert_equal 0, client.sum(series: "a", key: 1, fallback: 0)
    assert_nil client.points(series: "a", key: 1, from: 1, to: 2, fallback: nil)
    assert_equal "KarmaClient::ConnectionError", client.ping(fallback: ->(error) { error.class.name })
  end

  def test_no_fallback_for_mistakes
    client = client { |line| KarmaTest.reply(line, "text", success: false, error_code: "not_found") }
    assert_raises(KarmaClient::NotFoundError) { client.sum(series: "a", key: 1, fallback: 0) }
    assert_raises(KarmaClient::InputError) { client.sum(series: "a", key: -1, fallback: 0) }
  end

  def test_no_fallback_for_writes
    error = assert_raises(ArgumentError) { client { nil }.increment(series: "a", key: 1, fallback: 0) }
    assert_equal "unknown keyword: :fallback", error.message
  end
end
