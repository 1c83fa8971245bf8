# frozen_string_literal: true

require_relative "clock"
require_relative "errors"

module KarmaClient
  # Lets one thread after another use a connection, and none wait longer than its call may take: Mutex cannot do that.
  # Threads wait before they lock, and are woken when the lock is free; what is true is always the lock alone, so an
  # exception at any instruction leaves nothing behind.
  # @private
  class Turns
    # Looks by itself so often, for the case that whoever should wake it was killed.
    LOOK_SECONDS = 0.05
    private_constant :LOOK_SECONDS

    def initialize
      @lock = Mutex.new
      @gate = Mutex.new
      @free = ConditionVariable.new
      @waiting = false
    end

    # @param deadline [Float] moment of {Clock}
    # @return [Object] the block's value
    # @raise [ExpiredError] the block was not called
    def take(deadline = Float::INFINITY, &block)
      wait(deadline) if @lock.locked? && deadline != Float::INFINITY && !Fiber.current_scheduler
      begin
        @lock.synchronize do
          expired if Clock.now >= deadline
          block.call
        end
      ensure
        wake if @waiting
      end
    end

    private

    def wait(deadline)
      @gate.synchronize do
        while @lock.locked?
          left = Clock.until(deadline)
          expired if left.zero?
          @waiting = true
          @free.wait(@gate, [left, LOOK_SECONDS].min)
        end
      end
    end

    def wake
      @gate.synchronize do
        @waiting = false
        @free.broadcast
      end
      # Else this thread's next call would come before theirs.
      Thread.pass
    end

    def expired
      raise ExpiredError.new("The time of the call was over before Karma was asked", operation: :write)
    end
  end
end
