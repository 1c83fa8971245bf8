"""Replays a real access log click by click, kills the server half-way, and counts again: not one click may be missing
or double.

    scripts/demo [--server build/release/karma] [--connections 8]

  1. A server starts on a free port with an empty, temporary data directory.
  2. tests/data/clicks.csv (10,000 requests of a web server, May 2015) is sent as counter.increment, one click at a
     time on each connection. Each connection owns its own paths.
  3. When half of the clicks are acknowledged, the server gets SIGKILL, and is started again on the same directory.
  4. Each connection goes on after its last acknowledged click. The one click that it had under way may have been
     applied or not: it asks for the counter first, and sends the click again only if it is not there.
  5. Every key and day is compared with tests/data/clicks_daily.csv, the server is stopped, `karma check` looks at what
     it leaves behind.

Exit status 0 only if everything is exact.
"""

import argparse
import csv
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
from node import Client, Server

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data"
SERIES = "clicks"


class Producer:
    """The clicks of one connection, in order."""

    def __init__(self, clicks):
        self.clicks = clicks
        self.next = 0            # the first click that is not acknowledged
        self.in_doubt = False    # it was sent, and no reply came
        self.acknowledged = {}   # (key, bucket) -> clicks
        self.found_applied = 0   # clicks in doubt that turned out to be there
        self.failure = None

    def run(self, port, on_acknowledged):
        """Sends until all is done or the connection breaks."""
        try:
            with Client(port) as client:
                if self.in_doubt:
                    self.resolve(client)
                while self.next < len(self.clicks):
                    key, bucket = self.clicks[self.next]
                    self.in_doubt = True
                    client.answer(op="counter.increment", series=SERIES, key=key, bucket=bucket)
                    self.count()
                    on_acknowledged()
        except (OSError, EOFError):
            pass
        except SystemExit as refusal:
            self.failure = str(refusal)

    def resolve(self, client):
        key, bucket = self.clicks[self.next]
        there = client.ask(op="counter.sum", series=SERIES, key=key, range={"from": bucket, "to": bucket})
        value = there["response"] if there["success"] else 0
        acknowledged = self.acknowledged.get((key, bucket), 0)
        if value not in (acknowledged, acknowledged + 1):
            raise SystemExit("key %d, day %d: %d clicks were acknowledged, %d are there" %
                             (key, bucket, acknowledged, value))
        if value > acknowledged:
            self.found_applied += 1
            self.count()
        self.in_doubt = False

    def count(self):
        click = self.clicks[self.next]
        self.acknowledged[click] = self.acknowledged.get(click, 0) + 1
        self.next += 1
        self.in_doubt = False


class Replay:
    """All producers, each on its own thread."""

    def __init__(self, clicks, connections):
        shares = [[] for _ in range(connections)]
        for key, bucket in clicks:
            shares[key % connections].append((key, bucket))
        self.producers = [Producer(share) for share in shares]
        self.total = len(clicks)
        self.acknowledged = 0
        self.lock = threading.Lock()

    def run(self, server, kill_at=None):
        def on_acknowledged():
            with self.lock:
                self.acknowledged += 1
                if self.acknowledged == kill_at:
                    server.kill()

        threads = [threading.Thread(target=producer.run, args=(server.port, on_acknowledged))
                   for producer in self.producers]
        begin = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for producer in self.producers:
            if producer.failure:
                sys.exit(producer.failure)
        return time.monotonic() - begin

    def remaining(self):
        return sum(len(producer.clicks) - producer.next for producer in self.producers)


def read_data():
    with open(DATA / "clicks.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    clicks = [(int(row["key"]), int(row["bucket"])) for row in rows]
    paths = {int(row["key"]): row["path"] for row in rows}
    expected = {}
    with open(DATA / "clicks_daily.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            expected.setdefault(int(row["key"]), {})[int(row["bucket"])] = int(row["value"])
    return clicks, paths, expected


def differences(found, expected):
    """Yields a line for each key and day that is not as it should be."""
    for key in sorted(found.keys() | expected.keys()):
        days, wanted = found.get(key, {}), expected.get(key, {})
        for day in sorted(days.keys() | wanted.keys()):
            if days.get(day, 0) != wanted.get(day, 0):
                yield "key %d, day %d: %d clicks, not %d" % (key, day, days.get(day, 0), wanted.get(day, 0))


def read_back(port, days):
    """Returns {key: {bucket: value}} and the total of the whole series."""
    with Client(port) as client:
        series = client.answer(op="tree.series", series=SERIES, range={"from": days[0], "to": days[-1]})
        total = client.answer(op="tree.summary", series=SERIES)["total"]
    return {int(key): {int(day): value for day, value in points.items()} for key, points in series.items()}, total


def print_top(port, paths, found, days):
    with Client(port) as client:
        top = client.answer(op="tree.top", series=SERIES, limit=10)["items"]
    print("\n%8s  %s  path" % ("clicks", "  ".join(str(day) for day in days)))
    for item in top:
        row = found[item["key"]]
        print("%8d  %s  %s" % (item["value"], "  ".join("%8d" % row.get(day, 0) for day in days), paths[item["key"]]))
    print()


def play(server, connections):
    clicks, paths, expected = read_data()
    days = sorted({bucket for _, bucket in clicks})
    replay = Replay(clicks, connections)

    server.start()
    seconds = replay.run(server, kill_at=len(clicks) // 2)
    killed_at = replay.acknowledged
    print("%d of %d clicks acknowledged, then kill -9" % (killed_at, len(clicks)))

    server.start()
    seconds += replay.run(server)
    if replay.remaining():
        sys.exit("the server went away: %d clicks are left" % replay.remaining())
    print("the other %d followed after the restart; %d of them had been applied before the kill, unacknowledged" %
          (len(clicks) - killed_at, sum(producer.found_applied for producer in replay.producers)))
    print("%.0f clicks/s over %d connections, one click under way on each" % (len(clicks) / seconds, connections))

    found, total = read_back(server.port, days)
    print_top(server.port, paths, found, days)
    wrong = list(differences(found, expected))
    if total != len(clicks):
        wrong.append("the series holds %d clicks, not %d" % (total, len(clicks)))
    points = sum(len(days_of) for days_of in expected.values())
    print("\n".join(wrong) if wrong else "exact: %d keys, %d points, %d clicks" % (len(expected), points, total))
    return not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", help="default: build/release/karma, built first")
    parser.add_argument("--connections", type=int, default=8)
    options = parser.parse_args()
    if not options.server:
        subprocess.run([ROOT / "scripts" / "build", "release", "karma"], check=True)
    binary = os.path.abspath(options.server or ROOT / "build" / "release" / "karma")

    with tempfile.TemporaryDirectory(prefix="karma-demo-") as directory:
        server = Server(binary, directory)
        try:
            good = play(server, options.connections)
            status = server.stop()
        finally:
            if server.process and server.process.poll() is None:
                server.kill()
        if status != 0:
            print("the server ended with status %d" % status)
        checked = subprocess.run([binary, "check", directory], stdin=subprocess.DEVNULL).returncode
    return 0 if good and status == 0 and checked == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
