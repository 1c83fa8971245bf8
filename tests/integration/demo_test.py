#!/usr/bin/env python3
"""The demo against the server binary: it must be exact, and it must notice when it is not."""

import os
import pathlib
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import project_scripts

DEMO = project_scripts.SCRIPTS / "demo"
TIMEOUT_SECONDS = 300


class Demo(unittest.TestCase):
    def test_no_click_is_lost_or_doubled_by_a_kill(self):
        done = subprocess.run([DEMO, "--server", os.environ["KARMA_SERVER"]], capture_output=True, text=True,
                              timeout=TIMEOUT_SECONDS)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("kill -9", done.stdout)
        self.assertIn("exact: ", done.stdout)
        self.assertRegex(done.stdout, r"(?m)^ok: 1 series, ")

    def test_it_sees_a_lost_a_double_and_a_foreign_click(self):
        demo = project_scripts.load("demo.py")
        expected = {1: {20150517: 2, 20150518: 1}}
        self.assertEqual(list(demo.differences({1: {20150517: 2, 20150518: 1}}, expected)), [])
        for wrong in ({1: {20150517: 1, 20150518: 1}}, {1: {20150517: 3, 20150518: 1}}, {1: {20150517: 2}}, {},
                      {1: {20150517: 2, 20150518: 1, 20150519: 1}}, {1: {20150517: 2, 20150518: 1}, 2: {20150517: 1}}):
            self.assertEqual(len(list(demo.differences(wrong, expected))), 2 if not wrong else 1, wrong)

    def test_its_input_adds_up(self):
        clicks, paths, expected = project_scripts.load("demo.py").read_data()
        counted = {}
        for key, bucket in clicks:
            days = counted.setdefault(key, {})
            days[bucket] = days.get(bucket, 0) + 1
        self.assertEqual(counted, expected)
        self.assertEqual(paths.keys(), expected.keys())


if __name__ == "__main__":
    unittest.main()
