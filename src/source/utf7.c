/*
 * Modified UTF-7 (RFC 3501, 5.1.3), in which IMAP servers write names of folders, on the
 * wire and on disk.  Strict: two names never give the same text.
 */
#include "source_private.h"

static int base64_digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == ',' ? 63 : -1;
}

static int add_char(struct zs_buf *out, uint32_t c, struct zs_err *err)
{
	uint8_t b[4];
	size_t n;

	if (c < 0x80) {
		b[0] = (uint8_t)c;
		n = 1;
	} else if (c < 0x800) {
		b[0] = (uint8_t)(0xc0 | c >> 6);
		b[1] = (uint8_t)(0x80 | (c & 63));
		n = 2;
	} else if (c < 0x10000) {
		b[0] = (uint8_t)(0xe0 | c >> 12);
		b[1] = (uint8_t)(0x80 | (c >> 6 & 63));
		b[2] = (uint8_t)(0x80 | (c & 63));
		n = 3;
	} else {
		b[0] = (uint8_t)(0xf0 | c >> 18);
		b[1] = (uint8_t)(0x80 | (c >> 12 & 63));
		b[2] = (uint8_t)(0x80 | (c >> 6 & 63));
		b[3] = (uint8_t)(0x80 | (c & 63));
		n = 4;
	}
	return zs_buf_add(out, b, n, err);
}

struct shifted { /* between '&' and '-' */
	uint32_t bits, high; /* high: surrogate that waits for its second half */
	unsigned count, units;
};

/* One unit of UTF-16: 1, 0: no encoder writes that. */
static int take_unit(struct shifted *s, uint32_t unit, struct zs_buf *out, struct zs_err *err)
{
	s->units++;
	if (s->high) {
		uint32_t c = 0x10000 + ((s->high & 0x3ff) << 10 | (unit & 0x3ff));

		s->high = 0;
		return unit < 0xdc00 || unit > 0xdfff ? 0 : add_char(out, c, err) < 0 ? -1 : 1;
	}
	if (unit >= 0xd800 && unit <= 0xdbff) {
		s->high = unit;
		return 1;
	}
	if (unit == 0 || (unit >= 0xdc00 && unit <= 0xdfff) || (unit >= 0x20 && unit <= 0x7e))
		return 0; /* what can be written plainly must be */
	return add_char(out, unit, err) < 0 ? -1 : 1;
}

/* raw[*at] stands behind a '&': 1 and *at behind the '-'. */
static int take_shifted(struct zs_span raw, size_t *at, struct zs_buf *out, struct zs_err *err)
{
	struct shifted s = {0};
	int rc, digit;

	if (*at < raw.n && raw.p[*at] == '-') {
		++*at;
		return zs_buf_add_u8(out, '&', err) < 0 ? -1 : 1;
	}
	for (; *at < raw.n && (digit = base64_digit(raw.p[*at])) >= 0; ++*at) {
		s.bits = (s.bits << 6 | (uint32_t)digit) & 0xfffff;
		s.count += 6;
		if (s.count < 16)
			continue;
		s.count -= 16;
		if ((rc = take_unit(&s, s.bits >> s.count & 0xffff, out, err)) <= 0)
			return rc;
	}
	if (*at == raw.n || raw.p[*at] != '-' || s.units == 0 || s.high || s.count >= 6 || (s.bits & ((1u << s.count) - 1)))
		return 0;
	++*at;
	/* Two runs side by side would have been one. */
	return *at + 1 < raw.n && raw.p[*at] == '&' && raw.p[*at + 1] != '-' ? 0 : 1;
}

int utf7_decode(struct zs_span raw, struct zs_buf *out, struct zs_err *err)
{
	size_t before = out->n;
	int rc = 1;

	for (size_t at = 0; rc > 0 && at < raw.n;) {
		uint8_t c = raw.p[at++];

		if (c == '&')
			rc = take_shifted(raw, &at, out, err);
		else if (c < 0x20 || c > 0x7e)
			rc = 0;
		else if (zs_buf_add_u8(out, c, err) < 0)
			rc = -1;
	}
	if (rc <= 0)
		out->n = before;
	return rc;
}

static int add_checked(struct zs_span raw, struct zs_buf *out, struct zs_err *err)
{
	for (size_t at = 0; at < raw.n;) {
		size_t n = zs_utf8_length(raw.p + at, raw.n - at);

		if ((n ? zs_buf_add(out, raw.p + at, n, err) : zs_buf_add(out, "\xef\xbf\xbd", 3, err)) < 0)
			return -1;
		at += n ? n : 1;
	}
	return 0;
}

int utf7_text(struct zs_span raw, struct zs_buf *out, struct zs_err *err)
{
	int rc = utf7_decode(raw, out, err);

	return rc ? (rc < 0 ? -1 : 0) : add_checked(raw, out, err);
}
