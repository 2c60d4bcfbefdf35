"""Lists too large for one step, from ours and from Debian's etcd: the same records in the same order.

Usage: lists_test.py METASTORE ETCD LIST_CLIENT"""

import os
import subprocess
import sys
import unittest

from servers import Server

METASTORE, ETCD, LIST_CLIENT = map(os.path.abspath, sys.argv[1:4])


class Lists(unittest.TestCase):
    def test_large_lists_are_the_same(self):
        with Server(METASTORE) as ours, Server(ETCD) as theirs:
            done = subprocess.run([LIST_CLIENT, ours.endpoint, theirs.endpoint, "1200"], capture_output=True, text=True,
                                  timeout=120, check=False)
            self.assertEqual((0, ""), (done.returncode, done.stderr))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
