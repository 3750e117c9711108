#!/bin/bash
# An IMAP server there: everything as it was appended, every night only what is new; moves, renames, logins, TLS, odd names, large
# messages, connections that break.
. "$(dirname "$0")/lib.sh"
. "$here/services.sh"
command -v dovecot >/dev/null || [ -x /usr/sbin/dovecot ] || skip "no dovecot"
export PATH="$PATH:/usr/sbin"
trap 'services_down TERM; cleanup' EXIT
quick_init
"$ZSTORE" backup --dry-run imaps://nobody@127.0.0.1:1/ 2>&1 | grep -q "built without IMAP" && skip "built without IMAP"
chmod 755 "$T"
dovecot_up "$T/d" || die "dovecot"
port=$(cat "$T/d/port") tls_port=$(cat "$T/d/tls-port")
mail() { /usr/bin/python3 "$here/sample/imap_mail.py" "$port" user1@example.com pw1 "$@" >"$T/mail.out" 2>&1 || { cat "$T/mail.out" >&2; die "imap_mail $*"; }; }
raw() { mail raw "$@"; grep -q '^[A-Z]*[0-9]* \(NO\|BAD\)' "$T/mail.out" && { cat "$T/mail.out" >&2; die "raw $*"; }; return 0; }
export ZSTORE_IMAP_PASSWORD=pw1
ca="ca-file=$T/d/tls/ca.pem"
url="imap://user1@example.com@127.0.0.1:$port/?$ca"
# logged: what dovecot says of the connections that ended since the last call: bodies and their bytes, summed up
log_at=0
logged() {
	sleep 0.3 # it writes when the process ends
	tail -c "+$((log_at + 1))" "$T/d/dovecot.log" | sed -n 's/.*in=[0-9]* out=[0-9]* bodies=\([0-9]*\) bytes=\([0-9]*\).*/\1 \2/p' |
		awk '{b += $1; n += $2} END {print b + 0, n + 0}'
	log_at=$(stat -c %s "$T/d/dovecot.log")
}
bodies() { local got; got=$(logged); [ "${got% *}" = "$1" ] || die "$got bodies and bytes, not $1"; log_at=$(stat -c %s "$T/d/dovecot.log"); }
mark() { sleep 0.3; log_at=$(stat -c %s "$T/d/dovecot.log"); }
# verify [SNAPSHOT]: all of it is what the server has, or had when truth was written
verify() {
	rm -rf "$T/x"
	z 0 ls -R --json "${1:-latest}:imap"
	cp "$T/out" "$T/list"
	z 0 extract "${1:-latest}:imap" -C "$T/x"
	/usr/bin/python3 "$here/compare/imap_compare.py" "$T/truth" "$T/list" "$T/x" >"$T/compare" || { cat "$T/compare" >&2; die "compare"; }
}

# ---- full: every kind of message in several folders; nothing is changed on the server
mail fill 1 160 INBOX Sent "Büro/Ablage & mehr" "Lists/dev" "100%" "0000000001.eml" "Müll 🗑" "a.b"
mail truth "$T/truth"
z 0 backup -n -v "$url"
err_has 'INBOX: 20 messages'
err_has 'Büro/Ablage & mehr: 20 messages'
mark
z 0 backup --json "$url"
err_empty
json_is 'd["sources"][0]["name"], d["sources"][0]["type"], d["sources"][0]["state"], d["sources"][0]["files"]' "('imap', 'imap', 'done', 160)"
bodies 160
verify
cp "$T/truth" "$T/truth.1"
mail truth "$T/truth"
cmp -s "$T/truth" "$T/truth.1" || die "the backup changed something on the server"
z 0 snapshots --json
json_is 'd[-1]["manifest"]["sources"][0]["detail"]["messages"]' 160
json_is '[f["special_use"] for f in d[-1]["manifest"]["sources"][0]["detail"]["folders"] if f["path"] == "Sent"]' "['\\\\Sent']"
z 0 snapshots -v
out_has 'greeting '
[ -d "$T/x/imap/%30000000001.eml" ] && [ -d "$T/x/imap/100%25" ] || die "names that must be encoded"

# ---- unchanged: no body, nothing new
mark
z 0 backup --json "$url"
json_is 'd["files_unmodified"], d["read_bytes"], d["partial"]' '(160, 0, False)'
bodies 0
[ "$(json 'd["added_bytes"]')" = 0 ] || die "an unchanged mailbox was stored again"

# ---- flags and keywords: told by the listing alone
raw 'SELECT INBOX' 'UID STORE 3:6 +FLAGS (\Seen \Flagged later)' 'UID STORE 7 FLAGS ()'
mail truth "$T/truth"
mark
z 0 backup --json "$url"
json_is 'd["files_changed"] >= 4, d["files_changed"] <= 5, d["read_bytes"]' '(True, True, 0)'
bodies 0
verify
z 0 ls -l latest:imap/INBOX/0000000004.eml
out_has 'flagged'
out_has 'later'

