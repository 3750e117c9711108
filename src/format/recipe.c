/*
 * Recipe ops: how a file's content is put together from chunks.  One op at a time;
 * that ops make sense together is for mail to see.
 */
#include "format_private.h"

/* First byte of an op: type in the low three bits, flags of B64 above. */
enum {
	B64_CRLF = 1 << 3,
	B64_TAIL = 1 << 4,
	B64_LINE_76 = 1 << 5, /* the line length is not written */
	B64_ONE_CHUNK = 1 << 6, /* the number of chunks is not written */
};

static const char record[] = "recipe";

/* NULL, or what is wrong. */
static const char *op_check(const struct zs_op *op)
{
	if (!op->bytes)
		return "an op of no bytes";
	if ((op->type == ZS_OP_SKELETON || op->type == ZS_OP_RAW) && op->bytes > FORMAT_CHUNK_MAX)
		return "a chunk is too long";
	if (op->type == ZS_OP_B64) {
		if (!op->line || op->line > 998)
			return "base64 line length is out of range";
		if (!op->chunks || op->chunks > op->bytes)
			return "number of chunks is out of range";
		if (op->crlf > 1 || op->tail > 1)
			return "flags are out of range";
	}
	return NULL;
}

int zs_format_op_encode(const struct zs_op *op, struct zs_buf *out, struct zs_err *err)
{
	uint8_t b[ZS_OP_ENCODED_MAX], *p = b;
	const char *why = op_check(op);

	if (op->type < ZS_OP_SKELETON || op->type > ZS_OP_HOLE || why)
		return zs_fail(err, ZS_INTERNAL, "%s: %s", record, why ? why : "unknown type");
	*p++ = op->type;
	switch (op->type) {
	case ZS_OP_SKELETON:
	case ZS_OP_RAW:
		p = row_put_varint(p, op->bytes);
		p = row_put_bytes(p, op->id.b, ZS_ID_BYTES);
		break;
	case ZS_OP_B64:
		b[0] |= (uint8_t)((op->crlf ? B64_CRLF : 0) | (op->tail ? B64_TAIL : 0) |
				  (op->line == 76 ? B64_LINE_76 : 0) | (op->chunks == 1 ? B64_ONE_CHUNK : 0));
		if (op->line != 76)
			p = row_put_varint(p, op->line);
		p = row_put_varint(p, op->bytes);
		if (op->chunks != 1)
			p = row_put_varint(p, op->chunks);
		break;
	default:
		p = row_put_varint(p, op->bytes);
	}
	return zs_buf_add(out, b, (size_t)(p - b), err);
}

static void take_b64(struct row *r, uint8_t flags, struct zs_op *op)
{
	uint64_t line = 76;

	op->crlf = (flags & B64_CRLF) != 0;
	op->tail = (flags & B64_TAIL) != 0;
	if (!(flags & B64_LINE_76)) {
		line = row_varint(r, "line length");
		if (line == 76 || line > 998)
			row_fail(r, "line length");
	}
	op->line = (uint32_t)line;
	op->bytes = row_varint(r, "length");
	op->chunks = 1;
	if (!(flags & B64_ONE_CHUNK)) {
		op->chunks = row_varint(r, "number of chunks");
		if (op->chunks == 1)
			row_fail(r, "number of chunks");
	}
}

int zs_format_op_next(struct zs_span *rest, struct zs_op *out, struct zs_err *err)
{
	struct row r = row_open(*rest);
	struct zs_op op = {0};
	const char *why;
	uint8_t flags;

	if (!rest->n)
		return 0;
	op.type = *r.p & 7;
	flags = *r.p++ & 0xf8;
	if (op.type < ZS_OP_SKELETON || op.type > ZS_OP_HOLE)
		return zs_fail(err, ZS_VERSION, "%s: op %u is unknown to this version", record, op.type);
	if (flags & (op.type == ZS_OP_B64 ? 0x80 : 0xf8))
		return zs_fail(err, ZS_VERSION, "%s: op %u has flags unknown to this version", record, op.type);
	if (op.type == ZS_OP_B64) {
		take_b64(&r, flags, &op);
	} else {
		op.bytes = row_varint(&r, "length");
		if (op.type == ZS_OP_SKELETON || op.type == ZS_OP_RAW) {
			struct zs_span id = row_bytes(&r, ZS_ID_BYTES, "id");

			if (!r.bad)
				memcpy(op.id.b, id.p, ZS_ID_BYTES);
		}
	}
	if (r.bad)
		return zs_fail(err, ZS_CORRUPT, "%s: %s of an op is damaged", record, r.bad);
	why = op_check(&op);
	if (why)
		return zs_fail(err, ZS_CORRUPT, "%s: %s", record, why);
	*rest = row_rest(&r);
	*out = op;
	return 1;
}
