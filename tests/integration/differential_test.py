"""Drawn requests to ours and to Debian's etcd get the same answers: responses, codes, texts, revisions.

Usage: differential_test.py METASTORE ETCD GRPC_CLIENT [FIRST_SEED LAST_SEED]"""

import os
import subprocess
import sys
import unittest

from servers import Server

METASTORE, ETCD, GRPC_CLIENT = map(os.path.abspath, sys.argv[1:4])
FIRST_SEED, LAST_SEED = map(int, sys.argv[4:6]) if len(sys.argv) > 4 else (1, 3)
REQUESTS = 2000


class Differential(unittest.TestCase):
    def test_the_same_requests_get_the_same_answers(self):
        for seed in range(FIRST_SEED, LAST_SEED + 1):
            with self.subTest(seed=seed), Server(METASTORE) as ours, Server(ETCD) as theirs:
                done = subprocess.run([GRPC_CLIENT, ours.endpoint, "differential", str(seed), str(REQUESTS),
                                       theirs.endpoint], capture_output=True, text=True, timeout=120, check=False)
                self.assertEqual((0, ""), (done.returncode, done.stderr))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
