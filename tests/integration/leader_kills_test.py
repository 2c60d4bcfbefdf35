"""The leader of three members is killed under load, again and again: nothing that was acknowledged is lost, a watch on
each member sees every revision once and in order, and service goes on soon.

Usage: leader_kills_test.py METASTORE LOAD_CLIENT [--kills N]

With N, the pauses are told and must keep what is promised of them; without, it is a few kills, and no time counts."""

import json
import os
import re
import statistics
import subprocess
import sys
import time
import unittest

from servers import READY_SECONDS, Cluster, etcdctl

METASTORE, LOAD_CLIENT = map(os.path.abspath, sys.argv[1:3])
KILLS = int(sys.argv[4]) if sys.argv[3:4] == ["--kills"] else 0
ELECTION_TIMEOUT = 1.0  # As the members have it without a flag.
KEYS_A_KILL = 1_000_000


class Watch:
    """Everything from the first revision on, as etcdctl is told by one member, through its restarts."""

    def __init__(self, member):
        self.path = os.path.join(member.directory, "watch")
        with open(self.path, "w", encoding="ascii") as told:
            self.client = subprocess.Popen(
                ["etcdctl", f"--endpoints={member.endpoint}", "watch", "", "--prefix", "--rev=1", "-w", "json"],
                env={**os.environ, "ETCDCTL_API": "3"}, stdout=told)

    def revisions(self, last):
        """Of its events, as soon as it has seen this one, or when it is too late."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            with open(self.path, encoding="ascii") as told:
                found = [int(revision) for revision in re.findall(r'"mod_revision":(\d+)', told.read())]
            if last in found or time.monotonic() > deadline:
                return found
            time.sleep(0.1)

    def end(self):
        self.client.kill()
        self.client.wait()


class LeaderKills(unittest.TestCase):
    def kill(self, cluster, number):
        """How many seconds nobody was served."""
        leader = cluster.leader()
        asked = [member for member in cluster.members if member is not leader][number % 2]
        load = subprocess.Popen(
            [LOAD_CLIENT, asked.endpoint, "pauses", "in_flight=1", "interval_ms=2", "value=40",
             f"milliseconds={2500 if KILLS else 1500}", f"first_key={number * KEYS_A_KILL}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(0.5)
        leader.kill()
        out, err = load.communicate(timeout=120)
        self.assertEqual((0, ""), (load.returncode, err))
        seen = json.loads(out)
        self.assertEqual(0, seen["lost"])
        leader.start()
        return seen["pause_us"] / 1e6

    def test_nothing_is_lost_or_told_twice(self):
        with Cluster(METASTORE) as cluster:
            watches = [Watch(member) for member in cluster.members]
            for watch in watches:
                self.addCleanup(watch.end)
            pauses = []
            last = 1
            for number in range(KILLS or 3):
                pauses.append(self.kill(cluster, number))
                last = cluster.status(cluster.leader())["header"]["revision"]
                # A client that comes back to a member that knows no leader is told so, and etcdctl's watch ends then,
                # as with etcd: all are back before the next leader dies.
                for watch in watches:
                    self.assertIn(last, watch.revisions(last), f"after {number + 1} kills")
            for member, watch in zip(cluster.members, watches):
                self.assertEqual(list(range(2, last + 1)), watch.revisions(last), member.name)
                # Each put was of a key of its own.
                found = etcdctl(member.endpoint, "get", "", "--prefix", "--limit=1", "-w", "json")[1]
                self.assertEqual(last - 1, json.loads(found)["count"])
        if KILLS:
            median, worst = statistics.median(pauses), max(pauses)
            print(f"{KILLS} kills, {last - 1} puts, without service: median {median:.2f} s, at most {worst:.2f} s")
            self.assertLessEqual(median, 1.1 * ELECTION_TIMEOUT)
            self.assertLessEqual(worst, 3 * ELECTION_TIMEOUT)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
