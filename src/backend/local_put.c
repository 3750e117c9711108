/*
 * Writing in the local backend: temporary file, fsync, link to the final name without replacing, fsync of the
 * directory.  Also the reserve file, whose space lets a prune start on a full disk.
 */
#include "backend_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESERVE_BYTES (512 * 1024)
#define FLUSH_STEP (8 << 20) /* begin to write back early, so that the fsync at the end is short */

struct local_put {
	struct zs_put put;
	int fd;
	uint64_t written, flushed;
	char temp[LOCAL_TEMP_NAME];
};

static int make_temp(struct local *l, char name[static LOCAL_TEMP_NAME], struct zs_err *err)
{
	int fd;

	if (l->tmp < 0)
		return local_fail(l, err, ENOENT, "open directory", "tmp", "");
	do {
		local_writer_name(&l->self, atomic_fetch_add(&l->serial, 1), name);
		fd = openat(l->tmp, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	} while (fd < 0 && (errno == EEXIST || errno == EINTR));
	if (fd < 0)
		return local_fail(l, err, errno, "create", "tmp", name);
	return fd;
}

int local_put_begin(struct zs_backend *be, enum zs_object type, struct zs_put **out, struct zs_err *err)
{
	struct local *l = (struct local *)be;
	struct local_put *p = calloc(1, sizeof(*p));

	(void)type;
	if (!p)
		return zs_fail_nomem(err);
	p->fd = make_temp(l, p->temp, err);
	if (p->fd < 0) {
		free(p);
		return -1;
	}
	*out = &p->put;
	return 0;
}

static int write_temp(const struct local *l, int fd, const char *temp, struct zs_span data, struct zs_err *err)
{
	char what[4096];

	(void)snprintf(what, sizeof(what), "%s/tmp/%s", l->path, temp);
	return zs_write_all(fd, data.p, data.n, ZS_IO, what, err);
}

int local_put_append(struct zs_put *put, struct zs_span data, struct zs_err *err)
{
	struct local_put *p = (struct local_put *)put;

	if (write_temp((struct local *)put->be, p->fd, p->temp, data, err) < 0)
		return -1;
	p->written += data.n;
	if (p->written - p->flushed >= FLUSH_STEP) {
		(void)sync_file_range(p->fd, (off_t)p->flushed, (off_t)(p->written - p->flushed),
		    SYNC_FILE_RANGE_WRITE);
		p->flushed = p->written;
	}
	return 0;
}

void local_put_abort(struct zs_put *put)
{
	struct local_put *p = (struct local_put *)put;
	struct local *l = (struct local *)put->be;

	if (p->fd >= 0)
		(void)close(p->fd);
	(void)unlinkat(l->tmp, p->temp, 0);
	free(p);
}

/* The data is on disk and the descriptor closed, whatever comes. */
static int finish_file(const struct local *l, int *fd, const char *temp, struct zs_err *err)
{
	int sys = 0;

	if (TEMP_FAILURE_RETRY(fsync(*fd)) < 0)
		sys = errno;
	if (close(*fd) < 0 && sys == 0 && errno != EINTR)
		sys = errno;
	*fd = -1;
	return sys ? local_fail(l, err, sys, "sync", "tmp", temp) : 0;
}

/* packs/xx exists and its name is durable, whoever made it */
static int prepare_shard(struct local *l, const struct local_place *at, uint8_t shard, struct zs_err *err)
{
	char name[3] = {at->rel[0], at->rel[1], '\0'};
	int known;

	(void)pthread_mutex_lock(&l->lock);
	known = l->shard_known[shard];
	(void)pthread_mutex_unlock(&l->lock);
	if (known)
		return 0;
	if (mkdirat(at->dir, name, 0700) < 0 && errno != EEXIST)
		return local_fail(l, err, errno, "make directory", at->dir_text, name);
	if (local_sync_dir(at->dir) < 0)
		return local_fail(l, err, errno, "sync directory", at->dir_text, "");
	(void)pthread_mutex_lock(&l->lock);
	l->shard_known[shard] = 1;
	(void)pthread_mutex_unlock(&l->lock);
	return 0;
}

static int sync_place(const struct local *l, enum zs_object type, const struct local_place *at, struct zs_err *err)
{
	char shard[3] = {at->rel[0], at->rel[1], '\0'};
	int fd = at->dir, rc;

	if (type == ZS_OBJ_PACK)
		fd = openat(at->dir, shard, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = fd < 0 ? -1 : local_sync_dir(fd);
	if (rc < 0)
		(void)local_fail(l, err, errno, "sync directory", at->dir_text, type == ZS_OBJ_PACK ? shard : "");
	if (fd >= 0 && fd != at->dir)
		(void)close(fd);
	return rc;
}

/* 0, or an errno.  A lost answer (NFS) can say EEXIST to our own link: then both names are one file. */
static int give_name(const struct local *l, const char *temp, const struct local_place *at)
{
	struct stat ours, there;
	int sys;

	if (linkat(l->tmp, temp, at->dir, at->rel, 0) == 0)
		return 0;
	sys = errno;
	if (sys == EEXIST && fstatat(l->tmp, temp, &ours, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstatat(at->dir, at->rel, &there, AT_SYMLINK_NOFOLLOW) == 0 && ours.st_ino == there.st_ino &&
	    ours.st_dev == there.st_dev)
		return 0;
	/* a file system without hard links */
	if (sys == EPERM || sys == ENOTSUP || sys == ENOSYS || sys == EMLINK)
		sys = renameat2(l->tmp, temp, at->dir, at->rel, RENAME_NOREPLACE) == 0 ? 0 : errno;
	return sys;
}

int local_put_commit(struct zs_put *put, const struct zs_name *name, struct zs_err *err)
{
	struct local_put *p = (struct local_put *)put;
	struct local *l = (struct local *)put->be;
	struct local_place at;
	int rc = -1, sys;

	if (local_locate(l, put->type, name, &at, err) < 0 || finish_file(l, &p->fd, p->temp, err) < 0)
		goto out;
	if (put->type == ZS_OBJ_PACK && prepare_shard(l, &at, name->b[0], err) < 0)
		goto out;
	sys = give_name(l, p->temp, &at);
	if (sys && sys != EEXIST) {
		(void)local_fail_at(l, err, sys, "create", &at);
		goto out;
	}
	/* also where another writer was faster: its own sync may still be to come */
	if (sync_place(l, put->type, &at, err) < 0)
		goto out;
	if (sys == EEXIST) {
		(void)local_fail_at(l, err, sys, "create", &at);
		err->cause = ZS_EXISTS;
		goto out;
	}
	rc = 0;
out:
	local_put_abort(put);
	return rc;
}

int local_reserve_release(struct zs_backend *be, struct zs_err *err)
{
	struct local *l = (struct local *)be;

	if (unlinkat(l->root, "reserve", 0) < 0)
		return errno == ENOENT ? 0 : local_fail(l, err, errno, "delete", "reserve", "");
	if (local_sync_dir(l->root) < 0)
		return local_fail(l, err, errno, "sync directory", "", "");
	return 1;
}

/* Bytes that no file system compresses or leaves out. */
static int fill_reserve(const struct local *l, int fd, const char *temp, struct zs_err *err)
{
	uint8_t part[65536];
	uint64_t v = 1;
	size_t done, i;

	for (done = 0; done < RESERVE_BYTES; done += sizeof(part)) {
		for (i = 0; i < sizeof(part); i += 8) {
			v = zs_hash64(v, zs_span_str("reserve"));
			zs_put_u64(part + i, v);
		}
		if (write_temp(l, fd, temp, zs_span(part, sizeof(part)), err) < 0)
			return -1;
	}
	return 0;
}

int local_reserve_make(struct zs_backend *be, struct zs_err *err)
{
	struct local *l = (struct local *)be;
	char temp[LOCAL_TEMP_NAME];
	struct stat st;
	int fd, rc = -1;

	if (fstatat(l->root, "reserve", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size >= RESERVE_BYTES)
		return 0;
	fd = make_temp(l, temp, err);
	if (fd < 0)
		return -1;
	if (fill_reserve(l, fd, temp, err) < 0 || finish_file(l, &fd, temp, err) < 0)
		goto out;
	if (renameat(l->tmp, temp, l->root, "reserve") < 0 || local_sync_dir(l->root) < 0) {
		(void)local_fail(l, err, errno, "create", "reserve", "");
		goto out;
	}
	rc = 0;
out:
	if (fd >= 0)
		(void)close(fd);
	if (rc < 0)
		(void)unlinkat(l->tmp, temp, 0);
	return rc;
}
