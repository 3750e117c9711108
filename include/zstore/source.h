/*
 * source: what is backed up.  A source yields items in ascending path order
 * (zs_path_cmp); content is read later, possibly in another thread, by the
 * item's handle.  A new source is a new file in src/source and one row.
 */
#ifndef ZSTORE_SOURCE_H
#define ZSTORE_SOURCE_H

#include "zstore/base.h"
#include "zstore/format.h"

struct zs_source;
struct zs_source_handle; /* how to read one item's content later; owned by whoever took the item */
struct zs_source_reader; /* content being read; one thread */

struct zs_source_item {
	struct zs_span path;	/* borrowed until the next call of next */
	struct zs_entry entry;	/* kind, mode, owner, times, size, link, identity, target; spans borrowed likewise.  No
				 * content, no xattrs, no item_*: zs_source_fill adds them */
	struct zs_source_handle *handle; /* owned by the caller; NULL for what has neither content nor xattrs */
	enum zs_kind content;	/* ZS_KIND_FILE: find out; or what the source knows */
	int serial;		/* the content must be read to its end before next is called again */
};

struct zs_source_settings {
	/* An item that cannot be backed up: named, then the source goes on.  Any thread. */
	void (*problem)(void *ctx, struct zs_span path, const struct zs_err *err);
	void *ctx;
	const char *tmp_dir;
};

/* 1 with an item, 0 at the end, -1: the source cannot go on. */
int zs_source_next(struct zs_source *s, struct zs_source_item *out, struct zs_err *err) ZS_MUST_USE;
/* What costs more than a stat, for items that are new or changed: xattrs, item_* of the staged layout.  Spans go
 * into *storage (appended; do not move it while entry is in use).  Any thread. */
int zs_source_fill(struct zs_source_handle *h, struct zs_entry *entry, struct zs_buf *storage, struct zs_err *err) ZS_MUST_USE;
/* Any thread. -1 ZS_SOURCE: vanished, not permitted, no longer a regular file. */
int zs_source_open(struct zs_source_handle *h, struct zs_source_reader **out, struct zs_err *err) ZS_MUST_USE;
/* Up to n bytes: *out_n == 0 and *out_hole == 0 at the end.  *out_hole > 0: that many zero bytes that are a hole come
 * next (then *out_n is 0). */
int zs_source_read(struct zs_source_reader *r, void *p, size_t n, size_t *out_n, uint64_t *out_hole, struct zs_err *err) ZS_MUST_USE;
/* Ends it.  *out_changed: it changed while it was read (size, mtime or ctime moved, or it grew).
 * -1 ZS_SOURCE: the stream turned out to be incomplete (a command that failed). */
int zs_source_close(struct zs_source_reader **r, int *out_changed, struct zs_err *err) ZS_MUST_USE;
void zs_source_handle_free(struct zs_source_handle *h);
void zs_source_free(struct zs_source *s); /* all handles must be gone */

/* ------------------------------------------------------------------ the sources */

enum zs_files_flags {
	ZS_FILES_ONE_FILE_SYSTEM = 1,
	ZS_FILES_NO_RACY_GUARD = 2, /* tests only: give an identity also to what changed just now */
};
struct zs_files_settings {
	const struct zs_strings *paths;	   /* as typed; a missing one is a problem, all missing ZS_SOURCE */
	const struct zs_strings *excludes; /* gitignore patterns, later ones win, "!" re-includes; may be NULL */
	unsigned flags;
};
/*
 * Files below several paths.  Paths of entries: what was typed, cleaned (zs_path_clean); directories above are yielded too, so
 * that a snapshot has no orphans.  Identity: size, mtime, ctime, inode, and for <x>.eml those of its sibling <x>.meta;
 * 0 for what changed less than two seconds before the scan began (or later).  Memory: a directory of any size is
 * sorted in bounded memory.
 */
int zs_source_files_new(const struct zs_files_settings *f, const struct zs_source_settings *s, struct zs_source **out, struct zs_err *err) ZS_MUST_USE;
/* One stream from a descriptor (borrowed) under a path, with the directories above it (mode 0755, no times). */
int zs_source_fd_new(int fd, struct zs_span path, enum zs_kind content, const struct zs_source_settings *s, struct zs_source **out, struct zs_err *err) ZS_MUST_USE;
/* The standard output of a command (argv NULL-terminated, borrowed); its failure is zs_source_close's -1 (with its
 * exit status or signal in the text).  stdin is /dev/null, stderr is ours. */
int zs_source_command_new(char *const argv[], struct zs_span path, enum zs_kind content, const struct zs_source_settings *s, struct zs_source **out, struct zs_err *err) ZS_MUST_USE;

/* For a new source: fill this table, embed struct zs_source first. */
struct zs_source_ops {
	int (*next)(struct zs_source *, struct zs_source_item *, struct zs_err *);
	void (*free)(struct zs_source *);
	int (*fill)(struct zs_source_handle *, struct zs_entry *, struct zs_buf *, struct zs_err *); /* may be NULL */
	int (*open)(struct zs_source_handle *, struct zs_source_reader **, struct zs_err *);
	int (*read)(struct zs_source_reader *, void *, size_t, size_t *, uint64_t *, struct zs_err *);
	int (*close)(struct zs_source_reader *, int *, struct zs_err *); /* frees the reader */
	void (*handle_free)(struct zs_source_handle *);
};
struct zs_source { const struct zs_source_ops *ops; };
struct zs_source_handle { const struct zs_source_ops *ops; };
struct zs_source_reader { const struct zs_source_ops *ops; };

/* gitignore-style patterns, also used by extract and ls. */
struct zs_excludes;
int zs_excludes_new(const struct zs_strings *patterns, struct zs_excludes **out, struct zs_err *err) ZS_MUST_USE;
void zs_excludes_free(struct zs_excludes *x);
/* 1 excluded, 0 not.  A path below an excluded directory must not be asked (callers prune). */
int zs_excludes_match(const struct zs_excludes *x, struct zs_span path, int is_dir);

#endif
