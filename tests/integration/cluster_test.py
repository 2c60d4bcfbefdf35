"""Three members as real processes with real clients: what is acknowledged stays and what is watched comes, in order and
once, while members are killed, stopped and restarted.

Usage: cluster_test.py METASTORE GRPC_CLIENT"""

import os
import signal
import subprocess
import sys
import unittest

from servers import Cluster, etcdctl

METASTORE, GRPC_CLIENT = map(os.path.abspath, sys.argv[1:3])


class Load:
    """Puts k0, k1, ... through one member, one at a time, and ends at the first that fails."""

    def __init__(self, member, count):
        self.client = subprocess.Popen([GRPC_CLIENT, member.endpoint, "puts", str(count)], stdout=subprocess.PIPE,
                                       text=True)
        self.acknowledged = 0

    def wait_for(self, count):
        while self.acknowledged < count:
            if not self.client.stdout.readline():
                raise AssertionError(f"the load ended after {self.acknowledged} puts")
            self.acknowledged += 1

    def finish(self):
        self.acknowledged += len(self.client.stdout.readlines())
        self.client.wait()
        self.client.stdout.close()
        return self.acknowledged


class Watch:
    """The keys that a member tells of, in its order."""

    def __init__(self, member):
        command = ["etcdctl", f"--endpoints={member.endpoint}", "watch", "--prefix", "k", "--rev=1"]
        environment = {**os.environ, "ETCDCTL_API": "3"}
        self.client = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    def keys(self, count):
        keys = []
        while len(keys) < count:
            line = self.client.stdout.readline()
            if not line:
                raise AssertionError(f"the watch ended after {len(keys)} events")
            if line == "PUT\n":
                keys.append(self.client.stdout.readline().strip())
        return keys

    def end(self):
        self.client.kill()
        self.client.wait()
        self.client.stdout.close()


class ThreeMembers(unittest.TestCase):
    def check_values(self, cluster, count):
        for member in cluster.members:
            done = subprocess.run([GRPC_CLIENT, member.endpoint, "values", str(count)], capture_output=True, text=True,
                                  timeout=120, check=False)
            self.assertEqual((0, ""), (done.returncode, done.stderr), member.name)

    def followers(self, cluster):
        leader = cluster.leader()
        return leader, [member for member in cluster.members if member is not leader]

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

    def test_nothing_is_lost_and_no_put_fails_when_the_leader_is_killed_under_load(self):
        with Cluster(METASTORE) as cluster:
            leader, followers = self.followers(cluster)
            watches = [Watch(member) for member in followers]
            load = Load(followers[0], 300)
            load.wait_for(100)
            leader.kill()
            self.assertEqual(300, load.finish())
            for watch in watches:
                self.assertEqual([f"k{i}" for i in range(300)], watch.keys(300))
                watch.end()
            leader.start()
            self.check_values(cluster, 300)

    def test_a_stopped_leader_is_replaced_and_follows_when_it_goes_on(self):
        with Cluster(METASTORE) as cluster:
            leader, followers = self.followers(cluster)
            load = Load(followers[0], 200)
            load.wait_for(50)
            leader.signal(signal.SIGSTOP)
            self.assertEqual(200, load.finish())
            self.assertIn(cluster.leader(followers), followers)
            leader.signal(signal.SIGCONT)
            cluster.leader()
            self.check_values(cluster, 200)

    def test_a_rolling_restart_is_not_felt(self):
        with Cluster(METASTORE) as cluster:
            leader, followers = self.followers(cluster)
            acknowledged = 0
            for restarted in followers + [leader]:
                serving = [member for member in cluster.members if member is not restarted][0]
                load = Load(serving, 200)
                load.wait_for(50)
                self.assertEqual(0, restarted.terminate())
                load.wait_for(150)
                restarted.start()
                acknowledged = max(acknowledged, load.finish())
                self.assertEqual(200, acknowledged)
            self.check_values(cluster, 200)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
