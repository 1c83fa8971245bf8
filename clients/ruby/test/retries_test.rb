# frozen_string_literal: true

require_relative "test_helper"
require "minitest/mock"

class RetriesTest < Minitest::Test
  include KarmaTest::Scripted

  # Fails so often, then answers.
  def failing(times, how = :close, **options)
    script(**options) do |line, socket|
      next KarmaTest.reply(line, @script.lines.size) if @script.lines.size > times
      next error(line, how) unless how == :close

      socket.close
      nil
    end
  end

  def error(line, code)
    KarmaTest.reply(line, "text", success: false, error_code: code.to_s)
  end

  def test_reads_are_tried_again
    assert_equal 3, failing(2).sum(series: "a", key: 1)
    assert_equal 3, @script.connections
  end

  def test_no_more_often_than_allowed
    assert_raises(KarmaClient::ConnectionError) { failing(9).sum(series: "a", key: 1) }
    assert_equal 3, @script.lines.size
  end

  def test_a_write_without_a_key_is_sent_once
    assert_raises(KarmaClient::ConnectionError) { failing(1).increment(series: "a", key: 1) }
    assert_equal 1, @script.lines.size
  end

  def test_a_key_where_it_has_no_effect_does_not_count
    assert_raises(KarmaClient::ConnectionError) { failing(1).call("tree.drop", series: "a", idempotency_key: "k") }
    assert_equal 1, @script.lines.size
  end

  def test_a_write_with_a_key_is_tried_again_as_it_was
    assert_equal 2, failing(1).increment(series: "a", key: 1, idempotency_key: "k")
    first, second = @script.requests.map { |request| request.except("id") }
    assert_equal first, second
    refute_equal(*@script.requests.map { |request| request["id"] })
  end

  # The node would take each attempt for another day's.
  def test_a_write_with_a_key_stays_on_the_day_of_its_first_attempt
    days = [20_260_505, 20_260_506]
    KarmaClient::Today.stub(:in, -> { days.shift }) do
      failing(1).increment(series: "a", key: 1, idempotency_key: "k")
    end
    assert_equal [20_260_505] * 2, (@script.requests.map { |request| request["bucket"] })
    @script.close
    failing(0).increment(series: "a", key: 1, idempotency_key: "k", bucket: 20_260_101)
    assert_equal 20_260_101, @script.requests.first["bucket"]
    @script.close
    failing(0).increment(series: "a", key: 1)
    refute @script.requests.first.key?("bucket")
  end

  def test_codes_of_nodes_that_cannot_just_now
    KarmaClient::Retries::CODES.each do |code|
      assert_equal 2, failing(1, code).sum(series: "a", key: 1), code
      @script.close
    end
    assert_raises(KarmaClient::QueryTimeoutError) { failing(1, "query_timeout").series_info("a") }
    assert_equal 1, @script.lines.size
  end

  def test_a_node_that_hangs_is_not_asked_again
    asked = Queue.new
    client = script(read_timeout: 0.02) { asked.push(1) && nil }
    assert_raises(KarmaClient::TimeoutError) { client.sum(series: "a", key: 1) }
    asked.pop
    assert_equal 1, @script.connections
    assert_empty asked
  end

  # It would be waited for as long again.
  def test_a_node_that_takes_no_connection_is_not_tried_again
    client = KarmaClient::Client.new(host: "127.0.0.1", port: 1)
    attempts = 0
    timeout = lambda do |*|
      attempts += 1
      raise Errno::ETIMEDOUT
    end
    client.instance_variable_get(:@connection).stub(:connect, timeout) do
      assert_raises(KarmaClient::ConnectTimeoutError) { client.sum(series: "a", key: 1) }
    end
    assert_equal 1, attempts
  end

  def test_no_answer_of_another_request_is_taken_for_one
    client = script { |line| KarmaTest.reply(line, "x", **(@script.lines.size == 1 ? { id: 1 } : {})) }
    assert_equal "x", client.sum(series: "a", key: 1)
    assert_equal 2, @script.connections
  end

  def test_waits_are_random_and_bounded
    waits = []
    retries = KarmaClient::Retries.new(limit: 20, base: 0.1, cap: 0.5)
    bounds = (1..20).map { |attempts| [0.1 * (2**(attempts - 1)), 0.5].min }
    retries.stub(:sleep, ->(seconds) { waits << seconds }) do
      (1..20).each { |attempts| assert retries.wait(attempts, Float::INFINITY) }
    end
    waits.zip(bounds) { |wait, bound| assert_includes 0.0..bound, wait }
    assert_equal 20, waits.uniq.size
    refute retries.wait(21, Float::INFINITY)
  end

  def test_no_wait_goes_beyond_the_deadline
    retries = KarmaClient::Retries.new(limit: 1, base: 10.0, cap: 10.0)
    retries.stub(:rand, 1.0) { refute retries.wait(1, KarmaClient::Clock.now + 5) }
    retries.stub(:rand, 0.0) { refute retries.wait(1, KarmaClient::Clock.now - 1) }
  end

  def test_the_whole_call_has_one_deadline
    assert_equal 3.0, KarmaClient::Configuration.new.whole_call_timeout
    assert_equal 0, KarmaClient::Configuration.new.assign(read_timeout: 0).whole_call_timeout
    assert_equal 0.2, KarmaClient::Configuration.new.assign(call_timeout: 0.2).whole_call_timeout
    client = failing(Float::INFINITY, retries: 1_000_000)
    assert_raises(KarmaClient::Error) { client.sum(series: "a", key: 1, timeout: 0.05) }
  end
end
