/*
 * Packs read in full, in parallel: seals, ids of chunks, directories.  What a pack means is left to check_tree.c.
 */
#include "check_private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PACK_FINDINGS 20

unsigned check_workers(const struct check *c)
{
	long n = c->settings->threads ? (long)c->settings->threads : sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

static int worker_new(void *ctx, void **out_state, struct zs_err *err)
{
	struct check *c = ctx;
	struct zs_store_reader *r;

	if (zs_store_reader_new(c->store, CHECK_CACHE_BYTES, &r, err) < 0)
		return -1;
	*out_state = r;
	return 0;
}

static void worker_free(void *ctx, void *state)
{
	(void)ctx;
	zs_store_reader_free(state);
}

static int on_pack_finding(void *ctx, const char *text)
{
	struct check_job *j = ctx;
	const struct check_finding f = {.about = CHECK_OTHER};
	struct zs_err why = {0}, err;

	if (j->more || j->findings.n > PACK_FINDINGS * sizeof(why.text)) {
		j->more++; /* a pack has thousands of chunks: enough is enough */
		return 0;
	}
	(void)zs_fail(&why, ZS_CORRUPT, "%s", text);
	return check_job_find(j, &f, zs_span(NULL, 0), &why, &err);
}

static int work_pack(void *ctx, void *state, void *job, struct zs_emitter *out, struct zs_err *err)
{
	struct check *c = ctx;
	struct check_job *j = job;
	struct zs_index_pack_info info;
	struct zs_err why = {0};
	char hex[ZS_NAME_HEX];
	int rc = zs_index_pack_info(zs_store_index(c->store), j->pack, &info, err);

	if (rc == 0 && zs_store_check_pack(state, j->pack, on_pack_finding, j, &j->bytes, &why) < 0) {
		(void)zs_context(&why, "pack %s", zs_name_hex(&info.name, hex));
		if (check_is_finding(&why)) {
			(void)on_pack_finding(j, why.text);
		} else {
			*err = why;
			rc = -1;
		}
	}
	if (rc == 0 && j->more) {
		const struct check_finding f = {.about = CHECK_OTHER};

		(void)zs_fail(&why, ZS_CORRUPT, "pack %s: and %u more findings", zs_name_hex(&info.name, hex), j->more);
		rc = check_job_find(j, &f, zs_span(NULL, 0), &why, err);
	}
	if (rc < 0) {
		check_job_free(NULL, j);
		return -1;
	}
	return zs_pipeline_emit(out, j, sizeof(*j) + j->findings.n, err);
}

static int begin(struct check *c, struct zs_pipeline **out, struct zs_err *err)
{
	const struct zs_pipeline_ops ops = {
	    .ctx = c,
	    .worker_new = worker_new,
	    .worker_free = worker_free,
	    .work = work_pack,
	    .sink = check_sink,
	    .job_free = check_job_free,
	    .result_free = check_job_free,
	};
	unsigned n = check_workers(c);

	return zs_pipeline_new(&ops, n, 4 * n, 8u << 20, out, err);
}

static int push_pack(struct check *c, struct zs_pipeline *p, uint32_t ordinal, struct zs_err *err)
{
	struct zs_index_pack_info info;
	struct check_job *j;

	if (c->missing[ordinal / 8] >> (ordinal % 8) & 1) /* reported */
		return 0;
	if (zs_index_pack_info(zs_store_index(c->store), ordinal, &info, err) < 0)
		return -1;
	if (info.dead)
		return 0;
	j = check_job_new();
	if (!j)
		return zs_fail_nomem(err);
	j->pack = ordinal;
	return zs_pipeline_push(p, j, err);
}

int check_packs(struct check *c, struct zs_err *err)
{
	struct zs_pipeline *p = NULL;
	struct zs_err later;
	int rc = begin(c, &p, err);

	c->progress = (struct zs_progress){.phase = "packs"};
	for (uint32_t i = 0; rc == 0 && i < c->packs; i++)
		rc = check_stopped(c, err) < 0 ? -1 : push_pack(c, p, i, err);
	if (p && rc < 0)
		zs_pipeline_fail(p, err);
	if (p && zs_pipeline_close(&p, rc < 0 ? &later : err) < 0)
		rc = -1;
	c->report->bytes = c->progress.bytes;
	return rc;
}
