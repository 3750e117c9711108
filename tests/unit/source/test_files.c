/* The walk of the file source: order, roots, identity, what cannot be read, depth, size. */
#include "util.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static void test_order(void **state)
{
	(void)state;
	assert_int_equal(mkdir("r", 0755), 0);
	assert_int_equal(mkdir("r/a", 0755), 0);
	put_file("r/a/x", "");
	put_file("r/a-b", "");
	put_file("r/a\x01", "");
	put_file("r/aa", "");
	put_file("r/longername1", "");
	put_file("r/longername", "");
	put_file("r/longernamf", "");
	put_file("r/\xff\xfe", "");
	put_file("r/new\nline", "");
	put_file("r/\x1b[31m", "");
	check_walk("r", "r\nr/\x1b[31m\nr/a\nr/a/x\nr/a\x01\nr/a-b\nr/aa\nr/longername\nr/longername1\nr/longernamf\n"
	    "r/new\nline\nr/\xff\xfe\n");
}

static void test_kinds(void **state)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "r/sock"};
	struct walk w = {0};
	int s;

	(void)state;
	assert_int_equal(mkdir("r", 0755), 0);
	assert_int_equal(mkfifo("r/fifo", 0600), 0);
	assert_int_equal(symlink("where/ever", "r/link"), 0);
	put_file("r/plain", "hello");
	assert_int_equal(chmod("r/plain", 0640), 0);
	assert_int_equal(link("r/plain", "r/plain2"), 0);
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(s, (struct sockaddr *)&un, sizeof un), 0);
	assert_int_equal(walk_open(&w, "r"), 0);
	walk_to(&w, "r");
	assert_int_equal(w.item.entry.kind, ZS_ENTRY_DIR);
	assert_int_equal(w.item.entry.mode, 0755);
	walk_to(&w, "r/fifo");
	assert_int_equal(w.item.entry.kind, ZS_ENTRY_FIFO);
	assert_int_equal(w.item.entry.size, 0);
	walk_to(&w, "r/link");
	assert_int_equal(w.item.entry.kind, ZS_ENTRY_SYMLINK);
	assert_true(zs_span_eq(w.item.entry.target, zs_span_str("where/ever")));
	walk_to(&w, "r/plain");
	assert_int_equal(w.item.entry.kind, ZS_ENTRY_FILE);
	assert_int_equal(w.item.entry.mode, 0640);
	assert_int_equal(w.item.entry.size, 5);
	assert_int_not_equal(w.item.entry.link_ino, 0);
	assert_int_equal(w.item.entry.flags, ZS_ENTRY_HAS_MODE);
	assert_int_equal(w.item.entry.date_ns, INT64_MIN);
	if (getuid() == 0)
		assert_true(zs_span_eq(w.item.entry.user, zs_span_str("root")));
	s = close(s);
	{
		uint64_t ino = w.item.entry.link_ino, dev = w.item.entry.link_dev;

		walk_to(&w, "r/plain2");
		assert_int_equal(w.item.entry.link_ino, ino);
		assert_int_equal(w.item.entry.link_dev, dev);
	}
	walk_to(&w, "r/sock");
	assert_int_equal(w.item.entry.kind, ZS_ENTRY_SOCKET);
	assert_int_equal(walk_next(&w), 0);
	assert_int_equal(walk_next(&w), 0);
	walk_close(&w);
}

static void test_roots(void **state)
{
	struct walk w = {0};
	char *got;

	(void)state;
	assert_int_equal(mkdir("p", 0750), 0);
	assert_int_equal(mkdir("p/q", 0755), 0);
	assert_int_equal(mkdir("p/r", 0755), 0);
	put_file("p/q/1", "");
	put_file("p/r/2", "");
	put_file("p/s", "");
	put_file("p/not", "");
	add(&w.paths, "./p//r/");
	add(&w.paths, "p/s");
	add(&w.paths, "p/q/1");
	add(&w.paths, "p/r/2");
	add(&w.paths, "p/gone");
	assert_int_equal(walk_open(&w, "p/q/../q"), 0);
	assert_int_equal(w.problems.n, 1);
	assert_string_equal(w.problems.path, "p/gone");
	walk_to(&w, "p");
	assert_int_equal(w.item.entry.kind, ZS_ENTRY_DIR);
	assert_int_equal(w.item.entry.mode, 0750);
	got = walk_all(&w);
	assert_string_equal(got, "p/q\np/q/1\np/r\np/r/2\np/s\n");
	free(got);
	walk_close(&w);
	check_walk("p/r/2", "p\np/r\np/r/2\n");
	check_walk("p/q/../r", "p\np/r\np/r/2\n");
}

