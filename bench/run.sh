#!/bin/sh
# Installs what the benchmark needs, builds zstore, runs it against borg and restic.  Options: bench/run.sh --help
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tests/packages.sh"
need_packages $BUILD_PACKAGES $BENCH_PACKAGES
exec /usr/bin/python3 "$here/run.py" "$@"
