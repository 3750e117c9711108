/*
 * Second pass of a restore: blocks in the order of packs.  Each is read and decoded once, each chunk in it proven
 * once, and all its uses are written, grouped by file.  Pieces of base64 groups that straddle chunks are gathered
 * aside and written last.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "restore_private.h"

#define JOB_USES 8192
#define JOB_BYTES (1u << 20)
#define WORKER_CACHE (1u << 20) /* for chunks that are not where the plan says */

struct job { /* uses of chunks of one block */
	struct zs_buf uses; /* length u32, then the record */
	unsigned count;
};
struct result {
	struct zs_buf pieces; /* of struct piece */
	uint64_t bytes;
};
struct filler { /* one worker's */
	struct restore *r;
	struct zs_store_reader *reader;
	struct zs_buf block, proven, bad; /* the two: a bit for each byte of the block at which a chunk may begin */
	int has_block, is_tried;
	struct zs_buf buf; /* holds file */
	struct list_entry file;
	int fd, is_alive; /* fd -1: no file */
	struct zs_buf text;
	struct result *result;
};

static void job_free(void *ctx, void *job)
{
	struct job *j = job;

	(void)ctx;
	if (j)
		zs_buf_fini(&j->uses);
	free(j);
}

static void result_free(void *ctx, void *result)
{
	struct result *res = result;

	(void)ctx;
	if (res)
		zs_buf_fini(&res->pieces);
	free(res);
}

static void file_leave(struct filler *w)
{
	if (w->fd >= 0)
		(void)close(w->fd);
	w->fd = -1;
	w->is_alive = 0;
	w->file.place.number = UINT64_MAX;
}

static void filler_free(void *ctx, void *state)
{
	struct filler *w = state;

	(void)ctx;
	if (!w)
		return;
	file_leave(w);
	zs_store_reader_free(w->reader);
	zs_buf_fini(&w->block);
	zs_buf_fini(&w->proven);
	zs_buf_fini(&w->bad);
	zs_buf_fini(&w->buf);
	zs_buf_fini(&w->text);
	free(w);
}

static int filler_new(void *ctx, void **out, struct zs_err *err)
{
	struct restore *r = ctx;
	struct filler *w = calloc(1, sizeof *w);

	if (!w)
		return zs_fail_nomem(err);
	w->r = r;
	w->fd = -1;
	file_leave(w);
	if (zs_store_reader_new(r->store, WORKER_CACHE, &w->reader, err) < 0) {
		filler_free(NULL, w);
		return -1;
	}
	*out = w;
	return 0;
}

/* The file is lost: told, and left. */
static int file_fail(struct filler *w, const struct zs_err *why, struct zs_err *err)
{
	int rc;

	if (restore_is_fatal(why)) {
		*err = *why;
		return -1;
	}
	rc = restore_fail(w->r, &w->file, LIST_BROKEN, why, err);
	if (w->fd >= 0)
		(void)close(w->fd);
	w->fd = -1;
	w->is_alive = 0; /* its number stays: further uses are passed over */
	return rc;
}

/* 1 the file is open, 0 it is not to be filled (any more), -1 */
static int file_enter(struct filler *w, struct list_place place, struct zs_err *err)
{
	struct zs_err why = {0};
	enum restore_list_state state;

	if (place.number == w->file.place.number)
		return w->is_alive;
	file_leave(w);
	if (restore_list_state(&w->r->list, place.number, &state, err) < 0)
		return -1;
	if (state != LIST_MADE) {
		w->file.place = place;
		return 0;
	}
	if (restore_list_read(&w->r->list, place, &w->buf, &w->file, err) <= 0)
		return -1;
	if (zs_files_open(w->r->to, w->file.path, &w->fd, &why) < 0)
		return file_fail(w, &why, err);
	w->is_alive = 1;
	return 1;
}

/* ----------------------------------------------------------------------- chunks */

static int bit(const struct zs_buf *b, uint32_t i)
{
	return b->p[i / 8] >> (i % 8) & 1;
}

static void set_bit(struct zs_buf *b, uint32_t i)
{
	b->p[i / 8] |= (uint8_t)(1u << (i % 8));
}

