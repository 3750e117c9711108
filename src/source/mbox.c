/*
 * The mbox source: one file, or a directory of them.  Everything is there twice: the
 * files below "files", bit for bit, and each message by itself below "messages"; both
 * have the same chunks.
 */
#include "mbox_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AGAIN WALKER_AGAIN
#define TIMEOUT_MAX_S 3600

enum stage { AT_ROOT, AT_FILES, IN_FILES, AT_MESSAGES, IN_MESSAGES, AT_END };

struct mbox_source {
	struct zs_source base;
	struct walker files, messages; /* the second names nothing: what it could name, the first has named */
	struct mbox_box_settings settings;
	struct zs_buf root;  /* in the snapshot */
	char *path, *real;   /* as typed; real: of a file */
	struct dir *top;     /* the directory, or that of the file */
	const char *name;    /* of the file in top (in real); NULL: a directory */
	int shows_messages;
	enum stage stage;
	struct mbox_box *box; /* being given */
	size_t box_path_n;
	uint64_t boxes, others, count;
};

static void note(const struct mbox_source *s, enum zs_note_level level, const char *text)
{
	const struct zs_source_settings *settings = s->settings.source;

	if (settings->note)
		settings->note(settings->note_ctx, level, text);
}

/* ----------------------------------------------------------------------- where it is */

static int find_file(struct mbox_source *s, struct zs_err *err)
{
	char *slash;

	if (!(s->real = realpath(s->path, NULL)))
		return zs_fail_sys(err, ZS_SOURCE, errno, "cannot open %s", s->path);
	slash = strrchr(s->real, '/');
	s->name = slash + 1;
	s->top = dirs_new(&s->files.dirs, NULL, slash == s->real ? "/" : s->real, slash == s->real ? 1 : (size_t)(slash - s->real));
	return s->top ? 0 : zs_fail_nomem(err);
}

