/*
 * Files put together again, down to their checksums.  The chunks that a batch of files needs lie anywhere in the packs:
 * each block is read once a batch, its chunks go to a temporary file, and from there into the files.
 */
#include "check_private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARENA_BYTES (256u << 20) /* of the temporary file */
#define REFS 65536               /* distinct chunks of a batch */
#define SLOTS (2 * REFS)
#define ENTRY_BYTES (4u << 20)  /* entries of a batch */
#define SLICE_BYTES (32u << 10) /* entries of one job */

struct ref { /* a chunk that the batch needs */
	struct zs_id id;
	struct zs_location at;
	uint64_t offset; /* in the temporary file */
	int is_there;    /* set by the job that has written it */
};

struct check_join {
	int fd;
	struct ref *refs;
	uint32_t *order; /* of refs: as they lie in packs */
	uint32_t *slots; /* number of a ref + 1, by id */
	uint32_t count;
	uint64_t arena;        /* bytes in use */
	struct zs_buf entries; /* of struct record, path, entry */
};

struct record {
	size_t snapshot, path_bytes, entry_bytes;
	struct zs_id leaf;
	uint64_t size;
};

struct worker {
	struct zs_store_reader *reader;
	struct zs_buf plain; /* of a block, or of a chunk */
};

/* ------------------------------------------------------------------------ chunks */

static struct ref *find(struct check_join *j, const struct zs_id *id, uint32_t **out_slot)
{
	uint64_t i = zs_get_u64(id->b) % SLOTS;

	for (; j->slots[i]; i = (i + 1) % SLOTS)
		if (zs_id_cmp(&j->refs[j->slots[i] - 1].id, id) == 0)
			return &j->refs[j->slots[i] - 1];
	if (out_slot)
		*out_slot = &j->slots[i];
	return NULL;
}

void check_join_ref(struct check *c, const struct zs_id *id, const struct zs_location *at)
{
	struct check_join *j = c->join;
	uint32_t *slot = NULL;

	/* what finds no room here is read where it is needed */
	if (find(j, id, &slot) || j->count == REFS || at->chunk_bytes > ARENA_BYTES - j->arena)
		return;
	j->refs[j->count] = (struct ref){.id = *id, .at = *at, .offset = j->arena};
	j->order[j->count] = j->count;
	*slot = ++j->count;
	j->arena += at->chunk_bytes;
}

static int by_place(const void *a, const void *b, void *refs)
{
	const struct zs_location *x = &((const struct ref *)refs)[*(const uint32_t *)a].at;
	const struct zs_location *y = &((const struct ref *)refs)[*(const uint32_t *)b].at;

	if (x->pack != y->pack)
		return x->pack < y->pack ? -1 : 1;
	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	return (x->chunk_offset > y->chunk_offset) - (x->chunk_offset < y->chunk_offset);
}

/*
 * Chunks of one block into the temporary file.  What goes wrong is left to the one who needs the chunk: it asks the
 * store, which may know another copy, and says what is wrong.
 */
static void fill(struct check_join *j, struct worker *w, const struct check_job *job)
{
	struct zs_err ignored;
	struct ref *r;

	zs_buf_clear(&w->plain);
	if (zs_store_read_block(w->reader, &j->refs[j->order[job->from]].at, &w->plain, &ignored) < 0)
		return;
	for (size_t i = job->from; i < job->to; i++) {
		r = &j->refs[j->order[i]];
		if (r->at.chunk_offset > w->plain.n || r->at.chunk_bytes > w->plain.n - r->at.chunk_offset)
			continue;
		r->is_there = zs_pwrite_all(j->fd, w->plain.p + r->at.chunk_offset, r->at.chunk_bytes, r->offset,
				  ZS_SYSTEM, "a temporary file", &ignored) == 0;
	}
}

/* ------------------------------------------------------------------------- files */

struct joining {
	struct check_join *join;
	struct worker *worker;
};

