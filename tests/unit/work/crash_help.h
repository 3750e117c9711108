/*
 * A small mail store on disk and on two days, repositories in memory with tiny blocks and packs, and what a later user
 * of a repository would find: shared by the tests of crashes, faults and concurrent runs.
 */
#ifndef CRASH_HELP_H
#define CRASH_HELP_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "zstore/work.h"

#define HELP __attribute__((unused)) static
#define CRASH_BLOCK (8u << 10)
#define CRASH_PACK (32u << 10)

static char crash_root[32]; /* and the working directory: src, day1, day2, out, caches */
static unsigned crash_caches;

/* ------------------------------------------------------------------ directories */

HELP int crash_unlink(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

HELP void crash_remove(const char *path)
{
	(void)nftw(path, crash_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

HELP void crash_sh(const char *command)
{
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

HELP struct zs_buf crash_read(const char *path)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};

	if (zs_read_file(path, 64u << 20, &b, ZS_SYSTEM, &err) < 0)
		fail_msg("%s", err.text);
	return b;
}

HELP void crash_same_file(const char *a, const char *b, const struct stat *as)
{
	struct stat bs;
	struct zs_buf x, y;
	char to_a[256] = "", to_b[256] = "";

	if (lstat(b, &bs) != 0)
		fail_msg("%s is missing", b);
	if (as->st_mode != bs.st_mode || as->st_uid != bs.st_uid || as->st_gid != bs.st_gid ||
	    as->st_nlink != bs.st_nlink)
		fail_msg("%s: other type, mode, owner or links", b);
	if (as->st_mtim.tv_sec != bs.st_mtim.tv_sec || as->st_mtim.tv_nsec != bs.st_mtim.tv_nsec)
		fail_msg("%s: other time", b);
	if (S_ISLNK(as->st_mode)) {
		assert_true(readlink(a, to_a, sizeof(to_a) - 1) >= 0 && readlink(b, to_b, sizeof(to_b) - 1) >= 0);
		assert_string_equal(to_a, to_b);
	}
	if (!S_ISREG(as->st_mode))
		return;
	x = crash_read(a);
	y = crash_read(b);
	if (!zs_span_eq(zs_buf_span(&x), zs_buf_span(&y)))
		fail_msg("%s: other content", b);
	zs_buf_fini(&x);
	zs_buf_fini(&y);
}

/* Everything in a is in b, and the same; returns how many entries. */
HELP unsigned crash_within(const char *a, const char *b)
{
	char in_a[512], in_b[512];
	struct dirent *d;
	struct stat st;
	unsigned n = 0;
	DIR *dir = opendir(a);

	if (!dir)
		fail_msg("%s cannot be read", a);
	while ((d = readdir(dir))) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		(void)snprintf(in_a, sizeof(in_a), "%s/%s", a, d->d_name);
		(void)snprintf(in_b, sizeof(in_b), "%s/%s", b, d->d_name);
		assert_int_equal(lstat(in_a, &st), 0);
		crash_same_file(in_a, in_b, &st);
		n += 1 + (S_ISDIR(st.st_mode) ? crash_within(in_a, in_b) : 0);
	}
	(void)closedir(dir);
	return n;
}

HELP void crash_same_tree(const char *a, const char *b)
{
	unsigned n = crash_within(a, b);

	assert_true(n > 0);
	assert_int_equal(n, crash_within(b, a));
}

/* ------------------------------------------------------------------- the source */

HELP void crash_fill(uint8_t *p, size_t n, uint32_t seed)
{
	uint64_t x = 0x9E3779B97F4A7C15u * (seed + 1);

	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = (uint8_t)(x >> 11);
	}
}

