# frozen_string_literal: true

require_relative "../test_helper"
require "karma_client/testing"

# The fake is worth something as long as it answers what the server answers.
class FakeTest < Minitest::Test
  SCRIPT = File.join(__dir__, "requests.ndjson")
  DAYS = [20_260_504, 20_260_505, 20_260_506, 20_270_101].freeze
  RANDOM_REQUESTS = 1500

  # A new node, since LSNs and idempotency keys are compared too.
  def setup
    @node = TestNode.new("--wal-fsync=false").start
    @fake = KarmaClient::Testing::Server.new(KarmaClient::Testing::Fake.new).start
    @sockets = [@node, @fake].map { |server| TCPSocket.new("127.0.0.1", server.port) }
  end

  def teardown
    @sockets.each(&:close)
    @fake.stop
    @node.remove
  end

  def test_the_replies_of_a_script
    lines = File.readlines(SCRIPT, chomp: true).reject { |line| line.start_with?("#") }
    lines.each { |line| assert_same_reply line, line }
  end

  def test_the_replies_to_requests_at_random
    seed = Integer(ENV.fetch("KARMA_TEST_SEED") { Random.new_seed & 0xffffffff })
    random = Random.new(seed)
    RANDOM_REQUESTS.times do |number|
      line = JSON.generate(request(random))
      assert_same_reply line, "request #{number}, KARMA_TEST_SEED=#{seed}: #{line}"
    end
  end

  def test_a_request_that_is_too_long_is_refused_and_the_connection_closed
    line = JSON.generate(v: 2, op: "counter.batch_sum", series: "links", keys: (1..2000).to_a)
    assert_same_reply line, "too long"
    assert_equal [nil, nil], @sockets.map { |socket| rest(socket) }
  end

  def test_a_day_that_is_not_given_is_today
    @sockets.each { |socket| ask(socket, JSON.generate(v: 2, op: "counter.increment", series: "links", key: 1)) }
    assert_same_reply JSON.generate(v: 2, op: "tree.points", series: "links"), "today"
  end

  private

  def assert_same_reply(line, message)
    real, fake = @sockets.map { |socket| comparable(ask(socket, line), line) }
    # The server's reply has more of some than a client asks for.
    real["response"] = real["response"].slice(*fake["response"].keys) if line.include?("replication.status")
    assert_equal real, fake, message
    assert_equal real.keys, fake.keys, message
  end

  # What was sent and not read before the close may reset the connection.
  def rest(socket)
    socket.gets
  rescue Errno::ECONNRESET
    nil
  end

  def ask(socket, line)
    socket.write(line, "\n")
    JSON.parse(socket.gets)
  end

  # Texts of errors are for human readers.
  def comparable(reply, line)
    reply["response"] = nil unless reply["success"]
    reply["response"].delete("uptime_seconds") if line.include?("system.health")
    reply
  end

  def request(random)
    fields = { v: 2, op: KarmaClient::Testing::Catalog::OPS.keys.grep(/counter|series|tree/).sample(random: random) }
    optional = { key: random.rand(4), keys: Array.new(random.rand(4)) { random.rand(5) }, range: range(random),
                 value: random.rand(8), bucket: DAYS.sample(random: random), limit: random.rand(4),
                 items: items(random, fields[:op]), before: DAYS.sample(random: random), cursor: random.rand(4),
                 want_lsn: true, idempotency_key: random.rand(40), compare_to: range(random),
                 order_by: %w[value delta size].sample(random: random),
                 ranges: Array.new(random.rand(4)) { range(random) if random.rand(4).positive? } }
    fields[:series] = %w[links views].sample(random: random)
    # Nearly all fields that the op may want, now and then one that it does not, or one that is misspelt.
    fields.merge!(optional.select { |name, _| random.rand(10) < likely(fields[:op], name) })
    fields.delete(:range) if fields.key?(:ranges) && random.rand(4).positive?
    fields[misspelt(KarmaClient::Testing::Catalog::FIELDS.sample(random: random), random)] = 1 if random.rand(8).zero?
    fields
  end

  def misspelt(name, random)
    random.rand(1..3).times do
      place = random.rand(name.size)
      name = name.dup
      case random.rand(3)
      when 0 then name.slice!(place)
      when 1 then name.insert(place, %w[a X _ -].sample(random: random))
      when 2 then name[place, 2] = name[place, 2].reverse
      end
      break if name.empty?
    end
    name
  end

  def likely(operation, name)
    op = KarmaClient::Testing::Catalog.find(operation)
    return op.takes.include?(name.to_s) ? 9 : 0.2 if op.deletes

    %i[idempotency_key limit ranges compare_to order_by].include?(name) ? 3 : 8
  end

  def range(random)
    from, to = Array.new(2) { DAYS.sample(random: random) }.sort
    { from: from, to: to }
  end

  def items(random, operation)
    Array.new(random.rand(4)) do
      key = random.rand(4)
      next { series: %w[links views].sample(random: random), key: key } if operation == "counter.multi_sum"

      [key, DAYS.sample(random: random), random.rand(1..5)]
    end
  end
end
