#!/usr/bin/env python3
"""Measures a member of ours against etcd: the same load by turns in one run, both with fsync, in fresh directories, the
median of the rounds. Prints one table and writes it as JSON.

Usage: bench.py METASTORE ETCD LOAD_CLIENT [recovery] [--quick | --smoke] [--only=WORD] [--json=PATH]

A round counts only if every call was answered as it should (grpc-status 0, an answer of the right size), the revision
rose by exactly the number of puts, and the kernel wrote at least the puts' bytes to the disk for this server. That each
acknowledged put was behind an fdatasync of its own is seen once, under strace, before anything is measured.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))
from servers import Server  # noqa: E402  pylint: disable=wrong-import-position
from cluster_rows import ClusterRows  # noqa: E402  pylint: disable=wrong-import-position

VALUE_BYTES = 256
TICK = os.sysconf("SC_CLK_TCK")
OURS, ETCD = "ours", "etcd"
QUIET_SYNC_US = 150


class Invalid(Exception):
    """This round does not count, and why."""


class Settings:
    def __init__(self, words):
        self.recovery = "recovery" in words
        self.quick = "--quick" in words
        self.smoke = "--smoke" in words
        values = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
        self.only = values.get("only", "")
        self.json = values.get("json", "build/bench.json")
        self.rounds = 1 if self.smoke else 3 if self.quick else 5
        self.seconds = 0.02 if self.smoke else 0.3 if self.quick else 1.0
        self.keys = 1_000 if self.smoke else 20_000 if self.quick else 100_000
        self.many_keys = 2_000 if self.smoke else 50_000 if self.quick else 1_000_000


# --- what the kernel knows of a process ------------------------------------------------------------------------------

def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def first_in_line():
    """Both servers and the clients run before what else the machine does, if we may."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -15)
        return True
    except PermissionError:
        return False


def machine():
    return f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}"


def sync_us(path, syncs=40):
    """The median of what a write of 16 KiB over blocks that the file has takes to be durable: the floor of a put."""
    block = b"x" * 16_384
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.fstat(descriptor).st_size < syncs * len(block):
            os.pwrite(descriptor, block * syncs, 0)
            os.fsync(descriptor)
        taken = []
        for number in range(syncs):
            os.pwrite(descriptor, block, number * len(block))
            began = time.perf_counter()
            os.fdatasync(descriptor)
            taken.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
    return statistics.median(taken) * 1e6


def bytes_to_disk(pid):
    with open(f"/proc/{pid}/io", encoding="ascii") as lines:
        return int(re.search(r"^write_bytes: (\d+)", lines.read(), re.M)[1])


def resident_megabytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as lines:
        status = lines.read()
    return sum(int(re.search(rf"^{name}:\s+(\d+) kB", status, re.M)[1]) for name in ("RssAnon", "RssFile")) / 1024


# --- load ------------------------------------------------------------------------------------------------------------

def field(number, value):
    return bytes([number << 3 | 2, len(value) & 127 | 128, len(value) >> 7]) + value


