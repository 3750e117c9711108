#!/bin/bash
# Large things, and memory: a message of 200 MB, a line of 100 MB, a sparse file of 10 GB, a million entries in a directory.
# Every command runs under the hard limit that its page promises (RLIMIT_DATA: what LMDB maps is not counted), and its
# resident peak is measured; it does not grow with the number of files.
FAST=1
. "$(dirname "$0")/lib.sh"
[ -z "${SANITIZED:-}" ] || skip "sanitizers need more memory"
cat >run.py <<'E'
import resource, subprocess, sys
limit, peak, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
code = subprocess.call(command, stdin=subprocess.DEVNULL, stdout=open("out", "w"), stderr=open("err", "w"),
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit << 20, limit << 20)))
mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
open(peak, "w").write("%d\n" % mib)
print("%4d MiB of %3d: %s" % (mib, limit, " ".join(command[1:])))
sys.exit(code)
E
# within MIB ARGS...: succeeds under that limit, and its peak, with what is mapped, stays below 192 MiB
within() {
	local limit=$1
	shift
	/usr/bin/python3 run.py "$limit" peak "$ZSTORE" "$@" || die "zstore $* within $limit MiB"
	[ "$(cat peak)" -lt 192 ] || die "zstore $*: $(cat peak) MiB"
}
all_commands() { # all_commands DIR PATH-FOR-LS
	within 128 backup --threads 2 "$1"; cp peak peak.backup
	err_empty
	within 32 ls -l "latest:$2"; cp out listing
	within 32 ls -R --sort size --reverse latest
	within 64 check --threads 2
	within 64 check --read-data --threads 2; cp peak peak.check
	within 128 extract --threads 2 latest -C back; cp peak peak.extract
	err_empty
	within 128 backup --threads 2 --force "$1"
	within 64 prune --keep-last 1 --max-unused 0; cp peak peak.prune
}

# ---- large files
mkdir big
/usr/bin/python3 -c '
import base64, random
r = random.Random(5)
with open("big/message.eml", "wb") as f:
    f.write(b"From: a@example.org\r\nSubject: large\r\nMessage-ID: <large@x>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; "
            b"boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n")
    while f.tell() < 200_000_000:
        text = base64.b64encode(r.randbytes(57 * 20000))
        f.write(b"".join(text[i:i + 76] + b"\r\n" for i in range(0, len(text), 76)))
    f.write(b"--b--\r\n")
with open("big/line.eml", "wb") as f:
    f.write(b"From: a@example.org\r\nSubject: line\r\nMessage-ID: <line@x>\r\n\r\n")
    for i in range(100): f.write(r.randbytes(500_000).hex().encode())
with open("big/sparse", "wb") as f:
    f.truncate(10 << 30); f.seek(5 << 30); f.write(b"island")' || die "making large files"
quick_init
all_commands big big
grep -q 'message.eml .*| large$' listing || die "the message is not known as one"
cmp big/message.eml back/big/message.eml && cmp big/line.eml back/big/line.eml || die "large files differ"
[ "$(stat -c %s back/big/sparse)" = $((10 << 30)) ] && [ "$(du -k back/big/sparse | cut -f1)" -lt 1000 ] || die "the sparse file is $(du -k back/big/sparse)"
[ "$(dd if=back/big/sparse bs=1 skip=$((5 << 30)) count=6 status=none)" = island ] || die "the island"
[ "$(dd if=back/big/sparse bs=1M skip=$(((5 << 10) - 8)) count=8 status=none | tr -d '\0' | wc -c)" = 0 ] || die "the sea"
# decoded, the message needs three quarters of its size
[ "$(find repo -type f ! -name reserve -printf '%s\n' | awk '{s += $1} END {print int(s / 1e6)}')" -lt 212 ] || die "base64 is not stored decoded"
within 128 extract --message-id large@x --stdout
cmp out big/message.eml || die "by Message-ID"
within 128 extract latest:big/line.eml --stdout
cmp out big/line.eml || die "to standard output"
within 128 backup --stdin --name stream
rm -rf big back repo cache

# ---- many files: 200,000, then a million in one directory
many() { # many N: half of them empty, half links to ten small files
	mkdir many
	/usr/bin/python3 -c '
import os, sys
os.chdir("many")
for i in range(10): open("first%d" % i, "w").write("small %d" % i)
for i in range(int(sys.argv[1])):
    if i % 2: os.link("first%d" % (i % 10), "name-%07d" % i)
    else: os.close(os.open("name-%07d" % i, os.O_CREAT | os.O_WRONLY, 0o600))' "$1" 2>many.err || skip "cannot make $1 files here: $(tail -1 many.err)"
}
many 200000
quick_init
all_commands many many/first1
for c in backup check extract prune; do mv peak.$c few.$c; done
rm -rf many back repo cache
many 1000000
quick_init
all_commands many many
[ "$(wc -l <listing)" = 1000010 ] || die "$(wc -l <listing) lines for 1,000,010 entries"
[ "$(ls -U back/many | wc -l)" = 1000010 ] || die "not all came back"
[ "$(stat -c %h back/many/first1)" = 100001 ] && [ "$(cat back/many/name-0000003)" = "small 3" ] || die "links"
for c in backup check extract prune; do
	[ "$(cat peak.$c)" -lt $(($(cat few.$c) + 24)) ] || die "$c: $(cat few.$c) MiB for 200,000 files, $(cat peak.$c) MiB for 1,000,000"
done
exit 0
