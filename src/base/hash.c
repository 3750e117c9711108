/*
 * XXH3 with 64 bits, whole and streamed: checksums and boundaries, never names.  Its values are stored, so that the
 * function behind it cannot be exchanged.
 */
#include "zstore/base.h"

#include <stdlib.h>
#include <xxhash.h>

struct zs_hasher {
	XXH3_state_t *state; /* allocated by xxhash: it needs 64-byte alignment */
};

uint64_t zs_hash64(uint64_t seed, struct zs_span s)
{
	return XXH3_64bits_withSeed(s.p, s.n, seed);
}

struct zs_hasher *zs_hasher_new(void)
{
	struct zs_hasher *h = malloc(sizeof(*h));

	if (!h)
		return NULL;
	h->state = XXH3_createState();
	if (!h->state) {
		free(h);
		return NULL;
	}
	zs_hasher_reset(h);
	return h;
}

void zs_hasher_reset(struct zs_hasher *h)
{
	(void)XXH3_64bits_reset(h->state);
}

void zs_hasher_add(struct zs_hasher *h, struct zs_span s)
{
	if (s.n > 0)
		(void)XXH3_64bits_update(h->state, s.p, s.n);
}

void zs_hasher_add_zeros(struct zs_hasher *h, uint64_t n)
{
	static const uint8_t zeros[16384];

	for (; n > sizeof(zeros); n -= sizeof(zeros))
		zs_hasher_add(h, zs_span(zeros, sizeof(zeros)));
	zs_hasher_add(h, zs_span(zeros, (size_t)n));
}

uint64_t zs_hasher_sum(const struct zs_hasher *h)
{
	return XXH3_64bits_digest(h->state);
}

void zs_hasher_free(struct zs_hasher *h)
{
	if (!h)
		return;
	(void)XXH3_freeState(h->state);
	free(h);
}
