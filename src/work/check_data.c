/*
 * The part of a check that reads everything, in parallel: packs as they are stored, and files put together again from
 * what the packs hold, down to their checksums.
 */
#include "check_private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PACK_FINDINGS 20
#define JOB_BYTES (4u << 20)        /* content of one job's files */
#define JOB_ENTRY_BYTES (64u << 10) /* their entries */

static unsigned workers(const struct check *c)
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

static int begin(struct check *c, int (*work)(void *, void *, void *, struct zs_emitter *, struct zs_err *),
    struct zs_pipeline **out, struct zs_err *err)
{
	const struct zs_pipeline_ops ops = {
	    .ctx = c,
	    .worker_new = worker_new,
	    .worker_free = worker_free,
	    .work = work,
	    .sink = check_sink,
	    .job_free = check_job_free,
	    .result_free = check_job_free,
	};
	unsigned n = workers(c);

	return zs_pipeline_new(&ops, n, 4 * n, 8u << 20, out, err);
}

/* ------------------------------------------------------------------------- packs */

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
	int rc = begin(c, work_pack, &p, err);

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

/* ------------------------------------------------------------------------- files */

static int chunk(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err)
{
	return zs_store_read(ctx, id, out, err);
}

static int discard(void *ctx, struct zs_span bytes, struct zs_err *err)
{
	(void)ctx;
	(void)bytes;
	(void)err;
	return 0;
}

static int discard_hole(void *ctx, uint64_t bytes, struct zs_err *err)
{
	(void)ctx;
	(void)bytes;
	(void)err;
	return 0;
}

struct file { /* one record of a job */
	struct zs_id leaf;
	struct zs_span path, entry;
};

static int join(
    struct check *c, struct zs_store_reader *r, struct check_job *j, const struct file *file, struct zs_err *err)
{
	const struct zs_join_io io = {.ctx = r, .chunk = chunk, .write = discard, .hole = discard_hole};
	const struct check_finding f = {.about = CHECK_FILE, .snapshot = j->snapshot, .node = file->leaf};
	struct zs_span path = file->path;
	struct zs_err why = {0};
	struct zs_entry e;
	char label[24];

	if (zs_format_entry_decode(file->entry, &e, &why) == 0 && zs_mail_join(&e, &io, &why) == 0)
		return 0;
	if (!check_is_finding(&why)) {
		*err = why;
		return -1;
	}
	(void)zs_context(&why, "%s: %.*s", check_label(c, j->snapshot, label), (int)(path.n < 200 ? path.n : 200),
	    (const char *)path.p);
	return check_job_find(j, &f, path, &why, err);
}

static struct zs_span take(struct zs_span *rest, size_t n)
{
	struct zs_span s = zs_span(rest->p, n);

	*rest = zs_span(rest->p + n, rest->n - n);
	return s;
}

static struct zs_span take_sized(struct zs_span *rest)
{
	return take(rest, zs_get_u32(take(rest, 4).p));
}

static int work_join(void *ctx, void *state, void *job, struct zs_emitter *out, struct zs_err *err)
{
	struct check_job *j = job;
	struct zs_span rest = zs_buf_span(&j->entries);
	struct file file;

	while (rest.n) {
		memcpy(file.leaf.b, take(&rest, ZS_ID_BYTES).p, ZS_ID_BYTES);
		file.path = take_sized(&rest);
		file.entry = take_sized(&rest);
		if (join(ctx, state, j, &file, err) < 0) {
			check_job_free(NULL, j);
			return -1;
		}
	}
	zs_buf_fini(&j->entries);
	return zs_pipeline_emit(out, j, sizeof(*j) + j->findings.n, err);
}

int check_join_begin(struct check *c, struct zs_err *err)
{
	return begin(c, work_join, &c->joining, err);
}

static int push_job(struct check *c, struct zs_err *err)
{
	struct check_job *j = c->job;

	c->job = NULL;
	return j ? zs_pipeline_push(c->joining, j, err) : 0;
}

static int add(struct zs_buf *b, struct zs_span s, struct zs_err *err)
{
	if (s.n > UINT32_MAX)
		return zs_fail(err, ZS_LIMIT, "an entry of %zu bytes", s.n);
	return zs_buf_add_u32(b, (uint32_t)s.n, err) < 0 ? -1 : zs_buf_add_span(b, s, err);
}

int check_join_add(struct check *c, struct zs_span path, struct zs_span entry, uint64_t size, struct zs_err *err)
{
	if (c->job && c->job->snapshot != c->snapshot && push_job(c, err) < 0)
		return -1;
	if (!c->job && !(c->job = check_job_new()))
		return zs_fail_nomem(err);
	c->job->snapshot = c->snapshot;
	if (zs_buf_add(&c->job->entries, c->node.b, ZS_ID_BYTES, err) < 0 || add(&c->job->entries, path, err) < 0 ||
	    add(&c->job->entries, entry, err) < 0)
		return -1;
	c->job->files++;
	if (__builtin_add_overflow(c->job->bytes, size, &c->job->bytes))
		c->job->bytes = UINT64_MAX;
	return c->job->bytes >= JOB_BYTES || c->job->entries.n >= JOB_ENTRY_BYTES ? push_job(c, err) : 0;
}

int check_join_end(struct check *c, struct zs_err *err)
{
	struct zs_err later;
	int rc = push_job(c, err);

	if (zs_pipeline_close(&c->joining, rc < 0 ? &later : err) < 0)
		rc = -1;
	return rc;
}
