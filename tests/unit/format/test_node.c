/* Tree nodes: round trips, path order and front coding, a node's greatest length. */
#include "common.h"

#define ROWS 60

struct path { uint8_t p[64]; size_t n; };

static int compare(const void *a, const void *b)
{
	const struct path *x = a, *y = b;

	return zs_path_cmp(zs_span(x->p, x->n), zs_span(y->p, y->n));
}

/* Few different bytes, so that paths share beginnings. */
static struct path random_path(void)
{
	static const char bytes[] = "ab!/\xff.";
	struct path path;

	do {
		path.n = 1 + below(12);
		for (size_t i = 0; i < path.n; i++)
			path.p[i] = (uint8_t)bytes[below(6)];
	} while (!zs_path_valid(zs_span(path.p, path.n)));
	return path;
}

/* Ascending, no two equal. */
static size_t random_paths(struct path *paths)
{
	size_t n = below(ROWS), kept = 0;

	for (size_t i = 0; i < n; i++)
		paths[i] = random_path();
	qsort(paths, n, sizeof *paths, compare);
	for (size_t i = 0; i < n; i++)
		if (!kept || compare(&paths[kept - 1], &paths[i]) != 0)
			paths[kept++] = paths[i];
	return kept;
}

static struct zs_node_row random_row(const struct path *path, uint8_t *entry)
{
	struct zs_node_row row = {.path = zs_span(path->p, path->n)};

	random_bytes(entry, 40);
	random_bytes(&row.child, sizeof row.child);
	row.entry = zs_span(entry, 1 + below(40));
	row.totals.entries = (number() >> 8) | 1;
	row.totals.files = row.totals.entries >> below(2);
	row.totals.messages = row.totals.files >> below(2);
	row.totals.bytes = number() >> 8;
	return row;
}

static void random_round_trips(void **state)
{
	struct path paths[ROWS];
	uint8_t entry[40];

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		struct zs_buf bytes = ZS_BUF_INIT, text = ZS_BUF_INIT;
		struct json j = {.out = &text, .depth = 1, .first = 1};
		size_t n = random_paths(paths);
		uint8_t level = (uint8_t)(n ? below(16) * below(2) : 0);
		struct zs_node_writer w;
		struct zs_err err;

		zs_node_writer_init(&w, level);
		json_u64(&j, "level", level);
		json_open(&j, "rows", "[");
		for (size_t k = 0; k < n; k++) {
			struct zs_node_row row = random_row(&paths[k], entry);

			assert_int_equal(zs_node_writer_add(&w, &row, &err), 0);
			dump_row(&j, level, &row);
		}
		json_close(&j, "]");
		assert_int_equal(zs_node_writer_finish(&w, &bytes, &err), 0);
		assert_int_equal(w.rows, 0);
		assert_round_trip("node", &bytes, &text);
		zs_node_writer_fini(&w);
		zs_buf_fini(&bytes);
		zs_buf_fini(&text);
	}
}

static int add(struct zs_node_writer *w, const char *path, size_t entry_bytes, struct zs_err *err)
{
	static const uint8_t zeros[ZS_NODE_MAX + 1];
	struct zs_node_row row = {
	    .path = zs_span_str(path), .entry = zs_span(zeros, entry_bytes), .child = {{1}}, .totals = {.entries = 1}};

	return zs_node_writer_add(w, &row, err);
}

/* What is refused leaves the node as it was. */
static void refused(struct zs_node_writer *w, const char *path, size_t entry_bytes, enum zs_cause cause)
{
	assert_refused(add(w, path, entry_bytes, &err_), &w->body, cause);
}

static void order_is_kept(void **state)
{
	struct zs_node_writer w;
	struct zs_err err;

	(void)state;
	zs_node_writer_init(&w, 0);
	refused(&w, "", 1, ZS_INTERNAL);
	refused(&w, "/a", 1, ZS_INTERNAL);
	refused(&w, "a/", 1, ZS_INTERNAL);
	refused(&w, "a//b", 1, ZS_INTERNAL);
	refused(&w, "a/..", 1, ZS_INTERNAL);
	assert_int_equal(add(&w, "a/b", 1, &err), 0);
	refused(&w, "a/b", 1, ZS_INTERNAL);
	refused(&w, "a", 1, ZS_INTERNAL);
	refused(&w, "a/a", 1, ZS_INTERNAL);
	refused(&w, "a/c", 0, ZS_INTERNAL);
	assert_int_equal(add(&w, "a/b/c", 1, &err), 0);
	assert_int_equal(add(&w, "a/b!", 1, &err), 0);
	refused(&w, "a/b/d", 1, ZS_INTERNAL);
	assert_int_equal(add(&w, "a!", 1, &err), 0);
	refused(&w, "a/z", 1, ZS_INTERNAL);
	assert_int_equal(w.rows, 4);
	zs_node_writer_fini(&w);
}

