/*
 * Questions about packs and index objects, each in a short read transaction.
 * Look-ups of chunks are in view.c.
 */
#include "index_private.h"

#include <string.h>

struct question {
	const struct zs_name *name;
	uint32_t ordinal;
	int found;
	struct zs_index_pack_info *info;
	struct zs_names *names;
	struct row_counters counters;
};

static int ask_knows(struct zs_index *ix, MDB_txn *txn, void *arg, struct zs_err *err)
{
	struct question *q = arg;
	MDB_val key = {ZS_NAME_BYTES, (void *)(uintptr_t)q->name->b}, v;
	int rc = mdb_get(txn, ix->t.objects, &key, &v);

	(void)err;
	q->found = rc == 0;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int zs_index_knows(struct zs_index *ix, const struct zs_name *index_object, struct zs_err *err)
{
	struct question q = {.name = index_object};

	return env_read(ix, ask_knows, &q, err) < 0 ? -1 : q.found;
}

static int ask_counters(struct zs_index *ix, MDB_txn *txn, void *arg, struct zs_err *err)
{
	struct question *q = arg;

	(void)err;
	return row_counters_get(txn, ix->t.meta, &q->counters);
}

uint32_t zs_index_pack_count(struct zs_index *ix)
{
	struct question q = {.ordinal = 0};
	struct zs_err ignored = {0};

	return env_read(ix, ask_counters, &q, &ignored) < 0 ? 0 : q.counters.packs;
}

uint64_t zs_index_chunk_total(struct zs_index *ix)
{
	struct question q = {.ordinal = 0};
	struct zs_err ignored = {0};

	return env_read(ix, ask_counters, &q, &ignored) < 0 ? 0 : q.counters.chunks;
}

uint64_t zs_index_epoch(struct zs_index *ix)
{
	struct question q = {.ordinal = 0};
	struct zs_err ignored = {0};

	return env_read(ix, ask_counters, &q, &ignored) < 0 ? 0 : q.counters.sequence;
}

static int ask_info(struct zs_index *ix, MDB_txn *txn, void *arg, struct zs_err *err)
{
	struct question *q = arg;
	uint8_t ordinal[4];
	MDB_val key = {4, ordinal}, v;
	const uint8_t *objects;
	size_t n;
	int rc;

	row_ordinal_put(ordinal, q->ordinal);
	rc = mdb_get(txn, ix->t.packs, &key, &v);
	if (rc == MDB_NOTFOUND) {
		zs_fail(err, ZS_SYSTEM, "index in %s: no pack has number %u", ix->place.dir, q->ordinal);
		return ENV_FAILED;
	}
	return rc ? rc : row_pack_decode(v, q->info, &objects, &n);
}

int zs_index_pack_info(struct zs_index *ix, uint32_t ordinal, struct zs_index_pack_info *out, struct zs_err *err)
{
	struct question q = {.ordinal = ordinal, .info = out};

	return env_read(ix, ask_info, &q, err);
}

static int find(struct zs_index *ix, MDB_txn *txn, struct question *q)
{
	MDB_val key = {ZS_NAME_BYTES, (void *)(uintptr_t)q->name->b}, v;
	int rc = mdb_get(txn, ix->t.names, &key, &v);

	q->found = rc == 0;
	if (rc)
		return rc == MDB_NOTFOUND ? 0 : rc;
	if (v.mv_size != 4)
		return MDB_CORRUPTED;
	q->ordinal = row_ordinal_get(v.mv_data);
	return 0;
}

static int ask_find(struct zs_index *ix, MDB_txn *txn, void *arg, struct zs_err *err)
{
	(void)err;
	return find(ix, txn, arg);
}

int zs_index_pack_find(struct zs_index *ix, const struct zs_name *pack, uint32_t *out_ordinal, struct zs_err *err)
{
	struct question q = {.name = pack};

	if (env_read(ix, ask_find, &q, err) < 0)
		return -1;
	if (q.found)
		*out_ordinal = q.ordinal;
	return q.found;
}

static int ask_objects(struct zs_index *ix, MDB_txn *txn, void *arg, struct zs_err *err)
{
	struct question *q = arg;
	struct zs_index_pack_info info;
	const uint8_t *objects;
	uint8_t ordinal[4];
	MDB_val key = {4, ordinal}, v;
	size_t n;
	int rc = find(ix, txn, q);

	if (rc || !q->found)
		return rc;
	row_ordinal_put(ordinal, q->ordinal);
	rc = mdb_get(txn, ix->t.packs, &key, &v);
	if (!rc)
		rc = row_pack_decode(v, &info, &objects, &n);
	for (size_t i = 0; !rc && i < n; i++) {
		struct zs_name name;

		memcpy(name.b, objects + i * ZS_NAME_BYTES, sizeof name.b);
		if (zs_names_add(q->names, &name, err) < 0)
			rc = ENV_FAILED;
	}
	return rc;
}

int zs_index_objects_of_pack(struct zs_index *ix, const struct zs_name *pack, struct zs_names *out, struct zs_err *err)
{
	struct question q = {.name = pack, .names = out};

	return env_read(ix, ask_objects, &q, err);
}
