/* Sessions (who is dead, who was ended), snapshots in their order, and what a client remembers of them. */
#include <sys/wait.h>

#include "store_help.h"

static void test_listing(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct zs_session_list l;
	struct zs_txn *txn;

	(void)state;
	assert_int_equal(zs_store_begin(st, ZS_SESSION_PRUNE, &txn, &err), 0);
	assert_int_equal(zs_store_sessions(st, &l, &err), 0);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.v[0].is_dead, 0);
	assert_int_equal(l.v[0].session.role, ZS_SESSION_PRUNE);
	assert_int_equal(l.v[0].session.pid, getpid());
	assert_int_equal(zs_store_session_end(st, &l.v[0].name, &err), 0);
	assert_int_equal(zs_store_session_end(st, &l.v[0].name, &err), -1);
	assert_int_equal(err.cause, ZS_NOTFOUND);
	zs_session_list_fini(&l);
	assert_int_equal(zs_store_commit(&txn, &err), 0); /* ended by somebody: nothing left to end */
	zs_store_free(st);
	zs_backend_free(be);
}

static void test_who_is_dead(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct zs_session s, other;
	struct zs_name name;
	pid_t pid;
	int status;

	(void)state;
	assert_int_equal(sessions_announce(st, ZS_SESSION_WRITER, &name, &err), 0);
	assert_int_equal(records_get_session(st, &name, &s, &err), 0);
	assert_int_equal(sessions_is_dead(&s), 0);
	other = s;
	other.pid_start++; /* the number was given to another process since */
	assert_int_equal(sessions_is_dead(&other), 1);
	other.machine[0] ^= 1; /* another machine: unknown */
	assert_int_equal(sessions_is_dead(&other), 0);
	other = s;
	other.boot[3] ^= 1;
	assert_int_equal(sessions_is_dead(&other), 1);
	memset(other.boot, 0, sizeof(other.boot));
	assert_int_equal(sessions_is_dead(&other), 0);
	other = s;
	other.pid = 0;
	assert_int_equal(sessions_is_dead(&other), 0);
	other.pid = UINT64_MAX;
	assert_int_equal(sessions_is_dead(&other), 0);
	pid = fork();
	if (pid == 0)
		_exit(0);
	assert_true(pid > 0);
	other = s;
	other.pid = (uint64_t)pid;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(sessions_is_dead(&other), 1);
	zs_format_session_fini(&s);
	zs_store_free(st);
	zs_backend_free(be);
}

/* ------------------------------------------------------- ended by somebody else */

struct meddler { struct zs_backend *be; unsigned calls, end_again; int verdict; };

static void end_all(struct zs_backend *be)
{
	struct zs_names names = help_list(be, ZS_OBJ_SESSION);

	for (size_t i = 0; i < names.n; i++)
		assert_int_equal(zs_backend_delete(be, ZS_OBJ_SESSION, &names.v[i], &err), 0);
	zs_names_fini(&names);
}

static int prove(void *ctx, struct zs_txn *txn, const struct zs_snapshot *s, struct zs_err *e)
{
	struct meddler *m = ctx;

	assert_int_equal(help_count(m->be, ZS_OBJ_SESSION), 1); /* announced anew before anything is looked at */
	m->calls++;
	if (m->calls <= m->end_again)
		end_all(m->be);
	if (m->verdict < 0)
		return zs_fail(e, ZS_NOTFOUND, "something is gone");
	return zs_store_has(txn, &s->root, e) == 1 ? 0 : zs_fail(e, ZS_NOTFOUND, "the root is gone");
}

static int put_after_end(struct meddler *m, int with_prove, struct zs_store *st, uint32_t from)
{
	struct zs_txn *txn;
	struct zs_name name;
	int rc;

	m->calls = 0;
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &txn, &err), 0);
	help_put(txn, from, 20);
	end_all(m->be);
	rc = help_try_snapshot(txn, "mail", from, with_prove ? prove : NULL, m, &name, &err);
	if (rc < 0) {
		struct zs_err kept = err;

		zs_store_abort(&txn);
		err = kept;
		return -1;
	}
	assert_int_equal(zs_store_commit(&txn, &err), 0);
	return 0;
}

