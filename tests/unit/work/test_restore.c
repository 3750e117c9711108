/* Restore: what comes out is what went in, by packs and the short way; what cannot is named and leaves nothing
 * behind. */
#include "work_help.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static char src[128], out[128], place[64];
static unsigned runs;

/* ------------------------------------------------------------------ the source */

static void sh(const char *fmt, ...) ZS_PRINTF(1, 2);
static void sh(const char *fmt, ...)
{
	char cmd[2048];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(cmd, sizeof cmd, fmt, ap);
	va_end(ap);
	if (system(cmd) != 0)
		fail_msg("failed: %s", cmd);
}

static void write_file(const char *name, struct zs_span s)
{
	char path[512];
	struct zs_err err = {0};
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s", src, name);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(zs_write_all(fd, s.p, s.n, ZS_SYSTEM, name, &err), 0);
	assert_int_equal(close(fd), 0);
}

static void write_random(const char *name, uint32_t seed, size_t n)
{
	uint8_t *p = malloc(n + 1);

	assert_non_null(p);
	help_fill(p, n, seed);
	write_file(name, zs_span(p, n));
	free(p);
}

static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void add_base64(struct zs_buf *m, uint32_t seed, size_t n, const char *eol)
{
	uint8_t *p = malloc(n + 3);
	struct zs_err err = {0};
	size_t column = 0;

	assert_non_null(p);
	help_fill(p, n, seed);
	p[n] = p[n + 1] = 0;
	assert_int_equal(zs_buf_reserve(m, n * 3 / 2 + 100, &err), 0);
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];

		for (unsigned k = 0; k < 4; k++)
			m->p[m->n++] = k && i + k > n ? '=' : (uint8_t)b64[v >> (18 - 6 * k) & 63];
		column += 4;
		if (column == 76 || i + 3 >= n) {
			assert_int_equal(zs_buf_add(m, eol, strlen(eol), &err), 0);
			column = 0;
		}
	}
	free(p);
}

/* A message with a text and an attachment, which others have too (same seed). */
static void write_message(const char *name, unsigned n, uint32_t seed, size_t bytes, const char *eol)
{
	struct zs_buf m = ZS_BUF_INIT;
	struct zs_err err = {0};

	assert_int_equal(zs_buf_printf(&m, &err,
	    "Received: from a.example by b.example; %u%sFrom: a@example.org%sTo: u%u@example.org%s"
	    "Subject: number %u%sMIME-Version: 1.0%sContent-Type: multipart/mixed; boundary=\"b%u\"%s%s--b%u%s"
	    "Content-Type: text/plain%s%sHello %u%s--b%u%s"
	    "Content-Type: application/pdf%sContent-Transfer-Encoding: base64%s%s",
	    n, eol, eol, n, eol, n, eol, eol, n, eol, eol, n, eol, eol, eol, n, eol, n, eol, eol, eol, eol), 0);
	add_base64(&m, seed, bytes, eol);
	assert_int_equal(zs_buf_printf(&m, &err, "--b%u--%s", n, eol), 0);
	write_file(name, zs_buf_span(&m));
	zs_buf_fini(&m);
}

