# frozen_string_literal: true

require_relative "clock"
require_relative "errors"
require_relative "response"

module KarmaClient
  # When a call is tried again, and how long it waits before. Each wait is anything from nothing to its bound, so that
  # clients that failed together do not come back together.
  # @private
  class Retries
    # What a node answers when it cannot just now, without having done anything that a repeat would do twice.
    CODES = %w[internal_error stale_replica not_confirmed].freeze

    # @param limit [Integer]
    # @param base [Float] seconds, bound of the first wait
    # @param cap [Float] seconds, bound of all
    # @param timeouts [Boolean] whether to try again after a timeout: with one node that hangs, it would hang again
    def initialize(limit:, base:, cap:, timeouts: false)
      @limit = limit
      @base = base
      @cap = cap
      @timeouts = timeouts
    end

    # @param outcome [Response, Pipeline, Error] of the last attempt
    # @return [Boolean] whether another one may be made, and may help
    def again?(command, outcome)
      case outcome
      when Response then outcome.error? && CODES.include?(outcome.error_code) && command.repeatable?
      when TimeoutError, ConnectTimeoutError then @timeouts && command.repeatable?
      when Error then command.repeatable?
      end
    end

    # Waits before another attempt.
    # @param attempts [Integer] so many were made
    # @return [Boolean] false: there were enough, or there is no time for another
    def wait(attempts, deadline)
      return false if attempts > @limit

      seconds = rand * [@cap, @base * (2**(attempts - 1))].min
      return false if Clock.now + seconds >= deadline

      sleep(seconds)
      true
    end
  end
end
