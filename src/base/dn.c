/*
 * Distinguished names of a directory: compared and ordered as far as a backup needs it.  Names come from the server, which
 * has normalised their form; only letters' case and blanks around separators are made equal here.
 */
#include "zstore/base.h"

#include <string.h>

struct cursor { struct zs_span s; size_t i; int is_escaped, is_inside; /* inside: no separator stands right before */ };

static int is_separator(uint8_t b)
{
	return b == ',' || b == '+' || b == '=';
}

/* Do these blanks stand beside a separator or an end?  Then where they end, else 0. */
static size_t skip_blanks(const struct cursor *c)
{
	size_t j = c->i;

	while (j < c->s.n && c->s.p[j] == ' ')
		j++;
	return !c->is_inside || j == c->s.n || is_separator(c->s.p[j]) ? j : 0;
}

/* The next byte in normal form, or -1 at the end: small letters, no blanks beside ',' '+' '='. */
static int next_byte(struct cursor *c)
{
	size_t after;
	uint8_t b;

	if (!c->is_escaped && c->i < c->s.n && c->s.p[c->i] == ' ' && (after = skip_blanks(c)) > 0)
		c->i = after;
	if (c->i >= c->s.n)
		return -1;
	b = c->s.p[c->i++];
	c->is_inside = c->is_escaped || !is_separator(b);
	c->is_escaped = !c->is_escaped && b == '\\';
	return b >= 'A' && b <= 'Z' ? b + 32 : b;
}

static unsigned depth_of(struct zs_span dn)
{
	unsigned depth = dn.n > 0;

	for (size_t i = 0; i < dn.n; i++) {
		if (dn.p[i] == '\\')
			i++;
		else
			depth += dn.p[i] == ',';
	}
	return depth;
}

int zs_dn_key(struct zs_span dn, int is_last, struct zs_buf *out, struct zs_err *err)
{
	struct cursor c = {dn, 0, 0, 0};
	unsigned depth = depth_of(dn);
	int b;

	if (zs_buf_reserve(out, dn.n + 3, err) < 0)
		return -1;
	out->p[out->n++] = is_last != 0;
	out->p[out->n++] = (uint8_t)(depth >> 8);
	out->p[out->n++] = (uint8_t)depth;
	while ((b = next_byte(&c)) >= 0)
		out->p[out->n++] = (uint8_t)b;
	return 0;
}

int zs_dn_is_below(struct zs_span dn, struct zs_span base)
{
	unsigned up = depth_of(dn), down = depth_of(base);
	struct cursor a = {dn, 0, 0, 0}, b = {base, 0, 0, 0};
	int x, y;

	if (down > up)
		return 0;
	for (; up > down && a.i < dn.n; a.i++) { /* leave out what stands below */
		if (dn.p[a.i] == '\\')
			a.i++;
		else
			up -= dn.p[a.i] == ',';
	}
	do {
		x = next_byte(&a);
		y = next_byte(&b);
	} while (x == y && x >= 0);
	return x == y;
}
