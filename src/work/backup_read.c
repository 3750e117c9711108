/*
 * The readers: open, read, split and name what the scan says is new or changed.
 * Pure work on one job at a time; what comes out are batches of chunks and finished
 * entries in the job's order, for the sink.
 */
#include <stdlib.h>
#include <string.h>

#include "backup_private.h"

#define READ_BYTES (256u << 10)

struct reader { /* one worker's */
	struct backup *b;
	struct zs_splitter *splitter;
	struct zs_recipe_writer *recipe;
	uint8_t *window;
	struct zs_buf storage; /* spans of the entry at hand */
	uint8_t inline_bytes[ZS_INLINE_MAX];
	struct batch *batch;   /* being filled */
	const struct item *item; /* at hand */
	int has_key;		 /* of what was read of it */
	uint64_t key[2];
	struct zs_emitter *out;
};

struct batch *backup_batch_new(void)
{
	return calloc(1, sizeof(struct batch));
}

void backup_batch_free(struct batch *b)
{
	if (!b)
		return;
	zs_buf_fini(&b->data);
	zs_buf_fini(&b->records);
	free(b);
}

size_t backup_batch_count(const struct batch *b)
{
	return b->records.n / sizeof(struct record);
}

struct record *backup_batch_record(const struct batch *b, size_t i)
{
	return (struct record *)(void *)b->records.p + i;
}

int backup_batch_add(struct batch *b, const struct record *r, struct zs_err *err)
{
	return zs_buf_add(&b->records, r, sizeof *r, err);
}

int backup_reader_new(void *ctx, void **out, struct zs_err *err)
{
	struct backup *b = ctx;
	struct reader *r = calloc(1, sizeof *r);

	if (!r)
		return zs_fail_nomem(err);
	r->b = b;
	*out = r; /* also half built: worker_free takes it */
	if (!(r->window = malloc(READ_BYTES)))
		return zs_fail_nomem(err);
	if (zs_splitter_new(&b->split, &r->splitter, err) < 0)
		return -1;
	return zs_recipe_writer_new(b->split.chunk_id_key, &r->recipe, err);
}

void backup_reader_free(void *ctx, void *state)
{
	struct reader *r = state;

	(void)ctx;
	zs_splitter_free(r->splitter);
	zs_recipe_writer_free(r->recipe);
	zs_buf_fini(&r->storage);
	backup_batch_free(r->batch);
	free(r->window);
	free(r);
}

static int reader_batch(struct reader *r, struct zs_err *err)
{
	if (!r->batch && !(r->batch = backup_batch_new()))
		return zs_fail_nomem(err);
	return 0;
}

static int reader_emit(struct reader *r, struct zs_err *err)
{
	struct batch *b = r->batch;

	r->batch = NULL;
	if (!b)
		return 0;
	return zs_pipeline_emit(r->out, b, b->data.cap + b->records.cap, err);
}

static int on_chunk(void *ctx, enum zs_kind kind, const struct zs_id *id, struct zs_span plain, struct zs_err *err)
{
	struct reader *r = ctx;
	struct record rec = {.type = RECORD_CHUNK, .kind = kind, .member = (uint16_t)r->item->member, .part = r->item->part, .id = *id,
	    .bytes = plain.n};

	if (r->batch && r->batch->data.n + plain.n > BATCH_FULL && reader_emit(r, err) < 0)
		return -1;
	if (reader_batch(r, err) < 0)
		return -1;
	if (r->batch->data.cap == 0 && zs_buf_reserve(&r->batch->data, BATCH_FULL + plain.n, err) < 0)
		return -1;
	rec.at = r->batch->data.n;
	if (zs_buf_add_span(&r->batch->data, plain, err) < 0)
		return -1;
	return backup_batch_add(r->batch, &rec, err);
}

static int on_recipe(void *ctx, struct zs_span ops, struct zs_err *err)
{
	struct reader *r = ctx;

	return zs_recipe_writer_add(r->recipe, ops, on_chunk, r, err);
}

/* How reading one item ended: what is wrong with the item is a problem, what is wrong with us is an error. */
enum outcome { READ_WHOLE, READ_LATER, READ_UNSTABLE, READ_FAILED };

static enum outcome item_problem(struct reader *r, const struct item *it, const struct zs_err *why, enum outcome outcome)
{
	zs_backup_problem(r->b->problems, it->path, why);
	zs_source_failed(r->b->settings->source, it->member, it->part, why);
	return outcome;
}

static int is_stopped(void *backup, struct zs_err *err)
{
	return backup_stopped(backup, err);
}

