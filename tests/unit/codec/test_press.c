/* press.c: round trips, the rule about gain, inputs that lie about what they hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zstore/codec.h"

static struct zs_press *press;

static int setup(void **state)
{
	struct zs_err err = {0};

	(void)state;
	return zs_codec_init(&err) < 0 || zs_press_new(&press, &err) < 0;
}

static int teardown(void **state)
{
	(void)state;
	zs_press_free(press);
	return 0;
}

static uint8_t *text(size_t n)
{
	uint8_t *p = malloc(n + 1);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)("Received: from mail.example.org "[(i * 7 + i / 100) % 32]);
	return p;
}

static uint8_t *noise(size_t n)
{
	uint8_t *p = malloc(n + 1);

	assert_non_null(p);
	zs_random(p, n);
	return p;
}

static void round_trip(struct zs_span plain, int level, enum zs_press_algo expect)
{
	struct zs_buf pressed = ZS_BUF_INIT, back = ZS_BUF_INIT;
	enum zs_press_algo algo = ZS_PRESS_NONE;
	struct zs_err err = {0};

	assert_int_equal(zs_buf_add(&pressed, "before", 6, &err), 0);
	assert_int_equal(zs_buf_add(&back, "front", 5, &err), 0);
	assert_int_equal(zs_press_pack(press, plain, level, &pressed, &algo, &err), 0);
	assert_int_equal(algo, expect);
	assert_memory_equal(pressed.p, "before", 6);
	if (algo == ZS_PRESS_ZSTD)
		assert_true(pressed.n - 6 <= plain.n - plain.n / 64);
	assert_int_equal(zs_press_unpack(press, algo, zs_span(pressed.p + 6, pressed.n - 6), plain.n, &back, &err), 0);
	assert_int_equal(back.n, plain.n + 5);
	assert_memory_equal(back.p, "front", 5);
	if (plain.n)
		assert_memory_equal(back.p + 5, plain.p, plain.n);
	zs_buf_fini(&pressed);
	zs_buf_fini(&back);
}

static void comes_back(void **state)
{
	static const size_t sizes[] = {63, 64, 65, 1000, 65536, 1u << 20};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint8_t *t = text(sizes[i]), *r = noise(sizes[i]);

		round_trip(zs_span(t, sizes[i]), 3, ZS_PRESS_ZSTD);
		round_trip(zs_span(t, sizes[i]), 0, ZS_PRESS_NONE);
		round_trip(zs_span(r, sizes[i]), 3, ZS_PRESS_NONE);
		if (sizes[i] < 70000) {
			round_trip(zs_span(t, sizes[i]), 1, ZS_PRESS_ZSTD);
			round_trip(zs_span(t, sizes[i]), 19, ZS_PRESS_ZSTD);
			round_trip(zs_span(t, sizes[i]), 99, ZS_PRESS_ZSTD);
		}
		free(t);
		free(r);
	}
	round_trip(zs_span(NULL, 0), 3, ZS_PRESS_NONE);
	round_trip(zs_span("x", 1), 3, ZS_PRESS_NONE);
	round_trip(zs_span("xx", 2), 3, ZS_PRESS_NONE);
}

/* Noise with a repeated stretch: the gain is known, and the rule is 1/64. */
static void gain_rule(void **state)
{
	uint8_t *p = noise(64000);

	(void)state;
	memcpy(p + 63500, p, 500);
	round_trip(zs_span(p, 64000), 3, ZS_PRESS_NONE);
	memcpy(p + 62000, p, 2000);
	round_trip(zs_span(p, 64000), 3, ZS_PRESS_ZSTD);
	free(p);
}

