#!/usr/bin/env python3
"""Every house rule refuses a bad example and lets the good one beside it pass. A rule without an example here fails."""

import unittest

from check import EXCEPTIONS, RULES, check
from source_tree import SourceTree

# rule -> (files that break it, words of the finding), (files that do not).
EXAMPLES = {
    "include_directions": [
        ({"src/core/mvcc/store.cc": '#include "core/lease/lessor.h"\n'}, "core/mvcc may not include"),
        ({"src/core/raft/raft.h": '#include "core/kv/method.h"\n'}, "core/raft may not include"),
        ({"src/core/base/bytes.h": '#include "core/raft/types.h"\n'}, "core/base may not include"),
        ({"src/core/replica/replica.cc": '#include "core/host/host.h"\n'}, "core/replica may not include"),
        ({"src/api/gateway.cc": '#include "storage/wal.h"\n'}, "api may not include storage/wal.h"),
        ({"src/storage/wal.cc": '#include "net/frame.h"\n'}, "storage may not include"),
        ({"src/server/member.cc": '#include "sim/world.h"\n'}, "server may not include"),
        ({"src/core/raft/raft_test.cc": '#include "sim/world.h"\n'}, "core/raft may not include"),
        ({"src/attic/box.cc": ""}, "has no row"),
        {"src/core/raft/raft.h": '#include "core/raft/types.h"\n#include "core/base/time.h"\n',
         "src/core/kv/applier.cc": '#include "core/mvcc/store.h"\n#include "core/proto/rpc.pb.h"\n',
         "src/storage/wal_test.cc": '#include "sim/files_sim.h"\n',
         "src/main.cc": '#include "net/network_asio.h"\n'}],
    "includes_resolve": [
        ({"src/core/base/bytes.cc": '#include "bytes.h"\n'}, "no file below src/"),
        {"src/core/base/bytes.cc": '#include "core/base/bytes.h"\n#include "core/proto/rpc.pb.h"\n',
         "src/core/base/bytes.h": "", "src/core/proto/rpc.proto": ""}],
    "include_cycles": [
        ({"src/core/raft/a.h": '#include "core/raft/b.h"\n',
          "src/core/raft/b.h": '#include "core/raft/a.h"\n'}, "an include cycle: src/core/raft/a.h -> "),
        {"src/core/raft/a.h": '#include "core/raft/b.h"\n#include "core/raft/c.h"\n',
         "src/core/raft/b.h": '#include "core/raft/c.h"\n', "src/core/raft/c.h": ""}],
    "suffix_law": [
        ({"src/storage/wal.cc": "#include <unistd.h>\n"}, "PURE_HEADERS"),
        ({"src/sim/world.cc": "#include <chrono>\n"}, "PURE_HEADERS"),
        ({"src/core/raft/log_posix.cc": ""}, "the core has no files"),
        ({"src/storage/files_posix.cc": "#include <boost/asio.hpp>\n"}, "*_asio"),
        ({"src/net/network_asio.cc": "#include <lmdb.h>\n"}, "*_lmdb"),
        ({"src/storage/log_store.cc": '#include "storage/files_posix.h"\n'}, "touches the outside world"),
        ({"src/server/member.cc": '#include "sim/files_sim.h"\n'}, "simulated twin"),
        {"src/storage/files_posix.cc": '#include <unistd.h>\n#include "storage/files_posix.h"\n',
         "src/net/network_asio.cc": "#include <boost/asio.hpp>\n",
         "src/api/http2_session.cc": "#include <nghttp2/nghttp2.h>\n#include <vector>\n",
         "src/storage/wal_test.cc": '#include <filesystem>\n#include "sim/files_sim.h"\n',
         "src/main.cc": '#include "storage/files_posix.h"\n#include <iostream>\n'}],
    "bans": [
        ({"src/core/raft/raft.cc": "std::unordered_map<int, int> peers;\n"}, "std::map or absl::btree_map"),
        ({"src/core/raft/raft.cc": "auto h = std::hash<int>{}(1);\n"}, "an ordered container"),
        ({"src/core/raft/raft.cc": "std::random_device entropy;\n"}, "Prng"),
        ({"src/sim/world.cc": "std::mt19937_64 engine;\n"}, "Prng"),
        ({"src/sim/world.cc": "std::uniform_int_distribution<int> d;\n"}, "Prng"),
        ({"src/sim/world.cc": "std::shuffle(a, b, c);\n"}, "Prng"),
        ({"src/core/host/host.cc": "auto now = std::chrono::steady_clock::now();\n"}, "the Instant of the Input"),
        ({"src/storage/wal.cc": "auto now = time(nullptr);\n"}, "the Instant of the Input"),
        ({"src/server/member.cc": 'getenv("HOME");\n'}, "src/main.cc reads the environment"),
        ({"src/storage/log_store.cc": "std::mutex mutex_;\n"}, "one thread steps the core"),
        ({"src/api/gateway.cc": "std::atomic<int> count;\n"}, "one thread steps the core"),
        ({"src/api/gateway.cc": "co_await next;\n"}, "a later step"),
        ({"src/core/kv/txn.cc": "throw 1;\n"}, "Result"),
        ({"src/core/kv/txn.cc": "double rate = 0;\n"}, "integers"),
        ({"src/core/kv/txn.cc": "std::function<void()> done;\n"}, "an effect, a port"),
        ({"src/core/kv/txn.cc": "std::shared_ptr<int> shared;\n"}, "std::unique_ptr"),
        ({"src/core/kv/txn.cc": "std::cout << 1;\n"}, "TraceLine"),
        ({"src/core/kv/txn.cc": "std::ostringstream out;\n"}, "TraceLine"),
        ({"src/core/kv/txn.cc": "assert(true);\n"}, "ASSERT"),
        ({"src/core/kv/txn.cc": "std::abort();\n"}, "ASSERT"),
        ({"src/core/kv/txn.cc": "auto key = reinterpret_cast<Header*>(p);\n"}, "Encoder and Decoder"),
        ({"src/core/kv/txn.cc": "auto key = uintptr_t(p);\n"}, "addresses differ"),
        ({"src/core/kv/txn.cc": "auto built = __DATE__;\n"}, "reproducible"),
        ({"src/core/kv/txn.h": "  virtual void step() = 0;\n"}, "the interfaces are"),
        ({"src/core/kv/txn.cc": "  static int calls = 0;\n"}, "owns the state"),
        ({"src/core/kv/txn.cc": "static std::map<int, int> seen;\n"}, "owns the state"),
        ({"tests/integration/crash_test.cc": "std::this_thread::sleep_for(pause);\n"}, "waiting for the event itself"),
        ({"src/main.cc": "using namespace std;\n"}, "the names themselves"),
        {"src/core/host/port/files.h": "  virtual void sync() = 0;\n",
         "src/core/kv/txn.cc": "static int depth(int x);\nstatic constexpr int limit = 3;\nstatic_assert(true);\n"
                               "// A double promise, to throw and catch.\nauto text = \"std::thread\";\n"
                               "Instant at = event.time(0);\nvoid run_time(int);\nbool retry = false;\n"
                               "auto out = reinterpret_cast<std::uint8_t*>(p);\n",
         "src/net/network_asio.cc": "std::mutex mutex;\nauto now = std::chrono::steady_clock::now();\n",
         "src/core/kv/txn_test.cc": "double x = 0;\n",
         "src/main.cc": 'std::getenv("ETCD_NAME");\n'}],
    "total_orders": [
        ({"src/core/kv/txn.cc": "  std::sort(ops.begin(), ops.end(), by_key);\n"}, "std::stable_sort"),
        ({"src/core/kv/txn.cc": "  std::nth_element(a, b, c);\n"}, "std::stable_sort"),
        {"src/core/kv/txn.cc": "  // Keys are unique: a total order.\n  std::sort(ops.begin(), ops.end(), by_key);\n",
         "src/core/raft/quorum.cc": "  std::sort(ids.begin(), ids.end());\n  std::stable_sort(a, b, by_key);\n"}],
    "unfinished_marks": [
        ({"src/core/kv/txn.cc": "// TO" "DO: nested ones\n"}, "cannot merge"),
        {"src/core/kv/txn.cc": "// All of it.\n"}],
    "file_size": [
        ({"src/core/kv/txn.cc": "\n" * 501}, "501 lines"),
        {"src/core/kv/txn.cc": "\n" * 500}],
    "columns": [
        ({"src/core/kv/txn.cc": "x" * 121}, "121 columns"),
        {"src/core/kv/txn.cc": "x" * 120, "README.md": "x" * 200}],
    "function_size": [
        ({"src/core/kv/txn.cc": "int f(int x) {\n" + "  ++x;\n" * 100 + "}\n"}, "a function of 101 lines"),
        {"src/core/kv/txn.cc": ("int f(int x) {\n" + "  ++x;\n" * 90 + "}\n") * 2 +
                               "namespace {\n" + "  int x;\n" * 200 + "}\n"}],
    "include_guards": [
        ({"src/core/kv/txn.h": "#pragma once\n"}, "METASTORE_CORE_KV_TXN_H_"),
        {"src/core/kv/txn.h": "#ifndef METASTORE_CORE_KV_TXN_H_\n#define METASTORE_CORE_KV_TXN_H_\n"
                              "#endif  // METASTORE_CORE_KV_TXN_H_\n"}],
    "file_comments": [
        ({"src/core/kv/txn.h": "// Transactions.\n#ifndef X\n"}, "2 to 5 sentences"),
        {"src/core/kv/txn.h": "// Transactions, nested. A branch is chosen before anything is written.\n"}],
    "names": [
        ({"src/core/kv/txn_util.cc": ""}, "'util'"),
        ({"src/core/common/txn.cc": ""}, "'common'"),
        ({"src/core/kv/txn2.cc": "", "src/core/kv/txn_2.cc": ""}, "'2'"),
        ({"src/core/kv/Txn.cc": ""}, "snake_case"),
        {"src/core/kv/txn.cc": "", "src/api/http2_session.cc": ""}],
    "registered": [
        ({"src/core/kv/txn_test.cc": "", "meson.build": "'src/core/kv/txn.cc'"}, "not named in src/core/kv/meson"),
        ({"tests/tidy/new_test.py": "", "meson.build": ""}, "not named in tests/tidy/meson.build"),
        ({"meson.build": "subdir('src')", "tests/meson.build": ""}, "no meson.build above enters"),
        ({"src/core/kv/testdata/put.txt": "", "src/core/kv/txn_test.cc": "",
          "meson.build": "'src/core/kv/txn_test.cc'"}, "reads testdata/"),
        {"src/core/kv/txn_test.cc": "testdata/put.txt", "src/core/kv/testdata/put.txt": "",
         "meson.build": "subdir('src/core/kv') subdir('src/sim') subdir('src/api')",
         "src/core/kv/meson.build": "'txn_test.cc'", "src/sim/world_test.cc": "",
         "src/api/testing/frames.cc": "", "src/api/meson.build": "'testing/frames.cc'",
         "src/sim/meson.build": "foreach name : ['world']\n  name + '_test.cc'"}],
    "titles": [
        ({"README.md": "no title\n"}, "0 titles"),
        ({"README.md": "# One\n# Two\n"}, "2 titles"),
        {"README.md": "# One\n\n```sh\n# a comment\n```\n"}],
    "links": [
        ({"docs/HACKING.md": "[the design](ARCHITECTURE.md)\n"}, "leads nowhere"),
        {"docs/HACKING.md": "[up](../README.md#use), [web](https://etcd.io), [here](#top)\n", "README.md": ""}],
    "code_paths": [
        ({"README.md": "see `src/core/raft/raft.h`\n"}, "does not exist"),
        ({"README.md": "see `core/mvcc/`\n"}, "does not exist"),
        {"README.md": "see `core/kv/`, `kv/txn.h`, `src/core/kv/txn.h`, `member/wal/`\n", "src/core/kv/txn.h": ""}],
    "test_lines": [
        ({"src/core/kv/txn.h": "/// Test: testdata/nested.txt\n"}, "does not exist"),
        {"src/core/kv/txn.h": "/// Test: testdata/nested.txt\n", "src/core/kv/testdata/nested.txt": ""}],
}


