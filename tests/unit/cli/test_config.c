/* The configuration file's reader: what it takes, what it refuses, and that nothing is cut without a word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../src/cli/config.h"

static struct conf conf_of(const char *text)
{
	struct conf c = {.home = "/home/ada"};
	struct zs_err err = {0};

	assert_int_equal(conf_read(&c, "file", zs_span_str(text), &err), 0);
	assert_int_equal(conf_check(&c, &err), 0);
	return c;
}

/* Exactly one error, in that line, with these words. */
static void refuses(const char *text, unsigned line, const char *words)
{
	struct conf c = conf_of(text);
	char place[32];

	(void)snprintf(place, sizeof place, "file:%u: ", line);
	if (c.error_count != 1 || strncmp(c.errors.v[0], place, strlen(place)) != 0 || !strstr(c.errors.v[0], words))
		fail_msg("%zu errors for:\n%s\nthe first: %s; not '%s' in line %u", c.error_count, text, c.error_count ? c.errors.v[0] : "-", words, line);
	conf_fini(&c);
}

static const char *nth(const struct conf *c, const char *profile, const char *key, int n)
{
	const struct conf_section *p = profile ? conf_find(c, CONF_PROFILE, profile) : NULL;
	const struct conf_setting *v = conf_next(c, p, key, NULL);

	while (v && n-- > 0)
		v = conf_next(c, p, key, v);
	return v ? v->value : NULL;
}

static void takes(const struct conf *c, const char *profile, const char *key, int n, const char *want)
{
	const char *got = nth(c, profile, key, n);

	if (!want || !got) {
		assert_ptr_equal(got, want);
		return;
	}
	assert_string_equal(got, want);
}

static void values(void **state)
{
	struct conf c = conf_of("\xef\xbb\xbf# comment\r\n"
				"[zstore]\n"
				"default-profile = b\n"
				"keep-daily = 3\n"
				"exclude = *.default\n"
				"\n"
				"[profile a]\n"
				"repository = ~/repo\n"
				"key-file: /key  \r\n"
				"source = /srv/mail\n"
				"    db\n"
				"\t; comment\n"
				"\n"
				"  mariadb://root@h/?a=b;c=d\n"
				"hook-before = a;b && c # d = ~/e\n"
				"tag = one\n"
				"tag=two words\n"
				"[profile b]\n"
				"exclude =\n"
				"  [ab]*\n"
				"  #no\n"
				"  x #y\n"
				"[source db]\n"
				"url = mariadb://root@h/?x=1\n"
				"socket = /run/a b&c\n"
				"password-file = ~/p\n"
				"[profile c]\n"
				"exclude =\n");

	(void)state;
	assert_int_equal(c.error_count, 0);
	takes(&c, "a", "repository", 0, "/home/ada/repo");
	takes(&c, "a", "key-file", 0, "/key");
	takes(&c, "a", "source", 0, "/srv/mail");
	takes(&c, "a", "source", 1, "db");
	takes(&c, "a", "source", 2, "mariadb://root@h/?a=b;c=d");
	takes(&c, "a", "source", 3, NULL);
	takes(&c, "a", "hook-before", 0, "a;b && c # d = ~/e");
	takes(&c, "a", "tag", 0, "one");
	takes(&c, "a", "tag", 1, "two words");
	takes(&c, "a", "exclude", 0, "*.default");
	takes(&c, "a", "keep-daily", 0, "3");
	takes(&c, "a", "keep-last", 0, NULL);
	takes(&c, "b", "exclude", 0, "[ab]*");
	takes(&c, "b", "exclude", 1, "x #y");
	takes(&c, "b", "exclude", 2, NULL);
	takes(&c, "c", "exclude", 0, NULL); /* cleared */
	takes(&c, NULL, "default-profile", 0, "b");
	conf_fini(&c);
}

static void url_of_a_source(void **state)
{
	struct conf c = conf_of("[source db]\nurl = mariadb://root@h/?x=1\nsocket = /run/a b&c%\npassword-file = ~/p\n[source l]\nbind = cn=a,dc=b\nurl = ldap://h/\n"
	    "[source z]\nurl = zimbra:\naccount = a@x\n    b@x\naccount = c@x\ncos = gold\n");
	struct zs_buf url = ZS_BUF_INIT;
	struct zs_err err = {0};
	struct zs_url u;

	(void)state;
	assert_int_equal(c.error_count, 0);
	assert_int_equal(conf_source_url(conf_find(&c, CONF_SOURCE, "db"), &url, &err), 0);
	assert_string_equal((char *)url.p, "mariadb://root@h/?x=1&socket=/run/a%20b%26c%25&password-file=/home/ada/p");
	assert_int_equal(zs_url_parse((char *)url.p, &u, &err), 0);
	assert_string_equal(zs_url_get(&u, "socket", ""), "/run/a b&c%");
	assert_string_equal(zs_url_get(&u, "password-file", ""), "/home/ada/p");
	assert_string_equal(u.label, "mariadb://root@h/?x=1&socket=/run/a%20b%26c%25");
	zs_url_fini(&u);
	zs_buf_clear(&url);
	assert_int_equal(conf_source_url(conf_find(&c, CONF_SOURCE, "l"), &url, &err), 0);
	assert_string_equal((char *)url.p, "ldap://h/?bind=cn=a,dc=b");
	zs_buf_clear(&url);
	assert_int_equal(conf_source_url(conf_find(&c, CONF_SOURCE, "z"), &url, &err), 0);
	assert_string_equal((char *)url.p, "zimbra:?account=a@x&account=b@x&account=c@x&cos=gold");
	zs_buf_fini(&url);
	conf_fini(&c);
}

