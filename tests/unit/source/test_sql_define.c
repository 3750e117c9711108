/* Delimiters for programs' texts: never part of the text, and the search ends. */
#include "util.h"

#include "../../../src/source/sql_define_private.h"

static void check(const char *text, const char *want)
{
	char got[24];

	sql_define_delimiter(zs_span_str(text), got);
	assert_string_equal(got, want);
	assert_null(strstr(text, got));
}

static void delimiters(void **state)
{
	(void)state;
	check("", ";;");
	check("SELECT 1;", ";;");
	check("SELECT ';;'", "$$");
	check("SELECT ';;', '$$'", "//");
	check("SELECT ';;', '$$' // x", "~1~");
	check(";;$$//~1~~2~", "~3~");
}

/* A text made to hold every candidate that it can: one more is always there. */
static void the_search_ends(void **state)
{
	struct zs_buf text = ZS_BUF_INIT;
	struct zs_err err = {0};
	char got[24];

	(void)state;
	assert_int_equal(zs_buf_printf(&text, &err, ";;$$//"), 0);
	for (unsigned i = 1; i <= 2000; i++)
		assert_int_equal(zs_buf_printf(&text, &err, "~%u~", i), 0);
	sql_define_delimiter(zs_buf_span(&text), got);
	assert_string_equal(got, "~2001~");
	zs_buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delimiters),
		cmocka_unit_test(the_search_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
