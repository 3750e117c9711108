/*
 * Blocks between intake and pack: chunks of one kind gathered, then pressed.  Their large buffers go round in a small
 * pool, since fresh memory costs a page fault every 4 KiB.  Which chunks belong in is decided in txn.c.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store_private.h"

/*
 * Compressed data show in the bytes' frequencies: were all 256 equally likely, two bytes drawn would be equal once in
 * 256.  Up to DENSE_BELOW it counts as dense; text is equal once in 15.
 */
#define DENSE_SAMPLE 4096
#define DENSE_PIECES 8
#define DENSE_BELOW 215

static int block_is_dense(struct zs_span plain)
{
	uint32_t count[256] = {0};
	uint64_t equal = 0, n = DENSE_SAMPLE;
	size_t piece = DENSE_SAMPLE / DENSE_PIECES;

	if (plain.n < DENSE_SAMPLE)
		return 0;
	for (size_t i = 0; i < DENSE_PIECES; i++) {
		const uint8_t *p = plain.p + i * ((plain.n - piece) / (DENSE_PIECES - 1));

		for (size_t k = 0; k < piece; k++)
			count[p[k]]++;
	}
	for (int i = 0; i < 256; i++)
		equal += (uint64_t)count[i] * (count[i] ? count[i] - 1 : 0);
	return equal * DENSE_BELOW < n * (n - 1);
}

unsigned block_slot(enum zs_kind kind, struct zs_span plain)
{
	if (kind == ZS_KIND_ATTACHMENT && block_is_dense(plain))
		return ZS_KINDS;
	if (kind == ZS_KIND_FILE && block_is_dense(plain))
		return ZS_KINDS + 1;
	return kind;
}

size_t block_limit(const struct zs_txn *txn, unsigned slot)
{
	/* What is not compressed gains nothing from its neighbours: small blocks are read sooner. */
	return slot >= ZS_KINDS ? txn->st->config.block_bytes / 4 : txn->st->config.block_bytes;
}

static struct zs_buf block_take_buf(struct zs_txn *txn)
{
	struct zs_buf b = ZS_BUF_INIT;

	pthread_mutex_lock(&txn->lock);
	if (txn->pool.n > 0)
		b = txn->pool.v[--txn->pool.n];
	pthread_mutex_unlock(&txn->lock);
	return b;
}

/* b is empty afterwards. */
static void block_give_buf(struct zs_txn *txn, struct zs_buf *b)
{
	pthread_mutex_lock(&txn->lock);
	if (b->p && txn->pool.n < BLOCK_POOL) {
		zs_buf_clear(b);
		txn->pool.v[txn->pool.n++] = *b;
		*b = (struct zs_buf)ZS_BUF_INIT;
	}
	pthread_mutex_unlock(&txn->lock);
	zs_buf_fini(b);
}

void block_pool_fini(struct block_pool *p)
{
	for (size_t i = 0; i < p->n; i++)
		zs_buf_fini(&p->v[i]);
	p->n = 0;
}

int block_new(struct zs_txn *txn, enum zs_kind kind, struct zs_block **out, struct zs_err *err)
{
	uint32_t bytes = txn->st->config.block_bytes;
	struct zs_block *b;

	b = calloc(1, sizeof(*b));
	if (!b)
		return zs_fail_nomem(err);
	b->txn = txn;
	b->kind = (uint8_t)kind;
	b->plain = block_take_buf(txn);
	if (zs_buf_reserve(&b->plain, bytes > STORE_CHUNK_MAX ? bytes : STORE_CHUNK_MAX, err) < 0) {
		zs_store_block_free(txn, b);
		return -1;
	}
	*out = b;
	return 0;
}

static int block_add_chunks(struct zs_block *b, const struct zs_pack_chunk *v, uint32_t n, struct zs_err *err)
{
	struct zs_pack_chunk *grown;
	uint32_t cap = b->chunks_cap ? b->chunks_cap : 64;

	while (cap - b->chunk_count < n)
		cap *= 2; /* at most STORE_BLOCK_CHUNKS rows, or what one block held already */
	if (cap != b->chunks_cap) {
		grown = realloc(b->chunks, cap * sizeof(*grown));
		if (!grown)
			return zs_fail_nomem(err);
		b->chunks = grown;
		b->chunks_cap = cap;
	}
	memcpy(b->chunks + b->chunk_count, v, n * sizeof(*v));
	b->chunk_count += n;
	return 0;
}

int block_add(struct zs_block *b, const struct zs_id *id, struct zs_span plain, struct zs_err *err)
{
	struct zs_pack_chunk row = {.id = *id, .bytes = (uint32_t)plain.n};

	if (zs_buf_add_span(&b->plain, plain, err) < 0)
		return -1;
	if (block_add_chunks(b, &row, 1, err) == 0)
		return 0;
	b->plain.n -= plain.n;
	return -1;
}

int block_from_pressed(struct zs_txn *txn, enum zs_kind kind, const struct zs_pack_chunk *chunks, uint32_t chunk_count,
    struct zs_span pressed, struct zs_block **out, struct zs_err *err)
{
	struct zs_block *b;

	if (chunk_count == 0 || chunk_count > ZS_BLOCK_MAX || pressed.n > STORE_SEALED_MAX - ZS_SEAL_TAG)
		return zs_fail(err, ZS_CORRUPT, "a block with %u chunks in %zu bytes", chunk_count, pressed.n);
	b = calloc(1, sizeof(*b));
	if (!b)
		return zs_fail_nomem(err);
	b->txn = txn;
	b->kind = (uint8_t)kind;
	b->is_pressed = 1;
	b->pressed = block_take_buf(txn);
	if (zs_buf_add_span(&b->pressed, pressed, err) < 0 || block_add_chunks(b, chunks, chunk_count, err) < 0) {
		zs_store_block_free(txn, b);
		return -1;
	}
	*out = b;
	return 0;
}

int zs_store_block_press(struct zs_block *b, struct zs_press *press, int level, struct zs_err *err)
{
	struct zs_span plain = zs_buf_span(&b->plain);
	enum zs_press_algo algo;

	assert(!b->is_pressed && b->chunk_count > 0);
	if (level < 0)
		level = b->txn->st->config.level;
	if ((b->kind == ZS_KIND_ATTACHMENT || b->kind == ZS_KIND_FILE) && zs_press_is_dense(press, plain))
		level = 0;
	b->pressed = block_take_buf(b->txn);
	/* The head is known only afterwards: room for it first. */
	if (zs_format_block_head_encode(ZS_PRESS_NONE, (uint32_t)plain.n, &b->pressed, err) < 0)
		return -1;
	if (zs_press_pack(press, plain, level, &b->pressed, &algo, err) < 0)
		return -1;
	b->pressed.p[0] = (uint8_t)algo;
	b->is_pressed = 1;
	block_give_buf(b->txn, &b->plain);
	return 0;
}

void zs_store_block_free(struct zs_txn *txn, struct zs_block *b)
{
	if (!b)
		return;
	block_give_buf(txn, &b->plain);
	block_give_buf(txn, &b->pressed);
	free(b->chunks);
	free(b);
}

size_t zs_store_block_weight(const struct zs_block *b)
{
	return sizeof(*b) + b->plain.cap + b->pressed.cap + b->chunks_cap * sizeof(*b->chunks);
}
