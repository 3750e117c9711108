/* Finding snapshots and places, listing, finding messages. */
#include "work_help.h"

static struct zs_snapshot_list fake_list(const char *const hex[], const char *const hosts[], size_t n)
{
	struct zs_snapshot_list l = {calloc(n, sizeof(struct zs_snapshot_row)), n};
	char full[ZS_NAME_HEX];

	assert_non_null(l.v);
	for (size_t i = 0; i < n; i++) {
		memset(full, '0', sizeof(full));
		memcpy(full, hex[i], strlen(hex[i]));
		full[ZS_NAME_HEX - 1] = '\0';
		assert_int_equal(zs_name_parse(full, &l.v[i].name), 0);
		l.v[i].snapshot = calloc(1, sizeof(struct zs_snapshot));
		assert_non_null(l.v[i].snapshot);
		l.v[i].snapshot->host = strdup(hosts[i]);
	}
	return l;
}

static const char *const hex[] = {"abcd1", "abcd2", "0123", "ffff"};
static const char *const hosts[] = {"mail", "web", "mail", "db"};

static void expect_snapshot(const struct zs_snapshot_list *l, const char *text, int want)
{
	const struct zs_snapshot_row *row = NULL;
	struct zs_err err = {0};

	if (zs_snapshot_find(l, text, &row, &err) < 0) {
		if (want >= 0)
			fail_msg("%s: %s", text, err.text);
		assert_int_equal(err.cause, -want);
	} else {
		assert_int_equal(row - l->v, want);
	}
}

static void test_snapshots(void **state)
{
	struct zs_snapshot_list l = fake_list(hex, hosts, 4), none = {NULL, 0};
	char full[ZS_NAME_HEX], longer[ZS_NAME_HEX + 1];

	(void)state;
	expect_snapshot(&l, "latest", 3);
	expect_snapshot(&l, "latest:mail", 2);
	expect_snapshot(&l, "latest:web", 1);
	expect_snapshot(&l, "latest:nobody", -ZS_NOTFOUND);
	expect_snapshot(&l, "latest:", -ZS_USAGE);
	expect_snapshot(&l, "abcd1", 0);
	expect_snapshot(&l, "ABCD2", 1);
	expect_snapshot(&l, "abcd", -ZS_USAGE);
	expect_snapshot(&l, "0123", 2);
	expect_snapshot(&l, "012", -ZS_USAGE);
	expect_snapshot(&l, "0124", -ZS_NOTFOUND);
	expect_snapshot(&l, "", -ZS_USAGE);
	expect_snapshot(&l, "late", -ZS_USAGE);
	expect_snapshot(&l, "abcd1:x", -ZS_USAGE);
	expect_snapshot(&l, zs_name_hex(&l.v[3].name, full), 3);
	(void)snprintf(longer, sizeof(longer), "%s0", full);
	expect_snapshot(&l, longer, -ZS_USAGE);
	expect_snapshot(&none, "latest", -ZS_NOTFOUND);
	expect_snapshot(&none, "abcd", -ZS_NOTFOUND);
	zs_snapshot_list_fini(&l);
}

static void expect_place(const struct zs_snapshot_list *l, const char *text, int want, const char *path)
{
	const struct zs_snapshot_row *row = NULL;
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};

	if (zs_place_find(l, text, &row, &out, &err) < 0) {
		assert_int_equal(err.cause, -want);
		assert_int_equal(out.n, 0);
	} else {
		assert_int_equal(row - l->v, want);
		assert_true(zs_span_eq(zs_buf_span(&out), zs_span_str(path)));
	}
	zs_buf_fini(&out);
}

static void test_places(void **state)
{
	struct zs_snapshot_list l = fake_list(hex, hosts, 4);

	(void)state;
	expect_place(&l, "latest", 3, "");
	expect_place(&l, "latest:", 3, "");
	expect_place(&l, "latest:/", 3, "");
	expect_place(&l, "latest:mail", 2, "");
	expect_place(&l, "latest:mail:", 2, "");
	expect_place(&l, "latest:mail:/var//mail/./x/", 2, "var/mail/x");
	expect_place(&l, "latest:mail:a:b", 2, "a:b");
	expect_place(&l, "latest:var/mail", 3, "var/mail");
	expect_place(&l, "latest:cur/1.M2:2,S", 3, "cur/1.M2:2,S");
	expect_place(&l, "latest:/mail", 3, "mail");
	expect_place(&l, "abcd1", 0, "");
	expect_place(&l, "abcd1:x/1:2,S", 0, "x/1:2,S");
	expect_place(&l, "abcd1:../../x", 0, "x");
	expect_place(&l, "abcd", -ZS_USAGE, "");
	expect_place(&l, "abcd:x", -ZS_USAGE, "");
	expect_place(&l, "9999:x", -ZS_NOTFOUND, "");
	zs_snapshot_list_fini(&l);
}

/* ----------------------------------------------------------------------- listing */

static struct zs_backend *be;
static struct zs_store *st;
static struct zs_store_reader *reader;
static struct zs_id root;

