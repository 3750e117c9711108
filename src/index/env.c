/*
 * LMDB environments: opening them, running a function in a transaction, making
 * the map larger when it is full or when another process has made it larger, and
 * turning LMDB's codes into errors.  Knows no table's content.
 */
#include "index_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ENV_MAP_FIRST ((size_t)64 << 20)
#define ENV_READERS 510

static int file_bytes(const char *dir, size_t *out)
{
	char *path = NULL;
	struct stat st;
	int rc;

	if (asprintf(&path, "%s/data.mdb", dir) < 0)
		return ENOMEM;
	rc = stat(path, &st) < 0 ? errno : 0;
	free(path);
	*out = rc ? 0 : (size_t)st.st_size;
	return rc;
}

static int open_base_table(MDB_env *env, MDB_dbi *out)
{
	MDB_txn *txn = NULL;
	int rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);

	if (!rc)
		rc = mdb_dbi_open(txn, NULL, 0, out);
	if (!rc)
		rc = mdb_txn_commit(txn);
	else
		mdb_txn_abort(txn);
	return rc;
}

/* Nobody writes to a base, so its environment needs no lock file. */
int env_open_base(const char *dir, MDB_env **out, MDB_dbi *out_chunks)
{
	MDB_env *env = NULL;
	size_t bytes;
	int rc = file_bytes(dir, &bytes);

	if (!rc)
		rc = mdb_env_create(&env);
	if (!rc)
		rc = mdb_env_set_mapsize(env, (bytes + ((size_t)1 << 20)) & ~(((size_t)1 << 20) - 1));
	if (!rc)
		rc = mdb_env_open(env, dir, MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS | MDB_NORDAHEAD, 0600);
	if (!rc)
		rc = open_base_table(env, out_chunks);
	if (rc && env)
		mdb_env_close(env);
	else if (!rc)
		*out = env;
	return rc;
}

static int open_tables(MDB_env *env, struct env_tables *t)
{
	MDB_dbi *const dbi[] = {&t->chunks, &t->packs, &t->names, &t->objects, &t->dead, &t->meta};
	static const char *const name[] = {"chunks", "packs", "names", "objects", "dead", "meta"};
	MDB_txn *txn = NULL;
	int rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), create = 0;

	for (size_t i = 0; !rc && i < 6; i++) {
		rc = mdb_dbi_open(txn, name[i], create ? MDB_CREATE : 0, dbi[i]);
		if (rc != MDB_NOTFOUND || create)
			continue;
		mdb_txn_abort(txn); /* a new file: make all tables */
		txn = NULL;
		create = 1;
		rc = mdb_txn_begin(env, NULL, 0, &txn);
		i = (size_t)-1;
	}
	if (!rc)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

int env_open_delta(const char *dir, MDB_env **out, struct env_tables *out_tables)
{
	MDB_env *env = NULL;
	size_t bytes = 0, map = ENV_MAP_FIRST;
	int rc = file_bytes(dir, &bytes), dead;

	if (rc && rc != ENOENT)
		return rc;
	while (map / 2 < bytes)
		map *= 2;
	rc = mdb_env_create(&env);
	if (!rc)
		rc = mdb_env_set_mapsize(env, map);
	if (!rc)
		rc = mdb_env_set_maxdbs(env, 6);
	if (!rc)
		rc = mdb_env_set_maxreaders(env, ENV_READERS);
	if (!rc)
		rc = mdb_env_open(env, dir, MDB_NOSYNC | MDB_NOMETASYNC | MDB_NOTLS | MDB_NORDAHEAD, 0600);
	if (!rc)
		rc = mdb_reader_check(env, &dead); /* slots of killed processes would keep old pages for ever */
	if (!rc)
		rc = open_tables(env, out_tables);
	if (!rc) {
		files_extend(env);
		*out = env;
	} else if (env) {
		mdb_env_close(env);
	}
	return rc;
}

/* LMDB says EIO when less was written than it asked for. */
static int is_full(const struct zs_index *ix, int code)
{
	struct statvfs v;

	return code == ENOSPC || code == EDQUOT || (code == EIO && statvfs(ix->place.dir, &v) == 0 && v.f_bavail * v.f_frsize < 256u << 10);
}

