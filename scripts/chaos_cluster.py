"""A master, two slaves and their clients, for scripts/chaos: one run of them, and what must be true of it."""

import itertools
import pathlib
import random
import subprocess
import time

import chaos_model
from chaos_model import Failure
from chaos_nodes import Network, Node

WRITERS = 6
EVEN_SECONDS = 120  # until all slaves have caught up
STALE_REPLIES = 5   # at most so many that a slave gets were made before its master stood still


class Cluster:
    """One run."""

    def __init__(self, binary, root, seed, confirmed):
        self.binary, self.root, self.rng = binary, root, random.Random(seed)
        self.begun, self.events = time.monotonic(), []
        self.model, self.gate = chaos_model.Model(confirmed), chaos_model.Gate()
        flags = self.settings() + (["--min-replicas-ack=1", "--replicas-ack-timeout-ms=300"] if confirmed else [])
        self.tell("seed %s: %s" % (seed, " ".join(flags)))
        self.nodes = [Node(binary, root, name, flags) for name in "abc"]
        self.network = Network(self.nodes, seed)
        self.master = self.nodes[0]
        self.backup = None  # of the master: a directory, and its last LSN
        self.rebuilt = False  # since the last check a slave has lost what it confirmed
        self.ended = False
        self.lead(self.master)
        self.clients = [chaos_model.Writer(number, self, seed) for number in range(WRITERS)]
        self.clients.append(chaos_model.Noise(self, seed))

    def settings(self):
        choice = self.rng.choice
        return ["--wal-segment-bytes=%d" % choice([0, 20000, 200000]),
                "--wal-retention-bytes=%d" % choice([0, 30000, -1]),
                "--wal-batch-size=%d" % choice([3, 256]),
                "--replication-batch-size=%d" % choice([20, 100, 100, 1000]),
                "--replication-poll-interval-ms=50",
                "--replication-check-interval=1",
                "--max-response-bytes=%d" % choice([8000, 8000, 16 << 20]),
                "--read-timeout=3"]

    def tell(self, text):
        self.events.append("%7.3f  %s" % (time.monotonic() - self.begun, text))

    def lead(self, master):
        self.master, self.address = master, (master.port, self.model.branch)

    def slaves(self):
        return [node for node in self.nodes if node is not self.master]

    # The run.

    def play(self, seconds):
        try:
            self.master.start()
            for slave in self.slaves():
                slave.follow(self.network.link(slave, self.master))
            for client in self.clients:
                client.thread.start()
            end = self.begun + seconds
            while time.monotonic() < end:
                for _ in range(self.rng.randrange(4, 14)):
                    self.do_something()
                self.even_out()
            self.end()
        finally:
            self.ended = True
            self.gate.open()
            for node in self.nodes:
                if node.running:
                    node.kill()
            for client in self.clients:
                if client.thread.ident:
                    client.thread.join()
            self.network.close()

    def look(self):
        for client in self.clients:
            if client.failure:
                raise client.failure
        for node in self.nodes:
            if node.process.poll() not in (None, -9):
                raise Failure("%s has ended with status %d" % (node.name, node.process.poll()))

    def do_something(self):
        raise NotImplementedError

    # Checks.

    def even_out(self):
        self.tell("all faults end")
        self.network.heal()
        for node in self.nodes:
            node.go_on()
            node.free_disk()
        self.gate.shut()
        still_at = time.monotonic()
        expected, position = self.master.content(), self.master.status()
        if not expected:
            raise Failure("the master does not answer")
        even, replies = {self.master}, {}
        while len(even) < len(self.nodes):
            for slave in self.slaves():
                if slave not in even and self.is_even(slave, expected, position, self.source(slave) in even, replies):
                    even.add(slave)
            if time.monotonic() > still_at + EVEN_SECONDS:
                raise Failure("not all catch up:\n%s" % "\n".join(map(self.describe, self.nodes)))
            time.sleep(0.01)
        self.look()
        self.compare_digests()
        self.model.check(expected["points"].get(chaos_model.SERIES, []))
        self.forget_streams(expected["streams"])
        self.rebuilt = False
        self.tell("all are even at LSN %d" % position["wal_current_lsn"])
        self.gate.open()

    def is_even(self, slave, expected, position, source_stands_still, replies):
        """Failure if it says so and is not."""
        before, content, after = slave.status(), slave.content(), slave.status()
        if not before or not after or content is None:
            return False
        if before["replication_lag_entries"] != 0 or after["replication_lag_entries"] != 0:
            return False
        same = all(status["replayed_lsn"] == position["wal_current_lsn"] and
                   status["history"][-1:] == position["history"][-1:] for status in (before, after))
        if content == expected:
            return same
        count = before["replication_poll_success_count"]
        fresh = source_stands_still and count > replies.setdefault(slave, count) + STALE_REPLIES
        if same or (fresh and before["replayed_lsn"] == after["replayed_lsn"]):
            raise Failure("%s says that it has everything, and has something else: %s\n%s" % (
                slave.name, first_difference(content, expected), "\n".join(map(self.describe, self.nodes))))
        return False

    def compare_digests(self):
        """Nothing here alters a state, so no digest may ever differ; in the end each slave finds its own equal."""
        def compared(status):
            return status and (status["digest_check_result"], status["digest_check_lsn"]) == (
                "equal", status["replayed_lsn"])

        end = time.monotonic() + EVEN_SECONDS
        for slave in self.slaves():
            while not (status := slave.status()) or (self.ended and not compared(status)):
                if time.monotonic() > end:
                    raise Failure("the digest of %s is not compared: %s" % (slave.name, status))
                time.sleep(0.02)
            if status["digest_check_different_count"] != 0:
                raise Failure("the digest of %s was different: %s" % (slave.name, status))

    def source(self, slave):
        return next(source for (_, source), link in self.network.links.items() if link is slave.link)

    def describe(self, node):
        shown = ("role", "wal_current_lsn", "replayed_lsn", "replication_lag_entries", "replication_last_poll_error",
                 "replication_last_bootstrap_error", "history")
        status = node.status() or {}
        return "%s follows %s: %s" % (node.name, self.source(node).name if node.link else "nobody",
                                      {name: status.get(name) for name in shown})

    def forget_streams(self, streams):
        """Those that were committed on a branch that was left."""
        kept = [client.stream_id() for client in self.clients[:WRITERS]]
        for stream in streams:
            if stream["stream_id"] not in kept:
                self.master.ask(op="ingest.abort", stream_id=stream["stream_id"])

    def count_in_logs(self, event):
        return sum(pathlib.Path(node.log).read_text(errors="replace").count('"event":"%s"' % event)
                   for node in self.nodes)

    def check(self, directory):
        done = subprocess.run([self.binary, "check", directory], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True)
        if done.returncode != 0:
            raise Failure("karma check %s:\n%s" % (directory, done.stdout + done.stderr))
        return done.stdout

    def end(self):
        self.ended = True
        for client in self.clients:
            client.thread.join()
        self.look()
        for write in self.model.writes:
            write.repeated = False
        self.even_out()
        dumps = []
        for node in self.slaves() + [self.master]:
            status = node.stop()
            if status != 0:
                raise Failure("%s ended with status %d" % (node.name, status))
            directories = [path for path in pathlib.Path(node.directory).glob("diverged-*") if path.is_dir()]
            for directory in [node.directory, *directories]:
                self.check(directory)
            dumps.append(subprocess.run([self.binary, "dump", node.directory], stdin=subprocess.DEVNULL, check=True,
                                        capture_output=True).stdout)
        if len(set(dumps)) != 1:
            raise Failure("karma dump says different things of the nodes")


def first_difference(content, expected):
    for name in ("keys", "committed"):
        if content[name] != expected[name]:
            return "%s: %s, not %s" % (name, content[name], expected[name])
    for stream, wanted in itertools.zip_longest(content["streams"], expected["streams"]):
        if stream != wanted:
            return "%s, not %s" % (stream, wanted)
    for series in sorted(content["points"].keys() | expected["points"].keys()):
        has, wants = (set(map(tuple, points.get(series, []))) for points in (content["points"], expected["points"]))
        if has != wants:
            return "%s: %d points are missing, %d should not be there, %s" % (
                series, len(wants - has), len(has - wants), sorted(has ^ wants)[:3])
    return "a series without points"
