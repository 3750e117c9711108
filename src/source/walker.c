/*
 * What every source of files does on its way through a tree: names one after the
 * other, each turned into an item with one stat; directories are entered and left.
 * Which names are given, and in which form, is for files.c, maildir.c and mbox.c.
 */
#include "source_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define RACY_NS 2000000000ll

int64_t walker_ns(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int walker_init(struct walker *w, const struct zs_source_settings *settings, struct zs_err *err)
{
	w->settings = *settings;
	w->start_ns = zs_now_ns();
	dirs_init(&w->dirs);
	return scan_init(&w->scan, settings->tmp_dir, err);
}

void walker_fini(struct walker *w)
{
	scan_fini(&w->scan);
	owners_fini(&w->owners);
	zs_buf_fini(&w->path);
}

void walker_problem(struct walker *w, const struct zs_err *why)
{
	if (w->settings.problem)
		w->settings.problem(w->settings.ctx, zs_buf_span(&w->path), why);
}

void walker_problem_sys(struct walker *w, int sys, const char *what)
{
	struct zs_err why = {0};
	char text[DIRS_TEXT];

	(void)zs_fail_sys(&why, ZS_SOURCE, sys, "%s %s", what, dirs_text_path(zs_buf_span(&w->path), text));
	walker_problem(w, &why);
}

int walker_path(struct walker *w, size_t keep, struct zs_span name, struct zs_err *err)
{
	w->path.n = keep;
	if ((keep && zs_buf_add_u8(&w->path, '/', err) < 0) || zs_buf_add_span(&w->path, name, err) < 0 ||
	    zs_buf_reserve(&w->path, 1, err) < 0)
		return -1;
	w->path.p[w->path.n] = 0;
	return 0;
}

/* ------------------------------------------------------------------- identity */

static void mix(uint64_t v[4], const struct stat *st)
{
	v[0] = (uint64_t)st->st_size;
	v[1] = (uint64_t)walker_ns(st->st_mtim);
	v[2] = (uint64_t)walker_ns(st->st_ctim);
	v[3] = st->st_ino;
}

/* Changed so shortly before the scan that a further change might leave the same times.  A time of last
 * modification in the future was set by hand and says nothing. */
static int is_racy(const struct walker *w, const struct stat *st)
{
	int64_t limit = w->start_ns - RACY_NS, mtime = walker_ns(st->st_mtim);

	if (w->no_racy_guard)
		return 0;
	return walker_ns(st->st_ctim) >= limit || (mtime >= limit && mtime <= w->start_ns + 3600 * 1000000000ll);
}

uint64_t walker_identity(const struct walker *w, const struct stat *st, const struct stat *meta)
{
	uint64_t v[8] = {0}, sum;
	uint8_t wire[sizeof v];

	if (is_racy(w, st) || (meta && is_racy(w, meta)))
		return 0;
	mix(v, st);
	if (meta)
		mix(v + 4, meta);
	for (size_t i = 0; i < 8; i++)
		zs_put_u64(wire + 8 * i, v[i]);
	sum = zs_hash64(0, zs_span(wire, meta ? 64 : 32));
	return sum ? sum : 1;
}

/* ----------------------------------------------------------------------- items */

static uint8_t kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return ZS_ENTRY_FILE;
	case S_IFDIR:
		return ZS_ENTRY_DIR;
	case S_IFLNK:
		return ZS_ENTRY_SYMLINK;
	case S_IFIFO:
		return ZS_ENTRY_FIFO;
	case S_IFSOCK:
		return ZS_ENTRY_SOCKET;
	case S_IFCHR:
		return ZS_ENTRY_CHAR;
	case S_IFBLK:
		return ZS_ENTRY_BLOCK;
	default:
		return 0;
	}
}

static void entry_set(struct walker *w, const struct stat *st, struct zs_entry *e)
{
	*e = (struct zs_entry){.kind = kind_of(st->st_mode), .flags = ZS_ENTRY_HAS_MODE, .mode = st->st_mode & 07777,
	    .uid = st->st_uid, .gid = st->st_gid, .mtime_ns = walker_ns(st->st_mtim), .date_ns = INT64_MIN,
	    .item_date_ns = INT64_MIN};
	e->user = owners_user(&w->owners, st->st_uid);
	e->group = owners_group(&w->owners, st->st_gid);
	if (e->kind == ZS_ENTRY_CHAR || e->kind == ZS_ENTRY_BLOCK)
		e->rdev = st->st_rdev;
	if (e->kind != ZS_ENTRY_FILE)
		return;
	e->size = (uint64_t)st->st_size;
	if (st->st_nlink > 1) {
		e->link_dev = st->st_dev;
		e->link_ino = st->st_ino;
	}
}

