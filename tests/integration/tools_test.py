#!/usr/bin/env python3
"""`karma check`, `karma dump` and `--recover` from outside, as docs/operations.md shows them."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import project_scripts  # noqa: E402

demo = project_scripts.load("demo.py")
SERVER = os.environ["KARMA_SERVER"]
TIMEOUT_SECONDS = 60


def karma(*arguments):
    """Returns exit status, stdout and stderr."""
    done = subprocess.run([SERVER, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=TIMEOUT_SECONDS)
    return done.returncode, done.stdout, done.stderr


class Tools(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.TemporaryDirectory(prefix="karma-tools-")
        self.addCleanup(self.root.cleanup)
        self.directory = pathlib.Path(self.root.name) / "data"
        self.wal = self.directory / "karma.wal"

    def start(self, *flags):
        server = demo.Server(SERVER, str(self.directory), flags)
        server.start()
        self.addCleanup(lambda: server.process.poll() is None and server.kill())
        return server

    def write_three_clicks(self):
        server = self.start()
        with demo.Client(server.port) as client:
            for day in (20260501, 20260502, 20260503):
                client.answer(op="counter.increment", series="links", key=42, bucket=day)
        server.kill()

    def test_a_whole_directory(self):
        self.write_three_clicks()
        self.assertEqual(karma("check", self.directory), (0, "ok: 1 series, 1 keys, 0 snapshots up to LSN 0, 3 log "
                                                             "entries up to LSN 3\n", ""))
        status, out, _ = karma("dump", self.directory)
        self.assertEqual((status, out), (0, "".join(
            '{"series":"links","key":42,"bucket":%d,"value":1}\n' % day for day in (20260501, 20260502, 20260503))))

    def test_looking_changes_nothing(self):
        self.write_three_clicks()
        before = {path.name: path.read_bytes() for path in self.directory.iterdir()}
        karma("check", self.directory)
        karma("dump", self.directory)
        self.assertEqual({path.name: path.read_bytes() for path in self.directory.iterdir()}, before)

    def test_an_unfinished_tail_is_no_damage(self):
        self.write_three_clicks()
        self.wal.write_bytes(self.wal.read_bytes()[:-7])
        status, out, _ = karma("check", self.directory)
        self.assertEqual(status, 0)
        self.assertIn("warning: karma.wal: an unfinished tail of ", out)
        self.assertIn("2 log entries up to LSN 2", out)

    def test_damage_is_located_refused_and_given_up_by_name_only(self):
        self.write_three_clicks()
        lines = self.wal.read_bytes().splitlines(keepends=True)
        self.wal.write_bytes(lines[0] + lines[1].replace(b"42", b"43") + lines[2])
        place = "karma.wal, offset %d, expected LSN 2" % len(lines[0])

        status, out, _ = karma("check", self.directory)
        self.assertEqual(status, 1)
        self.assertIn("damaged: " + place, out)
        status, out, err = karma("dump", self.directory)
        self.assertEqual((status, out), (1, ""))
        self.assertIn(place, err)
        for flags in ([], ["--recover=karma.manifest.json"]):
            with self.assertRaises(SystemExit):
                demo.Server(SERVER, str(self.directory), flags).start()

        server = self.start("--recover=karma.wal")
        with demo.Client(server.port) as client:
            self.assertEqual(client.answer(op="counter.sum", series="links", key=42), 2)
        server.kill()
        self.assertEqual(karma("check", self.directory)[0], 0)
        server = self.start()
        with demo.Client(server.port) as client:
            self.assertEqual(client.answer(op="counter.sum", series="links", key=42), 2)

    def test_a_directory_that_is_in_use_or_missing_is_not_examined(self):
        self.start()
        for command in ("check", "dump"):
            status, _, err = karma(command, self.directory)
            self.assertEqual(status, 2)
            self.assertIn("in use", err)
            status, _, err = karma(command, self.directory / "nowhere")
            self.assertEqual(status, 2)
            self.assertIn("%s/nowhere: " % self.directory, err)

    def test_a_directory_without_data_of_karma_is_not_examined(self):
        other = pathlib.Path(self.root.name) / "other"
        other.mkdir()
        (other / "notes.txt").write_text("no counters")
        for command in (["check"], ["check", "--repair"], ["dump"]):
            status, out, err = karma(*command, other)
            self.assertEqual((status, out), (2, ""))
            self.assertIn("%s: no Karma data here" % other, err)
        self.assertEqual([path.name for path in other.iterdir()], ["notes.txt"])

    def test_whatever_a_start_refuses_is_damage_where_there_is_nothing_else(self):
        sidecar = '{"tree":"a","file":"1795981658_a.tree","timestamp":1795981658,"last_lsn":1,"bytes":56}'
        for name, text, fault in (("recovery.json", '{"checkpoints":[', "recovery.json is damaged"),
                                  ("1795981658_a.tree.meta.json", sidecar, "1795981658_a.tree is missing")):
            other = pathlib.Path(self.root.name) / name
            other.mkdir()
            (other / name).write_text(text)
            for command in (["check"], ["check", "--repair"], ["dump"]):
                status, out, err = karma(*command, other)
                self.assertEqual(status, 1, command)
                self.assertIn(fault, out + err)

    def test_a_snapshot_that_is_missing_is_not_called_damaged(self):
        server = self.start()
        with demo.Client(server.port) as client:
            client.answer(op="counter.increment", series="links", key=42, bucket=20260501)
            client.answer(op="snapshot.create_all")
        server.kill()
        snapshot, = self.directory.glob("*.tree")
        snapshot.unlink()
        status, out, _ = karma("check", self.directory)
        self.assertEqual((status, out), (1, "damaged: %s is missing\n" % snapshot.name))
        status, _, error = karma("--directory=%s" % self.directory, "--port=1", "--log=false")
        self.assertEqual(status, 1)
        self.assertIn("%s is missing. Karma does not guess: restore the file from a backup or a replica, or give up what "
                      "is damaged with --recover=%s" % (snapshot.name, snapshot.name), error)

    def test_a_start_that_fails_names_the_directory(self):
        (pathlib.Path(self.root.name) / "file").write_text("")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        done = subprocess.run([SERVER, "--port=%d" % port, "--bind=127.0.0.1", "--directory=file/data"],
                              cwd=self.root.name, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("%s/file/data: Cannot create the directory" % self.root.name, done.stderr)

    def test_a_copy_of_the_current_snapshots_is_a_backup(self):
        server = self.start()
        with demo.Client(server.port) as client:
            client.answer(op="counter.increment", series="links", key=1, bucket=20260501, value=7)
            client.answer(op="snapshot.create_all")
            client.answer(op="counter.increment", series="links", key=1, bucket=20260501, value=100)
        backup = pathlib.Path(self.root.name) / "backup"
        backup.mkdir()
        for path in self.directory.iterdir():
            if path.name.startswith(("karma.manifest", "karma.idempotency")) or ".tree" in path.name:
                shutil.copy(path, backup)
        server.kill()
        self.assertEqual(karma("check", backup)[0], 0)
        self.assertEqual(karma("dump", backup)[1], '{"series":"links","key":1,"bucket":20260501,"value":7}\n')


if __name__ == "__main__":
    unittest.main()
