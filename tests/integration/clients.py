"""Clients of the tests: a load that ends at its first failure, a look at what it wrote, and a watch."""

import os
import subprocess


class Load:
    """Puts k0, k1, ... through one member, one at a time, and ends at the first that fails."""

    def __init__(self, grpc_client, member, count):
        self.client = subprocess.Popen([grpc_client, member.endpoint, "puts", str(count)], stdout=subprocess.PIPE,
                                       text=True)
        self.acknowledged = 0

    def wait_for(self, count):
        while self.acknowledged < count:
            if not self.client.stdout.readline():
                raise AssertionError(f"the load ended after {self.acknowledged} puts")
            self.acknowledged += 1

    def finish(self):
        self.acknowledged += len(self.client.stdout.readlines())
        self.client.wait()
        self.client.stdout.close()
        return self.acknowledged


def check_values(test, grpc_client, members, count):
    """Each member has all that a load of so many puts wrote."""
    for member in members:
        done = subprocess.run([grpc_client, member.endpoint, "values", str(count)], capture_output=True, text=True,
                              timeout=120, check=False)
        test.assertEqual((0, ""), (done.returncode, done.stderr), member.name)


class Watch:
    """The keys that a member tells of, in its order."""

    def __init__(self, member):
        command = ["etcdctl", f"--endpoints={member.endpoint}", "watch", "--prefix", "k", "--rev=1"]
        environment = {**os.environ, "ETCDCTL_API": "3"}
        self.client = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    def keys(self, count):
        keys = []
        while len(keys) < count:
            line = self.client.stdout.readline()
            if not line:
                raise AssertionError(f"the watch ended after {len(keys)} events")
            if line == "PUT\n":
                keys.append(self.client.stdout.readline().strip())
        return keys

    def end(self):
        self.client.kill()
        self.client.wait()
        self.client.stdout.close()
