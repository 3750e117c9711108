/* What the files of src/index share. */
#ifndef INDEX_PRIVATE_H
#define INDEX_PRIVATE_H

#include "zstore/index.h"

#include <lmdb.h>
#include <pthread.h>

/* ------------------------------------------------------------------- place.c */

#define PLACE_BOOT 64

struct place_state { /* what the file CURRENT says */
	uint64_t generation; /* names base.<n> and delta.<n> */
	int has_base, clean;
	char boot[PLACE_BOOT];
	/* sizes and sums of the data files; those of the delta count only if clean */
	uint64_t base_bytes, base_sum, delta_bytes, delta_sum;
};
struct place {
	char *home; /* the directory that the caller named */
	char *dir;  /* where CURRENT is: home, or a private directory in it */
	int lock_fd, is_private;
	struct zs_name repo;
	char boot[PLACE_BOOT]; /* of the running system */
	struct place_state state;
};

/* Nobody else can open it before place_share, if nobody else had it open. */
int place_open(struct place *p, const char *dir, const struct zs_name *repo, int *out_fresh, struct zs_err *err)
    ZS_MUST_USE;
void place_close(struct place *p);
/* 1: nobody else has the index open, and nobody can open it before place_share; 0; -1. */
int place_alone(struct place *p, struct zs_err *err) ZS_MUST_USE;
void place_share(struct place *p);
/* The system may crash from now on with the delta half written. */
int place_mark_open(struct place *p, struct zs_err *err) ZS_MUST_USE;
int place_mark_clean(struct place *p, struct zs_err *err) ZS_MUST_USE; /* alone, and the delta is synced */
int place_reload(struct place *p); /* 1 if CURRENT still names our generation */
enum place_sync {
	PLACE_LAZY,    /* a CURRENT that is lost in a crash costs a rebuild, no more */
	PLACE_DURABLE, /* the one that was there may not come back */
};
int place_write(const struct place *p, const struct place_state *s, enum place_sync sync, struct zs_err *err)
    ZS_MUST_USE;
/* The next open starts anew. */
void place_mark_broken(const struct place *p);
/* "<dir>/<what>.<generation>", malloc'ed, or NULL */
char *place_path(const struct place *p, const char *what, uint64_t generation);
void place_remove(const char *path); /* a directory and what is in it */

/* ------------------------------------------------------------------- files.c */

/* 1 if this looks like a whole LMDB data file, 0 if not (or it is not there). */
int files_plausible(const char *env_dir);
int files_size_sum(const char *env_dir, uint64_t *out_bytes, uint64_t *out_sum, struct zs_err *err) ZS_MUST_USE;
/* Keep the file a little longer than what is used, so that a wild offset in a damaged page stays inside it. */
void files_extend(MDB_env *env);

/* --------------------------------------------------------------------- env.c */

struct env_tables { MDB_dbi chunks, packs, names, objects, dead, meta; };
struct zs_index {
	struct place place;
	MDB_env *base;	/* or NULL */
	MDB_env *delta;
	MDB_dbi base_chunks;
	struct env_tables t;
	/* Held for reading around every transaction of the delta; for writing while its map or an environment is
	 * replaced.  Taken after write_lock. */
	pthread_rwlock_t map_lock;
	/* One writing thread.  Guards marked_open. */
	pthread_mutex_t write_lock;
	int marked_open;
	unsigned views; /* under map_lock */
	/* of the list of open indexes in index.c, under its lock */
	struct zs_index *next;
	unsigned refs;
	pid_t pid;
};

#define ENV_FAILED (-1)	    /* a transaction's function has set err */
#define ENV_UNCHANGED (-2) /* it changed nothing: 0, without a commit */
typedef int env_fn(struct zs_index *ix, MDB_txn *txn, void *arg, struct zs_err *err); /* 0, an LMDB code, or these */

int env_open_base(const char *dir, MDB_env **out, MDB_dbi *out_chunks);
int env_open_delta(const char *dir, MDB_env **out, struct env_tables *out_tables);
/* In one transaction, again if the map had to grow: fn must leave arg so that it can run again. */
int env_write(struct zs_index *ix, env_fn *fn, void *arg, struct zs_err *err) ZS_MUST_USE;
int env_read(struct zs_index *ix, env_fn *fn, void *arg, struct zs_err *err) ZS_MUST_USE;
/* Another process has made the map larger. */
int env_adopt(struct zs_index *ix);
/* -1; a code that means damage also makes the next open start anew. */
int env_fail(struct zs_index *ix, int code, const char *doing, struct zs_err *err);

/* --------------------------------------------------------------------- row.c */

#define ROW_KEY (ZS_ID_BYTES + 4) /* chunk id, pack ordinal (big endian) */
#define ROW_LOCATION_MAX 48
#define ROW_PACK_HEAD 120
/* Bytes of a pack before its first block: ZS_PACK_HEADER of the codec, which this layer does not use. */
#define ROW_PACK_HEADER 120

struct row_counters { uint32_t packs; uint64_t chunks, dead_version, sequence; };
void row_ordinal_put(uint8_t out[static 4], uint32_t ordinal);
uint32_t row_ordinal_get(const uint8_t *p);
size_t row_location_encode(const struct zs_location *at, uint8_t out[static ROW_LOCATION_MAX]);
int row_location_decode(MDB_val v, struct zs_location *out); /* 0, or MDB_CORRUPTED; not the pack */
void row_pack_encode(const struct zs_index_pack_info *info, uint8_t out[static ROW_PACK_HEAD]);
/* *out_objects: the names of index objects behind the head, borrowed, *out_count of them */
int row_pack_decode(MDB_val v, struct zs_index_pack_info *out, const uint8_t **out_objects, size_t *out_count);
int row_counters_get(MDB_txn *txn, MDB_dbi meta, struct row_counters *out); /* zeros if absent */
int row_counters_put(MDB_txn *txn, MDB_dbi meta, const struct row_counters *c);

#endif
