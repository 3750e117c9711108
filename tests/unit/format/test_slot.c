/* Key slots and the keys in them: round trips, ranges at their edges, what the box is bound to. */
#include "common.h"

static const uint8_t big[65537];

static struct zs_slot a_slot(void)
{
	struct zs_slot s = {.label = "x", .secret = ZS_SECRET_RECOVERY, .role = ZS_ROLE_FULL, .ops = 1, .mem_kib = 8};

	random_bytes(s.salt, sizeof s.salt);
	s.box = zs_span(big, 300);
	return s;
}

static void check(const struct zs_slot *s)
{
	struct zs_buf bytes = ZS_BUF_INIT, text = ZS_BUF_INIT, head_bytes = ZS_BUF_INIT;
	struct json j = {.out = &text, .depth = 1, .first = 1};
	struct zs_span head;
	struct zs_slot back;
	struct zs_err err;

	assert_int_equal(zs_format_slot_encode(s, &bytes, &err), 0);
	dump_slot(&j, s);
	assert_round_trip("slot", &bytes, &text);
	assert_int_equal(zs_format_slot_encode_head(s, &head_bytes, &err), 0);
	assert_int_equal(zs_format_slot_decode(zs_buf_span(&bytes), &back, &head, &err), 0);
	assert_int_equal(head.n, head_bytes.n);
	assert_memory_equal(head.p, head_bytes.p, head.n);
	assert_ptr_equal(head.p, bytes.p);
	zs_buf_fini(&bytes);
	zs_buf_fini(&text);
	zs_buf_fini(&head_bytes);
}

static void random_round_trips(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		struct zs_slot s = a_slot();

		memset(s.label, 0, sizeof s.label);
		memset(s.label, 'a' + (int)below(26), below(64));
		s.secret = (uint8_t)(1 + below(3));
		s.role = (uint8_t)(1 + below(2));
		s.ops = 1 + below(64);
		s.mem_kib = 8 + below(4194304 - 8 + 1);
		s.created_ns = number();
		s.box.n = 1 + below(500);
		check(&s);
	}
}

static void edges(void **state)
{
	struct zs_slot s = a_slot();

	(void)state;
	s.ops = 64;
	s.mem_kib = 4194304;
	s.created_ns = UINT64_MAX;
	memset(s.label, 'l', 63);
	s.box.n = 65536;
	check(&s);
	s.label[0] = '\0';
	s.box.n = 1;
	memset(s.label, 0, sizeof s.label);
	check(&s);
}

static void out_of_range(void **state)
{
	struct zs_slot bad[12];
	struct zs_buf out = ZS_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < 12; i++)
		bad[i] = a_slot();
	bad[0].ops = 0;
	bad[1].ops = 65;
	bad[2].mem_kib = 7;
	bad[3].mem_kib = 4194305;
	memset(bad[4].label, 'l', 64);
	bad[5].box.n = 0;
	bad[6].box.n = 65537;
	bad[7].secret = 0;
	bad[8].secret = 4;
	bad[9].role = 0;
	bad[10].role = 3;
	memset(bad[11].salt, 0, sizeof bad[11].salt);
	for (size_t i = 0; i < 12; i++)
		assert_refused(zs_format_slot_encode(&bad[i], &out, &err_), &out, i < 7 ? ZS_LIMIT : ZS_INTERNAL);
	zs_buf_fini(&out);
}

static void keys_round_trip(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		struct zs_buf bytes = ZS_BUF_INIT, text = ZS_BUF_INIT;
		struct json j = {.out = &text, .depth = 1, .first = 1};
		struct zs_slot_keys k;
		struct zs_err err;

		random_bytes(&k, sizeof k);
		if (below(2))
			memset(k.data_secret, 0, sizeof k.data_secret);
		assert_int_equal(zs_format_slot_keys_encode(&k, &bytes, &err), 0);
		dump_slot_keys(&j, &k);
		assert_round_trip("slot_keys", &bytes, &text);
		zs_buf_fini(&bytes);
		zs_buf_fini(&text);
	}
}

static void keys_must_be_there(void **state)
{
	struct zs_slot_keys k;
	struct zs_buf out = ZS_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		random_bytes(&k, sizeof k);
		memset((uint8_t *)&k + 32 * i, 0, 32);
		assert_refused(zs_format_slot_keys_encode(&k, &out, &err_), &out, ZS_INTERNAL);
	}
	zs_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_round_trips),
	    cmocka_unit_test(edges),
	    cmocka_unit_test(out_of_range),
	    cmocka_unit_test(keys_round_trip),
	    cmocka_unit_test(keys_must_be_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
