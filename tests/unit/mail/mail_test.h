/*
 * A splitter with a store of chunks in memory, and makers of messages: what the tests of this layer share.
 */
#ifndef MAIL_TEST_H
#define MAIL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../src/mail/mail_private.h"

struct kept { struct zs_id id; enum zs_kind kind; uint8_t *p; size_t n; };
struct world { /* a splitter, and what its sink was given */
	struct zs_chunk_table *table;
	struct zs_key key;
	struct zs_split_params params;
	struct zs_splitter *splitter;
	struct kept *chunks;
	size_t n, cap;
	struct zs_buf recipe;
	struct zs_buf out;	/* of a join */
	long fail_at;		/* which call of a sink or io function fails; below 0: none */
	long calls;
	int keep_nothing;	/* count and drop: for very large streams */
	uint64_t bytes_of_kind[ZS_KINDS];
	uint64_t chunks_of_kind[ZS_KINDS];
};

static inline void *must(void *p)
{
	assert_non_null(p);
	return p;
}

static inline int world_call(struct world *w, struct zs_err *err)
{
	return w->calls++ == w->fail_at ? zs_fail(err, ZS_IO, "as asked") : 0;
}

static inline struct kept *world_find(struct world *w, const struct zs_id *id)
{
	for (size_t i = 0; i < w->n; i++)
		if (!memcmp(&w->chunks[i].id, id, sizeof *id))
			return &w->chunks[i];
	return NULL;
}

static inline int world_keep(void *ctx, enum zs_kind kind, const struct zs_id *id, struct zs_span plain,
    struct zs_err *err)
{
	struct world *w = ctx;

	if (world_call(w, err) < 0)
		return -1;
	w->bytes_of_kind[kind] += plain.n;
	w->chunks_of_kind[kind]++;
	if (w->keep_nothing || world_find(w, id))
		return 0;
	if (w->n == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 64;
		w->chunks = must(realloc(w->chunks, w->cap * sizeof *w->chunks));
	}
	w->chunks[w->n] = (struct kept){.id = *id, .kind = kind, .p = must(malloc(plain.n)), .n = plain.n};
	memcpy(w->chunks[w->n++].p, plain.p, plain.n);
	return 0;
}

static inline int world_recipe(void *ctx, struct zs_span ops, struct zs_err *err)
{
	struct world *w = ctx;

	return world_call(w, err) < 0 ? -1 : zs_buf_add_span(&w->recipe, ops, err);
}

static inline int world_chunk(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err)
{
	struct world *w = ctx;
	struct kept *k = world_find(w, id);

	if (world_call(w, err) < 0)
		return -1;
	if (!k)
		return zs_fail(err, ZS_NOTFOUND, "no such chunk");
	*out = zs_span(k->p, k->n);
	return 0;
}

static inline int world_write(void *ctx, struct zs_span s, struct zs_err *err)
{
	struct world *w = ctx;

	return world_call(w, err) < 0 ? -1 : zs_buf_add_span(&w->out, s, err);
}

static inline int world_hole(void *ctx, uint64_t n, struct zs_err *err)
{
	struct world *w = ctx;

	if (world_call(w, err) < 0 || zs_buf_reserve(&w->out, n, err) < 0)
		return -1;
	memset(w->out.p + w->out.n, 0, n);
	w->out.n += n;
	return 0;
}

static inline void world_init_sizes(struct world *w, uint32_t min, uint32_t avg, uint32_t max)
{
	struct zs_key seed = {{7}};
	struct zs_err err = {0};

	memset(w, 0, sizeof *w);
	w->fail_at = -1;
	memset(w->key.b, 3, sizeof w->key.b);
	assert_int_equal(zs_codec_init(&err), 0);
	assert_int_equal(zs_chunk_table_new(&seed, &w->table, &err), 0);
	w->params.table = w->table;
	w->params.chunk_id_key = &w->key;
	for (int k = ZS_KIND_TEXT; k < ZS_KINDS; k++)
		if (k != ZS_KIND_TREE)
			w->params.sizes[k] = (struct zs_chunk_sizes){min, avg, max};
	assert_int_equal(zs_splitter_new(&w->params, &w->splitter, &err), 0);
}

