/*
 * Base64 with line ends: what an extent's decoded bytes look like in the message, from any group on.
 */
#include <assert.h>
#include <string.h>

#include "mail_private.h"

#define PIECE_BYTES 3072 /* encoded at a time, a multiple of 3 */

static uint64_t characters(uint64_t decoded)
{
	return decoded / 3 * 4 + (decoded % 3 ? 4 : 0);
}

uint64_t zs_mail_b64_length(uint64_t decoded, uint32_t line, int crlf, int tail)
{
	uint64_t chars = characters(decoded), ends, eol = crlf ? 2 : 1;

	if (!decoded || !line)
		return 0;
	if (decoded > UINT64_MAX / 8)
		return UINT64_MAX; /* no entry is that large */
	ends = (chars - 1) / line + (tail ? 1 : 0);
	return chars + ends * eol;
}

uint64_t wrap_offset(const struct wrap *w, uint64_t c)
{
	return c + c / w->line * (w->crlf ? 2 : 1);
}

/* Copy characters into lines; the first has number c.  Returns the bytes written, at most 3 a character. */
static size_t lay(const struct wrap *w, uint64_t c, const uint8_t *chars, size_t n, uint8_t *out)
{
	uint64_t total = characters(w->total);
	uint8_t *to = out;

	while (n) {
		size_t room = w->line - (size_t)(c % w->line), k = room < n ? room : n;

		memcpy(to, chars, k);
		to += k;
		chars += k;
		c += k;
		n -= k;
		if (k < room && c < total)
			break; /* the line goes on with the next group */
		if (c < total || w->tail) {
			if (w->crlf)
				*to++ = '\r';
			*to++ = '\n';
		}
	}
	return (size_t)(to - out);
}

int wrap_encode(const struct wrap *w, uint64_t group, struct zs_span bytes, struct zs_buf *out, struct zs_err *err)
{
	uint8_t chars[PIECE_BYTES / 3 * 4 + BASE64_SLACK];
	enum base64_path path = base64_best();

	while (bytes.n) {
		size_t n = bytes.n < PIECE_BYTES ? bytes.n : PIECE_BYTES, k = base64_encode(path, bytes.p, n, chars);

		if (zs_buf_reserve(out, 3 * k, err) < 0)
			return -1;
		out->n += lay(w, group * 4, chars, k, out->p + out->n);
		group += n / 3;
		bytes = zs_span(bytes.p + n, bytes.n - n);
	}
	return 0;
}
