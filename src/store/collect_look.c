/*
 * The collector's looks at the repository: packs, sessions, condemned lists, snapshots, and the table of packs that
 * goes with the local index.  Every trouble is an error: what cannot be seen must not count as absent.
 */
#include <stdlib.h>
#include <string.h>

#include "collect_private.h"

/* --------------------------------------------------------------------- packs */

static int add_listed(void *ctx, const struct zs_name *name, uint64_t bytes, struct zs_err *err)
{
	struct zs_collector *c = ctx;

	if (c->listing_count == c->listing_cap) {
		size_t cap = c->listing_cap ? c->listing_cap * 2 : 256;
		struct collect_object *v = reallocarray(c->listing, cap, sizeof(*v));

		if (!v)
			return zs_fail_nomem(err);
		c->listing = v;
		c->listing_cap = cap;
	}
	c->listing[c->listing_count++] = (struct collect_object){*name, bytes};
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return zs_name_cmp(&((const struct collect_object *)a)->name, &((const struct collect_object *)b)->name);
}

int collect_look_packs(struct zs_collector *c, struct zs_err *err)
{
	c->listing_count = 0;
	if (zs_backend_list(c->st->be, ZS_OBJ_PACK, add_listed, c, err) < 0)
		return zs_context(err, "listing packs");
	if (c->listing_count)
		qsort(c->listing, c->listing_count, sizeof(*c->listing), by_name);
	return 0;
}

const struct collect_object *collect_look_listed(const struct zs_collector *c, const struct zs_name *pack)
{
	struct collect_object key = {*pack, 0};

	return c->listing_count ? bsearch(&key, c->listing, c->listing_count, sizeof(key), by_name) : NULL;
}

int collect_look_lost(struct zs_collector *c, struct zs_err *err)
{
	for (uint32_t i = 0; i < c->pack_count; i++) {
		struct collect_pack *p = &c->packs[i];
		const struct collect_object *o = collect_look_listed(c, &p->name);
		int missing;

		if (p->is_dead || (o && o->bytes == p->stored_bytes))
			continue;
		missing = sync_is_missing(c->st, i, err);
		if (missing < 0)
			return -1;
		p->is_lost = missing > 0;
		if (missing)
			collect_set(c->avoid, i);
	}
	return 0;
}

/* ------------------------------------------------------------------ sessions */

static int see_session(struct zs_collector *c, const struct zs_session_row *row, int is_first, struct zs_err *err)
{
	char hex[ZS_NAME_HEX];

	if (c->txn && zs_name_cmp(&row->name, &c->txn->session) == 0)
		return 0;
	if (row->is_dead) {
		open_warn(c->st, "session %s of %s belongs to a process that is gone: ended",
		    zs_name_hex(&row->name, hex), row->session.host);
		return c->settings->dry_run ? 0 : objects_remove(c->st, ZS_OBJ_SESSION, &row->name, err);
	}
	if (is_first && row->session.role == ZS_SESSION_PRUNE && !c->settings->dry_run)
		return zs_fail(err, ZS_BUSY, "another prune is at work (session %s of %s)",
		    zs_name_hex(&row->name, hex), row->session.host);
	return zs_names_add(&c->others, &row->name, err);
}

int collect_look_sessions(struct zs_collector *c, int is_first, struct zs_err *err)
{
	struct zs_session_list l = {NULL, 0};
	int rc = 0;

	zs_names_fini(&c->others);
	if (zs_store_sessions(c->st, &l, err) < 0)
		return -1;
	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = see_session(c, &l.v[i], is_first, err);
	zs_names_sort(&c->others);
	zs_session_list_fini(&l);
	return rc;
}

/* -------------------------------------------------------------- local index */

static int grow_bitmap(uint8_t **map, uint64_t had_bits, uint64_t bits, struct zs_err *err)
{
	size_t had = *map ? (size_t)(had_bits / 8 + 1) : 0, need = (size_t)(bits / 8 + 1);
	uint8_t *p;

	if (need <= had)
		return 0;
	p = realloc(*map, need);
	if (!p)
		return zs_fail_nomem(err);
	memset(p + had, 0, need - had);
	*map = p;
	return 0;
}

