/*
 * One message of an mbox as an item of its own: its bytes without the From_ line, the
 * quoting undone, and what From_ line and header say as a mail server would.
 */
#include "mbox_private.h"

#include <stdlib.h>
#include <string.h>

#define PIECE (64u << 10)
#define HEADER_MAX (256u << 10)

struct message {
	struct zs_source_handle base;
	struct mbox_box *box; /* counted */
	struct mbox_message m;
};
struct message_reader {
	struct zs_source_reader base;
	const struct message *of;
	uint64_t at;
	struct zs_hasher *sum;
	struct mbox_unquote unquote;
	int is_quoted, is_short;
	uint8_t *piece; /* where quoting is undone: what was read, and what came of it */
	struct zs_buf out;
	size_t out_at;
};

static void message_free(struct zs_source_handle *base)
{
	struct message *h = (struct message *)base;

	mbox_box_unref(h->box);
	free(h);
}

/* ------------------------------------------------------------------------- filling */

static int add_item(const struct message *h, const struct mbox_item *item, struct zs_entry *e, struct zs_buf *storage, struct zs_err *err)
{
	const struct zs_buf *folder = &h->box->folder;
	size_t at = storage->n;

	if (zs_buf_add_span(storage, zs_buf_span(folder), err) < 0 || zs_buf_add_span(storage, zs_buf_span(&item->flags), err) < 0 ||
	    zs_buf_add_span(storage, zs_buf_span(&item->tags), err) < 0)
		return -1;
	e->flags |= ZS_ENTRY_HAS_ITEM;
	e->item_id = item->uid;
	e->item_date_ns = h->m.date_ns;
	e->item_folder = zs_span(storage->p + at, folder->n);
	e->item_flags = zs_span(storage->p + at + folder->n, item->flags.n);
	e->item_tags = zs_span(storage->p + at + folder->n + item->flags.n, item->tags.n);
	return 0;
}

static int message_fill(struct zs_source_handle *base, struct zs_entry *e, struct zs_buf *storage, struct zs_err *err)
{
	const struct message *h = (const struct message *)base;
	size_t want = h->m.header_bytes < HEADER_MAX ? (size_t)h->m.header_bytes : HEADER_MAX, n = 0;
	struct mbox_item item = {.uid = 0};
	uint8_t *header = malloc(want ? want : 1);
	int rc = -1;

	if (!header)
		return zs_fail_nomem(err);
	if (zs_pread_full(h->box->fd, header, want, h->m.at, &n, ZS_SOURCE, "mbox", err) == 0 &&
	    mbox_header_item(zs_span(header, n), &item, err) == 0)
		rc = add_item(h, &item, e, storage, err);
	mbox_header_fini(&item);
	free(header);
	return rc;
}

/* ------------------------------------------------------------------------- reading */

static void reader_end(struct message_reader *r)
{
	zs_hasher_free(r->sum);
	zs_buf_fini(&r->out);
	free(r->piece);
	free(r);
}

static int message_open(struct zs_source_handle *base, struct zs_source_reader **out, struct zs_err *err)
{
	const struct message *h = (const struct message *)base;
	struct message_reader *r = calloc(1, sizeof *r);

	if (!r)
		return zs_fail_nomem(err);
	r->base.ops = base->ops;
	r->of = h;
	r->at = h->m.at;
	r->sum = zs_hasher_new();
	r->is_quoted = h->m.may_be_quoted && h->m.format != MBOX_CL2;
	mbox_unquote_init(&r->unquote, h->m.format);
	if (r->is_quoted)
		r->piece = malloc(PIECE);
	if (!r->sum || (r->is_quoted && !r->piece)) {
		reader_end(r);
		return zs_fail_nomem(err);
	}
	*out = &r->base;
	return 0;
}

