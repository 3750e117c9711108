/*
 * The sink: everything that must happen in order.  Chunks go to the transaction,
 * entries to the tree; blocks that become full go to the pressing pipeline.
 */
#include <stdlib.h>
#include <string.h>

#include "backup_private.h"

int backup_push_block(struct backup *b, struct zs_block *block, struct zs_err *err)
{
	return zs_pipeline_push(b->pressing, block, err);
}

int backup_put(struct backup *b, enum zs_kind kind, const struct zs_id *id, struct zs_span plain, struct zs_err *err)
{
	struct zs_block *full = NULL;
	uint32_t added;

	if (zs_store_put(b->txn, kind, id, plain, &added, &full, err) < 0)
		return -1;
	b->report->added_bytes += added;
	return full ? backup_push_block(b, full, err) : 0;
}

/* Where what comes from this member is counted; somewhere, if nobody asked. */
static struct zs_backup_member *member_of(struct backup *b, const struct record *rec)
{
	const struct zs_backup_settings *s = b->settings;

	return s->members && rec->member < s->member_count ? &s->members[rec->member] : &b->anyone;
}

/* And the same of the part. */
static int part_of(struct backup *b, const struct record *rec, struct zs_backup_part **out, struct zs_err *err)
{
	struct zs_backup_member *m = member_of(b, rec);

	*out = &b->no_part;
	if (rec->part == 0 || m == &b->anyone)
		return 0;
	if (rec->part > m->part_count) {
		struct zs_backup_part *grown = realloc(m->parts, rec->part * sizeof *grown);

		if (!grown)
			return zs_fail_nomem(err);
		memset(grown + m->part_count, 0, (rec->part - m->part_count) * sizeof *grown);
		m->parts = grown;
		m->part_count = rec->part;
	}
	*out = &m->parts[rec->part - 1];
	return 0;
}

static int count_part(struct backup *b, const struct record *rec, const struct zs_entry *e, struct zs_err *err)
{
	struct zs_backup_part *p;

	if (part_of(b, rec, &p, err) < 0)
		return -1;
	p->files += e->kind == ZS_ENTRY_FILE;
	p->bytes += e->kind == ZS_ENTRY_FILE ? e->size : 0;
	p->files_new += e->kind != ZS_ENTRY_DIR && rec->change == CHANGE_NEW;
	p->files_changed += e->kind != ZS_ENTRY_DIR && rec->change == CHANGE_MODIFIED;
	return 0;
}

static void count_entry(struct backup *b, const struct record *rec, const struct zs_entry *e)
{
	struct zs_backup_report *rep = b->report;
	struct zs_backup_member *m = member_of(b, rec);
	enum change change = rec->change;

	m->entries++;
	m->files += e->kind == ZS_ENTRY_FILE;
	m->bytes += e->kind == ZS_ENTRY_FILE ? e->size : 0;
	m->files_new += e->kind != ZS_ENTRY_DIR && change == CHANGE_NEW;
	m->files_changed += e->kind != ZS_ENTRY_DIR && change == CHANGE_MODIFIED;
	if (e->kind == ZS_ENTRY_DIR) {
		rep->dirs++;
		return;
	}
	rep->files_unmodified += change == CHANGE_NONE;
	rep->files_new += change == CHANGE_NEW;
	rep->files_changed += change == CHANGE_MODIFIED;
	b->progress.files++;
	b->progress.bytes += e->kind == ZS_ENTRY_FILE ? e->size : 0;
}

/* From now on the scan may give this content to other items: its chunks are stored. */
static int share(struct backup *b, const struct record *rec, struct zs_span encoded, struct zs_err *err)
{
	struct zs_span unused;
	int rc = 0;

	(void)pthread_mutex_lock(&b->shared_lock);
	if (!backup_links_find(b->shared, rec->link_dev, rec->link_ino, &unused))
		rc = backup_links_add(b->shared, rec->link_dev, rec->link_ino, encoded, err);
	(void)pthread_mutex_unlock(&b->shared_lock);
	return rc;
}

static int sink_entry(struct backup *b, const struct record *rec, struct zs_span path, struct zs_span encoded, struct zs_err *err)
{
	struct zs_entry e;

	if (rec->is_shared && encoded.n > 0 && share(b, rec, encoded, err) < 0)
		return -1;
	if (!rec->is_shared && rec->link_ino != 0 && rec->type == RECORD_ENTRY &&
	    backup_links_add(b->sink_links, rec->link_dev, rec->link_ino, encoded, err) < 0)
		return -1;
	if (encoded.n == 0) /* could not be read: named already */
		return 0;
	if (zs_format_entry_decode(encoded, &e, err) < 0)
		return -1;
	count_entry(b, rec, &e);
	if (rec->part && count_part(b, rec, &e, err) < 0)
		return -1;
	return zs_tree_builder_add(b->tree, path, encoded, err);
}