/* What is left, group by group. */
static int feed_groups(struct reader *r, struct zs_source_reader *in, const struct item *it, struct zs_split_result *out, struct zs_err *err)
{
	const struct backup_groups g = {.kind = it->content, .chunk_id_key = r->b->split.chunk_id_key, .splitter = r->splitter,
	    .sink = {r, on_chunk, on_recipe}, .workers = 1, .stopped = is_stopped, .stop_ctx = r->b};
	int rc = backup_groups_read(&g, in, out, err);

	if (rc == 0 && (rc = reader_batch(r, err)) == 0)
		r->batch->read_bytes += out->bytes;
	return rc;
}

/* All of it through the splitter, or in groups if that is how it comes. */
static int feed_all(struct reader *r, struct zs_source_reader *in, const struct item *it, struct zs_split_result *out, struct zs_err *err)
{
	uint64_t hole, tag;
	size_t n;
	int rc;

	for (;;) {
		if (zs_source_read(in, r->window, READ_BYTES, &n, &hole, err) < 0)
			return -1;
		if (n == 0 && hole == 0)
			break;
		r->batch->read_bytes += n;
		if (hole > 0 && zs_splitter_hole(r->splitter, hole, err) < 0)
			return -1;
		if (n > 0 && zs_splitter_feed(r->splitter, zs_span(r->window, n), err) < 0)
			return -1;
		if (backup_stopped(r->b, err) < 0 || reader_batch(r, err) < 0)
			return -1;
	}
	if ((rc = zs_source_next_group(in, &tag, err)) < 0)
		return -1;
	return rc > 0 ? feed_groups(r, in, it, out, err) : zs_splitter_end(r->splitter, out, err);
}

/* The splitter's findings become fields of the entry; spans are the splitter's until its next begin. */
static void describe(struct zs_entry *e, const struct zs_split_result *res)
{
	e->size = res->bytes;
	e->sum = res->sum;
	e->date_ns = INT64_MIN;
	if (!res->is_message)
		return;
	e->flags |= ZS_ENTRY_MESSAGE;
	e->from = res->from;
	e->to = res->to;
	e->subject = res->subject;
	e->message_id = res->message_id;
	e->attachments = res->attachments;
	e->date_ns = res->date_ns;
}

/* Where the batch stood when an item began, to take back what a small file has put there. */
struct mark {
	struct batch *batch;
	size_t data, records;
};

static int finish_content(struct reader *r, struct zs_entry *e, const struct zs_split_result *res, const struct mark *m, struct zs_err *err)
{
	struct zs_span bytes;

	describe(e, res);
	if (zs_recipe_writer_finish(r->recipe, on_chunk, r, &e->recipe, &e->recipe_depth, err) < 0)
		return -1;
	if (res->is_message || res->bytes > ZS_INLINE_MAX || res->bytes == 0 || r->batch != m->batch)
		return 0;
	/* Small and no message: inline.  Its chunks are the whole file, in order, unless there was a hole. */
	bytes = zs_span(r->batch->data.p + m->data, r->batch->data.n - m->data);
	if (bytes.n != res->bytes)
		return 0;
	e->recipe = zs_span(NULL, 0);
	memcpy(r->inline_bytes, bytes.p, bytes.n);
	e->inline_data = zs_span(r->inline_bytes, bytes.n);
	r->batch->data.n = m->data;
	r->batch->records.n = m->records;
	return 0;
}

/* 0 with *outcome, or -1: the run is over. */
static int read_content(struct reader *r, const struct item *it, struct zs_entry *e, enum outcome *outcome, struct zs_err *err)
{
	const struct zs_split_sink sink = {r, on_chunk, on_recipe};
	struct zs_source_reader *in = NULL;
	struct zs_split_result res = {.date_ns = INT64_MIN};
	struct zs_err why = {0};
	struct mark m;
	int changed = 0, rc;

	if (reader_batch(r, err) < 0)
		return -1;
	m = (struct mark){r->batch, r->batch->data.n, r->batch->records.n};
	if (zs_source_open(it->handle, &in, &why) < 0) {
		if (why.cause == ZS_STOPPED) {
			*err = why;
			return -1;
		}
		/* What was deleted since it was listed is left out, like what was deleted before. */
		*outcome = why.cause == ZS_NOTFOUND ? READ_FAILED : item_problem(r, it, &why, READ_FAILED);
		return 0;
	}
	rc = zs_splitter_begin(r->splitter, it->content, &sink, err);
	if (rc == 0)
		rc = feed_all(r, in, it, &res, err);
	r->has_key = rc == 0 && zs_source_read_key(in, r->key);
	if (zs_source_close(&in, &changed, &why) < 0 && rc == 0)
		*outcome = item_problem(r, it, &why, READ_UNSTABLE);
	if (rc < 0 && err->cause == ZS_SOURCE) {
		*outcome = item_problem(r, it, err, READ_FAILED);
		return zs_recipe_writer_finish(r->recipe, on_chunk, r, &e->recipe, &e->recipe_depth, err);
	}
	if (rc < 0)
		return -1;
	if (changed == ZS_CONTENT_CHANGED) {
		(void)zs_fail(&why, ZS_SOURCE, "changed while it was being read");
		*outcome = item_problem(r, it, &why, READ_UNSTABLE);
	} else if (changed == ZS_CONTENT_LATER) {
		*outcome = READ_LATER;
	}
	r->has_key &= *outcome == READ_WHOLE || *outcome == READ_LATER;
	return finish_content(r, e, &res, &m, err);
}

