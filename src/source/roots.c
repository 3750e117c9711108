/*
 * The paths that a user typed: cleaned to paths of the snapshot, looked at, sorted,
 * those inside others dropped.  Two that would take the same place in the snapshot
 * without being the same place on disk are refused: one would hide the other.
 */
#include "source_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void root_fini(struct root *r)
{
	zs_buf_fini(&r->path);
	free(r->real);
	free(r->name);
	dirs_unref(r->dir);
}

void roots_fini(struct roots *r)
{
	for (size_t i = 0; i < r->n; i++)
		root_fini(&r->v[i]);
	for (size_t i = 0; i < r->inner_n; i++)
		root_fini(&r->inner[i]);
	free(r->v);
	free(r->inner);
	memset(r, 0, sizeof *r);
}

/* What was typed, absolute, with ".." folded as zs_path_clean does, so that the root's path is the end of it. */
static int real_path(struct root *r, const char *typed, const char *cwd, struct zs_err *err)
{
	struct zs_buf all = ZS_BUF_INIT, clean = ZS_BUF_INIT;
	int rc = -1;

	if ((typed[0] != '/' && zs_buf_add_span(&all, zs_span_str(cwd), err) < 0) ||
	    zs_buf_add_u8(&all, '/', err) < 0 || zs_buf_add_span(&all, zs_span_str(typed), err) < 0)
		goto out;
	if (zs_buf_add_u8(&clean, '/', err) < 0 || zs_path_clean(zs_buf_span(&all), &clean, err) < 0 ||
	    zs_buf_add_u8(&clean, 0, err) < 0)
		goto out;
	r->real = (char *)clean.p;
	clean = (struct zs_buf)ZS_BUF_INIT;
	rc = 0;
out:
	zs_buf_fini(&all);
	zs_buf_fini(&clean);
	return rc;
}

/* The directory that the root stands in and its name there.  A trailing slash, ".", ".." mean the directory itself,
 * wherever a symlink leads; a plain name is never followed. */
static int place(struct root *r, const char *typed, struct dirs *all, struct zs_err *err)
{
	const char *slash = strrchr(typed, '/'), *last = slash ? slash + 1 : typed;

	if (!*last || !strcmp(last, ".") || !strcmp(last, "..")) {
		r->dir = dirs_new(all, NULL, typed, strlen(typed));
		r->name = strdup(".");
	} else {
		r->dir = slash ? dirs_new(all, NULL, typed, (size_t)(slash - typed) + 1) : dirs_new(all, NULL, ".", 1);
		r->name = strdup(last);
	}
	return r->dir && r->name ? 0 : zs_fail_nomem(err);
}

/* 1 there, 0 missing (*why), -1 */
static int root_init(struct root *r, const char *typed, const char *cwd, struct dirs *all, struct zs_err *why,
    struct zs_err *err)
{
	int fd, closes, rc, sys;
	char text[DIRS_TEXT];

	if (!*typed)
		return zs_fail(err, ZS_USAGE, "an empty path cannot be backed up");
	if (zs_path_clean(zs_span_str(typed), &r->path, err) < 0 || real_path(r, typed, cwd, err) < 0 ||
	    place(r, typed, all, err) < 0)
		return -1;
	if (r->path.n && !zs_path_valid(zs_buf_span(&r->path)))
		return zs_fail(err, ZS_USAGE, "%s: no path that can be backed up",
		    dirs_text_path(zs_span_str(typed), text));
	rc = dirs_open(r->dir, &fd, &closes);
	if (rc == 0) {
		rc = fstatat(fd, r->name, &r->st, AT_SYMLINK_NOFOLLOW);
		sys = errno;
		if (closes)
			(void)close(fd);
		errno = sys;
	}
	if (rc < 0) {
		(void)zs_fail_sys(why, ZS_SOURCE, errno, "cannot read %s", dirs_text_path(zs_span_str(typed), text));
		return 0;
	}
	if (!r->path.n && !S_ISDIR(r->st.st_mode))
		return zs_fail(err, ZS_USAGE, "%s: no directory", dirs_text_path(zs_span_str(typed), text));
	return 1;
}

