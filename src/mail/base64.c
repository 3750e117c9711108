/*
 * Base64 of RFC 4648, strict and canonical, as fast as the processor allows.
 * Contiguous characters only: line ends are the business of run.c and wrap.c.
 */
#include <string.h>

#include "mail_private.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_X86 1
#else
#define HAVE_X86 0
#endif

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* one more than the value of each character; 0 for those outside the alphabet */
static const uint8_t rank_of[256] = {
	['+'] = 63, ['/'] = 64,
	['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
	['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
	['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
};

int base64_is(uint8_t c)
{
	return rank_of[c] != 0;
}

size_t base64_span(const uint8_t *in, size_t n)
{
	size_t i = 0;

	while (i < n && rank_of[in[i]])
		i++;
	return i;
}

enum base64_path base64_best(void)
{
#if HAVE_X86
	if (__builtin_cpu_supports("avx2"))
		return BASE64_AVX2;
	if (__builtin_cpu_supports("ssse3"))
		return BASE64_SSSE3;
#endif
	return BASE64_PORTABLE;
}

/* ----------------------------------------------------------------- portable */

static size_t decode_portable(const uint8_t *in, size_t n, uint8_t *out)
{
	size_t i;

	for (i = 0; i + 4 <= n; i += 4, out += 3) {
		uint32_t a = rank_of[in[i]] - 1u, b = rank_of[in[i + 1]] - 1u;
		uint32_t c = rank_of[in[i + 2]] - 1u, d = rank_of[in[i + 3]] - 1u;
		uint32_t v = a << 18 | b << 12 | c << 6 | d;

		if ((a | b | c | d) > 63)
			break;
		out[0] = (uint8_t)(v >> 16);
		out[1] = (uint8_t)(v >> 8);
		out[2] = (uint8_t)v;
	}
	return i;
}

static void encode_portable(const uint8_t *in, size_t n, uint8_t *out)
{
	for (; n >= 3; n -= 3, in += 3, out += 4) {
		uint32_t v = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];

		out[0] = (uint8_t)alphabet[v >> 18];
		out[1] = (uint8_t)alphabet[v >> 12 & 63];
		out[2] = (uint8_t)alphabet[v >> 6 & 63];
		out[3] = (uint8_t)alphabet[v & 63];
	}
	if (!n)
		return;
	out[0] = (uint8_t)alphabet[in[0] >> 2];
	out[1] = (uint8_t)alphabet[(in[0] & 3) << 4 | (n == 2 ? in[1] >> 4 : 0)];
	out[2] = n == 2 ? (uint8_t)alphabet[(in[1] & 15) << 2] : '=';
	out[3] = '=';
}

/* ---------------------------------------------------------------------- x86 */

#if HAVE_X86
/*
 * Both directions work on nibbles and table look-ups within a register.  A character is bad if the class of its
 * high nibble (HI) is among those that its low nibble excludes (LO); ROLL turns it into its value, indexed by the
 * high nibble, one less for '/'.
 */
#define LO 0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a
#define HI 0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10
#define ROLL 0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0
#define PACK 2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1
#define SPREAD 1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10
/* From value to character: 26..51, then 52..61 one by one, 62, 63, and 0..25 last. */
#define SHIFT 71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0

__attribute__((target("ssse3")))
static size_t decode_ssse3(const uint8_t *in, size_t n, uint8_t *out)
{
	const __m128i lo = _mm_setr_epi8(LO), hi = _mm_setr_epi8(HI), roll = _mm_setr_epi8(ROLL);
	const __m128i nibble = _mm_set1_epi8(15), slash = _mm_set1_epi8('/');
	size_t i;

	for (i = 0; i + 16 <= n; i += 16, out += 12) {
		__m128i c = _mm_loadu_si128((const void *)(in + i));
		__m128i h = _mm_and_si128(_mm_srli_epi32(c, 4), nibble), l = _mm_and_si128(c, nibble);
		__m128i bad = _mm_and_si128(_mm_shuffle_epi8(lo, l), _mm_shuffle_epi8(hi, h));

		if (_mm_movemask_epi8(_mm_cmpeq_epi8(bad, _mm_setzero_si128())) != 0xffff)
			break;
		c = _mm_add_epi8(c, _mm_shuffle_epi8(roll, _mm_add_epi8(h, _mm_cmpeq_epi8(c, slash))));
		c = _mm_maddubs_epi16(c, _mm_set1_epi32(0x01400140));
		c = _mm_madd_epi16(c, _mm_set1_epi32(0x00011000));
		_mm_storeu_si128((void *)out, _mm_shuffle_epi8(c, _mm_setr_epi8(PACK)));
	}
	return i;
}

__attribute__((target("avx2")))
static size_t decode_avx2(const uint8_t *in, size_t n, uint8_t *out)
{
	const __m256i lo = _mm256_setr_epi8(LO, LO), hi = _mm256_setr_epi8(HI, HI), roll = _mm256_setr_epi8(ROLL, ROLL);
	const __m256i nibble = _mm256_set1_epi8(15), slash = _mm256_set1_epi8('/');
	size_t i;

	for (i = 0; i + 32 <= n; i += 32, out += 24) {
		__m256i c = _mm256_loadu_si256((const void *)(in + i));
		__m256i h = _mm256_and_si256(_mm256_srli_epi32(c, 4), nibble), l = _mm256_and_si256(c, nibble);

		if (!_mm256_testz_si256(_mm256_shuffle_epi8(lo, l), _mm256_shuffle_epi8(hi, h)))
			break;
		c = _mm256_add_epi8(c, _mm256_shuffle_epi8(roll, _mm256_add_epi8(h, _mm256_cmpeq_epi8(c, slash))));
		c = _mm256_maddubs_epi16(c, _mm256_set1_epi32(0x01400140));
		c = _mm256_madd_epi16(c, _mm256_set1_epi32(0x00011000));
		c = _mm256_shuffle_epi8(c, _mm256_setr_epi8(PACK, PACK));
		c = _mm256_permutevar8x32_epi32(c, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7));
		_mm256_storeu_si256((void *)out, c);
	}
	return i;
}

__attribute__((target("ssse3")))
static size_t encode_ssse3(const uint8_t *in, size_t n, uint8_t *out)
{
	const __m128i shift = _mm_setr_epi8(SHIFT), spread = _mm_setr_epi8(SPREAD);
	size_t i;

	for (i = 0; i + 16 <= n; i += 12, out += 16) {
		__m128i v = _mm_shuffle_epi8(_mm_loadu_si128((const void *)(in + i)), spread);
		__m128i a = _mm_mulhi_epu16(_mm_and_si128(v, _mm_set1_epi32(0x0fc0fc00)), _mm_set1_epi32(0x04000040));
		__m128i b = _mm_mullo_epi16(_mm_and_si128(v, _mm_set1_epi32(0x003f03f0)), _mm_set1_epi32(0x01000010));
		__m128i row;

		v = _mm_or_si128(a, b);
		row = _mm_subs_epu8(v, _mm_set1_epi8(51));
		row = _mm_or_si128(row, _mm_and_si128(_mm_cmpgt_epi8(_mm_set1_epi8(26), v), _mm_set1_epi8(13)));
		_mm_storeu_si128((void *)out, _mm_add_epi8(v, _mm_shuffle_epi8(shift, row)));
	}
	return i;
}

__attribute__((target("avx2")))
static size_t encode_avx2(const uint8_t *in, size_t n, uint8_t *out)
{
	const __m256i shift = _mm256_setr_epi8(SHIFT, SHIFT), spread = _mm256_setr_epi8(SPREAD, SPREAD);
	size_t i;

	for (i = 0; i + 28 <= n; i += 24, out += 32) {
		__m256i v = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)(in + i))),
		    _mm_loadu_si128((const void *)(in + i + 12)), 1);
		__m256i a, b, row;

		v = _mm256_shuffle_epi8(v, spread);
		a = _mm256_mulhi_epu16(_mm256_and_si256(v, _mm256_set1_epi32(0x0fc0fc00)),
		    _mm256_set1_epi32(0x04000040));
		b = _mm256_mullo_epi16(_mm256_and_si256(v, _mm256_set1_epi32(0x003f03f0)),
		    _mm256_set1_epi32(0x01000010));
		v = _mm256_or_si256(a, b);
		row = _mm256_subs_epu8(v, _mm256_set1_epi8(51));
		row = _mm256_or_si256(row, _mm256_and_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(26), v),
		    _mm256_set1_epi8(13)));
		_mm256_storeu_si256((void *)out, _mm256_add_epi8(v, _mm256_shuffle_epi8(shift, row)));
	}
	return i;
}
#endif

