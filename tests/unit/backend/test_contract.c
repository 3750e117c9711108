/* What every backend answers: the same tests over a directory, memory, and both wrappers. */
#include "zstore/backend.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "scratch.h"

struct fixture {
	struct zs_backend *inner, *be;
};

static int setup_local(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct zs_err err = {0};

	*state = f;
	return zs_backend_local_create(scratch_path("contract"), &f->be, &err);
}

static int setup_mem(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	f->be = zs_backend_mem_new();
	return f->be ? 0 : -1;
}

static int setup_faulty(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	f->inner = zs_backend_mem_new();
	f->be = zs_backend_faulty_new(f->inner, UINT64_MAX, ZS_FAULT_TORN, ZS_IO);
	return f->be ? 0 : -1;
}

static int setup_record(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	f->inner = zs_backend_mem_new();
	f->be = zs_backend_record_new(f->inner);
	return f->be ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	zs_backend_free(f->be);
	zs_backend_free(f->inner);
	free(f);
	scratch_clear("contract");
	return 0;
}

static struct zs_name name_of(unsigned n)
{
	struct zs_name name;
	size_t i;

	for (i = 0; i < sizeof(name.b); i++)
		name.b[i] = (uint8_t)(n * 41 + i * 7 + n / 256 * i);
	return name;
}

static struct zs_name name_for(enum zs_object type, unsigned n)
{
	return type == ZS_OBJ_CONFIG ? zs_name_zero : name_of(n);
}

struct seen {
	size_t n, stop_at;
	uint64_t bytes;
	struct zs_name names[64];
};

static int see(void *ctx, const struct zs_name *name, uint64_t bytes, struct zs_err *err)
{
	struct seen *s = ctx;

	if (s->n == s->stop_at)
		return zs_fail(err, ZS_STOPPED, "enough");
	assert_true(s->n < 64);
	s->names[s->n++] = *name;
	s->bytes += bytes;
	return 0;
}

static size_t count(struct zs_backend *be, enum zs_object type)
{
	struct seen s = {.stop_at = 64};
	struct zs_err err = {0};

	assert_int_equal(zs_backend_list(be, type, see, &s, &err), 0);
	return s.n;
}

static void one_object_of_each_type(void **state)
{
	struct zs_backend *be = ((struct fixture *)*state)->be;
	int t;

	for (t = 0; t < ZS_OBJECTS; t++) {
		enum zs_object type = (enum zs_object)t;
		struct zs_name name = name_for(type, 3), other = name_of(4);
		struct zs_buf b = ZS_BUF_INIT;
		struct zs_err err = {0};
		uint64_t bytes = 99;

		assert_int_equal(zs_backend_stat(be, type, &name, &bytes, &err), 0);
		assert_int_equal(bytes, 99);
		assert_int_equal(zs_backend_get_all(be, type, &name, 100, &b, &err), -1);
		assert_int_equal(err.cause, ZS_NOTFOUND);
		assert_int_equal(zs_backend_get(be, type, &name, 0, 0, &b, &err), -1);
		assert_int_equal(err.cause, ZS_NOTFOUND);
		assert_int_equal(zs_backend_delete(be, type, &name, &err), -1);
		assert_int_equal(err.cause, ZS_NOTFOUND);
		assert_int_equal(count(be, type), 0);

		assert_int_equal(zs_backend_put(be, type, &name, zs_span_str("0123456789"), &err), 0);
		assert_int_equal(zs_backend_stat(be, type, &name, &bytes, &err), 1);
		assert_int_equal(bytes, 10);
		assert_int_equal(count(be, type), 1);
		assert_int_equal(zs_backend_put(be, type, &name, zs_span_str("other"), &err), -1);
		assert_int_equal(err.cause, ZS_EXISTS);
		assert_int_equal(zs_backend_get_all(be, type, &name, 10, &b, &err), 0);
		assert_true(zs_span_eq(zs_buf_span(&b), zs_span_str("0123456789")));
		if (type != ZS_OBJ_CONFIG)
			assert_int_equal(zs_backend_stat(be, type, &other, &bytes, &err), 0);
		zs_buf_fini(&b);
	}
	for (t = 0; t < ZS_OBJECTS; t++) {
		struct zs_name name = name_for((enum zs_object)t, 3);
		struct zs_err err = {0};

		assert_int_equal(count(be, (enum zs_object)t), 1);
		assert_int_equal(zs_backend_delete(be, (enum zs_object)t, &name, &err), 0);
		assert_int_equal(count(be, (enum zs_object)t), 0);
	}
	assert_non_null(zs_backend_describe(be));
}

