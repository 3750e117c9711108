/*
 * A backup from end to end: scan -> readers -> sink -> pressers -> packs, then the
 * snapshot.  Threads belong to the two pipelines; this file opens, joins and
 * closes them, and decides what a failure or a wish to stop leaves behind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup_private.h"

#define READER_CACHE_BYTES (16u << 20)
#define READ_BUDGET_BYTES (12u << 20)
#define PRESS_BUDGET_BYTES (12u << 20)

int backup_stopped(const struct backup *b, struct zs_err *err)
{
	const struct zs_observer *o = b->settings->observer;

	if (o && o->stop && o->stop(o->ctx))
		return zs_fail(err, ZS_STOPPED, "stopped");
	return 0;
}

/* ------------------------------------------------------- the pressing pipeline */

static int press_new(void *ctx, void **out, struct zs_err *err)
{
	struct zs_press *p = NULL;

	(void)ctx;
	if (zs_press_new(&p, err) < 0)
		return -1;
	*out = p;
	return 0;
}

static void press_free(void *ctx, void *state)
{
	(void)ctx;
	zs_press_free(state);
}

static void press_drop(void *ctx, void *block)
{
	zs_store_block_free(((struct backup *)ctx)->txn, block);
}

static int press_work(void *ctx, void *state, void *job, struct zs_emitter *out, struct zs_err *err)
{
	struct backup *b = ctx;

	if (zs_store_block_press(job, state, b->settings->level, err) < 0) {
		press_drop(ctx, job);
		return -1;
	}
	return zs_pipeline_emit(out, job, zs_store_block_weight(job), err);
}

static int press_sink(void *ctx, void *result, struct zs_err *err)
{
	struct zs_block *block = result;

	return zs_store_append(((struct backup *)ctx)->txn, &block, err);
}

/* ----------------------------------------------------------------------- tree */

static int tree_put(void *ctx, struct zs_span node, struct zs_id *out_id, struct zs_err *err)
{
	struct backup *b = ctx;

	zs_codec_chunk_id(&zs_store_keyring(b->store)->chunk_id, node, out_id);
	return backup_put(b, ZS_KIND_TREE, out_id, node, err);
}

uint64_t work_tree_seed(const struct zs_store *st)
{
	struct zs_key k;
	uint64_t seed;

	zs_key_derive(&zs_store_keyring(st)->seed, "zstore tree", zs_span(NULL, 0), &k);
	seed = zs_get_u64(k.b);
	zs_wipe(&k, sizeof k);
	return seed;
}

/* ------------------------------------------------------------ what came before */

static int same_strings(const struct zs_strings *a, const struct zs_strings *b)
{
	if (a->n != b->n)
		return 0;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return 0;
	return 1;
}

/* All that can be read: one that is damaged is told, but bars no new one. */
static int list_snapshots(const struct backup *b, struct zs_snapshot_list *out, struct zs_err *err)
{
	const struct zs_observer *o = b->settings->observer;
	struct zs_names damaged = {0};
	struct zs_err why = {0};
	char hex[ZS_NAME_HEX], label[ZS_NAME_HEX + 16];
	int rc = zs_store_snapshots(b->store, out, &damaged, err);

	for (size_t i = 0; o && o->problem && i < damaged.n; i++) {
		(void)snprintf(label, sizeof label, "snapshot %.12s", zs_name_hex(&damaged.v[i], hex));
		(void)zs_fail(&why, ZS_CORRUPT, "is damaged and was passed over");
		o->problem(o->ctx, zs_span_str(label), &why);
	}
	zs_names_fini(&damaged);
	return rc;
}

/* The newest snapshot of this host, of these paths if there is one. */
static const struct zs_snapshot *previous_of(const struct zs_snapshot_list *l, const struct zs_backup_settings *s)
{
	const struct zs_snapshot *of_host = NULL, *of_paths = NULL;

	for (size_t i = 0; i < l->n; i++) {
		const struct zs_snapshot *snap = l->v[i].snapshot;

		if (strcmp(snap->host, s->host) != 0)
			continue;
		of_host = snap;
		if (same_strings(&snap->paths, s->paths))
			of_paths = snap;
	}
	return of_paths ? of_paths : of_host;
}

/* --------------------------------------------------------------------- the run */

