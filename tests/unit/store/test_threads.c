/*
 * The three roles of a transaction in three threads, readers beside them.  What is put twice is stored once, however
 * the removal from pending and the refreshing of the intake's view interleave.
 */
#include "store_help.h"

#define CHUNKS 1500
#define ROUNDS 3
#define QUEUE 4

struct queue { /* of blocks, in order; the lock guards all of it */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct zs_block *v[QUEUE];
	unsigned n;
	int closed;
};

static void queue_push(struct queue *q, struct zs_block *b)
{
	pthread_mutex_lock(&q->lock);
	while (q->n == QUEUE)
		pthread_cond_wait(&q->changed, &q->lock);
	if (b)
		q->v[q->n++] = b;
	else
		q->closed = 1;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

static struct zs_block *queue_pop(struct queue *q)
{
	struct zs_block *b = NULL;

	pthread_mutex_lock(&q->lock);
	while (q->n == 0 && !q->closed)
		pthread_cond_wait(&q->changed, &q->lock);
	if (q->n > 0) {
		b = q->v[0];
		memmove(&q->v[0], &q->v[1], --q->n * sizeof(q->v[0]));
	}
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
	return b;
}

struct run {
	struct zs_store *st;
	struct zs_txn *txn;
	struct queue to_press, to_append;
	unsigned added;
	atomic_int failed;
	struct zs_err err[3]; /* of intake, press, append */
};

static int intake_all(struct run *r, struct zs_err *e)
{
	uint8_t bytes[HELP_CHUNK_MAX];
	struct zs_block *b;
	uint32_t added;
	int got;

	for (uint32_t i = 0; i < ROUNDS * CHUNKS; i++) {
		/* Again soon after, so that some are pending and some just published. */
		uint32_t k = (i % 3 == 2 ? i / 3 : i / 3 * 2 + i % 3) % CHUNKS;
		struct zs_id id = help_id(r->st, k);

		if (zs_store_put(r->txn, help_kind(k), &id, help_chunk(k, bytes), &added, &b, e) < 0)
			return -1;
		r->added += added > 0;
		if (b)
			queue_push(&r->to_press, b);
	}
	while ((got = zs_store_flush(r->txn, &b, e)) > 0)
		queue_push(&r->to_press, b);
	return got;
}

static void *intake(void *arg)
{
	struct run *r = arg;

	if (intake_all(r, &r->err[0]) < 0)
		atomic_store(&r->failed, 1);
	queue_push(&r->to_press, NULL);
	return NULL;
}

static void *press(void *arg)
{
	struct run *r = arg;
	struct zs_press *press = NULL;
	struct zs_block *b;
	int rc = zs_press_new(&press, &r->err[1]);

	while ((b = queue_pop(&r->to_press))) {
		if (rc == 0 && zs_store_block_press(b, press, -1, &r->err[1]) == 0) {
			queue_push(&r->to_append, b);
			continue;
		}
		zs_store_block_free(r->txn, b);
		atomic_store(&r->failed, 1);
	}
	zs_press_free(press);
	queue_push(&r->to_append, NULL);
	return NULL;
}

static void *append(void *arg)
{
	struct run *r = arg;
	struct zs_block *b;

	while ((b = queue_pop(&r->to_append))) {
		if (zs_store_append(r->txn, &b, &r->err[2]) < 0)
			atomic_store(&r->failed, 1);
	}
	return NULL;
}

static void run_threads(struct run *r)
{
	pthread_t t[3];

	pthread_mutex_init(&r->to_press.lock, NULL);
	pthread_mutex_init(&r->to_append.lock, NULL);
	pthread_cond_init(&r->to_press.changed, NULL);
	pthread_cond_init(&r->to_append.changed, NULL);
	assert_int_equal(pthread_create(&t[0], NULL, intake, r), 0);
	assert_int_equal(pthread_create(&t[1], NULL, press, r), 0);
	assert_int_equal(pthread_create(&t[2], NULL, append, r), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	pthread_mutex_destroy(&r->to_press.lock);
	pthread_mutex_destroy(&r->to_append.lock);
	pthread_cond_destroy(&r->to_press.changed);
	pthread_cond_destroy(&r->to_append.changed);
}

/* Reads whatever is there, until told to stop; syncs again and again. */
struct watcher { struct zs_store *st; atomic_int stop, reads, bad; };

static void *watch(void *arg)
{
	struct watcher *w = arg;
	struct zs_store_reader *r;
	struct zs_err e = {0};
	uint32_t i = 0;

	if (zs_store_reader_new(w->st, 100000, &r, &e) < 0) {
		atomic_store(&w->bad, 1);
		return NULL;
	}
	do {
		struct zs_id id = help_id(w->st, i++ % CHUNKS);
		struct zs_span got;

		if (zs_store_read(r, &id, &got, &e) == 0)
			atomic_fetch_add(&w->reads, 1);
		else if (e.cause != ZS_CORRUPT || !strstr(e.text, "in no pack"))
			atomic_store(&w->bad, 1);
	} while (!atomic_load(&w->stop));
	zs_store_reader_free(r);
	return NULL;
}

static void test_three_threads(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct run r = {.st = st};
	struct watcher w = {.st = st};
	pthread_t watchers[2];

	(void)state;
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &r.txn, &err), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&watchers[i], NULL, watch, &w), 0);
	run_threads(&r);
	atomic_store(&w.stop, 1);
	for (int i = 0; i < 2; i++)
		pthread_join(watchers[i], NULL);
	if (atomic_load(&r.failed))
		fail_msg("%s / %s / %s", r.err[0].text, r.err[1].text, r.err[2].text);
	assert_int_equal(atomic_load(&w.bad), 0);
	assert_int_equal(zs_store_commit(&r.txn, &err), 0);
	help_read_all(st, 0, CHUNKS);
	assert_int_equal(r.added, CHUNKS); /* each of them once */
	assert_int_equal(zs_index_chunk_total(zs_store_index(st)), CHUNKS);
	zs_store_free(st);
	zs_backend_free(be);
}

