#!/bin/bash
# On a terminal: the progress line, a passphrase that is typed, Ctrl-C.
. "$(dirname "$0")/lib.sh"
command -v tmux >/dev/null || skip "no tmux"
tm() { tmux -S "$T/tmux" -f /dev/null "$@"; }
tm new-session -d -x 100 -y 30 -s t "sh" 2>/dev/null || skip "tmux cannot run here"
end_tmux() { tm kill-server 2>/dev/null; cleanup; }
trap end_tmux EXIT
screen() { tm capture-pane -p -J -t t -S -200; }
type_() { tm send-keys -t t -l -- "$1"; tm send-keys -t t Enter; }
# seen TEXT: wait until the screen shows it
seen() {
	for _ in $(seq 150); do
		screen >screen.txt 2>/dev/null
		grep -qe "$1" screen.txt && return 0
		sleep 0.1
	done
	cat screen.txt >&2
	die "the screen never showed '$1'"
}
# step COMMAND: type it on an empty screen
steps=0
step() {
	steps=$((steps + 1))
	type_ "clear; echo start-$steps"
	seen "^start-$steps"
	tm clear-history -t t
	type_ "$1"
}
mkdir src
for i in $(seq 40); do head -c 6000000 /dev/urandom >src/file-$i; done
type_ "PS1=; cd $T; export ZSTORE_REPO=$T/repo ZSTORE_CACHE_DIR=$T/cache TMPDIR=$T; unset ZSTORE_PASSPHRASE; stty -echoctl"
# a new passphrase is asked for twice and not shown; two that differ make no repository
step "$ZSTORE init; echo code-\$?"
seen '^New passphrase: '
type_ 'tYped secret'
seen '^The same again: '
type_ 'another one'
seen '^code-6'
seen 'differ'
[ ! -e repo/config ] || die "a repository was made"
step "$ZSTORE init; echo done-\$?"
seen '^New passphrase: '; type_ 'tYped secret'
seen '^The same again: '; type_ 'tYped secret'
seen '^done-0'
seen 'Recovery code'
seen '^ *\([0-9A-Z]\{5\}-\)\{4\}'
# wrong, then right
step "$ZSTORE snapshots; echo wrong-\$?"
seen '^Passphrase: '; type_ 'typed secret'
seen '^wrong-6'
step "$ZSTORE key add --new-key-file k; echo right-\$?"
seen '^Passphrase: '; type_ 'tYped secret'
seen '^right-0'
# Ctrl-C at the prompt: the terminal echoes again
step "$ZSTORE snapshots; echo gave-up-\$?"
seen '^Passphrase: '
tm send-keys -t t C-c
seen '^gave-up-1'
step "stty -a | tr ' ' '\n' | grep '^-\?echo\$'; echo tty-seen"
seen '^tty-seen'
grep -qx 'echo' screen.txt || die "the terminal does not echo"
screen | grep -qi 'typed secret' && die "the passphrase was shown"

# the progress line: drawn over itself, gone at the end; Ctrl-C in the middle
step "export ZSTORE_KEY_FILE=$T/k; $ZSTORE backup --compression zstd:19 src; echo backup-\$?"
seen 'files, .*iB/s'
tm send-keys -t t C-c
seen '^backup-1'
seen 'interrupted; no snapshot was made'
[ "$(grep -c 'iB/s' screen.txt)" = 0 ] || die "the progress line stays"
export ZSTORE_KEY_FILE=$T/k
z 0 snapshots --json
[ "$(json 'len(d)')" = 0 ] || die "a snapshot of an interrupted backup"
[ -z "$(ls repo/sessions)" ] || die "the session stays"
stored=$(find repo/packs -type f -printf '%s\n' | awk '{s += $1} END {print s + 0}')
# the next run takes over what is stored
z 0 backup --json src
again=$(json 'd["stored_bytes"]')
total=$(find repo/packs -type f -printf '%s\n' | awk '{s += $1} END {print s + 0}')
[ "$total" -lt $((240000000 * 106 / 100)) ] || die "$stored bytes, then $again: stored twice"
[ "$again" -lt $((240000000 - stored * 9 / 10 + 5000000)) ] || die "$stored bytes were stored, and $again again"
z 0 check
# TERM ends as cleanly
head -c 60000000 /dev/urandom >src/more
"$ZSTORE" backup --compression zstd:19 src >out 2>err &
pids=$!
for _ in $(seq 100); do [ -n "$(ls repo/sessions)" ] && break; sleep 0.05; done
kill -TERM $pids; wait $pids
[ $? = 1 ] || die "after TERM: exit code"
err_has 'interrupted'
pids=
[ -z "$(ls repo/sessions)" ] || die "the session stays after TERM"

# into a pipe nothing; json lines if asked for; nothing on a terminal with -q
z 0 backup --force src
err_empty
z 0 backup --force --progress=json --compression zstd:19 src
if [ -s err ]; then
	cp err out
	json_is 'all(set(e) >= {"phase", "elapsed_ms", "files", "files_total", "bytes", "bytes_total", "stored_bytes", "problems"} for e in (d if isinstance(d, list) else [d]))' true
fi
step "$ZSTORE backup -q --force src; echo quiet-\$?"
seen '^quiet-0'
[ "$(grep -v '^$' screen.txt | grep -vc -e 'quiet-' -e '^start-')" = 0 ] || { cat screen.txt; die "-q says something on a terminal"; }
exit 0
