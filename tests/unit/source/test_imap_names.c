/* Names of folders: modified UTF-7, paths; flags; options of the URL. */
#include "util.h"

#include "../../../src/source/imap_private.h"

static void utf8_is(const char *raw, const char *want)
{
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};
	int rc = utf7_decode(zs_span_str(raw), &out, &err);

	if (!want) {
		assert_int_equal(rc, 0);
		assert_int_equal(out.n, 0);
	} else {
		assert_int_equal(rc, 1);
		assert_true(zs_span_eq(zs_buf_span(&out), zs_span_str(want)));
	}
	zs_buf_fini(&out);
}

static void test_utf7(void **state)
{
	(void)state;
	utf8_is("INBOX", "INBOX");
	utf8_is("", "");
	utf8_is("a&-b", "a&b");
	utf8_is("&-", "&");
	utf8_is("B&APw-ro", "B\xc3\xbcro");
	utf8_is("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
	utf8_is("&2D3eAA-", "\xf0\x9f\x98\x80");
	utf8_is("&AAE-", "\x01"); /* a control character */
	/* what no encoder writes: two names must not become one */
	utf8_is("&AGE-", NULL);	    /* "a" */
	utf8_is("&AAA-", NULL);	    /* NUL */
	utf8_is("&2D0-", NULL);	    /* half a character */
	utf8_is("&3gDYPQ-", NULL);  /* the halves the wrong way round */
	utf8_is("&APw", NULL);	    /* no end */
	utf8_is("&", NULL);
	utf8_is("&APx-", NULL);	    /* bits left over that are not zero */
	utf8_is("&APwA-", NULL);    /* too many digits */
	utf8_is("&APw-&APw-", NULL); /* two runs */
	utf8_is("&A!w-", NULL);
	utf8_is("b\xc3\xbcro", NULL);
	utf8_is("tab\there", NULL);
}

static void path_is(const char *raw, char delimiter, const char *want)
{
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};

	assert_int_equal(imap_names_path(zs_span_str(raw), (uint8_t)delimiter, &out, &err), 0);
	if (!zs_span_eq(zs_buf_span(&out), zs_span_str(want)))
		fail_msg("%s is %.*s, not %s", raw, (int)out.n, (char *)out.p, want);
	assert_true(zs_path_valid(zs_buf_span(&out)));
	zs_buf_fini(&out);
}

static void test_paths(void **state)
{
	(void)state;
	path_is("INBOX", '/', "INBOX");
	path_is("INBOX.B&APw-ro.x", '.', "INBOX/B\xc3\xbcro/x");
	path_is("a/b", '.', "a%2Fb");
	path_is("a/b", 0, "a%2Fb");
	path_is("a/b", '/', "a/b");
	path_is("100%", '/', "100%25");
	path_is(".", '/', "%2E");
	path_is("../..", '/', "%2E%2E/%2E%2E");
	path_is("...", '/', "...");
	path_is("a//b", '/', "a/%/b");
	path_is("", '/', "%");
	path_is("&AAEAGw-[31m", '/', "%01%1B[31m");
	path_is("&AIA-", '/', "%C2%80"); /* C1 */
	path_is("x\x7f", '/', "x%7F");
	path_is("&AGE-", '/', "%26AGE-"); /* kept as its bytes */
	path_is("b\xc3\xbcro", '/', "b%C3%BCro");
	path_is("bad\xff", '/', "bad%FF");
	path_is("0000000001.eml", '/', "%30000000001.eml"); /* as a message is called */
	path_is("0000000001.em", '/', "0000000001.em");
	path_is("a.b^c", '^', "a.b/c");
}

/* Names at the limit, longer ones, and that they stay apart. */
static void test_long_names(void **state)
{
	struct zs_buf a = ZS_BUF_INIT, b = ZS_BUF_INIT;
	struct zs_err err = {0};
	char name[1001];

	(void)state;
	for (size_t n = 250; n < 1000; n += 5) {
		memset(name, 'x', n);
		name[n] = 0;
		zs_buf_clear(&a);
		zs_buf_clear(&b);
		assert_int_equal(imap_names_path(zs_span_str(name), '/', &a, &err), 0);
		assert_true(zs_path_valid(zs_buf_span(&a)));
		assert_int_equal(a.n <= 255, 1);
		assert_int_equal(memchr(a.p, '%', a.n) != NULL, n > 255);
		name[n - 1] = 'y';
		assert_int_equal(imap_names_path(zs_span_str(name), '/', &b, &err), 0);
		assert_false(zs_span_eq(zs_buf_span(&a), zs_buf_span(&b)));
	}
	for (size_t at = 0; at < 400; at++) /* bytes that become three */
		name[at] = '%';
	name[400] = 0;
	zs_buf_clear(&a);
	assert_int_equal(imap_names_path(zs_span_str(name), '/', &a, &err), 0);
	assert_true(zs_path_valid(zs_buf_span(&a)));
	zs_buf_clear(&a);
	for (int i = 0; i < 120; i++)
		assert_int_equal(zs_buf_add(&a, "\xc3\xbc", 2, &err), 0);
	assert_int_equal(imap_names_differ(&a, zs_span_str("one"), &err), 0);
	assert_true(zs_path_valid(zs_buf_span(&a)));
	for (size_t at = 0, len; at < a.n; at += len)
		assert_true((len = zs_utf8_length(a.p + at, a.n - at)) > 0);
	zs_buf_clear(&b);
	assert_int_equal(zs_buf_printf(&b, &err, "dir/name"), 0);
	assert_int_equal(imap_names_differ(&b, zs_span_str("two"), &err), 0);
	assert_true(zs_path_below(zs_buf_span(&b), zs_span_str("dir")));
	zs_buf_fini(&a);
	zs_buf_fini(&b);
}

