/*
 * Reading chunks: where the index says, block by block, each chunk proven by its id.  A stale index is brought up to
 * date once; a damaged copy gives way to another one if there is any.
 */
#include <stdlib.h>
#include <string.h>

#include "store_private.h"

#define READER_SEALS 64
#define READER_COPIES 16 /* of one chunk that are tried */

struct reader_seal {
	uint32_t pack;
	uint64_t used; /* clock of its last use */
	struct zs_name name;
	struct zs_pack_seal *seal; /* NULL: free */
};

struct zs_store_reader {
	struct zs_store *st;
	struct zs_index_view *view;
	struct zs_press *press;
	struct reader_cache cache;
	struct reader_seal seals[READER_SEALS];
	uint64_t clock;
	struct zs_buf sealed, opened; /* scratch */
	struct zs_buf avoid;	      /* bitmap of packs whose copy was bad, during one call */
};

int zs_store_reader_new(struct zs_store *st, size_t cache_bytes, struct zs_store_reader **out, struct zs_err *err)
{
	struct zs_store_reader *r;

	if (zs_store_sync(st, err) < 0)
		return -1;
	r = calloc(1, sizeof(*r));
	if (!r)
		return zs_fail_nomem(err);
	r->st = st;
	r->cache.limit_bytes = cache_bytes;
	if (zs_press_new(&r->press, err) < 0 || zs_index_view_new(st->index, &r->view, err) < 0) {
		zs_store_reader_free(r);
		return -1;
	}
	*out = r;
	return 0;
}

void zs_store_reader_free(struct zs_store_reader *r)
{
	if (!r)
		return;
	reader_cache_fini(&r->cache);
	for (size_t i = 0; i < READER_SEALS; i++)
		zs_pack_seal_free(r->seals[i].seal);
	if (r->view)
		zs_index_view_free(r->view);
	zs_press_free(r->press);
	zs_buf_fini(&r->sealed);
	zs_buf_fini(&r->opened);
	zs_buf_fini(&r->avoid);
	free(r);
}

struct zs_store *reader_store(struct zs_store_reader *r)
{
	return r->st;
}

struct zs_index_view *reader_view(struct zs_store_reader *r)
{
	return r->view;
}

struct zs_press *reader_press(struct zs_store_reader *r)
{
	return r->press;
}

/* -------------------------------------------------------------------- blocks */

/* The opened seal of a pack, out of the few that are kept.  Borrowed until the next call. */
static struct reader_seal *reader_find_seal(struct zs_store_reader *r, uint32_t pack, struct zs_err *err)
{
	struct reader_seal *slot = &r->seals[0];
	struct zs_pack_seal *seal = NULL;
	struct zs_index_pack_info info;

	for (size_t i = 0; i < READER_SEALS; i++) {
		if (r->seals[i].seal && r->seals[i].pack == pack) {
			r->seals[i].used = ++r->clock;
			return &r->seals[i];
		}
		if (r->seals[i].used < slot->used)
			slot = &r->seals[i];
	}
	if (zs_index_pack_info(r->st->index, pack, &info, err) < 0)
		return NULL;
	if (packs_open_seal(r->st, &info.name, info.tag, NULL, &seal, err) < 0)
		return NULL;
	zs_pack_seal_free(slot->seal);
	*slot = (struct reader_seal){.pack = pack, .used = ++r->clock, .name = info.name, .seal = seal};
	return slot;
}

static int reader_blame_block(const struct reader_seal *s, uint32_t block, struct zs_err *err)
{
	char hex[ZS_NAME_HEX];

	return zs_context(err, "block %u of pack %s", block, zs_name_hex(&s->name, hex));
}

int reader_open_block(struct zs_store_reader *r, const struct zs_location *at, struct zs_buf *out, struct zs_err *err)
{
	struct reader_seal *s;

	/* The index is local and may be damaged: its lengths are bounded like any others. */
	if (at->block_stored < ZS_SEAL_TAG || at->block_stored > STORE_SEALED_MAX)
		return zs_fail(err, ZS_CORRUPT, "a block of %u bytes cannot be", at->block_stored);
	s = reader_find_seal(r, at->pack, err);
	if (!s)
		return -1;
	zs_buf_clear(&r->sealed);
	if (zs_backend_get(r->st->be, ZS_OBJ_PACK, &s->name, at->block_offset, at->block_stored, &r->sealed, err) < 0)
		return reader_blame_block(s, at->block, err);
	if (zs_pack_open_part(s->seal, ZS_PART_BLOCK, at->block, zs_buf_span(&r->sealed), out, err) < 0)
		return reader_blame_block(s, at->block, err);
	return 0;
}

int zs_store_read_block(struct zs_store_reader *r, const struct zs_location *at, struct zs_buf *out, struct zs_err *err)
{
	size_t had = out->n;

	zs_buf_clear(&r->opened);
	if (reader_open_block(r, at, &r->opened, err) < 0)
		return -1;
	if (packs_unpack_block(r->press, zs_buf_span(&r->opened), out, err) < 0) {
		out->n = had;
		return zs_context(err, "block %u of its pack", at->block);
	}
	return 0;
}

