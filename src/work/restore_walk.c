/*
 * Which entries of a snapshot a restore takes, and the path that each gets: the paths that were asked for and the
 * directories above them, less what is excluded, less leading components.
 */
#include <stdlib.h>
#include <string.h>

#include "restore_private.h"

#define TEXT(s) (int)((s).n < 200 ? (s).n : 200), (const char *)(s).p
#define NAMES_MEMORY (8u << 20)

static struct zs_span stripped(struct zs_span path, unsigned strip)
{
	for (; strip; strip--) {
		const uint8_t *slash = path.n ? memchr(path.p, '/', path.n) : NULL;

		if (!slash)
			return zs_span(NULL, 0);
		path = zs_span(slash + 1, path.n - (size_t)(slash + 1 - path.p));
	}
	return path;
}

static int decode(const struct walk_ops *ops, struct walk_item *item, struct zs_err *err)
{
	if (zs_format_entry_decode(item->encoded, &item->entry, err) == 0)
		return 1;
	return ops->bad(ops->ctx, item->path, err) < 0 ? -1 : 0;
}

static int give(const struct walk *w, struct zs_span from, struct zs_span encoded, const struct walk_ops *ops,
    struct zs_err *err)
{
	struct walk_item item = {.path = stripped(from, w->s->strip), .from = from, .encoded = encoded};
	int rc;

	if (!item.path.n)
		return 0;
	rc = decode(ops, &item, err);
	return rc > 0 ? ops->item(ops->ctx, &item, err) : rc;
}

static size_t shared(struct zs_span a, struct zs_span b)
{
	size_t same = 0;

	for (size_t i = 0; i < a.n && i < b.n && a.p[i] == b.p[i]; i++) {
		if (a.p[i] == '/')
			same = i;
	}
	return same;
}

/* Directories above root that were not given with the root before it. */
static int give_above(const struct walk *w, size_t i, const struct walk_ops *ops, struct zs_err *err)
{
	struct zs_span root = w->roots[i];
	size_t from = i ? shared(w->roots[i - 1], root) : 0;
	struct zs_buf found = ZS_BUF_INIT;
	int rc = 0;

	if (from)
		from++;
	while (rc == 0 && from < root.n) {
		const uint8_t *slash = memchr(root.p + from, '/', root.n - from);
		struct zs_span above;

		if (!slash)
			break;
		above = zs_span(root.p, (size_t)(slash - root.p));
		zs_buf_clear(&found);
		rc = zs_tree_lookup(&w->io, &w->s->root, above, &found, err);
		if (rc > 0)
			rc = give(w, above, zs_buf_span(&found), ops, err);
		from = above.n + 1;
	}
	zs_buf_fini(&found);
	return rc < 0 ? -1 : 0;
}

static int is_excluded(const struct walk *w, struct zs_span path, struct zs_span encoded, int *out_is_dir)
{
	struct zs_err ignored = {0};
	struct zs_entry e;

	if (!w->s->excludes || zs_format_entry_decode(encoded, &e, &ignored) < 0)
		return 0;
	*out_is_dir = e.kind == ZS_ENTRY_DIR;
	return zs_excludes_match(w->s->excludes, path, *out_is_dir);
}

static int stop_asked(const struct walk *w, struct zs_err *err)
{
	const struct zs_observer *o = w->s->observer;

	return o && o->stop && o->stop(o->ctx) ? zs_fail(err, ZS_STOPPED, "stopped") : 0;
}

static int give_root(const struct walk *w, struct zs_tree_cursor *c, struct zs_span root, const struct walk_ops *ops,
    struct zs_err *err)
{
	struct zs_span path, encoded;
	unsigned n = 0;
	int rc, is_dir = 0;

	if (zs_tree_cursor_seek(c, root, err) < 0)
		return -1;
	while ((rc = zs_tree_cursor_next(c, &path, &encoded, err)) > 0) {
		if (!zs_span_eq(path, root) && !zs_path_below(path, root))
			return 0;
		if (n++ % 32 == 0 && stop_asked(w, err) < 0)
			return -1;
		if (is_excluded(w, path, encoded, &is_dir)) {
			if (is_dir && zs_tree_cursor_skip(c, path, err) < 0)
				return -1;
			continue;
		}
		if (give(w, path, encoded, ops, err) < 0)
			return -1;
	}
	return rc;
}

int restore_walk_run(const struct walk *w, const struct walk_ops *ops, struct zs_err *err)
{
	struct zs_tree_cursor *c = NULL;
	int rc = -1;

	if (zs_tree_cursor_new(&w->io, &w->s->root, &c, err) < 0)
		return -1;
	for (size_t i = 0; i < w->roots_n; i++) {
		if (give_above(w, i, ops, err) < 0 || give_root(w, c, w->roots[i], ops, err) < 0)
			goto out;
	}
	rc = 0;
out:
	zs_tree_cursor_free(c);
	return rc;
}

/* ------------------------------------------------------------- before it begins */

