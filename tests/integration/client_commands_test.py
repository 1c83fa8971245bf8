#!/usr/bin/env python3
"""`karma ping`, `call`, `plot` and `stats` against a server, as somebody on call types them."""

import json
import os
import pathlib
import pty
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import project_scripts  # noqa: E402

demo = project_scripts.load("demo.py")
SERVER = os.environ["KARMA_SERVER"]
TIMEOUT_SECONDS = 60
TOKEN = "s3cret"


class ClientCommands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.TemporaryDirectory(prefix="karma-client-commands-")
        cls.token = pathlib.Path(cls.root.name) / "token"
        cls.token.write_text(TOKEN + "\n")
        cls.server = demo.Server(SERVER, os.path.join(cls.root.name, "data"), ["--auth-token-file=%s" % cls.token])
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()
        cls.root.cleanup()

    def karma(self, *arguments, stdin="", token=True, stdout=subprocess.PIPE, at=None, **variables):
        """Returns exit status, stdout and stderr."""
        command = [SERVER, *map(str, arguments), at or "--port=%d" % self.server.port]
        if token:
            command.append("--token-file=%s" % self.token)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KARMA_")}
        environment.update(variables)
        done = subprocess.run(command, input=stdin, stdout=stdout, stderr=subprocess.PIPE, text=True, env=environment,
                              timeout=TIMEOUT_SECONDS)
        for text in (done.stdout, done.stderr):
            self.assertNotIn(TOKEN, text or "")
        return done.returncode, done.stdout, done.stderr

    def test_ping(self):
        status, out, err = self.karma("ping")
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"\Apong from 127\.0\.0\.1:%d in \d+\.\d\d ms: master, ok\n\Z" % self.server.port)
        self.assertEqual(self.karma("ping", token=False), (
            1, "", "ERROR: unauthorized: Unauthorized; "
            "127.0.0.1:%d wants a token: give --token-file=FILE, or set KARMA_AUTH_TOKEN_FILE or KARMA_AUTH_TOKEN\n" %
            self.server.port))
        # A health check takes the token from where the server has it.
        done = subprocess.run([SERVER, "ping", "--port=%d" % self.server.port], capture_output=True, text=True,
                              env={"KARMA_AUTH_TOKEN_FILE": str(self.token)}, timeout=TIMEOUT_SECONDS)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_call_one_request(self):
        self.assertEqual(self.karma("call", "counter.increment", "series=links", "key=7", "bucket=2026-05-05"),
                         (0, '{"protocol_version":2,"success":true,"response":1,"error_code":null}\n', ""))
        status, out, _ = self.karma("call", '{"op":"counter.batch_sum","series":"links","keys":[7]}')
        self.assertEqual((status, json.loads(out)["response"]), (0, [{"key": 7, "value": 1}]))
        status, out, err = self.karma("call", "counter.sum", "series=nothing", "key=x")
        self.assertEqual((status, json.loads(out)["error_code"], err), (1, "validation_error", ""))

    def test_call_lines_of_standard_input(self):
        lines = "".join('{"op":"counter.increment","series":"many","key":%d}\n' % key for key in range(50))
        status, out, err = self.karma("call", "-", stdin=lines)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual([json.loads(line)["response"] for line in out.splitlines()], [1] * 50)
        status, out, _ = self.karma("call", "-", stdin='nonsense\n{"op":"system.ping"}\n')
        self.assertEqual(status, 1)
        self.assertEqual([json.loads(line)["error_code"] for line in out.splitlines()], ["invalid_json", None])

    def test_call_is_indented_on_a_terminal(self):
        def on_terminal(*arguments):
            ours, theirs = pty.openpty()
            try:
                self.assertEqual(self.karma("call", "system.ping", *arguments, stdout=theirs)[0], 0)
                return os.read(ours, 4096).decode().replace("\r\n", "\n")
            finally:
                os.close(ours)
                os.close(theirs)
        pretty = on_terminal()
        self.assertIn('\n  "response": "pong",\n', pretty)
        self.assertEqual(json.loads(on_terminal("--json")), json.loads(pretty))
        self.assertEqual(on_terminal("--json").count("\n"), 1)

    def test_slowlog(self):
        # Each write waits in vain for a slave.
        server = demo.Server(SERVER, os.path.join(self.root.name, "slow"),
                             ["--auth-token-file=%s" % self.token, "--slow-ms=50", "--min-replicas-ack=1",
                              "--replicas-ack-timeout-ms=100"])
        server.start()
        self.addCleanup(server.kill)
        port = "--port=%d" % server.port
        self.assertEqual(self.karma("slowlog", at=port)[1], "0 requests took 50 ms or longer since the start\n")
        self.karma("call", "counter.increment", "series=links", "key=7", at=port)
        status, out, err = self.karma("slowlog", at=port)
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"\A1 requests took .*\nid .*\n1 +\S+ \S+ UTC +\d+\.\d ms +- +- +\d+\.\d ms +"
                              r"counter\.increment +links +\d+ bytes +\d+ bytes +127\.0\.0\.1:\d+\n\Z")
        entry = json.loads(self.karma("slowlog", "--json", at=port)[1])["entries"][0]
        self.assertEqual((entry["op"], entry["queued_ms"]), ("counter.increment", None))
        self.assertGreaterEqual(entry["log_ms"], 100)
        self.assertEqual(self.karma("slowlog", "--clear", at=port)[1], "cleared 1 requests\n")
        self.assertEqual(json.loads(self.karma("slowlog", "--json", at=port)[1])["entries"], [])

    def test_clients(self):
        with demo.Client(self.server.port) as one, demo.Client(self.server.port) as other:
            one.ask(op="system.health", token=TOKEN)
            other.ask(op="counter.sum", series="s", key=1, token=TOKEN)
            status, out, err = self.karma("clients")
            self.assertEqual((status, err), (0, ""))
            for client, op in ((one, "system.health"), (other, "counter.sum")):
                self.assertRegex(out, r"(?m)^\d+ +127\.0\.0\.1:%d +\d+ s +\d+ s +%s +\d+ bytes +\d+ bytes +0$" % (
                    client.socket.getsockname()[1], op.replace(".", r"\.")))
            self.assertRegex(out, r"(?m) system\.clients +\d+ bytes +0 bytes +1$")
            first = json.loads(self.karma("clients", "--json", "--limit=1")[1])
            self.assertGreaterEqual(first["count"], 3)
            self.assertEqual(len(first["clients"]), 1)
            second = json.loads(self.karma("call", "system.clients", "limit=1", "cursor=%d" % first["next_cursor"])[1])
            self.assertGreater(second["response"]["clients"][0]["id"], first["next_cursor"])

    def test_plot(self):
        for key, day, value in ((42, 4, 1200), (42, 5, 3600), (42, 7, 450), (7, 5, 2 ** 64 - 1)):
            self.karma("call", "counter.increment", "series=plot", "key=%d" % key, "bucket=2026050%d" % day,
                       "value=%d" % value)
        shown = ("--series=plot", "--range=2026-05-04..20260507", "--width=60")
        self.assertEqual(self.karma("plot", "--key=42", *shown, LC_ALL="C.UTF-8"), (0, """\
plot 42, 2026-05-04 to 2026-05-07
2026-05-04  1,200  █████████████▋
2026-05-05  3,600  █████████████████████████████████████████
2026-05-06
2026-05-07    450  █████▏
total 5,250 in 3 of 4 days
maximum 3,600 on 2026-05-05
""", ""))
        self.assertEqual(self.karma("plot", *shown, LC_ALL="C"), (0, """\
plot, 2026-05-04 to 2026-05-07
key  days  total  maximum
7     #    18.4E    18.4E
42   -# .   5250     3600
""", ""))
        status, out, _ = self.karma("plot", "--key=42,43", "--json", *shown)
        days = [(key["key"], key["total"], key["days"]) for key in json.loads(out)["keys"]]
        self.assertEqual((status, days), (0, [
            (42, 5250, {"20260504": 1200, "20260505": 3600, "20260507": 450}), (43, 0, {})]))
        self.karma("call", "counter.increment", "series=today", "key=1")
        self.assertRegex(self.karma("plot", "--series=today", "--key=1", "--ascii")[1], r"(?m)^\d{4}-\d\d-\d\d  1  #+$")
        status, out, err = self.karma("plot", "--series=nothing", "--key=1")
        self.assertEqual((status, out), (1, ""))
        self.assertTrue(err.startswith("ERROR: not_found: "), err)

    def test_plot_has_colour_on_a_terminal(self):
        self.karma("call", "counter.increment", "series=colour", "key=1", "bucket=20260504")
        def on_terminal(**variables):
            ours, theirs = pty.openpty()
            try:
                self.assertEqual(self.karma("plot", "--series=colour", "--key=1", "--range=20260504..20260504",
                                            stdout=theirs, TERM="xterm", **variables)[0], 0)
                shown = ""
                while "maximum 1 on" not in shown:  # a terminal gives it in pieces
                    shown += os.read(ours, 4096).decode()
                return shown
            finally:
                os.close(ours)
                os.close(theirs)
        self.assertIn("2026-05-04  1  \x1b[1;36m#", on_terminal(LC_ALL="C"))
        self.assertNotIn("\x1b", on_terminal(LC_ALL="C", NO_COLOR="1"))

    def test_stats(self):
        status, out, err = self.karma("stats")
        self.assertEqual((status, err), (0, ""))
        for title in ("Node", "Requests", "Clients", "Log", "Snapshots", "Replication", "Exactly once"):
            self.assertIn("\n\n%s\n" % title, out)
        self.assertNotIn("\nOther\n", out, "each statistic has its topic")
        status, out, _ = self.karma("stats", "--json")
        answer = json.loads(out)
        self.assertEqual((status, out.count("\n"), answer["health"]["status"]), (0, 1, "ok"))
        self.assertIn("wal_current_lsn", answer["stats"])


if __name__ == "__main__":
    unittest.main()
