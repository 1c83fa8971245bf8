#!/usr/bin/env python3
"""A server and its slave asked over HTTP, as balancers, orchestrators and less friendly clients do."""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from http_node import PATIENCE_SECONDS, HttpNode  # noqa: E402
import node  # noqa: E402

SERVER = os.environ["KARMA_SERVER"]
PATHS = ("/livez", "/readyz", "/primary", "/replica", "/read-only")


class Http(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="karma-http-")
        self.addCleanup(self.directory.cleanup)

    def server(self, name, *flags):
        server = HttpNode(SERVER, os.path.join(self.directory.name, name), *flags)
        self.addCleanup(lambda: server.process is not None and server.kill())
        return server

    def slave_of(self, master, *flags):
        return self.server("slave", "--role=slave", "--replication-source-host=127.0.0.1",
                         "--replication-source-port=%d" % master.port, "--replication-check-interval=0", *flags)

    def test_balancers_find_the_master_and_its_slave(self):
        master = self.server("master")
        slave = self.slave_of(master, "--ready-max-lag-ms=5000")
        slave.start()
        # Alive, and of no use before it has its master's data.
        self.assertEqual([slave.get(path)[0] for path in PATHS], [200, 503, 503, 503, 503])
        self.assertIn("does not have its master's data yet", slave.get("/readyz")[1])
        master.start()
        with node.Client(master.port) as client:
            client.answer(op="counter.increment", series="s", key=1)
        slave.wait_for("/readyz", 200)
        self.assertEqual([slave.get(path)[0] for path in PATHS], [200, 200, 503, 200, 200])
        self.assertEqual([master.get(path)[0] for path in PATHS], [200, 200, 200, 503, 200])
        slave.wait_for("/replica?lag=1000", 200)

        # What is not known is no pass; what was there can be read.
        master.kill()
        self.assertIn("is not known", slave.wait_for("/readyz", 503))
        slave.wait_for("/replica?lag=18446744073709551615", 503)
        self.assertEqual([slave.get(path)[0] for path in PATHS], [200, 503, 503, 200, 200])

        done = subprocess.run([SERVER, "promote", "--host=127.0.0.1", "--port=%d" % slave.port], capture_output=True,
                              text=True, timeout=PATIENCE_SECONDS)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual([slave.get(path)[0] for path in PATHS], [200, 200, 200, 503, 200])
        self.assertEqual(slave.stop(), 0)

    def test_a_start_tells_how_far_it_is(self):
        server = self.server("data", "--max-request-bytes=1000000")
        server.start()
        with node.Client(server.port) as client:
            for day in range(20260101, 20260129):
                for part in range(8):
                    items = [[part * 10000 + key, day, day] for key in range(10000)]
                    client.answer(op="series.batch_add", series="s", items=items)
        server.kill()
        seen = []
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KARMA_")}
        server.process = subprocess.Popen(
            [SERVER, "--bind=127.0.0.1", "--port=%d" % server.port, "--directory=" + server.directory, "--log=false",
             *server.flags], env=environment)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not seen or seen[-1][0] != 200:
            self.assertLess(time.monotonic(), deadline, seen)
            try:
                seen.append(server.get("/readyz"))
                if seen[-1][0] == 503:
                    self.assertEqual(server.get("/livez"), (200, "alive\n"))
            except OSError:
                self.assertEqual(seen, [], "it answered before, and then no more")
        bodies = [body for status, body in seen if status == 503]
        self.assertEqual(seen[-1], (200, "ready\n"))
        self.assertTrue(bodies)
        for body in bodies:
            self.assertRegex(body, r"\Anot ready\nstarting: [a-z ]+(, \d+ of \d+ bytes)?\n\Z")
        self.assertTrue([body for body in bodies if "applying the log, " in body], bodies)

    def test_it_bears_what_comes_from_a_network(self):
        server = self.server("data", "--auth-token=sesame", "--read-auth-token=simsim")
        server.start()
        self.assertEqual(server.get("/nothing")[0], 404)
        self.assertEqual(server.get("/nothing")[1].splitlines()[1:], [*PATHS, "/metrics"])
        self.assertEqual(server.get("/livez", "HEAD"), (200, ""))
        self.assertEqual(server.get("/livez", "POST")[0], 405)
        for request, status in ((b"\r\n\r\n", b"400"), (b"{}\n\n", b"400"), (os.urandom(64).replace(b"\n", b"") + b"\n\n", b"400"),
                                (b"GET /livez HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", b"431"),
                                (b"GET /livez HTTP/1.0\r\n\r\n", b"200"), (b"GET /livez HTTP/9.0\r\n\r\n", b"505"),
                                (b"DELETE / HTTP/1.0\r\n\r\n", b"405")):
            reply = server.raw(request)
            self.assertEqual(reply.split(b" ", 2)[1], status, (request, reply))
            self.assertNotRegex(reply, b"sesame|simsim")
        pipelined = server.raw(b"GET /livez HTTP/1.1\r\n\r\n" * 50, half_close=True)
        self.assertEqual(pipelined.count(b"HTTP/1.1 200 OK\r\n"), 50)

        # More than there is room for, none of which asks anything: whoever asks is answered.
        silent = [socket.create_connection(("127.0.0.1", server.http_port)) for _ in range(200)]
        slow = [socket.create_connection(("127.0.0.1", server.http_port)) for _ in range(30)]
        for connection in slow:
            connection.sendall(b"GET /livez HTTP/1.1\r\nX-Slow: ")
        for path in PATHS:
            server.get(path)
        # None of them is kept for long.
        for connection in silent + slow:
            connection.settimeout(PATIENCE_SECONDS)
            try:
                self.assertEqual(connection.recv(1), b"")
            except ConnectionResetError:
                pass
            connection.close()
        with node.Client(server.port) as client:
            self.assertEqual(client.answer(op="system.ping", token="sesame"), "pong")
        self.assertEqual(server.stop(), 0)

    def test_a_stop_waits_for_nobody(self):
        server = self.server("data")
        server.start()
        idle = socket.create_connection(("127.0.0.1", server.http_port))
        idle.sendall(b"GET /livez HTTP/1.1\r\n\r\n")
        idle.settimeout(PATIENCE_SECONDS)
        self.assertTrue(idle.recv(10))
        self.assertEqual(server.stop(), 0)
        self.assertEqual(idle.recv(1000)[-1:], b"\n")
        idle.close()


if __name__ == "__main__":
    unittest.main()
