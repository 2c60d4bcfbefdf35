"""The simulator's command line, and one process against another."""

import re
import subprocess
import sys
import unittest

BINARY = sys.argv.pop(1)

PASS_LINE = re.compile(
    r"PASS seed=(\d+) members=\d ops=\d+ events=\d+ sim_seconds=\d+\.\d{3} wall_seconds=\d+\.\d{3} speedup=\d+ "
    r"hash=([0-9a-f]{32})")


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
        self.assertIn("O7 what is allowed and denied, by users and roles  <- absent", result.stdout)
        few = run("swarm", "--seeds", "1..2")
        self.assertEqual(few.returncode, 1)
        self.assertIn("<- never", few.stdout)

    def test_bad_words_are_refused_with_the_usage(self):
        for words in ([], ["walk"], ["run"], ["run", "--seed", "x"], ["swarm", "--seeds", "9..1"],
                      ["run", "--jobs", "2"]):
            result = run(*words)
            self.assertEqual(result.returncode, 2, words)
            self.assertIn("usage:", result.stderr)


if __name__ == "__main__":
    unittest.main()
