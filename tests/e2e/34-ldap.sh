# A directory there and back: export, slapadd into an empty one, entry by entry equal; limits, rights, renames while reading, live
# profile, the server's own configuration, TLS.
. "$(dirname "$0")/lib.sh"
. "$here/services.sh"
command -v slapd >/dev/null || [ -x /usr/sbin/slapd ] || skip "no slapd"
export PATH="$PATH:/usr/sbin"
trap 'services_down; cleanup' EXIT
quick_init
chmod 755 "$T"
export SUFFIX=dc=example,dc=org
tls_make "$T/tls" || die "certificates"
SLAPD_TLS="$T/tls" SLAPD_SYNCPROV=1 slapd_up "$T/a" "$SUFFIX" || die "slapd"
/usr/bin/python3 "$here/sample/make_ldif.py" "$SUFFIX" 300 >"$T/in.ldif" && slapd_add "$T/a" <"$T/in.ldif" || die "fixture: $(grep -v "^adding\|^$" "$T/a/add.log")"
ldap() { local tool=$1; shift; "$tool" -x -H "ldap://127.0.0.1:$(cat "$T/a/port")" -D "cn=root,$SUFFIX" -w secret "$@" >>"$T/a/add.log" 2>&1; }
# a subtree moves below a younger parent
printf 'dn: ou=young,ou=odd,%s\nobjectClass: organizationalUnit\nou: young\n' "$SUFFIX" | slapd_add "$T/a" || die "young"
ldap ldapmodrdn -r -s "ou=young,ou=odd,$SUFFIX" -M "ou=old,ou=odd,$SUFFIX" ou=old || die "move"
url="$(cat "$T/a/url")"
compare() { /usr/bin/python3 "$here/compare/ldif_compare.py" "$@" >"$T/compare" || { head -20 "$T/compare" | cut -c1-400 >&2; die "compare $*"; }; }
# restore_into NAME FILE [slapadd options]: an empty directory from an LDIF, and what slapcat makes of it
restore_into() {
	local name=$1 dir=$T/$1 file=$2
	shift 2
	slapd_make "$dir" "$SUFFIX" || die "configuration"
	service_own "$file"
	service_user slapadd -q -F "$dir/conf" -b "$SUFFIX" -l "$file" "$@" >"$T/slapadd.log" 2>&1 || die "slapadd: $(tail -2 "$T/slapadd.log")"
	slapd_cat "$dir" -b "$SUFFIX" >"$T/$name.cat"
}

z 0 backup "$url/?config=no"
slapd_cat "$T/a" -b "$SUFFIX" >"$T/a.cat"
z 0 extract latest --ldif
cp "$T/out" "$T/x.ldif"
compare "$T/a.cat" "$T/x.ldif" --without contextCSN --parents-first
grep -q '^contextCSN: ' "$T/x.ldif" || die "no contextCSN"
! grep -qi '^entryDN:\|^hasSubordinates:\|^subschemaSubentry:' "$T/x.ldif" || die "computed attributes"
[ "$(sed -n '/^dn: cn=dynamic/,/^$/p' "$T/x.ldif" | grep -c '^member:')" = 0 ] || die "computed members"
restore_into b "$T/x.ldif"
compare "$T/a.cat" "$T/b.cat" --without contextCSN
z 0 snapshots --json
json_is 'd[0]["manifest"]["sources"][0]["detail"]["contexts"][0]["consistent"]' true
json_is 'd[0]["manifest"]["sources"][0]["detail"]["contexts"][0]["entries"]' "$(grep -c '^dn:' "$T/a.cat")"

# a tree that was loaded twice: two entries with one entryUUID are two
/usr/bin/python3 - "$T/a.cat" "$T/twice.ldif" <<'E2'
import sys
entries = open(sys.argv[1]).read().split("\n\n")
copies = [e.replace("uid=user00000,", "uid=copy00000,").replace("uid: user00000", "uid: copy00000") for e in entries if e.startswith("dn: uid=user00000,")]
assert len(copies) == 1
open(sys.argv[2], "w").write("\n\n".join([e for e in entries if e.strip()] + copies) + "\n")
E2
restore_into g "$T/twice.ldif"
[ "$(grep '^entryUUID:' "$T/g.cat" | sort | uniq -d | wc -l)" = 1 ] || die "no two entries of one entryUUID"
slapd_up "$T/g" "$SUFFIX" || die "slapd with copies"
z 0 backup "$(cat "$T/g/url")/?config=no"
z 0 extract latest --ldif
compare "$T/g.cat" "$T/out" --without contextCSN --parents-first
service_stop "$T/g"
z 0 forget latest

