/* box.c: round trips, and that nothing but the same key, type and place opens a box. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "zstore/codec.h"

static struct zs_key key;
static const struct zs_span here = {(const uint8_t *)"repository 1, snapshot", 22};

static int setup(void **state)
{
	struct zs_err err = {0};

	(void)state;
	if (zs_codec_init(&err) < 0)
		return -1;
	zs_random(&key, sizeof key);
	return 0;
}

static void seal(struct zs_span plain, struct zs_buf *box)
{
	struct zs_err err = {0};

	assert_int_equal(zs_box_seal(&key, "ZSSN", 1, here, plain, box, &err), 0);
}

/* What opening gives: ZS_OK or the cause. */
static enum zs_cause open_as(const struct zs_key *k, const char *magic, uint16_t max, struct zs_span context,
    struct zs_span box, struct zs_buf *out)
{
	struct zs_err err = {0};
	uint16_t version = 0;

	if (zs_box_open(k, magic, max, context, box, out, &version, &err) == 0) {
		assert_int_equal(version, 1);
		return ZS_OK;
	}
	assert_int_not_equal(err.cause, ZS_OK);
	return err.cause;
}

static void comes_back(void **state)
{
	uint8_t plain[3000];

	(void)state;
	zs_random(plain, sizeof plain);
	for (size_t n = 0; n <= sizeof plain; n += n < 300 ? 1 : 271) {
		struct zs_buf box = ZS_BUF_INIT, out = ZS_BUF_INIT;
		struct zs_err err = {0};

		assert_int_equal(zs_buf_add(&box, "head", 4, &err), 0);
		seal(zs_span(plain, n), &box);
		assert_int_equal(box.n - 4, ZS_BOX_OVERHEAD - 4 + zs_padme(n + 4));
		assert_int_equal(zs_buf_add(&out, "more", 4, &err), 0);
		assert_int_equal(open_as(&key, "ZSSN", 1, here, zs_span(box.p + 4, box.n - 4), &out), ZS_OK);
		assert_int_equal(out.n, n + 4);
		assert_memory_equal(out.p, "more", 4);
		assert_memory_equal(out.p + 4, plain, n);
		zs_buf_fini(&box);
		zs_buf_fini(&out);
	}
}

static void fresh_each_time(void **state)
{
	struct zs_buf a = ZS_BUF_INIT, b = ZS_BUF_INIT;

	(void)state;
	seal(zs_span_str("same"), &a);
	seal(zs_span_str("same"), &b);
	assert_int_equal(a.n, b.n);
	assert_memory_not_equal(a.p + 8, b.p + 8, 32);
	assert_memory_not_equal(a.p + 72, b.p + 72, a.n - 72);
	zs_buf_fini(&a);
	zs_buf_fini(&b);
}

static void every_flip(void **state)
{
	struct zs_buf box = ZS_BUF_INIT, out = ZS_BUF_INIT;

	(void)state;
	seal(zs_span_str("the root of a tree"), &box);
	for (size_t bit = 0; bit < box.n * 8; bit++) {
		enum zs_cause got, want = ZS_CORRUPT;

		box.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		got = open_as(&key, "ZSSN", 1, here, zs_buf_span(&box), &out);
		if (bit / 8 == 4 || bit / 8 == 5)
			want = bit == 32 ? ZS_CORRUPT : ZS_VERSION; /* version 0 is none */
		else if (bit / 8 >= 8 && bit / 8 < 72)
			want = ZS_KEY;
		assert_int_equal(got, want);
		assert_int_equal(out.n, 0);
		box.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(open_as(&key, "ZSSN", 1, here, zs_buf_span(&box), &out), ZS_OK);
	zs_buf_fini(&box);
	zs_buf_fini(&out);
}

static void every_length(void **state)
{
	struct zs_buf box = ZS_BUF_INIT, out = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	seal(zs_span_str("the root of a tree"), &box);
	for (size_t n = 0; n < box.n; n++)
		assert_int_equal(open_as(&key, "ZSSN", 1, here, zs_span(box.p, n), &out), ZS_CORRUPT);
	assert_int_equal(zs_buf_add_u8(&box, 0, &err), 0);
	assert_int_equal(open_as(&key, "ZSSN", 1, here, zs_buf_span(&box), &out), ZS_CORRUPT);
	zs_buf_fini(&box);
	zs_buf_fini(&out);
}

static void wrong_place(void **state)
{
	struct zs_buf box = ZS_BUF_INIT, out = ZS_BUF_INIT;
	struct zs_key other = key;

	(void)state;
	seal(zs_span_str("x"), &box);
	other.b[31] ^= 1;
	assert_int_equal(open_as(&other, "ZSSN", 1, here, zs_buf_span(&box), &out), ZS_KEY);
	assert_int_equal(open_as(&key, "ZSIX", 1, here, zs_buf_span(&box), &out), ZS_CORRUPT);
	assert_int_equal(open_as(&key, "ZSSN", 1, zs_span(here.p, here.n - 1), zs_buf_span(&box), &out), ZS_CORRUPT);
	assert_int_equal(open_as(&key, "ZSSN", 1, zs_span(NULL, 0), zs_buf_span(&box), &out), ZS_CORRUPT);
	memcpy(box.p, "ZSIX", 4); /* relabelled: the key is bound to the type */
	assert_int_equal(open_as(&key, "ZSIX", 1, here, zs_buf_span(&box), &out), ZS_KEY);
	zs_buf_fini(&box);
	zs_buf_fini(&out);
}

static void versions(void **state)
{
	struct zs_buf box = ZS_BUF_INIT, out = ZS_BUF_INIT;
	struct zs_err err = {0};
	uint16_t version = 0;

	(void)state;
	assert_int_equal(zs_box_seal(&key, "ZSSN", 7, here, zs_span_str("x"), &box, &err), 0);
	assert_int_equal(zs_box_open(&key, "ZSSN", 6, here, zs_buf_span(&box), &out, &version, &err), -1);
	assert_int_equal(err.cause, ZS_VERSION);
	assert_int_equal(version, 7);
	assert_int_equal(zs_box_open(&key, "ZSSN", 9, here, zs_buf_span(&box), &out, &version, &err), 0);
	assert_int_equal(version, 7);
	zs_put_u16(box.p + 4, 6); /* rolled back */
	assert_int_equal(zs_box_open(&key, "ZSSN", 9, here, zs_buf_span(&box), &out, &version, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	zs_buf_fini(&box);
	zs_buf_fini(&out);
}

static void padme(void **state)
{
	static const uint64_t known[][2] = {
		{0, 0}, {1, 1}, {2, 2}, {3, 3}, {7, 7}, {8, 8}, {9, 10}, {33, 36}, {100, 104}, {1000, 1024},
		{1025, 1088},
		{UINT64_MAX, UINT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		assert_int_equal(zs_padme(known[i][0]), known[i][1]);
	for (uint64_t n = 1; n < (UINT64_C(1) << 40); n += n / 37 + 1) {
		uint64_t to = zs_padme(n);

		assert_true(to >= n && to - n <= n * 12 / 100 + 1);
		assert_int_equal(zs_padme(to), to);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back), cmocka_unit_test(fresh_each_time), cmocka_unit_test(every_flip),
		cmocka_unit_test(every_length), cmocka_unit_test(wrong_place), cmocka_unit_test(versions),
		cmocka_unit_test(padme),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
