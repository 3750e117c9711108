#!/bin/bash
# Contracts: each header compiles alone, with both compilers; every prototype has a comment above it or behind it, or
# belongs to a group without an empty line that opens with one, or carries its meaning in a table's row.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0
third=$(pkg-config --cflags libmariadb) || exit 1
for header in include/zstore/*.h src/*/*_private.h src/cli/cli.h; do
	for cc in gcc clang; do
		command -v $cc >/dev/null || continue
		"$cc" -std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 '-DZS_PROGRAM_VERSION=""' -Wall -Wextra -Werror -Wno-unused \
			-fsyntax-only -Iinclude $third -x c -include "$header" - </dev/null || { echo "$header does not compile alone with $cc"; bad=1; }
	done
done
/usr/bin/python3 - <<'E' || bad=1
import glob, re, sys
bad = count = 0
for path in sorted(glob.glob("include/zstore/*.h")):
    text = open(path, encoding="utf-8").read()
    number = 1
    for group in text.split("\n\n"):
        # a comment becomes one mark, its newlines stay
        code = re.sub(r"/\*.*?\*/", lambda m: "\0" + "\n" * m[0].count("\n"), group, flags=re.S)
        depth, statement, line, commented = 0, "", number, False
        for i, c in enumerate(code):
            commented |= c == "\0"
            depth += (c == "{") - (c == "}")
            line += c == "\n"
            statement += c
            if c != ";" or depth > 0:
                continue
            s = " ".join(re.sub(r"(?m)^\s*#.*$", "", statement.replace("\0", " ")).split())
            statement = ""
            if "(" not in s or re.match(r"(typedef|enum|union|extern \w+ \w+;)|struct \w+ \{", s):
                continue
            count += 1
            if not commented and "\0" not in code[i:].split("\n")[0]:
                bad = 1
                print("%s:%d: no comment: %s" % (path, line, s[:100]))
        number += group.count("\n") + 2
if count < 150:
    bad = 1
    print("only %d prototypes found" % count)
sys.exit(bad)
E
exit $bad
