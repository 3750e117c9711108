/*
 * Tagged fields: (tag varint, length varint, bytes), tags ascending.  Writing and
 * reading of the forms that the records use; what a field means is left to them.
 */
#include <stdlib.h>

#include "format_private.h"

/* ------------------------------------------------------------------ writing */

void fields_begin(struct fields_writer *w, const char *record, struct zs_buf *out, struct zs_err *err)
{
	*w = (struct fields_writer){.out = out, .err = err, .record = record, .start = out->n};
}

void fields_refuse(struct fields_writer *w, enum zs_cause cause, const char *why)
{
	if (!w->failed)
		w->failed = zs_fail(w->err, cause, "%s: %s", w->record, why);
}

void fields_add_any(struct fields_writer *w, unsigned tag, struct zs_span s)
{
	if (w->failed)
		return;
	if (zs_buf_add_varint(w->out, tag, w->err) < 0 || zs_buf_add_varint(w->out, s.n, w->err) < 0 ||
	    zs_buf_add_span(w->out, s, w->err) < 0)
		w->failed = -1;
}

void fields_add_bytes(struct fields_writer *w, unsigned tag, struct zs_span s)
{
	if (s.n)
		fields_add_any(w, tag, s);
}

void fields_add_u64(struct fields_writer *w, unsigned tag, uint64_t v)
{
	uint8_t b[VARINT_MAX];

	if (v)
		fields_add_any(w, tag, zs_span(b, (size_t)(row_put_varint(b, v) - b)));
}

void fields_add_i64(struct fields_writer *w, unsigned tag, int64_t v)
{
	fields_add_u64(w, tag, zs_zigzag(v));
}

void fields_add_fixed(struct fields_writer *w, unsigned tag, const uint8_t *p, size_t n)
{
	if (!bytes_zero(p, n))
		fields_add_any(w, tag, zs_span(p, n));
}

void fields_add_text(struct fields_writer *w, unsigned tag, const char *text)
{
	if (!text || !*text)
		return;
	if (strlen(text) > FORMAT_STRING_MAX)
		fields_refuse(w, ZS_LIMIT, "a text is too long");
	fields_add_any(w, tag, zs_span_str(text));
}

void fields_add_texts(struct fields_writer *w, unsigned tag, const struct zs_strings *l, size_t max)
{
	if (l->n > max)
		fields_refuse(w, ZS_LIMIT, "a list is too long");
	for (size_t i = 0; i < l->n && !w->failed; i++) {
		if (strlen(l->v[i]) > FORMAT_STRING_MAX)
			fields_refuse(w, ZS_LIMIT, "a text is too long");
		fields_add_any(w, tag, zs_span_str(l->v[i]));
	}
}

int fields_end(struct fields_writer *w)
{
	if (w->failed)
		w->out->n = w->start;
	return w->failed;
}

/* ------------------------------------------------------------------ reading */

void fields_open(
    struct fields *f, const char *record, struct zs_span s, uint64_t once, uint64_t many, struct zs_err *err)
{
	*f = (struct fields){.record = record, .err = err, .rest = s, .once = once, .many = many};
}

int fields_bad(const struct fields *f, const char *what, const char *why)
{
	return zs_fail(f->err, ZS_CORRUPT, "%s: %s: %s", f->record, what, why);
}

int fields_newer(const struct fields *f, const char *what)
{
	return zs_fail(f->err, ZS_VERSION, "%s: %s is unknown to this version", f->record, what);
}

int fields_next(struct fields *f, unsigned *out_tag, struct zs_span *out_value)
{
	while (f->rest.n) {
		uint64_t tag, length, bit;

		if (zs_take_varint(&f->rest, &tag) < 0 || zs_take_varint(&f->rest, &length) < 0 || tag == 0)
			return fields_bad(f, "field", "tag or length is damaged");
		if (length > f->rest.n || zs_take_bytes(&f->rest, (size_t)length, out_value) < 0)
			return zs_fail(
			    f->err, ZS_CORRUPT, "%s: field %llu is cut short", f->record, (unsigned long long)tag);
		bit = tag < 64 ? FIELD(tag) : 0;
		if (tag < f->last || (tag == f->last && (bit & f->once)))
			return zs_fail(
			    f->err, ZS_CORRUPT, "%s: field %llu is out of order", f->record, (unsigned long long)tag);
		f->last = tag;
		f->seen |= bit;
		if (bit & (f->once | f->many)) {
			*out_tag = (unsigned)tag;
			return 1;
		}
		if (tag & 1)
			return zs_fail(f->err, ZS_VERSION, "%s: field %llu is unknown to this version", f->record,
			    (unsigned long long)tag);
	}
	return 0;
}

int fields_need(const struct fields *f, uint64_t tags)
{
	for (unsigned tag = 1; tag < 64; tag++)
		if ((tags & ~f->seen) & FIELD(tag))
			return zs_fail(f->err, ZS_CORRUPT, "%s: field %u is missing", f->record, tag);
	return 0;
}

