/*
 * What the files of the file source share: directories that outlive the scan of
 * them, the stack of directories being scanned, roots, owners' names, handles.
 */
#ifndef ZSTORE_SOURCE_PRIVATE_H
#define ZSTORE_SOURCE_PRIVATE_H

#include "zstore/source.h"

#include <stdatomic.h>
#include <sys/stat.h>

/* ------------------------------------------------------------------ dirs.c */

struct dirs { /* what all directories of one source share */
	atomic_uint held; /* descriptors held by struct dir */
	unsigned max_held;
};

/*
 * A directory that items stand in.  Counted from any thread: handles, the scan and
 * directories below hold one each.  fd never changes, so no lock is needed: it is
 * open from the beginning to the end, or -1 and every user opens its own.
 */
struct dir {
	struct dirs *all;
	struct dir *parent; /* NULL: name is a path from the working directory */
	atomic_uint refs;
	int fd;
	dev_t dev; /* with ino: to recognise it when it is opened again; ino 0: not known */
	ino_t ino;
	size_t name_n;
	char name[];
};

void dirs_init(struct dirs *all);
/* fd -1: opened on each use.  Takes a count of parent.  NULL: no memory. */
struct dir *dirs_new(struct dirs *all, struct dir *parent, const char *name, size_t name_n);
struct dir *dirs_ref(struct dir *d);
void dirs_unref(struct dir *d); /* NULL is fine */
/* Give a fresh directory its descriptor, if there is room for one more: 1 (d owns it now) or 0. */
int dirs_give_fd(struct dir *d, int fd);
/* A descriptor to reach what is in d: 0 and *out_fd; *out_close: the caller closes it.  -1 with errno. */
int dirs_open(const struct dir *d, int *out_fd, int *out_close);
/* Where an item stands, for messages: control characters escaped, the front cut off if it is long. */
#define DIRS_TEXT 320
const char *dirs_text(const struct dir *d, const char *name, char out[static DIRS_TEXT]);
const char *dirs_text_path(struct zs_span path, char out[static DIRS_TEXT]);

/* ------------------------------------------------------------------ scan.c */

struct scan_name {
	uint64_t prefix; /* the first eight bytes, big endian: most comparisons end here */
	uint32_t at;	 /* in the arena, NUL-terminated */
	uint16_t n;
	uint8_t type; /* DT_* */
};
struct scan_frame { /* one directory being walked */
	struct dir *dir;
	int fd;		/* -1: closed for now */
	int fd_is_ours; /* not dir's */
	size_t path_n;	/* of the directory's own path */
	dev_t dev;
	size_t arena_n, names_n, next; /* stack heights before it; next name */
	struct zs_sorter *sorter;      /* instead of names, where there are too many */
};
struct scan {
	struct scan_frame *frames;
	size_t depth, frames_cap;
	struct zs_buf arena;
	struct scan_name *names;
	size_t names_n, names_cap, sorters;
	size_t arena_max; /* bytes of names and records on the stack; more go through a sorter */
	const char *tmp_dir;
	uint8_t *dents;
};

#define SCAN_DENTS_BYTES (64u << 10)
struct scan_found {
	const char *name;
	uint8_t type; /* DT_* */
	uint64_t ino;
};
typedef int scan_name_fn(void *ctx, const struct scan_found *found, struct zs_err *err);
/* Each name in an open directory but "." and "..", as it comes, through a buffer of SCAN_DENTS_BYTES: 1; 0: it could not be
 * read to its end (*err says why); -1: what fn said. */
int scan_names(int fd, uint8_t *dents, scan_name_fn *fn, void *ctx, struct zs_err *err);

int scan_init(struct scan *s, const char *tmp_dir, struct zs_err *err);
void scan_fini(struct scan *s);
struct scan_frame *scan_top(struct scan *s);
/*
 * Enter a directory: read and sort its names.  dir is taken (also on failure), fd too.  1; 0: it could not be read
 * to its end (*err says why; what was read is there); -1: ZS_NOMEM, ZS_SYSTEM, ZS_LIMIT, nothing was entered.
 */
