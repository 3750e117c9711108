/*
 * mail: streams and messages into chunks and recipes, and back; header digest.
 * Knows bytes: not files, not packs.  Nothing is ever normalised.
 */
#ifndef ZSTORE_MAIL_H
#define ZSTORE_MAIL_H

#include "zstore/base.h"
#include "zstore/chunk.h"
#include "zstore/codec.h"
#include "zstore/format.h"

/* ------------------------------------------------------------------ splitting */

struct zs_split_params { /* borrowed, shared by all threads */
	const struct zs_chunk_table *table;
	const struct zs_key *chunk_id_key;
	struct zs_chunk_sizes sizes[ZS_KINDS];
};
struct zs_split_sink {
	void *ctx;
	/* A chunk that the recipe refers to, before the op that does.  plain is borrowed for the call. */
	int (*chunk)(void *ctx, enum zs_kind kind, const struct zs_id *id, struct zs_span plain, struct zs_err *err);
	/* The next bytes of the recipe (whole ops), in order. */
	int (*recipe)(void *ctx, struct zs_span ops, struct zs_err *err);
};
struct zs_split_result {
	uint64_t bytes;		/* fed, holes included */
	uint64_t sum;		/* zs_hash64(0, all bytes) */
	int is_message;		/* looks like one message (by content); an mbox of several is none */
	/* digest of the header, if it is one; spans borrowed from the splitter until reset or free */
	struct zs_span from, to, subject, message_id, attachments;
	int64_t date_ns;
};

struct zs_splitter; /* one thread's; memory bounded (about 4 x the largest chunk), whatever is fed */
int zs_splitter_new(const struct zs_split_params *params, struct zs_splitter **out, struct zs_err *err) ZS_MUST_USE;
void zs_splitter_free(struct zs_splitter *s);
/*
 * Begin a stream.  kind: ZS_KIND_FILE means "find out by content": a message (or an mbox) is cut at its joints:
 * one skeleton (headers, MIME delimiter lines, part headers, small texts) in ZS_KIND_HEADER chunks, larger texts as
 * ZS_KIND_TEXT, base64 bodies decoded where that is exactly reversible as ZS_KIND_ATTACHMENT; anything else is cut by
 * content as ZS_KIND_FILE.  Any other kind: plain cutting with that kind.
 */
int zs_splitter_begin(struct zs_splitter *s, enum zs_kind kind, const struct zs_split_sink *sink, struct zs_err *err) ZS_MUST_USE;
/* Any slicing of the same bytes gives the same chunks and recipe. */
int zs_splitter_feed(struct zs_splitter *s, struct zs_span bytes, struct zs_err *err) ZS_MUST_USE;
int zs_splitter_hole(struct zs_splitter *s, uint64_t bytes, struct zs_err *err) ZS_MUST_USE;
int zs_splitter_end(struct zs_splitter *s, struct zs_split_result *out, struct zs_err *err) ZS_MUST_USE;

/* -------------------------------------------------------------------- joining */

struct zs_join_io {
	void *ctx;
	/* A chunk's plain bytes, proven to have that id; borrowed until the next call. */
	int (*chunk)(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err);
	/* Content, in order.  hole: zero bytes that were a hole (may write or seek). */
	int (*write)(void *ctx, struct zs_span bytes, struct zs_err *err);
	int (*hole)(void *ctx, uint64_t bytes, struct zs_err *err);
};
/*
 * Rebuild the content of a FILE entry from start to end in bounded memory; verifies size and sum at the end.
 * -1: ZS_CORRUPT (recipe, size or sum wrong), or what io said.
 */
int zs_mail_join(const struct zs_entry *e, const struct zs_join_io *io, struct zs_err *err) ZS_MUST_USE;

/*
 * The same, out of order: where every chunk of an entry goes.  Calls place for each use of a chunk in recipe order:
 * "bytes [chunk_from, chunk_from + bytes) of chunk id, put through `how`, stand at output offset at".
 */
