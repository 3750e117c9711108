/*
 * Directories below the root of a restore: opened without following any symlink, kept open for the next file that goes
 * into the same one.  What is done in them is for files.c and special.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "target_private.h"

#define DIR_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static long open_beneath(int at, const char *path)
{
	struct open_how how = {
		.flags = DIR_FLAGS,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd;
	int tries = 0;

	do
		fd = syscall(SYS_openat2, at, path, &how, sizeof how);
	while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < 100)));
	return fd;
}

/* One component, made if it is missing and make says so. */
static int open_component(int at, const char *name, enum dirs_make make)
{
	int fd = openat(at, name, DIR_FLAGS);

	if (fd >= 0 || errno != ENOENT || make == DIRS_FIND)
		return fd;
	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return -1;
	return openat(at, name, DIR_FLAGS);
}

/* How much of path to open at once: a component, or as many as one system call takes. */
static size_t stretch(struct zs_span path, int single)
{
	const uint8_t *slash;
	size_t n;

	if (single) {
		slash = memchr(path.p, '/', path.n);
		return slash ? (size_t)(slash - path.p) : path.n;
	}
	if (path.n < PATH_MAX)
		return path.n;
	n = PATH_MAX - 1;
	while (path.p[n] != '/') /* components are short: there is one */
		n--;
	return n;
}

/* Open the directory at path below the root; single: component by component.  A descriptor, or -1 and errno. */
static int walk(struct zs_files *f, struct zs_span path, int single, enum dirs_make make)
{
	int at = f->root.fd;

	while (path.n) {
		char part[PATH_MAX];
		size_t n = stretch(path, single);
		int next, sys;

		memcpy(part, path.p, n);
		part[n] = '\0';
		next = single ? open_component(at, part, make) : (int)open_beneath(at, part);
		sys = errno;
		if (at != f->root.fd)
			(void)close(at);
		if (next < 0) {
			errno = sys;
			return -1;
		}
		at = next;
		path.p += n;
		path.n -= n;
		if (path.n) { /* the slash */
			path.p++;
			path.n--;
		}
	}
	return at;
}

static int open_dir(struct zs_files *f, struct zs_span path, enum dirs_make make)
{
	int fd;

	if (!atomic_load_explicit(&f->walk_only, memory_order_relaxed)) {
		fd = walk(f, path, 0, DIRS_FIND);
		if (fd >= 0)
			return fd;
		if (errno == ENOSYS || errno == EPERM) /* an old kernel, or a sandbox that does not know the call */
			atomic_store_explicit(&f->walk_only, 1, memory_order_relaxed);
		else if (errno != ENOENT || make == DIRS_FIND)
			return -1;
	}
	return walk(f, path, 1, make);
}

static void dir_free(struct dir *d)
{
	if (!d)
		return;
	if (d->fd >= 0)
		(void)close(d->fd);
	zs_buf_fini(&d->path);
	free(d);
}

static struct dir *dir_new(struct zs_files *f, struct zs_span path, uint64_t hash, enum dirs_make make,
    struct zs_err *err)
{
	struct dir *d = calloc(1, sizeof *d);

	if (!d) {
		(void)zs_fail_nomem(err);
		return NULL;
	}
	d->fd = -1;
	d->hash = hash;
	d->refs = 1;
	if (zs_buf_add_span(&d->path, path, err) < 0)
		goto fail;
	d->fd = open_dir(f, path, make);
	if (d->fd < 0) {
		if (errno == ELOOP || errno == ENOTDIR)
			files_fail(path, errno, "something that is no directory is in the way", err);
		else
			files_fail(path, errno, "open directory", err);
		goto fail;
	}
	return d;
fail:
	dir_free(d);
	return NULL;
}

/* With the lock held: the cached one, now also ours, or NULL. */
static struct dir *find(struct zs_files *f, struct zs_span path, uint64_t hash)
{
	for (unsigned i = 0; i < f->dirs_n; i++) {
		struct dir *d = f->dirs[i];

		if (d->hash == hash && zs_span_eq(zs_buf_span(&d->path), path)) {
			d->refs++;
			d->used = ++f->tick;
			return d;
		}
	}
	return NULL;
}

/* With the lock held: put d into the cache if there is room; what had to go is returned. */
static struct dir *keep(struct zs_files *f, struct dir *d)
{
	struct dir **oldest = NULL, *gone;

	d->used = ++f->tick;
	if (f->dirs_n < DIRS_CACHED) {
		d->cached = 1;
		f->dirs[f->dirs_n++] = d;
		return NULL;
	}
	for (unsigned i = 0; i < DIRS_CACHED; i++)
		if (f->dirs[i]->refs == 0 && (!oldest || f->dirs[i]->used < (*oldest)->used))
			oldest = &f->dirs[i];
	if (!oldest)
		return NULL;
	gone = *oldest;
	d->cached = 1;
	*oldest = d;
	return gone;
}

static struct dir *get(struct zs_files *f, struct zs_span path, enum dirs_make make, struct zs_err *err)
{
	uint64_t hash = zs_hash64(0, path);
	struct dir *d, *fresh, *gone = NULL;

	if (path.n == 0)
		return &f->root;
	(void)pthread_mutex_lock(&f->lock);
	d = find(f, path, hash);
	(void)pthread_mutex_unlock(&f->lock);
	if (d)
		return d;
	fresh = dir_new(f, path, hash, make, err);
	if (!fresh)
		return NULL;
	(void)pthread_mutex_lock(&f->lock);
	d = find(f, path, hash); /* another thread was here meanwhile */
	if (d) {
		gone = fresh;
	} else {
		gone = keep(f, fresh);
		d = fresh;
	}
	(void)pthread_mutex_unlock(&f->lock);
	dir_free(gone);
	return d;
}

int dirs_enter(struct zs_files *f, struct zs_span path, enum dirs_make make, struct place *out, struct zs_err *err)
{
	struct zs_span base;

	if (!zs_path_valid(path))
		return zs_fail(err, ZS_TARGET, "refused: \"%.*s\" is no path inside a snapshot", TAIL(path));
	base = zs_path_base(path);
	out->dir = get(f, zs_path_dir(path), make, err);
	if (!out->dir)
		return -1;
	memcpy(out->name, base.p, base.n);
	out->name[base.n] = '\0';
	out->path = path;
	return 0;
}

void dirs_leave(struct zs_files *f, struct place *pl)
{
	struct dir *d = pl->dir;
	int gone;

	pl->dir = NULL;
	if (!d || d == &f->root)
		return;
	(void)pthread_mutex_lock(&f->lock);
	gone = --d->refs == 0 && !d->cached;
	(void)pthread_mutex_unlock(&f->lock);
	if (gone)
		dir_free(d);
}

void dirs_close_all(struct zs_files *f)
{
	for (unsigned i = 0; i < f->dirs_n; i++)
		dir_free(f->dirs[i]);
	f->dirs_n = 0;
}