static inline void world_init(struct world *w)
{
	world_init_sizes(w, 1024, 4096, 16384);
}

static inline void world_forget(struct world *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->chunks[i].p);
	w->n = 0;
	memset(w->bytes_of_kind, 0, sizeof w->bytes_of_kind);
	memset(w->chunks_of_kind, 0, sizeof w->chunks_of_kind);
}

static inline void world_fini(struct world *w)
{
	world_forget(w);
	free(w->chunks);
	zs_buf_fini(&w->recipe);
	zs_buf_fini(&w->out);
	zs_splitter_free(w->splitter);
	zs_chunk_table_free(w->table);
}

/* A generator of numbers: seeded, so that what fails fails again. */
static inline uint32_t dice(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}

/* Split in slices: 0 at once, else 1 .. slice bytes at a time. */
static inline int world_split_as(struct world *w, enum zs_kind kind, struct zs_span s, uint32_t slice,
    struct zs_split_result *out, struct zs_err *err)
{
	struct zs_split_sink sink = {w, world_keep, world_recipe};
	uint64_t state = slice;

	zs_buf_clear(&w->recipe);
	w->calls = 0;
	if (zs_splitter_begin(w->splitter, kind, &sink, err) < 0)
		return -1;
	while (s.n) {
		size_t n = slice ? 1 + dice(&state) % slice : s.n;

		n = n < s.n ? n : s.n;
		if (zs_splitter_feed(w->splitter, zs_span(s.p, n), err) < 0)
			return -1;
		s = zs_span(s.p + n, s.n - n);
	}
	return zs_splitter_end(w->splitter, out, err);
}

static inline struct zs_split_result world_split(struct world *w, struct zs_span s, uint32_t slice)
{
	struct zs_split_result r;
	struct zs_err err = {0};

	if (world_split_as(w, ZS_KIND_FILE, s, slice, &r, &err) < 0)
		fail_msg("split: %s", err.text);
	assert_int_equal(r.bytes, s.n);
	assert_int_equal(r.sum, zs_hash64(0, s));
	return r;
}

static inline struct zs_entry world_entry(const struct world *w, const struct zs_split_result *r)
{
	struct zs_entry e = {.kind = ZS_ENTRY_FILE, .size = r->bytes, .sum = r->sum, .recipe = zs_buf_span(&w->recipe)};

	return e;
}

static inline int world_join(struct world *w, const struct zs_entry *e, struct zs_err *err)
{
	struct zs_join_io io = {w, world_chunk, world_write, world_hole};

	zs_buf_clear(&w->out);
	w->calls = 0;
	return zs_mail_join(e, &io, err);
}

/* Split, join, compare. */
static inline struct zs_split_result world_round_trip(struct world *w, struct zs_span s, uint32_t slice)
{
	struct zs_split_result r = world_split(w, s, slice);
	struct zs_entry e = world_entry(w, &r);
	struct zs_err err = {0};

	if (world_join(w, &e, &err) < 0)
		fail_msg("join: %s", err.text);
	assert_int_equal(w->out.n, s.n);
	if (s.n)
		assert_memory_equal(w->out.p, s.p, s.n);
	return r;
}

/* How many ops of a type the recipe has; *out_last is the last of them. */
static inline unsigned world_ops(const struct world *w, uint8_t type, struct zs_op *out_last)
{
	struct zs_span rest = zs_buf_span(&w->recipe);
	struct zs_err err = {0};
	unsigned n = 0;
	struct zs_op op;

	while (zs_format_op_next(&rest, &op, &err) > 0) {
		if (op.type != type)
			continue;
		n++;
		if (out_last)
			*out_last = op;
	}
	assert_int_equal(rest.n, 0);
	return n;
}

