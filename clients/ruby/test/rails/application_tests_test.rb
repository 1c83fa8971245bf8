# frozen_string_literal: true

require_relative "../support/application"

# Tests of a Rails application, as docs/testing.md has them: run by Rails, in several processes.
class ApplicationTestsTest < Minitest::Test
  PROCESSES = 3
  TESTS = 12

  HELPER = <<~RUBY.freeze
    require_relative "../config/environment"
    require "rails/test_help"
    require "karma_client/testing/minitest"

    class ActiveSupport::TestCase
      include KarmaClient::Testing::Minitest
      parallelize(workers: #{PROCESSES})

      # Each process comes here, also one that is too late for a test.
      parallelize_setup do
        KarmaClient::Testing.reset!
        KarmaClient.with_client { |client| client.increment(series: "links_clicks", key: 1) }
        File.write("node-\#{KarmaClient.configuration.port}", KarmaClient::Testing.total("links_clicks", 1))
      end
    end
  RUBY

  CLICKS = <<~RUBY.freeze
    require_relative "test_helper"

    class ClicksTest < ActionDispatch::IntegrationTest
      #{TESTS}.times do |number|
        test "a click, \#{number}" do
          link = Link.create!(url: "https://example.org")
          assert_difference(-> { karma.total("links_clicks", link.id) }, 5) { post "/links/\#{link.id}/clicks?value=5" }
          assert_equal 5, response.parsed_body["counted"]
        end
      end

      test "a list" do
        3.times { Link.create!(url: "https://example.org") }
        assert_karma_requests(1) { get "/links" }
      end

      test "in another time" do
        travel_to Time.utc(2026, 5, 5) do
          Link.create!(id: 7, url: "https://example.org").increment_clicks!
          assert_equal 1, karma.total("links_clicks", 7, range: 20260505..20260505)
        end
      end

      test "without Karma" do
        Link.create!(url: "https://example.org")
        karma.down { get "/links" }
        assert_equal [nil], response.parsed_body["clicks"].values
      end
    end
  RUBY

  def test_each_process_has_a_node_of_its_own
    app = KarmaTest::Application.new
    app.write("test/test_helper.rb", HELPER)
    app.write("test/clicks_test.rb", CLICKS)
    app.rails("db:schema:load", RAILS_ENV: "test")
    output = app.rails("test", RAILS_ENV: "test", MT_NO_PLUGINS: nil)
    assert_match(/#{TESTS + 3} runs, .* 0 failures, 0 errors/, output)
    assert_equal ["1"] * PROCESSES, Dir[app.path("node-*")].map { |node| File.read(node) }
  ensure
    app.remove
  end
end
