/* The column `metadata` in both forms, encoded words, damaged text, limits. */
#include "util.h"

#include "../../../src/source/zimbra_private.h"

/* What was parsed, in a notation of its own: {key=value ...}, [value ...], #number, <text>. */
static void show(const struct zimbra_meta_value *v, struct zs_buf *out)
{
	enum zimbra_meta_type type = zimbra_metadata_type(v);
	struct zs_span text = zimbra_metadata_text(v), key;
	const struct zimbra_meta_value *inner;
	struct zs_err err = {0};

	if (type == ZIMBRA_META_TEXT || type == ZIMBRA_META_NUMBER) {
		assert_int_equal(zs_buf_printf(out, &err, type == ZIMBRA_META_TEXT ? "<%.*s>" : "#%.*s", (int)text.n, text.n ? (const char *)text.p : ""), 0);
		return;
	}
	assert_int_equal(text.n, 0);
	assert_int_equal(zs_buf_add_u8(out, type == ZIMBRA_META_DICT ? '{' : '[', &err), 0);
	for (size_t at = 0; zimbra_metadata_next(v, &at, &key, &inner);) {
		if (type == ZIMBRA_META_DICT)
			assert_int_equal(zs_buf_printf(out, &err, " %.*s=", (int)key.n, key.n ? (const char *)key.p : ""), 0);
		else
			assert_int_equal(key.n + (size_t)zs_buf_add_u8(out, ' ', &err), 0);
		show(inner, out);
	}
	assert_int_equal(zs_buf_add_u8(out, type == ZIMBRA_META_DICT ? '}' : ']', &err), 0);
}

static void is_bytes(struct zs_span column, const char *want)
{
	struct zimbra_meta *m = NULL;
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};

	if (zimbra_metadata_parse(column, &m, &err) < 0)
		fail_msg("%.*s: %s", (int)column.n, (const char *)column.p, err.text);
	assert_int_equal(err.cause, ZS_OK);
	show(zimbra_metadata_top(m), &out);
	if (!zs_span_eq(zs_buf_span(&out), zs_span_str(want)))
		fail_msg("%.*s is %.*s, not %s", (int)column.n, (const char *)column.p, (int)out.n, (const char *)out.p, want);
	zs_buf_fini(&out);
	zimbra_metadata_free(m);
}

static void is(const char *column, const char *want)
{
	is_bytes(zs_span_str(column), want);
}

static void is_no(const char *column, const char *want)
{
	struct zimbra_meta *m = NULL;
	struct zs_err err = {0};

	if (zimbra_metadata_parse(zs_span_str(column), &m, &err) == 0)
		fail_msg("%s is taken", column);
	assert_null(m);
	assert_int_equal(err.cause, ZS_SOURCE);
	if (!strstr(err.text, want))
		fail_msg("%s: %s, not %s", column, err.text, want);
}

static void test_bencode(void **state)
{
	(void)state;
	is("de", "{}");
	is("", "{}");
	is("d1:ci3e5:mdveri1e1:vi10ee", "{ c=#3 mdver=#1 v=#10}");
	is("d1:f11:Hello world1:s0:1:vi10ee", "{ f=<Hello world> s=<> v=#10}");
	is("d3:aisld1:ai257e3:inv1:1ee1:vi10ee", "{ ais=[ { a=#257 inv=<1>}] v=#10}");
	is("d1:lld1:adeeleee", "{ l=[ { a={}} []]}");
	is("d1:ni-9223372036854775808ee", "{ n=#-9223372036854775808}");
	/* lengths are units of UTF-16 */
	is("d1:n4:B\xc3\xbcro1:vi10ee", "{ n=<B\xc3\xbcro> v=#10}");
	is("d1:n2:\xf0\x9f\x98\x80" "1:vi10ee", "{ n=<\xf0\x9f\x98\x80> v=#10}");
	is("d1:n5:a\xf0\x9f\x98\x80\xe2\x82\xac" "b1:vi10ee", "{ n=<a\xf0\x9f\x98\x80\xe2\x82\xac" "b> v=#10}");
	is("d4:B\xc3\xbcro1:xe", "{ B\xc3\xbcro=<x>}");
	is("d1:n1:\xed\xa0\xbd" "1:vi1ee", "{ n=<\xed\xa0\xbd> v=#1}"); /* half a pair */
	is("d1:n2:\xff\xfe" "1:vi1ee", "{ n=<\xff\xfe> v=#1}");
}

