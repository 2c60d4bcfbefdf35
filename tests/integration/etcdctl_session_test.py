"""The same etcdctl session against ours and against Debian's etcd prints the same: output, errors, exit status.

Usage: etcdctl_session_test.py METASTORE ETCD SESSION...
A session is a text file: each line is one etcdctl command; lines after it that begin with "< " are its input; a line
that begins with "--" is a flag for both servers; "#" is prose. Ids differ between the two, since they are made from
ports or drawn: they are replaced by their names before comparing. The leases that a session grants are
$LEASE1, $LEASE2, ... in the commands after."""

import os
import re
import shlex
import sys
import unittest

from servers import HOST, Server, etcdctl

METASTORE, ETCD, SESSIONS = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3:]


def read_session(path):
    flags, commands = [], []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("< ") or line.rstrip("\n") == "<":
                commands[-1][1].append(line[2:].rstrip("\n"))
            elif line.startswith("--"):
                flags.append(line.strip())
            elif line.strip() and not line.startswith("#"):
                commands.append((shlex.split(line), []))
    return flags, [(arguments, "".join(text + "\n" for text in stdin)) for arguments, stdin in commands]


def normalized(text, server, ids):
    text = text.replace(server.endpoint, "CLIENT").replace(f"{HOST}:{server.peer_port}", "PEER")
    for name, number in ids.items():
        # In hexadecimal it has 15 digits or 16, which some commands fill up with a zero.
        text = re.sub(f"{number}|0*{number:x}", name, text)
    text = re.sub(r'"ts":"[^"]*"|"caller":"[^"]*"|"target":"[^"]*"', "", text)
    # An id may take 15 digits or 16, and a table is drawn to the width of what it holds.
    text = re.sub(r"(?m)^[+|].*", lambda row: re.sub(r"([- ])\1+", r"\1", row[0]), text)
    text = re.sub(r"took = [0-9.]+[mµn]?s", "took = TIME", text)
    # A request id that etcdctl draws for its own log line.
    return re.sub(r"endpoint://client-[0-9a-f-]+", "endpoint://client", text)


def identifiers(server):
    status, out, err = etcdctl(server.endpoint, "get", "nothing", "-w", "json")
    assert status == 0, err
    return {"CLUSTER": int(re.search(r'"cluster_id":(\d+)', out)[1]),
            "MEMBER": int(re.search(r'"member_id":(\d+)', out)[1])}


def run(server, ids, arguments, stdin):
    """What the command printed, the ids in it named. A lease that it granted is named too, from here on."""
    def named(text):
        return re.sub(r"\$(LEASE\d+)", lambda name: format(ids[name[1]], "x"), text)

    status, out, err = etcdctl(server.endpoint, *map(named, arguments), stdin=named(stdin))
    granted = re.match(r"lease ([0-9a-f]+) granted", out)
    if granted:
        ids[f"LEASE{sum(name.startswith('LEASE') for name in ids) + 1}"] = int(granted[1], 16)
    return status, normalized(out, server, ids), normalized(err, server, ids)


class EtcdctlSession(unittest.TestCase):
    maxDiff = None

    def test_ours_prints_what_etcd_prints(self):
        for path in SESSIONS:
            flags, commands = read_session(path)
            with Server(METASTORE, flags) as ours, Server(ETCD, flags) as theirs:
                our_ids, their_ids = identifiers(ours), identifiers(theirs)
                for arguments, stdin in commands:
                    with self.subTest(session=path, command=" ".join(arguments)):
                        got = run(ours, our_ids, arguments, stdin)
                        expected = run(theirs, their_ids, arguments, stdin)
                        self.assertEqual(expected, got)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
