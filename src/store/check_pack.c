/*
 * One pack in full: its bytes against its name, its seals, its blocks decompressed, every chunk against its id, its
 * directory against the local index.  Read in pieces; only one block is in memory at a time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_private.h"

#define CHECK_PIECE (1u << 20)

struct check_pack {
	struct zs_store_reader *r;
	struct zs_store *st;
	uint32_t ordinal;
	struct zs_index_pack_info info;
	char hex[ZS_NAME_HEX];
	zs_finding_fn *fn;
	void *ctx;
	struct zs_buf plain; /* scratch */
	uint64_t bytes;	     /* read */
};

static int found(struct check_pack *k, const char *what, struct zs_err *err)
{
	char text[600];

	snprintf(text, sizeof(text), "pack %s: %s", k->hex, what);
	if (k->fn(k->ctx, text) == 0)
		return 0;
	return zs_fail(err, ZS_STOPPED, "the check was stopped");
}

/* Damage is a finding (and then 1); what keeps us from telling is an error. */
static int judge(struct check_pack *k, struct zs_err *err)
{
	char text[sizeof(err->text)];

	if (err->cause != ZS_CORRUPT && err->cause != ZS_VERSION && err->cause != ZS_NOTFOUND)
		return -1;
	memcpy(text, err->text, sizeof(text));
	zs_err_clear(err);
	return found(k, text, err) < 0 ? -1 : 1;
}

/* Its stored bytes against its name. */
static int check_name(struct check_pack *k, struct zs_err *err)
{
	struct zs_namer *namer = zs_namer_new();
	struct zs_buf piece = ZS_BUF_INIT;
	struct zs_name real;
	int rc = 0;

	if (!namer)
		return zs_fail_nomem(err);
	for (uint64_t at = 0; at < k->info.stored_bytes && rc == 0;) {
		uint64_t left = k->info.stored_bytes - at;
		size_t n = left < CHECK_PIECE ? (size_t)left : CHECK_PIECE;

		zs_buf_clear(&piece);
		rc = zs_backend_get(k->st->be, ZS_OBJ_PACK, &k->info.name, at, n, &piece, err);
		zs_namer_add(namer, zs_buf_span(&piece));
		at += n;
		k->bytes += n;
	}
	zs_namer_finish(namer, &real);
	if (rc < 0)
		rc = judge(k, err);
	else if (zs_name_cmp(&real, &k->info.name) != 0)
		rc = found(k, "its bytes do not match its name", err) < 0 ? -1 : 1;
	zs_buf_fini(&piece);
	zs_namer_free(namer);
	return rc;
}

static int check_chunks(struct check_pack *k, const struct zs_pack_block *block, const struct zs_pack_chunk *chunks,
    struct zs_err *err)
{
	size_t offset = 0;

	for (uint32_t i = 0; i < block->chunk_count; i++) {
		if (chunks[i].bytes > k->plain.n - offset)
			return found(k, "a block is shorter than its directory says", err);
		if (zs_store_prove(k->st, &chunks[i].id, zs_span(k->plain.p + offset, chunks[i].bytes), err) < 0 &&
		    judge(k, err) < 0)
			return -1;
		offset += chunks[i].bytes;
	}
	return offset == k->plain.n ? 0 : found(k, "a block is longer than its directory says", err);
}

static int check_blocks(struct check_pack *k, const struct zs_pack_dir *dir, struct zs_err *err)
{
	struct zs_location at = {.pack = k->ordinal, .block_offset = ZS_PACK_HEADER};

	for (uint32_t b = 0; b < dir->block_count; b++) {
		const struct zs_pack_block *block = &dir->blocks[b];

		at.block = b;
		at.block_stored = block->stored_bytes;
		at.kind = block->kind;
		zs_buf_clear(&k->plain);
		if (zs_store_read_block(k->r, &at, &k->plain, err) < 0) {
			if (judge(k, err) < 0)
				return -1;
		} else if (check_chunks(k, block, &dir->chunks[block->first_chunk], err) < 0) {
			return -1;
		}
		at.block_offset += block->stored_bytes;
	}
	return 0;
}

