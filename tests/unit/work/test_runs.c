/*
 * Runs beside each other: the number of threads changes nothing that is stored or restored; a prune during a backup; a
 * backup while packs are condemned; a backup whose session is ended under it.
 */
#include "crash_help.h"

/* ------------------------------------------------------------------------ threads */

struct pack_sizes {
	uint64_t v[256];
	size_t n;
};

static int add_size(void *ctx, const struct zs_name *name, uint64_t bytes, struct zs_err *err)
{
	struct pack_sizes *s = ctx;

	(void)name;
	(void)err;
	assert_true(s->n < 256);
	s->v[s->n++] = bytes;
	return 0;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* What two backups have left: everything that does not depend on random keys. */
struct outcome {
	struct zs_id roots[2];
	struct zs_backup_report reports[2];
	struct pack_sizes packs;
	struct zs_store_sizes sizes;
};

static void look_at(struct zs_store *st, struct zs_backend *be, unsigned threads, struct outcome *out)
{
	struct zs_snapshot_list l = {0};
	struct zs_err err = {0};

	assert_int_equal(zs_store_snapshots(st, &l, NULL, &err), 0);
	assert_int_equal(l.n, 2);
	for (unsigned day = 0; day < 2; day++) {
		out->roots[day] = l.v[day].snapshot->root;
		crash_extract(st, l.v[day].snapshot, threads);
	}
	zs_snapshot_list_fini(&l);
	assert_int_equal(zs_backend_list(be, ZS_OBJ_PACK, add_size, &out->packs, &err), 0);
	qsort(out->packs.v, out->packs.n, sizeof(out->packs.v[0]), by_size);
	assert_int_equal(zs_store_sizes(st, &out->sizes, &err), 0);
}

static void assert_same_outcome(const struct outcome *a, const struct outcome *b)
{
	assert_memory_equal(a->roots, b->roots, sizeof(a->roots));
	assert_int_equal(a->packs.n, b->packs.n);
	assert_memory_equal(a->packs.v, b->packs.v, a->packs.n * sizeof(a->packs.v[0]));
	assert_int_equal(a->sizes.chunks, b->sizes.chunks);
	assert_int_equal(a->sizes.plain_bytes, b->sizes.plain_bytes);
	assert_int_equal(a->sizes.objects[ZS_OBJ_INDEX], b->sizes.objects[ZS_OBJ_INDEX]);
	for (unsigned day = 0; day < 2; day++) {
		struct zs_backup_report x = a->reports[day], y = b->reports[day];

		memset(&x.snapshot, 0, sizeof(x.snapshot));
		memset(&y.snapshot, 0, sizeof(y.snapshot));
		assert_memory_equal(&x, &y, sizeof(x));
	}
}

#define COUNTS 3

static void test_threads_change_nothing(void **state)
{
	static const unsigned counts[COUNTS] = {1, 2, 5};
	struct zs_backend *first = zs_backend_mem_new(), *rec = zs_backend_record_new(first), *be[COUNTS];
	struct crash_cache cache[COUNTS];
	struct zs_store *st[COUNTS];
	struct outcome *o = calloc(COUNTS, sizeof(*o));
	struct zs_err err = {0};

	(void)state;
	assert_non_null(o);
	assert_int_equal(crash_init(rec, &err), 0);
	for (unsigned i = 0; i < COUNTS; i++) { /* with the same keys: without them nothing could be compared */
		be[i] = zs_backend_mem_new();
		cache[i] = crash_cache_new();
		assert_int_equal(zs_backend_record_replay(rec, zs_backend_record_count(rec), be[i], &err), 0);
		st[i] = crash_open(be[i], &cache[i]);
	}
	crash_day1();
	for (unsigned i = 0; i < COUNTS; i++)
		o[i].reports[0] = crash_backup(st[i], "day1", &(struct crash_run){.threads = counts[i]});
	crash_day2();
	for (unsigned i = 0; i < COUNTS; i++)
		o[i].reports[1] = crash_backup(st[i], "day2", &(struct crash_run){.threads = counts[i]});
	for (unsigned i = 0; i < COUNTS; i++) {
		look_at(st[i], be[i], counts[i], &o[i]);
		assert_same_outcome(&o[0], &o[i]);
		zs_store_free(st[i]);
		zs_backend_free(be[i]);
	}
	assert_true(o[0].packs.n > 4);
	assert_true(o[0].reports[1].files_unmodified > 20 && o[0].reports[1].files_changed > 0);
	free(o);
	zs_backend_free(rec);
	zs_backend_free(first);
}

/* --------------------------------------------------- somebody else, during a backup */

struct meddler {
	struct zs_backend *be;
	struct zs_store *st; /* another client's */
	void (*fn)(struct meddler *);
	pthread_t thread;
	int at, calls, done; /* at which call to do it, how many there were, whether it is done */
	struct zs_collect_report collected;
	struct zs_backup_report backed_up;
};

/* Once, when the backup has read the list of snapshots and is on its way through the source; its readers ask too. */
static int meddle(void *ctx)
{
	struct meddler *m = ctx;

	if (pthread_equal(pthread_self(), m->thread) && !m->done && ++m->calls == m->at) {
		m->done = 1;
		m->fn(m);
	}
	return 0;
}

static void forget_all(struct zs_store *st)
{
	struct zs_snapshot_list l = {0};
	struct zs_names names = {0};
	struct zs_err err = {0};

	assert_int_equal(zs_store_snapshots(st, &l, NULL, &err), 0);
	for (size_t i = 0; i < l.n; i++)
		assert_int_equal(zs_names_add(&names, &l.v[i].name, &err), 0);
	if (zs_store_forget(st, &names, &err) < 0)
		fail_msg("%s", err.text);
	zs_names_fini(&names);
	zs_snapshot_list_fini(&l);
}

static void forget_and_prune(struct meddler *m)
{
	struct zs_err err = {0};

	forget_all(m->st);
	if (crash_try_collect(m->st, &m->collected, &err) < 0)
		fail_msg("%s", err.text);
}

static void end_session_and_prune(struct meddler *m)
{
	forget_all(m->st);
	crash_end_sessions(m->st);
	forget_and_prune(m);
}

struct stage { /* one repository with day 1 in it, two clients */
	struct zs_backend *be;
	struct crash_cache cache, other_cache;
	struct zs_store *st;
	struct meddler meddler;
	struct zs_observer observer;
	struct crash_run how;
};

static void stage_init(struct stage *s, void (*fn)(struct meddler *))
{
	struct zs_err err = {0};

	memset(s, 0, sizeof(*s));
	s->be = zs_backend_mem_new();
	s->cache = crash_cache_new();
	s->other_cache = crash_cache_new();
	assert_int_equal(crash_init(s->be, &err), 0);
	s->st = crash_open(s->be, &s->cache);
	crash_sh("rm -rf src; cp -a day1 src");
	(void)crash_backup(s->st, "day1", NULL);
	s->meddler = (struct meddler){
	    .be = s->be, .st = crash_open(s->be, &s->other_cache), .fn = fn, .thread = pthread_self(), .at = 5};
	s->observer = (struct zs_observer){.ctx = &s->meddler, .stop = meddle};
	s->how = (struct crash_run){.threads = 1, .observer = &s->observer};
}

static void stage_fini(struct stage *s)
{
	zs_store_free(s->st);
	zs_store_free(s->meddler.st);
	zs_backend_free(s->be);
}

/* The running backup relies on chunks of a snapshot that is forgotten and collected meanwhile: its session keeps them.
 */
static void test_prune_during_a_backup(void **state)
{
	struct zs_backup_report r;
	struct stage s;
	uint64_t packs;

	(void)state;
	stage_init(&s, forget_and_prune);
	packs = crash_objects(s.be, ZS_OBJ_PACK);
	r = crash_backup(s.st, "day1", &s.how);
	assert_int_equal(s.meddler.done, 1);
	assert_true(r.files_unmodified > 60 && r.read_bytes == 0);
	assert_int_equal(s.meddler.collected.packs_deleted, 0);
	assert_true(s.meddler.collected.packs_condemned > 0);
	assert_true(crash_objects(s.be, ZS_OBJ_PACK) >= packs);
	assert_int_equal(crash_sound(s.be), 1);
	/* The list that waited is dealt with by the next prune: the packs are needed after all. */
	assert_true(crash_objects(s.be, ZS_OBJ_CONDEMNED) > 0);
	(void)crash_prune(s.meddler.st);
	assert_int_equal(crash_objects(s.be, ZS_OBJ_CONDEMNED), 0);
	assert_int_equal(crash_sound(s.be), 1);
	stage_fini(&s);
}

/* A backup that begins while packs are condemned reads again what it finds in them only. */
static void test_backup_while_packs_are_condemned(void **state)
{
	struct zs_backup_report r, again;
	struct stage s;

	(void)state;
	stage_init(&s, forget_and_prune);
	(void)crash_backup(s.st, "day1", &s.how);
	assert_true(crash_objects(s.be, ZS_OBJ_CONDEMNED) > 0);
	r = crash_backup(s.st, "day1", NULL);
	assert_true(r.files_unmodified < 40); /* those without chunks */
	assert_true(r.files_changed > 25 && r.read_bytes > 400000 && r.added_bytes > 100000);
	assert_int_equal(crash_sound(s.be), 1);
	/* What was stored again is relied on now. */
	again = crash_backup(s.st, "day1", NULL);
	assert_int_equal(again.added_bytes, 0);
	(void)crash_prune(s.meddler.st);
	assert_int_equal(crash_objects(s.be, ZS_OBJ_CONDEMNED), 0);
	assert_int_equal(crash_sound(s.be), 1);
	crash_usable(s.be, &s.cache, "day1");
	stage_fini(&s);
}

/*
 * What that is for: the list waits for the first backup only, which has ended, so a prune during the second one may
 * delete the packs when their snapshot is forgotten too, although the second backup has seen that snapshot.
 */
static void test_condemned_packs_go_during_a_backup(void **state)
{
	struct zs_backup_report r;
	struct stage s;

	(void)state;
	stage_init(&s, forget_and_prune);
	(void)crash_backup(s.st, "day1", &s.how);
	s.meddler.done = s.meddler.calls = 0;
	r = crash_backup(s.st, "day1", &s.how);
	assert_int_equal(s.meddler.done, 1);
	assert_true(s.meddler.collected.packs_deleted > 0);
	assert_true(r.read_bytes > 400000);
	assert_int_equal(crash_objects(s.be, ZS_OBJ_SNAPSHOT), 1);
	assert_int_equal(crash_sound(s.be), 1);
	crash_usable(s.be, &s.cache, "day1");
	stage_fini(&s);
}

/* The same where the snapshot that the condemned packs belong to is gone: the packs go, what was stored again stays. */
static void test_condemned_packs_go(void **state)
{
	struct zs_collect_report r;
	struct stage s;

	(void)state;
	stage_init(&s, forget_and_prune);
	(void)crash_backup(s.st, "day1", &s.how);
	(void)crash_backup(s.st, "day1", NULL);
	r = crash_prune(s.meddler.st);
	assert_true(r.packs_deleted > 0);
	assert_int_equal(crash_objects(s.be, ZS_OBJ_CONDEMNED), 0);
	assert_int_equal(crash_objects(s.be, ZS_OBJ_SNAPSHOT), 1);
	assert_int_equal(crash_sound(s.be), 1);
	stage_fini(&s);
}

/* An administrator was wrong about a session: the packs are deleted under the backup.  It must not leave a snapshot
 * that lacks them. */
static void test_session_ended_under_a_backup(void **state)
{
	struct zs_backup_report r;
	struct zs_err err = {0};
	struct stage s;

	(void)state;
	stage_init(&s, end_session_and_prune);
	assert_int_equal(crash_try_backup(s.st, "day1", &s.how, &r, &err), -1);
	assert_true(s.meddler.collected.packs_deleted > 0);
	assert_int_equal(err.cause, ZS_BUSY);
	assert_int_equal(crash_sound(s.be), 0);
	assert_int_equal(crash_objects(s.be, ZS_OBJ_SESSION), 0);
	crash_usable(s.be, &s.cache, "day1");
	stage_fini(&s);
}

/* The session is ended, but nothing that the backup needs is gone: it proves that, and succeeds. */
static void end_session_only(struct meddler *m)
{
	crash_end_sessions(m->st);
}

static void test_session_ended_and_nothing_lost(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, end_session_only);
	crash_write_random("src/more", 200, 100000);
	crash_sh("cp -a src day1more");
	(void)crash_backup(s.st, "day1more", &s.how);
	assert_int_equal(s.meddler.done, 1);
	assert_int_equal(crash_objects(s.be, ZS_OBJ_SESSION), 0);
	assert_int_equal(crash_objects(s.be, ZS_OBJ_SNAPSHOT), 2);
	assert_int_equal(crash_sound(s.be), 3);
	stage_fini(&s);
}

