#!/usr/bin/env python3
"""./dev on machines that we do not have: packages missing, no root, apt that would remove something.

The script runs in a folder of its own, on a PATH that holds stand-ins for apt and the compilers, and what it calls is
read from their log.
"""

import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOLS = ["awk", "basename", "bash", "cat", "dirname", "env", "find", "grep", "ln", "mkdir", "nproc", "python3", "sed",
         "tee", "tr", "xargs"]
LOGGED = '#!/usr/bin/env bash\necho "$(basename "$0") $*" >>"$LOG"\n'
STAND_INS = {
    # Everything is installed but what $MISSING names.
    "dpkg-query": '#!/usr/bin/env bash\nfor name in "${@:3}"; do\n'
                  '  [[ " ${MISSING:-} " == *" $name "* ]] || printf "installed=%s " "$name"\n'
                  'done\n[[ -z ${MISSING:-} ]]\n',
    "apt-get": LOGGED + '[[ $1 != -s ]] || printf "Inst %s\\n${REMOVED:-}" "${@: -1}"\n',
    "clang-format-19": LOGGED,
    "meson": LOGGED + 'for word in "$@"; do [[ $word != build/* ]] || mkdir -p "$word"; done\n',
    "ninja": LOGGED + 'echo "ninja: no work to do."\n',
}


