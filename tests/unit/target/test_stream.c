/* stream.c: contents one after the other, exactly. */
#include "sandbox.h"

static void contents_only(void **state)
{
	struct zs_entry a = file_entry(sp("hello ")), b = {.kind = ZS_ENTRY_FILE, .size = 70000},
	    dir = {.kind = ZS_ENTRY_DIR};
	struct zs_target *t = NULL;
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};
	int fd = open(at("out"), O_RDWR | O_CREAT, 0600);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(zs_target_stdout_new(fd, &t, &err), 0);
	assert_int_equal(t->ops->begin(t, sp("d"), &dir, &err), 0);
	assert_int_equal(t->ops->end(t, &err), 0);
	assert_int_equal(t->ops->begin(t, sp("d/a"), &a, &err), 0);
	assert_int_equal(t->ops->write(t, sp("hel"), &err), 0);
	assert_int_equal(t->ops->end(t, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_int_equal(t->ops->write(t, sp("lo , and more"), &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_int_equal(t->ops->write(t, sp("lo "), &err), 0);
	assert_int_equal(t->ops->end(t, &err), 0);
	assert_int_equal(t->ops->begin(t, sp("d/b"), &b, &err), 0);
	assert_int_equal(t->ops->hole(t, 69999, &err), 0);
	assert_int_equal(t->ops->hole(t, 2, &err), -1);
	assert_int_equal(t->ops->write(t, sp("!"), &err), 0);
	assert_int_equal(t->ops->end(t, &err), 0);
	assert_int_equal(t->ops->finish(t, &err), 0);
	t->ops->free(t);
	(void)close(fd);
	assert_int_equal(zs_read_file(at("out"), 1 << 20, &out, ZS_SYSTEM, &err), 0);
	assert_int_equal(out.n, 70006);
	assert_memory_equal(out.p, "hello \0\0", 8);
	assert_int_equal(out.p[70005], '!');
	zs_buf_fini(&out);
}

static void full_disk(void **state)
{
	struct zs_entry e = file_entry(sp("x"));
	struct zs_target *t = NULL;
	struct zs_err err = {0};
	int fd = open("/dev/full", O_WRONLY);

	(void)state;
	assert_int_equal(zs_target_stdout_new(fd, &t, &err), 0);
	assert_int_equal(t->ops->begin(t, sp("x"), &e, &err), 0);
	assert_int_equal(t->ops->write(t, sp("x"), &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	assert_int_equal(err.sys, ENOSPC);
	t->ops->free(t);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {test(contents_only), test(full_disk)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