static void test_roots_refused(void **state)
{
	struct walk w = {0};

	(void)state;
	assert_int_equal(walk_open(&w, NULL), -1);
	assert_int_equal(w.err.cause, ZS_USAGE);
	walk_close(&w);
	assert_int_equal(walk_open(&w, "absent"), -1);
	assert_int_equal(w.err.cause, ZS_SOURCE);
	assert_int_equal(w.problems.n, 1);
	walk_close(&w);
	put_file("etc", ""); /* takes the place of /etc */
	add(&w.paths, "/etc");
	assert_int_equal(walk_open(&w, "etc"), -1);
	assert_int_equal(w.err.cause, ZS_USAGE);
	walk_close(&w);
	add(&w.paths, "/etc"); /* would hide in the content of "." */
	assert_int_equal(walk_open(&w, "."), -1);
	assert_int_equal(w.err.cause, ZS_USAGE);
	walk_close(&w);
	assert_int_equal(mkdir("d", 0755), 0);
	assert_int_equal(symlink("d", "l"), 0);
	put_file("d/f", "");
	add(&w.paths, "l/f"); /* l cannot be both a link and a directory */
	assert_int_equal(walk_open(&w, "l"), -1);
	assert_int_equal(w.err.cause, ZS_USAGE);
	walk_close(&w);
}

static void test_top_and_links(void **state)
{
	char want[512] = "", root[80];
	size_t n = 0;

	(void)state;
	assert_int_equal(mkdir("d", 0755), 0);
	put_file("d/f", "");
	assert_int_equal(symlink("d", "l"), 0);
	check_walk(".", "d\nd/f\nl\n");
	check_walk("l", "l\n");
	check_walk("l/", "l\nl/f\n");
	check_walk("l/.", "l\nl/f\n");
	(void)snprintf(root, sizeof root, "%s/d", util_dir);
	for (const char *p = root + 1; p; p = strchr(p + 1, '/')) { /* each directory above */
		if (p > root + 1)
			n += (size_t)snprintf(want + n, sizeof want - n, "%.*s\n", (int)(p - root - 1), root + 1);
	}
	(void)snprintf(want + n, sizeof want - n, "%s\n%s/f\n", root + 1, root + 1);
	check_walk(root, want);
}

static void set_times(const char *path, time_t when)
{
	const struct timeval tv[2] = {{when, 0}, {when, 0}};

	assert_int_equal(utimes(path, tv), 0);
}

static uint64_t identity_of(const char *path, unsigned flags)
{
	struct walk w = {.flags = flags};
	uint64_t identity;

	assert_int_equal(walk_open(&w, "r"), 0);
	walk_to(&w, path);
	identity = w.item.entry.identity;
	walk_close(&w);
	return identity;
}

static void test_identity(void **state)
{
	uint64_t a, b, c;

	(void)state;
	assert_int_equal(mkdir("r", 0755), 0);
	put_file("r/m.eml", "one");
	put_file("r/x", "one");
	/* just now: no identity, even if the time of modification says otherwise */
	set_times("r/x", 1000000000);
	assert_int_equal(identity_of("r/x", 0), 0);
	a = identity_of("r/m.eml", ZS_FILES_NO_RACY_GUARD);
	assert_int_not_equal(a, 0);
	assert_int_equal(identity_of("r/m.eml", ZS_FILES_NO_RACY_GUARD), a);
	put_file("r/m.e", "between");
	put_file("r/m.meta", "{}");
	b = identity_of("r/m.eml", ZS_FILES_NO_RACY_GUARD);
	assert_int_not_equal(b, a);
	set_times("r/m.meta", 1000000001);
	c = identity_of("r/m.eml", ZS_FILES_NO_RACY_GUARD);
	assert_int_not_equal(c, b);
	assert_int_equal(unlink("r/m.meta"), 0);
	assert_int_equal(identity_of("r/m.eml", ZS_FILES_NO_RACY_GUARD), a);
	put_file("r/m.eml", "other");
	assert_int_not_equal(identity_of("r/m.eml", ZS_FILES_NO_RACY_GUARD), a);
}

