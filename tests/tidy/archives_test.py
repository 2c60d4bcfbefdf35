#!/usr/bin/env python3
"""The binary that is simulated is the binary that runs: `archives_test.py NINJA BUILD`.

metastore and metastore-sim link the same archives. The server adds the files that touch the world, the simulator adds
their twins, and there is no third kind.
"""

import re
import subprocess
import sys
import unittest

# What each adds for itself.
SIMULATED = re.compile(r"src/sim/lib(sim|sim_checkers|sim_world)\.a$")
OUTSIDE = re.compile(r"src/(net/libnet|server/libserver|storage/libstorage_(posix|lmdb)|storage/libwal_dump)\.a$")
SHARED_AT_LEAST = {f"src/core/{name}/lib{name}.a" for name in ("base", "raft", "mvcc", "kv", "replica", "host")} | {
    "src/storage/libstorage.a", "src/api/libapi.a", "src/server/libmember.a"}

NINJA, BUILD = "ninja", "build/gcc"


def archives(command):
    """The archives of our own that a link command names."""
    return {word for word in re.findall(r"[\w./-]+\.a\b", command) if word.startswith("src/")}


def differences(server, simulator):
    """Sentences about archives that only one of the two links, and that are not its own kind."""
    return ([f"only the server links {one}" for one in sorted(server - simulator) if not OUTSIDE.search(one)]
            + [f"only the simulator links {one}" for one in sorted(simulator - server) if not SIMULATED.search(one)]
            + [f"not both link {one}" for one in sorted(SHARED_AT_LEAST - (server & simulator))])


class Archives(unittest.TestCase):
    def linked(self, target):
        return archives(subprocess.run([NINJA, "-C", BUILD, "-t", "commands", "-s", target], check=True,
                                       capture_output=True, text=True).stdout)

    def test_server_and_simulator_link_the_same_archives(self):
        self.assertEqual(differences(self.linked("src/metastore"), self.linked("src/sim/metastore-sim")), [])

    def test_an_archive_of_one_alone_is_seen(self):
        both = SHARED_AT_LEAST | {"src/core/proto/libproto.a"}
        self.assertEqual(differences(both | {"src/net/libnet.a"}, both | {"src/sim/libsim.a"}), [])
        self.assertEqual(differences(both, both | {"src/core/raft/libraft_sim.a"}),
                         ["only the simulator links src/core/raft/libraft_sim.a"])
        self.assertEqual(differences(both | {"src/api/libdoor.a"}, both), ["only the server links src/api/libdoor.a"])
        self.assertEqual(differences(both - {"src/api/libapi.a"}, both - {"src/api/libapi.a"}),
                         ["not both link src/api/libapi.a"])

    def test_archives_are_read_from_a_link_command(self):
        self.assertEqual(archives("g++ -o x src/main.cc.o -Wl,--start-group src/a/liba.a src/b/libb_c.a /usr/lib/z.a"),
                         {"src/a/liba.a", "src/b/libb_c.a"})


if __name__ == "__main__":
    NINJA, BUILD = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
