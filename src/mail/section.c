/*
 * Writes a recipe in sections: a skeleton chunk and the ops that use it up.
 * Nothing here depends on how the input was sliced: sections end at exact counts of skeleton bytes or ops.
 */
#include <assert.h>
#include <string.h>

#include "mail_private.h"

int section_init(struct section *sec, struct zs_err *err)
{
	memset(sec, 0, sizeof *sec);
	return zs_buf_reserve(&sec->skeleton, SECTION_SKELETON_MAX, err);
}

void section_fini(struct section *sec)
{
	zs_buf_fini(&sec->skeleton);
	zs_buf_fini(&sec->ops);
	zs_buf_fini(&sec->run);
}

void section_begin(struct section *sec, const struct zs_split_sink *sink, const struct zs_key *key)
{
	sec->sink = sink;
	sec->key = key;
	zs_buf_clear(&sec->skeleton);
	zs_buf_clear(&sec->ops);
	zs_buf_clear(&sec->run);
	sec->take = sec->hole = 0;
	sec->run_bytes = sec->run_chunks = 0;
	sec->in_run = 0;
}

/* Write the op that might have grown. */
static int settle(struct section *sec, struct zs_err *err)
{
	struct zs_op op = {.type = sec->take ? ZS_OP_TAKE : ZS_OP_HOLE, .bytes = sec->take ? sec->take : sec->hole};

	assert(!sec->take || !sec->hole);
	if (!op.bytes)
		return 0;
	sec->take = sec->hole = 0;
	return zs_format_op_encode(&op, &sec->ops, err);
}

int section_flush(struct section *sec, struct zs_err *err)
{
	if (settle(sec, err) < 0)
		return -1;
	if (sec->skeleton.n) {
		struct zs_op op = {.type = ZS_OP_SKELETON, .bytes = sec->skeleton.n};
		struct zs_buf first = ZS_BUF_INIT;
		struct zs_span plain = zs_buf_span(&sec->skeleton);
		int rc;

		zs_codec_chunk_id(sec->key, plain, &op.id);
		if (sec->sink->chunk(sec->sink->ctx, ZS_KIND_HEADER, &op.id, plain, err) < 0)
			return -1;
		rc = zs_format_op_encode(&op, &first, err);
		if (!rc)
			rc = sec->sink->recipe(sec->sink->ctx, zs_buf_span(&first), err);
		zs_buf_fini(&first);
		if (rc < 0)
			return -1;
		zs_buf_clear(&sec->skeleton);
	}
	if (sec->ops.n && sec->sink->recipe(sec->sink->ctx, zs_buf_span(&sec->ops), err) < 0)
		return -1;
	zs_buf_clear(&sec->ops);
	return 0;
}

static int flush_if_full(struct section *sec, struct zs_err *err)
{
	if (sec->skeleton.n < SECTION_SKELETON_MAX && sec->ops.n < SECTION_OPS_MAX)
		return 0;
	return section_flush(sec, err);
}

int section_text(struct section *sec, struct zs_span s, struct zs_err *err)
{
	assert(!sec->in_run);
	if (sec->hole && s.n && settle(sec, err) < 0)
		return -1;
	while (s.n) {
		size_t n = SECTION_SKELETON_MAX - sec->skeleton.n;

		n = n < s.n ? n : s.n;
		if (zs_buf_add(&sec->skeleton, s.p, n, err) < 0)
			return -1;
		sec->take += n;
		s.p += n;
		s.n -= n;
		if (flush_if_full(sec, err) < 0)
			return -1;
	}
	return 0;
}

int section_chunk(struct section *sec, enum zs_kind kind, struct zs_span s, struct zs_err *err)
{
	struct zs_op op = {.type = ZS_OP_RAW, .bytes = s.n};

	zs_codec_chunk_id(sec->key, s, &op.id);
	if (sec->sink->chunk(sec->sink->ctx, kind, &op.id, s, err) < 0)
		return -1;
	if (sec->in_run) {
		sec->run_bytes += s.n;
		sec->run_chunks++;
		return zs_format_op_encode(&op, &sec->run, err);
	}
	if (settle(sec, err) < 0 || zs_format_op_encode(&op, &sec->ops, err) < 0)
		return -1;
	return flush_if_full(sec, err);
}

int section_apart(struct section *sec, enum zs_kind kind, struct zs_span s, struct zs_err *err)
{
	if (section_flush(sec, err) < 0 || section_chunk(sec, kind, s, err) < 0)
		return -1;
	return section_flush(sec, err);
}

int section_hole(struct section *sec, uint64_t bytes, struct zs_err *err)
{
	if (sec->take && settle(sec, err) < 0)
		return -1;
	sec->hole += bytes;
	return 0;
}

void section_run_begin(struct section *sec)
{
	assert(!sec->in_run && !sec->run.n);
	sec->in_run = 1;
}

int section_run_end(struct section *sec, uint32_t line, int crlf, int tail, struct zs_err *err)
{
	struct zs_op op = {
		.type = ZS_OP_B64, .bytes = sec->run_bytes, .chunks = sec->run_chunks,
		.line = line, .crlf = crlf != 0, .tail = tail != 0,
	};

	assert(sec->in_run && sec->run_chunks);
	if (settle(sec, err) < 0 || zs_format_op_encode(&op, &sec->ops, err) < 0 ||
	    zs_buf_add_span(&sec->ops, zs_buf_span(&sec->run), err) < 0)
		return -1;
	zs_buf_clear(&sec->run);
	sec->run_bytes = sec->run_chunks = 0;
	sec->in_run = 0;
	return flush_if_full(sec, err);
}
