/*
 * A backend that fails on purpose: one operation, or one and all after it, or with half an object left behind.
 * Counting is the point: every call is one operation, so that a test can fail each in turn.
 */
#include "backend_private.h"

#include <stdlib.h>

struct faulty {
	struct zs_backend be;
	struct zs_backend *inner; /* borrowed */
	uint64_t n;
	enum zs_fault_mode mode;
	enum zs_cause cause;
	atomic_uint_fast64_t count;
	atomic_int fired;
};

struct faulty_put {
	struct zs_put put;
	struct zs_put *inner;
	struct zs_buf data; /* kept for TORN only */
};

enum step { STEP_GO = 0, STEP_FAIL, STEP_TORN };

static enum step step(struct faulty *f, struct zs_err *err)
{
	uint64_t now = atomic_fetch_add(&f->count, 1);

	if (now < f->n || (f->mode == ZS_FAULT_ONCE && now > f->n))
		return STEP_GO;
	atomic_store(&f->fired, 1);
	(void)zs_fail(err, f->cause, "injected fault at operation %llu", (unsigned long long)now);
	return f->mode == ZS_FAULT_TORN && now == f->n ? STEP_TORN : STEP_FAIL;
}

static struct faulty *of(struct zs_backend *be)
{
	return (struct faulty *)be;
}

/* Half of it, under its name; if the inner backend does not even take that, nothing. */
static void tear(struct faulty *f, enum zs_object type, const struct zs_name *name, struct zs_span data)
{
	struct zs_err ignored;

	if (zs_backend_put(f->inner, type, name, zs_span(data.p, data.n / 2), &ignored) < 0)
		zs_err_clear(&ignored);
}

static int faulty_put(struct zs_backend *be, enum zs_object type, const struct zs_name *name, struct zs_span data,
    struct zs_err *err)
{
	struct faulty *f = of(be);
	enum step s = step(f, err);

	if (s == STEP_GO)
		return zs_backend_put(f->inner, type, name, data, err);
	if (s == STEP_TORN)
		tear(f, type, name, data);
	return -1;
}

static int faulty_put_begin(struct zs_backend *be, enum zs_object type, struct zs_put **out, struct zs_err *err)
{
	struct faulty *f = of(be);
	struct faulty_put *p;

	if (step(f, err))
		return -1;
	p = calloc(1, sizeof(*p));
	if (!p)
		return zs_fail_nomem(err);
	if (zs_backend_put_begin(f->inner, type, &p->inner, err) < 0) {
		free(p);
		return -1;
	}
	*out = &p->put;
	return 0;
}

static int faulty_put_append(struct zs_put *put, struct zs_span data, struct zs_err *err)
{
	struct faulty_put *p = (struct faulty_put *)put;
	struct faulty *f = of(put->be);

	if (step(f, err))
		return -1;
	if (f->mode == ZS_FAULT_TORN && zs_buf_add_span(&p->data, data, err) < 0)
		return -1;
	return zs_backend_put_append(p->inner, data, err);
}

static void faulty_put_abort(struct zs_put *put)
{
	struct faulty_put *p = (struct faulty_put *)put;

	zs_backend_put_abort(p->inner);
	zs_buf_fini(&p->data);
	free(p);
}

static int faulty_put_commit(struct zs_put *put, const struct zs_name *name, struct zs_err *err)
{
	struct faulty_put *p = (struct faulty_put *)put;
	struct faulty *f = of(put->be);
	enum step s = step(f, err);
	int rc = -1;

	if (s == STEP_GO) {
		rc = zs_backend_put_commit(p->inner, name, err);
		p->inner = NULL;
	} else if (s == STEP_TORN) {
		tear(f, put->type, name, zs_buf_span(&p->data));
	}
	faulty_put_abort(put);
	return rc;
}

static int faulty_get(struct zs_backend *be, enum zs_object type, const struct zs_name *name, uint64_t offset,
    size_t bytes, struct zs_buf *out, struct zs_err *err)
{
	return step(of(be), err) ? -1 : zs_backend_get(of(be)->inner, type, name, offset, bytes, out, err);
}

static int faulty_get_all(struct zs_backend *be, enum zs_object type, const struct zs_name *name, size_t max,
    struct zs_buf *out, struct zs_err *err)
{
	return step(of(be), err) ? -1 : zs_backend_get_all(of(be)->inner, type, name, max, out, err);
}

static int faulty_stat(struct zs_backend *be, enum zs_object type, const struct zs_name *name, uint64_t *out_bytes,
    struct zs_err *err)
{
	return step(of(be), err) ? -1 : zs_backend_stat(of(be)->inner, type, name, out_bytes, err);
}

static int faulty_list(struct zs_backend *be, enum zs_object type, zs_backend_list_fn *fn, void *ctx,
    struct zs_err *err)
{
	return step(of(be), err) ? -1 : zs_backend_list(of(be)->inner, type, fn, ctx, err);
}

static int faulty_remove(struct zs_backend *be, enum zs_object type, const struct zs_name *name, struct zs_err *err)
{
	return step(of(be), err) ? -1 : zs_backend_delete(of(be)->inner, type, name, err);
}

static int faulty_reserve_release(struct zs_backend *be, struct zs_err *err)
{
	return step(of(be), err) ? -1 : zs_backend_reserve_release(of(be)->inner, err);
}

static int faulty_reserve_make(struct zs_backend *be, struct zs_err *err)
{
	return step(of(be), err) ? -1 : zs_backend_reserve_make(of(be)->inner, err);
}

static int faulty_tidy(struct zs_backend *be, struct zs_err *err)
{
	return step(of(be), err) ? -1 : zs_backend_tidy(of(be)->inner, err);
}

static void faulty_free(struct zs_backend *be)
{
	free(be);
}

static const struct backend_ops faulty_ops = {
    .put = faulty_put,
    .put_begin = faulty_put_begin,
    .put_append = faulty_put_append,
    .put_commit = faulty_put_commit,
    .put_abort = faulty_put_abort,
    .get = faulty_get,
    .get_all = faulty_get_all,
    .stat = faulty_stat,
    .list = faulty_list,
    .remove = faulty_remove,
    .reserve_release = faulty_reserve_release,
    .reserve_make = faulty_reserve_make,
    .tidy = faulty_tidy,
    .free = faulty_free,
};

struct zs_backend *zs_backend_faulty_new(struct zs_backend *inner, uint64_t n, enum zs_fault_mode mode,
    enum zs_cause cause)
{
	struct faulty *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->be = (struct zs_backend){&faulty_ops, zs_backend_describe(inner)};
	f->inner = inner;
	f->n = n;
	f->mode = mode;
	f->cause = cause ? cause : ZS_IO;
	atomic_init(&f->count, 0);
	atomic_init(&f->fired, 0);
	return &f->be;
}

int zs_backend_faulty_fired(const struct zs_backend *faulty)
{
	return atomic_load(&((const struct faulty *)faulty)->fired);
}

uint64_t zs_backend_faulty_count(const struct zs_backend *faulty)
{
	return atomic_load(&((const struct faulty *)faulty)->count);
}
