/*
 * An mbox as the file that it is, bit for bit: locked from before it is opened until it
 * has been read.
 */
#include "mbox_private.h"

#include <stdlib.h>
#include <string.h>

struct file {
	struct zs_source_handle base;
	struct files_handle *file;
	const struct mbox_lock_settings *lock;
	size_t path_n;
	char path[]; /* in the snapshot, for problems */
};
struct file_reader {
	struct zs_source_reader base;
	struct zs_source_reader *in;
	struct mbox_lock lock;
};

static void file_free(struct zs_source_handle *base)
{
	struct file *f = (struct file *)base;

	walker_handle_free(f->file ? &f->file->base : NULL);
	free(f);
}

static int file_fill(struct zs_source_handle *base, struct zs_entry *e, struct zs_buf *storage, struct zs_err *err)
{
	return fill_entry(&((struct file *)base)->file->base, e, storage, err);
}

static void tell_locked(const struct file *f)
{
	const struct zs_source_settings *s = f->lock->source;
	struct zs_err why = {0};

	(void)zs_fail(&why, ZS_SOURCE, "another program had it locked for %u s: it was read without a lock", f->lock->timeout_ms / 1000);
	if (s->problem)
		s->problem(s->ctx, zs_span(f->path, f->path_n), &why);
}

static int file_open(struct zs_source_handle *base, struct zs_source_reader **out, struct zs_err *err)
{
	struct file *f = (struct file *)base;
	struct file_reader *r = calloc(1, sizeof *r);
	int rc;

	if (!r)
		return zs_fail_nomem(err);
	r->base.ops = base->ops;
	rc = mbox_lock_take(f->lock, f->file->dir, f->file->name, &r->lock, err);
	if (rc == 0)
		tell_locked(f);
	if (rc < 0 || reader_open(&f->file->base, &r->in, err) < 0) {
		mbox_lock_fini(&r->lock);
		free(r);
		return -1;
	}
	*out = &r->base;
	return 0;
}

static int file_read(struct zs_source_reader *base, void *p, size_t n, size_t *out_n, uint64_t *out_hole, struct zs_err *err)
{
	return reader_read(((struct file_reader *)base)->in, p, n, out_n, out_hole, err);
}

static int file_close(struct zs_source_reader *base, int *out_changed, struct zs_err *err)
{
	struct file_reader *r = (struct file_reader *)base;
	int rc = reader_close(r->in, out_changed, err);

	mbox_lock_fini(&r->lock);
	free(r);
	return rc;
}

int mbox_file_item(struct walker *w, const struct walker_place *at, const struct mbox_lock_settings *lock, struct zs_source_item *out,
    struct zs_err *err)
{
	static const struct zs_source_ops ops = {
		.fill = file_fill,
		.open = file_open,
		.read = file_read,
		.close = file_close,
		.handle_free = file_free,
	};
	struct file *f;

	if (walker_entry(w, at, out) != 1)
		return WALKER_AGAIN;
	if (!(f = malloc(sizeof *f + w->path.n)))
		return zs_fail_nomem(err);
	*f = (struct file){.base = {&ops}, .file = walker_handle(w, at), .lock = lock, .path_n = w->path.n};
	memcpy(f->path, w->path.p, w->path.n);
	if (!f->file) {
		free(f);
		return zs_fail_nomem(err);
	}
	out->handle = &f->base;
	return 1;
}
