# frozen_string_literal: true

require_relative "../support/application"

# The programs and commands of docs/coming_from.md, as they stand there. Each is done twice, as somebody would who is not
# sure that the first time went well.
class ComingFromTest < Minitest::Test
  PAGE = File.expand_path("../../docs/coming_from.md", __dir__)
  DAYS = %w[2026-05-04 2026-05-05].freeze
  # Old counts of links by day: {link => {day => count}}.
  COUNTS = (1..40).to_h { |link| [link, DAYS.to_h { |day| [day, (link * 7) + day[-1].to_i] }] }.freeze
  NEW = 3

  def setup
    @node = TestNode.new("--wal-fsync=false").start
    @app = KarmaTest::Application.new(url: "tcp://127.0.0.1:#{@node.port}")
    @app.rails("db:schema:load")
    @app.write("bin/karma", "#!/bin/sh\nexec '#{TestNode.binary}' \"$@\" --port=#{@node.port}\n")
    File.chmod(0o755, @app.path("bin/karma"))
    @client = KarmaClient::Client.new(port: @node.port)
  end

  def teardown
    @client.close
    @app.remove
    @node.remove
  end

  def test_counter_cache
    @app.rails("runner", <<~RUBY)
      ActiveRecord::Base.connection.add_column :links, :clicks_count, :integer, default: 0
      Link.reset_column_information
      #{COUNTS.transform_values { |days| days.values.sum }}.each do |id, count|
        Link.create!(id: id, url: "https://example.org", clicks_count: count)
      end
      Link.create!(url: "https://example.org") # never clicked
    RUBY
    follow "counter_cache", "links_clicks"
    assert_equal total_counts, counted("links_clicks", range: 20_260_505..20_260_505)
  end

  def test_impressionist
    @app.write("app/models/impression.rb", "class Impression < ApplicationRecord; end\n")
    @app.rails("runner", <<~RUBY)
      ActiveRecord::Base.connection.create_table(:impressions) do |table|
        table.string :impressionable_type
        table.integer :impressionable_id
        table.timestamps
      end
      rows = #{COUNTS}.flat_map do |id, days|
        days.flat_map do |day, count|
          times = { created_at: day + " 23:59:59", updated_at: day + " 23:59:59" }
          [{ impressionable_type: "Link", impressionable_id: id, **times }] * count +
            [{ impressionable_type: "Page", impressionable_id: id, **times }]
        end
      end
      Impression.insert_all(rows)
    RUBY
    follow "impressionist", "links_views"
    assert_days "links_views"
  end

  def test_redis
    url = @app.start_redis
    redis = Redis.new(url: url)
    COUNTS.each { |link, days| days.each { |day, count| redis.hincrby("clicks:#{day}", link, count) } }
    redis.hincrby("clicks:2026-05-04", 99, -1)
    follow "Redis HINCRBY", "links_clicks", REDIS_URL: url
    assert_days "links_clicks"
  ensure
    redis&.close
  end

  # The last day of the file is one on which both were counting, Karma from some moment on.
  def test_counting_in_both_places
    @app.write("old.csv", COUNTS.flat_map { |link, days| days.map { |day, count| "#{link},#{day},#{count}\n" } }.join)
    COUNTS.each_key { |link| @client.increment(series: "links_clicks", key: link, bucket: DAYS.last) }
    2.times { @app.run("bin/karma", "import", "old.csv", "--series=links_clicks", "--mode=set") }
    assert_days "links_clicks"
  end

  private

  # Does what a section says while others count, and again.
  def follow(section, series, **environment)
    text = File.read(PAGE)[/^## #{section}\n(.*?)(?=^## |\z)/m, 1]
    program = text[/^```ruby\n(.*?)^```/m, 1]
    commands = text[/^```sh\n(.*?)^```/m, 1]
    @app.write(program[/\A# (\S+\.rb)$/, 1], program)
    COUNTS.each_key { |link| @client.increment(series: series, key: link, value: NEW) }
    2.times { @app.run("sh", "-eu", "-c", commands, PATH: "#{@app.path('bin')}:#{ENV.fetch('PATH')}", **environment) }
    assert_equal total_counts.map { |count| count + NEW }, counted(series)
  end

  def total_counts
    COUNTS.values.map { |days| days.values.sum }
  end

  def counted(series, **range)
    @client.batch_sum(series: series, keys: COUNTS.keys, **range).map { |item| item["value"] }
  end

  def assert_days(series)
    COUNTS.each do |link, days|
      expected = days.transform_keys { |day| day.delete("-") }
      assert_equal expected, @client.points(series: series, key: link, range: DAYS.first..DAYS.last)
    end
  end
end
