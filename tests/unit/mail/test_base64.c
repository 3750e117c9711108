/* The base64 kernels against each other and against a slow one; every character, every length, every bad place. */
#include "mail_test.h"

static const enum base64_path paths[] = {BASE64_PORTABLE, BASE64_SSSE3, BASE64_AVX2};

static unsigned path_count(void)
{
	return (unsigned)base64_best() + 1;
}

static void encodes_and_decodes_any_length(void **state)
{
	struct zs_buf bytes = ZS_BUF_INIT, want = ZS_BUF_INIT;
	uint8_t chars[700 + BASE64_SLACK], back[700 + BASE64_SLACK];

	(void)state;
	add_noise(&bytes, 300, 1);
	for (size_t n = 0; n <= 300; n++) {
		zs_buf_clear(&want);
		add_base64(&want, zs_span(bytes.p, n), 100000, "", 0);
		for (unsigned i = 0; i < path_count(); i++) {
			size_t back_n = 0;

			assert_int_equal(base64_encode(paths[i], bytes.p, n, chars), want.n);
			if (!n)
				continue;
			assert_memory_equal(chars, want.p, want.n);
			assert_int_equal(base64_decode_end(chars, want.n, back, &back_n), 0);
			assert_int_equal(back_n, n);
			assert_memory_equal(back, bytes.p, n);
			if (n % 3)
				continue;
			memset(back, 0, sizeof back);
			assert_int_equal(base64_decode(paths[i], chars, want.n, back), want.n);
			assert_memory_equal(back, bytes.p, n);
		}
	}
	zs_buf_fini(&bytes);
	zs_buf_fini(&want);
}

/* Every byte value at every position of a vector: good exactly if it is in the alphabet. */
static void stops_before_a_bad_group(void **state)
{
	static const char a[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t chars[100], out[100 + BASE64_SLACK], same[100 + BASE64_SLACK];

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		int good = c && strchr(a, (int)c) != NULL;

		assert_int_equal(base64_is((uint8_t)c), good);
		for (size_t at = 0; at < sizeof chars; at++) {
			memset(chars, 'x', sizeof chars);
			chars[at] = (uint8_t)c;
			assert_int_equal(base64_span(chars, sizeof chars), good ? sizeof chars : at);
			for (unsigned i = 0; i < path_count(); i++) {
				size_t want = good ? sizeof chars : at / 4 * 4;

				assert_int_equal(base64_decode(paths[i], chars, sizeof chars, out), want);
				(void)base64_decode(BASE64_PORTABLE, chars, want, same);
				assert_memory_equal(out, same, want / 4 * 3);
			}
		}
	}
}

static void accepts_only_canonical_ends(void **state)
{
	static const struct { const char *text; int bytes; } cases[] = {
		{"QUJD", 3}, {"QUI=", 2}, {"QQ==", 1}, {"QUJDQQ==", 4}, {"QR==", -1}, {"QUJ=", -1}, {"Q===", -1},
		{"====", -1},
		{"QUJDQQ=", -1}, {"QQ==QUJD", -1}, {"Q=Q=", -1}, {"QU\nD", -1}, {"", -1}, {"QQ=", -1}, {"=QQQ", -1},
		{"QUI-", -1},
	};
	uint8_t out[40];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int rc = base64_decode_end((const uint8_t *)cases[i].text, strlen(cases[i].text), out, &n);

		assert_int_equal(rc, cases[i].bytes < 0 ? -1 : 0);
		if (!rc)
			assert_int_equal(n, cases[i].bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_and_decodes_any_length),
		cmocka_unit_test(stops_before_a_bad_group),
		cmocka_unit_test(accepts_only_canonical_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
