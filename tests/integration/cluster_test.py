"""Three members as real processes with real clients: what is acknowledged stays and what is watched comes, in order and
once, while members are killed, stopped and restarted.

Usage: cluster_test.py METASTORE GRPC_CLIENT"""

import json
import os
import signal
import socket
import sys
import time
import unittest
import urllib.request

from clients import Load, Watch, check_values
from servers import HOST, KEEPS_STATE, READY_SECONDS, Cluster, etcdctl, needs_storage
from switchboard import Switchboard

METASTORE, GRPC_CLIENT = map(os.path.abspath, sys.argv[1:3])


class ThreeMembers(unittest.TestCase):
    def followers(self, cluster):
        leader = cluster.leader()
        return leader, [member for member in cluster.members if member is not leader]

    def watch(self, member):
        watch = Watch(member)
        self.addCleanup(watch.end)
        return watch

    def test_all_tell_the_same_of_themselves(self):
        with Cluster(METASTORE) as cluster:
            leader = cluster.leader()
            for member in cluster.members:
                self.assertEqual(0, etcdctl(member.endpoint, "put", member.name, "1")[0])
            statuses = [cluster.status(member) for member in cluster.members]
            self.assertEqual(3, len({status["header"]["member_id"] for status in statuses}))
            self.assertEqual(1, len({status["raftTerm"] for status in statuses}))
            self.assertEqual(cluster.status(leader)["header"]["member_id"], statuses[0]["leader"])
            for member in cluster.members:
                code, out, err = etcdctl(member.endpoint, "member", "list")
                self.assertEqual((0, ""), (code, err))
                self.assertEqual(sorted([m.name, m.peer_url, f"http://{m.endpoint}"] for m in cluster.members),
                                 sorted(line.split(", ")[2:5] for line in out.splitlines()))
                self.assertEqual("m1\n1\nm2\n1\nm3\n1\n", etcdctl(member.endpoint, "get", "m", "--prefix")[1])

    def test_who_comes_before_there_is_a_leader_waits_and_is_served(self):
        cluster = Cluster(METASTORE)
        first, second, _ = cluster.members
        try:
            first.start(wait=False)
            with self.connect(first) as early:
                early.sendall(b"GET /health HTTP/1.0\r\n\r\n")
                second.start(wait=False)
                self.assertIn(b'"health":"true"', early.makefile("rb").read())
        finally:
            cluster.__exit__()

    def connect(self, member):
        """As soon as it listens."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                return socket.create_connection((HOST, member.client_port), timeout=READY_SECONDS)
            except ConnectionRefusedError:
                self.assertLess(time.monotonic(), deadline, member.log())
                time.sleep(0.01)

    def test_the_cluster_speaks_the_oldest_version_until_the_last_member_has_come(self):
        cluster = Cluster(METASTORE)
        first, second, third = cluster.members
        try:
            for member in (first, second):
                member.start(wait=False)
            for member in (first, second):
                member.wait_ready()
                self.wait_for_version(member, "3.0.0")
            third.start()
            for member in cluster.members:
                self.wait_for_version(member, "3.7.0")
            self.assertIn("updated cluster version", first.log())
        finally:
            cluster.__exit__()

    def wait_for_version(self, member, expected):
        deadline = time.monotonic() + READY_SECONDS
        while True:
            with urllib.request.urlopen(f"http://{member.endpoint}/version", timeout=5) as answer:
                versions = json.load(answer)
            if versions["etcdcluster"] == expected:
                return self.assertEqual(expected, versions["storage"])
            self.assertLess(time.monotonic(), deadline, versions)
            time.sleep(0.02)

    def test_nothing_is_lost_and_no_put_fails_when_the_leader_is_killed_under_load(self):
        with Cluster(METASTORE) as cluster:
            leader, followers = self.followers(cluster)
            watches = [self.watch(member) for member in followers]
            load = Load(GRPC_CLIENT, followers[0], 300)
            load.wait_for(100)
            leader.kill()
            self.assertEqual(300, load.finish())
            for watch in watches:
                self.assertEqual([f"k{i}" for i in range(300)], watch.keys(300))
            if KEEPS_STATE:
                leader.start()
            check_values(self, GRPC_CLIENT, cluster.members if KEEPS_STATE else followers, 300)

    def test_a_lease_goes_on_under_the_next_leader_and_ends_there(self):
        with Cluster(METASTORE) as cluster:
            leader, followers = self.followers(cluster)
            ids = {}
            for name, seconds in (("short", "2"), ("long", "600")):
                code, out, err = etcdctl(leader.endpoint, "lease", "grant", seconds)
                self.assertEqual((0, ""), (code, err))
                ids[name] = out.split()[1]
                self.assertEqual(0, etcdctl(leader.endpoint, "put", name, "1", f"--lease={ids[name]}")[0])
            leader.kill()
            self.assertIn(cluster.leader(followers), followers)
            for follower in followers:
                self.assertEqual((0, f"lease {ids['long']} keepalived with TTL(600)\n", ""),
                                 etcdctl(follower.endpoint, "lease", "keep-alive", "--once", ids["long"]))
            deadline = time.monotonic() + READY_SECONDS
            while etcdctl(followers[0].endpoint, "get", "short")[1]:
                self.assertLess(time.monotonic(), deadline, "the lease goes on")
                time.sleep(0.05)
            self.assertEqual("long\n1\n", etcdctl(followers[1].endpoint, "get", "long")[1])
            self.assertEqual(0, etcdctl(followers[1].endpoint, "lease", "revoke", ids["long"])[0])
            self.assertEqual("", etcdctl(followers[0].endpoint, "get", "long")[1])

    def test_a_stopped_leader_is_replaced_and_follows_when_it_goes_on(self):
        with Cluster(METASTORE) as cluster:
            leader, followers = self.followers(cluster)
            load = Load(GRPC_CLIENT, followers[0], 200)
            load.wait_for(50)
            leader.signal(signal.SIGSTOP)
            self.assertEqual(200, load.finish())
            self.assertIn(cluster.leader(followers), followers)
            leader.signal(signal.SIGCONT)
            cluster.leader()
            check_values(self, GRPC_CLIENT, cluster.members, 200)

    @needs_storage
    def test_a_rolling_restart_is_not_felt_and_no_member_differs_afterwards(self):
        with Cluster(METASTORE, arguments=["--limits=state_hash_entries=10"]) as cluster:
            leader, followers = self.followers(cluster)
            acknowledged = 0
            for restarted in followers + [leader]:
                serving = [member for member in cluster.members if member is not restarted][0]
                load = Load(GRPC_CLIENT, serving, 200)
                load.wait_for(50)
                self.assertEqual(0, restarted.terminate())
                load.wait_for(150)
                restarted.start()
                acknowledged = max(acknowledged, load.finish())
                self.assertEqual(200, acknowledged)
            check_values(self, GRPC_CLIENT, cluster.members, 200)
            self.assertEqual((0, "", ""), etcdctl(leader.endpoint, "alarm", "list"))

    def test_leadership_moves_fifty_times_under_load_and_nobody_notices(self):
        with Cluster(METASTORE) as cluster:
            endpoints = ",".join(member.endpoint for member in cluster.members)
            ids = {member.name: cluster.status(member)["header"]["member_id"] for member in cluster.members}
            watch = self.watch(cluster.members[0])
            load = Load(GRPC_CLIENT, cluster.members[0], 2_000)
            leader = cluster.leader()
            for move in range(50):
                load.wait_for(40 * move)
                leader = next(m for m in cluster.members[move % 3:] + cluster.members if m is not leader)
                code, _, err = etcdctl(endpoints, "move-leader", f"{ids[leader.name]:x}")
                self.assertEqual((0, ""), (code, err))
            self.assertEqual(2_000, load.finish())
            self.assertEqual([f"k{i}" for i in range(2_000)], watch.keys(2_000))
            self.assertIs(leader, cluster.leader())
            check_values(self, GRPC_CLIENT, cluster.members, 2_000)

    def test_a_leader_that_is_cut_off_never_answers_with_old_data(self):
        cluster = Cluster(METASTORE)
        with Switchboard(cluster.members) as board, cluster:
            leader, followers = self.followers(cluster)
            self.assertEqual(0, etcdctl(leader.endpoint, "put", "a", "old")[0])
            board.isolate(leader)
            self.assertIn(cluster.leader(followers), followers)
            self.assertEqual(0, etcdctl(followers[0].endpoint, "put", "a", "new")[0])
            code, out, err = etcdctl(leader.endpoint, "--command-timeout=15s", "get", "a")
            self.assertEqual((1, ""), (code, out))
            self.assertIn("etcdserver: request timed out", err)
            self.assertEqual("a\nold\n", etcdctl(leader.endpoint, "get", "a", "--consistency=s")[1])
            board.heal()
            cluster.leader()
            self.assertEqual("a\nnew\n", etcdctl(leader.endpoint, "get", "a")[1])

    def test_two_that_cannot_hear_each_other_leave_a_leader_alone_that_both_hear(self):
        cluster = Cluster(METASTORE)
        with Switchboard(cluster.members) as board, cluster:
            leader, followers = self.followers(cluster)
            term = cluster.status(leader)["raftTerm"]
            board.cut(*followers)
            load = Load(GRPC_CLIENT, followers[0], 200)
            self.assertEqual(200, load.finish())
            self.assertIs(leader, cluster.leader())
            self.assertEqual(term, cluster.status(leader)["raftTerm"])
            board.heal()
            check_values(self, GRPC_CLIENT, cluster.members, 200)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
