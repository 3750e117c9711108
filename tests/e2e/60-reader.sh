#!/bin/bash
# The second reader (store-format/reader.py), which was written from the specification alone, reads what zstore wrote.
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import nacl.bindings, xxhash, zstandard' 2>err || skip "needs python3-nacl, python3-xxhash, python3-zstandard: $(tail -1 err)"
reader_py=$here/../store-format/reader.py
secret=(--key-file "$T/key")
# r CODE ARGS...: run the reader on $ZSTORE_REPO; as z
r() {
	local want=$1 got
	shift
	/usr/bin/python3 -B "$reader_py" "$ZSTORE_REPO" "${secret[@]}" "$@" >"$T/out" 2>"$T/err"
	got=$?
	[ "$got" = "$want" ] || die "reader.py $*: exit $got, not $want"
	! grep -q Traceback "$T/err" || die "reader.py $*: crashed"
}
attributes() { (cd "$1" && getfattr -d -m - -R -h . 2>/dev/null); }
# both_extract ID: by zstore, by the reader from index objects, by the reader from packs: all the same; left in back/z
both_extract() {
	rm -rf back
	z 0 extract "$1" -C back/z
	r 0 extract "$1" back/index
	err_empty
	cp out ops
	r 0 --from-packs extract "$1" back/packs
	err_empty
	cmp out ops || die "the ops differ"
	metadata back/z >want
	attributes back/z >want.x
	for how in index packs; do
		same back/z back/$how
		metadata back/$how >got; cmp want got || { diff want got | head; die "metadata of $1 ($how)"; }
		attributes back/$how >got.x; cmp want.x got.x || { diff want.x got.x | head; die "attributes of $1 ($how)"; }
	done
}

/usr/bin/python3 -B "$reader_py" vectors "$here/../store-format/vectors" >out 2>err || die "vectors"
out_has '^\([0-9]*\) of \1 vectors agree$'

# the first day: mail, and all kinds of content
sample src --messages 60
odd=src/odd
mkdir -p $odd/empty $odd/names/a
/usr/bin/python3 - $odd <<'PY'
import base64, os, random, sys
rng, top = random.Random(7), os.fsencode(sys.argv[1])
def put(name, data):
    with open(os.path.join(top, os.fsencode(name)), "wb") as f: f.write(data)
head = b"From: a@example.org%sTo: b@example.org%sSubject: lines%sMessage-ID: <%d@example.org>%sDate: Mon, 01 Jan 2024 10:00:00 +0000%s%s"
for i, (width, size, end, last) in enumerate([(1, 700, b"\n", True), (3, 4000, b"\r\n", True), (61, 5000, b"\n", True), (70, 300001, b"\r\n", True),
        (76, 300002, b"\n", False), (76, 40000, b"\r\n", False), (77, 5003, b"\r\n", True), (500, 70000, b"\n", True), (997, 9998, b"\r\n", False), (998, 9999, b"\n", False)]):
    text = base64.b64encode(rng.randbytes(size))
    lines = end.join(text[j:j + width] for j in range(0, len(text), width))
    put("width-%d-%d.eml" % (width, i), head % (end, end, end, i, end, end, end) + lines + end * last)
box = b""
for i in range(40):
    body = base64.encodebytes(rng.randbytes(2000)) if i % 3 == 0 else b"some text, line %d\n" % i * rng.randrange(200)
    box += b"From a@example.org Mon Jan  1 10:00:%02d 2024\n" % i + head % (b"\n", b"\n", b"\n", 100 + i, b"\n", b"\n", b"\n") + body + b"\n"
put("all.mbox", box)
for n in (0, 1, 1023, 1024, 1025, 65536, 3000000): put("size-%d" % n, rng.randbytes(n))
put("zeros", bytes(2000000))
for n in (b"names/a!", b"names/a/b", b"names/a b", b"names/new\nline", b"names/back\\slash", b"names/\xff\xfe", b"names/-x", b"names/" + b"n" * 255,
          "names/für Übersee".encode(), b"names/hex:41", b"names/tab\t\x1b[31m"):
    put(os.fsdecode(n), n)
PY
truncate -s 70M $odd/sparse; printf middle | dd of=$odd/sparse bs=1 seek=30000000 conv=notrunc status=none
truncate -s 1M $odd/only-hole
ln -s ../accounts $odd/link; ln -s /nowhere $odd/dangling; mkfifo $odd/fifo
ln $odd/size-3000000 $odd/second-name; ln $odd/size-1 $odd/names/second-small
setfattr -n user.one -v 1 $odd/size-1 2>/dev/null && setfattr -n user.binary -v 0x00ff0a $odd/empty && setfattr -n user.none $odd/zeros
chmod 4751 $odd/size-1024; chmod 3770 $odd/empty; chmod 0 $odd/size-1025
touch -d '1960-01-01 00:00:00.25' $odd/size-1023; touch -hd '2001-02-03 04:05:06.789' $odd/link; touch -d '2040-01-01 00:00:00.000000001' $odd/names $odd

# three kinds of secret
z 0 init --recovery-code-to "$T/code"
z 0 key add --new-key-file "$T/key"
(umask 077; printf '%s\n' "$ZSTORE_PASSPHRASE" >pass; printf 'wrong\n' >wrong)
export ZSTORE_KEY_FILE=$T/key
z 0 backup --host h1 src
first=$(snapshot_id -1)
both_extract "$first"
same src back/z/src
metadata src >want; metadata back/index/src >got; cmp want got || { diff want got | head; die "metadata"; }
[ "$(stat -c %h back/index/$odd/second-name)" = 2 ] || die "hard link"
[ "$(stat -c %b back/index/$odd/sparse)" -lt 200 ] || die "the hole was written"
for op in 'b64 [0-9]' 'b64 tail' 'b64 crlf [0-9]' 'b64 crlf tail' hole raw skeleton take; do grep -q "ops:.*$op" ops || { cp ops out; die "no $op"; }; done