/* ------------------------------------------------------------ between any two steps */

/* A prune between any two items of a backup that takes over what the prune condemns. */
static void test_prune_between_any_steps_of_a_backup(void **state)
{
	unsigned condemned = 0;
	int done = 1;

	(void)state;
	for (int at = 1; done; at += 7) {
		struct stage s;

		stage_init(&s, forget_and_prune);
		s.meddler.at = at;
		(void)crash_backup(s.st, "day1", &s.how);
		done = s.meddler.done;
		condemned += s.meddler.collected.packs_condemned > 0;
		assert_int_equal(crash_sound(s.be), 1);
		crash_usable(s.be, &s.cache, "day1");
		stage_fini(&s);
	}
	assert_true(condemned > 8);
}

static void back_up_day1(struct meddler *m)
{
	m->backed_up = crash_backup(m->st, "day1", NULL);
}

/* Both days, the first one forgotten: what only it had is there, and dead. */
static struct zs_backend *forgotten_day1(struct zs_backend *mem)
{
	struct zs_backend *rec = zs_backend_record_new(mem);
	struct crash_cache cache = crash_cache_new();
	struct zs_store *st;
	struct zs_err err = {0};

	assert_non_null(rec);
	assert_int_equal(crash_init(rec, &err), 0);
	st = crash_open(rec, &cache);
	crash_sh("rm -rf src; cp -a day1 src");
	(void)crash_backup(st, "day1", NULL);
	crash_sh("rm -rf src; cp -a day2 src");
	(void)crash_backup(st, "day2", NULL);
	if (crash_try_forget(st, &err) < 0)
		fail_msg("%s", err.text);
	zs_store_free(st);
	crash_sh("rm -rf src; cp -a day1 src");
	return rec;
}

