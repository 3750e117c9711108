#!/usr/bin/env bash
# Installs what the tests need, builds every variant, runs all tests.  Everything lives in one temporary directory that is
# removed at the end.  The last line is "N passed, N failed, N skipped"; the exit status is 0 only if something ran and
# nothing failed.
#   tests/run.sh [STAGE...]     only these stages: gcc clang asan tsan minimal lint e2e fuzz
set -u
cd "$(dirname "$0")/.."
top=$PWD
. tests/packages.sh
need_packages $BUILD_PACKAGES $TEST_PACKAGES || exit 1
unset ZSTORE_REPO ZSTORE_PASSPHRASE ZSTORE_KEY_FILE ZSTORE_PASSPHRASE_FILE ZSTORE_PASSPHRASE_COMMAND ZSTORE_CACHE_DIR

work=$(mktemp -d "${TMPDIR:-/tmp}/zstore-tests.XXXXXX") && chmod 755 "$work" || exit 1 # some tests run as nobody
passed=0 failed=0 skipped=0
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
stages=" ${*:-lint gcc minimal clang fuzz e2e asan tsan} "

note() { printf '== %s (%ss)\n' "$*" "$SECONDS"; }
pass() { passed=$((passed + 1)); }
fail() { failed=$((failed + 1)); printf 'FAIL %s\n' "$*"; }
skip() { skipped=$((skipped + 1)); printf 'skip %s\n' "$*"; }

# build NAME [meson options]: configured and built without a warning, else one failure
build() {
	local name=$1
	shift
	if meson setup "$work/$name" --werror "$@" >"$work/$name.log" 2>&1 && ninja -C "$work/$name" >>"$work/$name.log" 2>&1; then
		pass
	else
		fail "build $name"
		tail -40 "$work/$name.log"
		return 1
	fi
}

# units NAME [meson test options]: one result for each test program
units() {
	local name=$1 ok bad
	shift
	meson test -C "$work/$name" --no-rebuild --print-errorlogs "$@" >"$work/$name.tests" 2>&1
	ok=$(sed -n 's/^Ok: *//p' "$work/$name.tests")
	bad=$(awk '/^(Fail|Timeout|Unexpected Pass):/ {n += $NF} END {print n + 0}' "$work/$name.tests")
	[ -n "$ok" ] || { fail "meson test $name did not run"; tail -20 "$work/$name.tests"; return; }
	passed=$((passed + ok)) failed=$((failed + bad))
	[ "$bad" = 0 ] || { echo "FAIL $bad unit tests in $name"; cat "$work/$name.tests"; }
}

# scripts PATTERN ENV...: each test script with the program of a build; exit 77 is a skip with its reason on the last line
scripts() {
	local pattern=$1 script
	shift
	for script in tests/$pattern; do
		[ -e "$script" ] || continue
		rm -rf "$work/t"
		mkdir -m 1777 "$work/t"
		env TMPDIR="$work/t" "$@" timeout 900 bash "$script" >"$work/script.log" 2>&1
		case $? in
		0) pass ;;
		77) skip "$script: $(tail -1 "$work/script.log")" ;;
		*) fail "$script"; tail -60 "$work/script.log" ;;
		esac
	done
}

want() { case $stages in *" $1 "*) note "$1" ;; *) return 1 ;; esac; }

if want gcc || [[ $stages = *" e2e "* || $stages = *" lint "* ]]; then
	build gcc --buildtype=release && { [[ $stages != *" gcc "* ]] || units gcc; }
fi
want lint && scripts 'lint/*.sh' BUILD="$work/gcc" ZSTORE="$work/gcc/src/cli/zstore"
want minimal && build minimal --buildtype=release -Dtests=disabled -Dfuzzing=none -Dtar=disabled -Dstaged=disabled -Dldap=disabled \
	-Dmariadb=disabled -Dprofiles=disabled -Dhttp=disabled -Dzimbra=disabled -Dman=disabled && scripts 'e2e/00-minimal.sh' ZSTORE="$work/minimal/src/cli/zstore"
want clang && CC=clang build clang --buildtype=debugoptimized
if want fuzz && CC=clang build fuzz --buildtype=debugoptimized -Dfuzzing=libfuzzer -Db_lundef=false -Dtests=enabled; then
	for target in "$work"/fuzz/tests/fuzz/*/fuzz_*; do
		[ -f "$target" ] && [ -x "$target" ] || continue
		name=$(basename "$target")
		mkdir -p "$work/corpus/$name"
		if timeout 120 "$target" -max_total_time="${FUZZ_SECONDS:-5}" -rss_limit_mb=1024 -timeout=20 -artifact_prefix="$work/$name-" \
			"$work/corpus/$name" "tests/fuzz/corpus/${name#fuzz_}" >"$work/fuzz.log" 2>&1; then
			pass
		else
			fail "$name"
			tail -40 "$work/fuzz.log"
		fi
	done
fi
want e2e && scripts 'e2e/[0-9]*.sh' ZSTORE="$work/gcc/src/cli/zstore" && scripts 'fault/*.sh' ZSTORE="$work/gcc/src/cli/zstore" BUILD="$work/gcc" &&
	scripts 'compare/*.sh' ZSTORE="$work/gcc/src/cli/zstore"
if want asan && build asan --buildtype=debugoptimized -Db_sanitize=address,undefined; then
	export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
	units asan
	scripts 'e2e/[0-4]*.sh' ZSTORE="$work/asan/src/cli/zstore" SANITIZED=address
fi
if want tsan && build tsan --buildtype=debugoptimized -Db_sanitize=thread; then
	units tsan --suite unit-pipeline --suite unit-store --suite unit-index --suite unit-work --suite unit-backend --suite unit-imap
	scripts 'e2e/1*.sh' ZSTORE="$work/tsan/src/cli/zstore" SANITIZED=thread TSAN_OPTIONS=halt_on_error=1
fi
note done
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
