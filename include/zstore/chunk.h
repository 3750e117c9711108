/*
 * chunk: content-defined cuts in a stream of bytes (keyed 64-bit buzhash).
 */
#ifndef ZSTORE_CHUNK_H
#define ZSTORE_CHUNK_H

#include "zstore/base.h"
#include "zstore/codec.h"

#define ZS_CHUNK_MAX (1u << 20)
/*
 * 64 <= min <= avg <= max <= ZS_CHUNK_MAX.  From min on, each byte ends the chunk with probability 1 / (avg - min), so
 * that the mean is avg but for what max cuts short: min + (avg - min) * (1 - e^-((max - min) / (avg - min))).
 * avg == min: every chunk has min bytes.
 */
struct zs_chunk_sizes { uint32_t min_bytes, avg_bytes, max_bytes; };
int zs_chunk_sizes_valid(const struct zs_chunk_sizes *sizes); /* 1 or 0 */

struct zs_chunk_table; /* the keyed table; shared by all threads, read only */
int zs_chunk_table_new(const struct zs_key *seed, struct zs_chunk_table **out, struct zs_err *err) ZS_MUST_USE;
void zs_chunk_table_free(struct zs_chunk_table *t);

/*
 * Where does the chunk that starts at p end?  Looks at p[0..n) only.
 *   last  nonzero if no bytes follow p+n: then the rest is a chunk, however short
 * Returns its length 1..max, or 0 if the cut cannot be known before more bytes come (then n < max).
 * Pure: same bytes, same sizes, same table, same answer, however the stream was sliced.  It remembers nothing: give it
 * max bytes where there are as many, or they are scanned twice.  Nothing is scanned before min but the window.
 * sizes must be valid: asserted.
 */
size_t zs_chunk_cut(const struct zs_chunk_table *t, const struct zs_chunk_sizes *sizes, const uint8_t *p, size_t n, int last);

#endif
