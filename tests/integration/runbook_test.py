#!/usr/bin/env python3
"""The commands of docs/replication-operations-runbook.md, as somebody would copy them to the terminals of three hosts.

The hosts are addresses of this machine, each with directories of its own and something that does what systemd would do
there. 10.0.0.5 of the page is 127.0.0.5 here, 8080 a free port.
"""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import project_scripts  # noqa: E402, F401

PAGE = project_scripts.SCRIPTS.parent / "docs" / "replication-operations-runbook.md"
SERVER = os.environ["KARMA_SERVER"]
TIMEOUT_SECONDS = 60
OLD_MASTER, MASTER, SLAVE = "10.0.0.5", "10.0.0.6", "10.0.0.7"

SYSTEMCTL = r"""#!/bin/bash
# systemctl VERB [--now] karma
log=$HOST_DIRECTORY/log pid=$HOST_DIRECTORY/pid
case $1 in
  stop | disable | restart)
    if [[ -e $pid ]]; then
      kill -TERM "$(cat "$pid")"
      while read -r _ _ state _ <"/proc/$(cat "$pid")/stat" && [[ $state != Z ]]; do sleep 0.02; done
      rm "$pid"
    fi 2>/dev/null ;;&
  start | enable | restart)
    env -i PATH="$PATH" $(cat "$HOST_DIRECTORY/etc/settings") setsid karma >>"$log" 2>&1 </dev/null &
    echo $! >"$pid" ;;
esac
"""


def blocks_of(text):
    """Yields (section, host, commands) for each fenced block of the kind `sh`."""
    section, block = None, None
    for number, line in enumerate(text.splitlines(), 1):
        if block is None:
            if line.startswith("## "):
                section = line[3:]
            if line.strip() == "```sh":
                block, indent = [], len(line) - len(line.lstrip())
        elif line.strip() == "```":
            if not re.fullmatch(r"# [\d.]+|# everywhere", block[0]):
                raise ValueError("line %d: a block does not say where it is run" % number)
            yield section, block[0][2:], "\n".join(block[1:])
            block = None
        else:
            block.append(line[indent:])


class Hosts:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.functions = ""  # of the shells
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        programs = self.root / "bin"
        programs.mkdir()
        (programs / "systemctl").write_text(SYSTEMCTL)
        (programs / "systemctl").chmod(0o755)
        (programs / "karma").symlink_to(os.path.abspath(SERVER))
        for host in (OLD_MASTER, MASTER, SLAVE):
            for directory in ("etc", "data", "backups"):
                (self.root / host / directory).mkdir(parents=True)
            (self.root / host / "etc" / "token").write_text("write\n")
            (self.root / host / "etc" / "read-token").write_text("read\n")

    def here(self, text, host):
        """What stands for it on this machine."""
        text = re.sub(r"\b8080\b", str(self.port), text.replace("10.0.0.", "127.0.0."))
        for place, its in (("/etc/karma", "etc"), ("/var/lib/karma", "data"), ("/var/backups", "backups")):
            text = text.replace(place, str(self.root / host / its))
        return text

    def run(self, host, commands):
        """Returns what they print. AssertionError if one fails."""
        if host == "everywhere":
            self.functions += commands + "\n"
            return ""
        shell = "set -eo pipefail\n" + self.functions + commands
        environment = {**os.environ, "PATH": "%s:%s" % (self.root / "bin", os.environ["PATH"]),
                       "HOST_DIRECTORY": str(self.root / host)}
        done = subprocess.run(["bash", "-c", self.here(shell, host)], env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_SECONDS)
        if done.returncode != 0:
            raise AssertionError("on %s:\n%s\nended with %d:\n%s\n%s" % (host, commands, done.returncode, done.stdout,
                                                                       self.logs()))
        self.wait_until_all_answer()
        return done.stdout

    def logs(self):
        return "\n".join("%s:\n%s" % (path.parent.name, path.read_text()) for path in self.root.glob("*/log"))

    def wait_until_all_answer(self):
        for path in self.root.glob("*/pid"):
            eventually(lambda: self.ask(path.parent.name, op="system.ping")["success"], self.logs)

    def ask(self, host, **fields):
        try:
            with socket.create_connection((host.replace("10.0.0.", "127.0.0."), self.port), 10) as connection:
                connection.sendall(json.dumps({"v": 2, "token": "write", **fields}).encode() + b"\n")
                return json.loads(connection.makefile("rb").readline())
        except (OSError, ValueError):
            return {"success": False, "response": None}

    def end(self):
        for path in self.root.glob("*/pid"):
            subprocess.run(["kill", "-KILL", path.read_text().strip()], check=False)


