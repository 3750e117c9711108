/*
 * Rights, as the server shows them.  Those on what is gone (a table, a routine, a column) stay in its grant tables, but nobody
 * can grant them again: they are left out with a comment.
 */
#include "sql_define_private.h"

#include <mysqld_error.h>
#include <stdlib.h>
#include <string.h>

struct grant { /* "GRANT rights ON `database`.`name` TO rest" */
	struct zs_span rights, rest; /* rest: " ON " and all behind it */
	struct zs_buf database, name;
	int is_routine, is_package;
};

/* ----------------------------------------------------------------------- taking apart */

static int skip(struct zs_span *s, const char *text)
{
	size_t n = strlen(text);

	if (s->n < n || memcmp(s->p, text, n) != 0)
		return 0;
	*s = zs_span(s->p + n, s->n - n);
	return 1;
}

static int is_prefix(struct zs_span s, const char *text)
{
	return skip(&s, text);
}

/* A name in backticks, doubled ones undone: taken off *rest.  0 if there is none. */
static int take_name(struct zs_span *rest, struct zs_buf *out, struct zs_err *err)
{
	size_t i = 1;

	zs_buf_clear(out);
	if (rest->n < 2 || rest->p[0] != '`')
		return 0;
	for (; i < rest->n; i++) {
		if (rest->p[i] == '`' && (i + 1 == rest->n || rest->p[i + 1] != '`'))
			break;
		i += rest->p[i] == '`';
		if (zs_buf_add_u8(out, rest->p[i], err) < 0)
			return -1;
	}
	*rest = i < rest->n ? zs_span(rest->p + i + 1, rest->n - i - 1) : zs_span(NULL, 0);
	return 1;
}

/* Where text begins that is not within a name; the end if it is not there. */
static size_t find_outside(struct zs_span s, const char *text)
{
	size_t n = strlen(text);
	int quoted = 0;

	for (size_t i = 0; i + n <= s.n; i++) {
		quoted ^= s.p[i] == '`';
		if (!quoted && memcmp(s.p + i, text, n) == 0)
			return i;
	}
	return s.n;
}

/* 1; 0: it is on no single thing (a role, all databases, a database: that need not exist). */
static int take_apart(struct zs_span line, struct grant *g, struct zs_err *err)
{
	static const char *const kinds[] = {"PROCEDURE ", "FUNCTION ", "PACKAGE BODY ", "PACKAGE "};
	struct zs_span rest;
	size_t on;
	int rc;

	if (!skip(&line, "GRANT ") || (on = find_outside(line, " ON ")) == line.n)
		return 0;
	g->rights = zs_span(line.p, on);
	g->rest = rest = zs_span(line.p + on, line.n - on);
	(void)skip(&rest, " ON ");
	g->is_package = is_prefix(rest, "PACKAGE ");
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !g->is_routine; i++)
		g->is_routine = skip(&rest, kinds[i]);
	if ((rc = take_name(&rest, &g->database, err)) <= 0 || !skip(&rest, "."))
		return rc < 0 ? -1 : 0;
	return take_name(&rest, &g->name, err);
}

/* ------------------------------------------------------------------ what is still there */

static int exists(struct sql_writer *w, const char *question, const struct zs_span *names, struct zs_err *err)
{
	struct sql_result r = {0};
	int found;

	if (sql_define_ask(w, question, names, &r, err) < 0)
		return -1;
	found = sql_result_next(&r);
	sql_result_fini(&r);
	return found;
}

/* CREATE is among the rights: then the table need not be there. */
static int has_create(const struct grant *g)
{
	struct zs_span rest = g->rights;

	while (!g->is_routine && rest.n) {
		size_t n = find_outside(rest, ", ");

		if (n == strlen("CREATE") && is_prefix(rest, "CREATE"))
			return 1;
		rest = zs_span(rest.p + n, rest.n - n);
		(void)skip(&rest, ", ");
	}
	return 0;
}

static int object_exists(struct sql_writer *w, const struct grant *g, struct zs_err *err)
{
	const struct zs_span names[] = {zs_buf_span(&g->database), zs_buf_span(&g->name)};

	return exists(w, g->is_routine ? "SELECT 1 FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = '? AND ROUTINE_NAME = '? LIMIT 1"
				       : "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = '? AND TABLE_NAME = '? LIMIT 1", names, err);
}

/* Of "`a`, `b`" those that the table has, appended to *out; *lost: some it has not.  1; 0 none; or -1. */
static int keep_columns(struct sql_writer *w, const struct grant *g, struct zs_span columns, struct zs_buf *out, int *lost, struct zs_err *err)
{
	struct zs_buf column = ZS_BUF_INIT;
	int rc = 0, kept = 0, is_there, got = 1;

	while (rc == 0 && (got = take_name(&columns, &column, err)) > 0) {
		const struct zs_span names[] = {zs_buf_span(&g->database), zs_buf_span(&g->name), zs_buf_span(&column)};

		(void)skip(&columns, ", ");
		is_there = exists(w, "SELECT 1 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = '? AND TABLE_NAME = '? AND COLUMN_NAME = '? LIMIT 1", names, err);
		if (is_there < 0 || (is_there && (zs_buf_printf(out, err, "%s", kept ? ", " : "") < 0 || sql_quote_name(out, zs_buf_span(&column), err) < 0)))
			rc = -1;
		kept |= is_there > 0;
		*lost |= is_there == 0;
	}
	zs_buf_fini(&column);
	return rc < 0 || got < 0 ? -1 : kept;
}