class Rules(unittest.TestCase):
    def test_every_rule_has_examples(self):
        self.assertEqual(set(EXAMPLES), set(RULES))
        for name, examples in EXAMPLES.items():
            self.assertTrue(any(isinstance(e, tuple) for e in examples), name)
            self.assertTrue(any(isinstance(e, dict) for e in examples), name)

    def test_examples(self):
        for name, examples in EXAMPLES.items():
            for example in examples:
                files, words = example if isinstance(example, tuple) else (example, None)
                findings = check(SourceTree(files), [name])
                with self.subTest(rule=name, files=files):
                    if words is None:
                        self.assertEqual(findings, [])
                    else:
                        self.assertTrue(findings and all(words in f for f in findings), (words, findings))

    def test_an_exception_excuses_what_it_names_and_nothing_else(self):
        files = {"src/core/kv/txn.cc": "double x;\nthrow 1;\n",
                 EXCEPTIONS: "# comment\nbans | src/core/kv/txn.cc | double | a reason\n"}
        findings = check(SourceTree(files), ["bans"])
        self.assertEqual(len(findings), 1)
        self.assertIn("'throw'", findings[0])

    def test_a_stale_exception_fails(self):
        files = {EXCEPTIONS: "bans | src/core/kv/txn.cc | double | a reason\n"}
        self.assertIn("please remove it", check(SourceTree(files), ["bans"])[0])

    def test_an_exception_wants_a_known_rule_and_a_reason(self):
        for row in ("bans | src/core/kv/txn.cc | double", "bans | a | b | ", "taste | a | b | c"):
            with self.assertRaises(ValueError):
                check(SourceTree({EXCEPTIONS: row}))


if __name__ == "__main__":
    unittest.main()
