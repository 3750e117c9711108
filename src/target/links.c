/*
 * Remembers the first names of hard-linked files for the tar target, in bounded memory: a table of sets, the oldest
 * of a full set goes first, and everything goes when the paths together grow too large.
 */
#include <stdlib.h>
#include <string.h>

#include "target_private.h"

#define SETS 4096u
#define WAYS 8u
#define PATHS_MAX (8u << 20) /* bytes */

struct row { uint64_t dev, ino; char *path; };

struct links {
	size_t path_bytes;
	uint8_t next[SETS]; /* the way that goes next */
	struct row rows[SETS][WAYS];
};

struct links *links_new(void)
{
	return calloc(1, sizeof(struct links));
}

static void forget(struct links *l, struct row *r)
{
	if (r->path)
		l->path_bytes -= strlen(r->path) + 1;
	free(r->path);
	r->path = NULL;
}

static void forget_all(struct links *l)
{
	for (unsigned s = 0; s < SETS; s++)
		for (unsigned w = 0; w < WAYS; w++)
			forget(l, &l->rows[s][w]);
}

void links_free(struct links *l)
{
	if (l)
		forget_all(l);
	free(l);
}

static unsigned set_of(uint64_t dev, uint64_t ino)
{
	uint64_t both[2] = {dev, ino};

	return (unsigned)(zs_hash64(0, zs_span(both, sizeof both)) % SETS);
}

const char *links_find(const struct links *l, uint64_t dev, uint64_t ino)
{
	const struct row *r = l->rows[set_of(dev, ino)];

	for (unsigned w = 0; w < WAYS; w++)
		if (r[w].path && r[w].dev == dev && r[w].ino == ino)
			return r[w].path;
	return NULL;
}

void links_add(struct links *l, uint64_t dev, uint64_t ino, struct zs_span path)
{
	unsigned set = set_of(dev, ino);
	struct row *r = &l->rows[set][l->next[set]];

	if (l->path_bytes + path.n + 1 > PATHS_MAX)
		forget_all(l);
	forget(l, r);
	r->path = strndup((const char *)path.p, path.n);
	if (!r->path)
		return;
	l->path_bytes += path.n + 1;
	r->dev = dev;
	r->ino = ino;
	l->next[set] = (uint8_t)((l->next[set] + 1) % WAYS);
}