static void wrong_lines(void **state)
{
	(void)state;
	refuses("keep-last = 1\n", 1, "before the first section");
	refuses("[profile a]\n\nkeep-last\n", 3, "no '='");
	refuses("[profile a]\n= 1\n", 2, "nothing before");
	refuses("[profile a\n", 1, "']' is missing");
	refuses("[profile a] # x\nkeep-last = 1\n", 1, "follows the ']'");
	refuses("[profile a]\n  keep-last = 1\n", 2, "first column");
	refuses("[profile a]\nkeep-last = 1\n  keep-daily = 1\n", 3, "first column");
	refuses("[profile a]\nexclude = x\n  tag = y\n", 3, "first column");
	refuses("[profile a]\nkeep-last = 1\n 2\n", 3, "one value");
	refuses("[profile a]\nhook-after = a ; b\n", 2, "';' after a blank");
	refuses("[profile a]\nexclude = a\n  b\t; c\n", 3, "';' after a blank");
	refuses("[profile a]\ntag = a\001b\n", 2, "control character");
	refuses("[profile a]\nfrobnicate = 1\n  more\n  and more\n", 2, "unknown setting 'frobnicate'");
	refuses("[profile a]\nsource-that-is-much-longer-than-fifty-bytes-which-inih-would-cut = /x\n", 2, "unknown setting");
	refuses("[profile a]\ndefault-profile = a\n", 2, "unknown setting");
}

static void wrong_sections(void **state)
{
	(void)state;
	refuses("[profiles]\nkeep-last = 1\n", 1, "unknown section");
	refuses("[profile]\n", 1, "unknown section");
	refuses("[source ]\n", 1, "unknown section");
	refuses("[profile a/b]\nkeep-last = x\n", 1, "a name is");
	refuses("[profile ..]\n", 1, "a name is");
	refuses("[profile abcdefghijklmnopqrstuvwxyz0123456]\n", 1, "a name is");
	refuses("[profile full]\n", 1, "cannot be named");
	refuses("[profile live]\n", 1, "cannot be named");
	refuses("[profile a]\n[profile b]\n[profile a]\nkeep-last = x\n", 3, "began in line 1");
	refuses("[profile \001]\nnonsense = 1\n[profile a]\nkeep-last = 1\n", 1, "control character");
	refuses("[source a]\n", 1, "no url");
	refuses("[zstore]\ndefault-profile = a\n", 2, "no [profile a]");
}

static void wrong_values(void **state)
{
	(void)state;
	refuses("[profile a]\nkeep-last =\n", 2, "no value");
	refuses("[profile a]\nkeep-last = 7 # days\n", 2, "comment");
	refuses("[profile a]\nkeep-last = many\n", 2, "keep-last: 'many'");
	refuses("[profile a]\nkeep-last = 1\nkeep-last = 2\n", 3, "again: it was set in line 2");
	refuses("[profile a]\nkeep-within = soon\n", 2, "time span");
	refuses("[profile a]\ngroup-by = colour\n", 2, "group-by");
	refuses("[profile a]\nmax-unused = some\n", 2, "no size");
	refuses("[profile a]\nthreads = 65\n", 2, "threads");
	refuses("[profile a]\ncompression = lz4\n", 2, "compression");
	refuses("[profile a]\none-file-system = perhaps\n", 2, "yes or no");
	refuses("[profile a]\nhook-timeout = 1d\n", 2, "time limit");
	refuses("[profile a]\nrepository = backup\n", 2, "begins with '/'");
	refuses("[profile a]\nkey-file = ./key\n", 2, "begins with '/'");
	refuses("[profile a]\nsource = a/b\n", 2, "begins with '/'");
	refuses("[profile a]\nsource = typo\n", 2, "no [source] of this name");
	refuses("[profile a]\nsource = ldap://u:p@h/\n", 2, "no password");
	refuses("[source a]\nurl = /srv\n", 2, "no URL");
	refuses("[source a]\nurl = ldap://h/\npassword = x\n", 3, "no password belongs here");
	refuses("[source a]\nurl = ldap://h/\nBind = x\n", 3, "unknown setting 'Bind'");
	refuses("[source a]\nurl = ldap://h/\nbind = x\nbind = y\n", 4, "again");
}

