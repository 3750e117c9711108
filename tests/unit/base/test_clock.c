/* Times as text, both ways. */
#include "zstore/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define NS INT64_C(1000000000)

static void iso(void **state)
{
	char text[32];

	(void)state;
	assert_string_equal(zs_time_iso(0, text), "1970-01-01T00:00:00Z");
	assert_string_equal(zs_time_iso(-1, text), "1969-12-31T23:59:59Z");
	assert_string_equal(zs_time_iso(1795389245 * NS + 999999999, text), "2026-11-22T23:14:05Z");
	assert_string_equal(zs_time_iso(INT64_MIN, text), "1677-09-21T00:12:43Z");
	assert_string_equal(zs_time_iso(INT64_MAX, text), "2262-04-11T23:47:16Z");
}

static void check_good(const char *text, int64_t want)
{
	struct zs_err err = {0};
	int64_t got = 1;

	if (zs_time_parse(text, &got, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	if (got != want)
		fail_msg("%s: %lld instead of %lld", text, (long long)got, (long long)want);
}

static void good_texts(void **state)
{
	(void)state;
	(void)setenv("TZ", "EST5EDT", 1);
	tzset();
	check_good("2026-11-22T23:14:05Z", 1795389245 * NS);
	check_good("2026-11-22 23:14:05Z", 1795389245 * NS);
	check_good("2026-11-22T23:14Z", 1795389240 * NS);
	check_good("2026-11-23T00:14:05+01:00", 1795389245 * NS);
	check_good("2026-11-22T17:44:05-05:30", 1795389245 * NS);
	check_good("2026-11-22T18:14:05", 1795389245 * NS);
	check_good("2026-07-22 00:00", 1784692800 * NS);
	check_good("2026-07-22", 1784692800 * NS);
	check_good("1969-12-31T23:59:59Z", -NS);
	check_good("1969-12-31T18:59:59", -NS);
	check_good("2024-02-29T00:00Z", 1709164800 * NS);
	check_good("2000-02-29T00:00Z", 951782400 * NS);
	check_good("@0", 0);
	check_good("@-1", -NS);
	check_good("@-1.5", -NS - NS / 2);
	check_good("@1795389245", 1795389245 * NS);
	check_good("@1.000000001", NS + 1);
	check_good("@1.5", NS + NS / 2);
	check_good("@9223372036.854775807", INT64_MAX);
}

static void bad_texts(void **state)
{
	static const char *const bad[] = {
	    "", " ", "2026", "2026-11", "2026-11-", "2026-1-1", "2026-13-01", "2026-00-10", "2026-11-31", "2026-11-00",
	    "2025-02-29", "1900-02-29", "2026-11-22x", "2026-11-22T", "2026-11-22T2", "2026-11-22T23",
	    "2026-11-22T24:00", "2026-11-22T23:60", "2026-11-22T23:14:60", "2026-11-22T23:14:5", "2026-11-22T23:14:05z",
	    "2026-11-22T23:14:05Z ", "2026-11-22T23:14:05+1:00", "2026-11-22T23:14:05+0100",
	    "2026-11-22T23:14:05+24:00", "2026-11-22T23:14:05+01:60", "2026-11-22Z", " 2026-11-22", "+026-11-22",
	    "2300-01-01", "0000-01-01T00:00Z", "9999-12-31T23:59:59Z", "1600-01-01", "@", "@-", "@.5", "@1.", "@1.x",
	    "@x", "@1x", "@+1", "@--1", "@1.0000000001", "@9223372037", "@9223372036.854775808",
	    "@99999999999999999999", "latest", "2026-11-22T23:14:05.5Z"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct zs_err err = {0};
		int64_t got = 99;

		if (zs_time_parse(bad[i], &got, &err) != -1)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(err.cause, ZS_USAGE);
		assert_int_equal(got, 99);
	}
}

static void parse_reverses_iso(void **state)
{
	unsigned seed = 3;
	int i;

	(void)state;
	for (i = 0; i < 5000; i++) {
		int64_t sec = ((int64_t)rand_r(&seed) << 2 | (rand_r(&seed) & 3)) - INT64_C(4000000000);
		struct zs_err err = {0};
		char text[32];
		int64_t back;

		assert_int_equal(zs_time_parse(zs_time_iso(sec * NS, text), &back, &err), 0);
		assert_true(back == sec * NS);
	}
}

static void clocks_run(void **state)
{
	uint64_t before = zs_monotonic_ns();
	int64_t wall = zs_now_ns();

	(void)state;
	assert_true(wall / NS - (int64_t)time(NULL) <= 1 && (int64_t)time(NULL) - wall / NS <= 1);
	assert_true(zs_monotonic_ns() >= before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(iso),
	    cmocka_unit_test(good_texts),
	    cmocka_unit_test(bad_texts),
	    cmocka_unit_test(parse_reverses_iso),
	    cmocka_unit_test(clocks_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
