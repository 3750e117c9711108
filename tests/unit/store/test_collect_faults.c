/* A collection that fails, dies or is torn at each operation in turn: what is kept stays, and the next one finishes. */
#include "collect_help.h"

static struct zs_backend *base;

static int make_base(void **state)
{
	struct zs_store *st;

	/* Hundreds of local indexes are made and closed: in memory, if there is such a place. */
	if (access("/dev/shm", W_OK) == 0)
		strcpy(help_root, "/dev/shm/zs-XXXXXX");
	if (help_setup(state) < 0)
		return -1;
	base = help_repo();
	st = help_open(base, NULL);
	collect_make(st);
	zs_store_free(st);
	return 0;
}

static int free_base(void **state)
{
	zs_backend_free(base);
	return help_teardown(state);
}

/* Sessions of the dead are ended by hand: the process that announced them, this one, is alive. */
static void expect_whole(struct zs_backend *be, const char *cache)
{
	struct zs_store *st;
	struct zs_collect_report r;

	collect_end_sessions(be);
	st = help_open(be, cache);
	collect_read_kept(st);
	r = collect(st);
	assert_int_equal(r.packs_condemned, 0);
	collect_read_kept(st);
	assert_int_equal(collect_check(st), 0);
	assert_int_equal(help_count(be, ZS_OBJ_CONDEMNED), 0);
	assert_int_equal(help_count(be, ZS_OBJ_SESSION), 0);
	zs_store_free(st);
}

/* 1 if operation n of the collection was reached. */
static int one_fault(uint64_t n, enum zs_fault_mode mode, enum zs_cause cause, unsigned *out_succeeded)
{
	struct zs_backend *be = collect_copy(base),
			  *count = zs_backend_faulty_new(be, UINT64_MAX, ZS_FAULT_ONCE, ZS_IO), *bad;
	struct zs_collect_report r = {0};
	struct zs_store *st;
	char cache[64];
	int fired;

	/* Opening costs operations too, always as many. */
	st = help_open(count, NULL);
	bad = zs_backend_faulty_new(be, zs_backend_faulty_count(count) + n, mode, cause);
	zs_store_free(st);
	zs_backend_free(count);
	help_fresh_dir(cache);
	st = help_open(bad, cache);
	if (collect_try(st, &r, &err) == 0)
		++*out_succeeded;
	fired = zs_backend_faulty_fired(bad);
	zs_names_fini(&r.sessions);
	zs_store_free(st);
	/* With the local index as it was left, and with none. */
	expect_whole(be, n % 2 ? cache : NULL);
	zs_backend_free(bad);
	zs_backend_free(be);
	return fired;
}

static void sweep(enum zs_fault_mode mode, enum zs_cause cause, unsigned *out_succeeded)
{
	uint64_t n = 0;

	*out_succeeded = 0;
	while (one_fault(n, mode, cause, out_succeeded))
		n++;
	assert_true(n > 50);
}

static void test_fails_once(void **state)
{
	unsigned succeeded;

	(void)state;
	sweep(ZS_FAULT_ONCE, ZS_IO, &succeeded);
	/* Only what happens after all is done may fail without being told: making the reserve. */
	assert_true(succeeded >= 1 && succeeded <= 3);
}

static void test_dies(void **state)
{
	unsigned succeeded;

	(void)state;
	sweep(ZS_FAULT_LOST, ZS_IO, &succeeded);
}

static void test_torn(void **state)
{
	uint64_t n = 0;

	/* Half a metadata object under its name is damage, which a prune refuses: whoever finds it may delete it. */
	(void)state;
	for (int fired = 1; fired; n++) {
		struct zs_backend *be = collect_copy(base), *bad = zs_backend_faulty_new(be, n, ZS_FAULT_TORN, ZS_IO);
		struct zs_collect_report r = {0};
		struct zs_store *st;
		char cache[64];

		help_fresh_dir(cache);
		if (help_try_open(bad, cache, &st, &err) == 0) {
			(void)!collect_try(st, &r, &err);
			zs_names_fini(&r.sessions);
			zs_store_free(st);
		}
		fired = zs_backend_faulty_fired(bad);
		st = help_open(be, cache);
		collect_read_kept(st);
		zs_store_free(st);
		zs_backend_free(bad);
		zs_backend_free(be);
	}
	assert_true(n > 50);
}

/* Every state that the backend was in, as a crash of everything at that moment would leave it. */
static void test_every_prefix(void **state)
{
	struct zs_backend *be = collect_copy(base), *rec = zs_backend_record_new(be);
	struct zs_store *st = help_open(rec, NULL);
	uint64_t count;

	(void)state;
	(void)collect(st);
	count = zs_backend_record_count(rec);
	assert_true(count > 10);
	for (uint64_t n = 0; n <= count; n++) {
		struct zs_backend *at = collect_copy(base);

		if (zs_backend_record_replay(rec, n, at, &err) < 0)
			fail_msg("%s", err.text);
		expect_whole(at, NULL);
		zs_backend_free(at);
	}
	zs_store_free(st);
	zs_backend_free(rec);
	zs_backend_free(be);
}

/* A full disk at any one operation: the reserve is given back where something is put, and what is dead goes. */
static void test_disk_full_once(void **state)
{
	unsigned succeeded;

	(void)state;
	sweep(ZS_FAULT_ONCE, ZS_NOSPACE, &succeeded);
	assert_true(succeeded >= 5);
}

/* A local repository that has no byte left but its reserve: wholly dead packs can be freed. */
static void test_reserve_used(void **state)
{
	struct zs_backend *be = collect_copy(base),
			  *count = zs_backend_faulty_new(be, UINT64_MAX, ZS_FAULT_ONCE, ZS_IO), *bad;
	struct zs_collect_report r;
	struct zs_store *st = help_open(count, NULL);
	struct zs_txn *txn;
	uint64_t before = zs_backend_faulty_count(count);
	size_t packs = help_count(be, ZS_OBJ_PACK);

	(void)state;
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &txn, &err), 0); /* its first operation is the session */
	zs_store_abort(&txn);
	zs_store_free(st);
	zs_backend_free(count);
	bad = zs_backend_faulty_new(be, before, ZS_FAULT_ONCE, ZS_NOSPACE);
	st = help_open(bad, NULL);
	assert_int_equal(zs_backend_reserve_make(be, &err), 0);
	r = collect(st);
	assert_true(zs_backend_faulty_fired(bad));
	assert_true(r.packs_deleted > 0);
	assert_true(help_count(be, ZS_OBJ_PACK) < packs);
	assert_int_equal(zs_backend_reserve_release(be, &err), 1); /* it was made again */
	collect_read_kept(st);
	zs_store_free(st);
	zs_backend_free(bad);
	zs_backend_free(be);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fails_once),
	    cmocka_unit_test(test_dies),
	    cmocka_unit_test(test_torn),
	    cmocka_unit_test(test_every_prefix),
	    cmocka_unit_test(test_disk_full_once),
	    cmocka_unit_test(test_reserve_used),
	};

	return cmocka_run_group_tests(tests, make_base, free_base);
}
