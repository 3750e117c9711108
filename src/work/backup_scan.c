/*
 * The scan: one streaming merge of the source with the previous tree.  What the
 * source vouches for as unchanged is taken over with its entry; everything else
 * becomes work for the readers.  Nothing is read here but names and the old tree.
 */
#include <stdlib.h>
#include <string.h>

#include "backup_private.h"

#define JOB_BYTES (1u << 20) /* content that one job asks for, unless one file is larger */
#define ARENA_BYTES (128u << 10)
#define PROOFS_CACHE_BYTES (8u << 20)

struct scan {
	struct backup *b;
	struct zs_tree_cursor *old; /* NULL: no previous snapshot */
	struct zs_store_reader *reader;
	struct zs_tree_io nodes; /* of the old tree */
	const struct zs_snapshot *previous;
	struct zs_store_reader *proofs; /* a reader of their own: they stand elsewhere in the tree than the cursor; NULL: not needed yet */
	struct moved *moved; /* NULL: not needed yet */
	int old_is_gone;	 /* a node could not be read because its pack is missing */
	struct zs_buf old_path, old_bytes; /* of the cursor's entry: it stands at or after the current item */
	int old_valid;
	int prove_reused; /* packs are condemned: what is reused must be shown to be elsewhere */
	struct links *links;
	struct zs_buf shared_bytes; /* an entry that has the current item's content */
	struct job *job;
};

struct job *backup_job_new(size_t arena_size)
{
	struct job *j = malloc(sizeof *j);

	if (!j)
		return NULL;
	j->count = 0;
	j->bytes = 0;
	j->arena_used = 0;
	j->arena_size = arena_size;
	if (!(j->arena = malloc(arena_size))) {
		free(j);
		return NULL;
	}
	return j;
}

void backup_job_free(struct job *j)
{
	if (!j)
		return;
	for (unsigned i = 0; i < j->count; i++)
		zs_source_handle_free(j->items[i].handle);
	free(j->arena);
	free(j);
}

/* The caller has made room. */
static struct zs_span job_keep(struct job *j, struct zs_span s)
{
	uint8_t *at = j->arena + j->arena_used;

	if (s.n == 0)
		return zs_span(NULL, 0);
	memcpy(at, s.p, s.n);
	j->arena_used += s.n;
	return zs_span(at, s.n);
}

static int scan_push(struct scan *s, struct zs_err *err)
{
	struct job *j = s->job;

	s->job = NULL;
	if (!j)
		return 0;
	return zs_pipeline_push(s->b->reading, j, err);
}

/* A job with room for one more item of that many arena bytes. */
static int scan_room(struct scan *s, size_t bytes, uint64_t content, struct zs_err *err)
{
	struct job *j = s->job;

	if (j && (j->count == JOB_ITEMS || j->arena_size - j->arena_used < bytes ||
		     (j->bytes > 0 && content > 0 && j->bytes + content > JOB_BYTES)) &&
	    scan_push(s, err) < 0)
		return -1;
	if (!s->job && !(s->job = backup_job_new(bytes > ARENA_BYTES ? bytes : ARENA_BYTES)))
		return zs_fail_nomem(err);
	return 0;
}

/* How an item is to be made into an entry. */
struct verdict { enum item_action action; int known; struct zs_span encoded; };

static int scan_add(struct scan *s, struct zs_source_item *src, const struct verdict *v, struct zs_err *err)
{
	enum item_action action = v->action;
	struct zs_span encoded = v->encoded;
	int known = v->known;
	const struct zs_entry *e = &src->entry;
	uint64_t content = action == ITEM_READ ? e->size : 0;
	struct item *it;

	if (scan_room(s, src->path.n + encoded.n + e->user.n + e->group.n + e->target.n, content, err) < 0)
		return -1;
	it = &s->job->items[s->job->count++];
	*it = (struct item){.action = action, .content = src->content, .member = src->member, .part = src->part, .known = known};
	it->path = job_keep(s->job, src->path);
	it->encoded = job_keep(s->job, encoded);
	if (action != ITEM_READY) {
		it->entry = *e;
		it->entry.user = job_keep(s->job, e->user);
		it->entry.group = job_keep(s->job, e->group);
		it->entry.target = job_keep(s->job, e->target);
		it->handle = src->handle;
		src->handle = NULL;
	}
	s->job->bytes += content;
	if (s->job->bytes >= JOB_BYTES)
		return scan_push(s, err);
	return 0;
}

