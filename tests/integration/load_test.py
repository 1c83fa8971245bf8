#!/usr/bin/env python3
"""The load programs of bench/, each for a moment: what they print, and that they count exactly."""

import importlib.machinery
import importlib.util
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
SERVER = pathlib.Path(os.environ["KARMA_SERVER"])
COMPARE = pathlib.Path(__file__).resolve().parent.parent.parent / "scripts" / "compare"
TIMEOUT_SECONDS = 120
OPS = ("increment", "sum", "batch_add", "batch_sum", "mix")
SMALL = ["--keys=50", "--days=5", "--batch=20", "--requests=400", "--verify=true"]


def program(name, *arguments):
    """Runs it; returns exit status, stdout and stderr. The data directory is in one that goes with the test."""
    with tempfile.TemporaryDirectory(prefix="karma-load-test-") as directory:
        done = subprocess.run([SERVER.parent / name, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=TIMEOUT_SECONDS, env={**os.environ, "TMPDIR": directory})
        left = os.listdir(directory)
    if left:
        raise AssertionError("%s leaves %s" % (name, left))
    return done.returncode, done.stdout, done.stderr


class LoadPrograms(unittest.TestCase):
    def run_json(self, name, *arguments):
        status, out, err = program(name, "--json=true", *arguments)
        self.assertEqual((status, err), (0, ""), out)
        return json.loads(out)

    def check_measured(self, result, requests, items):
        self.assertEqual((result["replies"], result["errors"]), (requests, 0))
        self.assertAlmostEqual(result["items_per_second"] * result["seconds"], items, delta=items / 100)
        self.assertGreater(result["ops_per_second"], 0)
        percentiles = [result[name] for name in ("p50_us", "p90_us", "p99_us", "p999_us", "max_us")]
        self.assertEqual(percentiles, sorted(percentiles))
        self.assertEqual(result["verified"], "exact")

    def test_over_tcp_every_op_is_counted_exactly(self):
        for op in OPS:
            for clients, pipeline in ((1, 1), (3, 1), (4, 64)):
                with self.subTest(op=op, clients=clients, pipeline=pipeline):
                    result = self.run_json("karma_tcp_load_test", "--spawn=%s" % SERVER, "--op=" + op, *SMALL,
                                           "--clients=%d" % clients, "--pipeline=%d" % pipeline, "--wal-fsync=false")
                    items = {"increment": 400, "sum": 400, "mix": result["items_per_second"] * result["seconds"]}
                    self.check_measured(result, 400, items.get(op, 400 * 20))
                    self.assertEqual((result["op"], result["clients"], result["pipeline"]), (op, clients, pipeline))
                    self.assertGreater(result["server_cpu_us_per_op"], 0)

    def test_idempotency_keys_are_all_different(self):
        # More requests than there are different ones: were a key sent twice, it would not be added again.
        result = self.run_json("karma_tcp_load_test", "--spawn=%s" % SERVER, "--wal=false", "--idempotency=true",
                               "--keys=50", "--clients=3", "--pipeline=100", "--requests=120000", "--verify=true")
        self.check_measured(result, 120000, 120000)
        # Several threads, and more requests of each than there are different ones.
        result = self.run_json("karma_load_test", "--wal=false", "--idempotency=true", "--keys=50", "--clients=3",
                               "--pipeline=100", "--requests=60000", "--verify=true")
        self.check_measured(result, 180000, 180000)

    def test_a_rate_is_kept(self):
        result = self.run_json("karma_tcp_load_test", "--spawn=%s" % SERVER, "--wal=false", "--clients=2",
                               "--pipeline=50", "--rate=1000", *SMALL)
        self.check_measured(result, 400, 400)
        self.assertGreaterEqual(result["seconds"], 0.399)  # the last one leaves after 0.4 s, however fast the server is

    def test_writes_beside_reads_are_counted_exactly(self):
        for op in ("sum", "batch_sum"):
            result = self.run_json("karma_tcp_load_test", "--spawn=%s" % SERVER, "--op=" + op, "--wal-fsync=false",
                                   "--clients=1", "--writes-beside=20000", "--seconds=1", *SMALL[:3], "--verify=true")
            self.assertEqual(result["verified"], "exact")
            for name in ("idle_p99_us", "p99_to_idle", "beside_per_second", "beside_p99_us"):
                self.assertGreater(result[name], 0, name)

    def test_ranges_and_text(self):
        status, out, _ = program("karma_tcp_load_test", "--spawn=%s" % SERVER, "--op=batch_sum", "--range-days=3",
                                 *SMALL, "--", "--io-threads=1")
        self.assertEqual(status, 0)
        self.assertTrue(out.startswith("batch_sum, 64 clients x 1 under way\n"), out)
        for label in ("ops/s ", "items/s ", "round trip us, p50 ", "server CPU us an op ", "client CPU us an op "):
            self.assertIn("\n  " + label, out)
        self.assertRegex(out, r"\n  totals +exact\n")

    def test_four_ranges_in_one_request(self):
        result = self.run_json("karma_tcp_load_test", "--spawn=%s" % SERVER, "--op=batch_sum", "--range-days=3",
                               "--row=true", *SMALL)
        self.assertEqual(result["verified"], "exact")
        for options in (["--op=sum", "--range-days=3"], ["--op=batch_sum"]):
            status, _, err = program("karma_tcp_load_test", "--row=true", *options)
            self.assertEqual(status, 2)
            self.assertIn("--row is for batch_sum of --range-days", err)

    def test_refused_requests_are_errors(self):
        status, out, err = program("karma_tcp_load_test", "--spawn=%s" % SERVER, "--json=true", *SMALL, "--op=batch_add",
                                   "--batch=60", "--", "--max-request-bytes=600")
        self.assertNotEqual(status, 0)
        self.assertIn("request_too_large", err)

    def test_an_echo_server_gives_back_every_line(self):
        result = self.run_json("karma_tcp_load_test", "--protocol=echo", "--spawn=%s" % (SERVER.parent / "echo_server"),
                               "--keys=50", "--clients=3", "--pipeline=100", "--requests=2000")
        self.assertEqual((result["replies"], result["errors"], result["verified"]), (2000, 0, ""))

    def test_what_is_no_option_is_refused(self):
        for name in ("karma_tcp_load_test", "karma_load_test", "karma_volume_load_test", "karma_replication_load_test",
                     "karma_wal_page_bench"):
            status, out, _ = program(name, "--help")
            self.assertEqual(status, 0)
            self.assertTrue(out.startswith("Usage: " + name))
            for wrong in ("--clients=0", "--rate=0", "--nothing=1", "--op=nothing", "--wal=perhaps", "keys"):
                status, out, err = program(name, wrong)
                self.assertEqual((status, out), (2, ""), wrong)
                self.assertIn("--help", err)

    def test_in_process_every_op_is_counted_exactly(self):
        for op in OPS:
            with self.subTest(op=op):
                result = self.run_json("karma_load_test", "--op=" + op, *SMALL, "--clients=2", "--pipeline=8",
                                       "--wal-fsync=false")
                items = {"increment": 800, "sum": 800, "mix": result["items_per_second"] * result["seconds"]}
                self.check_measured(result, 800, items.get(op, 800 * 20))
                self.assertGreater(result["cpu_us_per_op"], 0)
        self.check_measured(self.run_json("karma_load_test", *SMALL, "--wal=false"), 400, 400)

    def test_volume_is_exact_before_and_after_the_restart(self):
        arguments = ["--spawn=%s" % SERVER, "--sizes=70,30", "--bucket-count=40", "--batch-size=50",
                     "--single-rounds=100", "--read-ms=5", "--snapshots=2", "--restarts=2"]
        for more in (["--order=key", "--values=large"], ["--wal=true", "--wal-fsync=false"]):
            result = self.run_json("karma_volume_load_test", *arguments, *more)
            self.assertEqual([(size["keys"], size["days"], size["verified"]) for size in result["sizes"]],
                             [(70, 40, "exact"), (30, 40, "exact")])
            for size in result["sizes"]:
                for name in ("write_points_per_second", "batch_sum_30_per_core", "summary_days_ms", "top_30_ms",
                             "snapshot_ms", "snapshot_bytes_per_point", "snapshot_to_write", "snapshot_stall_ms",
                             "restore_ms"):
                    self.assertGreater(size[name], 0, name)
        status, out, _ = program("karma_volume_load_test", *arguments)
        self.assertEqual(status, 0)
        self.assertEqual(out.count("totals, before and after the restarts"), 2)
        sizes = self.run_json("karma_volume_load_test", *arguments, "--only-write=true")["sizes"]
        self.assertEqual([(size["verified"], size["rss_bytes_per_point"] > 0, "restore_ms" in size) for size in sizes],
                         [("exact", True, False)] * 2)

    def test_whom_long_acts_hold_up(self):
        arguments = ["--spawn=%s" % SERVER, "--keys=3000", "--days=2", "--series=3", "--records=200", "--after-ms=1",
                     "--wal-fsync=false"]
        result = self.run_json("karma_stall_load_test", *arguments)
        acts = {act["act"]: act for act in result["acts"]}
        for name in ("nothing", "tree.top", "tree.keys", "karma export", "snapshot.create_all", "snapshot.create",
                     "snapshot.verify", "snapshot.load", "series.delete_before, all", "tree.delete_range, 1 day",
                     "tree.reset", "tree.drop", "ingest.commit, replacing", "idempotency.prune"):
            self.assertIn(name, acts)
            for figure in ("ms", "read_ms", "write_ms", "sync_ms"):
                self.assertGreaterEqual(acts[name][figure], 0)
        status, out, _ = program("karma_stall_load_test", *arguments)
        self.assertEqual(status, 0)
        self.assertEqual(len(out.splitlines()), len(result["acts"]) + 1)

    def test_slaves_follow_exactly(self):
        arguments = ["--spawn=%s" % SERVER, "--clients=2", "--keys=40", "--batch-size=20", "--write-batches=10",
                     "--read-rounds=50", "--seconds=1", "--rate=500", "--entries=3000", "--slaves=2",
                     "--wal-fsync=false"]
        result = self.run_json("karma_replication_load_test", *arguments)
        self.assertEqual((result["points"], result["verified"]), (200, "exact"))
        for name in ("bootstrap_ms", "copy_ms", "restore_ms", "lag_p50_ms", "sync_p99_ms", "catch_up_per_second",
                     "read_idle_p99_us", "writes_without_slaves_per_second", "writes_with_slaves_per_second"):
            self.assertGreater(result[name], 0, name)
        self.assertGreaterEqual(result["lag_p99_ms"], result["lag_p50_ms"])

    def test_pages_of_the_log(self):
        arguments = ["--entries=3000", "--limit=100", "--tail-rounds=3", "--segment-bytes=50000", "--after-lsn=1234"]
        places = ("start", "middle", "tail", "given")
        result = self.run_json("karma_wal_page_bench", *arguments, "--compare-sidecar=true")
        self.assertEqual((result["entries"], result["limit"]), (3000, 100))
        self.assertGreater(result["segments"], 3)
        for place in places:
            for kind in ("_us", "_no_index_us", "_linear_us"):
                self.assertGreater(result[place + kind], 0, place + kind)
        result = self.run_json("karma_wal_page_bench", *arguments[:-1], "--skip-linear=true")
        self.assertEqual([name for name in result if name.endswith("_us")], ["start_us", "middle_us", "tail_us"])

    def test_a_server_that_dies_is_told(self):
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            port = nobody.getsockname()[1]
        status, out, err = program("karma_tcp_load_test", "--port=%d" % port, *SMALL)
        self.assertEqual((status, out), (1, ""))
        self.assertIn("cannot connect", err)


def load_compare():
    loader = importlib.machinery.SourceFileLoader("compare", str(COMPARE))
    compare = importlib.util.module_from_spec(importlib.util.spec_from_loader("compare", loader))
    loader.exec_module(compare)
    return compare


class Comparison(unittest.TestCase):
    def test_what_is_wanted_of_1_0_becomes_a_multiple_of_redis(self):
        compare = load_compare()
        wanted = {row.name: (round(row.wanted, 2), row.base) for row in compare.ROWS}
        self.assertEqual(wanted["counter.increment, WAL off, 64 x 1"], (0.8, "echo"))
        self.assertEqual(wanted["counter.increment, WAL off, 4 x 128"], (4.65, "redis"))  # 20 x 108 / 465, above 4
        self.assertEqual(wanted["counter.increment, WAL + fsync, 4 x 128"], (5, "redis"))
        then = {row.name: row.wanted_then for row in compare.ROWS}
        self.assertEqual(then["counter.increment, WAL off, 64 x 1"], 180e3)
        self.assertEqual(then["counter.increment, WAL off, 4 x 128"], 2.16e6)
        self.assertEqual(compare.ratios({"a": [{"x": 6}, {"x": 8}], "b": [{"x": 3}, {"x": 2}]}, "x", "a", "b"), [2, 4])


    def test_reads_beside_writes_need_a_quiet_idle(self):
        compare, worst = load_compare(), []
        self.assertIn("not shown", compare.beside_verdict(worst, [1.5, 0.1, 1.2], "row"))
        self.assertEqual(worst, [])
        self.assertEqual(compare.beside_verdict(worst, [1.5, 1.2], "row"), "yes")
        self.assertIn("no, ", compare.beside_verdict(worst, [4, 4], "row"))

    def test_a_bound_shows_that_two_threads_do_not_suffice_and_never_that_they_do(self):
        compare, worst = load_compare(), []
        self.assertIn("not shown", compare.threads_verdict(worst, 1.04, 1.95, "row"))
        self.assertEqual(worst, [])
        self.assertEqual(compare.threads_verdict(worst, 1.8, 1.95, "row"), "yes")
        self.assertIn("no, ", compare.threads_verdict(worst, 0.8, 1.5, "row"))

    def test_two_threads_share_two_cores_with_the_client(self):
        compare = load_compare()
        self.assertEqual(compare.most_of_two_threads(3, 1, 2), 1.5)
        self.assertEqual(compare.most_of_two_threads(1, 3, 2), 1)  # the client is the limit
        self.assertEqual(compare.most_of_two_threads(3, 1, 8), 2)


if __name__ == "__main__":
    unittest.main()
