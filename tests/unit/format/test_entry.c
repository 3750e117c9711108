/* Entries and xattr lists: round trips, times at the edges of 64 bits, every rule, greatest lengths. */
#include "common.h"

static uint8_t pool[4096];

static struct zs_span random_span(unsigned max)
{
	return zs_span(pool + below(1000), below(2) ? below(max) : 0);
}

static int64_t random_time(void)
{
	int64_t t = (int64_t)(below(2) ? number() : rnd());

	if (below(2))
		t -= t % 1000000000;
	return t;
}

static void random_content(struct zs_entry *e)
{
	e->sum = rnd();
	e->flags |= below(2) ? ZS_ENTRY_MESSAGE : 0;
	switch (below(3)) {
	case 0:
		break;
	case 1:
		e->inline_data = zs_span(pool, 1 + below(ZS_INLINE_MAX));
		e->size = e->inline_data.n;
		break;
	default:
		e->recipe = zs_span(pool, 1 + below(300));
		e->recipe_depth = (uint8_t)(below(5) * below(2));
		e->size = number() | 1;
	}
}

static void random_message(struct zs_entry *e)
{
	e->from = random_span(50);
	e->to = random_span(300);
	e->subject = random_span(50);
	e->message_id = random_span(50);
	e->attachments = random_span(50);
	e->date_ns = below(2) ? INT64_MIN : random_time();
	if (below(2))
		return;
	e->flags |= ZS_ENTRY_HAS_ITEM;
	e->item_id = number();
	e->item_folder = random_span(20);
	e->item_flags = random_span(20);
	e->item_tags = random_span(20);
	e->item_date_ns = below(2) ? INT64_MIN : random_time();
}

static struct zs_entry random_entry(void)
{
	struct zs_entry e = {.kind = (uint8_t)(1 + below(7)), .mtime_ns = random_time(), .date_ns = INT64_MIN,
	    .item_date_ns = INT64_MIN, .identity = below(2) ? rnd() : 0};

	if (below(2)) {
		e.flags |= ZS_ENTRY_HAS_MODE;
		e.mode = below(010000);
		e.uid = (uint32_t)number();
		e.gid = (uint32_t)number();
	}
	e.flags |= below(2) ? ZS_ENTRY_UNSTABLE : 0;
	e.user = random_span(20);
	e.group = random_span(20);
	e.xattrs = random_span(200);
	if (below(4) == 0) {
		e.link_dev = number();
		e.link_ino = number() | 1;
	}
	if (e.kind == ZS_ENTRY_FILE)
		random_content(&e);
	if (e.kind == ZS_ENTRY_SYMLINK)
		e.target = zs_span(pool, 1 + below(100));
	if (e.kind == ZS_ENTRY_CHAR || e.kind == ZS_ENTRY_BLOCK)
		e.rdev = number();
	if (below(2))
		random_message(&e);
	return e;
}

static void random_round_trips(void **state)
{
	(void)state;
	random_bytes(pool, sizeof pool);
	for (unsigned i = 0; i < 3000; i++) {
		struct zs_buf bytes = ZS_BUF_INIT, text = ZS_BUF_INIT;
		struct json j = {.out = &text, .depth = 1, .first = 1};
		struct zs_entry e = random_entry();
		struct zs_err err;

		assert_int_equal(zs_format_entry_encode(&e, &bytes, &err), 0);
		dump_entry(&j, &e);
		assert_round_trip("entry", &bytes, &text);
		zs_buf_fini(&bytes);
		zs_buf_fini(&text);
	}
}

static void times(void **state)
{
	static const int64_t edges[] = {0, 1, -1, 999999999, 1000000000, -999999999, -1000000000, -1000000001,
	    INT64_MAX, INT64_MAX - 1, INT64_MIN, INT64_MIN + 1, 9223372036000000000, -9223372036000000000,
	    -9223372036000000001};
	const size_t n = sizeof edges / sizeof *edges;

	(void)state;
	for (size_t i = 0; i < n * n * n; i++) {
		struct zs_entry e = {.kind = ZS_ENTRY_DIR, .flags = ZS_ENTRY_HAS_ITEM, .mtime_ns = edges[i % n],
		    .date_ns = edges[i / n % n], .item_date_ns = edges[i / n / n]}, back;
		struct zs_buf b = ZS_BUF_INIT;
		struct zs_err err;

		assert_int_equal(zs_format_entry_encode(&e, &b, &err), 0);
		assert_int_equal(zs_format_entry_decode(zs_buf_span(&b), &back, &err), 0);
		assert_true(
		    back.mtime_ns == e.mtime_ns && back.date_ns == e.date_ns && back.item_date_ns == e.item_date_ns);
		zs_buf_fini(&b);
	}
}

