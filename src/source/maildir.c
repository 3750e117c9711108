/*
 * The Maildir source: a tree of files like any other, in which directories with cur,
 * new and tmp are known for what they are: their messages are listed an account at a
 * time and given with what is known of them; what is in tmp, and locks, is left out.
 */
#include "maildir_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AGAIN WALKER_AGAIN

enum what { /* a directory on the way */
	PLAIN,
	FOLDER, /* has cur, new, tmp */
	INSIDE, /* within cur or new: no Maildirs are looked for */
};
struct level { enum what what; struct maildir_folder *folder; };
enum going { GO_BELOW, GO_LIST }; /* into what the item given last is */

struct maildir_source {
	struct zs_source base;
	struct walker w;
	struct zs_buf root;	 /* in the snapshot */
	char *path;
	enum maildir_layout layout;
	struct dir *top;
	struct level *levels; /* of the scan's directories */
	size_t levels_cap;
	struct maildir_account *account; /* NULL: none */
	size_t account_depth, account_path_n;
	struct maildir_cursor cursor;
	enum going going;
	enum maildir_kind list;
	int is_started, is_ended;
	struct maildir_stats stats;
	uint64_t accounts, folders, messages;
};

static void note(const struct maildir_source *s, enum zs_note_level level, const char *text)
{
	if (s->w.settings.note)
		s->w.settings.note(s->w.settings.note_ctx, level, text);
}

/* ----------------------------------------------------------------------- accounts */

static void account_end(struct maildir_source *s)
{
	maildir_account_unref(s->account);
	s->account = NULL;
}

/* The innermost directory, at s->w.path.n = path_n, begins an account. */
static int account_begin(struct maildir_source *s, size_t path_n, struct zs_err *err)
{
	const struct maildir_account_settings a = {.w = &s->w, .dir = scan_top(&s->w.scan)->dir, .path = zs_span(s->w.path.p, path_n),
	    .layout = s->layout, .stats = &s->stats};

	if (maildir_account_new(&a, &s->account, err) < 0)
		return -1;
	s->account_depth = s->w.scan.depth;
	s->account_path_n = path_n;
	s->accounts++;
	s->folders += s->account->n;
	return 0;
}

static struct maildir_folder *folder_here(const struct maildir_source *s)
{
	size_t from = s->account_path_n;

	if (from < s->w.path.n)
		from++;
	return maildir_account_folder(s->account, zs_span(s->w.path.p + from, s->w.path.n - from));
}

/* A directory was entered, whose path is s->w.path. */
static int level_begin(struct maildir_source *s, struct zs_err *err)
{
	size_t depth = s->w.scan.depth;
	struct level *l, *above;

	if (depth > s->levels_cap) {
		size_t cap = s->levels_cap ? 2 * s->levels_cap : 32;
		struct level *v = realloc(s->levels, cap * sizeof *v);

		if (!v)
			return zs_fail_nomem(err);
		s->levels = v;
		s->levels_cap = cap;
	}
	l = &s->levels[depth - 1];
	above = depth > 1 ? l - 1 : NULL;
	*l = (struct level){.what = s->cursor.folder || (above && above->what == INSIDE) ? INSIDE : PLAIN};
	if (l->what == INSIDE)
		return 0;
	if (!s->account && (depth == 1 && s->layout == MAILDIR_FS ? 1 : maildir_account_is_maildir(scan_top(&s->w.scan)->fd, ".")) &&
	    account_begin(s, s->w.path.n, err) < 0)
		return -1;
	l->folder = s->account ? folder_here(s) : NULL;
	if (l->folder)
		l->what = FOLDER;
	return 0;
}

static void level_end(struct maildir_source *s)
{
	walker_leave(&s->w);
	if (s->account && s->w.scan.depth < s->account_depth)
		account_end(s);
	if (s->cursor.folder && s->w.scan.depth < s->cursor.depth)
		maildir_cursor_end(&s->cursor); /* the way back was lost */
}

/* -------------------------------------------------------------------------- names */

static int give_plain(struct maildir_source *s, struct walker_place *at, struct zs_source_item *out, struct zs_err *err)
{
	static const struct zs_source_ops ops = {.fill = fill_entry, .open = reader_open, .read = reader_read, .close = reader_close,
	    .handle_free = walker_handle_free};
	const struct maildir_item none = {0};

	if (S_ISREG(at->st->st_mode))
		return maildir_message_item(&s->w, at, &none, out, err);
	at->ops = &ops;
	return walker_item(&s->w, at, out, err);
}

static int is_named(const char *name, const char *as)
{
	return strcmp(name, as) == 0;
}

