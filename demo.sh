#!/bin/sh
# Installs what building needs, builds, and shows zstore at work on a sample organisation: two backups, a listing, one
# message back, a prune.  Leaves build/ (the program is build/src/cli/zstore); everything else is removed again.
set -eu
cd "$(dirname "$0")"
. tests/packages.sh
need_packages $BUILD_PACKAGES python3

quietly() { "$@" >build.log 2>&1 || { cat build.log; rm -f build.log; exit 1; }; rm -f build.log; }
[ -f build/build.ninja ] || quietly meson setup build --buildtype=release -Dtests=disabled -Dfuzzing=none
quietly ninja -C build
zstore=$PWD/build/src/cli/zstore

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
export ZSTORE_REPO="$work/repository" ZSTORE_PASSPHRASE="only for this demonstration" ZSTORE_CACHE_DIR="$work/cache"

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
run() { printf '$ zstore'; printf ' %s' "$@"; printf '\n'; "$zstore" "$@"; }
files() { find "$1" -type f | wc -l; }

say "A sample organisation"
/usr/bin/python3 tests/sample/make_sample.py "$work/mail"
echo "$(files "$work/mail") files, $(du -sh "$work/mail" | cut -f1), made in $work/mail"
sleep 2.1 # what changed less than two seconds ago is read again the next time, to be sure

say "A repository, and the first night"
run init
cd "$work"
run backup --time 2026-03-01T02:00 mail
say "A day of mail later (one user has left the house), the second night"
rm -r "$work/mail/accounts/chloe.martin@example.org"
/usr/bin/python3 "$OLDPWD/tests/sample/make_sample.py" "$work/mail" --next-day
run backup --time 2026-03-02T02:00 mail

say "What is there"
run snapshots
inbox=mail/accounts/ada.brandt@example.org/Inbox
run ls -l --sort date "latest:$inbox" | head -8

say "One message back, and compared"
message=$inbox/$(ls "$inbox" | grep '\.eml$' | head -1)
run extract "latest:$message" -C "$work/restored"
cmp "$message" "$work/restored/$message" && echo "the same, bit for bit"

say "Everything back, and compared"
run extract latest -C "$work/all"
diff -r mail "$work/all/mail" && echo "the same, $(files "$work/all") files"

say "The old snapshot goes, and its space is freed"
du -sb "$ZSTORE_REPO" | cut -f1
run prune --keep-last 1 --max-unused 0
du -sb "$ZSTORE_REPO" | cut -f1
run check --read-data
say "Done. The program is $zstore; its manual: man ./man/zstore.1"
