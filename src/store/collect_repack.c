/*
 * Copying what is live out of the chosen packs: wholly live blocks as they are, others chunk by chunk.  When a batch is
 * published, each copied chunk's mark moves from the old copy to the one that stays; so the marks say at any time which
 * packs are needed.
 */
#include <stdlib.h>
#include <string.h>

#include "collect_private.h"

#define REPACK_BATCH_CHUNKS (1u << 19) /* directory rows held in memory at once */

struct repack_pack { uint32_t ordinal; struct zs_pack_dir dir; };
struct repack {
	struct zs_collector *c;
	struct zs_store_reader *reader;
	struct repack_pack *batch;
	size_t batch_count;
	uint32_t batch_chunks;
	struct zs_buf block; /* scratch */
	uint64_t done, total; /* plain progress: live bytes */
};

static int press_and_append(struct repack *r, struct zs_block *b, struct zs_err *err)
{
	if (zs_store_block_press(b, reader_press(r->reader), -1, err) < 0) {
		zs_store_block_free(r->c->txn, b);
		return -1;
	}
	return zs_store_append(r->c->txn, &b, err);
}

/* The whole block is live: its compressed bytes move as they are. */
static int copy_block(struct repack *r, const struct zs_location *at, const struct zs_pack_block *block,
    const struct zs_pack_chunk *chunks, struct zs_err *err)
{
	struct zs_block *b = NULL;

	zs_buf_clear(&r->block);
	if (reader_open_block(r->reader, at, &r->block, err) < 0)
		return -1;
	if (block_from_pressed(
		r->c->txn, (enum zs_kind)block->kind, chunks, block->chunk_count, zs_buf_span(&r->block), &b, err) < 0)
		return -1;
	return zs_store_append(r->c->txn, &b, err);
}

static int copy_chunks(struct repack *r, const struct zs_location *at, const struct zs_pack_block *block,
    const struct zs_pack_chunk *chunks, uint64_t first_bit, struct zs_err *err)
{
	size_t offset = 0;

	zs_buf_clear(&r->block);
	if (zs_store_read_block(r->reader, at, &r->block, err) < 0)
		return -1;
	for (uint32_t i = 0; i < block->chunk_count; offset += chunks[i].bytes, i++) {
		struct zs_block *full = NULL;
		struct zs_span plain;
		uint32_t added;

		if (!collect_bit(r->c->live, first_bit + i))
			continue;
		if (chunks[i].bytes > r->block.n || offset > r->block.n - chunks[i].bytes)
			return zs_fail(err, ZS_CORRUPT, "a block is shorter than its directory says");
		plain = zs_span(r->block.p + offset, chunks[i].bytes);
		if (zs_store_prove(r->c->st, &chunks[i].id, plain, err) < 0)
			return -1;
		if (zs_store_put(r->c->txn, (enum zs_kind)block->kind, &chunks[i].id, plain, &added, &full, err) < 0)
			return -1;
		if (full && press_and_append(r, full, err) < 0)
			return -1;
	}
	return 0;
}

static int copy_pack(struct repack *r, const struct repack_pack *p, struct zs_err *err)
{
	const struct collect_pack *pack = &r->c->packs[p->ordinal];
	struct zs_location at = {.pack = p->ordinal, .block_offset = ZS_PACK_HEADER};

	for (uint32_t b = 0; b < p->dir.block_count; b++) {
		const struct zs_pack_block *block = &p->dir.blocks[b];
		const struct zs_pack_chunk *chunks = &p->dir.chunks[block->first_chunk];
		uint64_t first_bit = pack->first_bit + block->first_chunk;
		uint32_t live = 0;
		int rc = 0;

		at.block = b;
		at.block_stored = block->stored_bytes;
		at.kind = block->kind;
		for (uint32_t i = 0; i < block->chunk_count; i++)
			live += (uint32_t)collect_bit(r->c->live, first_bit + i);
		if (live == block->chunk_count)
			rc = copy_block(r, &at, block, chunks, err);
		else if (live > 0)
			rc = copy_chunks(r, &at, block, chunks, first_bit, err);
		if (rc < 0)
			return -1;
		at.block_offset += block->stored_bytes;
	}
	return 0;
}

/* Everything of the batch durable and indexed. */
static int publish(struct repack *r, struct zs_err *err)
{
	struct zs_block *b;
	int got;

	while ((got = zs_store_flush(r->c->txn, &b, err)) > 0) {
		if (press_and_append(r, b, err) < 0)
			return -1;
	}
	return got < 0 ? -1 : zs_store_publish(r->c->txn, err);
}

