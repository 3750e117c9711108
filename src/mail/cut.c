/*
 * Cuts one stream of bytes into chunks by content and hands them to the section.
 * Gathers more than the largest chunk before it cuts, so that slicing cannot show.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mail_private.h"

int cut_init(struct cut *c, size_t cap, struct zs_err *err)
{
	memset(c, 0, sizeof *c);
	c->p = malloc(cap);
	if (!c->p)
		return zs_fail_nomem(err);
	c->cap = cap;
	return 0;
}

void cut_fini(struct cut *c)
{
	free(c->p);
	memset(c, 0, sizeof *c);
}

void cut_begin(struct cut *c, const struct zs_split_params *params, enum zs_kind kind, struct section *sec)
{
	c->table = params->table;
	c->sizes = params->sizes[kind];
	c->kind = kind;
	c->sec = sec;
	c->n = 0;
	c->cut_bytes = 0;
}

/* Cut while the cut is certain (less than the largest chunk remains), or all. */
static int cut_drain(struct cut *c, int last, struct zs_err *err)
{
	size_t at = 0;

	while (at < c->n && (last || c->n - at >= c->sizes.max_bytes)) {
		size_t n = zs_chunk_cut(c->table, &c->sizes, c->p + at, c->n - at, last);

		assert(n && n <= c->n - at);
		if (section_chunk(c->sec, c->kind, zs_span(c->p + at, n), err) < 0)
			return -1;
		at += n;
	}
	if (at)
		memmove(c->p, c->p + at, c->n - at);
	c->n -= at;
	c->cut_bytes += at;
	return 0;
}

int cut_room(struct cut *c, size_t n, uint8_t **out, struct zs_err *err)
{
	assert(n <= CUT_ROOM);
	if (c->cap - c->n < n && cut_drain(c, 0, err) < 0)
		return -1;
	assert(c->cap - c->n >= n);
	*out = c->p + c->n;
	return 0;
}

void cut_added(struct cut *c, size_t n)
{
	assert(n <= c->cap - c->n);
	c->n += n;
}

int cut_add(struct cut *c, struct zs_span s, struct zs_err *err)
{
	while (s.n) {
		size_t n = c->cap - c->n;

		if (!n) {
			if (cut_drain(c, 0, err) < 0)
				return -1;
			continue;
		}
		n = n < s.n ? n : s.n;
		memcpy(c->p + c->n, s.p, n);
		c->n += n;
		s.p += n;
		s.n -= n;
	}
	return 0;
}

int cut_end(struct cut *c, struct zs_err *err)
{
	return cut_drain(c, 1, err);
}
