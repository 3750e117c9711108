/*
 * Listing the local backend, and clearing its tmp/ of dead writers' files.  An entry whose name cannot be an object's
 * is not ours and is passed over; everything else that is in doubt ends the listing with an error.
 */
#include "backend_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 1 entry, 0 end, -1 */
typedef int entry_fn(struct local *l, int fd, const char *name, void *ctx, struct zs_err *err);

/* Each scan has its own position: not the shared descriptor's. */
static int scan(struct local *l, int parent, const char *rel, const char *text, entry_fn *fn, void *ctx,
    struct zs_err *err)
{
	int fd = openat(parent, rel, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	struct dirent *e;
	struct stat st;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d) {
		(void)local_fail(l, err, errno, "list directory", text, strcmp(rel, ".") ? rel : "");
		if (fd >= 0)
			(void)close(fd);
		return -1;
	}
	while (errno = 0, rc == 0 && (e = readdir(d)))
		rc = fn(l, fd, e->d_name, ctx, err);
	if (rc == 0 && (errno || fstat(fd, &st) < 0))
		rc = local_fail(l, err, errno, "list directory", text, strcmp(rel, ".") ? rel : "");
	/* a directory that was removed meanwhile looks empty */
	if (rc == 0 && st.st_nlink == 0)
		rc = local_fail(l, err, ENOENT, "list directory", text, strcmp(rel, ".") ? rel : "");
	(void)closedir(d);
	return rc;
}

struct listing {
	enum zs_object type;
	int shard; /* first byte of the names, or -1: any */
	const char *text;
	zs_backend_list_fn *fn;
	void *ctx;
};

static int list_entry(struct local *l, int fd, const char *entry, void *ctx, struct zs_err *err)
{
	const struct listing *g = ctx;
	struct zs_name name;
	struct stat st;

	if (zs_name_parse(entry, &name) < 0 || (g->shard >= 0 && name.b[0] != g->shard))
		return 0;
	if (fstatat(fd, entry, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		/* deleted since it was listed */
		if (errno == ENOENT)
			return 0;
		return local_fail(l, err, errno, "look at", g->text, entry);
	}
	if (!S_ISREG(st.st_mode))
		return zs_fail(err, ZS_IO, "%s/%s/%s is no regular file", l->path, g->text, entry);
	return g->fn(g->ctx, &name, (uint64_t)st.st_size, err) < 0 ? -1 : 0;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int shard_entry(struct local *l, int fd, const char *entry, void *ctx, struct zs_err *err)
{
	uint8_t *shards = ctx;

	(void)l;
	(void)fd;
	(void)err;
	if (strlen(entry) == 2 && hex_digit(entry[0]) >= 0 && hex_digit(entry[1]) >= 0)
		shards[hex_digit(entry[0]) * 16 + hex_digit(entry[1])] = 1;
	return 0;
}

static int list_packs(struct local *l, struct listing *g, struct zs_err *err)
{
	int dir = l->dirs[ZS_OBJ_PACK];
	uint8_t shards[256] = {0};
	char rel[3];
	int i;

	if (scan(l, dir, ".", g->text, shard_entry, shards, err) < 0)
		return -1;
	for (i = 0; i < 256; i++) {
		if (!shards[i])
			continue;
		(void)snprintf(rel, sizeof(rel), "%02x", (unsigned)i);
		g->shard = i;
		if (scan(l, dir, rel, g->text, list_entry, g, err) < 0)
			return -1;
	}
	return 0;
}

int local_list(struct zs_backend *be, enum zs_object type, zs_backend_list_fn *fn, void *ctx, struct zs_err *err)
{
	struct local *l = (struct local *)be;
	struct listing g = {type, -1, local_dir_names[type], fn, ctx};
	uint64_t bytes;
	int rc;

	if (type == ZS_OBJ_CONFIG) {
		rc = zs_backend_stat(be, type, &zs_name_zero, &bytes, err);
		return rc <= 0 ? rc : fn(ctx, &zs_name_zero, bytes, err) < 0 ? -1 : 0;
	}
	if (l->dirs[type] < 0)
		return local_fail(l, err, ENOENT, "list directory", local_dir_names[type], "");
	if (type == ZS_OBJ_PACK)
		return list_packs(l, &g, err);
	return scan(l, l->dirs[type], ".", g.text, list_entry, &g, err);
}

static int tidy_entry(struct local *l, int fd, const char *entry, void *ctx, struct zs_err *err)
{
	(void)ctx;
	if (local_writer_dead(&l->self, entry) && unlinkat(fd, entry, 0) < 0 && errno != ENOENT)
		return local_fail(l, err, errno, "delete", "tmp", entry);
	return 0;
}

int local_tidy(struct zs_backend *be, struct zs_err *err)
{
	struct local *l = (struct local *)be;

	if (l->tmp < 0)
		return local_fail(l, err, ENOENT, "list directory", "tmp", "");
	return scan(l, l->tmp, ".", "tmp", tidy_entry, NULL, err);
}
