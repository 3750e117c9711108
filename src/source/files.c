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
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define RACY_NS 2000000000ll
#define TARGET_MAX 4096 /* of a symlink: what the kernel can hold */
#define AGAIN 2		/* nothing to give yet: ask again */

struct files_source {
	struct zs_source base;
	struct zs_source_settings settings;
	unsigned flags;
	struct zs_excludes *excludes; /* NULL: none */
	struct dirs dirs;
	struct roots roots;
	struct scan scan;
	struct owners owners;
	size_t root_at, above_n; /* the root that is next or being walked; how much of its path has been given */
	struct zs_buf path;	 /* of the current item, with a NUL behind */
	struct zs_buf real;
	char target[TARGET_MAX];
	int64_t start_ns;
	int enter; /* the item given last is a directory to go into */
	dev_t enter_dev;
	ino_t enter_ino;
	size_t ahead; /* number of the name whose stat is known already, 0: none */
	struct stat ahead_st;
};

int64_t files_ns(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void problem(struct files_source *s, const struct zs_err *why)
{
	if (s->settings.problem)
		s->settings.problem(s->settings.ctx, zs_buf_span(&s->path), why);
}

/* Something about the current path went wrong; the source goes on. */
static void problem_sys(struct files_source *s, int sys, const char *what)
{
	struct zs_err why = {0};
	char text[DIRS_TEXT];

	(void)zs_fail_sys(&why, ZS_SOURCE, sys, "%s %s", what, dirs_text_path(zs_buf_span(&s->path), text));
	problem(s, &why);
}

static int path_set(struct files_source *s, size_t keep, struct zs_span name, struct zs_err *err)
{
	s->path.n = keep;
	if ((keep && zs_buf_add_u8(&s->path, '/', err) < 0) || zs_buf_add_span(&s->path, name, err) < 0 ||
	    zs_buf_reserve(&s->path, 1, err) < 0)
		return -1;
	s->path.p[s->path.n] = 0;
	return 0;
}

/* ------------------------------------------------------------------- identity */

static void mix(uint64_t v[4], const struct stat *st)
{
	v[0] = (uint64_t)st->st_size;
	v[1] = (uint64_t)files_ns(st->st_mtim);
	v[2] = (uint64_t)files_ns(st->st_ctim);
	v[3] = st->st_ino;
}

/* Changed so shortly before the scan that a further change might leave the same times.  A time of last
 * modification in the future was set by hand and says nothing. */
static int is_racy(const struct files_source *s, const struct stat *st)
{
	int64_t limit = s->start_ns - RACY_NS, mtime = files_ns(st->st_mtim);

	if (s->flags & ZS_FILES_NO_RACY_GUARD)
		return 0;
	return files_ns(st->st_ctim) >= limit || (mtime >= limit && mtime <= s->start_ns + 3600 * 1000000000ll);
}

static uint64_t identity(const struct files_source *s, const struct stat *st, const struct stat *meta)
{
	uint64_t v[8] = {0}, sum;
	uint8_t wire[sizeof v];

	if (is_racy(s, st) || (meta && is_racy(s, meta)))
		return 0;
	mix(v, st);
	if (meta)
		mix(v + 4, meta);
	for (size_t i = 0; i < 8; i++)
		zs_put_u64(wire + 8 * i, v[i]);
	sum = zs_hash64(0, zs_span(wire, meta ? 64 : 32));
	return sum ? sum : 1;
}

/* The stat of <x>.meta beside a message: 1, 0 there is none. */
static int sibling(struct files_source *s, int fd, struct zs_span name, struct stat *out)
{
	char meta[ZS_COMPONENT_MAX + 2];
	size_t number = 0;
	int known;

	if (!staged_is_message(name) || staged_sibling(name, meta) < 0)
		return 0;
	known = s->scan.depth ? scan_look_ahead(&s->scan, zs_span_str(meta), &number) : -1;
	if (!known || fstatat(fd, meta, out, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(out->st_mode))
		return 0;
	if (known > 0) {
		s->ahead = number;
		s->ahead_st = *out;
	}
	return 1;
}

/* ----------------------------------------------------------------------- items */

static uint8_t kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return ZS_ENTRY_FILE;
	case S_IFDIR:
		return ZS_ENTRY_DIR;
	case S_IFLNK:
		return ZS_ENTRY_SYMLINK;
	case S_IFIFO:
		return ZS_ENTRY_FIFO;
	case S_IFSOCK:
		return ZS_ENTRY_SOCKET;
	case S_IFCHR:
		return ZS_ENTRY_CHAR;
	case S_IFBLK:
		return ZS_ENTRY_BLOCK;
	default:
		return 0;
	}
}

