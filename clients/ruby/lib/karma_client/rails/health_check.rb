# frozen_string_literal: true

require "json"
require "karma_client"

module KarmaClient
  # Says whether Karma can be reached, what the node is, and how far a replica is behind. A Rack application:
  #
  #   # config/routes.rb
  #   require "karma_client/rails/health_check"
  #   mount KarmaClient::HealthCheck.new => "/health/karma"
  #
  # Answers 200, or 503 where Karma cannot be reached or refuses to answer. It is for a dashboard or an alert. A check
  # that restarts the application should not ask it: a restart does not bring Karma back.
  class HealthCheck
    # What the check has found.
    #
    # - +reachable+, whether a node answers;
    # - +role+, "master" or "slave";
    # - +lag_ms+, how far a slave is behind its master, nil where that is not known;
    # - +error+, the class of what was raised, if anything was; its message may name hosts.
    Report = Struct.new(:reachable, :role, :lag_ms, :error, keyword_init: true) do
      # @return [Boolean]
      def healthy?(max_lag_ms = nil)
        error.nil? && (max_lag_ms.nil? || role == "master" || (!lag_ms.nil? && lag_ms <= max_lag_ms))
      end
    end

    # @param max_lag_ms [Integer, nil] a slave that is further behind, or does not know, is answered 503
    def initialize(max_lag_ms: nil)
      @max_lag_ms = max_lag_ms
    end

    # @return [Report]
    def check
      status = KarmaClient.with_client(&:replication_status)
      Report.new(reachable: true, role: status["role"], lag_ms: status["replication_lag_ms"])
    rescue Error => e
      Report.new(reachable: e.is_a?(ServerError), error: e.class.name)
    end

    # @return [Array] the reply of Rack
    def call(_env)
      report = check
      body = JSON.generate(report.to_h.compact)
      headers = { "content-type" => "application/json", "cache-control" => "no-store" }
      [report.healthy?(@max_lag_ms) ? 200 : 503, headers, [body]]
    end
  end
end
