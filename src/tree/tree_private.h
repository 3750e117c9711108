/*
 * What the files of tree share: where nodes end, how totals add up, and a walk over the nodes of one tree.
 */
#ifndef TREE_PRIVATE_H
#define TREE_PRIVATE_H

#include "zstore/tree.h"

/* All of these are part of the format: store-format/tree.md */
#define TREE_LEVELS 16
#define TREE_LEAF_ROWS 24               /* average */
#define TREE_INNER_ROWS 32              /* average */
#define TREE_ROWS_MAX 4096              /* of any node */
#define TREE_WEIGHT_MAX (512u << 10)    /* of a node with more than one row */
#define TREE_ROW_MAX (ZS_NODE_MAX - 64) /* weight of one row */
#define TREE_LEAF_ROW_WEIGHT 16
#define TREE_INNER_ROW_WEIGHT 64

/* ------------------------------------------------------------- boundaries */

/* At least what the row takes in an encoded node. */
uint64_t tree_row_weight(unsigned level, const struct zs_node_row *row);
/* May row number `rows` (counted from 1) be the last of its node because its path says so? */
int tree_is_boundary(uint64_t seed, unsigned level, uint32_t rows, struct zs_span path);
/* Must a node of that many rows and that weight end before a row of weight `next`? */
int tree_is_full(uint32_t rows, uint64_t weight, uint64_t next);

/* ----------------------------------------------------------------- totals */

/* An overflow fails with `cause`: the writer's limit, or what no writer can have written. */
int tree_totals_add(
    struct zs_totals *t, const struct zs_totals *more, enum zs_cause cause, struct zs_err *err) ZS_MUST_USE;
int tree_totals_entry(struct zs_span entry, struct zs_totals *out, struct zs_err *err) ZS_MUST_USE;
int tree_totals_eq(const struct zs_totals *a, const struct zs_totals *b);

/* ------------------------------------------------------------------- walk */

struct tree_level {
	struct zs_buf node;
	struct zs_id id;
	int loaded; /* node holds the node of that id */
	struct zs_node_reader reader;
	int reading; /* reader is initialised */
	struct zs_node_row row;
	int has_row;
	uint32_t rows; /* taken from the reader */
	struct zs_totals sum;
	/* only where boundaries are checked */
	uint64_t weight;
	int at_boundary; /* the last row taken is one */
	int unproven;    /* the node before this ended without a boundary: was it full? */
	uint32_t before_rows;
	uint64_t before_weight;
};

/*
 * A position in a tree: an item, which is an entry (level 0) or a child not yet opened.  Everything before the item is
 * at or before `last`; everything in it is after `last` and at or before its row's path.  Order, levels and last paths
 * are verified on the way, so that a walk over hostile nodes ends after at most as many entries as they have rows.
 */
struct tree_walk {
	struct zs_tree_io io;
	struct zs_id root;
	struct tree_level levels[TREE_LEVELS];
	unsigned top, at; /* the root's level, the item's level */
	int ended;
	struct zs_buf last;
	int has_last;
	struct zs_buf fresh; /* a node of which the level is not known yet */
	/* set by the user between init and start */
	int verify_totals;
	int verify_boundaries;
	uint64_t seed;
};

void tree_walk_init(struct tree_walk *w, const struct zs_tree_io *io, const struct zs_id *root);
void tree_walk_fini(struct tree_walk *w);
/* Each: 1 there is an item (tree_walk_row), 0 the end, -1. */
int tree_walk_start(struct tree_walk *w, struct zs_err *err) ZS_MUST_USE; /* again, from the beginning */
int tree_walk_step(struct tree_walk *w, struct zs_err *err) ZS_MUST_USE;  /* past the item */
int tree_walk_open(struct tree_walk *w, struct zs_err *err) ZS_MUST_USE;  /* into the item, a child */
/* Make the child at that level, of which the item is a part, the item: the rest of it is given up. */
void tree_walk_rise(struct tree_walk *w, unsigned level);
const struct zs_node_row *tree_walk_row(const struct tree_walk *w);

#endif
