# frozen_string_literal: true

require_relative "../test_helper"
require "logger"
require "stringio"
require "active_support"
require "active_support/notifications"
require "karma_client/rails/log_subscriber"
require "karma_client/testing/minitest"

# What the log of an application says of Karma.
class LogSubscriberTest < Minitest::Test
  include KarmaClient::Testing::Minitest

  def setup
    @log = StringIO.new
    KarmaClient.configure { |configuration| configuration.logger = Logger.new(@log, level: :debug) }
    KarmaClient::LogSubscriber.attach_to :karma_client
  end

  def teardown
    KarmaClient::LogSubscriber.detach_from :karma_client
    KarmaClient::Testing.stop
    super
  end

  def increment(**options)
    KarmaClient.with_client { |client| client.increment(series: "links", key: 421_421, **options) }
  end

  def test_a_request
    increment
    assert_match(/DEBUG.*Karma counter.increment \(\d+\.\dms\).*  links$/, @log.string)
    refute_match(/421421/, @log.string)
  end

  def test_karma_is_down
    karma.down { assert_raises(KarmaClient::ConnectionError) { increment } }
    assert_match(/WARN.*Karma counter.increment.*  links  KarmaClient::ConnectionError: /, @log.string)
  end

  def test_a_refusal
    karma.fail_next("forbidden")
    assert_raises(KarmaClient::ForbiddenError) { increment }
    assert_match(/WARN.*links  forbidden$/, @log.string)
  end

  def test_a_series_that_is_not_there_is_no_failure
    assert_raises(KarmaClient::NotFoundError) { KarmaClient.with_client { |client| client.sum(series: "a", key: 1) } }
    assert_match(/DEBUG.*  a  not_found$/, @log.string)
  end

  def test_a_log_of_warnings_does_not_hear_of_successes
    KarmaClient.configuration.logger.level = :warn
    increment
    assert_empty @log.string
  end
end