/* A message with whole seconds: its times cost 5, 2 and 2 bytes. */
static void whole_seconds_are_short(void **state)
{
	struct zs_entry e = {.kind = ZS_ENTRY_DIR, .mtime_ns = INT64_C(1763851445000000000), .date_ns = INT64_MIN,
	    .item_date_ns = INT64_MIN};
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err;

	(void)state;
	assert_int_equal(zs_format_entry_encode(&e, &b, &err), 0);
	assert_int_equal(b.n, 5 + 5);
	zs_buf_clear(&b);
	e.date_ns = e.mtime_ns - INT64_C(5000000000000);
	e.item_date_ns = e.mtime_ns + INT64_C(3600000000000);
	e.flags = ZS_ENTRY_HAS_ITEM;
	assert_int_equal(zs_format_entry_encode(&e, &b, &err), 0);
	assert_int_equal(b.n, 5 + 5 + 2 + 1 + 2);
	zs_buf_fini(&b);
}

static void what_is_not_meaningful_is_not_written(void **state)
{
	struct zs_entry e = {.kind = ZS_ENTRY_DIR, .mode = 0777, .uid = 1, .gid = 1, .item_id = 5, .date_ns = INT64_MIN,
	    .item_folder = zs_span_str("x"), .item_date_ns = 1}, back;
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err;

	(void)state;
	assert_int_equal(zs_format_entry_encode(&e, &b, &err), 0);
	assert_int_equal(b.n, 5);
	assert_int_equal(zs_format_entry_decode(zs_buf_span(&b), &back, &err), 0);
	assert_int_equal(back.mode, 0);
	assert_int_equal(back.item_id, 0);
	assert_true(back.item_date_ns == INT64_MIN);
	zs_buf_fini(&b);
}

#define NO_DATES .date_ns = INT64_MIN, .item_date_ns = INT64_MIN

static void rules(void **state)
{
	const struct zs_span one = zs_span_str("x");
	const struct zs_entry bad[] = {
	    {.kind = 0, NO_DATES},
	    {.kind = 8, NO_DATES},
	    {.kind = ZS_ENTRY_DIR, .flags = 16, NO_DATES},
	    {.kind = ZS_ENTRY_DIR, .flags = ZS_ENTRY_HAS_MODE, .mode = 010000, NO_DATES},
	    {.kind = ZS_ENTRY_FILE, .size = 1, NO_DATES},
	    {.kind = ZS_ENTRY_FILE, .size = 0, .inline_data = one, NO_DATES},
	    {.kind = ZS_ENTRY_FILE, .size = 0, .recipe = one, NO_DATES},
	    {.kind = ZS_ENTRY_FILE, .size = 2, .inline_data = one, NO_DATES},
	    {.kind = ZS_ENTRY_FILE, .size = 1, .inline_data = one, .recipe = one, NO_DATES},
	    {.kind = ZS_ENTRY_FILE,
		.size = ZS_INLINE_MAX + 1,
		.inline_data = zs_span(pool, ZS_INLINE_MAX + 1),
		NO_DATES},
	    {.kind = ZS_ENTRY_FILE, .size = 1, .inline_data = one, .recipe_depth = 1, NO_DATES},
	    {.kind = ZS_ENTRY_FILE, .size = 1, .recipe = one, .recipe_depth = 5, NO_DATES},
	    {.kind = ZS_ENTRY_FILE, .target = one, NO_DATES},
	    {.kind = ZS_ENTRY_SYMLINK, NO_DATES},
	    {.kind = ZS_ENTRY_DIR, .inline_data = one, .size = 1, NO_DATES},
	    {.kind = ZS_ENTRY_DIR, .flags = ZS_ENTRY_MESSAGE, NO_DATES},
	    {.kind = ZS_ENTRY_DIR, .rdev = 1, NO_DATES},
	    {.kind = ZS_ENTRY_DIR, .link_dev = 1, NO_DATES},
	};
	struct zs_buf out = ZS_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_refused(zs_format_entry_encode(&bad[i], &out, &err_), &out, ZS_INTERNAL);
	zs_buf_fini(&out);
}

