#!/bin/bash
# ls: order, long listings of messages, text that is safe for a terminal, one path over time, JSON.
FAST=1
. "$(dirname "$0")/lib.sh"
box=m/accounts/ada@example.org/Inbox
mkdir -p $box m/sub/deep
# message NUMBER DATE FROM SUBJECT [EXTRA-HEADERS]
message() {
	printf 'Received: from a by b; %s\r\nFrom: %s\r\nTo: Bob <bob@example.org>\r\nSubject: %b\r\nMessage-ID: <%s@x>\r\nDate: %s\r\nMIME-Version: 1.0\r\n\r\nHello %s\r\n' \
		"$2" "$3" "$4" "$1" "$2" "$1" >$box/msg-"$1".eml
}
meta() { printf '{"id": %s, "folder": "Inbox", "flags": %s, "tags": %s, "date": "%s", "size": 1}' "$1" "$2" "$3" "$4" >$box/msg-"$1".meta; }
message 1 'Thu, 01 Jan 2026 10:00:00 +0000' '=?UTF-8?Q?J=C3=B6rg?= <jorg@example.org>' '=?UTF-8?B?R3LDvMOfZSBhdXMgS8O2bG4=?='
meta 1 '["seen", "flagged"]' '["Projekt Brücke"]' 2026-01-05T12:00:00Z
message 2 'Sat, 03 Jan 2026 10:00:00 +0000' 'Zed <zed@example.org>' '=?ISO-8859-1?Q?caf=E9_=1B[31mred=1B]0;title=07?='
message 3 'Fri, 02 Jan 2026 10:00:00 +0000' 'Adam <adam@example.org>' 'plain \0342\0200\0256gnp.exe\0342\0200\0254 \0033[2J end'
message 4 'no date at all' 'not-an-address' 'folded\r\n subject \0377\0376 bytes'
{ printf 'From: Mo <mo@example.org>\r\nSubject: attach\r\nMessage-ID: <5@x>\r\nDate: Sun, 04 Jan 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n'
	printf 'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: application/pdf; name="r\303\251port.pdf"\r\n'
	printf 'Content-Disposition: attachment; filename="=?UTF-8?Q?r=C3=A9port.pdf?="\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQK\r\n--b--\r\n'; } >$box/msg-5.eml
