# frozen_string_literal: true

require "timeout"

# Questions to which the answer is known, and a tally of what came back. An answer that belongs to another question is
# recognised: no two questions have the same.
class Questions
  KEYS = 2000
  SERIES = "questions"

  # Wakes a thread in the middle of whatever it does.
  class Poke < Exception; end # rubocop:disable Lint/InheritException

  # What is expected to go wrong in a call that was interfered with.
  TROUBLE = [KarmaClient::TransportError, KarmaClient::MismatchedReplyError, KarmaClient::ProtocolError,
             KarmaClient::PoolTimeout, Timeout::Error, Poke].freeze

  def self.answer(key)
    (key * 7919) + 13
  end

  def self.fill(client)
    (1..KEYS).each_slice(100) do |keys|
      client.batch_set(series: SERIES, items: keys.map { |key| [key, 20_260_505, answer(key)] })
    end
  end

  attr_reader :tally, :wrong

  def initialize(random)
    @random = random
    @tally = Hash.new(0)
    @wrong = []
    @mutex = Mutex.new
  end

  # Asks once, and counts what comes of it.
  def ask(client, key = draw { |random| random.rand(1..KEYS) })
    outcome = begin
      result = Thread.handle_interrupt(Poke => :immediate) do
        block_given? ? yield(client, key) : client.sum(series: SERIES, key: key)
      end
      result == Questions.answer(key) ? :right : :wrong
    rescue *TROUBLE => e
      e.class
    end
    @mutex.synchronize do
      @tally[outcome] += 1
      @wrong << [key, result] if outcome == :wrong
    end
  end

  # Asks some at once, and counts what comes of each. A pipeline that fails is one trouble for all of them.
  def ask_many(client, count)
    keys = Array.new(count) { draw { |random| random.rand(1..KEYS) } }
    outcomes = begin
      results = Thread.handle_interrupt(Poke => :immediate) do
        client.pipelined { |p| keys.each { |key| p.sum(series: SERIES, key: key) } }
      end
      keys.zip(results).map { |key, result| result == Questions.answer(key) ? :right : :wrong }
    rescue *TROUBLE => e
      [e.class] * count
    end
    @mutex.synchronize do
      outcomes.each { |outcome| @tally[outcome] += 1 }
      keys.zip(results || [], outcomes) { |key, result, outcome| @wrong << [key, result] if outcome == :wrong }
    end
  end

  # Asks with a time limit that is over at any moment of a call. The limits follow the speed of the machine, so that
  # about a fifth of the calls is interrupted.
  def ask_in_haste(client, calls)
    longest = 0.001
    calls.times do
      before = tally[Timeout::Error]
      ask(client) do |shared, key|
        Timeout.timeout(draw { |random| random.rand * longest }) { shared.sum(series: SERIES, key: key) }
      end
      longest *= tally[Timeout::Error] > before ? 1.2 : 0.95
    end
  end

  def draw
    @mutex.synchronize { yield @random }
  end

  # Threads that ask, and one that pokes them at random moments.
  def with_poked_threads(count, &block)
    workers = Array.new(count) { worker(&block) }
    poker = Thread.new do
      loop do
        sleep(draw { |random| random.rand * 0.002 })
        draw { |random| workers.sample(random: random) }.raise(Poke)
      end
    end
    workers.each { |thread| finished(thread) }
    poker.kill.join
  end

  # Asks, and is poked often while it waits for an answer: then a reply is owed that nobody reads.
  # @param calls [Integer] at least so many; and until it was poked 50 times
  # @yield to ask in another way
  def ask_and_be_poked(client, calls)
    asking = worker do
      block_given? ? yield(self, client) : ask(client) until tally.values.sum >= calls && tally[Poke] >= 50
    end
    while asking.alive?
      asking.raise(Poke) if asking.status == "sleep" && draw { |random| random.rand < 0.3 }
      Thread.pass
    end
    finished(asking)
  end

  private

  # A thread that is poked only where it lets itself be: from its first instruction on, as it inherits that.
  def worker(&block)
    Thread.handle_interrupt(Poke => :never) do
      Thread.new do
        Thread.current.report_on_exception = false
        block.call
      end
    end
  end

  # A poke that came after the last question is still under way.
  def finished(thread)
    thread.join
  rescue Poke
    nil
  end
end
