#!/usr/bin/env python3
"""What the service manager hears of a server, and what is installed beside the program: manual page and completion."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))
import project_scripts  # noqa: E402

demo = project_scripts.load("demo.py")
SERVER = os.environ["KARMA_SERVER"]
TIMEOUT_SECONDS = 60


class Notices(unittest.TestCase):
    def setUp(self):
        root = tempfile.TemporaryDirectory(prefix="karma-service-")
        self.addCleanup(root.cleanup)
        self.directory = pathlib.Path(root.name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.settimeout(TIMEOUT_SECONDS)
        self.socket.bind(str(self.directory / "notify"))

    def start(self, **environment):
        self.port = demo.Server.any_port()
        process = subprocess.Popen(
            [SERVER, "--bind=127.0.0.1", f"--port={self.port}", f"--directory={self.directory / 'data'}", "--log=false"],
            stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(self.directory / "notify"), **environment})
        self.addCleanup(lambda: (process.kill(), process.wait()))
        return process

    def hear(self):
        return self.socket.recv(4096).decode()

    def hear_until(self, start):
        heard = [self.hear()]
        while not heard[-1].startswith(start):
            heard.append(self.hear())
        return heard

    def test_from_start_to_stop(self):
        process = self.start()
        self.assertEqual(self.hear_until("READY=1")[-1], f"READY=1\nSTATUS=port {self.port}")
        with demo.Client(self.port) as client:
            client.answer(op="counter.increment", series="links", key=42)
        process.send_signal(signal.SIGTERM)
        self.assertTrue(self.hear().startswith("STOPPING=1\nSTATUS="))
        self.assertEqual(process.wait(TIMEOUT_SECONDS), 0)
        # Now there is something to restore, and each step of it asks for time.
        process = self.start()
        steps = self.hear_until("READY=1")[:-1]
        self.assertTrue(steps)
        for step in steps:
            self.assertRegex(step, r"^STATUS=[^\n]+\nEXTEND_TIMEOUT_USEC=900000000$")

    def test_the_watchdog_is_told_while_the_loops_turn(self):
        process = self.start(WATCHDOG_USEC="600000")
        self.hear_until("READY=1")
        self.assertEqual([self.hear() for _ in range(5)], ["WATCHDOG=1"] * 5)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        self.socket.setblocking(False)
        with self.assertRaises(BlockingIOError):
            for _ in range(10):
                self.hear()
        self.socket.settimeout(TIMEOUT_SECONDS)
        process.send_signal(signal.SIGCONT)
        self.assertEqual(self.hear(), "WATCHDOG=1")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(TIMEOUT_SECONDS), 0)


class Installed(unittest.TestCase):
    @staticmethod
    def help_of(*words):
        return subprocess.run([SERVER, *words, "--help"], capture_output=True, text=True, check=True,
                              env={"PATH": os.environ["PATH"]}).stdout

    def test_the_manual_page_has_all_flags_and_commands(self):
        page = subprocess.run([ROOT / "packaging/man_page", SERVER], capture_output=True, text=True, check=True).stdout
        commands = re.findall(r"^ +karma ([a-z]+) ", self.help_of().split("\n\n")[0], re.M)
        self.assertIn("import", commands)
        for command in commands:
            if command == "help":
                continue
            self.assertIn(f".SS karma {command}\n", page)
            for flag in re.findall(r"^ +(--[a-z-]+)", self.help_of(command), re.M):
                self.assertIn(flag.replace("-", "\\-"), page)
        for flag in re.findall(r"--[a-z-]+", self.help_of()):
            self.assertIn(flag.replace("-", "\\-"), page)

    def complete(self, *words):
        script = f"""
            source "{ROOT / 'packaging/completion/karma.bash'}"
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _karma; printf '%s\\n' "${{COMPREPLY[@]}}" """
        done = subprocess.run(["bash", "-c", script, "bash", SERVER, *words], capture_output=True, text=True,
                              check=True, cwd=ROOT)
        return done.stdout.split()

    def test_bash_completes_what_there_is(self):
        self.assertEqual(self.complete("impo"), ["import"])
        self.assertEqual(self.complete("--wal-fs"), ["--wal-fsync"])
        self.assertEqual(self.complete("--por"), ["--port="])
        self.assertEqual(self.complete("import", "--series"), ["--series="])
        self.assertEqual(self.complete("help", "netw"), ["network"])
        self.assertEqual(self.complete("check", "packa"), ["packaging"])
        self.assertEqual(self.complete("--config", "=", "packa"), ["packaging"])
        self.assertEqual(self.complete("--nothing-of-the-kind"), [])


if __name__ == "__main__":
    unittest.main()
