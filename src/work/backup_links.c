/*
 * A bounded first-in-first-out map of hard-linked inodes: a ring of slots and an
 * index into it by hash chains.  Forgetting costs reading a file twice.
 */
#include <stdlib.h>
#include <string.h>

#include "backup_private.h"

#define BUCKETS (2 * LINKS_KEPT)
#define NONE UINT32_MAX

struct link {
	uint64_t dev, ino;
	uint32_t next; /* in the bucket's chain */
	struct zs_buf entry;
};

struct links {
	struct link ring[LINKS_KEPT];
	uint32_t bucket[BUCKETS];
	uint32_t used, oldest;
};

static uint32_t bucket_of(uint64_t dev, uint64_t ino)
{
	uint64_t key[2] = {dev, ino};

	return (uint32_t)(zs_hash64(0, zs_span(key, sizeof key)) % BUCKETS);
}

struct links *backup_links_new(void)
{
	struct links *l = calloc(1, sizeof *l);

	if (l)
		memset(l->bucket, 0xff, sizeof l->bucket);
	return l;
}

void backup_links_free(struct links *l)
{
	for (uint32_t i = 0; l && i < l->used; i++)
		zs_buf_fini(&l->ring[i].entry);
	free(l);
}

static void unchain(struct links *l, uint32_t slot)
{
	uint32_t *at = &l->bucket[bucket_of(l->ring[slot].dev, l->ring[slot].ino)];

	while (*at != slot)
		at = &l->ring[*at].next;
	*at = l->ring[slot].next;
}

int backup_links_add(struct links *l, uint64_t dev, uint64_t ino, struct zs_span entry, struct zs_err *err)
{
	uint32_t slot = l->used, b = bucket_of(dev, ino);

	if (l->used < LINKS_KEPT) {
		l->used++;
	} else {
		slot = l->oldest;
		l->oldest = (l->oldest + 1) % LINKS_KEPT;
		unchain(l, slot);
	}
	zs_buf_clear(&l->ring[slot].entry);
	l->ring[slot].dev = dev;
	l->ring[slot].ino = ino;
	l->ring[slot].next = l->bucket[b];
	l->bucket[b] = slot;
	return zs_buf_add_span(&l->ring[slot].entry, entry, err);
}

int backup_links_find(const struct links *l, uint64_t dev, uint64_t ino, struct zs_span *out_entry)
{
	for (uint32_t i = l->bucket[bucket_of(dev, ino)]; i != NONE; i = l->ring[i].next) {
		if (l->ring[i].dev == dev && l->ring[i].ino == ino) {
			*out_entry = zs_buf_span(&l->ring[i].entry);
			return 1;
		}
	}
	return 0;
}
