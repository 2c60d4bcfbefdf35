"""Writes the corpora of the fuzz targets anew, from real clients and a real server:

    tests/fuzz/capture.py build/etcd/usr/bin/etcd

It stands between etcdctl and the server, keeps what each connection sends, and cuts the calls' bodies out of it; the
log comes from the server's data directory. Nothing is written that was not on the wire or on the disk."""

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


def main():
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
