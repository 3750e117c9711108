/* gitignore-style patterns: a table of what matches what, and hostile patterns. */
#include "util.h"

static int excluded(const char *patterns, const char *path, int is_dir)
{
	struct zs_strings l = {0};
	struct zs_excludes *x;
	struct zs_err err = {0};
	char *copy = strdup(patterns), *rest = copy, *line;
	int rc;

	while ((line = strsep(&rest, "\n")))
		add(&l, line);
	assert_int_equal(zs_excludes_new(&l, &x, &err), 0);
	rc = zs_excludes_match(x, zs_span_str(path), is_dir);
	zs_excludes_free(x);
	zs_strings_fini(&l);
	free(copy);
	return rc;
}

static const struct { const char *patterns, *path; int is_dir, want; } table[] = {
	/* the last component */
	{"foo", "foo", 0, 1}, {"foo", "a/b/foo", 0, 1}, {"foo", "a/foobar", 0, 0}, {"foo", "foo", 1, 1},
	{"*.log", "var/log/x.log", 0, 1}, {"*.log", ".log", 0, 1}, {"*.log", "x.log.1", 0, 0}, {"?", "a/b", 0, 1},
	    {"?", "a/bc", 0, 0},
	{"a*b*c", "aXbYc", 0, 1}, {"a*b*c", "aXbYcZ", 0, 0}, {"a**c", "abbc", 0, 1}, {"*", "x/y", 0, 1},
	    {"**", "x/y", 0, 1},
	{"a*a*ab", "aaab", 0, 1}, {"*a", "ba", 0, 1}, {"*a?", "bab", 0, 1}, {"*", "\xff\n", 0, 1}, {"a", "", 1, 0},
	/* sets */
	{"[abc]", "b", 0, 1}, {"[abc]", "d", 0, 0}, {"[!abc]", "d", 0, 1}, {"[^abc]", "a", 0, 0},
	    {"[a-c]x", "bx", 0, 1},
	{"[]]", "]", 0, 1}, {"[]-]", "-", 0, 1}, {"[!]]", "]", 0, 0}, {"[a-]", "-", 0, 1}, {"[\\]]", "]", 0, 1},
	    {"[\\a-c]", "b", 0, 1},
	{"[[:digit:]]", "7", 0, 1}, {"[[:digit:]]", "x", 0, 0}, {"[[:alpha:][:digit:]]", "7", 0, 1},
	    {"[[:nonsense:]]", "n", 0, 0},
	{"[z-a]", "m", 0, 0}, {"*[0-9]", "log.7", 0, 1}, {"x[*]y", "x*y", 0, 1}, {"x[*]y", "xay", 0, 0},
	/* not well-formed: never match, so nothing is lost */
	{"[abc", "[abc", 0, 0}, {"[", "[", 0, 0}, {"a\\", "a\\", 0, 0}, {"[[:alpha:]", "a", 0, 0},
	/* anchored */
	{"/foo", "foo", 0, 1}, {"/foo", "a/foo", 0, 0}, {"a/b", "a/b", 0, 1}, {"a/b", "x/a/b", 0, 0},
	    {"/a/*", "a/b", 0, 1},
	{"/a/*", "a/b/c", 0, 0}, {"/a/*/c", "a/b/c", 0, 1}, {"a/?", "a/b", 0, 1}, {"a//b", "a/b", 0, 1},
	/* directories only */
	{"foo/", "foo", 1, 1}, {"foo/", "foo", 0, 0}, {"foo/", "a/foo", 1, 1}, {"/foo/", "a/foo", 1, 0},
	    {"a/b/", "a/b", 1, 1},
	{"a/b/", "a/b", 0, 0},
	/* any number of components */
	{"**/foo", "foo", 0, 1}, {"**/foo", "a/b/foo", 0, 1}, {"foo/**", "foo", 1, 0}, {"foo/**", "foo/a", 0, 1},
	    {"foo/**", "foo/a/b", 0, 1},
	{"a/**/b", "a/b", 0, 1}, {"a/**/b", "a/x/y/b", 0, 1}, {"a/**/b", "a/x/y", 0, 0}, {"a/**/**/b", "a/b", 0, 1},
	{"**/a/**/b", "x/a/y/a/z/b", 0, 1}, {"**/a/*/b", "a/a/x/b", 0, 1}, {"a/**b", "a/xb", 0, 1},
	    {"a/**b", "a/x/b", 0, 0},
	{"/**", "x", 0, 1}, {"/**/x", "x", 0, 1},
	/* the last pattern that matches decides */
	{"*.log\n!keep.log", "keep.log", 0, 0}, {"*.log\n!keep.log", "x.log", 0, 1},
	    {"!keep.log\n*.log", "keep.log", 0, 1},
	{"a\n!a\na", "a", 0, 1}, {"\\!a", "!a", 0, 1},
	/* comments, blanks, escapes */
	{"#foo", "#foo", 0, 0}, {"\\#foo", "#foo", 0, 1}, {"foo  ", "foo", 0, 1}, {"foo\\ ", "foo ", 0, 1},
	    {"", "x", 0, 0}, {"  ", " ", 0, 0},
	{"\\*", "*", 0, 1}, {"\\*", "x", 0, 0}, {"f\\o\\o", "foo", 0, 1}, {"!", "x", 0, 0}, {"/", "x", 1, 0},
	    {"foo\r", "foo", 0, 1},
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if (excluded(table[i].patterns, table[i].path, table[i].is_dir) != table[i].want)
			fail_msg("\"%s\" and \"%s\": not %d", table[i].patterns, table[i].path, table[i].want);
	}
}

static void test_limits(void **state)
{
	struct zs_strings l = {0};
	struct zs_excludes *x;
	struct zs_err err = {0};
	char *text = malloc(5000);

	(void)state;
	assert_int_equal(zs_excludes_new(NULL, &x, &err), 0);
	assert_int_equal(zs_excludes_match(x, zs_span_str("a"), 0), 0);
	zs_excludes_free(x);
	memset(text, 'a', 4096);
	text[4096] = 0;
	add(&l, text);
	assert_int_equal(zs_excludes_new(&l, &x, &err), 0);
	zs_excludes_free(x);
	(void)strcat(text, "a");
	add(&l, text);
	assert_int_equal(zs_excludes_new(&l, &x, &err), -1);
	assert_int_equal(err.cause, ZS_USAGE);
	zs_strings_fini(&l);
	free(text);
}

/* What takes naive matchers exponential time. */
static void test_hostile(void **state)
{
	static char pattern[4097], path[65536];
	uint64_t begin = zs_monotonic_ns();

	(void)state;
	for (size_t i = 0; i + 2 <= 4000; i += 2)
		memcpy(pattern + i, "a*", 2);
	(void)strcat(pattern, "b");
	memset(path, 'a', 255);
	assert_int_equal(excluded(pattern, path, 0), 0);
	memset(pattern, 0, sizeof pattern);
	for (size_t i = 0; i + 5 <= 4000; i += 5)
		memcpy(pattern + i, "**/a/", 5);
	(void)strcat(pattern, "b");
	for (size_t i = 0; i + 2 < sizeof path; i += 2)
		memcpy(path + i, "a/", 2);
	path[65533] = 0;
	assert_int_equal(excluded(pattern, path, 0), 0);
	assert_true(zs_monotonic_ns() - begin < 2000000000u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_limits), cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
