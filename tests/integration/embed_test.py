#!/usr/bin/env python3
"""A program that embeds Karma: examples/embed is built against an installed copy, as its users build theirs."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ["KARMA_SERVER"]).resolve().parent
LIMIT = 500  # seconds


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=LIMIT, **options)
    if done.returncode:
        raise AssertionError("%s ended with %d:\n%s" % (command, done.returncode, done.stdout))
    return done.stdout


class EmbedTest(unittest.TestCase):
    def test_the_example_is_built_with_an_installed_copy_and_counts(self):
        with tempfile.TemporaryDirectory(prefix="karma-embed-") as root:
            root = pathlib.Path(root)
            run("cmake", "--install", BUILD, "--prefix", root / "prefix")
            for name in ("bin/karma", "include/karma/engine.h"):
                self.assertTrue((root / "prefix" / name).exists(), name)
            run("cmake", "-S", ROOT / "examples/embed", "-B", root / "build", "-G", "Ninja",
                "-D", "CMAKE_PREFIX_PATH=%s" % (root / "prefix"), "-D", "CMAKE_CXX_STANDARD=20")
            run("cmake", "--build", root / "build")
            for count in (2, 4):
                out = run(root / "build/embed", root / "data", input="to be or not to be")
                self.assertEqual([line.split(":")[0] for line in out.splitlines()], ["to", "be", "or", "not"])
                self.assertIn('"response":%d,' % count, out.splitlines()[0])
                self.assertIn('"response":%d,' % (count // 2), out.splitlines()[2])


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main()
