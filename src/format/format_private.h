/*
 * What the files of src/format share: writing and reading of tagged fields, and a
 * cursor for packed rows.  Both refuse every encoding but the one that we write.
 */
#ifndef ZSTORE_FORMAT_PRIVATE_H
#define ZSTORE_FORMAT_PRIVATE_H

#include <string.h>

#include "zstore/format.h"

#define FORMAT_CHUNK_MAX (1u << 20)  /* ZS_CHUNK_MAX, which is said by a layer above */
#define FORMAT_STRING_MAX 65535	     /* bytes of any text in a field */
#define FORMAT_LIST_MAX 65536	     /* elements of a repeated text field */
#define FORMAT_BOX_MAX 65536	     /* bytes of a box inside config and key objects */
#define FORMAT_MANIFEST_MAX (16u << 20)
#define FORMAT_REASONS_MAX 100
#define FORMAT_LEVEL_MAX 15	     /* tree levels above the leaves */
#define FORMAT_DEPTH_MAX 4	     /* recipes of recipes */
#define FORMAT_XATTR_NAME_MAX 255

/* --------------------------------------------------------- fields, writing */

/* The first failure sticks; fields_end reports it and takes back what was written. */
struct fields_writer {
	struct zs_buf *out;
	struct zs_err *err;
	const char *record;
	size_t start;
	int failed;
};

void fields_begin(struct fields_writer *w, const char *record, struct zs_buf *out, struct zs_err *err);
/* Each omits a field that has its default: 0, empty, all zero. */
void fields_add_u64(struct fields_writer *w, unsigned tag, uint64_t v);
void fields_add_i64(struct fields_writer *w, unsigned tag, int64_t v);
void fields_add_bytes(struct fields_writer *w, unsigned tag, struct zs_span s);
void fields_add_fixed(struct fields_writer *w, unsigned tag, const uint8_t *p, size_t n);
void fields_add_text(struct fields_writer *w, unsigned tag, const char *text);
/* These write even what is empty. */
void fields_add_any(struct fields_writer *w, unsigned tag, struct zs_span s);
void fields_add_texts(struct fields_writer *w, unsigned tag, const struct zs_strings *l, size_t max);
/* Sets the error unless there is one already. */
void fields_refuse(struct fields_writer *w, enum zs_cause cause, const char *why);
int fields_end(struct fields_writer *w) ZS_MUST_USE;

/* --------------------------------------------------------- fields, reading */

#define FIELD(tag) (UINT64_C(1) << (tag))

struct fields {
	const char *record;
	struct zs_err *err;
	struct zs_span rest;
	uint64_t once, many; /* known tags, as FIELD() sets: those that stand once, those that may repeat */
	uint64_t seen;
	uint64_t last;
};

void fields_open(
    struct fields *f, const char *record, struct zs_span s, uint64_t once, uint64_t many, struct zs_err *err);
/* 1 with the next known field; 0 at the end; -1 ZS_CORRUPT, ZS_VERSION.  Unknown even tags are skipped. */
int fields_next(struct fields *f, unsigned *out_tag, struct zs_span *out_value) ZS_MUST_USE;
/* 0 if every tag of the set was there. */
int fields_need(const struct fields *f, uint64_t tags) ZS_MUST_USE;
int fields_bad(const struct fields *f, const char *what, const char *why);
int fields_newer(const struct fields *f, const char *what);
/* A default value (0, empty, all zero) is refused: it would have been omitted. */
int fields_u64(const struct fields *f, const char *what, struct zs_span value, uint64_t max, uint64_t *out) ZS_MUST_USE;
int fields_i64(const struct fields *f, const char *what, struct zs_span value, int64_t *out) ZS_MUST_USE;
int fields_fixed(const struct fields *f, const char *what, struct zs_span value, uint8_t *out, size_t n) ZS_MUST_USE;
int fields_text(const struct fields *f, const char *what, struct zs_span value, char **out) ZS_MUST_USE;
int fields_texts(
    const struct fields *f, const char *what, struct zs_span value, struct zs_strings *l, size_t max) ZS_MUST_USE;
/* A copy with a NUL behind; ZS_NOMEM. */
char *fields_dup(struct zs_span s, struct zs_err *err);

/* Only well-formed fields with even tags, none of them in `known`: what may stand behind a packed record. */
int fields_check_unknown(const char *record, struct zs_span s, struct zs_err *err) ZS_MUST_USE;

/* Magic, version, reserved in front of an object.  Takes it off *s. */
#define FORMAT_HEAD 8
int fields_add_head(struct zs_buf *out, const char magic[static 4], struct zs_err *err) ZS_MUST_USE;
int fields_take_head(struct zs_span *s, const char magic[static 4], const char *record, struct zs_err *err) ZS_MUST_USE;

/* A list that grows by doubling: room for one more of `size` bytes each. */
int fields_grow(void **v, size_t n, size_t *cap, size_t size, struct zs_err *err) ZS_MUST_USE;

int fields_totals_check(const struct zs_totals *t); /* 1 if they can be true */
int fields_totals_add(struct zs_totals *sum, const struct zs_totals *t) ZS_MUST_USE; /* -1: overflow */

static inline int bytes_zero(const uint8_t *p, size_t n)
{
	uint8_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= p[i];
	return any == 0;
}

/* ------------------------------------------------------------ packed rows */

#define VARINT_MAX 10

/* The caller has made room for VARINT_MAX bytes. */
static inline uint8_t *row_put_varint(uint8_t *p, uint64_t v)
{
	while (v >= 0x80) {
		*p++ = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	*p++ = (uint8_t)v;
	return p;
}

static inline uint8_t *row_put_bytes(uint8_t *p, const void *from, size_t n)
{
	if (n)
		memcpy(p, from, n);
	return p + n;
}

static inline uint8_t *row_put_span(uint8_t *p, struct zs_span s)
{
	return row_put_bytes(row_put_varint(p, s.n), s.p, s.n);
}

/* Reads on after a failure without harm (zeros, empty spans); `bad` names the first field that was not there. */
struct row {
	const uint8_t *p, *end;
	const char *bad;
};

static inline struct row row_open(struct zs_span s)
{
	struct row r = {s.p, s.n ? s.p + s.n : s.p, NULL};

	return r;
}

static inline struct zs_span row_rest(const struct row *r)
{
	return zs_span(r->p, (size_t)(r->end - r->p));
}

static inline void row_fail(struct row *r, const char *what)
{
	if (!r->bad)
		r->bad = what;
	r->p = r->end;
}

static inline uint64_t row_varint(struct row *r, const char *what)
{
	uint64_t v = 0;

	for (unsigned shift = 0; r->p < r->end; shift += 7) {
		uint8_t b = *r->p++;

		if (shift == 63 && b > 1)
			break;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (b & 0x80)
			continue;
		if (!b && shift) /* a shorter form exists */
			break;
		return v;
	}
	row_fail(r, what);
	return 0;
}

static inline struct zs_span row_bytes(struct row *r, uint64_t n, const char *what)
{
	struct zs_span s = {NULL, 0};

	if (n > (size_t)(r->end - r->p)) {
		row_fail(r, what);
		return s;
	}
	if (n) { /* p may be NULL otherwise */
		s = zs_span(r->p, (size_t)n);
		r->p += n;
	}
	return s;
}

/* Length and bytes; empty is refused, because it would have been omitted. */
static inline struct zs_span row_span(struct row *r, const char *what)
{
	uint64_t n = row_varint(r, what);

	if (!n)
		row_fail(r, what);
	return row_bytes(r, n, what);
}

#endif
