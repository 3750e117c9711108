/*
 * base's own: the three parts of the external sorter.  A record is key length u32, value length u32, key, value, both
 * in memory and in the spill file.
 */
#ifndef BASE_PRIVATE_H
#define BASE_PRIVATE_H

#include "zstore/base.h"

#define RECORD_HEADER 8
#define RECORD_MAX ((size_t)1 << 20) /* key + value */

/* A record that is in memory, with the front of its key as a number that compares as the key does. */
struct record {
	uint64_t prefix;
	const uint8_t *p;
};

static inline size_t record_key_bytes(const uint8_t *p)
{
	return zs_get_u32(p);
}

static inline size_t record_bytes(const uint8_t *p)
{
	return RECORD_HEADER + (size_t)zs_get_u32(p) + zs_get_u32(p + 4);
}

uint64_t sorter_file_prefix(struct zs_span key);
/* <0, 0, >0 by key alone */
int sorter_file_cmp(const struct record *a, const struct record *b);

/* Sorted runs in one anonymous file, each [start, end); written one after the other through a buffer. */
struct run {
	uint64_t start, end;
};
struct run_file {
	int fd; /* -1: nothing was spilled yet */
	struct run *runs;
	size_t run_count, run_cap;
	size_t record_max; /* the longest record in it, header included */
	uint64_t end, run_start; /* bytes in the file or in the buffer; where the open run began */
	uint8_t *out; /* borrowed */
	size_t out_n, out_cap;
};

/* Open the file if it is not open yet, and begin a run. */
int sorter_file_begin(struct run_file *f, const char *tmp_dir, struct zs_err *err) ZS_MUST_USE;
int sorter_file_add(struct run_file *f, const uint8_t *record, struct zs_err *err) ZS_MUST_USE;
/* End the run; it becomes number `at`, in place of `replaced` runs from there on. */
int sorter_file_end(struct run_file *f, size_t at, size_t replaced, struct zs_err *err) ZS_MUST_USE;
void sorter_file_fini(struct run_file *f);

/* Merging of neighbouring runs: a heap of cursors, each with its slice of memory. */
struct cursor;
struct merge {
	const struct run_file *file;
	struct cursor *cursors; /* a heap: the least record first */
	size_t cursor_count;
	int started;
};

/* Runs first .. first + n - 1.  The memory is borrowed: at least n times file->record_max bytes. */
int sorter_merge_init(struct merge *m, const struct run_file *f, size_t first, size_t n, struct zs_buf memory,
    struct zs_err *err) ZS_MUST_USE;
/* 1 and a record, borrowed until the next call; 0; -1 */
int sorter_merge_next(struct merge *m, const uint8_t **out_record, struct zs_err *err) ZS_MUST_USE;
void sorter_merge_fini(struct merge *m);

#endif
