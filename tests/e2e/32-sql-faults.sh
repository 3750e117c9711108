# MariaDB when things go wrong: each time a clear message with the name of what is concerned, the right exit code, the rest backed
# up where that makes sense, nothing silently missing.
. "$(dirname "$0")/lib.sh"
. "$here/services.sh"
command -v mariadbd >/dev/null || skip "no mariadbd (package mariadb-server-core)"
trap 'services_down; cleanup' EXIT
quick_init
chmod 755 "$T"
m="$T/m"
mariadb_up "$m" --log-bin="$m/data/bin" --server-id=1 || die "mariadbd"
port=$(cat "$m/port")
sock="socket=$m/s.sock&defaults-file=none"
url="mariadb://root@localhost/d?$sock"

# big is what the others wait for; what stands before it is read before, what behind it after
sql "$m" <<'S' || die "tables"
CREATE DATABASE d; USE d;
CREATE TABLE a_first (a INT PRIMARY KEY, b VARCHAR(50)); INSERT INTO a_first VALUES (1,'one'),(2,'two'),(3,'three');
CREATE TABLE big (a INT PRIMARY KEY, b VARBINARY(1024)); INSERT INTO big SELECT seq, RANDOM_BYTES(1024) FROM seq_1_to_60000;
CREATE TABLE m_one (a INT PRIMARY KEY, b INT); INSERT INTO m_one SELECT seq, seq FROM seq_1_to_100;
CREATE TABLE m_two LIKE m_one; INSERT INTO m_two SELECT * FROM m_one;
CREATE TABLE m_parts (a INT PRIMARY KEY) PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (100)); INSERT INTO m_parts SELECT seq FROM seq_1_to_99;
CREATE TABLE z_last (a INT PRIMARY KEY, b INT); INSERT INTO z_last SELECT seq, seq FROM seq_1_to_9;
CREATE TABLE z_versions (a INT PRIMARY KEY, b INT) WITH SYSTEM VERSIONING; INSERT INTO z_versions VALUES (1,1),(2,1); UPDATE z_versions SET b=2;
CREATE USER poor@localhost; CREATE USER tcp@'127.0.0.1' IDENTIFIED BY 'right';
GRANT ALL ON *.* TO tcp@'127.0.0.1';
S

snapshots() { "$ZSTORE" snapshots --json | /usr/bin/python3 -c 'import json,sys; print(len(json.load(sys.stdin)))'; }
none_saved() { [ "$(snapshots)" = "${1:-0}" ] || die "a snapshot was saved"; }
rows_of() { z 0,3 extract latest --sql "d.$1" && grep -ac '^([0-9]' "$T/out"; }
# stalled URL: zstore starts, and is stopped when it reads the table big; then the caller does something, and calls resumed
stalled() {
	"$ZSTORE" backup "$1" >"$T/out" 2>"$T/err" </dev/null &
	reader=$!
	pids="$pids $reader"
	for ((i = 0; i < 300; i++)); do
		query=$(sql "$m" -N -e "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SQL\_NO\_CACHE%big%'")
		[ -n "$query" ] && kill -STOP $reader && break
	done
	[ -n "$query" ] || die "the table big was never seen being read"
	# still at it, and not at its end: the server waits for somebody to take its rows
	[ "$(sql "$m" -N -e "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = $query AND INFO LIKE '%big%'")" = 1 ] || die "it was too fast"
}
resumed() { # CODE
	kill -CONT $reader
	wait $reader
	got=$?
	[[ ",$1," = *",$got,"* ]] || die "exit $got, not $1"
}

