/*
 * Programs: routines, triggers, events.  Each is written with the settings that it was made under, as its text is kept in the
 * character set of whoever made it.
 */
#include "sql_define_private.h"

#include <stdio.h>
#include <string.h>

struct program { /* borrowed from a result */
	struct zs_span text, sql_mode, zone, client, connection, database;
	struct zs_span made; /* of an event that ends by itself: when it was made, in seconds */
};

static struct zs_span column(const struct sql_result *r, const char *name)
{
	int i = sql_result_column(r, name);

	return i < 0 ? zs_span(NULL, 0) : sql_result_get(r, (unsigned)i);
}

/* The name of a character set or collation can stand without quotes. */
static int is_word(struct zs_span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_'))
			return 0;
	return s.n > 0;
}

static int add_settings(struct sql_writer *w, const struct program *p, struct zs_err *err)
{
	if (!is_word(p->client) || !is_word(p->connection))
		return zs_fail(err, ZS_SOURCE, "its character set is not known");
	if (zs_buf_printf(w->out, err, "SET character_set_client = %.*s, collation_connection = %.*s, sql_mode = ", (int)p->client.n,
		(const char *)p->client.p, (int)p->connection.n, (const char *)p->connection.p) < 0 ||
	    sql_quote_text(w->out, p->sql_mode, err) < 0)
		return -1;
	if (p->zone.p && (sql_define_add(w, ", time_zone = ", err) < 0 || sql_quote_text(w->out, p->zone, err) < 0))
		return -1;
	return sql_define_add(w, ";\n", err);
}

/*
 * The text as a string that the server takes apart: the client, which drops comments and carriage returns from statements and
 * knows nothing of character sets whose characters may end in a backslash, leaves strings alone.  It is read under the script's
 * own sql_mode, before the program's is set.  What is no UTF-8 is given as bytes, which no server looks at before the program's
 * character set is the client's.
 */
static int add_string(struct sql_writer *w, struct zs_span client, struct zs_span text, struct zs_err *err)
{
	int is_utf8 = client.n >= 4 && memcmp(client.p, "utf8", 4) == 0, is_plain = 1;

	for (size_t i = 0, n; is_plain && i < text.n; i += n) {
		n = zs_utf8_length(text.p + i, text.n - i);
		is_plain = n == 1 || (n > 1 && is_utf8);
	}
	if (is_plain ? zs_buf_printf(w->out, err, "SET @zs_program = _%.*s'", (int)client.n, (const char *)client.p) < 0 :
		       sql_define_add(w, "SET @zs_program = 0x", err) < 0)
		return -1;
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		const char *escape = c == '\\' ? "\\\\" : c == '\'' ? "\\'" : c == '\r' ? "\\r" : c == 0 ? "\\0" : c == 0x1a ? "\\Z" : NULL;
		int rc = !is_plain ? zs_buf_printf(w->out, err, "%02X", c) : escape ? sql_define_add(w, escape, err) : zs_buf_add_u8(w->out, c, err);

		if (rc < 0)
			return -1;
	}
	return sql_define_add(w, is_plain ? "';\n" : ";\n", err);
}

/* For servers that do not prepare such statements. */
static int add_delimited(struct sql_writer *w, struct zs_span text, struct zs_err *err)
{
	char delimiter[24];

	sql_define_delimiter(text, delimiter);
	/* On a line of its own: the text may end in a comment. */
	if (zs_buf_printf(w->out, err, "DELIMITER %s\n", delimiter) < 0 || zs_buf_add_span(w->out, text, err) < 0)
		return -1;
	return zs_buf_printf(w->out, err, "\n%s\nDELIMITER ;\n", delimiter);
}

#define CAN_PREPARE_ALL 100602

static int add_statement(struct sql_writer *w, const struct program *p, struct zs_err *err)
{
	if (w->conn->version < CAN_PREPARE_ALL)
		return add_settings(w, p, err) < 0 ? -1 : add_delimited(w, p->text, err);
	if (add_string(w, p->client, p->text, err) < 0 || add_settings(w, p, err) < 0)
		return -1;
	return sql_define_add(w, "EXECUTE IMMEDIATE @zs_program;\nSET character_set_client = utf8mb4, sql_mode = 'NO_AUTO_VALUE_ON_ZERO';\n", err);
}

