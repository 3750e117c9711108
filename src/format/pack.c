/*
 * What stands inside a pack's sealed parts: the head of a block, the directory
 * and the trailer.  Sealing is codec's, the order of the parts in the object store's.
 */
#include <stdlib.h>

#include "format_private.h"

static const char record[] = "pack directory";

#define STORED_MAX (ZS_BLOCK_MAX + 64) /* plain and incompressible, head and tag included */

int zs_format_block_head_encode(uint8_t algo, uint32_t plain_bytes, struct zs_buf *out, struct zs_err *err)
{
	uint8_t head[ZS_BLOCK_HEAD];

	if (algo > 1)
		return zs_fail(err, ZS_INTERNAL, "block: compression %u is unknown", algo);
	if (!plain_bytes || plain_bytes > ZS_BLOCK_MAX)
		return zs_fail(err, ZS_LIMIT, "block: %u bytes", plain_bytes);
	head[0] = algo;
	zs_put_u32(head + 1, plain_bytes);
	return zs_buf_add(out, head, sizeof head, err);
}

int zs_format_block_head_decode(struct zs_span s, uint8_t *out_algo, uint32_t *out_plain_bytes,
    struct zs_span *out_payload, struct zs_err *err)
{
	uint8_t algo;
	uint32_t plain;

	if (zs_take_u8(&s, &algo) < 0 || zs_take_u32(&s, &plain) < 0)
		return zs_fail(err, ZS_CORRUPT, "block: is cut short");
	if (algo > 1)
		return zs_fail(err, ZS_VERSION, "block: compression %u is unknown to this version", algo);
	if (!plain || plain > ZS_BLOCK_MAX)
		return zs_fail(err, ZS_CORRUPT, "block: plain length is out of range");
	if (!s.n || (algo == 0 && s.n != plain))
		return zs_fail(err, ZS_CORRUPT, "block: length of the payload does not fit");
	*out_algo = algo;
	*out_plain_bytes = plain;
	*out_payload = s;
	return 0;
}

int zs_pack_dir_add_block(struct zs_pack_dir *d, uint8_t kind, uint32_t stored_bytes, struct zs_err *err)
{
	size_t cap = d->blocks_cap;
	void *v = d->blocks;

	if (!kind || kind >= ZS_KINDS)
		return zs_fail(err, ZS_INTERNAL, "%s: kind %u", record, kind);
	if (!stored_bytes || stored_bytes > STORED_MAX || d->block_count >= UINT32_MAX / 2)
		return zs_fail(err, ZS_LIMIT, "%s: a block of %u bytes", record, stored_bytes);
	if (fields_grow(&v, d->block_count, &cap, sizeof *d->blocks, err) < 0)
		return -1;
	d->blocks = v;
	d->blocks_cap = (uint32_t)cap;
	d->blocks[d->block_count++] =
	    (struct zs_pack_block){.kind = kind, .stored_bytes = stored_bytes, .first_chunk = d->chunk_count};
	return 0;
}

int zs_pack_dir_add_chunk(struct zs_pack_dir *d, const struct zs_id *id, uint32_t bytes, struct zs_err *err)
{
	struct zs_pack_block *b;
	size_t cap = d->chunks_cap;
	void *v = d->chunks;

	if (!d->block_count)
		return zs_fail(err, ZS_INTERNAL, "%s: a chunk without a block", record);
	b = &d->blocks[d->block_count - 1];
	if (!bytes || bytes > FORMAT_CHUNK_MAX || bytes > ZS_BLOCK_MAX - b->plain_bytes ||
	    d->chunk_count >= UINT32_MAX / 2)
		return zs_fail(
		    err, ZS_LIMIT, "%s: a chunk of %u bytes in a block of %u", record, bytes, b->plain_bytes);
	if (fields_grow(&v, d->chunk_count, &cap, sizeof *d->chunks, err) < 0)
		return -1;
	d->chunks = v;
	d->chunks_cap = (uint32_t)cap;
	d->chunks[d->chunk_count++] = (struct zs_pack_chunk){*id, bytes};
	b->plain_bytes += bytes;
	b->chunk_count++;
	return 0;
}

void zs_pack_dir_fini(struct zs_pack_dir *d)
{
	free(d->blocks);
	free(d->chunks);
	*d = (struct zs_pack_dir){0};
}

int zs_format_pack_dir_encode(const struct zs_pack_dir *d, struct zs_buf *out, struct zs_err *err)
{
	uint8_t *p;

	for (uint32_t i = 0; i < d->block_count; i++)
		if (!d->blocks[i].chunk_count)
			return zs_fail(err, ZS_INTERNAL, "%s: block %u is empty", record, i);
	if (zs_buf_reserve(out, 2 * VARINT_MAX + (size_t)d->block_count * (1 + 2 * 5) +
	    (size_t)d->chunk_count * (3 + ZS_ID_BYTES), err) < 0)
		return -1;
	p = out->p + out->n;
	p = row_put_varint(p, d->block_count);
	p = row_put_varint(p, d->chunk_count);
	for (uint32_t i = 0; i < d->block_count; i++) {
		*p++ = d->blocks[i].kind;
		p = row_put_varint(p, d->blocks[i].stored_bytes);
		p = row_put_varint(p, d->blocks[i].chunk_count);
	}
	for (uint32_t i = 0; i < d->chunk_count; i++)
		p = row_put_varint(p, d->chunks[i].bytes);
	for (uint32_t i = 0; i < d->chunk_count; i++)
		p = row_put_bytes(p, d->chunks[i].id.b, ZS_ID_BYTES);
	out->n = (size_t)(p - out->p);
	return 0;
}

