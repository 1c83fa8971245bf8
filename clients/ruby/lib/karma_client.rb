# frozen_string_literal: true

require_relative "karma_client/version"
require_relative "karma_client/errors"
require_relative "karma_client/configuration"
require_relative "karma_client/client"
require_relative "karma_client/pool"
require_relative "karma_client/rails/load_hook"

# Client of Karma, a database of counters.
#
#   KarmaClient.with_client { |karma| karma.increment(series: "clicks", key: 42) }
module KarmaClient
  @mutex = Mutex.new

  class << self
    # @return [Configuration] the global one, from the environment at first
    def configuration
      @configuration ||= Configuration.from_env
    end

    # Changes the global configuration. The pool is closed, and the next one has the new settings.
    # @yieldparam configuration [Configuration]
    # @return [Configuration]
    def configure
      yield configuration
      close
      configuration.validate!
    end

    # Takes a client of the global pool for the time of the block.
    # @yieldparam client [Client]
    # @return [Object] the block's value
    def with_client(&block)
      pool = self.pool
      pool.with(&block)
    rescue Pool::Closed => e
      # Another thread has closed it since: there is a new one.
      raise if !e.pool.equal?(pool) || @pool.equal?(pool)

      retry
    end

    # @return [Client] a new one, with the global configuration
    def client
      Client.new
    end

    # @return [Pool] the global one
    def pool
      @pool || @mutex.synchronize { @pool ||= new_pool }
    end

    # Closes the clients of the global pool that are free, and drops it. The next use makes a new one.
    def close
      pool = @mutex.synchronize do
        old = @pool
        @pool = nil
        old
      end
      pool&.close
      nil
    end

    private

    def new_pool
      settings = configuration.dup.validate!
      Pool.new(size: settings.pool_size, timeout: settings.pool_timeout) { Client.new(settings) }
    end
  end
end

KarmaClient::LoadHook.install
