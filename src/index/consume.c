/*
 * Writing to the delta: taking in index objects, and forgetting those that are
 * gone.  Ordinals and bits are given out inside the transaction, which LMDB
 * serialises between processes.
 */
#include "index_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct consume_row { /* one chunk on its way into the table */
	uint8_t key[ROW_KEY];
	uint8_t kind;
	uint32_t block, block_stored, chunk_offset, chunk_bytes, chunk_number;
	uint64_t block_offset;
};
struct consume {
	const struct zs_name *object;
	const struct zs_index_object *content;
	struct consume_row *rows;
	size_t row_count;
	uint8_t *listed; /* the object's row: sequence, ordinals */
};

static MDB_val val(const void *p, size_t n)
{
	return (MDB_val){n, (void *)(uintptr_t)p};
}

/* ------------------------------------------------------------------ consuming */

static int row_cmp(const void *a, const void *b)
{
	const struct consume_row *x = a, *y = b;
	int d = memcmp(x->key, y->key, ROW_KEY);

	if (d)
		return d;
	return x->chunk_number < y->chunk_number ? -1 : x->chunk_number > y->chunk_number;
}

static void rows_of_pack(struct consume *c, const struct zs_index_pack *pack, uint32_t ordinal)
{
	uint64_t offset = ROW_PACK_HEADER;

	for (uint32_t b = 0; b < pack->dir.block_count; b++) {
		const struct zs_pack_block *block = &pack->dir.blocks[b];
		uint32_t at = 0;

		for (uint32_t i = 0; i < block->chunk_count; i++) {
			const struct zs_pack_chunk *chunk = &pack->dir.chunks[block->first_chunk + i];
			struct consume_row *row = &c->rows[c->row_count++];

			memcpy(row->key, chunk->id.b, ZS_ID_BYTES);
			row_ordinal_put(row->key + ZS_ID_BYTES, ordinal);
			row->kind = block->kind;
			row->block = b;
			row->block_stored = block->stored_bytes;
			row->block_offset = offset;
			row->chunk_offset = at;
			row->chunk_bytes = chunk->bytes;
			row->chunk_number = block->first_chunk + i;
			at += chunk->bytes;
		}
		offset += block->stored_bytes;
	}
}

static int put_rows(const struct consume *c, MDB_txn *txn, MDB_dbi table)
{
	MDB_cursor *cursor = NULL;
	MDB_val key, v;
	unsigned flags = 0;
	uint8_t value[ROW_LOCATION_MAX];
	int rc = mdb_cursor_open(txn, table, &cursor);

	if (rc)
		return rc;
	rc = mdb_cursor_get(cursor, &key, &v, MDB_LAST);
	if (rc == MDB_NOTFOUND || (!rc && key.mv_size == ROW_KEY && memcmp(c->rows[0].key, key.mv_data, ROW_KEY) > 0))
		flags = MDB_APPEND;
	if (rc == MDB_NOTFOUND)
		rc = 0;
	for (size_t i = 0; !rc && i < c->row_count; i++) {
		const struct consume_row *row = &c->rows[i];
		struct zs_location at = {.block = row->block, .block_offset = row->block_offset,
		    .block_stored = row->block_stored, .chunk_offset = row->chunk_offset,
		    .chunk_bytes = row->chunk_bytes, .chunk_number = row->chunk_number, .kind = row->kind};

		/* A pack may hold a chunk twice; the first copy counts. */
		if (i > 0 && memcmp(row->key, row[-1].key, ROW_KEY) == 0)
			continue;
		key = val(row->key, ROW_KEY);
		v = val(value, row_location_encode(&at, value));
		rc = mdb_cursor_put(cursor, &key, &v, flags);
	}
	mdb_cursor_close(cursor);
	return rc;
}

