/*
 * What the files of the Maildir source share: names of messages and folders, accounts
 * that are listed at one moment, where a message is now, handles of messages.
 */
#ifndef ZSTORE_MAILDIR_PRIVATE_H
#define ZSTORE_MAILDIR_PRIVATE_H

#include "source_private.h"

/* ----------------------------------------------------------- maildir_name.c */

struct maildir_name { /* of a file in cur or new; spans borrowed */
	struct zs_span base;  /* what stays when flags change */
	struct zs_span flags; /* letters; of keywords too */
	int64_t date_ns;      /* of delivery, or INT64_MIN: the name does not say */
};
void maildir_name_parse(struct zs_span name, struct maildir_name *out);
/* Flags as words ("\Seen"), keywords' names, each list joined by NUL and appended. */
struct maildir_keywords { char *v[26]; }; /* of the letters a to z; owned, NULL: none */
int maildir_name_flags(const struct maildir_name *n, struct zs_buf *out, struct zs_err *err);
int maildir_name_tags(const struct maildir_name *n, const struct maildir_keywords *k, struct zs_buf *out, struct zs_err *err);
/* The content of a dovecot-keywords file.  Lines that make no sense are passed over.  -1 ZS_NOMEM. */
int maildir_keywords_parse(struct zs_span text, struct maildir_keywords *out, struct zs_err *err);
void maildir_keywords_fini(struct maildir_keywords *k);

enum maildir_layout { MAILDIR_AUTO, MAILDIR_FS };
/* What people call the folder at this path below the account's directory ("": INBOX), appended as UTF-8. */
int maildir_name_folder(struct zs_span path, enum maildir_layout layout, struct zs_buf *out, struct zs_err *err);
/* A lock, which is nothing to keep: 1, 0. */
int maildir_name_is_lock(struct zs_span name);

/* -------------------------------------------------------- maildir_account.c */

enum maildir_kind { MAILDIR_NEW, MAILDIR_CUR };
struct maildir_list { /* "new" or "cur" of a folder, as it was when the account was listed */
	uint32_t number;      /* of the account's, in the order of paths */
	uint8_t generation;   /* how often it was read: it is read again until it does not change */
	int is_there, is_lost, is_racy; /* lost: could not be read; racy: changed shortly before it was read */
	int is_settled;	      /* did not change any more */
	dev_t dev;
	int64_t mtime_ns, ctime_ns; /* before it was read last */
};
struct maildir_folder { /* does not change once the account is listed */
	struct maildir_account *account;
	struct dir *dir;     /* counted */
	struct zs_buf path;  /* below the account's directory */
	struct zs_buf name;  /* for people */
	struct maildir_keywords keywords;
	struct maildir_list list[2]; /* by kind */
};
struct maildir_stats { atomic_ullong renamed, deleted; };
struct maildir_given { uint64_t ino; int has_links; }; /* a file, and whether it had several names then */
struct maildir_found { /* a name in a list */
	struct zs_buf name;
	uint32_t number;
	uint8_t type; /* DT_* */
	uint64_t ino;
};
/*
 * The folders that belong together, listed at one moment: what is moved between them later is found where it is then
 * (maildir_look.c), and given under the name that it had.  Counted: handles of messages hold it.
 */
struct maildir_account {
	atomic_uint refs;
	struct walker *w;
	struct maildir_stats *stats;
	enum maildir_layout layout;
	struct dir *dir;
	struct zs_buf path; /* in the snapshot */
	struct maildir_folder **folders; /* in the order of paths */
	size_t n, cap;
	struct maildir_list **lists; /* by number */
	uint32_t lists_n;
	int64_t listed_ns;
	struct zs_sorter *names; /* of all lists */
	struct maildir_found head, taken;
	int has_head;
	int is_restless; /* not everything came to rest: a message may be in two lists, so what has been given is known */
	struct maildir_given *given; /* a hash table */
	size_t given_n, given_cap;
};
/* Does the directory `name` in the open directory `at` hold a Maildir (name ".": it itself)?  1, 0. */
int maildir_account_is_maildir(int at, const char *name);
/* List all folders at or below dir, which stands at path in the snapshot.  What cannot be read is named. */
struct maildir_account_settings { struct walker *w; struct dir *dir; struct zs_span path; enum maildir_layout layout; struct maildir_stats *stats; };
int maildir_account_new(const struct maildir_account_settings *s, struct maildir_account **out, struct zs_err *err);
struct maildir_account *maildir_account_ref(struct maildir_account *a);
void maildir_account_unref(struct maildir_account *a);
/* The folder at a path below the account's directory, or NULL. */
struct maildir_folder *maildir_account_folder(const struct maildir_account *a, struct zs_span path);
/* The next name of a list; lists must be asked for in the order of paths.  1 with a->taken, 0, -1. */
int maildir_account_next(struct maildir_account *a, const struct maildir_list *l, struct zs_err *err);