static const struct help_file files[] = {
    {.path = "a"},
    {.path = "a/b"},
    {.path = "a/b/c"},
    {.path = "a/b/c/file", .seed = 1, .bytes = 10},
    {.path = "a/b-c", .seed = 2, .bytes = 3},
    {.path = "a-b"},
    {.path = "a.b", .seed = 3, .bytes = 2000, .message_id = "one@x"},
    {.path = "b", .seed = 4, .bytes = 1, .message_id = "two@x"},
    {.path = "c"},
    {.path = "c/d", .seed = 5, .bytes = 9, .message_id = "one@x"},
    {.path = "empty"},
    {.path = "lost/and/found", .seed = 6, .bytes = 1},
    {.path = "lost/things", .seed = 7, .bytes = 1},
};

static int collect(void *ctx, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	return zs_buf_printf(
	    ctx, err, "%.*s%s ", (int)path.n, (const char *)path.p, e->kind == ZS_ENTRY_DIR ? "/" : "");
}

static int stop_at_once(void *ctx, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	(void)path;
	(void)e;
	++*(unsigned *)ctx;
	return zs_fail(err, ZS_STOPPED, "enough");
}

static int setup_tree(void **state)
{
	struct help_writer w;
	struct zs_err err = {0};

	(void)state;
	be = help_repo();
	st = help_open(be);
	w = help_begin(st);
	root = help_tree(&w, files, sizeof(files) / sizeof(*files));
	(void)help_finish(&w, "mail", &root);
	if (zs_store_reader_new(st, 1 << 20, &reader, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

static int teardown_tree(void **state)
{
	(void)state;
	zs_store_reader_free(reader);
	zs_store_free(st);
	zs_backend_free(be);
	return 0;
}

static void expect_list(const char *path, unsigned flags, const char *want)
{
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};

	if (zs_list(reader, &root, zs_span_str(path), flags, collect, &out, &err) < 0) {
		assert_int_equal(err.cause, ZS_NOTFOUND);
		assert_null(want);
	} else {
		assert_non_null(want);
		assert_int_equal(zs_buf_add_u8(&out, 0, &err), 0);
		assert_string_equal((char *)out.p, want);
	}
	zs_buf_fini(&out);
}

static void test_list(void **state)
{
	(void)state;
	expect_list("", 0, "a/ a-b/ a.b b c/ empty/ lost/ ");
	expect_list("a", 0, "a/b/ a/b-c ");
	expect_list("a/b", 0, "a/b/c/ ");
	expect_list("a/b", ZS_LIST_SELF, "a/b/ ");
	expect_list("a", ZS_LIST_RECURSIVE, "a/b/ a/b/c/ a/b/c/file a/b-c ");
	expect_list("a.b", 0, "a.b ");
	expect_list("a.b", ZS_LIST_SELF, "a.b ");
	expect_list("a.b", ZS_LIST_RECURSIVE, "a.b ");
	expect_list("empty", 0, "");
	expect_list("empty", ZS_LIST_RECURSIVE, "");
	expect_list("", ZS_LIST_RECURSIVE,
	    "a/ a/b/ a/b/c/ a/b/c/file a/b-c a-b/ a.b b c/ c/d empty/ lost/and/found lost/things ");
	expect_list("lost", 0, "lost/and/ lost/things ");
	expect_list("lost", ZS_LIST_RECURSIVE, "lost/and/found lost/things ");
	expect_list("lost", ZS_LIST_SELF, NULL);
	expect_list("", ZS_LIST_SELF, NULL);
	expect_list("nothing", 0, NULL);
	expect_list("zzz", 0, NULL);
	expect_list("a/b/c/file/x", 0, NULL);
	expect_list("a/", 0, NULL);
}

static void test_list_stops(void **state)
{
	unsigned calls = 0;
	struct zs_err err;

	(void)state;
	for (unsigned flags = 0; flags < 2; flags++) {
		assert_int_equal(zs_list(reader, &root, zs_span_str("a"), flags, stop_at_once, &calls, &err), -1);
		assert_int_equal(err.cause, ZS_STOPPED);
	}
	assert_int_equal(zs_list(reader, &root, zs_span_str("b"), 0, stop_at_once, &calls, &err), -1);
	assert_int_equal(zs_list(reader, &root, zs_span_str("lost"), 0, stop_at_once, &calls, &err), -1);
	assert_int_equal(calls, 4);
	assert_int_equal(zs_find_message(reader, &root, zs_span_str("two@x"), stop_at_once, &calls, &err), -1);
	assert_int_equal(err.cause, ZS_STOPPED);
}

static void expect_message(const char *id, const char *want)
{
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};

	assert_int_equal(zs_find_message(reader, &root, zs_span_str(id), collect, &out, &err), 0);
	assert_int_equal(zs_buf_add_u8(&out, 0, &err), 0);
	assert_string_equal((char *)out.p, want);
	zs_buf_fini(&out);
}

static void test_find_message(void **state)
{
	struct zs_err err;

	(void)state;
	expect_message("one@x", "a.b c/d ");
	expect_message("<two@x>", "b ");
	expect_message("three@x", "");
	expect_message("one@", "");
	assert_int_equal(zs_find_message(reader, &root, zs_span_str(" <> "), collect, NULL, &err), -1);
	assert_int_equal(err.cause, ZS_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_snapshots),
	    cmocka_unit_test(test_places),
	    cmocka_unit_test_setup_teardown(test_list, setup_tree, teardown_tree),
	    cmocka_unit_test_setup_teardown(test_list_stops, setup_tree, teardown_tree),
	    cmocka_unit_test_setup_teardown(test_find_message, setup_tree, teardown_tree),
	};

	return cmocka_run_group_tests(tests, help_setup, help_teardown);
}
