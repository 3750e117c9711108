# Real servers for tests and benchmarks, each below a directory of its own, on loopback and unix sockets only, without any
# right of root, ended by their pids.  To be sourced; whoever sources it calls services_down at the end.
#   mariadb_up DIR [mariadbd options]     socket DIR/s.sock, port in DIR/port; root without a password
#   slapd_up DIR SUFFIX [config.ldif]     ldapi://DIR/ldapi (percent-encoded in DIR/url), ports in DIR/port, DIR/tls-port;
#                                         root DN cn=root,SUFFIX (cn=root for "") with password "secret"
#   dovecot_up DIR [config file]          ports in DIR/port, DIR/tls-port; users user1@example.com .. user5@example.com with passwords
#                                         pw1 .. pw5, master user "backup" with "master-pw"; mail below DIR/mail
#   tls_make DIR                          ca.pem, server.pem, server.key for 127.0.0.1
#   service_stop DIR [SIGNAL]             one of them
unset CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR LDAPTLS_CACERT LDAPCONF MYSQL_PWD
services=()

# As root, servers run as nobody: what they need must be theirs.
service_user() { if [ "$(id -u)" = 0 ]; then setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs -- "$@"; else "$@"; fi; }
service_own() { [ "$(id -u)" != 0 ] || chown -R 65534:65534 "$@"; }
service_port() { perl -MIO::Socket::INET -e 'for (1 .. 200) { my $p = 15000 + int rand 16000; if (IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1", LocalPort => $p)) { print $p; exit } } exit 1'; }

