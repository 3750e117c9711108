/*
 * Index objects: which chunks are in which packs.  A list of packs, each with the
 * directory that the pack itself ends with.
 */
#include <stdlib.h>

#include "format_private.h"

enum { T_PACK = 1 };
enum {
	P_NAME = 1,
	P_TAG = 3,
	P_STORED = 5,
	P_WRITER = 7,
	P_DIR = 9,
};

static const char record[] = "index object";

int zs_index_object_add(struct zs_index_object *o, struct zs_index_pack **out_new, struct zs_err *err)
{
	size_t cap = o->packs_cap;
	void *v = o->packs;

	if (o->pack_count >= UINT32_MAX / 2)
		return zs_fail(err, ZS_LIMIT, "%s: too many packs", record);
	if (fields_grow(&v, o->pack_count, &cap, sizeof *o->packs, err) < 0)
		return -1;
	o->packs = v;
	o->packs_cap = (uint32_t)cap;
	o->packs[o->pack_count] = (struct zs_index_pack){0};
	*out_new = &o->packs[o->pack_count++];
	return 0;
}

void zs_index_object_fini(struct zs_index_object *o)
{
	for (uint32_t i = 0; i < o->pack_count; i++)
		zs_pack_dir_fini(&o->packs[i].dir);
	free(o->packs);
	*o = (struct zs_index_object){0};
}

static int put_pack(const struct zs_index_pack *p, struct zs_buf *row, struct zs_err *err)
{
	struct zs_buf dir = ZS_BUF_INIT;
	struct fields_writer w;
	int rc = -1;

	zs_buf_clear(row);
	if (zs_format_pack_dir_encode(&p->dir, &dir, err) < 0)
		goto out;
	fields_begin(&w, record, row, err);
	if (bytes_zero(p->name.b, ZS_NAME_BYTES) || !p->stored_bytes)
		fields_refuse(&w, ZS_INTERNAL, "a pack without a name or a size");
	fields_add_fixed(&w, P_NAME, p->name.b, ZS_NAME_BYTES);
	fields_add_fixed(&w, P_TAG, p->tag, sizeof p->tag);
	fields_add_u64(&w, P_STORED, p->stored_bytes);
	fields_add_fixed(&w, P_WRITER, p->writer.b, ZS_NAME_BYTES);
	fields_add_any(&w, P_DIR, zs_buf_span(&dir));
	rc = fields_end(&w);
out:
	zs_buf_fini(&dir);
	return rc;
}

int zs_format_index_encode(const struct zs_index_object *o, struct zs_buf *out, struct zs_err *err)
{
	struct zs_buf row = ZS_BUF_INIT;
	struct fields_writer w;

	fields_begin(&w, record, out, err);
	for (uint32_t i = 0; i < o->pack_count && !w.failed; i++) {
		if (put_pack(&o->packs[i], &row, err) < 0)
			w.failed = -1;
		else
			fields_add_any(&w, T_PACK, zs_buf_span(&row));
	}
	zs_buf_fini(&row);
	return fields_end(&w);
}

static int take_pack(struct zs_span s, struct zs_index_pack *p, struct zs_err *err)
{
	const uint64_t needed = FIELD(P_NAME) | FIELD(P_STORED) | FIELD(P_DIR);
	struct fields f;
	struct zs_span value;
	unsigned tag = 0;
	int more = 0, rc = 0;

	fields_open(&f, record, s, needed | FIELD(P_TAG) | FIELD(P_WRITER), 0, err);
	while (!rc && (more = fields_next(&f, &tag, &value)) > 0) {
		switch (tag) {
		case P_NAME:
			rc = fields_fixed(&f, "name of a pack", value, p->name.b, ZS_NAME_BYTES);
			break;
		case P_TAG:
			rc = fields_fixed(&f, "tag of a pack", value, p->tag, sizeof p->tag);
			break;
		case P_STORED:
			rc = fields_u64(&f, "size of a pack", value, UINT64_MAX, &p->stored_bytes);
			break;
		case P_WRITER:
			rc = fields_fixed(&f, "writer of a pack", value, p->writer.b, ZS_NAME_BYTES);
			break;
		case P_DIR:
			rc = zs_format_pack_dir_decode(value, &p->dir, err);
			break;
		}
	}
	if (rc < 0 || more < 0)
		return -1;
	return fields_need(&f, needed);
}

int zs_format_index_decode(struct zs_span s, struct zs_index_object *out, struct zs_err *err)
{
	struct zs_index_object o = {0};
	struct zs_index_pack *pack;
	struct fields f;
	struct zs_span value;
	unsigned tag = 0;
	int more;

	fields_open(&f, record, s, 0, FIELD(T_PACK), err);
	while ((more = fields_next(&f, &tag, &value)) > 0)
		if (zs_index_object_add(&o, &pack, err) < 0 || take_pack(value, pack, err) < 0)
			goto fail;
	if (more < 0)
		goto fail;
	*out = o;
	return 0;
fail:
	zs_index_object_fini(&o);
	return -1;
}
