/* The index against a model: random consuming, retaining, merging, reopening; and the details of locations. */
#include "index_help.h"

#define PACKS 60
#define OBJECTS 40
#define IDS 4000
#define PACK_CHUNKS 300

static struct zs_err err;

static void test_locations(void **state)
{
	struct zs_index_object o = {0};
	struct zs_index_pack *p;
	struct zs_name object = help_name(1);
	struct zs_index_view *v;
	struct zs_index_pack_info info;
	struct zs_location at;
	struct zs_names names = {0};
	struct zs_id a = help_id(1), b = help_id(2), c = help_id(3), d = help_id(4);
	int fresh;
	struct zs_index *ix = help_open(&fresh);
	uint32_t ordinal;

	(void)state;
	assert_int_equal(fresh, 1);
	assert_int_equal(zs_index_object_add(&o, &p, &err), 0);
	p->name = help_name(9);
	p->stored_bytes = 5555;
	assert_int_equal(zs_pack_dir_add_block(&p->dir, ZS_KIND_TEXT, 700, &err), 0);
	assert_int_equal(zs_pack_dir_add_chunk(&p->dir, &a, 10, &err), 0);
	assert_int_equal(zs_pack_dir_add_chunk(&p->dir, &b, 20, &err), 0);
	assert_int_equal(zs_pack_dir_add_block(&p->dir, ZS_KIND_TREE, 800, &err), 0);
	assert_int_equal(zs_pack_dir_add_chunk(&p->dir, &c, 30, &err), 0);
	assert_int_equal(zs_pack_dir_add_chunk(&p->dir, &a, 10, &err), 0); /* a second copy in one pack */
	assert_int_equal(zs_index_knows(ix, &object, &err), 0);
	assert_int_equal(zs_index_consume(ix, &object, &o, &err), 0);
	assert_int_equal(zs_index_consume(ix, &object, &o, &err), 0);
	assert_int_equal(zs_index_knows(ix, &object, &err), 1);
	assert_int_equal(zs_index_pack_count(ix), 1);
	assert_int_equal(zs_index_chunk_total(ix), 4);
	assert_int_equal(zs_index_pack_find(ix, &p->name, &ordinal, &err), 1);
	assert_int_equal(zs_index_pack_info(ix, ordinal, &info, &err), 0);
	assert_int_equal(info.stored_bytes, 5555);
	assert_int_equal(info.block_count, 2);
	assert_int_equal(info.chunk_count, 4);
	assert_int_equal(info.dead, 0);
	assert_int_equal(zs_index_pack_info(ix, 1, &info, &err), -1);
	assert_int_equal(zs_index_objects_of_pack(ix, &p->name, &names, &err), 0);
	assert_int_equal(names.n, 1);
	assert_int_equal(zs_index_view_new(ix, &v, &err), 0);
	assert_int_equal(zs_index_get(v, &b, NULL, 0, &at, &err), 1);
	assert_int_equal(at.block_offset, 120);
	assert_int_equal(at.block_stored, 700);
	assert_int_equal(at.chunk_offset, 10);
	assert_int_equal(at.chunk_bytes, 20);
	assert_int_equal(at.chunk_number, 1);
	assert_int_equal(zs_index_get(v, &c, NULL, 0, &at, &err), 1);
	assert_int_equal(at.block, 1);
	assert_int_equal(at.block_offset, 820);
	assert_int_equal(at.kind, ZS_KIND_TREE);
	assert_int_equal(zs_index_get(v, &a, NULL, 0, &at, &err), 1);
	assert_int_equal(at.chunk_number, 0); /* the first copy */
	assert_int_equal(zs_index_get(v, &d, NULL, 0, &at, &err), 0);
	zs_index_view_free(v);
	zs_names_fini(&names);
	zs_index_object_fini(&o);
	zs_index_close(ix);
}

/* What the index should know. */
struct model {
	uint32_t first[PACKS];		/* of the pack's chunks */
	int of_object[OBJECTS][3];	/* packs, -1: none */
	int consumed[OBJECTS];
	int ordinal[PACKS];		/* -1: never seen */
	int next_ordinal;
};

