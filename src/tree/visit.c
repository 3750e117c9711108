/*
 * Visits nodes top down and verifies everything that can be seen from a tree alone.  Which nodes need no visit, because
 * they have been seen, is the caller's knowledge.
 */
#include "tree_private.h"

static int visit_item(struct tree_walk *w, const struct zs_tree_visit *v, struct zs_err *err)
{
	const struct zs_node_row *row = tree_walk_row(w);
	int enter;

	if (w->at == 0) {
		if (v->entry && v->entry(v->ctx, row->path, row->entry, err) < 0)
			return -1;
		return tree_walk_step(w, err);
	}
	enter = v->enter ? v->enter(v->ctx, &row->child, err) : 1;
	if (enter < 0)
		return -1;
	if (enter > 0)
		return tree_walk_open(w, err);
	tree_walk_rise(w, w->at); /* nodes on both sides of the one left out are no neighbours */
	return tree_walk_step(w, err);
}

int zs_tree_visit(
    const struct zs_tree_io *io, const struct zs_id *root, const struct zs_tree_visit *v, struct zs_err *err)
{
	struct tree_walk w;
	int got;

	got = v->enter ? v->enter(v->ctx, root, err) : 1;
	if (got <= 0)
		return got;
	tree_walk_init(&w, io, root);
	w.verify_totals = 1;
	w.verify_boundaries = v->check_boundaries;
	w.seed = v->seed;
	got = tree_walk_start(&w, err);
	while (got > 0)
		got = visit_item(&w, v, err);
	tree_walk_fini(&w);
	return got;
}
