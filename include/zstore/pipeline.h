/*
 * pipeline: ordered parallel work, and the only user of threads.
 *
 * Jobs are pushed by one thread, worked on by several, and their results are
 * consumed by one more thread strictly in the order in which the jobs were
 * pushed, so the number of workers cannot change what comes out.  A job may
 * emit any number of results; memory is bounded by the byte budget: workers
 * whose job is not the oldest wait when the results that are held reach it.
 * With zero workers everything runs in zs_pipeline_push, without a thread: the
 * reference that tests compare with.
 */
#ifndef ZSTORE_PIPELINE_H
#define ZSTORE_PIPELINE_H

#include "zstore/base.h"

struct zs_pipeline;
struct zs_emitter; /* where a worker puts the results of its job */

struct zs_pipeline_ops {
	void *ctx; /* given to all */
	/* Per-worker state (codec contexts ...); may be NULL both. */
	int (*worker_new)(void *ctx, void **out_state, struct zs_err *err);
	void (*worker_free)(void *ctx, void *state);
	/* Work on a job (consumed); call zs_pipeline_emit for each result.  Runs in many threads. */
	int (*work)(void *ctx, void *state, void *job, struct zs_emitter *out, struct zs_err *err);
	/* Take one result (consumed), in order.  Runs in one thread at a time. */
	int (*sink)(void *ctx, void *result, struct zs_err *err);
	/* Destroy what was never worked on / never sunk, after a failure. */
	void (*job_free)(void *ctx, void *job);
	void (*result_free)(void *ctx, void *result);
};

/*
 *   workers       0..64
 *   max_jobs      jobs pushed and not yet finished, >= 1: push waits
 *   budget_bytes  sum of weights of results waiting for their turn
 * ops is copied.  0, or -1: ZS_NOMEM, ZS_SYSTEM (no thread), or what worker_new said.
 */
int zs_pipeline_new(const struct zs_pipeline_ops *ops, unsigned workers, unsigned max_jobs, size_t budget_bytes,
    struct zs_pipeline **out, struct zs_err *err) ZS_MUST_USE;
/* Hand a job over (consumed whatever the outcome: job_free is called on failure).  -1 with the first error if
 * a stage has failed: stop pushing and close. */
int zs_pipeline_push(struct zs_pipeline *p, void *job, struct zs_err *err) ZS_MUST_USE;
/* From work only: hand over one result (consumed).  weight in bytes.  -1 if the pipeline failed: return. */
int zs_pipeline_emit(struct zs_emitter *out, void *result, size_t weight, struct zs_err *err) ZS_MUST_USE;
/* Wait until everything that was pushed has been sunk (used by the pusher).  0, or -1 with the first error. */
int zs_pipeline_drain(struct zs_pipeline *p, struct zs_err *err) ZS_MUST_USE;
/* From any thread, also another pipeline's: stop every stage; the first error is kept. */
void zs_pipeline_fail(struct zs_pipeline *p, const struct zs_err *why);
/* Drain, stop the threads, free; *p becomes NULL.  0, or -1 with the first error of any stage. */
int zs_pipeline_close(struct zs_pipeline **p, struct zs_err *err) ZS_MUST_USE;

#endif
