# frozen_string_literal: true

# Counts a click exactly once, however often it runs. The tests have it fail after it has counted.
class CountClickWorker
  include Sidekiq::Worker

  sidekiq_options retry: 19

  def perform(event, link, day, failures)
    KarmaClient.with_client do |karma|
      karma.once("click-#{event}", at: day) do |click|
        click.increment(series: "links_clicks", key: link)
        click.increment(series: "site_clicks", key: 1)
      end
    end
    attempt = Sidekiq.redis { |redis| redis.incr("attempts:#{event}") }
    Sidekiq.redis { |redis| redis.rpush("shortener:events", attempt <= failures ? "failed" : "done") }
    raise "The test wants this failure" if attempt <= failures
  end
end