static int chunk(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err)
{
	struct joining *j = ctx;
	struct zs_buf *plain = &j->worker->plain;
	const struct ref *r = find(j->join, id, NULL);
	size_t got;

	if (!r || !r->is_there)
		return zs_store_read(j->worker->reader, id, out, err);
	zs_buf_clear(plain);
	if (zs_buf_reserve(plain, r->at.chunk_bytes, err) < 0 ||
	    zs_pread_full(
		j->join->fd, plain->p, r->at.chunk_bytes, r->offset, &got, ZS_SYSTEM, "a temporary file", err) < 0)
		return -1;
	if (got != r->at.chunk_bytes)
		return zs_fail(err, ZS_SYSTEM, "a temporary file has become shorter");
	plain->n = got;
	*out = zs_buf_span(plain);
	return 0;
}

static int discard(void *ctx, struct zs_span bytes, struct zs_err *err)
{
	(void)ctx;
	(void)bytes;
	(void)err;
	return 0;
}

static int discard_hole(void *ctx, uint64_t bytes, struct zs_err *err)
{
	(void)ctx;
	(void)bytes;
	(void)err;
	return 0;
}

static int join_one(struct check *c, struct worker *w, struct check_job *job, const struct record *r,
    struct zs_span path, struct zs_err *err)
{
	struct joining ctx = {.join = c->join, .worker = w};
	const struct zs_join_io io = {.ctx = &ctx, .chunk = chunk, .write = discard, .hole = discard_hole};
	const struct check_finding f = {.about = CHECK_FILE, .snapshot = r->snapshot, .node = r->leaf};
	struct zs_err why = {0};
	struct zs_entry e;
	char label[24];

	job->files++;
	if (__builtin_add_overflow(job->bytes, r->size, &job->bytes))
		job->bytes = UINT64_MAX;
	if (zs_format_entry_decode(zs_span(path.p + path.n, r->entry_bytes), &e, &why) == 0 &&
	    zs_mail_join(&e, &io, &why) == 0)
		return 0;
	if (!check_is_finding(&why)) {
		*err = why;
		return -1;
	}
	(void)zs_context(&why, "%s: %.*s", check_label(c, r->snapshot, label), (int)(path.n < 200 ? path.n : 200),
	    (const char *)path.p);
	return check_job_find(job, &f, path, &why, err);
}

static int join_slice(struct check *c, struct worker *w, struct check_job *job, struct zs_err *err)
{
	const struct zs_buf *b = &c->join->entries;
	struct record r;

	for (size_t at = job->from; at < job->to; at += sizeof(r) + r.path_bytes + r.entry_bytes) {
		memcpy(&r, b->p + at, sizeof(r));
		if (join_one(c, w, job, &r, zs_span(b->p + at + sizeof(r), r.path_bytes), err) < 0)
			return -1;
	}
	return 0;
}

/* ---------------------------------------------------------------------- pipeline */

static void worker_free(void *ctx, void *state)
{
	struct worker *w = state;

	(void)ctx;
	if (!w)
		return;
	zs_store_reader_free(w->reader);
	zs_buf_fini(&w->plain);
	free(w);
}

static int worker_new(void *ctx, void **out_state, struct zs_err *err)
{
	struct check *c = ctx;
	struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		return zs_fail_nomem(err);
	if (zs_store_reader_new(c->store, CHECK_CACHE_BYTES, &w->reader, err) < 0) {
		free(w);
		return -1;
	}
	*out_state = w;
	return 0;
}

static int work(void *ctx, void *state, void *job, struct zs_emitter *out, struct zs_err *err)
{
	struct check *c = ctx;
	struct check_job *j = job;

	if (j->task == CHECK_FILL)
		fill(c->join, state, j);
	if (j->task == CHECK_JOIN && join_slice(c, state, j, err) < 0) {
		check_job_free(NULL, j);
		return -1;
	}
	return zs_pipeline_emit(out, j, sizeof(*j) + j->findings.n, err);
}

static int push(struct check *c, enum check_task task, size_t from, size_t to, struct zs_err *err)
{
	struct check_job *j = check_job_new();

	if (!j)
		return zs_fail_nomem(err);
	j->task = task;
	j->from = from;
	j->to = to;
	return zs_pipeline_push(c->joining, j, err);
}