/* What is longer than inih's buffer comes out whole; what is longer than our limit is refused. */
static void long_lines(void **state)
{
	char text[2 * CONF_LINE_MAX + 800], value[CONF_LINE_MAX + 200];
	struct conf c;

	(void)state;
	for (size_t n = 150; n < CONF_LINE_MAX - 20; n += n < 450 ? 1 : 97) {
		for (size_t i = 0; i < n; i++)
			value[i] = "ab  c;# d=\t[e:"[(i * 7 + i / 14) % 14];
		for (size_t i = 1; i < n; i++) /* no comment in it */
			if (value[i] == ';' && (value[i - 1] == ' ' || value[i - 1] == '\t'))
				value[i] = 'x';
		value[0] = 'v';
		value[n - 1] = 'w';
		value[n] = 0;
		(void)snprintf(text, sizeof text, "[profile a]\nhook-after = %s\nexclude = 1\n   %s\n  2\ntag = t\n", value, value);
		c = conf_of(text);
		if (c.error_count)
			fail_msg("%zu bytes: %s", n, c.errors.v[0]);
		takes(&c, "a", "hook-after", 0, value);
		takes(&c, "a", "hook-after", 1, NULL);
		takes(&c, "a", "exclude", 0, "1");
		takes(&c, "a", "exclude", 1, value);
		takes(&c, "a", "exclude", 2, "2");
		takes(&c, "a", "tag", 0, "t");
		conf_fini(&c);
	}
	memset(value, 'x', CONF_LINE_MAX);
	value[CONF_LINE_MAX - 13] = 0;
	(void)snprintf(text, sizeof text, "[profile a]\nhook-after = %s\n", value);
	c = conf_of(text);
	assert_int_equal(c.error_count, 0);
	takes(&c, "a", "hook-after", 0, value);
	conf_fini(&c);
	(void)snprintf(text, sizeof text, "[profile a]\nhook-after = %sx\n", value);
	refuses(text, 2, "at most 4096");
	memset(value, ' ', 300);
	(void)strcpy(value + 300, "x");
	(void)snprintf(text, sizeof text, "[profile a]\nhook-after = a%s\nexclude = b\n", value);
	refuses(text, 2, "too long");
}

static void several_files(void **state)
{
	struct conf c = {0};
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(conf_read(&c, "one", zs_span_str("[zstore]\nkeep-last = 1\n[profile a]\ntag = x\ntag = y\nkeep-daily = 1\n"), &err), 0);
	assert_int_equal(conf_read(&c, "two", zs_span_str("[profile a]\ntag = z\n[profile b]\nkeep-last = x\n"), &err), 0);
	assert_int_equal(conf_check(&c, &err), 0);
	takes(&c, "a", "tag", 0, "z");
	takes(&c, "a", "tag", 1, NULL);
	takes(&c, "a", "keep-daily", 0, "1");
	takes(&c, "a", "keep-last", 0, "1");
	assert_int_equal(c.error_count, 1);
	assert_non_null(strstr(c.errors.v[0], "two:4: keep-last"));
	conf_fini(&c);
}

static void limits(void **state)
{
	struct zs_buf text = ZS_BUF_INIT;
	struct zs_err err = {0};
	struct conf c;

	(void)state;
	assert_int_equal(zs_buf_printf(&text, &err, "[profile a]\n"), 0);
	for (unsigned i = 0; i <= CONF_SETTINGS_MAX; i++)
		assert_int_equal(zs_buf_printf(&text, &err, "tag = %u\n", i), 0);
	assert_int_equal(zs_buf_add_u8(&text, 0, &err), 0);
	c = conf_of((char *)text.p);
	assert_int_equal(c.error_count, 1);
	assert_non_null(strstr(c.errors.v[0], "more than 4096 settings"));
	conf_fini(&c);
	zs_buf_clear(&text);
	for (unsigned i = 0; i < CONF_SECTIONS_MAX + 30; i++)
		assert_int_equal(zs_buf_printf(&text, &err, "[profile p%u]\n", i), 0);
	assert_int_equal(zs_buf_add_u8(&text, 0, &err), 0);
	c = conf_of((char *)text.p);
	assert_int_equal(c.error_count, 30);
	assert_int_equal(c.errors.n, CONF_ERRORS_MAX);
	conf_fini(&c);
	zs_buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values), cmocka_unit_test(url_of_a_source), cmocka_unit_test(wrong_lines), cmocka_unit_test(wrong_sections),
	    cmocka_unit_test(wrong_values), cmocka_unit_test(long_lines), cmocka_unit_test(several_files), cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
