/* Paths: validity, order against a slow model, parts, what users type. */
#include "zstore/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define S(literal) zs_span(literal, sizeof(literal) - 1)

static void valid_and_not(void **state)
{
	static const char *const good[] = {"a", "a/b", "...", "a..", "..a", ".a", "a/.b", "\x01", "\xff/\xfe", "a b",
	    "-"};
	static const char *const bad[] = {"", "/", "/a", "a/", "a//b", ".", "..", "a/.", "a/..", "./a", "../a",
	    "a/./b", "a/../b"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_int_equal(zs_path_valid(zs_span_str(good[i])), 1);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(zs_path_valid(zs_span_str(bad[i])), 0);
	assert_int_equal(zs_path_valid(zs_span("a\0b", 3)), 0);
	assert_int_equal(zs_path_valid(zs_span(NULL, 0)), 0);
}

static void limits_are_exact(void **state)
{
	uint8_t *p = malloc(ZS_PATH_MAX + 1);
	size_t i;

	(void)state;
	memset(p, 'x', ZS_PATH_MAX + 1);
	assert_int_equal(zs_path_valid(zs_span(p, ZS_COMPONENT_MAX)), 1);
	assert_int_equal(zs_path_valid(zs_span(p, ZS_COMPONENT_MAX + 1)), 0);
	for (i = ZS_COMPONENT_MAX; i < ZS_PATH_MAX; i += ZS_COMPONENT_MAX + 1)
		p[i] = '/';
	assert_int_equal(zs_path_valid(zs_span(p, ZS_PATH_MAX)), 1);
	p[ZS_PATH_MAX - 1] = 'y';
	p[ZS_PATH_MAX] = 'y';
	assert_int_equal(zs_path_valid(zs_span(p, ZS_PATH_MAX + 1)), 0);
	free(p);
}

/* by the book: component by component, each compared as bytes */
static int model_cmp(struct zs_span a, struct zs_span b)
{
	for (;;) {
		size_t an = 0, bn = 0, n;
		int c;

		while (an < a.n && a.p[an] != '/')
			an++;
		while (bn < b.n && b.p[bn] != '/')
			bn++;
		n = an < bn ? an : bn;
		c = memcmp(a.p, b.p, n);
		if (c)
			return c;
		if (an != bn)
			return an < bn ? -1 : 1;
		if (an == a.n || bn == b.n)
			return (an != a.n) - (bn != b.n);
		a = zs_span(a.p + an + 1, a.n - an - 1);
		b = zs_span(b.p + bn + 1, b.n - bn - 1);
	}
}

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static size_t random_path(uint8_t *p, size_t max, unsigned *seed)
{
	static const uint8_t alphabet[] = {'a', 'a', 'a', '/', '/', 0x01, '.', ' ', '-', '0', 0xff, 0x80, 0x30};
	size_t n = 1 + (size_t)rand_r(seed) % max, i;

	for (i = 0; i < n; i++)
		p[i] = alphabet[(size_t)rand_r(seed) % sizeof(alphabet)];
	/* where two slashes meet or stand at an end, it is no path: mend it */
	for (i = 0; i < n; i++)
		if (p[i] == '/' && (i == 0 || i == n - 1 || p[i - 1] == '/'))
			p[i] = 'b';
	return n;
}

static void order_equals_the_model(void **state)
{
	unsigned seed = 4711;
	int round;

	(void)state;
	for (round = 0; round < 60000; round++) {
		uint8_t a[64], b[64];
		size_t common = (size_t)rand_r(&seed) % 24, an = random_path(a, 40, &seed),
		       bn = random_path(b, 40, &seed);
		struct zs_span x, y;

		if (common > an)
			common = an;
		if (common > bn)
			common = bn;
		/* a shared front, cut before a slash so that both stay paths */
		while (common > 0 && (a[common - 1] == '/' || (common < bn && b[common] == '/')))
			common--;
		memcpy(b, a, common);
		x = zs_span(a, an);
		y = zs_span(b, bn);
		assert_int_equal(sign(zs_path_cmp(x, y)), sign(model_cmp(x, y)));
		assert_int_equal(sign(zs_path_cmp(y, x)), -sign(zs_path_cmp(x, y)));
		assert_int_equal(zs_path_cmp(x, x), 0);
	}
}

static void directories_stand_before_their_content(void **state)
{
	static const char *const sorted[] = {"a", "a/\x01", "a/b", "a/b/c", "a/b c", "a\x01", "a b", "a-", "a.", "a0",
	    "aa", "b"};
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(sorted) / sizeof(*sorted); i++)
		for (k = 0; k < sizeof(sorted) / sizeof(*sorted); k++)
			assert_int_equal(sign(zs_path_cmp(zs_span_str(sorted[i]), zs_span_str(sorted[k]))),
			    (i > k) - (i < k));
	assert_true(zs_path_cmp(zs_span(NULL, 0), S("a")) < 0);
	assert_int_equal(zs_path_cmp(zs_span(NULL, 0), zs_span(NULL, 0)), 0);
}

