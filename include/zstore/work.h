/*
 * work: the use cases: backup, browse, restore, check, prune.  Called by cli, tested
 * directly.  Nothing here prints: events go to a zs_observer.
 */
#ifndef ZSTORE_WORK_H
#define ZSTORE_WORK_H

#include "zstore/source.h"
#include "zstore/store.h"
#include "zstore/target.h"
#include "zstore/tree.h"

struct zs_progress { /* totals are 0 while unknown */
	const char *phase;
	uint64_t files, files_total, bytes, bytes_total, stored_bytes, problems;
	struct zs_span current; /* path, borrowed */
};
struct zs_observer { /* all may be NULL; problem may come from any thread, progress from one at a time */
	void *ctx;
	void (*progress)(void *ctx, const struct zs_progress *p);
	void (*problem)(void *ctx, struct zs_span path, const struct zs_err *err); /* item skipped or incomplete */
	int (*stop)(void *ctx); /* nonzero: end cleanly now */
};

/* -------------------------------------------------------------------- backup */

struct zs_backup_part { /* what came from one part of a member (an account) */
	uint64_t files, bytes, files_new, files_changed, added_bytes;
};
struct zs_backup_member { /* what came from one member of a source set */
	uint64_t entries, files, bytes; /* in the snapshot */
	uint64_t files_new, files_changed;
	uint64_t added_bytes;		/* plain bytes that were not there before */
	struct zs_backup_part *parts;	/* by the parts' numbers; zs_backup_member_fini frees them */
	unsigned part_count;
};
void zs_backup_member_fini(struct zs_backup_member *m); /* what the backup allocated in it */
enum zs_backup_flags { ZS_BACKUP_FORCE = 1 /* re-read all */, ZS_BACKUP_DRY_RUN = 2 };
struct zs_backup_settings {
	struct zs_source *source;
	const char *host, *user, *program;
	const struct zs_strings *tags, *paths;
	int64_t time_ns;
	int level;		/* -1: the repository's */
	unsigned threads;	/* 0: as many as cores */
	unsigned flags;
	struct zs_backup_member *members; /* filled, one for each member of the source; may be NULL */
	unsigned member_count;
	const struct zs_observer *observer;
};
struct zs_backup_report {
	struct zs_name snapshot;
	struct zs_totals totals;
	uint64_t files_new, files_changed, files_unmodified, dirs, skipped; /* skipped: also those named by the source */
	uint64_t read_bytes, added_bytes, stored_bytes;
	int partial;
};
/* The source's `problem` callback must be zs_backup_problem with the zs_backup_problems given here. */
struct zs_backup_problems; /* collects, forwards to the observer; thread safe */
int zs_backup_problems_new(const struct zs_observer *o, struct zs_backup_problems **out, struct zs_err *err) ZS_MUST_USE;
void zs_backup_problem(void *problems, struct zs_span path, const struct zs_err *err);
void zs_backup_problems_free(struct zs_backup_problems *p);
/*
 * Carries out the source's phases (zs_source_prepare), reads it, and keeps its manifest in the snapshot.
 * 0 (look at report->partial), or -1; on ZS_STOPPED what was stored is kept for the next run.
 */
