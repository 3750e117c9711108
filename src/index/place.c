/*
 * The index's directory: who has it open (a lock file), which generation counts
 * and whether it may be believed (the file CURRENT).  What is inside the
 * generations is left to env.c; whether their files are whole, to files.c.
 *
 * Locks are those of open file descriptions (F_OFD_*): like flock, but going from
 * shared to exclusive either succeeds or changes nothing.
 */
#include "index_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACE_VERSION 1
#define PLACE_TEXT 512

/* ------------------------------------------------------------------- helpers */

static char *join(const char *dir, const char *name)
{
	char *s = NULL;

	return asprintf(&s, "%s/%s", dir, name) < 0 ? NULL : s;
}

char *place_path(const struct place *p, const char *what, uint64_t generation)
{
	char *s = NULL;

	return asprintf(&s, "%s/%s.%" PRIu64, p->dir, what, generation) < 0 ? NULL : s;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	(void)remove(path);
	return 0;
}

void place_remove(const char *path)
{
	(void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* 1 taken, 0 somebody else has it, -1. */
static int take_lock(int fd, short type, int command, struct zs_err *err)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET};
	int rc;

	do
		rc = fcntl(fd, command, &l);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return 1;
	if (command == F_OFD_SETLK && (errno == EAGAIN || errno == EACCES))
		return 0;
	return zs_fail_sys(err, ZS_SYSTEM, errno, "cannot lock the index");
}

int place_alone(struct place *p, struct zs_err *err)
{
	return p->is_private ? 1 : take_lock(p->lock_fd, F_WRLCK, F_OFD_SETLK, err);
}

void place_share(struct place *p)
{
	struct zs_err ignored = {0};

	if (!p->is_private)
		(void)take_lock(p->lock_fd, F_RDLCK, F_OFD_SETLK, &ignored);
}

static void read_boot(char out[static PLACE_BOOT])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	/* Without an answer no two boots are the same: an index that was not closed is then thrown away. */
	if (!f || fscanf(f, "%36[0-9a-f-]", out) != 1)
		snprintf(out, PLACE_BOOT, "unknown-%ld-%" PRIu64, (long)getpid(), zs_monotonic_ns());
	if (f)
		(void)fclose(f);
}

/* ------------------------------------------------------------------- CURRENT */

static void state_print(const struct place *p, const struct place_state *s, char out[static PLACE_TEXT])
{
	char hex[ZS_NAME_HEX];

	snprintf(out, PLACE_TEXT,
	    "zstore index %d\nrepository %s\ngeneration %" PRIu64 "\nbase %d\nstate %s\nboot %s\n"
	    "base file %" PRIu64 " %016" PRIx64 "\ndelta file %" PRIu64 " %016" PRIx64 "\nend\n",
	    PLACE_VERSION, zs_name_hex(&p->repo, hex), s->generation, s->has_base, s->clean ? "clean" : "open", s->boot,
	    s->base_bytes, s->base_sum, s->delta_bytes, s->delta_sum);
}

/* 1 if CURRENT is one that we could have written for this repository. */
static int state_read(const struct place *p, struct place_state *out)
{
	struct zs_buf text = ZS_BUF_INIT;
	struct zs_err ignored = {0};
	char again[PLACE_TEXT], word[8] = "", *path = join(p->dir, "CURRENT");
	int ok = 0;

	memset(out, 0, sizeof *out);
	if (!path || zs_read_file(path, PLACE_TEXT - 1, &text, ZS_SYSTEM, &ignored) < 0 ||
	    zs_buf_add_u8(&text, 0, &ignored) < 0)
		goto out;
	if (sscanf((const char *)text.p,
		"zstore index %*d repository %*64s generation %" SCNu64
		" base %d state %7s boot %60s base file %" SCNu64 " %" SCNx64 " delta file %" SCNu64 " %" SCNx64,
		&out->generation, &out->has_base, word, out->boot, &out->base_bytes, &out->base_sum, &out->delta_bytes,
		&out->delta_sum) != 8)
		goto out;
	out->clean = strcmp(word, "clean") == 0;
	state_print(p, out, again);
	ok = strcmp(again, (const char *)text.p) == 0;
out:
	zs_buf_fini(&text);
	free(path);
	return ok;
}

