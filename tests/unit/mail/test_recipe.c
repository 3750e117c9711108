/* The recipe writer: short ones stay, long ones spill level on level, and a change moves few recipe chunks. */
#include "mail_test.h"

static struct world w;

static int setup(void **state)
{
	(void)state;
	world_init(&w);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_fini(&w);
	return 0;
}

static int put(void *ctx, enum zs_kind kind, const struct zs_id *id, struct zs_span plain, struct zs_err *err)
{
	struct zs_id same;

	assert_int_equal(kind, ZS_KIND_TREE);
	assert_in_range(plain.n, 1, 64 << 10);
	zs_codec_chunk_id(&w.key, plain, &same);
	assert_int_equal(zs_id_cmp(id, &same), 0);
	return world_keep(ctx, kind, id, plain, err);
}

/* n RAW ops of chunks that hold their number; one op is left out. */
static void make_ops(struct zs_buf *out, unsigned n, unsigned without, int keep)
{
	struct zs_err err = {0};

	zs_buf_clear(out);
	for (unsigned i = 0; i < n; i++) {
		struct zs_op op = {.type = ZS_OP_RAW, .bytes = 4};
		uint8_t b[4];

		if (i == without)
			continue;
		zs_put_u32(b, i);
		zs_codec_chunk_id(&w.key, zs_span(b, 4), &op.id);
		if (keep)
			assert_int_equal(world_keep(&w, ZS_KIND_FILE, &op.id, zs_span(b, 4), &err), 0);
		assert_int_equal(zs_format_op_encode(&op, out, &err), 0);
	}
}

static uint8_t write_recipe(struct zs_recipe_writer *rw, const struct zs_buf *ops, size_t ops_a_call,
    struct zs_span *out)
{
	struct zs_span rest = zs_buf_span(ops);
	struct zs_err err = {0};
	uint8_t depth;

	while (rest.n) {
		struct zs_span part = rest;
		struct zs_op op;

		for (size_t i = 0; i < ops_a_call; i++)
			assert_true(zs_format_op_next(&rest, &op, &err) >= 0);
		part.n -= rest.n;
		assert_int_equal(zs_recipe_writer_add(rw, part, put, &w, &err), 0);
	}
	assert_int_equal(zs_recipe_writer_finish(rw, put, &w, out, &depth, &err), 0);
	return depth;
}

static void spills_and_reads_back(void **state)
{
	static const unsigned sizes[] = {0, 1, 100, 146, 147, 148, 500, 3000, 40000};
	struct zs_buf ops = ZS_BUF_INIT, first = ZS_BUF_INIT, all = ZS_BUF_INIT;
	struct zs_recipe_writer *rw = NULL;
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(zs_recipe_writer_new(&w.key, &rw, &err), 0);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct zs_entry e = {.kind = ZS_ENTRY_FILE, .size = 4 * (uint64_t)sizes[i]};

		world_forget(&w);
		make_ops(&ops, sizes[i], UINT32_MAX, sizes[i] <= 500);
		e.recipe_depth = write_recipe(rw, &ops, 1, &e.recipe);
		assert_true(e.recipe.n <= ZS_RECIPE_INLINE);
		assert_true((e.recipe_depth == 0) == (ops.n <= ZS_RECIPE_INLINE));
		assert_true(sizes[i] < 40000 || e.recipe_depth == 1);
		zs_buf_clear(&first);
		assert_int_equal(zs_buf_add_span(&first, e.recipe, &err), 0);
		if (sizes[i] <= 500) {
			zs_buf_clear(&all);
			for (uint32_t k = 0; k < sizes[i]; k++)
				assert_int_equal(zs_buf_add_u32(&all, k, &err), 0);
			e.sum = zs_hash64(0, zs_buf_span(&all));
			assert_int_equal(world_join(&w, &e, &err), 0);
			assert_true(zs_span_eq(zs_buf_span(&w.out), zs_buf_span(&all)));
		}
		/* however it is handed over */
		assert_int_equal(write_recipe(rw, &ops, 777, &e.recipe), e.recipe_depth);
		assert_true(zs_span_eq(e.recipe, zs_buf_span(&first)));
	}
	zs_recipe_writer_free(rw);
	zs_recipe_writer_free(NULL);
	zs_buf_fini(&ops);
	zs_buf_fini(&first);
	zs_buf_fini(&all);
}

