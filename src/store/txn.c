/*
 * A write transaction: which chunks are new, gathered in blocks (intake thread); blocks into packs, packs into index
 * objects (append thread).  A chunk is known from the moment it is put; it is indexed only when its pack is durable.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store_private.h"

/* The first failure ends the transaction; it is what the other thread's calls fail with as well. */
static int txn_dead(struct zs_txn *txn, const struct zs_err *why)
{
	pthread_mutex_lock(&txn->lock);
	if (!atomic_load(&txn->dead))
		txn->why_dead = *why;
	atomic_store(&txn->dead, 1);
	pthread_mutex_unlock(&txn->lock);
	return -1;
}

static int txn_check(struct zs_txn *txn, struct zs_err *err)
{
	if (!atomic_load(&txn->dead))
		return 0;
	pthread_mutex_lock(&txn->lock);
	*err = txn->why_dead;
	pthread_mutex_unlock(&txn->lock);
	return -1;
}

/* ----------------------------------------------------------- the view of what is known */

/* Make the bitmap as long as avoid_packs says. */
static int txn_cover(struct zs_txn *txn, struct zs_err *err)
{
	size_t need = (size_t)txn->avoid_packs / 8 + 1;

	if (need <= txn->avoid.n)
		return 0;
	if (zs_buf_reserve(&txn->avoid, need - txn->avoid.n, err) < 0)
		return -1;
	memset(txn->avoid.p + txn->avoid.n, 0, need - txn->avoid.n);
	txn->avoid.n = need;
	return 0;
}

static int txn_set_avoid(struct zs_txn *txn, uint32_t ordinal, struct zs_err *err)
{
	if (ordinal >= txn->avoid_packs)
		txn->avoid_packs = ordinal + 1;
	if (txn_cover(txn, err) < 0)
		return -1;
	txn->avoid.p[ordinal / 8] |= (uint8_t)(1u << (ordinal % 8));
	return 0;
}

/* Bits of the condemned packs, for every ordinal that there is by now. */
static int txn_extend_avoid(struct zs_txn *txn, struct zs_err *err)
{
	uint32_t packs = zs_index_pack_count(txn->st->index), ordinal;

	if (packs == txn->avoid_packs)
		return 0;
	for (size_t i = 0; i < txn->condemned.n; i++) {
		int got = zs_index_pack_find(txn->st->index, &txn->condemned.v[i], &ordinal, err);

		if (got < 0 || (got && txn_set_avoid(txn, ordinal, err) < 0))
			return -1;
	}
	if (packs > txn->avoid_packs)
		txn->avoid_packs = packs;
	return txn_cover(txn, err);
}

int txn_avoid(struct zs_txn *txn, uint32_t ordinal, struct zs_err *err)
{
	return txn_extend_avoid(txn, err) < 0 ? -1 : txn_set_avoid(txn, ordinal, err);
}

/* See at least what had been consumed when the generation was read. */
static int txn_refresh_view(struct zs_txn *txn, uint64_t generation, struct zs_err *err)
{
	if (zs_index_view_refresh(txn->view, err) < 0 || txn_extend_avoid(txn, err) < 0)
		return -1;
	txn->view_generation = generation;
	return 0;
}

struct whole_packs { struct zs_store *st; struct zs_names names; };

static int txn_note_whole(void *ctx, const struct zs_name *name, uint64_t bytes, struct zs_err *err)
{
	struct whole_packs *w = ctx;
	struct zs_index_pack_info info;
	uint32_t ordinal;
	int got = zs_index_pack_find(w->st->index, name, &ordinal, err);

	if (got <= 0)
		return got;
	if (zs_index_pack_info(w->st->index, ordinal, &info, err) < 0)
		return -1;
	return info.stored_bytes == bytes ? zs_names_add(&w->names, name, err) : 0;
}

/*
 * A pack that the index names but that is not there (deleted by hand, or by a prune after its writer's session was
 * ended), or that is cut off, is treated like a condemned one: what it held is stored again.
 */
