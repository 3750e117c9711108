/*
 * target: where entries are restored to.  Never writes outside its root, whatever
 * the repository says: every component is walked with O_NOFOLLOW / openat2
 * RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS.
 */
#ifndef ZSTORE_TARGET_H
#define ZSTORE_TARGET_H

#include "zstore/base.h"
#include "zstore/format.h"

/* --------------------------------------------------- in order: tar, or any stream */

struct zs_target; /* takes entries one after the other, in path order */
struct zs_target_ops {
	/* content follows for files with size > 0: write/hole until exactly e->size bytes, then end. */
	int (*begin)(struct zs_target *, struct zs_span path, const struct zs_entry *e, struct zs_err *);
	int (*write)(struct zs_target *, struct zs_span bytes, struct zs_err *);
	int (*hole)(struct zs_target *, uint64_t bytes, struct zs_err *);
	int (*end)(struct zs_target *, struct zs_err *);
	int (*finish)(struct zs_target *, struct zs_err *); /* all entries done */
	void (*free)(struct zs_target *);
};
struct zs_target { const struct zs_target_ops *ops; };
/*
 * A pax tar on a descriptor (libarchive): long names, xattrs, ACLs, ns times, hard links (second names of one file: their
 * content is taken and ignored; beyond some ten thousand remembered files a second name is a copy), holes as zeros.
 * Sockets are left out.  ZS_USAGE if this program was built without libarchive.  Free without finish leaves a cut tar.
 */
int zs_target_tar_new(int fd, struct zs_target **out, struct zs_err *err) ZS_MUST_USE;
/* Contents only, one after the other (extract --stdout). */
int zs_target_stdout_new(int fd, struct zs_target **out, struct zs_err *err) ZS_MUST_USE;

/* ---------------------------------------------- SQL: one script of many streams */

/* What stands where in a script, in this order. */
enum zs_sql_phase {
	ZS_SQL_ROLES, ZS_SQL_DATABASES, ZS_SQL_SEQUENCES, ZS_SQL_TABLES, ZS_SQL_ROWS, ZS_SQL_ROUTINES, ZS_SQL_PLACEHOLDERS, ZS_SQL_VIEWS,
	ZS_SQL_VIEW_CHECKS, ZS_SQL_TRIGGERS, ZS_SQL_EVENTS, ZS_SQL_ACCOUNTS,
	ZS_SQL_PHASES,
};
struct zs_sql_place { /* what a stored stream is; init before, fini after */
	enum zs_sql_phase phase;
	struct zs_buf database, table; /* names, decoded; empty where there is none */
};
/* From its path below the source's directory.  1; 0: it is no part of a script; -1 ZS_NOMEM. */
int zs_sql_place_parse(struct zs_span path, struct zs_sql_place *out, struct zs_err *err) ZS_MUST_USE;
void zs_sql_place_fini(struct zs_sql_place *p);
/* Is it asked for by "DB" or "DB.TABLE"?  1, 0.  Of one table: its database, the database's sequences, and what is its own. */
int zs_sql_place_wanted(const struct zs_sql_place *p, struct zs_span what);
/* A fact of the source's summary as a comment, appended to the notes; what is in an element of a list ("tables.0.rows") is passed
 * over.  Whatever key and value hold, it is whole lines of comments. */
