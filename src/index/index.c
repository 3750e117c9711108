/*
 * Opening and closing.  LMDB must not have one environment open twice in a
 * process (its lock file uses POSIX record locks), so an index that is opened
 * again is shared; the list of open ones is this file's only state.
 */
#include "index_private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER; /* guards the list, and refs of all in it */
static struct zs_index *open_list;

static struct zs_index *find_open(const char *dir, const struct zs_name *repo)
{
	char *real = realpath(dir, NULL);
	struct zs_index *ix;

	/* A child of fork must not use what its parent opened. */
	for (ix = real ? open_list : NULL; ix; ix = ix->next)
		if (ix->pid == getpid() && strcmp(ix->place.home, real) == 0 && zs_name_cmp(&ix->place.repo, repo) == 0)
			break;
	free(real);
	return ix;
}

static int open_envs(struct zs_index *ix, struct zs_err *err)
{
	char *base = place_path(&ix->place, "base", ix->place.state.generation);
	char *delta = place_path(&ix->place, "delta", ix->place.state.generation);
	int rc = -1;

	if (!base || !delta) {
		zs_fail_nomem(err);
		goto out;
	}
	rc = ix->place.state.has_base ? env_open_base(base, &ix->base, &ix->base_chunks) : 0;
	if (!rc)
		rc = env_open_delta(delta, &ix->delta, &ix->t);
	if (rc)
		rc = env_fail(ix, rc, "opening", err);
out:
	free(base);
	free(delta);
	return rc;
}

/* The last one to close makes the index one that outlives a crash of the machine. */
static void make_clean(struct zs_index *ix)
{
	struct zs_err ignored = {0};

	if (!ix->delta || ix->place.is_private || place_alone(&ix->place, &ignored) != 1)
		return;
	if (!place_reload(&ix->place) || ix->place.state.clean)
		return;
	if (mdb_env_sync(ix->delta, 1) == 0)
		(void)!place_mark_clean(&ix->place, &ignored);
}

static void close_one(struct zs_index *ix)
{
	make_clean(ix);
	if (ix->base)
		mdb_env_close(ix->base);
	if (ix->delta)
		mdb_env_close(ix->delta);
	place_close(&ix->place);
	(void)pthread_rwlock_destroy(&ix->map_lock);
	(void)pthread_mutex_destroy(&ix->write_lock);
	free(ix);
}

static int open_one(const char *dir, const struct zs_name *repo, struct zs_index **out, int *out_fresh,
    struct zs_err *err)
{
	struct zs_index *ix = calloc(1, sizeof *ix);
	char *real;

	if (!ix)
		return zs_fail_nomem(err);
	(void)pthread_rwlock_init(&ix->map_lock, NULL);
	(void)pthread_mutex_init(&ix->write_lock, NULL);
	ix->pid = getpid();
	ix->refs = 1;
	ix->place.lock_fd = -1;
	if (place_open(&ix->place, dir, repo, out_fresh, err) < 0 || open_envs(ix, err) < 0)
		goto fail;
	real = realpath(dir, NULL);
	if (!real) {
		zs_fail_nomem(err);
		goto fail;
	}
	free(ix->place.home);
	ix->place.home = real;
	place_share(&ix->place); /* only now: others must not see a generation without its files */
	*out = ix;
	return 0;
fail:
	close_one(ix);
	return -1;
}

int zs_index_open(const char *dir, const struct zs_name *repo_id, struct zs_index **out, int *out_fresh,
    struct zs_err *err)
{
	struct zs_index *ix;
	int rc = 0;

	(void)pthread_mutex_lock(&open_lock);
	ix = find_open(dir, repo_id);
	if (ix) {
		ix->refs++;
		*out_fresh = 0;
	} else {
		rc = open_one(dir, repo_id, &ix, out_fresh, err);
		if (rc < 0) { /* what could not be opened was marked as broken: once more, from nothing */
			zs_err_clear(err);
			rc = open_one(dir, repo_id, &ix, out_fresh, err);
		}
		if (rc == 0) {
			ix->next = open_list;
			open_list = ix;
		}
	}
	if (rc == 0)
		*out = ix;
	(void)pthread_mutex_unlock(&open_lock);
	return rc;
}

void zs_index_close(struct zs_index *ix)
{
	if (!ix)
		return;
	(void)pthread_mutex_lock(&open_lock);
	if (--ix->refs == 0) {
		struct zs_index **at = &open_list;

		while (*at && *at != ix)
			at = &(*at)->next;
		if (*at)
			*at = ix->next;
		close_one(ix);
	}
	(void)pthread_mutex_unlock(&open_lock);
}

int zs_index_discard(const char *dir, struct zs_err *err)
{
	struct place p = {.dir = (char *)(uintptr_t)dir};

	if (zs_make_dirs(dir, 0700, err) < 0)
		return -1;
	place_mark_broken(&p);
	return 0;
}
