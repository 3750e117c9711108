/*
 * Check: objects, then packs (if data are to be read), then the trees of all snapshots with everything that they refer
 * to.  This file runs the parts and reports; what is damaged is named and never stops it.
 */
#include "check_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------- findings */

struct check_job *check_job_new(void)
{
	return calloc(1, sizeof(struct check_job));
}

void check_job_free(void *ctx, void *job)
{
	struct check_job *j = job;

	(void)ctx;
	if (!j)
		return;
	zs_buf_fini(&j->findings);
	free(j);
}

int check_job_find(struct check_job *job, const struct check_finding *f, struct zs_span path, const struct zs_err *why,
    struct zs_err *err)
{
	struct check_finding copy = *f;
	size_t before = job->findings.n;

	copy.path_bytes = path.n;
	copy.text_bytes = strlen(why->text);
	if (zs_buf_add(&job->findings, &copy, sizeof(copy), err) < 0 ||
	    zs_buf_add_span(&job->findings, path, err) < 0 ||
	    zs_buf_add(&job->findings, why->text, copy.text_bytes, err) < 0) {
		job->findings.n = before;
		return -1;
	}
	return 0;
}

static int remember(struct check *c, const struct check_finding *f, struct zs_span path, struct zs_err *err)
{
	struct check_bad *bad;

	if (f->about == CHECK_OTHER)
		return 0;
	if (c->bad_count == CHECK_BAD_MAX) {
		c->bad_lost = 1;
		return 0;
	}
	if (!c->bad && !(c->bad = calloc(CHECK_BAD_MAX, sizeof(*c->bad))))
		return zs_fail_nomem(err);
	bad = &c->bad[c->bad_count];
	bad->about = f->about;
	bad->snapshot = f->snapshot;
	bad->node = f->node;
	bad->path = path.n ? strndup((const char *)path.p, path.n) : calloc(1, 1);
	if (!bad->path)
		return zs_fail_nomem(err);
	c->bad_count++;
	return 0;
}

static int tell(struct check *c, const char *text, struct zs_err *err)
{
	c->report->findings++;
	if (c->settings->finding && c->settings->finding(c->settings->ctx, text) < 0)
		return zs_fail(err, ZS_STOPPED, "stopped");
	return 0;
}

int check_sink(void *ctx, void *job, struct zs_err *err)
{
	struct check *c = ctx;
	struct check_job *j = job;
	struct zs_span rest = zs_buf_span(&j->findings), path;
	const struct zs_observer *o = c->settings->observer;
	struct check_finding f;
	char text[sizeof(err->text)];
	int rc = 0;

	while (rc == 0 && rest.n > 0) {
		memcpy(&f, rest.p, sizeof(f));
		path = zs_span(rest.p + sizeof(f), f.path_bytes);
		memcpy(text, path.p + path.n, f.text_bytes);
		text[f.text_bytes] = '\0';
		rest = zs_span(path.p + path.n + f.text_bytes, rest.n - sizeof(f) - f.path_bytes - f.text_bytes);
		rc = tell(c, text, err) < 0 || remember(c, &f, path, err) < 0 ? -1 : 0;
	}
	c->progress.files += j->files;
	c->progress.bytes += j->bytes;
	c->progress.problems = c->report->findings;
	if (o && o->progress)
		o->progress(o->ctx, &c->progress);
	check_job_free(NULL, j);
	return rc;
}

int check_say(
    struct check *c, const struct check_finding *f, struct zs_span path, const struct zs_err *why, struct zs_err *err)
{
	struct check_job *j = check_job_new();

	if (!j)
		return zs_fail_nomem(err);
	if (check_job_find(j, f, path, why, err) < 0) {
		check_job_free(NULL, j);
		return -1;
	}
	return c->joining ? zs_pipeline_push(c->joining, j, err) : check_sink(c, j, err);
}

int check_is_finding(const struct zs_err *e)
{
	return e->cause == ZS_CORRUPT || e->cause == ZS_IO || e->cause == ZS_NOTFOUND || e->cause == ZS_VERSION;
}

int check_stopped(const struct check *c, struct zs_err *err)
{
	const struct zs_observer *o = c->settings->observer;

	return o && o->stop && o->stop(o->ctx) ? zs_fail(err, ZS_STOPPED, "stopped") : 0;
}

const char *check_label(const struct check *c, size_t snapshot, char out[static 24])
{
	char hex[ZS_NAME_HEX];

	(void)snprintf(out, 24, "snapshot %.12s", zs_name_hex(&c->snapshots.v[snapshot].name, hex));
	return out;
}

/* ------------------------------------------------------------------------ places */

