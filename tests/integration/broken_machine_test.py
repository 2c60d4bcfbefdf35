"""Machines that break under a member: full disks, errors of the device, files that are gone, damaged or not ours. Each
ends it with status 1 and one line that names the file and what to do; no acknowledged write is lost, and after the
repair it starts again.

Usage: broken_machine_test.py METASTORE ETCD GRPC_CLIENT"""

import contextlib
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from clients import check_values
from servers import Server, etcdctl

METASTORE, ETCD, GRPC_CLIENT = map(os.path.abspath, sys.argv[1:4])
FIRST_SEGMENT = "member/wal/0000000000000000-0000000000000000.wal"
ENGINE_FILE = "member/db/data.mdb"
MANY = 1000000
FULL = "make room"
BROKEN = "its disk is full or broken"
PUT_BACK = "Put back a copy of the whole data directory"


class Member(Server):
    """A server whose failures are looked at; `wrapper` is of the next start alone."""

    def start(self, wait=True, wrapper=()):
        self.wrapper = list(wrapper)
        self.said_before = len(self.log()) if os.path.exists(self.log_path) else 0
        return super().start(wait)

    def path(self, name):
        return os.path.join(self.data_directory, name)

    def puts(self, count=MANY):
        """How many were acknowledged."""
        done = subprocess.run([GRPC_CLIENT, self.endpoint, "puts", str(count)], capture_output=True, text=True,
                              timeout=120, check=False)
        return len(done.stdout.splitlines())

    def said(self):
        return self.log()[self.said_before:].splitlines()


@contextlib.contextmanager
def small_disk(test, megabytes):
    """A file system of its own, which can be full, grow and be read-only."""
    with tempfile.TemporaryDirectory() as place:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "metastore-test", place]
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            test.skipTest(f"no file system can be mounted here: {mounted.stderr.strip()}")
        try:
            yield place
        finally:
            subprocess.run(["umount", "--lazy", place], check=True)


def children(process):
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False)
    return [int(word) for word in done.stdout.split()]


def files_of(process):
    """What it has open; nothing once it is gone."""
    with contextlib.suppress(FileNotFoundError):
        links = glob.glob(f"/proc/{process}/fd/*")
        return {os.readlink(link) for link in links}
    return set()


