# frozen_string_literal: true

require "connection_pool"
require_relative "clock"
require_relative "errors"

module KarmaClient
  # Clients for many threads, on the gem connection_pool. Within a thread's `with` a second one gets the same client.
  class Pool
    # While it waits, connection_pool holds back Timeout.timeout, Thread#kill and the like: so it waits in such pieces.
    PIECE_SECONDS = 0.1
    FIBER_SECONDS = 0.002
    private_constant :PIECE_SECONDS, :FIBER_SECONDS

    # It was closed before the block began.
    class Closed < PoolTimeout
      # @return [Pool]
      attr_reader :pool

      # @param pool [Pool]
      def initialize(pool)
        super("Karma client pool is closed")
        @pool = pool
      end
    end

    # @param size [Integer]
    # @param timeout [Numeric] seconds to wait for a client, 0: forever
    # @yieldreturn [#close] a new client
    def initialize(size:, timeout:, &create)
      @size = size
      @timeout = timeout
      @create = create
      @mutex = Mutex.new
      @closed = false
      start
    end

    # @yieldparam client [Client]
    # @return [Object] the block's value
    # @raise [PoolTimeout]
    def with(&block)
      entered = false
      limit = Clock.deadline(@timeout)
      begin
        pool.with(timeout: piece(limit)) do |client|
          entered = true
          block.call(client)
        end
      rescue ::ConnectionPool::PoolShuttingDownError
        raise if entered

        raise Closed, self
      rescue ::ConnectionPool::TimeoutError
        raise if entered

        retry if wait_again?(limit)

        raise PoolTimeout, "Timed out waiting for a Karma client connection"
      end
    end

    # Closes the clients that are free; those in use are closed when they come back.
    def close
      @closed = true
      pool.shutdown(&:close)
      nil
    end

    private

    # A fiber that is stopped while connection_pool waits would get Ruby's ThreadError instead: so it waits here.
    def piece(limit)
      Fiber.current_scheduler ? 0 : [Clock.until(limit), PIECE_SECONDS].compact.min
    end

    def wait_again?(limit)
      return false if Clock.now >= limit

      sleep(FIBER_SECONDS) if Fiber.current_scheduler
      true
    end

    # In a forked child the clients that the parent's threads had taken never come back: it begins with none.
    def pool
      return @pool if @process == Process.pid

      @mutex.synchronize { start unless @process == Process.pid }
      @pool
    end

    def start
      # This class looks after forks itself: with its own care, a child that is made within `with` could not leave that.
      @pool = ::ConnectionPool.new(size: @size, timeout: @timeout, auto_reload_after_fork: false, &@create)
      @pool.shutdown(&:close) if @closed
      @process = Process.pid
    end
  end
end
