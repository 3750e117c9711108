#!/bin/bash
# No space for temporary files while extracting: an error, and nothing half made stands under its name.
. "$(dirname "$0")/lib.sh"
mkdir mnt src
mount -t tmpfs -o size=1m tmpfs mnt 2>/dev/null || skip "cannot mount a tmpfs"
quick_init
for i in $(seq 1 2000); do
	echo "file $i" >src/$i
	head -c 1500 /dev/urandom >>src/$i
done
z 0 backup src
for kib in 16 60 100; do
	mount -o remount,size=${kib}k mnt
	TMPDIR=$T/mnt z 1 extract latest -C out.$kib
	err_has 'No space left'
	left=$(find out.$kib -type f | wc -l)
	[ "$left" = 0 ] || die "$left files are left"
done
mount -o remount,size=20m mnt
TMPDIR=$T/mnt z 0 extract latest -C back
same src back/src
