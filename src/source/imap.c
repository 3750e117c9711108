/*
 * The IMAP source: every message of every folder is an item, in the order of paths, with what the server knows of it.
 * All is listed before the first item is given, so that the snapshot is that of one moment, as far as IMAP has one;
 * bodies are fetched for what is new only.
 */
#include "imap_fetch_private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANIFEST_FOLDERS_MAX 20000

struct imap {
	struct zs_source base;
	struct imap_account account;
	struct zs_buf root, path;
	size_t root_given;	 /* bytes of the root whose directories were given; SIZE_MAX: all */
	struct imap_conn *conn;	 /* while there is something to list */
	struct imap_catalog catalog;
	struct imap_fetch *fetch;
	struct imap_body *last;	 /* the item given last: whether it will be read shows when the next one is asked for */
	struct zs_buf server;	 /* JSON: what the server says of itself */
	int is_listed;
	uint64_t messages;
};

struct reader {
	struct zs_source_reader base;
	struct imap_body *body;
	struct imap_chunk *cur;
	size_t at;
};

static const struct zs_source_ops imap_table;

/* ------------------------------------------------------------------------ what is where */

/*
 * Above: where it comes from, so that the same numbers of another server, user, folder or generation of the folder are
 * another message.  Below: what can change.
 */
static uint64_t identity_of(const struct imap *s, const struct imap_folder *f, const struct imap_message *m)
{
	uint8_t fixed[24];
	uint64_t from, changes, id;

	if (f->uidvalidity == 0)
		return 0;
	zs_put_u64(fixed, f->uidvalidity);
	zs_put_u32(fixed + 8, s->account.salt);
	from = zs_hash64(zs_hash64(0, zs_span(fixed, 12)), zs_buf_span(&f->raw));
	zs_put_u64(fixed, m->size);
	zs_put_u64(fixed + 8, (uint64_t)m->date_ns);
	zs_put_u64(fixed + 16, m->flags.n);
	changes = zs_hash64(zs_hash64(zs_hash64(0, zs_span(fixed, 24)), m->flags), m->tags);
	id = (from & 0xffffffff00000000ull) | (changes >> 32);
	return id ? id : 1;
}

static void blank_entry(struct zs_entry *e, uint8_t kind, uint32_t mode)
{
	*e = (struct zs_entry){.kind = kind, .flags = ZS_ENTRY_HAS_MODE, .mode = mode, .uid = geteuid(), .gid = getegid(),
	    .date_ns = INT64_MIN, .item_date_ns = INT64_MIN};
}

/* The directories that the root consists of. */
static void give_root(struct imap *s, struct zs_source_item *out)
{
	size_t from = s->root_given ? s->root_given + 1 : 0;
	const uint8_t *slash = memchr(s->root.p + from, '/', s->root.n - from);

	s->root_given = slash ? (size_t)(slash - s->root.p) : SIZE_MAX;
	out->path = zs_span(s->root.p, slash ? s->root_given : s->root.n);
	blank_entry(&out->entry, ZS_ENTRY_DIR, 0700);
}

static int give_message(struct imap *s, const struct imap_record *r, struct zs_source_item *out, struct zs_err *err)
{
	const struct imap_message *m = &r->message;
	struct imap_body *b = imap_fetch_body(s->fetch, &imap_table, r->folder, m);

	if (!b)
		return zs_fail_nomem(err);
	b->identity = identity_of(s, r->folder, m);
	blank_entry(&out->entry, ZS_ENTRY_FILE, 0600);
	out->entry.size = m->size == UINT64_MAX ? 0 : m->size;
	out->entry.mtime_ns = m->date_ns == INT64_MIN ? 0 : m->date_ns;
	out->entry.identity = b->identity;
	out->content = ZS_KIND_FILE;
	out->handle = &b->base;
	s->last = imap_fetch_ref(b);
	s->messages++;
	return 1;
}

static int list_all(struct imap *s, struct zs_err *err)
{
	if (s->is_listed)
		return 0;
	if (imap_catalog_list(&s->catalog, &s->conn, err) < 0)
		return -1;
	s->is_listed = 1;
	return 0;
}

