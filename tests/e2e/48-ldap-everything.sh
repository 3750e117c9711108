# Everything that a directory can hold, of a server with all its overlays, in three naming contexts: out, and by slapadd and by
# ldapadd into others, entry by entry equal; the forms of suffixes; what a server keeps apart.
FAST=1
. "$(dirname "$0")/lib.sh"
. "$here/services.sh"
export PATH="$PATH:/usr/sbin"
command -v slapd >/dev/null || skip "no slapd"
trap 'services_down; cleanup' EXIT
quick_init
chmod 755 "$T"
export SUFFIX=dc=example,dc=org
compare() { /usr/bin/python3 "$here/compare/ldif_compare.py" "$@" >"$T/compare" || { head -20 "$T/compare" | cut -c1-400 >&2; die "compare $*"; }; }
entries() { grep -c '^dn:' "$1"; }
as_root() { local tool=$1; shift; "$tool" -x -H "ldap://127.0.0.1:$(cat "$T/a/port")" -D "cn=root,$SUFFIX" -w secret "$@" >>"$T/a/add.log" 2>&1; }
# slapadd NAME SUFFIX FILE [options]
slapadd_into() { local dir=$T/$1 suffix=$2 file=$3; shift 3; service_own "$file"; service_user slapadd -q -F "$dir/conf" -b "$suffix" -l "$file" "$@" >slapadd.log 2>&1 || die "slapadd: $(tail -2 slapadd.log)"; }

# a second context below odd characters, one that is glued into the first, and the log of changes
overlays() { # DIR
	mkdir -p "$T/$1/db2" "$T/$1/db3" "$T/$1/db3"
	export SLAPD_MORE="dn: olcDatabase={2}mdb,cn=config
objectClass: olcDatabaseConfig
objectClass: olcMdbConfig
olcDatabase: {2}mdb
olcSuffix: o=A\\2C b\\3D\\22c\\22 / %2F \\C3\\BC
olcRootDN: cn=root,$SUFFIX
olcDbDirectory: $T/$1/db2
olcDbEnvFlags: nosync
olcDbIndex: objectClass,entryUUID,entryCSN eq
olcAccess: to * by * read
--
dn: olcDatabase={3}mdb,cn=config
objectClass: olcDatabaseConfig
objectClass: olcMdbConfig
olcDatabase: {3}mdb
olcSuffix: cn=accesslog
olcRootDN: cn=root,$SUFFIX
olcDbDirectory: $T/$1/db3
olcDbEnvFlags: nosync
olcDbIndex: objectClass,entryUUID,entryCSN,reqStart eq
--
dn: olcOverlay={4}refint,olcDatabase={1}mdb,cn=config
objectClass: olcOverlayConfig
objectClass: olcRefintConfig
olcOverlay: {4}refint
olcRefintAttribute: member
olcRefintAttribute: uniqueMember
--
dn: olcOverlay={5}accesslog,olcDatabase={1}mdb,cn=config
objectClass: olcOverlayConfig
objectClass: olcAccessLogConfig
olcOverlay: {5}accesslog
olcAccessLogDB: cn=accesslog
olcAccessLogOps: writes
--"
}
export SLAPD_MODULES="refint accesslog" SLAPD_SYNCPROV=1 SLAPD_POLICY="cn=default,ou=policies,$SUFFIX"
overlays a
slapd_up "$T/a" "$SUFFIX" || die "slapd"
/usr/bin/python3 "$here/sample/make_ldif.py" "$SUFFIX" 2400 >in.ldif && slapd_add "$T/a" <in.ldif || die "fixture: $(grep -v "^adding\|^$" "$T/a/add.log" | tail -3)"
[ "$(slapd_cat "$T/a" -b "$SUFFIX" | sed -n '/^dn: cn=big,/,/^$/p' | grep -c '^member:')" = 1200 ] || die "the large group"
second='o=A\2C b\3D\22c\22 / %2F \C3\BC'
printf 'dn: %s\nobjectClass: organization\no: A, b="c" / %%2F ü\n\ndn: cn=one,%s\nobjectClass: person\ncn: one\nsn: x\n' "$second" "$second" | slapd_add "$T/a" || die "second context: $(tail -2 "$T/a/add.log")"

# what a server writes down by itself: passwords that were changed, guessed, locked; members; names that moved
user() { printf 'uid=user%05d,ou=people,%s' "$1" "$SUFFIX"; }
printf 'dn: %s\nchangetype: modify\nadd: pwdLockout\npwdLockout: TRUE\n-\nadd: pwdMaxFailure\npwdMaxFailure: 10\n' "$SLAPD_POLICY" | as_root ldapmodify || die "policy"
for i in 1 2 3; do as_root ldappasswd -s "new password $i" "$(user 4)" || die "ldappasswd"; done
for i in 1 2 3 4; do ldapwhoami -x -H "ldap://127.0.0.1:$(cat "$T/a/port")" -D "$(user 4)" -w "wrong" >/dev/null 2>&1 && die "a wrong password"; done
ldapwhoami -x -H "ldap://127.0.0.1:$(cat "$T/a/port")" -D "$(user 4)" -w "new password 3" >/dev/null 2>&1 || die "the right password"
ldapwhoami -x -H "ldap://127.0.0.1:$(cat "$T/a/port")" -D "$(user 4)" -w "wrong" >/dev/null 2>&1
printf 'dn: %s\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n\ndn: %s\nchangetype: modify\nadd: pwdReset\npwdReset: TRUE\n-\nadd: pwdPolicySubentry\npwdPolicySubentry: %s\n' \
	"$(user 6)" "$(user 7)" "$SLAPD_POLICY" | as_root ldapmodify || die "states: $(tail -2 "$T/a/add.log")"
