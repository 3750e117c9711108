/*
 * Bytes of a named charset to UTF-8 fit for showing: no control characters, no invalid sequence.
 * Western charsets by table; others through iconv(3), from a list of what mail uses (libc knows many more, and
 * some of its rarer converters have had bugs that hostile mail could reach).
 */
#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "mail_private.h"

#define REPLACEMENT 0xfffdu

/* windows-1252, 0x80..0x9f; what it leaves undefined is 0 */
static const uint16_t cp1252[32] = {
	0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0,
	0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e,
	0x0178,
};

/* Mail's name, lower case, and iconv's. */
static const struct { const char *name, *iconv; } converters[] = {
	{"iso-8859-2", "ISO-8859-2"}, {"iso-8859-3", "ISO-8859-3"}, {"iso-8859-4", "ISO-8859-4"},
	{"iso-8859-5", "ISO-8859-5"}, {"iso-8859-6", "ISO-8859-6"}, {"iso-8859-7", "ISO-8859-7"},
	{"iso-8859-8", "ISO-8859-8"}, {"iso-8859-8-i", "ISO-8859-8"}, {"iso-8859-9", "ISO-8859-9"},
	{"iso-8859-10", "ISO-8859-10"}, {"iso-8859-13", "ISO-8859-13"}, {"iso-8859-14", "ISO-8859-14"},
	{"iso-8859-16", "ISO-8859-16"}, {"windows-1250", "CP1250"}, {"windows-1251", "CP1251"},
	{"windows-1253", "CP1253"}, {"windows-1254", "CP1254"}, {"windows-1255", "CP1255"}, {"windows-1256", "CP1256"},
	{"windows-1257", "CP1257"}, {"windows-1258", "CP1258"}, {"windows-874", "CP874"}, {"tis-620", "TIS-620"},
	{"koi8-r", "KOI8-R"}, {"koi8-u", "KOI8-U"}, {"macintosh", "MACINTOSH"}, {"iso-2022-jp", "ISO-2022-JP"},
	{"shift_jis", "CP932"}, {"shift-jis", "CP932"}, {"euc-jp", "EUC-JP"}, {"gb2312", "GBK"}, {"gbk", "GBK"},
	{"gb18030", "GB18030"}, {"big5", "BIG5"}, {"euc-kr", "CP949"}, {"ks_c_5601-1987", "CP949"},
	{"utf-16", "UTF-16"},
	{"utf-16le", "UTF-16LE"}, {"utf-16be", "UTF-16BE"}, {"utf-7", "UTF-7"},
};

/* Append a character, or what stands for it: white space is a space, another control U+FFFD. */
static int put(struct zs_buf *out, uint32_t c, struct zs_err *err)
{
	uint8_t b[4];
	size_t n;

	if (c == '\t' || c == '\n' || c == '\r')
		c = ' ';
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		c = REPLACEMENT;
	if (c < 0x80) {
		b[0] = (uint8_t)c;
		n = 1;
	} else if (c < 0x800) {
		b[0] = (uint8_t)(0xc0 | c >> 6);
		n = 2;
	} else if (c < 0x10000) {
		b[0] = (uint8_t)(0xe0 | c >> 12);
		n = 3;
	} else {
		b[0] = (uint8_t)(0xf0 | c >> 18);
		n = 4;
	}
	for (size_t i = 1; i < n; i++)
		b[i] = (uint8_t)(0x80 | (c >> 6 * (n - 1 - i) & 0x3f));
	return zs_buf_add(out, b, n, err);
}

/* One character off the front of *s; REPLACEMENT and one byte if there is none. */
static uint32_t take_utf8(struct zs_span *s)
{
	static const uint32_t least[4] = {0, 0x80, 0x800, 0x10000};
	uint32_t c = s->p[0];
	size_t more = c < 0x80 ? 0 : c < 0xc2 ? 9 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf5 ? 3 : 9;
	size_t i;

	if (more == 9 || s->n <= more)
		goto bad;
	c &= more ? 0x3fu >> more : 0x7f;
	for (i = 1; i <= more; i++) {
		if ((s->p[i] & 0xc0) != 0x80)
			goto bad;
		c = c << 6 | (s->p[i] & 0x3f);
	}
	if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		goto bad;
	s->p += more + 1;
	s->n -= more + 1;
	return c;
bad:
	s->p++;
	s->n--;
	return REPLACEMENT;
}