static void every_range(void **state)
{
	struct zs_backend *be = ((struct fixture *)*state)->be;
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};
	struct zs_name name = name_of(1);
	uint8_t data[20];
	size_t at, n;
	int round;

	for (at = 0; at < sizeof(data); at++)
		data[at] = (uint8_t)(at + 100);
	for (round = 0; round < 2; round++) {
		enum zs_object type = round ? ZS_OBJ_PACK : ZS_OBJ_INDEX;

		assert_int_equal(zs_backend_put(be, type, &name, zs_span(data, sizeof(data)), &err), 0);
		for (at = 0; at <= 22; at++)
			for (n = 0; n <= 22; n++) {
				zs_buf_clear(&b);
				assert_int_equal(zs_buf_add(&b, "x", 1, &err), 0);
				if (at + n <= sizeof(data)) {
					assert_int_equal(zs_backend_get(be, type, &name, at, n, &b, &err), 0);
					assert_int_equal(b.n, n + 1);
					assert_true(n == 0 || memcmp(b.p + 1, data + at, n) == 0);
				} else {
					assert_int_equal(zs_backend_get(be, type, &name, at, n, &b, &err), -1);
					assert_int_equal(err.cause, ZS_CORRUPT);
					assert_int_equal(b.n, 1);
				}
			}
		/* lengths that wrap around are no reason to allocate */
		assert_int_equal(zs_backend_get(be, type, &name, 5, SIZE_MAX, &b, &err), -1);
		assert_int_equal(err.cause, ZS_CORRUPT);
		assert_int_equal(zs_backend_get(be, type, &name, UINT64_MAX - 3, 10, &b, &err), -1);
		assert_int_equal(err.cause, ZS_CORRUPT);
		for (n = 0; n < sizeof(data); n++) {
			assert_int_equal(zs_backend_get_all(be, type, &name, n, &b, &err), -1);
			assert_int_equal(err.cause, ZS_CORRUPT);
			assert_int_equal(b.n, 1);
		}
		assert_int_equal(zs_backend_get_all(be, type, &name, SIZE_MAX, &b, &err), 0);
		assert_int_equal(b.n, 1 + sizeof(data));
	}
	zs_buf_fini(&b);
}

static void piecewise(void **state)
{
	struct zs_backend *be = ((struct fixture *)*state)->be;
	struct zs_buf whole = ZS_BUF_INIT, b = ZS_BUF_INIT;
	struct zs_put *put, *second;
	struct zs_err err = {0};
	struct zs_name name = name_of(9);
	uint64_t bytes;
	size_t i;

	assert_int_equal(zs_backend_put_begin(be, ZS_OBJ_PACK, &put, &err), 0);
	assert_int_equal(zs_backend_put_begin(be, ZS_OBJ_PACK, &second, &err), 0);
	for (i = 0; i < 300; i++) {
		uint8_t part[300];

		memset(part, (int)i, sizeof(part));
		assert_int_equal(zs_backend_put_append(put, zs_span(part, i), &err), 0);
		assert_int_equal(zs_buf_add(&whole, part, i, &err), 0);
	}
	assert_int_equal(zs_backend_put_append(second, zs_span_str("late"), &err), 0);
	assert_int_equal(count(be, ZS_OBJ_PACK), 0);
	assert_int_equal(zs_backend_stat(be, ZS_OBJ_PACK, &name, &bytes, &err), 0);
	assert_int_equal(zs_backend_put_commit(put, &name, &err), 0);
	assert_int_equal(zs_backend_put_commit(second, &name, &err), -1);
	assert_int_equal(err.cause, ZS_EXISTS);
	assert_int_equal(zs_backend_get_all(be, ZS_OBJ_PACK, &name, 1 << 20, &b, &err), 0);
	assert_true(zs_span_eq(zs_buf_span(&b), zs_buf_span(&whole)));

	/* aborted, and empty */
	assert_int_equal(zs_backend_put_begin(be, ZS_OBJ_PACK, &put, &err), 0);
	assert_int_equal(zs_backend_put_append(put, zs_span_str("x"), &err), 0);
	zs_backend_put_abort(put);
	zs_backend_put_abort(NULL);
	assert_int_equal(count(be, ZS_OBJ_PACK), 1);
	name = name_of(10);
	assert_int_equal(zs_backend_put_begin(be, ZS_OBJ_KEY, &put, &err), 0);
	assert_int_equal(zs_backend_put_commit(put, &name, &err), 0);
	assert_int_equal(zs_backend_stat(be, ZS_OBJ_KEY, &name, &bytes, &err), 1);
	assert_int_equal(bytes, 0);
	zs_buf_clear(&b);
	assert_int_equal(zs_backend_get_all(be, ZS_OBJ_KEY, &name, 0, &b, &err), 0);
	assert_int_equal(b.n, 0);
	zs_buf_fini(&b);
	zs_buf_fini(&whole);
}

