# frozen_string_literal: true

require_relative "position"

module KarmaClient
  # What somebody has written, so that they read it on any node: writes with `session:` note how far the log is then,
  # reads with it wait until their node has come that far.
  #
  #   seen = KarmaClient::Session.new
  #   karma.increment(series: "clicks", key: 42, session: seen)
  #   karma.sum(series: "clicks", key: 42, session: seen)
  #
  # Threads may share it. {#position} can be kept, in a cookie say, and given to the next one.
  #
  # A master that takes the place of another one may have lost the latest writes of that. Then there is nothing to wait
  # for: the first read that finds this out is answered by the new master, and the session goes on from there.
  class Session
    # @param position [String, Integer, nil] a {#position}, or an LSN
    # @raise [InputError] it is neither
    def initialize(position = nil)
      @seen = Position.of(position)
      @mutex = Mutex.new
    end

    # @return [Integer, nil] of the latest write
    def lsn
      @seen&.lsn
    end

    # @return [String, nil] the LSN and, where it is known, the epoch of the log that it belongs to
    def position
      @seen&.to_s
    end

    # Notes a write.
    # @param lsn [Integer, nil]
    # @param epoch [String, nil] of the master's log, nil: not known
    def note(lsn, epoch = nil)
      return if lsn.nil?

      @mutex.synchronize do
        other_log = !epoch.nil? && epoch != @seen&.epoch
        @seen = Position.new(lsn, epoch || @seen&.epoch) if @seen.nil? || other_log || lsn > @seen.lsn
      end
    end

    # @return [Position, nil]
    # @private
    attr_reader :seen

    # A read went on from another position than that which it had; a write that was noted meanwhile outranks it.
    # @private
    def move(from, to)
      @mutex.synchronize { @seen = to if @seen.equal?(from) }
    end
  end
end
