"""What is acknowledged stays: across kill -9, and on the disk before the answer; and the log is one that etcd's format
can carry, in both directions.

Usage: durability_test.py METASTORE ETCD GRPC_CLIENT"""

import glob
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest

from clients import check_values
from servers import Server

METASTORE, ETCD, GRPC_CLIENT = map(os.path.abspath, sys.argv[1:4])


def puts(server, count):
    done = subprocess.run([GRPC_CLIENT, server.endpoint, "puts", str(count)], capture_output=True, text=True,
                          timeout=120, check=False)
    return done.stdout.splitlines()


def wal_dump(directory):
    done = subprocess.run([METASTORE, "wal", "dump", directory], capture_output=True, text=True, timeout=60,
                          check=False)
    return done.returncode, done.stdout, done.stderr


# No checkpoint comes before the end, so that the log alone tells what there was.
LOG_ALONE = ["--backend-batch-interval=1h"]


class Durability(unittest.TestCase):
    def test_acknowledged_puts_survive_kill_9(self):
        with Server(METASTORE) as server:
            acknowledged = 0
            for _ in range(5):
                client = subprocess.Popen([GRPC_CLIENT, server.endpoint, "puts", "1000000"], stdout=subprocess.PIPE,
                                          text=True)
                lines = [client.stdout.readline() for _ in range(200)]
                server.kill()
                lines += client.stdout.readlines()
                client.wait()
                client.stdout.close()
                acknowledged = max(acknowledged, len(lines))
                server.start()
                check_values(self, GRPC_CLIENT, [server], acknowledged)
            self.assertGreaterEqual(acknowledged, 200)

    def test_each_of_1000_puts_waits_for_a_sync_of_its_own(self):
        with tempfile.TemporaryDirectory() as directory:
            summary = os.path.join(directory, "strace")
            with Server(METASTORE, wrapper=["strace", "-f", "-c", "-e", "trace=fdatasync", "-o", summary]) as server:
                self.assertEqual(1000, len(puts(server, 1000)))
                # strace passes the signal on to nobody; the member is its child in the same group.
                server.terminate()
            with open(summary, encoding="utf-8") as lines:
                found = re.search(r"^\s*\S+\s+\S+\s+\S+\s+(\d+)\s.*fdatasync$", lines.read(), re.M)
            self.assertGreaterEqual(int(found[1]), 1000)

    def listed_puts(self, server):
        status, out, err = wal_dump(os.path.join(server.data_directory, "member", "wal"))
        self.assertEqual((0, ""), (status, err))
        return sum(len(re.findall(rf"\bk{i}\b", out)) > 0 for i in range(1000))

    def test_the_log_that_etcd_leaves_after_kill_9_can_be_listed(self):
        with Server(ETCD) as server:
            self.assertEqual(1000, len(puts(server, 1000)))
            server.kill()
            self.assertEqual(1000, self.listed_puts(server))

    def test_our_own_log_can_be_listed(self):
        with Server(METASTORE) as server:
            self.assertEqual(1000, len(puts(server, 1000)))
            server.kill()
            self.assertEqual(1000, self.listed_puts(server))

    def test_a_flipped_byte_in_the_middle_is_refused_by_file_and_offset(self):
        with Server(METASTORE, LOG_ALONE) as server:
            puts(server, 100)
            server.kill()
            [segment] = glob.glob(os.path.join(server.data_directory, "member/wal/*.wal"))
            with open(segment, "r+b") as wal:
                content = wal.read()
                place = content.index(b"value of k50")
                wal.seek(place)
                wal.write(b"V")
            server.start(wait=False)
            self.assertEqual(1, server.process.wait(timeout=20))
            log = server.log()
            self.assertIn(os.path.basename(segment), log)
            offsets = [int(number) for number in re.findall(r"\boffset (\d+)", log)]
            self.assertTrue(any(place - 200 < offset <= place for offset in offsets), (place, offsets, log[-500:]))

    def test_a_torn_tail_is_repaired(self):
        with Server(METASTORE, LOG_ALONE) as server:
            puts(server, 100)
            server.kill()
            [segment] = glob.glob(os.path.join(server.data_directory, "member/wal/*.wal"))
            with open(segment, "r+b") as wal:
                content = wal.read()
                end = len(content.rstrip(b"\0"))
                wal.seek(content.rindex(b"value of k99"))
                wal.write(b"\0" * (end - wal.tell()))
            server.start()
            check_values(self, GRPC_CLIENT, [server], 99)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
