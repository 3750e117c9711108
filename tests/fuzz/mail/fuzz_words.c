/* Header text of any bytes: valid UTF-8 without controls, no longer than asked, and a prefix of the uncut text. */
#include "fuzz_mail.h"

static size_t char_bytes(const uint8_t *p, size_t n)
{
	uint32_t c = p[0];
	size_t more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;

	CHECK(c >= 0x20 && c != 0x7f && c < 0xf8 && (c < 0x80 || c >= 0xc2));
	CHECK(more < n);
	c &= more ? 0x3fu >> more : 0x7fu;
	for (size_t i = 1; i <= more; i++) {
		CHECK((p[i] & 0xc0) == 0x80);
		c = c << 6 | (p[i] & 0x3f);
	}
	CHECK(c <= 0x10ffff && (c < 0xd800 || c >= 0xe000) && !(c >= 0x80 && c < 0xa0));
	return more + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zs_buf all = ZS_BUF_INIT, cut = ZS_BUF_INIT;
	struct zs_err err = {0};
	struct zs_span id;
	size_t max;

	if (!size)
		return 0;
	max = data[0];
	CHECK(zs_mail_header_text(zs_span(data + 1, size - 1), 1 << 20, &all, &err) == 0);
	CHECK(zs_mail_header_text(zs_span(data + 1, size - 1), max, &cut, &err) == 0);
	CHECK(cut.n <= max && cut.n <= all.n && (!cut.n || !memcmp(cut.p, all.p, cut.n)));
	CHECK(cut.n == all.n || cut.n + 4 > max);
	for (size_t i = 0; i < all.n;)
		i += char_bytes(all.p + i, all.n - i);
	id = zs_mail_message_id(zs_span(data, size));
	CHECK(id.n <= size && (!id.n || (id.p >= data && id.p + id.n <= data + size)));
	zs_buf_fini(&all);
	zs_buf_fini(&cut);
	return 0;
}
