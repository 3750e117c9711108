/*
 * The text of a header field: folding removed, RFC 2047 words decoded, everything else taken for UTF-8.
 * Lenient: what does not parse as a word is shown as it stands.
 */
#include <string.h>

#include "mail_private.h"

#define WORD_MAX 2000
#define CHARSET_MAX 40

struct word { struct zs_span charset, text; size_t n; uint8_t encoding; };

struct words { /* what is read but not yet written */
	struct zs_buf plain;	/* bytes outside of words, unfolded */
	struct zs_buf bytes;	/* decoded bytes of adjacent words of one charset: a character may straddle words */
	struct zs_span charset; /* of bytes */
	int have_word;
	struct zs_buf *out;
};

static int is_token(uint8_t c)
{
	return c > 32 && c < 127 && !strchr("()<>@,;:\"/[]?.=", c);
}

/* "=?charset*language?B?text?=" at the start of s */
static int parse_word(struct zs_span s, struct word *w)
{
	size_t i = 2, text, name;

	if (s.n < 8 || s.p[0] != '=' || s.p[1] != '?')
		return 0;
	while (i < s.n && i < 2 + CHARSET_MAX && (is_token(s.p[i]) || s.p[i] == '.'))
		i++;
	for (name = 2; name < i && s.p[name] != '*'; name++)
		;
	w->charset = zs_span(s.p + 2, name - 2);
	if (!w->charset.n || i + 3 >= s.n || s.p[i] != '?' || s.p[i + 2] != '?')
		return 0;
	w->encoding = s.p[i + 1] | 0x20;
	if (w->encoding != 'b' && w->encoding != 'q')
		return 0;
	text = i + 3;
	for (i = text; i < s.n && i < WORD_MAX && s.p[i] != '?'; i++)
		;
	if (i + 1 >= s.n || s.p[i] != '?' || s.p[i + 1] != '=')
		return 0;
	w->text = zs_span(s.p + text, i - text);
	w->n = i + 2;
	return 1;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int decode_q(struct zs_span s, struct zs_buf *out, struct zs_err *err)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i] == '_' ? ' ' : s.p[i];

		if (c == '=' && i + 2 < s.n && hex_value(s.p[i + 1]) >= 0 && hex_value(s.p[i + 2]) >= 0) {
			c = (uint8_t)(hex_value(s.p[i + 1]) << 4 | hex_value(s.p[i + 2]));
			i += 2;
		}
		if (zs_buf_add_u8(out, c, err) < 0)
			return -1;
	}
	return 0;
}

/* Without regard to padding or strangers: this is for showing. */
static int decode_b(struct zs_span s, struct zs_buf *out, struct zs_err *err)
{
	uint8_t four[4], three[3];
	unsigned n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (!base64_is(s.p[i]))
			continue;
		four[n++] = s.p[i];
		if (n < 4)
			continue;
		(void)base64_decode(BASE64_PORTABLE, four, 4, three);
		if (zs_buf_add(out, three, 3, err) < 0)
			return -1;
		n = 0;
	}
	if (n < 2)
		return 0;
	memset(four + n, 'A', 4 - n);
	(void)base64_decode(BASE64_PORTABLE, four, 4, three);
	return zs_buf_add(out, three, n - 1, err);
}

static int flush_word(struct words *w, struct zs_err *err)
{
	int rc = 0;

	if (w->have_word)
		rc = charset_text(w->charset, zs_buf_span(&w->bytes), w->out, err);
	zs_buf_clear(&w->bytes);
	w->have_word = 0;
	return rc;
}

static int flush_plain(struct words *w, struct zs_err *err)
{
	int rc = charset_text(zs_span_str("utf-8"), zs_buf_span(&w->plain), w->out, err);

	zs_buf_clear(&w->plain);
	return rc;
}

static int all_space(const struct zs_buf *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->p[i] != ' ')
			return 0;
	return 1;
}

static int add_word(struct words *w, const struct word *word, struct zs_err *err)
{
	int joined = w->have_word && all_space(&w->plain);

	if (joined)
		zs_buf_clear(&w->plain); /* white space between words is none */
	if (w->have_word && (!joined || !zs_span_eq(w->charset, word->charset)) && flush_word(w, err) < 0)
		return -1;
	if (w->plain.n && flush_plain(w, err) < 0)
		return -1;
	w->have_word = 1;
	w->charset = word->charset;
	return word->encoding == 'q' ? decode_q(word->text, &w->bytes, err) : decode_b(word->text, &w->bytes, err);
}

/* What is no word: up to the next '=' or what is not taken as it is; *out_n bytes. */
static int add_plain(struct words *w, struct zs_span s, size_t *out_n, struct zs_err *err)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != '\r' && s.p[n] != '\n' && s.p[n] != '\t' && (!n || s.p[n] != '='))
		n++;
	*out_n = n ? n : 1;
	if (n)
		return zs_buf_add(&w->plain, s.p, n, err);
	return s.p[0] == '\t' ? zs_buf_add_u8(&w->plain, ' ', err) : 0; /* the folding's line ends go */
}

static struct zs_span trim(struct zs_span s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\r' || s.p[0] == '\n'))
		s = zs_span(s.p + 1, s.n - 1);
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r' || s.p[s.n - 1] == '\n'))
		s.n--;
	return s;
}

int zs_mail_header_text(struct zs_span raw, size_t max, struct zs_buf *out, struct zs_err *err)
{
	struct words w = {.plain = ZS_BUF_INIT, .bytes = ZS_BUF_INIT, .out = out};
	size_t from = out->n;
	struct word word;
	int rc = -1;

	for (raw = trim(raw); raw.n && out->n - from <= max;) {
		size_t n = 1;

		if (raw.p[0] == '=' && parse_word(raw, &word)) {
			n = word.n;
			if (add_word(&w, &word, err) < 0)
				goto out;
		} else if (add_plain(&w, raw, &n, err) < 0) {
			goto out;
		}
		raw = zs_span(raw.p + n, raw.n - n);
	}
	if (flush_word(&w, err) < 0 || flush_plain(&w, err) < 0)
		goto out;
	charset_truncate(out, from, max);
	rc = 0;
out:
	if (rc < 0)
		out->n = from;
	zs_buf_fini(&w.plain);
	zs_buf_fini(&w.bytes);
	return rc;
}

struct zs_span zs_mail_message_id(struct zs_span raw)
{
	raw = trim(raw);
	if (raw.n && raw.p[0] == '<')
		raw = zs_span(raw.p + 1, raw.n - 1);
	if (raw.n && raw.p[raw.n - 1] == '>')
		raw.n--;
	return trim(raw);
}
