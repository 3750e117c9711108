/* Visiting: what is found in good trees, and that every way of lying between nodes is noticed. */
#include "tree_test.h"

struct seen {
	const struct model *m;
	size_t entries, nodes;
	struct mem *marks; /* NULL: enter everything */
	size_t stop_at_node;
};

static int on_enter(void *ctx, const struct zs_id *node, struct zs_err *err)
{
	struct seen *s = ctx;

	if (++s->nodes == s->stop_at_node)
		return zs_fail(err, ZS_STOPPED, "enough");
	if (!s->marks)
		return 1;
	if (mem_find(s->marks, node))
		return 0;
	mem_add(s->marks, node, zs_span(NULL, 0));
	return 1;
}

static int on_entry(void *ctx, struct zs_span path, struct zs_span entry, struct zs_err *err)
{
	struct seen *s = ctx;

	(void)err;
	if (s->m) {
		assert_span(path, zs_buf_span(&s->m->v[s->entries].path));
		assert_span(entry, zs_buf_span(&s->m->v[s->entries].entry));
	}
	s->entries++;
	return 0;
}

static int visit(struct mem *mem, const struct zs_id *root, struct seen *s, struct zs_err *err)
{
	struct zs_tree_visit v = {s, on_enter, on_entry, 0, 0};
	struct zs_tree_io io = mem_io(mem);

	memset(err, 0, sizeof(*err));
	return zs_tree_visit(&io, root, &v, err);
}

static int check_bounds(struct mem *mem, const struct zs_id *root, uint64_t seed, struct zs_err *err)
{
	struct zs_tree_visit v = {.check_boundaries = 1, .seed = seed};
	struct zs_tree_io io = mem_io(mem);

	return zs_tree_visit(&io, root, &v, err);
}

