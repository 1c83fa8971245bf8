#!/usr/bin/env python3
"""karma import, export and reconcile against the server binary: exact, whoever is killed and when."""

import gzip
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import project_scripts
import node

KARMA = os.environ["KARMA_SERVER"]
TIMEOUT_SECONDS = 120
CHUNK = b'"op":"ingest.chunk"'
SEED = int(os.environ.get("KARMA_TEST_SEED") or random.randrange(1 << 32))


class Server(node.Server):
    """Started at once, on a port that it keeps."""

    def __init__(self, directory, *options):
        super().__init__(KARMA, str(directory), options)
        self.start()

    def ask(self, **request):
        with node.Client(self.port) as connection:
            return connection.ask(**request)


class Proxy:
    """Stands between client and server and calls actions[n]() before chunk request number n is passed on."""

    def __init__(self, server, actions):
        self.server, self.actions, self.chunks = server, dict(actions), 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.server.port))
        except OSError:
            client.close()
            return
        with server, client, client.makefile("rb") as lines:
            back = threading.Thread(target=self.pump, args=(server, client), daemon=True)
            back.start()
            try:
                for line in lines:
                    if CHUNK in line:
                        with self.lock:
                            self.chunks += 1
                            action = self.actions.pop(self.chunks, None)
                        if action:
                            action()
                    server.sendall(line)
            except OSError:
                pass  # one of both is gone: so is the other for it
            self.shut(server)
            back.join()

    @staticmethod
    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        Proxy.shut(sink)

    @staticmethod
    def shut(end):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class ImportTest(unittest.TestCase):
    def setUp(self):
        print("KARMA_TEST_SEED=%d" % SEED)
        self.random = random.Random(SEED)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.server = None

    def start_server(self, *options):
        self.server = Server(self.folder / "data", *options)
        self.addCleanup(lambda: self.server.kill())

    def karma(self, *arguments, port=None, **options):
        return subprocess.run([KARMA, *arguments, "--port=%d" % (port or self.server.port)], capture_output=True,
                              text=True, timeout=TIMEOUT_SECONDS, **options)

    def write(self, name, text):
        (self.folder / name).write_text(text)
        return str(self.folder / name)

    def make_points(self, count):
        """A file with a line per point, keys and days at random, and what it adds up to."""
        days = ["2026%02d%02d" % (month, day) for month in range(1, 13) for day in range(1, 29)]
        sums, lines = {}, []
        for _ in range(count):
            key, day, value = self.random.randrange(2000), self.random.choice(days), self.random.randrange(1, 1000)
            sums[key, int(day)] = sums.get((key, int(day)), 0) + value
            lines.append("%d,%s,%d\n" % (key, day, value))
        return self.write("points.csv", "".join(lines)), sums

    def exported(self, series, *options):
        path = str(self.folder / "exported.csv")
        done = self.karma("export", "--series=" + series, "--output=" + path, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        header, *lines = pathlib.Path(path).read_text().splitlines()
        self.assertEqual(header, "key,bucket,value")
        points = [tuple(map(int, line.split(","))) for line in lines]
        self.assertEqual(points, sorted(points))
        return {(key, bucket): value for key, bucket, value in points}

    def import_through_kills(self, path, series, mode, server_kills, client_kills, look=lambda: None):
        """Runs the same command until it succeeds; returns how often it was killed."""
        process = None

        def kill_server():
            look()
            self.server.kill()
            self.server.start()

        actions = {number: kill_server for number in server_kills}
        actions.update({number: lambda: process.send_signal(signal.SIGKILL) for number in client_kills})
        proxy = Proxy(self.server, actions)
        killed = 0
        try:
            while True:
                process = subprocess.Popen([KARMA, "import", path, "--series=" + series, "--mode=" + mode,
                                            "--port=%d" % proxy.port], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                           text=True)
                out, err = process.communicate(timeout=TIMEOUT_SECONDS)
                if process.returncode != -signal.SIGKILL:
                    self.assertEqual(process.returncode, 0, out + err)
                    self.assertEqual(proxy.actions, {}, "not all kills took place")
                    return killed, out, err
                killed += 1
        finally:
            proxy.close()

    def test_an_export_replaces_files_only(self):
        self.start_server()
        path, _ = self.make_points(100)
        self.assertEqual(self.karma("import", path, "--series=s").returncode, 0)
        expected = self.karma("export", "--series=s").stdout

        # A file keeps its mode, through a link as well, and a new one gets the usual mode.
        old, link, new = (self.folder / name for name in ("old.csv", "link.csv", "new.csv"))
        old.write_text("old")
        old.chmod(0o640)
        link.symlink_to("old.csv")
        for target in (link, new):
            done = self.karma("export", "--series=s", "--output=" + str(target))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(target.read_text(), expected)
        self.assertTrue(link.is_symlink())
        self.assertEqual(old.stat().st_mode & 0o777, 0o640)
        mask = os.umask(0)
        os.umask(mask)
        self.assertEqual(new.stat().st_mode & 0o777, 0o666 & ~mask)

        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        read = []
        reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
        reader.start()
        done = self.karma("export", "--series=s", "--output=" + str(pipe))
        reader.join()
        self.assertEqual((done.returncode, read), (0, [expected]), done.stderr)
        self.assertTrue(pipe.is_fifo())

    def test_two_hundred_thousand_points_through_kills_of_both_sides(self):
        self.start_server()
        path, expected = self.make_points(200000)
        killed, out, err = self.import_through_kills(path, "links", "add", [120, 460, 800], [250, 600, 990])
        self.assertEqual(killed, 3)
        self.assertIn("imported 200000 points into links (add): ", out)
        self.assertIn("resuming after chunk ", err)

        self.assertEqual(self.exported("links"), expected)
        done = self.karma("reconcile", "--csv=" + path, "--series=links", "--report")
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        self.assertIn("%d points" % len(expected), done.stderr)
        stats = self.server.ask(op="system.stats")["response"]
        self.assertEqual(stats["reconciliation_checked_points"], len(expected))
        self.assertEqual(stats["reconciliation_mismatch_count"], 0)

        # Once more, and with other chunks: it is in.
        for option in ("--timeout=30", "--chunk-items=7"):
            done = self.karma("import", path, "--series=links", option)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("already", done.stdout)
        self.assertEqual(self.server.ask(op="tree.summary", series="links")["response"]["total"],
                         sum(expected.values()))

    def test_a_replaced_series_changes_at_once_or_not_at_all(self):
        self.start_server()
        self.server.ask(op="series.batch_add", series="links", items=[[1, 20200101, 5], [5000, 20200102, 6]])
        path, _ = self.make_points(30000)
        seen = []

        def look():
            seen.append(self.server.ask(op="tree.summary", series="links")["response"]["total"])

        killed, _, _ = self.import_through_kills(path, "links", "replace_series", [40, 150], [90], look)
        self.assertEqual((killed, seen), (1, [11, 11]))
        expected = {}
        for line in pathlib.Path(path).read_text().splitlines():
            key, bucket, value = map(int, line.split(","))
            expected[key, bucket] = value
        self.assertEqual(self.exported("links"), expected, "the last line of a day counts")

    def test_wrong_lines_are_named_and_nothing_is_sent(self):
        self.start_server()
        path = self.write("bad.csv", "key,bucket,value\n1,20260505,1\n1,20260532,1\n2,20260505\n3,20260505,0\n")
        done = self.karma("import", path, "--series=links")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(re.findall(r"bad\.csv:(\d+): ", done.stderr), ["3", "4", "5"])
        self.assertIn("nothing was sent", done.stderr)
        self.assertEqual(self.server.ask(op="tree.list")["response"], [])
        done = self.karma("import", self.write("empty.csv", "\n"), "--series=links", "--mode=replace_series")
        self.assertEqual(done.returncode, 1)
        self.assertIn("holds no points", done.stderr)

    def test_files_as_spreadsheets_write_them(self):
        self.start_server()
        for number, text in enumerate((
                "note,key,bucket,value\n\"dup of 7,7,20260503,3,see mail\",42,20260505,10\n",
                "\ufeffkey;bucket;value\r\n42;2026-05-05;10\r\n;;\r\n",
                "\ufeff42,20260505,10\n",
                "\ufeff[42,20260505,10]\n",
                "value\tday\tkey\r\n10\t2026-05-05\t42\r\n",
                "\"two\nlines, and \"\"quotes\"\"\",10,2026-05-05,42\n")):
            with self.subTest(text=text):
                series = "s%d" % number
                options = {4: ["--bucket-column=day"],
                           5: ["--key-column=4", "--bucket-column=3", "--value-column=2"]}.get(number, [])
                path = self.write("sheet-%d" % number, text)
                done = self.karma("import", path, "--series=" + series, *options)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(self.exported(series), {(42, 20260505): 10})
                done = self.karma("reconcile", "--csv=" + path, "--series=" + series, *options)
                self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.server.ask(op="ingest.status")["response"]["active_count"], 0)
        path = self.write("long.csv", "key,bucket,value\n42,20260505,1,234\n")
        done = self.karma("import", path, "--series=long")
        self.assertEqual(done.returncode, 1)
        self.assertIn("long.csv:2: the row has 4 fields, its header 3", done.stderr)
        self.assertIn("nothing was sent", done.stderr)

    def total(self, series):
        return self.server.ask(op="tree.summary", series=series)["response"]["total"]

    def active_streams(self):
        return self.server.ask(op="ingest.status")["response"]["active_count"]

    def test_packed_files_pipes_and_standard_input(self):
        self.start_server()
        text = "key,bucket,value\n42,2026-05-05,10\n"
        plain = self.write("plain.csv", text)
        packed = self.folder / "packed.csv.gz"
        packed.write_bytes(gzip.compress(text.encode()))
        cases = {
            "gz": ("'%s' import '%s'" % (KARMA, packed), "is packed (gzip)"),
            "dash": ("cat '%s' | '%s' import -" % (plain, KARMA), "standard input can be read once only"),
            "redirected": ("'%s' import - <'%s'" % (KARMA, packed), "standard input is packed (gzip)"),
            "stdin": ("cat '%s' | '%s' import /dev/stdin" % (plain, KARMA), "/dev/stdin can be read once only"),
            "substituted": ("'%s' import <(cat '%s')" % (KARMA, plain), "can be read once only"),
        }
        for name, (command, note) in cases.items():
            with self.subTest(name=name):
                spool = self.folder / name
                spool.mkdir()
                done = subprocess.run(["bash", "-c", "%s --series=%s --port=%d" % (command.replace("import ", "import --retry-seconds=5 "), name, self.server.port)],
                                      capture_output=True, text=True, timeout=TIMEOUT_SECONDS,
                                      env={**os.environ, "TMPDIR": str(spool)})
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(note, done.stderr)
                self.assertIn(str(spool), done.stderr)
                self.assertEqual(list(spool.iterdir()), [], "nothing is left of it")
                self.assertEqual(self.exported(name), {(42, 20260505): 10})
        # The content names the stream, however it comes.
        done = self.karma("import", plain, "--series=gz")
        self.assertIn("already", done.stdout)
        done = self.karma("reconcile", "--csv=" + str(packed), "--series=gz")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_what_is_no_text_never_reaches_the_terminal(self):
        self.start_server()
        for name, content in (("utf16", "key\tbucket\tvalue\n".encode("utf-16")), ("cut", gzip.compress(b"x" * 99)[:20]),
                              ("random", b"1,20260505,\x1b[2J\xff\x9b\n" + bytes(range(256)))):
            path = self.folder / name
            path.write_bytes(content)
            done = subprocess.run([KARMA, "import", str(path), "--series=s", "--port=%d" % self.server.port],
                                  capture_output=True, timeout=TIMEOUT_SECONDS)
            self.assertEqual(done.returncode, 1)
            self.assertIn("nothing was sent", done.stderr.decode("utf-8"))
            self.assertEqual(re.findall(rb"[^\n -~\x80-\xff]", done.stderr), [], done.stderr)

    def test_several_files_each_count_once(self):
        self.start_server()
        first, second = (self.write(name, "%d,20260505,%d\n" % (key, key)) for key, name in ((1, "1.csv"), (2, "2.csv")))
        bad = self.write("bad.csv", "x\n")
        done = self.karma("import", first, bad, second, "--series=s")
        self.assertEqual(done.returncode, 1)
        self.assertIn("of the files in: %s; stopped at %s; not begun: %s" % (first, bad, second), done.stderr)
        self.write("bad.csv", "3,20260505,3\n")
        for _ in range(2):
            done = self.karma("import", first, bad, second, "--series=s")
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.exported("s"), {(1, 20260505): 1, (2, 20260505): 2, (3, 20260505): 3})

    def test_check_tells_and_sends_nothing(self):
        path = self.write("a.csv", "key;date;value\n1;2026-05-05;10\n2;2026-05-07;5\n")
        done = self.karma("import", path, "--series=s", "--check", port=1)
        self.assertEqual(done.returncode, 0, done.stderr)
        for part in ("CSV, separated by semicolon, with a header; 2 points, 15 in all, of the days from 20260505 to 20260507",
                     "would be sent into s (add) in 1 chunk as stream import-", "nothing was sent"):
            self.assertIn(part, done.stdout)
        path = self.write("b.csv", "key,bucket,value\n" + "1,20260505,1.5\n" * 5 + "x,20260505,1\n2,20260505\n")
        done = self.karma("import", path, "--series=s", "--check", port=1)
        self.assertEqual(done.returncode, 1)
        for part in ("5 lines with a value that is no whole number, the first of them:\n  %s:2: " % path,
                     "1 line with a key that is no whole number:\n  %s:7: " % path,
                     "1 line with more or fewer fields than there should be:\n  %s:8: " % path, "7 wrong lines"):
            self.assertIn(part, done.stderr)

    def test_times_are_of_the_day_of_their_time_zone(self):
        self.start_server()
        path = self.write("times.csv", "key,date,value\n1,2026-05-05T23:30:00Z,1\n2,2026-05-05 12:00:00+02:00,2\n")
        for series, zone, day in (("utc", [], 20260505), ("berlin", ["--time-zone=Europe/Berlin"], 20260506)):
            done = self.karma("import", path, "--series=" + series, *zone)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.exported(series), {(1, day): 1, (2, 20260505): 2})
            done = self.karma("reconcile", "--csv=" + path, "--series=" + series, *zone)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.karma("import", path, "--series=utc", "--time-zone=Mars/Olympus").returncode, 2)

    def test_wrong_lines_can_be_left_out_and_mended(self):
        self.start_server()
        path = self.write("a.csv", "key,bucket,value\n1,20260505,1\n2,20260505,x\n3,20260505,3\n4,20260505\n")
        for _ in range(2):
            done = self.karma("import", path, "--series=s", "--on-error=skip")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("2 wrong lines of %s left out, see %s.rejects" % (path, path), done.stderr)
            self.assertEqual(self.exported("s"), {(1, 20260505): 1, (3, 20260505): 3})
        rejects = pathlib.Path(path + ".rejects")
        self.assertEqual(rejects.read_text(), "key,bucket,value\n2,20260505,x\n4,20260505\n")
        rejects.write_text("key,bucket,value\n2,20260505,2\n4,20260505,4\n")
        self.assertEqual(self.karma("import", str(rejects), "--series=s").returncode, 0)
        self.assertEqual(self.total("s"), 10)
        self.assertEqual(self.karma("import", "-", "--series=s", "--on-error=skip").returncode, 2)

    def test_a_dropped_series_is_imported_again(self):
        self.start_server()
        path, expected = self.make_points(2000)
        other = self.write("other.csv", "1,20260505,1\n")
        for _ in range(3):
            self.assertEqual(self.karma("import", path, "--series=links").returncode, 0)
            self.assertEqual(self.exported("links"), expected)
            self.assertIn("already", self.karma("import", path, "--series=links").stdout)
            self.server.ask(op="tree.drop", series="links")
        # Killed in the middle of it, it goes on with what it has begun.
        killed, _, _ = self.import_through_kills(path, "links", "add", [4], [8])
        self.assertEqual((killed, self.exported("links")), (1, expected))
        self.assertIn("already", self.karma("import", path, "--series=links").stdout)
        # It is not there, but something is: that is for the user to say.
        self.server.ask(op="tree.drop", series="links")
        self.karma("import", other, "--series=links")
        done = self.karma("import", path, "--series=links")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("holds only 1 in all now, less than the file", done.stderr)
        again = re.search(r"--stream-id=\S+", done.stderr).group()
        self.assertEqual(self.karma("import", path, "--series=links", again).returncode, 0)
        self.assertEqual(self.total("links"), sum(expected.values()) + 1)
        self.assertEqual(self.active_streams(), 0)

    def test_set_and_replace_series_do_it_again(self):
        self.start_server()
        a, b = (self.write(name, "1,20260505,%d\n" % value) for name, value in (("a.csv", 1), ("b.csv", 2)))
        for mode in ("set", "replace_series"):
            for path, value in ((a, 1), (b, 2), (a, 1), (a, 1), (b, 2), (a, 1)):
                done = self.karma("import", path, "--series=" + mode, "--mode=" + mode)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("imported 1 points", done.stdout)
                self.assertEqual(self.exported(mode), {(1, 20260505): value})
        self.assertEqual(self.active_streams(), 0)
        # Killed in the middle of a repetition.
        path, expected = self.make_points(2000)
        last = {}
        for line in pathlib.Path(path).read_text().splitlines():
            key, bucket, value = map(int, line.split(","))
            last[key, bucket] = value
        for mode in ("set", "replace_series"):
            for _ in range(2):
                self.import_through_kills(path, "x" + mode, mode, [3], [7])
                self.assertEqual(self.exported("x" + mode), last)
            self.karma("import", b, "--series=x" + mode, "--mode=" + mode)
        self.assertEqual(self.active_streams(), 0)

    def test_overflow_is_found_before_anything_is_sent(self):
        self.start_server()
        lines = ["%d,20260505,1\n" % key for key in range(1000)]
        path = self.write("a.csv", "".join(lines) + "7,20260506,18446744073709551615\n")
        done = self.karma("import", path, "--series=s")
        self.assertEqual(done.returncode, 1)
        self.assertIn("a.csv:1001: with this line the values of key 7", done.stderr)
        self.assertIn("nothing was sent", done.stderr)
        self.assertEqual(self.server.ask(op="tree.list")["response"], [])
        # What the server holds decides: the line is named, and the way on.
        self.server.ask(op="counter.increment", series="s", key=900, bucket=20200101, value=2**64 - 1)
        path = self.write("b.csv", "".join(lines))
        for mode, counted in (("add", True), ("replace_series", False)):
            self.server.ask(op="counter.increment", series=mode, key=900, bucket=20200101, value=2**64 - 1)
            done = self.karma("import", path, "--series=" + mode, "--mode=" + mode)
            self.assertEqual(done.returncode, 1 if counted else 0, done.stderr)
        done = self.karma("import", path, "--series=add")
        self.assertRegex(done.stderr, r"b\.csv:901: .*Counter overflow .* points before it are counted. Once it is mended")
        self.server.ask(op="counter.reset", series="add", key=900)
        done = self.karma("import", path, "--series=add")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.total("add"), 1000)
        # In the first chunk: nothing is counted, and nothing stays open.
        self.server.ask(op="counter.increment", series="one", key=1, bucket=20200101, value=2**64 - 1)
        done = self.karma("import", path, "--series=one")
        self.assertEqual(done.returncode, 1)
        self.assertIn("b.csv:2: ", done.stderr)
        self.assertIn("nothing was counted", done.stderr)
        self.assertEqual(self.active_streams(), 0)

    def test_other_chunks_are_refused_in_the_middle_of_a_stream(self):
        self.start_server()
        path, expected = self.make_points(20000)
        proxy = Proxy(self.server, {})
        self.addCleanup(proxy.close)
        process = subprocess.Popen([KARMA, "import", path, "--series=links", "--port=%d" % proxy.port],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        proxy.actions[60] = process.kill
        process.communicate(timeout=TIMEOUT_SECONDS)
        self.assertEqual(process.returncode, -signal.SIGKILL)
        done = self.karma("import", path, "--series=links", "--chunk-items=10")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("idempotency_conflict", done.stderr)
        self.assertEqual(self.karma("import", path, "--series=links").returncode, 0)
        self.assertEqual(self.exported("links"), expected)

    def test_an_unfinished_import_can_be_given_up(self):
        self.start_server()
        path, expected = self.make_points(20000)
        proxy = Proxy(self.server, {})
        self.addCleanup(proxy.close)
        arguments = ["import", path, "--series=links", "--mode=replace_series"]
        process = subprocess.Popen([KARMA, *arguments, "--port=%d" % proxy.port], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        proxy.actions[60] = process.kill
        process.communicate(timeout=TIMEOUT_SECONDS)
        done = self.karma(*arguments, "--abort")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("aborted stream ", done.stdout)
        self.assertEqual(self.karma(*arguments, "--abort").returncode, 1, "there is none any more")
        self.assertEqual(self.server.ask(op="tree.list")["response"], [])
        self.assertEqual(self.karma(*arguments, "--chunk-items=100").returncode, 0)
        self.assertEqual(self.exported("links").keys(), expected.keys())

    def test_requests_that_are_too_large_are_explained_and_can_be_mended(self):
        self.start_server()
        path, expected = self.make_points(5000)
        done = self.karma("import", path, "--series=links", "--max-request-bytes=100000")
        self.assertEqual(done.returncode, 1)
        self.assertIn("--max-request-bytes", done.stderr)
        self.assertEqual(self.karma("import", path, "--series=links").returncode, 0)
        self.assertEqual(self.exported("links"), expected)

    def test_forgotten_streams_are_named_and_can_be_given_up_without_their_file(self):
        self.start_server("--ingest-max-streams=2")
        for name in ("first", "second"):
            self.server.ask(op="ingest.begin", stream_id=name, mode="replace_series")
        path = self.write("clicks.csv", "1,20260505,1\n")
        done = self.karma("import", path, "--series=links")
        self.assertEqual(done.returncode, 1)
        for part in ("the limit is 2", "\"first\"", "ingest.status", "ingest.abort"):
            self.assertIn(part, done.stderr)
        listed = self.server.ask(op="ingest.status")["response"]
        self.assertEqual([stream["stream_id"] for stream in listed["streams"]], ["first", "second"])
        self.assertEqual(self.karma("import", "--abort").returncode, 2, "of which?")
        done = self.karma("import", "--abort", "--stream-id=first")
        self.assertEqual((done.returncode, done.stdout), (0, "aborted stream first after chunk 0\n"), done.stderr)
        self.assertEqual(self.karma("import", "--abort", "--stream-id=first").returncode, 1, "there is none any more")
        self.assertEqual(self.karma("import", path, "--series=links").returncode, 0)

    def test_tokens_json_lines_and_days_of_all_the_calendar(self):
        token = self.write("token", "s3cret\n")
        self.start_server("--auth-token-file=" + token)
        points = {(1, 10000101): 1, (1, 19691231): 2, (2, 19700101): 3, (2, 20260505): 4, (2**64 - 1, 99991231): 2**64 - 1}
        path = self.write("points.ndjson", "".join(
            json.dumps({"key": key, "bucket": "%08d" % bucket, "value": value}) + "\n"
            for (key, bucket), value in points.items()))
        self.assertIn("unauthorized", self.karma("import", path, "--series=ключи").stderr)
        options = ["--series=ключи", "--token-file=" + token]
        done = self.karma("import", path, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.exported("ключи", "--token-file=" + token), points)
        part = self.karma("export", *options, "--from=1970-01-01", "--to=20260505", "--format=ndjson")
        self.assertEqual(part.stdout.splitlines(), ['{"key":2,"bucket":19700101,"value":3}',
                                                    '{"key":2,"bucket":20260505,"value":4}'])
        again = self.karma("export", *options, "--format=ndjson")
        done = self.karma("reconcile", "--csv=" + self.write("again.ndjson", again.stdout), *options)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_drift_is_told_key_by_key(self):
        self.start_server()
        self.server.ask(op="series.batch_add", series="links",
                        items=[[1, 20260501, 5], [1, 20260502, 5], [2, 20260501, 7], [3, 20260502, 9], [4, 20260601, 1]])
        # Key 1 has its clicks on other days, key 2 is right, key 3 is missing, key 5 has too many; June is not asked.
        path = self.write("warehouse.csv", "key,date,value\n1,2026-05-01,6\n1,2026-05-02,4\n2,2026-05-01,3\n"
                          "2,2026-05-01,4\n5,2026-05-02,8\n")
        done = self.karma("reconcile", "--csv=" + path, "--series=links", "--report")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stdout.splitlines(),
                         ["key,expected,actual,delta,days", "1,10,10,0,2", "3,0,9,9,1", "5,8,0,-8,1"])
        self.assertIn("compared 5 points of links from 20260501 to 20260502: 4 points of 3 keys differ, by 19 in all "
                      "and by 9 at most", done.stderr)
        stats = self.server.ask(op="system.stats")["response"]
        self.assertEqual([stats["reconciliation_" + name] for name in
                          ("checked_points", "mismatch_count", "absolute_drift", "last_max_abs_delta")], [5, 4, 19, 9])
        done = self.karma("reconcile", "--csv=" + path, "--series=links", "--listed-keys-only", "--to=20260501")
        self.assertEqual(done.stdout.splitlines()[1:], ["1,6,5,-1,1"])
        self.assertEqual(self.karma("reconcile", "--csv=" + path, "--series=other").returncode, 2)

    def test_totals_that_no_day_holds_are_told(self):
        (self.folder / "data").mkdir()
        entries = [("links", 1, 20260505, 3), ("links", 1, 7, 4), ("links", 2, 20260505, 5)]
        (self.folder / "data" / "karma.wal").write_text("".join(
            json.dumps({"v": 2, "lsn": lsn, "entry": {"v": 2, "op": "counter.increment", "series": series, "key": key,
                                                      "bucket": bucket, "value": value}}) + "\n"
            for lsn, (series, key, bucket, value) in enumerate(entries, 1)))
        self.start_server()
        done = self.karma("export", "--series=links")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, "key,bucket,value\n1,20260505,3\n2,20260505,5\n")
        self.assertIn("key 1: 4 of its total are in no calendar day", done.stderr)


