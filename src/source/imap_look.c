/*
 * The second look: a message that is not where it was listed may have been moved.  What arrived anywhere since the listing
 * is found by STATUS and listed; who has the date and the size of a missing one is it, and is read where it is now.
 */
#include "imap_fetch_private.h"

#include <stdlib.h>
#include <string.h>

#define NOTES 20

static struct imap_folder *copy_folder(const struct imap_folder *f, struct zs_err *err)
{
	struct imap_folder *c = calloc(1, sizeof *c);

	if (!c) {
		(void)zs_fail_nomem(err);
		return NULL;
	}
	*c = (struct imap_folder){.delimiter = f->delimiter, .flags = f->flags, .uidnext = f->uidnext, .uidvalidity = f->uidvalidity};
	if (zs_buf_add_span(&c->raw, zs_buf_span(&f->raw), err) < 0 || zs_buf_add_span(&c->path, zs_buf_span(&f->path), err) < 0) {
		imap_folders_free_one(c);
		return NULL;
	}
	return c;
}

static int add_copy(struct imap_folders *to, const struct imap_folder *f, struct zs_err *err)
{
	struct imap_folder *c = copy_folder(f, err);

	if (!c)
		return -1;
	if (imap_folders_add(to, c, err) == 0)
		return 0;
	imap_folders_free_one(c);
	return -1;
}

/* The first time: what the listing knew. */
static int know(struct imap_fetch *e, struct zs_err *err)
{
	for (size_t i = e->known.n; i < e->listed->n; i++)
		if (add_copy(&e->known, e->listed->v[i], err) < 0)
			return -1;
	return 0;
}

/* ---------------------------------------------------------------------- what arrived */

struct arriving { struct imap_fetch *e; const struct imap_folder *folder; uint32_t highest; };

static int on_arrived(void *ctx, const struct imap_message *m, struct zs_err *err)
{
	struct arriving *a = ctx;
	struct imap_fetch *e = a->e;
	struct imap_late *grown;

	if (m->uid > a->highest)
		a->highest = m->uid;
	if (m->date_ns == INT64_MIN || m->size == UINT64_MAX)
		return 0;
	if (e->late_n == e->late_max) {
		e->is_late_cut = 1;
		return 0;
	}
	if (e->late_n == e->late_cap) {
		size_t cap = e->late_cap ? 2 * e->late_cap : 64;

		if (!(grown = realloc(e->late, cap * sizeof *grown)))
			return zs_fail_nomem(err);
		e->late = grown;
		e->late_cap = cap;
	}
	e->late[e->late_n++] = (struct imap_late){.folder = a->folder, .uid = m->uid, .size = m->size, .date_ns = m->date_ns};
	return 0;
}

/* Entries that were added when the connection was lost have no folder that stays. */
static int list_arrived(struct imap_fetch *e, struct imap_conn *c, struct imap_folder *known, const struct imap_folder *now, uint32_t from,
    struct zs_err *err)
{
	struct arriving a = {.e = e};
	struct imap_asked asked;
	struct imap_opened opened;
	size_t before = e->late_n;

	if (add_copy(&e->kept, now, err) < 0)
		return -1;
	a.folder = e->kept.v[e->kept.n - 1];
	if (imap_listing_ask(c, zs_buf_span(&now->raw), from, &asked, err) < 0) {
		if (err->cause != ZS_LIMIT)
			return -1;
		zs_err_clear(err); /* a name that cannot be said */
		return 0;
	}
	if (imap_conn_flush(c, err) < 0 || imap_listing_receive(c, &asked, on_arrived, &a, &opened, err) < 0) {
		e->late_n = before;
		return -1;
	}
	e->kept.v[e->kept.n - 1]->uidvalidity = opened.uidvalidity;
	known->uidvalidity = opened.uidvalidity;
	known->uidnext = opened.uidnext > a.highest ? opened.uidnext : (uint64_t)a.highest + 1;
	return 0;
}

static int look_at(struct imap_fetch *e, struct imap_conn *c, const struct imap_folder *now, size_t *hint, struct zs_err *err)
{
	struct imap_folder *known = imap_folders_find(&e->known, zs_buf_span(&now->raw), hint);
	uint32_t from = 1;

	if ((now->flags & IMAP_FOLDER_NOSELECT) || !(now->flags & IMAP_FOLDER_HAS_STATUS))
		return 0;
	if (!known) {
		if (add_copy(&e->known, now, err) < 0)
			return -1;
		known = e->known.v[e->known.n - 1];
		known->uidnext = known->uidvalidity = 0;
	}
	if (known->uidvalidity == now->uidvalidity) {
		if (now->uidnext <= known->uidnext || known->uidnext > UINT32_MAX)
			return 0;
		from = known->uidnext > 1 ? (uint32_t)known->uidnext : 1;
	}
	return list_arrived(e, c, known, now, from, err);
}

/* -------------------------------------------------------------------- what is missing */

static struct imap_late *find_late(struct imap_fetch *e, const struct imap_body *b)
{
	for (size_t i = 0; i < e->late_n; i++) {
		struct imap_late *l = &e->late[i];

		if (!l->is_used && l->size == b->size && l->date_ns == b->date_ns)
			return l;
	}
	return NULL;
}

/* With the lock held. */
static void gone(struct imap_fetch *e, struct imap_body *b)
{
	(void)zs_fail(&b->why, ZS_NOTFOUND, "the message was deleted while the backup ran");
	imap_fetch_end(b, IMAP_BODY_GONE);
	e->counts.gone++;
	if (e->notes_gone++ < NOTES)
		imap_options_note(e->account, ZS_NOTE_INFO, "%.*s/%010u.eml was deleted while the backup ran",
		    (int)(b->listed_in->path.n > 300 ? 300 : b->listed_in->path.n), (const char *)b->listed_in->path.p, b->listed_uid);
}

