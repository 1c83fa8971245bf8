# frozen_string_literal: true

module KarmaClient
  # What somebody has written, so that they read it on any node: writes with `session:` note how far the log is then,
  # reads with it wait until their node has come that far.
  #
  #   seen = KarmaClient::Session.new
  #   karma.increment(series: "clicks", key: 42, session: seen)
  #   karma.sum(series: "clicks", key: 42, session: seen)
  #
  # Threads may share it. {#lsn} can be kept, in a cookie say, and given to the next one.
  class Session
    # @return [Integer, nil] of the latest write
    attr_reader :lsn

    # @param lsn [Integer, nil]
    def initialize(lsn = nil)
      @lsn = lsn
      @mutex = Mutex.new
    end

    # @param lsn [Integer, nil]
    def note(lsn)
      @mutex.synchronize { @lsn = lsn if lsn && (@lsn.nil? || lsn > @lsn) }
    end
  end
end