static void greatest_length(void **state)
{
	static const uint8_t zeros[ZS_NODE_MAX + 1];
	struct zs_entry e = {.kind = ZS_ENTRY_SYMLINK, .target = zs_span(zeros, ZS_NODE_MAX - 8), NO_DATES}, back;
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err;

	(void)state;
	assert_int_equal(zs_format_entry_encode(&e, &out, &err), 0); /* kind, mask, length 3 */
	assert_int_equal(out.n, ZS_NODE_MAX);
	assert_int_equal(zs_format_entry_decode(zs_buf_span(&out), &back, &err), 0);
	e.target.n++;
	assert_refused(zs_format_entry_encode(&e, &out, &err_), &out, ZS_LIMIT);
	e.target.n = 1;
	e.xattrs = zs_span(zeros, ZS_NODE_MAX + 1);
	assert_refused(zs_format_entry_encode(&e, &out, &err_), &out, ZS_LIMIT);
	e.xattrs.n = SIZE_MAX; /* sums of lengths do not wrap around */
	assert_refused(zs_format_entry_encode(&e, &out, &err_), &out, ZS_LIMIT);
	assert_int_equal(zs_buf_add_u8(&out, 0, &err), 0);
	assert_undecodable("entry", zs_buf_span(&out), ZS_CORRUPT);
	zs_buf_fini(&out);
}

static void xattr_lists(void **state)
{
	struct zs_buf list = ZS_BUF_INIT;
	struct zs_span rest, name, value;
	char text[16], long_name[257];
	struct zs_err err;

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		(void)snprintf(text, sizeof text, "user.%03u", i);
		assert_int_equal(zs_format_xattr_add(&list, zs_span_str(text), zs_span(text, i % 9), &err), 0);
	}
	rest = zs_buf_span(&list);
	for (unsigned i = 0; i < 300; i++) {
		(void)snprintf(text, sizeof text, "user.%03u", i);
		assert_int_equal(zs_format_xattr_next(&rest, &name, &value, &err), 1);
		assert_true(zs_span_eq(name, zs_span_str(text)));
		assert_true(zs_span_eq(value, zs_span(text, i % 9)));
	}
	assert_int_equal(zs_format_xattr_next(&rest, &name, &value, &err), 0);
	assert_refused(zs_format_xattr_add(&list, zs_span_str("user.299"), value, &err_), &list, ZS_INTERNAL);
	assert_refused(zs_format_xattr_add(&list, zs_span_str("a"), value, &err_), &list, ZS_INTERNAL);
	assert_refused(zs_format_xattr_add(&list, zs_span_str(""), value, &err_), &list, ZS_LIMIT);
	assert_refused(zs_format_xattr_add(&list, zs_span("v\0", 2), value, &err_), &list, ZS_LIMIT);
	memset(long_name, 'v', sizeof long_name);
	assert_refused(zs_format_xattr_add(&list, zs_span(long_name, 256), value, &err_), &list, ZS_LIMIT);
	assert_int_equal(zs_format_xattr_add(&list, zs_span(long_name, 255), value, &err), 0);
	record_property(record_find("xattrs"), zs_buf_span(&list));
	list.n--; /* damaged: nothing can be added */
	list.p[list.n - 1] = 9;
	assert_refused(zs_format_xattr_add(&list, zs_span_str("z"), value, &err_), &list, ZS_CORRUPT);
	zs_buf_fini(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_round_trips),
	    cmocka_unit_test(times),
	    cmocka_unit_test(whole_seconds_are_short),
	    cmocka_unit_test(what_is_not_meaningful_is_not_written),
	    cmocka_unit_test(rules),
	    cmocka_unit_test(greatest_length),
	    cmocka_unit_test(xattr_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
