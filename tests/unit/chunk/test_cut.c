/* cut.c against a naive reading of store-format/chunking.md, and the properties that deduplication rests on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zstore/chunk.h"

#define BYTES (4u << 20)

static uint8_t *noise; /* BYTES bytes, the same in every run */
static struct zs_key seed = {{42}};
static struct zs_chunk_table *table;

static void fill(uint8_t *p, size_t n, uint64_t x)
{
	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = (uint8_t)(x >> 24);
	}
}

static int setup(void **state)
{
	struct zs_err err = {0};

	(void)state;
	noise = malloc(BYTES);
	if (!noise || zs_codec_init(&err) < 0)
		return -1;
	fill(noise, BYTES, 88172645463325252u);
	return zs_chunk_table_new(&seed, &table, &err);
}

static int teardown(void **state)
{
	(void)state;
	free(noise);
	zs_chunk_table_free(table);
	zs_chunk_table_free(NULL);
	return 0;
}

/* ------------------------------------------------ the specification, slowly */

static uint64_t T[256], multiplier;

static void naive_table(const struct zs_key *from)
{
	struct zs_key table_key, piece;
	uint8_t number[4] = {0};

	zs_key_derive(from, "zstore chunk table", zs_span(NULL, 0), &table_key);
	for (unsigned i = 0; i < 256; i++) {
		number[0] = (uint8_t)(i / 4);
		zs_key_derive(&table_key, "entries", zs_span(number, 4), &piece);
		T[i] = 0;
		for (unsigned b = 8; b-- > 0;)
			T[i] = T[i] * 256 + piece.b[i % 4 * 8 + b];
	}
	zs_key_derive(&table_key, "multiplier", zs_span(NULL, 0), &piece);
	multiplier = 0;
	for (unsigned b = 8; b-- > 0;)
		multiplier = multiplier * 256 + piece.b[b];
	multiplier |= 1;
}

static uint64_t naive_hash(const uint8_t *p, size_t i)
{
	uint64_t h = 0;

	for (unsigned j = 0; j < 61; j++) {
		uint64_t v = T[p[i - 61 + j]];
		unsigned by = 60 - j;

		h ^= by ? v << by | v >> (64 - by) : v;
	}
	return h;
}

static size_t naive_cut(const struct zs_chunk_sizes *s, const uint8_t *p, size_t n)
{
	if (n < s->min_bytes)
		return n;
	if (s->avg_bytes == s->min_bytes)
		return s->min_bytes;
	for (size_t i = s->min_bytes; i < s->max_bytes && i <= n; i++)
		if (naive_hash(p, i) * multiplier <= UINT64_MAX / (s->avg_bytes - s->min_bytes))
			return i;
	return n < s->max_bytes ? n : s->max_bytes;
}

static void agrees_with_naive(void **state)
{
	static const struct zs_chunk_sizes sizes[] = {
		{64, 65, 66}, {64, 64, 64}, {64, 66, 1000}, {64, 256, 1024}, {100, 300, 301}, {128, 1024, 4096},
		{512, 2048, 8192},
		{1000, 1000, 3000}, {700, 777, 777},
	};

	(void)state;
	naive_table(&seed);
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		size_t at = 0, n = 60000 + s; /* other ends for the last chunk */

		while (at < n) {
			size_t got = zs_chunk_cut(table, &sizes[s], noise + at, n - at, 1);

			assert_int_equal(got, naive_cut(&sizes[s], noise + at, n - at));
			at += got;
		}
		assert_int_equal(at, n);
	}
}

/* Computed by an independent script: a change here would cut everything anew. */
static void pinned(void **state)
{
	static const struct zs_chunk_sizes sizes = {1024, 4096, 16384};
	static const size_t expect[] = {1150, 1926, 6225, 7949, 3014, 6320, 2673, 5824, 4544, 1476};
	size_t at = 0;

	(void)state;
	for (size_t i = 0; i < sizeof expect / sizeof *expect; i++) {
		size_t got = zs_chunk_cut(table, &sizes, noise + at, BYTES - at, 1);

		assert_int_equal(got, expect[i]);
		at += got;
	}
}

