/* Paths of blobs: the rule with all kinds of bits and ids, locators that name no local volume. */
#include "util.h"
#include "zimbra_fail.h"

#include "../../../src/source/zimbra_private.h"

static struct zimbra_volumes volumes;

static int setup(void **state)
{
	static const struct zimbra_volume rows[] = {
	    {.id = 1, .type = 1, .file_bits = 12, .file_group_bits = 8, .mailbox_bits = 12, .mailbox_group_bits = 8, .is_local = 1},
	    {.id = 2, .type = 10, .file_bits = 12, .file_group_bits = 8, .mailbox_bits = 12, .mailbox_group_bits = 8, .is_local = 1},
	    {.id = 3, .type = 2, .file_bits = 12, .file_group_bits = 8, .mailbox_bits = 12, .mailbox_group_bits = 8, .is_local = 0},
	    {.id = 4, .type = 1, .file_bits = 0, .file_group_bits = 0, .mailbox_bits = 3, .mailbox_group_bits = 2, .is_local = 1},
	    {.id = 255, .type = 1, .file_bits = 0, .file_group_bits = 64, .mailbox_bits = 31, .mailbox_group_bits = 32, .is_local = 1},
	    {.id = 6, .type = 1, .file_bits = 33, .file_group_bits = 63, .mailbox_bits = 32, .mailbox_group_bits = 40, .is_local = 1},
	    {.id = 7, .type = 1, .is_local = 1},
	    {.id = 8, .type = 1, .is_local = 1},
	};

	(void)state;
	volumes.n = sizeof rows / sizeof *rows;
	volumes.v = malloc(sizeof rows);
	assert_non_null(volumes.v);
	memcpy(volumes.v, rows, sizeof rows);
	for (size_t i = 0; i < volumes.n; i++) {
		volumes.v[i].name = strdup("volume");
		volumes.v[i].path = volumes.v[i].id == 7 ? NULL : strdup(volumes.v[i].id == 8 ? "store" : "/opt/zimbra/store");
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	zimbra_volumes_fini(&volumes);
	assert_null(volumes.v);
	assert_int_equal(volumes.n, 0);
	zimbra_volumes_fini(&volumes); /* of none */
	return 0;
}

static void check(const char *locator, uint32_t mailbox, uint32_t item, uint32_t content, const char *path)
{
	const struct zimbra_blob_name name = {.mailbox_id = mailbox, .item_id = item, .mod_content = content, .locator = zs_span_str(locator)};
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};
	char *dash;

	assert_int_equal(zs_buf_add(&b, "before:", 7, &err), 0);
	assert_int_equal(zimbra_volume_path(&volumes, &name, 0, &b, &err), 0);
	assert_string_equal((char *)b.p + 7, path);
	assert_int_equal(b.n, 7 + strlen(path));
	zs_buf_clear(&b);
	assert_int_equal(zimbra_volume_path(&volumes, &name, 1, &b, &err), 0);
	dash = strrchr(path, '-');
	assert_memory_equal(b.p, path, (size_t)(dash - path));
	assert_string_equal((char *)b.p + (dash - path), ".msg");
	zs_buf_fini(&b);
}

static void test_rule(void **state)
{
	(void)state;
	check("1", 5000, 8193, 77, "/opt/zimbra/store/1/5000/msg/2/8193-77.msg");
	check("1", 1, 256, 1, "/opt/zimbra/store/0/1/msg/0/256-1.msg");
	check("1", 4095, 4095, 1, "/opt/zimbra/store/0/4095/msg/0/4095-1.msg");
	check("1", 4096, 4096, 1, "/opt/zimbra/store/1/4096/msg/1/4096-1.msg");
	check("1", 1048575, 1048575, 1, "/opt/zimbra/store/255/1048575/msg/255/1048575-1.msg");
	check("1", 1048576, 1048576, 1, "/opt/zimbra/store/0/1048576/msg/0/1048576-1.msg"); /* round again */
	check("1", 1052672, 1052672, 1, "/opt/zimbra/store/1/1052672/msg/1/1052672-1.msg");
	check("1", 2147483647, 2147483647, 2147483647, "/opt/zimbra/store/255/2147483647/msg/255/2147483647-2147483647.msg");
	check("1", UINT32_MAX, UINT32_MAX, UINT32_MAX, "/opt/zimbra/store/255/4294967295/msg/255/4294967295-4294967295.msg");
	check("2", 1, 256, 1, "/opt/zimbra/store/0/1/msg/0/256-1.msg");
	check("001", 1, 256, 1, "/opt/zimbra/store/0/1/msg/0/256-1.msg");
}

