/*
 * The table of folders: LIST and STATUS, in one command where the server can, and a path in the snapshot for each.
 */
#include "imap_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDERS_MAX 100000
#define NAME_MAX_BYTES 4096
#define STATUS_WINDOW 32 /* commands on their way */

void imap_folders_free_one(struct imap_folder *f)
{
	if (!f)
		return;
	zs_buf_fini(&f->raw);
	zs_buf_fini(&f->path);
	free(f);
}

void imap_folders_fini(struct imap_folders *l)
{
	for (size_t i = 0; i < l->n; i++)
		imap_folders_free_one(l->v[i]);
	free(l->v);
	memset(l, 0, sizeof *l);
}

struct imap_folder *imap_folders_find(const struct imap_folders *l, struct zs_span raw, size_t *hint)
{
	for (size_t i = 0; i < l->n; i++) {
		size_t at = (*hint + i) % l->n;

		if (!zs_span_eq(zs_buf_span(&l->v[at]->raw), raw))
			continue;
		*hint = at + 1;
		return l->v[at];
	}
	return NULL;
}

/* ------------------------------------------------------------------------- LIST */

struct listing {
	const struct imap_account *account;
	struct imap_folders *to;
	size_t hint; /* STATUS mostly comes in the order of LIST */
};

static const char *special_of(struct zs_span attributes)
{
	static const char *const known[] = {"\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Important", "\\Junk", "\\Sent", "\\Trash"};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (imap_reply_among(attributes, known[i]))
			return known[i];
	return NULL;
}

static int make_folder(const struct imap_reply *r, struct imap_folder **out, struct zs_err *err)
{
	struct zs_span raw = zs_buf_span(&r->name), shown = raw, attributes = zs_buf_span(&r->flags);
	struct imap_folder *f = calloc(1, sizeof *f);

	if (!f)
		return zs_fail_nomem(err);
	if (r->delimiter && shown.n > 1 && shown.p[shown.n - 1] == r->delimiter)
		shown.n--; /* some write what is only a directory like that */
	if (zs_buf_add_span(&f->raw, raw, err) < 0 || imap_names_path(shown, r->delimiter, &f->path, err) < 0) {
		imap_folders_free_one(f);
		return -1;
	}
	f->delimiter = r->delimiter;
	f->special = special_of(attributes);
	if (imap_reply_among(attributes, "\\Noselect") || imap_reply_among(attributes, "\\NonExistent"))
		f->flags |= IMAP_FOLDER_NOSELECT;
	if (imap_reply_among(attributes, "\\Subscribed"))
		f->flags |= IMAP_FOLDER_SUBSCRIBED;
	*out = f;
	return 0;
}

int imap_folders_add(struct imap_folders *l, struct imap_folder *f, struct zs_err *err)
{
	struct imap_folder **grown;

	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;

		if (!(grown = realloc(l->v, cap * sizeof(struct imap_folder *))))
			return zs_fail_nomem(err);
		l->v = grown;
		l->cap = cap;
	}
	l->v[l->n++] = f;
	return 0;
}

static int on_list(struct listing *l, const struct imap_reply *r, struct zs_err *err)
{
	struct imap_folder *f = NULL;

	if (l->to->n >= FOLDERS_MAX)
		return zs_fail(err, ZS_SOURCE, "the server has more than %d folders", FOLDERS_MAX);
	if (r->name.n > NAME_MAX_BYTES)
		return zs_fail(err, ZS_SOURCE, "the server has a folder with a name of %zu bytes", r->name.n);
	if (make_folder(r, &f, err) < 0)
		return -1;
	if (imap_options_wants(l->account, zs_buf_span(&f->path))) {
		if (imap_folders_add(l->to, f, err) == 0)
			return 0;
		imap_folders_free_one(f);
		return -1;
	}
	imap_folders_free_one(f);
	return 0;
}

static void take_status(struct imap_folder *f, const struct imap_reply *r)
{
	f->flags |= IMAP_FOLDER_HAS_STATUS;
	f->messages = r->messages;
	f->uidnext = r->uidnext;
	f->uidvalidity = r->uidvalidity;
	f->modseq = r->modseq;
}

