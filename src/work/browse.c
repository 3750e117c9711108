/*
 * Finding a snapshot by what a user typed, and listing what is in one.  Reads tree nodes only, never content.
 */
#include "zstore/work.h"
#include "zstore/mail.h"

#include <stdlib.h>
#include <string.h>

#define LATEST "latest"
#define PREFIX_MIN 4

/* ------------------------------------------------------------- snapshots, places */

/* The newest snapshot, of that host if host is not empty; NULL: there is none. */
static const struct zs_snapshot_row *newest(const struct zs_snapshot_list *l, struct zs_span host)
{
	for (size_t i = l->n; i-- > 0;)
		if (!host.n || zs_span_eq(zs_span_str(l->v[i].snapshot->host), host))
			return &l->v[i];
	return NULL;
}

static int find_latest(
    const struct zs_snapshot_list *l, struct zs_span host, const struct zs_snapshot_row **out, struct zs_err *err)
{
	*out = newest(l, host);
	if (*out)
		return 0;
	if (host.n)
		return zs_fail(err, ZS_NOTFOUND, "there is no snapshot of host %.*s",
		    (int)(host.n < 256 ? host.n : 256), (const char *)host.p);
	return zs_fail(err, ZS_NOTFOUND, "there is no snapshot");
}

/* Lower-case hexadecimal digits of a prefix: how many, or 0 if it is no prefix of a name. */
static size_t prefix_digits(struct zs_span text, char out[ZS_NAME_HEX])
{
	if (text.n < PREFIX_MIN || text.n >= ZS_NAME_HEX)
		return 0;
	for (size_t i = 0; i < text.n; i++) {
		char c = (char)text.p[i];

		if (c >= 'A' && c <= 'F')
			c = (char)(c - 'A' + 'a');
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return 0;
		out[i] = c;
	}
	return text.n;
}

static int find_prefix(
    const struct zs_snapshot_list *l, struct zs_span text, const struct zs_snapshot_row **out, struct zs_err *err)
{
	const struct zs_snapshot_row *found = NULL;
	char digits[ZS_NAME_HEX], hex[ZS_NAME_HEX];
	size_t n = prefix_digits(text, digits);

	if (!n)
		return zs_fail(err, ZS_USAGE,
		    "'%.*s' names no snapshot: give '" LATEST "', '" LATEST ":HOST' or %d or more digits of an id",
		    (int)(text.n < 100 ? text.n : 100), (const char *)text.p, PREFIX_MIN);
	for (size_t i = 0; i < l->n; i++) {
		if (memcmp(zs_name_hex(&l->v[i].name, hex), digits, n) != 0)
			continue;
		if (found)
			return zs_fail(err, ZS_USAGE, "more than one snapshot's id begins with %.*s", (int)n, digits);
		found = &l->v[i];
	}
	if (!found)
		return zs_fail(err, ZS_NOTFOUND, "there is no snapshot %.*s", (int)n, digits);
	*out = found;
	return 0;
}

/* Up to the first ':' of *rest, which is left behind it; *out_more: there was one. */
static struct zs_span take_part(struct zs_span *rest, int *out_more)
{
	const uint8_t *colon = rest->n ? memchr(rest->p, ':', rest->n) : NULL;
	struct zs_span part = zs_span(rest->p, colon ? (size_t)(colon - rest->p) : rest->n);

	*out_more = colon != NULL;
	*rest = zs_span(rest->p + part.n + *out_more, rest->n - part.n - (size_t)*out_more);
	return part;
}

int zs_snapshot_find(
    const struct zs_snapshot_list *l, const char *text, const struct zs_snapshot_row **out, struct zs_err *err)
{
	struct zs_span rest = zs_span_str(text), part;
	int more;

	part = take_part(&rest, &more);
	if (zs_span_eq(part, zs_span_str(LATEST)) && (!more || rest.n))
		return find_latest(l, rest, out, err);
	return find_prefix(l, zs_span_str(text), out, err);
}

int zs_place_find(const struct zs_snapshot_list *l, const char *text, const struct zs_snapshot_row **out,
    struct zs_buf *out_path, struct zs_err *err)
{
	struct zs_span path = zs_span_str(text), part = take_part(&path, &(int){0}), after = path, host;
	const struct zs_snapshot_row *row;

	if (!zs_span_eq(part, zs_span_str(LATEST))) {
		if (find_prefix(l, part, &row, err) < 0)
			return -1;
	} else {
		host = take_part(&after, &(int){0});
		if (!host.n || !newest(l, host))
			host = zs_span(NULL, 0);
		else
			path = after;
		if (find_latest(l, host, &row, err) < 0)
			return -1;
	}
	if (zs_path_clean(path, out_path, err) < 0)
		return -1;
	*out = row;
	return 0;
}

/* ------------------------------------------------------------------------ trees */

static int reader_get(void *ctx, const struct zs_id *id, struct zs_buf *out, struct zs_err *err)
{
	struct zs_span plain;

	if (zs_store_read(ctx, id, &plain, err) < 0)
		return -1;
	return zs_buf_add_span(out, plain, err);
}

struct zs_tree_io zs_reader_tree_io(struct zs_store_reader *r)
{
	return (struct zs_tree_io){.ctx = r, .get = reader_get};
}

struct listing {
	struct zs_tree_cursor *cursor;
	struct zs_span path, entry; /* where the cursor is */
	zs_list_fn *fn;
	void *ctx;
};

