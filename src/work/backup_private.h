/* What the parts of a backup share: the scan (main thread), reading (workers), storing (the ordered sink). */
#ifndef ZS_BACKUP_PRIVATE_H
#define ZS_BACKUP_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "zstore/mail.h"
#include "zstore/pipeline.h"
#include "zstore/work.h"

/* ------------------------------------------------------------ hard-linked files */

/*
 * The most recent hard-linked inodes, first in, first out.  Scan and sink each keep one and feed it with the same
 * sequence, so what the scan finds in its own is in the sink's too when that item arrives there.
 */
#define LINKS_KEPT 16384
struct links;
struct links *backup_links_new(void); /* NULL: no memory */
void backup_links_free(struct links *l);
/* Add an inode that is not there; entry (copied) may be empty.  0, or -1 ZS_NOMEM. */
int backup_links_add(struct links *l, uint64_t dev, uint64_t ino, struct zs_span entry, struct zs_err *err) ZS_MUST_USE;
/* 1 with the entry (borrowed until the next add), 0. */
int backup_links_find(const struct links *l, uint64_t dev, uint64_t ino, struct zs_span *out_entry);

/* ------------------------------------------------- items that have another path */

struct moved;
struct moved *backup_moved_new(const struct zs_tree_io *nodes, const struct zs_id *root); /* NULL: no memory */
void backup_moved_free(struct moved *m);
/* Has the previous snapshot src's content under another path below src->home?  1 with the encoded entry in *out, 0, -1 ZS_NOMEM. */
int backup_moved_find(struct moved *m, const struct zs_source_item *src, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;

/* ----------------------------------------------------------------------- jobs */

enum item_action {
	ITEM_READY, /* encoded is the whole entry: reused from the previous tree, or without content */
	ITEM_READ,  /* read the content through the handle */
	ITEM_META,  /* encoded is an entry that has the content: the item's own of before, or another one's; the rest is new */
	ITEM_LINK,  /* another name of an inode that was read before: only what belongs to the name is filled in */
};

struct item {
	enum item_action action;
	enum zs_kind content;
	unsigned member; /* of the source set */
	unsigned part;	 /* of the member */
	int known; /* the previous tree had this path */
	struct zs_span path, encoded;
	struct zs_entry entry;
	struct zs_source_handle *handle;
};

#define JOB_ITEMS 128
struct job { /* items that follow each other; spans point into arena, which never moves */
	struct item items[JOB_ITEMS];
	unsigned count;
	uint64_t bytes;
	uint8_t *arena;
	size_t arena_used, arena_size;
};
struct job *backup_job_new(size_t arena_size); /* NULL: no memory */
void backup_job_free(struct job *j);

/* -------------------------------------------------------------------- results */

enum record_type { RECORD_CHUNK, RECORD_ENTRY, RECORD_LINK };
struct record {
	enum record_type type;
	enum zs_kind kind;	/* CHUNK */
	uint8_t change;		/* ENTRY, LINK: enum change */
	uint8_t is_shared;	/* ENTRY: link_* is the key of content that others may have, no hard link */
	uint16_t member;	/* of the source set */
	uint32_t part;		/* of the member */
	struct zs_id id;	/* CHUNK */
	size_t at, bytes;	/* CHUNK: its bytes; ENTRY, LINK: the path */
	size_t entry_at, entry_bytes;
	uint64_t link_dev, link_ino; /* ENTRY: remember it for later links (ino != 0) */
};
enum change { CHANGE_NONE, CHANGE_NEW, CHANGE_MODIFIED };

struct batch { /* what a worker hands to the sink */
	struct zs_buf data;
	struct zs_buf records; /* of struct record */
	uint64_t read_bytes;
};
struct batch *backup_batch_new(void);
void backup_batch_free(struct batch *b);
size_t backup_batch_count(const struct batch *b);
struct record *backup_batch_record(const struct batch *b, size_t i);
int backup_batch_add(struct batch *b, const struct record *r, struct zs_err *err) ZS_MUST_USE;
#define BATCH_FULL (1u << 20)

/* --------------------------------------------------------------------- the run */

struct backup {
	struct zs_store *store;
	const struct zs_backup_settings *settings;
	struct zs_backup_problems *problems;
	struct zs_backup_report *report; /* counters: the sink's, until the pipelines are closed */
	struct zs_split_params split;	 /* borrowed by workers */
	struct zs_txn *txn;
	struct zs_pipeline *reading, *pressing;
	struct zs_tree_io tree_io;	 /* put: into the transaction */
	struct zs_tree_builder *tree;	 /* the sink's */
	struct links *sink_links;	 /* the sink's */
	struct links *shared;		 /* content that was read and found good, by its keys; under shared_lock */
	pthread_mutex_t shared_lock;
	struct zs_progress progress;	 /* the sink's */
	uint64_t item_bytes;		 /* the sink's: of the item under way, for progress only */
	struct zs_backup_member anyone;	 /* the sink's: counts that nobody asked for */
	struct zs_backup_part no_part;	 /* likewise */
};

/* backup_scan.c: walk the source against the previous snapshot's tree (it may be NULL) and push jobs. */
int backup_scan(struct backup *b, struct zs_store_reader *reader, const struct zs_snapshot *previous, struct zs_err *err) ZS_MUST_USE;
/* backup_read.c: worker side of the reading pipeline. */
int backup_reader_new(void *ctx, void **out, struct zs_err *err) ZS_MUST_USE;
void backup_reader_free(void *ctx, void *state);
int backup_read(void *ctx, void *state, void *job, struct zs_emitter *out, struct zs_err *err) ZS_MUST_USE;
void backup_job_drop(void *ctx, void *job);
void backup_batch_drop(void *ctx, void *batch);
/* backup_groups.c: content whose source says where it is to be cut. */
struct backup_groups {
	enum zs_kind kind;
	const struct zs_key *chunk_id_key;
	struct zs_splitter *splitter; /* for groups that are too large; not in use otherwise */
	struct zs_split_sink sink;    /* from one thread at a time, which may be another than the caller's */
	unsigned workers;
	int (*stopped)(void *stop_ctx, struct zs_err *err);
	void *stop_ctx;
};
/* From the first group, which was announced already, to the end.  All calls of the sink are over when it returns. */
int backup_groups_read(const struct backup_groups *g, struct zs_source_reader *in, struct zs_split_result *out, struct zs_err *err) ZS_MUST_USE;
/* backup_sink.c: the ordered side. */
int backup_sink(void *ctx, void *batch, struct zs_err *err) ZS_MUST_USE;
int backup_put(struct backup *b, enum zs_kind kind, const struct zs_id *id, struct zs_span plain, struct zs_err *err) ZS_MUST_USE;
int backup_push_block(struct backup *b, struct zs_block *block, struct zs_err *err) ZS_MUST_USE;
/* backup_dry.c: compare only; and show that all that a snapshot refers to is there. */
int backup_dry_run(struct backup *b, const struct zs_id *previous_root, struct zs_err *err) ZS_MUST_USE;
int backup_prove(void *ctx, struct zs_txn *txn, const struct zs_snapshot *s, struct zs_err *err) ZS_MUST_USE;
/* problems.c */
uint64_t backup_problems_count(struct zs_backup_problems *p);
int backup_problems_reasons(struct zs_backup_problems *p, struct zs_strings *out, struct zs_err *err) ZS_MUST_USE;

/* Everything that is the content's own, from an entry that has it. */
void backup_take_content(struct zs_entry *to, const struct zs_entry *from);
uint64_t work_tree_seed(const struct zs_store *st);
int backup_stopped(const struct backup *b, struct zs_err *err); /* 0, or -1 ZS_STOPPED */

#endif