static void make_source(void)
{
	char name[64];

	runs++;
	(void)snprintf(src, sizeof src, "%s/src%u", place, runs);
	(void)snprintf(out, sizeof out, "%s/out%u", place, runs);
	sh("mkdir -p %s/mail/a %s/mail/b %s/few/deep/er %s/ro", src, src, src, src);
	for (unsigned i = 0; i < 60; i++) {
		(void)snprintf(name, sizeof name, "mail/a/%u.eml", i);
		write_message(name, i, i % 5, 3000 + i % 5 * 40000 + i % 5, i % 2 ? "\n" : "\r\n");
		(void)snprintf(name, sizeof name, "mail/b/%u", i);
		write_random(name, i, i * i * 7);
	}
	write_message("mail/large.eml", 77, 1234, 700001, "\r\n");
	write_message("few/one.eml", 78, 3, 123003, "\n");
	write_message("few/deep/two.eml", 79, 99, 5000, "\n");
	write_random("few/deep/er/file", 5, 50000);
	write_random("few/small", 6, 10);
	write_random("few/empty", 6, 0);
	write_random("large", 4711, 3000001);
	sh("cd %s; truncate -s 3000000 hole; truncate -s 5000000 sparse;"
	   "printf x | dd of=sparse bs=1 seek=2000000 conv=notrunc status=none;"
	   "truncate -s 300 few/zeros", src);
	sh("cd %s; ln large ro/large2; ln large zlarge3; ln few/small few/small2;"
	   "ln mail/a/1.eml few/linked.eml; ln few/linked.eml few/linked2.eml;"
	   "ln -s nowhere/at/all link; mkfifo few/fifo; printf y > 'new\nline'; printf z > $(printf '\\377\\376')",
	       src);
	if (setxattr(src, "user.probe", "1", 1, 0) == 0)
		sh("cd %s; python3 -c 'import os; os.setxattr(\"large\", \"user.k\", b\"value\");"
		   "os.setxattr(\"few\", \"user.d\", b\"\")'", src);
	sh("cd %s; chmod 4751 large; chmod 0500 ro;"
	   "touch -d '2020-01-02 03:04:05.678901234' mail/a/* mail ro few/one.eml;"
	   "touch -h -d 2019-01-01 link", src);
}

static struct zs_id back_up(struct zs_store *st)
{
	struct zs_strings paths = {0}, none = {0};
	struct zs_backup_problems *problems;
	struct zs_backup_report report;
	struct zs_snapshot_list l = {0};
	struct zs_files_settings f = {.paths = &paths};
	struct zs_source_settings settings = {.problem = zs_backup_problem, .tmp_dir = help_tmp};
	struct zs_backup_settings s = {.host = "h", .user = "u", .program = "p", .tags = &none, .paths = &none,
	    .level = 1, .threads = 2};
	struct zs_err err = {0};
	struct zs_id root;

