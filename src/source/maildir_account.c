/*
 * An account: its folders are found, then all of them are listed again and again until
 * nothing changes any more, so that a message that is moved meanwhile is in one list.
 * The names go through a sorter, so that there may be any number of them.
 */
#include "maildir_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SORTER_BYTES (4u << 20)
#define ROUNDS_MAX 10
#define TICK_NS 20000000ll /* a directory that changed so shortly ago may change again without a sign of it */
#define KEYWORDS_MAX (64u << 10)

static int is_dir_at(int at, const char *dir, const char *name)
{
	char path[ZS_COMPONENT_MAX + 8];
	struct stat st;
	int n = snprintf(path, sizeof path, "%s/%s", dir, name);

	return n > 0 && (size_t)n < sizeof path && fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

int maildir_account_is_maildir(int at, const char *name)
{
	return is_dir_at(at, name, "cur") && (is_dir_at(at, name, "new") || is_dir_at(at, name, "tmp"));
}

static void folder_free(struct maildir_folder *f)
{
	if (!f)
		return;
	dirs_unref(f->dir);
	zs_buf_fini(&f->path);
	zs_buf_fini(&f->name);
	maildir_keywords_fini(&f->keywords);
	free(f);
}

struct maildir_account *maildir_account_ref(struct maildir_account *a)
{
	(void)atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
	return a;
}

void maildir_account_unref(struct maildir_account *a)
{
	if (!a || atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < a->n; i++)
		folder_free(a->folders[i]);
	free(a->folders);
	free(a->lists);
	dirs_unref(a->dir);
	zs_buf_fini(&a->path);
	zs_buf_fini(&a->head.name);
	zs_buf_fini(&a->taken.name);
	zs_sorter_free(a->names);
	free(a->given);
	free(a);
}

struct maildir_folder *maildir_account_folder(const struct maildir_account *a, struct zs_span path)
{
	size_t low = 0, high = a->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = zs_path_cmp(zs_buf_span(&a->folders[mid]->path), path);

		if (!c)
			return a->folders[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* ------------------------------------------------------------------ finding folders */

static int read_keywords(struct maildir_folder *f, int fd, struct zs_err *err)
{
	int in = openat(fd, "dovecot-keywords", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), rc = 0;
	struct zs_err why = {0};
	char *text;
	size_t n;

	if (in < 0)
		return 0; /* none, or it is named when it is backed up */
	if (!(text = malloc(KEYWORDS_MAX))) {
		(void)close(in);
		return zs_fail_nomem(err);
	}
	if (zs_read_full(in, text, KEYWORDS_MAX, &n, ZS_SOURCE, "dovecot-keywords", &why) == 0)
		rc = maildir_keywords_parse(zs_span(text, n), &f->keywords, err);
	free(text);
	(void)close(in);
	return rc;
}

static int folder_new(struct maildir_account *a, struct zs_span path, int fd, struct maildir_folder **out, struct zs_err *err)
{
	struct maildir_folder *f = calloc(1, sizeof *f);

	if (!f)
		return zs_fail_nomem(err);
	f->account = a;
	/* Without a descriptor: there may be many, and they are needed seldom. */
	f->dir = path.n ? dirs_new(&a->w->dirs, a->dir, (const char *)path.p, path.n) : dirs_ref(a->dir);
	if (!f->dir) {
		(void)zs_fail_nomem(err);
		goto fail;
	}
	if (zs_buf_add_span(&f->path, path, err) < 0 || maildir_name_folder(path, a->layout, &f->name, err) < 0 ||
	    read_keywords(f, fd, err) < 0)
		goto fail;
	*out = f;
	return 0;
fail:
	folder_free(f);
	return -1;
}

static int folder_add(struct maildir_account *a, struct zs_span path, int fd, struct zs_err *err)
{
	if (a->n == a->cap) {
		size_t cap = a->cap ? 2 * a->cap : 16;
		struct maildir_folder **v = realloc(a->folders, cap * sizeof *v);

		if (!v)
			return zs_fail_nomem(err);
		a->folders = v;
		a->cap = cap;
	}
	if (folder_new(a, path, fd, &a->folders[a->n], err) < 0)
		return -1;
	a->n++;
	return 0;
}

struct survey { /* the walk that finds the folders */
	struct maildir_account *a;
	struct scan scan;
	struct zs_buf path; /* below the account's directory, with a NUL behind */
};

/* The directory at s->path, open as fd: look at it, go into it.  0, -1. */
static int survey_enter(struct survey *s, struct dir *dir, int fd, const struct stat *st, struct zs_err *err)
{
	struct zs_err why = {0};
	int rc;

	if (maildir_account_is_maildir(fd, ".") && folder_add(s->a, zs_buf_span(&s->path), fd, err) < 0) {
		dirs_unref(dir);
		(void)close(fd);
		return -1;
	}
	rc = scan_push(&s->scan, dir, fd, st, s->path.n, &why);
	if (rc < 0 && why.cause != ZS_LIMIT) {
		*err = why;
		return -1;
	}
	return 0; /* what cannot be read is named when it is backed up */
}

static int survey_root(struct survey *s, struct zs_err *err)
{
	struct dir *dir = dirs_new(&s->a->w->dirs, s->a->dir, ".", 1);
	int at, closes, fd;
	struct stat st;

	if (!dir)
		return zs_fail_nomem(err);
	fd = dirs_open(s->a->dir, &at, &closes) < 0 ? -1 : walker_open_dir(at, ".");
	if (fd >= 0 && closes)
		(void)close(at);
	if (fd < 0 || fstat(fd, &st) < 0) {
		if (fd >= 0)
			(void)close(fd);
		dirs_unref(dir);
		return 0;
	}
	return survey_enter(s, dir, fd, &st, err);
}

/* The folder whose directory is at the top of the stack, if it is one. */
static struct maildir_folder *survey_folder(const struct survey *s)
{
	return maildir_account_folder(s->a, zs_span(s->path.p, s->scan.frames[s->scan.depth - 1].path_n));
}

static void take_number(struct survey *s, struct maildir_folder *f, const char *name)
{
	enum maildir_kind kind = strcmp(name, "cur") == 0 ? MAILDIR_CUR : MAILDIR_NEW;

	f->list[kind] = (struct maildir_list){.number = s->a->lists_n++, .is_there = 1};
}

static int survey_name(struct survey *s, struct zs_span name, uint8_t type, struct zs_err *err)
{
	struct scan_frame *top = scan_top(&s->scan);
	struct maildir_folder *f = survey_folder(s);
	size_t from = top->path_n ? top->path_n + 1 : 0;
	const char *text;
	struct dir *dir;
	struct stat st;
	int fd;

	s->path.n = top->path_n;
	if ((top->path_n && zs_buf_add_u8(&s->path, '/', err) < 0) || zs_buf_add_span(&s->path, name, err) < 0 ||
	    zs_buf_reserve(&s->path, 1, err) < 0)
		return -1;
	s->path.p[s->path.n] = 0;
	text = (const char *)s->path.p + from;
	if (name.n > ZS_COMPONENT_MAX || s->path.n > ZS_PATH_MAX || (type != DT_DIR && type != DT_UNKNOWN))
		return 0;
	if (f && is_dir_at(top->fd, ".", text) && (strcmp(text, "cur") == 0 || strcmp(text, "new") == 0))
		take_number(s, f, text);
	if (f && (strcmp(text, "cur") == 0 || strcmp(text, "new") == 0 || strcmp(text, "tmp") == 0))
		return 0;
	if ((fd = walker_open_dir(top->fd, text)) < 0)
		return 0;
	dir = dirs_new(&s->a->w->dirs, top->dir, text, name.n);
	if (!dir || fstat(fd, &st) < 0) {
		dirs_unref(dir);
		(void)close(fd);
		return dir ? 0 : zs_fail_nomem(err);
	}
	return survey_enter(s, dir, fd, &st, err);
}

static int is_stopped(const struct maildir_account *a, struct zs_err *err)
{
	const struct zs_source_settings *s = &a->w->settings;

	return s->stop && s->stop(s->stop_ctx) ? zs_fail(err, ZS_STOPPED, "stopped") : 0;
}

static int survey(struct maildir_account *a, struct zs_err *err)
{
	struct survey s = {.a = a};
	struct zs_span name;
	uint8_t type;
	int rc = -1;

	if (scan_init(&s.scan, a->w->settings.tmp_dir, err) < 0 || zs_buf_reserve(&s.path, 1, err) < 0 || survey_root(&s, err) < 0)
		goto out;
	while (s.scan.depth) {
		if ((rc = scan_next(&s.scan, &name, &type, err)) > 0)
			rc = survey_name(&s, name, type, err);
		else if (rc == 0 && scan_pop(&s.scan) < 0 && s.scan.depth)
			(void)scan_pop(&s.scan); /* named when it is backed up */
		if (rc < 0 || (rc = is_stopped(a, err)) < 0)
			goto out;
	}
	rc = 0;
out:
	scan_fini(&s.scan);
	zs_buf_fini(&s.path);
	return rc;
}

/* ---------------------------------------------------------------------- listing */

struct listing { struct maildir_account *a; struct maildir_folder *f; enum maildir_kind kind; };

/* A record: number of the list, big endian, and the name; generation, type, inode. */
static int on_name(void *ctx, const struct scan_found *found, struct zs_err *err)
{
	struct listing *l = ctx;
	const struct maildir_list *list = &l->f->list[l->kind];
	uint8_t key[4 + 256], value[10];
	size_t n = strlen(found->name);

	if (n > 256)
		return 0;
	for (int i = 0; i < 4; i++)
		key[i] = (uint8_t)(list->number >> (24 - 8 * i));
	memcpy(key + 4, found->name, n);
	value[0] = list->generation;
	value[1] = found->type;
	zs_put_u64(value + 2, found->ino);
	return zs_sorter_add(l->a->names, zs_span(key, 4 + n), zs_span(value, sizeof value), err);
}

static void list_problem(struct listing *l, struct zs_err *why)
{
	struct walker *w = l->a->w;
	struct zs_buf path = ZS_BUF_INIT;
	struct zs_err ignored = {0};
	char text[DIRS_TEXT];

	if (zs_buf_printf(&path, &ignored, "%.*s%s%.*s%s%s", (int)l->a->path.n, (const char *)l->a->path.p, l->f->path.n ? "/" : "",
		(int)l->f->path.n, (const char *)l->f->path.p, l->a->path.n || l->f->path.n ? "/" : "", maildir_look_dir(l->kind)) < 0)
		zs_err_clear(&ignored);
	(void)zs_context(why, "%s", dirs_text_path(zs_buf_span(&path), text));
	if (w->settings.problem)
		w->settings.problem(w->settings.ctx, zs_buf_span(&path), why);
	zs_buf_fini(&path);
}

/* Read a list once more.  What cannot be read is named, and is empty.  0, -1. */
static int list_read(struct listing *l, uint8_t *dents, struct zs_err *err)
{
	struct maildir_list *list = &l->f->list[l->kind];
	int fd = maildir_look_open(l->f, l->kind), rc;
	struct zs_err why = {0};
	struct stat st;

	list->generation++;
	if (fd < 0 || fstat(fd, &st) < 0) {
		list->is_lost = 1;
		(void)zs_fail_sys(&why, ZS_SOURCE, errno, "cannot open the directory");
		list_problem(l, &why);
		if (fd >= 0)
			(void)close(fd);
		return 0;
	}
	list->dev = st.st_dev;
	list->mtime_ns = walker_ns(st.st_mtim);
	list->ctime_ns = walker_ns(st.st_ctim);
	list->is_racy = list->mtime_ns > l->a->listed_ns - TICK_NS && list->mtime_ns < l->a->listed_ns + 1000 * TICK_NS;
	rc = scan_names(fd, dents, on_name, l, err);
	(void)close(fd);
	if (rc < 0)
		return -1;
	if (rc == 0) {
		list->is_lost = 1;
		list_problem(l, err);
		zs_err_clear(err);
	}
	return 0;
}

/* Has it changed since it was read, or might it have? */
static int list_changed(const struct listing *l)
{
	const struct maildir_list *list = &l->f->list[l->kind];
	int fd, rc;
	struct stat st;

	if (list->is_racy)
		return 1;
	fd = maildir_look_open(l->f, l->kind);
	rc = fd < 0 || fstat(fd, &st) < 0 || walker_ns(st.st_mtim) != list->mtime_ns || walker_ns(st.st_ctim) != list->ctime_ns;
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

/* One round: everything that is not known to be as it was read.  The number of lists read, or -1. */
static long list_round(struct maildir_account *a, uint8_t *dents, int *out_racy, struct zs_err *err)
{
	long count = 0;

	for (size_t i = 0; i < 2 * a->n; i++) {
		struct listing l = {.a = a, .f = a->folders[i / 2], .kind = i % 2 ? MAILDIR_CUR : MAILDIR_NEW};
		struct maildir_list *list = &l.f->list[l.kind];

		if (!list->is_there || list->is_lost || (list->generation && !list_changed(&l)))
			continue;
		if (is_stopped(a, err) < 0 || list_read(&l, dents, err) < 0)
			return -1;
		*out_racy |= list->is_racy;
		count++;
	}
	return count;
}

/* What the last round found unchanged is as it was read; of the rest, everything that was ever seen is taken. */
static void settle(struct maildir_account *a)
{
	for (size_t i = 0; i < 2 * a->n; i++) {
		struct listing l = {.a = a, .f = a->folders[i / 2], .kind = i % 2 ? MAILDIR_CUR : MAILDIR_NEW};
		struct maildir_list *list = &l.f->list[l.kind];

		list->is_settled = !list->is_there || list->is_lost || !list_changed(&l);
		a->is_restless |= !list->is_settled;
	}
}

static void pause_ms(long ms)
{
	const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	(void)nanosleep(&t, NULL);
}

static int list_all(struct maildir_account *a, struct zs_err *err)
{
	uint8_t *dents = malloc(SCAN_DENTS_BYTES);
	long count = 1;

	if (!dents)
		return zs_fail_nomem(err);
	for (int round = 0; round < ROUNDS_MAX && count > 0; round++) {
		int is_racy = 0;

		a->listed_ns = zs_now_ns();
		count = list_round(a, dents, &is_racy, err);
		if (count > 0 && (is_racy || round > 1))
			pause_ms(round < 2 ? TICK_NS / 1000000 : 50L * round);
	}
	free(dents);
	if (count < 0)
		return -1;
	settle(a);
	return zs_sorter_sort(a->names, err);
}

/* ---------------------------------------------------------------------- reading */

/*
 * Where not everything came to rest, each round may lack a name, but one of them has it: then what any round saw counts.
 */
static int takes(const struct maildir_account *a, uint32_t number, uint8_t generation)
{
	return a->is_restless || generation == a->lists[number]->generation;
}

/* The next record that counts to a->head. */
static int read_head(struct maildir_account *a, struct zs_err *err)
{
	struct zs_span key, value;
	int rc;

	a->has_head = 0;
	while ((rc = zs_sorter_next(a->names, &key, &value, err)) > 0) {
		uint32_t number = 0;

		for (int i = 0; i < 4; i++)
			number = number << 8 | key.p[i];
		a->head.number = number;
		a->head.type = value.p[1];
		a->head.ino = zs_get_u64(value.p + 2);
		if (!takes(a, number, value.p[0]))
			continue;
		zs_buf_clear(&a->head.name);
		if (zs_buf_add(&a->head.name, key.p + 4, key.n - 4, err) < 0)
			return -1;
		a->has_head = 1;
		return 0;
	}
	return rc;
}

int maildir_account_next(struct maildir_account *a, const struct maildir_list *l, struct zs_err *err)
{
	struct maildir_found other;
	int is_same;

	while (a->has_head && a->head.number < l->number)
		if (read_head(a, err) < 0)
			return -1;
	if (!a->has_head || a->head.number > l->number || !l->is_there)
		return 0;
	do {
		other = a->taken;
		a->taken = a->head;
		a->head = other;
		if (read_head(a, err) < 0)
			return -1;
		is_same = a->has_head && a->head.number == l->number &&
		    zs_span_eq(zs_buf_span(&a->head.name), zs_buf_span(&a->taken.name)); /* seen in two rounds */
	} while (is_same);
	return 1;
}

/* ------------------------------------------------------------- what has been given */

/* Where ino is in a table of cap slots, or the free one for it. */
static struct maildir_given *slot_of(struct maildir_given *table, size_t cap, uint64_t ino)
{
	size_t at = (size_t)(zs_hash64(0, zs_span(&ino, sizeof ino)) & (cap - 1));

	while (table[at].ino && table[at].ino != ino)
		at = (at + 1) & (cap - 1);
	return &table[at];
}

static int grow(struct maildir_account *a, struct zs_err *err)
{
	size_t cap = a->given_cap ? 2 * a->given_cap : 1024;
	struct maildir_given *v = calloc(cap, sizeof *v);

	if (!v)
		return zs_fail_nomem(err);
	for (size_t i = 0; i < a->given_cap; i++)
		if (a->given[i].ino)
			*slot_of(v, cap, a->given[i].ino) = a->given[i];
	free(a->given);
	a->given = v;
	a->given_cap = cap;
	return 0;
}

int maildir_account_give(struct maildir_account *a, const struct stat *st, struct zs_err *err)
{
	struct maildir_given *slot;
	int has_links = st->st_nlink > 1;

	if (!a->is_restless || !st->st_ino)
		return 1;
	if (2 * a->given_n >= a->given_cap && grow(a, err) < 0)
		return -1;
	slot = slot_of(a->given, a->given_cap, st->st_ino);
	if (slot->ino) /* with links both times: a copy; once only: it was being moved, by link and unlink */
		return slot->has_links && has_links;
	*slot = (struct maildir_given){st->st_ino, has_links};
	a->given_n++;
	return 1;
}

int maildir_account_new(const struct maildir_account_settings *s, struct maildir_account **out, struct zs_err *err)
{
	struct maildir_account *a = calloc(1, sizeof *a);

	if (!a)
		return zs_fail_nomem(err);
	atomic_init(&a->refs, 1);
	a->w = s->w;
	a->stats = s->stats;
	a->layout = s->layout;
	a->dir = dirs_ref(s->dir);
	if (zs_buf_add_span(&a->path, s->path, err) < 0 || survey(a, err) < 0)
		goto fail;
	a->lists = calloc(a->lists_n ? a->lists_n : 1, sizeof(struct maildir_list *));
	if (!a->lists) {
		(void)zs_fail_nomem(err);
		goto fail;
	}
	for (size_t i = 0; i < 2 * a->n; i++) {
		struct maildir_list *l = &a->folders[i / 2]->list[i % 2];

		if (l->is_there)
			a->lists[l->number] = l;
	}
	if (zs_sorter_new(SORTER_BYTES, s->w->settings.tmp_dir, &a->names, err) < 0 || list_all(a, err) < 0 || read_head(a, err) < 0)
		goto fail;
	*out = a;
	return 0;
fail:
	maildir_account_unref(a);
	return -1;
}
