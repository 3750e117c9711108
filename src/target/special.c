/*
 * Restoring what is no ordinary file: directories, symlinks, devices, pipes, further names of a file; and the rule
 * about what is already there.  Content is in files.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target_private.h"

static mode_t type_of(uint8_t kind)
{
	switch ((enum zs_entry_kind)kind) {
	case ZS_ENTRY_FILE: return S_IFREG;
	case ZS_ENTRY_DIR: return S_IFDIR;
	case ZS_ENTRY_SYMLINK: return S_IFLNK;
	case ZS_ENTRY_FIFO: return S_IFIFO;
	case ZS_ENTRY_SOCKET: return S_IFSOCK;
	case ZS_ENTRY_CHAR: return S_IFCHR;
	case ZS_ENTRY_BLOCK: return S_IFBLK;
	}
	return 0;
}

/* 1 if the symlink at pl says what e says. */
static int same_target(const struct place *pl, const struct zs_entry *e)
{
	char *text;
	ssize_t n;
	int same;

	if (e->target.n > 65536)
		return 0;
	text = malloc(e->target.n + 1);
	if (!text)
		return 0;
	n = readlinkat(pl->dir->fd, pl->name, text, e->target.n + 1);
	same = n >= 0 && zs_span_eq(zs_span(text, (size_t)n), e->target);
	free(text);
	return same;
}

/* 1 if what is there is of e's type, and by size (or target, or device) and time the same. */
static int seems_equal(const struct place *pl, const struct stat *st, const struct zs_entry *e, int64_t mtime_ns)
{
	if (mtime_ns != e->mtime_ns)
		return 0;
	switch ((enum zs_entry_kind)e->kind) {
	case ZS_ENTRY_FILE: return (uint64_t)st->st_size == e->size;
	case ZS_ENTRY_SYMLINK: return same_target(pl, e);
	case ZS_ENTRY_CHAR:
	case ZS_ENTRY_BLOCK: return (uint64_t)st->st_rdev == e->rdev;
	default: return 1;
	}
}

#define ASIDE_NAME_BYTES 32

static void aside_name(const struct place *pl, char out[static ASIDE_NAME_BYTES])
{
	(void)snprintf(out, ASIDE_NAME_BYTES, ".zstore-old-%016llx", (unsigned long long)zs_hash64(0, zs_span_str(pl->name)));
}

/*
 * The file that is to be replaced waits under another name until the new one is proven.  One that waits already was left
 * by a restore that was killed: it is the real one, and what stands under the name is that restore's.
 */
static int set_aside(struct zs_files *f, const struct place *pl)
{
	char aside[ASIDE_NAME_BYTES];

	aside_name(pl, aside);
	atomic_store(&f->any_aside, 1);
	if (renameat2(pl->dir->fd, pl->name, pl->dir->fd, aside, RENAME_NOREPLACE) == 0 || errno == ENOENT)
		return 0;
	return unlinkat(pl->dir->fd, pl->name, 0);
}

void special_drop_aside(struct zs_files *f, const struct place *pl)
{
	char aside[ASIDE_NAME_BYTES];

	if (!atomic_load(&f->any_aside))
		return;
	aside_name(pl, aside);
	(void)unlinkat(pl->dir->fd, aside, 0);
}

void special_return_aside(struct zs_files *f, const struct place *pl)
{
	char aside[ASIDE_NAME_BYTES];

	if (!atomic_load(&f->any_aside))
		return;
	aside_name(pl, aside);
	(void)renameat2(pl->dir->fd, aside, pl->dir->fd, pl->name, RENAME_NOREPLACE);
}

