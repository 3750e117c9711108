#!/bin/bash
# A profile with real servers: one backup without arguments, passwords from everywhere, what config check says of rights, several sources of one
# kind in a snapshot, one of them down.
. "$(dirname "$0")/lib.sh"
. "$here/services.sh"
export PATH="$PATH:/usr/sbin"
command -v mariadbd >/dev/null && command -v slapd >/dev/null || skip "no mariadbd or slapd"
unset ZSTORE_REPO ZSTORE_CACHE_DIR ZSTORE_PASSPHRASE
trap 'services_down; cleanup' EXIT
chmod 755 "$T"
export SUFFIX=dc=example,dc=org
mariadb_up "$T/m" || die "mariadbd"
mariadb_up "$T/n" || die "second mariadbd"
SLAPD_PLAIN=1 slapd_up "$T/l" "$SUFFIX" || die "slapd"
/usr/bin/python3 "$here/sample/make_ldif.py" "$SUFFIX" 50 | sed '/^dn: cn=default,ou=policies/,/^$/d' | slapd_add "$T/l" || die "directory"
for i in m n; do
	sql "$T/$i" -e "CREATE DATABASE shop_$i; USE shop_$i; CREATE TABLE orders (id INT PRIMARY KEY, t VARCHAR(50)); INSERT INTO orders SELECT seq, CONCAT('$i', seq) FROM seq_1_to_500;
CREATE TABLE other (id INT PRIMARY KEY); CREATE USER full@localhost IDENTIFIED BY 'full pw&='; GRANT ALL ON *.* TO full@localhost;
CREATE USER poor@localhost IDENTIFIED BY 'poor'; GRANT SELECT ON shop_$i.* TO poor@localhost" || die "tables"
done
for k in $(seq 30); do echo "CREATE TABLE t$k (id INT);"; done | sql "$T/n" shop_n || die "more tables"
mkdir src; echo file >src/file
umask 077
echo 'full pw&=' >pw-full; printf 'secret' >pw-ldap
cat >zstore.conf <<END
[zstore]
repository = $T/repo
key-file = $T/key
cache-dir = $T/cache

[profile all]
source = $T/src
    db
    second
    dir
keep-last = 3

[profile poor]
source = poor

[source db]
url = mariadb://full@localhost/
socket = $T/m/s.sock
defaults-file = none
password-file = $T/pw-full

[source second]
url = mariadb://full@localhost/?socket=$T/n/s.sock&defaults-file=none
password-command = cat $T/pw-full

[source dir]
url = ldap://127.0.0.1:$(cat "$T/l/port")/
bind = cn=root,$SUFFIX
password-file = $T/pw-ldap
config = no

[source poor]
url = mariadb://poor@localhost/?socket=$T/m/s.sock
defaults-file = none
END
export ZSTORE_CONFIG=$T/zstore.conf
"$ZSTORE" config show --profile all >out 2>err || { grep -q 'built without' err && skip "$(cat err)"; die "config show"; }
z 0 init --profile all --no-recovery

# ---- config check: versions and rights; what is missing, and what to do
z 0 --profile all config check
out_has 'profile all'
out_has '^  db .*connects'
out_has '^  second .*connects'
out_has '^  dir .*connects'
out_has 'server 1[0-9][.].*MariaDB'
out_has 'would be complete'
ZSTORE_MARIADB_PASSWORD=poor z 1 config check
out_has 'profile poor'
out_has 'LACKS: '
out_has 'GRANT'
out_has 'would FAIL'
ZSTORE_MARIADB_PASSWORD=poor z 1 config check --json
json_is '[(p["profile"], p["backup"]) for p in d["profiles"]], d["ok"]' "([('all', 'complete'), ('poor', 'fails')], False)"
json_is '"lack" in [n["level"] for n in d["profiles"][1]["sources"][0]["notes"]], d["profiles"][1]["sources"][0]["ok"]' '(True, False)'
ZSTORE_MARIADB_PASSWORD=wrong z 1 --profile poor config check
out_has 'denied'
z 1 --profile poor config check
grep -r 'full pw' out err && die "a password is shown"
ZSTORE_MARIADB_PASSWORD=poor z 1 --profile poor backup
err_has 'GRANT'

