/*
 * One fetcher: a thread with a connection.  It asks for a window of bodies at once, each by a command of its own, so that
 * every one ends with a result of its own: there, not there, refused.  What the connection's loss leaves is asked for
 * again on the next one.
 */
#include "imap_fetch_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS 3   /* of one body: the connection was lost while it was to come */
#define LOSSES_MAX 10 /* in a row, without a body in between */
#define CONNECTS 3
#define NOTES 10 /* of one kind */

/* Which of the bodies on their way is it?  Not behind an EXAMINE: there it would be of another folder.  NULL: none. */
static struct imap_sent *find_uid(struct imap_fetcher *f, const struct imap_reply *r)
{
	for (unsigned i = 0; i < f->count && f->sent[i].body; i++)
		if (!f->sent[i].has_come && (!(r->has & IMAP_HAS_UID) || f->sent[i].uid == r->uid))
			return &f->sent[i];
	return NULL;
}

/* ---------------------------------------------------------------------- what comes */

/* With the lock held: nothing has moved for long, and somebody waits for something else. */
static int is_starving(const struct imap_fetch *e)
{
	return e->waiting > 0 && zs_monotonic_ns() - e->progress_ns > e->starving_ns;
}

/* With the lock held: wait until there is room for the body's next chunk.  1; 0: it is given up. */
static int wait_for_room(struct imap_fetcher *f, struct imap_body *b, size_t cap)
{
	struct imap_fetch *e = f->fetch;

	while (e->held + cap > e->held_max && b->waiters == 0) {
		if (b->is_kept == 0 || atomic_load(&e->ending) || e->is_dead)
			return 0;
		if (is_starving(e)) {
			imap_fetch_restart(b);
			b->state = IMAP_BODY_NEW;
			return 0;
		}
		imap_fetch_wait(e, &e->to_fetchers);
	}
	return b->is_kept > 0;
}

static int begin_chunk(struct imap_fetcher *f, struct imap_body *b, struct zs_err *err)
{
	struct imap_fetch *e = f->fetch;
	uint64_t rest = b->announced - b->came;
	size_t cap = rest < IMAP_CHUNK_BYTES ? (size_t)rest : IMAP_CHUNK_BYTES;
	int has_room;

	(void)pthread_mutex_lock(&e->lock);
	has_room = wait_for_room(f, b, cap);
	if (has_room)
		e->held += cap;
	else
		f->is_discarded = 1;
	(void)pthread_mutex_unlock(&e->lock);
	if (!has_room)
		return 0;
	if (!(f->chunk = malloc(sizeof *f->chunk + cap))) {
		(void)pthread_mutex_lock(&e->lock);
		e->held -= cap;
		(void)pthread_mutex_unlock(&e->lock);
		return zs_fail_nomem(err);
	}
	*f->chunk = (struct imap_chunk){.cap = cap};
	return 0;
}

static void hand_over(struct imap_fetcher *f, struct imap_body *b)
{
	struct imap_fetch *e = f->fetch;

	if (b->is_streamed)
		zs_hasher_add(b->hasher, zs_span(f->chunk->p, f->chunk->n));
	(void)pthread_mutex_lock(&e->lock);
	*b->last = f->chunk;
	b->last = &f->chunk->next;
	b->given += f->chunk->n;
	f->chunk = NULL;
	e->progress_ns = zs_monotonic_ns();
	if (b->waiters > 0 && b->is_streamed)
		(void)pthread_cond_broadcast(&e->to_readers);
	(void)pthread_mutex_unlock(&e->lock);
}

/* Its content is not what came before the connection was lost. */
static void came_differently(struct imap_fetcher *f, struct imap_body *b)
{
	struct imap_fetch *e = f->fetch;

	(void)pthread_mutex_lock(&e->lock);
	(void)zs_fail(&b->why, ZS_SOURCE, "the connection was lost, and then the server gave another content");
	imap_fetch_end(b, IMAP_BODY_FAILED);
	f->is_discarded = 1;
	(void)pthread_mutex_unlock(&e->lock);
}

