#!/usr/bin/env python3
"""The runner of documents notices a block that fails, and starts and stops a member as a reader would."""

import os
import subprocess
import sys
import tempfile
import unittest

RUNNER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "blocks.py")

# Stands in for ./dev: a member that says that it is ready, and a hint that leaves a trace when it is executed.
DEV = """#!/usr/bin/env bash
echo "Try, in another terminal: touch hinted"
echo "ready to serve client requests on $ETCD_LISTEN_CLIENT_URLS $*"
exec tail -f /dev/null
"""


class Blocks(unittest.TestCase):
    def run_document(self, text, dev=DEV):
        with tempfile.TemporaryDirectory() as root:
            with open(os.path.join(root, "dev"), "w", encoding="utf-8") as file:
                file.write(dev)
            os.chmod(os.path.join(root, "dev"), 0o755)
            with open(os.path.join(root, "README.md"), "w", encoding="utf-8") as file:
                file.write(text)
            done = subprocess.run([sys.executable, RUNNER, root, "README.md"],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(sorted(os.listdir(root)), ["README.md", "dev"])
            return done.returncode, done.stdout

    def test_blocks_run_in_order_in_one_shell(self):
        status, _ = self.run_document("# T\n```sh\nx=1\n```\nthen\n```sh\n[[ $x == 1 ]]\ntouch made\n```\n"
                                      "```text\nfalse\n```\n")
        self.assertEqual(status, 0)

    def test_a_failing_block_is_named_by_its_line(self):
        status, output = self.run_document("# T\n\n```sh\ntrue\n```\n\n```sh\ntrue\nfalse\ntrue\n```\n")
        self.assertEqual(status, 1)
        self.assertIn("README.md:7: a block fails", output)

    def test_a_failing_pipe_is_noticed(self):
        self.assertEqual(self.run_document("# T\n```sh\nfalse | true\n```\n")[0], 1)

    def test_a_member_runs_beside_the_blocks_on_a_port_of_its_own(self):
        status, _ = self.run_document("""# T
```sh
./dev run --name one &
```
```sh
test -e hinted
grep 'ready .* --name one$' member.log
test "$ETCD_LISTEN_CLIENT_URLS" = http://127.0.0.1:2379
! grep 127.0.0.1:23\\79 member.log
./dev run --name two
grep 'ready .* --name two$' member.log
```
""")
        self.assertEqual(status, 0)

    def test_a_member_that_ends_is_noticed(self):
        status, output = self.run_document("# T\n```sh\n./dev run\n```\n",
                                           "#!/usr/bin/env bash\necho port taken\nexit 1\n")
        self.assertEqual(status, 1)
        self.assertIn("port taken", output)

    def test_a_missing_hint_is_noticed(self):
        status, output = self.run_document("# T\n```sh\n./dev run\n```\n", DEV.replace("Try", "Do"))
        self.assertEqual(status, 1)
        self.assertIn("does not say what to type next", output)


if __name__ == "__main__":
    unittest.main()