/*
 * Is the chunk nowhere, or in a pack that counts as absent?  Then nobody relies on it: what it held is stored again.  A
 * pack that is condemned when we begin may be deleted while we run.
 */
static int scan_is_gone(struct scan *s, const struct zs_id *id)
{
	struct zs_err ignored = {0};
	struct zs_location at;
	int known = zs_store_locate(s->reader, id, &at, &ignored);

	return known == 0 || (known > 0 && s->prove_reused && zs_store_pack_condemned(s->b->txn, at.pack));
}

static int scan_node(void *ctx, const struct zs_id *id, struct zs_buf *out, struct zs_err *err)
{
	struct scan *s = ctx;

	if (s->nodes.get(s->nodes.ctx, id, out, err) == 0)
		return 0;
	s->old_is_gone = err->cause == ZS_CORRUPT && scan_is_gone(s, id);
	return -1;
}

static void scan_drop_old(struct scan *s)
{
	zs_tree_cursor_free(s->old);
	s->old = NULL;
	s->old_valid = 0;
}

/* The old tree cannot be read on: if its packs are missing, that is told and everything is read again. */
static int scan_lost_old(struct scan *s, struct zs_err *err)
{
	const struct zs_observer *o = s->b->settings->observer;

	(void)zs_context(err, "previous snapshot's tree");
	if (!s->old_is_gone)
		return -1;
	if (o && o->problem)
		o->problem(o->ctx, zs_span_str("previous snapshot"), err);
	zs_err_clear(err);
	scan_drop_old(s);
	return 0;
}

/* Move the old tree's cursor to the first entry at or after path; 1 if it is that path. */
static int scan_old(struct scan *s, struct zs_span path, struct zs_err *err)
{
	struct zs_span old_path, old_entry;
	int cmp = s->old_valid ? zs_path_cmp(zs_buf_span(&s->old_path), path) : -1;
	int found;

	while (s->old && cmp < 0) {
		if ((found = zs_tree_cursor_next(s->old, &old_path, &old_entry, err)) < 0)
			return scan_lost_old(s, err);
		if (found == 0) {
			scan_drop_old(s);
			return 0;
		}
		s->old_valid = 1;
		cmp = zs_path_cmp(old_path, path);
		if (cmp < 0)
			continue;
		zs_buf_clear(&s->old_path);
		zs_buf_clear(&s->old_bytes);
		if (zs_buf_add_span(&s->old_path, old_path, err) < 0 || zs_buf_add_span(&s->old_bytes, old_entry, err) < 0)
			return -1;
	}
	return s->old_valid && cmp == 0;
}

struct presence {
	struct scan *s;
	int missing, is_gone; /* is_gone: of the recipe itself a part could not be read for that reason */
};

static int presence_chunk(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err)
{
	struct presence *p = ctx;

	if (zs_store_read(p->s->reader, id, out, err) == 0)
		return 0;
	p->is_gone = err->cause == ZS_CORRUPT && scan_is_gone(p->s, id);
	return -1;
}

static int presence_ref(void *ctx, const struct zs_id *id, uint32_t bytes, struct zs_err *err)
{
	struct presence *p = ctx;
	struct zs_location at;
	int known = zs_store_locate(p->s->reader, id, &at, err);

	(void)bytes;
	if (known < 0)
		return -1;
	p->missing |= known == 0 || zs_store_pack_condemned(p->s->b->txn, at.pack);
	return 0;
}

/*
 * An old entry's chunks are safe as long as no pack was condemned before this session began; where some are, each chunk is looked
 * up, and one that would go makes the file be read again.  1 safe, 0, -1.
 */
static int scan_is_safe(struct scan *s, const struct zs_entry *old, struct zs_err *err)
{
	struct presence p = {.s = s};

	if (s->prove_reused && zs_mail_refs(old, presence_chunk, presence_ref, &p, err) < 0) {
		if (!p.is_gone)
			return -1;
		zs_err_clear(err);
	}
	return !p.missing && !p.is_gone;
}

/* What may be taken over of the old entry: all of it (ITEM_READY), its content (ITEM_META), nothing (ITEM_READ). */
static int scan_reusable(struct scan *s, const struct zs_source_item *src, enum item_action *out, struct zs_err *err)
{
	struct zs_entry old;
	int is_safe;

	*out = ITEM_READ;
	if (zs_format_entry_decode(zs_buf_span(&s->old_bytes), &old, err) < 0)
		return zs_context(err, "previous snapshot's tree");
	if (old.kind != src->entry.kind)
		return 0;
	if (old.identity != 0 && old.identity == src->entry.identity)
		*out = ITEM_READY;
	else if (old.kind == ZS_ENTRY_FILE && src->handle && zs_source_same_content(src->handle, &old))
		*out = ITEM_META;
	if (*out == ITEM_READ)
		return 0;
	if ((is_safe = scan_is_safe(s, &old, err)) < 0)
		return -1;
	if (!is_safe)
		*out = ITEM_READ;
	return 0;
}