/* --------------------------------------------------------------------- both */

size_t base64_decode(enum base64_path path, const uint8_t *in, size_t n, uint8_t *out)
{
	size_t done = 0;

#if HAVE_X86
	if (path == BASE64_AVX2)
		done = decode_avx2(in, n, out);
	else if (path == BASE64_SSSE3)
		done = decode_ssse3(in, n, out);
#else
	(void)path;
#endif
	return done + decode_portable(in + done, n - done, out + done / 4 * 3);
}

size_t base64_encode(enum base64_path path, const uint8_t *in, size_t n, uint8_t *out)
{
	size_t done = 0;

#if HAVE_X86
	if (path == BASE64_AVX2)
		done = encode_avx2(in, n, out);
	else if (path == BASE64_SSSE3)
		done = encode_ssse3(in, n, out);
#else
	(void)path;
#endif
	encode_portable(in + done, n - done, out + done / 3 * 4);
	return (n + 2) / 3 * 4;
}

int base64_decode_end(const uint8_t *in, size_t n, uint8_t *out, size_t *out_n)
{
	size_t whole = n - 4, pad = 0;
	uint8_t last[4], again[4];

	if (n < 4 || n % 4)
		return -1;
	memcpy(last, in + whole, 4);
	if (last[3] == '=')
		pad = last[2] == '=' ? 2 : 1;
	for (size_t i = 4 - pad; i < 4; i++)
		last[i] = 'A';
	if (decode_portable(in, whole, out) != whole || decode_portable(last, 4, out + whole / 4 * 3) != 4)
		return -1;
	encode_portable(out + whole / 4 * 3, 3 - pad, again);
	if (memcmp(again, in + whole, 4))
		return -1; /* bits beyond the last byte were set */
	*out_n = whole / 4 * 3 + 3 - pad;
	return 0;
}
