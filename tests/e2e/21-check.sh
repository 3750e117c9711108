#!/bin/bash
# check: damage of every kind is found and named; what is not damaged still comes out; the local index is only a cache.
FAST=1
. "$(dirname "$0")/lib.sh"
sample src --messages 30
head -c 1500000 /dev/urandom >src/random
quick_init --pack-size 1M
z 0 key add --new-key-file second
z 0 backup -q --time 2026-01-01T00:00Z src
head -c 700000 /dev/urandom >src/later
z 0 backup -q --time 2026-01-02T00:00Z src
z 0 backup -q --time 2026-01-03T00:00Z src
z 0 forget -q latest
z 0 check
err_empty
out_has '^2 snapshots, .* packs: no errors$'
z 0 check --read-data --json
err_empty
json_is 'd["findings"]' 0
json_is 'd["read_data"]' true
json_is 'd["snapshots"]' 2
json_is 'd["bytes"] > 2000000' true
for n in 1 3; do z 0 check --read-data --threads $n; done
cp -a repo good

flip() { # flip FILE OFFSET (negative: from the end)
	/usr/bin/python3 -c 'import os, sys
p, at = sys.argv[1], int(sys.argv[2]); n = os.path.getsize(p); os.chmod(p, 0o600)
with open(p, "r+b") as f: f.seek(at % n); b = f.read(1)[0]; f.seek(at % n); f.write(bytes([b ^ 0x10]))' "$1" "$2"
}
heal() { rm -rf repo; cp -a good repo; }
short() { local n; n=$(basename "$1"); echo "${n:0:12}"; }
# found CODE OBJECT [ARGS]: check says so and names the object
found() {
	local code=$1 object=$2
	shift 2
	z "$code" check "$@"
	err_has "$(short "$object")"
	[ "$code" != 4 ] || grep -q DAMAGED err || err_has 'zstore: '
}

# packs, index objects, snapshots, removals: flipped at the beginning, in the middle, at the end; truncated; longer; empty; gone
for type in packs index snapshots removed; do
	object=$(cd repo && find $type -type f | sort | head -1)
	[ -n "$object" ] || die "no object in $type"
	size=$(stat -c %s repo/$object)
	for at in 0 $((size / 2)) -1; do
		flip repo/$object $at
		found 4 $object --read-data
		heal
	done
	for length in $((size - 1)) $((size / 2)) 0; do
		truncate -s $length repo/$object
		found 4 $object --read-data
		heal
	done
	echo more >>repo/$object
	found 4 $object --read-data
	heal
done
# a pack that is gone is noticed without reading data, one of another length as well
for pack in $(cd repo && find packs -type f | sort); do
	rm repo/$pack; found 4 $pack; heal
	truncate -s -1 repo/$pack; found 4 $pack; heal
done
# a flip in a pack is found by --read-data only, and the JSON says so
pack=$(cd repo && find packs -type f -printf '%s %p\n' | sort -n | tail -1 | cut -d' ' -f2) # full of the large file's blocks
flip repo/$pack 400000
z 4 check --read-data --json
json_is 'd[-1]["findings"] >= 1' true
json_is "any('$(short "$pack")' in e.get('finding', '') for e in d)" true
# what lies elsewhere is given back; what cannot be is named, and nothing half made stands under its name
z 4 extract latest -C partly
damaged=$(grep -c '^zstore: src/' err)
[ "$damaged" -ge 1 ] || die "no file is named"
[ "$damaged" -lt "$(find src -type f | wc -l)" ] || die "everything is damaged"
(cd partly && find . -type f) | while read -r f; do cmp "partly/$f" "$f" || exit 1; done || die "wrong data"
missing=$(diff <(cd src && find . -type f | sort) <(cd partly/src && find . -type f | sort) | grep -c '^<')
[ "$missing" = "$damaged" ] || die "$damaged named, $missing missing"
z 4 extract latest --stdout
heal; rm -rf partly

# an index object that is gone: its chunks are found missing, or read from the packs again; never wrong
object=$(cd repo && find index -type f | sort | head -1)
rm repo/$object
z 0,4 check
if "$ZSTORE" --cache-dir cache.fresh extract latest -C back >out 2>err; then same src back/src; else err_has 'zstore: '; fi
heal; rm -rf back cache.fresh

