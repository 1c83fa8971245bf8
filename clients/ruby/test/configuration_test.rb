# frozen_string_literal: true

require_relative "test_helper"

class ConfigurationTest < Minitest::Test
  def from(**env)
    KarmaClient::Configuration.from_env(env.transform_keys(&:to_s))
  end

  def test_defaults_are_those_of_the_first_gem
    configuration = KarmaClient::Configuration.new
    assert_equal ["127.0.0.1", 8080, nil], [configuration.host, configuration.port, configuration.token]
    assert_equal [1.0, 1.0, 1.0], [configuration.connect_timeout, configuration.read_timeout,
                                   configuration.write_timeout]
    assert_equal [5, 1.0, true], [configuration.pool_size, configuration.pool_timeout, configuration.tcp_nodelay]
    assert_nil configuration.instrumenter
    assert_nil configuration.logger
  end

  def test_environment
    configuration = from(KARMA_URL: "tcp://db.example:9000?token=a%20b", KARMA_READ_TIMEOUT: "0.25",
                         RAILS_MAX_THREADS: "7")
    assert_equal ["db.example", 9000, "a b", 0.25, 7],
                 [configuration.host, configuration.port, configuration.token, configuration.read_timeout,
                  configuration.pool_size]
  end

  def test_host_and_port_outrank_the_url_and_empty_is_unset
    configuration = from(KARMA_URL: "tcp://a:1", KARMA_HOST: "b", KARMA_PORT: "", KARMA_TOKEN: "",
                         KARMA_AUTH_TOKEN: "t", KARMA_POOL_SIZE: "3", RAILS_MAX_THREADS: "9")
    assert_equal ["b", 1, "t", 3], [configuration.host, configuration.port, configuration.token,
                                    configuration.pool_size]
  end

  def test_url_forms
    configuration = KarmaClient::Configuration.new
    configuration.url = "tcp://[::1]"
    assert_equal ["::1", 8080], [configuration.host, configuration.port]
  end

  def test_several_nodes
    configuration = from(KARMA_URLS: "tcp://a:1, tcp://b?token=t", KARMA_HOST: "c", KARMA_READS: "replica")
    assert_equal [[["a", 1], ["b", 8080]], "t", :replica],
                 [configuration.nodes, configuration.token, configuration.reads]
    assert_equal [["c", 8080]], configuration.assign(host: "c").nodes
    assert_equal [["d", 5]], configuration.assign(urls: ["tcp://d:5"]).nodes
    assert_equal [["e", 6]], configuration.assign(url: "tcp://e:6").nodes
    assert_raises(KarmaClient::ConfigurationError) { configuration.assign(reads: :anywhere).validate! }
    assert_raises(KarmaClient::ConfigurationError) { from(KARMA_URLS: "a:1") }
  end

  def test_what_is_wrong_is_said
    {
      "KARMA_PORT must be an integer" => -> { from(KARMA_PORT: "x") },
      "KARMA_READ_TIMEOUT must be a number" => -> { from(KARMA_READ_TIMEOUT: "soon") },
      "RAILS_MAX_THREADS must be an integer" => -> { from(RAILS_MAX_THREADS: "many") },
      "KARMA_URL must use tcp://host:port" => -> { from(KARMA_URL: "http://a:1") },
      "Karma port must be less than 65536" => -> { KarmaClient::Configuration.new.assign(port: 926_600).validate! },
      "reads must be :master or :replica" => -> { KarmaClient::Configuration.new.assign(reads: 5).validate! },
      "Karma host is required" => -> { KarmaClient::Configuration.new.assign(host: "").validate! },
      "Karma port must be greater than 0" => -> { KarmaClient::Configuration.new.assign(port: 0).validate! },
      "pool_size must be greater than 0" => -> { KarmaClient::Configuration.new.assign(pool_size: 0).validate! },
      "circuit_breaker must be true, a Hash or a CircuitBreaker" =>
        -> { KarmaClient::Configuration.new.assign(circuit_breaker: "true") },
      "circuit_breaker: unknown keyword: :failure" =>
        -> { KarmaClient::Configuration.new.assign(circuit_breaker: { failure: 1 }) },
      "Unknown Karma client option prot" => -> { KarmaClient::Client.new(prot: 1) }
    }.each do |message, action|
      assert_equal message, assert_raises(KarmaClient::ConfigurationError, message, &action).message
    end
    error = assert_raises(KarmaClient::ConfigurationError) { from(KARMA_URL: "tcp://a b") }
    assert_match(/\AInvalid KARMA_URL: /, error.message)
  end

  def test_no_time_is_negative
    %i[connect_timeout read_timeout write_timeout pool_timeout call_timeout].each do |name|
      configuration = KarmaClient::Configuration.new.assign(name => -1)
      error = assert_raises(KarmaClient::ConfigurationError) { configuration.validate! }
      assert_equal "#{name} must be greater than or equal to 0", error.message
    end
  end

  def test_connection_options
    assert_equal({ host: "h", port: 1, connect_timeout: 1.0, read_timeout: 1.0, write_timeout: 1.0,
                   max_response_bytes: 67_108_864, tcp_nodelay: true },
                 KarmaClient::Configuration.new.assign(host: "h", port: 1).to_connection_options)
  end

  def test_a_client_has_its_own_copy
    configuration = KarmaClient::Configuration.new.assign(port: 1)
    client = KarmaClient::Client.new(configuration, read_timeout: 9.0)
    assert_equal [1, 9.0, 1.0], [client.configuration.port, client.configuration.read_timeout,
                                 configuration.read_timeout]
    assert_equal 2, KarmaClient::Client.new({ port: 2 }).configuration.port
    assert_equal 3, KarmaClient::Client.new(url: "tcp://a:3").configuration.port
    assert_raises(KarmaClient::ConfigurationError) { KarmaClient::Client.new(5) }
  end
end
