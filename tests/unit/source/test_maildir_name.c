/* Names in a Maildir: what they say of a message, keywords, folders, modified UTF-7. */
#include "util.h"

#include "../../../src/source/maildir_private.h"

static struct zs_err err;

/* base, flags joined by ',', tags likewise, seconds (0: none) */
static void check(const char *name, const char *base, const char *flags, const char *tags, int64_t seconds)
{
	struct maildir_keywords k = {.v = {(char *)(uintptr_t)"$Label1", NULL, (char *)(uintptr_t)"Br\xc3\xbc""cke"}};
	struct zs_buf out = ZS_BUF_INIT;
	struct maildir_name n;

	maildir_name_parse(zs_span_str(name), &n);
	assert_true(zs_span_eq(n.base, zs_span_str(base)));
	assert_int_equal(n.date_ns, seconds ? seconds * 1000000000 : INT64_MIN);
	assert_int_equal(maildir_name_flags(&n, &out, &err), 0);
	for (size_t i = 0; i < out.n; i++)
		out.p[i] = out.p[i] ? out.p[i] : ',';
	if (!zs_span_eq(zs_buf_span(&out), zs_span_str(flags)))
		fail_msg("%s: flags %.*s", name, (int)out.n, (const char *)out.p);
	zs_buf_clear(&out);
	assert_int_equal(maildir_name_tags(&n, &k, &out, &err), 0);
	for (size_t i = 0; i < out.n; i++)
		out.p[i] = out.p[i] ? out.p[i] : ',';
	if (!zs_span_eq(zs_buf_span(&out), zs_span_str(tags)))
		fail_msg("%s: tags %.*s", name, (int)out.n, (const char *)out.p);
	zs_buf_fini(&out);
}

static void test_messages(void **state)
{
	(void)state;
	check("1700000000.M1P2.host", "1700000000.M1P2.host", "", "", 1700000000);
	check("1700000000.M1P2.host,S=12,W=13:2,", "1700000000.M1P2.host,S=12,W=13", "", "", 1700000000);
	check("1700000000.M1P2.host:2,SRFTDP", "1700000000.M1P2.host", "\\Answered,\\Deleted,\\Draft,\\Flagged,\\Seen,$Forwarded", "",
	    1700000000);
	check("1.x:2,SSS", "1.x", "\\Seen", "", 1);
	check("1.x:2,acS", "1.x", "\\Seen", "$Label1,Br\xc3\xbc""cke", 1);
	check("1.x:2,bS", "1.x", "\\Seen", "b", 1); /* a keyword that nobody has named */
	check("1.x:2,XYZ", "1.x", "", "", 1);
	check("1.x:2,F,S", "1.x", "\\Flagged", "", 1); /* behind a comma: of no standard */
	check("1.x:1,whatever", "1.x", "", "", 1);
	check("1.x:3,S", "1.x:3,S", "", "", 1);
	check("1.x:2", "1.x:2", "", "", 1);
	check("1.x;2,S", "1.x", "\\Seen", "", 1);
	check("1.x!2,S", "1.x", "\\Seen", "", 1);
	check("1.x+2,S", "1.x", "\\Seen", "", 1);
	check("1.x\xef\x80\xba" "2,S", "1.x", "\\Seen", "", 1);
	check("1.x:2,R:2,S", "1.x:2,R", "\\Seen", "", 1); /* the last one counts */
	check("1.x;2,R:2,S", "1.x;2,R", "\\Seen", "", 1);
	check(":2,S", ":2,S", "", "", 0); /* a name before it is needed */
	check("", "", "", "", 0);
	check("abc.host:2,S", "abc.host", "\\Seen", "", 0);
	check("1700000000", "1700000000", "", "", 0);
	check("0.x", "0.x", "", "", 0);
	check("99999999999.x", "99999999999.x", "", "", 0);
	check("9223372036.x", "9223372036.x", "", "", 9223372036);
	check("999999999999999999999999.x", "999999999999999999999999.x", "", "", 0);
}

