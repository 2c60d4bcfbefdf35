#!/usr/bin/env python3
"""What our pure archives need from outside themselves, read from the linker's own tables.

`purity.py ALLOWED --own LIB... --known LIB... --others LIB...`: every symbol that the own archives use and neither they
nor the known ones define must stand in the file ALLOWED with a reason. A row that no archive needs any more fails too.
--others are archives that are not ours but run where ours do: what they need is checked as well.
"""

import argparse
import re
import subprocess
import sys

# Whole families that pure code may use; nothing of std:: is among them, so that each use of it is looked at once.
FAMILIES = ("google::protobuf::",)

_SPELLINGS = [
    ("std::__cxx11::", "std::"),
    ("std::basic_string<char, std::char_traits<char>, std::allocator<char> >", "std::string"),
    ("std::basic_string_view<char, std::char_traits<char> >", "std::string_view"),
    ("absl::lts_20220623::", "absl::"),
]
# Sections of what may change while the program runs. .data.rel.ro is written once, by the loader.
# An entry whose flags hold a d is the section itself.
_MUTABLE = re.compile(
    r"[0-9a-f]+ .{5}[^d]. (?:\.data(?!\.rel\.ro)|\.bss|\.tbss|\.tdata)\S*\t[0-9a-f]+\s+(?:\.hidden )?(.*)$")


def _run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def spelled(symbol):
    """A demangled name as a person would write it."""
    for long, short in _SPELLINGS:
        symbol = symbol.replace(long, short)
    return symbol


def symbols(archives):
    """What the archives together need, with the first object that does, and what they define: demangled names."""
    needed, defined, place = {}, set(), ""
    for archive in archives:
        for line in _run("nm", "--extern-only", "--demangle", archive).splitlines():
            match = re.match(r"(?:[0-9a-f]{16}| {16}) ([A-Za-z]) (.*)$", line)
            if not match:
                place = line.rstrip(":").rsplit("/", 1)[-1] or place
            elif match.group(1) not in "Uwv":
                defined.add(spelled(match.group(2)))
            elif match.group(2) != "_GLOBAL_OFFSET_TABLE_":
                needed.setdefault(spelled(match.group(2)), place)
    return {symbol: by for symbol, by in needed.items() if symbol not in defined}, defined


def mutable_objects(archives):
    """Variables of static storage that are not constant."""
    found = []
    for archive in archives:
        for line in _run("objdump", "--syms", "--demangle", archive).splitlines():
            match = _MUTABLE.match(line)
            if match and not match.group(1).startswith("DW.ref."):  # The compiler's own.
                found.append(spelled(match.group(1)))
    return sorted(set(found))


def parse_allowed(text):
    """Rows of `symbol -- reason`."""
    rows = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            symbol, separator, reason = line.partition(" -- ")
            if not separator or not reason.strip() or "*" in symbol.split("(")[0].replace("operator*", ""):
                raise ValueError(f"line {number}: wants `symbol -- reason`, without wildcards")
            rows[symbol.strip()] = reason.strip()
    return rows


def judge(needed, mutable, allowed):
    """Sentences about what is needed and not allowed, allowed and not needed, or can change."""
    unknown = {symbol for symbol in needed if not _is_of_family(symbol)}
    return ([f"{needed[symbol]} needs {symbol}, which the allow list does not name"
             for symbol in sorted(unknown - set(allowed))]
            + [f"{symbol} is allowed and no longer needed; please remove it"
               for symbol in sorted(set(allowed) - unknown - set(mutable))]
            + [f"{symbol} is a variable of static storage; make it a member" for symbol in mutable
               if symbol not in allowed])


def _is_of_family(symbol):
    """`vtable for google::protobuf::Message` and the like."""
    return re.sub(r"^(vtable|typeinfo|typeinfo name|VTT|guard variable) for ", "", symbol).startswith(FAMILIES)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("allowed")
    parser.add_argument("--own", nargs="+", default=[])
    parser.add_argument("--known", nargs="*", default=[])
    parser.add_argument("--others", nargs="*", default=[])
    options = parser.parse_args()
    needed, _ = symbols(options.own + options.others)
    _, known = symbols(options.known)
    with open(options.allowed, encoding="utf-8") as file:
        allowed = parse_allowed(file.read())
    needed = {symbol: by for symbol, by in needed.items() if symbol not in known}
    findings = judge(needed, mutable_objects(options.own), allowed)
    for finding in findings:
        print(finding)
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
