/*
 * What the files of the MariaDB source share beyond sql_private.h: options, rights, the catalog, the snapshot, the table at
 * hand, rows and how their values are written.
 */
#ifndef ZSTORE_SQL_SOURCE_PRIVATE_H
#define ZSTORE_SQL_SOURCE_PRIVATE_H

#include "sql_private.h"

/* --------------------------------------------------------------- sql_options.c */

enum sql_consistency { SQL_AUTO, SQL_STAGE, SQL_BLOCK_DDL, SQL_FTWRL, SQL_PLAIN };
enum sql_class { /* what skip= leaves out */
	SQL_SKIP_PROGRAMS = 1, SQL_SKIP_TRIGGERS = 2, SQL_SKIP_EVENTS = 4, SQL_SKIP_VIEWS = 8, SQL_SKIP_ACCOUNTS = 16, SQL_SKIP_LOCKS = 32,
};
struct sql_options {
	struct sql_login login; /* borrows from the URL */
	enum sql_consistency consistency;
	unsigned skip;		/* of enum sql_class */
	struct zs_strings databases, excludes;
	int is_hex;		/* binary values as 0x.. */
	unsigned lock_timeout_s, snapshots; /* snapshots 0: as many as are useful */
};
int sql_options_parse(const struct zs_server_settings *server, struct sql_options *out, struct zs_err *err) ZS_MUST_USE;
void sql_options_fini(struct sql_options *o);
int sql_options_wants_database(const struct sql_options *o, struct zs_span database); /* 1 or 0 */
int sql_options_wants_table(const struct sql_options *o, struct zs_span database, struct zs_span table);
const char *sql_options_consistency_name(enum sql_consistency c);

/* ------------------------------------------------------------ sql_privileges.c */

enum sql_right {
	SQL_SELECT = 1, SQL_SHOW_VIEW = 2, SQL_TRIGGER = 4, SQL_EVENT = 8, SQL_SHOW_ROUTINE = 16, SQL_LOCK_TABLES = 32,
	SQL_RELOAD = 64, SQL_SHOW_DATABASES = 128, SQL_BINLOG_MONITOR = 256, SQL_ALL_RIGHTS = 511,
};
struct sql_right_on { char *database, *table; unsigned rights; }; /* database: a pattern as GRANT has it; table NULL: all */
struct sql_rights {
	unsigned everywhere;
	struct sql_right_on *v;
	size_t n, cap;
};
/* One line of SHOW GRANTS, as the server wrote it; what is no grant of rights is passed over. */
int sql_privileges_add(struct sql_rights *r, struct zs_span line, struct zs_err *err) ZS_MUST_USE;
int sql_privileges_read(struct sql_conn *c, struct sql_rights *out, struct zs_err *err) ZS_MUST_USE;
void sql_privileges_fini(struct sql_rights *r);
unsigned sql_privileges_on(const struct sql_rights *r, const char *database, const char *table); /* table NULL: on all of it */

/* --------------------------------------------------------------- sql_catalog.c */

enum sql_table_flags {
	SQL_TABLE_IS_VIEW = 1, SQL_TABLE_IS_SEQUENCE = 2,
	SQL_TABLE_NO_ROWS = 4,	   /* rows are elsewhere (MERGE, FEDERATED ...): definition only */
	SQL_TABLE_UNSAFE = 8,	   /* of an engine without transactions: not part of a snapshot */
	SQL_TABLE_IS_VERSIONED = 16,
	SQL_TABLE_IS_LOCKED = 32,  /* UNSAFE, and nobody can write it until it was read */
};
struct sql_table_name {
	uint32_t name_at, component_at; /* in the catalog's text: the name; as part of a path.  NUL-terminated */
	uint32_t flags;
	uint64_t bytes;		 /* of its data, estimated; 0 if that was not asked for */
};
struct sql_database {
	uint32_t name_at, component_at;
	size_t first, n;	 /* its tables */
};
struct sql_catalog { /* databases and tables, both in path order */
	struct zs_buf text;
	struct sql_database *databases;
	size_t databases_n, databases_cap;
	struct sql_table_name *tables;
	size_t tables_n, tables_cap;
	size_t odd_names; /* left out: directories that are no databases, leftovers that are no tables */
};
enum sql_catalog_detail { SQL_CATALOG_NAMES, SQL_CATALOG_SIZES };
/* *out is empty before; the databases and tables that options want.  -1 ZS_SOURCE: also a database that was named and is
 * not there. */
