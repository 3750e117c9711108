/*
 * Condemning packs, and deciding which condemned packs no session can rely on any more.  A pack may go if a list that
 * names it was published before a look at the sessions that found none but ours, or only such as are not among those
 * that it waits for; and if no snapshot listed after that look needs it.  The deleting itself is in collect_delete.c.
 */
#include <stdlib.h>
#include <string.h>

#include "collect_private.h"

/* ------------------------------------------------------------- condemned lists */

static int put_list(struct zs_collector *c, const struct zs_names *packs, const struct zs_names *waits_for,
    struct zs_err *err)
{
	struct zs_condemned list = {.packs = *packs};
	struct zs_name name;
	int rc;

	if (waits_for) {
		list.waits_for = *waits_for;
		list.has_waits = 1;
	}
	rc = records_put_condemned(c->st, &list, &name, err);
	if (rc < 0 && collect_relieve(c, err))
		rc = records_put_condemned(c->st, &list, &name, err);
	return rc < 0 ? zs_context(err, "publishing a condemned list") : 0;
}

/* 1 if nobody who may rely on the list's packs is left. */
static int is_ready(const struct zs_collector *c, const struct zs_condemned *list)
{
	if (!list->has_waits)
		return c->others.n == 0;
	for (size_t i = 0; i < list->waits_for.n; i++) {
		if (zs_names_has(&c->others, &list->waits_for.v[i]))
			return 0;
	}
	return 1;
}

/* Sorted, each once. */
static void unique(struct zs_names *l)
{
	size_t n = 0;

	zs_names_sort(l);
	for (size_t i = 0; i < l->n; i++) {
		if (n == 0 || zs_name_cmp(&l->v[n - 1], &l->v[i]) != 0)
			l->v[n++] = l->v[i];
	}
	l->n = n;
}

static int ready_packs(const struct zs_collector *c, struct zs_names *out, struct zs_err *err)
{
	for (size_t i = 0; i < c->lists.n; i++) {
		const struct zs_condemned *list = &c->lists.v[i].content;

		for (size_t k = 0; is_ready(c, list) && k < list->packs.n; k++) {
			if (zs_names_add(out, &list->packs.v[k], err) < 0)
				return -1;
		}
	}
	unique(out);
	return 0;
}

/*
 * Packs whose lists do not say yet whom to wait for get one more list that does, so that writers who come later do not
 * hold them up.  The lists that are there stay: see collect.c.
 */
static int record_waits(struct zs_collector *c, struct zs_err *err)
{
	struct zs_names waiting = {0}, packs = {0};
	int rc = -1;

	for (size_t i = 0; i < c->lists.n; i++) {
		const struct zs_condemned *list = &c->lists.v[i].content;

		for (size_t k = 0; list->has_waits && k < list->packs.n; k++) {
			if (zs_names_add(&waiting, &list->packs.v[k], err) < 0)
				goto out;
		}
	}
	unique(&waiting);
	for (size_t i = 0; i < c->lists.n; i++) {
		const struct zs_condemned *list = &c->lists.v[i].content;

		for (size_t k = 0; !list->has_waits && k < list->packs.n; k++) {
			if (!zs_names_has(&waiting, &list->packs.v[k]) &&
			    zs_names_add(&packs, &list->packs.v[k], err) < 0)
				goto out;
		}
	}
	unique(&packs);
	rc = packs.n > 0 ? put_list(c, &packs, &c->others, err) : 0;
out:
	zs_names_fini(&waiting);
	zs_names_fini(&packs);
	return rc;
}

/* ---------------------------------------------------------------- what may go */

/* The ready packs that nothing needs; those that a snapshot needs are rescued by staying out of it. */
static int find_doomed(const struct zs_collector *c, const struct zs_names *ready, struct zs_names *out,
    struct zs_err *err)
{
	uint32_t ordinal;

	for (size_t i = 0; i < ready->n; i++) {
		int got = zs_index_pack_find(c->st->index, &ready->v[i], &ordinal, err);

		if (got < 0)
			return -1;
		if (got && ordinal >= c->pack_count)
			return zs_fail(err, ZS_SYSTEM, "the local index changed meanwhile; run it again");
		if (got && collect_look_live(c, &c->packs[ordinal]) > 0)
			continue;
		if (zs_names_add(out, &ready->v[i], err) < 0)
			return -1;
	}
	unique(out);
	return 0;
}