def has_ended(process):
    with contextlib.suppress(FileNotFoundError):
        with open(f"/proc/{process}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    return True


def end_group(leader):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def fill(disk):
    """Puts a file on it that takes all that is left, and returns its path."""
    path = os.path.join(disk, "ballast")
    with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return path


def change(path, before, after):
    """Every occurrence; as many bytes."""
    with open(path, "r+b") as file:
        content = file.read()
        assert before in content and len(before) == len(after), (path, before)
        file.seek(0)
        file.write(content.replace(before, after))


class BrokenMachine(unittest.TestCase):
    def setUp(self):
        self.member = Member(METASTORE)
        self.addCleanup(self.member.__exit__)

    def ends(self, *words):
        """The process has met its failure while it served."""
        self.assertEqual(1, self.member.process.wait(timeout=60), self.member.log()[-2000:])
        errors = [line for line in self.member.said() if json.loads(line)["level"] == "error"]
        self.assertEqual(1, len(errors), errors)
        self.assertEqual(self.member.said()[-1], errors[0])
        for word in words:
            self.assertIn(word, json.loads(errors[0])["error"])

    def refuses(self, *words, wrapper=()):
        """The process does not get as far as serving."""
        self.member.start(wait=False, wrapper=wrapper)
        self.assertEqual(1, self.member.process.wait(timeout=60), self.member.log()[-2000:])
        self.assertEqual(1, len(self.member.said()), self.member.said())
        for word in words:
            self.assertIn(word, self.member.said()[0])

    def holds(self, count):
        """It starts again, with all that was acknowledged."""
        self.member.start()
        check_values(self, GRPC_CLIENT, [self.member], count)

    def wait_until(self, condition):
        deadline = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def written(self, count=100, absent=None):
        """So many keys, all of them in a checkpoint, and a file removed; then killed."""
        self.member.start()
        self.assertEqual(count, self.member.puts(count))

        def is_in_engine(value):
            with open(self.member.path(ENGINE_FILE), "rb") as file:
                return value in file.read()
        self.wait_until(lambda: is_in_engine(f"value of k{count - 1}".encode()))
        # What stands in the file may not be committed yet, but it is when the next transaction begins to be written.
        self.assertEqual(0, etcdctl(self.member.endpoint, "put", "next", "of the next transaction")[0])
        self.wait_until(lambda: is_in_engine(b"of the next transaction"))
        self.wait_until(lambda: absent is None or not os.path.exists(self.member.path(absent)))
        self.member.kill()


    def inject(self, fault, name):
        """What one kind of call on one file answers, from its N-th on."""
        call = fault.split(":")[0]
        self.trace = os.path.join(self.member.directory, "trace")
        return ["strace", "-f", "-qq", "-o", self.trace, "-P", os.path.realpath(self.member.path(name)),
                "-e", f"trace=fdatasync,{call}", "-e", f"inject={fault}"]


class Disk(BrokenMachine):
    def test_a_full_disk_under_the_log(self):
        with small_disk(self, 1) as disk:
            self.member.data_directory = os.path.join(disk, "data")
            self.member.arguments += ["--limits=wal_segment_bytes=65536", "--max-wals=0"]
            self.member.start()
            count = self.member.puts()
            self.assertGreater(count, 0)
            self.ends(disk, FULL)
            # A start would remove this and have room again.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.member.path("member/wal/next.tmp"))
            fill(disk)
            self.refuses(disk, FULL)
            subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
            self.holds(count)
            self.member.kill()

    def test_a_full_disk_under_the_engine(self):
        with small_disk(self, 16) as disk:
            self.member.data_directory = os.path.join(disk, "data")
            self.member.arguments += ["--limits=wal_segment_bytes=16777216"]
            self.member.start()
            # The log has room ahead; then there is none for anything else.
            self.assertEqual(10, self.member.puts(10))
            ballast = fill(disk)
            count = max(10, self.member.puts())
            self.ends(disk, FULL)
            os.unlink(ballast)
            self.holds(count)
            self.member.kill()

    def test_a_read_only_disk(self):
        with small_disk(self, 64) as disk:
            self.member.data_directory = os.path.join(disk, "data")
            self.written()
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
            self.refuses(disk, "make it writable")
            subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
            self.holds(100)
            self.member.kill()

    def test_a_limit_of_a_files_size(self):
        self.member.arguments = ["--limits=wal_segment_bytes=1000000"]
        self.member.start(wrapper=["prlimit", "--fsize=200000"])
        count = self.member.puts()
        # LMDB, which may meet it first, calls it an error of the device.
        self.ends(self.member.data_directory, "start again")
        self.holds(count)

    def test_an_error_of_the_device_ends_it_and_nothing_is_tried_again(self):
        # Small parts, so that a start and its upkeep take few calls, and the puts meet the fault.
        self.member.arguments = ["--limits=wal_segment_bytes=1000000,checkpoint_bytes=1000"]
        for fault, name, remedy in (("fdatasync:error=EIO:when=60", FIRST_SEGMENT, BROKEN),
                                    ("fdatasync:error=EIO:when=60+", FIRST_SEGMENT, BROKEN),
                                    ("pwritev:error=EIO:when=60", FIRST_SEGMENT, BROKEN),
                                    ("pwritev:error=ENOSPC:when=60", FIRST_SEGMENT, FULL),
                                    ("fdatasync:error=EIO:when=15", ENGINE_FILE, BROKEN),
                                    ("writev:error=ENOSPC:when=15", ENGINE_FILE, FULL),
                                    ("pwrite64:error=EIO:when=40", ENGINE_FILE, BROKEN)):
            with self.subTest(fault=fault, name=name):
                self.member.start(wrapper=self.inject(fault, name))
                count = self.member.puts()
                self.assertGreater(count, 0)
                self.ends(name, remedy)
                with open(self.trace, encoding="utf-8") as lines:
                    after = lines.read().partition("(INJECTED)")[2]
                self.assertNotIn("fdatasync(", after)
                self.holds(count)
                self.member.kill()
                shutil.rmtree(self.member.data_directory)

    def test_a_log_that_cannot_be_read(self):
        self.written()
        self.refuses(FIRST_SEGMENT, BROKEN, wrapper=self.inject("pread64:error=EIO:when=1", FIRST_SEGMENT))
        self.holds(100)

    def test_an_engine_that_cannot_be_read(self):
        self.written()
        self.refuses(ENGINE_FILE, BROKEN, wrapper=self.inject("pread64:error=EIO:when=1", ENGINE_FILE))
        self.holds(100)

    def test_a_full_engine(self):
        self.member.arguments = ["--limits=engine_file_bytes_max=200000"]
        self.member.start()
        count = self.member.puts()
        self.ends(ENGINE_FILE, "--limits=engine_file_bytes_max=")
        self.member.arguments = ["--limits=engine_file_bytes_max=100000000"]
        self.holds(count)


class Directory(BrokenMachine):
    def test_etcds_own(self):
        with Server(ETCD) as etcd:
            self.member.data_directory = etcd.data_directory
            etcd.kill()
            self.refuses("etcd's own", "member/snap/db", "choose another data directory")
            etcd.start()

    def test_a_log_without_identity(self):
        self.written()
        os.rename(self.member.path("member/identity"), self.member.path("kept"))
        self.refuses("member/identity", "put it back, or choose another data directory")
        os.rename(self.member.path("kept"), self.member.path("member/identity"))
        self.holds(100)

    def test_a_newer_format(self):
        self.written()
        for name, ours, newer in (("member/identity", b"metastore-identity 1", b"metastore-identity 2"),
                                  (ENGINE_FILE, b"metastore-engine 1", b"metastore-engine 2")):
            change(self.member.path(name), ours, newer)
            self.refuses(name, "format 2", "start a newer build")
            change(self.member.path(name), newer, ours)
        self.holds(100)

    def test_a_member_killed_while_a_child_checks_its_file_leaves_nothing_held(self):
        self.written()
        # The child is held up long enough to outlive its parent.
        self.member.start(wait=False, wrapper=self.inject("pread64:delay_enter=60000000:when=1", ENGINE_FILE))
        tracer = self.member.process
        self.addCleanup(tracer.wait)
        self.addCleanup(end_group, tracer.pid)
        self.wait_until(lambda: children(tracer.pid) and children(children(tracer.pid)[0]))
        parent = children(tracer.pid)[0]
        child = children(parent)[0]
        self.wait_until(lambda: os.path.realpath(self.member.path(ENGINE_FILE)) in files_of(child))
        os.kill(parent, signal.SIGKILL)
        # What it held is let go of before its end is told, but after its list of files is gone.
        self.wait_until(lambda: has_ended(parent))
        self.holds(100)

    def test_a_path_that_is_no_directory(self):
        with open(self.member.data_directory, "w", encoding="utf-8"):
            pass
        self.refuses(self.member.data_directory, "choose another data directory")
        os.unlink(self.member.data_directory)
        self.holds(0)


class Damage(BrokenMachine):
    def test_a_flipped_bit(self):
        self.written()
        for name in (FIRST_SEGMENT, ENGINE_FILE):
            change(self.member.path(name), b"value of k50", b"Value of k50")
            self.refuses(name, "damaged", PUT_BACK)
            # Nothing was changed, so putting back the one bit is enough.
            change(self.member.path(name), b"Value of k50", b"value of k50")
        self.holds(100)

    def missing(self, path, *words):
        os.rename(path, self.member.path("kept"))
        self.refuses(*words, PUT_BACK)
        os.rename(self.member.path("kept"), path)

    def test_a_segment_that_is_missing(self):
        self.member.arguments = ["--limits=wal_segment_bytes=16384", "--max-wals=0"]
        self.written(1000)
        segments = sorted(glob.glob(self.member.path("member/wal/*.wal")))
        self.assertGreater(len(segments), 3)
        self.missing(segments[2], "the log has a gap", os.path.basename(segments[1]), os.path.basename(segments[3]))
        self.missing(segments[0], "member/wal/", "its first segments are gone")
        self.holds(1000)

    def test_a_log_that_is_missing(self):
        self.written()
        self.missing(self.member.path(FIRST_SEGMENT), "its log in member/wal is gone")
        self.holds(100)

    def test_a_checkpoint_that_is_missing(self):
        self.member.arguments = ["--max-wals=1", "--limits=wal_segment_bytes=16384,mark_entries=50,log_entries_kept=50"]
        self.written(1000, absent=FIRST_SEGMENT)
        self.missing(self.member.path(ENGINE_FILE), "member/db", "member/wal", "the checkpoint is gone")
        self.holds(1000)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