class Dev(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.tools = os.path.join(self.folder, "bin")
        os.makedirs(self.tools)
        for tool in TOOLS:
            os.symlink(shutil.which(tool), os.path.join(self.tools, tool))
        for name, text in STAND_INS.items():
            self.stand_in(os.path.join("bin", name), text)
        for name in ("src", "tests"):
            os.makedirs(os.path.join(self.folder, name))
        shutil.copy(os.path.join(ROOT, "dev"), self.folder)
        self.stand_in("build/etcd/usr/bin/etcd", "#!/usr/bin/env bash\n")

    def stand_in(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o755)

    def dev(self, *words, as_nobody=False, **environment):
        """(exit status, what it printed, the calls of the stand-ins)."""
        log = os.path.join(self.folder, "log")
        open(log, "w", encoding="utf-8").close()
        identity = {}
        if as_nobody:
            os.chmod(log, 0o666)
            os.chmod(self.folder, 0o777)
            if os.geteuid() == 0:
                identity = {"user": 65534, "group": 65534, "extra_groups": []}
        done = subprocess.run([os.path.join(self.folder, "dev"), *words], capture_output=True, text=True, check=False,
                              env={"PATH": self.tools, "LOG": log, **environment}, **identity)
        with open(log, encoding="utf-8") as file:
            return done.returncode, done.stdout + done.stderr, file.read().splitlines()

    def test_apt_is_not_called_when_nothing_is_missing(self):
        status, _, calls = self.dev("fix")
        self.assertEqual((status, calls), (0, ["clang-format-19 -i"]))

    @unittest.skipUnless(os.geteuid() == 0, "as root")
    def test_what_is_missing_is_installed_after_apt_was_asked_what_it_would_do(self):
        status, _, calls = self.dev("fix", MISSING="git clang-19")
        install = "install -y --no-install-recommends clang-19 git"
        self.assertEqual(status, 0)
        self.assertEqual(calls[:3], ["apt-get update -qq", f"apt-get -s {install}", f"apt-get {install}"])

    @unittest.skipUnless(os.geteuid() == 0, "as root")
    def test_nothing_is_installed_if_a_package_would_be_removed(self):
        status, output, calls = self.dev("fix", MISSING="git", REMOVED="Remv vim [2:9.0]\n")
        self.assertEqual(status, 1)
        self.assertIn("apt would remove vim to install git", output)
        self.assertFalse([call for call in calls if call.startswith("apt-get install")])

    def test_either_of_two_packages_will_do(self):
        self.assertEqual(self.dev("fix", MISSING="libboost-dev")[2], ["clang-format-19 -i"])

    def test_without_root_and_sudo_the_line_is_printed(self):
        status, output, calls = self.dev("fix", as_nobody=True, MISSING="git")
        self.assertEqual((status, calls), (1, []))
        self.assertIn("apt-get update && apt-get install -y --no-install-recommends git\n", output)

    def test_without_root_sudo_is_used(self):
        self.stand_in("bin/sudo", LOGGED + 'exec "$@"\n')
        status, _, calls = self.dev("fix", as_nobody=True, MISSING="git")
        self.assertEqual(status, 0)
        self.assertEqual(calls[:2], ["sudo apt-get update -qq", "apt-get update -qq"])
        self.assertIn("sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends git", calls)

    def test_the_server_needs_no_compiler_of_the_tests(self):
        self.stand_in("build/gcc/src/metastore", '#!/usr/bin/env bash\necho "member $*"\n')
        status, output, calls = self.dev("run", "--name", "a", MISSING="clang-19 libgrpc++-dev doctest-dev")
        self.assertEqual(status, 0)
        self.assertFalse([call for call in calls if call.startswith("apt-get")])
        self.assertIn("-Dpart=product", calls[0])
        self.assertIn("member --name a\n", output)

    def test_the_line_about_what_to_type_next_follows_the_address(self):
        self.stand_in("build/gcc/src/metastore", "#!/usr/bin/env bash\n")
        for words, environment, address in (
                ([], {}, "127.0.0.1:2379"),
                (["--listen-client-urls=http://127.0.0.1:1,http://[::1]:2"], {}, "127.0.0.1:1"),
                (["-listen-client-urls", "http://10.0.0.1:3"], {}, "10.0.0.1:3"),
                ([], {"ETCD_LISTEN_CLIENT_URLS": "http://0.0.0.0:4"}, "127.0.0.1:4"),
                (["--listen-client-urls", "https://a:5"], {"ETCD_LISTEN_CLIENT_URLS": "http://b:6"}, "https://a:5")):
            _, output, _ = self.dev("run", *words, **environment)
            self.assertIn(f"etcdctl --endpoints={address} put greeting hello", output)
        self.assertNotIn("etcdctl", self.dev("run", "--version")[1])

    def test_a_directory_that_holds_the_tests_stays_as_it_is(self):
        self.stand_in("build/gcc/src/metastore", "#!/usr/bin/env bash\n")
        self.dev("build")
        _, _, calls = self.dev("run")
        self.assertFalse([call for call in calls if call.startswith("meson")])

    def test_flags_for_the_simulator_mean_a_run(self):
        self.stand_in("build/gcc/src/sim/metastore-sim", '#!/usr/bin/env bash\necho "sim $*"\n')
        self.assertIn("sim run --seed 1\n", self.dev("sim", "--seed", "1")[1])
        self.assertIn("sim swarm --seeds 1..2\n", self.dev("sim", "swarm", "--seeds", "1..2")[1])

    def test_three_members_are_started_that_know_each_other(self):
        self.stand_in("build/gcc/src/metastore", '#!/usr/bin/env bash\necho "member $*" >>"$LOG"\n')
        status, output, calls = self.dev("cluster", "--log-level=debug")
        peers = ",".join(f"http://127.0.0.1:{port}" for port in (9021, 9022, 9023))
        self.assertEqual(status, 0)
        self.assertEqual(sorted(call for call in calls if call.startswith("member")),
                         [f"member --id={n} --cluster={peers} --grpc-addr=127.0.0.1:{9120 + n} "
                          f"--data-dir=build/cluster/m{n} --log-level=debug" for n in (1, 2, 3)])
        self.assertIn("ETCDCTL_ENDPOINTS=127.0.0.1:9121,127.0.0.1:9122,127.0.0.1:9123\n", output)

    def test_an_unknown_command_is_refused_with_the_usage(self):
        status, output, _ = self.dev("rnu")
        self.assertEqual(status, 2)
        self.assertIn("usage: ./dev COMMAND", output)


if __name__ == "__main__":
    unittest.main()