static int on_listed(void *ctx, const struct imap_reply *r, struct zs_err *err)
{
	struct listing *l = ctx;
	struct imap_folder *f;

	if (r->type == IMAP_LIST)
		return on_list(l, r, err);
	if (r->type == IMAP_STATUS && (f = imap_folders_find(l->to, zs_buf_span(&r->name), &l->hint)))
		take_status(f, r);
	return 0;
}

static const char *status_items(const struct imap_conn *c)
{
	return c->caps & IMAP_CAP_CONDSTORE ? "(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)" : "(MESSAGES UIDNEXT UIDVALIDITY)";
}

static int list_plainly(struct imap_conn *c, struct listing *l, struct zs_err *err)
{
	char said[160];
	int rc;

	if (imap_conn_add(c, err, "LIST \"\" \"*\"") < 0 || (rc = imap_conn_run(c, on_listed, l, err)) < 0)
		return -1;
	return rc > 0 ? 0 : zs_fail(err, ZS_SOURCE, "the server does not list its folders: %s",
	    imap_names_text(zs_buf_span(&c->reply.text), said, sizeof said));
}

/* 1 with STATUS, 0 without. */
static int list_all(struct imap_conn *c, struct listing *l, struct zs_err *err)
{
	int with_status = (c->caps & IMAP_CAP_LIST_STATUS) != 0, rc;

	if (c->caps & IMAP_CAP_LIST_EXTENDED) {
		if (imap_conn_add(c, err, "LIST \"\" \"*\" RETURN (SUBSCRIBED%s%s%s)", c->caps & IMAP_CAP_SPECIAL_USE ? " SPECIAL-USE" : "",
			with_status ? " STATUS " : "", with_status ? status_items(c) : "") < 0 ||
		    (rc = imap_conn_run(c, on_listed, l, err)) < 0)
			return -1;
		if (rc > 0)
			return with_status;
		imap_folders_fini(l->to); /* it cannot what it said */
	}
	return list_plainly(c, l, err) < 0 ? -1 : 0;
}

/* ----------------------------------------------------------------------- STATUS */

struct asking {
	struct imap_folders *folders;
	size_t hint;
	imap_folders_fn *fn;
	void *ctx;
};

static int on_status(void *ctx, const struct imap_reply *r, struct zs_err *err)
{
	struct asking *a = ctx;
	struct imap_folder *f;

	if (r->type != IMAP_STATUS || !(f = imap_folders_find(a->folders, zs_buf_span(&r->name), &a->hint)))
		return 0;
	return a->fn(a->ctx, f, r, err);
}

/* 1 sent, 0 there is nothing to ask about it, -1. */
static int send_status(struct imap_conn *c, const struct imap_folder *f, struct zs_err *err)
{
	char rest[80];

	if (f->flags & IMAP_FOLDER_NOSELECT)
		return 0;
	(void)snprintf(rest, sizeof rest, " %s", status_items(c));
	if (imap_conn_add_named(c, "STATUS", zs_buf_span(&f->raw), rest, err) == 0)
		return 1;
	if (err->cause != ZS_LIMIT)
		return -1;
	zs_err_clear(err);
	return 0;
}

static int status_each(struct imap_conn *c, struct asking *a, struct zs_err *err)
{
	uint32_t tags[STATUS_WINDOW];
	size_t first = 0, sent = 0;
	int rc;

	for (size_t i = 0; i < a->folders->n || first < sent;) {
		while (i < a->folders->n && sent - first < STATUS_WINDOW) {
			if ((rc = send_status(c, a->folders->v[i++], err)) < 0)
				return -1;
			if (rc > 0)
				tags[sent++ % STATUS_WINDOW] = c->tag;
		}
		if (imap_conn_flush(c, err) < 0)
			return -1;
		if (first < sent && imap_conn_finish(c, tags[first++ % STATUS_WINDOW], on_status, a, err) < 0)
			return -1;
	}
	return 0;
}

int imap_folders_status(struct imap_conn *c, struct imap_folders *l, imap_folders_fn *fn, void *ctx, struct zs_err *err)
{
	struct asking a = {.folders = l, .fn = fn, .ctx = ctx};

	if ((c->caps & IMAP_CAP_LIST_STATUS) && (c->caps & IMAP_CAP_LIST_EXTENDED)) {
		int rc;

		if (imap_conn_add(c, err, "LIST \"\" \"*\" RETURN (STATUS %s)", status_items(c)) < 0 ||
		    (rc = imap_conn_run(c, on_status, &a, err)) < 0)
			return -1;
		if (rc > 0)
			return 0;
	}
	return status_each(c, &a, err);
}

