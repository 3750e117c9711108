#!/bin/bash
# Plain text: no marks of unfinished work, no blanks at the end of a line, one newline at the end of a file, tabs to indent
# C.  clang-format is not asked: it is advice, not a rule.
set -u
cd "$(dirname "$0")/../.." || exit 1
/usr/bin/python3 - <<'E' || exit 1
import os, re, sys
bad = checked = 0

def complain(path, number, what):
    global bad
    bad = 1
    print("%s:%d: %s" % (path, number, what))

roots = ["src", "include", "tests", "man", "bench", "store-format", ".ci"]
files = [os.path.join(d, f) for r in roots for d, _, fs in os.walk(r) for f in fs]
files += [f for f in os.listdir(".") if os.path.isfile(f)]
kinds = (".c", ".h", ".sh", ".py", ".md", ".1", ".5", ".build", ".txt", ".yml", ".yaml", ".ini")
marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b(?!-\d)")
for path in sorted(files):
    if "/corpus/" in path or "/vectors/" in path or "__pycache__" in path or not path.endswith(kinds):
        continue
    checked += 1
    text = open(path, "rb").read()
    try:
        text = text.decode("utf-8")
    except UnicodeDecodeError:
        complain(path, 1, "is no UTF-8")
        continue
    if text and not text.endswith("\n"):
        complain(path, text.count("\n") + 1, "no newline at the end")
    if text.endswith("\n\n"):
        complain(path, text.count("\n"), "empty lines at the end")
    for n, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip():
            complain(path, n, "blanks at the end of the line")
        if marks.search(line):
            complain(path, n, "unfinished work: " + line.strip()[:60])
        if path.endswith((".c", ".h")) and re.match(r"\t* {8}|\t* +\t", line):
            complain(path, n, "blanks where a tab belongs")
if checked < 100:
    complain(".", 0, "only %d files found" % checked)
sys.exit(bad)
E