static int txn_note_missing(struct zs_txn *txn, struct zs_err *err)
{
	uint32_t packs = zs_index_pack_count(txn->st->index);
	struct zs_index_pack_info info;
	struct whole_packs whole = {.st = txn->st};
	char hex[ZS_NAME_HEX];
	int rc = zs_backend_list(txn->st->be, ZS_OBJ_PACK, txn_note_whole, &whole, err);

	zs_names_sort(&whole.names);
	for (uint32_t i = 0; rc == 0 && i < packs; i++) {
		rc = zs_index_pack_info(txn->st->index, i, &info, err);
		if (rc < 0 || info.dead || zs_names_has(&whole.names, &info.name))
			continue;
		rc = sync_is_missing(txn->st, i, err);
		if (rc <= 0)
			continue;
		open_warn(txn->st, "pack %s is missing or cut off: what it held is stored again; run 'zstore check'",
		    zs_name_hex(&info.name, hex));
		rc = zs_names_add(&txn->condemned, &info.name, err);
	}
	zs_names_sort(&txn->condemned);
	txn->packs_seen = packs;
	zs_names_fini(&whole.names);
	return rc;
}

/* Packs that came into the index since: our own, and those of writers whom this host's index learnt of meanwhile. */
int txn_new_packs_exist(struct zs_txn *txn, struct zs_err *err)
{
	uint32_t packs = zs_index_pack_count(txn->st->index);
	struct zs_index_pack_info info;
	uint64_t bytes;
	char hex[ZS_NAME_HEX];

	for (uint32_t i = txn->packs_seen; i < packs; i++) {
		int there;

		if (zs_index_pack_info(txn->st->index, i, &info, err) < 0)
			return -1;
		if (info.dead)
			continue;
		there = zs_backend_stat(txn->st->be, ZS_OBJ_PACK, &info.name, &bytes, err);
		if (there < 0)
			return -1;
		if (!there || bytes != info.stored_bytes)
			return zs_fail(err, ZS_BUSY, "pack %s was deleted while this backup ran; run it again", zs_name_hex(&info.name, hex));
	}
	return 0;
}

int txn_refresh(struct zs_txn *txn, struct zs_err *err)
{
	struct condemned_list lists = {NULL, 0};
	int rc = -1;

	zs_names_fini(&txn->condemned);
	zs_buf_clear(&txn->avoid);
	txn->avoid_packs = 0;
	if (condemned_load(txn->st, &lists, err) < 0 || condemned_packs(&lists, &txn->condemned, err) < 0)
		goto out;
	if (zs_store_sync(txn->st, err) < 0)
		goto out;
	if (txn->role == ZS_SESSION_WRITER && txn_note_missing(txn, err) < 0)
		goto out;
	if (!txn->view && zs_index_view_new(txn->st->index, &txn->view, err) < 0)
		goto out;
	rc = txn_refresh_view(txn, txn->generation, err);
out:
	condemned_list_fini(&lists);
	return rc;
}

int zs_store_has(struct zs_txn *txn, const struct zs_id *id, struct zs_err *err)
{
	struct zs_location at;
	uint64_t generation;
	int known;

	if (txn_check(txn, err) < 0)
		return -1;
	/*
	 * An id leaves pending only after the index knows it, and in the same critical section the generation moves
	 * on: whoever misses it in pending for that reason refreshes its view here, and finds it there.
	 */
	pthread_mutex_lock(&txn->lock);
	known = pending_has(&txn->pending, id);
	generation = txn->generation;
	pthread_mutex_unlock(&txn->lock);
	if (known)
		return 1;
	if (generation != txn->view_generation && txn_refresh_view(txn, generation, err) < 0)
		return txn_dead(txn, err);
	known = zs_index_get(txn->view, id, txn->avoid.p, txn->avoid_packs, &at, err);
	return known < 0 ? txn_dead(txn, err) : known;
}

/* -------------------------------------------------------------------- intake */

/* The open block that takes n more bytes; one that does not goes to *out_full. */
static int txn_room(struct zs_txn *txn, enum zs_kind kind, unsigned slot, size_t n, struct zs_block **out_full,
    struct zs_err *err)
{
	struct zs_block *b = txn->open[slot];

	if (b && (b->plain.n + n > block_limit(txn, slot) || b->chunk_count >= STORE_BLOCK_CHUNKS)) {
		*out_full = b;
		txn->open[slot] = NULL;
	}
	if (!txn->open[slot] && block_new(txn, kind, &txn->open[slot], err) < 0)
		return -1;
	return 0;
}

static int txn_add(struct zs_txn *txn, enum zs_kind kind, const struct zs_id *id, struct zs_span plain,
    struct zs_block **out_full, struct zs_err *err)
{
	unsigned slot = block_slot(kind, plain);
	int rc;

	if (txn_room(txn, kind, slot, plain.n, out_full, err) < 0 || block_add(txn->open[slot], id, plain, err) < 0)
		return -1;
	pthread_mutex_lock(&txn->lock);
	rc = pending_add(&txn->pending, id, err);
	pthread_mutex_unlock(&txn->lock);
	return rc;
}

