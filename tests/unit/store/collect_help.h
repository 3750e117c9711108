/* Repositories with something to collect.  A snapshot's host says which chunks it refers to: "h-<from>-<n>". */
#ifndef COLLECT_HELP_H
#define COLLECT_HELP_H

#include "store_help.h"

struct collect_hook { /* what the callbacks of a collection do */
	struct zs_store *st;
	void (*at_phase)(struct collect_hook *h, const char *phase);
	unsigned calls, stop_after; /* stop_after: 0 never */
	void *more;
};

static HELP_UNUSED int collect_mark(void *ctx, struct zs_collector *c, const struct zs_snapshot *s, struct zs_err *e)
{
	struct collect_hook *h = ctx;
	unsigned from, n;

	assert_int_equal(sscanf(s->host, "h-%u-%u", &from, &n), 2);
	for (uint32_t i = from; i < from + n; i++) {
		struct zs_id id = help_id(h->st, i);

		if (zs_collector_mark(c, &id, e) < 0)
			return -1;
	}
	return 0;
}

static HELP_UNUSED void collect_phase(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
	struct collect_hook *h = ctx;

	assert_true(done <= total);
	if (h->at_phase)
		h->at_phase(h, phase);
}

static HELP_UNUSED int collect_stop(void *ctx)
{
	struct collect_hook *h = ctx;

	return ++h->calls == h->stop_after;
}

static HELP_UNUSED struct zs_collect_settings collect_settings(struct collect_hook *h)
{
	return (struct zs_collect_settings){.max_repack_bytes = UINT64_MAX, .mark = collect_mark,
	    .progress = collect_phase, .stop = collect_stop, .ctx = h};
}

static HELP_UNUSED int collect_try(struct zs_store *st, struct zs_collect_report *out, struct zs_err *e)
{
	struct collect_hook h = {.st = st};
	struct zs_collect_settings settings = collect_settings(&h);

	memset(out, 0, sizeof(*out));
	return zs_store_collect(st, &settings, out, e);
}

static HELP_UNUSED struct zs_collect_report collect(struct zs_store *st)
{
	struct zs_collect_report report;

	if (collect_try(st, &report, &err) < 0)
		fail_msg("%s", err.text);
	return report;
}

static HELP_UNUSED struct zs_name collect_backup(struct zs_store *st, uint32_t from, uint32_t n)
{
	char host[32];

	snprintf(host, sizeof(host), "h-%u-%u", from, n);
	return help_backup(st, host, from, n);
}

static HELP_UNUSED void collect_forget(struct zs_store *st, const struct zs_name *snapshot)
{
	struct zs_names one = {0};

	assert_int_equal(zs_names_add(&one, snapshot, &err), 0);
	assert_int_equal(zs_store_forget(st, &one, &err), 0);
	zs_names_fini(&one);
}

/* As an administrator would after a crash. */
static HELP_UNUSED void collect_end_sessions(struct zs_backend *be)
{
	struct zs_names sessions = help_list(be, ZS_OBJ_SESSION);

	for (size_t i = 0; i < sessions.n; i++)
		assert_int_equal(zs_backend_delete(be, ZS_OBJ_SESSION, &sessions.v[i], &err), 0);
	zs_names_fini(&sessions);
}

/*
 * Four snapshots, of which two are forgotten again.  What is kept: 100 .. 139 and 400 .. 419.  Packs with 40 .. 119 are
 * mixed, those with 700 .. 739 are wholly dead.
 */
#define COLLECT_KEPT_A 100
#define COLLECT_KEPT_AN 40
#define COLLECT_KEPT_B 400
#define COLLECT_KEPT_BN 20

static HELP_UNUSED void collect_make(struct zs_store *st)
{
	struct zs_name first = collect_backup(st, 40, 80), dead = collect_backup(st, 700, 40);

	(void)collect_backup(st, COLLECT_KEPT_A, COLLECT_KEPT_AN);
	(void)collect_backup(st, COLLECT_KEPT_B, COLLECT_KEPT_BN);
	collect_forget(st, &first);
	collect_forget(st, &dead);
}

static HELP_UNUSED void collect_read_kept(struct zs_store *st)
{
	help_read_all(st, COLLECT_KEPT_A, COLLECT_KEPT_AN);
	help_read_all(st, COLLECT_KEPT_B, COLLECT_KEPT_BN);
}

static HELP_UNUSED int collect_no_finding(void *ctx, const char *text)
{
	(void)ctx;
	fail_msg("%s", text);
	return -1;
}

/* Objects and packs in full: nothing is wrong.  Returns packs that no index object names. */
static HELP_UNUSED uint64_t collect_check(struct zs_store *st)
{
	struct zs_store_reader *r;
	uint64_t unreferenced, bytes;

	if (zs_store_check_objects(st, collect_no_finding, NULL, &unreferenced, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(zs_store_reader_new(st, 0, &r, &err), 0);
	for (uint32_t i = 0; i < zs_index_pack_count(st->index); i++) {
		if (zs_store_check_pack(r, i, collect_no_finding, NULL, &bytes, &err) < 0)
			fail_msg("%s", err.text);
	}
	zs_store_reader_free(r);
	return unreferenced;
}

/* A copy of everything that stands in a backend. */
static HELP_UNUSED struct zs_backend *collect_copy(struct zs_backend *be)
{
	struct zs_backend *copy = zs_backend_mem_new();

	assert_non_null(copy);
	for (int type = 0; type < ZS_OBJECTS; type++) {
		struct zs_names names = {0};

		if (type == ZS_OBJ_CONFIG)
			assert_int_equal(zs_names_add(&names, &zs_name_zero, &err), 0);
		else
			names = help_list(be, (enum zs_object)type);
		for (size_t i = 0; i < names.n; i++) {
			struct zs_buf b = help_get(be, (enum zs_object)type, &names.v[i]);

			assert_int_equal(
			    zs_backend_put(copy, (enum zs_object)type, &names.v[i], zs_buf_span(&b), &err), 0);
			zs_buf_fini(&b);
		}
		zs_names_fini(&names);
	}
	return copy;
}

#endif
