/*
 * Every operation of the backend failing in a backup and in a prune: once, for good, with half an object left. The call
 * fails cleanly or succeeds, what was there before is whole, and a run on the healthy backend, also with the local
 * cache of the run that failed, works.
 */
#include "crash_help.h"

struct base {
	struct zs_backend *mem, *rec;
	uint64_t day1, day2, forgotten;
};

static struct base base; /* day 1, day 2, day 1 forgotten */

static struct zs_backend *replay(uint64_t changes)
{
	struct zs_backend *be = zs_backend_mem_new();
	struct zs_err err = {0};

	assert_non_null(be);
	if (zs_backend_record_replay(base.rec, changes, be, &err) < 0)
		fail_msg("%s", err.text);
	return be;
}

static int make_base(void **state)
{
	struct crash_cache cache;
	struct zs_store *st;
	struct zs_err err = {0};

	if (crash_setup(state) != 0)
		return -1;
	base.mem = zs_backend_mem_new();
	base.rec = zs_backend_record_new(base.mem);
	cache = crash_cache_new();
	assert_int_equal(crash_init(base.rec, &err), 0);
	st = crash_open(base.rec, &cache);
	crash_day1();
	(void)crash_backup(st, "day1", NULL);
	base.day1 = zs_backend_record_count(base.rec);
	crash_day2();
	(void)crash_backup(st, "day2", NULL);
	base.day2 = zs_backend_record_count(base.rec);
	assert_int_equal(crash_try_forget(st, &err), 0);
	base.forgotten = zs_backend_record_count(base.rec);
	zs_store_free(st);
	return 0;
}

static int end_base(void **state)
{
	zs_backend_free(base.rec);
	zs_backend_free(base.mem);
	return crash_teardown(state);
}

/* ------------------------------------------------------------------------ sweeps */

/* One run on a backend that fails. 0 done, -1 failed. */
typedef int attempt_fn(struct zs_store *st, struct zs_err *err);

static int attempt_backup(struct zs_store *st, struct zs_err *err)
{
	struct zs_backup_report r;

	return crash_try_backup(st, "day2", NULL, &r, err);
}

static int attempt_prune(struct zs_store *st, struct zs_err *err)
{
	struct zs_collect_report r;

	return crash_try_collect(st, &r, err);
}

static int attempt(attempt_fn *fn, struct zs_backend *bad, const struct crash_cache *cache)
{
	struct zs_store *st = NULL;
	struct zs_err err = {0};
	int rc = crash_try_open(bad, cache, &st, &err);

	if (rc == 0)
		rc = fn(st, &err);
	assert_true(rc == 0 || (err.cause != ZS_OK && err.cause != ZS_INTERNAL && err.text[0]));
	zs_store_free(st);
	return rc;
}

struct sweep {
	attempt_fn *fn;
	uint64_t from;       /* state before, in changes */
	unsigned had, makes; /* snapshots there before; made by success */
	enum zs_fault_mode mode;
	enum zs_cause cause;
};

/* What a failed run left: nothing lost; then, with its cache, the same again where nothing fails. */
static void assert_recovers(
    const struct sweep *s, uint64_t n, struct zs_backend *mem, const struct crash_cache *cache, int rc)
{
	unsigned seen = crash_sound(mem);
	struct zs_store *st;

	assert_int_equal(seen & s->had, s->had);
	assert_true(rc < 0 || (seen & s->makes) == s->makes);
	if (n % 4 == 0) { /* thorough, and costly */
		crash_usable(mem, cache, "day2");
		return;
	}
	st = crash_open(mem, cache);
	crash_end_sessions(st);
	assert_int_equal(attempt(s->fn, mem, cache), 0);
	crash_check(st);
	zs_store_free(st);
}

/* Returns how many operations failed. */
static uint64_t sweep(const struct sweep *s)
{
	uint64_t failed = 0, last = UINT64_MAX;
	int fired = 1;

	for (uint64_t n = 0; fired; n++) {
		struct zs_backend *mem = replay(s->from), *rec = zs_backend_record_new(mem);
		struct zs_backend *bad = zs_backend_faulty_new(rec, n, s->mode, s->cause);
		struct crash_cache cache = crash_cache_new();
		uint64_t changes;
		int rc;

		assert_non_null(bad);
		rc = attempt(s->fn, bad, &cache);
		fired = zs_backend_faulty_fired(bad);
		assert_true(fired || rc == 0);
		failed += rc < 0;
		changes = zs_backend_record_count(rec);
		/* Of crashes between the same two changes one is enough. */
		if (s->mode == ZS_FAULT_ONCE || changes != last)
			assert_recovers(s, n, mem, &cache, rc);
		last = changes;
		zs_backend_free(bad);
		zs_backend_free(rec);
		zs_backend_free(mem);
		crash_remove(cache.dir);
	}
	return failed;
}