/* Was it under another path?  What is younger than the previous snapshot was not.  1 with its entry in s->shared_bytes, 0, -1 */
static int scan_moved(struct scan *s, const struct zs_source_item *src, struct zs_err *err)
{
	struct zs_entry old;
	int rc;

	if (!src->home.n || !s->previous || s->old_is_gone || (s->b->settings->flags & ZS_BACKUP_FORCE) ||
	    src->entry.mtime_ns >= s->previous->time_ns)
		return 0;
	if (!s->moved && !(s->moved = backup_moved_new(&s->nodes, &s->previous->root)))
		return zs_fail_nomem(err);
	if ((rc = backup_moved_find(s->moved, src, &s->shared_bytes, err)) <= 0)
		return rc;
	if (zs_format_entry_decode(zs_buf_span(&s->shared_bytes), &old, err) < 0)
		return -1;
	return scan_is_safe(s, &old, err);
}

/* Has another item, that was read already, the same content?  1 with its entry in s->shared_bytes, 0, -1 */
static int scan_shared(struct scan *s, struct zs_source_item *src, struct zs_err *err)
{
	struct backup *b = s->b;
	struct zs_span entry;
	uint64_t key[2];
	int rc;

	if (!zs_source_same_key(src->handle, key))
		return 0;
	zs_buf_clear(&s->shared_bytes);
	(void)pthread_mutex_lock(&b->shared_lock);
	rc = backup_links_find(b->shared, key[0], key[1], &entry);
	if (rc > 0 && zs_buf_add_span(&s->shared_bytes, entry, err) < 0)
		rc = -1;
	(void)pthread_mutex_unlock(&b->shared_lock);
	return rc;
}

/* What must be read, unless it is another name of what was read, or will be. */
static int scan_new(struct scan *s, struct zs_source_item *src, int known, struct zs_err *err)
{
	const struct zs_entry *e = &src->entry;
	struct verdict v = {.action = ITEM_READ, .known = known};
	struct zs_span unused;
	int shared;

	if (e->kind != ZS_ENTRY_FILE || !src->handle)
		return scan_add(s, src, &v, err);
	if (e->link_ino == 0) {
		shared = scan_shared(s, src, err);
		if (shared == 0 && !known)
			shared = scan_moved(s, src, err);
		if (shared < 0)
			return -1;
		if (shared) {
			v.action = ITEM_META;
			v.encoded = zs_buf_span(&s->shared_bytes);
		}
	} else if (backup_links_find(s->links, e->link_dev, e->link_ino, &unused)) {
		v.action = ITEM_LINK;
	} else if (backup_links_add(s->links, e->link_dev, e->link_ino, zs_span(NULL, 0), err) < 0) {
		return -1;
	}
	return scan_add(s, src, &v, err);
}

static int scan_item(struct scan *s, struct zs_source_item *src, int *out_known, struct zs_err *err)
{
	struct verdict v = {.action = ITEM_READ};

	if ((v.known = *out_known = scan_old(s, src->path, err)) < 0)
		return -1;
	if (v.known && !(s->b->settings->flags & ZS_BACKUP_FORCE) && scan_reusable(s, src, &v.action, err) < 0)
		return -1;
	if (v.action == ITEM_READ)
		return scan_new(s, src, v.known, err);
	v.encoded = zs_buf_span(&s->old_bytes);
	return scan_add(s, src, &v, err);
}

/* ------------------------------------------------- directories as they were before */

/* 1 if the previous snapshot proves that nothing below the directory changed, 0. */
static int scan_proven(struct scan *s, const struct zs_source_item *src, struct zs_err *err)
{
	struct zs_buf bytes = ZS_BUF_INIT;
	struct zs_tree_io nodes;
	struct zs_entry e;
	int rc;

	if (src->proof_identity == 0 || !s->old || s->prove_reused || (s->b->settings->flags & ZS_BACKUP_FORCE))
		return 0;
	if (!s->proofs && zs_store_reader_new(s->b->store, PROOFS_CACHE_BYTES, &s->proofs, err) < 0)
		return -1;
	nodes = zs_reader_tree_io(s->proofs);
	rc = zs_tree_lookup(&nodes, &s->previous->root, src->proof, &bytes, err);
	if (rc > 0 && (rc = zs_format_entry_decode(zs_buf_span(&bytes), &e, err)) == 0)
		rc = e.identity == src->proof_identity;
	zs_buf_fini(&bytes);
	if (rc < 0) { /* then it proves nothing */
		zs_err_clear(err);
		rc = 0;
	}
	return rc;
}