int scan_push(struct scan *s, struct dir *dir, int fd, const struct stat *st, size_t path_n, struct zs_err *err);
/* The next name, borrowed until the next call: 1, 0, -1. */
int scan_next(struct scan *s, struct zs_span *out_name, uint8_t *out_type, struct zs_err *err);
/* Is there `name` among those to come?  1 and its number (for scan_at), 0, or -1: not known. */
int scan_look_ahead(const struct scan *s, struct zs_span name, size_t *out_number);
/* The number of the name that scan_next gave last. */
size_t scan_at(const struct scan *s);
/* Leave it.  0, or -1 with errno: the directory above cannot be reached any more. */
int scan_pop(struct scan *s);

/* ----------------------------------------------------------------- roots.c */

struct root {
	struct zs_buf path; /* in the snapshot */
	char *real;	    /* absolute, folded lexically: for what is above */
	struct dir *dir;    /* where it stands */
	char *name;	    /* in dir; "." for dir itself */
	struct stat st;
};
struct roots {
	struct root *v;
	size_t n;
	struct root *inner; /* dropped, as they lie in others: they matter where file systems are not crossed */
	size_t inner_n;
};
/* Sorted, none inside another.  Those that are missing are named by settings->problem.  -1: ZS_SOURCE (all missing),
 * ZS_USAGE. */
int roots_init(struct roots *r, const struct zs_strings *typed, struct dirs *all,
    const struct zs_source_settings *settings, struct zs_err *err);
void roots_fini(struct roots *r);
/* The absolute path of the first path_n bytes of the root's path, appended with a NUL. */
int roots_real_above(const struct root *root, size_t path_n, struct zs_buf *out, struct zs_err *err);

/* ---------------------------------------------------------------- owners.c */

#define OWNERS_SLOTS 256
struct owners_slot { char *name; uint32_t id; uint8_t used; };
struct owners { struct owners_slot users[OWNERS_SLOTS], groups[OWNERS_SLOTS]; };
struct zs_span owners_user(struct owners *o, uint32_t uid); /* borrowed until the next call; empty: no name */
struct zs_span owners_group(struct owners *o, uint32_t gid);
void owners_fini(struct owners *o);

/* ----------------------------------------------------------------- handles */

enum files_lenient { /* what is no change of a file */
	FILES_RENAMES = 1,  /* a time of last status change that moves: it got another name */
	FILES_REPLACED = 2, /* another file under the same name, of the same owner and mode: how its owner writes it */
};
struct files_handle {
	struct zs_source_handle base;
	const struct zs_source_settings *settings;
	struct dir *dir; /* counted */
	struct stat_seen {
		dev_t dev;
		ino_t ino;
		mode_t mode;
		uid_t uid;
		gid_t gid;
		int is_linked;
	} seen;
	int has_meta;
	unsigned lenient; /* enum files_lenient */
	size_t name_n;
	char name[];
};

/* ---------------------------------------------------------------- walker.c */

#define WALKER_AGAIN 2	       /* nothing to give: named, or to be asked again */
#define WALKER_TARGET_MAX 4096 /* of a symlink: what the kernel can hold */

