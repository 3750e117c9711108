/* Checking: nothing is found where nothing is wrong, and every kind of damage is found and named. */
#include "collect_help.h"

struct found { unsigned count; char last[700]; int stop; };

static int note(void *ctx, const char *text)
{
	struct found *f = ctx;

	f->count++;
	snprintf(f->last, sizeof(f->last), "%s", text);
	return f->stop ? -1 : 0;
}

static struct zs_backend *make(void)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);

	collect_make(st);
	zs_store_free(st);
	return be;
}

static struct found check_objects(struct zs_backend *be)
{
	struct zs_store *st = help_open(be, NULL);
	struct found f = {0};
	uint64_t unreferenced;

	if (zs_store_check_objects(st, note, &f, &unreferenced, &err) < 0)
		fail_msg("%s", err.text);
	zs_store_free(st);
	return f;
}

static struct found check_packs(struct zs_backend *be)
{
	struct zs_store *st = help_open(be, NULL);
	struct zs_store_reader *r;
	struct found f = {0};
	uint64_t bytes;

	assert_int_equal(zs_store_reader_new(st, 0, &r, &err), 0);
	for (uint32_t i = 0; i < zs_index_pack_count(st->index); i++) {
		if (zs_store_check_pack(r, i, note, &f, &bytes, &err) < 0)
			fail_msg("%s", err.text);
	}
	zs_store_reader_free(r);
	zs_store_free(st);
	return f;
}

static void test_nothing_wrong(void **state)
{
	struct zs_backend *be = make();
	struct zs_store *st = help_open(be, NULL);
	struct zs_store_sizes sizes;
	struct zs_store_reader *r;
	uint64_t bytes, sum = 0;

	(void)state;
	assert_int_equal(collect_check(st), 0);
	assert_int_equal(zs_store_sizes(st, &sizes, &err), 0);
	assert_int_equal(sizes.objects[ZS_OBJ_CONFIG], 1);
	assert_int_equal(sizes.objects[ZS_OBJ_PACK], help_count(be, ZS_OBJ_PACK));
	assert_int_equal(sizes.objects[ZS_OBJ_SNAPSHOT], 2);
	assert_int_equal(sizes.chunks, 80 + 40 + 20 + 20);
	assert_true(sizes.plain_bytes > sizes.bytes[ZS_OBJ_PACK] / 2);
	assert_int_equal(zs_store_reader_new(st, 0, &r, &err), 0);
	for (uint32_t i = 0; i < zs_index_pack_count(st->index); i++) {
		assert_int_equal(zs_store_check_pack(r, i, collect_no_finding, NULL, &bytes, &err), 0);
		sum += bytes;
	}
	assert_int_equal(sum, sizes.bytes[ZS_OBJ_PACK]);
	zs_store_reader_free(r);
	zs_store_free(st);
	zs_backend_free(be);
}

/* One bit of every object that is no pack. */
static void test_damaged_objects(void **state)
{
	static const enum zs_object types[] = {ZS_OBJ_INDEX, ZS_OBJ_SNAPSHOT, ZS_OBJ_REMOVAL};
	struct zs_backend *base = make();

	(void)state;
	for (size_t t = 0; t < 3; t++) {
		struct zs_names names = help_list(base, types[t]);

		for (size_t i = 0; i < names.n; i++) {
			struct zs_backend *be = collect_copy(base);
			struct zs_buf b = help_get(be, types[t], &names.v[i]);
			char hex[ZS_NAME_HEX];
			struct found f;

			b.p[b.n / 3] ^= 1;
			help_replace(be, types[t], &names.v[i], zs_buf_span(&b));
			f = check_objects(be);
			assert_int_equal(f.count, 1);
			assert_non_null(strstr(f.last, zs_name_hex(&names.v[i], hex)));
			zs_buf_fini(&b);
			zs_backend_free(be);
		}
		zs_names_fini(&names);
	}
	zs_backend_free(base);
}

static void test_strange_objects(void **state)
{
	static const enum zs_object types[] = {
	    ZS_OBJ_KEY, ZS_OBJ_INDEX, ZS_OBJ_SNAPSHOT, ZS_OBJ_SESSION, ZS_OBJ_CONDEMNED, ZS_OBJ_REMOVAL};
	struct zs_name name;

	(void)state;
	memset(&name, 0xA5, sizeof(name));
	for (size_t t = 0; t < sizeof(types) / sizeof(*types); t++) {
		struct zs_backend *be = make();

		assert_int_equal(zs_backend_put(be, types[t], &name, zs_span_str("strange"), &err), 0);
		assert_int_equal(check_objects(be).count, 1);
		zs_backend_free(be);
	}
}

