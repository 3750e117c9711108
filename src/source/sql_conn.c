/*
 * Statements on one connection, and their small results.  How a connection comes about is in sql_login.c; large results
 * (rows) are read in sql_rows.c.
 */
#include "sql_private.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The server's own text may have line ends and control characters in it: names of tables, parts of statements. */
static void one_line(const char *text, char *out, size_t size)
{
	size_t n = 0;

	for (; *text && n + 1 < size; text++)
		out[n++] = (unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text;
	out[n] = 0;
}

static int ends_connection(unsigned number)
{
	return number == CR_SERVER_GONE_ERROR || number == CR_SERVER_LOST || number == CR_MALFORMED_PACKET ||
	    number == CR_NET_PACKET_TOO_LARGE || number == CR_ERR_NET_READ || number == CR_ERR_NET_WRITE ||
	    number == ER_SERVER_SHUTDOWN || number == ER_CONNECTION_KILLED || number == ER_NET_READ_ERROR ||
	    number == ER_NET_READ_INTERRUPTED || number == ER_NET_ERROR_ON_WRITE || number == ER_NET_WRITE_INTERRUPTED ||
	    number == ER_NET_PACKETS_OUT_OF_ORDER || number == ER_NEW_ABORTING_CONNECTION;
}

int sql_conn_fail(struct sql_conn *c, struct zs_err *err)
{
	char text[MYSQL_ERRMSG_SIZE];

	c->failed = mysql_errno(c->my);
	if (c->failed == CR_OUT_OF_MEMORY)
		return zs_fail_nomem(err);
	one_line(mysql_error(c->my), text, sizeof text);
	if (ends_connection(c->failed))
		c->is_lost = 1;
	if (!c->failed)
		return zs_fail(err, ZS_SOURCE, "the server sent something else than was asked for");
	return zs_fail(err, ZS_SOURCE, "%s (error %u)", text, c->failed);
}

unsigned sql_conn_errno(const struct sql_conn *c)
{
	return c->failed;
}

/* Ask; *out is NULL if there are no rows. */
static int ask(struct sql_conn *c, struct zs_span statement, MYSQL_RES **out, struct zs_err *err)
{
	*out = NULL;
	c->failed = 0;
	if (c->is_lost || !c->my)
		return zs_fail(err, ZS_SOURCE, "the connection was lost");
	if (mysql_real_query(c->my, (const char *)statement.p, statement.n) != 0)
		return sql_conn_fail(c, err);
	*out = mysql_store_result(c->my);
	if (!*out && mysql_errno(c->my) != 0)
		return sql_conn_fail(c, err);
	return 0;
}

int sql_conn_exec(struct sql_conn *c, struct zs_span statement, struct zs_err *err)
{
	MYSQL_RES *res;

	if (ask(c, statement, &res, err) < 0)
		return -1;
	mysql_free_result(res);
	return 0;
}

int sql_conn_query(struct sql_conn *c, struct zs_span statement, struct sql_result *out, struct zs_err *err)
{
	MYSQL_RES *res;

	if (ask(c, statement, &res, err) < 0)
		return -1;
	if (!res)
		return zs_fail(err, ZS_SOURCE, "a question was answered without a table: %.*s", (int)(statement.n < 100 ? statement.n : 100), (const char *)statement.p);
	*out = (struct sql_result){.res = res, .columns = mysql_num_fields(res)};
	return 0;
}

static int print(struct zs_buf *out, struct zs_err *err, const char *fmt, va_list ap)
{
	char *text = NULL;
	int n = vasprintf(&text, fmt, ap), rc;

	if (n < 0)
		return zs_fail_nomem(err);
	rc = zs_buf_add(out, text, (size_t)n, err);
	free(text);
	return rc;
}

int sql_conn_execf(struct sql_conn *c, struct zs_err *err, const char *fmt, ...)
{
	struct zs_buf statement = ZS_BUF_INIT;
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = print(&statement, err, fmt, ap);
	va_end(ap);
	if (rc == 0)
		rc = sql_conn_exec(c, zs_buf_span(&statement), err);
	zs_buf_fini(&statement);
	return rc;
}

int sql_conn_queryf(struct sql_conn *c, struct sql_result *out, struct zs_err *err, const char *fmt, ...)
{
	struct zs_buf statement = ZS_BUF_INIT;
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = print(&statement, err, fmt, ap);
	va_end(ap);
	if (rc == 0)
		rc = sql_conn_query(c, zs_buf_span(&statement), out, err);
	zs_buf_fini(&statement);
	return rc;
}

int sql_result_next(struct sql_result *r)
{
	r->row = mysql_fetch_row(r->res);
	r->lengths = r->row ? mysql_fetch_lengths(r->res) : NULL;
	return r->row != NULL;
}

struct zs_span sql_result_get(const struct sql_result *r, unsigned column)
{
	if (!r->row || column >= r->columns || !r->row[column])
		return zs_span(NULL, 0);
	return zs_span(r->row[column], r->lengths[column]);
}

uint64_t sql_result_number(const struct sql_result *r, unsigned column)
{
	struct zs_span s = sql_result_get(r, column);
	uint64_t n = 0;

	for (size_t i = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		n = n * 10 + (s.p[i] - '0');
	return n;
}

int sql_result_column(const struct sql_result *r, const char *name)
{
	const MYSQL_FIELD *fields = mysql_fetch_fields(r->res);

	for (unsigned i = 0; i < r->columns; i++)
		if (strcasecmp(fields[i].name, name) == 0)
			return (int)i;
	return -1;
}

void sql_result_fini(struct sql_result *r)
{
	mysql_free_result(r->res);
	*r = (struct sql_result){0};
}

void sql_conn_close(struct sql_conn *c)
{
	if (c->my)
		mysql_close(c->my);
	c->my = NULL;
}
