#!/usr/bin/env python3
"""An old master, killed and started again as a slave: it goes back to where the histories part, and says so."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import project_scripts
import node

SERVER = os.environ["KARMA_SERVER"]
TIMEOUT_SECONDS = 60


class Rewind(unittest.TestCase):
    def setUp(self):
        root = tempfile.TemporaryDirectory(prefix="karma-rewind-")
        self.addCleanup(root.cleanup)
        self.root = pathlib.Path(root.name)

    def node(self, name):
        server = node.Server(SERVER, str(self.root / name), log=str(self.root / (name + ".log")))
        self.addCleanup(lambda: server.process and server.process.poll() is None and server.kill())
        return server

    @staticmethod
    def follow(slave, master):
        slave.flags = ["--role=slave", "--replication-source-host=127.0.0.1",
                       "--replication-source-port=%d" % master.port]

    def ask(self, server, **fields):
        with node.Client(server.port) as client:
            return client.answer(**fields)

    def count(self, server, series, value):
        self.ask(server, op="counter.increment", series=series, key=1, bucket=20260101, value=value)

    def wait_for(self, slave, master):
        """An old master is at the same LSN before it has asked the new one, but in another history."""
        there = self.ask(master, op="replication.status")
        want = {"replayed_lsn": there["wal_current_lsn"], "history": there["history"], "diverged": False}
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not want.items() <= (status := self.ask(slave, op="replication.status")).items():
            self.assertLess(time.monotonic(), deadline, (status, pathlib.Path(slave.log).read_text()))
            time.sleep(0.02)

    def events(self, server, name):
        lines = map(json.loads, pathlib.Path(server.log).read_text().splitlines())
        return [line["message"] for line in lines if line["event"] == name]

    def run_karma(self, *arguments):
        return subprocess.run([SERVER, *arguments], stdin=subprocess.DEVNULL, check=True, capture_output=True).stdout

    def return_of_the_old_master(self, meanwhile=lambda old: None):
        old, new = self.node("old"), self.node("new")
        old.flags = ["--wal-retention-bytes=0"]
        old.start()
        self.count(old, "links", 5)
        self.ask(old, op="snapshot.create_all")
        self.count(old, "links", 7)
        self.follow(new, old)
        new.start()
        self.wait_for(new, old)
        self.run_karma("promote", "--host=127.0.0.1", "--port=%d" % new.port)
        self.count(old, "links", 100)
        meanwhile(old)
        old.kill()
        self.count(new, "links", 1)
        self.follow(old, new)
        old.start()
        self.wait_for(old, new)
        self.assertEqual(self.ask(old, op="counter.sum", series="links", key=1), 13)
        self.assertEqual(len(list((self.root / "old").glob("diverged-*"))), 1)
        for server in (old, new):
            self.assertEqual(server.stop(), 0)
        self.assertEqual(*(self.run_karma("dump", server.directory) for server in (old, new)))
        return old

    def test_it_goes_back_without_a_copy(self):
        old = self.return_of_the_old_master()
        self.assertRegex(self.events(old, "replication.rewound")[0], r"^lsn=2 ms=\d+$")
        self.assertEqual(self.events(old, "replication.snapshot_bootstrap"), [])

    def test_it_copies_where_it_cannot_and_says_why(self):
        old = self.return_of_the_old_master(lambda old: self.ask(old, op="snapshot.create_all"))
        self.assertEqual(self.events(old, "replication.rewound"), [])
        self.assertEqual(self.events(old, "replication.not_rewound"), [
            "its last snapshot of everything is of LSN 3, and the histories part after 2, and its log alone is not all; "
            "the master's data is copied"])


if __name__ == "__main__":
    unittest.main()
