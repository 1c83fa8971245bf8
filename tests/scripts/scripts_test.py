#!/usr/bin/env python3
"""The house rules of scripts/check_source and the matching of scripts/readme_test, tried on texts that break them."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import types
import unittest

sys.dont_write_bytecode = True
SCRIPTS = pathlib.Path(__file__).resolve().parent.parent.parent / "scripts"


def load(name):
    loader = importlib.machinery.SourceFileLoader(name, str(SCRIPTS / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


source = load("check_source")
readme = load("readme_test")
speed = load("check_speed")


class CheckSource(unittest.TestCase):
    def complaints(self, path, text):
        return list(source.check_text(pathlib.PurePath(path), text))

    def test_a_folder_includes_itself_and_what_is_listed_before_it(self):
        self.assertEqual(self.complaints("src/wal/a.cpp", '#include "wal/b.h"\n#include "core/c.h"\n'), [])

    def test_an_include_of_a_later_folder_is_named_by_line(self):
        found = self.complaints("src/store/a.cpp", '#include "core/c.h"\n  # include "server/session.h"\n')
        self.assertEqual([number for number, _ in found], [2])
        self.assertEqual(self.complaints("src/commands/a.cpp", '#include "protocol/fields.h"\n'), [])
        self.assertTrue(self.complaints("src/protocol/a.cpp", '#include "commands/op.h"\n'))

    def test_an_include_without_a_known_folder_is_refused(self):
        self.assertTrue(self.complaints("src/store/a.cpp", '#include "series.h"\n'))
        self.assertTrue(self.complaints("src/newcomer/a.cpp", '#include "core/c.h"\n'))

    def test_programs_and_public_headers_use_public_headers_only(self):
        inner = '#pragma once\n#include "core/c.h"\n'
        for path in ("src/main.cpp", "bench/karma_load_test.cpp", "tests/integration/x_test.cpp", "include/karma/x.h"):
            self.assertTrue(self.complaints(path, inner), path)
            self.assertEqual(self.complaints(path, inner.replace('"core/c.h"', "<karma/types.h>")), [], path)
        self.assertEqual(self.complaints("bench/store_bench.cpp", inner), [])
        for name in ("load_flags.h", "tools/load/clients.h"):
            self.assertEqual(self.complaints("bench/karma_load_test.cpp", '#include "%s"\n' % name), [])
        self.assertTrue(self.complaints("bench/karma_load_test.cpp", '#include "tools/ask.h"\n'))

    def test_main_is_short(self):
        self.assertEqual(self.complaints("src/main.cpp", "\n" * 79), [])
        self.assertTrue(self.complaints("src/main.cpp", "\n" * 80))

    def test_nothing_is_left_for_later_and_no_machine_is_named(self):
        self.assertTrue(self.complaints("docs/a.md", "TO" + "DO: more"))
        self.assertTrue(self.complaints("docs/a.md", "see /ho" + "me/me/notes"))
        self.assertEqual(self.complaints("docs/a.md", "the method; https://example.org/home/x; src/work/x"), [])

    def test_headers_are_read_once_and_tests_are_run(self):
        self.assertTrue(self.complaints("src/core/a.h", "int a();\n"))
        self.assertTrue(self.complaints("tests/core/a_test.cpp", "TEST(A, DISABLED" + "_B) {\n"))


class ReadmeTest(unittest.TestCase):
    def test_only_marked_blocks_are_examples(self):
        text = "```sh\n$ no\n```\n<!-- test -->\n\n```sh\n$ a \\\n  b\nout\n$ c\n```\n```sh\n$ no\n```\n"
        self.assertEqual(list(readme.examples_of(text)), [(7, "a \\\n  b", ["out"]), (10, "c", [])])

    def test_a_mark_without_a_block_is_an_error(self):
        with self.assertRaises(ValueError):
            list(readme.examples_of("<!-- test -->\ntext\n"))

    def test_commands_may_stand_apart_from_what_they_print(self):
        text = "<!-- test -->\n```sh\na\nb \\\n  c\n```\n\n```json\nout\nmore\n```\ntext\n"
        self.assertEqual(list(readme.examples_of(text)), [(3, "a\nb \\\n  c", ["out", "more"])])
        for broken in (text.replace("```json", "no output\n```json"), text[:text.index("```json")]):
            with self.assertRaises(ValueError):
                list(readme.examples_of(broken))

    def test_output_must_fit_in_full(self):
        self.assertTrue(readme.fits(["a", "b"], ["a", "b"]))
        self.assertFalse(readme.fits(["a"], ["a", "b"]))
        self.assertFalse(readme.fits(["a", "b"], ["a"]))
        self.assertFalse(readme.fits([], ["a"]))

    def test_wildcards_stand_for_text_or_lines(self):
        self.assertTrue(readme.fits(['{"pid":<any>}'], ['{"pid":42}']))
        self.assertFalse(readme.fits(['{"pid":<any>}'], ['{"pid":42']))
        self.assertTrue(readme.fits(["a", "…", "z"], ["a", "b", "c", "z"]))
        self.assertTrue(readme.fits(["a", "..."], ["a"]))


class Conformance(unittest.TestCase):
    """The script against a suite whose runner only tells its arguments."""

    def run_with(self, *arguments):
        with tempfile.TemporaryDirectory() as directory:
            (pathlib.Path(directory) / "run").write_text("import sys\nprint(*sys.argv[1:])\nsys.exit(3)\n")
            return subprocess.run([SCRIPTS / "conformance", *arguments], capture_output=True, text=True,
                                  env={**os.environ, "KARMA_CONFORMANCE": directory})

    def test_the_runner_gets_what_is_given_after_the_defaults_and_its_status_is_returned(self):
        played = self.run_with("--server", "some/karma", "--only", "wal/*")
        self.assertEqual(played.stdout, "-j 4 --server some/karma --only wal/*\n")
        self.assertEqual(played.returncode, 3)
        self.assertEqual(self.run_with("--server=x", "-j", "1").stdout, "-j 4 --server=x -j 1\n")

    def test_a_list_needs_no_server(self):
        self.assertEqual(self.run_with("--list").stdout, "-j 4 --list\n")

    def test_without_a_suite_it_says_where_one_is_looked_for(self):
        with tempfile.TemporaryDirectory() as directory:
            found = subprocess.run([SCRIPTS / "conformance", "--list"], capture_output=True, text=True,
                                   env={**os.environ, "KARMA_CONFORMANCE": directory + "/none"})
        self.assertEqual(found.returncode, 1)
        self.assertIn("KARMA_CONFORMANCE", found.stderr)


class CheckSpeed(unittest.TestCase):
    PLATFORM = {"compiler": "g++ 12", "processor": "x86-64 avx2"}
    RECORDED = {"sum": 1000.0, "batch_sum": 20000.0}

    def run_with(self, counted, *arguments, platform=PLATFORM, recorded=RECORDED):
        """Returns exit status, output and the figures afterwards."""
        counter = types.SimpleNamespace(
            platform=lambda: platform,
            operations=lambda: {name: (1, 2) for name in counted},
            instructions=lambda operations: {name: counted[name] for name in operations})

        with tempfile.TemporaryDirectory() as directory, contextlib.redirect_stdout(io.StringIO()) as output, \
                contextlib.redirect_stderr(output):
            figures = pathlib.Path(directory) / "speed.json"
            figures.write_text(json.dumps({"platform": self.PLATFORM, "instructions": recorded}))
            try:
                status = speed.main(list(arguments), lambda: counter, figures)
            except SystemExit as end:
                status = end.code
            return status, output.getvalue(), json.loads(figures.read_text())

    def test_six_percent_more_fail_and_are_named(self):
        status, output, _ = self.run_with({"sum": 1060.0, "batch_sum": 20000.0})
        self.assertEqual(status, 1)
        self.assertRegex(output, r"(?m)^sum +1,000 +1,060 +\+6\.0 %  SLOWER$")
        self.assertRegex(output, r"(?m)^batch_sum +20,000 +20,000 +\+0\.0 %$")

    def test_four_percent_more_pass(self):
        status, output, _ = self.run_with({"sum": 1040.0, "batch_sum": 20800.0})
        self.assertEqual(status, 0)
        self.assertNotIn("SLOWER", output)

    def test_what_got_faster_passes_and_is_told(self):
        status, output, _ = self.run_with({"sum": 940.0, "batch_sum": 19200.0})
        self.assertEqual(status, 0)
        self.assertEqual(output.count("record the new figure"), 1)

    def test_operations_and_records_must_match(self):
        self.assertEqual(self.run_with({"sum": 1000.0})[0], 1)
        self.assertEqual(self.run_with({**self.RECORDED, "increment": 1.0})[0], 1)

    def test_a_named_operation_is_judged_alone(self):
        counted = {"sum": 1060.0, "batch_sum": 20000.0}
        self.assertEqual(self.run_with(counted, "batch_sum")[0], 0)
        self.assertEqual(self.run_with(counted, "sum")[0], 1)

    def test_figures_of_another_platform_are_not_compared(self):
        status, output, _ = self.run_with({"sum": 9999.0}, platform={**self.PLATFORM, "compiler": "g++ 13"})
        self.assertEqual(status, 0)
        self.assertRegex(output, r"^not compared: recorded with g\+\+ 12, x86-64 avx2; here is g\+\+ 13, x86-64 avx2$")

    def test_recording_replaces_all_figures(self):
        status, _, figures = self.run_with({"sum": 1060.0, "increment": 5.0}, "--record")
        self.assertEqual(status, 0)
        self.assertEqual(figures, {"platform": self.PLATFORM, "instructions": {"sum": 1060.0, "increment": 5.0}})

    def test_wrong_usage_has_a_status_of_its_own(self):
        for arguments in (["--nonsense"], ["multiply"], ["--record", "sum"]):
            self.assertEqual(self.run_with(dict(self.RECORDED), *arguments)[0], 2, arguments)


class InstallDependencies(unittest.TestCase):
    """As a user who may not install anything."""

    def run_with(self, *missing):
        with tempfile.TemporaryDirectory() as directory:
            for program in ("bash", "cat", "grep", "sed", "tr"):
                os.symlink(shutil.which(program), os.path.join(directory, program))
            for name, text in (("apt-get", "exit 1"),
                               ("dpkg-query", 'for name; do case "$name" in -*|%s) ;; '
                                '*) echo "$name install ok installed" ;; esac; done' % "|".join(missing or ["none"]))):
                path = pathlib.Path(directory) / name
                path.write_text("#!/bin/bash\n%s\n" % text)
                path.chmod(0o755)
            os.chmod(directory, 0o755)
            done = subprocess.run([shutil.which("bash"), "-s"], env={"PATH": directory}, capture_output=True, text=True,
                                  input=(SCRIPTS / "install_dependencies").read_text(),
                                  **({"user": 65534} if os.geteuid() == 0 else {}))
            return done.returncode, done.stderr

    def test_nothing_is_said_where_nothing_is_missing(self):
        self.assertEqual(self.run_with(), (0, ""))

    def test_what_only_helps_is_named_and_not_required(self):
        status, said = self.run_with("ccache", "netcat-openbsd")
        self.assertEqual(status, 0, said)
        self.assertIn("apt-get install --no-install-recommends ccache netcat-openbsd\n", said)

    def test_one_message_names_all_that_is_missing(self):
        status, said = self.run_with("g++", "libboost-dev", "ccache")
        self.assertEqual(status, 1, said)
        self.assertIn("apt-get install --no-install-recommends g++ libboost-dev ccache\n", said)


if __name__ == "__main__":
    unittest.main()
