/*
 * One loadable script of what a MariaDB source stored: which stream comes when, and what stands between them.  Pure: text
 * in, text out.
 */
#include "target_private.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ stored paths */

static int hex_digit(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A component back to the name that it stands for. */
static int decode(struct zs_span s, struct zs_buf *out, struct zs_err *err)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (c == '%' && i + 2 < s.n && hex_digit(s.p[i + 1]) >= 0 && hex_digit(s.p[i + 2]) >= 0) {
			c = (uint8_t)(hex_digit(s.p[i + 1]) * 16 + hex_digit(s.p[i + 2]));
			i += 2;
		}
		if (zs_buf_add_u8(out, c, err) < 0)
			return -1;
	}
	return 0;
}

static struct zs_span take_component(struct zs_span *rest)
{
	const uint8_t *slash = rest->n ? memchr(rest->p, '/', rest->n) : NULL;
	struct zs_span first = zs_span(rest->p, slash ? (size_t)(slash - rest->p) : rest->n);

	*rest = slash ? zs_span(slash + 1, rest->n - first.n - 1) : zs_span(NULL, 0);
	return first;
}

static int is_text(struct zs_span s, const char *text)
{
	return zs_span_eq(s, zs_span_str(text));
}

static int phase_of(struct zs_span name, int is_table)
{
	static const struct { const char *name; int is_table; enum zs_sql_phase phase; } streams[] = {
	    {"database.sql", 0, ZS_SQL_DATABASES}, {"sequences.sql", 0, ZS_SQL_SEQUENCES}, {"definition.sql", 1, ZS_SQL_TABLES},
	    {"rows.sql", 1, ZS_SQL_ROWS}, {"routines.sql", 0, ZS_SQL_ROUTINES}, {"view-placeholders.sql", 0, ZS_SQL_PLACEHOLDERS}, {"view-checks.sql", 0, ZS_SQL_VIEW_CHECKS},
	    {"views.sql", 0, ZS_SQL_VIEWS}, {"triggers.sql", 1, ZS_SQL_TRIGGERS}, {"events.sql", 0, ZS_SQL_EVENTS},
	};

	for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
		if (streams[i].is_table == is_table && is_text(name, streams[i].name))
			return streams[i].phase;
	return -1;
}

/* accounts.sql, accounts-roles.sql, databases/DB/STREAM, databases/DB/tables/TABLE/STREAM */
int zs_sql_place_parse(struct zs_span path, struct zs_sql_place *out, struct zs_err *err)
{
	struct zs_span first = take_component(&path), database, name, table = {NULL, 0};
	int phase;

	*out = (struct zs_sql_place){.phase = ZS_SQL_ACCOUNTS};
	if (is_text(first, "accounts-roles.sql"))
		out->phase = ZS_SQL_ROLES;
	if (out->phase == ZS_SQL_ROLES || is_text(first, "accounts.sql"))
		return path.n == 0;
	database = take_component(&path);
	name = take_component(&path);
	if (!is_text(first, "databases") || !database.n || !name.n)
		return 0;
	if (is_text(name, "tables") && path.n > 0) {
		table = take_component(&path);
		name = take_component(&path);
	}
	if (path.n > 0 || (phase = phase_of(name, table.n > 0)) < 0)
		return 0;
	out->phase = (enum zs_sql_phase)phase;
	if (decode(database, &out->database, err) < 0 || decode(table, &out->table, err) < 0) {
		zs_sql_place_fini(out);
		return -1;
	}
	return 1;
}

void zs_sql_place_fini(struct zs_sql_place *p)
{
	zs_buf_fini(&p->database);
	zs_buf_fini(&p->table);
}

/* Of the whole server, not of a database. */
static int is_of_all(const struct zs_sql_place *p)
{
	return p->phase == ZS_SQL_ROLES || p->phase == ZS_SQL_ACCOUNTS;
}

int zs_sql_place_wanted(const struct zs_sql_place *p, struct zs_span what)
{
	size_t n = p->database.n;

	if (is_of_all(p) || what.n < n || memcmp(what.p, p->database.p, n) != 0)
		return 0;
	if (what.n == n)
		return 1;
	if (what.p[n] != '.')
		return 0;
	if (p->phase == ZS_SQL_DATABASES || p->phase == ZS_SQL_SEQUENCES)
		return 1;
	return p->table.n > 0 && zs_span_eq(zs_span(what.p + n + 1, what.n - n - 1), zs_buf_span(&p->table));
}

/* ------------------------------------------------------------------- the text */

static int add(struct zs_buf *out, const char *text, struct zs_err *err)
{
	return zs_buf_add_span(out, zs_span_str(text), err);
}

#define FACT_MAX 300

int zs_sql_script_fact(const char *key, struct zs_span value, struct zs_buf *out, struct zs_err *err)
{
	size_t at;

	for (const char *p = key; (p = strchr(p, '.')) != NULL; p++)
		if (p[1] >= '0' && p[1] <= '9')
			return 0;
	if (strcmp(key, "totals.failed") == 0 && !is_text(value, "0") &&
	    add(out, "-- PARTIAL: not all could be read when this was backed up; 'zstore snapshots -v' names what is missing\n", err) < 0)
		return -1;
	at = out->n;
	if (zs_buf_printf(out, err, "-- %s: ", key) < 0 || zs_buf_add(out, value.p, value.n < FACT_MAX ? value.n : FACT_MAX, err) < 0)
		return -1;
	for (; at < out->n; at++)
		if (out->p[at] < 0x20 || out->p[at] == 0x7f)
			out->p[at] = ' ';
	return zs_buf_add_u8(out, '\n', err);
}

