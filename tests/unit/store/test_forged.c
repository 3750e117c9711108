/* What storage can do: swap, replay, cut, flip.  Never other data: the same bytes or an error. */
#include "store_help.h"

struct rig {
	struct zs_backend *be;
	struct zs_store *st;
	struct zs_names packs, indexes, snapshots;
	struct zs_name first, second;
};

static struct rig rig_make(void)
{
	struct rig r = {.be = help_repo()};

	r.st = help_open(r.be, NULL);
	r.first = help_backup(r.st, "one", 0, 10);
	r.second = help_backup(r.st, "two", 10, 10);
	r.packs = help_list(r.be, ZS_OBJ_PACK);
	r.indexes = help_list(r.be, ZS_OBJ_INDEX);
	r.snapshots = help_list(r.be, ZS_OBJ_SNAPSHOT);
	assert_int_equal(r.packs.n, 2);
	assert_int_equal(r.indexes.n, 2);
	return r;
}

static void rig_fini(struct rig *r)
{
	zs_names_fini(&r->packs);
	zs_names_fini(&r->indexes);
	zs_names_fini(&r->snapshots);
	zs_store_free(r->st);
	zs_backend_free(r->be);
}

/* How many of the 20 chunks can be read; those that can are right (help_read_one asserts it). */
static unsigned readable(struct zs_store *st)
{
	struct zs_store_reader *r;
	unsigned n = 0;

	assert_int_equal(zs_store_reader_new(st, 1 << 20, &r, &err), 0);
	for (uint32_t i = 0; i < 20; i++) {
		struct zs_err e = {0};
		int rc = help_read_one(r, i, &e);

		assert_true(rc == 0 || e.cause == ZS_CORRUPT || e.cause == ZS_VERSION);
		n += rc == 0;
	}
	zs_store_reader_free(r);
	return n;
}

static void test_swapped_packs(void **state)
{
	struct rig r = rig_make();
	struct zs_store *fresh;

	(void)state;
	help_swap(r.be, ZS_OBJ_PACK, &r.packs.v[0], &r.packs.v[1]);
	assert_int_equal(readable(r.st), 0);
	fresh = help_open(r.be, NULL);
	assert_int_equal(readable(fresh), 0);
	zs_store_free(fresh);
	rig_fini(&r);
}

