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

from clients import Load, check_values
from servers import HOST, KEEPS_STATE, READY_SECONDS, Cluster, Server, etcdctl, free_ports, needs_storage

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
        check_values(self, GRPC_CLIENT, [member], count)

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
            moved = f"http://{HOST}:{free_ports(1)[0]}"
            self.check(eventually(
                lambda: etcdctl(third.endpoint, "member", "update", ids(third)["m1"], f"--peer-urls={moved}"),
                "unhealthy cluster"))
            listed = self.check(etcdctl(second.endpoint, "member", "list")).splitlines()
            self.assertEqual(["m1", moved], next(line for line in listed if ", m1, " in line).split(", ")[2:4])
            self.assertEqual(3, len(listed))

    def test_under_load_a_member_is_added_and_others_removed_the_leader_too(self):
        with Cluster(METASTORE, 4, [SETTLED_SOON]) as cluster:
            leader = cluster.leader()
            follower, *serving = [member for member in cluster.members if member is not leader]
            added = self.newcomer("m5", cluster.members)
            load = Load(GRPC_CLIENT, serving[0], 600)
            load.wait_for(50)
            self.add(serving[0], added, "--learner")
            learner = ids(serving[0])[added.peer_url]
            added.start(wait=False)
            self.check(eventually(lambda: etcdctl(serving[1].endpoint, "member", "promote", learner), "in sync"))
            for count, removed in ((300, follower), (400, leader)):
                load.wait_for(count)
                self.check(eventually(
                    lambda gone=removed: etcdctl(serving[1].endpoint, "member", "remove", ids(serving[0])[gone.name]),
                    "unhealthy cluster"))
                self.assertEqual(0, removed.process.wait(timeout=READY_SECONDS))
                self.assertIn("the member has been permanently removed from the cluster", removed.log())
            self.assertEqual(600, load.finish())
            for member in (*serving, added):
                self.check_values(member, 600)
            self.assertEqual({member.name for member in (*serving, added)}, set(ids(serving[0])))
            # Nor can it come back; one that keeps nothing is told so.
            follower.start(wait=False)
            self.assertEqual(0 if KEEPS_STATE else 1, follower.process.wait(timeout=READY_SECONDS), follower.log())

    def test_a_member_that_lost_its_data_is_replaced_by_a_new_one(self):
        with Cluster(METASTORE, 3, [SETTLED_SOON]) as cluster:
            self.assertEqual(100, Load(GRPC_CLIENT, cluster.members[0], 100).finish())
            lost, *others = reversed(cluster.members)
            lost.kill()
            shutil.rmtree(lost.data_directory, ignore_errors=not KEEPS_STATE)
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

    @needs_storage
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
            own_ports = free_ports(2)
            for arguments, sentence in (
                    (["--initial-cluster-state=existing", "--initial-cluster=m2=OWN"],
                     "--initial-cluster names no other member"),
                    (["--initial-cluster-state=existing"],
                     "add it with 'member add', or correct --initial-advertise-peer-urls"),
                    ([], "--initial-cluster-state=existing to join that cluster"),
                    (["--initial-cluster-token=other"], "while --initial-cluster and --initial-cluster-token make"),
                    (["--initial-cluster=m1=OWN"], "name this member in --initial-cluster or change --name"),
                    (["--initial-advertise-peer-urls=http://127.0.0.1:1"],
                     "but --initial-advertise-peer-urls is http://127.0.0.1:1; make them equal")):
                stranger = Server(METASTORE, name="m2", ports=own_ports)
                self.addCleanup(stranger.__exit__)
                stranger.arguments += [word.replace("OWN", stranger.peer_url) for word in arguments]
                stranger.initial_cluster = f"{told(first)},m2={stranger.peer_url}"
                told_off = subprocess.run(stranger.command(), capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual(1, told_off.returncode, told_off.stderr)
                self.assertIn(sentence, told_off.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
