/*
 * Whatever a server says: no reply is longer than what was there, a body has the bytes that were announced, lists of flags
 * come apart; and pieces do not matter.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../../../src/source/imap_private.h"

struct feed { const uint8_t *p; size_t n, piece; };
struct seen { uint64_t announced, came, all; uint64_t hash; };

static int fill(void *ctx, uint8_t *p, size_t n, size_t *out_n, struct zs_err *err)
{
	struct feed *f = ctx;

	if (f->n == 0)
		return zs_fail(err, ZS_SOURCE, "end");
	*out_n = f->n < f->piece ? f->n : f->piece;
	*out_n = *out_n < n ? *out_n : n;
	memcpy(p, f->p, *out_n);
	f->p += *out_n;
	f->n -= *out_n;
	return 0;
}

static int begin(void *ctx, const struct imap_reply *r, uint64_t n, struct zs_err *err)
{
	struct seen *s = ctx;

	(void)err;
	assert(r->type == IMAP_FETCH);
	s->announced = n;
	s->came = 0;
	return 0;
}

static int data(void *ctx, const uint8_t *p, size_t n, struct zs_err *err)
{
	struct seen *s = ctx;

	(void)err;
	s->came += n;
	s->all += n;
	for (size_t i = 0; i < n; i++)
		s->hash = s->hash * 31 + p[i];
	assert(n > 0 && s->came <= s->announced);
	return 0;
}

static uint64_t mix(uint64_t h, struct zs_span s)
{
	return zs_hash64(h, s);
}

static uint64_t run(const uint8_t *p, size_t n, size_t piece)
{
	struct feed feed = {p, n, piece};
	struct seen seen = {0};
	const struct imap_sink sink = {&seen, begin, data};
	struct imap_stream s;
	struct imap_reply r = {0};
	struct zs_err err = {0};
	struct zs_buf flags = ZS_BUF_INIT, tags = ZS_BUF_INIT, path = ZS_BUF_INIT;
	uint64_t h = 0;

	if (imap_stream_init(&s, fill, &feed, &err) < 0)
		abort();
	while (imap_reply_read(&s, &r, &sink, &err) == 0) {
		if (r.has & IMAP_HAS_BODY)
			assert(seen.came == seen.announced);
		zs_buf_clear(&flags);
		zs_buf_clear(&tags);
		zs_buf_clear(&path);
		if (imap_listing_flags(zs_buf_span(&r.flags), &flags, &tags, &err) < 0)
			abort();
		assert(flags.n + tags.n <= r.flags.n + 1);
		if (r.type == IMAP_LIST) {
			if (imap_names_path(zs_buf_span(&r.name), r.delimiter, &path, &err) < 0)
				abort();
			assert(path.n > ZS_PATH_MAX || zs_path_valid(zs_buf_span(&path)));
		}
		h = mix(mix(mix(h, zs_buf_span(&r.text)), zs_buf_span(&r.name)), zs_buf_span(&r.flags));
		h = h * 31 + r.has + r.uid + r.size + (uint64_t)r.type + r.tag + (uint64_t)r.date_ns;
	}
	assert(err.cause == ZS_SOURCE && memchr(err.text, 0, sizeof err.text));
	assert(seen.all <= n);
	imap_reply_fini(&r);
	imap_stream_fini(&s);
	zs_buf_fini(&flags);
	zs_buf_fini(&tags);
	zs_buf_fini(&path);
	return h * 31 + seen.hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint64_t whole = run(p, n, SIZE_MAX);

	if (run(p, n, 1) != whole || run(p, n, 13) != whole)
		abort();
	return 0;
}
