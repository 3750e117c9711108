/*
 * Recipes that no writer wrote: depth, size, then ops.  A chunk id names a slice of the input itself, so that levels
 * and skeletons can be made.  Joining never outputs more than the entry's size, and what joins has places
 * and references.
 */
#include <string.h>

#include "fuzz_mail.h"

struct hostile { struct zs_span input; struct zs_buf out; uint64_t bytes, limit, placed; };

static int on_chunk(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err)
{
	const struct hostile *h = ctx;
	size_t from = zs_get_u16(id->b), n = id->b[2];

	if (from > h->input.n || n > h->input.n - from)
		return zs_fail(err, ZS_NOTFOUND, "no such chunk");
	*out = zs_span(h->input.p + from, n);
	return 0;
}

static int on_write(void *ctx, struct zs_span s, struct zs_err *err)
{
	struct hostile *h = ctx;

	h->bytes += s.n;
	CHECK(h->bytes <= h->limit);
	return zs_buf_add_span(&h->out, s, err);
}

static int on_hole(void *ctx, uint64_t n, struct zs_err *err)
{
	struct hostile *h = ctx;

	h->bytes += n;
	CHECK(h->bytes <= h->limit);
	for (; n; n--)
		if (zs_buf_add_u8(&h->out, 0, err) < 0)
			return -1;
	return 0;
}

static int on_place(void *ctx, const struct zs_place *p, struct zs_err *err)
{
	struct hostile *h = ctx;

	(void)err;
	CHECK(p->bytes && p->at < h->limit);
	CHECK(p->b64 ? p->position < p->total && p->bytes <= p->total - p->position : p->bytes <= h->limit - p->at);
	h->placed++;
	return 0;
}

static int on_ref(void *ctx, const struct zs_id *id, uint32_t bytes, struct zs_err *err)
{
	(void)ctx;
	(void)id;
	(void)bytes;
	(void)err;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hostile h = {.out = ZS_BUF_INIT};
	struct zs_join_io io = {&h, on_chunk, on_write, on_hole};
	struct zs_place_io places = {&h, on_chunk, on_place};
	struct zs_entry e = {.kind = ZS_ENTRY_FILE};
	struct zs_err err = {0};

	if (size < 4)
		return 0;
	e.recipe_depth = data[0] % 6;
	e.size = h.limit = zs_get_u16(data + 1);
	e.recipe = h.input = zs_span(data + 3, size - 3);
	if (data[0] & 0x80) { /* one chunk holds it */
		e.recipe.n = e.recipe.n < 28 ? e.recipe.n : 28;
	}
	if (zs_mail_join(&e, &io, &err) < 0 && strstr(err.text, "checksum")) {
		e.sum = zs_hash64(0, zs_buf_span(&h.out));
		CHECK(h.out.n == e.size);
		h.bytes = 0;
		zs_buf_clear(&h.out);
		CHECK(zs_mail_join(&e, &io, &err) == 0);
		CHECK(zs_mail_places(&e, &places, &err) == 0);
		CHECK(zs_mail_refs(&e, on_chunk, on_ref, &h, &err) == 0);
	} else {
		(void)!zs_mail_places(&e, &places, &err);
	}
	zs_buf_fini(&h.out);
	return 0;
}
