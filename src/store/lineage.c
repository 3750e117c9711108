/*
 * The chain of snapshots against time: places a new one after all that was seen, and notices a repository that lost
 * some without a removal record or went back.  It only says so; what to do is the user's.
 */
#include <inttypes.h>
#include <string.h>

#include "store_private.h"

#define LINEAGE_WARNINGS 5 /* said at most per check */

struct lineage {
	struct zs_store *st;
	struct zs_names present; /* readable or not; sorted */
	struct snapshots_removed removed;
	int has_removed; /* loaded: only when something is missing */
	unsigned said;
};

/* 1 it is there or was removed properly (or is no name at all), 0 it is missing, -1. */
static int lineage_accounted(struct lineage *x, const struct zs_name *name, struct zs_err *err)
{
	uint64_t bytes;

	if (zs_name_cmp(name, &zs_name_zero) == 0 || zs_names_has(&x->present, name))
		return 1;
	if (!x->has_removed) {
		if (snapshots_removed_load(x->st, &x->removed, err) < 0)
			return -1;
		x->has_removed = 1;
	}
	if (zs_names_has(&x->removed.names, name))
		return 1;
	/* It may have been made since the listing: another process of this client remembers it already. */
	return zs_backend_stat(x->st->be, ZS_OBJ_SNAPSHOT, name, &bytes, err);
}

static int lineage_check_history(struct lineage *x, const struct history *h, struct zs_err *err)
{
	char hex[ZS_NAME_HEX];

	for (size_t i = 0; i < h->n && x->said < LINEAGE_WARNINGS; i++) {
		const struct history_row *row = &h->v[i];
		int got = lineage_accounted(x, &row->name, err);

		if (got < 0)
			return -1;
		if (got)
			continue;
		open_warn(x->st,
		    "snapshot %.16s of host %.*s (number %" PRIu64 "), which this client has seen, is gone and no "
		    "removal is recorded: %s may have been set back to an earlier state",
		    zs_name_hex(&row->name, hex), (int)row->host.n, (const char *)row->host.p, row->sequence,
		    zs_backend_describe(x->st->be));
		x->said++;
	}
	return 0;
}

static int lineage_check_past(struct lineage *x, const struct zs_snapshot_row *row, const struct zs_name *past,
    struct zs_err *err)
{
	char hex[ZS_NAME_HEX], past_hex[ZS_NAME_HEX];
	int got = lineage_accounted(x, past, err);

	if (got < 0)
		return -1;
	if (got || x->said >= LINEAGE_WARNINGS)
		return 0;
	open_warn(x->st, "snapshot %.16s follows snapshot %.16s, which is gone without a recorded removal",
	    zs_name_hex(&row->name, hex), zs_name_hex(past, past_hex));
	x->said++;
	return 0;
}

static int lineage_gather(struct lineage *x, const struct zs_snapshot_list *l, const struct zs_names *damaged,
    struct zs_err *err)
{
	for (size_t i = 0; i < l->n; i++) {
		if (zs_names_add(&x->present, &l->v[i].name, err) < 0)
			return -1;
	}
	for (size_t i = 0; damaged && i < damaged->n; i++) {
		if (zs_names_add(&x->present, &damaged->v[i], err) < 0)
			return -1;
	}
	zs_names_sort(&x->present);
	return 0;
}

/* A snapshot that was removed properly is no news any more: the newest that is left is remembered in its place. */
static void lineage_drop_removed(const struct lineage *x, struct history *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++) {
		const struct zs_name *name = &h->v[i].name;

		if (x->has_removed && !zs_names_has(&x->present, name) && zs_names_has(&x->removed.names, name))
			zs_buf_fini(&h->v[i].host);
		else
			h->v[n++] = h->v[i];
	}
	h->n = n;
}

/* Remember the newest of each host.  What is missing stays remembered until something newer comes: it is said again. */
static int lineage_update(struct zs_store *st, struct history *h, const struct zs_snapshot_list *l, struct zs_err *err)
{
	for (size_t i = 0; i < l->n; i++) {
		if (history_note(h, &l->v[i].name, l->v[i].snapshot, err) < 0)
			return -1;
	}
	history_save(st, h);
	return 0;
}

int lineage_check(struct zs_store *st, const struct zs_snapshot_list *l, const struct zs_names *damaged,
    struct zs_err *err)
{
	struct lineage x = {.st = st};
	struct history h = {NULL, 0};
	int rc = -1;

	if (history_load(st, &h, err) < 0)
		return -1;
	if (lineage_gather(&x, l, damaged, err) < 0 || lineage_check_history(&x, &h, err) < 0)
		goto out;
	for (size_t i = 0; i < l->n; i++) {
		const struct zs_snapshot_row *row = &l->v[i];

		if (lineage_check_past(&x, row, &row->snapshot->previous, err) < 0 ||
		    lineage_check_past(&x, row, &row->snapshot->newest_seen, err) < 0)
			goto out;
	}
	lineage_drop_removed(&x, &h);
	rc = lineage_update(st, &h, l, err);
out:
	zs_names_fini(&x.present);
	snapshots_removed_fini(&x.removed);
	history_fini(&h);
	return rc;
}

/* ------------------------------------------------------------------ a new one */

int lineage_place(struct zs_store *st, struct zs_snapshot *s, struct zs_err *err)
{
	struct zs_snapshot_list l = {NULL, 0};
	struct snapshots_removed removed = {0};
	struct zs_names damaged = {0};
	struct history h = {NULL, 0};
	uint64_t highest = 0;
	int rc = -1;

	if (snapshots_load(st, &l, &damaged, err) < 0 || snapshots_removed_load(st, &removed, err) < 0)
		goto out;
	if (history_load(st, &h, err) < 0)
		goto out;
	s->previous = s->newest_seen = zs_name_zero;
	for (size_t i = 0; i < l.n; i++) { /* oldest first: the last one wins */
		const struct zs_snapshot *other = l.v[i].snapshot;

		*(strcmp(other->host, s->host) == 0 ? &s->previous : &s->newest_seen) = l.v[i].name;
		if (other->sequence > highest)
			highest = other->sequence;
	}
	for (size_t i = 0; i < h.n; i++) {
		if (h.v[i].sequence > highest)
			highest = h.v[i].sequence;
	}
	if (removed.highest_sequence > highest)
		highest = removed.highest_sequence;
	if (highest == UINT64_MAX) {
		zs_fail(err, ZS_LIMIT, "snapshot numbers are used up");
		goto out;
	}
	s->sequence = highest + 1;
	rc = 0;
out:
	zs_snapshot_list_fini(&l);
	zs_names_fini(&damaged);
	snapshots_removed_fini(&removed);
	history_fini(&h);
	return rc;
}

void lineage_remember(struct zs_store *st, const struct zs_name *name, const struct zs_snapshot *s)
{
	struct zs_err ignored = {0};
	struct history h;

	if (history_load(st, &h, &ignored) < 0)
		return;
	if (history_note(&h, name, s, &ignored) == 0)
		history_save(st, &h);
	history_fini(&h);
}
