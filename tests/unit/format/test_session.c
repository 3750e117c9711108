/* Sessions, condemned lists, removals: round trips, what cannot be. */
#include "common.h"

static void random_names(struct zs_names *l, unsigned max)
{
	for (unsigned n = below(max); n; n--) {
		struct zs_name name;
		struct zs_err err;

		random_bytes(&name, sizeof name);
		assert_int_equal(zs_names_add(l, &name, &err), 0);
	}
}

static void sessions(void **state)
{
	char host[] = "host";

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct zs_buf bytes = ZS_BUF_INIT, text = ZS_BUF_INIT;
		struct json j = {.out = &text, .depth = 1, .first = 1};
		struct zs_session s = {.role = (uint8_t)(1 + below(2)), .host = below(2) ? host : NULL, .pid = number(),
		    .pid_start = number(), .time_ns = (int64_t)number()};
		struct zs_err err;

		if (below(2))
			random_bytes(s.machine, sizeof s.machine);
		if (below(2))
			random_bytes(s.boot, sizeof s.boot);
		assert_int_equal(zs_format_session_encode(&s, &bytes, &err), 0);
		dump_session(&j, &s);
		assert_round_trip("session", &bytes, &text);
		zs_buf_fini(&bytes);
		zs_buf_fini(&text);
	}
}

static void condemned_lists(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct zs_buf bytes = ZS_BUF_INIT, text = ZS_BUF_INIT;
		struct json j = {.out = &text, .depth = 1, .first = 1};
		struct zs_condemned c = {.has_waits = (uint8_t)below(2)};
		struct zs_err err;

		random_names(&c.packs, 20);
		if (c.has_waits)
			random_names(&c.waits_for, 4);
		assert_int_equal(zs_format_condemned_encode(&c, &bytes, &err), 0);
		dump_condemned(&j, &c);
		assert_round_trip("condemned", &bytes, &text);
		zs_format_condemned_fini(&c);
		zs_buf_fini(&bytes);
		zs_buf_fini(&text);
	}
}

static void removals(void **state)
{
	char host[] = "host";

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct zs_buf bytes = ZS_BUF_INIT, text = ZS_BUF_INIT;
		struct json j = {.out = &text, .depth = 1, .first = 1};
		struct zs_removal r = {
		    .highest_sequence = number(), .time_ns = (int64_t)number(), .host = below(2) ? host : NULL};
		struct zs_err err;

		random_names(&r.snapshots, 20);
		assert_int_equal(zs_format_removal_encode(&r, &bytes, &err), 0);
		dump_removal(&j, &r);
		assert_round_trip("removal", &bytes, &text);
		zs_names_fini(&r.snapshots);
		zs_buf_fini(&bytes);
		zs_buf_fini(&text);
	}
}

static void what_cannot_be_is_refused(void **state)
{
	struct zs_session s = {.role = 0};
	struct zs_condemned c = {.has_waits = 0};
	struct zs_name name = {{1}};
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err;

	(void)state;
	assert_refused(zs_format_session_encode(&s, &out, &err_), &out, ZS_INTERNAL);
	s.role = 3;
	assert_refused(zs_format_session_encode(&s, &out, &err_), &out, ZS_INTERNAL);
	assert_int_equal(zs_names_add(&c.waits_for, &name, &err), 0);
	assert_refused(zs_format_condemned_encode(&c, &out, &err_), &out, ZS_INTERNAL);
	zs_format_condemned_fini(&c);
	zs_buf_fini(&out);
}

static void fini_leaves_nothing(void **state)
{
	struct zs_session s;
	struct zs_removal r;
	struct zs_err err;

	(void)state;
	assert_int_equal(zs_format_session_decode(zs_span("\x01\x01\x01", 3), &s, &err), 0);
	assert_string_equal(s.host, "");
	zs_format_session_fini(&s);
	assert_null(s.host);
	assert_int_equal(zs_format_removal_decode(zs_span(NULL, 0), &r, &err), 0);
	assert_string_equal(r.host, "");
	zs_format_removal_fini(&r);
	assert_null(r.host);
	zs_format_removal_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sessions),
	    cmocka_unit_test(condemned_lists),
	    cmocka_unit_test(removals),
	    cmocka_unit_test(what_cannot_be_is_refused),
	    cmocka_unit_test(fini_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
