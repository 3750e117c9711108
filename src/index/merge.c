/*
 * Folding the delta into a new base: one pass over two sorted tables, written by
 * appending.  The new generation is complete and durable before CURRENT names it,
 * so a crash leaves the old one.  Ordinals and bits stay as they are.
 */
#include "index_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MERGE_MIN 50000	   /* entries of the delta */
#define MERGE_BATCH 100000 /* entries a transaction: bounds LMDB's dirty pages */

struct side { /* one sorted input */
	MDB_txn *txn;
	MDB_cursor *cursor;
	MDB_val key, value;
	int more;
};
struct merge {
	struct side base, delta;
	uint8_t *dead;
	uint32_t packs;
	MDB_env *env; /* being built */
	MDB_txn *txn;
	MDB_dbi table;
	size_t in_txn;
};

static int side_next(struct side *s)
{
	int rc = mdb_cursor_get(s->cursor, &s->key, &s->value, MDB_NEXT);

	s->more = rc == 0;
	if (!rc && s->key.mv_size != ROW_KEY)
		return MDB_CORRUPTED;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int side_open(struct side *s, MDB_env *env, MDB_dbi table)
{
	int rc;

	if (!env)
		return 0;
	rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &s->txn);
	if (!rc)
		rc = mdb_cursor_open(s->txn, table, &s->cursor);
	return rc ? rc : side_next(s);
}

static void side_close(struct side *s)
{
	mdb_cursor_close(s->cursor);
	mdb_txn_abort(s->txn);
}

static int open_new(const char *dir, size_t map, unsigned dbs, MDB_env **out)
{
	int rc;

	if (mkdir(dir, 0700) < 0)
		return errno;
	rc = mdb_env_create(out);
	if (!rc)
		rc = mdb_env_set_mapsize(*out, map);
	if (!rc && dbs)
		rc = mdb_env_set_maxdbs(*out, dbs);
	return rc ? rc : mdb_env_open(*out, dir, MDB_NOSYNC | MDB_NOLOCK, 0600);
}

static int append(struct merge *m, MDB_val *key, MDB_val *value)
{
	int rc;

	if (m->in_txn == MERGE_BATCH) {
		rc = mdb_txn_commit(m->txn);
		m->txn = NULL;
		m->in_txn = 0;
		if (!rc)
			rc = mdb_txn_begin(m->env, NULL, 0, &m->txn);
		if (rc)
			return rc;
	}
	m->in_txn++;
	return mdb_put(m->txn, m->table, key, value, MDB_APPEND);
}

static int is_dead(const struct merge *m, const MDB_val *key)
{
	uint32_t ordinal = row_ordinal_get((const uint8_t *)key->mv_data + ZS_ID_BYTES);

	return ordinal >= m->packs || (m->dead[ordinal / 8] >> ordinal % 8 & 1);
}

static int pour(struct merge *m)
{
	int rc = 0;

	while (!rc && (m->base.more || m->delta.more)) {
		int order = !m->base.more ? 1 : !m->delta.more ? -1 :
		    memcmp(m->base.key.mv_data, m->delta.key.mv_data, ROW_KEY);
		struct side *s = order < 0 ? &m->base : &m->delta;

		if (order == 0) /* a pack that had died came back: the delta's row is the newer */
			rc = side_next(&m->base);
		if (!rc && !is_dead(m, &s->key))
			rc = append(m, &s->key, &s->value);
		if (!rc)
			rc = side_next(s);
	}
	return rc;
}

