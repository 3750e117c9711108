/*
 * Gives one list: some names at a time are looked at, and those that have moved since
 * the account was listed are looked for together.  What is given stands under the name
 * that it was listed with.
 */
#include "maildir_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW 512

int maildir_cursor_begin(struct maildir_cursor *c, struct maildir_folder *folder, enum maildir_kind kind, struct zs_err *err)
{
	struct scan_frame *top = scan_top(&c->w->scan);
	const char *name = maildir_look_dir(kind);
	struct stat st;
	int fd = walker_open_dir(top->fd, name);

	if (fd < 0 || fstat(fd, &st) < 0) {
		walker_problem_sys(c->w, errno, "cannot open the directory");
		if (fd >= 0)
			(void)close(fd);
		return 0;
	}
	if (!c->v && !(c->v = malloc(WINDOW * sizeof *c->v))) {
		(void)close(fd);
		return zs_fail_nomem(err);
	}
	if (!(c->dir = dirs_new(&c->w->dirs, top->dir, name, strlen(name)))) {
		(void)close(fd);
		return zs_fail_nomem(err);
	}
	c->dir->dev = st.st_dev;
	c->dir->ino = st.st_ino;
	c->fd = fd;
	c->fd_is_ours = !dirs_give_fd(c->dir, fd);
	c->folder = folder;
	c->kind = kind;
	c->path_n = c->w->path.n;
	c->depth = c->w->scan.depth;
	c->n = c->next = 0;
	zs_buf_clear(&c->last);
	return 1;
}

void maildir_cursor_end(struct maildir_cursor *c)
{
	if (!c->folder)
		return;
	if (c->fd_is_ours)
		(void)close(c->fd);
	dirs_unref(c->dir);
	c->dir = NULL;
	c->folder = NULL;
}

void maildir_cursor_fini(struct maildir_cursor *c)
{
	maildir_cursor_end(c);
	zs_buf_fini(&c->names);
	zs_buf_fini(&c->last);
	free(c->v);
}

static struct zs_span base_of(const struct maildir_cursor *c, const struct maildir_seen *e)
{
	return zs_span(c->names.p + e->name_at, e->base_n);
}

static int same_base(const struct maildir_cursor *c, const struct maildir_seen *a, const struct maildir_seen *b)
{
	return zs_span_eq(base_of(c, a), base_of(c, b));
}

/* ------------------------------------------------------------------ was it given? */

static struct maildir_fresh *find_fresh(const struct maildir_cursor *c, struct zs_span base)
{
	const struct maildir_folder *f = c->folder;
	uint64_t key = zs_hash64(0, base);
	size_t low = 0, high = f->fresh_n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (f->fresh[mid].base < key)
			low = mid + 1;
		else
			high = mid;
	}
	return low < f->fresh_n && f->fresh[low].base == key ? &f->fresh[low] : NULL;
}

/* A message that is not where it was listed: was it listed, and given, where it is? */
static int is_given(const struct maildir_cursor *c, size_t i)
{
	const struct maildir_seen *e = &c->v[i];
	const struct maildir_fresh *fresh;

	if (i + 1 < c->n && same_base(c, e, e + 1))
		return 1; /* under its next name, if it is anywhere */
	if (i > 0 && same_base(c, e, e - 1) && !e[-1].is_gone)
		return 1;
	if (i == 0 && zs_span_eq(zs_buf_span(&c->last), base_of(c, e)))
		return 1;
	fresh = c->kind == MAILDIR_NEW ? find_fresh(c, base_of(c, e)) : NULL;
	return fresh && fresh->is_given;
}

/* ------------------------------------------------------------------------ looking */

static int want_add(const struct maildir_cursor *c, const struct maildir_seen *e, struct maildir_want *out)
{
	*out = (struct maildir_want){.base = base_of(c, e), .ino = e->ino, .size = -1};
	return 1;
}

/* Where want is now, into e.  1; 0: it moved on already; -1. */
static int take_found(struct maildir_cursor *c, struct maildir_seen *e, const struct maildir_want *want, struct zs_err *err)
{
	int fd = maildir_look_open(want->folder, want->kind), rc;

	rc = fd < 0 ? -1 : fstatat(fd, want->name, &e->st, AT_SYMLINK_NOFOLLOW);
	if (fd >= 0)
		(void)close(fd);
	if (rc < 0)
		return 0;
	e->actual_at = c->names.n;
	if (zs_buf_add(&c->names, want->name, strlen(want->name) + 1, err) < 0)
		return -1;
	e->folder = want->folder;
	e->kind = want->kind;
	e->sys = 0;
	(void)atomic_fetch_add_explicit(&c->folder->account->stats->renamed, 1, memory_order_relaxed);
	return 1;
}

/* Look for those of the window that are not under their names.  *out_left: how many moved on meanwhile.  0, -1. */
static int look_once(struct maildir_cursor *c, struct maildir_want *wants, size_t *out_left, struct zs_err *err)
{
	size_t n = 0, k = 0;
	struct zs_err why = {0};
	int rc;

	*out_left = 0;
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].sys == ENOENT && !c->v[i].is_gone)
			n += (size_t)want_add(c, &c->v[i], &wants[n]);
	if (!n)
		return 0;
	rc = maildir_look(c->folder, wants, n, &why);
	if (rc < 0 && why.cause != ZS_SOURCE) {
		*err = why;
		return -1;
	}
	/* Found names are added to c->names, which may move: the wants' bases are not used from here on. */
	for (size_t i = 0; rc == 0 && i < c->n; i++) {
		struct maildir_seen *e = &c->v[i];
		const struct maildir_want *want = &wants[k];

		if (e->sys != ENOENT || e->is_gone)
			continue;
		k++;
		if (!want->folder) {
			e->is_gone = 1;
			(void)atomic_fetch_add_explicit(&c->folder->account->stats->deleted, 1, memory_order_relaxed);
			continue;
		}
		if ((rc = take_found(c, e, want, err)) < 0)
			return -1;
		*out_left += rc == 0;
		rc = 0;
	}
	return 0; /* if the folder could not be read, they stay as they are, and are named */
}