/* The append thread fails: the intake hears of it, nothing hangs, nothing leaks. */
static void test_append_fails(void **state)
{
	struct zs_backend *be = help_repo(), *bad = zs_backend_faulty_new(be, 200, ZS_FAULT_LOST, ZS_NOSPACE);
	struct zs_store *st = help_open(bad, NULL);
	struct run r = {.st = st};

	(void)state;
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &r.txn, &err), 0);
	run_threads(&r);
	assert_int_equal(atomic_load(&r.failed), 1);
	assert_true(r.err[2].cause == ZS_NOSPACE || r.err[2].cause == ZS_IO);
	zs_store_abort(&r.txn);
	zs_store_free(st);
	zs_backend_free(bad);
	zs_backend_free(be);
}

/* Publishing while the intake asks: what is known stays known at every moment of its way into the index. */
struct publisher { struct zs_txn *txn; struct zs_block *b; atomic_int done; int rc; struct zs_err err; };

static void *publish(void *arg)
{
	struct publisher *p = arg;

	p->rc = zs_store_append(p->txn, &p->b, &p->err);
	if (p->rc == 0)
		p->rc = zs_store_publish(p->txn, &p->err);
	atomic_store(&p->done, 1);
	return NULL;
}

static void test_always_known(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	uint8_t bytes[HELP_CHUNK_MAX];
	struct zs_press *press;
	struct zs_txn *txn;

	(void)state;
	assert_int_equal(zs_press_new(&press, &err), 0);
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &txn, &err), 0);
	for (uint32_t i = 0; i < 60; i++) {
		struct zs_id id = help_id(st, i);
		struct publisher p = {.txn = txn};
		uint32_t added;
		pthread_t t;

		assert_int_equal(zs_store_put(txn, help_kind(i), &id, help_chunk(i, bytes), &added, &p.b, &err), 0);
		assert_int_equal(zs_store_flush(txn, &p.b, &err), 1);
		assert_int_equal(zs_store_block_press(p.b, press, 1, &err), 0);
		assert_int_equal(pthread_create(&t, NULL, publish, &p), 0);
		do {
			assert_int_equal(zs_store_has(txn, &id, &err), 1);
		} while (!atomic_load(&p.done));
		pthread_join(t, NULL);
		assert_int_equal(p.rc, 0);
		assert_int_equal(zs_store_has(txn, &id, &err), 1);
	}
	zs_press_free(press);
	assert_int_equal(zs_store_commit(&txn, &err), 0);
	zs_store_free(st);
	zs_backend_free(be);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_three_threads),
	    cmocka_unit_test(test_append_fails),
	    cmocka_unit_test(test_always_known),
	};

	return cmocka_run_group_tests(tests, help_setup, help_teardown);
}
