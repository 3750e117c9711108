/*
 * Collecting garbage: marks what snapshots refer to by visiting their trees; nodes that are marked already are not read
 * again.  What is deleted, and when, is zs_store_collect's business.
 */
#include "zstore/mail.h"
#include "zstore/work.h"

#include <string.h>

#define CACHE_BYTES (16u << 20)

struct prune {
	struct zs_store *store;
	const struct zs_collect_settings *base;
	const struct zs_observer *observer;
	struct zs_store_reader *reader; /* made when the first snapshot is marked */
	struct zs_collector *collector; /* of the mark that is going on */
	struct zs_progress progress;
};

static int is_stopped(void *ctx)
{
	struct prune *p = ctx;

	if (p->base->stop && p->base->stop(p->base->ctx))
		return 1;
	return p->observer && p->observer->stop && p->observer->stop(p->observer->ctx);
}

static void show(struct prune *p)
{
	if (p->observer && p->observer->progress)
		p->observer->progress(p->observer->ctx, &p->progress);
}

static void on_progress(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
	struct prune *p = ctx;

	if (p->base->progress)
		p->base->progress(p->base->ctx, phase, done, total);
	p->progress = (struct zs_progress){.phase = phase, .bytes = done, .bytes_total = total};
	show(p);
}

static int mark_node(void *ctx, const struct zs_id *node, struct zs_err *err)
{
	struct prune *p = ctx;

	return zs_collector_mark(p->collector, node, err);
}

static int mark_chunk(void *ctx, const struct zs_id *id, uint32_t bytes, struct zs_err *err)
{
	struct prune *p = ctx;

	(void)bytes;
	if (is_stopped(p))
		return zs_fail(err, ZS_STOPPED, "stopped");
	return zs_collector_mark(p->collector, id, err) < 0 ? -1 : 0;
}

static int read_chunk(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err)
{
	return zs_store_read(((struct prune *)ctx)->reader, id, out, err);
}

static int mark_entry(void *ctx, struct zs_span path, struct zs_span entry, struct zs_err *err)
{
	struct prune *p = ctx;
	struct zs_entry e;

	if (++p->progress.files % 1024 == 0) {
		p->progress.current = path;
		show(p);
		p->progress.current = zs_span(NULL, 0);
		if (is_stopped(p))
			return zs_fail(err, ZS_STOPPED, "stopped");
	}
	if (zs_format_entry_decode(entry, &e, err) == 0 &&
	    (e.recipe.n == 0 || zs_mail_refs(&e, read_chunk, mark_chunk, p, err) == 0))
		return 0;
	return zs_context(err, "%.*s", (int)(path.n < 200 ? path.n : 200), (const char *)path.p);
}

static int mark(void *ctx, struct zs_collector *c, const struct zs_snapshot *s, struct zs_err *err)
{
	struct prune *p = ctx;
	struct zs_tree_visit visit = {.ctx = p, .enter = mark_node, .entry = mark_entry};
	struct zs_tree_io io;
	char when[32];

	if (!p->reader && zs_store_reader_new(p->store, CACHE_BYTES, &p->reader, err) < 0)
		return -1;
	p->collector = c;
	p->progress = (struct zs_progress){.phase = "mark", .files = p->progress.files};
	io = zs_reader_tree_io(p->reader);
	if (zs_tree_visit(&io, &s->root, &visit, err) < 0)
		return zs_context(err, "snapshot of %s from %s", s->host, zs_time_iso(s->time_ns, when));
	show(p);
	return 0;
}

int zs_prune_collect(struct zs_store *st, const struct zs_collect_settings *base, const struct zs_observer *observer,
    struct zs_collect_report *out, struct zs_err *err)
{
	struct prune p = {.store = st, .base = base, .observer = observer};
	struct zs_collect_settings settings = *base;
	int rc;

	settings.mark = mark;
	settings.progress = on_progress;
	settings.stop = is_stopped;
	settings.ctx = &p;
	rc = zs_store_collect(st, &settings, out, err);
	zs_store_reader_free(p.reader);
	return rc;
}
