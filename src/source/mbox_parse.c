/*
 * Finds the messages of an mbox in one pass, in a window over the file.  What separates
 * two of them is decided in one place (judge); everything doubtful about it is told.
 */
#include "mbox_private.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW (256u << 10)
#define BEHIND 4		 /* bytes before the place asked for that stay in the window */
#define HEADER_MAX (256u << 10)	 /* a header that goes on and on is a body, as in splitting.md */
#define AHEAD (2 * MBOX_LINE_MAX) /* what a place is judged by */
#define CHAIN 8			 /* messages whose Content-Length must be right */

struct parser {
	const struct mbox_input *in;
	const struct mbox_sink *sink;
	enum mbox_format format;
	uint8_t *window;
	uint64_t from; /* of the window */
	size_t n, cap;
	int at_end;    /* the window reaches the end of the file */
	int is_told;   /* the format was, and was not guessed */
	struct zs_hasher *all, *header, *body;
};

struct header { /* of the message at hand */
	uint64_t body; /* where it begins */
	uint64_t length; /* Content-Length; UINT64_MAX: none */
	int is_cut;    /* ended by a From_ line or the end of the file */
};

/* The bytes from `at` on, `need` of them if the file has so many. */
static int see(struct parser *p, uint64_t at, size_t need, struct zs_span *out, struct zs_err *err)
{
	uint64_t begin = at < BEHIND ? 0 : at - BEHIND;

	if (at < p->from || at > p->from + p->n || (!p->at_end && at + need > p->from + p->n)) {
		p->from = begin;
		if (p->in->read(p->in->ctx, begin, p->window, p->cap, &p->n, err) < 0)
			return -1;
		p->at_end = p->n < p->cap;
		if (at > p->from + p->n) { /* cut shorter while we read */
			*out = zs_span(p->window, 0);
			return 0;
		}
	}
	*out = zs_span(p->window + (at - p->from), p->n - (size_t)(at - p->from));
	return 0;
}

/* The first line of s, its end included; as much as there is. */
static struct zs_span line_of(struct zs_span s)
{
	const uint8_t *nl = s.n ? memchr(s.p, '\n', s.n) : NULL;

	return nl ? zs_span(s.p, (size_t)(nl - s.p) + 1) : s;
}

static struct zs_span after(struct zs_span s, struct zs_span line)
{
	return zs_span(s.p + line.n, s.n - line.n);
}

static int is_blank(struct zs_span line)
{
	return (line.n == 1 && line.p[0] == '\n') || (line.n == 2 && line.p[0] == '\r' && line.p[1] == '\n');
}

static int starts_from(struct zs_span s)
{
	return s.n >= 5 && memcmp(s.p, "From ", 5) == 0;
}

/* How many bytes the empty line before p has, that ends there; 0: the line before is not empty. */
static size_t blank_before(const struct parser *p, const uint8_t *at)
{
	size_t n = (size_t)(at - p->window);

	if (n >= 2 && at[-1] == '\n' && at[-2] == '\n')
		return 1;
	if (n >= 3 && at[-1] == '\n' && at[-2] == '\r' && at[-3] == '\n')
		return 2;
	return 0;
}

enum verdict { TEXT, SEPARATOR, BROKEN };

/* Is the line at the beginning of s, which begins with "From ", one between messages?  s has AHEAD bytes, or all there are. */
static enum verdict judge(struct zs_span s, int after_blank)
{
	struct zs_span line, next;

	if (s.n > AHEAD) /* whatever the window holds */
		s.n = AHEAD;
	line = line_of(s);
	next = after(s, line);
	if (line.n > MBOX_LINE_MAX || !line.n || line.p[line.n - 1] != '\n')
		return TEXT;
	if (mbox_line_is_from(line) && (mbox_line_field(next) || (next.n > 6 && !memcmp(next.p, ">From ", 6))))
		return SEPARATOR;
	return after_blank && mbox_line_is_known(next) ? BROKEN : TEXT;
}

static void issue(const struct parser *p, enum mbox_issue what, uint64_t at)
{
	if (p->sink->issue)
		p->sink->issue(p->sink->ctx, what, at);
}

/* ------------------------------------------------------------------------ headers */

