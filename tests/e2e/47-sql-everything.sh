# Everything that a MariaDB server can hold (tests/fixtures/sql/tricky, from what is known to be lost by others): out of one server,
# through a repository, into an empty one with other defaults, in another time zone, that takes 16 MiB at once; and in parts.
FAST=1
. "$(dirname "$0")/lib.sh"
. "$here/services.sh"
command -v mariadbd >/dev/null || skip "no mariadbd (package mariadb-server-core)"
trap 'services_down; cleanup' EXIT
quick_init
chmod 755 "$T"
both="--log-bin-trust-function-creators=1 --skip-name-resolve=0 --event-scheduler=ON"
mariadb_up "$T/m" --log-bin="$T/m/data/bin" --server-id=1 $both || die "mariadbd"
mariadb_zones "$T/m" || die "time zones"
for f in "$here"/fixtures/sql/tricky/*.sql; do
	case $f in *-broken.sql) continue ;; esac
	sql "$T/m" <"$f" >"$T/load.out" 2>"$T/err" || die "fixture $f"
done
url="mariadb://root@localhost/?socket=$T/m/s.sock&defaults-file=none"
print() { /usr/bin/python3 "$here/compare/sql_fingerprint.py" "$@" || die "fingerprint"; }
equal() { # NAME: of the two files NAME.1, NAME.2
	diff "$1.1" "$1.2" | cut -c1-300 >"$T/diff"
	[ ! -s "$T/diff" ] || { head -20 "$T/diff" >&2; die "$1: $(grep -c '^[<>]' "$T/diff") lines differ"; }
}

began=$SECONDS
z 0 backup "$url"
[ $((SECONDS - began)) -lt 60 ] || die "it took $((SECONDS - began)) seconds"
z 0 snapshots --json
json_is 'd[0]["partial"]' false
json_is 'd[0]["manifest"]["sources"][0]["detail"]["longest_statement_table"]' bytes_.escapes
json_is 'd[0]["manifest"]["sources"][0]["detail"]["needs"]["named_time_zones"]' true

# nothing changed: what is new is what says when and where it stood
z 0 backup --json "$url"
added=$(json 'd["sources"][0]["added_bytes"]')
z 0 extract latest:sql/summary.json --stdout
[ "$added" -le "$(stat -c %s "$T/out")" ] || die "an unchanged server was stored again: $added bytes"

z 0 extract latest --sql
mv "$T/out" "$T/all.sql"
mariadb_up "$T/n" --max-allowed-packet=16M --default-time-zone=+05:30 --character-set-server=ucs2 --collation-server=ucs2_bin \
	--sql-mode=ORACLE,TRADITIONAL,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH --default-storage-engine=MyISAM $both || die "second mariadbd"
mariadb_zones "$T/n" || die "time zones"
sql "$T/n" --show-warnings <"$T/all.sql" >"$T/load.out" 2>"$T/load.err" || die "the script does not load: $(head -3 "$T/load.err")"
[ ! -s "$T/load.err" ] || die "loading says: $(head -3 "$T/load.err")"
# members that are none, and definitions that only a server that is not strict makes
! grep -v "^Warning (Code 1265): Data truncated for column '[ef]'\|^Warning (Code 139): Row size\|^Warning (Code 1478): InnoDB: ignoring KEY_BLOCK_SIZE" "$T/load.out" ||
	die "loading warns"
print "$T/m/s.sock" --accounts >all.1
print "$T/n/s.sock" --accounts >all.2
[ "$(wc -l <all.1)" -gt 40000 ] || die "the fingerprint is too short"
equal all

# what they do is the same, too
for s in m n; do
	sql "$T/$s" -uplain -p"plain's \\ \"pass\" ü" -e 'SELECT CURRENT_ROLE()' >"role.$s" 2>&1 || die "plain cannot log in to $s"
	sql "$T/$s" -e "SET sql_mode = '', time_zone = '+00:00'; BEGIN; INSERT INTO triggers_.a_first VALUES (7, 'x'); SELECT * FROM triggers_.a_first; SELECT * FROM triggers_.z_log; ROLLBACK; ALTER TABLE triggers_.z_log AUTO_INCREMENT = 1;
		SELECT * FROM views_z.back; SELECT * FROM history_.as_of; SELECT routines_.german_body(), routines_.same_name(5), HEX(routines_.latin_body());
		SELECT * FROM views_a.names_made; SELECT * FROM views_a.backslashes; SELECT routines_.modes_backslash()" >"does.$s" 2>&1 || die "what $s does: $(tail -1 "does.$s")"
	sql "$T/$s" -e "UPDATE views_a.cascaded SET id = 50 WHERE id = 1" 2>"check.$s" && die "$s does not check"
	sql "$T/$s" -e "SET sql_mode=ORACLE; CALL accounts_.pkg.p1" >/dev/null || die "a package"
done
cmp role.m role.n && cmp does.m does.n && cmp check.m check.n && grep -q reader role.n || die "they do not do the same"

# one table each, in place of one that is gone or changed
while IFS=$'\t' read -r db table; do
	quoted="\`${db//\`/\`\`}\`.\`${table//\`/\`\`}\`"
	z 0 extract latest --sql "$db.$table"
	sql "$T/n" -e "SET foreign_key_checks = 0; DROP TABLE $quoted" || die "drop"
	sql "$T/n" <"$T/out" 2>"$T/err" || die "one table: $quoted"
done <<'S'
numbers_	float_key
charsets_	second_byte
bytes_	eleven_mib
members_	with_empty
history_	hidden
history_	by_time
keys_	by_two
keys_	auto_zero
keys_	none_
columns_	generated_first
columns_	columns_wide
foreign_a	z_parent
sequences_a	later_db
triggers_	a_first
odd /*comment*/ -- x	*/ DROP TABLE x; /*
odd/slash\backslash	../../etc/passwd
odd.dot	..
..	..
S
print "$T/n/s.sock" --accounts >all.2
equal all
# one database, as hexadecimal numbers; these need more than 16 MiB at once
z 0 backup "${url/localhost\//localhost/bytes_}&hex=yes"
z 0 extract latest --sql bytes_
! grep -aq "_binary'" "$T/out" || die "no hexadecimal numbers"
sql "$T/n" -e 'DROP DATABASE bytes_; SET GLOBAL max_allowed_packet = 67108864'
sql "$T/n" --max-allowed-packet=64M <"$T/out" || die "one database"
print "$T/m/s.sock" bytes_ >bytes.1
print "$T/n/s.sock" bytes_ >bytes.2
equal bytes
# every name stands for a file of its own, and nothing gets out of the directory
z 0 backup "$url"
z 0 extract latest -C "$T/files"
z 0 ls -R --json latest
[ "$(find "$T/files" -type f | wc -l)" = "$(grep -c '"type": *"file"\|"kind": *"file"' "$T/out")" ] || die "files"

# what is broken is named, each, and the rest comes
sql "$T/m" <"$here/fixtures/sql/tricky/19-broken.sql" || die "fixture"
z 3 backup "$url"
for what in 'tables/merged_broken: ' 'views.sql: view broken_column' 'views.sql: view broken_function' 'views.sql: view broken_table' 'views.sql: view on_broken'; do err_has "broken_/$what"; done
[ "$(grep -c 'broken_/' "$T/err")" = 5 ] || die "more is said to be broken"
z 3 extract latest --sql broken_
sql "$T/n" <"$T/out" || die "what is left does not load"
[ "$(sql "$T/n" -N -e 'SELECT COUNT(*) FROM broken_.z_fine')" = 3 ] || die "the other views"
# where numbers are drawn
print "$T/m/s.sock" --next sequences_a sequences_z >next.1
print "$T/n/s.sock" --next sequences_a sequences_z >next.2
equal next
