/*
 * The pipeline against its own thread-less version: order, bounds, failure of
 * every stage at every job, and that nothing is lost or freed twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "zstore/pipeline.h"

struct rig {
	atomic_int jobs_alive, results_alive, states_alive;
	unsigned emit_per_job, fail_work_at, fail_sink_at, fail_new_at;
	atomic_uint states_made;
	size_t weight;
	uint32_t *seen; /* job << 8 | part, as sunk */
	size_t seen_count, seen_cap;
};

struct item {
	uint32_t job, part;
};

static int rig_worker_new(void *ctx, void **out, struct zs_err *err)
{
	struct rig *r = ctx;

	if (atomic_fetch_add(&r->states_made, 1) == r->fail_new_at)
		return zs_fail(err, ZS_NOMEM, "no state");
	*out = malloc(1);
	atomic_fetch_add(&r->states_alive, 1);
	return 0;
}

static void rig_worker_free(void *ctx, void *state)
{
	struct rig *r = ctx;

	free(state);
	atomic_fetch_sub(&r->states_alive, 1);
}

static void rig_job_free(void *ctx, void *job)
{
	atomic_fetch_sub(&((struct rig *)ctx)->jobs_alive, 1);
	free(job);
}

static void rig_result_free(void *ctx, void *result)
{
	atomic_fetch_sub(&((struct rig *)ctx)->results_alive, 1);
	free(result);
}

static int rig_work(void *ctx, void *state, void *job, struct zs_emitter *out, struct zs_err *err)
{
	struct rig *r = ctx;
	uint32_t n = ((struct item *)job)->job;
	int rc = 0;

	assert_non_null(state);
	if (n % 7 == 3) {
		struct timespec t = {0, 200000};
		(void)nanosleep(&t, NULL); /* finish out of order */
	}
	if (n == r->fail_work_at)
		rc = zs_fail(err, ZS_SOURCE, "job %u", n);
	for (uint32_t i = 0; rc == 0 && i < r->emit_per_job; i++) {
		struct item *it = malloc(sizeof *it);

		*it = (struct item){n, i};
		atomic_fetch_add(&r->results_alive, 1);
		rc = zs_pipeline_emit(out, it, r->weight, err);
	}
	rig_job_free(r, job);
	return rc;
}

static int rig_sink(void *ctx, void *result, struct zs_err *err)
{
	struct rig *r = ctx;
	struct item *it = result;
	uint32_t n = it->job;

	assert_true(r->seen_count < r->seen_cap);
	r->seen[r->seen_count++] = it->job << 8 | it->part;
	rig_result_free(r, it);
	if (n == r->fail_sink_at)
		return zs_fail(err, ZS_IO, "sink %u", n);
	return 0;
}

static int run(struct rig *r, unsigned workers, unsigned jobs, unsigned max_jobs, size_t budget, struct zs_err *err)
{
	struct zs_pipeline_ops ops = {r, rig_worker_new, rig_worker_free, rig_work, rig_sink, rig_job_free, rig_result_free};
	struct zs_pipeline *p = NULL;
	struct zs_err late = {0};
	int rc = 0;

	r->seen_cap = (size_t)jobs * r->emit_per_job + 1;
	r->seen = calloc(r->seen_cap, sizeof *r->seen);
	r->seen_count = 0;
	if (zs_pipeline_new(&ops, workers, max_jobs, budget, &p, err) < 0)
		return -1;
	for (uint32_t i = 0; rc == 0 && i < jobs; i++) {
		struct item *it = malloc(sizeof *it);

		*it = (struct item){i, 0};
		atomic_fetch_add(&r->jobs_alive, 1);
		rc = zs_pipeline_push(p, it, err);
	}
	if (zs_pipeline_close(&p, &late) < 0 && rc == 0) {
		*err = late;
		rc = -1;
	}
	assert_null(p);
	return rc;
}

static void assert_clean(struct rig *r)
{
	assert_int_equal(atomic_load(&r->jobs_alive), 0);
	assert_int_equal(atomic_load(&r->results_alive), 0);
	assert_int_equal(atomic_load(&r->states_alive), 0);
	free(r->seen);
	r->seen = NULL;
}

static void order_is_that_of_pushing(void **unused)
{
	(void)unused;
	for (unsigned workers = 0; workers <= 4; workers++) {
		for (unsigned emits = 0; emits <= 3; emits++) {
			struct rig r = {.emit_per_job = emits, .weight = 10, .fail_work_at = -1u, .fail_sink_at = -1u, .fail_new_at = -1u};
			struct zs_err err = {0};

			assert_int_equal(run(&r, workers, 200, 5, 40, &err), 0);
			assert_int_equal(r.seen_count, 200 * emits);
			for (size_t i = 0; i < r.seen_count; i++)
				assert_int_equal(r.seen[i], (i / emits) << 8 | i % emits);
			assert_clean(&r);
		}
	}
}

