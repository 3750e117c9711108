/*
 * Bytes of an IMAP server, and the tokens that replies are made of.  Everything is bounded but what imap_stream_bytes
 * hands on in pieces; nothing here knows what a reply means.
 */
#include "imap_private.h"

#include <stdlib.h>
#include <string.h>

int imap_stream_init(struct imap_stream *s, int (*fill)(void *, uint8_t *, size_t, size_t *, struct zs_err *), void *ctx,
    struct zs_err *err)
{
	*s = (struct imap_stream){.fill = fill, .ctx = ctx, .buf = malloc(IMAP_STREAM_BYTES)};
	return s->buf ? 0 : zs_fail_nomem(err);
}

void imap_stream_fini(struct imap_stream *s)
{
	free(s->buf);
	memset(s, 0, sizeof *s);
}

int imap_stream_garbage(const struct imap_stream *s, const char *expected, struct zs_err *err)
{
	char near[64];
	size_t n = s->end - s->at;

	return zs_fail(err, ZS_SOURCE, "the server's answer makes no sense: %s expected at '%s'", expected,
	    imap_names_text(zs_span(s->buf + s->at, n > 40 ? 40 : n), near, sizeof near));
}

/* The buffer is empty: more. */
static int refill(struct imap_stream *s, struct zs_err *err)
{
	size_t n = 0;

	s->reply_bytes += (int64_t)s->end;
	s->at = s->end = 0;
	if (s->reply_bytes > (int64_t)IMAP_REPLY_MAX)
		return zs_fail(err, ZS_SOURCE, "the server's answer is longer than %u bytes", IMAP_REPLY_MAX);
	if (s->fill(s->ctx, s->buf, IMAP_STREAM_BYTES, &n, err) < 0)
		return -1;
	s->end = n;
	s->received += n;
	return 0;
}

int imap_stream_peek(struct imap_stream *s, uint8_t *out, struct zs_err *err)
{
	if (s->at == s->end && refill(s, err) < 0)
		return -1;
	*out = s->buf[s->at];
	return 0;
}

int imap_stream_take(struct imap_stream *s, uint8_t *out, struct zs_err *err)
{
	if (imap_stream_peek(s, out, err) < 0)
		return -1;
	s->at++;
	return 0;
}

int imap_stream_is(struct imap_stream *s, char want, struct zs_err *err)
{
	uint8_t c;

	if (imap_stream_peek(s, &c, err) < 0)
		return -1;
	if (c != (uint8_t)want)
		return 0;
	s->at++;
	return 1;
}

int imap_stream_expect(struct imap_stream *s, char want, struct zs_err *err)
{
	const char text[] = {'\'', want, '\'', 0};
	int is = imap_stream_is(s, want, err);

	return is < 0 ? -1 : is ? 0 : imap_stream_garbage(s, want == '\r' || want == '\n' ? "the line's end" : text, err);
}

static int ends_atom(uint8_t c)
{
	return c <= ' ' || c == '(' || c == ')' || c == '"' || c == 0x7f;
}

int imap_stream_atom(struct imap_stream *s, struct zs_buf *out, struct zs_err *err)
{
	size_t before = out->n;
	uint8_t c;

	for (;;) {
		size_t from = s->at;

		while (s->at < s->end && !ends_atom(s->buf[s->at]))
			s->at++;
		if (s->at > from && zs_buf_add(out, s->buf + from, s->at - from, err) < 0)
			return -1;
		if (out->n - before > IMAP_STRING_MAX)
			return imap_stream_garbage(s, "the end of a word", err);
		if (s->at < s->end)
			break;
		if (imap_stream_peek(s, &c, err) < 0)
			return -1;
	}
	return out->n > before ? 0 : imap_stream_garbage(s, "a word", err);
}

int imap_stream_number(struct imap_stream *s, uint64_t *out, struct zs_err *err)
{
	uint64_t n = 0;
	unsigned digits = 0;
	uint8_t c;

	for (;; digits++, s->at++) {
		if (imap_stream_peek(s, &c, err) < 0)
			return -1;
		if (c < '0' || c > '9')
			break;
		if (n > (UINT64_MAX - (c - '0')) / 10 || digits > 24)
			return imap_stream_garbage(s, "a number that fits", err);
		n = n * 10 + (c - '0');
	}
	*out = n;
	return digits ? 0 : imap_stream_garbage(s, "a number", err);
}

int imap_stream_literal(struct imap_stream *s, uint64_t *out_bytes, struct zs_err *err)
{
	if (imap_stream_is(s, '~', err) < 0 || imap_stream_expect(s, '{', err) < 0 || imap_stream_number(s, out_bytes, err) < 0 ||
	    imap_stream_is(s, '+', err) < 0 || imap_stream_expect(s, '}', err) < 0 || imap_stream_is(s, '\r', err) < 0)
		return -1;
	return imap_stream_expect(s, '\n', err);
}