static int imap_next(struct zs_source *base, struct zs_source_item *out, struct zs_err *err)
{
	struct imap *s = (struct imap *)base;
	struct imap_body *last = s->last;
	struct imap_record r;
	int rc;

	s->last = NULL;
	if ((last && imap_fetch_expect(last, err) < 0) || imap_fetch_failed(s->fetch, err) < 0 || list_all(s, err) < 0)
		return -1;
	*out = (struct zs_source_item){.content = ZS_KIND_FILE};
	if (s->root_given != SIZE_MAX) {
		give_root(s, out);
		return 1;
	}
	if (s->conn)
		imap_fetch_adopt(s->fetch, &s->conn);
	if ((rc = imap_catalog_next(&s->catalog, &r, err)) <= 0)
		return rc;
	zs_buf_clear(&s->path);
	if (zs_buf_add_span(&s->path, zs_buf_span(&s->root), err) < 0 || zs_buf_add_u8(&s->path, '/', err) < 0 ||
	    zs_buf_add_span(&s->path, r.path, err) < 0)
		return -1;
	out->path = zs_buf_span(&s->path);
	if (r.folder)
		return give_message(s, &r, out, err);
	blank_entry(&out->entry, ZS_ENTRY_DIR, 0700);
	return 1;
}

/* ---------------------------------------------------------------------------- one item */

static int imap_fill(struct zs_source_handle *h, struct zs_entry *e, struct zs_buf *storage, struct zs_err *err)
{
	const struct imap_body *b = (const struct imap_body *)h;

	(void)storage; /* the handle has it all, and outlives the entry */
	(void)err;
	e->flags |= ZS_ENTRY_HAS_ITEM;
	e->item_id = b->listed_uid;
	e->item_folder = zs_buf_span(&b->listed_in->path);
	e->item_flags = zs_span(b->words, b->flags_n);
	e->item_tags = zs_span(b->words + b->flags_n, b->tags_n);
	e->item_date_ns = b->date_ns;
	return 0;
}

/* A message never changes under its UID: of the same folder and generation, it is the same; the date is there for more certainty. */
static int imap_same_content(const struct zs_source_handle *h, const struct zs_entry *old)
{
	const struct imap_body *b = (const struct imap_body *)h;

	if (old->identity == 0 || b->identity == 0 || old->identity >> 32 != b->identity >> 32)
		return 0;
	if (!(old->flags & ZS_ENTRY_HAS_ITEM) || old->item_id != b->listed_uid || old->item_date_ns != b->date_ns)
		return 0;
	imap_fetch_same((struct imap_body *)(void *)(uintptr_t)b);
	return 1;
}

static int imap_open(struct zs_source_handle *h, struct zs_source_reader **out, struct zs_err *err)
{
	struct reader *r = calloc(1, sizeof *r);

	if (!r)
		return zs_fail_nomem(err);
	r->base.ops = &imap_table;
	r->body = (struct imap_body *)h;
	if (imap_fetch_open(r->body, err) < 0) {
		free(r);
		return -1;
	}
	*out = &r->base;
	return 0;
}

static int imap_read(struct zs_source_reader *base, void *p, size_t n, size_t *out_n, uint64_t *out_hole, struct zs_err *err)
{
	struct reader *r = (struct reader *)base;

	*out_hole = 0;
	return imap_fetch_read(r->body, &r->cur, &r->at, p, n, out_n, err);
}

static int imap_close(struct zs_source_reader *base, int *out_changed, struct zs_err *err)
{
	struct reader *r = (struct reader *)base;

	(void)err;
	*out_changed = 0;
	imap_fetch_close(r->body, r->cur);
	free(r);
	return 0;
}

static void imap_handle_free(struct zs_source_handle *h)
{
	imap_fetch_release((struct imap_body *)h);
}

/* ---------------------------------------------------------------------------- manifest */

static int add_text(struct zs_buf *out, const char *before, struct zs_span text, struct zs_err *err)
{
	return zs_buf_printf(out, err, "%s", before) < 0 ? -1 : zs_buf_json(out, text, err);
}

