# frozen_string_literal: true

require_relative "clock"
require_relative "command"
require_relative "errors"
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
      @term = 0
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

    # @return [Object, nil] nil: the master is to be asked
    def from_replica(node, command, deadline)
      node.open(deadline) unless node.open?
      outcome = yield node, deadline
      outcome unless command.refused?(outcome, MOVED)
    rescue TransportError, ProtocolError
      @resting[node] = Clock.now + REST_SECONDS
      nil
    end

    def from_master(command, deadline)
      outcome = yield master(deadline), deadline
      return outcome unless command.refused?(outcome, MOVED)

      @master = nil
      yield master(deadline), deadline
    rescue ClosedError
      # Nothing was sent, so this is no second attempt.
      @master = nil
      yield master(deadline), deadline
    rescue TransportError, ProtocolError
      @master = nil
      raise
    end

    def master(deadline)
      return @master if @master && @term == @highest.highest && Clock.now < @sure_until

      @master = find_master(deadline)
    end

    def find_master(deadline)
      nodes = candidates
      @unauthorized = nil
      found = nodes.each_with_index.filter_map do |node, index|
        term = term_as_master(node, time_to_answer(node, deadline, nodes.size - index))
        [term, node] if term
      end
      term, node = found.max_by(&:first)
      no_master unless node && @highest.take(term)
      @sure_until = Clock.now + SURE_SECONDS
      @term = term
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

    # @return [Integer, nil] the term of a master, nil: it is none, or does not answer
    def term_as_master(node, deadline)
      node.open(deadline) unless node.open?
      response = node.exchange(Command.new("replication.replicas", {}, @token), deadline)
      # 1.0 has neither the op nor terms.
      response = node.exchange(Command.new("system.health", {}, @token), deadline) if response.error?
      @unauthorized = response if response.error_code == "unauthorized"
      return unless response.success? && response.value["role"] == "master"

      response.value["term"] || 0
    rescue TransportError, ProtocolError => e
      now = Clock.now
      @resting[node] = now + REST_SECONDS
      @away[node] = now + AWAY_SECONDS if e.is_a?(TimeoutError) || e.is_a?(ConnectTimeoutError)
      nil
    end
  end
end
