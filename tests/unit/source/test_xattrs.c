/* An extended attribute that cannot be read is named, each time: the item without it must not count as known. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "zstore/source.h"

static int fault; /* what reading a value says; 0: it is "v" */
static unsigned problems;
static struct zs_err err;

/* In place of the C library's. */
ssize_t llistxattr(const char *path, char *list, size_t size)
{
	static const char names[] = "user.one";

	(void)path;
	if (size >= sizeof names)
		memcpy(list, names, sizeof names);
	return sizeof names;
}

ssize_t lgetxattr(const char *path, const char *name, void *value, size_t size)
{
	(void)path;
	(void)name;
	if (fault || !size) {
		errno = fault ? fault : ERANGE;
		return -1;
	}
	*(char *)value = 'v';
	return 1;
}

static void count_problem(void *ctx, struct zs_span path, const struct zs_err *why)
{
	(void)ctx;
	(void)path;
	assert_int_equal(why->cause, ZS_SOURCE);
	problems++;
}

static void fill_one(uint64_t *out_identity, size_t *out_xattrs)
{
	char dir[] = "/tmp/zs-xattrs-XXXXXX", file[64];
	struct zs_source_settings settings = {.problem = count_problem, .tmp_dir = "/tmp"};
	struct zs_files_settings files = {.flags = ZS_FILES_NO_RACY_GUARD};
	struct zs_buf storage = ZS_BUF_INIT;
	struct zs_source_item item;
	struct zs_strings paths = {0};
	struct zs_source *s;
	int fd, seen = 0;

	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof file, "%s/f", dir);
	fd = open(file, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0 && close(fd) == 0);
	assert_int_equal(zs_strings_add(&paths, zs_span_str(file), &err), 0);
	files.paths = &paths;
	assert_int_equal(zs_source_files_new(&files, &settings, &s, &err), 0);
	while (zs_source_next(s, &item, &err) > 0) {
		if (item.entry.kind == ZS_ENTRY_FILE) {
			assert_true(item.entry.identity != 0);
			assert_int_equal(zs_source_fill(item.handle, &item.entry, &storage, &err), 0);
			*out_identity = item.entry.identity;
			*out_xattrs = item.entry.xattrs.n;
			seen = 1;
		}
		zs_source_handle_free(item.handle);
	}
	assert_true(seen);
	zs_source_free(s);
	zs_strings_fini(&paths);
	zs_buf_fini(&storage);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void test_value_cannot_be_read(void **state)
{
	uint64_t identity;
	size_t xattrs;

	(void)state;
	problems = 0;
	fault = 0;
	fill_one(&identity, &xattrs);
	assert_true(identity != 0 && xattrs > 0 && problems == 0);
	fault = EACCES; /* as another user's: nothing to be told */
	fill_one(&identity, &xattrs);
	assert_true(identity != 0 && xattrs == 0 && problems == 0);
	fault = EIO;
	fill_one(&identity, &xattrs);
	assert_true(identity == 0 && xattrs == 0);
	assert_int_equal(problems, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_value_cannot_be_read)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
