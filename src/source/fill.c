/*
 * What an item costs beyond its stat, asked only for what is new or changed:
 * extended attributes, and what the mail server said of a message in the sibling
 * .meta of the staged layout.
 */
#include "source_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LIST_MAX (64u << 10)	/* the kernel's own bounds */
#define VALUE_MAX (64u << 10)
#define XATTRS_MAX (256u << 10) /* of one item: an entry must fit into a tree node */

static void problem(const struct files_handle *h, struct zs_err *why)
{
	char text[DIRS_TEXT];
	const char *name = dirs_text(h->dir, h->name, text);

	(void)zs_context(why, "%s", name);
	if (h->settings->problem)
		h->settings->problem(h->settings->ctx, zs_span_str(name), why);
}

/* ----------------------------------------------------------- extended attributes */

/* Through /proc, as there is no lgetxattr relative to a descriptor, and opening is neither allowed for every file nor
 * possible for symbolic links. */
static char *proc_path(int at, const char *name)
{
	size_t n = strlen(name) + 40;
	char *path = malloc(n);

	if (path)
		(void)snprintf(path, n, "/proc/self/fd/%d/%s", at, name);
	return path;
}

static int is_wanted(const char *name)
{
	if (!strncmp(name, "user.", 5) || !strncmp(name, "system.posix_acl_", 17) ||
	    !strcmp(name, "security.capability"))
		return 1;
	return !strncmp(name, "trusted.", 8) && geteuid() == 0;
}

static int name_cmp(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* Names that are wanted, sorted, pointing into list.  Their number; *out is the caller's to free. */
static size_t pick_names(char *list, size_t n, const char ***out, struct zs_err *err)
{
	size_t count = 0;
	const char **v;

	for (const char *p = list; p < list + n; p += strlen(p) + 1)
		count++;
	v = calloc(count ? count : 1, sizeof *v);
	*out = v;
	if (!v) {
		(void)zs_fail_nomem(err);
		return 0;
	}
	count = 0;
	for (const char *p = list; p < list + n; p += strlen(p) + 1) {
		if (is_wanted(p))
			v[count++] = p;
	}
	qsort(v, count, sizeof *v, name_cmp);
	return count;
}

static int add_values(const char *path, const char **names, size_t count, uint8_t *value, struct zs_buf *out,
    struct zs_err *err)
{
	for (size_t i = 0; i < count; i++) {
		ssize_t n = lgetxattr(path, names[i], value, VALUE_MAX);

		if (n < 0 && (errno == ENODATA || errno == ENOENT || errno == EPERM || errno == EACCES ||
		    errno == ENOTSUP))
			continue; /* not permitted, or gone since it was listed */
		if (n < 0)
			return zs_fail_sys(err, ZS_SOURCE, errno, "extended attribute %s", names[i]);
		if (zs_format_xattr_add(out, zs_span_str(names[i]), zs_span(value, (size_t)n), err) < 0)
			return -1;
		if (out->n > XATTRS_MAX)
			return zs_fail(err, ZS_SOURCE, "extended attributes of more than %u bytes", XATTRS_MAX);
	}
	return 0;
}

static int xattrs_read(const char *path, char *list, size_t n, struct zs_buf *out, struct zs_err *err)
{
	const char **names = NULL;
	uint8_t *value = NULL;
	size_t count;
	int rc = -1;

	list[n] = 0;
	count = pick_names(list, n, &names, err);
	if (!names)
		goto out;
	value = malloc(VALUE_MAX);
	if (!value) {
		(void)zs_fail_nomem(err);
		goto out;
	}
	rc = add_values(path, names, count, value, out, err);
out:
	free(names);
	free(value);
	return rc;
}

/* -1 only for want of memory: what cannot be read is named, and the item goes on without: 0.  Else 1. */
static int xattrs_fill(const struct files_handle *h, int at, struct zs_buf *out, struct zs_err *err)
{
	char *path = proc_path(at, h->name), *list = NULL;
	struct zs_err why = {0};
	ssize_t n;
	int rc = -1;

	if (!path)
		return zs_fail_nomem(err);
	n = llistxattr(path, NULL, 0);
	if (n <= 0) {
		rc = 1; /* none, or none that we may see */
		goto out;
	}
	list = malloc(LIST_MAX + 1);
	if (!list) {
		(void)zs_fail_nomem(err);
		goto out;
	}
	n = llistxattr(path, list, LIST_MAX);
	rc = n > 0 && xattrs_read(path, list, (size_t)n, out, &why) < 0 ? -1 : 1;
	if (rc < 0 && why.cause == ZS_NOMEM) {
		*err = why;
	} else if (rc < 0) {
		out->n = 0;
		problem(h, &why);
		rc = 0;
	}
out:
	free(path);
	free(list);
	return rc;
}

/* -------------------------------------------------------------------------- .meta */

/* The sibling's content: 1, 0 it cannot be read or is too long, -1 ZS_NOMEM. */
static int meta_read(const struct files_handle *h, int at, struct zs_buf *out, struct zs_err *err)
{
	char name[ZS_COMPONENT_MAX + 2];
	struct zs_err why = {0};
	struct stat st;
	size_t want, n = 0;
	int fd, rc = 0;

	if (staged_sibling(zs_span_str(h->name), name) < 0)
		return 0;
	fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > (off_t)STAGED_META_MAX)
		goto out;
	want = (size_t)st.st_size; /* a larger buffer would have its pages touched for nothing */
	rc = zs_buf_reserve(out, want, err);
	if (rc < 0)
		goto out;
	rc = 0;
	if (zs_read_full(fd, out->p, want, &n, ZS_SOURCE, name, &why) < 0)
		goto out;
	out->n = n;
	rc = 1;
out:
	(void)close(fd);
	return rc;
}

