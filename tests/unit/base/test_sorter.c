/* External sorting against qsort: in memory, spilled, in several passes, with long records, with a failing disk. */
#include "zstore/base.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct item {
	uint32_t number; /* in the order of adding; also the front of the value */
	uint32_t key_n, value_n;
	uint8_t key[32];
};

static int item_cmp(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	size_t n = x->key_n < y->key_n ? x->key_n : y->key_n;
	int c = memcmp(x->key, y->key, n);

	if (c)
		return c;
	if (x->key_n != y->key_n)
		return x->key_n < y->key_n ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* few distinct bytes, so that equal keys and equal prefixes are common */
static struct item *make_items(size_t n, size_t key_max, size_t value_max, unsigned seed)
{
	struct item *items = calloc(n + 1, sizeof(*items));
	size_t i, k;

	assert_non_null(items);
	for (i = 0; i < n; i++) {
		items[i].number = (uint32_t)i;
		items[i].key_n = (uint32_t)((size_t)rand_r(&seed) % (key_max + 1));
		items[i].value_n = 4 + (uint32_t)((size_t)rand_r(&seed) % (value_max + 1));
		for (k = 0; k < items[i].key_n; k++)
			items[i].key[k] = rand_r(&seed) % 3 ? (uint8_t)(rand_r(&seed) % 2) :
			    (uint8_t)(rand_r(&seed) % 256);
	}
	return items;
}

static int add_item(struct zs_sorter *s, const struct item *item, uint8_t *scratch, struct zs_err *err)
{
	memset(scratch, (int)(item->number & 0xff), item->value_n);
	zs_put_u32(scratch, item->number);
	return zs_sorter_add(s, zs_span(item->key, item->key_n), zs_span(scratch, item->value_n), err);
}

static void expect_item(const struct item *item, struct zs_span key, struct zs_span value)
{
	size_t i;

	assert_int_equal(key.n, item->key_n);
	assert_int_equal(value.n, item->value_n);
	assert_true(key.n == 0 || memcmp(key.p, item->key, key.n) == 0);
	assert_int_equal(zs_get_u32(value.p), item->number);
	for (i = 4; i < value.n; i++)
		if (value.p[i] != (uint8_t)item->number)
			fail_msg("value of item %u is damaged", item->number);
}

static void sort_and_compare(size_t memory, size_t n, size_t key_max, size_t value_max, int presorted)
{
	struct item *items = make_items(n, key_max, value_max, (unsigned)(n + memory));
	uint8_t *scratch = malloc(value_max + 4);
	struct zs_sorter *s;
	struct zs_err err = {0};
	struct zs_span key, value;
	size_t i;

	assert_int_equal(zs_sorter_new(memory, "/tmp", &s, &err), 0);
	if (presorted)
		qsort(items, n, sizeof(*items), item_cmp);
	for (i = 0; i < n; i++) {
		items[i].number = (uint32_t)i;
		if (add_item(s, &items[i], scratch, &err) < 0)
			fail_msg("%s", err.text);
	}
	assert_int_equal(zs_sorter_count(s), n);
	qsort(items, n, sizeof(*items), item_cmp);
	if (zs_sorter_sort(s, &err) < 0)
		fail_msg("%s", err.text);
	for (i = 0; i < n; i++) {
		if (zs_sorter_next(s, &key, &value, &err) != 1)
			fail_msg("record %zu: %s", i, err.text);
		expect_item(&items[i], key, value);
	}
	assert_int_equal(zs_sorter_next(s, &key, &value, &err), 0);
	assert_int_equal(zs_sorter_next(s, &key, &value, &err), 0);
	assert_int_equal(zs_sorter_count(s), n);
	zs_sorter_free(s);
	free(scratch);
	free(items);
}

static void in_memory(void **state)
{
	size_t n;

	(void)state;
	for (n = 0; n < 70; n++)
		sort_and_compare(65536, n, 12, 20, 0);
	sort_and_compare(1 << 20, 5000, 24, 20, 0);
	sort_and_compare(1 << 20, 5000, 24, 20, 1);
	sort_and_compare(1 << 20, 5000, 0, 20, 0); /* all keys empty: the order of adding */
}

static void spilled_once(void **state)
{
	(void)state;
	sort_and_compare(65536, 3000, 24, 20, 0);
	sort_and_compare(65536, 3000, 24, 20, 1);
	sort_and_compare(1 << 20, 50000, 24, 40, 0);
}

/* 64 KiB leave room for 7 read buffers: these are up to a hundred runs and more */
static void several_passes(void **state)
{
	(void)state;
	sort_and_compare(65536, 8000, 2, 20, 0);
	sort_and_compare(65536, 60000, 24, 60, 0);
	sort_and_compare(65536, 60000, 1, 60, 0);
}

/* every number of runs around the number of read buffers */
static void run_counts(void **state)
{
	size_t n;

	(void)state;
	for (n = 100; n < 700; n += 11)
		sort_and_compare(65536, n, 8, 3000, 0);
}

static void records_longer_than_the_memory(void **state)
{
	(void)state;
	sort_and_compare(65536, 30, 8, 60000, 0);
	sort_and_compare(65536, 40, 8, 300000, 0);
	sort_and_compare(65536, 9, 1, (1 << 20) - 5, 0);
}

static void the_largest_record(void **state)
{
	uint8_t *big = calloc(1, (1 << 20) + 1);
	struct zs_err err = {0};
	struct zs_sorter *s;
	struct zs_span key, value;

	(void)state;
	assert_int_equal(zs_sorter_new(0, "/tmp", &s, &err), 0);
	assert_int_equal(zs_sorter_add(s, zs_span(big, 1 << 20), zs_span(big, 1), &err), -1);
	assert_int_equal(err.cause, ZS_LIMIT);
	assert_int_equal(zs_sorter_add(s, zs_span(big, 1), zs_span(big, SIZE_MAX), &err), -1);
	assert_int_equal(err.cause, ZS_LIMIT);
	/* a refused record is not in, and the sorter lives on */
	assert_int_equal(zs_sorter_add(s, zs_span(big, 1 << 20), zs_span(NULL, 0), &err), 0);
	assert_int_equal(zs_sorter_add(s, zs_span(NULL, 0), zs_span(big, 1 << 20), &err), 0);
	assert_int_equal(zs_sorter_add(s, zs_span(big, (1 << 20) - 1), zs_span(big, 1), &err), 0);
	assert_int_equal(zs_sorter_count(s), 3);
	assert_int_equal(zs_sorter_sort(s, &err), 0);
	assert_int_equal(zs_sorter_next(s, &key, &value, &err), 1);
	assert_int_equal(value.n, 1 << 20);
	assert_int_equal(zs_sorter_next(s, &key, &value, &err), 1);
	assert_int_equal(key.n, (1 << 20) - 1);
	assert_int_equal(zs_sorter_next(s, &key, &value, &err), 1);
	assert_int_equal(key.n, 1 << 20);
	assert_int_equal(zs_sorter_next(s, &key, &value, &err), 0);
	zs_sorter_free(s);
	free(big);
}

static int run_all(struct zs_sorter *s, const struct item *items, size_t n, struct zs_err *err)
{
	struct zs_span key, value;
	uint8_t scratch[128];
	size_t i;
	int rc;

	for (i = 0; i < n; i++)
		if (add_item(s, &items[i], scratch, err) < 0)
			return -1;
	if (zs_sorter_sort(s, err) < 0)
		return -1;
	for (i = 0; (rc = zs_sorter_next(s, &key, &value, err)) == 1; i++)
		;
	if (rc == 0)
		assert_int_equal(i, n);
	return rc;
}

/* a disk that takes so many bytes and no more, for ever more of them: never a wrong answer */
static void full_disk(void **state)
{
	struct item *items = make_items(20000, 24, 60, 9);
	const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
	int failed = 0, rc = -1;
	rlim_t limit;

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	for (limit = 0; rc < 0; limit += 150000) {
		const struct rlimit some = {limit, RLIM_INFINITY};
		struct zs_err err = {0};
		struct zs_sorter *s;

		assert_int_equal(zs_sorter_new(65536, "/tmp", &s, &err), 0);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &some), 0);
		rc = run_all(s, items, 20000, &err);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
		if (rc < 0) {
			struct zs_err again = {0};
			struct zs_span span;

			failed++;
			assert_int_equal(err.cause, ZS_SYSTEM);
			assert_int_equal(err.sys, EFBIG);
			/* it stays dead */
			assert_int_equal(zs_sorter_add(s, zs_span_str("k"), zs_span_str("v"), &again), -1);
			assert_int_equal(zs_sorter_sort(s, &again), -1);
			assert_int_equal(zs_sorter_next(s, &span, &span, &again), -1);
			assert_int_equal(again.cause, ZS_SYSTEM);
		}
		zs_sorter_free(s);
	}
	assert_in_range(failed, 5, 100);
	free(items);
}

