#!/usr/bin/env python3
"""A server that is started with a settings file, and `karma config` beside it."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import project_scripts  # noqa: E402

demo = project_scripts.load("demo.py")
SERVER = os.environ["KARMA_SERVER"]
TIMEOUT_SECONDS = 60


def karma(*arguments, **variables):
    """Returns exit status, stdout and stderr."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KARMA_")}
    done = subprocess.run([SERVER, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env={**environment, **variables}, timeout=TIMEOUT_SECONDS)
    return done.returncode, done.stdout, done.stderr


def eventually(condition):
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it does not come")
        time.sleep(0.02)


class Settings(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.TemporaryDirectory(prefix="karma-settings-")
        self.addCleanup(self.root.cleanup)
        self.file = pathlib.Path(self.root.name) / "karma.toml"

    def start(self, *flags):
        server = demo.Server(SERVER, os.path.join(self.root.name, "data"), flags)
        server.start()
        self.addCleanup(lambda: server.process.poll() is None and server.kill())
        return server

    def test_a_server_takes_its_settings_from_the_file_and_flags_win(self):
        self.file.write_text('max-request-bytes = 100\nrole = "slave"\nport = 1  # of a flag, too\n')
        server = self.start("--config=%s" % self.file)
        with demo.Client(server.port) as client:
            self.assertEqual(client.answer(op="system.health")["role"], "slave")
            self.assertEqual(client.ask(op="system.ping", pad="x" * 200)["error_code"], "request_too_large")

    def test_a_wrong_file_is_refused_by_the_start_and_by_config_alike(self):
        self.file.write_text("wal = true\nmax-conections = 5\n")
        message = "ERROR: %s:2: max-conections is not a setting. Did you mean max-connections?\n" \
                  "karma --help lists all options.\n" % self.file
        self.assertEqual(karma("--config=%s" % self.file), (2, "", message))
        self.assertEqual(karma(KARMA_CONFIG=str(self.file)), (2, "", message))
        self.assertEqual(karma("config", "--config=%s" % self.file), (1, "", message))

    def test_config_tells_where_settings_come_from(self):
        self.file.write_text("port = 9090\n")
        status, out, err = karma("config", "--max-connections=7", KARMA_CONFIG=str(self.file))
        self.assertEqual((status, err), (0, ""))
        self.assertEqual([line.split() for line in out.splitlines() if not line.endswith(" default")],
                         [["config", str(self.file), "environment", "KARMA_CONFIG"],
                          ["port", "9090", "file", "%s:1" % self.file], ["max-connections", "7", "flag"]])

    def test_a_hang_up_takes_over_tokens_and_log_level_and_opens_the_log_anew(self):
        log = pathlib.Path(self.root.name) / "karma.log"
        token = pathlib.Path(self.root.name) / "token"
        token.write_text("0ld-token\n")
        settings = "auth-token-file = '%s'\nlog = true\nlog-file = '%s'\nlog-level = '%%s'\n" % (token, log)
        self.file.write_text(settings % "info")
        server = demo.Server(SERVER, os.path.join(self.root.name, "data"), ["--config=%s" % self.file, "--log=true"])
        server.start()
        self.addCleanup(lambda: server.process.poll() is None and server.kill())

        with demo.Client(server.port) as client:
            old, new = ({"op": "system.ping", "token": text} for text in ("0ld-token", "n3w-token"))
            self.assertEqual(client.answer(**old), "pong")
            token.write_text("n3w-token\n")
            self.file.write_text(settings % "error" + "max-connections = 7\n")
            log.rename(log.with_suffix(".1"))
            server.process.send_signal(signal.SIGHUP)
            eventually(lambda: client.ask(**new)["success"])
            self.assertEqual(client.ask(**old)["error_code"], "unauthorized")

            eventually(log.exists)
            self.file.write_text("nonsense\n")
            server.process.send_signal(signal.SIGHUP)
            eventually(lambda: "server.reload_failed" in log.read_text())
            self.assertEqual(client.answer(**new), "pong")
        self.assertEqual(server.stop(), 0)

        first, second = log.with_suffix(".1").read_text(), log.read_text()
        self.assertEqual([json.loads(line)["event"] for line in first.splitlines()][:3],
                         ["server.settings", "restore.done", "server.start"])
        self.assertIn("auth-token=(set)", first)
        events = [json.loads(line) for line in second.splitlines()]
        self.assertEqual([(event["event"], event["level"]) for event in events],
                         [("log.reopened", "info"), ("server.reload", "info"), ("server.reload", "warn"),
                          ("server.reload_failed", "error")], "then the level is error")
        self.assertEqual(events[1]["message"], "changed=auth-token,log-level")
        self.assertIn("%s:1: this line is no setting" % self.file, events[3]["message"])
        self.assertNotIn("-token\"", first + second)
        for secret in ("0ld-token", "n3w-token"):
            self.assertNotIn(secret, first + second)

    def test_what_a_hang_up_changes_is_logged(self):
        self.file.write_text("log-level = 'info'\n")
        log = pathlib.Path(self.root.name) / "karma.log"
        server = self.start("--config=%s" % self.file, "--log=true", "--log-format=text", "--log-file=%s" % log)
        self.file.write_text("log-level = 'debug'\nmax-connections = 7\n")
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: "only a restart changes max-connections" in log.read_text())
        self.assertRegex(log.read_text(), r"(?m)^\S+Z INFO  log\.reopened %s$" % log)
        self.assertRegex(log.read_text(), r"(?m)^\S+Z INFO  server\.reload changed=log-level$")
        with demo.Client(server.port):
            eventually(lambda: "DEBUG client.connected 127.0.0.1:" in log.read_text())

    def test_a_start_tells_where_it_is_what_it_holds_and_what_to_do_next(self):
        log = pathlib.Path(self.root.name) / "karma.log"
        flags = ("--log=true", "--log-format=text", "--log-file=%s" % log)
        server = self.start(*flags)
        with demo.Client(server.port) as client:
            client.answer(op="counter.increment", series="links", key=42, bucket=20260505)
        self.assertEqual(server.stop(), 0)
        log.unlink()
        server = self.start(*flags)
        text = log.read_text()
        self.assertRegex(text, r"(?m) restore\.done series=1 keys=1 .*\bseconds=")
        command = re.search(r"(?m) server\.start version=\S+ port=%d bind=127\.0\.0\.1 directory=%s/data; try: (.+)$"
                            % (server.port, re.escape(self.root.name)), text)
        self.assertIsNotNone(command, text)
        program, *arguments = command.group(1).split()
        self.assertEqual(program, "karma")
        self.assertEqual(karma(*arguments)[0], 0)

    def test_a_log_file_that_cannot_be_opened_refuses_the_start(self):
        status, out, err = karma("--log-file=%s/none/log" % self.root.name, "--bind=127.0.0.1", "--port=0")
        self.assertEqual((status, out), (2, ""))
        status, out, err = karma("--log-file=%s/none/log" % self.root.name, "--bind=127.0.0.1",
                                 "--port=%d" % demo.Server.any_port())
        self.assertEqual((status, out), (1, ""))
        self.assertRegex(err, r"\AERROR: Cannot open the log file .*/none/log: No such file or directory; --log-file "
                              r"names another file\n\Z")


if __name__ == "__main__":
    unittest.main()