static uint64_t length_of(struct zs_span line)
{
	static const char name[] = "Content-Length";
	size_t n = sizeof name - 1, i = n;
	uint64_t v = 0;

	if (mbox_line_field(line) != n || strncasecmp((const char *)line.p, name, n) != 0)
		return UINT64_MAX;
	while (i < line.n && (line.p[i] == ' ' || line.p[i] == '\t' || line.p[i] == ':'))
		i++;
	if (i == line.n || line.p[i] < '0' || line.p[i] > '9')
		return UINT64_MAX;
	for (; i < line.n && line.p[i] >= '0' && line.p[i] <= '9' && v < UINT64_MAX / 16; i++)
		v = v * 10 + (uint64_t)(line.p[i] - '0');
	return v;
}

/* One line of any length at *at: through the hashes, *at behind it. */
static int pass_line(struct parser *p, uint64_t *at, int is_volatile, struct zs_err *err)
{
	struct zs_span s, line;

	do {
		if (see(p, *at, AHEAD, &s, err) < 0)
			return -1;
		line = line_of(s);
		zs_hasher_add(p->all, line);
		if (!is_volatile)
			zs_hasher_add(p->header, line);
		*at += line.n;
	} while (line.n && line.p[line.n - 1] != '\n');
	return 0;
}

/* Does the header go on with s?  *out: of a volatile field. */
static int is_header_line(struct zs_span s, int is_first, int *is_volatile)
{
	if (!is_first && (s.p[0] == ' ' || s.p[0] == '\t'))
		return 1;
	*is_volatile = mbox_line_is_volatile(s);
	return mbox_line_field(s) || (is_first && s.n > 6 && !memcmp(s.p, ">From ", 6));
}

static int read_header(struct parser *p, uint64_t from, struct header *out, struct zs_err *err)
{
	uint64_t at = from;
	int is_volatile = 0;

	*out = (struct header){.length = UINT64_MAX};
	for (;;) {
		struct zs_span s, line;

		if (see(p, at, AHEAD, &s, err) < 0)
			return -1;
		if (s.n > AHEAD)
			s.n = AHEAD;
		line = line_of(s);
		out->body = at;
		if (!line.n) {
			out->is_cut = 1;
			return 0;
		}
		if (is_blank(line)) {
			if (pass_line(p, &at, 0, err) < 0)
				return -1;
			out->body = at;
			return 0;
		}
		if (starts_from(s) && judge(s, 0) == SEPARATOR && at > from) {
			out->is_cut = 1;
			return 0;
		}
		if (at - from > HEADER_MAX || !is_header_line(line, at == from, &is_volatile))
			return 0; /* the body begins without an empty line */
		if (length_of(line) != UINT64_MAX)
			out->length = length_of(line);
		if (pass_line(p, &at, is_volatile, err) < 0)
			return -1;
	}
}

/* -------------------------------------------------------------------------- bodies */

struct end {
	uint64_t body_end, next; /* next: of the From_ line that follows */
	uint64_t hashed;	 /* the body up to here has gone through the hashes */
	int at_end;
};

static void hash_body(struct parser *p, struct zs_span s, struct mbox_message *m)
{
	zs_hasher_add(p->all, s);
	zs_hasher_add(p->body, s);
	m->may_be_quoted |= s.n >= 6 && memmem(s.p, s.n, ">From ", 6) != NULL;
	/* One that the end of this piece cuts in two, perhaps. */
	m->may_be_quoted |= memchr(s.p + (s.n > 5 ? s.n - 5 : 0), '>', s.n > 5 ? 5 : s.n) != NULL;
}

/* Bytes [at, to) through the hashes. */
static int pass_body(struct parser *p, uint64_t at, uint64_t to, struct mbox_message *m, struct zs_err *err)
{
	struct zs_span s;

	while (at < to) {
		if (see(p, at, 1, &s, err) < 0)
			return -1;
		if (!s.n)
			return 0;
		if (s.n > to - at)
			s.n = (size_t)(to - at);
		hash_body(p, s, m);
		at += s.n;
		if (p->sink->stop && p->sink->stop(p->sink->ctx, err) < 0)
			return -1;
	}
	return 0;
}

