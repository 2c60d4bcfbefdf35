"""A copy of the sources under build/, to which one patch at a time is applied, and what is built of it."""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


class PatchedTree:
    def __init__(self, path):
        self.path = path
        listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                                capture_output=True, text=True).stdout.split("\0")
        self.names = sorted(name for name in listed if name and (ROOT / name).is_file())
        path.mkdir(parents=True, exist_ok=True)

    def restore(self):
        """Only files that differ are written, so that ninja builds only what a patch or an edit has touched."""
        for path in [path for path in self.path.rglob("*") if path.is_file()]:
            if str(path.relative_to(self.path)) not in self.names:
                path.unlink()
        for name in self.names:
            source, target = ROOT / name, self.path / name
            if not target.exists() or target.read_bytes() != source.read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)

    def apply(self, patch):
        """Whether it could be applied."""
        return subprocess.run(["git", "apply", "--directory", self.path.relative_to(ROOT), patch], cwd=ROOT,
                              capture_output=True).returncode == 0

    def configure(self, directory, *options, compiler="g++"):
        """Unless it is."""
        if not (directory / "build.ninja").exists():
            compiler = f"ccache {compiler}" if shutil.which("ccache") else compiler
            subprocess.run(["meson", "setup", directory, self.path, *options], check=True, stdout=subprocess.DEVNULL,
                           env=dict(os.environ, CXX=compiler))


def build(directory, target):
    """Ends the program if it cannot be built."""
    environment = dict(os.environ, CCACHE_BASEDIR=str(ROOT.parent), CCACHE_NOHASHDIR="1")
    jobs = os.environ.get("JOBS", str(os.cpu_count()))
    result = subprocess.run(["ninja", "-C", directory, "-j", jobs, target], env=environment, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        sys.exit(result.stdout)
