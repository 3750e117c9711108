/* Reading files found by the scan: holes, growth, truncation, replacement. */
#include "util.h"

#include <errno.h>

static void test_plain(void **state)
{
	struct zs_buf got = ZS_BUF_INIT, want = ZS_BUF_INIT;
	struct walk w = {0};
	uint64_t holes;
	int fd, changed = 1;

	(void)state;
	for (int i = 0; i < 3000; i++)
		assert_int_equal(zs_buf_printf(&want, &w.err, "line %d\n", i), 0);
	fd = open("f", O_CREAT | O_WRONLY, 0644);
	assert_int_equal(zs_write_all(fd, want.p, want.n, ZS_SYSTEM, "f", &w.err), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(walk_open(&w, "f"), 0);
	walk_to(&w, "f");
	for (int i = 0; i < 2; i++) { /* a handle may be opened again */
		got.n = 0;
		assert_int_equal(read_all(w.item.handle, &got, &holes, &changed, &w.err), 0);
		assert_true(zs_span_eq(zs_buf_span(&got), zs_buf_span(&want)));
		assert_int_equal(changed, 0);
		assert_int_equal(holes, 0);
	}
	walk_close(&w);
	zs_buf_fini(&got);
	zs_buf_fini(&want);
}

static void check_sparse(const char *path, uint64_t size, uint64_t data_at)
{
	struct zs_buf got = ZS_BUF_INIT;
	struct walk w = {0};
	int fd = open(path, O_CREAT | O_RDWR, 0644), changed;
	uint64_t holes;

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	if (data_at + 4 <= size)
		assert_int_equal(pwrite(fd, "data", 4, (off_t)data_at), 4);
	assert_int_equal(walk_open(&w, path), 0);
	walk_to(&w, path);
	assert_int_equal(read_all(w.item.handle, &got, &holes, &changed, &w.err), 0);
	assert_int_equal(got.n, size);
	assert_int_equal(changed, 0);
	assert_true(holes >= size - 65536 && holes <= size);
	for (size_t i = 0; i < got.n; i++)
		assert_int_equal(got.p[i], i >= data_at && i < data_at + 4 &&
		    data_at + 4 <= size ? "data"[i - data_at] : 0);
	assert_int_equal(close(fd), 0);
	walk_close(&w);
	zs_buf_fini(&got);
}

static void test_holes(void **state)
{
	(void)state;
	check_sparse("all", 1 << 20, UINT64_MAX - 4);
	check_sparse("front", 1 << 20, (1 << 20) - 4);
	check_sparse("back", 1 << 20, 0);
	check_sparse("middle", 1 << 20, 500000);
	check_sparse("odd", (1 << 20) + 1, 500000);
}

/* Written to between each two reads, for ever: ends all the same, and says so. */
static void test_grows(void **state)
{
	struct zs_source_reader *r;
	struct walk w = {0};
	uint64_t hole, sum = 0;
	uint8_t buf[100];
	int fd, changed = 0;
	size_t n;

	(void)state;
	put_file("f", "");
	assert_int_equal(truncate("f", 0), 0);
	fd = open("f", O_WRONLY | O_APPEND);
	memset(buf, 'x', sizeof buf);
	for (int i = 0; i < 50; i++)
		assert_int_equal(write(fd, buf, sizeof buf), sizeof buf);
	assert_int_equal(walk_open(&w, "f"), 0);
	walk_to(&w, "f");
	assert_int_equal(w.item.entry.size, 5000);
	assert_int_equal(write(fd, buf, sizeof buf), sizeof buf); /* before it is opened: this is read too */
	assert_int_equal(zs_source_open(w.item.handle, &r, &w.err), 0);
	do {
		assert_int_equal(zs_source_read(r, buf, sizeof buf, &n, &hole, &w.err), 0);
		assert_int_equal(hole, 0);
		sum += n;
		assert_int_equal(write(fd, buf, sizeof buf), sizeof buf);
	} while (n);
	assert_int_equal(sum, 5100);
	assert_int_equal(zs_source_close(&r, &changed, &w.err), 0);
	assert_null(r);
	assert_int_equal(changed, 1);
	assert_int_equal(close(fd), 0);
	walk_close(&w);
}

static void check_shrinks(int is_sparse)
{
	struct zs_source_reader *r;
	struct walk w = {0};
	uint64_t hole, sum = 0;
	uint8_t buf[1000];
	int changed = 0;
	size_t n;

	put_file("f", "");
	assert_int_equal(truncate("f", 0), 0);
	if (is_sparse) {
		assert_int_equal(truncate("f", 100000), 0);
	} else {
		for (int i = 0; i < 100; i++) {
			int fd = open("f", O_WRONLY | O_APPEND);

			memset(buf, 'x', sizeof buf);
			assert_int_equal(write(fd, buf, sizeof buf), sizeof buf);
			assert_int_equal(close(fd), 0);
		}
	}
	assert_int_equal(walk_open(&w, "f"), 0);
	walk_to(&w, "f");
	assert_int_equal(zs_source_open(w.item.handle, &r, &w.err), 0);
	assert_int_equal(truncate("f", 10), 0);
	do {
		assert_int_equal(zs_source_read(r, buf, sizeof buf, &n, &hole, &w.err), 0);
		sum += n + hole;
	} while (n || hole);
	assert_int_equal(sum, 10);
	assert_int_equal(zs_source_close(&r, &changed, &w.err), 0);
	assert_int_equal(changed, 1);
	walk_close(&w);
}

static void test_shrinks(void **state)
{
	(void)state;
	check_shrinks(0);
	check_shrinks(1);
}

/* What stands under the name now is not what was seen. */
static void test_replaced(void **state)
{
	struct zs_buf got = ZS_BUF_INIT;
	struct walk w = {0};
	struct zs_source_reader *r;
	uint64_t holes;
	int changed = 0;

	(void)state;
	put_file("f", "old");
	assert_int_equal(walk_open(&w, "f"), 0);
	walk_to(&w, "f");
	put_file("g", "new!");
	assert_int_equal(rename("g", "f"), 0); /* as an editor saves: the same owner and mode */
	assert_int_equal(read_all(w.item.handle, &got, &holes, &changed, &w.err), 0);
	assert_true(zs_span_eq(zs_buf_span(&got), zs_span_str("new!")));
	assert_int_equal(changed, 1);
	assert_int_equal(unlink("f"), 0);
	put_file("g", "private");
	assert_int_equal(chmod("g", 0600), 0);
	assert_int_equal(rename("g", "f"), 0); /* would be restored with the old mode: for all to see */
	assert_int_equal(zs_source_open(w.item.handle, &r, &w.err), -1);
	assert_int_equal(w.err.cause, ZS_SOURCE);
	assert_non_null(strstr(w.err.text, "replaced"));
	assert_int_equal(unlink("f"), 0);
	assert_int_equal(symlink("/etc/passwd", "f"), 0);
	assert_int_equal(zs_source_open(w.item.handle, &r, &w.err), -1);
	assert_non_null(strstr(w.err.text, "changed type"));
	assert_int_equal(unlink("f"), 0);
	assert_int_equal(mkfifo("f", 0644), 0); /* must not wait for a writer */
	assert_int_equal(zs_source_open(w.item.handle, &r, &w.err), -1);
	assert_non_null(strstr(w.err.text, "changed type"));
	walk_close(&w);
	zs_buf_fini(&got);
}

static void test_no_content(void **state)
{
	struct zs_source_reader *r;
	struct walk w = {0};

	(void)state;
	assert_int_equal(mkdir("d", 0755), 0);
	assert_int_equal(walk_open(&w, "d"), 0);
	walk_to(&w, "d");
	assert_int_equal(zs_source_open(w.item.handle, &r, &w.err), -1);
	assert_int_equal(w.err.cause, ZS_SOURCE);
	walk_close(&w);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
	const struct CMUnitTest tests[] = {
		T(test_plain), T(test_holes), T(test_grows), T(test_shrinks), T(test_replaced), T(test_no_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
