/* The order and the names of an SQL script's streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "zstore/target.h"

static struct zs_sql_place place(const char *path, int want)
{
	struct zs_sql_place p;
	struct zs_err err = {0};

	memset(&p, 0, sizeof p);
	assert_int_equal(zs_sql_place_parse(zs_span_str(path), &p, &err), want);
	return p;
}

static void check(const char *path, enum zs_sql_phase phase, const char *database, const char *table)
{
	struct zs_sql_place p = place(path, 1);

	assert_int_equal(p.phase, phase);
	assert_true(zs_span_eq(zs_buf_span(&p.database), zs_span_str(database)));
	assert_true(zs_span_eq(zs_buf_span(&p.table), zs_span_str(table)));
	zs_sql_place_fini(&p);
}

static void places(void **state)
{
	(void)state;
	check("accounts.sql", ZS_SQL_ACCOUNTS, "", "");
	check("accounts-roles.sql", ZS_SQL_ROLES, "", "");
	check("databases/a/database.sql", ZS_SQL_DATABASES, "a", "");
	check("databases/a%2Fb%25/sequences.sql", ZS_SQL_SEQUENCES, "a/b%", "");
	check("databases/a/tables/%2E/definition.sql", ZS_SQL_TABLES, "a", ".");
	check("databases/a/tables/rows.sql/rows.sql", ZS_SQL_ROWS, "a", "rows.sql");
	check("databases/tables/tables/t/triggers.sql", ZS_SQL_TRIGGERS, "tables", "t");
	check("databases/a/view-placeholders.sql", ZS_SQL_PLACEHOLDERS, "a", "");
	check("databases/a%/views.sql", ZS_SQL_VIEWS, "a%", "");
	check("databases/a/view-checks.sql", ZS_SQL_VIEW_CHECKS, "a", "");
	check("databases/a/routines.sql", ZS_SQL_ROUTINES, "a", "");
	check("databases/a/events.sql", ZS_SQL_EVENTS, "a", "");
}

static void no_places(void **state)
{
	static const char *const paths[] = {"", "summary.json", "accounts-tables.sql", "accounts.sql/x", "accounts-roles.sql/x", "databases", "databases/a", "databases/a/rows.sql",
	    "databases/a/tables", "databases/a/tables/t", "databases/a/tables/t/database.sql", "databases/a/tables/t/rows.sql/x",
	    "other/a/database.sql", "databases//database.sql"};

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		(void)place(paths[i], 0);
}

static void wanted(void **state)
{
	static const struct { const char *path, *what; int want; } cases[] = {
	    {"databases/a/database.sql", "a", 1}, {"databases/a/database.sql", "b", 0}, {"databases/a/database.sql", "a.t", 1},
	    {"databases/a/sequences.sql", "a.t", 1}, {"databases/a/routines.sql", "a.t", 0}, {"databases/a/routines.sql", "a", 1},
	    {"databases/a/tables/t/rows.sql", "a.t", 1}, {"databases/a/tables/t/rows.sql", "a.tt", 0},
	    {"databases/a/tables/t.u/rows.sql", "a.t.u", 1}, {"databases/a.t/tables/u/rows.sql", "a.t.u", 1},
	    {"databases/ab/database.sql", "a", 0}, {"databases/a/database.sql", "ab", 0}, {"accounts.sql", "a", 0}, {"accounts-roles.sql", "a", 0},
	    {"databases/a/view-checks.sql", "a", 1}, {"databases/a/view-checks.sql", "a.t", 0}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct zs_sql_place p = place(cases[i].path, 1);

		if (zs_sql_place_wanted(&p, zs_span_str(cases[i].what)) != cases[i].want)
			fail_msg("%s by %s", cases[i].path, cases[i].what);
		zs_sql_place_fini(&p);
	}
}

static void around_streams(void **state)
{
	static const struct { const char *path; int replaces; const char *begin, *end; } cases[] = {
	    {"databases/a/database.sql", 0, "", ""}, {"databases/a`b/tables/t/definition.sql", 1, "USE `a``b`;\nDROP TABLE IF EXISTS `t`;\n", ""},
	    {"databases/a`b/tables/t/rows.sql", 1, "", "COMMIT;\n"}, {"databases/c/views.sql", 0, "USE `c`;\n", ""}, {"accounts.sql", 0, "", ""},
	    {"accounts-roles.sql", 0, "", ""}};
	struct zs_buf current = ZS_BUF_INIT, out = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct zs_sql_place p = place(cases[i].path, 1);
		const struct zs_sql_stream s = {&p, cases[i].replaces};

		zs_buf_clear(&out);
		assert_int_equal(zs_sql_stream_begin(&s, &current, &out, &err), 0);
		assert_true(zs_span_eq(zs_buf_span(&out), zs_span_str(cases[i].begin)));
		zs_buf_clear(&out);
		assert_int_equal(zs_sql_stream_end(&s, &out, &err), 0);
		assert_true(zs_span_eq(zs_buf_span(&out), zs_span_str(cases[i].end)));
		zs_sql_place_fini(&p);
	}
	zs_buf_fini(&current);
	zs_buf_fini(&out);
}

static void a_cut_script_can_be_told(void **state)
{
	static const char end[] = "\n-- zstore: complete\n";
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(zs_sql_script_begin(zs_span_str("-- note\n"), &out, &err), 0);
	assert_non_null(memmem(out.p, out.n, "sandbox mode", 12));
	assert_non_null(memmem(out.p, out.n, "-- note\n", 8));
	assert_non_null(memmem(out.p, out.n, "ALLOW_INVALID_DATES", 19));
	assert_non_null(memmem(out.p, out.n, "innodb_strict_mode = 0", 22));
	assert_true(memcmp(out.p + out.n - (sizeof end - 1), end, sizeof end - 1) != 0);
	assert_int_equal(zs_sql_script_end(ZS_SQL_END_COMPLETE, &out, &err), 0);
	assert_memory_equal(out.p + out.n - (sizeof end - 1), end, sizeof end - 1);
	zs_buf_clear(&out);
	assert_int_equal(zs_sql_script_end(ZS_SQL_END_PARTIAL, &out, &err), 0);
	assert_non_null(memmem(out.p, out.n, "\n-- zstore: incomplete: ", 24));
	assert_null(memmem(out.p, out.n, "zstore: complete", 16));
	zs_buf_fini(&out);
}

static void check_fact(const char *key, const char *value, const char *want)
{
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};

	assert_int_equal(zs_sql_script_fact(key, zs_span_str(value), &out, &err), 0);
	assert_true(zs_span_eq(zs_buf_span(&out), zs_span_str(want)));
	zs_buf_fini(&out);
}

static void facts(void **state)
{
	(void)state;
	check_fact("needs.max_allowed_packet", "380", "-- needs.max_allowed_packet: 380\n");
	check_fact("tables.0.rows", "5", "");
	check_fact("0", "top", "-- 0: top\n");
	check_fact("a", "x\nDROP DATABASE d;\r\x1b[m\x7f", "-- a: x DROP DATABASE d;  [m \n");
	check_fact("a\nDROP DATABASE d;", "", "-- a DROP DATABASE d;: \n");
	check_fact("totals.failed", "0", "-- totals.failed: 0\n");
	check_fact("totals.failed", "3", "-- PARTIAL: not all could be read when this was backed up; 'zstore snapshots -v' names what is missing\n-- totals.failed: 3\n");
}

/* A client that changes line ends within names must not drop the wrong table. */
static void line_ends_in_names(void **state)
{
	static const char guard[] = "USE `a`;\nEXECUTE IMMEDIATE IF(LENGTH('\r\n') = 2, 'DO 0', 'a name has a line end in it: ", drop[] = "DROP TABLE IF EXISTS `x\r\ny`;\n";
	struct zs_sql_place p = place("databases/a/tables/x%0D%0Ay/definition.sql", 1);
	struct zs_sql_stream s = {&p, 1};
	struct zs_buf current = ZS_BUF_INIT, out = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(zs_sql_stream_begin(&s, &current, &out, &err), 0);
	assert_memory_equal(out.p, guard, sizeof guard - 1);
	assert_memory_equal(out.p + out.n - (sizeof drop - 1), drop, sizeof drop - 1);
	zs_buf_clear(&out);
	s.replaces = 0; /* nothing is dropped: the definition has a guard of its own */
	assert_int_equal(zs_sql_stream_begin(&s, &current, &out, &err), 0);
	assert_int_equal(out.n, 0);
	zs_buf_fini(&current);
	zs_buf_fini(&out);
	zs_sql_place_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),
		cmocka_unit_test(no_places),
		cmocka_unit_test(wanted),
		cmocka_unit_test(around_streams),
		cmocka_unit_test(a_cut_script_can_be_told),
		cmocka_unit_test(facts),
		cmocka_unit_test(line_ends_in_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