static int sync_dir(const char *dir, struct zs_err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0 || fsync(fd) < 0)
		rc = zs_fail_sys(err, ZS_SYSTEM, errno, "%s", dir);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

int place_write(const struct place *p, const struct place_state *s, enum place_sync sync, struct zs_err *err)
{
	char text[PLACE_TEXT], *path = join(p->dir, "CURRENT"), *tmp = NULL;
	int fd = -1, rc = -1;

	if (!path || asprintf(&tmp, "%s/CURRENT.%ld", p->dir, (long)getpid()) < 0) {
		tmp = NULL;
		zs_fail_nomem(err);
		goto out;
	}
	state_print(p, s, text);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		zs_fail_sys(err, ZS_SYSTEM, errno, "%s", tmp);
		goto out;
	}
	if (zs_write_all(fd, text, strlen(text), ZS_SYSTEM, tmp, err) < 0)
		goto out;
	if ((sync == PLACE_DURABLE && fsync(fd) < 0) || rename(tmp, path) < 0) {
		zs_fail_sys(err, ZS_SYSTEM, errno, "%s", path);
		goto out;
	}
	rc = sync == PLACE_DURABLE ? sync_dir(p->dir, err) : 0;
out:
	if (fd >= 0)
		(void)close(fd);
	if (rc < 0 && tmp)
		(void)unlink(tmp);
	free(tmp);
	free(path);
	return rc;
}

int place_reload(struct place *p)
{
	struct place_state s;

	if (!state_read(p, &s) || s.generation != p->state.generation)
		return 0;
	p->state = s;
	return 1;
}

int place_mark_open(struct place *p, struct zs_err *err)
{
	struct place_state s;

	if (!place_reload(p))
		return zs_fail(err, ZS_SYSTEM, "the index in %s was replaced while it was open", p->dir);
	s = p->state;
	if (!s.clean && strcmp(s.boot, p->boot) == 0)
		return 0;
	s.clean = 0;
	memcpy(s.boot, p->boot, sizeof s.boot);
	if (place_write(p, &s, PLACE_DURABLE, err) < 0)
		return -1;
	p->state = s;
	return 0;
}

int place_mark_clean(struct place *p, struct zs_err *err)
{
	struct place_state s = p->state;
	char *delta = place_path(p, "delta", s.generation);
	int rc;

	if (!delta)
		return zs_fail_nomem(err);
	s.clean = 1;
	rc = files_size_sum(delta, &s.delta_bytes, &s.delta_sum, err);
	free(delta);
	return rc < 0 ? -1 : place_write(p, &s, PLACE_LAZY, err);
}

void place_mark_broken(const struct place *p)
{
	char *path = join(p->dir, "broken");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;

	if (fd >= 0)
		(void)close(fd);
	free(path);
}

/* ------------------------------------------------------------------- opening */

static int exists(const char *dir, const char *name)
{
	char *path = join(dir, name);
	int yes = !path || access(path, F_OK) == 0;

	free(path);
	return yes;
}

/* 1 if the file of an environment is as it was when its size and sum were taken. */
static int unchanged(const char *env_dir, uint64_t bytes, uint64_t sum)
{
	struct zs_err ignored = {0};
	uint64_t now_bytes, now_sum;

	return files_size_sum(env_dir, &now_bytes, &now_sum, &ignored) == 0 && now_bytes == bytes && now_sum == sum;
}

/* 1 if the generation that CURRENT names can be believed. */
static int examine_once(struct place *p)
{
	struct place_state *s = &p->state;
	char *base = NULL, *delta = NULL;
	int ok = 0;

	if (!state_read(p, s) || exists(p->dir, "broken") || (!s->clean && strcmp(s->boot, p->boot) != 0))
		return 0;
	base = place_path(p, "base", s->generation);
	delta = place_path(p, "delta", s->generation);
	if (!base || !delta || !files_plausible(delta) || (s->has_base && !files_plausible(base)))
		goto out;
	ok = (!s->has_base || unchanged(base, s->base_bytes, s->base_sum)) &&
	    (!s->clean || unchanged(delta, s->delta_bytes, s->delta_sum));
out:
	free(base);
	free(delta);
	return ok;
}