/* ------------------------------------------------------------------ makers */

static inline void add_text(struct zs_buf *b, const char *text)
{
	struct zs_err err = {0};

	assert_int_equal(zs_buf_add(b, text, strlen(text), &err), 0);
}

static inline void add_noise(struct zs_buf *b, size_t n, uint64_t seed)
{
	struct zs_err err = {0};

	for (size_t i = 0; i < n; i++)
		assert_int_equal(zs_buf_add_u8(b, (uint8_t)dice(&seed), &err), 0);
}

/* Prose: lines of words. */
static inline void add_prose(struct zs_buf *b, size_t n, uint64_t seed)
{
	static const char *const words[] = {"the", "minutes", "of", "meeting,", "please", "find", "attached.",
	    "Tuesday", "report"};
	size_t end = b->n + n, column = 0;

	while (b->n < end) {
		const char *word = words[dice(&seed) % 9];

		add_text(b, word);
		column += strlen(word) + 1;
		add_text(b, column > 60 ? "\r\n" : " ");
		column = column > 60 ? 0 : column;
	}
	add_text(b, "\r\n");
}

/* Base64 by the book, one character after the other: independent of what is tested. */
static inline void add_base64(struct zs_buf *b, struct zs_span s, uint32_t line, const char *eol, int tail)
{
	static const char a[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct zs_err err = {0};
	size_t column = 0;

	for (size_t i = 0; i < s.n; i += 3) {
		uint32_t v = (uint32_t)s.p[i] << 16 | (i + 1 < s.n ? (uint32_t)s.p[i + 1] << 8 : 0) | (i + 2 < s.n ? s.p[i + 2] : 0);

		for (int k = 0; k < 4; k++) {
			char c = i + (size_t)k > s.n ? '=' : a[v >> (18 - 6 * k) & 63];

			if (column == line) {
				add_text(b, eol);
				column = 0;
			}
			assert_int_equal(zs_buf_add_u8(b, (uint8_t)c, &err), 0);
			column++;
		}
	}
	if (tail)
		add_text(b, eol);
}

static inline void add_header(struct zs_buf *b, const char *to, const char *content_type)
{
	struct zs_err err = {0};

	assert_int_equal(zs_buf_printf(b, &err,
	    "Received: from mx by mail for <%s>\r\nFrom: Alice <alice@example.org>\r\nTo: %s\r\n"
	    "Subject: Report\r\nDate: Mon, 02 Jan 2006 15:04:05 -0700\r\nMessage-ID: <1.%s>\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: %s\r\n\r\n", to, to, to, content_type), 0);
}

/* A message with a text and an attachment. */
static inline void add_message(struct zs_buf *b, const char *to, const char *boundary, struct zs_span text,
    struct zs_span file,
    uint32_t line, const char *eol)
{
	struct zs_err err = {0};
	struct zs_buf type = ZS_BUF_INIT;

	assert_int_equal(zs_buf_printf(&type, &err, "multipart/mixed; boundary=\"%s\"%c", boundary, 0), 0);
	add_header(b, to, (const char *)type.p);
	assert_int_equal(zs_buf_printf(b, &err, "This is MIME.\r\n--%s\r\nContent-Type: text/plain\r\n\r\n", boundary),
	    0);
	assert_int_equal(zs_buf_add_span(b, text, &err), 0);
	assert_int_equal(zs_buf_printf(b, &err, "\r\n--%s\r\nContent-Type: application/pdf; name=\"x.pdf\"\r\n"
	    "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"r.pdf\"\r\n\r\n",
	    boundary), 0);
	add_base64(b, file, line, eol, 1);
	assert_int_equal(zs_buf_printf(b, &err, "\r\n--%s--\r\n", boundary), 0);
	zs_buf_fini(&type);
}

#endif
