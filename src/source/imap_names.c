/*
 * Names of folders (modified UTF-7: utf7.c) to paths that a snapshot can hold.  Two names never
 * become one path as long as they use one delimiter: what is no proper UTF-7 is kept as its bytes, visibly.
 */
#include "imap_private.h"

#include <stdio.h>
#include <string.h>

#define COMPONENT_ROOM 230 /* of a long component; what was cut off is told by a hash behind it */

/* ------------------------------------------------------------------------- paths */

static int add_encoded(struct zs_buf *out, uint8_t c, struct zs_err *err)
{
	return zs_buf_printf(out, err, "%%%02X", c);
}

/* A folder must not be called as a message is: "0000000001.eml". */
static int is_like_message(struct zs_span c)
{
	if (c.n != 14 || memcmp(c.p + 10, ".eml", 4) != 0)
		return 0;
	for (int i = 0; i < 10; i++)
		if (c.p[i] < '0' || c.p[i] > '9')
			return 0;
	return 1;
}

static int is_plain(struct zs_span c, size_t len, int is_raw)
{
	uint8_t first = c.p[0];

	if (len == 0 || first < 0x20 || first == 0x7f || first == '/' || first == '%')
		return 0;
	if (is_raw && (first == '&' || first >= 0x80))
		return 0;
	return !(len == 2 && first == 0xc2 && c.p[1] < 0xa0); /* C1 controls */
}

/* is_raw: no UTF-8, but bytes of the server.  whole: what a hash is made of, if it must be cut. */
static int add_component(struct zs_buf *out, struct zs_span c, int is_raw, struct zs_err *err)
{
	int first_too = is_like_message(c) || (c.n <= 2 && c.n > 0 && c.p[0] == '.' && c.p[c.n - 1] == '.');
	size_t begin = out->n, good = out->n;

	if (c.n == 0)
		return zs_buf_add_u8(out, '%', err);
	for (size_t at = 0; at < c.n;) {
		struct zs_span rest = zs_span(c.p + at, c.n - at);
		size_t len = zs_utf8_length(rest.p, rest.n), n = len ? len : 1;

		if (is_plain(rest, len, is_raw) && !(first_too && (at == 0 || c.p[0] == '.'))) {
			if (zs_buf_add(out, rest.p, n, err) < 0)
				return -1;
		} else {
			for (size_t i = 0; i < n; i++)
				if (add_encoded(out, rest.p[i], err) < 0)
					return -1;
		}
		at += n;
		if (out->n - begin <= COMPONENT_ROOM)
			good = out->n;
	}
	if (out->n - begin <= ZS_COMPONENT_MAX)
		return 0;
	out->n = good;
	return zs_buf_printf(out, err, "%%+%016llx", (unsigned long long)zs_hash64(0, c));
}

int imap_names_path(struct zs_span raw, uint8_t delimiter, struct zs_buf *out, struct zs_err *err)
{
	struct zs_buf utf8 = ZS_BUF_INIT;
	int rc = 0;

	for (size_t at = 0; rc == 0 && at <= raw.n;) {
		const uint8_t *end = delimiter && at < raw.n ? memchr(raw.p + at, delimiter, raw.n - at) : NULL;
		struct zs_span c = zs_span(raw.p + at, end ? (size_t)(end - raw.p) - at : raw.n - at);

		zs_buf_clear(&utf8);
		if (at > 0)
			rc = zs_buf_add_u8(out, '/', err);
		if (rc == 0 && (rc = utf7_decode(c, &utf8, err)) >= 0)
			rc = add_component(out, rc > 0 ? zs_buf_span(&utf8) : c, rc == 0, err);
		at += c.n + 1;
	}
	zs_buf_fini(&utf8);
	return rc;
}

int imap_names_typed(struct zs_span typed, struct zs_buf *out, struct zs_err *err)
{
	while (typed.n > 0 && typed.p[typed.n - 1] == '/')
		typed.n--;
	for (size_t at = 0; at < typed.n;) {
		const uint8_t *end = memchr(typed.p + at, '/', typed.n - at);
		struct zs_span c = zs_span(typed.p + at, end ? (size_t)(end - typed.p) - at : typed.n - at);

		if (at > 0 && zs_buf_add_u8(out, '/', err) < 0)
			return -1;
		if (at == 0 && c.n == 5 && strncasecmp((const char *)c.p, "inbox", 5) == 0)
			c = zs_span_str("INBOX");
		if (add_component(out, c, 0, err) < 0)
			return -1;
		at += c.n + 1;
	}
	return 0;
}

int imap_names_differ(struct zs_buf *path, struct zs_span raw, struct zs_err *err)
{
	size_t base = path->n - zs_path_base(zs_buf_span(path)).n;

	if (path->n - base > COMPONENT_ROOM) {
		size_t end = base + COMPONENT_ROOM;

		while (end > base && (path->p[end] & 0xc0) == 0x80)
			end--; /* not within a character */
		path->n = end;
	}
	return zs_buf_printf(path, err, "%%+%016llx", (unsigned long long)zs_hash64(1, raw));
}

const char *imap_names_text(struct zs_span text, char *out, size_t n)
{
	size_t k = 0;

	for (size_t at = 0; at < text.n && k + 5 < n;) {
		struct zs_span rest = zs_span(text.p + at, text.n - at);
		size_t len = zs_utf8_length(rest.p, rest.n);

		if (len == 0 || rest.p[0] < 0x20 || rest.p[0] == 0x7f || (len == 2 && rest.p[0] == 0xc2 && rest.p[1] < 0xa0)) {
			out[k++] = rest.p[0] == '\t' ? ' ' : '?';
			at++;
			continue;
		}
		memcpy(out + k, rest.p, len);
		k += len;
		at += len;
	}
	out[k] = 0;
	return out;
}
