/* The set of pending ids against a plain array; the reader's cache of blocks against its bound. */
#include "store_help.h"

#define IDS 3000

static struct zs_id id_of(uint32_t i)
{
	struct zs_id id;
	uint64_t x = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);

	for (size_t k = 0; k < sizeof(id.b); k++)
		id.b[k] = (uint8_t)(help_next(&x) >> 11);
	/* Half of them share their home: probing, wrapping and closing holes are the point. */
	if (i % 2)
		memset(id.b, i % 4 == 1 ? 0xff : 0, 8);
	return id;
}

static void test_against_model(void **state)
{
	struct pending p = {NULL, 0, 0};
	static uint8_t model[IDS];
	uint64_t x = 88172645463325252u;
	size_t n = 0;

	(void)state;
	memset(model, 0, sizeof(model));
	for (int step = 0; step < 24000; step++) {
		uint32_t i = (uint32_t)(help_next(&x) % (step < 12000 ? IDS : 200));
		struct zs_id id = id_of(i);

		assert_int_equal(pending_has(&p, &id), model[i]);
		if (help_next(&x) % 5 < 3) {
			assert_int_equal(pending_add(&p, &id, &err), !model[i]);
			n += !model[i];
			model[i] = 1;
		} else {
			pending_remove(&p, &id);
			n -= model[i];
			model[i] = 0;
		}
		assert_int_equal(p.n, n);
	}
	for (uint32_t i = 0; i < IDS; i++) {
		struct zs_id id = id_of(i);

		assert_int_equal(pending_has(&p, &id), model[i]);
		pending_remove(&p, &id);
		assert_int_equal(pending_has(&p, &id), 0);
	}
	assert_int_equal(p.n, 0);
	pending_fini(&p);
	pending_fini(&p);
}

static void cache_put(struct reader_cache *c, uint32_t pack, uint32_t block, size_t bytes)
{
	struct zs_buf b = reader_cache_spare(c);
	struct reader_cache_block *added;

	assert_int_equal(zs_buf_reserve(&b, bytes, &err), 0);
	memset(b.p, (int)(pack + block), bytes);
	b.n = bytes;
	assert_int_equal(reader_cache_add(c, pack, block, &b, &added, &err), 0);
	assert_null(b.p);
	assert_int_equal(added->plain.n, bytes);
}

static void test_cache_bound(void **state)
{
	struct reader_cache c = {.limit_bytes = 100000};
	uint64_t x = 1234567;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		uint32_t pack = (uint32_t)(help_next(&x) % 20), block = (uint32_t)(help_next(&x) % 20);
		struct reader_cache_block *b = reader_cache_find(&c, pack, block);

		if (b) {
			assert_int_equal(b->plain.p[0], (uint8_t)(pack + block));
			assert_ptr_equal(c.newest, b);
		} else {
			cache_put(&c, pack, block, 1 + help_next(&x) % 9000);
		}
		assert_true(c.bytes <= c.limit_bytes || c.newest == c.oldest);
	}
	/* One that is larger than the bound stays alone, until the next. */
	cache_put(&c, 100, 1, 200000);
	assert_non_null(reader_cache_find(&c, 100, 1));
	assert_ptr_equal(c.newest, c.oldest);
	cache_put(&c, 100, 2, 10);
	assert_non_null(reader_cache_find(&c, 100, 2));
	assert_null(reader_cache_find(&c, 100, 1));
	reader_cache_fini(&c);
	assert_int_equal(c.bytes, 0);
}

/* Least recently used go first. */
static void test_cache_order(void **state)
{
	struct reader_cache c = {.limit_bytes = 4 * 4096};

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		cache_put(&c, 1, i, 4096);
	assert_non_null(reader_cache_find(&c, 1, 0));
	cache_put(&c, 1, 4, 4096);
	assert_non_null(reader_cache_find(&c, 1, 0));
	assert_null(reader_cache_find(&c, 1, 1));
	reader_cache_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_against_model),
	    cmocka_unit_test(test_cache_bound),
	    cmocka_unit_test(test_cache_order),
	};

	return cmocka_run_group_tests(tests, help_setup, help_teardown);
}
