/*
 * The calls that every backend shares: they go through its table.  What is the same for all is done here: cutting back
 * a buffer after a failed get, a put's sticky failure, a whole put made of its parts.
 */
#include "backend_private.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const struct zs_name zs_name_zero;

const char *zs_object_name(enum zs_object type)
{
	static const char *const names[ZS_OBJECTS] = {"config", "key", "pack", "index", "snapshot", "session",
	    "condemned", "removal"};

	assert((unsigned)type < ZS_OBJECTS);
	return names[type];
}

const char *backend_label(enum zs_object type, const struct zs_name *name, char out[static BACKEND_LABEL])
{
	char hex[ZS_NAME_HEX];

	if (type == ZS_OBJ_CONFIG)
		(void)snprintf(out, BACKEND_LABEL, "config");
	else
		(void)snprintf(out, BACKEND_LABEL, "%s %s", zs_object_name(type), zs_name_hex(name, hex));
	return out;
}

static void check(enum zs_object type, const struct zs_name *name)
{
	assert((unsigned)type < ZS_OBJECTS);
	assert(type != ZS_OBJ_CONFIG || zs_name_cmp(name, &zs_name_zero) == 0);
	(void)type;
	(void)name;
}

void zs_backend_free(struct zs_backend *be)
{
	if (be)
		be->ops->free(be);
}

const char *zs_backend_describe(const struct zs_backend *be)
{
	return be->describe;
}

int zs_backend_put(struct zs_backend *be, enum zs_object type, const struct zs_name *name, struct zs_span data,
    struct zs_err *err)
{
	struct zs_put *put;

	check(type, name);
	if (be->ops->put)
		return be->ops->put(be, type, name, data, err);
	if (zs_backend_put_begin(be, type, &put, err) < 0)
		return -1;
	if (zs_backend_put_append(put, data, err) < 0) {
		zs_backend_put_abort(put);
		return -1;
	}
	return zs_backend_put_commit(put, name, err);
}

int zs_backend_put_begin(struct zs_backend *be, enum zs_object type, struct zs_put **out, struct zs_err *err)
{
	struct zs_put *put;

	assert((unsigned)type < ZS_OBJECTS);
	if (be->ops->put_begin(be, type, &put, err) < 0)
		return -1;
	put->be = be;
	put->type = type;
	put->failed = 0;
	*out = put;
	return 0;
}

int zs_backend_put_append(struct zs_put *put, struct zs_span data, struct zs_err *err)
{
	assert(!put->failed);
	if (put->be->ops->put_append(put, data, err) == 0)
		return 0;
	put->failed = 1;
	return -1;
}

int zs_backend_put_commit(struct zs_put *put, const struct zs_name *name, struct zs_err *err)
{
	check(put->type, name);
	if (put->failed) {
		zs_backend_put_abort(put);
		return zs_fail(err, ZS_IO, "an object that could not be written cannot be finished");
	}
	return put->be->ops->put_commit(put, name, err);
}

void zs_backend_put_abort(struct zs_put *put)
{
	if (put)
		put->be->ops->put_abort(put);
}

int zs_backend_get(struct zs_backend *be, enum zs_object type, const struct zs_name *name, uint64_t offset,
    size_t bytes, struct zs_buf *out, struct zs_err *err)
{
	size_t before = out->n;

	check(type, name);
	if (be->ops->get(be, type, name, offset, bytes, out, err) < 0) {
		out->n = before;
		return -1;
	}
	assert(out->n == before + bytes);
	return 0;
}

int zs_backend_get_all(struct zs_backend *be, enum zs_object type, const struct zs_name *name, size_t max,
    struct zs_buf *out, struct zs_err *err)
{
	size_t before = out->n;

	check(type, name);
	if (be->ops->get_all(be, type, name, max, out, err) < 0) {
		out->n = before;
		return -1;
	}
	return 0;
}

int zs_backend_stat(struct zs_backend *be, enum zs_object type, const struct zs_name *name, uint64_t *out_bytes,
    struct zs_err *err)
{
	check(type, name);
	return be->ops->stat(be, type, name, out_bytes, err);
}

int zs_backend_list(struct zs_backend *be, enum zs_object type, zs_backend_list_fn *fn, void *ctx, struct zs_err *err)
{
	assert((unsigned)type < ZS_OBJECTS);
	return be->ops->list(be, type, fn, ctx, err);
}

int zs_backend_delete(struct zs_backend *be, enum zs_object type, const struct zs_name *name, struct zs_err *err)
{
	check(type, name);
	return be->ops->remove(be, type, name, err);
}

int zs_backend_reserve_release(struct zs_backend *be, struct zs_err *err)
{
	return be->ops->reserve_release(be, err);
}

int zs_backend_reserve_make(struct zs_backend *be, struct zs_err *err)
{
	return be->ops->reserve_make(be, err);
}

int zs_backend_tidy(struct zs_backend *be, struct zs_err *err)
{
	return be->ops->tidy(be, err);
}
