#!/bin/bash
# snapshots and forget: filters, names of snapshots, the chain, removal.
FAST=1
. "$(dirname "$0")/lib.sh"
mkdir a b; echo 1 >a/1; echo 2 >b/2
quick_init
z 0 snapshots
[ ! -s out ] || die "an empty list"
z 0 snapshots --json
[ "$(cat out)" = '[]' ] || die "an empty list as JSON"
z 1 ls latest
err_has 'no snapshot'
snap() { z 0 backup --json "$@"; json 'd["snapshot"]'; }
s1=$(snap --host alpha --time 2026-01-01T00:00Z --tag daily a)
s2=$(snap --host alpha --time 2026-01-02T00:00Z --tag daily --tag weekly a)
s3=$(snap --host beta --time 2026-01-03T00:00Z b)
s4=$(snap --host alpha --time 2026-01-04T00:00Z --tag weekly a b)
s5=$(snap --host beta --time 2026-01-05T00:00Z --tag 'two words' b)

ids() { json '" ".join(e["id"] for e in d)'; }
list() { local want=$1; shift; z 0 snapshots --json "$@"; [ "$(ids)" = "$want" ] || die "snapshots $*: $(ids)"; }
list "$s1 $s2 $s3 $s4 $s5"
list "$s3 $s5" --host beta
list "$s1 $s2 $s3 $s4 $s5" --host beta --host alpha
list "" --host gamma
list "$s1 $s2" --tag daily
list "$s1 $s2 $s4" -t daily -t weekly
list "$s4" --host alpha --path b
list "$s3 $s4 $s5" --path b
list "$s4 $s5" --since 2026-01-04
list "$s1 $s2" --until 2026-01-02T00:00:00Z
list "$s2 $s3" --since 2026-01-02T00:00:00+00:00 --until @1767398400
list "$s4 $s5" --last 2
list "$s5" --host beta --last 1
list "$s2" "$s2"
list "$s4 $s1" "$s4" "${s1:0:8}"
list "$s5" latest
list "$s4" latest:alpha
z 0 snapshots
[ "$(wc -l <out)" = 5 ] || die "lines"
out_has "^${s2:0:12}  2026-01-02 00:00:00  alpha .* 1 files .* a #daily #weekly$"
z 0 snapshots -v latest
out_has "id $s5"
out_has 'by '
z 0 snapshots --json
json_is 'd[0]["previous"]' "$(printf '%064d' 0)"
json_is 'd[1]["previous"] == d[0]["id"] and d[3]["previous"] == d[1]["id"] and d[4]["previous"] == d[2]["id"]' true
json_is '[e["sequence"] for e in d]' '[1, 2, 3, 4, 5]'
json_is 'd[0]["tree"] == d[1]["tree"]' true
json_is 'd[4]["tags"]' "['two words']"
json_is 'd[3]["paths"]' "['a', 'b']"

# names: prefixes of at least four digits, upper case too; ambiguous and unknown ones
z 0 snapshots "${s1:0:4}"
z 0 snapshots "$(echo "${s1:0:10}" | tr a-f A-F)"
out_has "^${s1:0:12}"
z 2 snapshots "${s1:0:3}"
z 2 snapshots lates
z 1 snapshots latest:gamma
err_has 'gamma'
z 1 snapshots "${s1:0:20}ffffffffffff"
z 2 snapshots --since soon
err_has 'no time'
z 2 snapshots --last 0
z 2 snapshots --last many

# forget: all or none
z 1 forget "$s1" 0123456789ab
list "$s1 $s2 $s3 $s4 $s5"
z 2 forget
z 0 forget "${s2:0:12}"
err_empty
out_has "removed snapshot ${s2:0:12}"
out_has prune
list "$s1 $s3 $s4 $s5"
z 0 forget --json "$s1" latest "$s1"
json_is 'd["removed"]' "['$s1', '$s5']"
list "$s3 $s4"
err_empty
z 1 extract "$s2" -C gone
z 0 extract "$s4" -C there
same a there/a; same b there/b
z 0 check --read-data
# another client that had seen them all hears no warning: the removal is on record
ZSTORE_CACHE_DIR=$T/other z 0 snapshots
err_empty
z 0 backup --host alpha a
z 0 forget -q latest
[ ! -s out ] || die "-q"
# a repository that went back in time is noticed
z 0 backup --host alpha a
cp -a repo repo.old
z 0 backup --host alpha a
z 0 snapshots
err_empty
rm -rf repo; mv repo.old repo
z 0 snapshots
err_has 'warning: .*gone'