static void test_bencode_bad(void **state)
{
	(void)state;
	is_no("d", "no end at byte 1");
	is_no("l1:ae", "at byte");
	is_no("i1e", "at byte");
	is_no("d1:ae", "no length at byte 4");
	is_no("d1:a", "no value at byte 4");
	is_no("d1:ai1", "no number at byte 6");
	is_no("d1:aie", "no number at byte 5");
	is_no("d1:ai-e", "no number at byte 6");
	is_no("d1:ai1xe", "no number at byte 6");
	is_no("d1:ai12345678901234567890ee", "no number");
	is_no("d1:a3:xe", "cut short at byte 8");
	is_no("d1:a2:xe", "no end at byte 8"); /* the 'e' is of the text */
	is_no("d1:a9999999999:xe", "too large");
	is_no("d1:a999999999:xe", "cut short");
	is_no("d1:a-1:xe", "no length at byte 4");
	is_no("di1e1:ae", "no length at byte 1");
	is_no("d1:a1xe", "no length at byte 5");
	is_no("dee", "more than one value at byte 2");
	is_no("d1:a1:b1:c", "no value");
	is_no("d1:n1:\xf0\x9f\x98\x80" "e", "within a character at byte 6");
	is_no("dd", "no length");
}

static void test_damaged(void **state)
{
	(void)state;
	/* "Büro" in UTF-8, taken for Latin-1, in UTF-8 again: six characters where the length says four */
	is("d1:n4:B\xc3\x83\xc2\xbcro1:vi10ee", "{ n=<B\xc3\xbcro> v=#10}");
	is("d1:n3:\xc3\xa2\xc2\x82\xc2\xac-x1:vi10ee", "{ n=<\xe2\x82\xac-x> v=#10}");
	/* with a character that was never in Latin-1: '?' in its place, as in Java */
	is("d1:n3:\xe2\x82\xac\xc3\x83\xc2\xbcr1:vi10ee", "{ n=<?\xc3\xbcr> v=#10}");
	is_no("d1:n4:B\xc3\x83\xc2\xbcro1:vi10e", "at byte"); /* both ways */
	is_no("d1:n4:\xc3\x83", "cut short at byte 8"); /* told as it stands */
}

static void test_old(void **state)
{
	(void)state;
	is("f=5:Hello;s=0:;v=2:10;", "{ f=<Hello> s=<> v=<10>}");
	is("n=4:B\xc3\xbcro;v=1:1;", "{ n=<B\xc3\xbcro> v=<1>}");
	is("n=2:\xf0\x9f\x98\x80;v=1:1;", "{ n=<\xf0\x9f\x98\x80> v=<1>}");
	is("fld=31:firstName=3:Ann;lastName=3:Lee;;v=1:9;", "{ fld={ firstName=<Ann> lastName=<Lee>} v=<9>}");
	is("a=19:b=13:c=8:d=3:x=y;;;;", "{ a={ b={ c={ d=<x=y>}}}}");
	is("f=9:a=1:b;c=1;", "{ f=<a=1:b;c=1>}"); /* not all of it is of that form: text */
	is("f=3:a=b;", "{ f=<a=b>}");
	is("d=1:x;", "{ d=<x>}"); /* begins as bencode does */
	is("desc=1:x;", "{ desc=<x>}");
	is_no("f=6:Hell;", "cut short at byte 9");
	is_no("f=5:Hell;", "no ';' behind a value at byte 9");
	is_no("f=4:Hello;", "no ';' behind a value at byte 8");
	is_no("f=4:Hell", "no ';' behind a value at byte 8");
	is_no("f=x;", "no length at byte 2");
	is_no("f=", "no length at byte 2");
	is_no("=1:x;", "no key at byte 0");
	is_no("hello", "no key at byte 0");
	is_no("f=1:x;rest", "no key at byte 6");
	is_no("f=1:\xf0\x9f\x98\x80;", "within a character at byte 4");
	is_no("\xff\xfe\xfd", "no key at byte 0");
}

