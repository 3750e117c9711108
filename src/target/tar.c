/*
 * The target that writes a pax tar through libarchive.  Sockets have no place in a tar and are left out, as tar does;
 * a file's further names become links to the first as long as links.c remembers it, and copies after that.
 */
#include "zstore/target.h"

#if HAVE_LIBARCHIVE

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>

#include "target_private.h"

#define PART_MAX (64u << 10)
#define NAMED_MAX 300u /* bytes of a path in a message */

enum content { CONTENT_WRITE, CONTENT_IGNORE };

struct tar {
	struct zs_target base;
	struct archive *a;
	struct archive_entry *entry;
	struct links *links;
	locale_t utf8;	/* names are UTF-8, or kept as bytes: whatever the user's locale is */
	int fd;
	enum content content;
	uint64_t left;	/* of the present entry */
	struct zs_err io; /* the first failure of writing */
	struct zs_buf path;
};

static const uint8_t zeros[PART_MAX];

/*
 * libarchive is never told of a failure: it would forget to free what it holds.  The first one is kept, nothing is
 * written after it, and whoever called libarchive finds it.
 */
static la_ssize_t write_out(struct archive *a, void *ctx, const void *p, size_t n)
{
	struct tar *t = ctx;

	(void)a;
	if (t->io.cause == ZS_OK)
		(void)!zs_write_all(t->fd, p, n, ZS_TARGET, "tar", &t->io);
	return (la_ssize_t)n;
}

/* After a call of libarchive that was fine or not: 0, or -1 and the error. */
static int outcome(struct tar *t, int fine, const char *what, struct zs_err *err)
{
	const char *why;

	if (t->io.cause != ZS_OK) {
		*err = t->io;
		return -1;
	}
	if (fine)
		return 0;
	why = archive_error_string(t->a);
	return zs_fail(err, ZS_TARGET, "tar: %s: %s", what, why ? why : "unknown error");
}

/* A NUL-terminated copy in t->path, valid until the next call. */
static const char *text(struct tar *t, struct zs_span s, struct zs_err *err)
{
	zs_buf_clear(&t->path);
	if (zs_buf_add_span(&t->path, s, err) < 0 || zs_buf_add_u8(&t->path, 0, err) < 0)
		return NULL;
	return (const char *)t->path.p;
}

/* A POSIX ACL as the kernel shows it: version 2, then (tag u16, permissions u16, id u32).  1 done, 0 not one. */
static int add_acl(struct archive_entry *to, int type, struct zs_span value)
{
	static const struct { uint16_t kernel; int tag; } tags[] = {
		{0x01, ARCHIVE_ENTRY_ACL_USER_OBJ}, {0x02, ARCHIVE_ENTRY_ACL_USER}, {0x04, ARCHIVE_ENTRY_ACL_GROUP_OBJ},
		{0x08, ARCHIVE_ENTRY_ACL_GROUP}, {0x10, ARCHIVE_ENTRY_ACL_MASK}, {0x20, ARCHIVE_ENTRY_ACL_OTHER},
	};
	uint32_t version, id;
	uint16_t tag, perm;

	if (zs_take_u32(&value, &version) < 0 || version != 2 || value.n % 8)
		return 0;
	while (zs_take_u16(&value, &tag) == 0 && zs_take_u16(&value, &perm) == 0 && zs_take_u32(&value, &id) == 0) {
		int named = tag == 0x02 || tag == 0x08;

		for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
			if (tags[i].kernel == tag)
				(void)archive_entry_acl_add_entry(to, type, perm & 7, tags[i].tag,
				    named ? (int)id : -1, "");
	}
	return 1;
}

static int add_xattrs(struct tar *t, const struct zs_entry *e, struct zs_err *err)
{
	struct zs_span rest = e->xattrs, name, value;
	int rc;

	while ((rc = zs_format_xattr_next(&rest, &name, &value, err)) > 0) {
		const char *n;

		if (zs_span_eq(name, zs_span_str("system.posix_acl_access")) &&
		    add_acl(t->entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, value))
			continue;
		if (zs_span_eq(name, zs_span_str("system.posix_acl_default")) &&
		    add_acl(t->entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, value))
			continue;
		n = text(t, name, err);
		if (!n)
			return -1;
		archive_entry_xattr_add_entry(t->entry, n, value.p, value.n);
	}
	return rc;
}