static int read_dead(struct zs_index *ix, struct merge *m)
{
	MDB_cursor *cursor = NULL;
	struct row_counters counters;
	MDB_val key, none;
	int rc = row_counters_get(m->delta.txn, ix->t.meta, &counters);

	if (rc)
		return rc;
	m->packs = counters.packs;
	m->dead = calloc(m->packs / 8 + 1, 1);
	rc = m->dead ? mdb_cursor_open(m->delta.txn, ix->t.dead, &cursor) : ENOMEM;
	while (!rc && !(rc = mdb_cursor_get(cursor, &key, &none, MDB_NEXT))) {
		uint32_t ordinal = key.mv_size == 4 ? row_ordinal_get(key.mv_data) : UINT32_MAX;

		if (ordinal >= m->packs)
			rc = MDB_CORRUPTED;
		else
			m->dead[ordinal / 8] |= (uint8_t)(1u << ordinal % 8);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int map_bytes(MDB_env *env, size_t *sum)
{
	MDB_envinfo info;
	MDB_stat st;
	int rc = env ? mdb_env_info(env, &info) : 0;

	if (!rc && env)
		rc = mdb_env_stat(env, &st);
	if (!rc && env)
		*sum += (info.me_last_pgno + 1) * st.ms_psize;
	return rc;
}

/* base.<n+1>: the chunks of both. */
static int build_base(struct zs_index *ix, const char *dir)
{
	struct merge m = {.packs = 0};
	size_t map = (size_t)64 << 20;
	int rc = map_bytes(ix->base, &map);

	if (!rc)
		rc = map_bytes(ix->delta, &map);
	if (!rc)
		rc = side_open(&m.base, ix->base, ix->base_chunks);
	if (!rc)
		rc = side_open(&m.delta, ix->delta, ix->t.chunks);
	if (!rc)
		rc = read_dead(ix, &m);
	if (!rc)
		rc = open_new(dir, map, 0, &m.env);
	if (!rc)
		rc = mdb_txn_begin(m.env, NULL, 0, &m.txn);
	if (!rc)
		rc = mdb_dbi_open(m.txn, NULL, 0, &m.table);
	if (!rc)
		rc = pour(&m);
	if (!rc) {
		rc = mdb_txn_commit(m.txn);
		m.txn = NULL;
	}
	mdb_txn_abort(m.txn);
	if (!rc)
		files_extend(m.env);
	if (!rc)
		rc = mdb_env_sync(m.env, 1);
	if (m.env)
		mdb_env_close(m.env);
	side_close(&m.base);
	side_close(&m.delta);
	free(m.dead);
	return rc;
}

static int copy_table(MDB_txn *from, MDB_dbi source, MDB_txn *to, const char *name)
{
	MDB_cursor *cursor = NULL;
	MDB_val key, value;
	MDB_dbi target;
	int rc = mdb_dbi_open(to, name, MDB_CREATE, &target);

	if (!rc)
		rc = mdb_cursor_open(from, source, &cursor);
	while (!rc && !(rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)))
		rc = mdb_put(to, target, &key, &value, MDB_APPEND);
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* delta.<n+1>: all tables but the chunks. */
static int build_delta(struct zs_index *ix, const char *dir)
{
	const MDB_dbi source[] = {ix->t.packs, ix->t.names, ix->t.objects, ix->t.dead, ix->t.meta};
	static const char *const name[] = {"packs", "names", "objects", "dead", "meta"};
	MDB_env *env = NULL;
	MDB_txn *from = NULL, *to = NULL;
	MDB_dbi chunks;
	size_t map = (size_t)64 << 20;
	int rc = map_bytes(ix->delta, &map);

	if (!rc)
		rc = open_new(dir, map, 6, &env);
	if (!rc)
		rc = mdb_txn_begin(ix->delta, NULL, MDB_RDONLY, &from);
	if (!rc)
		rc = mdb_txn_begin(env, NULL, 0, &to);
	if (!rc)
		rc = mdb_dbi_open(to, "chunks", MDB_CREATE, &chunks);
	for (size_t i = 0; !rc && i < 5; i++)
		rc = copy_table(from, source[i], to, name[i]);
	if (!rc) {
		rc = mdb_txn_commit(to);
		to = NULL;
	}
	mdb_txn_abort(to);
	mdb_txn_abort(from);
	if (!rc)
		files_extend(env);
	if (!rc)
		rc = mdb_env_sync(env, 1);
	if (env)
		mdb_env_close(env);
	return rc;
}

static int worth_it(struct zs_index *ix, MDB_txn *txn, void *arg, struct zs_err *err)
{
	int *out = arg, rc;
	MDB_stat delta, base = {.ms_entries = 0};

	(void)err;
	rc = mdb_stat(txn, ix->t.chunks, &delta);
	if (!rc && ix->base)
		rc = mdb_env_stat(ix->base, &base);
	*out = !rc && delta.ms_entries >= MERGE_MIN && delta.ms_entries >= base.ms_entries / 8;
	return rc;
}

struct fresh { /* the new generation, opened */
	char *base_dir, *delta_dir;
	MDB_env *base, *delta;
	MDB_dbi base_chunks;
	struct env_tables t;
};

static int switch_over(struct zs_index *ix, struct fresh *f, struct zs_err *err)
{
	struct place_state s = ix->place.state;
	uint64_t old = s.generation;
	char *path;
	int had_base = s.has_base;

	s.generation++;
	s.has_base = 1;
	s.clean = 0;
	memcpy(s.boot, ix->place.boot, sizeof s.boot);
	if (files_size_sum(f->base_dir, &s.base_bytes, &s.base_sum, err) < 0 ||
	    place_write(&ix->place, &s, PLACE_LAZY, err) < 0)
		return -1;
	ix->place.state = s;
	ix->marked_open = 1;
	if (ix->base)
		mdb_env_close(ix->base);
	mdb_env_close(ix->delta);
	ix->base = f->base;
	ix->delta = f->delta;
	ix->base_chunks = f->base_chunks;
	ix->t = f->t;
	f->base = f->delta = NULL;
	if (had_base && (path = place_path(&ix->place, "base", old))) {
		place_remove(path);
		free(path);
	}
	if ((path = place_path(&ix->place, "delta", old))) {
		place_remove(path);
		free(path);
	}
	return 0;
}

static int merge_alone(struct zs_index *ix, struct zs_err *err)
{
	uint64_t next = ix->place.state.generation + 1;
	struct fresh f = {.base_dir = place_path(&ix->place, "base", next),
	    .delta_dir = place_path(&ix->place, "delta", next)};
	int rc, done = -1;

	if (!f.base_dir || !f.delta_dir) {
		zs_fail_nomem(err);
		goto out;
	}
	place_remove(f.base_dir); /* of a merge that was cut short */
	place_remove(f.delta_dir);
	rc = build_base(ix, f.base_dir);
	if (!rc)
		rc = build_delta(ix, f.delta_dir);
	if (!rc)
		rc = env_open_base(f.base_dir, &f.base, &f.base_chunks);
	if (!rc)
		rc = env_open_delta(f.delta_dir, &f.delta, &f.t);
	done = rc ? env_fail(ix, rc, "merging", err) : switch_over(ix, &f, err);
out:
	if (f.base)
		mdb_env_close(f.base);
	if (f.delta)
		mdb_env_close(f.delta);
	if (done < 0 && f.base_dir && f.delta_dir) {
		place_remove(f.base_dir);
		place_remove(f.delta_dir);
	}
	free(f.base_dir);
	free(f.delta_dir);
	return done;
}

int zs_index_merge(struct zs_index *ix, const char *tmp_dir, struct zs_err *err)
{
	int worth = 0, alone, rc = 0;

	(void)tmp_dir; /* both inputs are sorted already */
	if (env_read(ix, worth_it, &worth, err) < 0)
		return -1;
	if (!worth)
		return 0;
	(void)pthread_mutex_lock(&ix->write_lock);
	(void)pthread_rwlock_wrlock(&ix->map_lock);
	alone = ix->views > 0 ? 0 : place_alone(&ix->place, err);
	if (alone < 0)
		rc = -1;
	if (alone > 0) {
		rc = place_reload(&ix->place) ? merge_alone(ix, err) : 0;
		place_share(&ix->place);
	}
	(void)pthread_rwlock_unlock(&ix->map_lock);
	(void)pthread_mutex_unlock(&ix->write_lock);
	return rc;
}