static void expect_corrupt(enum zs_press_algo algo, struct zs_span s, size_t plain_bytes)
{
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};

	assert_int_equal(zs_press_unpack(press, algo, s, plain_bytes, &out, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_int_equal(out.n, 0);
	/* nothing like the lie has been allocated */
	assert_true(out.cap <= 2 * (1u << 20));
	zs_buf_fini(&out);
}

static void lies(void **state)
{
	struct zs_buf z = ZS_BUF_INIT;
	enum zs_press_algo algo;
	struct zs_err err = {0};
	uint8_t *t = text(5000);

	(void)state;
	assert_int_equal(zs_press_pack(press, zs_span(t, 5000), 3, &z, &algo, &err), 0);
	assert_int_equal(algo, ZS_PRESS_ZSTD);
	expect_corrupt(algo, zs_buf_span(&z), 4999);
	expect_corrupt(algo, zs_buf_span(&z), 5001);
	expect_corrupt(algo, zs_buf_span(&z), SIZE_MAX);
	expect_corrupt(ZS_PRESS_NONE, zs_buf_span(&z), 5000);
	expect_corrupt((enum zs_press_algo)2, zs_buf_span(&z), 5000);
	for (size_t n = 0; n < z.n; n++)
		expect_corrupt(algo, zs_span(z.p, n), 5000);
	assert_int_equal(zs_buf_add_u8(&z, 0, &err), 0); /* something after the frame */
	expect_corrupt(algo, zs_buf_span(&z), 5000);
	free(t);
	zs_buf_fini(&z);
}

/* A frame that holds far more than it should: refused by its own word, before anything is unpacked. */
static void bomb(void **state)
{
	struct zs_buf z = ZS_BUF_INIT;
	enum zs_press_algo algo;
	struct zs_err err = {0};
	size_t n = 32u << 20;
	uint8_t *zeros = calloc(1, n);

	(void)state;
	assert_non_null(zeros);
	assert_int_equal(zs_press_pack(press, zs_span(zeros, n), 1, &z, &algo, &err), 0);
	assert_int_equal(algo, ZS_PRESS_ZSTD);
	assert_true(z.n < n / 1000);
	expect_corrupt(algo, zs_buf_span(&z), 1u << 20);
	free(zeros);
	zs_buf_fini(&z);
}

static void two_frames(void **state)
{
	struct zs_buf z = ZS_BUF_INIT;
	enum zs_press_algo algo;
	struct zs_err err = {0};
	uint8_t *t = text(3000);

	(void)state;
	assert_int_equal(zs_press_pack(press, zs_span(t, 3000), 3, &z, &algo, &err), 0);
	assert_int_equal(zs_press_pack(press, zs_span(t, 3000), 3, &z, &algo, &err), 0);
	expect_corrupt(ZS_PRESS_ZSTD, zs_buf_span(&z), 6000);
	expect_corrupt(ZS_PRESS_ZSTD, zs_buf_span(&z), 3000);
	free(t);
	zs_buf_fini(&z);
}

static void flipped(void **state)
{
	struct zs_buf z = ZS_BUF_INIT;
	enum zs_press_algo algo;
	struct zs_err err = {0};
	uint8_t *t = text(700);

	(void)state;
	assert_int_equal(zs_press_pack(press, zs_span(t, 700), 3, &z, &algo, &err), 0);
	for (size_t bit = 0; bit < z.n * 8; bit++) {
		struct zs_buf out = ZS_BUF_INIT;
		int rc;

		z.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		rc = zs_press_unpack(press, algo, zs_buf_span(&z), 700, &out, &err);
		assert_int_equal(out.n, rc ? 0 : 700); /* never another number of bytes */
		z.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		zs_buf_fini(&out);
	}
	free(t);
	zs_buf_fini(&z);
}

static void dense(void **state)
{
	size_t n = 1u << 20;
	uint8_t *t = text(n), *r = noise(n);

	(void)state;
	assert_int_equal(zs_press_is_dense(press, zs_span(t, n)), 0);
	assert_int_equal(zs_press_is_dense(press, zs_span(r, n)), 1);
	assert_int_equal(zs_press_is_dense(press, zs_span(r, 30000)), 1);
	assert_int_equal(zs_press_is_dense(press, zs_span(r, 100)), 0);
	assert_int_equal(zs_press_is_dense(press, zs_span(NULL, 0)), 0);
	memcpy(r + n / 2, t, n / 4); /* a quarter of it gains: worth it */
	assert_int_equal(zs_press_is_dense(press, zs_span(r, n)), 0);
	free(t);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back), cmocka_unit_test(gain_rule), cmocka_unit_test(lies),
		cmocka_unit_test(bomb),
		cmocka_unit_test(two_frames), cmocka_unit_test(flipped), cmocka_unit_test(dense),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
