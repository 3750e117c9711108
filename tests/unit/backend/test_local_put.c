/*
 * Every system call of the directory backend fails once, in turn: what is left is the old state or the new one, and no
 * answer is wrong.  The calls are replaced here, before libc's are seen by the linker.
 */
#include "zstore/backend.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "scratch.h"

static int armed, fired, fault_errno;
static unsigned calls, fail_at;

static int hit(void)
{
	if (!armed || calls++ != fail_at)
		return 0;
	fired = 1;
	errno = fault_errno;
	return 1;
}

/* libc's own function of the name that is replaced here */
#define REAL(name) \
	static __typeof__(name) *real; \
	if (!real) { \
		void *found = dlsym(RTLD_NEXT, #name); \
		memcpy(&real, &found, sizeof(real)); \
	}

int openat(int dir, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;
	REAL(openat)

	if (flags & O_CREAT) {
		va_start(ap, flags);
		mode = (mode_t)va_arg(ap, unsigned);
		va_end(ap);
	}
	return hit() ? -1 : real(dir, path, flags, mode);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	REAL(mkdirat)

	return hit() ? -1 : real(dir, path, mode);
}

int mkdir(const char *path, mode_t mode)
{
	REAL(mkdir)

	return hit() ? -1 : real(path, mode);
}

int fsync(int fd)
{
	REAL(fsync)

	return hit() ? -1 : real(fd);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	REAL(linkat)

	return hit() ? -1 : real(from_dir, from, to_dir, to, flags);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	REAL(renameat)

	return hit() ? -1 : real(from_dir, from, to_dir, to);
}

int unlinkat(int dir, const char *path, int flags)
{
	REAL(unlinkat)

	return hit() ? -1 : real(dir, path, flags);
}

ssize_t write(int fd, const void *p, size_t n)
{
	REAL(write)

	return hit() ? -1 : real(fd, p, n);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	REAL(pread)

	return hit() ? -1 : real(fd, p, n, at);
}

int fstat(int fd, struct stat *st)
{
	REAL(fstat)

	return hit() ? -1 : real(fd, st);
}

int fstatat(int dir, const char *path, struct stat *st, int flags)
{
	REAL(fstatat)

	return hit() ? -1 : real(dir, path, st, flags);
}

struct dirent *readdir(DIR *d)
{
	REAL(readdir)

	return hit() ? NULL : real(d);
}

static void arm(unsigned n, int sys)
{
	calls = 0;
	fail_at = n;
	fired = 0;
	fault_errno = sys;
	armed = 1;
}

static void check_cause(const struct zs_err *err)
{
	assert_int_equal(err->cause, fault_errno == EIO || fault_errno == EMFILE ? ZS_IO : ZS_NOSPACE);
	assert_int_equal(err->sys, fault_errno);
	assert_true(strlen(err->text) > 10);
}

static const int errnos[] = {EIO, ENOSPC, EDQUOT};
#define ERRNOS (sizeof(errnos) / sizeof(*errnos))

static struct zs_name name_of(uint8_t n)
{
	struct zs_name name;

	memset(&name, n, sizeof(name));
	return name;
}

static void creating(void **state)
{
	size_t e;
	unsigned n;

	(void)state;
	for (e = 0; e < ERRNOS; e++)
		for (n = 0, fired = 1; fired; n++) {
			struct zs_backend *be = NULL;
			struct zs_err err = {0};
			int rc;

			scratch_clear("f");
			arm(n, errnos[e]);
			rc = zs_backend_local_create(scratch_path("f/g"), &be, &err);
			armed = 0;
			if (rc < 0) {
				check_cause(&err);
				/* and all is as if it had never been tried */
				assert_int_equal(zs_backend_local_create(scratch_path("f/g"), &be, &err), 0);
			}
			zs_backend_free(be);
		}
	assert_true(n > 25);
}

static size_t temps(void)
{
	DIR *d = opendir(scratch_path("f/tmp"));
	size_t n = 0;

	while (readdir(d))
		n++;
	(void)closedir(d);
	return n - 2;
}

static void expect_all_or_nothing(enum zs_object type, const struct zs_name *name, const uint8_t *data, size_t n,
    int there)
{
	struct zs_backend *be;
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};
	uint64_t bytes;
	int rc;

	assert_int_equal(zs_backend_local_open(scratch_path("f"), &be, &err), 0);
	rc = zs_backend_stat(be, type, name, &bytes, &err);
	assert_true(rc == 1 || (rc == 0 && !there));
	if (rc == 1) {
		assert_int_equal(zs_backend_get_all(be, type, name, SIZE_MAX, &b, &err), 0);
		assert_true(zs_span_eq(zs_buf_span(&b), zs_span(data, n)));
	}
	zs_buf_fini(&b);
	zs_backend_free(be);
}

