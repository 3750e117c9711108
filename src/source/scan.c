/*
 * The stack of directories being walked: names are read with getdents into one
 * arena that all levels share, sorted, and handed out one by one.  Directories
 * that would make the arena too large go through an external sorter; below a
 * certain depth only the innermost directory keeps its descriptor.
 */
#include "source_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARENA_MAX (24u << 20)	/* of the whole stack */
#define FRAME_NAMES_MAX 100000u /* of one directory */
#define SORTER_BYTES (4u << 20)
#define SORTERS_MAX 64	  /* nested directories that are too large for the arena */
#define HELD_DEPTH 200	  /* levels whose directory may keep a descriptor */
#define DEPTH_MAX 40000u  /* more than a path can have */

int scan_init(struct scan *s, const char *tmp_dir, struct zs_err *err)
{
	*s = (struct scan){.tmp_dir = tmp_dir, .arena_max = ARENA_MAX};
	s->dents = malloc(SCAN_DENTS_BYTES);
	return s->dents ? 0 : zs_fail_nomem(err);
}

struct scan_frame *scan_top(struct scan *s)
{
	return &s->frames[s->depth - 1];
}

static void frame_drop(struct scan *s, struct scan_frame *f)
{
	if (f->fd_is_ours && f->fd >= 0)
		(void)close(f->fd);
	if (f->sorter) {
		zs_sorter_free(f->sorter);
		s->sorters--;
	}
	dirs_unref(f->dir);
	s->arena.n = f->arena_n;
	s->names_n = f->names_n;
}

void scan_fini(struct scan *s)
{
	while (s->depth)
		frame_drop(s, &s->frames[--s->depth]);
	free(s->frames);
	free(s->names);
	free(s->dents);
	zs_buf_fini(&s->arena);
	memset(s, 0, sizeof *s);
}

static uint64_t prefix_of(const char *name, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < 8; i++)
		v = v << 8 | (i < n ? (uint8_t)name[i] : 0);
	return v;
}

static int name_cmp(const void *a, const void *b, void *arena)
{
	const struct scan_name *x = a, *y = b;
	const uint8_t *base = arena;
	int c;

	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	c = memcmp(base + x->at, base + y->at, x->n < y->n ? x->n : y->n);
	if (c)
		return c;
	return (x->n > y->n) - (x->n < y->n);
}

static int sorter_put(struct zs_sorter *sorter, const void *name, size_t n, uint8_t type, struct zs_err *err)
{
	return zs_sorter_add(sorter, zs_span(name, n), zs_span(&type, 1), err);
}

/* The directory turned out to be too large: what was read so far moves to a sorter. */
static int to_sorter(struct scan *s, struct scan_frame *f, struct zs_err *err)
{
	if (s->sorters >= SORTERS_MAX)
		return zs_fail(err, ZS_LIMIT, "more than %d directories of that size in each other", SORTERS_MAX);
	if (zs_sorter_new(SORTER_BYTES / (1 + s->sorters), s->tmp_dir, &f->sorter, err) < 0)
		return -1;
	s->sorters++;
	for (size_t i = f->names_n; i < s->names_n; i++) {
		const struct scan_name *n = &s->names[i];

		if (sorter_put(f->sorter, s->arena.p + n->at, n->n, n->type, err) < 0)
			return -1;
	}
	s->names_n = f->names_n;
	s->arena.n = f->arena_n;
	return 0;
}

static int name_add(struct scan *s, struct scan_frame *f, const char *name, uint8_t type, struct zs_err *err)
{
	size_t n = strlen(name);

	if (!f->sorter && (s->names_n - f->names_n >= FRAME_NAMES_MAX ||
	    s->arena.n + s->names_n * sizeof *s->names + n > s->arena_max) && to_sorter(s, f, err) < 0)
		return -1;
	if (f->sorter)
		return sorter_put(f->sorter, name, n, type, err);
	if (s->names_n == s->names_cap) {
		size_t cap = s->names_cap ? s->names_cap * 2 : 1024;
		struct scan_name *v = realloc(s->names, cap * sizeof *v);

		if (!v)
			return zs_fail_nomem(err);
		s->names = v;
		s->names_cap = cap;
	}
	s->names[s->names_n] = (struct scan_name){prefix_of(name, n), (uint32_t)s->arena.n, (uint16_t)n, type};
	if (zs_buf_add(&s->arena, name, n + 1, err) < 0)
		return -1;
	s->names_n++;
	return 0;
}

int scan_names(int fd, uint8_t *dents, scan_name_fn *fn, void *ctx, struct zs_err *err)
{
	for (;;) {
		ssize_t got = getdents64(fd, dents, SCAN_DENTS_BYTES);
		ssize_t at = 0;

		if (got <= 0) {
			if (got < 0 && errno == EINTR)
				continue;
			if (got < 0)
				(void)zs_fail_sys(err, ZS_SOURCE, errno, "cannot read the directory");
			return got == 0;
		}
		while (at < got) {
			const struct dirent64 *d = (const void *)(dents + at);
			const struct scan_found found = {.name = d->d_name, .type = d->d_type, .ino = d->d_ino};

			at += d->d_reclen;
			if (found.name[0] == '.' && (!found.name[1] || (found.name[1] == '.' && !found.name[2])))
				continue;
			if (fn(ctx, &found, err) < 0)
				return -1;
		}
	}
}

