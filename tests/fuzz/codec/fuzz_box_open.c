/*
 * Bytes from anywhere never open as a box or a pack, and a valid box or pack header opens only as it is.  Input: as it
 * comes, and as (position, value) pairs that change a valid one.
 */
#include <stdlib.h>
#include <string.h>

#include "zstore/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct zs_key key = {{1, 2, 3}};
static const struct zs_name repo = {{9}};

static void never_opens(struct zs_span box)
{
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};
	uint16_t version = 0;

	if (zs_box_open(&key, "ZSSN", 3, zs_span_str("place"), box, &out, &version, &err) == 0 || out.n)
		abort();
	if (err.cause != ZS_KEY && err.cause != ZS_CORRUPT && err.cause != ZS_VERSION)
		abort();
	zs_buf_fini(&out);
}

static void header_never_opens(const struct zs_keyring *kr, struct zs_span header)
{
	struct zs_pack_seal *ps = NULL;
	struct zs_pack_tag tag;
	struct zs_err err = {0};

	if (zs_pack_seal_open(kr, &repo, header, &tag, &ps, &err) == 0 || ps)
		abort();
}

/* Change p as data says; 1 if anything is another byte now. */
static int change(uint8_t *p, size_t n, const uint8_t *data, size_t size)
{
	int changed = 0;

	for (; size >= 2; data += 2, size -= 2)
		if (data[1]) {
			p[data[0] % n] ^= data[1];
			changed = 1;
		}
	return changed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct zs_keyring *kr;
	struct zs_buf box = ZS_BUF_INIT, out = ZS_BUF_INIT, before = ZS_BUF_INIT;
	uint8_t header[ZS_PACK_HEADER], header_before[ZS_PACK_HEADER];
	struct zs_pack_seal *ps = NULL;
	struct zs_pack_tag tag;
	struct zs_err err = {0};
	uint16_t version = 0;

	if (!kr) {
		if (zs_codec_init(&err) < 0 || !(kr = zs_keyring_new(&err)))
			abort();
		zs_keyring_generate(kr);
	}
	never_opens(zs_span(data, size));
	header_never_opens(kr, zs_span(data, size));

	if (zs_box_seal(&key, "ZSSN", 3, zs_span_str("place"), zs_span(data, size), &box, &err) < 0 ||
	    zs_box_open(&key, "ZSSN", 3, zs_span_str("place"), zs_buf_span(&box), &out, &version, &err) < 0 ||
	    !zs_span_eq(zs_buf_span(&out), zs_span(data, size)) || version != 3)
		abort();
	if (zs_buf_add_span(&before, zs_buf_span(&box), &err) < 0)
		abort();
	if (change(box.p, box.n, data, size) && !zs_span_eq(zs_buf_span(&box), zs_buf_span(&before)))
		never_opens(zs_buf_span(&box));
	never_opens(zs_span(before.p, size % before.n)); /* cut off */

	if (zs_pack_seal_new(kr, &repo, header, &tag, &ps, &err) < 0)
		abort();
	zs_pack_seal_free(ps);
	memcpy(header_before, header, sizeof header);
	if (change(header, sizeof header, data, size) && memcmp(header, header_before, sizeof header) != 0)
		header_never_opens(kr, zs_span(header, sizeof header));
	zs_buf_fini(&box);
	zs_buf_fini(&before);
	zs_buf_fini(&out);
	return 0;
}
