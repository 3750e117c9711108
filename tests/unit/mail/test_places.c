/* Places put together in any order are the content; fragments at their edges included. */
#include "mail_test.h"

struct rebuild {
	struct world *w;
	struct zs_buf out;
	uint8_t *written;	/* how often each byte was */
	struct zs_fragment *fragments;
	size_t n, cap, size;
	long fail_at, calls;
};

static void stand(struct rebuild *r, uint64_t at, struct zs_span s)
{
	assert_true(at + s.n <= r->size);
	for (size_t i = 0; i < s.n; i++) {
		r->out.p[at + i] = s.p[i];
		assert_int_equal(r->written[at + i]++, 0);
	}
}

static int on_place(void *ctx, const struct zs_place *p, struct zs_err *err)
{
	struct rebuild *r = ctx;
	struct kept *k = world_find(r->w, &p->id);
	struct zs_buf text = ZS_BUF_INIT;
	struct zs_fragment f[2];
	uint64_t at = 0;
	unsigned n = 0;

	if (r->calls++ == r->fail_at)
		return zs_fail(err, ZS_TARGET, "as asked");
	assert_non_null(k);
	assert_true(p->chunk_from + (size_t)p->bytes <= k->n);
	if (!p->b64) {
		stand(r, p->at, zs_span(k->p + p->chunk_from, p->bytes));
		return 0;
	}
	assert_int_equal(zs_mail_place_encode(p, zs_span(k->p + p->chunk_from, p->bytes), &text, &at, f, &n, err), 0);
	stand(r, at, zs_buf_span(&text));
	for (unsigned i = 0; i < n; i++) {
		if (r->n == r->cap) {
			r->cap = r->cap ? 2 * r->cap : 16;
			r->fragments = must(realloc(r->fragments, r->cap * sizeof *r->fragments));
		}
		r->fragments[r->n++] = f[i];
	}
	zs_buf_fini(&text);
	return 0;
}

/* As a restore would: collect what belongs to one group, and write it once it is complete. */
static void complete(struct rebuild *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct zs_fragment *f = &r->fragments[i];
		uint64_t left = f->extent.total - 3 * f->group;
		unsigned want = left < 3 ? (unsigned)left : 3, have = 0;
		struct zs_buf text = ZS_BUF_INIT;
		struct zs_err err = {0};
		uint8_t bytes[3];
		uint64_t at;

		for (size_t k = 0; k < r->n; k++) {
			const struct zs_fragment *g = &r->fragments[k];

			if (g->group != f->group || g->extent.at != f->extent.at)
				continue;
			assert_true(g->count && g->first + g->count <= 3);
			memcpy(bytes + g->first, g->bytes, g->count);
			have += k < i ? 4 : g->count; /* complete already: too many */
		}
		if (have > 3)
			continue;
		assert_int_equal(have, want);
		assert_int_equal(zs_mail_group_encode(&f->extent, f->group, bytes, want, &text, &at, &err), 0);
		stand(r, at, zs_buf_span(&text));
		zs_buf_fini(&text);
	}
}

static void rebuild(struct world *w, const struct zs_entry *e, struct zs_span want)
{
	struct rebuild r = {.w = w, .size = want.n, .fail_at = -1};
	struct zs_place_io io = {&r, NULL, on_place};
	struct zs_err err = {0};

	assert_int_equal(zs_buf_reserve(&r.out, want.n + 1, &err), 0);
	memset(r.out.p, 0, want.n);
	r.written = must(calloc(want.n + 1, 1));
	if (zs_mail_places(e, &io, &err) < 0)
		fail_msg("%s", err.text);
	complete(&r);
	for (size_t i = 0; i < want.n; i++)
		assert_int_equal(r.written[i], 1);
	assert_memory_equal(r.out.p, want.p, want.n);
	free(r.written);
	free(r.fragments);
	zs_buf_fini(&r.out);
}