static void test_backup_operation_fails_once(void **state)
{
	(void)state;
	assert_true(sweep(&(struct sweep){attempt_backup, base.day1, 1, 2, ZS_FAULT_ONCE, ZS_IO}) > 25);
}

static void test_backup_fills_the_disk(void **state)
{
	(void)state;
	assert_true(sweep(&(struct sweep){attempt_backup, base.day1, 1, 2, ZS_FAULT_LOST, ZS_NOSPACE}) > 25);
}

static void test_prune_operation_fails_once(void **state)
{
	(void)state;
	assert_true(sweep(&(struct sweep){attempt_prune, base.forgotten, 2, 2, ZS_FAULT_ONCE, ZS_IO}) > 25);
}

static void test_prune_crashes(void **state)
{
	(void)state;
	assert_true(sweep(&(struct sweep){attempt_prune, base.forgotten, 2, 2, ZS_FAULT_LOST, ZS_IO}) > 25);
}

static void test_prune_on_a_full_disk(void **state)
{
	(void)state;
	/* Where it happens while copying, what was dead is free already and the prune succeeds. */
	assert_true(sweep(&(struct sweep){attempt_prune, base.forgotten, 2, 2, ZS_FAULT_ONCE, ZS_NOSPACE}) > 5);
}

/* ------------------------------------------------- half an object under its name */

/* Every snapshot that can be read is complete, although something lies there that is damaged. */
static void assert_readable(struct zs_backend *be, unsigned had)
{
	struct crash_cache cache = crash_cache_new();
	struct zs_store *st = crash_open(be, &cache);
	struct zs_snapshot_list l = {0};
	struct zs_names damaged = {0};
	struct zs_err err = {0};
	unsigned seen = 0;

	if (zs_store_snapshots(st, &l, &damaged, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < l.n; i++) {
		crash_extract(st, l.v[i].snapshot, 2);
		seen |= strcmp(l.v[i].snapshot->tags.v[0], "day1") == 0 ? 1 : 2;
	}
	assert_int_equal(seen & had, had);
	zs_names_fini(&damaged);
	zs_snapshot_list_fini(&l);
	zs_store_free(st);
	crash_remove(cache.dir);
}

struct torn {
	unsigned puts, barred; /* a backup could not be made before it was removed */
};

static void look_at_torn(const struct sweep *s, struct zs_backend *mem, const struct crash_cache *cache, struct torn *t)
{
	t->puts++;
	assert_readable(mem, s->had);
	if (attempt(attempt_backup, mem, cache) < 0)
		t->barred++;
	else
		assert_readable(mem, s->had | 2);
}

static struct torn sweep_torn(const struct sweep *s)
{
	struct torn t = {0, 0};
	uint64_t last = 0;
	int fired = 1;

	for (uint64_t n = 0; fired; n++) {
		struct zs_backend *mem = replay(s->from), *rec = zs_backend_record_new(mem);
		struct zs_backend *bad = zs_backend_faulty_new(rec, n, ZS_FAULT_TORN, ZS_IO),
				  *without = replay(s->from);
		struct crash_cache cache = crash_cache_new();
		struct zs_err err = {0};
		uint64_t changes;

		(void)attempt(s->fn, bad, &cache);
		fired = zs_backend_faulty_fired(bad);
		changes = zs_backend_record_count(rec);
		if (fired && changes == last + 1) { /* one more than when it failed a step earlier: the half object */
			look_at_torn(s, mem, &cache, &t);
			assert_int_equal(zs_backend_record_replay(rec, changes - 1, without, &err), 0);
			assert_int_equal(crash_sound(without) & s->had, s->had);
			crash_usable(without, &cache, "day2");
		}
		last = changes;
		zs_backend_free(bad);
		zs_backend_free(rec);
		zs_backend_free(mem);
		zs_backend_free(without);
		crash_remove(cache.dir);
	}
	return t;
}

static void test_backup_is_torn(void **state)
{
	struct torn t = sweep_torn(&(struct sweep){.fn = attempt_backup, .from = base.day1, .had = 1});

	(void)state;
	assert_true(t.puts > 4); /* session, packs, index objects, snapshot */
	assert_int_equal(t.barred, 0);
}

static void test_prune_is_torn(void **state)
{
	struct torn t = sweep_torn(&(struct sweep){.fn = attempt_prune, .from = base.forgotten, .had = 2});

	(void)state;
	assert_true(t.puts > 2);
	/* While a list of condemned packs cannot be read, nobody may rely on any pack; there are at most two of them.
	 */
	assert_true(t.barred <= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_backup_operation_fails_once),
	    cmocka_unit_test(test_backup_fills_the_disk),
	    cmocka_unit_test(test_backup_is_torn),
	    cmocka_unit_test(test_prune_operation_fails_once),
	    cmocka_unit_test(test_prune_crashes),
	    cmocka_unit_test(test_prune_on_a_full_disk),
	    cmocka_unit_test(test_prune_is_torn),
	};

	return cmocka_run_group_tests(tests, make_base, end_base);
}
