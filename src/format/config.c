/*
 * The repository's settings and the object that holds them sealed.  What the
 * settings mean is the business of store and chunk.
 */
#include "format_private.h"

enum {
	T_SIZES = 1,
	T_BLOCK = 3,
	T_PACK = 5,
	T_LEVEL = 6,
	T_CREATED = 8,
};

static const char record[] = "config";

const char *zs_kind_name(enum zs_kind kind)
{
	static const char *const names[ZS_KINDS] = {
	    "?", "header", "text", "attachment", "file", "tree", "sql", "ldif"};

	return (unsigned)kind < ZS_KINDS ? names[kind] : "?";
}

static int sizes_used(const struct zs_config_sizes *z)
{
	return z->min_bytes || z->avg_bytes || z->max_bytes;
}

static int sizes_valid(const struct zs_config_sizes *z)
{
	return z->min_bytes >= 64 && z->min_bytes <= z->avg_bytes && z->avg_bytes <= z->max_bytes &&
	       z->max_bytes <= FORMAT_CHUNK_MAX && (z->avg_bytes & (z->avg_bytes - 1)) == 0;
}

/* NULL, or what is wrong. */
static const char *config_check(const struct zs_config *c)
{
	if (c->block_bytes < (64u << 10) || c->block_bytes > ZS_BLOCK_MAX)
		return "block size is out of range";
	if (c->pack_bytes < (1u << 20) || c->pack_bytes > (1u << 30))
		return "pack size is out of range";
	if (c->level > 19)
		return "compression level is out of range";
	if (sizes_used(&c->sizes[0]))
		return "chunk sizes of no kind";
	for (unsigned kind = 1; kind < ZS_KINDS; kind++)
		if (sizes_used(&c->sizes[kind]) && !sizes_valid(&c->sizes[kind]))
			return "chunk sizes are out of range";
	return NULL;
}

int zs_format_config_encode(const struct zs_config *c, struct zs_buf *out, struct zs_err *err)
{
	struct fields_writer w;
	const char *why = config_check(c);

	fields_begin(&w, record, out, err);
	if (why)
		fields_refuse(&w, ZS_LIMIT, why);
	for (unsigned kind = 1; kind < ZS_KINDS; kind++) {
		const struct zs_config_sizes *z = &c->sizes[kind];
		uint8_t b[1 + 3 * VARINT_MAX], *p = b;

		if (!sizes_used(z))
			continue;
		*p++ = (uint8_t)kind;
		p = row_put_varint(p, z->min_bytes);
		p = row_put_varint(p, z->avg_bytes);
		p = row_put_varint(p, z->max_bytes);
		fields_add_any(&w, T_SIZES, zs_span(b, (size_t)(p - b)));
	}
	fields_add_u64(&w, T_BLOCK, c->block_bytes);
	fields_add_u64(&w, T_PACK, c->pack_bytes);
	fields_add_u64(&w, T_LEVEL, c->level);
	fields_add_u64(&w, T_CREATED, c->created_ns);
	return fields_end(&w);
}

static int take_sizes(const struct fields *f, struct zs_span value, unsigned *last_kind, struct zs_config *c)
{
	struct row r = row_open(value);
	struct zs_span kind = row_bytes(&r, 1, "kind");
	uint64_t min = row_varint(&r, "minimum"), avg = row_varint(&r, "average"), max = row_varint(&r, "maximum");

	if (r.bad || r.p != r.end || max > FORMAT_CHUNK_MAX || avg > max || min > avg)
		return fields_bad(f, "chunk sizes", "are damaged");
	if (kind.p[0] >= ZS_KINDS)
		return fields_newer(f, "a kind of chunk");
	if (kind.p[0] <= *last_kind)
		return fields_bad(f, "chunk sizes", "are out of order");
	*last_kind = kind.p[0];
	c->sizes[kind.p[0]] = (struct zs_config_sizes){(uint32_t)min, (uint32_t)avg, (uint32_t)max};
	if (!sizes_valid(&c->sizes[kind.p[0]]))
		return fields_bad(f, "chunk sizes", "are out of range");
	return 0;
}

static int take_field(
    const struct fields *f, unsigned tag, struct zs_span value, unsigned *last_kind, struct zs_config *c)
{
	uint64_t v = 0;
	int rc = 0;

	switch (tag) {
	case T_SIZES:
		rc = take_sizes(f, value, last_kind, c);
		break;
	case T_BLOCK:
		rc = fields_u64(f, "block size", value, UINT32_MAX, &v);
		c->block_bytes = (uint32_t)v;
		break;
	case T_PACK:
		rc = fields_u64(f, "pack size", value, UINT32_MAX, &v);
		c->pack_bytes = (uint32_t)v;
		break;
	case T_LEVEL:
		rc = fields_u64(f, "compression level", value, UINT8_MAX, &v);
		c->level = (uint8_t)v;
		break;
	case T_CREATED:
		rc = fields_u64(f, "time of creation", value, UINT64_MAX, &c->created_ns);
		break;
	}
	return rc;
}

int zs_format_config_decode(struct zs_span s, struct zs_config *out, struct zs_err *err)
{
	struct zs_config c = {0};
	struct fields f;
	struct zs_span value;
	unsigned tag = 0, last_kind = 0;
	const char *why;
	int more;

	fields_open(
	    &f, record, s, FIELD(T_BLOCK) | FIELD(T_PACK) | FIELD(T_LEVEL) | FIELD(T_CREATED), FIELD(T_SIZES), err);
	while ((more = fields_next(&f, &tag, &value)) > 0)
		if (take_field(&f, tag, value, &last_kind, &c) < 0)
			return -1;
	if (more < 0)
		return -1;
	why = config_check(&c);
	if (why)
		return zs_fail(err, ZS_CORRUPT, "%s: %s", record, why);
	*out = c;
	return 0;
}

int zs_format_config_object_encode(
    const struct zs_name *repo_id, struct zs_span box, struct zs_buf *out, struct zs_err *err)
{
	size_t start = out->n;

	if (!box.n || box.n > FORMAT_BOX_MAX)
		return zs_fail(err, ZS_LIMIT, "config object: a box of %zu bytes", box.n);
	if (fields_add_head(out, "ZSCF", err) < 0 || zs_buf_add(out, repo_id->b, sizeof repo_id->b, err) < 0 ||
	    zs_buf_add_u32(out, (uint32_t)box.n, err) < 0 || zs_buf_add_span(out, box, err) < 0) {
		out->n = start;
		return -1;
	}
	return 0;
}

int zs_format_config_object_decode(
    struct zs_span s, struct zs_name *out_repo_id, struct zs_span *out_box, struct zs_err *err)
{
	struct zs_span id;
	uint32_t length;

	if (fields_take_head(&s, "ZSCF", "config object", err) < 0)
		return -1;
	if (zs_take_bytes(&s, ZS_NAME_BYTES, &id) < 0 || zs_take_u32(&s, &length) < 0)
		return zs_fail(err, ZS_CORRUPT, "config object: is cut short");
	if (!length || length > FORMAT_BOX_MAX || length != s.n)
		return zs_fail(err, ZS_CORRUPT, "config object: length of the box does not fit");
	memcpy(out_repo_id->b, id.p, ZS_NAME_BYTES);
	*out_box = s;
	return 0;
}