/* A directory: into what, if at all? */
static int plan(struct maildir_source *s, const struct walker_place *at, struct zs_err *err)
{
	const struct level *l = &s->levels[s->w.scan.depth - 1];
	size_t path_n = scan_top(&s->w.scan)->path_n;

	s->going = GO_BELOW;
	if (l->what == FOLDER && is_named(at->name, "tmp"))
		return 0; /* deliveries that are not complete */
	if (l->what == FOLDER && (is_named(at->name, "cur") || is_named(at->name, "new"))) {
		s->going = GO_LIST;
		s->list = is_named(at->name, "cur") ? MAILDIR_CUR : MAILDIR_NEW;
	}
	/* Folders of an account without a Maildir of its own. */
	if (l->what == PLAIN && !s->account && s->layout == MAILDIR_AUTO && at->name[0] == '.' &&
	    maildir_account_is_maildir(at->fd, at->name) && account_begin(s, path_n, err) < 0)
		return -1;
	walker_plan_enter(&s->w, at->st);
	return 0;
}

static int take_name(struct maildir_source *s, size_t from, struct zs_source_item *out, struct zs_err *err)
{
	struct scan_frame *top = scan_top(&s->w.scan);
	const struct level *l = &s->levels[s->w.scan.depth - 1];
	struct stat st;
	struct walker_place at = {.dir = top->dir, .fd = top->fd, .name = (const char *)s->w.path.p + from, .st = &st};

	if (s->w.path.n - from > ZS_COMPONENT_MAX || s->w.path.n > ZS_PATH_MAX) {
		walker_problem_sys(&s->w, ENAMETOOLONG, "cannot back up");
		return AGAIN;
	}
	if (fstatat(top->fd, at.name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0) {
		if (errno != ENOENT) /* files come and go beside messages: it was deleted */
			walker_problem_sys(&s->w, errno, "cannot read");
		return AGAIN;
	}
	if (l->what == FOLDER && !S_ISDIR(st.st_mode) && maildir_name_is_lock(zs_span_str(at.name)))
		return AGAIN;
	if (S_ISDIR(st.st_mode) && plan(s, &at, err) < 0)
		return -1;
	return give_plain(s, &at, out, err);
}

static int next_name(struct maildir_source *s, struct zs_source_item *out, struct zs_err *err)
{
	struct scan_frame *top = scan_top(&s->w.scan);
	struct zs_span name;
	uint8_t type;
	int rc = scan_next(&s->w.scan, &name, &type, err);

	if (rc < 0)
		return -1;
	if (rc == 0) {
		level_end(s);
		return AGAIN;
	}
	if (walker_path(&s->w, top->path_n, name, err) < 0)
		return -1;
	return take_name(s, top->path_n ? top->path_n + 1 : 0, out, err);
}

/* ----------------------------------------------------------------------- the walk */

static int give_root(struct maildir_source *s, struct zs_source_item *out, struct zs_err *err)
{
	struct walker_place at = {.dir = s->top, .fd = -1, .name = "."};
	struct stat st;
	int fd, closes, rc;

	s->is_started = 1;
	if (walker_path(&s->w, 0, zs_buf_span(&s->root), err) < 0)
		return -1;
	rc = dirs_open(s->top, &fd, &closes) < 0 ? -1 : fstat(fd, &st);
	if (rc < 0)
		return zs_fail_sys(err, ZS_SOURCE, errno, "cannot open %s", s->path);
	if (closes)
		(void)close(fd);
	if (!S_ISDIR(st.st_mode))
		return zs_fail(err, ZS_SOURCE, "%s is no directory; for an mbox say mbox:%s", s->path, s->path);
	at.st = &st;
	s->going = GO_BELOW;
	walker_plan_enter(&s->w, &st);
	return give_plain(s, &at, out, err);
}

static int enter_top(struct maildir_source *s, struct zs_err *err)
{
	int fd, closes, rc;

	if (dirs_open(s->top, &fd, &closes) < 0) {
		walker_problem_sys(&s->w, errno, "cannot open the directory");
		return 0;
	}
	rc = walker_enter(&s->w, s->top, fd, ".", err);
	if (closes)
		(void)close(fd);
	return rc;
}

/* Into the directory that was given last.  0 with or without success, -1. */
static int enter(struct maildir_source *s, struct zs_err *err)
{
	size_t depth = s->w.scan.depth;
	int rc;

	s->w.enter = 0;
	if (!depth)
		rc = enter_top(s, err);
	else if (s->cursor.folder && s->cursor.depth == depth)
		rc = walker_enter(&s->w, s->cursor.dir, s->cursor.fd, (const char *)s->w.path.p + s->cursor.path_n + 1, err);
	else if (s->going == GO_LIST)
		return maildir_cursor_begin(&s->cursor, s->levels[depth - 1].folder, s->list, err) < 0 ? -1 : 0;
	else
		rc = walker_enter_below(&s->w, err);
	if (rc < 0 || s->w.scan.depth == depth)
		return rc;
	return level_begin(s, err);
}

static int next_message(struct maildir_source *s, struct zs_source_item *out, struct zs_err *err)
{
	int rc = maildir_cursor_next(&s->cursor, out, err);

	if (rc == 0) {
		maildir_cursor_end(&s->cursor);
		return AGAIN;
	}
	s->going = GO_BELOW;
	s->messages += rc == 1 && out->entry.kind == ZS_ENTRY_FILE;
	return rc;
}

static int at_end(struct maildir_source *s)
{
	struct zs_err why = {0};

	if (!s->is_ended && !s->folders) {
		s->w.path.n = s->root.n;
		(void)zs_fail(&why, ZS_SOURCE, "%s: no Maildir is there or below it (no directory with cur, new and tmp)", s->path);
		walker_problem(&s->w, &why);
	}
	s->is_ended = 1;
	return 0;
}

static int maildir_next(struct zs_source *base, struct zs_source_item *out, struct zs_err *err)
{
	struct maildir_source *s = (struct maildir_source *)base;
	int rc = AGAIN;

	if (!s->is_started)
		return give_root(s, out, err);
	while (rc == AGAIN) {
		if (s->w.enter && enter(s, err) < 0)
			return -1;
		if (!s->w.scan.depth)
			return at_end(s);
		rc = s->cursor.folder && s->cursor.depth == s->w.scan.depth ? next_message(s, out, err) : next_name(s, out, err);
	}
	return rc;
}

/* ------------------------------------------------------------------------- phases */

static int look_at_top(struct maildir_source *s, struct zs_err *err)
{
	int fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct zs_err why = {0};

	if (fd < 0 && errno == ENOTDIR)
		return zs_fail(err, ZS_SOURCE, "%s is no directory; for an mbox say mbox:%s", s->path, s->path);
	if (fd < 0) {
		(void)zs_fail_sys(&why, ZS_SOURCE, errno, "cannot open %s", s->path);
		if (errno == EACCES)
			note(s, ZS_NOTE_LACK, why.text);
		*err = why;
		return -1;
	}
	note(s, ZS_NOTE_INFO, maildir_account_is_maildir(fd, ".") ? "a Maildir" : s->layout == MAILDIR_FS ? "folders below a directory" :
	    "no Maildir itself: every one below it is taken");
	(void)close(fd);
	return 0;
}

static int maildir_prepare(struct zs_source *base, enum zs_source_phase phase, struct zs_err *err)
{
	struct maildir_source *s = (struct maildir_source *)base;

	return phase == ZS_PHASE_CONNECT ? look_at_top(s, err) : 0;
}

static int maildir_manifest(struct zs_source *base, struct zs_buf *out, struct zs_err *err)
{
	const struct maildir_source *s = (const struct maildir_source *)base;

	if (zs_buf_printf(out, err, "{\"path\":") < 0 || zs_buf_json(out, zs_span_str(s->path), err) < 0)
		return -1;
	return zs_buf_printf(out, err, ",\"accounts\":%llu,\"folders\":%llu,\"messages\":%llu,\"renamed_meanwhile\":%llu,"
	    "\"deleted_meanwhile\":%llu}", (unsigned long long)s->accounts, (unsigned long long)s->folders,
	    (unsigned long long)s->messages, atomic_load(&s->stats.renamed), atomic_load(&s->stats.deleted));
}

static void maildir_free(struct zs_source *base)
{
	struct maildir_source *s = (struct maildir_source *)base;

	maildir_cursor_fini(&s->cursor);
	account_end(s);
	walker_fini(&s->w);
	dirs_unref(s->top);
	zs_buf_fini(&s->root);
	free(s->levels);
	free(s->path);
	free(s);
}

static int read_options(struct maildir_source *s, const struct zs_url *url, struct zs_err *err)
{
	static const char *const keys[] = {"layout", NULL};
	const char *layout = zs_url_get(url, "layout", "auto");

	if (zs_url_check_keys(url, keys, err) < 0)
		return -1;
	if (!*url->path)
		return zs_fail(err, ZS_USAGE, "%s: say which directory, as in maildir:/home/joe/Maildir", url->label);
	if (!is_named(layout, "auto") && !is_named(layout, "fs"))
		return zs_fail(err, ZS_USAGE, "%s: layout is auto or fs, not '%s'", url->label, layout);
	s->layout = is_named(layout, "fs") ? MAILDIR_FS : MAILDIR_AUTO;
	return 0;
}

int zs_source_maildir_new(const struct zs_server_settings *server, const struct zs_source_settings *settings, struct zs_source **out,
    struct zs_err *err)
{
	static const struct zs_source_ops ops = {
		.next = maildir_next,
		.free = maildir_free,
		.prepare = maildir_prepare,
		.manifest = maildir_manifest,
	};
	struct maildir_source *s = calloc(1, sizeof *s);

	if (!s)
		return zs_fail_nomem(err);
	s->base.ops = &ops;
	s->cursor.w = &s->w;
	if (walker_init(&s->w, settings, err) < 0 || read_options(s, server->url, err) < 0)
		goto fail;
	if (zs_buf_add_span(&s->root, server->root, err) < 0)
		goto fail;
	s->path = strdup(server->url->path);
	s->top = dirs_new(&s->w.dirs, NULL, server->url->path, strlen(server->url->path));
	if (!s->path || !s->top) {
		(void)zs_fail_nomem(err);
		goto fail;
	}
	*out = &s->base;
	return 0;
fail:
	maildir_free(&s->base);
	return -1;
}
