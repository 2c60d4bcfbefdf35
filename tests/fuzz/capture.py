"""Writes the corpora of the fuzz targets anew, from real clients and a real server:

    tests/fuzz/capture.py build/etcd/usr/bin/etcd build/metastore

It stands between etcdctl and the server, keeps what each connection sends, and cuts the calls' bodies out of it; the
log comes from the server's data directory. What members say when one is sent a snapshot is kept in the same way.
Nothing is written that was not on the wire or on the disk."""

import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "integration"))
from servers import Cluster, etcdctl  # noqa: E402  pylint: disable=wrong-import-position
from switchboard import Switchboard  # noqa: E402  pylint: disable=wrong-import-position

COMMANDS = [
    ("put greeting hello", ""), ("get greeting", ""), ("get a z --limit 3 --order DESCEND --sort-by MODIFY", ""),
    ("get '' --prefix --keys-only --rev 2", ""), ("put k v --prev-kv", ""), ("put k w --ignore-lease", ""),
    ("del greeting --prev-kv", ""), ("del x --prefix", ""), ("compact 3", ""), ("compact 4 --physical", ""),
    ("member list", ""), ("endpoint status", ""), ("alarm list", ""), ("lease grant 60", ""),
    ("txn", 'value("k") = "w"\nmod("k") > "0"\n\nput a 1\nget k\ndel a\n\nget k --rev 2\nput b 2\n\n'),
    ("watch k --rev 1", None), ("elect -l name value", None), ("lease revoke 1234", ""),
    ("lease timetolive 1234 --keys", ""), ("lease list", ""), ("lease keep-alive --once 1234", ""),
    ("watch a z --rev 1 --prev-kv", None), ("watch '' --prefix --progress-notify", None),
]
# In the order of the target's table, by the command that calls it.
METHODS = ["get", "put", "del", "txn", "compact", "endpoint", "alarm", "member", "", "lease grant", "lease revoke",
           "lease timetolive", "lease list", "lease keep-alive", "watch"]


def pump(source, target, kept):
    while data := source.recv(65536):
        kept.append(data)
        target.sendall(data)
    target.close()


def accept(listener, server_port, connections):
    while True:
        client, _ = listener.accept()
        server = socket.create_connection(("127.0.0.1", server_port))
        connections.append([])
        for source, target, kept in ((client, server, connections[-1]), (server, client, [])):
            threading.Thread(target=quiet(pump), args=(source, target, kept), daemon=True).start()


def quiet(function):
    def call(*arguments):
        try:
            function(*arguments)
        except OSError:
            pass  # The other side has gone: what was sent until then is kept.
    return call


def bodies(connection):
    """The data of each stream, by its number."""
    data, at = {}, 24
    while at + 9 <= len(connection):
        size, kind = int.from_bytes(connection[at:at + 3], "big"), connection[at + 3]
        stream = int.from_bytes(connection[at + 5:at + 9], "big")
        if kind == 0:
            data[stream] = data.get(stream, b"") + connection[at + 9:at + 9 + size]
        at += 9 + size
    return data.values()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


class Tap(Switchboard):
    def __init__(self, members):
        super().__init__(members)
        self.kept = []

    async def relay(self, reader, writer, pair):
        read, pieces = reader.read, []
        self.kept.append(pieces)

        async def read_and_keep(size):
            data = await read(size)
            pieces.append(data)
            return data
        reader.read = read_and_keep
        await super().relay(reader, writer, pair)


def capture_snapshot(metastore, name, part_bytes):
    """What the leader says on the connection that a snapshot takes: the one on which most is said once the member that
    was away is back."""
    cluster = Cluster(metastore, arguments=["--snapshot-catchup-entries=5",
                                            f"--limits=mark_entries=10,snapshot_part_bytes={part_bytes}"])
    with Tap(cluster.members) as tap, cluster:
        leader = cluster.leader()
        away = next(member for member in cluster.members if member is not leader)
        away.kill()
        commands = ["lease grant 600 -w json"] + [f"put key{i % 7} value{i}" for i in range(30)]
        commands += ["del key3", "compact 20", "put other 1", "del key4 key6"]
        for command in commands:
            code, out, err = etcdctl(leader.endpoint, *command.split())
            assert code == 0, err
            if command.startswith("lease"):
                lease = out.split('"ID":')[1].split(",")[0]
                assert etcdctl(leader.endpoint, "put", "leased", "1", f"--lease={int(lease):x}")[0] == 0
        before = len(tap.kept)
        away.start()
        while "installed a snapshot" not in away.log():
            time.sleep(0.05)
        write("peer", name, max((b"".join(pieces) for pieces in tap.kept[before:]), key=len))


def main():
    capture_snapshot(sys.argv[2], "snapshot", 131_072)
    capture_snapshot(sys.argv[2], "snapshot_in_parts", 300)
    with tempfile.TemporaryDirectory() as directory:
        port, peer = free_port(), free_port()
        url, peer_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
        server = subprocess.Popen(
            [sys.argv[1], "--data-dir", directory + "/data", "--listen-client-urls", url,
             "--advertise-client-urls", url, "--listen-peer-urls", peer_url, "--initial-advertise-peer-urls", peer_url,
             "--initial-cluster", "default=" + peer_url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while subprocess.run(["etcdctl", "--endpoints", url, "endpoint", "health"], capture_output=True).returncode:
            time.sleep(0.1)
        listener = socket.create_server(("127.0.0.1", 0))
        connections = []
        threading.Thread(target=accept, args=(listener, port, connections), daemon=True).start()
        through = f"http://127.0.0.1:{listener.getsockname()[1]}"
        environment = dict(os.environ, ETCDCTL_API="3")
        for number, (command, text) in enumerate(COMMANDS):
            first = len(connections)
            line = f"etcdctl --endpoints {through} {command}"
            if text is None:
                line = "timeout 1 " + line
            subprocess.run(line, shell=True, input=text or "", text=True, capture_output=True, env=environment)
            for offset, pieces in enumerate(connections[first:]):
                connection = b"".join(pieces)
                write("http2_session", f"{number:02}-{offset}", connection)
                for stream, body in enumerate(bodies(connection)):
                    write("grpc", f"{number:02}-{offset}-{stream}", body)
                    message = body[5:5 + struct.unpack(">I", body[1:5])[0]]
                    words = command.split()
                    if (name := " ".join(words[:1 + (words[0] == "lease")])) in METHODS:
                        write("request", f"{number:02}-{offset}-{stream}", bytes([METHODS.index(name)]) + message)
        server.terminate()
        server.wait()
        for name in sorted(os.listdir(directory + "/data/member/wal")):
            if name.endswith(".wal"):
                log = pathlib.Path(directory, "data/member/wal", name).read_bytes().rstrip(b"\0")
                write("wal", name, log + bytes(-len(log) % 8 + 512))


main()
