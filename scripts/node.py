"""A server of its own for a script, and a connection to it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

START_TIMEOUT_SECONDS = 30
REPLY_TIMEOUT_SECONDS = 30


class Server:
    """Its log, if wanted, is appended to a file."""

    def __init__(self, binary, directory, flags=(), start_seconds=START_TIMEOUT_SECONDS, port=None, log=None):
        self.binary, self.directory, self.flags, self.start_seconds = binary, directory, flags, start_seconds
        self.port, self.log = port or self.any_port(), log
        self.process = None

    @staticmethod
    def any_port():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    def start(self):
        """Returns when the server answers; restoring may take its time."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KARMA_")}
        command = [self.binary, "--bind=127.0.0.1", "--port=%d" % self.port, "--directory=%s" % self.directory,
                   "--log=%s" % ("true" if self.log else "false"), *self.flags]
        with open(self.log, "ab") if self.log else contextlib.nullcontext() as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        deadline = time.monotonic() + self.start_seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with Client(self.port) as client:
                    # While it restores it says so and nothing else.
                    if client.ask(op="system.ping")["error_code"] != "internal_error":
                        return
            except (OSError, EOFError, ValueError):
                pass
            time.sleep(0.02)
        self.kill()
        sys.exit("the server did not start")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(START_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL


class Client:
    """One connection; one request at a time."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), REPLY_TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.replies = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.replies.close()
        self.socket.close()

    def ask(self, **fields):
        """Returns the reply. OSError or EOFError: the connection broke, and nobody knows what became of the request."""
        self.send([fields])
        return self.receive()

    def send(self, requests):
        lines = [json.dumps({"v": 2, **fields}, separators=(",", ":")) + "\n" for fields in requests]
        self.socket.sendall("".join(lines).encode())

    def receive(self):
        line = self.replies.readline()
        if not line.endswith(b"\n"):
            raise EOFError("the connection ended")
        return json.loads(line)

    def answer(self, **fields):
        reply = self.ask(**fields)
        if not reply["success"]:
            sys.exit("refused: %s" % reply)
        return reply["response"]