static int clear_bits(struct zs_buf *b, size_t bits, struct zs_err *err)
{
	size_t n = bits / 8 + 1;

	zs_buf_clear(b);
	if (zs_buf_reserve(b, n, err) < 0)
		return -1;
	memset(b->p, 0, n);
	b->n = n;
	return 0;
}

/* Decode the block of this use, once a job.  A failure shows when its chunks are asked for one by one. */
static int block_read(struct filler *w, const struct use *u, struct zs_err *err)
{
	const struct zs_location at = {.pack = u->pack, .block = u->block, .block_offset = u->block_offset,
	    .block_stored = u->block_stored};
	struct zs_err why = {0};

	if (w->is_tried)
		return 0;
	w->is_tried = 1;
	zs_buf_clear(&w->block);
	w->has_block = zs_store_read_block(w->reader, &at, &w->block, &why) == 0;
	if (!w->has_block && restore_is_fatal(&why)) {
		*err = why;
		return -1;
	}
	zs_buf_clear(&w->bad);
	return clear_bits(&w->proven, w->has_block ? w->block.n : 0, err);
}

/* No copy of this chunk is good: do not look for one again with its next use. */
static void remember_bad(struct filler *w, uint32_t chunk_offset)
{
	struct zs_err ignored = {0};

	if (chunk_offset >= ZS_BLOCK_MAX || (!w->bad.n && clear_bits(&w->bad, ZS_BLOCK_MAX, &ignored) < 0))
		return;
	set_bit(&w->bad, chunk_offset);
}

/* The chunk's bytes, proven; from another copy if this one is damaged.  0, -1 with *why. */
static int chunk_get(struct filler *w, const struct use *u, struct zs_span *out, struct zs_err *why)
{
	struct zs_span plain = zs_buf_span(&w->block);
	char hex[ZS_ID_HEX];

	if (w->has_block && u->chunk_offset < plain.n && u->chunk_bytes <= plain.n - u->chunk_offset) {
		*out = zs_span(plain.p + u->chunk_offset, u->chunk_bytes);
		if (bit(&w->proven, u->chunk_offset))
			return 0;
		if (zs_store_prove(w->r->store, &u->id, *out, why) == 0) {
			set_bit(&w->proven, u->chunk_offset);
			return 0;
		}
		zs_err_clear(why);
	}
	if (w->bad.n && u->chunk_offset < ZS_BLOCK_MAX && bit(&w->bad, u->chunk_offset))
		return zs_fail(why, ZS_CORRUPT, "chunk %s is damaged", zs_id_hex(&u->id, hex));
	if (zs_store_read(w->reader, &u->id, out, why) == 0) {
		if (out->n == u->chunk_bytes)
			return 0;
		(void)zs_fail(why, ZS_CORRUPT, "chunk %s has another size than the index says", zs_id_hex(&u->id, hex));
	}
	if (why->cause == ZS_CORRUPT)
		remember_bad(w, u->chunk_offset);
	return -1;
}

/* ---------------------------------------------------------------------- writing */

static int put(struct filler *w, struct zs_span s, uint64_t at, struct zs_err *why)
{
	const struct zs_entry *e = &w->file.entry;

	if (at > e->size || s.n > e->size - at)
		return zs_fail(why, ZS_CORRUPT, "the recipe leads beyond the end of the file");
	w->result->bytes += s.n;
	return zs_pwrite_all(w->fd, s.p, s.n, at, ZS_TARGET, "the file", why);
}

static int put_ranges(struct filler *w, const struct use *u, struct zs_span chunk, struct zs_span rest,
    struct zs_err *why)
{
	for (uint32_t i = 0; i < u->ranges; i++) {
		struct use_range g;

		memcpy(&g, rest.p + i * sizeof g, sizeof g);
		if (g.from > chunk.n || g.bytes > chunk.n - g.from)
			return zs_fail(why, ZS_CORRUPT, "the recipe leads beyond the end of a chunk");
		if (put(w, zs_span(chunk.p + g.from, g.bytes), g.at, why) < 0)
			return -1;
	}
	return 0;
}

