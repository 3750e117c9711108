/* Memory: several handles on one store. */
#include "zstore/backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void handles_share(void **state)
{
	struct zs_backend *a = zs_backend_mem_new(), *b = zs_backend_mem_share(a), *c = zs_backend_mem_share(b);
	struct zs_buf buf = ZS_BUF_INIT;
	struct zs_err err = {0};
	struct zs_name name;
	struct zs_put *put;
	uint64_t bytes;

	(void)state;
	memset(&name, 7, sizeof(name));
	assert_int_equal(zs_backend_put(a, ZS_OBJ_PACK, &name, zs_span_str("shared"), &err), 0);
	zs_backend_free(a);
	assert_int_equal(zs_backend_get_all(b, ZS_OBJ_PACK, &name, 6, &buf, &err), 0);
	assert_true(zs_span_eq(zs_buf_span(&buf), zs_span_str("shared")));
	assert_int_equal(zs_backend_put(c, ZS_OBJ_PACK, &name, zs_span_str("again"), &err), -1);
	assert_int_equal(err.cause, ZS_EXISTS);
	assert_int_equal(zs_backend_put_begin(c, ZS_OBJ_KEY, &put, &err), 0);
	assert_int_equal(zs_backend_put_commit(put, &name, &err), 0);
	zs_backend_free(c);
	assert_int_equal(zs_backend_stat(b, ZS_OBJ_KEY, &name, &bytes, &err), 1);
	assert_int_equal(zs_backend_reserve_release(b, &err), 1);
	zs_buf_fini(&buf);
	zs_backend_free(b);
}

static void stores_are_apart(void **state)
{
	struct zs_backend *a = zs_backend_mem_new(), *b = zs_backend_mem_new();
	struct zs_err err = {0};
	struct zs_name name;
	uint64_t bytes;

	(void)state;
	memset(&name, 7, sizeof(name));
	assert_int_equal(zs_backend_put(a, ZS_OBJ_PACK, &name, zs_span_str("mine"), &err), 0);
	assert_int_equal(zs_backend_stat(b, ZS_OBJ_PACK, &name, &bytes, &err), 0);
	zs_backend_free(a);
	zs_backend_free(b);
}

static void types_have_names(void **state)
{
	int i, k;

	(void)state;
	for (i = 0; i < ZS_OBJECTS; i++)
		for (k = 0; k < i; k++)
			assert_string_not_equal(zs_object_name((enum zs_object)i), zs_object_name((enum zs_object)k));
	assert_string_equal(zs_object_name(ZS_OBJ_CONFIG), "config");
	assert_string_equal(zs_object_name(ZS_OBJ_REMOVAL), "removal");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(handles_share),
	    cmocka_unit_test(stores_are_apart),
	    cmocka_unit_test(types_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