# ---- what would be read; then all in one snapshot, without arguments
z 0 --profile all backup --dry-run
for name in files db second dir; do out_has "^  done .* $name\$"; done
out_has 'nothing was stored'
z 0 --profile all backup --dry-run -v
out_has '^db/databases/shop_m/tables/orders/rows.sql$'
out_has '^dir/'
z 0 --profile all backup --dry-run --json
json_is '"snapshot" in d, [s["files"] > 0 for s in d["sources"]]' '(False, [True, True, True, True])'
z 0 --profile all snapshots --json
json_is 'd' '[]'
z 0 --profile all backup
err_empty
for name in files db second dir; do out_has "^  done .* $name\$"; done
z 0 --profile all backup --json
json_is '[(s["name"], s["state"], s["problems"]) for s in d["sources"]]' "[('files', 'done', 0), ('db', 'done', 0), ('second', 'done', 0), ('dir', 'done', 0)]"
json_is 'd["files"] == sum(s["files"] for s in d["sources"]) and d["bytes"] == sum(s["bytes"] for s in d["sources"])' true
z 0 --profile all snapshots --json latest
json_is 'sorted(d[0]["paths"])[0].startswith("/"), any("pw" in p for p in d[0]["paths"]), len(d[0]["paths"])' '(True, False, 4)'
grep -q 'full pw\|pw-full' out && die "a secret, or the way to it, in the snapshot"
json_is '[(s["name"], s["type"]) for s in d[0]["manifest"]["sources"]]' "[('files', 'files'), ('db', 'mariadb'), ('second', 'mariadb'), ('dir', 'ldap')]"
z 0 --profile all snapshots -v latest
out_has 'source db, mariadb, done'
out_has 'source dir, ldap, done'
# a line for each of the first tables
out_has '^        tables.0: db shop_n, table orders, rows 500, '
out_has '^        \.\.\. and 22 more (--json has all)$'
[ "$(wc -l <out)" -lt 70 ] || die "a manifest of $(wc -l <out) lines for people"

# ---- several sources of one kind: which one must be said; the only LDAP one need not
export ZSTORE_PROFILE=all
z 2 extract latest --sql
err_has ':db or .*:second'
z 0 extract latest:second --sql shop_n.orders
out_has "'n500'"; out_has '^-- zstore: complete$'; out_lacks 'other'
z 0 extract shop_m.orders --sql latest:db
out_has "'m500'"
z 0 extract --sql=shop_m.orders --sql=shop_m.other latest:db
out_has "'m500'"; out_has 'other'
z 1 extract latest:db --sql shop_n
err_has 'shop_n'
z 0 extract latest --ldif
[ "$(grep -c '^dn:' out)" = "$(slapd_cat "$T/l" -b "$SUFFIX" | grep -c '^dn:')" ] || die "entries are missing"
out_has '^entryCSN:'
z 0 extract latest --ldif "ou=people,$SUFFIX" --profile live
out_has "^dn: ou=people,$SUFFIX"; out_lacks '^entryCSN:'; out_lacks "^dn: $SUFFIX\$"
z 0 extract "ou=people,$SUFFIX" --ldif latest:dir --profile full
out_has '^entryCSN:'
z 0 extract "--ldif=ou=people,$SUFFIX" latest
out_has "^dn: ou=people,$SUFFIX"
z 1 extract latest --ldif ou=nobody,dc=nowhere
z 1 extract latest:src --sql
"$ZSTORE" extract latest:db --sql 2>err | head -1 >out
err_empty # who reads no further is not told
"$ZSTORE" extract latest --ldif >/dev/full 2>err; [ $? = 1 ] || die "a full disk"
err_has 'No space left'

# ---- one server is down: the rest is stored, the snapshot says so, so does what comes out of it
service_stop "$T/n"
z 3 backup
err_has '^zstore: second: .*cannot connect'
out_has '^  FAILED .* second: '
out_has '^  done .* db$'
z 1 config check
out_has '^  second .*cannot connect'; out_has 'would be INCOMPLETE'
z 3 extract latest --sql shop_m.orders
out_has "'m500'"
err_has 'is partial: there were 1 problems'
z 3 extract latest --ldif
z 0 prune
z 0 snapshots --json
json_is '[s["partial"] for s in d]' '[False, False, True]'
# all are down
service_stop "$T/m"; service_stop "$T/l"
z 1 backup "mariadb://full@localhost/?socket=$T/m/s.sock&defaults-file=none&password-file=$T/pw-full" "ldap://127.0.0.1:$(cat "$T/l/port")/?bind=cn=x&password-file=$T/pw-ldap"
err_has 'every source failed'
z 0 snapshots --json
json_is 'len(d)' 3
z 0 check --read-data
