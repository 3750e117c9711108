#!/bin/bash
# key, and the ways in which a secret is given.  Secrets never show.
FAST=1
. "$(dirname "$0")/lib.sh"
echo data >file
secret="one sEcret phrase"
printf '%s\n' "$secret" >pass; chmod 600 pass
unset ZSTORE_PASSPHRASE
z 0 init --passphrase-file pass --recovery-code-to code --label main
err_empty
out_lacks 'Recovery'
[ "$(stat -c %a code)" = 600 ] || die "the code can be read by others"
code=$(cat code)
echo "$code" | grep -qE '^([0-9A-Z]{5}-)+[0-9A-Z]{5}$' || die "code: $code"
z 1 init --passphrase-file pass
err_has "$T/repo"
cp -a repo before; z 1 init --passphrase-file pass "$T/repo"; diff -r before repo || die "init changed a repository"

# every way in
for way in "--passphrase-file pass" "--passphrase-command cat\ pass" "--passphrase-command=cat\ pass"; do eval "z 0 snapshots $way"; err_empty; done
ZSTORE_PASSPHRASE=$secret z 0 backup -q file
ZSTORE_PASSPHRASE_FILE=pass z 0 snapshots
ZSTORE_PASSPHRASE_COMMAND='printf "%s\nrest" "$(cat pass)"' z 0 snapshots
ZSTORE_PASSPHRASE=wrong z 0 snapshots --passphrase-file pass
# the recovery code is a passphrase too: as printed, in lower case, with blanks
for typed in "$code" "$(echo "$code" | tr A-Z a-z)" "$(echo "$code" | tr -- - ' ')" "$(echo "$code" | tr -d -)"; do
	ZSTORE_PASSPHRASE=$typed z 0 ls latest
	err_empty
done
wrong=$(echo "$code" | tr '0-8A-Y' '1-9B-Z')
ZSTORE_PASSPHRASE=$wrong z 6 ls latest
# what is wrong: exit code 6, and a message without the secret
refused() { z 6 "$@"; [ ! -s out ] || die "something on stdout"; err_has '^zstore: '; ! grep -qiF -e "$secret" -e 'wRong one' -e "$code" err || die "a secret in a message"; }
ZSTORE_PASSPHRASE='wRong one' refused snapshots
ZSTORE_PASSPHRASE="$secret " refused snapshots
ZSTORE_PASSPHRASE="${secret%?}" refused backup file
refused snapshots --passphrase-command false
refused snapshots --passphrase-command true
refused snapshots --passphrase-file missing
err_has missing
: >empty; chmod 600 empty
refused snapshots --passphrase-file empty
refused snapshots --key-file missing
refused snapshots --key-file pass
# an empty variable is none
ZSTORE_PASSPHRASE='' ZSTORE_KEY_FILE='' ZSTORE_PASSPHRASE_FILE='' setsid -w "$ZSTORE" snapshots >out 2>err </dev/null
[ $? = 6 ] || die "no secret and no terminal"
err_has 'no passphrase'
# rights
for mode in 640 604 660 644; do
	chmod $mode pass
	refused snapshots --passphrase-file pass
	err_has 'can be read by others'
done
chmod 400 pass; z 0 snapshots --passphrase-file pass
if [ "$(id -u)" = 0 ]; then
	cp pass theirs; chmod 600 theirs; chown 1234 theirs
	refused snapshots --passphrase-file theirs
	err_has 'another user'
fi
export ZSTORE_PASSPHRASE_FILE=$T/pass