static void test_typed(void **state)
{
	static const struct { const char *typed, *want; } t[] = {{"", ""}, {"INBOX", "INBOX"}, {"inbox/a", "INBOX/a"}, {"a/inbox/", "a/inbox"},
	    {"50%", "50%25"}, {"a//b", "a/%/b"}, {"B\xc3\xbcro", "B\xc3\xbcro"}};
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		zs_buf_clear(&out);
		assert_int_equal(imap_names_typed(zs_span_str(t[i].typed), &out, &err), 0);
		assert_true(zs_span_eq(zs_buf_span(&out), zs_span_str(t[i].want)));
	}
	zs_buf_fini(&out);
}

static void test_text(void **state)
{
	char out[32];

	(void)state;
	assert_string_equal(imap_names_text(zs_span_str("a\x1b[2Jb\tc\xc2\x9b\xff\xc3\xbc"), out, sizeof out), "a?[2Jb c???\xc3\xbc");
	assert_true(strlen(imap_names_text(zs_span_str("0123456789012345678901234567890123456789"), out, sizeof out)) < sizeof out);
	assert_string_equal(imap_names_text(zs_span(NULL, 0), out, sizeof out), "");
}

/* ------------------------------------------------------------------------- flags */

static void flags_are(struct zs_span joined, struct zs_span flags, struct zs_span tags)
{
	struct zs_buf f = ZS_BUF_INIT, t = ZS_BUF_INIT;
	struct zs_err err = {0};

	assert_int_equal(imap_listing_flags(joined, &f, &t, &err), 0);
	assert_true(zs_span_eq(zs_buf_span(&f), flags));
	assert_true(zs_span_eq(zs_buf_span(&t), tags));
	zs_buf_fini(&f);
	zs_buf_fini(&t);
}

static void test_flags(void **state)
{
	char many[4000];
	size_t n = 0;

	(void)state;
	flags_are(zs_span("", 0), zs_span("", 0), zs_span("", 0));
	flags_are(zs_span("\\Seen\0\\FLAGGED\0work", 19), zs_span("flagged\0seen", 12), zs_span("work", 4));
	flags_are(zs_span("work\0\\Seen\0\\Recent\0\\Seen\0$A\0work", 32), zs_span("seen", 4), zs_span("$A\0work", 7));
	flags_are(zs_span("\\recent", 7), zs_span("", 0), zs_span("", 0));
	flags_are(zs_span("\\", 1), zs_span("", 0), zs_span("\\", 1));
	flags_are(zs_span("b\0\0a", 4), zs_span("", 0), zs_span("a\0b", 3));
	for (int i = 0; i < 500; i++)
		n += (size_t)sprintf(many + n, "k%03d", 499 - i) + 1;
	{
		struct zs_buf f = ZS_BUF_INIT, t = ZS_BUF_INIT;
		struct zs_err err = {0};

		assert_int_equal(imap_listing_flags(zs_span(many, n), &f, &t, &err), 0);
		assert_int_equal(t.n, 500 * 5 - 1);
		assert_memory_equal(t.p, "k000\0k001", 9);
		zs_buf_fini(&f);
		zs_buf_fini(&t);
	}
}

/* ------------------------------------------------------------------------ options */

static int options(const char *url, struct imap_account *a, struct zs_url *u, struct zs_err *err)
{
	static const struct zs_source_settings settings = {.tmp_dir = "/tmp"};
	struct zs_server_settings server = {.url = u, .password = zs_span("pw", 2), .root = zs_span_str("imap")};

	memset(err, 0, sizeof *err);
	assert_int_equal(zs_url_parse(url, u, err), 0);
	return imap_options_init(a, &server, &settings, err);
}

