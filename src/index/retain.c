/*
 * Forgetting index objects that are gone; packs that only they spoke of are dead
 * from then on.  Their chunks stay in the tables until the next merge and are
 * skipped by look-ups.
 */
#include "index_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct retain {
	struct zs_name *keep; /* sorted */
	size_t keep_count;
	uint64_t epoch;	      /* what was consumed later stays */
	struct zs_names gone;
};

static int cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct zs_name));
}

/* Take the object's name off the pack's row. */
static int unname(
    struct zs_index *ix, MDB_txn *txn, const uint8_t *ordinal, const struct zs_name *object, int *out_died)
{
	struct zs_index_pack_info info;
	const uint8_t *names;
	MDB_val key = {4, (void *)(uintptr_t)ordinal}, v, none = {0, NULL};
	uint8_t *row, *end;
	size_t n;
	int rc = mdb_get(txn, ix->t.packs, &key, &v);

	if (!rc)
		rc = row_pack_decode(v, &info, &names, &n);
	if (rc)
		return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
	row = malloc(v.mv_size);
	if (!row)
		return ENOMEM;
	memcpy(row, v.mv_data, ROW_PACK_HEAD);
	end = row + ROW_PACK_HEAD;
	for (size_t i = 0; i < n; i++)
		if (memcmp(names + i * ZS_NAME_BYTES, object->b, ZS_NAME_BYTES) != 0)
			end = (uint8_t *)memcpy(end, names + i * ZS_NAME_BYTES, ZS_NAME_BYTES) + ZS_NAME_BYTES;
	v = (MDB_val){(size_t)(end - row), row};
	rc = mdb_put(txn, ix->t.packs, &key, &v, 0);
	if (!rc && end == row + ROW_PACK_HEAD) {
		*out_died = 1;
		rc = mdb_put(txn, ix->t.dead, &key, &none, 0);
	}
	free(row);
	return rc;
}

static int forget(struct zs_index *ix, MDB_txn *txn, const struct zs_name *object, int *out_died)
{
	MDB_val key = {ZS_NAME_BYTES, (void *)(uintptr_t)object->b}, v;
	uint8_t *list;
	size_t n;
	int rc = mdb_get(txn, ix->t.objects, &key, &v);

	if (rc == MDB_NOTFOUND)
		return 0; /* another process was faster */
	if (rc || v.mv_size < 8 || v.mv_size % 4)
		return rc ? rc : MDB_CORRUPTED;
	n = (v.mv_size - 8) / 4;
	list = malloc(v.mv_size);
	if (!list)
		return ENOMEM;
	memcpy(list, v.mv_data, v.mv_size);
	for (size_t i = 0; !rc && i < n; i++)
		rc = unname(ix, txn, list + 8 + 4 * i, object, out_died);
	if (!rc)
		rc = mdb_del(txn, ix->t.objects, &key, NULL);
	free(list);
	return rc;
}

static int retain_txn(struct zs_index *ix, MDB_txn *txn, void *arg, struct zs_err *err)
{
	const struct retain *r = arg;
	struct row_counters counters;
	int died = 0, rc = row_counters_get(txn, ix->t.meta, &counters);

	(void)err;
	for (size_t i = 0; !rc && i < r->gone.n; i++)
		rc = forget(ix, txn, &r->gone.v[i], &died);
	if (rc || !died)
		return rc;
	counters.dead_version++;
	return row_counters_put(txn, ix->t.meta, &counters);
}

static int find_gone(struct zs_index *ix, MDB_txn *txn, void *arg, struct zs_err *err)
{
	struct retain *r = arg;
	struct zs_name name;
	MDB_cursor *cursor = NULL;
	MDB_val key, v;
	int rc = mdb_cursor_open(txn, ix->t.objects, &cursor);

	r->gone.n = 0;
	while (!rc && !(rc = mdb_cursor_get(cursor, &key, &v, MDB_NEXT))) {
		if (key.mv_size != ZS_NAME_BYTES || v.mv_size < 8) {
			rc = MDB_CORRUPTED;
			break;
		}
		memcpy(name.b, key.mv_data, sizeof name.b);
		if (zs_get_u64(v.mv_data) > r->epoch ||
		    (r->keep_count && bsearch(&name, r->keep, r->keep_count, sizeof name, cmp)))
			continue;
		if (zs_names_add(&r->gone, &name, err) < 0)
			rc = ENV_FAILED;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int zs_index_retain_since(struct zs_index *ix, uint64_t epoch, const struct zs_names *existing, struct zs_err *err)
{
	struct retain r = {.keep_count = existing->n, .epoch = epoch};
	int rc = -1;

	r.keep = malloc((existing->n ? existing->n : 1) * sizeof *r.keep);
	if (!r.keep)
		return zs_fail_nomem(err);
	if (existing->n) {
		memcpy(r.keep, existing->v, existing->n * sizeof *r.keep);
		qsort(r.keep, r.keep_count, sizeof *r.keep, cmp);
	}
	rc = env_read(ix, find_gone, &r, err);
	if (rc == 0 && r.gone.n > 0)
		rc = env_write(ix, retain_txn, &r, err);
	zs_names_fini(&r.gone);
	free(r.keep);
	return rc;
}

int zs_index_retain(struct zs_index *ix, const struct zs_names *existing, struct zs_err *err)
{
	return zs_index_retain_since(ix, UINT64_MAX, existing, err);
}