int imap_stream_bytes(struct imap_stream *s, uint64_t n, int (*put)(void *ctx, const uint8_t *p, size_t n, struct zs_err *err),
    void *ctx, struct zs_err *err)
{
	uint8_t c;

	while (n > 0) {
		size_t part;

		if (imap_stream_peek(s, &c, err) < 0)
			return -1;
		part = s->end - s->at < n ? s->end - s->at : (size_t)n;
		if (put && put(ctx, s->buf + s->at, part, err) < 0)
			return -1;
		s->at += part;
		n -= part;
		s->reply_bytes -= (int64_t)part; /* counted when the buffer was emptied, or will be: bodies have no limit */
	}
	return 0;
}

static int add_piece(void *ctx, const uint8_t *p, size_t n, struct zs_err *err)
{
	return zs_buf_add(ctx, p, n, err);
}

static int take_literal(struct imap_stream *s, struct zs_buf *out, struct zs_err *err)
{
	uint64_t n;

	if (imap_stream_literal(s, &n, err) < 0)
		return -1;
	if (n > IMAP_STRING_MAX)
		return imap_stream_garbage(s, "a shorter string", err);
	return imap_stream_bytes(s, n, add_piece, out, err);
}

static int take_quoted(struct imap_stream *s, struct zs_buf *out, struct zs_err *err)
{
	size_t before = out->n;
	uint8_t c;

	s->at++;
	for (;;) {
		if (imap_stream_take(s, &c, err) < 0)
			return -1;
		if (c == '"')
			return 0;
		if (c == '\\' && imap_stream_take(s, &c, err) < 0)
			return -1;
		if (c == '\n' || out->n - before >= IMAP_STRING_MAX)
			return imap_stream_garbage(s, "the end of a string", err);
		if (zs_buf_add_u8(out, c, err) < 0)
			return -1;
	}
}

int imap_stream_string(struct imap_stream *s, struct zs_buf *out, struct zs_err *err)
{
	size_t before = out->n;
	uint8_t c;

	if (imap_stream_peek(s, &c, err) < 0)
		return -1;
	if (c == '"')
		return take_quoted(s, out, err) < 0 ? -1 : 1;
	if (c == '{' || c == '~')
		return take_literal(s, out, err) < 0 ? -1 : 1;
	if (imap_stream_atom(s, out, err) < 0)
		return -1;
	if (out->n - before != 3 || strncasecmp((const char *)out->p + before, "NIL", 3) != 0)
		return 1;
	out->n = before;
	return 0;
}

/* A string of any length, or an atom. */
static int skip_simple(struct imap_stream *s, struct zs_err *err)
{
	struct zs_buf unused = ZS_BUF_INIT;
	uint64_t n;
	uint8_t c;
	int rc;

	if (imap_stream_peek(s, &c, err) < 0)
		return -1;
	if (c == '{' || c == '~') {
		if (imap_stream_literal(s, &n, err) < 0)
			return -1;
		return imap_stream_bytes(s, n, NULL, NULL, err);
	}
	rc = imap_stream_string(s, &unused, err);
	zs_buf_fini(&unused);
	return rc < 0 ? -1 : 0;
}

int imap_stream_skip(struct imap_stream *s, struct zs_err *err)
{
	unsigned depth = 0;
	uint8_t c;

	do {
		if (imap_stream_peek(s, &c, err) < 0)
			return -1;
		if (c == '(') {
			if (++depth > IMAP_DEPTH_MAX)
				return imap_stream_garbage(s, "fewer brackets", err);
			s->at++;
		} else if (c == ')' && depth > 0) {
			depth--;
			s->at++;
		} else if (c == ' ' && depth > 0) {
			s->at++;
		} else if (skip_simple(s, err) < 0) {
			return -1;
		}
	} while (depth > 0);
	return 0;
}

int imap_stream_line(struct imap_stream *s, struct zs_buf *out, struct zs_err *err)
{
	size_t before = out ? out->n : 0, room;
	uint8_t c;

	for (;;) {
		const uint8_t *from, *end;
		size_t n;

		if (imap_stream_peek(s, &c, err) < 0)
			return -1;
		from = s->buf + s->at;
		end = memchr(from, '\n', s->end - s->at);
		n = end ? (size_t)(end - from) : s->end - s->at;
		room = out ? IMAP_STRING_MAX - (out->n - before) : 0;
		if (out && zs_buf_add(out, from, n < room ? n : room, err) < 0)
			return -1;
		s->at += n;
		if (end)
			break;
	}
	s->at++;
	if (out && out->n > before && out->p[out->n - 1] == '\r')
		out->n--;
	return 0;
}
