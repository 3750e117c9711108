/* Recipe ops: round trips, ranges at their edges, the look-ahead that is promised. */
#include "common.h"

static struct zs_op random_op(void)
{
	struct zs_op op = {.type = (uint8_t)(1 + below(5)), .bytes = number() | 1};

	switch (op.type) {
	case ZS_OP_SKELETON:
	case ZS_OP_RAW:
		op.bytes = 1 + below(1u << below(21));
		random_bytes(&op.id, sizeof op.id);
		break;
	case ZS_OP_B64:
		op.line = below(2) ? 76 : 1 + below(998);
		op.crlf = (uint8_t)below(2);
		op.tail = (uint8_t)below(2);
		op.chunks = below(2) ? 1 : 1 + number() % op.bytes;
		break;
	default:
		break;
	}
	return op;
}

static void random_round_trips(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		struct zs_buf bytes = ZS_BUF_INIT, text = ZS_BUF_INIT;
		struct json j = {.out = &text, .depth = 1, .first = 1};
		struct zs_err err;

		json_open(&j, "ops", "[");
		for (unsigned n = below(10); n; n--) {
			struct zs_op op = random_op();
			size_t before = bytes.n;

			assert_int_equal(zs_format_op_encode(&op, &bytes, &err), 0);
			assert_true(bytes.n - before <= ZS_OP_ENCODED_MAX);
			dump_op(&j, &op);
		}
		json_close(&j, "]");
		assert_round_trip("recipe", &bytes, &text);
		zs_buf_fini(&bytes);
		zs_buf_fini(&text);
	}
}

static void one_op(struct zs_op op, size_t expected_bytes)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_span rest;
	struct zs_op back;
	struct zs_err err;

	assert_int_equal(zs_format_op_encode(&op, &b, &err), 0);
	assert_int_equal(b.n, expected_bytes);
	rest = zs_buf_span(&b);
	assert_int_equal(zs_format_op_next(&rest, &back, &err), 1);
	assert_int_equal(rest.n, 0);
	assert_true(back.type == op.type && back.bytes == op.bytes && back.line == op.line && back.crlf == op.crlf &&
		    back.tail == op.tail && back.chunks == op.chunks);
	assert_memory_equal(&back.id, &op.id, sizeof op.id);
	assert_int_equal(zs_format_op_next(&rest, &back, &err), 0);
	zs_buf_fini(&b);
}

static void edges(void **state)
{
	(void)state;
	one_op((struct zs_op){.type = ZS_OP_TAKE, .bytes = 1}, 2);
	one_op((struct zs_op){.type = ZS_OP_HOLE, .bytes = UINT64_MAX}, 11);
	one_op((struct zs_op){.type = ZS_OP_RAW, .bytes = 1 << 20}, 28);
	one_op((struct zs_op){.type = ZS_OP_SKELETON, .bytes = 127, .id = {{9}}}, 26);
	one_op((struct zs_op){.type = ZS_OP_B64, .bytes = 1000, .line = 76, .crlf = 1, .tail = 1, .chunks = 1}, 3);
	one_op((struct zs_op){.type = ZS_OP_B64, .bytes = UINT64_MAX, .line = 998, .chunks = UINT64_MAX}, 23);
}

static void what_cannot_be_is_refused(void **state)
{
	static const struct zs_op bad[] = {
	    {.type = 0, .bytes = 1},
	    {.type = 6, .bytes = 1},
	    {.type = ZS_OP_TAKE},
	    {.type = ZS_OP_HOLE},
	    {.type = ZS_OP_RAW},
	    {.type = ZS_OP_RAW, .bytes = (1 << 20) + 1},
	    {.type = ZS_OP_SKELETON, .bytes = (1 << 20) + 1},
	    {.type = ZS_OP_B64, .bytes = 1, .line = 0, .chunks = 1},
	    {.type = ZS_OP_B64, .bytes = 1, .line = 999, .chunks = 1},
	    {.type = ZS_OP_B64, .bytes = 1, .line = 76, .chunks = 0},
	    {.type = ZS_OP_B64, .bytes = 1, .line = 76, .chunks = 2},
	    {.type = ZS_OP_B64, .bytes = 0, .line = 76, .chunks = 1},
	    {.type = ZS_OP_B64, .bytes = 1, .line = 76, .chunks = 1, .crlf = 2},
	    {.type = ZS_OP_B64, .bytes = 1, .line = 76, .chunks = 1, .tail = 2},
	};
	struct zs_buf out = ZS_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_refused(zs_format_op_encode(&bad[i], &out, &err_), &out, ZS_INTERNAL);
	zs_buf_fini(&out);
}

static void a_failure_takes_nothing(void **state)
{
	static const uint8_t cut[] = {ZS_OP_RAW, 5, 1, 2, 3};
	struct zs_span rest = zs_span(cut, sizeof cut);
	struct zs_op op = {.type = 77};
	struct zs_err err = {.cause = ZS_OK};

	(void)state;
	assert_int_equal(zs_format_op_next(&rest, &op, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_ptr_equal(rest.p, cut);
	assert_int_equal(rest.n, sizeof cut);
	assert_int_equal(op.type, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_round_trips),
	    cmocka_unit_test(edges),
	    cmocka_unit_test(what_cannot_be_is_refused),
	    cmocka_unit_test(a_failure_takes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