int check_locate(struct check *c, const struct zs_id *id, struct zs_location *out, struct zs_err *err)
{
	int got = zs_store_locate(c->reader, id, out, err);

	if (got <= 0 || out->pack >= c->packs || !(c->missing[out->pack / 8] >> (out->pack % 8) & 1))
		return got;
	if (zs_index_view_refresh(c->view, err) < 0)
		return -1;
	return zs_index_get(c->view, id, c->missing, c->packs, out, err);
}

int check_bit(struct check *c, const struct zs_location *at, uint64_t *out, struct zs_err *err)
{
	struct zs_index_pack_info info;

	if (zs_index_pack_info(zs_store_index(c->store), at->pack, &info, err) < 0)
		return -1;
	*out = info.first_bit + at->chunk_number;
	return *out < c->chunks;
}

static int on_pack(void *ctx, const struct zs_name *name, uint64_t bytes, struct zs_err *err)
{
	struct check *c = ctx;
	struct zs_index *ix = zs_store_index(c->store);
	struct zs_index_pack_info info;
	uint32_t ordinal;
	int got = zs_index_pack_find(ix, name, &ordinal, err);

	if (got <= 0 || ordinal >= c->packs)
		return got < 0 ? -1 : 0;
	if (zs_index_pack_info(ix, ordinal, &info, err) < 0)
		return -1;
	if (info.stored_bytes == bytes) {
		c->missing[ordinal / 8] &= (uint8_t) ~(1u << (ordinal % 8));
		c->report->packs++;
	}
	return 0;
}

/* ----------------------------------------------------------------------- the run */

static int on_object_finding(void *ctx, const char *text)
{
	struct zs_err err;

	return tell(ctx, text, &err);
}

static int check_objects(struct check *c, struct zs_err *err)
{
	c->progress = (struct zs_progress){.phase = "objects"};
	if (zs_store_check_objects(c->store, on_object_finding, c, &c->report->unreferenced_packs, err) < 0)
		return -1;
	return check_stopped(c, err);
}

static int list_snapshots(struct check *c, struct zs_err *err)
{
	struct zs_names damaged = {0};
	char text[160], hex[ZS_NAME_HEX];
	int rc = zs_store_snapshots(c->store, &c->snapshots, &damaged, err);

	for (size_t i = 0; rc == 0 && i < damaged.n; i++) {
		(void)snprintf(text, sizeof(text), "snapshot %.12s: is damaged: what it holds cannot be known",
		    zs_name_hex(&damaged.v[i], hex));
		rc = tell(c, text, err);
	}
	c->report->snapshots = c->snapshots.n;
	zs_names_fini(&damaged);
	return rc;
}

/* The index as it is now, and which of its packs exist. */
static int look_around(struct check *c, struct zs_err *err)
{
	struct zs_index *ix;

	if (zs_store_reader_new(c->store, CHECK_CACHE_BYTES, &c->reader, err) < 0)
		return -1;
	ix = zs_store_index(c->store);
	if (zs_index_view_new(ix, &c->view, err) < 0)
		return -1;
	c->packs = zs_index_pack_count(ix);
	c->chunks = zs_index_chunk_total(ix);
	c->missing = malloc(c->packs / 8 + 1);
	c->seen = calloc(c->chunks / 8 + 1, 1);
	if (!c->missing || !c->seen)
		return zs_fail_nomem(err);
	memset(c->missing, 0xff, c->packs / 8 + 1);
	return zs_backend_list(zs_store_backend(c->store), ZS_OBJ_PACK, on_pack, c, err);
}

static int run(struct check *c, struct zs_err *err)
{
	struct zs_err later;
	int rc;

	if (check_objects(c, err) < 0 || list_snapshots(c, err) < 0 || look_around(c, err) < 0)
		return -1;
	if (c->settings->read_data && check_packs(c, err) < 0)
		return -1;
	c->progress = (struct zs_progress){.phase = c->settings->read_data ? "files" : "trees"};
	rc = c->settings->read_data ? check_join_begin(c, err) : 0;
	if (rc == 0)
		rc = check_trees(c, err);
	if (rc == 0 && c->joining)
		rc = check_join_finish(c, err);
	if (check_join_end(c, rc < 0 ? &later : err) < 0)
		rc = -1;
	return rc < 0 ? -1 : check_shared(c, err);
}

int zs_check(struct zs_store *st, const struct zs_check_settings *s, struct zs_check_report *out, struct zs_err *err)
{
	struct zs_check_report report = {0};
	struct check c = {.store = st, .settings = s, .report = &report};
	int rc = run(&c, err);

	for (size_t i = 0; i < c.bad_count; i++)
		free(c.bad[i].path);
	free(c.bad);
	free(c.missing);
	free(c.seen);
	zs_buf_fini(&c.plain);
	zs_buf_fini(&c.not_dir);
	if (c.view)
		zs_index_view_free(c.view);
	zs_store_reader_free(c.reader);
	zs_snapshot_list_fini(&c.snapshots);
	if (rc == 0)
		*out = report;
	return rc;
}
