/* The builder: one root for one set of entries, small changes rewrite little, limits, failures. */
#include "tree_test.h"

static unsigned level_of(const struct mem_node *node)
{
	struct zs_node_reader r;
	struct zs_err err;
	unsigned level;

	assert_int_equal(zs_node_reader_init(&r, zs_buf_span(&node->bytes), &err), 0);
	level = r.level;
	zs_node_reader_fini(&r);
	return level;
}

/* Nodes of each level among those from `from` on. */
static unsigned count_levels(const struct mem *m, size_t from, unsigned counts[16])
{
	unsigned top = 0;

	memset(counts, 0, 16 * sizeof(*counts));
	for (size_t i = from; i < m->n; i++) {
		unsigned level = level_of(&m->nodes[i]);

		assert_true(level < 16);
		counts[level]++;
		top = level > top ? level : top;
	}
	return top;
}

static void test_empty(void **state)
{
	struct model none = {NULL, 0};
	struct mem mem = {0};
	struct zs_tree_io io = mem_io(&mem);
	struct zs_totals totals, zero = {0};
	struct zs_id root, again;
	struct zs_err err;

	(void)state;
	assert_int_equal(build(&io, &none, &root, &totals, &err), 0);
	assert_totals(&totals, &zero);
	assert_int_equal(mem.n, 1);
	assert_int_equal(level_of(&mem.nodes[0]), 0);
	again = build_ok(&mem, &none);
	assert_int_equal(zs_id_cmp(&root, &again), 0);
	mem_fini(&mem);
}

static void test_shape(void **state)
{
	uint64_t rng = 7;
	struct model m = model_random(50000, &rng);
	struct mem mem = {0};
	struct zs_tree_io io = mem_io(&mem);
	struct zs_totals totals, want = {0};
	unsigned counts[16], top;
	struct zs_id root;
	struct zs_err err;

	(void)state;
	for (size_t i = 0; i < m.n; i++)
		add_totals(&want, &m.v[i].totals);
	assert_int_equal(build(&io, &m, &root, &totals, &err), 0);
	assert_totals(&totals, &want);
	top = count_levels(&mem, 0, counts);
	assert_in_range(m.n / counts[0], 20, 29);
	assert_in_range(counts[0] / counts[1], 26, 42);
	assert_int_equal(counts[top], 1);
	assert_int_equal(level_of(mem_find(&mem, &root)), top);
	assert_true(top <= 4);
	model_fini(&m);
	mem_fini(&mem);
}

/* Trees of every small size: the root never has a single child. */
static void test_small_sizes(void **state)
{
	uint64_t rng = 8;
	struct model m = model_random(400, &rng);

	(void)state;
	for (size_t n = 1; n <= m.n; n++) {
		struct model part = {m.v, n};
		struct mem mem = {0};
		struct zs_id root = build_ok(&mem, &part);
		unsigned counts[16], top = count_levels(&mem, 0, counts);
		struct zs_node_reader r;
		struct zs_node_row row;
		struct zs_err err;

		assert_int_equal(counts[top], 1);
		assert_int_equal(zs_node_reader_init(&r, zs_buf_span(&mem_find(&mem, &root)->bytes), &err), 0);
		assert_int_equal(r.level, top);
		assert_int_equal(zs_node_reader_next(&r, &row, &err), 1);
		if (top > 0)
			assert_int_equal(zs_node_reader_next(&r, &row, &err), 1);
		zs_node_reader_fini(&r);
		mem_fini(&mem);
	}
	model_fini(&m);
}

/* A changed value: one node of each level is new, and no others. */
static void test_change(void **state)
{
	uint64_t rng = 9;
	struct model m = model_random(20000, &rng);
	struct mem mem = {0};
	struct zs_id root = build_ok(&mem, &m), other, again;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		struct model changed = model_copy(&m, 0);
		size_t before = mem.n;
		unsigned counts[16], top;

		set_entry(&changed.v[next_random(&rng) % m.n], &rng);
		other = build_ok(&mem, &changed);
		assert_int_not_equal(zs_id_cmp(&root, &other), 0);
		top = count_levels(&mem, before, counts);
		for (unsigned level = 0; level <= top; level++)
			assert_int_equal(counts[level], 1);
		model_fini(&changed);
	}
	again = build_ok(&mem, &m);
	assert_int_equal(zs_id_cmp(&root, &again), 0);
	model_fini(&m);
	mem_fini(&mem);
}

/* Any one entry more: few new nodes. The same set by another way: the same root. */
static void test_insert_and_remove(void **state)
{
	uint64_t rng = 10;
	struct model m = model_random(20000, &rng);
	struct mem mem = {0};
	struct zs_id root = build_ok(&mem, &m), again;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		struct model less = model_copy(&m, 0);
		size_t before = mem.n;
		unsigned counts[16], top;

		model_remove(&less, next_random(&rng) % less.n);
		(void)build_ok(&mem, &less);
		top = count_levels(&mem, before, counts);
		for (unsigned level = 0; level <= top; level++)
			assert_in_range(counts[level], 1, 3);
		before = mem.n;
		again = build_ok(&mem, &m);
		assert_int_equal(zs_id_cmp(&root, &again), 0);
		assert_int_equal(mem.n, before);
		model_fini(&less);
	}
	model_fini(&m);
	mem_fini(&mem);
}

