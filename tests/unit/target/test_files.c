/* files.c: content arrives, is verified, obeys the overwrite rule, and never leaves the root. */
#include <dirent.h>
#include "sandbox.h"

#include <pthread.h>
#include <sys/resource.h>

#include "../../../src/target/target_private.h"

static const char text[] = "Subject: hello\n\nworld\n";

static int whole(struct zs_files *f, const char *path, const char *content, struct zs_err *err)
{
	struct zs_entry e = file_entry(sp(content));

	return zs_files_create_whole(f, sp(path), &e, sp(content), err);
}

static void whole_file(void **state)
{
	struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS);
	struct zs_err err = {0};
	struct stat st;

	(void)state;
	assert_int_equal(whole(f, "a/b/c/mail", text, &err), 1);
	expect_file(at("root/a/b/c/mail"), text);
	assert_int_equal(stat(at("root/a/b/c/mail"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0640);
	assert_int_equal(st.st_mtim.tv_sec, 1600000000);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);
	assert_int_equal(whole(f, "a/b/c/empty", "", &err), 1);
	expect_file(at("root/a/b/c/empty"), "");
	assert_int_equal(stat(at("root/a"), &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700); /* a parent that nobody described: for us alone */
	assert_int_equal(problems, 0);
	assert_int_equal(zs_files_sync(f, &err), 0);
	zs_files_free(f);
	zs_files_free(NULL);
}

static void in_pieces(void **state)
{
	struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS);
	struct zs_entry e = file_entry(sp(text));
	struct zs_err err = {0};
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(zs_files_create(f, sp("x/mail"), &e, &err), 1);
	assert_int_equal(stat(at("root/x/mail"), &st), 0);
	assert_int_equal(st.st_size, sizeof text - 1);
	assert_int_equal(st.st_mode, S_IFREG | 0600); /* until it is whole */
	assert_int_equal(zs_files_open(f, sp("x/mail"), &fd, &err), 0);
	assert_int_equal(pwrite(fd, text + 9, sizeof text - 10, 9), sizeof text - 10);
	/* not all of it yet */
	assert_int_equal(zs_files_finish(f, sp("x/mail"), &e, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_non_null(strstr(err.text, "x/mail"));
	assert_int_equal(pwrite(fd, text, 9, 0), 9);
	(void)close(fd);
	assert_int_equal(zs_files_finish(f, sp("x/mail"), &e, &err), 0);
	assert_int_equal(stat(at("root/x/mail"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0640);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);
	expect_file(at("root/x/mail"), text);
	zs_files_remove(f, sp("x/mail"));
	assert_false(exists(at("root/x/mail")));
	zs_files_remove(f, sp("x/mail"));
	zs_files_remove(f, sp("nowhere/mail"));
	zs_files_free(f);
}

/* Reading back: sizes around the buffer's, longer, shorter, one byte changed. */
static void verify_sizes(void **state)
{
	static const size_t sizes[] = {0, 1, 262143, 262144, 262145, 600000};
	struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS);
	uint8_t *p = malloc(600001);
	struct zs_err err = {0};

	(void)state;
	assert_non_null(p);
	for (size_t i = 0; i <= 600000; i++)
		p[i] = (uint8_t)(i * 31 + i / 1000);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct zs_entry e = file_entry(zs_span(p, sizes[i])), longer = file_entry(zs_span(p, sizes[i] + 1));
		struct zs_entry wrong = e;
		int fd;

		assert_int_equal(zs_files_create(f, sp("file"), &e, &err), 1);
		assert_int_equal(zs_files_open(f, sp("file"), &fd, &err), 0);
		assert_int_equal(zs_pwrite_all(fd, p, sizes[i], 0, ZS_TARGET, "file", &err), 0);
		assert_int_equal(zs_files_finish(f, sp("file"), &e, &err), 0);
		assert_int_equal(zs_files_finish(f, sp("file"), &longer, &err), -1);
		assert_int_equal(err.cause, ZS_CORRUPT);
		wrong.sum ^= 1;
		assert_int_equal(zs_files_finish(f, sp("file"), &wrong, &err), -1);
		assert_int_equal(err.cause, ZS_CORRUPT);
		assert_int_equal(pwrite(fd, "x", 1, (off_t)sizes[i]), 1); /* grew */
		assert_int_equal(zs_files_finish(f, sp("file"), &e, &err), -1);
		(void)close(fd);
	}
	free(p);
	zs_files_free(f);
}

static void wrong_content_touches_nothing(void **state)
{
	struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS);
	struct zs_entry e = file_entry(sp(text));
	struct zs_err err = {0};

	(void)state;
	put_file(at("root/mail"), "old");
	assert_int_equal(zs_files_create_whole(f, sp("mail"), &e, sp("something else"), &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	expect_file(at("root/mail"), "old");
	e.size = UINT64_MAX;
	assert_int_equal(zs_files_create(f, sp("mail"), &e, &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	expect_file(at("root/mail"), "old");
	zs_files_free(f);
}

static unsigned names_in(const char *dir)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n - 2;
}

/* What a new file is to replace stays until that one is proven, and comes back if it never is. */
static void old_comes_back(void **state)
{
	struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS);
	struct zs_entry e = file_entry(sp(text));
	struct zs_err err = {0};
	int fd;

	(void)state;
	assert_int_equal(mkdir(at("root/back"), 0700), 0);
	put_file(at("root/back/mail"), "old");
	assert_int_equal(zs_files_create(f, sp("back/mail"), &e, &err), 1);
	assert_int_equal(names_in(at("root/back")), 2);
	assert_int_equal(zs_files_finish(f, sp("back/mail"), &e, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	zs_files_remove(f, sp("back/mail"));
	expect_file(at("root/back/mail"), "old");
	assert_int_equal(names_in(at("root/back")), 1);
	/* a restore that was killed in between: the next one still knows which is the real one */
	assert_int_equal(zs_files_create(f, sp("back/mail"), &e, &err), 1);
	zs_files_free(f);
	f = files_open(ZS_OVERWRITE_ALWAYS);
	assert_int_equal(zs_files_create(f, sp("back/mail"), &e, &err), 1);
	zs_files_remove(f, sp("back/mail"));
	expect_file(at("root/back/mail"), "old");
	/* and when all goes well nothing is left of it */
	assert_int_equal(zs_files_create(f, sp("back/mail"), &e, &err), 1);
	assert_int_equal(zs_files_open(f, sp("back/mail"), &fd, &err), 0);
	assert_int_equal(zs_pwrite_all(fd, text, sizeof text - 1, 0, ZS_TARGET, "mail", &err), 0);
	(void)close(fd);
	assert_int_equal(zs_files_finish(f, sp("back/mail"), &e, &err), 0);
	expect_file(at("root/back/mail"), text);
	assert_int_equal(names_in(at("root/back")), 1);
	zs_files_free(f);
}

static void set_time(const char *path, time_t s, long ns)
{
	struct timespec t[2] = {{s, ns}, {s, ns}};

	assert_int_equal(utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW), 0);
}

static void rules(void **state)
{
	static const struct { enum zs_overwrite rule; const char *old; int64_t after_ns; int made; } rows[] = {
		{ZS_OVERWRITE_ALWAYS, "old", 0, 1}, {ZS_OVERWRITE_ALWAYS, text, 0, 1},
		{ZS_OVERWRITE_NEVER, "old", -1, 0}, {ZS_OVERWRITE_NEVER, "old", 1, 0},
		{ZS_OVERWRITE_NEWER, "old", -1, 1}, {ZS_OVERWRITE_NEWER, "old", 0, 0},
		{ZS_OVERWRITE_NEWER, "old", 1, 0},
		{ZS_OVERWRITE_IF_DIFFERENT, text, 0, 0}, {ZS_OVERWRITE_IF_DIFFERENT, text, 1, 1},
		{ZS_OVERWRITE_IF_DIFFERENT, text, -1, 1}, {ZS_OVERWRITE_IF_DIFFERENT, "old", 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct zs_files *f = files_open(rows[i].rule);
		struct zs_entry e = file_entry(sp(text));
		struct zs_err err = {0};

		put_file(at("root/mail"), rows[i].old);
		set_time(at("root/mail"), 1600000000, 123456789 + (long)rows[i].after_ns);
		assert_int_equal(whole(f, "mail", text, &err), rows[i].made);
		expect_file(at("root/mail"), rows[i].made ? text : rows[i].old);
		put_file(at("root/mail"), rows[i].old);
		set_time(at("root/mail"), 1600000000, 123456789 + (long)rows[i].after_ns);
		assert_int_equal(zs_files_create(f, sp("mail"), &e, &err), rows[i].made);
		zs_files_free(f);
	}
}

/* What is replaced is the name, not the inode: another name of the old file keeps its content. */
static void replaces_names(void **state)
{
	struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS);
	struct zs_err err = {0};

	(void)state;
	put_file(at("outside/precious"), "precious");
	assert_int_equal(symlink("../outside/precious", at("root/soft")), 0);
	{
		char other[4096];

		(void)snprintf(other, sizeof other, "%s", at("outside/precious"));
		assert_int_equal(link(other, at("root/hard")), 0);
	}
	assert_int_equal(mkfifo(at("root/fifo"), 0600), 0);
	assert_int_equal(whole(f, "hard", text, &err), 1);
	assert_int_equal(whole(f, "soft", text, &err), 1);
	assert_int_equal(whole(f, "fifo", text, &err), 1);
	expect_file(at("outside/precious"), "precious");
	expect_file(at("root/hard"), text);
	expect_file(at("root/soft"), text);
	expect_file(at("root/fifo"), text);
	zs_files_free(f);
}

static void directory_in_the_way(void **state)
{
	static const enum zs_overwrite rules_with_replacing[] = {ZS_OVERWRITE_ALWAYS, ZS_OVERWRITE_NEWER,
	    ZS_OVERWRITE_IF_DIFFERENT};
	struct zs_err err = {0};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct zs_files *f = files_open(rules_with_replacing[i]);

		(void)mkdir(at("root/d"), 0700);
		assert_int_equal(whole(f, "d", text, &err), -1);
		assert_int_equal(err.cause, ZS_TARGET);
		assert_int_equal(err.sys, EISDIR);
		assert_int_equal(whole(f, "d/in", text, &err), 1);
		assert_int_equal(unlink(at("root/d/in")), 0);
		zs_files_free(f);
	}
}

static void file_as_parent(void **state)
{
	struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS);
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(whole(f, "f", text, &err), 1);
	assert_int_equal(whole(f, "f/in", text, &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	expect_file(at("root/f"), text);
	zs_files_free(f);
}

/* Everything that takes a path, with a path that leads out through a symlink or is none at all. */
static void refused(struct zs_files *f, struct zs_span path)
{
	struct zs_entry e = file_entry(sp(text)), fifo = {.kind = ZS_ENTRY_FIFO}, dir = {.kind = ZS_ENTRY_DIR};
	struct zs_err err = {0};
	int fd = -1;

	assert_int_equal(zs_files_create(f, path, &e, &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	assert_int_equal(zs_files_create_whole(f, path, &e, sp(text), &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	assert_int_equal(zs_files_open(f, path, &fd, &err), -1);
	assert_int_equal(zs_files_finish(f, path, &e, &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	assert_int_equal(zs_files_special(f, path, &fifo, &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	assert_int_equal(zs_files_mkdir(f, path, &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	assert_int_equal(zs_files_dir_finish(f, path, &dir, &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	assert_int_equal(zs_files_link(f, sp("good"), path, &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	assert_int_equal(zs_files_link(f, path, sp("linked"), &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	zs_files_remove(f, path);
}

static void invalid_paths(void **state)
{
	static const char *const bad[] = {"", "/", "..", "../outside/new", "a/../../outside/new", ".", "a//b",
	    "/etc/x", "a/", "a/./b"};
	struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS);
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(whole(f, "good", text, &err), 1);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		refused(f, sp(bad[i]));
	refused(f, zs_span("a\0b", 3));
	assert_false(exists(at("outside/new")));
	zs_files_free(f);
}

static void symlinked_parents(void **state)
{
	(void)state;
	for (int walking = 0; walking < 2; walking++) {
		struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS);
		struct zs_err err = {0};

		atomic_store(&f->walk_only, walking);
		put_file(at("outside/victim"), "precious");
		(void)symlink("../outside", at("root/way"));
		(void)mkdir(at("root/deep"), 0700);
		(void)symlink("../../outside", at("root/deep/way"));
		(void)symlink("/", at("root/deep/abs"));
		(void)symlink(".", at("root/self"));
		assert_int_equal(whole(f, "good", text, &err), 1);
		refused(f, sp("way/victim"));
		refused(f, sp("way/new"));
		refused(f, sp("way/sub/new"));
		refused(f, sp("deep/way/victim"));
		refused(f, sp("deep/abs/tmp/new"));
		refused(f, sp("self/good2"));
		expect_file(at("outside/victim"), "precious");
		assert_false(exists(at("outside/new")));
		assert_false(exists(at("outside/sub")));
		zs_files_free(f);
	}
}

/* The directory becomes a symlink between one call and the next: whatever happens, it happens inside. */
static void replaced_parent(void **state)
{
	(void)state;
	for (int walking = 0; walking < 2; walking++) {
		struct zs_entry e = file_entry(sp("precious"));
		struct zs_err err = {0};
		char moved[4096];
		int fd;

		for (int cached = 0; cached < 2; cached++) {
			struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS), *fresh = files_open(ZS_OVERWRITE_ALWAYS);
			struct zs_files *use = cached ? f : fresh;

			put_file(at("outside/mail"), "precious");
			atomic_store(&f->walk_only, walking);
			atomic_store(&fresh->walk_only, walking);
			assert_int_equal(zs_files_create(f, sp("dir/mail"), &e, &err), 1);
			(void)snprintf(moved, sizeof moved, "%s", at("root/moved"));
			assert_int_equal(rename(at("root/dir"), moved), 0);
			assert_int_equal(symlink("../outside", at("root/dir")), 0);
			if (zs_files_open(use, sp("dir/mail"), &fd, &err) == 0) {
				assert_true(cached);
				assert_int_equal(write(fd, "X", 1), 1);
				(void)close(fd);
			}
			(void)whole(use, "dir/new", text, &err);
			zs_files_remove(use, sp("dir/mail"));
			expect_file(at("outside/mail"), "precious");
			assert_false(exists(at("outside/new")));
			assert_int_equal(unlink(at("root/dir")), 0);
			(void)unlink(at("root/moved/mail"));
			(void)unlink(at("root/moved/new"));
			assert_int_equal(rmdir(at("root/moved")), 0);
			zs_files_free(f);
			zs_files_free(fresh);
		}
	}
}

/* The file itself becomes something else before it is filled. */
static void replaced_file(void **state)
{
	struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS);
	struct zs_entry e = file_entry(sp("precious"));
	struct zs_err err = {0};
	int fd = -1;

	(void)state;
	put_file(at("outside/victim"), "precious");
	assert_int_equal(zs_files_create(f, sp("mail"), &e, &err), 1);
	assert_int_equal(unlink(at("root/mail")), 0);
	assert_int_equal(symlink("../outside/victim", at("root/mail")), 0);
	assert_int_equal(zs_files_open(f, sp("mail"), &fd, &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	e.mode = 0777;
	assert_int_equal(zs_files_finish(f, sp("mail"), &e, &err), -1);
	zs_files_remove(f, sp("mail")); /* removes the symlink */
	expect_file(at("outside/victim"), "precious");
	assert_int_equal(mkfifo(at("root/mail"), 0600), 0); /* must not block */
	assert_int_equal(zs_files_open(f, sp("mail"), &fd, &err), -1);
	assert_int_equal(zs_files_finish(f, sp("mail"), &e, &err), -1);
	zs_files_free(f);
}

/* Remove the directories of very_long_path, which are too deep for nftw: down, then up again step by step. */
static void take_apart(int depth)
{
	char name[300];
	int n;

	assert_int_equal(chdir(at("root")), 0);
	for (n = 0; n < depth; n++) {
		(void)snprintf(name, sizeof name, "%0*d", 150 + n % 100, n);
		assert_int_equal(chdir(name), 0);
	}
	assert_int_equal(unlink("mail"), 0);
	while (n-- > 0) {
		assert_int_equal(chdir(".."), 0);
		(void)snprintf(name, sizeof name, "%0*d", 150 + n % 100, n);
		assert_int_equal(rmdir(name), 0);
	}
}

/* A path that no single system call takes. */
static void very_long_path(void **state)
{
	struct zs_buf path = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	for (int i = 0; i < 300; i++) /* about 60000 bytes */
		assert_int_equal(zs_buf_printf(&path, &err, "%0*d/", 150 + i % 100, i), 0);
	assert_int_equal(zs_buf_add(&path, "mail", 4, &err), 0);
	assert_true(path.n > 55000 && path.n < ZS_PATH_MAX);
	for (int walking = 0; walking < 2; walking++) {
		struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS), *again = files_open(ZS_OVERWRITE_ALWAYS);
		struct zs_entry e = file_entry(sp(text));
		int fd;

		atomic_store(&f->walk_only, walking);
		atomic_store(&again->walk_only, walking);
		assert_int_equal(zs_files_create_whole(f, zs_buf_span(&path), &e, sp(text), &err), 1);
		assert_int_equal(zs_files_open(again, zs_buf_span(&path), &fd, &err), 0);
		(void)close(fd);
		assert_int_equal(zs_files_finish(again, zs_buf_span(&path), &e, &err), 0);
		path.p[path.n - 1] = 'm'; /* another name in the same directory */
		assert_int_equal(zs_files_open(again, zs_buf_span(&path), &fd, &err), -1);
		assert_int_equal(err.sys, ENOENT);
		path.p[path.n - 1] = 'l';
		zs_files_free(f);
		zs_files_free(again);
	}
	zs_buf_fini(&path);
	take_apart(300);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(at("root")), 0); /* nothing of it is left */
}

struct job { struct zs_files *f; int first; int failures; };

static void *many(void *arg)
{
	struct job *j = arg;
	struct zs_err err = {0};
	char path[64];

	for (int i = 0; i < 400; i++) {
		(void)snprintf(path, sizeof path, "d%d/e%d/f%d-%d", i % 50, i % 7, j->first, i);
		if (whole(j->f, path, text, &err) != 1)
			j->failures++;
	}
	return NULL;
}

/* More directories than are kept open, from several threads at once. */
static void threads(void **state)
{
	struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS);
	struct job jobs[4];
	pthread_t ids[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		jobs[i] = (struct job){f, i, 0};
		assert_int_equal(pthread_create(&ids[i], NULL, many, &jobs[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(ids[i], NULL), 0);
		assert_int_equal(jobs[i].failures, 0);
	}
	expect_file(at("root/d49/e0/f3-49"), text);
	zs_files_free(f);
}

/* Descriptors run out at every possible point: an error that says so, and nothing half made under a name. */
static void no_descriptors(void **state)
{
	struct rlimit before, few;
	unsigned failed = 0, done = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (unsigned spare = 0; spare < 6; spare++) {
		struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS);
		struct zs_entry e = file_entry(sp(text)), dir = {.kind = ZS_ENTRY_DIR}, fifo = {.kind = ZS_ENTRY_FIFO};
		int lowest = open("/dev/null", O_RDONLY), rcs[5];
		struct zs_err errs[5] = {{0}};

		assert_true(lowest >= 0);
		(void)close(lowest);
		few = before;
		few.rlim_cur = (rlim_t)lowest + spare;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		rcs[0] = whole(f, "d/e/mail", text, &errs[0]);
		rcs[1] = zs_files_special(f, sp("d/pipe"), &fifo, &errs[1]);
		rcs[2] = zs_files_create(f, sp("g/mail"), &e, &errs[2]);
		rcs[3] = zs_files_mkdir(f, sp("h/i/j"), &errs[3]);
		rcs[4] = rcs[3] < 0 ? 0 : zs_files_dir_finish(f, sp("h/i/j"), &dir, &errs[4]);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		for (unsigned i = 0; i < 5; i++) {
			if (rcs[i] >= 0) {
				done++;
				continue;
			}
			failed++;
			assert_int_equal(errs[i].cause, ZS_TARGET);
			assert_int_equal(errs[i].sys, EMFILE);
		}
		assert_int_equal(exists(at("root/d/e/mail")), rcs[0] == 1);
		assert_int_equal(exists(at("root/g/mail")), rcs[2] == 1);
		zs_files_free(f);
		(void)unlink(at("root/d/e/mail"));
		(void)unlink(at("root/g/mail"));
		(void)unlink(at("root/d/pipe"));
	}
	assert_true(failed > 5 && done > 5);
}

static void no_root(void **state)
{
	struct zs_files_target_settings s = {.overwrite = ZS_OVERWRITE_ALWAYS};
	struct zs_files *f = NULL;
	struct zs_err err = {0};

	(void)state;
	put_file(at("file"), "x");
	assert_int_equal(zs_files_new(at("file"), &s, &f, &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	assert_int_equal(zs_files_new(at("file/below"), &s, &f, &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	assert_null(f);
	assert_int_equal(zs_files_new(at("new/root/far"), &s, &f, &err), 0);
	zs_files_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(whole_file), test(in_pieces), test(verify_sizes), test(wrong_content_touches_nothing), test(old_comes_back), test(rules),
		test(replaces_names), test(directory_in_the_way), test(file_as_parent), test(invalid_paths),
		test(symlinked_parents), test(replaced_parent), test(replaced_file), test(very_long_path),
		test(threads),
		test(no_descriptors), test(no_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
