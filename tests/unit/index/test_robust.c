/* Several processes, killed processes, damaged, foreign and unclean indexes. */
#include "index_help.h"

#include <fcntl.h>
#include <signal.h>

static struct zs_err err;

static void path_of(char out[static 256], const char *file)
{
	snprintf(out, 256, "%s/%s", help_dir, file);
}

static int wait_for(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* -------------------------------------------------------------- processes */

static void test_two_processes(void **state)
{
	pid_t child[2];
	int fresh;
	struct zs_index *ix;

	(void)state;
	for (uint64_t c = 0; c < 2; c++) {
		child[c] = fork();
		assert_true(child[c] >= 0);
		if (child[c] > 0)
			continue;
		ix = help_open(&fresh);
		for (uint64_t i = 0; i < 60; i++) {
			help_consume(ix, 1000 * c + i, 1000 * c + i, 100000 * c + i * 500, 500);
			help_consume(ix, 5000 + i, 5000 + i, 500000 + i * 10, 10); /* both the same */
		}
		zs_index_close(ix);
		_exit(0);
	}
	assert_int_equal(wait_for(child[0]), 0);
	assert_int_equal(wait_for(child[1]), 0);
	ix = help_open(&fresh);
	assert_int_equal(fresh, 0);
	assert_int_equal(zs_index_pack_count(ix), 180);
	assert_int_equal(zs_index_chunk_total(ix), 60 * 500 * 2 + 600);
	assert_int_equal(help_count(ix, 0, 30000), 30000);
	assert_int_equal(help_count(ix, 100000, 30000), 30000);
	assert_int_equal(help_count(ix, 500000, 600), 600);
	zs_index_close(ix);
}

/* A view sees what another process consumed, also when that made the map larger. */
static void test_other_process_grows(void **state)
{
	int fresh;
	struct zs_index *ix = help_open(&fresh);
	struct zs_index_view *v;
	struct zs_location at;
	struct zs_id id = help_id(5);
	pid_t child;

	(void)state;
	assert_int_equal(zs_index_view_new(ix, &v, &err), 0);
	assert_int_equal(zs_index_get(v, &id, NULL, 0, &at, &err), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		ix = help_open(&fresh);
		for (uint64_t i = 0; i < 3; i++)
			help_consume(ix, i, i, i * 500000, 500000);
		zs_index_close(ix);
		_exit(0);
	}
	assert_int_equal(wait_for(child), 0);
	assert_int_equal(zs_index_view_refresh(v, &err), 0);
	assert_int_equal(zs_index_get(v, &id, NULL, 0, &at, &err), 1);
	help_consume(ix, 9, 9, 9000000, 10);
	assert_int_equal(help_count(ix, 9000000, 10), 10);
	zs_index_view_free(v);
	zs_index_close(ix);
}

/* What was consumed before the kill stays, the cut transaction is not there at all, and nothing begins anew. */
static void test_killed(void **state)
{
	int fresh, last = -1;
	struct zs_index *ix;

	(void)state;
	for (unsigned round = 0; round < 12; round++) {
		int pipes[2];
		char c;
		pid_t child;

		assert_int_equal(pipe(pipes), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			(void)close(pipes[0]);
			ix = help_open(&fresh);
			(void)!write(pipes[1], "x", 1);
			for (uint64_t i = (uint64_t)last + 1;; i++)
				help_consume(ix, i, i, i * 2000, 2000);
		}
		(void)close(pipes[1]);
		assert_int_equal(read(pipes[0], &c, 1), 1);
		usleep(2000 + round * 1700);
		assert_int_equal(kill(child, SIGKILL), 0);
		(void)wait_for(child);
		(void)close(pipes[0]);
		ix = help_open(&fresh);
		assert_int_equal(fresh, 0);
		assert_true((int)zs_index_pack_count(ix) >= last + 1);
		last = (int)zs_index_pack_count(ix) - 1;
		for (int i = 0; i <= last; i += 1 + last / 10) {
			struct zs_name name = help_name((uint64_t)i);

			assert_int_equal(zs_index_knows(ix, &name, &err), 1);
			assert_int_equal(help_count(ix, (uint64_t)i * 2000, 2000), 2000);
		}
		assert_int_equal(help_count(ix, (uint64_t)(last + 1) * 2000, 2000), 0);
		zs_index_close(ix);
	}
	assert_true(last > 0);
}

static void test_shared_in_one_process(void **state)
{
	int fresh;
	struct zs_index *a = help_open(&fresh), *b = help_open(&fresh);

	(void)state;
	assert_int_equal(fresh, 0);
	help_consume(a, 1, 1, 0, 10);
	assert_int_equal(help_count(b, 0, 10), 10);
	zs_index_close(a);
	help_consume(b, 2, 2, 10, 10);
	assert_int_equal(help_count(b, 0, 20), 20);
	zs_index_close(b);
}

/* A second repository, or a damaged index, while another process uses the directory: a private one. */
static void test_private_beside_others(void **state)
{
	int fresh, to_child[2], to_parent[2];
	char c;
	pid_t child;
	struct zs_index *ix;
	struct zs_name other = help_name(43);

	(void)state;
	assert_int_equal(pipe(to_child), 0);
	assert_int_equal(pipe(to_parent), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		ix = help_open(&fresh);
		help_consume(ix, 1, 1, 0, 100);
		(void)!write(to_parent[1], "x", 1);
		(void)!read(to_child[0], &c, 1);
		assert_int_equal(help_count(ix, 0, 100), 100);
		zs_index_close(ix);
		_exit(0);
	}
	assert_int_equal(read(to_parent[0], &c, 1), 1);
	assert_int_equal(zs_index_open(help_dir, &other, &ix, &fresh, &err), 0);
	assert_int_equal(fresh, 1);
	help_consume(ix, 2, 2, 1000, 10);
	assert_int_equal(help_count(ix, 0, 100), 0);
	assert_int_equal(help_count(ix, 1000, 10), 10);
	zs_index_close(ix);
	assert_int_equal(write(to_child[1], "x", 1), 1);
	assert_int_equal(wait_for(child), 0);
	ix = help_open(&fresh);
	assert_int_equal(fresh, 0);
	assert_int_equal(help_count(ix, 0, 100), 100);
	zs_index_close(ix);
}

/* ----------------------------------------------------------------- damage */

static void make_index(int with_base)
{
	int fresh;
	struct zs_index *ix = help_open(&fresh);

	help_consume(ix, 1, 1, 0, with_base ? 60000 : 5000);
	if (with_base)
		assert_int_equal(zs_index_merge(ix, "/tmp", &err), 0);
	help_consume(ix, 2, 2, 100000, 1000);
	zs_index_close(ix);
}

static void expect_fresh(int want)
{
	int fresh;
	struct zs_index *ix = help_open(&fresh);

	assert_int_equal(fresh, want);
	help_consume(ix, 7, 7, 700000, 10);
	assert_int_equal(help_count(ix, 700000, 10), 10);
	zs_index_close(ix);
}

static void copy_all(const char *to_or_from, int save)
{
	char command[600];

	/* A shell is good enough to keep a copy of a directory. */
	if (save)
		snprintf(command, sizeof command, "cp -a --sparse=always %s %s", help_dir, to_or_from);
	else
		snprintf(command, sizeof command, "rm -rf %s && cp -a --sparse=always %s %s", help_dir, to_or_from,
		    help_dir);
	assert_int_equal(system(command), 0);
}

static void test_truncated(void **state)
{
	static const char *const file[] = {"delta.2/data.mdb", "base.2/data.mdb", "CURRENT"};
	char saved[128], path[256];

	(void)state;
	make_index(1);
	snprintf(saved, sizeof saved, "%s.saved", help_dir);
	copy_all(saved, 1);
	for (size_t f = 0; f < 3; f++) {
		struct stat st;

		copy_all(saved, 0);
		path_of(path, file[f]);
		assert_int_equal(stat(path, &st), 0);
		for (int cut = 0; cut < 6; cut++) {
			static const double part[] = {0, 0.00001, 0.01, 0.3, 0.7, 0.99};

			copy_all(saved, 0);
			assert_int_equal(truncate(path, (off_t)((double)st.st_size * part[cut])), 0);
			expect_fresh(1);
		}
		copy_all(saved, 0);
		assert_int_equal(unlink(path), 0);
		expect_fresh(1);
	}
	copy_all(saved, 0);
	expect_fresh(0);
	nftw(saved, help_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void test_bit_flips(void **state)
{
	static const char *const file[] = {"delta.1/data.mdb", "CURRENT"};
	char saved[128], path[256];
	uint64_t seed = 99;

	(void)state;
	make_index(0);
	snprintf(saved, sizeof saved, "%s.saved", help_dir);
	copy_all(saved, 1);
	for (int round = 0; round < 60; round++) {
		struct stat st;
		uint8_t b;
		off_t at;
		int fd;

		copy_all(saved, 0);
		path_of(path, file[round % 4 == 3]);
		fd = open(path, O_RDWR);
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		at = (off_t)(help_random(&seed) % (uint64_t)st.st_size);
		assert_int_equal(pread(fd, &b, 1, at), 1);
		b ^= (uint8_t)(1u << help_random(&seed) % 8);
		assert_int_equal(pwrite(fd, &b, 1, at), 1);
		assert_int_equal(close(fd), 0);
		expect_fresh(1);
	}
	nftw(saved, help_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Unclean files are not summed up: whatever is in the pages, a location that comes out has passed its checks, and
 * LMDB's own complaint makes the index begin anew.  In a child: LMDB promises less than we do. */
static void test_zeroed_pages(void **state)
{
	char path[256];
	static const uint8_t zeros[4096];
	int fresh;

	(void)state;
	for (off_t page = 2; page < 40; page += 3) {
		struct zs_index *ix = help_open(&fresh);
		struct zs_index_view *v = NULL;
		struct zs_location at;
		pid_t child;
		int fd, bad = 0;

		help_consume(ix, 1, 1, 0, 5000);
		zs_index_close(ix);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) { /* leaves the index open: unclean, but of this boot */
			ix = help_open(&fresh);
			help_consume(ix, 2, 2, 10000, 10);
			_exit(0);
		}
		assert_int_equal(wait_for(child), 0);
		snprintf(path, sizeof path, "ls -d %s/delta.*", help_dir);
		FILE *f = popen(path, "r");
		assert_non_null(f);
		assert_int_equal(fscanf(f, "%240s", path), 1);
		(void)pclose(f);
		strcat(path, "/data.mdb");
		fd = open(path, O_RDWR);
		assert_true(fd >= 0);
		assert_int_equal(pwrite(fd, zeros, sizeof zeros, page * 4096), (ssize_t)sizeof zeros);
		assert_int_equal(close(fd), 0);
		ix = help_open(&fresh);
		if (!fresh && zs_index_view_new(ix, &v, &err) == 0)
			for (uint64_t i = 0; i < 5000 && !bad; i++) {
				struct zs_id id = help_id(i);

				bad = zs_index_get(v, &id, NULL, 0, &at, &err) < 0;
			}
		zs_index_view_free(v);
		zs_index_close(ix);
		ix = help_open(&fresh);
		if (bad)
			assert_int_equal(fresh, 1);
		zs_index_close(ix);
		assert_int_equal(zs_index_discard(help_dir, &err), 0);
	}
}

/* ------------------------------------------------------- foreign, unclean */

static void edit_current(const char *from, const char *to)
{
	char path[256], text[1024], *at;
	FILE *f;
	size_t n;

	path_of(path, "CURRENT");
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = 0;
	(void)fclose(f);
	at = strstr(text, from);
	assert_non_null(at);
	memcpy(at, to, strlen(to));
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void test_foreign(void **state)
{
	struct zs_name other = help_name(43);
	struct zs_index *ix;
	int fresh;

	(void)state;
	make_index(0);
	assert_int_equal(zs_index_open(help_dir, &other, &ix, &fresh, &err), 0);
	assert_int_equal(fresh, 1);
	assert_int_equal(help_count(ix, 0, 100), 0);
	zs_index_close(ix);
	expect_fresh(1);
	edit_current("index 1", "index 2");
	expect_fresh(1);
}

static void leave_open(void)
{
	pid_t child = fork();
	int fresh;

	assert_true(child >= 0);
	if (child == 0) {
		struct zs_index *ix = help_open(&fresh);

		help_consume(ix, 3, 3, 300000, 10);
		_exit(0);
	}
	assert_int_equal(wait_for(child), 0);
}

static void test_system_crash(void **state)
{
	(void)state;
	make_index(0);
	edit_current("boot ", "boot ffff"); /* closed well before another boot: fine */
	expect_fresh(0);
	leave_open();
	edit_current("boot ", "boot ffff"); /* open when the system went down */
	expect_fresh(1);
	leave_open();
	expect_fresh(0); /* only the process died */
}

static void test_discard(void **state)
{
	(void)state;
	make_index(0);
	expect_fresh(0);
	assert_int_equal(zs_index_discard(help_dir, &err), 0);
	expect_fresh(1);
	expect_fresh(0);
}

static void test_unusable_directory(void **state)
{
	struct zs_name repo = help_name(42);
	struct zs_index *ix = NULL;
	char path[256];
	int fresh, fd;

	(void)state;
	path_of(path, "file");
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	path_of(path, "file/index");
	assert_int_equal(zs_index_open(path, &repo, &ix, &fresh, &err), -1);
	assert_int_equal(err.cause, ZS_SYSTEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_two_processes, help_setup, help_teardown),
	    cmocka_unit_test_setup_teardown(test_other_process_grows, help_setup, help_teardown),
	    cmocka_unit_test_setup_teardown(test_killed, help_setup, help_teardown),
	    cmocka_unit_test_setup_teardown(test_shared_in_one_process, help_setup, help_teardown),
	    cmocka_unit_test_setup_teardown(test_private_beside_others, help_setup, help_teardown),
	    cmocka_unit_test_setup_teardown(test_truncated, help_setup, help_teardown),
	    cmocka_unit_test_setup_teardown(test_bit_flips, help_setup, help_teardown),
	    cmocka_unit_test_setup_teardown(test_zeroed_pages, help_setup, help_teardown),
	    cmocka_unit_test_setup_teardown(test_foreign, help_setup, help_teardown),
	    cmocka_unit_test_setup_teardown(test_system_crash, help_setup, help_teardown),
	    cmocka_unit_test_setup_teardown(test_discard, help_setup, help_teardown),
	    cmocka_unit_test_setup_teardown(test_unusable_directory, help_setup, help_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
