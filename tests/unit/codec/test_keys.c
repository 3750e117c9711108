/* keys.c: derivation as specified, stretching and its limits and memory, the life of a keyring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "zstore/codec.h"

static int setup(void **state)
{
	struct zs_err err = {0};

	(void)state;
	return zs_codec_init(&err);
}

static void derive(void **state)
{
	struct zs_key key, a, b;
	struct zs_name as_name;
	char hex[ZS_NAME_HEX];

	(void)state;
	for (unsigned i = 0; i < sizeof key.b; i++)
		key.b[i] = (uint8_t)i;
	zs_key_derive(&key, "zstore box", zs_span_str("place"), &a);
	memcpy(as_name.b, a.b, sizeof a.b);
	/* Python: hashlib.blake2b(b"zstore boxplace", digest_size=32, key=bytes(range(32))) */
	assert_string_equal(zs_name_hex(&as_name, hex),
	    "d1daf3b0ca0c0386972d64575e3a35d52e40d64bcf44b791195ce13a193befe3");
	zs_key_derive(&key, "zstore box", zs_span_str("places"), &b);
	assert_memory_not_equal(a.b, b.b, sizeof a.b);
	zs_key_derive(&key, "zstore bax", zs_span_str("place"), &b);
	assert_memory_not_equal(a.b, b.b, sizeof a.b);
	key.b[0] ^= 1;
	zs_key_derive(&key, "zstore box", zs_span_str("place"), &b);
	assert_memory_not_equal(a.b, b.b, sizeof a.b);
}

static void stretched(const char *secret, uint8_t salt_byte, uint32_t ops, uint32_t mem_kib, struct zs_key *out)
{
	uint8_t salt[16];
	struct zs_err err = {0};

	memset(salt, salt_byte, sizeof salt);
	assert_int_equal(zs_key_stretch(zs_span_str(secret), salt, ops, mem_kib, out, &err), 0);
}

static void stretch(void **state)
{
	struct zs_key base, again, other;

	(void)state;
	stretched("correct horse", 1, 2, 64, &base);
	stretched("correct horse", 1, 2, 64, &again);
	assert_memory_equal(base.b, again.b, sizeof base.b);
	stretched("correct hors", 1, 2, 64, &other);
	assert_memory_not_equal(base.b, other.b, sizeof base.b);
	stretched("correct horse", 2, 2, 64, &other);
	assert_memory_not_equal(base.b, other.b, sizeof base.b);
	stretched("correct horse", 1, 3, 64, &other);
	assert_memory_not_equal(base.b, other.b, sizeof base.b);
	stretched("correct horse", 1, 2, 128, &other);
	assert_memory_not_equal(base.b, other.b, sizeof base.b);
	stretched("", 1, 1, 8, &other);
}

static void stretch_limits(void **state)
{
	static const uint32_t bad[][2] = {{0, 64}, {65, 64}, {1, 7}, {1, 0}, {1, 4194305}, {UINT32_MAX, UINT32_MAX}};
	uint8_t salt[16] = {0};
	struct zs_err err = {0};
	struct zs_key out;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		err.cause = ZS_OK;
		assert_int_equal(zs_key_stretch(zs_span_str("x"), salt, bad[i][0], bad[i][1], &out, &err), -1);
		assert_int_equal(err.cause, ZS_LIMIT);
	}
}

/* Pages that this process maps. */
static long mapped_pages(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld", &pages), 1);
	(void)fclose(f);
	return pages;
}

static void stretch_gives_memory_back(void **state)
{
	struct zs_key out;
	long before;

	(void)state;
	stretched("x", 1, 1, 64, &out);
	before = mapped_pages();
	stretched("x", 1, 1, 65536, &out);
	assert_true(mapped_pages() - before < (16L << 20) / 4096);
}

static void keyring(void **state)
{
	static const struct zs_keyring zero;
	struct zs_err err = {0};
	struct zs_keyring *a = zs_keyring_new(&err), *b = zs_keyring_new(&err);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_memory_equal(a, &zero, sizeof zero);
	zs_keyring_generate(a);
	zs_keyring_generate(b);
	assert_int_equal(a->can_read, 1);
	assert_memory_not_equal(&a->chunk_id, &zero.chunk_id, sizeof zero.chunk_id);
	assert_memory_not_equal(&a->chunk_id, &b->chunk_id, sizeof zero.chunk_id);
	assert_memory_not_equal(&a->seed, &b->seed, sizeof zero.seed);
	assert_memory_not_equal(&a->meta, &b->meta, sizeof zero.meta);
	assert_memory_not_equal(&a->data_secret, &b->data_secret, sizeof zero.data_secret);
	assert_memory_not_equal(&a->data_public, &b->data_public, sizeof zero.data_public);
	zs_keyring_free(a);
	zs_keyring_free(b);
	zs_keyring_free(NULL);
}

static void wipe(void **state)
{
	uint8_t p[40], zero[40] = {0};

	(void)state;
	zs_random(p, sizeof p);
	assert_memory_not_equal(p, zero, sizeof p);
	zs_wipe(p, sizeof p);
	assert_memory_equal(p, zero, sizeof p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(derive), cmocka_unit_test(stretch), cmocka_unit_test(stretch_limits),
		cmocka_unit_test(stretch_gives_memory_back), cmocka_unit_test(keyring), cmocka_unit_test(wipe),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
