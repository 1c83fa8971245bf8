# frozen_string_literal: true

module KarmaClient
  # Time that never goes back. A deadline is a moment of this clock, Float::INFINITY where there is none.
  # @private
  module Clock
    module_function

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    # @param seconds [Numeric, nil] nil and 0: no limit
    def deadline(seconds)
      seconds.nil? || seconds.zero? ? Float::INFINITY : now + seconds
    end

    # @param deadline [Float]
    # @return [Float] the deadline of the first of so many steps, if each may take the same time
    def share(deadline, steps)
      return deadline if deadline == Float::INFINITY

      now = self.now
      now + ([deadline - now, 0].max / steps)
    end

    # @return [Float, nil] seconds up to the moment, as IO#wait_readable takes them: nil for ever
    def until(moment)
      return if moment == Float::INFINITY

      seconds = moment - now
      seconds.positive? ? seconds : 0
    end
  end
end