static int pack_alive(const struct model *m, int pack)
{
	for (int o = 0; o < OBJECTS; o++)
		for (int i = 0; m->consumed[o] && i < 3; i++)
			if (m->of_object[o][i] == pack)
				return 1;
	return 0;
}

static void model_consume(struct model *m, struct zs_index *ix, int object)
{
	struct zs_index_object o = {0};
	struct zs_name name = help_name(5000 + (uint64_t)object);

	for (int i = 0; i < 3; i++) {
		int p = m->of_object[object][i];

		if (p < 0)
			continue;
		help_pack(&o, (uint64_t)p, m->first[p], PACK_CHUNKS, 7);
		if (m->ordinal[p] < 0)
			m->ordinal[p] = m->next_ordinal++;
	}
	assert_int_equal(zs_index_consume(ix, &name, &o, &err), 0);
	zs_index_object_fini(&o);
	m->consumed[object] = 1;
}

static void model_retain(struct model *m, struct zs_index *ix, uint64_t *seed)
{
	struct zs_names keep = {0};

	for (int o = 0; o < OBJECTS; o++) {
		struct zs_name name = help_name(5000 + (uint64_t)o);

		if (help_random(seed) % 4 == 0)
			m->consumed[o] = 0;
		else
			assert_int_equal(zs_names_add(&keep, &name, &err), 0);
	}
	assert_int_equal(zs_index_retain(ix, &keep, &err), 0);
	zs_names_fini(&keep);
}

static void check_packs(const struct model *m, struct zs_index *ix)
{
	assert_int_equal(zs_index_pack_count(ix), m->next_ordinal);
	assert_int_equal(zs_index_chunk_total(ix), (uint64_t)m->next_ordinal * PACK_CHUNKS);
	for (int p = 0; p < PACKS; p++) {
		struct zs_name name = help_name((uint64_t)p);
		struct zs_index_pack_info info;
		uint32_t ordinal;
		int rc = zs_index_pack_find(ix, &name, &ordinal, &err);

		assert_int_equal(rc, m->ordinal[p] >= 0);
		if (!rc)
			continue;
		assert_int_equal(ordinal, m->ordinal[p]);
		assert_int_equal(zs_index_pack_info(ix, ordinal, &info, &err), 0);
		assert_int_equal(info.dead, !pack_alive(m, p));
		assert_int_equal(info.first_bit, ordinal * PACK_CHUNKS);
	}
}

static void check_ids(const struct model *m, struct zs_index_view *v, uint64_t *seed)
{
	uint8_t avoid[PACKS / 8 + 1];
	uint8_t alive[PACKS];

	for (int p = 0; p < PACKS; p++)
		alive[p] = (uint8_t)pack_alive(m, p);
	for (size_t i = 0; i < sizeof avoid; i++)
		avoid[i] = (uint8_t)(help_random(seed) & help_random(seed));
	for (uint32_t n = 0; n < IDS; n += 3) {
		struct zs_id id = help_id(n);
		struct zs_location at;
		int best = -1, best_pack = 0, rc = zs_index_get(v, &id, avoid, PACKS, &at, &err);

		for (int p = 0; p < PACKS; p++) {
			int o = m->ordinal[p];

			if (o < 0 || !alive[p] || n < m->first[p] || n >= m->first[p] + PACK_CHUNKS ||
			    (avoid[o / 8] >> o % 8 & 1) || (best >= 0 && best < o))
				continue;
			best = o;
			best_pack = p;
		}
		assert_int_equal(rc, best >= 0);
		if (!rc)
			continue;
		assert_int_equal(at.pack, best);
		assert_int_equal(at.chunk_number, n - m->first[best_pack]);
		assert_int_equal(at.block, at.chunk_number / 7);
	}
}

