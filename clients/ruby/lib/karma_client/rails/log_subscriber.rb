# frozen_string_literal: true

require "active_support/log_subscriber"

module KarmaClient
  # Writes a line to the log for each request: at level debug, or warn where it failed. Neither keys nor tokens are in it.
  class LogSubscriber < ActiveSupport::LogSubscriber
    # A series that nobody has counted in yet is no failure.
    HARMLESS = ["not_found", nil].freeze
    private_constant :HARMLESS

    # @param event [ActiveSupport::Notifications::Event] +request.karma_client+
    # @return [void]
    def request(event)
      payload = event.payload
      failed = payload.key?(:exception) || !HARMLESS.include?(payload[:error_code])
      return unless failed ? logger.warn? : logger.debug?

      failed ? warn(line(event)) : debug(line(event))
    end

    # @return [Logger]
    def logger
      KarmaClient.configuration.logger || super
    end

    private

    def line(event)
      payload = event.payload
      ["  #{color("Karma #{payload[:operation]} (#{event.duration.round(1)}ms)", CYAN)}", payload[:series],
       attempts(payload), payload[:error_code], payload[:exception]&.join(": ")].compact.join("  ")
    end

    def attempts(payload)
      "#{payload[:attempts]} attempts" if payload[:attempts].to_i > 1
    end
  end
end
