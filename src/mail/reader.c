/*
 * Reads a recipe op by op through its levels and keeps the books: whatever bytes it is given, what it hands out
 * adds up to the entry's size and each op makes sense after those before.  Outputs nothing itself.
 */
#include <string.h>

#include "mail_private.h"

static int fail(struct zs_err *err, const char *why)
{
	return zs_fail(err, ZS_CORRUPT, "recipe: %s", why);
}

int reader_inline(const struct zs_entry *e, struct zs_err *err)
{
	if (e->recipe.n)
		return e->inline_data.n ? fail(err, "the entry has inline content too") : 0;
	if (e->inline_data.n != e->size)
		return fail(err, "the entry's content is not of its size");
	return 1;
}

int reader_init(struct reader *r, const struct zs_entry *e, reader_chunk_fn *chunk, void *ctx, struct zs_err *err)
{
	memset(r, 0, sizeof *r);
	if (e->recipe_depth > READER_DEPTH_MAX)
		return fail(err, "too many levels");
	r->depth = e->recipe_depth;
	r->chunk = chunk;
	r->ctx = ctx;
	r->size = e->size;
	r->level[r->depth].rest = e->recipe;
	r->level[r->depth].end = 1;
	return 0;
}

void reader_fini(struct reader *r)
{
	for (unsigned i = 0; i <= READER_DEPTH_MAX; i++)
		zs_buf_fini(&r->level[i].buf);
}

int reader_fetch(const struct reader *r, const struct zs_op *op, struct zs_span *out, struct zs_err *err)
{
	if (r->chunk(r->ctx, &op->id, out, err) < 0)
		return -1;
	return out->n == op->bytes ? 0 : fail(err, "a chunk is not as long as it says");
}

/* Put the next chunk of the level above after what is left of level i. */
static int refill(struct reader *r, unsigned i, struct zs_err *err)
{
	struct reader_level *l = &r->level[i], *up = &r->level[i + 1];
	struct zs_span bytes;
	struct zs_op op;
	size_t keep = l->rest.n;
	int rc;

	rc = zs_format_op_next(&up->rest, &op, err);
	if (rc <= 0) {
		l->end = 1;
		return rc;
	}
	if (op.type != ZS_OP_RAW)
		return fail(err, "a level of recipe chunks has other ops than chunks");
	if (r->ref && r->ref(r->ref_ctx, &op.id, (uint32_t)op.bytes, err) < 0)
		return -1;
	if (reader_fetch(r, &op, &bytes, err) < 0)
		return -1;
	if (keep)
		memmove(l->buf.p, l->rest.p, keep);
	l->buf.n = keep;
	if (zs_buf_add_span(&l->buf, bytes, err) < 0)
		return -1;
	l->rest = zs_buf_span(&l->buf);
	return 0;
}

/* An op may straddle chunks: see that there are bytes enough for any, on this level and those above. */
static int fill(struct reader *r, struct zs_err *err)
{
	for (unsigned i = 0; i < r->depth;) {
		struct reader_level *l = &r->level[i], *up = &r->level[i + 1];

		if (l->rest.n >= ZS_OP_ENCODED_MAX || l->end) {
			if (!i)
				return 0;
			i--; /* this level can serve the one below */
			if (refill(r, i, err) < 0)
				return -1;
		} else if (up->rest.n >= ZS_OP_ENCODED_MAX || up->end) {
			if (refill(r, i, err) < 0)
				return -1;
		} else {
			i++;
		}
	}
	return 0;
}

/* An op that outputs n bytes. */
static int output(struct reader *r, uint64_t n, struct zs_err *err)
{
	if (n > r->size - r->at)
		return fail(err, "more bytes than the entry has");
	r->op_at = r->at;
	r->at += n;
	return 0;
}

static int account_raw(struct reader *r, const struct zs_op *op, struct zs_err *err)
{
	r->in_b64 = r->raws > 0;
	if (!r->in_b64)
		return output(r, op->bytes, err);
	if (op->bytes > r->raw_bytes)
		return fail(err, "the chunks of a base64 extent are longer than it");
	r->raws--;
	r->raw_bytes -= op->bytes;
	return !r->raws && r->raw_bytes ? fail(err, "the chunks of a base64 extent are shorter than it") : 0;
}

static int account(struct reader *r, const struct zs_op *op, struct zs_err *err)
{
	if (op->type == ZS_OP_RAW)
		return account_raw(r, op, err);
	r->in_b64 = 0;
	if (r->raws)
		return fail(err, "a base64 extent lacks chunks");
	switch (op->type) {
	case ZS_OP_SKELETON:
		if (r->skeleton)
			return fail(err, "a skeleton was not used up");
		r->skeleton = op->bytes;
		return 0;
	case ZS_OP_TAKE:
		if (op->bytes > r->skeleton)
			return fail(err, "a skeleton is too short");
		r->skeleton -= op->bytes;
		return output(r, op->bytes, err);
	case ZS_OP_B64:
		r->raws = op->chunks;
		r->raw_bytes = op->bytes;
		r->b64 = (struct wrap){.total = op->bytes, .line = op->line, .crlf = op->crlf, .tail = op->tail};
		return output(r, zs_mail_b64_length(op->bytes, op->line, op->crlf, op->tail), err);
	default:
		return output(r, op->bytes, err);
	}
}

int reader_next(struct reader *r, struct zs_op *out, struct zs_err *err)
{
	int rc;

	if (fill(r, err) < 0)
		return -1;
	rc = zs_format_op_next(&r->level[0].rest, out, err);
	if (rc > 0)
		return account(r, out, err) < 0 ? -1 : 1;
	if (rc < 0)
		return -1;
	if (r->raws || r->skeleton)
		return fail(err, "it ends too early");
	return r->at == r->size ? 0 : fail(err, "fewer bytes than the entry has");
}