static void test_model(void **state)
{
	static struct model m;
	uint64_t seed = 4711;
	int fresh, merged_by_force = 0;
	struct zs_index *ix = help_open(&fresh);
	struct zs_index_view *v;

	(void)state;
	memset(&m, 0, sizeof m);
	for (int p = 0; p < PACKS; p++) {
		m.first[p] = (uint32_t)(help_random(&seed) % (IDS - PACK_CHUNKS));
		m.ordinal[p] = -1;
	}
	for (int o = 0; o < OBJECTS; o++)
		for (int i = 0; i < 3; i++)
			m.of_object[o][i] = help_random(&seed) % 5 ? (int)(help_random(&seed) % PACKS) : -1;
	for (int o = 0; o < OBJECTS; o++) /* an object names a pack once */
		for (int i = 1; i < 3; i++)
			for (int j = 0; j < i; j++)
				if (m.of_object[o][i] == m.of_object[o][j])
					m.of_object[o][i] = -1;
	assert_int_equal(zs_index_view_new(ix, &v, &err), 0);
	for (int step = 0; step < 300; step++) {
		switch (help_random(&seed) % 12) {
		case 0:
			model_retain(&m, ix, &seed);
			break;
		case 1:
			zs_index_view_free(v);
			if (help_random(&seed) % 2)
				assert_int_equal(zs_index_merge(ix, "/tmp", &err), 0);
			zs_index_close(ix);
			ix = help_open(&fresh);
			assert_int_equal(fresh, 0);
			assert_int_equal(zs_index_view_new(ix, &v, &err), 0);
			break;
		case 2:
			/* Enough for a merge to be worth it, under ids that nobody asks for. */
			zs_index_view_free(v);
			if (merged_by_force++ < 3) {
				struct zs_names keep = {0};

				help_consume(ix, 100, 100 + (uint64_t)merged_by_force, 1000000, 60000);
				for (int o = 0; o < OBJECTS; o++) {
					struct zs_name name = help_name(5000 + (uint64_t)o);

					assert_int_equal(zs_names_add(&keep, &name, &err), 0);
				}
				assert_int_equal(zs_index_merge(ix, "/tmp", &err), 0);
				assert_int_equal(zs_index_retain(ix, &keep, &err), 0);
				zs_names_fini(&keep);
			}
			assert_int_equal(zs_index_view_new(ix, &v, &err), 0);
			break;
		default:
			model_consume(&m, ix, (int)(help_random(&seed) % OBJECTS));
		}
		if (step % 10 == 0) {
			if (merged_by_force == 0)
				check_packs(&m, ix);
			if (merged_by_force == 0)
				check_ids(&m, v, &seed);
		}
		if (merged_by_force > 0 && merged_by_force <= 3) {
			/* The forced pack took an ordinal: let the model follow. */
			int o = m.next_ordinal;

			if (zs_index_pack_count(ix) > (uint32_t)o)
				m.next_ordinal = (int)zs_index_pack_count(ix);
		}
		if (step % 10 == 0 && merged_by_force > 0)
			check_ids(&m, v, &seed);
	}
	assert_true(merged_by_force >= 3);
	zs_index_view_free(v);
	zs_index_close(ix);
}

static void test_merge_and_reopen(void **state)
{
	int fresh;
	struct zs_index *ix = help_open(&fresh);
	struct zs_names keep = {0};
	struct zs_name second = help_name(2);
	struct zs_index_view *v;
	char path[128];

	(void)state;
	help_consume(ix, 1, 1, 0, 40000);
	help_consume(ix, 2, 2, 30000, 40000);
	assert_int_equal(zs_index_view_new(ix, &v, &err), 0);
	assert_int_equal(zs_index_merge(ix, "/tmp", &err), 0);
	snprintf(path, sizeof path, "%s/base.2/data.mdb", help_dir);
	assert_int_equal(access(path, F_OK), -1); /* not with a view open */
	zs_index_view_free(v);
	assert_int_equal(zs_index_merge(ix, "/tmp", &err), 0);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(help_count(ix, 0, 70000), 70000);
	help_consume(ix, 3, 3, 70000, 1000);
	assert_int_equal(help_count(ix, 0, 72000), 71000);
	assert_int_equal(zs_names_add(&keep, &second, &err), 0);
	assert_int_equal(zs_index_retain(ix, &keep, &err), 0);
	assert_int_equal(help_count(ix, 0, 72000), 40000);
	help_consume(ix, 4, 4, 80000, 60000);
	assert_int_equal(zs_index_merge(ix, "/tmp", &err), 0);
	zs_index_close(ix);
	ix = help_open(&fresh);
	assert_int_equal(fresh, 0);
	assert_int_equal(help_count(ix, 0, 72000), 40000);
	help_consume(ix, 1, 1, 0, 40000); /* a pack that was dead, and dropped by the merge, comes back */
	assert_int_equal(help_count(ix, 0, 72000), 70000);
	zs_names_fini(&keep);
	zs_index_close(ix);
}