/* Another name of a file that came before: its content, this name's own item data. */
static void merge_link(const struct zs_entry *first, const struct zs_entry *name, struct zs_entry *out)
{
	*out = *first;
	/* The content was read before this name was looked at: a change in between must be read the next time. */
	out->identity = first->flags & ZS_ENTRY_UNSTABLE || first->mtime_ns != name->mtime_ns ? 0 : name->identity;
	out->flags = (first->flags & ~(unsigned)ZS_ENTRY_HAS_ITEM) | (name->flags & ZS_ENTRY_HAS_ITEM);
	out->item_id = name->item_id;
	out->item_folder = name->item_folder;
	out->item_flags = name->item_flags;
	out->item_tags = name->item_tags;
	out->item_date_ns = name->item_date_ns;
}

static int sink_link(struct backup *b, const struct record *rec, struct zs_span path, struct zs_span encoded, struct zs_err *err)
{
	struct zs_buf merged = ZS_BUF_INIT;
	struct zs_span first_bytes;
	struct zs_entry e, first, name;
	struct zs_err why = {0};
	int rc = -1;

	if (encoded.n == 0)
		return 0;
	if (!backup_links_find(b->sink_links, rec->link_dev, rec->link_ino, &first_bytes) || first_bytes.n == 0) {
		(void)zs_fail(&why, ZS_SOURCE, "the file could not be read under another of its names");
		zs_backup_problem(b->problems, path, &why);
		zs_source_failed(b->settings->source, rec->member, rec->part, &why);
		return 0;
	}
	if (zs_format_entry_decode(first_bytes, &first, err) < 0 || zs_format_entry_decode(encoded, &name, err) < 0)
		goto out;
	merge_link(&first, &name, &e);
	if (zs_format_entry_encode(&e, &merged, err) < 0)
		goto out;
	count_entry(b, rec, &e);
	if (rec->part && count_part(b, rec, &e, err) < 0)
		goto out;
	rc = zs_tree_builder_add(b->tree, path, zs_buf_span(&merged), err);
out:
	zs_buf_fini(&merged);
	return rc;
}

static int sink_chunk(struct backup *b, const struct record *rec, struct zs_span bytes, struct zs_err *err)
{
	uint64_t before = b->report->added_bytes;
	struct zs_backup_part *part;

	if (backup_put(b, rec->kind, &rec->id, bytes, err) < 0 || part_of(b, rec, &part, err) < 0)
		return -1;
	member_of(b, rec)->added_bytes += b->report->added_bytes - before;
	part->added_bytes += b->report->added_bytes - before;
	b->item_bytes += rec->bytes;
	return 0;
}

static int sink_record(struct backup *b, const struct batch *batch, const struct record *rec, struct zs_err *err)
{
	struct zs_span bytes = zs_span(batch->data.p + rec->at, rec->bytes);
	struct zs_span entry = zs_span(batch->data.p + rec->entry_at, rec->entry_bytes);
	int rc;

	if (rec->type == RECORD_CHUNK)
		return sink_chunk(b, rec, bytes, err);
	b->item_bytes = 0;
	rc = rec->type == RECORD_LINK ? sink_link(b, rec, bytes, entry, err) : sink_entry(b, rec, bytes, entry, err);
	if (rc == 0)
		b->progress.current = bytes;
	return rc;
}

int backup_sink(void *ctx, void *result, struct zs_err *err)
{
	struct backup *b = ctx;
	struct batch *batch = result;
	const struct zs_observer *o = b->settings->observer;
	int rc = 0;

	for (size_t i = 0, n = backup_batch_count(batch); rc == 0 && i < n; i++)
		rc = sink_record(b, batch, backup_batch_record(batch, i), err);
	b->report->read_bytes += batch->read_bytes;
	if (rc == 0 && o && o->progress) {
		b->progress.stored_bytes = zs_store_txn_stored_bytes(b->txn);
		b->progress.problems = backup_problems_count(b->problems);
		b->progress.bytes += b->item_bytes;
		o->progress(o->ctx, &b->progress);
		b->progress.bytes -= b->item_bytes;
	}
	b->progress.current = zs_span(NULL, 0);
	backup_batch_free(batch);
	return rc;
}