int sql_catalog_load(struct sql_conn *c, const struct sql_options *o, enum sql_catalog_detail detail, struct sql_catalog *out,
    struct zs_err *err) ZS_MUST_USE;
void sql_catalog_fini(struct sql_catalog *c);
const char *sql_catalog_text(const struct sql_catalog *c, uint32_t at); /* borrowed until the catalog changes */
/* A name as one component of a path: appended to *out. */
int sql_catalog_component(struct zs_span name, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
unsigned sql_catalog_engine_flags(struct zs_span engine, struct zs_span type);

/* ---------------------------------------------------------------- sql_escape.c */

#define SQL_ESCAPE_SLACK 32 /* bytes beyond the end of the result that may be overwritten */
/* The result's bytes; out has room for 2 * n + SQL_ESCAPE_SLACK. */
size_t sql_escape_bytes(uint8_t *out, const uint8_t *p, size_t n);
size_t sql_escape_hex(uint8_t *out, const uint8_t *p, size_t n);
int sql_escape_is_ascii(const uint8_t *p, size_t n); /* 1 or 0 */
int sql_escape_is_utf8(const uint8_t *p, size_t n);
int sql_escape_copy_digits(uint8_t *out, const uint8_t *p, size_t n); /* 1 if it was 1 to 16 digits; else out's first n bytes are void */

/* ---------------------------------------------------------------- sql_format.c */

enum sql_form {
	SQL_FORM_NUMBER, /* as it is; quoted if it does not look like one */
	SQL_FORM_TEXT,	 /* 'text', for utf8mb4, utf8mb3, ascii and everything that is ASCII (dates, uuid) */
	SQL_FORM_NARROW, /* 'text' if it is ASCII, _charset 0x.. otherwise */
	SQL_FORM_WIDE,	 /* _charset 0x.. always */
	SQL_FORM_BYTES,	 /* _binary'..' */
	SQL_FORM_HEX,	 /* 0x.. */
	SQL_FORM_MEMBER, /* as TEXT, but '' is the number 0: an ENUM that has no empty member */
};
#define SQL_INTRODUCER_MAX 40
struct sql_column {
	char *name;		/* owned */
	enum sql_form form;
	char introducer[SQL_INTRODUCER_MAX]; /* "_sjis 0x", for NARROW and WIDE */
};
struct sql_literal { /* how one value is written */
	const char *open;
	unsigned open_n;
	enum { SQL_BODY_COPY, SQL_BODY_ESCAPE, SQL_BODY_HEX } body;
	int is_quoted; /* ' at the end */
	int is_odd;    /* bytes that are no text of the column's own encoding */
};
struct sql_value { const uint8_t *p; size_t n; }; /* p NULL: NULL */
struct sql_literal sql_format_literal(const struct sql_column *c, struct sql_value v);
#define SQL_FORMAT_OVERHEAD (SQL_INTRODUCER_MAX + 8) /* of one value, beyond twice its bytes */
/* The whole value, into room for 2 * v.n + SQL_FORMAT_OVERHEAD + SQL_ESCAPE_SLACK; the result's end.  *odd counts. */
uint8_t *sql_format_value(const struct sql_column *c, struct sql_value v, uint8_t *out, uint64_t *odd);

struct sql_piecewise { /* a row in pieces */
	unsigned column;
	int stage; /* 0 before the opening, 1 in the body, 2 after it */
	size_t at; /* in the value */
	struct sql_literal literal;
};
#define SQL_PIECE_BYTES (32u << 10)
#define SQL_PIECE_ROOM (2 * SQL_PIECE_BYTES + SQL_FORMAT_OVERHEAD + SQL_ESCAPE_SLACK)
/* The next piece of "(value,value)" into SQL_PIECE_ROOM bytes: how many; 0: it is complete. */
size_t sql_format_piece(struct sql_piecewise *s, const struct sql_column *columns, unsigned n, const char *const *row,
    const unsigned long *lengths, uint8_t *out, uint64_t *odd);

/* --------------------------------------------------------------- sql_columns.c */

struct sql_columns { /* of one table: what to ask for, and how to write it */
	struct sql_column *v;
	unsigned n;
	unsigned *key;	/* numbers of the columns that make the order; key_n 0: there is none, or it is not read */
	unsigned key_n;
	int has_blobs;
	int lacks_history; /* kept by numbers of transactions: it cannot be written again; only current rows are asked for */
	uint64_t signature; /* of names and types: to see whether they changed */
	struct zs_buf select; /* the question */
	size_t where_at;      /* where in it a condition would stand */
	struct zs_buf insert; /* "INSERT INTO `t` (`a`) VALUES\n" */
	struct zs_buf first;  /* the same for the first row, with what must be said before */
};
struct sql_columns_want {
	struct zs_span database, table;
	int is_versioned, is_hex;
	int is_clustered; /* rows lie in the order of their key: reading them so costs nothing */
	int is_qualified; /* name the database in what is asked and in what is written */
};
/* *out is empty before; fini also after a failure. */
int sql_columns_load(struct sql_conn *c, const struct sql_columns_want *w, struct sql_columns *out, struct zs_err *err) ZS_MUST_USE;
int sql_columns_signature(struct sql_conn *c, const struct sql_columns_want *w, uint64_t *out, struct zs_err *err) ZS_MUST_USE;
void sql_columns_fini(struct sql_columns *c);

/* ------------------------------------------------------------------ sql_type.c */

enum sql_ask { SQL_ASK_PLAIN, SQL_ASK_DOUBLE, SQL_ASK_NUMBER }; /* `a`; `a`+0e0, with the sign of a zero; CAST(`a` AS UNSIGNED) */
struct sql_type { struct zs_span data_type, column_type, charset; }; /* as information_schema.COLUMNS has them */
/* How a column of this type is asked for and written: out->form, out->introducer. */
enum sql_ask sql_type_choose(const struct sql_type *t, int is_hex, struct sql_column *out);
int sql_type_is_blob(const struct sql_type *t); /* of large binary values */

/* ------------------------------------------------------------------ sql_rows.c */

struct sql_rows {
	struct sql_conn *conn;
	const struct sql_columns *columns;
	MYSQL_RES *res;	 /* NULL: nothing is open */
	MYSQL_ROW row;	 /* NULL: that was the last one */
	unsigned long *lengths;
	uint64_t row_bytes, key_hash; /* of row */
	uint64_t target, group_bytes;
	enum { SQL_ROWS_BETWEEN, SQL_ROWS_ROW, SQL_ROWS_PIECES, SQL_ROWS_AFTER } state;
	int is_ending;	/* the group ends when pending is written */
	struct zs_span pending; /* to be written first */
	uint8_t *pieces;	/* SQL_PIECE_ROOM bytes, when they are needed */
	struct sql_piecewise piecewise;
	uint8_t mark[4];
	struct zs_hasher *sum;
	uint64_t rows, bytes, groups, statement, longest, odd; /* odd: values that are no text in their own encoding */
};
/* Ask for the rows and read the first: 1, 0 there is none (nothing is open then), -1. */
int sql_rows_begin(struct sql_rows *r, struct sql_conn *conn, const struct sql_columns *columns, struct zs_err *err) ZS_MUST_USE;
int sql_rows_next_group(struct sql_rows *r, uint64_t *out_tag, struct zs_err *err) ZS_MUST_USE; /* as zs_source_next_group */
int sql_rows_read(struct sql_rows *r, uint8_t *p, size_t n, size_t *out_n, struct zs_err *err) ZS_MUST_USE;
void sql_rows_end(struct sql_rows *r); /* rows still to come are read and dropped */

/* ------------------------------------------------------------------------ sql.c */

struct sql_position { char *file, *gtid, *replica; uint64_t pos; }; /* NULL: there is none */

struct sql_source; /* below */

/* -------------------------------------------------------------- sql_snapshot.c */

struct sql_snapshot {
	enum sql_consistency used;
	struct sql_conn *readers; /* all see the same; they are used one after the other */
	unsigned readers_n, reader;
	struct sql_conn locker;	/* holds LOCK TABLES READ, and reads those tables */
	size_t locked_left;	/* tables that locker has yet to read */
	struct sql_conn again;	/* a later snapshot, for tables that changed after the first */
	struct sql_position position, again_position;
	int64_t time_ns;
	int is_taken, holds_stage, has_binlog;
};
/* What was held for it stays held until sql_snapshot_thaw. */
int sql_snapshot_take(struct sql_source *s, struct zs_err *err) ZS_MUST_USE;
void sql_snapshot_thaw(struct sql_source *s);
int sql_snapshot_again(struct sql_source *s, struct zs_err *err) ZS_MUST_USE; /* a fresh one in ->again */
/* The connection for the next table, of all that there are the number-th. */
struct sql_conn *sql_snapshot_reader(struct sql_source *s, size_t number, unsigned flags);
void sql_snapshot_was_read(struct sql_source *s, unsigned flags); /* a table that sql_snapshot_reader was asked for */
void sql_snapshot_release(struct sql_source *s); /* everything was read: let go what is held */
void sql_snapshot_fini(struct sql_source *s);

/* ----------------------------------------------------------------- sql_table.c */

struct sql_table { /* the table at hand */
	const char *database, *name, *component; /* of the catalog */
	uint32_t flags;
	struct sql_conn *conn;
	struct zs_buf definition;
	struct sql_columns columns;
	struct sql_rows rows;
	int has_rows, has_savepoint, is_retried, is_complete;
};
/* Lock it, read its definition, ask for its rows.  1; 0: it cannot be backed up (*err says why); -1: nothing can. */
int sql_table_begin(struct sql_source *s, size_t number, const struct sql_database *db, struct zs_err *err) ZS_MUST_USE;
int sql_table_verify(struct sql_source *s, struct zs_err *err) ZS_MUST_USE; /* after its last row: is it what it was? */
void sql_table_end(struct sql_source *s);

/* ------------------------------------------------------------------ sql_walk.c */

enum sql_step {
	SQL_STEP_ACCOUNTS_ROLES, SQL_STEP_ACCOUNTS_TABLES, SQL_STEP_ACCOUNTS,
	SQL_STEP_DATABASE, SQL_STEP_EVENTS, SQL_STEP_ROUTINES, SQL_STEP_SEQUENCES, SQL_STEP_TABLES,
	SQL_STEP_VIEW_CHECKS, SQL_STEP_VIEW_PLACEHOLDERS, SQL_STEP_VIEWS,
	SQL_STEP_SUMMARY, SQL_STEP_END,
};
struct sql_walk {
	enum sql_step step;
	size_t database, table;
	enum { SQL_PART_NONE, SQL_PART_DEFINITION, SQL_PART_ROWS, SQL_PART_TRIGGERS } part; /* of the table: given last */
	struct zs_buf path, last; /* of the item to come; of the one before */
	size_t given_n;		  /* bytes of path whose directories were given */
	struct zs_buf text;	  /* its content, unless it is rows */
	uint64_t bytes;		  /* its size, as far as known */
	int has_item, is_rows;
	uint64_t generation;	  /* handles of former items are void */
};
int sql_walk_next(struct sql_source *s, struct zs_source_item *out, struct zs_err *err) ZS_MUST_USE;
void sql_walk_fini(struct sql_walk *w);

/* -------------------------------------------------------------- sql_manifest.c */

#define SQL_WARNINGS_MAX 100
struct sql_facts { /* for the manifest */
	uint64_t tables, rows, bytes, failed, inactive;
	uint64_t longest, max_allowed_packet;
	struct zs_buf longest_of;	 /* "db.table" */
	int named_zones;
	struct zs_buf version, charset;	 /* of the server */
	struct zs_strings warnings;
	uint64_t more_warnings;		 /* beyond SQL_WARNINGS_MAX */
	struct zs_buf per_table, retried; /* elements of JSON arrays, with commas between */
};
int sql_manifest_server(struct sql_source *s, struct zs_err *err) ZS_MUST_USE; /* ask for version and settings */
int sql_manifest_table(struct sql_source *s, struct zs_err *err) ZS_MUST_USE; /* the table at hand is complete */
int sql_manifest_detail(struct sql_source *s, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE; /* bounded */
int sql_manifest_summary(struct sql_source *s, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE; /* everything */
void sql_manifest_fini(struct sql_facts *f);

/* ------------------------------------------------------------------------ sql.c */

struct sql_source {
	struct zs_source base;
	const struct zs_source_settings *settings;
	struct sql_options options;
	struct zs_buf root;
	struct sql_conn meta; /* definitions and questions; holds the backup stage */
	struct sql_rights rights;
	struct sql_catalog catalog;
	struct sql_snapshot snapshot;
	struct sql_walk walk;
	struct sql_table table;
	struct sql_facts facts;
	int is_connected, is_dry;
};
void sql_note(struct sql_source *s, enum zs_note_level level, const char *fmt, ...) ZS_PRINTF(3, 4);
int sql_stop(const struct sql_source *s, struct zs_err *err); /* -1 ZS_STOPPED if that was asked for */
int sql_handle_new(struct sql_source *s, struct zs_source_handle **out, struct zs_err *err) ZS_MUST_USE; /* of the item at hand */
int sql_check(struct sql_source *s, struct zs_err *err) ZS_MUST_USE; /* sql_check.c: rights and limits */

#endif