static int next(struct listing *l, struct zs_err *err)
{
	return zs_tree_cursor_next(l->cursor, &l->path, &l->entry, err);
}

static int report(struct listing *l, struct zs_err *err)
{
	struct zs_entry e;

	if (zs_format_entry_decode(l->entry, &e, err) < 0)
		return zs_context(err, "%.*s", (int)(l->path.n < 200 ? l->path.n : 200), (const char *)l->path.p);
	return l->fn(l->ctx, l->path, &e, err);
}

/*
 * Children of dir, from where the cursor stands.  What lies below them is skipped.  A folder that has content but no
 * entry of its own (no source yields that) is shown as one without metadata.
 */
static int list_children(struct listing *l, struct zs_span dir, int got, struct zs_err *err)
{
	const struct zs_entry bare = {.kind = ZS_ENTRY_DIR, .date_ns = INT64_MIN, .item_date_ns = INT64_MIN};
	size_t skip = dir.n ? dir.n + 1 : 0;
	const uint8_t *slash;
	struct zs_span child;

	for (; got > 0 && zs_path_below(l->path, dir); got = next(l, err)) {
		slash = memchr(l->path.p + skip, '/', l->path.n - skip);
		child = slash ? zs_span(l->path.p, (size_t)(slash - l->path.p)) : l->path;
		if ((slash ? l->fn(l->ctx, child, &bare, err) : report(l, err)) < 0)
			return -1;
		if (zs_tree_cursor_skip(l->cursor, child, err) < 0)
			return -1;
	}
	return got < 0 ? -1 : 0;
}

static int list_below(struct listing *l, struct zs_span dir, int got, struct zs_err *err)
{
	for (; got > 0 && zs_path_below(l->path, dir); got = next(l, err))
		if (report(l, err) < 0)
			return -1;
	return got < 0 ? -1 : 0;
}

/* The entry at path itself: 1 its content is wanted too, 0 all done, -1. */
static int list_self(struct listing *l, struct zs_span path, unsigned flags, int *got, struct zs_err *err)
{
	int is_it = *got > 0 && zs_span_eq(l->path, path);
	struct zs_entry e;

	if (!is_it && (flags & ZS_LIST_SELF || *got <= 0 || !zs_path_below(l->path, path)))
		return zs_fail(
		    err, ZS_NOTFOUND, "there is no %.*s", (int)(path.n < 200 ? path.n : 200), (const char *)path.p);
	if (!is_it)
		return 1; /* nothing but a prefix of others */
	if (zs_format_entry_decode(l->entry, &e, err) < 0)
		return zs_context(err, "%.*s", (int)(path.n < 200 ? path.n : 200), (const char *)path.p);
	if (flags & ZS_LIST_SELF || e.kind != ZS_ENTRY_DIR)
		return l->fn(l->ctx, l->path, &e, err) < 0 ? -1 : 0;
	*got = next(l, err);
	return *got < 0 ? -1 : 1;
}

static int list(struct listing *l, struct zs_span path, unsigned flags, struct zs_err *err)
{
	int got, more = 1;

	if (zs_tree_cursor_seek(l->cursor, path, err) < 0)
		return -1;
	got = next(l, err);
	if (got < 0)
		return -1;
	if (path.n)
		more = list_self(l, path, flags, &got, err);
	else if (flags & ZS_LIST_SELF)
		return zs_fail(err, ZS_NOTFOUND, "the top of a snapshot has no entry of its own");
	if (more <= 0)
		return more;
	return flags & ZS_LIST_RECURSIVE ? list_below(l, path, got, err) : list_children(l, path, got, err);
}

int zs_list(struct zs_store_reader *r, const struct zs_id *root, struct zs_span path, unsigned flags, zs_list_fn *fn,
    void *ctx, struct zs_err *err)
{
	struct zs_tree_io io = zs_reader_tree_io(r);
	struct listing l = {.fn = fn, .ctx = ctx};
	int rc;

	if (zs_tree_cursor_new(&io, root, &l.cursor, err) < 0)
		return -1;
	rc = list(&l, path, flags, err);
	zs_tree_cursor_free(l.cursor);
	return rc;
}

int zs_find_message(struct zs_store_reader *r, const struct zs_id *root, struct zs_span message_id, zs_list_fn *fn,
    void *ctx, struct zs_err *err)
{
	struct zs_tree_io io = zs_reader_tree_io(r);
	struct listing l = {.fn = fn, .ctx = ctx};
	struct zs_entry e;
	int got, rc = 0;

	message_id = zs_mail_message_id(message_id);
	if (!message_id.n)
		return zs_fail(err, ZS_USAGE, "an empty Message-ID");
	if (zs_tree_cursor_new(&io, root, &l.cursor, err) < 0)
		return -1;
	while (rc == 0 && (got = next(&l, err)) != 0) {
		if (got < 0) {
			rc = -1;
		} else if (memmem(l.entry.p, l.entry.n, message_id.p, message_id.n)) { /* else it need not be decoded */
			rc = zs_format_entry_decode(l.entry, &e, err);
			if (rc == 0 && zs_span_eq(e.message_id, message_id))
				rc = fn(ctx, l.path, &e, err) < 0 ? -1 : 0;
		}
	}
	zs_tree_cursor_free(l.cursor);
	return rc;
}
