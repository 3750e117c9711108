/*
 * Metadata of what has been restored: owner, then xattrs (a change of owner drops some), then mode (an ACL changes it),
 * then times (everything before changes them).  What cannot be set is reported and never ends a restore.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "target_private.h"

struct target { /* what is worked on, and how it is reached */
	struct zs_files *f;
	const struct place *pl;
	const struct zs_entry *e;
	int fd;
	enum meta_handle how;
	char proc[32];	/* a name for an O_PATH descriptor */
	struct stat st;	/* as it was before */
};

static void report(const struct target *t, int sys, const char *what)
{
	struct zs_err err = {0};

	if (!t->f->problem)
		return;
	zs_fail_sys(&err, ZS_TARGET, sys, "%.*s: %s", TAIL(t->pl->path), what);
	t->f->problem(t->f->ctx, t->pl->path, &err);
}

/* 1 if the owner is right now. */
static int set_owner(const struct target *t)
{
	uid_t uid;
	gid_t gid;

	owner_ids(t->f, t->e, &uid, &gid);
	if (t->st.st_uid == uid && t->st.st_gid == gid)
		return 1;
	if (fchownat(t->fd, "", uid, gid, AT_EMPTY_PATH) == 0)
		return 1;
	/* As tar: somebody who is not root gets files of his own, and is not told for each. */
	if (errno != EPERM || t->f->euid == 0)
		report(t, errno, "set owner");
	return 0;
}

static void set_xattr(const struct target *t, struct zs_span name, struct zs_span value)
{
	char text[ZS_COMPONENT_MAX + 1];
	int rc;

	if (name.n == 0 || name.n > ZS_COMPONENT_MAX || memchr(name.p, 0, name.n)) {
		report(t, EINVAL, "extended attribute's name");
		return;
	}
	memcpy(text, name.p, name.n);
	text[name.n] = '\0';
	if (t->how == META_REAL)
		rc = fsetxattr(t->fd, text, value.p, value.n, 0);
	else
		rc = setxattr(t->proc, text, value.p, value.n, 0);
	if (rc < 0) {
		char what[ZS_COMPONENT_MAX + 40];
		int sys = errno;

		(void)snprintf(what, sizeof what, "set extended attribute %s", text);
		report(t, sys, what);
	}
}

static void set_xattrs(const struct target *t)
{
	struct zs_span rest = t->e->xattrs, name, value;
	struct zs_err err = {0};
	int rc;

	while ((rc = zs_format_xattr_next(&rest, &name, &value, &err)) > 0)
		set_xattr(t, name, value);
	if (rc < 0)
		report(t, EINVAL, "extended attributes are damaged");
}

static void set_mode(const struct target *t, int owned)
{
	mode_t mode = t->e->mode & 07777;

	if (!owned && (mode & (S_ISUID | S_ISGID)) && t->e->kind != ZS_ENTRY_DIR) {
		/* With another owner they would mean something else. */
		mode &= ~(mode_t)(S_ISUID | S_ISGID);
		report(t, EPERM, "set-id bits are left out, since the owner is not the same");
	}
	/* An ACL may have changed it, and a change of owner clears set-id bits. */
	if ((t->st.st_mode & 07777) == mode && t->e->xattrs.n == 0 && !(mode & 07000))
		return;
	if ((t->how == META_REAL ? fchmod(t->fd, mode) : chmod(t->proc, mode)) < 0)
		report(t, errno, "set mode");
}

static void set_times(const struct target *t)
{
	int64_t s = t->e->mtime_ns / 1000000000, ns = t->e->mtime_ns % 1000000000;
	struct timespec when[2] = {{0, UTIME_OMIT}, {0, 0}};
	int rc;

	if (ns < 0) {
		s--;
		ns += 1000000000;
	}
	when[1].tv_sec = (time_t)s;
	when[1].tv_nsec = (long)ns;
	if (t->how == META_REAL)
		rc = futimens(t->fd, when);
	else
		rc = utimensat(t->pl->dir->fd, t->pl->name, when, AT_SYMLINK_NOFOLLOW);
	if (rc < 0)
		report(t, errno, "set time");
}

void meta_apply(struct zs_files *f, const struct place *pl, const struct zs_entry *e, int fd, enum meta_handle how)
{
	struct target t = {.f = f, .pl = pl, .e = e, .fd = fd, .how = how};
	int owned = 1, has_mode = (e->flags & ZS_ENTRY_HAS_MODE) != 0;

	if (how == META_PATH)
		(void)snprintf(t.proc, sizeof t.proc, "/proc/self/fd/%d", fd);
	if (has_mode && fstat(fd, &t.st) < 0) {
		report(&t, errno, "stat");
		return;
	}
	if (has_mode)
		owned = set_owner(&t);
	set_xattrs(&t);
	if (has_mode && e->kind != ZS_ENTRY_SYMLINK)
		set_mode(&t, owned);
	if (has_mode || e->mtime_ns)
		set_times(&t);
}
