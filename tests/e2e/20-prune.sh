#!/bin/bash
# prune: the rules and what it says of them, groups, and that space comes back while everything kept stays whole.
FAST=1
. "$(dirname "$0")/lib.sh"
mkdir d; echo 0 >d/0
quick_init
z 0 prune
err_empty
out_has 'removed 0 of 0'

# one snapshot every twelve hours from 1 January to 28 February, then one a month before
n=0
snap() { echo $((n += 1)) >d/n; z 0 backup -q --host h --time "$@" d; }
for t in 2024-06-30T12:00Z 2024-12-31T12:00Z 2025-06-30T12:00Z 2025-12-31T00:00Z; do snap $t; done
for day in 2026-01-2{6,7,8,9} 2026-01-3{0,1} 2026-02-0{1,2,3}; do snap ${day}T00:30Z; snap ${day}T12:30Z; done
snap 2026-02-03T12:45Z --tag keepme
snap 2026-02-03T12:50Z

# kept WANT RULES...: a dry run keeps these times (month-day hour:minute), says why, and removes nothing
kept() {
	local want=$1
	shift
	z 0 prune --dry-run --json "$@"
	json 'len(d["snapshots"])' >/dev/null
	cp out decisions
	z 0 snapshots --json
	/usr/bin/python3 - decisions out "$want" <<'E' || die "prune $*"
import json, sys
decisions = {e["id"]: e for e in json.load(open(sys.argv[1]))["snapshots"]}
rows = json.load(open(sys.argv[2]))
if set(decisions) != {r["id"] for r in rows}:
    sys.exit("not every snapshot is decided")
kept = " ".join(sorted(r["time"][2:16] for r in rows if decisions[r["id"]]["keep"]))
want = " ".join(sorted(sys.argv[3].split()))
if kept != want:
    sys.exit("kept   %s\nwanted %s" % (kept, want))
if not all(e["why"] for e in decisions.values()):
    sys.exit("a decision without a reason")
E
}
kept '26-02-03T12:50 26-02-03T12:45' --keep-last 2
kept '26-02-03T12:50 26-02-03T00:30 26-02-02T12:30' --keep-hourly 3
kept '26-02-03T12:50 26-02-02T12:30 26-02-01T12:30' --keep-daily 3
kept '26-02-03T12:50 26-02-01T12:30 25-12-31T00:00' --keep-weekly 3
kept '26-02-03T12:50 26-01-31T12:30 25-12-31T00:00 25-06-30T12:00' --keep-monthly 4
kept '26-02-03T12:50 25-12-31T00:00 24-12-31T12:00' --keep-yearly 3
kept '26-02-03T12:50 25-12-31T00:00 24-12-31T12:00' --keep-yearly -1
kept '26-02-03T12:50 26-02-03T12:45 26-02-03T12:30 26-02-03T00:30' --keep-within 13h
kept '26-02-03T12:50 26-02-03T12:45 26-02-03T12:30 26-02-03T00:30 26-02-02T12:30 26-02-02T00:30 26-02-01T12:30' --keep-within 2d1h
kept '26-02-03T12:45' --keep-tag keepme --group-by none
kept '26-02-03T12:50 26-02-03T12:45 26-02-02T12:30 25-12-31T00:00' --keep-daily 2 --keep-yearly 2 --keep-tag keepme
TZ=Etc/GMT+1 kept '26-02-03T12:50 26-02-03T00:30 26-02-02T00:30' --keep-daily 3
z 0 prune --dry-run --keep-daily 2 --keep-tag keepme
out_has '^keep .*2026-02-03 12:50:00  h  (.*daily 2026-02-03'
out_has '^keep .*2026-02-03 12:45:00  h  (.*tag keepme'
out_has '^remove .*2026-02-01 12:30:00  h  (no rule'
out_has '^would remove 21 of 24 snapshots$'
out_has '^would have freed '
z 0 snapshots --json
json_is 'len(d)' 24

# refusals
z 2 prune --keep-tag nobody-has-this
err_has 'remove-all'
z 2 prune --keep-last 0
err_has 'every snapshot of host h'
z 2 prune --keep-last some
z 2 prune --keep-last -2
z 2 prune --keep-within 3
z 2 prune --keep-within 0d
z 2 prune --group-by colour --keep-last 1
z 2 prune --max-unused 5x
z 2 prune --max-unused 101%
z 2 prune operand
z 1 prune --end-session 0123456789
z 0 snapshots --json
json_is 'len(d)' 24

# groups
mkdir e; echo e >e/e
z 0 backup -q --host other --time 2026-02-01T00:00Z d
z 0 backup -q --host other --time 2026-01-01T00:00Z e
z 0 backup -q --host other --time 2026-01-02T00:00Z --tag x e
kept '26-02-03T12:50 26-02-01T00:00 26-01-02T00:00' --keep-last 1
kept '26-02-03T12:50 26-01-02T00:00' --keep-last 1 --group-by host
kept '26-02-01T00:00 26-01-02T00:00' --keep-last 1 --group-by paths
kept '26-01-02T00:00' --keep-last 1 --group-by none
kept '26-02-03T12:50 26-02-03T12:45 26-02-01T00:00 26-01-01T00:00 26-01-02T00:00' --keep-last 1 --group-by host,paths,tags
# for real
z 0 prune --keep-last 1 --keep-tag keepme -v
err_empty
out_has '^keep '
out_has '^removed 23 of 27 snapshots$'
z 0 snapshots --json
json_is '[e["time"][5:16] for e in d]' "['02-03T12:45', '02-03T12:50', '02-01T00:00', '01-02T00:00']"
z 0 check --read-data
# all of it
z 0 prune --remove-all --max-unused 0
z 0 snapshots --json
json_is d '[]'
z 0 stats --json
json_is 'd["pack"]["objects"]' 0
z 0 check

