/* What the tests of format share: random values from a seed, and comparing by what is written down. */
#ifndef ZSTORE_TEST_FORMAT_COMMON_H
#define ZSTORE_TEST_FORMAT_COMMON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../format/records.h"

static uint64_t seed_state = 0x9e3779b97f4a7c15;

static inline uint64_t rnd(void)
{
	seed_state ^= seed_state << 13;
	seed_state ^= seed_state >> 7;
	seed_state ^= seed_state << 17;
	return seed_state;
}

/* 0 .. n-1 */
static inline unsigned below(unsigned n)
{
	return (unsigned)((rnd() >> 20) % n);
}

/* Of any magnitude, not only large. */
static inline uint64_t number(void)
{
	return rnd() >> below(64);
}

static inline void random_bytes(void *p, size_t n)
{
	uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)rnd();
}

/* Encoding must fail with this cause and leave *out as it was. */
#define assert_refused(call, out, expected)                                                                            \
	do {                                                                                                           \
		size_t before_ = (out)->n;                                                                             \
		struct zs_err err_ = {.cause = ZS_OK};                                                                 \
		assert_int_equal((call), -1);                                                                          \
		assert_int_equal(err_.cause, (expected));                                                              \
		assert_true(err_.text[0] != '\0');                                                                     \
		assert_int_equal((out)->n, before_);                                                                   \
	} while (0)

/* What the record's decoder makes of the bytes equals the text written from the original. */
static inline void assert_round_trip(const char *record, const struct zs_buf *bytes, const struct zs_buf *text)
{
	struct zs_buf decoded = ZS_BUF_INIT, again = ZS_BUF_INIT;
	struct json j = {.out = &decoded, .depth = 1, .first = 1};
	struct zs_err err = {.cause = ZS_OK};

	assert_int_equal(record_find(record)->run(zs_buf_span(bytes), &j, &again, &err), 0);
	assert_int_equal(decoded.n, text->n);
	assert_memory_equal(decoded.p, text->p, text->n);
	assert_int_equal(again.n, bytes->n);
	if (again.n)
		assert_memory_equal(again.p, bytes->p, bytes->n);
	zs_buf_fini(&decoded);
	zs_buf_fini(&again);
}

/* The decoder fails with this cause. */
static inline void assert_undecodable(const char *record, struct zs_span bytes, enum zs_cause cause)
{
	struct zs_buf again = ZS_BUF_INIT;
	struct zs_err err = {.cause = ZS_OK};

	assert_int_equal(record_find(record)->run(bytes, NULL, &again, &err), -1);
	assert_int_equal(err.cause, cause);
	zs_buf_fini(&again);
}

#endif