printf 'dn: ou=young,ou=odd,%s\nobjectClass: organizationalUnit\nou: young\n' "$SUFFIX" | slapd_add "$T/a" || die "young"
as_root ldapmodrdn -r -s "ou=young,ou=odd,$SUFFIX" -M "ou=old,ou=odd,$SUFFIX" 'ou=old\2C moved' || die "move"
as_root ldapmodrdn -r "$(user 8)" uid=renamed || die "rename of a member"
as_root ldapdelete "$(user 10)" || die "delete of a member"
sleep 0.5 # the references follow by themselves

slapd_cat "$T/a" -b "$SUFFIX" >a.cat
for what in pwdHistory pwdChangedTime pwdFailureTime pwdAccountLockedTime pwdReset pwdPolicySubentry memberOf; do grep -q "^$what:" a.cat || die "the fixture has no $what"; done
for what in 'testText:$' 'testBytes:$' 'userCertificate;binary::' 'testOrdered: {4}{9}' 'cn;lang-de:' 'jpegPhoto::'; do grep -q "^$what" a.cat || die "the fixture has no $what"; done
slapd_cat "$T/a" -b "$second" >a2.cat
url=$(cat "$T/a/url")
z 0 backup "$url/?config=no&accesslog=yes"
slapd_cat "$T/a" -b cn=accesslog >a3.cat
z 0 snapshots --json
json_is 'd[0]["partial"]' false
json_is '[c["entries"] for c in d[0]["manifest"]["sources"][0]["detail"]["contexts"]]' "[$(for c in $(printf '%s %s\n%s %s\n%s %s\n' cn=accesslog a3.cat "$SUFFIX" a.cat o= a2.cat | sort | cut -d' ' -f2); do entries $c; done | paste -sd, | sed 's/,/, /g')]"
z 0 extract latest --ldif "$SUFFIX"
cp out x.ldif
compare a.cat x.ldif --without contextCSN --parents-first
z 0 extract latest --ldif "$second"
cp out x2.ldif
compare a2.cat x2.ldif --without contextCSN --parents-first
z 0 extract latest --ldif cn=accesslog
compare a3.cat out --without contextCSN
[ "$(entries out)" -gt 1000 ] || die "the log of changes is short"
z 0 extract latest --ldif 'O=a\, B=\"C\" / %2f Ü'
compare x2.ldif out

# offline: exactly the same, operational attributes, order of values and all
overlays b
slapd_make "$T/b" "$SUFFIX" || die "configuration"
slapadd_into b "$SUFFIX" x.ldif
slapadd_into b "$second" x2.ldif
slapd_cat "$T/b" -b "$SUFFIX" >b.cat
compare a.cat b.cat --without contextCSN
slapd_cat "$T/b" -b "$second" >b2.cat
compare a2.cat b2.cat --without contextCSN
slapd_up "$T/b" "$SUFFIX" || die "the restored server"
ldapwhoami -x -H "ldap://127.0.0.1:$(cat "$T/b/port")" -D "$(user 4)" -w "new password 3" >/dev/null 2>&1 || die "the restored password"
! ldapwhoami -x -H "ldap://127.0.0.1:$(cat "$T/b/port")" -D "$(user 6)" -w x >/dev/null 2>&1 || die "a locked account"
# and what is restored is backed up again without anything new but where it was
z 0 backup --json "$(cat "$T/b/url")/?config=no&name=ldap"
[ "$(json 'd["sources"][0]["added_bytes"]')" -lt 8000 ] || die "the restored server was stored again: $(json 'd["sources"][0]["added_bytes"]') bytes"

# live: password states, identities and members
z 0 extract latest --ldif "$SUFFIX" --profile live
unset SLAPD_MORE
SLAPD_MODULES='' slapd_up "$T/c" "$SUFFIX" || die "third slapd"
slapd_add "$T/c" -e relax <out || die "ldapadd: $(tail -3 "$T/c/add.log")"
slapd_cat "$T/c" -b "$SUFFIX" >c.cat
compare a.cat c.cat --without contextCSN,entryCSN --any-order

# the empty suffix, as Zimbra has it, without syncprov, loaded with entries that are newer than the server's contextCSN
unset SLAPD_POLICY SLAPD_SYNCPROV SLAPD_MODULES
(SUFFIX='' SLAPD_PLAIN=1 slapd_make "$T/e" '') || die "configuration"
{ printf 'dn: cn=zimbra\nobjectClass: organizationalRole\ncn: zimbra\n\n'; grep -v '^\(pwd\|memberOf\)' x.ldif; } | sed '/^dn: cn=default,ou=policies/,/^$/d' >e.ldif
slapadd_into e '' e.ldif
SUFFIX='' SLAPD_PLAIN=1 slapd_up "$T/e" '' || die "a server with the empty suffix"
slapd_cat "$T/e" -b '' >e.cat
z 0 backup "$(cat "$T/e/url")/?name=zimbra"
z 0 extract latest:zimbra/%/entries.ldif --stdout
[ "$(entries out)" = "$(entries e.cat)" ] || die "entries of the empty suffix"
z 0 extract latest --ldif ''
compare e.cat out --without contextCSN --parents-first
z 0 extract latest --ldif cn=zimbra
[ "$(entries out)" = 1 ] || die "one of the empty suffix"
z 0 check --read-data
