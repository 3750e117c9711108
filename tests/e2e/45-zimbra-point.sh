#!/bin/bash
# One point in time for all of a Zimbra server: mail, its whole database and the directory in one snapshot, while it is at work. The rows
# that stand with the mailboxes and those that the MariaDB source reads are the same rows.
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
ZIMBRA_BINLOG=1 zimbra_up "$T/z" || die "zimbra"
life() { /usr/bin/python3 "$here/sample/zimbra_life.py" "$T/z" "$@" >"$T/life" 2>&1 || die "life $*: $(head -20 "$T/life")"; }
printf 'my&sql <secret>' >"$T/password"
chmod 600 "$T/password"
enc() { printf %s "$1" | sed 's|/|%2F|g'; }
sql="mariadb://zimbra@$(enc "$T/z/mysql/s.sock")/?password-file=$T/password"
ldap_password=$(sed -n '/zimbra_ldap_password/,/<\/key>/s|.*<value>\(.*\)</value>.*|\1|p' "$T/z/conf/localconfig.xml")
printf %s "$ldap_password" | sed 's/&amp;/\&/g; s/&lt;/</g; s/&gt;/>/g' >"$T/ldap-password"
chmod 600 "$T/ldap-password"
ldap="$(sed -n '/name="ldap_url"/,/<\/key>/s|.*<value>\(.*\)</value>.*|\1|p' "$T/z/conf/localconfig.xml")/?bind=uid=zimbra,cn=admins,cn=zimbra&password-file=$T/ldap-password"
cat >"$T/conf" <<C
[profile all]
repository = $T/repo
key-file = $T/key
source = zimbra:$T/z/conf/localconfig.xml
    $sql
    $ldap
C
chmod 600 "$T/conf"
life init
life day 1
/usr/bin/python3 "$here/sample/zimbra_life.py" "$T/z" rush 60 >"$T/rush" 2>&1 &
rush=$!
for n in 1 2 3; do
	z 0 --config "$T/conf" backup
	rm -rf "$T/x"
	z 0 extract latest -C "$T/x"
	for group in 1 2 3; do
		for table in mail_item tag mail_item_dumpster; do
			of=$T/x/sql/databases/mboxgroup$group/tables/$table/rows.sql
			[ ! -e "$of" ] || sed -n 's/^(\(.*\))[,;]$/\1/p' "$of" | sort >"$T/whole"
			[ -e "$of" ] || : >"$T/whole"
			cat "$T"/x/zimbra/accounts/*/%rows/$table.sql 2>/dev/null | awk -v g="mboxgroup$group" '/^INSERT/ {on = index($0, "`" g "`.") > 0} /^\(/ && on' |
				sed -n 's/^(\(.*\))[,;]$/\1/p' | sort >"$T/parts"
			cmp -s "$T/whole" "$T/parts" || die "backup $n: mboxgroup$group.$table: $(diff "$T/whole" "$T/parts" | head -4 | cut -c1-200)"
			[ "$table$group" != mail_item1 ] || [ -s "$T/whole" ] || die "no rows were compared"
		done
	done
done
kill -0 "$rush" 2>/dev/null && kill "$rush"
wait "$rush" 2>/dev/null
z 0 --config "$T/conf" snapshots --json
json_is '[s["detail"]["position"]["file"] + ":%d" % s["detail"]["position"]["pos"] for s in d[-1]["manifest"]["sources"] if s["type"] == "mariadb"] == [s["detail"]["position"] for s in d[-1]["manifest"]["sources"] if s["type"] == "zimbra"]' true
json_is 'min(m["highest_change"] for s in d[-1]["manifest"]["sources"] if s["type"] == "zimbra" for m in s["detail"]["mailboxes"].values() if m["mailbox"]) > 0' true