# a snapshot that is damaged: named; the other one is listed and comes out
z 0 snapshots --json
old=$(json 'd[0]["id"]') new=$(json 'd[1]["id"]')
flip repo/snapshots/$old 40
z 4 snapshots
err_has "$(short $old)"
out_has "^${new:0:12}"
z 4 check
# prune must not take what a snapshot that cannot be read may need
find repo/packs -type f | sort >before
"$ZSTORE" prune --keep-last 1 --max-unused 0 >out 2>err && die "prune with a damaged snapshot succeeded"
find repo/packs -type f | sort | cmp - before || die "prune deleted packs although a snapshot is damaged"
heal
# a snapshot that is gone without a record: said, as the repository may have been set back
rm repo/snapshots/$new
z 0 snapshots
err_has 'warning'
heal

# key slots: a damaged one that is not ours is found; if it is ours, the other secret opens
mine=$(z 0 key list --json; json '[k["id"] for k in d if k["current"]][0]')
other=$(json '[k["id"] for k in d if not k["current"]][0]')
for at in 0 20 -1; do
	flip repo/keys/$other $at
	# the keys in a slot are closed to who does not have its secret: only what is around them can be checked
	if [ $at != -1 ]; then
		z 4 check
		err_has "$(short $other)"
	fi
	z 4,6 --key-file second snapshots
	[ -s err ] || die "a damaged slot: no message"
	z 0 extract latest -C back; same src back/src; rm -rf back
	heal
	flip repo/keys/$mine $at
	z 4,6 snapshots
	[ -s err ] || die "own slot damaged: no message"
	z 0 --key-file second snapshots
	if [ $at != -1 ]; then
		z 4 --key-file second check
		err_has "$(short $mine)"
	fi
	heal
done
rm repo/keys/$mine
z 6 snapshots
heal
# config: without it there is no repository; damaged it is an error
size=$(stat -c %s repo/config)
for at in 0 $((size / 3)) $((size / 2)) -1; do
	flip repo/config $at
	z 1,4,6 check
	[ -s err ] || die "config damaged at $at: no message"
	heal
done
: >repo/config
z 1,4 check
[ -s err ] || die "an empty config: no message"
heal
# swapped objects: a pack under another pack's name, a snapshot's content under another's name
set -- $(cd repo && find packs -type f | sort | head -2)
cp repo/$1 tmp; cp repo/$2 repo/$1; cp tmp repo/$2
z 4 check --read-data
err_has "$(short "$1")"
err_has "$(short "$2")"
heal
cp repo/snapshots/$old tmp; cp -f tmp repo/snapshots/$new
z 4 check
err_has "$(short $new)"
heal
# objects of other kinds of names in the way are no damage
touch repo/packs/README repo/snapshots/.tmp-123; mkdir -p repo/lost+found
z 0 check
heal

sleep 2.1 # what changed less than two seconds ago has no identity yet: the tree would change with the clock
# the local index and memory (not the writer's id beside them): deleted, damaged, of another repository: made again without a word, and right
for harm in 'rm -rf cache' 'find cache/*/ -type f -exec truncate -s 0 {} +' 'find cache -name data.mdb -exec truncate -s 5000 {} +' \
	'for f in $(find cache -name "*.mdb"); do flip $f 5000; flip $f 100; flip $f 16; done' 'for f in $(find cache/*/ -type f); do echo rubbish >$f; done' \
	'for f in $(find cache/*/ -type f -size +0 ! -name "*.mdb"); do flip $f 0; done' \
	'find cache -name data.mdb -exec cp /bin/ls {} \;' 'rm -rf cache; mkdir -p cache; chmod 700 cache'; do
	eval "$harm"
	"$ZSTORE" extract latest -C back >out 2>err || die "extract after: $harm"
	same src back/src
	rm -rf back
	[ -z "$(grep -v 'index' err)" ] || die "a message that is not about the index after: $harm"
	z 0 check
	z 0 backup -q --force src
	z 0 backup -q --force --json src
	json_is 'd["added_bytes"]' 0
done
z 0 check --read-data
