/*
 * backend: where objects live.  Immutable objects by type and name; no locks, no
 * append after commit, no rename: what S3 and SFTP can do too.
 *
 * Every call may be made from any thread.  Errors: ZS_IO, ZS_NOSPACE, ZS_NOTFOUND,
 * ZS_EXISTS, ZS_NOMEM as said; nothing else.  An error is never an empty answer.
 */
#ifndef ZSTORE_BACKEND_H
#define ZSTORE_BACKEND_H

#include "zstore/base.h"

enum zs_object { ZS_OBJ_CONFIG = 0, ZS_OBJ_KEY, ZS_OBJ_PACK, ZS_OBJ_INDEX, ZS_OBJ_SNAPSHOT, ZS_OBJ_SESSION, ZS_OBJ_CONDEMNED, ZS_OBJ_REMOVAL };
#define ZS_OBJECTS 8
const char *zs_object_name(enum zs_object type); /* "config", "key", "pack", ... */

struct zs_backend;
struct zs_put; /* an object being written */

/* CONFIG has no name: pass the all-zero name. */
extern const struct zs_name zs_name_zero;

/*
 * A directory.  create makes it (and parents); it must be absent or empty: ZS_EXISTS otherwise, and then nothing
 * is changed.  open: ZS_NOTFOUND if there is no directory.  Layout: config, keys/, packs/xx/, index/, snapshots/,
 * sessions/, condemned/, removed/, reserve, tmp/.  A put writes below tmp/ under an exclusive temporary name, fsyncs,
 * links it to its final name without replacing, fsyncs the directory.
 */
int zs_backend_local_create(const char *path, struct zs_backend **out, struct zs_err *err) ZS_MUST_USE;
int zs_backend_local_open(const char *path, struct zs_backend **out, struct zs_err *err) ZS_MUST_USE;
/* In memory, for tests.  Several may be opened on one mem store: zs_backend_mem_share adds a handle. */
struct zs_backend *zs_backend_mem_new(void);
struct zs_backend *zs_backend_mem_share(struct zs_backend *mem);
/* Around another (borrowed): operation number n (0-based, every call counts, also put_begin/append/commit) fails
 * with ZS_IO (or `cause`) having done nothing; mode LOST: it and all after it fail (a crash); TORN: a put's commit
 * stores half of the bytes under its name where the inner backend lets it, then all fail. */
enum zs_fault_mode { ZS_FAULT_ONCE, ZS_FAULT_LOST, ZS_FAULT_TORN };
struct zs_backend *zs_backend_faulty_new(struct zs_backend *inner, uint64_t n, enum zs_fault_mode mode, enum zs_cause cause);
int zs_backend_faulty_fired(const struct zs_backend *faulty);
uint64_t zs_backend_faulty_count(const struct zs_backend *faulty); /* operations so far */
/* Around another (borrowed): records each completed change (put, delete) in order; replay applies the first n
 * changes to another backend. */
struct zs_backend *zs_backend_record_new(struct zs_backend *inner);
uint64_t zs_backend_record_count(const struct zs_backend *rec);
int zs_backend_record_replay(const struct zs_backend *rec, uint64_t n, struct zs_backend *onto, struct zs_err *err) ZS_MUST_USE;
void zs_backend_free(struct zs_backend *be); /* NULL is fine; wrappers do not free the inner one */

/* ------------------------------------------------------------------ operations */

/* One whole object, durable on return.  Never replaces: ZS_EXISTS. */
int zs_backend_put(struct zs_backend *be, enum zs_object type, const struct zs_name *name, struct zs_span data, struct zs_err *err) ZS_MUST_USE;
/* A large object, written piecewise; nothing is visible before commit.  After -1 from append only abort is allowed. */
int zs_backend_put_begin(struct zs_backend *be, enum zs_object type, struct zs_put **out, struct zs_err *err) ZS_MUST_USE;
int zs_backend_put_append(struct zs_put *put, struct zs_span data, struct zs_err *err) ZS_MUST_USE;
/* Ends the put either way; durable under its name on return 0; ZS_EXISTS: an object of that name was there. */
int zs_backend_put_commit(struct zs_put *put, const struct zs_name *name, struct zs_err *err) ZS_MUST_USE;
void zs_backend_put_abort(struct zs_put *put); /* NULL is fine */
/* Exactly `bytes` bytes from offset appended to *out; an object that is shorter is ZS_CORRUPT. */
int zs_backend_get(struct zs_backend *be, enum zs_object type, const struct zs_name *name, uint64_t offset, size_t bytes,
    struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* All of an object of at most max bytes (ZS_CORRUPT beyond). */
int zs_backend_get_all(struct zs_backend *be, enum zs_object type, const struct zs_name *name, size_t max,
    struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* 1 and the size, 0 absent, -1. */
int zs_backend_stat(struct zs_backend *be, enum zs_object type, const struct zs_name *name, uint64_t *out_bytes, struct zs_err *err) ZS_MUST_USE;
/* Every object of a type, in any order; 0 only if the listing is known to be complete.  A callback's -1 ends it. */
typedef int zs_backend_list_fn(void *ctx, const struct zs_name *name, uint64_t bytes, struct zs_err *err);
int zs_backend_list(struct zs_backend *be, enum zs_object type, zs_backend_list_fn *fn, void *ctx, struct zs_err *err) ZS_MUST_USE;
/* ZS_NOTFOUND if it was not there. */
int zs_backend_delete(struct zs_backend *be, enum zs_object type, const struct zs_name *name, struct zs_err *err) ZS_MUST_USE;
/* Give back the space that was reserved for freeing a full disk (1), or there is none (0); and make it again. */
int zs_backend_reserve_release(struct zs_backend *be, struct zs_err *err) ZS_MUST_USE;
int zs_backend_reserve_make(struct zs_backend *be, struct zs_err *err) ZS_MUST_USE;
/* Remove leftovers of dead writers (temporary files of processes known to be gone on this host). */
int zs_backend_tidy(struct zs_backend *be, struct zs_err *err) ZS_MUST_USE;
/* A text for messages: the path or URL.  Borrowed. */
const char *zs_backend_describe(const struct zs_backend *be);

#endif
