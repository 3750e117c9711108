/*
 * Sealed metadata objects: what their boxes are bound to, reading and writing them by type, listing.  What an object
 * means is for the other files; packs are read and written elsewhere.
 */
#include <string.h>

#include "store_private.h"

static const struct object_type {
	char magic[5];
	uint8_t is_hashed; /* named by its stored bytes; else by chance */
	uint32_t max_bytes;
} objects_types[ZS_OBJECTS] = {
    [ZS_OBJ_CONFIG] = {"ZSCB", 0, 64u << 10},
    [ZS_OBJ_KEY] = {"ZSKB", 0, 64u << 10},
    [ZS_OBJ_PACK] = {"ZSPK", 1, UINT32_MAX},
    [ZS_OBJ_INDEX] = {"ZSIX", 1, 256u << 20},
    [ZS_OBJ_SNAPSHOT] = {"ZSSN", 1, 64u << 20},
    [ZS_OBJ_SESSION] = {"ZSSE", 0, 64u << 10},
    [ZS_OBJ_CONDEMNED] = {"ZSCD", 0, 256u << 20},
    [ZS_OBJ_REMOVAL] = {"ZSRM", 0, 64u << 20},
};

const char *objects_magic(enum zs_object type)
{
	return objects_types[type].magic;
}

int objects_context(const struct zs_name *repo_id, enum zs_object type, const struct zs_name *name, struct zs_buf *out,
    struct zs_err *err)
{
	if (zs_buf_add_span(out, zs_span_str(zs_object_name(type)), err) < 0)
		return -1;
	if (zs_buf_add(out, repo_id->b, sizeof(repo_id->b), err) < 0)
		return -1;
	return name ? zs_buf_add(out, name->b, sizeof(name->b), err) : 0;
}

int objects_put(struct zs_store *st, enum zs_object type, struct zs_span plain, struct zs_name *out_name,
    struct zs_err *err)
{
	const struct object_type *t = &objects_types[type];
	struct zs_buf context = ZS_BUF_INIT, box = ZS_BUF_INIT;
	struct zs_name name;
	int rc = -1;

	zs_random(name.b, sizeof(name.b));
	if (objects_context(&st->repo_id, type, t->is_hashed ? NULL : &name, &context, err) < 0)
		goto out;
	if (zs_box_seal(&st->kr->meta, t->magic, ZS_FORMAT_VERSION, zs_buf_span(&context), plain, &box, err) < 0)
		goto out;
	if (box.n > t->max_bytes) {
		zs_fail(err, ZS_LIMIT, "%s object of %zu bytes is too large", zs_object_name(type), box.n);
		goto out;
	}
	if (t->is_hashed)
		zs_codec_name(zs_buf_span(&box), &name);
	if (zs_backend_put(st->be, type, &name, zs_buf_span(&box), err) < 0)
		goto out;
	*out_name = name;
	rc = 0;
out:
	zs_buf_fini(&context);
	zs_buf_fini(&box);
	return rc;
}

static int objects_open_box(struct zs_store *st, enum zs_object type, const struct zs_name *name, struct zs_span stored,
    struct zs_buf *out, struct zs_err *err)
{
	const struct object_type *t = &objects_types[type];
	struct zs_buf context = ZS_BUF_INIT;
	struct zs_name real;
	uint16_t version;
	int rc = -1;

	if (t->is_hashed) {
		zs_codec_name(stored, &real);
		if (zs_name_cmp(&real, name) != 0)
			return zs_fail(err, ZS_CORRUPT, "its bytes do not match its name");
	}
	if (objects_context(&st->repo_id, type, t->is_hashed ? NULL : name, &context, err) < 0)
		goto out;
	rc = zs_box_open(
	    &st->kr->meta, t->magic, ZS_FORMAT_VERSION, zs_buf_span(&context), stored, out, &version, err);
	/* The key was proven when the store was opened: a box that it does not fit is not ours, or not this one. */
	if (rc < 0 && err->cause == ZS_KEY)
		zs_fail(err, ZS_CORRUPT, "damaged, or it belongs elsewhere");
out:
	zs_buf_fini(&context);
	return rc;
}

int objects_get(struct zs_store *st, enum zs_object type, const struct zs_name *name, struct zs_buf *out,
    struct zs_err *err)
{
	struct zs_buf stored = ZS_BUF_INIT;
	char hex[ZS_NAME_HEX];
	int rc;

	rc = zs_backend_get_all(st->be, type, name, objects_types[type].max_bytes, &stored, err);
	if (rc == 0)
		rc = objects_open_box(st, type, name, zs_buf_span(&stored), out, err);
	if (rc < 0)
		zs_context(err, "%s object %s", zs_object_name(type), zs_name_hex(name, hex));
	zs_buf_fini(&stored);
	return rc;
}

int objects_remove(struct zs_store *st, enum zs_object type, const struct zs_name *name, struct zs_err *err)
{
	if (zs_backend_delete(st->be, type, name, err) == 0)
		return 0;
	if (err->cause != ZS_NOTFOUND)
		return -1;
	zs_err_clear(err);
	return 0;
}

void objects_discard(struct zs_backend *be, enum zs_object type, const struct zs_name *name)
{
	struct zs_err ignored = {0};

	if (zs_backend_delete(be, type, name, &ignored) < 0)
		return;
}

/* --------------------------------------------------------------------- lists */

static int objects_list_one(void *ctx, const struct zs_name *name, uint64_t bytes, struct zs_err *err)
{
	(void)bytes;
	return zs_names_add(ctx, name, err);
}

int objects_list(struct zs_backend *be, enum zs_object type, struct zs_names *out, struct zs_err *err)
{
	if (zs_backend_list(be, type, objects_list_one, out, err) < 0) {
		zs_names_fini(out);
		return zs_context(err, "listing %s objects", zs_object_name(type));
	}
	zs_names_sort(out);
	return 0;
}

static int objects_any_one(void *ctx, const struct zs_name *name, uint64_t bytes, struct zs_err *err)
{
	(void)name;
	(void)bytes;
	*(int *)ctx = 1;
	return zs_fail(err, ZS_EXISTS, "there is one");
}

int objects_any(struct zs_backend *be, enum zs_object type, struct zs_err *err)
{
	int found = 0;

	if (zs_backend_list(be, type, objects_any_one, &found, err) < 0 && !found)
		return zs_context(err, "listing %s objects", zs_object_name(type));
	zs_err_clear(err);
	return found;
}