# ------------------------------------------------------------------ connecting
echo wrong >"$T/password" && chmod 600 "$T/password"
z 3,1 backup "mariadb://tcp@127.0.0.1:$port/d?defaults-file=none&password-file=$T/password"
err_has "Access denied for user 'tcp'"
err_has 'user or password are wrong'
! grep -q wrong "$T/err" || grep -q 'are wrong' "$T/err" || die "the password is shown"
none_saved
echo right >"$T/password"
z 3,1 backup "mariadb://tcp@127.0.0.1:1/d?defaults-file=none"
err_has "cannot connect to 127.0.0.1, is the server running"
z 3,1 backup "mariadb://root@localhost/d?socket=$T/none.sock&defaults-file=none"
err_has "$T/none.sock"
z 3,1 backup "mariadb://root@localhost/d,missing?$sock"
err_has "no database 'missing'"
z 2 backup "mariadb://root@localhost/d?$sock&consistancy=plain"
err_has "unknown option 'consistancy'"
z 2 backup "mariadb://root:secret@localhost/d?$sock"
err_has 'no password belongs into a URL'
none_saved

# TLS: asked for and not there; from an unknown authority; for another host; and it works
tls_make "$T/ca" && tls_make "$T/other" || die "certificates"
printf 'subjectAltName=DNS:elsewhere.example\n' >"$T/ca/ext"
openssl x509 -req -in "$T/ca/server.csr" -CA "$T/ca/ca.pem" -CAkey "$T/ca/ca.key" -CAcreateserial -days 30 -extfile "$T/ca/ext" -out "$T/ca/elsewhere.pem" 2>/dev/null
chmod 644 "$T/ca/elsewhere.pem"
tcp="mariadb://tcp@127.0.0.1:$port/d?defaults-file=none&password-file=$T/password"
z 3,1 backup "$tcp&ssl=yes"
err_has 'the server does not support it'
z 3,1 backup "$tcp&ssl-ca=$T/ca/ca.pem"
err_has 'the server does not support it'
# not even the account's name is sent before that is known: a server that says that it has no TLS, and notes what it gets
/usr/bin/python3 - "$T" <<'P' &
import socket, struct, sys
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(1)
open(sys.argv[1] + "/fake.port", "w").write(str(s.getsockname()[1]))
c, _ = s.accept()
body = b"\x0a5.5.5-10.11.19-MariaDB\0" + struct.pack("<I", 7) + b"abcdefgh\0" + struct.pack("<HBHHB", 0xf7fe & ~0x800, 45, 2, 0x81bf, 21) + b"\0" * 10 + b"ijklmnopqrst\0mysql_native_password\0"
c.sendall(struct.pack("<I", len(body))[:3] + b"\0" + body)
c.settimeout(10)
got = b""
try:
    while True:
        b = c.recv(4096)
        if not b:
            break
        got += b
except OSError:
    pass
open(sys.argv[1] + "/fake.got", "wb").write(got)
P
fake=$!
pids="$pids $fake"
for ((i = 0; i < 100; i++)); do [ -s "$T/fake.port" ] && break; sleep 0.05; done
z 3,1 backup "mariadb://tcp@127.0.0.1:$(cat "$T/fake.port")/d?defaults-file=none&password-file=$T/password&ssl=yes"
err_has 'the server does not support it'
wait $fake
[ -e "$T/fake.got" ] && ! grep -q tcp "$T/fake.got" || die "the account was named to a server without TLS"
for cert in server elsewhere; do
	service_stop "$m"
	mariadb_up "$m" --log-bin="$m/data/bin" --server-id=1 --ssl-ca="$T/ca/ca.pem" --ssl-cert="$T/ca/$cert.pem" --ssl-key="$T/ca/server.key" || die "mariadbd with TLS"
	z 3,1 backup "$tcp&ssl=yes"
	err_has 'certificate'
	z 3,1 backup "$tcp&ssl-ca=$T/other/ca.pem"
	err_has 'certificate'
	# an option file does not weaken it
	printf '[client]\nssl-verify-server-cert=0\n' >"$T/weak.cnf"
	z 3,1 backup "${tcp/defaults-file=none/defaults-file=$T/weak.cnf}&ssl-ca=$T/other/ca.pem"
	err_has 'certificate'
	if [ $cert = server ]; then
		z 0 backup --dry-run "$tcp&ssl-ca=$T/ca/ca.pem"
	else
		z 3,1 backup --dry-run "$tcp&ssl-ca=$T/ca/ca.pem"
		err_has 'TLS'
		z 0 backup --dry-run "$tcp&ssl=no"
	fi
