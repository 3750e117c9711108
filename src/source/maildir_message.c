/*
 * Files of a Maildir as items: content as every file's, and for messages what name and
 * folder say of them.  A message that has moved since it was listed is looked for when
 * it is needed.
 */
#include "maildir_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct message {
	struct zs_source_handle base;
	struct files_handle *file;     /* where it is, as far as is known; owned */
	struct maildir_folder *folder; /* with its account counted; NULL: no message */
	uint64_t identity;	       /* of the file alone */
	uint64_t ino;
	int64_t size, mtime_ns;
	size_t name_n;
	char name[]; /* as listed */
};

static struct zs_span name_of(const struct message *m)
{
	return zs_span(m->name, m->name_n);
}

static void message_free(struct zs_source_handle *base)
{
	struct message *m = (struct message *)base;

	walker_handle_free(m->file ? &m->file->base : NULL);
	if (m->folder)
		maildir_account_unref(m->folder->account);
	free(m);
}

/* ------------------------------------------------------------------- where it is */

static int is_there(const struct message *m)
{
	int at, closes, rc;
	struct stat st;

	if (dirs_open(m->file->dir, &at, &closes) < 0)
		return 0;
	rc = fstatat(at, m->file->name, &st, AT_SYMLINK_NOFOLLOW);
	if (closes)
		(void)close(at);
	return rc == 0;
}

/* The handle points to where want says now. */
static int move_to(struct message *m, const struct maildir_want *want, struct zs_err *err)
{
	struct dirs *all = m->file->dir->all;
	struct dir *dir = dirs_new(all, want->folder->dir, maildir_look_dir(want->kind), 3);
	size_t n = strlen(want->name);
	struct files_handle *h = dir ? malloc(sizeof *h + n + 1) : NULL;

	if (!h) {
		dirs_unref(dir);
		return zs_fail_nomem(err);
	}
	*h = *m->file;
	h->dir = dir;
	h->name_n = n;
	memcpy(h->name, want->name, n + 1);
	walker_handle_free(&m->file->base);
	m->file = h;
	return 0;
}

/* 1 found, 0 deleted, -1. */
static int look_for(struct message *m, struct zs_err *err)
{
	struct maildir_want want = {.ino = m->ino, .size = m->size, .mtime_ns = m->mtime_ns};
	struct maildir_name name;

	maildir_name_parse(name_of(m), &name);
	want.base = name.base;
	if (maildir_look(m->folder, &want, 1, err) < 0)
		return -1;
	if (!want.folder)
		return 0;
	return move_to(m, &want, err) < 0 ? -1 : 1;
}

static int fail_deleted(const struct message *m, struct zs_err *err)
{
	char text[DIRS_TEXT];

	if (m->folder)
		(void)atomic_fetch_add_explicit(&m->folder->account->stats->deleted, 1, memory_order_relaxed);
	return zs_fail(err, ZS_NOTFOUND, "%s was deleted", dirs_text(m->file->dir, m->file->name, text));
}

static int message_open(struct zs_source_handle *base, struct zs_source_reader **out, struct zs_err *err)
{
	struct message *m = (struct message *)base;
	int rc;

	for (int i = 0; i < MAILDIR_LOOKS; i++) {
		if (reader_open(&m->file->base, out, err) == 0)
			return 0;
		if (err->sys != ENOENT)
			return -1;
		if (!m->folder)
			return fail_deleted(m, err);
		rc = look_for(m, err);
		if (rc <= 0)
			return rc < 0 ? -1 : fail_deleted(m, err);
		if (i == 0)
			(void)atomic_fetch_add_explicit(&m->folder->account->stats->renamed, 1, memory_order_relaxed);
	}
	return zs_fail(err, ZS_SOURCE, "it got one other name after the other while it was looked for");
}

/* ---------------------------------------------------------------------- filling */

