/*
 * What the files of the MariaDB source share: a connection, statements, quoting, and
 * the streams that are not rows.
 */
#ifndef ZSTORE_SQL_PRIVATE_H
#define ZSTORE_SQL_PRIVATE_H

#include <mysql.h>

#include "zstore/source.h"

/* ------------------------------------------------------------------ sql_conn.c */

/* How to connect; all borrowed, NULL or 0: not said. */
struct sql_login {
	const char *label; /* of the URL, for messages */
	const char *user, *host, *socket, *defaults_file, *defaults_group; /* defaults_file "none": no option files at all */
	const char *ssl_ca, *ssl_cert, *ssl_key;
	struct zs_span password; /* p NULL: none was given */
	unsigned port;
	unsigned connect_timeout_s, read_timeout_s;
	enum sql_tls { SQL_TLS_AUTO, SQL_TLS_YES, SQL_TLS_NO } tls; /* AUTO: YES, but for a socket and this host itself */
};
struct sql_conn { /* one connection; one thread at a time */
	MYSQL *my;
	unsigned version;	 /* 101119 for 10.11.19 */
	unsigned failed;	 /* number of the last failure, as 1146; 0: it was none of the server's */
	const char *label;	 /* of the URL, for messages; borrowed */
	int is_lost;		 /* the connection broke: nothing more can be read */
};
/*
 * Connect; the session is set as for reading (utf8mb4, raw results, no limits).  -1 ZS_SOURCE: no route, wrong password,
 * TLS that is not there or not proven; nothing is held then.  Never reconnects by itself.
 */
int sql_conn_open(const struct sql_login *login, struct sql_conn *out, struct zs_err *err) ZS_MUST_USE;
void sql_conn_close(struct sql_conn *c); /* also of all zeros; rows still to come are not waited for */
/* Set err from what the server or the client library said last; returns -1. */
int sql_conn_fail(struct sql_conn *c, struct zs_err *err);
/* Run a statement that gives no rows.  -1 ZS_SOURCE with the server's text (is_lost set if the connection broke). */
int sql_conn_exec(struct sql_conn *c, struct zs_span statement, struct zs_err *err) ZS_MUST_USE;
int sql_conn_execf(struct sql_conn *c, struct zs_err *err, const char *fmt, ...) ZS_PRINTF(3, 4) ZS_MUST_USE;
unsigned sql_conn_errno(const struct sql_conn *c); /* the server's number of the last failure, as 1146 */

struct sql_result { /* a small result, whole in memory */
	MYSQL_RES *res;
	MYSQL_ROW row;
	unsigned long *lengths;
	unsigned columns;
};
int sql_conn_query(struct sql_conn *c, struct zs_span statement, struct sql_result *out, struct zs_err *err) ZS_MUST_USE;
int sql_conn_queryf(struct sql_conn *c, struct sql_result *out, struct zs_err *err, const char *fmt, ...) ZS_PRINTF(4, 5) ZS_MUST_USE;
int sql_result_next(struct sql_result *r); /* 1 with the next row, 0 */
struct zs_span sql_result_get(const struct sql_result *r, unsigned column); /* p NULL: SQL NULL; borrowed until the next row */
uint64_t sql_result_number(const struct sql_result *r, unsigned column); /* the digits it begins with; 0: NULL, or none */
int sql_result_column(const struct sql_result *r, const char *name); /* its number, or -1 */
void sql_result_fini(struct sql_result *r);

/* --------------------------------------------------------------- sql_session.c */

int sql_session_set(struct sql_conn *c, struct zs_err *err) ZS_MUST_USE;

/* ----------------------------------------------------------------- sql_quote.c */

int sql_quote_name(struct zs_buf *out, struct zs_span name, struct zs_err *err) ZS_MUST_USE; /* `a``b` */
/* 'it\'s', for SET NAMES utf8mb4 without NO_BACKSLASH_ESCAPES; text is UTF-8 or ASCII */
int sql_quote_text(struct zs_buf *out, struct zs_span text, struct zs_err *err) ZS_MUST_USE;

/* ---------------------------------------------------------------- sql_define.c */

/* Streams that are read whole into memory: everything but rows. */
enum sql_stream {
	SQL_ACCOUNTS,	       /* CREATE USER IF NOT EXISTS, ALTER USER, roles, grants, default roles */
	SQL_ACCOUNTS_ROLES,    /* CREATE ROLE IF NOT EXISTS: definers may be roles */
	SQL_ACCOUNTS_TABLES,   /* raw mysql.global_priv etc., for like-for-like */
	SQL_DATABASE,	       /* CREATE DATABASE IF NOT EXISTS */
	SQL_EVENTS, SQL_ROUTINES, SQL_SEQUENCES, SQL_VIEW_PLACEHOLDERS,
	SQL_VIEWS,	       /* without check options */
	SQL_VIEW_CHECKS,       /* those that have one, with it */
	SQL_TABLE_DEFINITION,  /* SHOW CREATE TABLE, verbatim */
	SQL_TABLE_TRIGGERS,
};
struct sql_define {
	struct sql_conn *conn;
	enum sql_stream stream;
	struct zs_span database, table; /* as the stream needs */
	struct zs_span path;		/* in the snapshot: for problems */
	const struct zs_source_settings *settings; /* problem: a view that is broken, a program that cannot be shown ...: left out with a comment in the stream */
	int *out_named_zones;		/* set to 1 if a named time zone occurs (events); else left; may be NULL */
	uint64_t *out_inactive;		/* set to the number of accounts that the server itself passes over (skip_name_resolve); may be NULL */
	uint64_t *out_left_out;		/* grows by what was left out and named; may be NULL */
};
/*
 * Append the stream's text to *out; empty if there is nothing of it (then the item is not stored).  Loadable by "mariadb"
 * after "USE database", under the header that restore_sql writes; no time, host or version in it.  -1 ZS_SOURCE: the
 * whole stream could not be read; sql_conn_errno says more (1146, 1412).
 */
int sql_define_stream(const struct sql_define *d, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;

#endif
