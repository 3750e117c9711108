/* Any bytes: the places of their recipe, and the fragments at their edges, cover them exactly once. */
#include "fuzz_mail.h"

struct cover {
	struct fuzz_world *w;
	struct zs_span want;
	uint64_t covered;
	struct zs_fragment *fragments;
	size_t n, cap;
};

static void stand(struct cover *c, uint64_t at, struct zs_span s)
{
	CHECK(at <= c->want.n && s.n <= c->want.n - at);
	CHECK(!s.n || !memcmp(c->want.p + at, s.p, s.n));
	c->covered += s.n;
}

static int on_place(void *ctx, const struct zs_place *p, struct zs_err *err)
{
	struct cover *c = ctx;
	struct fuzz_chunk *k = fuzz_find(c->w, &p->id);
	struct zs_buf text = ZS_BUF_INIT;
	struct zs_fragment f[2];
	uint64_t at;
	unsigned n;

	CHECK(k && p->chunk_from + (uint64_t)p->bytes <= k->n);
	if (!p->b64) {
		stand(c, p->at, zs_span(k->p + p->chunk_from, p->bytes));
		return 0;
	}
	CHECK(zs_mail_place_encode(p, zs_span(k->p + p->chunk_from, p->bytes), &text, &at, f, &n, err) == 0);
	stand(c, at, zs_buf_span(&text));
	zs_buf_fini(&text);
	for (unsigned i = 0; i < n; i++) {
		if (c->n == c->cap) {
			c->cap = 2 * c->cap + 8;
			c->fragments = realloc(c->fragments, c->cap * sizeof *c->fragments);
			CHECK(c->fragments);
		}
		c->fragments[c->n++] = f[i];
	}
	return 0;
}

/* Fragments come in order: those of a group stand together. */
static void complete(struct cover *c)
{
	for (size_t i = 0; i < c->n;) {
		const struct zs_fragment *f = &c->fragments[i];
		struct zs_buf text = ZS_BUF_INIT;
		struct zs_err err = {0};
		uint8_t bytes[3];
		unsigned have = 0;
		uint64_t at;

		for (; i < c->n && c->fragments[i].group == f->group &&
		    c->fragments[i].extent.at == f->extent.at; i++) {
			CHECK(c->fragments[i].first == have && have + c->fragments[i].count <= 3);
			memcpy(bytes + have, c->fragments[i].bytes, c->fragments[i].count);
			have += c->fragments[i].count;
		}
		CHECK(zs_mail_group_encode(&f->extent, f->group, bytes, have, &text, &at, &err) == 0);
		stand(c, at, zs_buf_span(&text));
		zs_buf_fini(&text);
	}
}

static int on_ref(void *ctx, const struct zs_id *id, uint32_t bytes, struct zs_err *err)
{
	struct fuzz_chunk *k = fuzz_find(ctx, id);

	(void)err;
	CHECK(k && k->n == bytes);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_world *w = fuzz_world();
	struct cover c = {.w = w, .want = zs_span(data, size)};
	struct zs_split_result r = fuzz_split(w, c.want, 0);
	struct zs_place_io io = {&c, NULL, on_place};
	struct zs_entry e = {.kind = ZS_ENTRY_FILE, .size = r.bytes, .sum = r.sum, .recipe = zs_buf_span(&w->recipe)};
	struct zs_err err = {0};

	CHECK(zs_mail_places(&e, &io, &err) == 0);
	complete(&c);
	CHECK(c.covered == size);
	CHECK(zs_mail_refs(&e, fuzz_chunk, on_ref, w, &err) == 0);
	free(c.fragments);
	return 0;
}
