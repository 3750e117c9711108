/*
 * What the parts of a restore share: the walk of the snapshot (restore_walk.c), the list of what is being restored
 * (restore_list.c), the plan (restore_plan.c), filling files block by block (restore_fill.c), the end
 * (restore_end.c), and the short way for a few files (restore_direct.c).
 */
#ifndef ZS_RESTORE_PRIVATE_H
#define ZS_RESTORE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "zstore/mail.h"
#include "zstore/pipeline.h"
#include "zstore/work.h"

/* ------------------------------------------------------------------------- walk */

struct walk_item {
	struct zs_span path;	/* where to, stripped; borrowed for the call like the rest */
	struct zs_span from;	/* in the snapshot */
	struct zs_span encoded;
	struct zs_entry entry;
};
struct walk_ops {
	void *ctx;
	int (*item)(void *ctx, const struct walk_item *item, struct zs_err *err);
	/* An entry that cannot be decoded: 0 go on, -1 (with *err as given, or better). */
	int (*bad)(void *ctx, struct zs_span path, struct zs_err *err);
};
struct walk { /* what is to be restored, looked at before anything is written */
	const struct zs_restore_settings *s;
	struct zs_tree_io io;
	struct zs_span *roots; /* sorted, none in another; {"", 0} for everything */
	size_t roots_n;
	struct zs_totals totals; /* upper bounds: excludes are not looked at */
};
/* -1: ZS_NOTFOUND (a path does not exist), ZS_USAGE (two entries would get one path).  s and r are borrowed. */
int restore_walk_init(struct walk *w, const struct zs_restore_settings *s, struct zs_store_reader *r, const char *tmp_dir,
    struct zs_err *err) ZS_MUST_USE;
/* Every entry in path order, also the directories above the paths that were asked for. */
int restore_walk_run(const struct walk *w, const struct walk_ops *ops, struct zs_err *err) ZS_MUST_USE;
void restore_walk_fini(struct walk *w);

/* ------------------------------------------------------------------------- list */

/* What becomes of an entry.  Kept in a file, a byte each: memory does not grow with the number of files. */
enum restore_list_state {
	LIST_NEW,    /* nothing is there */
	LIST_MADE,   /* its file is being filled */
	LIST_BROKEN, /* its file must go */
	LIST_FAILED, /* reported, nothing of it is there */
	LIST_DONE,
	LIST_LEFT,   /* something else was there and stays */
};
struct list {
	int fd, states_fd;
	struct zs_buf tail; /* not written yet */
	uint64_t written, count;
};
struct list_place { uint64_t number, at; }; /* of an entry */
struct list_entry { /* spans and entry point into the buffer that it was read into */
	struct list_place place;
	struct zs_span path;
	struct zs_entry entry;
};
int restore_list_init(struct list *l, const char *tmp_dir, struct zs_err *err) ZS_MUST_USE;
void restore_list_fini(struct list *l);
int restore_list_add(struct list *l, struct zs_span path, struct zs_span encoded, struct list_place *out,
    struct zs_err *err) ZS_MUST_USE;
int restore_list_flush(struct list *l, struct zs_err *err) ZS_MUST_USE; /* before anything is read */
/* Any thread.  1; 0: behind the last. */
int restore_list_read(const struct list *l, struct list_place place, struct zs_buf *buf, struct list_entry *out,
    struct zs_err *err) ZS_MUST_USE;
struct list_place restore_list_after(const struct list_entry *e, const struct zs_buf *buf);
int restore_list_state(const struct list *l, uint64_t number, enum restore_list_state *out, struct zs_err *err) ZS_MUST_USE;
int restore_list_set_state(const struct list *l, uint64_t number, enum restore_list_state state, struct zs_err *err) ZS_MUST_USE;
/* Path and entry as the list's own bytes, in a job: appended, and taken off the front of *s. */
int restore_list_pack(struct zs_buf *out, struct list_place place, struct zs_span path, struct zs_span encoded,
    struct zs_err *err) ZS_MUST_USE;
