/*
 * Parameters of Content-Type and Content-Disposition: quoted or not, and RFC 2231's charsets and continuations.
 * Lenient as mail demands: an unquoted value runs to the next semicolon.
 */
#include <string.h>

#include "mail_private.h"

#define SEGMENTS_MAX 20

struct param { struct zs_span name, value; int quoted; };

static int is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(struct zs_span *s)
{
	while (s->n && is_space(s->p[0]))
		*s = zs_span(s->p + 1, s->n - 1);
}

/* Up to one of the stops, quotes respected. */
static struct zs_span until(struct zs_span *s, char stop, char also)
{
	struct zs_span part = {s->p, 0};
	int quoted = 0;
	size_t i;

	for (i = 0; i < s->n; i++) {
		uint8_t c = s->p[i];

		if (c == '"')
			quoted = !quoted;
		else if (c == '\\' && quoted && i + 1 < s->n)
			i++;
		else if (!quoted && (c == (uint8_t)stop || c == (uint8_t)also))
			break;
	}
	part.n = i;
	*s = zs_span(s->p + i, s->n - i);
	while (part.n && is_space(part.p[part.n - 1]))
		part.n--;
	return part;
}

/* The next "; name=value"; 0 at the end. */
static int next_param(struct zs_span *s, struct param *out)
{
	while (s->n) {
		if (s->p[0] == ';')
			*s = zs_span(s->p + 1, s->n - 1);
		skip_space(s);
		out->name = until(s, '=', ';');
		if (!s->n || s->p[0] != '=')
			continue;
		*s = zs_span(s->p + 1, s->n - 1);
		skip_space(s);
		out->value = until(s, ';', ';');
		out->quoted = out->value.n >= 2 && out->value.p[0] == '"';
		return 1;
	}
	return 0;
}

static int find(struct zs_span field, const char *name, struct param *out)
{
	(void)until(&field, ';', ';');
	while (next_param(&field, out))
		if (sniff_equal(out->name.p, out->name.n, name))
			return 1;
	return 0;
}

/* The value without its quotes. */
static int add_plain(const struct param *p, struct zs_buf *out, struct zs_err *err)
{
	struct zs_span v = p->value;

	if (!p->quoted)
		return zs_buf_add_span(out, v, err);
	for (size_t i = 1; i < v.n && v.p[i] != '"'; i++) {
		if (v.p[i] == '\\' && i + 1 < v.n)
			i++;
		if (zs_buf_add_u8(out, v.p[i], err) < 0)
			return -1;
	}
	return 0;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void undo_percent(struct zs_buf *b, size_t from)
{
	size_t to = from;

	for (size_t i = from; i < b->n; i++) {
		uint8_t c = b->p[i];

		if (c == '%' && i + 2 < b->n && hex_value(b->p[i + 1]) >= 0 && hex_value(b->p[i + 2]) >= 0) {
			c = (uint8_t)(hex_value(b->p[i + 1]) << 4 | hex_value(b->p[i + 2]));
			i += 2;
		}
		b->p[to++] = c;
	}
	b->n = to;
}

/* Take "charset'language'" off the front of what was added after `from`. */
static int split_charset(struct zs_buf *b, size_t from, struct zs_buf *charset, struct zs_err *err)
{
	uint8_t *first = b->n > from ? memchr(b->p + from, '\'', b->n - from) : NULL, *second;

	if (!first || !(second = memchr(first + 1, '\'', (size_t)(b->p + b->n - first - 1))))
		return 0;
	if (zs_buf_add(charset, b->p + from, (size_t)(first - b->p) - from, err) < 0)
		return -1;
	second++;
	memmove(b->p + from, second, (size_t)(b->p + b->n - second));
	b->n -= (size_t)(second - (b->p + from));
	return 0;
}

/* name*, or name*0, name*0*, name*1 ... : the bytes and their charset.  1 found, 0, -1. */
static int gather_extended(struct zs_span field, const char *name, struct zs_buf *bytes, struct zs_buf *charset, struct zs_err *err)
{
	for (unsigned k = 0; k <= SEGMENTS_MAX; k++) {
		struct zs_buf want = ZS_BUF_INIT;
		struct param p = {.quoted = 0};
		size_t from = bytes->n;
		int rc, encoded = 1;

		rc = k ? zs_buf_printf(&want, err, "%s*%u*", name, k - 1) : zs_buf_printf(&want, err, "%s*", name);
		if (!rc)
			rc = zs_buf_add_u8(&want, 0, err);
		if (rc < 0) {
			zs_buf_fini(&want);
			return -1;
		}
		rc = find(field, (const char *)want.p, &p);
		if (!rc && k) {
			want.p[want.n - 2] = 0; /* the same without the last star */
			encoded = 0;
			rc = find(field, (const char *)want.p, &p);
		}
		zs_buf_fini(&want);
		if (!rc && k)
			return bytes->n > 0;
		if (!rc)
			continue;
		if (add_plain(&p, bytes, err) < 0 || (encoded && k < 2 && split_charset(bytes, from, charset, err) < 0))
			return -1;
		if (encoded)
			undo_percent(bytes, from);
		if (!k)
			return 1;
	}
	return bytes->n > 0;
}

int params_find(struct zs_span field, const char *name, int as_text, struct zs_buf *out, struct zs_err *err)
{
	struct zs_buf bytes = ZS_BUF_INIT, charset = ZS_BUF_INIT;
	struct param p;
	int rc;

	rc = gather_extended(field, name, &bytes, &charset, err);
	if (rc < 0)
		goto out;
	if (rc && as_text) {
		rc = charset.n ? charset_text(zs_buf_span(&charset), zs_buf_span(&bytes), out, err)
			       : zs_mail_header_text(zs_buf_span(&bytes), bytes.n * 3, out, err);
	} else if (rc) {
		rc = zs_buf_add_span(out, zs_buf_span(&bytes), err);
	} else if (find(field, name, &p)) {
		rc = add_plain(&p, &bytes, err);
		if (!rc)
			rc = as_text ? zs_mail_header_text(zs_buf_span(&bytes), bytes.n * 3, out, err)
				     : zs_buf_add_span(out, zs_buf_span(&bytes), err);
	} else {
		goto out; /* absent */
	}
	rc = rc < 0 ? -1 : 1;
out:
	zs_buf_fini(&bytes);
	zs_buf_fini(&charset);
	return rc;
}
