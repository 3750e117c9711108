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

/* Equal digests are equal contents, where a file is linked, or may have been copied from volume to volume. */
static int same_key(struct zs_source_handle *base, uint64_t out_key[2])
{
	const struct handle *h = (const struct handle *)base;
	const struct zimbra_blob_name name = name_of(&h->row);
	struct zs_buf path = ZS_BUF_INIT;
	struct zs_err ignored = {0};
	struct stat st;
	size_t locals = 0;
	int found;

	if (h->what != ZIMBRA_BLOB || h->row.digest.n < 28)
		return 0;
	for (size_t i = 0; i < h->source->volumes.n; i++)
		locals += h->source->volumes.v[i].type != 10;
	found = zimbra_volume_path(&h->source->volumes, &name, 0, &path, &ignored) == 0 && lstat((const char *)path.p, &st) == 0 &&
		S_ISREG(st.st_mode) && (st.st_nlink > 1 || locals > 1);
	zs_buf_fini(&path);
	if (!found)
		return 0;
	out_key[0] = zs_hash64(h->row.size, h->row.digest);
	out_key[1] = zs_hash64(out_key[0] + 1, h->row.digest) | 1u;
	return 1;
}

static void count(struct zimbra_source *s, uint64_t *counter)
{
	(void)pthread_mutex_lock(&s->lock);
	(*counter)++;
	(void)pthread_mutex_unlock(&s->lock);
}

/* The row is asked for again, and the blob opened by what it says now.  As zimbra_blob_open; -1 also ZS_NOTFOUND: deleted. */
static int open_again(struct handle *h, struct zimbra_blob **out, struct zs_err *err)
{
	struct zimbra_source *s = h->source;
	struct zimbra_batch b = {0};
	enum zimbra_from from;
	int rc, is_same = 0;

	if (h->from != ZIMBRA_FROM_ITEMS && h->from != ZIMBRA_FROM_DUMPSTER)
		return 0;
	(void)pthread_mutex_lock(&s->lock);
	rc = zimbra_items_again(s, h->mailbox->group, h->row.mailbox_id, h->row.id, &from, &b, err);
	(void)pthread_mutex_unlock(&s->lock);
	if (rc == 0) {
		zimbra_batch_fini(&b);
		count(s, &s->deleted_meanwhile);
		return zs_fail(err, ZS_NOTFOUND, "it was deleted after the snapshot was taken");
	}
	if (rc > 0) {
		const struct zimbra_blob_name now = name_of(&b.rows[0]);

		is_same = now.mod_content == h->row.mod_content;
		rc = b.rows[0].digest.p ? zimbra_blob_open(&s->volumes, &now, out, err) : 0;
	}
	zimbra_batch_fini(&b);
	if (rc > 0 && !is_same)
		count(s, &s->rewritten_meanwhile);
	return rc;
}

static int open_blob(struct handle *h, struct zimbra_blob **out, struct zs_err *err)
{
	const struct zimbra_blob_name name = name_of(&h->row);
	struct zs_buf path = ZS_BUF_INIT;
	struct zs_err ignored = {0};
	int rc;

	if (!h->row.digest.p && !h->row.locator.p)
		return zs_fail(err, ZS_SOURCE, "item %u of mailbox %u has no blob", h->row.id, h->row.mailbox_id);
	rc = zimbra_blob_open(&h->source->volumes, &name, out, err);
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
static int make_calendar(struct handle *h, struct zs_buf *out, struct zs_err *err)
{
	struct zs_buf bytes = ZS_BUF_INIT;
	struct zimbra_blob *blob = NULL;
	size_t n = 0;
	int rc = open_blob(h, &blob, err);

	if (rc == 0 && h->row.size > CALENDAR_BYTES)
		rc = zs_fail(err, ZS_SOURCE, "item %u of mailbox %u is too large a calendar item to look into", h->row.id, h->row.mailbox_id);
	do {
		if (rc == 0)
			rc = zs_buf_reserve(&bytes, 64u << 10, err);
		if (rc == 0)
			rc = zimbra_blob_read(blob, bytes.p + bytes.n, 64u << 10, &n, err);
		if (rc == 0)
			bytes.n += n;
	} while (rc == 0 && n > 0);
	if (rc < 0 && bytes.n > 0 && err->cause == ZS_SOURCE) {
		zs_err_clear(err);
		rc = 0;
	}
	if (rc == 0 && zimbra_calendar_extract(zs_buf_span(&bytes), out, err) < 0)
		rc = -1;
	zimbra_blob_free(blob);
	zs_buf_fini(&bytes);
	return rc;
}

/* ---------------------------------------------------------------------------- reading */

static int open_item(struct zs_source_handle *base, struct zs_source_reader **out, struct zs_err *err)
{
	struct handle *h = (struct handle *)base;
	struct reader *r = calloc(1, sizeof *r);
	int rc;

	if (!r)
		return zs_fail_nomem(err);
	r->base.ops = &table;
	if (h->what == ZIMBRA_BLOB)
		rc = open_blob(h, &r->blob, err);
	else
		rc = h->what == ZIMBRA_VCARD ? make_vcard(h, &r->text, err) : make_calendar(h, &r->text, err);
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

static int close_item(struct zs_source_reader *base, int *out_changed, struct zs_err *err)
{
	struct reader *r = (struct reader *)base;
	struct zs_err why = r->why;

	*out_changed = r->blob && zimbra_blob_changed(r->blob);
	zimbra_blob_free(r->blob);
	zs_buf_fini(&r->text);
	free(r);
	if (why.cause != ZS_SOURCE)
		return 0;
	*out_changed = 0;
	*err = why;
	return -1;
}

static const struct zs_source_ops table = {
	.fill = fill,
	.same_content = same_content,
	.same_key = same_key,
	.open = open_item,
	.read = read_item,
	.close = close_item,
	.handle_free = handle_free,
};
