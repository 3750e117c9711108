/*
 * One mbox: locked, read once to find its messages, which are sorted by the names that
 * they get.  A name says when the message came and is made of what no change of flags
 * changes, so that it stays when others before it are removed.
 */
#include "mbox_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SORTER_BYTES (2u << 20)
#define TRIES 3
#define UNDATED INT64_MAX

struct mbox_box *mbox_box_ref(struct mbox_box *b)
{
	(void)atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void mbox_box_unref(struct mbox_box *b)
{
	if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (b->fd >= 0)
		(void)close(b->fd);
	mbox_lock_fini(&b->lock);
	zs_buf_fini(&b->folder);
	zs_sorter_free(b->messages);
	free(b);
}

const char *mbox_box_issue(enum mbox_issue what)
{
	static const char *const texts[MBOX_ISSUES] = {
		"a From_ line without a date (taken as one, as a header follows)",
		"no empty line before a From_ line: perhaps a message was cut off there",
		"a message that ends within its header, or without a line end",
		"a Content-Length that does not lead to the next message",
	};

	return texts[what];
}

/* ------------------------------------------------------------------------- parsing */

static int box_read(void *ctx, uint64_t at, void *p, size_t n, size_t *out_n, struct zs_err *err)
{
	const struct mbox_box *b = ctx;

	return zs_pread_full(b->fd, p, n, at, out_n, ZS_SOURCE, "mbox", err);
}

static void put_big(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (56 - 8 * i));
}

