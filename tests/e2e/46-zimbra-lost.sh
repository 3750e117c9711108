#!/bin/bash
# A mailbox of which nothing changed is taken from the previous snapshot. If a pack of that one is lost, whichever it is, the next
# backups bring everything back, and no account that lacks something passes for unchanged.
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
life() { /usr/bin/python3 "$here/sample/zimbra_life.py" "$T/z" "$@" >"$T/life" 2>&1 || die "life $*: $(head -20 "$T/life")"; }
url="zimbra:$T/z/conf/localconfig.xml"
life init
life day 1
life truth "$T/truth"
z 0 backup "$url"
z 0 backup "$url"
cp -a "$T/repo" "$T/whole"
packs=$(cd "$T/whole" && find . -path '*pack*' -type f)
[ -n "$packs" ] || die "no packs"
for pack in $packs; do
	rm -rf "$T/repo" "$T/cache" && cp -a "$T/whole" "$T/repo" && rm "$T/repo/$pack"
	z 0,3 backup "$url"
	z 0,3 backup "$url"
	z 0 backup "$url"
	z 0 ls -R --json latest
	cp "$T/out" "$T/list"
	rm -rf "$T/x"
	z 0 extract latest -C "$T/x"
	/usr/bin/python3 "$here/compare/zimbra_truth.py" "$T/truth" "$T/x/zimbra" "$T/list" >"$T/differences" 2>&1 || die "without $pack: $(head -20 "$T/differences")"
done