class ImportTrial(unittest.TestCase):
    """scripts/import_trial, small."""

    def test_it_is_exact_through_kills_and_compares_rates(self):
        # By this seed all kills come early, so that a small import is not through before the last one.
        done = subprocess.run([project_scripts.SCRIPTS / "import_trial", "--server", KARMA, "--seed=267",
                               "--points=300000", "--keys=1000", "--chunk-items=20", "--rounds=1",
                               "--rate-points=20000"], capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual((done.stdout.count("of the client"), done.stdout.count("of the server")), (3, 2), done.stdout)
        self.assertIn("exact: 1000 keys, 300000 points", done.stdout)
        self.assertEqual(done.stdout.count("| karma import, "), 2)

    def test_it_sees_a_lost_a_double_and_a_foreign_point(self):
        points = project_scripts.load("import_trial").Points(20, 3, 1)
        rows = sorted((key, day, values[position]) for day, values in zip(points.days, points.values)
                      for position, key in enumerate(points.keys))
        foreign = (max(points.keys) + 1, points.days[0], 1)
        double = (*rows[7][:2], 2 * rows[7][2])
        for wrong, count in ((rows, 0), (rows[1:], 1), (rows[:-3], 1), (rows[:7] + [double] + rows[8:], 1),
                             (rows + [foreign], 1), ([], 20)):
            with tempfile.NamedTemporaryFile("w", encoding="ascii") as file:
                file.writelines(["key,bucket,value\n"] + ["%d,%d,%d\n" % row for row in wrong])
                file.flush()
                self.assertEqual(len(list(points.differences(file.name))), count)


if __name__ == "__main__":
    unittest.main()