/* Chunks so small that groups straddle two and three of them. */
static void any_chunks_any_lines(void **state)
{
	static const uint32_t lines[] = {76, 1, 2, 3, 4, 5, 57, 64, 998};
	struct zs_buf recipe = ZS_BUF_INIT, text = ZS_BUF_INIT;
	struct zs_err err = {0};
	uint64_t seed = 4;
	uint8_t bytes[600];
	struct world w;

	(void)state;
	world_init(&w);
	for (unsigned i = 0; i < 600; i++) {
		struct zs_op op = {.type = ZS_OP_B64, .bytes = 1 + dice(&seed) % 600, .line = lines[i % 9],
		    .crlf = i & 1, .tail = i >> 1 & 1};
		struct zs_op raw[600];
		struct zs_entry e = {.kind = ZS_ENTRY_FILE};

		zs_buf_clear(&recipe);
		zs_buf_clear(&text);
		world_forget(&w);
		for (size_t k = 0; k < sizeof bytes; k++)
			bytes[k] = (uint8_t)dice(&seed);
		for (uint64_t at = 0; at < op.bytes; op.chunks++) {
			uint64_t n = 1 + dice(&seed) % (i % 3 ? 5 : 100);

			n = n < op.bytes - at ? n : op.bytes - at;
			raw[op.chunks] = (struct zs_op){.type = ZS_OP_RAW, .bytes = n};
			zs_codec_chunk_id(&w.key, zs_span(bytes + at, n), &raw[op.chunks].id);
			assert_int_equal(world_keep(&w, ZS_KIND_ATTACHMENT, &raw[op.chunks].id, zs_span(bytes + at, n),
			    &err), 0);
			at += n;
		}
		assert_int_equal(zs_format_op_encode(&op, &recipe, &err), 0);
		for (uint64_t k = 0; k < op.chunks; k++)
			assert_int_equal(zs_format_op_encode(&raw[k], &recipe, &err), 0);
		add_base64(&text, zs_span(bytes, op.bytes), op.line, op.crlf ? "\r\n" : "\n", op.tail);
		assert_int_equal(zs_mail_b64_length(op.bytes, op.line, op.crlf, op.tail), text.n);
		e.size = text.n;
		e.recipe = zs_buf_span(&recipe);
		rebuild(&w, &e, zs_buf_span(&text));
	}
	zs_buf_fini(&recipe);
	zs_buf_fini(&text);
	world_fini(&w);
}

static void whole_messages(void **state)
{
	struct zs_buf m = ZS_BUF_INIT, text = ZS_BUF_INIT, file = ZS_BUF_INIT;
	struct world w;

	(void)state;
	world_init(&w);
	add_noise(&file, 50000, 1);
	add_prose(&text, 20000, 1);
	for (uint32_t line = 55; line < 80; line++) {
		struct zs_split_result r;
		struct zs_entry e;

		zs_buf_clear(&m);
		add_message(&m, "bob@example.org", "=_b", zs_span(text.p, text.n / (line - 54)), zs_span(file.p,
		    file.n - line), line, "\r\n");
		r = world_round_trip(&w, zs_buf_span(&m), 0);
		e = world_entry(&w, &r);
		rebuild(&w, &e, zs_buf_span(&m));
	}
	zs_buf_fini(&m);
	zs_buf_fini(&text);
	zs_buf_fini(&file);
	world_fini(&w);
}

static int count_ref(void *ctx, const struct zs_id *id, uint32_t bytes, struct zs_err *err)
{
	struct rebuild *r = ctx;
	struct kept *k = world_find(r->w, id);

	if (r->calls++ == r->fail_at)
		return zs_fail(err, ZS_IO, "as asked");
	assert_non_null(k);
	assert_int_equal(k->n, bytes);
	return 0;
}

static int ref_chunk(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err)
{
	return world_chunk(((struct rebuild *)ctx)->w, id, out, err);
}

static int put(void *ctx, enum zs_kind kind, const struct zs_id *id, struct zs_span plain, struct zs_err *err)
{
	return world_keep(ctx, kind, id, plain, err);
}

