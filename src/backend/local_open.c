/*
 * Making and opening a directory as backend, and its table.  Directories are opened once, so that the repository cannot
 * change under a run.  What is done in them is left to local.c, local_put.c and local_list.c.
 */
#include "backend_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void local_free(struct zs_backend *be)
{
	struct local *l = (struct local *)be;
	int i;

	for (i = 0; i < ZS_OBJECTS; i++)
		if (i != ZS_OBJ_CONFIG && l->dirs[i] >= 0)
			(void)close(l->dirs[i]);
	if (l->tmp >= 0)
		(void)close(l->tmp);
	if (l->root >= 0)
		(void)close(l->root);
	local_cache_fini(&l->cache);
	(void)pthread_mutex_destroy(&l->lock);
	free(l->path);
	free(l);
}

static const struct backend_ops local_ops = {
    .put_begin = local_put_begin,
    .put_append = local_put_append,
    .put_commit = local_put_commit,
    .put_abort = local_put_abort,
    .get = local_get,
    .get_all = local_get_all,
    .stat = local_stat,
    .list = local_list,
    .remove = local_remove,
    .reserve_release = local_reserve_release,
    .reserve_make = local_reserve_make,
    .tidy = local_tidy,
    .free = local_free,
};

static struct local *local_new(const char *path, struct zs_err *err)
{
	struct local *l = calloc(1, sizeof(*l));
	int i;

	if (l)
		l->path = strdup(path);
	if (!l || !l->path) {
		free(l);
		(void)zs_fail_nomem(err);
		return NULL;
	}
	l->be.ops = &local_ops;
	l->be.describe = l->path;
	l->root = l->tmp = -1;
	for (i = 0; i < ZS_OBJECTS; i++)
		l->dirs[i] = -1;
	atomic_init(&l->serial, 0);
	(void)pthread_mutex_init(&l->lock, NULL);
	local_cache_init(&l->cache);
	local_writer_self(&l->self);
	return l;
}

/* A missing directory is an error when it is needed, not now: who looks for a config must learn that there is none. */
static int open_dir(struct local *l, const char *name, int *out_fd, struct zs_err *err)
{
	*out_fd = openat(l->root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*out_fd < 0 && errno != ENOENT)
		return local_fail(l, err, errno, "open directory", name, "");
	return 0;
}

static int open_root(struct local *l, struct zs_err *err)
{
	l->root = open(l->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->root >= 0)
		return 0;
	if (errno != ENOENT && errno != ENOTDIR)
		return local_fail(l, err, errno, "open directory", "", "");
	return zs_fail_sys(err, ZS_NOTFOUND, errno, "there is no directory %s", l->path);
}

static int open_dirs(struct local *l, struct zs_err *err)
{
	int i;

	l->dirs[ZS_OBJ_CONFIG] = l->root;
	for (i = ZS_OBJ_CONFIG + 1; i < ZS_OBJECTS; i++)
		if (open_dir(l, local_dir_names[i], &l->dirs[i], err) < 0)
			return -1;
	return open_dir(l, "tmp", &l->tmp, err);
}

/*
 * Many tools copy no empty directories.  In a repository (it has a config) those that may be empty are made again, if
 * that is possible; whoever needs one that is still missing will say so.  Packs, indexes, snapshots and keys are not
 * among them: without their directory they are lost, not absent.
 */
static void restore_dirs(const struct local *l)
{
	static const enum zs_object may_be_empty[] = {ZS_OBJ_SESSION, ZS_OBJ_CONDEMNED, ZS_OBJ_REMOVAL};
	size_t i;

	if (faccessat(l->root, "config", F_OK, 0) < 0)
		return;
	for (i = 0; i < sizeof(may_be_empty) / sizeof(may_be_empty[0]); i++)
		(void)mkdirat(l->root, local_dir_names[may_be_empty[i]], 0700);
	(void)mkdirat(l->root, "tmp", 0700);
}

