/*
 * Failure at every operation: of init, of a whole backup, of forget.  Afterwards the repository holds the old state or
 * the new one, whatever is listed is complete, and the next backup works, also with the cache of the one that failed.
 */
#include "store_help.h"

#define OLD 30 /* chunks of the snapshot that was there before */
#define NEW 60 /* chunks 10 .. 69 of the new one */

struct base { struct zs_backend *mem, *rec; uint64_t changes; };

static struct base base_make(void)
{
	struct base b = {.mem = zs_backend_mem_new()};
	struct zs_store *st;

	b.rec = zs_backend_record_new(b.mem);
	assert_int_equal(help_try_init(b.rec, &err), 0);
	st = help_open(b.rec, NULL);
	help_backup(st, "old", 0, OLD);
	zs_store_free(st);
	b.changes = zs_backend_record_count(b.rec);
	return b;
}

static struct zs_backend *base_copy(const struct base *b, uint64_t changes)
{
	struct zs_backend *be = zs_backend_mem_new();

	assert_int_equal(zs_backend_record_replay(b->rec, changes, be, &err), 0);
	return be;
}

static void base_fini(struct base *b)
{
	zs_backend_free(b->rec);
	zs_backend_free(b->mem);
}

/* What a later user finds.  cache: of the run that failed. */
static void assert_sound(struct zs_backend *be, const char *cache, int must_have_new, int may_be_torn)
{
	struct zs_store *st = help_open(be, NULL);
	size_t damaged, n = help_snapshots(st, &damaged);
	struct zs_txn *txn;

	assert_true(n == 1 || n == 2);
	assert_true(n == 2 || !must_have_new);
	assert_true(damaged == 0 || may_be_torn);
	help_read_all(st, 0, OLD);
	if (n == 2)
		help_read_all(st, 10, NEW);
	zs_store_free(st);
	st = help_open(be, cache);
	help_read_all(st, 0, OLD);
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &txn, &err), 0);
	help_put(txn, 10, NEW);
	assert_int_equal(zs_store_commit(&txn, &err), 0);
	help_read_all(st, 0, 10 + NEW);
	zs_store_free(st);
}

static int backup_once(struct zs_backend *be, const char *cache)
{
	struct zs_name name;
	struct zs_store *st;
	struct zs_err e = {0};
	int rc;

	if (help_try_open(be, cache, &st, &e) < 0) {
		assert_true(e.cause != ZS_OK && e.text[0]);
		return -1;
	}
	rc = help_try_backup(st, "new", 10, NEW, &name, &e);
	assert_true(rc == 0 || (e.cause != ZS_OK && e.text[0]));
	zs_store_free(st);
	return rc;
}

static void backup_sweep(enum zs_fault_mode mode, enum zs_cause cause)
{
	struct base b = base_make();
	uint64_t n;
	int fired = 1;

	for (n = 0; fired; n++) {
		struct zs_backend *mem = base_copy(&b, b.changes), *bad = zs_backend_faulty_new(mem, n, mode, cause);
		char cache[64];
		int rc;

		help_fresh_dir(cache);
		rc = backup_once(bad, cache);
		fired = zs_backend_faulty_fired(bad);
		assert_true(fired || rc == 0);
		zs_backend_free(bad);
		assert_sound(mem, cache, rc == 0, mode == ZS_FAULT_TORN);
		zs_backend_free(mem);
	}
	assert_true(n > 30);
	base_fini(&b);
}

static void test_backup_fails_once(void **state)
{
	(void)state;
	backup_sweep(ZS_FAULT_ONCE, ZS_IO);
}

static void test_backup_crashes(void **state)
{
	(void)state;
	backup_sweep(ZS_FAULT_LOST, ZS_NOSPACE);
}

static void test_backup_is_torn(void **state)
{
	(void)state;
	backup_sweep(ZS_FAULT_TORN, ZS_IO);
}

/* Every state that storage goes through, as left by a power failure between two changes. */
static void test_every_prefix(void **state)
{
	struct base b = base_make();
	uint64_t all;
	char cache[64];

	(void)state;
	help_fresh_dir(cache);
	assert_int_equal(backup_once(b.rec, cache), 0);
	all = zs_backend_record_count(b.rec);
	assert_true(all > b.changes + 5);
	for (uint64_t n = b.changes; n <= all; n++) {
		struct zs_backend *be = base_copy(&b, n);

		help_fresh_dir(cache);
		assert_sound(be, cache, n == all, 0);
		zs_backend_free(be);
	}
	base_fini(&b);
}

static void test_init_fails(void **state)
{
	static const enum zs_fault_mode modes[] = {ZS_FAULT_ONCE, ZS_FAULT_LOST, ZS_FAULT_TORN};

	(void)state;
	for (size_t m = 0; m < 3; m++) {
		int fired = 1;

		for (uint64_t n = 0; fired; n++) {
			struct zs_backend *mem = zs_backend_mem_new();
			struct zs_backend *bad = zs_backend_faulty_new(mem, n, modes[m], ZS_IO);
			struct zs_store *st = NULL;
			struct zs_err e = {0};
			char cache[64];
			int rc = help_try_init(bad, &e);

			fired = zs_backend_faulty_fired(bad);
			help_fresh_dir(cache);
			if (rc == 0)
				assert_int_equal(help_try_open(mem, cache, &st, &e), 0);
			else
				assert_int_equal(help_try_open(mem, cache, &st, &e), -1);
			assert_true(rc == 0 || e.cause == ZS_NOTFOUND || (m > 0 && e.cause == ZS_CORRUPT));
			/* An operation that failed once left nothing in the way. */
			if (rc < 0 && m == 0)
				assert_int_equal(help_try_init(mem, &e), 0);
			zs_store_free(st);
			zs_backend_free(bad);
			zs_backend_free(mem);
		}
	}
}