struct walker { /* a way through a tree, shared by the sources of files */
	struct zs_source_settings settings;
	struct dirs dirs;
	struct scan scan;
	struct owners owners;
	struct zs_buf path; /* of the current item, with a NUL behind */
	char target[WALKER_TARGET_MAX];
	int64_t start_ns;
	int no_racy_guard;
	int enter; /* the item given last is a directory to go into */
	dev_t enter_dev;
	ino_t enter_ino;
};
struct walker_place { /* where an item is: `name` in dir, which is open as fd */
	struct dir *dir;
	int fd;
	const char *name;
	const struct stat *st, *meta; /* meta: of the sibling of the staged layout, or NULL */
	const struct zs_source_ops *ops;
};
int64_t walker_ns(struct timespec t);
int walker_init(struct walker *w, const struct zs_source_settings *settings, struct zs_err *err); /* into zeroed memory */
void walker_fini(struct walker *w);
/* Something about the current path went wrong; the source goes on. */
void walker_problem(struct walker *w, const struct zs_err *why);
void walker_problem_sys(struct walker *w, int sys, const char *what);
/* The current path: its first `keep` bytes, and name below them. */
int walker_path(struct walker *w, size_t keep, struct zs_span name, struct zs_err *err);
/* Size, times and inode of a file, and of its sibling, in one number; 0: it changed just now. */
uint64_t walker_identity(const struct walker *w, const struct stat *st, const struct stat *meta);
/* The item at the current path, without a handle: 1, WALKER_AGAIN (named as a problem). */
int walker_entry(struct walker *w, const struct walker_place *at, struct zs_source_item *out);
/* With one: 1, WALKER_AGAIN, -1. */
int walker_item(struct walker *w, const struct walker_place *at, struct zs_source_item *out, struct zs_err *err);
struct files_handle *walker_handle(const struct walker *w, const struct walker_place *at); /* NULL: no memory */
void walker_handle_free(struct zs_source_handle *h);
void walker_plan_enter(struct walker *w, const struct stat *st);
int walker_open_dir(int at, const char *name); /* without following, without a trace; a descriptor, or -1 with errno */
/* Go into `name` in dir, which is open as fd at and whose path is the current one: 0 (with or without success), -1. */
int walker_enter(struct walker *w, struct dir *dir, int at, const char *name, struct zs_err *err);
int walker_enter_below(struct walker *w, struct zs_err *err); /* the current path's last component, in the innermost directory */
void walker_leave(struct walker *w); /* the innermost directory, at its end */

/* ------------------------------------------------------- reader.c, fill.c */

int reader_open(struct zs_source_handle *h, struct zs_source_reader **out, struct zs_err *err);
int reader_read(struct zs_source_reader *r, void *p, size_t n, size_t *out_n, uint64_t *out_hole, struct zs_err *err);
int reader_close(struct zs_source_reader *r, int *out_changed, struct zs_err *err);

int fill_entry(struct zs_source_handle *h, struct zs_entry *entry, struct zs_buf *storage, struct zs_err *err);

/* ---------------------------------------------------------------- staged.c */

#define STAGED_META_MAX (64u << 10)
struct staged_meta { /* offsets into the buffer that decode appended to */
	uint64_t id;
	int64_t date_ns;
	size_t folder_at, folder_n, flags_at, flags_n, tags_at, tags_n;
};
/* 1 decoded, 0 malformed (or built without jansson), -1 ZS_NOMEM.  *out may have grown in any case. */
int staged_decode(struct zs_span json, struct staged_meta *meta, struct zs_buf *out, struct zs_err *err);
/* Is this name that of a message (<x>.eml)?  Its sibling's name is appended, with a NUL. */
int staged_is_message(struct zs_span name);
int staged_sibling(struct zs_span name, char out[static ZS_COMPONENT_MAX + 2]);

/* ------------------------------------------------------------------ utf7.c */

/* Modified UTF-7 (RFC 3501, 5.1.3) appended to *out as UTF-8: 1; 0: no encoder would write that, *out is as before; -1 ZS_NOMEM. */
int utf7_decode(struct zs_span raw, struct zs_buf *out, struct zs_err *err);
/* A name of a folder for people: decoded; what is none is taken as UTF-8, bytes that are none become U+FFFD. */
int utf7_text(struct zs_span raw, struct zs_buf *out, struct zs_err *err);

/* ---------------------------------------------------------------- stream.c */

/* A source of one stream: open it (once), read, end.  command.c and the descriptor differ in these. */
struct stream_ops {
	int (*start)(void *ctx, int *out_fd, struct zs_err *err);
	int (*end)(void *ctx, int fd, int at_end, struct zs_err *err); /* closes fd if it is its own */
	void (*free)(void *ctx);
};
int stream_new(const struct stream_ops *ops, void *ctx, struct zs_span path, enum zs_kind content,
    struct zs_source **out, struct zs_err *err);

#endif