/* The place `at` begins with "From ": does the message end there?  1 with *out, 0, -1. */
static int ends_at(struct parser *p, uint64_t at, uint64_t body, struct end *out, struct zs_err *err)
{
	enum verdict v;
	struct zs_span s;
	size_t blank;

	if (see(p, at, AHEAD, &s, err) < 0)
		return -1;
	blank = blank_before(p, s.p);
	v = judge(s, blank > 0);
	if (v == TEXT)
		return 0;
	if (v == BROKEN)
		issue(p, MBOX_BROKEN_FROM, at);
	else if (!blank)
		issue(p, MBOX_NO_BLANK, at);
	out->body_end = at - blank < body ? at : at - blank;
	out->next = at;
	return 1;
}

/* The end of the file ends it. */
static int ends_with_file(struct parser *p, uint64_t at, uint64_t body, struct end *out, struct zs_err *err)
{
	struct zs_span s;
	size_t blank;

	if (see(p, at, 1, &s, err) < 0)
		return -1;
	blank = blank_before(p, s.p);
	if (at > body && s.p > p->window && s.p[-1] != '\n')
		issue(p, MBOX_CUT_OFF, at);
	out->body_end = at - blank < body ? at : at - blank;
	out->next = at;
	out->at_end = 1;
	return 0;
}

/* Look for the From_ line that ends the body which begins at `body`. */
static int scan_body(struct parser *p, uint64_t body, struct mbox_message *m, struct end *out, struct zs_err *err)
{
	uint64_t at = body - 1; /* the line end before it: its first line may be that line */
	struct zs_span s;

	*out = (struct end){.hashed = body};
	for (;;) {
		const uint8_t *found;
		int rc;

		if (see(p, at, AHEAD, &s, err) < 0)
			return -1;
		found = s.n ? memmem(s.p, s.n, "\nFrom ", 6) : NULL;
		if (!found && p->at_end)
			return ends_with_file(p, at + s.n, body, out, err);
		if (!found) {
			at += s.n - 5;
			if (pass_body(p, out->hashed, at - BEHIND, m, err) < 0)
				return -1;
			out->hashed = at - BEHIND;
			continue;
		}
		at += (uint64_t)(found - s.p) + 1;
		if ((rc = ends_at(p, at, body, out, err)) != 0)
			return rc < 0 ? -1 : 0;
	}
}

/* The body ends where Content-Length says, if a From_ line or the end of the file follows: 1, 0, -1. */
static int counted_end(struct parser *p, const struct header *h, struct end *out, struct zs_err *err)
{
	uint64_t at = h->body + h->length;
	struct zs_span s, line;

	if (h->length == UINT64_MAX || h->length > UINT64_MAX / 2 || h->body > UINT64_MAX / 2)
		return 0;
	if (h->length && see(p, at - 1, AHEAD, &s, err) < 0)
		return -1;
	if (h->length && !s.n)
		return 0; /* beyond the end */
	if (see(p, at, AHEAD, &s, err) < 0)
		return -1;
	*out = (struct end){.body_end = at, .hashed = h->body};
	line = line_of(s);
	if (is_blank(line)) {
		at += line.n;
		s = after(s, line);
	}
	out->next = at;
	out->at_end = !s.n;
	return out->at_end || (starts_from(s) && judge(s, 1) == SEPARATOR);
}

static int body_end(struct parser *p, const struct header *h, struct mbox_message *m, struct end *out, struct zs_err *err)
{
	int rc;

	if (h->is_cut) {
		issue(p, MBOX_CUT_OFF, h->body);
		*out = (struct end){.body_end = h->body, .next = h->body, .hashed = h->body};
		return 0;
	}
	if (p->format == MBOX_CL || p->format == MBOX_CL2) {
		if ((rc = counted_end(p, h, out, err)) < 0)
			return -1;
		if (rc)
			return 0;
		if (p->is_told)
			issue(p, MBOX_BAD_LENGTH, m->at);
	}
	return scan_body(p, h->body, m, out, err);
}

/* ------------------------------------------------------------------------ messages */

/* The From_ line at `at`: *out_next behind it, and its date. */
static int from_line(struct parser *p, uint64_t at, struct mbox_message *m, struct zs_err *err)
{
	struct zs_span s, line;

	if (see(p, at, AHEAD, &s, err) < 0)
		return -1;
	line = line_of(s);
	*m = (struct mbox_message){.at = at + line.n, .date_ns = mbox_line_date(line)};
	return 0;
}

