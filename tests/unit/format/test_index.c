/* Index objects: round trips, what a pack must have. */
#include "common.h"

static void random_pack(struct zs_index_pack *p)
{
	struct zs_err err;

	random_bytes(&p->name, sizeof p->name);
	p->stored_bytes = number() | 1;
	if (below(2))
		random_bytes(p->tag, sizeof p->tag);
	if (below(2))
		random_bytes(&p->writer, sizeof p->writer);
	for (unsigned b = below(4); b; b--) {
		assert_int_equal(zs_pack_dir_add_block(&p->dir, (uint8_t)(1 + below(7)), 1 + below(1000), &err), 0);
		for (unsigned c = 1 + below(5); c; c--) {
			struct zs_id id;

			random_bytes(&id, sizeof id);
			assert_int_equal(zs_pack_dir_add_chunk(&p->dir, &id, 1 + below(100000), &err), 0);
		}
	}
}

static void random_round_trips(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct zs_buf bytes = ZS_BUF_INIT, text = ZS_BUF_INIT;
		struct json j = {.out = &text, .depth = 1, .first = 1};
		struct zs_index_object o = {0};
		struct zs_index_pack *p;
		struct zs_err err;

		for (unsigned n = below(12); n; n--) {
			assert_int_equal(zs_index_object_add(&o, &p, &err), 0);
			random_pack(p);
		}
		assert_int_equal(zs_format_index_encode(&o, &bytes, &err), 0);
		dump_index(&j, &o);
		assert_round_trip("index", &bytes, &text);
		zs_index_object_fini(&o);
		zs_buf_fini(&bytes);
		zs_buf_fini(&text);
	}
}

static void a_new_row_is_zero(void **state)
{
	static const struct zs_index_pack zero;
	struct zs_index_object o = {0};
	struct zs_index_pack *p;
	struct zs_err err;

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(zs_index_object_add(&o, &p, &err), 0);
		assert_memory_equal(p, &zero, sizeof zero);
		assert_ptr_equal(p, &o.packs[i]);
		p->stored_bytes = i + 1;
	}
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(o.packs[i].stored_bytes, i + 1);
	zs_index_object_fini(&o);
	assert_null(o.packs);
	assert_int_equal(o.pack_count, 0);
}

static void name_and_size_are_needed(void **state)
{
	struct zs_buf out = ZS_BUF_INIT;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct zs_index_object o = {0};
		struct zs_index_pack *good, *bad;
		struct zs_err err;

		assert_int_equal(zs_index_object_add(&o, &good, &err), 0);
		random_pack(good);
		assert_int_equal(zs_index_object_add(&o, &bad, &err), 0);
		random_pack(bad);
		if (i == 0)
			bad->name = (struct zs_name){{0}};
		else if (i == 1)
			bad->stored_bytes = 0;
		else
			assert_int_equal(zs_pack_dir_add_block(&bad->dir, 1, 1, &err), 0); /* left empty */
		assert_refused(zs_format_index_encode(&o, &out, &err_), &out, ZS_INTERNAL);
		zs_index_object_fini(&o);
	}
	zs_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_round_trips),
	    cmocka_unit_test(a_new_row_is_zero),
	    cmocka_unit_test(name_and_size_are_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
