#!/bin/bash
# What may include what: a layer's files only their own private headers, their own contract and those that the layer's
# row names (house style, section 1), with what those use; a third-party header only in the directory that it belongs to.
set -u
cd "$(dirname "$0")/../.." || exit 1
/usr/bin/python3 - <<'E' || exit 1
import glob, os, re, sys
ROWS = {
    "base": "", "format": "base", "codec": "base", "chunk": "codec", "mail": "chunk format", "backend": "base",
    "index": "format", "store": "format codec backend index", "tree": "format", "pipeline": "base", "source": "base format",
    "target": "base format", "work": "chunk mail store tree pipeline source target", "cli": "work",
}
OWNERS = {  # third-party header: the one directory that includes it
    "zstd.h": "codec", "sodium.h": "codec", "lmdb.h": "index", "xxhash.h": "base", "jansson.h": "source",
    "mysql.h": "source", "errmsg.h": "source", "mysqld_error.h": "source", "ldap.h": "source", "curl/curl.h": "source", "lber.h": "source", "ini.h": "cli",
    "expat.h": "source", "zlib.h": "source", "openssl/evp.h": "source",
    "archive.h": "target", "archive_entry.h": "target",
}
THREADS = {"pipeline", "store", "index", "backend", "target", "source", "work", "cli"}
bad = count = 0

def complain(text):
    global bad
    bad = 1
    print(text)

def closure(layer):
    out = {layer}
    for below in ROWS[layer].split():
        out |= closure(below)
    return out

def is_system(name):
    return (name in ("stddef.h", "stdint.h", "stdarg.h", "limits.h", "stdatomic.h", "stdbool.h", "immintrin.h") or
            re.fullmatch(r"(sys/|linux/|netinet/)?[a-z0-9]+\.h", name) and
            any(os.path.exists(d + name) for d in ["/usr/include/"] + glob.glob("/usr/include/*-linux-gnu/")))

for path in sorted(glob.glob("src/*/*.[ch]") + glob.glob("include/zstore/*.h")):
    contract = path.startswith("include/")
    layer = os.path.basename(path)[:-2] if contract else path.split("/")[1]
    if layer not in ROWS:
        complain("%s: no row for layer %s" % (path, layer))
        continue
    allowed = closure(layer)
    for n, line in enumerate(open(path, encoding="utf-8"), 1):
        m = re.match(r"\s*#\s*include\s+([<\"])([^>\"]+)[>\"]", line)
        if not m:
            continue
        count += 1
        name, where = m[2], "%s:%d" % (path, n)
        if name.startswith("zstore/"):
            if name[7:-2] not in allowed:
                complain("%s: %s is not below %s" % (where, name, layer))
        elif m[1] == '"':
            if contract or not os.path.exists(os.path.join(os.path.dirname(path), name)):
                complain("%s: private header %s of another place" % (where, name))
        elif name in OWNERS:
            if contract or OWNERS[name] != layer:
                complain("%s: %s belongs to src/%s" % (where, name, OWNERS[name]))
        elif name == "pthread.h":
            if contract or layer not in THREADS:
                complain("%s: threads are not for %s" % (where, layer))
        elif not is_system(name):
            complain("%s: unknown header %s" % (where, name))
if count < 200:
    complain("only %d includes found" % count)
sys.exit(bad)
E
