"""What must be there, for scripts/chaos, and the clients that write it.

Each write has a cell of its own, a day of a counter, so it is there once, or not. With it comes an addition to a
counter that all writes of its client share: a write that is there in part shows, too.

Where a master is lost with a part of its log (wiped, put back to a copy, replaced by a slave that lacks some of it),
the branch that all followed ends at an LSN, and another one begins there. Writes that were acknowledged above it are
gone, those below it are not.
"""

import contextlib
import random
import threading
import time

import node

SERIES = "events"
DAY = 20260101
DAYS = 28

DOUBT = "in doubt"  # sent, and nobody knows
THERE = "there"     # acknowledged, or seen
GONE = "gone"       # refused, lost with a branch, or seen to be missing


class Failure(Exception):
    pass


class Write:
    __slots__ = ("client", "key", "day", "value", "name", "state", "lsn", "repeated", "why")

    def __init__(self, client, number, value, name):
        self.client, self.value, self.name = client, value, name
        self.key, self.day = 1 + client * 1_000_000 + number // DAYS, DAY + number % DAYS
        self.state, self.lsn = DOUBT, None  # no LSN: not known, or only that it is no higher than some
        self.repeated = True                # its client goes on to send it
        self.why = ""                       # what was answered last, for people

    def items(self):
        return [[self.key, self.day, self.value], [0, DAY + self.client, self.value]]

    def __str__(self):
        return "write %s (key %d, day %d, value %d, LSN %s, %s)" % (
            self.name, self.key, self.day, self.value, self.lsn, self.why)


class Model:
    def __init__(self, confirmed):
        self.confirmed = confirmed  # an acknowledged write is in a slave, too
        self.lock = threading.Lock()
        self.writes = []
        self.ends = []       # of the branches that are left, their last LSNs
        self.settled = True  # since the last check no branch was left

    @property
    def branch(self):
        return len(self.ends)

    def add(self, write):
        with self.lock:
            self.writes.append(write)

    def acknowledged(self, write, branch, lsn, known):
        """By the node that was master when it was sent. `known`: the LSN is its own, and not only no lower."""
        with self.lock:
            if known or write.state != THERE:
                write.lsn = lsn if known else None
            write.state, write.repeated = THERE, False
            for end, promotion in self.ends[branch:]:
                self.cut(write, end, promotion, lsn if write.lsn is None else write.lsn)

    def refused(self, write):
        with self.lock:
            if write.state == DOUBT and not write.repeated:
                write.state = GONE

    def leave_branch(self, end, promotion):
        with self.lock:
            self.ends.append((end, promotion))
            self.settled = False
            for write in self.writes:
                if write.state == THERE:
                    self.cut(write, end, promotion, write.lsn)

    def cut(self, write, end, promotion, lsn):
        if lsn is not None and lsn <= end:
            return
        if promotion and self.confirmed:
            if write.lsn is not None:
                raise Failure("%s was acknowledged, but the node that was promoted ends at %d" % (write, end))
        elif write.lsn is None and end > 0:
            write.state = DOUBT
        else:
            write.state = GONE

    def check(self, points):
        """All points of the series. What is in doubt is settled by what is there."""
        cells = {(key, day): value for key, day, value in points}
        sums = {}
        with self.lock:
            for write in self.writes:
                value = cells.pop((write.key, write.day), 0)
                sums[write.client] = sums.get(write.client, 0) + value
                if value not in (0, write.value):
                    raise Failure("%s is there as %d" % (write, value))
                if value == 0 and write.state == THERE:
                    raise Failure("%s was acknowledged and is lost" % write)
                if value != 0 and write.state == GONE and not write.repeated:
                    raise Failure("%s was refused or lost, and is there again" % write)
                if not write.repeated:
                    write.state = THERE if value else GONE
            for client, expected in sums.items():
                together = cells.pop((0, DAY + client), 0)
                if together != expected:
                    raise Failure("the writes of client %d amount to %d, its sum is %d" % (client, expected, together))
            if cells:
                raise Failure("nobody has written %s" % sorted(cells.items())[:5])
            self.settled = True


