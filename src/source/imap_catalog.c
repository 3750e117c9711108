/*
 * All folders and messages, sorted by path in bounded memory.  A folder may be listed more than once (a lost connection,
 * changes meanwhile): each listing has a number, and only the records of the last complete one count.
 */
#include "imap_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SORT_BYTES (4u << 20)
#define AHEAD 8 /* folders asked for at once */
#define ROUNDS 3 /* of settling */
#define FOLDERS_GIVEN_UP 3 /* in a row */

enum record_type { RECORD_DIR, RECORD_MESSAGE };

/* ------------------------------------------------------------------------ records */

/* As zs_path_cmp orders: '/' before every other byte. */
static int add_key(struct zs_buf *key, struct zs_span path, struct zs_err *err)
{
	size_t at = key->n;

	if (zs_buf_add_span(key, path, err) < 0)
		return -1;
	for (; at < key->n; at++)
		if (key->p[at] == '/')
			key->p[at] = 0;
	return 0;
}

static int add_dirs(struct imap_catalog *k, const struct imap_folder *f, struct zs_err *err)
{
	static const uint8_t dir = RECORD_DIR;

	zs_buf_clear(&k->key);
	if (add_key(&k->key, zs_buf_span(&f->path), err) < 0)
		return -1;
	for (size_t n = 1; n <= k->key.n; n++)
		if ((n == k->key.n || k->key.p[n] == 0) && zs_sorter_add(k->sorter, zs_span(k->key.p, n), zs_span(&dir, 1), err) < 0)
			return -1;
	return 0;
}

struct adding { /* messages of one folder */
	struct imap_catalog *k;
	struct imap_folder *folder;
	uint8_t pass;
	uint32_t highest;
};

static int add_message(void *ctx, const struct imap_message *m, struct zs_err *err)
{
	struct adding *a = ctx;
	struct imap_catalog *k = a->k;
	struct zs_buf *v = &k->value;

	zs_buf_clear(&k->key);
	zs_buf_clear(v);
	if (m->uid > a->highest)
		a->highest = m->uid;
	if (add_key(&k->key, zs_buf_span(&a->folder->path), err) < 0 || zs_buf_add_u8(&k->key, 0, err) < 0 ||
	    zs_buf_printf(&k->key, err, "%010u.eml", m->uid) < 0)
		return -1;
	if (zs_buf_add_u8(v, RECORD_MESSAGE, err) < 0 || zs_buf_add_u32(v, a->folder->number, err) < 0 || zs_buf_add_u8(v, a->pass, err) < 0 ||
	    zs_buf_add_u32(v, m->uid, err) < 0 || zs_buf_add_u64(v, (uint64_t)m->date_ns, err) < 0 || zs_buf_add_varint(v, m->size, err) < 0 ||
	    zs_buf_add_varint(v, m->flags.n, err) < 0 || zs_buf_add_span(v, m->flags, err) < 0 || zs_buf_add_span(v, m->tags, err) < 0)
		return -1;
	return zs_sorter_add(k->sorter, zs_buf_span(&k->key), zs_buf_span(v), err);
}

/* 1, 0 a record of a listing that does not count. */
static int decode(const struct imap_catalog *k, struct zs_span v, struct imap_record *out)
{
	struct imap_message *m = &out->message;
	uint32_t folder;
	uint64_t date, flags_n;
	uint8_t type, pass;

	if (zs_take_u8(&v, &type) < 0)
		return 0;
	out->folder = NULL;
	if (type == RECORD_DIR)
		return 1;
	if (zs_take_u32(&v, &folder) < 0 || zs_take_u8(&v, &pass) < 0 || zs_take_u32(&v, &m->uid) < 0 || zs_take_u64(&v, &date) < 0 ||
	    zs_take_varint(&v, &m->size) < 0 || zs_take_varint(&v, &flags_n) < 0 || zs_take_bytes(&v, flags_n, &m->flags) < 0 ||
	    folder >= k->folders.n)
		return 0;
	m->tags = v;
	m->date_ns = (int64_t)date;
	out->folder = k->folders.v[folder];
	return out->folder->pass == pass;
}

/* ------------------------------------------------------------------------ folders */

static void note_folder(const struct imap_catalog *k, const struct imap_folder *f)
{
	char path[300];

	(void)imap_names_text(zs_buf_span(&f->path), path, sizeof path);
	if (f->flags & IMAP_FOLDER_NOSELECT)
		return;
	if (f->flags & IMAP_FOLDER_HAS_STATUS)
		imap_options_note(k->account, ZS_NOTE_INFO, "%s: %llu messages", path, (unsigned long long)f->messages);
	else
		imap_options_note(k->account, ZS_NOTE_LACK, "%s: the server does not say what is in this folder; allow %s to read it, or leave "
		    "it out with exclude=", path, k->account->url->user);
}

int imap_catalog_folders(struct imap_catalog *k, struct imap_conn *c, struct zs_err *err)
{
	if (imap_folders_list(c, &k->folders, err) < 0)
		return -1;
	for (size_t i = 0; i < k->folders.n; i++)
		note_folder(k, k->folders.v[i]);
	return 0;
}

