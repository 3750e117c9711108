/* What a collection frees and keeps, alone and beside writers. */
#include "collect_help.h"

static void test_frees_and_keeps(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL), *other;
	struct zs_collect_report r;
	size_t before, index_objects;

	(void)state;
	collect_make(st);
	before = help_count(be, ZS_OBJ_PACK);
	r = collect(st);
	assert_int_equal(r.packs_total, before);
	assert_true(r.packs_deleted >= 2);
	assert_true(r.packs_repacked >= 1);
	assert_int_equal(r.packs_condemned, 0);
	assert_int_equal(r.sessions.n, 0);
	assert_int_equal(r.bytes_unused, 0);
	assert_int_equal(help_count(be, ZS_OBJ_CONDEMNED), 0);
	assert_int_equal(help_count(be, ZS_OBJ_SESSION), 0);
	collect_read_kept(st);
	other = help_open(be, NULL); /* with an index built from what stands there now */
	collect_read_kept(other);
	assert_int_equal(collect_check(other), 0);
	/* Once more: nothing is left to do. */
	before = help_count(be, ZS_OBJ_PACK);
	index_objects = help_count(be, ZS_OBJ_INDEX);
	r = collect(other);
	assert_int_equal(r.packs_deleted, 0);
	assert_int_equal(r.packs_repacked, 0);
	assert_int_equal(help_count(be, ZS_OBJ_PACK), before);
	assert_int_equal(help_count(be, ZS_OBJ_INDEX), index_objects);
	zs_store_free(other);
	zs_store_free(st);
	zs_backend_free(be);
}

static void test_all_gone(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct zs_name name = collect_backup(st, 0, 100);

	(void)state;
	(void)collect(st);
	help_read_all(st, 0, 100);
	collect_forget(st, &name);
	(void)collect(st);
	assert_int_equal(help_count(be, ZS_OBJ_PACK), 0);
	assert_int_equal(help_count(be, ZS_OBJ_INDEX), 0);
	name = collect_backup(st, 50, 20); /* absent now, so stored again */
	help_read_all(st, 50, 20);
	zs_store_free(st);
	zs_backend_free(be);
}

static void test_limits(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct collect_hook h = {.st = st};
	struct zs_collect_settings s = collect_settings(&h);
	struct zs_collect_report r;

	(void)state;
	collect_make(st);
	s.max_unused_bytes = UINT64_MAX;
	assert_int_equal(zs_store_collect(st, &s, &r, &err), 0);
	assert_int_equal(r.packs_repacked, 0);
	assert_true(r.packs_deleted > 0);
	assert_true(r.bytes_unused > 0);
	s.max_unused_bytes = 0;
	s.max_repack_bytes = 1;
	assert_int_equal(zs_store_collect(st, &s, &r, &err), 0);
	assert_int_equal(r.packs_repacked, 0);
	s.max_unused_bytes = r.bytes_unused + 1;
	s.max_unused_percent = 1000;
	s.max_repack_bytes = UINT64_MAX;
	assert_int_equal(zs_store_collect(st, &s, &r, &err), 0);
	assert_int_equal(r.packs_repacked, 0);
	s.max_unused_percent = 0;
	assert_int_equal(zs_store_collect(st, &s, &r, &err), 0);
	assert_true(r.packs_repacked > 0);
	assert_int_equal(r.bytes_unused, 0);
	collect_read_kept(st);
	zs_store_free(st);
	zs_backend_free(be);
}

/* Many runs with a little each leave many small packs. */
static void test_small_packs_joined(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct zs_collect_report r;

	(void)state;
	for (uint32_t i = 0; i < 20; i++)
		(void)collect_backup(st, i * 2, 2);
	assert_int_equal(help_count(be, ZS_OBJ_PACK), 20);
	r = collect(st);
	assert_int_equal(r.packs_deleted, 20);
	assert_true(help_count(be, ZS_OBJ_PACK) <= 3);
	help_read_all(st, 0, 40);
	zs_store_free(st);
	zs_backend_free(be);
}

