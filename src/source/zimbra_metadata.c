/*
 * The column `metadata`: bencode of text, or the form key=len:value; that it replaced.  Both count in units of UTF-16, as Java
 * does.  Where a text was taken for Latin-1 once too often (the lengths do not fit then), that is undone, as the server does.
 */
#include "zimbra_mime_private.h"
#include "zimbra_private.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_MAX (16u << 20)
#define VALUES_MAX 1000000u
#define LEVELS_MAX 32u
#define LENGTH_DIGITS_MAX 9
#define NUMBER_DIGITS_MAX 19

struct zimbra_meta_value {
	const uint8_t *key, *text;
	uint32_t key_n, text_n;
	uint32_t count; /* values in it, itself included: the next one stands that far behind it */
	enum zimbra_meta_type type;
};

struct zimbra_meta {
	struct zs_buf text;
	struct zimbra_meta_value *v; /* each before those in it */
	size_t n, cap;
};

struct parser {
	struct zimbra_meta *m;
	const uint8_t *p;
	size_t at, end;
	struct zs_err *err;
};

static int bad(const struct parser *p, const char *what)
{
	return zs_fail(p->err, ZS_SOURCE, "metadata: %s at byte %zu", what, p->at);
}

static int add_value(struct parser *p, enum zimbra_meta_type type, struct zs_span key, size_t *out_at)
{
	struct zimbra_meta *m = p->m;

	if (m->n == VALUES_MAX)
		return zs_fail(p->err, ZS_LIMIT, "metadata: more than %u values", VALUES_MAX);
	if (m->n == m->cap) {
		size_t cap = m->cap ? 2 * m->cap : 16;
		struct zimbra_meta_value *v = realloc(m->v, cap * sizeof *v);

		if (!v)
			return zs_fail_nomem(p->err);
		m->v = v;
		m->cap = cap;
	}
	m->v[m->n] = (struct zimbra_meta_value){.key = key.p, .key_n = (uint32_t)key.n, .count = 1, .type = type};
	*out_at = m->n++;
	return 0;
}

static int add_text(struct parser *p, enum zimbra_meta_type type, struct zs_span key, struct zs_span text)
{
	size_t at;

	if (add_value(p, type, key, &at) < 0)
		return -1;
	p->m->v[at].text = text.p;
	p->m->v[at].text_n = (uint32_t)text.n;
	return 0;
}

static void close_value(struct parser *p, size_t at)
{
	p->m->v[at].count = (uint32_t)(p->m->n - at);
}

/* Bytes of the unit of UTF-16 at p; 4: two units.  A half of a pair that stands alone is one; what is no UTF-8 is one for each byte. */
static size_t unit_bytes(const uint8_t *p, size_t n)
{
	size_t len = zs_utf8_length(p, n);

	if (len == 0 && n >= 3 && p[0] == 0xed && (p[1] & 0xe0) == 0xa0 && (p[2] & 0xc0) == 0x80)
		return 3;
	return len ? len : 1;
}

static int take_units(struct parser *p, size_t units, struct zs_span *out)
{
	size_t from = p->at;

	while (units > 0) {
		size_t n;

		if (p->at == p->end)
			return bad(p, "a text that is cut short");
		n = unit_bytes(p->p + p->at, p->end - p->at);
		if (n == 4 && units == 1)
			return bad(p, "a length that ends within a character");
		units -= n == 4 ? 2 : 1;
		p->at += n;
	}
	*out = zs_span(p->p + from, p->at - from);
	return 0;
}

/* Digits and the colon behind them. */
static int take_length(struct parser *p, size_t *out)
{
	size_t from = p->at, n = 0;

	for (; p->at < p->end && p->p[p->at] >= '0' && p->p[p->at] <= '9'; p->at++) {
		if (p->at - from == LENGTH_DIGITS_MAX)
			return bad(p, "a length that is too large");
		n = 10 * n + (size_t)(p->p[p->at] - '0');
	}
	if (p->at == from || p->at == p->end || p->p[p->at] != ':')
		return bad(p, "no length");
	p->at++;
	*out = n;
	return 0;
}

static int take_text(struct parser *p, struct zs_span *out)
{
	size_t units = 0;

	return take_length(p, &units) < 0 ? -1 : take_units(p, units, out);
}

/* ---------------------------------------------------------------------- bencode */

static int take_value(struct parser *p, struct zs_span key, unsigned level);

/* Behind the 'i': digits and an 'e'. */
static int take_number(struct parser *p, struct zs_span key)
{
	size_t from = p->at, digits;

	if (p->at < p->end && p->p[p->at] == '-')
		p->at++;
	for (digits = p->at; p->at < p->end && p->p[p->at] >= '0' && p->p[p->at] <= '9';)
		p->at++;
	if (p->at == digits || p->at - digits > NUMBER_DIGITS_MAX || p->at == p->end || p->p[p->at] != 'e')
		return bad(p, "no number");
	return add_text(p, ZIMBRA_META_NUMBER, key, zs_span(p->p + from, p->at++ - from));
}

