/* Collecting: what snapshots need stays, what none needs goes; damage and stopping leave everything as it was. */
#include "work_help.h"

#define FILES 60

static struct help_file files[FILES];
static char paths[FILES][40];
static unsigned progress_calls;

static void make_files(uint32_t seed)
{
	memset(files, 0, sizeof(files));
	for (unsigned i = 0; i < FILES; i++) {
		(void)snprintf(paths[i], sizeof(paths[i]), "mail/%03u.msg", i);
		files[i].path = paths[i];
		files[i].seed = seed + i;
		files[i].bytes = i % 3 == 0 ? 70000 : 20 + i;
	}
}

static void on_progress(void *ctx, const struct zs_progress *p)
{
	(void)ctx;
	assert_non_null(p->phase);
	progress_calls++;
}

static int on_finding(void *ctx, const char *text)
{
	(void)ctx;
	fail_msg("%s", text);
	return 0;
}

static uint64_t check(struct zs_store *st)
{
	const struct zs_check_settings s = {.read_data = 1, .finding = on_finding};
	struct zs_check_report r;
	struct zs_err err = {0};

	if (zs_check(st, &s, &r, &err) < 0)
		fail_msg("%s", err.text);
	return r.snapshots;
}

static int collect(
    struct zs_store *st, const struct zs_observer *o, int dry_run, struct zs_collect_report *out, struct zs_err *err)
{
	const struct zs_collect_settings s = {
	    .dry_run = dry_run, .max_unused_percent = 5, .max_unused_bytes = 1 << 20, .max_repack_bytes = UINT64_MAX};

	memset(out, 0, sizeof(*out));
	memset(err, 0, sizeof(*err));
	return zs_prune_collect(st, &s, o, out, err);
}

static void forget(struct zs_store *st, const struct zs_name *snapshot)
{
	struct zs_names l = {0};
	struct zs_err err = {0};

	assert_int_equal(zs_names_add(&l, snapshot, &err), 0);
	if (zs_store_forget(st, &l, &err) < 0)
		fail_msg("%s", err.text);
	zs_names_fini(&l);
}

static int count_pack(void *ctx, const struct zs_name *name, uint64_t bytes, struct zs_err *err)
{
	(void)name;
	(void)bytes;
	(void)err;
	++*(size_t *)ctx;
	return 0;
}

static size_t packs(struct zs_backend *be)
{
	struct zs_err err;
	size_t n = 0;

	assert_int_equal(zs_backend_list(be, ZS_OBJ_PACK, count_pack, &n, &err), 0);
	return n;
}

static void test_collect(void **state)
{
	const struct zs_observer observer = {.progress = on_progress};
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_collect_report r;
	struct zs_name old;
	struct zs_err err;
	size_t before;

	(void)state;
	make_files(1);
	old = help_backup(st, "mail", files, FILES);
	make_files(30); /* half of it the same */
	(void)help_backup(st, "mail", files, FILES);
	before = packs(be);
	assert_int_equal(collect(st, NULL, 0, &r, &err), 0);
	zs_names_fini(&r.sessions);
	assert_int_equal(packs(be), before);
	assert_int_equal(r.packs_total, before);
	forget(st, &old);
	if (collect(st, &observer, 1, &r, &err) < 0)
		fail_msg("%s", err.text);
	zs_names_fini(&r.sessions);
	assert_int_equal(packs(be), before);
	assert_true(progress_calls > 0);
	if (collect(st, &observer, 0, &r, &err) < 0)
		fail_msg("%s", err.text);
	zs_names_fini(&r.sessions);
	assert_true(packs(be) < before);
	assert_true(r.bytes_deleted > 0);
	assert_int_equal(check(st), 1);
	zs_store_free(st);
	st = help_open(be);
	assert_int_equal(check(st), 1);
	zs_store_free(st);
	zs_backend_free(be);
}

/* A kept snapshot that is incomplete: nothing is deleted, and the error says where. */
static void test_damage_ends_it(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_collect_report r;
	struct zs_name old;
	struct zs_err err;
	size_t before;

	(void)state;
	make_files(1);
	old = help_backup(st, "mail", files, FILES);
	make_files(500);
	files[30].no_chunk = 1;
	(void)help_backup(st, "mail", files, FILES);
	forget(st, &old);
	before = packs(be);
	assert_int_equal(collect(st, NULL, 0, &r, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_non_null(strstr(err.text, "snapshot of mail"));
	assert_non_null(strstr(err.text, "mail/030.msg"));
	assert_int_equal(packs(be), before);
	zs_store_free(st);
	zs_backend_free(be);
}

static int stop(void *ctx)
{
	return ++*(int *)ctx > 1;
}

static void test_stop(void **state)
{
	int calls = 0;
	const struct zs_observer observer = {.stop = stop, .ctx = &calls};
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_collect_report r;
	struct zs_name old;
	struct zs_err err;

	(void)state;
	make_files(1);
	old = help_backup(st, "mail", files, FILES);
	make_files(30);
	(void)help_backup(st, "mail", files, FILES);
	forget(st, &old);
	assert_int_equal(collect(st, &observer, 0, &r, &err), -1);
	assert_int_equal(err.cause, ZS_STOPPED);
	assert_int_equal(check(st), 1);
	assert_int_equal(collect(st, NULL, 0, &r, &err), 0);
	zs_names_fini(&r.sessions);
	assert_int_equal(check(st), 1);
	zs_store_free(st);
	zs_backend_free(be);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_collect),
	    cmocka_unit_test(test_damage_ends_it),
	    cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests(tests, help_setup, help_teardown);
}