/* Where the local index says that a chunk is, if it names this pack for it. */
static int check_row(struct check_pack *k, const struct zs_pack_chunk *chunk, const struct zs_location *want,
    struct zs_err *err)
{
	struct zs_location at;
	int got = zs_index_get(reader_view(k->r), &chunk->id, NULL, 0, &at, err);

	if (got < 0)
		return -1;
	if (got == 0)
		return found(k, "a chunk of it is not in the index", err);
	if (at.pack != want->pack)
		return 0; /* another copy comes first */
	if (at.chunk_number > want->chunk_number || at.chunk_bytes != want->chunk_bytes)
		return found(k, "its directory and the index disagree about a chunk", err);
	if (at.chunk_number < want->chunk_number)
		return 0; /* a second copy in one pack */
	if (at.block != want->block || at.block_offset != want->block_offset || at.block_stored != want->block_stored ||
	    at.chunk_offset != want->chunk_offset || at.kind != want->kind)
		return found(k, "its directory and the index disagree about where a chunk is", err);
	return 0;
}

static int check_rows(struct check_pack *k, const struct zs_pack_dir *dir, struct zs_err *err)
{
	struct zs_location want = {.pack = k->ordinal, .block_offset = ZS_PACK_HEADER};

	for (uint32_t b = 0; b < dir->block_count; b++) {
		const struct zs_pack_block *block = &dir->blocks[b];

		want.block = b;
		want.block_stored = block->stored_bytes;
		want.kind = block->kind;
		want.chunk_offset = 0;
		for (uint32_t i = 0; i < block->chunk_count; i++) {
			const struct zs_pack_chunk *chunk = &dir->chunks[block->first_chunk + i];

			want.chunk_number = block->first_chunk + i;
			want.chunk_bytes = chunk->bytes;
			if (check_row(k, chunk, &want, err) < 0)
				return -1;
			want.chunk_offset += chunk->bytes;
		}
		want.block_offset += block->stored_bytes;
	}
	return 0;
}

static int check_content(struct check_pack *k, struct zs_err *err)
{
	struct zs_pack_dir dir = {0};
	struct zs_pack_trailer trailer;
	struct zs_pack_tag tag;
	int rc;

	if (packs_load_dir(k->st, &k->info.name, k->info.stored_bytes, &dir, &tag, &trailer, err) < 0)
		return judge(k, err) < 0 ? -1 : 0;
	rc = check_blocks(k, &dir, err);
	if (rc == 0 && packs_check_padding(k->st, &k->info.name, &trailer, err) < 0 && judge(k, err) < 0)
		rc = -1;
	if (rc == 0 && (dir.chunk_count != k->info.chunk_count || dir.block_count != k->info.block_count ||
			   memcmp(tag.b, k->info.tag, sizeof(tag.b)) != 0))
		rc = found(k, "its directory is not what the index says", err);
	else if (rc == 0)
		rc = check_rows(k, &dir, err);
	zs_pack_dir_fini(&dir);
	return rc;
}

int zs_store_check_pack(struct zs_store_reader *r, uint32_t ordinal, zs_finding_fn *fn, void *ctx, uint64_t *out_bytes,
    struct zs_err *err)
{
	struct check_pack k = {.r = r, .st = reader_store(r), .ordinal = ordinal, .fn = fn, .ctx = ctx};
	uint64_t size;
	int rc = zs_index_pack_info(k.st->index, ordinal, &k.info, err);

	*out_bytes = 0;
	if (rc < 0 || k.info.dead)
		return rc;
	zs_name_hex(&k.info.name, k.hex);
	rc = zs_backend_stat(k.st->be, ZS_OBJ_PACK, &k.info.name, &size, err);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return found(&k, "it is missing", err);
	if (size != k.info.stored_bytes)
		return found(&k, "its size is wrong", err);
	rc = check_name(&k, err);
	if (rc >= 0)
		rc = check_content(&k, err);
	*out_bytes = k.bytes;
	zs_buf_fini(&k.plain);
	return rc < 0 ? -1 : 0;
}