/* Bytes as they stand in the file, up to `end`. */
static int read_raw(struct message_reader *r, void *p, size_t n, uint64_t end, size_t *out_n, struct zs_err *err)
{
	*out_n = 0;
	if (n > end - r->at)
		n = (size_t)(end - r->at);
	if (!n || r->is_short)
		return 0;
	if (zs_pread_full(r->of->box->fd, p, n, r->at, out_n, ZS_SOURCE, "mbox", err) < 0)
		return -1;
	r->is_short = *out_n < n;
	r->at += *out_n;
	zs_hasher_add(r->sum, zs_span(p, *out_n));
	return 0;
}

/* The next piece of the body, unquoted, in r->out; nothing at the end. */
static int fill_out(struct message_reader *r, uint64_t end, struct zs_err *err)
{
	zs_buf_clear(&r->out);
	r->out_at = 0;
	while (!r->out.n) {
		size_t n;

		if (read_raw(r, r->piece, PIECE, end, &n, err) < 0)
			return -1;
		if (!n)
			return mbox_unquote_end(&r->unquote, &r->out, err);
		if (mbox_unquote_feed(&r->unquote, zs_span(r->piece, n), &r->out, err) < 0)
			return -1;
	}
	return 0;
}

static int message_read(struct zs_source_reader *base, void *p, size_t n, size_t *out_n, uint64_t *out_hole, struct zs_err *err)
{
	struct message_reader *r = (struct message_reader *)base;
	const struct mbox_message *m = &r->of->m;
	uint64_t body = m->at + m->header_bytes, end = m->at + m->bytes;

	*out_hole = 0;
	if (!r->is_quoted || r->at < body)
		return read_raw(r, p, n, r->is_quoted ? body : end, out_n, err);
	if (r->out_at == r->out.n && fill_out(r, end, err) < 0)
		return -1;
	*out_n = r->out.n - r->out_at < n ? r->out.n - r->out_at : n;
	if (*out_n)
		memcpy(p, r->out.p + r->out_at, *out_n);
	r->out_at += *out_n;
	return 0;
}

static int message_close(struct zs_source_reader *base, int *out_changed, struct zs_err *err)
{
	struct message_reader *r = (struct message_reader *)base;
	const struct mbox_message *m = &r->of->m;

	(void)err;
	*out_changed = r->is_short || (r->at == m->at + m->bytes && zs_hasher_sum(r->sum) != m->sum);
	reader_end(r);
	return 0;
}

/* -------------------------------------------------------------------------- making */

static uint64_t identity(const struct mbox_box *b, const struct mbox_message *m)
{
	const uint64_t parts[] = {m->sum, m->header_bytes, m->format, (uint64_t)m->date_ns, b->st.st_mode, b->st.st_uid, b->st.st_gid,
	    zs_hash64(0, zs_buf_span(&b->folder))};
	uint64_t sum;
	uint8_t wire[sizeof parts];

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		zs_put_u64(wire + 8 * i, parts[i]);
	sum = zs_hash64(0, zs_span(wire, sizeof wire));
	return sum ? sum : 1;
}

int mbox_message_item(struct mbox_box *b, const struct mbox_message *m, struct zs_source_item *out, struct zs_err *err)
{
	static const struct zs_source_ops ops = {
		.fill = message_fill,
		.open = message_open,
		.read = message_read,
		.close = message_close,
		.handle_free = message_free,
	};
	struct message *h = malloc(sizeof *h);

	if (!h)
		return zs_fail_nomem(err);
	*h = (struct message){.base = {&ops}, .box = mbox_box_ref(b), .m = *m};
	out->content = ZS_KIND_FILE;
	out->entry = (struct zs_entry){.kind = ZS_ENTRY_FILE, .flags = ZS_ENTRY_HAS_MODE, .mode = b->st.st_mode & 0666, .uid = b->st.st_uid,
	    .gid = b->st.st_gid, .mtime_ns = m->date_ns == INT64_MIN ? 0 : m->date_ns, .size = m->bytes, .date_ns = INT64_MIN,
	    .item_date_ns = INT64_MIN, .identity = identity(b, m)};
	out->handle = &h->base;
	return 0;
}
