# frozen_string_literal: true

require_relative "../test_helper"
require_relative "../support/questions"
require "async"
require "async/scheduler"

# Under a Fiber scheduler, the one of the gem async.
class FiberTest < Minitest::Test
  include KarmaTest::Server

  FIBERS = 50
  CALLS = 40

  def in_fibers(count)
    Thread.new do
      Async { |task| Array.new(count) { |number| task.async { yield number } }.each(&:wait) }
    end.join
  end

  def test_fibers_share_a_client
    Questions.fill(karma)
    questions = Questions.new(Random.new(1))
    shared = client
    in_fibers(FIBERS) { CALLS.times { questions.ask(shared) } }
    assert_equal({ right: FIBERS * CALLS }, questions.tally)
  end

  def test_fibers_share_a_pool
    Questions.fill(karma)
    questions = Questions.new(Random.new(2))
    port = node.port
    pool = KarmaClient::Pool.new(size: 3, timeout: 5) { KarmaClient::Client.new(port: port) }
    in_fibers(FIBERS) do
      CALLS.times { questions.ask(pool) { |p, key| p.with { |c| c.sum(series: Questions::SERIES, key: key) } } }
    end
    assert_equal({ right: FIBERS * CALLS }, questions.tally)
  ensure
    pool&.close
  end

  # Ruby 3.1 made a ThreadError of it, which whoever rescues errors takes for one.
  def test_a_fiber_that_is_stopped_while_it_waits_for_the_pool
    pool = KarmaClient::Pool.new(size: 1, timeout: 5) { client }
    outcomes = []
    Thread.new do
      Async do |task|
        pool.with do
          waiter = task.async do
            pool.with { outcomes << :entered }
          rescue StandardError => e
            outcomes << e
          end
          task.sleep(0.01)
          waiter.stop
        end
      end
    end.join
    assert_equal [], outcomes
    assert_equal "pong", pool.with(&:ping)
  end

  # The answers come in the opposite order of the calls: each call waits for another that begins after it.
  def test_others_run_while_a_call_waits
    asked = Queue.new
    script = KarmaTest::Script.new do |line|
      asked << line
      Thread.pass until asked.size == 5
      KarmaTest.reply(line)
    end
    done = Queue.new
    in_fibers(5) { done << KarmaClient::Client.new(port: script.port, read_timeout: 5).ping }
    assert_equal 5, done.size
  ensure
    script&.close
  end

  def test_a_call_that_times_out_leaves_a_client_that_others_can_use
    shared = client(read_timeout: 0.1, retries: 0)
    outcomes = Queue.new
    shared.ping
    node.pause
    in_fibers(3) do
      shared.ping
    rescue KarmaClient::TimeoutError
      outcomes << :late
    end
    node.resume
    in_fibers(3) { outcomes << shared.ping }
    assert_equal [:late, :late, :late, "pong", "pong", "pong"], Array.new(6) { outcomes.pop }
  end

  # As threads do. The other one does not end before.
  def test_the_wait_for_another_fiber_is_bounded
    release = Queue.new
    script = KarmaTest::Script.new { |line| release.pop && KarmaTest.reply(line) }
    shared = KarmaClient::Client.new(port: script.port, read_timeout: 5)
    outcomes = Queue.new
    in_fibers(2) do |number|
      outcomes << shared.increment(series: "a", key: 1, timeout: number.zero? ? 5 : 0.02)
    rescue KarmaClient::ExpiredError => e
      outcomes << e.class
      release << 1
    end
    assert_equal([KarmaClient::ExpiredError, "OK"], Array.new(2) { outcomes.pop })
    assert_equal 1, script.lines.size
  ensure
    script&.close
  end

  # One that asks again and again leaves room for the others.
  def test_fibers_take_turns
    shared = client
    done = Array.new(3, 0)
    others = nil
    in_fibers(3) do |number|
      300.times do
        shared.ping
        done[number] += 1
      end
      others ||= done.dup
    end
    assert_equal [300] * 3, done
    assert_operator others.min, :>, 200
  end

  # Ruby 3.1 made a ThreadError of it.
  def test_a_fiber_that_is_stopped_while_it_waits_for_its_turn
    release = Queue.new
    script = KarmaTest::Script.new { |line| release.pop && KarmaTest.reply(line) }
    shared = KarmaClient::Client.new(port: script.port, read_timeout: 5)
    outcomes = []
    Thread.new do
      Async do |task|
        asking = task.async { outcomes << shared.ping }
        waiter = task.async do
          outcomes << shared.ping
        rescue StandardError => e
          outcomes << e
        end
        task.sleep(0.01)
        waiter.stop
        release << 1
        asking.wait
        release << 1
        outcomes << shared.ping
      end
    end.join
    assert_equal %w[OK OK], outcomes
  ensure
    script&.close
  end

  # By time limits of Async, which ends the wait in the client without an exception of its own.
  def test_a_call_that_is_stopped_leaves_nothing_behind
    Questions.fill(karma)
    shared = client(retries: 0)
    questions = Questions.new(Random.new(3))
    in_fibers(1) do
      200.times do |count|
        Async::Task.current.async do |task|
          task.with_timeout(0.0001 * (count % 10)) { shared.sum(series: Questions::SERIES, key: 1 + count) }
        rescue Async::TimeoutError, KarmaClient::TimeoutError
          nil
        end.wait
        questions.ask(shared)
      end
    end
    assert_equal({ right: 200 }, questions.tally)
  end
end
