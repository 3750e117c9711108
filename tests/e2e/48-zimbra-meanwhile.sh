#!/bin/bash
# A Zimbra server that changes between the snapshot and the reading of a blob: deleted, rewritten, a whole account gone; and what must
# not end a backup, nor take anything else with it: folders called like entries, a damaged table, blobs of another size.
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
tls_make "$T/tls" || die "certificates"
SLAPD_TLS="$T/tls" zimbra_up "$T/z" || die "zimbra"
life() { /usr/bin/python3 "$here/sample/zimbra_life.py" "$T/z" "$@" >"$T/life" 2>&1 || die "life $*: $(head -20 "$T/life")"; }
url="zimbra:$T/z/conf/localconfig.xml"
sqlz() { zimbra_sql "$T/z" -N -e "SET foreign_key_checks=0; $1" || die "sql: $1"; }
fresh() { rm -rf "$T/repo" "$T/key" "$T/cache" && quick_init; }
entry() { # ACCOUNT ID: the path of its blob in the newest snapshot
	z 0 ls -R "latest:zimbra/accounts/$1"
	grep -o "zimbra/accounts/$1/.*/$2-[^/]*\$" "$T/out" | grep -v '\.vcf$\|\.ics$' | head -1
}
same() { # ACCOUNT ID FILE: bit for bit
	local path
	path=$(entry "$1" "$2")
	echo "$path" >"$T/path"
	[ -n "$path" ] || die "$1 has no item $2"
	z 0 extract "latest:$path" --stdout
	cmp -s "$T/out" "$3" || die "$1: item $2 is not what it should be"
}
# held EXIT COMMAND: a backup whose snapshot is taken, but that has read nothing when COMMAND changes the server
held() {
	local want=$1 n
	mkfifo "$T/hold"
	{ echo "LOCK TABLES mboxgroup1.lock_me WRITE; SELECT 'locked';"; cat "$T/hold"; } | zimbra_sql "$T/z" -N --unbuffered >"$T/locked" 2>&1 &
	exec 9>"$T/hold"
	until grep -q locked "$T/locked"; do sleep 0.05; done
	"$ZSTORE" backup --json "$url" >"$T/out" 2>"$T/err" 9>&- &
	backup=$!
	n=0
	until [ "$(sqlz "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for table%'")" -gt 0 ]; do
		sleep 0.05
		n=$((n + 1))
		[ "$n" -lt 400 ] || die "the backup waits for nothing: $(cat "$T/err")"
	done
	"$2"
	exec 9>&-
	rm "$T/hold"
	wait "$backup"
	n=$?
	[ "$n" = "$want" ] || die "$2: exit $n, not $want: $(cat "$T/err")"
}
meanwhile() { # KEY: of the newest manifest
	z 0 snapshots --json
	json "d[-1]['manifest']['sources'][0]['detail']['$1']"
}

life init
life day 1
sqlz 'CREATE TABLE mboxgroup1.lock_me (mailbox_id INT UNSIGNED NOT NULL PRIMARY KEY)' # the backup asks it for changes, and nothing hangs on it
store=$T/z/store/0
cp "$store/202/msg/0/256-2.msg" "$T/all" # to several mailboxes, as links to one file
[ "$(stat -c %h "$store/101/msg/0/280-3.msg")" -ge 3 ] || die "no links"

# ---- the directory by TLS, as Zimbra has it: with the server's own authority, with one that is named, with neither
config=$T/z/conf/localconfig.xml
cp "$config" "$T/config"
mkdir "$T/z/conf/ca"
for url_of in "ldap://127.0.0.1:$(cat "$T/z/ldap/port")" "ldaps://127.0.0.1:$(cat "$T/z/ldap/tls-port")"; do
	sed "s,$(cat "$T/z/ldap/url"),$url_of,; /ldap_starttls_supported/,/value/s,<value>0,<value>1," "$T/config" >"$config"
	cp "$T/tls/ca.pem" "$T/z/conf/ca/ca.pem"
	z 0 backup "$url"
	rm "$T/z/conf/ca/ca.pem"
	z 1 backup "$url"
	err_has "Zimbra's directory $url_of.*authority"
	z 0 backup "$url?ca-file=$T/tls/ca.pem"
done
cp "$T/config" "$config"
fresh

# ---- of several rows of one file one has another digest: that one is named, though others found the file good
digest=$(sqlz "SELECT blob_digest FROM mboxgroup2.mail_item WHERE mailbox_id=202 AND id=256")
sqlz "UPDATE mboxgroup2.mail_item SET blob_digest=REVERSE(blob_digest) WHERE mailbox_id=202 AND id=256"
for again in 1 2; do # what was bad is looked at again, although nothing changed
	z 3 backup --json "$url"
	err_has 'emil@zweite.test/.*/256-.*not what its row says'
	json_is '[(a["name"], a["state"]) for a in d["sources"][0]["accounts"] if a["state"] != "done"]' "[('emil@zweite.test', 'partial')]"
done
sqlz "UPDATE mboxgroup2.mail_item SET blob_digest='$digest' WHERE mailbox_id=202 AND id=256"

# ---- the first of several names is deleted: the others are there
delete_first() {
	sqlz "DELETE FROM mboxgroup1.mail_item WHERE mailbox_id=101 AND id=280"
	rm "$store/101/msg/0/280-3.msg"
}
fresh
held 0 delete_first
[ -z "$(entry ada@example.test 280)" ] || die "what was deleted is there"
same bjoern@example.test 256 "$T/all"
same emil@zweite.test 256 "$T/all"
[ "$(meanwhile deleted_meanwhile)" = 1 ] || die "deletions are not counted"
z 0 extract latest:zimbra/states/ada@example.test --stdout
out_has '"state":"done".*"deleted_meanwhile":1'

# ---- one of them is rewritten: its later version, and the others' own
printf 'Subject: rewritten\r\n\r\nlater\r\n' >"$T/later"
later_digest=$(openssl dgst -sha256 -binary "$T/later" | base64 | tr / ,)
rewrite() {
	cp "$T/later" "$T/z/store/1/4201/msg/0/256-9000.msg"
	sqlz "UPDATE mboxgroup1.mail_item SET mod_content=9000, mod_metadata=9000, size=$(stat -c %s "$T/later"), blob_digest='$later_digest' WHERE mailbox_id=4201 AND id=256"
	rm "$T/z/store/1/4201/msg/0/256-2.msg"
}
fresh
held 0 rewrite
same bjoern@example.test 256 "$T/later"
same emil@zweite.test 256 "$T/all"
same dora@zweite.test 256 "$T/all"
[ "$(meanwhile rewritten_meanwhile)" = 1 ] || die "later versions are not counted"
# written back: what the snapshot has under the old digest is the later version, and nobody may rely on it
cp "$T/all" "$T/z/store/1/4201/msg/0/256-9001.msg"
sqlz "UPDATE mboxgroup1.mail_item m JOIN mboxgroup2.mail_item o ON o.mailbox_id=202 AND o.id=256 SET m.mod_content=9001, m.mod_metadata=9001, m.size=o.size, m.blob_digest=o.blob_digest WHERE m.mailbox_id=4201 AND m.id=256"
z 0 backup "$url"
same bjoern@example.test 256 "$T/all"

# ---- a whole account is deleted: not "done"
delete_account() {
	for table in mail_item tag tagged_item; do sqlz "DELETE FROM mboxgroup2.$table WHERE mailbox_id=102"; done
	sqlz "DELETE FROM zimbra.mailbox WHERE id=102"
	rm -rf "$T"/z/store*/0/102
}
fresh
held 3 delete_account
err_has 'mailbox 102 was deleted while it was backed up'
json_is '[(a["name"], a["state"]) for a in d["sources"][0]["accounts"] if a["state"] != "done"]' "[('dora@zweite.test', 'partial')]"

# ---- what moves keeps its content without being read: two blobs are damaged, and only a backup that reads everything sees it
fresh
z 0 backup "$url"
moved=$(find "$store/202/msg" -name '25[0-9]-*.msg' -links 1 ! -name '256-*' | sort | head -1)
number=$(basename "$moved" | sed 's/-.*//')
cp "$moved" "$T/moved"
head -c "$(stat -c %s "$moved")" /dev/zero >"$moved"
head -c "$(stat -c %s "$T/all")" /dev/zero >"$store/202/msg/0/256-2.msg" # of all who have it
old=$(entry emil@zweite.test 256)
sqlz "UPDATE mboxgroup2.mail_item SET folder_id=3, mod_metadata=9100 WHERE mailbox_id=202 AND id=$number"
sqlz "UPDATE mboxgroup2.mail_item SET name='Posteingang', subject='Posteingang', mod_metadata=9101 WHERE mailbox_id=202 AND id=2"
z 0 backup --json "$url"
same emil@zweite.test "$number" "$T/moved"
grep -q "Trash/$number-" "$T/path" || die "it is not in Trash: $(cat "$T/path")"
same emil@zweite.test 256 "$T/all"
[ "$(cat "$T/path")" != "$old" ] || die "the folder has not moved"
# its account gets another name, and another account the name that it had
cat >"$T/rename.ldif" <<'E2'
dn: uid=emil,ou=people,dc=zweite,dc=test
changetype: modify
replace: zimbraMailDeliveryAddress
zimbraMailDeliveryAddress: zoe@zweite.test
-
replace: mail
mail: zoe@zweite.test

dn: uid=dora,ou=people,dc=zweite,dc=test
changetype: modify
replace: zimbraMailDeliveryAddress
zimbraMailDeliveryAddress: emil@zweite.test
-
replace: mail
mail: emil@zweite.test
E2
directory() { ldapmodify -x -H "$(cat "$T/z/ldap/url")" -D uid=zimbra,cn=admins,cn=zimbra -w zimbra-ldap-secret >"$T/ldapmodify" 2>&1 || die "ldapmodify: $(cat "$T/ldapmodify")"; }
directory <"$T/rename.ldif"
z 0 backup --json "$url"
same zoe@zweite.test "$number" "$T/moved"
same zoe@zweite.test 256 "$T/all"
sed 's/: emil@/: dora@/; s/: zoe@/: emil@/' "$T/rename.ldif" >"$T/back.ldif"
awk 'BEGIN {RS = ""; ORS = "\n\n"} {p[NR] = $0} END {for (i = NR; i; i--) print p[i]}' "$T/back.ldif" | directory
z 3 backup --force "$url"
err_has "/256-.*not what its row says"
err_has "/$number-.*not what its row says"
cat "$T/moved" >"$moved"
cat "$T/all" >"$store/202/msg/0/256-2.msg"

# ---- folders that are called like entries stand beside them
fresh
z 0 backup "$url"
z 0 ls -R latest:zimbra/accounts/ada@example.test
names=$(grep -o '/\(Calendar\|Contacts\|Inbox\)/[0-9]*-.*\.\(ics\|vcf\|eml\)$' "$T/out" | sed 's|.*/||')
n=0
for name in $names; do
	number=${name%%-*}
	folder=$(sqlz "SELECT folder_id FROM mboxgroup1.mail_item WHERE mailbox_id=101 AND id=$number")
	n=$((n + 1))
	sqlz "INSERT INTO mboxgroup1.mail_item (mailbox_id,id,type,parent_id,folder_id,date,size,flags,name,subject,metadata,mod_metadata,mod_content) VALUES (101,$((90000 + n)),1,$folder,$folder,1,0,0,'$name','$name','d1:vi10ee',$((20000 + n)),$((20000 + n)))"
done
[ "$n" -ge 6 ] || die "only $n folders: $names"
z 0 backup "$url"
z 0 ls -R latest:zimbra/accounts/ada@example.test
for name in $names; do
	grep -qF "/$name/" "$T/out" || die "no folder $name"
	grep -qF "/$name!" "$T/out" || die "no item $name!"
done
z 0 check

# ---- another schema: the rows of accounts of which nothing else changed are read again
sqlz "ALTER TABLE mboxgroup2.mail_item ADD COLUMN added INT NOT NULL DEFAULT 7"
z 0 backup "$url"
z 0 extract "latest:zimbra/accounts/emil@zweite.test/%rows/mail_item.sql" --stdout
out_has 'added'

# ---- a table that cannot be read: named, and the mail is there
fresh
for table in event revision_dumpster; do
	sqlz "CREATE TABLE mboxgroup1.copy ENGINE=MyISAM AS SELECT * FROM mboxgroup1.$table; DROP TABLE mboxgroup1.$table; RENAME TABLE mboxgroup1.copy TO mboxgroup1.$table"
done
sqlz "FLUSH TABLES"
for table in event revision_dumpster; do : >"$T/z/mysql/data/mboxgroup1/$table.MYI"; done
z 3 backup "$url"
err_has 'ada@example.test/%rows/event.sql'
err_has 'mboxgroup1.*revision_dumpster'
same emil@zweite.test 256 "$T/all"
same bjoern@example.test 256 "$T/all"
z 0 snapshots --json
json_is '[m["state"] for s in d[-1]["manifest"]["sources"] for k, m in s["detail"]["mailboxes"].items() if k.startswith(("ada", "chen"))]' "['partial', 'done']"

# ---- a blob of another size than its row says: what there is of it is kept
fresh
file=$(find "$store/202/msg" -name '25[0-9]-*.msg' -links 1 | sort | head -1)
number=$(basename "$file" | sed 's/-.*//')
sqlz "UPDATE mboxgroup2.mail_item SET size=size+7 WHERE mailbox_id=202 AND id=$number"
z 3 backup "$url"
err_has "/$number-.*cut short"
same emil@zweite.test "$number" "$file"
