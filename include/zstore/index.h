/*
 * index: chunk id -> location, in LMDB, local, derived and disposable.  A base
 * built by appending sorted runs, and a small delta.  It remembers which index
 * objects it has consumed.  It can be wrong only in ways that cost time or
 * space: whoever reads a chunk proves its id.
 */
#ifndef ZSTORE_INDEX_H
#define ZSTORE_INDEX_H

#include "zstore/base.h"
#include "zstore/format.h"

struct zs_index;
struct zs_index_view; /* one thread's lookups */

struct zs_location {
	uint32_t pack;		 /* ordinal: see zs_index_pack_info */
	uint32_t block;		 /* number within the pack */
	uint64_t block_offset;	 /* in the pack object */
	uint32_t block_stored;	 /* sealed length */
	uint32_t chunk_offset;	 /* in the block's plain bytes */
	uint32_t chunk_bytes;
	uint32_t chunk_number;	 /* within the pack: pack first_bit + this = the chunk's bit */
	uint8_t kind;
};
struct zs_index_pack_info {
	struct zs_name name, writer;
	uint8_t tag[32];
	uint64_t stored_bytes;
	uint32_t block_count, chunk_count;
	uint64_t first_bit;	 /* chunks of packs before it */
	int dead;		 /* no index object speaks of it any more */
};

/*
 * Open or create below dir (private to this repository id).  A damaged, foreign (other repo_id, other version) or
 * unclean index is thrown away and begun anew: *out_fresh = 1.
 * (Beside processes that have it open, in a directory of its own until it is closed.)  One that this process has open
 * already is shared; a child of fork opens it for itself.  0, or -1: ZS_SYSTEM, ZS_NOMEM.
 */
int zs_index_open(const char *dir, const struct zs_name *repo_id, struct zs_index **out, int *out_fresh,
    struct zs_err *err) ZS_MUST_USE;
void zs_index_close(struct zs_index *ix);
/* The next zs_index_open (when nobody has it open any more) begins anew; who has it open now is not disturbed. */
int zs_index_discard(const char *dir, struct zs_err *err) ZS_MUST_USE;

/* 1 if this index object has been consumed, 0, -1. */
int zs_index_knows(struct zs_index *ix, const struct zs_name *index_object, struct zs_err *err) ZS_MUST_USE;
/* Consume one (consuming it again is no error); one LMDB transaction: all or nothing.  Serialised between threads and
 * processes. */
int zs_index_consume(struct zs_index *ix, const struct zs_name *index_object, const struct zs_index_object *content,
    struct zs_err *err) ZS_MUST_USE;
/* These are all the index objects that exist now: forget the others; packs that no remaining one names are dead, and
 * their chunks absent. */
int zs_index_retain(struct zs_index *ix, const struct zs_names *existing, struct zs_err *err) ZS_MUST_USE;
/* As retain, but what was consumed after the epoch was taken (before listing) stays: another thread or process may have
 * published and consumed while we listed. */
uint64_t zs_index_epoch(struct zs_index *ix);
int zs_index_retain_since(struct zs_index *ix, uint64_t epoch, const struct zs_names *existing,
    struct zs_err *err) ZS_MUST_USE;
/* Fold the delta into a new base if that is worth it, nobody else has the index open and no view exists; else nothing.
 * Ordinals and bits stay.  tmp_dir for sorting. */
int zs_index_merge(struct zs_index *ix, const char *tmp_dir, struct zs_err *err) ZS_MUST_USE;

/* A view: one thread's way to ask.  Sees what had been consumed when it was made. */
int zs_index_view_new(struct zs_index *ix, struct zs_index_view **out, struct zs_err *err) ZS_MUST_USE;
void zs_index_view_free(struct zs_index_view *v);
/* See what has been consumed since (cheap if nothing).  */
int zs_index_view_refresh(struct zs_index_view *v, struct zs_err *err) ZS_MUST_USE;
/*
 * Where is this chunk?  Several packs may hold it: those that are dead, or set in `avoid` (a bitmap by pack ordinal of
 * avoid_packs bits, bit o % 8 of byte o / 8, may be NULL), do not count; the lowest ordinal wins.
 * 1 found, 0 absent, -1.
 */
int zs_index_get(struct zs_index_view *v, const struct zs_id *id, const uint8_t *avoid, uint32_t avoid_packs,
    struct zs_location *out, struct zs_err *err) ZS_MUST_USE;

uint32_t zs_index_pack_count(struct zs_index *ix); /* ordinals are 0 .. count-1 */
int zs_index_pack_info(struct zs_index *ix, uint32_t ordinal, struct zs_index_pack_info *out,
    struct zs_err *err) ZS_MUST_USE;
/* 1 and the ordinal, 0, -1 */
int zs_index_pack_find(struct zs_index *ix, const struct zs_name *pack, uint32_t *out_ordinal,
    struct zs_err *err) ZS_MUST_USE;
uint64_t zs_index_chunk_total(struct zs_index *ix); /* sum over all packs, dead ones included: bits of a mark bitmap */
/* Index objects that name this pack, appended. */
int zs_index_objects_of_pack(struct zs_index *ix, const struct zs_name *pack, struct zs_names *out,
    struct zs_err *err) ZS_MUST_USE;

#endif
