# frozen_string_literal: true

module KarmaClient
  # Time that never goes back. A deadline is a moment of this clock, Float::INFINITY where there is none.
  module Clock
    module_function

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    # @param seconds [Numeric, nil] nil and 0: no limit
    def deadline(seconds)
      seconds.nil? || seconds.zero? ? Float::INFINITY : now + seconds
    end
  end
end