static void one_heavy_result_passes_a_small_budget(void **unused)
{
	struct rig r = {.emit_per_job = 50, .weight = 1000, .fail_work_at = -1u, .fail_sink_at = -1u, .fail_new_at = -1u};
	struct zs_err err = {0};

	(void)unused;
	assert_int_equal(run(&r, 3, 20, 3, 1, &err), 0);
	assert_int_equal(r.seen_count, 1000);
	assert_clean(&r);
}

static void failure_anywhere_frees_everything(void **unused)
{
	(void)unused;
	for (unsigned at = 0; at < 30; at++) {
		for (unsigned workers = 0; workers <= 3; workers++) {
			struct rig a = {.emit_per_job = 2, .weight = 10, .fail_work_at = at, .fail_sink_at = -1u, .fail_new_at = -1u};
			struct rig b = {.emit_per_job = 2, .weight = 10, .fail_work_at = -1u, .fail_sink_at = at, .fail_new_at = -1u};
			struct zs_err err = {0};

			assert_int_equal(run(&a, workers, 30, 4, 30, &err), -1);
			assert_int_equal(err.cause, ZS_SOURCE);
			assert_clean(&a);
			assert_int_equal(run(&b, workers, 30, 4, 30, &err), -1);
			assert_int_equal(err.cause, ZS_IO);
			assert_clean(&b);
		}
	}
}

static void a_worker_that_cannot_start_is_an_error(void **unused)
{
	(void)unused;
	for (unsigned at = 0; at < 3; at++) {
		struct rig r = {.emit_per_job = 1, .fail_work_at = -1u, .fail_sink_at = -1u, .fail_new_at = at};
		struct zs_err err = {0};

		assert_int_equal(run(&r, 3, 1, 1, 1, &err), -1);
		assert_int_equal(err.cause, ZS_NOMEM);
		assert_clean(&r);
	}
}

static void fail_from_outside_stops_it(void **unused)
{
	struct rig r = {.emit_per_job = 1, .weight = 1, .fail_work_at = -1u, .fail_sink_at = -1u, .fail_new_at = -1u};
	struct zs_pipeline_ops ops = {&r, rig_worker_new, rig_worker_free, rig_work, rig_sink, rig_job_free, rig_result_free};
	struct zs_pipeline *p = NULL;
	struct zs_err why = {0}, err = {0};
	struct item *it = malloc(sizeof *it);

	(void)unused;
	r.seen_cap = 10;
	r.seen = calloc(10, sizeof *r.seen);
	assert_int_equal(zs_pipeline_new(&ops, 2, 2, 100, &p, &err), 0);
	(void)zs_fail(&why, ZS_STOPPED, "enough");
	zs_pipeline_fail(p, &why);
	(void)zs_fail(&why, ZS_IO, "later");
	zs_pipeline_fail(p, &why);
	*it = (struct item){0, 0};
	atomic_fetch_add(&r.jobs_alive, 1);
	assert_int_equal(zs_pipeline_push(p, it, &err), -1);
	assert_int_equal(err.cause, ZS_STOPPED);
	assert_int_equal(zs_pipeline_drain(p, &err), -1);
	assert_int_equal(zs_pipeline_close(&p, &err), -1);
	assert_int_equal(err.cause, ZS_STOPPED);
	assert_clean(&r);
}

static void drain_waits_for_the_sink(void **unused)
{
	struct rig r = {.emit_per_job = 3, .weight = 1, .fail_work_at = -1u, .fail_sink_at = -1u, .fail_new_at = -1u};
	struct zs_pipeline_ops ops = {&r, rig_worker_new, rig_worker_free, rig_work, rig_sink, rig_job_free, rig_result_free};
	struct zs_pipeline *p = NULL;
	struct zs_err err = {0};

	(void)unused;
	r.seen_cap = 100;
	r.seen = calloc(100, sizeof *r.seen);
	assert_int_equal(zs_pipeline_new(&ops, 2, 2, 100, &p, &err), 0);
	for (uint32_t i = 0; i < 10; i++) {
		struct item *it = malloc(sizeof *it);

		*it = (struct item){i, 0};
		atomic_fetch_add(&r.jobs_alive, 1);
		assert_int_equal(zs_pipeline_push(p, it, &err), 0);
		if (i % 3 == 0) {
			assert_int_equal(zs_pipeline_drain(p, &err), 0);
			assert_int_equal(r.seen_count, (i + 1) * 3);
		}
	}
	assert_int_equal(zs_pipeline_close(&p, &err), 0);
	assert_clean(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(order_is_that_of_pushing),
	    cmocka_unit_test(one_heavy_result_passes_a_small_budget),
	    cmocka_unit_test(failure_anywhere_frees_everything),
	    cmocka_unit_test(a_worker_that_cannot_start_is_an_error),
	    cmocka_unit_test(fail_from_outside_stops_it),
	    cmocka_unit_test(drain_waits_for_the_sink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