done
none_saved

# option files: who, and where
printf '[zstore]\nuser=tcp\npassword=right\nsocket=/nowhere\nhost=127.0.0.1\nport=%s\nprotocol=tcp\nreconnect\n' "$port" >"$T/my.cnf"
z 0 backup --dry-run "mariadb:///d?defaults-file=$T/my.cnf"
printf '[other]\nuser=root\nsocket=%s\n' "$m/s.sock" >"$T/my.cnf"
z 0 backup --dry-run "mariadb:///d?defaults-file=$T/my.cnf&defaults-group=other"

# ------------------------------------------------------------------ rights
poor="mariadb://poor@localhost/d?$sock"
z 3,1 backup "$poor"
err_has "no database 'd', or this account may not see it"
sql "$m" -e 'GRANT SELECT ON d.* TO poor@localhost'
z 3,1 backup "$poor"
for right in 'SHOW VIEW' TRIGGER EVENT; do err_has "the right $right is missing on d: GRANT $right ON .d.\.\*"; done
err_has 'may not read the bodies of procedures'
none_saved
z 0 backup --dry-run "$poor&skip=views,triggers,events,programs"
sql "$m" -e 'CREATE ROLE r; GRANT SHOW VIEW, EVENT ON `d`.* TO r; GRANT r TO poor@localhost; SET DEFAULT ROLE r FOR poor@localhost'
z 3,1 backup "$poor&skip=programs"
err_has 'TRIGGER is missing'
! grep -q 'EVENT is missing' "$T/err" || die "a right by a role does not count"
sql "$m" -e 'GRANT TRIGGER ON `_`.* TO poor@localhost; GRANT SELECT ON mysql.proc TO poor@localhost'
z 0 backup "$poor" # as a plain transaction
z 3,1 backup "mariadb://poor@localhost/d?$sock&consistency=stage"
err_has 'the right RELOAD is missing'
z 3,1 backup "mariadb://poor@localhost/?$sock"
err_has 'may not see all databases'
none_saved 1
z 0 snapshots --json
json_is 'd[0]["manifest"]["sources"][0]["detail"]["consistency"]' plain
json_is 'd[0]["manifest"]["sources"][0]["detail"]["totals"]["rows"]' 60315

# ------------------------------------------------------------------ a server with a mind of its own
z 0 backup "$url"
z 0 snapshots --json
json_is 'd[-1]["manifest"]["sources"][0]["detail"]["consistency"]' stage
json_is 'd[-1]["manifest"]["sources"][0]["detail"]["position"]["gtid"] != ""' true
json_is 'd[-1]["manifest"]["sources"][0]["detail"]["position"]["file"]' "$(sql "$m" -N -e 'SHOW MASTER STATUS' | cut -f1)"
z 0 extract latest --sql
grep -av '^-- ' "$T/out" >"$T/usual.sql" # its head says when, and where
sql "$m" -e "SET GLOBAL sql_select_limit=2, system_versioning_asof='2001-01-01', max_statement_time=0.2, net_write_timeout=1, idle_transaction_timeout=1,
	idle_readonly_transaction_timeout=1, wait_timeout=1, max_join_size=3, sql_safe_updates=1, time_zone='+05:30', sort_buffer_size=1024,
	sql_mode='ORACLE,ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH'"
stalled "$url"
sleep 2 # longer than any of the limits
resumed 0
z 0 extract latest --sql
grep -av '^-- ' "$T/out" | cmp -s - "$T/usual.sql" || die "global settings change what is backed up"
sql "$m" -e "SET GLOBAL sql_select_limit=DEFAULT, system_versioning_asof=DEFAULT, max_statement_time=0, net_write_timeout=60, idle_transaction_timeout=0,
	idle_readonly_transaction_timeout=0, wait_timeout=28800, max_join_size=DEFAULT, sql_safe_updates=0, time_zone=SYSTEM, sort_buffer_size=DEFAULT, sql_mode=DEFAULT"

