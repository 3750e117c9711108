/*
 * The two rules that are part of the format: where a node ends, and what its totals are.  Builder, walk and check all
 * ask here.
 */
#include "tree_private.h"

#include <string.h>

uint64_t tree_row_weight(unsigned level, const struct zs_node_row *row)
{
	if (level > 0)
		return (uint64_t)row->path.n + TREE_INNER_ROW_WEIGHT;
	return (uint64_t)row->path.n + row->entry.n + TREE_LEAF_ROW_WEIGHT;
}

int tree_is_boundary(uint64_t seed, unsigned level, uint32_t rows, struct zs_span path)
{
	uint64_t limit = UINT64_MAX / (level > 0 ? TREE_INNER_ROWS : TREE_LEAF_ROWS);

	/* an inner node of one child would add a level and nothing else */
	if (level > 0 && rows < 2)
		return 0;
	return zs_hash64(seed ^ (level * UINT64_C(0x9e3779b97f4a7c15)), path) < limit;
}

int tree_is_full(uint32_t rows, uint64_t weight, uint64_t next)
{
	return rows > 0 && (rows >= TREE_ROWS_MAX || weight + next > TREE_WEIGHT_MAX);
}

int tree_totals_add(struct zs_totals *t, const struct zs_totals *more, enum zs_cause cause, struct zs_err *err)
{
	struct zs_totals sum;

	if (__builtin_add_overflow(t->entries, more->entries, &sum.entries) ||
	    __builtin_add_overflow(t->files, more->files, &sum.files) ||
	    __builtin_add_overflow(t->messages, more->messages, &sum.messages) ||
	    __builtin_add_overflow(t->bytes, more->bytes, &sum.bytes))
		return zs_fail(err, cause, "the sizes of the entries add up to 2^64 bytes or more");
	*t = sum;
	return 0;
}

int tree_totals_entry(struct zs_span entry, struct zs_totals *out, struct zs_err *err)
{
	struct zs_entry e;

	if (zs_format_entry_decode(entry, &e, err) < 0)
		return -1;
	memset(out, 0, sizeof(*out));
	out->entries = 1;
	if (e.kind == ZS_ENTRY_FILE) {
		out->files = 1;
		out->messages = (e.flags & ZS_ENTRY_MESSAGE) != 0;
		out->bytes = e.size;
	}
	return 0;
}

int tree_totals_eq(const struct zs_totals *a, const struct zs_totals *b)
{
	return a->entries == b->entries && a->files == b->files && a->messages == b->messages && a->bytes == b->bytes;
}
