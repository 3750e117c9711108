/*
 * Whole transfers over descriptors, small files, temporary files, directories.  Durability (fsync) and safe naming are
 * left to the callers, who know what they need.
 */
#include "zstore/base.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP 65536

static int fail_io(struct zs_err *err, enum zs_cause cause, int sys, const char *verb, const char *what)
{
	if (cause == ZS_IO && (sys == ENOSPC || sys == EDQUOT))
		cause = ZS_NOSPACE;
	return zs_fail_sys(err, cause, sys, "cannot %s %s", verb, what);
}

static int in_range(uint64_t at, size_t n)
{
	return at <= INT64_MAX && n <= INT64_MAX - at;
}

int zs_write_all(int fd, const void *p, size_t n, enum zs_cause cause, const char *what, struct zs_err *err)
{
	const uint8_t *from = p;

	while (n > 0) {
		ssize_t got = write(fd, from, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return fail_io(err, cause, got < 0 ? errno : EIO, "write", what);
		from += got;
		n -= (size_t)got;
	}
	return 0;
}

int zs_pwrite_all(int fd, const void *p, size_t n, uint64_t at, enum zs_cause cause, const char *what,
    struct zs_err *err)
{
	const uint8_t *from = p;

	if (!in_range(at, n))
		return fail_io(err, cause, EFBIG, "write", what);
	while (n > 0) {
		ssize_t got = pwrite(fd, from, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return fail_io(err, cause, got < 0 ? errno : EIO, "write", what);
		from += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

int zs_read_full(int fd, void *p, size_t n, size_t *out_n, enum zs_cause cause, const char *what, struct zs_err *err)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = read(fd, (uint8_t *)p + done, n - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail_io(err, cause, errno, "read", what);
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*out_n = done;
	return 0;
}

int zs_pread_full(int fd, void *p, size_t n, uint64_t at, size_t *out_n, enum zs_cause cause, const char *what,
    struct zs_err *err)
{
	size_t done = 0;

	if (!in_range(at, n))
		return fail_io(err, cause, EFBIG, "read", what);
	while (done < n) {
		ssize_t got = pread(fd, (uint8_t *)p + done, n - done, (off_t)(at + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail_io(err, cause, errno, "read", what);
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*out_n = done;
	return 0;
}

/* all that is left of fd, at most max bytes */
static int read_rest(int fd, size_t max, struct zs_buf *out, enum zs_cause cause, const char *path, struct zs_err *err)
{
	size_t start = out->n, got = 0;

	for (;;) {
		size_t left = max - (out->n - start), want = left < READ_STEP ? left + 1 : READ_STEP;

		if (zs_buf_reserve(out, want, err) < 0)
			return -1;
		if (zs_read_full(fd, out->p + out->n, want, &got, cause, path, err) < 0)
			return -1;
		if (got > left)
			return zs_fail(err, ZS_LIMIT, "%s is larger than %zu bytes", path, max);
		out->n += got;
		if (got < want)
			return 0;
	}
}

int zs_read_file(const char *path, size_t max, struct zs_buf *out, enum zs_cause cause, struct zs_err *err)
{
	size_t start = out->n;
	int fd, rc;

	do
		fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return fail_io(err, cause, errno, "open", path);
	rc = read_rest(fd, max, out, cause, path, err);
	if (rc < 0)
		out->n = start;
	(void)close(fd);
	return rc;
}

static int temp_file_named(const char *dir, struct zs_err *err)
{
	char name[PATH_MAX];
	int fd, n;

	n = snprintf(name, sizeof(name), "%s/zstore-XXXXXX", dir);
	if (n < 0 || (size_t)n >= sizeof(name))
		return zs_fail_sys(err, ZS_SYSTEM, ENAMETOOLONG, "cannot make a temporary file in %s", dir);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return zs_fail_sys(err, ZS_SYSTEM, errno, "cannot make a temporary file in %s", dir);
	(void)unlink(name);
	return fd;
}

int zs_temp_file(const char *dir, struct zs_err *err)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	/* every other way to say "not supported here"; a real obstacle shows up again below */
	return temp_file_named(dir, err);
}

static int make_dir(const char *path, mode_t mode, struct zs_err *err)
{
	struct stat st;
	int sys;

	if (mkdir(path, mode) == 0)
		return 0;
	sys = errno;
	/* a parent may refuse with EACCES or EROFS although the directory is there */
	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return 0;
		sys = ENOTDIR;
	}
	return zs_fail_sys(err, ZS_SYSTEM, sys, "cannot make directory %s", path);
}

int zs_make_dirs(const char *path, mode_t mode, struct zs_err *err)
{
	char *copy = strdup(path), *p;
	int rc = -1;

	if (!copy)
		return zs_fail_nomem(err);
	for (p = copy + strspn(copy, "/"); (p = strchr(p, '/')); p += strspn(p, "/")) {
		*p = '\0';
		if (make_dir(copy, mode, err) < 0)
			goto out;
		*p = '/';
	}
	rc = make_dir(copy, mode, err);
out:
	free(copy);
	return rc;
}
