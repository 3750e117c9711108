/*
 * What the files of this layer share: base64 kernels, the cutter, the section
 * writer, the line machine of messages, and the reader of recipes.
 */
#ifndef ZS_MAIL_PRIVATE_H
#define ZS_MAIL_PRIVATE_H

#include "zstore/mail.h"

/* ------------------------------------------------------------ base64 (base64.c) */

enum base64_path { BASE64_PORTABLE, BASE64_SSSE3, BASE64_AVX2 };
enum base64_path base64_best(void); /* of this processor */
/* Destinations need this many bytes more than the result: vectors are stored whole. */
#define BASE64_SLACK 32
/* Decode whole groups without padding, n a multiple of 4; returns how many characters (a multiple of 4) were good. */
size_t base64_decode(enum base64_path path, const uint8_t *in, size_t n, uint8_t *out);
/* Encode n bytes, with padding; returns the characters. */
size_t base64_encode(enum base64_path path, const uint8_t *in, size_t n, uint8_t *out);
/* Decode n >= 4 characters (a multiple of 4), the last group perhaps padded; canonical or -1. */
int base64_decode_end(const uint8_t *in, size_t n, uint8_t *out, size_t *out_n);
size_t base64_span(const uint8_t *in, size_t n); /* leading characters of the alphabet ('=' is none) */
int base64_is(uint8_t c);

/* --------------------------------------------------- sections of a recipe (section.c) */

#define SECTION_SKELETON_MAX (64u << 10)
#define SECTION_OPS_MAX (32u << 10)

