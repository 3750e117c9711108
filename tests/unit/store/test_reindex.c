/* The local index thrown away, damaged, or in the way; index objects lost and made again from packs. */
#include <sys/stat.h>

#include "store_help.h"

#define CHUNKS 120
#define MANY 400 /* more packs than one index object takes */

static void test_again(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);

	(void)state;
	help_backup(st, "mail", 0, CHUNKS);
	assert_int_equal(zs_store_reindex(st, 0, &err), 0);
	help_read_all(st, 0, CHUNKS);
	assert_int_equal(zs_store_reindex(st, 1, &err), 0); /* nothing to do */
	assert_int_equal(help_count(be, ZS_OBJ_SESSION), 0);
	help_read_all(st, 0, CHUNKS);
	zs_store_free(st);
	zs_backend_free(be);
}

static void test_from_packs(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL), *other;
	struct zs_names indexes, packs;
	size_t made;

	(void)state;
	help_backup(st, "mail", 0, MANY);
	indexes = help_list(be, ZS_OBJ_INDEX);
	packs = help_list(be, ZS_OBJ_PACK);
	assert_true(packs.n > STORE_INDEX_PACKS);
	/* One damaged, the others gone: only what they knew is made again, the damaged one is left for repair. */
	for (size_t i = 1; i < indexes.n; i++)
		assert_int_equal(zs_backend_delete(be, ZS_OBJ_INDEX, &indexes.v[i], &err), 0);
	help_replace(be, ZS_OBJ_INDEX, &indexes.v[0], zs_span_str("rubbish"));
	assert_int_equal(zs_store_reindex(st, 1, &err), 0);
	made = help_count(be, ZS_OBJ_INDEX);
	assert_int_equal(made, 1 + (packs.n + STORE_INDEX_PACKS - 1) / STORE_INDEX_PACKS);
	help_read_all(st, 0, MANY);
	assert_int_equal(zs_store_reindex(st, 1, &err), 0);
	assert_int_equal(help_count(be, ZS_OBJ_INDEX), made);
	other = help_open(be, NULL); /* others need no reindex */
	help_read_all(other, 0, MANY);
	zs_store_free(other);
	zs_names_fini(&indexes);
	zs_names_fini(&packs);
	zs_store_free(st);
	zs_backend_free(be);
}

/* Packs that cannot be read or are condemned are left out; what they hold is absent. */
static void test_bad_packs(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct zs_condemned c = {0};
	struct zs_names indexes, packs;
	struct zs_index_pack_info info;
	struct zs_name name;
	uint32_t ordinal;

	(void)state;
	help_backup(st, "mail", 0, MANY);
	indexes = help_list(be, ZS_OBJ_INDEX);
	packs = help_list(be, ZS_OBJ_PACK);
	assert_true(packs.n > 2);
	for (size_t i = 0; i < indexes.n; i++)
		assert_int_equal(zs_backend_delete(be, ZS_OBJ_INDEX, &indexes.v[i], &err), 0);
	help_replace(be, ZS_OBJ_PACK, &packs.v[0], zs_span_str("rubbish"));
	assert_int_equal(zs_names_add(&c.packs, &packs.v[1], &err), 0);
	assert_int_equal(records_put_condemned(st, &c, &name, &err), 0);
	help_warned.count = 0;
	assert_int_equal(zs_store_reindex(st, 1, &err), 0);
	assert_int_equal(help_warned.count, 1);
	assert_int_equal(zs_index_pack_find(st->index, &packs.v[0], &ordinal, &err), 0);
	assert_int_equal(zs_index_pack_find(st->index, &packs.v[1], &ordinal, &err), 0);
	assert_int_equal(zs_index_pack_find(st->index, &packs.v[2], &ordinal, &err), 1);
	assert_int_equal(zs_index_pack_info(st->index, ordinal, &info, &err), 0);
	assert_int_equal(zs_name_cmp(&info.writer, &zs_name_zero), 0); /* nobody can know */
	zs_names_fini(&indexes);
	zs_names_fini(&packs);
	zs_format_condemned_fini(&c);
	zs_store_free(st);
	zs_backend_free(be);
}