static void test_ended_before(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct meddler m = {.be = be};

	(void)state;
	assert_int_equal(put_after_end(&m, 1, st, 0), 0);
	assert_int_equal(m.calls, 1);
	assert_int_equal(help_snapshots(st, NULL), 1);
	assert_int_equal(put_after_end(&m, 0, st, 100), -1);
	assert_int_equal(err.cause, ZS_BUSY);
	m.verdict = -1;
	assert_int_equal(put_after_end(&m, 1, st, 200), -1);
	assert_int_equal(err.cause, ZS_BUSY);
	m.verdict = 0;
	m.end_again = 1;
	assert_int_equal(put_after_end(&m, 1, st, 300), 0);
	assert_int_equal(m.calls, 2);
	m.end_again = 100;
	assert_int_equal(put_after_end(&m, 1, st, 400), -1);
	assert_int_equal(err.cause, ZS_BUSY);
	assert_int_equal(help_snapshots(st, NULL), 2);
	assert_int_equal(help_count(be, ZS_OBJ_SESSION), 0);
	zs_store_free(st);
	zs_backend_free(be);
}

/* Called while a snapshot is being placed, after the check before and ahead of the check after. */
static void end_when_warned(void *ctx, const char *text)
{
	struct meddler *m = ctx;

	(void)text;
	if (m->end_again > 0) {
		m->end_again = 0;
		end_all(m->be);
	}
}

static void test_ended_between(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct meddler m = {.be = be};
	struct zs_name record = {{1}};

	(void)state;
	assert_int_equal(zs_backend_put(be, ZS_OBJ_REMOVAL, &record, zs_span_str("rubbish"), &err), 0); /* warned of */
	st->warn = end_when_warned;
	st->warn_ctx = &m;
	for (int verdict = 0; verdict >= -1; verdict--) {
		struct zs_txn *txn;
		struct zs_name name;
		int rc;

		m = (struct meddler){.be = be, .end_again = 1, .verdict = verdict};
		assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &txn, &err), 0);
		help_put(txn, 0, 20);
		rc = help_try_snapshot(txn, "mail", 0, prove, &m, &name, &err);
		assert_int_equal(m.calls, 1);
		assert_int_equal(rc, verdict);
		assert_true(rc == 0 || err.cause == ZS_BUSY);
		/* Withdrawn with a record: others may have seen it. */
		assert_int_equal(help_count(be, ZS_OBJ_SNAPSHOT), 1);
		assert_int_equal(help_count(be, ZS_OBJ_REMOVAL), verdict < 0 ? 2 : 1);
		zs_store_abort(&txn);
	}
	zs_store_free(st);
	zs_backend_free(be);
}

/* ------------------------------------------------------------------- snapshots */

static void test_order_and_chain(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL), *other = help_open(be, NULL);
	struct zs_snapshot_list l;
	struct zs_name a1, b1, a2, a3;
	struct zs_names two = {0};

	(void)state;
	a1 = help_backup(st, "a", 0, 3);
	b1 = help_backup(other, "b", 3, 3);
	a2 = help_backup(st, "a", 6, 3);
	assert_int_equal(zs_store_snapshots(st, &l, NULL, &err), 0);
	assert_int_equal(l.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(l.v[i].snapshot->sequence, i + 1);
	assert_int_equal(zs_name_cmp(&l.v[2].name, &a2), 0);
	assert_int_equal(zs_name_cmp(&l.v[2].snapshot->previous, &a1), 0);
	assert_int_equal(zs_name_cmp(&l.v[2].snapshot->newest_seen, &b1), 0);
	assert_int_equal(zs_name_cmp(&l.v[1].snapshot->previous, &zs_name_zero), 0);
	assert_int_equal(zs_name_cmp(&l.v[1].snapshot->newest_seen, &a1), 0);
	assert_int_not_equal(zs_name_cmp(&l.v[0].snapshot->writer, &l.v[1].snapshot->writer), 0);
	assert_int_equal(zs_name_cmp(&l.v[0].snapshot->writer, &l.v[2].snapshot->writer), 0);
	zs_snapshot_list_fini(&l);

	/* Removed with a record: nothing to complain about, and numbers go on. */
	assert_int_equal(zs_names_add(&two, &a1, &err), 0);
	assert_int_equal(zs_names_add(&two, &a2, &err), 0);
	assert_int_equal(zs_store_forget(st, &two, &err), 0);
	assert_int_equal(zs_store_forget(st, &two, &err), -1);
	assert_int_equal(err.cause, ZS_NOTFOUND);
	help_warned.count = 0;
	assert_int_equal(help_snapshots(st, NULL), 1);
	assert_int_equal(help_snapshots(other, NULL), 1);
	assert_int_equal(help_warned.count, 0);
	zs_store_free(other);
	other = help_open(be, NULL); /* remembers nothing itself */
	a3 = help_backup(other, "a", 9, 3);
	assert_int_equal(zs_store_snapshots(other, &l, NULL, &err), 0);
	assert_int_equal(zs_name_cmp(&l.v[l.n - 1].name, &a3), 0);
	assert_int_equal(l.v[l.n - 1].snapshot->sequence, 4);
	zs_snapshot_list_fini(&l);
	zs_names_fini(&two);
	zs_store_free(st);
	zs_store_free(other);
	zs_backend_free(be);
}