/* The message whose From_ line is at *at.  1 with *at at the next one, 0 it was the last, -1. */
static int message(struct parser *p, uint64_t *at, struct zs_err *err)
{
	struct mbox_message m;
	struct header h;
	struct end end = {0};
	struct zs_span s;
	uint64_t stable[2];
	uint8_t wire[16];

	zs_hasher_reset(p->all);
	zs_hasher_reset(p->header);
	zs_hasher_reset(p->body);
	if (from_line(p, *at, &m, err) < 0 || read_header(p, m.at, &h, err) < 0 || body_end(p, &h, &m, &end, err) < 0 ||
	    pass_body(p, end.hashed, end.body_end, &m, err) < 0)
		return -1;
	m.format = p->format;
	m.header_bytes = h.body - m.at;
	m.bytes = end.body_end - m.at;
	m.sum = zs_hasher_sum(p->all);
	stable[0] = zs_hasher_sum(p->header);
	stable[1] = zs_hasher_sum(p->body);
	zs_put_u64(wire, stable[0]);
	zs_put_u64(wire + 8, stable[1]);
	m.stable = zs_hash64(0, zs_span(wire, sizeof wire));
	*at = end.next;
	if ((m.bytes && p->sink->message(p->sink->ctx, &m, err) < 0) || see(p, *at, AHEAD, &s, err) < 0)
		return -1;
	return starts_from(s);
}

/* Is it a file in which every message says how long it is?  Looked at are the first ones. */
static int is_counted(struct parser *p, uint64_t at, struct zs_err *err)
{
	for (int i = 0; i < CHAIN; i++) {
		struct mbox_message m;
		struct end end;
		struct header h;
		int rc;

		if (from_line(p, at, &m, err) < 0 || read_header(p, m.at, &h, err) < 0)
			return -1;
		rc = h.is_cut ? 0 : counted_end(p, &h, &end, err);
		if (rc <= 0 || end.at_end)
			return rc;
		at = end.next;
	}
	return 1;
}

/* The first From_ line: 1 with *out, 0 there is none, -1. */
static int find_first(struct parser *p, uint64_t *out, struct zs_err *err)
{
	uint64_t at = 0;
	struct zs_span s;
	enum verdict v;

	for (;; at += line_of(s).n) {
		if (see(p, at, AHEAD, &s, err) < 0)
			return -1;
		if (!is_blank(line_of(s)) || at > MBOX_LINE_MAX)
			break;
	}
	v = starts_from(s) ? judge(s, 1) : TEXT;
	if (v == TEXT)
		return 0;
	if (v == BROKEN)
		issue(p, MBOX_BROKEN_FROM, at);
	*out = at;
	return 1;
}

static int parse(struct parser *p, struct zs_err *err)
{
	struct zs_span s;
	uint64_t at;
	int rc;

	if (see(p, 0, AHEAD, &s, err) < 0)
		return -1;
	if (!s.n)
		return 1;
	if ((rc = find_first(p, &at, err)) <= 0)
		return rc;
	if (p->format == MBOX_AUTO) {
		if ((rc = is_counted(p, at, err)) < 0)
			return -1;
		p->format = rc ? MBOX_CL2 : MBOX_RD;
	}
	do {
		if (p->sink->stop && p->sink->stop(p->sink->ctx, err) < 0)
			return -1;
		rc = message(p, &at, err);
	} while (rc > 0);
	return rc < 0 ? -1 : 1;
}

int mbox_parse(const struct mbox_input *in, enum mbox_format format, const struct mbox_sink *sink, struct zs_err *err)
{
	struct parser p = {.in = in, .sink = sink, .format = format, .is_told = format != MBOX_AUTO, .cap = in->window ? in->window : WINDOW,
	    .all = zs_hasher_new(), .header = zs_hasher_new(), .body = zs_hasher_new()};
	int rc;

	p.window = malloc(p.cap);
	rc = p.window && p.all && p.header && p.body ? parse(&p, err) : zs_fail_nomem(err);
	free(p.window);
	zs_hasher_free(p.all);
	zs_hasher_free(p.header);
	zs_hasher_free(p.body);
	return rc;
}
