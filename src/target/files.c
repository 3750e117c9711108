/*
 * Restoring into a directory: files and their content.  Nothing is ever opened through a symlink, and nothing that is
 * not ours is written into: a file is always a new one.  Other kinds of entries are in special.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target_private.h"

#define VERIFY_BYTES (256u << 10)

int zs_files_new(const char *root, const struct zs_files_target_settings *s, struct zs_files **out, struct zs_err *err)
{
	struct zs_files *f = calloc(1, sizeof *f);

	if (!f)
		return zs_fail_nomem(err);
	f->root.fd = -1;
	f->overwrite = s->overwrite;
	f->numeric_owner = s->numeric_owner;
	f->problem = s->problem;
	f->ctx = s->ctx;
	f->euid = geteuid();
	if (pthread_mutex_init(&f->lock, NULL) != 0) {
		free(f);
		return zs_fail(err, ZS_SYSTEM, "no mutex");
	}
	if (pthread_mutex_init(&f->owners_lock, NULL) != 0) {
		(void)pthread_mutex_destroy(&f->lock);
		free(f);
		return zs_fail(err, ZS_SYSTEM, "no mutex");
	}
	if (zs_make_dirs(root, 0700, err) < 0)
		goto fail;
	f->root.fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->root.fd < 0) {
		zs_fail_sys(err, ZS_TARGET, errno, "%s: open", root);
		goto fail;
	}
	*out = f;
	return 0;
fail:
	err->cause = ZS_TARGET;
	zs_files_free(f);
	return -1;
}

void zs_files_free(struct zs_files *f)
{
	if (!f)
		return;
	dirs_close_all(f);
	if (f->root.fd >= 0)
		(void)close(f->root.fd);
	(void)pthread_mutex_destroy(&f->lock);
	(void)pthread_mutex_destroy(&f->owners_lock);
	free(f);
}

int files_fail(struct zs_span path, int sys, const char *what, struct zs_err *err)
{
	return zs_fail_sys(err, ZS_TARGET, sys, "%.*s: %s", TAIL(path), what);
}

/* close, whose failure is a failure of the writes before. */
static int close_checked(int fd, struct zs_span path, struct zs_err *err)
{
	if (close(fd) < 0 && errno != EINTR)
		return files_fail(path, errno, "close", err);
	return 0;
}

/* Take back what was made, and give back what stood there before. */
static void undo_at(struct zs_files *f, const struct place *pl)
{
	(void)unlinkat(pl->dir->fd, pl->name, 0);
	special_return_aside(f, pl);
}

/* A new file, never an existing one.  1 and the descriptor, 0, -1. */
static int create_at(struct zs_files *f, const struct place *pl, const struct zs_entry *e, int *out_fd,
    struct zs_err *err)
{
	for (int tries = 0; tries < 3; tries++) {
		int room, fd = openat(pl->dir->fd, pl->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd >= 0) {
			*out_fd = fd;
			return 1;
		}
		if (errno == EINTR)
			continue;
		if (errno != EEXIST)
			return files_fail(pl->path, errno, "create", err);
		room = special_make_room(f, pl, e, err);
		if (room <= 0)
			return room;
	}
	return files_fail(pl->path, EEXIST, "create", err);
}

int zs_files_create(struct zs_files *f, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	struct place pl;
	int fd = -1, rc;

	if (e->size > INT64_MAX)
		return files_fail(path, EFBIG, "create", err);
	if (dirs_enter(f, path, DIRS_MAKE, &pl, err) < 0)
		return -1;
	rc = create_at(f, &pl, e, &fd, err);
	if (rc <= 0)
		goto out;
	if (e->size && ftruncate(fd, (off_t)e->size) < 0) {
		rc = files_fail(path, errno, "set size", err);
		(void)close(fd);
	} else if (close_checked(fd, path, err) < 0) {
		rc = -1;
	}
	if (rc < 0)
		undo_at(f, &pl);
out:
	dirs_leave(f, &pl);
	return rc;
}

static int check_sum(struct zs_span path, const struct zs_entry *e, uint64_t bytes, uint64_t sum, struct zs_err *err)
{
	if (bytes != e->size)
		return zs_fail(err, ZS_CORRUPT, "%.*s: has %llu bytes after restoring, not %llu", TAIL(path),
		    (unsigned long long)bytes, (unsigned long long)e->size);
	if (sum != e->sum)
		return zs_fail(err, ZS_CORRUPT, "%.*s: what was restored is not what was backed up", TAIL(path));
	return 0;
}

int zs_files_create_whole(struct zs_files *f, struct zs_span path, const struct zs_entry *e, struct zs_span content,
    struct zs_err *err)
{
	struct place pl;
	int fd = -1, rc;

