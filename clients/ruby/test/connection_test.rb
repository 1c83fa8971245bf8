# frozen_string_literal: true

require_relative "test_helper"
require "minitest/mock"

# Replies that belong to others, sockets that others closed, and time that is over.
class ConnectionTest < Minitest::Test
  include KarmaTest::Server
  include KarmaTest::Scripted

  # Of a node that could not read a request, or does not want the connection.
  WITHOUT_ID = %({"protocol_version":2,"success":false,"response":"text","error_code":"internal_error"}\r\n)

  def script(**options, &answer)
    super(retries: 0, **options, &answer)
  end

  def connection(port)
    KarmaClient::Connection.new(host: "127.0.0.1", port: port, read_timeout: 0.2)
  end

  def command(operation = "system.ping")
    KarmaClient::Command.new(operation, {})
  end

  def test_an_answer_with_another_id_is_not_returned
    client = script { |line| KarmaTest.reply(line, "wrong", id: 5) }
    assert_raises(KarmaClient::MismatchedReplyError) { client.ping }
    assert_raises(KarmaClient::MismatchedReplyError) { client.ping }
    assert_equal 2, @script.connections
  end

  def test_a_node_that_sends_ids_sends_them_always
    answers = [->(line) { KarmaTest.reply(line) }, ->(_) { KarmaTest::OK }]
    client = script { |line| answers.shift.call(line) }
    assert_equal "OK", client.ping
    assert_raises(KarmaClient::MismatchedReplyError) { client.ping }
  end

  # As the node answers what it could not read. Whose answer it is cannot be proved: nothing follows it.
  def test_an_error_without_an_id_ends_its_connection
    answers = [->(line) { KarmaTest.reply(line) }, ->(_) { WITHOUT_ID }, ->(line) { KarmaTest.reply(line) }]
    client = script { |line| answers.shift.call(line) }
    assert_equal "OK", client.ping
    assert_equal "internal_error", client.request("system.ping").error_code
    assert_equal "OK", client.ping
    assert_equal 2, @script.connections
  end

  # As the node tells a connection that it does not want. The first answers tell whether a node sends ids, but not this.
  def test_an_error_that_nobody_asked_for_is_no_reason_to_do_without_ids
    client = script do |line, socket|
      socket.write(WITHOUT_ID) if @script.lines.size == 1
      KarmaTest::OK if line
    end
    assert_equal "internal_error", client.request("system.ping").error_code
    assert_equal "OK", client.ping
    assert_equal 2, @script.connections
  end

  # Else each call of the pipeline would get the answer to the one before it.
  def test_an_error_that_nobody_asked_for_before_the_answers_to_a_pipeline
    [->(_) { KarmaTest::OK }, ->(line) { KarmaTest.reply(line) }].each do |answer|
      client = script { |line| @script.lines.size == 1 ? WITHOUT_ID + answer.call(line) : answer.call(line) }
      futures = nil
      assert_raises(KarmaClient::MismatchedReplyError) do
        client.pipelined { |p| futures = Array.new(3) { |key| p.increment(series: "a", key: key) } }
      end
      assert_equal(["internal_error", nil, nil], futures.map { |future| future.response&.error_code })
      @script.close
    end
  end

  # Whoever sends ids has not sent what came without one.
  def test_an_answer_without_an_id_before_answers_that_have_ids
    client = script { |line| @script.lines.size == 1 ? KarmaTest::OK : KarmaTest.reply(line) }
    assert_raises(KarmaClient::MismatchedReplyError) { client.pipelined { |p| 3.times { p.ping } } }
  end

  # The first request was given up, and the connection is used all the same: the id of the reply to it is enough.
  def test_the_first_reply_of_a_connection_is_compared_like_any_other
    stream = KarmaClient::Stream.new(nil)
    first, second = Array.new(2) { stream.next_id(Process.pid) }
    late = KarmaClient::Response.new("success" => true, "response" => 1, "id" => first)
    refute stream.answer?(late, second)
  end

  def test_ids_differ_between_connections_and_processes
    streams = Array.new(50) { KarmaClient::Stream.new(nil) }
    ids = streams.flat_map { |stream| Array.new(50) { stream.next_id(Process.pid) } }
    assert_equal ids.size, ids.uniq.size
    reader, writer = IO.pipe
    child = fork { writer.write(streams.map { |stream| stream.next_id(Process.pid) }.join(" ")) && exit!(0) }
    Process.wait(child)
    writer.close
    assert_empty reader.read.split.map(&:to_i) & streams.map { |stream| stream.next_id(Process.pid) }
    assert_operator ids.max, :<, 2**62
  end

  # The reply to the call that ran out of time comes later, on a connection that nobody uses any more.
  def test_a_late_reply_is_never_taken
    hold = Queue.new
    client = script(read_timeout: 0.05) do |line|
      hold.pop if line.include?('"key":1,') || line.include?('"key":1}')
      KarmaTest::OK.sub('"OK"', JSON.parse(line)["key"].to_s)
    end
    error = assert_raises(KarmaClient::TimeoutError) { client.sum(series: "a", key: 1) }
    assert_equal [:read, 0.05, "Karma read timed out after 0.05s"], [error.operation, error.timeout, error.message]
    hold.push(1)
    assert_equal 2, client.sum(series: "a", key: 2)
    assert_equal 2, @script.connections
  end

  def test_what_nobody_asked_for_is_not_an_answer
    client = script { |line| KarmaTest.reply(line) + KarmaTest::OK }
    assert_equal "OK", client.ping
    assert_equal "OK", client.ping
    assert_equal 2, @script.connections
  end

  # 1.0's gem failed twice here.
  def test_a_connection_that_the_node_closed_is_replaced_before_it_is_used
    closed = Queue.new
    client = script do |line, socket|
      socket.write(KarmaTest.reply(line))
      socket.close
      closed.push(1)
      nil
    end
    later = KarmaClient::Clock.now
    3.times do
      # A socket counts as idle some milliseconds after it was used.
      KarmaClient::Clock.stub(:now, later += 1) { assert_equal "OK", client.increment(series: "a", key: 1) }
      closed.pop
    end
  end

  def test_a_reply_cut_off_is_an_error_and_the_next_call_is_well
    cut = [true]
    client = script do |line, socket|
      next KarmaTest.reply(line) unless cut.shift

      socket.write(KarmaTest.reply(line)[0, 20])
      socket.close
      nil
    end
    error = assert_raises(KarmaClient::ConnectionError) { client.increment(series: "a", key: 1) }
    assert_equal "Karma closed the connection", error.message
    assert_equal "OK", client.ping
  end

  def test_replies_in_pieces_and_long_ones
    text = "é" * 200_000
    client = script do |line, socket|
      KarmaTest.reply(line, text).bytes.each_slice(70_001) { |bytes| socket.write(bytes.pack("C*")) }
      nil
    end
    assert_equal text, client.ping
  end

  def test_long_requests
    client = script { |line| KarmaTest.reply(line, line.bytesize) }
    assert_operator client.call("system.ping", text: "x" * 3_000_000), :>, 3_000_000
  end

  def test_a_request_that_is_not_taken_times_out
    listener = TCPServer.new("127.0.0.1", 0)
    client = KarmaClient::Client.new(host: "127.0.0.1", port: listener.addr[1], write_timeout: 0.05)
    error = assert_raises(KarmaClient::TimeoutError) { client.call("system.ping", text: "x" * 30_000_000) }
    assert_equal [:write, 0.05], [error.operation, error.timeout]
  ensure
    listener&.close
  end

  def test_the_deadline_is_for_the_whole_call
    client = script { nil }
    error = assert_raises(KarmaClient::TimeoutError) { client.ping(timeout: 0.05) }
    assert_equal [:read, nil, "Karma read timed out with the whole call"],
                 [error.operation, error.timeout, error.message]
  end

  # Its turn comes when its time is over: then it must not be sent any more.
  def test_a_call_that_waited_too_long_for_another_is_not_sent
    asked = Queue.new
    release = Queue.new
    client = script(read_timeout: 5.0) { |line| asked.push(1) && release.pop && KarmaTest.reply(line) }
    first = Thread.new { client.increment(series: "a", key: 1) }
    asked.pop
    second = Thread.new do
      assert_raises(KarmaClient::TimeoutError) do
        client.increment(series: "a", key: 2, timeout: 0.01)
      end
    end
    Thread.pass until second.status == "sleep"
    over = KarmaClient::Clock.now + 0.01
    Thread.pass until KarmaClient::Clock.now > over
    2.times { release.push(1) }
    [first, second].each(&:join)
    assert_equal [1], (@script.requests.map { |request| request["key"] })
  end

  # The time for a reply begins once, not with each piece of it.
  def test_pieces_of_a_reply_share_its_time
    now = 100.0
    waits = []
    io = Object.new
    io.define_singleton_method(:write_nonblock) { |lines, **| lines.bytesize }
    io.define_singleton_method(:read_nonblock) { |_, buffer, **| buffer.replace("piece") }
    io.define_singleton_method(:close) { nil }
    io.define_singleton_method(:wait_readable) do |seconds|
      waits << seconds.round(3)
      now += 0.15
      self if seconds >= 0.15
    end
    node = connection(1)
    KarmaClient::Clock.stub(:now, -> { now }) do
      node.stub(:connect, io) { assert_raises(KarmaClient::TimeoutError) { node.exchange(command) } }
    end
    assert_equal [0.2, 0.05], waits
  end

  def test_sockets_that_cannot_be_had
    Socket.stub(:new, ->(*) { raise Errno::EMFILE }) do
      assert_raises(KarmaClient::ConnectionError) { connection(1).exchange(command) }
    end
  end

  # As on machines without IPv6, where "localhost" is ::1 first.
  def test_the_next_address_is_tried_where_the_first_is_of_no_use
    client = script { |line| KarmaTest.reply(line) }
    addresses = [Addrinfo.tcp("::1", @script.port), Addrinfo.tcp("127.0.0.1", @script.port)]
    create = Socket.method(:new)
    without_ipv6 = lambda do |family, *rest|
      raise Errno::EAFNOSUPPORT if family == Socket::AF_INET6

      create.call(family, *rest)
    end
    Addrinfo.stub(:getaddrinfo, addresses) { Socket.stub(:new, without_ipv6) { assert_equal "OK", client.ping } }
  end

  # An address without a route uses up its share, not the time of all.
  def test_addresses_share_the_time
    limits = []
    node = connection(1)
    attempt = lambda do |_, limit|
      limits << limit
      raise Errno::ETIMEDOUT
    end
    KarmaClient::Clock.stub(:now, 100.0) do
      Addrinfo.stub(:getaddrinfo, [Addrinfo.tcp("::1", 1), Addrinfo.tcp("127.0.0.1", 1)]) do
        node.stub(:connect, attempt) { assert_raises(KarmaClient::ConnectTimeoutError) { node.exchange(command) } }
      end
    end
    assert_equal [100.5, 101.0], limits
  end

  def test_a_name_server_that_does_not_answer
    release = Queue.new
    Addrinfo.stub(:getaddrinfo, ->(*) { release.pop }) do
      client = KarmaClient::Client.new(host: "karma.example")
      assert_raises(KarmaClient::ConnectTimeoutError) { client.ping(timeout: 0.02) }
    end
  ensure
    release.push([])
  end

  def test_names
    client = script { |line| KarmaTest.reply(line) }
    assert_equal "OK", KarmaClient::Client.new(host: "localhost", port: @script.port).ping
    unknown = KarmaClient::Client.new(host: "karma.invalid", port: @script.port, retries: 0)
    Addrinfo.stub(:getaddrinfo, ->(*) { raise SocketError, "not known" }) do
      assert_equal "not known (karma.invalid:#{@script.port})",
                   assert_raises(KarmaClient::ConnectionError) { unknown.ping }.message
    end
    client.close
  end

  def test_replies_have_a_bound
    client = script(max_response_bytes: 100_000) { |line| KarmaTest.reply(line, "x" * @script.lines.size * 90_000) }
    assert_equal 90_000, client.ping.size
    error = assert_raises(KarmaClient::ProtocolError) { client.ping }
    assert_equal "Karma's reply is longer than 100000 bytes", error.message
  end

  def test_a_socket_is_closed_when_its_connect_is_interrupted
    socket = Socket.new(:INET, :STREAM)
    socket.define_singleton_method(:connect_nonblock) { |*, **| raise Interrupt }
    Socket.stub(:new, socket) { assert_raises(Interrupt) { connection(1).exchange(command) } }
    assert_predicate socket, :closed?
  end

  # Remembers how much is looked through for a line end.
  class Searched < String
    attr_reader :bytes

    def index(sought, from)
      @bytes = (@bytes || 0) + bytesize - from
      super
    end
  end

  # A reply of twice the length takes twice the work.
  def test_what_was_received_is_searched_once
    chunks = (["x" * 1000] * 100) << "\n"
    io = Object.new
    io.define_singleton_method(:wait_readable) { |_| self }
    io.define_singleton_method(:read_nonblock) { |_, buffer, **| buffer.replace(chunks.shift) }
    stream = KarmaClient::Stream.new(io)
    received = Searched.new
    stream.instance_variable_set(:@received, received)
    assert_equal 100_001, stream.read_line { Float::INFINITY }.bytesize
    assert_operator received.bytes, :<=, 100_001
  end

  def test_what_was_taken_is_not_kept
    chunks = ["#{"#{'x' * 1000}\n" * 100}begins "] * 100
    io = Object.new
    io.define_singleton_method(:wait_readable) { |_| self }
    io.define_singleton_method(:read_nonblock) { |_, buffer, **| buffer.replace(chunks.shift) }
    stream = KarmaClient::Stream.new(io)
    9900.times { stream.read_line { Float::INFINITY } }
    assert_operator stream.instance_variable_get(:@received).bytesize, :<, 500_000
  end

  # The other one does not end before.
  def test_the_wait_for_another_thread_is_bounded
    asked = Queue.new
    release = Queue.new
    client = script(read_timeout: 5.0) { |line| asked.push(1) && release.pop && KarmaTest.reply(line) }
    first = Thread.new { client.increment(series: "a", key: 1) }
    asked.pop
    assert_raises(KarmaClient::ExpiredError) { client.increment(series: "a", key: 2, timeout: 0.02) }
    assert_predicate first, :alive?
    release.push(1)
    assert_equal "OK", first.value
    assert_equal 1, @script.lines.size
  end

  # Nothing is wrong with the node and the connection.
  def test_calls_that_are_over_before_they_begin
    client = script(circuit_breaker: { failures: 2 }) { |line| KarmaTest.reply(line) }
    client.ping
    3.times { assert_raises(KarmaClient::ExpiredError) { client.increment(series: "a", key: 1, timeout: -1) } }
    assert_equal "OK", client.ping
    assert_equal [1, 2], [@script.connections, @script.lines.size]
  end

  def test_a_forked_child_opens_its_own
    client = script { |line| KarmaTest.reply(line, @script.connections) }
    assert_equal 1, client.ping
    child = fork { exit!(client.ping) }
    assert_equal 2, Process.wait2(child).last.exitstatus
    client.ping
    assert_equal 2, @script.connections
  end
end
