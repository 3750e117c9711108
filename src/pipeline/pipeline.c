/*
 * Ordered parallel work: a ring of job slots, worker threads that fill them with
 * results, and one sink thread that empties them in the order of pushing.  What
 * a job or a result is, only the caller knows.
 */
#include "zstore/pipeline.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum slot_state { SLOT_QUEUED, SLOT_WORKING, SLOT_DONE };

struct result {
	struct result *next;
	void *data;
	size_t weight;
};

/* One pushed job and what it has emitted so far. */
struct slot {
	enum slot_state state;
	void *job;
	struct result *first, **last;
	size_t held; /* results emitted and not yet sunk */
};

struct worker {
	struct zs_pipeline *p;
	void *state;
	pthread_t thread;
	int started;
};

struct zs_pipeline {
	struct zs_pipeline_ops ops;
	struct worker *workers;
	unsigned worker_count, max_jobs;
	size_t budget;
	pthread_t sink_thread;
	int sink_started;

	/* guards all below */
	pthread_mutex_t lock;
	pthread_cond_t to_workers; /* a job was queued, or the end */
	pthread_cond_t to_sink;	   /* a result is there, a job is done, or the end */
	pthread_cond_t to_pusher;  /* a slot is free, everything is sunk, or failure */
	pthread_cond_t to_emitters; /* bytes were freed, the head moved, or failure */
	struct slot *slots;	   /* ring: sequence number modulo max_jobs */
	uint64_t head;		   /* next to be sunk */
	uint64_t next;		   /* next to be worked on */
	uint64_t tail;		   /* next to be pushed */
	size_t held;		   /* sum of slots' held */
	int ending, failed;
	struct zs_err error;
};

struct zs_emitter {
	struct zs_pipeline *p;
	uint64_t seq; /* of the job */
};

static struct slot *slot_of(struct zs_pipeline *p, uint64_t seq)
{
	return &p->slots[seq % p->max_jobs];
}

static void wake_all(struct zs_pipeline *p)
{
	(void)pthread_cond_broadcast(&p->to_workers);
	(void)pthread_cond_broadcast(&p->to_sink);
	(void)pthread_cond_broadcast(&p->to_pusher);
	(void)pthread_cond_broadcast(&p->to_emitters);
}

/* With the lock held. */
static void fail_locked(struct zs_pipeline *p, const struct zs_err *why)
{
	if (!p->failed) {
		p->failed = 1;
		p->error = *why;
	}
	wake_all(p);
}

void zs_pipeline_fail(struct zs_pipeline *p, const struct zs_err *why)
{
	(void)pthread_mutex_lock(&p->lock);
	fail_locked(p, why);
	(void)pthread_mutex_unlock(&p->lock);
}

static void drop_result(struct zs_pipeline *p, void *data)
{
	if (p->ops.result_free)
		p->ops.result_free(p->ops.ctx, data);
}

static void drop_job(struct zs_pipeline *p, void *job)
{
	if (p->ops.job_free)
		p->ops.job_free(p->ops.ctx, job);
}

int zs_pipeline_emit(struct zs_emitter *out, void *data, size_t weight, struct zs_err *err)
{
	struct zs_pipeline *p = out->p;
	struct slot *s;
	struct result *r;

	if (p->worker_count == 0)
		return p->ops.sink(p->ops.ctx, data, err);
	if (!(r = malloc(sizeof *r))) {
		drop_result(p, data);
		return zs_fail_nomem(err);
	}
	*r = (struct result){.data = data, .weight = weight};
	(void)pthread_mutex_lock(&p->lock);
	s = slot_of(p, out->seq);
	/* The head may always have one result waiting, so the sink never starves. */
	while (!p->failed && p->held + weight > p->budget && !(p->head == out->seq && s->held == 0))
		(void)pthread_cond_wait(&p->to_emitters, &p->lock);
	if (p->failed) {
		*err = p->error;
		(void)pthread_mutex_unlock(&p->lock);
		drop_result(p, data);
		free(r);
		return -1;
	}
	*s->last = r;
	s->last = &r->next;
	s->held += weight;
	p->held += weight;
	if (p->head == out->seq)
		(void)pthread_cond_signal(&p->to_sink);
	(void)pthread_mutex_unlock(&p->lock);
	return 0;
}

