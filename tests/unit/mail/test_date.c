/* Dates of RFC 5322 and of those who did not read it. */
#include "mail_test.h"

static int64_t seconds(const char *text)
{
	int64_t ns = zs_mail_date(zs_span_str(text));

	return ns == INT64_MIN ? INT64_MIN : ns / 1000000000;
}

static void reads_dates(void **state)
{
	static const struct { const char *text; int64_t want; } cases[] = {
		{"Mon, 02 Jan 2006 15:04:05 -0700", 1136239445}, {"2 Jan 2006 22:04:05 GMT", 1136239445},
		{" Mon,  2 Jan 2006 15:04:05 MST\r\n", 1136239445}, {"Mon, 2 Jan 06 22:04:05 +0000 (UTC)", 1136239445},
		{"Thu, 1 Jan 1970 00:00:00 +0000", 0}, {"Thu, 1 Jan 70 00:00:00 UT", 0}, {"1 Jan 1970 01:00 +0100", 0},
		{"31 Dec 1969 23:59:59 +0000", -1}, {"Tue, 29 Feb 2000 12:00:00 Z", 951825600},
		{"1 jan 102 00:00:00 EST", 1009861200},
		{"Sat, 31 Dec 2016 23:59:60 +0000", 1483228800}, {"Mon (a (b) \\) c), 2 Jan 2006 15 : 04 : 05 -0700",
		1136239445},
		{"02-Jan-2006 22:04:05 +0000", 1136239445}, {"Mon, 2 January 2006 22:04:05", 1136239445},
		{"Mon,\r\n 2 Jan 2006\r\n\t15:04:05 -0700", 1136239445}, {"2 Jan 2006 22:04:05 +9999", 1136239445},
		{"1 Jan 1700 00:00:00 +0000", -8520336000}, {"1 Mar 2100 00:00:00 +0000", 4107542400},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (seconds(cases[i].text) != cases[i].want)
			fail_msg("%s: %lld", cases[i].text, (long long)seconds(cases[i].text));
}

static void refuses_what_is_none(void **state)
{
	static const char *const cases[] = {
		"", " ", "yesterday", "Mon, 32 Jan 2006 15:04:05 -0700", "29 Feb 2001 00:00:00 +0000",
		"0 Jan 2006 00:00:00 +0000",
		"2 Foo 2006 15:04:05 -0700", "2 Jan 2006 24:00:00 +0000", "2 Jan 2006 00:60:00 +0000",
		"2 Jan 2006 00:00:61 +0000",
		"2 Jan 2006", "2 Jan 2006 15", "2 Jan 9999 00:00:00 +0000", "2 Jan 1600 00:00:00 +0000",
		"2 Jan 5 00:00:00 +0000",
		"2 Jan 20060 15:04:05 -0700", "(((((", "2 Jan 2006 15:04:", "999999999999 Jan 2006 15:04:05",
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (zs_mail_date(zs_span_str(cases[i])) != INT64_MIN)
			fail_msg("%s is a date", cases[i]);
	assert_int_equal(zs_mail_date(zs_span(NULL, 0)), INT64_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(reads_dates), cmocka_unit_test(refuses_what_is_none)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
