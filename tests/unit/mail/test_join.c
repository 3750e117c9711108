/* Joining: recipes of every kind, on any level, and those that no writer wrote. */
#include "mail_test.h"

static struct world w;
static struct zs_buf recipe;

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
	zs_buf_fini(&recipe);
	return 0;
}

static struct zs_id keep(const void *p, size_t n)
{
	struct zs_err err = {0};
	struct zs_id id;

	zs_codec_chunk_id(&w.key, zs_span(p, n), &id);
	w.fail_at = -1;
	assert_int_equal(world_keep(&w, ZS_KIND_FILE, &id, zs_span(p, n), &err), 0);
	return id;
}

static void op(uint8_t type, const char *chunk, uint64_t bytes)
{
	struct zs_op o = {.type = type, .bytes = bytes};
	struct zs_err err = {0};

	if (chunk) {
		o.id = keep(chunk, strlen(chunk));
		o.bytes = bytes ? bytes : strlen(chunk);
	}
	assert_int_equal(zs_format_op_encode(&o, &recipe, &err), 0);
}

static void b64(uint64_t bytes, uint64_t chunks, uint32_t line, int crlf, int tail)
{
	struct zs_op o = {.type = ZS_OP_B64, .bytes = bytes, .chunks = chunks, .line = line, .crlf = (uint8_t)crlf,
	    .tail = (uint8_t)tail};
	struct zs_err err = {0};

	assert_int_equal(zs_format_op_encode(&o, &recipe, &err), 0);
}

static int join(uint64_t size, uint64_t sum, uint8_t depth, struct zs_err *err)
{
	struct zs_entry e = {.kind = ZS_ENTRY_FILE, .size = size, .sum = sum, .recipe = zs_buf_span(&recipe),
	    .recipe_depth = depth};

	memset(err, 0, sizeof *err);
	return world_join(&w, &e, err);
}

static void joins_to(const char *want)
{
	struct zs_err err;

	if (join(strlen(want), zs_hash64(0, zs_span_str(want)), 0, &err) < 0)
		fail_msg("%s: %s", want, err.text);
	assert_true(zs_span_eq(zs_buf_span(&w.out), zs_span_str(want)));
	zs_buf_clear(&recipe);
}

static void joins_every_op(void **state)
{
	(void)state;
	op(ZS_OP_SKELETON, "headtail", 0);
	op(ZS_OP_TAKE, NULL, 4);
	op(ZS_OP_RAW, "-body-", 0);
	op(ZS_OP_TAKE, NULL, 4);
	op(ZS_OP_SKELETON, "x", 0);
	op(ZS_OP_TAKE, NULL, 1);
	joins_to("head-body-tailx");
	b64(7, 3, 6, 1, 1);
	op(ZS_OP_RAW, "a", 0);
	op(ZS_OP_RAW, "bcde", 0);
	op(ZS_OP_RAW, "fg", 0);
	joins_to("YWJjZG\r\nVmZw==\r\n");
	b64(6, 1, 4, 0, 0);
	op(ZS_OP_RAW, "abcdef", 0);
	joins_to("YWJj\nZGVm");
	b64(1, 1, 1, 0, 1);
	op(ZS_OP_RAW, "a", 0);
	joins_to("Y\nQ\n=\n=\n");
	joins_to("");
}

static void refuses(uint64_t size, const char *why)
{
	struct zs_err err;

	if (join(size, 0, 0, &err) == 0)
		fail_msg("joined: %s", why);
	assert_int_equal(err.cause, ZS_CORRUPT);
	if (!strstr(err.text, why))
		fail_msg("%s, not: %s", err.text, why);
	assert_true(w.out.n <= size);
	zs_buf_clear(&recipe);
}

