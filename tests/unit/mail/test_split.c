/* How messages are cut: what is shared between copies, what a recipe costs, where sections end, what fails. */
#include "mail_test.h"

struct ids { struct zs_id v[256]; size_t n; };

static void collect(const struct world *w, uint8_t within_b64, struct ids *out)
{
	struct zs_span rest = zs_buf_span(&w->recipe);
	struct zs_err err = {0};
	uint64_t left = 0;
	struct zs_op op;

	out->n = 0;
	while (zs_format_op_next(&rest, &op, &err) > 0) {
		if (op.type == ZS_OP_B64)
			left = op.chunks;
		if (op.type != ZS_OP_RAW)
			continue;
		if ((left > 0) == within_b64 && out->n < 256)
			out->v[out->n++] = op.id;
		left -= left > 0;
	}
}

static size_t shared(const struct ids *a, const struct ids *b)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++)
		for (size_t k = 0; k < b->n; k++)
			if (!zs_id_cmp(&a->v[i], &b->v[k])) {
				n++;
				break;
			}
	return n;
}

static void assert_same(const struct ids *a, const struct ids *b)
{
	assert_int_equal(a->n, b->n);
	assert_true(a->n > 0);
	assert_memory_equal(a->v, b->v, a->n * sizeof *a->v);
}

/* The main economy: one attachment and one text, mailed in every way that mailers know. */
static void copies_share_attachment_and_text(void **state)
{
	struct zs_buf text = ZS_BUF_INIT, file = ZS_BUF_INIT, m = ZS_BUF_INIT;
	struct ids first, texts, ids;
	struct world w;

	(void)state;
	world_init(&w);
	add_prose(&text, 3000, 5);
	add_noise(&file, 100001, 6);
	add_message(&m, "bob@example.org", "=_a", zs_buf_span(&text), zs_buf_span(&file), 76, "\r\n");
	(void)world_round_trip(&w, zs_buf_span(&m), 0);
	collect(&w, 1, &first);
	collect(&w, 0, &texts);
	assert_true(first.n > 5);
	for (unsigned i = 0; i < 16; i++) {
		static const uint32_t lines[] = {60, 64, 72, 76, 4, 998, 57, 75};

		zs_buf_clear(&m);
		add_message(&m, i & 1 ? "a-much-longer-name@example.org" : "c@example.org",
		    i & 2 ? "----=_Part_17" : "b",
		    zs_buf_span(&text), zs_buf_span(&file), lines[i / 2], i & 1 ? "\n" : "\r\n");
		(void)world_round_trip(&w, zs_buf_span(&m), 0);
		collect(&w, 1, &ids);
		assert_same(&first, &ids);
		collect(&w, 0, &ids);
		assert_same(&texts, &ids);
		assert_int_equal(world_ops(&w, ZS_OP_B64, NULL), 1);
	}
	zs_buf_fini(&text);
	zs_buf_fini(&file);
	zs_buf_fini(&m);
	world_fini(&w);
}

/* Forwarded as a message within a message, in an mbox, and with a file that was edited in the middle. */
static void forwards_and_edits_share(void **state)
{
	struct zs_buf text = ZS_BUF_INIT, file = ZS_BUF_INIT, m = ZS_BUF_INIT, outer = ZS_BUF_INIT;
	struct ids first, texts, ids;
	struct zs_err err = {0};
	struct world w;

	(void)state;
	world_init(&w);
	add_prose(&text, 2000, 5);
	add_noise(&file, 200000, 6);
	add_message(&m, "bob@example.org", "=_a", zs_buf_span(&text), zs_buf_span(&file), 76, "\r\n");
	(void)world_round_trip(&w, zs_buf_span(&m), 0);
	collect(&w, 1, &first);
	collect(&w, 0, &texts);

	add_header(&outer, "carol@example.org", "multipart/mixed; boundary=outer");
	add_text(&outer, "--outer\r\nContent-Type: message/rfc822\r\n\r\n");
	assert_int_equal(zs_buf_add_span(&outer, zs_buf_span(&m), &err), 0);
	add_text(&outer, "\r\n--outer--\r\n");
	(void)world_round_trip(&w, zs_buf_span(&outer), 0);
	collect(&w, 1, &ids);
	assert_same(&first, &ids);
	collect(&w, 0, &ids);
	assert_same(&texts, &ids);

	zs_buf_clear(&outer);
	for (int i = 0; i < 2; i++) {
		add_text(&outer, "From bob@example.org Mon Jan  2 15:04:05 2006\r\n");
		assert_int_equal(zs_buf_add_span(&outer, zs_buf_span(&m), &err), 0);
		add_text(&outer, "\r\n");
	}
	assert_false(world_round_trip(&w, zs_buf_span(&outer), 0).is_message);
	collect(&w, 1, &ids);
	assert_int_equal(ids.n, 2 * first.n);
	assert_memory_equal(ids.v, first.v, first.n * sizeof *first.v);
	assert_memory_equal(ids.v + first.n, first.v, first.n * sizeof *first.v);
	outer.n = m.n + 49; /* of one message, it is that message */
	assert_true(world_round_trip(&w, zs_buf_span(&outer), 0).is_message);

	memmove(file.p + 100000, file.p + 100007, file.n - 100007); /* seven bytes are taken out */
	file.n -= 7;
	zs_buf_clear(&m);
	add_message(&m, "bob@example.org", "=_a", zs_buf_span(&text), zs_buf_span(&file), 76, "\r\n");
	(void)world_round_trip(&w, zs_buf_span(&m), 0);
	collect(&w, 1, &ids);
	assert_in_range(shared(&ids, &first), first.n - 4, first.n - 1);
	zs_buf_fini(&text);
	zs_buf_fini(&file);
	zs_buf_fini(&m);
	zs_buf_fini(&outer);
	world_fini(&w);
}

