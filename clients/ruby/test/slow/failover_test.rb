# frozen_string_literal: true

require_relative "../test_helper"
require_relative "../support/nodes"
require_relative "../support/questions"

# A master dies in the middle of everything, and a slave takes its place.
class FailoverTest < Minitest::Test
  CALLS = Integer(ENV.fetch("KARMA_CHAOS_CALLS", "20000"), 10)
  THREADS = 4

  def setup
    @seed = ENV.fetch("KARMA_SEED") { Random.new_seed % 1_000_000 }.to_i
    @random = Random.new(@seed)
    puts "#{name}: KARMA_SEED=#{@seed}"
    # What is acknowledged is on the slave's disk.
    @nodes = TestNodes.new(slaves: 1, flags: [], master: ["--min-replicas-ack=1"])
  end

  def teardown
    @nodes.remove
    super
  end

  # Each event is handled until that succeeds, as a job is, and counts once; answers to reads are those to their
  # questions, and whoever reads from the slave sees what he has written.
  def test_events_count_once_and_reads_are_right
    attempts = Queue.new
    pool = pool(attempts)
    pool.with { |client| Questions.fill(client) }
    wait_for_questions
    questions = Questions.new(Random.new(@random.rand(1 << 32)))
    fails_at = (CALLS / THREADS / 2 * @random.rand(0.2..0.8)).to_i
    reached = Queue.new
    sessions = Array.new(THREADS) { KarmaClient::Session.new }
    threads = in_threads do |thread, index|
      reached << 1 if thread.zero? && index == fails_at
      handle(pool, thread, index, sessions[thread])
      questions.ask(pool) { |shared, key| shared.with { |c| c.sum(series: Questions::SERIES, key: key) } }
    end
    reached.pop
    @nodes.master.kill
    @nodes.promote(@nodes.slaves.first)
    threads.each(&:join)
    counts = Array.new(attempts.size) { attempts.pop }
    puts "  #{questions.tally}, attempts of the calls: #{counts.tally}"
    assert_equal [], questions.wrong.first(3)
    assert_equal CALLS / 2, questions.tally.values.sum
    assert_operator questions.tally[:right], :>, CALLS / 4
    assert_equal CALLS / 2, pool.with { |client| client.series_summary("events")["total"] }
    assert_operator counts.max, :>, 1
  ensure
    pool&.close
  end

  private

  # Its clients tell how many attempts their calls took.
  def pool(attempts)
    instrumenter = Object.new
    instrumenter.define_singleton_method(:instrument) do |_, payload, &block|
      block.call
    ensure
      attempts << payload[:attempts]
    end
    KarmaClient::Pool.new(size: THREADS, timeout: 5) do
      KarmaClient::Client.new(urls: @nodes.urls, reads: :replica, read_timeout: 0.5, retry_base: 0.001,
                              instrumenter: instrumenter)
    end
  end

  def in_threads
    Array.new(THREADS) do |thread|
      Thread.new { (CALLS / THREADS / 2).times { |index| yield thread, index } }
    end
  end

  # The thread counts its own events, and reads how many there are.
  def handle(pool, thread, index, session)
    surely do
      pool.with do |client|
        client.once("event-#{thread}-#{index}", at: 20_260_505) do |once|
          once.increment(series: "events", key: thread, session: session)
        end
      end
    end
    own = surely { pool.with { |client| client.sum(series: "events", key: thread, session: session) } }
    raise "#{own} of #{index + 1}" unless own == index + 1
  end

  def surely
    yield
  rescue KarmaClient::Error => e
    raise unless e.retriable?

    retry
  end

  # What was acknowledged is on the slave's disk, and a moment later in its memory.
  def wait_for_questions
    keys = [1, Questions::KEYS]
    line = JSON.generate(v: 2, op: "counter.batch_sum", series: Questions::SERIES, keys: keys)
    last = Questions.answer(Questions::KEYS)
    sleep 0.01 until @nodes.slaves.first.ask(line).first.include?(%("value":#{last}))
  end
end