/* ------------------------------------------------------------- properties */

static void any_slicing(void **state)
{
	static const struct zs_chunk_sizes sizes = {256, 1024, 4096};
	size_t at = 0, total = 200000;

	(void)state;
	for (unsigned round = 0; at < total; round++) {
		size_t whole = zs_chunk_cut(table, &sizes, noise + at, total - at, 1);
		size_t step = round % 7 == 0 ? 1 : 1 + round * 37 % 600, got = 0;

		for (size_t n = 0; !got; n += step) {
			if (n >= total - at) {
				got = zs_chunk_cut(table, &sizes, noise + at, total - at, 1);
				break;
			}
			got = zs_chunk_cut(table, &sizes, noise + at, n, 0);
			assert_true(got == 0 || got <= n);
			if (!got)
				assert_true(n < sizes.max_bytes);
		}
		assert_int_equal(got, whole);
		at += whole;
	}
	assert_int_equal(at, total);
}

static void ends(void **state)
{
	static const struct zs_chunk_sizes sizes = {256, 1024, 4096};

	(void)state;
	assert_int_equal(zs_chunk_cut(table, &sizes, noise, 0, 0), 0);
	assert_int_equal(zs_chunk_cut(table, &sizes, noise, 0, 1), 0);
	assert_int_equal(zs_chunk_cut(table, &sizes, noise, 1, 1), 1);
	assert_int_equal(zs_chunk_cut(table, &sizes, noise, 255, 0), 0);
	assert_int_equal(zs_chunk_cut(table, &sizes, noise, 255, 1), 255);
}

/* How many chunks the n bytes at p have; checks the bounds of each. */
static size_t chunks_of(const struct zs_chunk_table *t, const struct zs_chunk_sizes *s, const uint8_t *p, size_t n)
{
	size_t at = 0, count = 0;

	while (at < n) {
		size_t got = zs_chunk_cut(t, s, p + at, n - at, 1);

		assert_true(got <= s->max_bytes && (got >= s->min_bytes || at + got == n));
		at += got;
		count++;
	}
	return count;
}

static void mean_is_avg(void **state)
{
	static const struct zs_chunk_sizes sizes[] = {{64, 1024, 1 << 20}, {256, 1024, 4096}, {512, 2048, 16384},
	    {1024, 1536, 8192}};

	(void)state;
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		double mean = (double)BYTES / (double)chunks_of(table, &sizes[s], noise, BYTES);

		assert_true(mean > 0.93 * sizes[s].avg_bytes && mean < 1.07 * sizes[s].avg_bytes);
	}
}

/* Beyond min the lengths fall off evenly: about as many in each quarter of an exponential law. */
static void evenly_spread(void **state)
{
	static const struct zs_chunk_sizes sizes = {256, 1024, 1 << 20};
	static const size_t quartile[] = {256 + 221, 256 + 532, 256 + 1065}; /* 768 * ln(4/3), ln 2, ln 4 */
	size_t in[4] = {0}, at = 0, count = 0;

	(void)state;
	while (at < BYTES) {
		size_t got = zs_chunk_cut(table, &sizes, noise + at, BYTES - at, 1);

		in[(got > quartile[0]) + (got > quartile[1]) + (got > quartile[2])]++;
		at += got;
		count++;
	}
	for (unsigned i = 0; i < 4; i++)
		assert_true(in[i] > count * 22 / 100 && in[i] < count * 28 / 100);
}