static void test_dry_run(void **state)
{
	struct zs_backend *be = help_repo(), *rec = zs_backend_record_new(be);
	struct zs_store *st = help_open(rec, NULL);
	struct collect_hook h = {.st = st};
	struct zs_collect_settings s = collect_settings(&h);
	struct zs_collect_report dry, real;
	struct zs_names forgotten = {0};
	struct zs_name first;
	uint64_t changes;

	(void)state;
	first = collect_backup(st, 40, 80);
	(void)collect_backup(st, COLLECT_KEPT_A, COLLECT_KEPT_AN);
	(void)collect_backup(st, COLLECT_KEPT_B, COLLECT_KEPT_BN);
	assert_int_equal(zs_names_add(&forgotten, &first, &err), 0);
	changes = zs_backend_record_count(rec);
	s.dry_run = 1;
	s.forgotten = &forgotten;
	assert_int_equal(zs_store_collect(st, &s, &dry, &err), 0);
	assert_int_equal(zs_backend_record_count(rec), changes);
	assert_true(dry.packs_deleted > 0);
	collect_forget(st, &first);
	real = collect(st);
	assert_int_equal(dry.packs_deleted, real.packs_deleted);
	assert_int_equal(dry.bytes_deleted, real.bytes_deleted);
	assert_int_equal(dry.packs_repacked, real.packs_repacked);
	assert_int_equal(dry.bytes_repacked, real.bytes_repacked);
	assert_int_equal(dry.bytes_live, real.bytes_live);
	zs_names_fini(&forgotten);
	zs_store_free(st);
	zs_backend_free(rec);
	zs_backend_free(be);
}

/* ----------------------------------------------------------- beside others */

/* A writer relies on what is about to go: it is condemned only, and rescued when the writer is done. */
static void test_writer_present(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL), *w = help_open(be, NULL);
	struct zs_txn *txn, *late;
	struct zs_collect_report r;
	struct zs_name name;
	size_t packs;

	(void)state;
	collect_make(st);
	assert_int_equal(zs_store_begin(w, ZS_SESSION_WRITER, &txn, &err), 0);
	assert_int_equal(help_put(txn, 50, 20) + help_put(txn, 730, 3), 0); /* all known: nothing is stored */
	packs = help_count(be, ZS_OBJ_PACK);
	r = collect(st);
	assert_int_equal(r.packs_deleted, 0);
	assert_true(r.packs_condemned > 0);
	assert_int_equal(r.sessions.n, 1);
	assert_true(help_count(be, ZS_OBJ_PACK) >= packs);
	assert_true(help_count(be, ZS_OBJ_CONDEMNED) > 0);
	zs_names_fini(&r.sessions);
	/* One that comes later takes condemned packs for absent, and is not waited for. */
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &late, &err), 0);
	assert_int_equal(help_put(late, 710, 10), 10);
	assert_int_equal(help_try_snapshot(txn, "h-50-20", 50, NULL, NULL, &name, &err), 0);
	assert_int_equal(zs_store_commit(&txn, &err), 0);
	r = collect(w);
	assert_true(r.packs_deleted > 0);
	zs_names_fini(&r.sessions);
	help_read_all(w, 50, 20);
	assert_int_equal(help_try_snapshot(late, "h-710-10", 710, NULL, NULL, &name, &err), 0);
	assert_int_equal(zs_store_commit(&late, &err), 0);
	r = collect(st);
	zs_names_fini(&r.sessions);
	assert_int_equal(help_count(be, ZS_OBJ_CONDEMNED), 0);
	help_read_all(w, 50, 20);
	help_read_all(w, 710, 10);
	collect_read_kept(st);
	zs_store_free(w);
	w = help_open(be, NULL);
	assert_int_equal(collect_check(w), 0);
	zs_store_free(w);
	zs_store_free(st);
	zs_backend_free(be);
}

static void test_two_prunes(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct zs_collect_report r;
	struct zs_txn *txn;

	(void)state;
	collect_make(st);
	assert_int_equal(zs_store_begin(st, ZS_SESSION_PRUNE, &txn, &err), 0);
	assert_int_equal(collect_try(st, &r, &err), -1);
	assert_int_equal(err.cause, ZS_BUSY);
	assert_int_equal(help_count(be, ZS_OBJ_SESSION), 1);
	zs_store_abort(&txn);
	(void)collect(st);
	zs_store_free(st);
	zs_backend_free(be);
}

/* A whole backup that refers to what was dead runs while we are at it, from the n-th callback on. */
static void backup_between(struct collect_hook *h, const char *phase)
{
	unsigned *countdown = h->more;
	char cache[64];
	struct zs_store *w;

	(void)phase;
	if (*countdown == 0 || --*countdown > 0)
		return;
	help_fresh_dir(cache);
	w = help_open(zs_store_backend(h->st), cache);
	(void)collect_backup(w, 45, 30);
	zs_store_free(w);
}

