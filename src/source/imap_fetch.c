/*
 * Bodies, fetched ahead of who reads them: what is expected to be read stands in a queue, in the order of its items;
 * the fetchers (imap_fetcher.c) take from its front, and what they get waits here, in bounded memory, for its reader.
 *
 * Memory cannot lock it up: a body that somebody waits for may always grow; and if readers wait for others for long
 * while there is no room, fetchers give up what they hold (it is asked for again when it is read).
 */
#include "imap_fetch_private.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAIT_NS 250000000 /* between looks at the user's wish to stop */

/* ---------------------------------------------------------------------- the engine */

struct imap_fetch *imap_fetch_new(const struct imap_account *a, const struct imap_folders *folders, struct zs_span root)
{
	struct imap_fetch *e = calloc(1, sizeof *e);
	pthread_condattr_t attr;

	if (!e)
		return NULL;
	e->account = a;
	e->listed = folders;
	e->root = root;
	e->held_max = IMAP_HELD_MAX;
	e->starving_ns = IMAP_STARVING_NS;
	e->late_max = IMAP_LATE_MAX;
	(void)pthread_mutex_init(&e->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&e->to_readers, &attr);
	(void)pthread_cond_init(&e->to_fetchers, &attr);
	(void)pthread_condattr_destroy(&attr);
	return e;
}

void imap_fetch_adopt(struct imap_fetch *e, struct imap_conn **c)
{
	imap_conn_free(e->adopted);
	e->adopted = *c;
	*c = NULL;
	if (e->adopted)
		e->adopted->cancel = &e->ending;
}

void imap_fetch_free(struct imap_fetch *e)
{
	struct imap_body *b;

	if (!e)
		return;
	(void)pthread_mutex_lock(&e->lock);
	atomic_store(&e->ending, 1);
	(void)pthread_cond_broadcast(&e->to_fetchers);
	(void)pthread_cond_broadcast(&e->to_readers);
	(void)pthread_mutex_unlock(&e->lock);
	for (unsigned i = 0; i < e->running; i++)
		(void)pthread_join(e->fetchers[i].thread, NULL);
	(void)pthread_mutex_lock(&e->lock);
	while ((b = imap_fetch_dequeue(e)))
		imap_fetch_drop(b);
	while ((b = e->missing)) {
		e->missing = b->next;
		imap_fetch_drop(b);
	}
	(void)pthread_mutex_unlock(&e->lock);
	imap_conn_logout(e->adopted);
	imap_look_fini(e);
	(void)pthread_mutex_destroy(&e->lock);
	(void)pthread_cond_destroy(&e->to_readers);
	(void)pthread_cond_destroy(&e->to_fetchers);
	free(e);
}

int imap_fetch_failed(struct imap_fetch *e, struct zs_err *err)
{
	int rc = 0;

	(void)pthread_mutex_lock(&e->lock);
	if (e->is_dead) {
		*err = e->why;
		rc = -1;
	}
	(void)pthread_mutex_unlock(&e->lock);
	return rc;
}

void imap_fetch_count(struct imap_fetch *e, struct imap_fetch_counts *out)
{
	(void)pthread_mutex_lock(&e->lock);
	*out = e->counts;
	(void)pthread_mutex_unlock(&e->lock);
}

void imap_fetch_wait(struct imap_fetch *e, pthread_cond_t *cond)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += WAIT_NS;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	(void)pthread_cond_timedwait(cond, &e->lock, &t);
}

/* --------------------------------------------------------------------------- bodies */

struct imap_body *imap_fetch_body(struct imap_fetch *e, const struct zs_source_ops *ops, const struct imap_folder *f,
    const struct imap_message *m)
{
	struct imap_body *b = calloc(1, sizeof *b + m->flags.n + m->tags.n);

	if (!b)
		return NULL;
	b->base.ops = ops;
	b->fetch = e;
	b->folder = b->listed_in = f;
	b->uid = b->listed_uid = m->uid;
	b->size = m->size;
	b->date_ns = m->date_ns;
	b->flags_n = m->flags.n;
	b->tags_n = m->tags.n;
	if (m->flags.n)
		memcpy(b->words, m->flags.p, m->flags.n);
	if (m->tags.n)
		memcpy(b->words + m->flags.n, m->tags.p, m->tags.n);
	b->refs = 1;
	b->is_kept = 1;
	b->sequence = ++e->sequence; /* of the thread that calls next */
	b->last = &b->first;
	return b;
}

