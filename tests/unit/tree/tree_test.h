/*
 * For the tests of tree: nodes in memory that are counted as they are read, and a sorted array of random entries as the
 * model of what a tree holds.
 */
#ifndef TREE_TEST_H
#define TREE_TEST_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "zstore/tree.h"

#define HELPER static __attribute__((unused))
#define SEED UINT64_C(0x1234567890abcdef)

/* ----------------------------------------------------------------- nodes */

struct mem_node {
	struct zs_id id;
	struct zs_buf bytes;
	unsigned reads;
};

struct mem {
	struct mem_node *nodes;
	size_t n, cap, *slots, slot_count;
	uint64_t puts, gets;
	uint64_t fail_at; /* put or get number n fails; 0: none */
};

HELPER void mem_fini(struct mem *m)
{
	for (size_t i = 0; i < m->n; i++)
		zs_buf_fini(&m->nodes[i].bytes);
	free(m->nodes);
	free(m->slots);
	memset(m, 0, sizeof(*m));
}

HELPER struct mem_node *mem_find(const struct mem *m, const struct zs_id *id)
{
	uint64_t h = zs_get_u64(id->b);

	for (size_t i = 0; m->slot_count && i < m->slot_count; i++) {
		size_t s = m->slots[(h + i) & (m->slot_count - 1)];

		if (!s)
			return NULL;
		if (zs_id_cmp(&m->nodes[s - 1].id, id) == 0)
			return &m->nodes[s - 1];
	}
	return NULL;
}

HELPER void mem_slot(struct mem *m, size_t index)
{
	uint64_t h = zs_get_u64(m->nodes[index].id.b);

	while (m->slots[h & (m->slot_count - 1)])
		h++;
	m->slots[h & (m->slot_count - 1)] = index + 1;
}

/* Any bytes under any id: what a hostile store could hold. */
HELPER void mem_add(struct mem *m, const struct zs_id *id, struct zs_span bytes)
{
	struct zs_err err;

	if (m->n == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 1024;
		m->nodes = realloc(m->nodes, m->cap * sizeof(*m->nodes));
		free(m->slots);
		m->slot_count = 4 * m->cap;
		m->slots = calloc(m->slot_count, sizeof(*m->slots));
		assert_true(m->nodes && m->slots);
		for (size_t i = 0; i < m->n; i++)
			mem_slot(m, i);
	}
	memset(&m->nodes[m->n], 0, sizeof(*m->nodes));
	m->nodes[m->n].id = *id;
	assert_int_equal(zs_buf_add_span(&m->nodes[m->n].bytes, bytes, &err), 0);
	mem_slot(m, m->n++);
}

HELPER struct zs_id mem_id(struct zs_span node)
{
	struct zs_id id;

	for (unsigned i = 0; i < 3; i++)
		zs_put_u64(id.b + 8 * i, zs_hash64(1000 + i, node));
	return id;
}

HELPER int mem_fails(struct mem *m, struct zs_err *err)
{
	return m->fail_at && m->puts + m->gets == m->fail_at ? zs_fail(err, ZS_IO, "made to fail") : 0;
}

HELPER int mem_put(void *ctx, struct zs_span node, struct zs_id *out_id, struct zs_err *err)
{
	struct mem *m = ctx;

	m->puts++;
	if (mem_fails(m, err) < 0)
		return -1;
	*out_id = mem_id(node);
	if (!mem_find(m, out_id))
		mem_add(m, out_id, node);
	return 0;
}

HELPER int mem_get(void *ctx, const struct zs_id *id, struct zs_buf *out, struct zs_err *err)
{
	struct mem *m = ctx;
	struct mem_node *node = mem_find(m, id);

	m->gets++;
	if (mem_fails(m, err) < 0)
		return -1;
	if (!node)
		return zs_fail(err, ZS_CORRUPT, "no such node");
	node->reads++;
	return zs_buf_add_span(out, zs_buf_span(&node->bytes), err);
}

HELPER struct zs_tree_io mem_io(struct mem *m)
{
	return (struct zs_tree_io){m, mem_put, mem_get};
}

/* ----------------------------------------------------------------- model */

struct item {
	struct zs_buf path, entry;
	struct zs_totals totals;
};

struct model {
	struct item *v;
	size_t n;
};

HELPER uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

HELPER void set_entry(struct item *it, uint64_t *rng)
{
	struct zs_entry e;
	struct zs_err err;

	memset(&e, 0, sizeof(e));
	e.kind = next_random(rng) % 4 ? ZS_ENTRY_FILE : ZS_ENTRY_DIR;
	e.mtime_ns = (int64_t)(next_random(rng) >> 1);
	e.date_ns = e.item_date_ns = INT64_MIN;
	memset(&it->totals, 0, sizeof(it->totals));
	it->totals.entries = 1;
	if (e.kind == ZS_ENTRY_FILE) {
		static const uint8_t content[64];

		e.size = next_random(rng) % 65;
		e.sum = next_random(rng);
		e.inline_data = zs_span(content, e.size);
		e.flags = next_random(rng) % 2 ? ZS_ENTRY_MESSAGE : 0;
		it->totals.files = 1;
		it->totals.messages = (e.flags & ZS_ENTRY_MESSAGE) != 0;
		it->totals.bytes = e.size;
	}
	zs_buf_clear(&it->entry);
	assert_int_equal(zs_format_entry_encode(&e, &it->entry, &err), 0);
}

