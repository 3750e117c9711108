#!/bin/bash
# mbox: files bit for bit and messages one by one out of the same chunks, what is unchanged, new mail, changed flags, quoting, locks, files
# that change while they are read, broken and foreign ones.
FAST=1
. "$(dirname "$0")/lib.sh"
quick_init
cat >mk.py <<'E'
"""mk.py FILE FIRST LAST: messages with headers of a size that mail has, the mboxrd way, and each by itself in FILE.d."""
import os, re, sys
path, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.makedirs(path + ".d", exist_ok=True)
with open(path, "ab") as box:
    for i in range(first, last + 1):
        trace = "".join("Received: from mx%d.example.org (mx%d.example.org [192.0.2.%d]) by mail%d.example.org; id %08x%08x\n" % (j, j, j, i, i * 7919, j)
                        for j in range(24))
        head = "Return-Path: <a%d@x.org>\n%sFrom: a%d@x.org\nTo: b@y.org\nSubject: message %d\nMessage-ID: <%d@x>\n%s\n" % (
            i, trace, i, i, i, "Status: RO\nX-Status: A\nX-Keywords: $Label1 Projekt\n" if i % 5 == 0 else "")
        lines = ["line %d of %d, %d" % (j, i, i * j * 7919 % 1000003) for j in range(60 + i % 40)]
        if i % 7 == 0:
            lines += ["From here on", ">From there", "", "From now: 10:00 2026"]
        message = (head + "\n".join(lines) + "\n").encode()
        open("%s.d/%d.eml" % (path, i), "wb").write(message)
        body = message.index(b"\n\n") + 2
        box.write(b"From a%d@x.org Thu Jan  1 %02d:%02d:%02d 2026\n" % (i, i // 3600, i // 60 % 60, i % 60))
        box.write(message[:body] + re.sub(rb"(?m)^(>*From )", rb">\1", message[body:]) + b"\n")
E
mk() { /usr/bin/python3 mk.py "$@"; }
sums() { find "$1" -name '*.eml' -print0 | xargs -0 sha1sum | cut -c1-40 | sort; }

# ---- a directory of them
mkdir -p box/sub
mk joe 1 1500; mv joe box/
mk work 2001 2010; mv work 'box/sub/Entw&APw-rfe'
: >box/empty; echo '// index' >box/joe.msf; echo joe >box/.subscriptions
chmod 600 box/joe; touch -d '2026-01-02 03:04:05Z' box/joe box/sub/*
sleep 2.1
z 0 backup --json box
alone=$(json 'd["stored_bytes"]')
rm -rf repo cache; z 0 init --no-recovery
z 0 backup --json mbox:box
err_empty
both=$(json 'd["stored_bytes"]')
# messages by themselves cost their entries, and once more the text of those that had to be quoted (here: one in seven)
[ "$((both * 100 / alone))" -lt 150 ] || die "stored $both bytes with messages, $alone without"
z 0 extract latest:mbox -C back --strip 1
same box back/files
[ "$(stat -c '%a %Y' back/files/joe)" = "600 $(stat -c %Y box/joe)" ] || die "metadata"
[ "$(find box -name '*.lock')" = "" ] || die "a lock was left behind"
[ "$(sums joe.d)" = "$(sums back/messages/joe)" ] || die "messages differ"
[ "$(find back/messages/joe -name '*.eml' | wc -l)" = 1500 ] || die "number of messages"
z 0 ls -l latest:mbox/messages/joe
out_has '2026-01-01 00:00  20260101-000005-[0-9a-f]*.eml  \[.*Answered,.*Seen #$Label1,Projekt\] a5@x.org | message 5$'
z 0 ls -R --json latest
json_is '[e["folder"] for e in d if e.get("message_id") == "2003@x"][0]' 'sub/Entwürfe'
json_is '[e["received"] for e in d if e.get("message_id") == "70@x" and "folder" in e][0]' 2026-01-01T00:01:10Z
z 0 extract --stdout --message-id 70@x
cmp -s out joe.d/70.eml || die "one message"
z 0 snapshots -v
out_has 'mboxes: 3$'
out_has 'messages: 1510$'

# unchanged: found again in one pass, nothing is split or stored
z 0 backup mbox:box # (the directory's time has moved with the locks of the first run)
z 0 backup --json mbox:box
json_is '[d["read_bytes"], d["added_bytes"], d["files_unmodified"]]' '[0, 0, 1515]'

# new mail, a changed flag, a deletion at the front: of the messages only what is new is read, and little is stored
mk joe 1501 1510; cat joe >>box/joe; rm joe
sleep 2.1
z 0 backup --json mbox:box
json_is '[d["files_new"], d["files_changed"], d["added_bytes"] < 300000]' '[10, 1, True]'
/usr/bin/python3 - <<'E'
data = open("box/joe", "rb").read()
second = data.index(b"\nFrom a2@x.org ") + 1
third = data.index(b"\nFrom a3@x.org ") + 1
changed = data[second:third].replace(b"Subject:", b"Status: R\nSubject:")
open("box/joe", "wb").write(changed + data[third:])
E
rm joe.d/1.eml
sleep 2.1
z 0 backup --json mbox:box
json_is '[d["files_new"], d["files_changed"], d["added_bytes"] < 120000]' '[0, 2, True]'
z 0 ls -l latest:mbox/messages/joe
out_has '20260101-000002-.*Seen\] a2@x.org'
out_lacks 'a1@x.org'
# only the files
z 0 backup --json mbox:box?messages=no
z 0 ls -R latest
out_lacks messages
out_has mbox/files/joe

# ---- quoting, by format
printf 'From a Thu Jan  1 10:00:00 2026\nSubject: q\nFrom: a@x\n\n>From x\n>>From y\n\n' >q
for format in auto:'From x,>From y' mboxrd:'From x,>From y' mboxo:'From x,>>From y' mboxcl2:'>From x,>>From y'; do
	z 0,3 backup "mbox:q?format=${format%%:*}"
	z 0 ls -R latest:mbox/messages
	z 0 extract --stdout "latest:$(tail -1 out)"
	[ "$(tail -2 out | paste -sd,)" = "${format#*:}" ] || die "format ${format%%:*}: $(cat out)"
done
# Content-Length: what looks like a message is part of one
{ printf 'From a Thu Jan  1 10:00:00 2026\nSubject: outer\nFrom: a@x\nContent-Length: 53\n\nFrom b Thu Jan  1 10:00:00 2026\nSubject: inner\nX: y\n\n\n'
	printf 'From c Thu Jan  1 10:00:01 2026\nSubject: last\nFrom: a@x\nContent-Length: 2\n\nx\n\n'; } >cl
z 0 backup mbox:cl
err_empty
z 0 ls -l latest:mbox/messages/cl
[ "$(wc -l <out)" = 2 ] || die "Content-Length: $(cat out)"
z 0 backup mbox:cl?format=mboxrd
z 0 ls -l latest:mbox/messages/cl
[ "$(wc -l <out)" = 3 ] || die "without Content-Length"

# ---- locks: held by somebody who lets go, by somebody who does not, and one file that nobody heeds the locks of
cat >hold.py <<'E'
import fcntl, sys, time
f = open(sys.argv[1], "r+")
fcntl.lockf(f, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(float(sys.argv[2]))
if len(sys.argv) > 3:
    f.seek(0, 2)
    f.write(open(sys.argv[3]).read())
E
mkdir l; mk l/joe 1 3; rm -r l/joe.d; mk more 4 4
/usr/bin/python3 hold.py l/joe 1.5 more >held & holder=$!
pids="$pids $holder"
while ! [ -s held ]; do sleep 0.05; done
z 0 backup mbox:l
wait $holder
z 0 ls -R latest:mbox/messages/joe
[ "$(wc -l <out)" = 4 ] || die "it did not wait for the delivery"
/usr/bin/python3 hold.py l/joe 60 >held2 & holder=$!
pids="$pids $holder"
while ! [ -s held2 ]; do sleep 0.05; done
z 3 backup --force 'mbox:l?timeout=1'
err_has 'mbox/files/joe: another program had it locked for 1 s: it was read without a lock'
z 0 extract --stdout latest:mbox/files/joe
cmp -s out l/joe || die "a locked file was not read"
kill $holder; wait $holder 2>/dev/null
echo 1 >l/joe.lock
z 3 backup --force 'mbox:l?timeout=0'
z 0 backup --force 'mbox:l?lock=fcntl'
z 0 ls -R latest
out_lacks 'joe.lock'
[ -e l/joe.lock ] || die "somebody else's lock was taken away"
rm l/joe.lock
if [ "$(id -u)" = 0 ]; then # a directory in which no lock can be made
	nobody_home
	cp -r repo nobody/; cp -r l nobody/; chown -R 65534:65534 nobody; chown 0 nobody/l; chmod 755 nobody/l
	zn 0 --repo repo backup --force mbox:l
	zn 3 --repo repo backup --force 'mbox:l?lock=dotlock'
	err_has 'lock=fcntl'
	chmod 000 nobody/l/joe
	zn 3 --repo repo backup --force mbox:l
	[ "$(grep -c 'Permission denied' err)" = 1 ] || die "what may not be read is to be named once"
fi
# written to all the time, locks or not; large, so that reading it takes a while
/usr/bin/python3 -c 'import os
open("l/joe", "ab").write(open("more", "rb").read() * 12000)
f = os.open("l/joe", os.O_WRONLY | os.O_APPEND)
while not os.path.exists("stop"):
    for _ in range(1000): os.write(f, b"x\n")' & writer=$!
pids="$pids $writer"
sleep 0.3
z 3 backup 'mbox:l?lock=none'
: >stop; wait $writer
err_has 'mbox/files/joe: changed while it was being read'

# ---- what is wrong is named, and the rest backed up
mkdir bad
cp box/joe bad/good
printf '\211PNG\r\n\032\n' >bad/image.png
printf 'From nobody at all\nSubject: 1\nFrom: x\n\nbody\n\nFrom a Thu Jan  1 10:00:01 2026\nSubject: 2\nFrom: x\n\nbody\n' >bad/broken
printf 'From a Thu Jan  1 10:00:02 2026\nSubject: 3\nFrom: x\n\nno empty line\n' >bad/joined
printf 'From a Thu Jan  1 10:00:03 2026\nSubject: 4\nFrom: x\n\ncut o' >>bad/joined
z 3 backup --json mbox:bad
json_is 'd["skipped"]' 4
err_has 'mbox/files/image.png: it is no mbox: kept as a file, without messages'
err_has 'mbox/files/broken: a From_ line without a date .*: at byte 0$'
err_has 'mbox/files/joined: no empty line before a From_ line: .*: at byte 66$'
err_has 'mbox/files/joined: a message that ends within its header, or without a line end: at byte 123$'
rm -r back; z 0 extract latest:mbox/files -C back --strip 2
same bad back
z 0 ls -l latest:mbox/messages/broken
out_has 'undated-.* x | 1$'
out_has '20260101-100001-.* x | 2$'
z 0 ls -l latest:mbox/messages/joined
out_has '20260101-100002-.* x | 3$'
out_has '20260101-100003-.* x | 4$'
z 1 backup mbox:nowhere
z 2 backup mbox:
z 2 backup 'mbox:q?format=x'
z 2 backup 'mbox:q?lock=x'
z 0 check --read-data
