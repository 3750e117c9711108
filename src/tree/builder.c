/*
 * Builds a tree from entries in path order: one open node per level; a node that ends is stored and becomes a row of
 * the level above.  What ends a node is rules.c's business, how rows are encoded is format's.
 */
#include "tree_private.h"

#include <stdlib.h>
#include <string.h>

struct level {
	struct zs_node_writer writer;
	uint32_t rows;
	uint64_t weight;
	struct zs_totals totals;
	struct zs_buf last;  /* path of the last row added */
	uint64_t nodes;      /* stored so far */
	struct zs_id stored; /* the last of them, */
	struct zs_totals stored_totals;
};

struct zs_tree_builder {
	struct zs_tree_io io;
	uint64_t seed;
	struct level levels[TREE_LEVELS];
	struct zs_buf node;
	int dead; /* failed or finished */
};

int zs_tree_builder_new(const struct zs_tree_io *io, uint64_t seed, struct zs_tree_builder **out, struct zs_err *err)
{
	struct zs_tree_builder *b = calloc(1, sizeof(*b));

	if (!b)
		return zs_fail_nomem(err);
	b->io = *io;
	b->seed = seed;
	for (unsigned i = 0; i < TREE_LEVELS; i++)
		zs_node_writer_init(&b->levels[i].writer, (uint8_t)i);
	*out = b;
	return 0;
}

void zs_tree_builder_free(struct zs_tree_builder *b)
{
	if (!b)
		return;
	for (unsigned i = 0; i < TREE_LEVELS; i++) {
		zs_node_writer_fini(&b->levels[i].writer);
		zs_buf_fini(&b->levels[i].last);
	}
	zs_buf_fini(&b->node);
	free(b);
}

/* The open node of a level ends: store it. */
static int store(struct zs_tree_builder *b, unsigned level, struct zs_err *err)
{
	struct level *l = &b->levels[level];

	zs_buf_clear(&b->node);
	if (zs_node_writer_finish(&l->writer, &b->node, err) < 0)
		return -1;
	if (b->io.put(b->io.ctx, zs_buf_span(&b->node), &l->stored, err) < 0)
		return -1;
	l->stored_totals = l->totals;
	memset(&l->totals, 0, sizeof(l->totals));
	l->nodes++;
	l->rows = 0;
	l->weight = 0;
	return 0;
}

static int add_row(struct zs_tree_builder *b, unsigned level, const struct zs_node_row *row, struct zs_err *err);

/* Store the open node of a level and tell the level above. */
static int close_node(struct zs_tree_builder *b, unsigned level, struct zs_err *err)
{
	struct level *l = &b->levels[level];
	struct zs_node_row row;

	if (store(b, level, err) < 0)
		return -1;
	if (level + 1 == TREE_LEVELS)
		return zs_fail(err, ZS_LIMIT, "a tree of more than %d levels", TREE_LEVELS);
	memset(&row, 0, sizeof(row));
	row.path = zs_buf_span(&l->last);
	row.child = l->stored;
	row.totals = l->stored_totals;
	return add_row(b, level + 1, &row, err);
}

static int add_row(struct zs_tree_builder *b, unsigned level, const struct zs_node_row *row, struct zs_err *err)
{
	struct level *l = &b->levels[level];
	uint64_t weight = tree_row_weight(level, row);

	if (tree_is_full(l->rows, l->weight, weight) && close_node(b, level, err) < 0)
		return -1;
	if (zs_node_writer_add(&l->writer, row, err) < 0 ||
	    tree_totals_add(&l->totals, &row->totals, ZS_LIMIT, err) < 0)
		return -1;
	l->rows++;
	l->weight += weight;
	zs_buf_clear(&l->last);
	if (zs_buf_add_span(&l->last, row->path, err) < 0)
		return -1;
	return tree_is_boundary(b->seed, level, l->rows, row->path) ? close_node(b, level, err) : 0;
}

static int check_entry(const struct zs_tree_builder *b, const struct zs_node_row *row, struct zs_err *err)
{
	const struct zs_buf *last = &b->levels[0].last;
	int n = row->path.n < 200 ? (int)row->path.n : 200;

	if (b->dead)
		return zs_fail(err, ZS_INTERNAL, "an entry is added to a tree that is finished or failed");
	if (!zs_path_valid(row->path))
		return zs_fail(err, ZS_INTERNAL, "an entry's path is not valid: %.*s", n, (const char *)row->path.p);
	if (last->n > 0 && zs_path_cmp(zs_buf_span(last), row->path) >= 0)
		return zs_fail(err, ZS_INTERNAL, "an entry comes out of order: %.*s", n, (const char *)row->path.p);
	if (tree_row_weight(0, row) > TREE_ROW_MAX)
		return zs_fail(
		    err, ZS_LIMIT, "an entry of %zu bytes: %.*s", row->entry.n, n, (const char *)row->path.p);
	return 0;
}

int zs_tree_builder_add(struct zs_tree_builder *b, struct zs_span path, struct zs_span entry, struct zs_err *err)
{
	struct zs_node_row row;

	memset(&row, 0, sizeof(row));
	row.path = path;
	row.entry = entry;
	if (check_entry(b, &row, err) < 0 || tree_totals_entry(entry, &row.totals, err) < 0)
		return -1;
	if (add_row(b, 0, &row, err) < 0) {
		b->dead = 1;
		return -1;
	}
	return 0;
}

int zs_tree_builder_finish(
    struct zs_tree_builder *b, struct zs_id *out_root, struct zs_totals *out_totals, struct zs_err *err)
{
	const struct level *l;

	if (b->dead)
		return zs_fail(err, ZS_INTERNAL, "a tree is finished that is finished already or failed");
	b->dead = 1;
	for (unsigned level = 0;; level++) {
		l = &b->levels[level];
		/* The root is the only node of its level.  The level above may already have it as its only row:
		 * that one is never stored. */
		if (l->nodes == 0) {
			if (store(b, level, err) < 0)
				return -1;
			break;
		}
		if (l->rows == 0 && l->nodes == 1)
			break;
		if (l->rows > 0 && close_node(b, level, err) < 0)
			return -1;
	}
	*out_root = l->stored;
	*out_totals = l->stored_totals;
	return 0;
}