int zs_sql_script_begin(struct zs_span notes, struct zs_buf *out, struct zs_err *err)
{
	if (add(out, "/*M!999999\\- enable the sandbox mode */\n"
		     "-- Made by zstore: for 'mariadb <', as a user with all rights.  The last line says whether it is complete.\n", err) < 0 || zs_buf_add_span(out, notes, err) < 0)
		return -1;
	return add(out,
	    "SET @zs_sql_mode = @@sql_mode, @zs_time_zone = @@time_zone, @zs_foreign_key_checks = @@foreign_key_checks,\n"
	    "  @zs_unique_checks = @@unique_checks, @zs_sql_notes = @@sql_notes, @zs_autocommit = @@autocommit,\n"
	    "  @zs_sql_safe_updates = @@sql_safe_updates;\n"
	    "SET NAMES utf8mb4;\n"
	    "SET @zs_collation_connection = @@collation_connection;\n"
	    /* days that are none, and definitions that a strict server would not make today, were possible once */
	    "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES', time_zone = '+00:00', foreign_key_checks = 0,\n"
	    "  unique_checks = 0, sql_notes = 0, sql_safe_updates = 0;\n"
	    "/*M!100000 SET innodb_strict_mode = 0 */;\n"
	    "/*M!100101 SET max_statement_time = 0 */;\n"
	    "/*M!100201 SET check_constraint_checks = 0 */;\n"
	    "/*M!101100 SET system_versioning_insert_history = 1 */;\n"
	    "SET autocommit = 0;\n", err);
}

int zs_sql_script_end(enum zs_sql_end end, struct zs_buf *out, struct zs_err *err)
{
	if (add(out,
	    "COMMIT;\n"
	    "/*M!101100 SET system_versioning_insert_history = DEFAULT */;\n"
	    "/*M!100201 SET check_constraint_checks = DEFAULT */;\n"
	    "/*M!100101 SET max_statement_time = DEFAULT */;\n"
	    "/*M!100000 SET innodb_strict_mode = DEFAULT */;\n"
	    "SET sql_mode = @zs_sql_mode, time_zone = @zs_time_zone, foreign_key_checks = @zs_foreign_key_checks,\n"
	    "  unique_checks = @zs_unique_checks, sql_notes = @zs_sql_notes, autocommit = @zs_autocommit, sql_safe_updates = @zs_sql_safe_updates;\n", err) < 0)
		return -1;
	return add(out, end == ZS_SQL_END_COMPLETE ? "-- zstore: complete\n" : "-- zstore: incomplete: something is missing in the snapshot; 'zstore snapshots -v' names it\n", err);
}

static int add_name(struct zs_buf *out, const struct zs_buf *name, struct zs_err *err)
{
	if (zs_buf_add_u8(out, '`', err) < 0)
		return -1;
	for (size_t i = 0; i < name->n; i++)
		if ((name->p[i] == '`' && zs_buf_add_u8(out, '`', err) < 0) || zs_buf_add_u8(out, name->p[i], err) < 0)
			return -1;
	return zs_buf_add_u8(out, '`', err);
}

static int use(const struct zs_buf *database, struct zs_buf *current, struct zs_buf *out, struct zs_err *err)
{
	if (zs_span_eq(zs_buf_span(database), zs_buf_span(current)))
		return 0;
	zs_buf_clear(current);
	if (zs_buf_add_span(current, zs_buf_span(database), err) < 0 || add(out, "USE ", err) < 0 || add_name(out, database, err) < 0)
		return -1;
	return add(out, ";\n", err);
}

int zs_sql_stream_begin(const struct zs_sql_stream *s, struct zs_buf *current, struct zs_buf *out, struct zs_err *err)
{
	const struct zs_sql_place *p = s->place;

	if (p->phase == ZS_SQL_DATABASES || is_of_all(p))
		return 0;
	if (use(&p->database, current, out, err) < 0)
		return -1;
	if (p->phase != ZS_SQL_TABLES || !s->replaces)
		return 0;
	/* The wrong table would go if the client changed the name; what follows has a guard of its own. */
	if (p->table.n && memmem(p->table.p, p->table.n, "\r\n", 2) &&
	    add(out, "EXECUTE IMMEDIATE IF(LENGTH('\r\n') = 2, 'DO 0', 'a name has a line end in it: load this script with mariadb --binary-mode');\n", err) < 0)
		return -1;
	if (add(out, "DROP TABLE IF EXISTS ", err) < 0 || add_name(out, &p->table, err) < 0)
		return -1;
	return add(out, ";\n", err);
}

int zs_sql_stream_end(const struct zs_sql_stream *s, struct zs_buf *out, struct zs_err *err)
{
	return s->place->phase == ZS_SQL_ROWS ? add(out, "COMMIT;\n", err) : 0;
}