/* With the lock held. */
static void free_chunks(struct imap_body *b)
{
	struct imap_chunk *c;

	while ((c = b->first)) {
		b->first = c->next;
		b->fetch->held -= c->cap;
		free(c);
	}
	b->last = &b->first;
	(void)pthread_cond_broadcast(&b->fetch->to_fetchers);
}

void imap_fetch_drop(struct imap_body *b)
{
	if (--b->refs > 0)
		return;
	free_chunks(b);
	zs_hasher_free(b->hasher);
	free(b);
}

void imap_fetch_unref(struct imap_body *b)
{
	struct imap_fetch *e = b->fetch;

	(void)pthread_mutex_lock(&e->lock);
	imap_fetch_drop(b);
	(void)pthread_mutex_unlock(&e->lock);
}

struct imap_body *imap_fetch_ref(struct imap_body *b)
{
	(void)pthread_mutex_lock(&b->fetch->lock);
	b->refs++;
	(void)pthread_mutex_unlock(&b->fetch->lock);
	return b;
}

void imap_fetch_same(struct imap_body *b)
{
	(void)pthread_mutex_lock(&b->fetch->lock);
	b->is_same = 1;
	(void)pthread_mutex_unlock(&b->fetch->lock);
}

void imap_fetch_release(struct imap_body *b)
{
	struct imap_fetch *e = b->fetch;

	(void)pthread_mutex_lock(&e->lock);
	b->is_kept--;
	imap_fetch_drop(b);
	(void)pthread_mutex_unlock(&e->lock);
}

void imap_fetch_enqueue(struct imap_body *b)
{
	struct imap_fetch *e = b->fetch;
	struct imap_body **at = &e->queue;

	if (e->queue_last && e->queue_last->sequence < b->sequence)
		at = &e->queue_last->next;
	while (*at && (*at)->sequence < b->sequence)
		at = &(*at)->next;
	b->next = *at;
	*at = b;
	if (!b->next)
		e->queue_last = b;
	b->refs++;
	e->queued++;
	b->state = IMAP_BODY_QUEUED;
	(void)pthread_cond_broadcast(&e->to_fetchers);
}

struct imap_body *imap_fetch_dequeue(struct imap_fetch *e)
{
	struct imap_body *b = e->queue;

	if (!b)
		return NULL;
	e->queue = b->next;
	if (!e->queue)
		e->queue_last = NULL;
	b->next = NULL;
	e->queued--;
	return b;
}

/* What came so far is of no use, unless a reader may have had some of it: then that part must come again. */
void imap_fetch_restart(struct imap_body *b)
{
	if (!b->is_streamed) {
		free_chunks(b);
		b->given = 0;
	} else {
		if (b->came >= b->again) {
			b->again = b->given;
			b->again_sum = zs_hasher_sum(b->hasher);
		}
		zs_hasher_reset(b->hasher);
	}
	b->came = 0;
}

void imap_fetch_end(struct imap_body *b, enum imap_body_state state)
{
	b->state = state;
	(void)pthread_cond_broadcast(&b->fetch->to_readers);
}

void imap_fetch_dead(struct imap_fetch *e, const struct zs_err *why)
{
	if (!e->is_dead)
		e->why = *why;
	e->is_dead = 1;
	(void)pthread_cond_broadcast(&e->to_readers);
	(void)pthread_cond_broadcast(&e->to_fetchers);
}

/* With the lock held.  Another fetcher if there is more to do than those that run can have on their way. */
static int start_fetcher(struct imap_fetch *e, struct zs_err *err)
{
	struct imap_fetcher *f = &e->fetchers[e->running];
	sigset_t all, before;
	int sys;

	if (e->running > 0 && (e->running == e->account->connections || e->queued <= IMAP_WINDOW * e->running))
		return 0;
	*f = (struct imap_fetcher){.fetch = e, .conn = e->adopted};
	e->adopted = NULL;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	sys = pthread_create(&f->thread, NULL, imap_fetcher_main, f);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (sys) {
		e->adopted = f->conn;
		return e->running > 0 ? 0 : zs_fail_sys(err, ZS_SYSTEM, sys, "cannot start a thread");
	}
	e->running++;
	return 0;
}