static unsigned thread_count(const struct zs_backup_settings *s)
{
	long n = s->threads ? (long)s->threads : sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

static int backup_open_pipelines(struct backup *b, struct zs_err *err)
{
	const struct zs_pipeline_ops press = {b, press_new, press_free, press_work, press_sink, press_drop, press_drop};
	const struct zs_pipeline_ops read = {b, backup_reader_new, backup_reader_free, backup_read, backup_sink,
	    backup_job_drop, backup_batch_drop};
	unsigned n = thread_count(b->settings);

	if (zs_pipeline_new(&press, n, 2 * n + 2, PRESS_BUDGET_BYTES, &b->pressing, err) < 0)
		return -1;
	return zs_pipeline_new(&read, n, 4 * n, READ_BUDGET_BYTES, &b->reading, err);
}

/* Hand over what is in open blocks and wait until all of it is written. */
static int backup_drain(struct backup *b, struct zs_err *err)
{
	struct zs_block *block = NULL;
	int rc;

	while ((rc = zs_store_flush(b->txn, &block, err)) > 0)
		if (backup_push_block(b, block, err) < 0)
			return -1;
	return rc < 0 ? -1 : zs_pipeline_drain(b->pressing, err);
}

/* All servers at one point in time, as far as they can be. */
static int prepare_source(struct backup *b, struct zs_err *err)
{
	static const char *const names[] = {"connecting", "first listing", "snapshot", "second listing"};
	const struct zs_observer *o = b->settings->observer;

	for (int phase = ZS_PHASE_CONNECT; phase <= ZS_PHASE_SETTLE; phase++) {
		b->progress.phase = names[phase];
		if (o && o->progress)
			o->progress(o->ctx, &b->progress);
		if (zs_source_prepare(b->settings->source, (enum zs_source_phase)phase, err) < 0)
			return -1;
	}
	b->progress.phase = "backup";
	return 0;
}

static int backup_run(struct backup *b, const struct zs_snapshot *previous, struct zs_id *out_root, struct zs_err *err)
{
	struct zs_store_reader *reader = NULL;
	struct zs_err late = {0};
	int rc;

	if (zs_store_reader_new(b->store, READER_CACHE_BYTES, &reader, err) < 0)
		return -1;
	rc = prepare_source(b, err);
	if (rc == 0)
		rc = backup_scan(b, reader, previous, err);
	if (zs_pipeline_close(&b->reading, &late) < 0 && rc == 0) {
		*err = late;
		rc = -1;
	}
	zs_store_reader_free(reader);
	if (rc == 0)
		rc = zs_tree_builder_finish(b->tree, out_root, &b->report->totals, err);
	/* Stopped: what was read so far is kept for the next run, so its blocks are written too. */
	if (rc == 0)
		return backup_drain(b, err);
	if (err->cause == ZS_STOPPED)
		(void)backup_drain(b, &late);
	return -1;
}

static int fill_snapshot(struct backup *b, const struct zs_id *root, struct zs_snapshot **out, struct zs_err *err)
{
	const struct zs_backup_settings *s = b->settings;
	struct zs_snapshot *snap = calloc(1, sizeof *snap);
	int rc = -1;

	if (!snap)
		return zs_fail_nomem(err);
	snap->root = *root;
	snap->time_ns = s->time_ns;
	snap->host = strdup(s->host);
	snap->user = strdup(s->user);
	snap->program = strdup(s->program);
	if (!snap->host || !snap->user || !snap->program) {
		zs_fail_nomem(err);
		goto out;
	}
	for (size_t i = 0; s->tags && i < s->tags->n; i++)
		if (zs_strings_add(&snap->tags, zs_span_str(s->tags->v[i]), err) < 0)
			goto out;
	for (size_t i = 0; i < s->paths->n; i++)
		if (zs_strings_add(&snap->paths, zs_span_str(s->paths->v[i]), err) < 0)
			goto out;
	snap->skipped = backup_problems_count(b->problems);
	if (snap->skipped > 0)
		snap->flags |= ZS_SNAPSHOT_PARTIAL;
	if (backup_problems_reasons(b->problems, &snap->reasons, err) < 0)
		goto out;
	snap->totals = b->report->totals;
	snap->added_bytes = b->report->added_bytes;
	*out = snap;
	snap = NULL;
	rc = 0;
out:
	zs_format_snapshot_free(snap);
	return rc;
}

static int backup_publish(struct backup *b, const struct zs_id *root, struct zs_err *err)
{
	struct zs_snapshot *snap = NULL;
	int rc;

	if (fill_snapshot(b, root, &snap, err) < 0)
		return -1;
	rc = zs_source_manifest(b->settings->source, &snap->manifest, err);
	if (rc == 0)
		rc = zs_store_snapshot_put(b->txn, snap, backup_prove, b, &b->report->snapshot, err);
	b->report->skipped = snap->skipped;
	b->report->partial = (snap->flags & ZS_SNAPSHOT_PARTIAL) != 0;
	zs_format_snapshot_free(snap);
	return rc;
}

/* The pipelines hold blocks of the transaction: they go first. */
static void backup_close(struct backup *b)
{
	struct zs_err ignored = {0}, why = {0};

	(void)zs_fail(&why, ZS_STOPPED, "stopped");
	if (b->reading) {
		zs_pipeline_fail(b->reading, &why);
		if (zs_pipeline_close(&b->reading, &ignored) < 0)
			zs_err_clear(&ignored);
	}
	if (b->pressing && zs_pipeline_close(&b->pressing, &ignored) < 0)
		zs_err_clear(&ignored); /* the first error has been reported already */
	zs_tree_builder_free(b->tree);
	backup_links_free(b->sink_links);
	backup_links_free(b->shared);
	(void)pthread_mutex_destroy(&b->shared_lock);
}

static int backup_write(struct backup *b, struct zs_err *err)
{
	const struct zs_snapshot *previous;
	struct zs_snapshot_list snapshots = {0};
	struct zs_id root;
	int rc = -1;

	if (zs_store_begin(b->store, ZS_SESSION_WRITER, &b->txn, err) < 0)
		return -1;
	(void)pthread_mutex_init(&b->shared_lock, NULL);
	if (list_snapshots(b, &snapshots, err) < 0)
		goto out;
	previous = previous_of(&snapshots, b->settings);
	if (previous) {
		b->progress.files_total = previous->totals.files;
		b->progress.bytes_total = previous->totals.bytes;
	}
	if (!(b->sink_links = backup_links_new()) || !(b->shared = backup_links_new())) {
		zs_fail_nomem(err);
		goto out;
	}
	b->tree_io = (struct zs_tree_io){.ctx = b, .put = tree_put};
	if (zs_tree_builder_new(&b->tree_io, work_tree_seed(b->store), &b->tree, err) < 0 || backup_open_pipelines(b, err) < 0)
		goto out;
	if (backup_run(b, previous, &root, err) < 0 || backup_publish(b, &root, err) < 0)
		goto out;
	b->report->stored_bytes = zs_store_txn_stored_bytes(b->txn);
	rc = 0;
out:
	backup_close(b);
	zs_snapshot_list_fini(&snapshots);
	if (rc < 0)
		zs_store_abort(&b->txn);
	else
		rc = zs_store_commit(&b->txn, err);
	return rc;
}

/* What was asked for must fit into a snapshot: said now, not when all has been read. */
static int backup_fits(struct backup *b, struct zs_err *err)
{
	static const struct zs_id any = {{1}};
	struct zs_snapshot *snap = NULL;
	struct zs_buf trial = ZS_BUF_INIT;
	int rc;

	if (fill_snapshot(b, &any, &snap, err) < 0)
		return -1;
	rc = zs_format_snapshot_encode(snap, &trial, err);
	zs_buf_fini(&trial);
	zs_format_snapshot_free(snap);
	return rc < 0 ? zs_context(err, "too many or too long paths or tags") : 0;
}

static int split_params(struct backup *b, struct zs_chunk_table **out_table, struct zs_err *err)
{
	const struct zs_config *c = zs_store_config(b->store);

	if (zs_chunk_table_new(&zs_store_keyring(b->store)->seed, out_table, err) < 0)
		return -1;
	b->split.table = *out_table;
	b->split.chunk_id_key = &zs_store_keyring(b->store)->chunk_id;
	for (int k = 0; k < ZS_KINDS; k++)
		b->split.sizes[k] = (struct zs_chunk_sizes){c->sizes[k].min_bytes, c->sizes[k].avg_bytes, c->sizes[k].max_bytes};
	return 0;
}

static int backup_pretend(struct backup *b, struct zs_err *err)
{
	struct zs_snapshot_list snapshots = {0};
	const struct zs_snapshot *previous;
	int rc;

	if (list_snapshots(b, &snapshots, err) < 0)
		return -1;
	previous = previous_of(&snapshots, b->settings);
	rc = backup_dry_run(b, previous ? &previous->root : NULL, err);
	zs_snapshot_list_fini(&snapshots);
	return rc;
}

void zs_backup_member_fini(struct zs_backup_member *m)
{
	free(m->parts);
	m->parts = NULL;
	m->part_count = 0;
}

int zs_backup(struct zs_store *st, const struct zs_backup_settings *s, struct zs_backup_problems *problems,
    struct zs_backup_report *out, struct zs_err *err)
{
	struct backup b = {.store = st, .settings = s, .problems = problems, .report = out};
	struct zs_chunk_table *table = NULL;
	int rc;

	memset(out, 0, sizeof *out);
	b.progress.phase = "backup";
	if (backup_fits(&b, err) < 0 || split_params(&b, &table, err) < 0)
		return -1;
	rc = s->flags & ZS_BACKUP_DRY_RUN ? backup_pretend(&b, err) : backup_write(&b, err);
	zs_chunk_table_free(table);
	return rc;
}