/* With the lock held: those that are found go back into the queue; what is left. */
static struct imap_body *take_found(struct imap_fetch *e, struct imap_body *missing)
{
	struct imap_body *left = NULL, *b;

	while ((b = missing)) {
		struct imap_late *l = find_late(e, b);

		missing = b->next;
		b->next = NULL;
		if (!l) {
			b->next = left;
			left = b;
			continue;
		}
		l->is_used = 1;
		b->folder = l->folder;
		b->uid = l->uid;
		e->counts.followed++;
		imap_fetch_restart(b);
		imap_fetch_enqueue(b);
		imap_fetch_drop(b);
	}
	return left;
}

struct asking { struct imap_body *body; int is_there; uint64_t uidvalidity; };

static int on_answer(void *ctx, const struct imap_reply *r, struct zs_err *err)
{
	struct asking *a = ctx;

	(void)err;
	a->is_there |= r->type == IMAP_FETCH && (r->has & IMAP_HAS_UID) && r->uid == a->body->uid;
	if (r->type == IMAP_OK && strcmp(r->code, "UIDVALIDITY") == 0)
		a->uidvalidity = r->code_number;
	return 0;
}

/*
 * Is it really not there?  A server that answers for a message without giving it must not make it a deleted one.  Without
 * the lock: nobody else has these bodies, but for a reader that waits.
 */
static int ask_about(struct imap_conn *c, struct imap_body *b, const struct imap_folder **open, struct zs_err *err)
{
	struct asking a = {.body = b};
	int rc;

	if (*open != b->folder) {
		*open = NULL;
		if (imap_conn_add_named(c, "EXAMINE", zs_buf_span(&b->folder->raw), "", err) < 0 ||
		    (rc = imap_conn_run(c, on_answer, &a, err)) < 0)
			return -1;
		if (rc == 0 || a.uidvalidity != b->folder->uidvalidity)
			return 0;
		*open = b->folder;
	}
	if (imap_conn_add(c, err, "UID FETCH %u (UID)", b->uid) < 0 || imap_conn_run(c, on_answer, &a, err) < 0)
		return -1;
	if (a.is_there && !b->why.cause)
		(void)zs_fail(&b->why, ZS_SOURCE, "the server has the message, but does not give it");
	return 0;
}

static int ask_about_all(struct imap_conn *c, struct imap_body *left, struct zs_err *err)
{
	const struct imap_folder *open = NULL;

	for (; left; left = left->next)
		if (ask_about(c, left, &open, err) < 0)
			return -1;
	return 0;
}

/* With the lock held; takes the reference. */
static void resolve(struct imap_fetch *e, struct imap_body *b, const struct imap_folders *now)
{
	size_t hint = 0;

	b->next = NULL;
	if (e->is_late_cut)
		(void)zs_fail(&b->why, ZS_SOURCE, "the message is not where it was, and too many arrived meanwhile to look for it among them");
	/* Where its folder is not there any more, it was not refused. */
	if (e->is_late_cut || (b->why.cause && imap_folders_find(now, zs_buf_span(&b->folder->raw), &hint)))
		imap_fetch_end(b, IMAP_BODY_FAILED);
	else
		gone(e, b);
	imap_fetch_drop(b);
}

/* With the lock held: they stay missing for the next look, unless this was the second. */
static void give_back(struct imap_fetch *e, struct imap_body *missing, const struct zs_err *why)
{
	struct imap_body *b;

	while ((b = missing)) {
		missing = b->next;
		b->next = NULL;
		if (++b->looks < 2) {
			b->next = e->missing;
			e->missing = b;
			continue;
		}
		b->why = *why;
		(void)zs_context(&b->why, "the message is not where it was, and cannot be looked for");
		imap_fetch_end(b, IMAP_BODY_FAILED);
		imap_fetch_drop(b);
	}
}

int imap_look_for_missing(struct imap_fetch *e, struct imap_conn *c, struct zs_err *err)
{
	struct imap_folders now = {0};
	struct imap_body *missing, *b;
	size_t hint = 0;
	int rc;

	/* Those that become missing while this look is on may have been moved after it passed. */
	(void)pthread_mutex_lock(&e->lock);
	missing = e->missing;
	e->missing = NULL;
	(void)pthread_mutex_unlock(&e->lock);
	rc = know(e, err);
	if (rc == 0)
		rc = imap_folders_list(c, &now, err);
	for (size_t i = 0; rc == 0 && i < now.n; i++)
		rc = look_at(e, c, now.v[i], &hint, err);
	(void)pthread_mutex_lock(&e->lock);
	if (rc == 0)
		missing = take_found(e, missing);
	(void)pthread_mutex_unlock(&e->lock);
	if (rc == 0)
		rc = ask_about_all(c, missing, err);
	(void)pthread_mutex_lock(&e->lock);
	if (rc < 0)
		give_back(e, missing, err);
	while (rc == 0 && (b = missing)) {
		missing = b->next;
		resolve(e, b, &now);
	}
	(void)pthread_mutex_unlock(&e->lock);
	imap_folders_fini(&now);
	return rc;
}

void imap_look_fini(struct imap_fetch *e)
{
	imap_folders_fini(&e->known);
	imap_folders_fini(&e->kept);
	free(e->late);
}
