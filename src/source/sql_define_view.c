/*
 * Views in three passes: first each is a view of NULLs with the right columns, so that the second pass, the real ones, may
 * come in any order; check options come last, as they need views below that can be written.  One that is broken on the
 * server would stop the loading, so it is left out and named.
 */
#include "sql_define_private.h"

#include <string.h>

#define LIST_ALL "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '? AND BINARY TABLE_SCHEMA = '? AND TABLE_TYPE = 'VIEW' " \
		 "ORDER BY CAST(TABLE_NAME AS BINARY)"
#define LIST_CHECKED "SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = '? AND BINARY TABLE_SCHEMA = '? AND CHECK_OPTION <> 'NONE' " \
		     "ORDER BY CAST(TABLE_NAME AS BINARY)"

static int list_views(struct sql_writer *w, const char *question, struct zs_strings *out, struct zs_err *err)
{
	const struct zs_span names[] = {w->d->database, w->d->database};
	struct sql_result r = {0};
	int rc;

	if (sql_define_ask(w, question, names, &r, err) < 0)
		return -1;
	rc = sql_define_list(&r, out, err);
	sql_result_fini(&r);
	return rc;
}

static int add_columns(struct sql_writer *w, struct sql_result *r, struct zs_err *err)
{
	const char *mark = " ";
	int any = 0;

	for (; sql_result_next(r); mark = ", ", any = 1)
		if (zs_buf_printf(w->out, err, "%sNULL AS ", mark) < 0 || sql_quote_name(w->out, sql_result_get(r, 0), err) < 0)
			return -1;
	return any ? 0 : zs_fail(err, ZS_SOURCE, "the server shows no columns of it");
}

/* SHOW FIELDS looks at what the view is made of: it fails if that is gone. */
static int add_placeholder(struct sql_writer *w, struct zs_span name, struct zs_err *err)
{
	const struct zs_span names[] = {w->d->database, name};
	struct sql_result r = {0};
	int rc;

	if (sql_define_ask(w, "SHOW FIELDS FROM `?.`?", names, &r, err) < 0)
		return -1;
	rc = sql_define_add(w, "CREATE OR REPLACE VIEW ", err);
	if (rc == 0)
		rc = sql_quote_name(w->out, name, err);
	if (rc == 0)
		rc = sql_define_add(w, " AS SELECT", err);
	if (rc == 0)
		rc = add_columns(w, &r, err);
	sql_result_fini(&r);
	return rc < 0 ? -1 : sql_define_add(w, ";\n", err);
}

/* Can it be used on the server?  Else it could not be made on another one. */
static int is_whole(struct sql_writer *w, struct zs_span name, struct zs_err *err)
{
	const struct zs_span names[] = {w->d->database, name};
	struct sql_result r = {0};

	if (sql_define_ask(w, "SHOW FIELDS FROM `?.`?", names, &r, err) < 0)
		return -1;
	sql_result_fini(&r);
	return 0;
}

/* The server ends its text with it; nothing else that it writes ends like this. */
static size_t check_option_bytes(struct zs_span text)
{
	static const char *const options[] = {" WITH LOCAL CHECK OPTION", " WITH CASCADED CHECK OPTION"};

	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(options[i]);

		if (text.n > n && memcmp(text.p + text.n - n, options[i], n) == 0)
			return n;
	}
	return 0;
}

enum view_part { WITHOUT_CHECK, WITH_CHECK };

static int add_definition(struct sql_writer *w, struct zs_span name, enum view_part part, struct zs_err *err)
{
	static const char create[] = "CREATE ";
	const struct zs_span names[] = {w->d->database, name};
	struct zs_buf statement = ZS_BUF_INIT;
	struct sql_result r = {0};
	struct zs_span text;
	int rc = -1;

	if (is_whole(w, name, err) < 0 || sql_define_ask(w, "SHOW CREATE VIEW `?.`?", names, &r, err) < 0)
		return -1;
	text = sql_result_next(&r) ? sql_result_get(&r, 1) : zs_span(NULL, 0);
	text.n -= part == WITHOUT_CHECK ? check_option_bytes(text) : 0;
	if (text.n < sizeof create || memcmp(text.p, create, sizeof create - 1) != 0)
		(void)zs_fail(err, ZS_SOURCE, "the server does not show its definition");
	else if (zs_buf_printf(&statement, err, "CREATE OR REPLACE ") == 0 &&
	    zs_buf_add(&statement, text.p + sizeof create - 1, text.n - (sizeof create - 1), err) == 0)
		rc = sql_define_program_run(w, zs_buf_span(&statement), sql_result_get(&r, 2), sql_result_get(&r, 3), err);
	zs_buf_fini(&statement);
	sql_result_fini(&r);
	return rc;
}

static int add_view(struct sql_writer *w, struct zs_span name, struct zs_err *err)
{
	return add_definition(w, name, WITHOUT_CHECK, err);
}

static int add_checked(struct sql_writer *w, struct zs_span name, struct zs_err *err)
{
	return add_definition(w, name, WITH_CHECK, err);
}

struct pass {
	const char *question;
	int is_named; /* what cannot be read is named; else by another pass */
	int (*add)(struct sql_writer *, struct zs_span, struct zs_err *);
};

static int add_each(struct sql_writer *w, const struct zs_strings *list, const struct pass *p, struct zs_err *err)
{
	for (size_t i = 0; i < list->n; i++) {
		struct zs_span name = zs_span_str(list->v[i]);
		size_t before = w->out->n;
		struct zs_err why = {0};

		if (p->add(w, name, &why) == 0)
			continue;
		w->out->n = before;
		if (why.cause != ZS_SOURCE || w->conn->is_lost) {
			*err = why;
			return -1;
		}
		if (p->is_named && sql_define_leave_out(w, "view", name, &why, err) < 0)
			return -1;
	}
	return 0;
}

static int each(struct sql_writer *w, const struct pass *p, struct zs_err *err)
{
	struct zs_strings list = {0};
	int rc = list_views(w, p->question, &list, err);

	if (rc == 0)
		rc = add_each(w, &list, p, err);
	zs_strings_fini(&list);
	return rc;
}

int sql_define_view_placeholders(struct sql_writer *w, struct zs_err *err)
{
	return each(w, &(const struct pass){LIST_ALL, 0, add_placeholder}, err); /* what is missing here is named by the second pass */
}

static int add_real(struct sql_writer *w, const struct pass *p, struct zs_err *err)
{
	size_t before = w->out->n;

	if (each(w, p, err) < 0)
		return -1;
	if (w->out->n == before)
		return 0;
	return sql_define_add(w, "SET character_set_client = utf8mb4, collation_connection = @zs_collation_connection;\n", err);
}

int sql_define_view_all(struct sql_writer *w, struct zs_err *err)
{
	return add_real(w, &(const struct pass){LIST_ALL, 1, add_view}, err);
}

int sql_define_view_checks(struct sql_writer *w, struct zs_err *err)
{
	return add_real(w, &(const struct pass){LIST_CHECKED, 1, add_checked}, err);
}
