/*
 * Where each chunk of an entry goes, for a restore that reads packs and not files; and the text of a base64 place,
 * whose edges may lie within groups of four characters.
 */
#include <string.h>

#include "mail_private.h"

/* --------------------------------------------------------------- the places */

static int report(const struct reader *r, const struct zs_op *op, struct zs_place *p, const struct zs_place_io *io,
    struct zs_err *err)
{
	if (r->in_b64) {
		p->b64 = 1;
		p->line = r->b64.line;
		p->crlf = r->b64.crlf;
		p->tail = r->b64.tail;
		p->total = r->b64.total;
		p->position = p->total - r->raw_bytes - op->bytes;
	}
	p->at = r->op_at;
	p->bytes = (uint32_t)op->bytes;
	return io->place(io->ctx, p, err);
}

int zs_mail_places(const struct zs_entry *e, const struct zs_place_io *io, struct zs_err *err)
{
	struct zs_id skeleton = {{0}};
	uint32_t taken = 0;
	struct reader r;
	struct zs_op op;
	int rc = reader_inline(e, err);

	if (rc)
		return rc < 0 ? -1 : 0;
	if (reader_init(&r, e, io->chunk, io->ctx, err) < 0)
		return -1;
	while ((rc = reader_next(&r, &op, err)) > 0) {
		struct zs_place p = {.id = op.id};

		if (op.type == ZS_OP_SKELETON) {
			skeleton = op.id;
			taken = 0;
		} else if (op.type == ZS_OP_TAKE) {
			p.id = skeleton;
			p.chunk_from = taken;
			taken += (uint32_t)op.bytes;
		}
		if ((op.type == ZS_OP_TAKE || op.type == ZS_OP_RAW) && report(&r, &op, &p, io, err) < 0) {
			rc = -1;
			break;
		}
	}
	reader_fini(&r);
	return rc;
}

/* --------------------------------------------------------------- their text */

static int shape(const struct zs_place *p, struct wrap *w, struct zs_err *err)
{
	uint64_t length = zs_mail_b64_length(p->total, p->line, p->crlf, p->tail);

	if (!p->b64 || !p->line || p->line > RUN_LINE_MAX || !p->total || length >= UINT64_MAX - p->at ||
	    p->position >= p->total || p->bytes > p->total - p->position || !p->bytes)
		return zs_fail(err, ZS_CORRUPT, "place: not within its base64 extent");
	*w = (struct wrap){.total = p->total, .line = p->line, .crlf = p->crlf, .tail = p->tail};
	return 0;
}

static void fragment(const struct zs_place *p, uint64_t from, const uint8_t *bytes, size_t n, struct zs_fragment *out)
{
	*out = (struct zs_fragment){.group = from / 3, .first = (uint8_t)(from % 3), .count = (uint8_t)n, .extent = *p};
	memcpy(out->bytes, bytes, n);
}

int zs_mail_place_encode(const struct zs_place *p, struct zs_span decoded, struct zs_buf *out, uint64_t *out_at,
    struct zs_fragment out_fragments[static 2], unsigned *out_fragment_count, struct zs_err *err)
{
	uint64_t from = p->position, end = p->position + p->bytes;
	unsigned count = 0;
	struct wrap w;

	if (shape(p, &w, err) < 0)
		return -1;
	if (decoded.n != p->bytes)
		return zs_fail(err, ZS_CORRUPT, "place: %zu bytes were given for one of %u", decoded.n, p->bytes);
	if (from % 3) { /* the rest of a group that began before */
		size_t n = 3 - (size_t)(from % 3);

		n = n < decoded.n ? n : decoded.n;
		fragment(p, from, decoded.p, n, &out_fragments[count++]);
		decoded = zs_span(decoded.p + n, decoded.n - n);
		from += n;
	}
	if (decoded.n % 3 && end < p->total) { /* the beginning of one that goes on after */
		size_t n = decoded.n % 3;

		fragment(p, end - n, decoded.p + decoded.n - n, n, &out_fragments[count++]);
		decoded.n -= n;
	}
	*out_at = p->at + (decoded.n ? wrap_offset(&w, from / 3 * 4) : 0);
	*out_fragment_count = count;
	return decoded.n ? wrap_encode(&w, from / 3, decoded, out, err) : 0;
}

int zs_mail_group_encode(const struct zs_place *extent, uint64_t group, const uint8_t *bytes, unsigned n,
    struct zs_buf *out, uint64_t *out_at, struct zs_err *err)
{
	uint64_t left;
	struct wrap w;

	if (shape(extent, &w, err) < 0)
		return -1;
	left = group <= (extent->total - 1) / 3 ? extent->total - 3 * group : 0;
	if (!n || n != (left < 3 ? left : 3))
		return zs_fail(err, ZS_CORRUPT, "place: a group of base64 is not complete");
	*out_at = extent->at + wrap_offset(&w, group * 4);
	return wrap_encode(&w, group, zs_span(bytes, n), out, err);
}