# a context whose entries are missing is named, what there is comes out
mkdir -p "$T/made/dc=one" "$T/made/dc=two"
printf 'dn: dc=one\ndc: one\n\n' >"$T/made/dc=one/entries.ldif"
(cd "$T" && z 0 backup made)
z 3 extract latest:made --ldif
out_has '^dn: dc=one$'
out_has '^# zstore: incomplete: the entries of dc=two '
err_has 'dc=two: .*not in this snapshot'
z 0 extract latest:made --ldif dc=one
z 1 extract latest:made --ldif dc=two
z 0 forget latest

# again: nothing new; a login changes only what is apart
z 0 backup --json "$url/?config=no"
[ "$(json 'd["sources"][0]["added_bytes"]')" -lt 4000 ] || die "an unchanged directory was stored again"
printf 'dn: uid=user00000,ou=people,%s\nchangetype: modify\nreplace: zimbraLastLogonTimestamp\nzimbraLastLogonTimestamp: 20260302120000Z\n' "$SUFFIX" | ldap ldapmodify || die "login"
slapd_cat "$T/a" -b "$SUFFIX" >"$T/a.cat"
z 0 backup "$url/?config=no"
z 0 extract "latest:ldap/$SUFFIX/entries.ldif" --stdout
cp "$T/out" "$T/entries.2"
id=$(z 0 snapshots --json; json 'd[0]["id"]')
z 0 extract "$id:ldap/$SUFFIX/entries.ldif" --stdout
cmp -s "$T/out" "$T/entries.2" || die "a login changed the entries"
z 0 extract latest --ldif "uid=user00000,ou=people,$SUFFIX"
out_has 'zimbraLastLogonTimestamp: 20260302120000Z'
[ "$(grep -c '^dn:' "$T/out")" = 1 ] || die "one entry"

# parts, the live profile
z 0 extract latest --ldif "OU=odd, dc=Example,dc=org"
[ "$(grep -c '^dn:' "$T/out")" = "$(grep -ci '^dn:.*ou=odd,' "$T/a.cat" | cat)" ] || [ "$(grep -c '^dn:' "$T/out")" -gt 8 ] || die "a subtree"
z 1 extract latest --ldif "ou=nothing,$SUFFIX"
err_has 'ou=nothing'
z 0 extract latest --ldif "$SUFFIX" --profile live
! grep -qi '^structuralObjectClass:\|^entryCSN:\|^memberOf:\|^contextCSN:' "$T/out" || die "the live profile has what ldapadd refuses"
SLAPD_SYNCPROV=1 slapd_up "$T/c" "$SUFFIX" || die "third slapd"
slapd_add "$T/c" -e relax <"$T/out" || die "ldapadd: $(tail -3 "$T/c/add.log")"
slapd_cat "$T/c" -b "$SUFFIX" >"$T/c.cat"
compare "$T/a.cat" "$T/c.cat" --without contextCSN,entryCSN

# the server's own configuration
z 0 backup "$url/?config=yes"
z 0 extract latest --ldif cn=config
slapd_cat "$T/a" -n0 >"$T/config.cat"
cp "$T/out" "$T/config.ldif"
mkdir -p "$T/d/conf" && service_own "$T/d" "$T/config.ldif"
service_user slapadd -q -n0 -F "$T/d/conf" -l "$T/config.ldif" >"$T/slapadd.log" 2>&1 || die "slapadd -n0: $(tail -2 "$T/slapadd.log")"
service_user slapcat -o ldif-wrap=no -F "$T/d/conf" -n0 >"$T/d.cat"
# a running server renumbers the schema that it knows itself: what counts is that the whole loads and takes the entries
compare "$T/config.cat" "$T/d.cat" --without olcAttributeTypes,olcObjectClasses
sed -i "s,$T/a/db,$T/d/db," "$T"/d/conf/cn=config/olcDatabase*mdb.ldif && mkdir "$T/d/db" && service_own "$T/d"
service_user slapadd -q -F "$T/d/conf" -b "$SUFFIX" -l "$T/x.ldif" 2>"$T/slapadd.log" || die "the restored configuration: $(tail -2 "$T/slapadd.log")"

# a writer while it is read: what comes out is what slapcat says when the writer has stopped
(for i in $(seq 150); do printf 'dn: uid=user%05d,ou=people,%s\nchangetype: modify\nreplace: description\ndescription: round %d\n\n' "$i" "$SUFFIX" "$i"; done
printf 'dn: uid=new1,ou=people,%s\nchangetype: add\nobjectClass: inetOrgPerson\ncn: n\nsn: n\nuid: new1\n\ndn: uid=user00299,ou=people,%s\nchangetype: delete\n\n' "$SUFFIX" "$SUFFIX"
printf 'dn: ou=old,ou=young,ou=odd,%s\nchangetype: modrdn\nnewrdn: ou=older\ndeleteoldrdn: 1\n\n' "$SUFFIX") >"$T/changes.ldif"
ldap ldapmodify -f "$T/changes.ldif" &
writer=$!
z 0 backup "$url/?config=no"
wait "$writer" || die "the writer"
z 0 backup "$url/?config=no"
z 0 extract latest --ldif
slapd_cat "$T/a" -b "$SUFFIX" >"$T/a.cat"
compare "$T/a.cat" "$T/out" --without contextCSN --parents-first