/* "SELECT (`a`, `b`), INSERT" without columns that are gone, and without what has none left. */
static int keep_rights(struct sql_writer *w, const struct grant *g, struct zs_buf *out, int *lost, struct zs_err *err)
{
	struct zs_span rest = g->rights;

	while (rest.n) {
		size_t n = find_outside(rest, ", "), open = find_outside(rest, " ("), before = out->n, end = n;
		int kept = 1;

		if (zs_buf_printf(out, err, "%s", out->n ? ", " : "") < 0)
			return -1;
		if (open < n) { /* names may have anything in them, columns have commas between them */
			struct zs_span columns = zs_span(rest.p + open + 2, rest.n - open - 2);

			end = open + 2 + find_outside(columns, ")") + 1;
			if (zs_buf_add(out, rest.p, open, err) < 0 || zs_buf_printf(out, err, " (") < 0 || (kept = keep_columns(w, g, columns, out, lost, err)) < 0 ||
			    zs_buf_printf(out, err, ")") < 0)
				return -1;
		} else if (zs_buf_add(out, rest.p, n, err) < 0) {
			return -1;
		}
		if (!kept)
			out->n = before;
		rest = end < rest.n ? zs_span(rest.p + end, rest.n - end) : zs_span(NULL, 0);
		(void)skip(&rest, ", ");
	}
	return 0;
}

/* ----------------------------------------------------------------------------- writing */

static int add_columns_grant(struct sql_writer *w, const struct grant *g, struct zs_err *err)
{
	struct zs_buf rights = ZS_BUF_INIT;
	int lost = 0, rc = keep_rights(w, g, &rights, &lost, err);

	if (rc == 0 && lost)
		rc = sql_define_add(w, "-- left out: rights on columns that are not there\n", err);
	if (rc == 0 && rights.n && (sql_define_add(w, "GRANT ", err) < 0 || zs_buf_add_span(w->out, zs_buf_span(&rights), err) < 0 ||
				       zs_buf_add_span(w->out, g->rest, err) < 0 || sql_define_add(w, ";\n", err) < 0))
		rc = -1;
	zs_buf_fini(&rights);
	return rc;
}

/* Packages can only be named in Oracle's way of speaking. */
static int add_line(struct sql_writer *w, const struct grant *g, struct zs_span line, struct zs_err *err)
{
	if (g->is_package && sql_define_add(w, "SET sql_mode = 'ORACLE';\n", err) < 0)
		return -1;
	if (zs_buf_add_span(w->out, line, err) < 0 || sql_define_add(w, ";\n", err) < 0)
		return -1;
	return g->is_package ? sql_define_add(w, "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';\n", err) : 0;
}

static int add_grant(struct sql_writer *w, struct zs_span line, struct zs_err *err)
{
	struct grant g = {.is_routine = 0};
	struct zs_span rest = line;
	int rc;

	if (skip(&rest, "SET DEFAULT ROLE")) /* later, when all roles are granted */
		return 0;
	rc = take_apart(line, &g, err);
	if (rc > 0 && (rc = object_exists(w, &g, err)) == 0 && !has_create(&g))
		rc = sql_define_add(w, "-- left out: rights on something that is not there\n", err);
	else if (rc >= 0 && g.name.n && find_outside(g.rights, " (`") < g.rights.n)
		rc = add_columns_grant(w, &g, err);
	else if (rc >= 0)
		rc = add_line(w, &g, line, err);
	zs_buf_fini(&g.database);
	zs_buf_fini(&g.name);
	return rc;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_shown(struct sql_writer *w, const char *question, const struct zs_span *names, struct zs_err *err)
{
	struct zs_strings lines = {0};
	struct sql_result r = {0};
	int rc;

	if (sql_define_ask(w, question, names, &r, err) < 0)
		return -1;
	rc = sql_define_list(&r, &lines, err);
	sql_result_fini(&r);
	/* the server's order is that of a hash table, another one after it was started again */
	if (lines.n > 1)
		qsort(lines.v, lines.n, sizeof *lines.v, compare);
	for (size_t i = 0; rc == 0 && i < lines.n; i++)
		rc = add_grant(w, zs_span_str(lines.v[i]), err);
	zs_strings_fini(&lines);
	return rc;
}

int sql_define_grant_account(struct sql_writer *w, struct zs_span user, struct zs_span host, int is_role, struct zs_err *err)
{
	const struct zs_span names[] = {user, host};

	return add_shown(w, is_role ? "SHOW GRANTS FOR `?" : "SHOW GRANTS FOR `?@`?", names, err);
}

#define PUBLIC_SINCE 101100

int sql_define_grant_public(struct sql_writer *w, struct zs_err *err)
{
	static const struct zs_span none = {NULL, 0};

	if (w->conn->version < PUBLIC_SINCE || add_shown(w, "SHOW GRANTS FOR PUBLIC", &none, err) == 0)
		return 0;
	if (err->cause != ZS_SOURCE || w->conn->is_lost || sql_conn_errno(w->conn) != ER_NONEXISTING_GRANT)
		return -1;
	zs_err_clear(err);
	return 0;
}