static void entry_set(struct files_source *s, const struct stat *st, struct zs_entry *e)
{
	*e = (struct zs_entry){.kind = kind_of(st->st_mode), .flags = ZS_ENTRY_HAS_MODE, .mode = st->st_mode & 07777,
	    .uid = st->st_uid, .gid = st->st_gid, .mtime_ns = files_ns(st->st_mtim), .date_ns = INT64_MIN,
	    .item_date_ns = INT64_MIN};
	e->user = owners_user(&s->owners, st->st_uid);
	e->group = owners_group(&s->owners, st->st_gid);
	if (e->kind == ZS_ENTRY_CHAR || e->kind == ZS_ENTRY_BLOCK)
		e->rdev = st->st_rdev;
	if (e->kind != ZS_ENTRY_FILE)
		return;
	e->size = (uint64_t)st->st_size;
	if (st->st_nlink > 1) {
		e->link_dev = st->st_dev;
		e->link_ino = st->st_ino;
	}
}

static const struct zs_source_ops files_ops;

static struct zs_source_handle *handle_new(struct files_source *s, struct dir *dir, const char *name,
    const struct stat *st, int has_meta)
{
	size_t n = strlen(name);
	struct files_handle *h = malloc(sizeof *h + n + 1);

	if (!h)
		return NULL;
	*h = (struct files_handle){.base = {&files_ops}, .settings = &s->settings, .dir = dirs_ref(dir),
	    .has_meta = has_meta,
	    .name_n = n, .seen = {.dev = st->st_dev, .ino = st->st_ino, .mode = st->st_mode, .uid = st->st_uid,
	    .gid = st->st_gid, .is_linked = st->st_nlink > 1}};
	memcpy(h->name, name, n + 1);
	return &h->base;
}

static void handle_free(struct zs_source_handle *base)
{
	struct files_handle *h = (struct files_handle *)base;

	dirs_unref(h->dir);
	free(h);
}

/* The item at s->path, which is `name` in dir: 1, AGAIN (named as a problem), -1. */
static int make_item(struct files_source *s, struct dir *dir, int fd, const char *name, const struct stat *st,
    struct zs_source_item *out, struct zs_err *err)
{
	struct stat meta;
	int has_meta = S_ISREG(st->st_mode) && sibling(s, fd, zs_span_str(name), &meta);

	*out = (struct zs_source_item){.path = zs_buf_span(&s->path), .content = ZS_KIND_FILE};
	entry_set(s, st, &out->entry);
	if (!out->entry.kind) {
		problem_sys(s, ENOTSUP, "unknown kind of file:");
		return AGAIN;
	}
	if (out->entry.kind == ZS_ENTRY_SYMLINK) {
		ssize_t n = readlinkat(fd, name, s->target, sizeof s->target);

		if (n <= 0 || (size_t)n == sizeof s->target) {
			problem_sys(s, n < 0 ? errno : ENAMETOOLONG, "cannot read the symbolic link");
			return AGAIN;
		}
		out->entry.target = zs_span(s->target, (size_t)n);
	}
	out->entry.identity = identity(s, st, has_meta ? &meta : NULL);
	out->handle = handle_new(s, dir, name, st, has_meta);
	return out->handle ? 1 : zs_fail_nomem(err);
}

/* ----------------------------------------------------------------- going down */

/* Does somebody want what is on the other file system at s->path? */
static int is_wanted(const struct files_source *s)
{
	struct zs_span path = zs_buf_span(&s->path);

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
	if ((s->flags & ZS_FILES_ONE_FILE_SYSTEM) && s->scan.depth && scan_top(&s->scan)->dev != st->st_dev &&
	    !is_wanted(s))
		return;
	s->enter = 1;
	s->enter_dev = st->st_dev;
	s->enter_ino = st->st_ino;
}

static int open_dir(int at, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(at, name, flags | O_NOATIME);

	return fd < 0 && errno == EPERM ? openat(at, name, flags) : fd;
}

/* Go into `name` in dir, whose path is s->path.  0 (with or without success), -1. */
static int enter(struct files_source *s, struct dir *dir, int at, const char *name, struct zs_err *err)
{
	struct zs_err why = {0};
	struct dir *below;
	struct stat st;
	int fd = open_dir(at, name), rc;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_ino != s->enter_ino || st.st_dev != s->enter_dev) {
		problem_sys(s, fd < 0 ? errno : ESTALE, "cannot open the directory");
		if (fd >= 0)
			(void)close(fd);
		return 0;
	}
	below = dirs_new(&s->dirs, dir, name, strlen(name));
	if (!below) {
		(void)close(fd);
		return zs_fail_nomem(err);
	}
	rc = scan_push(&s->scan, below, fd, &st, s->path.n, &why);
	if (rc < 0 && why.cause != ZS_LIMIT) {
		*err = why;
		return -1;
	}
	if (rc <= 0) {
		char text[DIRS_TEXT];

		(void)zs_context(&why, "%s", dirs_text_path(zs_buf_span(&s->path), text));
		why.cause = ZS_SOURCE;
		problem(s, &why);
	}
	return 0;
}

static int enter_below(struct files_source *s, struct zs_err *err)
{
	struct scan_frame *top = scan_top(&s->scan);
	size_t at = top->path_n ? top->path_n + 1 : 0;
	struct dir *dir = top->dir;

	return enter(s, dir, top->fd, (const char *)s->path.p + at, err);
}

