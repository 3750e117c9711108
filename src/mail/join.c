/*
 * Rebuilds content from a recipe, start to end, in the memory of a few chunks, and proves size and sum.
 */
#include <string.h>

#include "mail_private.h"

#define OUT_BYTES (64u << 10)

struct join {
	const struct zs_join_io *io;
	struct zs_hasher *hasher;
	struct reader reader;
	struct zs_buf skeleton, text;
	size_t taken;		/* of skeleton */
	uint8_t held[3];	/* an unfinished group of a base64 extent */
	size_t held_n;
	uint64_t group;
};

static int put(struct join *j, struct zs_span s, struct zs_err *err)
{
	zs_hasher_add(j->hasher, s);
	return j->io->write(j->io->ctx, s, err);
}

static int put_text(struct join *j, struct zs_err *err)
{
	int rc = j->text.n ? put(j, zs_buf_span(&j->text), err) : 0;

	zs_buf_clear(&j->text);
	return rc;
}

static int encode(struct join *j, struct zs_span s, struct zs_err *err)
{
	if (wrap_encode(&j->reader.b64, j->group, s, &j->text, err) < 0)
		return -1;
	j->group += s.n / 3;
	return j->text.n >= OUT_BYTES ? put_text(j, err) : 0;
}

/* One chunk of a base64 extent. */
static int join_b64(struct join *j, struct zs_span s, struct zs_err *err)
{
	while (s.n && j->held_n) {
		j->held[j->held_n++] = s.p[0];
		s = zs_span(s.p + 1, s.n - 1);
		if (j->held_n < 3)
			continue;
		if (encode(j, zs_span(j->held, 3), err) < 0)
			return -1;
		j->held_n = 0;
	}
	while (s.n >= 3) {
		size_t n = s.n < OUT_BYTES / 2 ? s.n / 3 * 3 : OUT_BYTES / 2 / 3 * 3;

		if (encode(j, zs_span(s.p, n), err) < 0)
			return -1;
		s = zs_span(s.p + n, s.n - n);
	}
	if (s.n)
		memcpy(j->held + j->held_n, s.p, s.n);
	j->held_n += s.n;
	if (j->reader.raws)
		return 0;
	if (j->held_n && encode(j, zs_span(j->held, j->held_n), err) < 0)
		return -1;
	return put_text(j, err);
}

static int join_hole(struct join *j, uint64_t n, struct zs_err *err)
{
	zs_hasher_add_zeros(j->hasher, n);
	return j->io->hole(j->io->ctx, n, err);
}

static int join_op(struct join *j, const struct zs_op *op, struct zs_err *err)
{
	struct zs_span s;

	switch (op->type) {
	case ZS_OP_HOLE:
		return join_hole(j, op->bytes, err);
	case ZS_OP_B64:
		j->held_n = 0;
		j->group = 0;
		return 0;
	case ZS_OP_TAKE:
		s = zs_span(j->skeleton.p + j->taken, (size_t)op->bytes);
		j->taken += s.n;
		return put(j, s, err);
	default:
		break;
	}
	if (reader_fetch(&j->reader, op, &s, err) < 0)
		return -1;
	if (op->type == ZS_OP_RAW)
		return j->reader.in_b64 ? join_b64(j, s, err) : put(j, s, err);
	zs_buf_clear(&j->skeleton);
	j->taken = 0;
	return zs_buf_add_span(&j->skeleton, s, err);
}

static int join_all(struct join *j, const struct zs_entry *e, struct zs_err *err)
{
	struct zs_op op;
	int rc = reader_inline(e, err);

	if (rc)
		return rc < 0 ? -1 : e->size ? put(j, e->inline_data, err) : 0;
	if (reader_init(&j->reader, e, j->io->chunk, j->io->ctx, err) < 0)
		return -1;
	while ((rc = reader_next(&j->reader, &op, err)) > 0)
		if (join_op(j, &op, err) < 0)
			return -1;
	return rc;
}

int zs_mail_join(const struct zs_entry *e, const struct zs_join_io *io, struct zs_err *err)
{
	struct join j = {.io = io, .hasher = zs_hasher_new(), .skeleton = ZS_BUF_INIT, .text = ZS_BUF_INIT};
	int rc = -1;

	if (!j.hasher) {
		(void)zs_fail_nomem(err);
		goto out;
	}
	zs_hasher_reset(j.hasher);
	if (join_all(&j, e, err) < 0)
		goto out;
	if (zs_hasher_sum(j.hasher) != e->sum) {
		(void)zs_fail(err, ZS_CORRUPT, "recipe: the content's checksum is wrong");
		goto out;
	}
	rc = 0;
out:
	reader_fini(&j.reader);
	zs_buf_fini(&j.skeleton);
	zs_buf_fini(&j.text);
	zs_hasher_free(j.hasher);
	return rc;
}
