/*
 * The local index thrown away and built again.  From packs: those that no readable index object names get new index
 * objects, so that the next sync, here and elsewhere, knows them too; damaged index objects are left for repair.
 */
#include <string.h>

#include "store_private.h"

static int reindex_drop(struct zs_store *st, struct zs_err *err)
{
	struct zs_buf path = ZS_BUF_INIT;
	int rc = -1;

	pthread_mutex_lock(&st->sync_lock);
	if (st->index)
		zs_index_close(st->index);
	st->index = NULL;
	if (open_cache_path(st, "index", &path, err) == 0)
		rc = zs_index_discard((const char *)path.p, err);
	pthread_mutex_unlock(&st->sync_lock);
	zs_buf_fini(&path);
	return rc;
}

/* 1 the pack needs a new index object, 0, -1. */
static int reindex_wanted(struct zs_txn *txn, const struct zs_name *pack, struct zs_err *err)
{
	struct zs_index_pack_info info;
	uint32_t ordinal;
	int got;

	if (zs_names_has(&txn->condemned, pack))
		return 0;
	got = zs_index_pack_find(txn->st->index, pack, &ordinal, err);
	if (got <= 0)
		return got < 0 ? -1 : 1;
	if (zs_index_pack_info(txn->st->index, ordinal, &info, err) < 0)
		return -1;
	return info.dead;
}

static int reindex_pack(struct zs_txn *txn, const struct zs_name *pack, struct zs_err *err)
{
	struct zs_index_pack row = {.name = *pack}; /* its writer cannot be known: zero */
	struct zs_pack_tag tag;
	int got;

	got = reindex_wanted(txn, pack, err);
	if (got <= 0)
		return got;
	got = zs_backend_stat(txn->st->be, ZS_OBJ_PACK, pack, &row.stored_bytes, err);
	if (got <= 0)
		return got;
	if (packs_load_dir(txn->st, pack, row.stored_bytes, &row.dir, &tag, NULL, err) < 0) {
		if (err->cause != ZS_CORRUPT && err->cause != ZS_NOTFOUND)
			return -1;
		open_warn(txn->st, "left out: %s", err->text);
		zs_err_clear(err);
		return 0;
	}
	memcpy(row.tag, tag.b, sizeof(row.tag));
	return txn_adopt(txn, &row, err);
}

/* The session that kept the packs from being deleted must still stand, or an index object could name what is gone. */
static int reindex_confirm(struct zs_txn *txn, struct zs_err *err)
{
	int stands = sessions_stands(txn->st, &txn->session, err);

	if (stands > 0)
		return 0;
	for (size_t i = 0; i < txn->published.n; i++)
		objects_discard(txn->st->be, ZS_OBJ_INDEX, &txn->published.v[i]);
	return stands < 0 ? -1 : zs_fail(err, ZS_BUSY, "the session was ended by somebody; run it again");
}

static int reindex_from_packs(struct zs_store *st, struct zs_err *err)
{
	struct zs_names packs = {0};
	struct zs_txn *txn = NULL;
	int rc = -1;

	if (zs_store_begin(st, ZS_SESSION_WRITER, &txn, err) < 0)
		return -1;
	if (objects_list(st->be, ZS_OBJ_PACK, &packs, err) < 0)
		goto out;
	for (size_t i = 0; i < packs.n; i++) {
		if (reindex_pack(txn, &packs.v[i], err) < 0)
			goto out;
	}
	if (zs_store_publish(txn, err) < 0 || reindex_confirm(txn, err) < 0)
		goto out;
	rc = zs_store_commit(&txn, err);
out:
	zs_names_fini(&packs);
	zs_store_abort(&txn);
	return rc;
}

int zs_store_reindex(struct zs_store *st, int from_packs, struct zs_err *err)
{
	if (reindex_drop(st, err) < 0)
		return -1;
	if (zs_store_sync(st, err) < 0)
		return -1;
	return from_packs ? reindex_from_packs(st, err) : 0;
}