static int root_cmp(const void *a, const void *b)
{
	const struct zs_span *x = a, *y = b;

	return zs_path_cmp(*x, *y);
}

static int roots_set(struct walk *w, struct zs_err *err)
{
	const struct zs_strings *paths = w->s->paths;
	size_t n = paths ? paths->n : 0, kept = 1;

	w->roots = calloc(n ? n : 1, sizeof *w->roots);
	if (!w->roots)
		return zs_fail_nomem(err);
	w->roots_n = 1;
	for (size_t i = 0; i < n; i++) {
		w->roots[i] = zs_span_str(paths->v[i]);
		if (!w->roots[i].n) { /* everything, whatever else was said */
			w->roots[0] = zs_span(NULL, 0);
			return 0;
		}
		if (!zs_path_valid(w->roots[i]))
			return zs_fail(err, ZS_USAGE, "%s: no path in a snapshot", paths->v[i]);
	}
	if (!n)
		return 0;
	qsort(w->roots, n, sizeof *w->roots, root_cmp);
	for (size_t i = 1; i < n; i++) {
		struct zs_span last = w->roots[kept - 1];

		if (!zs_span_eq(w->roots[i], last) && !zs_path_below(w->roots[i], last))
			w->roots[kept++] = w->roots[i];
	}
	w->roots_n = kept;
	return 0;
}

static int check_exists(struct zs_tree_cursor *c, struct zs_span root, struct zs_err *err)
{
	struct zs_span path, encoded;
	int rc;

	if (!root.n)
		return 0;
	if (zs_tree_cursor_seek(c, root, err) < 0)
		return -1;
	rc = zs_tree_cursor_next(c, &path, &encoded, err);
	if (rc < 0)
		return -1;
	if (rc == 0 || (!zs_span_eq(path, root) && !zs_path_below(path, root)))
		return zs_fail(err, ZS_NOTFOUND, "there is no %.*s", TEXT(root));
	return 0;
}

static int roots_check(struct walk *w, struct zs_err *err)
{
	struct zs_tree_cursor *c = NULL;
	int rc = 0;

	if (zs_tree_cursor_new(&w->io, &w->s->root, &c, err) < 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < w->roots_n; i++) {
		struct zs_totals t;

		rc = check_exists(c, w->roots[i], err);
		if (rc == 0)
			rc = zs_tree_totals(&w->io, &w->s->root, w->roots[i], &t, err);
		if (rc == 0) {
			w->totals.entries += t.entries;
			w->totals.files += t.files;
			w->totals.bytes += t.bytes;
		}
	}
	zs_tree_cursor_free(c);
	return rc;
}

/* ------------------------------------------- stripped paths that are the same */

static int name_add(void *ctx, const struct walk_item *item, struct zs_err *err)
{
	uint8_t kind = item->entry.kind;

	return zs_sorter_add(ctx, item->path, zs_span(&kind, 1), err);
}

static int name_bad(void *ctx, struct zs_span path, struct zs_err *err)
{
	(void)ctx;
	(void)path;
	(void)err;
	return 0;
}

/* One of two entries would take the other's place; only directories may come together. */
static int check_names(struct walk *w, const char *tmp_dir, struct zs_err *err)
{
	struct zs_sorter *names = NULL;
	struct zs_buf last = ZS_BUF_INIT;
	struct zs_span path, kind;
	int rc = -1, got, last_is_dir = 0;

	if (zs_sorter_new(NAMES_MEMORY, tmp_dir, &names, err) < 0)
		return -1;
	if (restore_walk_run(w, &(struct walk_ops){names, name_add, name_bad}, err) < 0 || zs_sorter_sort(names, err) < 0)
		goto out;
	while ((got = zs_sorter_next(names, &path, &kind, err)) > 0) {
		int is_dir = kind.p[0] == ZS_ENTRY_DIR;

		if (last.n && zs_span_eq(path, zs_buf_span(&last)) && !(is_dir && last_is_dir)) {
			(void)zs_fail(err, ZS_USAGE,
			    "without their first %u components, several entries would become %.*s",
			    w->s->strip, TEXT(path));
			goto out;
		}
		zs_buf_clear(&last);
		if (zs_buf_add_span(&last, path, err) < 0)
			goto out;
		last_is_dir = is_dir;
	}
	rc = got;
out:
	zs_sorter_free(names);
	zs_buf_fini(&last);
	return rc;
}

int restore_walk_init(struct walk *w, const struct zs_restore_settings *s, struct zs_store_reader *r, const char *tmp_dir,
    struct zs_err *err)
{
	*w = (struct walk){.s = s, .io = zs_reader_tree_io(r)};
	if (roots_set(w, err) < 0 || roots_check(w, err) < 0)
		return -1;
	return s->strip ? check_names(w, tmp_dir, err) : 0;
}

void restore_walk_fini(struct walk *w)
{
	free(w->roots);
	w->roots = NULL;
}
