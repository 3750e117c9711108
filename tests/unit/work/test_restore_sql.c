/* A MariaDB source's streams as one script: order, choice, what the head says, and scripts that cannot be completed. */
#include "work_help.h"

#include <fcntl.h>

struct stream { const char *path, *text; }; /* in path order; no text: a directory */

struct fixture {
	struct zs_backend *be;
	struct zs_store *st;
	struct zs_id root;
	int is_partial;
};

static void add_entry(struct zs_tree_builder *b, const struct stream *s, uint64_t wrong)
{
	struct zs_entry e = {.kind = s->text ? ZS_ENTRY_FILE : ZS_ENTRY_DIR, .date_ns = INT64_MIN, .item_date_ns = INT64_MIN};
	struct zs_buf encoded = ZS_BUF_INIT;
	struct zs_err err = {0};

	if (s->text) {
		e.inline_data = zs_span_str(s->text);
		e.size = e.inline_data.n;
		e.sum = zs_hash64(0, e.inline_data) + wrong;
	}
	if (zs_format_entry_encode(&e, &encoded, &err) < 0 || zs_tree_builder_add(b, zs_span_str(s->path), zs_buf_span(&encoded), &err) < 0)
		fail_msg("%s: %s", s->path, err.text);
	zs_buf_fini(&encoded);
}

/* wrong: the path of a stream whose checksum is not its content's. */
static struct fixture make(const struct stream *streams, size_t n, const char *wrong)
{
	struct fixture f = {.be = help_repo()};
	struct zs_tree_builder *b;
	struct help_writer w;
	struct zs_totals totals;
	struct zs_err err = {0};

	f.st = help_open(f.be);
	w = help_begin(f.st);
	const struct zs_tree_io io = {.ctx = &w, .put = help_put_node};

	assert_int_equal(zs_tree_builder_new(&io, 1, &b, &err), 0);
	for (size_t i = 0; i < n; i++)
		add_entry(b, &streams[i], wrong && strcmp(wrong, streams[i].path) == 0);
	if (zs_tree_builder_finish(b, &f.root, &totals, &err) < 0)
		fail_msg("%s", err.text);
	zs_tree_builder_free(b);
	(void)help_finish(&w, "host", &f.root);
	return f;
}

static void unmake(struct fixture *f)
{
	zs_store_free(f->st);
	zs_backend_free(f->be);
}

static int stop_at_once(void *ctx)
{
	(void)ctx;
	return 1;
}

/* The script, or as much as was written; the result of zs_restore_sql. */
static int script(const struct fixture *f, const char *what, const struct zs_observer *o, char *out, size_t size, struct zs_err *err)
{
	struct zs_strings list = {0};
	struct zs_sql_restore s = {.root = f->root, .prefix = zs_span_str("sql"), .what = &list, .observer = o, .is_partial = f->is_partial};
	int fd = zs_temp_file("/tmp", err), rc;
	ssize_t n;

	assert_true(fd >= 0);
	if (what)
		assert_int_equal(zs_strings_add(&list, zs_span_str(what), err), 0);
	rc = zs_restore_sql(f->st, &s, fd, err);
	n = pread(fd, out, size - 1, 0);
	assert_true(n >= 0 && (size_t)n < size - 1);
	out[n] = 0;
	(void)close(fd);
	zs_strings_fini(&list);
	return rc;
}