int zs_store_put(struct zs_txn *txn, enum zs_kind kind, const struct zs_id *id, struct zs_span plain,
    uint32_t *out_added, struct zs_block **out_full, struct zs_err *err)
{
	struct zs_block *full = NULL;
	int known;

	if (kind < 1 || kind >= ZS_KINDS)
		return zs_fail(err, ZS_INTERNAL, "a chunk of unknown kind %d", (int)kind);
	if (plain.n < 1 || plain.n > STORE_CHUNK_MAX)
		return zs_fail(err, ZS_LIMIT, "a chunk of %zu bytes", plain.n);
	known = zs_store_has(txn, id, err);
	if (known < 0)
		return -1;
	if (!known && txn_add(txn, kind, id, plain, &full, err) < 0) {
		zs_store_block_free(txn, full);
		return txn_dead(txn, err);
	}
	*out_added = known ? 0 : (uint32_t)plain.n;
	*out_full = full;
	return 0;
}

int zs_store_flush(struct zs_txn *txn, struct zs_block **out, struct zs_err *err)
{
	if (txn_check(txn, err) < 0)
		return -1;
	for (unsigned slot = 0; slot < BLOCK_SLOTS; slot++) {
		if (!txn->open[slot])
			continue;
		*out = txn->open[slot];
		txn->open[slot] = NULL;
		return 1;
	}
	return 0;
}

/* -------------------------------------------------------------------- append */

static int txn_publish_index(struct zs_txn *txn, struct zs_err *err)
{
	struct zs_name name;

	if (txn->object.pack_count == 0)
		return 0;
	if (sync_publish(txn->st, &txn->object, &name, err) < 0 || zs_names_add(&txn->published, &name, err) < 0)
		return -1;
	pthread_mutex_lock(&txn->lock);
	for (uint32_t i = 0; i < txn->object.pack_count; i++) {
		const struct zs_pack_dir *dir = &txn->object.packs[i].dir;

		for (uint32_t k = 0; k < dir->chunk_count; k++)
			pending_remove(&txn->pending, &dir->chunks[k].id);
	}
	txn->generation++;
	pthread_mutex_unlock(&txn->lock);
	zs_index_object_fini(&txn->object);
	memset(&txn->object, 0, sizeof(txn->object));
	txn->object_chunks = 0;
	return 0;
}

static int txn_object_grown(struct zs_txn *txn, const struct zs_index_pack *row, struct zs_err *err)
{
	txn->object_chunks += row->dir.chunk_count;
	if (txn->object.pack_count < STORE_INDEX_PACKS && txn->object_chunks < STORE_INDEX_CHUNKS)
		return 0;
	return txn_publish_index(txn, err);
}

static int txn_finish_pack(struct zs_txn *txn, struct zs_err *err)
{
	struct zs_index_pack row = {0}, *added;

	/* The row joins the object only when the backend has acknowledged the pack. */
	if (pack_writer_finish(&txn->writer_pack, &row, err) < 0)
		return -1;
	if (zs_index_object_add(&txn->object, &added, err) < 0) {
		zs_pack_dir_fini(&row.dir);
		return -1;
	}
	row.writer = txn->writer;
	*added = row;
	return txn_object_grown(txn, added, err);
}

int txn_adopt(struct zs_txn *txn, struct zs_index_pack *row, struct zs_err *err)
{
	struct zs_index_pack *added;

	if (txn_check(txn, err) < 0 || zs_index_object_add(&txn->object, &added, err) < 0) {
		zs_pack_dir_fini(&row->dir);
		return txn_dead(txn, err);
	}
	*added = *row;
	memset(row, 0, sizeof(*row));
	return txn_object_grown(txn, added, err) < 0 ? txn_dead(txn, err) : 0;
}

/*
 * Is it time to finish the pack?  From its target size on, as soon as little padding is needed; a quarter above, in any
 * case.
 */
static int txn_pack_is_full(struct zs_txn *txn, struct zs_err *err)
{
	const struct pack_writer *w = &txn->writer_pack;
	uint64_t target = txn->st->config.pack_bytes, waste;

	if (w->stored_bytes >= target + target / 4 || w->dir.chunk_count >= STORE_PACK_CHUNKS)
		return 1;
	if (w->stored_bytes < target)
		return 0;
	if (pack_writer_waste(w, &waste, err) < 0)
		return -1;
	return waste <= target / 512;
}

