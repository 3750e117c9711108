/* URLs of servers. */
#include "util.h"

static struct zs_url parse(const char *text)
{
	struct zs_url u;
	struct zs_err err = {0};

	if (zs_url_parse(text, &u, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return u;
}

static void check(const char *text, const char *user, const char *host, unsigned port, const char *path)
{
	struct zs_url u = parse(text);

	assert_string_equal(u.user, user);
	assert_string_equal(u.host, host);
	assert_int_equal(u.port, port);
	assert_string_equal(u.path, path);
	zs_url_fini(&u);
}

static void parts(void **state)
{
	(void)state;
	check("mariadb://root@localhost:3307/a,b", "root", "localhost", 3307, "a,b");
	check("mariadb://", "", "", 0, "");
	check("mariadb:///db", "", "", 0, "db");
	check("mariadb://a%40b@h/%2Fx%25", "a@b", "h", 0, "/x%");
	check("ldapi://%2Frun%2Fslapd%2Fldapi", "", "/run/slapd/ldapi", 0, "");
	check("ldapi://%2Frun%2Fx/dc=example,dc=org", "", "/run/x", 0, "dc=example,dc=org");
	check("ldaps://[::1]:636/", "", "::1", 636, "");
	check("ldap://[fe80::1]", "", "fe80::1", 0, "");
	check("mysql://h?socket=/x/y", "", "h", 0, "");
	check("maildir:/var/mail/a%3Fb?name=x", "", "", 0, "/var/mail/a?b");
	check("mbox:some/file", "", "", 0, "some/file");
	check("imaps://u@h:993/INBOX%2Fx", "u", "h", 993, "INBOX/x");
	check("mariadb://h:/d", "", "h", 0, "d");
}

static void queries(void **state)
{
	struct zs_url u = parse("mariadb://h/d?socket=%2Fx&tls&socket=/y&password-command=pass show db&name=sql2&z=");
	const char *const known[] = {"socket", "tls", "z", NULL}, *const fewer[] = {"socket", "z", NULL};
	struct zs_err err = {0};
	int flag;

	(void)state;
	assert_string_equal(zs_url_get(&u, "socket", ""), "/y");
	assert_string_equal(zs_url_get(&u, "z", "q"), "");
	assert_null(zs_url_get(&u, "none", NULL));
	assert_int_equal(zs_url_flag(&u, "tls", 0, &flag, &err), 0);
	assert_int_equal(flag, 1);
	assert_int_equal(zs_url_flag(&u, "none", 1, &flag, &err), 0);
	assert_int_equal(flag, 1);
	assert_int_equal(zs_url_flag(&u, "socket", 0, &flag, &err), -1);
	assert_int_equal(err.cause, ZS_USAGE);
	assert_string_equal(u.label, "mariadb://h/d?socket=%2Fx&tls&socket=/y&z=");
	assert_int_equal(zs_url_check_keys(&u, known, &err), 0);
	assert_int_equal(zs_url_check_keys(&u, fewer, &err), -1);
	assert_non_null(strstr(err.text, "'tls'"));
	zs_url_fini(&u);
}

/* A key that is written in another way is still that key. */
static void hidden(void **state)
{
	struct zs_url u = parse("mariadb://h/?password%2Dcommand=show%20secret&x=1");

	(void)state;
	assert_string_equal(u.label, "mariadb://h/?x=1");
	assert_string_equal(zs_url_get(&u, "password-command", ""), "show secret");
	zs_url_fini(&u);
}

static void refused(void **state)
{
	static const char *const bad[] = {"mariadb://root:secret@h/", "mariadb://h/?password=x", "mariadb://h:99999/", "mariadb://h:0/",
	    "mariadb://h:1x/", "mariadb://%zz/", "mariadb://a%", "mariadb://a%0", "mariadb://a%00b/", "ldap://[::1/", "ldap://[::1]x/",
	    "http://h/", "/etc/passwd", "mariadb:/h", "xmariadb://h"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct zs_err err = {0};
		struct zs_url u;

		if (zs_url_parse(bad[i], &u, &err) == 0)
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(err.cause, ZS_USAGE);
		assert_null(strstr(err.text, "secret"));
		assert_null(u.host);
		zs_url_fini(&u);
	}
}

static void changed(void **state)
{
	struct zs_err err = {0};
	struct zs_url u;

	(void)state;
	assert_int_equal(zs_url_parse("zimbra:/l.xml?account=a%40x&domain=d&accounts=no&account=b&ca-file=c&account", &u, &err), 0);
	zs_url_drop(&u, "account");
	assert_string_equal(u.label, "zimbra:/l.xml?domain=d&accounts=no&ca-file=c");
	assert_null(zs_url_get(&u, "account", NULL));
	assert_string_equal(zs_url_get(&u, "accounts", NULL), "no");
	zs_url_drop(&u, "domain");
	zs_url_drop(&u, "none");
	assert_string_equal(u.label, "zimbra:/l.xml?accounts=no&ca-file=c");
	assert_int_equal(zs_url_add(&u, "account", "é x@y", &err), 0);
	assert_string_equal(u.label, "zimbra:/l.xml?accounts=no&ca-file=c&account=%C3%A9%20x@y");
	zs_url_drop(&u, "accounts");
	zs_url_drop(&u, "ca-file");
	zs_url_drop(&u, "account");
	assert_string_equal(u.label, "zimbra:/l.xml");
	assert_int_equal(u.keys.n, 0);
	zs_url_fini(&u);
}

static void known_schemes(void **state)
{
	(void)state;
	assert_true(zs_url_is("mariadb://"));
	assert_true(zs_url_is("ldapi://%2Fx"));
	assert_true(zs_url_is("maildir:x"));
	assert_false(zs_url_is("maildirs:x"));
	assert_false(zs_url_is("mariadb:/x"));
	assert_false(zs_url_is("opt/mariadb://x"));
	assert_false(zs_url_is("file://x"));
	assert_false(zs_url_is(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts),
		cmocka_unit_test(queries), cmocka_unit_test(hidden),
		cmocka_unit_test(refused),
		cmocka_unit_test(changed),
		cmocka_unit_test(known_schemes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