class Gate:
    """Clients pass it before each request, and none is on its way while it is shut."""

    def __init__(self):
        self.changed = threading.Condition()
        self.is_open, self.inside = True, 0

    def __enter__(self):
        with self.changed:
            self.changed.wait_for(lambda: self.is_open)
            self.inside += 1

    def __exit__(self, *_):
        with self.changed:
            self.inside -= 1
            self.changed.notify_all()

    def shut(self):
        with self.changed:
            self.is_open = False
            self.changed.wait_for(lambda: self.inside == 0)

    def open(self):
        with self.changed:
            self.is_open = True
            self.changed.notify_all()


class Writer:
    """A client: bursts of plain writes; writes with a key and chunks of a stream, each until it is answered."""

    def __init__(self, number, cluster, seed):
        self.number, self.cluster, self.rng = number, cluster, random.Random("%s/writer %d" % (seed, number))
        self.count = 0
        self.keyed = []
        self.streams, self.chunks = 0, []  # of the stream that is open
        self.sent = 0                      # how many of them have been acknowledged, as far as is known
        self.connection, self.connected_to = None, None
        self.failure = None
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while not self.cluster.ended:
                self.rng.choice((self.plain, self.plain, self.with_key, self.repeat, self.chunk, self.chunk))()
                time.sleep(self.rng.random() * 0.02)
        except Exception as failure:
            self.failure = failure

    def new(self, kind):
        self.count += 1
        write = Write(self.number, self.count, self.rng.randrange(1, 10), "%s-%d-%d" % (kind, self.number, self.count))
        self.cluster.model.add(write)
        return write

    def send(self, requests, once=()):
        """Returns the branch, and the replies that came before the connection broke."""
        with self.cluster.gate:
            for write in once:
                write.repeated = False
            master, branch = self.cluster.address
            replies = []
            try:
                if self.connected_to != master:
                    self.connection = node.Client(master)
                    self.connected_to = master
                self.connection.send([{"want_lsn": True, **request} for request in requests])
                for _ in requests:
                    replies.append(self.connection.receive())
            except (OSError, EOFError, ValueError):
                self.connected_to = None
            if any(reply["error_code"] == "forbidden" for reply in replies):
                self.connected_to = None
        if self.connected_to is None:
            time.sleep(0.02)
        return branch, replies

    def take(self, write, branch, reply, known=True):
        """Whether the write was acknowledged."""
        if reply["success"]:
            write.why = "acknowledged on branch %d" % branch
            self.cluster.model.acknowledged(write, branch, reply["lsn"], known)
            return True
        write.why = "%s on branch %d: %s" % (reply["error_code"], branch, reply["response"])
        if reply["error_code"] != "not_confirmed" and "not known to be lost" not in reply["response"]:
            self.cluster.model.refused(write)
        return False

    def plain(self):
        writes = [self.new("plain") for _ in range(self.rng.choice((1, 1, 5, 40)))]
        branch, replies = self.send([{"op": "series.batch_add", "series": SERIES, "items": write.items()}
                                     for write in writes], writes)
        for write, reply in zip(writes, replies):
            if self.take(write, branch, reply) and self.rng.random() < 0.1:
                self.read_on_a_slave(write, branch)

    def with_key(self):
        write = self.new("keyed")
        self.keyed.append(write)
        self.send_until_answered(write)

    def repeat(self):
        """Of something that was answered long ago; if that is lost, it is written now."""
        if self.keyed:
            self.send_until_answered(self.rng.choice(self.keyed))

    def send_until_answered(self, write):
        write.repeated = True
        while not self.cluster.ended:
            branch, replies = self.send([{"op": "series.batch_add", "series": SERIES, "items": write.items(),
                                          "idempotency_key": write.name}])
            if replies and self.take(write, branch, replies[0], not replies[0].get("idempotent")):
                return

    def chunk(self):
        if not self.chunks:
            self.streams += 1
            self.sent = 0
            self.ask_until_answered(op="ingest.begin", mode="add")
        if self.sent == len(self.chunks):
            self.chunks.append(self.new("chunk"))
        while self.sent < len(self.chunks) and not self.cluster.ended:
            self.send_chunk(self.chunks[self.sent])
        if len(self.chunks) >= 10:
            self.ask_until_answered(op="ingest.commit")
            if self.sent == len(self.chunks):
                self.chunks = []

    def stream_id(self):
        return "stream-%d-%d" % (self.number, self.streams)

    def send_chunk(self, write):
        write.repeated = True
        branch, replies = self.send([{"op": "ingest.chunk", "stream_id": self.stream_id(), "series": SERIES,
                                      "chunk_seq": self.sent + 1, "items": write.items()}])
        if not replies:
            return
        reply = replies[0]
        if self.take(write, branch, reply, reply["success"] and not reply["response"]["skipped"]):
            self.sent += 1
        elif reply["error_code"] in ("validation_error", "not_found"):
            self.find_place_in_stream()

    def ask_until_answered(self, **request):
        while not self.cluster.ended:
            _, replies = self.send([{"stream_id": self.stream_id(), **request}])
            if not replies:
                continue
            if replies[0]["success"]:
                return
            if replies[0]["error_code"] in ("validation_error", "not_found"):
                return self.find_place_in_stream()

    def find_place_in_stream(self):
        """A master that lacks a part of the stream, or all of it, gets that part again."""
        while not self.cluster.ended:
            _, replies = self.send([{"op": "ingest.begin", "stream_id": self.stream_id(), "mode": "add"}])
            if replies and replies[0]["success"]:
                self.sent = replies[0]["response"]["last_chunk_seq"]
                return

    def read_on_a_slave(self, write, branch):
        """It has the LSN, so it has the write, or it says that it does not."""
        slave = self.rng.choice(self.cluster.slaves())
        with contextlib.suppress(OSError, EOFError, ValueError):
            with self.cluster.gate, node.Client(slave.port) as client:
                reply = client.ask(op="counter.sum", series=SERIES, key=write.key, min_lsn=write.lsn, wait_ms=200,
                                   range={"from": write.day, "to": write.day})
                # Otherwise the slave may not know yet that it is of a branch that was left.
                same = self.cluster.model.settled and branch == self.cluster.model.branch
                if same and reply["success"] and reply["response"] != write.value:
                    raise Failure("%s is not on %s, which says that it has its LSN" % (write, slave.name))