static void no_directory(void **state)
{
	struct item *items = make_items(3000, 24, 20, 1);
	struct zs_err err = {0};
	struct zs_sorter *s;

	(void)state;
	assert_int_equal(zs_sorter_new(65536, "/nonexistent/dir", &s, &err), 0);
	assert_int_equal(run_all(s, items, 3000, &err), -1);
	assert_int_equal(err.cause, ZS_SYSTEM);
	assert_int_equal(err.sys, ENOENT);
	zs_sorter_free(s);
	/* what fits into memory needs none */
	assert_int_equal(zs_sorter_new(65536, "/nonexistent/dir", &s, &err), 0);
	assert_int_equal(run_all(s, items, 100, &err), 0);
	zs_sorter_free(s);
	free(items);
}

/* the descriptor of the spill file: the only one open on a file without a name */
static int find_spill(void)
{
	struct stat st;
	int fd;

	for (fd = 3; fd < 256; fd++)
		if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0)
			return fd;
	return -1;
}

/* Lengths in the file are not trusted: flipped or cut, it ends in an error or in records, never in a crash or a
 * loop. */
static void damaged_spill_file(void **state)
{
	struct item *items = make_items(3000, 24, 60, 2);
	int damage, noticed = 0;

	(void)state;
	for (damage = 0; damage < 40; damage++) {
		struct zs_err err = {0};
		struct zs_sorter *s;
		struct zs_span key, value;
		uint8_t scratch[128], header[8];
		size_t i;
		int fd, rc = 0;

		assert_int_equal(zs_sorter_new(65536, "/tmp", &s, &err), 0);
		for (i = 0; i < 3000; i++)
			assert_int_equal(add_item(s, &items[i], scratch, &err), 0);
		fd = find_spill();
		assert_true(fd >= 0);
		if (damage == 39) {
			struct stat st;

			assert_int_equal(fstat(fd, &st), 0);
			assert_int_equal(ftruncate(fd, st.st_size / 2), 0);
		} else {
			/* the first record's lengths, a bit at a time; then a maximum */
			assert_int_equal(pread(fd, header, 8, 0), 8);
			header[damage % 8] ^= (uint8_t)(damage < 32 ? 0x80 >> damage / 8 * 2 : 0xff);
			assert_int_equal(pwrite(fd, header, 8, 0), 8);
		}
		rc = zs_sorter_sort(s, &err);
		for (i = 0; rc == 0 && (rc = zs_sorter_next(s, &key, &value, &err)) == 1 && i < 200000; i++)
			rc = 0;
		assert_true(i < 200000);
		if (rc < 0) {
			noticed++;
			assert_int_equal(err.cause, ZS_SYSTEM);
		}
		zs_sorter_free(s);
	}
	assert_true(noticed >= 20);
	free(items);
}

