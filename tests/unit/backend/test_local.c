/* The directory backend: layout, foreign files, what is missing, dead writers' leftovers, deleted packs. */
#include "zstore/backend.h"

#include <dirent.h>
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
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "scratch.h"

static struct zs_name name_of(uint8_t first, uint8_t last)
{
	struct zs_name name = {{0}};

	name.b[0] = first;
	name.b[31] = last;
	return name;
}

static struct zs_backend *create(void)
{
	struct zs_backend *be;
	struct zs_err err = {0};

	scratch_clear("r");
	if (zs_backend_local_create(scratch_path("r"), &be, &err) < 0)
		fail_msg("%s", err.text);
	return be;
}

static int see(void *ctx, const struct zs_name *name, uint64_t bytes, struct zs_err *err)
{
	(void)name;
	(void)bytes;
	(void)err;
	(*(size_t *)ctx)++;
	return 0;
}

static int list(struct zs_backend *be, enum zs_object type, size_t *out_n, struct zs_err *err)
{
	*out_n = 0;
	return zs_backend_list(be, type, see, out_n, err);
}

static size_t entries(const char *path)
{
	DIR *d = opendir(path);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n - 2;
}

static void put(struct zs_backend *be, enum zs_object type, const struct zs_name *name, const char *text)
{
	struct zs_err err = {0};

	if (zs_backend_put(be, type, name, zs_span_str(text), &err) < 0)
		fail_msg("%s", err.text);
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
}

