/*
 * What the index's tables hold, byte for byte.  Local and disposable, so fixed
 * integers are in the wire helpers' order and no version is kept per row; every
 * decoder still distrusts what it reads.
 */
#include "index_private.h"

#include <string.h>

#define COUNTERS_BYTES 28

void row_ordinal_put(uint8_t out[static 4], uint32_t ordinal)
{
	out[0] = (uint8_t)(ordinal >> 24);
	out[1] = (uint8_t)(ordinal >> 16);
	out[2] = (uint8_t)(ordinal >> 8);
	out[3] = (uint8_t)ordinal;
}

uint32_t row_ordinal_get(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint8_t *varint_put(uint8_t *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

size_t row_location_encode(const struct zs_location *at, uint8_t out[static ROW_LOCATION_MAX])
{
	uint8_t *p = out;

	*p++ = at->kind;
	p = varint_put(p, at->block);
	p = varint_put(p, at->block_offset);
	p = varint_put(p, at->block_stored);
	p = varint_put(p, at->chunk_offset);
	p = varint_put(p, at->chunk_bytes);
	p = varint_put(p, at->chunk_number);
	return (size_t)(p - out);
}

static int take_u32(struct zs_span *s, uint32_t *out)
{
	uint64_t v;

	if (zs_take_varint(s, &v) < 0 || v > UINT32_MAX)
		return -1;
	*out = (uint32_t)v;
	return 0;
}

int row_location_decode(MDB_val v, struct zs_location *out)
{
	struct zs_span s = zs_span(v.mv_data, v.mv_size);

	if (v.mv_size > ROW_LOCATION_MAX || zs_take_u8(&s, &out->kind) < 0 || take_u32(&s, &out->block) < 0 ||
	    zs_take_varint(&s, &out->block_offset) < 0 || take_u32(&s, &out->block_stored) < 0 ||
	    take_u32(&s, &out->chunk_offset) < 0 || take_u32(&s, &out->chunk_bytes) < 0 ||
	    take_u32(&s, &out->chunk_number) < 0 || s.n != 0)
		return MDB_CORRUPTED;
	if (out->kind == 0 || out->kind >= ZS_KINDS || out->chunk_bytes == 0 || out->block_offset > INT64_MAX ||
	    (uint64_t)out->chunk_offset + out->chunk_bytes > ZS_BLOCK_MAX ||
	    out->block_stored > ZS_BLOCK_MAX + (64u << 10))
		return MDB_CORRUPTED;
	return 0;
}

void row_pack_encode(const struct zs_index_pack_info *info, uint8_t out[static ROW_PACK_HEAD])
{
	memcpy(out, info->name.b, 32);
	memcpy(out + 32, info->writer.b, 32);
	memcpy(out + 64, info->tag, 32);
	zs_put_u64(out + 96, info->stored_bytes);
	zs_put_u32(out + 104, info->block_count);
	zs_put_u32(out + 108, info->chunk_count);
	zs_put_u64(out + 112, info->first_bit);
}

int row_pack_decode(MDB_val v, struct zs_index_pack_info *out, const uint8_t **out_objects, size_t *out_count)
{
	const uint8_t *p = v.mv_data;

	if (v.mv_size < ROW_PACK_HEAD || (v.mv_size - ROW_PACK_HEAD) % ZS_NAME_BYTES)
		return MDB_CORRUPTED;
	memcpy(out->name.b, p, 32);
	memcpy(out->writer.b, p + 32, 32);
	memcpy(out->tag, p + 64, 32);
	out->stored_bytes = zs_get_u64(p + 96);
	out->block_count = zs_get_u32(p + 104);
	out->chunk_count = zs_get_u32(p + 108);
	out->first_bit = zs_get_u64(p + 112);
	*out_objects = p + ROW_PACK_HEAD;
	*out_count = (v.mv_size - ROW_PACK_HEAD) / ZS_NAME_BYTES;
	out->dead = *out_count == 0;
	return 0;
}

int row_counters_get(MDB_txn *txn, MDB_dbi meta, struct row_counters *out)
{
	MDB_val key = {8, (void *)(uintptr_t)"counters"}, v;
	const uint8_t *p;
	int rc = mdb_get(txn, meta, &key, &v);

	memset(out, 0, sizeof *out);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc || v.mv_size != COUNTERS_BYTES)
		return rc ? rc : MDB_CORRUPTED;
	p = v.mv_data;
	out->packs = zs_get_u32(p);
	out->chunks = zs_get_u64(p + 4);
	out->dead_version = zs_get_u64(p + 12);
	out->sequence = zs_get_u64(p + 20);
	return 0;
}

int row_counters_put(MDB_txn *txn, MDB_dbi meta, const struct row_counters *c)
{
	uint8_t b[COUNTERS_BYTES];
	MDB_val key = {8, (void *)(uintptr_t)"counters"}, v = {sizeof b, b};

	zs_put_u32(b, c->packs);
	zs_put_u64(b + 4, c->chunks);
	zs_put_u64(b + 12, c->dead_version);
	zs_put_u64(b + 20, c->sequence);
	return mdb_put(txn, meta, &key, &v, 0);
}