static void test_snapshot_appears(void **state)
{
	struct zs_backend *base = help_repo();
	struct zs_store *st = help_open(base, NULL);
	unsigned runs = 0;

	(void)state;
	collect_make(st);
	zs_store_free(st);
	for (unsigned n = 1;; n++) {
		struct zs_backend *be = collect_copy(base);
		unsigned countdown = n;
		struct collect_hook h = {.at_phase = backup_between, .more = &countdown};
		struct zs_collect_settings s = collect_settings(&h);
		struct zs_collect_report r;

		st = h.st = help_open(be, NULL);
		if (zs_store_collect(st, &s, &r, &err) < 0)
			fail_msg("%u: %s", n, err.text);
		zs_names_fini(&r.sessions);
		collect_read_kept(st);
		if (countdown == 0)
			help_read_all(st, 45, 30);
		zs_store_free(st);
		st = help_open(be, NULL);
		assert_int_equal(collect_check(st), 0);
		zs_store_free(st);
		zs_backend_free(be);
		if (countdown > 0)
			break;
		runs++;
	}
	assert_true(runs > 8);
	zs_backend_free(base);
}

static void test_stopped_anywhere(void **state)
{
	struct zs_backend *base = help_repo();
	struct zs_store *st = help_open(base, NULL);
	int stopped = 1;

	(void)state;
	collect_make(st);
	zs_store_free(st);
	for (unsigned n = 1; stopped; n++) {
		struct zs_backend *be = collect_copy(base);
		struct collect_hook h = {.stop_after = n};
		struct zs_collect_settings s = collect_settings(&h);
		struct zs_collect_report r = {0};

		st = h.st = help_open(be, NULL);
		stopped = zs_store_collect(st, &s, &r, &err) < 0;
		if (stopped)
			assert_int_equal(err.cause, ZS_STOPPED);
		assert_int_equal(help_count(be, ZS_OBJ_SESSION), 0);
		collect_read_kept(st);
		(void)collect(st);
		collect_read_kept(st);
		assert_int_equal(help_count(be, ZS_OBJ_CONDEMNED), 0);
		zs_store_free(st);
		zs_backend_free(be);
	}
	zs_backend_free(base);
}

/* --------------------------------------------------------------- orphans */

/* Packs of a writer that died before it could publish their index object. */
static void leave_orphans(struct zs_backend *be)
{
	struct zs_store *st = help_open(be, NULL);
	struct zs_txn *txn;
	struct zs_names objects, before = help_list(be, ZS_OBJ_INDEX);

	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &txn, &err), 0);
	assert_true(help_put(txn, 1000, 60) > 0);
	assert_int_equal(zs_store_commit(&txn, &err), 0);
	objects = help_list(be, ZS_OBJ_INDEX);
	for (size_t i = 0; i < objects.n; i++) {
		if (!zs_names_has(&before, &objects.v[i]))
			assert_int_equal(zs_backend_delete(be, ZS_OBJ_INDEX, &objects.v[i], &err), 0);
	}
	zs_names_fini(&before);
	zs_names_fini(&objects);
	zs_store_free(st);
}

static void test_orphans(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL), *w = help_open(be, NULL);
	struct zs_txn *txn;
	struct zs_collect_report r;
	size_t packs;

	(void)state;
	collect_make(st);
	r = collect(st);
	packs = help_count(be, ZS_OBJ_PACK);
	leave_orphans(be);
	assert_true(help_count(be, ZS_OBJ_PACK) > packs);
	assert_true(collect_check(st) > 0);
	assert_int_equal(zs_store_begin(w, ZS_SESSION_WRITER, &txn, &err), 0);
	r = collect(st); /* they might be this writer's */
	assert_int_equal(r.packs_condemned, 0);
	assert_int_equal(r.packs_deleted, 0);
	assert_int_equal(zs_store_commit(&txn, &err), 0);
	r = collect(st);
	assert_true(r.packs_deleted > 0);
	assert_int_equal(help_count(be, ZS_OBJ_PACK), packs);
	assert_int_equal(collect_check(st), 0);
	collect_read_kept(st);
	zs_store_free(w);
	zs_store_free(st);
	zs_backend_free(be);
}

/* ------------------------------------------------------------------- doubt */

