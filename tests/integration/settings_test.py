#!/usr/bin/env python3
"""A server that is started with a settings file, and `karma config` beside it."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import project_scripts  # noqa: E402

demo = project_scripts.load("demo")
SERVER = os.environ["KARMA_SERVER"]
TIMEOUT_SECONDS = 60


def karma(*arguments, **variables):
    """Returns exit status, stdout and stderr."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KARMA_")}
    done = subprocess.run([SERVER, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env={**environment, **variables}, timeout=TIMEOUT_SECONDS)
    return done.returncode, done.stdout, done.stderr


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
        message = "ERROR: %s:2: max-conections is not a setting. Did you mean max-connections?\n" % self.file
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


if __name__ == "__main__":
    unittest.main()
