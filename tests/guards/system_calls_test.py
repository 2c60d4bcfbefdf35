#!/usr/bin/env python3
"""What a burst of 64 requests costs the real process in system calls on its clients' sockets and its log, counted by
strace: requests that come together are read, synced and answered together. What the process does on its own (ticks,
checkpoints, the log's next segment) is not counted, since it depends on time. A bound that a change exceeds is to be
looked at, not raised.

Usage: system_calls_test.py METASTORE LOAD_CLIENT"""

import collections
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from servers import Server  # noqa: E402  pylint: disable=wrong-import-position

METASTORE, LOAD_CLIENT = map(os.path.abspath, sys.argv[1:3])
BURST = 64
BURSTS = 50


# A call on a descriptor, with what it stands for: "17 fdatasync(9</data/member/wal/0-0.wal>) = 0". Writes to the log
# are not told from the zeros that are kept ahead of them; each ends with a sync.
CALL = re.compile(r"^\d+ +(\w+)\(\d+<([^>]*)>", re.M)
NAMES = ("read", "readv", "recvfrom", "recvmsg", "write", "writev", "sendto", "sendmsg", "fsync", "fdatasync")


def counted(target):
    return re.match(r"socket:|TCP", target) or target.endswith(".wal")


class SystemCalls(unittest.TestCase):
    def calls_a_burst(self, workload):
        """By name: how many system calls a burst costs, those of starting and stopping taken off."""
        counts = []
        for bursts in (1, 1 + BURSTS):
            with tempfile.TemporaryDirectory() as directory:
                trace = os.path.join(directory, "strace")
                strace = ["strace", "-f", "-y", "-s0", "-o", trace, "-e", "trace=" + ",".join(NAMES)]
                with Server(METASTORE, wrapper=strace) as server:
                    # The one key is there before it is read.
                    for kind, number in (("put", 1), (workload, bursts * BURST)):
                        done = subprocess.run(
                            [LOAD_CLIENT, server.endpoint, kind, f"requests={number}", f"in_flight={BURST}", "keys=1"],
                            capture_output=True, text=True, timeout=120, check=False)
                        self.assertEqual((0, ""), (done.returncode, done.stderr))
                        self.assertIn('"errors": 0,', done.stdout)
                    server.terminate()
                with open(trace, encoding="utf-8") as lines:
                    counts.append(collections.Counter(
                        name for name, target in CALL.findall(lines.read()) if counted(target)))
        few, many = counts
        self.assertGreater(few["recvfrom"], 0)
        cost = {name: (count - few[name]) / BURSTS for name, count in many.items()}
        print(workload, cost)
        return cost

    def check_bounds(self, workload, bounds):
        cost = self.calls_a_burst(workload)
        for name, count in cost.items():
            self.assertLessEqual(count, bounds.get(name, 0.2), name)

    def test_puts_that_come_together_share_one_read_one_sync_and_one_write(self):
        self.check_bounds("put_bursts", {"recvfrom": 1.5, "sendto": 1.5, "fdatasync": 1.5})

    def test_ranges_that_come_together_share_one_read_and_one_write_and_sync_nothing(self):
        self.check_bounds("range_bursts", {"recvfrom": 1.5, "sendto": 1.5})


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
