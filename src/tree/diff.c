/*
 * The differences between two trees, by walking both and opening only what can differ: a child that stands next on both
 * sides with one id is passed unread.
 */
#include "tree_private.h"

struct differ {
	struct tree_walk a, b;
	int got_a, got_b; /* is there an item? */
	zs_tree_diff_fn *fn;
	void *ctx;
};

static const struct zs_span nothing = {NULL, 0};

/* Does all of x's item come before all of y's? */
static int is_before(const struct tree_walk *x, const struct tree_walk *y)
{
	struct zs_span end = tree_walk_row(x)->path;

	if (y->at == 0)
		return zs_path_cmp(end, tree_walk_row(y)->path) < 0;
	return y->has_last && zs_path_cmp(end, zs_buf_span(&y->last)) <= 0;
}

/* x's item has no counterpart. */
static int advance_alone(struct differ *d, struct tree_walk *x, struct zs_err *err)
{
	const struct zs_node_row *row = tree_walk_row(x);
	int rc;

	if (x->at > 0)
		return tree_walk_open(x, err);
	if (x == &d->a)
		rc = d->fn(d->ctx, row->path, row->entry, nothing, err);
	else
		rc = d->fn(d->ctx, row->path, nothing, row->entry, err);
	return rc < 0 ? -1 : tree_walk_step(x, err);
}

/* Both items may have something in common: the same child, the same path, or one must be opened. */
static int advance_both(struct differ *d, struct zs_err *err)
{
	const struct zs_node_row *ra = tree_walk_row(&d->a), *rb = tree_walk_row(&d->b);
	int same;

	if (d->a.at != d->b.at || d->a.at > 0) {
		same = d->a.at == d->b.at && zs_id_cmp(&ra->child, &rb->child) == 0;
		if (!same) {
			/* the higher one; of equals the one that ends first, so that what it shares with the other
			 * side's next is still there to be seen */
			if (d->a.at > d->b.at || (d->a.at == d->b.at && zs_path_cmp(ra->path, rb->path) <= 0))
				return d->got_a = tree_walk_open(&d->a, err);
			return d->got_b = tree_walk_open(&d->b, err);
		}
	} else if (!zs_span_eq(ra->entry, rb->entry) && d->fn(d->ctx, ra->path, ra->entry, rb->entry, err) < 0) {
		return -1;
	}
	d->got_a = tree_walk_step(&d->a, err);
	if (d->got_a < 0)
		return -1;
	return d->got_b = tree_walk_step(&d->b, err);
}

static int run(struct differ *d, struct zs_err *err)
{
	d->got_a = tree_walk_start(&d->a, err);
	if (d->got_a < 0)
		return -1;
	d->got_b = tree_walk_start(&d->b, err);
	while (d->got_a >= 0 && d->got_b >= 0) {
		if (!d->got_a && !d->got_b)
			return 0;
		if (!d->got_b || (d->got_a && is_before(&d->a, &d->b)))
			d->got_a = advance_alone(d, &d->a, err);
		else if (!d->got_a || is_before(&d->b, &d->a))
			d->got_b = advance_alone(d, &d->b, err);
		else if (advance_both(d, err) < 0)
			return -1;
	}
	return -1;
}

int zs_tree_diff(const struct zs_tree_io *io, const struct zs_id *a, const struct zs_id *b, zs_tree_diff_fn *fn,
    void *ctx, struct zs_err *err)
{
	struct differ d = {.fn = fn, .ctx = ctx};
	int rc;

	if (zs_id_cmp(a, b) == 0)
		return 0;
	tree_walk_init(&d.a, io, a);
	tree_walk_init(&d.b, io, b);
	rc = run(&d, err);
	tree_walk_fini(&d.a);
	tree_walk_fini(&d.b);
	return rc;
}
