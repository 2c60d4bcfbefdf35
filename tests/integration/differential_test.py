"""Drawn requests to ours and to Debian's etcd get the same answers: responses, codes, texts, revisions.

Usage: differential_test.py METASTORE ETCD DRAWN_CLIENT WATCH_CLIENT [FIRST_SEED LAST_SEED]"""

import os
import subprocess
import sys
import unittest

from servers import Server

METASTORE, ETCD, DRAWN_CLIENT, WATCH_CLIENT = map(os.path.abspath, sys.argv[1:5])
FIRST_SEED, LAST_SEED = map(int, sys.argv[5:7]) if len(sys.argv) > 5 else (1, 3)
REQUESTS = 2000
WATCH_ROUNDS = 5


class Differential(unittest.TestCase):
    def test_the_same_requests_get_the_same_answers(self):
        for seed in range(FIRST_SEED, LAST_SEED + 1):
            with self.subTest(seed=seed), Server(METASTORE) as ours, Server(ETCD) as theirs:
                done = subprocess.run([DRAWN_CLIENT, ours.endpoint, theirs.endpoint, str(seed), str(REQUESTS)],
                                      capture_output=True, text=True, timeout=120, check=False)
                self.assertEqual((0, ""), (done.returncode, done.stderr))

    def test_the_same_watches_are_told_the_same(self):
        for seed in range(FIRST_SEED, LAST_SEED + 1):
            with self.subTest(seed=seed), Server(METASTORE) as ours, Server(ETCD) as theirs:
                done = subprocess.run([WATCH_CLIENT, ours.endpoint, theirs.endpoint, str(seed), str(WATCH_ROUNDS)],
                                      capture_output=True, text=True, timeout=150, check=False)
                self.assertEqual((0, ""), (done.returncode, done.stderr))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