static int root_cmp(const void *a, const void *b)
{
	const struct root *x = a, *y = b;

	return zs_path_cmp(zs_buf_span(&x->path), zs_buf_span(&y->path));
}

/* 1 if `in` lies inside or is the same as `out` on disk, as far as their names tell. */
static int is_within(const struct root *in, const struct root *out)
{
	size_t n = strlen(out->real);

	if (n == 1)
		return 1;
	return !strncmp(in->real, out->real, n) && (!in->real[n] || in->real[n] == '/');
}

static int drop_inner(struct roots *r, struct zs_err *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n; i++) {
		struct root *now = &r->v[i], *last = kept ? &r->v[kept - 1] : NULL;
		struct zs_span path = zs_buf_span(&now->path);
		char a[DIRS_TEXT], b[DIRS_TEXT];
		int same, moved;

		same = last && zs_span_eq(path, zs_buf_span(&last->path));
		if (!last || (!same && !zs_path_below(path, zs_buf_span(&last->path)))) {
			moved = kept != i;
			r->v[kept++] = *now;
			if (moved)
				memset(now, 0, sizeof *now);
			continue;
		}
		if ((same && (now->st.st_ino != last->st.st_ino || now->st.st_dev != last->st.st_dev)) ||
		    (!same && (!is_within(now, last) || !S_ISDIR(last->st.st_mode)))) {
			return zs_fail(err, ZS_USAGE,
			    "%s and %s cannot be in one backup: they would get the same place",
			    dirs_text_path(zs_span_str(last->real), a), dirs_text_path(zs_span_str(now->real), b));
		}
		r->inner[r->inner_n++] = *now;
		memset(now, 0, sizeof *now);
	}
	r->n = kept;
	return 0;
}

static int read_typed(struct roots *r, const struct zs_strings *typed, const char *cwd, struct dirs *all,
    const struct zs_source_settings *settings, struct zs_err *err)
{
	struct zs_err why = {0};

	for (size_t i = 0; i < typed->n; i++) {
		struct root *now = &r->v[r->n++];
		int rc = root_init(now, typed->v[i], cwd, all, &why, err);

		if (rc < 0)
			return -1;
		if (rc > 0)
			continue;
		if (settings->problem)
			settings->problem(settings->ctx, zs_buf_span(&now->path), &why);
		root_fini(now);
		memset(now, 0, sizeof *now);
		r->n--;
	}
	if (!r->n) {
		*err = why;
		return zs_context(err, "nothing to back up");
	}
	return 0;
}

int roots_init(struct roots *r, const struct zs_strings *typed, struct dirs *all,
    const struct zs_source_settings *settings, struct zs_err *err)
{
	char *cwd = NULL;
	size_t given;
	int rc = -1;

	memset(r, 0, sizeof *r);
	if (!typed || !typed->n)
		return zs_fail(err, ZS_USAGE, "no paths to back up");
	given = typed->n;
	r->v = calloc(given, sizeof *r->v);
	r->inner = calloc(given, sizeof *r->inner);
	cwd = getcwd(NULL, 0);
	if (!r->v || !r->inner) {
		(void)zs_fail_nomem(err);
		goto out;
	}
	if (!cwd) {
		(void)zs_fail_sys(err, ZS_SYSTEM, errno, "cannot find out the working directory");
		goto out;
	}
	if (read_typed(r, typed, cwd, all, settings, err) < 0)
		goto out;
	qsort(r->v, r->n, sizeof *r->v, root_cmp);
	rc = drop_inner(r, err);
out:
	if (rc < 0) {
		r->n = r->v ? given : 0; /* rows not reached are zero */
		roots_fini(r);
	}
	free(cwd);
	return rc;
}

int roots_real_above(const struct root *root, size_t path_n, struct zs_buf *out, struct zs_err *err)
{
	size_t n = strlen(root->real) - (root->path.n - path_n);

	if (zs_buf_add(out, root->real, n, err) < 0)
		return -1;
	return zs_buf_add_u8(out, 0, err);
}
