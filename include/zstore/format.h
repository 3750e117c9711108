/*
 * format: encode and decode every stored record.  Pure: no I/O, no secrets, no
 * clock.  One codec serves writer, reader, check and repair.  Every decoder
 * bounds what it allocates by what it was given, accepts exactly what an encoder
 * can produce (unknown optional fields excepted: they are kept or skipped), and
 * fails with ZS_CORRUPT naming the record and the field.
 *
 * Fields: a record is a sequence of (tag varint, length varint, bytes), tags
 * ascending (repeatable ones may repeat).  An unknown even tag is skipped, an
 * unknown odd tag is ZS_VERSION.  Integers inside are LEB128 unless fixed width
 * is said.  All records have chapters in store-format/.
 */
#ifndef ZSTORE_FORMAT_H
#define ZSTORE_FORMAT_H

#include "zstore/base.h"

#define ZS_FORMAT_VERSION 1

enum zs_kind { /* of a chunk's content; chunks of one kind share blocks.  Never renumbered. */
	ZS_KIND_HEADER = 1, ZS_KIND_TEXT = 2, ZS_KIND_ATTACHMENT = 3, ZS_KIND_FILE = 4,
	ZS_KIND_TREE = 5, ZS_KIND_SQL = 6, ZS_KIND_LDIF = 7,
};
#define ZS_KINDS 8 /* array size; 0 is no kind */
const char *zs_kind_name(enum zs_kind kind); /* "header", ...; "?" */

/* -------------------------------------------------------------------- config */