static void test_forget_fails(void **state)
{
	struct base b = base_make();
	int fired = 1;

	(void)state;
	for (uint64_t n = 0; fired; n++) {
		struct zs_backend *mem = base_copy(&b, b.changes);
		struct zs_backend *bad = zs_backend_faulty_new(mem, n, ZS_FAULT_LOST, ZS_IO);
		struct zs_names names = help_list(mem, ZS_OBJ_SNAPSHOT);
		struct zs_store *st = NULL;
		struct zs_err e = {0};
		char cache[64];
		size_t left;
		int rc = -1;

		help_fresh_dir(cache);
		if (help_try_open(bad, cache, &st, &e) == 0)
			rc = zs_store_forget(st, &names, &e);
		zs_store_free(st);
		fired = zs_backend_faulty_fired(bad);
		zs_backend_free(bad);
		/* Gone only with a record of it; a record without the deed is finished by the next forget. */
		left = help_count(mem, ZS_OBJ_SNAPSHOT);
		assert_int_equal(rc == 0, left == 0);
		assert_true(left == 1 || help_count(mem, ZS_OBJ_REMOVAL) == 1);
		st = help_open(mem, NULL);
		if (left)
			assert_int_equal(zs_store_forget(st, &names, &err), 0);
		assert_int_equal(help_snapshots(st, NULL), 0);
		zs_store_free(st);
		zs_names_fini(&names);
		zs_backend_free(mem);
	}
	base_fini(&b);
}

/* On a full disk the record of what is removed gets the room that was reserved; without a reserve it is an error. */
static void test_forget_on_a_full_disk(void **state)
{
	struct base b = base_make();
	unsigned relieved = 0, refused = 0;
	int fired = 1;

	(void)state;
	for (uint64_t n = 0; fired; n++) {
		struct zs_backend *mem = base_copy(&b, b.changes);
		struct zs_backend *bad = zs_backend_faulty_new(mem, n / 2, ZS_FAULT_ONCE, ZS_NOSPACE);
		struct zs_names names = help_list(mem, ZS_OBJ_SNAPSHOT);
		struct zs_store *st = NULL;
		struct zs_err e = {0};
		int rc = -1, had;

		had = n % 2 == 0;
		if (had)
			assert_int_equal(zs_backend_reserve_make(mem, &err), 0);
		else
			assert_true(zs_backend_reserve_release(mem, &err) >= 0);
		if (help_try_open(bad, NULL, &st, &e) == 0)
			rc = zs_store_forget(st, &names, &e);
		zs_store_free(st);
		fired = zs_backend_faulty_fired(bad);
		zs_backend_free(bad);
		if (fired && rc == 0 && had && zs_backend_reserve_release(mem, &err) == 0)
			relieved++;
		if (fired && rc < 0 && !had)
			refused++;
		assert_int_equal(rc == 0, help_count(mem, ZS_OBJ_SNAPSHOT) == 0);
		zs_names_fini(&names);
		zs_backend_free(mem);
	}
	assert_true(relieved > 0);
	assert_true(refused >= relieved);
	base_fini(&b);
}

/* After a failed append nothing but abort is possible; whichever thread comes next is told why. */
static void test_dead_transaction(void **state)
{
	struct base b = base_make();
	struct zs_backend *mem = base_copy(&b, b.changes);
	struct zs_backend *bad = zs_backend_faulty_new(mem, 25, ZS_FAULT_ONCE, ZS_NOSPACE);
	struct zs_store *st = help_open(bad, NULL);
	uint8_t bytes[HELP_CHUNK_MAX];
	struct zs_id id = help_id(st, 5000);
	struct zs_block *full;
	struct zs_txn *txn;
	struct zs_name name;
	struct zs_err first = {0}, e = {0};
	unsigned n;
	uint32_t added;

	(void)state;
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &txn, &err), 0);
	assert_int_equal(help_try_put(txn, 1000, 200, &n, &first), -1);
	assert_int_equal(first.cause, ZS_NOSPACE);
	assert_int_equal(zs_store_put(txn, ZS_KIND_TEXT, &id, help_chunk(5000, bytes), &added, &full, &e), -1);
	assert_int_equal(e.cause, ZS_NOSPACE);
	assert_string_equal(e.text, first.text);
	assert_int_equal(zs_store_flush(txn, &full, &e), -1);
	assert_int_equal(zs_store_publish(txn, &e), -1);
	assert_int_equal(help_try_snapshot(txn, "new", 1000, NULL, NULL, &name, &e), -1);
	zs_store_abort(&txn);
	assert_int_equal(help_count(mem, ZS_OBJ_SESSION), 0);
	assert_int_equal(help_count(mem, ZS_OBJ_SNAPSHOT), 1);
	zs_store_free(st);
	zs_backend_free(bad);
	zs_backend_free(mem);
	base_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_backup_fails_once),
	    cmocka_unit_test(test_backup_crashes),
	    cmocka_unit_test(test_backup_is_torn),
	    cmocka_unit_test(test_every_prefix),
	    cmocka_unit_test(test_init_fails),
	    cmocka_unit_test(test_forget_fails),
	    cmocka_unit_test(test_forget_on_a_full_disk),
	    cmocka_unit_test(test_dead_transaction),
	};

	return cmocka_run_group_tests(tests, help_setup, help_teardown);
}
