/*
 * The file source: walks its roots in path order and turns each name into an item
 * with one stat.  Content and extended attributes are left to reader.c and fill.c,
 * which the consumer calls for what is new.
 */
#include "source_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AGAIN WALKER_AGAIN

struct files_source {
	struct zs_source base;
	struct walker w;
	unsigned flags;
	struct zs_excludes *excludes; /* NULL: none */
	struct roots roots;
	size_t root_at, above_n; /* the root that is next or being walked; how much of its path has been given */
	struct zs_buf real;
	size_t ahead; /* number of the name whose stat is known already, 0: none */
	struct stat ahead_st;
};

/* The stat of <x>.meta beside a message: 1, 0 there is none. */
static int sibling(struct files_source *s, int fd, struct zs_span name, struct stat *out)
{
	char meta[ZS_COMPONENT_MAX + 2];
	size_t number = 0;
	int known;

	if (!staged_is_message(name) || staged_sibling(name, meta) < 0)
		return 0;
	known = s->w.scan.depth ? scan_look_ahead(&s->w.scan, zs_span_str(meta), &number) : -1;
	if (!known || fstatat(fd, meta, out, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(out->st_mode))
		return 0;
	if (known > 0) {
		s->ahead = number;
		s->ahead_st = *out;
	}
	return 1;
}

static const struct zs_source_ops files_ops;

/* The item at w.path, which is `name` in dir: 1, AGAIN (named as a problem), -1. */
static int make_item(struct files_source *s, struct dir *dir, int fd, const char *name, const struct stat *st,
    struct zs_source_item *out, struct zs_err *err)
{
	struct walker_place at = {.dir = dir, .fd = fd, .name = name, .st = st, .ops = &files_ops};
	struct stat meta;

	if (S_ISREG(st->st_mode) && sibling(s, fd, zs_span_str(name), &meta))
		at.meta = &meta;
	return walker_item(&s->w, &at, out, err);
}

/* ----------------------------------------------------------------- going down */

/* Does somebody want what is on the other file system at s->w.path? */
static int is_wanted(const struct files_source *s)
{
	struct zs_span path = zs_buf_span(&s->w.path);

	for (size_t i = 0; i < s->roots.inner_n; i++) {
		struct zs_span inner = zs_buf_span(&s->roots.inner[i].path);

		if (zs_span_eq(inner, path) || zs_path_below(inner, path))
			return 1;
	}
	return 0;
}

static void plan_enter(struct files_source *s, const struct stat *st)
{
	if (!S_ISDIR(st->st_mode))
		return;
	if ((s->flags & ZS_FILES_ONE_FILE_SYSTEM) && s->w.scan.depth && scan_top(&s->w.scan)->dev != st->st_dev &&
	    !is_wanted(s))
		return;
	walker_plan_enter(&s->w, st);
}

static int enter_root(struct files_source *s, struct zs_err *err)
{
	struct root *root = &s->roots.v[s->root_at - 1];
	int fd, closes, rc;

	if (dirs_open(root->dir, &fd, &closes) < 0) {
		walker_problem_sys(&s->w, errno, "cannot open the directory");
		return 0;
	}
	rc = walker_enter(&s->w, root->dir, fd, root->name, err);
	if (closes)
		(void)close(fd);
	return rc;
}

/* -------------------------------------------------------------------- the walk */

/* One name of the innermost directory, already in s->w.path: 1, AGAIN, -1. */
static int take_name(struct files_source *s, size_t at, uint8_t type, struct zs_source_item *out, struct zs_err *err)
{
	struct scan_frame *top = scan_top(&s->w.scan);
	const char *name = (const char *)s->w.path.p + at;
	struct zs_span path = zs_buf_span(&s->w.path);
	struct stat st;

	if (s->w.path.n - at > ZS_COMPONENT_MAX || s->w.path.n > ZS_PATH_MAX) {
		walker_problem_sys(&s->w, ENAMETOOLONG, "cannot back up");
		return AGAIN;
	}
	if (s->excludes && type != DT_UNKNOWN && zs_excludes_match(s->excludes, path, type == DT_DIR))
		return AGAIN;
	if (s->ahead && s->ahead == scan_at(&s->w.scan)) {
		st = s->ahead_st;
	} else if (fstatat(top->fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0) {
		walker_problem_sys(&s->w, errno, errno == ENOENT ? "it vanished:" : "cannot read");
		return AGAIN;
	}
	s->ahead = 0;
	if (s->excludes && type == DT_UNKNOWN && zs_excludes_match(s->excludes, path, S_ISDIR(st.st_mode)))
		return AGAIN;
	plan_enter(s, &st);
	return make_item(s, top->dir, top->fd, name, &st, out, err);
}

static int next_name(struct files_source *s, struct zs_source_item *out, struct zs_err *err)
{
	struct scan_frame *top = scan_top(&s->w.scan);
	struct zs_span name;
	uint8_t type;
	int rc = scan_next(&s->w.scan, &name, &type, err);

	if (rc < 0)
		return -1;
	if (rc > 0) {
		size_t at = top->path_n ? top->path_n + 1 : 0;

		if (walker_path(&s->w, top->path_n, name, err) < 0)
			return -1;
		return take_name(s, at, type, out, err);
	}
	s->ahead = 0;
	walker_leave(&s->w);
	return AGAIN;
}

/* The next directory above the root: 1, 0 all given. */
static int next_above(struct files_source *s, struct root *root, struct zs_source_item *out, struct zs_err *err)
{
	struct zs_span path = zs_buf_span(&root->path);
	const uint8_t *slash;
	struct dir *dir = NULL;
	struct stat st;
	size_t from = s->above_n ? s->above_n + 1 : 0;
	int rc = -1;

	slash = path.n > from ? memchr(path.p + from, '/', path.n - from) : NULL;
	if (!slash)
		return 0;
	s->above_n = (size_t)(slash - path.p);
	s->real.n = 0;
	if (walker_path(&s->w, 0, zs_span(path.p, s->above_n), err) < 0 ||
	    roots_real_above(root, s->above_n, &s->real, err) < 0)
		return -1;
	dir = dirs_new(&s->w.dirs, NULL, (const char *)s->real.p, s->real.n - 1);
	if (!dir)
		return zs_fail_nomem(err);
	if (stat(dir->name, &st) == 0 && S_ISDIR(st.st_mode)) {
		rc = make_item(s, dir, -1, ".", &st, out, err);
	} else { /* too long a path, or typed through a symlink and "..": any directory will do */
		*out = (struct zs_source_item){.path = zs_buf_span(&s->w.path), .entry = {.kind = ZS_ENTRY_DIR,
		    .flags = ZS_ENTRY_HAS_MODE, .mode = 0755, .date_ns = INT64_MIN, .item_date_ns = INT64_MIN}};
		rc = 1;
	}
	dirs_unref(dir);
	return rc;
}

/* Directories above the two roots that are the same have been given with the first. */
static size_t shared_above(struct zs_span a, struct zs_span b)
{
	size_t same = 0;

	for (size_t i = 0; i < a.n && i < b.n && a.p[i] == b.p[i]; i++) {
		if (a.p[i] == '/')
			same = i;
	}
	return same;
}

static int root_item(struct files_source *s, struct root *root, struct zs_source_item *out, struct zs_err *err)
{
	int fd, closes, rc;
	struct stat st;

	if (walker_path(&s->w, 0, zs_buf_span(&root->path), err) < 0)
		return -1;
	if (dirs_open(root->dir, &fd, &closes) < 0) {
		walker_problem_sys(&s->w, errno, "cannot read");
		return AGAIN;
	}
	rc = AGAIN;
	if (fstatat(fd, root->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		walker_problem_sys(&s->w, errno, "cannot read");
	} else if (root->path.n && s->excludes && zs_excludes_match(s->excludes, zs_buf_span(&s->w.path),
	    S_ISDIR(st.st_mode))) {
		rc = AGAIN;
	} else {
		plan_enter(s, &st);
		if (root->path.n)
			rc = make_item(s, root->dir, fd, root->name, &st, out, err);
	}
	if (closes)
		(void)close(fd);
	return rc;
}

static int next_root(struct files_source *s, struct zs_source_item *out, struct zs_err *err)
{
	struct root *root;
	int rc;

	if (s->root_at == s->roots.n)
		return 0;
	root = &s->roots.v[s->root_at];
	rc = next_above(s, root, out, err);
	if (rc)
		return rc;
	s->root_at++;
	if (s->root_at < s->roots.n)
		s->above_n = shared_above(zs_buf_span(&root->path), zs_buf_span(&root[1].path));
	return root_item(s, root, out, err);
}

static int files_next(struct zs_source *base, struct zs_source_item *out, struct zs_err *err)
{
	struct files_source *s = (struct files_source *)base;
	int rc = AGAIN;

	while (rc == AGAIN) {
		if (s->w.enter) {
			s->w.enter = 0;
			if ((s->w.scan.depth ? walker_enter_below(&s->w, err) : enter_root(s, err)) < 0)
				return -1;
		}
		rc = s->w.scan.depth ? next_name(s, out, err) : next_root(s, out, err);
	}
	return rc;
}

static void files_free(struct zs_source *base)
{
	struct files_source *s = (struct files_source *)base;

	walker_fini(&s->w);
	roots_fini(&s->roots);
	zs_excludes_free(s->excludes);
	zs_buf_fini(&s->real);
	free(s);
}

static const struct zs_source_ops files_ops = {
	.next = files_next,
	.free = files_free,
	.fill = fill_entry,
	.open = reader_open,
	.read = reader_read,
	.close = reader_close,
	.handle_free = walker_handle_free,
};

int zs_source_files_new(const struct zs_files_settings *f, const struct zs_source_settings *settings,
    struct zs_source **out, struct zs_err *err)
{
	struct files_source *s = calloc(1, sizeof *s);

	if (!s)
		return zs_fail_nomem(err);
	s->base.ops = &files_ops;
	s->flags = f->flags;
	s->w.no_racy_guard = (f->flags & ZS_FILES_NO_RACY_GUARD) != 0;
	if (walker_init(&s->w, settings, err) < 0 ||
	    (f->excludes && f->excludes->n && zs_excludes_new(f->excludes, &s->excludes, err) < 0) ||
	    roots_init(&s->roots, f->paths, &s->w.dirs, &s->w.settings, err) < 0) {
		files_free(&s->base);
		return -1;
	}
	*out = &s->base;
	return 0;
}
