/*
 * Programs: routines, triggers, events.  Each is written with the settings that it was made under, as its text is kept in the
 * character set of whoever made it.
 */
#include "sql_define_private.h"

#include <stdio.h>
#include <string.h>

struct program { /* borrowed from a result */
	struct zs_span text, sql_mode, zone, client, connection, database;
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

/* Can a client that speaks UTF-8 read it? */
int sql_define_program_is_plain(struct zs_span client, struct zs_span text)
{
	int is_plain = 1;

	if (client.n >= 4 && memcmp(client.p, "utf8", 4) == 0)
		return 1;
	for (size_t i = 0; i < text.n; i++)
		is_plain &= text.p[i] < 0x80;
	return is_plain;
}

/*
 * The text as a string that the server takes apart: the client, which drops comments and carriage returns from statements and
 * knows nothing of character sets whose characters may end in a backslash, leaves strings alone.  It is read under the script's
 * own sql_mode, before the program's is set.
 */
int sql_define_program_string(struct sql_writer *w, struct zs_span client, struct zs_span text, struct zs_err *err)
{
	int is_plain = sql_define_program_is_plain(client, text);

	if (zs_buf_printf(w->out, err, "SET @zs_program = _%.*s%s", (int)client.n, (const char *)client.p, is_plain ? "'" : " 0x") < 0)
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
	if (sql_define_program_string(w, p->client, p->text, err) < 0 || add_settings(w, p, err) < 0)
		return -1;
	return sql_define_add(w, "EXECUTE IMMEDIATE @zs_program;\nSET character_set_client = utf8mb4, sql_mode = 'NO_AUTO_VALUE_ON_ZERO';\n", err);
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
	if ((is_moved && add_database(w, p->database, err) < 0) || add_statement(w, p, err) < 0)
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

struct kind { const char *name, *show, *text; };

static int add_one(struct sql_writer *w, const struct kind *k, struct zs_span name, struct zs_span current, struct zs_err *err)
{
	const struct zs_span names[] = {w->d->database, name};
	struct sql_result r = {0};
	struct program p;
	int rc;

	if (sql_define_ask(w, k->show, names, &r, err) < 0)
		return -1;
	if (!sql_result_next(&r)) {
		rc = zs_fail(err, ZS_SOURCE, "the server does not show it");
	} else {
		p = (struct program){column(&r, k->text), column(&r, "sql_mode"), column(&r, "time_zone"), column(&r, "character_set_client"),
		    column(&r, "collation_connection"), column(&r, "Database Collation")};
		if (p.zone.n > 0 && p.zone.p[0] != '+' && p.zone.p[0] != '-' && !zs_span_eq(p.zone, zs_span_str("SYSTEM")) && w->d->out_named_zones)
			*w->d->out_named_zones = 1;
		rc = add_program(w, &p, current, err);
	}
	sql_result_fini(&r);
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
	static const struct kind kinds[] = {
	    {"FUNCTION", "SHOW CREATE FUNCTION `?.`?", "Create Function"},
	    {"PROCEDURE", "SHOW CREATE PROCEDURE `?.`?", "Create Procedure"},
	    {"PACKAGE", "SHOW CREATE PACKAGE `?.`?", "Create Package"},
	    {"PACKAGE BODY", "SHOW CREATE PACKAGE BODY `?.`?", "Create Package Body"},
	};

	return add_kinds(w, kinds, w->conn->version >= 100300 ? 4 : 2,
	    "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = '? AND BINARY ROUTINE_SCHEMA = '? AND ROUTINE_TYPE = '? "
	    "ORDER BY CAST(ROUTINE_NAME AS BINARY)", err);
}

int sql_define_program_triggers(struct sql_writer *w, struct zs_err *err)
{
	static const struct kind kind = {"trigger", "SHOW CREATE TRIGGER `?.`?", "SQL Original Statement"};

	return add_kinds(w, &kind, 1,
	    "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = '? AND BINARY EVENT_OBJECT_SCHEMA = '? AND EVENT_OBJECT_TABLE = '? AND BINARY EVENT_OBJECT_TABLE = '? "
	    "ORDER BY ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER, CAST(TRIGGER_NAME AS BINARY)", err);
}

int sql_define_program_events(struct sql_writer *w, struct zs_err *err)
{
	static const struct kind kind = {"event", "SHOW CREATE EVENT `?.`?", "Create Event"};

	return add_kinds(w, &kind, 1,
	    "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = '? AND BINARY EVENT_SCHEMA = '? ORDER BY CAST(EVENT_NAME AS BINARY)", err);
}