static const struct stream all[] = {
    {"sql", NULL},
    {"sql/accounts-tables.sql", "[raw]"},
    {"sql/accounts.sql", "[accounts]\n"},
    {"sql/databases", NULL},
    {"sql/databases/a", NULL},
    {"sql/databases/a/database.sql", "[a]\n"},
    {"sql/databases/a/events.sql", "[a events]\n"},
    {"sql/databases/a/routines.sql", "[a routines]\n"},
    {"sql/databases/a/sequences.sql", "[a sequences]\n"},
    {"sql/databases/a/tables", NULL},
    {"sql/databases/a/tables/b.t", NULL},
    {"sql/databases/a/tables/b.t/definition.sql", "[a b.t]\n"},
    {"sql/databases/a/tables/b.t/rows.sql", "[a b.t rows]\n"},
    {"sql/databases/a/tables/t", NULL},
    {"sql/databases/a/tables/t/definition.sql", "[a t]\n"},
    {"sql/databases/a/tables/t/rows.sql", "[a t rows]\n"},
    {"sql/databases/a/tables/t/triggers.sql", "[a t triggers]\n"},
    {"sql/databases/a/view-placeholders.sql", "[a placeholders]\n"},
    {"sql/databases/a/views.sql", "[a views]\n"},
    {"sql/databases/a.b", NULL},
    {"sql/databases/a.b/database.sql", "[a.b]\n"},
    {"sql/databases/a.b/tables", NULL},
    {"sql/databases/a.b/tables/t", NULL},
    {"sql/databases/a.b/tables/t/definition.sql", "[a.b t]\n"},
    {"sql/databases/x%2Fy", NULL},
    {"sql/databases/x%2Fy/database.sql", "[x/y]\n"},
    {"sql/databases/x%2Fy/tables", NULL},
    {"sql/databases/x%2Fy/tables/%2E%2E", NULL},
    {"sql/databases/x%2Fy/tables/%2E%2E/definition.sql", "[x/y ..]\n"},
    {"sql/databases/x%2Fy/tables/%2E%2E/rows.sql", "[x/y .. rows]\n"},
    {"sql/summary.json", "{\"totals\":{\"failed\":0},\"needs\":{\"max_allowed_packet\":77},\"tables\":[{\"rows\":5}],\"warnings\":[\"line\\nDROP\"]}"},
};
#define COUNT(x) (sizeof(x) / sizeof *(x))

/* What stands in brackets, one after the other, with USE, DROP and COMMIT between. */
static void check_pieces(const char *text, const char *want)
{
	char got[4096] = "";

	text = strstr(text, "autocommit = 0;\n");
	assert_non_null(text);
	for (const char *line = strchr(text, '\n') + 1, *end; (end = strchr(line, '\n')); line = end + 1) {
		if (strncmp(line, "-- zstore: ", 11) == 0)
			break;
		if (strncmp(line, "COMMIT", 6) == 0 || strncmp(line, "[", 1) == 0 || strncmp(line, "USE", 3) == 0 || strncmp(line, "DROP", 4) == 0)
			(void)strncat(got, line, (size_t)(end - line + 1));
	}
	assert_string_equal(got, want);
}

static int is_complete(const char *text)
{
	static const char last[] = "\n-- zstore: complete\n";
	size_t n = strlen(text);

	return n >= sizeof last && strcmp(text + n - (sizeof last - 1), last) == 0;
}

static void test_order(void **state)
{
	struct fixture f = make(all, COUNT(all), NULL);
	char text[16384];
	struct zs_err err = {0};

	(void)state;
	if (script(&f, NULL, NULL, text, sizeof text, &err) < 0)
		fail_msg("%s", err.text);
	check_pieces(text,
	    "[a]\n[a.b]\n[x/y]\n"
	    "USE `a`;\n[a sequences]\n"
	    "[a b.t]\n[a t]\nUSE `a.b`;\n[a.b t]\nUSE `x/y`;\n[x/y ..]\n"
	    "USE `a`;\n[a b.t rows]\nCOMMIT;\n[a t rows]\nCOMMIT;\nUSE `x/y`;\n[x/y .. rows]\nCOMMIT;\n"
	    "USE `a`;\n[a routines]\n[a placeholders]\n[a views]\n[a t triggers]\n[a events]\n"
	    "[accounts]\nCOMMIT;\n");
	assert_true(is_complete(text));
	assert_null(strstr(text, "[raw]"));
	assert_memory_equal(text, "/*M!999999\\- enable the sandbox mode */\n", 40);
	unmake(&f);
}

