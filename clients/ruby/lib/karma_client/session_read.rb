# frozen_string_literal: true

require_relative "command"
require_relative "standing"

module KarmaClient
  # A read that is to see what a session has written. Where the master has other entries at the session's position than
  # the session means, or none, the writes are lost with an earlier master: then it goes on from the end of the master's
  # log, which has all that is left of them.
  # @private
  class SessionRead < Command
    # @param session [Session] which has a position
    def initialize(operation, fields, token, session)
      super(operation, fields, token)
      @token = token
      @asked = @position = session.seen
    end

    def line(id)
      "#{@body},\"min_lsn\":#{@position.lsn},\"id\":#{id}}\n"
    end

    def comparable?(epoch)
      @position.comparable?(epoch)
    end

    def reach(position)
      @position = position unless comparable?(position.epoch)
    end

    def exchange(connection, deadline)
      response = super
      return response unless response.error_code == "stale_replica"

      # A master has all that it has acknowledged: what it has not was acknowledged by another one.
      standing = connection.standing(@token, deadline)
      return response unless standing.master?

      @position = standing.position
      super
    end

    def tell(session, _response)
      session.move(@asked, @position) unless @position.equal?(@asked)
    end
  end
end