/* ------------------------------------------------------------------------ listing */

static void folder_lost(const struct imap_catalog *k, struct imap_folder *f, const char *why)
{
	const struct zs_source_settings *s = k->account->settings;
	struct zs_buf path = ZS_BUF_INIT;
	struct zs_err e = {0}, ignored = {0};

	if (f->flags & IMAP_FOLDER_LOST)
		return;
	f->flags |= IMAP_FOLDER_LOST;
	(void)zs_fail(&e, ZS_SOURCE, "the folder cannot be read: %s", why);
	if (s->problem && zs_buf_add_span(&path, k->root, &ignored) == 0 && zs_buf_add_u8(&path, '/', &ignored) == 0 &&
	    zs_buf_add_span(&path, zs_buf_span(&f->path), &ignored) == 0)
		s->problem(s->ctx, zs_buf_span(&path), &e);
	zs_buf_fini(&path);
}

/* What EXAMINE said, and how many were listed, counts from now on. */
static void folder_listed(const struct imap_catalog *k, const struct adding *a, uint32_t from, const struct imap_opened *o)
{
	struct imap_folder *f = a->folder;

	if (!o->is_open) {
		if (f->pass == 0)
			folder_lost(k, f, o->why);
		return;
	}
	f->pass = a->pass;
	f->listed = (from > 1 ? f->listed : 0) + o->listed;
	f->messages = o->exists;
	f->uidvalidity = o->uidvalidity;
	f->modseq = o->modseq;
	f->uidnext = o->uidnext > a->highest ? o->uidnext : (uint64_t)a->highest + 1;
	if (f->uidvalidity == 0)
		imap_options_note(k->account, ZS_NOTE_WARNING, "%.*s: the server gives no UIDVALIDITY: its messages are read every time",
		    (int)(f->path.n > 200 ? 200 : f->path.n), (const char *)f->path.p);
}

struct round { /* commands on their way */
	struct imap_asked asked[AHEAD];
	int is_sent[AHEAD]; /* 0: the name cannot be said */
	size_t sent;
};

static int send_ahead(struct imap_catalog *k, struct imap_conn *c, struct round *r, size_t at, struct zs_err *err)
{
	for (; r->sent < k->todo_n && r->sent < at + AHEAD; r->sent++) {
		struct imap_folder *f = k->todo[r->sent];

		r->is_sent[r->sent % AHEAD] = 1;
		if (imap_listing_ask(c, zs_buf_span(&f->raw), k->from[r->sent], &r->asked[r->sent % AHEAD], err) == 0)
			continue;
		if (err->cause != ZS_LIMIT)
			return -1;
		r->is_sent[r->sent % AHEAD] = 0;
		folder_lost(k, f, err->text);
		zs_err_clear(err);
	}
	return imap_conn_flush(c, err);
}

/* The folders of this round from *at on; *at tells how far it came. */
static int list_from(struct imap_catalog *k, struct imap_conn *c, size_t *at, struct zs_err *err)
{
	struct round r = {.sent = *at};
	struct imap_opened opened;

	for (; *at < k->todo_n; ++*at) {
		struct imap_folder *f = k->todo[*at];
		struct adding a = {.k = k, .folder = f};

		if (send_ahead(k, c, &r, *at, err) < 0)
			return -1;
		if (!r.is_sent[*at % AHEAD])
			continue;
		a.pass = k->from[*at] > 1 ? f->pass : ++f->attempt;
		if (imap_listing_receive(c, &r.asked[*at % AHEAD], add_message, &a, &opened, err) < 0)
			return -1;
		folder_listed(k, &a, k->from[*at], &opened);
	}
	return 0;
}

/*
 * Once more for each folder where the connection is lost.  A second time in one folder: it is named, and the others are
 * listed; but a server that ends every connection is left alone.
 */
static int list_round(struct imap_catalog *k, struct imap_conn **c, struct zs_err *err)
{
	size_t at = 0, lost_at = SIZE_MAX;
	unsigned given_up = 0;

	for (;;) {
		size_t before = at;

		if (*c && list_from(k, *c, &at, err) == 0)
			return 0;
		if (*c && (err->cause != ZS_SOURCE || (lost_at == at && ++given_up == FOLDERS_GIVEN_UP)))
			return zs_context(err, "listing %.*s", (int)(k->todo[at]->path.n > 200 ? 200 : k->todo[at]->path.n),
			    (const char *)k->todo[at]->path.p);
		if (at > before)
			given_up = 0;
		if (*c && lost_at == at)
			folder_lost(k, k->todo[at++], err->text);
		else if (*c)
			lost_at = at;
		imap_conn_free(*c);
		*c = NULL;
		zs_err_clear(err);
		if (imap_conn_new(k->account, NULL, c, err) < 0)
			return -1;
	}
}

static int make_todo(struct imap_catalog *k, struct zs_err *err)
{
	if (k->todo)
		return 0;
	k->todo = calloc(k->folders.n, sizeof *k->todo);
	k->from = calloc(k->folders.n, sizeof *k->from);
	return k->todo && k->from ? 0 : zs_fail_nomem(err);
}

