"""Clients that mean harm, against the real process: while each attacks, its memory stays bounded and a healthy client
sees no error.

Usage: hostile_test.py METASTORE LOAD_CLIENT [--seconds SECONDS] [TEST...]

With SECONDS each attack goes on that long and the healthy client must keep half of its quiet rate, too; without, an
attack is a count of rounds and nothing depends on time."""

import json
import os
import resource
import socket
import struct
import subprocess
import sys
import time
import unittest

import attacks
from attacks import ARGUMENTS, PUTS, SECONDS, attacked
from servers import HOST, Server, etcdctl

METASTORE, LOAD_CLIENT = map(os.path.abspath, sys.argv[1:3])
GROWTH_MAX = 256 << 20
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A header of HPACK that is not indexed; both shorter than 127 bytes."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def head(path):
    return (b"\x83\x86" + literal(b":path", path) + literal(b":authority", b"a") +
            literal(b"content-type", b"application/grpc") + literal(b"te", b"trailers"))


def data(stream, message, ends=True):
    body = b"\0" + struct.pack(">I", len(message)) + message
    pieces = [body[i:i + 16384] for i in range(0, len(body), 16384)]
    return b"".join(frame(0, int(ends and i == len(pieces) - 1), stream, piece) for i, piece in enumerate(pieces))


def call(stream, path, message):
    return frame(1, 4, stream, head(path)) + data(stream, message)


def greeting(window=65535):
    widened = frame(8, 0, 0, struct.pack(">I", 0x7FFFFFFF - 65535)) if window > 65535 else b""
    return PREFACE + frame(4, 0, 0, struct.pack(">HI", 4, window)) + widened


RANGE_ALL = b"\x0a\x05list/\x12\x05list0"


def varint(value):
    low = bytes([value & 0x7F | (0x80 if value > 0x7F else 0)])
    return low + varint(value >> 7) if value > 0x7F else low


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def hundred_puts(batch):
    """A TxnRequest."""
    return b"".join(field(2, field(2, field(1, b"list/%05d/%02d" % (batch, i)) + field(2, b"v" * 40)))
                    for i in range(100))


LIST_ALL = field(2, field(1, RANGE_ALL))
# Whether the version of each key is greater than 0.
COMPARE_ALL = field(1, b"\x08\x01" + field(3, b"list/") + field(64, b"list0"))


