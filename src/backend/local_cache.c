/*
 * A few open pack files, since an extraction reads many ranges of the same pack.  A descriptor in use is never closed
 * under its user.  Whether a cached file still has a name is for the user to see (its link count).
 */
#include "backend_private.h"

#include <unistd.h>

void local_cache_init(struct local_cache *c)
{
	*c = (struct local_cache){0};
	(void)pthread_mutex_init(&c->lock, NULL);
}

void local_cache_fini(struct local_cache *c)
{
	int i;

	for (i = 0; i < LOCAL_CACHE_FILES; i++)
		if (c->slots[i].used)
			(void)close(c->slots[i].fd);
	(void)pthread_mutex_destroy(&c->lock);
}

static struct local_cached *find(struct local_cache *c, const struct zs_name *name)
{
	int i;

	for (i = 0; i < LOCAL_CACHE_FILES; i++)
		if (c->slots[i].used && !c->slots[i].dropped && zs_name_cmp(&c->slots[i].name, name) == 0)
			return &c->slots[i];
	return NULL;
}

static void empty(struct local_cached *slot)
{
	(void)close(slot->fd);
	*slot = (struct local_cached){.fd = -1};
}

int local_cache_borrow(struct local_cache *c, const struct zs_name *name)
{
	struct local_cached *slot;
	int fd = -1;

	(void)pthread_mutex_lock(&c->lock);
	slot = find(c, name);
	if (slot) {
		slot->used = ++c->clock;
		slot->users++;
		fd = slot->fd;
	}
	(void)pthread_mutex_unlock(&c->lock);
	return fd;
}

int local_cache_add(struct local_cache *c, const struct zs_name *name, int fd)
{
	struct local_cached *best = NULL;
	int i;

	(void)pthread_mutex_lock(&c->lock);
	/* another thread may have opened it meanwhile; then this one is used once and closed */
	for (i = 0; !find(c, name) && i < LOCAL_CACHE_FILES; i++)
		if (c->slots[i].users == 0 && (!best || c->slots[i].used < best->used))
			best = &c->slots[i];
	if (best) {
		if (best->used)
			empty(best);
		*best = (struct local_cached){.name = *name, .used = ++c->clock, .users = 1, .fd = fd};
	}
	(void)pthread_mutex_unlock(&c->lock);
	return best != NULL;
}

void local_cache_give_back(struct local_cache *c, int fd)
{
	int i;

	(void)pthread_mutex_lock(&c->lock);
	for (i = 0; i < LOCAL_CACHE_FILES; i++)
		if (c->slots[i].used && c->slots[i].fd == fd && --c->slots[i].users == 0 && c->slots[i].dropped)
			empty(&c->slots[i]);
	(void)pthread_mutex_unlock(&c->lock);
}

void local_cache_drop(struct local_cache *c, const struct zs_name *name)
{
	struct local_cached *slot;

	(void)pthread_mutex_lock(&c->lock);
	slot = find(c, name);
	if (slot && slot->users > 0)
		slot->dropped = 1;
	else if (slot)
		empty(slot);
	(void)pthread_mutex_unlock(&c->lock);
}
