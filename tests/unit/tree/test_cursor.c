/* Cursor, seek, skip, lookup and totals against a sorted array. */
#include "tree_test.h"

static struct zs_span path_of(const struct model *m, size_t i)
{
	return zs_buf_span(&m->v[i].path);
}

/* The first item at or after path. */
static size_t model_seek(const struct model *m, struct zs_span path)
{
	struct item key = {.path = {(uint8_t *)(uintptr_t)path.p, path.n, path.n}};
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (order(&m->v[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static size_t model_skip(const struct model *m, size_t at, struct zs_span dir)
{
	while (at < m->n && (zs_path_below(path_of(m, at), dir) || zs_span_eq(path_of(m, at), dir)))
		at++;
	return at;
}

static void expect_next(struct zs_tree_cursor *c, const struct model *m, size_t i)
{
	struct zs_span path, entry;
	struct zs_err err = {0};
	int got = zs_tree_cursor_next(c, &path, &entry, &err);

	if (got < 0)
		fail_msg("%s", err.text);
	assert_int_equal(got, i < m->n);
	if (got) {
		assert_span(path, path_of(m, i));
		assert_span(entry, zs_buf_span(&m->v[i].entry));
	}
}

static void check_walk(struct mem *mem, const struct model *m, const struct zs_id *root)
{
	struct zs_tree_io io = mem_io(mem);
	struct zs_tree_cursor *c;
	struct zs_err err;

	assert_int_equal(zs_tree_cursor_new(&io, root, &c, &err), 0);
	for (size_t i = 0; i <= m->n; i++)
		expect_next(c, m, i);
	expect_next(c, m, m->n);
	zs_tree_cursor_free(c);
}

static void random_target(const struct model *m, struct zs_buf *out, uint64_t *rng)
{
	struct zs_span p;
	struct zs_err err;

	if (!m->n || next_random(rng) % 3 == 0) {
		make_path(out, rng);
		return;
	}
	p = path_of(m, next_random(rng) % m->n);
	if (next_random(rng) % 2)
		p = zs_path_dir(p);
	zs_buf_clear(out);
	assert_int_equal(zs_buf_add_span(out, p, &err), 0);
}

static void check_seeks(struct mem *mem, const struct model *m, const struct zs_id *root, uint64_t *rng)
{
	struct zs_tree_io io = mem_io(mem);
	struct zs_buf target = ZS_BUF_INIT, found = ZS_BUF_INIT;
	struct zs_tree_cursor *c;
	struct zs_err err;

	assert_int_equal(zs_tree_cursor_new(&io, root, &c, &err), 0);
	for (unsigned i = 0; i < 300; i++) {
		size_t at;
		int there;

		random_target(m, &target, rng);
		at = model_seek(m, zs_buf_span(&target));
		assert_int_equal(zs_tree_cursor_seek(c, zs_buf_span(&target), &err), 0);
		for (unsigned k = 0; k < 3 && at + k <= m->n; k++)
			expect_next(c, m, at + k);
		there = at < m->n && zs_span_eq(path_of(m, at), zs_buf_span(&target));
		zs_buf_clear(&found);
		assert_int_equal(zs_tree_lookup(&io, root, zs_buf_span(&target), &found, &err), there);
		assert_span(zs_buf_span(&found), there ? zs_buf_span(&m->v[at].entry) : zs_span(NULL, 0));
	}
	zs_tree_cursor_free(c);
	zs_buf_fini(&target);
	zs_buf_fini(&found);
}

/* A walk that skips, now and then, the folder that it is in, or its parent's, or one not yet begun. */
static void check_skips(struct mem *mem, const struct model *m, const struct zs_id *root, uint64_t *rng)
{
	struct zs_tree_io io = mem_io(mem);
	struct zs_tree_cursor *c;
	struct zs_err err;
	size_t at = 0;

	assert_int_equal(zs_tree_cursor_new(&io, root, &c, &err), 0);
	while (at < m->n) {
		struct zs_span dir = path_of(m, at);

		expect_next(c, m, at);
		if (next_random(rng) % 3)
			dir = zs_path_dir(dir);
		at++;
		if (dir.n == 0 || next_random(rng) % 2)
			continue;
		assert_int_equal(zs_tree_cursor_skip(c, dir, &err), 0);
		at = model_skip(m, at, dir);
		if (next_random(rng) % 4 == 0 && at < m->n) { /* and the next, before it is returned */
			dir = path_of(m, at);
			assert_int_equal(zs_tree_cursor_skip(c, dir, &err), 0);
			at = model_skip(m, at, dir);
		}
	}
	expect_next(c, m, m->n);
	assert_int_equal(zs_tree_cursor_skip(c, zs_span_str("a"), &err), 0);
	expect_next(c, m, m->n);
	zs_tree_cursor_free(c);
}

static void check_totals(struct mem *mem, const struct model *m, const struct zs_id *root, uint64_t *rng)
{
	struct zs_tree_io io = mem_io(mem);
	struct zs_buf target = ZS_BUF_INIT;
	struct zs_totals got, want;
	struct zs_err err;

	for (unsigned i = 0; i < 60; i++) {
		if (i)
			random_target(m, &target, rng);
		memset(&want, 0, sizeof(want));
		for (size_t k = 0; k < m->n; k++)
			if (zs_path_below(path_of(m, k), zs_buf_span(&target)) ||
			    zs_span_eq(path_of(m, k), zs_buf_span(&target)))
				add_totals(&want, &m->v[k].totals);
		assert_int_equal(zs_tree_totals(&io, root, zs_buf_span(&target), &got, &err), 0);
		assert_totals(&got, &want);
	}
	zs_buf_fini(&target);
}

static void test_model(void **state)
{
	static const size_t sizes[] = {0, 1, 2, 3, 10, 23, 24, 25, 50, 100, 500, 3000, 50000};
	uint64_t rng = 21;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct model m = model_random(sizes[i], &rng);
		struct mem mem = {0};
		struct zs_id root = build_ok(&mem, &m);

		check_walk(&mem, &m, &root);
		check_seeks(&mem, &m, &root, &rng);
		check_skips(&mem, &m, &root, &rng);
		check_totals(&mem, &m, &root, &rng);
		model_fini(&m);
		mem_fini(&mem);
	}
}

/* Folders of many messages: reading one level, or looking one path up, must not read what lies inside. */
static struct model folders(unsigned n, unsigned messages, uint64_t *rng)
{
	struct model m = {calloc((size_t)n * (messages + 1), sizeof(struct item)), 0};
	struct zs_err err;

	assert_non_null(m.v);
	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = 0; k <= messages; k++, m.n++) {
			assert_int_equal(zs_buf_printf(&m.v[m.n].path, &err, "user%02u", i), 0);
			if (k)
				assert_int_equal(
				    zs_buf_printf(&m.v[m.n].path, &err,
					"/cur/17639%05u.M%uP77.mail.example.org,S=%u:2,S", k, k * 7919 % 65521, k * 31),
				    0);
			set_entry(&m.v[m.n], rng);
		}
	}
	model_settle(&m);
	return m;
}

static void test_reads_little(void **state)
{
	uint64_t rng = 22;
	struct model m = folders(10, 4000, &rng);
	struct mem mem = {0};
	struct zs_id root = build_ok(&mem, &m);
	struct zs_tree_io io = mem_io(&mem);
	struct zs_buf found = ZS_BUF_INIT;
	struct zs_tree_cursor *c;
	struct zs_totals totals;
	struct zs_span path, entry;
	struct zs_err err;
	unsigned dirs = 0;

	(void)state;
	mem.gets = 0;
	assert_int_equal(zs_tree_cursor_new(&io, &root, &c, &err), 0);
	while (zs_tree_cursor_next(c, &path, &entry, &err) == 1) {
		assert_int_equal(path.n, 6);
		dirs++;
		assert_int_equal(zs_tree_cursor_skip(c, path, &err), 0);
	}
	zs_tree_cursor_free(c);
	assert_int_equal(dirs, 10);
	assert_true(mem.gets <= 60);
	mem.gets = 0;
	assert_int_equal(zs_tree_lookup(&io, &root, path_of(&m, 12345), &found, &err), 1);
	assert_true(mem.gets <= 4);
	mem.gets = 0;
	assert_int_equal(zs_tree_totals(&io, &root, zs_span_str("user05"), &totals, &err), 0);
	assert_int_equal(totals.entries, 4001);
	assert_true(mem.gets <= 10);
	mem.gets = 0;
	assert_int_equal(zs_tree_totals(&io, &root, zs_span(NULL, 0), &totals, &err), 0);
	assert_int_equal(totals.entries, m.n);
	assert_int_equal(mem.gets, 1);
	zs_buf_fini(&found);
	model_fini(&m);
	mem_fini(&mem);
}

static void test_get_fails(void **state)
{
	uint64_t rng = 23;
	struct model m = model_random(2000, &rng);
	struct mem mem = {0};
	struct zs_id root = build_ok(&mem, &m);
	struct zs_tree_io io = mem_io(&mem);
	struct zs_span path, entry;
	struct zs_tree_cursor *c;
	struct zs_err err;
	size_t n = 0;

	(void)state;
	assert_int_equal(zs_tree_cursor_new(&io, &root, &c, &err), 0);
	for (int got = 1; got; n++) {
		mem.fail_at = mem.puts + mem.gets + n + 1;
		got = zs_tree_cursor_seek(c, zs_span(NULL, 0), &err);
		while (got >= 0 && (got = zs_tree_cursor_next(c, &path, &entry, &err)) > 0)
			;
		if (got < 0)
			assert_int_equal(err.cause, ZS_IO);
		/* a failure is followed by the end, not by nonsense, and a seek starts anew */
		assert_int_equal(zs_tree_cursor_next(c, &path, &entry, &err), 0);
	}
	assert_true(n > 50);
	mem.fail_at = 0;
	assert_int_equal(zs_tree_cursor_seek(c, path_of(&m, 1000), &err), 0);
	expect_next(c, &m, 1000);
	zs_tree_cursor_free(c);
	zs_tree_cursor_free(NULL);
	model_fini(&m);
	mem_fini(&mem);
}

static double seconds(void)
{
	return (double)zs_monotonic_ns() / 1e9;
}

/* No assertion on times: what a night of a middle-sized server costs, for people who run this by hand. */
static void test_speed(void **state)
{
	uint64_t rng = 24;
	struct model m = folders(36, 2000, &rng);
	struct mem mem = {0};
	struct zs_tree_io io = mem_io(&mem);
	struct zs_tree_cursor *c;
	struct zs_span path, entry;
	struct zs_err err;
	struct zs_id root;
	double t0 = seconds(), t1, t2;
	size_t n = 0;

	(void)state;
	root = build_ok(&mem, &m);
	t1 = seconds();
	assert_int_equal(zs_tree_cursor_new(&io, &root, &c, &err), 0);
	while (zs_tree_cursor_next(c, &path, &entry, &err) == 1)
		n++;
	t2 = seconds();
	assert_int_equal(n, m.n);
	print_message("%zu entries: build %.1f ms, cursor %.1f ms\n", n, (t1 - t0) * 1e3, (t2 - t1) * 1e3);
	zs_tree_cursor_free(c);
	model_fini(&m);
	mem_fini(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_model),
	    cmocka_unit_test(test_reads_little),
	    cmocka_unit_test(test_get_fails),
	    cmocka_unit_test(test_speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
