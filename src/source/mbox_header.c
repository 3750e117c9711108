/*
 * What programs keep of flags and keywords in the headers of an mbox.
 */
#include "maildir_private.h"
#include "mbox_private.h"

#include <stdlib.h>
#include <string.h>

void mbox_header_fini(struct mbox_item *item)
{
	zs_buf_fini(&item->flags);
	zs_buf_fini(&item->tags);
}

struct found { char letters[16]; size_t n; }; /* of flags, as a Maildir has them */

static void add_letter(struct found *f, char letter)
{
	if (f->n < sizeof f->letters && !memchr(f->letters, letter, f->n))
		f->letters[f->n++] = letter;
}

static int has(struct zs_span value, char c)
{
	return value.n && memchr(value.p, c, value.n) != NULL;
}

/* Four hexadecimal digits: 1 read, 2 replied, 4 marked, 8 deleted, 0x1000 forwarded. */
static void mozilla_status(struct zs_span value, struct found *f)
{
	char text[9] = {0};
	unsigned long bits;

	memcpy(text, value.p, value.n < 8 ? value.n : 8);
	bits = strtoul(text, NULL, 16);
	if (bits & 1)
		add_letter(f, 'S');
	if (bits & 2)
		add_letter(f, 'R');
	if (bits & 4)
		add_letter(f, 'F');
	if (bits & 8)
		add_letter(f, 'T');
	if (bits & 0x1000)
		add_letter(f, 'P');
}

static int add_words(struct zs_span value, struct zs_buf *tags, struct zs_err *err)
{
	size_t at = 0;

	while (at < value.n) {
		size_t n = 0;

		while (at + n < value.n && value.p[at + n] > ' ')
			n++;
		if (n && ((tags->n && zs_buf_add_u8(tags, 0, err) < 0) || zs_buf_add(tags, value.p + at, n, err) < 0))
			return -1;
		at += n + 1;
	}
	return 0;
}

static uint64_t number_of(struct zs_span value)
{
	uint64_t v = 0;

	for (size_t i = 0; i < value.n && value.p[i] >= '0' && value.p[i] <= '9' && v < UINT32_MAX; i++)
		v = v * 10 + (uint64_t)(value.p[i] - '0');
	return v;
}

static int is_field(struct zs_span name, const char *text)
{
	return name.n == strlen(text) && strncasecmp((const char *)name.p, text, name.n) == 0;
}

static int take_field(struct zs_span name, struct zs_span value, struct found *f, struct mbox_item *out, struct zs_err *err)
{
	static const struct { const char *field; char is, letter; } flags[] = {
		{"Status", 'R', 'S'}, {"X-Status", 'A', 'R'}, {"X-Status", 'F', 'F'}, {"X-Status", 'D', 'T'}, {"X-Status", 'T', 'D'},
	};

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (is_field(name, flags[i].field) && has(value, flags[i].is))
			add_letter(f, flags[i].letter);
	if (is_field(name, "X-Mozilla-Status"))
		mozilla_status(value, f);
	if (is_field(name, "X-UID"))
		out->uid = number_of(value);
	if (is_field(name, "X-Keywords") || is_field(name, "X-Mozilla-Keys"))
		return add_words(value, &out->tags, err);
	return 0;
}

/* The length of the field that begins at p, continuation lines included. */
static size_t field_length(struct zs_span s)
{
	size_t at = 0;

	do {
		const uint8_t *nl = memchr(s.p + at, '\n', s.n - at);

		at = nl ? (size_t)(nl - s.p) + 1 : s.n;
	} while (at < s.n && (s.p[at] == ' ' || s.p[at] == '\t'));
	return at;
}

int mbox_header_item(struct zs_span header, struct mbox_item *out, struct zs_err *err)
{
	struct found f = {.n = 0};
	struct maildir_name as_name;

	while (header.n) {
		size_t n = field_length(header), name = mbox_line_field(zs_span(header.p, n));
		const uint8_t *colon = name ? memchr(header.p + name, ':', n - name) : NULL;
		size_t from = colon ? (size_t)(colon - header.p) + 1 : n;

		while (from < n && (header.p[from] == ' ' || header.p[from] == '\t'))
			from++;
		if (name && take_field(zs_span(header.p, name), zs_span(header.p + from, n - from), &f, out, err) < 0)
			return -1;
		header.p += n;
		header.n -= n;
	}
	as_name = (struct maildir_name){.flags = zs_span(f.letters, f.n)};
	return maildir_name_flags(&as_name, &out->flags, err);
}
