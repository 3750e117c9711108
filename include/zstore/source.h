/*
 * source: what is backed up.  A source yields items in ascending path order
 * (zs_path_cmp); content is read later, possibly in another thread, by the
 * item's handle.  Several sources make one (zs_source_set_new).  A new source is
 * a new file in src/source and one row.
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
	struct zs_entry entry;	/* kind, mode, owner, times, size, link, identity, target; spans borrowed likewise.  No content, no
				 * xattrs, no item_* (but item_id, where there is a home): zs_source_fill adds them */
	struct zs_source_handle *handle; /* owned by the caller; NULL for what has neither content nor xattrs */
	enum zs_kind content;	/* ZS_KIND_FILE: find out; or what the source knows */
	int serial;		/* the content must be read to its end before next is called again */
	unsigned member;	/* of a set: which one it is from */
	unsigned part;		/* of a source that has parts (accounts): 1 + its number; 0: of none */
	/* Of a directory, else proof_identity is 0: if the previous snapshot has an entry under the path proof, with that identity, then all
	 * that is below the directory is as it was there, and zs_source_skip may be called.  Borrowed like path. */
	struct zs_span proof;
	uint64_t proof_identity;
	/* The directory in which an item keeps its item_id under whatever path: where the previous snapshot has one of that number below
	 * it with the same content (zs_source_same_content), that is kept and the item is not opened.  Borrowed; n 0: none.  A home
	 * is an item, too: home_id is its item_id, by which it is found among its neighbours if it had another name (0: it has none). */
	struct zs_span home;
	uint64_t home_id;
};

enum zs_note_level {
	ZS_NOTE_INFO,	 /* what config check reports: a version, a right that is there */
	ZS_NOTE_WARNING, /* the backup is complete, but somebody should know */
	ZS_NOTE_LACK,	 /* as it is, a backup would be incomplete: a right that is missing, a limit */
};

struct zs_source_settings {
	/* An item that cannot be backed up: named, then the source goes on.  Any thread. */
	void (*problem)(void *ctx, struct zs_span path, const struct zs_err *err);
	void *ctx;
	const char *tmp_dir;
	/* Something to be said that is no problem of an item; text is one line.  Any thread.  May be NULL. */
	void (*note)(void *note_ctx, enum zs_note_level level, const char *text);
	void *note_ctx;
	/* Asked now and then by whatever takes long; nonzero: fail with ZS_STOPPED.  Any thread.  May be NULL. */
	int (*stop)(void *stop_ctx);
	void *stop_ctx;
};

/*
 * Before the first next, so that several servers can be caught at one point in time.  Every phase is carried out for all
 * members of a set before the next one.  Only CONNECT is needed for a dry run (next then yields what would be read, with
 * estimated sizes, and no handle is opened) and for config check.
 */
enum zs_source_phase {
	ZS_PHASE_CONNECT, /* connect, and see whether rights and limits allow a complete backup */
	ZS_PHASE_LIST,	  /* read what has no snapshot of its own for the first time (LDAP) */
	ZS_PHASE_FREEZE,  /* take the snapshot (SQL) */
	ZS_PHASE_SETTLE,  /* read again what changed since LIST, until nothing does */
	/* Parts of FREEZE, which zs_source_prepare carries out by itself.  A source gets them after its FREEZE: */
	ZS_PHASE_JOIN,	  /* take a snapshot that costs no time, while those that others took hold the server still */
	ZS_PHASE_THAW,	  /* let go of what was held */
};

/* 1 with an item, 0 at the end, -1: the source cannot go on. */
int zs_source_next(struct zs_source *s, struct zs_source_item *out, struct zs_err *err) ZS_MUST_USE;
/* After next gave a directory with a proof: what is below it is taken from the previous snapshot, and next does not give it. */
void zs_source_skip(struct zs_source *s);
/* What costs more than a stat, for items that are new or changed: xattrs, item_* of the staged layout.  Spans go
 * into *storage (appended; do not move it while entry is in use).  Any thread. */