static int put_in_pieces(struct zs_backend *be, enum zs_object type, const struct zs_name *name, const uint8_t *data,
    size_t n, struct zs_err *err)
{
	struct zs_put *put;
	size_t at;

	if (zs_backend_put_begin(be, type, &put, err) < 0)
		return -1;
	for (at = 0; at < n; at += n / 4)
		if (zs_backend_put_append(put, zs_span(data + at, n / 4), err) < 0) {
			struct zs_err second = {0};

			/* a put that failed is dead, also for who forgets to look */
			assert_int_equal(zs_backend_put_commit(put, name, &second), -1);
			return -1;
		}
	return zs_backend_put_commit(put, name, err);
}

static void putting(void **state)
{
	static uint8_t data[40000];
	size_t e;
	unsigned n, most = 0;
	int t;

	(void)state;
	for (n = 0; n < sizeof(data); n++)
		data[n] = (uint8_t)(n * 13 + n / 256);
	for (e = 0; e < ERRNOS; e++)
		for (t = ZS_OBJ_KEY; t <= ZS_OBJ_INDEX; t++) {
			struct zs_backend *be = NULL;
			struct zs_err err = {0};

			scratch_clear("f");
			assert_int_equal(zs_backend_local_create(scratch_path("f"), &be, &err), 0);
			for (n = 0, fired = 1; fired; n++) {
				struct zs_name name = name_of((uint8_t)n);
				size_t before = temps();
				int rc;

				arm(n, errnos[e]);
				rc = put_in_pieces(be, (enum zs_object)t, &name, data, sizeof(data), &err);
				armed = 0;
				if (rc < 0)
					check_cause(&err);
				expect_all_or_nothing((enum zs_object)t, &name, data, sizeof(data), rc == 0);
				/* one leftover at most, where the unlink itself was what failed */
				assert_true(temps() <= before + 1);
				if (n > most)
					most = n;
			}
			zs_backend_free(be);
		}
	assert_true(most >= 10);
}

/* a file system without hard links, and one whose answer to the link was lost */
static void linking_otherwise(void **state)
{
	struct zs_backend *be;
	struct zs_err err = {0};
	unsigned n, link_call = 0;
	struct zs_name name;
	int i;

	(void)state;
	scratch_clear("f");
	assert_int_equal(zs_backend_local_create(scratch_path("f"), &be, &err), 0);
	/* openat, write, fsync, then the link */
	link_call = 3;
	for (i = 0; i < 2; i++) {
		name = name_of((uint8_t)(100 + i));
		arm(link_call, i ? ENOTSUP : EPERM);
		assert_int_equal(zs_backend_put(be, ZS_OBJ_INDEX, &name, zs_span_str("renamed"), &err), 0);
		armed = 0;
		assert_int_equal(fired, 1);
		expect_all_or_nothing(ZS_OBJ_INDEX, &name, (const uint8_t *)"renamed", 7, 1);
		/* and there it replaces nothing either */
		arm(link_call, EPERM);
		assert_int_equal(zs_backend_put(be, ZS_OBJ_INDEX, &name, zs_span_str("another"), &err), -1);
		armed = 0;
		assert_int_equal(err.cause, ZS_EXISTS);
		expect_all_or_nothing(ZS_OBJ_INDEX, &name, (const uint8_t *)"renamed", 7, 1);
	}
	/* EINVAL from fsync means "I do not do that" for a directory, but not for a file */
	for (n = 0, fired = 1; fired; n++) {
		int rc;

		name = name_of((uint8_t)(n + 120));
		arm(n, EINVAL);
		rc = zs_backend_put(be, ZS_OBJ_INDEX, &name, zs_span_str("text"), &err);
		armed = 0;
		assert_int_equal(rc, n < 4 ? -1 : 0);
	}
	assert_int_equal(temps(), 1); /* the unlink that failed */
	zs_backend_free(be);
}

struct sum { size_t n; uint64_t bytes; };