static void test_choice(void **state)
{
	static const struct { const char *what, *want; } cases[] = {
	    {"a.t", "[a]\nUSE `a`;\n[a sequences]\nDROP TABLE IF EXISTS `t`;\n[a t]\n[a t rows]\nCOMMIT;\n[a t triggers]\nCOMMIT;\n"},
	    /* both ways to read it that are there */
	    {"a.b.t", "[a]\n[a.b]\nUSE `a`;\n[a sequences]\nDROP TABLE IF EXISTS `b.t`;\n[a b.t]\nUSE `a.b`;\nDROP TABLE IF EXISTS `t`;\n[a.b t]\nUSE `a`;\n[a b.t rows]\nCOMMIT;\nCOMMIT;\n"},
	    /* a database of exactly that name, not the table b.t's beginning */
	    {"a.b", "[a.b]\nUSE `a.b`;\n[a.b t]\nCOMMIT;\n"},
	    {"x/y", "[x/y]\nUSE `x/y`;\n[x/y ..]\n[x/y .. rows]\nCOMMIT;\nCOMMIT;\n"},
	    {"x/y...", "[x/y]\nUSE `x/y`;\nDROP TABLE IF EXISTS `..`;\n[x/y ..]\n[x/y .. rows]\nCOMMIT;\nCOMMIT;\n"},
	};
	static const char *const absent[] = {"b", "a.u", "A", "a.", "", "x%2Fy"};
	struct fixture f = make(all, COUNT(all), NULL);
	char text[16384];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct zs_err err = {0};

		if (script(&f, cases[i].what, NULL, text, sizeof text, &err) < 0)
			fail_msg("%s: %s", cases[i].what, err.text);
		check_pieces(text, cases[i].want);
		assert_true(is_complete(text));
	}
	for (size_t i = 0; i < COUNT(absent); i++) {
		struct zs_err err = {0};

		assert_int_equal(script(&f, absent[i], NULL, text, sizeof text, &err), -1);
		assert_int_equal(err.cause, ZS_NOTFOUND);
		assert_string_equal(text, ""); /* found out before anything is written */
	}
	unmake(&f);
}

