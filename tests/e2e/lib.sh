# For the end-to-end tests: sourced first.  ZSTORE names the program; every test works in a directory of its own.
set -u
: "${ZSTORE:?the program under test}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# FAST=1 before sourcing: in memory if there is room, for tests of many small runs, where fsync would be most of the time
fast_tmp() { [ -n "${FAST:-}" ] && [ "$(df --output=avail -k /dev/shm 2>/dev/null | tail -1)" -gt 1500000 ] && echo /dev/shm; }
T=$(mktemp -d -p "$(fast_tmp || echo "${TMPDIR:-/tmp}")" zstore-test.XXXXXX)
pids=
cleanup() {
	for p in $pids; do kill "$p" 2>/dev/null; done
	mountpoint -q "$T/mnt" && umount "$T/mnt"
	rm -rf "$T"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
cd "$T" || exit 1
export ZSTORE_REPO="$T/repo" ZSTORE_CACHE_DIR="$T/cache" ZSTORE_PASSPHRASE="correct horse battery staple" TZ=UTC LC_ALL=C.UTF-8
unset ZSTORE_KEY_FILE ZSTORE_PASSPHRASE_FILE ZSTORE_PASSPHRASE_COMMAND ZSTORE_CONFIG ZSTORE_PROFILE ZSTORE_MARIADB_PASSWORD ZSTORE_LDAP_PASSWORD
export XDG_CONFIG_HOME="$T/no-config" # whoever runs this may have profiles

die() {
	echo "FAILED at line ${BASH_LINENO[0]}${BASH_LINENO[1]:+ (from ${BASH_LINENO[1]})}: $*" >&2
	for f in out err; do [ -s "$T/$f" ] && { echo "--- $f" >&2; head -30 "$T/$f" | cut -c1-300 >&2; }; done
	exit 1
}
skip() { echo "$*"; exit 77; }

# z CODE ARGS...: run zstore; its exit code must be CODE; stdout in $T/out, stderr in $T/err
# CODE may be several, as in 4,6
z() {
	local want=$1 got
	shift
	"$ZSTORE" "$@" >"$T/out" 2>"$T/err" </dev/null
	got=$?
	[[ ",$want," = *",$got,"* ]] || die "zstore $*: exit $got, not $want"
}
out_has() { grep -qe "$1" "$T/out" || die "stdout lacks '$1'"; }
out_lacks() { ! grep -qe "$1" "$T/out" || die "stdout has '$1'"; }
err_has() { grep -qe "$1" "$T/err" || die "stderr lacks '$1'"; }
err_empty() { [ ! -s "$T/err" ] || die "stderr is not empty"; }
# names, types, link targets and contents of a tree
content() { (cd "$1" || exit 1; find . -printf '%P %y %l\0' | sort -z | tr '\0\n' '\n?'; find . -type f -print0 | sort -z | xargs -0r sha1sum); }
same() {
	content "$1" >"$T/same.1" && content "$2" >"$T/same.2" || die "cannot read $1 or $2"
	cmp -s "$T/same.1" "$T/same.2" || { diff "$T/same.1" "$T/same.2" | head -20 >&2; die "$1 and $2 differ"; }
}
# json EXPRESSION: of the JSON document (or the last of the lines) in $T/out, by Python; d is the document
json() {
	/usr/bin/python3 -c 'import json, sys
text = open(sys.argv[1]).read()
try: d = json.loads(text)
except ValueError: d = [json.loads(l) for l in text.splitlines() if l]
r = eval(sys.argv[2])
print(r if not isinstance(r, bool) else str(r).lower())' "$T/out" "$1" || die "JSON: $1"
}
json_is() { local got; got=$(json "$1"); [ "$got" = "$2" ] || die "JSON $1 is '$got', not '$2'"; }
# everything about a tree that must come back: names, types, modes, owners, times in ns, link targets, sizes, xattrs
metadata() { (cd "$1" && find . -mindepth 1 -printf '%P %y %m %U %G %T@ %l %s %n\n' | sed 's/ \([0-9]*\)\([0-9]\) \(.*\) d / /' | sort); }
sample() { /usr/bin/python3 "$here/sample/make_sample.py" "$@"; }
# a repository that opens with a key file: Argon2id at every call would be most of a test's time
quick_init() { export ZSTORE_KEY_FILE="$T/key"; z 0 init --no-recovery "$@"; err_empty; }
# as_nobody COMMAND...: without any right of root; what it needs must be readable
as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all -- "$@"; }
# for as_nobody: a directory that nobody can reach, with the key and a cache of its own
nobody_home() {
	chmod 755 "$T"
	mkdir -p "$T/nobody"
	cp "$T/key" "$T/nobody/key"
	chmod 600 "$T/nobody/key"
	chown -R 65534:65534 "$T/nobody"
}
zn() { # as z, as nobody, in $T/nobody
	local want=$1 got
	shift
	(cd "$T/nobody" && ZSTORE_KEY_FILE=$T/nobody/key ZSTORE_CACHE_DIR=$T/nobody/cache as_nobody "$ZSTORE" "$@" >"$T/out" 2>"$T/err" </dev/null)
	got=$?
	[ "$got" = "$want" ] || die "zstore $* (as nobody): exit $got, not $want"
}
snapshot_id() { z 0 snapshots --json; json "d[$1][\"id\"]"; } # snapshot_id -1: the newest