int collect_look_grow(struct zs_collector *c, struct zs_err *err)
{
	uint32_t count = zs_index_pack_count(c->st->index);
	uint64_t bits = zs_index_chunk_total(c->st->index);
	struct collect_pack *packs;

	if (count < c->pack_count || bits < c->live_bits)
		return zs_fail(err, ZS_SYSTEM, "the local index was made anew meanwhile; run it again");
	packs = reallocarray(c->packs, (size_t)count + 1, sizeof(*packs));
	if (!packs)
		return zs_fail_nomem(err);
	c->packs = packs;
	if (grow_bitmap(&c->live, c->live_bits, bits, err) < 0 || grow_bitmap(&c->avoid, c->pack_count, count, err) < 0)
		return -1;
	memset(packs + c->pack_count, 0, (count - c->pack_count) * sizeof(*packs));
	c->live_bits = bits;
	c->pack_count = count;
	for (uint32_t i = 0; i < count; i++) {
		struct zs_index_pack_info info;

		if (zs_index_pack_info(c->st->index, i, &info, err) < 0)
			return -1;
		if (info.first_bit > bits || info.chunk_count > bits - info.first_bit)
			return zs_fail(err, ZS_SYSTEM, "the local index is damaged at pack %u", i);
		packs[i].name = info.name;
		packs[i].stored_bytes = info.stored_bytes;
		packs[i].first_bit = info.first_bit;
		packs[i].chunk_count = info.chunk_count;
		packs[i].is_dead = info.dead != 0;
	}
	return 0;
}

int collect_look_sync(struct zs_collector *c, struct zs_err *err)
{
	if (sync_index(c->st, SYNC_STRICT, err) < 0)
		return -1;
	if (!c->view && zs_index_view_new(c->st->index, &c->view, err) < 0)
		return -1;
	return zs_index_view_refresh(c->view, err) < 0 ? -1 : collect_look_grow(c, err);
}

uint32_t collect_look_live(const struct zs_collector *c, const struct collect_pack *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->chunk_count; i++)
		n += (uint32_t)collect_bit(c->live, p->first_bit + i);
	return n;
}

/* ---------------------------------------------------- condemned lists, snapshots */

int collect_look_lists(struct zs_collector *c, struct zs_err *err)
{
	uint32_t ordinal;

	condemned_list_fini(&c->lists);
	if (condemned_load(c->st, &c->lists, err) < 0)
		return -1;
	for (size_t i = 0; i < c->lists.n; i++) {
		const struct zs_names *packs = &c->lists.v[i].content.packs;

		for (size_t k = 0; k < packs->n; k++) {
			int got = zs_index_pack_find(c->st->index, &packs->v[k], &ordinal, err);

			if (got < 0)
				return -1;
			if (got && ordinal < c->pack_count)
				collect_set(c->avoid, ordinal);
		}
	}
	return 0;
}

static int mark_one(struct zs_collector *c, const struct zs_snapshot_row *row, struct zs_err *err)
{
	char hex[ZS_NAME_HEX];

	if (zs_names_has(&c->marked, &row->name))
		return 0;
	if (c->settings->forgotten && c->settings->dry_run && zs_names_has(c->settings->forgotten, &row->name))
		return 0;
	if (collect_go_on(c, err) < 0)
		return -1;
	if (c->settings->mark(c->settings->ctx, c, row->snapshot, err) < 0)
		return zs_context(err, "snapshot %s", zs_name_hex(&row->name, hex));
	return zs_names_add(&c->marked, &row->name, err);
}

int collect_look_snapshots(struct zs_collector *c, struct zs_err *err)
{
	struct zs_snapshot_list l = {NULL, 0};
	struct snapshots_removed removed = {0};
	int rc = -1;

	if (snapshots_removed_load(c->st, &removed, err) < 0)
		return -1;
	if (removed.damaged > 0) {
		zs_fail(err, ZS_CORRUPT, "a removal record is damaged: what was removed on purpose cannot be told");
		goto out;
	}
	/* Listed first: what a snapshot refers to was indexed before it, so the sync after it shows all of that. */
	rc = c->marked.n == 0 ? zs_store_snapshots(c->st, &l, NULL, err) : snapshots_load(c->st, &l, NULL, err);
	if (rc == 0)
		rc = collect_look_sync(c, err);
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		collect_progress(c, "mark", i, l.n);
		rc = mark_one(c, &l.v[i], err);
	}
out:
	snapshots_removed_fini(&removed);
	zs_snapshot_list_fini(&l);
	return rc;
}
