#!/bin/bash
# Bad input: each with a clear message, the right exit code, and nothing lost.
FAST=1
. "$(dirname "$0")/lib.sh"
mkdir src; echo one >src/one; head -c 300000 /dev/urandom >src/two
quick_init
z 0 backup -q --time 2026-01-01T00:00Z src
one_line() { [ "$(wc -l <err)" -le 2 ] && grep -q '^zstore: ' err || die "not one clear message"; }
bad() { local code=$1; shift; z "$code" "$@"; [ ! -s out ] || die "something on stdout"; one_line; }

# ---- what is no repository
mkdir empty nothing; echo x >nothing/file
for repo in empty nothing missing src/one ''; do
	for command in snapshots check 'ls latest' 'backup src' prune 'extract latest' 'key list' stats; do
		bad 1,2 -r "$repo" $command
	done
done
[ -z "$(ls empty)" ] && [ "$(ls nothing)" = file ] && [ ! -e missing ] || die "something was made"
bad 1 -r empty snapshots
err_has 'empty'
(unset ZSTORE_REPO; z 2 snapshots; err_has 'ZSTORE_REPO') || exit 1
bad 1 init nothing
[ "$(ls nothing)" = file ] || die "init wrote into a directory that is not empty"
bad 1 init src/one
bad 1 init src/one/below
bad 1 init --key-file "$T/key" "$T/repo"
# ---- a newer version
cp -a repo newer; printf '\002' | dd of=newer/config bs=1 seek=4 conv=notrunc status=none
bad 1 -r newer snapshots
err_has 'version'
bad 1 -r newer backup src
# ---- half copied: no config yet; no keys; no packs; a pack cut short
cp -a repo half; rm half/config
bad 4 -r half snapshots
err_has "half copied"
cp -a repo half2; rm -r half2/keys
bad 1,4,6 -r half2 snapshots
for part in packs index; do
	rm -rf half3; cp -a repo half3; rm -r half3/$part
	z 1,4 -r half3 --cache-dir c3 check
	err_has "$part"
	z 1,3,4 -r half3 --cache-dir c3 extract latest -C x3
	[ -z "$(find x3 -type f -size +100k 2>/dev/null)" ] || cmp x3/src/two src/two || die "half a repository gave wrong data"
