#!/usr/bin/env python3
"""Checks the house rules on a tree: `check.py ROOT`. Prints what breaks them and ends with status 1 if anything does.

exceptions.txt holds what may break a rule for now, a reason each. It is a ratchet: an exception that excuses nothing
any more fails as well.
"""

import os
import sys

import ban_rules
import docs_rules
import form_rules
import include_rules
from source_tree import read_tree

# name -> function(tree) that yields (path, line, sentence).
RULES = {rule.__name__: rule for rule in (
    include_rules.include_directions, include_rules.includes_resolve, include_rules.include_cycles,
    include_rules.suffix_law, ban_rules.bans, ban_rules.total_orders, ban_rules.unfinished_marks, form_rules.file_size,
    form_rules.columns, form_rules.function_size, form_rules.include_guards, form_rules.file_comments,
    form_rules.names, form_rules.registered, docs_rules.titles, docs_rules.links, docs_rules.code_paths,
    docs_rules.test_lines)}

EXCEPTIONS = "tests/tidy/exceptions.txt"


def parse_exceptions(text):
    """Rows of `rule | path | words of the finding | reason`. Returns rows with their line numbers."""
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            fields = [field.strip() for field in line.split("|")]
            if len(fields) != 4 or not all(fields) or fields[0] not in RULES:
                raise ValueError(f"{EXCEPTIONS}:{number}: wants `rule | path | words of the finding | reason`")
            rows.append((number, *fields))
    return rows


def check(tree, rules=None):
    """All findings as lines, what is excused left out and stale excuses put in."""
    rows = parse_exceptions(tree.text(EXCEPTIONS)) if EXCEPTIONS in tree else []
    findings, used = [], set()
    for name in rules or RULES:
        for path, line, sentence in RULES[name](tree):
            excuses = [row for row in rows if row[1] == name and row[2] == path and row[3] in sentence]
            used.update(row[0] for row in excuses)
            if not excuses:
                findings.append(f"{path}:{line}: {sentence} [{name}]")
    for row in rows:
        if row[0] not in used and (rules is None or row[1] in rules):
            findings.append(f"{EXCEPTIONS}:{row[0]}: excuses nothing any more; please remove it [ratchet]")
    return findings


def main():
    findings = check(read_tree(sys.argv[1] if len(sys.argv) > 1 else os.getcwd()))
    for finding in findings:
        print(finding)
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