static void test_good(void **state)
{
	static const size_t sizes[] = {0, 1, 24, 100, 2000, 20000};
	uint64_t rng = 41;
	struct zs_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct model m = model_random(sizes[i], &rng);
		struct mem mem = {0};
		struct zs_id root = build_ok(&mem, &m);
		struct seen s = {.m = &m};

		if (visit(&mem, &root, &s, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(s.entries, m.n);
		assert_int_equal(s.nodes, mem.n);
		assert_int_equal(check_bounds(&mem, &root, SEED, &err), 0);
		if (m.n > 50) {
			assert_int_equal(check_bounds(&mem, &root, SEED + 1, &err), -1);
			assert_int_equal(err.cause, ZS_CORRUPT);
		}
		model_fini(&m);
		mem_fini(&mem);
	}
}

/* A second tree that shares most: only what is new is read, and boundaries can still be checked. */
static void test_shared(void **state)
{
	uint64_t rng = 42;
	struct model m = model_random(5000, &rng), changed = model_copy(&m, 0);
	struct mem mem = {0}, marks = {0};
	struct zs_id root = build_ok(&mem, &m), other;
	struct zs_tree_io io = mem_io(&mem);
	struct seen s = {.marks = &marks};
	struct zs_tree_visit v = {&s, on_enter, on_entry, 1, SEED};
	size_t nodes = mem.n;
	struct zs_err err;

	(void)state;
	set_entry(&changed.v[1000], &rng);
	model_remove(&changed, 4000);
	other = build_ok(&mem, &changed);
	assert_int_equal(zs_tree_visit(&io, &root, &v, &err), 0);
	assert_int_equal(marks.n, nodes);
	assert_int_equal(zs_tree_visit(&io, &other, &v, &err), 0);
	assert_int_equal(marks.n, mem.n);
	mem.gets = 0;
	assert_int_equal(zs_tree_visit(&io, &other, &v, &err), 0);
	assert_int_equal(mem.gets, 0);
	model_fini(&m);
	model_fini(&changed);
	mem_fini(&mem);
	mem_fini(&marks);
}

static void test_stops_and_fails(void **state)
{
	uint64_t rng = 43;
	struct model m = model_random(2000, &rng);
	struct mem mem = {0};
	struct zs_id root = build_ok(&mem, &m);
	struct seen s = {.stop_at_node = 20};
	struct zs_err err;

	(void)state;
	assert_int_equal(visit(&mem, &root, &s, &err), -1);
	assert_int_equal(err.cause, ZS_STOPPED);
	for (size_t n = 1; n <= mem.n; n++) {
		s = (struct seen){0};
		mem.fail_at = mem.puts + mem.gets + n;
		assert_int_equal(visit(&mem, &root, &s, &err), -1);
		assert_int_equal(err.cause, ZS_IO);
	}
	model_fini(&m);
	mem_fini(&mem);
}

/* --------------------------------------------------------- trees by hand */

struct hand { /* a node made by hand, as its parent should describe it */
	struct zs_id id;
	const char *last;
	struct zs_totals totals;
};

static struct hand finish(struct mem *mem, struct zs_node_writer *w, struct hand h)
{
	struct zs_buf node = ZS_BUF_INIT;
	struct zs_err err;

	assert_int_equal(zs_node_writer_finish(w, &node, &err), 0);
	zs_node_writer_fini(w);
	h.id = mem_id(zs_buf_span(&node));
	if (!mem_find(mem, &h.id))
		mem_add(mem, &h.id, zs_buf_span(&node));
	zs_buf_fini(&node);
	return h;
}

static struct hand leaf(struct mem *mem, const char *a, const char *b)
{
	struct hand h = {.last = b ? b : a};
	struct zs_node_row row;
	struct zs_node_writer w;
	struct item it = {0};
	uint64_t rng = 44;
	struct zs_err err;

	zs_node_writer_init(&w, 0);
	for (unsigned i = 0; i < 2; i++) {
		const char *path = i ? b : a;

		if (!path)
			continue;
		set_entry(&it, &rng);
		memset(&row, 0, sizeof(row));
		row.path = zs_span_str(path);
		row.entry = zs_buf_span(&it.entry);
		assert_int_equal(zs_node_writer_add(&w, &row, &err), 0);
		add_totals(&h.totals, &it.totals);
	}
	zs_buf_fini(&it.entry);
	return finish(mem, &w, h);
}

static struct hand inner(struct mem *mem, unsigned level, const struct hand *a, const struct hand *b)
{
	struct hand h = {.last = b ? b->last : a->last};
	struct zs_node_row row;
	struct zs_node_writer w;
	struct zs_err err;

	zs_node_writer_init(&w, (uint8_t)level);
	for (unsigned i = 0; i < 2; i++) {
		const struct hand *child = i ? b : a;

		if (!child)
			continue;
		memset(&row, 0, sizeof(row));
		row.path = zs_span_str(child->last);
		row.child = child->id;
		row.totals = child->totals;
		assert_int_equal(zs_node_writer_add(&w, &row, &err), 0);
		add_totals(&h.totals, &child->totals);
	}
	return finish(mem, &w, h);
}

static void expect(struct mem *mem, struct hand root, const char *what)
{
	struct seen s = {0};
	struct zs_err err;
	int rc = visit(mem, &root.id, &s, &err);

	if (!what) {
		assert_int_equal(rc, 0);
		return;
	}
	assert_int_equal(rc, -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	if (!strstr(err.text, what))
		fail_msg("\"%s\" instead of \"%s\"", err.text, what);
}

static void test_wrong_rows(void **state)
{
	struct mem mem = {0};
	struct hand a = leaf(&mem, "a", "b"), b = leaf(&mem, "c", "d"), x, y;

	(void)state;
	expect(&mem, inner(&mem, 1, &a, &b), NULL);
	x = a;
	y = b;
	x.id = b.id; /* swapped */
	y.id = a.id;
	expect(&mem, inner(&mem, 1, &x, &y), "last path");
	x = a;
	x.last = "bb";
	expect(&mem, inner(&mem, 1, &x, &b), "last path");
	y = b;
	y.last = "e";
	expect(&mem, inner(&mem, 1, &a, &y), "last path");
	x = leaf(&mem, "a", "d"); /* overlap */
	y = leaf(&mem, "c", "e");
	expect(&mem, inner(&mem, 1, &x, &y), "not after");
	y = leaf(&mem, "d", "e");
	expect(&mem, inner(&mem, 1, &x, &y), "not after");
	for (unsigned i = 0; i < 4; i++) {
		static const struct zs_totals more[] = {{1, 0, 0, 0}, {1, 1, 0, 0}, {1, 1, 1, 0}, {0, 0, 0, 1}};

		x = a;
		add_totals(&x.totals, &more[i]);
		expect(&mem, inner(&mem, 1, &x, &b), "totals");
	}
	mem_fini(&mem);
}

static void test_wrong_shape(void **state)
{
	struct mem mem = {0};
	struct hand a = leaf(&mem, "a", "b"), b = leaf(&mem, "c", "d"), c = leaf(&mem, "e", NULL),
		    none = leaf(&mem, NULL, NULL);
	struct hand ab = inner(&mem, 1, &a, &b), only_c = inner(&mem, 1, &c, NULL);

	(void)state;
	expect(&mem, none, NULL);
	expect(&mem, inner(&mem, 2, &ab, &only_c), NULL);
	expect(&mem, only_c, "less than two");
	expect(&mem, inner(&mem, 2, &ab, NULL), "less than two");
	none.last = "f";
	none.totals.entries = 1;
	expect(&mem, inner(&mem, 1, &c, &none), "empty");
	expect(&mem, inner(&mem, 2, &ab, &c), "level 0 below level 2");
	expect(&mem, inner(&mem, 1, &ab, &c), "level 1 below level 1");
	expect(&mem, inner(&mem, 3, &ab, &only_c), "level 1 below level 3");
	mem_fini(&mem);
}

/* The highest level that there may be, and one more. */
static void test_depth(void **state)
{
	struct mem mem = {0};
	struct hand a = leaf(&mem, "a", NULL), b = leaf(&mem, "b", NULL), too_high;

	(void)state;
	for (unsigned level = 1; level < 15; level++) {
		a = inner(&mem, level, &a, NULL);
		b = inner(&mem, level, &b, NULL);
		if (level == 14)
			expect(&mem, inner(&mem, 15, &a, &b), NULL);
	}
	too_high = inner(&mem, 15, &a, &b);
	mem_find(&mem, &too_high.id)->bytes.p[0] = 16;
	expect(&mem, too_high, "level");
	mem_fini(&mem);
}

/* Each node has its one child twice: 2^15 ways down, of which the second one is refused. */
static void test_many_ways_to_one_node(void **state)
{
	static const char *const later[] = {"b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"};
	struct mem mem = {0};
	struct hand a = leaf(&mem, "a", NULL), b;
	struct seen s = {0};
	struct zs_err err;

	(void)state;
	for (unsigned level = 1; level < 16; level++) {
		b = a;
		b.last = later[level - 1];
		a = inner(&mem, level, &a, &b);
	}
	assert_int_equal(visit(&mem, &a.id, &s, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_in_range(mem.gets, 16, 17);
	mem_fini(&mem);
}

/* Under a broken hash: a node that is its own child. */
static void test_cycle(void **state)
{
	struct mem mem = {0};
	struct hand a = leaf(&mem, "a", NULL), self = {.last = "b", .totals.entries = 1}, node;
	struct zs_buf copy = ZS_BUF_INIT;
	struct zs_err err;

	(void)state;
	memset(&self.id, 0x77, sizeof(self.id));
	node = inner(&mem, 1, &a, &self);
	assert_int_equal(zs_buf_add_span(&copy, zs_buf_span(&mem_find(&mem, &node.id)->bytes), &err), 0);
	mem_add(&mem, &self.id, zs_buf_span(&copy));
	expect(&mem, self, "level 1 below level 1");
	zs_buf_fini(&copy);
	mem_fini(&mem);
}

/* Any byte of any node changed, under the same id: an error or the same entries, but no crash and no third thing. */
static void test_flips(void **state)
{
	uint64_t rng = 45;
	struct model m = model_random(300, &rng);
	struct mem mem = {0};
	struct zs_id root = build_ok(&mem, &m);
	struct seen s;
	struct zs_err err;

	(void)state;
	for (size_t i = 0; i < mem.n; i++) {
		struct zs_buf *b = &mem.nodes[i].bytes;

		for (size_t k = 0; k < b->n; k += 1 + next_random(&rng) % 5) {
			uint8_t old = b->p[k];
			size_t n = b->n;

			b->p[k] ^= (uint8_t)(1 + next_random(&rng) % 255);
			s = (struct seen){0};
			if (visit(&mem, &root, &s, &err) < 0)
				assert_true(err.cause == ZS_CORRUPT || err.cause == ZS_VERSION);
			else
				assert_int_equal(s.entries, m.n);
			b->p[k] = old;
			b->n = k; /* and cut short */
			s = (struct seen){0};
			assert_int_equal(visit(&mem, &root, &s, &err), -1);
			assert_int_equal(err.cause, ZS_CORRUPT);
			b->n = n;
		}
	}
	model_fini(&m);
	mem_fini(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_shared),
	    cmocka_unit_test(test_stops_and_fails),
	    cmocka_unit_test(test_wrong_rows),
	    cmocka_unit_test(test_wrong_shape),
	    cmocka_unit_test(test_depth),
	    cmocka_unit_test(test_many_ways_to_one_node),
	    cmocka_unit_test(test_cycle),
	    cmocka_unit_test(test_flips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
