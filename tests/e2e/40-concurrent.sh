#!/bin/bash
# Several backups and a prune at the same time in one repository: nothing is lost, nothing is damaged.
FAST=1
. "$(dirname "$0")/lib.sh"
quick_init --pack-size 1M
seconds=${SANITIZED:+25}
end=$((SECONDS + ${seconds:-15}))
sample common --messages 15
# writer N: backs up its own tree and a common one again and again, with other changes each time; each snapshot of the
# last round is kept as a copy to compare with
writer() {
	local me=$1 round=0 cache
	cache=$T/cache-$((me / 2))  # two writers share a cache, two have one of their own
	mkdir -p w$me
	while [ $SECONDS -lt $end ]; do
		round=$((round + 1))
		head -c 400000 /dev/urandom >w$me/new-$round
		[ $round -lt 4 ] || rm -f w$me/new-$((round - 3))
		# the same data from several writers at the same moment
		/usr/bin/python3 -c "import random, sys; sys.stdout.buffer.write(random.Random($round).randbytes(700000))" >w$me/shared
		ZSTORE_CACHE_DIR=$cache "$ZSTORE" backup --host w$me w$me common >w$me.out 2>w$me.err
		echo $? >>w$me.codes
		if [ -s w$me.err ]; then cat w$me.err >>w$me.errors; fi
		[ "$(tail -1 w$me.codes)" = 0 ] || { cat w$me.err >>failures; return; }
		rm -rf last-$me.new; cp -a w$me last-$me.new; rm -rf last-$me; mv last-$me.new last-$me
	done
}
pruner() {
	while [ $SECONDS -lt $end ]; do
		ZSTORE_CACHE_DIR=$T/cache-prune "$ZSTORE" prune --keep-last 2 --group-by host --max-unused 0 >prune.out 2>prune.err
		code=$?
		echo $code >>prune.codes
		# 5: the other pruner is at work
		[ $code = 0 ] || [ $code = 5 ] || { echo "prune: exit $code" >>failures; cat prune.err >>failures; }
		sleep 0.3
	done
}
reader() {
	while [ $SECONDS -lt $end ]; do
		rm -rf read
		if "$ZSTORE" --cache-dir cache-read ls latest >/dev/null 2>&1; then
			"$ZSTORE" --cache-dir cache-read extract latest:common -C read >read.out 2>read.err || {
				# a snapshot that was removed meanwhile may fail to be found; wrong data must not appear
				grep -q 'no snapshot' read.err || { echo "extract: $(cat read.err)" >>failures; }
				continue
			}
			diff -r common read/common >>failures 2>&1
		fi
	done
}
pids=
for w in 0 1 2 3; do writer $w & pids="$pids $!"; done
pruner & pids="$pids $!"
reader & pids="$pids $!"
# a second pruner now and then: one of the two is busy, or both work
for _ in 1 2 3; do
	sleep 2
	ZSTORE_CACHE_DIR=$T/cache-prune2 z 0,5 prune --keep-last 2 --group-by host
done
for p in $pids; do wait $p; done
pids=
[ ! -s failures ] || { head -20 failures >&2; die "something failed"; }
for w in 0 1 2 3; do
	[ "$(sort -u w$w.codes)" = 0 ] || die "writer $w: exit codes $(sort w$w.codes | uniq -c)"
	[ "$(wc -l <w$w.codes)" -ge 2 ] || die "writer $w ran only $(wc -l <w$w.codes) times"
done
grep -qx 0 prune.codes || die "no prune succeeded"
echo "$(cat w?.codes | wc -l) backups, $(wc -l <prune.codes) prunes"
z 0 check --read-data
for w in 0 1 2 3; do
	z 0 extract latest:w$w: -C back-$w
	same last-$w back-$w/w$w
	same common back-$w/common
done
# all snapshots, not only the newest
z 0 snapshots --json
for s in $(json '" ".join(e["id"] for e in d)'); do z 0 extract "$s:common" -C all-$s; same common all-$s/common; done
# with nobody else at work a prune frees everything that was left
z 0 prune --keep-last 1 --group-by host --max-unused 0 --json
json_is 'd["packs_condemned"]' 0
json_is 'd["sessions"]' '[]'
z 0 check --read-data
[ -z "$(ls repo/condemned repo/sessions | grep -v :)" ] || die "something stays behind"
for w in 0 1 2 3; do rm -rf back-$w; z 0 extract latest:w$w: -C back-$w; same last-$w back-$w/w$w; done
# several at the same time into a repository that nobody has used yet, with one cache
z 0 init -q --no-recovery r2
for w in 0 1 2 3; do "$ZSTORE" -r r2 --cache-dir c2 backup -q --host h$w w$w >o$w 2>e$w & pids="$pids $!"; done
for p in $pids; do wait $p || { cat e?; die "first backups at the same time"; }; done
pids=
z 0 -r r2 check --read-data
z 0 -r r2 snapshots --json
json_is 'sorted(e["host"] for e in d)' "['h0', 'h1', 'h2', 'h3']"