struct deleting {
	struct zs_backend *be;
	size_t n;
};

static int delete_it(void *ctx, const struct zs_name *name, uint64_t bytes, struct zs_err *err)
{
	struct deleting *d = ctx;

	(void)bytes;
	d->n++;
	return zs_backend_delete(d->be, ZS_OBJ_PACK, name, err);
}

static void lists(void **state)
{
	struct zs_backend *be = ((struct fixture *)*state)->be;
	struct zs_err err = {0};
	struct deleting deleting = {be, 0};
	struct seen s;
	size_t stop, k;
	unsigned i;

	for (i = 0; i < 40; i++) {
		struct zs_name name = name_of(i);

		assert_int_equal(zs_backend_put(be, ZS_OBJ_PACK, &name,
		    zs_span("................................................", i), &err), 0);
	}
	s = (struct seen){.stop_at = 64};
	assert_int_equal(zs_backend_list(be, ZS_OBJ_PACK, see, &s, &err), 0);
	assert_int_equal(s.n, 40);
	assert_int_equal(s.bytes, 39 * 40 / 2);
	for (i = 0; i < 40; i++) {
		struct zs_name name = name_of(i);

		for (k = 0; k < s.n && zs_name_cmp(&s.names[k], &name) != 0; k++)
			;
		assert_true(k < s.n);
	}
	/* the callback ends it wherever it likes, with its own error */
	for (stop = 0; stop < 40; stop++) {
		s = (struct seen){.stop_at = stop};
		assert_int_equal(zs_backend_list(be, ZS_OBJ_PACK, see, &s, &err), -1);
		assert_int_equal(err.cause, ZS_STOPPED);
		assert_int_equal(s.n, stop);
	}
	assert_int_equal(count(be, ZS_OBJ_INDEX), 0);
	/* and may delete what it is shown */
	assert_int_equal(zs_backend_list(be, ZS_OBJ_PACK, delete_it, &deleting, &err), 0);
	assert_int_equal(deleting.n, 40);
	assert_int_equal(count(be, ZS_OBJ_PACK), 0);
}

static void reserve(void **state)
{
	struct zs_backend *be = ((struct fixture *)*state)->be;
	struct zs_err err = {0};

	assert_int_equal(zs_backend_reserve_release(be, &err), 1);
	assert_int_equal(zs_backend_reserve_release(be, &err), 0);
	assert_int_equal(zs_backend_reserve_make(be, &err), 0);
	assert_int_equal(zs_backend_reserve_make(be, &err), 0);
	assert_int_equal(zs_backend_reserve_release(be, &err), 1);
	assert_int_equal(zs_backend_tidy(be, &err), 0);
}

/* ------------------------------------------------------------------ threads */

#define THREADS 6
#define ROUNDS 60
#define NAMES 40

struct race {
	struct zs_backend *be;
	atomic_int won, exists, wrong;
	atomic_uint seed;
};

