/*
 * What the files of the store share: its structs, and the helpers that check and collect build on too.  Third-party
 * headers: pthread only.
 */
#ifndef ZSTORE_STORE_PRIVATE_H
#define ZSTORE_STORE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "zstore/store.h"

#define STORE_CHUNK_MAX (1u << 20)	 /* plain bytes of a chunk */
#define STORE_BLOCK_CHUNKS (1u << 15)	 /* chunks of a block: bounds what a block of tiny chunks costs */
#define STORE_PACK_CHUNKS (1u << 18)	 /* a pack that holds more is finished early */
#define STORE_INDEX_PACKS 4		 /* packs that share one index object at most */
#define STORE_INDEX_CHUNKS (1u << 19)	 /* an index object that holds more is published early */
#define STORE_SLOTS 64			 /* key slots of a repository */

/* A sealed block is no longer than this: the head and bytes that did not shrink. */
#define STORE_SEALED_MAX (ZS_BLOCK_MAX + ZS_BLOCK_HEAD + ZS_SEAL_TAG)

/* Part numbers in a pack: blocks count from 0, the three at the end are fixed, so that the trailer opens first. */
#define STORE_PART_PADDING (UINT64_MAX - 2)
#define STORE_PART_DIRECTORY (UINT64_MAX - 1)
#define STORE_PART_TRAILER UINT64_MAX

/* ------------------------------------------------------------------- open.c */

struct zs_store {
	struct zs_backend *be; /* borrowed */
	char *cache_dir, *tmp_dir;
	void (*warn)(void *ctx, const char *text);
	void *warn_ctx;
	struct zs_keyring *kr;
	struct zs_name repo_id;
	struct zs_config config;
	struct zs_name slot; /* that opened it */
	pthread_mutex_t sync_lock; /* guards index and warned; held while index objects come and go locally */
	struct zs_index *index;
	struct zs_names warned; /* damaged index objects that were already said */
};

