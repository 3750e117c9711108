/* localconfig.xml: values, defaults, references, and all that is refused. */
#include "util.h"
#include "zimbra_fail.h"

#include "../../../src/source/zimbra_private.h"

static struct zimbra_config *config;

static int parse(const char *xml, struct zs_err *err)
{
	zimbra_config_free(config);
	config = NULL;
	memset(err, 0, sizeof *err);
	return zimbra_config_parse(zs_span_str(xml), &config, err);
}

static void good(const char *keys)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err;

	assert_int_equal(zs_buf_printf(&b, &err, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<localconfig>\n%s</localconfig>\n", keys), 0);
	if (parse((const char *)b.p, &err) < 0)
		fail_msg("%s", err.text);
	zs_buf_fini(&b);
}

/* It fails, says all of what, and leaves *out alone. */
static void bad(const char *xml, const char *what)
{
	struct zs_err err;

	assert_int_equal(parse(xml, &err), -1);
	assert_int_equal(err.cause, ZS_SOURCE);
	if (!strstr(err.text, what))
		fail_msg("'%s' does not say '%s'", err.text, what);
	assert_null(config);
}

static int teardown(void **state)
{
	zimbra_config_free(config);
	config = NULL;
	return util_teardown(state);
}

#define IS(key, value) assert_string_equal(zimbra_config_get(config, key), value)

static void test_defaults(void **state)
{
	(void)state;
	good("");
	IS("zimbra_home", "/opt/zimbra");
	IS("zimbra_user", "zimbra");
	IS("mysql_socket", "/opt/zimbra/data/tmp/mysql/mysql.sock");
	IS("mysql_port", "7306");
	IS("mysql_bind_address", "");
	IS("zimbra_mysql_user", "zimbra");
	IS("zimbra_mysql_password", "");
	IS("ldap_url", "");
	IS("ldap_master_url", "");
	IS("ldap_host", "");
	IS("ldap_port", "389");
	IS("ldap_starttls_supported", "0");
	IS("ldap_ldapi_socket_file", "/opt/zimbra/data/ldap/state/run/ldapi");
	IS("zimbra_ldap_userdn", "uid=zimbra,cn=admins,cn=zimbra");
	IS("zimbra_ldap_password", "");
	IS("zimbra_server_hostname", "");
	IS("zimbra_relative_volume_path", "false");
	IS("zimbra_mailbox_groups", "100");
	IS("zimbra_store_directory", "/opt/zimbra/store");
	IS("mysql_data_directory", "/opt/zimbra/db/data");
	IS("no_such_key", "");
	IS("", "");
}

static void test_values(void **state)
{
	(void)state;
	good("<key name=\"zimbra_home\"><value>/opt/zextras</value></key>\n"
	     "<key name=\"zimbra_ldap_password\">\n <value> a&lt;b&amp;&#x20ac;<!-- no -->\"'\n </value></key>\n"
	     "<key name=\"zimbra_user\"><value></value></key><key name=\"mysql_port\"/><key name=\"ldap_port\"><other>1</other></key>\n"
	     "<key other=\"x\" name=\"twice\"><value>first</value></key><key name=\"twice\"><value>last</value><value>not this</value></key>\n"
	     "<ignored><key name=\"zimbra_home\"><value>deep</value></key></ignored><value>stray</value>\n"
	     "<key name=\"mixed\"><value>one<b>bold</b>two</value><value/></key>\n"
	     "<key name=\"cdata\"><value><![CDATA[<&]]></value></key><key name=\"twic\"><value>a prefix</value></key>\n");
	IS("zimbra_home", "/opt/zextras");
	IS("mysql_socket", "/opt/zextras/data/tmp/mysql/mysql.sock");
	IS("zimbra_ldap_password", " a<b&\xe2\x82\xac\"'\n ");
	IS("zimbra_user", ""); /* said to be empty */
	IS("mysql_port", "7306"); /* not said */
	IS("ldap_port", "389");
	IS("twice", "last");
	IS("twic", "a prefix");
	IS("twi", "");
	IS("twice2", "");
	IS("mixed", "onetwo");
	IS("cdata", "<&");
}

static void test_encodings(void **state)
{
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(parse("<?xml version='1.0' encoding='ISO-8859-1'?><localconfig><key name='a'><value>\xe4</value></key></localconfig>", &err), 0);
	IS("a", "\xc3\xa4");
	assert_int_equal(parse("\xef\xbb\xbf<localconfig><key name='a'><value>x</value></key></localconfig>", &err), 0);
	IS("a", "x");
	bad("<localconfig><key name='a'><value>\xe4</value></key></localconfig>", "line 1: this is no well-formed XML");
	bad("<?xml version='1.0' encoding='martian'?><localconfig/>", "encoding");
}

static void test_references(void **state)
{
	(void)state;
	good("<key name=\"a\"><value>${b}/${c}${b}-${unknown}$${}{${b</value></key><key name=\"b\"><value>B${c}</value></key>\n"
	     "<key name=\"c\"><value>C</value></key><key name=\"zimbra_home\"><value>/srv/${c}</value></key><key name=\"e\"><value/></key>"
	     "<key name=\"f\"><value>${e}${e}</value></key>");
	IS("b", "BC");
	IS("a", "BC/CBC-${unknown}$${}{${b");
	IS("ldap_ldapi_socket_file", "/srv/C/data/ldap/state/run/ldapi");
	IS("mysql_data_directory", "/srv/C/db/data");
	IS("f", "");
}

static void test_cycles(void **state)
{
	(void)state;
	bad("<localconfig>\n<key name=\"a\"><value>x${a}</value></key></localconfig>", "line 2: key a refers to itself");
	bad("<localconfig><key name=\"a\"><value>${b}</value></key>\n<key name=\"b\"><value>${c}</value></key>\n<key name=\"c\"><value>${a}</value></key></localconfig>",
	    "line 1: key a refers to itself");
	bad("<localconfig>\n\n<key name=\"zimbra_home\"><value>${mysql_socket}</value></key></localconfig>", "refers to itself");
	bad("<localconfig><key name=\"zimbra_home\"><value>${ldap_ldapi_socket_file}</value></key></localconfig>",
	    "the default of key ldap_ldapi_socket_file refers to itself");
}

/* k00 refers to k01 and so on: n keys; in the file in this order, or the other way round; zz refers to k00, or to nothing. */
static void chain(unsigned n, int backwards, const char *zz, struct zs_buf *b)
{
	struct zs_err err;

	assert_int_equal(zs_buf_printf(b, &err, "<localconfig>"), 0);
	for (unsigned i = 0; i < n; i++) {
		unsigned k = backwards ? n - 1 - i : i;

		if (k + 1 < n)
			assert_int_equal(zs_buf_printf(b, &err, "<key name=\"k%02u\"><value>${k%02u}</value></key>", k, k + 1), 0);
		else
			assert_int_equal(zs_buf_printf(b, &err, "<key name=\"k%02u\"><value>end</value></key>", k), 0);
	}
	assert_int_equal(zs_buf_printf(b, &err, "<key name=\"zz\"><value>%s</value></key></localconfig>", zz), 0);
}

static void test_depth(void **state)
{
	(void)state;
	for (unsigned n = 14; n < 40; n++) {
		for (int way = 0; way < 4; way++) {
			struct zs_buf b = ZS_BUF_INIT;
			struct zs_err err;

			chain(n, way & 1, way & 2 ? "${k00}" : "", &b);
			if (n + (way & 2 ? 1 : 0) <= 16) {
				assert_int_equal(parse((const char *)b.p, &err), 0);
				IS("k00", "end");
				IS("zz", way & 2 ? "end" : "");
			} else {
				bad((const char *)b.p, "more than 16 deep");
			}
			zs_buf_fini(&b);
		}
	}
}

/* Each key is ten of the next one: the billion laughs. */
static void test_growth(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(zs_buf_printf(&b, &err, "<localconfig>"), 0);
	for (int i = 0; i < 9; i++) {
		assert_int_equal(zs_buf_printf(&b, &err, "<key name=\"k%d\"><value>", i), 0);
		for (int j = 0; j < 10; j++)
			assert_int_equal(zs_buf_printf(&b, &err, "${k%d}", i + 1), 0);
		assert_int_equal(zs_buf_printf(&b, &err, "</value></key>"), 0);
	}
	assert_int_equal(zs_buf_printf(&b, &err, "<key name=\"k9\"><value>lol</value></key></localconfig>"), 0);
	bad((const char *)b.p, "more than 65536 bytes");
	zs_buf_clear(&b); /* in the text behind a reference */
	assert_int_equal(zs_buf_printf(&b, &err, "<localconfig><key name=\"k\"><value>${z}%060000d</value></key><key name=\"z\"><value>%010000d</value></key></localconfig>", 1, 1), 0);
	bad((const char *)b.p, "key k has a value of more than 65536 bytes");
	zs_buf_clear(&b); /* each one is allowed, but so many */
	assert_int_equal(zs_buf_printf(&b, &err, "<localconfig><key name=\"z\"><value>%060000d</value></key>", 1), 0);
	for (int i = 0; i < 300; i++)
		assert_int_equal(zs_buf_printf(&b, &err, "<key name=\"k%d\"><value>${z}</value></key>", i), 0);
	assert_int_equal(zs_buf_printf(&b, &err, "</localconfig>"), 0);
	bad((const char *)b.p, "more than 16 MiB");
	zs_buf_fini(&b);
}

static void test_limits(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	for (unsigned over = 0; over < 2; over++) {
		zs_buf_clear(&b);
		assert_int_equal(zs_buf_printf(&b, &err, "<localconfig><key name=\"%0*d\"><value>%0*d</value></key></localconfig>", 255, 1, 65536 + (int)over, 1), 0);
		if (over) {
			bad((const char *)b.p, "line 1: a <value> is longer than 65536 bytes");
		} else {
			assert_int_equal(parse((const char *)b.p, &err), 0);
		}
		zs_buf_clear(&b);
		assert_int_equal(zs_buf_printf(&b, &err, "<localconfig><key name=\"%0*d\"><value>%0*d</value></key></localconfig>", 255 + (int)over, 1, 65536, 1), 0);
		if (over)
			bad((const char *)b.p, "longer than 255 bytes");
		zs_buf_clear(&b);
		assert_int_equal(zs_buf_printf(&b, &err, "<localconfig>"), 0);
		for (unsigned i = 0; i < 10000 + over; i++)
			assert_int_equal(zs_buf_printf(&b, &err, "<key name=\"k%u\"><value>%u</value></key>\n", i, i), 0);
		assert_int_equal(zs_buf_printf(&b, &err, "</localconfig>"), 0);
		if (over) {
			bad((const char *)b.p, "line 10001: more than 10000 keys");
		} else {
			assert_int_equal(parse((const char *)b.p, &err), 0);
			IS("k9999", "9999");
			IS("k0", "0");
		}
	}
	zs_buf_clear(&b);
	assert_int_equal(zs_buf_printf(&b, &err, "<localconfig>%*s</localconfig>", 4 << 20, ""), 0);
	bad((const char *)b.p, "is larger than 4194304 bytes");
	zs_buf_fini(&b);
}

static void test_refused(void **state)
{
	(void)state;
	bad("", "line 1: this is no well-formed XML: no element found");
	bad("hello", "no well-formed XML");
	bad("<localconfig>\n<key name=\"a\"><value>x", "line 2: this is no well-formed XML");
	bad("<localconfig/><localconfig/>", "no well-formed XML");
	bad("<config><key name=\"a\"><value>x</value></key></config>", "line 1: this is no localconfig.xml: its root");
	bad("<localconfig>\n<key><value>x</value></key>", "line 2: a <key> without a name");
	bad("<localconfig><key name=\"\"><value>x</value></key>", "a <key> without a name");
	bad("<localconfig><key/></localconfig>", "a <key> without a name");
	bad("<!DOCTYPE localconfig>\n<localconfig/>", "line 1: a DOCTYPE");
	bad("<?xml version=\"1.0\"?>\n<!DOCTYPE localconfig [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;\">]><localconfig><key name=\"k\"><value>&b;</value></key></localconfig>",
	    "a DOCTYPE");
	bad("<!DOCTYPE localconfig SYSTEM \"file:///etc/passwd\"><localconfig/>", "a DOCTYPE");
	bad("<localconfig><key name=\"k\"><value>&b;</value></key></localconfig>", "undefined entity");
}

static void test_read(void **state)
{
	struct zs_err err = {0};
	FILE *f;

	(void)state;
	put_file("localconfig.xml", "<localconfig><key name=\"zimbra_ldap_password\"><value>secret</value></key></localconfig>");
	assert_int_equal(zimbra_config_read("localconfig.xml", &config, &err), 0);
	IS("zimbra_ldap_password", "secret");
	zimbra_config_free(config);
	config = NULL;
	put_file("localconfig.xml", "<localconfig>\n<key name=\"zimbra_ldap_password\"><value>secret</value>");
	assert_int_equal(zimbra_config_read("localconfig.xml", &config, &err), -1);
	assert_int_equal(err.cause, ZS_SOURCE);
	assert_non_null(strstr(err.text, "localconfig.xml: line 2: "));
	assert_null(strstr(err.text, "secret"));
	assert_int_equal(zimbra_config_read("no/such.xml", &config, &err), -1);
	assert_int_equal(err.cause, ZS_SOURCE);
	assert_int_equal(err.sys, ENOENT);
	assert_non_null(strstr(err.text, "no/such.xml (is Zimbra installed there?)"));
	assert_int_equal(zimbra_config_read(".", &config, &err), -1);
	assert_int_equal(err.cause, ZS_SOURCE);
	assert_int_equal(err.sys, EISDIR);
	f = fopen("large.xml", "w");
	assert_non_null(f);
	assert_int_equal(ftruncate(fileno(f), (4 << 20) + 1), 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(zimbra_config_read("large.xml", &config, &err), -1);
	assert_int_equal(err.cause, ZS_SOURCE);
	assert_non_null(strstr(err.text, "large.xml is larger than"));
	assert_null(config);
}

/* Opening fails with this errno. */
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
static int open_errno;

int __wrap_open64(const char *path, int flags, ...)
{
	if (open_errno) {
		errno = open_errno;
		return -1;
	}
	return __real_open64(path, flags, 0600);
}

static void test_forbidden(void **state)
{
	struct zs_err err = {0};

	(void)state;
	open_errno = EACCES;
	assert_int_equal(zimbra_config_read("localconfig.xml", &config, &err), -1);
	open_errno = 0;
	assert_int_equal(err.cause, ZS_SOURCE);
	assert_int_equal(err.sys, EACCES);
	assert_non_null(strstr(err.text, "localconfig.xml (run zstore as the user zimbra or as root): Permission denied"));
}

static void test_no_memory(void **state)
{
	unsigned n = 0;

	(void)state;
	put_file("localconfig.xml", "<?xml version='1.0' encoding='ISO-8859-1'?><localconfig><key name=\"a\"><value>secret &amp; ${b}</value></key>"
	    "<key name=\"b\"><value>x\xe4</value></key></localconfig>");
	for (unsigned fired = 1; fired; n++) {
		struct zimbra_config *c = NULL;
		struct zs_err err = {0};
		int rc;

		failed_allocations = 0;
		good_allocations = n;
		rc = zimbra_config_read("localconfig.xml", &c, &err);
		good_allocations = UINT_MAX;
		fired = failed_allocations != 0;
		assert_int_equal(rc, fired ? -1 : 0);
		assert_int_equal(err.cause, fired ? ZS_NOMEM : ZS_OK);
		if (fired)
			assert_null(c);
		zimbra_config_free(c);
	}
	assert_true(n > 40);
}

static void test_free_null(void **state)
{
	(void)state;
	zimbra_config_free(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, util_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_defaults), TEST(test_values), TEST(test_encodings), TEST(test_references), TEST(test_cycles), TEST(test_depth),
	    TEST(test_growth), TEST(test_limits), TEST(test_refused), TEST(test_read), TEST(test_forbidden), TEST(test_no_memory),
	    TEST(test_free_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