#ifdef HAVE_JANSSON
static void test_head(void **state)
{
	static const struct stream failed[] = {{"sql", NULL}, {"sql/summary.json", "{\"totals\":{\"failed\":2},\"x\":\"a\\n\\u0007b\"}"}};
	static const struct stream broken[] = {{"sql", NULL}, {"sql/summary.json", "{\"totals\":"}};
	struct fixture f = make(all, COUNT(all), NULL);
	char text[16384];
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(script(&f, NULL, NULL, text, sizeof text, &err), 0);
	assert_non_null(strstr(text, "\n-- needs.max_allowed_packet: 77\n"));
	assert_null(strstr(text, "PARTIAL"));
	assert_null(strstr(text, "DROP")); /* elements of lists are left out */
	unmake(&f);

	f = make(failed, COUNT(failed), NULL);
	assert_int_equal(script(&f, NULL, NULL, text, sizeof text, &err), 0);
	assert_non_null(strstr(text, "\n-- PARTIAL: not all could be read"));
	assert_false(is_complete(text));
	assert_non_null(strstr(text, "\n-- zstore: incomplete: "));
	assert_non_null(strstr(text, "\n-- x: a  b\n"));
	unmake(&f);

	f = make(broken, COUNT(broken), NULL);
	assert_int_equal(script(&f, NULL, NULL, text, sizeof text, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_false(is_complete(text));
	unmake(&f);
}
#endif

/* The source ended before its summary: the script of what there is says so. */
static void test_broken_off(void **state)
{
	struct fixture f = make(all, COUNT(all) - 1, NULL);
	char text[16384];
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(script(&f, NULL, NULL, text, sizeof text, &err), 0);
	assert_non_null(strstr(text, "\n-- PARTIAL: reading the server broke off"));
	assert_false(is_complete(text));
	assert_non_null(strstr(text, "\n-- zstore: incomplete: "));
	/* rows are stored only if all were read: that table is whole; of the other nobody knows */
	assert_int_equal(script(&f, "a.t", NULL, text, sizeof text, &err), 0);
	assert_non_null(strstr(text, "\n-- zstore: incomplete: "));
	assert_int_equal(script(&f, "a.b.t", NULL, text, sizeof text, &err), -1);
	assert_int_equal(err.cause, ZS_NOTFOUND);
	assert_string_equal(text, "");
	unmake(&f);
}

#ifdef HAVE_JANSSON
/* A single table that is not whole must not take another one's place; databases come, and say that they are not complete. */
static void test_partial(void **state)
{
	static const struct stream streams[] = {
	    {"sql", NULL},
	    {"sql/databases", NULL},
	    {"sql/databases/a", NULL},
	    {"sql/databases/a/database.sql", "[a]\n"},
	    {"sql/databases/a/tables", NULL},
	    {"sql/databases/a/tables/empty", NULL},
	    {"sql/databases/a/tables/empty/definition.sql", "[empty]\n"},
	    {"sql/databases/a/tables/lost", NULL},
	    {"sql/databases/a/tables/lost/definition.sql", "[lost]\n"},
	    {"sql/databases/a/tables/lost/triggers.sql", "[lost triggers]\n"},
	    {"sql/summary.json", "{\"totals\":{\"failed\":1},\"retried\":[{\"db\":\"a\",\"table\":\"lost\"}],\"tables\":[{\"db\":\"a\",\"table\":\"empty\",\"rows\":0}]}"},
	};
	struct fixture f = make(streams, COUNT(streams), NULL);
	char text[16384];
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(script(&f, "a.lost", NULL, text, sizeof text, &err), -1);
	assert_int_equal(err.cause, ZS_NOTFOUND);
	assert_non_null(strstr(err.text, "a.lost is not complete"));
	assert_string_equal(text, "");
	zs_err_clear(&err);
	assert_int_equal(script(&f, "a.empty", NULL, text, sizeof text, &err), 0);
	check_pieces(text, "[a]\nUSE `a`;\nDROP TABLE IF EXISTS `empty`;\n[empty]\nCOMMIT;\n");
	assert_non_null(strstr(text, "\n-- zstore: incomplete: "));
	assert_int_equal(script(&f, "a", NULL, text, sizeof text, &err), 0);
	assert_non_null(strstr(text, "[lost]\n"));
	assert_null(strstr(text, "DROP TABLE"));
	assert_false(is_complete(text));
	unmake(&f);
}
#endif

/* Another source's trouble, as far as one knows: said, too. */
static void test_partial_snapshot(void **state)
{
	struct fixture f = make(all, COUNT(all), NULL);
	char text[16384];
	struct zs_err err = {0};

	(void)state;
	f.is_partial = 1;
	assert_int_equal(script(&f, NULL, NULL, text, sizeof text, &err), 0);
	assert_non_null(strstr(text, "\n-- PARTIAL: something is missing in the snapshot"));
	assert_non_null(strstr(text, "\n-- zstore: incomplete: "));
	assert_false(is_complete(text));
	unmake(&f);
}

static void test_not_completed(void **state)
{
	const struct zs_observer stopping = {.stop = stop_at_once};
	struct zs_strings none = {0};
	struct fixture f = make(all, COUNT(all), "sql/databases/a/tables/t/rows.sql");
	struct zs_sql_restore s = {.root = f.root, .prefix = zs_span_str("sql"), .what = &none};
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	char text[16384];
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(script(&f, NULL, NULL, text, sizeof text, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_non_null(strstr(err.text, "sql/databases/a/tables/t/rows.sql"));
	assert_false(is_complete(text));
	zs_err_clear(&err);
	assert_int_equal(script(&f, "a.b", NULL, text, sizeof text, &err), 0); /* another one's damage does not matter */
	assert_int_equal(script(&f, "a.b", &stopping, text, sizeof text, &err), -1);
	assert_int_equal(err.cause, ZS_STOPPED);
	assert_false(is_complete(text));
	zs_err_clear(&err);
	s.prefix = zs_span_str("elsewhere");
	assert_true(full >= 0);
	assert_int_equal(zs_restore_sql(f.st, &s, full, &err), -1);
	assert_int_equal(err.cause, ZS_NOTFOUND);
	unmake(&f);

	f = make(all, COUNT(all), NULL);
	s = (struct zs_sql_restore){.root = f.root, .prefix = zs_span_str("sql"), .what = &none};
	zs_err_clear(&err);
	assert_int_equal(zs_restore_sql(f.st, &s, full, &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	(void)close(full);
	unmake(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_choice),
#ifdef HAVE_JANSSON
		cmocka_unit_test(test_head),
#endif
		cmocka_unit_test(test_broken_off),
#ifdef HAVE_JANSSON
		cmocka_unit_test(test_partial),
#endif
		cmocka_unit_test(test_partial_snapshot),
		cmocka_unit_test(test_not_completed),
	};

	return cmocka_run_group_tests(tests, help_setup, help_teardown);
}