# service_start DIR COMMAND...: in the background; its pid in DIR/pid, what it says in DIR/log
service_start() {
	local dir=$1 exec_as
	shift
	# the server itself, not a shell that waits for it
	if [ "$(id -u)" = 0 ]; then
		exec_as="setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs --"
	else
		exec_as=
	fi
	(exec $exec_as "$@" </dev/null >>"$dir/log" 2>&1) &
	echo $! >"$dir/pid"
	disown
	services+=("$dir")
}
service_alive() { case $(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$(cat "$1/pid")/status" 2>/dev/null) in '' | Z | X) return 1 ;; esac; }
# service_wait DIR COMMAND...: until it succeeds, 30 seconds at most
service_wait() {
	local dir=$1 i
	shift
	for ((i = 0; i < 600; i++)); do
		"$@" >/dev/null 2>&1 && return 0
		service_alive "$dir" || break
		sleep 0.05
	done
	echo "service in $dir did not start" >&2
	tail -20 "$dir/log" >&2
	return 1
}
service_stop() {
	local pid i
	pid=$(cat "$1/pid" 2>/dev/null) || return 0
	kill "-${2:-TERM}" "$pid" 2>/dev/null
	for ((i = 0; i < 300; i++)); do
		service_alive "$1" || break
		sleep 0.05
	done
	service_alive "$1" && kill -KILL "$pid" 2>/dev/null
	rm -f "$1/pid"
}
services_down() { local d; for d in "${services[@]}"; do service_stop "$d" "${1:-KILL}"; done; services=(); }

tls_make() {
	mkdir -p "$1"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=test authority" -addext basicConstraints=critical,CA:TRUE \
		-keyout "$1/ca.key" -out "$1/ca.pem" 2>/dev/null || return 1
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout "$1/server.key" -out "$1/server.csr" 2>/dev/null || return 1
	printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$1/ext"
	openssl x509 -req -in "$1/server.csr" -CA "$1/ca.pem" -CAkey "$1/ca.key" -CAcreateserial -days 30 -extfile "$1/ext" -out "$1/server.pem" 2>/dev/null || return 1
	chmod 644 "$1"/*
}

# ------------------------------------------------------------------------ MariaDB

mariadb_up() {
	local dir=$1 has_accounts=1
	shift
	if [ ! -d "$dir/data" ]; then
		has_accounts=
		mkdir -p "$dir" && chmod 755 "$dir" && service_own "$dir"
		service_user mariadb-install-db --no-defaults --datadir="$dir/data" --auth-root-authentication-method=normal --skip-test-db \
			--skip-name-resolve --innodb-log-file-size=16M >"$dir/install" 2>&1 || { cat "$dir/install" >&2; return 1; }
		service_port >"$dir/port" || return 1
	fi
	service_start "$dir" mariadbd --no-defaults --datadir="$dir/data" --socket="$dir/s.sock" --pid-file="$dir/data/server.pid" --bind-address=127.0.0.1 \
		--port="$(cat "$dir/port")" --skip-name-resolve --innodb-buffer-pool-size="${POOL:-64M}" --innodb-log-file-size=16M \
		--innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 --performance-schema=OFF --max-connections=50 "$@"
	service_wait "$dir" mariadb-admin --no-defaults --socket="$dir/s.sock" -uroot ping || return 1
	# root of this machine's name cannot log in with skip_name_resolve, which a backup warns of
	[ -n "$has_accounts" ] || sql "$dir" -e "DELETE FROM mysql.global_priv WHERE User = 'root' AND Host NOT IN ('localhost', '127.0.0.1', '::1'); FLUSH PRIVILEGES"
}
# mariadb_zones DIR: named time zones
mariadb_zones() { mariadb-tzinfo-to-sql --skip-write-binlog /usr/share/zoneinfo 2>/dev/null | sql "$1" mysql; }
# sql DIR [client options]: the client, as root; statements from standard input or -e
sql() { local dir=$1; shift; timeout 120 mariadb --no-defaults --comments --default-character-set=utf8mb4 --socket="$dir/s.sock" -uroot "$@"; }

# --------------------------------------------------------------------------- LDAP

# SLAPD_TLS=DIR of tls_make; SLAPD_EXTERNAL=DN whom the user of the process is; SLAPD_LIMIT=olcSizeLimit; SLAPD_PLAIN=1 without
# overlays; SLAPD_POLICY=DN of the default password policy; SLAPD_SYNCPROV=1; SLAPD_MODULES="NAME..."; SLAPD_MORE=more entries.
# Entries end with "--": an option that is not set leaves an empty line, which goes.
slapd_config() { # DIR SUFFIX
	local root="cn=root${2:+,$2}"
	cat <<-EOF
	dn: cn=config
	objectClass: olcGlobal
	cn: config
	olcThreads: 4
	olcToolThreads: 1
	${SLAPD_TLS:+olcTLSCACertificateFile: $SLAPD_TLS/ca.pem}
	${SLAPD_TLS:+olcTLSCertificateFile: $SLAPD_TLS/server.pem}
	${SLAPD_TLS:+olcTLSCertificateKeyFile: $SLAPD_TLS/server.key}
	olcAuthzRegexp: gidNumber=[0-9]+\\+uidNumber=$(id -u),cn=peercred,cn=external,cn=auth ${SLAPD_EXTERNAL:-$root}
	--
	dn: cn=module{0},cn=config
	objectClass: olcModuleList
	cn: module{0}
	olcModulePath: /usr/lib/ldap
	olcModuleLoad: back_mdb
	olcModuleLoad: memberof
	olcModuleLoad: ppolicy
	olcModuleLoad: dynlist
	olcModuleLoad: syncprov
	${SLAPD_MODULES:+$(printf 'olcModuleLoad: %s\n' $SLAPD_MODULES)}
	--
	dn: cn=schema,cn=config
	objectClass: olcSchemaConfig
	cn: schema
	--
	include: file:///etc/ldap/schema/core.ldif
	include: file:///etc/ldap/schema/cosine.ldif
	include: file:///etc/ldap/schema/inetorgperson.ldif
	include: file:///etc/ldap/schema/dyngroup.ldif
	include: file://$1/test.ldif
	--
	dn: olcDatabase={-1}frontend,cn=config
	objectClass: olcDatabaseConfig
	objectClass: olcFrontendConfig
	olcDatabase: {-1}frontend
	${SLAPD_LIMIT:+olcSizeLimit: $SLAPD_LIMIT}
	--
	dn: olcDatabase={0}config,cn=config
	objectClass: olcDatabaseConfig
	olcDatabase: {0}config
	olcRootDN: cn=config
	olcRootPW: secret
	olcAccess: to * by dn.exact="$root" manage by * none
	--
	dn: olcDatabase={1}mdb,cn=config
	objectClass: olcDatabaseConfig
	objectClass: olcMdbConfig
	olcDatabase: {1}mdb
	olcSuffix: $2
	olcRootDN: $root
	olcRootPW: secret
	olcDbDirectory: $1/db
	olcDbMaxSize: 1073741824
	olcDbEnvFlags: nosync
	olcDbIndex: objectClass,entryUUID,entryCSN eq
	olcAccess: to attrs=userPassword by self write by * auth
	olcAccess: to * by * read
	--
	EOF
	[ -n "${SLAPD_PLAIN:-}" ] || cat <<-EOF
	dn: olcOverlay={0}memberof,olcDatabase={1}mdb,cn=config
	objectClass: olcOverlayConfig
	objectClass: olcMemberOfConfig
	olcOverlay: {0}memberof
	--
	dn: olcOverlay={1}ppolicy,olcDatabase={1}mdb,cn=config
	objectClass: olcOverlayConfig
	objectClass: olcPPolicyConfig
	olcOverlay: {1}ppolicy
	${SLAPD_POLICY:+olcPPolicyDefault: $SLAPD_POLICY}
	--
	dn: olcOverlay={2}dynlist,olcDatabase={1}mdb,cn=config
	objectClass: olcOverlayConfig
	objectClass: olcDynListConfig
	olcOverlay: {2}dynlist
	olcDynListAttrSet: groupOfURLs memberURL member
	--
	EOF
	[ -z "${SLAPD_SYNCPROV:-}" ] || cat <<-EOF
	dn: olcOverlay={3}syncprov,olcDatabase={1}mdb,cn=config
	objectClass: olcOverlayConfig
	objectClass: olcSyncProvConfig
	olcOverlay: {3}syncprov
	--
	EOF
	[ -z "${SLAPD_MORE:-}" ] || printf '%s\n' "$SLAPD_MORE"
}

# Attributes that change by themselves, as a Zimbra server's do, under an OID of nobody's.
slapd_schema() {
	cat <<-'EOF'
	dn: cn=test,cn=schema,cn=config
	objectClass: olcSchemaConfig
	cn: test
	olcAttributeTypes: ( 1.3.6.1.4.1.99999.7.1 NAME 'zimbraLastLogonTimestamp' SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE )
	olcAttributeTypes: ( 1.3.6.1.4.1.99999.7.2 NAME 'zimbraAuthTokens' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
	olcAttributeTypes: ( 1.3.6.1.4.1.99999.7.3 NAME 'testBytes' SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
	olcAttributeTypes: ( 1.3.6.1.4.1.99999.7.4 NAME 'testText' EQUALITY caseExactIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
	olcAttributeTypes: ( 1.3.6.1.4.1.99999.7.5 NAME 'testOrdered' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 X-ORDERED 'VALUES' )
	olcObjectClasses: ( 1.3.6.1.4.1.99999.8.1 NAME 'zimbraAccount' SUP top AUXILIARY MAY ( zimbraLastLogonTimestamp $ zimbraAuthTokens $ testBytes $ testText $ testOrdered ) )
	EOF
}

# slapd_make DIR SUFFIX: the configuration only, for slapadd; DIR/conf
slapd_make() {
	mkdir -p "$1/conf" "$1/db" && chmod 755 "$1"
	slapd_schema >"$1/test.ldif"
	slapd_config "$1" "$2" | sed '/^$/d; s/^--$//' >"$1/config.ldif"
	service_own "$1"
	service_user slapadd -q -n0 -F "$1/conf" -l "$1/config.ldif" >>"$1/log" 2>&1 || { cat "$1/log" >&2; return 1; }
}
slapd_up() {
	local dir=$1 url
	[ -d "$dir/conf" ] || slapd_make "$dir" "$2" || return 1
	url="ldapi://$(printf %s "$dir/ldapi" | sed 's,/,%2F,g')"
	echo "$url" >"$dir/url"
	[ -s "$dir/port" ] || { service_port >"$dir/port" && service_port >"$dir/tls-port"; } || return 1
	service_start "$dir" slapd -d 0 -F "$dir/conf" -h "$url ldap://127.0.0.1:$(cat "$dir/port")${SLAPD_TLS:+ ldaps://127.0.0.1:$(cat "$dir/tls-port")}"
	service_wait "$dir" ldapsearch -x -LLL -H "ldap://127.0.0.1:$(cat "$dir/port")" -b '' -s base
}
# slapd_add DIR [-c etc.] <LDIF: into a running server, as its root
slapd_add() { local dir=$1; shift; timeout 120 ldapmodify -a -x -H "ldap://127.0.0.1:$(cat "$dir/port")" -D "cn=root${SUFFIX:+,$SUFFIX}" -w secret -M "$@" >>"$dir/add.log" 2>&1; }
# slapd_cat DIR [options]: all entries as they are in the database; also offline
slapd_cat() { local dir=$1; shift; service_user slapcat -o ldif-wrap=no -F "$dir/conf" "$@"; }

# -------------------------------------------------------------------------- IMAP

dovecot_config() { # DIR USER
	cat <<-EOF
	base_dir = $1/run
	state_dir = $1/state
	log_path = $1/dovecot.log
	protocols = imap
	listen = 127.0.0.1
	default_internal_user = $2
	default_internal_group = $(id -gn "$2")
	default_login_user = $2
	first_valid_uid = 1
	mail_uid = $(id -u "$2")
	mail_gid = $(id -g "$2")
	mail_home = $1/mail/%u
	mail_location = maildir:~/Maildir:LAYOUT=fs
	mail_fsync = never
	maildir_very_dirty_syncs = yes
	disable_plaintext_auth = no
	auth_mechanisms = plain login
	auth_master_user_separator = *
	auth_failure_delay = 0
	mail_max_userip_connections = ${DOVECOT_CONNECTIONS:-10}
	imap_logout_format = in=%i out=%o bodies=%{fetch_body_count} bytes=%{fetch_body_bytes}
	ssl = ${DOVECOT_SSL:-yes}
	ssl_cert = <$1/tls/server.pem
	ssl_key = <$1/tls/server.key
	ssl_dh =
	service anvil {
	  chroot =
	}
	service imap-login {
	  chroot =
	  process_min_avail = 1
	  service_count = 0
	  inet_listener imap {
	    port = $(cat "$1/port")
	  }
	  inet_listener imaps {
	    port = $(cat "$1/tls-port")
	  }
	}
	service imap-urlauth-login {
	  chroot =
	}
	service imap {
	  process_limit = 64
	}
	passdb {
	  driver = passwd-file
	  master = yes
	  result_success = continue
	  args = username_format=%u $1/masters
	}
	passdb {
	  driver = passwd-file
	  args = username_format=%u $1/users
	}
	userdb {
	  driver = static
	  args = uid=$(id -u "$2") gid=$(id -g "$2") home=$1/mail/%u
	}
	namespace inbox {
	  inbox = yes
	  separator = ${DOVECOT_SEPARATOR:-/}
	  mailbox Sent {
	    auto = subscribe
	    special_use = \\Sent
	  }
	  mailbox Trash {
	    auto = create
	    special_use = \\Trash
	  }
	}
	EOF
}
dovecot_up() {
	local dir=$1 user i
	user=nobody
	[ "$(id -u)" = 0 ] || user=$(id -un)
	if [ ! -s "$dir/dovecot.conf" ]; then
		mkdir -p "$dir"/{run,state,mail} && chmod 755 "$dir" && tls_make "$dir/tls" || return 1
		service_port >"$dir/port" && service_port >"$dir/tls-port" || return 1
		for i in 1 2 3 4 5; do echo "user$i@example.com:{PLAIN}pw$i::::::"; done >"$dir/users"
		echo 'backup:{PLAIN}master-pw::::::' >"$dir/masters"
		dovecot_config "$dir" "$user" >"$dir/dovecot.conf"
		[ $# -lt 2 ] || cat "$2" >>"$dir/dovecot.conf"
		service_own "$dir"
	fi
	service_start "$dir" dovecot -F -c "$dir/dovecot.conf"
	service_wait "$dir" bash -c "exec 3<>/dev/tcp/127.0.0.1/$(cat "$dir/port")"
}

# ------------------------------------------------------------------------ Zimbra

# zimbra_up DIR [mariadbd options]: what a Zimbra server consists of, for tests/sample/zimbra_life.py: MariaDB (DIR/mysql, socket only,
# no binary log unless ZIMBRA_BINLOG=1) with the database zimbra and no mailboxes, slapd (DIR/ldap, suffix "", root DN cn=config with password
# "secret") with the skeleton, DIR/conf/localconfig.xml, volumes DIR/store, DIR/store2 (HSM), DIR/store4 (compressing).  Again on the same
# DIR: starts the servers as they were.
zimbra_fixture=$(cd "$(dirname "${BASH_SOURCE[0]}")/fixtures/zimbra" && pwd)
zimbra_sql() { sql "$1/mysql" "${@:2}"; }
zimbra_slapd_config() { # DIR
	cat <<-EOF
	dn: cn=config
	objectClass: olcGlobal
	cn: config
	${SLAPD_TLS:+olcTLSCACertificateFile: $SLAPD_TLS/ca.pem}
	${SLAPD_TLS:+olcTLSCertificateFile: $SLAPD_TLS/server.pem}
	${SLAPD_TLS:+olcTLSCertificateKeyFile: $SLAPD_TLS/server.key}
	olcThreads: 4
	olcToolThreads: 1
	--
	dn: cn=module{0},cn=config
	objectClass: olcModuleList
	cn: module{0}
	olcModulePath: /usr/lib/ldap
	olcModuleLoad: back_mdb
	olcModuleLoad: dynlist
	olcModuleLoad: unique
	${SLAPD_SYNCPROV:+olcModuleLoad: syncprov}
	$([ ! -e /usr/lib/ldap/pw-sha2.so ] || echo olcModuleLoad: pw-sha2)
	--
	dn: cn=schema,cn=config
	objectClass: olcSchemaConfig
	cn: schema
	--
	include: file:///etc/ldap/schema/core.ldif
	include: file:///etc/ldap/schema/cosine.ldif
	include: file:///etc/ldap/schema/inetorgperson.ldif
	include: file:///etc/ldap/schema/dyngroup.ldif
	include: file://$1/schema.ldif
	--
	dn: olcDatabase={-1}frontend,cn=config
	objectClass: olcDatabaseConfig
	objectClass: olcFrontendConfig
	olcDatabase: {-1}frontend
	olcSizeLimit: unlimited
	$([ ! -e /usr/lib/ldap/pw-sha2.so ] || echo 'olcPasswordHash: {SSHA512}')
	--
	dn: olcDatabase={0}config,cn=config
	objectClass: olcDatabaseConfig
	olcDatabase: {0}config
	olcRootDN: cn=config
	olcRootPW: secret
	olcAccess: to * by * none
	--
	dn: olcDatabase={1}mdb,cn=config
	objectClass: olcDatabaseConfig
	objectClass: olcMdbConfig
	olcDatabase: {1}mdb
	olcSuffix:
	olcRootDN: cn=config
	olcDbDirectory: $1/db
	olcDbMaxSize: 1073741824
	olcDbEnvFlags: nosync
	olcDbEnvFlags: writemap
	olcDbIndex: objectClass,entryUUID,entryCSN,zimbraId,uid,mail eq
	olcLimits: dn.exact="uid=zimbra,cn=admins,cn=zimbra" size=unlimited time=unlimited
	olcAccess: to attrs=userPassword by dn.exact="uid=zimbra,cn=admins,cn=zimbra" write by anonymous auth
	olcAccess: to * by dn.exact="uid=zimbra,cn=admins,cn=zimbra" write by dn.children="cn=admins,cn=zimbra" read by * none
	--
	dn: olcOverlay={0}dynlist,olcDatabase={1}mdb,cn=config
	objectClass: olcOverlayConfig
	objectClass: olcDynListConfig
	olcOverlay: {0}dynlist
	olcDynListAttrSet: groupOfURLs memberURL member
	--
	dn: olcOverlay={1}unique,olcDatabase={1}mdb,cn=config
	objectClass: olcOverlayConfig
	objectClass: olcUniqueConfig
	olcOverlay: {1}unique
	olcUniqueURI: ldap:///?mail?sub
	olcUniqueURI: ldap:///?zimbraId?sub
	--
	EOF
	[ -z "${SLAPD_SYNCPROV:-}" ] || cat <<-EOF
	dn: olcOverlay={2}syncprov,olcDatabase={1}mdb,cn=config
	objectClass: olcOverlayConfig
	objectClass: olcSyncProvConfig
	olcOverlay: {2}syncprov
	--
	EOF
}
zimbra_slapd_up() { # DIR
	local dir=$1 url
	url="ldapi://$(printf %s "$dir/ldapi" | sed 's,/,%2F,g')"
	if [ ! -d "$dir/conf" ]; then
		mkdir -p "$dir/conf" "$dir/db" && chmod 755 "$dir" && cp "$zimbra_fixture/schema.ldif" "$dir/schema.ldif" || return 1
		echo "$url" >"$dir/url"
		zimbra_slapd_config "$dir" | sed '/^[[:space:]]*$/d; s/^--$//; s/^olcSuffix:$/olcSuffix: /' >"$dir/config.ldif"
		sed "s/@HOST@/mail.example.test/; s/@PASSWORD@/zimbra-ldap-secret/" "$zimbra_fixture/skeleton.ldif" >"$dir/skeleton.ldif"
		service_own "$dir"
		service_user slapadd -q -n0 -F "$dir/conf" -l "$dir/config.ldif" >>"$dir/log" 2>&1 &&
			service_user slapadd -q -F "$dir/conf" -b "" -l "$dir/skeleton.ldif" >>"$dir/log" 2>&1 || { cat "$dir/log" >&2; return 1; }
	fi
	[ -z "${SLAPD_TLS:-}" ] || [ -s "$dir/port" ] || { service_port >"$dir/port" && service_port >"$dir/tls-port"; } || return 1
	service_start "$dir" slapd -d 0 -F "$dir/conf" -h "$url${SLAPD_TLS:+ ldap://127.0.0.1:$(cat "$dir/port") ldaps://127.0.0.1:$(cat "$dir/tls-port")}"
	service_wait "$dir" ldapsearch -x -LLL -H "$url" -b '' -s base
}
zimbra_config() { # DIR
	local key
	echo '<?xml version="1.0" encoding="UTF-8"?>'
	echo '<localconfig>'
	while read -r key; do
		printf '  <key name="%s">\n    <value>%s</value>\n  </key>\n' "${key%% *}" "${key#* }"
	done <<-EOF
	zimbra_home $1
	zimbra_server_hostname mail.example.test
	zimbra_store_directory \${zimbra_home}/store
	mysql_socket \${zimbra_home}/mysql/s.sock
	mysql_port 7306
	zimbra_mysql_user zimbra
	zimbra_mysql_password my&amp;sql &lt;secret&gt;
	ldap_url $(cat "$1/ldap/url")
	ldap_master_url \${ldap_url}
	ldap_starttls_supported 0
	ldap_starttls_required false
	zimbra_ldap_userdn uid=zimbra,cn=admins,cn=zimbra
	zimbra_ldap_password zimbra-ldap-secret
	ldap_root_password secret
	zimbra_mailbox_groups 100
	EOF
	echo '</localconfig>'
}
zimbra_up() {
	local dir=$1 log
	shift
	mkdir -p "$dir"/{conf,store,store2,store4,index} && chmod 755 "$dir" || return 1
	log=--skip-log-bin
	[ "${ZIMBRA_BINLOG:-}" != 1 ] || log=--log-bin=$dir/mysql/data/binlog
	mariadb_up "$dir/mysql" "$log" --server-id=1 --skip-networking --innodb-file-per-table --max-allowed-packet=16M "$@" || return 1
	zimbra_slapd_up "$dir/ldap" || return 1
	[ ! -s "$dir/conf/localconfig.xml" ] || return 0
	{
		cat "$zimbra_fixture/zimbra.sql"
		echo "GRANT ALL ON *.* TO 'zimbra'@'localhost' IDENTIFIED BY 'my&sql <secret>' WITH GRANT OPTION;"
	} | zimbra_sql "$dir" || return 1
	zimbra_config "$dir" >"$dir/conf/localconfig.xml" && chmod 640 "$dir/conf/localconfig.xml"
}
