/*
 * Decoded blocks of one reader, least recently used go first; bounded in bytes, but the newest always stays.  How a
 * block is read is reader.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "store_private.h"

static struct reader_cache_block **reader_cache_bucket(struct reader_cache *c, uint32_t pack, uint32_t block)
{
	return &c->buckets[(pack * 61u + block) % READER_CACHE_BUCKETS];
}

static void reader_cache_unlink(struct reader_cache *c, struct reader_cache_block *b)
{
	*(b->newer ? &b->newer->older : &c->newest) = b->older;
	*(b->older ? &b->older->newer : &c->oldest) = b->newer;
	b->newer = b->older = NULL;
}

static void reader_cache_link(struct reader_cache *c, struct reader_cache_block *b)
{
	b->older = c->newest;
	*(c->newest ? &c->newest->newer : &c->oldest) = b;
	c->newest = b;
}

struct reader_cache_block *reader_cache_find(struct reader_cache *c, uint32_t pack, uint32_t block)
{
	struct reader_cache_block *b = *reader_cache_bucket(c, pack, block);

	while (b && (b->pack != pack || b->block != block))
		b = b->next;
	if (b && b != c->newest) {
		reader_cache_unlink(c, b);
		reader_cache_link(c, b);
	}
	return b;
}

/* Take the oldest out; its memory is the caller's. */
static struct zs_buf reader_cache_evict(struct reader_cache *c)
{
	struct reader_cache_block *b = c->oldest, **p = reader_cache_bucket(c, b->pack, b->block);
	struct zs_buf plain = b->plain;

	while (*p != b)
		p = &(*p)->next;
	*p = b->next;
	reader_cache_unlink(c, b);
	c->bytes -= plain.cap;
	free(b);
	return plain;
}

struct zs_buf reader_cache_spare(struct reader_cache *c)
{
	struct zs_buf spare = ZS_BUF_INIT;

	/* Another block will be about as large as the newest. */
	while (c->oldest && c->bytes + c->newest->plain.cap > c->limit_bytes) {
		zs_buf_fini(&spare);
		spare = reader_cache_evict(c);
	}
	zs_buf_clear(&spare);
	return spare;
}

int reader_cache_add(struct reader_cache *c, uint32_t pack, uint32_t block, struct zs_buf *plain,
    struct reader_cache_block **out, struct zs_err *err)
{
	struct reader_cache_block *b, **bucket = reader_cache_bucket(c, pack, block);
	struct zs_buf gone;

	b = calloc(1, sizeof(*b));
	if (!b) {
		zs_buf_fini(plain);
		return zs_fail_nomem(err);
	}
	b->pack = pack;
	b->block = block;
	b->plain = *plain;
	*plain = (struct zs_buf)ZS_BUF_INIT;
	b->next = *bucket;
	*bucket = b;
	reader_cache_link(c, b);
	c->bytes += b->plain.cap;
	while (c->bytes > c->limit_bytes && c->oldest != b) {
		gone = reader_cache_evict(c);
		zs_buf_fini(&gone);
	}
	*out = b;
	return 0;
}

void reader_cache_fini(struct reader_cache *c)
{
	while (c->oldest) {
		struct zs_buf gone = reader_cache_evict(c);

		zs_buf_fini(&gone);
	}
}
