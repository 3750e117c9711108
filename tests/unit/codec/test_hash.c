/* hash.c: BLAKE2b as published, keyed and streamed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "zstore/codec.h"

static int setup(void **state)
{
	struct zs_err err = {0};

	(void)state;
	return zs_codec_init(&err);
}

static void known_name(void **state)
{
	char hex[ZS_NAME_HEX];
	struct zs_name name;

	(void)state;
	zs_codec_name(zs_span_str("abc"), &name); /* BLAKE2b-256, as b2sum -l 256 says */
	assert_string_equal(zs_name_hex(&name, hex),
	    "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
	zs_codec_name(zs_span(NULL, 0), &name);
	assert_string_equal(zs_name_hex(&name, hex),
	    "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
}

static void streamed(void **state)
{
	struct zs_namer *namer = zs_namer_new();
	uint8_t bytes[1000];
	struct zs_name once, parts;

	(void)state;
	assert_non_null(namer);
	zs_random(bytes, sizeof bytes);
	zs_codec_name(zs_span(bytes, sizeof bytes), &once);
	for (size_t step = 1; step < 400; step += 13) {
		for (size_t at = 0; at < sizeof bytes; at += step)
			zs_namer_add(namer, zs_span(bytes + at, sizeof bytes - at < step ? sizeof bytes - at : step));
		zs_namer_finish(namer, &parts);
		assert_int_equal(zs_name_cmp(&once, &parts), 0);
	}
	zs_codec_name(zs_span(NULL, 0), &once);
	zs_namer_finish(namer, &parts);
	assert_int_equal(zs_name_cmp(&once, &parts), 0);
	zs_namer_free(namer);
	zs_namer_free(NULL);
}

static void keyed_ids(void **state)
{
	struct zs_key a = {{0}}, b = {{1}};
	struct zs_id ia, ib, again, other;
	struct zs_name name;
	char hex[ZS_ID_HEX];

	(void)state;
	zs_codec_chunk_id(&a, zs_span_str("chunk"), &ia);
	zs_codec_chunk_id(&a, zs_span_str("chunk"), &again);
	zs_codec_chunk_id(&b, zs_span_str("chunk"), &ib);
	zs_codec_chunk_id(&a, zs_span_str("chunks"), &other);
	zs_codec_name(zs_span_str("chunk"), &name);
	assert_int_equal(zs_id_cmp(&ia, &again), 0);
	assert_int_not_equal(zs_id_cmp(&ia, &ib), 0);
	assert_int_not_equal(zs_id_cmp(&ia, &other), 0);
	assert_memory_not_equal(ia.b, name.b, sizeof ia.b);
	/* Python: hashlib.blake2b(b"chunk", digest_size=24, key=bytes(32)) */
	assert_string_equal(zs_id_hex(&ia, hex), "4db48b19236a555065834e737f1f0583c9476990d2e7fd25");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_name), cmocka_unit_test(streamed), cmocka_unit_test(keyed_ids),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