static void fill(uint8_t data[static 3000], unsigned n)
{
	memset(data, (int)(n + 1), 3000);
}

/* everybody puts the same names: each is won once */
static void *put_all(void *arg)
{
	struct race *r = arg;
	uint8_t data[3000];
	unsigned i;

	for (i = 0; i < NAMES; i++) {
		struct zs_name name = name_of(i);
		struct zs_err err = {0};

		fill(data, i);
		if (zs_backend_put(r->be, ZS_OBJ_PACK, &name, zs_span(data, sizeof(data)), &err) == 0)
			atomic_fetch_add(&r->won, 1);
		else if (err.cause == ZS_EXISTS)
			atomic_fetch_add(&r->exists, 1);
		else
			atomic_fetch_add(&r->wrong, 1);
	}
	return NULL;
}

/* read, delete, put again, list: an answer is right or ZS_NOTFOUND or ZS_EXISTS */
static void *mix(void *arg)
{
	struct race *r = arg;
	unsigned seed = atomic_fetch_add(&r->seed, 1), i;

	for (i = 0; i < ROUNDS * 4; i++) {
		unsigned n = (unsigned)rand_r(&seed) % NAMES, at = (unsigned)rand_r(&seed) % 2000;
		struct zs_name name = name_of(n);
		struct zs_buf b = ZS_BUF_INIT;
		struct zs_err err = {0};
		uint8_t data[3000];
		uint64_t bytes = 3000;
		struct seen s = {.stop_at = 64};

		fill(data, n);
		switch (rand_r(&seed) % 8) {
		case 0:
			if (zs_backend_delete(r->be, ZS_OBJ_PACK, &name, &err) < 0 && err.cause != ZS_NOTFOUND)
				atomic_fetch_add(&r->wrong, 1);
			break;
		case 1:
			if (zs_backend_put(r->be, ZS_OBJ_PACK, &name, zs_span(data, 3000), &err) < 0 &&
			    err.cause != ZS_EXISTS)
				atomic_fetch_add(&r->wrong, 1);
			break;
		case 2:
			if (zs_backend_stat(r->be, ZS_OBJ_PACK, &name, &bytes, &err) < 0 || bytes != 3000)
				atomic_fetch_add(&r->wrong, 1);
			break;
		case 3:
			if (i % 8 == 0 && zs_backend_list(r->be, ZS_OBJ_PACK, see, &s, &err) < 0)
				atomic_fetch_add(&r->wrong, 1);
			break;
		default:
			if (zs_backend_get(r->be, ZS_OBJ_PACK, &name, at, 1000, &b, &err) < 0)
				atomic_fetch_add(&r->wrong, err.cause != ZS_NOTFOUND);
			else if (memcmp(b.p, data, 1000) != 0)
				atomic_fetch_add(&r->wrong, 1);
		}
		zs_buf_fini(&b);
	}
	return NULL;
}

static void run_threads(struct race *r, void *(*fn)(void *))
{
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fn, r), 0);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void many_threads(void **state)
{
	struct race r = {.be = ((struct fixture *)*state)->be};

	run_threads(&r, put_all);
	assert_int_equal(atomic_load(&r.won), NAMES);
	assert_int_equal(atomic_load(&r.exists), (THREADS - 1) * NAMES);
	assert_int_equal(count(r.be, ZS_OBJ_PACK), NAMES);
	run_threads(&r, mix);
	assert_int_equal(atomic_load(&r.wrong), 0);
}

#define ALL(setup) \
	cmocka_unit_test_setup_teardown(one_object_of_each_type, setup, teardown), \
	cmocka_unit_test_setup_teardown(every_range, setup, teardown), \
	cmocka_unit_test_setup_teardown(piecewise, setup, teardown), \
	cmocka_unit_test_setup_teardown(lists, setup, teardown), \
	cmocka_unit_test_setup_teardown(reserve, setup, teardown), \
	cmocka_unit_test_setup_teardown(many_threads, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {ALL(setup_local), ALL(setup_mem), ALL(setup_faulty), ALL(setup_record)};

	return cmocka_run_group_tests(tests, scratch_make, scratch_drop);
}
