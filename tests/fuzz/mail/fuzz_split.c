/* Any bytes, any slicing: the same recipe, and joining it gives the bytes back.  The first two
 * bytes choose the slices. */
#include "fuzz_mail.h"

static int on_write(void *ctx, struct zs_span s, struct zs_err *err)
{
	return zs_buf_add_span(&((struct fuzz_world *)ctx)->out, s, err);
}

static int on_hole(void *ctx, uint64_t n, struct zs_err *err)
{
	(void)ctx;
	(void)n;
	(void)err;
	abort(); /* none was fed */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_world *w = fuzz_world();
	struct zs_buf sliced = ZS_BUF_INIT;
	struct zs_split_result a, b;
	struct zs_err err = {0};
	struct zs_join_io io = {w, fuzz_chunk, on_write, on_hole};
	struct zs_entry e = {.kind = ZS_ENTRY_FILE};
	struct zs_span s;

	if (size < 2)
		return 0;
	s = zs_span(data + 2, size - 2);
	a = fuzz_split(w, s, (uint32_t)data[0] << 8 | data[1] | 1);
	CHECK(zs_buf_add_span(&sliced, zs_buf_span(&w->recipe), &err) == 0);
	b = fuzz_split(w, s, 0);
	CHECK(zs_span_eq(zs_buf_span(&sliced), zs_buf_span(&w->recipe)));
	CHECK(a.bytes == s.n && b.bytes == s.n && a.sum == b.sum && a.sum == zs_hash64(0, s));
	CHECK(a.is_message == b.is_message);
	e.size = b.bytes;
	e.sum = b.sum;
	e.recipe = zs_buf_span(&w->recipe);
	zs_buf_clear(&w->out);
	CHECK(zs_mail_join(&e, &io, &err) == 0);
	CHECK(zs_span_eq(zs_buf_span(&w->out), s));
	zs_buf_fini(&sliced);
	return 0;
}
