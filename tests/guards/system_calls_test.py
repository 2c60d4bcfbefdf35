#!/usr/bin/env python3
"""What a burst of 64 requests costs the real process in system calls, counted by strace: requests that come together
are read, synced and answered together. A bound that a change exceeds is to be looked at, not raised.

Usage: system_calls_test.py METASTORE LOAD_CLIENT"""

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


class SystemCalls(unittest.TestCase):
    def calls_a_burst(self, workload):
        """By name: how many system calls a burst costs, those of starting and stopping taken off."""
        counts = []
        for bursts in (1, 1 + BURSTS):
            with tempfile.TemporaryDirectory() as directory:
                summary = os.path.join(directory, "strace")
                with Server(METASTORE, wrapper=["strace", "-f", "-c", "-o", summary]) as server:
                    # The one key is there before it is read.
                    for kind, number in (("put", 1), (workload, bursts * BURST)):
                        done = subprocess.run(
                            [LOAD_CLIENT, server.endpoint, kind, f"requests={number}", f"in_flight={BURST}", "keys=1"],
                            capture_output=True, text=True, timeout=120, check=False)
                        self.assertEqual((0, ""), (done.returncode, done.stderr))
                        self.assertIn('"errors": 0,', done.stdout)
                    server.terminate()
                with open(summary, encoding="utf-8") as lines:
                    counts.append({match[2]: int(match[1]) for match in re.finditer(
                        r"^\s*\S+\s+\S+\s+\S+\s+(\d+)\s(?:.*\s)?(\w+)$", lines.read(), re.M) if match[2] != "total"})
        few, many = counts
        cost = {name: (count - few.get(name, 0)) / BURSTS for name, count in many.items()}
        print(workload, {name: count for name, count in cost.items() if count >= 0.1})
        return cost

    def check_bounds(self, workload, bounds):
        cost = self.calls_a_burst(workload)
        for name, bound in bounds.items():
            self.assertLessEqual(cost.get(name, 0), bound, name)
        self.assertLessEqual(sum(cost.values()), sum(bounds.values()) + 1, cost)

    def test_puts_that_come_together_share_one_read_one_sync_and_one_write(self):
        # The threads meet by futex and epoll, and how often depends on who is first.
        self.check_bounds("put_bursts", {"recvfrom": 1.5, "sendto": 1.5, "pwritev": 1.5, "fdatasync": 1.5,
                                         "epoll_ctl": 2.5, "epoll_wait": 9, "futex": 8})

    def test_ranges_that_come_together_share_one_read_and_one_write_and_touch_no_file(self):
        self.check_bounds("range_bursts", {"recvfrom": 1.5, "sendto": 1.5, "pwritev": 0, "fdatasync": 0,
                                           "epoll_ctl": 2.5, "epoll_wait": 5, "futex": 0.2})


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