static int on_begin(void *ctx, const struct imap_reply *r, uint64_t bytes, struct zs_err *err)
{
	struct imap_fetcher *f = ctx;
	struct imap_body *b;

	if (!(f->now = find_uid(f, r)))
		return imap_stream_garbage(&f->conn->in, "a message that was asked for", err);
	b = f->now->body;
	f->is_discarded = 0;
	if (b->again > 0 && bytes != b->announced) {
		came_differently(f, b);
		return 0;
	}
	b->came = 0;
	b->announced = bytes;
	if (bytes > IMAP_CHUNK_BYTES && !b->hasher && !(b->hasher = zs_hasher_new()))
		return zs_fail_nomem(err);
	(void)pthread_mutex_lock(&f->fetch->lock); /* its reader may be looking */
	b->is_streamed = bytes > IMAP_CHUNK_BYTES;
	(void)pthread_mutex_unlock(&f->fetch->lock);
	return 0;
}

/* What came before comes again: the part of it among n bytes. */
static size_t take_again(struct imap_fetcher *f, struct imap_body *b, const uint8_t *p, size_t n)
{
	size_t part = b->again - b->came < n ? (size_t)(b->again - b->came) : n;

	zs_hasher_add(b->hasher, zs_span(p, part));
	b->came += part;
	if (b->came == b->again && zs_hasher_sum(b->hasher) != b->again_sum)
		came_differently(f, b);
	return part;
}

static int take_new(struct imap_fetcher *f, struct imap_body *b, const uint8_t *p, size_t n, size_t *out_part, struct zs_err *err)
{
	struct imap_chunk *c;

	*out_part = n;
	if (!f->chunk && (begin_chunk(f, b, err) < 0 || f->is_discarded))
		return f->is_discarded ? 0 : -1;
	c = f->chunk;
	if (c->cap - c->n < n)
		*out_part = c->cap - c->n;
	memcpy(c->p + c->n, p, *out_part);
	c->n += *out_part;
	b->came += *out_part;
	if (c->n == c->cap)
		hand_over(f, b);
	return 0;
}

static int on_data(void *ctx, const uint8_t *p, size_t n, struct zs_err *err)
{
	struct imap_fetcher *f = ctx;
	struct imap_body *b = f->now->body;

	if (atomic_load(&f->fetch->ending))
		return zs_fail(err, ZS_STOPPED, "stopped");
	while (n > 0 && !f->is_discarded) {
		size_t part;

		if (b->came < b->again)
			part = take_again(f, b, p, n);
		else if (take_new(f, b, p, n, &part, err) < 0)
			return -1;
		p += part;
		n -= part;
	}
	return 0;
}

/* ------------------------------------------------------------------- how it ended */

/* With the lock held. */
static void note_size(struct imap_fetch *e, const struct imap_body *b)
{
	if (b->size == UINT64_MAX || b->size == b->given)
		return;
	e->counts.resized++;
	if (e->notes_resized++ < NOTES)
		imap_options_note(e->account, ZS_NOTE_WARNING, "%.*s/%010u.eml: the server spoke of %llu bytes and gave %llu; what it gave is kept",
		    (int)(b->listed_in->path.n > 300 ? 300 : b->listed_in->path.n), (const char *)b->listed_in->path.p, b->listed_uid,
		    (unsigned long long)b->size, (unsigned long long)b->given);
}

/* All of it is there; the command's result is still to come. */
static void body_came(struct imap_fetcher *f)
{
	struct imap_fetch *e = f->fetch;
	struct imap_body *b = f->now->body;

	(void)pthread_mutex_lock(&e->lock);
	f->now->has_come = 1;
	f->now = NULL;
	e->losses = 0;
	e->progress_ns = zs_monotonic_ns();
	if (!f->is_discarded && b->is_kept) {
		e->counts.fetched++;
		e->counts.bytes += b->given;
		note_size(e, b);
		imap_fetch_end(b, IMAP_BODY_DONE);
	}
	(void)pthread_mutex_unlock(&e->lock);
}

