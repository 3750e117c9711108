/* The staged layout: what a .meta file adds to its message, and what it must not break. */
#include "util.h"

#include "../../../src/source/source_private.h"

static void fill_with(const char *meta, struct walk *w, struct zs_buf *storage)
{
	put_file("7.eml", "Subject: x\n\n");
	if (meta)
		put_file("7.meta", meta);
	assert_int_equal(walk_open(w, "."), 0);
	walk_to(w, "7.eml");
	assert_int_equal(zs_buf_add(storage, "before", 6, &w->err), 0);
	assert_int_equal(zs_source_fill(w->item.handle, &w->item.entry, storage, &w->err), 0);
}

static void test_complete(void **state)
{
	struct zs_buf storage = ZS_BUF_INIT;
	struct walk w = {0};
	int64_t when;

	(void)state;
	fill_with("{\"id\": 1370, \"folder\": \"Inbox/B\\u00fcro\", \"flags\": [\"flagged\", \"seen\"],"
		  " \"tags\": [\"a b\"],"
		  " \"date\": \"2024-07-09T07:10:32Z\", \"size\": 7382}", &w, &storage);
#ifdef HAVE_JANSSON
	assert_int_equal(zs_time_parse("2024-07-09T07:10:32Z", &when, &w.err), 0);
	assert_true(w.item.entry.flags & ZS_ENTRY_HAS_ITEM);
	assert_int_equal(w.item.entry.item_id, 1370);
	assert_int_equal(w.item.entry.item_date_ns, when);
	assert_true(zs_span_eq(w.item.entry.item_folder, zs_span_str("Inbox/B\xc3\xbcro")));
	assert_true(zs_span_eq(w.item.entry.item_flags, zs_span("flagged\0seen", 12)));
	assert_true(zs_span_eq(w.item.entry.item_tags, zs_span_str("a b")));
	assert_memory_equal(storage.p, "before", 6);
	walk_to(&w, "7.meta"); /* an entry like any other */
	assert_int_equal(zs_source_fill(w.item.handle, &w.item.entry, &storage, &w.err), 0);
	assert_false(w.item.entry.flags & ZS_ENTRY_HAS_ITEM);
#else
	(void)when;
	assert_false(w.item.entry.flags & ZS_ENTRY_HAS_ITEM);
#endif
	walk_close(&w);
	zs_buf_fini(&storage);
}

static void check_ignored(const char *meta)
{
	struct zs_buf storage = ZS_BUF_INIT;
	struct walk w = {0};

	fill_with(meta, &w, &storage);
	assert_false(w.item.entry.flags & ZS_ENTRY_HAS_ITEM);
	assert_int_equal(w.item.entry.item_folder.n, 0);
	assert_int_equal(w.problems.n, 0);
	walk_close(&w);
	zs_buf_fini(&storage);
}

static void test_malformed(void **state)
{
	static const char *const bad[] = {NULL, "", "{", "[]", "1", "{}", "{\"id\": -1}", "{\"id\": \"1\"}",
	    "{\"id\": 1.5}",
	    "{\"id\": 99999999999999999999999}", "{\"id\": 1, \"folder\": 2}", "{\"id\": 1, \"flags\": \"seen\"}",
	    "{\"id\": 1, \"flags\": [\"seen\", 1]}", "{\"id\": 1, \"date\": \"yesterday\"}", "{\"id\": 1, \"date\": 5}",
	    "{\"id\": 1, \"id\": 2}", "{\"id\": 1, \"folder\": \"a\\u0000b\"}", "{\"id\": 1} x", "\xff\xfe"};
	char *large = malloc(STAGED_META_MAX + 2);

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		check_ignored(bad[i]);
	memset(large, ' ', STAGED_META_MAX + 1);
	memcpy(large, "{\"id\": 1}", 9);
	large[STAGED_META_MAX + 1] = 0;
	check_ignored(large);
#ifdef HAVE_JANSSON
	{
		struct zs_buf storage = ZS_BUF_INIT;
		struct walk w = {0};

		large[STAGED_META_MAX] = 0;
		fill_with(large, &w, &storage); /* exactly the largest */
		assert_true(w.item.entry.flags & ZS_ENTRY_HAS_ITEM);
		assert_int_equal(w.item.entry.item_date_ns, INT64_MIN);
		walk_close(&w);
		zs_buf_fini(&storage);
	}
#endif
	free(large);
}

/* Neither a directory nor a link nor a fifo of that name is read. */
static void test_odd_siblings(void **state)
{
	(void)state;
	assert_int_equal(mkdir("7.meta", 0755), 0);
	check_ignored(NULL);
	assert_int_equal(rmdir("7.meta"), 0);
	put_file("real", "{\"id\": 1}");
	assert_int_equal(symlink("real", "7.meta"), 0);
	check_ignored(NULL);
	assert_int_equal(unlink("7.meta"), 0);
	assert_int_equal(mkfifo("7.meta", 0644), 0);
	check_ignored(NULL);
}

static void test_names(void **state)
{
	char out[ZS_COMPONENT_MAX + 2], name[ZS_COMPONENT_MAX + 1];

	(void)state;
	assert_true(staged_is_message(zs_span_str("1.eml")));
	assert_false(staged_is_message(zs_span_str(".eml")));
	assert_false(staged_is_message(zs_span_str("1.EML")));
	assert_false(staged_is_message(zs_span_str("eml")));
	memset(name, 'x', sizeof name);
	memcpy(name + 250, ".eml", 5);
	assert_int_equal(staged_sibling(zs_span_str(name), out), 0);
	assert_string_equal(out + 250, ".meta");
	memset(name, 'x', sizeof name);
	memcpy(name + 251, ".eml", 5);
	assert_int_equal(staged_sibling(zs_span_str(name), out), -1); /* no such name can be */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
	const struct CMUnitTest tests[] = {T(test_complete), T(test_malformed), T(test_odd_siblings), T(test_names)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
