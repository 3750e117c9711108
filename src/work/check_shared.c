/*
 * Shared nodes are checked once, so damage is found in the first snapshot that has it.  This looks through the inner
 * nodes of all snapshots for what was found, to name the others too.
 */
#include "check_private.h"

#include <stdlib.h>
#include <string.h>

struct search {
	struct check *c;
	size_t snapshot;
	uint8_t *clean; /* a bit a chunk: node without anything bad below it */
	unsigned depth;
};

static int by_node(const void *a, const void *b)
{
	const struct check_bad *x = a, *y = b;
	int c = zs_id_cmp(&x->node, &y->node);

	return c ? c : (x->snapshot > y->snapshot) - (x->snapshot < y->snapshot);
}

/* The first bad row of that node, or NULL. */
static const struct check_bad *find(const struct check *c, const struct zs_id *node)
{
	size_t lo = 0, hi = c->bad_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (zs_id_cmp(&c->bad[mid].node, node) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < c->bad_count && zs_id_cmp(&c->bad[lo].node, node) == 0 ? &c->bad[lo] : NULL;
}

static int name_hits(struct search *s, const struct check_bad *bad, struct zs_err *err)
{
	const struct check_finding f = {.about = CHECK_OTHER};
	const struct check_bad *end = s->c->bad + s->c->bad_count, *row = bad;
	char here[24], there[24], hex[ZS_ID_HEX];
	struct zs_err why = {0};

	for (; row < end && zs_id_cmp(&row->node, &bad->node) == 0; row++)
		if (row->snapshot == s->snapshot)
			return 0; /* it has been said */
	for (row = bad; row < end && row->snapshot == bad->snapshot && zs_id_cmp(&row->node, &bad->node) == 0; row++) {
		(void)check_label(s->c, s->snapshot, here);
		(void)check_label(s->c, row->snapshot, there);
		if (row->about == CHECK_NODE)
			(void)zs_fail(&why, ZS_CORRUPT, "%s: tree node %s, and all that is below it: damaged as in %s",
			    here, zs_id_hex(&row->node, hex), there);
		else
			(void)zs_fail(&why, ZS_CORRUPT, "%s: %.200s: damaged as in %s", here, row->path, there);
		if (check_say(s->c, &f, zs_span(NULL, 0), &why, err) < 0)
			return -1;
	}
	return 0;
}

static int look_into(struct search *s, const struct zs_id *node, struct zs_err *err);

/* Children of an inner node.  1 something bad, 0 nothing, -1. */
static int look_below(struct search *s, struct zs_span plain, struct zs_err *err)
{
	struct zs_node_reader r;
	struct zs_node_row row;
	struct zs_err why;
	int hit = 0, got;

	if (zs_node_reader_init(&r, plain, &why) < 0)
		return 1; /* reported by the visit */
	while (r.level > 0 && (got = zs_node_reader_next(&r, &row, &why)) != 0) {
		if (got < 0) {
			hit = 1;
			break;
		}
		if (find(s->c, &row.child)) {
			hit = 1;
			if (name_hits(s, find(s->c, &row.child), err) < 0)
				goto fail;
		} else if (r.level > 1) {
			got = look_into(s, &row.child, err);
			if (got < 0)
				goto fail;
			hit |= got;
		}
	}
	zs_node_reader_fini(&r);
	return hit;
fail:
	zs_node_reader_fini(&r);
	return -1;
}

static int look_into(struct search *s, const struct zs_id *node, struct zs_err *err)
{
	struct zs_buf copy = ZS_BUF_INIT;
	struct zs_location at;
	struct zs_span plain;
	struct zs_err why;
	uint64_t bit;
	int got = check_locate(s->c, node, &at, err), numbered;

	if (got <= 0 || s->depth >= 16)
		return got < 0 ? -1 : 1;
	numbered = check_bit(s->c, &at, &bit, err);
	if (numbered < 0 || check_stopped(s->c, err) < 0)
		return -1;
	if (numbered && s->clean[bit / 8] >> (bit % 8) & 1)
		return 0;
	if (zs_store_read(s->c->reader, node, &plain, &why) < 0)
		return 1;
	got = zs_buf_add_span(&copy, plain, err);
	if (got == 0) {
		s->depth++;
		got = look_below(s, zs_buf_span(&copy), err);
		s->depth--;
	}
	if (got == 0 && numbered)
		s->clean[bit / 8] |= (uint8_t)(1u << (bit % 8));
	zs_buf_fini(&copy);
	return got;
}

int check_shared(struct check *c, struct zs_err *err)
{
	const struct check_finding f = {.about = CHECK_OTHER};
	struct search s = {.c = c, .clean = c->seen}; /* the visit is over: its bits are free */
	const struct check_bad *bad;
	struct zs_err why = {0};
	const struct zs_id *root;

	if (!c->bad_count)
		return 0;
	qsort(c->bad, c->bad_count, sizeof(*c->bad), by_node);
	memset(s.clean, 0, c->chunks / 8 + 1);
	for (s.snapshot = 0; s.snapshot < c->snapshots.n; s.snapshot++) {
		root = &c->snapshots.v[s.snapshot].snapshot->root;
		bad = find(c, root);
		if ((bad ? name_hits(&s, bad, err) : look_into(&s, root, err)) < 0)
			return -1;
	}
	if (!c->bad_lost)
		return 0;
	(void)zs_fail(&why, ZS_CORRUPT,
	    "more than %d damaged files: other snapshots that have the rest of them too are not named", CHECK_BAD_MAX);
	return check_say(c, &f, zs_span(NULL, 0), &why, err);
}