/* Every live chunk must be in a pack that stays before its mark is taken off this one. */
static int move_marks(struct repack *r, const struct repack_pack *p, struct zs_err *err)
{
	struct zs_collector *c = r->c;
	uint64_t first = c->packs[p->ordinal].first_bit;
	char hex[ZS_ID_HEX];

	for (uint32_t i = 0; i < p->dir.chunk_count; i++) {
		struct zs_location at;
		int got;

		if (!collect_bit(c->live, first + i))
			continue;
		got = zs_index_get(c->view, &p->dir.chunks[i].id, c->avoid, c->pack_count, &at, err);
		if (got < 0)
			return -1;
		if (got == 0 || at.pack >= c->pack_count || at.chunk_number >= c->packs[at.pack].chunk_count)
			return zs_fail(
			    err, ZS_INTERNAL, "chunk %s was not copied", zs_id_hex(&p->dir.chunks[i].id, hex));
		collect_set(c->live, c->packs[at.pack].first_bit + at.chunk_number);
	}
	for (uint32_t i = 0; i < p->dir.chunk_count; i++)
		c->live[(first + i) / 8] &= (uint8_t)~(1u << ((first + i) % 8));
	return 0;
}

static int finish_batch(struct repack *r, struct zs_names *out, struct zs_err *err)
{
	struct zs_collector *c = r->c;
	int rc = publish(r, err);

	if (rc == 0)
		rc = zs_index_view_refresh(c->view, err) < 0 ? -1 : collect_look_grow(c, err);
	for (size_t i = 0; i < r->batch_count && rc == 0; i++)
		rc = move_marks(r, &r->batch[i], err);
	for (size_t i = 0; i < r->batch_count; i++) {
		if (rc == 0)
			rc = zs_names_add(out, &c->packs[r->batch[i].ordinal].name, err);
		zs_pack_dir_fini(&r->batch[i].dir);
	}
	r->batch_count = 0;
	r->batch_chunks = 0;
	return rc;
}

static int load_pack(struct repack *r, uint32_t ordinal, struct zs_err *err)
{
	const struct collect_pack *pack = &r->c->packs[ordinal];
	struct zs_index_pack_info info;
	struct zs_pack_tag tag;
	struct repack_pack p = {.ordinal = ordinal};
	char hex[ZS_NAME_HEX];

	if (zs_index_pack_info(r->c->st->index, ordinal, &info, err) < 0)
		return -1;
	if (packs_load_dir(r->c->st, &pack->name, pack->stored_bytes, &p.dir, &tag, NULL, err) < 0)
		return -1;
	if (p.dir.chunk_count != pack->chunk_count || memcmp(tag.b, info.tag, sizeof(tag.b)) != 0) {
		zs_pack_dir_fini(&p.dir);
		return zs_fail(err, ZS_CORRUPT, "pack %s is not what the index says", zs_name_hex(&pack->name, hex));
	}
	r->batch[r->batch_count++] = p;
	r->batch_chunks += p.dir.chunk_count;
	return 0;
}

static int one_pack(struct repack *r, uint32_t ordinal, struct zs_names *out, struct zs_err *err)
{
	const struct collect_pack *pack = &r->c->packs[ordinal];

	collect_progress(r->c, "repack", r->done, r->total);
	if (collect_go_on(r->c, err) < 0)
		return -1;
	if (load_pack(r, ordinal, err) < 0 || copy_pack(r, &r->batch[r->batch_count - 1], err) < 0) {
		if (err->cause == ZS_NOTFOUND) /* a pack that a snapshot needs */
			err->cause = ZS_CORRUPT;
		return -1;
	}
	r->done += pack->live_bytes;
	r->c->report.packs_repacked++;
	r->c->report.bytes_repacked += pack->live_bytes;
	return r->batch_chunks >= REPACK_BATCH_CHUNKS ? finish_batch(r, out, err) : 0;
}

/* Copies in packs that are to go, or are condemned, do not count: neither for the transaction nor for the marks. */
static int avoid_all(struct repack *r, uint32_t *out_chosen, struct zs_err *err)
{
	struct zs_collector *c = r->c;

	*out_chosen = 0;
	for (uint32_t i = 0; i < c->pack_count; i++) {
		if (c->packs[i].is_chosen) {
			collect_set(c->avoid, i);
			r->total += c->packs[i].live_bytes;
			++*out_chosen;
		}
		if (collect_bit(c->avoid, i) && txn_avoid(c->txn, i, err) < 0)
			return -1;
	}
	return 0;
}

int collect_repack(struct zs_collector *c, struct zs_names *out, struct zs_err *err)
{
	struct repack r = {.c = c, .block = ZS_BUF_INIT};
	uint32_t chosen, before = c->pack_count;
	int rc = -1;

	if (avoid_all(&r, &chosen, err) < 0)
		return -1;
	if (chosen == 0)
		return 0;
	r.batch = calloc(chosen, sizeof(*r.batch));
	if (!r.batch)
		return zs_fail_nomem(err);
	if (zs_store_reader_new(c->st, 0, &r.reader, err) < 0)
		goto out;
	for (uint32_t i = 0; i < before; i++) {
		if (c->packs[i].is_chosen && one_pack(&r, i, out, err) < 0)
			goto out;
	}
	rc = finish_batch(&r, out, err);
out:
	for (size_t i = 0; i < r.batch_count; i++)
		zs_pack_dir_fini(&r.batch[i].dir);
	free(r.batch);
	zs_buf_fini(&r.block);
	zs_store_reader_free(r.reader);
	return rc;
}
