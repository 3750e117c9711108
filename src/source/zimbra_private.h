/*
 * What the parts of the Zimbra source share.  Pure parts (no I/O): zimbra_metadata.c, zimbra_vcard.c, zimbra_calendar.c; files:
 * zimbra_config.c, zimbra_volume.c, zimbra_blob.c.
 */
#ifndef ZS_ZIMBRA_PRIVATE_H
#define ZS_ZIMBRA_PRIVATE_H

#include "source_private.h"
#include "sql_source_private.h"

#include <pthread.h>

/* ---------------------------------------------------------------------- metadata */

/*
 * The column `metadata`: a dictionary in the text flavour of bencode (lengths in UTF-16 units), or the older key=len:value; form;
 * either as one RFC 2047 B-word if it has characters beyond U+FFFF.  Values are spans of text borrowed from the decoded text,
 * which the object owns.  At most 16 MiB, 1 M values, 32 levels.
 */
enum zimbra_meta_type { ZIMBRA_META_TEXT, ZIMBRA_META_NUMBER, ZIMBRA_META_LIST, ZIMBRA_META_DICT };
struct zimbra_meta;	  /* the whole, owned */
struct zimbra_meta_value; /* a value in it, borrowed */
/* ZS_SOURCE: it is neither form (says at which byte); ZS_NOMEM, ZS_LIMIT. */
int zimbra_metadata_parse(struct zs_span column, struct zimbra_meta **out, struct zs_err *err) ZS_MUST_USE;
void zimbra_metadata_free(struct zimbra_meta *m);
const struct zimbra_meta_value *zimbra_metadata_top(const struct zimbra_meta *m); /* a dictionary */
enum zimbra_meta_type zimbra_metadata_type(const struct zimbra_meta_value *v);
struct zs_span zimbra_metadata_text(const struct zimbra_meta_value *v); /* TEXT: the text; NUMBER: its digits; else empty */
const struct zimbra_meta_value *zimbra_metadata_get(const struct zimbra_meta_value *dict, const char *key); /* NULL: not there */
/* Walk a list or dictionary in its order (*at starts 0): 1, or 0 at the end.  out_key is empty for lists. */
int zimbra_metadata_next(const struct zimbra_meta_value *v, size_t *at, struct zs_span *out_key, const struct zimbra_meta_value **out);

/* A contact as vCard 4.0 (UTF-8, CRLF, folded), from the metadata's fields; appended. uid: the item's uuid or "".  Fields that vCard has no place for
 * become X-ZIMBRA-<NAME>.  Distribution lists (type=group) become KIND:group. */
