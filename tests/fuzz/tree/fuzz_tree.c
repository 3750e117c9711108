/*
 * A store whose nodes come from the input: any id finds some node, so there are cycles, shared children and lies of
 * every kind.  Walking must end after few reads, and what a tree that passes a visit says must agree however it is
 * asked.
 *
 * Input: nodes, each a length (u16) and its bytes.  The first is the root; a child's id finds node id[0] of them.
 */
#include <stdlib.h>
#include <string.h>

#include "zstore/tree.h"

#define NODES 64

struct nodes {
	struct zs_span v[NODES];
	size_t n;
	uint64_t gets;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int get(void *ctx, const struct zs_id *id, struct zs_buf *out, struct zs_err *err)
{
	struct nodes *s = ctx;

	s->gets++;
	return zs_buf_add_span(out, s->v[id->b[0] % s->n], err);
}

static int count(void *ctx, struct zs_span path, struct zs_span entry, struct zs_err *err)
{
	(void)entry;
	(void)err;
	if (!zs_path_valid(path))
		abort();
	++*(uint64_t *)ctx;
	return 0;
}

static int on_diff(void *ctx, struct zs_span path, struct zs_span a, struct zs_span b, struct zs_err *err)
{
	(void)path;
	(void)err;
	if (!a.p && !b.p)
		abort();
	++*(uint64_t *)ctx;
	return 0;
}

/* All entries: how many, or UINT64_MAX if the tree is not sound. */
static uint64_t scan(const struct zs_tree_io *io, const struct zs_id *root, int with_skips)
{
	struct zs_buf last = ZS_BUF_INIT;
	struct zs_span path, entry;
	struct zs_tree_cursor *c;
	struct zs_err err;
	uint64_t n = 0;
	int got;

	if (zs_tree_cursor_new(io, root, &c, &err) < 0)
		abort();
	while ((got = zs_tree_cursor_next(c, &path, &entry, &err)) > 0) {
		if (n++ && zs_path_cmp(zs_buf_span(&last), path) >= 0)
			abort();
		zs_buf_clear(&last);
		if (zs_buf_add_span(&last, path, &err) < 0)
			abort();
		if (with_skips && zs_tree_cursor_skip(c, zs_path_dir(path), &err) < 0)
			break;
		if (!with_skips && n % 16 == 0) {
			struct zs_buf found = ZS_BUF_INIT;

			if (zs_tree_lookup(io, root, path, &found, &err) > 0 && !zs_span_eq(zs_buf_span(&found), entry))
				abort();
			zs_buf_fini(&found);
		}
	}
	zs_tree_cursor_free(c);
	zs_buf_fini(&last);
	return got < 0 ? UINT64_MAX : n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zs_span rest = zs_span(data, size);
	struct nodes s = {.n = 0};
	struct zs_tree_io io = {&s, NULL, get};
	struct zs_id root = {{0}}, other = {{1}};
	uint64_t entries = 0, scanned, differences = 0, limit;
	struct zs_tree_visit v = {.ctx = &entries, .entry = count, .check_boundaries = size & 1};
	struct zs_buf found = ZS_BUF_INIT;
	struct zs_totals totals;
	struct zs_err err;
	uint16_t n;

	while (s.n < NODES && zs_take_u16(&rest, &n) == 0)
		if (zs_take_bytes(&rest, n < rest.n ? n : rest.n, &s.v[s.n++]) < 0)
			abort();
	if (!s.n)
		return 0;
	/* every row takes a byte and is passed once at most; 16 levels lead to it */
	limit = 16 * (size + 16);
	scanned = scan(&io, &root, 0);
	if (s.gets > 2 * limit)
		abort();
	s.gets = 0;
	(void)scan(&io, &root, 1);
	if (s.gets > limit)
		abort();
	s.gets = 0;
	if (zs_tree_visit(&io, &root, &v, &err) == 0) {
		if (entries != scanned || zs_tree_totals(&io, &root, zs_span(NULL, 0), &totals, &err) < 0 ||
		    totals.entries != entries)
			abort();
		if (zs_tree_lookup(&io, &root, zs_span_str("a/b"), &found, &err) < 0)
			abort();
		zs_buf_fini(&found);
	}
	if (s.gets > limit + 32)
		abort();
	s.gets = 0;
	if (zs_tree_diff(&io, &root, &other, on_diff, &differences, &err) == 0 && scanned == 0 && s.gets > limit)
		abort();
	if (s.gets > 2 * limit)
		abort();
	return 0;
}
