/*
 * A directory as backend: finding, reading and deleting objects.  What is missing is proven missing, what is not a plain
 * file is refused.  Opening is local_open.c's, writing local_put.c's, listing local_list.c's.
 */
#include "backend_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const local_dir_names[ZS_OBJECTS] = {"", "keys", "packs", "index", "snapshots", "sessions", "condemned", "removed"};

int local_fail(const struct local *l, struct zs_err *err, int sys, const char *verb, const char *dir, const char *rel)
{
	enum zs_cause cause = sys == ENOSPC || sys == EDQUOT ? ZS_NOSPACE : sys == ENOMEM ? ZS_NOMEM : ZS_IO;

	return zs_fail_sys(err, cause, sys, "cannot %s %s/%s%s%s", verb, l->path, dir, *dir && *rel ? "/" : "", rel);
}

int local_fail_at(const struct local *l, struct zs_err *err, int sys, const char *verb, const struct local_place *at)
{
	return local_fail(l, err, sys, verb, at->dir_text, at->rel);
}

int local_sync_dir(int fd)
{
	if (TEMP_FAILURE_RETRY(fsync(fd)) == 0)
		return 0;
	/* some file systems have no such thing for directories */
	return errno == EINVAL || errno == ENOTSUP ? 0 : -1;
}

int local_locate(const struct local *l, enum zs_object type, const struct zs_name *name, struct local_place *out,
    struct zs_err *err)
{
	char hex[ZS_NAME_HEX];

	out->dir = l->dirs[type];
	out->dir_text = local_dir_names[type];
	if (out->dir < 0)
		return local_fail(l, err, ENOENT, "open directory", local_dir_names[type], "");
	(void)zs_name_hex(name, hex);
	if (type == ZS_OBJ_CONFIG)
		(void)strcpy(out->rel, "config");
	else if (type == ZS_OBJ_PACK)
		(void)snprintf(out->rel, sizeof(out->rel), "%.2s/%s", hex, hex);
	else
		(void)strcpy(out->rel, hex);
	return 0;
}

int local_prove_absent(const struct local *l, const struct local_place *at, struct zs_err *err)
{
	struct stat st;

	if (fstat(at->dir, &st) < 0)
		return local_fail(l, err, errno, "look at directory", at->dir_text, "");
	if (st.st_nlink == 0)
		return local_fail(l, err, ENOENT, "use removed directory", at->dir_text, "");
	return 0;
}

static int fail_absent(const struct local *l, const struct local_place *at, struct zs_err *err)
{
	if (local_prove_absent(l, at, err) < 0)
		return -1;
	(void)local_fail_at(l, err, ENOENT, "find", at);
	err->cause = ZS_NOTFOUND;
	return -1;
}