/* Words joined by NUL: as a list, or as names and values. */
static int add_words(struct zs_buf *out, struct zs_span joined, int in_pairs, struct zs_err *err)
{
	unsigned count = 0;

	for (size_t at = 0; at < joined.n; count++) {
		const uint8_t *end = memchr(joined.p + at, 0, joined.n - at);
		size_t len = end ? (size_t)(end - joined.p) - at : joined.n - at;
		const char *mark = count == 0 ? "" : in_pairs && count % 2 ? ":" : ",";

		if (!in_pairs && len == 0)
			count--;
		else if (add_text(out, mark, zs_span(joined.p + at, len), err) < 0)
			return -1;
		at += len + 1;
	}
	return in_pairs && count % 2 ? zs_buf_printf(out, err, ":\"\"") : 0;
}

static int describe_server(struct imap *s, struct zs_err *err)
{
	const struct imap_conn *c = s->conn;

	if (add_text(&s->server, "\"server\":{\"host\":", zs_span_str(s->account.url->host), err) < 0 ||
	    add_text(&s->server, ",\"greeting\":", zs_buf_span(&c->greeting), err) < 0 || zs_buf_printf(&s->server, err, ",\"id\":{") < 0 ||
	    add_words(&s->server, zs_buf_span(&c->id), 1, err) < 0 || zs_buf_printf(&s->server, err, "},\"capabilities\":[") < 0 ||
	    add_words(&s->server, zs_buf_span(&c->words), 0, err) < 0)
		return -1;
	return zs_buf_printf(&s->server, err, "]}");
}

static int add_folder(struct zs_buf *out, const struct imap_folder *f, struct zs_err *err)
{
	const char delimiter = (char)f->delimiter;

	if (add_text(out, "{\"path\":", zs_buf_span(&f->path), err) < 0 || add_text(out, ",\"name\":", zs_buf_span(&f->raw), err) < 0 ||
	    add_text(out, ",\"delimiter\":", zs_span(&delimiter, f->delimiter ? 1 : 0), err) < 0)
		return -1;
	if (f->special && add_text(out, ",\"special_use\":", zs_span_str(f->special), err) < 0)
		return -1;
	if ((f->flags & IMAP_FOLDER_SUBSCRIBED) && zs_buf_printf(out, err, ",\"subscribed\":true") < 0)
		return -1;
	if (f->flags & IMAP_FOLDER_NOSELECT)
		return zs_buf_printf(out, err, ",\"selectable\":false}");
	if (f->pass == 0)
		return zs_buf_printf(out, err, ",\"state\":\"failed\"}");
	return zs_buf_printf(out, err, ",\"uidvalidity\":%llu,\"uidnext\":%llu,\"highestmodseq\":%llu,\"messages\":%llu}",
	    (unsigned long long)f->uidvalidity, (unsigned long long)f->uidnext, (unsigned long long)f->modseq, (unsigned long long)f->listed);
}

