# What is needed from Debian 12, and a function that installs what of it is missing.  To be sourced.
BUILD_PACKAGES="gcc libc6-dev meson ninja-build pkg-config libzstd-dev libsodium-dev liblmdb-dev libxxhash-dev libjansson-dev libarchive-dev
 libmariadb-dev libldap-dev libinih-dev libcurl4-openssl-dev libexpat1-dev zlib1g-dev libssl-dev"
SERVER_PACKAGES="mariadb-server-core mariadb-client slapd ldap-utils libsasl2-modules perl-base dovecot-imapd"
TEST_PACKAGES="clang libclang-rt-14-dev llvm-14 libcmocka-dev clang-format mandoc python3 python3-nacl python3-zstandard python3-xxhash
 python3-argon2 acl attr strace e2fsprogs util-linux tmux git procps
 $SERVER_PACKAGES openssl"
BENCH_PACKAGES="borgbackup restic time python3 zstd jq isync"

need_packages() {
	missing=
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	echo "installing$missing" >&2
	export DEBIAN_FRONTEND=noninteractive
	$sudo apt-get -o DPkg::Lock::Timeout=300 update -qq >&2
	# shellcheck disable=SC2086
	$sudo apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $missing >&2
}