struct files_handle *walker_handle(const struct walker *w, const struct walker_place *at)
{
	size_t n = strlen(at->name);
	struct files_handle *h = malloc(sizeof *h + n + 1);
	const struct stat *st = at->st;

	if (!h)
		return NULL;
	*h = (struct files_handle){.base = {at->ops}, .settings = &w->settings, .dir = dirs_ref(at->dir),
	    .has_meta = at->meta != NULL, .name_n = n, .seen = {.dev = st->st_dev, .ino = st->st_ino, .mode = st->st_mode,
	    .uid = st->st_uid, .gid = st->st_gid, .is_linked = st->st_nlink > 1}};
	memcpy(h->name, at->name, n + 1);
	return h;
}

void walker_handle_free(struct zs_source_handle *base)
{
	struct files_handle *h = (struct files_handle *)base;

	if (!h)
		return;
	dirs_unref(h->dir);
	free(h);
}

/* 1, WALKER_AGAIN (named as a problem), -1. */
static int take_target(struct walker *w, const struct walker_place *at, struct zs_entry *e)
{
	ssize_t n = readlinkat(at->fd, at->name, w->target, sizeof w->target);

	if (n <= 0 || (size_t)n == sizeof w->target) {
		walker_problem_sys(w, n < 0 ? errno : ENAMETOOLONG, "cannot read the symbolic link");
		return WALKER_AGAIN;
	}
	e->target = zs_span(w->target, (size_t)n);
	return 1;
}

int walker_entry(struct walker *w, const struct walker_place *at, struct zs_source_item *out)
{
	*out = (struct zs_source_item){.path = zs_buf_span(&w->path), .content = ZS_KIND_FILE};
	entry_set(w, at->st, &out->entry);
	if (!out->entry.kind) {
		walker_problem_sys(w, ENOTSUP, "unknown kind of file:");
		return WALKER_AGAIN;
	}
	if (out->entry.kind == ZS_ENTRY_SYMLINK && take_target(w, at, &out->entry) != 1)
		return WALKER_AGAIN;
	out->entry.identity = walker_identity(w, at->st, at->meta);
	return 1;
}

int walker_item(struct walker *w, const struct walker_place *at, struct zs_source_item *out, struct zs_err *err)
{
	struct files_handle *h;

	if (walker_entry(w, at, out) != 1)
		return WALKER_AGAIN;
	if (!(h = walker_handle(w, at)))
		return zs_fail_nomem(err);
	out->handle = &h->base;
	return 1;
}

/* ----------------------------------------------------------------- going down */

void walker_plan_enter(struct walker *w, const struct stat *st)
{
	w->enter = 1;
	w->enter_dev = st->st_dev;
	w->enter_ino = st->st_ino;
}

int walker_open_dir(int at, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(at, name, flags | O_NOATIME);

	return fd < 0 && errno == EPERM ? openat(at, name, flags) : fd;
}

int walker_enter(struct walker *w, struct dir *dir, int at, const char *name, struct zs_err *err)
{
	struct zs_err why = {0};
	struct dir *below;
	struct stat st;
	int fd = walker_open_dir(at, name), rc;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_ino != w->enter_ino || st.st_dev != w->enter_dev) {
		walker_problem_sys(w, fd < 0 ? errno : ESTALE, "cannot open the directory");
		if (fd >= 0)
			(void)close(fd);
		return 0;
	}
	below = dirs_new(&w->dirs, dir, name, strlen(name));
	if (!below) {
		(void)close(fd);
		return zs_fail_nomem(err);
	}
	rc = scan_push(&w->scan, below, fd, &st, w->path.n, &why);
	if (rc < 0 && why.cause != ZS_LIMIT) {
		*err = why;
		return -1;
	}
	if (rc <= 0) {
		char text[DIRS_TEXT];

		(void)zs_context(&why, "%s", dirs_text_path(zs_buf_span(&w->path), text));
		why.cause = ZS_SOURCE;
		walker_problem(w, &why);
	}
	return 0;
}

int walker_enter_below(struct walker *w, struct zs_err *err)
{
	struct scan_frame *top = scan_top(&w->scan);
	size_t at = top->path_n ? top->path_n + 1 : 0;
	struct dir *dir = top->dir;

	return walker_enter(w, dir, top->fd, (const char *)w->path.p + at, err);
}

void walker_leave(struct walker *w)
{
	struct scan *scan = &w->scan;

	w->path.n = scan_top(scan)->path_n;
	while (scan->depth && scan_pop(scan) < 0 && scan->depth) {
		/* the rest of the directory above is lost: say so, go on with the one above that */
		w->path.n = scan_top(scan)->path_n;
		walker_problem_sys(w, errno, "cannot get back to the directory");
	}
}
