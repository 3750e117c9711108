/*
 * Cuts lie within bounds and are the same however the stream is sliced.  Input: seed byte, sizes (three bytes), slice
 * step, then the stream.
 */
#include <stdlib.h>
#include <string.h>

#include "zstore/chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The cut as found by offering ever more bytes, each time in memory of exactly that size. */
static size_t cut_by_slices(const struct zs_chunk_table *t, const struct zs_chunk_sizes *sizes, struct zs_span s,
    size_t step)
{
	size_t got = 0;

	for (size_t n = 0; !got; n += step) {
		size_t have = n < s.n ? n : s.n;
		uint8_t *exact = malloc(have ? have : 1);

		if (!exact)
			abort();
		if (have)
			memcpy(exact, s.p, have);
		got = zs_chunk_cut(t, sizes, exact, have, have == s.n);
		free(exact);
		if (got > have)
			abort();
		if (!got && (have >= sizes->max_bytes || have == s.n))
			abort();
	}
	return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zs_span s = zs_span(data, size);
	struct zs_chunk_sizes sizes;
	struct zs_chunk_table *t;
	struct zs_key seed = {{0}};
	struct zs_err err = {0};
	struct zs_span head;

	if (zs_codec_init(&err) < 0)
		abort();
	if (zs_take_bytes(&s, 5, &head) < 0)
		return 0;
	seed.b[0] = head.p[0];
	sizes.min_bytes = 64 + head.p[1];
	sizes.avg_bytes = sizes.min_bytes + head.p[2];
	sizes.max_bytes = sizes.avg_bytes + 4u * head.p[3];
	if (zs_chunk_table_new(&seed, &t, &err) < 0)
		abort();
	while (s.n) {
		size_t got = zs_chunk_cut(t, &sizes, s.p, s.n, 1);

		if (got < 1 || got > sizes.max_bytes || got > s.n || (got < sizes.min_bytes && got != s.n))
			abort();
		if (cut_by_slices(t, &sizes, s, 1u + head.p[4]) != got)
			abort();
		s.p += got;
		s.n -= got;
	}
	zs_chunk_table_free(t);
	return 0;
}
