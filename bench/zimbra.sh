#!/usr/bin/env bash
# A made Zimbra server of many mailboxes: the first backup, the next one of which nothing changed, one after 1 % of all items changed;
# another whose items have no blobs but in few mailboxes; and a blob store beside the same bytes as plain files.  Everything in one
# temporary directory, removed at the end.
#   bench/zimbra.sh [--quick] [--zstore PROGRAM]
# Other sizes by the environment: ZBENCH_MAILBOXES, ZBENCH_ITEMS (of each), ZBENCH_GROUPS, ZBENCH_ROW_GROUPS (databases of the first and
# the second server), ZBENCH_MAIL (mailboxes with blobs in the second), ZBENCH_STORED (messages of the blob store); ZBENCH_PARTS: which
# of "links rows blobs".
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tests/packages.sh"
need_packages $BUILD_PACKAGES $BENCH_PACKAGES $SERVER_PACKAGES || exit 1
. "$here/../tests/services.sh"
export PATH="$PATH:/usr/sbin"
mailboxes=1000 items=1000 groups=100 row_groups=20 mail=20 stored=19200 parts=${ZBENCH_PARTS:-links rows blobs} zstore=
while [ $# -gt 0 ]; do
	case $1 in
	--quick) mailboxes=50 items=200 groups=10 row_groups=5 mail=5 stored=1000 ;;
	--zstore) zstore=$(realpath "$2"); shift ;;
	*) sed -n 2,8p "$0"; exit 2 ;;
	esac
	shift
done
mailboxes=${ZBENCH_MAILBOXES:-$mailboxes} items=${ZBENCH_ITEMS:-$items} groups=${ZBENCH_GROUPS:-$groups} row_groups=${ZBENCH_ROW_GROUPS:-$row_groups}
mail=${ZBENCH_MAIL:-$mail} stored=${ZBENCH_STORED:-$stored}
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
# measure NAME SOURCE...: one line.  New bytes are those before compression; "repository" is by how much its files grew.
measure() {
	local name=$1 wall processor memory before
	shift
	sync
	before=$(du -sb "$W/repo" | cut -f1)
	timeout 900 /usr/bin/time -f '%e %U %S %M' -o "$W/time" "$zstore" backup --json "$@" >"$W/json" 2>"$W/err" || { cat "$W/err" >&2; exit 1; }
	jq -e '[.sources[].problems // 0] | add == 0' "$W/json" >/dev/null || { echo "$name: problems" >&2; cat "$W/err" >&2; exit 1; }
	read -r wall processor memory < <(awk '{print $1, $2 + $3, $4}' "$W/time")
	printf '%-40s %8.2f s  %6.2f s processor %4d MiB  %9d files  %11d new bytes  repository + %11d\n' "$name" "$wall" "$processor" $((memory / 1024)) \
		"$(jq .files "$W/json")" "$(jq .added_bytes "$W/json")" $(($(du -sb "$W/repo" | cut -f1) - before))
}
part() { case " $parts " in *" $1 "*) ;; *) return 1 ;; esac; }
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

# change CONDITION N: other flags and change numbers
change() {
	local group
	for group in $(seq "$in_use"); do
		echo "UPDATE mboxgroup$group.mail_item SET flags = flags ^ 32, mod_metadata = mod_metadata + $2 WHERE type IN (4, 5, 6) AND $1;"
	done | zimbra_sql "$dir" || exit 1
}
# rename_inbox: another name for every Inbox, which moves a third of the items
rename_inbox() {
	local group
	for group in $(seq "$in_use"); do
		echo "UPDATE mboxgroup$group.mail_item SET name = 'Posteingang', mod_metadata = mod_metadata + 300000 WHERE type = 1 AND id = 2;"
	done | zimbra_sql "$dir" || exit 1
}
# server DIR KIND GROUPS [MAIL]: one of many mailboxes, and what happens to it
server() {
	local dir=$1 in_use=$(($3 < mailboxes ? $3 : mailboxes)) url="zimbra:$1/conf/localconfig.xml"
	fill "$1" "$mailboxes" "$items" "${@:2}"
	fresh
	measure "first backup" "$url"
	measure "unchanged (must: 5 s)" "$url"
	measure "unchanged, again" "$url"
	measure "unchanged, a third time" "$url"
	change 'id % 100 = 57' 100000
	measure "1 % changed, in every mailbox" "$url"
	change 'mailbox_id % 100 = 1' 200000
	measure "1 % of the mailboxes changed" "$url"
	measure "unchanged, after the changes" "$url"
	rename_inbox
	measure "every Inbox renamed" "$url"
	# where blobs can move between volumes every row is looked at
	echo "INSERT INTO zimbra.volume (id,type,name,path,file_bits,file_group_bits,mailbox_bits,mailbox_group_bits,compress_blobs,compression_threshold) VALUES (3,1,'hsm','$dir/store2',12,8,12,8,0,4096);" |
		zimbra_sql "$dir" || exit 1
	measure "a second volume (HSM) is there" "$url"
	measure "unchanged, two volumes (must: 5 s)" "$url"
	services_down
	rm -rf "$dir"
}

if part links; then
	say "$mailboxes mailboxes of $items items (hard links to 500 blobs), $groups databases"
	server "$W/many" shared "$groups"
fi
if part rows; then
	say "$mailboxes mailboxes of $items items, $row_groups databases: messages (hard links to 500 blobs) in $mail mailboxes, in all others conversations and contacts without blobs"
	server "$W/rows" rows "$row_groups" "$mail"
fi
part blobs || exit 0
fill "$W/few" 10 $((stored / 10)) distinct 10
say "a blob store of $stored messages, $(du -sm --apparent-size "$W/few/store" | cut -f1) MiB, beside the same files; warm caches"
find "$W/few/store" -type f -exec cat {} + | wc -c >/dev/null
for _ in 1 2; do
	fresh
	measure "blobs through Zimbra" "zimbra:$W/few/conf/localconfig.xml"
	fresh
	measure "the same as plain files" "$W/few/store"
done
fresh
measure "blobs through Zimbra, once more" "zimbra:$W/few/conf/localconfig.xml"
dir=$W/few in_use=10
rename_inbox
measure "every Inbox renamed: a third of them moved" "zimbra:$W/few/conf/localconfig.xml"