static int find(struct mbox_source *s, struct zs_err *err)
{
	int fd = open(s->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY), rc;
	struct zs_err why = {0};
	struct stat st;

	if (fd < 0) {
		(void)zs_fail_sys(&why, ZS_SOURCE, errno, "cannot open %s", s->path);
		if (errno == EACCES)
			note(s, ZS_NOTE_LACK, why.text);
		*err = why;
		return -1;
	}
	rc = fstat(fd, &st);
	(void)close(fd);
	if (rc < 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return zs_fail(err, ZS_SOURCE, "%s is neither a file nor a directory", s->path);
	note(s, ZS_NOTE_INFO, S_ISDIR(st.st_mode) ? "a directory of mbox files" : "an mbox file");
	if (S_ISREG(st.st_mode))
		return find_file(s, err);
	s->top = dirs_new(&s->files.dirs, NULL, s->path, strlen(s->path));
	return s->top ? 0 : zs_fail_nomem(err);
}

/* The name of the one file in the snapshot: as it was typed. */
static struct zs_span shown_name(const struct mbox_source *s)
{
	struct zs_span base = zs_path_base(zs_span_str(s->path));

	return zs_path_valid(base) ? base : zs_span_str(s->name);
}

/* ------------------------------------------------------------------------ problems */

/* Something about the file whose messages are at w's path: named where the file stands. */
static void box_problem(const struct mbox_source *s, const struct zs_err *why)
{
	const struct zs_source_settings *settings = s->settings.source;
	const struct zs_buf *at = &s->messages.path;
	size_t skip = s->root.n + sizeof "/messages" - 1;
	struct zs_buf path = ZS_BUF_INIT;
	struct zs_err ignored = {0};

	if (zs_buf_add_span(&path, zs_buf_span(&s->root), &ignored) < 0 || zs_buf_add_span(&path, zs_span_str("/files"), &ignored) < 0 ||
	    zs_buf_add(&path, at->p + skip, at->n - skip, &ignored) < 0)
		zs_err_clear(&ignored); /* with less of its name */
	if (settings->problem)
		settings->problem(settings->ctx, zs_buf_span(&path), why);
	zs_buf_fini(&path);
}

static void tell_issues(const struct mbox_source *s)
{
	for (int i = 0; i < MBOX_ISSUES; i++) {
		unsigned long long n = s->box->issues[i], at = s->box->first[i];
		struct zs_err why = {0};

		if (!n)
			continue;
		if (n > 1)
			(void)zs_fail(&why, ZS_SOURCE, "%s: at byte %llu, and %llu more", mbox_box_issue((enum mbox_issue)i), at, n - 1);
		else
			(void)zs_fail(&why, ZS_SOURCE, "%s: at byte %llu", mbox_box_issue((enum mbox_issue)i), at);
		box_problem(s, &why);
	}
}

/* ---------------------------------------------------------------------------- items */

/* A directory that is ours. */
static int give_own(struct mbox_source *s, struct walker *w, const char *name, struct zs_source_item *out, struct zs_err *err)
{
	if (walker_path(w, 0, zs_buf_span(&s->root), err) < 0 || (name && walker_path(w, w->path.n, zs_span_str(name), err) < 0))
		return -1;
	*out = (struct zs_source_item){.path = zs_buf_span(&w->path), .content = ZS_KIND_FILE};
	out->entry = (struct zs_entry){.kind = ZS_ENTRY_DIR, .flags = ZS_ENTRY_HAS_MODE, .mode = 0700, .uid = geteuid(), .gid = getegid(),
	    .date_ns = INT64_MIN, .item_date_ns = INT64_MIN};
	out->entry.user = owners_user(&w->owners, out->entry.uid);
	out->entry.group = owners_group(&w->owners, out->entry.gid);
	return 1;
}

static int give_plain(struct walker *w, struct walker_place *at, struct zs_source_item *out, struct zs_err *err)
{
	static const struct zs_source_ops ops = {.fill = fill_entry, .open = reader_open, .read = reader_read, .close = reader_close,
	    .handle_free = walker_handle_free};

	at->ops = &ops;
	return walker_item(w, at, out, err);
}

static int give_files(struct mbox_source *s, struct zs_source_item *out, struct zs_err *err)
{
	struct walker_place at = {.dir = s->top, .fd = -1, .name = "."};
	struct stat st;
	int fd, closes, rc;

	if ((rc = give_own(s, &s->files, "files", out, err)) < 0 || s->name)
		return rc;
	rc = dirs_open(s->top, &fd, &closes) < 0 ? -1 : fstat(fd, &st);
	if (rc < 0)
		return zs_fail_sys(err, ZS_SOURCE, errno, "cannot open %s", s->path);
	if (closes)
		(void)close(fd);
	at.st = &st;
	walker_plan_enter(&s->files, &st);
	s->messages.enter_dev = st.st_dev;
	s->messages.enter_ino = st.st_ino;
	return give_plain(&s->files, &at, out, err);
}

static int give_message(struct mbox_source *s, struct zs_source_item *out, struct zs_err *err)
{
	struct walker *w = &s->messages;
	char name[MBOX_NAME_MAX];
	struct mbox_message m;
	int rc = mbox_box_next(s->box, &m, name, err);

	if (rc < 0)
		return -1;
	if (rc == 0) {
		zs_sorter_free(s->box->messages);
		s->box->messages = NULL;
		mbox_box_unref(s->box);
		s->box = NULL;
		return AGAIN;
	}
	if (walker_path(w, s->box_path_n, zs_span_str(name), err) < 0 || mbox_message_item(s->box, &m, out, err) < 0)
		return -1;
	out->path = zs_buf_span(&w->path);
	out->entry.user = owners_user(&w->owners, out->entry.uid);
	out->entry.group = owners_group(&w->owners, out->entry.gid);
	s->count++;
	return 1;
}

/* The directory that a file's messages stand in: whoever may read the one may read the other. */
static int give_box(struct mbox_source *s, struct walker_place *at, struct zs_source_item *out)
{
	struct stat st = s->box->st;

	s->box_path_n = s->messages.path.n;
	st.st_mode = S_IFDIR | (st.st_mode & 0666) | (st.st_mode & 0444) >> 2;
	at->st = &st;
	return walker_entry(&s->messages, at, out);
}

/* ------------------------------------------------------------------------ messages */

/* Files that are beside mboxes and are none. */
static int is_beside(const char *name)
{
	static const char *const ends[] = {".lock", ".msf", ".dat", ".html", ".cmeta", ".ibex.index", ".ibex.index.data", ".ev-summary"};
	size_t n = strlen(name);

	if (name[0] == '.' || strncmp(name, "dovecot", 7) == 0 || strcmp(name, "subscriptions") == 0)
		return 1;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (n > strlen(ends[i]) && strcmp(name + n - strlen(ends[i]), ends[i]) == 0)
			return 1;
	return 0;
}

/* The file could not be taken apart.  AGAIN, or -1: no fault of the file's. */
static int box_failed(const struct mbox_source *s, const struct zs_err *why, struct zs_err *err)
{
	if (why->cause != ZS_SOURCE && why->cause != ZS_NOTFOUND) {
		*err = *why;
		return -1;
	}
	/* One that is gone was deleted; one that may not be read is named where it is to be read as a file. */
	if (why->cause == ZS_SOURCE && why->sys != EACCES && why->sys != EPERM)
		box_problem(s, why);
	return AGAIN;
}

static int take_box(struct mbox_source *s, struct walker_place *at, struct zs_source_item *out, struct zs_err *err)
{
	size_t skip = s->root.n + sizeof "/messages/" - 1;
	struct zs_err why = {0};
	int rc = mbox_box_new(&s->settings, at->dir, at->name, &s->box, &why);

	if (rc < 0)
		return box_failed(s, &why, err);
	if (rc == 0) {
		s->others++;
		(void)zs_fail(&why, ZS_SOURCE, "it is no mbox: kept as a file, without messages");
		if (s->name || !is_beside(at->name))
			box_problem(s, &why);
		return AGAIN;
	}
	s->boxes++;
	tell_issues(s);
	if (utf7_text(zs_span(s->messages.path.p + skip, s->messages.path.n - skip), &s->box->folder, err) < 0)
		return -1;
	return give_box(s, at, out);
}

/* ---------------------------------------------------------------------------- walking */

/* <name>.lock of somebody, which is nothing to keep. */
static int is_lock(int fd, const char *name)
{
	size_t n = strlen(name);
	char other[ZS_COMPONENT_MAX + 1];
	struct stat st;

	if (n <= 5 || n > ZS_COMPONENT_MAX || strcmp(name + n - 5, ".lock") != 0)
		return 0;
	memcpy(other, name, n - 5);
	other[n - 5] = 0;
	return fstatat(fd, other, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int take_file(struct mbox_source *s, struct walker_place *at, struct zs_source_item *out, struct zs_err *err)
{
	if (S_ISREG(at->st->st_mode))
		return mbox_file_item(&s->files, at, &s->settings.lock, out, err);
	return give_plain(&s->files, at, out, err);
}

/* The name at w's path. */
static int take_name(struct mbox_source *s, struct walker *w, size_t from, struct zs_source_item *out, struct zs_err *err)
{
	struct scan_frame *top = scan_top(&w->scan);
	struct stat st;
	struct walker_place at = {.dir = top->dir, .fd = top->fd, .name = (const char *)w->path.p + from, .st = &st};

	if (w->path.n - from > ZS_COMPONENT_MAX || w->path.n + MBOX_NAME_MAX > ZS_PATH_MAX) {
		walker_problem_sys(w, ENAMETOOLONG, "cannot back up");
		return AGAIN;
	}
	if (fstatat(top->fd, at.name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0) {
		if (errno != ENOENT) /* it was deleted */
			walker_problem_sys(w, errno, "cannot read");
		return AGAIN;
	}
	if (!S_ISDIR(st.st_mode) && is_lock(top->fd, at.name))
		return AGAIN;
	if (S_ISDIR(st.st_mode))
		walker_plan_enter(w, &st);
	if (w == &s->files)
		return take_file(s, &at, out, err);
	if (S_ISDIR(st.st_mode))
		return walker_entry(w, &at, out);
	return S_ISREG(st.st_mode) ? take_box(s, &at, out, err) : AGAIN;
}

static int enter(struct mbox_source *s, struct walker *w, struct zs_err *err)
{
	int fd, closes, rc;

	w->enter = 0;
	if (w->scan.depth)
		return walker_enter_below(w, err);
	if (dirs_open(s->top, &fd, &closes) < 0) {
		walker_problem_sys(w, errno, "cannot open the directory");
		return 0;
	}
	rc = walker_enter(w, s->top, fd, ".", err);
	if (closes)
		(void)close(fd);
	return rc;
}

/* The next item of a walk: 1, 0, -1. */
static int step(struct mbox_source *s, struct walker *w, struct zs_source_item *out, struct zs_err *err)
{
	int rc = AGAIN;

	while (rc == AGAIN) {
		struct scan_frame *top;
		struct zs_span name;
		uint8_t type;

		if (w == &s->messages && s->box) {
			rc = give_message(s, out, err);
			continue;
		}
		if (w->enter && enter(s, w, err) < 0)
			return -1;
		if (!w->scan.depth)
			return 0;
		top = scan_top(&w->scan);
		if ((rc = scan_next(&w->scan, &name, &type, err)) < 0)
			return -1;
		if (rc == 0) {
			walker_leave(w);
			rc = AGAIN;
		} else if (walker_path(w, top->path_n, name, err) < 0) {
			return -1;
		} else {
			rc = take_name(s, w, top->path_n + 1, out, err);
		}
	}
	return rc;
}

/* The one file, or its messages: 1, 0, AGAIN, -1. */
static int step_file(struct mbox_source *s, struct walker *w, struct zs_source_item *out, struct zs_err *err)
{
	struct stat st;
	struct walker_place at = {.dir = s->top, .fd = -1, .name = s->name, .st = &st};
	int fd, closes, rc;

	if (w == &s->messages && s->box)
		return give_message(s, out, err);
	if (!w->enter)
		return 0;
	w->enter = 0;
	if (walker_path(w, w->path.n, shown_name(s), err) < 0)
		return -1;
	rc = dirs_open(s->top, &fd, &closes) < 0 ? -1 : fstatat(fd, s->name, &st, AT_SYMLINK_NOFOLLOW);
	if (rc < 0)
		return zs_fail_sys(err, ZS_SOURCE, errno, "cannot read %s", s->path);
	if (closes)
		(void)close(fd);
	return w == &s->files ? take_file(s, &at, out, err) : take_box(s, &at, out, err);
}

static int walk(struct mbox_source *s, struct walker *w, struct zs_source_item *out, struct zs_err *err)
{
	int rc = AGAIN;

	if (!s->name)
		return step(s, w, out, err);
	while (rc == AGAIN)
		rc = step_file(s, w, out, err);
	return rc;
}

static int mbox_next(struct zs_source *base, struct zs_source_item *out, struct zs_err *err)
{
	struct mbox_source *s = (struct mbox_source *)base;
	int rc = 0;

	if (!s->top && find(s, err) < 0)
		return -1;
	if (s->stage == IN_FILES && (rc = walk(s, &s->files, out, err)) == 0)
		s->stage = s->shows_messages ? AT_MESSAGES : AT_END;
	if (s->stage == IN_MESSAGES && (rc = walk(s, &s->messages, out, err)) == 0)
		s->stage = AT_END;
	if (rc)
		return rc;
	switch (s->stage) {
	case AT_ROOT:
		s->stage = AT_FILES;
		return give_own(s, &s->files, NULL, out, err);
	case AT_FILES:
		s->stage = IN_FILES;
		s->files.enter = s->name != NULL;
		return give_files(s, out, err);
	case AT_MESSAGES:
		s->stage = IN_MESSAGES;
		s->messages.enter = 1;
		return give_own(s, &s->messages, "messages", out, err);
	default:
		return 0;
	}
}

/* --------------------------------------------------------------------------- phases */

static int mbox_prepare(struct zs_source *base, enum zs_source_phase phase, struct zs_err *err)
{
	struct mbox_source *s = (struct mbox_source *)base;

	return phase == ZS_PHASE_CONNECT && !s->top ? find(s, err) : 0;
}

static int mbox_manifest(struct zs_source *base, struct zs_buf *out, struct zs_err *err)
{
	const struct mbox_source *s = (const struct mbox_source *)base;

	if (zs_buf_printf(out, err, "{\"path\":") < 0 || zs_buf_json(out, zs_span_str(s->path), err) < 0)
		return -1;
	if (s->shows_messages && zs_buf_printf(out, err, ",\"mboxes\":%llu,\"others\":%llu,\"messages\":%llu", (unsigned long long)s->boxes,
	    (unsigned long long)s->others, (unsigned long long)s->count) < 0)
		return -1;
	return zs_buf_add_u8(out, '}', err);
}

static void mbox_free(struct zs_source *base)
{
	struct mbox_source *s = (struct mbox_source *)base;

	mbox_box_unref(s->box);
	walker_fini(&s->files);
	walker_fini(&s->messages);
	dirs_unref(s->top);
	zs_buf_fini(&s->root);
	free(s->path);
	free(s->real);
	free(s);
}

/* -------------------------------------------------------------------------- options */

/* The number of text in list (NULL-terminated), or -1. */
static int number_in(const char *const list[], const char *text)
{
	for (int i = 0; list[i]; i++)
		if (strcmp(list[i], text) == 0)
			return i;
	return -1;
}

static int read_options(struct mbox_source *s, const struct zs_url *url, struct zs_err *err)
{
	static const char *const keys[] = {"format", "lock", "timeout", "messages", NULL};
	static const char *const formats[] = {"auto", "mboxrd", "mboxo", "mboxcl", "mboxcl2", NULL};
	static const char *const locks[] = {"none", "fcntl", "dotlock", "both", NULL}; /* as the kinds' bits */
	const char *format = zs_url_get(url, "format", "auto"), *lock = zs_url_get(url, "lock", "both");
	const char *timeout = zs_url_get(url, "timeout", "10");
	char *end;
	unsigned long seconds = strtoul(timeout, &end, 10);

	if (zs_url_check_keys(url, keys, err) < 0 || zs_url_flag(url, "messages", 1, &s->shows_messages, err) < 0)
		return -1;
	if (!*url->path)
		return zs_fail(err, ZS_USAGE, "%s: say which file or directory, as in mbox:/var/mail/joe", url->label);
	if (number_in(formats, format) < 0)
		return zs_fail(err, ZS_USAGE, "%s: format is auto, mboxrd, mboxo, mboxcl or mboxcl2, not '%s'", url->label, format);
	if (number_in(locks, lock) < 0)
		return zs_fail(err, ZS_USAGE, "%s: lock is both, fcntl, dotlock or none, not '%s'", url->label, lock);
	if (*timeout < '0' || *timeout > '9' || *end || seconds > TIMEOUT_MAX_S)
		return zs_fail(err, ZS_USAGE, "%s: timeout is a number of seconds up to %d, not '%s'", url->label, TIMEOUT_MAX_S, timeout);
	s->settings.format = (enum mbox_format)number_in(formats, format);
	s->settings.lock.kinds = (unsigned)number_in(locks, lock);
	s->settings.lock.timeout_ms = (unsigned)seconds * 1000;
	return 0;
}

int zs_source_mbox_new(const struct zs_server_settings *server, const struct zs_source_settings *settings, struct zs_source **out,
    struct zs_err *err)
{
	static const struct zs_source_ops ops = {
		.next = mbox_next,
		.free = mbox_free,
		.prepare = mbox_prepare,
		.manifest = mbox_manifest,
	};
	struct mbox_source *s = calloc(1, sizeof *s);

	if (!s)
		return zs_fail_nomem(err);
	s->base.ops = &ops;
	if (walker_init(&s->files, settings, err) < 0 || walker_init(&s->messages, settings, err) < 0 || read_options(s, server->url, err) < 0)
		goto fail;
	s->settings.source = s->settings.lock.source = &s->files.settings;
	s->messages.settings.problem = NULL;
	if (zs_buf_add_span(&s->root, server->root, err) < 0)
		goto fail;
	if (!(s->path = strdup(server->url->path))) {
		(void)zs_fail_nomem(err);
		goto fail;
	}
	*out = &s->base;
	return 0;
fail:
	mbox_free(&s->base);
	return -1;
}
