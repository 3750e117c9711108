#!/bin/bash
# backup: incremental runs, options, streams, commands, exit codes.
. "$(dirname "$0")/lib.sh"
sample src --messages 60
z 0 init

# full, unchanged, changed
z 0 backup --json --host a --tag x --tag y --time 2026-01-01T00:00Z src
err_empty
json_is 'd["files_new"]' "$(find src -type f | wc -l)"
json_is 'd["partial"]' false
first=$(json 'd["snapshot"]')
find src -exec touch -h -d '2020-01-01' {} +
sleep 2.1
z 0 backup --json --host a src
z 0 backup --json --host a src
json_is 'd["files_unmodified"]' "$(find src -type f | wc -l)"
json_is 'd["read_bytes"]' 0
json_is 'd["added_bytes"]' 0
echo more >>"$(find src -name '*.eml' | sort | head -1)"
z 0 backup --json --host a src
json_is 'd["files_changed"]' 1
# --force reads all, stores nothing new
z 0 backup --json --host a --force src
json_is 'd["read_bytes"]' "$(find src -type f -printf '%s\n' | awk '{s+=$1} END {print s}')"
json_is 'd["added_bytes"]' 0
# --dry-run makes no snapshot and stores nothing
z 0 snapshots --json
before=$(json 'len(d)')
z 0 backup --dry-run src
out_has 'nothing was stored'
z 0 snapshots --json
json_is 'len(d)' "$before"
json_is 'd[0]["id"]' "$first"
json_is 'd[0]["tags"]' "['x', 'y']"
json_is 'd[0]["time"]' 2026-01-01T00:00:00Z
json_is 'd[0]["host"]' a
json_is 'd[0]["paths"]' "['src']"

# the number of threads changes nothing that is stored
sleep 2.1 # until then the file that was just changed counts as racy, and its entry says so
for n in 1 2 7; do
	z 0 backup --json --host "t$n" --force --threads $n src
	z 0 snapshots --json --host "t$n"
	json 'd[-1]["tree"]' >"tree$n"
done
cmp tree1 tree2 && cmp tree1 tree7 || die "threads change the tree"

# several paths, one inside another, excludes, --files-from0
mkdir -p p/a/b p/c q
echo 1 >p/a/1; echo 2 >p/a/b/2.log; echo 3 >p/c/3; echo 4 >q/4; echo 5 >'p/c/new
line'
z 0 backup p/a p q p/a/b --exclude '*.log' -e '/p/c/3'
z 0 ls -R latest
cat >want <<'E'
p/
p/a/
p/a/1
p/a/b/
p/c/
p/c/new\nline
q/
q/4
E
cmp out want || die "listing after excludes"
printf '*.log\n# comment\n!keep.log\n' >patterns
echo k >p/a/keep.log
z 0 backup p --exclude-from patterns
z 0 ls -R latest
out_has '^p/a/keep.log$'
out_lacks '2.log'
printf 'p/c/new\nline\0q/4\0' >list
z 0 backup --files-from0 list
z 0 ls -R latest
[ "$(wc -l <out)" = 5 ] || die "--files-from0"

# streams and commands
printf 'From stdin\n' >stdin
"$ZSTORE" backup --stdin --name db/dump.sql <stdin >out 2>err || die "--stdin"
z 0 extract latest:db/dump.sql --stdout
cmp out stdin || die "stdin content"
z 0 backup --name a/cmd --command -- sh -c 'echo out; echo err >&2'
err_has '^err$'
z 0 extract latest:a/cmd --stdout
[ "$(cat out)" = out ] || die "command content"
z 3 backup --name a/cmd --command -- sh -c 'echo half; exit 9'
err_has 'a/cmd.*9'
z 0 snapshots --json
json_is 'd[-1]["partial"]' true
json_is '"9" in d[-1]["reasons"][0]' true
z 3 backup --name a/cmd --command -- sh -c 'kill -TERM $$'
z 3 backup --name a/cmd --command -- /nonexistent/command

# usage
z 2 backup
err_has 'zstore backup PATH'
z 2 backup --nonsense p
err_has 'unknown option --nonsense'
z 2 backup --threads 0 p
z 2 backup --compression lzma p
z 2 backup --name x p
z 2 backup --stdin
z 2 backup --command --name x
z 2 backup --time yesterday-ish p
z 1 backup /nonexistent/path
err_has '/nonexistent/path'
# one of several is missing: the rest is stored
z 3 backup q missing
err_has 'missing'
z 0 ls latest
out_has '^q/$'

# compression none stores more than zstd
z 0 backup --json --host c0 --compression none --force q
z 0 check --read-data
