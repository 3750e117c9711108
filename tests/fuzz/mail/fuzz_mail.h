/* A splitter with tiny chunks and a store of them in memory, for the fuzz targets of this layer. */
#ifndef FUZZ_MAIL_H
#define FUZZ_MAIL_H

#include <stdlib.h>
#include <string.h>

#include "zstore/mail.h"

#define CHECK(c) do { if (!(c)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_chunk { struct zs_id id; uint8_t *p; size_t n; };
struct fuzz_world {
	struct zs_split_params params;
	struct zs_chunk_table *table;
	struct zs_splitter *splitter;
	struct zs_key key;
	struct fuzz_chunk *chunks;
	size_t n, cap;
	struct zs_buf recipe, out;
};

static inline struct fuzz_chunk *fuzz_find(struct fuzz_world *w, const struct zs_id *id)
{
	for (size_t i = 0; i < w->n; i++)
		if (!zs_id_cmp(&w->chunks[i].id, id))
			return &w->chunks[i];
	return NULL;
}

static inline int fuzz_keep(void *ctx, enum zs_kind kind, const struct zs_id *id, struct zs_span plain,
    struct zs_err *err)
{
	struct fuzz_world *w = ctx;

	(void)err;
	CHECK(plain.n && plain.n <= ZS_CHUNK_MAX && kind > 0 && kind < ZS_KINDS);
	if (fuzz_find(w, id))
		return 0;
	if (w->n == w->cap) {
		w->cap = 2 * w->cap + 16;
		w->chunks = realloc(w->chunks, w->cap * sizeof *w->chunks);
		CHECK(w->chunks);
	}
	w->chunks[w->n] = (struct fuzz_chunk){*id, malloc(plain.n), plain.n};
	CHECK(w->chunks[w->n].p);
	memcpy(w->chunks[w->n++].p, plain.p, plain.n);
	return 0;
}

static inline int fuzz_recipe(void *ctx, struct zs_span ops, struct zs_err *err)
{
	return zs_buf_add_span(&((struct fuzz_world *)ctx)->recipe, ops, err);
}

static inline int fuzz_chunk(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err)
{
	struct fuzz_chunk *c = fuzz_find(ctx, id);

	(void)err;
	CHECK(c);
	*out = zs_span(c->p, c->n);
	return 0;
}

static inline struct fuzz_world *fuzz_world(void)
{
	static struct fuzz_world *w; /* made once: a fuzzer runs in one thread */
	struct zs_key seed = {{5}};
	struct zs_err err = {0};

	if (w)
		return w;
	w = calloc(1, sizeof *w);
	CHECK(w && zs_codec_init(&err) == 0 && zs_chunk_table_new(&seed, &w->table, &err) == 0);
	w->params = (struct zs_split_params){.table = w->table, .chunk_id_key = &w->key};
	for (int k = ZS_KIND_TEXT; k <= ZS_KIND_FILE; k++)
		w->params.sizes[k] = (struct zs_chunk_sizes){64, 128, 500};
	CHECK(zs_splitter_new(&w->params, &w->splitter, &err) == 0);
	return w;
}

/* Split s, in slices if seed is not 0; what was kept before is dropped. */
static inline struct zs_split_result fuzz_split(struct fuzz_world *w, struct zs_span s, uint32_t seed)
{
	struct zs_split_sink sink = {w, fuzz_keep, fuzz_recipe};
	struct zs_split_result r;
	struct zs_err err = {0};

	for (; w->n; w->n--)
		free(w->chunks[w->n - 1].p);
	zs_buf_clear(&w->recipe);
	CHECK(zs_splitter_begin(w->splitter, ZS_KIND_FILE, &sink, &err) == 0);
	while (s.n) {
		size_t n = seed ? 1 + (seed >> 8) % (1 + seed % 251) : s.n;

		n = n < s.n ? n : s.n;
		CHECK(zs_splitter_feed(w->splitter, zs_span(s.p, n), &err) == 0);
		s = zs_span(s.p + n, s.n - n);
		seed = seed ? (seed * 1103515245u + 12345u) | 1 : 0;
	}
	CHECK(zs_splitter_end(w->splitter, &r, &err) == 0);
	return r;
}

#endif
