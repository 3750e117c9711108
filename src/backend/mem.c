/*
 * Objects in memory, for tests: the same answers as from a directory.  Handles that share one store count on it; the
 * last one frees it.
 */
#include "backend_private.h"

#include <stdlib.h>
#include <string.h>

struct object {
	enum zs_object type;
	struct zs_name name;
	struct zs_buf data;
};

struct mem_store {
	pthread_mutex_t lock; /* guards all below */
	unsigned handles;
	struct object *objects; /* sorted by type and name */
	size_t count, cap;
	int reserve;
};

struct mem {
	struct zs_backend be;
	struct mem_store *store;
};

struct mem_put {
	struct zs_put put;
	struct zs_buf data;
};

static struct mem_store *lock(struct zs_backend *be)
{
	struct mem_store *s = ((struct mem *)be)->store;

	(void)pthread_mutex_lock(&s->lock);
	return s;
}

static void unlock(struct mem_store *s)
{
	(void)pthread_mutex_unlock(&s->lock);
}

/* the first object that is not before it; *out_found: it is it */
static size_t search(const struct mem_store *s, enum zs_object type, const struct zs_name *name, int *out_found)
{
	size_t lo = 0, hi = s->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct object *o = &s->objects[mid];
		int c = o->type != type ? (o->type > type ? 1 : -1) : zs_name_cmp(&o->name, name);

		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*out_found = lo < s->count && s->objects[lo].type == type && zs_name_cmp(&s->objects[lo].name, name) == 0;
	return lo;
}

static int fail_name(struct zs_err *err, enum zs_cause cause, const char *what, enum zs_object type,
    const struct zs_name *name)
{
	char label[BACKEND_LABEL];

	return zs_fail(err, cause, "%s %s", backend_label(type, name, label), what);
}

/* *data is taken over if it goes well */
static int insert(struct mem_store *s, enum zs_object type, const struct zs_name *name, struct zs_buf *data,
    struct zs_err *err)
{
	int found;
	size_t at = search(s, type, name, &found);

	if (found)
		return fail_name(err, ZS_EXISTS, "is there already", type, name);
	if (s->count == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 16;
		struct object *objects = reallocarray(s->objects, cap, sizeof(*objects));

		if (!objects)
			return zs_fail_nomem(err);
		s->objects = objects;
		s->cap = cap;
	}
	memmove(s->objects + at + 1, s->objects + at, (s->count - at) * sizeof(*s->objects));
	s->objects[at] = (struct object){type, *name, *data};
	*data = (struct zs_buf)ZS_BUF_INIT;
	s->count++;
	return 0;
}

static int mem_put_begin(struct zs_backend *be, enum zs_object type, struct zs_put **out, struct zs_err *err)
{
	struct mem_put *p = calloc(1, sizeof(*p));

	(void)be;
	(void)type;
	if (!p)
		return zs_fail_nomem(err);
	*out = &p->put;
	return 0;
}

static int mem_put_append(struct zs_put *put, struct zs_span data, struct zs_err *err)
{
	return zs_buf_add_span(&((struct mem_put *)put)->data, data, err);
}

static void mem_put_abort(struct zs_put *put)
{
	zs_buf_fini(&((struct mem_put *)put)->data);
	free(put);
}

static int mem_put_commit(struct zs_put *put, const struct zs_name *name, struct zs_err *err)
{
	struct mem_store *s = lock(put->be);
	int rc = insert(s, put->type, name, &((struct mem_put *)put)->data, err);

	unlock(s);
	mem_put_abort(put);
	return rc;
}

static int get_locked(const struct mem_store *s, enum zs_object type, const struct zs_name *name, uint64_t offset,
    size_t bytes, struct zs_buf *out, struct zs_err *err)
{
	int found;
	size_t at = search(s, type, name, &found);
	const struct zs_buf *data;

	if (!found)
		return fail_name(err, ZS_NOTFOUND, "is not there", type, name);
	data = &s->objects[at].data;
	if (bytes > data->n || offset > data->n - bytes)
		return fail_name(err, ZS_CORRUPT, "is shorter than expected", type, name);
	return bytes > 0 ? zs_buf_add(out, data->p + offset, bytes, err) : 0;
}

static int mem_get(struct zs_backend *be, enum zs_object type, const struct zs_name *name, uint64_t offset,
    size_t bytes, struct zs_buf *out, struct zs_err *err)
{
	struct mem_store *s = lock(be);
	int rc = get_locked(s, type, name, offset, bytes, out, err);

	unlock(s);
	return rc;
}