	assert_int_equal(chdir(src), 0);
	assert_int_equal(zs_strings_add(&paths, zs_span_str("."), &err), 0);
	assert_int_equal(zs_backup_problems_new(NULL, &problems, &err), 0);
	settings.ctx = problems;
	assert_int_equal(zs_source_files_new(&f, &settings, &s.source, &err), 0);
	if (zs_backup(st, &s, problems, &report, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(report.partial, 0);
	assert_int_equal(zs_store_snapshots(st, &l, NULL, &err), 0);
	root = l.v[l.n - 1].snapshot->root;
	zs_snapshot_list_fini(&l);
	zs_source_free(s.source);
	zs_backup_problems_free(problems);
	zs_strings_fini(&paths);
	assert_int_equal(chdir("/"), 0);
	return root;
}

/* --------------------------------------------------------------------- restoring */

struct told {
	unsigned n, stop_at, stops; /* stop_at: the n-th question is answered with yes; 0: never */
	char paths[400][64];
};
static struct told told;

static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER; /* problems come from any thread */

static void on_problem(void *ctx, struct zs_span path, const struct zs_err *err)
{
	struct told *t = ctx;

	(void)err;
	(void)pthread_mutex_lock(&told_lock);
	if (t->n < 400)
		(void)snprintf(t->paths[t->n], sizeof t->paths[0], "%.*s", (int)path.n, (const char *)path.p);
	t->n++;
	(void)pthread_mutex_unlock(&told_lock);
}

static int on_stop(void *ctx)
{
	struct told *t = ctx;

	return t->stop_at && ++t->stops >= t->stop_at;
}

static const struct zs_observer observer = {.ctx = &told, .problem = on_problem, .stop = on_stop};

struct job {
	struct zs_restore_settings s;
	enum zs_overwrite overwrite;
	struct zs_strings paths;
	struct zs_restore_report report;
	int damaged;
	struct zs_err err;
};

static struct job job_of(struct zs_id root, unsigned threads)
{
	memset(&told, 0, sizeof told);
	return (struct job){.s = {.root = root, .threads = threads, .observer = &observer}};
}

static void job_path(struct job *j, const char *path)
{
	assert_int_equal(zs_strings_add(&j->paths, zs_span_str(path), &j->err), 0);
}

static int restore(struct zs_store *st, struct job *j)
{
	const struct zs_files_target_settings settings = {.overwrite = j->overwrite};
	struct zs_files *files;
	int rc;

	j->s.paths = &j->paths;
	assert_int_equal(zs_files_new(out, &settings, &files, &j->err), 0);
	rc = zs_restore_files(st, files, &j->s, &j->report, &j->damaged, &j->err);
	zs_files_free(files);
	zs_strings_fini(&j->paths);
	return rc;
}

static void restore_well(struct zs_store *st, struct job *j)
{
	if (restore(st, j) < 0)
		fail_msg("%s", j->err.text);
	assert_int_equal(j->report.failed, 0);
	assert_int_equal(told.n, 0);
	assert_int_equal(j->damaged, 0);
}

/* Content and metadata, link counts too, of two directories. */
static void same(const char *a, const char *b)
{
	static const char list[] =
	    "find . -printf '%p %y %m %U %G %T@ %n %l ' "
	    "\\( -type f -printf '%s ' -o -printf x \\) -printf '\\n' | LC_ALL=C sort";

	sh("diff -r --no-dereference -x fifo %s %s", a, b);
	sh("cd %s && %s > %s/list1 && cd %s && %s > %s/list2 && diff %s/list1 %s/list2", a, list, help_root, b, list,
	    help_root, help_root, help_root);
}

/* The top directory is no entry. */
static void same_as_source(void)
{
	sh("touch -r %s %s; chmod --reference=%s %s", src, out, src, out);
	same(src, out);
}

static void test_everything(void **state)
{
	static const unsigned threads[] = {1, 2, 5};
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_id root;
	char text[8] = "";

	(void)state;
	make_source();
	root = back_up(st);
	for (unsigned i = 0; i < 3; i++) {
		struct job j = job_of(root, threads[i]);

		restore_well(st, &j);
		assert_int_equal(j.report.files, 137);
		assert_int_equal(j.report.dirs, 7);
		assert_int_equal(j.report.others, 2);
		same_as_source();
		sh("test $(stat -c %%b %s/sparse) -lt 1000; test $(stat -c %%b %s/hole) -lt 100", out, out);
		if (getxattr(src, "user.probe", text, sizeof text) == 1) {
			char path[200];

			(void)snprintf(path, sizeof path, "%s/large", out);
			assert_int_equal(getxattr(path, "user.k", text, sizeof text), 5);
			assert_memory_equal(text, "value", 5);
		}
		sh("chmod 0700 %s/ro; rm -rf %s", out, out);
	}
	zs_store_free(st);
	zs_backend_free(be);
}

/* The short way: a few files, and the directories above them with their metadata. */
static void test_few(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_id root;
	struct job j;

	(void)state;
	make_source();
	root = back_up(st);
	j = job_of(root, 2);
	job_path(&j, "few");
	job_path(&j, "few/deep/two.eml"); /* comes with few */
	job_path(&j, "mail/a/7.eml");
	job_path(&j, "mail/a/8.eml");
	job_path(&j, "ro/large2");
	job_path(&j, "sparse");
	restore_well(st, &j);
	assert_int_equal(j.report.files, 13);
	assert_int_equal(j.report.dirs, 6);
	assert_int_equal(j.report.others, 1);
	sh("cd %s; rm -r mail/a/[0-69].eml mail/a/??.eml mail/b mail/large.eml;"
	   "rm -r large zlarge3 hole link n* $(printf '\\377\\376');"
	   "touch -r %s/mail mail; touch -r %s/mail/a mail/a", src, out, out);
	/* large2 has lost its other names, and so has linked.eml */
	same_as_source();
	zs_store_free(st);
	zs_backend_free(be);
}

static void test_filters(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_strings patterns = {0};
	struct zs_excludes *x;
	struct zs_id root;
	struct job j;

	(void)state;
	make_source();
	root = back_up(st);
	j = job_of(root, 1);
	job_path(&j, "mail/nothing");
	assert_int_equal(restore(st, &j), -1);
	assert_int_equal(j.err.cause, ZS_NOTFOUND);
	sh("test -z \"$(ls %s)\"", out);
	assert_int_equal(zs_strings_add(&patterns, zs_span_str("*.eml"), &j.err), 0);
	assert_int_equal(zs_strings_add(&patterns, zs_span_str("ro/"), &j.err), 0);
	assert_int_equal(zs_strings_add(&patterns, zs_span_str("!/few/one.eml"), &j.err), 0);
	assert_int_equal(zs_excludes_new(&patterns, &x, &j.err), 0);
	j = job_of(root, 2);
	j.s.excludes = x;
	restore_well(st, &j);
	sh("cd %s; find . -name '*.eml' ! -path ./few/one.eml -delete; chmod 700 ro; rm -r ro", src);
	sh("diff -r --no-dereference -x fifo %s %s", src, out);
	zs_excludes_free(x);
	zs_strings_fini(&patterns);
	zs_store_free(st);
	zs_backend_free(be);
}

static void test_strip(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_id root;
	struct job j;

	(void)state;
	make_source();
	root = back_up(st);
	j = job_of(root, 2);
	j.s.strip = 1;
	job_path(&j, "mail");
	restore_well(st, &j);
	assert_int_equal(j.report.files, 121);
	sh("diff -r %s/mail %s; rm -r %s", src, out, out);
	j = job_of(root, 2);
	j.s.strip = 2;
	job_path(&j, "mail/a");
	restore_well(st, &j);
	sh("diff -r %s/mail/a %s; rm -r %s", src, out, out);
	sh("mkdir %s/other; echo > %s/other/large.eml", src, src);
	root = back_up(st);
	j = job_of(root, 2); /* mail/large.eml and other/large.eml */
	j.s.strip = 1;
	assert_int_equal(restore(st, &j), -1);
	assert_int_equal(j.err.cause, ZS_USAGE);
	assert_non_null(strstr(j.err.text, "large.eml"));
	sh("test -z \"$(ls %s)\"", out);
	zs_store_free(st);
	zs_backend_free(be);
}

static void test_overwrite(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_id root;
	struct job j;

	(void)state;
	make_source();
	root = back_up(st);
	j = job_of(root, 2);
	j.s.dry_run = 1;
	restore_well(st, &j);
	assert_int_equal(j.report.files, 137);
	sh("test -z \"$(ls %s)\"", out);
	j = job_of(root, 2);
	restore_well(st, &j);
	sh("cd %s; echo other > large; echo > mail/a/3.eml; rm mail/b/50", out);
	j = job_of(root, 2);
	j.overwrite = ZS_OVERWRITE_NEVER;
	restore_well(st, &j);
	sh("test $(cat %s/large) = other; cmp %s/mail/b/50 %s/mail/b/50", out, src, out);
	assert_true(j.report.left_alone > 130);
	j = job_of(root, 2);
	j.overwrite = ZS_OVERWRITE_IF_DIFFERENT;
	restore_well(st, &j);
	assert_true(j.report.left_alone > 130);
	sh("cmp %s/mail/a/3.eml %s/mail/a/3.eml; cmp %s/large %s/large", src, out, src, out);
	j = job_of(root, 2); /* whatever is there goes */
	sh("cd %s; rm mail/a/4.eml large; ln -s /etc/passwd mail/a/4.eml; ln -s ../ large", out);
	restore_well(st, &j);
	same_as_source();
	zs_store_free(st);
	zs_backend_free(be);
}

/* ------------------------------------------------------------------------- damage */

static int in_told(const char *path)
{
	for (unsigned i = 0; i < told.n && i < 400; i++) {
		if (strcmp(told.paths[i], path) == 0)
			return 1;
	}
	return 0;
}

static int same_content(const char *a, const char *b)
{
	struct zs_buf x = ZS_BUF_INIT, y = ZS_BUF_INIT;
	struct zs_err err = {0};
	int same;

	assert_int_equal(zs_read_file(a, 1 << 24, &x, ZS_SYSTEM, &err), 0);
	assert_int_equal(zs_read_file(b, 1 << 24, &y, ZS_SYSTEM, &err), 0);
	same = zs_span_eq(zs_buf_span(&x), zs_buf_span(&y));
	zs_buf_fini(&x);
	zs_buf_fini(&y);
	return same;
}

/* Every file is right, or absent and named. */
static void check_partial(unsigned want_absent)
{
	char list[160], line[256], a[512], b[512];
	unsigned absent = 0;
	FILE *f;

	(void)snprintf(list, sizeof list, "%s/files", help_root);
	sh("cd %s; find . -type f -printf '%%P\\0' > %s", src, list);
	f = fopen(list, "rb");
	assert_non_null(f);
	for (size_t n = 0; (n = fread(line, 1, 1, f)) == 1;) {
		struct stat st;

		while (line[n - 1] && n < sizeof line && fread(line + n, 1, 1, f) == 1)
			n++;
		(void)snprintf(a, sizeof a, "%s/%s", src, line);
		(void)snprintf(b, sizeof b, "%s/%s", out, line);
		if (lstat(b, &st) < 0) {
			if (want_absent != UINT32_MAX && !in_told(line))
				fail_msg("%s is missing and was not named", line);
			absent++;
			continue;
		}
		if (!same_content(a, b))
			fail_msg("%s is not what it was", line);
	}
	(void)fclose(f);
	if (want_absent != UINT32_MAX)
		assert_int_equal(absent, want_absent);
}

struct packs { struct zs_names names; };

static int on_pack(void *ctx, const struct zs_name *name, uint64_t bytes, struct zs_err *err)
{
	struct packs *p = ctx;

	(void)bytes;
	return zs_names_add(&p->names, name, err);
}

static void flip(struct zs_backend *be, const struct zs_name *name, uint64_t step)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err;

	assert_int_equal(zs_backend_get_all(be, ZS_OBJ_PACK, name, 1u << 30, &b, &err), 0);
	for (uint64_t at = b.n / 2; at < b.n - 5000; at += step)
		b.p[at] ^= 0x10;
	assert_int_equal(zs_backend_delete(be, ZS_OBJ_PACK, name, &err), 0);
	assert_int_equal(zs_backend_put(be, ZS_OBJ_PACK, name, zs_buf_span(&b), &err), 0);
	zs_buf_fini(&b);
}

/* One pack after the other is damaged in its middle, or lost. */
static void test_damage(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	unsigned with_failures = 0;
	struct packs packs = {0};
	struct zs_id root;
	struct zs_err err = {0};

	(void)state;
	make_source();
	root = back_up(st);
	assert_int_equal(zs_backend_list(be, ZS_OBJ_PACK, on_pack, &packs, &err), 0);
	assert_true(packs.names.n >= 3);
	for (size_t i = 0; i < packs.names.n; i++) {
		struct zs_buf was = ZS_BUF_INIT;
		struct job j = job_of(root, 2);
		int rc;

		assert_int_equal(zs_backend_get_all(be, ZS_OBJ_PACK, &packs.names.v[i], 1u << 30, &was, &err), 0);
		if (i % 2)
			assert_int_equal(zs_backend_delete(be, ZS_OBJ_PACK, &packs.names.v[i], &err), 0);
		else
			flip(be, &packs.names.v[i], UINT64_MAX / 2);
		rc = restore(st, &j);
		assert_int_equal(j.report.failed, told.n);
		if (rc == 0)
			check_partial(told.n);
		else
			check_partial(UINT32_MAX); /* the tree itself */
		if (rc < 0)
			assert_int_equal(j.err.cause, ZS_CORRUPT);
		if (rc == 0 && told.n) {
			assert_int_equal(j.damaged, 1);
			with_failures++;
		}
		sh("chmod 0700 %s/ro 2>/dev/null; rm -rf %s", out, out);
		if (i % 2 == 0)
			assert_int_equal(zs_backend_delete(be, ZS_OBJ_PACK, &packs.names.v[i], &err), 0);
		assert_int_equal(zs_backend_put(be, ZS_OBJ_PACK, &packs.names.v[i], zs_buf_span(&was), &err), 0);
		zs_buf_fini(&was);
	}
	assert_true(with_failures > 0);
	zs_names_fini(&packs.names);
	zs_store_free(st);
	zs_backend_free(be);
}

/* Entries whose recipe or sum lies: named, and nothing under their name; both ways. */
static void check_lies(unsigned more)
{
	static const struct help_file lies[] = {
		{.path = "a/1", .seed = 1, .bytes = 50000}, {.path = "a/2", .seed = 2, .bytes = 50000, .wrong_sum = 1},
		{.path = "a/3", .seed = 3, .bytes = 50000, .no_chunk = 1},
		    {.path = "a/4", .seed = 4, .bytes = 50000, .wrong_length = 1},
		{.path = "a/5", .seed = 5, .bytes = 50}, {.path = "a/6", .seed = 6, .bytes = 60, .wrong_sum = 1},
	};
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct help_file *files = calloc(6 + more, sizeof *files);
	char (*names)[16] = calloc(more + 1, sizeof *names);
	struct zs_snapshot_list l = {0};
	struct zs_err err = {0};
	struct job j;

	runs++;
	(void)snprintf(out, sizeof out, "%s/out%u", place, runs);
	memcpy(files, lies, sizeof lies);
	for (unsigned i = 0; i < more; i++) {
		(void)snprintf(names[i], sizeof names[i], "b/%04u", i);
		files[6 + i] = (struct help_file){.path = names[i], .seed = 100 + i, .bytes = 3000};
	}
	(void)help_backup(st, "h", files, 6 + more);
	assert_int_equal(zs_store_snapshots(st, &l, NULL, &err), 0);
	j = job_of(l.v[0].snapshot->root, 2);
	if (restore(st, &j) < 0)
		fail_msg("%s", j.err.text);
	assert_int_equal(j.report.failed, 4);
	assert_int_equal(j.damaged, 1);
	assert_true(in_told("a/2") && in_told("a/3") && in_told("a/4") && in_told("a/6"));
	assert_int_equal(j.report.files, 2 + more);
	sh("test \"$(ls %s/a)\" = \"$(printf '1\\n5')\"", out);
	zs_snapshot_list_fini(&l);
	free(files);
	free(names);
	zs_store_free(st);
	zs_backend_free(be);
}

static void test_lies(void **state)
{
	(void)state;
	check_lies(0);
	check_lies(100);
}

/* The same inode, but not the same content: it changed between the two names. */
static void check_false_links(unsigned more)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct help_writer w = help_begin(st);
	const struct zs_tree_io io = {.ctx = &w, .put = help_put_node};
	struct zs_tree_builder *b;
	struct zs_snapshot_list l = {0};
	struct zs_totals totals;
	struct zs_id root;
	struct zs_err err = {0};
	struct job j;