# rights and limits: loudly, with nothing stored
port=$(cat "$T/a/port")
before=$(z 0 snapshots --json; json 'len(d)')
z 1 backup "ldap://127.0.0.1:$port/?anonymous=yes"
err_has 'userPassword'
echo wrong >"$T/wrong"; echo -n secret >"$T/right"; chmod 600 "$T/wrong" "$T/right"
z 1 backup "ldap://127.0.0.1:$port/?bind=cn=root,$SUFFIX&password-file=$T/wrong"
err_has 'cannot log in'
z 2 backup "ldap://127.0.0.1:$port/"
err_has 'anonymous=yes'
z 1 backup "ldap://127.0.0.1:1/?anonymous=yes"
err_has '127.0.0.1:1'
z 2 backup "ldap://127.0.0.1:$port/?bind=cn=x&nonsense=1&password-file=$T/right"
err_has 'nonsense'
tls_port=$(cat "$T/a/tls-port")
z 1 backup "ldaps://127.0.0.1:$tls_port/?bind=cn=root,$SUFFIX&password-file=$T/right"
err_has 'ca-file=FILE'
z 0 backup "ldaps://127.0.0.1:$tls_port/?bind=cn=root,$SUFFIX&password-file=$T/right&ca-file=$T/tls/ca.pem&config=no"
z 0 backup "ldap://127.0.0.1:$port/?starttls=yes&bind=cn=root,$SUFFIX&password-file=$T/right&ca-file=$T/tls/ca.pem&config=no"
z 1 backup "ldap://127.0.0.1:$(cat "$T/c/port")/?starttls=yes&bind=cn=root,$SUFFIX&password-file=$T/right&ca-file=$T/tls/ca.pem"
err_has 'StartTLS'
[ "$(z 0 snapshots --json; json 'len(d)')" = $((before + 2)) ] || die "a snapshot of what failed"

# a size limit that pages do not lift, for one who is not the root DN; one that they do
SLAPD_LIMIT='size.soft=100 size.hard=100 size.prtotal=200' SLAPD_EXTERNAL=cn=somebody slapd_up "$T/e" "$SUFFIX" || die "fourth slapd"
slapd_add "$T/e" <"$T/in.ldif" || die "fixture"
z 1 backup "$(cat "$T/e/url")/?config=no&passwords=no"
err_has 'olcLimits'
SLAPD_LIMIT='size.soft=100 size.hard=100 size.pr=50 size.prtotal=unlimited' SLAPD_EXTERNAL=cn=somebody slapd_up "$T/f" "$SUFFIX" || die "fifth slapd"
slapd_add "$T/f" <"$T/in.ldif" || die "fixture"
z 0 backup "$(cat "$T/f/url")/?config=no&passwords=no"
z 0 extract latest --ldif
[ "$(grep -c '^dn:' "$T/out")" = "$(slapd_cat "$T/f" -b "$SUFFIX" | grep -c '^dn:')" ] || die "pages lost entries"

# a server that is silent in the TLS handshake
/usr/bin/python3 -c 'import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(8); print(s.getsockname()[1], flush=True)
held = []
while True: held.append(s.accept())' >"$T/silent" & pids="$pids $!"
until [ -s "$T/silent" ]; do sleep 0.05; done
timeout 30 "$ZSTORE" backup "ldaps://127.0.0.1:$(cat "$T/silent")/?bind=cn=x&password-file=$T/right&timeout=2" 2>"$T/err"
[ $? = 1 ] || die "a silent server: not exit 1"
err_has 'no answer for 2 seconds while connecting'

# a server that stops answering, and one that ends
kill -STOP "$(cat "$T/f/pid")"
z 1 backup "$(cat "$T/f/url")/?config=no&passwords=no&timeout=2"
kill -CONT "$(cat "$T/f/pid")"
service_stop "$T/f" KILL
z 1 backup "$(cat "$T/f/url")/?config=no"
err_has 'ldapi'
z 0 check --read-data

# whichever pack is missing: an error, or all of it
z 0 extract latest --ldif
cp "$T/out" "$T/whole"
failures=0
for pack in $(cd "$T/repo/packs" && find . -type f); do
	rm -rf "$T/damaged" "$T/other-cache"
	cp -r "$T/repo" "$T/damaged"
	rm "$T/damaged/packs/$pack"
	if "$ZSTORE" -r "$T/damaged" --cache-dir "$T/other-cache" extract latest --ldif >"$T/out" 2>"$T/err"; then
		cmp -s "$T/out" "$T/whole" || die "entries are missing, and nothing was said"
	else
		[ $? = 4 ] || die "exit code without $pack"
		failures=$((failures + 1))
	fi
done
[ "$failures" -gt 0 ] || die "no pack was needed"
