/*
 * A walk over the nodes of one tree, one node per level in memory, and all that must hold between nodes.  Where to go
 * is decided by cursor, diff and visit; what holds within a node is format's business.
 */
#include "tree_private.h"

#include <string.h>

void tree_walk_init(struct tree_walk *w, const struct zs_tree_io *io, const struct zs_id *root)
{
	memset(w, 0, sizeof(*w));
	w->io = *io;
	w->root = *root;
	w->ended = 1;
}

static void stop_reading(struct tree_level *l)
{
	if (l->reading)
		zs_node_reader_fini(&l->reader);
	l->reading = 0;
	l->has_row = 0;
}

void tree_walk_fini(struct tree_walk *w)
{
	for (unsigned i = 0; i < TREE_LEVELS; i++) {
		stop_reading(&w->levels[i]);
		zs_buf_fini(&w->levels[i].node);
	}
	zs_buf_fini(&w->last);
	zs_buf_fini(&w->fresh);
	w->ended = 1;
}

const struct zs_node_row *tree_walk_row(const struct tree_walk *w)
{
	return &w->levels[w->at].row;
}

static int in_node(const struct tree_level *l, struct zs_err *err)
{
	char hex[ZS_ID_HEX];

	return zs_context(err, "tree node %s", zs_id_hex(&l->id, hex));
}

static int fail_in(const struct tree_level *l, struct zs_err *err, const char *what)
{
	(void)zs_fail(err, ZS_CORRUPT, "%s", what);
	return in_node(l, err);
}

static int begin_reading(struct tree_level *l, struct zs_err *err)
{
	stop_reading(l);
	if (zs_node_reader_init(&l->reader, zs_buf_span(&l->node), err) < 0)
		return in_node(l, err);
	l->reading = 1;
	l->rows = 0;
	l->weight = 0;
	memset(&l->sum, 0, sizeof(l->sum));
	return 0;
}

/* Read a node into the level that it says it is of: *out_level. */
static int fetch(struct tree_walk *w, const struct zs_id *id, unsigned *out_level, struct zs_err *err)
{
	struct tree_level fresh, *l;
	struct zs_node_reader r;
	struct zs_buf old;

	memset(&fresh, 0, sizeof(fresh));
	fresh.id = *id;
	zs_buf_clear(&w->fresh);
	if (w->io.get(w->io.ctx, id, &w->fresh, err) < 0)
		return in_node(&fresh, err);
	if (w->fresh.n > ZS_NODE_MAX)
		return fail_in(&fresh, err, "larger than a node may be");
	if (zs_node_reader_init(&r, zs_buf_span(&w->fresh), err) < 0)
		return in_node(&fresh, err);
	*out_level = r.level;
	zs_node_reader_fini(&r);
	if (*out_level >= TREE_LEVELS)
		return fail_in(&fresh, err, "its level is higher than a tree may be");
	l = &w->levels[*out_level];
	stop_reading(l);
	old = l->node;
	l->node = w->fresh;
	w->fresh = old;
	l->id = *id;
	l->loaded = 1;
	return 0;
}

/* Boundaries: does this row belong into the node that it is in? */
static int check_place(struct tree_walk *w, struct tree_level *l, struct zs_err *err)
{
	uint64_t weight = tree_row_weight(w->at, &l->row);

	if (l->rows == 0 && l->unproven && !tree_is_full(l->before_rows, l->before_weight, weight))
		return fail_in(l, err, "the node before it ends where none should end");
	if (l->rows > 0 && l->at_boundary)
		return fail_in(l, err, "it goes on where it should end");
	if (tree_is_full(l->rows, l->weight, weight))
		return fail_in(l, err, "it has more rows than it may have");
	l->unproven = 0;
	l->weight += weight;
	l->at_boundary = tree_is_boundary(w->seed, w->at, l->rows + 1, l->row.path);
	return 0;
}