static void test_words(void **state)
{
	(void)state;
	is("=?utf-8?B?ZDE6bjI68J+YgDE6dmkxMGVl?=", "{ n=<\xf0\x9f\x98\x80> v=#10}");
	is("=?UTF-8?b?ZDE6bjI68J+YgDE6dmkxMGVl?=", "{ n=<\xf0\x9f\x98\x80> v=#10}");
	is("=?utf-8?B?ZDE6bjI68J+Y?=\r\n =?utf-8?B?gDE6dmkxMGVl?=", "{ n=<\xf0\x9f\x98\x80> v=#10}");
	is("=?utf-8?B?bj0yOvCfmIA7?=", "{ n=<\xf0\x9f\x98\x80>}");
	is("=?utf-8?B?" "?=", "{}");
	is_no("=?utf-8?Q?de?=", "no encoded word");
	is_no("=?iso-8859-1?B?ZGU=?=", "no encoded word");
	is_no("=?utf-8?B?ZGU=", "no end of the encoded word");
	is_no("=?utf-8?B?ZGU=?", "no end of the encoded word");
	is_no("=?", "no encoded word of UTF-8 at byte 0");
	is_no("=?utf-8?B?ZG!U=?=", "no base64 at byte 12");
	is_no("=?utf-8?B?ZGU=?=rest", "no encoded word of UTF-8 at byte 16");
	is_no("=?utf-8?B?ZGVl?=", "more than one value at byte 2");
}

static void test_get(void **state)
{
	const char *column = "d1:ad1:bi1e1:ci2ee1:bl1:xe1:ci7e1:ci8ee";
	struct zimbra_meta *m = NULL;
	const struct zimbra_meta_value *top, *v;
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(zimbra_metadata_parse(zs_span_str(column), &m, &err), 0);
	top = zimbra_metadata_top(m);
	assert_int_equal(zimbra_metadata_type(top), ZIMBRA_META_DICT);
	assert_null(zimbra_metadata_get(top, "d"));
	assert_null(zimbra_metadata_get(top, ""));
	v = zimbra_metadata_get(top, "c"); /* the last */
	assert_true(zs_span_eq(zimbra_metadata_text(v), zs_span_str("8")));
	v = zimbra_metadata_get(zimbra_metadata_get(top, "a"), "c");
	assert_true(zs_span_eq(zimbra_metadata_text(v), zs_span_str("2")));
	v = zimbra_metadata_get(top, "b");
	assert_int_equal(zimbra_metadata_type(v), ZIMBRA_META_LIST);
	assert_null(zimbra_metadata_get(v, "")); /* a list has no keys */
	assert_null(zimbra_metadata_get(zimbra_metadata_get(top, "c"), "c"));
	zimbra_metadata_free(m);
	zimbra_metadata_free(NULL);
}

static int parse_repeated(const char *open, size_t n, const char *middle, const char *close, struct zs_err *err)
{
	struct zimbra_meta *m = NULL;
	struct zs_buf b = ZS_BUF_INIT;
	int rc;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(zs_buf_add(&b, open, strlen(open), err), 0);
	assert_int_equal(zs_buf_add(&b, middle, strlen(middle), err), 0);
	for (size_t i = 0; i < n && *close; i++)
		assert_int_equal(zs_buf_add(&b, close, strlen(close), err), 0);
	rc = zimbra_metadata_parse(zs_buf_span(&b), &m, err);
	zimbra_metadata_free(m);
	zs_buf_fini(&b);
	return rc;
}