struct section { /* a skeleton chunk in the making, and the ops that follow it */
	const struct zs_split_sink *sink;
	const struct zs_key *key;
	struct zs_buf skeleton, ops, run; /* run: the RAW ops of a base64 extent that has not ended */
	uint64_t take, hole;		  /* ops that may still grow; at most one is not 0 */
	uint64_t run_bytes, run_chunks;
	int in_run;
};
int section_init(struct section *sec, struct zs_err *err) ZS_MUST_USE;
void section_fini(struct section *sec);
void section_begin(struct section *sec, const struct zs_split_sink *sink, const struct zs_key *key);
int section_text(struct section *sec, struct zs_span s, struct zs_err *err) ZS_MUST_USE; /* to the skeleton */
int section_chunk(struct section *sec, enum zs_kind kind, struct zs_span s, struct zs_err *err) ZS_MUST_USE;
/* A chunk between two sections. */
int section_apart(struct section *sec, enum zs_kind kind, struct zs_span s, struct zs_err *err) ZS_MUST_USE;
int section_hole(struct section *sec, uint64_t bytes, struct zs_err *err) ZS_MUST_USE;
void section_run_begin(struct section *sec); /* chunks belong to a base64 extent from here */
int section_run_end(struct section *sec, uint32_t line, int crlf, int tail, struct zs_err *err) ZS_MUST_USE;
int section_flush(struct section *sec, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------ content-defined cutting (cut.c) */

struct cut { /* one stream at a time */
	const struct zs_chunk_table *table;
	struct section *sec;
	struct zs_chunk_sizes sizes;
	enum zs_kind kind;
	uint8_t *p;
	size_t n, cap;
	uint64_t cut_bytes; /* bytes of this stream that have left as chunks */
};
int cut_init(struct cut *c, size_t cap, struct zs_err *err) ZS_MUST_USE; /* cap: at least twice the largest chunk */
void cut_fini(struct cut *c);
void cut_begin(struct cut *c, const struct zs_split_params *params, enum zs_kind kind, struct section *sec);
int cut_add(struct cut *c, struct zs_span s, struct zs_err *err) ZS_MUST_USE;
/* Room for n bytes (at most CUT_ROOM) in place, to be followed by cut_added. */
#define CUT_ROOM (48u << 10)
int cut_room(struct cut *c, size_t n, uint8_t **out, struct zs_err *err) ZS_MUST_USE;
void cut_added(struct cut *c, size_t n);
int cut_end(struct cut *c, struct zs_err *err) ZS_MUST_USE;

/* -------------------------------------------------- header digest (digest.c, params.c) */

#define DIGEST_FIELD_MAX 8192
#define DIGEST_BOUNDARIES 16
#define DIGEST_BOUNDARY_MAX 128
enum digest_field {
	DIGEST_NONE, DIGEST_FROM, DIGEST_TO, DIGEST_SUBJECT, DIGEST_DATE, DIGEST_MESSAGE_ID,
	DIGEST_CONTENT_TYPE, DIGEST_DISPOSITION,
};
struct digest { /* reads header lines; knows the boundaries seen */
	enum digest_field field;   /* of the line that is being collected */
	struct zs_buf raw;	   /* its text so far, at most DIGEST_FIELD_MAX */
	unsigned blocks;	   /* header blocks that have begun; the first is the message's own */
	unsigned names;		   /* parts with a name so far */
	int nested;		   /* this block said message/rfc822 */
	struct zs_buf type_name, file_name; /* of this part */
	struct zs_buf text[6];	   /* by enum digest_field: from, to, subject, (date), message-id */
	struct zs_buf attachments;
	int64_t date_ns;
	unsigned boundary_next;
	uint8_t boundary_n[DIGEST_BOUNDARIES];
	uint8_t boundary[DIGEST_BOUNDARIES][DIGEST_BOUNDARY_MAX];
};
void digest_fini(struct digest *d);
void digest_begin(struct digest *d);
void digest_block(struct digest *d); /* a header block begins */
/* Bytes of a header line: start is 1 at the beginning of a line. */
int digest_line(struct digest *d, struct zs_span s, int start, struct zs_err *err) ZS_MUST_USE;
int digest_block_end(struct digest *d, struct zs_err *err) ZS_MUST_USE;
void digest_boundary_add(struct digest *d, struct zs_span boundary);
/* 0: line is no delimiter of a known boundary; 1: it is; 2: a closing one.  line begins with "--". */
int digest_boundary_match(const struct digest *d, struct zs_span line);

/*
 * The value of a parameter of a Content-Type or Content-Disposition field ("name", "filename", "boundary"), with
 * RFC 2231 continuations and charsets, as UTF-8 (as_text) or raw, appended to *out.  1 found, 0 absent, -1.
 */
int params_find(struct zs_span field, const char *name, int as_text, struct zs_buf *out,
    struct zs_err *err) ZS_MUST_USE;

/* ----------------------------------------------- header text (words.c, charset.c) */

/* Bytes of a charset to UTF-8, controls and what is no text as U+FFFD, appended. */
int charset_text(struct zs_span charset, struct zs_span bytes, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* what is after `from` to max bytes, at a character */
void charset_truncate(struct zs_buf *b, size_t from, size_t max);

/* --------------------------------------------------- is it a message? (sniff.c) */

#define SNIFF_BYTES 8192
/* Header field at the start of p: length of its name, or 0.  Needs the colon within n. */
size_t sniff_field(const uint8_t *p, size_t n);
int sniff_known(const uint8_t *p, size_t name_n); /* a field that messages have */
int sniff_from_line(struct zs_span line);	   /* an mbox From_ line, by its form */
enum sniff { SNIFF_PLAIN, SNIFF_MESSAGE, SNIFF_MBOX };
enum sniff sniff_content(struct zs_span start); /* the first SNIFF_BYTES, or all there is */
int sniff_equal(const uint8_t *p, size_t n, const char *lower); /* ASCII, without case, whole */

/* ----------------------------------------- lines of a message (lines.c, run.c) */

#define LINES_MAX 2048	      /* a line is judged by this much of it */
#define RUN_LINE_MAX 998
#define RUN_MIN_BYTES 256     /* decoded bytes that make a run worth it */
#define RUN_MIN_CHARS ((RUN_MIN_BYTES + 2) / 3 * 4)
/* An extent ends after so many decoded bytes: a multiple of what lines of 60, 64, 72 and 76 characters hold. */
#define RUN_MAX_BYTES (41040ull * 6540)
#define TEXT_MIN_BYTES 1024   /* a shorter text goes to the skeleton */

struct run { /* lines of base64 of one length and line end */
	uint32_t line;
	uint8_t crlf, tail;
	unsigned unit_lines;  /* 1, 2 or 4: after so many lines a group ends with a line */
	size_t unit_bytes;    /* of input */
	uint64_t bytes;	      /* decoded */
	uint8_t *chars, *again; /* RUN_CHARS + BASE64_SLACK each: gathered; encoded again */
	enum base64_path path;
	uint64_t max_bytes;   /* RUN_MAX_BYTES; less in tests */
};
int run_init(struct run *r, struct zs_err *err) ZS_MUST_USE;
void run_fini(struct run *r);
enum run_verdict { RUN_NO, RUN_YES, RUN_MORE };
/* Do p's lines begin a run?  RUN_MORE: cannot be said before more bytes come (never if last).  RUN_NO: *out_skip
 * bytes from p on hold no beginning of a run either. */
enum run_verdict run_probe(struct run *r, struct zs_span p, int last, size_t *out_skip);
/* Decode what is there of the run into c: bytes used; *out_done is set if the run ended there. */
int run_take(struct run *r, struct cut *c, struct zs_span p, int last, size_t *out_used, int *out_done,
    struct zs_err *err) ZS_MUST_USE;

enum lines_state { LINES_HEADER, LINES_TEXT, LINES_RUN };
struct lines {
	struct section *sec;
	struct cut *cut;
	const struct zs_split_params *params;
	struct digest digest;
	struct run run;
	enum lines_state state;
	int in_line;	      /* the line's beginning has been judged, its rest follows */
	int after_blank;      /* the line before was empty, or there was none */
	int part_start;	      /* first line of a part's text */
	int mbox;	      /* the stream began with a From_ line */
	unsigned messages;    /* of an mbox */
	uint8_t blank[2];     /* of an mbox: an empty line that waits for the next one */
	size_t blank_n;
	size_t header_bytes;
	size_t no_run;	      /* so many bytes from here on hold no run */
};
int lines_init(struct lines *l, struct zs_err *err) ZS_MUST_USE;
void lines_fini(struct lines *l);
void lines_begin(struct lines *l, const struct zs_split_params *params, struct section *sec, struct cut *cut, int mbox);
/* Judge p as far as it can be judged; *out_used bytes of it are dealt with.  last: nothing follows. */
int lines_feed(struct lines *l, struct zs_span p, int last, size_t *out_used, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------ base64 with lines (wrap.c) */

struct wrap { /* an extent's shape */
	uint64_t total; /* decoded bytes */
	uint32_t line;
	uint8_t crlf, tail;
};
/* Where a character stands, from the extent's first. */
uint64_t wrap_offset(const struct wrap *w, uint64_t character);
/*
 * The text of whole groups from number `group` on, appended to *out.  A line end belongs to the group of the
 * character before it.  bytes.n is a multiple of 3 unless they are the extent's last.
 */
int wrap_encode(const struct wrap *w, uint64_t group, struct zs_span bytes, struct zs_buf *out,
    struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------ reading recipes (reader.c) */

#define READER_DEPTH_MAX 4
typedef int reader_chunk_fn(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err);
struct reader_level { struct zs_buf buf; struct zs_span rest; int end; };
/*
 * The ops of depth 0, one after the other, whatever the recipe's depth; and the book-keeping: a skeleton is used up
 * before the next, a B64 is followed by its RAW ops and they hold its bytes, and the output is e->size bytes.
 */
struct reader {
	struct reader_level level[READER_DEPTH_MAX + 1];
	unsigned depth;
	reader_chunk_fn *chunk;
	zs_mail_refs_fn *ref; /* told of each recipe chunk; may be NULL */
	void *ctx, *ref_ctx;
	/* at: output so far; op_at: where the op's output stands (of a B64's RAW: the extent's) */
	uint64_t size, at, op_at;
	uint64_t skeleton;	/* bytes left */
	uint64_t raws, raw_bytes; /* that the last B64 still asks for */
	struct wrap b64;	/* while raws > 0, and for the last of them */
	int in_b64;		/* the op is a RAW of a B64 */
};
int reader_init(struct reader *r, const struct zs_entry *e, reader_chunk_fn *chunk, void *ctx,
    struct zs_err *err) ZS_MUST_USE;
void reader_fini(struct reader *r);
/* 1 with an op, 0 at the end, -1. */
int reader_next(struct reader *r, struct zs_op *out, struct zs_err *err) ZS_MUST_USE;
/* io's chunk, with the length that the op says. */
int reader_fetch(const struct reader *r, const struct zs_op *op, struct zs_span *out, struct zs_err *err) ZS_MUST_USE;
/* Inline content: 1 if that is what e has (proven to be of its size), 0, -1. */
int reader_inline(const struct zs_entry *e, struct zs_err *err) ZS_MUST_USE;

#endif
