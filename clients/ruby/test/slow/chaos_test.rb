# frozen_string_literal: true

require_relative "../test_helper"
require_relative "../support/proxy"
require_relative "../support/questions"
require_relative "../support/children"

# Calls that are interrupted, cut off, held back and shared with forked children: not one of them may return the answer
# to another. Each test prints its seed; KARMA_SEED repeats it.
class ChaosTest < Minitest::Test
  include KarmaTest::Server
  include Children

  CALLS = Integer(ENV.fetch("KARMA_CHAOS_CALLS", "20000"), 10)
  THREADS = 4

  def setup
    @seed = ENV.fetch("KARMA_SEED") { Random.new_seed % 1_000_000 }.to_i
    @random = Random.new(@seed)
    puts "#{name}: KARMA_SEED=#{@seed}"
    Questions.fill(karma)
  end

  # A generator of its own for each thread or child.
  def random
    Random.new(@random.rand(1 << 32))
  end

  # Every call is accounted for, and none of the answers was another's.
  def verify(questions, calls)
    puts "  #{questions.tally.map { |outcome, count| "#{outcome} #{count}" }.join(', ')}"
    assert_equal [], questions.wrong.first(3)
    assert_equal calls, questions.tally.values.sum
    assert_operator questions.tally[:right], :>, calls / 10
  end

  def pool(port, **options)
    KarmaClient::Pool.new(size: 3, timeout: 5) do
      KarmaClient::Client.new(host: "127.0.0.1", port: port, **options)
    end
  end

  def in_threads(count, &block)
    Array.new(THREADS) { |number| Thread.new { (count / THREADS).times { |index| block.call(number, index) } } }
         .each(&:join)
  end

  def ask_pool(questions, pool)
    questions.ask(pool) { |shared, key| shared.with { |client| client.sum(series: Questions::SERIES, key: key) } }
  end

  def test_thread_raise_at_random_moments
    questions = Questions.new(random)
    shared = client
    questions.with_poked_threads(THREADS) { (CALLS / THREADS).times { questions.ask(shared) } }
    verify questions, CALLS
  end

  def test_thread_raise_with_a_pool
    questions = Questions.new(random)
    pool = pool(node.port)
    questions.with_poked_threads(THREADS) { (CALLS / THREADS).times { ask_pool(questions, pool) } }
    verify questions, CALLS
  ensure
    pool&.close
  end

  def test_timeout_at_random_moments
    questions = Questions.new(random)
    questions.ask_in_haste(client, CALLS)
    verify questions, CALLS
    assert_operator questions.tally[Timeout::Error], :>, CALLS / 100
  end

  # Killed threads leave a client that the next one can use.
  def test_thread_kill
    shared = client
    questions = Questions.new(random)
    500.times do
      thread = Thread.new { loop { questions.ask(shared) } }
      sleep(@random.rand * 0.002)
      thread.kill.join
      questions.ask(shared)
    end
    verify questions, questions.tally.values.sum
    assert_operator questions.tally[:right], :>=, 500
  end

  def test_a_network_that_fails
    proxy = ChaosProxy.new(node.port, random)
    questions = Questions.new(random)
    pool = pool(proxy.port, read_timeout: 0.05, retries: 1, retry_base: 0.001)
    in_threads(CALLS) { ask_pool(questions, pool) }
    puts "  faults: #{proxy.faults}"
    assert_operator proxy.faults.values.sum, :>, CALLS / 200
    verify questions, CALLS
  ensure
    pool&.close
    proxy&.close
  end

  # Requests and replies go in several packs, and the network cuts them anywhere: what was answered is kept, the rest is
  # asked again under other ids.
  def test_pipelines_through_a_network_that_fails
    proxy = ChaosProxy.new(node.port, random, bytes: 200_000)
    questions = Questions.new(random)
    pool = pool(proxy.port, read_timeout: 0.05, retries: 1, retry_base: 0.001)
    in_threads(CALLS / 100) { pool.with { |client| questions.ask_many(client, 400) } }
    puts "  faults: #{proxy.faults}"
    assert_operator proxy.faults.values.sum, :>=, CALLS / 1000
    verify questions, CALLS / 100 * 400
  ensure
    pool&.close
    proxy&.close
  end

  # In the middle of a pack, in the middle of a line.
  def test_pipelines_that_are_interrupted
    questions = Questions.new(random)
    shared = client
    questions.with_poked_threads(THREADS) { (CALLS / 20 / THREADS).times { questions.ask_many(shared, 20) } }
    verify questions, CALLS
    assert_operator questions.tally[Questions::Poke], :>, 0
  end

  # The node is killed and started again while blocks of `once` are in the middle. A block that failed is run again from
  # its beginning, and writes that it had made do not count twice.
  def test_restarts_of_the_node_during_blocks
    own = TestNode.new.start
    pool = pool(own.port, retry_base: 0.001)
    attempts = Queue.new
    events = CALLS / 20
    done = Queue.new
    killer = restarts(own, done, events)
    in_threads(events) do |thread, index|
      attempts << 1
      pool.with { |client| three_writes(client, "event-#{thread}-#{index}") }
      done << 1
    rescue KarmaClient::TransportError
      attempts.size < CALLS ? retry : raise
    end
    puts "  #{events} events, #{attempts.size} attempts, restarts: #{killer.value}"
    assert_equal [events * 3, events, events * 2], (1..3).map { |key| pool.with { |c| c.sum(series: "a", key: key) } }
    assert_operator attempts.size, :>, events
  ensure
    pool&.close
    own&.remove
  end

  # Each event is sent until it is answered, through a network that fails, and counts once.
  def test_keyed_writes_through_a_network_that_fails_count_once
    proxy = ChaosProxy.new(node.port, random)
    pool = pool(proxy.port, read_timeout: 0.05, retry_base: 0.001)
    attempts = Queue.new
    in_threads(CALLS) do |thread, index|
      attempts << 1
      pool.with do |client|
        client.once("#{series}-#{thread}-#{index}", at: 20_260_505) do |once|
          once.increment(series: series, key: 1, value: 3)
        end
      end
    rescue KarmaClient::TransportError, KarmaClient::PoolTimeout
      attempts.size < CALLS * 10 ? retry : raise
    end
    puts "  #{CALLS} events, #{attempts.size} calls, faults: #{proxy.faults}"
    assert_equal CALLS * 3, karma.sum(series: series, key: 1)
    assert_operator attempts.size, :>=, CALLS
  ensure
    pool&.close
    proxy&.close
  end

  # Children are forked while a thread of the parent is in the middle of calls, and all go on with the same client.
  def test_forked_children_share_a_client
    asked = in_parent_and_children(4, client, CALLS / 5)
    asked.each do |tally, wrong|
      assert_equal [], wrong
      assert_equal({ right: CALLS / 5 }, tally)
    end
    assert_equal 5, asked.size
  end

  # Each of the two means that keep answers apart is switched off once: the other one suffices. With both off, wrong
  # answers come, which shows that these tests would see them.
  def test_without_the_pending_count_the_ids_suffice
    tally, wrong = poked_without(:pending)
    assert_equal [], wrong
    assert_operator tally[KarmaClient::MismatchedReplyError].to_i, :>, 0
  end

  def test_without_the_ids_the_pending_count_suffices
    tally, wrong = poked_without(:ids)
    assert_equal [], wrong
    assert_operator tally[Questions::Poke].to_i, :>, 0
  end

  def test_without_both_answers_are_wrong
    _, wrong = poked_without(:pending, :ids)
    refute_empty wrong
  end

  def test_pipelines_without_each_of_the_means
    [[:pending], [:ids], %i[pending ids]].each do |means|
      _, wrong = poked_without(*means) { |questions, client| questions.ask_many(client, 3) }
      assert_equal means.size == 2, wrong.any?, means
    end
  end

  def test_children_without_the_process_check_are_kept_apart_by_ids
    asked = without(:pending) { in_parent_and_children(4, hasty_client, CALLS / 20) }
    puts "  #{asked.map(&:first)}"
    asked.each { |_, wrong| assert_equal [], wrong }
    assert(asked.any? { |tally, _| tally[KarmaClient::MismatchedReplyError].to_i.positive? })
  end

  private

  def three_writes(client, event)
    client.once(event, at: 20_260_505) do |once|
      once.increment(series: "a", key: 1, value: 3)
      once.increment(series: "a", key: 2)
      once.batch_add(series: "a", items: [[3, 20_260_505, 2]])
    end
  end

  # Each time that a tenth of the events is done, in a thread.
  def restarts(node, done, events)
    signals = Array.new(9) { %i[KILL TERM].sample(random: @random) }
    Thread.new do
      signals.each do |signal|
        (events / 10).times { done.pop }
        node.kill(signal)
        node.start
      end
      signals.tally
    end
  end

  def hasty_client
    KarmaClient::Client.new(host: "127.0.0.1", port: node.port, retries: 0, read_timeout: 0.05)
  end

  def poked_without(*means, &ask)
    tally, wrong = without(*means) do
      questions = Questions.new(random)
      questions.ask_and_be_poked(hasty_client, CALLS / 10, &ask)
      [questions.tally.to_a.to_h, questions.wrong.first(3)]
    end
    puts "  without #{means.join(' and ')}: #{tally}"
    [tally, wrong]
  end
end
