/* Header text, message ids, parameters: what people see of a message. */
#include "mail_test.h"

static void check_text(const char *raw, size_t n, size_t max, const char *want)
{
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};

	add_text(&out, "before");
	assert_int_equal(zs_mail_header_text(zs_span(raw, n), max, &out, &err), 0);
	assert_int_equal(zs_buf_add_u8(&out, 0, &err), 0);
	assert_memory_equal(out.p, "before", 6);
	assert_string_equal((char *)out.p + 6, want);
	zs_buf_fini(&out);
}

#define BAD "\xef\xbf\xbd"

static void decodes_words(void **state)
{
	static const struct { const char *raw, *want; } cases[] = {
		{"", ""}, {" plain text \r\n", "plain text"}, {"folded\r\n line", "folded line"}, {"folded\r\n\tline",
		"folded line"},
		{"=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "Gr\xc3\xbc\xc3\x9f" "e"}, {"=?UTF-8?b?R3LDvMOfZQ==?=",
		"Gr\xc3\xbc\xc3\x9f" "e"},
		{"=?iso-8859-1?q?a=FCb_c?= d", "a\xc3\xbc" "b c d"}, {"=?ISO-8859-15?q?=A4?=", "\xe2\x82\xac"},
		{"=?windows-1252?q?=80=81?=", "\xe2\x82\xac" BAD}, {"=?us-ascii*en?q?a?=", "a"},
		{"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"}, {"=?utf-8?q?a?=\r\n =?utf-8?q?b?=", "ab"},
		{"=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b"},
		/* a character over two words */
		{"=?utf-8?b?w7w?=", "\xc3\xbc"}, {"=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "\xc3\xbc"},
		{"=?utf-8?q?=C3?= =?iso-8859-1?q?=BC?=", BAD "\xc2\xbc"},
		{"=?koi8-r?B?8NLJ18XU?=", "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82"},
		{"=?gb2312?B?xOO6ww==?=", "\xe4\xbd\xa0\xe5\xa5\xbd"},
		{"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\xe6\x97\xa5\xe6\x9c\xac"}, {"=?x-unknown?q?a=E9?=", "a" BAD},
		{"=?big5?q?=A4?=", BAD}, {"=?utf-7?q?+AOQ-?=", "\xc3\xa4"},
		{"raw \xc3\xbc", "raw \xc3\xbc"}, {"raw \xfc.", "raw " BAD "."}, {"\xe2\x82", BAD BAD},
		{"\xed\xa0\x80", BAD BAD BAD},
		{"\xc0\xaf", BAD BAD}, {"\xf4\x90\x80\x80", BAD BAD BAD BAD}, {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
		{"a\033[2Jb", "a" BAD "[2Jb"}, {"=?utf-8?q?a=1B=0Ab?=", "a" BAD " b"}, {"a\x7f\xc2\x9b", "a" BAD BAD},
		{"=?utf-8?q?open", "=?utf-8?q?open"}, {"=?utf-8?x?a?=", "=?utf-8?x?a?="}, {"=??q?a?=", "=??q?a?="},
		{"a =? b", "a =? b"},
		{"=?utf-8?q?=zz=4?=", "=zz=4"}, {"=?utf-8?q?\?=", ""}, {"=?utf-8?b?Q?=", ""}, {"=?utf-8?b?QQ==QQ==?=",
		"A" BAD BAD},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_text(cases[i].raw, strlen(cases[i].raw), 200, cases[i].want);
	check_text("a\0b", 3, 200, "a" BAD "b");
}

static void cuts_at_a_character(void **state)
{
	struct zs_buf long_one = ZS_BUF_INIT;

	(void)state;
	check_text("abcdef", 6, 3, "abc");
	check_text("ab\xc3\xbc", 4, 3, "ab");
	check_text("ab\xc3\xbc", 4, 4, "ab\xc3\xbc");
	check_text("\xe2\x82\xac", 3, 2, "");
	check_text("\xe2\x82\xac", 3, 0, "");
	for (int i = 0; i < 20000; i++)
		add_text(&long_one, "=?utf-8?q?abcd?= ");
	check_text((char *)long_one.p, long_one.n, 6, "abcdab");
	zs_buf_fini(&long_one);
}

static void strips_message_ids(void **state)
{
	static const struct { const char *raw, *want; } cases[] = {
		{" <a@b>\r\n", "a@b"}, {"a@b", "a@b"}, {"<>", ""}, {"", ""}, {"< a@b >", "a@b"}, {"<a@b", "a@b"}, {"<",
		""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_true(zs_span_eq(zs_mail_message_id(zs_span_str(cases[i].raw)), zs_span_str(cases[i].want)));
}

static void check_param(const char *field, const char *name, int as_text, const char *want)
{
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};
	int rc = params_find(zs_span_str(field), name, as_text, &out, &err);

	if (rc != (want != NULL) || (want && !zs_span_eq(zs_buf_span(&out), zs_span_str(want))))
		fail_msg("%s: %d %.*s", field, rc, (int)out.n, (char *)out.p);
	zs_buf_fini(&out);
}

static void finds_parameters(void **state)
{
	(void)state;
	check_param("multipart/mixed; boundary=\"a;b\"", "boundary", 0, "a;b");
	check_param("multipart/mixed;\r\n\tBoundary=abc ; x=y", "boundary", 0, "abc");
	check_param("a/b; x=\"boundary=no\"", "boundary", 0, NULL);
	check_param("a/b; name=\"a\\\"b.pdf\"", "name", 1, "a\"b.pdf");
	check_param("a/b; name=two words.pdf; x=y", "name", 1, "two words.pdf");
	check_param("a/b; name=\"=?utf-8?q?=C3=BC.pdf?=\"", "name", 1, "\xc3\xbc.pdf");
	check_param("attachment; filename*=utf-8'de'%c3%bc%20x.pdf; filename=u.pdf", "filename", 1, "\xc3\xbc x.pdf");
	check_param("attachment; filename*=iso-8859-1''%fc", "filename", 1, "\xc3\xbc");
	check_param("attachment; filename*0*=utf-8''%c3; filename*1*=%bc; filename*2=\".pdf\"", "filename", 1,
	    "\xc3\xbc.pdf");
	check_param("attachment; filename*1=b; filename*0=a", "filename", 1, "ab");
	check_param("attachment; filename*=no-quotes", "filename", 1, "no-quotes");
	check_param("attachment; filename*=a%2", "filename", 1, "a%2");
	check_param("attachment; filename=", "filename", 1, "");
	check_param("attachment; filename", "filename", 1, NULL);
	check_param("attachment; filename*x=a; filename*12345=b", "filename", 1, NULL);
	check_param("attachment; =; ;;; filename=a", "filename", 1, "a");
	check_param("", "filename", 1, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_words), cmocka_unit_test(cuts_at_a_character),
		cmocka_unit_test(strips_message_ids), cmocka_unit_test(finds_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