int fields_u64(const struct fields *f, const char *what, struct zs_span value, uint64_t max, uint64_t *out)
{
	uint64_t v;

	if (zs_take_varint(&value, &v) < 0 || value.n || !v)
		return fields_bad(f, what, "is no number");
	if (v > max)
		return fields_bad(f, what, "is out of range");
	*out = v;
	return 0;
}

int fields_i64(const struct fields *f, const char *what, struct zs_span value, int64_t *out)
{
	uint64_t v = 0;

	if (fields_u64(f, what, value, UINT64_MAX, &v) < 0)
		return -1;
	*out = zs_unzigzag(v);
	return 0;
}

int fields_fixed(const struct fields *f, const char *what, struct zs_span value, uint8_t *out, size_t n)
{
	if (value.n != n || bytes_zero(value.p, n))
		return fields_bad(f, what, "has the wrong length or is zero");
	memcpy(out, value.p, n);
	return 0;
}

char *fields_dup(struct zs_span s, struct zs_err *err)
{
	char *text = malloc(s.n + 1);

	if (!text) {
		zs_fail_nomem(err);
		return NULL;
	}
	if (s.n)
		memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return text;
}

static int text_check(const struct fields *f, const char *what, struct zs_span value)
{
	if (value.n > FORMAT_STRING_MAX)
		return fields_bad(f, what, "is too long");
	if (value.n && memchr(value.p, 0, value.n))
		return fields_bad(f, what, "holds a NUL");
	return 0;
}

int fields_text(const struct fields *f, const char *what, struct zs_span value, char **out)
{
	char *text;

	if (!value.n)
		return fields_bad(f, what, "is empty");
	if (text_check(f, what, value) < 0)
		return -1;
	text = fields_dup(value, f->err);
	if (!text)
		return -1;
	free(*out);
	*out = text;
	return 0;
}

int fields_texts(const struct fields *f, const char *what, struct zs_span value, struct zs_strings *l, size_t max)
{
	if (l->n >= max)
		return fields_bad(f, what, "are too many");
	if (text_check(f, what, value) < 0)
		return -1;
	return zs_strings_add(l, value, f->err);
}

int fields_check_unknown(const char *record, struct zs_span s, struct zs_err *err)
{
	struct fields f;
	struct zs_span value;
	unsigned tag;

	fields_open(&f, record, s, 0, 0, err);
	return fields_next(&f, &tag, &value);
}

/* ------------------------------------------------------------------- others */

int fields_add_head(struct zs_buf *out, const char magic[static 4], struct zs_err *err)
{
	uint8_t head[FORMAT_HEAD] = {0};

	memcpy(head, magic, 4);
	zs_put_u16(head + 4, ZS_FORMAT_VERSION);
	return zs_buf_add(out, head, sizeof head, err);
}

int fields_take_head(struct zs_span *s, const char magic[static 4], const char *record, struct zs_err *err)
{
	struct zs_span head;
	uint16_t version;

	if (zs_take_bytes(s, FORMAT_HEAD, &head) < 0)
		return zs_fail(err, ZS_CORRUPT, "%s: is cut short", record);
	if (memcmp(head.p, magic, 4) != 0)
		return zs_fail(err, ZS_CORRUPT, "%s: is none (wrong magic number)", record);
	version = zs_get_u16(head.p + 4);
	if (version > ZS_FORMAT_VERSION)
		return zs_fail(err, ZS_VERSION, "%s: has format version %u, this program knows up to %d", record,
		    version, ZS_FORMAT_VERSION);
	if (!version || zs_get_u16(head.p + 6))
		return zs_fail(err, ZS_CORRUPT, "%s: head is damaged", record);
	return 0;
}

int fields_grow(void **v, size_t n, size_t *cap, size_t size, struct zs_err *err)
{
	size_t want = n < 4 ? 8 : 2 * n;
	void *p;

	if (n < *cap)
		return 0;
	if (n > SIZE_MAX / 4 / size)
		return zs_fail_nomem(err);
	p = realloc(*v, want * size);
	if (!p)
		return zs_fail_nomem(err);
	*v = p;
	*cap = want;
	return 0;
}

int fields_totals_check(const struct zs_totals *t)
{
	return t->files <= t->entries && t->messages <= t->files;
}

int fields_totals_add(struct zs_totals *sum, const struct zs_totals *t)
{
	struct zs_totals s;

	if (__builtin_add_overflow(sum->entries, t->entries, &s.entries) ||
	    __builtin_add_overflow(sum->files, t->files, &s.files) ||
	    __builtin_add_overflow(sum->messages, t->messages, &s.messages) ||
	    __builtin_add_overflow(sum->bytes, t->bytes, &s.bytes))
		return -1;
	*sum = s;
	return 0;
}