int zs_backend_local_open(const char *path, struct zs_backend **out, struct zs_err *err)
{
	struct local *l = local_new(path, err);

	if (!l)
		return -1;
	if (open_root(l, err) < 0)
		goto fail;
	restore_dirs(l);
	if (open_dirs(l, err) < 0)
		goto fail;
	*out = &l->be;
	return 0;
fail:
	local_free(&l->be);
	return -1;
}

static int check_empty(const struct local *l, struct zs_err *err)
{
	int fd = openat(l->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	struct dirent *e;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d) {
		rc = local_fail(l, err, errno, "list directory", "", "");
		if (fd >= 0)
			(void)close(fd);
		return rc;
	}
	while (errno = 0, rc == 0 && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = zs_fail(err, ZS_EXISTS, "%s is not empty", l->path);
	if (rc == 0 && errno)
		rc = local_fail(l, err, errno, "list directory", "", "");
	(void)closedir(d);
	return rc;
}

static int sync_parent(const struct local *l, struct zs_err *err)
{
	const char *end = strrchr(l->path, '/');
	char *parent = end ? strndup(l->path, (size_t)(end - l->path) + 1) : strdup(".");
	int fd = parent ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, rc = 0;

	if (!parent)
		rc = zs_fail_nomem(err);
	else if (fd < 0 || local_sync_dir(fd) < 0)
		rc = local_fail(l, err, errno, "sync the parent of directory", "", "");
	if (fd >= 0)
		(void)close(fd);
	free(parent);
	return rc;
}

static int make_root_part(const struct local *l, struct zs_err *err)
{
	int sys;

	if (mkdir(l->path, 0700) == 0)
		return sync_parent(l, err);
	sys = errno;
	/* a parent that refuses may still hold it */
	if (sys == EEXIST || access(l->path, F_OK) == 0)
		return 0;
	return local_fail(l, err, sys, "make directory", "", "");
}

/* mkdir -p in which every new name is durable */
static int make_root(struct local *l, struct zs_err *err)
{
	char *slash;

	for (slash = strchr(l->path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int rc;

		*slash = '\0';
		rc = make_root_part(l, err);
		*slash = '/';
		if (rc < 0)
			return -1;
	}
	return make_root_part(l, err);
}

static int open_new_root(struct local *l, struct zs_err *err)
{
	if (make_root(l, err) < 0)
		return -1;
	if (open_root(l, err) == 0)
		return check_empty(l, err);
	return err->cause == ZS_NOTFOUND ? zs_fail(err, ZS_EXISTS, "%s is there and no directory", l->path) : -1;
}

/* tmp comes first: of two that create in the same place, one stops there */
static int make_dirs(struct local *l, int *made, struct zs_err *err)
{
	int i;

	for (i = 0; i < ZS_OBJECTS; i++) {
		const char *name = i == 0 ? "tmp" : local_dir_names[i];

		if (mkdirat(l->root, name, 0700) < 0) {
			if (errno == EEXIST)
				return zs_fail(err, ZS_EXISTS, "%s is not empty", l->path);
			return local_fail(l, err, errno, "make directory", name, "");
		}
		(*made)++;
	}
	if (open_dirs(l, err) < 0)
		return -1;
	if (local_sync_dir(l->root) < 0)
		return local_fail(l, err, errno, "sync directory", "", "");
	return 0;
}

static void undo_dirs(struct local *l, int made)
{
	int i;

	if (made > 0)
		(void)unlinkat(l->root, "reserve", 0);
	for (i = 0; i < made; i++)
		(void)unlinkat(l->root, i == 0 ? "tmp" : local_dir_names[i], AT_REMOVEDIR);
}

int zs_backend_local_create(const char *path, struct zs_backend **out, struct zs_err *err)
{
	struct local *l;
	int made = 0;

	if (!*path)
		return zs_fail(err, ZS_IO, "the path of a repository cannot be empty");
	l = local_new(path, err);
	if (!l)
		return -1;
	if (open_new_root(l, err) < 0)
		goto fail;
	if (make_dirs(l, &made, err) < 0 || local_reserve_make(&l->be, err) < 0) {
		undo_dirs(l, made);
		goto fail;
	}
	*out = &l->be;
	return 0;
fail:
	local_free(&l->be);
	return -1;
}
