#!/bin/bash
# Names: what a layer's library defines for others is called zs_* and is in a contract, or, for its own neighbours, is
# called after the layer or one of its files; no name is defined twice.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${BUILD:?a build directory}"
/usr/bin/python3 - "$BUILD" <<'E' || exit 1
import glob, os, re, subprocess, sys
bad, owner, libraries = 0, {}, 0
build = sys.argv[1]

def complain(text):
    global bad
    bad = 1
    print(text)

declared = "".join(open(h, encoding="utf-8").read() for h in glob.glob("include/zstore/*.h"))
for source in sorted(glob.glob("src/*/meson.build")):
    layer = source.split("/")[1]
    library = "%s/src/%s/libzs_%s.a" % (build, layer, layer)
    if layer == "cli":
        continue
    if not os.path.exists(library):
        complain("%s is missing" % library)
        continue
    libraries += 1
    stems = [os.path.basename(f)[:-2] for f in glob.glob("src/%s/*.c" % layer)]
    text = subprocess.run(["nm", "--extern-only", "--defined-only", "--format=posix", library],
                          capture_output=True, text=True, check=True).stdout
    for line in text.splitlines():
        word = line.split()
        if len(word) < 2 or line.endswith(":") or word[0].startswith("_"):  # _: the compiler's
            continue
        name = word[0]
        if owner.setdefault(name, layer) != layer:
            complain("%s is defined in %s and %s" % (name, owner[name], layer))
        if name.startswith("zs_"):
            if not re.search(r"\b%s\b" % name, declared):
                complain("%s: %s is in no contract" % (layer, name))
        elif not any(name.startswith(s + "_") for s in stems + [layer]):
            complain("%s: %s is called after none of its files" % (layer, name))
if libraries < 13 or len(owner) < 200:
    complain("only %d libraries with %d names found" % (libraries, len(owner)))
sys.exit(bad)
E
