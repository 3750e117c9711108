/*
 * Locks as mail programs take them: a read lock on the file, which belongs to our open
 * file and not to the process, and <name>.lock beside it.  Never waits with one of them
 * in hand.
 */
#include "mbox_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 50

enum taken { TAKEN, HELD, NOT_HERE, FAILED }; /* NOT_HERE: no rights, or no such locks on this file system */

void mbox_lock_fini(struct mbox_lock *l)
{
	int at, closes;

	if (l->dir && dirs_open(l->dir, &at, &closes) == 0) {
		(void)unlinkat(at, l->name, 0);
		if (closes)
			(void)close(at);
	}
	dirs_unref(l->dir);
	free(l->name);
	if (l->fd >= 0)
		(void)close(l->fd);
	*l = (struct mbox_lock){.fd = -1};
}

static enum taken take_fcntl(int fd)
{
	struct flock how = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &how) == 0)
		return TAKEN;
	return errno == EAGAIN || errno == EACCES ? HELD : NOT_HERE;
}

static enum taken take_dot(int at, const char *name)
{
	char pid[24];
	int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444), n;

	if (fd < 0 && errno == EEXIST)
		return HELD;
	if (fd < 0)
		return errno == EACCES || errno == EPERM || errno == EROFS || errno == ENAMETOOLONG ? NOT_HERE : FAILED;
	n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid()); /* by which others see whether we still live */
	if (write(fd, pid, (size_t)n) != n)
		n = 0; /* an empty one locks as well */
	(void)close(fd);
	return TAKEN;
}

static void release_fcntl(int fd)
{
	struct flock how = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	(void)fcntl(fd, F_OFD_SETLK, &how);
}

/* Both, or neither. */
static enum taken take_once(unsigned kinds, int at, struct mbox_lock *l)
{
	enum taken rc = kinds & MBOX_LOCK_FCNTL ? take_fcntl(l->fd) : TAKEN;

	if (rc == HELD || (rc == NOT_HERE && kinds == MBOX_LOCK_FCNTL) || !(kinds & MBOX_LOCK_DOT))
		return rc;
	rc = take_dot(at, l->name);
	if (rc == HELD || rc == FAILED)
		release_fcntl(l->fd);
	if (rc == NOT_HERE && kinds != MBOX_LOCK_DOT)
		return NOT_HERE;
	return rc;
}

static int is_stopped(const struct zs_source_settings *s)
{
	return s->stop && s->stop(s->stop_ctx);
}

/* 1, 0 held by somebody else, -1 */
static int take_in_time(const struct mbox_lock_settings *s, int at, struct mbox_lock *l, int *out_dot, struct zs_err *err)
{
	const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
	uint64_t end = zs_monotonic_ns() + s->timeout_ms * UINT64_C(1000000);

	for (;;) {
		enum taken rc = take_once(s->kinds, at, l);

		*out_dot = rc == TAKEN && (s->kinds & MBOX_LOCK_DOT);
		if (rc == TAKEN)
			return 1;
		if (rc == FAILED || (rc == NOT_HERE && s->kinds == MBOX_LOCK_DOT))
			return zs_fail_sys(err, ZS_SOURCE, errno, "cannot make %s: say lock=fcntl to do without", l->name);
		if (rc == NOT_HERE)
			return 1;
		if (is_stopped(s->source))
			return zs_fail(err, ZS_STOPPED, "stopped");
		if (zs_monotonic_ns() >= end)
			return 0;
		(void)nanosleep(&pause, NULL);
	}
}

int mbox_lock_take(const struct mbox_lock_settings *s, struct dir *dir, const char *name, struct mbox_lock *out, struct zs_err *err)
{
	int at, closes, dot = 0, rc = -1;
	size_t n = strlen(name) + 8;

	*out = (struct mbox_lock){.fd = -1};
	if (!s->kinds)
		return 1;
	if (dirs_open(dir, &at, &closes) < 0)
		return zs_fail_sys(err, ZS_SOURCE, errno, "cannot open the directory");
	out->name = malloc(n);
	if (!out->name) {
		(void)zs_fail_nomem(err);
		goto out;
	}
	(void)snprintf(out->name, n, "%s.lock", name);
	out->fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (out->fd < 0) {
		rc = 1; /* who reads it says why it cannot be opened */
		goto out;
	}
	rc = take_in_time(s, at, out, &dot, err);
	if (rc > 0 && dot)
		out->dir = dirs_ref(dir);
out:
	if (closes)
		(void)close(at);
	if (rc <= 0)
		mbox_lock_fini(out);
	return rc;
}