int env_fail(struct zs_index *ix, int code, const char *doing, struct zs_err *err)
{
	if (code == ENOMEM)
		return zs_fail_nomem(err);
	if (is_full(ix, code))
		return zs_fail_sys(err, ZS_SYSTEM, ENOSPC, "index in %s: %s (--cache-dir names another place for it)", ix->place.dir, doing);
	if (code > 0)
		return zs_fail_sys(err, ZS_SYSTEM, code, "index in %s: %s", ix->place.dir, doing);
	switch (code) {
	case MDB_READERS_FULL:
	case MDB_MAP_FULL:
	case MDB_MAP_RESIZED:
	case MDB_TXN_FULL:
	case MDB_DBS_FULL:
		return zs_fail(err, ZS_SYSTEM, "index in %s: %s: %s", ix->place.dir, doing, mdb_strerror(code));
	default:
		place_mark_broken(&ix->place);
		return zs_fail(err, ZS_SYSTEM, "index in %s: %s: %s; it is made anew when it is opened next",
		    ix->place.dir, doing, mdb_strerror(code));
	}
}

static int set_map(struct zs_index *ix, int grow)
{
	MDB_envinfo info;
	int rc;

	(void)pthread_rwlock_wrlock(&ix->map_lock);
	rc = mdb_env_info(ix->delta, &info);
	if (!rc && grow && info.me_mapsize > SIZE_MAX / 4)
		rc = ENOMEM;
	if (!rc)
		rc = mdb_env_set_mapsize(ix->delta, grow ? info.me_mapsize * 2 : 0);
	(void)pthread_rwlock_unlock(&ix->map_lock);
	return rc;
}

int env_adopt(struct zs_index *ix)
{
	return set_map(ix, 0);
}

static int write_once(struct zs_index *ix, env_fn *fn, void *arg, struct zs_err *err)
{
	MDB_txn *txn = NULL;
	int rc;

	(void)pthread_rwlock_rdlock(&ix->map_lock);
	rc = mdb_txn_begin(ix->delta, NULL, 0, &txn);
	if (!rc)
		rc = fn(ix, txn, arg, err);
	if (!rc) {
		rc = mdb_txn_commit(txn);
		txn = NULL;
	}
	mdb_txn_abort(txn);
	if (!rc)
		files_extend(ix->delta);
	(void)pthread_rwlock_unlock(&ix->map_lock);
	return rc;
}

int env_write(struct zs_index *ix, env_fn *fn, void *arg, struct zs_err *err)
{
	int rc = 0;

	(void)pthread_mutex_lock(&ix->write_lock);
	if (!ix->marked_open) {
		if (place_mark_open(&ix->place, err) < 0) {
			rc = ENV_FAILED;
			goto out;
		}
		ix->marked_open = 1;
	}
	for (;;) {
		rc = write_once(ix, fn, arg, err);
		if (rc != MDB_MAP_FULL && rc != MDB_MAP_RESIZED)
			break;
		rc = set_map(ix, rc == MDB_MAP_FULL);
		if (rc)
			break;
	}
out:
	(void)pthread_mutex_unlock(&ix->write_lock);
	if (rc == 0 || rc == ENV_UNCHANGED)
		return 0;
	return rc == ENV_FAILED ? -1 : env_fail(ix, rc, "writing", err);
}

int env_read(struct zs_index *ix, env_fn *fn, void *arg, struct zs_err *err)
{
	MDB_txn *txn = NULL;
	int rc;

	for (;;) {
		(void)pthread_rwlock_rdlock(&ix->map_lock);
		rc = mdb_txn_begin(ix->delta, NULL, MDB_RDONLY, &txn);
		if (!rc) {
			rc = fn(ix, txn, arg, err);
			mdb_txn_abort(txn);
		}
		(void)pthread_rwlock_unlock(&ix->map_lock);
		if (rc != MDB_MAP_RESIZED)
			break;
		rc = env_adopt(ix);
		if (rc)
			break;
	}
	if (rc == 0)
		return 0;
	return rc == ENV_FAILED ? -1 : env_fail(ix, rc, "reading", err);
}
