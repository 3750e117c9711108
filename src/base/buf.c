/*
 * Spans and growing buffers.  A failed call leaves the buffer as it was.  Integers and varints are added here, too;
 * taking them apart again is wire.c.
 */
#include "zstore/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

struct zs_span zs_span(const void *p, size_t n)
{
	return (struct zs_span){p, n};
}

struct zs_span zs_span_str(const char *s)
{
	return zs_span(s, strlen(s));
}

struct zs_span zs_buf_span(const struct zs_buf *b)
{
	return zs_span(b->p, b->n);
}

int zs_span_eq(struct zs_span a, struct zs_span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int zs_buf_reserve(struct zs_buf *b, size_t n, struct zs_err *err)
{
	size_t want, cap;
	uint8_t *p;

	if (n <= b->cap - b->n)
		return 0;
	if (n > (size_t)PTRDIFF_MAX - b->n)
		return zs_fail_nomem(err);
	want = b->n + n;
	cap = b->cap < FIRST_CAP / 2 ? FIRST_CAP : b->cap > (size_t)PTRDIFF_MAX / 2 ? (size_t)PTRDIFF_MAX : b->cap * 2;
	if (cap < want)
		cap = want;
	p = realloc(b->p, cap);
	if (!p && cap > want) {
		cap = want;
		p = realloc(b->p, cap);
	}
	if (!p)
		return zs_fail_nomem(err);
	b->p = p;
	b->cap = cap;
	return 0;
}

int zs_buf_add(struct zs_buf *b, const void *p, size_t n, struct zs_err *err)
{
	if (n == 0)
		return 0;
	if (zs_buf_reserve(b, n, err) < 0)
		return -1;
	memcpy(b->p + b->n, p, n);
	b->n += n;
	return 0;
}

int zs_buf_add_span(struct zs_buf *b, struct zs_span s, struct zs_err *err)
{
	return zs_buf_add(b, s.p, s.n, err);
}

int zs_buf_add_u8(struct zs_buf *b, uint8_t v, struct zs_err *err)
{
	return zs_buf_add(b, &v, 1, err);
}

int zs_buf_add_u16(struct zs_buf *b, uint16_t v, struct zs_err *err)
{
	uint8_t raw[2];

	zs_put_u16(raw, v);
	return zs_buf_add(b, raw, sizeof(raw), err);
}

int zs_buf_add_u32(struct zs_buf *b, uint32_t v, struct zs_err *err)
{
	uint8_t raw[4];

	zs_put_u32(raw, v);
	return zs_buf_add(b, raw, sizeof(raw), err);
}

int zs_buf_add_u64(struct zs_buf *b, uint64_t v, struct zs_err *err)
{
	uint8_t raw[8];

	zs_put_u64(raw, v);
	return zs_buf_add(b, raw, sizeof(raw), err);
}

int zs_buf_add_varint(struct zs_buf *b, uint64_t v, struct zs_err *err)
{
	uint8_t raw[10];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		raw[n++] = (uint8_t)(v | 0x80);
	raw[n++] = (uint8_t)v;
	return zs_buf_add(b, raw, n, err);
}

int zs_buf_printf(struct zs_buf *b, struct zs_err *err, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return zs_fail(err, ZS_INTERNAL, "cannot format a text");
	if (zs_buf_reserve(b, (size_t)n + 1, err) < 0)
		return -1;
	va_start(ap, fmt);
	(void)vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
	return 0;
}

void zs_buf_clear(struct zs_buf *b)
{
	b->n = 0;
}

void zs_buf_fini(struct zs_buf *b)
{
	free(b->p);
	*b = (struct zs_buf)ZS_BUF_INIT;
}

void zs_buf_wipe(struct zs_buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	zs_buf_fini(b);
}
