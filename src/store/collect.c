/*
 * Collecting garbage: the order of steps.  Announce, look around, mark, free what is wholly dead, then repack and free
 * again.  Each step is in a file of its own; marking what a snapshot refers to is the caller's.
 *
 * What makes it safe (design.md section 11): packs are condemned in a published list before sessions are looked for,
 * and writers announce their session before they read the lists.  So whoever is not seen by us has seen our list.
 * Lists are only ever added and, when all their packs are dealt with, deleted; never replaced, since a writer between
 * listing and reading them would then see neither.
 */
#include <stdlib.h>
#include <string.h>

#include "collect_private.h"

/* ------------------------------------------------------------------- helpers */

int collect_bit(const uint8_t *bitmap, uint64_t n)
{
	return bitmap[n / 8] >> (n % 8) & 1;
}

void collect_set(uint8_t *bitmap, uint64_t n)
{
	bitmap[n / 8] |= (uint8_t)(1u << (n % 8));
}

int collect_go_on(const struct zs_collector *c, struct zs_err *err)
{
	if (c->settings->stop && c->settings->stop(c->settings->ctx))
		return zs_fail(err, ZS_STOPPED, "stopped");
	return 0;
}

void collect_progress(const struct zs_collector *c, const char *phase, uint64_t done, uint64_t total)
{
	if (c->settings->progress)
		c->settings->progress(c->settings->ctx, phase, done, total);
}

int collect_relieve(struct zs_collector *c, struct zs_err *err)
{
	struct zs_err ignored = {0};

	if (err->cause != ZS_NOSPACE || c->is_relieved)
		return 0;
	c->is_relieved = 1;
	if (zs_backend_reserve_release(c->st->be, &ignored) != 1)
		return 0;
	zs_err_clear(err);
	return 1;
}

/* ------------------------------------------------------------------- marking */

int zs_collector_mark(struct zs_collector *c, const struct zs_id *id, struct zs_err *err)
{
	char hex[ZS_ID_HEX];
	struct zs_location at;
	uint64_t bit;
	int got;

	got = zs_index_get(c->view, id, c->avoid, c->pack_count, &at, err);
	if (got == 0) /* only in a condemned pack: that one is needed after all */
		got = zs_index_get(c->view, id, NULL, 0, &at, err);
	if (got < 0)
		return -1;
	if (got == 0)
		return zs_fail(err, ZS_CORRUPT, "chunk %s is in no pack", zs_id_hex(id, hex));
	if (at.pack >= c->pack_count && collect_look_grow(c, err) < 0)
		return -1;
	if (at.pack >= c->pack_count || at.chunk_number >= c->packs[at.pack].chunk_count)
		return zs_fail(err, ZS_SYSTEM, "the local index is damaged at chunk %s", zs_id_hex(id, hex));
	bit = c->packs[at.pack].first_bit + at.chunk_number;
	if (collect_bit(c->live, bit))
		return 0;
	collect_set(c->live, bit);
	return 1;
}

/* --------------------------------------------------------------------- steps */

static int begin(struct zs_collector *c, struct zs_err *err)
{
	int rc = zs_store_begin(c->st, ZS_SESSION_PRUNE, &c->txn, err);

	if (rc < 0 && collect_relieve(c, err))
		rc = zs_store_begin(c->st, ZS_SESSION_PRUNE, &c->txn, err);
	return rc;
}

/* Packs that exist and that no index object names.  They were listed before the sessions: if there was none then,
 * whoever wrote them has ended, and a sync since has shown what it published. */
static int find_orphans(struct zs_collector *c, struct zs_err *err)
{
	uint32_t ordinal;

	for (size_t i = 0; c->others.n == 0 && i < c->listing_count; i++) {
		const struct zs_name *name = &c->listing[i].name;
		int got = zs_index_pack_find(c->st->index, name, &ordinal, err);

		if (got < 0)
			return -1;
		if (got && ordinal < c->pack_count && !c->packs[ordinal].is_dead)
			continue;
		if (zs_names_add(&c->orphans, name, err) < 0)
			return -1;
	}
	return 0;
}

static int look_around(struct zs_collector *c, struct zs_err *err)
{
	if (collect_look_packs(c, err) < 0 || collect_look_sessions(c, 1, err) < 0 || collect_look_sync(c, err) < 0)
		return -1;
	if (find_orphans(c, err) < 0 || collect_look_lists(c, err) < 0 || collect_look_lost(c, err) < 0)
		return -1;
	return collect_look_snapshots(c, err);
}

