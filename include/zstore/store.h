/*
 * store: chunks in blocks in packs.  Opening and making a repository, key slots,
 * write transactions, reading chunks, snapshots, sessions, collecting garbage.
 * Knows chunks and snapshots, not trees, files or messages.
 */
#ifndef ZSTORE_STORE_H
#define ZSTORE_STORE_H

#include "zstore/backend.h"
#include "zstore/base.h"
#include "zstore/codec.h"
#include "zstore/format.h"
#include "zstore/index.h"

struct zs_store;

struct zs_store_settings {
	const char *cache_dir; /* everything of ours on this host; the repository's part is cache_dir/<repo id>/ */
	const char *tmp_dir;   /* for sorting */
	/* A thing the user should know (a repository that went back in time, a stale session removed).  May be NULL. */
	void (*warn)(void *ctx, const char *text);
	void *warn_ctx;
};

/*
 * A way to prove oneself: passphrase text, key file content (at least 32 bytes), or recovery code as typed.
 * ops, mem_kib: Argon2id cost of a slot made with it; 0: what suits its type.  Tests choose less.  Unused for opening.
 */
struct zs_secret { enum zs_slot_secret type; struct zs_span bytes; uint32_t ops, mem_kib; };

/* ----------------------------------------------------------- making, opening */

/* What init uses unless told otherwise: sizes by kind, level; made now. */
void zs_store_config_default(struct zs_config *out);
/*
 * Make a repository in an empty backend: key slots first, config object last (its presence makes the repository).
 *   label          of the first slot
 *   out_recovery   NULL: no recovery slot; else the code, e.g. "XXXXX-XXXXX-...": shown once, wiped by the caller
 * The backend is borrowed.
 */
int zs_store_init(struct zs_backend *be, const struct zs_config *config, const struct zs_secret *secret, const char *label,
    struct zs_buf *out_recovery, struct zs_err *err) ZS_MUST_USE;
/*
 * Open.  -1: ZS_NOTFOUND (no config: no repository), ZS_VERSION, ZS_KEY (no slot fits, or no slot at all of that type),
 * ZS_CORRUPT (half copied ...).  be is borrowed until free.  Does not touch the index yet.
 */
int zs_store_open(struct zs_backend *be, const struct zs_secret *secret, const struct zs_store_settings *settings,
    struct zs_store **out, struct zs_err *err) ZS_MUST_USE;
void zs_store_free(struct zs_store *st);

/* Borrowed until free. */
const struct zs_config *zs_store_config(const struct zs_store *st);
const struct zs_keyring *zs_store_keyring(const struct zs_store *st);
const struct zs_name *zs_store_repo_id(const struct zs_store *st);
struct zs_backend *zs_store_backend(struct zs_store *st);
const char *zs_store_tmp_dir(const struct zs_store *st);
/* Bring the local index up to the index objects that exist now (opens it on first use).  Called by begin and by
 * reader_new; safe to call again. */
int zs_store_sync(struct zs_store *st, struct zs_err *err) ZS_MUST_USE;
struct zs_index *zs_store_index(struct zs_store *st); /* NULL before the first sync */
/* Throw the local index away and build it again from index objects; from_packs: from the packs themselves (reads
 * their directories). */