def eventually(condition, why=lambda: ""):
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("not in time: %s" % why())
        time.sleep(0.02)


class Runbook(unittest.TestCase):
    def setUp(self):
        root = tempfile.TemporaryDirectory(prefix="karma-runbook-")
        self.addCleanup(root.cleanup)
        self.hosts = Hosts(root.name)
        self.addCleanup(self.hosts.end)
        self.blocks = list(blocks_of(PAGE.read_text(encoding="utf-8")))
        self.played = 0

    def play(self, section, count=None):
        """The blocks of a section, or the next ones of these. Returns what they print."""
        self.assertEqual(self.blocks[self.played][0], section)
        output = ""
        while count != 0 and self.played < len(self.blocks) and self.blocks[self.played][0] == section:
            output += self.hosts.run(*self.blocks[self.played][1:])
            self.played += 1
            count = None if count is None else count - 1
        return output

    def also_on(self, host, block):
        """`Likewise`: on another host what a block does on that of its own."""
        _, its_host, commands = block
        self.hosts.run(host, re.sub(r"(?m)^KARMA_HOST=%s$" % re.escape(its_host), "KARMA_HOST=" + host, commands))

    def count(self, host, value, **fields):
        reply = self.hosts.ask(host, op="counter.increment", series="s", key=1, bucket=20260101, value=value, **fields)
        self.assertTrue(reply["success"], reply)

    def wait_for(self, host, value):
        eventually(lambda: self.hosts.ask(host, op="counter.sum", series="s", key=1)["response"] == value,
                   lambda: "%s on %s\n%s" % (value, host, self.hosts.logs()))

    def role(self, host):
        return self.hosts.ask(host, op="replication.status")["response"]["role"]

    def test_the_page_can_be_followed_from_its_beginning_to_its_end(self):
        self.play("Set up")
        self.also_on(SLAVE, self.blocks[self.played - 1])
        self.count(OLD_MASTER, 5)
        self.wait_for(SLAVE, 5)

        output = self.play("Watch")
        self.assertIn('"replication_lag_entries":0,', output)
        self.assertIn('"status":"ok"', output)

        output = self.play("Fail over")
        self.assertIn("term", output + self.hosts.logs())
        self.count(MASTER, 2)
        self.play("An old master that returns")
        for host in (OLD_MASTER, SLAVE):
            self.wait_for(host, 7)
            self.assertEqual(self.role(host), "slave")
        self.hosts.run(MASTER, "systemctl restart karma")
        self.assertEqual(self.role(MASTER), "master")

        self.play("Rebuild a slave")
        self.wait_for(SLAVE, 7)

        self.play("Roll back", 1)
        self.count(MASTER, 100, idempotency_key="since the copy")
        self.wait_for(OLD_MASTER, 107)
        backup = self.hosts.root / SLAVE / "backups" / "karma"
        backup.rename(self.hosts.root / MASTER / "backups" / "karma")
        self.play("Roll back")
        self.assertEqual(self.role(MASTER), "master")
        for host in (MASTER, OLD_MASTER, SLAVE):
            self.wait_for(host, 7)
        self.assertTrue(list((self.hosts.root / OLD_MASTER / "data").glob("diverged-*")))
        self.count(MASTER, 100, idempotency_key="since the copy")
        self.wait_for(OLD_MASTER, 107)

        self.upgrade()
        self.assertEqual(self.played, len(self.blocks))

    def upgrade(self):
        """10.0.0.5 alone, as Karma 1.0 would be: its part of the page is an op that 1.0 has, too."""
        for host in (OLD_MASTER, MASTER, SLAVE):
            self.hosts.run(host, "systemctl stop karma\nrm -rf /var/lib/karma/*")
        master, slave = [block[1:] for block in self.blocks if block[0] == "Set up"]
        self.hosts.run(*master)
        self.count(OLD_MASTER, 3)
        section = "Upgrade from 1.0 without downtime"
        self.play(section, 1)
        self.hosts.run(*slave)
        self.play(section, 1)
        self.count(OLD_MASTER, 4)
        self.play(section)
        self.assertEqual(self.role(MASTER), "master")
        self.count(MASTER, 5)
        self.wait_for(MASTER, 12)


if __name__ == "__main__":
    unittest.main()