static void test_bits(void **state)
{
	(void)state;
	check("4", 7, 256, 1, "/opt/zimbra/store/0/7/msg/0/256-1.msg");
	check("4", 8, 256, 1, "/opt/zimbra/store/1/8/msg/0/256-1.msg");
	check("4", 31, 256, 1, "/opt/zimbra/store/3/31/msg/0/256-1.msg");
	check("4", 32, 256, 1, "/opt/zimbra/store/0/32/msg/0/256-1.msg");
	check("255", UINT32_MAX, UINT32_MAX, 1, "/opt/zimbra/store/1/4294967295/msg/4294967295/4294967295-1.msg");
	check("255", 5, 300, 1, "/opt/zimbra/store/0/5/msg/300/300-1.msg");
	check("6", 5, 300, 1, "/opt/zimbra/store/5/5/msg/150/300-1.msg"); /* shifts modulo 32, as Java has it */
}

static void bad(struct zs_span locator, const char *what)
{
	const struct zimbra_blob_name name = {.mailbox_id = 1, .item_id = 256, .mod_content = 1, .locator = locator};
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};

	assert_int_equal(zs_buf_add(&b, "x", 1, &err), 0);
	assert_int_equal(zimbra_volume_path(&volumes, &name, 0, &b, &err), -1);
	assert_int_equal(err.cause, ZS_SOURCE);
	assert_int_equal(b.n, 1);
	assert_ptr_equal(strstr(err.text, "blob is not on a local volume: locator '"), err.text);
	if (!strstr(err.text, what))
		fail_msg("'%s' does not say '%s'", err.text, what);
	zs_buf_fini(&b);
}

static void test_locators(void **state)
{
	static const char lines[] = "1\n2";
	char large[2000];

	(void)state;
	bad(zs_span_str("3@@key"), "'3@@key' is of an external store");
	bad(zs_span_str("1@@key"), "'1@@key' is of an external store");
	bad(zs_span_str(""), "'' is of");
	bad(zs_span(NULL, 0), "'' is of");
	bad(zs_span_str(" 1"), "external store");
	bad(zs_span_str("+1"), "external store");
	bad(zs_span_str("-1"), "external store");
	bad(zs_span_str("1.0"), "external store");
	bad(zs_span_str("4294967297"), "external store");
	bad(zs_span(lines, sizeof lines), "'1?2' is of an external store");
	memset(large, 'k', sizeof large);
	bad(zs_span(large, sizeof large), "kkk' is of an external store");
	bad(zs_span_str("9"), "'9' names a volume that");
	bad(zs_span_str("0"), "'0' names a volume that");
	bad(zs_span_str("99999"), "names a volume that");
	bad(zs_span_str("3"), "'3' names an external volume");
	bad(zs_span_str("7"), "no absolute path"); /* none at all */
	bad(zs_span_str("8"), "no absolute path");
}

static void test_find(void **state)
{
	const struct zimbra_volumes none = {0};

	(void)state;
	assert_ptr_equal(zimbra_volumes_find(&volumes, 255), &volumes.v[4]);
	assert_ptr_equal(zimbra_volumes_find(&volumes, 1), &volumes.v[0]);
	assert_null(zimbra_volumes_find(&volumes, 5));
	assert_null(zimbra_volumes_find(&none, 1));
}

static void test_no_memory(void **state)
{
	const struct zimbra_blob_name name = {.mailbox_id = 1, .item_id = 256, .mod_content = 1, .locator = zs_span_str("1")};

	(void)state;
	for (size_t reserved = 1; reserved < 64; reserved++) { /* room for some of it */
		struct zs_buf b = {malloc(reserved), 0, reserved};
		struct zs_err err = {0};
		int rc;

		good_allocations = 0;
		rc = zimbra_volume_path(&volumes, &name, 0, &b, &err);
		good_allocations = UINT_MAX;
		assert_int_equal(b.n, rc == 0 ? strlen("/opt/zimbra/store/0/1/msg/0/256-1.msg") : 0);
		assert_int_equal(rc, reserved > strlen("/opt/zimbra/store/0/1/msg/0/256-1.msg") ? 0 : -1);
		assert_int_equal(err.cause, rc == 0 ? ZS_OK : ZS_NOMEM);
		zs_buf_fini(&b);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(test_rule), TEST(test_bits), TEST(test_locators), TEST(test_find), TEST(test_no_memory)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
