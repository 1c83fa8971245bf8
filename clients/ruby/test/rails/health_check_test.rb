# frozen_string_literal: true

require_relative "../test_helper"
require "karma_client/rails/health_check"
require "karma_client/testing/minitest"

# What a probe of the application is told.
class HealthCheckTest < Minitest::Test
  include KarmaClient::Testing::Minitest

  def teardown
    KarmaClient::Testing.stop
    super
  end

  def ask(**options)
    status, headers, body = KarmaClient::HealthCheck.new(**options).call({})
    assert_equal "application/json", headers["content-type"]
    [status, JSON.parse(body.join)]
  end

  def test_a_master
    assert_equal [200, { "reachable" => true, "role" => "master", "lag_ms" => 0 }], ask
  end

  def test_karma_is_down
    karma.down do
      assert_equal [503, { "reachable" => false, "error" => "KarmaClient::ConnectionError" }], ask
    end
  end

  def test_karma_refuses_to_answer
    karma.fail_next("unauthorized")
    assert_equal [503, { "reachable" => true, "error" => "KarmaClient::UnauthorizedError" }], ask
  end

  def test_a_slave_that_is_too_far_behind
    report = KarmaClient::HealthCheck::Report.new(reachable: true, role: "slave", lag_ms: 900)
    assert_equal [true, true, false], [nil, 1000, 800].map { |most| report.healthy?(most) }
    report.lag_ms = nil # its master does not answer
    assert_equal [true, false], [nil, 1000].map { |most| report.healthy?(most) }
  end

  def test_the_real_server_and_its_slave
    master = TestNode.new.start
    slave = TestNode.new("--role=slave", "--replication-source-host=127.0.0.1",
                         "--replication-source-port=#{master.port}").start
    KarmaClient.configure { |configuration| configuration.port = slave.port }
    report = KarmaClient::HealthCheck.new.check
    assert_equal [true, "slave", nil], [report.reachable, report.role, report.error]
  ensure
    slave&.remove
    master&.remove
  end
end
