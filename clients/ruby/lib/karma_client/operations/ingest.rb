# frozen_string_literal: true

module KarmaClient
  module Operations
    # Numbered streams of points, recovery marks and reconciliation reports: for those who bring data from elsewhere.
    module Ingest
      # @param mode [String, Symbol] add, set or replace_series
      # @return [Hash] state of the stream
      def ingest_begin(stream_id:, mode:, granularity: "day", **options)
        perform("ingest.begin", { "stream_id" => Input.text(stream_id, "stream_id"),
                                  "mode" => Input.text(mode, "mode"),
                                  "granularity" => Input.optional_text(granularity, "granularity") }, options)
      end

      # @param chunk_seq [Integer] 1, 2, 3 …; a chunk may be sent again
      # @return [Hash] "skipped", "applied" and "total"
      def ingest_chunk(stream_id:, series:, chunk_seq:, items:, **options)
        perform("ingest.chunk", { "stream_id" => Input.text(stream_id, "stream_id"),
                                  "series" => Input.text(series, "series"),
                                  "chunk_seq" => Input.u64(chunk_seq, "chunk_seq"),
                                  "items" => Input.points(items) }, options)
      end

      # @return [Hash] "status" and "last_chunk_seq"
      def ingest_commit(stream_id:, **options)
        perform("ingest.commit", { "stream_id" => Input.text(stream_id, "stream_id") }, options)
      end

      # @return [Hash] "status" and "last_chunk_seq"
      def ingest_abort(stream_id:, **options)
        perform("ingest.abort", { "stream_id" => Input.text(stream_id, "stream_id") }, options)
      end

      # @param stream_id [String, nil] nil: all active streams, page by page
      # @return [Hash] "streams" and "next_cursor"
      def ingest_status(stream_id: nil, limit: nil, cursor: nil, **options)
        perform("ingest.status", { "stream_id" => Input.optional_text(stream_id, "stream_id"),
                                   "limit" => Input.limit(limit),
                                   "cursor" => Input.optional_text(cursor, "cursor") }, options)
      end

      # Keeps a mark of how far a source was read.
      # @return [Hash] the mark
      def recovery_checkpoint(source:, offset:, event_id: nil, **options)
        perform("recovery.checkpoint", { "source" => Input.text(source, "source"),
                                         "source_offset" => Input.text(offset, "offset"),
                                         "event_id" => Input.optional_text(event_id, "event_id") }, options)
      end

      # @param source [String, nil] nil: all
      # @return [Hash] "checkpoints"
      def recovery_status(source: nil, limit: nil, cursor: nil, **options)
        perform("recovery.status", { "source" => Input.optional_text(source, "source"),
                                     "limit" => Input.limit(limit),
                                     "cursor" => Input.optional_text(cursor, "cursor") }, options)
      end

      # @return [Hash] "forgotten"
      def recovery_forget(source, **options)
        perform("recovery.forget", { "source" => Input.text(source, "source") }, options)
      end

      # @return [String] "OK"
      def reconciliation_report(checked_points:, mismatch_count:, absolute_drift: 0, max_abs_delta: 0, **options)
        perform("reconciliation.report",
                { "checked_points" => Input.u64(checked_points, "checked_points"),
                  "mismatch_count" => Input.u64(mismatch_count, "mismatch_count"),
                  "absolute_drift" => Input.u64(absolute_drift, "absolute_drift"),
                  "max_abs_delta" => Input.u64(max_abs_delta, "max_abs_delta") }, options)
      end

      # Forgets idempotency keys.
      # @param before [Integer, Time, Date, String] Unix seconds or a moment
      # @return [Hash] "deleted"
      def idempotency_prune(before:, limit: nil, **options)
        perform("idempotency.prune", { "before" => Input.moment(before, "before"), "limit" => Input.limit(limit) },
                options)
      end
    end
  end
end