static void test_limits(void **state)
{
	struct zimbra_meta *m = NULL;
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};
	size_t n = (16u << 20) - 12;

	(void)state;
	assert_int_equal(parse_repeated("d1:a", 31, "de", "e", &err), 0); /* 32 levels */
	assert_int_equal(parse_repeated("d1:a", 32, "de", "e", &err), -1);
	assert_int_equal(err.cause, ZS_LIMIT);
	assert_non_null(strstr(err.text, "32 levels"));
	assert_int_equal(parse_repeated("d1:a", 2000000, "de", "e", &err), -1);
	assert_int_equal(err.cause, ZS_LIMIT);

	assert_int_equal(zs_buf_add(&b, "d1:al", 5, &err), 0);
	for (size_t i = 0; i < 1000000 - 2; i++)
		assert_int_equal(zs_buf_add(&b, "0:", 2, &err), 0);
	assert_int_equal(zs_buf_add(&b, "ee", 2, &err), 0);
	assert_int_equal(zimbra_metadata_parse(zs_buf_span(&b), &m, &err), 0);
	zimbra_metadata_free(m);
	m = NULL;
	b.n -= 2;
	assert_int_equal(zs_buf_add(&b, "0:ee", 4, &err), 0);
	assert_int_equal(zimbra_metadata_parse(zs_buf_span(&b), &m, &err), -1);
	assert_int_equal(err.cause, ZS_LIMIT);

	/* of the largest size, and one byte more */
	zs_buf_clear(&b);
	assert_int_equal(zs_buf_printf(&b, &err, "f=%zu:", n), 0);
	assert_int_equal(b.n, 11);
	assert_int_equal(zs_buf_reserve(&b, n + 2, &err), 0);
	memset(b.p + b.n, 'x', n + 2);
	b.p[11 + n] = ';';
	b.n = 11 + n + 1;
	assert_int_equal(b.n, 16u << 20);
	assert_int_equal(zimbra_metadata_parse(zs_buf_span(&b), &m, &err), 0);
	zimbra_metadata_free(m);
	m = NULL;
	b.n++;
	assert_int_equal(zimbra_metadata_parse(zs_buf_span(&b), &m, &err), -1);
	assert_int_equal(err.cause, ZS_LIMIT);
	assert_null(m);
	zs_buf_fini(&b);
}

/* The old form, 40 deep: what is below the last level is text. */
static void test_old_levels(void **state)
{
	struct zimbra_meta *m = NULL;
	struct zs_buf a = ZS_BUF_INIT, b = ZS_BUF_INIT;
	const struct zimbra_meta_value *v;
	struct zs_err err = {0};
	unsigned levels = 0;

	(void)state;
	assert_int_equal(zs_buf_add(&a, "a=3:x=y;", 8, &err), 0);
	for (int i = 1; i < 40; i++) {
		zs_buf_clear(&b);
		assert_int_equal(zs_buf_printf(&b, &err, "a=%zu:%.*s;", a.n, (int)a.n, (const char *)a.p), 0);
		zs_buf_clear(&a);
		assert_int_equal(zs_buf_add_span(&a, zs_buf_span(&b), &err), 0);
	}
	assert_int_equal(zimbra_metadata_parse(zs_buf_span(&a), &m, &err), 0);
	for (v = zimbra_metadata_top(m); v && zimbra_metadata_type(v) == ZIMBRA_META_DICT; levels++)
		v = zimbra_metadata_get(v, "a");
	assert_int_equal(levels, 32);
	assert_non_null(v);
	assert_int_equal(zimbra_metadata_type(v), ZIMBRA_META_TEXT);
	zimbra_metadata_free(m);
	zs_buf_fini(&a);
	zs_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bencode), cmocka_unit_test(test_bencode_bad), cmocka_unit_test(test_damaged), cmocka_unit_test(test_old),
		cmocka_unit_test(test_words), cmocka_unit_test(test_get), cmocka_unit_test(test_limits), cmocka_unit_test(test_old_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
