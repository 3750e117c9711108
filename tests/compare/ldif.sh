# The comparer of directories must itself be trusted: what is the same is equal, and each single change is noticed.
. "$(dirname "$0")/../e2e/lib.sh"
cat >one <<'L'
dn: dc=x
objectClass: dcObject
objectClass: organization
dc: x
entryUUID: 11111111-0000-0000-0000-000000000001

dn: ou=a,dc=x
ou: a
empty:
description: first
description: second
bytes:: AAEC
entryUUID: 11111111-0000-0000-0000-000000000002
entryCSN: 20260101000000.000000Z#000000#000#000000

dn: cn=c\2C d,ou=a,dc=x
cn: c, d
cn;lang-de: c
entryUUID: 11111111-0000-0000-0000-000000000003
L
compare() { /usr/bin/python3 "$here/compare/ldif_compare.py" "$@" >said 2>&1; }
same() { compare "$@" || die "$*: $(cat said)"; }
other() { ! compare "$@" || die "not noticed: $*"; }
cp one two
same one two --parents-first
# the same in another form: folded, another order of entries, capitals in names of attributes, a comment
{ sed -n '16,$p' one; echo; sed -n '1,14p' one; } | sed 's/^description: second/description: sec\n ond/; s/^dc: x/DC: x/; 1i # a comment' >two
same one two
other one two --parents-first
changes=0
while IFS= read -r change; do
	sed -E "$change" one >two
	! cmp -s one two || die "no change: $change"
	other one two
	changes=$((changes + 1))
done <<'S'
s/description: first/description: First/
s/description: first/description: first2/
/description: first/d
s/description: first/&\n&/
s/^description: first/other: first/
/^empty:/d
s/^empty:/empty: x/
s/^bytes:: AAEC/bytes:: AAED/
s/^bytes:: AAEC/bytes: AAEC/
s/^bytes:: AAEC/bytes;binary:: AAEC/
s/lang-de/lang-fr/
s/ou=a,dc=x$/ou=b,dc=x/
s/^dn: ou=a,dc=x/dn: OU=a,dc=x/
s/0003$/0004/
s/#000000#000#/#000001#000#/
/cn=c/,$d
1,6d
$a\\ndn: cn=more,dc=x\ncn: more
$a\\ndn: cn=c\\2C d,ou=a,dc=x\ncn: c\nentryUUID: 11111111-0000-0000-0000-000000000003
s/^bytes:: AAEC/bytes:: AA*C/
s/^bytes:: AAEC/bytes::/
s/^dc: x/dc x/
s/^description: first/description: é/
s/^description: first/description:: Zmlyc3Q= /
S
[ "$changes" = 24 ] || die "$changes changes"
sed 's/description: first/description: third/; s/description: second/description: first/; s/description: third/description: second/' one >two
other one two
same one two --any-order
sed 's/#000000#000#/#000001#000#/' one >two
same one two --without entryCSN,contextCSN
printf 'dn: dc=x' >>one
other one one
: >one
other one one
