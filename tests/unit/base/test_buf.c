/* Spans and buffers: growth, limits, what a failure leaves. */
#include "zstore/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void spans(void **state)
{
	(void)state;
	assert_int_equal(zs_span_str("abc").n, 3);
	assert_int_equal(zs_span_eq(zs_span("abc", 3), zs_span_str("abc")), 1);
	assert_int_equal(zs_span_eq(zs_span("abc", 3), zs_span("abd", 3)), 0);
	assert_int_equal(zs_span_eq(zs_span("abc", 3), zs_span("abc", 2)), 0);
	assert_int_equal(zs_span_eq(zs_span(NULL, 0), zs_span("", 0)), 1);
}

static void adding_equals_a_plain_array(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};
	uint8_t model[20000];
	size_t n = 0, step;

	(void)state;
	for (step = 0; n + step <= sizeof(model); step++) {
		uint8_t piece[300];

		memset(piece, (int)step, sizeof(piece));
		memset(model + n, (int)step, step);
		assert_int_equal(zs_buf_add(&b, piece, step, &err), 0);
		n += step;
		assert_int_equal(b.n, n);
		assert_true(b.cap >= b.n);
	}
	assert_memory_equal(b.p, model, n);
	assert_int_equal(zs_buf_add_span(&b, zs_span(NULL, 0), &err), 0);
	assert_int_equal(b.n, n);
	zs_buf_clear(&b);
	assert_int_equal(b.n, 0);
	assert_non_null(b.p);
	zs_buf_fini(&b);
	assert_null(b.p);
	assert_int_equal(b.cap, 0);
	zs_buf_fini(&b);
}

static void impossible_sizes_change_nothing(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};
	const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 3, (size_t)PTRDIFF_MAX + 1, (size_t)PTRDIFF_MAX - 2};
	size_t i;

	(void)state;
	assert_int_equal(zs_buf_add(&b, "abc", 3, &err), 0);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct zs_buf was = b;

		zs_err_clear(&err);
		assert_int_equal(zs_buf_reserve(&b, sizes[i], &err), -1);
		assert_int_equal(err.cause, ZS_NOMEM);
		assert_memory_equal(&b, &was, sizeof(b));
	}
	assert_memory_equal(b.p, "abc", 3);
	zs_buf_fini(&b);
}

static void reserve_makes_room(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};
	uint8_t *p;

	(void)state;
	assert_int_equal(zs_buf_reserve(&b, 0, &err), 0);
	assert_int_equal(zs_buf_reserve(&b, 1000, &err), 0);
	assert_true(b.cap >= 1000);
	p = b.p;
	memset(b.p, 1, 1000);
	b.n = 1000;
	assert_int_equal(zs_buf_reserve(&b, b.cap - b.n, &err), 0);
	assert_ptr_equal(b.p, p);
	zs_buf_fini(&b);
}

static void integers_are_little_endian(void **state)
{
	static const uint8_t want[] = {1, 3, 2, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8};
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(zs_buf_add_u8(&b, 1, &err), 0);
	assert_int_equal(zs_buf_add_u16(&b, 0x0203, &err), 0);
	assert_int_equal(zs_buf_add_u32(&b, 0x04050607, &err), 0);
	assert_int_equal(zs_buf_add_u64(&b, 0x08090a0b0c0d0e0f, &err), 0);
	assert_int_equal(b.n, sizeof(want));
	assert_memory_equal(b.p, want, sizeof(want));
	zs_buf_fini(&b);
}

static void printf_appends_without_the_nul(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};
	char want[5000];

	(void)state;
	assert_int_equal(zs_buf_printf(&b, &err, "%d-", 42), 0);
	assert_int_equal(zs_buf_printf(&b, &err, "%s", ""), 0);
	assert_int_equal(b.n, 3);
	memset(want, 'w', sizeof(want) - 1);
	want[sizeof(want) - 1] = '\0';
	assert_int_equal(zs_buf_printf(&b, &err, "%s", want), 0);
	assert_int_equal(b.n, 3 + sizeof(want) - 1);
	assert_memory_equal(b.p, "42-", 3);
	assert_memory_equal(b.p + 3, want, sizeof(want) - 1);
	zs_buf_fini(&b);
}

static void wipe_leaves_nothing(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	zs_buf_wipe(&b);
	assert_int_equal(zs_buf_add(&b, "secret", 6, &err), 0);
	zs_buf_wipe(&b);
	assert_null(b.p);
	assert_int_equal(b.n, 0);
	assert_int_equal(b.cap, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(spans),
	    cmocka_unit_test(adding_equals_a_plain_array),
	    cmocka_unit_test(impossible_sizes_change_nothing),
	    cmocka_unit_test(reserve_makes_room),
	    cmocka_unit_test(integers_are_little_endian),
	    cmocka_unit_test(printf_appends_without_the_nul),
	    cmocka_unit_test(wipe_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
