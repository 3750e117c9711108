/*
 * Making a snapshot: the one commit point of a backup.  Everything that it refers to is durable and indexed before;
 * the session that kept it from being collected must stand before and after, or everything is proven anew.
 */
#include "store_private.h"

#define SNAPSHOT_PUT_ATTEMPTS 3

/* The session was ended by somebody: announce another one and show, with fresh eyes, that nothing is missing. */
static int snapshot_put_prove(struct zs_txn *txn, const struct zs_snapshot *s, zs_store_prove_fn *prove, void *ctx,
    struct zs_err *err)
{
	if (!prove)
		return zs_fail(err, ZS_BUSY, "the session of this backup was ended by somebody");
	open_warn(txn->st,
	    "the session of this backup was ended by somebody: checking that nothing it needs was deleted");
	if (sessions_announce(txn->st, (enum zs_session_role)txn->role, &txn->session, err) < 0)
		return -1;
	if (txn_refresh(txn, err) < 0)
		return -1;
	if (prove(ctx, txn, s, err) == 0)
		return 0;
	if (err->cause != ZS_IO && err->cause != ZS_NOMEM && err->cause != ZS_SYSTEM && err->cause != ZS_STOPPED)
		err->cause = ZS_BUSY;
	return zs_context(err, "the session of this backup was ended by somebody, and what it relied on is gone");
}

/* 0 when a session of ours stands and all is there. */
static int snapshot_put_stands(struct zs_txn *txn, const struct zs_snapshot *s, zs_store_prove_fn *prove, void *ctx,
    struct zs_err *err)
{
	for (int i = 0; i < SNAPSHOT_PUT_ATTEMPTS; i++) {
		int stands = sessions_stands(txn->st, &txn->session, err);

		if (stands < 0)
			return -1;
		if (stands)
			return 0;
		if (snapshot_put_prove(txn, s, prove, ctx, err) < 0)
			return -1;
	}
	return zs_fail(err, ZS_BUSY, "the session of this backup is ended again and again");
}

/* Take back what may be incomplete; with a removal record, since others may have seen it. */
static void snapshot_put_withdraw(struct zs_txn *txn, const struct zs_name *name)
{
	struct zs_names one = {0};
	struct zs_err e = {0};
	char hex[ZS_NAME_HEX];

	if (zs_names_add(&one, name, &e) < 0 || zs_store_forget(txn->st, &one, &e) < 0) {
		if (objects_remove(txn->st, ZS_OBJ_SNAPSHOT, name, &e) < 0)
			open_warn(txn->st, "snapshot %s could not be withdrawn: %s", zs_name_hex(name, hex), e.text);
	}
	zs_names_fini(&one);
}

int zs_store_snapshot_put(struct zs_txn *txn, struct zs_snapshot *s, zs_store_prove_fn *prove, void *ctx,
    struct zs_name *out_name, struct zs_err *err)
{
	struct zs_name name;

	if (zs_store_publish(txn, err) < 0 || snapshot_put_stands(txn, s, prove, ctx, err) < 0 || txn_new_packs_exist(txn, err) < 0)
		return -1;
	if (lineage_place(txn->st, s, err) < 0)
		return -1;
	s->writer = txn->writer;
	if (records_put_snapshot(txn->st, s, &name, err) < 0)
		return -1;
	if (snapshot_put_stands(txn, s, prove, ctx, err) < 0 || txn_new_packs_exist(txn, err) < 0) {
		snapshot_put_withdraw(txn, &name);
		return -1;
	}
	lineage_remember(txn->st, &name, s);
	*out_name = name;
	return 0;
}
