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
	free(c->v);
}

/* ------------------------------------------------------------------------ looking */

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
	for (size_t i = 0; i < c->n; i++) {
		const struct maildir_seen *e = &c->v[i];
		struct maildir_name name;

		if (e->sys != ENOENT || e->is_gone)
			continue;
		maildir_name_parse(zs_span(c->names.p + e->name_at, e->name_n), &name);
		wants[n++] = (struct maildir_want){.base = name.base, .ino = e->ino, .size = -1};
	}
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

	for (size_t i = 0; i < c->n; i++)
		left += c->v[i].sys == ENOENT;
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

	*e = (struct maildir_seen){.name_at = c->names.n, .name_n = found->name.n, .ino = found->ino};
	if (zs_buf_add_span(&c->names, zs_buf_span(&found->name), err) < 0 || zs_buf_add_u8(&c->names, 0, err) < 0)
		return -1;
	if (fstatat(c->fd, (const char *)c->names.p + e->name_at, &e->st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		e->sys = errno;
	c->n++;
	return 0;
}

/* 1, 0 at the end, -1. */
static int window_fill(struct maildir_cursor *c, struct zs_err *err)
{
	struct maildir_account *a = c->folder->account;
	int rc = 1;

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
	int rc = maildir_account_give(c->folder->account, &e->st, err);

	if (rc <= 0)
		return rc < 0 ? -1 : WALKER_AGAIN;
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
