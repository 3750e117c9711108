/* Text as JSON strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "zstore/base.h"

static void check(const char *text, size_t n, const char *want)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};

	assert_int_equal(zs_buf_add_u8(&b, '>', &err), 0);
	assert_int_equal(zs_buf_json(&b, zs_span(text, n), &err), 0);
	assert_int_equal(b.n, strlen(want) + 1);
	assert_memory_equal(b.p + 1, want, b.n - 1);
	zs_buf_fini(&b);
}

static void strings(void **state)
{
	(void)state;
	check("", 0, "\"\"");
	check("plain", 5, "\"plain\"");
	check("a\"b\\c", 5, "\"a\\\"b\\\\c\"");
	check("\n\t\x7f", 3, "\"\\u000a\\u0009\\u007f\"");
	check("\0x", 2, "\"\\u0000x\"");
	check("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
	check("\xff", 1, "\"\\ufffd\"");
	check("\xc3", 1, "\"\\ufffd\"");
	check("\xc0\x80", 2, "\"\\ufffd\\ufffd\"");	       /* overlong */
	check("\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\""); /* a surrogate */
	check("\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
	check("\xe2\x82", 2, "\"\\ufffd\\ufffd\"");
}

static void lengths(void **state)
{
	(void)state;
	assert_int_equal(zs_utf8_length((const uint8_t *)"a", 1), 1);
	assert_int_equal(zs_utf8_length((const uint8_t *)"\xc3\xa9", 2), 2);
	assert_int_equal(zs_utf8_length((const uint8_t *)"\xc3\xa9", 1), 0);
	assert_int_equal(zs_utf8_length((const uint8_t *)"\x80", 1), 0);
	assert_int_equal(zs_utf8_length((const uint8_t *)"\xf5\x80\x80\x80", 4), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings),
		cmocka_unit_test(lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
