"""A program on a terminal of its own, which a test reads from and types into."""

import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time

TIMEOUT_SECONDS = 60


class Terminal:
    def __init__(self, command, **variables):
        self.ours, self.theirs = pty.openpty()
        termios.tcsetwinsize(self.theirs, (24, 80))
        self.before = termios.tcgetattr(self.theirs)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KARMA_")}
        environment.update(TERM="xterm", **variables)
        self.shown = ""
        # It is the terminal of its session, so that Ctrl-C becomes a signal.
        self.process = subprocess.Popen(command, stdin=self.theirs, stdout=self.theirs, stderr=self.theirs,
                                        env=environment, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def wait_for(self, pattern):
        """Reads until what was shown since the last call matches."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not re.search(pattern, self.shown, re.DOTALL):
            if not select.select([self.ours], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise AssertionError("%r was not shown, but %r" % (pattern, self.shown))
            self.shown += os.read(self.ours, 65536).decode()
        shown, self.shown = self.shown, ""
        return shown

    def type(self, keys):
        os.write(self.ours, keys)

    def status(self):
        return self.process.wait(TIMEOUT_SECONDS)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)
