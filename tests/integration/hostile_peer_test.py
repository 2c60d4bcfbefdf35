"""Whoever means harm on the peer port of a real process that leads a cluster: while it is attacked its memory grows
little, its log stays short, and clients are served. What needs a hello that is right replays one that a member once
said; a member of another cluster, and an etcd, call by themselves.

Usage: hostile_peer_test.py METASTORE LOAD_CLIENT [--seconds SECONDS] [TEST...]"""

import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import time
import unittest

import attacks
from attacks import ARGUMENTS, PUTS, attacked
from hostile_test import call, greeting
from servers import HOST, READY_SECONDS, Cluster, Server, etcdctl, free_ports

METASTORE, LOAD_CLIENT = map(os.path.abspath, sys.argv[1:3])
ETCD = pathlib.Path(__file__).resolve().parents[2] / "build/etcd/usr/bin/etcd"
GROWTH_MAX = 64 << 20
REJECTED = '"rejected connection on peer endpoint"'
REFUSED = '"no connection to a peer: refused"'
HEADER_BYTES = 16
HELLO, MESSAGE = 1, 4
FRAME_BYTES_MAX = 8 << 20


def lie(kind, length):
    """The header of a frame whose payload does not come, or is another."""
    return struct.pack("<IIQ", length, kind, 0)


class Listener:
    """Sits on a member's peer port before the member does, and hears what others have to say first."""

    def __init__(self, port):
        self.listener = socket.create_server((HOST, port))
        self.listener.settimeout(READY_SECONDS)
        self.hellos = []

    def hear(self, count):
        """The next so many hellos that were not heard before; each connection of a member's run has one."""
        heard = len(self.hellos)
        while len(self.hellos) < heard + count:
            with self.listener.accept()[0] as one:
                one.settimeout(READY_SECONDS)
                said = b""
                while len(said) < HEADER_BYTES or len(said) < HEADER_BYTES + int.from_bytes(said[:4], "little"):
                    piece = one.recv(4096)
                    if not piece:
                        break
                    said += piece
            if said[4:5] == bytes([HELLO]) and said not in self.hellos:
                self.hellos.append(said)
        return self.hellos[heard:]

    def close(self):
        self.listener.close()


