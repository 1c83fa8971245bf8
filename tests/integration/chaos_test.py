#!/usr/bin/env python3
"""Replication under faults (scripts/chaos), for a minute, and that it sees what it looks for."""

import os
import pathlib
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import project_scripts

import chaos_model
from chaos_model import DOUBT, GONE, THERE, Failure, Model, Write

TIMEOUT_SECONDS = 500
BRANCH, LSN = 0, 10


class Chaos(unittest.TestCase):
    def test_every_node_holds_what_was_acknowledged(self):
        seed = os.environ.get("KARMA_TEST_SEED")
        command = [project_scripts.SCRIPTS / "chaos", "--server", os.environ["KARMA_SERVER"], "--seconds=30"]
        done = subprocess.run(command + (["--seed=" + seed] if seed else []), capture_output=True, text=True,
                              timeout=TIMEOUT_SECONDS)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, "(?m)^run 1: ")


class TheModel(unittest.TestCase):
    """Of three writes of one client, of 1, 2 and 3."""

    def start(self, confirmed=False):
        self.model = Model(confirmed)
        self.writes = [Write(4, number, number + 1, "w%d" % number) for number in range(3)]
        for write in self.writes:
            write.repeated = False
            self.model.add(write)

    def acknowledge(self, *numbers):
        for number in numbers:
            self.model.acknowledged(self.writes[number], BRANCH, LSN + number, True)

    def check(self, *there):
        points = [[write.key, write.day, write.value] for number, write in enumerate(self.writes) if number in there]
        self.model.check(points + [[0, chaos_model.DAY + 4, sum(point[2] for point in points)]])

    def test_what_is_in_doubt_may_be_there_and_stays_what_it_was_seen_to_be(self):
        self.start()
        self.acknowledge(0)
        self.check(0, 1)
        self.assertEqual([write.state for write in self.writes], [THERE, THERE, GONE])
        for wrong in ([0], [0, 1, 2]):
            with self.assertRaises(Failure):
                self.check(*wrong)

    def test_a_lost_a_double_a_half_and_a_foreign_write_are_seen(self):
        self.start()
        self.acknowledge(0, 1, 2)
        for key, day, value in [(self.writes[1].key, self.writes[1].day, 4), (0, chaos_model.DAY + 4, 5), (77, 1, 1)]:
            points = {(write.key, write.day): write.value for write in self.writes}
            points[0, chaos_model.DAY + 4] = 6
            points[key, day] = value
            with self.assertRaises(Failure):
                self.model.check([[*cell, value] for cell, value in points.items()])
        with self.assertRaises(Failure):
            self.check(0, 1)
        self.check(0, 1, 2)

    def test_where_a_branch_ends_what_is_above_is_gone(self):
        self.start()
        self.acknowledge(0, 1)
        self.model.leave_branch(LSN, False)
        self.acknowledge(2)  # late
        self.assertEqual([write.state for write in self.writes], [THERE, GONE, GONE])
        self.check(0)

    def test_with_confirmation_a_promotion_loses_nothing(self):
        self.start(True)
        self.acknowledge(0)
        self.model.leave_branch(LSN, True)
        self.assertEqual(self.writes[0].state, THERE)
        self.assertEqual(self.writes[1].state, DOUBT)
        with self.assertRaises(Failure):
            self.acknowledge(1)
        with self.assertRaises(Failure):
            self.model.leave_branch(LSN - 1, True)


if __name__ == "__main__":
    unittest.main()
