/* Unknown fields: what is skipped, what is kept, what is from a newer version.  Seen through records that use fields.
 */
#include "common.h"

#define ROLE "\x01\x01\x01" /* the smallest session */

static void skipped(const char *bytes, size_t n)
{
	struct zs_buf again = ZS_BUF_INIT;
	struct zs_err err = {.cause = ZS_OK};

	assert_int_equal(record_find("session")->run(zs_span(bytes, n), NULL, &again, &err), 0);
	assert_int_equal(again.n, 3);
	assert_memory_equal(again.p, ROLE, 3);
	zs_buf_fini(&again);
}

static void even_tags_are_skipped(void **state)
{
	(void)state;
	skipped(ROLE "\x02\x00", 5);
	skipped(ROLE "\x02\x03\x01\x01\x01", 8);
	skipped(ROLE "\x3e\x00", 5);		      /* 62 */
	skipped(ROLE "\x40\x00\x40\x01x", 8);	      /* 64, twice */
	skipped(ROLE "\x80\x01\x00\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", 17); /* 128, 2^64 - 2 */
}

static void odd_tags_are_newer(void **state)
{
	(void)state;
	assert_undecodable("session", zs_span(ROLE "\x0d\x00", 5), ZS_VERSION);
	assert_undecodable("session", zs_span(ROLE "\x3f\x00", 5), ZS_VERSION);
	assert_undecodable("session", zs_span(ROLE "\x41\x00", 5), ZS_VERSION);
	assert_undecodable("session", zs_span(ROLE "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", 14), ZS_VERSION);
}

static void damage_is_damage(void **state)
{
	(void)state;
	assert_undecodable("session", zs_span(ROLE "\x04\x00\x02\x00", 7), ZS_CORRUPT);	 /* order */
	assert_undecodable("session", zs_span(ROLE "\x02\x01", 5), ZS_CORRUPT);		 /* cut */
	assert_undecodable("session", zs_span(ROLE "\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x", 15), ZS_CORRUPT);
	assert_undecodable("session", zs_span(ROLE "\x00\x00", 5), ZS_CORRUPT);		 /* tag 0 */
	assert_undecodable("session", zs_span(ROLE "\x82\x00\x00", 6), ZS_CORRUPT);	 /* tag 2, overlong */
	assert_undecodable("session", zs_span(ROLE "\x02\x80\x00", 6), ZS_CORRUPT);	 /* length 0, overlong */
	assert_undecodable("session", zs_span("\x02\x00" ROLE, 5), ZS_CORRUPT);
}

static void entries_keep_what_they_do_not_know(void **state)
{
	static const char extra[] = "\x02\x03"
				    "abc\x06\x00\x80\x01\x01z";
	struct zs_entry e = {.kind = ZS_ENTRY_DIR, .date_ns = INT64_MIN, .item_date_ns = INT64_MIN}, back;
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err;

	(void)state;
	e.extra = zs_span(extra, sizeof extra - 1);
	assert_int_equal(zs_format_entry_encode(&e, &out, &err), 0);
	assert_int_equal(zs_format_entry_decode(zs_buf_span(&out), &back, &err), 0);
	assert_true(zs_span_eq(back.extra, e.extra));
	e.extra = zs_span("\x03\x00", 2);
	assert_refused(zs_format_entry_encode(&e, &out, &err_), &out, ZS_VERSION);
	e.extra = zs_span("\x02", 1);
	assert_refused(zs_format_entry_encode(&e, &out, &err_), &out, ZS_CORRUPT);
	zs_buf_fini(&out);
}

static void errors_name_record_and_field(void **state)
{
	struct zs_config c;
	struct zs_err err;

	(void)state;
	assert_int_equal(zs_format_config_decode(zs_span("\x03\x00", 2), &c, &err), -1);
	assert_non_null(strstr(err.text, "config"));
	assert_non_null(strstr(err.text, "block size"));
	assert_int_equal(zs_format_config_decode(zs_span("\x07\x00", 2), &c, &err), -1);
	assert_non_null(strstr(err.text, "field 7"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(even_tags_are_skipped),
	    cmocka_unit_test(odd_tags_are_newer),
	    cmocka_unit_test(damage_is_damage),
	    cmocka_unit_test(entries_keep_what_they_do_not_know),
	    cmocka_unit_test(errors_name_record_and_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
