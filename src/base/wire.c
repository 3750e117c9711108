/*
 * Integers on the wire: little endian, LEB128 in its shortest form, zigzag.  A take either succeeds or changes nothing;
 * what the numbers mean and which are allowed is left to format.
 */
#include "zstore/base.h"

void zs_put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

void zs_put_u32(uint8_t *p, uint32_t v)
{
	zs_put_u16(p, (uint16_t)v);
	zs_put_u16(p + 2, (uint16_t)(v >> 16));
}

void zs_put_u64(uint8_t *p, uint64_t v)
{
	zs_put_u32(p, (uint32_t)v);
	zs_put_u32(p + 4, (uint32_t)(v >> 32));
}

uint16_t zs_get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t zs_get_u32(const uint8_t *p)
{
	return zs_get_u16(p) | (uint32_t)zs_get_u16(p + 2) << 16;
}

uint64_t zs_get_u64(const uint8_t *p)
{
	return zs_get_u32(p) | (uint64_t)zs_get_u32(p + 4) << 32;
}

int zs_take_bytes(struct zs_span *s, size_t n, struct zs_span *out)
{
	if (s->n < n)
		return -1;
	*out = zs_span(s->p, n);
	if (n > 0) {
		s->p += n;
		s->n -= n;
	}
	return 0;
}

int zs_take_u8(struct zs_span *s, uint8_t *out)
{
	struct zs_span raw;

	if (zs_take_bytes(s, 1, &raw) < 0)
		return -1;
	*out = raw.p[0];
	return 0;
}

int zs_take_u16(struct zs_span *s, uint16_t *out)
{
	struct zs_span raw;

	if (zs_take_bytes(s, 2, &raw) < 0)
		return -1;
	*out = zs_get_u16(raw.p);
	return 0;
}

int zs_take_u32(struct zs_span *s, uint32_t *out)
{
	struct zs_span raw;

	if (zs_take_bytes(s, 4, &raw) < 0)
		return -1;
	*out = zs_get_u32(raw.p);
	return 0;
}

int zs_take_u64(struct zs_span *s, uint64_t *out)
{
	struct zs_span raw;

	if (zs_take_bytes(s, 8, &raw) < 0)
		return -1;
	*out = zs_get_u64(raw.p);
	return 0;
}

int zs_take_varint(struct zs_span *s, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < s->n && i < 10; i++) {
		uint8_t c = s->p[i];

		/* the tenth byte has one bit left to give */
		if (i == 9 && c > 1)
			return -1;
		v |= (uint64_t)(c & 0x7f) << (7 * i);
		if (c & 0x80)
			continue;
		/* a last byte of zero says that a shorter form exists */
		if (c == 0 && i > 0)
			return -1;
		s->p += i + 1;
		s->n -= i + 1;
		*out = v;
		return 0;
	}
	return -1;
}

uint64_t zs_zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
}

int64_t zs_unzigzag(uint64_t v)
{
	return (int64_t)((v >> 1) ^ (v & 1 ? UINT64_MAX : 0));
}