struct pushed { struct scan *s; struct scan_frame *f; };

static int on_name(void *ctx, const struct scan_found *found, struct zs_err *err)
{
	const struct pushed *p = ctx;

	return name_add(p->s, p->f, found->name, found->type, err);
}

/* 1 all names, 0 reading failed, -1 */
static int read_names(struct scan *s, struct scan_frame *f, struct zs_err *err)
{
	struct pushed p = {s, f};

	return scan_names(f->fd, s->dents, on_name, &p, err);
}

static int frame_room(struct scan *s, struct zs_err *err)
{
	size_t cap = s->frames_cap ? s->frames_cap * 2 : 64;
	struct scan_frame *v;

	if (s->depth >= DEPTH_MAX)
		return zs_fail(err, ZS_LIMIT, "too many directories in each other");
	if (s->depth < s->frames_cap)
		return 0;
	v = realloc(s->frames, cap * sizeof *v);
	if (!v)
		return zs_fail_nomem(err);
	s->frames = v;
	s->frames_cap = cap;
	return 0;
}

int scan_push(struct scan *s, struct dir *dir, int fd, const struct stat *st, size_t path_n, struct zs_err *err)
{
	struct scan_frame *f, *above;
	int rc;

	if (frame_room(s, err) < 0) {
		dirs_unref(dir);
		(void)close(fd);
		return -1;
	}
	f = &s->frames[s->depth];
	*f = (struct scan_frame){.dir = dir, .fd = fd, .path_n = path_n, .dev = st->st_dev, .arena_n = s->arena.n,
	    .names_n = s->names_n, .next = s->names_n};
	dir->dev = st->st_dev;
	dir->ino = st->st_ino;
	f->fd_is_ours = s->depth >= HELD_DEPTH || !dirs_give_fd(dir, fd);
	rc = read_names(s, f, err);
	if (rc >= 0 && f->sorter && zs_sorter_sort(f->sorter, err) < 0)
		rc = -1;
	if (rc < 0) {
		frame_drop(s, f);
		return -1;
	}
	if (!f->sorter && s->names_n > f->names_n)
		qsort_r(s->names + f->names_n, s->names_n - f->names_n, sizeof *s->names, name_cmp, s->arena.p);
	above = s->depth ? f - 1 : NULL;
	if (above && above->fd_is_ours && s->depth >= HELD_DEPTH) {
		(void)close(above->fd);
		above->fd = -1;
	}
	s->depth++;
	return rc;
}

int scan_next(struct scan *s, struct zs_span *out_name, uint8_t *out_type, struct zs_err *err)
{
	struct scan_frame *f = scan_top(s);
	const struct scan_name *n;

	if (f->sorter) {
		struct zs_span type;
		int rc = zs_sorter_next(f->sorter, out_name, &type, err);

		if (rc > 0)
			*out_type = type.p[0];
		return rc;
	}
	if (f->next == s->names_n)
		return 0;
	n = &s->names[f->next++];
	*out_name = zs_span(s->arena.p + n->at, n->n);
	*out_type = n->type;
	return 1;
}

size_t scan_at(const struct scan *s)
{
	return s->frames[s->depth - 1].next;
}

int scan_look_ahead(const struct scan *s, struct zs_span name, size_t *out_number)
{
	const struct scan_frame *f = &s->frames[s->depth - 1];

	if (f->sorter)
		return -1;
	for (size_t i = f->next; i < s->names_n; i++) {
		const struct scan_name *at = &s->names[i];
		int c;

		if (i - f->next == 16)
			return -1;
		c = memcmp(s->arena.p + at->at, name.p, at->n < name.n ? at->n : name.n);
		if (!c && at->n == name.n) {
			*out_number = i + 1;
			return 1;
		}
		if (c > 0 || (!c && at->n > name.n))
			break;
	}
	return 0;
}

/* By "..", which does not depend on the path's length; if the tree was moved about, by the path. */
static int reopen(struct scan_frame *f, int below_fd)
{
	int unused;
	struct stat st;

	f->fd = openat(below_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (f->fd >= 0 && fstat(f->fd, &st) == 0 && st.st_ino == f->dir->ino && st.st_dev == f->dir->dev)
		return 0;
	if (f->fd >= 0)
		(void)close(f->fd);
	f->fd = -1;
	return dirs_open(f->dir, &f->fd, &unused);
}

int scan_pop(struct scan *s)
{
	struct scan_frame *f = scan_top(s);
	int rc = 0, sys = 0;

	if (s->depth > 1 && f[-1].fd < 0) {
		rc = reopen(f - 1, f->fd);
		sys = errno;
	}
	frame_drop(s, f);
	s->depth--;
	errno = sys;
	return rc;
}