/* Say something through settings.warn. */
void open_warn(const struct zs_store *st, const char *fmt, ...) ZS_PRINTF(2, 3);
/* cache_dir/<repo id>, made if need be, appended to *out with a NUL that is not counted.  -1: ZS_SYSTEM. */
int open_cache_path(const struct zs_store *st, const char *leaf, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;

/* ---------------------------------------------------------------- objects.c */

/* The box's magic of a type. */
const char *objects_magic(enum zs_object type);
/* Associated data of a box: type name || repo id || name, the last only for types with random names. */
int objects_context(const struct zs_name *repo_id, enum zs_object type, const struct zs_name *name, struct zs_buf *out,
    struct zs_err *err) ZS_MUST_USE;
/* Seal a record (INDEX, SNAPSHOT, SESSION, CONDEMNED, REMOVAL) and store it, durable on return. */
int objects_put(struct zs_store *st, enum zs_object type, struct zs_span plain, struct zs_name *out_name,
    struct zs_err *err) ZS_MUST_USE;
/* Read, check the name, open; appended to *out.  -1: ZS_NOTFOUND, ZS_IO, ZS_CORRUPT (also another repository's or
 * another object's), ZS_VERSION; the text names the object. */
int objects_get(struct zs_store *st, enum zs_object type, const struct zs_name *name, struct zs_buf *out,
    struct zs_err *err) ZS_MUST_USE;
/* Delete; one that is not there is fine. */
int objects_remove(struct zs_store *st, enum zs_object type, const struct zs_name *name,
    struct zs_err *err) ZS_MUST_USE;
/* Delete as far as possible: while cleaning up. */
void objects_discard(struct zs_backend *be, enum zs_object type, const struct zs_name *name);
/* All names of a type, sorted; *out starts empty. */
int objects_list(struct zs_backend *be, enum zs_object type, struct zs_names *out, struct zs_err *err) ZS_MUST_USE;
/* 1 if there is one at least, 0, -1. */
int objects_any(struct zs_backend *be, enum zs_object type, struct zs_err *err) ZS_MUST_USE;

/* ---------------------------------------------------------------- records.c */

/* Decoded by type: objects_get and the format's decoder.  *out starts empty. */
int records_get_index(struct zs_store *st, const struct zs_name *name, struct zs_index_object *out,
    struct zs_err *err) ZS_MUST_USE;
int records_get_snapshot(struct zs_store *st, const struct zs_name *name, struct zs_snapshot **out,
    struct zs_err *err) ZS_MUST_USE;
int records_get_session(struct zs_store *st, const struct zs_name *name, struct zs_session *out,
    struct zs_err *err) ZS_MUST_USE;
int records_get_condemned(struct zs_store *st, const struct zs_name *name, struct zs_condemned *out,
    struct zs_err *err) ZS_MUST_USE;
int records_get_removal(struct zs_store *st, const struct zs_name *name, struct zs_removal *out,
    struct zs_err *err) ZS_MUST_USE;
/* Encoded and put. */
int records_put_index(struct zs_store *st, const struct zs_index_object *o, struct zs_name *out_name,
    struct zs_err *err) ZS_MUST_USE;
int records_put_snapshot(struct zs_store *st, const struct zs_snapshot *s, struct zs_name *out_name,
    struct zs_err *err) ZS_MUST_USE;
int records_put_session(struct zs_store *st, const struct zs_session *s, struct zs_name *out_name,
    struct zs_err *err) ZS_MUST_USE;
int records_put_condemned(struct zs_store *st, const struct zs_condemned *c, struct zs_name *out_name,
    struct zs_err *err) ZS_MUST_USE;
int records_put_removal(struct zs_store *st, const struct zs_removal *r, struct zs_name *out_name,
    struct zs_err *err) ZS_MUST_USE;

/* -------------------------------------------------------------- condemned.c */

struct condemned_row { struct zs_name name; struct zs_condemned content; };
struct condemned_list { struct condemned_row *v; size_t n; };
/* All condemned lists.  One that vanishes meanwhile (its prune ended) is left out; any other trouble is an error. */
int condemned_load(struct zs_store *st, struct condemned_list *out, struct zs_err *err) ZS_MUST_USE;
void condemned_list_fini(struct condemned_list *l);
/* The packs of all lists, sorted, each once or more. */
int condemned_packs(const struct condemned_list *l, struct zs_names *out, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------------- sync.c */

enum sync_mode {
	SYNC_LENIENT, /* a damaged index object is said (once) and left out: its chunks count as absent */
	SYNC_STRICT,  /* it is an error: for whoever deletes */
};
int sync_index(struct zs_store *st, enum sync_mode mode, struct zs_err *err) ZS_MUST_USE;
/* The index names this pack: is it really missing, or cut off?  1; 0: it is whole, or was deleted with what named
 * it; -1. */
int sync_is_missing(struct zs_store *st, uint32_t ordinal, struct zs_err *err) ZS_MUST_USE;
/* Put an index object and consume it into the local index, in one go for zs_store_sync of other threads. */
int sync_publish(struct zs_store *st, const struct zs_index_object *o, struct zs_name *out_name,
    struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------------ packs.c */

/* A pack's header: opens its seal.  expect_tag: from the index, or NULL; another tag is ZS_CORRUPT (swapped packs). */
int packs_open_seal(struct zs_store *st, const struct zs_name *pack, const uint8_t *expect_tag,
    struct zs_pack_tag *out_tag, struct zs_pack_seal **out, struct zs_err *err) ZS_MUST_USE;
/* A pack's directory, read by its trailer; every length in it is proven against the object's size.  out_tag and
 * out_trailer may be NULL.  stored_bytes: size of the object. */
int packs_load_dir(struct zs_store *st, const struct zs_name *pack, uint64_t stored_bytes, struct zs_pack_dir *out,
    struct zs_pack_tag *out_tag, struct zs_pack_trailer *out_trailer, struct zs_err *err) ZS_MUST_USE;
/* Open the padding that the trailer tells of, and demand zeros. */
int packs_check_padding(struct zs_store *st, const struct zs_name *pack, const struct zs_pack_trailer *t,
    struct zs_err *err) ZS_MUST_USE;
/* An opened block part (head and payload): decompressed, appended to *out. */
int packs_unpack_block(struct zs_press *press, struct zs_span opened, struct zs_buf *out,
    struct zs_err *err) ZS_MUST_USE;

/* ----------------------------------------------------------- reader_cache.c */

struct reader_cache_block { /* one decoded block */
	struct reader_cache_block *newer, *older, *next; /* by use; within a bucket */
	uint32_t pack, block;
	struct zs_buf plain;
};
#define READER_CACHE_BUCKETS 256
struct reader_cache {
	struct reader_cache_block *buckets[READER_CACHE_BUCKETS], *newest, *oldest;
	size_t bytes, limit_bytes;
};
struct reader_cache_block *reader_cache_find(struct reader_cache *c, uint32_t pack, uint32_t block); /* NULL: no */
/* Memory for one more, taken from those least used once the cache is full. */
struct zs_buf reader_cache_spare(struct reader_cache *c);
/* *plain is consumed; the new block stays at least until the next call. */
int reader_cache_add(struct reader_cache *c, uint32_t pack, uint32_t block, struct zs_buf *plain,
    struct reader_cache_block **out, struct zs_err *err) ZS_MUST_USE;
void reader_cache_fini(struct reader_cache *c);

/* ----------------------------------------------------------------- reader.c */

/* The opened, still compressed block (head and payload), appended to *out: for copying it to another pack. */
int reader_open_block(struct zs_store_reader *r, const struct zs_location *at, struct zs_buf *out,
    struct zs_err *err) ZS_MUST_USE;
struct zs_store *reader_store(struct zs_store_reader *r);
struct zs_index_view *reader_view(struct zs_store_reader *r);
struct zs_press *reader_press(struct zs_store_reader *r);

/* ---------------------------------------------------------------- pending.c */

/* Ids that were stored but are not yet in the local index.  Volatile; its owner locks. */
struct pending_slot { struct zs_id id; uint8_t used; };
struct pending { struct pending_slot *v; size_t n, cap; };
/* 1 added, 0 was there, -1 */
int pending_add(struct pending *p, const struct zs_id *id, struct zs_err *err) ZS_MUST_USE;
int pending_has(const struct pending *p, const struct zs_id *id);
void pending_remove(struct pending *p, const struct zs_id *id); /* one that is not there is fine */
void pending_fini(struct pending *p);

/* ------------------------------------------------------------------ block.c */

#define BLOCK_POOL 16
/* Open blocks: one a kind, and one more each for attachments and files that are compressed already: among their like
 * they need no attempt, and the others compress the better. */
#define BLOCK_SLOTS (ZS_KINDS + 2)
unsigned block_slot(enum zs_kind kind, struct zs_span plain);
size_t block_limit(const struct zs_txn *txn, unsigned slot); /* plain bytes that a block of that slot takes */
struct block_pool { /* buffers that go round; guarded by zs_txn.lock */
	struct zs_buf v[BLOCK_POOL];
	size_t n;
};
struct zs_block {
	struct zs_txn *txn;
	uint8_t kind, is_pressed;
	struct zs_buf plain;	/* until it is pressed */
	struct zs_buf pressed;	/* head and payload, from then on */
	struct zs_pack_chunk *chunks;
	uint32_t chunk_count, chunks_cap;
};
int block_new(struct zs_txn *txn, enum zs_kind kind, struct zs_block **out, struct zs_err *err) ZS_MUST_USE;
int block_add(struct zs_block *b, const struct zs_id *id, struct zs_span plain, struct zs_err *err) ZS_MUST_USE;
/* A block that is pressed already (reader_open_block): for copying it as it is; then zs_store_append. */
int block_from_pressed(struct zs_txn *txn, enum zs_kind kind, const struct zs_pack_chunk *chunks, uint32_t chunk_count,
    struct zs_span pressed, struct zs_block **out, struct zs_err *err) ZS_MUST_USE;
void block_pool_fini(struct block_pool *p);

/* ------------------------------------------------------------ pack_writer.c */

struct pack_writer { /* the pack that is being written; append thread only */
	struct zs_put *put;
	struct zs_pack_seal *seal;
	struct zs_pack_tag tag;
	struct zs_namer *namer;
	struct zs_pack_dir dir;
	struct zs_buf sealed; /* scratch */
	uint64_t stored_bytes;
};
/* Append one sealed part; begins the pack if there is none. */
int pack_writer_block(struct pack_writer *w, struct zs_store *st, const struct zs_block *b,
    struct zs_err *err) ZS_MUST_USE;
/* Padding bytes that finishing now would cost. */
int pack_writer_waste(const struct pack_writer *w, uint64_t *out_bytes, struct zs_err *err) ZS_MUST_USE;
/* Padding, directory, trailer, commit; the row (name, tag, size, directory) goes to *out. */
int pack_writer_finish(struct pack_writer *w, struct zs_index_pack *out, struct zs_err *err) ZS_MUST_USE;
void pack_writer_fini(struct pack_writer *w); /* gives up a pack that is not finished */

/* -------------------------------------------------------------------- txn.c */

struct zs_txn {
	struct zs_store *st;
	uint8_t role; /* enum zs_session_role */
	struct zs_name session, writer;
	atomic_int dead;
	atomic_uint_fast64_t stored_bytes;

	/* intake thread */
	struct zs_index_view *view;
	uint64_t view_generation;
	struct zs_names condemned; /* packs that count as absent, sorted */
	struct zs_buf avoid;	   /* the same by ordinal; bit i is avoid.p[i / 8] >> (i % 8) & 1 */
	uint32_t avoid_packs;	   /* ordinals that it covers */
	uint32_t packs_seen;	   /* ordinals whose packs were seen to exist at the last txn_refresh */
	struct zs_block *open[BLOCK_SLOTS];

	/* both */
	pthread_mutex_t lock; /* guards pending, generation, pool, why_dead */
	struct zs_err why_dead;
	struct pending pending;
	uint64_t generation; /* index objects consumed; bumped together with the removal from pending */
	struct block_pool pool;

	/* append thread */
	struct pack_writer writer_pack;
	struct zs_index_object object; /* packs that are durable, not yet published */
	uint32_t object_chunks;
	struct zs_names published; /* index objects that this transaction made */
};
/* Treat a pack as absent (to be repacked) until the next txn_refresh.  Intake thread. */
int txn_avoid(struct zs_txn *txn, uint32_t ordinal, struct zs_err *err) ZS_MUST_USE;
/* Condemned lists and index read again: "fresh eyes".  Nothing may be pending. */
int txn_refresh(struct zs_txn *txn, struct zs_err *err) ZS_MUST_USE;
/* 0, or -1 ZS_BUSY: a pack that the index learnt of since the last txn_refresh is gone. */
int txn_new_packs_exist(struct zs_txn *txn, struct zs_err *err) ZS_MUST_USE;
/* A durable pack that no index object names yet: its row (consumed) joins the next index object. */
int txn_adopt(struct zs_txn *txn, struct zs_index_pack *row, struct zs_err *err) ZS_MUST_USE;

/* --------------------------------------------------------------- sessions.c */

int sessions_announce(struct zs_store *st, enum zs_session_role role, struct zs_name *out_name,
    struct zs_err *err) ZS_MUST_USE;
int sessions_stands(struct zs_store *st, const struct zs_name *session, struct zs_err *err) ZS_MUST_USE; /* 1, 0, -1 */
int sessions_is_dead(const struct zs_session *s); /* 1: its process is known to be gone, and it was on this host */

/* -------------------------------------------------------------- snapshots.c */

struct snapshots_removed { /* of all removal records */
	struct zs_names names; /* sorted */
	uint64_t highest_sequence;
	size_t damaged; /* records that could not be read: each was said; whoever deletes must not go on */
};
int snapshots_removed_load(struct zs_store *st, struct snapshots_removed *out, struct zs_err *err) ZS_MUST_USE;
void snapshots_removed_fini(struct snapshots_removed *r);
/* All snapshots that are there, sorted as zs_store_snapshots says; nothing is compared with the past. */
int snapshots_load(struct zs_store *st, struct zs_snapshot_list *out, struct zs_names *out_damaged,
    struct zs_err *err) ZS_MUST_USE;

/* ---------------------------------------------------------------- lineage.c */

/* Does the list go on from what this client saw, and does each snapshot's past exist?  Says what does not, remembers
 * the newest.  damaged: snapshots that are there but cannot be read; may be NULL. */
int lineage_check(struct zs_store *st, const struct zs_snapshot_list *l, const struct zs_names *damaged,
    struct zs_err *err) ZS_MUST_USE;
/* Fill what places a new snapshot after all others: sequence, previous, newest_seen. */
int lineage_place(struct zs_store *st, struct zs_snapshot *s, struct zs_err *err) ZS_MUST_USE;
/* Remember one's own new snapshot; best effort. */
void lineage_remember(struct zs_store *st, const struct zs_name *name, const struct zs_snapshot *s);

/* ---------------------------------------------------------------- history.c */

/* What this client saw last of each host. */
struct history_row { struct zs_name name; uint64_t sequence; struct zs_buf host; };
struct history { struct history_row *v; size_t n; };
/* A file that cannot be read is an empty memory. */
int history_load(const struct zs_store *st, struct history *out, struct zs_err *err) ZS_MUST_USE;
int history_note(struct history *h, const struct zs_name *name, const struct zs_snapshot *s,
    struct zs_err *err) ZS_MUST_USE;
/* As far as possible: the cache may be read-only. */
void history_save(const struct zs_store *st, const struct history *h);
void history_fini(struct history *h);

/* ----------------------------------------------------------------- client.c */

/* This client's random id, made on first use: cache_dir/writer. */
int client_id(const struct zs_store *st, struct zs_name *out, struct zs_err *err) ZS_MUST_USE;

/* ----------------------------------------------------------------- slots.c */

/* Wrap the keys for this secret and store the slot. */
int slots_create(struct zs_backend *be, const struct zs_name *repo_id, const struct zs_keyring *kr,
    const struct zs_secret *secret, const char *label, struct zs_name *out_name, struct zs_err *err) ZS_MUST_USE;
/* Try every slot of the secret's type; fills *kr.  -1: ZS_KEY, ZS_CORRUPT, ZS_IO. */
int slots_unlock(struct zs_backend *be, const struct zs_name *repo_id, const struct zs_secret *secret,
    struct zs_keyring *kr, struct zs_name *out_slot, struct zs_err *err) ZS_MUST_USE;

/* --------------------------------------------------------------- recovery.c */

/* A code as typed to its normal form (no dashes, digits unambiguous), appended to *out.  -1: ZS_KEY (mistyped). */
int recovery_normal(struct zs_span typed, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;

#endif