static int add_up(void *ctx, const struct zs_name *name, uint64_t bytes, struct zs_err *err)
{
	struct sum *s = ctx;

	(void)name;
	(void)err;
	s->n++;
	s->bytes += bytes;
	return 0;
}

/* Reading: right or an error. */
static void reading(void **state)
{
	static const int sys[] = {EIO, EMFILE};
	struct zs_backend *be;
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};
	unsigned n, failures = 0;
	size_t e;
	int t;

	(void)state;
	scratch_clear("f");
	assert_int_equal(zs_backend_local_create(scratch_path("f"), &be, &err), 0);
	for (t = ZS_OBJ_KEY; t <= ZS_OBJ_INDEX; t++)
		for (n = 0; n < 20; n++) {
			struct zs_name name = name_of((uint8_t)n);

			assert_int_equal(zs_backend_put(be, (enum zs_object)t, &name, zs_span_str("0123456789"),
			    &err), 0);
		}
	for (e = 0; e < 2; e++)
		for (t = ZS_OBJ_KEY; t <= ZS_OBJ_INDEX; t++)
			for (n = 0, fired = 1; fired; n++) {
				struct zs_name name = name_of((uint8_t)(n % 20)), absent = name_of(200);
				struct sum s = {0, 0};
				uint64_t bytes = 0;
				int rc;

				zs_buf_clear(&b);
				arm(n, sys[e]);
				rc = zs_backend_stat(be, (enum zs_object)t, &name, &bytes, &err);
				assert_true(rc == -1 || (rc == 1 && bytes == 10));
				if (rc >= 0) {
					rc = zs_backend_stat(be, (enum zs_object)t, &absent, &bytes, &err);
					assert_true(rc <= 0);
				}
				if (rc >= 0) {
					rc = zs_backend_get(be, (enum zs_object)t, &name, 2, 3, &b, &err);
					assert_true(rc < 0 || memcmp(b.p, "234", 3) == 0);
				}
				if (rc >= 0) {
					rc = zs_backend_get_all(be, (enum zs_object)t, &name, 10, &b, &err);
					assert_true(rc < 0 || memcmp(b.p, "2340123456789", 13) == 0);
				}
				if (rc >= 0) {
					rc = zs_backend_list(be, (enum zs_object)t, add_up, &s, &err);
					assert_true(rc < 0 || (s.n == 20 && s.bytes == 200));
				}
				armed = 0;
				failures += rc < 0;
				if (rc < 0)
					check_cause(&err);
			}
	assert_true(failures > 100);
	zs_buf_fini(&b);
	zs_backend_free(be);
}

static void deleting_and_the_reserve(void **state)
{
	struct zs_backend *be;
	struct zs_err err = {0};
	size_t e;
	unsigned n, failures;

	(void)state;
	for (e = 0; e < ERRNOS; e++) {
		scratch_clear("f");
		assert_int_equal(zs_backend_local_create(scratch_path("f"), &be, &err), 0);
		for (n = 0, fired = 1, failures = 0; fired; n++) {
			struct zs_name name = name_of((uint8_t)n);
			int rc;

			assert_int_equal(zs_backend_put(be, ZS_OBJ_SNAPSHOT, &name, zs_span_str("x"), &err), 0);
			arm(n, errnos[e]);
			rc = zs_backend_delete(be, ZS_OBJ_SNAPSHOT, &name, &err);
			if (rc == 0)
				rc = zs_backend_reserve_release(be, &err);
			if (rc >= 0)
				rc = zs_backend_reserve_make(be, &err);
			if (rc >= 0)
				rc = zs_backend_tidy(be, &err);
			armed = 0;
			/* all went well: what failed was only a look whether the reserve is there */
			if (rc >= 0)
				assert_int_equal(zs_backend_reserve_release(be, &err), 1);
			else
				check_cause(&err);
			failures += rc < 0;
			assert_int_equal(zs_backend_reserve_make(be, &err), 0);
			assert_int_equal(zs_backend_reserve_release(be, &err), 1);
			assert_int_equal(zs_backend_reserve_make(be, &err), 0);
		}
		assert_in_range(failures, n - 2, n - 1);
		zs_backend_free(be);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(creating),
	    cmocka_unit_test(putting),
	    cmocka_unit_test(linking_otherwise),
	    cmocka_unit_test(reading),
	    cmocka_unit_test(deleting_and_the_reserve),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_drop);
}