static int add_folders(const struct imap *s, struct zs_buf *out, struct zs_err *err)
{
	const struct imap_folders *l = &s->catalog.folders;
	size_t n = l->n > MANIFEST_FOLDERS_MAX ? MANIFEST_FOLDERS_MAX : l->n;

	if (zs_buf_printf(out, err, ",\"folder_count\":%zu,\"folders\":[", l->n) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if ((i > 0 && zs_buf_add_u8(out, ',', err) < 0) || add_folder(out, l->v[i], err) < 0)
			return -1;
	return zs_buf_printf(out, err, "]");
}

static int imap_manifest(struct zs_source *base, struct zs_buf *out, struct zs_err *err)
{
	struct imap *s = (struct imap *)base;
	struct imap_fetch_counts n;

	if (s->server.n == 0)
		return 0;
	imap_fetch_count(s->fetch, &n);
	if (n.gone > 0)
		imap_options_note(&s->account, ZS_NOTE_INFO, "%llu messages were deleted while the backup ran", (unsigned long long)n.gone);
	if (n.resized > 0)
		imap_options_note(&s->account, ZS_NOTE_WARNING, "%llu messages were not as long as the server had said",
		    (unsigned long long)n.resized);
	if (zs_buf_add_u8(out, '{', err) < 0 || zs_buf_add_span(out, zs_buf_span(&s->server), err) < 0 ||
	    add_text(out, ",\"account\":", zs_span_str(s->account.url->user), err) < 0 || add_folders(s, out, err) < 0)
		return -1;
	return zs_buf_printf(out, err, ",\"messages\":%llu,\"fetched\":%llu,\"fetched_bytes\":%llu,\"deleted_meanwhile\":%llu,"
	    "\"moved_meanwhile\":%llu,\"other_size\":%llu,\"reconnects\":%llu}", (unsigned long long)s->messages,
	    (unsigned long long)n.fetched, (unsigned long long)n.bytes, (unsigned long long)n.gone, (unsigned long long)n.followed,
	    (unsigned long long)n.resized, (unsigned long long)n.reconnects);
}

/* --------------------------------------------------------------------------- the source */

static int imap_connect(struct imap *s, struct zs_err *err)
{
	char greeting[200];

	if (s->account.tls == IMAP_PLAIN)
		imap_options_note(&s->account, ZS_NOTE_WARNING, "starttls=no: password and mail go over the network as they are");
	if (imap_conn_new(&s->account, NULL, &s->conn, err) < 0)
		return -1;
	imap_options_note(&s->account, ZS_NOTE_INFO, "server: %s", imap_names_text(zs_buf_span(&s->conn->greeting), greeting, sizeof greeting));
	if (describe_server(s, err) < 0 || imap_catalog_folders(&s->catalog, s->conn, err) < 0)
		return -1;
	return 0;
}

static int imap_prepare(struct zs_source *base, enum zs_source_phase phase, struct zs_err *err)
{
	struct imap *s = (struct imap *)base;

	switch (phase) {
	case ZS_PHASE_CONNECT:
		return imap_connect(s, err);
	case ZS_PHASE_LIST:
		return list_all(s, err);
	case ZS_PHASE_SETTLE:
		return imap_catalog_settle(&s->catalog, &s->conn, err);
	case ZS_PHASE_FREEZE:
	case ZS_PHASE_JOIN:
	case ZS_PHASE_THAW:
		break;
	}
	return 0;
}

static void imap_free(struct zs_source *base)
{
	struct imap *s = (struct imap *)base;

	if (s->last)
		imap_fetch_unref(s->last);
	imap_fetch_free(s->fetch);
	imap_conn_logout(s->conn);
	imap_catalog_fini(&s->catalog);
	imap_options_fini(&s->account);
	zs_buf_fini(&s->root);
	zs_buf_fini(&s->path);
	zs_buf_fini(&s->server);
	free(s);
}

static const struct zs_source_ops imap_table = {
	.next = imap_next,
	.free = imap_free,
	.fill = imap_fill,
	.same_content = imap_same_content,
	.open = imap_open,
	.read = imap_read,
	.close = imap_close,
	.prepare = imap_prepare,
	.manifest = imap_manifest,
	.handle_free = imap_handle_free,
};

int zs_source_imap_new(const struct zs_server_settings *server, const struct zs_source_settings *settings, struct zs_source **out,
    struct zs_err *err)
{
	struct imap *s;

	if (!zs_path_valid(server->root))
		return zs_fail(err, ZS_USAGE, "an IMAP server needs a valid path to be stored under");
	if (!(s = calloc(1, sizeof *s)))
		return zs_fail_nomem(err);
	s->base.ops = &imap_table;
	if (imap_options_init(&s->account, server, settings, err) < 0 || zs_buf_add_span(&s->root, server->root, err) < 0)
		goto fail;
	s->catalog.account = &s->account;
	s->catalog.root = zs_buf_span(&s->root);
	if (!(s->fetch = imap_fetch_new(&s->account, &s->catalog.folders, zs_buf_span(&s->root)))) {
		(void)zs_fail_nomem(err);
		goto fail;
	}
	*out = &s->base;
	return 0;
fail:
	imap_free(&s->base);
	return -1;
}
