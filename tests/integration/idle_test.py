#!/usr/bin/env python3
"""A node that has nothing to do costs no CPU, however many clients are connected and however busy it was before."""

import os
import pathlib
import resource
import socket
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import node  # noqa: E402

SERVER = os.environ["KARMA_SERVER"]
CONNECTIONS, SPARE_DESCRIPTORS = 1000, 100
REQUESTS = 3000
SECONDS, SHARE = 2, 0.2  # of a core: a thread that spins takes all of it


def cpu_seconds(pid):
    fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Idle(unittest.TestCase):
    def setUp(self):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = CONNECTIONS + SPARE_DESCRIPTORS
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))

    def test_idle_connections_cost_no_cpu(self):
        for flags in (["--wal=false"], ["--wal-fsync=false"]):
            with self.subTest(flags=flags), tempfile.TemporaryDirectory(prefix="karma-idle-") as directory:
                server = node.Server(SERVER, directory, ["--spin-us=50", "--read-timeout=0", *flags])
                server.start()
                connections = []
                try:
                    for _ in range(CONNECTIONS):
                        connections.append(socket.create_connection(("127.0.0.1", server.port)))
                    # Requests one after the other are what makes its threads spin.
                    with node.Client(server.port) as client:
                        for _ in range(REQUESTS):
                            client.answer(op="counter.increment", series="s", key=1)
                        before = cpu_seconds(server.process.pid)
                        time.sleep(SECONDS)
                        used = cpu_seconds(server.process.pid) - before
                    self.assertLess(used, SECONDS * SHARE)
                finally:
                    for connection in connections:
                        connection.close()
                    self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
