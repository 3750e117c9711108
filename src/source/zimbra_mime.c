/*
 * The leaves of a message, found line by line in one pass: a stack of the boundaries that may come next, and the header or body
 * that the line belongs to.  A part's end that is missing is where its multipart ends, or the message.
 */
#include "zimbra_mime_private.h"

#include <string.h>

#define BOUNDARY_MAX 200

/* ------------------------------------------------------------------------ words */

static uint8_t small(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static int is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int begins(struct zs_span text, const char *word)
{
	size_t n = strlen(word);

	if (text.n < n)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (small(text.p[i]) != small((uint8_t)word[i]))
			return 0;
	return 1;
}

int zimbra_mime_is(struct zs_span text, const char *word)
{
	return text.n == strlen(word) && begins(text, word);
}

static struct zs_span skip(struct zs_span s, size_t n)
{
	return zs_span(s.p + n, s.n - n);
}

static struct zs_span trim(struct zs_span s)
{
	while (s.n && is_blank(s.p[0]))
		s = skip(s, 1);
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* ------------------------------------------------------------------ content type */

struct content {
	struct zs_span type, charset, boundary; /* boundary: quoted pairs are still in it */
	enum zimbra_mime_encoding encoding;
};

/* What stands before the next ';' that is not quoted, and moves *s behind it. */
static struct zs_span take_parameter(struct zs_span *s)
{
	struct zs_span all = *s;
	size_t n = 0;

	for (int quoted = 0; n < all.n && (quoted || all.p[n] != ';'); n++) {
		if (all.p[n] == '"')
			quoted = !quoted;
		else if (quoted && all.p[n] == '\\' && n + 1 < all.n)
			n++;
	}
	*s = n < all.n ? skip(all, n + 1) : zs_span(NULL, 0);
	return trim(zs_span(all.p, n));
}

static void read_type(struct zs_span value, struct content *c)
{
	c->type = take_parameter(&value);
	while (value.n) {
		struct zs_span parameter = take_parameter(&value), v;
		const uint8_t *equals = parameter.n ? memchr(parameter.p, '=', parameter.n) : NULL;
		size_t name_n = equals ? (size_t)(equals - parameter.p) : 0;

		if (!equals)
			continue;
		v = trim(skip(parameter, name_n + 1));
		if (v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"')
			v = zs_span(v.p + 1, v.n - 2);
		parameter = trim(zs_span(parameter.p, name_n));
		if (zimbra_mime_is(parameter, "boundary"))
			c->boundary = v;
		else if (zimbra_mime_is(parameter, "charset"))
			c->charset = v;
	}
}

static void read_field(struct zs_span field, struct content *c)
{
	static const char type[] = "content-type:", encoding[] = "content-transfer-encoding:";

	if (begins(field, type)) {
		read_type(skip(field, sizeof type - 1), c);
	} else if (begins(field, encoding)) {
		field = trim(skip(field, sizeof encoding - 1));
		c->encoding = zimbra_mime_is(field, "base64") ? ZIMBRA_MIME_BASE64 :
			      zimbra_mime_is(field, "quoted-printable") ? ZIMBRA_MIME_QUOTED : ZIMBRA_MIME_PLAIN;
	}
}

/* Each field with the lines that continue it. */
static void read_header(struct zs_span header, struct content *c)
{
	size_t from = 0, at = 0;

	while (at < header.n) {
		const uint8_t *lf = memchr(header.p + at, '\n', header.n - at);

		at = lf ? (size_t)(lf - header.p) + 1 : header.n;
		if (at < header.n && (header.p[at] == ' ' || header.p[at] == '\t'))
			continue;
		read_field(zs_span(header.p + from, at - from), c);
		from = at;
	}
}

/* ------------------------------------------------------------------------- walk */

enum state { IN_HEADER, IN_LEAF, IN_NOTHING /* before the first part, behind the last */ };

struct level {
	uint8_t boundary[BOUNDARY_MAX];
	size_t n;
	unsigned messages; /* that it stands in */
	int is_digest;
};

struct walk {
	struct zs_span all;
	zimbra_mime_fn *fn;
	void *ctx;
	struct level levels[ZIMBRA_MIME_LEVELS];
	unsigned depth, messages, parts; /* messages: that the part at hand stands in */
	enum state state;
	int is_digest; /* the part at hand is a message unless it says otherwise */
	size_t from;   /* of the header or body at hand */
	struct content content;
};

static int end_leaf(struct walk *w, size_t end, struct zs_err *err)
{
	struct zimbra_mime_part part = {w->content.type, w->content.charset, {NULL, 0}, w->content.encoding};

	if (w->state != IN_LEAF)
		return 0;
	w->state = IN_NOTHING;
	part.body = zs_span(w->all.p + w->from, end > w->from ? end - w->from : 0);
	return w->fn(w->ctx, &part, err);
}

static void begin_header(struct walk *w, size_t at, int is_digest)
{
	w->from = at;
	w->is_digest = is_digest;
	w->state = w->parts++ < ZIMBRA_MIME_PARTS ? IN_HEADER : IN_NOTHING;
}

static int push(struct walk *w, struct zs_span boundary)
{
	struct level *l = &w->levels[w->depth];

	if (w->depth == ZIMBRA_MIME_LEVELS || boundary.n == 0 || boundary.n > BOUNDARY_MAX)
		return 0;
	l->n = 0;
	for (size_t i = 0; i < boundary.n; i++) {
		if (boundary.p[i] == '\\' && i + 1 < boundary.n)
			i++;
		l->boundary[l->n++] = boundary.p[i];
	}
	l->messages = w->messages;
	l->is_digest = zimbra_mime_is(w->content.type, "multipart/digest");
	w->depth++;
	return 1;
}

/* The header ends before `end`; at: behind the empty line. */
static void end_header(struct walk *w, size_t end, size_t at)
{
	struct content *c = &w->content;

	memset(c, 0, sizeof *c);
	read_header(zs_span(w->all.p + w->from, end - w->from), c);
	w->state = IN_NOTHING;
	if (begins(c->type, "multipart/")) {
		(void)push(w, c->boundary);
	} else if (zimbra_mime_is(c->type, "message/rfc822") || (c->type.n == 0 && w->is_digest)) {
		if (w->messages++ < ZIMBRA_MIME_LEVELS && c->encoding == ZIMBRA_MIME_PLAIN)
			begin_header(w, at, 0);
	} else {
		w->from = at;
		w->state = IN_LEAF;
	}
}

/* Is the line one of the boundaries?  The level it belongs to, from 1, or 0. */
static unsigned match_boundary(const struct walk *w, struct zs_span line, int *out_is_last)
{
	if (line.n < 3 || line.p[0] != '-' || line.p[1] != '-')
		return 0;
	for (unsigned i = w->depth; i > 0; i--) {
		const struct level *l = &w->levels[i - 1];
		struct zs_span rest;

		if (line.n - 2 < l->n || memcmp(line.p + 2, l->boundary, l->n) != 0)
			continue;
		rest = skip(line, 2 + l->n);
		*out_is_last = rest.n >= 2 && rest.p[0] == '-' && rest.p[1] == '-';
		if (trim(skip(rest, *out_is_last ? 2 : 0)).n == 0)
			return i;
	}
	return 0;
}

/* The line break before a boundary belongs to it. */
static size_t before_break(const struct walk *w, size_t at)
{
	if (at > 0 && w->all.p[at - 1] == '\n')
		at--;
	return at > 0 && w->all.p[at - 1] == '\r' ? at - 1 : at;
}

static int on_line(struct walk *w, size_t at, size_t next, struct zs_err *err)
{
	struct zs_span line = zs_span(w->all.p + at, next - at);
	int is_last = 0;
	unsigned level = match_boundary(w, line, &is_last);

	if (level) {
		if (end_leaf(w, before_break(w, at), err) < 0)
			return -1;
		w->state = IN_NOTHING;
		w->depth = is_last ? level - 1 : level;
		w->messages = w->levels[level - 1].messages;
		if (!is_last)
			begin_header(w, next, w->levels[level - 1].is_digest);
	} else if (w->state == IN_HEADER && trim(line).n == 0) {
		end_header(w, at, next);
	} else if (w->state == IN_HEADER && at == w->from && zimbra_mime_is(trim(line), "BEGIN:VCALENDAR")) {
		memset(&w->content, 0, sizeof w->content); /* no header at all */
		w->content.type = zs_span_str("text/calendar");
		w->state = IN_LEAF;
	}
	return 0;
}

int zimbra_mime_walk(struct zs_span message, zimbra_mime_fn *fn, void *ctx, struct zs_err *err)
{
	struct walk w = {.all = message, .fn = fn, .ctx = ctx};

	begin_header(&w, 0, 0);
	for (size_t at = 0, next; at < message.n; at = next) {
		const uint8_t *lf = memchr(message.p + at, '\n', message.n - at);

		next = lf ? (size_t)(lf - message.p) + 1 : message.n;
		if (on_line(&w, at, next, err) < 0)
			return -1;
	}
	return end_leaf(&w, message.n, err);
}

/* -------------------------------------------------------------------- encodings */

static int base64_digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int zimbra_mime_base64(struct zs_span text, struct zs_buf *out, size_t *out_foreign, struct zs_err *err)
{
	uint32_t bits = 0;
	unsigned count = 0;
	size_t foreign = text.n;

	if (zs_buf_reserve(out, text.n / 4 * 3 + 3, err) < 0)
		return -1;
	for (size_t i = 0; i < text.n; i++) {
		int digit = base64_digit(text.p[i]);

		if (digit < 0) {
			if (text.p[i] == '=') /* another piece may follow */
				count = 0;
			else if (!is_blank(text.p[i]) && foreign == text.n)
				foreign = i;
			continue;
		}
		bits = bits << 6 | (uint32_t)digit;
		if ((count += 6) >= 8) {
			count -= 8;
			out->p[out->n++] = (uint8_t)(bits >> count);
		}
	}
	if (out_foreign)
		*out_foreign = foreign;
	return 0;
}

static int hex_digit(uint8_t c)
{
	c = small(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind a '=': bytes up to the end of a soft line break, or 0. */
static size_t soft_break(struct zs_span s)
{
	size_t n = 0;

	while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
		n++;
	if (n < s.n && s.p[n] == '\r')
		n++;
	return n < s.n && s.p[n] == '\n' ? n + 1 : 0;
}

int zimbra_mime_quoted(struct zs_span text, struct zs_buf *out, struct zs_err *err)
{
	if (zs_buf_reserve(out, text.n, err) < 0)
		return -1;
	for (size_t i = 0; i < text.n;) {
		uint8_t c = text.p[i++];
		size_t n;

		if (c != '=') {
			out->p[out->n++] = c;
		} else if (text.n - i >= 2 && hex_digit(text.p[i]) >= 0 && hex_digit(text.p[i + 1]) >= 0) {
			out->p[out->n++] = (uint8_t)(hex_digit(text.p[i]) << 4 | hex_digit(text.p[i + 1]));
			i += 2;
		} else if ((n = soft_break(skip(text, i))) > 0) {
			i += n;
		} else {
			out->p[out->n++] = c;
		}
	}
	return 0;
}