static void recipes_are_small(void **state)
{
	struct zs_buf text = ZS_BUF_INIT, file = ZS_BUF_INIT, m = ZS_BUF_INIT;
	struct zs_op op;
	struct world w;

	(void)state;
	world_init(&w);
	add_header(&m, "bob@example.org", "text/plain");
	add_prose(&m, 500, 1);
	(void)world_round_trip(&w, zs_buf_span(&m), 0);
	assert_int_equal(w.n, 1); /* all of it is skeleton */
	assert_int_equal(w.chunks[0].kind, ZS_KIND_HEADER);
	assert_in_range(w.recipe.n, 1, 32);
	world_forget(&w);

	zs_buf_clear(&m);
	add_prose(&text, 3000, 5);
	add_noise(&file, 3000, 6);
	add_message(&m, "bob@example.org", "=_a", zs_buf_span(&text), zs_buf_span(&file), 76, "\r\n");
	(void)world_round_trip(&w, zs_buf_span(&m), 0);
	assert_int_equal(w.n, 3);
	assert_int_equal(w.bytes_of_kind[ZS_KIND_TEXT], text.n + 2);
	assert_int_equal(w.bytes_of_kind[ZS_KIND_ATTACHMENT], 3000);
	assert_in_range(w.recipe.n, 1, 100);
	assert_int_equal(world_ops(&w, ZS_OP_B64, &op), 1);
	assert_int_equal(op.bytes, 3000);
	assert_int_equal(op.line, 76);
	assert_int_equal(op.crlf, 1);
	assert_int_equal(op.tail, 1);
	zs_buf_fini(&text);
	zs_buf_fini(&file);
	zs_buf_fini(&m);
	world_fini(&w);
}

static void cuts_plain_streams_plainly(void **state)
{
	struct zs_buf b = ZS_BUF_INIT, message = ZS_BUF_INIT;
	struct zs_split_result r;
	struct zs_err err = {0};
	struct world w;

	(void)state;
	world_init(&w);
	add_noise(&b, 100000, 3);
	assert_false(world_round_trip(&w, zs_buf_span(&b), 0).is_message);
	assert_int_equal(w.chunks_of_kind[ZS_KIND_FILE], world_ops(&w, ZS_OP_RAW, NULL));
	assert_int_equal(w.bytes_of_kind[ZS_KIND_FILE], b.n);
	assert_in_range(w.chunks_of_kind[ZS_KIND_FILE], 100000 / 16384, 100000 / 1024);
	assert_int_equal(world_round_trip(&w, zs_span(NULL, 0), 0).bytes, 0);
	assert_int_equal(w.recipe.n, 0);

	add_header(&message, "a", "text/plain"); /* told what it is, it does not look */
	world_forget(&w);
	assert_int_equal(world_split_as(&w, ZS_KIND_SQL, zs_buf_span(&message), 0, &r, &err), 0);
	assert_false(r.is_message);
	assert_int_equal(w.n, 1);
	assert_int_equal(w.chunks[0].kind, ZS_KIND_SQL);
	assert_int_equal(world_split_as(&w, ZS_KIND_HEADER, zs_buf_span(&message), 0, &r, &err), -1);
	assert_int_equal(err.cause, ZS_USAGE);
	assert_int_equal(zs_splitter_feed(w.splitter, zs_buf_span(&message), &err), -1);
	assert_int_equal(zs_splitter_hole(w.splitter, 1, &err), -1);
	assert_int_equal(zs_splitter_end(w.splitter, &r, &err), -1);
	zs_buf_fini(&b);
	zs_buf_fini(&message);
	world_fini(&w);
}

