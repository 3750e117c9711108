/* Streams far larger than memory may grow: a line of 100 MB, a message of 200 MB, an extent beyond its limit. */
#include <sys/resource.h>

#include "mail_test.h"

static struct world w;

static int setup(void **state)
{
	(void)state;
	world_init_sizes(&w, 16 << 10, 64 << 10, 256 << 10);
	w.keep_nothing = 1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_fini(&w);
	return 0;
}

static long peak_kib(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

/* Feed a header, then `times` times the piece; the recipe must account for every byte. */
static void stream(const char *header, struct zs_span piece, unsigned times)
{
	struct zs_split_sink sink = {&w, world_keep, world_recipe};
	struct zs_split_result r;
	struct zs_err err = {0};
	struct zs_op op;
	uint64_t out = 0;
	struct zs_span rest;

	zs_buf_clear(&w.recipe);
	world_forget(&w);
	assert_int_equal(zs_splitter_begin(w.splitter, ZS_KIND_FILE, &sink, &err), 0);
	assert_int_equal(zs_splitter_feed(w.splitter, zs_span_str(header), &err), 0);
	for (unsigned i = 0; i < times; i++)
		assert_int_equal(zs_splitter_feed(w.splitter, piece, &err), 0);
	assert_int_equal(zs_splitter_end(w.splitter, &r, &err), 0);
	assert_int_equal(r.bytes, strlen(header) + piece.n * times);
	for (rest = zs_buf_span(&w.recipe); zs_format_op_next(&rest, &op, &err) > 0;) {
		if (op.type == ZS_OP_B64) {
			out += zs_mail_b64_length(op.bytes, op.line, op.crlf, op.tail);
			for (uint64_t k = op.chunks; k; k--)
				assert_int_equal(zs_format_op_next(&rest, &op, &err), 1);
		} else if (op.type != ZS_OP_SKELETON) {
			out += op.bytes;
		}
	}
	assert_int_equal(out, r.bytes);
}

static const char header[] = "From: a\r\nTo: b\r\nSubject: c\r\n\r\n";

static void a_line_of_100_mb(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;
	long before;

	(void)state;
	for (int i = 0; i < 100; i++)
		add_text(&b, "0123456789abcdef,");
	stream(header, zs_buf_span(&b), 1);
	before = peak_kib();
	stream(header, zs_buf_span(&b), 100000000 / 1700); /* as text */
	stream("From: a\nTo: ", zs_buf_span(&b), 100000000 / 1700); /* as header */
	assert_true(peak_kib() - before < 65536); /* generous: sanitizers keep what is freed */
	zs_buf_fini(&b);
}

static void a_large_attachment(void **state)
{
	struct zs_buf b = ZS_BUF_INIT, noise = ZS_BUF_INIT;
	struct zs_op op;
	long before = peak_kib();

	(void)state;
	add_noise(&noise, 57 * 1000, 3);
	add_base64(&b, zs_buf_span(&noise), 76, "\r\n", 1);
	stream(header, zs_buf_span(&b), 200000000 / 78000);
	assert_int_equal(world_ops(&w, ZS_OP_B64, &op), 1); /* one extent, however many chunks */
	assert_int_equal(op.bytes, 200000000 / 78000 * 57000);
	assert_true(op.chunks > 500);
	assert_true(peak_kib() - before < 65536);
	zs_buf_fini(&noise);
	zs_buf_fini(&b);
}

/* An extent ends at its limit, and the next begins there: the same bytes whatever the line length. */
static void an_extent_has_a_limit(void **state)
{
	static const uint32_t lines[] = {60, 64, 72, 76, 74};
	struct zs_err err = {0};
	struct zs_buf b = ZS_BUF_INIT, noise = ZS_BUF_INIT;
	struct section sec;
	struct lines l;
	struct cut c;
	struct zs_split_sink sink = {&w, world_keep, world_recipe};

	(void)state;
	add_noise(&noise, 41040 * 7, 3);
	assert_int_equal(section_init(&sec, &err), 0);
	assert_int_equal(cut_init(&c, 600 << 10, &err), 0);
	assert_int_equal(lines_init(&l, &err), 0);
	l.run.max_bytes = 41040 * 2;
	for (unsigned i = 0; i < 5; i++) {
		size_t used;
		struct zs_op op;

		zs_buf_clear(&b);
		zs_buf_clear(&w.recipe);
		add_text(&b, header);
		add_base64(&b, zs_buf_span(&noise), lines[i], "\n", 1);
		section_begin(&sec, &sink, &w.key);
		lines_begin(&l, &w.params, &sec, &c, 0);
		assert_int_equal(lines_feed(&l, zs_buf_span(&b), 1, &used, &err), 0);
		assert_int_equal(section_flush(&sec, &err), 0);
		assert_int_equal(world_ops(&w, ZS_OP_B64, &op), 4);
		if (i < 4)
			assert_int_equal(op.bytes, 41040);
	}
	lines_fini(&l);
	cut_fini(&c);
	section_fini(&sec);
	zs_buf_fini(&noise);
	zs_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_of_100_mb), cmocka_unit_test(a_large_attachment),
		    cmocka_unit_test(an_extent_has_a_limit),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
