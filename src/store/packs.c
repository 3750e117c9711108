/*
 * Reading packs as objects: header, trailer, directory, one block unpacked.  Every length that a pack tells is proven
 * against its size.  Which chunk is where is the index's; caching is the reader's.
 */
#include <string.h>

#include "store_private.h"

#define PACKS_DIR_MAX (256u << 20)
#define PACKS_MIN (ZS_PACK_HEADER + 2 * ZS_SEAL_TAG + ZS_PACK_TRAILER)

static int packs_blame(const struct zs_name *pack, struct zs_err *err)
{
	char hex[ZS_NAME_HEX];

	return zs_context(err, "pack %s", zs_name_hex(pack, hex));
}

int packs_open_seal(struct zs_store *st, const struct zs_name *pack, const uint8_t *expect_tag,
    struct zs_pack_tag *out_tag, struct zs_pack_seal **out, struct zs_err *err)
{
	struct zs_buf header = ZS_BUF_INIT;
	struct zs_pack_seal *seal = NULL;
	struct zs_pack_tag tag;
	int rc = -1;

	if (zs_backend_get(st->be, ZS_OBJ_PACK, pack, 0, ZS_PACK_HEADER, &header, err) < 0)
		goto out;
	if (zs_pack_seal_open(st->kr, &st->repo_id, zs_buf_span(&header), &tag, &seal, err) < 0)
		goto out;
	if (expect_tag && memcmp(expect_tag, tag.b, sizeof(tag.b)) != 0) {
		zs_fail(err, ZS_CORRUPT, "another pack stands under its name");
		goto out;
	}
	if (out_tag)
		*out_tag = tag;
	*out = seal;
	seal = NULL;
	rc = 0;
out:
	if (rc < 0)
		packs_blame(pack, err);
	zs_pack_seal_free(seal);
	zs_buf_fini(&header);
	return rc;
}

/* Do blocks, padding, directory and trailer fill the object exactly? */
static int packs_check_layout(const struct zs_pack_dir *dir, const struct zs_pack_trailer *t, uint64_t stored_bytes,
    struct zs_err *err)
{
	uint64_t at = ZS_PACK_HEADER;

	for (uint32_t i = 0; i < dir->block_count; i++)
		at += dir->blocks[i].stored_bytes;
	if (dir->block_count != t->block_count || at != t->padding_offset)
		return zs_fail(err, ZS_CORRUPT, "its directory does not fit its trailer");
	if (at + t->padding_stored_bytes != t->dir_offset ||
	    t->dir_offset + t->dir_stored_bytes + ZS_PACK_TRAILER != stored_bytes)
		return zs_fail(err, ZS_CORRUPT, "its parts do not fill it");
	return 0;
}

/* The trailer says where the directory is: within the object and of a size that we read. */
static int packs_open_trailer(const struct zs_pack_seal *seal, struct zs_span sealed, uint64_t stored_bytes,
    struct zs_pack_trailer *out, struct zs_err *err)
{
	struct zs_buf plain = ZS_BUF_INIT;
	uint64_t end = stored_bytes - ZS_PACK_TRAILER;
	int rc = -1;

	if (zs_pack_open_part(seal, ZS_PART_TRAILER, STORE_PART_TRAILER, sealed, &plain, err) < 0)
		goto out;
	if (zs_format_pack_trailer_decode(zs_buf_span(&plain), out, err) < 0)
		goto out;
	if (out->dir_offset > end || end - out->dir_offset != out->dir_stored_bytes ||
	    out->dir_stored_bytes > PACKS_DIR_MAX || out->padding_offset > out->dir_offset ||
	    out->dir_offset - out->padding_offset != out->padding_stored_bytes) {
		zs_fail(err, ZS_CORRUPT, "its trailer points outside of it");
		goto out;
	}
	rc = 0;
out:
	zs_buf_fini(&plain);
	return rc;
}

