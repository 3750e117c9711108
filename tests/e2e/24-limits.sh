#!/bin/bash
# What is too long for a snapshot: named and passed over if it is an item, said at once if it was asked for.
. "$(dirname "$0")/lib.sh"
quick_init
mkdir src; echo 1 >src/one
# a path of more than 64 KiB, below directories that are within
/usr/bin/python3 - <<'PY'
import os
d = os.open("src", os.O_RDONLY)
for i in range(262):
    os.mkdir("d" * 250, dir_fd=d)
    below = os.open("d" * 250, os.O_RDONLY, dir_fd=d)
    os.close(d)
    d = below
os.close(os.open("last", os.O_CREAT | os.O_WRONLY, dir_fd=d))
PY
z 3 backup src
err_has 'File name too long'
z 0 snapshots
z 0 extract latest:src/one --stdout
[ "$(cat out)" = 1 ] || die "wrong content"

# more paths than a snapshot describes: said before anything is read
for i in $(seq 70000); do printf 'src/one\0'; done >list
before=$(find repo | sort | sha1sum)
z 1 backup --files-from0 list
err_has 'too many'
[ "$before" = "$(find repo | sort | sha1sum)" ] || die "something was stored"