/* A long skeleton goes in several chunks; each is used up within its section (the reader checks). */
static void sections_end(void **state)
{
	struct zs_buf m = ZS_BUF_INIT;
	struct zs_err err = {0};
	struct world w;

	(void)state;
	world_init(&w);
	add_header(&m, "bob@example.org", "multipart/mixed; boundary=b");
	for (int i = 0; i < 3000; i++)
		assert_int_equal(zs_buf_printf(&m, &err, "--b\r\nContent-Type: text/plain\r\n\r\nshort %d\r\n", i), 0);
	(void)world_round_trip(&w, zs_buf_span(&m), 0);
	assert_int_equal(world_ops(&w, ZS_OP_SKELETON, NULL), (m.n + 65535) / 65536);
	assert_int_equal(w.bytes_of_kind[ZS_KIND_HEADER], m.n);

	zs_buf_clear(&m);
	add_header(&m, "bob@example.org", "multipart/mixed; boundary=b");
	for (unsigned i = 0; i < 1500; i++) { /* many ops, little skeleton */
		add_text(&m, "--b\r\n\r\n");
		add_prose(&m, 1030, i);
	}
	(void)world_round_trip(&w, zs_buf_span(&m), 0);
	assert_in_range(world_ops(&w, ZS_OP_SKELETON, NULL), 2, 3);
	assert_in_range(world_ops(&w, ZS_OP_RAW, NULL), 1500, 1550);
	zs_buf_fini(&m);
	world_fini(&w);
}

/* Messages with a large header, or one that is too small for a section of its own. */
static void add_mbox_message(struct zs_buf *m, int i, size_t header)
{
	struct zs_err err = {0};

	assert_int_equal(zs_buf_printf(m, &err, "X-Number: %d\nX-Trace: %0*d\n", i, (int)header, i), 0);
	add_header(m, "bob@example.org", "text/plain");
	assert_int_equal(zs_buf_printf(m, &err, "message %d\nFrom now on it is 12:30 2006\n\nFrom x 12:30 2006\nplain\n\n\n", i), 0);
	if (i % 3)
		add_prose(m, 1500, (uint64_t)i);
}

/* A message has the same chunks in an mbox and by itself; what the mbox adds are its From_ lines.  Removing one moves nothing. */
static void mbox_shares_with_messages(void **state)
{
	struct zs_buf m = ZS_BUF_INIT, one = ZS_BUF_INIT;
	struct zs_err err = {0};
	size_t second = 0, third = 0, known;
	struct world w;

	(void)state;
	world_init(&w);
	for (int i = 0; i < 300; i++) {
		second = i == 1 ? m.n : second;
		third = i == 2 ? m.n : third;
		zs_buf_clear(&one);
		add_mbox_message(&one, i, 2000);
		assert_true(world_round_trip(&w, zs_buf_span(&one), 0).is_message);
		assert_int_equal(zs_buf_printf(&m, &err, "From a%d@example.org Mon Jan  2 15:04:05 2006\n", i), 0);
		assert_int_equal(zs_buf_add_span(&m, zs_buf_span(&one), &err), 0);
		add_text(&m, i % 2 ? "\r\n" : "\n");
	}
	known = w.n;
	(void)world_round_trip(&w, zs_buf_span(&m), 0);
	assert_int_equal(w.n - known, 301); /* 301: the last empty line */
	known = w.n;
	memmove(m.p + second, m.p + third, m.n - third);
	m.n -= third - second;
	(void)world_round_trip(&w, zs_buf_span(&m), 0);
	assert_in_range(w.n - known, 0, 1);
	zs_buf_fini(&m);
	zs_buf_fini(&one);
	world_fini(&w);
}

/* Small messages share a section; removing one moves few of them. */
static void small_messages_share_sections(void **state)
{
	struct zs_buf m = ZS_BUF_INIT;
	struct zs_err err = {0};
	struct world w;
	size_t second = 0, third = 0, known;

	(void)state;
	world_init(&w);
	for (int i = 0; i < 1000; i++) {
		second = i == 1 ? m.n : second;
		third = i == 2 ? m.n : third;
		assert_int_equal(zs_buf_printf(&m, &err, "From a%d@example.org Mon Jan  2 15:04:05 2006\n", i), 0);
		add_header(&m, "bob@example.org", "text/plain");
		assert_int_equal(zs_buf_printf(&m, &err, "message %d\n\n", i), 0);
	}
	(void)world_round_trip(&w, zs_buf_span(&m), 0);
	known = w.n;
	assert_in_range(known, 200, 600);
	memmove(m.p + second, m.p + third, m.n - third);
	m.n -= third - second;
	(void)world_round_trip(&w, zs_buf_span(&m), 0);
	assert_in_range(w.n - known, 1, 40);
	zs_buf_fini(&m);
	world_fini(&w);
}

