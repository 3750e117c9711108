/*
 * Restoring into a directory: decides between the short way (few entries) and the one by packs, runs its passes, and
 * keeps what they share: counting, telling of failures, progress.
 */
#include <string.h>
#include <unistd.h>

#include "restore_private.h"

#define READER_CACHE (8u << 20)
#define THREADS_MAX 12 /* each needs some 5 MiB: all of a restore stays below 128 MiB */
#define DIRECT_ENTRIES 512
#define DIRECT_FILES 64
#define DIRECT_BYTES (64u << 20)
#define PLAN_MEMORY (24u << 20)
#define OTHER_MEMORY (2u << 20)

/* ------------------------------------------------------------------------ shared */

int restore_is_fatal(const struct zs_err *why)
{
	switch (why->cause) {
	case ZS_NOMEM:
	case ZS_INTERNAL:
	case ZS_SYSTEM:
	case ZS_STOPPED:
	case ZS_KEY:
	case ZS_VERSION:
	case ZS_USAGE:
		return 1;
	default:
		return 0;
	}
}

int restore_stopped(const struct restore *r, struct zs_err *err)
{
	const struct zs_observer *o = r->s->observer;

	return o && o->stop && o->stop(o->ctx) ? zs_fail(err, ZS_STOPPED, "stopped") : 0;
}

void restore_count(struct restore *r, uint64_t *counter, uint64_t n)
{
	(void)pthread_mutex_lock(&r->lock);
	*counter += n;
	(void)pthread_mutex_unlock(&r->lock);
}

void restore_problem(struct restore *r, struct zs_span path, const struct zs_err *why)
{
	const struct zs_observer *o = r->s->observer;

	(void)pthread_mutex_lock(&r->lock);
	r->report.failed++;
	r->damaged |= why->cause == ZS_CORRUPT || why->cause == ZS_NOTFOUND;
	(void)pthread_mutex_unlock(&r->lock);
	if (o && o->problem)
		o->problem(o->ctx, path, why);
}

int restore_fail(struct restore *r, const struct list_entry *e, enum restore_list_state state, const struct zs_err *why,
    struct zs_err *err)
{
	enum restore_list_state was;
	int rc;

	(void)pthread_mutex_lock(&r->lock);
	rc = restore_list_state(&r->list, e->place.number, &was, err);
	if (rc == 0 && was != LIST_BROKEN && was != LIST_FAILED)
		rc = restore_list_set_state(&r->list, e->place.number, state, err);
	(void)pthread_mutex_unlock(&r->lock);
	if (rc == 0 && was != LIST_BROKEN && was != LIST_FAILED)
		restore_problem(r, e->path, why);
	return rc;
}

void restore_show(struct restore *r, const char *phase, struct zs_span current, uint64_t bytes)
{
	const struct zs_observer *o = r->s->observer;
	struct zs_progress p;

	(void)pthread_mutex_lock(&r->lock);
	r->progress.bytes += bytes;
	r->progress.phase = phase;
	r->progress.current = current;
	r->progress.files = r->report.files;
	r->progress.problems = r->report.failed;
	p = r->progress;
	(void)pthread_mutex_unlock(&r->lock);
	if (o && o->progress)
		o->progress(o->ctx, &p);
}

int restore_chunk(void *reader, const struct zs_id *id, struct zs_span *out, struct zs_err *err)
{
	return zs_store_read(reader, id, out, err);
}

/* ----------------------------------------------------------------------- dry run */

static int dry_item(void *ctx, const struct walk_item *item, struct zs_err *err)
{
	struct restore *r = ctx;

	(void)err;
	if (item->entry.kind == ZS_ENTRY_DIR)
		r->report.dirs++;
	else if (item->entry.kind == ZS_ENTRY_FILE)
		r->report.files++;
	else
		r->report.others++;
	if (item->entry.kind == ZS_ENTRY_FILE)
		r->report.bytes += item->entry.size;
	restore_show(r, "restoring", item->from, item->entry.kind == ZS_ENTRY_FILE ? item->entry.size : 0);
	return 0;
}

static int dry_bad(void *ctx, struct zs_span path, struct zs_err *err)
{
	restore_problem(ctx, path, err);
	return 0;
}

/* ------------------------------------------------------------------------ by packs */

static int sorters_new(struct restore *r, struct zs_err *err)
{
	struct { struct zs_sorter **out; size_t memory; } all[] = {
		{&r->plan, PLAN_MEMORY},
		{&r->linked, OTHER_MEMORY},
		{&r->pairs, OTHER_MEMORY},
		{&r->dirs, OTHER_MEMORY},
		{&r->pieces, OTHER_MEMORY},
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (zs_sorter_new(all[i].memory, r->tmp_dir, all[i].out, err) < 0)
			return -1;
	}
	return 0;
}

static int by_packs(struct restore *r, struct zs_err *err)
{
	int rc = -1;

	if (restore_list_init(&r->list, r->tmp_dir, err) < 0 || sorters_new(r, err) < 0)
		goto out;
	rc = restore_plan_run(r, err);
	if (rc == 0)
		rc = restore_fill_run(r, err);
	if (rc == 0)
		rc = restore_end_run(r, err);
	if (rc < 0)
		restore_end_remove(r);
out:
	restore_list_fini(&r->list);
	zs_sorter_free(r->plan);
	zs_sorter_free(r->linked);
	zs_sorter_free(r->pairs);
	zs_sorter_free(r->dirs);
	zs_sorter_free(r->pieces);
	return rc;
}

static unsigned cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (unsigned)n;
}

static int run(struct restore *r, struct zs_err *err)
{
	const struct zs_totals *t = &r->walk.totals;

	r->progress.files_total = t->files;
	r->progress.bytes_total = t->bytes;
	if (r->s->dry_run)
		return restore_walk_run(&r->walk, &(struct walk_ops){r, dry_item, dry_bad}, err);
	if (t->entries <= DIRECT_ENTRIES && t->files <= DIRECT_FILES && t->bytes <= DIRECT_BYTES)
		return restore_direct_run(r, err);
	return by_packs(r, err);
}

int zs_restore_files(struct zs_store *st, struct zs_files *to, const struct zs_restore_settings *s,
    struct zs_restore_report *out, int *out_damaged, struct zs_err *err)
{
	struct restore r = {.store = st, .to = to, .s = s, .tmp_dir = zs_store_tmp_dir(st),
	    .list = {.fd = -1, .states_fd = -1}, .threads = s->threads ? s->threads : cores()};
	int rc = -1;

	if (r.threads > THREADS_MAX)
		r.threads = THREADS_MAX;
	if (pthread_mutex_init(&r.lock, NULL) != 0)
		return zs_fail(err, ZS_SYSTEM, "no mutex");
	if (zs_store_reader_new(st, READER_CACHE, &r.reader, err) < 0)
		goto out;
	if (restore_walk_init(&r.walk, s, r.reader, r.tmp_dir, err) == 0)
		rc = run(&r, err);
	if (rc == 0 && r.is_cut) {
		*err = r.cut;
		rc = -1;
	}
	if (rc < 0)
		r.damaged |= err->cause == ZS_CORRUPT;
	*out = r.report;
	*out_damaged = r.damaged;
out:
	restore_walk_fini(&r.walk);
	zs_store_reader_free(r.reader);
	(void)pthread_mutex_destroy(&r.lock);
	return rc;
}
