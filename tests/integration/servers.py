"""Starts real servers for the integration tests: ours and Debian's etcd, on ports that the kernel gave, in a directory
of their own. Nothing outlives a test: every server dies with its `with` block."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request

READY_SECONDS = 30
# Both engines do the same, so the tests that need nothing to be kept run on both.
ENGINE = os.environ.get("METASTORE_TEST_ENGINE", "lmdb")
KEEPS_STATE = ENGINE != "memory"
needs_storage = unittest.skipUnless(KEEPS_STATE, "this engine keeps nothing")


# A loopback address of this process alone: nobody else takes a port on it between drawing and listening.
HOST = f"127.{1 + (os.getpid() >> 16) % 254}.{(os.getpid() >> 8) % 256}.{1 + os.getpid() % 254}"


def free_ports(count):
    """Ports that the kernel gives. Sockets are held until all are drawn, so that no two are the same."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind((HOST, 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Server:
    """One member: `binary` is metastore or etcd, both take etcd's flags."""

    def __init__(self, binary, arguments=(), directory=None, wrapper=(), environment=None, name="m1", ports=None):
        self.binary = binary
        self.name = name
        self.arguments = list(arguments)
        if os.path.basename(binary) == "metastore" and ENGINE != "lmdb":
            self.arguments.insert(0, f"--engine={ENGINE}")
        self.wrapper = list(wrapper)
        self.environment = environment or {}
        self.owns_directory = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="metastore-test-")
        self.data_directory = os.path.join(self.directory, "data")
        self.log_path = os.path.join(self.directory, "log")
        self.client_port, self.peer_port = ports or free_ports(2)
        self.peer_listen_port = self.peer_port
        self.initial_cluster = f"{name}={self.peer_url}"
        self.process = None

    @property
    def endpoint(self):
        return f"{HOST}:{self.client_port}"

    @property
    def peer_url(self):
        return f"http://{HOST}:{self.peer_port}"

    def command(self):
        client, peer = f"http://{self.endpoint}", self.peer_url
        return self.wrapper + [
            self.binary, f"--name={self.name}", f"--data-dir={self.data_directory}",
            f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls=http://{HOST}:{self.peer_listen_port}", f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster={self.initial_cluster}", "--initial-cluster-token=test"] + self.arguments

    def start(self, wait=True):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("ETCD_", "ETCDCTL_"))}
        environment.update(self.environment)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=environment, cwd=self.directory, start_new_session=True)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, health="/health"):
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"{self.binary} exited with {self.process.returncode}:\n{self.log()}")
            try:
                with urllib.request.urlopen(f"http://{self.endpoint}{health}", timeout=1) as answer:
                    if json.load(answer)["health"] == "true":
                        return
            except (OSError, ValueError):
                pass
            time.sleep(0.01)
        raise AssertionError(f"{self.binary} was not ready after {READY_SECONDS} s:\n{self.log()}")

    def log(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def resident(self, key="VmRSS"):
        """Bytes; VmHWM is the most there was."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii", errors="replace") as status:
            return next(int(line.split()[1]) << 10 for line in status if line.startswith(key + ":"))

    def signal(self, number):
        os.killpg(self.process.pid, number)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def terminate(self, seconds=10):
        self.signal(signal.SIGTERM)
        return self.process.wait(timeout=seconds)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()
        if self.owns_directory:
            shutil.rmtree(self.directory, ignore_errors=True)


class Cluster:
    """Several members on this machine, which begin as one cluster."""

    def __init__(self, binary, count=3, arguments=(), directory=None):
        """`directory` holds a folder for each member, and stays; by default each has a temporary one."""
        ports = free_ports(2 * count)
        names = [f"m{i + 1}" for i in range(count)]
        folders = {name: directory and os.path.join(directory, name) for name in names}
        for folder in filter(None, folders.values()):
            os.makedirs(folder)
        self.members = [Server(binary, arguments, name=name, directory=folders[name], ports=ports[2 * i:2 * i + 2])
                        for i, name in enumerate(names)]
        for member in self.members:
            member.initial_cluster = ",".join(f"{one.name}={one.peer_url}" for one in self.members)

    def status(self, member):
        """What a member says of itself; None if it does not answer."""
        code, out, _ = etcdctl(member.endpoint, "--command-timeout=2s", "endpoint", "status", "-w", "json")
        return json.loads(out)[0]["Status"] if code == 0 else None

    def leader(self, among=None):
        """Waits until the members (all by default) follow one of them, and returns that one."""
        members = among or self.members
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            statuses = [self.status(member) for member in members]
            # Who knows no leader says nothing of one.
            if all(statuses) and len({status.get("leader") for status in statuses}) == 1:
                for member, status in zip(members, statuses):
                    if status["header"]["member_id"] == status.get("leader"):
                        return member
            time.sleep(0.02)
        raise AssertionError("no leader:\n" + "\n".join(member.log()[-2000:] for member in members))

    def __enter__(self):
        for member in self.members:
            member.start(wait=False)
        for member in self.members:
            member.wait_ready()
        return self

    def __exit__(self, *_):
        for member in self.members:
            member.__exit__()


def etcdctl(endpoint, *arguments, stdin="", seconds=20):
    """Runs Debian's etcdctl and returns (exit status, stdout, stderr)."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ETCDCTL_")}
    environment["ETCDCTL_API"] = "3"
    done = subprocess.run(["etcdctl", f"--endpoints={endpoint}", *arguments], input=stdin, capture_output=True,
                          text=True, timeout=seconds, env=environment, check=False)
    return done.returncode, done.stdout, done.stderr