static int take_row(struct tree_walk *w, struct tree_level *l, struct zs_err *err)
{
	/* within a node the reader has compared; it also knows what a valid path is */
	if (l->rows == 0 && w->has_last && zs_path_cmp(zs_buf_span(&w->last), l->row.path) >= 0)
		return fail_in(l, err, "its first path is not after the last one before it");
	if (w->verify_boundaries && check_place(w, l, err) < 0)
		return -1;
	if (w->verify_totals && ((w->at == 0 && tree_totals_entry(l->row.entry, &l->row.totals, err) < 0) ||
				    tree_totals_add(&l->sum, &l->row.totals, ZS_CORRUPT, err) < 0))
		return in_node(l, err);
	l->rows++;
	l->has_row = 1;
	return 1;
}

/* All rows of the node have been passed: is it what its parent's row says? */
static int end_node(struct tree_walk *w, struct tree_level *l, struct zs_err *err)
{
	const struct zs_node_row *parent;

	l->unproven = !l->at_boundary;
	l->before_rows = l->rows;
	l->before_weight = l->weight;
	if (w->at == w->top)
		return w->at > 0 && l->rows < 2 ? fail_in(l, err, "a root with less than two children") : 0;
	if (l->rows == 0)
		return fail_in(l, err, "it is empty");
	parent = &w->levels[w->at + 1].row;
	if (!zs_span_eq(zs_buf_span(&w->last), parent->path))
		return fail_in(l, err, "its last path is not what its parent says");
	if (w->verify_totals && !tree_totals_eq(&l->sum, &parent->totals))
		return fail_in(l, err, "its totals are not what its parent says");
	return 0;
}

/* The item at this level is done with: everything up to its path is passed. */
static int pass(struct tree_walk *w, struct tree_level *l, struct zs_err *err)
{
	l->has_row = 0;
	zs_buf_clear(&w->last);
	w->has_last = 1;
	return zs_buf_add_span(&w->last, l->row.path, err);
}

static int step(struct tree_walk *w, struct zs_err *err)
{
	struct tree_level *l;
	int got;

	while (!w->ended) {
		l = &w->levels[w->at];
		if (l->has_row && pass(w, l, err) < 0)
			return -1;
		got = zs_node_reader_next(&l->reader, &l->row, err);
		if (got < 0)
			return in_node(l, err);
		if (got > 0)
			return take_row(w, l, err);
		if (end_node(w, l, err) < 0)
			return -1;
		if (w->at == w->top)
			w->ended = 1;
		else
			w->at++;
	}
	return 0;
}

static int open_child(struct tree_walk *w, struct zs_err *err)
{
	const struct zs_id *child = &w->levels[w->at].row.child;
	struct tree_level *l = &w->levels[w->at - 1];
	unsigned level = w->at - 1;

	/* the node may still be there from before a seek */
	if ((!l->loaded || zs_id_cmp(&l->id, child) != 0) && fetch(w, child, &level, err) < 0)
		return -1;
	if (level != w->at - 1) {
		(void)zs_fail(err, ZS_CORRUPT, "level %u below level %u", level, w->at);
		return in_node(&w->levels[level], err);
	}
	if (begin_reading(l, err) < 0)
		return -1;
	w->at--;
	return step(w, err);
}

static int start(struct tree_walk *w, struct zs_err *err)
{
	struct tree_level *l = &w->levels[w->top];

	w->has_last = 0;
	for (unsigned i = 0; i < TREE_LEVELS; i++)
		w->levels[i].unproven = 0;
	if ((!l->loaded || zs_id_cmp(&l->id, &w->root) != 0) && fetch(w, &w->root, &w->top, err) < 0)
		return -1;
	l = &w->levels[w->top];
	if (begin_reading(l, err) < 0)
		return -1;
	w->at = w->top;
	w->ended = 0;
	return step(w, err);
}

/* After a failure the levels fit together no longer: the walk is at its end until it is started again. */
static int settle(struct tree_walk *w, int got)
{
	if (got < 0)
		w->ended = 1;
	return got;
}

int tree_walk_start(struct tree_walk *w, struct zs_err *err)
{
	w->ended = 1;
	return settle(w, start(w, err));
}

int tree_walk_step(struct tree_walk *w, struct zs_err *err)
{
	return settle(w, step(w, err));
}

int tree_walk_open(struct tree_walk *w, struct zs_err *err)
{
	return settle(w, open_child(w, err));
}

void tree_walk_rise(struct tree_walk *w, unsigned level)
{
	for (unsigned i = 0; i < level; i++)
		w->levels[i].unproven = 0;
	w->at = level;
}
