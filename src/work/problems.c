/*
 * The items that a backup could not store, from any thread: counted, the first
 * hundred kept in words for the snapshot, all forwarded to the observer.
 */
#include <pthread.h>
#include <stdlib.h>

#include "backup_private.h"

#define REASONS_MAX 100
#define REASON_PATH_MAX 4096 /* of a longer path the end is kept: a snapshot must be able to hold the reason */

struct zs_backup_problems {
	const struct zs_observer *observer;
	pthread_mutex_t lock; /* guards all below */
	uint64_t count;
	struct zs_strings reasons;
};

int zs_backup_problems_new(const struct zs_observer *o, struct zs_backup_problems **out, struct zs_err *err)
{
	struct zs_backup_problems *p = calloc(1, sizeof *p);

	if (!p)
		return zs_fail_nomem(err);
	p->observer = o;
	(void)pthread_mutex_init(&p->lock, NULL);
	*out = p;
	return 0;
}

void zs_backup_problems_free(struct zs_backup_problems *p)
{
	if (!p)
		return;
	zs_strings_fini(&p->reasons);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}

static int reason_text(struct zs_span path, const struct zs_err *why, struct zs_buf *out, struct zs_err *err)
{
	int is_long = path.n > REASON_PATH_MAX;

	if (is_long)
		path = zs_span(path.p + path.n - REASON_PATH_MAX, REASON_PATH_MAX);
	if ((is_long && zs_buf_printf(out, err, "...") < 0) || zs_buf_add_span(out, path, err) < 0)
		return -1;
	return zs_buf_printf(out, err, ": %s", why->text);
}

void zs_backup_problem(void *problems, struct zs_span path, const struct zs_err *why)
{
	struct zs_backup_problems *p = problems;
	struct zs_buf text = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)pthread_mutex_lock(&p->lock);
	p->count++;
	/* Out of memory here costs the wording, not the count: the snapshot is partial all the same. */
	if (p->reasons.n < REASONS_MAX && reason_text(path, why, &text, &err) == 0 &&
	    zs_strings_add(&p->reasons, zs_buf_span(&text), &err) < 0)
		zs_err_clear(&err);
	if (p->observer && p->observer->problem)
		p->observer->problem(p->observer->ctx, path, why);
	(void)pthread_mutex_unlock(&p->lock);
	zs_buf_fini(&text);
}

uint64_t backup_problems_count(struct zs_backup_problems *p)
{
	uint64_t n;

	(void)pthread_mutex_lock(&p->lock);
	n = p->count;
	(void)pthread_mutex_unlock(&p->lock);
	return n;
}

int backup_problems_reasons(struct zs_backup_problems *p, struct zs_strings *out, struct zs_err *err)
{
	int rc = 0;

	(void)pthread_mutex_lock(&p->lock);
	for (size_t i = 0; rc == 0 && i < p->reasons.n; i++)
		rc = zs_strings_add(out, zs_span_str(p->reasons.v[i]), err);
	(void)pthread_mutex_unlock(&p->lock);
	return rc;
}