/* With the lock held: takes the window's reference. */
static void body_missing(struct imap_fetcher *f, struct imap_body *b)
{
	b->state = IMAP_BODY_MISSING;
	b->next = f->fetch->missing;
	f->fetch->missing = b;
}

/* With the lock held. */
static void body_refused(struct imap_body *b, const struct imap_reply *r)
{
	char said[200];

	(void)zs_fail(&b->why, ZS_SOURCE, "the server does not give the message: %s", imap_names_text(zs_buf_span(&r->text), said, sizeof said));
}

static void body_ended(struct imap_fetcher *f, const struct imap_sent *sent, const struct imap_reply *r)
{
	struct imap_fetch *e = f->fetch;
	struct imap_body *b = sent->body;
	int is_missing = 0;

	(void)pthread_mutex_lock(&e->lock);
	f->bodies--;
	f->bytes -= b->size == UINT64_MAX ? 0 : b->size;
	if (!sent->has_come && b->is_kept) {
		zs_err_clear(&b->why);
		if (f->open != sent->folder)
			(void)zs_fail(&b->why, ZS_SOURCE, "%s", f->refusal);
		else if (r->type != IMAP_OK && strcmp(r->code, "EXPUNGEISSUED") != 0)
			body_refused(b, r);
		is_missing = f->open != sent->folder || r->type != IMAP_BAD;
		if (is_missing)
			body_missing(f, b);
		else
			imap_fetch_end(b, IMAP_BODY_FAILED);
	}
	if (!is_missing)
		imap_fetch_drop(b);
	(void)pthread_mutex_unlock(&e->lock);
}

static void folder_opened(struct imap_fetcher *f, const struct imap_folder *folder, const struct imap_reply *r)
{
	char said[100];

	f->open = NULL;
	if (r->type != IMAP_OK)
		(void)snprintf(f->refusal, sizeof f->refusal, "the folder cannot be opened any more: %s",
		    imap_names_text(zs_buf_span(&r->text), said, sizeof said));
	else if (f->uidvalidity != folder->uidvalidity)
		(void)snprintf(f->refusal, sizeof f->refusal, "the folder was made anew or renumbered, and the message was not found again");
	else
		f->open = folder;
	f->uidvalidity = 0;
}

/* Results may come in another order, but none before that of an EXAMINE that was sent earlier. */
static int take_result(struct imap_fetcher *f, const struct imap_reply *r, struct zs_err *err)
{
	struct imap_sent sent = {0};
	unsigned i = 0;

	while (i < f->count && f->sent[i].tag != r->tag && f->sent[i].body)
		i++;
	if (i == f->count || f->sent[i].tag != r->tag || (!f->sent[i].body && i > 0))
		return imap_stream_garbage(&f->conn->in, "the result of a command of ours", err);
	sent = f->sent[i];
	memmove(f->sent + i, f->sent + i + 1, (f->count - i - 1) * sizeof *f->sent);
	f->count--;
	if (sent.body)
		body_ended(f, &sent, r);
	else
		folder_opened(f, sent.folder, r);
	return 0;
}

/* It is there, and has no content. */
static int body_is_nil(struct imap_fetcher *f, const struct imap_reply *r)
{
	struct imap_fetch *e = f->fetch;
	struct imap_sent *s = r->has & IMAP_HAS_UID ? find_uid(f, r) : NULL;

	if (!s)
		return 0;
	(void)pthread_mutex_lock(&e->lock);
	(void)zs_fail(&s->body->why, ZS_SOURCE, "the server gives no content for the message");
	imap_fetch_end(s->body, IMAP_BODY_FAILED);
	s->has_come = 1;
	(void)pthread_mutex_unlock(&e->lock);
	return 0;
}

