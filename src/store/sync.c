/*
 * Index objects and the local index: opens it, consumes what is new, forgets what is gone, publishes what is ours.
 * The lookups themselves are the index layer's.
 */
#include "store_private.h"

#define SYNC_ATTEMPTS 8

static int sync_open(struct zs_store *st, struct zs_err *err)
{
	struct zs_buf path = ZS_BUF_INIT;
	int fresh, rc = -1;

	if (open_cache_path(st, "index", &path, err) == 0)
		rc = zs_index_open((const char *)path.p, &st->repo_id, &st->index, &fresh, err);
	zs_buf_fini(&path);
	return rc;
}

/* A damaged index object: an error, or said once and left out.  The caller holds sync_lock. */
static int sync_damaged(struct zs_store *st, const struct zs_name *name, enum sync_mode mode, struct zs_err *err)
{
	struct zs_err e = *err;

	if (mode == SYNC_STRICT)
		return -1;
	zs_err_clear(err);
	if (zs_names_has(&st->warned, name))
		return 0;
	if (zs_names_add(&st->warned, name, err) < 0)
		return -1;
	zs_names_sort(&st->warned);
	open_warn(st, "%s; what only it knows counts as absent (see zstore repair)", e.text);
	return 0;
}

/* 1 done, 0 it has vanished, -1. */
static int sync_consume(struct zs_store *st, const struct zs_name *name, enum sync_mode mode, struct zs_err *err)
{
	struct zs_index_object content = {0};
	int rc;

	rc = zs_index_knows(st->index, name, err);
	if (rc != 0)
		return rc;
	rc = records_get_index(st, name, &content, err);
	if (rc == 0) {
		rc = zs_index_consume(st->index, name, &content, err) < 0 ? -1 : 1;
	} else if (err->cause == ZS_NOTFOUND) {
		zs_err_clear(err);
		rc = 0;
	}
	/* Also if it contradicts what another one says of the same pack. */
	if (rc < 0 && err->cause == ZS_CORRUPT)
		rc = sync_damaged(st, name, mode, err) < 0 ? -1 : 1;
	zs_index_object_fini(&content);
	return rc;
}

/* 1 done, 0 an object vanished between the listing and its reading: list again; -1. */
static int sync_once(struct zs_store *st, enum sync_mode mode, struct zs_err *err)
{
	uint64_t epoch = zs_index_epoch(st->index);
	struct zs_names names = {0};
	int rc = 1;

	if (objects_list(st->be, ZS_OBJ_INDEX, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n && rc > 0; i++)
		rc = sync_consume(st, &names.v[i], mode, err);
	/* Only after all are consumed: a pack that moved from one index object to another never counts as gone. */
	if (rc > 0 && zs_index_retain_since(st->index, epoch, &names, err) < 0)
		rc = -1;
	zs_names_fini(&names);
	return rc;
}

static int sync_locked(struct zs_store *st, enum sync_mode mode, struct zs_err *err)
{
	int is_first = st->index == NULL, rc = 0;

	if (is_first && sync_open(st, err) < 0)
		return -1;
	for (int i = 0; i < SYNC_ATTEMPTS && rc == 0; i++)
		rc = sync_once(st, mode, err);
	if (rc == 0)
		return zs_fail(err, ZS_BUSY, "index objects vanish faster than they can be read");
	/* No view of ours is open yet: the moment to fold the delta. */
	if (rc > 0 && is_first && zs_index_merge(st->index, st->tmp_dir, err) < 0)
		rc = -1;
	return rc < 0 ? -1 : 0;
}

int sync_index(struct zs_store *st, enum sync_mode mode, struct zs_err *err)
{
	int rc;

	pthread_mutex_lock(&st->sync_lock);
	rc = sync_locked(st, mode, err);
	pthread_mutex_unlock(&st->sync_lock);
	return rc < 0 ? zs_context(err, "bringing the local index up to date") : 0;
}

int zs_store_sync(struct zs_store *st, struct zs_err *err)
{
	return sync_index(st, SYNC_LENIENT, err);
}

int sync_is_missing(struct zs_store *st, uint32_t ordinal, struct zs_err *err)
{
	struct zs_index_pack_info info;
	uint64_t bytes;
	int there;

	if (zs_index_pack_info(st->index, ordinal, &info, err) < 0)
		return -1;
	there = zs_backend_stat(st->be, ZS_OBJ_PACK, &info.name, &bytes, err);
	if (there < 0 || (there && bytes == info.stored_bytes))
		return there < 0 ? -1 : 0;
	/* Index objects are deleted before packs: if a prune did it, a sync after the look shows it. */
	if (zs_store_sync(st, err) < 0 || zs_index_pack_info(st->index, ordinal, &info, err) < 0)
		return -1;
	return !info.dead;
}

int sync_publish(struct zs_store *st, const struct zs_index_object *o, struct zs_name *out_name, struct zs_err *err)
{
	int rc;

	/* Under the lock: a sync that listed before the put must not retain after the consume. */
	pthread_mutex_lock(&st->sync_lock);
	rc = records_put_index(st, o, out_name, err);
	if (rc == 0)
		rc = zs_index_consume(st->index, out_name, o, err);
	pthread_mutex_unlock(&st->sync_lock);
	return rc;
}
