"""The member as a process: ports, directories, signals, flags, and the door as gRPC's own C++ library sees it.

Usage: process_test.py METASTORE GRPC_CLIENT"""

import json
import os
import signal
import stat
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request

from servers import KEEPS_STATE, Server, etcdctl, needs_storage

METASTORE, GRPC_CLIENT = map(os.path.abspath, sys.argv[1:3])

# Contract 1.1, service by service; the paths behind "--" are those that this build answers.
SERVICES = ["etcdserverpb.KV", "etcdserverpb.Watch", "etcdserverpb.Lease", "etcdserverpb.Cluster",
            "etcdserverpb.Maintenance", "etcdserverpb.Auth"]
BUILT = ["/etcdserverpb.KV/Range", "/etcdserverpb.KV/RangeStream", "/etcdserverpb.KV/Put",
         "/etcdserverpb.KV/DeleteRange", "/etcdserverpb.KV/Txn", "/etcdserverpb.KV/Compact",
         "/etcdserverpb.Cluster/MemberList", "/etcdserverpb.Cluster/MemberAdd", "/etcdserverpb.Cluster/MemberRemove",
         "/etcdserverpb.Cluster/MemberUpdate", "/etcdserverpb.Cluster/MemberPromote",
         "/etcdserverpb.Maintenance/Status",
         "/etcdserverpb.Maintenance/Alarm", "/etcdserverpb.Maintenance/Defragment", "/etcdserverpb.Maintenance/Hash",
         "/etcdserverpb.Maintenance/HashKV", "/etcdserverpb.Maintenance/MoveLeader",
         "/etcdserverpb.Maintenance/Downgrade",
         "/etcdserverpb.Watch/Watch", "/etcdserverpb.Lease/LeaseGrant", "/etcdserverpb.Lease/LeaseRevoke",
         "/etcdserverpb.Lease/LeaseKeepAlive", "/etcdserverpb.Lease/LeaseTimeToLive", "/etcdserverpb.Lease/LeaseLeases"]


def run(*command, seconds=60, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, **options)