static void refused(const char *url, const char *why)
{
	struct imap_account a;
	struct zs_err err;
	struct zs_url u;

	assert_int_equal(options(url, &a, &u, &err), -1);
	assert_int_equal(err.cause, ZS_USAGE);
	if (!strstr(err.text, why))
		fail_msg("%s: %s", url, err.text);
	zs_url_fini(&u);
}

static void test_refused(void **state)
{
	(void)state;
	refused("imaps://u@h/?colour=red", "unknown option");
	refused("imaps://h/", "whose mail");
	refused("imaps://u@/", "which server");
	refused("imaps://u@%2Ftmp%2Fsocket/", "which server");
	refused("imaps://u@h/?starttls=no", "starttls is for imap://");
	refused("imap://u@h/?starttls=perhaps", "yes or no");
	refused("imaps://u@h/?auth=guess", "auth is");
	refused("imaps://u@h/?master=a&admin=b", "not both");
	refused("imaps://u@h/?admin=b&auth=cram-md5", "auth=plain only");
	refused("imaps://u@h/?connections=0", "1 to 16");
	refused("imaps://u@h/?connections=17", "1 to 16");
	refused("imaps://u@h/?connections=x", "1 to 16");
	refused("imaps://u@h/?connections=99999999999999999999", "1 to 16");
	refused("imaps://u@h/?timeout=", "1 to 3600");
	refused("imaps://u%0d%0aZ1 LOGOUT@h/", "control character");
	refused("imaps://u@h/?master=a%0ab", "control character");
}

static int wants(const struct imap_account *a, const char *path)
{
	return imap_options_wants(a, zs_span_str(path));
}

static void test_options(void **state)
{
	struct imap_account a, b;
	struct zs_err err;
	struct zs_url u, v;

	(void)state;
	assert_int_equal(options("imaps://u@h/", &a, &u, &err), 0);
	assert_int_equal(a.tls, IMAP_TLS);
	assert_int_equal(a.connections, 2);
	assert_int_equal(a.timeout_ms, 120000);
	assert_string_equal(a.login, "u");
	assert_null(a.mechanism);
	assert_null(a.authzid);
	assert_true(wants(&a, "INBOX") && wants(&a, "a/b"));
	assert_int_equal(options("imap://U@H:143/?timeout=5&connections=4&auth=login&master=boss", &b, &v, &err), 0);
	assert_int_equal(b.tls, IMAP_STARTTLS);
	assert_string_equal(b.login, "U*boss");
	assert_string_equal(b.mechanism, "AUTH=LOGIN");
	assert_int_equal(b.salt, a.salt); /* neither case nor port make another place */
	imap_options_fini(&b);
	zs_url_fini(&v);
	assert_int_equal(options("imap://u2@h/?starttls=no&admin=boss", &b, &v, &err), 0);
	assert_int_equal(b.tls, IMAP_PLAIN);
	assert_string_equal(b.login, "boss");
	assert_string_equal(b.authzid, "u2");
	assert_string_equal(b.mechanism, "AUTH=PLAIN");
	assert_int_not_equal(b.salt, a.salt);
	imap_options_fini(&b);
	zs_url_fini(&v);
	assert_int_equal(options("imaps://u@h/?auth=xoauth2", &b, &v, &err), 0);
	assert_true(b.is_token);
	imap_options_fini(&b);
	zs_url_fini(&v);
	imap_options_fini(&a);
	zs_url_fini(&u);
}

static void test_folders_wanted(void **state)
{
	struct imap_account a;
	struct zs_err err;
	struct zs_url u;

	(void)state;
	assert_int_equal(options("imaps://u@h/Lists?exclude=spam", &a, &u, &err), 0);
	assert_true(wants(&a, "Lists") && wants(&a, "Lists/a") && wants(&a, "Lists/a/b"));
	assert_false(wants(&a, "INBOX") || wants(&a, "Lists2") || wants(&a, "Lists/spam") || wants(&a, "Lists/a/spam/x"));
	imap_options_fini(&a);
	zs_url_fini(&u);
	assert_int_equal(options("imaps://u@h/?folder=INBOX&folder=Sent*&exclude=/Sent/old", &a, &u, &err), 0);
	assert_true(wants(&a, "INBOX") && wants(&a, "INBOX/x") && wants(&a, "Sent") && wants(&a, "Sent Items/2024"));
	assert_false(wants(&a, "Trash") || wants(&a, "Sent/old") || wants(&a, "Sent/old/x"));
	imap_options_fini(&a);
	zs_url_fini(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_utf7), cmocka_unit_test(test_paths), cmocka_unit_test(test_long_names), cmocka_unit_test(test_typed),
	    cmocka_unit_test(test_text), cmocka_unit_test(test_flags), cmocka_unit_test(test_refused), cmocka_unit_test(test_options),
	    cmocka_unit_test(test_folders_wanted)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
