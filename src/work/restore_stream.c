/*
 * Restoring to a stream (tar, standard output): entries in path order, each put together from start to end.  Blocks
 * that were decoded are kept for the entries that follow, which mostly lie beside each other in the packs too.
 */
#include "restore_private.h"

#define CACHE_BYTES (48u << 20)

struct stream {
	struct zs_target *to;
	struct zs_store_reader *reader;
	const struct zs_restore_settings *s;
	struct zs_restore_report *report;
	struct zs_progress progress;
};

static int chunk(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err)
{
	struct stream *st = ctx;

	return zs_store_read(st->reader, id, out, err);
}

static int put(void *ctx, struct zs_span bytes, struct zs_err *err)
{
	struct stream *st = ctx;

	return st->to->ops->write(st->to, bytes, err);
}

static int hole(void *ctx, uint64_t bytes, struct zs_err *err)
{
	struct stream *st = ctx;

	return st->to->ops->hole(st->to, bytes, err);
}

static void show(struct stream *st, const struct walk_item *item)
{
	const struct zs_observer *o = st->s->observer;

	st->progress.phase = "restoring";
	st->progress.current = item->from;
	st->progress.files = st->report->files;
	st->progress.bytes = st->report->bytes;
	if (o && o->progress)
		o->progress(o->ctx, &st->progress);
}

static int write_item(struct stream *st, const struct walk_item *item, struct zs_err *err)
{
	const struct zs_join_io io = {st, chunk, put, hole};
	const struct zs_entry *e = &item->entry;
	int has_content = e->kind == ZS_ENTRY_FILE && e->size > 0;

	if (st->s->dry_run)
		return 0;
	if (st->to->ops->begin(st->to, item->path, e, err) < 0 || (has_content && zs_mail_join(e, &io, err) < 0))
		return -1;
	return st->to->ops->end(st->to, err);
}

static int stream_item(void *ctx, const struct walk_item *item, struct zs_err *err)
{
	struct stream *st = ctx;
	const struct zs_entry *e = &item->entry;

	show(st, item);
	if (write_item(st, item, err) < 0)
		return zs_context(err, "%.*s", (int)(item->from.n < 200 ? item->from.n : 200),
		    (const char *)item->from.p);
	if (e->kind == ZS_ENTRY_FILE) {
		st->report->files++;
		st->report->bytes += e->size;
	} else if (e->kind == ZS_ENTRY_DIR) {
		st->report->dirs++;
	} else {
		st->report->others++;
	}
	return 0;
}

static int stream_bad(void *ctx, struct zs_span path, struct zs_err *err)
{
	(void)ctx;
	return zs_context(err, "%.*s", (int)(path.n < 200 ? path.n : 200), (const char *)path.p);
}

int zs_restore_stream(struct zs_store *store, struct zs_target *to, const struct zs_restore_settings *s,
    struct zs_restore_report *out, struct zs_err *err)
{
	struct zs_restore_report report = {0};
	struct stream st = {.to = to, .s = s, .report = &report};
	struct walk w = {0};
	int rc = -1;

	if (zs_store_reader_new(store, CACHE_BYTES, &st.reader, err) < 0)
		return -1;
	if (restore_walk_init(&w, s, st.reader, zs_store_tmp_dir(store), err) < 0)
		goto out;
	st.progress.files_total = w.totals.files;
	st.progress.bytes_total = w.totals.bytes;
	rc = restore_walk_run(&w, &(struct walk_ops){&st, stream_item, stream_bad}, err);
	if (rc == 0 && !s->dry_run)
		rc = to->ops->finish(to, err);
	*out = report;
out:
	restore_walk_fini(&w);
	zs_store_reader_free(st.reader);
	return rc;
}