# ------------------------------------------------------------------ tables that change while others are read
stalled "$url"
sql "$m" d -e 'SET lock_wait_timeout=5; ALTER TABLE a_first ADD c INT DEFAULT 7; ALTER TABLE m_one ADD c INT DEFAULT 7; ALTER TABLE m_two ADD c INT DEFAULT 7, ALGORITHM=COPY;
	ALTER TABLE m_parts ADD PARTITION (PARTITION p1 VALUES LESS THAN (200)); INSERT INTO m_parts VALUES (150); INSERT INTO z_last VALUES (100,100)' || die "a table that was read, or is not read yet, cannot be altered"
resumed 0
err_has 'd.m_two: it changed after the snapshot'
err_has 'd.m_parts: it changed after the snapshot'
[ "$(rows_of m_one)" = 100 ] && grep -aq '^(1,1,7)' "$T/out" || die "m_one"
[ "$(rows_of m_two)" = 100 ] && grep -aq '^(1,1,7)' "$T/out" || die "m_two"
[ "$(rows_of m_parts)" = 100 ] || die "m_parts"
[ "$(rows_of z_last)" = 9 ] || die "z_last is not of the snapshot"
[ "$(rows_of big)" = 60000 ] || die "big"
z 0 snapshots --json
json_is '[r["table"] for r in d[-1]["manifest"]["sources"][0]["detail"]["retried"]]' "['m_parts', 'm_two']"
json_is 'd[-1]["manifest"]["sources"][0]["detail"]["retried"][0]["position"]["pos"] > d[-1]["manifest"]["sources"][0]["detail"]["position"]["pos"]' true
json_is 'd[-1]["partial"]' false

stalled "$url"
sql "$m" d -e 'TRUNCATE m_one; DROP TABLE m_two; RENAME TABLE m_parts TO n_parts; DROP TABLE z_last; CREATE VIEW z_last AS SELECT 1'
resumed 3
err_has 'tables/m_two: it was dropped or renamed since the backup began'
err_has 'tables/m_parts: it was dropped or renamed since the backup began'
err_has 'tables/z_last: it is no table any more'
err_has 'd.m_one: it changed after the snapshot'
[ "$(rows_of z_versions)" = 4 ] || die "what came after was not backed up"
z 0 snapshots --json
json_is 'd[-1]["partial"]' true
sql "$m" d -e 'DROP VIEW z_last; RENAME TABLE n_parts TO m_parts'

# the table at hand cannot be altered until it was read
stalled "$url"
! sql "$m" d -e 'SET lock_wait_timeout=1; ALTER TABLE big ADD c INT' 2>/dev/null || die "big was altered while it was read"
resumed 0

# ------------------------------------------------------------------ ends in mid-table
count=$(snapshots)
stalled "$url"
sql "$m" -e "KILL QUERY $query"
resumed 3
err_has 'tables/big/rows.sql: .*interrupted'
[ "$(rows_of z_versions)" = 4 ] || die "what came after was not backed up"
z 0 snapshots --json
json_is 'd[-1]["partial"]' true
z 1 extract --stdout latest:sql/databases/d/tables/big/rows.sql
none_saved $((count + 1))
stalled "$url"
sql "$m" -e "KILL $query"
resumed 1,3
err_has 'tables/big/rows.sql: .*[Ll]ost connection\|tables/big/rows.sql: .*killed'
err_has 'the connection was lost'
none_saved $((count + 1))
stalled "$url"
service_stop "$m" KILL
resumed 1,3
err_has 'the connection was lost'
none_saved $((count + 1))
mariadb_up "$m" --log-bin="$m/data/bin" --server-id=1 || die "mariadbd does not come back"

# a server that fails does not stop the others
mkdir "$T/files" && echo hello >"$T/files/a"
z 3 backup "mariadb://root@localhost/d?socket=$T/none.sock&defaults-file=none" "$T/files"
err_has "$T/none.sock"
none_saved $((count + 2))
z 0 snapshots --json
json_is 'd[-1]["partial"]' true

