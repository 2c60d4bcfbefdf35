"""A member that was away for more than the others keep of the log catches up by a snapshot: killed or stopped, with
watches open on it, in small parts, and killed again while it receives.

Usage: snapshot_test.py METASTORE GRPC_CLIENT"""

import json
import os
import signal
import subprocess
import sys
import time
import unittest

from clients import check_values
from servers import READY_SECONDS, Cluster, etcdctl, needs_storage

METASTORE, GRPC_CLIENT = map(os.path.abspath, sys.argv[1:3])
# So little is kept that a few puts are too many, and what there is comes in many parts.
ARGUMENTS = ["--snapshot-catchup-entries=20",
             "--limits=snapshot_part_bytes=1000,snapshot_window_bytes=4000,mark_entries=30"]
INSTALLED = "installed a snapshot"


def put(member, count):
    done = subprocess.run([GRPC_CLIENT, member.endpoint, "puts", str(count)], capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr


class Snapshots(unittest.TestCase):
    def check_same(self, cluster, count):
        """All members come to have the same, and what was put."""
        leader = cluster.leader()
        revision = cluster.status(leader)["header"]["revision"]

        def hashes():
            answers = [etcdctl(member.endpoint, "endpoint", "hashkv", f"--rev={revision}", "-w", "json")
                       for member in cluster.members]
            return {json.loads(out)[0]["HashKV"]["hash"] if code == 0 else None for code, out, _ in answers}
        deadline = time.monotonic() + READY_SECONDS
        while len(found := hashes()) != 1 or None in found:
            self.assertLess(time.monotonic(), deadline, found)
            time.sleep(0.02)
        check_values(self, GRPC_CLIENT, cluster.members, count)

    def follower(self, cluster):
        leader = cluster.leader()
        return leader, [member for member in cluster.members if member is not leader][0]

    @needs_storage
    def test_a_killed_member_catches_up_and_starts_again_from_what_it_got(self):
        with Cluster(METASTORE, arguments=ARGUMENTS) as cluster:
            leader, away = self.follower(cluster)
            put(leader, 50)
            away.kill()
            put(leader, 300)
            self.assertEqual(0, etcdctl(leader.endpoint, "compact", "200")[0])
            away.start()
            self.check_same(cluster, 300)
            self.assertEqual(1, away.log().count(INSTALLED))
            away.kill()
            away.start()
            self.check_same(cluster, 300)
            self.assertEqual(1, away.log().count(INSTALLED))

    def test_a_watch_on_a_stopped_member_goes_on_without_a_gap_or_a_repeat(self):
        with Cluster(METASTORE, arguments=ARGUMENTS) as cluster:
            leader, away = self.follower(cluster)
            watch = subprocess.Popen(["etcdctl", f"--endpoints={away.endpoint}", "watch", "--prefix", "k", "--rev=1"],
                                     env={**os.environ, "ETCDCTL_API": "3"}, stdout=subprocess.PIPE, text=True)
            # The watch is there once it tells of something.
            self.assertEqual(0, etcdctl(leader.endpoint, "put", "k", "first")[0])
            while watch.stdout.readline() != "first\n":
                pass
            try:
                away.signal(signal.SIGSTOP)
                put(leader, 300)
                away.signal(signal.SIGCONT)
                # What its sockets kept for it may be enough; else it gets a snapshot.
                self.check_same(cluster, 300)
                lines = []
                while not lines or lines[-1] != "k299":
                    lines.append(watch.stdout.readline().strip())
            finally:
                watch.kill()
                watch.wait()
                watch.stdout.close()
            keys = [line for line in lines if line.startswith("k") and line != "k"]
            self.assertEqual([f"k{i}" for i in range(300)], keys)

    @needs_storage
    def test_a_member_that_is_killed_while_it_receives_has_the_old_state_or_the_new_one(self):
        with Cluster(METASTORE, arguments=ARGUMENTS) as cluster:
            leader, away = self.follower(cluster)
            away.kill()
            put(leader, 300)
            for pause in (0.05, 0.1, 0.15, 0.2, 0.25, 0.3):
                away.start(wait=False)
                time.sleep(pause)
                away.kill()
            away.start()
            self.check_same(cluster, 300)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