	runs++;
	(void)snprintf(out, sizeof out, "%s/out%u", place, runs);
	assert_int_equal(zs_tree_builder_new(&io, 1, &b, &err), 0);
	for (unsigned i = 0; i < 6 + more; i++) {
		const char *text = i < 6 ? (const char *[]){"one", "one", "two", "two", "one", "six"}[i] : "more";
		struct zs_entry e = {.kind = ZS_ENTRY_FILE, .date_ns = INT64_MIN, .item_date_ns = INT64_MIN,
		    .size = strlen(text),
		    .inline_data = zs_span_str(text), .sum = zs_hash64(0, zs_span_str(text)), .link_dev = 1,
		    .link_ino = i < 6 ? 7 : 100 + i};
		struct zs_buf entry = ZS_BUF_INIT;
		char path[16];

		(void)snprintf(path, sizeof path, "%05u", i);
		assert_int_equal(zs_format_entry_encode(&e, &entry, &err), 0);
		assert_int_equal(zs_tree_builder_add(b, zs_span_str(path), zs_buf_span(&entry), &err), 0);
		zs_buf_fini(&entry);
	}
	assert_int_equal(zs_tree_builder_finish(b, &root, &totals, &err), 0);
	zs_tree_builder_free(b);
	(void)help_finish(&w, "h", &root);
	j = job_of(root, 2);
	restore_well(st, &j);
	assert_int_equal(j.report.files, 6 + more);
	sh("cd %s; test \"$(cat 00000 00001 00002 00003 00004 00005)\" = oneonetwotwoonesix;"
	   "test 00000 -ef 00001; test 00002 -ef 00003", out);
	zs_snapshot_list_fini(&l);
	zs_store_free(st);
	zs_backend_free(be);
}

