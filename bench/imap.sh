#!/bin/bash
# zstore beside mbsync (isync) on one Dovecot on loopback: 20,000 messages copied for the first time, then again, then after
# a day of change.  Numbers only, nothing is asserted.
#   bench/imap.sh [--zstore PROGRAM] [--messages N] [--bytes N] [--rounds N]
# mbsync writes a Maildir, with and without fsync ("FSync"); zstore a compressed and encrypted repository, with its own.
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/tests/packages.sh"
need_packages $BUILD_PACKAGES $BENCH_PACKAGES $SERVER_PACKAGES openssl || exit 1
. "$here/tests/services.sh"
export PATH="$PATH:/usr/sbin" LC_ALL=C.UTF-8
zstore='' messages=20000 bytes=8000 rounds=3
while [ $# -gt 0 ]; do
	case $1 in
	--zstore) zstore=$(realpath "$2") ;;
	--messages) messages=$2 ;;
	--bytes) bytes=$2 ;;
	--rounds) rounds=$2 ;;
	*) sed -n '2,5p' "$0" >&2; exit 2 ;;
	esac
	shift 2
done
T=$(mktemp -d "${TMPDIR:-/tmp}/zstore-bench.XXXXXX") && chmod 755 "$T" || exit 1
trap 'services_down TERM; rm -rf "$T"' EXIT
trap 'exit 130' INT TERM
if [ -z "$zstore" ]; then
	echo "building" >&2
	meson setup "$T/build" "$here" --buildtype=release -Dtests=disabled -Dfuzzing=none >/dev/null && ninja -C "$T/build" >/dev/null || exit 1
	zstore=$T/build/src/cli/zstore
fi
dovecot_up "$T/d" || exit 1
tls=$(cat "$T/d/tls-port")
echo "writing $messages messages" >&2
/usr/bin/python3 - "$T/d/mail/user1@example.com/Maildir/Big" "$messages" "$bytes" <<'END'
import base64, os, random, sys
where, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = random.Random(5)
words = ["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randrange(2, 10))) for _ in range(3000)]
for d in "cur", "new", "tmp":
    os.makedirs(where + "/" + d)
for n in range(count):
    text = "From: Sender %d <s%d@example.net>\nTo: user1@example.com\nSubject: %s\nMessage-ID: <%d.bench@example.net>\nDate: Mon, 01 Jan 2024 10:00:00 +0000\n" % (
        n % 97, n % 97, " ".join(rng.choices(words, k=6)), n)
    body = ""
    while len(body) < size * (0.3 + 1.4 * rng.random()):
        body += " ".join(rng.choices(words, k=11)) + "\n"
    if n % 10 == 0: # every tenth has something attached
        data = base64.encodebytes(rng.randbytes(size)).decode()
        text += "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=xx\n\n--xx\n\n" + body + "--xx\nContent-Transfer-Encoding: base64\n\n" + data + "--xx--\n"
    else:
        text += "\n" + body
    flags = "S" if n % 3 else ""
    # with both sizes in the name, as Dovecot delivers: else it would look for them again and again
    with open("%s/cur/%d.M%d.bench,S=%d,W=%d:2,%s" % (where, 1700000000 + n, n, len(text), len(text) + text.count("\n"), flags), "w") as f:
        f.write(text)
END
service_own "$T/d/mail"
mbsync_config() { # FSYNC
	cat <<-END
	FSync $1

	IMAPAccount a
	Host localhost
	Port $tls
	User user1@example.com
	Pass pw1
	SSLType IMAPS
	CertificateFile $T/d/tls/ca.pem
	PipelineDepth 50

	IMAPStore far
	Account a

	MaildirStore near
	Path $T/md/
	Inbox $T/md/INBOX
	SubFolders Verbatim

	Channel c
	Far :far:
	Near :near:
	Patterns Big
	Create Near
	SyncState *
	Sync Pull
	END
}
mbsync_config yes >"$T/fsync.rc"
mbsync_config no >"$T/nosync.rc"
export ZSTORE_REPO=$T/repo ZSTORE_CACHE_DIR=$T/cache ZSTORE_KEY_FILE=$T/key ZSTORE_IMAP_PASSWORD=pw1
unset ZSTORE_PASSPHRASE ZSTORE_CONFIG
url="imaps://user1@example.com@localhost:$tls/Big?ca-file=$T/d/tls/ca.pem"
# timed NAME COMMAND...: seconds, processor seconds, MiB
timed() {
	local name=$1
	shift
	sync
	/usr/bin/time -o "$T/time" -f '%e %U %S %M' "$@" >"$T/out" 2>&1 || { cat "$T/out" >&2; echo "$name failed" >&2; exit 1; }
	awk -v name="$name" '{printf "%-34s %7.2f s  %6.2f s processor  %4.0f MiB\n", name, $1, $2 + $3, $4 / 1024}' "$T/time"
	awk '{print $1}' "$T/time" >>"$T/wall.${name// /_}"
}
fresh_zstore() { rm -rf "$T/repo" "$T/cache" "$T/key"; "$zstore" init --no-recovery >/dev/null 2>&1 || exit 1; }
fresh_mbsync() { rm -rf "$T/md"; mkdir "$T/md"; }
fresh_mbsync
mbsync -q -c "$T/nosync.rc" c >"$T/out" 2>&1 || { cat "$T/out" >&2; exit 1; } # what dovecot has to find out once
for ((i = 1; i <= rounds; i++)); do
	fresh_mbsync
	timed "mbsync first" mbsync -q -c "$T/fsync.rc" c
	fresh_mbsync
	timed "mbsync first, no fsync" mbsync -q -c "$T/nosync.rc" c
	fresh_zstore
	timed "zstore first" "$zstore" backup "$url"
done
got=$(find "$T/md/Big/cur" "$T/md/Big/new" -type f | wc -l)
listed=$("$zstore" ls -R latest:imap/Big 2>/dev/null | grep -c 'eml$')
[ "$got" = "$messages" ] && [ "$listed" = "$messages" ] || { echo "mbsync copied $got, zstore $listed of $messages" >&2; exit 1; }
timed "mbsync unchanged" mbsync -q -c "$T/nosync.rc" c
timed "zstore unchanged" "$zstore" backup "$url"
# 1 % other flags: no content
doveadm -c "$T/d/dovecot.conf" flags add -u user1@example.com '\Flagged' mailbox Big "1:$((messages / 100))" >/dev/null 2>&1
timed "mbsync, 1 % other flags" mbsync -q -c "$T/nosync.rc" c
timed "zstore, 1 % other flags" "$zstore" backup "$url"
median() { sort -n "$T/wall.${1// /_}" | sed -n "$(((rounds + 1) / 2))p"; }
awk -v z="$(median "zstore first")" -v m="$(median "mbsync first, no fsync")" -v f="$(median "mbsync first")" \
	'BEGIN {printf "zstore copies %.2f times as fast as mbsync without fsync, %.2f times as fast as with it (medians)\n", m / z, f / z}'
du -sm "$T/d/mail" "$T/md" "$T/repo" | awk '{printf "%5d MiB  %s\n", $1, $2}'
