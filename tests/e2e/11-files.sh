#!/bin/bash
# Every kind of file and its metadata comes back.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || skip "needs root for owners and devices"
mkdir -p src/deep src/empty-dir
cd src || exit 1
echo plain >plain; : >empty; ln -s plain sym; ln -s /nowhere/at/all dangling; ln plain deep/hard; ln plain deep/hard2
mkfifo fifo; mknod null c 1 3; mknod blk b 7 200
/usr/bin/python3 -c 'import socket; s=socket.socket(socket.AF_UNIX); s.bind("sock")'
truncate -s 10M sparse; printf data | dd of=sparse bs=1 seek=5000000 conv=notrunc status=none
head -c 3000000 /dev/urandom >random
chmod 4755 plain; chmod 1777 deep; chmod 0 empty; chown 1234:5678 empty; chown daemon:mail random
touch -d '1999-12-31 23:59:59.123456789' random; touch -h -d '1980-01-02 03:04:05.000000001' sym
xattrs=1; setfattr -n user.note -v 'a value' plain 2>/dev/null && setfattr -n user.empty random || xattrs=
acls=1; setfacl -m u:1234:r random 2>/dev/null && setfacl -d -m g:5678:rx deep || acls=
echo x >"$(printf 'nl\nname')"; echo x >"$(printf 'esc\033[31mred')"; echo x >"$(printf 'latin1-\374')"; echo x >' lead and trail '
echo x >-dash; echo x >"$(printf '%0255d' 0)"
( p=; for i in $(seq 30); do n=$(printf 'd%0130d' "$i"); mkdir "$n" && cd "$n" || exit 1; done; echo deep >bottom ) || exit 1
touch -d '2001-02-03' deep empty-dir .
cd .. || exit 1

z 0 init
z 0 backup src
err_empty
z 0 extract latest -C back
err_empty
same src back/src
metadata src >want; metadata back/src >got
cmp want got || { diff want got | head; die "metadata differs"; }
[ "$(stat -c %i back/src/plain)" = "$(stat -c %i back/src/deep/hard)" ] || die "hard link"
[ "$(stat -c %b back/src/sparse)" -lt 2000 ] || die "sparse file came back with $(stat -c %b back/src/sparse) blocks"
[ -z "$xattrs" ] || [ "$(getfattr --only-values -n user.note back/src/plain)" = 'a value' ] || die xattr
[ -z "$acls" ] || cmp <(cd src && getfacl -R random deep) <(cd back/src && getfacl -R random deep) || die ACL
# names on a terminal and in JSON
z 0 ls latest:src
out_has '^nl\\nname$'
out_has 'esc\\x1b\[31mred'
out_has 'latin1-\\xfc'
z 0 ls --json latest:src
json_is 'sorted(e["path_base64"] for e in d if "path_base64" in e)' "['c3JjL2xhdGluMS38']"
# unchanged the second time (after the racy seconds)
sleep 2.1; z 0 backup src; z 0 backup --json src
json_is 'd["read_bytes"]' 0
json_is 'd["files_new"] + d["files_changed"]' 0
# a file replaced by another of the same size and mtime is noticed
cp -p src/random keep; head -c 3000000 /dev/urandom >src/random; touch -r keep src/random
z 0 backup --json src
json_is 'd["files_changed"]' 1
z 0 extract latest:src/random --stdout
cmp out src/random || die "a change was missed"
# the old content is still there
z 0 snapshots --json
old=$(json 'd[0]["id"]')
z 0 extract "$old:src/random" --stdout
cmp out keep || die "the old content"
