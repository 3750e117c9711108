/* The backend that remembers: replaying the first n changes gives the state that there was after them. */
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

/* one bit for each of eight objects */
static unsigned present(struct zs_backend *be)
{
	struct zs_err err = {0};
	unsigned bits = 0, i;

	for (i = 0; i < 8; i++) {
		struct zs_name name = name_of((uint8_t)i);
		uint64_t bytes;

		if (zs_backend_stat(be, ZS_OBJ_INDEX, &name, &bytes, &err) == 1) {
			bits |= 1u << i;
			assert_int_equal(bytes, i);
		}
	}
	return bits;
}

static void replays_every_prefix(void **state)
{
	struct zs_backend *mem = zs_backend_mem_new(), *rec = zs_backend_record_new(mem);
	unsigned states[64] = {0}, n = 0, i, seed = 1;
	struct zs_err err = {0};

	(void)state;
	for (i = 0; i < 60; i++) {
		uint8_t which = (uint8_t)(i * 5 % 8);
		struct zs_name name = name_of(which);
		unsigned before = present(rec);
		struct zs_put *put;

		seed = seed * 1103515245 + 12345;
		if (seed >> 16 & 1) {
			(void)!zs_backend_delete(rec, ZS_OBJ_INDEX, &name, &err);
		} else if (seed >> 17 & 1) {
			(void)!zs_backend_put(rec, ZS_OBJ_INDEX, &name, zs_span("abcdefgh", which), &err);
		} else {
			assert_int_equal(zs_backend_put_begin(rec, ZS_OBJ_INDEX, &put, &err), 0);
			assert_int_equal(zs_backend_put_append(put, zs_span("abcdefgh", which), &err), 0);
			if (seed >> 18 & 1)
				zs_backend_put_abort(put);
			else
				(void)!zs_backend_put_commit(put, &name, &err);
		}
		/* only what changed something counts */
		if (present(rec) != before)
			states[++n] = present(rec);
		assert_int_equal(zs_backend_record_count(rec), n);
	}
	assert_true(n > 15);
	for (i = 0; i <= n; i++) {
		struct zs_backend *onto = zs_backend_mem_new();

		assert_int_equal(zs_backend_record_replay(rec, i, onto, &err), 0);
		assert_int_equal(present(onto), states[i]);
		zs_backend_free(onto);
	}
	zs_backend_free(rec);
	assert_int_equal(present(mem), states[n]);
	zs_backend_free(mem);
}

static void failures_are_not_recorded(void **state)
{
	struct zs_backend *mem = zs_backend_mem_new(), *bad = zs_backend_faulty_new(mem, 0, ZS_FAULT_LOST, ZS_IO);
	struct zs_backend *rec = zs_backend_record_new(bad), *onto = zs_backend_mem_new();
	struct zs_name name = name_of(1);
	struct zs_err err = {0};
	struct zs_put *put;

	(void)state;
	assert_int_equal(zs_backend_put(rec, ZS_OBJ_INDEX, &name, zs_span_str("x"), &err), -1);
	assert_int_equal(zs_backend_put_begin(rec, ZS_OBJ_INDEX, &put, &err), -1);
	assert_int_equal(zs_backend_delete(rec, ZS_OBJ_INDEX, &name, &err), -1);
	assert_int_equal(zs_backend_record_count(rec), 0);
	zs_backend_free(rec);
	/* a replay onto something that refuses says so */
	rec = zs_backend_record_new(mem);
	assert_int_equal(zs_backend_put(rec, ZS_OBJ_INDEX, &name, zs_span_str("x"), &err), 0);
	assert_int_equal(zs_backend_record_replay(rec, 1, bad, &err), -1);
	assert_int_equal(err.cause, ZS_IO);
	assert_int_equal(zs_backend_record_replay(rec, 1, onto, &err), 0);
	assert_int_equal(zs_backend_record_replay(rec, 1, onto, &err), -1);
	assert_int_equal(err.cause, ZS_EXISTS);
	zs_backend_free(rec);
	zs_backend_free(bad);
	zs_backend_free(mem);
	zs_backend_free(onto);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(replays_every_prefix),
	    cmocka_unit_test(failures_are_not_recorded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
