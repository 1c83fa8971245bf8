# frozen_string_literal: true

module KarmaClient
  # What the client has to know of each op: whether it may be sent again, and to which node.
  # Ops that are not listed count as writes that must not be repeated.
  # @private
  module Catalog
    # Ops that change nothing.
    READS = %w[
      counter.sum series.sum counter.series series.points counter.batch_sum series.batch_sum counter.multi_sum
      tree.list tree.info tree.keys tree.points tree.top tree.summary tree.series
      ingest.status idempotency.snapshot_fetch_chunk
      snapshot.list snapshot.info snapshot.fetch snapshot.fetch_chunk snapshot.manifest_fetch_chunk snapshot.verify
      replication.status replication.entries replication.chain replication.digest replication.replicas
      recovery.status system.ping system.health system.stats system.metrics system.histograms system.slowlog
      system.clients
    ].to_h { |op| [op, true] }.freeze

    # Writes that honour an idempotency key.
    KEYED = %w[
      counter.increment series.increment counter.decrement counter.reset counter.batch_reset
      counter.delete_range counter.batch_delete_range
      series.batch_add counter.batch_increment series.batch_set tree.reset tree.delete_range
    ].to_h { |op| [op, true] }.freeze

    # Reads of counters, not of the node.
    DATA_READS = READS.select { |op, _| op.start_with?("counter.", "series.", "tree.") }.freeze

    module_function

    def read?(operation)
      READS.key?(operation)
    end

    def data_read?(operation)
      DATA_READS.key?(operation)
    end

    def keyed?(operation)
      KEYED.key?(operation)
    end
  end
end
