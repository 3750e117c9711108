/* Whole transfers in spite of signals and short reads; limits; temporary files; directories. */
#include "zstore/base.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[] = "/tmp/zs-test-io-XXXXXX";

static int make_temp(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int drop_temp(void **state)
{
	char command[100];

	(void)state;
	(void)snprintf(command, sizeof(command), "chmod -R u+rwx %s; rm -rf %s", dir, dir);
	return system(command);
}

static const char *in_dir(const char *name)
{
	static char path[4][300];
	static unsigned turn;
	char *p = path[turn++ % 4];

	(void)snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

/* signals without SA_RESTART, every 2 ms */
static void start_alarms(void)
{
	const struct sigaction sa = {.sa_handler = on_alarm};
	const struct itimerval it = {{0, 2000}, {0, 2000}};

	alarms = 0;
	assert_int_equal(sigaction(SIGALRM, &sa, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &it, NULL), 0);
}

static void stop_alarms(void)
{
	const struct itimerval it = {{0, 0}, {0, 0}};

	assert_int_equal(setitimer(ITIMER_REAL, &it, NULL), 0);
}

#define BIG 50000

static void writes_survive_signals_and_a_slow_reader(void **state)
{
	static uint8_t data[BIG], got[BIG];
	struct zs_err err = {0};
	int to[2], status;
	size_t n, i;
	pid_t pid;

	(void)state;
	for (i = 0; i < BIG; i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	assert_int_equal(pipe(to), 0);
	assert_true(fcntl(to[1], F_SETPIPE_SZ, 4096) >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(to[1]);
		for (i = 0; i < BIG;) {
			ssize_t r = read(to[0], got + i, 3001);

			if (r <= 0)
				_exit(2);
			i += (size_t)r;
			(void)usleep(1500);
		}
		_exit(memcmp(data, got, BIG) != 0);
	}
	(void)close(to[0]);
	start_alarms();
	assert_int_equal(zs_write_all(to[1], data, BIG, ZS_IO, "pipe", &err), 0);
	stop_alarms();
	(void)close(to[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(alarms > 0);

	/* and the other way: a slow writer */
	assert_int_equal(pipe(to), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (i = 0; i < BIG; i += 2500) {
			if (write(to[1], data + i, 2500) != 2500)
				_exit(1);
			(void)usleep(2500);
		}
		_exit(0);
	}
	(void)close(to[1]);
	start_alarms();
	assert_int_equal(zs_read_full(to[0], got, 20000, &n, ZS_IO, "pipe", &err), 0);
	assert_int_equal(n, 20000);
	assert_int_equal(zs_read_full(to[0], got + n, BIG, &n, ZS_IO, "pipe", &err), 0);
	stop_alarms();
	assert_int_equal(n, BIG - 20000);
	assert_memory_equal(got, data, BIG);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)close(to[0]);
}

static void positions(void **state)
{
	int fd = open(in_dir("pos"), O_RDWR | O_CREAT, 0600);
	struct zs_err err = {0};
	char got[10];
	size_t n;

	(void)state;
	assert_int_equal(zs_pwrite_all(fd, "0123456789", 10, 5, ZS_IO, "pos", &err), 0);
	assert_int_equal(zs_pread_full(fd, got, 4, 7, &n, ZS_IO, "pos", &err), 0);
	assert_int_equal(n, 4);
	assert_memory_equal(got, "2345", 4);
	assert_int_equal(zs_pread_full(fd, got, 10, 12, &n, ZS_IO, "pos", &err), 0);
	assert_int_equal(n, 3);
	assert_int_equal(zs_pread_full(fd, got, 10, 15, &n, ZS_IO, "pos", &err), 0);
	assert_int_equal(n, 0);
	assert_int_equal(zs_pwrite_all(fd, "x", 1, INT64_MAX, ZS_IO, "pos", &err), -1);
	assert_int_equal(err.sys, EFBIG);
	assert_int_equal(zs_pread_full(fd, got, 1, UINT64_MAX, &n, ZS_IO, "pos", &err), -1);
	assert_int_equal(err.sys, EFBIG);
	(void)close(fd);
}

static void failures_name_the_file_and_the_cause(void **state)
{
	int full = open("/dev/full", O_WRONLY), at = open(dir, O_RDONLY);
	struct zs_err err = {0};
	char c;
	size_t n;

	(void)state;
	assert_int_equal(zs_write_all(full, "x", 1, ZS_IO, "the-file", &err), -1);
	assert_int_equal(err.cause, ZS_NOSPACE);
	assert_int_equal(err.sys, ENOSPC);
	assert_non_null(strstr(err.text, "the-file"));
	assert_int_equal(zs_pwrite_all(full, "x", 1, 0, ZS_SYSTEM, "the-file", &err), -1);
	assert_int_equal(err.cause, ZS_SYSTEM);
	assert_int_equal(err.sys, ENOSPC);
	assert_int_equal(zs_write_all(-1, "x", 1, ZS_TARGET, "the-file", &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	assert_int_equal(err.sys, EBADF);
	assert_int_equal(zs_read_full(at, &c, 1, &n, ZS_SOURCE, "the-file", &err), -1);
	assert_int_equal(err.cause, ZS_SOURCE);
	assert_int_equal(err.sys, EISDIR);
	assert_int_equal(zs_pread_full(at, &c, 1, 0, &n, ZS_SOURCE, "the-file", &err), -1);
	assert_int_equal(err.sys, EISDIR);
	assert_int_equal(zs_write_all(-1, NULL, 0, ZS_IO, "the-file", &err), 0);
	(void)close(full);
	(void)close(at);
}

static void write_file(const char *path, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	while (n-- > 0)
		(void)fputc('z', f);
	assert_int_equal(fclose(f), 0);
}

static void whole_files_up_to_a_limit(void **state)
{
	static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 200000};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct zs_buf b = ZS_BUF_INIT;
		struct zs_err err = {0};

		write_file(in_dir("whole"), sizes[i]);
		assert_int_equal(zs_buf_add(&b, "old", 3, &err), 0);
		assert_int_equal(zs_read_file(in_dir("whole"), sizes[i], &b, ZS_IO, &err), 0);
		assert_int_equal(b.n, 3 + sizes[i]);
		assert_memory_equal(b.p, "old", 3);
		b.n = 3;
		if (sizes[i] > 0) {
			assert_int_equal(zs_read_file(in_dir("whole"), sizes[i] - 1, &b, ZS_IO, &err), -1);
			assert_int_equal(err.cause, ZS_LIMIT);
			assert_int_equal(b.n, 3);
		}
		assert_int_equal(zs_read_file(in_dir("none"), 10, &b, ZS_SOURCE, &err), -1);
		assert_int_equal(err.cause, ZS_SOURCE);
		assert_int_equal(err.sys, ENOENT);
		assert_int_equal(zs_read_file(dir, 10, &b, ZS_IO, &err), -1);
		assert_int_equal(err.sys, EISDIR);
		assert_int_equal(b.n, 3);
		zs_buf_fini(&b);
	}
	/* no limit at all, and a file that claims to have no size */
	{
		struct zs_buf b = ZS_BUF_INIT;
		struct zs_err err = {0};

		assert_int_equal(zs_read_file(in_dir("whole"), SIZE_MAX, &b, ZS_IO, &err), 0);
		assert_int_equal(b.n, 200000);
		zs_buf_clear(&b);
		assert_int_equal(zs_read_file("/proc/self/stat", 65536, &b, ZS_IO, &err), 0);
		assert_true(b.n > 0);
		zs_buf_fini(&b);
	}
}

static void temporary_files_have_no_name(void **state)
{
	struct zs_err err = {0};
	struct stat st;
	int fd = zs_temp_file(dir, &err), proc;
	char c;
	size_t n;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(zs_pwrite_all(fd, "q", 1, 0, ZS_SYSTEM, "temp", &err), 0);
	assert_int_equal(zs_pread_full(fd, &c, 1, 0, &n, ZS_SYSTEM, "temp", &err), 0);
	assert_int_equal(c, 'q');
	(void)close(fd);
	proc = zs_temp_file(in_dir("none"), &err);
	assert_int_equal(proc, -1);
	assert_int_equal(err.cause, ZS_SYSTEM);
	assert_int_equal(err.sys, ENOENT);
	/* a file system that cannot: the way without O_TMPFILE fails, too, and says so */
	assert_int_equal(zs_temp_file("/proc", &err), -1);
	assert_int_equal(err.cause, ZS_SYSTEM);
}

static void directories_are_made(void **state)
{
	struct zs_err err = {0};
	struct stat st;

	(void)state;
	assert_int_equal(zs_make_dirs(in_dir("a/b//c/"), 0750, &err), 0);
	assert_int_equal(stat(in_dir("a/b/c"), &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0750);
	assert_int_equal(zs_make_dirs(in_dir("a/b/c"), 0700, &err), 0);
	assert_int_equal(zs_make_dirs(in_dir("a/../a/b/d"), 0700, &err), 0);
	assert_int_equal(zs_make_dirs("/", 0700, &err), 0);
	write_file(in_dir("a/file"), 1);
	assert_int_equal(zs_make_dirs(in_dir("a/file"), 0700, &err), -1);
	assert_int_equal(err.cause, ZS_SYSTEM);
	assert_int_equal(err.sys, ENOTDIR);
	assert_int_equal(zs_make_dirs(in_dir("a/file/x"), 0700, &err), -1);
	assert_int_equal(err.sys, ENOTDIR);
	assert_int_equal(zs_make_dirs("", 0700, &err), -1);
	assert_int_equal(err.sys, ENOENT);
	/* a link to a directory is one, a dangling link is none */
	assert_int_equal(symlink("a", in_dir("link")), 0);
	assert_int_equal(zs_make_dirs(in_dir("link/z"), 0700, &err), 0);
	assert_int_equal(symlink("nowhere", in_dir("dangling")), 0);
	assert_int_equal(zs_make_dirs(in_dir("dangling"), 0700, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_survive_signals_and_a_slow_reader),
	    cmocka_unit_test(positions),
	    cmocka_unit_test(failures_name_the_file_and_the_cause),
	    cmocka_unit_test(whole_files_up_to_a_limit),
	    cmocka_unit_test(temporary_files_have_no_name),
	    cmocka_unit_test(directories_are_made),
	};

	return cmocka_run_group_tests(tests, make_temp, drop_temp);
}
