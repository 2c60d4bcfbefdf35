"""A member that lacks a put which all others have is named by the alarm CORRUPT, within as many entries as lie between
two comparisons. It needs the wrong variant CO1 of tests/mutants as its binary: `./dev mutants CO1` builds that and runs
this. With the product as it is, it fails.

Usage: corrupt.py METASTORE"""

import json
import os
import pathlib
import sys
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from servers import Cluster, etcdctl

METASTORE = os.path.abspath(sys.argv[1])
ENTRIES = 50


def health(member):
    try:
        with urllib.request.urlopen(f"http://{member.endpoint}/health", timeout=10) as answer:
            return json.load(answer)["reason"]
    except urllib.error.HTTPError as refused:
        return json.load(refused)["reason"]


class Corrupt(unittest.TestCase):
    def test_the_member_that_lost_a_put_is_named_in_time(self):
        with Cluster(METASTORE, arguments=[f"--limits=state_hash_entries={ENTRIES}"]) as cluster:
            leader, damaged = cluster.leader(), cluster.members[2]
            for i in range(10):
                self.assertEqual(0, etcdctl(leader.endpoint, "put", f"k{i}", "v")[0])
            # The wrong variant drops the one of this key where the member is called m3.
            self.assertEqual(0, etcdctl(leader.endpoint, "put", "key/7", "v")[0])
            dropped_at = cluster.status(leader)["raftAppliedIndex"]
            for i in range(2 * ENTRIES):
                code, _, err = etcdctl(leader.endpoint, "put", f"l{i}", "v")
                if code != 0:
                    break
            self.assertIn("etcdserver: corrupt cluster", err)
            status = cluster.status(leader)
            # Beside them the point itself, and what was under way until the alarm stood.
            self.assertLessEqual(status["raftAppliedIndex"] - dropped_at, ENTRIES + 10)
            named = f"memberID:{cluster.status(damaged)['header']['member_id']} alarm:CORRUPT"
            for member in cluster.members:
                self.assertEqual(named, etcdctl(member.endpoint, "alarm", "list")[1].strip())
                self.assertEqual("ALARM CORRUPT", health(member))
            self.assertIn("found data inconsistency with peers", "".join(member.log() for member in cluster.members))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
