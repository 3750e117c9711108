/* The fast hash: known values (they are stored), streaming equals whole. */
#include "zstore/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* XXH3-64 of nothing with seed 0 is published by its author; the rest is a random sample of stream against whole */
static void values_are_those_of_xxh3(void **state)
{
	(void)state;
	assert_true(zs_hash64(0, zs_span(NULL, 0)) == UINT64_C(0x2d06800538d394c2));
	assert_true(zs_hash64(0, zs_span_str("a")) == UINT64_C(0xe6c632b61e964e1f));
	assert_true(zs_hash64(0, zs_span_str("abc")) == UINT64_C(0x78af5f94892f3950));
	assert_true(zs_hash64(1, zs_span_str("abc")) != zs_hash64(0, zs_span_str("abc")));
}

static void streamed_equals_whole(void **state)
{
	struct zs_hasher *h = zs_hasher_new();
	uint8_t *data = malloc(100000);
	unsigned seed = 5;
	size_t n, at, i;

	(void)state;
	assert_non_null(h);
	for (i = 0; i < 100000; i++)
		data[i] = (uint8_t)rand_r(&seed);
	for (n = 0; n <= 100000; n = n * 2 + 1) {
		zs_hasher_reset(h);
		for (at = 0; at < n;) {
			size_t part = (size_t)rand_r(&seed) % 3000;

			if (part > n - at)
				part = n - at;
			zs_hasher_add(h, zs_span(data + at, part));
			at += part;
		}
		assert_true(zs_hasher_sum(h) == zs_hash64(0, zs_span(data, n)));
		assert_true(zs_hasher_sum(h) == zs_hash64(0, zs_span(data, n)));
	}
	zs_hasher_free(h);
	zs_hasher_free(NULL);
	free(data);
}

static void zeros_equal_zeros(void **state)
{
	static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 32768, 100001};
	uint8_t *zeros = calloc(1, 100001);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct zs_hasher *h = zs_hasher_new();

		assert_non_null(h);
		zs_hasher_add_zeros(h, sizes[i]);
		assert_true(zs_hasher_sum(h) == zs_hash64(0, zs_span(zeros, sizes[i])));
		zs_hasher_free(h);
	}
	free(zeros);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_are_those_of_xxh3),
	    cmocka_unit_test(streamed_equals_whole),
	    cmocka_unit_test(zeros_equal_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
