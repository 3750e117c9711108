#!/bin/bash
# Maildirs: what is shown of messages, what an unchanged one and a changed flag cost, bit for bit back, one message out, messages
# that move while they are backed up, many users, Dovecot's own, what cannot be read, a folder of 100,000 names.
FAST=1
. "$(dirname "$0")/lib.sh"
storm() { /usr/bin/python3 "$here/sample/maildir_storm.py" "$@"; }
maildir() { mkdir -p "$1"/{cur,new,tmp}; }
# message FILE NUMBER
message() { printf 'From: a%s@x.org\nTo: b@y.org\nSubject: message %s\nMessage-ID: <%s@x>\nDate: Thu, 01 Jan 2026 10:00:00 +0000\n\nbody %s\n%s\n' \
	"$2" "$2" "$2" "$2" "$(seq "$2" $(($2 + 400)))" >"$1"; }
quick_init

# ---- one Maildir with subfolders
maildir M; maildir M/.Sent; maildir 'M/.Entw&APw-rfe.alt'; maildir M/nested
message 'M/cur/1700000001.M1P1.host,S=5:2,FS' 1
message 'M/cur/1700000002.M2P1.host:2,RSb' 2
message M/new/1700000003.M3P1.host 3
message 'M/.Sent/cur/1700000004.M4P1.host:2,S' 4
message 'M/.Entw&APw-rfe.alt/cur/1700000005.M5P1.host:2,D' 5
message 'M/nested/cur/6:2,T' 6; touch -d '2025-05-06 07:08:09Z' M/nested/cur/6:2,T
message M/tmp/unfinished 7
printf '0 $Label1\n1 Projekt\n' >M/dovecot-keywords
printf '3 V1 N9\n' >M/dovecot-uidlist; echo Sent >M/subscriptions; : >M/.Sent/maildirfolder; : >M/dovecot-uidlist.lock
chmod 600 M/cur/*; chmod 640 M/new/*; touch -hd '2026-01-02 03:04:05.678Z' M/cur/* M/.Sent
sleep 2.1 # what changed just now would be read again
z 0 backup maildir:M
err_empty
z 0 ls -l latest:maildir/cur
out_has '2023-11-14 22:13  1700000001.M1P1.host,S=5:2,FS  \[flagged,seen\] a1@x.org | message 1'
out_has '1700000002.M2P1.host:2,RSb  \[answered,seen #Projekt\]'
z 0 ls -R --json latest
json_is '[(e["folder"], e["flags"], e["tags"]) for e in d if "message_id" in e and e["message_id"][0] in "256"]' \
	"[('Entwürfe/alt', ['draft'], []), ('INBOX', ['answered', 'seen'], ['Projekt']), ('nested', ['deleted'], [])]"
json_is '[e["received"] for e in d if e.get("message_id") == "6@x"][0]' 2025-05-06T07:08:09Z
json_is '[e["path"] for e in d if "unfinished" in e["path"] or e["path"].endswith(".lock")]' '[]'
z 0 snapshots -v
out_has 'messages: 6$'
out_has 'folders: 4$'

# unchanged: nothing is read, nothing is added
z 0 backup --json maildir:M
json_is '[d["read_bytes"], d["added_bytes"], d["files_unmodified"]]' '[0, 0, 10]'

# a changed flag, a read message, a new one: only the new one is stored
mv 'M/cur/1700000001.M1P1.host,S=5:2,FS' 'M/cur/1700000001.M1P1.host,S=5:2,RS'
mv M/new/1700000003.M3P1.host 'M/cur/1700000003.M3P1.host:2,S'
message M/new/1700000008.M8P1.host 8
sleep 2.1
z 0 backup --json maildir:M
json_is '[d["files_new"], d["added_bytes"] < 12000]' '[3, True]'
z 0 ls -R latest
out_lacks 'FS$'
out_has 'cur/1700000003.M3P1.host:2,S$'
# a keyword gets another name: its messages show it, without being read
printf '0 $Label1\n1 Project\n' >M/dovecot-keywords
z 0 backup --json maildir:M
json_is 'd["read_bytes"] < 100' true
z 0 ls -l latest:maildir/cur
out_has '#Project\]'

# bit for bit back, under the same names, with everything but what is not to be kept
z 0 extract latest:maildir -C back --strip 1
rm M/tmp/unfinished M/dovecot-uidlist.lock
same M back
[ "$(metadata M | grep -v ' d ')" = "$(metadata back | grep -v ' d ')" ] || die "metadata differ"
# one message out: by its path, and by its Message-ID
z 0 extract --stdout "latest:maildir/nested/cur/6:2,T"
cmp -s out M/nested/cur/6:2,T || die "one message"
z 0 extract --stdout --message-id 5@x
cmp -s out 'M/.Entw&APw-rfe.alt/cur/1700000005.M5P1.host:2,D' || die "by Message-ID"

# ---- many users, in a profile beside files
mkdir -p v/x.org; maildir v/x.org/ann; maildir v/x.org/ann/.Sent; maildir v/x.org/bob/Maildir
message v/x.org/ann/.Sent/cur/1.a:2,S 10; message v/x.org/bob/Maildir/new/1.b 11; echo x >v/x.org/bob/.profile
z 0 backup --json maildir:v?name=users M/subscriptions
z 0 ls -R --json latest
json_is '[(e["path"], e["folder"]) for e in d if "folder" in e]' \
	"[('users/x.org/ann/.Sent/cur/1.a:2,S', 'Sent'), ('users/x.org/bob/Maildir/new/1.b', 'INBOX')]"
out_has 'users/x.org/bob/.profile'
cat >zstore.conf <<E2
[source mail]
url = maildir:$T/v
[profile night]
source = mail
E2
z 0 backup --config zstore.conf --profile night
z 0 ls -R latest
out_has '^mail/x.org/ann/.Sent/cur/1.a:2,S$'
z 0 config check --config zstore.conf --profile night
out_has 'no Maildir itself: every one below it is taken'

# ---- messages in motion: none is lost, none is there twice, nothing is complained of
storm make S 6000
for seed in 1 2 3; do
	rm -f stop
	links= doubles=0
	[ $seed = 3 ] && links=links doubles=3 # two names were there when both were looked at
	storm run S stop $seed $links >steps & moving=$!
	pids="$pids $moving"
	sleep 0.3
	z 0 backup --force maildir:S
	cp out report
	: >stop
	wait $moving || die "the storm failed"
	[ "$(cat steps)" -gt 200 ] || die "hardly anything moved"
	err_empty
	z 0 ls -R --json latest
	storm check 6000 $doubles <out || die "while messages moved (seed $seed)"
done
z 0 snapshots -v
[ "$(grep -o 'renamed_meanwhile: [0-9]*' out | tail -1 | cut -d' ' -f2)" -gt 0 ] || die "nothing moved under it"
z 0 check --read-data
# deleted while it runs: left out without a word
storm make D 3000
(sleep 0.1; find D -name '*M1*' -delete) & deleting=$!
z 0 backup maildir:D
err_empty
wait $deleting
z 0 extract latest -C never --dry-run

# ---- Dovecot's own
if [ "$(id -u)" = 0 ] && command -v doveadm >/dev/null; then
	chmod 755 "$T"; mkdir -p dove/h dove/run dove/state
	for where in h back; do cat >dove/$where.conf <<E2
mail_location = maildir:$T/dove/$where/Maildir
base_dir = $T/dove/run
state_dir = $T/dove/state
log_path = /dev/stderr
first_valid_uid = 1
mail_uid = 65534
mail_gid = 65534
default_internal_user = nobody
default_login_user = nobody
ssl = no
namespace inbox {
  inbox = yes
  separator = /
}
E2
	done
	chown -R 65534:65534 dove
	dove() { (cd "$T/dove" && HOME=$T/dove USER=nobody as_nobody doveadm -c "$T/dove/$1.conf" "${@:2}") 2>>"$T/dove.log"; }
	dove h mailbox create 'Entwürfe/Größe 1' 'Tom & Co' || die "doveadm: $(cat dove.log)"
	dove h mailbox subscribe 'Tom & Co'
	for i in 1 2 3; do message one $i; dove h save -m INBOX <one; done
	message one 4; dove h save -m 'Entwürfe/Größe 1' <one
	dove h flags add '\Seen $Label1 Projekt' mailbox INBOX subject 'message 2'
	dove h flags add '\Flagged' mailbox 'Entwürfe/Größe 1' all
	z 0 backup maildir:dove/h/Maildir
	err_empty
	z 0 ls -R --json latest
	json_is 'sorted((e["message_id"][0], e["folder"], e["flags"], e["tags"]) for e in d if "message_id" in e)' \
		"[('1', 'INBOX', [], []), ('2', 'INBOX', ['seen'], ['\$Label1', 'Projekt']), ('3', 'INBOX', [], []), ('4', 'Entwürfe/Größe 1', ['flagged'], [])]"
	z 0 extract latest:maildir -C dove/back/Maildir --strip 1
	chown -R 65534:65534 dove/back
	for where in h back; do
		{ dove $where mailbox list; dove $where mailbox list -s; dove $where fetch 'mailbox uid guid flags text' ALL; } >dove.$where
	done
	cmp dove.h dove.back || die "Dovecot sees another mailbox: $(diff dove.h dove.back | head -5)"
	[ "$(grep -c '^guid' dove.back)" = 4 ] || die "Dovecot finds no messages: $(cat dove.log)"
fi

# ---- what cannot be read: named, the rest backed up
z 1 backup maildir:nowhere
err_has 'nowhere'
z 1 backup maildir:M/subscriptions
err_has 'mbox:M/subscriptions'
z 2 backup maildir:
z 2 backup maildir:M?layout=x
mkdir empty
z 3 backup maildir:empty
err_has 'no Maildir'
if [ "$(id -u)" = 0 ]; then
	nobody_home
	cp -r repo nobody/; cp -r M nobody/; chown -R 65534:65534 nobody
	chown 0 nobody/M/cur/*M2*; chmod 600 nobody/M/cur/*M2*; chown 0 nobody/M/.Sent/cur; chmod 700 nobody/M/.Sent/cur
	zn 3 --repo repo backup maildir:M
	err_has 'M2P1.*Permission denied'
	err_has 'Sent/cur.*Permission denied'
	zn 0 --repo repo ls -R latest
	out_has 'maildir/cur/1700000001'
	out_has 'maildir/.Sent/maildirfolder'
	out_lacks 'M2P1'
fi

# ---- 100,000 names in one folder, under the limit that the manual promises
maildir L
/usr/bin/python3 - <<'E2'
import os
os.chdir("L/cur")
for i in range(100000):
    os.close(os.open("%d.M%dP1.a-host-with-a-long-name.example.org,S=0,W=0:2,S" % (1700000000 + i, i), os.O_CREAT | os.O_WRONLY))
E2
if [ -z "${SANITIZED:-}" ]; then
	cat >run.py <<'E2'
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=open("out", "w"), stderr=open("err", "w"),
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (128 << 20, 128 << 20)))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10)
sys.exit(code)
E2
	peak=$(/usr/bin/python3 run.py "$ZSTORE" backup --threads 2 maildir:L) || die "100,000 names within 128 MiB: $(cat err)"
	[ "$peak" -lt 160 ] || die "100,000 names: $peak MiB"
else
	z 0 backup maildir:L
fi
z 0 snapshots -v
out_has 'messages: 100000$'