class Attack(attacks.Attack):
    def __init__(self, port):
        super().__init__(port)
        self.calls = {}

    def random_bytes(self):
        self.close()
        for start in (b"", PREFACE, greeting(), greeting() + frame(1, 4, 1, head(b"/etcdserverpb.KV/Range"))):
            for _ in range(10):
                self.send(self.connect(), start + self.random.randbytes(self.random.randrange(1, 20000)))

    def half_prefaces(self):
        if len(self.open) > 400:
            self.close()
        for _ in range(40):
            self.send(self.connect(), PREFACE[:self.random.randrange(1, len(PREFACE))])

    def resets(self):
        self.close()
        one, sent = self.connect(), greeting()
        for stream in range(1, 20001, 2):
            sent += frame(1, 4, stream, head(b"/etcdserverpb.KV/Range")) + frame(3, 0, stream, struct.pack(">I", 8))
        self.send(one, sent)

    def streams_without_end(self):
        """Opened, half a message each, never read, never ended."""
        if len(self.open) > 8:
            self.close()
        one, stream = self.connect(4096), 1
        if not self.send(one, greeting()):
            return
        for _ in range(50):
            sent = b""
            for _ in range(200):
                sent += frame(1, 4, stream, head(b"/etcdserverpb.KV/Put"))
                sent += frame(0, 0, stream, b"\0" + struct.pack(">I", 100000) + bytes(8000))
                stream += 2
            if not self.send(one, sent):
                return

    def never_reading(self):
        """Calls that fail and calls that answer, none of whose answers is read."""
        if len(self.open) > 8:
            self.close()
        one = self.connect(4096)
        self.send(one, greeting(0x7FFFFFFF))
        for batch in range(20):
            sent = b"".join(call(2 * (batch * 500 + i) + 1, b"/no.Service/Method", b"x") for i in range(500))
            if not self.send(one, sent):
                return

    def slow_loris(self):
        if len(self.open) > 400:
            self.close()
        block = head(b"/etcdserverpb.KV/Range")
        for i in range(40):
            half = b"GET /health HTTP/1.1\r\nx: " if i % 2 else greeting() + frame(1, 0, 1, block)
            self.send(self.connect(), half)
        for i, one in enumerate(self.open):
            self.send(one, b"a" if (i % 40) % 2 else frame(9, 0, 1, literal(b"x", b"y")))

    def huge_headers(self):
        self.close()
        for _ in range(4):
            sent = greeting() + frame(1, 0, 1, head(b"/etcdserverpb.KV/Range"))
            for _ in range(100):
                sent += frame(9, 0, 1, literal(b"x" * 100, b"y" * 120) * 70)
            self.send(self.connect(), sent)
            self.send(self.connect(), b"GET /" + b"x" * 2000000 + b" HTTP/1.1\r\n\r\n")

    def calls_without_end(self):
        """Thousands of calls at once on each of some connections, whose answers are taken now and then."""
        while len(self.open) < 8:
            one = self.connect()
            self.send(one, greeting(0x7FFFFFFF))
            self.calls[one] = 1
        for one in self.open:
            begin = self.calls[one]
            self.calls[one] += 4000
            sent = b"".join(call(stream, b"/etcdserverpb.KV/Range", b"\x0a\x05list/")
                            for stream in range(begin, begin + 4000, 2))
            if not self.send(one, sent):
                return self.close()
            try:
                while len(one.recv(1 << 20)) == 1 << 20:
                    pass
            except OSError:
                pass

    def watches_without_end(self):
        """Hundreds of watch streams, each of all keys, told of every put, and never read."""
        if len(self.open) > 8:
            self.close()
        one = self.connect(4096)
        self.send(one, greeting(0x7FFFFFFF))
        create = b"\x0a\x06\x0a\x01\0\x12\x01\0"
        message = b"\0" + struct.pack(">I", len(create)) + create
        self.send(one, b"".join(frame(1, 4, stream, head(b"/etcdserverpb.Watch/Watch")) + frame(0, 0, stream, message)
                                for stream in range(1, 201, 2)))

    def lists_to_stalled_readers(self):
        """Ten lists of all keys at once, each to a reader that takes nothing."""
        if len(self.open) >= 60:
            self.close()
        for _ in range(10):
            self.send(self.connect(4096), greeting(0x7FFFFFFF) + call(1, b"/etcdserverpb.KV/Range", RANGE_ALL))


    def transactions_of_lists(self):
        """Of 128 lists, and of 128 comparisons, of all keys; half of them put a key besides."""
        if len(self.open) >= 60:
            self.close()
        put = field(2, field(2, field(1, b"mine")))
        kinds = (LIST_ALL * 127, COMPARE_ALL * 128, LIST_ALL * 127 + put, COMPARE_ALL * 128 + put)
        self.send(self.connect(4096), greeting(0x7FFFFFFF) + b"".join(
            call(2 * i + 1, b"/etcdserverpb.KV/Txn", kinds[i % 4]) for i in range(16)))

    def watches_of_long_keys(self):
        """Of keys of 1.5 MB that nobody will put."""
        if len(self.open) > 8:
            self.close()
        one = self.connect()
        self.send(one, greeting(0x7FFFFFFF) + frame(1, 4, 1, head(b"/etcdserverpb.Watch/Watch")))
        one.settimeout(20)
        for i in range(100):
            if not self.send(one, data(1, field(1, field(1, b"%03d" % i * 500000)), ends=False)):
                return


