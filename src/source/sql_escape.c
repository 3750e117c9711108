/*
 * Bytes between quotes, and as hexadecimal digits: where most of the time of a backup of large values is spent.  With SSE2
 * sixteen bytes are looked at in one step; what is written does not depend on it.
 */
#include "sql_source_private.h"

#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

/* What follows the backslash; 0: the byte stands for itself. */
static const uint8_t letters[256] = {
	[0] = '0', ['\n'] = 'n', ['\r'] = 'r', [0x1a] = 'Z', ['\''] = '\'', ['\\'] = '\\',
};

static size_t escape_tail(uint8_t *out, const uint8_t *p, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t letter = letters[p[i]];

		out[k] = '\\';
		k += letter != 0;
		out[k++] = letter ? letter : p[i];
	}
	return k;
}

#ifdef __SSE2__
static unsigned specials(__m128i v)
{
	__m128i a = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_setzero_si128()), _mm_cmpeq_epi8(v, _mm_set1_epi8('\n')));
	__m128i b = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\r')), _mm_cmpeq_epi8(v, _mm_set1_epi8(0x1a)));
	__m128i c = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\'')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(a, b), c));
}

/* Sixteen bytes that have specials among them: copied up to each, then the two bytes for it. */
static size_t escape_block(uint8_t *out, const uint8_t *p, unsigned mask)
{
	size_t at = 0, k = 0;

	while (mask) {
		size_t next = (size_t)__builtin_ctz(mask);

		memcpy(out + k, p + at, 16); /* more than needed: what is too much is overwritten */
		k += next - at;
		out[k++] = '\\';
		out[k++] = letters[p[next]];
		at = next + 1;
		mask &= mask - 1;
	}
	memcpy(out + k, p + at, 16);
	return k + 16 - at;
}

size_t sql_escape_bytes(uint8_t *out, const uint8_t *p, size_t n)
{
	size_t i = 0, k = 0;

	for (; n - i >= 32; i += 16) { /* 32: escape_block reads up to 15 bytes behind its own */
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
		unsigned mask = specials(v);

		if (mask) {
			k += escape_block(out + k, p + i, mask);
			continue;
		}
		_mm_storeu_si128((__m128i *)(void *)(out + k), v);
		k += 16;
	}
	return k + escape_tail(out + k, p + i, n - i);
}

size_t sql_escape_hex(uint8_t *out, const uint8_t *p, size_t n)
{
	const __m128i low = _mm_set1_epi8(15), nine = _mm_set1_epi8(9), zero = _mm_set1_epi8('0'), more = _mm_set1_epi8('A' - '0' - 10);
	size_t i = 0;

	for (; n - i >= 16; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
		__m128i h = _mm_and_si128(_mm_srli_epi16(v, 4), low), l = _mm_and_si128(v, low);

		h = _mm_add_epi8(_mm_add_epi8(h, zero), _mm_and_si128(_mm_cmpgt_epi8(h, nine), more));
		l = _mm_add_epi8(_mm_add_epi8(l, zero), _mm_and_si128(_mm_cmpgt_epi8(l, nine), more));
		_mm_storeu_si128((__m128i *)(void *)(out + 2 * i), _mm_unpacklo_epi8(h, l));
		_mm_storeu_si128((__m128i *)(void *)(out + 2 * i + 16), _mm_unpackhi_epi8(h, l));
	}
	for (; i < n; i++) {
		out[2 * i] = (uint8_t)"0123456789ABCDEF"[p[i] >> 4];
		out[2 * i + 1] = (uint8_t)"0123456789ABCDEF"[p[i] & 15];
	}
	return 2 * n;
}

int sql_escape_is_ascii(const uint8_t *p, size_t n)
{
	size_t i = 0;

	for (; n - i >= 16; i += 16)
		if (_mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + i))))
			return 0;
	for (; i < n; i++)
		if (p[i] & 0x80)
			return 0;
	return 1;
}
#else
size_t sql_escape_bytes(uint8_t *out, const uint8_t *p, size_t n)
{
	return escape_tail(out, p, n);
}

size_t sql_escape_hex(uint8_t *out, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = (uint8_t)"0123456789ABCDEF"[p[i] >> 4];
		out[2 * i + 1] = (uint8_t)"0123456789ABCDEF"[p[i] & 15];
	}
	return 2 * n;
}

int sql_escape_is_ascii(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] & 0x80)
			return 0;
	return 1;
}
#endif

int sql_escape_is_utf8(const uint8_t *p, size_t n)
{
	size_t i = 0, k;

	while (i < n) {
		if (n - i >= 16 && sql_escape_is_ascii(p + i, 16)) {
			i += 16;
			continue;
		}
		k = p[i] < 0x80 ? 1 : zs_utf8_length(p + i, n - i);
		if (!k)
			return 0;
		i += k;
	}
	return 1;
}