HELP void crash_write(const char *path, const void *p, size_t n)
{
	struct zs_err err = {0};
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0640);

	assert_true(fd >= 0);
	if (zs_write_all(fd, p, n, ZS_SYSTEM, path, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(close(fd), 0);
}

HELP void crash_write_random(const char *path, uint32_t seed, size_t n)
{
	uint8_t *p = malloc(n + 1);

	assert_non_null(p);
	crash_fill(p, n, seed);
	crash_write(path, p, n);
	free(p);
}

HELP void crash_base64(struct zs_buf *m, uint32_t seed, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t *p = malloc(n + 3);
	struct zs_err err = {0};

	assert_non_null(p);
	n -= n % 3;
	crash_fill(p, n, seed);
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];

		assert_int_equal(zs_buf_printf(m, &err, "%c%c%c%c%s", digits[v >> 18], digits[v >> 12 & 63],
				     digits[v >> 6 & 63], digits[v & 63], i / 3 % 19 == 18 || i + 3 >= n ? "\r\n" : ""),
		    0);
	}
	free(p);
}

/* Message i of a user, as staged: one of some attachments, which others have too; every seventh is nested in another.
 */
HELP void crash_message(unsigned i, uint32_t seed, size_t attached)
{
	struct zs_buf m = ZS_BUF_INIT;
	struct zs_err err = {0};
	char path[128];
	int rc = 0;

	if (i % 7 == 0)
		rc |= zs_buf_printf(
		    &m, &err, "Subject: outer\r\nMIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n");
	rc |= zs_buf_printf(&m, &err,
	    "Received: from a.example by b.example; id %u\r\nFrom: a@example.org\r\nSubject: no. %u\r\n"
	    "Message-ID: <%u@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; "
	    "boundary=\"=_%u\"\r\n\r\n"
	    "--=_%u\r\nContent-Type: text/plain\r\n\r\n",
	    i, i, i, i, i);
	for (unsigned k = 0; k < 40 + i % 3; k++)
		rc |= zs_buf_printf(&m, &err, "Line %u of the text of message %u, which is like others.\r\n", k, i % 5);
	rc |= zs_buf_printf(
	    &m, &err, "--=_%u\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n", i);
	assert_int_equal(rc, 0);
	crash_base64(&m, seed, attached);
	assert_int_equal(zs_buf_printf(&m, &err, "--=_%u--\r\n", i), 0);
	(void)snprintf(path, sizeof(path), "src/accounts/u%u@example.org/Inbox/msg-%u.eml", i % 2, i);
	crash_write(path, m.p, m.n);
	zs_buf_clear(&m);
	assert_int_equal(zs_buf_printf(&m, &err,
			     "{\"id\": %u, \"folder\": \"Inbox\", \"flags\": [\"seen\"], \"tags\": [], "
			     "\"date\": \"2024-01-02T03:04:05Z\", \"size\": 1}",
			     i),
	    0);
	memcpy(path + strlen(path) - 4, ".meta", 6);
	crash_write(path, m.p, m.n);
	zs_buf_fini(&m);
}

HELP void crash_day1(void)
{
	crash_sh(
	    "mkdir -p src/accounts/u0@example.org/Inbox src/accounts/u1@example.org/Inbox src/deep/a/b/c/d src/empty");
	for (unsigned i = 0; i < 30; i++)
		crash_message(i, i % 6, 2000 + i % 6 * 4000);
	crash_write_random("src/large", 100, 150001);
	crash_write_random("src/deep/a/b/c/d/file", 101, 40000);
	crash_write_random("src/deep/a/small", 102, 900);
	crash_write("src/deep/nothing", "", 0);
	crash_sh("ln -s ../nowhere src/deep/link; ln src/large src/deep/second; truncate -s 300000 src/sparse;"
		 "printf x | dd of=src/sparse bs=1 seek=200000 conv=notrunc status=none;"
		 "cp -a src day1");
}

HELP void crash_day2(void)
{
	for (unsigned i = 30; i < 36; i++)
		crash_message(i, i, 9000);
	crash_message(3, 3, 14000);
	crash_sh("rm src/accounts/u0@example.org/Inbox/msg-0.* src/accounts/u1@example.org/Inbox/msg-1.*; rm -r "
		 "src/deep/a/b;"
		 "printf 'in between' | dd of=src/large bs=1 seek=70000 conv=notrunc status=none");
	crash_write_random("src/another", 103, 90000);
	crash_write_random("src/deep/a/small", 104, 901);
	crash_sh("cp -a src day2");
}