static int packs_open_dir(const struct zs_pack_seal *seal, struct zs_span sealed, const struct zs_pack_trailer *t,
    uint64_t stored_bytes, struct zs_pack_dir *out, struct zs_err *err)
{
	struct zs_buf plain = ZS_BUF_INIT;
	struct zs_pack_dir dir = {0};
	int rc = -1;

	if (zs_pack_open_part(seal, ZS_PART_DIRECTORY, STORE_PART_DIRECTORY, sealed, &plain, err) < 0)
		goto out;
	if (zs_format_pack_dir_decode(zs_buf_span(&plain), &dir, err) < 0)
		goto out;
	if (packs_check_layout(&dir, t, stored_bytes, err) < 0)
		goto out;
	*out = dir;
	memset(&dir, 0, sizeof(dir));
	rc = 0;
out:
	zs_pack_dir_fini(&dir);
	zs_buf_fini(&plain);
	return rc;
}

static int packs_too_short(uint64_t stored_bytes, struct zs_err *err)
{
	return zs_fail(err, ZS_CORRUPT, "cut off: only %llu bytes are left", (unsigned long long)stored_bytes);
}

int packs_load_dir(struct zs_store *st, const struct zs_name *pack, uint64_t stored_bytes, struct zs_pack_dir *out,
    struct zs_pack_tag *out_tag, struct zs_pack_trailer *out_trailer, struct zs_err *err)
{
	struct zs_buf sealed = ZS_BUF_INIT;
	struct zs_pack_seal *seal = NULL;
	struct zs_pack_trailer t;
	int rc = -1;

	if (stored_bytes < PACKS_MIN) {
		packs_too_short(stored_bytes, err);
		return packs_blame(pack, err);
	}
	if (packs_open_seal(st, pack, NULL, out_tag, &seal, err) < 0)
		return -1;
	if (zs_backend_get(
		st->be, ZS_OBJ_PACK, pack, stored_bytes - ZS_PACK_TRAILER, ZS_PACK_TRAILER, &sealed, err) < 0)
		goto out;
	if (packs_open_trailer(seal, zs_buf_span(&sealed), stored_bytes, &t, err) < 0)
		goto out;
	zs_buf_clear(&sealed);
	if (zs_backend_get(st->be, ZS_OBJ_PACK, pack, t.dir_offset, t.dir_stored_bytes, &sealed, err) < 0)
		goto out;
	if (packs_open_dir(seal, zs_buf_span(&sealed), &t, stored_bytes, out, err) < 0)
		goto out;
	if (out_trailer)
		*out_trailer = t;
	rc = 0;
out:
	if (rc < 0)
		packs_blame(pack, err);
	zs_pack_seal_free(seal);
	zs_buf_fini(&sealed);
	return rc;
}

int packs_check_padding(struct zs_store *st, const struct zs_name *pack, const struct zs_pack_trailer *t, struct zs_err *err)
{
	struct zs_buf sealed = ZS_BUF_INIT, padding = ZS_BUF_INIT;
	struct zs_pack_seal *seal = NULL;
	int rc = -1;

	if (packs_open_seal(st, pack, NULL, NULL, &seal, err) < 0)
		goto out;
	if (zs_backend_get(st->be, ZS_OBJ_PACK, pack, t->padding_offset, t->padding_stored_bytes, &sealed, err) < 0)
		goto out;
	if (zs_pack_open_part(seal, ZS_PART_PADDING, STORE_PART_PADDING, zs_buf_span(&sealed), &padding, err) < 0)
		goto out;
	rc = 0;
	for (size_t i = 0; rc == 0 && i < padding.n; i++)
		if (padding.p[i] != 0)
			rc = zs_fail(err, ZS_CORRUPT, "its padding is not empty");
out:
	zs_pack_seal_free(seal);
	zs_buf_fini(&sealed);
	zs_buf_fini(&padding);
	return rc;
}

int packs_unpack_block(struct zs_press *press, struct zs_span opened, struct zs_buf *out, struct zs_err *err)
{
	struct zs_span payload;
	uint32_t plain_bytes;
	uint8_t algo;

	if (zs_format_block_head_decode(opened, &algo, &plain_bytes, &payload, err) < 0)
		return -1;
	return zs_press_unpack(press, (enum zs_press_algo)algo, payload, plain_bytes, out, err);
}
