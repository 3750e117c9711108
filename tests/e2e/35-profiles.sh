#!/bin/bash
# Profiles: configuration files, which settings win, hooks, config check and show, several sources, what is wrong in a file.
FAST=1
. "$(dirname "$0")/lib.sh"
unset ZSTORE_REPO ZSTORE_CACHE_DIR ZSTORE_PASSPHRASE
mkdir -p src/deep other
echo one >src/one; echo two >src/deep/two; echo tmp >src/x.tmp; echo o >other/o
echo '[zstore]' >empty.conf
"$ZSTORE" --config empty.conf snapshots >out 2>err
grep -q 'without configuration files' err && skip "built without profiles"
conf=$T/zstore.conf
export ZSTORE_CONFIG=$conf

# write [NAME]: the configuration from standard input
write() { rm -f "${1:-$conf}"; cat >"${1:-$conf}"; }
base() {
	cat <<-END
	[zstore]
	default-profile = mail
	cache-dir = $T/cache

	[profile mail]
	repository = $T/repo
	key-file = $T/key
	source = $T/src
	exclude =
	    *.tmp
	    # a comment between values
	    *.bak
	tag = nightly
	host = mailhost
	keep-last = 2
	END
}
# wrong LINE WORDS: the configuration on standard input is refused, naming its line, by every command that needs it
wrong() {
	write
	for c in backup snapshots prune check 'ls latest' 'config check' 'config show' init; do
		# shellcheck disable=SC2086
		z 2 $c
		[ ! -s out ] || die "output in spite of a wrong configuration"
		err_has "^zstore: $conf:$1: .*$2"
	done
}

# ---- the whole way without arguments
base | write
z 0 init --no-recovery
[ -f key ] && [ -f repo/config ] || die "init takes repository and key file of the profile"
z 0 backup
err_empty
z 0 backup --json
json_is 'd["sources"][0]["name"], d["sources"][0]["type"], d["sources"][0]["state"]' "('files', 'files', 'done')"
json_is 'd["sources"][0]["files"]' 2
z 0 snapshots --json
json_is 'd[-1]["paths"], d[-1]["tags"], d[-1]["host"]' "(['$T/src'], ['nightly'], 'mailhost')"
json_is 'd[-1]["manifest"]["sources"][0]["state"]' done
z 0 snapshots -v
out_has 'source files, files, done'
z 0 ls -R latest
out_has 'src/deep/two$'
out_lacks 'x.tmp'
z 0 backup; z 0 backup
z 0 prune
z 0 snapshots --json
json_is 'len(d)' 2
z 0 check
z 0 extract latest -C back
same src/deep "back/$T/src/deep"

# ---- an option wins over the environment, that over the file
z 0 backup --json --exclude '*one' --tag other --host h "$T/src" "$T/other"
z 0 snapshots --json
json_is 'd[-1]["paths"], d[-1]["tags"], d[-1]["host"]' "(['$T/src', '$T/other'], ['other'], 'h')"
z 0 ls -R latest
out_has 'x.tmp'
out_lacks 'one$'
ZSTORE_REPO=$T/elsewhere z 1 snapshots
err_has 'elsewhere'
ZSTORE_REPO=$T/elsewhere z 0 -r repo snapshots
ZSTORE_PASSPHRASE=wrong z 6 snapshots
ZSTORE_PASSPHRASE=wrong z 0 --key-file key snapshots
ZSTORE_CACHE_DIR=/proc/none z 1 ls latest
err_has '/proc/none'
z 0 prune --keep-last 1 --group-by none
z 0 snapshots --json
json_is 'len(d)' 1
# the filters of snapshots are not the profile's tag and host
z 0 snapshots --json
json_is 'd[0]["host"]' h

# ---- which profile
z 2 --profile nobody backup
err_has "no profile 'nobody' in $conf, which has: mail"
base | sed 's/default-profile.*//; s/^\(\[profile mail\]\)/\1/' | write
z 0 backup -q
{ base | sed 's/default-profile.*//'; printf '[profile two]\nrepository = %s\nkey-file = %s\nsource = %s\n' "$T/repo2" "$T/key2" "$T/other"; } | write
z 2 backup
err_has 'several profiles: say --profile NAME'
z 2 snapshots
err_has 'which repository'
z 0 --profile two init --no-recovery
z 0 backup --profile two
ZSTORE_PROFILE=two z 0 ls -R latest
out_has 'other/o$'
ZSTORE_PROFILE=two z 0 --profile mail ls -R latest
out_has 'src/one$'
z 2 --profile live snapshots
err_has 'extract --ldif'
z 2 --profile full backup

