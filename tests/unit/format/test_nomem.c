/* Allocation number n and those after it fail, for all n: every decoder and encoder says so and leaks nothing. */
#include <limits.h>

#include "common.h"
#include "../../format/vectors_valid.h"

/* The linker sends all calls of the layer and of base here. */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static unsigned good; /* allocations until the first that fails */
static unsigned failures;

static int fails(void)
{
	if (good) {
		good--;
		return 0;
	}
	failures++;
	return 1;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

static void every_allocation(void **state)
{
	unsigned total = 0;

	(void)state;
	good = UINT_MAX;
	for (size_t i = 0; i < sizeof valid_vectors / sizeof *valid_vectors; i++) {
		char name[64] = "";
		struct zs_buf b = ZS_BUF_INIT;

		(void)sscanf(valid_vectors[i].name, "%63[^-]", name);
		valid_vectors[i].make(&b);
		for (unsigned n = 0, fired = 1; fired; n++) {
			struct zs_buf again = ZS_BUF_INIT;
			struct zs_err err = {.cause = ZS_OK};
			int rc;

			failures = 0;
			good = n;
			rc = record_find(name)->run(zs_buf_span(&b), NULL, &again, &err);
			good = UINT_MAX;
			fired = failures != 0;
			assert_int_equal(rc, fired ? -1 : 0);
			assert_int_equal(err.cause, fired ? ZS_NOMEM : ZS_OK);
			total += fired;
			zs_buf_fini(&again);
		}
		zs_buf_fini(&b);
	}
	assert_true(total > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
