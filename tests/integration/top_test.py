#!/usr/bin/env python3
"""`karma top` on a terminal and in a pipe, against a server that goes away and comes back."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import project_scripts  # noqa: E402
from terminal import Terminal  # noqa: E402

demo = project_scripts.load("demo.py")
SERVER = os.environ["KARMA_SERVER"]
TIMEOUT_SECONDS = 60


class Top(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.TemporaryDirectory(prefix="karma-top-")
        self.addCleanup(self.root.cleanup)
        self.server = demo.Server(SERVER, os.path.join(self.root.name, "data"))
        self.server.start()
        self.addCleanup(self.server.kill)

    def terminal(self, *arguments):
        terminal = Terminal([SERVER, "top", "--port=%d" % self.server.port, "--interval=1", *arguments])
        self.addCleanup(terminal.close)
        return terminal

    def once(self, *arguments):
        done = subprocess.run([SERVER, "top", "--once", "--interval=1", "--port=%d" % self.server.port, *arguments],
                              capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
        return done.returncode, done.stdout, done.stderr

    def test_once(self):
        status, out, err = self.once()
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"\A127\.0\.0\.1:%d  master  ok  up \d+ s\n\nrequests   \d+\.\d a second, 0\.0 errors a "
                              r"second, 0 timeouts in all\nlatency .*\nclients .*\ndata .*\nlog .*\nsnapshot .*\n\Z"
                         % self.server.port)
        status, out, _ = self.once("--json")
        look = json.loads(out)
        self.assertEqual((status, out.count("\n"), look["answers"], look["restarted"]), (0, 1, True, False))
        self.assertGreater(look["ops_per_second"], 0)
        self.assertEqual(look["replicas"]["replicas"], [])
        self.server.kill()
        status, out, err = self.once()
        self.assertEqual((status, out), (1, ""))
        self.assertTrue(err.startswith("ERROR: cannot connect to 127.0.0.1:%d: " % self.server.port), err)

    def test_the_series_that_are_counted_in_come_fastest_first(self):
        stop = threading.Event()

        def write():
            with demo.Client(self.server.port) as client:
                while not stop.is_set():
                    client.answer(op="series.batch_add", series="links", items=[[1, 20260505, 5], [2, 20260505, 5]])
                    client.answer(op="counter.increment", series="pages", key=1)

        with demo.Client(self.server.port) as client:
            client.answer(op="counter.increment", series="calm", key=1)
        writer = threading.Thread(target=write)
        writer.start()
        try:
            text = self.once()[1]
            hottest = json.loads(self.once("--json")[1])["hottest_series"]
        finally:
            stop.set()
            writer.join()
        self.assertEqual([one["series"] for one in hottest], ["links", "pages"])
        self.assertGreater(hottest[0]["counted_per_second"], hottest[1]["counted_per_second"])
        self.assertRegex(text, r"\nseries  counted a second  total\nlinks +[0-9,]+ +[0-9,]+\npages ")

    def test_a_slave_is_listed(self):
        slave = demo.Server(SERVER, os.path.join(self.root.name, "slave"), [
            "--role=slave", "--replication-source-host=127.0.0.1", "--replication-source-port=%d" % self.server.port])
        slave.start()
        self.addCleanup(slave.kill)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not json.loads(self.once("--json")[1])["replicas"]["replicas"]:
            self.assertLess(time.monotonic(), deadline)
        self.assertRegex(self.once()[1], r"\n\nslave +position +on disk +lag +last contact\n[0-9a-f]{32} +0 .* s ago\n\Z")

    def test_ops_have_their_latency_where_it_is_measured(self):
        self.assertIsNone(json.loads(self.once("--json")[1])["ops"])
        self.server.kill()
        self.server.flags = ["--http-port=%d" % self.server.any_port()]
        self.server.start()
        terminal = self.terminal()
        terminal.wait_for(r"op +a second +p50 within +p99 within.*system\.stats +[\d.]+ +[\d.]+ ms +[\d.]+ ms")
        terminal.type(b"q")
        self.assertEqual(terminal.status(), 0)
        ops = {of["op"]: of for of in json.loads(self.once("--json")[1])["ops"]}
        self.assertGreater(ops["system.stats"]["per_second"], 0)
        self.assertLessEqual(ops["system.stats"]["p50_within_ms"], ops["system.stats"]["p99_within_ms"])

    def test_it_is_redrawn_and_survives_a_server_that_goes_away(self):
        terminal = self.terminal()
        shown = terminal.wait_for(r"requests   \d+\.\d a second.*\x1b\[J")
        self.assertTrue(shown.startswith("\x1b[?1049h\x1b[?25l\x1b[H"), shown)
        self.assertIn("127.0.0.1:%d  master  ok" % self.server.port, shown)
        self.server.kill()
        terminal.wait_for(r"no answer for \d+ s.*cannot connect.*Asked again every 1 s\.")
        self.server.start()
        terminal.wait_for(r"master  ok.*\x1b\[J")
        terminal.type(b"q")
        self.assertEqual(terminal.status(), 0)
        terminal.wait_for(r"\x1b\[\?25h\x1b\[\?1049l\Z")
        self.assertEqual(termios.tcgetattr(terminal.theirs), terminal.before)

    def test_signals_leave_the_terminal_as_it_was(self):
        for number, status in ((signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP)):
            terminal = self.terminal()
            terminal.wait_for(r"snapshot ")
            terminal.process.send_signal(number)
            self.assertEqual(terminal.status(), status)
            terminal.wait_for(r"\x1b\[\?25h\x1b\[\?1049l\Z")
            self.assertEqual(termios.tcgetattr(terminal.theirs), terminal.before)


if __name__ == "__main__":
    unittest.main()