/* Behind the 'd' or 'l': values and an 'e'. */
static int take_inner(struct parser *p, enum zimbra_meta_type type, struct zs_span key, unsigned level)
{
	size_t self;

	if (level == LEVELS_MAX)
		return zs_fail(p->err, ZS_LIMIT, "metadata: more than %u levels", LEVELS_MAX);
	if (add_value(p, type, key, &self) < 0)
		return -1;
	while (p->at < p->end && p->p[p->at] != 'e') {
		struct zs_span name = {NULL, 0};

		if (type == ZIMBRA_META_DICT && take_text(p, &name) < 0)
			return -1;
		if (take_value(p, name, level + 1) < 0)
			return -1;
	}
	if (p->at == p->end)
		return bad(p, "no end");
	p->at++;
	close_value(p, self);
	return 0;
}

static int take_value(struct parser *p, struct zs_span key, unsigned level)
{
	struct zs_span text;
	uint8_t c;

	if (p->at == p->end)
		return bad(p, "no value");
	c = p->p[p->at];
	if (c == 'd' || c == 'l' || c == 'i') {
		p->at++;
		return c == 'i' ? take_number(p, key) :
				  take_inner(p, c == 'd' ? ZIMBRA_META_DICT : ZIMBRA_META_LIST, key, level);
	}
	if (take_text(p, &text) < 0)
		return -1;
	return add_text(p, ZIMBRA_META_TEXT, key, text);
}

static int parse_bencode(struct parser *p)
{
	if (p->p[0] != 'd')
		return bad(p, "no dictionary");
	if (take_value(p, zs_span(NULL, 0), 0) < 0)
		return -1;
	return p->at < p->end ? bad(p, "more than one value") : 0;
}

/* -------------------------------------------------------------- key=len:value; */

static int take_pairs(struct parser *p, struct zs_span key, unsigned level);

/* A value is a dictionary if all of it can be read as one; else it is text. */
static int add_old_value(struct parser *p, struct zs_span key, struct zs_span text, unsigned level)
{
	struct parser inner = {p->m, text.p, 0, text.n, p->err};
	size_t before = p->m->n;

	if (text.n > 5 && level + 1 < LEVELS_MAX && memchr(text.p, '=', text.n)) {
		if (take_pairs(&inner, key, level + 1) == 0)
			return 0;
		if (p->err->cause != ZS_SOURCE)
			return -1;
		zs_err_clear(p->err);
		p->m->n = before;
	}
	return add_text(p, ZIMBRA_META_TEXT, key, text);
}

static int take_pairs(struct parser *p, struct zs_span key, unsigned level)
{
	size_t self;

	if (add_value(p, ZIMBRA_META_DICT, key, &self) < 0)
		return -1;
	do {
		const uint8_t *name = p->p + p->at, *equals = memchr(name, '=', p->end - p->at);
		struct zs_span text;

		if (!equals || equals == name)
			return bad(p, "no key");
		p->at = (size_t)(equals - p->p) + 1;
		if (take_text(p, &text) < 0)
			return -1;
		if (p->at == p->end || p->p[p->at] != ';')
			return bad(p, "no ';' behind a value");
		p->at++;
		if (add_old_value(p, zs_span(name, (size_t)(equals - name)), text, level) < 0)
			return -1;
	} while (p->at < p->end);
	close_value(p, self);
	return 0;
}

/* ------------------------------------------------------------------------ whole */

/* =?utf-8?B?...?=, several of them if the text was long.  1 and the text; 0: it is none. */
static int decode_words(struct zs_span column, struct zs_buf *out, struct zs_err *err)
{
	static const char open[] = "=?utf-8?b?";
	const size_t open_n = sizeof open - 1;
	size_t at = 0;

	if (column.n < 2 || memcmp(column.p, "=?", 2) != 0)
		return 0;
	while (at < column.n) {
		const uint8_t *word = column.p + at, *end;
		size_t n, foreign;

		if (column.n - at < open_n || !zimbra_mime_is(zs_span(word, open_n), open))
			return zs_fail(err, ZS_SOURCE, "metadata: no encoded word of UTF-8 at byte %zu", at);
		end = memchr(word + open_n, '?', column.n - at - open_n);
		if (!end || end + 1 == column.p + column.n || end[1] != '=')
			return zs_fail(err, ZS_SOURCE, "metadata: no end of the encoded word at byte %zu", at);
		n = (size_t)(end - word) - open_n;
		if (zimbra_mime_base64(zs_span(word + open_n, n), out, &foreign, err) < 0)
			return -1;
		if (foreign < n)
			return zs_fail(err, ZS_SOURCE, "metadata: no base64 at byte %zu", at + open_n + foreign);
		at += open_n + n + 2;
		while (at < column.n && memchr(" \t\r\n", column.p[at], 4))
			at++;
	}
	return 1;
}