static void refuses_what_makes_no_sense(void **state)
{
	(void)state;
	op(ZS_OP_TAKE, NULL, 4);
	refuses(4, "skeleton is too short");
	op(ZS_OP_SKELETON, "abcd", 0);
	op(ZS_OP_TAKE, NULL, 5);
	refuses(5, "skeleton is too short");
	op(ZS_OP_SKELETON, "abcd", 0);
	op(ZS_OP_TAKE, NULL, 3);
	refuses(3, "ends too early");
	op(ZS_OP_SKELETON, "abcd", 0);
	op(ZS_OP_SKELETON, "efgh", 0);
	op(ZS_OP_TAKE, NULL, 8);
	refuses(8, "not used up");
	op(ZS_OP_RAW, "abcd", 0);
	refuses(5, "fewer bytes");
	op(ZS_OP_RAW, "abcd", 0);
	refuses(3, "more bytes");
	op(ZS_OP_RAW, "abcd", 3);
	refuses(3, "not as long");
	op(ZS_OP_RAW, "abcd", 5);
	refuses(5, "not as long");
	op(ZS_OP_HOLE, NULL, UINT64_MAX);
	refuses(UINT64_MAX - 1, "more bytes");
	op(ZS_OP_RAW, "abcd", 0);
	op(ZS_OP_HOLE, NULL, UINT64_MAX);
	refuses(UINT64_MAX, "more bytes");
	op(ZS_OP_RAW, "abcd", 0);
	refuses(4, "checksum");
	refuses(1, "content is not of its size");
}

static void refuses_wrong_base64(void **state)
{
	(void)state;
	b64(4, 1, 76, 0, 1);
	refuses(9, "ends too early");
	b64(4, 2, 76, 0, 1);
	op(ZS_OP_RAW, "abcd", 0);
	refuses(9, "ends too early");
	b64(4, 2, 76, 0, 1);
	op(ZS_OP_RAW, "abcd", 0);
	op(ZS_OP_HOLE, NULL, 1);
	refuses(10, "lacks chunks");
	b64(4, 1, 76, 0, 1);
	b64(4, 1, 76, 0, 1);
	refuses(18, "lacks chunks");
	b64(4, 1, 76, 0, 1);
	op(ZS_OP_SKELETON, "abcd", 0);
	refuses(9, "lacks chunks");
	b64(4, 1, 76, 0, 1);
	op(ZS_OP_RAW, "abcde", 0);
	refuses(9, "longer");
	b64(4, 1, 76, 0, 1);
	op(ZS_OP_RAW, "abc", 0);
	refuses(9, "shorter");
	b64(UINT64_MAX, 2, 76, 0, 1);
	refuses(9, "more bytes");
	b64(UINT64_MAX / 2, 2, 1, 1, 1);
	refuses(UINT64_MAX - 1, "more bytes");
	assert_int_equal(zs_mail_b64_length(0, 76, 0, 1), 0);
	assert_int_equal(zs_mail_b64_length(57, 76, 0, 0), 76);
	assert_int_equal(zs_mail_b64_length(58, 76, 1, 1), 84);
	assert_int_equal(zs_mail_b64_length(UINT64_MAX, 1, 1, 1), UINT64_MAX);
}

