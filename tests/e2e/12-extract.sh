#!/bin/bash
# extract: where to, what of it, over what, as what; and that nothing leaves the target.
. "$(dirname "$0")/lib.sh"
sample src --messages 40
mkdir -p src/odd/empty
ln -s ../accounts src/odd/link; ln -s /nowhere src/odd/dangling; mkfifo src/odd/fifo
echo one >src/odd/one; ln src/odd/one src/odd/two; truncate -s 3M src/odd/hole; echo x >>src/odd/hole
head -c 2500000 /dev/urandom >src/odd/big; cp src/odd/big src/odd/big-again
chmod 640 src/odd/one; chmod 2751 src/odd; touch -d '2001-02-03 04:05:06.789' src/odd/one src/odd/empty src/odd
quick_init
z 0 backup --time 2026-01-01T00:00Z --host h1 src
first=$(snapshot_id -1)
z 0 extract latest -C whole
err_empty
out_has '^restored '
same src whole/src
metadata src >want; metadata whole/src >got; cmp want got || { diff want got | head; die "metadata"; }
[ "$(stat -c %h whole/src/odd/one)" = 2 ] || die "hard link"
[ "$(stat -c %b whole/src/odd/hole)" -lt 200 ] || die "the hole was written"
files=$(find src -type f | wc -l)
z 0 extract --json latest -C whole-json
json_is 'd["files"]' "$files"
json_is 'd["failed"]' 0
json_is 'd["dry_run"]' false
# into the current directory
mkdir here; cd here || exit 1
z 0 extract latest:src/odd
cd ..
same src/odd here/src/odd
[ "$(ls here/src)" = odd ] || die "more than was asked for"

