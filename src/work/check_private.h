/*
 * What the parts of a check share.  Findings reach the caller in one order whatever the number of threads: those of a
 * phase that runs in parallel go through its pipeline's sink, also those that the visiting thread itself makes.
 */
#ifndef CHECK_PRIVATE_H
#define CHECK_PRIVATE_H

#include "zstore/mail.h"
#include "zstore/pipeline.h"
#include "zstore/work.h"

#define CHECK_CACHE_BYTES (4u << 20) /* of each reader */
#define CHECK_BAD_MAX 1000

/* What a finding is about, so that other snapshots that share it can be named. */
enum check_about { CHECK_OTHER, CHECK_FILE, CHECK_NODE };

struct check_finding {
	enum check_about about;
	size_t snapshot;               /* FILE, NODE: the first that has it; number in the list */
	struct zs_id node;             /* FILE: the leaf; NODE: itself */
	size_t path_bytes, text_bytes; /* both follow the struct in a buffer */
};

struct check_bad { /* a finding that was reported, remembered */
	enum check_about about;
	size_t snapshot;
	struct zs_id node;
	char *path;
};

enum check_task { CHECK_SAY, CHECK_PACK, CHECK_FILL, CHECK_JOIN };

/* Work for another thread and then its outcome. */
struct check_job {
	enum check_task task;
	size_t from, to;       /* FILL, JOIN: part of the batch */
	uint32_t pack;         /* PACK */
	uint64_t bytes, files; /* that were read */
	struct zs_buf findings;
	unsigned more; /* findings that were not kept */
};

struct check {
	struct zs_store *store;
	const struct zs_check_settings *settings;
	struct zs_check_report *report;
	struct zs_snapshot_list snapshots;
	struct zs_store_reader *reader;
	struct zs_index_view *view;
	uint8_t *missing; /* a bit a pack: its object is not there, or of another size */
	uint32_t packs;
	uint8_t *seen; /* a bit a chunk: node that was visited */
	uint64_t chunks;
	struct zs_pipeline *joining; /* while files are reassembled, */
	struct check_join *join;     /* in batches */
	/* the visit */
	size_t snapshot;
	struct zs_id node; /* the one that was entered last, and its bytes */
	struct zs_buf plain;
	struct zs_buf not_dir; /* path of the last entry, unless that is a directory */
	uint64_t chunks_gone; /* of one entry */
	struct zs_id first_gone;
	/* the sink's */
	struct check_bad *bad;
	size_t bad_count;
	int bad_lost;
	struct zs_progress progress;
};

/* ------------------------------------------------------------------- check.c */

struct check_job *check_job_new(void); /* NULL: no memory */
void check_job_free(void *ctx, void *job);
/* Put a finding into a job: its text is that of `why`. */
int check_job_find(struct check_job *job, const struct check_finding *f, struct zs_span path, const struct zs_err *why,
    struct zs_err *err) ZS_MUST_USE;
/* Report what a job has found (consumed): the sink of every pipeline here. */
int check_sink(void *ctx, void *job, struct zs_err *err);
/* Report one finding from the visiting thread. */
int check_say(struct check *c, const struct check_finding *f, struct zs_span path, const struct zs_err *why,
    struct zs_err *err) ZS_MUST_USE;
/* Is this about the repository (a finding), and not about us (the check cannot go on)? */
int check_is_finding(const struct zs_err *e);
int check_stopped(const struct check *c, struct zs_err *err);                         /* 0, or -1 ZS_STOPPED */
const char *check_label(const struct check *c, size_t snapshot, char out[static 24]); /* "snapshot 0123456789ab" */
/* 1 where a chunk is, in a pack that exists; 0; -1. */
int check_locate(struct check *c, const struct zs_id *id, struct zs_location *out, struct zs_err *err) ZS_MUST_USE;
/* The chunk's number of all: 1, or 0 if it came after the check began. */
int check_bit(struct check *c, const struct zs_location *at, uint64_t *out, struct zs_err *err) ZS_MUST_USE;

/* -------------------------------------------------------------- check_tree.c */

int check_trees(struct check *c, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------- check_packs.c */

unsigned check_workers(const struct check *c);
int check_packs(struct check *c, struct zs_err *err) ZS_MUST_USE;

/* -------------------------------------------------------------- check_join.c */

struct check_join;
int check_join_begin(struct check *c, struct zs_err *err) ZS_MUST_USE;
/* A chunk of the file that will be added next. */
void check_join_ref(struct check *c, const struct zs_id *id, const struct zs_location *at);
/* A file that is to be put together. */
int check_join_add(
    struct check *c, struct zs_span path, struct zs_span entry, uint64_t size, struct zs_err *err) ZS_MUST_USE;
int check_join_finish(struct check *c, struct zs_err *err) ZS_MUST_USE; /* the files that are still waiting */
int check_join_end(struct check *c, struct zs_err *err) ZS_MUST_USE;    /* always, also after a failed begin */

/* ------------------------------------------------------------ check_shared.c */

/* Name the other snapshots that have what was found to be damaged. */
int check_shared(struct check *c, struct zs_err *err) ZS_MUST_USE;

#endif
