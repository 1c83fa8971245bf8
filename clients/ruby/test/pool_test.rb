# frozen_string_literal: true

require "English"
require "minitest/mock"
require_relative "test_helper"

class PoolTest < Minitest::Test
  class Thing
    attr_reader :closed

    def close = @closed = true
  end

  # The exception is looked at where the thread is joined.
  def quiet
    Thread.current.report_on_exception = false
    yield
  end

  def test_clients_are_made_when_needed_and_used_again
    made = []
    pool = KarmaClient::Pool.new(size: 2, timeout: 1) { Thing.new.tap { |thing| made << thing } }
    3.times { pool.with { |thing| assert_same made.first, thing } }
    assert_equal 1, made.size
  end

  def test_waiting_ends
    pool = KarmaClient::Pool.new(size: 1, timeout: 0.01) { Thing.new }
    pool.with do
      error = assert_raises(KarmaClient::PoolTimeout) { Thread.new { quiet { pool.with { flunk } } }.value }
      assert_equal "Timed out waiting for a Karma client connection", error.message
    end
  end

  def test_zero_waits_until_one_is_free
    pool = KarmaClient::Pool.new(size: 1, timeout: 0) { Thing.new }
    waiter = nil
    pool.with do
      waiter = Thread.new { pool.with { :had_it } }
      Thread.pass until waiter.status == "sleep"
    end
    assert_equal :had_it, waiter.value
  end

  def test_waiting_can_be_interrupted
    pool = KarmaClient::Pool.new(size: 1, timeout: 60) { Thing.new }
    pool.with do
      waiter = Thread.new { assert_raises(KeyError) { pool.with { flunk } } }
      Thread.pass until waiter.status == "sleep"
      waiter.raise(KeyError)
      assert waiter.join(20)
    end
  end

  def test_a_timeout_of_the_block_is_not_the_pools
    pool = KarmaClient::Pool.new(size: 1, timeout: 1) { Thing.new }
    assert_raises(ConnectionPool::TimeoutError) { pool.with { raise ConnectionPool::TimeoutError } }
    assert_raises(ConnectionPool::PoolShuttingDownError) { pool.with { raise ConnectionPool::PoolShuttingDownError } }
  end

  def test_close
    made = []
    pool = KarmaClient::Pool.new(size: 2, timeout: 1) { Thing.new.tap { |thing| made << thing } }
    pool.with do |thing|
      pool.close
      refute thing.closed
    end
    assert made.first.closed
    assert_raises(KarmaClient::PoolTimeout) { pool.with { flunk } }
  end

  # Versions of the gem from 2.4 on take clients back in a forked child, unless they are told not to.
  def test_the_gem_is_told_to_leave_forks_alone
    given = nil
    create = ConnectionPool.method(:new)
    ConnectionPool.stub(:new, ->(options = {}, &block) { create.call(**(given = options), &block) }) do
      KarmaClient::Pool.new(size: 1, timeout: 1) { Thing.new }
    end
    assert_equal false, given[:auto_reload_after_fork]
  end

  def test_a_child_that_is_made_within_leaves_it
    pool = KarmaClient::Pool.new(size: 1, timeout: 0.5) { Thing.new }
    child = nil
    left = pool.with { (child = fork) || :child }
    exit!(7) if left == :child
    Process.wait(child)
    assert_equal 7, $CHILD_STATUS.exitstatus
  end

  # A thread of the parent has the only client, and does not live in the child.
  def test_a_forked_child_has_all_places
    pool = KarmaClient::Pool.new(size: 1, timeout: 0.5) { Thing.new }
    taken = Queue.new
    release = Queue.new
    holder = Thread.new { pool.with { taken.push(1) && release.pop } }
    taken.pop
    child = fork { exit!(pool.with { 7 }) }
    Process.wait(child)
    assert_equal 7, $CHILD_STATUS.exitstatus
    release.push(1)
    holder.join
  end
end