static void greatest_length(void **state)
{
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_node_reader r;
	struct zs_node_writer w;
	struct zs_node_row row;
	struct zs_err err;
	/* head 2, shared 1, length 1, path 1, entry length 3 */
	size_t fits = ZS_NODE_MAX - 8;

	(void)state;
	zs_node_writer_init(&w, 0);
	refused(&w, "a", ZS_NODE_MAX + 1, ZS_LIMIT);
	refused(&w, "a", fits + 1, ZS_LIMIT);
	assert_int_equal(add(&w, "a", fits, &err), 0);
	refused(&w, "b", 1, ZS_LIMIT);
	assert_int_equal(zs_node_writer_finish(&w, &out, &err), 0);
	assert_int_equal(out.n, ZS_NODE_MAX);
	assert_int_equal(zs_node_reader_init(&r, zs_buf_span(&out), &err), 0);
	assert_int_equal(zs_node_reader_next(&r, &row, &err), 1);
	assert_int_equal(row.entry.n, fits);
	assert_int_equal(zs_node_reader_next(&r, &row, &err), 0);
	zs_node_reader_fini(&r);
	assert_int_equal(zs_buf_add_u8(&out, 0, &err), 0);
	assert_undecodable("node", zs_buf_span(&out), ZS_CORRUPT);
	/* the writer is reusable: what was refused goes into the next node */
	assert_int_equal(add(&w, "b", 1, &err), 0);
	zs_node_writer_fini(&w);
	zs_buf_fini(&out);
}

static void many_rows(void **state)
{
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_node_writer w;
	struct zs_err err = {.cause = ZS_OK};
	char path[16];
	unsigned n = 0;

	(void)state;
	zs_node_writer_init(&w, 0);
	do {
		(void)snprintf(path, sizeof path, "%08u", n++);
	} while (add(&w, path, 1, &err) == 0);
	assert_int_equal(err.cause, ZS_LIMIT);
	assert_int_equal(w.rows, n - 1);
	assert_int_equal(zs_node_writer_finish(&w, &out, &err), 0);
	assert_true(out.n <= ZS_NODE_MAX && out.n > ZS_NODE_MAX - 16);
	record_property(record_find("node"), zs_buf_span(&out));
	zs_node_writer_fini(&w);
	zs_buf_fini(&out);
}

static void longest_paths(void **state)
{
	struct zs_buf out = ZS_BUF_INIT, path = ZS_BUF_INIT;
	struct zs_node_row row = {.entry = zs_span("e", 1)};
	struct zs_node_writer w;
	struct zs_err err;

	(void)state;
	zs_node_writer_init(&w, 0);
	while (path.n < ZS_PATH_MAX) {
		assert_int_equal(zs_buf_add_u8(&path, path.n % 256 == 255 ? '/' : 'a', &err), 0);
		if (path.p[path.n - 1] != '/' && (path.n > ZS_PATH_MAX - 20 || path.n < 20)) {
			row.path = zs_buf_span(&path);
			assert_int_equal(zs_node_writer_add(&w, &row, &err), 0);
		}
	}
	assert_int_equal(w.last_path.n, ZS_PATH_MAX);
	assert_int_equal(zs_node_writer_finish(&w, &out, &err), 0);
	record_property(record_find("node"), zs_buf_span(&out));
	/* The last row again, one byte longer: its path begins with 65534 bytes of the row before. */
	zs_buf_clear(&out);
	assert_int_equal(zs_buf_add(&out, "\x00\x02\x00", 3, &err), 0);
	assert_int_equal(zs_buf_add_varint(&out, path.n, &err), 0);
	assert_int_equal(zs_buf_add_span(&out, zs_buf_span(&path), &err), 0);
	assert_int_equal(zs_buf_add(&out, "\x01" "e", 2, &err), 0);
	assert_int_equal(zs_buf_add_varint(&out, path.n, &err), 0);
	assert_int_equal(zs_buf_add(&out, "\x01z\x01" "e", 4, &err), 0);
	assert_undecodable("node", zs_buf_span(&out), ZS_CORRUPT);
	zs_node_writer_fini(&w);
	zs_buf_fini(&out);
	zs_buf_fini(&path);
}

static void inner_rows_have_totals(void **state)
{
	struct zs_node_row row = {.path = zs_span_str("a"), .child = {{1}}};
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_node_writer w;
	struct zs_err err;

	(void)state;
	zs_node_writer_init(&w, 1);
	assert_refused(zs_node_writer_finish(&w, &out, &err_), &out, ZS_INTERNAL);
	assert_refused(zs_node_writer_add(&w, &row, &err_), &w.body, ZS_INTERNAL);
	row.totals = (struct zs_totals){2, 1, 2, 0};
	assert_refused(zs_node_writer_add(&w, &row, &err_), &w.body, ZS_INTERNAL);
	row.totals = (struct zs_totals){UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	assert_int_equal(zs_node_writer_add(&w, &row, &err), 0);
	zs_node_writer_fini(&w);
	zs_node_writer_init(&w, 16);
	assert_refused(zs_node_writer_add(&w, &row, &err_), &w.body, ZS_INTERNAL);
	zs_node_writer_fini(&w);
	zs_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_round_trips),
	    cmocka_unit_test(order_is_kept),
	    cmocka_unit_test(greatest_length),
	    cmocka_unit_test(many_rows),
	    cmocka_unit_test(longest_paths),
	    cmocka_unit_test(inner_rows_have_totals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