# the second day: changed, partial, by another host; an older time; a stream
cp -a src yesterday
sample src --next-day
printf changed >$odd/size-1025; rm $odd/size-65536; head -c 100000 /dev/urandom >>$odd/size-3000000
z 3 backup --host h1 src no-such-directory
second=$(snapshot_id -1)
z 0 backup --host h2 --time 2001-01-01T00:00Z --tag old src/odd
third=$(snapshot_id -1)
z 0 backup --host h2 --command --name dumps/one -- cat $odd/all.mbox
fourth=$(snapshot_id -1)
z 0 backup --host h3 --exclude '/*' /
fifth=$(snapshot_id -1)
for secret in "--key-file $T/key" "--passphrase-file $T/pass" "--recovery-code-file $T/code"; do
	read -ra secret <<<"$secret"
	r 0 snapshots
	err_empty
	[ ! -e listed ] || cmp listed out || die "another secret, another list"
	cp out listed
done
secret=(--passphrase-file "$T/wrong"); r 1 snapshots; err_has 'no key slot'
secret=(--key-file "$T/key")
z 0 snapshots --json
json '"\n".join(s["id"][:12] for s in d)' >want
grep -v '^ ' listed | cut -c 1-12 | cmp - want || die "snapshots"
grep "^$second.* partial=1 " listed >/dev/null || die "partial"
for id in "$first" "$second" "$third" "$fourth" "$fifth"; do
	both_extract "$id"
	case $id in
	"$first") same yesterday back/index/src ;;
	"$second") same src back/index/src ;;
	"$third") same src/odd back/index/src/odd ;;
	"$fourth") cmp $odd/all.mbox back/index/dumps/one || die "stream" ;;
	"$fifth") [ -z "$(ls back/index)" ] || die "empty snapshot" ;;
	esac
	r 0 ls "$id"
	[ "$(wc -l <out)" = "$(cd back/index; find . -mindepth 1 -printf x | wc -c)" ] || die "ls $id"
done
r 0 cat "$first" src/odd/sparse; cmp out yesterday/odd/sparse || die "cat"
r 1 cat "$first" src/odd/none
r 1 extract "$first" src
err_has 'not empty'

# a removal is known; a loss is said; what prune leaves can be read
mv "repo/snapshots/$third" saved
r 0 snapshots
err_has "$third.* was lost"
mv saved "repo/snapshots/$third"
z 0 forget "$second"
r 0 snapshots
err_empty
z 0 prune --keep-last 1
z 0 snapshots --json
json '"\n".join(s["id"] for s in d)' >left
while read -r id; do both_extract "$id"; done <left
r 0 snapshots
err_empty

# damage: a byte of each pack, of an index object, of a snapshot
flip() { # flip FILE OFFSET
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	printf "\\x$(printf %02x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
for pack in "$T"/repo/packs/*/*; do
	cp -p "$pack" saved
	flip "$pack" $(($(stat -c %s "$pack") / 3)) # whatever is there: the name is a hash of all
	bad=0
	while read -r id; do
		/usr/bin/python3 -B "$reader_py" repo "${secret[@]}" extract "$id" bad.$bad >out 2>err || { bad=1; err_has 'corrupt: .*pack.*name is not the hash'; }
		rm -rf bad.*
	done <left
	[ $bad = 1 ] || die "a flipped byte in $pack was not noticed"
	r 1 --from-packs ls latest
	err_has 'name is not the hash'
	cp -p saved "$pack"
done
for object in repo/index/* repo/snapshots/* repo/config; do
	cp -p "$object" saved
	flip "$object" 90
	r 1 ls latest
	err_has corrupt
	cp -p saved "$object"
done
r 0 ls latest

# a recipe of a recipe of a recipe; nothing compressed; many small packs
export ZSTORE_REPO=$T/small ZSTORE_CACHE_DIR=$T/cache2
mkdir deep; head -c 7000000 /dev/urandom >deep/random; yes | head -c 3000000 >deep/yes
z 0 init --no-recovery --chunk-size file=64,64,64 --compression none --block-size 64K --pack-size 1M
z 0 backup deep
r 0 ls latest
out_has 'recipe+2.*deep/random'
both_extract latest
same deep back/index/deep
# a forged pack, under the name that its bytes hash to: everything here is live, so the seals must tell
pack=$(find small/packs -type f | sort | head -1)
forge() { # forge OFFSET MESSAGE
	cp -p "$pack" saved
	flip "$pack" "$1"
	name=$(/usr/bin/python3 -c 'import hashlib, sys; print(hashlib.blake2b(open(sys.argv[1], "rb").read(), digest_size=32).hexdigest())' "$pack")
	mkdir -p "small/packs/${name:0:2}"
	mv "$pack" "small/packs/${name:0:2}/$name"
	r 1 --from-packs extract latest forged
	err_has "corrupt: .*$2"
	rm -rf forged "small/packs/${name:0:2}/$name"
	cp -p saved "$pack"
}
size=$(stat -c %s "$pack")
forge 50 'pack key does not open'
forge 100 'commitment of the pack'
forge $((size / 3)) 'seal is broken'
forge $((size - 60)) 'seal is broken'
forge $((size - 1)) 'seal is broken'
same deep back/index/deep
exit 0
