#!/usr/bin/env python3
"""The purity check sees what a compiled object needs: `purity_test.py COMPILER...`."""

import os
import subprocess
import sys
import tempfile
import unittest

from purity import judge, mutable_objects, parse_allowed, symbols

COMPILER = ["g++"]


def compiled(folder, name, source):
    """An archive of one object made of `source`."""
    base = os.path.join(folder, name)
    with open(base + ".cc", "w", encoding="utf-8") as file:
        file.write(source)
    subprocess.run(COMPILER + ["-std=c++20", "-O2", "-fPIC", "-c", base + ".cc", "-o", base + ".o"], check=True)
    subprocess.run(["ar", "rcs", base + ".a", base + ".o"], check=True)
    return base + ".a"


class Purity(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def test_a_clock_is_seen(self):
        archive = compiled(self.folder, "clock", """
            #include <time.h>
            long now() { timespec at; clock_gettime(CLOCK_MONOTONIC, &at); return at.tv_nsec; }""")
        needed, _ = symbols([archive])
        self.assertIn("clock.o needs clock_gettime, which the allow list does not name", judge(needed, [], {}))

    def test_a_hidden_clock_entropy_and_thread_are_seen(self):
        archive = compiled(self.folder, "hidden", """
            #include <chrono>
            #include <random>
            #include <thread>
            long now() { return std::chrono::steady_clock::now().time_since_epoch().count(); }
            unsigned draw() { return std::random_device{}(); }
            void spawn() { std::thread(now).detach(); }""")
        needed, _ = symbols([archive])
        findings = "\n".join(judge(needed, [], {}))
        for word in ("steady_clock::now()", "random_device::_M_getval()", "std::thread::_M_start_thread"):
            self.assertIn(word, findings)

    def test_what_another_own_archive_defines_is_not_needed(self):
        user = compiled(self.folder, "user", "int given(); int use() { return given(); }")
        giver = compiled(self.folder, "giver", "int given() { return 1; }")
        self.assertEqual(symbols([user])[0], {"given()": "user.o"})
        self.assertEqual(symbols([user, giver])[0], {})

    def test_a_static_variable_is_seen_and_a_constant_is_not(self):
        archive = compiled(self.folder, "static", """
            #include <array>
            #include <string_view>
            int calls;
            int count() { static int inner = 7; return ++inner + ++calls; }
            thread_local int here;
            int visit() { return ++here; }
            constexpr std::array<std::string_view, 2> words = {"a", "b"};
            const std::string_view* first() { return words.data(); }""")
        found = " ".join(mutable_objects([archive]))
        for name in ("calls", "inner", "here"):
            self.assertIn(name, found)
        self.assertNotIn("words", found)
        self.assertIn("make it a member", judge({}, mutable_objects([archive]), {})[0])

    def test_a_row_that_is_not_needed_fails(self):
        self.assertEqual(judge({"memcpy": "a.o"}, [], {"memcpy": "copies"}), [])
        self.assertIn("please remove it", judge({}, [], {"memcpy": "copies"})[0])

    def test_protobuf_is_a_family_and_std_is_none(self):
        family = {"google::protobuf::Message::Clear()": "a.o", "vtable for google::protobuf::Message": "a.o"}
        self.assertEqual(judge(family, [], {}), [])
        self.assertEqual(len(judge({"std::string::clear()": "a.o"}, [], {})), 1)
        for row in ("std::* -- all of it", "memcpy --", "memcpy"):
            with self.assertRaises(ValueError):
                parse_allowed(row)


if __name__ == "__main__":
    COMPILER = sys.argv[1:] or COMPILER
    unittest.main(argv=sys.argv[:1])
