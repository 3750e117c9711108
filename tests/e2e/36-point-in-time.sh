# Databases, directory and files in one snapshot while all of them are written to: what comes out of one snapshot fits together.
. "$(dirname "$0")/lib.sh"
. "$here/services.sh"
export PATH="$PATH:/usr/sbin"
trap 'touch "$T/stop"; wait; services_down; cleanup' EXIT
quick_init
chmod 755 "$T"
export SUFFIX=dc=example,dc=org
mariadb_up "$T/m" --log-bin="$T/m/data/binlog" || die "mariadbd"
SLAPD_PLAIN=1 slapd_up "$T/l" "$SUFFIX" || die "slapd"
/usr/bin/python3 "$here/sample/make_ldif.py" "$SUFFIX" 100 | sed '/^dn: cn=default,ou=policies/,/^$/d' | slapd_add "$T/l" || die "directory"
sql "$T/m" -e "CREATE DATABASE bank; USE bank; CREATE TABLE a (id INT PRIMARY KEY, v INT) ENGINE=InnoDB; CREATE TABLE z (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
CREATE TABLE filler (id INT PRIMARY KEY, t VARCHAR(200)) ENGINE=InnoDB; INSERT INTO a SELECT seq, 1000 FROM seq_1_to_100; INSERT INTO z SELECT seq, 1000 FROM seq_1_to_100;
INSERT INTO filler SELECT seq, REPEAT(MD5(seq), 6) FROM seq_1_to_100000" || die "tables"
mkdir src && echo file >src/file

# writers: money moves between two tables; the directory and the number of rows change; all until they are told to stop
(while [ ! -e stop ]; do for _ in $(seq 50); do i=$((RANDOM % 100 + 1)); k=$((RANDOM % 9))
	echo "BEGIN; UPDATE a SET v = v - $k WHERE id = $i; UPDATE z SET v = v + $k WHERE id = $i; COMMIT;"; done; done | sql "$T/m" bank; echo $? >writer1) &
(n=0; while [ ! -e stop ]; do n=$((n + 1)); printf 'dn: uid=user%05d,ou=people,%s\nchangetype: modify\nreplace: description\ndescription: %d\n\n' $((n % 90)) "$SUFFIX" $n; done |
	ldapmodify -x -H "ldap://127.0.0.1:$(cat "$T/l/port")" -D "cn=root,$SUFFIX" -w secret >/dev/null 2>writer2.err; echo $? >writer2) &
sleep 0.5
sql="mariadb://root@localhost/?socket=$T/m/s.sock&defaults-file=none"
for round in 1 2 3; do
	"$ZSTORE" backup --json src "$sql" "$(cat "$T/l/url")/?config=no" >out 2>err || [ $? = 3 ] || die "backup $round"
done
touch stop
wait
[ "$(cat writer1)" = 0 ] || die "the writer of the database failed"
[ "$(sql "$T/m" -N -e 'SELECT SUM(v) FROM (SELECT v FROM bank.a UNION ALL SELECT v FROM bank.z) x')" = 200000 ] || die "the invariant is wrong at the source"
[ "$(sql "$T/m" -N -e 'SELECT SUM(v) <> 100000 FROM bank.a')" = 1 ] || die "nothing was moved"

mariadb_up "$T/n" || die "second mariadbd"
z 0 snapshots --json
cp out list.json
for id in $(/usr/bin/python3 -c 'import json; print(*[s["id"] for s in json.load(open("list.json"))])'); do
	"$ZSTORE" extract "$id" --sql bank >bank.sql || die "extract"
	sql "$T/n" -e 'DROP DATABASE IF EXISTS bank' && sql "$T/n" <bank.sql || die "load"
	[ "$(sql "$T/n" -N -e 'SELECT SUM(v) FROM (SELECT v FROM bank.a UNION ALL SELECT v FROM bank.z) x')" = 200000 ] || die "money was lost in $id"
	[ "$(sql "$T/n" -N -e 'SELECT COUNT(*) FROM bank.filler')" = 100000 ] || die "rows are missing"
	"$ZSTORE" extract "$id" --ldif >dir.ldif || die "extract --ldif"
	[ "$(grep -c '^dn:' dir.ldif)" = "$(slapd_cat "$T/l" -b "$SUFFIX" | grep -c '^dn:')" ] || die "entries are missing"
	z 0 extract "$id:src/file" --stdout
done
# where it stood, in the manifest: with a binary log, file, position and GTID
json_of() { /usr/bin/python3 -c 'import json, sys; d = json.load(open("list.json")); m = d[-1]["manifest"]["sources"]; print(eval(sys.argv[1]))' "$1"; }
[ "$(json_of '[s["state"] for s in m][0]')" = done ] || die "files"
[[ "$(json_of '[s["detail"]["position"]["file"] for s in m if s["type"] == "mariadb"][0]')" = binlog* ]] || die "no position"
[ "$(json_of '[s["detail"]["consistency"] for s in m if s["type"] == "mariadb"][0]')" = stage ] || die "no stage"
z 0 snapshots -v latest
out_has 'position'
# what is there when nobody writes any more is what the last snapshot says
z 0 backup src "$sql" "$(cat "$T/l/url")/?config=no"
z 0 extract latest --ldif
slapd_cat "$T/l" -b "$SUFFIX" >cat.ldif
/usr/bin/python3 "$here/compare/ldif_compare.py" cat.ldif out --without contextCSN >compare || die "$(head -3 compare | cut -c1-300)"