int imap_fetch_expect(struct imap_body *b, struct zs_err *err)
{
	struct imap_fetch *e = b->fetch;
	int rc = 0;

	(void)pthread_mutex_lock(&e->lock);
	if (b->is_kept && !b->is_same && b->state == IMAP_BODY_NEW) {
		imap_fetch_enqueue(b);
		rc = start_fetcher(e, err);
	}
	imap_fetch_drop(b);
	(void)pthread_mutex_unlock(&e->lock);
	return rc;
}

/* -------------------------------------------------------------------------- readers */

/* With the lock held: is there something to say to a reader?  1, 0. */
static int is_readable(const struct imap_body *b)
{
	if (b->state >= IMAP_BODY_DONE)
		return 1;
	return b->is_streamed && b->first;
}

/* With the lock held: until something came, or it ended. */
static int wait_for(struct imap_body *b, struct zs_err *err)
{
	struct imap_fetch *e = b->fetch;
	int rc = 0;

	b->waiters++;
	e->waiting++;
	while (rc == 0 && !is_readable(b)) {
		if (e->is_dead) {
			*err = e->why;
			rc = -1;
			break;
		}
		if (b->state == IMAP_BODY_NEW) {
			imap_fetch_enqueue(b);
			rc = start_fetcher(e, err);
		}
		(void)pthread_cond_broadcast(&e->to_fetchers); /* room, or a look, may be needed for this one now */
		imap_fetch_wait(e, &e->to_readers);
		if (rc == 0)
			rc = imap_options_stopped(e->account, err);
	}
	b->waiters--;
	e->waiting--;
	return rc;
}

/* With the lock held. */
static int how_it_ended(const struct imap_body *b, struct zs_err *err)
{
	if (b->state != IMAP_BODY_FAILED && b->state != IMAP_BODY_GONE)
		return 0;
	*err = b->why;
	return -1;
}

int imap_fetch_open(struct imap_body *b, struct zs_err *err)
{
	struct imap_fetch *e = b->fetch;
	int rc;

	(void)pthread_mutex_lock(&e->lock);
	rc = wait_for(b, err);
	if (rc == 0)
		rc = how_it_ended(b, err);
	if (rc == 0) {
		b->refs++;
		b->is_kept++;
	}
	(void)pthread_mutex_unlock(&e->lock);
	return rc;
}

/* The next chunk is the reader's: 1, 0 the end, -1. */
static int take_chunk(struct imap_body *b, struct imap_chunk **out, struct zs_err *err)
{
	struct imap_fetch *e = b->fetch;
	struct imap_chunk *c;
	int rc;

	(void)pthread_mutex_lock(&e->lock);
	rc = wait_for(b, err);
	if (rc == 0)
		rc = how_it_ended(b, err);
	if (rc == 0 && (c = b->first)) {
		b->first = c->next;
		if (!b->first)
			b->last = &b->first;
		e->held -= c->cap;
		e->progress_ns = zs_monotonic_ns();
		(void)pthread_cond_broadcast(&e->to_fetchers);
		*out = c;
		rc = 1;
	}
	(void)pthread_mutex_unlock(&e->lock);
	return rc;
}

int imap_fetch_read(struct imap_body *b, struct imap_chunk **cur, size_t *at, void *p, size_t n, size_t *out_n, struct zs_err *err)
{
	int rc;

	*out_n = 0;
	while (*out_n == 0 && n > 0) {
		size_t part;

		if (!*cur) {
			if ((rc = take_chunk(b, cur, err)) <= 0)
				return rc;
			*at = 0;
		}
		part = (*cur)->n - *at < n ? (*cur)->n - *at : n;
		memcpy(p, (*cur)->p + *at, part);
		*at += part;
		*out_n = part;
		if (*at == (*cur)->n) {
			free(*cur);
			*cur = NULL;
		}
	}
	return 0;
}

void imap_fetch_close(struct imap_body *b, struct imap_chunk *cur)
{
	free(cur);
	imap_fetch_release(b);
}