static int examine(struct place *p)
{
	struct place_state before;

	/* Somebody may have begun to write between our reading CURRENT and our summing up the delta. */
	for (int i = 0; i < 3; i++) {
		if (examine_once(p))
			return 1;
		before = p->state;
		if (!state_read(p, &p->state) || memcmp(&before, &p->state, sizeof before) == 0)
			return 0;
	}
	return 0;
}

/* Everything of ours in dir, and nothing else. */
static void clear(const char *dir)
{
	static const char *const ours[] = {"base.", "delta.", "private.", "CURRENT", "broken"};
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
			char *path;

			if (strncmp(e->d_name, ours[i], strlen(ours[i])) != 0)
				continue;
			path = join(dir, e->d_name);
			if (path)
				place_remove(path);
			free(path);
		}
	}
	if (d)
		(void)closedir(d);
}

static int begin_anew(struct place *p, struct zs_err *err)
{
	struct place_state s = {.generation = p->state.generation + 1};
	char *delta;
	int rc = 0;

	clear(p->dir);
	delta = place_path(p, "delta", s.generation);
	if (!delta)
		return zs_fail_nomem(err);
	if (mkdir(delta, 0700) < 0)
		rc = zs_fail_sys(err, ZS_SYSTEM, errno, "%s", delta);
	free(delta);
	memcpy(s.boot, p->boot, sizeof s.boot);
	if (rc < 0 || place_write(p, &s, PLACE_LAZY, err) < 0)
		return -1;
	p->state = s;
	return 0;
}

/* Others still use what we do not believe: leave it to them and begin in a directory of our own. */
static int begin_private(struct place *p, struct zs_err *err)
{
	char *dir = join(p->home, "private.XXXXXX");

	if (!dir)
		return zs_fail_nomem(err);
	if (!mkdtemp(dir)) {
		zs_fail_sys(err, ZS_SYSTEM, errno, "%s", dir);
		free(dir);
		return -1;
	}
	free(p->dir);
	p->dir = dir;
	p->is_private = 1;
	return begin_anew(p, err);
}

static int find_or_begin(struct place *p, int *out_fresh, struct zs_err *err)
{
	int alone = take_lock(p->lock_fd, F_WRLCK, F_OFD_SETLK, err);

	if (alone < 0 || (!alone && take_lock(p->lock_fd, F_RDLCK, F_OFD_SETLKW, err) < 0))
		return -1;
	*out_fresh = !examine(p);
	if (*out_fresh && !alone) /* the others may have gone meanwhile */
		alone = take_lock(p->lock_fd, F_WRLCK, F_OFD_SETLK, err);
	if (alone < 0)
		return -1;
	if (*out_fresh)
		return alone ? begin_anew(p, err) : begin_private(p, err);
	return 0;
}

int place_open(struct place *p, const char *dir, const struct zs_name *repo, int *out_fresh, struct zs_err *err)
{
	char *lock = NULL;
	int rc = -1;

	memset(p, 0, sizeof *p);
	p->lock_fd = -1;
	p->repo = *repo;
	read_boot(p->boot);
	p->home = strdup(dir);
	p->dir = strdup(dir);
	lock = join(dir, "lock");
	if (!p->home || !p->dir || !lock) {
		zs_fail_nomem(err);
		goto out;
	}
	if (zs_make_dirs(dir, 0700, err) < 0)
		goto out;
	p->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (p->lock_fd < 0) {
		zs_fail_sys(err, ZS_SYSTEM, errno, "%s", lock);
		goto out;
	}
	rc = find_or_begin(p, out_fresh, err);
out:
	free(lock);
	if (rc < 0)
		place_close(p);
	return rc;
}

void place_close(struct place *p)
{
	if (p->is_private)
		place_remove(p->dir);
	if (p->lock_fd >= 0)
		(void)close(p->lock_fd);
	p->lock_fd = -1;
	free(p->home);
	free(p->dir);
	p->home = p->dir = NULL;
}