/* refs sees each chunk of the recipe and of the content; a failing callback ends it. */
static void refs_of_a_spilled_recipe(void **state)
{
	struct rebuild r = {.fail_at = -1};
	struct zs_recipe_writer *rw = NULL;
	struct zs_split_result result;
	struct zs_buf noise = ZS_BUF_INIT;
	struct zs_err err = {0};
	struct zs_entry e;
	struct zs_span recipe;
	struct world w;
	uint8_t depth;
	long calls, raws;

	(void)state;
	world_init_sizes(&w, 64, 64, 256);
	r.w = &w;
	add_noise(&noise, 100000, 2);
	result = world_split(&w, zs_buf_span(&noise), 0);
	raws = (long)w.n;
	assert_int_equal(zs_recipe_writer_new(&w.key, &rw, &err), 0);
	assert_int_equal(zs_recipe_writer_add(rw, zs_buf_span(&w.recipe), put, &w, &err), 0);
	assert_int_equal(zs_recipe_writer_finish(rw, put, &w, &recipe, &depth, &err), 0);
	assert_int_equal(depth, 1);
	e = world_entry(&w, &result);
	e.recipe = recipe;
	e.recipe_depth = depth;
	assert_int_equal(zs_mail_refs(&e, ref_chunk, count_ref, &r, &err), 0);
	calls = r.calls;
	assert_int_equal(calls, w.n);
	assert_true(calls > raws);
	for (r.fail_at = 0; r.fail_at < calls; r.fail_at += 37) {
		r.calls = 0;
		assert_int_equal(zs_mail_refs(&e, ref_chunk, count_ref, &r, &err), -1);
	}
	e.size++;
	r.fail_at = -1;
	assert_int_equal(zs_mail_refs(&e, ref_chunk, count_ref, &r, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	zs_recipe_writer_free(rw);
	zs_buf_fini(&noise);
	world_fini(&w);
}

static void refuses_bad_places(void **state)
{
	struct zs_place good = {.bytes = 3, .b64 = 1, .line = 76, .total = 6, .position = 3}, p;
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_fragment f[2];
	struct zs_err err = {0};
	unsigned n;
	uint64_t at;

	(void)state;
	assert_int_equal(zs_mail_place_encode(&good, zs_span("abc", 3), &out, &at, f, &n, &err), 0);
	assert_int_equal(zs_mail_place_encode(&good, zs_span("abc", 2), &out, &at, f, &n, &err), -1);
	for (int i = 0; i < 9; i++) {
		p = good;
		p.b64 = i != 0;
		p.line = i == 1 ? 0 : i == 2 ? 999 : 76;
		p.total = i == 3 ? 0 : i == 4 ? 5 : i == 5 ? UINT64_MAX : 6;
		p.position = i == 6 ? 6 : i == 7 ? UINT64_MAX : 3;
		p.at = i == 8 ? UINT64_MAX : 0;
		assert_int_equal(zs_mail_place_encode(&p, zs_span("abc", 3), &out, &at, f, &n, &err), -1);
		assert_int_equal(err.cause, ZS_CORRUPT);
	}
	assert_int_equal(zs_mail_group_encode(&good, 1, (const uint8_t *)"abc", 3, &out, &at, &err), 0);
	assert_int_equal(zs_mail_group_encode(&good, 1, (const uint8_t *)"abc", 2, &out, &at, &err), -1);
	assert_int_equal(zs_mail_group_encode(&good, 2, (const uint8_t *)"abc", 3, &out, &at, &err), -1);
	assert_int_equal(zs_mail_group_encode(&good, UINT64_MAX, (const uint8_t *)"abc", 3, &out, &at, &err), -1);
	zs_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_chunks_any_lines), cmocka_unit_test(whole_messages),
		cmocka_unit_test(refs_of_a_spilled_recipe), cmocka_unit_test(refuses_bad_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