/* What is not a plain file is not ours; a fifo must not even block us. */
static int open_object(const struct local *l, const struct local_place *at, uint64_t *out_bytes, struct zs_err *err)
{
	int fd = TEMP_FAILURE_RETRY(openat(at->dir, at->rel, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? fail_absent(l, at, err) : local_fail_at(l, err, errno, "open", at);
	if (fstat(fd, &st) < 0) {
		(void)local_fail_at(l, err, errno, "look at", at);
		goto fail;
	}
	if (!S_ISREG(st.st_mode)) {
		(void)zs_fail(err, ZS_IO, "%s/%s/%s is no regular file", l->path, at->dir_text, at->rel);
		goto fail;
	}
	*out_bytes = (uint64_t)st.st_size;
	return fd;
fail:
	(void)close(fd);
	return -1;
}

/* How much there is decides before anything is allocated. */
static int read_range(const struct local *l, const struct local_place *at, int fd, uint64_t size, uint64_t offset,
    size_t bytes, struct zs_buf *out, struct zs_err *err)
{
	char what[4096];
	size_t got;

	if (bytes > size || offset > size - bytes)
		return zs_fail(err, ZS_CORRUPT, "%s/%s/%s ends after %llu bytes; %zu at %llu were expected", l->path,
		    at->dir_text, at->rel, (unsigned long long)size, bytes, (unsigned long long)offset);
	(void)snprintf(what, sizeof(what), "%s/%s/%s", l->path, at->dir_text, at->rel);
	if (zs_buf_reserve(out, bytes, err) < 0)
		return -1;
	if (zs_pread_full(fd, out->p + out->n, bytes, offset, &got, ZS_IO, what, err) < 0)
		return -1;
	if (got < bytes)
		return zs_fail(err, ZS_CORRUPT, "%s became shorter while it was read", what);
	out->n += bytes;
	return 0;
}

static int get_pack(struct local *l, const struct local_place *at, const struct zs_name *name, uint64_t offset, size_t bytes,
    struct zs_buf *out, struct zs_err *err)
{
	int fd = local_cache_borrow(&l->cache, name), cached = fd >= 0, rc;
	uint64_t size = 0;
	struct stat st;

	/* somebody deleted it: a descriptor keeps the bytes, but the answer is what a fresh open says */
	if (cached && (fstat(fd, &st) < 0 || st.st_nlink == 0)) {
		local_cache_drop(&l->cache, name);
		local_cache_give_back(&l->cache, fd);
		cached = 0;
	}
	if (cached) {
		size = (uint64_t)st.st_size;
	} else {
		fd = open_object(l, at, &size, err);
		if (fd < 0)
			return -1;
		cached = local_cache_add(&l->cache, name, fd);
	}
	rc = read_range(l, at, fd, size, offset, bytes, out, err);
	if (cached)
		local_cache_give_back(&l->cache, fd);
	else
		(void)close(fd);
	return rc;
}

int local_get(struct zs_backend *be, enum zs_object type, const struct zs_name *name, uint64_t offset, size_t bytes,
    struct zs_buf *out, struct zs_err *err)
{
	struct local *l = (struct local *)be;
	struct local_place at;
	uint64_t size;
	int fd, rc;

	if (local_locate(l, type, name, &at, err) < 0)
		return -1;
	if (type == ZS_OBJ_PACK)
		return get_pack(l, &at, name, offset, bytes, out, err);
	fd = open_object(l, &at, &size, err);
	if (fd < 0)
		return -1;
	rc = read_range(l, &at, fd, size, offset, bytes, out, err);
	(void)close(fd);
	return rc;
}

int local_get_all(struct zs_backend *be, enum zs_object type, const struct zs_name *name, size_t max,
    struct zs_buf *out, struct zs_err *err)
{
	struct local *l = (struct local *)be;
	struct local_place at;
	uint64_t size;
	int fd, rc;

	if (local_locate(l, type, name, &at, err) < 0)
		return -1;
	fd = open_object(l, &at, &size, err);
	if (fd < 0)
		return -1;
	if (size > max)
		rc = zs_fail(err, ZS_CORRUPT, "%s/%s/%s has %llu bytes; at most %zu are allowed", l->path, at.dir_text,
		    at.rel, (unsigned long long)size, max);
	else
		rc = read_range(l, &at, fd, size, 0, (size_t)size, out, err);
	(void)close(fd);
	return rc;
}

int local_stat(struct zs_backend *be, enum zs_object type, const struct zs_name *name, uint64_t *out_bytes,
    struct zs_err *err)
{
	struct local *l = (struct local *)be;
	struct local_place at;
	struct stat st;

	if (local_locate(l, type, name, &at, err) < 0)
		return -1;
	if (fstatat(at.dir, at.rel, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return local_fail_at(l, err, errno, "look at", &at);
		return local_prove_absent(l, &at, err);
	}
	if (!S_ISREG(st.st_mode))
		return zs_fail(err, ZS_IO, "%s/%s/%s is no regular file", l->path, at.dir_text, at.rel);
	*out_bytes = (uint64_t)st.st_size;
	return 1;
}

/* Durable, but for packs: a pack that comes back after a crash is garbage to be found again, and there are many. */
int local_remove(struct zs_backend *be, enum zs_object type, const struct zs_name *name, struct zs_err *err)
{
	struct local *l = (struct local *)be;
	struct local_place at;

	if (local_locate(l, type, name, &at, err) < 0)
		return -1;
	if (type == ZS_OBJ_PACK)
		local_cache_drop(&l->cache, name);
	if (unlinkat(at.dir, at.rel, 0) < 0)
		return errno == ENOENT ? fail_absent(l, &at, err) : local_fail_at(l, err, errno, "delete", &at);
	if (type != ZS_OBJ_PACK && local_sync_dir(at.dir) < 0)
		return local_fail(l, err, errno, "sync directory", at.dir_text, "");
	return 0;
}
