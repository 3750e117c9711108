/*
 * One folder's messages: EXAMINE and one UID FETCH of all that is not content.  Both are asked for at once, and for
 * several folders ahead, so that a distant server is not waited for once a folder.
 */
#include "imap_private.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#define WORDS_MAX 64 /* of one message without asking for memory */

/* ------------------------------------------------------------------------- flags */

static int span_cmp(const void *a, const void *b)
{
	const struct zs_span *x = a, *y = b;
	int c = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

	return c ? c : (x->n > y->n) - (x->n < y->n);
}

static int add_joined(struct zs_buf *to, struct zs_span word, struct zs_err *err)
{
	if (to->n > 0 && zs_buf_add_u8(to, 0, err) < 0)
		return -1;
	return zs_buf_add_span(to, word, err);
}

/* "\Seen" becomes "seen". */
static int add_flag(struct zs_buf *to, struct zs_span word, struct zs_err *err)
{
	size_t at;

	if (to->n > 0 && zs_buf_add_u8(to, 0, err) < 0)
		return -1;
	at = to->n;
	if (zs_buf_add(to, word.p + 1, word.n - 1, err) < 0)
		return -1;
	for (; at < to->n; at++)
		if (to->p[at] >= 'A' && to->p[at] <= 'Z')
			to->p[at] = (uint8_t)(to->p[at] + 32);
	return 0;
}

static int add_words(struct zs_span *words, size_t n, struct zs_buf *flags, struct zs_buf *tags, struct zs_err *err)
{
	qsort(words, n, sizeof *words, span_cmp);
	for (size_t i = 0; i < n; i++) {
		struct zs_span w = words[i];

		if (i > 0 && zs_span_eq(w, words[i - 1]))
			continue;
		if (w.p[0] == '\\' && w.n > 1) {
			if (!(w.n == 7 && strncasecmp((const char *)w.p, "\\Recent", 7) == 0) && add_flag(flags, w, err) < 0)
				return -1;
		} else if (add_joined(tags, w, err) < 0) {
			return -1;
		}
	}
	return 0;
}

int imap_listing_flags(struct zs_span joined, struct zs_buf *flags, struct zs_buf *tags, struct zs_err *err)
{
	struct zs_span few[WORDS_MAX], *words = few;
	size_t n = 0, cap = 1;
	int rc;

	for (size_t i = 0; i < joined.n; i++)
		cap += joined.p[i] == 0;
	if (cap > WORDS_MAX && !(words = calloc(cap, sizeof *words)))
		return zs_fail_nomem(err);
	for (size_t at = 0; at < joined.n;) {
		const uint8_t *end = memchr(joined.p + at, 0, joined.n - at);
		size_t len = end ? (size_t)(end - joined.p) - at : joined.n - at;

		if (len > 0)
			words[n++] = zs_span(joined.p + at, len);
		at += len + 1;
	}
	rc = add_words(words, n, flags, tags, err);
	if (words != few)
		free(words);
	return rc;
}

/* ----------------------------------------------------------------------- messages */

int imap_listing_ask(struct imap_conn *c, struct zs_span raw, uint32_t from, struct imap_asked *out, struct zs_err *err)
{
	if (imap_conn_add_named(c, "EXAMINE", raw, "", err) < 0)
		return -1;
	*out = (struct imap_asked){.examine = c->tag, .from = from};
	if (imap_conn_add(c, err, "UID FETCH %u:* (UID FLAGS INTERNALDATE RFC822.SIZE)", from) < 0)
		return -1;
	out->fetch = c->tag;
	return 0;
}

static int on_examined(void *ctx, const struct imap_reply *r, struct zs_err *err)
{
	struct imap_opened *o = ctx;

	(void)err;
	if (r->type == IMAP_EXISTS)
		o->exists = r->number;
	if (r->type != IMAP_OK)
		return 0;
	if (strcmp(r->code, "UIDVALIDITY") == 0)
		o->uidvalidity = r->code_number;
	else if (strcmp(r->code, "UIDNEXT") == 0)
		o->uidnext = r->code_number;
	else if (strcmp(r->code, "HIGHESTMODSEQ") == 0)
		o->modseq = r->code_number;
	return 0;
}

struct receiving {
	struct imap_opened *opened;
	uint32_t from;
	uint64_t expunged;
	struct zs_buf flags, tags;
	imap_listing_fn *fn;
	void *ctx;
};

static int on_message(void *ctx, const struct imap_reply *r, struct zs_err *err)
{
	struct receiving *l = ctx;
	struct imap_message m = {.uid = r->uid, .size = r->has & IMAP_HAS_SIZE ? r->size : UINT64_MAX, .date_ns = r->date_ns};

	if (r->type == IMAP_EXPUNGE)
		l->expunged++;
	/* Without a size it is news about flags that nobody asked for; below from: the last one, as "n:*" always has it. */
	if (r->type != IMAP_FETCH || !(r->has & IMAP_HAS_UID) || !(r->has & (IMAP_HAS_SIZE | IMAP_HAS_DATE)) || r->uid < l->from)
		return 0;
	zs_buf_clear(&l->flags);
	zs_buf_clear(&l->tags);
	if (imap_listing_flags(zs_buf_span(&r->flags), &l->flags, &l->tags, err) < 0)
		return -1;
	m.flags = zs_buf_span(&l->flags);
	m.tags = zs_buf_span(&l->tags);
	l->opened->listed++;
	return l->fn(l->ctx, &m, err);
}

static void refused(struct imap_opened *o, const struct imap_reply *r)
{
	o->is_open = 0;
	(void)imap_names_text(zs_buf_span(&r->text), o->why, sizeof o->why);
}

int imap_listing_receive(struct imap_conn *c, const struct imap_asked *asked, imap_listing_fn *fn, void *ctx, struct imap_opened *out,
    struct zs_err *err)
{
	struct receiving l = {.opened = out, .from = asked->from, .fn = fn, .ctx = ctx};
	int rc;

	*out = (struct imap_opened){0};
	if ((rc = imap_conn_finish(c, asked->examine, on_examined, out, err)) < 0)
		return -1;
	out->is_open = rc;
	if (!out->is_open)
		refused(out, &c->reply);
	rc = imap_conn_finish(c, asked->fetch, on_message, &l, err);
	zs_buf_fini(&l.flags);
	zs_buf_fini(&l.tags);
	if (rc < 0)
		return -1;
	/* "1:*" of an empty folder is no set to some; and what was deleted meanwhile is none of our business. */
	if (out->is_open && rc == 0 && out->exists > 0 && strcmp(c->reply.code, "EXPUNGEISSUED") != 0)
		refused(out, &c->reply);
	if (out->is_open && asked->from <= 1 && out->listed + l.expunged < out->exists) {
		out->is_open = 0;
		(void)snprintf(out->why, sizeof out->why, "the server speaks of %llu messages and lists %llu",
		    (unsigned long long)out->exists, (unsigned long long)out->listed);
	}
	return 0;
}
