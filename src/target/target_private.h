/*
 * What the files of this layer share.  A directory: files.c (content), special.c (the rest), dirs.c, meta.c, owner.c.
 * A tar: tar.c, links.c.
 */
#ifndef ZSTORE_TARGET_PRIVATE_H
#define ZSTORE_TARGET_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "zstore/target.h"

#define DIRS_CACHED 64
#define OWNERS_CACHED 64
#define OWNER_NAME_MAX 64

struct dir { /* an open directory below the root */
	int fd;		/* O_PATH */
	uint64_t hash;
	struct zs_buf path;
	unsigned refs;
	uint64_t used;
	int cached;
};

struct owner_row { char name[OWNER_NAME_MAX]; uint32_t id; int state; };

struct zs_files {
	struct dir root;	/* not counted, not in the cache; its fd is a real one */
	enum zs_overwrite overwrite;
	int numeric_owner;
	void (*problem)(void *ctx, struct zs_span path, const struct zs_err *err);
	void *ctx;
	uid_t euid;
	atomic_int any_aside;	/* a file was set aside by this restore */
	atomic_int walk_only;	/* no openat2 here: go component by component */
	pthread_mutex_t lock;	/* guards dirs, dirs_n, tick and each dir's refs, used, cached */
	struct dir *dirs[DIRS_CACHED];
	unsigned dirs_n;
	uint64_t tick;
	pthread_mutex_t owners_lock; /* guards owners */
	struct owner_row owners[2][OWNERS_CACHED]; /* users, groups */
};

struct place { /* where an entry goes */
	struct dir *dir;
	char name[ZS_COMPONENT_MAX + 1];
	struct zs_span path; /* borrowed: for messages */
};

enum dirs_make { DIRS_FIND, DIRS_MAKE };

/* The last bytes of a path for a message, with %.*s. */
#define TAIL_MAX 300
#define TAIL(s) \
	(int)((s).n < TAIL_MAX ? (s).n : TAIL_MAX), \
	(const char *)(s).p + ((s).n < TAIL_MAX ? 0 : (s).n - TAIL_MAX)

/* Open the directory of path; every place that was entered is left.  -1: ZS_TARGET, also for what is no valid path. */
int dirs_enter(struct zs_files *f, struct zs_span path, enum dirs_make make, struct place *out,
    struct zs_err *err) ZS_MUST_USE;
void dirs_leave(struct zs_files *f, struct place *pl);
void dirs_close_all(struct zs_files *f);

int files_fail(struct zs_span path, int sys, const char *what, struct zs_err *err); /* -1 */

/*
 * Something stands at pl under the name that e (NULL: a link) is to have.  1 it was removed, set aside or is gone, 0 leave it
 * alone, -1 it cannot be replaced.
 */
int special_make_room(struct zs_files *f, const struct place *pl, const struct zs_entry *e,
    struct zs_err *err) ZS_MUST_USE;

/* A regular file that special_make_room made way for: no longer needed; or put back, the new one having been removed. */
void special_drop_aside(struct zs_files *f, const struct place *pl);
void special_return_aside(struct zs_files *f, const struct place *pl);

/* Owner, xattrs, mode, times, in this order.  What does not work is reported as a problem. */
enum meta_handle { META_REAL, META_PATH }; /* fd is an ordinary one, or O_PATH */
void meta_apply(struct zs_files *f, const struct place *pl, const struct zs_entry *e, int fd, enum meta_handle how);

/* The ids that e's owner has here. */
void owner_ids(struct zs_files *f, const struct zs_entry *e, uid_t *out_uid, gid_t *out_gid);

/* First names of hard-linked files. */
struct links;
struct links *links_new(void); /* NULL: no memory */
void links_free(struct links *l);
/* The path under which this file came first (borrowed until the next links_add), or NULL if it is not known. */
const char *links_find(const struct links *l, uint64_t dev, uint64_t ino);
/* Remember it.  What is forgotten for lack of room or memory is only stored once more. */
void links_add(struct links *l, uint64_t dev, uint64_t ino, struct zs_span path);

#endif