# one path, several, a file; one inside the other; the same twice
eml=$(cd src && find . -name '*.eml' | sort | head -1); eml=src/${eml#./}
z 0 extract "latest:$eml" -C one
cmp "$eml" "one/$eml" || die "one file"
[ "$(find one -type f | wc -l)" = 1 ] || die "one file only"
z 0 extract latest:src/odd latest:src/odd/one "latest:$eml" latest:/src/odd/../odd/two "$first:./$eml" -C several
same src/odd several/src/odd
cmp "$eml" "several/$eml" || die "several"
[ "$(find several -name '*.eml' | wc -l)" = 1 ] || die "several: too much"
# several snapshots: the later operand wins with --overwrite always
echo changed >src/odd/one
z 0 backup --time 2026-02-01T00:00Z --host h2 src
second=$(snapshot_id -1)
z 0 extract "$second:src/odd/one" -C s2
[ "$(cat s2/src/odd/one)" = changed ] || die "second snapshot"
z 0 extract "$first:src/odd/one" "$second:$eml" -C s12
[ "$(cat s12/src/odd/one)" = one ] && cmp "$eml" "s12/$eml" || die "two snapshots"
z 0 extract latest:h1:src/odd/one --stdout
[ "$(cat out)" = one ] || die "latest:HOST:PATH"
z 0 extract "latest:h1:src/odd/one" -C h1; [ "$(cat h1/src/odd/one)" = one ] || die "latest:HOST"

# --stdout: contents in path order
z 0 extract latest:src/odd/big latest:src/odd/one --stdout
err_empty
cat src/odd/big src/odd/one | cmp - out || die "--stdout"
z 0 extract latest:src/odd/hole --stdout
cmp out src/odd/hole || die "--stdout of a hole"
# --strip
z 0 extract latest:src --strip 1 -C strip1
same src strip1
z 0 extract latest:src/odd --strip 2 -C strip2
same src/odd strip2
z 0 extract latest:src/odd/one --strip 9 -C strip9
[ -z "$(find strip9 -type f 2>/dev/null)" ] || die "--strip 9"
# --exclude
z 0 extract latest -C ex --exclude '*.eml' -e '/src/odd/big*' -e 'empty/'
[ -z "$(find ex -name '*.eml')" ] && [ -n "$(find ex -name '*.meta')" ] && [ ! -e ex/src/odd/big ] && [ ! -e ex/src/odd/empty ] &&
	[ -e ex/src/odd/one ] || die "--exclude"
# --dry-run writes nothing
z 0 extract latest -C dry --dry-run --json
[ ! -e dry ] || die "--dry-run made the directory"
json_is 'd["files"]' "$files"
json_is 'd["dry_run"]' true
z 0 extract latest -C dry -n
out_has 'would restore'

# --overwrite
over() { # over RULE: a tree with one file changed, one newer, one older, one missing
	rm -rf over; cp -a src over.src; mkdir over; mv over.src over/src
	echo local-change >over/src/odd/one; touch -d 2030-01-01 over/src/odd/one
	echo older-local >over/src/odd/two.tmp; mv over/src/odd/two.tmp over/src/odd/two; touch -d 1990-01-01 over/src/odd/two
	rm over/src/odd/big; echo mine >over/src/odd/mine
	z 0 extract latest -C over --overwrite "$1" --json
}
over always
same src/odd/empty over/src/odd/empty
[ "$(cat over/src/odd/one over/src/odd/two)" = "$(printf 'changed\nchanged')" ] && cmp src/odd/big over/src/odd/big || die always
[ "$(cat over/src/odd/mine)" = mine ] || die "a file of ours was removed"
over never
[ "$(cat over/src/odd/one over/src/odd/two)" = "$(printf 'local-change\nolder-local')" ] && cmp src/odd/big over/src/odd/big || die never
json_is 'd["left_alone"] > 10' true
over newer
[ "$(cat over/src/odd/one)" = local-change ] || die "newer: overwrote a newer file"
[ "$(cat over/src/odd/two)" = changed ] || die "newer: kept an older file"
over if-different
[ "$(cat over/src/odd/one over/src/odd/two)" = "$(printf 'changed\nchanged')" ] || die if-different
json_is 'd["left_alone"] > 10' true
rm over/src/odd/mine
same src over/src
z 0 extract latest -C over --json
json_is 'd["files"] - d["left_alone"] <= 0 or d["left_alone"] > 10' true

# --tar
if "$ZSTORE" extract latest --tar >all.tar 2>err; then
	err_empty
	mkdir untar; tar --xattrs --acls -xpf all.tar -C untar
	same src untar/src
	metadata untar/src >got; metadata src >want
	cmp want got || { diff want got | head; die "metadata through tar"; }
	z 0 extract latest:src/odd --tar --strip 1; cp out t.tar
	[ "$(tar -tf t.tar | sort | head -2 | tr '\n' ' ')" = "odd/ odd/big " ] || die "--tar --strip"
	z 2 extract "$first:src/odd" "$second:src/odd" --tar
	z 2 extract latest --tar --stdout
	err_has 'choose one'
fi

# --message-id, with and without brackets; unknown; by snapshot
id=$(sed -n 's/^Message-ID: <\(.*\)>.*/\1/p' "$eml" | tr -d '\r')
z 0 extract --message-id "$id" --stdout
cmp "$eml" out || grep -q "$id" out || die "--message-id"
grep -q "Message-ID: <$id>" out || die "--message-id: another message"
[ "$(grep -c '^Message-ID:' out)" = 1 ] || die "--stdout: more than one copy"
cp out m1; z 0 extract --message-id "<$id>" --stdout "$first"; cmp m1 out || die "with brackets"
z 0 extract --message-id "$id" -C mid
[ "$(find mid -type f | wc -l)" = "$(grep -lr --include='*.eml' "^Message-ID: <$id>" src | wc -l)" ] || die "--message-id: number of copies"
z 1 extract --message-id no-such@id --stdout
err_has 'no-such@id in any snapshot'
# one that was deleted: from the newest snapshot that has it; or from whichever of those that are named
mkdir -p gone && printf 'From: a@x.org\nMessage-ID: <gone@x>\nSubject: gone\n\nbody\n' >gone/1.eml && echo x >gone/2
z 0 backup gone
with=$(snapshot_id -1); mv gone/1.eml gone.eml
z 0 backup gone
z 0 extract --message-id gone@x --stdout
cmp -s out gone.eml || die "a deleted message"
err_has 'found in snapshot'
z 1 extract --message-id gone@x --stdout latest
err_has 'in latest'
z 0 extract --message-id gone@x --stdout latest "$with"
cmp -s out gone.eml || die "a deleted message among two snapshots"
z 1 extract --message-id gone@x --stdout latest latest
err_has 'in these snapshots'
[ ! -s out ] || die "something on stdout"
z 0 forget latest; z 0 forget latest

# what is not there
z 1 extract latest:no/such/path -C nope
err_has 'no/such/path'
z 1 extract latest:src/odd/one/below -C nope
z 1 extract 0123456789abcdef -C nope
err_has '0123456789'
z 2 extract nonsense -C nope
z 2 extract
err_has 'zstore extract'
z 2 extract latest --overwrite sometimes -C nope
z 2 extract latest --strip -1 -C nope
z 2 extract latest --stdout -C nope
[ ! -e nope ] || [ -z "$(ls nope)" ] || die "something was written"
# one missing among several: nothing at all is restored, as with one
z 1 extract latest:src/odd/one latest:missing -C nope2
err_has missing
[ ! -e nope2/src ] || die "half of what was asked for"
# the target is a file; the directory cannot be made
echo f >file
z 1 extract latest -C file
err_has 'file'

# symbolic links in the way are not followed
mkdir -p way/src outside; echo keep >outside/one; ln -s ../../outside way/src/odd
z 3 extract latest:src/odd/one -C way --overwrite never
err_has 'src/odd'
[ -L way/src/odd ] || die "--overwrite never replaced a symbolic link"
z 0 extract latest:src/odd/one -C way
[ ! -L way/src/odd ] && [ "$(cat way/src/odd/one)" = changed ] || die "a link where a directory belongs"
[ "$(ls outside)" = one ] && [ "$(cat outside/one)" = keep ] || die "wrote through a symbolic link"
mkdir -p way2/src/odd; echo keep >victim; ln -s ../../../victim way2/src/odd/one
z 0 extract latest:src/odd/one -C way2 --overwrite always
[ "$(cat victim)" = keep ] && [ ! -L way2/src/odd/one ] && [ "$(cat way2/src/odd/one)" = changed ] || die "a link as the last component"
mkdir -p way3/src/odd; ln victim way3/src/odd/one
z 0 extract latest:src/odd/one -C way3 --overwrite always
[ "$(cat victim)" = keep ] || die "wrote into a hard-linked file"
mkdir -p way4; ln -s ../outside way4/src
z 0 extract latest:src/odd -C way4
[ "$(ls outside)" = one ] || die "a directory through a symbolic link"
# the target itself may be one
mkdir real; ln -s real linked; z 0 extract latest:src/odd/one -C linked; [ -e real/src/odd/one ] || die "-C a symbolic link"
# a directory stands where a file belongs: an error, or replaced only if empty; the rest comes
mkdir -p dir/src/odd/one/full; touch dir/src/odd/one/full/x
z 3 extract latest:src/odd -C dir
err_has 'src/odd/one'
cmp src/odd/big dir/src/odd/big || die "the rest"

# as an ordinary user: contents, modes and times come back, owners cannot: said by the exit status or not at all
if [ "$(id -u)" = 0 ]; then
	chown -R 1234:1234 src/odd
	mkdir -p src/closed; echo x >src/closed/file; chmod 500 src/closed
	z 0 backup --host nobody src
	nobody_home
	chmod -R a+rX "$T/repo" "$T/src" 2>/dev/null
	zn 0 extract latest -C back
	same src nobody/back/src
	[ "$(stat -c %u nobody/back/src/odd/one)" = 65534 ] || die "owner"
	[ "$(stat -c %a nobody/back/src/closed)" = 500 ] || die "mode of a closed directory"
	[ "$(stat -c %Y nobody/back/src/odd/empty)" = "$(stat -c %Y src/odd/empty)" ] || die "time"
	mkdir -m 700 private; echo x >private/x
	zn 1 extract latest -C "$T/private/below"
	err_has 'private'
fi