static void add_todo(struct imap_catalog *k, struct imap_folder *f, uint32_t from)
{
	k->todo[k->todo_n] = f;
	k->from[k->todo_n++] = from;
}

int imap_catalog_list(struct imap_catalog *k, struct imap_conn **c, struct zs_err *err)
{
	if (zs_sorter_new(SORT_BYTES, k->account->settings->tmp_dir, &k->sorter, err) < 0 || make_todo(k, err) < 0)
		return -1;
	k->todo_n = 0;
	for (size_t i = 0; i < k->folders.n; i++) {
		struct imap_folder *f = k->folders.v[i];

		if (add_dirs(k, f, err) < 0)
			return -1;
		if (!(f->flags & IMAP_FOLDER_NOSELECT))
			add_todo(k, f, 1);
	}
	return list_round(k, c, err);
}

/* ----------------------------------------------------------------------- settling */

/*
 * A message that was moved from a folder not yet listed to one that was must not be missed: what arrived since is listed
 * too.  Fewer than were listed: some went, all of it again.
 */
static int on_now(void *ctx, struct imap_folder *f, const struct imap_reply *now, struct zs_err *err)
{
	struct imap_catalog *k = ctx;

	(void)err;
	if (f->pass == 0 || k->todo_n == k->folders.n)
		return 0;
	if (((now->has & IMAP_HAS_UIDVALIDITY) && now->uidvalidity != f->uidvalidity) ||
	    ((now->has & IMAP_HAS_MESSAGES) && now->messages < f->listed))
		add_todo(k, f, 1);
	else if ((now->has & IMAP_HAS_UIDNEXT) && now->uidnext > f->uidnext && f->uidnext <= UINT32_MAX)
		add_todo(k, f, (uint32_t)f->uidnext);
	return 0;
}

static int settle_once(struct imap_catalog *k, struct imap_conn **c, struct zs_err *err)
{
	k->todo_n = 0;
	return imap_folders_status(*c, &k->folders, on_now, k, err);
}

int imap_catalog_settle(struct imap_catalog *k, struct imap_conn **c, struct zs_err *err)
{
	for (int round = 0; round < ROUNDS; round++) {
		int rc = *c ? settle_once(k, c, err) : -1;

		if (rc < 0 && *c && err->cause != ZS_SOURCE)
			return -1;
		if (rc < 0) { /* lost while others were waited for: once more */
			imap_conn_free(*c);
			*c = NULL;
			zs_err_clear(err);
			if (imap_conn_new(k->account, NULL, c, err) < 0 || settle_once(k, c, err) < 0)
				return -1;
		}
		if (k->todo_n == 0)
			return 0;
		if (list_round(k, c, err) < 0)
			return -1;
	}
	return 0;
}

/* ------------------------------------------------------------------------- reading */

/* The next record that counts, into key and value: 1, 0, -1. */
static int read_ahead(struct imap_catalog *k, struct zs_err *err)
{
	struct imap_record unused;
	struct zs_span key, value;
	int rc;

	while ((rc = zs_sorter_next(k->sorter, &key, &value, err)) > 0) {
		if (!decode(k, value, &unused))
			continue;
		zs_buf_clear(&k->key);
		zs_buf_clear(&k->value);
		if (zs_buf_add_span(&k->key, key, err) < 0 || zs_buf_add_span(&k->value, value, err) < 0)
			return -1;
		break;
	}
	k->has_ahead = rc > 0;
	return rc;
}

static void swap(struct zs_buf *a, struct zs_buf *b)
{
	struct zs_buf t = *a;

	*a = *b;
	*b = t;
}

int imap_catalog_next(struct imap_catalog *k, struct imap_record *out, struct zs_err *err)
{
	if (!k->is_sorted && zs_sorter_sort(k->sorter, err) < 0)
		return -1;
	if (!k->is_sorted && read_ahead(k, err) < 0)
		return -1;
	k->is_sorted = 1;
	if (!k->has_ahead)
		return 0;
	do { /* of equal ones the last */
		swap(&k->key, &k->path);
		swap(&k->value, &k->taken);
		if (read_ahead(k, err) < 0)
			return -1;
	} while (k->has_ahead && zs_span_eq(zs_buf_span(&k->key), zs_buf_span(&k->path)));
	(void)decode(k, zs_buf_span(&k->taken), out);
	for (size_t i = 0; i < k->path.n; i++)
		if (k->path.p[i] == 0)
			k->path.p[i] = '/';
	out->path = zs_buf_span(&k->path);
	return 1;
}

void imap_catalog_fini(struct imap_catalog *k)
{
	imap_folders_fini(&k->folders);
	zs_sorter_free(k->sorter);
	free(k->todo);
	free(k->from);
	zs_buf_fini(&k->key);
	zs_buf_fini(&k->value);
	zs_buf_fini(&k->path);
	zs_buf_fini(&k->taken);
	memset(k, 0, sizeof *k);
}
