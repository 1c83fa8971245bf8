#!/usr/bin/env python3
"""`karma cli` on a terminal, as somebody types at it, and in a pipe, as a script uses it."""

import json
import os
import pathlib
import signal
import stat
import subprocess
import sys
import tempfile
import termios
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import project_scripts  # noqa: E402
from terminal import Terminal  # noqa: E402

demo = project_scripts.load("demo.py")
SERVER = os.environ["KARMA_SERVER"]
TIMEOUT_SECONDS = 60
TOKEN = "s3cret"


# For a server with the address sanitizer; others look at no such variable.
os.environ["LSAN_OPTIONS"] = "print_suppressions=0:suppressions=%s" % (
    pathlib.Path(__file__).resolve().parent.parent / "support" / "libedit.supp")


class Cli(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.TemporaryDirectory(prefix="karma-cli-")
        self.addCleanup(self.root.cleanup)
        self.home = pathlib.Path(self.root.name)
        token = self.home / "token"
        token.write_text(TOKEN + "\n")
        self.flags = ["--token-file=%s" % token]
        self.server = demo.Server(SERVER, str(self.home / "data"), ["--auth-token-file=%s" % token])
        self.server.start()
        self.addCleanup(self.server.kill)
        self.prompt = r"127\.0\.0\.1:%d> " % self.server.port

    def begin(self, *arguments):
        terminal = Terminal([SERVER, "cli", "--port=%d" % self.server.port, *self.flags, *arguments],
                            HOME=str(self.home), LC_ALL="C.UTF-8", NO_COLOR="1")
        self.addCleanup(terminal.close)
        terminal.greeting = terminal.wait_for(self.prompt)
        return terminal

    def ask(self, terminal, line):
        """What is shown after the line and before the next prompt."""
        terminal.type(line.encode() + b"\n")
        shown = terminal.wait_for(r"\n(?s:.*)" + self.prompt)
        return shown.replace("\r", "").split("\n", 1)[1].rsplit("\n", 1)[0]

    def end(self, terminal):
        terminal.type(b"\x04")
        self.assertEqual(terminal.status(), 0)
        self.assertEqual(termios.tcgetattr(terminal.theirs), terminal.before)

    def script(self, lines, *arguments):
        """Returns exit status, stdout and stderr."""
        done = subprocess.run([SERVER, "cli", "--port=%d" % self.server.port, *self.flags, *arguments], input=lines,
                              capture_output=True, text=True, timeout=TIMEOUT_SECONDS,
                              env={"HOME": str(self.home), "PATH": os.environ["PATH"]})
        return done.returncode, done.stdout, done.stderr

    def test_requests_and_their_replies(self):
        terminal = self.begin()
        self.assertRegex(terminal.greeting, r"\Akarma \S+, 127\.0\.0\.1:%d: master, ok\r\nhelp lists" % self.server.port)
        self.assertEqual(self.ask(terminal, "counter.increment series=links key=42 bucket=2026-05-05 value=3"), "3")
        self.assertEqual(self.ask(terminal, "  counter.sum series=links key=42"), "3")
        self.assertEqual(self.ask(terminal, '{"op":"counter.batch_sum","series":"links","keys":[42, 7]}'),
                         '[{"key":42,"value":3},{"key":7,"value":0}]')
        self.assertEqual(self.ask(terminal, "counter.series series=links key=42 range={\"from\": 20260501, "
                                            "\"to\": 20260531}"), '{"20260505":3}')
        self.assertEqual(self.ask(terminal, "tree.create series='a b'"), "OK")
        self.assertEqual(self.ask(terminal, "tree.list"), '["a b","links"]')
        self.assertEqual(self.ask(terminal, "counter.sum series=nothing key=1"), 'not_found: Tree "nothing" not found')
        self.assertRegex(self.ask(terminal, "counter.sum series=links"), r"\Avalidation_error: .*key")
        self.assertEqual(self.ask(terminal, "counter.sum links"),
                         "not sent: links is no field: counter.sum NAME=VALUE")
        self.assertEqual(self.ask(terminal, "tree.create series=\"x"), 'not sent: a " is not closed')
        self.assertRegex(self.ask(terminal, "{nonsense"), r"\Ainvalid_json: ")
        self.assertRegex(self.ask(terminal, "counter.increment series=links key=1 want_lsn=true"), r"\A1\nlsn \d+\Z")
        self.assertIn("\n  \"role\": \"master\",\n", self.ask(terminal, "system.stats"))
        self.assertIn("\n# TYPE ", self.ask(terminal, "system.metrics"))
        self.end(terminal)

    def test_help(self):
        terminal = self.begin()
        shown = self.ask(terminal, "help")
        self.assertIn("increment decrement sum", shown)
        self.assertRegex(self.ask(terminal, "help counter.sum"),
                         r"\Acounter\.sum, also series\.sum: a read\n  series +required  name of the series\n")
        self.assertEqual(self.ask(terminal, "help nothing"), "help: there is no op nothing; help lists them")
        terminal.type(b"quit\n")
        self.assertEqual(terminal.status(), 0)

    def test_completion(self):
        terminal = self.begin()
        terminal.type(b"counter.mul\t")
        terminal.wait_for(r"ti_sum ")
        terminal.type(b"\x15tree.to\tser\t")  # Ctrl-U takes the line away
        terminal.wait_for(r"ies=")  # what is on the screen already is not written again
        terminal.type(b"links \t")
        terminal.wait_for(r"limit= +range= +compare_to= +order_by= +min_lsn=\r\n")
        terminal.type(b"li\t")
        terminal.wait_for(r"mit=")
        self.assertEqual(self.ask(terminal, "1"), 'not_found: Tree "links" not found')
        self.end(terminal)

    def test_interrupts_take_the_line_away_and_nothing_else(self):
        terminal = self.begin()
        terminal.type(b"tree.drop series=links\x03")
        terminal.wait_for(r"\n" + self.prompt)
        terminal.type(b"system.pi")
        terminal.wait_for(r"system\.pi")
        for number in (signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT):
            terminal.process.send_signal(number)
        terminal.wait_for(r"system\.pi")  # drawn again
        self.assertEqual(self.ask(terminal, "ng"), "pong")
        self.end(terminal)
        terminal = self.begin()
        terminal.process.terminate()
        self.assertEqual(terminal.status(), -signal.SIGTERM)
        self.assertEqual(termios.tcgetattr(terminal.theirs), terminal.before)

    def test_history(self):
        history = self.home / ".karma_history"
        terminal = self.begin()
        self.ask(terminal, "counter.increment series=links key=7")
        self.ask(terminal, '{"op":"system.ping","token":"%s"}' % TOKEN)
        self.ask(terminal, "system.ping token=%s" % TOKEN)
        self.end(terminal)
        self.assertEqual(history.read_text(), "counter.increment series=links key=7\n")
        self.assertEqual(stat.S_IMODE(history.stat().st_mode), 0o600)
        terminal = self.begin()
        terminal.type(b"\x1b[A")  # arrow up
        terminal.wait_for("key=7")
        self.assertEqual(self.ask(terminal, ""), "1")
        self.end(terminal)
        kept = history.read_text()
        terminal = self.begin("--history=false")
        self.ask(terminal, "system.ping")
        self.end(terminal)
        self.assertEqual(history.read_text(), kept)
        history.unlink()
        history.mkdir()
        terminal = self.begin()
        self.assertRegex(terminal.greeting, r"note: the history .* cannot be used")
        self.assertEqual(self.ask(terminal, "system.ping"), "pong")
        self.end(terminal)

    def test_it_outlives_the_server(self):
        terminal = self.begin()
        self.assertEqual(self.ask(terminal, "system.ping"), "pong")
        self.server.kill()
        self.assertRegex(self.ask(terminal, "system.ping"), r"\Ano reply: ")
        self.assertRegex(self.ask(terminal, "system.ping"), r"\Ano reply: cannot connect to 127\.0\.0\.1:")
        other = self.begin()
        self.assertRegex(other.greeting, r"not connected: .*; each request tries again")
        self.server.start()
        for one in (terminal, other):
            self.assertEqual(self.ask(one, "system.ping"), "pong")
            self.end(one)

    def test_letters_of_several_bytes(self):
        terminal = self.begin()
        self.assertEqual(self.ask(terminal, "counter.increment series=ссылки key=1"), "1")
        terminal.type("tree.info series=ссылкиы".encode() + b"\x7f")  # backspace takes one letter
        self.assertRegex(self.ask(terminal, ""), r'"tree":"ссылки"')
        self.end(terminal)

    def test_a_script(self):
        status, out, err = self.script("counter.increment series=s key=1\n\n"
                                       '{"op":"counter.sum","series":"s","key":1}\n')
        self.assertEqual((status, err), (0, ""))
        self.assertEqual([json.loads(line)["response"] for line in out.splitlines()], [1, 1])
        status, out, err = self.script("counter.sum series=nothing key=1\nsystem.ping\nquit\nsystem.ping\n")
        self.assertEqual((status, err), (1, ""))
        self.assertEqual([json.loads(line)["error_code"] for line in out.splitlines()], ["not_found", None])
        status, out, err = self.script("system.ping\nsystem.ping now\nsystem.ping\n")
        self.assertEqual((status, err), (1, "ERROR: line 2: now is no field: system.ping NAME=VALUE\n"))
        self.assertEqual(len(out.splitlines()), 2)
        self.assertEqual(self.script(""), (0, "", ""))
        self.assertFalse((self.home / ".karma_history").exists())
        self.server.kill()
        status, out, err = self.script("system.ping\n")
        self.assertEqual((status, out), (1, ""))
        self.assertRegex(err, r"\AERROR: line 1: cannot connect to ")


if __name__ == "__main__":
    unittest.main()
