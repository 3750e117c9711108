/*
 * The second look: a message that is not where it was listed has got other flags, was
 * moved from new to cur or to another folder, or was deleted.
 */
#include "maildir_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sought { uint64_t key; size_t i; }; /* hash of the base, or the inode */
struct look {
	struct maildir_want *v;
	struct sought *order; /* by key */
	size_t n, left;
	struct maildir_folder *folder; /* being read */
	enum maildir_kind kind;
	int fd, by_inode;
};

const char *maildir_look_dir(enum maildir_kind kind)
{
	return kind == MAILDIR_NEW ? "new" : "cur";
}

int maildir_look_open(const struct maildir_folder *folder, enum maildir_kind kind)
{
	int at, closes, fd, sys;

	if (dirs_open(folder->dir, &at, &closes) < 0)
		return -1;
	fd = walker_open_dir(at, maildir_look_dir(kind));
	sys = errno;
	if (closes)
		(void)close(at);
	errno = sys;
	return fd;
}

static int sought_cmp(const void *a, const void *b)
{
	const struct sought *x = a, *y = b;

	return (x->key > y->key) - (x->key < y->key);
}

static void sort_by(struct look *l, int by_inode)
{
	l->by_inode = by_inode;
	l->n = 0;
	for (size_t i = 0; i < l->left; i++) {
		const struct maildir_want *w = &l->v[i];

		if (!w->is_sure)
			l->order[l->n++] = (struct sought){by_inode ? w->ino : zs_hash64(0, w->base), i};
	}
	qsort(l->order, l->n, sizeof *l->order, sought_cmp);
}

/* The same inode in another folder: the same message, and no later one that got its number? */
static int is_same_file(const struct look *l, const struct maildir_want *w, const char *name)
{
	const struct maildir_account *a = l->folder->account;
	struct stat st;

	if (fstatat(l->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) || st.st_ino != w->ino)
		return 0;
	if (w->size >= 0)
		return st.st_size == w->size && walker_ns(st.st_mtim) == w->mtime_ns;
	return walker_ns(st.st_mtim) < a->listed_ns;
}

static int on_name(void *ctx, const struct scan_found *found, struct zs_err *err)
{
	struct look *l = ctx;
	size_t low = 0, high = l->n, n = strlen(found->name);
	struct maildir_name parsed;
	uint64_t key = found->ino;

	(void)err;
	if (found->type == DT_DIR || found->name[0] == '.' || n > ZS_COMPONENT_MAX)
		return 0;
	maildir_name_parse(zs_span(found->name, n), &parsed);
	if (!l->by_inode)
		key = zs_hash64(0, parsed.base);
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (l->order[mid].key < key)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < l->n && l->order[low].key == key; low++) {
		struct maildir_want *w = &l->v[l->order[low].i];

		/* A rename keeps the inode; a base with another one is taken if nothing better comes. */
		if (w->is_sure || (l->by_inode ? !is_same_file(l, w, found->name) : !zs_span_eq(w->base, parsed.base)))
			continue;
		w->is_sure = found->ino == w->ino;
		w->folder = l->folder;
		w->kind = l->kind;
		memcpy(w->name, found->name, n + 1);
	}
	return 0;
}

/* One directory.  1 read, 0 it could not be, -1. */
static int read_list(struct look *l, struct maildir_folder *folder, enum maildir_kind kind, uint8_t *dents, struct zs_err *err)
{
	int rc;

	l->fd = maildir_look_open(folder, kind);
	if (l->fd < 0) {
		(void)zs_fail_sys(err, ZS_SOURCE, errno, "cannot open the directory");
		return 0;
	}
	l->folder = folder;
	l->kind = kind;
	rc = scan_names(l->fd, dents, on_name, l, err);
	(void)close(l->fd);
	return rc;
}

static size_t count_left(const struct look *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->left; i++)
		n += !l->v[i].is_sure;
	return n;
}

static int64_t change_time(const struct maildir_folder *folder, enum maildir_kind kind)
{
	int fd = maildir_look_open(folder, kind);
	struct stat st = {0};

	if (fd >= 0 && fstat(fd, &st) < 0)
		st = (struct stat){0};
	if (fd >= 0)
		(void)close(fd);
	return fd < 0 ? 0 : walker_ns(st.st_mtim);
}

/* In the folder's own directories, by what of a name does not change. */
static int look_here(struct look *l, struct maildir_folder *folder, uint8_t *dents, struct zs_err *err)
{
	sort_by(l, 0);
	if (read_list(l, folder, MAILDIR_CUR, dents, err) <= 0)
		return -1;
	return folder->list[MAILDIR_NEW].is_there && read_list(l, folder, MAILDIR_NEW, dents, err) <= 0 ? -1 : 0;
}

static int has_changed(const struct maildir_folder *folder, enum maildir_kind kind)
{
	const struct maildir_list *list = &folder->list[kind];

	return list->is_there && (!list->is_settled || change_time(folder, kind) != list->mtime_ns);
}

/* In folders of the account that have changed since they were listed, by inode: a move may bring a new name altogether. */
static int look_elsewhere(struct look *l, struct maildir_folder *folder, uint8_t *dents, struct zs_err *err)
{
	const struct maildir_account *a = folder->account;

	sort_by(l, 1);
	for (size_t i = 0; i < 2 * a->n && count_left(l); i++) {
		struct maildir_folder *other = a->folders[i / 2];
		enum maildir_kind kind = i % 2 ? MAILDIR_CUR : MAILDIR_NEW;

		if (!has_changed(other, kind) || other->list[kind].dev != folder->list[MAILDIR_CUR].dev)
			continue;
		if (read_list(l, other, kind, dents, err) < 0)
			return -1;
		zs_err_clear(err); /* one that cannot be read is no place where it could have been put */
	}
	return 0;
}

/* The times of all directories of the account in one number: what moved while they were read may have been missed. */
static uint64_t change_sum(const struct maildir_account *a)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < 2 * a->n; i++) {
		enum maildir_kind kind = i % 2 ? MAILDIR_CUR : MAILDIR_NEW;
		int64_t t = a->folders[i / 2]->list[kind].is_there ? change_time(a->folders[i / 2], kind) : 0;

		sum = zs_hash64(sum, zs_span(&t, sizeof t));
	}
	return sum;
}

int maildir_look(struct maildir_folder *folder, struct maildir_want *v, size_t n, struct zs_err *err)
{
	struct look l = {.v = v, .left = n};
	uint8_t *dents = malloc(SCAN_DENTS_BYTES);
	int rc = -1;

	l.order = malloc(n * sizeof *l.order);
	for (size_t i = 0; i < n; i++) {
		v[i].folder = NULL;
		v[i].is_sure = 0;
	}
	if (!dents || !l.order) {
		(void)zs_fail_nomem(err);
		goto out;
	}
	for (int i = 0; i < MAILDIR_LOOKS && count_left(&l); i++) {
		uint64_t before = change_sum(folder->account);

		if (look_here(&l, folder, dents, err) < 0 || (count_left(&l) && look_elsewhere(&l, folder, dents, err) < 0))
			goto out;
		if (before == change_sum(folder->account))
			break;
	}
	rc = 0;
out:
	free(dents);
	free(l.order);
	return rc;
}
