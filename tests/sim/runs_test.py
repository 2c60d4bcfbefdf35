"""The simulator's command line, one process against another, and what it is linked from."""

import re
import subprocess
import sys
import unittest

BINARY = sys.argv.pop(1)
BUILD = sys.argv.pop(1)

PASS_LINE = re.compile(
    r"PASS seed=(\d+) members=1 ops=\d+ events=\d+ sim_seconds=\d+\.\d{3} wall_seconds=\d+\.\d{3} speedup=\d+ "
    r"hash=([0-9a-f]{32})")

# What only one of the two may hold: the outside world, and its simulated twin.
OF_METASTORE_ALONE = {"libnet.a", "libserver.a", "libstorage_posix.a", "libwal_dump.a"}
OF_SIMULATOR_ALONE = {"libsim.a", "libsim_checkers.a", "libsim_world.a"}


def run(*words):
    return subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=300)


class Runs(unittest.TestCase):
    def test_a_run_ends_in_one_line_and_its_hash_is_the_same_in_another_process(self):
        hashes = set()
        for _ in range(2):
            result = run("run", "--seed", "5")
            self.assertEqual(result.returncode, 0, result.stdout)
            line = PASS_LINE.fullmatch(result.stdout.splitlines()[-1])
            self.assertIsNotNone(line, result.stdout)
            hashes.add(line.group(2))
            self.assertIn("limit wal_segment_bytes=", result.stdout)
        self.assertEqual(len(hashes), 1)

    def test_a_trace_shows_inputs_effects_and_clients_and_may_stop_early(self):
        result = run("run", "--seed", "5", "--trace", "--until", "1")
        self.assertEqual(result.returncode, 0)
        self.assertIn("machine 1 > boots", result.stdout)
        self.assertIn("member 1 > ", result.stdout)
        self.assertRegex(result.stdout, r"client \d+ > #\d+ of client")
        self.assertIn("STOPPED seed=5 at=", result.stdout)

    def test_a_swarm_counts_what_it_tried_and_fails_if_something_never_happened(self):
        result = run("swarm", "--seeds", "1..300")
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertIn("judged: O4 replies", result.stdout)
        few = run("swarm", "--seeds", "1..2")
        self.assertEqual(few.returncode, 1)
        self.assertIn("<- never", few.stdout)

    def test_bad_words_are_refused_with_the_usage(self):
        for words in ([], ["walk"], ["run"], ["run", "--seed", "x"], ["swarm", "--seeds", "9..1"],
                      ["run", "--jobs", "2"]):
            result = run(*words)
            self.assertEqual(result.returncode, 2, words)
            self.assertIn("usage:", result.stderr)


class Archives(unittest.TestCase):
    def archives(self, target):
        """The project's own archives on the target's link line, as ninja knows it."""
        commands = subprocess.run(["ninja", "-C", BUILD, "-t", "query", target], capture_output=True, text=True,
                                  check=True).stdout
        inputs = commands.split("input:")[1].split("outputs:")[0]
        return {word.rsplit("/", 1)[-1] for word in inputs.split() if word.endswith(".a") and word.startswith("src/")}

    def test_the_member_that_is_simulated_is_the_member_that_is_shipped(self):
        real = self.archives("src/metastore")
        simulated = self.archives("src/sim/metastore-sim")
        self.assertGreaterEqual(real & simulated, {"libbase.a", "libraft.a", "libmvcc.a", "libkv.a", "libreplica.a",
                                                   "libhost.a", "libstorage.a", "libapi.a", "libmember.a"})
        self.assertEqual(real - OF_METASTORE_ALONE, simulated - OF_SIMULATOR_ALONE)


if __name__ == "__main__":
    unittest.main()