# space: two snapshots with 8 MB each of their own and 8 MB in common
mkdir s; head -c 8000000 /dev/urandom >s/common; head -c 8000000 /dev/urandom >s/old
z 0 backup -q --time 2026-01-01T00:00Z s
rm s/old; head -c 8000000 /dev/urandom >s/new
z 0 backup -q --time 2026-01-02T00:00Z s
used() { find repo -type f ! -name reserve -printf '%s\n' | awk '{s += $1} END {print s + 0}'; }
before=$(used)
[ "$before" -gt 24000000 ] || die "24 MB of random data in $before bytes"
z 0 prune --dry-run --keep-last 1 --max-unused 0 --json
expected=$(json 'd["bytes_deleted"]')
[ "$(used)" = "$before" ] || die "a dry run changed the repository"
z 0 prune --keep-last 1 --max-unused 0 --json
json_is 'd["bytes_unused"] < 200000' true
json_is 'd["packs_condemned"]' 0
after=$(used)
[ "$after" -lt 18500000 ] && [ "$after" -gt 16000000 ] || die "from $before to $after bytes"
[ "$expected" -gt 8000000 ] || die "the dry run expected only $expected bytes"
z 0 check --read-data
out_has 'no errors'
z 0 extract latest -C back
same s back/s
# an empty run: nothing changes any more
find repo -type f | sort >objects.1
z 0 prune --keep-last 1 --max-unused 0 --json
json_is 'd["bytes_deleted"]' 0
json_is 'd["snapshots_removed"]' 0
find repo -type f | sort >objects.2
cmp objects.1 objects.2 || die "an empty run changed objects"

# --max-unused: little unused space may stay; --max-repack: no more than that is rewritten
rm s/new; head -c 100000 /dev/urandom >s/stays; head -c 7500000 /dev/urandom >s/goes
z 0 backup -q --time 2026-01-03T00:00Z s
rm s/goes
z 0 backup -q --time 2026-01-04T00:00Z s
z 0 prune --keep-last 1 --max-unused unlimited --json
json_is 'd["packs_repacked"]' 0
json_is 'd["bytes_unused"] > 7000000' true
z 0 prune --max-unused 20M --json
json_is 'd["packs_repacked"]' 0
z 0 prune --max-unused 0 --max-repack 1 --json
json_is 'd["packs_repacked"]' 0
json_is 'd["bytes_unused"] > 7000000' true
z 0 prune --max-unused 5% --json
json_is 'd["bytes_unused"] < 500000' true
[ "$(used)" -lt 9500000 ] || die "$(used) bytes for 8 MB"
z 0 check --read-data
rm -rf back; z 0 extract latest -C back
same s back/s

# forget, then prune without a rule
head -c 3000000 /dev/urandom >s/third
z 0 backup -q --time 2026-01-05T00:00Z s
z 0 forget -q latest
z 0 prune --max-unused 0
out_has 'removed 0 of 1'
[ "$(used)" -lt 9500000 ] || die "forgotten data stays"
# what was removed can be backed up again
z 0 backup -q --time 2026-01-06T00:00Z s
rm -rf back; z 0 extract latest -C back
same s back/s

# partial snapshots: count for no rule, stay until a complete one of their group is newer
z 3 backup -q --time 2026-02-01T00:00Z s missing
z 0 prune --keep-last 1 --dry-run --json --group-by host
json_is '[e["keep"] for e in d["snapshots"]]' '[False, True, True]'
json_is '"partial" in d["snapshots"][-1]["why"]' true
z 0 backup -q --time 2026-02-02T00:00Z s
z 0 prune --keep-last 2 --group-by host --json
json_is '[e["keep"] for e in d["snapshots"]]' '[False, True, False, True]'
z 0 check --read-data
# a session of a live writer is in the way; a dead one is not
mkfifo pipe
"$ZSTORE" backup -q --stdin --name slow <pipe >/dev/null 2>&1 &
writer=$!
pids=$writer
exec 8>pipe
for _ in $(seq 100); do [ -n "$(ls repo/sessions)" ] && break; sleep 0.1; done
head -c 2000000 /dev/urandom >s/victim; z 0 backup -q s; rm s/victim; z 0 backup -q s
z 0 prune --keep-last 1 --group-by host --max-unused 0
out_has 'cannot be freed yet'
session=$(sed -n 's/^    \([0-9a-f]*\)$/\1/p' out)
[ "$session" = "$(ls repo/sessions)" ] || die "which session: $session"
echo end >&8; exec 8>&-
wait $writer || die "the writer failed"
pids=
z 0 extract latest:slow --stdout
[ "$(cat out)" = end ] || die "the writer's snapshot"
z 0 prune --max-unused 0 --json
json_is 'd["packs_condemned"]' 0
json_is 'd["bytes_unused"] < 200000' true
z 0 check --read-data
"$ZSTORE" backup -q --stdin --name dead <pipe >/dev/null 2>&1 &
writer=$!
exec 8>pipe
for _ in $(seq 100); do [ -n "$(ls repo/sessions)" ] && break; sleep 0.1; done
kill -9 $writer; wait $writer 2>/dev/null; exec 8>&-
head -c 2000000 /dev/urandom >s/victim; z 0 backup -q s; rm s/victim; z 0 backup -q s
z 0 prune --keep-last 1 --max-unused 0 --json
json_is 'd["packs_condemned"]' 0
json_is 'd["packs_deleted"] > 0' true
z 0 check --read-data
rm -rf back; z 0 extract latest -C back; same s back/s
