/*
 * A crash after every change that init, two backups, forget and prune make in the repository: what is left is valid,
 * each snapshot that was finished comes out as it went in, and work goes on, also with a local cache that knows more
 * than the repository does.  And a backup that is interrupted keeps what it stored.
 */
#include "crash_help.h"

/* How many changes had been made when each step was over. */
static struct {
	struct zs_backend *mem, *rec;
	struct crash_cache cache; /* of the client that did all this */
	uint64_t inited, day1, day2, forgotten, end;
} history;

static struct zs_backend *replay(uint64_t changes)
{
	struct zs_backend *be = zs_backend_mem_new();
	struct zs_err err = {0};

	assert_non_null(be);
	if (zs_backend_record_replay(history.rec, changes, be, &err) < 0)
		fail_msg("%s", err.text);
	return be;
}

static int make_history(void **state)
{
	struct zs_collect_report r;
	struct zs_store *st;
	struct zs_err err = {0};

	if (crash_setup(state) != 0)
		return -1;
	history.mem = zs_backend_mem_new();
	history.rec = zs_backend_record_new(history.mem);
	history.cache = crash_cache_new();
	assert_int_equal(crash_init(history.rec, &err), 0);
	history.inited = zs_backend_record_count(history.rec);
	st = crash_open(history.rec, &history.cache);
	crash_day1();
	(void)crash_backup(st, "day1", NULL);
	history.day1 = zs_backend_record_count(history.rec);
	crash_day2();
	(void)crash_backup(st, "day2", NULL);
	history.day2 = zs_backend_record_count(history.rec);
	assert_true(crash_objects(history.rec, ZS_OBJ_PACK) > 6);
	assert_int_equal(crash_try_forget(st, &err), 0);
	history.forgotten = zs_backend_record_count(history.rec);
	if (crash_try_collect(st, &r, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(r.packs_deleted > 0 && r.packs_repacked > 0);
	history.end = zs_backend_record_count(history.rec);
	zs_store_free(st);
	return 0;
}

static int end_history(void **state)
{
	zs_backend_free(history.rec);
	zs_backend_free(history.mem);
	return crash_teardown(state);
}

/* Which snapshots may and must be there. */
static void assert_seen(uint64_t changes, unsigned seen)
{
	/* The last change of a backup ends its session; the snapshot is there before. */
	if (changes >= history.day1 && changes <= history.day2)
		assert_true(seen & 1);
	if (changes >= history.day2)
		assert_true(seen & 2);
	if (changes >= history.forgotten)
		assert_false(seen & 1);
	if (changes < history.day1 - 1)
		assert_int_equal(seen, 0);
	if (changes < history.day2 - 1)
		assert_false(seen & 2);
}

static void test_before_there_is_a_repository(void **state)
{
	(void)state;
	assert_true(history.inited > 1);
	for (uint64_t n = 0; n < history.inited; n++) {
		struct zs_backend *be = replay(n);
		struct crash_cache cache = crash_cache_new();
		struct zs_store *st = NULL;
		struct zs_err err = {0};

		assert_int_equal(crash_try_open(be, &cache, &st, &err), -1);
		/* Key slots without a config: also what is left of a repository that lost it. */
		assert_int_equal(err.cause, n == 0 ? ZS_NOTFOUND : ZS_CORRUPT);
		assert_non_null(strstr(err.text, "config"));
		zs_backend_free(be);
	}
}

static void test_every_prefix(void **state)
{
	(void)state;
	for (uint64_t n = history.inited; n <= history.end; n++) {
		struct zs_backend *be = replay(n);
		struct crash_cache cache = crash_cache_new();

		assert_seen(n, crash_sound(be));
		crash_usable(be, &cache, "day2");
		zs_backend_free(be);
		crash_remove(cache.dir);
	}
}

/* Storage that lost the last changes: the cache of the client says more than there is. */
static void test_every_prefix_with_a_cache_that_is_ahead(void **state)
{
	(void)state;
	for (uint64_t n = history.inited; n <= history.end; n++) {
		struct zs_backend *be = replay(n);
		struct crash_cache cache = crash_cache_new();
		char command[192];

		(void)snprintf(command, sizeof(command), "cp -a '%s' '%s'", history.cache.dir, cache.dir);
		crash_sh(command);
		crash_usable(be, &cache, "day2");
		zs_backend_free(be);
		crash_remove(cache.dir);
	}
}

/* --------------------------------------------------------------------- interrupted */

#define BULK 40
#define BULK_BYTES 300000

/* More than what is on its way at any time. */
static void make_bulk(void)
{
	char path[32];

	assert_int_equal(mkdir("bulk", 0700), 0);
	for (uint32_t i = 0; i < BULK; i++) {
		(void)snprintf(path, sizeof(path), "bulk/%02u", i);
		crash_write_random(path, 1000 + i, BULK_BYTES);
	}
}

struct interrupt {
	uint64_t after;
	_Atomic uint64_t done;
};

static void on_progress(void *ctx, const struct zs_progress *p)
{
	((struct interrupt *)ctx)->done = p->bytes;
}

static int stop_after(void *ctx)
{
	return ((struct interrupt *)ctx)->done >= ((struct interrupt *)ctx)->after;
}

/* Whatever was said to be done when the wish to stop came is not stored again. */
static void test_interrupted_keeps_what_it_stored(void **state)
{
	const struct crash_run healthy = {.path = "bulk"};
	struct zs_backend *be = replay(history.inited);
	struct crash_cache cache = crash_cache_new();
	struct zs_store *st = crash_open(be, &cache);
	uint64_t whole;

	(void)state;
	make_bulk();
	whole = crash_backup(st, "bulk", &healthy).added_bytes;
	zs_store_free(st);
	zs_backend_free(be);
	for (uint64_t after = 1; after < BULK * BULK_BYTES / 2; after += 5 * BULK_BYTES) {
		struct interrupt interrupt = {.after = after};
		const struct zs_observer observer = {.ctx = &interrupt, .stop = stop_after, .progress = on_progress};
		const struct crash_run stopped = {.threads = 1, .observer = &observer, .path = "bulk"};
		struct zs_backup_report r;
		struct zs_err err = {0};

		be = replay(history.inited);
		cache = crash_cache_new();
		st = crash_open(be, &cache);
		assert_int_equal(crash_try_backup(st, "bulk", &stopped, &r, &err), -1);
		assert_int_equal(err.cause, ZS_STOPPED);
		assert_true(interrupt.done >= after);
		assert_int_equal(crash_objects(be, ZS_OBJ_SESSION), 0);
		assert_int_equal(crash_objects(be, ZS_OBJ_SNAPSHOT), 0);
		assert_int_equal(crash_sound(be), 0);
		zs_store_free(st);
		/* another client: what counts is in the repository */
		crash_remove(cache.dir);
		st = crash_open(be, &cache);
		r = crash_backup(st, "bulk", &healthy);
		assert_true(r.added_bytes + interrupt.done <= whole);
		zs_store_free(st);
		assert_int_equal(crash_sound(be), 2);
		zs_backend_free(be);
	}
}

/* A backup that is killed: packs that an index object names are found again. */
static void test_killed_keeps_what_it_published(void **state)
{
	uint64_t whole = 0, last = 0;

	(void)state;
	for (uint64_t n = history.inited; n < history.day1; n++) {
		struct zs_backend *be = replay(n);
		struct crash_cache cache = crash_cache_new();
		struct zs_store *st = crash_open(be, &cache);
		struct zs_backup_report r = crash_backup(st, "day2", NULL);

		whole = n == history.inited ? r.added_bytes : whole;
		if (last > 0)
			assert_true(r.added_bytes <= last);
		last = r.added_bytes;
		zs_store_free(st);
		zs_backend_free(be);
		crash_remove(cache.dir);
	}
	assert_true(last < whole / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_before_there_is_a_repository),
	    cmocka_unit_test(test_every_prefix),
	    cmocka_unit_test(test_every_prefix_with_a_cache_that_is_ahead),
	    cmocka_unit_test(test_interrupted_keeps_what_it_stored),
	    cmocka_unit_test(test_killed_keeps_what_it_published),
	};

	return cmocka_run_group_tests(tests, make_history, end_history);
}