/* Everything that the previous snapshot has below the directory that src is. */
static int scan_take_below(struct scan *s, const struct zs_source_item *src, struct zs_err *err)
{
	struct zs_source_item below = {.member = src->member, .part = src->part};
	struct zs_buf dir = ZS_BUF_INIT;
	int rc = zs_buf_add_span(&dir, src->path, err);

	while (rc == 0) {
		struct verdict v = {.action = ITEM_READY, .known = 1};

		rc = zs_tree_cursor_next(s->old, &below.path, &v.encoded, err);
		if (rc <= 0) {
			if (rc == 0)
				scan_drop_old(s);
			break;
		}
		if (!zs_path_below(below.path, zs_buf_span(&dir))) {
			zs_buf_clear(&s->old_path);
			zs_buf_clear(&s->old_bytes);
			rc = zs_buf_add_span(&s->old_path, below.path, err);
			if (rc == 0)
				rc = zs_buf_add_span(&s->old_bytes, v.encoded, err);
			break;
		}
		if ((rc = backup_stopped(s->b, err)) == 0)
			rc = scan_add(s, &below, &v, err);
	}
	zs_buf_fini(&dir);
	return rc;
}

/* Some of it may have been given already, so it cannot be read instead: it is missing this time, and nothing proves it the next time. */
static int scan_lost_below(struct scan *s, const struct zs_source_item *src, struct zs_err *err)
{
	struct zs_err why = {0};

	if (!s->old_is_gone)
		return zs_context(err, "previous snapshot's tree");
	(void)zs_fail(&why, ZS_SOURCE, "a part of the previous snapshot is missing, and with it some of what is below: the next backup reads it again");
	zs_backup_problem(s->b->problems, src->path, &why);
	zs_source_failed(s->b->settings->source, src->member, src->part, &why);
	return scan_lost_old(s, err);
}

/* What next gave, and what is known of what is below it. */
static int scan_take(struct scan *s, struct zs_source_item *src, struct zs_err *err)
{
	int known, proven = scan_proven(s, src, err);

	if (proven < 0 || scan_item(s, src, &known, err) < 0)
		return -1;
	if (!proven || !known || !s->old)
		return 0;
	zs_source_skip(s->b->settings->source);
	if (scan_take_below(s, src, err) == 0)
		return 0;
	return scan_lost_below(s, src, err);
}

static int scan_all(struct scan *s, struct zs_err *err)
{
	struct zs_source_item src;
	int rc;

	for (;;) {
		memset(&src, 0, sizeof src);
		if ((rc = zs_source_next(s->b->settings->source, &src, err)) <= 0)
			break;
		rc = backup_stopped(s->b, err);
		if (rc == 0)
			rc = scan_take(s, &src, err);
		zs_source_handle_free(src.handle);
		if (rc == 0 && src.serial && (rc = scan_push(s, err)) == 0)
			rc = zs_pipeline_drain(s->b->reading, err);
		if (rc < 0)
			break;
	}
	return rc < 0 ? -1 : scan_push(s, err);
}

int backup_scan(struct backup *b, struct zs_store_reader *reader, const struct zs_snapshot *previous, struct zs_err *err)
{
	struct scan s = {.b = b, .reader = reader, .previous = previous, .nodes = zs_reader_tree_io(reader)};
	const struct zs_tree_io io = {.ctx = &s, .get = scan_node};
	int rc = -1;

	s.prove_reused = zs_store_has_condemned(b->txn);
	if (!(s.links = backup_links_new())) {
		zs_fail_nomem(err);
		goto out;
	}
	if (previous && zs_tree_cursor_new(&io, &previous->root, &s.old, err) < 0)
		goto out;
	rc = scan_all(&s, err);
out:
	backup_job_free(s.job);
	backup_links_free(s.links);
	zs_tree_cursor_free(s.old);
	zs_buf_fini(&s.old_path);
	zs_buf_fini(&s.old_bytes);
	zs_buf_fini(&s.shared_bytes);
	backup_moved_free(s.moved);
	zs_store_reader_free(s.proofs);
	return rc;
}
