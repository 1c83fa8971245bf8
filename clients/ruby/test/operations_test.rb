# frozen_string_literal: true

require_relative "test_helper"

# Every method, against the real server.
class OperationsTest < Minitest::Test
  include KarmaTest::Server

  DAY = 20_260_505
  RANGE = 20_260_501..20_260_531

  def filled
    karma.batch_add(series: series, items: [[1, DAY, 5], [1, DAY + 1, 2], [2, DAY, 3]])
  end

  def test_counters
    assert_equal 5, karma.increment(series: series, key: 1, value: 5, bucket: "2026-05-05")
    assert_equal 1, karma.increment(series: series, key: 1)
    assert_equal 2, karma.decrement(series: series, key: 1, value: 2, bucket: DAY)
    assert_equal 4, karma.sum(series: series, key: 1)
    assert_equal 3, karma.sum(series: series, key: 1, from: DAY, to: DAY)
    assert_equal({ "20260505" => 3 }, karma.points(series: series, key: 1, range: RANGE))
  end

  def test_batches
    assert_equal({ "applied" => 3, "total" => 10 }, filled)
    assert_equal [{ "key" => 2, "value" => 3 }, { "key" => 1, "value" => 7 }, { "key" => 2, "value" => 3 }],
                 karma.batch_sum(series: series, keys: [2, 1, 2])
    assert_equal [{ "series" => series, "key" => 1, "value" => 5 }],
                 karma.multi_sum(items: [{ series: series, key: 1 }], from: DAY, to: DAY)
    assert_equal [{ "key" => 2, "values" => [3, 0, 3] }, { "key" => 1, "values" => [5, 2, 7] }],
                 karma.batch_sum(series: series, keys: [2, 1], ranges: [DAY..DAY, (DAY + 1)..(DAY + 1), nil])
    assert_equal [{ "series" => series, "key" => 1, "values" => [7, 7] }],
                 karma.multi_sum(items: [{ series: series, key: 1 }], ranges: [nil, RANGE])
    assert_equal({ "applied" => 1 }, karma.batch_set(series: series, items: [{ key: 1, bucket: DAY, value: 50 }]))
    assert_equal 52, karma.sum(series: series, key: 1)
  end

  def test_resets_and_deletes
    filled
    assert_equal({ "deleted" => 1, "missing" => 0 },
                 karma.batch_delete_range(series: series, keys: [1], from: DAY, to: DAY))
    assert_equal true, karma.delete_range(series: series, key: 1, range: RANGE)
    assert_equal "OK", karma.reset_counter(series: series, key: 1)
    assert_equal({ "reset" => 1, "missing" => 1 }, karma.batch_reset(series: series, keys: [2, 3]))
    filled
    assert_equal "OK", karma.delete_before(series, before: DAY + 1)
    assert_equal 2, karma.series_summary(series)["total"]
    assert_equal true, karma.delete_range(series: series, range: RANGE)
    assert_equal "OK", karma.reset_series(series)
    assert_equal 0, karma.series_summary(series)["total"]
  end

  def test_series
    assert_equal "OK", karma.create_series(series)
    assert_includes karma.list_series, series
    filled
    assert_equal 10, karma.series_info(series)["total"]
    assert_equal [{ "key" => 1, "total" => 7 }], karma.series_keys(series, limit: 1)["keys"]
    assert_equal [2], karma.series_keys(series, limit: 1, cursor: 1)["keys"].map { |row| row["key"] }
    assert_equal [[1, DAY, 5], [1, DAY + 1, 2], [2, DAY, 3]], karma.series_points_page(series)["points"]
    assert_equal 10, karma.series_summary(series, range: RANGE)["total"]
    assert_equal [{ "key" => 1, "value" => 7 }], karma.series_top(series, limit: 1)["items"]
    assert_equal [{ "key" => 1, "value" => 2, "previous" => 5, "delta" => -3 },
                  { "key" => 2, "value" => 0, "previous" => 3, "delta" => -3 }],
                 karma.series_top(series, range: (DAY + 1)..(DAY + 2), compare_to: DAY..DAY, order_by: :delta)["items"]
    assert_equal({ "1" => { "20260505" => 5, "20260506" => 2 }, "2" => { "20260505" => 3 } },
                 karma.series_points(series, range: RANGE))
    assert_equal "OK", karma.compact_series(series)
    assert_equal "OK", karma.compact_all
    assert_equal "OK", karma.drop_series(series)
    refute_includes karma.list_series, series
  end

  def test_ingest
    stream = "stream-#{series}"
    assert_equal "active", karma.ingest_begin(stream_id: stream, mode: :add)["status"]
    chunk = { stream_id: stream, series: series, chunk_seq: 1, items: [[1, DAY, 5]] }
    assert_equal [false, 1, 5], karma.ingest_chunk(**chunk).values_at("skipped", "applied", "total")
    assert_equal true, karma.ingest_chunk(**chunk)["skipped"]
    assert_equal [stream], karma.ingest_status(stream_id: stream)["streams"].map { |row| row["stream_id"] }
    assert_equal "committed", karma.ingest_commit(stream_id: stream)["status"]
    karma.ingest_begin(stream_id: "#{stream}-2", mode: "set")
    assert_equal "aborted", karma.ingest_abort(stream_id: "#{stream}-2")["status"]
  end

  def test_idempotency
    write = { series: series, key: 1, value: 5, bucket: DAY, idempotency_key: "#{series}-1" }
    assert_equal [5, 5], [karma.increment(**write), karma.increment(**write)]
    assert_equal 5, karma.sum(series: series, key: 1)
    fields = { series: series, key: 1, value: 5, bucket: DAY, idempotency_key: "#{series}-2" }
    assert_equal [false, true], Array.new(2) { karma.request("counter.increment", **fields).idempotent? }
    assert_raises(KarmaClient::IdempotencyConflictError) { karma.increment(**write, value: 6) }
    assert_equal 0, karma.idempotency_prune(before: Time.utc(2026, 1, 1))["deleted"]
  end

  def test_marks_and_reports
    assert_equal [series, "17", "e1"],
                 karma.recovery_checkpoint(source: series, offset: 17, event_id: "e1")
                      .values_at("source", "offset", "event_id")
    assert_equal 1, karma.recovery_status(source: series)["checkpoint_count"]
    assert_equal true, karma.recovery_forget(series)["forgotten"]
    assert_equal "OK", karma.reconciliation_report(checked_points: 10, mismatch_count: 1)
  end

  def test_snapshots
    filled
    assert_equal %(Tree "#{series}" saved), karma.snapshot_create(series)
    assert_equal "OK", karma.snapshot_create_all
    file = karma.snapshot_info["latest_by_tree"].find { |row| row["tree"] == series }["file"]
    assert(karma.snapshot_list.any? { |path| path.end_with?(file) })
    assert_equal file, karma.snapshot_fetch(file)["metadata"]["file"]
    assert_equal 8, karma.snapshot_fetch_chunk(file, offset: 2, limit: 8)["bytes"]
    assert_operator karma.snapshot_manifest_fetch_chunk["total_bytes"], :>, 0
    assert_operator karma.idempotency_snapshot_fetch_chunk(offset: 0, limit: 10)["total_bytes"], :>, 0
    karma.increment(series: series, key: 1)
    assert_equal %(Tree "#{series}" loaded), karma.snapshot_load(file)
    assert_equal 7, karma.sum(series: series, key: 1)
    assert_equal "ok", karma.snapshot_verify(timeout: 30)["status"]
  end

  def test_node
    assert_equal "pong", karma.ping
    assert_equal "master", karma.health["role"]
    assert_operator karma.stats["connections"], :>, 0
    assert_includes karma.metrics, "# TYPE"
    assert_equal false, karma.histograms["measured"]
    assert_operator karma.slowlog_clear["cleared"], :>=, 0
    assert_equal [], karma.slowlog(limit: 1)["entries"]
    assert_operator karma.clients(limit: 1)["count"], :>, 0
  end

  def test_replication
    filled
    assert_equal "master", karma.replication_status["role"]
    last = karma.replication_status["wal_current_lsn"]
    entries = karma.replication_entries(after_lsn: last - 1, limit: 1)["entries"]
    assert_equal([last], entries.map { |entry| entry["lsn"] })
    assert_equal 1, karma.replication_chain(after_lsn: last - 1, limit: 1)["count"]
    assert_includes [true, false], karma.replication_digest(after_lsn: last)["ready"]
    assert_equal [], karma.replication_replicas["replicas"]
    assert_equal false, karma.replication_promote["promoted"]
  end

  def test_low_level
    response = karma.request("counter.sum", series: series, key: 1, range: nil)
    assert_predicate response, :error?
    assert_equal ["not_found", 2], [response.error_code, response.protocol_version]
    assert_raises(KarmaClient::NotFoundError) { karma.call(:"counter.sum", series: series, key: 1) }
    assert_equal "pong", karma.call("system.ping")
  end

  # The op table of docs/protocol.md is made from the server's catalog.
  def test_the_catalog_is_the_servers
    document = File.read(File.expand_path("../../../docs/protocol.md", __dir__))
    rows = document[%r{<!-- ops -->(.*)<!-- /ops -->}m, 1].lines.grep(/^\| `/).map do |line|
      line.split("|").map(&:strip)
    end
    reads = rows.select { |row| row[3] == "read" }
    keyed = rows.select { |row| row[5] == "yes" }
    names = ->(chosen) { chosen.flat_map { |row| row[1].delete("`").split(", ") }.sort }
    assert_equal names.call(reads), KarmaClient::Catalog::READS.keys.sort
    assert_equal names.call(keyed), KarmaClient::Catalog::KEYED.keys.sort
  end

  # No op of the server is without a method.
  def test_every_op_has_a_method
    document = File.read(File.expand_path("../../../docs/protocol.md", __dir__))
    rows = document[%r{<!-- ops -->(.*)<!-- /ops -->}m, 1].lines.grep(/^\| `/)
    sources = Dir[File.expand_path("../lib/karma_client/operations/*.rb", __dir__)].map { |file| File.read(file) }.join
    missing = rows.map { |row| row[/`([^`]+)`/, 1] }.reject { |operation| sources.include?(%("#{operation}")) }
    assert_empty missing
  end

  def test_unknown_options_are_refused
    error = assert_raises(ArgumentError) { karma.increment(series: series, key: 1, bukcet: DAY) }
    assert_equal "unknown keyword: :bukcet", error.message
  end
end
