# frozen_string_literal: true

require_relative "errors"
require_relative "input"

module KarmaClient
  # A place in the log of a master. LSNs can be compared within one epoch: a master that takes the place of another one
  # may have less than that had, and gives its LSNs to other entries. Epochs are nodes' names for such histories.
  # @private
  class Position
    FORM = /\A(\d{1,20})(?:@(\h{32}))?\z/
    private_constant :FORM

    # @param position [Integer, String, nil] a string of the form of {#to_s}
    # @return [Position, nil]
    # @raise [InputError]
    def self.of(position)
      case position
      when nil, "" then nil
      when Integer then new(Input.u64(position, "lsn"))
      else
        lsn, epoch = FORM.match(position.to_s)&.captures
        raise InputError, "#{position.inspect} is no position of a session" unless lsn

        new(Input.u64(lsn, "lsn"), epoch)
      end
    end

    # @return [Integer]
    attr_reader :lsn
    # @return [String, nil] nil: not known
    attr_reader :epoch

    # @param lsn [Integer]
    # @param epoch [String, nil]
    def initialize(lsn, epoch = nil)
      @lsn = lsn
      @epoch = epoch
    end

    # @return [Boolean] whether the LSN says something about a log that is in that epoch; where its own epoch is not
    #   known, that is assumed
    def comparable?(epoch)
      @epoch.nil? || @epoch == epoch
    end

    # @return [String] of which {of} makes an equal one
    def to_s
      @epoch ? "#{@lsn}@#{@epoch}" : @lsn.to_s
    end
  end
end