/* Text with little in it, and a run of one byte: within bounds, and text does not degenerate. */
static void poor_bytes(void **state)
{
	static const struct zs_chunk_sizes sizes = {256, 1024, 4096};
	uint8_t *p = malloc(1 << 20);
	size_t count;

	(void)state;
	assert_non_null(p);
	for (size_t i = 0; i < 1 << 20; i++)
		p[i] = (uint8_t)('a' + noise[i] % 2);
	count = chunks_of(table, &sizes, p, 1 << 20);
	assert_true(count > 900 && count < 1250);
	for (unsigned v = 0; v < 256; v++) {
		memset(p, (int)v, 20000);
		count = chunks_of(table, &sizes, p, 20000);
		assert_true(count == 5 || count == 79); /* all at max, or all at min */
	}
	free(p);
}

/* One byte in: the cuts after it, seen from the end, are the old ones but for a few. */
static void survives_a_shift(void **state)
{
	static const struct zs_chunk_sizes sizes = {256, 1024, 4096};
	size_t n = 1 << 20, at, same = 0, old = 0;
	uint8_t *p = malloc(n + 1), *cut_at = calloc(1, n + 2);

	(void)state;
	assert_non_null(p);
	assert_non_null(cut_at);
	for (at = 0; at < n; at += zs_chunk_cut(table, &sizes, noise + at, n - at, 1))
		cut_at[n - at] = 1, old += at > 5000;
	memcpy(p, noise, 5000);
	p[5000] = 'x';
	memcpy(p + 5001, noise + 5000, n - 5000);
	for (at = 0; at < n + 1; at += zs_chunk_cut(table, &sizes, p + at, n + 1 - at, 1))
		same += at > 5000 && cut_at[n + 1 - at];
	assert_true(old > 900);
	assert_true(same + 8 >= old);
	free(p);
	free(cut_at);
}

static void depends_on_the_key(void **state)
{
	static const struct zs_chunk_sizes sizes = {256, 1024, 4096};
	struct zs_chunk_table *other, *again;
	struct zs_key other_seed = seed;
	struct zs_err err = {0};
	size_t n = 1 << 20, at, same = 0, count = 0;
	uint8_t *cut_at = calloc(1, n + 1);

	(void)state;
	assert_non_null(cut_at);
	other_seed.b[31] ^= 1;
	assert_int_equal(zs_chunk_table_new(&other_seed, &other, &err), 0);
	assert_int_equal(zs_chunk_table_new(&seed, &again, &err), 0);
	for (at = 0; at < n; at += zs_chunk_cut(table, &sizes, noise + at, n - at, 1)) {
		assert_int_equal(zs_chunk_cut(table, &sizes, noise + at, n - at, 1),
		    zs_chunk_cut(again, &sizes, noise + at, n - at, 1));
		cut_at[at] = 1;
	}
	for (at = 0; at < n; at += zs_chunk_cut(other, &sizes, noise + at, n - at, 1), count++)
		same += cut_at[at];
	assert_true(count > 900 && same < 20); /* by chance one in a thousand, and the beginning */
	zs_chunk_table_free(other);
	zs_chunk_table_free(again);
	free(cut_at);
}

static void valid_sizes(void **state)
{
	static const struct zs_chunk_sizes good[] = {{64, 64, 64}, {16384, 65536, 262144}, {64, 100, ZS_CHUNK_MAX}};
	static const struct zs_chunk_sizes bad[] = {{63, 64, 65}, {64, 63, 65}, {64, 66, 65},
	    {64, 65, ZS_CHUNK_MAX + 1}, {0, 0, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(zs_chunk_sizes_valid(&good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(zs_chunk_sizes_valid(&bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_naive), cmocka_unit_test(pinned), cmocka_unit_test(any_slicing),
		cmocka_unit_test(ends),
		cmocka_unit_test(mean_is_avg), cmocka_unit_test(evenly_spread), cmocka_unit_test(poor_bytes),
		cmocka_unit_test(survives_a_shift), cmocka_unit_test(depends_on_the_key), cmocka_unit_test(valid_sizes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