int sql_define_program_run(struct sql_writer *w, struct zs_span text, struct zs_span client, struct zs_span connection, struct zs_err *err)
{
	const struct program p = {.text = text, .sql_mode = zs_span_str("NO_AUTO_VALUE_ON_ZERO"), .client = client, .connection = connection};

	return add_statement(w, &p, err);
}

/* Some programs remember the collation that their database had. */
static int add_database(struct sql_writer *w, struct zs_span collation, struct zs_err *err)
{
	if (sql_define_add(w, "ALTER DATABASE ", err) < 0 || sql_quote_name(w->out, w->d->database, err) < 0)
		return -1;
	return zs_buf_printf(w->out, err, " COLLATE %.*s;\n", (int)collation.n, (const char *)collation.p);
}

static int add_program(struct sql_writer *w, const struct program *p, struct zs_span current, struct zs_err *err)
{
	int is_moved = is_word(p->database) && is_word(current) && !zs_span_eq(p->database, current);

	if (!p->text.p)
		return zs_fail(err, ZS_SOURCE, "the server does not show it: SELECT on mysql.proc, or SHOW CREATE ROUTINE, is needed");
	if ((is_moved && add_database(w, p->database, err) < 0) ||
	    (p->made.n && zs_buf_printf(w->out, err, "SET timestamp = %.*s;\n", (int)p->made.n, (const char *)p->made.p) < 0) ||
	    add_statement(w, p, err) < 0 || (p->made.n && sql_define_add(w, "SET timestamp = DEFAULT;\n", err) < 0))
		return -1;
	return is_moved ? add_database(w, current, err) : 0;
}

/* What all programs of a stream change is set back at its end: the next stream relies on it. */
static int add_end(struct sql_writer *w, size_t before, struct zs_err *err)
{
	if (w->out->n == before)
		return 0;
	return sql_define_add(w, "SET character_set_client = utf8mb4, collation_connection = @zs_collation_connection, "
				 "sql_mode = 'NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00';\n", err);
}

static int database_collation(struct sql_writer *w, struct zs_buf *out, struct zs_err *err)
{
	const struct zs_span names[] = {w->d->database, w->d->database};
	struct sql_result r = {0};
	int rc;

	if (sql_define_ask(w, "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '? AND BINARY SCHEMA_NAME = '?", names, &r, err) < 0)
		return -1;
	rc = sql_result_next(&r) ? zs_buf_add_span(out, sql_result_get(&r, 0), err) : 0;
	sql_result_fini(&r);
	return rc;
}

struct kind { const char *name, *show, *text, *details; };

static int contains(struct zs_span s, const char *text)
{
	return s.n > 0 && memmem(s.p, s.n, text, strlen(text)) != NULL;
}

static int needs_comment(const struct program *p)
{
	return contains(p->sql_mode, "NO_BACKSLASH_ESCAPES") && contains(p->text, "COMMENT '");
}

/*
 * What SHOW does not say (right): the comment as it is, and when an event was made that ends by itself.  A server refuses to
 * make one whose end has passed, so it is made at its own time.  Asked for only where it may matter: the server looks at all
 * programs to answer.
 */
static int ask_details(struct sql_writer *w, const struct kind *k, struct zs_span name, const struct program *p, struct zs_strings *out, struct zs_err *err)
{
	const struct zs_span names[] = {w->d->database, w->d->database, name, zs_span_str(k->name)};
	int may_end = w->d->stream == SQL_EVENTS && (contains(p->text, " AT '") || contains(p->text, " ENDS '"));
	struct sql_result r = {0};
	int rc = 0;

	if (!k->details || !p->text.p || (!may_end && !needs_comment(p)))
		return 0;
	if (sql_define_ask(w, k->details, names, &r, err) < 0)
		return -1;
	if (sql_result_next(&r) && (zs_strings_add(out, sql_result_get(&r, 0), err) < 0 || zs_strings_add(out, sql_result_get(&r, 1), err) < 0))
		rc = -1;
	sql_result_fini(&r);
	return rc;
}

