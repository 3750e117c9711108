/*
 * Content-defined cuts: a 64-bit buzhash over the last 61 bytes, its table drawn from a key, compared after a keyed
 * multiplication.  store-format/chunking.md specifies it exactly; which bytes are cut and how large is for mail.
 */
#include <assert.h>
#include <stdlib.h>

#include "zstore/chunk.h"

/*
 * Below 64, so that no two bytes of the window meet under the same rotation and cancel; and not 64, where a run of one
 * byte would hash to all zeros or all ones whatever the table is.
 */
#define WINDOW 61u

struct zs_chunk_table {
	uint64_t in[256];
	uint64_t out[256]; /* in, rotated by WINDOW: what a byte has become when it leaves */
	uint64_t multiplier;
};

static inline uint64_t rotl(uint64_t v, unsigned by)
{
	return v << by | v >> (64 - by);
}

int zs_chunk_table_new(const struct zs_key *seed, struct zs_chunk_table **out, struct zs_err *err)
{
	struct zs_chunk_table *t = malloc(sizeof *t);
	struct zs_key table_key, piece;
	uint8_t counter[4];

	if (!t)
		return zs_fail_nomem(err);
	zs_key_derive(seed, "zstore chunk table", zs_span(NULL, 0), &table_key);
	for (uint32_t i = 0; i < 64; i++) {
		zs_put_u32(counter, i);
		zs_key_derive(&table_key, "entries", zs_span(counter, sizeof counter), &piece);
		for (unsigned k = 0; k < 4; k++) {
			t->in[4 * i + k] = zs_get_u64(piece.b + 8 * k);
			t->out[4 * i + k] = rotl(t->in[4 * i + k], WINDOW);
		}
	}
	zs_key_derive(&table_key, "multiplier", zs_span(NULL, 0), &piece);
	t->multiplier = zs_get_u64(piece.b) | 1;
	zs_wipe(&table_key, sizeof table_key);
	zs_wipe(&piece, sizeof piece);
	*out = t;
	return 0;
}

void zs_chunk_table_free(struct zs_chunk_table *t)
{
	if (t)
		zs_wipe(t, sizeof *t);
	free(t);
}

int zs_chunk_sizes_valid(const struct zs_chunk_sizes *s)
{
	return s->min_bytes >= 64 && s->min_bytes <= s->avg_bytes && s->avg_bytes <= s->max_bytes &&
	    s->max_bytes <= ZS_CHUNK_MAX;
}

/*
 * The first i in from..to-1 where the hash of the WINDOW bytes before i says cut, or `to`.  Four bytes a turn: then the
 * dependency from turn to turn is one rotation and one xor, and the table look-ups run ahead.
 */
static size_t scan(const struct zs_chunk_table *t, const uint8_t *p, size_t from, size_t to, uint64_t limit)
{
	const uint64_t mul = t->multiplier;
	uint64_t h = 0;
	size_t i = from;

	for (size_t k = from - WINDOW; k < from; k++)
		h = rotl(h, 1) ^ t->in[p[k]];
	for (; to - i > 4; i += 4) {
		const uint8_t *leave = p + i - WINDOW, *enter = p + i;
		uint64_t x0 = t->out[leave[0]] ^ t->in[enter[0]], x1 = t->out[leave[1]] ^ t->in[enter[1]];
		uint64_t x2 = t->out[leave[2]] ^ t->in[enter[2]], x3 = t->out[leave[3]] ^ t->in[enter[3]];
		uint64_t x01 = rotl(x0, 1) ^ x1, x23 = rotl(x2, 1) ^ x3;
		uint64_t h1 = rotl(h, 1) ^ x0, h2 = rotl(h, 2) ^ x01, h3 = rotl(h2, 1) ^ x2;

		if (__builtin_expect(h * mul <= limit, 0))
			return i;
		if (__builtin_expect(h1 * mul <= limit, 0))
			return i + 1;
		if (__builtin_expect(h2 * mul <= limit, 0))
			return i + 2;
		if (__builtin_expect(h3 * mul <= limit, 0))
			return i + 3;
		h = rotl(h, 4) ^ rotl(x01, 2) ^ x23;
	}
	for (; i < to; i++) {
		if (h * mul <= limit)
			return i;
		if (i + 1 < to)
			h = rotl(h, 1) ^ t->out[p[i - WINDOW]] ^ t->in[p[i]];
	}
	return to;
}

size_t zs_chunk_cut(const struct zs_chunk_table *t, const struct zs_chunk_sizes *sizes, const uint8_t *p, size_t n,
    int last)
{
	size_t min = sizes->min_bytes, max = sizes->max_bytes, to, at;
	uint64_t limit;

	assert(zs_chunk_sizes_valid(sizes));
	if (n < min)
		return last ? n : 0;
	if (sizes->avg_bytes == sizes->min_bytes)
		return min;
	/* A cut every avg - min bytes after the first min: avg in the mean. */
	limit = UINT64_MAX / (sizes->avg_bytes - sizes->min_bytes);
	to = n < max ? n + 1 : max;
	at = scan(t, p, min, to, limit);
	if (at < to)
		return at;
	if (n >= max)
		return max;
	return last ? n : 0;
}
