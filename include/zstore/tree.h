/*
 * tree: the snapshot's content-defined B-tree (prolly tree), keyed by full path.
 * A node ends after an entry whose path says so under the keyed hash, so changed
 * values never move boundaries.  Knows sorted entries, not chunks or packs: nodes
 * go in and out through zs_tree_io.
 */
#ifndef ZSTORE_TREE_H
#define ZSTORE_TREE_H

#include "zstore/base.h"
#include "zstore/format.h"

struct zs_tree_io {
	void *ctx;
	/* Store a node (deduplicated by its id). */
	int (*put)(void *ctx, struct zs_span node, struct zs_id *out_id, struct zs_err *err);
	/* Read a node, appended to *out; proven to have that id. */
	int (*get)(void *ctx, const struct zs_id *id, struct zs_buf *out, struct zs_err *err);
};

/* Building: entries in strictly ascending path order. */
struct zs_tree_builder;
/* seed: the boundary key (derived from the repository's seed).  io borrowed. */
int zs_tree_builder_new(const struct zs_tree_io *io, uint64_t seed, struct zs_tree_builder **out, struct zs_err *err) ZS_MUST_USE;
/* entry: encoded (zs_format_entry_encode); kind, flags and size are read from it for the totals.  Both copied.
 * -1: ZS_INTERNAL if out of order, ZS_LIMIT, or what io said. */
int zs_tree_builder_add(struct zs_tree_builder *b, struct zs_span path, struct zs_span entry, struct zs_err *err) ZS_MUST_USE;
/* The root (an empty tree is one empty leaf). */
int zs_tree_builder_finish(struct zs_tree_builder *b, struct zs_id *out_root, struct zs_totals *out_totals, struct zs_err *err) ZS_MUST_USE;
void zs_tree_builder_free(struct zs_tree_builder *b);

/* Reading in path order. Holds one node per level. */
struct zs_tree_cursor;
int zs_tree_cursor_new(const struct zs_tree_io *io, const struct zs_id *root, struct zs_tree_cursor **out, struct zs_err *err) ZS_MUST_USE;
/* Go to the first entry at or after path (empty: the first). */
int zs_tree_cursor_seek(struct zs_tree_cursor *c, struct zs_span path, struct zs_err *err) ZS_MUST_USE;
/* 1 with path and encoded entry, borrowed until the next call; 0 at the end; -1. */
int zs_tree_cursor_next(struct zs_tree_cursor *c, struct zs_span *out_path, struct zs_span *out_entry, struct zs_err *err) ZS_MUST_USE;
/* Continue after everything below dir (used after next returned dir itself or something in it); reads no node that
 * lies wholly inside. */
int zs_tree_cursor_skip(struct zs_tree_cursor *c, struct zs_span dir, struct zs_err *err) ZS_MUST_USE;
void zs_tree_cursor_free(struct zs_tree_cursor *c);

/* One path: 1 with the encoded entry appended to *out, 0, -1. */
int zs_tree_lookup(const struct zs_tree_io *io, const struct zs_id *root, struct zs_span path, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* Entries and bytes at and below a path without reading all of it: whole subtrees are taken from inner rows. */
int zs_tree_totals(const struct zs_tree_io *io, const struct zs_id *root, struct zs_span path, struct zs_totals *out, struct zs_err *err) ZS_MUST_USE;

/* Every difference between two trees in path order; equal subtrees are not read.  a_entry or b_entry is empty (p NULL)
 * where there is none.  The callback's -1 ends it. */
typedef int zs_tree_diff_fn(void *ctx, struct zs_span path, struct zs_span a_entry, struct zs_span b_entry, struct zs_err *err);
int zs_tree_diff(const struct zs_tree_io *io, const struct zs_id *a, const struct zs_id *b, zs_tree_diff_fn *fn, void *ctx, struct zs_err *err) ZS_MUST_USE;

/*
 * Visit nodes top down for marking and checking.  enter is asked for the root and every child before it is read: 1 read
 * it, 0 skip it (seen), -1 stop.  entry is called for each entry of each leaf that is read.  Either may be NULL.  Also
 * verifies: order across nodes, level steps, inner rows' last paths and totals equal to what is below (of each node that
 * was read), boundaries where check_boundaries is set.  Violations: ZS_CORRUPT.
 */
struct zs_tree_visit {
	void *ctx;
	int (*enter)(void *ctx, const struct zs_id *node, struct zs_err *err);
	int (*entry)(void *ctx, struct zs_span path, struct zs_span entry, struct zs_err *err);
	int check_boundaries;
	uint64_t seed; /* of the builder, for check_boundaries */
};
int zs_tree_visit(const struct zs_tree_io *io, const struct zs_id *root, const struct zs_tree_visit *v, struct zs_err *err) ZS_MUST_USE;

#endif