class Bench:
    def __init__(self, binaries, load_client, settings, scratch):
        self.binaries = binaries
        self.load_client = load_client
        self.settings = settings
        self.scratch = scratch
        self.rows = []
        self.rejected = []
        self.floors = []

    def await_quiet(self):
        """Where other work fills the CPUs a sync may take 4 ms instead of 50 µs, and a put measures that. Waits a
        little for it to pass, and notes what a sync took when the round began."""
        until = time.monotonic() + (0 if self.settings.smoke else 3)
        while True:
            floor = sync_us(os.path.join(self.scratch, "floor"))
            if floor < QUIET_SYNC_US or time.monotonic() > until:
                break
            time.sleep(0.1)
        self.floors.append(floor)
        return floor

    def server(self, who, **more):
        directory = tempfile.mkdtemp(prefix=who + "-", dir=self.scratch)
        return Server(self.binaries[who], directory=directory, **more)

    def client(self, server, workload, **numbers):
        numbers = {"keys": self.settings.keys, "value": VALUE_BYTES, **numbers}
        words = [f"{name}={number}" for name, number in numbers.items()]
        return self.seen_by(self.load(server, workload, *words))

    def load(self, server, workload, *words):
        return subprocess.Popen([self.load_client, server.endpoint, workload, *words], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def seen_by(self, load):
        try:
            out, err = load.communicate(timeout=900)
        finally:
            load.kill()
        if load.returncode != 0:
            raise Invalid(err.strip() or f"the load client ended with {load.returncode}")
        seen = json.loads(out)
        if seen["errors"]:
            raise Invalid(f"{seen['errors']} of {seen['done']} calls failed: {seen['first_error']}")
        return seen

    def measured(self, server, puts, load):
        """Runs load() and adds the server's CPU time to what it returns; refuses a round that lacks `puts` puts."""
        pid = server.process.pid
        before = self.client(server, "nothing")["revisions"], cpu_seconds(pid), bytes_to_disk(pid)
        seen = load()
        seen["cpu_us"] = (cpu_seconds(pid) - before[1]) * 1e6 / seen["done"]
        if seen["revisions"] != puts:
            raise Invalid(f"{puts} puts raised the revision by {seen['revisions']}")
        if bytes_to_disk(pid) - before[2] < puts * VALUE_BYTES:
            raise Invalid("fewer bytes went to the disk than were put")
        seen["rate"] = seen["done"] / seen["seconds"]
        return seen

    def revision_rise(self, server, load):
        """How much the revision rises during load(), which is no load of our own client."""
        probe = subprocess.run(["etcdctl", f"--endpoints={server.endpoint}", "get", "/none", "-w", "json"],
                               capture_output=True, text=True, check=True, env={**os.environ, "ETCDCTL_API": "3"})
        before = json.loads(probe.stdout)["header"].get("revision", 0)
        seen = load()
        probe = subprocess.run(["etcdctl", f"--endpoints={server.endpoint}", "get", "/none", "-w", "json"],
                               capture_output=True, text=True, check=True, env={**os.environ, "ETCDCTL_API": "3"})
        seen["revisions"] = json.loads(probe.stdout)["header"].get("revision", 0) - before
        return seen

    def h2load(self, server, kind, in_flight, requests):
        key = b"/bench/h2load"
        message = field(1, key) + (field(2, b"v" * VALUE_BYTES) if kind == "Put" else b"")
        body = os.path.join(self.scratch, "body")
        with open(body, "wb") as file:
            file.write(b"\0" + len(message).to_bytes(4, "big") + message)
        done = subprocess.run(
            ["h2load", f"-n{requests}", "-c1", f"-m{in_flight}", "-d", body, "-H", "content-type: application/grpc",
             "-H", "te: trailers", f"http://{server.endpoint}/etcdserverpb.KV/{kind}"],
            capture_output=True, text=True, timeout=600, check=False)
        finished = re.search(r"finished in ([\d.]+)(us|ms|s),", done.stdout)
        counted = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", done.stdout)
        data = re.search(r"\((\d+)\) data$", done.stdout, re.M)
        if not (finished and counted and data) or int(counted[1]) != requests:
            raise Invalid("h2load: " + (done.stdout + done.stderr)[-300:])
        # A call that failed has no message: it would be missing here.
        least = requests * (5 + 4 + (VALUE_BYTES if kind == "Range" else 0))
        if int(data[1]) < least:
            raise Invalid(f"h2load got {data[1]} bytes of data, {least} are the least that all answers have")
        seconds = float(finished[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1}[finished[2]]
        return {"done": requests, "seconds": seconds}

    # --- rows --------------------------------------------------------------------------------------------------------

    def add(self, metric, values, unit, target=None, smaller_is_better=False, limit=None):
        """`values` by server: a number, or why there is none. `target` is a ratio, `limit` bounds ours alone."""
        row = {"metric": metric, "unit": unit, OURS: values[OURS], ETCD: values[ETCD]}
        good = all(isinstance(value, (int, float)) for value in values.values()) and values[ETCD] > 0
        ratio = values[OURS] / values[ETCD] if good else None
        row["ratio"] = ratio
        if target is not None:
            row["target"] = f"{'<=' if smaller_is_better else '>='} {target:g}x"
            row["met"] = ratio is not None and (ratio <= target if smaller_is_better else ratio >= target)
        elif limit is not None:
            row["target"] = f"<= {limit:g} {unit}"
            row["met"] = isinstance(values[OURS], (int, float)) and values[OURS] <= limit
        self.rows.append(row)
        print_row(row)

    def wanted(self, name):
        return self.settings.only in name

    def rounds(self, name, servers, load, figures):
        """Interleaved rounds. `load(server, requests)` runs one; `figures` are the names of what is kept: the medians,
        by figure and server."""
        results = {who: [] for who in servers}
        reasons = {}
        requests = {}
        for who, server in servers.items():
            try:
                seen = load(server, 20 if self.settings.smoke else 200)
                requests[who] = max(20, int(self.settings.seconds * seen["calls"] / seen["seconds"]))
            except (Invalid, OSError, subprocess.SubprocessError) as reason:
                reasons[who] = str(reason)
        for number in range(self.settings.rounds):
            floor = self.await_quiet()
            for who in sorted(requests, reverse=number % 2 == 1):
                try:
                    results[who].append({**load(servers[who], requests[who]), "sync_us": floor})
                except (Invalid, OSError, subprocess.SubprocessError) as reason:
                    reasons[who] = str(reason)
                    self.rejected.append(f"{name}, round {number + 1}, {who}: {reason}")
        enough = (self.settings.rounds + 1) // 2
        return {figure: {who: statistics.median(one[figure] for one in results[who])
                         if len(results[who]) >= enough else reasons.get(who, "no round counted")
                         for who in servers} for figure in figures}

    def calls(self, servers, workload, in_flight, writes=False, **numbers):
        def load(server, requests):
            seen = self.measured(server, requests if writes else 0, lambda: self.client(
                server, workload, requests=requests, in_flight=in_flight, seed=time.monotonic_ns(), **numbers))
            return {**seen, "calls": requests}
        return self.rounds(workload, servers, load, ["rate", "cpu_us", "p50_us", "p99_us", "sync_us"])

    def one_key(self, servers, kind, in_flight):
        def load(server, requests):
            seen = self.measured(server, requests if kind == "Put" else 0, lambda: self.revision_rise(
                server, lambda: self.h2load(server, kind, in_flight, requests)))
            return {**seen, "calls": requests}
        return self.rounds("h2load " + kind, servers, load, ["rate", "cpu_us"])

    def unary_rows(self, servers):
        if self.wanted("h2load") and shutil.which("h2load"):
            for kind, target, limit in (("Put", 5, 20), ("Range", 15, 12)):
                what = "put" if kind == "Put" else "linearizable range"
                for in_flight in (1, 64):
                    found = self.one_key(servers, kind, in_flight)
                    label = f"{what}, {in_flight} in flight, h2load, one key"
                    self.add(label, found["rate"], "/s", target if in_flight == 64 else None)
                    self.add(label + ": CPU", found["cpu_us"], "µs", limit=limit if in_flight == 64 else None)
        for workload, what, target, limit in (("put", "put", 5, 20), ("range", "linearizable range", 15, 12)):
            if not self.wanted(workload):
                continue
            keys = f"{self.settings.keys} random keys"
            alone = self.calls(servers, workload, 1, writes=workload == "put")
            self.add(f"{what}, 1 in flight, {keys}: median", alone["p50_us"], "µs",
                     0.35 if workload == "put" else None, smaller_is_better=True)
            if workload == "put":
                over = {who: median if isinstance(median, str) else median - alone["sync_us"][who]
                        for who, median in alone["p50_us"].items()}
                self.add(f"{what}, 1 in flight, {keys}: median, less a sync", over, "µs", limit=60)
            found = self.calls(servers, workload, 64, writes=workload == "put")
            self.add(f"{what}, 64 in flight, {keys}", found["rate"], "/s", target)
            self.add(f"{what}, 64 in flight, {keys}: CPU", found["cpu_us"], "µs", limit=limit)
            self.add(f"{what}, 64 in flight, {keys}: p99", found["p99_us"], "µs")
        for workload, what, target in (("txn_read", "txn, read-only, 64 in flight", 6),
                                       ("txn_write", "txn, read-write, 64 in flight", 6),
                                       ("list", f"list of 500 of {self.settings.keys}, 8 in flight", 20)):
            if self.wanted(workload):
                found = self.calls(servers, workload, 8 if workload == "list" else 64, writes=workload == "txn_write")
                self.add(what, found["rate"], "/s", target)
                self.add(what + ": CPU", found["cpu_us"], "µs")

    def stream_rows(self, servers):
        for watchers in (100, 1_000):
            if not self.wanted("watch"):
                continue
            name = f"watch fan-out to {watchers}"

            def load(server, events, watchers=watchers):
                events = max(10, events // (1 if watchers == 100 else 4))
                seen = self.measured(server, events, lambda: self.client(
                    server, "watch", watchers=watchers, connections=10, requests=events,
                    in_flight=64 if watchers == 100 else 16))
                if seen["done"] != events * watchers:
                    raise Invalid(f"{seen['done']} events of {events * watchers}")
                return {**seen, "calls": events}
            found = self.rounds(name, servers, load, ["rate", "p99_us", "cpu_us"])
            self.add(name + ": events delivered", found["rate"], "/s", 8)
            self.add(name + ": p99", found["p99_us"], "µs", 0.3, smaller_is_better=True)
            self.add(name + ": CPU an event", found["cpu_us"], "µs")
        for workload, what in (("grant", "lease grant"), ("keep_alive", "lease keep-alive")):
            if self.wanted(workload):
                found = self.calls(servers, workload, 64)
                self.add(f"{what}, 64 in flight", found["rate"], "/s", 6)
                self.add(f"{what}, 64 in flight: CPU", found["cpu_us"], "µs")

    def memory_rows(self):
        """One server at a time, with many keys; then the same one started again."""
        if not self.wanted("memory"):
            return
        found = {name: {} for name in ("fresh", "restarted", "seconds", "disk")}
        for who in (OURS, ETCD):
            server = self.server(who)
            try:
                server.start()
                self.client(server, "fill", keys=self.settings.many_keys, in_flight=8)
                found["fresh"][who] = resident_megabytes(server.process.pid)
                server.terminate(seconds=120)
                found["disk"][who] = sum(
                    os.stat(os.path.join(folder, name)).st_blocks * 512 / 2**20
                    for folder, _, names in os.walk(server.data_directory) for name in names)
                seconds = []
                for _ in range(1 if self.settings.smoke else 3):
                    began = time.monotonic()
                    server.start(wait=False)
                    server.wait_ready()
                    seconds.append(time.monotonic() - began)
                    self.client(server, "range", requests=1, in_flight=1, keys=self.settings.many_keys)
                    found["restarted"][who] = resident_megabytes(server.process.pid)
                    server.terminate(seconds=120)
                found["seconds"][who] = statistics.median(seconds)
            except (Invalid, OSError, AssertionError, subprocess.SubprocessError) as reason:
                for values in found.values():
                    values.setdefault(who, str(reason))
            finally:
                server.kill()
                shutil.rmtree(server.directory, ignore_errors=True)
        keys = f"{self.settings.many_keys} keys"
        self.add(f"resident memory, {keys}, fresh", found["fresh"], "MiB", 0.6, smaller_is_better=True)
        self.add(f"resident memory, {keys}, restarted", found["restarted"], "MiB", 0.5, smaller_is_better=True)
        self.add(f"restart to first answer, {keys}", found["seconds"], "s", 0.15, smaller_is_better=True)
        self.add(f"on disk, {keys}", found["disk"], "MiB")

    def see_fsync(self, who):
        """Each of some puts, one at a time, must be behind an fdatasync of its own."""
        puts = 100
        summary = os.path.join(self.scratch, "strace-" + who)
        server = self.server(who, wrapper=["strace", "-f", "-c", "-e", "trace=fdatasync,fsync", "-o", summary])
        with server:
            self.client(server, "put", requests=puts, in_flight=1)
            server.terminate()
        with open(summary, encoding="utf-8") as lines:
            syncs = sum(int(count) for count in re.findall(r"^\s*\S+\s+\S+\s+\S+\s+(\d+)\s.*f(?:data)?sync$",
                                                           lines.read(), re.M))
        shutil.rmtree(server.directory, ignore_errors=True)
        if syncs < puts:
            raise SystemExit(f"bench: {who} acknowledged {puts} puts after {syncs} syncs: nothing to compare")
        return syncs

    def run(self):
        syncs = {who: self.see_fsync(who) for who in self.binaries}
        print(f"{machine()}; {'first in line for a CPU (nice -15)' if first_in_line() else 'at the usual priority'}")
        print("100 puts, one at a time: " + ", ".join(f"{syncs[who]} syncs by {who}" for who in syncs))
        print(HEADING)
        if self.settings.recovery:
            ClusterRows(self).recovery()
            return
        servers = {who: self.server(who) for who in self.binaries}
        try:
            for server in servers.values():
                server.start()
                self.client(server, "fill")
                self.client(server, "put", requests=1, in_flight=1)
            self.unary_rows(servers)
            self.stream_rows(servers)
        finally:
            for server in servers.values():
                server.kill()
                shutil.rmtree(server.directory, ignore_errors=True)
        self.memory_rows()
        ClusterRows(self).run()


# --- the table -------------------------------------------------------------------------------------------------------

def shown(value):
    if isinstance(value, (int, float)):
        return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
    return "-"


LAYOUT = "{:<62} {:>12} {:>12} {:>5} {:>8} {:>10} {}"
HEADING = LAYOUT.format("metric", "ours", "etcd", "", "ratio", "target", "met")


def print_row(row):
    ratio = "-" if row["ratio"] is None else f"{row['ratio']:.2f}"
    met = {True: "yes", False: "NO", None: ""}[row.get("met")]
    print(LAYOUT.format(row["metric"], shown(row[OURS]), shown(row[ETCD]), row["unit"], ratio, row.get("target", ""),
                        met), flush=True)
    for who in (OURS, ETCD):
        if isinstance(row[who], str):
            print(f"    {who}: {row[who]}", flush=True)


def main():
    metastore, etcd, load_client = map(os.path.abspath, sys.argv[1:4])
    settings = Settings(sys.argv[4:])
    os.makedirs(os.path.dirname(os.path.abspath(settings.json)), exist_ok=True)
    # Beside the JSON, as a temporary directory may lie in memory, where a sync costs nothing.
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.path.dirname(os.path.abspath(settings.json))) as scratch:
        bench = Bench({OURS: metastore, ETCD: etcd}, load_client, settings, scratch)
        before = machine()
        bench.run()
    floors = sorted(bench.floors)
    if floors:
        print(f"a sync of 16 KiB when a round began: {floors[len(floors) // 2]:.0f} µs in the median, "
              f"{floors[0]:.0f} to {floors[-1]:.0f}")
    for line in bench.rejected:
        print("does not count: " + line)
    with open(settings.json, "w", encoding="utf-8") as file:
        json.dump({"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": before,
                   "rounds": settings.rounds, "sync_us": floors,
                   "rows": bench.rows, "rejected": bench.rejected}, file, indent=1)
    if settings.smoke:
        # Of times too short to be measured nothing is asked but that there are some.
        missing = [row["metric"] for row in bench.rows if isinstance(row[OURS], str) or isinstance(row[ETCD], str)]
        if missing or not bench.rows or bench.rejected:
            raise SystemExit(f"bench: no figures for {missing}")


if __name__ == "__main__":
    main()
