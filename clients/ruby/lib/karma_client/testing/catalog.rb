# frozen_string_literal: true

module KarmaClient
  module Testing
    # Which ops {Fake} knows, and what the server says about each.
    # @api private
    module Catalog
      # +handler+ is the method of {Fake}; +kind+ is +:read+, +:write+ or +:once+, a write that honours idempotency
      # keys; +takes+ are the fields that it looks at. What +deletes+ refuses all others, with which a client could mean
      # something narrower.
      Op = Struct.new(:handler, :kind, :takes, :deletes)

      # The fields of the protocol.
      FIELDS = %w[v op token series tree id key keys items bucket date value range limit cursor before file offset
                  source_offset event_id source stream_id mode granularity chunk_seq idempotency_key fingerprint
                  idempotency_created_at_unix began_at_unix committed_at_unix checked_points mismatch_count
                  absolute_drift max_abs_delta after_lsn wait_ms replica replica_epoch durable_lsn min_lsn want_lsn
                  from to ranges compare_to order_by].freeze

      OF_ALL = %w[v op token id].freeze
      OF_KIND = { read: %w[min_lsn wait_ms], write: %w[want_lsn],
                  once: %w[want_lsn idempotency_key fingerprint idempotency_created_at_unix] }.freeze
      SERIES = %w[series tree].freeze
      private_constant :OF_ALL, :OF_KIND, :SERIES

      def self.op(handler, kind, *takes, deletes: false)
        Op.new(handler, kind, [*OF_ALL, *OF_KIND.fetch(kind), *takes].freeze, deletes).freeze
      end
      private_class_method :op

      # By name.
      OPS = {
        "counter.increment" => op(:increment, :once, *SERIES, "key", "bucket", "date", "value"),
        "counter.decrement" => op(:decrement, :once, *SERIES, "key", "bucket", "date", "value"),
        "counter.sum" => op(:sum, :read, *SERIES, "key", "range"),
        "counter.series" => op(:points, :read, *SERIES, "key", "range"),
        "counter.batch_sum" => op(:batch_sum, :read, *SERIES, "keys", "range", "ranges"),
        "counter.multi_sum" => op(:multi_sum, :read, "items", "range", "ranges"),
        "counter.reset" => op(:reset_counter, :once, *SERIES, "key", deletes: true),
        "counter.batch_reset" => op(:batch_reset, :once, *SERIES, "keys", deletes: true),
        "counter.delete_range" => op(:delete_range, :once, *SERIES, "key", "range", deletes: true),
        "counter.batch_delete_range" => op(:batch_delete_range, :once, *SERIES, "keys", "range", deletes: true),
        "series.batch_add" => op(:batch_add, :once, *SERIES, "items", "granularity"),
        "series.batch_set" => op(:batch_set, :once, *SERIES, "items", "granularity"),
        "series.delete_before" => op(:delete_before, :write, *SERIES, "before", "date", deletes: true),
        "series.compact" => op(:compact, :write, *SERIES),
        "tree.create" => op(:create, :write, *SERIES),
        "tree.drop" => op(:drop, :write, *SERIES, deletes: true),
        "tree.list" => op(:list, :read),
        "tree.info" => op(:info, :read, *SERIES),
        "tree.keys" => op(:keys, :read, *SERIES, "limit", "cursor"),
        "tree.points" => op(:all_points, :read, *SERIES, "limit", "cursor"),
        "tree.top" => op(:top, :read, *SERIES, "limit", "range", "compare_to", "order_by"),
        "tree.summary" => op(:summary, :read, *SERIES, "range"),
        "tree.series" => op(:series_points, :read, *SERIES, "range"),
        "tree.reset" => op(:reset_series, :once, *SERIES, deletes: true),
        "tree.delete_range" => op(:delete_series_range, :once, *SERIES, "range", deletes: true),
        "replication.status" => op(:replication_status, :read),
        "system.ping" => op(:ping, :read),
        "system.health" => op(:health, :read),
        "system.compact" => op(:compact_all, :write)
      }.freeze

      # Other names of the same.
      ALIASES = {
        "series.increment" => "counter.increment", "series.decrement" => "counter.decrement",
        "series.sum" => "counter.sum", "series.points" => "counter.series", "series.batch_sum" => "counter.batch_sum",
        "counter.batch_increment" => "series.batch_add", "tree.delete_before" => "series.delete_before",
        "tree.compact" => "series.compact"
      }.freeze

      # @return [Op, nil]
      def self.find(name)
        OPS[ALIASES.fetch(name, name)]
      end
    end
  end
end
