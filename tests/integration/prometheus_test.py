#!/usr/bin/env python3
"""A real Prometheus scrapes a master and its slave, and is asked what docs/operations.md says it can be asked."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from http_node import PATIENCE_SECONDS, HttpNode  # noqa: E402
from prometheus import Prometheus, programs  # noqa: E402
import project_scripts  # noqa: E402
import node  # noqa: E402

SERVER = os.environ["KARMA_SERVER"]
PAGE = project_scripts.SCRIPTS.parent / "docs" / "operations.md"
WRITES, READS = 30, 20


class PrometheusTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="karma-prometheus-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.master = self.start("master")
        self.slave = self.start("slave", "--role=slave", "--replication-source-host=127.0.0.1",
                                "--replication-source-port=%d" % self.master.port)
        with node.Client(self.master.port) as client:
            for key in range(WRITES):
                client.answer(op="counter.increment", series="links", key=key)
            for key in range(READS):
                client.answer(op="counter.sum", series="links", key=key)
        self.slave.wait_for("/replica?lag=5000", 200)

    def start(self, name, *flags):
        server = HttpNode(SERVER, os.path.join(self.directory, name), *flags)
        self.addCleanup(lambda: server.process is not None and server.kill())
        server.start()
        return server

    def test_promtool_finds_nothing_to_say(self):
        for server in (self.master, self.slave):
            status, text = server.get("/metrics")
            self.assertEqual(status, 200)
            done = subprocess.run([programs() / "promtool", "check", "metrics"], input=text,
                                  capture_output=True, text=True, timeout=PATIENCE_SECONDS)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_prometheus_knows_what_the_nodes_did(self):
        prometheus = Prometheus(self.directory, {"master": self.master.http_port,
                                                 "slave": self.slave.http_port})
        self.addCleanup(prometheus.close)
        prometheus.wait_for("up", {"master": 1, "slave": 1})
        prometheus.wait_for("karma_keys", {"master": WRITES, "slave": WRITES})
        prometheus.wait_for('karma_request_duration_seconds_count{op="counter.increment"}', {"master": WRITES})
        prometheus.wait_for('karma_request_duration_seconds_bucket{op="counter.sum",le="+Inf"}', {"master": READS})
        prometheus.wait_for('karma_role{role="slave"}', {"slave": 1})
        prometheus.wait_for("karma_replication_lag_seconds", {"master": 0, "slave": 0})
        self.assertEqual(prometheus.values("karma_wal_batch_entries_sum")["master"], WRITES)
        version = subprocess.run([SERVER, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
        self.assertEqual(prometheus.values('karma_build_info{version="%s"}' % version), {"master": 1, "slave": 1})
        for metric in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"):
            self.assertEqual(prometheus.values(metric + " > 0").keys(), {"master", "slave"})
        started = prometheus.values("time() - process_start_time_seconds")
        self.assertTrue(all(0 < seconds < 3600 for seconds in started.values()), started)
        for seconds in prometheus.values("histogram_quantile(0.99, karma_request_duration_seconds_bucket)").values():
            self.assertTrue(0 < seconds < 10, seconds)

        # What the page says is what it understands.
        queries = re.findall(r"\| `([^`]+)`[^|]* \|$", PAGE.read_text().split("| Question | Query |")[1]
                             .split("<!-- scrape -->")[0], re.M)
        self.assertGreaterEqual(len(queries), 5)
        for query in queries:
            self.assertEqual(prometheus.ask(query)["status"], "success", query)

        # A slave without its master does not know its lag any more, and a node that is gone is seen to be.
        self.master.kill()
        prometheus.wait_for("up", {"master": 0, "slave": 1})
        prometheus.wait_for("karma_replication_lag_seconds", {})
        prometheus.wait_for("karma_health_problems", {"slave": 1})


if __name__ == "__main__":
    unittest.main()
