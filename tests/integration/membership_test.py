"""Members that come and go as real processes, with etcd's own client as the operator: a cluster grows from one, a
learner is promoted, members are removed under load, and whoever lost its data comes back as somebody else only.

Usage: membership_test.py METASTORE GRPC_CLIENT"""

import json
import os
import shutil
import subprocess
import sys
import time
import unittest

from clients import Load
from servers import READY_SECONDS, Cluster, Server, etcdctl, free_ports

METASTORE, GRPC_CLIENT = map(os.path.abspath, sys.argv[1:3])
# Else a member has to be connected for five seconds before it counts.
SETTLED_SOON = "--limits=peer_settled_ms=100"


def told(member):
    return f"{member.name}={member.peer_url}"


def ids(member):
    """Names (or peer URLs of those who have not started) and ids in hexadecimal, as `member` knows them."""
    code, out, err = etcdctl(member.endpoint, "member", "list", "-w", "json")
    assert code == 0, err
    return {one.get("name") or one["peerURLs"][0]: f"{one['ID']:x}" for one in json.loads(out)["members"]}


def eventually(command, expected=""):
    """Runs `command` until it succeeds or fails otherwise than `expected`; what is refused may be asked again."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        code, out, err = command()
        if code == 0 or expected not in err or time.monotonic() > deadline:
            return code, out, err
        time.sleep(0.05)


class Membership(unittest.TestCase):
    def newcomer(self, name, others):
        member = Server(METASTORE, [SETTLED_SOON, "--initial-cluster-state=existing"], name=name, ports=free_ports(2))
        member.initial_cluster = ",".join(told(one) for one in [*others, member])
        self.addCleanup(member.__exit__)
        return member

    def check(self, result):
        code, out, err = result
        self.assertEqual(0, code, err)
        return out

    def add(self, through, member, *options):
        # Right after the last change the members may not have been connected for long enough.
        return self.check(eventually(
            lambda: etcdctl(through.endpoint, "member", "add", member.name, f"--peer-urls={member.peer_url}", *options),
            "unhealthy cluster"))

    def check_values(self, member, count):
        done = subprocess.run([GRPC_CLIENT, member.endpoint, "values", str(count)], capture_output=True, text=True,
                              timeout=120, check=False)
        self.assertEqual((0, ""), (done.returncode, done.stderr), member.name)

    def test_a_cluster_grows_from_one_by_a_voter_and_a_learner_that_is_promoted(self):
        with Server(METASTORE, [SETTLED_SOON]) as first:
            Load(GRPC_CLIENT, first, 50).finish()
            second = self.newcomer("m2", [first])
            self.add(first, second)
            second.start()
            third = self.newcomer("m3", [first, second])
            self.add(second, third, "--learner")
            learner = ids(first)[third.peer_url]
            self.assertIn("in sync with leader", etcdctl(second.endpoint, "member", "promote", learner)[2])
            third.start(wait=False)
            self.check(eventually(lambda: etcdctl(second.endpoint, "member", "promote", learner), "in sync"))
            third.wait_ready()
            # With three voters it does not matter that one is gone.
            first.kill()
            self.assertEqual(100, Load(GRPC_CLIENT, third, 100).finish())
            self.check_values(second, 100)
            self.assertEqual({"m1", "m2", "m3"}, set(ids(third)))

    def test_members_are_removed_under_load_the_leader_too_and_stop_by_themselves(self):
        with Cluster(METASTORE, 4, [SETTLED_SOON]) as cluster:
            leader = cluster.leader()
            follower, *serving = [member for member in cluster.members if member is not leader]
            load = Load(GRPC_CLIENT, serving[0], 400)
            for count, removed in ((100, follower), (200, leader)):
                load.wait_for(count)
                self.check(eventually(
                    lambda gone=removed: etcdctl(serving[1].endpoint, "member", "remove", ids(serving[0])[gone.name]),
                    "unhealthy cluster"))
                self.assertEqual(0, removed.process.wait(timeout=READY_SECONDS))
                self.assertIn("the member has been permanently removed from the cluster", removed.log())
            self.assertEqual(400, load.finish())
            self.check_values(serving[1], 400)
            self.assertEqual({member.name for member in serving}, set(ids(serving[0])))
            # Nor can it come back.
            follower.start(wait=False)
            self.assertEqual(0, follower.process.wait(timeout=READY_SECONDS))

    def test_a_member_that_lost_its_data_is_replaced_by_a_new_one(self):
        with Cluster(METASTORE, 3, [SETTLED_SOON]) as cluster:
            self.assertEqual(100, Load(GRPC_CLIENT, cluster.members[0], 100).finish())
            lost, *others = reversed(cluster.members)
            lost.kill()
            shutil.rmtree(lost.data_directory)
            for arguments in ([], ["--initial-cluster-state=existing"], ["--engine=memory"]):
                wiped = subprocess.run(lost.command() + arguments, capture_output=True, text=True, timeout=60,
                                       check=False)
                self.assertEqual(1, wiped.returncode, wiped.stderr)
                self.assertIn("has run before, on another data directory", wiped.stderr)
                self.assertIn("remove it with 'member remove'", wiped.stderr)
            self.check(eventually(lambda: etcdctl(others[0].endpoint, "member", "remove", ids(others[0])["m3"]),
                                  "unhealthy cluster"))
            stranger = subprocess.run(lost.command() + ["--initial-cluster-state=existing"], capture_output=True,
                                      text=True, timeout=60, check=False)
            self.assertIn("add it with 'member add'", stranger.stderr)
            self.add(others[0], lost)
            lost.arguments.append("--initial-cluster-state=existing")
            lost.start()
            self.check_values(lost, 100)
            self.assertEqual(100, Load(GRPC_CLIENT, lost, 100).finish())

    def test_the_last_one_left_goes_on_alone(self):
        with Cluster(METASTORE, 3, [SETTLED_SOON]) as cluster:
            self.assertEqual(100, Load(GRPC_CLIENT, cluster.members[0], 100).finish())
            for member in cluster.members:
                member.kill()
            left = cluster.members[0]
            left.arguments.append("--force-new-cluster")
            left.start()
            self.check_values(left, 100)
            self.assertEqual({"m1"}, set(ids(left)))
            left.kill()
            left.arguments.pop()
            left.start()
            self.assertEqual(150, Load(GRPC_CLIENT, left, 150).finish())

    def test_a_mistake_at_the_start_is_told_with_the_flag_to_change(self):
        with Server(METASTORE) as first:
            lost = self.newcomer("m2", [])
            lost.start(wait=False)
            self.assertEqual(1, lost.process.wait(timeout=READY_SECONDS))
            self.assertIn("--initial-cluster names no other member", lost.log())
            stranger = Server(METASTORE, name="m2", ports=free_ports(2))
            self.addCleanup(stranger.__exit__)
            stranger.initial_cluster = f"{told(first)},{told(stranger)}"
            stranger.start(wait=False)
            self.assertEqual(1, stranger.process.wait(timeout=READY_SECONDS))
            self.assertIn("--initial-cluster-state=existing to join that cluster", stranger.log())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