int zimbra_vcard_write(const struct zimbra_meta_value *top, struct zs_span uid, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;

/* The text/calendar parts of a calendar item's blob (a multipart/digest of messages, any nesting up to 32), decoded to UTF-8 and put one
 * behind the other (a valid iCalendar stream); appended.  1, 0 if there are none. Never fails on broken mail: takes what is there. */
int zimbra_calendar_extract(struct zs_span blob, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------------ localconfig.xml */

/* Keys with ${other} resolved (at most 16 deep) and the defaults of zimbra.md 5.3 for what is not there.  At most 4 MiB, 10,000 keys; a DOCTYPE or
 * entity declarations are refused.  Values are wiped when freed. */
struct zimbra_config;
int zimbra_config_read(const char *path, struct zimbra_config **out, struct zs_err *err) ZS_MUST_USE; /* ZS_SOURCE: names the file, the line */
int zimbra_config_parse(struct zs_span xml, struct zimbra_config **out, struct zs_err *err) ZS_MUST_USE; /* what read does, for tests */
const char *zimbra_config_get(const struct zimbra_config *c, const char *key); /* "" if unknown; borrowed */
void zimbra_config_free(struct zimbra_config *c);

/* ------------------------------------------------------------------ volumes and blobs */

struct zimbra_volume {
	unsigned id, type;	/* type: 1 primary, 2 secondary, 10 index */
	unsigned file_bits, file_group_bits, mailbox_bits, mailbox_group_bits;
	int is_local;		/* store_type 1 (or a schema without it) and path given */
	char *name, *path;	/* owned; path absolute, `server` directory included where configured */
};
struct zimbra_volumes { struct zimbra_volume *v; size_t n; };
void zimbra_volumes_fini(struct zimbra_volumes *v);
const struct zimbra_volume *zimbra_volumes_find(const struct zimbra_volumes *v, unsigned id); /* NULL */

struct zimbra_blob_name { /* which blob: what a row says */
	uint32_t mailbox_id, item_id, mod_content;
	uint64_t size;		/* of the content, not of the file */
	struct zs_span locator; /* "<volume id>", or something external */
	struct zs_span digest;	/* column blob_digest: SHA-256 (44 characters) or SHA-1 (28) in base64 with ',' for '/' */
};
/* The file's path by the rule of zimbra.md 2.1 (appended, with a NUL that is not counted).  ZS_SOURCE: the locator names no local volume, and says so;
 * fallback 1: the old form <item id>.msg. */
int zimbra_volume_path(const struct zimbra_volumes *v, const struct zimbra_blob_name *b, int fallback, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;

/*
 * Read a blob: the content as its row describes it.  File length == size: plain; else if it begins 1f 8b: gzip, inflated once; else damaged, and given as it
 * is.  Hashes what it gives and compares with size and digest at the end.
 */
struct zimbra_blob;
/* 1; 0: there is no such file (nor the old form of its name); -1 ZS_SOURCE: cannot be opened, no regular file (names the path). */
int zimbra_blob_open(const struct zimbra_volumes *v, const struct zimbra_blob_name *b, struct zimbra_blob **out, struct zs_err *err) ZS_MUST_USE;
/* *out_n == 0 at the end, then everything was verified; -1 ZS_SOURCE: cut short, broken gzip, size or digest differ (names path, what was expected, what
 * was found).  digest empty: not compared. */
int zimbra_blob_read(struct zimbra_blob *b, void *p, size_t n, size_t *out_n, struct zs_err *err) ZS_MUST_USE;
const struct stat *zimbra_blob_stat(const struct zimbra_blob *b); /* of the open file, when it was opened */
void zimbra_blob_free(struct zimbra_blob *b);

/* -------------------------------------------------------------- zimbra_options.c */

struct zimbra_options {
	const char *label;	/* of the URL; borrowed */
	const char *config_path; /* borrowed, or the usual place */
	const char *ca_file;	/* for TLS; NULL: Zimbra's own */
	struct zs_strings accounts, excludes, domains, classes; /* patterns as the shell's; classes of service by name or id */
};
int zimbra_options_parse(const struct zs_server_settings *server, struct zimbra_options *out, struct zs_err *err) ZS_MUST_USE;
void zimbra_options_fini(struct zimbra_options *o);
int zimbra_options_match(const struct zs_strings *patterns, const char *text); /* 1 if one of them matches, letters in any case */

/* ------------------------------------------------------------ zimbra_directory.c */

struct zimbra_account {
	char *id, *name, *host, *cos; /* owned: zimbraId in lower case, address, zimbraMailHost, zimbraCOSId; "" if unknown */
	int was_used;		      /* somebody logged in once */
};
struct zimbra_class { char *id, *name; };		     /* of service */
struct zimbra_domain { char *name, *cos; };		     /* cos: zimbraDomainDefaultCOSId or "" */
struct zimbra_directory {
	struct zimbra_account *accounts; /* by id, ascending */
	size_t accounts_n, accounts_cap;
	struct zimbra_class *classes;
	size_t classes_n, classes_cap;
	struct zimbra_domain *domains;
	size_t domains_n, domains_cap;
	char *server_id;	      /* zimbraId of this server, if its blobs are in a directory of that name; else NULL */
};
struct zimbra_login { const char *uri, *bind_dn, *password, *ca_file, *hostname; int starttls, is_tls; }; /* is_tls: sooner or later */
/* Read it all.  -1 ZS_SOURCE: names the directory and the operation. */
int zimbra_directory_read(const struct zimbra_login *login, const struct zs_source_settings *s, struct zimbra_directory *out, struct zs_err *err) ZS_MUST_USE;
/* What `later` knows better or in addition; accounts that are only in d stay.  later is empty then. */
int zimbra_directory_merge(struct zimbra_directory *d, struct zimbra_directory *later, struct zs_err *err) ZS_MUST_USE;
const struct zimbra_account *zimbra_directory_find(const struct zimbra_directory *d, const char *id); /* NULL */
/* The class of service that holds for an account: its own, its domain's, "default". */
const char *zimbra_directory_class(const struct zimbra_directory *d, const struct zimbra_account *a);
void zimbra_directory_fini(struct zimbra_directory *d);

/* --------------------------------------------------------------- zimbra_schema.c */

struct zimbra_source;

struct zimbra_table { /* of a group's database, or of "zimbra" */
	char *name;
	struct zs_strings columns;
	int is_of_mailbox;	/* has a column mailbox_id */
};
struct zimbra_schema { struct zimbra_table *v; size_t n, cap, odd; }; /* in the order of their files; odd: columns of tables that are not Zimbra's */
int zimbra_schema_load(struct sql_conn *c, const char *database, struct zimbra_schema *out, struct zs_err *err) ZS_MUST_USE;
/* The tables of every group's database: the usual ones, and those of databases that have others. */
int zimbra_schema_groups(struct zimbra_source *s, struct zs_err *err) ZS_MUST_USE;
const struct zimbra_schema *zimbra_schema_of(const struct zimbra_source *s, uint32_t group);
const struct zimbra_table *zimbra_schema_find(const struct zimbra_schema *s, const char *name); /* NULL */
int zimbra_schema_has(const struct zimbra_table *t, const char *column);
uint64_t zimbra_schema_sum(const struct zimbra_schema *s); /* of the names of all tables and columns */
void zimbra_schema_fini(struct zimbra_schema *s);

/* -------------------------------------------------------------- zimbra_mailbox.c */

enum zimbra_state { ZIMBRA_SELECTED, ZIMBRA_NO_MAILBOX };
struct zimbra_mailbox { /* an account on this server, with its mailbox */
	char *component;	/* of the path: the account's address, or its id if the directory does not know it; owned */
	char *name;		/* as people know it; owned */
	char *account_id;	/* owned */
	uint32_t id, group;	/* id 0: the account has no mailbox (yet) */
	uint64_t probe;		/* of all its rows but zimbra.mailbox; 0: not known */
	uint64_t items, highest; /* rows in mail_item, highest change number */
	uint64_t tables;	/* with the probe: bit n: there are rows in table n of the group's schema (the first 64 of them) */
	uint64_t problems;	/* under the source's lock */
	uint64_t deleted, rewritten; /* likewise: after the snapshot, before they were read */
	int has_failed;		/* likewise */
	int is_unchanged;	/* taken from the previous snapshot */
	char why[240];		/* likewise: the first problem */
};
struct zimbra_source;
/* Which mailboxes are wanted, by path component; each with its probe. */
int zimbra_mailbox_list(struct zimbra_source *s, struct zs_err *err) ZS_MUST_USE;
void zimbra_mailbox_note(struct zimbra_source *s); /* how many accounts are chosen, by the directory */
int zimbra_mailbox_probe(struct zimbra_source *s, struct zs_err *err) ZS_MUST_USE;
void zimbra_mailbox_fini(struct zimbra_mailbox *m);

/* ----------------------------------------------------------------- zimbra_names.c */

/* A folder's name, an address: percent-encoded where it must be, cut (with the id) where it is too long; appended. */
int zimbra_names_component(struct zs_span name, uint32_t id, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* What is readable of a subject, at most 60 bytes: appended. */
int zimbra_names_slug(struct zs_span text, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* The names of flags (joined by NUL), of the mask and the column unread (-1: none). */
int zimbra_names_flags(uint32_t flags, int unread, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* Tags: "\0a\0b\0" as the column has them, without the NULs at both ends. */
struct zs_span zimbra_names_tags(struct zs_span column);

/* --------------------------------------------------------------- zimbra_folders.c */

#define ZIMBRA_ROOT 11
#define ZIMBRA_USER_ROOT 1
#define ZIMBRA_DEPTH_MAX 64
struct zimbra_folder {
	uint32_t id, parent;
	uint32_t first_child, children; /* in children, sorted by component */
	uint32_t component_at, path_at; /* in text, NUL-terminated: component; path as Zimbra has it, "/Inbox/Work" */
	uint32_t first_item, items;	/* in the walk's list of items */
	int is_shown;			/* below the users' root */
};
struct zimbra_folders { /* of one mailbox */
	struct zimbra_folder *v;	/* by id */
	size_t n, cap;
	uint32_t *children;		/* numbers of folders */
	struct zs_buf text;
};
int zimbra_folders_add(struct zimbra_folders *f, uint32_t id, uint32_t parent, struct zs_span name, struct zs_err *err) ZS_MUST_USE;
/* After the last one: makes paths and children.  Folders whose parent is missing, or that are their own ancestors, stand below the
 * users' root; *out_odd counts them. */
int zimbra_folders_finish(struct zimbra_folders *f, size_t *out_odd, struct zs_err *err) ZS_MUST_USE;
struct zimbra_folder *zimbra_folders_find(const struct zimbra_folders *f, uint32_t id); /* NULL */
const char *zimbra_folders_text(const struct zimbra_folders *f, uint32_t at);
void zimbra_folders_fini(struct zimbra_folders *f);

/* ----------------------------------------------------------------- zimbra_items.c */

enum zimbra_type { ZIMBRA_FOLDER = 1, ZIMBRA_SEARCH = 2, ZIMBRA_CONVERSATION = 4, ZIMBRA_MESSAGE = 5, ZIMBRA_CONTACT = 6, ZIMBRA_DOCUMENT = 8,
	ZIMBRA_APPOINTMENT = 11, ZIMBRA_MOUNTPOINT = 13, ZIMBRA_WIKI = 14, ZIMBRA_TASK = 15, ZIMBRA_CHAT = 16 };
enum zimbra_from { ZIMBRA_FROM_ITEMS, ZIMBRA_FROM_DUMPSTER, ZIMBRA_FROM_REVISIONS, ZIMBRA_FROM_DUMPSTER_REVISIONS, ZIMBRA_FROMS };
#define ZIMBRA_HIDDEN UINT32_MAX /* instead of a folder's number: it is not below the users' root */
struct zimbra_key { uint32_t folder, id, version, bytes; }; /* folder: number in zimbra_folders, or 0; bytes: of metadata that is fetched */
struct zimbra_keys { struct zimbra_key *v; size_t n, cap; };
struct zimbra_row { /* spans borrowed from the batch */
	uint32_t mailbox_id, id, version, mod_content, mod_metadata, flags;
	unsigned type;
	int unread;		/* -1: NULL */
	uint64_t size;
	int64_t date_s;
	struct zs_span locator, digest, tags, name, subject, metadata, uuid; /* p NULL: NULL */
};
struct zimbra_batch { /* rows in the order of their keys */
	struct zimbra_row *rows;
	size_t n, cap, next;
	struct zs_buf text;
};
/* Which items of a mailbox become entries (ids only). */
int zimbra_items_list(struct zimbra_source *s, struct zimbra_mailbox *m, enum zimbra_from from, struct zimbra_folders *f, struct zimbra_keys *out,
    struct zs_err *err) ZS_MUST_USE;
#define ZIMBRA_BATCH 500
#define ZIMBRA_BATCH_BYTES (4u << 20) /* of metadata, unless one row alone has more */
int zimbra_items_fetch(struct zimbra_source *s, const struct zimbra_mailbox *m, enum zimbra_from from, const struct zimbra_key *keys, size_t n,
    struct zimbra_batch *out, struct zs_err *err) ZS_MUST_USE;
/* A row that is from there, as it is now, outside of the snapshot: 1, also if it is in the dumpster now; 0 it is gone, -1.  Under the source's lock. */
int zimbra_items_again(struct zimbra_source *s, uint32_t group, const struct zimbra_row *row, enum zimbra_from from, struct zimbra_batch *out,
    struct zs_err *err) ZS_MUST_USE;
void zimbra_batch_fini(struct zimbra_batch *b);

/* ---------------------------------------------------------------- zimbra_handle.c */

enum zimbra_what { ZIMBRA_BLOB, ZIMBRA_VCARD, ZIMBRA_CALENDAR };
struct zimbra_where { /* what a handle must know of where its row is from */
	struct zimbra_source *source;
	struct zimbra_mailbox *mailbox;
	enum zimbra_from from;
	struct zs_span folder_path;
};
int zimbra_handle_new(const struct zimbra_where *w, const struct zimbra_row *row, enum zimbra_what what, struct zs_source_handle **out, struct zs_err *err) ZS_MUST_USE;
/* What the source vouches for: half of it the content, half of it the rest. */
uint64_t zimbra_handle_identity(const struct zimbra_row *row, enum zimbra_what what, struct zs_span folder_path);

/* ------------------------------------------------------------------ zimbra_rows.c */

struct zimbra_rows { /* the serial item at hand: rows of a table, or a text */
	uint64_t generation;
	int is_rows, is_open;
	struct sql_columns one; /* what the rows are asked with; borrows all but select */
	struct sql_rows rows;
	struct zs_buf text;
	struct { struct sql_columns *columns; char *name; } *known; /* "database.table" */
	size_t known_n, known_cap;
	uint64_t counted;	/* rows, of the whole backup */
};
/* The rows of one table (of one mailbox, unless mailbox_id is 0) become the item at hand: 1, 0 there are none, -1. */
int zimbra_rows_begin(struct zimbra_source *s, const char *database, const struct zimbra_table *t, uint32_t mailbox_id, struct zs_err *err) ZS_MUST_USE;
void zimbra_rows_end(struct zimbra_source *s); /* of the item at hand */
/* A handle for the item at hand; for a text, put it into s->rows.text before. */
int zimbra_rows_handle(struct zimbra_source *s, struct zs_source_handle **out, struct zs_err *err) ZS_MUST_USE;
void zimbra_rows_fini(struct zimbra_source *s);

/* ----------------------------------------------------------------- zimbra_level.c */

struct zimbra_level { /* a directory of an account being walked */
	enum { ZIMBRA_LEVEL_FOLDER, ZIMBRA_LEVEL_FLAT, ZIMBRA_LEVEL_ROWS } kind;
	uint32_t folder;	/* number; only of what is a folder */
	enum zimbra_from from;
	size_t path_n;		/* of the directory's own path */
	size_t next_child, next_special, next_item, end_item, next_table;
	struct zimbra_batch batch;
	struct zs_buf name;	/* of the item to come; n 0: not made yet */
	enum zimbra_what what;
};
/* The name of the item to come, in l->name: 1, 0 there is none, -1. */
int zimbra_level_item(struct zimbra_source *s, struct zimbra_level *l, struct zs_err *err) ZS_MUST_USE;
const struct zimbra_row *zimbra_level_row(const struct zimbra_level *l); /* that it is made of */
void zimbra_level_taken(struct zimbra_level *l); /* go on to the next one */
void zimbra_level_fini(struct zimbra_level *l);

/* ------------------------------------------------------------------ zimbra_walk.c */

enum zimbra_step { ZIMBRA_STEP_ACCOUNTS, ZIMBRA_STEP_SERVER, ZIMBRA_STEP_STATES, ZIMBRA_STEP_END };
struct zimbra_walk {
	enum zimbra_step step;
	int has_entered;	/* the step's own directory was given */
	size_t next;		/* mailbox, table, state */
	int is_inside;		/* the mailbox's directory was given */
	struct zimbra_folders folders;
	struct zimbra_keys keys[ZIMBRA_FROMS];
	struct zimbra_level levels[ZIMBRA_DEPTH_MAX + 4];
	unsigned depth;
	struct zs_buf path, proof;
};
int zimbra_walk_next(struct zimbra_source *s, struct zs_source_item *out, struct zs_err *err) ZS_MUST_USE;
void zimbra_walk_skip(struct zimbra_source *s);
void zimbra_walk_fini(struct zimbra_source *s);

/* -------------------------------------------------------------- zimbra_manifest.c */

int zimbra_manifest_server(struct zimbra_source *s, struct zs_err *err) ZS_MUST_USE; /* version and the like, when connected */
void zimbra_manifest_position(struct zimbra_source *s); /* of the snapshot, where the server can say */
int zimbra_manifest_state(struct zimbra_source *s, const struct zimbra_mailbox *m, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
int zimbra_manifest_detail(struct zimbra_source *s, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------- zimbra_connect.c */

int zimbra_connect_all(struct zimbra_source *s, struct zs_err *err) ZS_MUST_USE; /* configuration, database, directory: what a backup needs is there */
int zimbra_connect_directory(struct zimbra_source *s, struct zimbra_directory *out, struct zs_err *err) ZS_MUST_USE;

/* ----------------------------------------------------------------------- zimbra.c */

struct zimbra_source {
	struct zs_source base;
	const struct zs_source_settings *settings;
	struct zimbra_options options;
	struct zimbra_config *config;
	struct zs_buf root;	/* in the snapshot */
	struct zimbra_directory directory;
	struct sql_conn conn;	/* in the snapshot */
	struct sql_conn fresh;	/* outside of it: opened when it is needed; under lock */
	pthread_mutex_t lock;	/* guards fresh, and the mailboxes' problems */
	struct zimbra_volumes volumes;
	struct zimbra_schema server_tables, group_tables; /* group_tables: as most groups have them */
	struct { uint32_t group; struct zimbra_schema tables; } *odd_groups;
	size_t odd_groups_n;
	struct zimbra_mailbox *mailboxes;
	size_t mailboxes_n, mailboxes_cap;
	struct zimbra_walk walk;
	struct zimbra_rows rows;
	int64_t time_ns;	/* of the snapshot */
	int is_connected, is_frozen, is_listed;
	char db_version[32], position[256], version[64];
	struct zs_strings warnings;
};
void zimbra_note(struct zimbra_source *s, enum zs_note_level level, const char *fmt, ...) ZS_PRINTF(3, 4);
int zimbra_stop(const struct zimbra_source *s, struct zs_err *err);
/* Count it for its mailbox, and name it if path is not empty. */
void zimbra_problem(struct zimbra_source *s, struct zimbra_mailbox *m, struct zs_span path, const struct zs_err *why);
int zimbra_connect_sql(const struct zimbra_source *s, struct sql_conn *out, struct zs_err *err) ZS_MUST_USE;
/* The volumes as the database has them. */
int zimbra_connect_volumes(struct zimbra_source *s, struct zs_err *err) ZS_MUST_USE;

#endif
