#!/bin/bash
# Full disks: of the repository, of the cache, of the target.  Nothing that was there is harmed, and prune frees a full disk.
. "$(dirname "$0")/../e2e/lib.sh"
[ "$(id -u)" = 0 ] || skip "mounting needs root"
mkdir mnt; mount -t tmpfs -o size=40m tmpfs mnt 2>/dev/null || skip "cannot mount a tmpfs here"
export ZSTORE_REPO=$T/mnt/repo
mkdir src; head -c 9000000 /dev/urandom >src/a; echo small >src/small
quick_init --pack-size 4M
z 0 backup -q --time 2026-01-01T00:00Z src
cp -a src src.1
head -c 9000000 /dev/urandom >src/b
z 0 backup -q --time 2026-01-02T00:00Z src
cp -a src src.2
intact() { # every snapshot is whole and as it was
	z 0 check --read-data
	for n in 1 2; do
		z 0 snapshots --json
		z 0 extract "$(json "[e['id'] for e in d if e['time'].startswith('2026-01-0$n')][0]")" -C back-$n
		same src.$n back-$n/src
		rm -rf back-$n
	done
}
intact
# a backup that does not fit: exit code 1, said clearly, never "some items skipped"
head -c 60000000 /dev/urandom >src/huge
z 1 backup src
err_has '[Nn]o space\|full'
[ "$(wc -l <err)" -le 3 ] || die "more than a clear message"
z 0 snapshots --json
json_is 'len(d)' 2
z 1 backup src
intact
# filled to the last byte by somebody else: backup fails, reading goes on
rm src/huge; head -c 3000000 /dev/urandom >src/c
dd if=/dev/zero of=mnt/filler bs=4k 2>/dev/null; dd if=/dev/zero of=mnt/filler2 bs=1 count=4096 2>/dev/null
[ "$(df --output=avail -k mnt | tail -1)" -lt 8 ] || die "the disk is not full"
z 1 backup src
err_has '[Nn]o space\|full'
intact
# prune on the full disk frees it, although it has to write
z 0 prune --keep-last 1 --max-unused 0
[ "$(df --output=avail -k mnt | tail -1)" -gt 1000 ] || die "prune freed nothing: $(df -k mnt | tail -1)"
rm -rf src.1 src.2; mkdir src.2; z 0 extract latest -C now; rm -rf now
z 0 check --read-data
rm mnt/filler mnt/filler2
z 0 backup -q src
z 0 extract latest -C back
same src back/src
z 0 check --read-data
rm -rf back
# nothing is left of the attempts
[ -z "$(ls mnt/repo/tmp mnt/repo/sessions | grep -v :)" ] || die "leftovers: $(ls mnt/repo/tmp mnt/repo/sessions)"
# full in the middle of a repack of a pack with little dead in it: nothing lost
rm src/c; z 0 backup -q src
dd if=/dev/zero of=mnt/filler bs=4k 2>/dev/null
z 0,1 prune --keep-last 1 --max-unused 0
z 0 extract latest -C back; same src back/src; rm -rf back
rm mnt/filler
z 0 prune --keep-last 1 --max-unused 0
z 0 check --read-data
# init on a full disk makes no repository
dd if=/dev/zero of=mnt/filler bs=4k 2>/dev/null
"$ZSTORE" init --no-recovery --key-file "$T/key" "$T/mnt/second" >out 2>err && die "init on a full disk"
err_has '[Nn]o space\|full'
[ ! -e mnt/second/config ] || die "half a repository"
rm mnt/filler
z 0 init --no-recovery "$T/mnt/second"
rm -rf mnt/second
# a full cache disk: said; the repository is unharmed; with room again it goes on
rm -rf src/* cache; mkdir -p src/many; /usr/bin/python3 -c '
import random
r = random.Random(1)
for i in range(3000): open("src/many/%d" % i, "wb").write(r.randbytes(900))'
umount mnt; rmdir mnt; mkdir mnt; mount -t tmpfs -o size=300k tmpfs mnt || skip "cannot mount a second time"
export ZSTORE_REPO=$T/repo2 ZSTORE_CACHE_DIR=$T/mnt/cache
z 0 init --no-recovery
"$ZSTORE" backup src >out 2>err; code=$?
case $code in
0) ;;
1) err_has '[Nn]o space\|full\|index\|MDB' ;;
*) die "full cache disk: exit code $code" ;;
esac
ZSTORE_CACHE_DIR=$T/cache2 z 0 check --read-data
ZSTORE_CACHE_DIR=$T/cache2 z 0 backup -q src
ZSTORE_CACHE_DIR=$T/cache2 z 0 extract latest -C back
same src back/src
# a full target disk: exit code 1 or 3, what failed is named, nothing half made stands there
umount mnt; mount -t tmpfs -o size=3m tmpfs mnt || skip "cannot mount a third time"
export ZSTORE_CACHE_DIR=$T/cache2
head -c 2000000 /dev/urandom >src/big1; head -c 2000000 /dev/urandom >src/big2
z 0 backup -q src
z 1,3 extract latest -C mnt/back
err_has '[Nn]o space'
out_lacks '^restored 3002 files'
( cd mnt/back && find . -type f ) | while read -r f; do cmp -s "mnt/back/$f" "$f" || echo "$f"; done >half
[ ! -s half ] || die "half made: $(head -3 half)"
"$ZSTORE" extract latest:src/big1 --stdout >/dev/full 2>err && die "a full standard output"
err_has 'space'
exit 0
