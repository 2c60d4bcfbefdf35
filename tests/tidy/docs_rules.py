"""Documents tell the truth: one title each, links that resolve, and paths of code that exist."""

import os
import re

_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(r"`([\w.\-]+(?:/[\w.\-]+)*(?:/|\.(?:cc|h|py|md|txt|proto|build)))`")
_TEST_LINE = re.compile(r"^\s*(?://+|#)\s*Test:\s+([\w./]+\.\w+)")


def _documents(tree):
    return [path for path in tree if path.endswith(".md")]


def titles(tree):
    for path in _documents(tree):
        found = re.findall(r"^# ", _FENCE.sub("", tree.text(path)), re.MULTILINE)
        if len(found) != 1:
            yield path, 1, f"has {len(found)} titles (`# ...`); a document has one"


def links(tree):
    for path in _documents(tree):
        for number, line in enumerate(tree.lines(path), 1):
            for target in _LINK.findall(line):
                target = target.split("#")[0]
                if target and "://" not in target and not target.startswith("mailto:"):
                    place = os.path.normpath(os.path.join(os.path.dirname(path), target))
                    if not _exists(tree, place):
                        yield path, number, f"the link {target} leads nowhere"


def code_paths(tree):
    """A path in backticks with a folder in it is one of ours, from the top, from src/ or from src/core/."""
    for path in _documents(tree):
        for number, line in enumerate(tree.lines(path), 1):
            for name in _PATH.findall(line):
                tops = ("src/", "tests/", "docs/", "core/", "net/", "storage/", "api/", "server/", "sim/")
                if name.startswith(tops) and not any(_exists(tree, top + name) for top in ("", "src/", "src/core/")):
                    yield path, number, f"{name} does not exist"


def test_lines(tree):
    """`Test: x` in a comment names a file that exists, beside the code or from the top."""
    for path in tree.cpp():
        for number, line in enumerate(tree.lines(path), 1):
            match = _TEST_LINE.match(line)
            if match and not any(_exists(tree, p) for p in
                                 (match.group(1), os.path.join(os.path.dirname(path), match.group(1)))):
                yield path, number, f"{match.group(1)} does not exist"


def _exists(tree, place):
    place = place.rstrip("/")
    return place in tree or any(path.startswith(place + "/") for path in tree)
