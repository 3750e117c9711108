/* Streams: a descriptor, a command that ends well, badly, by a signal, or is given up. */
#include "util.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static const struct zs_source_settings settings = {.problem = note_problem, .tmp_dir = "/tmp"};

/* The item with the content; the directories above it are checked. */
static void to_stream(struct zs_source *s, struct zs_source_item *item)
{
	struct zs_err err = {0};

	assert_int_equal(zs_source_next(s, item, &err), 1);
	assert_true(zs_span_eq(item->path, zs_span_str("db")));
	assert_int_equal(item->entry.kind, ZS_ENTRY_DIR);
	assert_int_equal(item->entry.mode, 0755);
	assert_int_equal(item->entry.mtime_ns, 0);
	assert_null(item->handle);
	assert_int_equal(zs_source_next(s, item, &err), 1);
	assert_true(zs_span_eq(item->path, zs_span_str("db/all")));
	assert_int_equal(zs_source_next(s, item, &err), 1);
	assert_true(zs_span_eq(item->path, zs_span_str("db/all/dump.sql")));
	assert_int_equal(item->entry.kind, ZS_ENTRY_FILE);
	assert_int_equal(item->entry.identity, 0);
	assert_int_equal(item->content, ZS_KIND_SQL);
	assert_int_equal(item->serial, 1);
	assert_non_null(item->handle);
}

static void test_fd(void **state)
{
	struct zs_source_item item;
	struct zs_source_reader *r;
	struct zs_buf got = ZS_BUF_INIT;
	struct zs_source *s;
	struct zs_err err = {0};
	uint64_t holes;
	int fds[2], changed;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "a stream", 8), 8);
	assert_int_equal(close(fds[1]), 0);
	assert_int_equal(zs_source_fd_new(fds[0], zs_span_str("/bad"), ZS_KIND_SQL, &settings, &s, &err), -1);
	assert_int_equal(err.cause, ZS_USAGE);
	assert_int_equal(zs_source_fd_new(fds[0], zs_span_str("db/all/dump.sql"), ZS_KIND_SQL, &settings, &s, &err), 0);
	to_stream(s, &item);
	assert_int_equal(read_all(item.handle, &got, &holes, &changed, &err), 0);
	assert_true(zs_span_eq(zs_buf_span(&got), zs_span_str("a stream")));
	assert_int_equal(zs_source_open(item.handle, &r, &err), -1); /* once only */
	assert_int_equal(err.cause, ZS_SOURCE);
	zs_source_handle_free(item.handle);
	assert_int_equal(zs_source_next(s, &item, &err), 0);
	zs_source_free(s);
	assert_int_equal(close(fds[0]), 0); /* was only borrowed */
	zs_buf_fini(&got);
}

static void test_fd_fails(void **state)
{
	struct zs_source_item item;
	struct zs_buf got = ZS_BUF_INIT;
	struct zs_source *s;
	struct zs_err err = {0};
	uint64_t holes;
	int changed, fd = open("/", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_int_equal(zs_source_fd_new(fd, zs_span_str("db/all/dump.sql"), ZS_KIND_SQL, &settings, &s, &err), 0);
	to_stream(s, &item);
	assert_int_equal(read_all(item.handle, &got, &holes, &changed, &err), -1);
	assert_int_equal(err.cause, ZS_SOURCE);
	assert_int_equal(err.sys, EISDIR);
	zs_source_free(s);
	assert_int_equal(close(fd), 0);
	zs_buf_fini(&got);
}

static int run(const char *script, struct zs_buf *got, struct zs_err *err)
{
	char *argv[] = {strdup("sh"), strdup("-c"), strdup(script), NULL};
	struct zs_source_item item;
	struct zs_source *s;
	uint64_t holes;
	int rc, changed;

	assert_int_equal(zs_source_command_new(argv, zs_span_str("db/all/dump.sql"), ZS_KIND_SQL, &settings, &s, err),
	    0);
	to_stream(s, &item);
	rc = read_all(item.handle, got, &holes, &changed, err);
	zs_source_handle_free(item.handle);
	zs_source_free(s);
	for (int i = 0; i < 3; i++)
		free(argv[i]);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left behind */
	assert_int_equal(errno, ECHILD);
	return rc;
}

static void test_command(void **state)
{
	struct zs_buf got = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(run("cat; printf 'some %s' output", &got, &err), 0);
	assert_true(zs_span_eq(zs_buf_span(&got), zs_span_str("some output")));
	got.n = 0;
	assert_int_equal(run("yes | head -c 1000000", &got, &err), 0);
	assert_int_equal(got.n, 1000000);
	zs_buf_fini(&got);
}

static void test_command_fails(void **state)
{
	struct zs_buf got = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(run("echo half; exit 3", &got, &err), -1);
	assert_int_equal(err.cause, ZS_SOURCE);
	assert_non_null(strstr(err.text, "status 3"));
	assert_int_equal(run("echo half; kill -KILL $$", &got, &err), -1);
	assert_int_equal(err.cause, ZS_SOURCE);
	assert_non_null(strstr(err.text, "signal 9"));
	zs_buf_fini(&got);
}

static void test_command_absent(void **state)
{
	char name[] = "/nowhere/no-such-command", *argv[] = {name, NULL}, *none[] = {NULL};
	struct zs_source_item item;
	struct zs_source_reader *r;
	struct zs_source *s;
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(zs_source_command_new(none, zs_span_str("x"), ZS_KIND_SQL, &settings, &s, &err), -1);
	assert_int_equal(err.cause, ZS_USAGE);
	assert_int_equal(zs_source_command_new(argv, zs_span_str("db/all/dump.sql"), ZS_KIND_SQL, &settings, &s, &err),
	    0);
	to_stream(s, &item);
	assert_int_equal(zs_source_open(item.handle, &r, &err), -1);
	assert_int_equal(err.cause, ZS_SOURCE);
	assert_int_equal(err.sys, ENOENT);
	zs_source_free(s);
}

/* Given up in the middle: the command is ended, and soon. */
static void test_command_given_up(void **state)
{
	char sh[] = "sh", c[] = "-c", script[] = "echo $$; exec sleep 100", *argv[] = {sh, c, script, NULL};
	struct zs_source_item item;
	struct zs_source_reader *r;
	struct zs_source *s;
	struct zs_err err = {0};
	char buf[32] = "";
	uint64_t hole, begin = zs_monotonic_ns();
	int changed;
	size_t n;

	(void)state;
	assert_int_equal(zs_source_command_new(argv, zs_span_str("db/all/dump.sql"), ZS_KIND_SQL, &settings, &s, &err),
	    0);
	to_stream(s, &item);
	assert_int_equal(zs_source_open(item.handle, &r, &err), 0);
	assert_int_equal(zs_source_read(r, buf, sizeof buf - 1, &n, &hole, &err), 0);
	assert_int_equal(kill(atoi(buf), 0), 0);
	assert_int_equal(zs_source_close(&r, &changed, &err), -1);
	assert_int_equal(err.cause, ZS_SOURCE);
	assert_int_equal(kill(atoi(buf), 0), -1);
	assert_true(zs_monotonic_ns() - begin < 3000000000u);
	zs_source_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fd), cmocka_unit_test(test_fd_fails), cmocka_unit_test(test_command),
		cmocka_unit_test(test_command_fails), cmocka_unit_test(test_command_absent),
		    cmocka_unit_test(test_command_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
