# frozen_string_literal: true

module KarmaClient
  module Operations
    # Ops on snapshots. A `file` is a name as in {#snapshot_info}.
    module Snapshots
      # @return [String]
      def snapshot_create(series, **options)
        perform("snapshot.create", { "series" => Input.text(series, "series") }, options)
      end

      # @return [String] "OK"
      def snapshot_create_all(**options)
        perform("snapshot.create_all", {}, options)
      end

      # @return [Array<String>] paths on the node, the newest first
      def snapshot_list(**options)
        perform("snapshot.list", {}, options)
      end

      # @return [Hash]
      def snapshot_info(**options)
        perform("snapshot.info", {}, options)
      end

      # Replaces the series by the content of the file.
      # @return [String]
      def snapshot_load(file, **options)
        perform("snapshot.load", { "file" => Input.snapshot_file(file) }, options)
      end

      # @return [Hash] "metadata" and "data_base64"
      def snapshot_fetch(file, **options)
        perform("snapshot.fetch", { "file" => Input.snapshot_file(file) }, options)
      end

      # @return [Hash] a piece: "data_base64", "next_offset", "done" …
      def snapshot_fetch_chunk(file, offset: nil, limit: nil, **options)
        perform("snapshot.fetch_chunk", { "file" => Input.snapshot_file(file), **piece(offset, limit) }, options)
      end

      # @return [Hash] a piece of the list of the files that are one set
      def snapshot_manifest_fetch_chunk(offset: nil, limit: nil, **options)
        perform("snapshot.manifest_fetch_chunk", piece(offset, limit), options)
      end

      # @return [Hash] a piece of the snapshot of the idempotency keys
      def idempotency_snapshot_fetch_chunk(offset: nil, limit: nil, **options)
        perform("idempotency.snapshot_fetch_chunk", piece(offset, limit), options)
      end

      # @return [Hash]
      def snapshot_verify(**options)
        perform("snapshot.verify", {}, options)
      end

      private

      def piece(offset, limit)
        { "offset" => Input.optional_u64(offset, "offset"), "limit" => Input.limit(limit) }
      end
    end
  end
end