static void layout(void **state)
{
	static const char *const dirs[] = {"", "keys", "", "index", "snapshots", "sessions", "condemned", "removed"};
	static const char hex[] = "ab000000000000000000000000000000000000000000000000000000000000cd";
	struct zs_backend *be = create();
	struct zs_name name = name_of(0xab, 0xcd);
	struct stat st;
	char rel[200];
	int t;

	(void)state;
	assert_string_equal(zs_backend_describe(be), scratch_path("r"));
	for (t = 1; t < ZS_OBJECTS; t++) {
		put(be, (enum zs_object)t, &name, "data");
		(void)snprintf(rel, sizeof(rel), "r/%s/%s", t == ZS_OBJ_PACK ? "packs/ab" : dirs[t], hex);
		assert_int_equal(stat(scratch_path(rel), &st), 0);
		assert_int_equal(st.st_size, 4);
		assert_int_equal(st.st_nlink, 1);
	}
	put(be, ZS_OBJ_CONFIG, &zs_name_zero, "conf");
	assert_int_equal(stat(scratch_path("r/config"), &st), 0);
	assert_int_equal(stat(scratch_path("r/reserve"), &st), 0);
	assert_int_equal(st.st_size, 512 * 1024);
	assert_true(st.st_blocks * 512 >= 512 * 1024);
	assert_int_equal(stat(scratch_path("r"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(entries(scratch_path("r/tmp")), 0);
	assert_int_equal(entries(scratch_path("r")), 10);
	assert_int_equal(entries(scratch_path("r/packs")), 1);
	zs_backend_free(be);
	zs_backend_free(NULL);
}

static void create_wants_nothing_there(void **state)
{
	struct zs_backend *be, *again;
	struct zs_err err = {0};

	(void)state;
	scratch_clear("r");
	/* parents are made; an empty directory is as good as none */
	assert_int_equal(zs_backend_local_create(scratch_path("r/a//b/c/"), &be, &err), 0);
	zs_backend_free(be);
	assert_int_equal(zs_backend_local_create(scratch_path("r/a/b/c"), &again, &err), -1);
	assert_int_equal(err.cause, ZS_EXISTS);
	assert_int_equal(mkdir(scratch_path("r/empty"), 0755), 0);
	assert_int_equal(zs_backend_local_create(scratch_path("r/empty"), &be, &err), 0);
	zs_backend_free(be);
	assert_int_equal(mkdir(scratch_path("r/full"), 0755), 0);
	touch(scratch_path("r/full/.hidden"));
	assert_int_equal(zs_backend_local_create(scratch_path("r/full"), &again, &err), -1);
	assert_int_equal(err.cause, ZS_EXISTS);
	assert_int_equal(entries(scratch_path("r/full")), 1);
	touch(scratch_path("r/file"));
	assert_int_equal(zs_backend_local_create(scratch_path("r/file"), &again, &err), -1);
	assert_int_equal(err.cause, ZS_EXISTS);
	assert_int_equal(zs_backend_local_create(scratch_path("r/file/x"), &again, &err), -1);
	assert_int_equal(err.cause, ZS_IO);
	assert_non_null(strstr(err.text, "r/file"));
	assert_int_equal(symlink("nowhere", scratch_path("r/dangling")), 0);
	assert_int_equal(zs_backend_local_create(scratch_path("r/dangling"), &again, &err), -1);
	assert_int_equal(err.cause, ZS_EXISTS);
	assert_int_equal(zs_backend_local_create("", &again, &err), -1);
	assert_int_equal(zs_backend_local_create("/proc/zstore", &again, &err), -1);
	assert_int_equal(err.cause, ZS_IO);
	/* relative, and with nothing to make before the last part */
	assert_int_equal(chdir(scratch_path("r")), 0);
	assert_int_equal(zs_backend_local_create("rel/x", &be, &err), 0);
	zs_backend_free(be);
	assert_int_equal(chdir("/"), 0);
}

static void open_needs_a_directory(void **state)
{
	struct zs_backend *be = create();
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};
	size_t n;

	(void)state;
	zs_backend_free(be);
	assert_int_equal(zs_backend_local_open(scratch_path("none"), &be, &err), -1);
	assert_int_equal(err.cause, ZS_NOTFOUND);
	assert_int_equal(zs_backend_local_open(scratch_path("r/reserve"), &be, &err), -1);
	assert_int_equal(err.cause, ZS_NOTFOUND);
	assert_int_equal(zs_backend_local_open(scratch_path("r"), &be, &err), 0);
	put(be, ZS_OBJ_CONFIG, &zs_name_zero, "conf");
	zs_backend_free(be);
	assert_int_equal(zs_backend_local_open(scratch_path("r"), &be, &err), 0);
	assert_int_equal(zs_backend_get_all(be, ZS_OBJ_CONFIG, &zs_name_zero, 10, &b, &err), 0);
	assert_int_equal(b.n, 4);
	zs_buf_fini(&b);
	zs_backend_free(be);
	/* some directory: no config, and its lists are errors, not empty */
	assert_int_equal(zs_backend_local_open("/", &be, &err), 0);
	assert_int_equal(zs_backend_get_all(be, ZS_OBJ_CONFIG, &zs_name_zero, 10, &b, &err), -1);
	assert_int_equal(err.cause, ZS_NOTFOUND);
	assert_int_equal(list(be, ZS_OBJ_SNAPSHOT, &n, &err), -1);
	assert_int_equal(err.cause, ZS_IO);
	assert_int_equal(list(be, ZS_OBJ_CONFIG, &n, &err), 0);
	assert_int_equal(n, 0);
	zs_backend_free(be);
}

static void a_missing_directory_is_no_absence(void **state)
{
	struct zs_backend *be = create();
	struct zs_name name = name_of(1, 1);
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};
	uint64_t bytes;
	size_t n;
	int open_before;

	(void)state;
	for (open_before = 1; open_before >= 0; open_before--) {
		if (open_before) {
			assert_int_equal(rmdir(scratch_path("r/snapshots")), 0);
			assert_int_equal(rmdir(scratch_path("r/packs")), 0);
			assert_int_equal(rmdir(scratch_path("r/tmp")), 0);
		} else {
			zs_backend_free(be);
			assert_int_equal(zs_backend_local_open(scratch_path("r"), &be, &err), 0);
		}
		assert_int_equal(list(be, ZS_OBJ_SNAPSHOT, &n, &err), -1);
		assert_int_equal(err.cause, ZS_IO);
		assert_int_equal(list(be, ZS_OBJ_PACK, &n, &err), -1);
		assert_int_equal(err.cause, ZS_IO);
		assert_int_equal(zs_backend_stat(be, ZS_OBJ_SNAPSHOT, &name, &bytes, &err), -1);
		assert_int_equal(err.cause, ZS_IO);
		assert_int_equal(zs_backend_get(be, ZS_OBJ_PACK, &name, 0, 1, &b, &err), -1);
		assert_int_equal(err.cause, ZS_IO);
		assert_int_equal(zs_backend_get_all(be, ZS_OBJ_SNAPSHOT, &name, 1, &b, &err), -1);
		assert_int_equal(err.cause, ZS_IO);
		assert_int_equal(zs_backend_delete(be, ZS_OBJ_SNAPSHOT, &name, &err), -1);
		assert_int_equal(err.cause, ZS_IO);
		assert_int_equal(zs_backend_put(be, ZS_OBJ_KEY, &name, zs_span_str("x"), &err), -1);
		assert_int_equal(err.cause, ZS_IO);
		assert_int_equal(zs_backend_tidy(be, &err), -1);
		assert_int_equal(err.cause, ZS_IO);
	}
	zs_backend_free(be);
}

/* As after a copy by a tool that forgets empty directories. */
static void empty_directories_come_back_where_a_config_is(void **state)
{
	static const char *const lost[] = {"r/tmp", "r/sessions", "r/condemned", "r/removed", "r/packs"};
	struct zs_backend *be = create();
	struct zs_name name = name_of(1, 1);
	struct zs_err err = {0};
	size_t n, i;

	(void)state;
	for (i = 0; i < 5; i++)
		assert_int_equal(rmdir(scratch_path(lost[i])), 0);
	zs_backend_free(be);
	assert_int_equal(zs_backend_local_open(scratch_path("r"), &be, &err), 0);
	assert_int_equal(list(be, ZS_OBJ_SESSION, &n, &err), -1);
	zs_backend_free(be);
	assert_int_equal(close(open(scratch_path("r/config"), O_WRONLY | O_CREAT, 0600)), 0);
	assert_int_equal(zs_backend_local_open(scratch_path("r"), &be, &err), 0);
	assert_int_equal(list(be, ZS_OBJ_SESSION, &n, &err), 0);
	assert_int_equal(list(be, ZS_OBJ_CONDEMNED, &n, &err), 0);
	assert_int_equal(list(be, ZS_OBJ_REMOVAL, &n, &err), 0);
	assert_int_equal(zs_backend_put(be, ZS_OBJ_KEY, &name, zs_span_str("x"), &err), 0);
	assert_int_equal(list(be, ZS_OBJ_PACK, &n, &err), -1);
	zs_backend_free(be);
}

static void foreign_names_are_passed_over(void **state)
{
	static const char zeros[] = "00000000000000000000000000000000000000000000000000000000000000";
	struct zs_backend *be = create();
	struct zs_name name = name_of(0xab, 1);
	struct zs_err err = {0};
	char rel[200];
	size_t n;

	(void)state;
	put(be, ZS_OBJ_PACK, &name, "x");
	put(be, ZS_OBJ_INDEX, &name, "x");
	touch(scratch_path("r/index/README"));
	touch(scratch_path("r/index/.nfs0001"));
	assert_int_equal(mkdir(scratch_path("r/index/sub"), 0700), 0);
	touch(scratch_path("r/packs/notes"));
	touch(scratch_path("r/packs/AB"));
	touch(scratch_path("r/packs/ab/x"));
	assert_int_equal(mkdir(scratch_path("r/packs/lost+found"), 0700), 0);
	/* no get would find these: above the shards, in another's shard, in capitals */
	(void)snprintf(rel, sizeof(rel), "r/packs/%s%s", "ab", zeros);
	touch(scratch_path(rel));
	(void)snprintf(rel, sizeof(rel), "r/packs/ab/%s%s", "ac", zeros);
	touch(scratch_path(rel));
	(void)snprintf(rel, sizeof(rel), "r/packs/ab/%s%s", "AB", zeros);
	touch(scratch_path(rel));
	assert_int_equal(list(be, ZS_OBJ_INDEX, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(list(be, ZS_OBJ_PACK, &n, &err), 0);
	assert_int_equal(n, 1);
	zs_backend_free(be);
}

/* a file where a shard should be ends the listing: what lies below cannot be known */
static void a_broken_shard_is_an_error(void **state)
{
	struct zs_backend *be = create();
	struct zs_name name = name_of(0x12, 1);
	struct zs_err err = {0};
	size_t n;

	(void)state;
	touch(scratch_path("r/packs/12"));
	assert_int_equal(list(be, ZS_OBJ_PACK, &n, &err), -1);
	assert_int_equal(err.cause, ZS_IO);
	assert_non_null(strstr(err.text, "packs/12"));
	assert_int_equal(zs_backend_put(be, ZS_OBJ_PACK, &name, zs_span_str("x"), &err), -1);
	assert_int_equal(err.cause, ZS_IO);
	assert_int_equal(entries(scratch_path("r/tmp")), 0);
	zs_backend_free(be);
}

static void what_is_no_file_is_refused(void **state)
{
	static const char rel[] = "r/index/0700000000000000000000000000000000000000000000000000000000000001";
	struct zs_name name = name_of(7, 1);
	int kind;

	(void)state;
	for (kind = 0; kind < 3; kind++) {
		struct zs_backend *be = create();
		struct zs_buf b = ZS_BUF_INIT;
		struct zs_err err = {0};
		uint64_t bytes;
		size_t n;

		if (kind == 0)
			assert_int_equal(mkdir(scratch_path(rel), 0700), 0);
		else if (kind == 1)
			assert_int_equal(mkfifo(scratch_path(rel), 0600), 0);
		else
			assert_int_equal(symlink("/etc/passwd", scratch_path(rel)), 0);
		assert_int_equal(list(be, ZS_OBJ_INDEX, &n, &err), -1);
		assert_int_equal(err.cause, ZS_IO);
		assert_int_equal(zs_backend_stat(be, ZS_OBJ_INDEX, &name, &bytes, &err), -1);
		assert_int_equal(err.cause, ZS_IO);
		assert_int_equal(zs_backend_get_all(be, ZS_OBJ_INDEX, &name, 100000, &b, &err), -1);
		assert_int_equal(err.cause, ZS_IO);
		assert_int_equal(zs_backend_get(be, ZS_OBJ_INDEX, &name, 0, 1, &b, &err), -1);
		assert_int_equal(err.cause, ZS_IO);
		assert_int_equal(zs_backend_put(be, ZS_OBJ_INDEX, &name, zs_span_str("x"), &err), -1);
		assert_int_equal(err.cause, ZS_EXISTS);
		zs_buf_fini(&b);
		zs_backend_free(be);
	}
}

static void messages_name_the_object(void **state)
{
	struct zs_backend *be = create();
	struct zs_name name = name_of(0xab, 0xcd);
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(zs_backend_get(be, ZS_OBJ_PACK, &name, 0, 1, &b, &err), -1);
	assert_non_null(strstr(err.text, scratch_path("r/packs/ab/ab0000")));
	put(be, ZS_OBJ_PACK, &name, "abc");
	assert_int_equal(zs_backend_get(be, ZS_OBJ_PACK, &name, 0, 4, &b, &err), -1);
	assert_non_null(strstr(err.text, scratch_path("r/packs/ab/ab0000")));
	put(be, ZS_OBJ_SESSION, &name, "abc");
	assert_int_equal(zs_backend_put(be, ZS_OBJ_SESSION, &name, zs_span_str("x"), &err), -1);
	assert_non_null(strstr(err.text, scratch_path("r/sessions/ab0000")));
	zs_backend_free(be);
}

/* what one handle has open, another deletes: the answer is what a fresh open would say */
static void deleted_packs_are_gone(void **state)
{
	struct zs_backend *be = create(), *other;
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};
	unsigned i, round;

	(void)state;
	assert_int_equal(zs_backend_local_open(scratch_path("r"), &other, &err), 0);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < 40; i++) {
			struct zs_name name = name_of((uint8_t)i, 1);

			put(be, ZS_OBJ_PACK, &name, "0123456789");
		}
		for (i = 0; i < 120; i++) {
			struct zs_name name = name_of((uint8_t)(i / 3), 1);

			assert_int_equal(zs_backend_get(be, ZS_OBJ_PACK, &name, i % 3, 2, &b, &err), 0);
			assert_int_equal(b.p[b.n - 1], '1' + i % 3);
		}
		for (i = 0; i < 40; i++) {
			struct zs_name name = name_of((uint8_t)i, 1);

			assert_int_equal(zs_backend_delete(round ? be : other, ZS_OBJ_PACK, &name, &err), 0);
			assert_int_equal(zs_backend_get(be, ZS_OBJ_PACK, &name, 0, 1, &b, &err), -1);
			assert_int_equal(err.cause, ZS_NOTFOUND);
		}
	}
	/* deleted and put again: the new one is read */
	for (i = 0; i < 10; i++) {
		struct zs_name name = name_of(1, 1);
		char text[3] = {(char)('a' + i), (char)('a' + i), '\0'};

		put(other, ZS_OBJ_PACK, &name, text);
		zs_buf_clear(&b);
		assert_int_equal(zs_backend_get(be, ZS_OBJ_PACK, &name, 0, 2, &b, &err), 0);
		assert_int_equal(b.p[0], 'a' + i);
		assert_int_equal(zs_backend_delete(other, ZS_OBJ_PACK, &name, &err), 0);
	}
	zs_buf_fini(&b);
	zs_backend_free(other);
	zs_backend_free(be);
}

