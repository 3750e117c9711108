/*
 * A directory as backend: finding, reading and deleting objects.  What is missing is proven missing, what is not a
 * plain file is refused.  Opening is local_open.c's, writing local_put.c's, listing local_list.c's.
 */
#include "backend_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const local_dir_names[ZS_OBJECTS] = {"", "keys", "packs", "index", "snapshots", "sessions", "condemned",
    "removed"};

int local_fail(const struct local *l, struct zs_err *err, int sys, const char *verb, const char *dir, const char *rel)
{
	enum zs_cause cause = sys == ENOSPC || sys == EDQUOT ? ZS_NOSPACE : sys == ENOMEM ? ZS_NOMEM : ZS_IO;

	return zs_fail_sys(err, cause, sys, "cannot %s %s/%s%s%s", verb, l->path, dir, *dir && *rel ? "/" : "", rel);
}

int local_fail_at(const struct local *l, struct zs_err *err, int sys, const char *verb, const struct local_place *at)
{
	return local_fail(l, err, sys, verb, at->dir_text, at->rel);
}

#define PATH_TEXT 4096
static const char *path_text(const struct local *l, const struct local_place *at, char out[static PATH_TEXT])
{
	(void)snprintf(out, PATH_TEXT, "%s/%s%s%s", l->path, at->dir_text, *at->dir_text ? "/" : "", at->rel);
	return out;
}

static int fail_no_file(const struct local *l, const struct local_place *at, struct zs_err *err)
{
	char what[PATH_TEXT];

	return zs_fail(err, ZS_IO, "%s is no regular file", path_text(l, at, what));
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
	out->name = *name;
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

struct opened {
	const struct local_place *at;
	int fd;
	uint64_t size;
};

/* What is not a plain file is not ours; a fifo must not even block us. */
static int open_object(const struct local *l, const struct local_place *at, struct opened *out, struct zs_err *err)
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
		(void)fail_no_file(l, at, err);
		goto fail;
	}
	*out = (struct opened){at, fd, (uint64_t)st.st_size};
	return 0;
fail:
	(void)close(fd);
	return -1;
}

/* How much there is decides before anything is allocated. */
static int read_range(const struct local *l, const struct opened *o, uint64_t offset, size_t bytes, struct zs_buf *out,
    struct zs_err *err)
{
	char what[PATH_TEXT];
	size_t got;

	(void)path_text(l, o->at, what);
	if (bytes > o->size || offset > o->size - bytes)
		return zs_fail(err, ZS_CORRUPT, "%s ends after %llu bytes; %zu at %llu were expected", what,
		    (unsigned long long)o->size, bytes, (unsigned long long)offset);
	if (zs_buf_reserve(out, bytes, err) < 0)
		return -1;
	if (zs_pread_full(o->fd, out->p + out->n, bytes, offset, &got, ZS_IO, what, err) < 0)
		return -1;
	if (got < bytes)
		return zs_fail(err, ZS_CORRUPT, "%s became shorter while it was read", what);
	out->n += bytes;
	return 0;
}

static int get_pack(struct local *l, const struct local_place *at, uint64_t offset, size_t bytes, struct zs_buf *out,
    struct zs_err *err)
{
	struct opened o = {at, local_cache_borrow(&l->cache, &at->name), 0};
	int cached = o.fd >= 0, rc;
	struct stat st;

	/* somebody deleted it: a descriptor keeps the bytes, but the answer is what a fresh open says */
	if (cached && (fstat(o.fd, &st) < 0 || st.st_nlink == 0)) {
		local_cache_drop(&l->cache, &at->name);
		local_cache_give_back(&l->cache, o.fd);
		cached = 0;
	}
	if (cached)
		o.size = (uint64_t)st.st_size;
	else if (open_object(l, at, &o, err) < 0)
		return -1;
	else
		cached = local_cache_add(&l->cache, &at->name, o.fd);
	rc = read_range(l, &o, offset, bytes, out, err);
	if (cached)
		local_cache_give_back(&l->cache, o.fd);
	else
		(void)close(o.fd);
	return rc;
}

int local_get(struct zs_backend *be, enum zs_object type, const struct zs_name *name, uint64_t offset, size_t bytes,
    struct zs_buf *out, struct zs_err *err)
{
	struct local *l = (struct local *)be;
	struct local_place at;
	struct opened o;
	int rc;

	if (local_locate(l, type, name, &at, err) < 0)
		return -1;
	if (type == ZS_OBJ_PACK)
		return get_pack(l, &at, offset, bytes, out, err);
	if (open_object(l, &at, &o, err) < 0)
		return -1;
	rc = read_range(l, &o, offset, bytes, out, err);
	(void)close(o.fd);
	return rc;
}

int local_get_all(struct zs_backend *be, enum zs_object type, const struct zs_name *name, size_t max,
    struct zs_buf *out, struct zs_err *err)
{
	struct local *l = (struct local *)be;
	struct local_place at;
	char what[PATH_TEXT];
	struct opened o;
	int rc;

	if (local_locate(l, type, name, &at, err) < 0 || open_object(l, &at, &o, err) < 0)
		return -1;
	if (o.size > max)
		rc = zs_fail(err, ZS_CORRUPT, "%s has %llu bytes; at most %zu are allowed", path_text(l, &at, what),
		    (unsigned long long)o.size, max);
	else
		rc = read_range(l, &o, 0, (size_t)o.size, out, err);
	(void)close(o.fd);
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
		return fail_no_file(l, &at, err);
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
