/*
 * One item to be read: its blob, or what is made of its metadata or its blob.  A blob that is gone is looked for again where the
 * database says it is now.
 */
#include "zimbra_private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALENDAR_BYTES (64u << 20) /* blobs of calendar items that are looked into */

struct handle {
	struct zs_source_handle base;
	struct zimbra_source *source;
	struct zimbra_mailbox *mailbox;
	enum zimbra_what what;
	enum zimbra_from from;
	struct zimbra_row row; /* spans into bytes */
	struct zs_span folder_path;
	uint8_t bytes[];
};

struct reader {
	struct zs_source_reader base;
	struct zimbra_blob *blob; /* NULL: text */
	uint64_t key[2];	  /* of the blob; key[1] 0: none */
	int is_later;		  /* than its row in the snapshot says */
	struct zs_buf text;
	size_t at;
	int has_ended;
	struct zs_err why; /* what is wrong with what was given */
};

static const struct zs_source_ops table;

/* --------------------------------------------------------------------------- handles */

static struct zs_span put(uint8_t **at, struct zs_span s)
{
	uint8_t *p = *at;

	if (!s.p)
		return s;
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	*at += s.n;
	return zs_span(p, s.n);
}

int zimbra_handle_new(const struct zimbra_where *w, const struct zimbra_row *row, enum zimbra_what what, struct zs_source_handle **out, struct zs_err *err)
{
	struct zs_span metadata = what == ZIMBRA_VCARD ? row->metadata : zs_span(NULL, 0);
	size_t n = row->locator.n + row->digest.n + row->tags.n + row->uuid.n + metadata.n + w->folder_path.n;
	struct handle *h = malloc(sizeof *h + n);
	uint8_t *at;

	if (!h)
		return zs_fail_nomem(err);
	*h = (struct handle){.base = {&table}, .source = w->source, .mailbox = w->mailbox, .what = what, .from = w->from, .row = *row};
	at = h->bytes;
	h->row.locator = put(&at, row->locator);
	h->row.digest = put(&at, row->digest);
	h->row.tags = put(&at, row->tags);
	h->row.uuid = put(&at, row->uuid);
	h->row.metadata = put(&at, metadata);
	h->row.name = h->row.subject = zs_span(NULL, 0);
	h->folder_path = put(&at, w->folder_path);
	*out = &h->base;
	return 0;
}

static void handle_free(struct zs_source_handle *base)
{
	free(base);
}

static uint32_t content_half(const struct zimbra_row *row, enum zimbra_what what)
{
	uint64_t h = zs_hash64(row->size + what, row->digest);

	if (what == ZIMBRA_VCARD)
		h = zs_hash64(h + row->mod_metadata, row->metadata);
	if (row->digest.n == 0)
		h += row->mod_content;
	return (uint32_t)(h >> 32 ^ h) | 1u;
}

uint64_t zimbra_handle_identity(const struct zimbra_row *row, enum zimbra_what what, struct zs_span folder_path)
{
	const uint64_t numbers[] = {row->mod_metadata, row->mod_content, row->flags, (uint64_t)(row->unread + 1), (uint64_t)row->date_s};
	uint64_t h = zs_hash64(1, zs_span(numbers, sizeof numbers));

	h = zs_hash64(h + row->tags.n, row->tags);
	h = zs_hash64(h, folder_path);
	return (uint64_t)content_half(row, what) << 32 | (uint32_t)(h >> 32 ^ h);
}

static int same_content(const struct zs_source_handle *base, const struct zs_entry *old)
{
	const struct handle *h = (const struct handle *)base;

	return old->identity != 0 && (uint32_t)(old->identity >> 32) == content_half(&h->row, h->what) &&
	       (h->what != ZIMBRA_BLOB || old->size == h->row.size);
}

static int fill(struct zs_source_handle *base, struct zs_entry *e, struct zs_buf *storage, struct zs_err *err)
{
	const struct handle *h = (const struct handle *)base;
	size_t at = storage->n, n;

	if (zimbra_names_flags(h->row.flags, h->row.unread, storage, err) < 0)
		return -1;
	n = storage->n - at;
	e->flags |= ZS_ENTRY_HAS_ITEM;
	e->item_id = h->row.id;
	e->item_folder = h->folder_path;
	e->item_flags = zs_span(storage->p ? storage->p + at : NULL, n);
	e->item_tags = zimbra_names_tags(h->row.tags);
	e->item_date_ns = h->row.date_s * INT64_C(1000000000);
	return 0;
}

/* --------------------------------------------------------------------------- blobs */

static struct zimbra_blob_name name_of(const struct zimbra_row *row)
{
	return (struct zimbra_blob_name){.mailbox_id = row->mailbox_id, .item_id = row->id, .mod_content = row->mod_content, .size = row->size,
	    .locator = row->locator, .digest = row->digest};
}

/*
 * What content is known by: the file, by whichever of its names, with the size and digest that a row wants it to have.  A digest alone
 * would not do: it may be wrong (it is taken from whoever imports a message), and then only reading tells.
 */