static int reader_cached_block(struct zs_store_reader *r, const struct zs_location *at, struct zs_span *out,
    struct zs_err *err)
{
	struct reader_cache_block *b = reader_cache_find(&r->cache, at->pack, at->block);
	struct zs_buf plain;

	if (!b) {
		plain = reader_cache_spare(&r->cache);
		if (zs_store_read_block(r, at, &plain, err) < 0) {
			zs_buf_fini(&plain);
			return -1;
		}
		if (reader_cache_add(&r->cache, at->pack, at->block, &plain, &b, err) < 0)
			return -1;
	}
	*out = zs_buf_span(&b->plain);
	return 0;
}

/* -------------------------------------------------------------------- chunks */

int zs_store_prove(const struct zs_store *st, const struct zs_id *id, struct zs_span plain, struct zs_err *err)
{
	struct zs_id real;
	char hex[ZS_ID_HEX];

	zs_codec_chunk_id(&st->kr->chunk_id, plain, &real);
	if (zs_id_cmp(&real, id) != 0)
		return zs_fail(err, ZS_CORRUPT, "chunk %s does not match its id", zs_id_hex(id, hex));
	return 0;
}

static int reader_read_at(struct zs_store_reader *r, const struct zs_id *id, const struct zs_location *at,
    struct zs_span *out, struct zs_err *err)
{
	struct zs_span block;

	if (reader_cached_block(r, at, &block, err) < 0)
		return -1;
	if (at->chunk_offset > block.n || at->chunk_bytes > block.n - at->chunk_offset)
		return zs_fail(err, ZS_CORRUPT, "the index points outside of block %u", at->block);
	block = zs_span(block.p + at->chunk_offset, at->chunk_bytes);
	if (zs_store_prove(r->st, id, block, err) < 0)
		return -1;
	*out = block;
	return 0;
}

/* Sync, and see it. */
static int reader_catch_up(struct zs_store_reader *r, struct zs_err *err)
{
	if (zs_store_sync(r->st, err) < 0)
		return -1;
	return zs_index_view_refresh(r->view, err);
}

int zs_store_locate(struct zs_store_reader *r, const struct zs_id *id, struct zs_location *out, struct zs_err *err)
{
	int got = zs_index_get(r->view, id, NULL, 0, out, err);

	if (got != 0)
		return got;
	if (reader_catch_up(r, err) < 0)
		return -1;
	return zs_index_get(r->view, id, NULL, 0, out, err);
}

static int reader_avoid(struct zs_store_reader *r, uint32_t pack, struct zs_err *err)
{
	size_t need = (size_t)zs_index_pack_count(r->st->index) / 8 + 1;

	if (pack / 8 >= need)
		need = (size_t)pack / 8 + 1;
	if (r->avoid.n < need) {
		if (zs_buf_reserve(&r->avoid, need - r->avoid.n, err) < 0)
			return -1;
		memset(r->avoid.p + r->avoid.n, 0, need - r->avoid.n);
		r->avoid.n = need;
	}
	r->avoid.p[pack / 8] |= (uint8_t)(1u << (pack % 8));
	return 0;
}

/* The first readable copy that is not in r->avoid: 1, 0 there is no copy (left), -1 with the last copy's trouble. */
static int reader_any_copy(struct zs_store_reader *r, const struct zs_id *id, struct zs_span *out, struct zs_err *err)
{
	struct zs_location at;

	for (int i = 0; i < READER_COPIES; i++) {
		struct zs_err later = {0};
		int got = zs_index_get(r->view, id, r->avoid.p, (uint32_t)(r->avoid.n * 8), &at, &later);

		if (got <= 0) {
			if (got < 0)
				*err = later;
			return got < 0 || i > 0 ? -1 : 0;
		}
		zs_err_clear(err);
		if (reader_read_at(r, id, &at, out, err) == 0)
			return 1;
		if (err->cause != ZS_CORRUPT && err->cause != ZS_NOTFOUND)
			return -1;
		if (reader_avoid(r, at.pack, &later) < 0) {
			*err = later;
			return -1;
		}
	}
	return -1;
}

int zs_store_read(struct zs_store_reader *r, const struct zs_id *id, struct zs_span *out, struct zs_err *err)
{
	char hex[ZS_ID_HEX];
	int got;

	got = reader_any_copy(r, id, out, err);
	if (got > 0)
		return 0;
	if (got == 0 || err->cause == ZS_NOTFOUND) {
		zs_buf_clear(&r->avoid);
		if (reader_catch_up(r, err) < 0)
			return -1;
		got = reader_any_copy(r, id, out, err);
	}
	zs_buf_clear(&r->avoid);
	if (got > 0) {
		zs_err_clear(err);
		return 0;
	}
	if (got == 0)
		return zs_fail(err, ZS_CORRUPT, "chunk %s is in no pack that the index knows", zs_id_hex(id, hex));
	if (err->cause == ZS_NOTFOUND)
		err->cause = ZS_CORRUPT;
	return zs_context(err, "chunk %s", zs_id_hex(id, hex));
}
