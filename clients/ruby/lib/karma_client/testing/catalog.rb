# frozen_string_literal: true

module KarmaClient
  module Testing
    # Which ops {Fake} knows, and what the server says about each.
    # @api private
    module Catalog
      # +handler+ is the method of {Fake}; +kind+ is +:read+, +:write+ or +:once+, a write that honours idempotency
      # keys; +only+ are the fields that an op which deletes takes, nil for others, which ignore what they do not take.
      Op = Struct.new(:handler, :kind, :only)

      # Fields with which a client can mean something narrower. An op that deletes and does not take one refuses it.
      NARROWING = %w[series tree key keys items bucket date value range from to before limit cursor stream_id mode
                     chunk_seq granularity file source source_offset event_id offset after_lsn wait_ms
                     idempotency_key fingerprint].freeze
      # Two names of one field.
      SAME = [%w[series tree], %w[before date]].freeze

      ONCE = %w[idempotency_key fingerprint].freeze
      SERIES = %w[series tree].freeze
      private_constant :ONCE, :SERIES

      # By name.
      OPS = {
        "counter.increment" => Op.new(:increment, :once),
        "counter.decrement" => Op.new(:decrement, :once),
        "counter.sum" => Op.new(:sum, :read),
        "counter.series" => Op.new(:points, :read),
        "counter.batch_sum" => Op.new(:batch_sum, :read),
        "counter.multi_sum" => Op.new(:multi_sum, :read),
        "counter.reset" => Op.new(:reset_counter, :once, [*SERIES, *ONCE, "key"]),
        "counter.batch_reset" => Op.new(:batch_reset, :once, [*SERIES, *ONCE, "keys"]),
        "counter.delete_range" => Op.new(:delete_range, :once, [*SERIES, *ONCE, "key", "range"]),
        "counter.batch_delete_range" => Op.new(:batch_delete_range, :once, [*SERIES, *ONCE, "keys", "range"]),
        "series.batch_add" => Op.new(:batch_add, :once),
        "series.batch_set" => Op.new(:batch_set, :once),
        "series.delete_before" => Op.new(:delete_before, :write, [*SERIES, "before", "date"]),
        "series.compact" => Op.new(:compact, :write),
        "tree.create" => Op.new(:create, :write),
        "tree.drop" => Op.new(:drop, :write, SERIES),
        "tree.list" => Op.new(:list, :read),
        "tree.info" => Op.new(:info, :read),
        "tree.keys" => Op.new(:keys, :read),
        "tree.points" => Op.new(:all_points, :read),
        "tree.top" => Op.new(:top, :read),
        "tree.summary" => Op.new(:summary, :read),
        "tree.series" => Op.new(:series_points, :read),
        "tree.reset" => Op.new(:reset_series, :once, [*SERIES, *ONCE]),
        "tree.delete_range" => Op.new(:delete_series_range, :once, [*SERIES, *ONCE, "range"]),
        "replication.status" => Op.new(:replication_status, :read),
        "system.ping" => Op.new(:ping, :read),
        "system.health" => Op.new(:health, :read),
        "system.compact" => Op.new(:compact_all, :write)
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