static void parts(void **state)
{
	(void)state;
	assert_true(zs_span_eq(zs_path_base(S("a/b/c")), S("c")));
	assert_true(zs_span_eq(zs_path_base(S("c")), S("c")));
	assert_true(zs_span_eq(zs_path_dir(S("a/b/c")), S("a/b")));
	assert_int_equal(zs_path_dir(S("c")).n, 0);
	assert_int_equal(zs_path_base(zs_span(NULL, 0)).n, 0);
	assert_int_equal(zs_path_dir(zs_span(NULL, 0)).n, 0);
	assert_int_equal(zs_path_below(S("a/b"), S("a")), 1);
	assert_int_equal(zs_path_below(S("a/b/c"), S("a/b")), 1);
	assert_int_equal(zs_path_below(S("a"), S("")), 1);
	assert_int_equal(zs_path_below(S(""), S("")), 0);
	assert_int_equal(zs_path_below(S("a"), S("a")), 0);
	assert_int_equal(zs_path_below(S("ab"), S("a")), 0);
	assert_int_equal(zs_path_below(S("a-b"), S("a")), 0);
	assert_int_equal(zs_path_below(S("b/b"), S("a")), 0);
	assert_int_equal(zs_path_below(S("a"), S("a/b")), 0);
}

static void typed_paths_become_clean(void **state)
{
	static const char *const cases[][2] = {
	    {"", ""}, {"/", ""}, {".", ""}, {"..", ""}, {"./", ""}, {"../../..", ""}, {"//", ""},
	    {"a", "a"}, {"/a", "a"}, {"./a", "a"}, {"a/", "a"}, {"a//b", "a/b"}, {"a/./b", "a/b"}, {"a/../b", "b"},
	    {"a/b/..", "a"}, {"a/..", ""}, {"a/../..", ""}, {"../a", "a"}, {"a/b/../../c", "c"},
	    {"/a/b/../c/./d//", "a/c/d"},
	    {"...", "..."}, {"a/...", "a/..."}, {".a/..b", ".a/..b"}, {" / ", " / "},
	};
	struct zs_err err = {0};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct zs_buf b = ZS_BUF_INIT;

		/* what stood in the buffer stays, and ".." cannot eat it */
		assert_int_equal(zs_buf_add(&b, "old/x", 5, &err), 0);
		assert_int_equal(zs_path_clean(zs_span_str(cases[i][0]), &b, &err), 0);
		assert_int_equal(b.n, 5 + strlen(cases[i][1]));
		assert_memory_equal(b.p, "old/x", 5);
		assert_memory_equal(b.p + 5, cases[i][1], b.n - 5);
		assert_true(b.n == 5 || zs_path_valid(zs_span(b.p + 5, b.n - 5)));
		zs_buf_fini(&b);
	}
}

static void typed_paths_have_limits(void **state)
{
	struct zs_buf b = ZS_BUF_INIT, typed = ZS_BUF_INIT;
	struct zs_err err = {0};
	char name[ZS_COMPONENT_MAX + 1];
	size_t i;

	(void)state;
	memset(name, 'n', sizeof(name));
	assert_int_equal(zs_path_clean(zs_span(name, ZS_COMPONENT_MAX), &b, &err), 0);
	zs_buf_clear(&b);
	assert_int_equal(zs_path_clean(zs_span(name, ZS_COMPONENT_MAX + 1), &b, &err), -1);
	assert_int_equal(err.cause, ZS_LIMIT);
	assert_int_equal(zs_path_clean(zs_span("a/b\0c", 5), &b, &err), -1);
	assert_int_equal(err.cause, ZS_USAGE);
	assert_int_equal(b.n, 0);
	for (i = 0; i < 256; i++) {
		assert_int_equal(zs_buf_add(&typed, name, ZS_COMPONENT_MAX, &err), 0);
		assert_int_equal(zs_buf_add_u8(&typed, '/', &err), 0);
	}
	assert_int_equal(zs_path_clean(zs_buf_span(&typed), &b, &err), 0);
	assert_int_equal(b.n, ZS_PATH_MAX);
	assert_int_equal(zs_buf_add_u8(&typed, 'x', &err), 0);
	zs_buf_clear(&b);
	assert_int_equal(zs_path_clean(zs_buf_span(&typed), &b, &err), -1);
	assert_int_equal(err.cause, ZS_LIMIT);
	assert_int_equal(b.n, 0);
	zs_buf_fini(&b);
	zs_buf_fini(&typed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(valid_and_not),
	    cmocka_unit_test(limits_are_exact),
	    cmocka_unit_test(order_equals_the_model),
	    cmocka_unit_test(directories_stand_before_their_content),
	    cmocka_unit_test(parts),
	    cmocka_unit_test(typed_paths_become_clean),
	    cmocka_unit_test(typed_paths_have_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
