#!/usr/bin/env python3
"""`karma bench` against a server: what it prints, that it counts exactly, and that it takes its series away again."""

import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import project_scripts  # noqa: E402

demo = project_scripts.load("demo.py")
SERVER = os.environ["KARMA_SERVER"]
TIMEOUT_SECONDS = 120
TOKEN = 's3"cret'
ROW = r"(?m)^%s +%s +[\d,]+ +[\d.]+ +[\d.]+ +[\d.]+ +0(?: \*)?$"


class Bench(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.TemporaryDirectory(prefix="karma-bench-")
        self.addCleanup(self.root.cleanup)

    def serve(self, *flags):
        token = pathlib.Path(self.root.name) / "token"
        token.write_text(TOKEN + "\n")
        server = demo.Server(SERVER, os.path.join(self.root.name, "data"), ["--auth-token-file=%s" % token, *flags])
        server.start()
        self.addCleanup(server.kill)
        return server

    def begin(self, server, *arguments, **streams):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KARMA_")}
        environment["KARMA_AUTH_TOKEN"] = TOKEN
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
        process = subprocess.Popen([SERVER, "bench", "--port=%d" % server.port, *arguments], stdin=subprocess.DEVNULL,
                                   env=environment, text=True, **streams)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process

    def bench(self, server, *arguments):
        """Returns exit status, stdout and stderr."""
        process = self.begin(server, *arguments)
        out, err = process.communicate(timeout=TIMEOUT_SECONDS)
        return process.returncode, out, err

    def series(self, server):
        with demo.Client(server.port) as client:
            return client.answer(op="tree.list", token=TOKEN)

    def test_the_whole_workload(self):
        server = self.serve("--max-request-bytes=65536", "--wal-fsync=false")
        status, out, err = self.bench(server, "--seconds=1", "--keys=12000")
        self.assertEqual((status, err), (0, ""), out)
        self.assertTrue(out.startswith("127.0.0.1:%d, master, log, no sync; client and server share this machine\n"
                                       "12,000 counters of 30 days, 1 s each" % server.port), out)
        shapes = ("1 x 1", "64 x 1", "4 x 128")
        for op, clients in [("counter.increment", shape) for shape in shapes] + [
                ("counter.sum", shape) for shape in shapes] + [
                ("counter.batch_sum of 1000", "4 x 1"), ("series.batch_add of 1000", "4 x 1"),
                ("mixed, batches of 1000", "64 x 1")]:
            self.assertRegex(out, ROW % (re.escape(op), clients))
        self.assertRegex(out, r"\nCounts: exact, [\d,]+ in 12,000 counters\.\n\Z")
        self.assertLessEqual(max(map(len, out.splitlines()[2:13])), 80)
        self.assertEqual(self.series(server), [])

    def test_as_json(self):
        server = self.serve()
        status, out, err = self.bench(server, "--json", "--op=mixed", "--connections=3", "--pipeline=5", "--seconds=1",
                                      "--keys=50", "--series=mine")
        self.assertEqual((status, err, out.count("\n")), (0, "", 1))
        result = json.loads(out)
        self.assertEqual([result[name] for name in ("role", "wal_enabled", "wal_synced", "series", "keys", "loop",
                                                    "interrupted", "wrong_counters")],
                         ["master", True, True, "mine", 50, "closed", False, 0])
        (row,) = result["rows"]
        # With its usual limit a server takes no longer batch.
        self.assertEqual([row[name] for name in ("op", "batch", "connections", "pipeline", "errors")],
                         ["mixed", 200, 3, 5, 0])
        self.assertGreaterEqual(row["seconds"], 1)
        self.assertAlmostEqual(row["ops_per_second"] * row["seconds"], row["replies"], delta=row["replies"] / 1000)
        times = [row[name] for name in ("p50_us", "p90_us", "p99_us", "p999_us", "max_us")]
        self.assertEqual(times, sorted(times))
        self.assertGreater(result["counted"], 50 * 30)
        self.assertEqual(self.series(server), [])

    def test_interrupted_it_tells_what_it_has_and_cleans_up(self):
        server = self.serve()
        for number in (signal.SIGINT, signal.SIGTERM):
            ours, theirs = pty.openpty()
            process = self.begin(server, "--keys=50", "--seconds=3600", "--op=counter.sum", "--connections=2",
                                 stdout=theirs, stderr=theirs, start_new_session=True)
            os.close(theirs)
            shown = ""
            while "counter.sum" not in shown:
                shown += os.read(ours, 4096).decode()
            process.send_signal(number)
            try:
                while True:
                    shown += os.read(ours, 4096).decode()
            except OSError:  # all is read
                os.close(ours)
            self.assertEqual(process.wait(TIMEOUT_SECONDS), 0, shown)
            self.assertRegex(shown.replace("\r", ""), ROW % (r"counter\.sum", "2 x 1"))
            self.assertRegex(shown, r"\nInterrupted: .*\r\nCounts: exact, 1,500 in 50 counters\.\r\n\Z")
            self.assertEqual(self.series(server), [])

    def test_a_series_that_is_there_is_left_alone(self):
        server = self.serve()
        with demo.Client(server.port) as client:
            client.answer(op="counter.increment", series="karma-bench", key=1, token=TOKEN)
            status, out, err = self.bench(server, "--seconds=1")
            self.assertEqual((status, out), (1, ""))
            self.assertIn("karma-bench exists already", err)
            self.assertEqual(client.answer(op="counter.sum", series="karma-bench", key=1, token=TOKEN), 1)

    def begun(self, server, seconds):
        """A run that measures."""
        process = self.begin(server, "--seconds=%d" % seconds, "--keys=50", "--op=counter.sum", "--connections=1")
        out = ""
        while "counter.sum" not in out:
            out += os.read(process.stdout.fileno(), 4096).decode()
        return process

    def test_two_do_not_share_a_series(self):
        server = self.serve()
        first = self.begun(server, 3600)
        status, out, err = self.bench(server, "--seconds=1")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("karma-bench exists already", err)
        self.assertEqual(self.bench(server, "--seconds=1", "--series=other", "--op=mixed", "--keys=50")[0], 0)
        first.send_signal(signal.SIGINT)
        out, err = first.communicate(timeout=TIMEOUT_SECONDS)
        self.assertEqual((first.returncode, err), (0, ""))
        self.assertIn("Counts: exact", out)

    def test_a_wrong_count_is_told(self):
        server = self.serve()
        process = self.begun(server, 2)
        with demo.Client(server.port) as client:
            client.answer(op="counter.increment", series="karma-bench", key=7, token=TOKEN)
        more, err = process.communicate(timeout=TIMEOUT_SECONDS)
        self.assertEqual((process.returncode, err), (1, "ERROR: 1 counters are not what was acknowledged\n"))
        self.assertIn("Counts: 1 counters are wrong, ", more)

    def test_a_server_that_dies_or_refuses(self):
        server = self.serve()
        process = self.begun(server, 3600)
        server.kill()
        _, err = process.communicate(timeout=TIMEOUT_SECONDS)
        self.assertEqual(process.returncode, 1)
        self.assertRegex(err, r"\AERROR: the series is still there, .*\nERROR: ")
        self.assertEqual(self.bench(server)[0], 1)
        server.start()
        self.assertEqual(self.series(server), ["karma-bench"])
        status, out, err = self.bench(server, "--token=wrong")
        self.assertEqual((status, out, err), (
            1, "", "ERROR: unauthorized: Unauthorized; 127.0.0.1:%d wants another token than that of --token-file or "
            "KARMA_AUTH_TOKEN_FILE\n" % server.port))


if __name__ == "__main__":
    unittest.main()