# ---- new, deleted, copied, moved: only what is new under its number is fetched
mail fill 2 6 INBOX Lists/dev
raw 'SELECT INBOX' 'UID STORE 1:2 +FLAGS.SILENT (\Deleted)' 'UID EXPUNGE 1:2' 'UID COPY 8 Sent' 'UID MOVE 9 Trash'
mail truth "$T/truth"
mark
z 0 backup --json "$url"
json_is 'd["files_new"]' 8
bodies 8
verify

# ---- a folder renamed, another deleted and made anew under its name
raw 'RENAME "Lists/dev" "Lists/old"' 'DELETE "a.b"' 'CREATE "a.b"'
mail fill 3 1 "a.b"
mail truth "$T/truth"
z 0 backup "$url"
verify

# ---- who logs in, and how it is encrypted: the same mail every time, so nothing is read
for way in "imaps://user1@example.com@127.0.0.1:$tls_port/?$ca&connections=4" "imap://user1@example.com@127.0.0.1:$port/?starttls=no&auth=login"; do
	z 0 backup --json "$way"
	json_is 'd["read_bytes"], d["files_new"]' '(0, 0)'
	[[ $way != *starttls=no* ]] || err_has 'starttls=no: password and mail go over the network as they are'
	verify
done
for way in "master=backup" "admin=backup"; do
	ZSTORE_IMAP_PASSWORD=master-pw z 0 backup --json "imaps://user1@example.com@127.0.0.1:$tls_port/?$ca&$way"
	json_is 'd["read_bytes"], d["files_new"]' '(0, 0)'
	json_is 'd["sources"][0]["state"]' done
done
# another server, as far as anybody can know: read again, and nothing of it is new
z 0 backup --json "imap://user1@example.com@localhost:$port/?$ca"
json_is 'd["files_unmodified"], d["added_bytes"] < 100000' '(0, True)'
verify
echo master-pw >"$T/pw"; chmod 600 "$T/pw"
z 0 backup "imaps://user2@example.com@127.0.0.1:$tls_port/?$ca&master=backup&password-file=$T/pw&name=mail2" "$T/pw"
z 0 ls -R latest:mail2
out_has 'mail2/INBOX'
ZSTORE_IMAP_PASSWORD=wrong z 1 backup "$url"
err_has 'cannot log in at 127.0.0.1.*AUTHENTICATIONFAILED'
! grep -q wrong "$T/err" || die "a password is shown"
tls_make "$T/other"
z 1 backup "imaps://user1@example.com@127.0.0.1:$tls_port/?ca-file=$T/other/ca.pem"
err_has 'cannot trust 127.0.0.1'
z 1 backup "imap://user1@example.com@127.0.0.1:$port/?ca-file=$T/other/ca.pem"
err_has 'cannot trust 127.0.0.1'
z 1 backup "imaps://user1@example.com@127.0.0.1:$tls_port/"
err_has 'cannot trust'
z 1 backup "imaps://user1@example.com@127.0.0.1:$port/?$ca&timeout=3"
z 1 backup "imap://user1@example.com@127.0.0.1:1/"
err_has 'cannot connect to 127.0.0.1'
z 2 backup "imap://user1@example.com@127.0.0.1:$port/?strattls=no"
z 2 backup "imap://127.0.0.1:$port/"
# one of several fails: the others are backed up, and it is said
z 3 backup --json "$T/pw" "imap://user1@example.com@127.0.0.1:1/"
json_is '[s["state"] for s in d["sources"]]' "['done', 'failed']"

# ---- a part of it
z 0 backup --json "imaps://user1@example.com@127.0.0.1:$tls_port/Lists?$ca&name=part"
json_is 'd["sources"][0]["name"]' part
z 0 ls -R latest:part
out_has 'part/Lists/old/0000000001.eml'
out_lacks 'INBOX'
z 0 backup "imaps://user1@example.com@127.0.0.1:$tls_port/?$ca&folder=INBOX&folder=Lists&exclude=old&name=part"
z 0 ls -R latest:part
out_has 'part/INBOX/'
out_lacks 'part/Lists/old'
out_lacks 'part/Sent'
z 1 backup "imaps://user1@example.com@127.0.0.1:$tls_port/Nowhere?$ca"
err_has "no folder 'Nowhere'"

# ---- odd and large messages: NUL and 8-bit bytes, bare newlines, no header, nothing, 40 MB
printf 'Subject: nul\r\n\r\na\0b\377\200c\r\n' >"$T/m1"
printf 'no header at all\nbare\nlines' >"$T/m2"
printf '\r\n' >"$T/m3"
/usr/bin/python3 -c "import random, sys; random.seed(4); sys.stdout.buffer.write(b'Subject: large\r\n\r\n' + b''.join(b'%0988x\r\n' % random.getrandbits(3900) for _ in range(40000)))" >"$T/m4"
for i in 1 2 3 4; do mail put odd '\Seen $Junk' "$T/m$i"; done
mail truth "$T/truth"
if [ -z "${SANITIZED:-}" ]; then
	/usr/bin/python3 -c 'import os, resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print("%.0f MiB" % mib)
