/* What a mariadb:// URL says; rights from SHOW GRANTS; names in paths. */
#include "util.h"

#include "../../../src/source/sql_source_private.h"

struct parsed { struct zs_url url; struct sql_options o; };

static int try_parse(const char *text, struct parsed *p, struct zs_err *err)
{
	struct zs_server_settings server = {.url = &p->url};

	if (zs_url_parse(text, &p->url, err) < 0)
		fail_msg("%s: %s", text, err->text);
	if (sql_options_parse(&server, &p->o, err) == 0)
		return 0;
	zs_url_fini(&p->url);
	return -1;
}

static struct parsed parse(const char *text)
{
	struct parsed p;
	struct zs_err err = {0};

	if (try_parse(text, &p, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return p;
}

static void parsed_fini(struct parsed *p)
{
	sql_options_fini(&p->o);
	zs_url_fini(&p->url);
}

static int wants(const struct sql_options *o, const char *database, const char *table)
{
	return sql_options_wants_database(o, zs_span_str(database)) &&
	    sql_options_wants_table(o, zs_span_str(database), zs_span_str(table));
}

static void defaults(void **state)
{
	struct parsed p = parse("mariadb://");

	(void)state;
	assert_int_equal(p.o.consistency, SQL_AUTO);
	assert_int_equal(p.o.login.tls, SQL_TLS_AUTO);
	assert_int_equal(p.o.skip, 0);
	assert_null(p.o.login.socket);
	assert_int_equal(p.o.lock_timeout_s, 30);
	assert_true(wants(&p.o, "any", "table"));
	assert_false(wants(&p.o, "mysql", "user"));
	assert_false(wants(&p.o, "information_schema", "x"));
	assert_false(wants(&p.o, "performance_schema", "x"));
	assert_false(wants(&p.o, "sys", "x"));
	parsed_fini(&p);
}

static void said(void **state)
{
	struct parsed p = parse("mariadb://u@h:3307/a,b%20c?consistency=block-ddl&skip=views,events&skip=locks&hex=yes&lock-timeout=5&"
				"connect-timeout=3&read-timeout=60&snapshots=4&ssl-ca=/ca.pem&exclude=a.x,a.y&exclude=b%20c&database=d,e&"
				"exclude=d,e.t.u&defaults-file=none&defaults-group=g");

	(void)state;
	assert_int_equal(p.o.consistency, SQL_BLOCK_DDL);
	assert_string_equal(sql_options_consistency_name(p.o.consistency), "block-ddl");
	assert_int_equal(p.o.skip, SQL_SKIP_VIEWS | SQL_SKIP_EVENTS | SQL_SKIP_LOCKS);
	assert_int_equal(p.o.is_hex, 1);
	assert_int_equal(p.o.lock_timeout_s, 5);
	assert_int_equal(p.o.login.connect_timeout_s, 3);
	assert_int_equal(p.o.login.read_timeout_s, 60);
	assert_int_equal(p.o.snapshots, 4);
	assert_int_equal(p.o.login.tls, SQL_TLS_YES);
	assert_string_equal(p.o.login.ssl_ca, "/ca.pem");
	assert_int_equal(p.o.databases.n, 3);
	assert_true(wants(&p.o, "a", "z"));
	assert_false(wants(&p.o, "a", "x"));
	assert_false(wants(&p.o, "a", "y"));
	assert_false(wants(&p.o, "A", "z"));
	assert_false(wants(&p.o, "b c", "z"));
	assert_true(wants(&p.o, "d,e", "t"));
	assert_false(wants(&p.o, "d,e", "t.u"));
	assert_false(wants(&p.o, "other", "z"));
	parsed_fini(&p);
	p = parse("mariadb://%2Frun%2Fx.sock/?ssl=no");
	assert_string_equal(p.o.login.socket, "/run/x.sock");
	assert_int_equal(p.o.login.tls, SQL_TLS_NO);
	parsed_fini(&p);
	p = parse("mariadb://localhost/?socket=/x&ssl=yes");
	assert_int_equal(p.o.login.tls, SQL_TLS_YES);
	parsed_fini(&p);
}

static void refused(void **state)
{
	static const struct { const char *url, *word; } bad[] = {
		{"mariadb://h/?sockt=x", "sockt"}, {"mariadb://h/?consistency=perfect", "perfect"}, {"mariadb://h/?skip=rows", "rows"},
		{"mariadb://h/?ssl=maybe", "maybe"}, {"mariadb://h/?ssl=no&ssl-ca=x", "ssl-ca"}, {"mariadb://h/?ssl-cert=x", "ssl-key"},
		{"mariadb://h/?hex=1x", "hex"}, {"mariadb://h/?lock-timeout=0", "lock-timeout"}, {"mariadb://h/?lock-timeout=-1", "lock-timeout"},
		{"mariadb://h/?lock-timeout=5s", "lock-timeout"}, {"mariadb://h/?lock-timeout=", "lock-timeout"}, {"mariadb://h/?snapshots=1000", "snapshots"},
		{"mariadb://h/?read-timeout=99999999999999999999", "read-timeout"}, {"mariadb://h/?socket=/x", "socket"},
		{"mariadb://localhost:1/?socket=/x", "socket"}, {"mariadb://h/mysql", "mysql"}, {"mariadb://h/a,Information_Schema", "Information_Schema"},
		{"mariadb://h/?database=sys", "sys"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct parsed p;
		struct zs_err err = {0};

		if (try_parse(bad[i].url, &p, &err) == 0)
			fail_msg("%s is accepted", bad[i].url);
		assert_int_equal(err.cause, ZS_USAGE);
		if (!strstr(err.text, bad[i].word))
			fail_msg("%s: %s", bad[i].url, err.text);
	}
}

/* The source itself is made of them, and says the same; it connects later. */
static void source(void **state)
{
	struct zs_source_settings settings = {.tmp_dir = "/tmp"};
	struct zs_source *s = NULL;
	struct zs_source_item item;
	struct zs_err err = {0};
	struct zs_url u;
	struct zs_server_settings server = {.url = &u, .root = zs_span_str("sql")};

	(void)state;
	assert_int_equal(zs_url_parse("mariadb://localhost/?socket=/nowhere/at/all&defaults-file=none", &u, &err), 0);
	assert_int_equal(zs_source_sql_new(&server, &settings, &s, &err), 0);
	assert_int_equal(zs_source_next(s, &item, &err), -1);
	assert_int_equal(err.cause, ZS_INTERNAL);
	assert_int_equal(zs_source_prepare(s, ZS_PHASE_FREEZE, &err), -1);
	assert_int_equal(err.cause, ZS_INTERNAL);
	assert_int_equal(zs_source_prepare(s, ZS_PHASE_CONNECT, &err), -1);
	assert_int_equal(err.cause, ZS_SOURCE);
	assert_non_null(strstr(err.text, "/nowhere/at/all"));
	zs_source_free(s);
	server.root = zs_span_str("/x");
	assert_int_equal(zs_source_sql_new(&server, &settings, &s, &err), -1);
	assert_int_equal(err.cause, ZS_USAGE);
	zs_url_fini(&u);
}

/* ---------------------------------------------------------------------------- rights */

static void grant(struct sql_rights *r, const char *line)
{
	struct zs_err err = {0};

	assert_int_equal(sql_privileges_add(r, zs_span_str(line), &err), 0);
}

static void rights(void **state)
{
	struct sql_rights r = {0};

	(void)state;
	grant(&r, "GRANT `ro` TO `x'y`@`localhost`");
	grant(&r, "GRANT BINLOG MONITOR, RELOAD ON *.* TO `x`@`localhost` IDENTIFIED VIA unix_socket");
	grant(&r, "GRANT SELECT ON `a\\_b%`.* TO `x`@`localhost`");
	grant(&r, "GRANT SELECT (`user`), SHOW VIEW ON `mysql`.`db` TO `x`@`localhost`");
	grant(&r, "GRANT EXECUTE ON PROCEDURE `sys`.`p` TO `x`@`localhost`");
	grant(&r, "GRANT EVENT, TRIGGER, LOCK TABLES ON `zim``bra`.* TO `in'ner`");
	grant(&r, "GRANT SELECT ON `mysql`.`proc` TO PUBLIC");
	grant(&r, "GRANT ALL PRIVILEGES ON `all`.* TO `x`@`%` WITH GRANT OPTION");
	grant(&r, "GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION");
	grant(&r, "GRANT USAGE ON *.* TO `y`");
	grant(&r, "SET DEFAULT ROLE `ro` FOR `x`@`localhost`");
	assert_int_equal(r.everywhere, SQL_BINLOG_MONITOR | SQL_RELOAD);
	assert_int_equal(sql_privileges_on(&r, "a_b", NULL) & SQL_SELECT, SQL_SELECT);
	assert_int_equal(sql_privileges_on(&r, "a_bcd", NULL) & SQL_SELECT, SQL_SELECT);
	assert_int_equal(sql_privileges_on(&r, "axb", NULL) & SQL_SELECT, 0);
	assert_int_equal(sql_privileges_on(&r, "mysql", "db") & (SQL_SELECT | SQL_SHOW_VIEW), SQL_SHOW_VIEW);
	assert_int_equal(sql_privileges_on(&r, "mysql", "proc") & SQL_SELECT, SQL_SELECT);
	assert_int_equal(sql_privileges_on(&r, "mysql", NULL) & SQL_SELECT, 0);
	assert_int_equal(sql_privileges_on(&r, "zim`bra", NULL) & SQL_ALL_RIGHTS, SQL_EVENT | SQL_TRIGGER | SQL_LOCK_TABLES | r.everywhere);
	assert_int_equal(sql_privileges_on(&r, "all", NULL), SQL_ALL_RIGHTS);
	assert_int_equal(sql_privileges_on(&r, "other", NULL), r.everywhere);
	sql_privileges_fini(&r);
	grant(&r, "GRANT SELECT, INSERT, SHOW DATABASES, REPLICATION CLIENT ON *.* TO 'u'@'h'");
	assert_int_equal(r.everywhere, SQL_SELECT | SQL_SHOW_DATABASES | SQL_BINLOG_MONITOR);
	sql_privileges_fini(&r);
}

static void patterns(void **state)
{
	static const struct { const char *pattern, *name; int is_match; } list[] = {
		{"%", "", 1}, {"%", "x", 1}, {"a%c", "abc", 1}, {"a%c", "ac", 1}, {"a%c", "acd", 0}, {"a%b%c", "aXbYbZc", 1}, {"a_c", "abc", 1},
		{"a_c", "ac", 0}, {"a\\_c", "a_c", 1}, {"a\\_c", "abc", 0}, {"a\\%", "a%", 1}, {"a\\%", "ab", 0}, {"a\\", "a\\", 1}, {"", "", 1},
		{"", "a", 0}, {"a%%", "a", 1}, {"%a%a%a%a%a%a%a%a%b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0},
	};
	struct zs_buf line = ZS_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		struct sql_rights r = {0};
		struct zs_err err = {0};

		zs_buf_clear(&line);
		assert_int_equal(zs_buf_printf(&line, &err, "GRANT EVENT ON `%s`.* TO x", list[i].pattern), 0);
		assert_int_equal(sql_privileges_add(&r, zs_buf_span(&line), &err), 0);
		if (sql_privileges_on(&r, list[i].name, NULL) != (list[i].is_match ? SQL_EVENT : 0u))
			fail_msg("%s and %s", list[i].pattern, list[i].name);
		sql_privileges_fini(&r);
	}
	zs_buf_fini(&line);
}

/* --------------------------------------------------------------------------- catalog */

static void components(void **state)
{
	static const struct { const char *name, *component; } list[] = {
		{"plain", "plain"}, {"a/b", "a%2Fb"}, {"100%", "100%25"}, {".", "%2E"}, {"..", "%2E%2E"}, {"...", "..."}, {".a", ".a"}, {"", "%"},
		{"a\nb", "a%0Ab"}, {"\x7f", "%7F"}, {"\xc3\xa4", "\xc3\xa4"},
	};
	char text[300];

	(void)state;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		struct zs_buf b = ZS_BUF_INIT;
		struct zs_err err = {0};

		assert_int_equal(sql_catalog_component(zs_span_str(list[i].name), &b, &err), 0);
		if (!zs_span_eq(zs_buf_span(&b), zs_span_str(list[i].component)))
			fail_msg("'%.*s' instead of '%s'", (int)b.n, (const char *)b.p, list[i].component);
		assert_true(zs_path_valid(zs_buf_span(&b)));
		zs_buf_fini(&b);
	}
	for (size_t n = 84; n < 88; n++) { /* three bytes each */
		struct zs_buf b = ZS_BUF_INIT;
		struct zs_err err = {0};

		memset(text, '/', n);
		assert_int_equal(sql_catalog_component(zs_span(text, n), &b, &err), n <= 85 ? 0 : -1);
		zs_buf_fini(&b);
	}
}

static unsigned flags(const char *engine, const char *type)
{
	return sql_catalog_engine_flags(engine ? zs_span_str(engine) : zs_span(NULL, 0), zs_span_str(type));
}

static void engines(void **state)
{
	(void)state;
	assert_int_equal(flags("InnoDB", "BASE TABLE"), 0);
	assert_int_equal(flags("InnoDB", "SYSTEM VERSIONED"), SQL_TABLE_IS_VERSIONED);
	assert_int_equal(flags("MyISAM", "BASE TABLE"), SQL_TABLE_UNSAFE);
	assert_int_equal(flags("Aria", "SYSTEM VERSIONED"), SQL_TABLE_UNSAFE | SQL_TABLE_IS_VERSIONED);
	assert_int_equal(flags("MRG_MyISAM", "BASE TABLE"), SQL_TABLE_NO_ROWS);
	assert_int_equal(flags("InnoDB", "SEQUENCE"), SQL_TABLE_IS_SEQUENCE);
	assert_int_equal(flags(NULL, "VIEW"), SQL_TABLE_IS_VIEW);
	assert_int_equal(flags(NULL, "BASE TABLE"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults), cmocka_unit_test(said), cmocka_unit_test(refused), cmocka_unit_test(source), cmocka_unit_test(rights),
		cmocka_unit_test(patterns), cmocka_unit_test(components), cmocka_unit_test(engines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
