#!/bin/bash
# The main job with nothing optional: also run against the build with every option off.
. "$(dirname "$0")/lib.sh"
sample src --messages 30
z 0 init
out_has 'Recovery code'
err_empty
z 0 backup src
out_has 'snapshot [0-9a-f]\{12\} saved'
err_empty
z 0 extract latest -C back
err_empty
same src back/src
z 0 version
out_has 'format 1'
z 0 check --read-data
out_has 'no errors'
# without libarchive --tar says so; with it, the archive is complete
if "$ZSTORE" extract latest --tar >a.tar 2>err; then
	mkdir tarred && tar -xf a.tar -C tarred && same src tarred/src
else
	[ $? = 2 ] || die "extract --tar without libarchive"
	err_has 'without'
fi
