"""How files look: their size, width, names, guards and opening words, and that the build knows all of them."""

import os
import re

from source_tree import stem

LINES_MAX = 500
COLUMNS_MAX = 120
FUNCTION_LINES_MAX = 100
FORBIDDEN_WORDS = {"util", "utils", "common", "helper", "helpers", "manager", "impl", "misc", "stuff", "old", "new",
                   "legacy", "deprecated", "2"}


def _is_source(path):
    return path.endswith((".cc", ".h", ".py", ".build", ".proto", ".sh")) or path in ("dev", ".ci/run")


def file_size(tree):
    """The wire vocabulary keeps etcd's division into files, whatever their size."""
    for path in tree:
        if _is_source(path) and not path.endswith(".proto") and len(tree.lines(path)) > LINES_MAX:
            yield path, LINES_MAX + 1, f"{len(tree.lines(path))} lines; past {LINES_MAX} it wants splitting by topic"


def columns(tree):
    for path in tree:
        if _is_source(path):
            for number, line in enumerate(tree.lines(path), 1):
                if len(line) > COLUMNS_MAX:
                    yield path, number, f"{len(line)} columns; {COLUMNS_MAX} are the limit"


def function_size(tree):
    """Formatted code ends a function of namespace level with a brace in the first column."""
    for path in tree.cpp():
        began = None
        for number, line in enumerate(tree.code_lines(path), 1):
            if line.startswith("}"):
                if began and number - began > FUNCTION_LINES_MAX:
                    yield path, began, f"a function of {number - began} lines; {FUNCTION_LINES_MAX} are the limit"
                began = None
            elif re.match(r"[A-Za-z_].*\($|[A-Za-z_].*\(.*[^;}]$", line) and not line.startswith("TEST_CASE"):
                began = number


def include_guards(tree):
    for path in tree.cpp():
        if path.endswith(".h"):
            guard = "METASTORE_" + re.sub(r"\W", "_", path.removeprefix("src/")).upper() + "_"
            text = tree.text(path)
            if f"#ifndef {guard}\n#define {guard}\n" not in text or not text.endswith(f"#endif  // {guard}\n"):
                yield path, 1, f"wants the include guard {guard}, closed by `#endif  // {guard}`"


def file_comments(tree):
    """A header opens with what it is, what it must never do, where the idea is from: two sentences at least."""
    for path in tree.cpp():
        if not path.endswith(".h"):
            continue
        opening = []
        for line in tree.lines(path):
            if not line.startswith("//"):
                break
            opening.append(line.removeprefix("//").strip())
        if len(re.findall(r"[.:?](?:\s|$)", " ".join(opening))) < 2:
            yield path, 1, "opens with 2 to 5 sentences: what this is, what it must never do, where the idea is from"


def names(tree):
    for path in tree:
        # The name of a decision record, a kept document or a package is not a noun of ours.
        if path.startswith(("src/", "tests/", "docs/")):
            for word in re.split(r"[_\-/]", path.rsplit(".", 1)[0].lower()):
                if word in FORBIDDEN_WORDS:
                    yield path, 1, f"{word!r} says nothing: name the file for the noun of the domain that it holds"
        if path.startswith("src/") and not re.fullmatch(r"[a-z0-9_./]+", path):
            yield path, 1, "file names are snake_case"


def _builds_above(tree, path):
    """(meson.build, path as it would write it) of each folder above."""
    place = path
    while place:
        place = os.path.dirname(place)
        build = os.path.join(place, "meson.build")
        if build in tree:
            yield build, os.path.relpath(path, place or ".")


def _is_named(name, text):
    """By itself, or by the rest of it before an ending that a loop adds: 'world' + '_test.cc'."""
    return f"'{name}'" in text or any(
        name.endswith(ending) and f"'{name.removesuffix(ending)}'" in text and f"'{ending}'" in text
        for ending in ("_test.cc", "_fuzz.cc"))


def registered(tree):
    """Every .cc, and every test in Python, is named by a meson.build above it; each testdata/ by a test beside it."""
    for path in tree:
        folder, name = os.path.split(path)
        build = os.path.join(folder, "meson.build")
        script = path.startswith("tests/") and name.endswith("_test.py")
        if path.endswith(".cc") or script:
            if not any(_is_named(inner, tree.text(build)) for build, inner in _builds_above(tree, path)):
                yield path, 1, f"is not named in {build}: dead, or never run"
        if name == "meson.build" and folder and not any(
                f"subdir('{inner}')" in tree.text(build) for build, inner in _builds_above(tree, folder)):
            yield path, 1, "no meson.build above enters this folder"
        if os.path.basename(folder) == "testdata":
            owner = os.path.dirname(folder)
            readers = [p for p in tree if os.path.dirname(p) == owner
                       and (stem(p).endswith("_test") or p.endswith("meson.build"))]
            if not any("testdata" in tree.text(p) for p in readers):
                yield path, 1, f"no test in {owner} reads testdata/"
