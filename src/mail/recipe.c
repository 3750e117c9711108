/*
 * Collects a recipe; a long one is cut into chunks, whose own recipe (of RAW ops) is collected one level up.
 * Cuts lie after ops whose chunk id says so, that a change within a large file changes few recipe chunks.
 */
#include <stdlib.h>

#include "mail_private.h"

#define SPILL_MIN (2u << 10)
#define SPILL_MAX (64u << 10)
#define SPILL_MASK 511 /* one op in so many ends a chunk: about 14 KiB */

struct level {
	struct zs_buf buf;
	size_t from;	/* the part before has been put */
	size_t seen;	/* the part before has been looked at for a cut */
	int spilled;	/* has put chunks */
};

struct zs_recipe_writer {
	const struct zs_key *key;
	struct level level[READER_DEPTH_MAX + 1];
};

int zs_recipe_writer_new(const struct zs_key *chunk_id_key, struct zs_recipe_writer **out, struct zs_err *err)
{
	struct zs_recipe_writer *w = calloc(1, sizeof *w);

	if (!w)
		return zs_fail_nomem(err);
	w->key = chunk_id_key;
	*out = w;
	return 0;
}

void zs_recipe_writer_free(struct zs_recipe_writer *w)
{
	if (!w)
		return;
	for (unsigned i = 0; i <= READER_DEPTH_MAX; i++)
		zs_buf_fini(&w->level[i].buf);
	free(w);
}

static void reset(struct zs_recipe_writer *w)
{
	for (unsigned i = 0; i <= READER_DEPTH_MAX; i++) {
		struct level *l = &w->level[i];

		zs_buf_clear(&l->buf);
		l->from = l->seen = 0;
		l->spilled = 0;
	}
}

/* Put level i's bytes up to `end` as a chunk, and its reference one level up. */
static int put_chunk(struct zs_recipe_writer *w, unsigned i, size_t end, zs_recipe_put_fn *put, void *ctx,
    struct zs_err *err)
{
	struct level *l = &w->level[i];
	struct zs_span plain = zs_span(l->buf.p + l->from, end - l->from);
	struct zs_op op = {.type = ZS_OP_RAW, .bytes = plain.n};

	if (i == READER_DEPTH_MAX)
		return zs_fail(err, ZS_LIMIT, "recipe: more than %d levels", READER_DEPTH_MAX);
	zs_codec_chunk_id(w->key, plain, &op.id);
	if (put(ctx, ZS_KIND_TREE, &op.id, plain, err) < 0)
		return -1;
	l->from = end;
	l->spilled = 1;
	return zs_format_op_encode(&op, &w->level[i + 1].buf, err);
}

static int is_cut(const struct zs_op *op, size_t bytes)
{
	if (bytes + ZS_OP_ENCODED_MAX > SPILL_MAX)
		return 1;
	if (bytes < SPILL_MIN || (op->type != ZS_OP_RAW && op->type != ZS_OP_SKELETON))
		return 0;
	return (zs_get_u16(op->id.b) & SPILL_MASK) == 0;
}

/* Cut what level i has beyond ZS_RECIPE_INLINE. */
static int spill(struct zs_recipe_writer *w, unsigned i, zs_recipe_put_fn *put, void *ctx, struct zs_err *err)
{
	struct level *l = &w->level[i];
	struct zs_op op;
	int rc;

	if (!l->spilled && l->buf.n <= ZS_RECIPE_INLINE)
		return 0;
	while (l->seen < l->buf.n) {
		struct zs_span rest = zs_span(l->buf.p + l->seen, l->buf.n - l->seen);

		rc = zs_format_op_next(&rest, &op, err);
		if (rc <= 0)
			return rc;
		l->seen = l->buf.n - rest.n;
		if (is_cut(&op, l->seen - l->from) && put_chunk(w, i, l->seen, put, ctx, err) < 0)
			return -1;
	}
	if (l->from) { /* the rest to the front */
		size_t rest = l->buf.n - l->from;

		for (size_t k = 0; k < rest; k++)
			l->buf.p[k] = l->buf.p[l->from + k];
		l->buf.n = l->seen = rest;
		l->from = 0;
	}
	return i < READER_DEPTH_MAX ? spill(w, i + 1, put, ctx, err) : 0;
}

int zs_recipe_writer_add(struct zs_recipe_writer *w, struct zs_span ops, zs_recipe_put_fn *put, void *ctx,
    struct zs_err *err)
{
	if (zs_buf_add_span(&w->level[0].buf, ops, err) < 0 || spill(w, 0, put, ctx, err) < 0) {
		reset(w);
		return -1;
	}
	return 0;
}

int zs_recipe_writer_finish(struct zs_recipe_writer *w, zs_recipe_put_fn *put, void *ctx, struct zs_span *out_recipe,
    uint8_t *out_depth, struct zs_err *err)
{
	unsigned i;

	for (i = 0; w->level[i].spilled || w->level[i].buf.n > ZS_RECIPE_INLINE; i++) {
		if ((w->level[i].buf.n && put_chunk(w, i, w->level[i].buf.n, put, ctx, err) < 0) ||
		    spill(w, i + 1, put, ctx, err) < 0) {
			reset(w);
			return -1;
		}
	}
	*out_recipe = zs_buf_span(&w->level[i].buf);
	*out_depth = (uint8_t)i;
	/* Empty for the next recipe; the bytes stay where they are until then. */
	reset(w);
	return 0;
}