/* A pack that is known already: one more index object speaks of it. */
static int pack_again(struct zs_index *ix, MDB_txn *txn, struct consume *c, const struct zs_index_pack *pack,
    const uint8_t ordinal[static 4], struct row_counters *counters, struct zs_err *err)
{
	struct zs_index_pack_info info;
	const uint8_t *objects;
	MDB_val key = val(ordinal, 4), v;
	uint8_t *row;
	size_t n;
	int rc = mdb_get(txn, ix->t.packs, &key, &v);

	if (!rc)
		rc = row_pack_decode(v, &info, &objects, &n);
	if (rc)
		return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
	if (info.chunk_count != pack->dir.chunk_count || memcmp(info.tag, pack->tag, sizeof info.tag) != 0) {
		zs_fail(err, ZS_CORRUPT, "index objects disagree about a pack");
		return ENV_FAILED;
	}
	row = malloc(v.mv_size + ZS_NAME_BYTES);
	if (!row)
		return ENOMEM;
	memcpy(row, v.mv_data, v.mv_size);
	memcpy(row + v.mv_size, c->object->b, ZS_NAME_BYTES);
	v = val(row, v.mv_size + ZS_NAME_BYTES);
	rc = mdb_put(txn, ix->t.packs, &key, &v, 0);
	free(row);
	if (rc || n > 0)
		return rc;
	/* It was dead, and a merge may have dropped its chunks. */
	rows_of_pack(c, pack, row_ordinal_get(ordinal));
	counters->dead_version++;
	rc = mdb_del(txn, ix->t.dead, &key, NULL);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int pack_new(struct zs_index *ix, MDB_txn *txn, struct consume *c, const struct zs_index_pack *pack,
    uint8_t ordinal[static 4], struct row_counters *counters)
{
	struct zs_index_pack_info info = {.name = pack->name,
	    .writer = pack->writer,
	    .stored_bytes = pack->stored_bytes,
	    .block_count = pack->dir.block_count,
	    .chunk_count = pack->dir.chunk_count,
	    .first_bit = counters->chunks};
	uint8_t row[ROW_PACK_HEAD + ZS_NAME_BYTES];
	MDB_val name = val(pack->name.b, ZS_NAME_BYTES), key = val(ordinal, 4), v = val(row, sizeof row);
	int rc;

	if (counters->packs == UINT32_MAX)
		return MDB_DBS_FULL;
	row_ordinal_put(ordinal, counters->packs);
	memcpy(info.tag, pack->tag, sizeof info.tag);
	row_pack_encode(&info, row);
	memcpy(row + ROW_PACK_HEAD, c->object->b, ZS_NAME_BYTES);
	rc = mdb_put(txn, ix->t.names, &name, &key, 0);
	if (!rc)
		rc = mdb_put(txn, ix->t.packs, &key, &v, 0);
	rows_of_pack(c, pack, counters->packs);
	counters->packs++;
	counters->chunks += pack->dir.chunk_count;
	return rc;
}

static int listed_before(const uint8_t *list, uint32_t n, const uint8_t *ordinal)
{
	for (uint32_t i = 0; i < n; i++)
		if (memcmp(list + 4 * i, ordinal, 4) == 0)
			return 1;
	return 0;
}

static int add_packs(struct zs_index *ix, MDB_txn *txn, struct consume *c, struct row_counters *counters,
    uint32_t *out_listed, struct zs_err *err)
{
	uint8_t *list = c->listed + 8;
	uint32_t n = 0;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < c->content->pack_count; i++) {
		const struct zs_index_pack *pack = &c->content->packs[i];
		MDB_val key = val(pack->name.b, ZS_NAME_BYTES), v;
		uint8_t *ordinal = list + 4 * n;

		rc = mdb_get(txn, ix->t.names, &key, &v);
		if (rc == MDB_NOTFOUND) {
			rc = pack_new(ix, txn, c, pack, ordinal, counters);
			n++;
		} else if (!rc && v.mv_size == 4) {
			memcpy(ordinal, v.mv_data, 4);
			if (listed_before(list, n, ordinal))
				continue;
			rc = pack_again(ix, txn, c, pack, ordinal, counters, err);
			n++;
		} else if (!rc) {
			rc = MDB_CORRUPTED;
		}
	}
	*out_listed = n;
	return rc;
}

static int consume_txn(struct zs_index *ix, MDB_txn *txn, void *arg, struct zs_err *err)
{
	struct consume *c = arg;
	struct row_counters counters;
	MDB_val key = val(c->object->b, ZS_NAME_BYTES), v;
	uint32_t n;
	int rc = mdb_get(txn, ix->t.objects, &key, &v);

	if (rc != MDB_NOTFOUND)
		return rc ? rc : ENV_UNCHANGED;
	rc = row_counters_get(txn, ix->t.meta, &counters);
	if (rc)
		return rc;
	c->row_count = 0;
	rc = add_packs(ix, txn, c, &counters, &n, err);
	if (rc)
		return rc;
	zs_put_u64(c->listed, ++counters.sequence);
	v = val(c->listed, 8 + 4 * (size_t)n);
	rc = mdb_put(txn, ix->t.objects, &key, &v, 0);
	if (!rc && c->row_count > 0) {
		qsort(c->rows, c->row_count, sizeof *c->rows, row_cmp);
		rc = put_rows(c, txn, ix->t.chunks);
	}
	return rc ? rc : row_counters_put(txn, ix->t.meta, &counters);
}

int zs_index_consume(struct zs_index *ix, const struct zs_name *index_object, const struct zs_index_object *content,
    struct zs_err *err)
{
	struct consume c = {.object = index_object, .content = content};
	size_t chunks = 0;
	int rc = -1;

	for (uint32_t i = 0; i < content->pack_count; i++)
		chunks += content->packs[i].dir.chunk_count;
	c.rows = calloc(chunks ? chunks : 1, sizeof *c.rows);
	c.listed = malloc(8 + 4 * (size_t)content->pack_count + 4);
	if (!c.rows || !c.listed) {
		zs_fail_nomem(err);
		goto out;
	}
	rc = env_write(ix, consume_txn, &c, err);
out:
	free(c.rows);
	free(c.listed);
	return rc;
}