/* A repository that goes back is noticed by a client that saw more, also by one that only sees the chain. */
static void test_gone_back(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st, *stranger;
	struct zs_name a1, a2;
	char cache[64];

	(void)state;
	help_fresh_dir(cache);
	st = help_open(be, cache);
	a1 = help_backup(st, "mail \xff\n host", 0, 3);
	a2 = help_backup(st, "mail \xff\n host", 3, 3);
	assert_int_equal(help_snapshots(st, NULL), 2);
	zs_store_free(st);
	assert_int_equal(zs_backend_delete(be, ZS_OBJ_SNAPSHOT, &a2, &err), 0);
	st = help_open(be, cache);
	for (int i = 0; i < 2; i++) { /* said until something newer is there */
		help_warned.count = 0;
		assert_int_equal(help_snapshots(st, NULL), 1);
		assert_int_equal(help_warned.count, 1);
		assert_non_null(strstr(help_warned.last, "set back"));
	}
	assert_int_equal(zs_backend_delete(be, ZS_OBJ_SNAPSHOT, &a1, &err), 0);
	help_warned.count = 0;
	a2 = help_backup(st, "mail \xff\n host", 6, 3);
	assert_int_equal(help_snapshots(st, NULL), 1);
	zs_store_free(st);
	/* The stranger sees a snapshot whose past is missing. */
	st = help_open(be, NULL);
	help_backup(st, "mail \xff\n host", 9, 3);
	assert_int_equal(zs_backend_delete(be, ZS_OBJ_SNAPSHOT, &a2, &err), 0);
	stranger = help_open(be, NULL);
	help_warned.count = 0;
	assert_int_equal(help_snapshots(stranger, NULL), 1);
	assert_int_equal(help_warned.count, 1);
	assert_non_null(strstr(help_warned.last, "without a recorded removal"));
	zs_store_free(stranger);
	zs_store_free(st);
	zs_backend_free(be);
}

/* The newest is removed properly: the one before it takes its place in the memory. */
static void test_gone_back_after_removal(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st;
	struct zs_names gone = {0};
	struct zs_name a1, a2;
	char cache[64];

	(void)state;
	help_fresh_dir(cache);
	st = help_open(be, cache);
	a1 = help_backup(st, "a", 0, 3);
	a2 = help_backup(st, "a", 3, 3);
	assert_int_equal(help_snapshots(st, NULL), 2);
	assert_int_equal(zs_names_add(&gone, &a2, &err), 0);
	assert_int_equal(zs_store_forget(st, &gone, &err), 0);
	help_warned.count = 0;
	assert_int_equal(help_snapshots(st, NULL), 1);
	assert_int_equal(help_warned.count, 0);
	assert_int_equal(zs_backend_delete(be, ZS_OBJ_SNAPSHOT, &a1, &err), 0);
	assert_int_equal(help_snapshots(st, NULL), 0);
	assert_int_equal(help_warned.count, 1);
	assert_non_null(strstr(help_warned.last, "set back"));
	zs_names_fini(&gone);
	zs_store_free(st);
	zs_backend_free(be);
}

/* The client's memory may be rubbish: it is only a memory. */
static void test_damaged_memory(void **state)
{
	static const char *const contents[] = {"", "zstore seen 1\n", "zstore seen 1\nx y z\n", "zstore seen 1\n1 2",
	    "zstore seen 1\n5 ffff 61\n", "rubbish\n"};
	struct zs_backend *be = help_repo();
	struct zs_buf path = ZS_BUF_INIT;
	struct zs_store *st;
	char cache[64];

	(void)state;
	help_fresh_dir(cache);
	st = help_open(be, cache);
	help_backup(st, "mail", 0, 3);
	assert_int_equal(open_cache_path(st, "seen", &path, &err), 0);
	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		FILE *f = fopen((const char *)path.p, "w");

		assert_non_null(f);
		fputs(contents[i], f);
		fclose(f);
		help_warned.count = 0;
		assert_int_equal(help_snapshots(st, NULL), 1);
		assert_int_equal(help_warned.count, 0);
	}
	zs_buf_fini(&path);
	zs_store_free(st);
	zs_backend_free(be);
}

