/* Settings and the config object: round trips, ranges at their edges. */
#include "common.h"

static struct zs_config smallest(void)
{
	return (struct zs_config){.block_bytes = 64 << 10, .pack_bytes = 1 << 20};
}

static void check(const struct zs_config *c)
{
	struct zs_buf bytes = ZS_BUF_INIT, text = ZS_BUF_INIT;
	struct json j = {.out = &text, .depth = 1, .first = 1};
	struct zs_err err;

	assert_int_equal(zs_format_config_encode(c, &bytes, &err), 0);
	dump_config(&j, c);
	assert_round_trip("config", &bytes, &text);
	zs_buf_fini(&bytes);
	zs_buf_fini(&text);
}

static void random_round_trips(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		struct zs_config c = {.block_bytes = (64u << 10) + below((8u << 20) - (64u << 10) + 1),
		    .pack_bytes = (1u << 20) + below((1u << 30) - (1u << 20) + 1), .level = (uint8_t)below(20),
		    .created_ns = number()};

		for (unsigned kind = 1; kind < ZS_KINDS; kind++) {
			uint32_t avg = 1u << (6 + below(15));

			if (below(2))
				c.sizes[kind] = (struct zs_config_sizes){
				    64 + below(avg - 63), avg, avg + below((1u << 20) - avg + 1)};
		}
		check(&c);
	}
}

static void edges(void **state)
{
	struct zs_config c = smallest();

	(void)state;
	check(&c);
	c = (struct zs_config){.block_bytes = 8 << 20, .pack_bytes = 1 << 30, .level = 19, .created_ns = UINT64_MAX};
	c.sizes[1] = (struct zs_config_sizes){64, 64, 64};
	c.sizes[7] = (struct zs_config_sizes){1 << 20, 1 << 20, 1 << 20};
	check(&c);
}

static void out_of_range(void **state)
{
	struct zs_config bad[12];
	struct zs_buf out = ZS_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < 12; i++)
		bad[i] = smallest();
	bad[0].block_bytes--;
	bad[1].block_bytes = (8 << 20) + 1;
	bad[2].pack_bytes--;
	bad[3].pack_bytes = (1 << 30) + 1;
	bad[4].level = 20;
	bad[5].sizes[0] = (struct zs_config_sizes){64, 64, 64};
	bad[6].sizes[1] = (struct zs_config_sizes){63, 64, 64};
	bad[7].sizes[1] = (struct zs_config_sizes){64, 96, 128};
	bad[8].sizes[1] = (struct zs_config_sizes){128, 64, 128};
	bad[9].sizes[1] = (struct zs_config_sizes){64, 128, 127};
	bad[10].sizes[1] = (struct zs_config_sizes){64, 64, (1 << 20) + 1};
	bad[11].sizes[1] = (struct zs_config_sizes){0, 0, 64};
	for (size_t i = 0; i < 12; i++)
		assert_refused(zs_format_config_encode(&bad[i], &out, &err_), &out, ZS_LIMIT);
	zs_buf_fini(&out);
}

static void object_box_lengths(void **state)
{
	static const uint8_t big[65537];
	struct zs_name id = {{1}}, id_back;
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_span box;
	struct zs_err err;

	(void)state;
	assert_int_equal(zs_format_config_object_encode(&id, zs_span(big, 65536), &out, &err), 0);
	assert_int_equal(zs_format_config_object_decode(zs_buf_span(&out), &id_back, &box, &err), 0);
	assert_memory_equal(&id, &id_back, sizeof id);
	assert_int_equal(box.n, 65536);
	assert_ptr_equal(box.p + box.n, out.p + out.n);
	assert_refused(zs_format_config_object_encode(&id, zs_span(big, 65537), &out, &err_), &out, ZS_LIMIT);
	assert_refused(zs_format_config_object_encode(&id, zs_span(big, 0), &out, &err_), &out, ZS_LIMIT);
	/* one byte more in the box than may be, and said so */
	assert_int_equal(zs_buf_add_u8(&out, 0, &err), 0);
	zs_put_u32(out.p + 40, 65537);
	assert_undecodable("config_object", zs_buf_span(&out), ZS_CORRUPT);
	zs_buf_fini(&out);
}

static void kinds_have_names(void **state)
{
	(void)state;
	assert_string_equal(zs_kind_name(ZS_KIND_HEADER), "header");
	assert_string_equal(zs_kind_name(ZS_KIND_LDIF), "ldif");
	assert_string_equal(zs_kind_name((enum zs_kind)0), "?");
	assert_string_equal(zs_kind_name((enum zs_kind)8), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_round_trips),
	    cmocka_unit_test(edges),
	    cmocka_unit_test(out_of_range),
	    cmocka_unit_test(object_box_lengths),
	    cmocka_unit_test(kinds_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
