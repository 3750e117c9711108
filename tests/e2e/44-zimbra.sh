#!/bin/bash
# A made Zimbra server: four days of its life, one backup each night, every night compared with what was there; the server built again
# from each; backups while it is at work; everything that can be wrong, said and survived.
FAST=1
. "$(dirname "$0")/lib.sh"
. "$here/services.sh"
export PATH="$PATH:/usr/sbin"
command -v mariadbd >/dev/null || skip "no mariadbd"
command -v slapd >/dev/null || skip "no slapd"
trap 'services_down; cleanup' EXIT
quick_init
chmod 755 "$T"
"$ZSTORE" backup --dry-run "zimbra:$T/none.xml" 2>&1 | grep -q "built without" && skip "built without Zimbra"
zimbra_up "$T/z" || die "zimbra"
python() { /usr/bin/python3 "$@" >"$T/python" 2>&1 || { head -40 "$T/python" | cut -c1-300 >&2; die "$*"; }; }
life() { python "$here/sample/zimbra_life.py" "$T/z" "$@"; }
url="zimbra:$T/z/conf/localconfig.xml"
err_lacks() { ! grep -qe "$1" "$T/err" || die "stderr has '$1'"; }
# compare SNAPSHOT DAY [options]: of what was there that night
compare() {
	local snapshot=$1 day=$2
	shift 2
	rm -rf "$T/x"
	z 0 ls -R --json "$snapshot"
	cp "$T/out" "$T/list"
	z 0 extract "$snapshot" -C "$T/x"
	python "$here/compare/zimbra_truth.py" "$T/truth.$day" "$T/x/zimbra" "$T/list" "$@"
}
# What is written without any change number: a restored mailbox is indexed anew.
rebuild() { # DAY: of what compare left in $T/x
	rm -rf "$T/r" && mkdir "$T/r" && chmod 755 "$T/r"
	mariadb_up "$T/r/mysql" --skip-log-bin --skip-networking || die "second mariadbd"
	python "$here/compare/zimbra_rebuild.py" "$T/truth.$1" "$T/x/zimbra" "$T/r/mysql/s.sock" "$T/r/blobs" --without "mail_item.index_id=rebuilt by indexing"
	service_stop "$T/r/mysql" KILL
}

# ---- days and nights
life init
ids=()
for day in 1 2 3 4; do
	life day "$day"
	life truth "$T/truth.$day"
	python "$here/compare/zimbra_fixture.py" "$T/z" "$T/truth.$day"
	z 0 backup "$url"
	ids+=("$(snapshot_id -1)")
done
for day in 1 2 3 4; do
	compare "${ids[day - 1]}" "$day"
	rebuild "$day"
done
z 0 backup --json "$url"
[ "$(json 'd["sources"][0]["added_bytes"]')" -lt 20000 ] || die "an unchanged server was stored again"
compare latest 4

# ---- while it is at work
life rush 1
/usr/bin/python3 "$here/sample/zimbra_life.py" "$T/z" rush 60 >"$T/rush" 2>&1 &
rush=$!
n=0
while kill -0 "$rush" 2>/dev/null; do
	z 0 backup "$url"
	n=$((n + 1))
done
wait "$rush" || die "rush: $(cat "$T/rush")"
[ "$n" -ge 2 ] || die "only $n backups while it was at work"
life truth "$T/truth.5"
z 0 backup "$url"
compare latest 5
rebuild 5

# ---- what can be wrong: named, the rest is there, exit status 3; in new repositories, since what is known is not read again
except=()
fresh() { rm -rf "$T/repo" "$T/key" "$T/cache" && quick_init; }
broken() { # KIND PATTERN [PATTERN...]
	local kind=$1 pattern
	shift
	life damage "$kind"
	cp "$T/python" "$T/said"
	fresh
	z 3 backup "$url"
	for pattern in "$@"; do err_has "$pattern"; done
	/usr/bin/python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(d["account"] + ":%d" % d["item_id"] if "item_id" in d else "")' "$T/said" >"$T/item"
	[ ! -s "$T/item" ] || [ -z "$(cat "$T/item")" ] || except+=(--without "$(cat "$T/item")")
}
rest_is_there() { compare latest 5 "${except[@]}"; }
life damage orphan # not an error, as is the name that old servers gave
life damage old-name
fresh
z 0 backup "$url"
rest_is_there
for kind in missing short empty wrong-digest wrong-bytes wrong-size no-volume locator directory symlink gzip; do
	broken "$kind"
	err_has "/$(sed 's/.*"item_id": \([0-9]*\).*/\1/' "$T/said")-"
done
rest_is_there
broken external '5@@key/of/the/object'
rest_is_there
broken mixed-schema # exit status 3 for what was damaged before
rest_is_there
broken shared
rest_is_there
broken no-mailbox 'neu@example.test'
broken stray-mailbox 'mailbox 203 (weg@example.test)'
broken metadata 'Broken.vcf'
broken folder-loop 'bjoern@example.test: .* folders'
broken folder-lost 'bjoern@example.test: .* folders'
broken item-lost 'bjoern@example.test: .* folders'
broken tag-nul "its tag names are not as Zimbra writes them"
broken older-schema
err_lacks 'store_type\|zmg_devices'
broken newer-schema
err_lacks 'novelty\|hue'
z 0 ls -R latest
out_has 'bjoern@example.test/%rows/novelty.sql'
z 0 extract latest:zimbra/accounts/bjoern@example.test/%rows/mail_item.sql --stdout
out_has '`hue`'

# ---- some accounts only; what the program says of them
fresh
z 3 backup --json --account 'bjoern@*' "$url" # what was damaged before
[ "$(json 'len(d["sources"][0]["accounts"])')" = 1 ] || die "one account was asked for"
z 0 ls latest:zimbra/accounts
out_has 'bjoern@'
! grep -q ada@ "$T/out" || die "another account is there"
z 0 snapshots -v latest
out_has 'mailboxes.bjoern@example.test: mailbox 4201, highest_change [0-9]*, items [0-9]*, state '
z 1 extract latest:zimbra --sql
err_has 'zimbra in this snapshot is not of a MariaDB source'
z 1 backup --account nobody@example.test "$url"
err_has 'nobody@example.test: there is no such account on this server'
err_has 'no account of this server is chosen'
z 1 backup --domain nix.test "$url"
err_has 'nix.test: no account of this domain is on this server'
z 1 backup --cos nothing "$url"
err_has 'nothing: no account of this class of service is on this server'
z 1 backup --account 'BJOERN@*' --exclude-account bjoern@example.test "$url"
err_lacks 'no such account'
z 3 backup --account 'bjoern@*' --domain nix.test "$url"
err_has 'nix.test: no account of this domain is on this server'
z 3 backup --json --account 'bjoern@*' "$url?domain=zweite.test&account=ada@example.test" # what the URL chooses does not count
json_is '[a["name"] for a in d["sources"][0]["accounts"]], d["sources"][0]["url"].split("?")[1]' "(['bjoern@example.test'], 'account=bjoern@*')"
printf '[source mail]\nurl = %s\ndomain = nix.test\n[profile p]\nsource = mail\n' "$url" >"$T/z.conf"
z 1 config check --config "$T/z.conf" --profile p
out_has '0 of the [0-9]* accounts on this server are chosen'
z 2 backup --account bjoern@example.test "$T/z/conf"
err_has 'of a Zimbra server'
