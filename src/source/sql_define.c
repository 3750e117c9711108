/*
 * Streams of definitions: databases, tables, sequences here; programs, views and accounts in the files of their names.
 * Nothing in them depends on when or where they were read, so that what did not change is the same bytes.
 */
#include "sql_define_private.h"

#include <string.h>

int sql_define_add(struct sql_writer *w, const char *text, struct zs_err *err)
{
	return zs_buf_add_span(w->out, zs_span_str(text), err);
}

int sql_define_ask(struct sql_writer *w, const char *text, const struct zs_span *names, struct sql_result *out,
    struct zs_err *err)
{
	struct zs_buf statement = ZS_BUF_INIT;
	int rc = 0;

	for (; rc == 0 && *text; text++) {
		if (text[0] == '`' && text[1] == '?') {
			rc = sql_quote_name(&statement, *names++, err);
			text++;
		} else if (text[0] == '\'' && text[1] == '?') {
			rc = sql_quote_text(&statement, *names++, err);
			text++;
		} else {
			rc = zs_buf_add_u8(&statement, (uint8_t)*text, err);
		}
	}
	if (rc == 0)
		rc = sql_conn_query(w->conn, zs_buf_span(&statement), out, err);
	zs_buf_fini(&statement);
	return rc;
}

int sql_define_list(struct sql_result *r, struct zs_strings *out, struct zs_err *err)
{
	while (sql_result_next(r))
		if (zs_strings_add(out, sql_result_get(r, 0), err) < 0)
			return -1;
	return 0;
}

/* A comment of one line: what is in it must not end it. */
static int add_comment(struct sql_writer *w, const char *what, struct zs_span name, struct zs_err *err)
{
	size_t at;

	if (zs_buf_printf(w->out, err, "-- left out: %s ", what) < 0)
		return -1;
	at = w->out->n;
	if (zs_buf_json(w->out, name, err) < 0)
		return -1;
	for (; at < w->out->n; at++)
		if (w->out->p[at] < 0x20 || w->out->p[at] == 0x7f)
			w->out->p[at] = ' ';
	return sql_define_add(w, "\n", err);
}

int sql_define_leave_out(struct sql_writer *w, const char *what, struct zs_span name, const struct zs_err *why,
    struct zs_err *err)
{
	struct zs_err told = *why;

	if (w->conn->is_lost) {
		*err = *why;
		return -1;
	}
	(void)zs_context(&told, "%s %.*s", what, (int)(name.n < 200 ? name.n : 200), (const char *)name.p);
	if (w->d->settings->problem)
		w->d->settings->problem(w->d->settings->ctx, w->d->path, &told);
	if (w->d->out_left_out)
		++*w->d->out_left_out;
	return add_comment(w, what, name, err);
}

#define CAN_EXECUTE 100203

/*
 * A client that is not told --binary-mode makes one line end of CR LF, also within a name, which is another name then.  A script
 * with such a name stops there, rather than to make something else.
 */
static int add_line_end_guard(struct sql_writer *w, struct zs_span text, struct zs_err *err)
{
	if (w->conn->version < CAN_EXECUTE || !memmem(text.p, text.n, "\r\n", 2))
		return 0;
	return sql_define_add(w, "EXECUTE IMMEDIATE IF(LENGTH('\r\n') = 2, 'DO 0', 'a name has a line end in it: load this script with mariadb --binary-mode');\n", err);
}

/* The one row's column of a SHOW CREATE, with the delimiter behind. */
static int add_shown(struct sql_writer *w, const char *question, const struct zs_span *names, unsigned column,
    struct zs_err *err)
{
	struct sql_result r = {0};
	struct zs_span text;
	int rc = -1;

	if (sql_define_ask(w, question, names, &r, err) < 0)
		return -1;
	text = sql_result_next(&r) ? sql_result_get(&r, column) : zs_span(NULL, 0);
	if (!text.p)
		(void)zs_fail(err, ZS_SOURCE, "%s: the server does not show the definition", w->conn->label);
	else if (add_line_end_guard(w, text, err) == 0 && (w->d->stream != SQL_TABLE_DEFINITION || sql_define_plugin_engine(w, text, err) == 0) &&
	    zs_buf_add_span(w->out, text, err) == 0)
		rc = sql_define_add(w, ";\n", err);
	sql_result_fini(&r);
	return rc;
}

/* ----------------------------------------------------------------- sequences */