static void test_racy_guard(void **state)
{
	(void)state;
	assert_int_equal(mkdir("r", 0755), 0);
	put_file("r/old", "");
	put_file("r/future", "");
	put_file("r/m.eml", "");
	set_times("r/future", 4000000000);
	assert_int_equal(usleep(2100000), 0);
	put_file("r/new", "");
	put_file("r/m.meta", "");
	assert_int_equal(identity_of("r/new", 0), 0);
	assert_int_equal(identity_of("r/m.eml", 0), 0);
	assert_int_not_equal(identity_of("r/old", 0), 0);
	assert_int_not_equal(identity_of("r/future", 0), 0);
}

static void test_excludes(void **state)
{
	struct walk w = {0};
	char *got;

	(void)state;
	assert_int_equal(mkdir("r", 0755), 0);
	assert_int_equal(mkdir("r/tmp", 0755), 0);
	put_file("r/tmp/in", "");
	put_file("r/a.log", "");
	put_file("r/keep.log", "");
	put_file("r/b", "");
	add(&w.excludes, "tmp/");
	add(&w.excludes, "*.log");
	add(&w.excludes, "!keep.log");
	assert_int_equal(walk_open(&w, "r"), 0);
	got = walk_all(&w);
	assert_string_equal(got, "r\nr/b\nr/keep.log\n");
	free(got);
	walk_close(&w);
}

static void test_vanish(void **state)
{
	struct walk w = {0};
	struct zs_source_reader *r;

	(void)state;
	assert_int_equal(mkdir("r", 0755), 0);
	assert_int_equal(mkdir("r/d", 0755), 0);
	put_file("r/a", "");
	put_file("r/b", "");
	put_file("r/e", "");
	assert_int_equal(walk_open(&w, "r"), 0);
	walk_to(&w, "r/a");
	assert_int_equal(unlink("r/a"), 0); /* between being seen and being read */
	assert_int_equal(zs_source_open(w.item.handle, &r, &w.err), -1);
	assert_int_equal(w.err.cause, ZS_SOURCE);
	assert_non_null(strstr(w.err.text, "r/a"));
	assert_int_equal(unlink("r/b"), 0); /* between being listed and being seen */
	walk_to(&w, "r/d");
	assert_int_equal(w.problems.n, 1);
	assert_string_equal(w.problems.path, "r/b");
	assert_int_equal(rmdir("r/d"), 0); /* between being seen and being entered */
	assert_int_equal(walk_next(&w), 1);
	assert_true(at(&w, "r/e"));
	assert_int_equal(w.problems.n, 2);
	assert_string_equal(w.problems.path, "r/d");
	assert_int_equal(walk_next(&w), 0);
	walk_close(&w);
}

static void test_dir_becomes_link(void **state)
{
	struct walk w = {0};
	char *rest;

	(void)state;
	assert_int_equal(mkdir("r", 0755), 0);
	assert_int_equal(mkdir("r/d", 0755), 0);
	assert_int_equal(walk_open(&w, "r"), 0);
	walk_to(&w, "r/d");
	assert_int_equal(rmdir("r/d"), 0);
	assert_int_equal(symlink("/etc", "r/d"), 0);
	rest = walk_all(&w);
	assert_string_equal(rest, "");
	assert_int_equal(w.problems.n, 1);
	free(rest);
	walk_close(&w);
}

/* As somebody without root's rights; the exit status tells. */
static void unreadable_child(void)
{
	struct walk w = {0};
	struct zs_source_reader *r;
	char *got;

	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		_exit(2);
	if (walk_open(&w, "r") < 0)
		_exit(3);
	walk_to(&w, "r/file");
	if (zs_source_open(w.item.handle, &r, &w.err) == 0 || w.err.cause != ZS_SOURCE || w.err.sys != EACCES)
		_exit(4);
	got = walk_all(&w);
	if (strcmp(got, "r/secret\nr/z\n") != 0 || w.problems.n != 1 || strcmp(w.problems.path, "r/secret") != 0)
		_exit(5);
	free(got);
	walk_close(&w);
	_exit(0);
}