static void test_false_links(void **state)
{
	(void)state;
	check_false_links(0);
	check_false_links(100);
}

/* Things in the way: named, left as they are, everything else is done. */
static void test_in_the_way(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_id root;
	struct job j;

	(void)state;
	make_source();
	root = back_up(st);
	sh("mkdir -p %s/large/in %s/mail/a/5.eml %s/few/small; ln -s /tmp %s/mail/b", out, out, out, out);
	j = job_of(root, 2);
	j.overwrite = ZS_OVERWRITE_NEVER;
	assert_int_equal(restore(st, &j), 0);
	assert_int_equal(j.report.failed, told.n);
	assert_true(told.n > 0);
	assert_int_equal(j.damaged, 0);
	sh("test -d %s/large/in; test -d %s/mail/a/5.eml; test -L %s/mail/b; cmp %s/mail/large.eml %s/mail/large.eml",
	    out, out, out, src, out);
	zs_store_free(st);
	zs_backend_free(be);
}

/* Stopped at the n-th question: what is there is complete. */
static void test_stop(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_id root;
	unsigned stopped = 0;

	(void)state;
	make_source();
	root = back_up(st);
	for (unsigned at = 1; at < 400; at += at < 4 ? 1 : at / 3) {
		struct job j = job_of(root, 2);
		int rc;

		told.stop_at = at;
		rc = restore(st, &j);
		if (rc < 0)
			assert_int_equal(j.err.cause, ZS_STOPPED);
		stopped += rc < 0;
		check_partial(UINT32_MAX);
		sh("chmod 0700 %s/ro 2>/dev/null; rm -rf %s", out, out);
		if (rc == 0)
			break;
	}
	assert_true(stopped > 5);
	zs_store_free(st);
	zs_backend_free(be);
}