static void freeing_early(void **state)
{
	struct zs_err err = {0};
	struct zs_sorter *s;
	struct zs_span key, value;
	uint8_t scratch[4096] = {0};
	size_t stop, i;

	(void)state;
	zs_sorter_free(NULL);
	for (stop = 0; stop < 4; stop++) {
		assert_int_equal(zs_sorter_new(65536, "/tmp", &s, &err), 0);
		for (i = 0; stop > 0 && i < 100; i++)
			assert_int_equal(zs_sorter_add(s, zs_span(scratch, i), zs_span(scratch, sizeof(scratch)),
			    &err), 0);
		if (stop > 1)
			assert_int_equal(zs_sorter_sort(s, &err), 0);
		if (stop > 2)
			assert_int_equal(zs_sorter_next(s, &key, &value, &err), 1);
		zs_sorter_free(s);
	}
	assert_int_equal(find_spill(), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(in_memory),
	    cmocka_unit_test(spilled_once),
	    cmocka_unit_test(several_passes),
	    cmocka_unit_test(run_counts),
	    cmocka_unit_test(records_longer_than_the_memory),
	    cmocka_unit_test(the_largest_record),
	    cmocka_unit_test(full_disk),
	    cmocka_unit_test(no_directory),
	    cmocka_unit_test(damaged_spill_file),
	    cmocka_unit_test(freeing_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
