#!/usr/bin/env python3
"""The demo against the server binary: it must be exact, and it must notice when it is not."""

import importlib.machinery
import importlib.util
import os
import pathlib
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
DEMO = pathlib.Path(__file__).resolve().parent.parent.parent / "scripts" / "demo"
TIMEOUT_SECONDS = 300


def load_demo():
    loader = importlib.machinery.SourceFileLoader("demo", str(DEMO))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("demo", loader))
    loader.exec_module(module)
    return module


class Demo(unittest.TestCase):
    def test_no_click_is_lost_or_doubled_by_a_kill(self):
        done = subprocess.run([DEMO, "--server", os.environ["KARMA_SERVER"]], capture_output=True, text=True,
                              timeout=TIMEOUT_SECONDS)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("kill -9", done.stdout)
        self.assertIn("exact: ", done.stdout)
        self.assertRegex(done.stdout, r"(?m)^ok: 1 series, ")

    def test_it_sees_a_lost_a_double_and_a_foreign_click(self):
        demo = load_demo()
        expected = {1: {20150517: 2, 20150518: 1}}
        self.assertEqual(list(demo.differences({1: {20150517: 2, 20150518: 1}}, expected)), [])
        for wrong in ({1: {20150517: 1, 20150518: 1}}, {1: {20150517: 3, 20150518: 1}}, {1: {20150517: 2}}, {},
                      {1: {20150517: 2, 20150518: 1, 20150519: 1}}, {1: {20150517: 2, 20150518: 1}, 2: {20150517: 1}}):
            self.assertEqual(len(list(demo.differences(wrong, expected))), 2 if not wrong else 1, wrong)

    def test_its_input_adds_up(self):
        clicks, paths, expected = load_demo().read_data()
        counted = {}
        for key, bucket in clicks:
            days = counted.setdefault(key, {})
            days[bucket] = days.get(bucket, 0) + 1
        self.assertEqual(counted, expected)
        self.assertEqual(paths.keys(), expected.keys())


if __name__ == "__main__":
    unittest.main()
