# frozen_string_literal: true

require_relative "test_helper"
require "minitest/mock"

class OnceTest < Minitest::Test
  include KarmaTest::Server

  def handle(event)
    karma.once("#{series}-#{event}", at: "2026-05-05") do |once|
      once.increment(series: series, key: 1, value: 5)
      once.batch_add(series: series, items: [[2, 20_260_505, 7]])
      once.sum(series: series, key: 1)
    end
  end

  def test_an_event_counts_once
    assert_equal [5, 5, 10], [handle(1), handle(1), handle(2)]
    assert_equal [10, 14], [1, 2].map { |key| karma.sum(series: series, key: key) }
  end

  # A block that failed in the middle is run again from its beginning.
  def test_a_block_that_failed_is_completed
    assert_raises(KeyError) do
      karma.once(series, at: 20_260_505) do |once|
        once.increment(series: series, key: 1)
        raise KeyError
      end
    end
    karma.once(series, at: 20_260_505) { |once| 2.times { once.increment(series: series, key: 1) } }
    assert_equal 2, karma.sum(series: series, key: 1)
  end

  def test_the_day_is_that_of_the_event
    karma.once(series, at: Date.new(2026, 5, 4)) { |once| once.increment(series: series, key: 1) }
    assert_equal({ "20260504" => 1 }, karma.points(series: series, key: 1, range: 20_260_501..20_260_531))
  end

  # A block that runs over midnight.
  def test_the_day_is_fixed_before_the_block
    sent = []
    script = KarmaTest::Script.new do |line|
      sent << JSON.parse(line)["bucket"]
      KarmaTest.reply(line)
    end
    client = KarmaClient::Client.new(host: "127.0.0.1", port: script.port)
    evening = Time.utc(2026, 5, 5, 23, 59, 59)
    Time.stub(:now, -> { evening += 1 }) do
      client.once("e") { |once| 2.times { once.increment(series: "a", key: 1) } }
    end
    assert_equal [20_260_506, 20_260_506], sent
  ensure
    script&.close
  end

  def test_what_cannot_be_done_once_is_refused
    refused = lambda do |message, &block|
      assert_equal message, assert_raises(KarmaClient::InputError) { karma.once("e", &block) }.message
    end
    refused.call("tree.drop cannot be done exactly once") { |once| once.drop_series("a") }
    refused.call("the idempotency_key is that of the event") do |once|
      once.increment(series: "a", key: 1, idempotency_key: "mine")
    end
    assert_raises(KarmaClient::InputError) { karma.once("") { flunk } }
  end

  def test_today
    noon = Time.utc(2026, 5, 5, 22, 0)
    zone = Object.new
    zone.define_singleton_method(:now) { Time.new(2030, 1, 2) }
    Time.stub(:now, ->(**options) { options[:in] ? noon.getlocal(options[:in]) : noon }) do
      assert_equal [20_260_505, 20_260_506, 20_260_506, 20_260_505, 20_300_102],
                   [karma.today, karma.today("+03:00"), karma.today("+0300"), karma.today("-03:00"), karma.today(zone)]
    end
    ["Nowhere/City", "+99:00", 3600].each do |unknown|
      assert_raises(KarmaClient::InputError) { karma.today(unknown) }
    end
  end
end
