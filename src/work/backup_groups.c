/*
 * Content that comes in groups: each group is one chunk.  The source is read in this thread while a pipeline of our own names
 * the chunks and hands them on in order, so that one large table keeps more than one core busy.
 */
#include <stdlib.h>
#include <string.h>

#include "backup_private.h"

#define PIECE_GROUPS 256
#define PIECES_AHEAD 4

struct piece { /* groups that follow each other; the last may be unfinished while it is filled */
	uint8_t *bytes; /* ZS_CHUNK_MAX of them */
	size_t n;
	unsigned count;
	uint32_t ends[PIECE_GROUPS];
	struct zs_id ids[PIECE_GROUPS];
};

struct groups {
	const struct backup_groups *g;
	struct zs_source_reader *in;
	struct piece *piece;	  /* being filled */
	struct zs_pipeline *naming; /* NULL until one piece is not enough */
	struct zs_hasher *hasher;
	struct zs_buf ops;	  /* the sink's */
	uint64_t bytes;
};

static void piece_free(void *ctx, void *piece)
{
	struct piece *p = piece;

	(void)ctx;
	if (p)
		free(p->bytes);
	free(p);
}

static int piece_new(struct groups *x, struct zs_err *err)
{
	if (!(x->piece = calloc(1, sizeof *x->piece)) || !(x->piece->bytes = malloc(ZS_CHUNK_MAX)))
		return zs_fail_nomem(err);
	return 0;
}

/* ----------------------------------------------------------------- naming, in order */

static void name_groups(const struct groups *x, struct piece *p)
{
	uint32_t from = 0;

	for (unsigned i = 0; i < p->count; from = p->ends[i++])
		zs_codec_chunk_id(x->g->chunk_id_key, zs_span(p->bytes + from, p->ends[i] - from), &p->ids[i]);
}

static int name_work(void *ctx, void *state, void *job, struct zs_emitter *out, struct zs_err *err)
{
	(void)state;
	name_groups(ctx, job);
	return zs_pipeline_emit(out, job, ZS_CHUNK_MAX, err);
}

static int take_groups(struct groups *x, const struct piece *p, struct zs_err *err)
{
	const struct backup_groups *g = x->g;
	uint32_t from = 0;

	zs_buf_clear(&x->ops);
	for (unsigned i = 0; i < p->count; from = p->ends[i++]) {
		const struct zs_op op = {.type = ZS_OP_RAW, .id = p->ids[i], .bytes = p->ends[i] - from};

		if (g->sink.chunk(g->sink.ctx, g->kind, &op.id, zs_span(p->bytes + from, (size_t)op.bytes), err) < 0 ||
		    zs_format_op_encode(&op, &x->ops, err) < 0)
			return -1;
	}
	return x->ops.n ? g->sink.recipe(g->sink.ctx, zs_buf_span(&x->ops), err) : 0;
}

static int name_sink(void *ctx, void *result, struct zs_err *err)
{
	int rc = take_groups(ctx, result, err);

	piece_free(ctx, result);
	return rc;
}

/* ------------------------------------------------------------------------- filling */

/* The groups that are complete go on their way; what there is of an unfinished one moves to the next piece. */
static int hand_on(struct groups *x, struct zs_err *err)
{
	const struct zs_pipeline_ops ops = {x, NULL, NULL, name_work, name_sink, piece_free, piece_free};
	struct piece *p = x->piece;
	size_t done = p->count ? p->ends[p->count - 1] : 0, rest = p->n - done;

	if (!x->naming && zs_pipeline_new(&ops, x->g->workers, PIECES_AHEAD, PIECES_AHEAD * ZS_CHUNK_MAX, &x->naming, err) < 0)
		return -1;
	x->piece = NULL;
	if (piece_new(x, err) < 0) {
		piece_free(x, p);
		return -1;
	}
	memcpy(x->piece->bytes, p->bytes + done, rest);
	x->piece->n = rest;
	return zs_pipeline_push(x->naming, p, err);
}

/* Larger than a chunk may be: what there is of it and the rest are cut by content, when all before it have gone. */
static int cut_group(struct groups *x, struct zs_err *err)
{
	struct zs_splitter *s = x->g->splitter;
	struct piece *p = x->piece;
	struct zs_split_result unused;
	uint64_t hole;
	size_t n = p->n;

	if (x->naming && zs_pipeline_drain(x->naming, err) < 0)
		return -1;
	if (zs_splitter_begin(s, x->g->kind, &x->g->sink, err) < 0)
		return -1;
	while (n > 0) {
		if (zs_splitter_feed(s, zs_span(p->bytes, n), err) < 0 || x->g->stopped(x->g->stop_ctx, err) < 0 ||
		    zs_source_read(x->in, p->bytes, ZS_CHUNK_MAX, &n, &hole, err) < 0)
			return -1;
		zs_hasher_add(x->hasher, zs_span(p->bytes, n));
		x->bytes += n;
	}
	p->n = 0;
	return zs_splitter_end(s, &unused, err);
}

/* One group into the piece at hand.  0, -1 */
static int fill_group(struct groups *x, struct zs_err *err)
{
	uint64_t hole;
	size_t n;

	if (x->piece->count == PIECE_GROUPS && hand_on(x, err) < 0)
		return -1;
	for (;;) {
		struct piece *p = x->piece;

		if (p->n == ZS_CHUNK_MAX && p->count > 0) {
			if (hand_on(x, err) < 0)
				return -1;
			continue;
		}
		if (zs_source_read(x->in, p->bytes + p->n, ZS_CHUNK_MAX - p->n, &n, &hole, err) < 0)
			return -1;
		if (n == 0 && p->n < ZS_CHUNK_MAX)
			break;
		zs_hasher_add(x->hasher, zs_span(p->bytes + p->n, n));
		x->bytes += n;
		p->n += n;
		if (p->n == ZS_CHUNK_MAX && p->count == 0)
			return cut_group(x, err);
	}
	if (x->piece->n > (x->piece->count ? x->piece->ends[x->piece->count - 1] : 0))
		x->piece->ends[x->piece->count++] = (uint32_t)x->piece->n;
	return 0;
}

static int fill_all(struct groups *x, struct zs_err *err)
{
	uint64_t tag;
	int rc;

	do {
		if (x->g->stopped(x->g->stop_ctx, err) < 0 || fill_group(x, err) < 0)
			return -1;
		rc = zs_source_next_group(x->in, &tag, err);
	} while (rc > 0);
	return rc;
}

int backup_groups_read(const struct backup_groups *g, struct zs_source_reader *in, struct zs_split_result *out, struct zs_err *err)
{
	struct groups x = {.g = g, .in = in, .hasher = zs_hasher_new()};
	struct zs_err late = {0};
	int rc = -1;

	if (!x.hasher)
		(void)zs_fail_nomem(err);
	else if (piece_new(&x, err) == 0)
		rc = fill_all(&x, err);
	if (x.naming && rc < 0)
		zs_pipeline_fail(x.naming, err);
	if (x.naming && zs_pipeline_close(&x.naming, &late) < 0 && rc == 0) {
		*err = late;
		rc = -1;
	}
	if (rc == 0) { /* the last piece, or the only one */
		name_groups(&x, x.piece);
		rc = take_groups(&x, x.piece, err);
	}
	if (rc == 0)
		*out = (struct zs_split_result){.bytes = x.bytes, .sum = zs_hasher_sum(x.hasher), .date_ns = INT64_MIN};
	piece_free(NULL, x.piece);
	zs_hasher_free(x.hasher);
	zs_buf_fini(&x.ops);
	return rc;
}
