/*
 * Parameters of Content-Type and Content-Disposition: quoted or not, and RFC 2231's charsets and continuations.
 * Lenient as mail demands: an unquoted value runs to the next semicolon.
 */
#include <string.h>

#include "mail_private.h"

#define SEGMENTS_MAX 20

#define PARAMS_MAX 32

struct param { struct zs_span name, value; int quoted; };
struct params { struct param v[PARAMS_MAX]; size_t n; };

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

/* All of them, as many as count. */
static void read_params(struct zs_span field, struct params *out)
{
	out->n = 0;
	(void)until(&field, ';', ';');
	while (out->n < PARAMS_MAX && next_param(&field, &out->v[out->n]))
		out->n++;
}

enum form { PLAIN, EXTENDED, SEGMENT, EXTENDED_SEGMENT }; /* name, name*, name*3, name*3* */

static const struct param *find(const struct params *l, const char *name, enum form form, unsigned segment)
{
	size_t name_n = strlen(name);

	for (size_t i = 0; i < l->n; i++) {
		struct zs_span s = l->v[i].name;
		unsigned k = 0;

		if (s.n < name_n || !sniff_equal(s.p, name_n, name))
			continue;
		s = zs_span(s.p + name_n, s.n - name_n);
		if (form == PLAIN && !s.n)
			return &l->v[i];
		if (form == PLAIN || !s.n || s.p[0] != '*')
			continue;
		if (form == EXTENDED && s.n == 1)
			return &l->v[i];
		if (form == EXTENDED || s.n < 2 || s.n > 4)
			continue;
		s = zs_span(s.p + 1, s.n - 1);
		for (; s.n && s.p[0] >= '0' && s.p[0] <= '9'; s = zs_span(s.p + 1, s.n - 1))
			k = k * 10 + s.p[0] - '0';
		if (k == segment && (form == SEGMENT ? !s.n : s.n == 1 && s.p[0] == '*'))
			return &l->v[i];
	}
	return NULL;
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
static int gather_extended(const struct params *l, const char *name, struct zs_buf *bytes, struct zs_buf *charset,
    struct zs_err *err)
{
	const struct param *p = find(l, name, EXTENDED, 0);
	int whole = p != NULL;

	for (unsigned k = 0; k < (whole ? 1 : SEGMENTS_MAX); k++) {
		size_t from = bytes->n;
		int encoded = 1;

		if (!whole)
			p = find(l, name, EXTENDED_SEGMENT, k);
		if (!p) {
			p = find(l, name, SEGMENT, k);
			encoded = 0;
		}
		if (!p)
			break;
		if (add_plain(p, bytes, err) < 0 || (encoded && !k && split_charset(bytes, from, charset, err) < 0))
			return -1;
		if (encoded)
			undo_percent(bytes, from);
	}
	return bytes->n > 0;
}

int params_find(struct zs_span field, const char *name, int as_text, struct zs_buf *out, struct zs_err *err)
{
	struct zs_buf bytes = ZS_BUF_INIT, charset = ZS_BUF_INIT;
	const struct param *p;
	struct params list;
	int rc;

	if (!field.n)
		return 0;
	read_params(field, &list);
	rc = gather_extended(&list, name, &bytes, &charset, err);
	if (rc < 0)
		goto out;
	if (rc && as_text) {
		rc = charset.n ? charset_text(zs_buf_span(&charset), zs_buf_span(&bytes), out, err)
			       : zs_mail_header_text(zs_buf_span(&bytes), bytes.n * 3, out, err);
	} else if (rc) {
		rc = zs_buf_add_span(out, zs_buf_span(&bytes), err);
	} else if ((p = find(&list, name, PLAIN, 0))) {
		rc = add_plain(p, &bytes, err);
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