HELP int crash_setup(void **state)
{
	struct zs_err err;

	(void)state;
	/* In memory where there is such a place: the index syncs its files, hundreds of times here. */
	(void)snprintf(
	    crash_root, sizeof(crash_root), "%s/zs-crash-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	return zs_codec_init(&err) < 0 || !mkdtemp(crash_root) || chdir(crash_root) != 0 ? -1 : 0;
}

HELP int crash_teardown(void **state)
{
	(void)state;
	if (chdir("/") != 0)
		return -1;
	crash_remove(crash_root);
	return 0;
}

/* ----------------------------------------------------------------- repositories */

struct crash_cache {
	char dir[64];
};

HELP struct crash_cache crash_cache_new(void)
{
	struct crash_cache c;

	(void)snprintf(c.dir, sizeof(c.dir), "%s/cache%u", crash_root, crash_caches++);
	return c;
}

HELP int crash_init(struct zs_backend *be, struct zs_err *err)
{
	const struct zs_secret secret = {
	    .type = ZS_SECRET_PASSPHRASE, .bytes = zs_span_str("sesame"), .ops = 1, .mem_kib = 8};
	struct zs_config config;

	zs_store_config_default(&config);
	config.level = 1;
	for (int k = ZS_KIND_TEXT; k < ZS_KINDS; k++)
		if (k != ZS_KIND_TREE)
			config.sizes[k] = (struct zs_config_sizes){2048, 8192, 32768};
	return zs_store_init(be, &config, &secret, "test", NULL, err);
}

HELP int crash_try_open(
    struct zs_backend *be, const struct crash_cache *cache, struct zs_store **out, struct zs_err *err)
{
	const struct zs_secret secret = {.type = ZS_SECRET_PASSPHRASE, .bytes = zs_span_str("sesame")};
	const struct zs_store_settings settings = {.cache_dir = cache->dir, .tmp_dir = crash_root};
	struct zs_config *config;

	if (zs_store_open(be, &secret, &settings, out, err) < 0)
		return -1;
	/* Smaller than the format allows to be configured: many packs of many blocks out of little data. */
	config = (struct zs_config *)(uintptr_t)zs_store_config(*out);
	config->block_bytes = CRASH_BLOCK;
	config->pack_bytes = CRASH_PACK;
	return 0;
}

HELP struct zs_store *crash_open(struct zs_backend *be, const struct crash_cache *cache)
{
	struct zs_store *st = NULL;
	struct zs_err err = {0};

	if (crash_try_open(be, cache, &st, &err) < 0)
		fail_msg("%s", err.text);
	return st;
}

HELP uint64_t crash_objects(struct zs_backend *be, enum zs_object type);
HELP int crash_count(void *ctx, const struct zs_name *name, uint64_t bytes, struct zs_err *err)
{
	(void)name;
	(void)bytes;
	(void)err;
	++*(uint64_t *)ctx;
	return 0;
}

HELP uint64_t crash_objects(struct zs_backend *be, enum zs_object type)
{
	struct zs_err err = {0};
	uint64_t n = 0;

	assert_int_equal(zs_backend_list(be, type, crash_count, &n, &err), 0);
	return n;
}

/* ---------------------------------------------------------------- the use cases */

struct crash_run {
	unsigned threads;
	const struct zs_observer *observer;
	const char *path;
};

/* Back up src, or another path; the tag says which directory it equals. */
HELP int crash_try_backup(
    struct zs_store *st, const char *tag, const struct crash_run *how, struct zs_backup_report *out, struct zs_err *err)
{
	struct zs_strings paths = {0}, tags = {0};
	struct zs_backup_problems *problems = NULL;
	struct zs_source_settings settings = {.problem = zs_backup_problem, .tmp_dir = crash_root};
	const struct zs_files_settings f = {.paths = &paths, .flags = ZS_FILES_NO_RACY_GUARD};
	struct zs_backup_settings s = {.host = "host",
	    .user = "u",
	    .program = "p",
	    .tags = &tags,
	    .paths = &paths,
	    .level = -1,
	    .threads = how && how->threads ? how->threads : 2,
	    .observer = how ? how->observer : NULL,
	    .time_ns = INT64_C(1764000000000000000) + (int64_t)crash_caches};
	struct zs_err e = {0};
	int rc;

	assert_int_equal(zs_strings_add(&paths, zs_span_str(how && how->path ? how->path : "src"), &e), 0);
	assert_int_equal(zs_strings_add(&tags, zs_span_str(tag), &e), 0);
	assert_int_equal(zs_backup_problems_new(s.observer, &problems, &e), 0);
	settings.ctx = problems;
	if (zs_source_files_new(&f, &settings, &s.source, &e) < 0)
		fail_msg("%s", e.text);
	memset(err, 0, sizeof(*err));
	rc = zs_backup(st, &s, problems, out, err);
	assert_true(rc == 0 || (err->cause != ZS_OK && err->text[0]));
	assert_true(rc < 0 || out->partial == 0);
	zs_source_free(s.source);
	zs_backup_problems_free(problems);
	zs_strings_fini(&paths);
	zs_strings_fini(&tags);
	return rc;
}

HELP struct zs_backup_report crash_backup(struct zs_store *st, const char *tag, const struct crash_run *how)
{
	struct zs_backup_report r;
	struct zs_err err = {0};

	if (crash_try_backup(st, tag, how, &r, &err) < 0)
		fail_msg("backup: %s", err.text);
	return r;
}

/* What check and restore complain of, from any thread: the first is kept, and fails the test in its own thread. */
static struct {
	pthread_mutex_t lock;
	char text[1024];
} crash_trouble = {.lock = PTHREAD_MUTEX_INITIALIZER};

HELP void crash_complain(const char *what, struct zs_span path, const char *text)
{
	(void)pthread_mutex_lock(&crash_trouble.lock);
	if (!crash_trouble.text[0])
		(void)snprintf(crash_trouble.text, sizeof(crash_trouble.text), "%s: %.*s: %s", what, (int)path.n,
		    path.n ? (const char *)path.p : "", text);
	(void)pthread_mutex_unlock(&crash_trouble.lock);
}

HELP void crash_no_trouble(void)
{
	if (crash_trouble.text[0])
		fail_msg("%s", crash_trouble.text);
}

HELP int crash_finding(void *ctx, const char *text)
{
	(void)ctx;
	crash_complain("check found", zs_span(NULL, 0), text);
	return 0;
}

HELP void crash_check(struct zs_store *st)
{
	const struct zs_check_settings s = {.read_data = 1, .threads = 2, .finding = crash_finding};
	struct zs_check_report r;
	struct zs_err err = {0};

	if (zs_check(st, &s, &r, &err) < 0)
		fail_msg("check: %s", err.text);
	crash_no_trouble();
	assert_int_equal(r.findings, 0);
}

HELP void crash_problem(void *ctx, struct zs_span path, const struct zs_err *err)
{
	(void)ctx;
	crash_complain("extract", path, err->text);
}

/* Extract it in full; all of it must equal the directory that its tag names. */
HELP void crash_extract(struct zs_store *st, const struct zs_snapshot *snap, unsigned threads)
{
	const struct zs_files_target_settings settings = {.overwrite = ZS_OVERWRITE_ALWAYS, .problem = crash_problem};
	const struct zs_observer observer = {.problem = crash_problem};
	const struct zs_strings everything = {0};
	struct zs_restore_settings s = {
	    .root = snap->root, .paths = &everything, .threads = threads, .observer = &observer};
	struct zs_restore_report r = {0};
	struct zs_files *to = NULL;
	struct zs_err err = {0};
	char out[64];
	int damaged = 0;

	crash_remove("out");
	assert_int_equal(snap->tags.n, 1);
	if (zs_files_new("out", &settings, &to, &err) < 0 || zs_restore_files(st, to, &s, &r, &damaged, &err) < 0)
		fail_msg("extract: %s", err.text);
	zs_files_free(to);
	crash_no_trouble();
	assert_int_equal(r.failed, 0);
	assert_true(r.files > 64 || strcmp(snap->paths.v[0], "src") != 0); /* enough to go pack by pack */
	assert_int_equal(damaged, 0);
	(void)snprintf(out, sizeof(out), "out/%s", snap->paths.v[0]);
	crash_same_tree(snap->tags.v[0], out);
}

/* What a user on another machine finds: nothing to complain about, every snapshot complete.  Which: bit 0 day1, bit 1
 * day2. */
HELP unsigned crash_sound(struct zs_backend *be)
{
	struct crash_cache cache = crash_cache_new();
	struct zs_store *st = crash_open(be, &cache);
	struct zs_snapshot_list l = {0};
	struct zs_err err = {0};
	unsigned seen = 0;

	crash_check(st);
	if (zs_store_snapshots(st, &l, NULL, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < l.n; i++) {
		crash_extract(st, l.v[i].snapshot, 2);
		seen |= strcmp(l.v[i].snapshot->tags.v[0], "day1") == 0 ? 1 : 2;
	}
	zs_snapshot_list_fini(&l);
	zs_store_free(st);
	crash_remove(cache.dir);
	return seen;
}

/* Forget all snapshots but the newest. */
HELP int crash_try_forget(struct zs_store *st, struct zs_err *err)
{
	struct zs_snapshot_list l = {0};
	struct zs_names names = {0};
	int rc = zs_store_snapshots(st, &l, NULL, err);

	for (size_t i = 0; rc == 0 && i + 1 < l.n; i++)
		rc = zs_names_add(&names, &l.v[i].name, err);
	if (rc == 0 && names.n > 0)
		rc = zs_store_forget(st, &names, err);
	zs_names_fini(&names);
	zs_snapshot_list_fini(&l);
	return rc;
}

HELP int crash_try_collect(struct zs_store *st, struct zs_collect_report *out, struct zs_err *err)
{
	const struct zs_collect_settings s = {.max_repack_bytes = UINT64_MAX};
	int rc;

	memset(out, 0, sizeof(*out));
	memset(err, 0, sizeof(*err));
	rc = zs_prune_collect(st, &s, NULL, out, err);
	zs_names_fini(&out->sessions);
	assert_true(rc == 0 || (err->cause != ZS_OK && err->text[0]));
	return rc;
}

HELP struct zs_collect_report crash_prune(struct zs_store *st)
{
	struct zs_collect_report r = {0};
	struct zs_err err = {0};

	if (crash_try_forget(st, &err) < 0 || crash_try_collect(st, &r, &err) < 0)
		fail_msg("prune: %s", err.text);
	return r;
}

/* The processes whose sessions are left are gone; they were this one, so nobody can see that. */
HELP void crash_end_sessions(struct zs_store *st)
{
	struct zs_session_list l = {0};
	struct zs_err err = {0};

	assert_int_equal(zs_store_sessions(st, &l, &err), 0);
	for (size_t i = 0; i < l.n; i++)
		if (zs_store_session_end(st, &l.v[i].name, &err) < 0)
			fail_msg("%s", err.text);
	zs_session_list_fini(&l);
}

/* It can be worked with: a backup of src as it is now, a prune to it, and everything in order before and after. */
HELP void crash_usable(struct zs_backend *be, const struct crash_cache *cache, const char *tag)
{
	struct zs_store *st = crash_open(be, cache);
	unsigned bit = strcmp(tag, "day1") == 0 ? 1 : 2;
	struct zs_collect_report r;
	struct zs_err err = {0};

	(void)crash_backup(st, tag, NULL);
	assert_true(crash_sound(be) & bit);
	if (crash_objects(be, ZS_OBJ_SESSION) > 0) {
		if (crash_try_forget(st, &err) < 0)
			fail_msg("%s", err.text);
		if (crash_try_collect(st, &r, &err) < 0 && err.cause != ZS_BUSY)
			fail_msg("%s", err.text);
		assert_int_equal(crash_sound(be), bit);
		crash_end_sessions(st);
	}
	(void)crash_prune(st);
	zs_store_free(st);
	assert_int_equal(crash_sound(be), bit);
	assert_int_equal(crash_objects(be, ZS_OBJ_SNAPSHOT), 1);
	assert_int_equal(crash_objects(be, ZS_OBJ_SESSION), 0);
	assert_int_equal(crash_objects(be, ZS_OBJ_CONDEMNED), 0);
}

#endif