static int mem_get_all(struct zs_backend *be, enum zs_object type, const struct zs_name *name, size_t max,
    struct zs_buf *out, struct zs_err *err)
{
	struct mem_store *s = lock(be);
	int found, rc;
	size_t at = search(s, type, name, &found);

	if (found && s->objects[at].data.n > max)
		rc = fail_name(err, ZS_CORRUPT, "is larger than it may be", type, name);
	else
		rc = get_locked(s, type, name, 0, found ? s->objects[at].data.n : 0, out, err);
	unlock(s);
	return rc;
}

static int mem_stat(struct zs_backend *be, enum zs_object type, const struct zs_name *name, uint64_t *out_bytes,
    struct zs_err *err)
{
	struct mem_store *s = lock(be);
	int found;
	size_t at = search(s, type, name, &found);

	(void)err;
	if (found)
		*out_bytes = s->objects[at].data.n;
	unlock(s);
	return found;
}

/* A copy is listed, so that the callback may do what it likes to the store. */
static int mem_list(struct zs_backend *be, enum zs_object type, zs_backend_list_fn *fn, void *ctx, struct zs_err *err)
{
	struct mem_store *s = lock(be);
	size_t n = 0, i;
	struct copy { struct zs_name name; uint64_t bytes; } *copy = calloc(s->count + 1, sizeof(*copy));
	int rc = 0;

	for (i = 0; copy && i < s->count; i++)
		if (s->objects[i].type == type)
			copy[n++] = (struct copy){s->objects[i].name, s->objects[i].data.n};
	unlock(s);
	if (!copy)
		return zs_fail_nomem(err);
	for (i = 0; rc == 0 && i < n; i++)
		rc = fn(ctx, &copy[i].name, copy[i].bytes, err) < 0 ? -1 : 0;
	free(copy);
	return rc;
}

static int mem_remove(struct zs_backend *be, enum zs_object type, const struct zs_name *name, struct zs_err *err)
{
	struct mem_store *s = lock(be);
	int found;
	size_t at = search(s, type, name, &found);

	if (found) {
		zs_buf_fini(&s->objects[at].data);
		s->count--;
		memmove(s->objects + at, s->objects + at + 1, (s->count - at) * sizeof(*s->objects));
	}
	unlock(s);
	return found ? 0 : fail_name(err, ZS_NOTFOUND, "is not there", type, name);
}

static int mem_reserve_release(struct zs_backend *be, struct zs_err *err)
{
	struct mem_store *s = lock(be);
	int had = s->reserve;

	(void)err;
	s->reserve = 0;
	unlock(s);
	return had;
}

static int mem_reserve_make(struct zs_backend *be, struct zs_err *err)
{
	struct mem_store *s = lock(be);

	(void)err;
	s->reserve = 1;
	unlock(s);
	return 0;
}

static int mem_tidy(struct zs_backend *be, struct zs_err *err)
{
	(void)be;
	(void)err;
	return 0;
}

static void mem_free(struct zs_backend *be)
{
	struct mem_store *s = lock(be);
	unsigned left = --s->handles;
	size_t i;

	unlock(s);
	free(be);
	if (left > 0)
		return;
	for (i = 0; i < s->count; i++)
		zs_buf_fini(&s->objects[i].data);
	free(s->objects);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

static const struct backend_ops mem_ops = {
    .put_begin = mem_put_begin,
    .put_append = mem_put_append,
    .put_commit = mem_put_commit,
    .put_abort = mem_put_abort,
    .get = mem_get,
    .get_all = mem_get_all,
    .stat = mem_stat,
    .list = mem_list,
    .remove = mem_remove,
    .reserve_release = mem_reserve_release,
    .reserve_make = mem_reserve_make,
    .tidy = mem_tidy,
    .free = mem_free,
};

static struct zs_backend *handle_new(struct mem_store *s)
{
	struct mem *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->be = (struct zs_backend){&mem_ops, "memory"};
	m->store = s;
	s->handles++;
	return &m->be;
}

struct zs_backend *zs_backend_mem_new(void)
{
	struct mem_store *s = calloc(1, sizeof(*s));
	struct zs_backend *be;

	if (!s)
		return NULL;
	(void)pthread_mutex_init(&s->lock, NULL);
	s->reserve = 1;
	be = handle_new(s);
	if (!be) {
		(void)pthread_mutex_destroy(&s->lock);
		free(s);
	}
	return be;
}

struct zs_backend *zs_backend_mem_share(struct zs_backend *mem)
{
	struct mem_store *s = lock(mem);
	struct zs_backend *be = handle_new(s);

	unlock(s);
	return be;
}