static int drop(void *ctx, enum zs_kind kind, const struct zs_id *id, struct zs_span plain, struct zs_err *err)
{
	(void)kind;
	(void)id;
	*(uint64_t *)ctx += plain.n;
	return plain.n ? 0 : zs_fail(err, ZS_INTERNAL, "an empty chunk");
}

/* More than one level, without keeping it. */
static void climbs(void **state)
{
	struct zs_buf ops = ZS_BUF_INIT;
	struct zs_recipe_writer *rw = NULL;
	struct zs_err err = {0};
	struct zs_span recipe;
	uint64_t put_bytes = 0;
	uint8_t depth;

	(void)state;
	assert_int_equal(zs_recipe_writer_new(&w.key, &rw, &err), 0);
	make_ops(&ops, 1000, UINT32_MAX, 0);
	for (int i = 0; i < 300; i++)
		assert_int_equal(zs_recipe_writer_add(rw, zs_buf_span(&ops), drop, &put_bytes, &err), 0);
	assert_int_equal(zs_recipe_writer_finish(rw, drop, &put_bytes, &recipe, &depth, &err), 0);
	assert_int_equal(depth, 2);
	assert_true(put_bytes > 300 * ops.n);
	assert_true(recipe.n <= ZS_RECIPE_INLINE);
	zs_recipe_writer_free(rw);
	zs_buf_fini(&ops);
}

static void a_change_is_local(void **state)
{
	struct zs_buf ops = ZS_BUF_INIT;
	struct zs_recipe_writer *rw = NULL;
	struct zs_err err = {0};
	struct zs_span recipe;
	size_t before;

	(void)state;
	world_forget(&w);
	assert_int_equal(zs_recipe_writer_new(&w.key, &rw, &err), 0);
	make_ops(&ops, 20000, UINT32_MAX, 0);
	(void)write_recipe(rw, &ops, 100, &recipe);
	before = w.n;
	assert_in_range(before, 10, 200);
	make_ops(&ops, 20000, 5000, 0);
	(void)write_recipe(rw, &ops, 100, &recipe);
	assert_in_range(w.n - before, 1, 2);
	zs_recipe_writer_free(rw);
	zs_buf_fini(&ops);
}

/* A failed put comes out, and the writer is empty for the next. */
static void passes_errors_on(void **state)
{
	struct zs_buf ops = ZS_BUF_INIT;
	struct zs_recipe_writer *rw = NULL;
	struct zs_err err = {0};
	struct zs_span recipe;
	uint8_t depth;
	long n;

	(void)state;
	assert_int_equal(zs_recipe_writer_new(&w.key, &rw, &err), 0);
	make_ops(&ops, 3000, UINT32_MAX, 0);
	for (n = 0;; n++) {
		world_forget(&w);
		w.calls = 0;
		w.fail_at = n;
		if (!zs_recipe_writer_add(rw, zs_buf_span(&ops), put, &w, &err) &&
		    !zs_recipe_writer_finish(rw, put, &w, &recipe, &depth, &err))
			break;
		assert_int_equal(err.cause, ZS_IO);
	}
	assert_int_equal((size_t)n, w.n);
	assert_true(n > 3);
	w.fail_at = -1;
	/* not looked at while it is short */
	assert_int_equal(zs_recipe_writer_add(rw, zs_span("\xff", 1), put, &w, &err), 0);
	assert_int_equal(zs_recipe_writer_add(rw, zs_buf_span(&ops), put, &w, &err), -1);
	zs_recipe_writer_free(rw);
	zs_buf_fini(&ops);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spills_and_reads_back), cmocka_unit_test(climbs), cmocka_unit_test(a_change_is_local),
		cmocka_unit_test(passes_errors_on),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
