/*
 * The short way for a few entries, without plan, temporary files and threads: each file is put together from start
 * to end and written.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "restore_private.h"

#define WHOLE_MAX (4u << 20) /* put together in memory */

struct known { /* a directory, or the first name of a hard-linked file */
	char *path;
	size_t path_n;
	uint8_t *encoded;
	struct zs_entry entry;
};
struct direct {
	struct restore *r;
	struct known *v;
	size_t n, cap;
	struct zs_buf content;
	int fd; /* -1: to content */
	uint64_t at;
};

static int remember(struct direct *d, const struct walk_item *item, struct zs_err *err)
{
	struct known *k;

	if (d->n == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 16;

		k = realloc(d->v, cap * sizeof *k);
		if (!k)
			return zs_fail_nomem(err);
		d->v = k;
		d->cap = cap;
	}
	k = &d->v[d->n];
	*k = (struct known){.path = malloc(item->path.n), .path_n = item->path.n, .encoded = malloc(item->encoded.n)};
	d->n++;
	if (!k->path || !k->encoded)
		return zs_fail_nomem(err);
	memcpy(k->path, item->path.p, item->path.n);
	memcpy(k->encoded, item->encoded.p, item->encoded.n);
	return zs_format_entry_decode(zs_span(k->encoded, item->encoded.n), &k->entry, err);
}

/* ----------------------------------------------------------------------- content */

static int put(void *ctx, struct zs_span bytes, struct zs_err *err)
{
	struct direct *d = ctx;

	if (restore_stopped(d->r, err) < 0)
		return -1;
	if (d->fd < 0 && bytes.n > WHOLE_MAX - d->content.n)
		return zs_fail(err, ZS_CORRUPT, "the recipe leads beyond the end of the file");
	if (d->fd < 0)
		return zs_buf_add_span(&d->content, bytes, err);
	if (zs_pwrite_all(d->fd, bytes.p, bytes.n, d->at, ZS_TARGET, "the file", err) < 0)
		return -1;
	d->at += bytes.n;
	return 0;
}

static int skip(void *ctx, uint64_t bytes, struct zs_err *err)
{
	struct direct *d = ctx;

	(void)err;
	d->at += bytes;
	return 0;
}

static int chunk(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err)
{
	struct direct *d = ctx;

	return restore_chunk(d->r->reader, id, out, err);
}

/* Piece by piece into a file, whose holes stay holes.  1, 0 left alone, -1. */
static int make_large(struct direct *d, const struct walk_item *item, struct zs_err *err)
{
	const struct zs_join_io io = {d, chunk, put, skip};
	int rc = zs_files_create(d->r->to, item->path, &item->entry, err);

	if (rc <= 0)
		return rc;
	d->at = 0;
	rc = zs_files_open(d->r->to, item->path, &d->fd, err);
	if (rc == 0) {
		rc = zs_mail_join(&item->entry, &io, err);
		(void)close(d->fd);
		d->fd = -1;
	}
	if (rc == 0)
		rc = zs_files_finish(d->r->to, item->path, &item->entry, err);
	if (rc < 0)
		zs_files_remove(d->r->to, item->path);
	return rc < 0 ? -1 : 1;
}

static int hole(void *ctx, uint64_t bytes, struct zs_err *err)
{
	struct direct *d = ctx;

	if (bytes > WHOLE_MAX - d->content.n)
		return zs_fail(err, ZS_CORRUPT, "the recipe leads beyond the end of the file");
	if (zs_buf_reserve(&d->content, (size_t)bytes, err) < 0)
		return -1;
	memset(d->content.p + d->content.n, 0, (size_t)bytes);
	d->content.n += (size_t)bytes;
	return 0;
}

static int make_small(struct direct *d, const struct walk_item *item, struct zs_err *err)
{
	const struct zs_join_io io = {d, chunk, put, hole};

	zs_buf_clear(&d->content);
	if (zs_mail_join(&item->entry, &io, err) < 0)
		return -1;
	return zs_files_create_whole(d->r->to, item->path, &item->entry, zs_buf_span(&d->content), err);
}