static void test_swapped_index_objects(void **state)
{
	struct rig r = rig_make();
	struct zs_store *fresh;

	(void)state;
	help_swap(r.be, ZS_OBJ_INDEX, &r.indexes.v[0], &r.indexes.v[1]);
	fresh = help_open(r.be, NULL);
	help_warned.count = 0;
	assert_int_equal(readable(fresh), 0);
	assert_int_equal(help_warned.count, 2); /* each is said once */
	assert_int_equal(sync_index(fresh, SYNC_STRICT, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	zs_store_free(fresh);
	rig_fini(&r);
}

static void test_swapped_snapshots(void **state)
{
	struct rig r = rig_make();
	struct zs_snapshot_list l;
	struct zs_names damaged = {0};

	(void)state;
	help_swap(r.be, ZS_OBJ_SNAPSHOT, &r.first, &r.second);
	assert_int_equal(zs_store_snapshots(r.st, &l, NULL, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_int_equal(zs_store_snapshots(r.st, &l, &damaged, &err), 0);
	assert_int_equal(l.n, 0);
	assert_int_equal(damaged.n, 2);
	zs_snapshot_list_fini(&l);
	zs_names_fini(&damaged);
	rig_fini(&r);
}

/* Names by chance are bound into the box: a session cannot stand in for another, nor for a removal record. */
static void test_swapped_sessions(void **state)
{
	struct rig r = rig_make();
	struct zs_names a_and_b;
	struct zs_name a, b, c;
	struct zs_condemned condemned = {0};
	struct zs_session s;
	struct zs_buf box;

	(void)state;
	assert_int_equal(sessions_announce(r.st, ZS_SESSION_WRITER, &a, &err), 0);
	assert_int_equal(sessions_announce(r.st, ZS_SESSION_PRUNE, &b, &err), 0);
	a_and_b = help_list(r.be, ZS_OBJ_SESSION);
	assert_int_equal(a_and_b.n, 2);
	zs_names_fini(&a_and_b);
	help_swap(r.be, ZS_OBJ_SESSION, &a, &b);
	assert_int_equal(records_get_session(r.st, &a, &s, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	help_swap(r.be, ZS_OBJ_SESSION, &a, &b);
	assert_int_equal(records_get_session(r.st, &a, &s, &err), 0);
	zs_format_session_fini(&s);
	box = help_get(r.be, ZS_OBJ_SESSION, &a);
	memset(&c, 1, sizeof(c));
	assert_int_equal(zs_backend_put(r.be, ZS_OBJ_SESSION, &c, zs_buf_span(&box), &err), 0);
	assert_int_equal(records_get_session(r.st, &c, &s, &err), -1);
	assert_int_equal(zs_backend_put(r.be, ZS_OBJ_CONDEMNED, &a, zs_buf_span(&box), &err), 0);
	assert_int_equal(records_get_condemned(r.st, &a, &condemned, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	zs_buf_fini(&box);
	rig_fini(&r);
}

/* Objects of another repository with the same passphrase. */
static void test_foreign_objects(void **state)
{
	struct rig a = rig_make(), b = rig_make();
	struct zs_buf snapshot = help_get(b.be, ZS_OBJ_SNAPSHOT, &b.first);
	struct zs_buf pack = help_get(b.be, ZS_OBJ_PACK, &b.packs.v[0]);
	struct zs_names damaged = {0};
	struct zs_snapshot_list l;
	struct zs_pack_dir dir;

	(void)state;
	assert_int_equal(zs_backend_put(a.be, ZS_OBJ_SNAPSHOT, &b.first, zs_buf_span(&snapshot), &err), 0);
	assert_int_equal(zs_backend_put(a.be, ZS_OBJ_PACK, &b.packs.v[0], zs_buf_span(&pack), &err), 0);
	assert_int_equal(zs_store_snapshots(a.st, &l, &damaged, &err), 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(damaged.n, 1);
	assert_int_equal(packs_load_dir(a.st, &b.packs.v[0], pack.n, &dir, NULL, NULL, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_int_equal(readable(a.st), 20);
	zs_snapshot_list_fini(&l);
	zs_names_fini(&damaged);
	zs_buf_fini(&snapshot);
	zs_buf_fini(&pack);
	rig_fini(&a);
	rig_fini(&b);
}

static void test_flipped_packs(void **state)
{
	struct rig r = rig_make();
	struct zs_buf pack = help_get(r.be, ZS_OBJ_PACK, &r.packs.v[0]);
	unsigned unread = 0;

	(void)state;
	for (size_t i = 0; i < pack.n; i += i < 400 || i + 400 > pack.n ? 3 : 97) {
		struct zs_pack_dir dir = {0};
		int loaded;

		pack.p[i] ^= (uint8_t)(1u << i % 8);
		help_replace(r.be, ZS_OBJ_PACK, &r.packs.v[0], zs_buf_span(&pack));
		unread += readable(r.st) < 20;
		loaded = packs_load_dir(r.st, &r.packs.v[0], pack.n, &dir, NULL, NULL, &err) == 0;
		zs_pack_dir_fini(&dir);
		assert_true(!loaded || i >= ZS_PACK_HEADER); /* a header's flip is always seen */
		assert_true(!loaded || i < pack.n - ZS_PACK_TRAILER);
		pack.p[i] ^= (uint8_t)(1u << i % 8);
	}
	assert_true(unread > 10);
	for (size_t n = 0; n < pack.n; n += 501) {
		help_replace(r.be, ZS_OBJ_PACK, &r.packs.v[0], zs_span(pack.p, n));
		assert_true(readable(r.st) <= 20);
	}
	help_replace(r.be, ZS_OBJ_PACK, &r.packs.v[0], zs_buf_span(&pack));
	assert_int_equal(readable(r.st), 20);
	zs_buf_fini(&pack);
	rig_fini(&r);
}

static void test_flipped_metadata(void **state)
{
	struct rig r = rig_make();
	struct zs_buf index = help_get(r.be, ZS_OBJ_INDEX, &r.indexes.v[0]);
	struct zs_buf snapshot = help_get(r.be, ZS_OBJ_SNAPSHOT, &r.first);
	struct zs_index_object o = {0};
	struct zs_snapshot *s = NULL;

	(void)state;
	for (size_t i = 0; i < index.n; i++) {
		index.p[i] ^= (uint8_t)(1u << i % 8);
		help_replace(r.be, ZS_OBJ_INDEX, &r.indexes.v[0], zs_buf_span(&index));
		assert_int_equal(records_get_index(r.st, &r.indexes.v[0], &o, &err), -1);
		assert_int_equal(err.cause, ZS_CORRUPT);
		index.p[i] ^= (uint8_t)(1u << i % 8);
	}
	for (size_t i = 0; i < snapshot.n; i++) {
		snapshot.p[i] ^= (uint8_t)(1u << i % 8);
		help_replace(r.be, ZS_OBJ_SNAPSHOT, &r.first, zs_buf_span(&snapshot));
		assert_int_equal(records_get_snapshot(r.st, &r.first, &s, &err), -1);
		assert_int_equal(err.cause, ZS_CORRUPT);
		snapshot.p[i] ^= (uint8_t)(1u << i % 8);
	}
	for (size_t n = 0; n < snapshot.n; n++) {
		help_replace(r.be, ZS_OBJ_SNAPSHOT, &r.first, zs_span(snapshot.p, n));
		assert_int_equal(records_get_snapshot(r.st, &r.first, &s, &err), -1);
	}
	zs_buf_fini(&index);
	zs_buf_fini(&snapshot);
	rig_fini(&r);
}

/* Boxes under names by chance have no hash to fall back on: every byte must count. */
static void test_flipped_session(void **state)
{
	struct rig r = rig_make();
	struct zs_session_list l;
	struct zs_session s;
	struct zs_name name;
	struct zs_buf box;

	(void)state;
	assert_int_equal(sessions_announce(r.st, ZS_SESSION_WRITER, &name, &err), 0);
	box = help_get(r.be, ZS_OBJ_SESSION, &name);
	for (size_t i = 0; i < box.n; i++) {
		box.p[i] ^= (uint8_t)(1u << i % 8);
		help_replace(r.be, ZS_OBJ_SESSION, &name, zs_buf_span(&box));
		assert_int_equal(records_get_session(r.st, &name, &s, &err), -1);
		assert_true(err.cause == ZS_CORRUPT || err.cause == ZS_VERSION);
		box.p[i] ^= (uint8_t)(1u << i % 8);
	}
	for (size_t n = 0; n < box.n; n++) {
		help_replace(r.be, ZS_OBJ_SESSION, &name, zs_span(box.p, n));
		assert_int_equal(zs_store_sessions(r.st, &l, &err), -1);
	}
	zs_buf_fini(&box);
	rig_fini(&r);
}

/* One damaged copy of a chunk gives way to another. */
static void test_second_copy(void **state)
{
	struct zs_backend *be = help_repo(), *share = zs_backend_mem_share(be);
	struct zs_store *a = help_open(be, NULL), *b = help_open(share, NULL);
	struct zs_txn *ta, *tb;
	struct zs_names packs;

	(void)state;
	assert_int_equal(zs_store_begin(a, ZS_SESSION_WRITER, &ta, &err), 0);
	assert_int_equal(zs_store_begin(b, ZS_SESSION_WRITER, &tb, &err), 0);
	assert_int_equal(help_put(ta, 0, 20), 20);
	assert_int_equal(help_put(tb, 0, 20), 20); /* neither knows of the other */
	assert_int_equal(zs_store_commit(&ta, &err), 0);
	assert_int_equal(zs_store_commit(&tb, &err), 0);
	packs = help_list(be, ZS_OBJ_PACK);
	assert_int_equal(packs.n, 2);
	for (size_t i = 0; i < 2; i++) {
		struct zs_buf pack = help_get(be, ZS_OBJ_PACK, &packs.v[i]);
		uint8_t was = pack.p[ZS_PACK_HEADER];

		pack.p[ZS_PACK_HEADER]++;
		help_replace(be, ZS_OBJ_PACK, &packs.v[i], zs_buf_span(&pack));
		assert_int_equal(readable(a), 20);
		assert_int_equal(zs_backend_delete(be, ZS_OBJ_PACK, &packs.v[i], &err), 0);
		assert_int_equal(readable(a), 20);
		pack.p[ZS_PACK_HEADER] = was;
		assert_int_equal(zs_backend_put(be, ZS_OBJ_PACK, &packs.v[i], zs_buf_span(&pack), &err), 0);
		zs_buf_fini(&pack);
	}
	zs_names_fini(&packs);
	zs_store_free(a);
	zs_store_free(b);
	zs_backend_free(share);
	zs_backend_free(be);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_swapped_packs),
	    cmocka_unit_test(test_swapped_index_objects),
	    cmocka_unit_test(test_swapped_snapshots),
	    cmocka_unit_test(test_swapped_sessions),
	    cmocka_unit_test(test_foreign_objects),
	    cmocka_unit_test(test_flipped_packs),
	    cmocka_unit_test(test_flipped_metadata),
	    cmocka_unit_test(test_flipped_session),
	    cmocka_unit_test(test_second_copy),
	};

	return cmocka_run_group_tests(tests, help_setup, help_teardown);
}