struct zs_config_sizes { uint32_t min_bytes, avg_bytes, max_bytes; };
struct zs_config { /* sealed under the metadata key; outside it only magic, version, repo id */
	struct zs_config_sizes sizes[ZS_KINDS]; /* per kind; HEADER and TREE entries are unused (0) */
	uint32_t block_bytes;	   /* plain bytes of a block: 64 KiB .. 8 MiB */
	uint32_t pack_bytes;	   /* target size of a pack: 1 MiB .. 1 GiB */
	uint8_t level;		   /* default zstd level, 0 = none */
	uint64_t created_ns;
};
int zs_format_config_encode(const struct zs_config *c, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
int zs_format_config_decode(struct zs_span s, struct zs_config *out, struct zs_err *err) ZS_MUST_USE;

/*
 * The config object: "ZSCF" version u16 reserved u16 repo_id[32] box_length u32 box (sealed config).
 * -1: ZS_CORRUPT (no repository), ZS_VERSION (newer than ZS_FORMAT_VERSION).
 */
int zs_format_config_object_encode(const struct zs_name *repo_id, struct zs_span box, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
int zs_format_config_object_decode(struct zs_span s, struct zs_name *out_repo_id, struct zs_span *out_box, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------------ key slots */

enum zs_slot_secret { ZS_SECRET_PASSPHRASE = 1, ZS_SECRET_KEYFILE = 2, ZS_SECRET_RECOVERY = 3 };
enum zs_slot_role { ZS_ROLE_FULL = 1, ZS_ROLE_WRITE = 2 };
struct zs_slot { /* a key object: this, readable by anyone, and a box of the keys */
	char label[64];		/* UTF-8, NUL-terminated, for people */
	uint8_t secret;		/* enum zs_slot_secret */
	uint8_t role;		/* enum zs_slot_role */
	uint8_t salt[16];
	uint32_t ops, mem_kib;	/* Argon2id */
	uint64_t created_ns;
	struct zs_span box;	/* borrowed; its associated data are the bytes of the slot before it */
};
/* "ZSKS" version u16 reserved u16 head_length u32 head(fields) box.  encode_head is what the box is bound to. */
int zs_format_slot_encode_head(const struct zs_slot *slot, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
int zs_format_slot_encode(const struct zs_slot *slot, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* out_head is borrowed from s: what the box is bound to. */
int zs_format_slot_decode(struct zs_span s, struct zs_slot *out, struct zs_span *out_head, struct zs_err *err) ZS_MUST_USE;
/* The box's content. secret all zero: write-only. */
struct zs_slot_keys { uint8_t chunk_id[32], seed[32], meta[32], data_public[32], data_secret[32]; };
int zs_format_slot_keys_encode(const struct zs_slot_keys *k, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
int zs_format_slot_keys_decode(struct zs_span s, struct zs_slot_keys *out, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------- packs: blocks and directory */

/* A block's sealed plaintext: algo u8, plain_bytes u32, payload. */
#define ZS_BLOCK_HEAD 5
#define ZS_BLOCK_MAX (8u << 20)
int zs_format_block_head_encode(uint8_t algo, uint32_t plain_bytes, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
int zs_format_block_head_decode(struct zs_span s, uint8_t *out_algo, uint32_t *out_plain_bytes, struct zs_span *out_payload, struct zs_err *err) ZS_MUST_USE;

struct zs_pack_chunk { struct zs_id id; uint32_t bytes; }; /* offset in the block: the sum of those before */
struct zs_pack_block {
	uint8_t kind;
	uint32_t stored_bytes;	/* sealed length, tag included; its offset: header + the sum of those before */
	uint32_t plain_bytes;	/* sum of its chunks */
	uint32_t first_chunk, chunk_count; /* rows in zs_pack_dir.chunks */
};
struct zs_pack_dir { /* what a pack holds; also one pack's row in an index object */
	struct zs_pack_block *blocks; uint32_t block_count;
	struct zs_pack_chunk *chunks; uint32_t chunk_count;
	uint32_t blocks_cap, chunks_cap;
};
/* Grow-as-you-go building, used by the writer.  add_chunk belongs to the last block added. */
int zs_pack_dir_add_block(struct zs_pack_dir *d, uint8_t kind, uint32_t stored_bytes, struct zs_err *err) ZS_MUST_USE;
int zs_pack_dir_add_chunk(struct zs_pack_dir *d, const struct zs_id *id, uint32_t bytes, struct zs_err *err) ZS_MUST_USE;
void zs_pack_dir_fini(struct zs_pack_dir *d);
int zs_format_pack_dir_encode(const struct zs_pack_dir *d, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
int zs_format_pack_dir_decode(struct zs_span s, struct zs_pack_dir *out, struct zs_err *err) ZS_MUST_USE;
/* The pack's last ZS_PACK_TRAILER bytes are the sealed trailer: where the directory is. */
#define ZS_PACK_TRAILER_PLAIN 32
#define ZS_PACK_TRAILER (ZS_PACK_TRAILER_PLAIN + 16)
struct zs_pack_trailer { uint64_t dir_offset; uint32_t dir_stored_bytes; uint32_t block_count; uint64_t padding_offset; uint32_t padding_stored_bytes; };
void zs_format_pack_trailer_encode(const struct zs_pack_trailer *t, uint8_t out[static ZS_PACK_TRAILER_PLAIN]);
int zs_format_pack_trailer_decode(struct zs_span s, struct zs_pack_trailer *out, struct zs_err *err) ZS_MUST_USE;

/* -------------------------------------------------------------- index objects */

struct zs_index_pack { /* one pack */
	struct zs_name name;
	uint8_t tag[32];	/* zs_pack_tag */
	uint64_t stored_bytes;	/* size of the pack object */
	struct zs_name writer;	/* who wrote it */
	struct zs_pack_dir dir;
};
struct zs_index_object {
	struct zs_index_pack *packs; uint32_t pack_count, packs_cap;
};
int zs_index_object_add(struct zs_index_object *o, struct zs_index_pack **out_new, struct zs_err *err) ZS_MUST_USE; /* zeroed row */
void zs_index_object_fini(struct zs_index_object *o);
int zs_format_index_encode(const struct zs_index_object *o, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
int zs_format_index_decode(struct zs_span s, struct zs_index_object *out, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------------ snapshots */

struct zs_strings { char **v; size_t n, cap; }; /* owned, NUL-terminated */
int zs_strings_add(struct zs_strings *l, struct zs_span s, struct zs_err *err) ZS_MUST_USE;
void zs_strings_fini(struct zs_strings *l);

struct zs_totals { /* of a subtree or a snapshot */
	uint64_t entries, files, messages, bytes; /* bytes: sum of sizes of files */
};
enum zs_snapshot_flags { ZS_SNAPSHOT_PARTIAL = 1 };
struct zs_snapshot {
	struct zs_id root;	   /* chunk id of the tree's root node */
	int64_t time_ns;	   /* label */
	char *host, *user, *program; /* owned; program: "zstore 0.1.0" */
	struct zs_strings tags, paths, reasons; /* reasons: why partial, at most 100, escaped nowhere */
	uint64_t flags, skipped;   /* items that could not be read */
	struct zs_totals totals;
	uint64_t added_bytes;	   /* plain bytes that this run added */
	struct zs_name previous;   /* this host's previous snapshot, or zero */
	struct zs_name newest_seen; /* the newest other that the writer saw, or zero */
	struct zs_name writer;
	uint64_t sequence;	   /* 1 + the highest sequence seen: orders snapshots without a clock */
	struct zs_buf manifest;	   /* JSON of sources' coordinates, or empty; opaque here */
};
int zs_format_snapshot_encode(const struct zs_snapshot *s, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
int zs_format_snapshot_decode(struct zs_span s, struct zs_snapshot **out, struct zs_err *err) ZS_MUST_USE;
void zs_format_snapshot_free(struct zs_snapshot *s);

/* ------------------------------------------- sessions, condemned lists, removals */

/* Who works on the repository now.  decode: fini is the caller's, after 0 only. */
enum zs_session_role { ZS_SESSION_WRITER = 1, ZS_SESSION_PRUNE = 2 };
struct zs_session { uint8_t role; char *host; uint8_t machine[16]; uint8_t boot[16]; uint64_t pid, pid_start; int64_t time_ns; };
int zs_format_session_encode(const struct zs_session *s, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
int zs_format_session_decode(struct zs_span s, struct zs_session *out, struct zs_err *err) ZS_MUST_USE;
void zs_format_session_fini(struct zs_session *s);

struct zs_names { struct zs_name *v; size_t n, cap, sorted_n; }; /* elements change only through these functions; n may shrink */
int zs_names_add(struct zs_names *l, const struct zs_name *n, struct zs_err *err) ZS_MUST_USE;
int zs_names_has(const struct zs_names *l, const struct zs_name *n); /* linear or, if sorted is known, binary: caller need not care */
void zs_names_sort(struct zs_names *l);
void zs_names_fini(struct zs_names *l);
struct zs_condemned { struct zs_names packs; struct zs_names waits_for; uint8_t has_waits; }; /* waits_for: sessions that may still rely on the packs */
int zs_format_condemned_encode(const struct zs_condemned *c, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
int zs_format_condemned_decode(struct zs_span s, struct zs_condemned *out, struct zs_err *err) ZS_MUST_USE;
void zs_format_condemned_fini(struct zs_condemned *c);
struct zs_removal { struct zs_names snapshots; uint64_t highest_sequence; int64_t time_ns; char *host; };
int zs_format_removal_encode(const struct zs_removal *r, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
int zs_format_removal_decode(struct zs_span s, struct zs_removal *out, struct zs_err *err) ZS_MUST_USE;
void zs_format_removal_fini(struct zs_removal *r);

/* -------------------------------------------------------------------- entries */

enum zs_entry_kind { ZS_ENTRY_FILE = 1, ZS_ENTRY_DIR, ZS_ENTRY_SYMLINK, ZS_ENTRY_FIFO, ZS_ENTRY_SOCKET, ZS_ENTRY_CHAR, ZS_ENTRY_BLOCK };
enum zs_entry_flags {
	ZS_ENTRY_MESSAGE = 1,	/* content is a mail message */
	ZS_ENTRY_UNSTABLE = 2,	/* changed while it was read */
	ZS_ENTRY_HAS_MODE = 4,	/* mode, uid, gid are meaningful */
	ZS_ENTRY_HAS_ITEM = 8,	/* item_* are meaningful */
};
struct zs_entry { /* all spans borrowed */
	uint8_t kind;
	uint32_t flags;
	uint32_t mode, uid, gid;	/* mode: 07777 bits */
	struct zs_span user, group;	/* names, may be empty */
	int64_t mtime_ns;
	uint64_t size;
	uint64_t rdev;			/* CHAR, BLOCK */
	uint64_t link_dev, link_ino;	/* nonzero ino: hard-linked; equal pairs in one snapshot are one file */
	uint64_t identity;		/* what the source vouches for; 0: never equal */
	uint64_t sum;			/* zs_hash64(0, content); files only */
	struct zs_span target;		/* SYMLINK */
	struct zs_span xattrs;		/* encoded list: (name length varint, name, value length varint, value)*; names ascending */
	/* content of a FILE: one of these; both empty if size is 0 */
	struct zs_span inline_data;	/* small content */
	struct zs_span recipe;		/* encoded recipe, depth recipe_depth */
	uint8_t recipe_depth;		/* 0: recipe holds sections; d > 0: its bytes, joined, are a recipe of depth d-1 */
	/* from a message's header, RFC 2047 decoded to UTF-8, possibly truncated; may be empty */
	struct zs_span from, to, subject, message_id, attachments; /* attachments: names joined by NUL */
	int64_t date_ns;		/* Date header, or INT64_MIN */
	/* what the mail server knows of a message (.meta, IMAP, Zimbra) */
	uint64_t item_id;
	struct zs_span item_folder, item_flags, item_tags; /* flags and tags: joined by NUL */
	int64_t item_date_ns;		/* received; INT64_MIN: unknown */
	struct zs_span extra;		/* unknown optional fields, verbatim: written back as they came */
};
#define ZS_INLINE_MAX 1024
int zs_format_entry_encode(const struct zs_entry *e, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
int zs_format_entry_decode(struct zs_span s, struct zs_entry *out, struct zs_err *err) ZS_MUST_USE; /* spans borrowed from s */
/* Walk e->xattrs: 1, 0 at the end, -1 ZS_CORRUPT. *rest starts as e->xattrs. */
int zs_format_xattr_next(struct zs_span *rest, struct zs_span *out_name, struct zs_span *out_value, struct zs_err *err) ZS_MUST_USE;
int zs_format_xattr_add(struct zs_buf *list, struct zs_span name, struct zs_span value, struct zs_err *err) ZS_MUST_USE;

/* -------------------------------------------------------------------- recipes */

/*
 * A recipe of depth 0 is a sequence of ops.  Executed in order they rebuild the content.
 *   SKELETON id len      append a chunk's bytes to the skeleton (after what is left of it is used up: the
 *                        skeleton must be empty then); nothing is output
 *   TAKE n               output the next n bytes of the skeleton
 *   RAW id len           output a chunk
 *   B64 line eol tail n k  the next k RAW ops are not output but joined to n bytes, which are encoded: lines of
 *                        `line` characters (1..998) ended by eol (LF or CRLF); the last line may be short and ends
 *                        with eol only if tail is 1; canonical padding
 *   HOLE n               output n zero bytes that were a hole
 */
enum zs_op_type { ZS_OP_SKELETON = 1, ZS_OP_TAKE = 2, ZS_OP_RAW = 3, ZS_OP_B64 = 4, ZS_OP_HOLE = 5 };
struct zs_op {
	uint8_t type;
	struct zs_id id;	/* SKELETON, RAW */
	uint64_t bytes;		/* SKELETON, RAW: 1..1 MiB; TAKE, HOLE: >= 1; B64: decoded bytes n >= 1 */
	uint32_t line;		/* B64 */
	uint8_t crlf, tail;	/* B64 */
	uint64_t chunks;	/* B64: k >= 1 */
};
int zs_format_op_encode(const struct zs_op *op, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* 1 with the next op taken off *rest; 0 if *rest is empty; -1 ZS_CORRUPT */
int zs_format_op_next(struct zs_span *rest, struct zs_op *out, struct zs_err *err) ZS_MUST_USE;
/* Longest encoding of one op: a streaming reader needs this much look-ahead. */
#define ZS_OP_ENCODED_MAX 64

/* ----------------------------------------------------------------- tree nodes */

#define ZS_NODE_MAX (768u << 10) /* encoded bytes of a node; a single larger entry is ZS_LIMIT */
struct zs_node_row {
	struct zs_span path;	/* leaf: the entry's path; inner: path of the last entry below.  Borrowed from the
				 * reader until the next call, or from the caller of add */
	struct zs_span entry;	/* leaf: encoded entry */
	struct zs_id child;	/* inner */
	struct zs_totals totals; /* inner: of all below */
};
/* Building: rows in strictly ascending zs_path_cmp order. Front-coded paths. */
struct zs_node_writer { uint8_t level; uint32_t rows; struct zs_buf body; struct zs_buf last_path; };
void zs_node_writer_init(struct zs_node_writer *w, uint8_t level); /* level 0: leaf */
int zs_node_writer_add(struct zs_node_writer *w, const struct zs_node_row *row, struct zs_err *err) ZS_MUST_USE;
/* The encoded node appended to *out; w is empty and reusable. */
int zs_node_writer_finish(struct zs_node_writer *w, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
void zs_node_writer_fini(struct zs_node_writer *w);
/* Reading checks order, counts and bounds as it goes; the whole node is only valid when next has returned 0. */
struct zs_node_reader { uint8_t level; uint32_t rows, at; struct zs_span rest; struct zs_buf path; struct zs_totals sum; }; /* sum: of the inner rows read */
int zs_node_reader_init(struct zs_node_reader *r, struct zs_span node, struct zs_err *err) ZS_MUST_USE; /* node borrowed */
int zs_node_reader_next(struct zs_node_reader *r, struct zs_node_row *out, struct zs_err *err) ZS_MUST_USE; /* 1, 0, -1 */
void zs_node_reader_fini(struct zs_node_reader *r);

#endif
