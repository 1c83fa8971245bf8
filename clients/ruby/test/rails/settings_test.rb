# frozen_string_literal: true

require_relative "../test_helper"
require "rails"
require "stringio"

# config/karma.yml and config.karma_client.
class SettingsTest < Minitest::Test
  def setup
    @root = Dir.mktmpdir("karma-settings")
    @environment = Rails.env
    Rails.env = "production"
  end

  def teardown
    Rails.env = @environment
    FileUtils.rm_rf(@root)
  end

  def settings(file = nil, environment: {}, **options)
    FileUtils.mkdir_p(File.join(@root, "config"))
    File.write(File.join(@root, "config/karma.yml"), file) if file
    root = @root
    app = Class.new(Rails::Application) { config.root = root }.instance
    app.config.karma_client = ActiveSupport::OrderedOptions.new.update(options)
    KarmaClient::Configuration.from_env(environment).tap do |configuration|
      configuration.logger = Logger.new(@log = StringIO.new)
      KarmaClient::RailsSettings.new(app).apply(configuration)
    end
  end

  def test_the_section_of_the_environment
    configuration = settings(<<~YAML)
      shared:
        read_timeout: 0.5
      development:
        url: tcp://development:1
      production:
        url: <%= "tcp://production:" + (1 + 1).to_s %>
    YAML
    assert_equal ["production", 2, 0.5], [configuration.host, configuration.port, configuration.read_timeout]
  end

  def test_sections_that_begin_as_another_one
    configuration = settings(<<~YAML)
      default: &default
        pool_size: 9
      production:
        <<: *default
        host: production
    YAML
    assert_equal ["production", 9], [configuration.host, configuration.pool_size]
  end

  def test_several_nodes_and_a_breaker
    configuration = settings(<<~YAML, environment: { "KARMA_URL" => "tcp://environment:3" })
      production:
        urls: [tcp://a:1, tcp://b:2]
        reads: replica
        circuit_breaker:
          failures: 3
    YAML
    assert_equal [["a", 1], ["b", 2]], configuration.nodes
    assert_equal :replica, configuration.reads
    assert_instance_of KarmaClient::CircuitBreaker, configuration.circuit_breaker
  end

  def test_an_unknown_setting_is_an_error
    error = assert_raises(KarmaClient::ConfigurationError) { settings("production:\n  hots: production\n") }
    assert_equal "config/karma.yml: Unknown Karma client option hots (is the file not karma_client's? Then set " \
                 "config.karma_client.settings_file = false)", error.message
  end

  # Of another program, or with a mistake. Nothing but the message says which file it is.
  def test_files_that_are_none_of_settings
    {
      "- a\n" => /no file of sections/,
      "text\n" => /no file of sections/,
      "shared: text\nproduction: {}\n" => /no file of sections/,
      "production:\n\t- [\n" => /no file of sections.*syntax error/,
      "production:\n  <<: *nothing\n" => /no file of sections.*Unknown alias: nothing/,
      "production:\n  url: <%= ENV.fetch('KARMA_NO_SUCH_VARIABLE') %>\n" => /key not found: "KARMA_NO_SUCH_VARIABLE"/,
      "production:\n  url: <%= ( %>\n" => /syntax error/,
      "production: tcp://a:1\n" => /section for production must have settings/,
      "production: [a]\n" => /section for production must have settings/,
      "host: production\n" => /no section for production/,
      "" => /no section for production/,
      "production:\n  redis: { url: redis://a }\n" => /Unknown Karma client option redis/,
      "production:\n  url: redis://a\n" => %r{must use tcp://host:port},
      "production:\n  circuit_breaker: { failures: many }\n" => /failures must be greater than 0/
    }.each do |file, message|
      error = assert_raises(KarmaClient::ConfigurationError, file) { settings(file) }
      assert_match(%r{\Aconfig/karma\.yml: .*settings_file = false}m, error.message)
      assert_match(message, error.message)
    end
  end

  def test_a_file_of_the_application_itself
    file = "enabled: true\n"
    assert_equal "options", settings(file, settings_file: false, host: "options").host
    File.write(File.join(@root, "config/counters.yml"), "production:\n  host: counters\n")
    assert_equal "counters", settings(file, settings_file: :counters).host
    assert_empty @log.string
  end

  def test_a_missing_section_is_an_error
    error = assert_raises(KarmaClient::ConfigurationError) { settings("development:\n  host: development\n") }
    assert_match(/no section for production/, error.message)
  end

  def test_a_setting_without_a_value_is_none
    configuration = settings("production:\n  url: <%= ENV['KARMA_NO_SUCH_VARIABLE'] %>\n",
                             environment: { "KARMA_URL" => "tcp://environment:3" })
    assert_equal "environment", configuration.host
  end

  def test_who_has_precedence
    environment = { "KARMA_URL" => "tcp://environment:3", "KARMA_POOL_SIZE" => "3", "KARMA_TOKEN" => "secret" }
    file = "production:\n  url: tcp://file:2\n  pool_size: 2\n"
    configuration = settings(file, environment: environment, pool_size: 1)
    assert_equal ["file", 2, 1, "secret"],
                 [configuration.host, configuration.port, configuration.pool_size, configuration.token]
  end

  def test_without_a_file
    assert_equal "options", settings(host: "options").host
  end

  # The gem of 1.0 did not complain.
  def test_an_unknown_option_of_the_application_is_only_logged
    settings(hots: "options")
    assert_match(/config.karma_client: there is no hots/, @log.string)
  end

  def test_defaults_of_rails
    configuration = settings
    assert_same ActiveSupport::Notifications, configuration.instrumenter
  end
end
