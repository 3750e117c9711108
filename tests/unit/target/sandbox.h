/* What the tests of the directory target share: a temporary directory with a root to restore into and an outside. */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "zstore/target.h"

static char box[] = "/tmp/zs-target-XXXXXX";
static char here[4096];
static unsigned problems;
static struct zs_err last_problem;

static inline const char *at(const char *below)
{
	(void)snprintf(here, sizeof here, "%s/%s", box, below);
	return here;
}

static inline void on_problem(void *ctx, struct zs_span path, const struct zs_err *err)
{
	(void)ctx;
	(void)path;
	problems++;
	last_problem = *err;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)type;
	(void)ftw;
	if (S_ISDIR(st->st_mode))
		(void)chmod(path, 0700);
	return remove(path);
}

static inline int sandbox_setup(void **state)
{
	(void)state;
	strcpy(box + strlen(box) - 6, "XXXXXX");
	problems = 0;
	if (!mkdtemp(box) || mkdir(at("outside"), 0700) < 0)
		return -1;
	return 0;
}

static inline int sandbox_teardown(void **state)
{
	(void)state;
	return nftw(box, remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

static inline struct zs_files *files_open(enum zs_overwrite rule)
{
	struct zs_files_target_settings s = {.overwrite = rule, .problem = on_problem};
	struct zs_files *f = NULL;
	struct zs_err err = {0};

	assert_int_equal(zs_files_new(at("root"), &s, &f, &err), 0);
	return f;
}

static inline struct zs_span sp(const char *s)
{
	return zs_span_str(s);
}

/* A file's entry with that content, ours, mode 0640, of 2020-09-13 and a few nanoseconds. */
static inline struct zs_entry file_entry(struct zs_span content)
{
	struct zs_entry e = {
		.kind = ZS_ENTRY_FILE, .flags = ZS_ENTRY_HAS_MODE, .mode = 0640, .uid = geteuid(), .gid = getegid(),
		.mtime_ns = 1600000000123456789, .size = content.n, .sum = zs_hash64(0, content),
	};

	return e;
}

static inline void put_file(const char *path, const char *content)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	(void)close(fd);
}

static inline void expect_file(const char *path, const char *content)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};

	assert_int_equal(zs_read_file(path, 1 << 20, &b, ZS_SYSTEM, &err), 0);
	assert_int_equal(b.n, strlen(content));
	if (b.n)
		assert_memory_equal(b.p, content, b.n);
	zs_buf_fini(&b);
}

static inline int exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

#define test(f) cmocka_unit_test_setup_teardown(f, sandbox_setup, sandbox_teardown)

#endif
