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

static int sink_entry(struct backup *b, const struct record *rec, struct zs_span path, struct zs_span encoded, struct zs_err *err)
{
	struct zs_entry e;

	if (rec->link_ino != 0 && rec->type == RECORD_ENTRY &&
	    backup_links_add(b->sink_links, rec->link_dev, rec->link_ino, encoded, err) < 0)
		return -1;
	if (encoded.n == 0) /* could not be read: named already */
		return 0;
	if (zs_format_entry_decode(encoded, &e, err) < 0)
		return -1;
	count_entry(b, rec, &e);
	return zs_tree_builder_add(b->tree, path, encoded, err);
}

/* Another name of a file that came before: its content, this name's own item data. */
static int sink_link(struct backup *b, const struct record *rec, struct zs_span path, struct zs_span encoded, struct zs_err *err)
{
	struct zs_buf merged = ZS_BUF_INIT;
	struct zs_span first;
	struct zs_entry e, name;
	struct zs_err why = {0};
	int rc = -1;

	if (encoded.n == 0)
		return 0;
	if (!backup_links_find(b->sink_links, rec->link_dev, rec->link_ino, &first) || first.n == 0) {
		(void)zs_fail(&why, ZS_SOURCE, "the file could not be read under another of its names");
		zs_backup_problem(b->problems, path, &why);
		return 0;
	}
	if (zs_format_entry_decode(first, &e, err) < 0 || zs_format_entry_decode(encoded, &name, err) < 0)
		goto out;
	/* The content was read before this name was looked at: a change in between must be read the next time. */
	e.identity = e.flags & ZS_ENTRY_UNSTABLE || e.mtime_ns != name.mtime_ns ? 0 : name.identity;
	e.flags = (e.flags & ~(unsigned)ZS_ENTRY_HAS_ITEM) | (name.flags & ZS_ENTRY_HAS_ITEM);
	e.item_id = name.item_id;
	e.item_folder = name.item_folder;
	e.item_flags = name.item_flags;
	e.item_tags = name.item_tags;
	e.item_date_ns = name.item_date_ns;
	if (zs_format_entry_encode(&e, &merged, err) < 0)
		goto out;
	count_entry(b, rec, &e);
	rc = zs_tree_builder_add(b->tree, path, zs_buf_span(&merged), err);
out:
	zs_buf_fini(&merged);
	return rc;
}

static int sink_record(struct backup *b, const struct batch *batch, const struct record *rec, struct zs_err *err)
{
	struct zs_span bytes = zs_span(batch->data.p + rec->at, rec->bytes);
	struct zs_span entry = zs_span(batch->data.p + rec->entry_at, rec->entry_bytes);
	int rc;

	if (rec->type == RECORD_CHUNK) {
		uint64_t before = b->report->added_bytes;

		rc = backup_put(b, rec->kind, &rec->id, bytes, err);
		member_of(b, rec)->added_bytes += b->report->added_bytes - before;
		b->item_bytes += rec->bytes;
		return rc;
	}
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