/* Inline content, and both or neither. */
static void joins_inline(void **state)
{
	struct zs_span text = zs_span_str("inline");
	struct zs_entry e = {.kind = ZS_ENTRY_FILE, .size = 6, .sum = zs_hash64(0, text), .inline_data = text};
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(world_join(&w, &e, &err), 0);
	assert_true(zs_span_eq(zs_buf_span(&w.out), text));
	e.sum++;
	assert_int_equal(world_join(&w, &e, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	e.size = 7;
	assert_int_equal(world_join(&w, &e, &err), -1);
	e.size = 6;
	e.recipe = zs_span_str("x");
	assert_int_equal(world_join(&w, &e, &err), -1);
	e = (struct zs_entry){.kind = ZS_ENTRY_FILE, .sum = zs_hash64(0, zs_span(NULL, 0))};
	assert_int_equal(world_join(&w, &e, &err), 0);
	assert_int_equal(w.out.n, 0);
}

/* Put the recipe into chunks of `piece` bytes, whose recipe takes its place. */
static void lift(size_t piece)
{
	struct zs_buf upper = ZS_BUF_INIT;
	struct zs_err err = {0};

	for (size_t at = 0; at < recipe.n; at += piece) {
		struct zs_op o = {.type = ZS_OP_RAW, .bytes = recipe.n - at < piece ? recipe.n - at : piece};

		o.id = keep(recipe.p + at, o.bytes);
		assert_int_equal(zs_format_op_encode(&o, &upper, &err), 0);
	}
	zs_buf_fini(&recipe);
	recipe = upper;
}

/* Ops straddle recipe chunks of any length, on any level. */
static void joins_on_every_level(void **state)
{
	struct zs_buf want = ZS_BUF_INIT;
	struct zs_err err;

	(void)state;
	for (uint8_t depth = 0; depth <= READER_DEPTH_MAX + 1; depth++)
		for (size_t piece = depth > 2 ? 40 : 1; piece < 200; piece += 13) {
			zs_buf_clear(&recipe);
			zs_buf_clear(&want);
			op(ZS_OP_SKELETON, "headtail", 0);
			for (int i = 0; i < 8; i++) {
				op(ZS_OP_TAKE, NULL, 1);
				add_text(&want, (const char[]){"headtail"[i], 0});
				b64(3, 1, 76, 0, 1);
				op(ZS_OP_RAW, "abc", 0);
				add_text(&want, "YWJj\n");
			}
			for (uint8_t i = 0; i < depth; i++)
				lift(piece);
			if (depth > READER_DEPTH_MAX) {
				assert_int_equal(join(want.n, 0, depth, &err), -1);
				assert_int_equal(err.cause, ZS_CORRUPT);
				continue;
			}
			if (join(want.n, zs_hash64(0, zs_buf_span(&want)), depth, &err) < 0)
				fail_msg("depth %u, piece %zu: %s", depth, piece, err.text);
			assert_true(zs_span_eq(zs_buf_span(&w.out), zs_buf_span(&want)));
		}
	zs_buf_clear(&recipe);
	op(ZS_OP_HOLE, NULL, 1); /* no recipe chunk */
	assert_int_equal(join(1, 0, 1, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	zs_buf_clear(&recipe);
	zs_buf_fini(&want);
}

/* Every call of io fails once; every byte of a recipe is flipped; every length is cut. */
static void survives_damage(void **state)
{
	struct zs_buf good = ZS_BUF_INIT;
	struct zs_err err = {0};
	uint64_t sum = zs_hash64(0, zs_span_str("abYWJj\n\0\0raw"));
	long n;

	(void)state;
	op(ZS_OP_SKELETON, "ab", 0);
	op(ZS_OP_TAKE, NULL, 2);
	b64(3, 2, 76, 0, 1);
	op(ZS_OP_RAW, "ab", 0);
	op(ZS_OP_RAW, "c", 0);
	op(ZS_OP_HOLE, NULL, 2);
	op(ZS_OP_RAW, "raw", 0);
	sum = zs_hash64(0, zs_span("abYWJj\n\0\0raw", 12));
	assert_int_equal(join(12, sum, 0, &err), 0);
	for (n = 0;; n++) {
		w.fail_at = n;
		if (!join(12, sum, 0, &err))
			break;
		assert_int_equal(err.cause, ZS_IO);
	}
	assert_int_equal(n, 8);
	w.fail_at = -1;
	assert_int_equal(zs_buf_add_span(&good, zs_buf_span(&recipe), &err), 0);
	for (size_t i = 0; i < good.n * 8; i++) {
		recipe.p[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(join(12, sum, 0, &err), -1);
		assert_true(w.out.n <= 12);
		recipe.p[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t i = 0; i < good.n; i++) {
		recipe.n = i;
		assert_int_equal(join(12, sum, 0, &err), -1);
	}
	recipe.n = good.n;
	assert_int_equal(join(12, sum, 0, &err), 0);
	zs_buf_fini(&good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joins_every_op), cmocka_unit_test(refuses_what_makes_no_sense),
		    cmocka_unit_test(refuses_wrong_base64),
		cmocka_unit_test(joins_inline), cmocka_unit_test(joins_on_every_level),
		    cmocka_unit_test(survives_damage),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
