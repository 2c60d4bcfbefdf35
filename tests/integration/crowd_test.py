"""Many watchers against the real process, sick ones among them, and across a restart.

Usage: crowd_test.py METASTORE CROWD [LEASES]

With LEASES nothing of that happens: so many leases are granted, a tenth of which ends in one second, and it is told how
long their keys outlived them."""

import os
import subprocess
import sys
import unittest

from servers import Server, etcdctl, needs_storage

METASTORE, CROWD = map(os.path.abspath, sys.argv[1:3])
# Ten thousand watchers, and what ten stopped and ten slow streams may be sent ahead; all that a stream is owed is 8 MB.
GROWTH_MAX = 160 << 20


class Crowd(unittest.TestCase):
    def crowd(self, server, *command):
        done = subprocess.run([CROWD, server.endpoint, *map(str, command)], capture_output=True, text=True, timeout=150,
                              check=False)
        self.assertEqual(0, done.returncode, done.stderr)

    def test_a_hundred_watchers_see_each_of_a_thousand_events_once_in_order(self):
        with Server(METASTORE) as server:
            self.crowd(server, "watchers")

    def test_of_ten_thousand_watchers_the_sick_delay_nobody_and_lose_nothing(self):
        # On a machine that is busy with other things the healthy may take longer than the sick have.
        with Server(METASTORE, ["--limits=client_deadline_ms=3600000"]) as server:
            with subprocess.Popen([CROWD, server.endpoint, "sick"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True) as client:
                self.addCleanup(client.kill)
                self.assertEqual("created\n", client.stdout.readline())
                before = server.resident()
                client.stdin.write("\n")
                client.stdin.flush()
                # The sick take nothing or little until here, and the healthy have seen everything.
                self.assertEqual("healthy\n", client.stdout.readline())
                growth = server.resident("VmHWM") - before
                print(f"{before >> 20} MiB with ten thousand watchers, {growth >> 20} MiB more at most", flush=True)
                self.assertLessEqual(growth, GROWTH_MAX)
                client.stdin.write("\n")
                client.stdin.flush()
                self.assertEqual(0, client.wait(timeout=150))

    @needs_storage
    def test_watchers_resume_from_every_revision_that_is_not_compacted_after_a_restart(self):
        with Server(METASTORE) as server:
            self.crowd(server, "puts", 60)
            self.assertEqual(0, etcdctl(server.endpoint, "compaction", "30")[0])
            self.crowd(server, "resume", 2, 61, 30)
            server.kill()
            server.start()
            self.crowd(server, "resume", 2, 61, 30)
            self.assertEqual(0, server.terminate())
            server.start()
            self.crowd(server, "resume", 2, 61, 30)


def leases(count):
    with Server(METASTORE) as server:
        with subprocess.Popen([CROWD, server.endpoint, "leases", str(count), str(count // 10)], stdout=subprocess.PIPE,
                              text=True) as client:
            client.stdout.readline()
            print(f"{count} leases are granted, {server.resident() >> 20} MiB", flush=True)
            print(client.stdout.readline(), end="")
        return client.returncode


if __name__ == "__main__":
    if len(sys.argv) > 3:
        sys.exit(leases(int(sys.argv[3])))
    unittest.main(argv=sys.argv[:1])
