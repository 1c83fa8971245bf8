# frozen_string_literal: true

require_relative "clock"
require_relative "errors"

module KarmaClient
  # Lets one thread after another use a connection, and none wait longer than its call may take: Mutex cannot do that.
  # Threads wait before they lock, and are woken one after another when the lock is free; what is true is always the lock
  # alone, so an exception at any instruction leaves nothing behind. So do fibers, where there is a Fiber scheduler.
  # @private
  class Turns
    # Looks by itself so often, for the case that whoever should wake it was killed.
    LOOK_SECONDS = 0.05
    # A fiber sleeps so long for others to run. After none at all a scheduler may run it first.
    PASS_SECONDS = 0.0001
    private_constant :LOOK_SECONDS, :PASS_SECONDS

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
      wait(deadline) if @lock.locked? && deadline != Float::INFINITY
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
      @gate.lock
      while @lock.locked?
        left = Clock.until(deadline)
        expired if left.zero?
        @waiting = true
        @free.wait(@gate, [left, LOOK_SECONDS].min)
      end
    ensure
      # Others may wait behind this one.
      @waiting = true
      # A fiber that is stopped while it waits has not got it back.
      @gate.unlock if @gate.owned?
    end

    def wake
      @gate.synchronize do
        @waiting = false
        @free.signal
      end
      # Else this one's next call would come before theirs.
      Fiber.current_scheduler ? sleep(PASS_SECONDS) : Thread.pass
    end

    def expired
      raise ExpiredError.new("The time of the call was over before Karma was asked", operation: :write)
    end
  end
end
