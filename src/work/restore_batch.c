/*
 * Hands list entries to workers, some dozens at a time: for what is done to each file on its own, in any order.
 */
#include <stdlib.h>

#include "restore_private.h"

#define BATCH_ITEMS 64
#define BATCH_BYTES (128u << 10)

static void job_free(void *ctx, void *job)
{
	(void)ctx;
	if (job)
		zs_buf_fini(job);
	free(job);
}

static int work(void *ctx, void *state, void *job, struct zs_emitter *out, struct zs_err *err)
{
	struct batches *b = ctx;
	struct zs_buf *items = job;
	struct zs_span rest = zs_buf_span(items);
	int rc = 0;

	(void)state;
	(void)out;
	while (rc == 0 && rest.n) {
		struct list_entry e;

		rc = restore_list_unpack(&rest, &e, err);
		if (rc == 0)
			rc = b->ops.item(b->ops.r, &e, err);
	}
	job_free(NULL, job);
	return rc;
}

static int sink(void *ctx, void *result, struct zs_err *err)
{
	(void)ctx;
	(void)result;
	(void)err;
	return 0;
}

int restore_batches_init(struct batches *b, const struct batch_ops *ops, struct zs_err *err)
{
	const struct zs_pipeline_ops table = {.ctx = b, .work = work, .sink = sink, .job_free = job_free,
	    .result_free = job_free};

	*b = (struct batches){.ops = *ops};
	return zs_pipeline_new(&table, ops->threads, ops->threads * 4, 1 << 20, &b->pipeline, err);
}

static int push(struct batches *b, struct zs_err *err)
{
	struct zs_buf *job = b->job;

	b->job = NULL;
	b->count = 0;
	if (!job)
		return 0;
	if (restore_stopped(b->ops.r, err) < 0) {
		job_free(NULL, job);
		return -1;
	}
	return zs_pipeline_push(b->pipeline, job, err);
}

int restore_batches_add(struct batches *b, struct list_place place, struct zs_span path, struct zs_span encoded,
    struct zs_err *err)
{
	if (!b->job) {
		b->job = calloc(1, sizeof *b->job);
		if (!b->job)
			return zs_fail_nomem(err);
	}
	if (restore_list_pack(b->job, place, path, encoded, err) < 0)
		return -1;
	return ++b->count >= BATCH_ITEMS || b->job->n >= BATCH_BYTES ? push(b, err) : 0;
}

int restore_batches_end(struct batches *b, struct zs_err *err)
{
	struct zs_err second = {0};
	int rc = b->pipeline ? push(b, err) : 0;

	job_free(NULL, b->job);
	b->job = NULL;
	if (b->pipeline && zs_pipeline_close(&b->pipeline, rc < 0 ? &second : err) < 0)
		rc = -1;
	return rc;
}
