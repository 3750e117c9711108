/*
 * Directories that outlive their scan: handles refer to a directory and a name, so
 * a file is opened with one openat however long its path is.  Only some hundred
 * keep a descriptor; the others are opened again from the nearest one that does.
 */
#include "source_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define HELD_MAX 512
#define PIECE_MAX 4000 /* bytes of one openat's path: below PATH_MAX */

void dirs_init(struct dirs *all)
{
	struct rlimit lim;

	atomic_init(&all->held, 0);
	all->max_held = HELD_MAX;
	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return;
	if (lim.rlim_cur < lim.rlim_max) {
		struct rlimit more = {.rlim_cur = lim.rlim_max, .rlim_max = lim.rlim_max};

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			lim = more;
	}
	if (lim.rlim_cur / 4 < all->max_held)
		all->max_held = (unsigned)(lim.rlim_cur / 4);
}

struct dir *dirs_new(struct dirs *all, struct dir *parent, const char *name, size_t name_n)
{
	struct dir *d = malloc(sizeof *d + name_n + 1);

	if (!d)
		return NULL;
	*d = (struct dir){.all = all, .parent = parent ? dirs_ref(parent) : NULL, .fd = -1, .name_n = name_n};
	atomic_init(&d->refs, 1);
	memcpy(d->name, name, name_n);
	d->name[name_n] = 0;
	return d;
}

struct dir *dirs_ref(struct dir *d)
{
	(void)atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
	return d;
}

void dirs_unref(struct dir *d)
{
	while (d && atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) == 1) {
		struct dir *parent = d->parent;

		if (d->fd >= 0) {
			(void)close(d->fd);
			(void)atomic_fetch_sub(&d->all->held, 1);
		}
		free(d);
		d = parent;
	}
}

int dirs_give_fd(struct dir *d, int fd)
{
	if (atomic_fetch_add(&d->all->held, 1) >= d->all->max_held) {
		(void)atomic_fetch_sub(&d->all->held, 1);
		return 0;
	}
	d->fd = fd;
	return 1;
}

static int step(int *fd, const char *path)
{
	int next = openat(*fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int sys = errno;

	if (*fd != AT_FDCWD)
		(void)close(*fd);
	*fd = next;
	errno = sys;
	return next < 0 ? -1 : 0;
}

/* From *fd along a path of any length, in pieces that the kernel takes.  *fd is closed and replaced. */
static int walk(int *fd, const char *path, size_t n)
{
	char piece[PIECE_MAX + 1];

	while (n) {
		size_t take = n;

		if (take > PIECE_MAX) {
			take = PIECE_MAX;
			while (take && path[take - 1] != '/')
				take--;
			if (!take) {
				errno = ENAMETOOLONG;
				goto fail;
			}
		}
		memcpy(piece, path, take);
		piece[take] = 0;
		if (step(fd, piece) < 0)
			return -1;
		path += take;
		n -= take;
		while (n && *path == '/') { /* or the rest would look absolute */
			path++;
			n--;
		}
	}
	return 0;
fail:
	if (*fd != AT_FDCWD && *fd >= 0)
		(void)close(*fd);
	*fd = -1;
	return -1;
}

/* The way from the nearest ancestor with a descriptor (*out_from, or NULL: the working directory) down to d. */
static char *way_down(const struct dir *d, const struct dir **out_from, size_t *out_n)
{
	const struct dir *at;
	size_t n = 0;
	char *way, *p;

	for (at = d; at && at->fd < 0; at = at->parent)
		n += at->name_n + 1;
	*out_from = at;
	way = malloc(n + 1);
	if (!way)
		return NULL;
	p = way + n;
	*p = 0;
	for (at = d; at != *out_from; at = at->parent) {
		*--p = '/';
		p -= at->name_n;
		memcpy(p, at->name, at->name_n);
	}
	*out_n = n;
	return way;
}

int dirs_open(const struct dir *d, int *out_fd, int *out_close)
{
	const struct dir *from;
	int fd = AT_FDCWD, rc;
	struct stat st;
	size_t n;
	char *way;

	*out_fd = d->fd;
	*out_close = 0;
	if (d->fd >= 0)
		return 0;
	way = way_down(d, &from, &n);
	if (!way) {
		errno = ENOMEM;
		return -1;
	}
	if (from)
		fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 0);
	rc = from && fd < 0 ? -1 : walk(&fd, way, n);
	free(way);
	if (rc < 0)
		return -1;
	if (d->ino && (fstat(fd, &st) < 0 || st.st_ino != d->ino || st.st_dev != d->dev)) {
		(void)close(fd);
		errno = ESTALE; /* something else stands there now */
		return -1;
	}
	*out_fd = fd;
	*out_close = 1;
	return 0;
}

/* The last bytes of a text whose parts are prepended one after the other. */
struct tail { char *out; size_t at; int is_cut; };

static void prepend(struct tail *t, const char *s, size_t n)
{
	char one[8];

	while (n && !t->is_cut) {
		uint8_t c = (uint8_t)s[--n];
		size_t k;

		if (c < 0x20 || c == 0x7f)
			k = (size_t)snprintf(one, sizeof one, "\\x%02x", c);
		else
			k = (size_t)snprintf(one, sizeof one, "%c", c);
		if (t->at < k + 3) {
			t->is_cut = 1;
			break;
		}
		t->at -= k;
		memcpy(t->out + t->at, one, k);
	}
}

static const char *tail_end(struct tail *t)
{
	if (t->is_cut) {
		t->at -= 3;
		memcpy(t->out + t->at, "...", 3);
	}
	return t->out + t->at;
}

const char *dirs_text(const struct dir *d, const char *name, char out[static DIRS_TEXT])
{
	struct tail t = {.out = out, .at = DIRS_TEXT - 1};

	out[DIRS_TEXT - 1] = 0;
	if (strcmp(name, ".") != 0)
		prepend(&t, name, strlen(name));
	for (; d && !t.is_cut; d = d->parent) {
		if (strcmp(d->name, ".") == 0)
			continue;
		if (t.at != DIRS_TEXT - 1 && (!d->name_n || d->name[d->name_n - 1] != '/'))
			prepend(&t, "/", 1);
		prepend(&t, d->name, d->name_n);
	}
	return tail_end(&t);
}

const char *dirs_text_path(struct zs_span path, char out[static DIRS_TEXT])
{
	struct tail t = {.out = out, .at = DIRS_TEXT - 1};

	out[DIRS_TEXT - 1] = 0;
	prepend(&t, (const char *)path.p, path.n);
	return tail_end(&t);
}