	/* What is in the way is not touched for content that is wrong. */
	if (check_sum(path, e, content.n, zs_hash64(0, content), err) < 0)
		return -1;
	if (dirs_enter(f, path, DIRS_MAKE, &pl, err) < 0)
		return -1;
	rc = create_at(f, &pl, e, &fd, err);
	if (rc <= 0)
		goto out;
	if (content.n && zs_write_all(fd, content.p, content.n, ZS_TARGET, pl.name, err) < 0) {
		zs_context(err, "%.*s", TAIL(path));
		(void)close(fd);
		rc = -1;
	} else {
		meta_apply(f, &pl, e, fd, META_REAL);
		if (close_checked(fd, path, err) < 0)
			rc = -1;
	}
	if (rc < 0)
		undo_at(f, &pl);
	else
		special_drop_aside(f, &pl);
out:
	dirs_leave(f, &pl);
	return rc;
}

/* A regular file that is there; never blocks on a fifo that somebody put in its place. */
static int open_regular(const struct place *pl, int flags, struct zs_err *err)
{
	struct stat st;
	int fd = openat(pl->dir->fd, pl->name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return files_fail(pl->path, errno, "open", err);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return zs_fail(err, ZS_TARGET, "%.*s: is no longer the file that was made", TAIL(pl->path));
	}
	return fd;
}

int zs_files_open(struct zs_files *f, struct zs_span path, int *out_fd, struct zs_err *err)
{
	struct place pl;
	int fd;

	if (dirs_enter(f, path, DIRS_FIND, &pl, err) < 0)
		return -1;
	fd = open_regular(&pl, O_RDWR, err);
	dirs_leave(f, &pl);
	if (fd < 0)
		return -1;
	*out_fd = fd;
	return 0;
}

static int sum_large(int fd, uint8_t *buf, size_t have, const char *name, uint64_t *out_bytes, uint64_t *out_sum,
    struct zs_err *err)
{
	struct zs_hasher *h = zs_hasher_new();
	int rc = -1;

	if (!h)
		return zs_fail_nomem(err);
	*out_bytes = 0;
	while (have) {
		zs_hasher_add(h, zs_span(buf, have));
		*out_bytes += have;
		if (zs_pread_full(fd, buf, VERIFY_BYTES, *out_bytes, &have, ZS_TARGET, name, err) < 0)
			goto out;
	}
	*out_sum = zs_hasher_sum(h);
	rc = 0;
out:
	zs_hasher_free(h);
	return rc;
}

/* Read all of fd and compare with what e says. */
static int verify(int fd, const struct place *pl, const struct zs_entry *e, struct zs_err *err)
{
	size_t room = e->size < VERIFY_BYTES ? (size_t)e->size + 1 : VERIFY_BYTES, have;
	uint64_t bytes, sum = 0;
	uint8_t *buf = malloc(room);
	int rc = -1;

	if (!buf)
		return zs_fail_nomem(err);
	if (zs_pread_full(fd, buf, room, 0, &have, ZS_TARGET, pl->name, err) < 0)
		goto out;
	bytes = have;
	if (have < room)
		sum = zs_hash64(0, zs_span(buf, have));
	else if (room == VERIFY_BYTES && sum_large(fd, buf, have, pl->name, &bytes, &sum, err) < 0)
		goto out;
	rc = check_sum(pl->path, e, bytes, sum, err); /* one that fills a small buffer is too long already */
out:
	free(buf);
	return rc;
}

int zs_files_finish(struct zs_files *f, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	struct place pl;
	int fd = -1, rc = -1;

	if (dirs_enter(f, path, DIRS_FIND, &pl, err) < 0)
		return -1;
	fd = open_regular(&pl, O_RDONLY, err);
	if (fd < 0 || verify(fd, &pl, e, err) < 0)
		goto out;
	meta_apply(f, &pl, e, fd, META_REAL);
	special_drop_aside(f, &pl);
	rc = 0;
out:
	if (fd >= 0)
		(void)close(fd);
	dirs_leave(f, &pl);
	return rc;
}

void zs_files_remove(struct zs_files *f, struct zs_span path)
{
	struct zs_err ignored = {0};
	struct place pl;

	if (dirs_enter(f, path, DIRS_FIND, &pl, &ignored) < 0)
		return;
	undo_at(f, &pl);
	dirs_leave(f, &pl);
}

int zs_files_sync(struct zs_files *f, struct zs_err *err)
{
	if (syncfs(f->root.fd) < 0)
		return zs_fail_sys(err, ZS_TARGET, errno, "write what was restored to disk");
	return 0;
}
