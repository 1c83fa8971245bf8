# frozen_string_literal: true

require_relative "../support/application"
require "sidekiq/api"

# Jobs that count, that fail after they have counted and are run again, and that are enqueued twice.
class SidekiqTest < Minitest::Test
  EVENTS = 200
  LINKS = 10
  DAY = 20_260_505
  MOST_FAILURES = 3
  # One of so many events is enqueued twice.
  TWICE = 10
  JOBS = EVENTS + (EVENTS / TWICE)
  FAILURES = EVENTS.times.sum { |event| event % (MOST_FAILURES + 1) }
  SECONDS = 240

  ENQUEUE = <<~RUBY.freeze
    #{EVENTS}.times do |event|
      (event % #{TWICE} == 0 ? 2 : 1).times do
        CountClickWorker.perform_async(event, event % #{LINKS} + 1, #{DAY}, event % #{MOST_FAILURES + 1})
      end
    end
  RUBY

  def setup
    @node = TestNode.new("--wal-fsync=false").start
    @app = KarmaTest::Application.new(url: "tcp://127.0.0.1:#{@node.port}")
    @redis_url = @app.start_redis
    Sidekiq.configure_client { |config| config.redis = { url: @redis_url } }
    Sidekiq.logger.level = Logger::ERROR
    Redis.silence_deprecations = true # those of Sidekiq 6.4
    @app.run("ruby", "bin/rails", "runner", ENQUEUE, REDIS_URL: @redis_url)
  end

  def teardown
    @app.remove
    @node.remove
  end

  def test_each_event_counts_once
    assert_equal JOBS, Sidekiq::Queue.new.size
    @app.start("sidekiq", "--environment", "production", "--require", ".", REDIS_URL: @redis_url)
    assert_equal({ "done" => JOBS, "failed" => FAILURES }, run_all_jobs)
    client = KarmaClient::Client.new(port: @node.port)
    totals = client.batch_sum(series: "links_clicks", keys: (1..LINKS).to_a, range: DAY..DAY)
    assert_equal([EVENTS / LINKS] * LINKS, totals.map { |item| item["value"] })
    assert_equal EVENTS, client.sum(series: "site_clicks", key: 1, range: DAY..DAY)
    assert_equal 2 * (JOBS - EVENTS + FAILURES), client.stats["idempotency_hits"]
  ensure
    client&.close
  end

  private

  # Sidekiq would wait longer with each failure of a job: it is told to try again at once. Each run of a job announces
  # itself, which is what is waited for.
  def run_all_jobs
    ends = Process.clock_gettime(Process::CLOCK_MONOTONIC) + SECONDS
    runs = Hash.new(0)
    while runs["done"] < JOBS
      raise "#{runs}:\n#{File.read(@app.log)}" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > ends

      _, run = Sidekiq.redis { |redis| redis.blpop("shortener:events", timeout: 1) }
      run ? runs[run] += 1 : Sidekiq::RetrySet.new.retry_all
    end
    runs
  end
end
