"""The rows of the bench that need three members: ours and etcd's on one machine, by turns in one run."""

import os
import shutil
import statistics
import tempfile
import time

from servers import Cluster

AWAY_PUTS = 100_000


class ClusterRows:
    def __init__(self, bench):
        self.bench = bench
        self.settings = bench.settings

    def cluster(self, who, arguments=()):
        directory = tempfile.mkdtemp(prefix=who + "-cluster-", dir=self.bench.scratch)
        return Cluster(self.bench.binaries[who], arguments=arguments, directory=directory)

    def run(self):
        if not self.bench.wanted("cluster"):
            return
        clusters = {who: self.cluster(who) for who in self.bench.binaries}
        try:
            for cluster in clusters.values():
                cluster.__enter__()
                self.bench.client(cluster.leader(), "fill")
            self.put_rows({who: cluster.leader() for who, cluster in clusters.items()})
            self.pause_row(clusters)
        finally:
            for cluster in clusters.values():
                end(cluster)

    def put_rows(self, leaders):
        """Puts asked of the leaders; the CPU time is theirs alone."""
        alone = self.bench.calls(leaders, "put", 1, writes=True)
        self.bench.add("three members: put, 1 in flight: median", alone["p50_us"], "µs")
        found = self.bench.calls(leaders, "put", 64, writes=True)
        self.bench.add("three members: put, 64 in flight", found["rate"], "/s", 4)
        self.bench.add("three members: put, 64 in flight: the leader's CPU", found["cpu_us"], "µs")

    def pause_row(self, clusters):
        """The longest time without a good answer, asked of a follower, while its leader is killed."""
        pauses = {who: [] for who in clusters}
        for number in range(self.settings.rounds):
            for who in sorted(clusters, reverse=number % 2 == 1):
                pauses[who].append(self.pause_seconds(clusters[who]))
        self.bench.add("three members: without service when the leader is killed",
                       {who: statistics.median(found) for who, found in pauses.items()}, "s", 0.5,
                       smaller_is_better=True)
        self.bench.add("three members: the same, the longest", {who: max(found) for who, found in pauses.items()}, "s")

    def pause_seconds(self, cluster):
        leader = cluster.leader()
        follower = next(member for member in cluster.members if member is not leader)
        load = self.bench.load(follower, "pauses", "in_flight=4", "milliseconds=4000")
        time.sleep(1)
        leader.kill()
        seen = self.bench.seen_by(load)
        leader.start()
        return seen["pause_us"] / 1e6

    def recovery(self):
        """What a member that was away for many puts costs the clients of the others while it catches up."""
        found = {name: {} for name in ("quiet", "catching up", "slowest quiet", "slowest catching up", "seconds")}
        for who in self.bench.binaries:
            cluster = self.cluster(who)
            try:
                cluster.__enter__()
                self.recovery_of(who, cluster, found)
            finally:
                end(cluster)
        for name in ("quiet", "catching up"):
            self.bench.add(f"three members: put, 8 in flight, p99.9, {name}", found[name], "ms")
            self.bench.add(f"three members: put, 8 in flight, slowest, {name}", found["slowest " + name], "ms")
        self.bench.add(f"three members: back from {self.away_puts()} puts away", found["seconds"], "s")

    def away_puts(self):
        return 500 if self.settings.smoke else AWAY_PUTS // 10 if self.settings.quick else AWAY_PUTS

    def recovery_of(self, who, cluster, found):
        leader = cluster.leader()
        away = next(member for member in cluster.members if member is not leader)
        puts = {"keys": self.settings.keys, "value": 256}
        self.bench.client(leader, "fill")
        probe = {"requests": max(100, self.away_puts() // 5), "in_flight": 8, **puts}
        for name in ("quiet", "catching up"):
            if name == "catching up":
                away.kill()
                self.bench.client(leader, "put", requests=self.away_puts(), in_flight=64, **puts)
                behind = cluster.status(leader)["raftAppliedIndex"]
                began = time.monotonic()
                away.start(wait=False)
            seen = self.bench.client(leader, "put", **probe)
            found[name][who] = seen["p999_us"] / 1e3
            found["slowest " + name][who] = seen["max_us"] / 1e3
        while (cluster.status(away) or {}).get("raftAppliedIndex", 0) < behind:
            if time.monotonic() - began > 120:
                raise AssertionError(f"{who}: not back after 120 s:\n{away.log()[-2000:]}")
            time.sleep(0.05)
        found["seconds"][who] = time.monotonic() - began


def end(cluster):
    cluster.__exit__()
    shutil.rmtree(os.path.dirname(cluster.members[0].directory), ignore_errors=True)
