/* Numbers, sizes and times as options and the configuration file have them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../src/cli/values.h"

static void numbers(void **state)
{
	static const char *const bad[] = {"", "x", "7x", "7 ", "-2", "11", "99999999999999999999"};
	struct zs_err err = {0};
	int64_t n = 0;

	(void)state;
	assert_int_equal(parse_number("10", -1, 10, &n, &err), 0);
	assert_int_equal(n, 10);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(parse_number(bad[i], -1, 10, &n, &err), -1);
		assert_int_equal(err.cause, ZS_USAGE);
	}
	assert_int_equal(n, 10);
}

static void flags(void **state)
{
	struct zs_err err = {0};
	int v = 7;

	(void)state;
	assert_int_equal(parse_flag("yes", &v, &err), 0);
	assert_int_equal(v, 1);
	assert_int_equal(parse_flag("off", &v, &err), 0);
	assert_int_equal(v, 0);
	assert_int_equal(parse_flag("", &v, &err), -1);
	assert_int_equal(parse_flag("YES", &v, &err), -1);
}

static void timeouts(void **state)
{
	static const struct { const char *text; int64_t s; } good[] = {{"0", 0}, {"90", 90}, {"90s", 90}, {"10m", 600}, {"2h", 7200}};
	static const char *const bad[] = {"", "s", "1d", "-1", "1 h", "1hh", "9999999999"};
	struct zs_err err = {0};
	int64_t s;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(parse_timeout(good[i].text, &s, &err), 0);
		assert_int_equal(s, good[i].s);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(parse_timeout(bad[i], &s, &err), -1);
}

static void unused(void **state)
{
	struct zs_err err = {0};
	uint64_t bytes;
	unsigned percent;

	(void)state;
	assert_int_equal(parse_unused("7%", &bytes, &percent, &err), 0);
	assert_int_equal(percent, 7);
	assert_true(bytes == UINT64_MAX - 1);
	assert_int_equal(parse_unused("1.5K", &bytes, &percent, &err), 0);
	assert_true(bytes == 1536 && percent == 10000);
	assert_int_equal(parse_unused("unlimited", &bytes, &percent, &err), 0);
	assert_true(bytes == UINT64_MAX);
	assert_int_equal(parse_unused("101%", &bytes, &percent, &err), -1);
	assert_int_equal(parse_unused("-1", &bytes, &percent, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(numbers), cmocka_unit_test(flags), cmocka_unit_test(timeouts), cmocka_unit_test(unused)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