/* Every call of the sink fails once: the error comes out, and the splitter can be used again. */
static void passes_errors_on(void **state)
{
	struct zs_buf text = ZS_BUF_INIT, file = ZS_BUF_INIT, m = ZS_BUF_INIT;
	struct zs_split_result r;
	struct zs_err err = {0};
	struct world w;
	long n = 0;

	(void)state;
	world_init(&w);
	add_prose(&text, 90000, 5);
	add_noise(&file, 90000, 6);
	add_message(&m, "bob@example.org", "=_a", zs_buf_span(&text), zs_buf_span(&file), 75, "\r\n");
	for (;; n++) {
		int rc;

		w.fail_at = n;
		rc = world_split_as(&w, ZS_KIND_FILE, zs_buf_span(&m), 0, &r, &err);
		w.fail_at = -1;
		if (!rc)
			break;
		assert_int_equal(err.cause, ZS_IO);
		zs_err_clear(&err);
		if (n % 10 == 0)
			(void)world_round_trip(&w, zs_buf_span(&m), 0);
	}
	assert_true(n > 20);
	zs_buf_fini(&text);
	zs_buf_fini(&file);
	zs_buf_fini(&m);
	world_fini(&w);
}

static void split_with_holes(struct world *w, struct zs_buf *want, uint64_t seed, struct zs_split_result *r)
{
	struct zs_split_sink sink = {w, world_keep, world_recipe};
	struct zs_buf m = ZS_BUF_INIT, file = ZS_BUF_INIT;
	struct zs_err err = {0};
	struct zs_span s;

	zs_buf_clear(want);
	zs_buf_clear(&w->recipe);
	if (seed % 3)
		add_header(&m, "bob@example.org", "multipart/mixed; boundary=b");
	add_prose(&m, 3000, seed);
	add_noise(&file, 2000, seed);
	add_base64(&m, zs_buf_span(&file), 72, "\n", 1);
	add_noise(&m, 3000, seed);
	assert_int_equal(zs_splitter_begin(w->splitter, ZS_KIND_FILE, &sink, &err), 0);
	for (s = zs_buf_span(&m); s.n;) {
		size_t n = 1 + dice(&seed) % 2000, hole = dice(&seed) % 3 ? dice(&seed) % 5000 : 0;

		n = n < s.n ? n : s.n;
		assert_int_equal(zs_splitter_feed(w->splitter, zs_span(s.p, n), &err), 0);
		assert_int_equal(zs_buf_add(want, s.p, n, &err), 0);
		s = zs_span(s.p + n, s.n - n);
		assert_int_equal(zs_splitter_hole(w->splitter, hole / 2, &err), 0); /* two that meet are one */
		assert_int_equal(zs_splitter_hole(w->splitter, hole - hole / 2, &err), 0);
		for (size_t i = 0; i < hole; i++)
			assert_int_equal(zs_buf_add_u8(want, 0, &err), 0);
	}
	assert_int_equal(zs_splitter_end(w->splitter, r, &err), 0);
	zs_buf_fini(&m);
	zs_buf_fini(&file);
}

static void keeps_holes(void **state)
{
	struct zs_buf want = ZS_BUF_INIT;
	struct zs_split_result r;
	struct zs_err err = {0};
	struct world w;

	(void)state;
	world_init(&w);
	for (uint64_t seed = 1; seed < 60; seed++) {
		struct zs_entry e;

		split_with_holes(&w, &want, seed, &r);
		assert_int_equal(r.bytes, want.n);
		assert_int_equal(r.sum, zs_hash64(0, zs_buf_span(&want)));
		e = world_entry(&w, &r);
		assert_int_equal(world_join(&w, &e, &err), 0);
		assert_int_equal(w.out.n, want.n);
		assert_memory_equal(w.out.p, want.p, want.n);
	}
	zs_buf_fini(&want);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_share_attachment_and_text), cmocka_unit_test(forwards_and_edits_share),
		cmocka_unit_test(recipes_are_small), cmocka_unit_test(cuts_plain_streams_plainly),
		    cmocka_unit_test(sections_end),
		cmocka_unit_test(mbox_shares_with_messages), cmocka_unit_test(small_messages_share_sections), cmocka_unit_test(passes_errors_on),
		    cmocka_unit_test(keeps_holes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