static uint64_t get_big(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

/* A record: seconds, stable sum, place, all big endian; then what else is known. */
static int on_message(void *ctx, const struct mbox_message *m, struct zs_err *err)
{
	struct mbox_box *b = ctx;
	int64_t seconds = m->date_ns == INT64_MIN || m->date_ns < 0 ? UNDATED : m->date_ns / 1000000000;
	uint8_t key[24], value[sizeof *m];

	put_big(key, (uint64_t)seconds);
	put_big(key + 8, m->stable);
	put_big(key + 16, m->at);
	memcpy(value, m, sizeof *m);
	b->count++;
	return zs_sorter_add(b->messages, zs_span(key, sizeof key), zs_span(value, sizeof value), err);
}

static void on_issue(void *ctx, enum mbox_issue what, uint64_t at)
{
	struct mbox_box *b = ctx;

	if (!b->issues[what]++)
		b->first[what] = at;
}

static int on_stop(void *ctx, struct zs_err *err)
{
	const struct zs_source_settings *s = ((const struct mbox_box *)ctx)->settings.source;

	return s->stop && s->stop(s->stop_ctx) ? zs_fail(err, ZS_STOPPED, "stopped") : 0;
}

static int has_changed(const struct mbox_box *b)
{
	struct stat st;

	return fstat(b->fd, &st) < 0 || st.st_size != b->st.st_size || walker_ns(st.st_mtim) != walker_ns(b->st.st_mtim);
}

/* 1, 0 no mbox, -1; *out_changed: it was written to meanwhile. */
static int parse_once(struct mbox_box *b, int *out_changed, struct zs_err *err)
{
	const struct mbox_input in = {.ctx = b, .read = box_read};
	const struct mbox_sink sink = {b, on_message, on_issue, on_stop};
	int rc;

	zs_sorter_free(b->messages);
	b->messages = NULL;
	b->count = 0;
	memset(b->issues, 0, sizeof b->issues);
	if (fstat(b->fd, &b->st) < 0)
		return zs_fail_sys(err, ZS_SOURCE, errno, "cannot stat");
	if (!S_ISREG(b->st.st_mode))
		return zs_fail(err, ZS_NOTFOUND, "it is no file any more");
	if (zs_sorter_new(SORTER_BYTES, b->settings.source->tmp_dir, &b->messages, err) < 0)
		return -1;
	rc = mbox_parse(&in, b->settings.format, &sink, err);
	*out_changed = rc >= 0 && has_changed(b);
	return rc;
}

static int open_box(struct dir *dir, const char *name, struct zs_err *err)
{
	int at, closes, fd, sys;

	if (dirs_open(dir, &at, &closes) < 0)
		return zs_fail_sys(err, ZS_SOURCE, errno, "cannot open the directory");
	fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	sys = errno;
	if (closes)
		(void)close(at);
	if (fd < 0 && (sys == ENOENT || sys == ELOOP))
		return zs_fail(err, ZS_NOTFOUND, "it is gone");
	return fd < 0 ? zs_fail_sys(err, ZS_SOURCE, sys, "cannot open") : fd;
}

/* Under a read lock; one that others do not heed is noticed by what changed.  1, 0, -1. */
static int read_box(struct mbox_box *b, struct dir *dir, const char *name, struct zs_err *err)
{
	struct mbox_lock_settings lock = b->settings.lock;
	const struct timespec pause = {.tv_nsec = 200000000};
	int changed = 1, rc = 0;

	lock.kinds &= MBOX_LOCK_FCNTL; /* <name>.lock would change the directory in every run */
	for (int i = 0; i < TRIES && changed; i++) {
		if (i > 0) {
			(void)nanosleep(&pause, NULL);
			mbox_lock_fini(&b->lock);
			lock.kinds = b->settings.lock.kinds;
		}
		if (mbox_lock_take(&lock, dir, name, &b->lock, err) < 0)
			return -1;
		if ((rc = parse_once(b, &changed, err)) < 0)
			return -1;
	}
	if (changed)
		return zs_fail(err, ZS_SOURCE, "it changes all the time: its messages are not shown");
	return rc;
}

int mbox_box_new(const struct mbox_box_settings *s, struct dir *dir, const char *name, struct mbox_box **out, struct zs_err *err)
{
	struct mbox_box *b = calloc(1, sizeof *b);
	int rc = -1;

	if (!b)
		return zs_fail_nomem(err);
	atomic_init(&b->refs, 1);
	b->settings = *s;
	b->lock.fd = -1;
	b->last_date = INT64_MIN;
	b->fd = open_box(dir, name, err);
	if (b->fd >= 0)
		rc = read_box(b, dir, name, err);
	if (rc > 0 && zs_sorter_sort(b->messages, err) < 0)
		rc = -1;
	if (rc > 0)
		*out = b;
	else
		mbox_box_unref(b);
	return rc;
}

/* ---------------------------------------------------------------------- messages */

static void name_of(const struct mbox_box *b, int64_t seconds, uint64_t stable, char name[static MBOX_NAME_MAX])
{
	char iso[32], when[20] = "undated", again[24] = "";

	if (seconds != UNDATED) { /* 2026-11-22T23:14:05Z */
		(void)zs_time_iso(seconds * 1000000000, iso);
		(void)snprintf(when, sizeof when, "%.4s%.2s%.2s-%.2s%.2s%.2s", iso, iso + 5, iso + 8, iso + 11, iso + 14, iso + 17);
	}
	if (b->same) /* sorts behind the name without */
		(void)snprintf(again, sizeof again, "~%06llu", (unsigned long long)(b->same + 1));
	(void)snprintf(name, MBOX_NAME_MAX, "%s-%016llx%s.eml", when, (unsigned long long)stable, again);
}

int mbox_box_next(struct mbox_box *b, struct mbox_message *out, char name[static MBOX_NAME_MAX], struct zs_err *err)
{
	struct zs_span key, value;
	int rc = zs_sorter_next(b->messages, &key, &value, err);
	int64_t seconds;

	if (rc <= 0)
		return rc;
	memcpy(out, value.p, sizeof *out);
	seconds = (int64_t)get_big(key.p);
	b->same = seconds == b->last_date && out->stable == b->last_stable ? b->same + 1 : 0;
	b->last_date = seconds;
	b->last_stable = out->stable;
	name_of(b, seconds, out->stable, name);
	return 1;
}
