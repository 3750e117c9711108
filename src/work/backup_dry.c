/*
 * Two readings of a tree that write nothing: what a backup would do (--dry-run), and
 * the proof that all that a finished snapshot refers to is still there.
 */
#include <string.h>

#include "backup_private.h"

#define CACHE_BYTES (16u << 20)

/* -------------------------------------------------------------------- dry run */

static void dry_count(struct backup *b, const struct zs_source_item *src, int known, int same)
{
	struct zs_backup_report *rep = b->report;
	const struct zs_entry *e = &src->entry;
	const struct zs_observer *o = b->settings->observer;
	struct zs_backup_member *m = b->settings->members && src->member < b->settings->member_count ?
	    &b->settings->members[src->member] : &b->anyone;

	rep->totals.entries++;
	m->entries++;
	m->files += e->kind == ZS_ENTRY_FILE;
	m->bytes += e->kind == ZS_ENTRY_FILE ? e->size : 0;
	m->files_new += e->kind != ZS_ENTRY_DIR && !known;
	m->files_changed += e->kind != ZS_ENTRY_DIR && known && !same;
	if (e->kind == ZS_ENTRY_DIR) {
		rep->dirs++;
	} else {
		rep->files_unmodified += same;
		rep->files_changed += known && !same;
		rep->files_new += !known;
		rep->totals.files += e->kind == ZS_ENTRY_FILE;
		rep->totals.bytes += e->kind == ZS_ENTRY_FILE ? e->size : 0;
		if (!same && e->kind == ZS_ENTRY_FILE)
			rep->read_bytes += e->size;
	}
	b->progress.files = rep->totals.files;
	b->progress.bytes = rep->totals.bytes;
	b->progress.current = src->path;
	if (o && o->progress)
		o->progress(o->ctx, &b->progress);
}

static int dry_item(struct backup *b, const struct zs_tree_io *io, const struct zs_id *root, const struct zs_source_item *src,
    struct zs_err *err)
{
	struct zs_buf old = ZS_BUF_INIT;
	struct zs_entry e;
	int known = 0, same = 0, rc = -1;

	if (root && (known = zs_tree_lookup(io, root, src->path, &old, err)) < 0)
		goto out;
	if (known && zs_format_entry_decode(zs_buf_span(&old), &e, err) < 0)
		goto out;
	same = known && e.identity != 0 && e.identity == src->entry.identity && !(b->settings->flags & ZS_BACKUP_FORCE);
	dry_count(b, src, known, same);
	rc = backup_stopped(b, err);
out:
	zs_buf_fini(&old);
	return rc;
}

int backup_dry_run(struct backup *b, const struct zs_id *previous_root, struct zs_err *err)
{
	struct zs_store_reader *reader = NULL;
	struct zs_source_item src;
	struct zs_tree_io io;
	int rc;

	if (zs_store_reader_new(b->store, CACHE_BYTES, &reader, err) < 0)
		return -1;
	io = zs_reader_tree_io(reader);
	rc = zs_source_prepare(b->settings->source, ZS_PHASE_CONNECT, err);
	while (rc == 0) {
		memset(&src, 0, sizeof src);
		if ((rc = zs_source_next(b->settings->source, &src, err)) <= 0)
			break;
		rc = dry_item(b, &io, previous_root, &src, err);
		zs_source_handle_free(src.handle);
	}
	zs_store_reader_free(reader);
	b->report->skipped = backup_problems_count(b->problems);
	b->report->partial = b->report->skipped > 0;
	return rc < 0 ? -1 : 0;
}

/* ---------------------------------------------------------------------- proof */

struct proof {
	struct zs_txn *txn;
	struct zs_store_reader *reader;
};

static int proof_has(struct proof *p, const struct zs_id *id, struct zs_err *err)
{
	int has = zs_store_has(p->txn, id, err);

	return has == 0 ? zs_fail(err, ZS_BUSY, "a chunk of the new snapshot was pruned meanwhile") : has < 0 ? -1 : 0;
}

static int proof_node(void *ctx, const struct zs_id *node, struct zs_err *err)
{
	return proof_has(ctx, node, err) < 0 ? -1 : 1;
}

static int proof_ref(void *ctx, const struct zs_id *id, uint32_t bytes, struct zs_err *err)
{
	(void)bytes;
	return proof_has(ctx, id, err);
}

static int proof_chunk(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err)
{
	return zs_store_read(((struct proof *)ctx)->reader, id, out, err);
}

static int proof_entry(void *ctx, struct zs_span path, struct zs_span entry, struct zs_err *err)
{
	struct zs_entry e;

	(void)path;
	if (zs_format_entry_decode(entry, &e, err) < 0)
		return -1;
	return zs_mail_refs(&e, proof_chunk, proof_ref, ctx, err);
}

int backup_prove(void *ctx, struct zs_txn *txn, const struct zs_snapshot *s, struct zs_err *err)
{
	struct backup *b = ctx;
	struct proof p = {.txn = txn};
	struct zs_tree_visit visit = {.ctx = &p, .enter = proof_node, .entry = proof_entry};
	struct zs_tree_io io;
	int rc;

	if (zs_store_reader_new(b->store, CACHE_BYTES, &p.reader, err) < 0)
		return -1;
	io = zs_reader_tree_io(p.reader);
	rc = zs_tree_visit(&io, &s->root, &visit, err);
	zs_store_reader_free(p.reader);
	return rc;
}
