/* What the tests of the sources share: a place to work in, a list of what a source yields. */
#ifndef TEST_SOURCE_UTIL_H
#define TEST_SOURCE_UTIL_H

#include "zstore/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define UNUSED __attribute__((unused))

static char util_dir[40]; /* absolute; the working directory of each test */

UNUSED static int util_setup(void **state)
{
	(void)state;
	/* in memory if there is such a place: a disk takes its time to forget 100,000 names */
	(void)strcpy(util_dir, "/dev/shm/zs-source-XXXXXX");
	if (!mkdtemp(util_dir)) {
		(void)strcpy(util_dir, "/tmp/zs-source-XXXXXX");
		if (!mkdtemp(util_dir))
			return -1;
	}
	return chdir(util_dir);
}

UNUSED static int util_teardown(void **state)
{
	char cmd[64];

	(void)state;
	(void)snprintf(cmd, sizeof cmd, "rm -rf %s", util_dir);
	return chdir("/") == 0 && system(cmd) == 0 ? 0 : -1;
}

UNUSED static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* ------------------------------------------------------------------- problems */

struct problems { unsigned n; char path[512], text[512]; /* of the last one */ };

UNUSED static void note_problem(void *ctx, struct zs_span path, const struct zs_err *err)
{
	struct problems *p = ctx;

	p->n++;
	(void)snprintf(p->path, sizeof p->path, "%.*s", (int)path.n, (const char *)path.p);
	(void)snprintf(p->text, sizeof p->text, "%s", err->text);
	assert_int_equal(err->cause, ZS_SOURCE);
}

/* --------------------------------------------------------------------- walking */

struct walk {
	struct problems problems;
	struct zs_strings paths, excludes;
	unsigned flags;
	struct zs_source *source;
	struct zs_source_item item; /* the last one; its handle is owned here */
	struct zs_err err;
};

UNUSED static void add(struct zs_strings *l, const char *s)
{
	struct zs_err err = {0};

	assert_int_equal(zs_strings_add(l, zs_span_str(s), &err), 0);
}

UNUSED static int walk_open(struct walk *w, const char *path)
{
	const struct zs_source_settings settings = {.problem = note_problem, .ctx = &w->problems, .tmp_dir = util_dir};
	struct zs_files_settings f = {&w->paths, &w->excludes, w->flags};

	if (path)
		add(&w->paths, path);
	return zs_source_files_new(&f, &settings, &w->source, &w->err);
}

UNUSED static int walk_next(struct walk *w)
{
	zs_source_handle_free(w->item.handle);
	w->item.handle = NULL;
	return zs_source_next(w->source, &w->item, &w->err);
}

UNUSED static int at(const struct walk *w, const char *path)
{
	return zs_span_eq(w->item.path, zs_span_str(path));
}

/* On to that path; what is skipped is not looked at. */
UNUSED static void walk_to(struct walk *w, const char *path)
{
	int rc;

	while ((rc = walk_next(w)) > 0 && !at(w, path))
		;
	if (rc <= 0)
		fail_msg("%s was not found: %s", path, w->err.text);
}

UNUSED static void walk_close(struct walk *w)
{
	zs_source_handle_free(w->item.handle);
	zs_source_free(w->source);
	zs_strings_fini(&w->paths);
	zs_strings_fini(&w->excludes);
	memset(w, 0, sizeof *w);
}

/* All paths, one a line; also checks that their order is strict.  Free it. */
UNUSED static char *walk_all(struct walk *w)
{
	struct zs_buf all = ZS_BUF_INIT, last = ZS_BUF_INIT;
	int rc;

	while ((rc = walk_next(w)) > 0) {
		assert_true(zs_path_valid(w->item.path));
		if (last.n)
			assert_true(zs_path_cmp(zs_buf_span(&last), w->item.path) < 0);
		last.n = 0;
		assert_int_equal(zs_buf_add_span(&last, w->item.path, &w->err), 0);
		assert_int_equal(zs_buf_add_span(&all, w->item.path, &w->err), 0);
		assert_int_equal(zs_buf_add_u8(&all, '\n', &w->err), 0);
	}
	if (rc < 0)
		fail_msg("%s", w->err.text);
	assert_int_equal(zs_buf_add_u8(&all, 0, &w->err), 0);
	zs_buf_fini(&last);
	return (char *)all.p;
}

/* A walk from new to free: what it yields below path. */
UNUSED static void check_walk(const char *path, const char *want)
{
	struct walk w = {0};
	char *got;

	assert_int_equal(walk_open(&w, path), 0);
	got = walk_all(&w);
	assert_string_equal(got, want);
	assert_int_equal(w.problems.n, 0);
	free(got);
	walk_close(&w);
}

/* All of an item's content; holes as zeros and counted.  -1: what open, read or close said. */
UNUSED static int read_all(struct zs_source_handle *h, struct zs_buf *out, uint64_t *out_holes, int *out_changed,
    struct zs_err *err)
{
	struct zs_source_reader *r = NULL;
	uint8_t buf[4096];
	uint64_t hole;
	size_t n;
	int rc;

	*out_holes = 0;
	if (zs_source_open(h, &r, err) < 0)
		return -1;
	while ((rc = zs_source_read(r, buf, sizeof buf, &n, &hole, err)) == 0 && (n || hole)) {
		assert_true(!n || !hole);
		*out_holes += hole;
		assert_int_equal(zs_buf_add(out, buf, n, err), 0);
		assert_int_equal(zs_buf_reserve(out, hole, err), 0);
		memset(out->p + out->n, 0, hole);
		out->n += hole;
	}
	if (rc < 0) {
		struct zs_err second = {0};

		if (zs_source_close(&r, out_changed, &second) < 0)
			assert_int_equal(second.cause, ZS_SOURCE);
		return -1;
	}
	return zs_source_close(&r, out_changed, err);
}

#endif
