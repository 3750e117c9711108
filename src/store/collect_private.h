/* What the files of the collector share.  store_private.h comes with it. */
#ifndef ZSTORE_COLLECT_PRIVATE_H
#define ZSTORE_COLLECT_PRIVATE_H

#include "store_private.h"

struct collect_object { struct zs_name name; uint64_t bytes; };
struct collect_pack { /* by ordinal of the local index */
	struct zs_name name;
	uint64_t stored_bytes, first_bit;
	uint32_t chunk_count;
	uint8_t is_dead;     /* no index object names it */
	uint8_t is_lost;     /* one does, but it is missing or cut off */
	uint8_t is_measured; /* live_bytes and dead_bytes are known */
	uint8_t is_chosen;   /* to be repacked */
	uint64_t live_bytes, dead_bytes; /* of its sealed blocks */
};
struct zs_collector {
	struct zs_store *st;
	const struct zs_collect_settings *settings;
	struct zs_collect_report report;
	struct zs_txn *txn; /* NULL in a dry run */
	struct zs_index_view *view;

	uint8_t *live;	      /* a bit a chunk: this copy is needed */
	uint64_t live_bits;
	struct collect_pack *packs;
	uint32_t pack_count;
	uint8_t *avoid;	      /* a bit a pack: condemned or lost, so any other copy is preferred */

	struct collect_object *listing; /* packs that exist, sorted by name */
	size_t listing_count, listing_cap;
	struct zs_names marked;	 /* snapshots */
	struct zs_names others;	 /* sessions other than ours, sorted */
	struct zs_names orphans; /* packs that exist and that nobody can ever name */
	struct condemned_list lists;
	int is_relieved; /* the reserve was given back */
};

/* ---------------------------------------------------------------- collect.c */

int collect_bit(const uint8_t *bitmap, uint64_t n);
void collect_set(uint8_t *bitmap, uint64_t n);
/* 0, or -1 ZS_STOPPED */
int collect_go_on(const struct zs_collector *c, struct zs_err *err) ZS_MUST_USE;
void collect_progress(const struct zs_collector *c, const char *phase, uint64_t done, uint64_t total);
/* After a failure: 1 if it was a full disk and the reserve has been given back, so that it may be tried again. */
int collect_relieve(struct zs_collector *c, struct zs_err *err);

/* ----------------------------------------------------------- collect_look.c */

/* The packs that exist now. */
int collect_look_packs(struct zs_collector *c, struct zs_err *err) ZS_MUST_USE;
/* One of them, or NULL. */
const struct collect_object *collect_look_listed(const struct zs_collector *c, const struct zs_name *pack);
/* Sessions other than ours; those known dead are ended.  is_first: ZS_BUSY if one of them is a prune. */
int collect_look_sessions(struct zs_collector *c, int is_first, struct zs_err *err) ZS_MUST_USE;
/* Sync (any damaged index object is an error), the table of packs and the bitmaps made as long as need be. */
int collect_look_sync(struct zs_collector *c, struct zs_err *err) ZS_MUST_USE;
int collect_look_grow(struct zs_collector *c, struct zs_err *err) ZS_MUST_USE; /* without syncing */
/* Condemned lists; their packs are avoided from now on. */
int collect_look_lists(struct zs_collector *c, struct zs_err *err) ZS_MUST_USE;
/* Packs that are named but missing or cut off; they are avoided from now on. */
int collect_look_lost(struct zs_collector *c, struct zs_err *err) ZS_MUST_USE;
/* All snapshots that there are, then a sync, then marks those that are not marked yet. */
int collect_look_snapshots(struct zs_collector *c, struct zs_err *err) ZS_MUST_USE;
uint32_t collect_look_live(const struct zs_collector *c, const struct collect_pack *p);

/* ----------------------------------------------------------- collect_plan.c */

/* Live and dead bytes of every pack, and which are chosen. */
int collect_plan(struct zs_collector *c, struct zs_err *err) ZS_MUST_USE;

/* --------------------------------------------------------- collect_repack.c */

/* Copy what is live of the chosen packs; their names are appended to *out, and they are avoided from now on. */
int collect_repack(struct zs_collector *c, struct zs_names *out, struct zs_err *err) ZS_MUST_USE;

/* ---------------------------------------------------------- collect_sweep.c */

/* Condemn these packs (may be none), look for sessions, and delete whatever no session can rely on any more. */
int collect_sweep(struct zs_collector *c, const struct zs_names *packs, struct zs_err *err) ZS_MUST_USE;

/* --------------------------------------------------------- collect_delete.c */

/* Delete these packs (sorted, proven unneeded): from the index objects first. */
int collect_delete(struct zs_collector *c, const struct zs_names *doomed, struct zs_err *err) ZS_MUST_USE;

#endif