int restore_list_unpack(struct zs_span *s, struct list_entry *out, struct zs_err *err) ZS_MUST_USE;

void restore_list_key(uint8_t out[static 8], uint64_t v); /* big endian: for sorters */

/* ---------------------------------------------------------------------- restore */

struct restore {
	struct zs_store *store;
	struct zs_files *to;
	const struct zs_restore_settings *s;
	struct zs_store_reader *reader; /* the main thread's */
	const char *tmp_dir;
	unsigned threads;
	struct walk walk;
	struct list list;
	struct zs_sorter *plan, *linked, *pairs, *dirs, *pieces;
	int is_cut;	   /* the tree could not be walked to its end: */
	struct zs_err cut; /* why */
	pthread_mutex_t lock; /* guards report, damaged, progress */
	struct zs_restore_report report;
	int damaged;
	struct zs_progress progress;
};
/* An entry cannot be restored: tell and count.  Any thread. */
void restore_problem(struct restore *r, struct zs_span path, const struct zs_err *why);
/* As that, and its state becomes `state`, once. */
int restore_fail(struct restore *r, const struct list_entry *e, enum restore_list_state state, const struct zs_err *why,
    struct zs_err *err) ZS_MUST_USE;
/* Must the whole restore end, rather than this entry fail? */
int restore_is_fatal(const struct zs_err *why);
int restore_stopped(const struct restore *r, struct zs_err *err); /* -1 ZS_STOPPED, 0 */
void restore_count(struct restore *r, uint64_t *counter, uint64_t n);
/* one thread at a time */
void restore_show(struct restore *r, const char *phase, struct zs_span current, uint64_t bytes);
/* zs_mail_join and zs_mail_places: read a chunk.  ctx: a zs_store_reader. */
int restore_chunk(void *reader, const struct zs_id *id, struct zs_span *out, struct zs_err *err);

int restore_direct_run(struct restore *r, struct zs_err *err) ZS_MUST_USE;
int restore_plan_run(struct restore *r, struct zs_err *err) ZS_MUST_USE;
int restore_fill_run(struct restore *r, struct zs_err *err) ZS_MUST_USE;
int restore_end_run(struct restore *r, struct zs_err *err) ZS_MUST_USE;
void restore_end_remove(struct restore *r); /* given up: what is not finished goes */

/* Jobs of list entries for workers: plan makes files, end finishes them. */
struct batch_ops {
	unsigned threads;
	struct restore *r;
	int (*item)(struct restore *r, const struct list_entry *e, struct zs_err *err); /* any thread */
};
struct batches {
	struct batch_ops ops;
	struct zs_pipeline *pipeline;
	struct zs_buf *job; /* being filled */
	unsigned count;
};
int restore_batches_init(struct batches *b, const struct batch_ops *ops, struct zs_err *err) ZS_MUST_USE;
int restore_batches_add(struct batches *b, struct list_place place, struct zs_span path, struct zs_span encoded,
    struct zs_err *err) ZS_MUST_USE;
int restore_batches_end(struct batches *b, struct zs_err *err) ZS_MUST_USE; /* waits for all; also after a failure */

/* ------------------------------------------------------- uses of chunks (plan, fill) */

/* A record of the plan: key (pack, block, list place), value: this, then ranges or one base64 place. */
struct use {
	struct zs_id id;
	struct list_place place;
	uint64_t block_offset;
	uint32_t pack, block, block_stored;
	uint32_t chunk_offset, chunk_bytes;
	uint32_t ranges; /* 0: a struct zs_place follows */
};
struct use_range { uint64_t at; uint32_t from, bytes; };
#define USE_RANGES_MAX 2048
/* Names of one file, in the order of r->pairs. */
struct pair_value { struct list_place leader, other; };
/* A piece of a base64 group: key (number, extent, group), value: this. */
struct piece { struct list_place place; struct zs_fragment fragment; };

#endif
