/*
 * How much of each pack is live, and which packs are worth repacking: those with the highest dead share first, until
 * few enough dead bytes stay.  Chooses only; nothing is changed.
 */
#include <stdlib.h>
#include <string.h>

#include "collect_private.h"

#define PLAN_SMALL_SHARE 4  /* a pack below a quarter of the usual size is small */
#define PLAN_SMALL_PACKS 16 /* that many small packs are worth joining */

/* ----------------------------------------------------------------- measuring */

static void measure_pack(struct zs_collector *c, struct collect_pack *p, const struct zs_pack_dir *dir)
{
	p->is_measured = 1;
	for (uint32_t b = 0; b < dir->block_count; b++) {
		const struct zs_pack_block *block = &dir->blocks[b];
		uint64_t live = 0, share;

		for (uint32_t i = 0; i < block->chunk_count; i++) {
			if (collect_bit(c->live, p->first_bit + block->first_chunk + i))
				live += dir->chunks[block->first_chunk + i].bytes;
		}
		/* Both factors are below 2^32. */
		share = block->plain_bytes ? live * block->stored_bytes / block->plain_bytes : 0;
		p->live_bytes += share;
		p->dead_bytes += block->stored_bytes - share;
	}
}

static int measure_object(struct zs_collector *c, const struct zs_name *name, struct zs_err *err)
{
	struct zs_index_object o = {0};
	uint32_t ordinal;
	int rc;

	rc = records_get_index(c->st, name, &o, err);
	if (rc < 0 && err->cause == ZS_NOTFOUND) {
		zs_err_clear(err); /* repacked by an earlier step of ours, or somebody's: only a measure is missing */
		return 0;
	}
	for (uint32_t i = 0; i < o.pack_count && rc == 0; i++) {
		int got = zs_index_pack_find(c->st->index, &o.packs[i].name, &ordinal, err);

		if (got < 0)
			rc = -1;
		else if (got && ordinal < c->pack_count && !c->packs[ordinal].is_measured &&
		    c->packs[ordinal].chunk_count == o.packs[i].dir.chunk_count)
			measure_pack(c, &c->packs[ordinal], &o.packs[i].dir);
	}
	zs_index_object_fini(&o);
	return rc;
}

static int measure(struct zs_collector *c, struct zs_err *err)
{
	struct zs_names names = {0};
	int rc = 0;

	if (objects_list(c->st->be, ZS_OBJ_INDEX, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n && rc == 0; i++) {
		collect_progress(c, "measure", i, names.n);
		rc = collect_go_on(c, err) < 0 ? -1 : measure_object(c, &names.v[i], err);
	}
	zs_names_fini(&names);
	return rc;
}

/* ------------------------------------------------------------------ choosing */

/* Neither gone, nor condemned, nor wholly dead (those are freed without repacking). */
static int is_candidate(const struct zs_collector *c, uint32_t ordinal)
{
	const struct collect_pack *p = &c->packs[ordinal];

	return !p->is_dead && p->is_measured && !collect_bit(c->avoid, ordinal) && collect_look_live(c, p) > 0;
}

static int by_dead_share(const void *a, const void *b)
{
	const struct collect_pack *x = *(struct collect_pack *const *)a, *y = *(struct collect_pack *const *)b;
	/* In steps of 1/65536, so that no product overflows. */
	uint64_t s = (x->dead_bytes << 16) / (x->dead_bytes + x->live_bytes + 1);
	uint64_t t = (y->dead_bytes << 16) / (y->dead_bytes + y->live_bytes + 1);

	if (s != t)
		return s > t ? -1 : 1;
	return zs_name_cmp(&x->name, &y->name); /* the same on every host */
}

static uint64_t allowed_unused(const struct zs_collector *c, uint64_t used)
{
	uint64_t part = used / 100 * c->settings->max_unused_percent;

	return part < c->settings->max_unused_bytes ? part : c->settings->max_unused_bytes;
}

static int choose(struct zs_collector *c, struct collect_pack *p, uint64_t *budget)
{
	if (p->is_chosen || p->live_bytes > *budget)
		return 0;
	p->is_chosen = 1;
	if (*budget != UINT64_MAX)
		*budget -= p->live_bytes;
	c->report.bytes_unused -= p->dead_bytes;
	return 1;
}

static void choose_small(struct zs_collector *c, struct collect_pack **v, size_t n, uint64_t *budget)
{
	uint64_t limit = c->st->config.pack_bytes / PLAN_SMALL_SHARE;
	size_t small = 0;

	for (size_t i = 0; i < n; i++)
		small += v[i]->stored_bytes < limit;
	for (size_t i = 0; small >= PLAN_SMALL_PACKS && i < n; i++) {
		if (v[i]->stored_bytes < limit)
			(void)choose(c, v[i], budget);
	}
}

static void choose_all(struct zs_collector *c, struct collect_pack **v, size_t n)
{
	uint64_t budget = c->settings->max_repack_bytes, allowed = allowed_unused(c, c->report.bytes_live);

	if (c->settings->max_unused_bytes == UINT64_MAX)
		return;
	for (size_t i = 0; i < n && c->report.bytes_unused > allowed && v[i]->dead_bytes > 0; i++)
		(void)choose(c, v[i], &budget);
	choose_small(c, v, n, &budget);
}

int collect_plan(struct zs_collector *c, struct zs_err *err)
{
	struct zs_collect_report *r = &c->report;
	struct collect_pack **v;
	size_t n = 0;

	if (measure(c, err) < 0)
		return -1;
	r->packs_total = c->listing_count;
	for (size_t i = 0; i < c->listing_count; i++)
		r->bytes_total += c->listing[i].bytes;
	v = calloc((size_t)c->pack_count + 1, sizeof(struct collect_pack *));
	if (!v)
		return zs_fail_nomem(err);
	for (uint32_t i = 0; i < c->pack_count; i++) {
		if (!c->packs[i].is_dead)
			r->bytes_live += c->packs[i].live_bytes;
		if (!is_candidate(c, i))
			continue;
		r->bytes_unused += c->packs[i].dead_bytes;
		v[n++] = &c->packs[i];
	}
	if (n)
		qsort(v, n, sizeof(struct collect_pack *), by_dead_share);
	choose_all(c, v, n);
	free(v);
	return 0;
}
