/* Integers on the wire: round trips, truncation at every length, overlong and too big varints. */
#include "zstore/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const uint64_t edges[] = {0, 1, 127, 128, 255, 256, 16383, 16384, 65535, 65536, 0x7fffffff, 0x80000000,
    0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0xfffffffffffffffe, 0xffffffffffffffff};
#define EDGES (sizeof(edges) / sizeof(*edges))

static void fixed_integers_round_trip(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < EDGES; i++) {
		uint8_t raw[8];

		zs_put_u16(raw, (uint16_t)edges[i]);
		assert_int_equal(zs_get_u16(raw), (uint16_t)edges[i]);
		zs_put_u32(raw, (uint32_t)edges[i]);
		assert_int_equal(zs_get_u32(raw), (uint32_t)edges[i]);
		zs_put_u64(raw, edges[i]);
		assert_true(zs_get_u64(raw) == edges[i]);
	}
}

static void takes_move_on_or_change_nothing(void **state)
{
	static const uint8_t raw[] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct zs_span s, part;
	uint8_t v8;
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;
	size_t n;

	(void)state;
	for (n = 0; n <= sizeof(raw); n++) {
		s = zs_span(raw, n);
		assert_int_equal(zs_take_u8(&s, &v8), n >= 1 ? 0 : -1);
		assert_int_equal(s.n, n >= 1 ? n - 1 : n);
		s = zs_span(raw, n);
		assert_int_equal(zs_take_u16(&s, &v16), n >= 2 ? 0 : -1);
		assert_int_equal(s.n, n >= 2 ? n - 2 : n);
		s = zs_span(raw, n);
		assert_int_equal(zs_take_u32(&s, &v32), n >= 4 ? 0 : -1);
		assert_int_equal(s.n, n >= 4 ? n - 4 : n);
		s = zs_span(raw, n);
		assert_int_equal(zs_take_u64(&s, &v64), n >= 8 ? 0 : -1);
		assert_int_equal(s.n, n >= 8 ? n - 8 : n);
	}
	assert_int_equal(v8, 1);
	assert_int_equal(v16, 0x0201);
	assert_int_equal(v32, 0x04030201);
	assert_true(v64 == 0x0807060504030201);
	s = zs_span(raw, 8);
	assert_int_equal(zs_take_bytes(&s, 3, &part), 0);
	assert_ptr_equal(part.p, raw);
	assert_ptr_equal(s.p, raw + 3);
	assert_int_equal(zs_take_bytes(&s, 6, &part), -1);
	assert_int_equal(zs_take_bytes(&s, SIZE_MAX, &part), -1);
	assert_int_equal(s.n, 5);
	s = zs_span(NULL, 0);
	assert_int_equal(zs_take_bytes(&s, 0, &part), 0);
}

static void varints_round_trip_and_truncate(void **state)
{
	struct zs_err err = {0};
	size_t i, cut;

	(void)state;
	for (i = 0; i < 64 + EDGES; i++) {
		uint64_t v = i < 64 ? UINT64_C(1) << i : edges[i - 64], got;
		struct zs_buf b = ZS_BUF_INIT;
		struct zs_span s;

		assert_int_equal(zs_buf_add_varint(&b, v, &err), 0);
		assert_in_range(b.n, 1, 10);
		for (cut = 0; cut < b.n; cut++) {
			s = zs_span(b.p, cut);
			assert_int_equal(zs_take_varint(&s, &got), -1);
			assert_int_equal(s.n, cut);
		}
		assert_int_equal(zs_buf_add_u8(&b, 0xee, &err), 0);
		s = zs_buf_span(&b);
		assert_int_equal(zs_take_varint(&s, &got), 0);
		assert_true(got == v);
		assert_int_equal(s.n, 1);
		zs_buf_fini(&b);
	}
}

static void bad_varints_are_refused(void **state)
{
	static const struct {
		size_t n;
		uint8_t raw[11];
	} bad[] = {
	    {2, {0x80, 0x00}}, /* overlong zero */
	    {3, {0xff, 0x80, 0x00}}, /* overlong 127 */
	    {10, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}}, /* 65 bits */
	    {10, {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}},
	    {11, {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}}, /* eleven bytes */
	    {11, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 0x00}},
	};
	uint64_t v = 77;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct zs_span s = zs_span(bad[i].raw, bad[i].n);

		assert_int_equal(zs_take_varint(&s, &v), -1);
		assert_int_equal(s.n, bad[i].n);
		assert_ptr_equal(s.p, bad[i].raw);
	}
	assert_int_equal(v, 77);
}

static void zigzag_round_trips(void **state)
{
	size_t i;

	(void)state;
	assert_true(zs_zigzag(0) == 0 && zs_zigzag(-1) == 1 && zs_zigzag(1) == 2 && zs_zigzag(-2) == 3);
	assert_true(zs_zigzag(INT64_MAX) == UINT64_MAX - 1 && zs_zigzag(INT64_MIN) == UINT64_MAX);
	for (i = 0; i < EDGES; i++) {
		assert_true(zs_unzigzag(zs_zigzag((int64_t)edges[i])) == (int64_t)edges[i]);
		assert_true(zs_zigzag(zs_unzigzag(edges[i])) == edges[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fixed_integers_round_trip),
	    cmocka_unit_test(takes_move_on_or_change_nothing),
	    cmocka_unit_test(varints_round_trip_and_truncate),
	    cmocka_unit_test(bad_varints_are_refused),
	    cmocka_unit_test(zigzag_round_trips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