/* Send what there is to be sent, and deal with one reply. */
static int fetcher_turn(struct imap_fetcher *f, struct zs_err *err)
{
	const struct imap_sink sink = {f, on_begin, on_data};
	const struct imap_reply *r = &f->conn->reply;

	if (imap_conn_flush(f->conn, err) < 0 || imap_conn_read(f->conn, &sink, err) < 0)
		return -1;
	if (r->tag)
		return take_result(f, r, err);
	if (r->type == IMAP_OK && strcmp(r->code, "UIDVALIDITY") == 0)
		f->uidvalidity = r->code_number;
	if (!f->now)
		return r->has & IMAP_HAS_NIL ? body_is_nil(f, r) : 0;
	if (!(r->has & IMAP_HAS_UID) || r->uid != f->now->uid)
		return imap_stream_garbage(&f->conn->in, "a message that was asked for", err);
	body_came(f);
	return 0;
}

/* ------------------------------------------------------------------------ the window */

static void add_sent(struct imap_fetcher *f, const struct imap_folder *folder, struct imap_body *b)
{
	f->sent[f->count++] = (struct imap_sent){.folder = folder, .body = b, .uid = b ? b->uid : 0, .tag = f->conn->tag};
}

static int ask_for(struct imap_fetcher *f, struct imap_body *b, struct zs_err *err)
{
	if (f->asked != b->folder) {
		if (imap_conn_add_named(f->conn, "EXAMINE", zs_buf_span(&b->folder->raw), "", err) < 0)
			return -1;
		add_sent(f, b->folder, NULL);
		f->asked = b->folder;
	}
	if (imap_conn_add(f->conn, err, "UID FETCH %u (UID BODY.PEEK[])", b->uid) < 0)
		return -1;
	b->state = IMAP_BODY_SENT;
	add_sent(f, b->folder, b);
	f->bodies++;
	f->bytes += b->size == UINT64_MAX ? 0 : b->size;
	return 0;
}