sys.exit(code or mib > 128)' "$ZSTORE" backup "$url" || die "memory or failure"
else
	z 0 backup "$url"
fi
verify
z 0 check --read-data

# ---- moved and deleted while it runs: a slow line, and it happens when all has been listed
proxy() { local p; p=$(service_port); /usr/bin/python3 "$here/sample/slow_proxy.py" "$p" "$port" "$@" & pids="$pids $!"; disown; echo "$p" >"$T/proxy"; for _ in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null && return; sleep 0.05; done; die "proxy"; }
mail fill 5 300 slow other
mail truth "$T/truth"
proxy rate=300000 count="$T/sent"
"$ZSTORE" backup -v "imap://user1@example.com@127.0.0.1:$(cat "$T/proxy")/?$ca&folder=slow&folder=other&connections=1" >"$T/out" 2>"$T/err" &
pid=$!
for _ in $(seq 600); do [ "$(stat -c %s "$T/sent")" -gt 200000 ] && break; sleep 0.05; done # far less than "other", far more than the listing
raw 'SELECT slow' 'UID MOVE 120 other' 'UID MOVE 149 INBOX' 'UID STORE 150 +FLAGS.SILENT (\Deleted)' 'UID EXPUNGE 150'
raw 'SELECT other' 'UID MOVE 148 slow'
wait "$pid" || die "backup while mail is moved: exit $?: $(tail -3 "$T/err")"
grep -q 'messages were deleted while the backup ran\|deleted while' "$T/err" || die "the deleted one is not noted: $(tail -3 "$T/err")"
z 0 snapshots --json
json_is 'd[-1]["manifest"]["sources"][0]["detail"]["moved_meanwhile"] >= 2' true
z 0 ls -R --json latest:imap
cp "$T/out" "$T/list"
rm -rf "$T/x"
z 0 extract latest:imap -C "$T/x"
/usr/bin/python3 - "$T/truth" "$T/narrow" <<'END'
import json, sys
t = json.load(open(sys.argv[1]))
t = {k: v for k, v in t.items() if k in ("slow", "other")}
gone = t["slow"]["messages"].pop("150") # deleted; 149 went where this backup does not look
t["slow"]["messages"].pop("149")
json.dump(t, open(sys.argv[2], "w"))
END
/usr/bin/python3 "$here/compare/imap_compare.py" "$T/narrow" "$T/list" "$T/x" >"$T/compare" || { cat "$T/compare" >&2; die "moved while it ran"; }

# ---- a connection that breaks now and then
mail truth "$T/truth"
rm -rf "$T/repo" "$T/cache"
z 0 init --no-recovery
proxy cut=700000 cuts=2
z 0 backup --json "imap://user1@example.com@127.0.0.1:$(cat "$T/proxy")/?$ca"
verify
z 0 snapshots --json
json_is 'd[-1]["manifest"]["sources"][0]["detail"]["reconnects"] > 0' true
# one that always breaks in the same large message: that one is named, the rest is there
rm -rf "$T/repo" "$T/cache"
z 0 init --no-recovery
proxy cut=30000000
z 3 backup --json "imap://user1@example.com@127.0.0.1:$(cat "$T/proxy")/?$ca&folder=odd&folder=INBOX"
err_has 'imap/odd/0000000004.eml: the connection was lost three times'
json_is 'd["skipped"], d["sources"][0]["state"], d["sources"][0]["problems"]' "(1, 'partial', 1)"
z 0 ls latest:imap/odd
out_has '0000000003.eml'
out_lacks '0000000004.eml'

# ---- Ctrl-C: soon, and without a snapshot
proxy rate=20000
"$ZSTORE" backup "imap://user1@example.com@127.0.0.1:$(cat "$T/proxy")/?$ca" >"$T/out" 2>"$T/err" &
pid=$!
sleep 2
kill -INT "$pid"
for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
kill -0 "$pid" 2>/dev/null && die "does not end"
wait "$pid"
[ $? = 1 ] || die "exit status after Ctrl-C"
err_has 'interrupted'

# ---- from a profile; without STARTTLS on offer
service_stop "$T/d"
sed -i 's/^ssl = yes/ssl = no/' "$T/d/dovecot.conf"
dovecot_up "$T/d" || die "dovecot without TLS"
z 1 backup "$url"
err_has 'does not offer STARTTLS'
cat >"$T/zstore.conf" <<END
[profile mail]
repository = $T/repo
source = imap://user1@example.com@127.0.0.1:$port/INBOX?starttls=no&password-file=$T/pw1
END
echo pw1 >"$T/pw1"
chmod 600 "$T/pw1" "$T/zstore.conf"
if "$ZSTORE" --config /dev/null snapshots 2>&1 | grep -q 'without configuration files'; then :; else
	z 0 --config "$T/zstore.conf" --profile mail config check
	out_has 'INBOX: '
	z 0 --config "$T/zstore.conf" --profile mail backup
	z 0 ls latest:imap/INBOX
	out_has eml
fi
echo "ok"
