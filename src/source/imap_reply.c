/*
 * Replies of an IMAP server: what a backup needs of them is taken out, the rest is passed over, and a body goes to a
 * sink as it comes.  Lenient where servers differ, never unbounded.
 */
#include "imap_private.h"

#include <stdlib.h>
#include <string.h>

#define SECTION_MAX 1024 /* of a name like BODY[HEADER.FIELDS (...)] */
#define ID_FIELDS_MAX 64

void imap_reply_fini(struct imap_reply *r)
{
	zs_buf_fini(&r->text);
	zs_buf_fini(&r->flags);
	zs_buf_fini(&r->name);
}

int imap_reply_among(struct zs_span joined, const char *word)
{
	size_t n = strlen(word);

	for (size_t at = 0; at < joined.n;) {
		const uint8_t *end = memchr(joined.p + at, 0, joined.n - at);
		size_t len = end ? (size_t)(end - joined.p) - at : joined.n - at;

		if (len == n && strncasecmp((const char *)joined.p + at, word, n) == 0)
			return 1;
		at += len + 1;
	}
	return 0;
}

static int is_word(struct zs_span s, const char *word)
{
	return s.n == strlen(word) && strncasecmp((const char *)s.p, word, s.n) == 0;
}

/* ------------------------------------------------------------------------ dates */

/* Exactly so many digits, the first of which may be a blank. */
static int take_digits(struct zs_span *s, size_t count, int *out)
{
	int n = 0;

	if (s->n < count)
		return -1;
	for (size_t i = 0; i < count; i++) {
		uint8_t c = s->p[i] == ' ' && i == 0 ? '0' : s->p[i];

		if (c < '0' || c > '9')
			return -1;
		n = n * 10 + (c - '0');
	}
	s->p += count;
	s->n -= count;
	*out = n;
	return 0;
}

static int take_mark(struct zs_span *s, char mark)
{
	if (s->n == 0 || s->p[0] != (uint8_t)mark)
		return -1;
	s->p++;
	s->n--;
	return 0;
}

static int take_month(struct zs_span *s, int *out)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

	for (int i = 0; s->n >= 3 && i < 12; i++) {
		if (strncasecmp((const char *)s->p, names + 3 * i, 3) != 0)
			continue;
		s->p += 3;
		s->n -= 3;
		*out = i + 1;
		return 0;
	}
	return -1;
}