/* A comment in quotes: as a server shows it, or as it has to be said under NO_BACKSLASH_ESCAPES. */
static int add_quoted(struct zs_buf *out, const char *comment, int is_shown, struct zs_err *err)
{
	if (zs_buf_printf(out, err, "COMMENT '") < 0)
		return -1;
	for (; *comment; comment++) {
		const char *shown = *comment == '\\' ? "\\\\" : *comment == '\n' ? "\\n" : *comment == '\r' ? "\\r" : NULL;
		int rc = is_shown && shown ? zs_buf_add_span(out, zs_span_str(shown), err) :
			 *comment == '\''  ? zs_buf_add_span(out, zs_span_str("''"), err) :
					     zs_buf_add_u8(out, (uint8_t)*comment, err);

		if (rc < 0)
			return -1;
	}
	return zs_buf_add_u8(out, '\'', err);
}

/*
 * A server shows a comment's backslashes doubled and its line ends as \n, also where the program's own mode is
 * NO_BACKSLASH_ESCAPES and that is another comment.  *out stays empty if there is nothing to mend.
 */
static int mend_comment(const struct program *p, const char *comment, struct zs_buf *out, struct zs_err *err)
{
	struct zs_buf shown = ZS_BUF_INIT;
	const uint8_t *at = NULL;
	int rc = add_quoted(&shown, comment, 1, err);

	if (rc == 0)
		at = memmem(p->text.p, p->text.n, shown.p, shown.n);
	if (at) {
		size_t before = (size_t)(at - p->text.p);

		if (zs_buf_add(out, p->text.p, before, err) < 0 || add_quoted(out, comment, 0, err) < 0 ||
		    zs_buf_add(out, at + shown.n, p->text.n - before - shown.n, err) < 0)
			rc = -1;
	}
	zs_buf_fini(&shown);
	return rc;
}

/* With what SHOW does not say. */
static int add_detailed(struct sql_writer *w, struct program *p, const struct zs_strings *details, struct zs_span current, struct zs_err *err)
{
	struct zs_buf mended = ZS_BUF_INIT;
	int rc = 0;

	if (details->n == 2) {
		p->made = zs_span_str(details->v[1]);
		if (needs_comment(p) && mend_comment(p, details->v[0], &mended, err) < 0)
			rc = -1;
	}
	if (mended.n)
		p->text = zs_buf_span(&mended);
	if (rc == 0)
		rc = add_program(w, p, current, err);
	zs_buf_fini(&mended);
	return rc;
}

static int is_named_zone(struct zs_span zone)
{
	return zone.n > 0 && zone.p[0] != '+' && zone.p[0] != '-' && !zs_span_eq(zone, zs_span_str("SYSTEM"));
}

static int add_one(struct sql_writer *w, const struct kind *k, struct zs_span name, struct zs_span current, struct zs_err *err)
{
	const struct zs_span names[] = {w->d->database, name};
	struct zs_strings details = {0};
	struct sql_result r = {0};
	struct program p;
	int rc = -1;

	if (sql_define_ask(w, k->show, names, &r, err) < 0)
		return -1;
	if (!sql_result_next(&r)) {
		(void)zs_fail(err, ZS_SOURCE, "the server does not show it");
		goto out;
	}
	p = (struct program){.text = column(&r, k->text), .sql_mode = column(&r, "sql_mode"), .zone = column(&r, "time_zone"),
	    .client = column(&r, "character_set_client"), .connection = column(&r, "collation_connection"), .database = column(&r, "Database Collation")};
	if (w->d->out_named_zones && is_named_zone(p.zone))
		*w->d->out_named_zones = 1;
	if (ask_details(w, k, name, &p, &details, err) == 0)
		rc = add_detailed(w, &p, &details, current, err);
out:
	sql_result_fini(&r);
	zs_strings_fini(&details);
	return rc;
}