/* The storage fails once, at every operation: an error, or what is there is right. */
static void test_faults(void **state)
{
	struct zs_backend *be = help_repo(), *bad;
	struct zs_store *st = help_open(be);
	struct zs_id root;
	int fired = 1;

	(void)state;
	make_source();
	root = back_up(st);
	zs_store_free(st);
	for (uint64_t n = 0; fired; n += n < 8 ? 1 : n / 5) {
		struct zs_store_settings settings = {.cache_dir = help_root, .tmp_dir = help_tmp};
		struct zs_secret secret = help_secret();
		struct job j = job_of(root, 2);

		bad = zs_backend_faulty_new(be, n, ZS_FAULT_ONCE, ZS_IO);
		st = NULL;
		if (zs_store_open(bad, &secret, &settings, &st, &j.err) == 0) {
			int rc = restore(st, &j);

			if (rc == 0)
				check_partial(told.n);
			else
				check_partial(UINT32_MAX);
		}
		fired = zs_backend_faulty_fired(bad);
		zs_store_free(st);
		zs_backend_free(bad);
		sh("chmod 0700 %s/ro 2>/dev/null; rm -rf %s", out, out);
	}
	zs_backend_free(be);
}

/* ------------------------------------------------------------------------- stream */

struct capture {
	struct zs_target base;
	struct zs_buf paths, content;
	char path[600]; /* where the present entry's content came from */
	uint64_t left;
	unsigned finished;
};

