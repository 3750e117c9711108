/*
 * Bytes between quotes, and as hexadecimal digits: where most of the time of a backup of large values is spent.  With SSE2
 * sixteen bytes are looked at in one step; what is written does not depend on it.
 */
#include "sql_source_private.h"

#include <ctype.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

/* What follows the backslash; 0: the byte stands for itself. */
static const uint8_t letters[256] = {
	[0] = '0', ['\n'] = 'n', ['\r'] = 'r', [0x1a] = 'Z', ['\''] = '\'', ['\\'] = '\\',
};

static size_t escape_bytewise(uint8_t *out, const uint8_t *p, size_t n)
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

static uint64_t load8(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

static uint32_t load4(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
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

/* Fewer than sixteen: two overlapping halves, if there is nothing special in them. */
static size_t escape_short(uint8_t *out, const uint8_t *p, size_t n)
{
	if (n >= 8) {
		uint64_t a = load8(p), b = load8(p + n - 8);

		if (!specials(_mm_set_epi64x((long long)b, (long long)a))) {
			memcpy(out, &a, 8);
			memcpy(out + n - 8, &b, 8);
			return n;
		}
	} else if (n >= 4) {
		uint32_t a = load4(p), b = load4(p + n - 4);

		if (!specials(_mm_set_epi32((int)a, (int)b, (int)a, (int)b))) {
			memcpy(out, &a, 4);
			memcpy(out + n - 4, &b, 4);
			return n;
		}
	}
	return escape_bytewise(out, p, n);
}

size_t sql_escape_bytes(uint8_t *out, const uint8_t *p, size_t n)
{
	size_t i = 0, k = 0;

	for (; n - i >= 16; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
		unsigned mask = specials(v);

		if (!mask) {
			_mm_storeu_si128((__m128i *)(void *)(out + k), v);
			k += 16;
		} else if (n - i >= 32) { /* escape_block reads up to 15 bytes behind its own */
			k += escape_block(out + k, p + i, mask);
		} else {
			k += escape_bytewise(out + k, p + i, 16);
		}
	}
	return k + escape_short(out + k, p + i, n - i);
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

#else
size_t sql_escape_bytes(uint8_t *out, const uint8_t *p, size_t n)
{
	return escape_bytewise(out, p, n);
}

size_t sql_escape_hex(uint8_t *out, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = (uint8_t)"0123456789ABCDEF"[p[i] >> 4];
		out[2 * i + 1] = (uint8_t)"0123456789ABCDEF"[p[i] & 15];
	}
	return 2 * n;
}
#endif

#define HIGH_BITS 0x8080808080808080u

/* The number of bytes at the front that are ASCII. */
static size_t ascii_prefix(const uint8_t *p, size_t n)
{
	size_t i = 0;

	for (; n - i >= 8; i += 8)
		if (load8(p + i) & HIGH_BITS)
			break;
	if (n - i < 8 && n >= 8 && !(load8(p + n - 8) & HIGH_BITS))
		return n;
	while (i < n && p[i] < 0x80)
		i++;
	return i;
}

int sql_escape_is_ascii(const uint8_t *p, size_t n)
{
	return ascii_prefix(p, n) == n;
}

int sql_escape_is_utf8(const uint8_t *p, size_t n)
{
	size_t i = ascii_prefix(p, n), k;

	while (i < n) {
		k = zs_utf8_length(p + i, n - i);
		if (!k)
			return 0;
		i += k;
		if (i < n && p[i] < 0x80)
			i += ascii_prefix(p + i, n - i);
	}
	return 1;
}

/* Eight digits have 3 in each upper half, and adding 6 does not change that. */
static int are_digits(uint64_t v)
{
	return (v & 0xf0f0f0f0f0f0f0f0u) == 0x3030303030303030u && ((v + 0x0606060606060606u) & 0xf0f0f0f0f0f0f0f0u) == 0x3030303030303030u;
}

int sql_escape_copy_digits(uint8_t *out, const uint8_t *p, size_t n)
{
	if (n >= 8 && n <= 16) {
		uint64_t a = load8(p), b = load8(p + n - 8);

		memcpy(out, &a, 8);
		memcpy(out + n - 8, &b, 8);
		return are_digits(a) && are_digits(b);
	}
	if (n >= 4 && n < 8) {
		uint32_t a = load4(p), b = load4(p + n - 4);

		memcpy(out, &a, 4);
		memcpy(out + n - 4, &b, 4);
		return are_digits((uint64_t)a << 32 | b);
	}
	if (n == 0 || n > 16)
		return 0;
	for (size_t i = 0; i < n; i++)
		out[i] = p[i];
	return isdigit(p[0]) && isdigit(p[n / 2]) && isdigit(p[n - 1]);
}
