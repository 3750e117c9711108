/*
 * Snapshots as a set: loading and sorting them, removing some with a record of it, reading the records.  Making one
 * belongs to a transaction (snapshot_put.c); comparing them with the past to lineage.c.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_private.h"

static int snapshots_order(const void *pa, const void *pb)
{
	const struct zs_snapshot_row *a = pa, *b = pb;

	if (a->snapshot->sequence != b->snapshot->sequence)
		return a->snapshot->sequence < b->snapshot->sequence ? -1 : 1;
	if (a->snapshot->time_ns != b->snapshot->time_ns)
		return a->snapshot->time_ns < b->snapshot->time_ns ? -1 : 1;
	return zs_name_cmp(&a->name, &b->name);
}

/* 1 loaded, 0 it is gone or damaged (and listed so), -1. */
static int snapshots_load_one(struct zs_store *st, const struct zs_name *name, struct zs_snapshot_row *row,
    struct zs_names *out_damaged, struct zs_err *err)
{
	row->name = *name;
	row->snapshot = NULL;
	if (records_get_snapshot(st, name, &row->snapshot, err) == 0)
		return 1;
	if (err->cause == ZS_NOTFOUND) { /* removed while we looked */
		zs_err_clear(err);
		return 0;
	}
	if (err->cause != ZS_CORRUPT || !out_damaged)
		return -1;
	zs_err_clear(err);
	return zs_names_add(out_damaged, name, err) < 0 ? -1 : 0;
}

int snapshots_load(struct zs_store *st, struct zs_snapshot_list *out, struct zs_names *out_damaged, struct zs_err *err)
{
	struct zs_snapshot_list l = {NULL, 0};
	struct zs_names names = {0};
	int rc = -1;

	if (objects_list(st->be, ZS_OBJ_SNAPSHOT, &names, err) < 0)
		return -1;
	l.v = calloc(names.n ? names.n : 1, sizeof(*l.v));
	if (!l.v) {
		zs_fail_nomem(err);
		goto out;
	}
	for (size_t i = 0; i < names.n; i++) {
		int got = snapshots_load_one(st, &names.v[i], &l.v[l.n], out_damaged, err);

		if (got < 0)
			goto out;
		l.n += (size_t)got;
	}
	qsort(l.v, l.n, sizeof(*l.v), snapshots_order);
	*out = l;
	l = (struct zs_snapshot_list){NULL, 0};
	rc = 0;
out:
	zs_snapshot_list_fini(&l);
	zs_names_fini(&names);
	return rc;
}

int zs_store_snapshots(struct zs_store *st, struct zs_snapshot_list *out, struct zs_names *out_damaged,
    struct zs_err *err)
{
	struct zs_snapshot_list l = {NULL, 0};

	if (snapshots_load(st, &l, out_damaged, err) < 0)
		return -1;
	if (lineage_check(st, &l, out_damaged, err) < 0) {
		zs_snapshot_list_fini(&l);
		return -1;
	}
	*out = l;
	return 0;
}

void zs_snapshot_list_fini(struct zs_snapshot_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		zs_format_snapshot_free(l->v[i].snapshot);
	free(l->v);
	*l = (struct zs_snapshot_list){NULL, 0};
}

/* ------------------------------------------------------------------ removal */

static int snapshots_removed_add(struct snapshots_removed *r, const struct zs_removal *record, struct zs_err *err)
{
	for (size_t i = 0; i < record->snapshots.n; i++) {
		if (zs_names_add(&r->names, &record->snapshots.v[i], err) < 0)
			return -1;
	}
	if (record->highest_sequence > r->highest_sequence)
		r->highest_sequence = record->highest_sequence;
	return 0;
}

static int snapshots_removed_one(struct zs_store *st, const struct zs_name *name, struct snapshots_removed *r,
    struct zs_err *err)
{
	struct zs_removal record = {0};
	int rc;

	rc = records_get_removal(st, name, &record, err);
	if (rc == 0) {
		rc = snapshots_removed_add(r, &record, err);
	} else if (err->cause == ZS_CORRUPT) {
		open_warn(st, "%s", err->text);
		zs_err_clear(err);
		r->damaged++;
		rc = 0;
	}
	zs_format_removal_fini(&record);
	return rc;
}

int snapshots_removed_load(struct zs_store *st, struct snapshots_removed *out, struct zs_err *err)
{
	struct snapshots_removed r = {0};
	struct zs_names names = {0};
	int rc = 0;

	if (objects_list(st->be, ZS_OBJ_REMOVAL, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n && rc == 0; i++)
		rc = snapshots_removed_one(st, &names.v[i], &r, err);
	zs_names_fini(&names);
	if (rc < 0) {
		snapshots_removed_fini(&r);
		return -1;
	}
	zs_names_sort(&r.names);
	*out = r;
	return 0;
}

void snapshots_removed_fini(struct snapshots_removed *r)
{
	zs_names_fini(&r->names);
	memset(r, 0, sizeof(*r));
}

/* The record of what is about to go: it keeps the sequence from falling back, whatever is left. */
static int snapshots_put_removal(struct zs_store *st, const struct zs_names *snapshots, struct zs_err *err)
{
	char host[256] = "";
	struct zs_removal record = {.snapshots = *snapshots, .time_ns = zs_now_ns(), .host = host};
	struct zs_snapshot_list l = {NULL, 0};
	struct zs_names damaged = {0};
	struct snapshots_removed before = {0};
	struct zs_name name;
	int rc = -1;

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = 0;
	if (snapshots_removed_load(st, &before, err) < 0 || snapshots_load(st, &l, &damaged, err) < 0)
		goto out;
	record.highest_sequence = before.highest_sequence;
	if (l.n > 0 && l.v[l.n - 1].snapshot->sequence > record.highest_sequence)
		record.highest_sequence = l.v[l.n - 1].snapshot->sequence;
	rc = records_put_removal(st, &record, &name, err);
out:
	zs_snapshot_list_fini(&l);
	zs_names_fini(&damaged);
	snapshots_removed_fini(&before);
	return rc;
}

/* A full disk must not keep anybody from freeing it: the reserve is given for the record.  A prune takes it again. */
static int snapshots_put_removal_anyway(struct zs_store *st, const struct zs_names *snapshots, struct zs_err *err)
{
	struct zs_err ignored = {0};

	if (snapshots_put_removal(st, snapshots, err) == 0)
		return 0;
	if (err->cause != ZS_NOSPACE || zs_backend_reserve_release(st->be, &ignored) != 1)
		return -1;
	zs_err_clear(err);
	return snapshots_put_removal(st, snapshots, err);
}

int zs_store_forget(struct zs_store *st, const struct zs_names *snapshots, struct zs_err *err)
{
	char hex[ZS_NAME_HEX];
	uint64_t bytes;

	if (snapshots->n == 0)
		return 0;
	for (size_t i = 0; i < snapshots->n; i++) {
		int got = zs_backend_stat(st->be, ZS_OBJ_SNAPSHOT, &snapshots->v[i], &bytes, err);

		if (got < 0)
			return -1;
		if (!got)
			return zs_fail(err, ZS_NOTFOUND, "there is no snapshot %s", zs_name_hex(&snapshots->v[i], hex));
	}
	if (snapshots_put_removal_anyway(st, snapshots, err) < 0)
		return -1;
	for (size_t i = 0; i < snapshots->n; i++) {
		if (objects_remove(st, ZS_OBJ_SNAPSHOT, &snapshots->v[i], err) < 0)
			return zs_context(err, "removing snapshot %s", zs_name_hex(&snapshots->v[i], hex));
	}
	return 0;
}