/* A removal record that cannot be read is said; it stops no backup. */
static void test_damaged_removal(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct snapshots_removed removed;
	struct zs_names all, records;

	(void)state;
	help_backup(st, "mail", 0, 3);
	all = help_list(be, ZS_OBJ_SNAPSHOT);
	assert_int_equal(zs_store_forget(st, &all, &err), 0);
	records = help_list(be, ZS_OBJ_REMOVAL);
	assert_int_equal(snapshots_removed_load(st, &removed, &err), 0);
	assert_int_equal(removed.highest_sequence, 1);
	assert_int_equal(removed.damaged, 0);
	assert_int_equal(zs_names_has(&removed.names, &all.v[0]), 1);
	snapshots_removed_fini(&removed);
	help_replace(be, ZS_OBJ_REMOVAL, &records.v[0], zs_span_str("rubbish"));
	help_warned.count = 0;
	assert_int_equal(snapshots_removed_load(st, &removed, &err), 0);
	assert_int_equal(removed.damaged, 1);
	assert_int_equal(help_warned.count, 1);
	snapshots_removed_fini(&removed);
	help_backup(st, "mail", 3, 3);
	zs_names_fini(&all);
	zs_names_fini(&records);
	zs_store_free(st);
	zs_backend_free(be);
}

/* The id of a client stays; a damaged one is not replaced silently. */
static void test_client_id(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st;
	struct zs_name a, b;
	char cache[64], path[80];
	FILE *f;

	(void)state;
	help_fresh_dir(cache);
	st = help_open(be, cache);
	assert_int_equal(client_id(st, &a, &err), 0);
	assert_int_equal(client_id(st, &b, &err), 0);
	assert_int_equal(zs_name_cmp(&a, &b), 0);
	snprintf(path, sizeof(path), "%s/writer", cache);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("short", f);
	fclose(f);
	assert_int_equal(client_id(st, &b, &err), -1);
	assert_int_equal(err.cause, ZS_SYSTEM);
	zs_store_free(st);
	zs_backend_free(be);
}

static void delete_packs(struct zs_backend *be)
{
	struct zs_names names = help_list(be, ZS_OBJ_PACK);

	assert_true(names.n > 0);
	for (size_t i = 0; i < names.n; i++)
		assert_int_equal(zs_backend_delete(be, ZS_OBJ_PACK, &names.v[i], &err), 0);
	zs_names_fini(&names);
}

/* A pack that somebody deleted is not relied on: the next run stores again what it held. */
static void test_missing_pack(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);

	(void)state;
	(void)help_backup(st, "mail", 0, 20);
	delete_packs(be);
	(void)help_backup(st, "mail", 0, 20);
	zs_store_free(st);
	st = help_open(be, NULL);
	help_read_all(st, 0, 20);
	zs_store_free(st);
	zs_backend_free(be);
}

/* One that is deleted under a running writer, after its index object was published: no snapshot. */
static void test_pack_deleted_meanwhile(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct zs_txn *txn;
	struct zs_name name;

	(void)state;
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &txn, &err), 0);
	help_put(txn, 0, 20);
	assert_int_equal(zs_store_publish(txn, &err), 0);
	delete_packs(be);
	assert_int_equal(help_try_snapshot(txn, "mail", 0, NULL, NULL, &name, &err), -1);
	assert_int_equal(err.cause, ZS_BUSY);
	zs_store_abort(&txn);
	assert_int_equal(help_snapshots(st, NULL), 0);
	zs_store_free(st);
	zs_backend_free(be);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_listing),
	    cmocka_unit_test(test_who_is_dead),
	    cmocka_unit_test(test_ended_before),
	    cmocka_unit_test(test_ended_between),
	    cmocka_unit_test(test_order_and_chain),
	    cmocka_unit_test(test_gone_back),
	    cmocka_unit_test(test_gone_back_after_removal),
	    cmocka_unit_test(test_damaged_memory),
	    cmocka_unit_test(test_damaged_removal),
	    cmocka_unit_test(test_client_id),
	    cmocka_unit_test(test_missing_pack),
	    cmocka_unit_test(test_pack_deleted_meanwhile),
	};

	return cmocka_run_group_tests(tests, help_setup, help_teardown);
}
