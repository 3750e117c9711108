/*
 * Decompressing anything gives exactly the promised number of bytes or ZS_CORRUPT, without memory beyond that number;
 * and what is packed comes back.  Input: algorithm, promised bytes (u16), payload.
 */
#include <stdlib.h>

#include "zstore/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct zs_press *press;
	struct zs_span s = zs_span(data, size);
	struct zs_buf out = ZS_BUF_INIT, packed = ZS_BUF_INIT;
	enum zs_press_algo algo;
	struct zs_err err = {0};
	uint16_t promised;
	uint8_t as;

	if (!press && (zs_codec_init(&err) < 0 || zs_press_new(&press, &err) < 0))
		abort();
	if (zs_take_u8(&s, &as) < 0 || zs_take_u16(&s, &promised) < 0)
		return 0;
	if (zs_press_unpack(press, (enum zs_press_algo)(as % 3), s, promised, &out, &err) == 0) {
		if (out.n != promised)
			abort();
	} else if (err.cause != ZS_CORRUPT || out.n) {
		abort();
	}
	if (out.cap > 4u * 65536)
		abort();

	zs_buf_clear(&out);
	if (zs_press_pack(press, s, as % 20, &packed, &algo, &err) < 0 || packed.n > s.n)
		abort();
	if (zs_press_unpack(press, algo, zs_buf_span(&packed), s.n, &out, &err) < 0 ||
	    !zs_span_eq(zs_buf_span(&out), s))
		abort();
	(void)zs_press_is_dense(press, s);
	zs_buf_fini(&out);
	zs_buf_fini(&packed);
	return 0;
}
