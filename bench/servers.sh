#!/usr/bin/env bash
# MariaDB and LDAP beside mariadb-dump and slapcat, in one run: prints ratios.  Everything in one temporary directory, removed
# at the end.
#   bench/servers.sh [--quick] [--zstore PROGRAM]
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tests/packages.sh"
need_packages $BUILD_PACKAGES $BENCH_PACKAGES $SERVER_PACKAGES || exit 1
. "$here/../tests/services.sh"
export PATH="$PATH:/usr/sbin"
blobs=30000 rows=5000000 entries=50000 mailboxes=200 items=2000 zstore=
while [ $# -gt 0 ]; do
	case $1 in
	--quick) blobs=3000 rows=200000 entries=5000 mailboxes=20 ;;
	--zstore) zstore=$(realpath "$2"); shift ;;
	*) sed -n 2,5p "$0"; exit 2 ;;
	esac
	shift
done
W=$(mktemp -d "${TMPDIR:-/tmp}/zstore-bench.XXXXXX") && chmod 755 "$W" || exit 1
trap 'services_down; rm -rf "$W"' EXIT
trap 'exit 130' INT TERM
say() { printf '%s\n' "$*" >&2; }
if [ -z "$zstore" ]; then
	say "building zstore"
	meson setup "$W/build" "$here/.." --buildtype=release -Dtests=disabled -Dfuzzing=none >"$W/log" 2>&1 && ninja -C "$W/build" >>"$W/log" 2>&1 || { tail "$W/log"; exit 1; }
	zstore=$W/build/src/cli/zstore
fi
export ZSTORE_CACHE_DIR="$W/cache" ZSTORE_KEY_FILE="$W/key"
"$zstore" init --no-recovery "$W/repo" >/dev/null || exit 1
export ZSTORE_REPO="$W/repo"

