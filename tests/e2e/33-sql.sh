# MariaDB there and back: every value and definition of the fixtures out of one server, through a repository, into an empty one
# in another time zone with a small max_allowed_packet; nothing may differ, nothing may be stored twice.
. "$(dirname "$0")/lib.sh"
. "$here/services.sh"
command -v mariadbd >/dev/null || skip "no mariadbd (package mariadb-server-core)"
trap 'services_down; cleanup' EXIT
quick_init
chmod 755 "$T"
mariadb_up "$T/m" || die "mariadbd"
sql "$T/m" <"$here/fixtures/sql/programs.sql" >/dev/null && sql "$T/m" <"$here/fixtures/sql/values.sql" >/dev/null || die "fixtures"
url="mariadb://root@localhost/?socket=$T/m/s.sock&defaults-file=none"
print() { /usr/bin/python3 "$here/compare/sql_fingerprint.py" "$@"; }

z 0 backup "$url"
err_has 'merged' # said: only its definition
out_has 'snapshot .* saved'
z 0 snapshots --json
json_is 'd[0]["partial"]' false
json_is 'd[0]["manifest"]["sources"][0]["state"]' done

# the same again: no new row chunks
before=$("$ZSTORE" stats --json | /usr/bin/python3 -c 'import json,sys; print(json.load(sys.stdin)["chunks"])')
z 0 backup --json "$url"
[ "$(json 'd["sources"][0]["added_bytes"]')" -lt 30000 ] || die "an unchanged server was stored again: $(json 'd["sources"][0]["added_bytes"]')"

z 0 extract latest --sql
mv "$T/out" "$T/all.sql"
[ "$(tail -1 "$T/all.sql")" = "-- zstore: complete" ] || die "no trailer"
mariadb_up "$T/n" --max-allowed-packet=16M --default-time-zone=+05:30 --character-set-server=latin1 --sql-mode=STRICT_ALL_TABLES || die "second mariadbd"
sql "$T/n" <"$T/all.sql" >"$T/load.out" 2>"$T/load.err" || die "the script does not load: $(head -3 "$T/load.err")"
[ ! -s "$T/load.err" ] || die "loading says: $(head -3 "$T/load.err")"
print "$T/m/s.sock" --accounts --next >"$T/fp.1" && print "$T/n/s.sock" --accounts --next >"$T/fp.2" || die "fingerprints"
[ "$(wc -l <"$T/fp.1")" -gt 20000 ] || die "the fingerprint is too short"
diff "$T/fp.1" "$T/fp.2" | cut -c1-300 >"$T/diff"
[ ! -s "$T/diff" ] || { head -20 "$T/diff" >&2; die "the servers differ in $(grep -c '^[<>]' "$T/diff") lines"; }
sql "$T/n" -uann -p"ann's pw" -e 'SELECT 1' >/dev/null || die "ann cannot log in"

# one database, one table, odd names; what is not there
z 0 extract latest --sql "vals.many"
out_has 'DROP TABLE IF EXISTS .many.'
out_lacks longblob
sql "$T/n" -e 'DELETE FROM vals.many WHERE id > 10; INSERT INTO vals.many VALUES (99999, NULL, 1)'
sql "$T/n" <"$T/out" || die "one table"
[ "$(sql "$T/n" -N -e 'SELECT COUNT(*), SUM(id) FROM vals.many')" = "20000	200010000" ] || die "rows of one table"
z 0 extract latest --sql 'odd/na`me%2F"x.a/b'
out_has 'INSERT INTO .a/b.'
z 0 extract --sql=zz.later latest
out_has 'CREATE DATABASE.*zz.later'
out_lacks 'USE .prog'
z 1 extract latest --sql nothing.there
err_has 'nothing.there'

# a view that is broken: named, left out, the rest loads; the snapshot is partial
sql "$T/m" -e 'CREATE DATABASE b; CREATE TABLE b.gone (a INT); CREATE VIEW b.broken AS SELECT a FROM b.gone; CREATE VIEW b.fine AS SELECT 1 AS one; DROP TABLE b.gone'
z 3 backup "mariadb://root@localhost/b?socket=$T/m/s.sock&defaults-file=none"
err_has 'broken'
z 0 snapshots --last 1 --json
json_is 'd[0]["partial"]' true
z 3 extract latest --sql
out_has 'left out: view "broken"'
out_has '^-- PARTIAL: '
[ "$(tail -1 "$T/out" | cut -c1-23)" = "-- zstore: incomplete: " ] || die "a partial script looks complete"
out_lacks 'CREATE USER'
sql "$T/n" <"$T/out" || die "a partial script does not load"
[ "$(sql "$T/n" -N -e 'SELECT one FROM b.fine')" = 1 ] || die "the other view"
z 0 check --read-data

# accounts that the server itself passes over are told, not dropped in silence
sql "$T/n" -e "CREATE USER named@'db.example.org'; FLUSH PRIVILEGES"
z 0 backup "mariadb://root@localhost/?socket=$T/n/s.sock&defaults-file=none"
err_has 'skip_name_resolve): 1; they are in accounts-tables.sql only'
z 0 snapshots --last 1 --json
json_is 'd[0]["manifest"]["sources"][0]["detail"]["totals"]["inactive_accounts"]' 1
json_is 'any("skip_name_resolve" in w for w in d[0]["manifest"]["sources"][0]["detail"]["warnings"])' true
z 0 extract latest --sql
out_has '^-- left out: accounts of named hosts'

# a script that cannot be completed says so: exit code, and no last line
"$ZSTORE" extract latest --sql >/dev/full 2>"$T/err"
[ $? = 1 ] || die "a full disk"
err_has 'No space left'
id=$(snapshot_id 0)
cp -r "$T/repo" "$T/damaged"
rm "$(find "$T/damaged/packs" -type f -printf '%s %p\n' | sort -n | tail -1 | cut -d' ' -f2)"
z 4 -r "$T/damaged" --cache-dir "$T/other-cache" extract "$id" --sql
[ "$(tail -1 "$T/out")" != "-- zstore: complete" ] || die "a damaged script looks complete"
