/* What happens between two looks at a repository must not be taken for damage. */
#include "store_help.h"

#include "../../../src/backend/backend_private.h"

static struct {
	struct backend_ops ops;
	int (*list)(struct zs_backend *be, enum zs_object type, zs_backend_list_fn *fn, void *ctx, struct zs_err *err);
	enum zs_object type;
	int armed;
	void (*before)(void);
	void (*after)(void);
} hook;
static struct zs_backend *plain;
static struct zs_store *other;

static int hooked_list(struct zs_backend *be, enum zs_object type, zs_backend_list_fn *fn, void *ctx, struct zs_err *e)
{
	int fires = hook.armed && type == hook.type, rc;

	if (fires) {
		hook.armed = 0;
		if (hook.before)
			hook.before();
	}
	rc = hook.list(be, type, fn, ctx, e);
	if (fires && hook.after)
		hook.after();
	return rc;
}

/* Another handle of the repository, whose next listing of that type is disturbed. */
static struct zs_backend *hooked(enum zs_object type, void (*before)(void), void (*after)(void))
{
	struct zs_backend *be = zs_backend_mem_share(plain);

	assert_non_null(be);
	hook.ops = *be->ops;
	hook.list = hook.ops.list;
	hook.ops.list = hooked_list;
	hook.type = type;
	hook.before = before;
	hook.after = after;
	hook.armed = 0;
	be->ops = &hook.ops;
	return be;
}

static void other_backs_up(void)
{
	help_backup(other, "b", 100, 20);
}

/* As a prune does: first what names the packs, then the packs. */
static void all_goes(void)
{
	static const enum zs_object order[] = {ZS_OBJ_SNAPSHOT, ZS_OBJ_INDEX, ZS_OBJ_PACK};

	for (size_t t = 0; t < 3; t++) {
		struct zs_names names = help_list(plain, order[t]);

		for (size_t i = 0; i < names.n; i++)
			assert_int_equal(zs_backend_delete(plain, order[t], &names.v[i], &err), 0);
		zs_names_fini(&names);
	}
}

static int count_finding(void *ctx, const char *text)
{
	print_message("%s\n", text);
	++*(unsigned *)ctx;
	return 0;
}

/* Two processes of one client: what the one has just made, the other must not miss. */
static void test_made_since_the_listing(void **state)
{
	struct zs_snapshot_list l;
	struct zs_backend *be;
	struct zs_store *st;
	char cache[64];

	(void)state;
	plain = help_repo();
	be = hooked(ZS_OBJ_SNAPSHOT, NULL, other_backs_up);
	help_fresh_dir(cache);
	st = help_open(be, cache);
	other = help_open(plain, cache);
	help_backup(st, "a", 1, 5);
	help_warned.count = 0;
	hook.armed = 1;
	assert_int_equal(zs_store_snapshots(st, &l, NULL, &err), 0);
	assert_int_equal(hook.armed, 0);
	assert_int_equal(help_warned.count, 0);
	zs_snapshot_list_fini(&l);
	zs_store_free(st);
	zs_store_free(other);
	zs_backend_free(be);
	zs_backend_free(plain);
}

static void test_check_beside_a_backup(void **state)
{
	unsigned findings = 0;
	struct zs_backend *be;
	struct zs_store *st;
	uint64_t unreferenced;

	(void)state;
	plain = help_repo();
	be = hooked(ZS_OBJ_PACK, NULL, other_backs_up);
	st = help_open(be, NULL);
	other = help_open(plain, NULL);
	help_backup(st, "a", 1, 5);
	hook.armed = 1;
	assert_int_equal(zs_store_check_objects(st, count_finding, &findings, &unreferenced, &err), 0);
	assert_int_equal(hook.armed, 0);
	assert_int_equal(findings, 0);
	zs_store_free(st);
	zs_store_free(other);
	zs_backend_free(be);
	zs_backend_free(plain);
}

static void test_begin_beside_a_prune(void **state)
{
	struct zs_backend *be;
	struct zs_store *st;
	struct zs_txn *txn;

	(void)state;
	plain = help_repo();
	be = hooked(ZS_OBJ_PACK, all_goes, NULL);
	st = help_open(be, NULL);
	help_backup(st, "a", 1, 20);
	help_warned.count = 0;
	hook.armed = 1;
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &txn, &err), 0);
	assert_int_equal(hook.armed, 0);
	assert_int_equal(help_warned.count, 0);
	assert_int_equal(zs_store_has_condemned(txn), 0);
	assert_int_equal(help_put(txn, 1, 20), 20);
	assert_int_equal(zs_store_commit(&txn, &err), 0);
	zs_store_free(st);
	zs_backend_free(be);
	zs_backend_free(plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_made_since_the_listing),
	    cmocka_unit_test(test_check_beside_a_backup),
	    cmocka_unit_test(test_begin_beside_a_prune),
	};

	return cmocka_run_group_tests(tests, help_setup, help_teardown);
}
