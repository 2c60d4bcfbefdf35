"""The numbers on /metrics: known work shows as exactly that, in ours and in etcd, and no name of etcd's is missing
without a reason.

Usage: metrics_test.py METASTORE ETCD ABSENT"""

import os
import re
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request

from servers import HOST, Server, etcdctl, free_ports

METASTORE, ETCD, ABSENT = map(os.path.abspath, sys.argv[1:4])
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-z_]+="(?:[^"\\]|\\.)*",?)+\})? (\S+)$')


class Page:
    """One visit to /metrics: samples by name and labels, types by family."""

    def __init__(self, text):
        self.samples, self.types, self.labels = {}, {}, {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                family, kind = line.split()[2:]
                assert family not in self.types, f"{family} comes twice"
                self.types[family] = kind
            elif not line.startswith("# HELP "):
                match = SAMPLE.match(line)
                assert match, f"no sample: {line!r}"
                name, labels, value = match.groups()
                assert (name, labels) not in self.samples, f"{name}{labels} comes twice"
                self.samples[name, labels] = float(value)
                family = re.sub("_(bucket|sum|count)$", "", name) if name not in self.types else name
                assert family in self.types, f"{name} has no type"
                names = set(re.findall(r'([a-z_]+)="', labels or "")) - {"le", "quantile"}
                self.labels.setdefault(family, names)

    def value(self, name):
        """Of `name{labels}`, labels as they are written."""
        match = SAMPLE.match(name + " 0")
        return self.samples.get((match.group(1), match.group(2)), 0)


def scrape(server):
    with urllib.request.urlopen(f"http://{server.endpoint}/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"), answer.headers
        return Page(answer.read().decode())


def absent():
    with open(ABSENT, encoding="utf-8") as file:
        rows = [line.rstrip("\n").partition(" -- ") for line in file if line.strip() and not line.startswith("#")]
    for name, _, reason in rows:
        assert reason, f"{name} is absent without a reason"
    return [name for name, _, _ in rows]


def is_in(name, rows):
    return any(name == row or row.endswith("*") and name.startswith(row[:-1]) for row in rows)


class Watching:
    """etcdctl watching a prefix, until the block ends."""

    def __init__(self, server, prefix):
        self.server, self.prefix = server, prefix

    def __enter__(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ETCDCTL_")}
        environment["ETCDCTL_API"] = "3"
        self.process = subprocess.Popen(
            ["etcdctl", f"--endpoints={self.server.endpoint}", "watch", "--prefix", self.prefix],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def rpc(counter, service, method, kind="unary", code=None):
    labels = f'grpc_method="{method}",grpc_service="etcdserverpb.{service}",grpc_type="{kind}"'
    return f"grpc_server_{counter}_total{{" + (f'grpc_code="{code}",' if code else "") + labels + "}"


# What do_work() leaves behind, in etcd as in ours.
EXPECTED = {
    # Six alone, one on a lease, two in a transaction; "kN" and "vvvvN", then "leasedx", then "x1" and "y2".
    "etcd_mvcc_put_total": 9,
    "etcd_debugging_mvcc_total_put_size_in_bytes": 6 * 7 + 7 + 2 * 2,
    # One that was asked for, and the key that went with its lease.
    "etcd_mvcc_delete_total": 2,
    "etcd_mvcc_txn_total": 1,
    "etcd_debugging_mvcc_keys_total": 6,
    "etcd_debugging_mvcc_current_revision": 1 + 6 + 1 + 1 + 1 + 1,
    "etcd_debugging_mvcc_compact_revision": 7,
    "etcd_debugging_mvcc_db_compaction_keys_total": 1,
    "etcd_debugging_mvcc_events_total": 6,
    "etcd_debugging_lease_granted_total": 2,
    "etcd_debugging_lease_revoked_total": 1,
    "etcd_debugging_lease_renewed_total": 1,
    "etcd_debugging_lease_ttl_total_sum": 160,
    "etcd_debugging_lease_ttl_total_count": 2,
    'etcd_debugging_lease_ttl_total_bucket{le="64"}': 1,
    'etcd_debugging_lease_ttl_total_bucket{le="128"}': 2,
    "etcd_debugging_server_lease_expired_total": 0,
    "etcd_server_has_leader": 1,
    "etcd_server_is_leader": 1,
    "etcd_server_is_learner": 0,
    "etcd_server_leader_changes_seen_total": 1,
    "etcd_server_proposals_failed_total": 0,
    "etcd_server_quota_backend_bytes": 2 << 30,
    "etcd_server_proposals_pending": 0,
    "etcd_server_read_indexes_failed_total": 0,
    "etcd_server_slow_read_indexes_total": 0,
    rpc("started", "KV", "Put"): 7,
    rpc("handled", "KV", "Put", code="OK"): 7,
    rpc("started", "KV", "Range"): 3,
    rpc("handled", "KV", "Range", code="OK"): 2,
    rpc("handled", "KV", "Range", code="OutOfRange"): 1,
    rpc("msg_received", "KV", "DeleteRange"): 1,
    rpc("msg_sent", "KV", "DeleteRange"): 1,
    rpc("handled", "KV", "Txn", code="OK"): 1,
    rpc("handled", "KV", "Compact", code="OK"): 1,
    rpc("handled", "Lease", "LeaseGrant", code="OK"): 2,
    rpc("handled", "Lease", "LeaseRevoke", code="OK"): 1,
    rpc("handled", "Lease", "LeaseRevoke", code="NotFound"): 1,
    rpc("started", "Lease", "LeaseKeepAlive", "bidi_stream"): 1,
    rpc("msg_received", "Lease", "LeaseKeepAlive", "bidi_stream"): 1,
    rpc("msg_sent", "Lease", "LeaseKeepAlive", "bidi_stream"): 1,
    rpc("started", "Watch", "Watch", "bidi_stream"): 1,
    rpc("msg_received", "Watch", "Watch", "bidi_stream"): 1,
    'etcd_server_client_requests_total{client_api_version="3.4",type="unary"}': 17,
    'etcd_server_client_requests_total{client_api_version="3.4",type="stream"}': 2,
}

# Names that newer etcds have and Debian's has not (contract 2.3).
NEWER = """etcd_server_range_duration_seconds etcd_server_apply_duration_seconds etcd_server_request_duration_seconds
etcd_server_client_requests_total etcd_debugging_mvcc_db_compaction_last etcd_disk_wal_write_duration_seconds
etcd_debugging_server_watch_send_loop_watch_stream_duration_seconds
etcd_debugging_server_watch_send_loop_watch_stream_duration_per_event_seconds
etcd_debugging_server_watch_send_loop_control_stream_duration_seconds
etcd_debugging_server_watch_send_loop_progress_duration_seconds etcd_network_known_peers""".split()


class Metrics(unittest.TestCase):
    def wait_for(self, server, name, value):
        deadline = time.monotonic() + 30
        while scrape(server).value(name) != value:
            self.assertLess(time.monotonic(), deadline, f"{name} is {scrape(server).value(name)} and not {value}")
            time.sleep(0.01)

    def do(self, server, *arguments, stdin="", fails=False):
        code, out, err = etcdctl(server.endpoint, *arguments, stdin=stdin)
        self.assertEqual(fails, code != 0, (arguments, out, err))
        return out

    def do_work(self, server):
        with Watching(server, "k"):
            self.wait_for(server, "etcd_debugging_mvcc_watcher_total", 1)
            self.assertEqual(1, scrape(server).value("etcd_debugging_mvcc_watch_stream_total"))
            for i in (0, 1, 2, 3, 4, 0):
                self.do(server, "put", f"k{i}", "vvvv" + str(i))
            self.wait_for(server, "etcd_debugging_mvcc_events_total", 6)
        self.wait_for(server, "etcd_debugging_mvcc_watcher_total", 0)
        self.do(server, "get", "k0")
        self.do(server, "get", "--prefix", "k", "--limit=2")
        self.do(server, "get", "k0", "--rev=1000", fails=True)
        self.do(server, "compact", "7")
        self.do(server, "del", "k1")
        self.do(server, "txn", stdin='value("k0") = "vvvv0"\n\nput x 1\nput y 2\n\nget x\n\n')
        leases = [self.do(server, "lease", "grant", ttl).split()[1] for ttl in ("60", "100")]
        self.do(server, "put", "leased", "x", f"--lease={leases[0]}")
        self.do(server, "lease", "keep-alive", "--once", leases[1])
        self.do(server, "lease", "revoke", leases[0])
        self.do(server, "lease", "revoke", leases[0], fails=True)
        self.wait_for(server, "etcd_debugging_mvcc_db_compaction_keys_total", 1)

    def check_work(self, binary):
        with Server(binary) as server:
            before = scrape(server)
            self.do_work(server)
            page = scrape(server)
            page.ranges = page.value("etcd_mvcc_range_total") - before.value("etcd_mvcc_range_total")
            self.assertEqual(EXPECTED, {name: page.value(name) for name in EXPECTED})
            return page

    def test_known_work_shows_as_exactly_that(self):
        page = self.check_work(METASTORE)
        # etcd's own comparisons of a transaction read as ranges do, so only ours has one number here.
        self.assertEqual(2, page.ranges)
        self.assertEqual(1, page.value(rpc("handled", "Watch", "Watch", "bidi_stream", code="Canceled")))
        self.assertEqual(1 + 6, page.value(rpc("msg_sent", "Watch", "Watch", "bidi_stream")))
        self.assertEqual(page.value("etcd_server_proposals_committed_total"),
                         page.value("etcd_server_proposals_applied_total"))
        self.assertAlmostEqual(time.time(), page.value("etcd_debugging_mvcc_db_compaction_last"), delta=600)
        self.assertGreater(page.value("process_start_time_seconds"), 0)
        self.assertGreater(page.value("process_resident_memory_bytes"), 1 << 20)
        self.assertGreater(page.value("process_open_fds"), 3)

    def test_etcd_counts_the_same(self):
        page = self.check_work(ETCD)
        with Server(METASTORE) as server:
            self.do_work(server)
            ours = scrape(server)
        name = "etcd_network_client_grpc_received_bytes_total"
        # A lease's id is as long here as there: etcdctl says it three times.
        self.assertAlmostEqual(page.value(name), ours.value(name), delta=8)

    def test_no_name_of_etcd_is_missing_without_a_reason(self):
        with Server(METASTORE) as server, Server(ETCD) as other:
            ours, theirs = scrape(server), scrape(other)
        rows = absent()
        names = [*theirs.types, *NEWER]
        self.assertEqual([], [name for name in names if name not in ours.types and not is_in(name, rows)])
        self.assertEqual([], [name for name in ours.types if is_in(name, rows)])
        for name in sorted(set(ours.types) & set(theirs.types)):
            self.assertEqual(theirs.types[name], ours.types[name], name)
            if name in theirs.labels and name in ours.labels:
                self.assertEqual(theirs.labels[name], ours.labels[name], name)

    def test_extensive_metrics_tell_how_long_calls_took(self):
        labels = '{grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"}'
        with Server(METASTORE, ["--metrics=extensive"]) as server:
            for _ in range(3):
                self.do(server, "put", "k", "v")
            page = scrape(server)
            self.assertEqual(3, page.value("grpc_server_handling_seconds_count" + labels))
            self.assertGreater(page.value("grpc_server_handling_seconds_sum" + labels), 0)
        with Server(METASTORE) as server:
            self.assertNotIn("grpc_server_handling_seconds", scrape(server).types)

    def test_a_port_of_its_own_serves_metrics_and_health_alone(self):
        port = free_ports(1)[0]
        with Server(METASTORE, [f"--listen-metrics-urls=http://{HOST}:{port}"]) as server:
            base = f"http://{HOST}:{port}"
            for path in ("/metrics", "/health", "/livez", "/readyz"):
                with urllib.request.urlopen(base + path, timeout=10) as answer:
                    self.assertEqual(200, answer.status)
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(base + "/version", timeout=10)
            self.assertEqual(404, refused.exception.code)
            code, _, _ = etcdctl(f"{HOST}:{port}", "--command-timeout=200ms", "put", "a", "1")
            self.assertNotEqual(0, code)
            self.assertEqual(0, scrape(server).value(rpc("started", "KV", "Put")))

    def test_history_that_is_older_than_the_retention_goes_by_itself(self):
        with Server(METASTORE, ["--auto-compaction-retention=100ms"]) as server:
            for _ in range(3):
                self.do(server, "put", "k", "v")
            self.wait_for(server, "etcd_debugging_mvcc_compact_revision", 4)
            self.wait_for(server, "etcd_debugging_mvcc_db_compaction_keys_total", 2)

    def test_pages_of_health_are_counted(self):
        with Server(METASTORE) as server:
            before = scrape(server)
            for path in ("/health", "/health?serializable=true", "/livez", "/readyz", "/readyz/non_learner"):
                urllib.request.urlopen(f"http://{server.endpoint}{path}", timeout=10).close()
            page = scrape(server)
            self.assertEqual(2, page.value("etcd_server_health_success") - before.value("etcd_server_health_success"))
            self.assertEqual(before.value("etcd_server_health_failures"), page.value("etcd_server_health_failures"))
            for name, kind, count in (("serializable_read", "livez", 1), ("serializable_read", "readyz", 1),
                                      ("linearizable_read", "readyz", 1), ("non_learner", "readyz", 2)):
                labels = f'{{name="{name}",status="success",type="{kind}"}}'
                self.assertEqual(count, page.value("etcd_server_healthchecks_total" + labels))
                self.assertEqual(1, page.value(f'etcd_server_healthcheck{{name="{name}",type="{kind}"}}'))
            self.assertEqual(before.value('promhttp_metric_handler_requests_total{code="200"}') + 1,
                             page.value('promhttp_metric_handler_requests_total{code="200"}'))

    def test_every_put_is_synced_and_figures_begin_anew_with_a_restart(self):
        name = "etcd_disk_wal_fsync_duration_seconds"
        with Server(METASTORE) as server:
            before = scrape(server)
            for i in range(5):
                self.do(server, "put", "k", str(i))
            after = scrape(server)
            self.assertGreaterEqual(after.value(name + "_count"), before.value(name + "_count") + 5)
            self.assertGreater(after.value(name + "_sum"), before.value(name + "_sum"))
            self.assertEqual(after.value(name + "_count"), after.value(name + '_bucket{le="+Inf"}'))
            self.assertGreater(after.value("etcd_disk_wal_write_bytes_total"),
                               before.value("etcd_disk_wal_write_bytes_total"))
            self.wait_for(server, "etcd_debugging_mvcc_current_revision", 6)
            server.terminate()
            server.start()
            again = scrape(server)
            self.assertEqual(6, again.value("etcd_debugging_mvcc_current_revision"))
            self.assertEqual(1, again.value("etcd_debugging_mvcc_keys_total"))
            self.assertEqual(0, again.value(rpc("started", "KV", "Put")))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
