/*
 * Names in a Maildir: what a message's name says of it, what Dovecot calls its
 * keywords, and folders' names.  Pure: nothing is read here.
 */
#include "maildir_private.h"

#include <stdlib.h>
#include <string.h>

#define SECONDS_DIGITS_MAX 11

/* What stands between a name and its flags: ':', or what systems that cannot have one there use. */
static const char *const separators[] = {":", ";", "!", "+", "\xef\x80\xba", "\xef\x80\xa2"};

static const struct { uint8_t letter; const char *word; } words[] = {
	{'R', "\\Answered"}, {'T', "\\Deleted"}, {'D', "\\Draft"}, {'F', "\\Flagged"}, {'S', "\\Seen"}, {'P', "$Forwarded"},
};

/* The last place of sep and "1," or "2,"; name.n if there is none. */
static size_t find_info(struct zs_span name, const char *sep)
{
	size_t n = strlen(sep);

	for (size_t at = name.n; at-- > 1;) {
		const uint8_t *p = name.p + at;

		if (name.n - at >= n + 2 && !memcmp(p, sep, n) && (p[n] == '1' || p[n] == '2') && p[n + 1] == ',')
			return at;
	}
	return name.n;
}

static int64_t date_of(struct zs_span name)
{
	int64_t seconds = 0;
	size_t i = 0;

	while (i < name.n && i <= SECONDS_DIGITS_MAX && name.p[i] >= '0' && name.p[i] <= '9')
		seconds = seconds * 10 + (name.p[i++] - '0');
	if (i == 0 || i == name.n || name.p[i] != '.' || seconds == 0 || seconds > INT64_MAX / 1000000000)
		return INT64_MIN;
	return seconds * 1000000000;
}

void maildir_name_parse(struct zs_span name, struct maildir_name *out)
{
	*out = (struct maildir_name){.base = name, .date_ns = date_of(name)};
	for (size_t i = 0; i < sizeof separators / sizeof *separators; i++) {
		size_t at = find_info(name, separators[i]), from = at + strlen(separators[i]);
		const uint8_t *end;

		if (at == name.n)
			continue;
		out->base.n = at;
		if (name.p[from] != '2')
			return; /* "1,": experimental, no flags */
		out->flags = zs_span(name.p + from + 2, name.n - from - 2);
		end = memchr(out->flags.p, ',', out->flags.n); /* what may follow is of no standard */
		if (end)
			out->flags.n = (size_t)(end - out->flags.p);
		return;
	}
}

static int join(struct zs_buf *out, size_t begin, const char *text, struct zs_err *err)
{
	if (out->n > begin && zs_buf_add_u8(out, 0, err) < 0)
		return -1;
	return zs_buf_add_span(out, zs_span_str(text), err);
}

int maildir_name_flags(const struct maildir_name *n, struct zs_buf *out, struct zs_err *err)
{
	size_t begin = out->n;

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (n->flags.n && memchr(n->flags.p, words[i].letter, n->flags.n) && join(out, begin, words[i].word, err) < 0)
			return -1;
	return 0;
}

int maildir_name_tags(const struct maildir_name *n, const struct maildir_keywords *k, struct zs_buf *out, struct zs_err *err)
{
	size_t begin = out->n;

	for (int i = 0; n->flags.n && i < 26; i++) {
		const char letter[2] = {(char)('a' + i), 0};

		if (memchr(n->flags.p, letter[0], n->flags.n) && join(out, begin, k->v[i] ? k->v[i] : letter, err) < 0)
			return -1;
	}
	return 0;
}

/* --------------------------------------------------------------------- keywords */

/* "NUMBER NAME" */
static int keyword_line(struct zs_span line, struct maildir_keywords *out, struct zs_err *err)
{
	unsigned number = 0;
	size_t i = 0;

	while (i < line.n && i < 3 && line.p[i] >= '0' && line.p[i] <= '9')
		number = number * 10 + (unsigned)(line.p[i++] - '0');
	if (i == 0 || number >= 26 || i + 1 >= line.n || line.p[i] != ' ')
		return 0;
	i++;
	if (memchr(line.p + i, 0, line.n - i))
		return 0;
	free(out->v[number]);
	out->v[number] = strndup((const char *)line.p + i, line.n - i);
	return out->v[number] ? 0 : zs_fail_nomem(err);
}

int maildir_keywords_parse(struct zs_span text, struct maildir_keywords *out, struct zs_err *err)
{
	while (text.n) {
		const uint8_t *nl = memchr(text.p, '\n', text.n);
		size_t n = nl ? (size_t)(nl - text.p) : text.n, used = nl ? n + 1 : n;

		if (n && text.p[n - 1] == '\r')
			n--;
		if (keyword_line(zs_span(text.p, n), out, err) < 0)
			return -1;
		text.p += used;
		text.n -= used;
	}
	return 0;
}

void maildir_keywords_fini(struct maildir_keywords *k)
{
	for (int i = 0; i < 26; i++) {
		free(k->v[i]);
		k->v[i] = NULL;
	}
}

/* ---------------------------------------------------------------------- folders */

/* Parts between `by`, decoded, joined by '/'. */
static int add_parts(struct zs_span s, uint8_t by, struct zs_buf *out, struct zs_err *err)
{
	for (size_t at = 0; at <= s.n;) {
		const uint8_t *end = at < s.n ? memchr(s.p + at, by, s.n - at) : NULL;
		size_t n = end ? (size_t)(end - s.p) - at : s.n - at;

		if ((at && zs_buf_add_u8(out, '/', err) < 0) || (n && utf7_text(zs_span(s.p + at, n), out, err) < 0))
			return -1;
		at += n + 1;
	}
	return 0;
}

int maildir_name_folder(struct zs_span path, enum maildir_layout layout, struct zs_buf *out, struct zs_err *err)
{
	if (!path.n)
		return zs_buf_add_span(out, zs_span_str("INBOX"), err);
	for (size_t at = 0; at <= path.n;) {
		const uint8_t *end = at < path.n ? memchr(path.p + at, '/', path.n - at) : NULL;
		struct zs_span c = zs_span(path.p + at, end ? (size_t)(end - path.p) - at : path.n - at);
		int is_plus = layout == MAILDIR_AUTO && c.n > 1 && c.p[0] == '.';
		struct zs_span name = is_plus ? zs_span(c.p + 1, c.n - 1) : c;

		if ((at && zs_buf_add_u8(out, '/', err) < 0) || add_parts(name, is_plus ? '.' : '/', out, err) < 0)
			return -1;
		at += c.n + 1;
	}
	return 0;
}

int maildir_name_is_lock(struct zs_span name)
{
	return name.n >= 5 && !memcmp(name.p + name.n - 5, ".lock", 5);
}