static int add_entry(struct reader *r, const struct item *it, const struct zs_entry *e, int failed, struct zs_err *err)
{
	struct record rec = {.type = it->action == ITEM_LINK ? RECORD_LINK : RECORD_ENTRY, .member = (uint16_t)it->member, .part = it->part};

	if (reader_batch(r, err) < 0)
		return -1;
	rec.change = it->action == ITEM_READY ? CHANGE_NONE : it->known ? CHANGE_MODIFIED : CHANGE_NEW;
	rec.at = r->batch->data.n;
	rec.bytes = it->path.n;
	if (zs_buf_add_span(&r->batch->data, it->path, err) < 0)
		return -1;
	rec.entry_at = r->batch->data.n;
	if (it->action == ITEM_READY) {
		if (zs_buf_add_span(&r->batch->data, it->encoded, err) < 0)
			return -1;
	} else if (!failed && zs_format_entry_encode(e, &r->batch->data, err) < 0) {
		return -1;
	}
	rec.entry_bytes = r->batch->data.n - rec.entry_at;
	if (it->action != ITEM_READY && e->kind == ZS_ENTRY_FILE) {
		rec.is_shared = r->has_key != 0;
		rec.link_dev = r->has_key ? r->key[0] : e->link_dev;
		rec.link_ino = r->has_key ? r->key[1] : e->link_ino;
	}
	return backup_batch_add(r->batch, &rec, err);
}

void backup_take_content(struct zs_entry *e, const struct zs_entry *from)
{
	e->size = from->size;
	e->sum = from->sum;
	e->inline_data = from->inline_data;
	e->recipe = from->recipe;
	e->recipe_depth = from->recipe_depth;
	e->flags |= from->flags & ZS_ENTRY_MESSAGE;
	e->from = from->from;
	e->to = from->to;
	e->subject = from->subject;
	e->message_id = from->message_id;
	e->attachments = from->attachments;
	e->date_ns = from->date_ns;
}

static int keep_content(const struct item *it, struct zs_entry *e, struct zs_err *err)
{
	struct zs_entry old;

	if (zs_format_entry_decode(it->encoded, &old, err) < 0)
		return zs_context(err, "an entry with the same content");
	backup_take_content(e, &old);
	return 0;
}

static int read_item(struct reader *r, const struct item *it, struct zs_err *err)
{
	enum outcome outcome = READ_WHOLE;
	struct zs_entry e = it->entry;
	struct zs_err why = {0};

	r->item = it;
	r->has_key = 0;
	if (it->action == ITEM_READY)
		return add_entry(r, it, &e, 0, err);
	zs_buf_clear(&r->storage);
	e.date_ns = INT64_MIN;
	e.item_date_ns = INT64_MIN;
	if (it->handle && zs_source_fill(it->handle, &e, &r->storage, &why) < 0)
		outcome = item_problem(r, it, &why, READ_FAILED);
	if (it->action == ITEM_META && keep_content(it, &e, err) < 0)
		return -1;
	if (outcome == READ_WHOLE && it->action == ITEM_READ && e.kind == ZS_ENTRY_FILE &&
	    read_content(r, it, &e, &outcome, err) < 0)
		return -1;
	if (outcome == READ_UNSTABLE)
		e.flags |= ZS_ENTRY_UNSTABLE;
	if (outcome != READ_WHOLE)
		e.identity = 0;
	/* An entry with a size has content: the sink takes both from the name that was read. */
	if (it->action == ITEM_LINK)
		e.size = 0;
	return add_entry(r, it, &e, outcome == READ_FAILED, err);
}

void backup_job_drop(void *ctx, void *job)
{
	(void)ctx;
	backup_job_free(job);
}

void backup_batch_drop(void *ctx, void *batch)
{
	(void)ctx;
	backup_batch_free(batch);
}

int backup_read(void *ctx, void *state, void *job, struct zs_emitter *out, struct zs_err *err)
{
	struct reader *r = state;
	struct job *j = job;
	int rc = 0;

	(void)ctx;
	r->out = out;
	for (unsigned i = 0; rc == 0 && i < j->count; i++)
		rc = read_item(r, &j->items[i], err);
	if (rc == 0)
		rc = reader_emit(r, err);
	backup_batch_free(r->batch);
	r->batch = NULL;
	backup_job_free(j);
	return rc;
}
