/* The backend that fails: each operation in turn, in all three modes. */
#include "zstore/backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct zs_name name_of(uint8_t n)
{
	struct zs_name name;

	memset(&name, n, sizeof(name));
	return name;
}

static int nothing(void *ctx, const struct zs_name *name, uint64_t bytes, struct zs_err *err)
{
	(void)name;
	(void)bytes;
	(void)err;
	(*(int *)ctx)++;
	return 0;
}

#define OPERATIONS 13

/* operation number `which` of a script in which all succeed if none is made to fail */
static int operation(struct zs_backend *be, int which, struct zs_put **put, struct zs_err *err)
{
	struct zs_name a = name_of(1), b = name_of(2);
	struct zs_buf buf = ZS_BUF_INIT;
	uint64_t bytes;
	int n = 0, rc = -1;

	switch (which) {
	case 0: rc = zs_backend_put(be, ZS_OBJ_KEY, &a, zs_span_str("12345678"), err); break;
	case 1: rc = zs_backend_put_begin(be, ZS_OBJ_PACK, put, err); break;
	case 2: rc = zs_backend_put_append(*put, zs_span_str("abcd"), err); break;
	case 3: rc = zs_backend_put_append(*put, zs_span_str("efgh"), err); break;
	case 4: rc = zs_backend_put_commit(*put, &b, err); break;
	case 5: rc = zs_backend_get(be, ZS_OBJ_PACK, &b, 2, 3, &buf, err); break;
	case 6: rc = zs_backend_get_all(be, ZS_OBJ_PACK, &b, 8, &buf, err); break;
	case 7: rc = zs_backend_stat(be, ZS_OBJ_PACK, &b, &bytes, err); break;
	case 8: rc = zs_backend_list(be, ZS_OBJ_PACK, nothing, &n, err); break;
	case 9: rc = zs_backend_delete(be, ZS_OBJ_KEY, &a, err); break;
	case 10: rc = zs_backend_reserve_release(be, err); break;
	case 11: rc = zs_backend_reserve_make(be, err); break;
	case 12: rc = zs_backend_tidy(be, err); break;
	}
	assert_true(rc >= 0 || (buf.n == 0 && n == 0));
	zs_buf_fini(&buf);
	return rc < 0 ? -1 : 0;
}

/* all operations until one fails; how many went well */
static int run(struct zs_backend *be, struct zs_err *err)
{
	struct zs_put *put = NULL;
	int i;

	for (i = 0; i < OPERATIONS; i++)
		if (operation(be, i, &put, err) < 0) {
			if (i == 2 || i == 3)
				zs_backend_put_abort(put);
			return i;
		}
	return OPERATIONS;
}

static uint64_t size_in(struct zs_backend *be, enum zs_object type, uint8_t n)
{
	struct zs_name name = name_of(n);
	struct zs_err err = {0};
	uint64_t bytes;

	return zs_backend_stat(be, type, &name, &bytes, &err) == 1 ? bytes : UINT64_MAX;
}

static void once(void **state)
{
	uint64_t n;
	int fired = 1;

	(void)state;
	for (n = 0; fired; n++) {
		struct zs_backend *mem = zs_backend_mem_new();
		struct zs_backend *bad = zs_backend_faulty_new(mem, n, ZS_FAULT_ONCE, ZS_NOSPACE);
		struct zs_put *put = NULL;
		struct zs_err err = {0};
		int well = run(bad, &err);

		fired = zs_backend_faulty_fired(bad);
		assert_int_equal(fired, n < OPERATIONS);
		assert_int_equal(well, n < OPERATIONS ? n : OPERATIONS);
		assert_int_equal(zs_backend_faulty_count(bad), n < OPERATIONS ? n + 1 : OPERATIONS);
		if (fired) {
			assert_int_equal(err.cause, ZS_NOSPACE);
			/* it has done nothing */
			if (n <= 4)
				assert_true(size_in(mem, ZS_OBJ_PACK, 2) == UINT64_MAX);
			assert_true(size_in(mem, ZS_OBJ_KEY, 1) == (n == 0 || n > 9 ? UINT64_MAX : 8));
			/* and after it all is well again */
			if (well < 2 || well > 4) {
				assert_int_equal(operation(bad, well, &put, &err), 0);
				if (well == 1)
					zs_backend_put_abort(put);
			}
		}
		zs_backend_free(bad);
		zs_backend_free(mem);
	}
	assert_int_equal(n, OPERATIONS + 1);
}

static void lost(void **state)
{
	uint64_t n;

	(void)state;
	for (n = 0; n < OPERATIONS; n++) {
		struct zs_backend *mem = zs_backend_mem_new();
		struct zs_backend *bad = zs_backend_faulty_new(mem, n, ZS_FAULT_LOST, ZS_OK);
		struct zs_put *put = NULL;
		struct zs_err err = {0};
		int i;

		assert_int_equal(run(bad, &err), n);
		assert_int_equal(err.cause, ZS_IO);
		for (i = 0; i < OPERATIONS; i++)
			if (i < 2 || i > 4)
				assert_int_equal(operation(bad, i, &put, &err), -1);
		assert_true(size_in(mem, ZS_OBJ_PACK, 2) == (n <= 4 ? UINT64_MAX : 8));
		zs_backend_free(bad);
		zs_backend_free(mem);
	}
}

static void torn(void **state)
{
	uint64_t n;

	(void)state;
	for (n = 0; n < OPERATIONS; n++) {
		struct zs_backend *mem = zs_backend_mem_new();
		struct zs_backend *bad = zs_backend_faulty_new(mem, n, ZS_FAULT_TORN, ZS_IO);
		struct zs_name b = name_of(2);
		struct zs_buf buf = ZS_BUF_INIT;
		struct zs_put *put = NULL;
		struct zs_err err = {0};

		assert_int_equal(run(bad, &err), n);
		assert_int_equal(operation(bad, 8, &put, &err), -1);
		assert_int_equal(operation(bad, 0, &put, &err), -1);
		/* half of what was being put, under its name */
		assert_true(size_in(mem, ZS_OBJ_KEY, 1) == (n == 0 ? 4 : n > 9 ? UINT64_MAX : 8));
		assert_true(size_in(mem, ZS_OBJ_PACK, 2) == (n < 4 ? UINT64_MAX : n == 4 ? 4 : 8));
		if (n == 4) {
			assert_int_equal(zs_backend_get_all(mem, ZS_OBJ_PACK, &b, 8, &buf, &err), 0);
			assert_memory_equal(buf.p, "abcd", 4);
			zs_buf_fini(&buf);
		}
		zs_backend_free(bad);
		zs_backend_free(mem);
	}
}

/* where the name is taken, nothing is torn */
static void torn_replaces_nothing(void **state)
{
	struct zs_backend *mem = zs_backend_mem_new(), *bad = zs_backend_faulty_new(mem, 0, ZS_FAULT_TORN, ZS_IO);
	struct zs_name a = name_of(1);
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(zs_backend_put(mem, ZS_OBJ_KEY, &a, zs_span_str("whole"), &err), 0);
	assert_int_equal(zs_backend_put(bad, ZS_OBJ_KEY, &a, zs_span_str("torn"), &err), -1);
	assert_int_equal(err.cause, ZS_IO);
	assert_true(size_in(mem, ZS_OBJ_KEY, 1) == 5);
	zs_backend_free(bad);
	zs_backend_free(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(once),
	    cmocka_unit_test(lost),
	    cmocka_unit_test(torn),
	    cmocka_unit_test(torn_replaces_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