/* The name under which this file has been restored already, or NULL. */
static const struct known *find_first(const struct direct *d, const struct zs_entry *e)
{
	for (size_t i = 0; e->link_ino && i < d->n; i++) {
		const struct zs_entry *k = &d->v[i].entry;

		if (k->kind == ZS_ENTRY_FILE && k->link_ino == e->link_ino && k->link_dev == e->link_dev &&
		    k->sum == e->sum && k->size == e->size)
			return &d->v[i];
	}
	return NULL;
}

static int make_file(struct direct *d, const struct walk_item *item, struct zs_err *why, struct zs_err *err)
{
	const struct known *first = find_first(d, &item->entry);
	int rc;

	if (first)
		return zs_files_link(d->r->to, zs_span(first->path, first->path_n), item->path, why);
	rc = item->entry.size > WHOLE_MAX ? make_large(d, item, why) : make_small(d, item, why);
	if (rc > 0 && item->entry.link_ino && remember(d, item, err) < 0) {
		*why = *err;
		return -1;
	}
	return rc;
}

/* ----------------------------------------------------------------------- entries */

static int direct_item(void *ctx, const struct walk_item *item, struct zs_err *err)
{
	struct direct *d = ctx;
	struct restore *r = d->r;
	const struct zs_entry *e = &item->entry;
	struct zs_err why = {0};
	int rc;

	restore_show(r, "restoring", item->from, 0);
	if (e->kind == ZS_ENTRY_DIR)
		rc = zs_files_mkdir(r->to, item->path, &why) < 0 ? -1 : 1;
	else if (e->kind == ZS_ENTRY_FILE)
		rc = make_file(d, item, &why, err);
	else
		rc = zs_files_special(r->to, item->path, e, &why);
	if (rc < 0 && restore_is_fatal(&why)) {
		*err = why;
		return -1;
	}
	if (rc < 0)
		restore_problem(r, item->path, &why);
	else if (rc == 0)
		r->report.left_alone++;
	else if (e->kind == ZS_ENTRY_DIR)
		r->report.dirs++;
	else if (e->kind == ZS_ENTRY_FILE)
		r->report.files++;
	else
		r->report.others++;
	if (rc > 0 && e->kind == ZS_ENTRY_FILE) {
		r->report.bytes += e->size;
		restore_show(r, "restoring", item->from, e->size);
	}
	return rc > 0 && e->kind == ZS_ENTRY_DIR ? remember(d, item, err) : 0;
}

static int direct_bad(void *ctx, struct zs_span path, struct zs_err *err)
{
	struct direct *d = ctx;

	if (restore_is_fatal(err))
		return -1;
	restore_problem(d->r, path, err);
	return 0;
}

/* Children stand after their directory, so from the last to the first. */
static int finish_dirs(struct direct *d, struct zs_err *err)
{
	for (size_t i = d->n; i--;) {
		const struct known *k = &d->v[i];
		struct zs_err why = {0};

		if (k->entry.kind != ZS_ENTRY_DIR || zs_files_dir_finish(d->r->to, zs_span(k->path, k->path_n),
		    &k->entry, &why) == 0)
			continue;
		if (restore_is_fatal(&why)) {
			*err = why;
			return -1;
		}
		restore_problem(d->r, zs_span(k->path, k->path_n), &why);
	}
	return 0;
}

int restore_direct_run(struct restore *r, struct zs_err *err)
{
	struct direct d = {.r = r, .fd = -1, .content = ZS_BUF_INIT};
	struct zs_err why = {0};
	int rc = 0;

	if (restore_walk_run(&r->walk, &(struct walk_ops){&d, direct_item, direct_bad}, &why) < 0) {
		rc = restore_is_fatal(&why) ? -1 : 0;
		r->is_cut = rc == 0;
		r->cut = why;
		*err = why;
	}
	if (rc == 0)
		rc = finish_dirs(&d, err);
	for (size_t i = 0; i < d.n; i++) {
		free(d.v[i].path);
		free(d.v[i].encoded);
	}
	free(d.v);
	zs_buf_fini(&d.content);
	return rc;
}
