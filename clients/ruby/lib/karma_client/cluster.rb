# frozen_string_literal: true

require_relative "clock"
require_relative "errors"
require_relative "standing"
require_relative "term"

module KarmaClient
  # Several nodes, of which one is master, in the place of a {Connection}.
  #
  # The master is found by asking all nodes for their role; of two masters the one of the later term is it. It is looked
  # for again when it refuses as a slave would, after any failure, and every few seconds: a master that does not know of
  # a later one refuses nothing, and one that does still answers reads. Connections do not open themselves here: a node
  # that was away may have become another's slave, so it is asked for its role before anything else.
  # @private
  class Cluster
    # Answers of a node that is not the master, or not any more. It has done nothing then.
    MOVED = %w[forbidden superseded stale_replica].freeze
    # A replica that failed is left alone for so long.
    REST_SECONDS = 5.0
    # The role of the master is taken for granted for so long.
    SURE_SECONDS = 3.0
    # When the others are asked then, each has so little time, since a call waits for it; and one that hangs is left out
    # for so long.
    ASIDE_SECONDS = 0.25
    AWAY_SECONDS = 30.0
    private_constant :MOVED, :REST_SECONDS, :SURE_SECONDS, :ASIDE_SECONDS, :AWAY_SECONDS

    # @param connections [Array<Connection>] which do not open themselves
    # @param reads [Symbol] :master or :replica
    # @param token [String, nil]
    def initialize(connections, reads:, token:)
      @connections = connections
      @reads = reads
      @token = token
      @master = nil
      @standing = nil
      @epochs = {}
      @sure_until = 0
      @highest = Term.of(connections.map(&:address))
      @resting = {}
      @away = {}
      @unauthorized = nil
    end

    # (see Connection#exchange)
    def exchange(command, deadline)
      route(command, deadline) { |connection, limit| connection.exchange(command, limit) }
    end

    # (see Connection#exchange_all)
    def exchange_all(pipeline, deadline)
      route(pipeline, deadline) { |connection, limit| connection.exchange_all(pipeline, limit) }
    end

    # @return [Standing] of the master, as it is now
    def standing(_token, deadline)
      @sure_until = 0
      master(deadline)
      @standing
    end

    def close
      @connections.each(&:close)
    end

    private

    def route(command, deadline, &send)
      replica = (next_replica if @reads == :replica && command.data_read?)
      # One that hangs leaves time for the master.
      outcome = replica && from_replica(replica, command, Clock.share(deadline, 2), &send)
      outcome || from_master(command, deadline, &send)
    end

    # One that is not resting; each client begins with another.
    def next_replica
      now = Clock.now
      candidates = @connections.reject { |node| node.equal?(@master) || @resting.fetch(node, 0) > now }
      @turn = (@turn || rand(@connections.size)) + 1
      candidates[@turn % candidates.size] if candidates.any?
    end

    # One that has not come to the session's epoch may have other entries at its LSNs.
    # @return [Object, nil] nil: the master is to be asked
    def from_replica(node, command, deadline)
      return unless command.comparable?(@epochs[node])

      node.open(deadline) unless node.open?
      outcome = yield node, deadline
      outcome unless command.refused?(outcome, MOVED)
    rescue TransportError, ProtocolError
      @resting[node] = Clock.now + REST_SECONDS
      nil
    end

    def from_master(command, deadline)
      outcome = yield master_for(command, deadline), deadline
      return outcome unless command.refused?(outcome, MOVED)

      @master = nil
      yield master_for(command, deadline), deadline
    rescue ClosedError
      # Nothing was sent, so this is no second attempt.
      @master = nil
      yield master_for(command, deadline), deadline
    rescue TransportError, ProtocolError
      @master = nil
      raise
    end

    # A session may know of a master that this client does not know of yet.
    def master_for(command, deadline)
      @sure_until = 0 unless command.comparable?(@standing&.position&.epoch)
      master(deadline).tap { command.reach(@standing.position) }
    end

    def master(deadline)
      return @master if @master && @standing.term == @highest.highest && Clock.now < @sure_until

      @master = find_master(deadline)
    end

    def find_master(deadline)
      nodes = candidates
      @unauthorized = nil
      found = nodes.each_with_index.filter_map do |node, index|
        standing = standing_of(node, time_to_answer(node, deadline, nodes.size - index))
        [standing, node] if standing&.master?
      end
      standing, node = found.max_by { |candidate, _| candidate.term }
      no_master unless node && @highest.take(standing.term)
      @sure_until = Clock.now + SURE_SECONDS
      @standing = standing
      node
    end

    def candidates
      return @connections unless @master

      now = Clock.now
      @connections.select { |node| node.equal?(@master) || @away.fetch(node, 0) <= now }
    end

    # A node that does not answer leaves time for the others.
    def time_to_answer(node, deadline, nodes)
      share = Clock.share(deadline, nodes)
      @master && !node.equal?(@master) ? [share, Clock.now + ASIDE_SECONDS].min : share
    end

    # A wrong token is the caller's mistake, and nothing that passes.
    def no_master
      raise ServerError.from(@unauthorized) if @unauthorized

      raise ConnectionError, "No master among #{@connections.map(&:address).join(', ')}"
    end

    # @return [Standing, nil] nil: it does not answer
    def standing_of(node, deadline)
      node.open(deadline) unless node.open?
      standing = node.standing(@token, deadline)
      @unauthorized = standing.response if standing.response.error_code == "unauthorized"
      @epochs[node] = standing.position.epoch
      standing
    rescue TransportError, ProtocolError => e
      now = Clock.now
      @resting[node] = now + REST_SECONDS
      @away[node] = now + AWAY_SECONDS if e.is_a?(TimeoutError) || e.is_a?(ConnectTimeoutError)
      nil
    end
  end
end