/* 1: this file is to be given, and is known to have been; 0: it was, from another list or under another name; -1. */
int maildir_account_give(struct maildir_account *a, const struct stat *st, struct zs_err *err);

/* ----------------------------------------------------------- maildir_look.c */

#define MAILDIR_LOOKS 4 /* so often a message is looked for that is renamed while we look */
struct maildir_want { /* a message that is not under its name any more */
	struct zs_span base;
	uint64_t ino;
	int64_t size, mtime_ns;	/* size -1: not known */
	struct maildir_folder *folder; /* where it is; NULL: nowhere */
	int is_sure;		       /* the same inode, too */
	enum maildir_kind kind;
	char name[ZS_COMPONENT_MAX + 1];
};
/*
 * The second look: where are messages that folder held?  In its own new and cur, by what of a name does not change; else in
 * folders of the account that have changed, by inode.  One that is in none of them was deleted.  Any thread.
 * -1 ZS_SOURCE: the folder itself cannot be read.
 */
int maildir_look(struct maildir_folder *folder, struct maildir_want *v, size_t n, struct zs_err *err);
/* The directory new or cur of a folder: a descriptor, or -1 with errno. */
int maildir_look_open(const struct maildir_folder *folder, enum maildir_kind kind);
const char *maildir_look_dir(enum maildir_kind kind); /* "new", "cur" */

/* -------------------------------------------------------- maildir_message.c */

/* What a file of a Maildir is given with: folder and name (as listed) for messages, NULL for other files. */
struct maildir_item { struct maildir_folder *folder; struct zs_span name; };
/* The item at w's path, which is a file, at `at` (its ops are set here).  1, WALKER_AGAIN (named), -1. */
int maildir_message_item(struct walker *w, struct walker_place *at, const struct maildir_item *m, struct zs_source_item *out,
    struct zs_err *err);

/* --------------------------------------------------------- maildir_cursor.c */

struct maildir_seen { /* a name of the list, looked at */
	size_t name_at, name_n; /* in names, with a NUL behind */
	uint64_t ino;
	int sys; /* why it cannot be given; 0: it can */
	int is_gone;
	struct maildir_folder *folder; /* where it is now, if not under its name */
	enum maildir_kind kind;
	size_t actual_at; /* in names */
	struct stat st;
};
struct maildir_cursor { /* one list being given */
	struct walker *w;
	struct maildir_folder *folder; /* NULL: none */
	enum maildir_kind kind;
	struct dir *dir;
	int fd, fd_is_ours;
	size_t path_n, depth; /* of the directory's path; of the scan when it was entered */
	struct zs_buf names;
	struct maildir_seen *v;
	size_t n, next;
};
/* Go into new or cur, whose path is w's and which is `name` in dir: 1, 0 (named), -1. */
int maildir_cursor_begin(struct maildir_cursor *c, struct maildir_folder *folder, enum maildir_kind kind, struct zs_err *err);
void maildir_cursor_end(struct maildir_cursor *c);
void maildir_cursor_fini(struct maildir_cursor *c);
/* The next item, a directory in it too (then w's enter is planned): 1, WALKER_AGAIN, 0 at the end, -1. */
int maildir_cursor_next(struct maildir_cursor *c, struct zs_source_item *out, struct zs_err *err);

#endif