static int push_fills(struct check *c, struct zs_err *err)
{
	struct check_join *j = c->join;
	const struct zs_location *first, *at;
	size_t from, to;

	qsort_r(j->order, j->count, sizeof(*j->order), by_place, j->refs);
	for (from = 0; from < j->count; from = to) {
		first = &j->refs[j->order[from]].at;
		for (to = from + 1; to < j->count; to++) {
			at = &j->refs[j->order[to]].at;
			if (at->pack != first->pack || at->block != first->block)
				break;
		}
		if (check_stopped(c, err) < 0 || push(c, CHECK_FILL, from, to, err) < 0)
			return -1;
	}
	return 0;
}

static int push_joins(struct check *c, struct zs_err *err)
{
	const struct zs_buf *b = &c->join->entries;
	struct record r;
	size_t from = 0, at = 0;

	while (at < b->n) {
		memcpy(&r, b->p + at, sizeof(r));
		at += sizeof(r) + r.path_bytes + r.entry_bytes;
		if (at < b->n && at - from < SLICE_BYTES)
			continue;
		if (check_stopped(c, err) < 0 || push(c, CHECK_JOIN, from, at, err) < 0)
			return -1;
		from = at;
	}
	return 0;
}

static int run_batch(struct check *c, struct zs_err *err)
{
	struct check_join *j = c->join;

	if (push_fills(c, err) < 0 || zs_pipeline_drain(c->joining, err) < 0)
		return -1;
	if (push_joins(c, err) < 0 || zs_pipeline_drain(c->joining, err) < 0)
		return -1;
	memset(j->slots, 0, SLOTS * sizeof(*j->slots));
	j->count = 0;
	j->arena = 0;
	zs_buf_clear(&j->entries);
	return 0;
}

int check_join_add(struct check *c, struct zs_span path, struct zs_span entry, uint64_t size, struct zs_err *err)
{
	struct check_join *j = c->join;
	const struct record r = {
	    .snapshot = c->snapshot, .path_bytes = path.n, .entry_bytes = entry.n, .leaf = c->node, .size = size};

	if (zs_buf_reserve(&j->entries, sizeof(r) + path.n + entry.n, err) < 0 ||
	    zs_buf_add(&j->entries, &r, sizeof(r), err) < 0 || zs_buf_add_span(&j->entries, path, err) < 0 ||
	    zs_buf_add_span(&j->entries, entry, err) < 0)
		return -1;
	if (j->entries.n < ENTRY_BYTES && j->count < REFS - REFS / 64 && j->arena < ARENA_BYTES - ARENA_BYTES / 64)
		return 0;
	return run_batch(c, err);
}

static void join_free(struct check_join *j)
{
	if (!j)
		return;
	if (j->fd >= 0)
		(void)close(j->fd);
	free(j->refs);
	free(j->order);
	free(j->slots);
	zs_buf_fini(&j->entries);
	free(j);
}

int check_join_begin(struct check *c, struct zs_err *err)
{
	const struct zs_pipeline_ops ops = {
	    .ctx = c,
	    .worker_new = worker_new,
	    .worker_free = worker_free,
	    .work = work,
	    .sink = check_sink,
	    .job_free = check_job_free,
	    .result_free = check_job_free,
	};
	struct check_join *j = calloc(1, sizeof(*j));
	unsigned n = check_workers(c);

	if (!j)
		return zs_fail_nomem(err);
	c->join = j;
	j->fd = zs_temp_file(zs_store_tmp_dir(c->store), err);
	if (j->fd < 0)
		return -1;
	j->refs = malloc(REFS * sizeof(*j->refs));
	j->order = malloc(REFS * sizeof(*j->order));
	j->slots = calloc(SLOTS, sizeof(*j->slots));
	if (!j->refs || !j->order || !j->slots)
		return zs_fail_nomem(err);
	return zs_pipeline_new(&ops, n, 4 * n, 8u << 20, &c->joining, err);
}

int check_join_finish(struct check *c, struct zs_err *err)
{
	return run_batch(c, err);
}

int check_join_end(struct check *c, struct zs_err *err)
{
	/* closed first: its workers use the batch */
	int rc = c->joining ? zs_pipeline_close(&c->joining, err) : 0;

	join_free(c->join);
	c->join = NULL;
	return rc;
}