static int64_t days_of(int y, int m, int d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

int64_t imap_reply_date(struct zs_span s)
{
	int d, m, y, h, min, sec, zone, minus;
	int64_t t;

	if (s.n == 25) { /* "1-Jul-1996 ..." of those who do not pad */
		if (take_digits(&s, 1, &d) < 0)
			return INT64_MIN;
	} else if (take_digits(&s, 2, &d) < 0) {
		return INT64_MIN;
	}
	if (take_mark(&s, '-') < 0 || take_month(&s, &m) < 0 || take_mark(&s, '-') < 0 || take_digits(&s, 4, &y) < 0 ||
	    take_mark(&s, ' ') < 0 || take_digits(&s, 2, &h) < 0 || take_mark(&s, ':') < 0 || take_digits(&s, 2, &min) < 0 ||
	    take_mark(&s, ':') < 0 || take_digits(&s, 2, &sec) < 0 || take_mark(&s, ' ') < 0 || s.n != 5)
		return INT64_MIN;
	minus = s.p[0] == '-';
	if (take_mark(&s, minus ? '-' : '+') < 0 || take_digits(&s, 4, &zone) < 0)
		return INT64_MIN;
	if (d < 1 || d > 31 || h > 23 || min > 59 || sec > 60 || y < 1678 || y > 2261)
		return INT64_MIN;
	zone = zone / 100 * 60 + zone % 100;
	t = days_of(y, m, d) * 86400 + h * 3600 + min * 60 + sec - (minus ? -zone : zone) * 60;
	return t * 1000000000;
}

/* ------------------------------------------------------------------------- text */

/* Up to ']', which is taken, or the line's end, which is not. */
static int take_code_rest(struct imap_stream *s, struct zs_buf *out, struct zs_err *err)
{
	uint8_t c;

	for (;;) {
		if (imap_stream_peek(s, &c, err) < 0)
			return -1;
		if (c == '\r' || c == '\n')
			return 0;
		s->at++;
		if (c == ']')
			return 0;
		if (out && out->n < IMAP_STRING_MAX && zs_buf_add_u8(out, c, err) < 0)
			return -1;
	}
}

static int take_code(struct imap_stream *s, struct imap_reply *r, struct zs_err *err)
{
	size_t n = 0;
	uint8_t c;

	for (;;) {
		if (imap_stream_peek(s, &c, err) < 0)
			return -1;
		if (c <= ' ' || c == ']')
			break;
		s->at++;
		if (n + 1 < sizeof r->code)
			r->code[n++] = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
	}
	r->code[n] = 0;
	if (c == ' ') {
		s->at++;
		if (imap_stream_peek(s, &c, err) < 0)
			return -1;
		if (c >= '0' && c <= '9' && imap_stream_number(s, &r->code_number, err) < 0)
			return -1;
	}
	return take_code_rest(s, strcmp(r->code, "CAPABILITY") == 0 ? &r->text : NULL, err);
}

/* What follows OK, NO, BAD, BYE. */
static int take_result(struct imap_stream *s, struct imap_reply *r, struct zs_err *err)
{
	int is;

	if ((is = imap_stream_is(s, ' ', err)) > 0)
		is = imap_stream_is(s, '[', err);
	if (is < 0 || (is > 0 && (take_code(s, r, err) < 0 || imap_stream_is(s, ' ', err) < 0)))
		return -1;
	return imap_stream_line(s, r->text.n ? NULL : &r->text, err);
}

/* Something that is of no interest; a literal in it is passed over. */
static int take_other(struct imap_stream *s, struct imap_reply *r, struct zs_err *err)
{
	struct zs_span t;
	size_t at;
	uint64_t n;

	for (;;) {
		zs_buf_clear(&r->text);
		if (imap_stream_line(s, &r->text, err) < 0)
			return -1;
		t = zs_buf_span(&r->text);
		if (t.n < 3 || t.p[t.n - 1] != '}')
			return 0;
		at = t.n - 1 - (t.p[t.n - 2] == '+');
		n = 0;
		for (uint64_t unit = 1; at > 0 && t.p[at - 1] >= '0' && t.p[at - 1] <= '9'; at--, unit *= 10) {
			if (unit > 1000000)
				return imap_stream_garbage(s, "a shorter string", err);
			n += unit * (uint64_t)(t.p[at - 1] - '0');
		}
		if (at == 0 || t.p[at - 1] != '{' || at == t.n - 1)
			return 0;
		if (imap_stream_bytes(s, n, NULL, NULL, err) < 0)
			return -1;
	}
}

static int take_end(struct imap_stream *s, struct zs_err *err)
{
	int is;

	while ((is = imap_stream_is(s, ' ', err)) > 0)
		;
	if (is < 0 || imap_stream_is(s, '\r', err) < 0)
		return -1;
	return imap_stream_expect(s, '\n', err);
}

/* "(", words, ")": joined by NUL. */
static int take_words(struct imap_stream *s, struct zs_buf *out, struct zs_err *err)
{
	int is;

	if (imap_stream_expect(s, '(', err) < 0)
		return -1;
	for (;;) {
		if ((is = imap_stream_is(s, ')', err)) != 0)
			return is < 0 ? -1 : 0;
		if ((is = imap_stream_is(s, ' ', err)) < 0)
			return -1;
		if (is > 0)
			continue;
		if (out->n > 0 && zs_buf_add_u8(out, 0, err) < 0)
			return -1;
		if (imap_stream_string(s, out, err) < 0)
			return -1;
		if (out->n > IMAP_STRING_MAX)
			return imap_stream_garbage(s, "fewer words in a list", err);
	}
}

/* ----------------------------------------------------------------------- FETCH */

static int take_body(struct imap_stream *s, struct imap_reply *r, const struct imap_sink *sink, struct zs_err *err)
{
	uint64_t n;
	uint8_t c;
	int is;

	if (r->has & IMAP_HAS_BODY)
		return imap_stream_garbage(s, "one body only", err);
	if (imap_stream_peek(s, &c, err) < 0)
		return -1;
	if (c == '{' || c == '~') {
		if (imap_stream_literal(s, &n, err) < 0)
			return -1;
		r->has |= IMAP_HAS_BODY;
		if (sink && sink->begin(sink->ctx, r, n, err) < 0)
			return -1;
		return imap_stream_bytes(s, n, sink ? sink->data : NULL, sink ? sink->ctx : NULL, err);
	}
	zs_buf_clear(&r->text);
	if ((is = imap_stream_string(s, &r->text, err)) < 0)
		return -1;
	r->has |= is ? IMAP_HAS_BODY : IMAP_HAS_NIL;
	if (!sink || is == 0)
		return 0;
	if (sink->begin(sink->ctx, r, r->text.n, err) < 0)
		return -1;
	return r->text.n ? sink->data(sink->ctx, r->text.p, r->text.n, err) : 0;
}

static int take_uid(struct imap_stream *s, struct imap_reply *r, struct zs_err *err)
{
	uint64_t n;

	if (imap_stream_number(s, &n, err) < 0)
		return -1;
	if (n == 0 || n > UINT32_MAX)
		return imap_stream_garbage(s, "a UID of 32 bits", err);
	r->uid = (uint32_t)n;
	r->has |= IMAP_HAS_UID;
	return 0;
}

static int take_size(struct imap_stream *s, struct imap_reply *r, struct zs_err *err)
{
	uint8_t c;

	if (imap_stream_peek(s, &c, err) < 0)
		return -1;
	if (c < '0' || c > '9')
		return imap_stream_skip(s, err);
	r->has |= IMAP_HAS_SIZE;
	return imap_stream_number(s, &r->size, err);
}

static int take_date(struct imap_stream *s, struct imap_reply *r, struct zs_err *err)
{
	zs_buf_clear(&r->text);
	if (imap_stream_string(s, &r->text, err) < 0)
		return -1;
	r->date_ns = imap_reply_date(zs_buf_span(&r->text));
	r->has |= IMAP_HAS_DATE;
	return 0;
}

/* The name of an item, in r->name; a section with blanks in it too. */
static int take_item_name(struct imap_stream *s, struct imap_reply *r, struct zs_err *err)
{
	uint8_t c;

	zs_buf_clear(&r->name);
	if (imap_stream_atom(s, &r->name, err) < 0)
		return -1;
	if (!memchr(r->name.p, '[', r->name.n) || memchr(r->name.p, ']', r->name.n))
		return 0;
	do {
		if (imap_stream_take(s, &c, err) < 0)
			return -1;
		if (c == '\n' || r->name.n > SECTION_MAX)
			return imap_stream_garbage(s, "']'", err);
		if (zs_buf_add_u8(&r->name, c, err) < 0)
			return -1;
	} while (c != ']');
	if (imap_stream_peek(s, &c, err) < 0)
		return -1;
	return c == '<' ? imap_stream_atom(s, &r->name, err) : 0;
}

static int take_item(struct imap_stream *s, struct imap_reply *r, const struct imap_sink *sink, struct zs_err *err)
{
	struct zs_span name;

	if (take_item_name(s, r, err) < 0 || imap_stream_expect(s, ' ', err) < 0)
		return -1;
	name = zs_buf_span(&r->name);
	if (is_word(name, "UID"))
		return take_uid(s, r, err);
	if (is_word(name, "RFC822.SIZE"))
		return take_size(s, r, err);
	if (is_word(name, "INTERNALDATE"))
		return take_date(s, r, err);
	if (is_word(name, "FLAGS")) {
		zs_buf_clear(&r->flags);
		r->has |= IMAP_HAS_FLAGS;
		return take_words(s, &r->flags, err);
	}
	if (is_word(name, "BODY[]"))
		return take_body(s, r, sink, err);
	return imap_stream_skip(s, err);
}

static int take_fetch(struct imap_stream *s, struct imap_reply *r, const struct imap_sink *sink, struct zs_err *err)
{
	int is;

	if (imap_stream_expect(s, ' ', err) < 0 || imap_stream_expect(s, '(', err) < 0)
		return -1;
	while ((is = imap_stream_is(s, ')', err)) == 0) {
		if ((is = imap_stream_is(s, ' ', err)) < 0)
			return -1;
		if (is == 0 && take_item(s, r, sink, err) < 0)
			return -1;
	}
	return is < 0 ? -1 : take_end(s, err);
}

/* ----------------------------------------------------------- LIST, STATUS, others */

/* A mailbox: NIL is a name too. */
static int take_mailbox(struct imap_stream *s, struct imap_reply *r, struct zs_err *err)
{
	int is;

	zs_buf_clear(&r->name);
	if ((is = imap_stream_string(s, &r->name, err)) < 0)
		return -1;
	return is == 0 ? zs_buf_add(&r->name, "NIL", 3, err) : 0;
}

static int take_list(struct imap_stream *s, struct imap_reply *r, struct zs_err *err)
{
	int is;

	zs_buf_clear(&r->flags);
	zs_buf_clear(&r->name);
	if (imap_stream_expect(s, ' ', err) < 0 || take_words(s, &r->flags, err) < 0 || imap_stream_expect(s, ' ', err) < 0)
		return -1;
	if ((is = imap_stream_string(s, &r->name, err)) < 0)
		return -1;
	if (r->name.n > 1)
		return imap_stream_garbage(s, "a delimiter of one character", err);
	r->delimiter = is > 0 && r->name.n ? r->name.p[0] : 0;
	if (imap_stream_expect(s, ' ', err) < 0 || take_mailbox(s, r, err) < 0)
		return -1;
	for (;;) {
		uint8_t c;

		if ((is = imap_stream_is(s, ' ', err)) < 0)
			return -1;
		if (is == 0)
			break;
		if (imap_stream_peek(s, &c, err) < 0)
			return -1;
		if (c > ' ' && imap_stream_skip(s, err) < 0)
			return -1;
	}
	return take_end(s, err);
}

static int take_status_item(struct imap_stream *s, struct imap_reply *r, struct zs_err *err)
{
	const struct { const char *name; uint64_t *to; unsigned has; } known[] = {
	    {"MESSAGES", &r->messages, IMAP_HAS_MESSAGES}, {"UIDNEXT", &r->uidnext, IMAP_HAS_UIDNEXT},
	    {"UIDVALIDITY", &r->uidvalidity, IMAP_HAS_UIDVALIDITY}, {"HIGHESTMODSEQ", &r->modseq, IMAP_HAS_MODSEQ}};

	zs_buf_clear(&r->text);
	if (imap_stream_atom(s, &r->text, err) < 0 || imap_stream_expect(s, ' ', err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (!is_word(zs_buf_span(&r->text), known[i].name))
			continue;
		r->has |= known[i].has;
		return imap_stream_number(s, known[i].to, err);
	}
	return imap_stream_skip(s, err);
}

static int take_status(struct imap_stream *s, struct imap_reply *r, struct zs_err *err)
{
	int is;

	if (imap_stream_expect(s, ' ', err) < 0 || take_mailbox(s, r, err) < 0 || imap_stream_expect(s, ' ', err) < 0 ||
	    imap_stream_expect(s, '(', err) < 0)
		return -1;
	while ((is = imap_stream_is(s, ')', err)) == 0) {
		if ((is = imap_stream_is(s, ' ', err)) < 0)
			return -1;
		if (is == 0 && take_status_item(s, r, err) < 0)
			return -1;
	}
	return is < 0 ? -1 : take_end(s, err);
}

/* "(" name value ... ")" or NIL. */
static int take_id(struct imap_stream *s, struct imap_reply *r, struct zs_err *err)
{
	int is;

	if (imap_stream_expect(s, ' ', err) < 0 || (is = imap_stream_is(s, '(', err)) < 0)
		return -1;
	if (is == 0)
		return take_other(s, r, err);
	for (unsigned n = 0;;) {
		if ((is = imap_stream_is(s, ')', err)) != 0)
			break;
		if ((is = imap_stream_is(s, ' ', err)) < 0)
			return -1;
		if (is > 0)
			continue;
		if (++n > 2 * ID_FIELDS_MAX)
			return imap_stream_garbage(s, "fewer fields", err);
		if (imap_stream_string(s, &r->text, err) < 0 || zs_buf_add_u8(&r->text, 0, err) < 0)
			return -1;
	}
	return is < 0 ? -1 : take_end(s, err);
}

static int result_type(struct zs_span word, enum imap_type *out)
{
	static const struct { const char *word; enum imap_type type; } known[] = {
	    {"OK", IMAP_OK}, {"NO", IMAP_NO}, {"BAD", IMAP_BAD}, {"BYE", IMAP_BYE}, {"PREAUTH", IMAP_OK}};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (!is_word(word, known[i].word))
			continue;
		*out = known[i].type;
		return 1;
	}
	return 0;
}

static int take_untagged_word(struct imap_stream *s, struct imap_reply *r, struct zs_err *err)
{
	struct zs_span word;

	if (imap_stream_atom(s, &r->name, err) < 0)
		return -1;
	word = zs_buf_span(&r->name);
	if (result_type(word, &r->type))
		return take_result(s, r, err);
	if (is_word(word, "LIST")) {
		r->type = IMAP_LIST;
		return take_list(s, r, err);
	}
	if (is_word(word, "STATUS")) {
		r->type = IMAP_STATUS;
		return take_status(s, r, err);
	}
	if (is_word(word, "ID")) {
		r->type = IMAP_ID;
		return take_id(s, r, err);
	}
	if (is_word(word, "CAPABILITY")) {
		r->type = IMAP_CAPABILITY;
		return imap_stream_line(s, &r->text, err);
	}
	return take_other(s, r, err);
}

static int take_untagged(struct imap_stream *s, struct imap_reply *r, const struct imap_sink *sink, struct zs_err *err)
{
	uint8_t c;

	if (imap_stream_expect(s, ' ', err) < 0 || imap_stream_peek(s, &c, err) < 0)
		return -1;
	if (c < '0' || c > '9')
		return take_untagged_word(s, r, err);
	if (imap_stream_number(s, &r->number, err) < 0 || imap_stream_expect(s, ' ', err) < 0 || imap_stream_atom(s, &r->name, err) < 0)
		return -1;
	if (is_word(zs_buf_span(&r->name), "FETCH")) {
		r->type = IMAP_FETCH;
		return take_fetch(s, r, sink, err);
	}
	if (is_word(zs_buf_span(&r->name), "EXISTS"))
		r->type = IMAP_EXISTS;
	else if (is_word(zs_buf_span(&r->name), "EXPUNGE"))
		r->type = IMAP_EXPUNGE;
	return take_other(s, r, err);
}

static int take_tagged(struct imap_stream *s, struct imap_reply *r, struct zs_err *err)
{
	uint64_t tag;

	if (imap_stream_expect(s, 'Z', err) < 0 || imap_stream_number(s, &tag, err) < 0)
		return -1;
	if (tag == 0 || tag > UINT32_MAX)
		return imap_stream_garbage(s, "a tag of ours", err);
	r->tag = (uint32_t)tag;
	if (imap_stream_expect(s, ' ', err) < 0 || imap_stream_atom(s, &r->name, err) < 0)
		return -1;
	if (!result_type(zs_buf_span(&r->name), &r->type) || r->type == IMAP_BYE)
		return imap_stream_garbage(s, "OK, NO or BAD", err);
	return take_result(s, r, err);
}

int imap_reply_read(struct imap_stream *s, struct imap_reply *r, const struct imap_sink *sink, struct zs_err *err)
{
	uint8_t c;

	zs_buf_clear(&r->text);
	zs_buf_clear(&r->flags);
	zs_buf_clear(&r->name);
	*r = (struct imap_reply){.type = IMAP_OTHER, .text = r->text, .flags = r->flags, .name = r->name, .date_ns = INT64_MIN};
	s->reply_bytes = -(int64_t)s->at;
	if (imap_stream_peek(s, &c, err) < 0)
		return -1;
	if (c == '*') {
		s->at++;
		return take_untagged(s, r, sink, err);
	}
	if (c == '+') {
		s->at++;
		r->type = IMAP_CONTINUE;
		return imap_stream_line(s, &r->text, err);
	}
	return take_tagged(s, r, err);
}