/* Any object that cannot be read, or a needed pack that is gone: nothing is deleted. */
static void expect_refusal(struct zs_backend *be, enum zs_cause cause)
{
	struct zs_store *st = help_open(be, NULL);
	struct zs_names packs = help_list(be, ZS_OBJ_PACK);
	size_t index_objects = help_count(be, ZS_OBJ_INDEX);
	struct zs_collect_report r;

	assert_int_equal(collect_try(st, &r, &err), -1);
	assert_int_equal(err.cause, cause);
	assert_int_equal(help_count(be, ZS_OBJ_SESSION), 0);
	assert_int_equal(help_count(be, ZS_OBJ_INDEX), index_objects);
	for (size_t i = 0; i < packs.n; i++) {
		uint64_t bytes;

		assert_int_equal(zs_backend_stat(be, ZS_OBJ_PACK, &packs.v[i], &bytes, &err), 1);
	}
	zs_names_fini(&packs);
	zs_store_free(st);
}

static void test_damage_refused(void **state)
{
	static const enum zs_object types[] = {ZS_OBJ_INDEX, ZS_OBJ_SNAPSHOT, ZS_OBJ_REMOVAL};
	struct zs_backend *base = help_repo();
	struct zs_store *st = help_open(base, NULL);

	(void)state;
	collect_make(st);
	zs_store_free(st);
	for (size_t t = 0; t < 3; t++) {
		struct zs_names names = help_list(base, types[t]);

		assert_true(names.n > 0);
		for (size_t i = 0; i < names.n; i++) {
			struct zs_backend *be = collect_copy(base);
			struct zs_buf b = help_get(be, types[t], &names.v[i]);

			b.p[b.n / 2] ^= 4;
			help_replace(be, types[t], &names.v[i], zs_buf_span(&b));
			expect_refusal(be, ZS_CORRUPT);
			zs_buf_fini(&b);
			zs_backend_free(be);
		}
		zs_names_fini(&names);
	}
	zs_backend_free(base);
}

static void test_foreign_objects_refused(void **state)
{
	static const enum zs_object types[] = {ZS_OBJ_CONDEMNED, ZS_OBJ_SESSION};
	struct zs_backend *base = help_repo();
	struct zs_store *st = help_open(base, NULL);
	struct zs_name name;

	(void)state;
	collect_make(st);
	zs_store_free(st);
	memset(&name, 0x5A, sizeof(name));
	for (size_t t = 0; t < 2; t++) {
		struct zs_backend *be = collect_copy(base);
		struct zs_names packs = help_list(be, ZS_OBJ_PACK);
		struct zs_collect_report r;

		assert_int_equal(zs_backend_put(be, types[t], &name, zs_span_str("not a box"), &err), 0);
		st = help_open(be, NULL);
		assert_int_equal(collect_try(st, &r, &err), -1);
		assert_int_equal(err.cause, ZS_CORRUPT);
		assert_int_equal(help_count(be, ZS_OBJ_PACK), packs.n);
		zs_names_fini(&packs);
		zs_store_free(st);
		zs_backend_free(be);
	}
	zs_backend_free(base);
}

static void test_missing_pack_refused(void **state)
{
	struct zs_backend *base = help_repo();
	struct zs_store *st = help_open(base, NULL);
	struct zs_names packs;
	unsigned refused = 0;

	(void)state;
	collect_make(st);
	zs_store_free(st);
	packs = help_list(base, ZS_OBJ_PACK);
	for (size_t i = 0; i < packs.n; i++) {
		struct zs_backend *be = collect_copy(base);
		struct zs_collect_report r = {0};

		assert_int_equal(zs_backend_delete(be, ZS_OBJ_PACK, &packs.v[i], &err), 0);
		st = help_open(be, NULL);
		if (collect_try(st, &r, &err) < 0) {
			/* One that is needed.  A wholly dead one may as well be missing. */
			refused++;
			assert_int_equal(err.cause, ZS_CORRUPT);
			assert_int_equal(help_count(be, ZS_OBJ_PACK), packs.n - 1);
		} else {
			collect_read_kept(st);
		}
		zs_names_fini(&r.sessions);
		zs_store_free(st);
		zs_backend_free(be);
	}
	assert_true(refused > 0 && refused < packs.n);
	zs_names_fini(&packs);
	zs_backend_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_frees_and_keeps),
	    cmocka_unit_test(test_all_gone),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_small_packs_joined),
	    cmocka_unit_test(test_dry_run),
	    cmocka_unit_test(test_writer_present),
	    cmocka_unit_test(test_two_prunes),
	    cmocka_unit_test(test_snapshot_appears),
	    cmocka_unit_test(test_stopped_anywhere),
	    cmocka_unit_test(test_orphans),
	    cmocka_unit_test(test_damage_refused),
	    cmocka_unit_test(test_foreign_objects_refused),
	    cmocka_unit_test(test_missing_pack_refused),
	};

	return cmocka_run_group_tests(tests, help_setup, help_teardown);
}