static int make_key(const struct stat *st, const struct zimbra_blob_name *name, uint64_t out_key[2])
{
	const uint64_t file[] = {st->st_dev, st->st_ino, (uint64_t)st->st_size, (uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec, name->size};

	if (st->st_nlink < 2 || name->digest.n == 0)
		return 0;
	out_key[0] = zs_hash64(zs_hash64(1, zs_span(file, sizeof file)), name->digest);
	out_key[1] = zs_hash64(zs_hash64(2, zs_span(file, sizeof file)), name->digest) | 1u;
	return 1;
}

static int same_key(struct zs_source_handle *base, uint64_t out_key[2])
{
	const struct handle *h = (const struct handle *)base;
	const struct zimbra_blob_name name = name_of(&h->row);
	struct zs_buf path = ZS_BUF_INIT;
	struct zs_err ignored = {0};
	struct stat st;
	int rc;

	if (h->what != ZIMBRA_BLOB)
		return 0;
	rc = zimbra_volume_path(&h->source->volumes, &name, 0, &path, &ignored) == 0 && lstat((const char *)path.p, &st) == 0 && S_ISREG(st.st_mode) &&
	     make_key(&st, &name, out_key);
	zs_buf_fini(&path);
	return rc;
}

static int read_key(struct zs_source_reader *base, uint64_t out_key[2])
{
	const struct reader *r = (const struct reader *)base;

	memcpy(out_key, r->key, sizeof r->key);
	return r->key[1] != 0;
}

/* Is there still a mailbox?  If not, its account was deleted, or moved to another server, in the middle of its backup. */
static int check_mailbox(struct zimbra_source *s, const struct handle *h, struct zs_err *err)
{
	struct sql_result r;
	int found;

	if (sql_conn_queryf(&s->fresh, &r, err, "SELECT 1 FROM zimbra.mailbox WHERE id=%u", h->row.mailbox_id) < 0)
		return -1;
	found = sql_result_next(&r);
	sql_result_fini(&r);
	return found ? 0 : zs_fail(err, ZS_SOURCE, "mailbox %u was deleted while it was backed up: item %u was not read before", h->row.mailbox_id, h->row.id);
}

/* The row as it is now: 1; -1, also ZS_NOTFOUND: it was deleted. */
static int ask_again(const struct handle *h, struct zimbra_batch *out, struct zs_err *err)
{
	struct zimbra_source *s = h->source;
	int rc;

	(void)pthread_mutex_lock(&s->lock);
	rc = zimbra_items_again(s, h->mailbox->group, &h->row, h->from, out, err);
	if (rc == 0 && (rc = check_mailbox(s, h, err)) == 0) {
		h->mailbox->deleted++;
		rc = zs_fail(err, ZS_NOTFOUND, "it was deleted after the snapshot was taken");
	}
	(void)pthread_mutex_unlock(&s->lock);
	if (rc < 0 && err->cause == ZS_NOTFOUND)
		zimbra_note(s, ZS_NOTE_INFO, "%s: item %u was deleted after the snapshot was taken, before it was read", h->mailbox->name, h->row.id);
	return rc;
}

/* By what its row says now: moved to another volume, to the dumpster, or a later version.  As zimbra_blob_open; -1 also ZS_NOTFOUND. */
static int open_again(const struct handle *h, struct reader *out, struct zs_err *err)
{
	struct zimbra_batch b = {0};
	int rc = ask_again(h, &b, err);

	if (rc > 0) {
		const struct zimbra_blob_name now = name_of(&b.rows[0]);

		rc = now.digest.p || now.locator.p ? zimbra_blob_open(&h->source->volumes, &now, &out->blob, err) : 0;
		out->is_later = now.size != h->row.size || !zs_span_eq(now.digest, h->row.digest);
		if (rc > 0 && !make_key(zimbra_blob_stat(out->blob), &now, out->key))
			out->key[1] = 0;
	}
	zimbra_batch_fini(&b);
	if (rc > 0 && out->is_later) {
		(void)pthread_mutex_lock(&h->source->lock);
		h->mailbox->rewritten++;
		(void)pthread_mutex_unlock(&h->source->lock);
	}
	return rc;
}

static int open_blob(const struct handle *h, struct reader *out, struct zs_err *err)
{
	const struct zimbra_blob_name name = name_of(&h->row);
	struct zs_buf path = ZS_BUF_INIT;
	struct zs_err ignored = {0};
	int rc;

	if (!h->row.digest.p && !h->row.locator.p)
		return zs_fail(err, ZS_SOURCE, "item %u of mailbox %u has no blob", h->row.id, h->row.mailbox_id);
	rc = zimbra_blob_open(&h->source->volumes, &name, &out->blob, err);
	if (rc > 0 && !make_key(zimbra_blob_stat(out->blob), &name, out->key))
		out->key[1] = 0;
	if (rc == 0)
		rc = open_again(h, out, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (zimbra_volume_path(&h->source->volumes, &name, 0, &path, &ignored) == 0)
		(void)zs_fail(err, ZS_SOURCE, "item %u of mailbox %u: its blob %s is missing", h->row.id, h->row.mailbox_id, (const char *)path.p);
	else
		(void)zs_fail(err, ZS_SOURCE, "item %u of mailbox %u: its blob is missing", h->row.id, h->row.mailbox_id);
	zs_buf_fini(&path);
	return -1;
}

/* ------------------------------------------------------------------------- made texts */

static int make_vcard(const struct handle *h, struct zs_buf *out, struct zs_err *err)
{
	struct zimbra_meta *meta = NULL;
	int rc;

	if (zimbra_metadata_parse(h->row.metadata, &meta, err) < 0)
		return zs_context(err, "item %u of mailbox %u: its metadata (the row is in the backup as it is)", h->row.id, h->row.mailbox_id);
	rc = zimbra_vcard_write(zimbra_metadata_top(meta), h->row.uuid, out, err);
	zimbra_metadata_free(meta);
	return rc;
}

/* The blob itself is an entry of its own: what is wrong with it is said there. */
static int make_calendar(const struct handle *h, struct reader *r, struct zs_err *err)
{
	struct zs_buf bytes = ZS_BUF_INIT;
	size_t n = 0;
	int rc = open_blob(h, r, err);

	if (rc == 0 && h->row.size > CALENDAR_BYTES)
		rc = zs_fail(err, ZS_SOURCE, "item %u of mailbox %u is too large a calendar item to look into", h->row.id, h->row.mailbox_id);
	do {
		if (rc == 0)
			rc = zs_buf_reserve(&bytes, 64u << 10, err);
		if (rc == 0)
			rc = zimbra_blob_read(r->blob, bytes.p + bytes.n, 64u << 10, &n, err);
		if (rc == 0)
			bytes.n += n;
	} while (rc == 0 && n > 0);
	if (rc < 0 && bytes.n > 0 && err->cause == ZS_SOURCE) {
		zs_err_clear(err);
		rc = 0;
	}
	if (rc == 0 && zimbra_calendar_extract(zs_buf_span(&bytes), &r->text, err) < 0)
		rc = -1;
	zimbra_blob_free(r->blob);
	r->blob = NULL; /* the reader is of the text */
	r->key[1] = 0;
	zs_buf_fini(&bytes);
	return rc;
}

/* ---------------------------------------------------------------------------- reading */

static int open_item(struct zs_source_handle *base, struct zs_source_reader **out, struct zs_err *err)
{
	const struct handle *h = (const struct handle *)base;
	struct reader *r = calloc(1, sizeof *r);
	int rc;

	if (!r)
		return zs_fail_nomem(err);
	r->base.ops = &table;
	if (h->what == ZIMBRA_BLOB)
		rc = open_blob(h, r, err);
	else
		rc = h->what == ZIMBRA_VCARD ? make_vcard(h, &r->text, err) : make_calendar(h, r, err);
	if (rc < 0) {
		zs_buf_fini(&r->text);
		free(r);
		return -1;
	}
	*out = &r->base;
	return 0;
}

/* What is wrong with a blob is found out at its end; what there is of it is kept all the same. */
static int read_item(struct zs_source_reader *base, void *p, size_t n, size_t *out_n, uint64_t *out_hole, struct zs_err *err)
{
	struct reader *r = (struct reader *)base;

	*out_n = 0;
	*out_hole = 0;
	if (r->has_ended)
		return 0;
	if (!r->blob) {
		*out_n = n < r->text.n - r->at ? n : r->text.n - r->at;
		if (*out_n > 0)
			memcpy(p, r->text.p + r->at, *out_n);
		r->at += *out_n;
		return 0;
	}
	if (zimbra_blob_read(r->blob, p, n, out_n, &r->why) == 0) {
		r->has_ended = *out_n == 0;
		return 0;
	}
	r->has_ended = 1;
	*out_n = 0;
	if (r->why.cause == ZS_SOURCE)
		return 0;
	*err = r->why;
	return -1;
}

/* Size and digest tell whether it changed: another link to the file would move its ctime. */
static int close_item(struct zs_source_reader *base, int *out_changed, struct zs_err *err)
{
	struct reader *r = (struct reader *)base;
	struct zs_err why = r->why;

	*out_changed = r->is_later ? ZS_CONTENT_LATER : ZS_CONTENT_AS_LISTED;
	zimbra_blob_free(r->blob);
	zs_buf_fini(&r->text);
	free(r);
	if (why.cause != ZS_SOURCE)
		return 0;
	*err = why;
	return -1;
}

static const struct zs_source_ops table = {
	.fill = fill,
	.same_content = same_content,
	.same_key = same_key,
	.read_key = read_key,
	.open = open_item,
	.read = read_item,
	.close = close_item,
	.handle_free = handle_free,
};