/* Flags, folder and the rest behind what is in storage; what entry has there moves with it. */
static int add_item(const struct message *m, struct zs_entry *e, struct zs_buf *storage, struct zs_err *err)
{
	size_t xattrs_at = e->xattrs.n ? (size_t)(e->xattrs.p - storage->p) : 0, folder_at = storage->n, flags_at, tags_at;
	const struct maildir_folder *f = m->folder;
	struct maildir_name name;

	maildir_name_parse(name_of(m), &name);
	if (zs_buf_add_span(storage, zs_buf_span(&f->name), err) < 0)
		return -1;
	flags_at = storage->n;
	if (maildir_name_flags(&name, storage, err) < 0)
		return -1;
	tags_at = storage->n;
	if (maildir_name_tags(&name, &f->keywords, storage, err) < 0)
		return -1;
	e->flags |= ZS_ENTRY_HAS_ITEM;
	e->item_folder = zs_span(storage->p + folder_at, flags_at - folder_at);
	e->item_flags = zs_span(storage->p + flags_at, tags_at - flags_at);
	e->item_tags = zs_span(storage->p + tags_at, storage->n - tags_at);
	e->item_date_ns = name.date_ns != INT64_MIN ? name.date_ns : m->mtime_ns;
	if (e->xattrs.n)
		e->xattrs.p = storage->p + xattrs_at;
	return 0;
}

static int message_fill(struct zs_source_handle *base, struct zs_entry *e, struct zs_buf *storage, struct zs_err *err)
{
	struct message *m = (struct message *)base;
	int found = 1;

	if (m->folder && !is_there(m) && (found = look_for(m, err)) < 0)
		return -1;
	if (found && fill_entry(&m->file->base, e, storage, err) < 0)
		return -1; /* if it is gone, open says so */
	return m->folder ? add_item(m, e, storage, err) : 0;
}

/* -------------------------------------------------------------------- identity */

/* What a keyword is called may change without the file. */
static uint64_t with_tags(uint64_t identity, struct zs_span tags)
{
	uint8_t both[16];
	uint64_t sum;

	if (!identity || !tags.n)
		return identity;
	zs_put_u64(both, identity);
	zs_put_u64(both + 8, zs_hash64(0, tags));
	sum = zs_hash64(0, zs_span(both, sizeof both));
	return sum ? sum : 1;
}

static int message_same_content(const struct zs_source_handle *base, const struct zs_entry *old)
{
	const struct message *m = (const struct message *)base;

	return m->folder && old->identity && with_tags(m->identity, old->item_tags) == old->identity;
}

static int message_identity(struct message *m, struct zs_entry *e, struct zs_err *err)
{
	struct zs_buf tags = ZS_BUF_INIT;
	struct maildir_name name;
	int rc;

	m->identity = e->identity;
	maildir_name_parse(name_of(m), &name);
	rc = maildir_name_tags(&name, &m->folder->keywords, &tags, err);
	e->identity = with_tags(m->identity, zs_buf_span(&tags));
	zs_buf_fini(&tags);
	return rc;
}

/* ---------------------------------------------------------------------- making */

static const struct zs_source_ops file_ops = {.read = reader_read, .close = reader_close};
static const struct zs_source_ops message_ops = {
	.fill = message_fill,
	.same_content = message_same_content,
	.open = message_open,
	.handle_free = message_free,
};

int maildir_message_item(struct walker *w, struct walker_place *at, const struct maildir_item *item, struct zs_source_item *out,
    struct zs_err *err)
{
	struct message *m;

	at->ops = &file_ops;
	if (walker_entry(w, at, out) != 1)
		return WALKER_AGAIN;
	m = calloc(1, sizeof *m + item->name.n + 1);
	if (!m)
		return zs_fail_nomem(err);
	*m = (struct message){.base = {&message_ops}, .folder = item->folder, .ino = at->st->st_ino, .size = at->st->st_size,
	    .mtime_ns = walker_ns(at->st->st_mtim), .name_n = item->name.n};
	if (item->name.n)
		memcpy(m->name, item->name.p, item->name.n);
	if (m->folder)
		(void)maildir_account_ref(m->folder->account);
	if (!(m->file = walker_handle(w, at))) {
		message_free(&m->base);
		return zs_fail_nomem(err);
	}
	m->file->lenient = m->folder ? FILES_RENAMES : FILES_REPLACED;
	if (m->folder && message_identity(m, &out->entry, err) < 0) {
		message_free(&m->base);
		return -1;
	}
	out->handle = &m->base;
	return 1;
}
