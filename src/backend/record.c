/*
 * A backend that remembers every completed change, so that a test can look at the repository as it was after each of
 * them: what a crash at that point would have left.
 */
#include "backend_private.h"

#include <assert.h>
#include <stdlib.h>

struct change {
	enum { CHANGE_PUT, CHANGE_DELETE } what;
	enum zs_object type;
	struct zs_name name;
	struct zs_buf data;
};

struct record {
	struct zs_backend be;
	struct zs_backend *inner; /* borrowed */
	pthread_mutex_t *lock;	  /* guards all below, and keeps the order of changes to the inner backend */
	struct change *changes;
	size_t count, cap;
};

struct record_put {
	struct zs_put put;
	struct zs_put *inner;
	struct zs_buf data;
};

static struct record *of(struct zs_backend *be)
{
	return (struct record *)be;
}

/* before the change itself, so that no completed change is ever missing */
static int make_room(struct record *r, struct zs_err *err)
{
	size_t cap = r->cap ? r->cap * 2 : 16;
	struct change *changes;

	if (r->count < r->cap)
		return 0;
	changes = reallocarray(r->changes, cap, sizeof(*changes));
	if (!changes)
		return zs_fail_nomem(err);
	r->changes = changes;
	r->cap = cap;
	return 0;
}

static int record_put_begin(struct zs_backend *be, enum zs_object type, struct zs_put **out, struct zs_err *err)
{
	struct record_put *p = calloc(1, sizeof(*p));

	if (!p)
		return zs_fail_nomem(err);
	if (zs_backend_put_begin(of(be)->inner, type, &p->inner, err) < 0) {
		free(p);
		return -1;
	}
	*out = &p->put;
	return 0;
}

static int record_put_append(struct zs_put *put, struct zs_span data, struct zs_err *err)
{
	struct record_put *p = (struct record_put *)put;

	if (zs_buf_add_span(&p->data, data, err) < 0)
		return -1;
	return zs_backend_put_append(p->inner, data, err);
}

static void record_put_abort(struct zs_put *put)
{
	struct record_put *p = (struct record_put *)put;

	zs_backend_put_abort(p->inner);
	zs_buf_fini(&p->data);
	free(p);
}

static int record_put_commit(struct zs_put *put, const struct zs_name *name, struct zs_err *err)
{
	struct record_put *p = (struct record_put *)put;
	struct record *r = of(put->be);
	int rc = -1;

	(void)pthread_mutex_lock(r->lock);
	if (make_room(r, err) == 0) {
		rc = zs_backend_put_commit(p->inner, name, err);
		p->inner = NULL;
	}
	if (rc == 0) {
		r->changes[r->count++] = (struct change){CHANGE_PUT, put->type, *name, p->data};
		p->data = (struct zs_buf)ZS_BUF_INIT;
	}
	(void)pthread_mutex_unlock(r->lock);
	record_put_abort(put);
	return rc;
}

static int record_get(struct zs_backend *be, enum zs_object type, const struct zs_name *name, uint64_t offset,
    size_t bytes, struct zs_buf *out, struct zs_err *err)
{
	return zs_backend_get(of(be)->inner, type, name, offset, bytes, out, err);
}

static int record_get_all(struct zs_backend *be, enum zs_object type, const struct zs_name *name, size_t max,
    struct zs_buf *out, struct zs_err *err)
{
	return zs_backend_get_all(of(be)->inner, type, name, max, out, err);
}

static int record_stat(struct zs_backend *be, enum zs_object type, const struct zs_name *name, uint64_t *out_bytes,
    struct zs_err *err)
{
	return zs_backend_stat(of(be)->inner, type, name, out_bytes, err);
}

static int record_list(struct zs_backend *be, enum zs_object type, zs_backend_list_fn *fn, void *ctx,
    struct zs_err *err)
{
	return zs_backend_list(of(be)->inner, type, fn, ctx, err);
}

static int record_remove(struct zs_backend *be, enum zs_object type, const struct zs_name *name, struct zs_err *err)
{
	struct record *r = of(be);
	int rc;

	(void)pthread_mutex_lock(r->lock);
	rc = make_room(r, err);
	if (rc == 0)
		rc = zs_backend_delete(r->inner, type, name, err);
	if (rc == 0)
		r->changes[r->count++] = (struct change){CHANGE_DELETE, type, *name, ZS_BUF_INIT};
	(void)pthread_mutex_unlock(r->lock);
	return rc;
}

static int record_reserve_release(struct zs_backend *be, struct zs_err *err)
{
	return zs_backend_reserve_release(of(be)->inner, err);
}

static int record_reserve_make(struct zs_backend *be, struct zs_err *err)
{
	return zs_backend_reserve_make(of(be)->inner, err);
}

static int record_tidy(struct zs_backend *be, struct zs_err *err)
{
	return zs_backend_tidy(of(be)->inner, err);
}

static void record_free(struct zs_backend *be)
{
	struct record *r = of(be);
	size_t i;

	for (i = 0; i < r->count; i++)
		zs_buf_fini(&r->changes[i].data);
	free(r->changes);
	(void)pthread_mutex_destroy(r->lock);
	free(r->lock);
	free(r);
}

static const struct backend_ops record_ops = {
    .put_begin = record_put_begin,
    .put_append = record_put_append,
    .put_commit = record_put_commit,
    .put_abort = record_put_abort,
    .get = record_get,
    .get_all = record_get_all,
    .stat = record_stat,
    .list = record_list,
    .remove = record_remove,
    .reserve_release = record_reserve_release,
    .reserve_make = record_reserve_make,
    .tidy = record_tidy,
    .free = record_free,
};

struct zs_backend *zs_backend_record_new(struct zs_backend *inner)
{
	struct record *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->lock = malloc(sizeof(*r->lock));
	if (!r->lock) {
		free(r);
		return NULL;
	}
	(void)pthread_mutex_init(r->lock, NULL);
	r->be = (struct zs_backend){&record_ops, zs_backend_describe(inner)};
	r->inner = inner;
	return &r->be;
}

uint64_t zs_backend_record_count(const struct zs_backend *rec)
{
	const struct record *r = (const struct record *)rec;
	uint64_t n;

	(void)pthread_mutex_lock(r->lock);
	n = r->count;
	(void)pthread_mutex_unlock(r->lock);
	return n;
}

int zs_backend_record_replay(const struct zs_backend *rec, uint64_t n, struct zs_backend *onto, struct zs_err *err)
{
	const struct record *r = (const struct record *)rec;
	int rc = 0;
	uint64_t i;

	(void)pthread_mutex_lock(r->lock);
	assert(n <= r->count);
	for (i = 0; rc == 0 && i < n; i++) {
		const struct change *c = &r->changes[i];

		if (c->what == CHANGE_PUT)
			rc = zs_backend_put(onto, c->type, &c->name, zs_buf_span(&c->data), err);
		else
			rc = zs_backend_delete(onto, c->type, &c->name, err);
	}
	(void)pthread_mutex_unlock(r->lock);
	return rc;
}