int zs_store_reindex(struct zs_store *st, int from_packs, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------------ key slots */

/* Slots by name; current: opened the store.  add: a slot for another secret, full role; label: at most 63 bytes. */
struct zs_slot_info { struct zs_name name; char label[64]; uint8_t secret, role; uint64_t created_ns; int current; };
struct zs_slot_list { struct zs_slot_info *v; size_t n; };
int zs_store_slots(struct zs_store *st, struct zs_slot_list *out, struct zs_err *err) ZS_MUST_USE;
void zs_slot_list_fini(struct zs_slot_list *l);
int zs_store_slot_add(struct zs_store *st, const struct zs_secret *secret, const char *label, struct zs_name *out_name, struct zs_err *err) ZS_MUST_USE;
/* ZS_USAGE: it is the last slot. */
int zs_store_slot_remove(struct zs_store *st, const struct zs_name *slot, struct zs_err *err) ZS_MUST_USE;
/* New slot with the label of the one that opened the store, then the old one is removed. */
int zs_store_slot_passwd(struct zs_store *st, const struct zs_secret *secret, struct zs_name *out_name, struct zs_err *err) ZS_MUST_USE;
/* A fresh recovery code: its text appended to *out, usable as ZS_SECRET_RECOVERY (dashes, blanks, case ignored). */
int zs_store_recovery_code(struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;

/* -------------------------------------------------------------------- reading */

struct zs_store_reader; /* one thread's: an index view, decoded blocks (least recently used go first), codec contexts */
int zs_store_reader_new(struct zs_store *st, size_t cache_bytes, struct zs_store_reader **out, struct zs_err *err) ZS_MUST_USE;
void zs_store_reader_free(struct zs_store_reader *r);
/*
 * A chunk's plain bytes, its id proven; borrowed until the next call with this reader.  Where the index is behind
 * (absent, or the pack is gone: somebody pruned) it is synced once and asked again.
 * -1: ZS_CORRUPT (damaged, or nowhere: both name the chunk), ZS_IO, ZS_NOMEM.
 */
int zs_store_read(struct zs_store_reader *r, const struct zs_id *id, struct zs_span *out, struct zs_err *err) ZS_MUST_USE;
/* 1 where, 0 absent (after one sync), -1. */
int zs_store_locate(struct zs_store_reader *r, const struct zs_id *id, struct zs_location *out, struct zs_err *err) ZS_MUST_USE;
/* One whole block, opened and decompressed, appended to *out; ids are not proven: zs_store_prove does it.
 * ZS_NOTFOUND if its pack is gone (the caller may sync and locate again). */
int zs_store_read_block(struct zs_store_reader *r, const struct zs_location *at, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* 0, or -1 ZS_CORRUPT: these bytes are not the chunk. Thread safe. */
int zs_store_prove(const struct zs_store *st, const struct zs_id *id, struct zs_span plain, struct zs_err *err) ZS_MUST_USE;

/* -------------------------------------------------------------------- writing */

/*
 * A write transaction: announces its session, reads the condemned lists (their packs count as absent), syncs.
 * Three roles, each at home in one thread at a time: intake (put, flush), press (any number of threads), append (in
 * the order in which put and flush handed the blocks over).  After -1 with ZS_IO, ZS_NOSPACE, ZS_SYSTEM, ZS_NOMEM the
 * transaction is dead: only zs_store_abort.
 */
struct zs_txn;
struct zs_block; /* a full block on its way to a pack */
int zs_store_begin(struct zs_store *st, enum zs_session_role role, struct zs_txn **out, struct zs_err *err) ZS_MUST_USE;
/* Was any pack condemned when the session began?  Then a chunk that is taken over without zs_store_put must be shown to
 * lie in a pack that was not: zs_store_pack_condemned with its location's ordinal.  Both from any thread. */
int zs_store_has_condemned(const struct zs_txn *txn);
int zs_store_pack_condemned(const struct zs_txn *txn, uint32_t pack);
/* Would this chunk have to be stored?  1 known, 0 new.  Intake thread. */
int zs_store_has(struct zs_txn *txn, const struct zs_id *id, struct zs_err *err) ZS_MUST_USE;
/*
 * Store one chunk unless it is known.  plain: 1 .. ZS_CHUNK_MAX bytes, borrowed.  *out_added: bytes added, 0 if known.
 * *out_full: a block that became full, to be pressed and appended, or NULL; owned by the caller.
 */
int zs_store_put(struct zs_txn *txn, enum zs_kind kind, const struct zs_id *id, struct zs_span plain,
    uint32_t *out_added, struct zs_block **out_full, struct zs_err *err) ZS_MUST_USE;
/* The next open block, whatever its fill: 1 with *out, 0 if there is none left, -1. */
int zs_store_flush(struct zs_txn *txn, struct zs_block **out, struct zs_err *err) ZS_MUST_USE;
/* Compress and verify.  Any thread; press is that thread's. level < 0: the repository's default. */
int zs_store_block_press(struct zs_block *b, struct zs_press *press, int level, struct zs_err *err) ZS_MUST_USE;
/* Seal and write (consumed).  When a pack is full it is made durable; its index object is published and consumed
 * into the local index, so that a later run finds what is stored even if this one dies. */
int zs_store_append(struct zs_txn *txn, struct zs_block **b, struct zs_err *err) ZS_MUST_USE;
void zs_store_block_free(struct zs_txn *txn, struct zs_block *b); /* one that will not be appended */
size_t zs_store_block_weight(const struct zs_block *b);		   /* memory it holds */
/* Everything appended so far is durable and indexed.  No block may be open or in flight.  Append thread. */
int zs_store_publish(struct zs_txn *txn, struct zs_err *err) ZS_MUST_USE;
/*
 * Publish, then make the snapshot: fills previous, newest_seen, sequence, writer; checks the session before and after.
 * If the session was ended by somebody: `prove` (given by the caller) must show that all that the snapshot refers
 * to is there (zs_store_has with fresh eyes); if not, the snapshot is withdrawn and -1 ZS_BUSY.
 */
typedef int zs_store_prove_fn(void *ctx, struct zs_txn *txn, const struct zs_snapshot *s, struct zs_err *err);
int zs_store_snapshot_put(struct zs_txn *txn, struct zs_snapshot *s, zs_store_prove_fn *prove, void *ctx,
    struct zs_name *out_name, struct zs_err *err) ZS_MUST_USE;
/* End the session.  0, or -1 (the session object stays behind; prune on this host will see that we are dead). */
int zs_store_commit(struct zs_txn **txn, struct zs_err *err) ZS_MUST_USE;
/* Give up: finishes the current pack if it can (so the next run finds it), ends the session.  NULL is fine. */
void zs_store_abort(struct zs_txn **txn);
uint64_t zs_store_txn_stored_bytes(const struct zs_txn *txn); /* sealed bytes written so far; any thread */

/* ------------------------------------------------------------------ snapshots */

struct zs_snapshot_row { struct zs_name name; struct zs_snapshot *snapshot; };
struct zs_snapshot_list { struct zs_snapshot_row *v; size_t n; };
/*
 * All snapshots, oldest first (sequence, then time, then name).  A damaged one is an error that names it, unless
 * out_damaged is given, then it is listed there.  Also compares with what this client saw last: a snapshot that is
 * gone without a removal record is said through `warn`.
 */
int zs_store_snapshots(struct zs_store *st, struct zs_snapshot_list *out, struct zs_names *out_damaged, struct zs_err *err) ZS_MUST_USE;
void zs_snapshot_list_fini(struct zs_snapshot_list *l);
/* Removal record, then the snapshots themselves.  Their data stay until the next collect. */
int zs_store_forget(struct zs_store *st, const struct zs_names *snapshots, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------------- sessions */

struct zs_session_row { struct zs_name name; struct zs_session session; int is_dead; }; /* dead: known gone on this host */
struct zs_session_list { struct zs_session_row *v; size_t n; };
int zs_store_sessions(struct zs_store *st, struct zs_session_list *out, struct zs_err *err) ZS_MUST_USE;
void zs_session_list_fini(struct zs_session_list *l);
int zs_store_session_end(struct zs_store *st, const struct zs_name *session, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------------ collecting */

struct zs_collector;
/* 1 this chunk was not marked before, 0 it was, -1: ZS_CORRUPT (a kept snapshot refers to a chunk that is nowhere:
 * the collection is off), ZS_IO. */
int zs_collector_mark(struct zs_collector *c, const struct zs_id *id, struct zs_err *err) ZS_MUST_USE;
struct zs_collect_settings {
	int dry_run;
	uint64_t max_unused_bytes;  /* dead bytes that may stay; UINT64_MAX: repack nothing */
	unsigned max_unused_percent; /* of what is used; the smaller of both counts */
	uint64_t max_repack_bytes;  /* UINT64_MAX: no limit */
	const struct zs_names *forgotten; /* dry run: snapshots to treat as gone; may be NULL */
	/* Mark everything that the snapshot refers to, by zs_collector_mark; called once per kept snapshot, and again for
	 * those that appear while the collection runs. */
	int (*mark)(void *ctx, struct zs_collector *c, const struct zs_snapshot *s, struct zs_err *err);
	/* May be NULL: progress in plain bytes of whatever is going on. */
	void (*progress)(void *ctx, const char *phase, uint64_t done, uint64_t total);
	/* Asked between steps; nonzero: stop with ZS_STOPPED at a safe point.  May be NULL. */
	int (*stop)(void *ctx);
	void *ctx;
};
struct zs_collect_report {
	uint64_t packs_total, bytes_total, bytes_live;	/* stored bytes */
	uint64_t packs_deleted, bytes_deleted;		/* this run */
	uint64_t packs_repacked, bytes_repacked;
	uint64_t packs_condemned, bytes_condemned;	/* left for a later prune, because of sessions */
	uint64_t bytes_unused;				/* dead bytes that stay in packs */
	struct zs_names sessions;			/* that are in the way */
};
/*
 * Free what no snapshot needs: design section 11.  ZS_BUSY if another prune is at work.  Any doubt (a listing, reading or
 * parsing error) is an error before anything is deleted.
 */
int zs_store_collect(struct zs_store *st, const struct zs_collect_settings *settings, struct zs_collect_report *out, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------------- checking */

/* A finding: names the object and what is wrong.  -1 stops. */
typedef int zs_finding_fn(void *ctx, const char *text);
/*
 * Objects and index, without reading packs: every key slot, index object, session, condemned list, removal record
 * parses and is authentic; every pack that the index names exists with its size; packs that no index object names are
 * counted in *out_unreferenced (no finding: a crash may leave them).  -1 only if the check itself cannot go on.
 */
int zs_store_check_objects(struct zs_store *st, zs_finding_fn *fn, void *ctx, uint64_t *out_unreferenced, struct zs_err *err) ZS_MUST_USE;
/* One pack in full: name, seals, decompression, every chunk's id, directory against the index.  Findings through fn.
 * One reader a thread. */
int zs_store_check_pack(struct zs_store_reader *r, uint32_t ordinal, zs_finding_fn *fn, void *ctx, uint64_t *out_bytes, struct zs_err *err) ZS_MUST_USE;

/* Sum of sizes and number of objects by type, for stats. */
struct zs_store_sizes { uint64_t objects[ZS_OBJECTS], bytes[ZS_OBJECTS]; uint64_t chunks, plain_bytes; };
int zs_store_sizes(struct zs_store *st, struct zs_store_sizes *out, struct zs_err *err) ZS_MUST_USE;

#endif