meta 5 '[]' '[]' 2026-01-04T10:00:00Z
printf '%5000s' x >m/sub/big; echo abc >m/sub/small; ln -s ../x m/sub/link; echo d >m/sub/deep/file
chmod 4755 m/sub/big; touch -hd '2026-01-01 01:02:03Z' m/sub/*; touch -d '2025-12-01 00:00:00Z' m/sub/small
quick_init
z 0 backup --time 2026-01-06T00:00Z --host one m

z 0 ls latest
err_empty
[ "$(cat out)" = m/ ] || die "top"
z 0 ls latest:m
[ "$(cat out)" = "$(printf 'accounts/\nsub/')" ] || die "children"
z 0 ls latest:/m/./sub/
[ "$(sort out)" = "$(printf 'big\ndeep/\nlink\nsmall' | sort)" ] || die "children of sub"
z 0 ls -d latest:m/sub
[ "$(cat out)" = m/sub/ ] || die "-d"
z 0 ls -R latest
(find m -type d -printf '%p/\n'; find m ! -type d) | sort >want
sort out | cmp - want || die "-R"
z 0 ls latest:m/sub/big
[ "$(cat out)" = m/sub/big ] || die "one file"
z 0 ls latest:m/sub latest:m/sub/deep
out_has '^latest:m/sub:$'
out_has '^latest:m/sub/deep:$'

# long
z 0 ls -l latest:m/sub
out_has '^-rwsr-xr-x .* 5000  2026-01-01 01:02  big$'
out_has '^lrwxrwxrwx .* link -> ../x$'
out_has '^drwx.*  deep/$'
z 0 ls -l latest:$box
out_has "2026-01-05 12:00  msg-1.eml  \[.*flagged.*#Projekt Brücke\] Jörg <jorg@example.org> | Grüße aus Köln$"
out_has 'seen'
out_has '2026-01-03 10:00  msg-2.eml  Zed'
out_has 'msg-4.eml .*not-an-address | folded subject'
grep -q '2026-01-02.*Adam' out || die "message 3"
# nothing that a terminal obeys: controls, bidirectional overrides, bad UTF-8
/usr/bin/python3 -c '
import sys, unicodedata
for line in open("out", "rb").read().decode("utf-8").split("\n"):
    for c in line:
        if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Co", "Cs"): sys.exit("unsafe %r in %r" % (c, line))' || die "unsafe text"
out_has '�\[31mred'
out_has 'u202e'

# sorting
first() { awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^msg-.*eml$/) printf "%s ", $i }' out; }
order() { local want=$1; shift; z 0 ls -l "$@" latest:$box; [ "$(first)" = "$want" ] || die "order of $*: $(first)"; }
order 'msg-1.eml msg-2.eml msg-3.eml msg-4.eml msg-5.eml ' --sort name
order 'msg-5.eml msg-4.eml msg-3.eml msg-2.eml msg-1.eml ' --sort name --reverse
z 0 ls --sort date --json latest:$box
json_is '[e["path"][-5] for e in d if e["path"].endswith("eml") and e["path"][-5] != "4"]' "['3', '2', '5', '1']"
z 0 ls --sort date --reverse --json latest:$box
json_is '[e["path"][-5] for e in d if e["path"].endswith("eml") and e["path"][-5] != "4"]' "['1', '5', '2', '3']"
z 0 ls --sort from --json latest:$box
json_is '[e["path"][-5] for e in d if e.get("message")]' "['3', '1', '5', '2', '4']"
z 0 ls --sort subject --json latest:$box
json_is '[e["path"][-5] for e in d if e.get("message")][-1]' 3
z 0 ls --sort size -R latest:m/sub
[ "$(tail -1 out)" = m/sub/big ] || die "--sort size"
z 0 ls --sort size --reverse latest:m/sub
[ "$(head -1 out)" = big ] || die "--sort size --reverse"
z 2 ls --sort colour latest
err_has 'colour'

# JSON, one object a line
z 0 ls --json latest:$box
json_is 'len(d)' 7
json_is 'd[0]["path"]' $box/msg-1.eml
json_is 'd[0]["message"]' true
json_is 'd[0]["subject"]' 'Grüße aus Köln'
json_is 'd[0]["from"]' 'Jörg <jorg@example.org>'
json_is 'd[0]["to"]' 'Bob <bob@example.org>'
json_is 'd[0]["message_id"]' 1@x
json_is 'd[0]["date"]' 2026-01-01T10:00:00Z
json_is 'd[0]["received"]' 2026-01-05T12:00:00Z
json_is 'sorted(d[0]["flags"])' "['flagged', 'seen']"
json_is 'd[0]["tags"]' "['Projekt Brücke']"
json_is 'd[0]["folder"]' Inbox
json_is 'd[0]["item_id"]' 1
json_is '[e for e in d if e["path"].endswith("msg-5.eml")][0]["attachments"]' "['réport.pdf']"
json_is '[e for e in d if e["path"].endswith("msg-2.eml")][0]["subject"].startswith("café \ufffd[31mred")' true
json_is '[e for e in d if e["path"].endswith("msg-1.meta")][0].get("message")' None
z 0 ls --json latest:m/sub
json_is '[e["mode"] for e in d if e["path"] == "m/sub/big"]' "['4755']"
json_is '[e["target"] for e in d if e["type"] == "symlink"]' "['../x']"
json_is '[e["mtime"] for e in d if e["path"] == "m/sub/big"]' "['2026-01-01T01:02:03Z']"
json_is '[e["size"] for e in d if e["path"] == "m/sub/big"]' '[5000]'

# a message whose .meta changes shows it; the message itself is not stored again
sleep 2.1
meta 1 '["answered"]' '[]' 2026-01-05T12:00:00Z
z 0 backup --time 2026-01-07T00:00Z --host one m
z 0 ls -l latest:$box
out_has 'msg-1.eml  \[answered\] Jörg'
# one path over time
rm $box/msg-2.eml
z 0 backup --time 2026-01-08T00:00Z --host two m
z 0 ls --all-snapshots $box/msg-2.eml
[ "$(wc -l <out)" = 2 ] || die "--all-snapshots: $(cat out)"
out_has '^[0-9a-f]\{12\}  2026-01-06 00:00:00 .*msg-2.eml'
z 0 ls --all-snapshots --json $box/msg-1.meta
json_is '[e["snapshot_time"] for e in d]' "['2026-01-06T00:00:00Z', '2026-01-07T00:00:00Z', '2026-01-08T00:00:00Z']"
json_is 'len(set(e["snapshot"] for e in d))' 3
z 0 ls --all-snapshots /m/sub/
[ "$(wc -l <out)" = 3 ] || die "--all-snapshots of a directory"
z 1 ls --all-snapshots no/such
err_has 'in no snapshot'

# host or path after "latest:"
z 0 ls latest:one:$box
out_has msg-2.eml
z 0 ls latest:$box
out_lacks msg-2.eml
z 0 ls latest:two
[ "$(cat out)" = m/ ] || die "latest:HOST"

z 1 ls latest:no/such
err_has 'no/such'
z 1 ls latest:m/sub/big/below
z 1 ls 0000000000
z 2 ls 00
z 2 ls
z 2 ls zzzz
# a reader that goes away is no success and no crash
z 0 ls -R latest
( "$ZSTORE" ls -R latest; echo "$?" >code ) 2>/dev/null | head -1 >/dev/null
[ "$(cat code)" -lt 128 ] || die "killed by a closed pipe: $(cat code)"
"$ZSTORE" ls -R latest >/dev/full 2>err && die "a full output is success"
err_has 'cannot write'
