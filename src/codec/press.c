/*
 * Compression by zstd.  Every result is decompressed and compared before it is handed out, and every input of the
 * decompressor is bounded by what the caller says must come out.  Which bytes share a block is decided by others.
 */
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "zstore/codec.h"

#define LEVEL_MAX 19
#define SAMPLE_BYTES 4096u
#define SAMPLES_MIN 3u
#define SAMPLES_MAX 16u
#define SAMPLE_EVERY (128u << 10) /* one sample for so many bytes */
#define SAMPLE_LEVEL 1

struct zs_press {
	ZSTD_CCtx *cctx;
	ZSTD_DCtx *dctx;
	ZSTD_CCtx *probe;	/* small, for samples only: the big one keeps its tables' size */
	struct zs_buf check;	/* what came out again */
	struct zs_buf sample, sample_out;
};

int zs_press_new(struct zs_press **out, struct zs_err *err)
{
	struct zs_press *p = calloc(1, sizeof *p);

	if (!p)
		return zs_fail_nomem(err);
	p->cctx = ZSTD_createCCtx();
	p->dctx = ZSTD_createDCtx();
	p->probe = ZSTD_createCCtx();
	if (!p->cctx || !p->dctx || !p->probe) {
		zs_press_free(p);
		return zs_fail_nomem(err);
	}
	*out = p;
	return 0;
}

void zs_press_free(struct zs_press *p)
{
	if (!p)
		return;
	(void)ZSTD_freeCCtx(p->cctx);
	(void)ZSTD_freeDCtx(p->dctx);
	(void)ZSTD_freeCCtx(p->probe);
	zs_buf_wipe(&p->check);
	zs_buf_wipe(&p->sample);
	zs_buf_wipe(&p->sample_out);
	free(p);
}

static int store_plain(struct zs_span plain, struct zs_buf *out, enum zs_press_algo *out_algo, struct zs_err *err)
{
	if (zs_buf_add_span(out, plain, err) < 0)
		return -1;
	*out_algo = ZS_PRESS_NONE;
	return 0;
}

/* 1 if pressed decompresses to plain, 0 if not, -1 ZS_NOMEM. */
static int comes_back(struct zs_press *p, struct zs_span plain, const uint8_t *pressed, size_t pressed_bytes,
    struct zs_err *err)
{
	size_t n;

	zs_buf_clear(&p->check);
	if (zs_buf_reserve(&p->check, plain.n, err) < 0)
		return -1;
	n = ZSTD_decompressDCtx(p->dctx, p->check.p, plain.n, pressed, pressed_bytes);
	return !ZSTD_isError(n) && n == plain.n && !memcmp(p->check.p, plain.p, plain.n);
}

int zs_press_pack(struct zs_press *p, struct zs_span plain, int level, struct zs_buf *out,
    enum zs_press_algo *out_algo, struct zs_err *err)
{
	size_t room, n;
	int same;

	if (level <= 0 || plain.n < 2)
		return store_plain(plain, out, out_algo, err);
	if (level > LEVEL_MAX)
		level = LEVEL_MAX;
	/* zstd gives up when the result does not fit: that is the rule about 1/64. */
	room = plain.n - plain.n / 64 - (plain.n < 64);
	if (zs_buf_reserve(out, room, err) < 0)
		return -1;
	if (ZSTD_isError(ZSTD_CCtx_setParameter(p->cctx, ZSTD_c_compressionLevel, level)))
		return zs_fail(err, ZS_INTERNAL, "zstd refuses level %d", level);
	n = ZSTD_compress2(p->cctx, out->p + out->n, room, plain.p, plain.n);
	if (ZSTD_isError(n))
		return store_plain(plain, out, out_algo, err);
	same = comes_back(p, plain, out->p + out->n, n, err);
	if (same < 0)
		return -1;
	if (!same)
		return store_plain(plain, out, out_algo, err);
	out->n += n;
	*out_algo = ZS_PRESS_ZSTD;
	return 0;
}

static int unpack_zstd(struct zs_press *p, struct zs_span pressed, size_t plain_bytes, struct zs_buf *out,
    struct zs_err *err)
{
	unsigned long long said = ZSTD_getFrameContentSize(pressed.p, pressed.n);
	size_t n;

	/* One frame that says its size: before any memory is asked for. */
	if (said == ZSTD_CONTENTSIZE_ERROR || said == ZSTD_CONTENTSIZE_UNKNOWN || said != plain_bytes)
		return zs_fail(err, ZS_CORRUPT, "compressed bytes do not hold the %zu bytes that they should",
		    plain_bytes);
	if (ZSTD_findFrameCompressedSize(pressed.p, pressed.n) != pressed.n)
		return zs_fail(err, ZS_CORRUPT, "compressed bytes are cut off or continue after their end");
	if (zs_buf_reserve(out, plain_bytes, err) < 0)
		return -1;
	n = ZSTD_decompressDCtx(p->dctx, out->p + out->n, plain_bytes, pressed.p, pressed.n);
	if (ZSTD_isError(n))
		return zs_fail(err, ZS_CORRUPT, "decompress: %s", ZSTD_getErrorName(n));
	if (n != plain_bytes)
		return zs_fail(err, ZS_CORRUPT, "decompress: %zu bytes came out, not %zu", n, plain_bytes);
	out->n += n;
	return 0;
}

int zs_press_unpack(struct zs_press *p, enum zs_press_algo algo, struct zs_span pressed, size_t plain_bytes,
    struct zs_buf *out, struct zs_err *err)
{
	switch (algo) {
	case ZS_PRESS_NONE:
		if (pressed.n != plain_bytes)
			return zs_fail(err, ZS_CORRUPT, "%zu bytes are stored, not %zu", pressed.n, plain_bytes);
		return zs_buf_add_span(out, pressed, err);
	case ZS_PRESS_ZSTD:
		return unpack_zstd(p, pressed, plain_bytes, out, err);
	}
	return zs_fail(err, ZS_CORRUPT, "unknown compression %d", (int)algo);
}

int zs_press_is_dense(struct zs_press *p, struct zs_span plain)
{
	size_t samples = plain.n / SAMPLE_EVERY, room, n;
	struct zs_err ignored;

	samples = samples < SAMPLES_MIN ? SAMPLES_MIN : samples > SAMPLES_MAX ? SAMPLES_MAX : samples;
	if (plain.n < 2 * samples * SAMPLE_BYTES)
		return 0; /* trying is as cheap as asking */
	zs_buf_clear(&p->sample);
	for (size_t i = 0; i < samples; i++) { /* the middle of each of equal parts */
		size_t part = plain.n / samples, at = i * part + (part - SAMPLE_BYTES) / 2;

		if (zs_buf_add(&p->sample, plain.p + at, SAMPLE_BYTES, &ignored) < 0)
			return 0;
	}
	room = p->sample.n - p->sample.n * 3 / 100;
	zs_buf_clear(&p->sample_out);
	if (zs_buf_reserve(&p->sample_out, room, &ignored) < 0)
		return 0;
	n = ZSTD_compressCCtx(p->probe, p->sample_out.p, room, p->sample.p, p->sample.n, SAMPLE_LEVEL);
	return ZSTD_isError(n) ? 1 : 0;
}
