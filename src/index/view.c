/*
 * One thread's look-ups.  The read transactions of the delta live for one
 * look-up only (renewed and reset each time), so that a view that stays open for
 * hours does not keep old pages alive; the base never changes, so its
 * transaction stays.
 */
#include "index_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct zs_index_view {
	struct zs_index *ix;
	MDB_txn *base_txn, *delta_txn;
	MDB_cursor *base, *delta; /* base: NULL if there is none */
	size_t seen;		  /* id of the delta's transaction that the rest is from */
	int loaded;
	struct row_counters counters;
	uint8_t *dead; /* bitmap by ordinal */
	uint32_t dead_packs; /* bits in it */
};

static int begin(MDB_env *env, MDB_dbi table, MDB_txn **out_txn, MDB_cursor **out_cursor)
{
	int rc = mdb_txn_begin(env, NULL, MDB_RDONLY, out_txn);

	if (!rc)
		rc = mdb_cursor_open(*out_txn, table, out_cursor);
	return rc;
}

int zs_index_view_new(struct zs_index *ix, struct zs_index_view **out, struct zs_err *err)
{
	struct zs_index_view *v = calloc(1, sizeof *v);
	int rc;

	if (!v)
		return zs_fail_nomem(err);
	v->ix = ix;
	for (;;) {
		(void)pthread_rwlock_wrlock(&ix->map_lock);
		rc = begin(ix->delta, ix->t.chunks, &v->delta_txn, &v->delta);
		if (rc != MDB_MAP_RESIZED)
			break;
		(void)pthread_rwlock_unlock(&ix->map_lock);
		rc = env_adopt(ix);
		if (rc) {
			(void)pthread_rwlock_wrlock(&ix->map_lock);
			break;
		}
	}
	if (!rc) {
		mdb_txn_reset(v->delta_txn);
		if (ix->base)
			rc = begin(ix->base, ix->base_chunks, &v->base_txn, &v->base);
	}
	ix->views++;
	(void)pthread_rwlock_unlock(&ix->map_lock);
	if (rc) {
		zs_index_view_free(v);
		return env_fail(ix, rc, "opening a view", err);
	}
	*out = v;
	return 0;
}

void zs_index_view_free(struct zs_index_view *v)
{
	if (!v)
		return;
	(void)pthread_rwlock_wrlock(&v->ix->map_lock);
	mdb_cursor_close(v->delta);
	mdb_txn_abort(v->delta_txn);
	mdb_cursor_close(v->base);
	mdb_txn_abort(v->base_txn);
	v->ix->views--;
	(void)pthread_rwlock_unlock(&v->ix->map_lock);
	free(v->dead);
	free(v);
}

static int load_dead(struct zs_index_view *v, uint32_t packs)
{
	MDB_cursor *cursor = NULL;
	MDB_val key, none;
	uint8_t *dead = calloc(packs / 8 + 1, 1);
	int rc = dead ? mdb_cursor_open(v->delta_txn, v->ix->t.dead, &cursor) : ENOMEM;

	while (!rc && !(rc = mdb_cursor_get(cursor, &key, &none, MDB_NEXT))) {
		uint32_t ordinal = key.mv_size == 4 ? row_ordinal_get(key.mv_data) : UINT32_MAX;

		if (ordinal >= packs) {
			rc = MDB_CORRUPTED;
			break;
		}
		dead[ordinal / 8] |= (uint8_t)(1u << ordinal % 8);
	}
	mdb_cursor_close(cursor);
	if (rc != MDB_NOTFOUND) {
		free(dead);
		return rc;
	}
	free(v->dead);
	v->dead = dead;
	v->dead_packs = packs;
	return 0;
}

/* The transaction has begun: is what we know of packs still so? */
static int catch_up(struct zs_index_view *v)
{
	size_t id = mdb_txn_id(v->delta_txn);
	struct row_counters now;
	int rc;

	if (v->loaded && id == v->seen)
		return 0;
	rc = row_counters_get(v->delta_txn, v->ix->t.meta, &now);
	if (!rc && (!v->loaded || now.dead_version != v->counters.dead_version))
		rc = load_dead(v, now.packs);
	if (rc)
		return rc;
	v->counters = now;
	v->seen = id;
	v->loaded = 1;
	return 0;
}

static int bit(const uint8_t *bitmap, uint32_t bits, uint32_t n)
{
	return bitmap && n < bits && (bitmap[n / 8] >> n % 8 & 1);
}

struct look {
	const struct zs_id *id;
	const uint8_t *avoid;
	uint32_t avoid_packs;
	struct zs_location *best;
	int found;
};

/* Copies are in the order of ordinals: the first that counts is the best of this table. */
static int look(const struct zs_index_view *v, MDB_cursor *cursor, struct look *l)
{
	uint8_t want[ROW_KEY];
	MDB_val key = {sizeof want, want}, value;
	int rc;

	memcpy(want, l->id->b, ZS_ID_BYTES);
	memset(want + ZS_ID_BYTES, 0, 4);
	for (rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE); !rc;
	     rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		struct zs_location at;

		if (key.mv_size != ROW_KEY)
			return MDB_CORRUPTED;
		if (memcmp(key.mv_data, l->id->b, ZS_ID_BYTES) != 0)
			return 0;
		at.pack = row_ordinal_get((const uint8_t *)key.mv_data + ZS_ID_BYTES);
		if (at.pack >= v->counters.packs)
			return MDB_CORRUPTED;
		if (bit(v->dead, v->dead_packs, at.pack) || bit(l->avoid, l->avoid_packs, at.pack))
			continue;
		if (l->found && l->best->pack <= at.pack)
			return 0;
		rc = row_location_decode(value, &at);
		if (rc)
			return rc;
		*l->best = at;
		l->found = 1;
		return 0;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* One look-up in a transaction of its own; l may be NULL: only catch up. */
static int look_once(struct zs_index_view *v, struct look *l)
{
	int rc = mdb_txn_renew(v->delta_txn);

	if (rc)
		return rc;
	rc = catch_up(v);
	if (!rc && l && v->base)
		rc = look(v, v->base, l);
	if (!rc && l)
		rc = mdb_cursor_renew(v->delta_txn, v->delta);
	if (!rc && l)
		rc = look(v, v->delta, l);
	mdb_txn_reset(v->delta_txn);
	return rc;
}

static int run(struct zs_index_view *v, struct look *l, struct zs_err *err)
{
	int rc;

	for (;;) {
		(void)pthread_rwlock_rdlock(&v->ix->map_lock);
		if (l)
			l->found = 0;
		rc = look_once(v, l);
		(void)pthread_rwlock_unlock(&v->ix->map_lock);
		if (rc != MDB_MAP_RESIZED)
			break;
		rc = env_adopt(v->ix);
		if (rc)
			break;
	}
	return rc ? env_fail(v->ix, rc, "looking a chunk up", err) : 0;
}

int zs_index_view_refresh(struct zs_index_view *v, struct zs_err *err)
{
	return run(v, NULL, err);
}

int zs_index_get(struct zs_index_view *v, const struct zs_id *id, const uint8_t *avoid, uint32_t avoid_packs,
    struct zs_location *out, struct zs_err *err)
{
	struct zs_location best;
	struct look l = {.id = id, .avoid = avoid, .avoid_packs = avoid_packs, .best = &best};

	if (run(v, &l, err) < 0)
		return -1;
	if (l.found)
		*out = best;
	return l.found;
}
