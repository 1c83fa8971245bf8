# frozen_string_literal: true

require_relative "../support/application"

# rails generate karma:install, in an application.
class GeneratorTest < Minitest::Test
  NAMES = "[host, port, connect_timeout, read_timeout, pool_size]"
  SETTINGS = "print KarmaClient.configuration.instance_eval { #{NAMES}.join(' ') }".freeze
  BREAKER = "print KarmaClient.configuration.circuit_breaker.class"

  def setup
    @app = KarmaTest::Application.new(url: "tcp://karma.example:1234")
  end

  def teardown
    @app.remove
  end

  def test_the_settings_it_makes_are_those_of_the_application
    assert_match(%r{create  config/karma.yml}, @app.rails("generate", "karma:install"))
    assert_equal "karma.example 1234 0.5 30.0 5", @app.rails("runner", SETTINGS)
    assert_equal "karma.example 1234 0.5 30.0 9", @app.rails("runner", SETTINGS, RAILS_MAX_THREADS: "9")
    assert_equal "127.0.0.1 8080 0.5 30.0 5", @app.rails("runner", SETTINGS, KARMA_URL: nil)
    assert_equal "KarmaClient::CircuitBreaker", @app.rails("runner", BREAKER)
  end

  def test_the_environment_is_not_overridden
    @app.rails("generate", "karma:install")
    nodes = "print KarmaClient.configuration.instance_eval { [nodes, connect_timeout, pool_size].inspect }"
    several = { KARMA_URLS: "tcp://a:1,tcp://b:2", KARMA_CONNECT_TIMEOUT: "2", KARMA_POOL_SIZE: "20" }
    assert_equal '[[["a", 1], ["b", 2]], 2, 20]', @app.rails("runner", nodes, **several)
    one = { KARMA_URL: nil, KARMA_HOST: "db", KARMA_PORT: "9000", RAILS_ENV: "development" }
    assert_equal '[[["db", 9000]], 0.5, 5]', @app.rails("runner", nodes, **one)
  end

  def test_it_is_found_by_its_name
    assert_match(/karma:install/, @app.rails("generate", "--help"))
  end

  def test_the_application_does_not_start_with_a_misspelt_setting
    @app.write("config/karma.yml", "production:\n  hots: karma.example\n")
    error = assert_raises(RuntimeError) { @app.rails("runner", SETTINGS) }
    assert_match(%r{config/karma.yml: Unknown Karma client option hots}, error.message)
  end

  def test_the_gem_may_be_loaded_before_rails
    @app.write("config/karma.yml", "production:\n  url: tcp://file:1\n")
    assert_equal "file 1 1.0 30.0 5", @app.rails("runner", SETTINGS, KARMA_CLIENT_FIRST: "1")
  end
end