static void test_unreadable(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (getuid() != 0)
		skip();
	assert_int_equal(chmod(".", 0755), 0);
	assert_int_equal(mkdir("r", 0755), 0);
	assert_int_equal(mkdir("r/secret", 0700), 0);
	put_file("r/secret/in", "");
	put_file("r/file", "text");
	assert_int_equal(chmod("r/file", 0600), 0);
	put_file("r/z", "");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		unreadable_child();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Levels deep, each with a file, named so that the whole path is far beyond PATH_MAX. */
static void make_deep(unsigned levels)
{
	char name[41];
	int at = open(".", O_RDONLY | O_DIRECTORY);

	memset(name, 'd', 40);
	name[40] = 0;
	for (unsigned i = 0; i < levels; i++) {
		int next, f;

		assert_int_equal(mkdirat(at, name, 0755), 0);
		next = openat(at, name, O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		f = openat(next, "file", O_WRONLY | O_CREAT, 0644);
		assert_true(f >= 0);
		assert_int_equal(write(f, "deep", 4), 4);
		assert_int_equal(close(f), 0);
		assert_int_equal(close(at), 0);
		at = next;
	}
	assert_int_equal(close(at), 0);
}

static unsigned open_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 2048; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Every file is read, also when its handle is kept to the end; directories are left in the order of names. */
static void test_deep(void **state)
{
	enum { LEVELS = 500 };
	struct zs_source_handle *kept[LEVELS];
	struct zs_buf content = ZS_BUF_INIT;
	unsigned dirs = 0, files = 0, fds = open_fds();
	struct walk w = {0};
	uint64_t holes;
	int rc, changed;

	(void)state;
	make_deep(LEVELS);
	put_file("z", "last");
	assert_int_equal(walk_open(&w, "."), 0);
	while ((rc = walk_next(&w)) > 0) {
		if (w.item.entry.kind == ZS_ENTRY_DIR) {
			assert_int_equal(files, 0);
			dirs++;
			if (dirs == LEVELS)
				assert_true(open_fds() < fds + 260);
			continue;
		}
		content.n = 0;
		assert_int_equal(read_all(w.item.handle, &content, &holes, &changed, &w.err), 0);
		assert_int_equal(content.n, 4);
		if (at(&w, "z"))
			continue;
		assert_true(files < LEVELS);
		kept[files++] = w.item.handle;
		w.item.handle = NULL;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(dirs, LEVELS);
	assert_int_equal(files, LEVELS);
	assert_int_equal(w.problems.n, 0);
	for (unsigned i = 0; i < files; i++) {
		content.n = 0;
		if (read_all(kept[i], &content, &holes, &changed, &w.err) < 0)
			fail_msg("%s", w.err.text);
		zs_source_handle_free(kept[i]);
	}
	walk_close(&w);
	assert_int_equal(open_fds(), fds);
	zs_buf_fini(&content);
}

static void test_too_deep(void **state)
{
	struct walk w = {0};
	char *got;

	(void)state;
	make_deep(1700); /* 1,700 x 41 bytes: more than a path may have */
	assert_int_equal(walk_open(&w, "."), 0);
	got = walk_all(&w);
	assert_true(w.problems.n > 0);
	assert_non_null(strstr(w.problems.text, "too long"));
	free(got);
	walk_close(&w);
}

/* More directories with handles alive than descriptors are kept for. */
static void test_many_handles(void **state)
{
	enum { DIRS = 800 };
	struct zs_source_handle *kept[DIRS];
	struct zs_buf content = ZS_BUF_INIT;
	unsigned n = 0, fds = open_fds();
	struct walk w = {0};
	uint64_t holes;
	char name[32];
	int rc, changed;

	(void)state;
	for (int i = 0; i < DIRS; i++) {
		(void)snprintf(name, sizeof name, "d%03d", i);
		assert_int_equal(mkdir(name, 0755), 0);
		(void)strcat(name, "/f");
		put_file(name, "text");
	}
	assert_int_equal(walk_open(&w, "."), 0);
	while ((rc = walk_next(&w)) > 0) {
		if (w.item.entry.kind != ZS_ENTRY_FILE)
			continue;
		kept[n++] = w.item.handle;
		w.item.handle = NULL;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(n, DIRS);
	assert_true(open_fds() <= fds + 512);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(read_all(kept[i], &content, &holes, &changed, &w.err), 0);
		zs_source_handle_free(kept[i]);
	}
	assert_int_equal(content.n, 4 * DIRS);
	walk_close(&w);
	zs_buf_fini(&content);
}

/* A directory that does not fit into the arena, a sub-directory in its middle. */
static void test_large_directory(void **state)
{
	enum { FILES = 130000 };
	struct walk w = {0};
	struct rusage before, after;
	unsigned n = 0, inner = 0;
	struct zs_buf last = ZS_BUF_INIT;
	char name[64];
	int rc, first;

	(void)state;
	assert_int_equal(mkdir("r", 0755), 0);
	put_file("r/0", "");
	first = open("r", O_RDONLY | O_DIRECTORY);
	for (unsigned i = 1; i < FILES; i++) { /* names of one file: quick to make, and the names are what counts */
		static char from[64] = "0";

		(void)snprintf(name, sizeof name, "%u", i * 2654435761u % 4000000007u);
		if (i % 60000 == 0) {
			assert_int_equal(unlinkat(first, name, 0) < 0, 1);
			(void)snprintf(from, sizeof from, "%s", name);
			assert_int_equal(close(openat(first, name, O_CREAT | O_WRONLY, 0644)), 0);
			continue;
		}
		assert_int_equal(linkat(first, from, first, name, 0), 0);
	}
	assert_int_equal(close(first), 0);
	assert_int_equal(mkdir("r/5", 0755), 0);
	put_file("r/5/in", "");
	assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
	assert_int_equal(walk_open(&w, "r"), 0);
	while ((rc = walk_next(&w)) > 0) {
		if (last.n)
			assert_true(zs_path_cmp(zs_buf_span(&last), w.item.path) < 0);
		last.n = 0;
		assert_int_equal(zs_buf_add_span(&last, w.item.path, &w.err), 0);
		n++;
		inner += at(&w, "r/5/in");
	}
	assert_int_equal(rc, 0);
	assert_int_equal(n, FILES + 3);
	assert_int_equal(inner, 1);
	assert_int_equal(w.problems.n, 0);
	assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
#ifndef __SANITIZE_ADDRESS__
	assert_true(after.ru_maxrss - before.ru_maxrss < 48 * 1024);
#endif
	walk_close(&w);
	zs_buf_fini(&last);
}

static void test_xattrs(void **state)
{
	struct zs_buf storage = ZS_BUF_INIT;
	struct zs_span rest, name, value;
	struct walk w = {0};

	(void)state;
	assert_int_equal(mkdir("r", 0755), 0);
	put_file("r/f", "");
	if (setxattr("r/f", "user.b", "two", 3, 0) < 0)
		skip();
	assert_int_equal(setxattr("r/f", "user.a", "", 0, 0), 0);
	assert_int_equal(setxattr("r", "user.dir", "d", 1, 0), 0);
	assert_int_equal(symlink("f", "r/l"), 0);
	assert_int_equal(walk_open(&w, "r"), 0);
	walk_to(&w, "r");
	assert_int_equal(zs_source_fill(w.item.handle, &w.item.entry, &storage, &w.err), 0);
	rest = w.item.entry.xattrs;
	assert_int_equal(zs_format_xattr_next(&rest, &name, &value, &w.err), 1);
	assert_true(zs_span_eq(name, zs_span_str("user.dir")));
	walk_to(&w, "r/f");
	assert_int_equal(zs_source_fill(w.item.handle, &w.item.entry, &storage, &w.err), 0);
	rest = w.item.entry.xattrs;
	assert_int_equal(zs_format_xattr_next(&rest, &name, &value, &w.err), 1);
	assert_true(zs_span_eq(name, zs_span_str("user.a")));
	assert_int_equal(value.n, 0);
	assert_int_equal(zs_format_xattr_next(&rest, &name, &value, &w.err), 1);
	assert_true(zs_span_eq(name, zs_span_str("user.b")));
	assert_true(zs_span_eq(value, zs_span_str("two")));
	assert_int_equal(zs_format_xattr_next(&rest, &name, &value, &w.err), 0);
	walk_to(&w, "r/l"); /* not those of what it points to */
	assert_int_equal(zs_source_fill(w.item.handle, &w.item.entry, &storage, &w.err), 0);
	assert_int_equal(w.item.entry.xattrs.n, 0);
	walk_close(&w);
	zs_buf_fini(&storage);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
	const struct CMUnitTest tests[] = {
		T(test_order), T(test_kinds), T(test_roots), T(test_roots_refused), T(test_top_and_links),
		    T(test_identity),
		T(test_racy_guard), T(test_excludes), T(test_vanish), T(test_dir_becomes_link), T(test_unreadable),
		    T(test_deep),
		T(test_too_deep), T(test_many_handles), T(test_large_directory), T(test_xattrs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
