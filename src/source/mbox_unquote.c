/*
 * Undoes what an mbox does to lines of a body that begin with "From ": a '>' before
 * them, or (mboxrd) one more before those that had some.
 */
#include "mbox_private.h"

#include <string.h>

static const char from[] = "From ";

void mbox_unquote_init(struct mbox_unquote *u, enum mbox_format format)
{
	*u = (struct mbox_unquote){.only_one = format == MBOX_O || format == MBOX_CL, .line_start = 1};
}

/* What was kept back of the line's beginning turned out to be no quoting, or (is_quoted) to be one. */
static int give_back(struct mbox_unquote *u, int is_quoted, struct zs_buf *out, struct zs_err *err)
{
	uint64_t marks = u->marks - (uint64_t)is_quoted;
	unsigned letters = u->letters;

	u->marks = u->letters = 0;
	u->line_start = 0;
	if (!marks && !letters)
		return 0;
	if (zs_buf_reserve(out, (size_t)marks + letters, err) < 0)
		return -1;
	memset(out->p + out->n, '>', (size_t)marks);
	out->n += (size_t)marks;
	memcpy(out->p + out->n, from, letters);
	out->n += letters;
	return 0;
}

/* One more byte of the line's beginning: 1 it was taken, 0 not, -1. */
static int take_start(struct mbox_unquote *u, uint8_t c, struct zs_buf *out, struct zs_err *err)
{
	if (c == '>' && !u->letters) {
		if (u->marks < 4096) {
			u->marks++;
			return 1;
		}
		return give_back(u, 0, out, err); /* a line of that many is none of ours */
	}
	if (!u->marks || c != (uint8_t)from[u->letters])
		return give_back(u, 0, out, err);
	if (++u->letters < sizeof from - 1)
		return 1;
	return give_back(u, !u->only_one || u->marks == 1, out, err) < 0 ? -1 : 1;
}

int mbox_unquote_feed(struct mbox_unquote *u, struct zs_span s, struct zs_buf *out, struct zs_err *err)
{
	size_t at = 0;

	while (at < s.n) {
		const uint8_t *nl;
		size_t n;

		if (u->line_start) {
			int rc = take_start(u, s.p[at], out, err);

			if (rc < 0)
				return -1;
			at += (size_t)rc;
			continue;
		}
		nl = memchr(s.p + at, '\n', s.n - at);
		n = nl ? (size_t)(nl - s.p) + 1 - at : s.n - at;
		if (zs_buf_add(out, s.p + at, n, err) < 0)
			return -1;
		u->line_start = nl != NULL;
		at += n;
	}
	return 0;
}

int mbox_unquote_end(struct mbox_unquote *u, struct zs_buf *out, struct zs_err *err)
{
	return give_back(u, 0, out, err);
}