/* With the lock held: work on the next job, giving the lock up meanwhile. */
static void work_one(struct worker *w)
{
	struct zs_pipeline *p = w->p;
	struct zs_emitter out = {p, p->next++};
	struct slot *s = slot_of(p, out.seq);
	struct zs_err err = {0};
	void *job = s->job;
	int rc;

	s->state = SLOT_WORKING;
	s->job = NULL;
	(void)pthread_mutex_unlock(&p->lock);
	rc = p->ops.work(p->ops.ctx, w->state, job, &out, &err);
	(void)pthread_mutex_lock(&p->lock);
	if (rc < 0)
		fail_locked(p, &err);
	s->state = SLOT_DONE;
	if (p->head == out.seq)
		(void)pthread_cond_signal(&p->to_sink);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct zs_pipeline *p = w->p;

	(void)pthread_mutex_lock(&p->lock);
	for (;;) {
		while (!p->failed && !p->ending && p->next == p->tail)
			(void)pthread_cond_wait(&p->to_workers, &p->lock);
		if (p->failed || p->next == p->tail)
			break;
		work_one(w);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* With the lock held: hand the head's first result to the sink, or step past a finished head. */
static void sink_one(struct zs_pipeline *p)
{
	struct slot *s = slot_of(p, p->head);
	struct result *r = s->first;
	struct zs_err err = {0};
	int rc;

	if (!r) {
		p->head++;
		(void)pthread_cond_broadcast(&p->to_pusher);
		(void)pthread_cond_broadcast(&p->to_emitters);
		return;
	}
	s->first = r->next;
	if (!s->first)
		s->last = &s->first;
	(void)pthread_mutex_unlock(&p->lock);
	rc = p->ops.sink(p->ops.ctx, r->data, &err);
	(void)pthread_mutex_lock(&p->lock);
	s->held -= r->weight;
	p->held -= r->weight;
	free(r);
	if (rc < 0)
		fail_locked(p, &err);
	(void)pthread_cond_broadcast(&p->to_emitters);
}

static int sink_has_work(struct zs_pipeline *p)
{
	struct slot *s = slot_of(p, p->head);

	return p->head != p->tail && (s->first || s->state == SLOT_DONE);
}

static void *sink_main(void *arg)
{
	struct zs_pipeline *p = arg;

	(void)pthread_mutex_lock(&p->lock);
	for (;;) {
		while (!p->failed && !sink_has_work(p) && !(p->ending && p->head == p->tail))
			(void)pthread_cond_wait(&p->to_sink, &p->lock);
		if (p->failed || p->head == p->tail)
			break;
		sink_one(p);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

static int push_inline(struct zs_pipeline *p, void *job, struct zs_err *err)
{
	struct zs_emitter out = {p, p->tail++};

	if (p->failed) {
		drop_job(p, job);
		*err = p->error;
		return -1;
	}
	if (p->ops.work(p->ops.ctx, p->workers[0].state, job, &out, err) < 0) {
		fail_locked(p, err);
		return -1;
	}
	return 0;
}

int zs_pipeline_push(struct zs_pipeline *p, void *job, struct zs_err *err)
{
	struct slot *s;

	if (p->worker_count == 0)
		return push_inline(p, job, err);
	(void)pthread_mutex_lock(&p->lock);
	while (!p->failed && p->tail - p->head >= p->max_jobs)
		(void)pthread_cond_wait(&p->to_pusher, &p->lock);
	if (p->failed) {
		*err = p->error;
		(void)pthread_mutex_unlock(&p->lock);
		drop_job(p, job);
		return -1;
	}
	s = slot_of(p, p->tail++);
	assert(!s->first && s->held == 0);
	*s = (struct slot){.state = SLOT_QUEUED, .job = job};
	s->last = &s->first;
	(void)pthread_cond_signal(&p->to_workers);
	(void)pthread_mutex_unlock(&p->lock);
	return 0;
}

int zs_pipeline_drain(struct zs_pipeline *p, struct zs_err *err)
{
	int rc = 0;

	(void)pthread_mutex_lock(&p->lock);
	while (p->worker_count > 0 && !p->failed && p->head != p->tail)
		(void)pthread_cond_wait(&p->to_pusher, &p->lock);
	if (p->failed) {
		*err = p->error;
		rc = -1;
	}
	(void)pthread_mutex_unlock(&p->lock);
	return rc;
}

/* No thread runs any more: free what a failure left behind. */
static void drop_leftovers(struct zs_pipeline *p)
{
	for (uint64_t seq = p->head; p->worker_count > 0 && seq != p->tail; seq++) {
		struct slot *s = slot_of(p, seq);
		struct result *r;

		if (s->job)
			drop_job(p, s->job);
		while ((r = s->first)) {
			s->first = r->next;
			drop_result(p, r->data);
			free(r);
		}
	}
}

static void pipeline_free(struct zs_pipeline *p)
{
	drop_leftovers(p);
	for (unsigned i = 0; p->workers && i < (p->worker_count ? p->worker_count : 1); i++)
		if (p->ops.worker_free && p->workers[i].state)
			p->ops.worker_free(p->ops.ctx, p->workers[i].state);
	(void)pthread_cond_destroy(&p->to_workers);
	(void)pthread_cond_destroy(&p->to_sink);
	(void)pthread_cond_destroy(&p->to_pusher);
	(void)pthread_cond_destroy(&p->to_emitters);
	(void)pthread_mutex_destroy(&p->lock);
	free(p->workers);
	free(p->slots);
	free(p);
}

static void stop_threads(struct zs_pipeline *p)
{
	(void)pthread_mutex_lock(&p->lock);
	p->ending = 1;
	wake_all(p);
	(void)pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->worker_count; i++)
		if (p->workers[i].started)
			(void)pthread_join(p->workers[i].thread, NULL);
	if (p->sink_started)
		(void)pthread_join(p->sink_thread, NULL);
}

int zs_pipeline_close(struct zs_pipeline **pp, struct zs_err *err)
{
	struct zs_pipeline *p = *pp;
	int rc;

	*pp = NULL;
	if (!p)
		return 0;
	rc = zs_pipeline_drain(p, err);
	stop_threads(p);
	pipeline_free(p);
	return rc;
}

/* Signals belong to the thread that started us. */
static int start_threads(struct zs_pipeline *p, struct zs_err *err)
{
	sigset_t all, before;
	int rc = 0, sys;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 0; rc == 0 && i < p->worker_count; i++) {
		sys = pthread_create(&p->workers[i].thread, NULL, worker_main, &p->workers[i]);
		if (sys)
			rc = zs_fail_sys(err, ZS_SYSTEM, sys, "cannot start a worker thread");
		else
			p->workers[i].started = 1;
	}
	if (rc == 0 && p->worker_count > 0) {
		sys = pthread_create(&p->sink_thread, NULL, sink_main, p);
		if (sys)
			rc = zs_fail_sys(err, ZS_SYSTEM, sys, "cannot start a thread");
		else
			p->sink_started = 1;
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static int make_states(struct zs_pipeline *p, unsigned n, struct zs_err *err)
{
	for (unsigned i = 0; i < n; i++) {
		p->workers[i].p = p;
		if (p->ops.worker_new && p->ops.worker_new(p->ops.ctx, &p->workers[i].state, err) < 0)
			return -1;
	}
	return 0;
}

int zs_pipeline_new(const struct zs_pipeline_ops *ops, unsigned workers, unsigned max_jobs, size_t budget_bytes,
    struct zs_pipeline **out, struct zs_err *err)
{
	struct zs_pipeline *p;
	unsigned n = workers ? workers : 1;

	assert(workers <= 64 && max_jobs >= 1);
	if (!(p = calloc(1, sizeof *p)))
		return zs_fail_nomem(err);
	p->ops = *ops;
	p->worker_count = workers;
	p->max_jobs = max_jobs;
	p->budget = budget_bytes;
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->to_workers, NULL);
	(void)pthread_cond_init(&p->to_sink, NULL);
	(void)pthread_cond_init(&p->to_pusher, NULL);
	(void)pthread_cond_init(&p->to_emitters, NULL);
	p->workers = calloc(n, sizeof *p->workers);
	p->slots = calloc(max_jobs, sizeof *p->slots);
	if (!p->workers || !p->slots) {
		pipeline_free(p);
		return zs_fail_nomem(err);
	}
	if (make_states(p, n, err) < 0 || start_threads(p, err) < 0) {
		stop_threads(p);
		pipeline_free(p);
		return -1;
	}
	*out = p;
	return 0;
}