/* Whichever operation fails: either all is there afterwards, or the next run makes it so. */
static void test_failing(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	int failed = 0;
	uint64_t n;

	(void)state;
	help_backup(st, "mail", 0, CHUNKS);
	for (n = 0;; n++) {
		struct zs_backend *bad = zs_backend_faulty_new(be, n, ZS_FAULT_ONCE, ZS_IO);
		struct zs_names left = help_list(be, ZS_OBJ_INDEX);
		int rc, fired;

		for (size_t i = 0; i < left.n; i++)
			assert_int_equal(zs_backend_delete(be, ZS_OBJ_INDEX, &left.v[i], &err), 0);
		zs_names_fini(&left);
		st->be = bad;
		rc = zs_store_reindex(st, 1, &err);
		fired = zs_backend_faulty_fired(bad);
		st->be = be;
		zs_backend_free(bad);
		assert_true(fired || rc == 0);
		failed += rc < 0;
		assert_int_equal(zs_store_reindex(st, 1, &err), 0);
		help_read_all(st, 0, CHUNKS);
		if (!fired)
			break;
	}
	assert_true(failed > 10);
	zs_store_free(st);
	zs_backend_free(be);
}

static void end_sessions(void *ctx, const char *text)
{
	struct zs_store *st = ctx;
	struct zs_names names = help_list(st->be, ZS_OBJ_SESSION);

	(void)text;
	for (size_t i = 0; i < names.n; i++)
		assert_int_equal(zs_store_session_end(st, &names.v[i], &err), 0);
	zs_names_fini(&names);
}

/* The session ends while packs are read: an index object might name what a prune has deleted, so it is taken back. */
static void test_session_ended(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct zs_names indexes;
	struct zs_name bad = {{0xff}};

	(void)state;
	help_backup(st, "mail", 0, CHUNKS);
	indexes = help_list(be, ZS_OBJ_INDEX);
	for (size_t i = 0; i < indexes.n; i++)
		assert_int_equal(zs_backend_delete(be, ZS_OBJ_INDEX, &indexes.v[i], &err), 0);
	assert_int_equal(zs_backend_put(be, ZS_OBJ_PACK, &bad, zs_span_str("rubbish"), &err), 0); /* warned of */
	st->warn = end_sessions;
	st->warn_ctx = st;
	assert_int_equal(zs_store_reindex(st, 1, &err), -1);
	assert_int_equal(err.cause, ZS_BUSY);
	assert_int_equal(help_count(be, ZS_OBJ_INDEX), 0);
	st->warn = NULL;
	assert_int_equal(zs_store_reindex(st, 1, &err), 0);
	help_read_all(st, 0, CHUNKS);
	zs_names_fini(&indexes);
	zs_store_free(st);
	zs_backend_free(be);
}

/* An index that belongs to another repository, or is no index: begun anew. */
static void test_foreign_index(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st;
	struct zs_buf path = ZS_BUF_INIT;
	char cache[64], command[256];

	(void)state;
	help_fresh_dir(cache);
	st = help_open(be, cache);
	help_backup(st, "mail", 0, 40);
	assert_int_equal(open_cache_path(st, "index", &path, &err), 0);
	zs_store_free(st);
	snprintf(command, sizeof(command), "find '%s' -type f -exec sh -c 'echo rubbish > \"$1\"' sh {} ';'",
	    (const char *)path.p);
	assert_int_equal(system(command), 0);
	st = help_open(be, cache);
	help_read_all(st, 0, 40);
	help_backup(st, "mail", 40, 40);
	help_read_all(st, 0, 80);
	zs_store_free(st);
	zs_buf_fini(&path);
	zs_backend_free(be);
}

/* Where the cache cannot be: a clear word, and nothing left behind. */
static void test_no_cache(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st;
	struct zs_store_reader *r;
	struct zs_txn *txn;
	char cache[64];
	FILE *f;

	(void)state;
	help_fresh_dir(cache);
	f = fopen(cache, "w"); /* a file, where a directory is wanted: stops root too */
	assert_non_null(f);
	fclose(f);
	st = help_open(be, cache);
	assert_int_equal(zs_store_reader_new(st, 1, &r, &err), -1);
	assert_int_equal(err.cause, ZS_SYSTEM);
	assert_non_null(strstr(err.text, "--cache-dir"));
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &txn, &err), -1);
	assert_int_equal(err.cause, ZS_SYSTEM);
	assert_int_equal(help_count(be, ZS_OBJ_SESSION), 0);
	assert_int_equal(help_snapshots(st, NULL), 0);
	zs_store_free(st);
	zs_backend_free(be);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_again),
	    cmocka_unit_test(test_from_packs),
	    cmocka_unit_test(test_bad_packs),
	    cmocka_unit_test(test_failing),
	    cmocka_unit_test(test_session_ended),
	    cmocka_unit_test(test_foreign_index),
	    cmocka_unit_test(test_no_cache),
	};

	return cmocka_run_group_tests(tests, help_setup, help_teardown);
}
