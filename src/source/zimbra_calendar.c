/*
 * iCalendar out of the message that a calendar item is stored as.  Finding the parts is zimbra_mime.c's; here they are decoded and
 * each VCALENDAR of theirs is taken line by line, so that what comes out is whole even where the mail is not.
 */
#include "zimbra_mime_private.h"
#include "zimbra_private.h"

#include <string.h>

#define OUT_MAX (64u << 20) /* bytes that one item may give; what follows is left out */
#define OPEN_MAX 16	    /* components in each other */

struct lines { /* of one part */
	struct zs_span open[OPEN_MAX]; /* names behind BEGIN, of what has not ended; borrowed */
	unsigned n;
	int is_latin1;
	int is_text; /* the line before was taken as it is: it may go on in the next one */
	size_t start; /* of the object in *out */
	struct zs_buf *out;
};

struct extract {
	struct zs_buf *out;
	size_t before;
	struct zs_buf decoded;
};

/* In UTF-8; control characters become U+FFFD. */
static int add_line(const struct lines *l, struct zs_span line, struct zs_err *err)
{
	struct zs_buf *out = l->out;

	if (zs_buf_reserve(out, 3 * line.n + 2, err) < 0)
		return -1;
	for (size_t i = 0; i < line.n; i++) {
		uint8_t c = line.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			memcpy(out->p + out->n, "\xef\xbf\xbd", 3);
			out->n += 3;
			continue;
		}
		if (c >= 0x80 && l->is_latin1) {
			out->p[out->n++] = (uint8_t)(0xc0 | c >> 6);
			c = (uint8_t)(0x80 | (c & 63));
		}
		out->p[out->n++] = c;
	}
	out->p[out->n++] = '\r';
	out->p[out->n++] = '\n';
	return 0;
}

/* Is it "BEGIN:" or "END:"?  Then *out is the name behind it, or empty if that is none. */
static int takes_word(struct zs_span line, const char *word, struct zs_span *out)
{
	size_t n = strlen(word), end = n;

	if (line.n < n || !zimbra_mime_is(zs_span(line.p, n), word))
		return 0;
	while (end < line.n && ((line.p[end] | 0x20) >= 'a' && (line.p[end] | 0x20) <= 'z' ? 1 : line.p[end] == '-'))
		end++;
	*out = zs_span(line.p + n, end - n);
	while (end < line.n && (line.p[end] == ' ' || line.p[end] == '\t'))
		end++;
	if (end < line.n)
		out->n = 0;
	return 1;
}

static int is_same(struct zs_span a, struct zs_span b)
{
	for (size_t i = 0; a.n == b.n && i < a.n; i++)
		if ((a.p[i] | 0x20) != (b.p[i] | 0x20))
			return 0;
	return a.n == b.n;
}

/* End what is open above that many, the innermost first. */
static int close_to(struct lines *l, unsigned n, struct zs_err *err)
{
	while (l->n > n) {
		if (zs_buf_add(l->out, "END:", 4, err) < 0 || add_line(l, l->open[l->n - 1], err) < 0)
			return -1;
		l->n--;
	}
	return 0;
}

static int on_begin(struct lines *l, struct zs_span name, struct zs_err *err)
{
	if (zimbra_mime_is(name, "VCALENDAR")) { /* never in another component: that one has lost its end */
		if (close_to(l, 0, err) < 0)
			return -1;
		l->start = l->out->n;
	} else if (l->n == 0 || name.n == 0) {
		return 0;
	} else if (l->n == OPEN_MAX) { /* no calendar has that: leave the object out */
		l->n = 0;
		l->out->n = l->start;
		return 0;
	}
	l->open[l->n++] = name;
	return zs_buf_add(l->out, "BEGIN:", 6, err) < 0 ? -1 : add_line(l, name, err);
}

static int on_end(struct lines *l, struct zs_span name, struct zs_err *err)
{
	for (unsigned i = l->n; i > 0; i--)
		if (is_same(l->open[i - 1], name))
			return close_to(l, i - 1, err);
	return 0;
}

static int on_line(struct lines *l, struct zs_span line, struct zs_err *err)
{
	int was_text = l->is_text, is_rest = line.p[0] == ' ' || line.p[0] == '\t';
	struct zs_span name;

	l->is_text = 0;
	if (takes_word(line, "BEGIN:", &name))
		return on_begin(l, name, err);
	if (takes_word(line, "END:", &name))
		return on_end(l, name, err);
	if (l->n == 0 || (is_rest && !was_text))
		return 0;
	l->is_text = 1;
	return add_line(l, line, err);
}

/* Lines end with CR LF, LF or CR. */
static int take_objects(struct lines *l, struct zs_span text, struct zs_err *err)
{
	size_t from = 0;

	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		from = 3;
	for (size_t at = from; at <= text.n; at++) {
		if (at < text.n && text.p[at] != '\r' && text.p[at] != '\n')
			continue;
		if (at > from && on_line(l, zs_span(text.p + from, at - from), err) < 0)
			return -1;
		from = at + 1;
	}
	return close_to(l, 0, err);
}

static int is_latin1(struct zs_span charset)
{
	static const char *const names[] = {"iso-8859-1", "iso8859-1", "iso_8859-1", "latin1"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (zimbra_mime_is(charset, names[i]))
			return 1;
	return 0;
}

static int on_part(void *ctx, const struct zimbra_mime_part *part, struct zs_err *err)
{
	struct extract *e = ctx;
	struct lines l = {.out = e->out, .is_latin1 = is_latin1(part->charset)};
	struct zs_span text = part->body;
	size_t before = e->out->n;

	if (!zimbra_mime_is(part->type, "text/calendar"))
		return 0;
	zs_buf_clear(&e->decoded);
	if (part->encoding == ZIMBRA_MIME_BASE64 && zimbra_mime_base64(text, &e->decoded, NULL, err) < 0)
		return -1;
	if (part->encoding == ZIMBRA_MIME_QUOTED && zimbra_mime_quoted(text, &e->decoded, err) < 0)
		return -1;
	if (part->encoding != ZIMBRA_MIME_PLAIN)
		text = zs_buf_span(&e->decoded);
	if (text.n > OUT_MAX)
		return 0;
	if (take_objects(&l, text, err) < 0)
		return -1;
	if (e->out->n - e->before > OUT_MAX)
		e->out->n = before;
	return 0;
}

int zimbra_calendar_extract(struct zs_span blob, struct zs_buf *out, struct zs_err *err)
{
	struct extract e = {out, out->n, ZS_BUF_INIT};
	int rc = zimbra_mime_walk(blob, on_part, &e, err);

	zs_buf_fini(&e.decoded);
	if (rc < 0) {
		out->n = e.before;
		return -1;
	}
	return out->n > e.before;
}