/* By components, and not as zs_path_cmp does it. */
HELPER int order(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	struct zs_span p = zs_buf_span(&x->path), q = zs_buf_span(&y->path);

	for (;;) {
		size_t pn = 0, qn = 0, n;
		int c;

		if (!p.n || !q.n)
			return (p.n > 0) - (q.n > 0);
		while (pn < p.n && p.p[pn] != '/')
			pn++;
		while (qn < q.n && q.p[qn] != '/')
			qn++;
		n = pn < qn ? pn : qn;
		c = memcmp(p.p, q.p, n);
		if (c || pn != qn)
			return c ? c : (pn > qn) - (pn < qn);
		p = zs_span(p.p + pn + (pn < p.n), p.n - pn - (pn < p.n));
		q = zs_span(q.p + qn + (qn < q.n), q.n - qn - (qn < q.n));
	}
}

HELPER void make_path(struct zs_buf *out, uint64_t *rng)
{
	static const char *const parts[] = {
	    "a", "a-b", "a.b", "a b", "ab", "b", "A", "\x01", "\xff", "INBOX", ".Sent", "cur", "..."};
	size_t depth = next_random(rng) % 500 ? 1 + next_random(rng) % 6 : 150 + next_random(rng) % 100;
	struct zs_err err;

	zs_buf_clear(out);
	for (size_t i = 0; i < depth; i++)
		assert_int_equal(zs_buf_printf(out, &err, "%s%s", i ? "/" : "", parts[next_random(rng) % 13]), 0);
	if (next_random(rng) % 4)
		assert_int_equal(zs_buf_printf(out, &err, "/%u.M%u,S", (unsigned)(next_random(rng) % 100000),
				     (unsigned)(next_random(rng) % 3)),
		    0);
}

/* Sort, and drop what is there twice. */
HELPER void model_settle(struct model *m)
{
	size_t n = 0;

	qsort(m->v, m->n, sizeof(*m->v), order);
	for (size_t i = 0; i < m->n; i++) {
		if (n && order(&m->v[n - 1], &m->v[i]) == 0) {
			zs_buf_fini(&m->v[i].path);
			zs_buf_fini(&m->v[i].entry);
			continue;
		}
		m->v[n++] = m->v[i];
	}
	m->n = n;
}

HELPER struct model model_random(size_t n, uint64_t *rng)
{
	struct model m = {calloc(n + 1, sizeof(struct item)), n};

	assert_non_null(m.v);
	for (size_t i = 0; i < n; i++) {
		make_path(&m.v[i].path, rng);
		set_entry(&m.v[i], rng);
	}
	model_settle(&m);
	return m;
}

/* With room for `more` items. */
HELPER struct model model_copy(const struct model *from, size_t more)
{
	struct model m = {calloc(from->n + more + 1, sizeof(struct item)), from->n};
	struct zs_err err;

	assert_non_null(m.v);
	for (size_t i = 0; i < m.n; i++) {
		m.v[i].totals = from->v[i].totals;
		assert_int_equal(zs_buf_add_span(&m.v[i].path, zs_buf_span(&from->v[i].path), &err), 0);
		assert_int_equal(zs_buf_add_span(&m.v[i].entry, zs_buf_span(&from->v[i].entry), &err), 0);
	}
	return m;
}

HELPER void model_remove(struct model *m, size_t i)
{
	zs_buf_fini(&m->v[i].path);
	zs_buf_fini(&m->v[i].entry);
	memmove(m->v + i, m->v + i + 1, (m->n - i - 1) * sizeof(*m->v));
	m->n--;
	memset(m->v + m->n, 0, sizeof(*m->v));
}

HELPER void model_fini(struct model *m)
{
	for (size_t i = 0; i < m->n; i++) {
		zs_buf_fini(&m->v[i].path);
		zs_buf_fini(&m->v[i].entry);
	}
	free(m->v);
	m->v = NULL;
	m->n = 0;
}

HELPER int build(const struct zs_tree_io *io, const struct model *m, struct zs_id *out_root,
    struct zs_totals *out_totals, struct zs_err *err)
{
	struct zs_tree_builder *b = NULL;
	int rc = -1;

	if (zs_tree_builder_new(io, SEED, &b, err) < 0)
		return -1;
	for (size_t i = 0; i < m->n; i++)
		if (zs_tree_builder_add(b, zs_buf_span(&m->v[i].path), zs_buf_span(&m->v[i].entry), err) < 0)
			goto out;
	rc = zs_tree_builder_finish(b, out_root, out_totals, err);
out:
	zs_tree_builder_free(b);
	return rc;
}

HELPER struct zs_id build_ok(struct mem *mem, const struct model *m)
{
	struct zs_tree_io io = mem_io(mem);
	struct zs_totals totals;
	struct zs_id root;
	struct zs_err err = {0};

	if (build(&io, m, &root, &totals, &err) < 0)
		fail_msg("%s", err.text);
	return root;
}

HELPER void assert_span(struct zs_span got, struct zs_span want)
{
	assert_int_equal(got.n, want.n);
	if (want.n)
		assert_memory_equal(got.p, want.p, want.n);
}

HELPER void add_totals(struct zs_totals *t, const struct zs_totals *more)
{
	t->entries += more->entries;
	t->files += more->files;
	t->messages += more->messages;
	t->bytes += more->bytes;
}

HELPER void assert_totals(const struct zs_totals *got, const struct zs_totals *want)
{
	assert_int_equal(got->entries, want->entries);
	assert_int_equal(got->files, want->files);
	assert_int_equal(got->messages, want->messages);
	assert_int_equal(got->bytes, want->bytes);
}

#endif