# ------------------------------------------------------------------ locks
sql "$m" d -e "CREATE TABLE my (a INT PRIMARY KEY) ENGINE=MyISAM; INSERT INTO my VALUES (1); CREATE TABLE a_my LIKE my; INSERT INTO a_my VALUES (1)"
sql "$m" d -e 'LOCK TABLES a_my WRITE; SELECT SLEEP(4)' >/dev/null &
sleep 1
z 0 backup "$url&lock-timeout=1"
err_has 'could not be held still for the snapshot, it is a plain transaction'
err_has 'could not be locked'
wait $!
z 0 snapshots --json
json_is 'd[-1]["manifest"]["sources"][0]["detail"]["consistency"]' plain
json_is 'len(d[-1]["manifest"]["sources"][0]["detail"]["warnings"])' 2
# held until they were read: nobody writes into them in between
for consistency in stage block-ddl ftwrl plain; do
	stalled "$url&consistency=$consistency"
	! sql "$m" d -e 'SET lock_wait_timeout=1; INSERT INTO my VALUES (2)' 2>/dev/null || die "$consistency: my was written"
	sql "$m" d -e "INSERT INTO m_one VALUES (2000,1,1)" || die "$consistency: InnoDB cannot be written"
	if [ $consistency = block-ddl ]; then
		! sql "$m" d -e 'SET lock_wait_timeout=1; CREATE TABLE new (a INT)' 2>/dev/null || die "block-ddl does not"
	else
		sql "$m" d -e 'SET lock_wait_timeout=5; CREATE TABLE new (a INT); DROP TABLE new' || die "$consistency: definitions are held"
	fi
	resumed 0
	z 0 snapshots --json
	json_is 'd[-1]["manifest"]["sources"][0]["detail"]["consistency"]' $consistency
	sql "$m" d -e 'SET lock_wait_timeout=1; INSERT INTO my VALUES (2); DELETE FROM my WHERE a=2; DELETE FROM m_one' || die "$consistency: a lock was left"
	[ "$(rows_of my)" = 1 ] || die "$consistency: my"
done
z 0 backup "$url&skip=locks"
err_has 'read without a lock'

# history by numbers of transactions cannot be written again: said, every time, and what can be kept is
sql "$m" d -e 'CREATE TABLE trx (a INT PRIMARY KEY, s BIGINT UNSIGNED AS ROW START INVISIBLE, e BIGINT UNSIGNED AS ROW END INVISIBLE, PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING ENGINE=InnoDB;
	INSERT INTO trx VALUES (1); UPDATE trx SET a=2' 2>/dev/null || sql "$m" d -e 'CREATE TABLE trx (a INT PRIMARY KEY, s BIGINT UNSIGNED GENERATED ALWAYS AS ROW START INVISIBLE,
	e BIGINT UNSIGNED GENERATED ALWAYS AS ROW END INVISIBLE, PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING ENGINE=InnoDB; INSERT INTO trx VALUES (1); UPDATE trx SET a=2' || die "trx"
z 3 backup "$url"
err_has 'tables/trx/rows.sql: its history is kept by numbers of transactions'
[ "$(rows_of trx)" = 1 ] || die "trx: current rows"
z 0 backup "$url&exclude=d.trx"

# a row that this server would not take back
service_stop "$m" TERM
mariadb_up "$m" --log-bin="$m/data/bin" --server-id=1 --max-allowed-packet=1M || die "mariadbd"
sql "$m" --max-allowed-packet=16M d -e 'DROP TABLE trx; CREATE TABLE wide (a INT PRIMARY KEY, b LONGBLOB, c LONGBLOB); INSERT INTO wide VALUES (1, REPEAT(0x27, 900000), REPEAT(0x5c, 900000))' || die "wide"
z 0 backup "$url"
err_has 'd.wide: a statement of 3600[0-9]* bytes'
z 0 snapshots --json
json_is 'd[-1]["manifest"]["sources"][0]["detail"]["longest_statement_table"]' d.wide
json_is '3600000 < d[-1]["manifest"]["sources"][0]["detail"]["needs"]["max_allowed_packet"] < 3601000' true
z 0 check