static int set_owner(struct tar *t, const struct zs_entry *e, struct zs_err *err)
{
	const char *name;

	if (!(e->flags & ZS_ENTRY_HAS_MODE)) {
		archive_entry_set_perm(t->entry, e->kind == ZS_ENTRY_DIR ? 0700 : 0600);
		return 0;
	}
	archive_entry_set_perm(t->entry, e->mode & 07777);
	archive_entry_set_uid(t->entry, e->uid);
	archive_entry_set_gid(t->entry, e->gid);
	if (e->user.n) {
		if (!(name = text(t, e->user, err)))
			return -1;
		archive_entry_copy_uname(t->entry, name);
	}
	if (e->group.n) {
		if (!(name = text(t, e->group, err)))
			return -1;
		archive_entry_copy_gname(t->entry, name);
	}
	return 0;
}

static void set_time(struct tar *t, int64_t at_ns)
{
	int64_t s = at_ns / 1000000000, ns = at_ns % 1000000000;

	if (ns < 0) {
		s--;
		ns += 1000000000;
	}
	archive_entry_set_mtime(t->entry, (time_t)s, (long)ns);
}

/* 1 the entry can be written, 0 a tar cannot hold such a thing. */
static int set_type(struct tar *t, const struct zs_entry *e, struct zs_err *err)
{
	const char *target;

	switch ((enum zs_entry_kind)e->kind) {
	case ZS_ENTRY_FILE:
		archive_entry_set_filetype(t->entry, S_IFREG);
		archive_entry_set_size(t->entry, (la_int64_t)e->size);
		return 1;
	case ZS_ENTRY_DIR: archive_entry_set_filetype(t->entry, S_IFDIR); return 1;
	case ZS_ENTRY_FIFO: archive_entry_set_filetype(t->entry, S_IFIFO); return 1;
	case ZS_ENTRY_CHAR:
	case ZS_ENTRY_BLOCK:
		archive_entry_set_filetype(t->entry, e->kind == ZS_ENTRY_CHAR ? S_IFCHR : S_IFBLK);
		archive_entry_set_rdev(t->entry, (dev_t)e->rdev);
		return 1;
	case ZS_ENTRY_SYMLINK:
		archive_entry_set_filetype(t->entry, S_IFLNK);
		target = text(t, e->target, err);
		if (!target)
			return -1;
		archive_entry_copy_symlink(t->entry, target);
		return 1;
	case ZS_ENTRY_SOCKET: return 0;
	}
	return 0;
}

/* A further name of a file that came already: a link, without content. */
static void set_link(struct tar *t, struct zs_span path, const struct zs_entry *e)
{
	const char *first;

	t->content = CONTENT_WRITE;
	if (e->kind != ZS_ENTRY_FILE || e->link_ino == 0)
		return;
	first = links_find(t->links, e->link_dev, e->link_ino);
	if (!first) {
		links_add(t->links, e->link_dev, e->link_ino, path);
		return;
	}
	archive_entry_copy_hardlink(t->entry, first);
	archive_entry_set_size(t->entry, 0);
	t->content = CONTENT_IGNORE;
}

static int write_header(struct tar *t, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	const char *name;
	int rc;

	(void)archive_entry_clear(t->entry);
	name = text(t, path, err);
	if (!name)
		return -1;
	archive_entry_copy_pathname(t->entry, name);
	rc = set_type(t, e, err);
	if (rc <= 0)
		return rc;
	if (set_owner(t, e, err) < 0 || add_xattrs(t, e, err) < 0)
		return -1;
	set_time(t, e->mtime_ns);
	set_link(t, path, e);
	/* ARCHIVE_WARN: a name that is not UTF-8 was kept as it is */
	if (outcome(t, archive_write_header(t->a, t->entry) >= ARCHIVE_WARN, "header", err) < 0)
		return zs_context(err, "%.*s", (int)(path.n < NAMED_MAX ? path.n : NAMED_MAX), (const char *)path.p);
	return 0;
}

