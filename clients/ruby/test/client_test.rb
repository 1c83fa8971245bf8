# frozen_string_literal: true

require_relative "test_helper"
require "minitest/mock"

# What applications of the first gem rely on, and what goes over the wire.
class ClientTest < Minitest::Test
  include KarmaTest::Server
  include KarmaTest::Scripted

  # Tests change the global configuration: each begins with that of the environment.
  def setup
    KarmaClient.instance_variable_set(:@configuration, nil)
  end

  def teardown
    KarmaClient.close
    KarmaClient.instance_variable_set(:@configuration, nil)
    super
  end

  def script(&answer)
    super(retries: 0, &answer)
  end

  def test_the_request_is_one_line_of_protocol_v2
    client = script { KarmaTest::OK }
    client.increment(series: :links, key: "5", bucket: "2026-05-05")
    client.call("counter.sum", series: "links", key: 5, range: nil)
    sent = @script.requests.map { |request| request.except("id") }
    assert_equal [{ "v" => 2, "op" => "counter.increment", "series" => "links", "key" => 5, "value" => 1,
                    "bucket" => 20_260_505 },
                  { "v" => 2, "op" => "counter.sum", "series" => "links", "key" => 5 }], sent
  end

  # As another thread does that closes the pool, or configures the client.
  def test_a_pool_that_is_closed_just_before_it_is_used
    script { |line| KarmaTest.reply(line) }
    KarmaClient.configure { |configuration| configuration.port = @script.port }
    closed = KarmaClient.pool
    pools = [closed, KarmaClient::Pool.new(size: 1, timeout: 1) { KarmaClient.client }]
    KarmaClient.close
    KarmaClient.stub(:pool, -> { pools.shift }) { assert_equal "OK", KarmaClient.with_client(&:ping) }
    assert_raises(KarmaClient::PoolTimeout) { KarmaClient.with_client { closed.with { flunk } } }
  end

  def test_the_token_is_sent
    client = script { KarmaTest::OK }
    client.configuration.token = "secret"
    client.ping
    assert_equal "secret", @script.requests.first["token"]
  end

  # Fields as the first gem sends them, for each method that has a choice.
  def test_names_on_the_wire
    client = script { KarmaTest::OK }
    day = 20_260_505
    client.delete_range(series: "a", key: 1, from: day, to: day)
    client.delete_range(series: "a", from: day, to: day)
    client.series_keys("a", limit: 5, cursor: 2)
    client.recovery_checkpoint(source: "s", offset: 7)
    client.batch_add(series: "a", items: [[1, day, 2]], idempotency_key: 9, fingerprint: "f")
    client.multi_sum(items: [{ series: "a", key: 1 }])
    range = { "from" => day, "to" => day }
    expected = [
      { "op" => "counter.delete_range", "series" => "a", "key" => 1, "range" => range },
      { "op" => "tree.delete_range", "series" => "a", "range" => range },
      { "op" => "tree.keys", "series" => "a", "limit" => 5, "cursor" => 2 },
      { "op" => "recovery.checkpoint", "source" => "s", "source_offset" => "7" },
      { "op" => "series.batch_add", "series" => "a", "items" => [[1, day, 2]], "idempotency_key" => "9",
        "fingerprint" => "f" },
      { "op" => "counter.multi_sum", "items" => [{ "series" => "a", "key" => 1 }] }
    ]
    assert_equal(expected, @script.requests.map { |request| request.except("v", "id") })
  end

  # Replies of 1.0 end with a bare line feed and carry no id.
  def test_a_node_of_1_0_is_understood
    client = script { |line| %({"protocol_version":2,"success":true,"response":#{line.size},"error_code":null}\n) }
    3.times { |key| assert_kind_of Integer, client.sum(series: "a", key: key) }
    assert_equal 1, @script.connections
  end

  def test_errors_of_a_node_of_1_0_do_not_end_the_connection
    client = script { %({"protocol_version":2,"success":false,"response":"text","error_code":"not_found"}\n) }
    3.times { assert_raises(KarmaClient::NotFoundError) { client.ping } }
    assert_equal 1, @script.connections
  end

  def test_each_code_has_a_class
    KarmaClient::ServerError::BY_CODE.each do |code, type|
      client = script { %({"protocol_version":2,"success":false,"response":"text","error_code":"#{code}"}\r\n) }
      error = assert_raises(type, code) { client.ping }
      assert_equal ["text", code, 2, code], [error.message, error.code, error.protocol_version,
                                             error.response.error_code]
      retriable = %w[query_timeout replication_gap replication_error internal_error stale_replica not_confirmed]
      assert_equal retriable.include?(code), error.retriable?, code
      assert_kind_of KarmaClient::ServerError, error
      @script.close
    end
  end

  # It has counted: without a key the same call would count once more.
  def test_a_write_that_is_not_confirmed_may_be_repeated_with_a_key_alone
    client = script { |line| KarmaTest.reply(line, "text", success: false, error_code: "not_confirmed") }
    key = { idempotency_key: "k" }
    calls = {
      -> { client.increment(series: "a", key: 1) } => false,
      -> { client.increment(series: "a", key: 1, **key) } => true,
      -> { client.once("e", at: 20_260_505) { |once| once.increment(series: "a", key: 1) } } => true,
      -> { client.call("tree.drop", series: "a", **key) } => false,
      -> { client.pipelined { |p| p.increment(series: "a", key: 1) } } => false,
      -> { client.pipelined { |p| p.increment(series: "a", key: 1, **key) } } => true
    }
    calls.each do |call, retriable|
      assert_equal retriable, assert_raises(KarmaClient::NotConfirmedError, &call).retriable?
    end
  end

  def test_codes_of_the_protocol_are_all_known
    document = File.read(File.expand_path("../../../docs/protocol.md", __dir__))
    codes = document[/## Error codes(.*?)\n\n[^|]*\n?##? ?|## Error codes(.*?)\nPrograms/m].scan(/^\| `(\w+)`/).flatten
    assert_operator codes.size, :>=, 17
    assert_equal codes.sort, KarmaClient::ServerError::BY_CODE.keys.sort
  end

  def test_a_code_of_the_future_is_a_server_error
    client = script { %({"protocol_version":2,"success":false,"response":"text","error_code":"new"}\n) }
    assert_instance_of KarmaClient::ServerError, assert_raises(KarmaClient::ServerError) { client.ping }
  end

  def test_malformed_replies
    ["nonsense", "[1]", "{}", '{"success":1}'].each do |reply|
      client = script { "#{reply}\n" }
      assert_raises(KarmaClient::ProtocolError, reply) { client.ping }
      @script.close
    end
  end

  def test_what_is_no_text_is_refused_and_the_next_call_is_well
    client = script { |line| KarmaTest.reply(line, 7) }
    deep = 200.times.inject([]) { |inner, _| [inner] }
    120.times do
      assert_raises(KarmaClient::InputError) { client.sum(series: "\xff", key: 1) }
      assert_raises(KarmaClient::InputError) { client.call("system.ping", deep: deep) }
    end
    assert_equal 7, client.sum(series: "a", key: 1)
    assert_equal [1, 1], [@script.lines.size, @script.connections]
  end

  def test_errors_of_the_real_server
    assert_raises(KarmaClient::NotFoundError) { karma.sum(series: series, key: 1) }
    assert_raises(KarmaClient::ValidationError) { karma.increment(series: "a/b", key: 1) }
    assert_raises(KarmaClient::UnknownCommandError) { karma.call("no.such") }
    error = assert_raises(KarmaClient::RequestTooLargeError) { karma.call("system.ping", padding: "x" * 1_000_001) }
    assert_equal "request_too_large", error.code
    assert_equal "pong", karma.ping
  end

  def test_nobody_there
    port = TestNode.any_port
    error = assert_raises(KarmaClient::ConnectionError) { KarmaClient::Client.new(host: "127.0.0.1", port: port).ping }
    assert_equal ["127.0.0.1", port], [error.host, error.port]
    assert_raises(KarmaClient::ConnectionError) { KarmaClient::Client.new(host: "no.such.host.invalid").ping }
  end

  def test_events
    events = []
    instrumenter = Object.new
    instrumenter.define_singleton_method(:instrument) do |name, payload, &block|
      block.call.tap { events << [name, payload] }
    end
    client = client(instrumenter: instrumenter)
    client.increment(series: series, key: 1)
    client.request("counter.sum", series: "#{series}-missing", key: 1)
    client.ping
    assert_equal(["request.karma_client"] * 3, events.map(&:first))
    assert_equal [["counter.increment", series, nil], ["counter.sum", "#{series}-missing", "not_found"],
                  ["system.ping", nil, nil]],
                 (events.map { |_, payload| payload.values_at(:operation, :series, :error_code) })
  end

  def test_the_global_pool
    KarmaClient.configure do |configuration|
      configuration.host = "127.0.0.1"
      configuration.port = node.port
      configuration.pool_size = 2
      configuration.pool_timeout = 0.05
    end
    assert_equal "pong", KarmaClient.with_client(&:ping)
    assert_equal "pong", KarmaClient.client.tap { |client| (@clients ||= []) << client }.ping
    pool = KarmaClient.pool
    assert_same pool, KarmaClient.pool
    KarmaClient.close
    refute_same pool, KarmaClient.pool
    error = assert_raises(KarmaClient::PoolTimeout) { pool.with(&:ping) }
    assert_equal "Karma client pool is closed", error.message
  end

  def test_configure_refuses_and_says_so
    assert_raises(KarmaClient::ConfigurationError) { KarmaClient.configure { |c| c.pool_size = 0 } }
  end
end