int zs_source_fill(struct zs_source_handle *h, struct zs_entry *entry, struct zs_buf *storage, struct zs_err *err) ZS_MUST_USE;
/* An item whose identity moved: is its content still that of the entry which the previous snapshot has under its path (so that
 * only flags, folder, dates changed)?  1: the old content is kept, and the item is not opened; 0.  Any thread. */
int zs_source_same_content(const struct zs_source_handle *h, const struct zs_entry *old);
/*
 * Items with equal keys have equal content, though they are files of their own (hard links whose names are not to be linked again).
 * same_key: what this item's content would be known by, as far as can be seen without opening it; the thread of next.
 * read_key: what that is known by which was read, when all of it was and before it is closed; any thread.
 * An item whose key is that of content which was read and found good is not opened.  1 with the key, 0: there is none.
 */
int zs_source_same_key(struct zs_source_handle *h, uint64_t out_key[2]);
int zs_source_read_key(struct zs_source_reader *r, uint64_t out_key[2]);
/* Any thread. -1 ZS_SOURCE: vanished, not permitted, no longer a regular file; ZS_NOTFOUND: deleted, by those who may, since it
 * was listed: it is left out, and that is no problem (the source has noted it). */
int zs_source_open(struct zs_source_handle *h, struct zs_source_reader **out, struct zs_err *err) ZS_MUST_USE;
/* Up to n bytes: *out_n == 0 and *out_hole == 0 at the end.  *out_hole > 0: that many zero bytes that are a hole come
 * next (then *out_n is 0). */
int zs_source_read(struct zs_source_reader *r, void *p, size_t n, size_t *out_n, uint64_t *out_hole, struct zs_err *err) ZS_MUST_USE;
/*
 * Content that comes in groups (rows, directory entries): each group is a chunk of its own, found again in the next backup
 * by its tag.  read then gives nothing at the end of each group (and before the first); this says whether another one
 * follows: 1 with its tag (a hash of what identifies the group's first record; equal tags cost compression only), 0 at
 * the end, -1.  Content without groups: always 0.
 */
int zs_source_next_group(struct zs_source_reader *r, uint64_t *out_tag, struct zs_err *err) ZS_MUST_USE;
enum zs_source_changed {
	ZS_CONTENT_AS_LISTED,
	ZS_CONTENT_CHANGED, /* while it was read (size, mtime or ctime moved, or it grew): a problem */
	ZS_CONTENT_LATER,   /* whole, but a later version than the item says: none, and read again the next time */
};
/* Ends it.  *out_changed: enum zs_source_changed.  -1 ZS_SOURCE: the stream turned out to be incomplete (a command that
 * failed), or the content not what it should be. */
int zs_source_close(struct zs_source_reader **r, int *out_changed, struct zs_err *err) ZS_MUST_USE;
int zs_source_prepare(struct zs_source *s, enum zs_source_phase phase, struct zs_err *err) ZS_MUST_USE;
/* What the source knows of its coordinates (versions, positions, counts), appended as one JSON object; after the last item
 * was read.  Nothing is appended if it knows nothing. */