# ---- where files are looked for
base | write "$T/other.conf"
(unset ZSTORE_CONFIG; z 2 backup; err_has 'what shall be backed up'; z 2 config check; err_has 'no configuration file') || exit 1
mkdir -p xdg/zstore home/.config/zstore
cp other.conf xdg/zstore/zstore.conf; cp other.conf home/.config/zstore/zstore.conf
(unset ZSTORE_CONFIG; XDG_CONFIG_HOME=$T/xdg z 0 backup -q) || exit 1
(unset ZSTORE_CONFIG XDG_CONFIG_HOME; HOME=$T/home z 0 backup -q) || exit 1
z 0 --config other.conf backup -q
z 0 backup -q --config=other.conf
z 2 --config missing.conf backup
err_has 'cannot read missing.conf: No such file'
z 2 --config "$T" backup
err_has 'is a directory'
z 0 --config /dev/null version
ZSTORE_CONFIG='' z 2 backup
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	# both usual places: what the second one says wins, the rest of the first stays
	mkdir -p etc/zstore; cp -a /etc/passwd /etc/group /etc/ld.so.cache etc/ 2>/dev/null
	base >etc/zstore/zstore.conf
	printf '[profile mail]\ntag = user\n' >xdg/zstore/zstore.conf
	(unset ZSTORE_CONFIG
	XDG_CONFIG_HOME=$T/xdg unshare -m sh -c 'mount --bind "$1/etc" /etc && exec "$2" backup -q' sh "$T" "$ZSTORE" >out 2>err) || die "both files"
	z 0 --profile mail snapshots --json
	json_is 'd[-1]["tags"], d[-1]["host"]' "(['user'], 'mailhost')"
fi