/* Before the first deletion: every pack with a marked chunk stays, is named by an index object, and is there. */
static int verify_closure(struct zs_collector *c, const struct zs_names *doomed, struct zs_err *err)
{
	char hex[ZS_NAME_HEX];

	if (collect_look_packs(c, err) < 0)
		return -1;
	for (uint32_t i = 0; i < c->pack_count; i++) {
		const struct collect_pack *p = &c->packs[i];
		const struct collect_object *o;

		if (collect_look_live(c, p) == 0)
			continue;
		o = collect_look_listed(c, &p->name);
		zs_name_hex(&p->name, hex);
		if (!o)
			return zs_fail(err, ZS_CORRUPT, "pack %s, which a snapshot needs, is missing", hex);
		if (o->bytes != p->stored_bytes)
			return zs_fail(err, ZS_CORRUPT, "pack %s, which a snapshot needs, has a wrong size", hex);
		if (p->is_dead || zs_names_has(doomed, &p->name))
			return zs_fail(err, ZS_INTERNAL, "pack %s is needed but would go", hex);
	}
	return 0;
}

/* --------------------------------------------------------------------- endings */

/* Lists with nothing left to wait for: each of their packs is deleted, or needed after all. */
static int retire_lists(struct zs_collector *c, const struct zs_names *ready, struct zs_err *err)
{
	for (size_t i = 0; i < c->lists.n; i++) {
		const struct zs_names *packs = &c->lists.v[i].content.packs;
		size_t k = 0;

		while (k < packs->n && zs_names_has(ready, &packs->v[k]))
			k++;
		if (k == packs->n && objects_remove(c->st, ZS_OBJ_CONDEMNED, &c->lists.v[i].name, err) < 0)
			return -1;
	}
	return 0;
}

static int report_waiting(struct zs_collector *c, const struct zs_names *ready, struct zs_err *err)
{
	struct zs_collect_report *r = &c->report;
	struct zs_names all = {0};
	int rc = condemned_packs(&c->lists, &all, err);

	unique(&all);
	r->packs_condemned = r->bytes_condemned = 0;
	for (size_t i = 0; i < all.n && rc == 0; i++) {
		const struct collect_object *o = collect_look_listed(c, &all.v[i]);

		if (!o || zs_names_has(ready, &all.v[i]))
			continue;
		r->packs_condemned++;
		r->bytes_condemned += o->bytes;
	}
	r->sessions.n = 0;
	for (size_t i = 0; r->packs_condemned > 0 && i < c->others.n && rc == 0; i++)
		rc = zs_names_add(&r->sessions, &c->others.v[i], err);
	zs_names_fini(&all);
	return rc;
}

/* Nothing was deleted before this succeeds. */
static int confirm(struct zs_collector *c, const struct zs_names *doomed, struct zs_err *err)
{
	int stands;

	if (verify_closure(c, doomed, err) < 0)
		return -1;
	stands = sessions_stands(c->st, &c->txn->session, err);
	if (stands < 0)
		return -1;
	if (!stands)
		return zs_fail(err, ZS_BUSY, "the session of this prune was ended by somebody");
	return collect_go_on(c, err);
}

static int delete_ready(struct zs_collector *c, const struct zs_names *ready, struct zs_err *err)
{
	struct zs_names doomed = {0};
	int rc = -1;

	/* Listed after the sessions: whoever has ended since it condemned them has its snapshot in the list. */
	if (collect_look_snapshots(c, err) < 0)
		goto out;
	if (find_doomed(c, ready, &doomed, err) < 0 || confirm(c, &doomed, err) < 0)
		goto out;
	if (collect_delete(c, &doomed, err) < 0 || retire_lists(c, ready, err) < 0)
		goto out;
	rc = collect_look_sync(c, err);
out:
	zs_names_fini(&doomed);
	return rc;
}

int collect_sweep(struct zs_collector *c, const struct zs_names *packs, struct zs_err *err)
{
	struct zs_names ready = {0};
	int rc = -1;

	if (collect_go_on(c, err) < 0)
		goto out;
	if (packs->n > 0 && put_list(c, packs, NULL, err) < 0)
		goto out;
	/* Lists first, then sessions: who is not seen now has seen every list that counts. */
	if (collect_look_lists(c, err) < 0 || collect_look_sessions(c, 0, err) < 0)
		goto out;
	if (c->others.n > 0 && record_waits(c, err) < 0)
		goto out;
	if (ready_packs(c, &ready, err) < 0)
		goto out;
	if (ready.n > 0 && delete_ready(c, &ready, err) < 0)
		goto out;
	rc = report_waiting(c, &ready, err);
out:
	zs_names_fini(&ready);
	return rc;
}
