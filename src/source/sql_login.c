/*
 * How a connection comes about: option files, socket or TCP, TLS, password.  What an option file says never weakens what
 * was asked for: the files are read first, and everything that matters here is set after them.
 */
#include "sql_private.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DEFAULT_SOCKET "/run/mysqld/mysqld.sock"
#define DEFAULT_PORT 3306
#define CONNECT_TIMEOUT_S 10
#define READ_TIMEOUT_S 3600
#define PACKET_MAX (1ul << 30) /* as much as a server can send in one */

struct route { /* where it goes in the end */
	const char *host, *user, *password, *socket; /* socket: NULL for TCP */
	unsigned port;
	int is_tls;
};

/*
 * The library reads option files inside mysql_real_connect only, and lets them win over what was set before.  So it is
 * called once with a protocol and an address that no connection can come from, and the options are kept.
 */
static void read_option_files(MYSQL *my, const struct sql_login *login)
{
	unsigned none = MYSQL_PROTOCOL_MEMORY;

	if (login->defaults_file && strcmp(login->defaults_file, "none") == 0)
		return;
	if (login->defaults_file)
		(void)mysql_optionsv(my, MYSQL_READ_DEFAULT_FILE, login->defaults_file);
	(void)mysql_optionsv(my, MYSQL_READ_DEFAULT_GROUP, login->defaults_group ? login->defaults_group : "zstore");
	(void)mysql_optionsv(my, MYSQL_OPT_PROTOCOL, &none);
	(void)mysql_real_connect(my, "255.255.255.255", "", "", NULL, 1, NULL, CLIENT_REMEMBER_OPTIONS);
}

static int is_said(const char *text)
{
	return text && *text;
}