/* A prune, at whose call number `at` somebody else backs up day 1. */
static struct meddler prune_meddled_with(const struct zs_backend *rec, int at)
{
	const struct zs_collect_settings settings = {.max_repack_bytes = UINT64_MAX};
	struct crash_cache cache = crash_cache_new(), other = crash_cache_new();
	struct zs_backend *be = zs_backend_mem_new();
	struct meddler m = {.be = be, .fn = back_up_day1, .thread = pthread_self(), .at = at};
	const struct zs_observer observer = {.ctx = &m, .stop = meddle};
	struct zs_collect_report r = {0};
	struct zs_store *st;
	struct zs_err err = {0};

	assert_int_equal(zs_backend_record_replay(rec, zs_backend_record_count(rec), be, &err), 0);
	st = crash_open(be, &cache);
	m.st = crash_open(be, &other);
	if (zs_prune_collect(st, &settings, &observer, &r, &err) < 0)
		fail_msg("%s", err.text);
	zs_names_fini(&r.sessions);
	assert_int_equal(crash_sound(be), m.done ? 3 : 2);
	if (m.done)
		crash_usable(be, &other, "day1");
	zs_store_free(st);
	zs_store_free(m.st);
	zs_backend_free(be);
	return m;
}

/* A whole backup between any two steps of a prune that frees what only a forgotten snapshot had, and the backup needs. */
static void test_backup_between_any_steps_of_a_prune(void **state)
{
	struct zs_backend *mem = zs_backend_mem_new(), *rec = forgotten_day1(mem);
	unsigned found = 0, again = 0; /* its chunks were taken over, or stored once more */
	int steps = prune_meddled_with(rec, 0).calls;

	(void)state;
	assert_true(steps > 12);
	for (int at = 1; at <= steps; at += at + 24 < steps ? 20 : 1) { /* marking is many steps of one kind */
		struct meddler m = prune_meddled_with(rec, at);

		assert_int_equal(m.done, 1);
		found += m.backed_up.added_bytes < 30000;
		again += m.backed_up.added_bytes > 40000;
	}
	assert_true(found > 2 && again > 1);
	zs_backend_free(rec);
	zs_backend_free(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_threads_change_nothing),
	    cmocka_unit_test(test_prune_during_a_backup),
	    cmocka_unit_test(test_backup_while_packs_are_condemned),
	    cmocka_unit_test(test_condemned_packs_go_during_a_backup),
	    cmocka_unit_test(test_condemned_packs_go),
	    cmocka_unit_test(test_session_ended_under_a_backup),
	    cmocka_unit_test(test_session_ended_and_nothing_lost),
	    cmocka_unit_test(test_prune_between_any_steps_of_a_backup),
	    cmocka_unit_test(test_backup_between_any_steps_of_a_prune),
	};

	return cmocka_run_group_tests(tests, crash_setup, crash_teardown);
}
