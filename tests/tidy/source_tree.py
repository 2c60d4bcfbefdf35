"""The files that the house rules look at, as plain text by path, and what several rules want to know about them.

A tree is a value: the real one is read from disk, the examples of the rules' own tests are written in place.
"""

import os
import re

SKIPPED_FOLDERS = {".git", "build", "__pycache__"}
READ_ENDINGS = (".cc", ".h", ".py", ".md", ".txt", ".build", ".proto", ".sh")
OUTSIDE_SUFFIXES = ("asio", "posix", "lmdb", "openssl")

_COMMENT_OR_LITERAL = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)" | "(?:\\.|[^"\\\n])*"
     | (?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'""",
    re.DOTALL | re.VERBOSE)


class SourceTree:
    def __init__(self, files):
        self.files = dict(sorted(files.items()))

    def __iter__(self):
        return iter(self.files)

    def __contains__(self, path):
        return path in self.files

    def text(self, path):
        return self.files[path]

    def lines(self, path):
        return self.files[path].splitlines()

    def code_lines(self, path):
        """The lines of a C++ file without its comments and literals; line numbers stay."""
        return _COMMENT_OR_LITERAL.sub(_blank, self.files[path]).splitlines()

    def cpp(self, *folders):
        """The C++ files below any of the folders; all of them without a folder."""
        return [path for path in self.files
                if path.endswith((".cc", ".h")) and (not folders or path.startswith(folders))]


def _blank(match):
    text = match.group(0)
    if text.startswith("/"):
        return " " + "\n" * text.count("\n")
    # An include's name is a literal too, and rules read it from the text itself.
    return '""' + "\n" * text.count("\n")


def read_tree(root):
    files = {}
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS and not f.endswith(".metastore"))
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), root)
            if os.path.islink(os.path.join(root, path)):
                continue
            if name.endswith(READ_ENDINGS) or path in ("dev", ".ci/run"):
                with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
                    files[path] = file.read()
            else:
                files[path] = ""
    return SourceTree(files)


def stem(path):
    return os.path.basename(path).rsplit(".", 1)[0]


def is_test(path):
    """Tests and fuzz targets lie beside the code, and may do what the code may not."""
    return path.startswith("tests/") or stem(path).endswith(("_test", "_fuzz"))


def outside_suffix(path):
    """`posix` for files_posix.cc: the part of the outside world that a file says it touches, or None."""
    words = stem(path).removesuffix("_test").split("_")
    return words[-1] if len(words) > 1 and words[-1] in OUTSIDE_SUFFIXES else None


def is_composition_root(path):
    """The two mains name both the core and the world."""
    return path in ("src/main.cc", "src/sim/main.cc")


def is_pure(path):
    return path.startswith("src/") and not is_test(path) and not outside_suffix(path) and not is_composition_root(path)


def includes(tree, path):
    """(line number, name, is_quoted) of each include."""
    for number, line in enumerate(tree.lines(path), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^">]+)[">]', line)
        if match:
            yield number, match.group(2), match.group(1) == '"'
