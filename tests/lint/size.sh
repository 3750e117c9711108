#!/bin/bash
# Sizes in src: no file over 600 lines; no function over 80; in each layer a mean of at most 25 and nine in ten under 50.
# Exceptions are named here, with a reason.
set -u
cd "$(dirname "$0")/../.." || exit 1
/usr/bin/python3 - <<'E' || exit 1
import glob, re, sys
EXCEPTIONS = {}  # "src/x/y.c": "function"; none so far
bad, all_sizes = 0, []

def complain(text):
    global bad
    bad = 1
    print(text)

def functions(path):
    """(name, first line, lines): a body opens with '{' and ends with '}' in column one, by the style."""
    lines = open(path, encoding="utf-8").read().split("\n")
    start = head = None
    for n, line in enumerate(lines):
        if line == "{" and start is None:
            head = n - 1
            while head > 0 and (lines[head].startswith(("\t", "    ")) or not re.search(r"\w+\(", lines[head])):
                head -= 1
            start = n
        elif line.startswith("}") and start is not None:
            name = re.findall(r"(\w+)\(", lines[head])
            yield (name[0] if name else "?"), head + 1, n - head + 1
            start = None

for path in sorted(glob.glob("src/*/*.[ch]") + glob.glob("include/zstore/*.h")):
    count = sum(1 for _ in open(path, encoding="utf-8"))
    if count > 600:
        complain("%s: %d lines" % (path, count))
layers = {}
for path in sorted(glob.glob("src/*/*.c")):
    for name, line, n in functions(path):
        layers.setdefault(path.split("/")[1], []).append(n)
        all_sizes.append(n)
        if n > 80 and EXCEPTIONS.get(path) != name:
            complain("%s:%d: %s has %d lines" % (path, line, name, n))
layers["all layers"] = all_sizes
for layer, sizes in layers.items():
    mean, share = sum(sizes) / len(sizes), sum(n < 50 for n in sizes) / len(sizes)
    print("%-11s %4d functions, mean %4.1f, longest %2d, %3.0f %% under 50" % (layer, len(sizes), mean, max(sizes), 100 * share))
    if mean > 25 or share < 0.9:
        complain("%s: functions are too long" % layer)
if len(all_sizes) < 300:
    complain("only %d functions found" % len(all_sizes))
sys.exit(bad)
E
