/*
 * backend's own: the table of functions that a backend is, and the parts of the local one.
 */
#ifndef BACKEND_PRIVATE_H
#define BACKEND_PRIVATE_H

#include "zstore/backend.h"

#include <pthread.h>
#include <stdatomic.h>

/* Contracts as those of the zs_backend_* of the same name.  backend.c cuts *out back when a get fails, and calls no
 * commit after a failed append.  put may be NULL: then it is begin, append, commit. */
struct backend_ops {
	int (*put)(struct zs_backend *be, enum zs_object type, const struct zs_name *name, struct zs_span data,
	    struct zs_err *err);
	int (*put_begin)(struct zs_backend *be, enum zs_object type, struct zs_put **out, struct zs_err *err);
	int (*put_append)(struct zs_put *put, struct zs_span data, struct zs_err *err);
	int (*put_commit)(struct zs_put *put, const struct zs_name *name, struct zs_err *err);
	void (*put_abort)(struct zs_put *put);
	int (*get)(struct zs_backend *be, enum zs_object type, const struct zs_name *name, uint64_t offset,
	    size_t bytes, struct zs_buf *out, struct zs_err *err);
	int (*get_all)(struct zs_backend *be, enum zs_object type, const struct zs_name *name, size_t max,
	    struct zs_buf *out, struct zs_err *err);
	int (*stat)(struct zs_backend *be, enum zs_object type, const struct zs_name *name, uint64_t *out_bytes,
	    struct zs_err *err);
	int (*list)(struct zs_backend *be, enum zs_object type, zs_backend_list_fn *fn, void *ctx, struct zs_err *err);
	int (*remove)(struct zs_backend *be, enum zs_object type, const struct zs_name *name, struct zs_err *err);
	int (*reserve_release)(struct zs_backend *be, struct zs_err *err);
	int (*reserve_make)(struct zs_backend *be, struct zs_err *err);
	int (*tidy)(struct zs_backend *be, struct zs_err *err);
	void (*free)(struct zs_backend *be);
};

/* The first member of every backend and of every put. */
struct zs_backend {
	const struct backend_ops *ops;
	const char *describe; /* owned by the backend around it */
};
struct zs_put {
	struct zs_backend *be;
	enum zs_object type;
	int failed;
};

/* "pack ab12..." for messages; out holds BACKEND_LABEL bytes */
#define BACKEND_LABEL (ZS_NAME_HEX + 16)
const char *backend_label(enum zs_object type, const struct zs_name *name, char out[static BACKEND_LABEL]);

/* -------------------------------------------------------------------- local */

/* Who writes a temporary file: enough to prove later that it is gone. */
struct local_writer {
	char host[65];	  /* its name, without what a file name or a comma would not bear */
	uint64_t machine; /* hash of the machine id; 0: unknown */
	char boot[40];	  /* boot id; "": unknown */
	uint64_t pid_ns;  /* pids mean something within one of these only; 0: unknown */
	uint64_t pid, start;
};
#define LOCAL_TEMP_NAME 256
void local_writer_self(struct local_writer *w);
void local_writer_name(const struct local_writer *w, uint64_t serial, char out[static LOCAL_TEMP_NAME]);
/* 1 if whoever made this name is proven to run no more */
int local_writer_dead(const struct local_writer *self, const char *name);

/* Open pack files, bounded, least recently used first to go. */
#define LOCAL_CACHE_FILES 16
struct local_cache {
	pthread_mutex_t lock; /* guards all below */
	uint64_t clock;
	struct local_cached {
		struct zs_name name;
		uint64_t used;	/* 0: the slot is empty */
		unsigned users; /* borrowed by that many gets now */
		int fd, dropped;
	} slots[LOCAL_CACHE_FILES];
};
void local_cache_init(struct local_cache *c);
void local_cache_fini(struct local_cache *c);
/* A descriptor to be given back, or -1: not cached. */
int local_cache_borrow(struct local_cache *c, const struct zs_name *name);
/* Hand over a descriptor that was opened; it stays borrowed.  0: there is no slot, it is the caller's own. */
int local_cache_add(struct local_cache *c, const struct zs_name *name, int fd);
void local_cache_give_back(struct local_cache *c, int fd);
void local_cache_drop(struct local_cache *c, const struct zs_name *name);

struct local {
	struct zs_backend be;
	char *path;
	int root, tmp;
	int dirs[ZS_OBJECTS];  /* root for CONFIG; -1: the directory is missing */
	struct local_writer self;
	atomic_uint_fast64_t serial;
	pthread_mutex_t lock;  /* guards shard_known */
	uint8_t shard_known[256]; /* its entry in packs/ is durable */
	struct local_cache cache;
};

/* Where an object is: a path relative to a directory descriptor. */
#define LOCAL_REL (ZS_NAME_HEX + 8)
struct local_place {
	int dir;
	char rel[LOCAL_REL];
	const char *dir_text; /* "packs", "" ... */
	struct zs_name name;
};
extern const char *const local_dir_names[ZS_OBJECTS];
/* -1: the directory is missing */
int local_locate(const struct local *l, enum zs_object type, const struct zs_name *name, struct local_place *out,
    struct zs_err *err) ZS_MUST_USE;
/* "cannot VERB PATH/DIR REL: errno": ZS_NOSPACE, ZS_NOMEM, or ZS_IO */
int local_fail(const struct local *l, struct zs_err *err, int sys, const char *verb, const char *dir, const char *rel);
int local_fail_at(const struct local *l, struct zs_err *err, int sys, const char *verb, const struct local_place *at);
/* After ENOENT: 0 if the directory itself is still there, so that the object is truly absent. */
int local_prove_absent(const struct local *l, const struct local_place *at, struct zs_err *err) ZS_MUST_USE;
/* fsync where the file system knows it; 0, or -1 with errno */
int local_sync_dir(int fd);

int local_get(struct zs_backend *be, enum zs_object type, const struct zs_name *name, uint64_t offset, size_t bytes,
    struct zs_buf *out, struct zs_err *err);
int local_get_all(struct zs_backend *be, enum zs_object type, const struct zs_name *name, size_t max,
    struct zs_buf *out, struct zs_err *err);
int local_stat(struct zs_backend *be, enum zs_object type, const struct zs_name *name, uint64_t *out_bytes,
    struct zs_err *err);
int local_remove(struct zs_backend *be, enum zs_object type, const struct zs_name *name, struct zs_err *err);
int local_put_begin(struct zs_backend *be, enum zs_object type, struct zs_put **out, struct zs_err *err);
int local_put_append(struct zs_put *put, struct zs_span data, struct zs_err *err);
int local_put_commit(struct zs_put *put, const struct zs_name *name, struct zs_err *err);
void local_put_abort(struct zs_put *put);
int local_reserve_release(struct zs_backend *be, struct zs_err *err);
int local_reserve_make(struct zs_backend *be, struct zs_err *err);
int local_list(struct zs_backend *be, enum zs_object type, zs_backend_list_fn *fn, void *ctx, struct zs_err *err);
int local_tidy(struct zs_backend *be, struct zs_err *err);

#endif