static void test_misuse(void **state)
{
	static const char *const bad[] = {"", "/a", "a/", "a//b", "..", "a/../b", ".", "b", "a/z"};
	uint64_t rng = 11;
	struct item it = {0};
	struct mem mem = {0};
	struct zs_tree_io io = mem_io(&mem);
	struct zs_tree_builder *b;
	struct zs_totals totals;
	struct zs_id root;
	struct zs_err err;

	(void)state;
	set_entry(&it, &rng);
	assert_int_equal(zs_tree_builder_new(&io, SEED, &b, &err), 0);
	assert_int_equal(zs_tree_builder_add(b, zs_span_str("b"), zs_buf_span(&it.entry), &err), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(zs_tree_builder_add(b, zs_span_str(bad[i]), zs_buf_span(&it.entry), &err), -1);
		assert_int_equal(err.cause, ZS_INTERNAL);
	}
	assert_int_equal(zs_tree_builder_add(b, zs_span_str("c"), zs_span("\x01", 1), &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_int_equal(zs_tree_builder_add(b, zs_span_str("b/a"), zs_buf_span(&it.entry), &err), 0);
	assert_int_equal(zs_tree_builder_finish(b, &root, &totals, &err), 0);
	assert_int_equal(totals.entries, 2);
	assert_int_equal(zs_tree_builder_finish(b, &root, &totals, &err), -1);
	assert_int_equal(zs_tree_builder_add(b, zs_span_str("d"), zs_buf_span(&it.entry), &err), -1);
	assert_int_equal(err.cause, ZS_INTERNAL);
	zs_tree_builder_free(b);
	zs_tree_builder_free(NULL);
	zs_buf_fini(&it.entry);
	mem_fini(&mem);
}

static void make_large(struct item *it, size_t xattr_bytes)
{
	struct zs_buf list = ZS_BUF_INIT;
	uint8_t *value = calloc(1, xattr_bytes);
	struct zs_entry e;
	struct zs_err err;

	assert_non_null(value);
	assert_int_equal(zs_format_xattr_add(&list, zs_span_str("user.x"), zs_span(value, xattr_bytes), &err), 0);
	memset(&e, 0, sizeof(e));
	e.kind = ZS_ENTRY_DIR;
	e.date_ns = e.item_date_ns = INT64_MIN;
	e.xattrs = zs_buf_span(&list);
	zs_buf_clear(&it->entry);
	assert_int_equal(zs_format_entry_encode(&e, &it->entry, &err), 0);
	memset(&it->totals, 0, sizeof(it->totals));
	it->totals.entries = 1;
	zs_buf_fini(&list);
	free(value);
}

/* Large entries: nodes stay within their limit; an entry alone may take a whole node; beyond that it is ZS_LIMIT. */
static void test_large_entries(void **state)
{
	uint64_t rng = 12;
	struct model m = model_random(300, &rng);
	struct mem mem = {0};
	struct zs_tree_io io = mem_io(&mem);
	struct zs_tree_builder *b;
	struct item it = {0};
	char path[600];
	struct zs_err err;

	(void)state;
	for (size_t i = 0; i < m.n; i += 3)
		make_large(&m.v[i], 60000);
	make_large(&m.v[50], 700000);
	(void)build_ok(&mem, &m);
	for (size_t i = 0; i < mem.n; i++)
		assert_true(mem.nodes[i].bytes.n <= ZS_NODE_MAX);
	assert_int_equal(zs_tree_builder_new(&io, SEED, &b, &err), 0);
	make_large(&it, 785000);
	assert_int_equal(zs_tree_builder_add(b, zs_span_str("a"), zs_buf_span(&it.entry), &err), 0);
	make_large(&it, 786000);
	memset(path, 'b', 600);
	path[200] = path[400] = '/';
	assert_int_equal(zs_tree_builder_add(b, zs_span(path, 600), zs_buf_span(&it.entry), &err), -1);
	assert_int_equal(err.cause, ZS_LIMIT);
	make_large(&it, 10);
	assert_int_equal(zs_tree_builder_add(b, zs_span_str("b"), zs_buf_span(&it.entry), &err), 0);
	zs_tree_builder_free(b);
	zs_buf_fini(&it.entry);
	model_fini(&m);
	mem_fini(&mem);
}

static void test_put_fails(void **state)
{
	uint64_t rng = 13;
	struct model m = model_random(2000, &rng);
	uint64_t n;

	(void)state;
	for (n = 1;; n++) {
		struct mem mem = {.fail_at = n};
		struct zs_tree_io io = mem_io(&mem);
		struct zs_totals totals;
		struct zs_id root;
		struct zs_err err = {0};
		int rc = build(&io, &m, &root, &totals, &err);

		if (rc < 0)
			assert_int_equal(err.cause, ZS_IO);
		mem_fini(&mem);
		if (rc == 0)
			break;
	}
	assert_true(n > 50);
	model_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_shape),
	    cmocka_unit_test(test_small_sizes),
	    cmocka_unit_test(test_change),
	    cmocka_unit_test(test_insert_and_remove),
	    cmocka_unit_test(test_misuse),
	    cmocka_unit_test(test_large_entries),
	    cmocka_unit_test(test_put_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