class Noise:
    """A client of which only the effect is known to be the same everywhere."""

    def __init__(self, cluster, seed):
        self.cluster, self.rng = cluster, random.Random("%s/noise" % seed)
        self.failure = None
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.cluster.ended:
            with self.cluster.gate, contextlib.suppress(OSError, EOFError, ValueError):
                with node.Client(self.cluster.address[0]) as client:
                    requests = [self.request() for _ in range(self.rng.randrange(1, 30))]
                    client.send(requests)
                    for _ in requests:
                        client.receive()
            time.sleep(self.rng.random() * 0.1)

    def request(self):
        rng = self.rng
        series, key, day = "noise-%d" % rng.randrange(6), rng.randrange(40), DAY + rng.randrange(DAYS)
        days = {"from": day, "to": min(day + rng.randrange(9), DAY + DAYS)}
        stream = "noise-%d" % rng.randrange(1000)
        items = [[rng.randrange(40), DAY + rng.randrange(DAYS), rng.randrange(1, 100)] for _ in range(5)]
        return rng.choice([{"op": "counter.increment", "series": series, "key": key, "bucket": day, "value": 7}] * 8 + [
            {"op": "counter.decrement", "series": series, "key": key, "bucket": day, "value": 3},
            {"op": "series.batch_set", "series": series, "items": items},
            {"op": "counter.reset", "series": series, "key": key},
            {"op": "counter.delete_range", "series": series, "key": key, "range": days},
            {"op": "tree.delete_range", "series": series, "range": days},
            {"op": "series.delete_before", "series": series, "before": day},
            {"op": "tree.reset", "series": series},
            {"op": "tree.drop", "series": series},
            {"op": "ingest.begin", "stream_id": stream, "mode": "replace_series"},
            {"op": "ingest.chunk", "stream_id": stream, "series": series, "chunk_seq": 1, "items": items},
            {"op": "ingest.commit", "stream_id": stream},
        ])
