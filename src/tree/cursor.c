/*
 * Reading a tree in path order, looking one path up, and the totals of a folder.  Reads only the nodes on the way.
 */
#include "tree_private.h"

#include <stdlib.h>
#include <string.h>

struct zs_tree_cursor {
	struct tree_walk walk;
	int started;
	int pending; /* the walk's item is what next returns */
	struct zs_buf dir;
};

int zs_tree_cursor_new(
    const struct zs_tree_io *io, const struct zs_id *root, struct zs_tree_cursor **out, struct zs_err *err)
{
	struct zs_tree_cursor *c = calloc(1, sizeof(*c));

	if (!c)
		return zs_fail_nomem(err);
	tree_walk_init(&c->walk, io, root);
	*out = c;
	return 0;
}

void zs_tree_cursor_free(struct zs_tree_cursor *c)
{
	if (!c)
		return;
	tree_walk_fini(&c->walk);
	zs_buf_fini(&c->dir);
	free(c);
}

/* From a beginning: the first entry at or after path, as tree_walk_step. */
static int walk_seek(struct tree_walk *w, struct zs_span path, struct zs_err *err)
{
	int got = tree_walk_start(w, err);

	while (got > 0) {
		if (path.n > 0 && zs_path_cmp(tree_walk_row(w)->path, path) < 0)
			got = tree_walk_step(w, err);
		else if (w->at > 0)
			got = tree_walk_open(w, err);
		else
			break;
	}
	return got;
}

int zs_tree_cursor_seek(struct zs_tree_cursor *c, struct zs_span path, struct zs_err *err)
{
	int got;

	/* path may be borrowed from this very cursor */
	zs_buf_clear(&c->dir);
	if (zs_buf_add_span(&c->dir, path, err) < 0)
		return -1;
	c->started = 1;
	got = walk_seek(&c->walk, zs_buf_span(&c->dir), err);
	c->pending = got > 0;
	return got < 0 ? -1 : 0;
}

int zs_tree_cursor_next(
    struct zs_tree_cursor *c, struct zs_span *out_path, struct zs_span *out_entry, struct zs_err *err)
{
	struct tree_walk *w = &c->walk;
	int got;

	if (c->pending)
		got = 1;
	else
		got = c->started ? tree_walk_step(w, err) : tree_walk_start(w, err);
	c->started = 1;
	c->pending = 0;
	while (got > 0 && w->at > 0)
		got = tree_walk_open(w, err);
	if (got > 0) {
		*out_path = tree_walk_row(w)->path;
		*out_entry = tree_walk_row(w)->entry;
	}
	return got;
}

/* Is the item, which ends with that path, before dir, dir or below dir as a whole? */
static int is_within(struct zs_span path, struct zs_span dir)
{
	return zs_path_below(path, dir) || (dir.n > 0 && zs_path_cmp(path, dir) <= 0);
}

int zs_tree_cursor_skip(struct zs_tree_cursor *c, struct zs_span dir, struct zs_err *err)
{
	struct tree_walk *w = &c->walk;
	int got = 1;

	zs_buf_clear(&c->dir);
	if (zs_buf_add_span(&c->dir, dir, err) < 0)
		return -1;
	dir = zs_buf_span(&c->dir);
	if (!c->started) {
		c->started = 1;
		got = tree_walk_start(w, err);
	} else if (w->ended || (!c->pending && !is_within(tree_walk_row(w)->path, dir))) {
		return 0; /* what is next is beyond dir already */
	}
	for (unsigned level = w->top; got > 0 && level > w->at; level--)
		if (is_within(w->levels[level].row.path, dir))
			tree_walk_rise(w, level);
	while (got > 0) {
		if (is_within(tree_walk_row(w)->path, dir))
			got = tree_walk_step(w, err);
		else if (w->at > 0)
			got = tree_walk_open(w, err);
		else
			break;
	}
	c->pending = got > 0;
	return got < 0 ? -1 : 0;
}

int zs_tree_lookup(
    const struct zs_tree_io *io, const struct zs_id *root, struct zs_span path, struct zs_buf *out, struct zs_err *err)
{
	struct tree_walk w;
	int got;

	tree_walk_init(&w, io, root);
	got = walk_seek(&w, path, err);
	if (got > 0 && !zs_span_eq(tree_walk_row(&w)->path, path))
		got = 0;
	if (got > 0 && zs_buf_add_span(out, tree_walk_row(&w)->entry, err) < 0)
		got = -1;
	tree_walk_fini(&w);
	return got;
}

static int at_or_below(struct zs_span path, struct zs_span dir)
{
	return zs_span_eq(path, dir) || zs_path_below(path, dir);
}

enum share { SHARE_NONE, SHARE_ALL, SHARE_SOME, SHARE_NO_MORE };

/* How much of the item is dir or lies below it?  An item's entries are after `last`, up to its row's path. */
static enum share share_of(const struct tree_walk *w, struct zs_span dir)
{
	struct zs_span path = tree_walk_row(w)->path, last = zs_buf_span(&w->last);
	int starts_in = dir.n == 0 || (w->has_last && zs_path_cmp(last, dir) >= 0);

	if (dir.n > 0 && zs_path_cmp(path, dir) < 0)
		return SHARE_NONE;
	if (at_or_below(path, dir))
		return starts_in || w->at == 0 ? SHARE_ALL : SHARE_SOME;
	if (w->at == 0 || (starts_in && !at_or_below(last, dir)))
		return SHARE_NO_MORE;
	return SHARE_SOME;
}

static int add_item(struct tree_walk *w, struct zs_totals *sum, struct zs_err *err)
{
	struct zs_totals one = tree_walk_row(w)->totals;

	if (w->at == 0 && tree_totals_entry(tree_walk_row(w)->entry, &one, err) < 0)
		return -1;
	if (tree_totals_add(sum, &one, ZS_CORRUPT, err) < 0)
		return -1;
	return tree_walk_step(w, err);
}

int zs_tree_totals(const struct zs_tree_io *io, const struct zs_id *root, struct zs_span path, struct zs_totals *out,
    struct zs_err *err)
{
	struct zs_totals sum = {0};
	struct tree_walk w;
	enum share share;
	int got;

	tree_walk_init(&w, io, root);
	got = tree_walk_start(&w, err);
	while (got > 0 && (share = share_of(&w, path)) != SHARE_NO_MORE) {
		if (share == SHARE_NONE)
			got = tree_walk_step(&w, err);
		else
			got = share == SHARE_ALL ? add_item(&w, &sum, err) : tree_walk_open(&w, err);
	}
	tree_walk_fini(&w);
	if (got < 0)
		return -1;
	*out = sum;
	return 0;
}
