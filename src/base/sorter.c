/*
 * External merge sort.  Records gather in one arena, from its start, their references from its end; a full arena is
 * sorted and spilled as a run, and in the end the same arena holds the merge's read buffers.  More runs than that
 * allows are merged in several passes.
 */
#include "base_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_MIN 65536
#define OUT_MIN 8192
#define OUT_MAX 262144
#define SLICE_MIN 8192 /* a smaller read is not worth its system call */

enum state { ADDING, IN_MEMORY, MERGING, DEAD };

struct zs_sorter {
	const char *tmp_dir;
	enum state state;
	uint64_t count;
	uint8_t *memory; /* the write buffer, then the arena */
	uint8_t *arena;
	size_t arena_n, used; /* bytes of records */
	struct record *end;   /* of the arena; references lie before it, the newest first */
	size_t held;	      /* records in the arena */
	size_t next;	      /* in memory: the one to hand out */
	struct run_file file;
	uint8_t *wide; /* read buffers where the arena is too small for the longest records */
	struct merge merge;
};

int zs_sorter_new(size_t memory_bytes, const char *tmp_dir, struct zs_sorter **out, struct zs_err *err)
{
	size_t align = sizeof(struct record), out_cap;
	struct zs_sorter *s;

	if (memory_bytes < MEMORY_MIN)
		memory_bytes = MEMORY_MIN;
	memory_bytes -= memory_bytes % align;
	out_cap = memory_bytes / 8 < OUT_MIN ? OUT_MIN : memory_bytes / 8 > OUT_MAX ? OUT_MAX : memory_bytes / 8;
	out_cap -= out_cap % align;
	s = calloc(1, sizeof(*s));
	if (!s)
		return zs_fail_nomem(err);
	s->file.fd = -1;
	s->tmp_dir = tmp_dir;
	s->memory = malloc(memory_bytes);
	if (!s->memory) {
		zs_sorter_free(s);
		return zs_fail_nomem(err);
	}
	s->file.out = s->memory;
	s->file.out_cap = out_cap;
	s->arena = s->memory + out_cap;
	s->arena_n = memory_bytes - out_cap;
	s->end = (struct record *)(void *)(s->arena + s->arena_n);
	*out = s;
	return 0;
}

/* the order of adding breaks ties: later records lie higher in the arena */
static inline int precedes(const struct record *a, const struct record *b)
{
	int c;

	if (a->prefix != b->prefix)
		return a->prefix < b->prefix;
	c = sorter_file_cmp(a, b);
	return c < 0 || (c == 0 && a->p < b->p);
}

static void merge_halves(struct record *v, size_t half, size_t n, struct record *tmp)
{
	size_t i = 0, j = half, k = 0;

	/* in order already: also the common case of sorted input */
	if (precedes(&v[half - 1], &v[half]))
		return;
	memcpy(tmp, v, half * sizeof(*v));
	while (i < half && j < n)
		v[k++] = precedes(&v[j], &tmp[i]) ? v[j++] : tmp[i++];
	memcpy(v + k, tmp + i, (half - i) * sizeof(*v));
}

static void sort_records(struct record *v, size_t n, struct record *tmp)
{
	size_t i, j;

	if (n > 16) {
		sort_records(v, n / 2, tmp);
		sort_records(v + n / 2, n - n / 2, tmp);
		merge_halves(v, n / 2, n, tmp);
		return;
	}
	for (i = 1; i < n; i++) {
		struct record r = v[i];

		for (j = i; j > 0 && precedes(&r, &v[j - 1]); j--)
			v[j] = v[j - 1];
		v[j] = r;
	}
}

/* In place, with half as many references again between them and the records: zs_sorter_add keeps that free. */
static void sort_arena(struct zs_sorter *s)
{
	struct record *v = s->end - s->held;
	size_t i;

	/* oldest first, so that sorted input stays cheap */
	for (i = 0; i < s->held / 2; i++) {
		struct record r = v[i];

		v[i] = v[s->held - 1 - i];
		v[s->held - 1 - i] = r;
	}
	sort_records(v, s->held, v - s->held / 2);
}

static int spill(struct zs_sorter *s, struct zs_err *err)
{
	const struct record *v = s->end - s->held;
	size_t i;

	if (s->held == 0)
		return 0;
	sort_arena(s);
	if (sorter_file_begin(&s->file, s->tmp_dir, err) < 0)
		return -1;
	for (i = 0; i < s->held; i++)
		if (sorter_file_add(&s->file, v[i].p, err) < 0)
			return -1;
	s->held = 0;
	s->used = 0;
	return sorter_file_end(&s->file, s->file.run_count, 0, err);
}

static void fill_record(uint8_t *p, struct zs_span key, struct zs_span value)
{
	zs_put_u32(p, (uint32_t)key.n);
	zs_put_u32(p + 4, (uint32_t)value.n);
	if (key.n > 0)
		memcpy(p + RECORD_HEADER, key.p, key.n);
	if (value.n > 0)
		memcpy(p + RECORD_HEADER + key.n, value.p, value.n);
}