static int take_blocks(struct row *r, struct zs_pack_dir *d, uint32_t chunks, struct zs_err *err)
{
	uint32_t first = 0;

	for (uint32_t i = 0; i < d->block_count; i++) {
		struct zs_span kind = row_bytes(r, 1, "kind");
		uint64_t stored = row_varint(r, "stored length"), count = row_varint(r, "number of chunks");

		if (r->bad || !kind.p[0] || !stored || stored > STORED_MAX || !count || count > chunks - first)
			return zs_fail(err, ZS_CORRUPT, "%s: block %u is damaged", record, i);
		if (kind.p[0] >= ZS_KINDS)
			return zs_fail(err, ZS_VERSION, "%s: kind %u of block %u is unknown to this version", record,
			    kind.p[0], i);
		d->blocks[i] = (struct zs_pack_block){.kind = kind.p[0], .stored_bytes = (uint32_t)stored,
		    .first_chunk = first, .chunk_count = (uint32_t)count};
		first += (uint32_t)count;
	}
	if (first != chunks)
		return zs_fail(err, ZS_CORRUPT, "%s: number of chunks does not fit", record);
	return 0;
}

static int take_chunks(struct row *r, struct zs_pack_dir *d, struct zs_err *err)
{
	struct zs_span ids;

	for (uint32_t i = 0; i < d->block_count; i++) {
		struct zs_pack_block *b = &d->blocks[i];

		for (uint32_t k = 0; k < b->chunk_count; k++) {
			uint64_t bytes = row_varint(r, "length");

			if (!bytes || bytes > FORMAT_CHUNK_MAX || bytes > ZS_BLOCK_MAX - b->plain_bytes)
				return zs_fail(
				    err, ZS_CORRUPT, "%s: a chunk of block %u has a wrong length", record, i);
			d->chunks[b->first_chunk + k].bytes = (uint32_t)bytes;
			b->plain_bytes += (uint32_t)bytes;
		}
	}
	ids = row_bytes(r, (uint64_t)d->chunk_count * ZS_ID_BYTES, "ids");
	if (r->bad)
		return zs_fail(err, ZS_CORRUPT, "%s: ids are cut short", record);
	for (uint32_t i = 0; i < d->chunk_count; i++)
		memcpy(d->chunks[i].id.b, ids.p + (size_t)i * ZS_ID_BYTES, ZS_ID_BYTES);
	return 0;
}

int zs_format_pack_dir_decode(struct zs_span s, struct zs_pack_dir *out, struct zs_err *err)
{
	struct row r = row_open(s);
	uint64_t blocks = row_varint(&r, "blocks"), chunks = row_varint(&r, "chunks");
	struct zs_pack_dir d = {0};
	size_t left = (size_t)(r.end - r.p);

	/* A block takes at least 3 bytes, a chunk 25: no allocation beyond a small multiple of the input. */
	if (r.bad || blocks > left / 3 || chunks > left / (1 + ZS_ID_BYTES) || blocks > chunks ||
	    chunks > UINT32_MAX / 2)
		return zs_fail(err, ZS_CORRUPT, "%s: counts do not fit its length", record);
	if (blocks) {
		d.blocks = calloc((size_t)blocks, sizeof *d.blocks);
		d.chunks = calloc((size_t)chunks, sizeof *d.chunks);
		if (!d.blocks || !d.chunks) {
			zs_fail_nomem(err);
			goto fail;
		}
	}
	d.block_count = d.blocks_cap = (uint32_t)blocks;
	d.chunk_count = d.chunks_cap = blocks ? (uint32_t)chunks : 0;
	if (take_blocks(&r, &d, (uint32_t)chunks, err) < 0 || take_chunks(&r, &d, err) < 0 ||
	    fields_check_unknown(record, row_rest(&r), err) < 0)
		goto fail;
	*out = d;
	return 0;
fail:
	zs_pack_dir_fini(&d);
	return -1;
}

void zs_format_pack_trailer_encode(const struct zs_pack_trailer *t, uint8_t out[static ZS_PACK_TRAILER_PLAIN])
{
	memset(out, 0, ZS_PACK_TRAILER_PLAIN);
	zs_put_u64(out, t->dir_offset);
	zs_put_u32(out + 8, t->dir_stored_bytes);
	zs_put_u32(out + 12, t->block_count);
	zs_put_u64(out + 16, t->padding_offset);
	zs_put_u32(out + 24, t->padding_stored_bytes);
}

int zs_format_pack_trailer_decode(struct zs_span s, struct zs_pack_trailer *out, struct zs_err *err)
{
	struct zs_pack_trailer t;

	if (s.n != ZS_PACK_TRAILER_PLAIN)
		return zs_fail(err, ZS_CORRUPT, "pack trailer: has a wrong length");
	t.dir_offset = zs_get_u64(s.p);
	t.dir_stored_bytes = zs_get_u32(s.p + 8);
	t.block_count = zs_get_u32(s.p + 12);
	t.padding_offset = zs_get_u64(s.p + 16);
	t.padding_stored_bytes = zs_get_u32(s.p + 24);
	if (zs_get_u32(s.p + 28))
		return zs_fail(err, ZS_VERSION, "pack trailer: reserved bytes are used");
	if (t.dir_offset > INT64_MAX || t.padding_offset > INT64_MAX)
		return zs_fail(err, ZS_CORRUPT, "pack trailer: an offset is out of range");
	*out = t;
	return 0;
}