int zs_source_manifest(struct zs_source *s, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* An item could not be read, or not as it should be: counts in the report of its member and part.  Any thread. */
void zs_source_failed(struct zs_source *s, unsigned member, unsigned part, const struct zs_err *why);

enum zs_member_state { ZS_MEMBER_DONE, ZS_MEMBER_PARTIAL, ZS_MEMBER_FAILED };
struct zs_part_report { /* of an account */
	const char *name;	 /* borrowed until the source is freed */
	enum zs_member_state state;
	uint64_t items;		 /* that the source has of it, as the source counts */
	uint64_t problems;
	char why[240];		 /* the first of them */
};
/* Parts of a member (of the source itself, if it is no set: member is ignored); their number grows while the source is read. */
unsigned zs_source_parts(struct zs_source *s, unsigned member);
void zs_source_part(struct zs_source *s, unsigned member, unsigned number, struct zs_part_report *out); /* number < zs_source_parts; any thread */
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

/* ---------------------------------------------------------------------- servers */

/*
 * scheme:path[?key=value&...] for what is on this host (maildir, mbox), else
 * scheme://[user@]host[:port][/path][?key=value&...], or scheme://%2Fpath%2Fof%2Fsocket...; all parts percent-decoded.
 * A password in it is ZS_USAGE: it would stand in argv and in the snapshot.
 */
struct zs_url {
	char *scheme, *user, *host, *path; /* owned; "" if absent; a server's path without its first slash */
	unsigned port;			   /* 0: not given */
	struct zs_strings keys, values;	   /* of the query, in pairs */
	char *label;			   /* as it was written, without what is said by password-file and the like */
};
/* 1 if text begins with a scheme that names a server ("mariadb://", "ldap://", ...), 0: a path. */
int zs_url_is(const char *text);
int zs_url_parse(const char *text, struct zs_url *out, struct zs_err *err) ZS_MUST_USE; /* ZS_USAGE, ZS_NOMEM; *out as after fini */
void zs_url_fini(struct zs_url *u);
/* One more key of the query, as if it had stood there: in the label, too. */
int zs_url_add(struct zs_url *u, const char *key, const char *value, struct zs_err *err) ZS_MUST_USE;
void zs_url_drop(struct zs_url *u, const char *key); /* as if that key did not stand there, in the label, too */
const char *zs_url_get(const struct zs_url *u, const char *key, const char *otherwise); /* the last value; borrowed */
int zs_url_flag(const struct zs_url *u, const char *key, int otherwise, int *out, struct zs_err *err) ZS_MUST_USE; /* yes/no, 1/0, true/false, on/off */
/* ZS_USAGE if there is a key that is none of known (NULL-terminated) nor one that all servers have. */
int zs_url_check_keys(const struct zs_url *u, const char *const known[], struct zs_err *err) ZS_MUST_USE;

struct zs_server_settings {
	const struct zs_url *url;	/* borrowed until the source is freed */
	struct zs_span password;	/* borrowed likewise; p NULL: none was given */
	struct zs_span root;		/* directory in the snapshot that everything stands below, as "sql" */
};
/*
 * MariaDB (libmariadb): definitions, rows, programs, accounts, each a stream of its own; see store-format/sql.md for what
 * stands where.  ZS_USAGE if this program was built without.
 */
int zs_source_sql_new(const struct zs_server_settings *server, const struct zs_source_settings *s, struct zs_source **out, struct zs_err *err) ZS_MUST_USE;
/* LDAP (libldap): one stream a naming context; see store-format/ldif.md.  ZS_USAGE if built without. */
int zs_source_ldap_new(const struct zs_server_settings *server, const struct zs_source_settings *s, struct zs_source **out, struct zs_err *err) ZS_MUST_USE;

/* An IMAP server (libcurl for TLS and login): every folder, each message an entry.  ZS_USAGE if built without. */
int zs_source_imap_new(const struct zs_server_settings *server, const struct zs_source_settings *s, struct zs_source **out, struct zs_err *err) ZS_MUST_USE;
/* A Maildir (Maildir++ folders or nested ones) or an mbox file: files bit for bit, what the names and headers say of flags and
 * folders shown with the messages. */
int zs_source_maildir_new(const struct zs_server_settings *server, const struct zs_source_settings *s, struct zs_source **out, struct zs_err *err) ZS_MUST_USE;
int zs_source_mbox_new(const struct zs_server_settings *server, const struct zs_source_settings *s, struct zs_source **out, struct zs_err *err) ZS_MUST_USE;

/* A local Zimbra server: its mailboxes in one snapshot of its database, its blobs, the rows that they are made of; see
 * store-format/zimbra.md.  Its parts are accounts.  ZS_USAGE if built without. */
int zs_source_zimbra_new(const struct zs_server_settings *server, const struct zs_source_settings *s, struct zs_source **out, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------------ several as one */

struct zs_member_report {
	const char *name, *type; /* borrowed from what was given */
	enum zs_member_state state;
	uint64_t problems;	 /* items named */
	char why[480];		 /* FAILED: what ended it */
};
struct zs_member {
	const char *name;	   /* as the user knows it; borrowed until the set is freed */
	const char *type;	   /* "files", "mariadb", "ldap"; borrowed (static) */
	struct zs_source *source;  /* taken */
};
/*
 * Members side by side, merged by path; directories that several have are taken from the first.  A member that fails
 * (ZS_SOURCE) ends: it is named through settings->problem, and the others go on; only when none is left does the set itself
 * fail.  Make the set first, then each member with the settings that zs_source_set_settings gives for its number, so
 * that problems are counted for it; then add it.
 */
struct zs_source_set;
int zs_source_set_new(const struct zs_source_settings *settings, struct zs_source_set **out, struct zs_err *err) ZS_MUST_USE;
struct zs_source *zs_source_set_source(struct zs_source_set *set); /* the whole as one; zs_source_free frees the set */
/* Settings for the next member: borrowed until the set is freed.  NULL: no memory. */
const struct zs_source_settings *zs_source_set_settings(struct zs_source_set *set);
/* m->source is taken also on failure; NULL: the member could not even be made: `why` (counts as failed). */
int zs_source_set_add(struct zs_source_set *set, const struct zs_member *m, const struct zs_err *why, struct zs_err *err) ZS_MUST_USE;
unsigned zs_source_set_count(const struct zs_source_set *set);
void zs_source_set_report(struct zs_source_set *set, unsigned member, struct zs_member_report *out); /* any thread */

/* ---------------------------------------------------------------------- manifests */

/* Show a snapshot's manifest in lines: fn gets "sources.0.position.gtid" and the value as text.  ZS_CORRUPT: it is no JSON.
 * (Built without jansson: one line with the text as it is.) */
int zs_manifest_walk(struct zs_span json, int (*fn)(void *ctx, const char *key, struct zs_span value), void *ctx, struct zs_err *err) ZS_MUST_USE;
int zs_manifest_valid(struct zs_span json); /* may be put into other JSON as it is */

/* For a new source: fill this table, embed struct zs_source first. */
struct zs_source_ops {
	int (*next)(struct zs_source *, struct zs_source_item *, struct zs_err *);
	void (*free)(struct zs_source *);
	int (*fill)(struct zs_source_handle *, struct zs_entry *, struct zs_buf *, struct zs_err *); /* may be NULL */
	int (*same_content)(const struct zs_source_handle *, const struct zs_entry *); /* may be NULL: never */
	int (*open)(struct zs_source_handle *, struct zs_source_reader **, struct zs_err *);
	int (*read)(struct zs_source_reader *, void *, size_t, size_t *, uint64_t *, struct zs_err *);
	int (*next_group)(struct zs_source_reader *, uint64_t *, struct zs_err *); /* may be NULL: no groups */
	int (*close)(struct zs_source_reader *, int *, struct zs_err *); /* frees the reader */
	int (*prepare)(struct zs_source *, enum zs_source_phase, struct zs_err *); /* may be NULL; also for phases that mean nothing to it */
	int joins;								   /* has something to do in ZS_PHASE_JOIN */
	int (*manifest)(struct zs_source *, struct zs_buf *, struct zs_err *);	   /* may be NULL */
	void (*failed)(struct zs_source *, unsigned member, unsigned part, const struct zs_err *); /* may be NULL */
	void (*skip)(struct zs_source *);					   /* may be NULL if it gives no proofs */
	int (*same_key)(struct zs_source_handle *, uint64_t *);			   /* may be NULL: none has a key */
	int (*read_key)(struct zs_source_reader *, uint64_t *);			   /* likewise */
	unsigned (*parts)(struct zs_source *, unsigned member);			   /* may be NULL: no parts */
	void (*part)(struct zs_source *, unsigned member, unsigned number, struct zs_part_report *);
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