static int is_this_host(const char *host)
{
	return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

/* The library takes a host with certain characters for something else (a list, a plug-in, a connection string). */
static int check_host(const char *host, struct zs_err *err)
{
	if (host[strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:%")])
		return zs_fail(err, ZS_USAGE, "'%s' is no name of a host", host);
	return 0;
}

static int choose_route(const MYSQL *my, const struct sql_login *login, struct route *r, struct zs_err *err)
{
	const struct st_mysql_options *file = &my->options;
	int from_file = !is_said(login->host) && !login->port && !is_said(login->socket);
	int is_tcp = login->port != 0;

	*r = (struct route){.host = login->host, .user = login->user, .port = login->port, .socket = login->socket};
	if (from_file) {
		r->host = file->host;
		r->port = file->port;
		is_tcp = file->protocol == MYSQL_PROTOCOL_TCP;
	}
	if (!is_said(r->host))
		r->host = "localhost";
	if (!is_said(r->user))
		r->user = file->user;
	r->password = file->password ? file->password : "";
	if (is_said(r->socket) && login->port)
		return zs_fail(err, ZS_USAGE, "either a port or a socket");
	if (!is_tcp && !is_said(r->socket) && strcmp(r->host, "localhost") == 0)
		r->socket = is_said(file->unix_socket) ? file->unix_socket : DEFAULT_SOCKET;
	if (!is_said(r->socket))
		r->socket = NULL;
	if (!r->port)
		r->port = DEFAULT_PORT;
	r->is_tls = !r->socket && (login->tls == SQL_TLS_YES || (login->tls == SQL_TLS_AUTO && !is_this_host(r->host)));
	return check_host(r->host, err);
}

/* After the option files: what they may not change. */
static void set_options(MYSQL *my, const struct sql_login *login, const struct route *r)
{
	const my_bool no = 0, yes = 1;
	unsigned zero = 0, protocol = r->socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
	unsigned connect_s = login->connect_timeout_s ? login->connect_timeout_s : CONNECT_TIMEOUT_S;
	unsigned read_s = login->read_timeout_s ? login->read_timeout_s : READ_TIMEOUT_S;
	unsigned long packet = PACKET_MAX;

	(void)mysql_optionsv(my, MYSQL_OPT_PROTOCOL, &protocol);
	(void)mysql_optionsv(my, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
	(void)mysql_optionsv(my, MYSQL_OPT_READ_TIMEOUT, &read_s);
	(void)mysql_optionsv(my, MYSQL_OPT_WRITE_TIMEOUT, &read_s);
	(void)mysql_optionsv(my, MYSQL_OPT_RECONNECT, &no); /* a new session would have another snapshot */
	(void)mysql_optionsv(my, MYSQL_OPT_LOCAL_INFILE, &zero); /* a server must not ask for files */
	(void)mysql_optionsv(my, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
	(void)mysql_optionsv(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	if (login->ssl_ca)
		(void)mysql_optionsv(my, MYSQL_OPT_SSL_CA, login->ssl_ca);
	if (login->ssl_cert)
		(void)mysql_optionsv(my, MYSQL_OPT_SSL_CERT, login->ssl_cert);
	if (login->ssl_key)
		(void)mysql_optionsv(my, MYSQL_OPT_SSL_KEY, login->ssl_key);
	(void)mysql_optionsv(my, MYSQL_OPT_SSL_ENFORCE, r->is_tls ? &yes : &no);
	(void)mysql_optionsv(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, r->is_tls ? &yes : &no);
}

/* A peer that is gone without a word is noticed after three minutes. */
static void keep_alive(MYSQL *my)
{
	int fd = mysql_get_socket(my), on = 1, idle_s = 60, interval_s = 15, count = 8;

	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

static int connect_now(struct sql_conn *c, const struct sql_login *login, const struct route *r, struct zs_err *err)
{
	char *password = login->password.p ? strndup((const char *)login->password.p, login->password.n) : NULL;
	MYSQL *got;

	if (login->password.p && !password)
		return zs_fail_nomem(err);
	got = mysql_real_connect(c->my, r->host, r->user, password ? password : r->password, NULL, r->socket ? 0 : r->port,
	    r->socket, CLIENT_REMEMBER_OPTIONS);
	if (password)
		explicit_bzero(password, strlen(password));
	free(password);
	if (!got)
		return sql_conn_fail(c, err);
	if (r->is_tls && !mysql_get_ssl_cipher(c->my))
		return zs_fail(err, ZS_SOURCE, "the connection is not encrypted");
	if (!r->socket)
		keep_alive(c->my);
	c->version = (unsigned)mysql_get_server_version(c->my);
	return 0;
}

static void add_advice(const struct sql_conn *c, const struct route *r, struct zs_err *err)
{
	const char *advice = "";

	if (c->failed == CR_SSL_CONNECTION_ERROR)
		advice = ", with TLS that is verified (ssl-ca=FILE names who vouches for the server; ssl=no does without TLS)";
	else if (c->failed == ER_ACCESS_DENIED_ERROR || c->failed == ER_ACCESS_DENIED_NO_PASSWORD_ERROR)
		advice = ", user or password are wrong (password-file=FILE, password-command=COMMAND, or an option file)";
	else if (c->failed == CR_CONNECTION_ERROR || c->failed == CR_CONN_HOST_ERROR)
		advice = r->socket ? ", is the server running, and is this its socket (socket=PATH)?" : ", is the server running, and does it listen there?";
	(void)zs_context(err, "cannot connect to %s%s%s", r->socket ? "socket " : r->host, r->socket ? r->socket : "", advice);
}

int sql_conn_open(const struct sql_login *login, struct sql_conn *out, struct zs_err *err)
{
	struct sql_conn c = {.label = login->label};
	struct route r;

	c.my = mysql_init(NULL);
	if (!c.my)
		return zs_fail_nomem(err);
	read_option_files(c.my, login);
	if (choose_route(c.my, login, &r, err) < 0)
		goto fail;
	set_options(c.my, login, &r);
	if (connect_now(&c, login, &r, err) < 0) {
		add_advice(&c, &r, err);
		goto fail;
	}
	if (sql_session_set(&c, err) < 0)
		goto fail;
	*out = c;
	return 0;
fail:
	sql_conn_close(&c);
	return -1;
}