static void test_keywords(void **state)
{
	struct maildir_keywords k = {{0}};
	static const char text[] = "0 $Label1\r\n25 last\n26 too far\n1\n2 \nx y\n-1 z\n3 two words\n0 again\n4 end";

	(void)state;
	assert_int_equal(maildir_keywords_parse(zs_span_str(text), &k, &err), 0);
	assert_string_equal(k.v[0], "again");
	assert_string_equal(k.v[25], "last");
	assert_string_equal(k.v[3], "two words");
	assert_string_equal(k.v[4], "end");
	assert_null(k.v[1]);
	assert_null(k.v[2]);
	maildir_keywords_fini(&k);
	assert_int_equal(maildir_keywords_parse(zs_span("5 a\0b\n6 c", 9), &k, &err), 0);
	assert_null(k.v[5]);
	assert_string_equal(k.v[6], "c");
	maildir_keywords_fini(&k);
	assert_null(k.v[6]);
}

static void check_folder(const char *path, enum maildir_layout layout, const char *want)
{
	struct zs_buf out = ZS_BUF_INIT;

	assert_int_equal(maildir_name_folder(zs_span_str(path), layout, &out, &err), 0);
	if (!zs_span_eq(zs_buf_span(&out), zs_span_str(want)))
		fail_msg("%s: %.*s, not %s", path, (int)out.n, (const char *)out.p, want);
	zs_buf_fini(&out);
}

static void test_folders(void **state)
{
	(void)state;
	check_folder("", MAILDIR_AUTO, "INBOX");
	check_folder(".Sent", MAILDIR_AUTO, "Sent");
	check_folder(".A.B.C", MAILDIR_AUTO, "A/B/C");
	check_folder(".Entw&APw-rfe.&U,BTFw-", MAILDIR_AUTO, "Entw\xc3\xbcrfe/\xe5\x8f\xb0\xe5\x8c\x97");
	check_folder(".Tom &- Co", MAILDIR_AUTO, "Tom & Co");
	check_folder(".&2D3eAA-", MAILDIR_AUTO, "\xf0\x9f\x98\x80");
	check_folder(".half &AP", MAILDIR_AUTO, "half &AP"); /* no proper encoding: as it is */
	check_folder(".Gr\xc3\xbc\xc3\x9f" "e", MAILDIR_AUTO, "Gr\xc3\xbc\xc3\x9f" "e"); /* UTF-8 on disk */
	check_folder(".a\xff" "b", MAILDIR_AUTO, "a\xef\xbf\xbd" "b");
	check_folder("work/2024", MAILDIR_AUTO, "work/2024");
	check_folder("work/.Old.X", MAILDIR_AUTO, "work/Old/X");
	check_folder(".Sent.X", MAILDIR_FS, ".Sent.X");
	check_folder("Entw&APw-rfe/x", MAILDIR_FS, "Entw\xc3\xbcrfe/x");
	check_folder(".", MAILDIR_AUTO, ".");
	check_folder("..", MAILDIR_AUTO, "/"); /* a Maildir++ folder of two empty names */
}

static void test_utf7(void **state)
{
	static const char *const bad[] = {"&", "&A", "&AA-", "&AAA-", "&AGE-", "&2D3-", "&3gA-", "&AP8&AP8-", "&APw-&APw-", "\x7f", "a\nb",
	    "\xc3\xbc", "&APwB-"};
	struct zs_buf out = ZS_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(utf7_decode(zs_span_str(bad[i]), &out, &err), 0);
		assert_int_equal(out.n, 0);
	}
	assert_int_equal(utf7_decode(zs_span_str("&APw-&-x"), &out, &err), 1);
	assert_true(zs_span_eq(zs_buf_span(&out), zs_span_str("\xc3\xbc&x")));
	zs_buf_fini(&out);
}

static void test_locks(void **state)
{
	(void)state;
	assert_true(maildir_name_is_lock(zs_span_str("dovecot-uidlist.lock")));
	assert_true(maildir_name_is_lock(zs_span_str(".lock")));
	assert_false(maildir_name_is_lock(zs_span_str("lock")));
	assert_false(maildir_name_is_lock(zs_span_str("x.locked")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages), cmocka_unit_test(test_keywords), cmocka_unit_test(test_folders), cmocka_unit_test(test_utf7),
		cmocka_unit_test(test_locks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