static int enter_root(struct files_source *s, struct zs_err *err)
{
	struct root *root = &s->roots.v[s->root_at - 1];
	int fd, closes, rc;

	if (dirs_open(root->dir, &fd, &closes) < 0) {
		problem_sys(s, errno, "cannot open the directory");
		return 0;
	}
	rc = enter(s, root->dir, fd, root->name, err);
	if (closes)
		(void)close(fd);
	return rc;
}

/* -------------------------------------------------------------------- the walk */

/* One name of the innermost directory, already in s->path: 1, AGAIN, -1. */
static int take_name(struct files_source *s, size_t at, uint8_t type, struct zs_source_item *out, struct zs_err *err)
{
	struct scan_frame *top = scan_top(&s->scan);
	const char *name = (const char *)s->path.p + at;
	struct zs_span path = zs_buf_span(&s->path);
	struct stat st;

	if (s->path.n - at > ZS_COMPONENT_MAX || s->path.n > ZS_PATH_MAX) {
		problem_sys(s, ENAMETOOLONG, "cannot back up");
		return AGAIN;
	}
	if (s->excludes && type != DT_UNKNOWN && zs_excludes_match(s->excludes, path, type == DT_DIR))
		return AGAIN;
	if (s->ahead && s->ahead == scan_at(&s->scan)) {
		st = s->ahead_st;
	} else if (fstatat(top->fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0) {
		problem_sys(s, errno, errno == ENOENT ? "it vanished:" : "cannot read");
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
	struct scan_frame *top = scan_top(&s->scan);
	struct zs_span name;
	uint8_t type;
	int rc = scan_next(&s->scan, &name, &type, err);

	if (rc < 0)
		return -1;
	if (rc > 0) {
		size_t at = top->path_n ? top->path_n + 1 : 0;

		if (path_set(s, top->path_n, name, err) < 0)
			return -1;
		return take_name(s, at, type, out, err);
	}
	s->path.n = top->path_n;
	s->ahead = 0;
	while (s->scan.depth && scan_pop(&s->scan) < 0 && s->scan.depth) {
		/* the rest of the directory above is lost: say so, go on with the one above that */
		s->path.n = scan_top(&s->scan)->path_n;
		problem_sys(s, errno, "cannot get back to the directory");
	}
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
	if (path_set(s, 0, zs_span(path.p, s->above_n), err) < 0 ||
	    roots_real_above(root, s->above_n, &s->real, err) < 0)
		return -1;
	dir = dirs_new(&s->dirs, NULL, (const char *)s->real.p, s->real.n - 1);
	if (!dir)
		return zs_fail_nomem(err);
	if (stat(dir->name, &st) == 0 && S_ISDIR(st.st_mode)) {
		rc = make_item(s, dir, -1, ".", &st, out, err);
	} else { /* too long a path, or typed through a symlink and "..": any directory will do */
		*out = (struct zs_source_item){.path = zs_buf_span(&s->path), .entry = {.kind = ZS_ENTRY_DIR,
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

	if (path_set(s, 0, zs_buf_span(&root->path), err) < 0)
		return -1;
	if (dirs_open(root->dir, &fd, &closes) < 0) {
		problem_sys(s, errno, "cannot read");
		return AGAIN;
	}
	rc = AGAIN;
	if (fstatat(fd, root->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		problem_sys(s, errno, "cannot read");
	} else if (root->path.n && s->excludes && zs_excludes_match(s->excludes, zs_buf_span(&s->path),
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
		if (s->enter) {
			s->enter = 0;
			if ((s->scan.depth ? enter_below(s, err) : enter_root(s, err)) < 0)
				return -1;
		}
		rc = s->scan.depth ? next_name(s, out, err) : next_root(s, out, err);
	}
	return rc;
}

static void files_free(struct zs_source *base)
{
	struct files_source *s = (struct files_source *)base;

	scan_fini(&s->scan);
	roots_fini(&s->roots);
	owners_fini(&s->owners);
	zs_excludes_free(s->excludes);
	zs_buf_fini(&s->path);
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
	.handle_free = handle_free,
};

int zs_source_files_new(const struct zs_files_settings *f, const struct zs_source_settings *settings,
    struct zs_source **out, struct zs_err *err)
{
	struct files_source *s = calloc(1, sizeof *s);

	if (!s)
		return zs_fail_nomem(err);
	s->base.ops = &files_ops;
	s->settings = *settings;
	s->flags = f->flags;
	s->start_ns = zs_now_ns();
	dirs_init(&s->dirs);
	if (scan_init(&s->scan, settings->tmp_dir, err) < 0 ||
	    (f->excludes && f->excludes->n && zs_excludes_new(f->excludes, &s->excludes, err) < 0) ||
	    roots_init(&s->roots, f->paths, &s->dirs, &s->settings, err) < 0) {
		files_free(&s->base);
		return -1;
	}
	*out = &s->base;
	return 0;
}