static int capture_begin(struct zs_target *t, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	struct capture *c = (struct capture *)t;

	if (zs_buf_printf(&c->paths, err, "%.*s\n", (int)path.n, (const char *)path.p) < 0)
		return -1;
	(void)snprintf(c->path, sizeof c->path, "%s/%.*s", src, (int)path.n, (const char *)path.p);
	c->left = e->kind == ZS_ENTRY_FILE ? e->size : 0;
	zs_buf_clear(&c->content);
	return 0;
}

static int capture_write(struct zs_target *t, struct zs_span bytes, struct zs_err *err)
{
	struct capture *c = (struct capture *)t;

	assert_true(bytes.n <= c->left);
	c->left -= bytes.n;
	return zs_buf_add_span(&c->content, bytes, err);
}

static int capture_hole(struct zs_target *t, uint64_t bytes, struct zs_err *err)
{
	static const uint8_t zeros[4096];

	for (; bytes; bytes -= bytes < sizeof zeros ? bytes : sizeof zeros) {
		if (capture_write(t, zs_span(zeros, bytes < sizeof zeros ? bytes : sizeof zeros), err) < 0)
			return -1;
	}
	return 0;
}

static int capture_end(struct zs_target *t, struct zs_err *err)
{
	struct capture *c = (struct capture *)t;

	assert_int_equal(c->left, 0);
	if (c->content.n) {
		struct zs_buf want = ZS_BUF_INIT;

		assert_int_equal(zs_read_file(c->path, 1 << 24, &want, ZS_SYSTEM, err), 0);
		assert_true(zs_span_eq(zs_buf_span(&want), zs_buf_span(&c->content)));
		zs_buf_fini(&want);
	}
	return 0;
}