static int put_base64(struct filler *w, struct zs_span chunk, const struct zs_place *p, struct zs_err *why)
{
	struct zs_fragment fragments[2];
	unsigned count = 0;
	uint64_t at;

	if (p->chunk_from > chunk.n || p->bytes > chunk.n - p->chunk_from)
		return zs_fail(why, ZS_CORRUPT, "the recipe leads beyond the end of a chunk");
	zs_buf_clear(&w->text);
	if (zs_mail_place_encode(p, zs_span(chunk.p + p->chunk_from, p->bytes), &w->text, &at, fragments, &count,
	    why) < 0)
		return -1;
	if (w->text.n && put(w, zs_buf_span(&w->text), at, why) < 0)
		return -1;
	for (unsigned i = 0; i < count; i++) {
		struct piece piece;

		memset(&piece, 0, sizeof piece);
		piece.place = w->file.place;
		piece.fragment = fragments[i];
		if (zs_buf_add(&w->result->pieces, &piece, sizeof piece, why) < 0)
			return -1;
	}
	return 0;
}

static int fill_use(struct filler *w, struct zs_span record, struct zs_err *err)
{
	struct zs_err why = {0};
	struct zs_place place;
	struct zs_span chunk, rest;
	struct use u;
	int rc;

	memcpy(&u, record.p, sizeof u);
	rest = zs_span(record.p + sizeof u, record.n - sizeof u);
	rc = file_enter(w, u.place, err);
	if (rc <= 0)
		return rc;
	if (block_read(w, &u, err) < 0)
		return -1;
	rc = chunk_get(w, &u, &chunk, &why);
	if (rc == 0 && u.ranges) {
		rc = put_ranges(w, &u, chunk, rest, &why);
	} else if (rc == 0) {
		memcpy(&place, rest.p, sizeof place);
		rc = put_base64(w, chunk, &place, &why);
	}
	return rc < 0 ? file_fail(w, &why, err) : 0;
}

static int work(void *ctx, void *state, void *job, struct zs_emitter *out, struct zs_err *err)
{
	struct filler *w = state;
	struct job *j = job;
	struct zs_span rest = zs_buf_span(&j->uses);
	int rc = 0;

	(void)ctx;
	w->is_tried = w->has_block = 0;
	w->result = calloc(1, sizeof *w->result);
	if (!w->result)
		rc = zs_fail_nomem(err);
	while (rc == 0 && rest.n) {
		uint32_t n = zs_get_u32(rest.p);

		rc = fill_use(w, zs_span(rest.p + 4, n), err);
		rest = zs_span(rest.p + 4 + n, rest.n - 4 - n);
	}
	file_leave(w);
	job_free(NULL, j);
	if (rc < 0)
		result_free(NULL, w->result);
	else
		rc = zs_pipeline_emit(out, w->result, w->result->pieces.n + sizeof *w->result, err);
	w->result = NULL;
	return rc;
}

static int sink(void *ctx, void *result, struct zs_err *err)
{
	struct restore *r = ctx;
	struct result *res = result;
	uint8_t key[24];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < res->pieces.n; i += sizeof(struct piece)) {
		struct piece p;

		memcpy(&p, res->pieces.p + i, sizeof p);
		restore_list_key(key, p.place.number);
		restore_list_key(key + 8, p.fragment.extent.at);
		restore_list_key(key + 16, p.fragment.group);
		rc = zs_sorter_add(r->pieces, zs_span(key, sizeof key), zs_span(&p, sizeof p), err);
	}
	restore_show(r, "restoring", zs_span(NULL, 0), res->bytes);
	result_free(NULL, res);
	return rc;
}

/* ------------------------------------------------------------------------ blocks */

static int push(struct restore *r, struct zs_pipeline *p, struct job **j, struct zs_err *err)
{
	struct job *full = *j;

	*j = NULL;
	if (!full)
		return 0;
	if (restore_stopped(r, err) < 0) {
		job_free(NULL, full);
		return -1;
	}
	return zs_pipeline_push(p, full, err);
}

static int add_use(struct job **j, struct zs_span value, struct zs_err *err)
{
	if (!*j)
		*j = calloc(1, sizeof **j);
	if (!*j)
		return zs_fail_nomem(err);
	(*j)->count++;
	if (zs_buf_add_u32(&(*j)->uses, (uint32_t)value.n, err) < 0)
		return -1;
	return zs_buf_add_span(&(*j)->uses, value, err);
}

