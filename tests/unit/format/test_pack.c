/* Block heads, pack directories, trailers: round trips, limits at their edges. */
#include "common.h"

static void random_dir(struct zs_pack_dir *d)
{
	struct zs_err err;

	for (unsigned b = below(6); b; b--) {
		assert_int_equal(zs_pack_dir_add_block(d, (uint8_t)(1 + below(7)), 1 + below(8u << 20), &err), 0);
		for (unsigned c = 1 + below(7); c; c--) {
			struct zs_id id;

			random_bytes(&id, sizeof id);
			assert_int_equal(zs_pack_dir_add_chunk(d, &id, 1 + below(1u << below(21)), &err), 0);
		}
	}
}

static void random_round_trips(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		struct zs_buf bytes = ZS_BUF_INIT, text = ZS_BUF_INIT;
		struct json j = {.out = &text, .depth = 1, .first = 1};
		struct zs_pack_dir d = {0};
		struct zs_err err;

		random_dir(&d);
		assert_int_equal(zs_format_pack_dir_encode(&d, &bytes, &err), 0);
		dump_pack_dir(&j, &d);
		assert_round_trip("pack_dir", &bytes, &text);
		zs_pack_dir_fini(&d);
		zs_buf_fini(&bytes);
		zs_buf_fini(&text);
	}
}

static void building_has_limits(void **state)
{
	struct zs_pack_dir d = {0};
	struct zs_id id = {{1}};
	struct zs_err err = {.cause = ZS_OK};
	struct zs_buf out = ZS_BUF_INIT;

	(void)state;
	assert_int_equal(zs_pack_dir_add_chunk(&d, &id, 1, &err), -1);
	assert_int_equal(err.cause, ZS_INTERNAL);
	assert_int_equal(zs_pack_dir_add_block(&d, 0, 1, &err), -1);
	assert_int_equal(zs_pack_dir_add_block(&d, ZS_KINDS, 1, &err), -1);
	assert_int_equal(zs_pack_dir_add_block(&d, 1, 0, &err), -1);
	assert_int_equal(zs_pack_dir_add_block(&d, 1, ZS_BLOCK_MAX + 65, &err), -1);
	assert_int_equal(zs_pack_dir_add_block(&d, 1, ZS_BLOCK_MAX + 64, &err), 0);
	assert_int_equal(zs_pack_dir_add_chunk(&d, &id, 0, &err), -1);
	assert_int_equal(zs_pack_dir_add_chunk(&d, &id, (1 << 20) + 1, &err), -1);
	assert_refused(zs_format_pack_dir_encode(&d, &out, &err_), &out, ZS_INTERNAL); /* the block is empty */
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(zs_pack_dir_add_chunk(&d, &id, 1 << 20, &err), 0);
	assert_int_equal(zs_pack_dir_add_chunk(&d, &id, 1, &err), -1); /* the block is full */
	assert_int_equal(err.cause, ZS_LIMIT);
	assert_int_equal(d.blocks[0].plain_bytes, ZS_BLOCK_MAX);
	assert_int_equal(d.blocks[0].chunk_count, 8);
	assert_int_equal(zs_format_pack_dir_encode(&d, &out, &err), 0);
	zs_pack_dir_fini(&d);
	assert_int_equal(zs_format_pack_dir_decode(zs_buf_span(&out), &d, &err), 0);
	assert_int_equal(d.blocks[0].plain_bytes, ZS_BLOCK_MAX);
	zs_pack_dir_fini(&d);
	assert_null(d.blocks);
	zs_buf_fini(&out);
}

/* Sums beyond a block must not be taken: nine chunks of 1 MiB, and stored bytes one beyond the limit. */
static void decoding_has_limits(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;
	uint8_t zero[9 * ZS_ID_BYTES] = {0};
	struct zs_err err;

	(void)state;
	assert_int_equal(zs_buf_add(&b, "\x01\x09\x02\x40\x09", 5, &err), 0);
	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(zs_buf_add_varint(&b, 1 << 20, &err), 0);
	assert_int_equal(zs_buf_add(&b, zero, sizeof zero, &err), 0);
	assert_undecodable("pack_dir", zs_buf_span(&b), ZS_CORRUPT);
	zs_buf_clear(&b);
	assert_int_equal(zs_buf_add(&b, "\x01\x01\x02", 3, &err), 0);
	assert_int_equal(zs_buf_add_varint(&b, ZS_BLOCK_MAX + 65, &err), 0);
	assert_int_equal(zs_buf_add(&b, "\x01\x40", 2, &err), 0);
	assert_int_equal(zs_buf_add(&b, zero, ZS_ID_BYTES, &err), 0);
	assert_undecodable("pack_dir", zs_buf_span(&b), ZS_CORRUPT);
	zs_buf_fini(&b);
}

static void block_heads(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_span payload;
	struct zs_err err;
	uint8_t algo = 9;
	uint32_t plain = 0;

	(void)state;
	assert_refused(zs_format_block_head_encode(2, 1, &b, &err_), &b, ZS_INTERNAL);
	assert_refused(zs_format_block_head_encode(0, 0, &b, &err_), &b, ZS_LIMIT);
	assert_refused(zs_format_block_head_encode(0, ZS_BLOCK_MAX + 1, &b, &err_), &b, ZS_LIMIT);
	assert_int_equal(zs_format_block_head_encode(1, ZS_BLOCK_MAX, &b, &err), 0);
	assert_int_equal(b.n, ZS_BLOCK_HEAD);
	assert_undecodable("block_head", zs_buf_span(&b), ZS_CORRUPT); /* no payload */
	assert_int_equal(zs_buf_add_u8(&b, 7, &err), 0);
	assert_int_equal(zs_format_block_head_decode(zs_buf_span(&b), &algo, &plain, &payload, &err), 0);
	assert_int_equal(algo, 1);
	assert_int_equal(plain, ZS_BLOCK_MAX);
	assert_int_equal(payload.n, 1);
	zs_buf_fini(&b);
}

static void trailers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct zs_pack_trailer t = {.dir_offset = number() >> 1,
		    .dir_stored_bytes = (uint32_t)number(),
		    .block_count = (uint32_t)number(),
		    .padding_offset = number() >> 1,
		    .padding_stored_bytes = (uint32_t)number()};
		struct zs_pack_trailer back;
		uint8_t b[ZS_PACK_TRAILER_PLAIN];
		struct zs_err err;

		zs_format_pack_trailer_encode(&t, b);
		assert_int_equal(zs_format_pack_trailer_decode(zs_span(b, sizeof b), &back, &err), 0);
		assert_true(t.dir_offset == back.dir_offset && t.dir_stored_bytes == back.dir_stored_bytes);
		assert_true(
		    t.padding_offset == back.padding_offset && t.padding_stored_bytes == back.padding_stored_bytes);
		assert_int_equal(t.block_count, back.block_count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_round_trips),
	    cmocka_unit_test(building_has_limits),
	    cmocka_unit_test(decoding_has_limits),
	    cmocka_unit_test(block_heads),
	    cmocka_unit_test(trailers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
