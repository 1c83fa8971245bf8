# frozen_string_literal: true

require_relative "../support/application"
require "net/http"
require "set"

# A Rails application in Puma's cluster mode. It has used all its connections to Karma before it forks (preload_app!), so
# a client that shares sockets with its children would answer requests with the answers of others.
class PumaTest < Minitest::Test
  CLIENTS = 8
  ROUNDS = Integer(ENV.fetch("KARMA_TEST_ROUNDS", 150))
  # New connections spread over the processes of Puma.
  ROUNDS_OF_A_CONNECTION = 10
  SHARED = CLIENTS + 1
  PROCESSES = 4
  START_SECONDS = 120

  # Asks like a browser, and remembers who has answered.
  class Browser
    attr_reader :processes, :requests

    def initialize(port)
      @port = port
      @processes = Set.new
      @requests = 0
    end

    def session
      Net::HTTP.start("127.0.0.1", @port) do |http|
        @http = http
        yield
      end
    end

    def get(path)
      answer(@http.get(path))
    end

    def post(path)
      answer(@http.post(path, ""))
    end

    private

    def answer(response)
      raise "#{response.code} #{response.body}" unless response.is_a?(Net::HTTPSuccess)

      @requests += 1
      JSON.parse(response.body).tap { |body| @processes << body["process"] }
    end
  end

  def setup
    # It does not close what is idle while Puma starts.
    @node = TestNode.new("--wal-fsync=false", "--read-timeout=600").start
    @app = KarmaTest::Application.new(url: "tcp://127.0.0.1:#{@node.port}")
    @app.rails("generate", "karma:install")
    @app.rails("db:schema:load")
    @app.rails("runner", "#{SHARED}.times { Link.create!(url: 'https://example.org') }")
    @port = TestNode.any_port
    @app.start("puma", "--config", "config/puma.rb", PORT: @port.to_s, SHORTENER_CONNECTS: "1")
    wait_for_puma
  end

  def teardown
    @app.remove
    @node.remove
  end

  def test_each_answer_belongs_to_its_request
    browsers = Array.new(CLIENTS) { Browser.new(@port) }
    totals = browsers.each_with_index.map { |browser, index| Thread.new { visit(browser, index + 1) } }.map(&:value)
    assert_equal PROCESSES, browsers.flat_map { |browser| browser.processes.to_a }.uniq.size
    assert_equal [*totals.map(&:first), totals.sum(&:last)], counted
    puts "#{browsers.sum(&:requests)} requests to #{PROCESSES} processes of Puma"
  end

  private

  # Counts on a link of its own, so that each answer is known beforehand, and on one that all share.
  def visit(browser, link)
    own = shared = 0
    (ROUNDS / ROUNDS_OF_A_CONNECTION).times do
      browser.session do
        ROUNDS_OF_A_CONNECTION.times do
          own += click(browser, link)
          assert_equal own, browser.get("/links/#{link}")["clicks"]
          shared += click(browser, SHARED)
          assert_operator browser.get("/links/#{SHARED}")["clicks"], :>=, shared
        end
        clicks = browser.get("/links")["clicks"]
        assert_equal [SHARED, own], [clicks.size, clicks[link.to_s]]
      end
    end
    [own, shared]
  end

  def click(browser, link)
    value = rand(1..1_000_000)
    assert_equal value, browser.post("/links/#{link}/clicks?value=#{value}")["counted"]
    value
  end

  def counted
    client = KarmaClient::Client.new(port: @node.port)
    client.batch_sum(series: "links_clicks", keys: (1..SHARED).to_a).map { |item| item["value"] }
  ensure
    client.close
  end

  def wait_for_puma
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + START_SECONDS
    begin
      assert_equal "200", Net::HTTP.get_response("127.0.0.1", "/health/karma", @port).code
    rescue SystemCallError
      raise "Puma did not start:\n#{File.read(@app.log)}" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

      sleep 0.05
      retry
    end
  end
end