int zs_backup(struct zs_store *st, const struct zs_backup_settings *s, struct zs_backup_problems *problems,
    struct zs_backup_report *out, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------------- browsing */

/* A snapshot by id prefix (>= 4 digits), "latest" or "latest:HOST".  ZS_NOTFOUND, ZS_USAGE (ambiguous).  The row is
 * borrowed from the list. */
int zs_snapshot_find(const struct zs_snapshot_list *l, const char *text, const struct zs_snapshot_row **out, struct zs_err *err) ZS_MUST_USE;
/*
 * Split "SNAPSHOT[:PATH]": "latest:HOST" and "latest:PATH" are told apart by asking whether a snapshot of such a host
 * exists.  out_path is cleaned (zs_path_clean), "" for all.
 */
int zs_place_find(const struct zs_snapshot_list *l, const char *text, const struct zs_snapshot_row **out, struct zs_buf *out_path, struct zs_err *err) ZS_MUST_USE;

/* Tree nodes of a store, for reading. */
struct zs_tree_io zs_reader_tree_io(struct zs_store_reader *r);

enum zs_list_flags { ZS_LIST_RECURSIVE = 1, ZS_LIST_SELF = 2 /* the path itself, not its content */ };
typedef int zs_list_fn(void *ctx, struct zs_span path, const struct zs_entry *e, struct zs_err *err);
/* What is at path: a directory's children (RECURSIVE: everything below), or the one entry.  ZS_NOTFOUND. */
int zs_list(struct zs_store_reader *r, const struct zs_id *root, struct zs_span path, unsigned flags, zs_list_fn *fn, void *ctx, struct zs_err *err) ZS_MUST_USE;
/* Messages with that Message-ID (as in the header, without brackets). */
int zs_find_message(struct zs_store_reader *r, const struct zs_id *root, struct zs_span message_id, zs_list_fn *fn, void *ctx, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------------- restoring */

struct zs_restore_settings {
	struct zs_id root;		/* of the snapshot's tree */
	const struct zs_strings *paths;	/* cleaned; none: everything.  Each must exist: ZS_NOTFOUND */
	const struct zs_excludes *excludes; /* may be NULL */
	unsigned strip;			/* leading components to drop; entries with no more than that are not written */
	unsigned threads;		/* 0: cores */
	int dry_run;			/* only observe */
	const struct zs_observer *observer; /* current: each entry when it is decided */
};
struct zs_restore_report { uint64_t files, dirs, others, bytes, left_alone, failed; };
/* Into a directory, pack by pack.  An entry that fails is a problem, nothing half made is left under its name, and
 * the rest goes on; report->failed counts them.  out_damaged: 1 if one failed because the repository is damaged. */
int zs_restore_files(struct zs_store *st, struct zs_files *to, const struct zs_restore_settings *s, struct zs_restore_report *out, int *out_damaged, struct zs_err *err) ZS_MUST_USE;
/* To a stream, in path order.  The first damaged entry ends it (a stream cannot take back). */
int zs_restore_stream(struct zs_store *st, struct zs_target *to, const struct zs_restore_settings *s, struct zs_restore_report *out, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------------------ dumps */

/*
 * What zs_source_sql stored, as one script that "mariadb <" loads into an empty server: header, databases, sequences,
 * tables, rows, routines, views, triggers, events, accounts.  Its last line says "zstore: complete", or "incomplete" if the snapshot is
 * partial, the source named something as not read, or broke off; the head says so, too.
 *   root      of the snapshot's tree
 *   prefix    directory of the source in it, as "sql"
 *   what      "DB" or "DB.TABLE", as the user wrote it; none: everything, accounts included.  ZS_NOTFOUND names one that is not there
 *             (or, of a single table, not complete: it would take the place of one that is)
 *   is_partial the snapshot is
 *   fd        borrowed; it may have got part of the script when -1 is returned
 */
struct zs_sql_restore {
	struct zs_id root;
	struct zs_span prefix;
	const struct zs_strings *what;
	const struct zs_observer *observer;
	int is_partial;
};
int zs_restore_sql(struct zs_store *st, const struct zs_sql_restore *s, int fd, struct zs_err *err) ZS_MUST_USE;

enum zs_ldif_profile {
	ZS_LDIF_FULL, /* as slapcat: for slapadd into an empty directory */
	ZS_LDIF_LIVE, /* what ldapadd -e relax takes: without what the server makes itself */
};
/* What zs_source_ldap stored.  base: a DN, of which the entry and everything below is given; none: every context but
 * cn=config (which is given if it is the base).  ZS_NOTFOUND if nothing is there.  A context whose entries are missing is a
 * problem for the observer, and a comment in the output. */
struct zs_ldif_restore { struct zs_id root; struct zs_span prefix, base; enum zs_ldif_profile profile; const struct zs_observer *observer; };
int zs_restore_ldif(struct zs_store *st, const struct zs_ldif_restore *s, int fd, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------------------ check */

struct zs_check_settings { int read_data; unsigned threads; const struct zs_observer *observer; zs_finding_fn *finding; void *ctx; };
struct zs_check_report { uint64_t snapshots, entries, nodes, packs, bytes, findings, unreferenced_packs; };
/* Structure and closure of every snapshot; read_data: every seal, id, and each distinct file reassembled.  0 even with
 * findings; -1 if it could not be carried out. */
int zs_check(struct zs_store *st, const struct zs_check_settings *s, struct zs_check_report *out, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------------------ prune */

struct zs_keep_policy {
	int last, hourly, daily, weekly, monthly, yearly; /* -1: all; 0: none */
	int64_t within_ns;	/* 0: not asked */
	const struct zs_strings *tags; /* snapshots with any of these stay */
	unsigned group_by;	/* ZS_GROUP_* */
};
enum zs_group_by { ZS_GROUP_HOST = 1, ZS_GROUP_PATHS = 2, ZS_GROUP_TAGS = 4 };
struct zs_keep_decision { const struct zs_snapshot_row *row; int keep; char why[96]; size_t group; };
/*
 * Decide for each snapshot of the list (same order).  Partial snapshots never count for a rule and stay only while no
 * later complete one of their group exists.  Periods are counted in local time, newest of each kept, empty periods
 * not counted; within is measured from the newest snapshot of the group, not from the clock.  out: l->n rows, free().
 */
int zs_keep_decide(const struct zs_snapshot_list *l, const struct zs_keep_policy *policy, struct zs_keep_decision **out, size_t *out_groups, struct zs_err *err) ZS_MUST_USE;
/* zs_store_collect with marking by the trees. */
int zs_prune_collect(struct zs_store *st, const struct zs_collect_settings *base, const struct zs_observer *observer, struct zs_collect_report *out, struct zs_err *err) ZS_MUST_USE;

#endif