static int push_all(struct restore *r, struct zs_pipeline *p, struct zs_err *err)
{
	struct zs_span key, value;
	struct job *j = NULL;
	uint8_t block[8] = {0};
	int rc;

	while ((rc = zs_sorter_next(r->plan, &key, &value, err)) > 0) {
		int is_full = j && (j->count >= JOB_USES || j->uses.n >= JOB_BYTES);

		rc = -1;
		if ((is_full || memcmp(block, key.p, sizeof block) != 0) && push(r, p, &j, err) < 0)
			break;
		memcpy(block, key.p, sizeof block);
		if (add_use(&j, value, err) < 0)
			break;
	}
	if (rc == 0)
		return push(r, p, &j, err);
	job_free(NULL, j);
	return -1;
}

/* ------------------------------------------------------------------------ pieces */

struct joint { /* a group of base64 being put together */
	struct piece first;
	uint8_t bytes[3], have; /* have: a bit each */
};

static int joint_write(struct filler *w, const struct joint *g, struct zs_err *err)
{
	struct zs_err why = {0};
	unsigned n = g->have == 7 ? 3 : g->have == 3 ? 2 : g->have == 1 ? 1 : 0;
	uint64_t at;
	int rc;

	if (!g->have)
		return 0;
	rc = file_enter(w, g->first.place, err);
	if (rc <= 0)
		return rc;
	zs_buf_clear(&w->text);
	if (zs_mail_group_encode(&g->first.fragment.extent, g->first.fragment.group, g->bytes, n, &w->text, &at,
	    &why) < 0 || put(w, zs_buf_span(&w->text), at, &why) < 0)
		return file_fail(w, &why, err);
	return 0;
}

static void joint_add(struct joint *g, const struct zs_fragment *f)
{
	for (unsigned i = 0; i < f->count && f->first + i < 3; i++) {
		g->bytes[f->first + i] = f->bytes[i];
		g->have |= (uint8_t)(1u << (f->first + i));
	}
}

static int pieces_write(struct restore *r, struct filler *w, struct zs_err *err)
{
	struct joint g = {.have = 0};
	struct zs_span key, value;
	uint8_t last[24] = {0};
	int rc;

	if (zs_sorter_sort(r->pieces, err) < 0)
		return -1;
	while ((rc = zs_sorter_next(r->pieces, &key, &value, err)) > 0) {
		struct piece p;

		memcpy(&p, value.p, sizeof p);
		if (memcmp(last, key.p, sizeof last) != 0) {
			if (joint_write(w, &g, err) < 0 || restore_stopped(r, err) < 0)
				return -1;
			g = (struct joint){.first = p};
			memcpy(last, key.p, sizeof last);
		}
		joint_add(&g, &p.fragment);
	}
	return rc < 0 ? -1 : joint_write(w, &g, err);
}

static int pieces_run(struct restore *r, struct zs_err *err)
{
	struct result result = {.pieces = ZS_BUF_INIT};
	struct filler w = {.r = r, .fd = -1, .result = &result};
	int rc;

	file_leave(&w);
	rc = pieces_write(r, &w, err);
	file_leave(&w);
	zs_buf_fini(&w.buf);
	zs_buf_fini(&w.text);
	return rc;
}

int restore_fill_run(struct restore *r, struct zs_err *err)
{
	const struct zs_pipeline_ops ops = {.ctx = r, .worker_new = filler_new, .worker_free = filler_free,
	    .work = work, .sink = sink, .job_free = job_free, .result_free = result_free};
	struct zs_pipeline *p = NULL;
	struct zs_err second = {0};
	int rc;

	if (zs_sorter_sort(r->plan, err) < 0)
		return -1;
	if (zs_pipeline_new(&ops, r->threads, r->threads + 2, 4u << 20, &p, err) < 0)
		return -1;
	rc = push_all(r, p, err);
	if (zs_pipeline_close(&p, rc < 0 ? &second : err) < 0)
		rc = -1;
	return rc < 0 ? -1 : pieces_run(r, err);
}
