# frozen_string_literal: true

module KarmaClient
  module Operations
    # Ops about the node itself and its place among others.
    module Node
      # @return [String] "pong"
      def ping(**options)
        perform("system.ping", {}, options)
      end

      # @return [Hash] "status", "role" …
      def health(**options)
        perform("system.health", {}, options)
      end

      # @return [Hash{String => Object}] numbers
      def stats(**options)
        perform("system.stats", {}, options)
      end

      # @return [String] the same for Prometheus
      def metrics(**options)
        perform("system.metrics", {}, options)
      end

      # @return [Hash] "requests", how long they took, by op; without --http-port nothing is "measured"
      def histograms(**options)
        perform("system.histograms", {}, options)
      end

      # @return [Hash] "entries", the latest requests that took long
      def slowlog(limit: nil, **options)
        perform("system.slowlog", { "limit" => Input.limit(limit) }, options)
      end

      # @return [Hash] "cleared"
      def slowlog_clear(**options)
        perform("system.slowlog_clear", {}, options)
      end

      # @return [Hash] "clients", the connections of the node
      def clients(limit: nil, cursor: nil, **options)
        perform("system.clients", { "limit" => Input.limit(limit),
                                    "cursor" => Input.optional_u64(cursor, "cursor") }, options)
      end

      # @return [Hash] role, log, lag …
      def replication_status(**options)
        perform("replication.status", {}, options)
      end

      # @return [Hash] "entries", a page of the log
      def replication_entries(after_lsn:, limit: nil, **options)
        perform("replication.entries", { "after_lsn" => Input.u64(after_lsn, "after_lsn"),
                                         "limit" => Input.limit(limit) }, options)
      end

      # @return [Hash] "chain", what these entries of the log come to
      def replication_chain(after_lsn:, limit: nil, **options)
        perform("replication.chain", { "after_lsn" => Input.u64(after_lsn, "after_lsn"),
                                       "limit" => Input.limit(limit) }, options)
      end

      # @return [Hash] digests of all counters at one LSN
      def replication_digest(after_lsn:, **options)
        perform("replication.digest", { "after_lsn" => Input.u64(after_lsn, "after_lsn") }, options)
      end

      # @return [Hash] "replicas", the slaves of the node
      def replication_replicas(**options)
        perform("replication.replicas", {}, options)
      end

      # Makes a slave the master.
      # @return [Hash] "promoted"
      def replication_promote(**options)
        perform("replication.promote", {}, options)
      end
    end
  end
end
