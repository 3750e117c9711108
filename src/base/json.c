/*
 * Text as a JSON string: always valid UTF-8, whatever the bytes are.
 */
#include "zstore/base.h"

#include <string.h>

size_t zs_utf8_length(const uint8_t *p, size_t n)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf5 ? 0 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 0;

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] >= 0x90))
		return 0;
	return len;
}

/* As long as the longest escape for every byte: the caller has made that room. */
#define ESCAPE_MAX 6

static size_t escape(uint8_t *out, const uint8_t *p, size_t n, size_t *used)
{
	static const char hex[] = "0123456789abcdef";
	size_t len = zs_utf8_length(p, n);

	*used = len ? len : 1;
	if (len == 0) {
		memcpy(out, "\\ufffd", 6);
		return 6;
	}
	if (*p == '"' || *p == '\\') {
		out[0] = '\\';
		out[1] = *p;
		return 2;
	}
	if (*p < 0x20 || *p == 0x7f) {
		memcpy(out, "\\u00", 4);
		out[4] = (uint8_t)hex[*p >> 4];
		out[5] = (uint8_t)hex[*p & 15];
		return 6;
	}
	memcpy(out, p, len);
	return len;
}

int zs_buf_json(struct zs_buf *b, struct zs_span text, struct zs_err *err)
{
	size_t used;

	if (text.n > (SIZE_MAX - 2) / ESCAPE_MAX)
		return zs_fail_nomem(err);
	if (zs_buf_reserve(b, text.n * ESCAPE_MAX + 2, err) < 0)
		return -1;
	b->p[b->n++] = '"';
	for (size_t i = 0; i < text.n; i += used)
		b->n += escape(b->p + b->n, text.p + i, text.n - i, &used);
	b->p[b->n++] = '"';
	return 0;
}
