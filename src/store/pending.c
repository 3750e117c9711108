/*
 * The set of chunk ids on their way into the index: open addressing with linear probing, holes closed on removal.
 * Volatile and bounded by what is in flight; nothing durable depends on it.
 */
#include <stdlib.h>
#include <string.h>

#include "store_private.h"

/* Ids are keyed hashes: any of their bytes will do. */
static size_t pending_home(const struct pending *p, const struct zs_id *id)
{
	return (size_t)zs_get_u64(id->b) & (p->cap - 1);
}

/* Where it is, or the free slot where it would go. */
static size_t pending_find(const struct pending *p, const struct zs_id *id)
{
	size_t i = pending_home(p, id);

	while (p->v[i].used && zs_id_cmp(&p->v[i].id, id) != 0)
		i = (i + 1) & (p->cap - 1);
	return i;
}

static int pending_grow(struct pending *p, struct zs_err *err)
{
	struct pending bigger = {.n = p->n, .cap = p->cap ? p->cap * 2 : 1024};

	if (bigger.cap < p->cap || bigger.cap > SIZE_MAX / sizeof(*bigger.v))
		return zs_fail_nomem(err);
	bigger.v = calloc(bigger.cap, sizeof(*bigger.v));
	if (!bigger.v)
		return zs_fail_nomem(err);
	for (size_t i = 0; i < p->cap; i++) {
		if (p->v[i].used)
			bigger.v[pending_find(&bigger, &p->v[i].id)] = p->v[i];
	}
	free(p->v);
	*p = bigger;
	return 0;
}

int pending_add(struct pending *p, const struct zs_id *id, struct zs_err *err)
{
	size_t i;

	if (p->n >= p->cap / 4 * 3 && pending_grow(p, err) < 0)
		return -1;
	i = pending_find(p, id);
	if (p->v[i].used)
		return 0;
	p->v[i].id = *id;
	p->v[i].used = 1;
	p->n++;
	return 1;
}

int pending_has(const struct pending *p, const struct zs_id *id)
{
	return p->cap > 0 && p->v[pending_find(p, id)].used;
}

void pending_remove(struct pending *p, const struct zs_id *id)
{
	size_t mask = p->cap - 1, hole, i;

	if (p->cap == 0)
		return;
	hole = pending_find(p, id);
	if (!p->v[hole].used)
		return;
	/* Pull back whatever probing would no longer reach across the hole. */
	for (i = (hole + 1) & mask; p->v[i].used; i = (i + 1) & mask) {
		size_t home = pending_home(p, &p->v[i].id);

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			p->v[hole] = p->v[i];
			hole = i;
		}
	}
	p->v[hole].used = 0;
	p->n--;
}

void pending_fini(struct pending *p)
{
	free(p->v);
	*p = (struct pending){NULL, 0, 0};
}