static void a_cut_object_is_corrupt(void **state)
{
	static const char rel[] = "r/packs/05/0500000000000000000000000000000000000000000000000000000000000001";
	struct zs_backend *be = create();
	struct zs_name name = name_of(5, 1);
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};
	off_t n;

	(void)state;
	put(be, ZS_OBJ_PACK, &name, "0123456789");
	for (n = 9; n >= 0; n--) {
		assert_int_equal(truncate(scratch_path(rel), n), 0);
		assert_int_equal(zs_backend_get(be, ZS_OBJ_PACK, &name, 0, 10, &b, &err), -1);
		assert_int_equal(err.cause, ZS_CORRUPT);
		zs_buf_clear(&b);
		assert_int_equal(zs_backend_get(be, ZS_OBJ_PACK, &name, 0, (size_t)n, &b, &err), 0);
	}
	zs_buf_fini(&b);
	zs_backend_free(be);
}

/* ------------------------------------------------------------- dead writers */

/* the name that a put uses now, taken apart: version, host, machine, boot, namespace, pid, start, serial */
static void live_fields(struct zs_backend *be, char fields[8][100])
{
	struct zs_put *live;
	struct zs_err err = {0};
	struct dirent *e;
	DIR *d;
	int i;

	assert_int_equal(zs_backend_put_begin(be, ZS_OBJ_PACK, &live, &err), 0);
	d = opendir(scratch_path("r/tmp"));
	assert_non_null(d);
	while ((e = readdir(d)) && e->d_name[0] == '.')
		;
	assert_non_null(e);
	for (i = 0; i < 8; i++) {
		char *rest = e->d_name, *field = NULL;
		char copy[256];
		int k;

		(void)snprintf(copy, sizeof(copy), "%s", e->d_name);
		rest = copy;
		for (k = 0; k <= i; k++)
			field = strsep(&rest, ",");
		assert_non_null(field);
		(void)snprintf(fields[i], 100, "%s", field);
	}
	(void)closedir(d);
	zs_backend_put_abort(live);
}

