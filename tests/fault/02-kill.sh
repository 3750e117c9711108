#!/bin/bash
# kill -9 at random moments of init, backup and prune.  After each: the repository is whole, the last snapshot is its
# source, the next backup works.  The moments come from a fixed seed; half a minute altogether.
FAST=1
. "$(dirname "$0")/../e2e/lib.sh"
RANDOM=7
end=$((SECONDS + ${SANITIZED:+30} + 22))
# killed MS ARGS...: run zstore and kill it after so long; 0 if it was killed, 1 if it was done before
killed() {
	local ms=$1 pid
	shift
	"$ZSTORE" "$@" >out 2>err </dev/null &
	pid=$!
	sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	[ $? = 137 ]
}
quick_init --pack-size 1M
mkdir src; sample src/mail --messages 25
head -c 3000000 /dev/urandom >src/big
z 0 backup -q src
cp -a src kept
whole() {
	z 0 check --read-data
	z 0 extract latest -C back
	same kept back/src
	rm -rf back
}
# how long each takes here: the moments are spread over that
timed() { local t=$EPOCHREALTIME; z 0 "$@"; took=$(((${EPOCHREALTIME/./} - ${t/./}) / 1000 + 3)); }
timed init --no-recovery first; init_ms=$took
head -c 2000000 /dev/urandom >src/grown; timed backup -q src; backup_ms=$took
rm -r kept; cp -a src kept
rm src/big; z 0 backup -q src; timed prune --keep-last 1 --max-unused 0; prune_ms=$took
rm -r kept; cp -a src kept
inits=0 backups=0 prunes=0 round=0
while [ $SECONDS -lt $end ] || [ $round -lt 6 ]; do
	round=$((round + 1))
	# init: afterwards there is a repository, or none and the directory can be told from one
	if killed $((RANDOM % init_ms)) init --no-recovery new; then inits=$((inits + 1)); fi
	if "$ZSTORE" -r new snapshots >out 2>err; then
		z 0 -r new backup -q kept/grown
	else
		err_has 'zstore: '
		rm -rf new
		z 0 init --no-recovery new
	fi
	rm -rf new
	# backup of what is new
	head -c $((RANDOM * 100)) /dev/urandom >src/new-$((round % 3))
	/usr/bin/python3 -c 'import random, sys
for i in range(200): open("src/mail/f%d" % i, "wb").write(random.Random(i + int(sys.argv[1])).randbytes(3000))' $round
	if killed $((RANDOM % backup_ms)) backup -q src; then
		backups=$((backups + 1))
		z 0 snapshots --json
		[ "$(json 'len(d)')" -ge 1 ] || die "no snapshot is left"
	fi
	z 0 check --read-data
	# the kill may have come after the snapshot: then it is of the new state
	z 0 extract latest -C back
	diff -r kept back/src >/dev/null 2>&1 || diff -r src back/src >diff.txt 2>&1 || { head -5 diff.txt >&2; die "the last snapshot is neither the old nor the new state"; }
	rm -rf back
	z 0 backup -q src
	rm -rf kept; cp -a src kept
	whole
	# prune of what is old
	if killed $((RANDOM % prune_ms)) prune --keep-last 1 --max-unused 0; then prunes=$((prunes + 1)); fi
	whole
	z 0 backup -q src
	whole
	if [ $((round % 3)) = 0 ]; then
		z 0 prune --keep-last 1 --max-unused 0 --json
		json_is 'd["packs_condemned"]' 0
		json_is 'd["sessions"]' '[]'
		whole
		[ -z "$(ls repo/sessions repo/condemned | grep -v :)" ] || die "left behind: $(ls repo/sessions repo/condemned)"
	fi
	# sometimes without its cache, or with that of a killed run only
	[ $((round % 4)) != 0 ] || rm -rf cache
done
echo "$round rounds; killed: $inits init, $backups backup, $prunes prune"
[ $backups -gt 0 ] && [ $prunes -gt 0 ] || die "nothing was killed in time"
# everything that was left behind is freed
z 0 prune --keep-last 1 --max-unused 0
used=$(find repo/packs -type f -printf '%s\n' | awk '{s += $1} END {print s + 0}')
data=$(find src -type f -printf '%s\n' | awk '{s += $1} END {print s + 0}')
[ "$used" -lt $((data * 115 / 100 + 500000)) ] || die "$used bytes stored for $data"
[ -z "$(ls repo/tmp)" ] || die "temporary files stay: $(ls repo/tmp)"
whole