/* Each of the names; what cannot be had is left out and named. */
static int add_all(struct sql_writer *w, const struct kind *k, const struct zs_strings *list, struct zs_span current, struct zs_err *err)
{
	for (size_t i = 0; i < list->n; i++) {
		struct zs_span name = zs_span_str(list->v[i]);
		size_t before = w->out->n;
		struct zs_err why = {0};

		if (add_one(w, k, name, current, &why) == 0)
			continue;
		w->out->n = before;
		if (why.cause != ZS_SOURCE) {
			*err = why;
			return -1;
		}
		if (sql_define_leave_out(w, k->name, name, &why, err) < 0)
			return -1;
	}
	return 0;
}

static int add_kind(struct sql_writer *w, const struct kind *k, const char *question, struct zs_span current, struct zs_err *err)
{
	struct zs_span second = w->d->stream == SQL_TABLE_TRIGGERS ? w->d->table : zs_span_str(k->name);
	const struct zs_span names[] = {w->d->database, w->d->database, second, second};
	struct sql_result r = {0};
	struct zs_strings list = {0};
	int rc;

	if (sql_define_ask(w, question, names, &r, err) < 0)
		return -1;
	rc = sql_define_list(&r, &list, err);
	sql_result_fini(&r);
	if (rc == 0)
		rc = add_all(w, k, &list, current, err);
	zs_strings_fini(&list);
	return rc;
}

static int add_kinds(struct sql_writer *w, const struct kind *kinds, size_t n, const char *question, struct zs_err *err)
{
	struct zs_buf current = ZS_BUF_INIT;
	size_t before = w->out->n;
	int rc = database_collation(w, &current, err);

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_kind(w, &kinds[i], question, zs_buf_span(&current), err);
	zs_buf_fini(&current);
	return rc < 0 ? -1 : add_end(w, before, err);
}

int sql_define_program_routines(struct sql_writer *w, struct zs_err *err)
{
	static const char details[] = "SELECT ROUTINE_COMMENT, '' FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = '? AND BINARY ROUTINE_SCHEMA = '? "
				      "AND ROUTINE_NAME = '? AND ROUTINE_TYPE = '?";
	static const struct kind kinds[] = {
	    {"FUNCTION", "SHOW CREATE FUNCTION `?.`?", "Create Function", details},
	    {"PROCEDURE", "SHOW CREATE PROCEDURE `?.`?", "Create Procedure", details},
	    {"PACKAGE", "SHOW CREATE PACKAGE `?.`?", "Create Package", details},
	    {"PACKAGE BODY", "SHOW CREATE PACKAGE BODY `?.`?", "Create Package Body", details},
	};

	return add_kinds(w, kinds, w->conn->version >= 100300 ? 4 : 2,
	    "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = '? AND BINARY ROUTINE_SCHEMA = '? AND ROUTINE_TYPE = '? "
	    "ORDER BY CAST(ROUTINE_NAME AS BINARY)", err);
}

int sql_define_program_triggers(struct sql_writer *w, struct zs_err *err)
{
	static const struct kind kind = {"trigger", "SHOW CREATE TRIGGER `?.`?", "SQL Original Statement", NULL};

	return add_kinds(w, &kind, 1,
	    "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = '? AND BINARY EVENT_OBJECT_SCHEMA = '? AND EVENT_OBJECT_TABLE = '? AND BINARY EVENT_OBJECT_TABLE = '? "
	    "ORDER BY ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER, CAST(TRIGGER_NAME AS BINARY)", err);
}

int sql_define_program_events(struct sql_writer *w, struct zs_err *err)
{
	static const struct kind kind = {"event", "SHOW CREATE EVENT `?.`?", "Create Event",
	    "SELECT EVENT_COMMENT, IF(EXECUTE_AT IS NULL AND ENDS IS NULL, '', UNIX_TIMESTAMP(CREATED)) FROM information_schema.EVENTS "
	    "WHERE EVENT_SCHEMA = '? AND BINARY EVENT_SCHEMA = '? AND EVENT_NAME = '?"};

	return add_kinds(w, &kind, 1,
	    "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = '? AND BINARY EVENT_SCHEMA = '? ORDER BY CAST(EVENT_NAME AS BINARY)", err);
}