static void test_epoch(void **state)
{
	int fresh;
	struct zs_index *ix = help_open(&fresh);
	struct zs_names none = {0};
	uint64_t epoch;

	(void)state;
	help_consume(ix, 1, 1, 0, 10);
	epoch = zs_index_epoch(ix);
	help_consume(ix, 2, 2, 10, 10);
	assert_int_equal(zs_index_retain_since(ix, epoch, &none, &err), 0);
	assert_int_equal(help_count(ix, 0, 10), 0);
	assert_int_equal(help_count(ix, 10, 10), 10);
	zs_index_close(ix);
}

static void test_disagreeing_pack(void **state)
{
	int fresh;
	struct zs_index *ix = help_open(&fresh);
	struct zs_index_object o = {0};
	struct zs_name name = help_name(2);

	(void)state;
	help_consume(ix, 1, 1, 0, 10);
	help_pack(&o, 1, 0, 11, 16);
	assert_int_equal(zs_index_consume(ix, &name, &o, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_int_equal(zs_index_knows(ix, &name, &err), 0);
	assert_int_equal(zs_index_chunk_total(ix), 10);
	zs_index_object_fini(&o);
	zs_index_close(ix);
}

static double seconds(void)
{
	return (double)zs_monotonic_ns() / 1e9;
}

static void test_speed(void **state)
{
	int fresh;
	struct zs_index *ix = help_open(&fresh);
	struct zs_index_object o = {0};
	struct zs_name name = help_name(1);
	double t;

	(void)state;
	help_pack(&o, 1, 0, 100000, 30);
	t = seconds();
	assert_int_equal(zs_index_consume(ix, &name, &o, &err), 0);
	print_message("consume of 100,000 chunks: %.3f s\n", seconds() - t);
	zs_index_object_fini(&o);
	t = seconds();
	assert_int_equal(help_count(ix, 0, 200000), 100000);
	print_message("200,000 gets: %.3f s\n", seconds() - t);
	t = seconds();
	assert_int_equal(zs_index_merge(ix, "/tmp", &err), 0);
	print_message("merge: %.3f s\n", seconds() - t);
	t = seconds();
	assert_int_equal(help_count(ix, 0, 200000), 100000);
	print_message("200,000 gets from the base: %.3f s\n", seconds() - t);
	zs_index_close(ix);
}

/* More than the first map holds. */
static void test_growth(void **state)
{
	int fresh;
	struct zs_index *ix = help_open(&fresh);
	struct zs_index_view *v;
	struct zs_location at;
	struct zs_id first = help_id(0);

	(void)state;
	assert_int_equal(zs_index_view_new(ix, &v, &err), 0);
	assert_int_equal(zs_index_get(v, &first, NULL, 0, &at, &err), 0);
	for (uint64_t i = 0; i < 3; i++)
		help_consume(ix, i, i, i * 500000, 500000);
	assert_int_equal(zs_index_get(v, &first, NULL, 0, &at, &err), 1);
	zs_index_view_free(v);
	zs_index_close(ix);
	ix = help_open(&fresh);
	assert_int_equal(fresh, 0);
	assert_int_equal(help_count(ix, 499990, 20), 20);
	zs_index_close(ix);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_locations, help_setup, help_teardown),
	    cmocka_unit_test_setup_teardown(test_model, help_setup, help_teardown),
	    cmocka_unit_test_setup_teardown(test_merge_and_reopen, help_setup, help_teardown),
	    cmocka_unit_test_setup_teardown(test_epoch, help_setup, help_teardown),
	    cmocka_unit_test_setup_teardown(test_disagreeing_pack, help_setup, help_teardown),
	    cmocka_unit_test_setup_teardown(test_speed, help_setup, help_teardown),
	    cmocka_unit_test_setup_teardown(test_growth, help_setup, help_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