static int look_all(struct maildir_cursor *c, struct zs_err *err)
{
	struct maildir_want *wants;
	size_t left = 0;
	int rc = 0;

	for (size_t i = 0; i < c->n; i++) {
		c->v[i].is_gone = c->v[i].sys == ENOENT && is_given(c, i);
		left += c->v[i].sys == ENOENT && !c->v[i].is_gone;
	}
	if (!left)
		return 0;
	if (!(wants = malloc(c->n * sizeof *wants)))
		return zs_fail_nomem(err);
	for (int i = 0; rc == 0 && left && i < MAILDIR_LOOKS; i++)
		rc = look_once(c, wants, &left, err);
	free(wants);
	return rc;
}

/* ------------------------------------------------------------------------- window */

static int window_add(struct maildir_cursor *c, const struct maildir_found *found, struct zs_err *err)
{
	struct maildir_seen *e = &c->v[c->n];
	struct maildir_fresh *fresh;
	struct maildir_name name;

	*e = (struct maildir_seen){.name_at = c->names.n, .name_n = found->name.n, .type = found->type, .ino = found->ino};
	if (zs_buf_add_span(&c->names, zs_buf_span(&found->name), err) < 0 || zs_buf_add_u8(&c->names, 0, err) < 0)
		return -1;
	maildir_name_parse(zs_span(c->names.p + e->name_at, e->name_n), &name);
	e->base_n = name.base.n;
	if (fstatat(c->fd, (const char *)c->names.p + e->name_at, &e->st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		e->sys = errno;
	if (c->kind == MAILDIR_CUR && (fresh = find_fresh(c, name.base)))
		fresh->is_given = 1;
	c->n++;
	return 0;
}

/* 1, 0 at the end, -1. */
static int window_fill(struct maildir_cursor *c, struct zs_err *err)
{
	struct maildir_account *a = c->folder->account;
	int rc = 1;

	if (c->n) {
		const struct maildir_seen *e = &c->v[c->n - 1];

		zs_buf_clear(&c->last);
		if (zs_buf_add_span(&c->last, e->is_gone ? zs_span(NULL, 0) : base_of(c, e), err) < 0)
			return -1;
	}
	c->n = c->next = 0;
	zs_buf_clear(&c->names);
	while (c->n < WINDOW && (rc = maildir_account_next(a, &c->folder->list[c->kind], err)) > 0)
		if (window_add(c, &a->taken, err) < 0)
			return -1;
	if (rc < 0 || !c->n)
		return rc < 0 ? -1 : 0;
	return look_all(c, err) < 0 ? -1 : 1;
}

/* -------------------------------------------------------------------------- items */

static int give_file(struct maildir_cursor *c, const struct maildir_seen *e, struct zs_source_item *out, struct zs_err *err)
{
	const char *name = (const char *)c->names.p + e->name_at;
	struct walker_place at = {.dir = c->dir, .fd = c->fd, .name = name, .st = &e->st};
	struct maildir_item item = {.folder = name[0] == '.' ? NULL : c->folder, .name = zs_span(name, e->name_n)};
	struct dir *moved = NULL;
	int rc;

	if (e->folder) {
		at.name = (const char *)c->names.p + e->actual_at;
		moved = dirs_new(&c->w->dirs, e->folder->dir, maildir_look_dir(e->kind), 3);
		if (!moved)
			return zs_fail_nomem(err);
		at.dir = moved;
		at.fd = -1;
	}
	rc = maildir_message_item(c->w, &at, &item, out, err);
	dirs_unref(moved);
	return rc;
}

static int give(struct maildir_cursor *c, const struct maildir_seen *e, struct zs_source_item *out, struct zs_err *err)
{
	static const struct zs_source_ops plain_ops = {.fill = fill_entry, .open = reader_open, .read = reader_read, .close = reader_close,
	    .handle_free = walker_handle_free};
	const char *name = (const char *)c->names.p + e->name_at;
	struct walker_place at = {.dir = c->dir, .fd = c->fd, .name = name, .st = &e->st, .ops = &plain_ops};

	if (e->is_gone)
		return WALKER_AGAIN;
	if (walker_path(c->w, c->path_n, zs_span(name, e->name_n), err) < 0)
		return -1;
	if (e->name_n > ZS_COMPONENT_MAX || c->w->path.n > ZS_PATH_MAX) {
		walker_problem_sys(c->w, ENAMETOOLONG, "cannot back up");
		return WALKER_AGAIN;
	}
	if (e->sys) {
		walker_problem_sys(c->w, e->sys, e->sys == ENOENT ? "it is not where it was, and not to be found:" : "cannot read");
		return WALKER_AGAIN;
	}
	if (S_ISREG(e->st.st_mode))
		return give_file(c, e, out, err);
	if (S_ISDIR(e->st.st_mode))
		walker_plan_enter(c->w, &e->st);
	return walker_item(c->w, &at, out, err);
}

int maildir_cursor_next(struct maildir_cursor *c, struct zs_source_item *out, struct zs_err *err)
{
	if (c->next == c->n) {
		int rc = window_fill(c, err);

		if (rc <= 0)
			return rc;
	}
	return give(c, &c->v[c->next++], out, err);
}