class Attack(attacks.Attack):
    def __init__(self, port, members, foreigners):
        """Hellos of a member that runs no more, and of one of another cluster, on both lanes."""
        super().__init__(port)
        self.members = members
        self.foreigners = foreigners

    def begin(self, said):
        one = self.connect()
        one.settimeout(5)
        self.send(one, said)
        return one

    def garbage(self):
        self.close()
        for length in range(1, 20_000, 1_000):
            self.begin(self.random.randbytes(length))

    def clients(self):
        self.close()
        for _ in range(10):
            self.begin(greeting() + call(1, b"/etcdserverpb.KV/Range", b"\x0a\x05list/"))
            self.begin(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n")
            self.begin(b"GET /" + b"x" * 1_000_000)

    def half_hellos(self):
        if len(self.open) > 400:
            self.close()
        for _ in range(40):
            hello = self.random.choice(self.members)
            self.begin(hello[:self.random.randrange(len(hello))])

    def silent_ones_without_end(self):
        self.close()
        for _ in range(500):
            self.connect()

    def members_of_another_cluster(self):
        self.close()
        for _ in range(20):
            for hello in self.foreigners:
                self.begin(hello + bytes(100_000))

    def strangers_that_lie(self):
        self.close()
        for kind in (0, HELLO, MESSAGE, 7, 99):
            for length in (0, 1_024, 1_025, FRAME_BYTES_MAX, 0xFFFF_FFFF):
                self.begin(lie(kind, length) + bytes(100_000))

    def members_that_lie(self):
        """Who was let in claims too much, never ends what it has begun, or sends what cannot be read."""
        self.close()
        for hello in self.members:
            for said in (lie(MESSAGE, 0xFFFF_FFFF), lie(MESSAGE, 1_000) + bytes(1_000),
                         lie(MESSAGE, FRAME_BYTES_MAX) + bytes(FRAME_BYTES_MAX - 1)):
                self.begin(hello + said)

    def hellos_without_end(self):
        self.close()
        for _ in range(100):
            for hello in self.members:
                self.begin(hello)


class HostilePeers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(METASTORE)
        cls.addClassCleanup(cls.cluster.__exit__)
        cls.victim, cls.follower, dead = cls.cluster.members
        listener = Listener(cls.victim.peer_port)
        cls.foreigner = Server(METASTORE, ["--initial-cluster-token=other"], name="m9", ports=free_ports(2))
        cls.addClassCleanup(cls.foreigner.__exit__)
        cls.foreigner.initial_cluster += f",m1={cls.victim.peer_url}"
        cls.foreigner.start(wait=False)
        cls.foreign_hellos = listener.hear(2)
        dead.start(wait=False)
        cls.dead_hellos = listener.hear(2)
        cls.follower.start(wait=False)
        listener.close()
        cls.began = time.monotonic()
        cls.victim.start(wait=False)
        for member in cls.cluster.members:
            member.wait_ready()
        cls.lead()
        dead.kill()

    @classmethod
    def lead(cls):
        endpoints = ",".join(member.endpoint for member in cls.cluster.members)
        while cls.cluster.leader() is not cls.victim:
            etcdctl(endpoints, "move-leader", f"{cls.cluster.status(cls.victim)['header']['member_id']:x}")

    @classmethod
    def healthy(cls):
        """How long puts through the follower take, each of which goes to the victim; all must succeed."""
        puts = [f"requests={PUTS}", "in_flight=16", "keys=1000", "value=40"]
        done = subprocess.run([LOAD_CLIENT, cls.follower.endpoint, "put", *puts], capture_output=True, text=True,
                              timeout=170, check=False)
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert (report["errors"], report["revisions"]) == (0, PUTS), report
        # The history of its puts would grow as any attack.
        revision = cls.cluster.status(cls.follower)["header"]["revision"]
        code, _, err = etcdctl(cls.follower.endpoint, "compact", str(revision))
        assert code == 0, err
        return report["seconds"]

    def under(self, name, rounds):
        attack = Attack(self.victim.peer_port, self.dead_hellos, self.foreign_hellos)
        growth, _ = attacked(self.victim, attack, name, rounds, self.healthy)
        self.assertIsNone(self.victim.process.poll())
        self.assertLessEqual(growth, GROWTH_MAX)
        self.check_log()

    def check_log(self):
        minutes = int(time.monotonic() - self.began) // 60
        lines = [line for line in self.victim.log().splitlines() if REJECTED in line]
        self.assertLessEqual(1, len(lines))
        self.assertLessEqual(len(lines), 1 + minutes, "\n".join(lines))

    def test_garbage(self):
        self.under("garbage", 5)

    def test_clients(self):
        self.under("clients", 3)

    def test_half_hellos(self):
        self.under("half_hellos", 10)

    def test_silent_ones_without_end(self):
        self.under("silent_ones_without_end", 3)

    def test_members_of_another_cluster(self):
        self.under("members_of_another_cluster", 5)
        # The one that goes on calling is told why, and says so once.
        deadline = time.monotonic() + READY_SECONDS
        while REFUSED not in self.foreigner.log():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        refused = [line for line in self.foreigner.log().splitlines() if REFUSED in line]
        self.assertEqual(1, len(refused), refused)
        self.assertIn("correct its --initial-cluster or its --data-dir", refused[0])

    def test_strangers_that_lie(self):
        self.under("strangers_that_lie", 3)

    def test_members_that_lie(self):
        self.under("members_that_lie", 3)

    def test_hellos_without_end(self):
        self.under("hellos_without_end", 3)


class RealEtcd(unittest.TestCase):
    @unittest.skipUnless(ETCD.exists(), "there is no etcd at build/etcd; ./dev test unpacks one there")
    def test_an_etcd_that_takes_it_for_its_peer_is_refused_and_told_of_once(self):
        with Server(METASTORE) as member:
            stranger = Server(str(ETCD), name="stranger", ports=free_ports(2))
            self.addCleanup(stranger.__exit__)
            stranger.initial_cluster += f",m1={member.peer_url}"
            stranger.start(wait=False)
            deadline = time.monotonic() + READY_SECONDS
            while REJECTED not in member.log() or "malformed HTTP" not in stranger.log():
                self.assertLess(time.monotonic(), deadline, stranger.log()[-3000:])
                time.sleep(0.05)
            # It calls many times a second.
            time.sleep(1)
            lines = [line for line in member.log().splitlines() if REJECTED in line]
            self.assertEqual(1, len(lines), lines)
            self.assertIn("this is the peer port of a MetaStore member", lines[0])
            self.assertEqual((0, "OK\n", ""), etcdctl(member.endpoint, "put", "a", "1"))


if __name__ == "__main__":
    unittest.main(argv=ARGUMENTS)
