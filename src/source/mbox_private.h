/*
 * What the files of the mbox source share: where messages begin and end in a file, what
 * their headers say of flags, locks, one file with its messages.
 */
#ifndef ZSTORE_MBOX_PRIVATE_H
#define ZSTORE_MBOX_PRIVATE_H

#include "source_private.h"

/* -------------------------------------------------------------- mbox_line.c */

#define MBOX_LINE_MAX 1024 /* a From_ line is judged by this much of it */
/* A From_ line by its form: "From ", and somewhere a time of day and then a year.  1, 0. */
int mbox_line_is_from(struct zs_span line);
int64_t mbox_line_date(struct zs_span line); /* when it says that the message came, or INT64_MIN */
/* The length of the name of the header field that line begins with, or 0. */
size_t mbox_line_field(struct zs_span line);
int mbox_line_is_known(struct zs_span line);	/* a field that messages begin with */
int mbox_line_is_volatile(struct zs_span line); /* a field in which programs keep flags: changes without the message */

/* ------------------------------------------------------------- mbox_parse.c */

enum mbox_format { MBOX_AUTO, MBOX_RD, MBOX_O, MBOX_CL, MBOX_CL2 };
enum mbox_issue { /* what is wrong with a file, and where */
	MBOX_BROKEN_FROM, /* a From_ line without a date, taken as one because a header follows */
	MBOX_NO_BLANK,	  /* the empty line before a From_ line is missing */
	MBOX_CUT_OFF,	  /* a message ends within its header, or the last one without a line end */
	MBOX_BAD_LENGTH,  /* a Content-Length that does not lead to the next message */
};
#define MBOX_ISSUES 4
struct mbox_input { /* the file */
	void *ctx;
	int (*read)(void *ctx, uint64_t at, void *p, size_t n, size_t *out_n, struct zs_err *err); /* as zs_pread_full */
	size_t window; /* bytes to hold at a time, 4096 or more; 0: as many as is good */
};
struct mbox_message {
	uint64_t at, bytes;    /* without the From_ line and the empty line that ends it */
	uint64_t header_bytes; /* of them */
	int64_t date_ns;       /* of the From_ line, or INT64_MIN */
	uint64_t sum;	       /* of all bytes */
	uint64_t stable;       /* of those that no change of flags changes */
	int may_be_quoted;     /* there is a ">From " in the body */
	enum mbox_format format; /* that it was taken for; never MBOX_AUTO */
};
struct mbox_sink {
	void *ctx;
	int (*message)(void *ctx, const struct mbox_message *m, struct zs_err *err); /* in the order of the file; none is empty */
	void (*issue)(void *ctx, enum mbox_issue what, uint64_t at);
	int (*stop)(void *ctx, struct zs_err *err); /* asked now and then: -1 ends it */
};
/* 1; 0: it is no mbox; -1: what read, message or stop said.  An empty file is an mbox. */
int mbox_parse(const struct mbox_input *in, enum mbox_format format, const struct mbox_sink *sink, struct zs_err *err);

/* ----------------------------------------------------------- mbox_unquote.c */

/* Takes away the quoting of "From " at the beginning of lines of a body, in pieces of any size. */
struct mbox_unquote {
	int only_one;	 /* mboxo: ">From " only; else one '>' of any number */
	int line_start;
	uint64_t marks;	 /* '>' at the line's beginning that have not been given */
	unsigned letters; /* of "From " behind them */
};
void mbox_unquote_init(struct mbox_unquote *u, enum mbox_format format);
/* Append what is certain of s to *out. */
int mbox_unquote_feed(struct mbox_unquote *u, struct zs_span s, struct zs_buf *out, struct zs_err *err);
int mbox_unquote_end(struct mbox_unquote *u, struct zs_buf *out, struct zs_err *err);

/* ------------------------------------------------------------ mbox_header.c */

struct mbox_item { struct zs_buf flags, tags; uint64_t uid; }; /* lists joined by NUL */
/* What Status, X-Status, X-Keywords, X-UID and Thunderbird's X-Mozilla-* fields say.  -1 ZS_NOMEM. */
int mbox_header_item(struct zs_span header, struct mbox_item *out, struct zs_err *err);
void mbox_header_fini(struct mbox_item *item);

/* -------------------------------------------------------------- mbox_lock.c */

enum mbox_lock_kinds { MBOX_LOCK_FCNTL = 1, MBOX_LOCK_DOT = 2 };
struct mbox_lock_settings {
	unsigned kinds;		/* enum mbox_lock_kinds */
	unsigned timeout_ms;
	const struct zs_source_settings *source; /* whom to ask whether to stop */
};
struct mbox_lock { /* taken, or not: fini in any case */
	int fd; /* of the file, that holds the lock for reading; -1: none */
	struct dir *dir; /* counted, of <name>.lock; NULL: there is none of ours */
	char *name;
};
/*
 * Lock the file `name` in dir for reading.  A lock that cannot be had for want of rights, or where there are none, is done without,
 * unless it is the only one that was asked for.  1; 0: somebody else holds it and did not let go in time; -1: ZS_SOURCE, ZS_STOPPED, ZS_NOMEM.
 */
int mbox_lock_take(const struct mbox_lock_settings *s, struct dir *dir, const char *name, struct mbox_lock *out, struct zs_err *err);
void mbox_lock_fini(struct mbox_lock *l);

/* --------------------------------------------------------------- mbox_box.c */

struct mbox_box_settings {
	const struct zs_source_settings *source;
	struct mbox_lock_settings lock;
	enum mbox_format format;
};
/* One mbox whose messages are being given.  Counted: handles of messages hold it, and with it the file and its lock. */
struct mbox_box {
	atomic_uint refs;
	struct mbox_box_settings settings;
	struct mbox_lock lock;
	int fd;
	struct stat st;
	struct zs_buf folder; /* for people */
	struct zs_sorter *messages; /* the scan's */
	uint64_t count, issues[MBOX_ISSUES], first[MBOX_ISSUES]; /* first: where */
	uint64_t last_stable, same;	/* of the one given last; how many before it were equal to it */
	int64_t last_date;
};
/* 1 with *out, 0 it is no mbox, -1 (ZS_NOTFOUND: it is gone). */
int mbox_box_new(const struct mbox_box_settings *s, struct dir *dir, const char *name, struct mbox_box **out, struct zs_err *err);
struct mbox_box *mbox_box_ref(struct mbox_box *b);
void mbox_box_unref(struct mbox_box *b);
/* The next message, in the order of names, with its name: 1, 0, -1. */
#define MBOX_NAME_MAX 64
int mbox_box_next(struct mbox_box *b, struct mbox_message *out, char name[static MBOX_NAME_MAX], struct zs_err *err);
const char *mbox_box_issue(enum mbox_issue what); /* for people */

/* ----------------------------------------------------------- mbox_message.c */

/* A message as an item: entry and handle of *out are set. */
int mbox_message_item(struct mbox_box *b, const struct mbox_message *m, struct zs_source_item *out, struct zs_err *err);

/* -------------------------------------------------------------- mbox_file.c */

/* A file that may be an mbox as an item of w: locked while it is read. */
int mbox_file_item(struct walker *w, const struct walker_place *at, const struct mbox_lock_settings *lock, struct zs_source_item *out,
    struct zs_err *err);

#endif