done
cp -a repo half4; truncate -s 100000 half4/packs/*/*
z 4 -r half4 --cache-dir c4 check
z 4 -r half4 --cache-dir c4 extract latest:src/two -C x4
[ ! -e x4/src/two ] || die "a damaged file stands there"
rm -rf half half2 half3 half4 newer c3 c4 x3 x4
# copied by a tool that forgets empty directories: all is well
cp -a repo bare; find bare -type d -empty -delete
z 0 -r bare check --read-data; z 0 -r bare backup -q src; z 0 -r bare prune
# ---- read-only: everything that reads works, what writes fails clearly
if [ "$(id -u)" = 0 ]; then
	nobody_home
	chmod -R a+rX repo src
	zn 0 snapshots; zn 0 check --read-data; zn 0 ls -R latest; zn 0 extract latest -C back
	same src nobody/back/src
	find repo | sort >before
	zn 1 backup "$T/src"; one_line; err_has 'repo'
	zn 1 forget latest; one_line
	zn 1 prune --keep-last 1; one_line
	zn 1 key add --new-key-file k2; one_line
	zn 0 prune --keep-last 1 --dry-run
	zn 0 backup --dry-run "$T/src"
	find repo | sort | cmp - before || die "a read-only repository changed"
	if mkdir -p mnt && mount --bind repo mnt 2>/dev/null && mount -o remount,bind,ro mnt 2>/dev/null; then
		for command in snapshots check 'ls -R latest' 'extract latest -C back2' stats; do z 0 -r mnt $command; done
		same src back2/src
		z 1 -r mnt backup src; one_line; err_has 'Read-only'
		z 1 -r mnt prune --keep-last 1; one_line
		umount mnt
	fi
	# the cache cannot be written: said, and with another one it goes
	ZSTORE_CACHE_DIR=/proc/none z 1 ls latest; one_line; err_has '/proc'
	# ---- unreadable source files: named, the rest is stored, exit code 3
	mkdir -p nobody/source/closed; echo a >nobody/source/a; echo b >nobody/source/b; echo c >nobody/source/closed/c; echo z >nobody/source/z
	chown -R 65534:65534 nobody/source; chmod 000 nobody/source/b nobody/source/closed
	zn 0 init --no-recovery "$T/nobody/repo"
	zn 3 -r "$T/nobody/repo" backup source
	err_has '^zstore: .*source/b: .*ermission'
	err_has '^zstore: .*source/closed: .*ermission'
	[ "$(wc -l <err)" = 2 ] || die "two items were unreadable"
	out_has 'PARTIAL: 2'
	zn 0 -r "$T/nobody/repo" ls -R latest
	out_has '^source/a$'; out_has '^source/z$'
	chmod 700 nobody/source/b nobody/source/closed
	zn 0 -r "$T/nobody/repo" backup source
	zn 0 -r "$T/nobody/repo" extract latest:source/b --stdout
	[ "$(cat out)" = b ] || die "the file that could be read later"
fi
# ---- sources: vanished, grown, changed while read
bad 1 backup missing
z 3 backup src missing
err_has missing
mkfifo fifo; (cat fifo; echo >done) >/dev/null &
pids=$!
z 0 backup fifo
[ ! -e done ] || die "a fifo was read"
kill $pids; pids=
mkdir grow; : >grow/log; head -c 30000000 /dev/zero | tr '\0' x >grow/big
/usr/bin/python3 -c '
import time
with open("grow/log", "ab", buffering=0) as f, open("grow/big", "ab", buffering=0) as g:
    while True: f.write(b"line %d\n" % time.time_ns()); g.write(b"grown\n"); time.sleep(0.0002)' &
pids=$!
sleep 0.3
for _ in 1 2 3; do
	z 0,3 backup grow
	[ ! -s err ] || err_has 'grow/'
	z 0 extract latest -C grown --overwrite always
	head -c "$(stat -c %s grown/grow/log)" grow/log | cmp - grown/grow/log || die "a growing file was mixed up"
	head -c "$(stat -c %s grown/grow/big)" grow/big | cmp - grown/grow/big || die "a growing big file was mixed up"
done
kill $pids; wait $pids 2>/dev/null; pids=
z 0 backup grow
z 0 extract latest -C grown --overwrite always
same grow grown/grow
# ---- names: newlines, escapes, every byte, 255 bytes, 4,000-byte paths; an empty file and directory
mkdir -p names/dir; : >names/empty-file; mkdir names/empty-dir
/usr/bin/python3 -c '
import os
os.chdir(b"names")
for b in range(1, 256):
    if b != 47: open(b"a" + bytes([b]) + b"z", "w").write(str(b))
open(b"n" * 255, "w").write("long")
open("ü" * 127, "w").write("long too")
for n in (b"..a", b"...", b"-rf", b" ", b"\n", b"\xff\xfe", b"\x1b[2J"): open(n, "w").write("odd")
at = os.getcwd()
for i in range(15):
    os.mkdir(b"p" * 255); os.chdir(b"p" * 255)
open("deep", "w").write("deep")' || die "odd names"
z 0 backup names
err_empty
z 0 extract latest -C named
err_empty
same names named/names
z 0 ls -R latest
LC_ALL=C grep -qP '[\x00-\x09\x0b-\x1f\x7f]' out && die "a control character on the terminal"
grep -q $'\xff' out && die "a byte that is no UTF-8 on the terminal"
z 0 ls -R latest --json
json_is 'len(d) >= 280 and len(set(e.get("path_base64", e["path"]) for e in d)) == len(d)' true
z 3 backup names "$(printf 'gone\033[31m\n')"
LC_ALL=C grep -qP '\x1b' err && die "an escape code in a message"
# deeper than a path may be for a system call
/usr/bin/python3 -c '
import os
os.mkdir("deep"); os.chdir("deep")
for i in range(40): os.mkdir("q" * 200); os.chdir("q" * 200)
open("bottom", "w").write("bottom")'
z 0 backup deep
z 0 extract latest -C deeper
[ "$(cd deeper && find . -name bottom | wc -l)" = 1 ] || die "8,000-byte path"
z 0 check --read-data
# ---- an empty file alone, an empty stream, an empty directory, nothing at all
: >empty-file
z 0 backup empty-file; z 0 extract latest -C e1; [ -f e1/empty-file ] && [ ! -s e1/empty-file ] || die "empty file"
z 0 backup --stdin --name void; z 0 extract latest --stdout; [ ! -s out ] || die "empty stream"
z 0 backup empty; z 0 extract latest -C e2; [ -d e2/empty ] || die "empty directory"
: >no-paths
bad 2 backup --files-from0 no-paths
bad 1,2 backup --files-from0 missing-list
z 3 backup src --files-from0 <(printf 'gone\0')
# ---- clocks: set back ten years, far off, before 1970
z 0 backup --host clock --time 2026-06-01T00:00Z src
echo newer >src/three
z 0 backup --host clock --time 2016-06-01T00:00Z src
z 0 ls latest:clock:src
out_has three
z 0 snapshots --host clock --json
json_is '[e["time"][:4] for e in d]' "['2026', '2016']"
z 0 backup --host clock --time 1969-12-31T23:59:59Z src
z 0 backup --host clock --time 2261-01-01T00:00Z src
z 2 backup --host clock --time 9999999-01-01 src
touch -d '1901-12-14T00:00:00Z' src/one; touch -d '2200-01-01T00:00:00Z' src/two
z 0 backup --host clock src
z 0 extract latest:clock -C times
metadata src >want; metadata times/src >got; cmp want got || { diff want got; die "odd times"; }
z 0 prune --keep-last 2 --group-by host
z 0 check --read-data
# ---- usage of every command
bad 2 frobnicate
err_has 'zstore help'
"$ZSTORE" >out 2>err; [ $? = 2 ] || die "no arguments"
grep -q 'zstore help' err || die "no arguments: where is help?"
z 0 --help; out_has 'commands:'; err_empty
z 0 --version; out_has '^zstore [0-9]'
z 0 help
for c in init backup snapshots ls extract prune forget check key config stats version help; do
	out_has "^  $c "
	z 0 $c --help
	err_empty
	out_has "^usage: zstore $c"
	z 0 help $c
	bad 2 $c --no-such-option
	bad 2 $c -Z
	bad 2 $c --repo
	bad 2 $c --json=yes
	bad 2 $c -r a -r b
	[ $c = version ] || [ $c = help ] || bad 2 $c --progress=sometimes x
	z 0 help
done
bad 2 help nonsense
for c in prune check stats version; do bad 2 $c operand; done
for c in ls forget key; do bad 2 $c; done
bad 2 init a b
bad 2 init --compression lz4 r
bad 2 init --chunk-size file=1,2 r
bad 2 init --chunk-size file=4K,5K,6K r
bad 2 init --chunk-size music=4K,8K,16K r
bad 2 init --pack-size 3 r
bad 2 init --block-size 1G r
[ ! -e r ] || die "a usage error made a repository"
bad 2 check --threads 65
bad 2 snapshots --last x
z 0 -r "$T/repo" snapshots -q --json
z 0 version --json
json_is 'd["format"]' 1
z 0 extract latest:clock:src/two -C final
cmp src/two final/src/two || die "in the end"