class Hostile(unittest.TestCase):
    server = None

    @classmethod
    def setUpClass(cls):
        cls.server = Server(METASTORE)
        cls.addClassCleanup(cls.server.__exit__)
        cls.server.start()
        cls.healthy()
        attack = Attack(cls.server.client_port)
        one = attack.connect()
        path = b"/etcdserverpb.KV/Txn"
        one.settimeout(60)
        one.sendall(greeting() + b"".join(call(2 * i + 1, path, hundred_puts(i)) for i in range(1000)))
        deadline = time.monotonic() + 60
        get = ["get", "list/", "--prefix", "--limit=1", "-w", "json"]
        while '"count":100000' not in etcdctl(cls.server.endpoint, *get)[1]:
            assert time.monotonic() < deadline, "the keys did not come"
        attack.close()
        cls.healthy()

    @classmethod
    def healthy(cls):
        """How long a client that does no harm takes for its puts; all must succeed."""
        puts = [f"requests={PUTS}", "in_flight=16", "keys=1000", "value=40"]
        done = subprocess.run([LOAD_CLIENT, cls.server.endpoint, "put", *puts], capture_output=True, text=True,
                              timeout=170, check=False)
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert (report["errors"], report["revisions"]) == (0, PUTS), report
        # The history of its puts would grow as any attack.
        probe = json.loads(etcdctl(cls.server.endpoint, "get", "none", "--consistency=s", "-w", "json")[1])
        code, _, err = etcdctl(cls.server.endpoint, "compact", str(probe["header"]["revision"]))
        assert code == 0, err
        return report["seconds"]

    def under(self, name, rounds, share=0.5):
        growth, kept = attacked(self.server, Attack(self.server.client_port), name, rounds, self.healthy)
        self.assertIsNone(self.server.process.poll())
        self.assertLessEqual(growth, GROWTH_MAX)
        self.assertGreaterEqual(kept, share)

    def test_random_bytes(self):
        self.under("random_bytes", 3)

    def test_half_prefaces(self):
        self.under("half_prefaces", 6)

    def test_resets(self):
        self.under("resets", 3)

    def test_streams_without_end(self):
        self.under("streams_without_end", 3)

    def test_never_reading(self):
        self.under("never_reading", 3)

    def test_slow_loris(self):
        self.under("slow_loris", 6)

    def test_huge_headers(self):
        self.under("huge_headers", 3)

    def test_calls_without_end(self):
        self.under("calls_without_end", 3)

    def test_watches_without_end(self):
        # Of hundreds of watchers each is told of every put, which costs the server more than the put.
        self.under("watches_without_end", 3, share=0.1)

    def test_transactions_of_lists(self):
        self.under("transactions_of_lists", 3)

    def test_watches_of_long_keys(self):
        self.under("watches_of_long_keys", 3)

    def test_lists_to_stalled_readers(self):
        self.under("lists_to_stalled_readers", 4)


class Descriptors(unittest.TestCase):
    def test_old_clients_keep_working_without_descriptors_and_nothing_spins(self):
        server = Server(METASTORE, wrapper=["prlimit", "--nofile=64"])
        with server:
            old = socket.create_connection((HOST, server.client_port), timeout=20)
            new = [socket.create_connection((HOST, server.client_port), timeout=20) for _ in range(100)]
            for _ in range(3):
                old.sendall(b"GET /version HTTP/1.1\r\nhost: a\r\n\r\n")
                self.assertIn(b"200", old.recv(4096))
            before = self.turns(server)
            for one in new:
                one.close()
            self.assertLess(before, 1000)
            self.assertEqual(0, etcdctl(server.endpoint, "put", "a", "1")[0])
            old.sendall(b"GET /version HTTP/1.1\r\nhost: a\r\n\r\n")
            self.assertIn(b"200", old.recv(4096))
            old.close()

    def turns(self, server):
        """How often the process gave up the CPU of itself in half a second: a spinning accept never waits or always
        does. CPU time in ticks says which."""
        def ticks():
            with open(f"/proc/{server.process.pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            return int(fields[11]) + int(fields[12])
        begun = ticks()
        time.sleep(0.5)
        return (ticks() - begun) * 100


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    unittest.main(argv=ARGUMENTS)