/* A record that no arena of this size can hold is a run of its own. */
static int add_large(struct zs_sorter *s, struct zs_span key, struct zs_span value, struct zs_err *err)
{
	uint8_t *p = malloc(RECORD_HEADER + key.n + value.n);
	int rc = -1;

	if (!p)
		return zs_fail_nomem(err);
	fill_record(p, key, value);
	if (spill(s, err) == 0 && sorter_file_begin(&s->file, s->tmp_dir, err) == 0 &&
	    sorter_file_add(&s->file, p, err) == 0)
		rc = sorter_file_end(&s->file, s->file.run_count, 0, err);
	free(p);
	return rc;
}

static int add(struct zs_sorter *s, struct zs_span key, struct zs_span value, struct zs_err *err)
{
	size_t n = RECORD_HEADER + key.n + value.n, refs;
	uint8_t *p;

	/* one reference each, and room for half of them when sorting */
	if (n + 2 * sizeof(struct record) > s->arena_n)
		return add_large(s, key, value, err);
	refs = (s->held + 1 + (s->held + 1) / 2) * sizeof(struct record);
	if (s->used + n + refs > s->arena_n && spill(s, err) < 0)
		return -1;
	p = s->arena + s->used;
	fill_record(p, key, value);
	s->used += n;
	s->held++;
	*(s->end - s->held) = (struct record){sorter_file_prefix(key), p};
	return 0;
}

int zs_sorter_add(struct zs_sorter *s, struct zs_span key, struct zs_span value, struct zs_err *err)
{
	assert(s->state == ADDING || s->state == DEAD);
	if (s->state == DEAD)
		return zs_fail(err, ZS_SYSTEM, "sorting has failed before");
	if (key.n > RECORD_MAX || value.n > RECORD_MAX - key.n)
		return zs_fail(err, ZS_LIMIT, "a record to be sorted is larger than %zu bytes", RECORD_MAX);
	if (add(s, key, value, err) < 0) {
		s->state = DEAD;
		return -1;
	}
	s->count++;
	return 0;
}

/* Runs [at, at + n) become one. */
static int merge_runs(struct zs_sorter *s, size_t at, size_t n, struct zs_buf memory, struct zs_err *err)
{
	struct merge m = {0};
	const uint8_t *record;
	int rc;

	if (sorter_file_begin(&s->file, s->tmp_dir, err) < 0)
		return -1;
	rc = sorter_merge_init(&m, &s->file, at, n, memory, err);
	while (rc == 0 && (rc = sorter_merge_next(&m, &record, err)) == 1)
		rc = sorter_file_add(&s->file, record, err);
	sorter_merge_fini(&m);
	return rc < 0 ? -1 : sorter_file_end(&s->file, at, n, err);
}

static int start_merge(struct zs_sorter *s, struct zs_err *err)
{
	size_t slice = s->file.record_max > SLICE_MIN ? s->file.record_max : SLICE_MIN, at = 0, n;
	struct zs_buf memory = {s->arena, s->arena_n, s->arena_n}; /* borrowed */
	size_t fan = memory.n / slice;

	if (fan < 2) {
		s->wide = malloc(2 * slice);
		if (!s->wide)
			return zs_fail_nomem(err);
		memory = (struct zs_buf){s->wide, 2 * slice, 2 * slice};
		fan = 2;
	}
	/* From left to right: neighbours only, so that equal keys keep their order.  Each merge is as small as it may
	 * be, since all that it takes is written again. */
	while (s->file.run_count > fan) {
		n = s->file.run_count - fan + 1 < fan ? s->file.run_count - fan + 1 : fan;
		if (at + n > s->file.run_count)
			at = 0;
		if (merge_runs(s, at++, n, memory, err) < 0)
			return -1;
	}
	return sorter_merge_init(&s->merge, &s->file, 0, s->file.run_count, memory, err);
}

int zs_sorter_sort(struct zs_sorter *s, struct zs_err *err)
{
	assert(s->state == ADDING || s->state == DEAD);
	if (s->state == DEAD)
		return zs_fail(err, ZS_SYSTEM, "sorting has failed before");
	if (s->file.run_count == 0) {
		sort_arena(s);
		s->state = IN_MEMORY;
		return 0;
	}
	s->state = DEAD;
	if (spill(s, err) < 0 || start_merge(s, err) < 0)
		return -1;
	s->state = MERGING;
	return 0;
}

int zs_sorter_next(struct zs_sorter *s, struct zs_span *out_key, struct zs_span *out_value, struct zs_err *err)
{
	const uint8_t *p;
	int rc;

	assert(s->state != ADDING);
	if (s->state == DEAD)
		return zs_fail(err, ZS_SYSTEM, "sorting has failed before");
	if (s->state == IN_MEMORY) {
		if (s->next == s->held)
			return 0;
		p = (s->end - s->held + s->next++)->p;
	} else {
		rc = sorter_merge_next(&s->merge, &p, err);
		if (rc < 0)
			s->state = DEAD;
		if (rc <= 0)
			return rc;
	}
	*out_key = zs_span(p + RECORD_HEADER, record_key_bytes(p));
	*out_value = zs_span(p + RECORD_HEADER + out_key->n, zs_get_u32(p + 4));
	return 1;
}

uint64_t zs_sorter_count(const struct zs_sorter *s)
{
	return s->count;
}

void zs_sorter_free(struct zs_sorter *s)
{
	if (!s)
		return;
	sorter_merge_fini(&s->merge);
	sorter_file_fini(&s->file);
	free(s->wide);
	free(s->memory);
	free(s);
}