struct zs_place {
	struct zs_id id;
	uint32_t chunk_from, bytes;
	uint64_t at;		/* raw: output offset of the first byte; b64: output offset of the extent's first character */
	uint8_t b64;		/* 0 raw, 1 base64 */
	uint32_t line; uint8_t crlf, tail; /* b64: as in the recipe */
	uint64_t position;	/* b64: decoded offset of the first byte within the extent */
	uint64_t total;		/* b64: decoded bytes of the whole extent */
};
struct zs_place_io {
	void *ctx;
	int (*chunk)(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err); /* for recipes of depth > 0 */
	int (*place)(void *ctx, const struct zs_place *p, struct zs_err *err);
};
/* -1: ZS_CORRUPT also if the places do not add up to the entry's size.  Holes are not reported. */
int zs_mail_places(const struct zs_entry *e, const struct zs_place_io *io, struct zs_err *err) ZS_MUST_USE;
/*
 * Encode one base64 place: given its decoded bytes, append to *out the characters that depend on these bytes only
 * (line ends included) and say at which output offset they stand.  Groups that straddle the place's edges are
 * returned as fragments: the caller collects fragments of equal group_at from all places and completes them
 * with zs_mail_fragment_join (3 bytes, or fewer at the extent's end).
 */
struct zs_fragment { uint64_t group; uint8_t first, count, bytes[2]; struct zs_place extent; }; /* group: number within the extent; bytes at positions first.. of it */
int zs_mail_place_encode(const struct zs_place *p, struct zs_span decoded, struct zs_buf *out, uint64_t *out_at,
    struct zs_fragment out_fragments[static 2], unsigned *out_fragment_count, struct zs_err *err) ZS_MUST_USE;
/* The characters (and line ends within) of one group: appended to *out, standing at *out_at. n = 1..3 decoded bytes. */
int zs_mail_group_encode(const struct zs_place *extent, uint64_t group, const uint8_t *bytes, unsigned n, struct zs_buf *out, uint64_t *out_at, struct zs_err *err) ZS_MUST_USE;
/* Output bytes of a whole extent. */
uint64_t zs_mail_b64_length(uint64_t decoded, uint32_t line, int crlf, int tail);

/* Every chunk an entry refers to, recipe chunks included, for marking and checking. */
typedef int zs_mail_refs_fn(void *ctx, const struct zs_id *id, uint32_t bytes, struct zs_err *err);
int zs_mail_refs(const struct zs_entry *e, int (*chunk)(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err),
    zs_mail_refs_fn *fn, void *ctx, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------- recipe spilling */

/* Collects a recipe; beyond ZS_RECIPE_INLINE bytes it is itself stored in chunks (ZS_KIND_TREE), level on level. */
#define ZS_RECIPE_INLINE 4096
struct zs_recipe_writer;
typedef int zs_recipe_put_fn(void *ctx, enum zs_kind kind, const struct zs_id *id, struct zs_span plain, struct zs_err *err);
int zs_recipe_writer_new(const struct zs_key *chunk_id_key, struct zs_recipe_writer **out, struct zs_err *err) ZS_MUST_USE;
int zs_recipe_writer_add(struct zs_recipe_writer *w, struct zs_span ops, zs_recipe_put_fn *put, void *ctx, struct zs_err *err) ZS_MUST_USE;
/* The recipe for the entry, borrowed until the next add or free; the writer is empty for the next. */
int zs_recipe_writer_finish(struct zs_recipe_writer *w, zs_recipe_put_fn *put, void *ctx, struct zs_span *out_recipe, uint8_t *out_depth, struct zs_err *err) ZS_MUST_USE;
void zs_recipe_writer_free(struct zs_recipe_writer *w);

/* ----------------------------------------------------------------- header text */

/* RFC 2047 encoded words and 8-bit bytes to valid UTF-8 (folding removed, truncated at a character to max bytes),
 * appended.  Never fails on bad input: bytes that are no text become U+FFFD. */
int zs_mail_header_text(struct zs_span raw, size_t max, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* RFC 5322 date (also obsolete zones) to ns, or INT64_MIN. */
int64_t zs_mail_date(struct zs_span raw);
/* Message-ID without angle brackets and white space around. */
struct zs_span zs_mail_message_id(struct zs_span raw);

#endif
