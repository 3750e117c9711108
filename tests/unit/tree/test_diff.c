/* Differences between two trees against those between two sorted arrays. */
#include "tree_test.h"

struct expect {
	const struct model *a, *b;
	size_t i, k; /* next of a and b */
	size_t reports, stop_after;
};

static struct zs_span entry_of(const struct item *it)
{
	return it ? zs_buf_span(&it->entry) : zs_span(NULL, 0);
}

/* The next difference of the arrays: 1, or 0. */
static int model_next(struct expect *x, const struct item **out_a, const struct item **out_b)
{
	while (x->i < x->a->n || x->k < x->b->n) {
		const struct item *a = x->i < x->a->n ? &x->a->v[x->i] : NULL;
		const struct item *b = x->k < x->b->n ? &x->b->v[x->k] : NULL;
		int c = !a ? 1 : !b ? -1 : order(a, b);

		x->i += c <= 0;
		x->k += c >= 0;
		*out_a = c <= 0 ? a : NULL;
		*out_b = c >= 0 ? b : NULL;
		if (c || !zs_span_eq(entry_of(a), entry_of(b)))
			return 1;
	}
	return 0;
}

static int on_diff(void *ctx, struct zs_span path, struct zs_span a_entry, struct zs_span b_entry, struct zs_err *err)
{
	struct expect *x = ctx;
	const struct item *a, *b;

	assert_int_equal(model_next(x, &a, &b), 1);
	assert_span(path, zs_buf_span(a ? &a->path : &b->path));
	assert_span(a_entry, entry_of(a));
	assert_span(b_entry, entry_of(b));
	assert_int_equal(a_entry.p != NULL, a != NULL);
	assert_int_equal(b_entry.p != NULL, b != NULL);
	return ++x->reports == x->stop_after ? zs_fail(err, ZS_STOPPED, "enough") : 0;
}

static size_t check_diff(struct mem *mem, const struct model *a, const struct model *b)
{
	struct zs_tree_io io = mem_io(mem);
	struct zs_id ra = build_ok(mem, a), rb = build_ok(mem, b);
	struct expect x = {.a = a, .b = b};
	const struct item *ia, *ib;
	struct zs_err err = {0};

	mem->gets = 0;
	if (zs_tree_diff(&io, &ra, &rb, on_diff, &x, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(model_next(&x, &ia, &ib), 0);
	return x.reports;
}

/* Some entries changed, some gone, some new. */
static struct model modify(const struct model *m, size_t changes, uint64_t *rng)
{
	struct model other = model_copy(m, changes);

	for (size_t i = 0; i < changes; i++) {
		switch (other.n ? next_random(rng) % 3 : 0) {
		case 0:
			make_path(&other.v[other.n].path, rng);
			set_entry(&other.v[other.n++], rng);
			break;
		case 1:
			set_entry(&other.v[next_random(rng) % other.n], rng);
			break;
		default:
			model_remove(&other, next_random(rng) % other.n);
			break;
		}
	}
	model_settle(&other);
	return other;
}

static void test_model(void **state)
{
	static const size_t sizes[] = {0, 1, 5, 24, 100, 800, 5000, 30000};
	static const size_t changes[] = {0, 1, 2, 10, 100, 3000};
	uint64_t rng = 31;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct model a = model_random(sizes[i], &rng);
		struct mem mem = {0};

		for (size_t k = 0; k < sizeof(changes) / sizeof(*changes); k++) {
			struct model b = modify(&a, changes[k], &rng);

			(void)check_diff(&mem, &a, &b);
			if (changes[k] <= 10 &&
			    sizes[i] > 10000) /* three children of each level on each side at most */
				assert_true(mem.gets <= 2 * 4 * 3 * changes[k] + 2);
			(void)check_diff(&mem, &b, &a);
			model_fini(&b);
		}
		model_fini(&a);
		mem_fini(&mem);
	}
}

/* Nothing in common, and one within the other. */
static void test_unlike(void **state)
{
	uint64_t rng = 32;
	struct model a = model_random(3000, &rng), b = model_random(200, &rng), none = {NULL, 0}, head = {a.v, 1500},
		     tail = {a.v + 1500, a.n - 1500};
	struct mem mem = {0};

	(void)state;
	(void)check_diff(&mem, &a, &b);
	assert_int_equal(check_diff(&mem, &a, &none), a.n);
	assert_int_equal(check_diff(&mem, &none, &a), a.n);
	assert_int_equal(check_diff(&mem, &a, &head), tail.n);
	assert_int_equal(check_diff(&mem, &tail, &a), head.n);
	assert_int_equal(check_diff(&mem, &head, &tail), a.n);
	model_fini(&a);
	model_fini(&b);
	mem_fini(&mem);
}

static void test_stops_and_fails(void **state)
{
	uint64_t rng = 33;
	struct model a = model_random(1000, &rng), b = modify(&a, 50, &rng);
	struct mem mem = {0};
	struct zs_tree_io io = mem_io(&mem);
	struct zs_id ra = build_ok(&mem, &a), rb = build_ok(&mem, &b);
	struct expect x = {.a = &a, .b = &b, .stop_after = 7};
	struct zs_err err;
	int rc = -1;

	(void)state;
	assert_int_equal(zs_tree_diff(&io, &ra, &rb, on_diff, &x, &err), -1);
	assert_int_equal(err.cause, ZS_STOPPED);
	assert_int_equal(x.reports, 7);
	for (uint64_t n = 1; rc < 0; n++) {
		x = (struct expect){.a = &a, .b = &b};
		mem.fail_at = mem.puts + mem.gets + n;
		rc = zs_tree_diff(&io, &ra, &rb, on_diff, &x, &err);
		if (rc < 0)
			assert_int_equal(err.cause, ZS_IO);
		else
			assert_true(n > 20);
	}
	model_fini(&a);
	model_fini(&b);
	mem_fini(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_model),
	    cmocka_unit_test(test_unlike),
	    cmocka_unit_test(test_stops_and_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