static char names[64][256];
static int expected[64]; /* 1: to be removed */
static size_t name_count;

static void leftover(char fields[8][100], int field, const char *value, int dead)
{
	char *out = names[name_count], rel[300];
	size_t n = 0;
	int i;

	for (i = 0; i < 8; i++)
		n += (size_t)snprintf(out + n, 256 - n, "%s%s", i ? "," : "",
		    i == 7 ? "" : i == field ? value : fields[i]);
	(void)snprintf(out + n, 256 - n, "%zu", 1000 + name_count);
	expected[name_count++] = dead;
	(void)snprintf(rel, sizeof(rel), "r/tmp/%s", out);
	touch(scratch_path(rel));
}

static pid_t dead_pid(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static void only_the_dead_are_tidied(void **state)
{
	static const char *const junk[] = {"README", "1", "1,,,,,,,", ",,,,,,,", "2,h,1,b,1,1,1,1", "1,h,1,b,1,1,1",
	    "1,a,b,c,d,e,f,g"};
	struct zs_backend *be = create();
	char fields[8][100], other[400], rel[300];
	struct zs_err err = {0};
	struct stat st;
	size_t i;

	(void)state;
	name_count = 0;
	live_fields(be, fields);
	/* each alone is all the difference there is */
	leftover(fields, -1, NULL, 0);
	(void)snprintf(other, sizeof(other), "%d", (int)dead_pid());
	leftover(fields, 5, other, 1);
	leftover(fields, 6, "1", 1); /* this pid, but started at another time: its number was used again */
	leftover(fields, 5, "0", 0);
	leftover(fields, 5, "99999999999", 0);
	leftover(fields, 5, "-1", 0);
	leftover(fields, 5, "", 0);
	leftover(fields, 1, "another-host", 0);
	leftover(fields, 2, "0123456789abcdef", 0);
	leftover(fields, 3, "00000000-0000-0000-0000-000000000000", strtoull(fields[2], NULL, 16) != 0);
	leftover(fields, 3, "", 0);
	leftover(fields, 4, "1", 0);
	leftover(fields, 0, "2", 0);
	/* a dead pid does not count elsewhere */
	{
		char moved[8][100];

		memcpy(moved, fields, sizeof(moved));
		(void)snprintf(moved[5], sizeof(moved[5]), "%d", (int)dead_pid());
		leftover(moved, -1, NULL, 1);
		leftover(moved, 1, "another-host", 0);
		leftover(moved, 4, "1", 0);
		leftover(moved, 4, "0", 0);
	}
	for (i = 0; i < sizeof(junk) / sizeof(*junk); i++) {
		(void)snprintf(names[name_count], sizeof(names[0]), "%s", junk[i]);
		expected[name_count++] = 0;
		(void)snprintf(rel, sizeof(rel), "r/tmp/%s", junk[i]);
		touch(scratch_path(rel));
	}
	assert_int_equal(zs_backend_tidy(be, &err), 0);
	for (i = 0; i < name_count; i++) {
		(void)snprintf(rel, sizeof(rel), "r/tmp/%s", names[i]);
		if ((stat(scratch_path(rel), &st) < 0) != expected[i])
			fail_msg("%s %s", names[i], expected[i] ? "is still there" : "is gone");
	}
	zs_backend_free(be);
}

static void a_killed_writer_leaves_nothing_for_long(void **state)
{
	struct zs_backend *be = create();
	struct zs_err err = {0};
	int ready[2], status;
	char c;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct zs_backend *mine;
		struct zs_put *p;

		if (zs_backend_local_open(scratch_path("r"), &mine, &err) == 0 &&
		    zs_backend_put_begin(mine, ZS_OBJ_PACK, &p, &err) == 0 &&
		    zs_backend_put_append(p, zs_span_str("half"), &err) == 0 && write(ready[1], "x", 1) == 1)
			for (;;)
				(void)pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(zs_backend_tidy(be, &err), 0);
	assert_int_equal(entries(scratch_path("r/tmp")), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(zs_backend_tidy(be, &err), 0);
	assert_int_equal(entries(scratch_path("r/tmp")), 0);
	(void)close(ready[0]);
	(void)close(ready[1]);
	zs_backend_free(be);
}

/* no descriptor left: every call says so, and none takes it for absence */
static void no_descriptors(void **state)
{
	struct zs_backend *be = create();
	struct zs_name name = name_of(3, 3), absent = name_of(4, 4);
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};
	struct rlimit was, none;
	int failed = 0;
	size_t n;

	(void)state;
	put(be, ZS_OBJ_PACK, &name, "x");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = (struct rlimit){3, was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	failed += list(be, ZS_OBJ_PACK, &n, &err) == -1 && err.cause == ZS_IO && err.sys == EMFILE;
	failed += zs_backend_get(be, ZS_OBJ_PACK, &name, 0, 1, &b, &err) == -1 && err.cause == ZS_IO &&
	    err.sys == EMFILE;
	failed += zs_backend_get_all(be, ZS_OBJ_PACK, &absent, 1, &b, &err) == -1 && err.sys == EMFILE;
	failed += zs_backend_put(be, ZS_OBJ_PACK, &absent, zs_span_str("x"), &err) == -1 && err.sys == EMFILE;
	failed += zs_backend_tidy(be, &err) == -1 && err.sys == EMFILE;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(failed, 5);
	zs_buf_fini(&b);
	zs_backend_free(be);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(layout),
	    cmocka_unit_test(create_wants_nothing_there),
	    cmocka_unit_test(open_needs_a_directory),
	    cmocka_unit_test(a_missing_directory_is_no_absence),
	    cmocka_unit_test(empty_directories_come_back_where_a_config_is),
	    cmocka_unit_test(foreign_names_are_passed_over),
	    cmocka_unit_test(a_broken_shard_is_an_error),
	    cmocka_unit_test(what_is_no_file_is_refused),
	    cmocka_unit_test(messages_name_the_object),
	    cmocka_unit_test(deleted_packs_are_gone),
	    cmocka_unit_test(a_cut_object_is_corrupt),
	    cmocka_unit_test(only_the_dead_are_tidied),
	    cmocka_unit_test(a_killed_writer_leaves_nothing_for_long),
	    cmocka_unit_test(no_descriptors),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_drop);
}
