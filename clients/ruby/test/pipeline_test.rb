# frozen_string_literal: true

require_relative "test_helper"

class PipelineTest < Minitest::Test
  include KarmaTest::Server
  include KarmaTest::Scripted

  def test_values_come_in_order
    values = karma.pipelined do |p|
      p.increment(series: series, key: 1, value: 3)
      p.sum(series: series, key: 1)
      p.call("counter.sum", series: series, key: 2)
    end
    assert_equal [3, 3, 0], values
    assert_equal [], karma.pipelined { nil }
  end

  def test_futures
    future = nil
    karma.pipelined do |p|
      future = p.increment(series: series, key: 1)
      assert_raises(KarmaClient::Error) { future.value }
    end
    assert_equal 1, future.value
  end

  # Calls are what they were when they were made, whatever becomes of the arrays and strings.
  def test_arguments_may_be_used_again
    name = series.dup
    keys = [1]
    values = karma.pipelined do |p|
      p.increment(series: name, key: 1)
      p.batch_sum(series: name, keys: keys)
      name << "_other"
      keys << 2
      p.increment(series: name, key: 1, value: 5)
    end
    assert_equal [1, [{ "key" => 1, "value" => 1 }], 5], values
  end

  def test_what_is_no_utf8_is_refused_before_anything_is_sent
    assert_raises(KarmaClient::InputError) do
      karma.pipelined do |p|
        500.times { p.increment(series: series, key: 1) }
        p.increment(series: "\xff", key: 1)
      end
    end
    assert_raises(KarmaClient::NotFoundError) { karma.sum(series: series, key: 1) }
  end

  # Far more than any socket buffer holds, of requests and of replies.
  def test_many
    count = 20_000
    values = karma.pipelined do |p|
      count.times { |key| p.increment(series: series, key: key % 10, value: 1 + (key % 10)) }
      10.times { |key| p.sum(series: series, key: key) }
    end
    assert_equal (Array.new(count) { |key| 1 + (key % 10) } + Array.new(10) { |key| (1 + key) * count / 10 }), values
  end

  def test_long_requests_and_long_replies
    karma.batch_add(series: series, items: (1..5000).map { |key| [key, 20_260_505, key] })
    keys = (1..5000).to_a
    totals = karma.pipelined { |p| 50.times { p.batch_sum(series: series, keys: keys) } }
    assert_equal([5000 * 5001 / 2] * 50, totals.map { |rows| rows.sum { |row| row["value"] } })
  end

  def test_an_error_does_not_keep_the_others_from_being_done
    assert_raises(KarmaClient::NotFoundError) do
      karma.pipelined do |p|
        p.increment(series: series, key: 1)
        p.sum(series: "#{series}-missing", key: 1)
        p.increment(series: series, key: 1)
      end
    end
    assert_equal 2, karma.sum(series: series, key: 1)
    values = karma.pipelined(exceptions: false) do |p|
      p.sum(series: "#{series}-missing", key: 1)
      p.sum(series: series, key: 1)
    end
    assert_instance_of KarmaClient::NotFoundError, values.first
    assert_equal 2, values.last
  end

  def test_nothing_is_sent_when_the_block_fails
    assert_raises(KeyError) do
      karma.pipelined do |p|
        p.increment(series: series, key: 1)
        raise KeyError
      end
    end
    assert_raises(KarmaClient::NotFoundError) { karma.sum(series: series, key: 1) }
  end

  # Only what was not answered is sent again, and only where all of that may be.
  def test_a_broken_connection
    break_at = 3
    client = script do |line, socket|
      next KarmaTest.reply(line, JSON.parse(line)["key"]) unless @script.lines.size == break_at

      socket.close
      nil
    end
    assert_equal((1..5).to_a, client.pipelined { |p| (1..5).each { |key| p.sum(series: "a", key: key) } })
    assert_equal [1, 2, 3, 3, 4, 5], (@script.requests.map { |request| request["key"] })
    break_at = @script.lines.size + 2
    assert_raises(KarmaClient::ConnectionError) do
      client.pipelined { |p| (1..3).each { |key| p.increment(series: "a", key: key) } }
    end
    assert_equal break_at, @script.lines.size
  end

  # The node throws away what follows, and closes the connection.
  def test_a_request_that_is_too_long_ends_it
    client = script do |line|
      case JSON.parse(line)["key"]
      when 0 then KarmaTest.reply(line)
      when 1
        %({"protocol_version":2,"success":false,"response":"too long","error_code":"request_too_large"}\n)
      end
    end
    futures = nil
    [true, false].each do |exceptions|
      error = assert_raises(KarmaClient::RequestTooLargeError) do
        client.pipelined(exceptions: exceptions) do |p|
          futures = Array.new(3) { |key| p.increment(series: "a", key: key) }
        end
      end
      assert_equal "too long", error.message
      assert_equal [true, true, false], (futures.map { |future| !future.response.nil? })
    end
  end

  def test_each_answer_is_compared_with_its_request
    client = script(retries: 0) do |line|
      KarmaTest.reply(line, "x", **(@script.lines.size == 2 ? { id: 5 } : {}))
    end
    assert_raises(KarmaClient::MismatchedReplyError) { client.pipelined { |p| 3.times { p.ping } } }
  end

  def test_time_is_bounded
    client = script(read_timeout: 5) { |line| @script.lines.size == 1 ? KarmaTest.reply(line) : nil }
    assert_raises(KarmaClient::TimeoutError) { client.pipelined(timeout: 0.05) { |p| 2.times { p.ping } } }
  end

  def test_an_event_tells_of_the_whole
    events = []
    instrumenter = Object.new
    instrumenter.define_singleton_method(:instrument) do |_, payload, &block|
      block.call.tap { events << payload }
    end
    client(instrumenter: instrumenter).pipelined { |p| 2.times { p.ping } }
    event = events.first
    assert_equal ["pipelined", 1, "127.0.0.1:#{node.port}"], event.values_at(:operation, :attempts, :node)
    assert_operator event[:request_bytes], :>, 60
    assert_operator event[:response_bytes], :>, 100
  end
end