static int keep_status(void *ctx, struct imap_folder *f, const struct imap_reply *now, struct zs_err *err)
{
	(void)ctx;
	(void)err;
	take_status(f, now);
	return 0;
}

/* ----------------------------------------------------------------------- the table */

static int raw_cmp(const void *a, const void *b)
{
	const struct zs_buf *x = &(*(struct imap_folder *const *)a)->raw, *y = &(*(struct imap_folder *const *)b)->raw;
	size_t n = x->n < y->n ? x->n : y->n;
	int c = n ? memcmp(x->p, y->p, n) : 0;

	return c ? c : (x->n > y->n) - (x->n < y->n);
}

/* By path; of equal ones the order of the server's names. */
static int path_cmp(const void *a, const void *b)
{
	int c = zs_path_cmp(zs_buf_span(&(*(struct imap_folder *const *)a)->path), zs_buf_span(&(*(struct imap_folder *const *)b)->path));

	return c ? c : raw_cmp(a, b);
}

/* What the server said twice is one folder. */
static void drop_doubles(struct imap_folders *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct imap_folder *last = kept ? l->v[kept - 1] : NULL;

		if (!last || raw_cmp(&last, &l->v[i]) != 0) {
			l->v[kept++] = l->v[i];
			continue;
		}
		last->flags |= l->v[i]->flags & (IMAP_FOLDER_SUBSCRIBED | IMAP_FOLDER_HAS_STATUS);
		last->messages |= l->v[i]->messages; /* one of them had none */
		last->uidnext |= l->v[i]->uidnext;
		last->uidvalidity |= l->v[i]->uidvalidity;
		last->modseq |= l->v[i]->modseq;
		imap_folders_free_one(l->v[i]);
	}
	l->n = kept;
}

/* Two names that would be one path (as "a/b" and "a.b" of namespaces that differ): all but the first are marked. */
static int tell_apart(struct imap_folders *l, struct zs_err *err)
{
	for (int tries = 0; tries < 4; tries++) {
		int doubles = 0;

		qsort(l->v, l->n, sizeof *l->v, path_cmp);
		for (size_t i = l->n; i-- > 1;) {
			if (!zs_span_eq(zs_buf_span(&l->v[i]->path), zs_buf_span(&l->v[i - 1]->path)))
				continue;
			if (imap_names_differ(&l->v[i]->path, zs_buf_span(&l->v[i]->raw), err) < 0)
				return -1;
			doubles = 1;
		}
		if (!doubles)
			return 0;
	}
	return zs_fail(err, ZS_SOURCE, "the server has folders that cannot be told apart");
}

static int nothing_found(const struct imap_account *a, struct zs_err *err)
{
	char path[200];

	if (a->below.n)
		return zs_fail(err, ZS_SOURCE, "there is no folder '%s' on the server, or the options leave it out",
		    imap_names_text(zs_buf_span(&a->below), path, sizeof path));
	return zs_fail(err, ZS_SOURCE, "the server has no folder%s", a->wanted || a->excluded ? " that the options do not leave out" : "");
}

int imap_folders_list(struct imap_conn *c, struct imap_folders *out, struct zs_err *err)
{
	struct imap_folders l = {0};
	struct listing listing = {.account = c->account, .to = &l};
	int with_status = list_all(c, &listing, err), rc = -1;

	if (with_status < 0)
		goto out;
	if (l.n == 0) {
		(void)nothing_found(c->account, err);
		goto out;
	}
	qsort(l.v, l.n, sizeof *l.v, raw_cmp);
	drop_doubles(&l);
	if (tell_apart(&l, err) < 0)
		goto out;
	if (!with_status && imap_folders_status(c, &l, keep_status, NULL, err) < 0)
		goto out;
	for (uint32_t i = 0; i < l.n; i++)
		l.v[i]->number = i;
	*out = l;
	memset(&l, 0, sizeof l);
	rc = 0;
out:
	imap_folders_fini(&l);
	return rc;
}
