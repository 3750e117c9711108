#!/usr/bin/env bash
# A made Zimbra server of many mailboxes: the first backup, the next one of which nothing changed, one after 1 % of all items changed;
# and a blob store beside the same bytes as plain files.  Everything in one temporary directory, removed at the end.
#   bench/zimbra.sh [--quick] [--zstore PROGRAM]
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tests/packages.sh"
need_packages $BUILD_PACKAGES $BENCH_PACKAGES $SERVER_PACKAGES || exit 1
. "$here/../tests/services.sh"
export PATH="$PATH:/usr/sbin"
mailboxes=1000 items=1000 groups=100 stored=12000 zstore=
while [ $# -gt 0 ]; do
	case $1 in
	--quick) mailboxes=50 items=200 groups=10 stored=1000 ;;
	--zstore) zstore=$(realpath "$2"); shift ;;
	*) sed -n 2,5p "$0"; exit 2 ;;
	esac
	shift
done
W=$(mktemp -d "${TMPDIR:-/tmp}/zstore-bench.XXXXXX") && chmod 755 "$W" || exit 1
trap 'services_down; rm -rf "$W"' EXIT
trap 'exit 130' INT TERM
say() { printf '%s\n' "$*" >&2; }
if [ -z "$zstore" ]; then
	say "building zstore"
	meson setup "$W/build" "$here/.." --buildtype=release -Dtests=disabled -Dfuzzing=none >"$W/log" 2>&1 && ninja -C "$W/build" >>"$W/log" 2>&1 || { tail "$W/log"; exit 1; }
	zstore=$W/build/src/cli/zstore
fi
export ZSTORE_KEY_FILE="$W/key"
fresh() { # a new repository
	rm -rf "$W/repo" "$W/key" "$W/cache"
	export ZSTORE_CACHE_DIR="$W/cache" ZSTORE_REPO="$W/repo"
	"$zstore" init --no-recovery "$W/repo" >/dev/null || exit 1
}
# measure NAME SOURCE...: one line
measure() {
	local name=$1 t
	shift
	/usr/bin/time -f '%e %M' -o "$W/time" "$zstore" backup --json "$@" >"$W/json" 2>"$W/err" || { cat "$W/err" >&2; exit 1; }
	t=$(cat "$W/time")
	printf '%-40s %8.2f s %6d MiB  %9d files  %12d new bytes\n' "$name" "${t% *}" $((${t#* } / 1024)) "$(jq .files "$W/json")" "$(jq .added_bytes "$W/json")"
}
fill() { # DIR MAILBOXES ITEMS KIND GROUPS
	POOL=2G zimbra_up "$1" || exit 1
	/usr/bin/python3 "$here/zimbra_data.py" "$@" | zimbra_sql "$1" || exit 1
	{ echo 'dn: dc=test
objectClass: dcObject
objectClass: organization
o: test
dc: test

dn: dc=example,dc=test
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: ou=people,dc=example,dc=test
objectClass: organizationalRole
ou: people
cn: people
'; cat "$1/accounts.ldif"; } >"$W/ldif"
	ldapadd -c -x -H "$(cat "$1/ldap/url")" -D uid=zimbra,cn=admins,cn=zimbra -w zimbra-ldap-secret -f "$W/ldif" >"$W/log" 2>&1
	[ "$(ldapsearch -x -LLL -H "$(cat "$1/ldap/url")" -D uid=zimbra,cn=admins,cn=zimbra -w zimbra-ldap-secret -b '' '(objectClass=zimbraAccount)' dn 2>/dev/null | grep -c ^dn:)" -ge "$2" ] || { tail -5 "$W/log" >&2; exit 1; }
}

say "$mailboxes mailboxes of $items items (hard links to 500 blobs), $groups databases"
fill "$W/many" "$mailboxes" "$items" shared "$groups"
url="zimbra:$W/many/conf/localconfig.xml"
fresh
measure "first backup" "$url"
measure "unchanged (must: 5 s)" "$url"
measure "unchanged, again" "$url"
for group in $(seq "$groups"); do
	echo "UPDATE mboxgroup$group.mail_item SET flags = flags ^ 32, mod_metadata = mod_metadata + 100000 WHERE type = 5 AND id % 100 = 57;"
done | zimbra_sql "$W/many" || exit 1
measure "1 % changed, in every mailbox" "$url"
for group in $(seq "$groups"); do
	echo "UPDATE mboxgroup$group.mail_item SET flags = flags ^ 32, mod_metadata = mod_metadata + 200000 WHERE type = 5 AND mailbox_id % 100 = 1;"
done | zimbra_sql "$W/many" || exit 1
measure "1 % of the mailboxes changed" "$url"
services_down
rm -rf "$W/many"

say "a blob store of $((stored)) messages, beside the same files"
fill "$W/few" 10 $((stored / 10)) distinct 10
du -sm "$W/few/store" | awk '{print $1 " MB"}' >&2
cat $(find "$W/few/store" -type d | head -50 | sed 's|$|/*.msg|') >/dev/null 2>&1
for _ in 1 2; do
	fresh
	measure "blobs through Zimbra" "zimbra:$W/few/conf/localconfig.xml"
	fresh
	measure "the same as plain files" "$W/few/store"
done