# seconds COMMAND...: wall time; its standard output is dropped
seconds() { local t; t=$( { /usr/bin/time -f '%e %M' "$@" >/dev/null 2>"$W/err"; } 2>&1; tail -1 "$W/err"); echo "$t"; }
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf("%.2f", (b > 0) ? a / b : 0)}'; }
# against NAME LIMIT OTHER... -- OURS...: alternating, three times each, medians; the peak memory of ours
against() {
	local name=$1 limit=$2 other=() peak=0 t
	shift 2
	while [ "$1" != -- ]; do other+=("$1"); shift; done
	shift
	: >"$W/t.other"; : >"$W/t.ours"
	for _ in 1 2 3; do
		t=$(seconds "${other[@]}"); echo "${t% *}" >>"$W/t.other"
		t=$(seconds "$@"); echo "${t% *}" >>"$W/t.ours"
		[ "${t#* }" -gt "$peak" ] && peak=${t#* }
	done
	printf '%-34s %7s s %7s s   %5s x   (must: %s)   peak %d MiB\n' "$name" "$(median <"$W/t.ours")" "$(median <"$W/t.other")" \
		"$(ratio "$(median <"$W/t.ours")" "$(median <"$W/t.other")")" "$limit" $((peak / 1024))
}

say "MariaDB: tables"
POOL=1G mariadb_up "$W/m" --skip-log-bin || exit 1
s="$W/m/s.sock"
sql "$W/m" -e "CREATE DATABASE blobs_; CREATE DATABASE narrow_; CREATE DATABASE mail_;
CREATE TABLE blobs_.t (id INT PRIMARY KEY, b LONGBLOB); CREATE TABLE narrow_.t (id INT PRIMARY KEY, a INT, b VARCHAR(20), c DATETIME, d DECIMAL(10,2));
USE narrow_; INSERT INTO narrow_.t SELECT seq, seq * 7, CONCAT('name', seq), '2024-01-01' + INTERVAL seq SECOND, seq / 3 FROM seq_1_to_$rows;
INSERT INTO blobs_.t SELECT seq, CONCAT($(printf 'RANDOM_BYTES(1024),%.0s' $(seq 15))RANDOM_BYTES(1024)) FROM seq_1_to_$blobs;" || exit 1
printf '%-34s %9s %9s\n' "" zstore other
for t in blobs narrow; do
	url="mariadb://root@localhost/${t}_?socket=$s&defaults-file=none&name=$t"
	"$zstore" backup -q "$url" || exit 1
	against "$t: mariadb-dump --hex-blob" "1" mariadb-dump --no-defaults -S "$s" -uroot --single-transaction --hex-blob "${t}_" -- "$zstore" backup -q "$url"
	printf '  unchanged: %s new bytes of rows and all\n' "$("$zstore" backup --json "$url" | jq '.sources[0].added_bytes')"
done

say "MariaDB: two days"
item='USE mail_; INSERT INTO mail_.item SELECT m.seq, i.seq, 5, 2, 1700000000 + i.seq * 600, FLOOR(RAND(m.seq * 100000 + i.seq) * 100000), SHA2(CONCAT(m.seq, "/", i.seq), 256), FLOOR(RAND() * 64), CONCAT("sender ", FLOOR(RAND() * 3000), "@example.org"), CONCAT("subject of ", MD5(RAND())), CONCAT("d1:f", MD5(RAND()), MD5(RAND()), "1:s", MD5(RAND()), MD5(RAND()), MD5(RAND()), MD5(RAND())), i.seq, i.seq FROM'
day1() {
	sql "$W/m" -e "DROP TABLE IF EXISTS mail_.item; CREATE TABLE mail_.item (mailbox_id INT UNSIGNED, id INT UNSIGNED, type TINYINT, folder_id INT UNSIGNED, date INT UNSIGNED, size BIGINT UNSIGNED,
	blob_digest VARCHAR(64), flags INT, sender VARCHAR(128), subject TEXT, metadata MEDIUMTEXT, mod_metadata INT UNSIGNED, mod_content INT UNSIGNED, PRIMARY KEY (mailbox_id, id));
	$item seq_1_to_$mailboxes m JOIN seq_1_to_$items i"
}
more="$item seq_1_to_$mailboxes m JOIN seq_$((items + 1))_to_$((items + items / 20)) i"
for day in u r i; do
	case $day in
	u) change='UPDATE mail_.item SET flags = flags ^ 1, mod_metadata = mod_metadata + 100000 WHERE RAND() < 0.02' want=71.1 ;;
	r) change="UPDATE mail_.item SET flags = flags ^ 1, mod_metadata = mod_metadata + 100000 WHERE RAND() < IF(id > $((items * 9 / 10)), 0.18, 0.0022)" want=83.8 ;;
	i) change='DO 0' want=94.5 ;;
	esac
	day1 || exit 1
	url="mariadb://root@localhost/mail_?socket=$s&defaults-file=none&name=mail$day"
	"$zstore" backup -q "$url" || exit 1
	sql "$W/m" -e "$change; $more" || exit 1
	before=$(du -sb "$W/repo" | cut -f1)
	"$zstore" backup --json "$url" >"$W/json" || exit 1
	printf 'day 2 (%s): %5.1f %% of bytes reused (must: %s - 2), repository grew by %s bytes\n' $day \
		"$(jq '100 - 100 * .sources[0].added_bytes / .sources[0].bytes' "$W/json")" $want $(($(du -sb "$W/repo" | cut -f1) - before))
done
service_stop "$W/m"

say "LDAP: $entries entries"
SUFFIX=dc=example,dc=org
export SUFFIX
for kind in with without; do
	SLAPD_PLAIN=1 SLAPD_SYNCPROV=$([ $kind = with ] && echo 1) slapd_make "$W/l-$kind" "$SUFFIX" || exit 1
	/usr/bin/python3 "$here/../tests/sample/make_ldif.py" "$SUFFIX" "$entries" | sed '/^dn: cn=default,ou=policies/,/^$/d' >"$W/in.ldif"
	service_own "$W/in.ldif"
	service_user slapadd -q -w -F "$W/l-$kind/conf" -b "$SUFFIX" -l "$W/in.ldif" || exit 1
	SLAPD_PLAIN=1 slapd_up "$W/l-$kind" "$SUFFIX" || exit 1
	url="$(cat "$W/l-$kind/url")/?config=no&name=ldap-$kind"
	"$zstore" backup -q "$url" || exit 1
	against "$entries entries $kind syncprov: slapcat" 2 slapcat -o ldif-wrap=no -F "$W/l-$kind/conf" -b "$SUFFIX" -- "$zstore" backup -q "$url"
	against "  the same: ldapsearch" - ldapsearch -LLL -o ldif-wrap=no -Q -Y EXTERNAL -H "$(cat "$W/l-$kind/url")" -b "$SUFFIX" '*' '+' -- "$zstore" backup -q "$url"
done