/* Characters up to U+00FF become the bytes that they once were, others '?'.  1; 0: there are none that could have been damaged. */
static int undo_latin1(struct zs_span text, struct zs_buf *out, struct zs_err *err)
{
	int rc = 0;

	if (zs_buf_reserve(out, text.n, err) < 0)
		return -1;
	for (size_t at = 0, n; at < text.n; at += n) {
		uint8_t c = text.p[at];

		n = unit_bytes(text.p + at, text.n - at);
		if (n == 2 && c <= 0xc3) {
			c = (uint8_t)(c << 6 | (text.p[at + 1] & 63));
			rc = 1;
		} else if (n > 1) {
			c = '?';
		}
		out->p[out->n++] = c;
	}
	return rc;
}

static int parse_as(struct zimbra_meta *m, int (*form)(struct parser *), struct zs_err *err)
{
	struct parser p = {m, m->text.p, 0, m->text.n, err};

	m->n = 0;
	return form(&p);
}

static int parse_pairs(struct parser *p)
{
	return take_pairs(p, zs_span(NULL, 0), 0);
}

/* As bencode once the damage is undone: 1; 0: it was none, m's text is as before; -1. */
static int parse_damaged(struct zimbra_meta *m, struct zs_err *err)
{
	struct zs_buf text = m->text;
	struct zs_err second = {0};
	int rc;

	m->text = (struct zs_buf)ZS_BUF_INIT;
	if ((rc = undo_latin1(zs_buf_span(&text), &m->text, err)) > 0) {
		if (parse_as(m, parse_bencode, &second) == 0) {
			zs_buf_fini(&text);
			return 1;
		}
		rc = second.cause == ZS_SOURCE ? 0 : -1;
		if (rc < 0)
			*err = second;
	}
	zs_buf_fini(&m->text);
	m->text = text;
	return rc;
}

/* Bencode, damaged bencode, the old form; an error is that of the form that it looks like. */
static int parse_text(struct zimbra_meta *m, struct zs_err *err)
{
	struct parser whole = {m, m->text.p, 0, 0, err};
	struct zs_err second = {0};
	size_t top;
	int rc;

	if (m->text.n == 0)
		return add_value(&whole, ZIMBRA_META_DICT, zs_span(NULL, 0), &top);
	if ((rc = parse_as(m, parse_bencode, err)) == 0 || err->cause != ZS_SOURCE)
		return rc;
	if (m->text.p[0] == 'd')
		rc = parse_damaged(m, &second);
	if (rc <= 0 && second.cause == ZS_OK)
		rc = parse_as(m, parse_pairs, &second);
	if (rc >= 0)
		zs_err_clear(err);
	else if (m->text.p[0] != 'd' || second.cause != ZS_SOURCE)
		*err = second;
	return rc < 0 ? -1 : 0;
}

int zimbra_metadata_parse(struct zs_span column, struct zimbra_meta **out, struct zs_err *err)
{
	struct zimbra_meta *m;
	int rc;

	if (column.n > BYTES_MAX)
		return zs_fail(err, ZS_LIMIT, "metadata: %zu bytes are more than %u", column.n, BYTES_MAX);
	if (!(m = calloc(1, sizeof *m)))
		return zs_fail_nomem(err);
	if ((rc = decode_words(column, &m->text, err)) == 0)
		rc = zs_buf_add_span(&m->text, column, err);
	if (rc < 0 || parse_text(m, err) < 0) {
		zimbra_metadata_free(m);
		return -1;
	}
	*out = m;
	return 0;
}

void zimbra_metadata_free(struct zimbra_meta *m)
{
	if (!m)
		return;
	zs_buf_fini(&m->text);
	free(m->v);
	free(m);
}

/* ---------------------------------------------------------------------- reading */

const struct zimbra_meta_value *zimbra_metadata_top(const struct zimbra_meta *m)
{
	return m->v;
}

enum zimbra_meta_type zimbra_metadata_type(const struct zimbra_meta_value *v)
{
	return v->type;
}

struct zs_span zimbra_metadata_text(const struct zimbra_meta_value *v)
{
	return zs_span(v->text, v->text_n);
}

int zimbra_metadata_next(const struct zimbra_meta_value *v, size_t *at, struct zs_span *out_key, const struct zimbra_meta_value **out)
{
	if (*at == 0)
		*at = 1;
	if (*at >= v->count)
		return 0;
	*out = v + *at;
	*out_key = zs_span((*out)->key, (*out)->key_n);
	*at += (*out)->count;
	return 1;
}

/* The last one of that name, as in a map of Java. */
const struct zimbra_meta_value *zimbra_metadata_get(const struct zimbra_meta_value *dict, const char *key)
{
	const struct zimbra_meta_value *v, *found = NULL;
	struct zs_span name, want = zs_span_str(key);

	if (dict->type != ZIMBRA_META_DICT)
		return NULL;
	for (size_t at = 0; zimbra_metadata_next(dict, &at, &name, &v);)
		if (zs_span_eq(name, want))
			found = v;
	return found;
}