# list, add
z 0 key list
[ "$(wc -l <out)" = 2 ] || die "two slots"
out_has '^\* [0-9a-f]\{12\}  passphrase .*  main$'
out_has '^  [0-9a-f]\{12\}  recovery code '
z 0 key add --new-key-file kf --label nightly
err_empty
out_has '^added key slot '
[ "$(stat -c %a kf)" = 600 ] && [ "$(stat -c %s kf)" -ge 64 ] || die "key file"
keyfile=$(cat kf)
printf 'second phrase' >new; chmod 600 new
z 0 key add --new-passphrase-file new --json
json_is 'len(d["added"])' 64
ZSTORE_NEW_PASSPHRASE='third phrase' z 0 key add
z 0 key add --recovery --json
code2=$(json 'd["recovery_code"]')
z 0 key list --json
json_is 'len(d)' 6
json_is 'sorted(k["secret"] for k in d)' "['key file', 'passphrase', 'passphrase', 'passphrase', 'recovery code', 'recovery code']"
json_is '[k["label"] for k in d if k["current"]]' "['main']"
json_is 'all(k["role"] == "full" for k in d)' true
slot() { z 0 key list --json; json "[k['id'] for k in d if k['label'] == '$1'][0]"; }
z 0 ls latest --key-file kf
ZSTORE_PASSPHRASE_FILE= ZSTORE_PASSPHRASE="$code2" z 0 ls latest --passphrase-command "echo $code2"
chmod 640 kf; z 6 ls latest --key-file kf; chmod 600 kf
ZSTORE_KEY_FILE=kf z 0 key list
out_has '^\* .*  key file .*  nightly$'
# add needs a new secret, and a right old one
z 6 key add --new-key-file kf2 --passphrase-command 'echo nope'
[ ! -e kf2 ] || die "a key file was left behind"
setsid -w "$ZSTORE" key add >out 2>err </dev/null; [ $? = 6 ] || die "key add without a new secret"
z 2 key add --new-key-file kf2 --label "$(printf '%070d' 0)"

# passwd: the slot that opened it is replaced
old=$(slot main)
printf 'fresh phrase\n' >fresh; chmod 600 fresh
z 0 key passwd --new-passphrase-file fresh
out_has '^replaced key slot '
z 6 snapshots
export ZSTORE_PASSPHRASE_FILE=$T/fresh
z 0 ls latest
[ "$(slot main)" != "$old" ] || die "the slot is the same"
z 0 key list --json
json_is 'len(d)' 6

# remove
z 1 key remove "$old"
z 1 key remove abc
z 2 key remove
z 2 key
z 2 key lock
z 2 key list extra
nightly=$(slot nightly)
z 0 key remove "${nightly:0:12}"
out_has "^removed key slot ${nightly:0:12}$"
z 6 ls latest --key-file kf
for s in $(z 0 key list --json; json '" ".join(k["id"] for k in d if not k["current"])'); do z 0 key remove -q "$s"; done
[ ! -s out ] || die "-q"
z 2 key remove "$(slot main)"
err_has 'last'
z 0 extract latest --stdout
cmp out file || die "after all that"
ZSTORE_PASSPHRASE_FILE= z 6 snapshots --passphrase-command "cat code"
z 0 check

# init with a key file and no recovery code; in JSON; the code is printed once if nothing else is said
z 0 init --key-file k3 --no-recovery --json r3
json_is 'sorted(d)' "['repository']"
z 0 -r r3 --key-file k3 key list --json
json_is 'len(d)' 1
z 0 init --key-file k3 --json r4
json_is 'len(d["recovery_code"]) > 25' true
z 0 init --key-file k3 -q r5
[ "$(grep -cE '([0-9A-Z]{5}-)+' out)" = 1 ] || die "-q must still print the code"
z 1 init --key-file k3 --recovery-code-to code r6
err_has 'code'
printf 'too short' >k4; chmod 600 k4
z 6 init --key-file k4 r7
[ ! -e r7/config ] || die "a repository with a weak key file"

# nothing that was printed, stored or kept in the cache holds a secret
grep -rlF -e "$secret" -e 'fresh phrase' -e 'third phrase' -e "$keyfile" -e "$code" -e "$code2" repo cache r3 r4 r5 && die "a secret is stored"
exit 0