/* Where it stands is no part of a transaction: what is read here is at least what the rows have used. */
static int add_position(struct sql_writer *w, struct zs_span name, struct zs_err *err)
{
	const struct zs_span names[] = {w->d->database, name};
	struct sql_result r = {0};
	int rc = -1;

	if (sql_define_ask(w, "SELECT next_not_cached_value, cycle_count FROM `?.`?", names, &r, err) < 0)
		return -1;
	if (!sql_result_next(&r)) {
		(void)zs_fail(err, ZS_SOURCE, "%s: a sequence without a row", w->conn->label);
	} else if (sql_define_add(w, "DO SETVAL(", err) == 0 && sql_quote_name(w->out, name, err) == 0) {
		rc = zs_buf_printf(w->out, err, ", %.*s, 0, %.*s);\n", (int)sql_result_get(&r, 0).n,
		    (const char *)sql_result_get(&r, 0).p, (int)sql_result_get(&r, 1).n, (const char *)sql_result_get(&r, 1).p);
	}
	sql_result_fini(&r);
	return rc;
}

static int add_sequence(struct sql_writer *w, struct zs_span name, struct zs_err *err)
{
	static const char create[] = "CREATE SEQUENCE ", instead[] = "CREATE SEQUENCE IF NOT EXISTS ";
	const struct zs_span names[] = {w->d->database, name};
	struct sql_result r = {0};
	struct zs_span text;
	int rc = -1;

	if (sql_define_ask(w, "SHOW CREATE SEQUENCE `?.`?", names, &r, err) < 0)
		return -1;
	text = sql_result_next(&r) ? sql_result_get(&r, 1) : zs_span(NULL, 0);
	if (text.n < sizeof create || memcmp(text.p, create, sizeof create - 1) != 0) {
		(void)zs_fail(err, ZS_SOURCE, "%s: the server does not show the definition", w->conn->label);
	} else if (sql_define_add(w, instead, err) == 0 &&
	    zs_buf_add(w->out, text.p + sizeof create - 1, text.n - (sizeof create - 1), err) == 0) {
		rc = sql_define_add(w, ";\n", err);
	}
	sql_result_fini(&r);
	return rc < 0 ? -1 : add_position(w, name, err);
}

static int add_sequences(struct sql_writer *w, struct zs_err *err)
{
	const struct zs_span names[] = {w->d->database, w->d->database};
	struct sql_result r = {0};
	struct zs_strings list = {0};
	int rc;

	if (sql_define_ask(w, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '? AND BINARY TABLE_SCHEMA = '? AND TABLE_TYPE = "
			      "'SEQUENCE' ORDER BY CAST(TABLE_NAME AS BINARY)", names, &r, err) < 0)
		return -1;
	rc = sql_define_list(&r, &list, err);
	sql_result_fini(&r);
	for (size_t i = 0; rc == 0 && i < list.n; i++) {
		size_t before = w->out->n;
		struct zs_err why = {0};

		if (add_sequence(w, zs_span_str(list.v[i]), &why) == 0)
			continue;
		w->out->n = before;
		rc = why.cause == ZS_SOURCE ? sql_define_leave_out(w, "sequence", zs_span_str(list.v[i]), &why, err) : (*err = why, -1);
	}
	zs_strings_fini(&list);
	return rc;
}

int sql_define_stream(const struct sql_define *d, struct zs_buf *out, struct zs_err *err)
{
	struct sql_writer w = {d, d->conn, out};
	const struct zs_span names[] = {d->database, d->table};

	switch (d->stream) {
	case SQL_DATABASE:
		return add_shown(&w, "SHOW CREATE DATABASE IF NOT EXISTS `?", names, 1, err);
	case SQL_TABLE_DEFINITION:
		return add_shown(&w, "SHOW CREATE TABLE `?.`?", names, 1, err);
	case SQL_SEQUENCES:
		return add_sequences(&w, err);
	case SQL_ROUTINES:
		return sql_define_program_routines(&w, err);
	case SQL_TABLE_TRIGGERS:
		return sql_define_program_triggers(&w, err);
	case SQL_EVENTS:
		return sql_define_program_events(&w, err);
	case SQL_VIEW_PLACEHOLDERS:
		return sql_define_view_placeholders(&w, err);
	case SQL_VIEWS:
		return sql_define_view_all(&w, err);
	case SQL_VIEW_CHECKS:
		return sql_define_view_checks(&w, err);
	case SQL_ACCOUNTS:
		return sql_define_account_all(&w, err);
	case SQL_ACCOUNTS_ROLES:
		return sql_define_account_roles(&w, err);
	case SQL_ACCOUNTS_TABLES:
		return sql_define_account_tables(&w, err);
	}
	return zs_fail(err, ZS_INTERNAL, "no such stream of definitions");
}