static int tar_begin(struct zs_target *target, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	struct tar *t = (struct tar *)target;
	locale_t before;
	int rc;

	if (!zs_path_valid(path))
		return zs_fail(err, ZS_TARGET, "tar: refused: no path inside a snapshot");
	if (e->kind == ZS_ENTRY_FILE && e->size > INT64_MAX)
		return zs_fail(err, ZS_TARGET, "tar: an entry is too large");
	t->left = e->kind == ZS_ENTRY_FILE ? e->size : 0;
	before = t->utf8 ? uselocale(t->utf8) : (locale_t)0;
	rc = write_header(t, path, e, err);
	if (t->utf8)
		(void)uselocale(before);
	return rc;
}

static int tar_write(struct zs_target *target, struct zs_span bytes, struct zs_err *err)
{
	struct tar *t = (struct tar *)target;

	if (bytes.n > t->left)
		return zs_fail(err, ZS_CORRUPT, "tar: an entry has more content than its size says");
	t->left -= bytes.n;
	if (t->content == CONTENT_IGNORE || bytes.n == 0)
		return 0;
	return outcome(t, archive_write_data(t->a, bytes.p, bytes.n) == (la_ssize_t)bytes.n, "write", err);
}

static int tar_hole(struct zs_target *target, uint64_t bytes, struct zs_err *err)
{
	while (bytes) {
		size_t n = bytes < PART_MAX ? (size_t)bytes : PART_MAX;

		if (tar_write(target, zs_span(zeros, n), err) < 0)
			return -1;
		bytes -= n;
	}
	return 0;
}

static int tar_end(struct zs_target *target, struct zs_err *err)
{
	struct tar *t = (struct tar *)target;

	if (t->left)
		return zs_fail(err, ZS_CORRUPT, "tar: an entry has less content than its size says");
	return 0;
}

static int tar_finish(struct zs_target *target, struct zs_err *err)
{
	struct tar *t = (struct tar *)target;

	return outcome(t, archive_write_close(t->a) == ARCHIVE_OK, "end", err);
}

static void tar_free(struct zs_target *target)
{
	struct tar *t = (struct tar *)target;

	if (t->io.cause == ZS_OK)
		t->io.cause = ZS_STOPPED; /* not finished: nothing more is written */
	if (t->a && t->left && t->content == CONTENT_WRITE)
		(void)archive_write_fail(t->a); /* or it would fill up the entry with zeros */
	if (t->a)
		(void)archive_write_free(t->a);
	archive_entry_free(t->entry);
	links_free(t->links);
	if (t->utf8)
		freelocale(t->utf8);
	zs_buf_fini(&t->path);
	free(t);
}

static const struct zs_target_ops tar_ops = {tar_begin, tar_write, tar_hole, tar_end, tar_finish, tar_free};

int zs_target_tar_new(int fd, struct zs_target **out, struct zs_err *err)
{
	struct tar *t = calloc(1, sizeof *t);

	if (!t)
		return zs_fail_nomem(err);
	t->base.ops = &tar_ops;
	t->fd = fd;
	t->a = archive_write_new();
	t->entry = archive_entry_new();
	t->links = links_new();
	t->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (!t->a || !t->entry || !t->links) {
		tar_free(&t->base);
		return zs_fail_nomem(err);
	}
	if (archive_write_set_format_pax(t->a) != ARCHIVE_OK ||
	    archive_write_set_options(t->a, "pax:xattrheader=SCHILY") != ARCHIVE_OK || /* the one that all know; once */
	    (!t->utf8 && archive_write_set_options(t->a, "pax:hdrcharset=BINARY") != ARCHIVE_OK) ||
	    archive_write_open(t->a, t, NULL, write_out, NULL) != ARCHIVE_OK) {
		(void)outcome(t, 0, "start", err);
		tar_free(&t->base);
		return -1;
	}
	*out = &t->base;
	return 0;
}

#else

int zs_target_tar_new(int fd, struct zs_target **out, struct zs_err *err)
{
	(void)fd;
	(void)out;
	return zs_fail(err, ZS_USAGE, "built without tar");
}

#endif