static int capture_finish(struct zs_target *t, struct zs_err *err)
{
	struct capture *c = (struct capture *)t;

	(void)err;
	c->finished++;
	return 0;
}

static void capture_free(struct zs_target *t)
{
	struct capture *c = (struct capture *)t;

	zs_buf_fini(&c->paths);
	zs_buf_fini(&c->content);
}

static const struct zs_target_ops capture_ops = {capture_begin, capture_write, capture_hole, capture_end,
    capture_finish, capture_free};

static void test_stream(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct capture c = {.base = {&capture_ops}};
	struct zs_restore_report report;
	struct packs packs = {0};
	struct zs_id root;
	struct zs_err err = {0};
	struct job j;

	(void)state;
	make_source();
	root = back_up(st);
	j = job_of(root, 1);
	if (zs_restore_stream(st, &c.base, &j.s, &report, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(report.files, 137);
	assert_int_equal(report.dirs, 7);
	assert_int_equal(report.others, 2);
	assert_int_equal(c.finished, 1);
	capture_free(&c.base);
	job_path(&j, "few/deep");
	j.s.paths = &j.paths;
	if (zs_restore_stream(st, &c.base, &j.s, &report, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(zs_span_eq(zs_buf_span(&c.paths),
	    zs_span_str("few\nfew/deep\nfew/deep/er\nfew/deep/er/file\nfew/deep/two.eml\n")));
	capture_free(&c.base);
	zs_strings_fini(&j.paths);
	assert_int_equal(zs_backend_list(be, ZS_OBJ_PACK, on_pack, &packs, &err), 0);
	for (size_t i = 0; i < packs.names.n; i++)
		assert_int_equal(zs_backend_delete(be, ZS_OBJ_PACK, &packs.names.v[i], &err), 0);
	j = job_of(root, 1);
	assert_int_equal(zs_restore_stream(st, &c.base, &j.s, &report, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_int_equal(c.finished, 2);
	capture_free(&c.base);
	zs_names_fini(&packs.names);
	zs_store_free(st);
	zs_backend_free(be);
}

/* In memory if there is such a place: files are made and removed by the thousand. */
static int setup(void **state)
{
	if (help_setup(state) < 0)
		return -1;
	(void)strcpy(place, "/dev/shm/zs-restore-XXXXXX");
	if (!mkdtemp(place))
		(void)strcpy(place, help_root);
	return 0;
}

static int teardown(void **state)
{
	sh("rm -rf %s", place);
	return strcmp(place, help_root) ? help_teardown(state) : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything), cmocka_unit_test(test_few), cmocka_unit_test(test_filters),
		    cmocka_unit_test(test_strip),
		cmocka_unit_test(test_overwrite), cmocka_unit_test(test_damage), cmocka_unit_test(test_lies),
		cmocka_unit_test(test_false_links), cmocka_unit_test(test_in_the_way), cmocka_unit_test(test_stop),
		cmocka_unit_test(test_faults), cmocka_unit_test(test_stream),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