/* Wholly dead packs that are not condemned yet; lost ones that nothing needs any more; and orphans. */
static int find_dead(struct zs_collector *c, struct zs_names *out, struct zs_err *err)
{
	struct zs_names condemned = {0};
	int rc = -1;

	if (condemned_packs(&c->lists, &condemned, err) < 0)
		goto out;
	for (uint32_t i = 0; i < c->pack_count; i++) {
		const struct collect_pack *p = &c->packs[i];

		if (p->is_dead || (collect_bit(c->avoid, i) && !p->is_lost) || collect_look_live(c, p) > 0)
			continue;
		if (!(p->is_lost && zs_names_has(&condemned, &p->name)) && zs_names_add(out, &p->name, err) < 0)
			goto out;
	}
	for (size_t i = 0; i < c->orphans.n; i++) {
		if (!zs_names_has(&condemned, &c->orphans.v[i]) && zs_names_add(out, &c->orphans.v[i], err) < 0)
			goto out;
	}
	zs_names_sort(out);
	rc = 0;
out:
	zs_names_fini(&condemned);
	return rc;
}

/* What a run would do, from the plan alone. */
static void report_dry(struct zs_collector *c, const struct zs_names *dead)
{
	struct zs_collect_report *r = &c->report;

	for (size_t i = 0; i < dead->n; i++) {
		const struct collect_object *o = collect_look_listed(c, &dead->v[i]);

		r->packs_deleted += o != NULL;
		r->bytes_deleted += o ? o->bytes : 0;
	}
	for (uint32_t i = 0; i < c->pack_count; i++) {
		if (!c->packs[i].is_chosen)
			continue;
		r->packs_repacked++;
		r->bytes_repacked += c->packs[i].live_bytes;
		r->packs_deleted++;
		r->bytes_deleted += c->packs[i].stored_bytes;
	}
}

static int repack_and_sweep(struct zs_collector *c, struct zs_err *err)
{
	struct zs_names packs = {0};
	int rc;

	rc = collect_repack(c, &packs, err);
	zs_names_sort(&packs);
	if (rc == 0 && packs.n > 0)
		rc = collect_sweep(c, &packs, err);
	/* What was dead is freed already; a disk that is still too full for copies is no failure of that. */
	if (rc < 0 && err->cause == ZS_NOSPACE) {
		open_warn(c->st, "not repacked: %s", err->text);
		zs_err_clear(err);
		c->report.packs_repacked = c->report.bytes_repacked = 0;
		rc = 0;
	}
	zs_names_fini(&packs);
	return rc;
}

static int run(struct zs_collector *c, struct zs_err *err)
{
	struct zs_names dead = {0};
	int rc = -1;

	if (look_around(c, err) < 0 || find_dead(c, &dead, err) < 0 || collect_plan(c, err) < 0)
		goto out;
	if (c->settings->dry_run) {
		report_dry(c, &dead);
		rc = 0;
		goto out;
	}
	if (zs_backend_tidy(c->st->be, err) < 0)
		goto out;
	if ((dead.n > 0 || c->lists.n > 0) && collect_sweep(c, &dead, err) < 0)
		goto out;
	rc = repack_and_sweep(c, err);
out:
	zs_names_fini(&dead);
	return rc;
}

static int finish(struct zs_collector *c, int rc, struct zs_err *err)
{
	struct zs_err later = {0};

	/* A transaction that a full disk has killed can only be given up. */
	if (rc == 0 && c->txn && !atomic_load(&c->txn->dead))
		rc = zs_store_commit(&c->txn, err);
	zs_store_abort(&c->txn);
	if (!c->settings->dry_run && zs_backend_reserve_make(c->st->be, &later) < 0 && c->is_relieved)
		open_warn(c->st, "the space that is reserved for freeing a full disk could not be taken again: %s",
		    later.text);
	return rc;
}

static void fini(struct zs_collector *c)
{
	if (c->view)
		zs_index_view_free(c->view);
	condemned_list_fini(&c->lists);
	zs_names_fini(&c->marked);
	zs_names_fini(&c->others);
	zs_names_fini(&c->orphans);
	zs_names_fini(&c->report.sessions);
	free(c->live);
	free(c->packs);
	free(c->avoid);
	free(c->listing);
}

int zs_store_collect(struct zs_store *st, const struct zs_collect_settings *settings, struct zs_collect_report *out,
    struct zs_err *err)
{
	struct zs_collector c = {.st = st, .settings = settings};
	int rc = 0;

	if (!settings->dry_run)
		rc = begin(&c, err);
	if (rc == 0)
		rc = run(&c, err);
	rc = finish(&c, rc, err);
	if (rc == 0) {
		*out = c.report;
		memset(&c.report, 0, sizeof(c.report));
	}
	fini(&c);
	return rc;
}
