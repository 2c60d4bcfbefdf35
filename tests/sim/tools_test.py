"""The simulator's tools: runs written down and told again, shrinking, and the page that shows a run."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import browser

BINARY = sys.argv.pop(1)

# A member that lets no read wait never answers the surveyor.
STUCK = """cluster keys=3 value_bytes_max=7
limit reads_pending_max=0
watchers=1
----
ok

schedule
0s boot member=1
1s put a value=1
2s put b value=1 client=2
3s open_stream watcher=1 member=1
4s kill member=1
5s boot member=1
----
ok

converge
----
pass
"""


def run(*words):
    return subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=300)


class Tools(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_a_seed_that_was_written_down_has_its_hash_when_it_is_told(self):
        plan = self.folder / "plan.txt"
        written = run("run", "--seed", "5", "--print-plan")
        self.assertEqual(written.returncode, 0)
        plan.write_text(written.stdout)
        told = run("run", "--plan", plan)
        self.assertEqual(told.returncode, 0, told.stdout)
        drawn = run("run", "--seed", "5")
        wanted = re.search(r"hash=\w+", drawn.stdout)[0]
        self.assertIn(wanted, told.stdout.splitlines()[-1])

    def test_a_scenario_that_goes_otherwise_than_it_says_fails(self):
        plan = self.folder / "plan.txt"
        plan.write_text("cluster\n----\nok\n\nboot\n----\nok\n\nstatus\n----\n1 is down\n\nconverge\n----\npass\n")
        told = run("run", "--plan", plan)
        self.assertEqual(told.returncode, 1)
        self.assertIn("expected: 1 is down", told.stdout)

    def test_what_a_failure_does_not_need_is_taken_away(self):
        plan, small = self.folder / "stuck.txt", self.folder / "small.txt"
        plan.write_text(STUCK)
        result = run("shrink", "--plan", plan, "-o", small)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"SHRUNK to=\S+ oracle=O8 events=0 faults=0 settings=1 runs=\d+")
        self.assertIn("limit reads_pending_max=0", small.read_text())
        told = run("run", "--plan", small)
        self.assertEqual(told.returncode, 1)
        self.assertIn("oracle=O8", told.stdout)

    def test_two_runs_are_compared_event_by_event(self):
        same = run("compare", "--seed", "5", "--with", BINARY)
        self.assertEqual(same.returncode, 0, same.stdout)
        self.assertRegex(same.stdout, r"^EQUAL \d+ [0-9a-f]{32} PASS$")
        one, other = self.folder / "one.txt", self.folder / "other.txt"
        one.write_text(STUCK)
        other.write_text(STUCK.replace("put b value=1", "put b value=2"))
        differs = run("compare", "--plan", one, "--and-plan", other)
        self.assertEqual(differs.returncode, 1)
        self.assertRegex(differs.stdout, r"^DIVERGED at event \d+, equal up to \d+ [0-9a-f]{32}\n")
        self.assertEqual(len(re.findall(r"^  \[2\.\d+s\] member 1 > .*put", differs.stdout, re.MULTILINE)), 2)

    def test_a_seed_is_compared_with_a_file(self):
        plan = self.folder / "plan.txt"
        plan.write_text(STUCK)
        differs = run("compare", "--seed", "5", "--calm", "--and-plan", plan)
        self.assertEqual(differs.returncode, 1)
        self.assertEqual(differs.stderr, "")
        self.assertRegex(differs.stdout, r"^DIVERGED at event \d+, equal up to ")
        self.assertRegex(differs.stdout, r"\none: .*--seed 5 --calm(.*\n)+other: .*plan.txt.*\n.*member 1 > ")

    def test_what_does_not_fail_is_not_shrunk(self):
        result = run("shrink", "--seed", "5", "-o", self.folder / "small.txt")
        self.assertEqual(result.returncode, 2)
        self.assertIn("it does not fail", result.stderr)


class Page(unittest.TestCase):
    """The page of a run with more than 10,000 events, once for all."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.path = pathlib.Path(cls.folder.name) / "report.html"
        cls.words = ["--seed", "8", "--members", "3"]
        result = run("report", *cls.words, "-o", cls.path)
        assert result.returncode == 0, result.stderr
        cls.page = cls.path.read_text()
        cls.data = json.loads(re.search(r"const data = (\{.*?\});\n</script>", cls.page, re.DOTALL)[1])

    def told_panels(self, moments):
        """What the simulator says of the members at these rising moments."""
        words = [word for moment in moments for word in ("--until-event", str(self.data["moments"][moment][1]))]
        blocks = re.split(r"^event .*\n", run("run", *self.words, *words).stdout, flags=re.MULTILINE)[1:]
        return [block.splitlines() for block in blocks]

    def steps(self):
        """50 forward and 20 back, somewhere in the middle."""
        middle = len(self.data["moments"]) // 2
        return [*range(middle, middle + 50), *range(middle + 48, middle + 28, -1)]

    def test_it_asks_for_nothing_and_holds_as_much_as_it_should(self):
        self.assertNotRegex(self.page, r"https?://|<link[^>]*href=\"(?!data:)|src=|@import|fetch\(|XMLHttp")
        self.assertGreater(len(self.data["happenings"]) + len(self.data["arrows"]), 10_000)
        lanes = self.data["lanes"]
        members = sum(lane.startswith("member ") for lane in lanes)
        self.assertEqual([f"member {1 + number}" for number in range(members)], lanes[:members])
        self.assertGreaterEqual(members, 3)

    def run_script(self, program, runner):
        """The lines that the page's model, and then `program`, print."""
        script = re.findall(r"<script[^>]*>(.*?)</script>", self.page, re.DOTALL)
        path = pathlib.Path(self.folder.name) / "model.js"
        path.write_text(script[0] + script[1] + program)
        result = subprocess.run([runner, path], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.splitlines()

    def test_its_model_says_at_each_step_what_the_simulator_says(self):
        runner = shutil.which("node")
        if runner is None:
            self.skipTest("there is no node to run the page's model with")
        steps = self.steps()
        lines = self.run_script(
            f"const model = new Model(data); for (const at of {steps}) console.log(JSON.stringify(model.panels(at)));\n"
            "console.log(model.find('leads', 0, 1) >= 0, model.find('no such words', 0, 1));", runner)
        self.assertEqual(lines[-1], "true -1")
        wanted = dict(zip(sorted(set(steps)), self.told_panels(sorted(set(steps)))))
        for step, line in zip(steps, lines):
            self.assertEqual(json.loads(line), wanted[step], f"moment {step}")

    def test_a_browser_paints_it_soon_and_without_an_error(self):
        path = browser.find()
        if path is None:
            self.skipTest("there is no Chromium; Debian's package chromium or chromium-headless-shell would do")
        chromium = browser.Browser(path, pathlib.Path(self.folder.name) / "profile")
        self.addCleanup(chromium.close)
        chromium.open(self.path.as_uri())
        painted = chromium.evaluate(
            "new Promise(told => { const look = () => document.body.dataset.painted ?"
            " told(+document.body.dataset.painted) : setTimeout(look, 10); look(); })")
        self.assertLess(painted, 3_000)
        steps = self.steps()
        seen = chromium.evaluate(
            "(() => { const seen = []; const look = () => seen.push("
            "[...document.querySelectorAll('.panel')].map(panel => panel.textContent)); "
            f"go({steps[0]}); look(); "
            "for (let i = 1; i < 50; ++i) { element('forward').click(); look(); } "
            "for (let i = 0; i < 20; ++i) { element('back').click(); look(); } return seen; })()")
        wanted = dict(zip(sorted(set(steps)), self.told_panels(sorted(set(steps)))))
        self.assertEqual(seen, [wanted[step] for step in steps])
        self.assertEqual(chromium.complaints(), [])
        self.assertEqual(chromium.requests(), [self.path.as_uri()])
        self.assertEqual(chromium.evaluate("performance.getEntriesByType('resource').length"), 0)


if __name__ == "__main__":
    unittest.main()