def fetch(url, method="GET"):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Process(unittest.TestCase):
    def grpc_client(self, server, *arguments):
        done = run(GRPC_CLIENT, server.endpoint, *arguments)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return done.stdout

    def test_every_rpc_answers(self):
        with Server(METASTORE) as server:
            out = self.grpc_client(server, "rpcs", *SERVICES, "--", *BUILT)
            self.assertGreaterEqual(int(out.split()[0]), 40)

    def test_the_largest_request_passes_and_one_byte_more_does_not(self):
        with Server(METASTORE, ["--max-request-bytes=100000"]) as server:
            self.grpc_client(server, "sizes", "100000")
        with Server(METASTORE) as server:
            self.grpc_client(server, "sizes", str(1572864))

    def test_puts_in_flight_on_one_connection_get_a_revision_each(self):
        with Server(METASTORE) as server:
            self.grpc_client(server, "concurrent", "2000")

    def test_http1_on_the_same_port(self):
        with Server(METASTORE) as server:
            base = f"http://{server.endpoint}"
            self.assertEqual((200, '{"health":"true","reason":""}'), fetch(base + "/health"))
            self.assertEqual(200, fetch(base + "/health?serializable=true")[0])
            self.assertEqual(405, fetch(base + "/health", "POST")[0])
            status, body = fetch(base + "/version")
            self.assertEqual((200, {"etcdserver": "3.7.1", "etcdcluster": "3.7.0", "storage": "3.7.0"}),
                             (status, json.loads(body)))
            self.assertEqual(404, fetch(base + "/nothing")[0])

    def test_status_tells_the_real_state(self):
        with Server(METASTORE) as server:
            before = self.status(server)
            self.assertEqual(before["leader"], before["header"]["member_id"])
            self.assertEqual(before["raftTerm"], before["header"]["raft_term"])
            for i in range(3):
                etcdctl(server.endpoint, "put", f"k{i}", "x" * 1000)
            after = self.status(server)
            self.assertEqual(before["raftIndex"] + 3, after["raftIndex"])
            self.assertEqual(before["header"]["revision"] + 3, after["header"]["revision"])
            self.assertGreater(after["dbSize"], before["dbSize"] + 3000)

    def status(self, server):
        # This command sends the whole URL as the :authority of its call.
        code, out, err = etcdctl(f"http://{server.endpoint}", "endpoint", "status", "-w", "json")
        self.assertEqual(0, code, err)
        return json.loads(out)[0]["Status"]

    def test_past_the_quota_nothing_is_added_until_room_is_made_and_the_alarm_is_cleared(self):
        with Server(METASTORE, ["--quota-backend-bytes=100000"]) as server:
            def run_etcdctl(*arguments):
                code, out, err = etcdctl(server.endpoint, *arguments)
                return out if code == 0 else err

            for i in range(20):
                answer = run_etcdctl("put", f"k{i}", "x" * 10000)
                if answer != "OK\n":
                    break
            self.assertIn("etcdserver: mvcc: database space exceeded", answer)
            self.assertGreater(i, 5)
            status = self.status(server)
            alarm = f"memberID:{status['header']['member_id']} alarm:NOSPACE"
            self.assertEqual([alarm], status["errors"])
            self.assertEqual(alarm, run_etcdctl("alarm", "list").strip())
            self.assertEqual((503, '{"health":"false","reason":"ALARM NOSPACE"}'),
                             fetch(f"http://{server.endpoint}/health"))
            self.assertEqual(200, fetch(f"http://{server.endpoint}/health?exclude=NOSPACE")[0])
            run_etcdctl("del", "", "--prefix")
            run_etcdctl("compact", str(self.status(server)["header"]["revision"]), "--physical")
            full = self.status(server)
            self.assertGreater(full["dbSize"], full["dbSizeInUse"] + 50000)
            self.assertIn("Finished defragmenting", run_etcdctl("defrag"))
            self.assertEqual(full["dbSizeInUse"], self.status(server)["dbSize"])
            self.assertIn("database space exceeded", run_etcdctl("put", "small", "1"))
            self.assertEqual(alarm, run_etcdctl("alarm", "disarm").strip())
            self.assertEqual("OK\n", run_etcdctl("put", "small", "1"))
            self.assertEqual("", run_etcdctl("alarm", "list"))

    @needs_storage
    def test_an_alarm_and_the_hash_of_all_keys_outlive_a_restart(self):
        with Server(METASTORE, ["--quota-backend-bytes=1"]) as server:
            etcdctl(server.endpoint, "put", "a", "1")
            alarms = etcdctl(server.endpoint, "alarm", "list")[1]
            self.assertIn("NOSPACE", alarms)
            self.assertIn("enabled backend quota", server.log())
            self.assertEqual(0, server.terminate())
            server.arguments = ["--quota-backend-bytes=-1"]
            server.start(wait=False)
            server.wait_ready("/health?exclude=NOSPACE")
            self.assertEqual(alarms, etcdctl(server.endpoint, "alarm", "list")[1])
            etcdctl(server.endpoint, "alarm", "disarm")
            self.assertEqual("OK\n", etcdctl(server.endpoint, "put", "a", "1")[1])
            empty, one = (self.hash_kv(server, revision) for revision in (1, 2))
            self.assertNotEqual(empty["hash"], one["hash"])
            self.assertEqual((2, -1), (one["header"]["revision"], one["compact_revision"]))
            self.assertEqual(0, server.terminate())
            server.start()
            self.assertEqual(one["hash"], self.hash_kv(server, 0)["hash"])

    @needs_storage
    def test_defragment_shrinks_the_file_and_keeps_all(self):
        with Server(METASTORE) as server:
            path = os.path.join(server.data_directory, "member", "db", "data.mdb")
            for i in range(5):
                etcdctl(server.endpoint, "put", f"k{i}", stdin="x" * 1000000)
            deadline = time.monotonic() + 30
            while os.path.getsize(path) < 5000000:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            etcdctl(server.endpoint, "del", "k1", "k9")
            etcdctl(server.endpoint, "compact", "7", "--physical")
            # What was freed leaves the file's tables with the next checkpoint.
            while os.path.getsize(path) > 2000000:
                self.assertLess(time.monotonic(), deadline)
                self.assertEqual(0, etcdctl(server.endpoint, "defrag")[0])
            kept = self.hash_kv(server, 0)
            self.assertEqual(7, kept["header"]["revision"])
            self.assertEqual(0, server.terminate())
            server.start()
            self.assertEqual(kept["hash"], self.hash_kv(server, 0)["hash"])
            self.assertEqual("k0\n" + "x" * 1000000 + "\n", etcdctl(server.endpoint, "get", "k0")[1])

    def hash_kv(self, server, revision):
        code, out, err = etcdctl(server.endpoint, "endpoint", "hashkv", f"--rev={revision}", "-w", "json")
        self.assertEqual(0, code, err)
        return json.loads(out)[0]["HashKV"]

    @unittest.skipIf(KEEPS_STATE, "this engine begins where it ended")
    def test_one_that_keeps_nothing_is_a_new_cluster_after_a_restart(self):
        with Server(METASTORE) as server:
            etcdctl(server.endpoint, "put", "a", "1")
            before = self.status(server)["header"]
            self.assertEqual(0, server.terminate())
            server.start()
            self.assertEqual((0, "", ""), etcdctl(server.endpoint, "get", "a"))
            after = self.status(server)["header"]
            self.assertNotEqual(before["cluster_id"], after["cluster_id"])
            self.assertEqual((before["member_id"], 1), (after["member_id"], after["revision"]))

    @needs_storage
    def test_a_restart_keeps_all_and_raises_the_term(self):
        with Server(METASTORE) as server:
            etcdctl(server.endpoint, "put", "kept", "1")
            before = self.status(server)
            self.assertEqual(0, server.terminate())
            server.start()
            after = self.status(server)
            self.assertEqual("kept\n1\n", etcdctl(server.endpoint, "get", "kept")[1])
            self.assertEqual(before["header"]["revision"], after["header"]["revision"])
            self.assertGreater(after["raftTerm"], before["raftTerm"])
            self.assertEqual(before["header"]["member_id"], after["header"]["member_id"])

    def test_every_log_line_is_zap_json_and_none_is_an_error(self):
        with Server(METASTORE, ["--log-level=debug"]) as server:
            etcdctl(server.endpoint, "put", "a", "1")
            server.terminate()
            lines = server.log().splitlines()
            for line in lines:
                entry = json.loads(line)
                self.assertLessEqual({"level", "ts", "caller", "msg"}, set(entry))
                self.assertNotEqual("error", entry["level"], line)
            self.assertEqual(1, sum("ready to serve client requests" in line for line in lines))

    @needs_storage
    def test_the_data_directory_is_ours_alone(self):
        with Server(METASTORE) as server:
            self.assertEqual(0o700, stat.S_IMODE(os.stat(server.data_directory).st_mode))
            second = Server(METASTORE, directory=server.directory)
            done = run(*second.command(), seconds=10)
            self.assertEqual(1, done.returncode)
            self.assertIn(server.data_directory, done.stderr)

    def test_a_port_in_use_is_named_with_the_flag_to_change(self):
        with Server(METASTORE) as server:
            second = Server(METASTORE)
            second.client_port = server.client_port
            done = run(*second.command(), seconds=10)
            self.assertEqual(1, done.returncode)
            self.assertIn(server.endpoint, done.stderr)
            self.assertIn("--listen-client-urls", done.stderr)

    def test_flags_that_are_wrong_say_so(self):
        self.assertEqual(2, run(METASTORE, "--no-such-flag").returncode)
        self.assertEqual(2, run(METASTORE, "--heartbeat-interval=soon").returncode)
        bad = run(METASTORE, "--heartbeat-interval=100", "--election-timeout=200")
        self.assertEqual(1, bad.returncode)
        self.assertIn("election-timeout", bad.stderr)
        self.assertEqual(0, run(METASTORE, "--help").returncode)
        version = run(METASTORE, "-version").stdout
        self.assertIn("metastore Version: ", version)
        self.assertIn("etcd Version: 3.7.1\n", version)
        self.assertIn("request_bytes_max", run(METASTORE, "--help-limits").stdout)

    def test_a_silent_watcher_is_told_the_revision_as_often_as_the_flag_says(self):
        with Server(METASTORE, ["--watch-progress-notify-interval=100ms"]) as server:
            self.grpc_client(server, "progress", "3")

    def test_sigterm_drains_and_exits_soon(self):
        with Server(METASTORE) as server:
            etcdctl(server.endpoint, "put", "a", "1")
            self.assertEqual(0, server.terminate(seconds=3))

    def test_the_environment_gives_flags_and_the_command_line_beats_it(self):
        with Server(METASTORE, environment={"ETCD_MAX_TXN_OPS": "1", "ETCD_NAME": "other"}) as server:
            code, _, err = etcdctl(server.endpoint, "txn", stdin="\nput a 1\nput b 2\n\n\n")
            self.assertIn("too many operations in txn request", err)
            self.assertNotEqual(0, code)
            self.assertIn(", m1, ", etcdctl(server.endpoint, "member", "list")[1])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
