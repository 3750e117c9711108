#!/bin/bash
# What somebody meets who has just installed it: commands half typed, closed and broken descriptors, full disks, narrow
# terminals; each with one message that says what failed, and the right exit code.
. "$(dirname "$0")/lib.sh"
mkdir src; for i in 1 2 3; do head -c 3000 /dev/urandom | od >"src/file$i"; done
quick_init
z 0 backup -q src

# ---- no command
for words in '' '--bogus' '-r repo' '--json'; do
	# shellcheck disable=SC2086
	z 2 $words
	[ ! -s out ] && [ "$(wc -l <err)" = 1 ] || die "zstore $words"
	err_has "zstore help"
done
for words in '--help' '-h' '--json -h' 'help'; do
	# shellcheck disable=SC2086
	z 0 $words
	err_empty
	out_has '^  backup '
done
for command in init backup snapshots ls extract prune forget check key config stats version help; do
	z 0 $command --help
	err_empty
	out_has "^usage: zstore $command"
	z 2 $command --bogus
	err_has "unknown option --bogus; see 'zstore $command --help'"
	[ ! -s out ] || die "stdout"
done

# ---- each problem is named once
z 3 backup nope src
grep -qx 'zstore: cannot read nope: No such file or directory' err || die "a name twice"
z 3 backup --name db/dump --command -- sh -c 'exit 4'
grep -qx 'zstore: db/dump: the command "sh" ended with status 4' err || die "a name twice"
mkdir none
z 1 -r none snapshots
err_has 'none is no repository'

# ---- descriptors that are closed: never a file of the repository in their place
"$ZSTORE" backup src >&- 2>&- <&-; [ $? = 1 ] || die "backup with nothing open"
"$ZSTORE" backup src 2>&- >out <&- || die "backup without stderr"
"$ZSTORE" backup --stdin --name s <&- >out 2>err; [ $? = 3 ] || die "--stdin that is closed"
err_has 'Bad file descriptor'
"$ZSTORE" ls -R latest:src >&- 2>err; [ $? = 1 ] || die "ls without stdout"
z 0 check --read-data
# ---- output that cannot be written is an error, with its reason; who stops reading is not told
mkdir many; (cd many && seq 20000 | xargs touch)
z 0 backup -q many
for options in '' -l --json '--sort name'; do
	# shellcheck disable=SC2086
	"$ZSTORE" ls -R $options latest >/dev/full 2>err; [ $? = 1 ] || die "ls $options to a full disk"
	grep -qx 'zstore: cannot write the output: No space left on device' err || die "ls $options to a full disk"
	# shellcheck disable=SC2086
	"$ZSTORE" ls -R $options latest 2>err | head -1 >out
	err_empty
done
for words in --version --help 'ls --help' stats snapshots; do
	# shellcheck disable=SC2086
	"$ZSTORE" $words >/dev/full 2>err; [ $? = 1 ] || die "$words to a full disk"
	err_has 'No space left'
done
"$ZSTORE" extract latest --tar 2>err | head -c 10 >out
# without libarchive --tar is a usage error
[ ! -s err ] || err_has 'without'

# ---- a full disk says so, and no more than the run is lost
if [ "$(id -u)" = 0 ] && mkdir -p mnt && mount -t tmpfs -o size=4m tmpfs mnt 2>/dev/null; then
	z 0 -r mnt/repo init --no-recovery
	z 0 -r mnt/repo backup -q src
	head -c 8M /dev/urandom >big
	z 1 -r mnt/repo backup big
	err_has 'No space left on device'
	[ "$(wc -l <err)" = 1 ] || die "more than one message"
	z 0 -r mnt/repo check --read-data
	umount mnt
fi

# ---- what would turn a terminal's text round or hide it is shown as what it is
mkdir odd
printf 'From: \342\200\256evil\r\nSubject: =?utf-8?b?2JxhG1syShv/?=\r\nMessage-ID: <a@b>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\nx\r\n' >odd/m
: >"odd/$(printf 'n\033[2J\330\234\302\233\n')"
z 0 backup -q odd
z 0 ls -lR latest
LC_ALL=C grep -q "$(printf '[\033\233]')" out && die "a control character on the screen"
out_has 'n\\x1b\[2J\\u061c\\x9b'
z 0 ls -R --json latest
json_is 'len([e for e in d if e["path"].startswith("odd/")])' 2
# ---- what nohup(1) asks for
mkfifo hold
(trap '' HUP; exec "$ZSTORE" backup --stdin --name s <hold >out 2>err) &
pids=$!
exec 9>hold
for _ in $(seq 100); do [ "$(ls -A "$ZSTORE_REPO/sessions")" ] && break; sleep 0.05; done
kill -HUP "$pids"; sleep 0.1; echo text >&9; exec 9>&-
wait "$pids" || die "nohup"
pids=
out_has 'saved'
# ---- the keys do not go into a core file
if [ -z "${SANITIZED:-}" ]; then
	mkfifo pipe
	"$ZSTORE" backup --stdin --name s <pipe >out 2>err &
	pids=$!
	exec 9>pipe
	for _ in $(seq 100); do [ "$(ls -A "$ZSTORE_REPO/sessions")" ] && break; sleep 0.05; done
	[ "$(stat -c %u:%a /proc/$pids/mem)" = 0:600 ] && [ "$(id -u)" = 0 ] || [ ! -r /proc/$pids/mem ] || die "readable"
	prlimit --core=unlimited --pid "$pids" 2>/dev/null
	kill -ABRT "$pids" 2>/dev/null
	wait "$pids"
	[ $? = 134 ] || die "SIGABRT"
	pids=
	exec 9>&-
	[ -z "$(find . -name 'core*' -type f)" ] || die "a core file"
fi