int special_make_room(struct zs_files *f, const struct place *pl, const struct zs_entry *e, struct zs_err *err)
{
	struct stat st;
	int64_t mtime_ns;
	int rc;

	if (f->overwrite == ZS_OVERWRITE_NEVER)
		return 0;
	if (fstatat(pl->dir->fd, pl->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 1 : files_fail(pl->path, errno, "stat", err);
	if (S_ISDIR(st.st_mode))
		return files_fail(pl->path, EISDIR, "cannot replace a directory", err);
	if (e && (st.st_mode & S_IFMT) == type_of(e->kind)) {
		mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
		if (f->overwrite == ZS_OVERWRITE_NEWER && mtime_ns >= e->mtime_ns)
			return 0;
		if (f->overwrite == ZS_OVERWRITE_IF_DIFFERENT && seems_equal(pl, &st, e, mtime_ns))
			return 0;
	}
	rc = e && e->kind == ZS_ENTRY_FILE && S_ISREG(st.st_mode) ? set_aside(f, pl) : unlinkat(pl->dir->fd, pl->name, 0);
	if (rc < 0 && errno != ENOENT)
		return files_fail(pl->path, errno, "replace", err);
	return 1;
}

/* The system call that makes e: 0, or -1 and errno. */
static int make_node(const struct place *pl, const struct zs_entry *e, const char *target)
{
	if (e->kind == ZS_ENTRY_SYMLINK)
		return symlinkat(target, pl->dir->fd, pl->name);
	return mknodat(pl->dir->fd, pl->name, type_of(e->kind) | 0600, (dev_t)e->rdev);
}

static int make_special(struct zs_files *f, const struct place *pl, const struct zs_entry *e, const char *target,
    struct zs_err *err)
{
	for (int tries = 0; tries < 3; tries++) {
		int room;

		if (make_node(pl, e, target) == 0)
			return 1;
		if (errno != EEXIST)
			return files_fail(pl->path, errno, "create", err);
		room = special_make_room(f, pl, e, err);
		if (room <= 0)
			return room;
	}
	return files_fail(pl->path, EEXIST, "create", err);
}

/* Metadata by a descriptor that opens nothing: a pipe or device stays untouched, a symlink is not followed. */
static void apply_by_path(struct zs_files *f, const struct place *pl, const struct zs_entry *e)
{
	int fd = openat(pl->dir->fd, pl->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return; /* it is gone again: nothing to describe */
	if (fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type_of(e->kind))
		meta_apply(f, pl, e, fd, META_PATH);
	(void)close(fd);
}

int zs_files_special(struct zs_files *f, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	struct place pl;
	char *target = NULL;
	int rc = -1;

	if (type_of(e->kind) == 0 || e->kind == ZS_ENTRY_FILE || e->kind == ZS_ENTRY_DIR)
		return zs_fail(err, ZS_TARGET, "%.*s: unknown kind %u of entry", TAIL(path), (unsigned)e->kind);
	if (e->kind == ZS_ENTRY_SYMLINK) {
		if (e->target.n == 0 || memchr(e->target.p, 0, e->target.n))
			return zs_fail(err, ZS_TARGET, "%.*s: a symlink cannot point there", TAIL(path));
		target = strndup((const char *)e->target.p, e->target.n);
		if (!target)
			return zs_fail_nomem(err);
	}
	if (dirs_enter(f, path, DIRS_MAKE, &pl, err) < 0)
		goto out;
	rc = make_special(f, &pl, e, target, err);
	if (rc == 1)
		apply_by_path(f, &pl, e);
	dirs_leave(f, &pl);
out:
	free(target);
	return rc;
}

/* 1 if both names are names of one thing already. */
static int same_inode(const struct place *a, const struct place *b)
{
	struct stat sa, sb;

	return fstatat(a->dir->fd, a->name, &sa, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstatat(b->dir->fd, b->name, &sb, AT_SYMLINK_NOFOLLOW) == 0 && sa.st_dev == sb.st_dev &&
	    sa.st_ino == sb.st_ino;
}

static int make_link(struct zs_files *f, const struct place *from, const struct place *to, struct zs_err *err)
{
	for (int tries = 0; tries < 3; tries++) {
		int room;

		if (linkat(from->dir->fd, from->name, to->dir->fd, to->name, 0) == 0)
			return 1;
		if (errno != EEXIST)
			return files_fail(to->path, errno, "link", err);
		if (same_inode(from, to)) /* must not be removed: it may be the only name */
			return f->overwrite == ZS_OVERWRITE_NEVER ? 0 : 1;
		room = special_make_room(f, to, NULL, err);
		if (room <= 0)
			return room;
	}
	return files_fail(to->path, EEXIST, "link", err);
}

int zs_files_link(struct zs_files *f, struct zs_span existing, struct zs_span path, struct zs_err *err)
{
	struct place from, to;
	int rc;

	if (dirs_enter(f, existing, DIRS_FIND, &from, err) < 0)
		return -1;
	if (dirs_enter(f, path, DIRS_MAKE, &to, err) < 0) {
		dirs_leave(f, &from);
		return -1;
	}
	rc = make_link(f, &from, &to, err);
	dirs_leave(f, &from);
	dirs_leave(f, &to);
	return rc;
}

/* An existing directory of ours that forbids us to write gets permission until dir_finish; who cannot notices later. */
static void make_writable(const struct zs_files *f, const struct place *pl, const struct stat *st)
{
	char proc[32];
	int fd;

	if (f->euid == 0 || st->st_uid != f->euid || (st->st_mode & 0700) == 0700)
		return;
	fd = openat(pl->dir->fd, pl->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
	(void)chmod(proc, (st->st_mode & 07777) | 0700);
	(void)close(fd);
}

int zs_files_mkdir(struct zs_files *f, struct zs_span path, struct zs_err *err)
{
	struct place pl;
	struct stat st;
	int rc = -1;

	if (dirs_enter(f, path, DIRS_MAKE, &pl, err) < 0)
		return -1;
	for (int tries = 0; rc < 0 && tries < 3; tries++) {
		if (mkdirat(pl.dir->fd, pl.name, 0700) == 0) {
			rc = 0;
		} else if (errno != EEXIST) {
			files_fail(path, errno, "create directory", err);
			break;
		} else if (fstatat(pl.dir->fd, pl.name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			files_fail(path, errno, "stat", err);
		} else if (S_ISDIR(st.st_mode)) {
			make_writable(f, &pl, &st);
			rc = 0;
		} else if (f->overwrite == ZS_OVERWRITE_NEVER) {
			files_fail(path, ENOTDIR, "something that is no directory is in the way", err);
			break;
		} else if (unlinkat(pl.dir->fd, pl.name, 0) < 0 && errno != ENOENT) {
			files_fail(path, errno, "replace", err);
			break;
		} else {
			files_fail(path, EEXIST, "create directory", err); /* unless the next try succeeds */
		}
	}
	dirs_leave(f, &pl);
	return rc;
}

int zs_files_dir_finish(struct zs_files *f, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	struct place pl;
	enum meta_handle how = META_REAL;
	int fd;

	if (dirs_enter(f, path, DIRS_FIND, &pl, err) < 0)
		return -1;
	fd = openat(pl.dir->fd, pl.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == EACCES) {
		fd = openat(pl.dir->fd, pl.name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		how = META_PATH;
	}
	if (fd < 0) {
		files_fail(path, errno, "open directory", err);
		dirs_leave(f, &pl);
		return -1;
	}
	meta_apply(f, &pl, e, fd, how);
	(void)close(fd);
	dirs_leave(f, &pl);
	return 0;
}