static int text_utf8(struct zs_span s, struct zs_buf *out, struct zs_err *err)
{
	while (s.n) {
		size_t plain = 0;

		while (plain < s.n && s.p[plain] >= 0x20 && s.p[plain] < 0x7f)
			plain++;
		if (zs_buf_add(out, s.p, plain, err) < 0)
			return -1;
		s = zs_span(s.p + plain, s.n - plain);
		if (s.n && put(out, take_utf8(&s), err) < 0)
			return -1;
	}
	return 0;
}

static uint32_t latin9(uint8_t c)
{
	switch (c) {
	case 0xa4: return 0x20ac;
	case 0xa6: return 0x160;
	case 0xa8: return 0x161;
	case 0xb4: return 0x17d;
	case 0xb8: return 0x17e;
	case 0xbc: return 0x152;
	case 0xbd: return 0x153;
	case 0xbe: return 0x178;
	default: return c;
	}
}

static int text_western(struct zs_span s, int is_latin9, struct zs_buf *out, struct zs_err *err)
{
	for (size_t i = 0; i < s.n; i++) {
		uint32_t c = s.p[i];

		if (is_latin9)
			c = latin9(s.p[i]);
		else if (c >= 0x80 && c < 0xa0)
			c = cp1252[c - 0x80] ? cp1252[c - 0x80] : REPLACEMENT;
		if (put(out, c, err) < 0)
			return -1;
	}
	return 0;
}

static int text_iconv(const char *from, struct zs_span s, struct zs_buf *out, struct zs_err *err)
{
	iconv_t cd = iconv_open("UTF-8", from);
	char in[1024], part[4096];
	int rc = -1;

	if (cd == (iconv_t)-1)
		return text_utf8(s, out, err);
	while (s.n) {
		size_t n = s.n < sizeof in ? s.n : sizeof in, left = n, room = sizeof part;
		char *from_p = in, *to_p = part;
		int sys;

		memcpy(in, s.p, n);
		sys = iconv(cd, &from_p, &left, &to_p, &room) == (size_t)-1 ? errno : 0;
		if (text_utf8(zs_span(part, sizeof part - room), out, err) < 0)
			goto out;
		n -= left;
		if (sys == EILSEQ || (sys == EINVAL && n == 0) || (sys && !n && room == sizeof part)) {
			if (put(out, REPLACEMENT, err) < 0)
				goto out;
			n++; /* a byte that is no text */
		}
		s.p += n;
		s.n -= n;
	}
	{ /* some hold a letter back, for an accent that might follow */
		char *to_p = part;
		size_t room = sizeof part;

		(void)iconv(cd, NULL, NULL, &to_p, &room);
		rc = text_utf8(zs_span(part, sizeof part - room), out, err);
	}
out:
	(void)iconv_close(cd);
	return rc;
}

int charset_text(struct zs_span charset, struct zs_span bytes, struct zs_buf *out, struct zs_err *err)
{
	if (sniff_equal(charset.p, charset.n, "iso-8859-1") || sniff_equal(charset.p, charset.n, "windows-1252"))
		return text_western(bytes, 0, out, err); /* what says 8859-1 is mostly 1252, which holds all its text */
	if (sniff_equal(charset.p, charset.n, "iso-8859-15"))
		return text_western(bytes, 1, out, err);
	for (size_t i = 0; i < sizeof converters / sizeof *converters; i++)
		if (sniff_equal(charset.p, charset.n, converters[i].name))
			return text_iconv(converters[i].iconv, bytes, out, err);
	return text_utf8(bytes, out, err);
}

void charset_truncate(struct zs_buf *b, size_t from, size_t max)
{
	if (b->n - from <= max)
		return;
	b->n = from + max;
	while (b->n > from && (b->p[b->n] & 0xc0) == 0x80)
		b->n--;
}