static int meta_fill(const struct files_handle *h, int at, struct staged_meta *meta, struct zs_buf *out,
    struct zs_err *err)
{
	struct zs_buf json = ZS_BUF_INIT;
	int rc = meta_read(h, at, &json, err);

	if (rc > 0)
		rc = staged_decode(zs_buf_span(&json), meta, out, err);
	zs_buf_fini(&json);
	return rc;
}

static void meta_set(struct zs_entry *e, const struct staged_meta *meta, const uint8_t *p)
{
	e->flags |= ZS_ENTRY_HAS_ITEM;
	e->item_id = meta->id;
	e->item_date_ns = meta->date_ns;
	e->item_folder = zs_span(p + meta->folder_at, meta->folder_n);
	e->item_flags = zs_span(p + meta->flags_at, meta->flags_n);
	e->item_tags = zs_span(p + meta->tags_at, meta->tags_n);
}

int fill_entry(struct zs_source_handle *base, struct zs_entry *entry, struct zs_buf *storage, struct zs_err *err)
{
	const struct files_handle *h = (const struct files_handle *)base;
	struct zs_buf xattrs = ZS_BUF_INIT, texts = ZS_BUF_INIT;
	struct staged_meta meta;
	int at, closes, has_xattrs, has_meta = 0, rc = -1;
	size_t start;

	if (dirs_open(h->dir, &at, &closes) < 0)
		return zs_fail_sys(err, ZS_SOURCE, errno, "cannot open the directory above");
	has_xattrs = xattrs_fill(h, at, &xattrs, err);
	if (has_xattrs < 0)
		goto out;
	if (!has_xattrs)
		entry->identity = 0; /* to be tried, and named, again */
	if (h->has_meta)
		has_meta = meta_fill(h, at, &meta, &texts, err);
	if (has_meta < 0 || zs_buf_reserve(storage, xattrs.n + texts.n, err) < 0)
		goto out;
	start = storage->n;
	if (zs_buf_add_span(storage, zs_buf_span(&xattrs), err) < 0 ||
	    (has_meta && zs_buf_add_span(storage, zs_buf_span(&texts), err) < 0))
		goto out;
	if (xattrs.n)
		entry->xattrs = zs_span(storage->p + start, xattrs.n);
	if (has_meta)
		meta_set(entry, &meta, storage->p + start + xattrs.n);
	rc = 0;
out:
	if (closes)
		(void)close(at);
	zs_buf_fini(&xattrs);
	zs_buf_fini(&texts);
	return rc;
}