int zs_sql_script_fact(const char *key, struct zs_span value, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* What stands before and after everything; notes: comment lines, each ended, without control characters; may be empty. */
int zs_sql_script_begin(struct zs_span notes, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* The last line says whether all was there to be written: "-- zstore: complete", or "-- zstore: incomplete: ...". */
enum zs_sql_end { ZS_SQL_END_COMPLETE, ZS_SQL_END_PARTIAL };
int zs_sql_script_end(enum zs_sql_end end, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* What stands before and after one stream.  current: the database in use, changed by it. */
struct zs_sql_stream { const struct zs_sql_place *place; int replaces; /* the table is dropped first */ };
int zs_sql_stream_begin(const struct zs_sql_stream *s, struct zs_buf *current, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
int zs_sql_stream_end(const struct zs_sql_stream *s, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;

/* --------------------------------------------------------------- LDIF, filtered */

/*
 * Takes what an LDAP source stored of one context, in pieces of any size, and hands on the entries that are wanted: those at
 * base or below (empty: all), without what a live server makes itself (is_live), with the lines of the second stream put back.
 */
struct zs_ldif;
struct zs_ldif_settings {
	struct zs_span base; /* borrowed until free */
	int is_live;
	/* Pull up to n bytes of the second stream (*out_n == 0: its end); NULL: there is none. */
	int (*side)(void *ctx, void *p, size_t n, size_t *out_n, struct zs_err *err);
	int (*write)(void *ctx, struct zs_span bytes, struct zs_err *err);
	void *ctx;
};
int zs_ldif_new(const struct zs_ldif_settings *s, struct zs_ldif **out, struct zs_err *err) ZS_MUST_USE;
/* -1: ZS_CORRUPT (no LDIF, or the two streams do not fit), ZS_LIMIT (an entry of more than 1 GiB), or what write said. */
int zs_ldif_feed(struct zs_ldif *f, struct zs_span bytes, struct zs_err *err) ZS_MUST_USE;
/* The end: nothing may be left over.  *out_entries: how many were wanted. */
int zs_ldif_end(struct zs_ldif *f, uint64_t *out_entries, struct zs_err *err) ZS_MUST_USE;
void zs_ldif_free(struct zs_ldif *f);

/* ------------------------------------------------- a directory: in any order */

struct zs_files; /* thread safe but for dir_*; errors are ZS_TARGET and name the path */
enum zs_overwrite { ZS_OVERWRITE_ALWAYS, ZS_OVERWRITE_NEVER, ZS_OVERWRITE_NEWER, ZS_OVERWRITE_IF_DIFFERENT };
struct zs_files_target_settings {
	enum zs_overwrite overwrite;
	int numeric_owner;   /* ids as stored; else names are looked up first */
	/* Metadata that could not be set (no permission ...): named, goes on. */
	void (*problem)(void *ctx, struct zs_span path, const struct zs_err *err);
	void *ctx;
};
/* root is created if need be (parents too). */
int zs_files_new(const char *root, const struct zs_files_target_settings *s, struct zs_files **out, struct zs_err *err) ZS_MUST_USE;
void zs_files_free(struct zs_files *f);
/*
 * Make a file of that size, empty (a hole), mode 0600, ready to be filled; an existing thing of another type in the way
 * is replaced if overwriting is allowed (a symlink is removed, never followed).
 * 1 made, 0 left alone (overwrite rule says so: NEVER and it exists, NEWER and it is not older, IF_DIFFERENT and size and
 * mtime are equal), -1.
 */
int zs_files_create(struct zs_files *f, struct zs_span path, const struct zs_entry *e, struct zs_err *err) ZS_MUST_USE;
/* A whole small file at once, with its metadata: as create, write, finish. */
int zs_files_create_whole(struct zs_files *f, struct zs_span path, const struct zs_entry *e, struct zs_span content, struct zs_err *err) ZS_MUST_USE;
/* An open descriptor for reading and writing of a file that create made; the caller closes it. */
int zs_files_open(struct zs_files *f, struct zs_span path, int *out_fd, struct zs_err *err) ZS_MUST_USE;
/* Read the file back and compare size and sum (ZS_CORRUPT: reassembly went wrong), then owner, xattrs, mode, times. */
int zs_files_finish(struct zs_files *f, struct zs_span path, const struct zs_entry *e, struct zs_err *err) ZS_MUST_USE;
/* Remove a file whose restoring failed, so that nothing half made is left under its name; a regular file that create
 * was to replace is back.  (Until finish or remove it waits beside it as .zstore-old-<hash>.) */
void zs_files_remove(struct zs_files *f, struct zs_span path);
/* Everything that is neither FILE nor DIR, with its metadata.  1 made, 0 left alone, -1. */
int zs_files_special(struct zs_files *f, struct zs_span path, const struct zs_entry *e, struct zs_err *err) ZS_MUST_USE;
/* path becomes another name of existing.  1 (also if it was one already), 0 (NEVER and something is there), -1; the rules
 * that compare replace, as existing may not be finished yet. */
int zs_files_link(struct zs_files *f, struct zs_span existing, struct zs_span path, struct zs_err *err) ZS_MUST_USE;
/* Directories: made at once (mode 0700 so that we can write), their metadata at the end, deepest first.  mkdir replaces
 * something else of that name unless the rule is NEVER; a parent (of whatever call) is made if it is missing, also with
 * 0700, but one that is a symlink or no directory is an error: nothing above the last component is ever replaced. */
int zs_files_mkdir(struct zs_files *f, struct zs_span path, struct zs_err *err) ZS_MUST_USE; /* parents too */
int zs_files_dir_finish(struct zs_files *f, struct zs_span path, const struct zs_entry *e, struct zs_err *err) ZS_MUST_USE;
/* One syncfs at the end. */
int zs_files_sync(struct zs_files *f, struct zs_err *err) ZS_MUST_USE;

#endif