/* With the lock held: fill the window from the queue. */
static int take_more(struct imap_fetcher *f, struct zs_err *err)
{
	struct imap_fetch *e = f->fetch;
	struct imap_body *b;

	if (f->bodies > IMAP_WINDOW / 2)
		return 0;
	while (f->bodies < IMAP_WINDOW && f->bytes < IMAP_WINDOW_BYTES && f->count + 2 <= IMAP_SENT_MAX && (b = imap_fetch_dequeue(e))) {
		int rc = b->is_kept ? ask_for(f, b, err) : 0;

		if (b->state == IMAP_BODY_SENT)
			continue; /* the window has the queue's reference */
		b->state = IMAP_BODY_NEW;
		imap_fetch_drop(b);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* With the lock held: it was asked for, and did not come.  is_blamed: the connection was lost over this one, it seems. */
static void body_lost(struct imap_body *b, int is_blamed, const struct zs_err *why)
{
	if (is_blamed && ++b->attempts >= ATTEMPTS) {
		b->why = *why;
		(void)zs_context(&b->why, "the connection was lost three times while it was read");
		imap_fetch_end(b, IMAP_BODY_FAILED);
		return;
	}
	imap_fetch_restart(b);
	imap_fetch_enqueue(b);
}

/* With the lock held: the connection is gone, with all that was on its way. */
static void fetcher_lost(struct imap_fetcher *f, const struct zs_err *why)
{
	struct imap_fetch *e = f->fetch;
	int is_blamed = 1;

	for (unsigned i = 0; i < f->count; i++) {
		struct imap_sent *s = &f->sent[i];

		if (!s->body)
			continue;
		if (!s->has_come && !(s == f->now && f->is_discarded)) { /* discarded: given up, or ended, before */
			body_lost(s->body, f->now ? s == f->now : is_blamed, why);
			is_blamed = 0;
		}
		imap_fetch_drop(s->body);
	}
	if (f->chunk)
		e->held -= f->chunk->cap;
	free(f->chunk);
	imap_conn_free(f->conn);
	e->connected--;
	f->chunk = NULL;
	f->conn = NULL;
	f->now = NULL;
	f->count = f->bodies = 0;
	f->bytes = 0;
	f->is_discarded = 0;
	f->asked = f->open = NULL;
	e->counts.reconnects++;
	if (why->cause != ZS_SOURCE || ++e->losses > LOSSES_MAX)
		imap_fetch_dead(e, why);
}

/* With the lock held, but not while connecting: 1; 0: others go on without this one, or all has ended. */
static int connect_again(struct imap_fetcher *f)
{
	struct imap_fetch *e = f->fetch;
	struct zs_err err = {0};

	for (unsigned tries = 0; tries < CONNECTS && !atomic_load(&e->ending); tries++) {
		int rc;

		for (unsigned i = 0; i < 4 * tries && !atomic_load(&e->ending); i++)
			imap_fetch_wait(e, &e->to_fetchers);
		(void)pthread_mutex_unlock(&e->lock);
		zs_err_clear(&err);
		rc = imap_conn_new(e->account, &e->ending, &f->conn, &err);
		(void)pthread_mutex_lock(&e->lock);
		if (rc == 0) {
			e->connected++;
			return 1;
		}
		if (e->connected > 0 || err.cause != ZS_SOURCE)
			break;
	}
	if (e->connected == 0)
		imap_fetch_dead(e, &err);
	return 0;
}

/* With the lock held: does somebody wait for what must be looked for, or is there nothing else to do? */
static int should_look(struct imap_fetch *e)
{
	int is_wanted = !e->queue;

	if (!e->missing || e->is_looking || zs_monotonic_ns() < e->may_look_ns)
		return 0;
	for (struct imap_body *b = e->missing; b && !is_wanted; b = b->next)
		is_wanted = b->waiters > 0;
	return is_wanted;
}

/* With the lock held, but not while looking. */
static void look(struct imap_fetcher *f)
{
	struct imap_fetch *e = f->fetch;
	struct zs_err err = {0};
	uint64_t began = zs_monotonic_ns();
	int rc;

	e->is_looking = 1;
	(void)pthread_mutex_unlock(&e->lock);
	rc = imap_look_for_missing(e, f->conn, &err);
	(void)pthread_mutex_lock(&e->lock);
	e->is_looking = 0;
	e->may_look_ns = zs_monotonic_ns() + 4 * (zs_monotonic_ns() - began);
	f->asked = f->open = NULL;
	if (rc < 0)
		fetcher_lost(f, &err);
}

/* With the lock held: one step; 0: this one has nothing more to do. */
static int fetcher_step(struct imap_fetcher *f)
{
	struct imap_fetch *e = f->fetch;
	int must_look = should_look(e), rc;
	struct zs_err err = {0};

	if (!f->conn) {
		if (!e->queue && !must_look) {
			imap_fetch_wait(e, &e->to_fetchers);
			return 1;
		}
		return connect_again(f);
	}
	if (must_look && f->count == 0) {
		look(f);
		return 1;
	}
	rc = must_look ? 0 : take_more(f, &err);
	if (rc == 0 && f->count == 0) {
		imap_fetch_wait(e, &e->to_fetchers);
		return 1;
	}
	(void)pthread_mutex_unlock(&e->lock);
	if (rc == 0)
		rc = fetcher_turn(f, &err);
	(void)pthread_mutex_lock(&e->lock);
	if (rc < 0)
		fetcher_lost(f, &err);
	return 1;
}

void *imap_fetcher_main(void *arg)
{
	struct imap_fetcher *f = arg;
	struct imap_fetch *e = f->fetch;
	struct imap_conn *conn;
	unsigned busy;

	(void)pthread_mutex_lock(&e->lock);
	if (f->conn)
		e->connected++;
	while (!atomic_load(&e->ending) && !e->is_dead && fetcher_step(f))
		;
	for (unsigned i = 0; i < f->count; i++)
		if (f->sent[i].body)
			imap_fetch_drop(f->sent[i].body);
	conn = f->conn;
	f->conn = NULL;
	busy = f->bodies;
	(void)pthread_mutex_unlock(&e->lock);
	free(f->chunk);
	if (busy)
		imap_conn_free(conn);
	else
		imap_conn_logout(conn);
	return NULL;
}