static void test_packs_gone_or_cut(void **state)
{
	struct zs_backend *base = make();
	struct zs_names packs = help_list(base, ZS_OBJ_PACK);

	(void)state;
	for (size_t i = 0; i < packs.n; i++) {
		struct zs_backend *be = collect_copy(base);
		struct zs_buf b = help_get(be, ZS_OBJ_PACK, &packs.v[i]);
		struct found f;
		char hex[ZS_NAME_HEX];

		assert_int_equal(zs_backend_delete(be, ZS_OBJ_PACK, &packs.v[i], &err), 0);
		f = check_objects(be);
		assert_int_equal(f.count, 1);
		assert_non_null(strstr(f.last, zs_name_hex(&packs.v[i], hex)));
		assert_int_equal(check_packs(be).count, 1);
		assert_int_equal(zs_backend_put(be, ZS_OBJ_PACK, &packs.v[i], zs_span(b.p, b.n - 1), &err), 0);
		assert_int_equal(check_objects(be).count, 1);
		assert_int_equal(check_packs(be).count, 1);
		zs_buf_fini(&b);
		zs_backend_free(be);
	}
	zs_names_fini(&packs);
	zs_backend_free(base);
}

/* Wherever a bit of a pack is flipped, reading it in full shows. */
static void test_flipped_bits(void **state)
{
	struct zs_backend *base = make();
	struct zs_names packs = help_list(base, ZS_OBJ_PACK);
	struct zs_buf b = help_get(base, ZS_OBJ_PACK, &packs.v[0]);

	(void)state;
	for (size_t at = 0; at < b.n; at += 1 + b.n / 23) {
		b.p[at] ^= 0x10;
		help_replace(base, ZS_OBJ_PACK, &packs.v[0], zs_buf_span(&b));
		assert_true(check_packs(base).count >= 1);
		b.p[at] ^= 0x10;
	}
	help_replace(base, ZS_OBJ_PACK, &packs.v[0], zs_buf_span(&b));
	assert_int_equal(check_packs(base).count, 0);
	zs_buf_fini(&b);
	zs_names_fini(&packs);
	zs_backend_free(base);
}

static void test_stops(void **state)
{
	struct zs_backend *be = make();
	struct zs_names packs = help_list(be, ZS_OBJ_PACK);
	struct zs_store *st;
	struct found f = {.stop = 1};
	uint64_t unreferenced;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(zs_backend_delete(be, ZS_OBJ_PACK, &packs.v[i], &err), 0);
	st = help_open(be, NULL);
	assert_int_equal(zs_store_check_objects(st, note, &f, &unreferenced, &err), -1);
	assert_int_equal(err.cause, ZS_STOPPED);
	assert_int_equal(f.count, 1);
	zs_names_fini(&packs);
	zs_store_free(st);
	zs_backend_free(be);
}

/* Trouble with the backend is no finding but an error. */
static void test_backend_fails(void **state)
{
	struct zs_backend *base = make();
	uint64_t n = 0;

	(void)state;
	for (int fired = 1; fired; n++) {
		struct zs_backend *bad = zs_backend_faulty_new(base, n, ZS_FAULT_LOST, ZS_IO);
		struct zs_store *st;
		char cache[64];
		uint64_t unreferenced;

		help_fresh_dir(cache);
		if (help_try_open(bad, cache, &st, &err) == 0) {
			int rc = zs_store_check_objects(st, collect_no_finding, NULL, &unreferenced, &err);

			assert_int_equal(rc, zs_backend_faulty_fired(bad) ? -1 : 0);
			if (rc < 0)
				assert_int_equal(err.cause, ZS_IO);
			zs_store_free(st);
		}
		fired = zs_backend_faulty_fired(bad);
		zs_backend_free(bad);
	}
	assert_true(n > 15);
	zs_backend_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_wrong),
	    cmocka_unit_test(test_damaged_objects),
	    cmocka_unit_test(test_strange_objects),
	    cmocka_unit_test(test_packs_gone_or_cut),
	    cmocka_unit_test(test_flipped_bits),
	    cmocka_unit_test(test_stops),
	    cmocka_unit_test(test_backend_fails),
	};

	return cmocka_run_group_tests(tests, help_setup, help_teardown);
}