# ---- hooks: in order, with their environment, without secrets
hooks() {
	cat <<-END
	hook-before = echo before >>$T/log
	   env >$T/env.before
	hook-after = echo after \$ZSTORE_STATUS \$ZSTORE_EXIT_CODE \$ZSTORE_SNAPSHOT >>$T/log;env >$T/env.after
	hook-failed = echo "failed \$ZSTORE_STATUS \$ZSTORE_EXIT_CODE \$ZSTORE_ERROR" >>$T/log
	hook-finally = echo finally \$ZSTORE_STATUS \$ZSTORE_EXIT_CODE >>$T/log;echo to-stdout
	END
}
{ base; hooks; } | write
export ZSTORE_NEW_PASSPHRASE=secret1 ZSTORE_MARIADB_PASSWORD=secret2 ZSTORE_LDAP_PASSWORD=secret3
z 0 backup --json
id=$(json 'd["snapshot"]')
[ "$(cat log)" = "before
after done 0 $id
finally done 0" ] || { cat log; die "the order of hooks"; }
err_has '^to-stdout$'
grep -h secret env.before env.after && die "a secret in a hook's environment"
grep -qx "ZSTORE_HOOK=before" env.before && grep -qx "ZSTORE_PROFILE=mail" env.before && grep -qx "ZSTORE_REPO=$T/repo" env.before &&
	grep -qx "ZSTORE_CONFIG=$conf" env.before && ! grep -q 'ZSTORE_STATUS' env.before || die "the environment before"
grep -qx "ZSTORE_HOOK=after" env.after && grep -qx "ZSTORE_STATUS=done" env.after && grep -qx "ZSTORE_SNAPSHOT=$id" env.after &&
	! grep -q '^ZSTORE_ERROR=' env.after || die "the environment after"
unset ZSTORE_NEW_PASSPHRASE ZSTORE_MARIADB_PASSWORD ZSTORE_LDAP_PASSWORD
# partial
rm log
z 3 backup "$T/src" "$T/missing"
grep -q '^after partial 3 ' log && grep -qx 'finally partial 3' log || die "hooks of a partial backup"
grep -q '^ZSTORE_ERROR=1 problem' env.after || die "why it is partial"
# failed
rm log
z 1 backup "$T/missing"
[ "$(wc -l <log)" = 3 ] && grep -q '^failed failed 1 .*missing' log && grep -qx 'finally failed 1' log || die "hooks of a failed backup"
# no repository: the hook before is run first, it may be what mounts it
rm log; mv repo gone
z 1 backup
grep -qx before log && grep -q '^failed failed 1 .*repo' log && grep -qx 'finally failed 1' log || die "hooks without a repository"
mv gone repo
# usage errors and dry runs run none
rm log
z 2 backup --threads 0
z 0 backup --dry-run
[ ! -e log ] || die "a hook of a dry run"
# none of prune and check
z 0 prune; z 0 check
[ ! -e log ] || die "a hook of prune"

# ---- hooks that fail
before=$(snapshot_id -1)
{ base; hooks | sed "s/^hook-before = .*/hook-before = exit 7/"; } | write
z 1 backup
err_has "^zstore: hook-before ($conf:.*) ended with status 7"
[ "$(snapshot_id -1)" = "$before" ] || die "a snapshot in spite of the hook"
grep -q '^failed failed 1 hook-before' log && grep -qx 'finally failed 1' log && ! grep -q after log || die "hooks after a failed one"
rm log
{ base; hooks | sed "s/^hook-after = .*/hook-after = exit 7\n   kill -9 \$\$/"; } | write
z 1 backup
err_has 'hook-after (.*) ended with status 7'
err_has 'hook-after (.*) was ended by signal 9'
[ "$(snapshot_id -1)" != "$before" ] || die "the snapshot stands all the same"
grep -qx 'finally done 1' log || die "the last hook knows the exit code"
z 3 backup "$T/src" "$T/missing"
{ base; printf 'hook-finally = exit 1\n'; } | write
z 1 backup
err_has 'hook-finally'
# time limit: the whole process group goes
{ base; printf 'hook-before = sleep 77.%s & sleep 77.%s\nhook-timeout = 1s\n' $$ $$; } | write
z 1 backup
err_has 'did not end within 1 seconds'
for _ in $(seq 50); do pgrep -f "^sleep 77.$$\$" >/dev/null || break; sleep 0.1; done
pgrep -f "^sleep 77.$$\$" && die "a hook's child is left"
# a hook that reads gets nothing; -v shows what is run
{ base; printf 'hook-before = ! read x\n'; } | write
echo input | "$ZSTORE" backup -v >out 2>err || die "a hook that reads"
err_has 'hook-before: ! read x'

# ---- signals: the failed and the last hooks are run, before the end
{ base; hooks; } | sed "s|^hook-before = .*|hook-before = echo ready >$T/ready;sleep 78.$$|" | write
for signal in INT TERM; do
	rm -f log ready
	# an interactive job: INT is not ignored
	/usr/bin/python3 -c 'import signal, os, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$ZSTORE" backup >out 2>err &
	pids=$!
	for _ in $(seq 600); do [ -e ready ] && break; sleep 0.05; done
	kill -$signal $pids; wait $pids
	[ $? = 1 ] || die "exit code after $signal in a hook"
	pids=
	err_has 'interrupted while hook-before'
	grep -q '^failed failed 1 interrupted' log && grep -qx 'finally failed 1' log || die "hooks after $signal"
done
pgrep -f "^sleep 78.$$\$" && die "the interrupted hook is left"
rm -f log
{ base; hooks; } | write
"$ZSTORE" backup --name s --command -- yes >out 2>err &
pids=$!
for _ in $(seq 600); do [ "$(ls -A repo/sessions)" ] && break; sleep 0.05; done
sleep 0.2
kill -TERM $pids; wait $pids
[ $? = 1 ] || die "exit code after TERM in the backup"
pids=
grep -q '^failed failed 1 interrupted' log && grep -qx 'finally failed 1' log || die "hooks after TERM"

# ---- several sources: a server that cannot be asked for leaves the rest
echo '' >empty-password; chmod 600 empty-password
{ base; cat <<-END; } | write
	[profile many]
	repository = $T/repo
	key-file = $T/key
	source = $T/src
	    db
	    dir
	[source db]
	url = mariadb://root@127.0.0.1:1/
	password-file = $T/missing-password
	connect-timeout = 1
	[source dir]
	url = ldap://127.0.0.1:1/
	name = directory
	password-file = $T/empty-password
END
z 3 backup --profile many
err_has '^zstore: db: password file .*missing-password: No such file'
err_has '^zstore: directory: .*empty'
out_has 'PARTIAL: 2'
out_has '^  done .* files$'
out_has '^  FAILED .* db: password file'
z 3 backup --profile many --json
json_is '[(s["name"], s["type"], s["state"]) for s in d["sources"]]' "[('files', 'files', 'done'), ('db', 'mariadb', 'failed'), ('directory', 'ldap', 'failed')]"
json_is 'd["partial"], "missing-password" in d["sources"][1]["why"], d["sources"][1]["url"]' "(True, True, 'mariadb://root@127.0.0.1:1/?connect-timeout=1')"
z 0 snapshots --json latest
json_is 'd[0]["partial"], len(d[0]["reasons"]), d[0]["paths"]' "(True, 2, ['$T/src', 'mariadb://root@127.0.0.1:1/?connect-timeout=1', 'ldap://127.0.0.1:1/'])"
json_is '[s["state"] for s in d[0]["manifest"]["sources"]]' "['done', 'failed', 'failed']"
z 0 snapshots -v latest
out_has '  source db, mariadb, failed'
out_has 'why: password file'
# no source works: no snapshot
before=$(ls repo/snapshots | wc -l)
z 1 backup --profile many "mariadb://h/?password-command=false" "ldap://h/?password-command=exit%203"
err_has 'sql: the password command failed (status 1)'
err_has 'ldap: the password command failed (status 3)'
err_has 'every source failed'
z 1 backup "mariadb://h/?password-command=true"
err_has 'printed nothing'
[ "$(wc -l <err)" = 1 ] || die "one source, one message"
[ "$(ls repo/snapshots | wc -l)" = "$before" ] || die "a snapshot of nothing"
# what cannot be meant
z 2 backup mariadb://a/ mariadb://b/
err_has "two servers would be stored as 'sql'.*name="
z 2 backup 'mariadb://a/?name=a/b'
z 2 backup 'ldap://a/?name=files'
z 2 backup 'ldap://u:pw@a/'
err_has 'no password belongs into a URL'
z 2 backup 'ldap://a/?password-file=x&password-command=y'
err_has 'not both'
printf 'pw\n' >open-password; chmod 644 open-password
z 1 backup "ldap://a/?password-file=$T/open-password"
err_has 'can be read by others'
z 2 extract --sql --ldif latest
z 2 extract --sql latest --tar
err_has '--tar does not go with --sql'
z 2 extract --ldif latest dc=a dc=b
err_has 'one base'
z 1 extract --sql latest
err_has 'holds nothing of a MariaDB source'
z 1 extract mydb.t --sql latest
err_has 'holds nothing of a MariaDB source'
z 1 extract latest --ldif=dc=a --profile live
err_has 'holds nothing of an LDAP source'
z 2 extract --ldif dc=example,dc=org
err_has 'names no snapshot'
z 2 extract latest --profile live

# ---- config check, config show
z 1 config check
out_has 'profile mail'; out_has 'profile many'
out_has "repository *$T/repo: opens, "
out_has "path *$T/src: a directory"
out_has 'db .*missing-password: No such file'
out_has 'would be INCOMPLETE'
z 1 config check --json
json_is '[(p["profile"], p["backup"]) for p in d["profiles"]], d["ok"]' "([('mail', 'complete'), ('many', 'incomplete')], False)"
json_is 'd["profiles"][1]["sources"][0]["ok"], d["profiles"][1]["sources"][1]["ok"]' '(True, False)'
base | write
z 0 config check
out_has 'would be complete'
z 0 config check --json
json_is 'd["ok"], d["profiles"][0]["repository"]["ok"], d["files"]' "(True, True, ['$conf'])"
chmod 644 key
z 1 config check
out_has 'can be read by others'; out_has 'would FAIL'
z 6 backup
chmod 600 key
base | sed "s|$T/src|$T/nowhere|" | write
z 1 config check
out_has "path *$T/nowhere: cannot read it: No such file"; out_has 'would FAIL'
{ base; printf 'exclude-from = %s/no-list\n' "$T"; } | write
z 1 config check
out_has 'exclude-from'
{ base; printf 'passphrase-command = echo hidden-words\nhook-after = true\n'; } | write
z 0 config show
out_has "^  repository = $T/repo  ($conf:6)"
out_has '^  exclude = \*.bak  ('
out_has '^  passphrase-command = (a command)'
out_lacks 'hidden-words'
ZSTORE_REPO=$T/env z 0 config show --key-file k
out_has "repository = $T/env  (ZSTORE_REPO)"
out_has 'key-file = k  (--key-file)'
out_lacks passphrase-command
{ base; printf 'source = ldap://h/?password-command=echo%%20hidden-words\n'; } | write
z 0 config show
out_has '^  source = ldap://h/  ('
out_lacks 'hidden-words'
z 0 config show --json
out_lacks 'hidden-words'
base | write
z 0 config show --json
json_is '[s["value"] for s in d["profiles"][0]["settings"] if s["key"] == "tag"]' "['nightly']"
z 2 config
z 2 config frobnicate
z 2 --profile nobody config check
z 2 --profile nobody config show

# ---- what is wrong in a file: its line, and nothing done
wrong 2 "unknown setting 'sorce'" <<-END
	[profile mail]
	sorce = $T/src
END
wrong 1 'unknown section' <<<'[profil mail]'
wrong 3 'again: it was set in line 2' <<<$'[profile a]\nkeep-last = 1\nkeep-last = 2'
wrong 3 'began in line 1' <<<$'[profile a]\nkeep-last = 1\n[profile a]'
wrong 2 'first column' <<<$'[profile a]\n  keep-last = 1'
wrong 2 'comment needs a line of its own' <<<$'[profile a]\nhook-before = a ; b'
wrong 2 'comment needs a line of its own' <<<$'[profile a]\nkeep-last = 7 # days'
wrong 2 "begins with '/'" <<<$'[profile a]\nrepository = repo'
wrong 2 'no \[source\] of this name' <<<$'[profile a]\nsource = nothing'
wrong 2 'no \[profile x\]' <<<$'[zstore]\ndefault-profile = x'
wrong 1 'cannot be named' <<<'[profile full]'
wrong 3 'no password belongs here' <<<$'[source a]\nurl = ldap://h/\npassword = x'
wrong 2 'at most 4096' <<<"[profile a]
hook-before = $(head -c 4096 /dev/zero | tr '\0' x)"
# all of them are named by config check
write <<<$'[profile a]\nthreads = none\nnonsense = 1\nkeep-within = x'
z 2 config check
[ "$(grep -c "^zstore: $conf:[234]: " err)" = 3 ] || die "three errors"
z 2 config check --json
json_is 'len(d["errors"]), d["ok"]' '(3, False)'
z 2 backup
err_has 'and 2 more'
z 0 version; z 0 help
# a long line is read whole
{ base; printf 'hook-before = x="%s";test ${#x} = 2400\n' "$(head -c 2400 /dev/zero | tr '\0' x)"; } | write
z 0 backup -q
# too large a file
{ base; for i in $(seq 30000); do echo "# comment"; done; } | write
z 2 backup
err_has 'longer than 262144 bytes'
# hostile text stays off the screen
printf '[profile a]\nx\033[2J = 1\n[\033[31m]\n' | write
z 2 config check
LC_ALL=C grep -qP '\x1b' err && die "an escape code on the screen"
# whoever may write the file decides what is run
base | write
chmod 666 "$conf"
z 2 backup
err_has 'can be changed by others (mode 0666).*chmod go-w'
chmod 620 "$conf"
z 2 config check
chmod 600 "$conf"
if [ "$(id -u)" = 0 ]; then
	chown 65534 "$conf"
	z 2 backup
	err_has 'belongs to another user'
	# a file that this user may not read, where nobody asked for it
	nobody_home
	mkdir -p nobody/.config/zstore; base >nobody/.config/zstore/zstore.conf; chmod 600 nobody/.config/zstore/zstore.conf
	(unset ZSTORE_CONFIG; XDG_CONFIG_HOME=$T/nobody/.config zn 2 config check; err_has 'cannot be read by this user') || exit 1
fi
exit 0
