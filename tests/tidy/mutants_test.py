#!/usr/bin/env python3
"""The wrong variants of tests/mutants: each applies to this tree, and says what it is."""

import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATCHES = sorted((ROOT / "tests" / "mutants").glob("*.patch"))
TEXT = r"\S.*\n(?:[a-z].*\n)*"
ROWS = r"([A-Z]+\d+(, [A-Z]+\d+)*|our own)"
HEAD = re.compile(rf"Row: {ROWS}\nPlace: {TEXT}Trigger: {TEXT}(Needs: a fault\n|Shown by: \S+\n)?\n")


class Mutants(unittest.TestCase):
    def test_each_applies_to_this_tree(self):
        self.assertTrue(PATCHES)
        for patch in PATCHES:
            with self.subTest(patch.name):
                done = subprocess.run(["git", "apply", "--check", patch], cwd=ROOT, capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_each_says_what_it_is(self):
        for patch in PATCHES:
            with self.subTest(patch.name):
                head, change = patch.read_text(encoding="utf-8").split("diff --git", 1)
                self.assertTrue(HEAD.fullmatch(head), head)
                self.assertIn("\n+++ b/src/", change)

    def test_no_row_with_a_patch_is_left_out(self):
        lines = (ROOT / "tests" / "mutants" / "left_out.txt").read_text(encoding="utf-8").splitlines()
        left_out = [line.partition(" ") for line in lines]
        self.assertTrue(all(reason for _, _, reason in left_out))
        heads = [patch.read_text(encoding="utf-8").split("\n", 1)[0] for patch in PATCHES]
        rows = {row for head in heads for row in re.findall(r"[A-Z]+\d+", head)}
        self.assertEqual(set(), rows & {row for row, _, _ in left_out})


if __name__ == "__main__":
    unittest.main()
