/*
 * The pack that is being written: sealed blocks streamed to the backend under a running name hash, then padding,
 * directory and trailer.  It ends with a row for an index object; when that is published is txn.c's.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store_private.h"

/* What stands in w->sealed goes out. */
static int pack_writer_emit(struct pack_writer *w, struct zs_err *err)
{
	struct zs_span s = zs_buf_span(&w->sealed);

	if (zs_backend_put_append(w->put, s, err) < 0)
		return -1;
	zs_namer_add(w->namer, s);
	w->stored_bytes += s.n;
	return 0;
}

static int pack_writer_part(struct pack_writer *w, enum zs_part type, uint64_t number, struct zs_span plain,
    struct zs_err *err)
{
	zs_buf_clear(&w->sealed);
	if (zs_pack_seal_part(w->seal, type, number, plain, &w->sealed, err) < 0)
		return -1;
	return pack_writer_emit(w, err);
}

static int pack_writer_begin(struct pack_writer *w, struct zs_store *st, struct zs_err *err)
{
	uint8_t header[ZS_PACK_HEADER];

	w->stored_bytes = 0;
	if (!w->namer && !(w->namer = zs_namer_new()))
		return zs_fail_nomem(err);
	if (zs_pack_seal_new(st->kr, &st->repo_id, header, &w->tag, &w->seal, err) < 0)
		return -1;
	if (zs_backend_put_begin(st->be, ZS_OBJ_PACK, &w->put, err) < 0)
		return -1;
	zs_buf_clear(&w->sealed);
	if (zs_buf_add(&w->sealed, header, sizeof(header), err) < 0)
		return -1;
	return pack_writer_emit(w, err);
}

int pack_writer_block(struct pack_writer *w, struct zs_store *st, const struct zs_block *b, struct zs_err *err)
{
	uint64_t number = w->dir.block_count;

	if (!w->put && pack_writer_begin(w, st, err) < 0)
		return -1;
	if (pack_writer_part(w, ZS_PART_BLOCK, number, zs_buf_span(&b->pressed), err) < 0)
		return -1;
	if (zs_pack_dir_add_block(&w->dir, b->kind, (uint32_t)w->sealed.n, err) < 0)
		return -1;
	for (uint32_t i = 0; i < b->chunk_count; i++) {
		if (zs_pack_dir_add_chunk(&w->dir, &b->chunks[i].id, b->chunks[i].bytes, err) < 0)
			return -1;
	}
	return 0;
}

/* Zeros that bring the whole object to a Padme size. */
static uint64_t pack_writer_padding(const struct pack_writer *w, size_t dir_bytes)
{
	uint64_t least = w->stored_bytes + ZS_SEAL_TAG + dir_bytes + ZS_SEAL_TAG + ZS_PACK_TRAILER;

	return zs_padme(least) - least;
}

int pack_writer_waste(const struct pack_writer *w, uint64_t *out_bytes, struct zs_err *err)
{
	struct zs_buf dir = ZS_BUF_INIT;
	int rc = zs_format_pack_dir_encode(&w->dir, &dir, err);

	if (rc == 0)
		*out_bytes = pack_writer_padding(w, dir.n);
	zs_buf_fini(&dir);
	return rc;
}

static int pack_writer_pad(struct pack_writer *w, size_t dir_bytes, struct zs_err *err)
{
	uint64_t zeros = pack_writer_padding(w, dir_bytes);
	uint8_t *p;
	int rc;

	p = calloc(1, zeros ? (size_t)zeros : 1);
	if (!p)
		return zs_fail_nomem(err);
	rc = pack_writer_part(w, ZS_PART_PADDING, STORE_PART_PADDING, zs_span(p, (size_t)zeros), err);
	free(p);
	return rc;
}

static int pack_writer_tail(struct pack_writer *w, struct zs_err *err)
{
	uint8_t trailer_plain[ZS_PACK_TRAILER_PLAIN];
	struct zs_pack_trailer t = {.block_count = w->dir.block_count, .padding_offset = w->stored_bytes};
	struct zs_buf dir = ZS_BUF_INIT;
	int rc = -1;

	if (zs_format_pack_dir_encode(&w->dir, &dir, err) < 0)
		goto out;
	if (pack_writer_pad(w, dir.n, err) < 0)
		goto out;
	t.padding_stored_bytes = (uint32_t)(w->stored_bytes - t.padding_offset);
	t.dir_offset = w->stored_bytes;
	if (pack_writer_part(w, ZS_PART_DIRECTORY, STORE_PART_DIRECTORY, zs_buf_span(&dir), err) < 0)
		goto out;
	t.dir_stored_bytes = (uint32_t)(w->stored_bytes - t.dir_offset);
	zs_format_pack_trailer_encode(&t, trailer_plain);
	rc = pack_writer_part(w, ZS_PART_TRAILER, STORE_PART_TRAILER, zs_span(trailer_plain, sizeof(trailer_plain)),
	    err);
out:
	zs_buf_fini(&dir);
	return rc;
}

int pack_writer_finish(struct pack_writer *w, struct zs_index_pack *out, struct zs_err *err)
{
	struct zs_put *put;
	struct zs_name name;
	int rc;

	assert(w->put && w->dir.block_count > 0);
	if (pack_writer_tail(w, err) < 0)
		return -1;
	zs_namer_finish(w->namer, &name);
	put = w->put;
	w->put = NULL;
	rc = zs_backend_put_commit(put, &name, err);
	if (rc == 0) {
		out->name = name;
		memcpy(out->tag, w->tag.b, sizeof(out->tag));
		out->stored_bytes = w->stored_bytes;
		out->dir = w->dir;
		memset(&w->dir, 0, sizeof(w->dir));
	}
	zs_pack_seal_free(w->seal);
	w->seal = NULL;
	return rc;
}

void pack_writer_fini(struct pack_writer *w)
{
	zs_backend_put_abort(w->put);
	zs_pack_seal_free(w->seal);
	zs_namer_free(w->namer);
	zs_pack_dir_fini(&w->dir);
	zs_buf_fini(&w->sealed);
	memset(w, 0, sizeof(*w));
}