static int txn_append(struct zs_txn *txn, const struct zs_block *b, struct zs_err *err)
{
	struct pack_writer *w = &txn->writer_pack;
	uint64_t before = w->put ? w->stored_bytes : 0;
	int full;

	if (pack_writer_block(w, txn->st, b, err) < 0)
		return -1;
	atomic_fetch_add(&txn->stored_bytes, w->stored_bytes - before);
	if ((full = txn_pack_is_full(txn, err)) <= 0)
		return full;
	before = w->stored_bytes;
	if (txn_finish_pack(txn, err) < 0)
		return -1;
	atomic_fetch_add(&txn->stored_bytes, w->stored_bytes - before);
	return 0;
}

int zs_store_append(struct zs_txn *txn, struct zs_block **b, struct zs_err *err)
{
	int rc;

	assert((*b)->is_pressed);
	rc = txn_check(txn, err);
	if (rc == 0 && txn_append(txn, *b, err) < 0)
		rc = txn_dead(txn, err);
	zs_store_block_free(txn, *b);
	*b = NULL;
	return rc;
}

int zs_store_publish(struct zs_txn *txn, struct zs_err *err)
{
	struct pack_writer *w = &txn->writer_pack;
	uint64_t before = w->stored_bytes;

	if (txn_check(txn, err) < 0)
		return -1;
	if (w->put) {
		if (txn_finish_pack(txn, err) < 0)
			return txn_dead(txn, err);
		atomic_fetch_add(&txn->stored_bytes, w->stored_bytes - before);
	}
	return txn_publish_index(txn, err) < 0 ? txn_dead(txn, err) : 0;
}

uint64_t zs_store_txn_stored_bytes(const struct zs_txn *txn)
{
	return atomic_load(&txn->stored_bytes);
}

/* ---------------------------------------------------------------- begin and end */

static void txn_free(struct zs_txn *txn)
{
	for (unsigned slot = 0; slot < BLOCK_SLOTS; slot++)
		zs_store_block_free(txn, txn->open[slot]);
	if (txn->view)
		zs_index_view_free(txn->view);
	zs_names_fini(&txn->condemned);
	zs_names_fini(&txn->published);
	zs_buf_fini(&txn->avoid);
	pending_fini(&txn->pending);
	block_pool_fini(&txn->pool);
	pack_writer_fini(&txn->writer_pack);
	zs_index_object_fini(&txn->object);
	pthread_mutex_destroy(&txn->lock);
	free(txn);
}

int zs_store_begin(struct zs_store *st, enum zs_session_role role, struct zs_txn **out, struct zs_err *err)
{
	struct zs_txn *txn;

	txn = calloc(1, sizeof(*txn));
	if (!txn)
		return zs_fail_nomem(err);
	txn->st = st;
	txn->role = (uint8_t)role;
	pthread_mutex_init(&txn->lock, NULL);
	if (client_id(st, &txn->writer, err) < 0 || sessions_announce(st, role, &txn->session, err) < 0) {
		txn_free(txn);
		return -1;
	}
	/* Announced first, then looked: whoever condemns after our look finds the session. */
	if (txn_refresh(txn, err) < 0) {
		objects_discard(st->be, ZS_OBJ_SESSION, &txn->session);
		txn_free(txn);
		return -1;
	}
	*out = txn;
	return 0;
}

int zs_store_commit(struct zs_txn **txn, struct zs_err *err)
{
	struct zs_store *st = (*txn)->st;
	struct zs_err ignored = {0};
	int rc;

	rc = zs_store_publish(*txn, err);
	if (objects_remove(st, ZS_OBJ_SESSION, &(*txn)->session, rc < 0 ? &ignored : err) < 0)
		rc = -1;
	txn_free(*txn);
	*txn = NULL;
	return rc;
}

void zs_store_abort(struct zs_txn **txn)
{
	struct zs_err ignored = {0};

	if (!*txn)
		return;
	/* What is packed is worth keeping: the next run finds it. */
	if (zs_store_publish(*txn, &ignored) < 0)
		zs_err_clear(&ignored);
	objects_discard((*txn)->st->be, ZS_OBJ_SESSION, &(*txn)->session);
	txn_free(*txn);
	*txn = NULL;
}

int zs_store_has_condemned(const struct zs_txn *txn)
{
	return txn->condemned.n > 0;
}

int zs_store_pack_condemned(const struct zs_txn *txn, uint32_t pack)
{
	struct zs_index_pack_info info;
	struct zs_err err = {0};

	/* A pack that cannot be looked up is not one to rely on. */
	return zs_index_pack_info(txn->st->index, pack, &info, &err) < 0 || zs_names_has(&txn->condemned, &info.name);
}
