/*
 * What the files of the IMAP source share: bytes of the server and the tokens in them, replies, names of folders, the
 * connection, the table of folders, listing, and the engine that fetches bodies ahead of who reads them.
 */
#ifndef ZSTORE_IMAP_PRIVATE_H
#define ZSTORE_IMAP_PRIVATE_H

#include "source_private.h"

#include <stdatomic.h>

/* ---------------------------------------------------------------- imap_stream.c */

#define IMAP_STREAM_BYTES (64u << 10)
#define IMAP_REPLY_MAX (1u << 20)  /* of one reply, bodies not counted */
#define IMAP_STRING_MAX (64u << 10) /* of one string, list of flags, or text in it */
#define IMAP_DEPTH_MAX 32

/* Bytes as they come.  Whoever fills it decides where from. */
struct imap_stream {
	int (*fill)(void *ctx, uint8_t *p, size_t n, size_t *out_n, struct zs_err *err); /* 1 byte or more, or -1 */
	void *ctx;
	uint8_t *buf;
	size_t at, end;
	int64_t reply_bytes;	/* of the reply at hand, as far as the buffer was emptied */
	uint64_t received;
};
int imap_stream_init(struct imap_stream *s, int (*fill)(void *, uint8_t *, size_t, size_t *, struct zs_err *), void *ctx,
    struct zs_err *err) ZS_MUST_USE;
void imap_stream_fini(struct imap_stream *s);
/* ZS_SOURCE: "the server's answer makes no sense", with what was expected and a little of what came. */
int imap_stream_garbage(const struct imap_stream *s, const char *expected, struct zs_err *err);
int imap_stream_peek(struct imap_stream *s, uint8_t *out, struct zs_err *err) ZS_MUST_USE;
int imap_stream_take(struct imap_stream *s, uint8_t *out, struct zs_err *err) ZS_MUST_USE;
int imap_stream_expect(struct imap_stream *s, char want, struct zs_err *err) ZS_MUST_USE;
/* 1 and it is taken, 0 something else comes, -1. */
int imap_stream_is(struct imap_stream *s, char want, struct zs_err *err) ZS_MUST_USE;
/* Appends to *out; 1 byte or more up to a blank, bracket of a list, quote or the line's end. */
int imap_stream_atom(struct imap_stream *s, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
int imap_stream_number(struct imap_stream *s, uint64_t *out, struct zs_err *err) ZS_MUST_USE;
/* A quoted string, literal or atom appended to *out: 1; NIL: 0; -1. */
int imap_stream_string(struct imap_stream *s, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* "{n}", "{n+}", "~{n}" and the line's end: the bytes come next. */
int imap_stream_literal(struct imap_stream *s, uint64_t *out_bytes, struct zs_err *err) ZS_MUST_USE;
/* The next n bytes, in pieces; put NULL: nowhere. */
int imap_stream_bytes(struct imap_stream *s, uint64_t n, int (*put)(void *ctx, const uint8_t *p, size_t n, struct zs_err *err),
    void *ctx, struct zs_err *err) ZS_MUST_USE;
int imap_stream_skip(struct imap_stream *s, struct zs_err *err) ZS_MUST_USE; /* one value of any kind */
int imap_stream_line(struct imap_stream *s, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE; /* the rest of the line, its end taken; out may be NULL */

/* ----------------------------------------------------------------- imap_reply.c */

enum imap_type {
	IMAP_OK, IMAP_NO, IMAP_BAD, IMAP_BYE, /* tagged, or not */
	IMAP_CONTINUE, IMAP_EXISTS, IMAP_EXPUNGE, IMAP_FETCH, IMAP_LIST, IMAP_STATUS, IMAP_CAPABILITY, IMAP_ID, IMAP_OTHER,
};
enum imap_has { /* what a FETCH or STATUS said */
	IMAP_HAS_UID = 1, IMAP_HAS_FLAGS = 2, IMAP_HAS_DATE = 4, IMAP_HAS_SIZE = 8, IMAP_HAS_BODY = 16,
	IMAP_HAS_MESSAGES = 32, IMAP_HAS_UIDNEXT = 64, IMAP_HAS_UIDVALIDITY = 128, IMAP_HAS_MODSEQ = 256,
	IMAP_HAS_NIL = 512, /* a body that is none */
};
struct imap_reply {
	enum imap_type type;
	uint32_t tag;	      /* 0: untagged */
	uint64_t number;      /* EXISTS, EXPUNGE, FETCH */
	char code[24];	      /* response code, upper case; "" */
	uint64_t code_number; /* its number, or 0 */
	struct zs_buf text;   /* OK, NO, BAD, BYE: for people; CAPABILITY (also as a code): words; ID: names and values joined by NUL */
	unsigned has;	      /* enum imap_has */
	uint32_t uid;
	uint64_t size;
	int64_t date_ns;      /* INT64_MIN: it is none */
	struct zs_buf flags;  /* FETCH: joined by NUL, as they came; LIST: attributes */
	struct zs_buf name;   /* LIST, STATUS */
	uint8_t delimiter;    /* LIST; 0: none */
	uint64_t messages, uidnext, uidvalidity, modseq;
};
struct imap_sink { /* where bodies go */
	void *ctx;
	int (*begin)(void *ctx, const struct imap_reply *r, uint64_t bytes, struct zs_err *err); /* r: what came before it */
	int (*data)(void *ctx, const uint8_t *p, size_t n, struct zs_err *err);
};
void imap_reply_fini(struct imap_reply *r);
/* The next reply, whole.  sink NULL: bodies are passed over.  -1 ZS_SOURCE: garbage, or the stream's end. */
int imap_reply_read(struct imap_stream *s, struct imap_reply *r, const struct imap_sink *sink, struct zs_err *err) ZS_MUST_USE;
/* "17-Jul-1996 02:44:25 -0700"; INT64_MIN: it is none. */
int64_t imap_reply_date(struct zs_span text);
/* Is the word among those joined by NUL?  Case does not matter. */
int imap_reply_among(struct zs_span joined, const char *word);

/* ----------------------------------------------------------------- imap_names.c */

/* A folder's name as a path in the snapshot, appended: UTF-8, '/' between levels, what cannot stand in a path percent-encoded. */
int imap_names_path(struct zs_span raw, uint8_t delimiter, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* What a user typed, UTF-8 with '/' between levels, as the same kind of path. */
int imap_names_typed(struct zs_span typed, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* Tell the last component apart from an equal one. */
int imap_names_differ(struct zs_buf *path, struct zs_span raw, struct zs_err *err) ZS_MUST_USE;
/* Text of a server, for messages: one line, nothing that a terminal would obey, at most n - 1 bytes. */
const char *imap_names_text(struct zs_span text, char *out, size_t n);

/* --------------------------------------------------------------- imap_options.c */

enum imap_tls { IMAP_TLS, IMAP_STARTTLS, IMAP_PLAIN };
struct imap_account { /* who and where, from the URL */
	const struct zs_url *url;
	const struct zs_source_settings *settings;
	enum imap_tls tls;
	char *login;		/* who logs in */
	const char *authzid;	/* on behalf of whom; NULL */
	const char *mechanism;	/* for libcurl; NULL: any */
	const char *ca_file;	/* NULL: the system's */
	int is_token;		/* the password is an OAuth token */
	char *password;		/* wiped */
	int64_t timeout_ms;
	unsigned connections;
	struct zs_buf below;	/* path of the only folder wanted, with those below it; empty: all */
	struct zs_excludes *wanted, *excluded; /* NULL: no such option */
	uint32_t salt;		/* of host and user: the same UIDVALIDITY elsewhere is another one */
};
int imap_options_init(struct imap_account *a, const struct zs_server_settings *server, const struct zs_source_settings *s,
    struct zs_err *err) ZS_MUST_USE;
void imap_options_fini(struct imap_account *a);
int imap_options_wants(const struct imap_account *a, struct zs_span path); /* this folder? */
int imap_options_stopped(const struct imap_account *a, struct zs_err *err); /* 0, or -1 ZS_STOPPED */
void imap_options_note(const struct imap_account *a, enum zs_note_level level, const char *fmt, ...) ZS_PRINTF(3, 4);

/* ------------------------------------------------------------------ imap_conn.c */

enum imap_caps {
	IMAP_CAP_ID = 1, IMAP_CAP_LIST_EXTENDED = 2, IMAP_CAP_LIST_STATUS = 4, IMAP_CAP_SPECIAL_USE = 8, IMAP_CAP_CONDSTORE = 16,
	IMAP_CAP_LITERAL_PLUS = 32,
};
struct imap_conn {
	const struct imap_account *account;
	const atomic_int *cancel; /* nonzero: give up; may be NULL */
	void *easy;		  /* CURL */
	int fd;
	struct imap_stream in;
	struct imap_reply reply;  /* the last one read */
	struct zs_buf out;	  /* commands not yet sent */
	unsigned caps;
	uint32_t tag;		  /* of the last command */
	struct zs_buf greeting, last_line; /* as libcurl saw them, while logging in */
	struct zs_buf words;	  /* CAPABILITY */
	struct zs_buf id;	  /* joined by NUL */
};
/* Connected, encrypted, logged in, CAPABILITY read.  -1 ZS_SOURCE says what to do. */
int imap_conn_new(const struct imap_account *a, const atomic_int *cancel, struct imap_conn **out, struct zs_err *err) ZS_MUST_USE;
void imap_conn_free(struct imap_conn *c); /* at once */
void imap_conn_logout(struct imap_conn *c); /* as one should; frees it */
/* Append a command to what will be sent; its tag is c->tag. */
int imap_conn_add(struct imap_conn *c, struct zs_err *err, const char *fmt, ...) ZS_PRINTF(3, 4) ZS_MUST_USE;
/* verb, a folder's name in the way that the server takes it, rest.  ZS_LIMIT: it cannot be said to this server. */
int imap_conn_add_named(struct imap_conn *c, const char *verb, struct zs_span name, const char *rest, struct zs_err *err) ZS_MUST_USE;
int imap_conn_flush(struct imap_conn *c, struct zs_err *err) ZS_MUST_USE;
/* One reply.  BYE is -1. */
int imap_conn_read(struct imap_conn *c, const struct imap_sink *sink, struct zs_err *err) ZS_MUST_USE;
typedef int imap_conn_fn(void *ctx, const struct imap_reply *r, struct zs_err *err);
/* Replies up to the command's own: 1 OK, 0 NO or BAD (c->reply.text says why), -1.  fn, not NULL, gets the untagged ones. */
int imap_conn_finish(struct imap_conn *c, uint32_t tag, imap_conn_fn *fn, void *ctx, struct zs_err *err) ZS_MUST_USE;
/* Flush and finish. */
int imap_conn_run(struct imap_conn *c, imap_conn_fn *fn, void *ctx, struct zs_err *err) ZS_MUST_USE;

/* --------------------------------------------------------------- imap_folders.c */

enum imap_folder_flags {
	IMAP_FOLDER_NOSELECT = 1, IMAP_FOLDER_SUBSCRIBED = 2,
	IMAP_FOLDER_HAS_STATUS = 4,
	IMAP_FOLDER_LOST = 8, /* could not be listed: named */
};
struct imap_folder {
	struct zs_buf raw;	/* as the server says it */
	struct zs_buf path;	/* below the root */
	uint8_t delimiter;
	unsigned flags;
	const char *special;	/* "\\Sent"; NULL */
	uint64_t messages, uidnext, uidvalidity, modseq; /* as of STATUS, then as of EXAMINE */
	uint8_t pass, attempt;	/* of its last complete listing (0: none), of its last one */
	uint64_t listed;	/* messages in it */
	uint32_t number;	/* in the table */
};
struct imap_folders { struct imap_folder **v; size_t n, cap; };
/* All folders of the server that the account wants, sorted by path, with STATUS where they can be opened. */
int imap_folders_list(struct imap_conn *c, struct imap_folders *out, struct zs_err *err) ZS_MUST_USE;
/* STATUS of all again; fn for each, with what is known now in *now.  Folders that do not answer are passed over. */
typedef int imap_folders_fn(void *ctx, struct imap_folder *f, const struct imap_reply *now, struct zs_err *err);
int imap_folders_status(struct imap_conn *c, struct imap_folders *l, imap_folders_fn *fn, void *ctx, struct zs_err *err) ZS_MUST_USE;
void imap_folders_fini(struct imap_folders *l);
void imap_folders_free_one(struct imap_folder *f);
/* *hint: where to look first, and where the next one may be; begin with 0.  NULL: it is not there. */
struct imap_folder *imap_folders_find(const struct imap_folders *l, struct zs_span raw, size_t *hint);
int imap_folders_add(struct imap_folders *l, struct imap_folder *f, struct zs_err *err) ZS_MUST_USE; /* taken only on success */

/* --------------------------------------------------------------- imap_listing.c */

struct imap_message { /* one line of a listing */
	uint32_t uid;
	uint64_t size;	/* UINT64_MAX: not known */
	int64_t date_ns;
	struct zs_span flags, tags; /* joined by NUL, sorted */
};
typedef int imap_listing_fn(void *ctx, const struct imap_message *m, struct zs_err *err);
struct imap_opened { /* what EXAMINE said */
	uint64_t exists, uidnext, uidvalidity, modseq;
	uint64_t listed;	/* messages listed */
	int is_open;		/* 0: the server said NO */
	char why[160];
};
struct imap_asked { uint32_t examine, fetch, from; }; /* tags of commands on their way */
/* EXAMINE, and every message from that UID on: asked for (flush is the caller's), then received.  Several folders may be on their
 * way.  ask: -1 ZS_LIMIT: the name cannot be said to this server.  receive: 0, also if the server said NO; -1: the connection is
 * of no use any more, or fn failed. */
int imap_listing_ask(struct imap_conn *c, struct zs_span raw, uint32_t from, struct imap_asked *out, struct zs_err *err) ZS_MUST_USE;
int imap_listing_receive(struct imap_conn *c, const struct imap_asked *asked, imap_listing_fn *fn, void *ctx, struct imap_opened *out,
    struct zs_err *err) ZS_MUST_USE;
/* The flags of a message as two lists; recent is left out. */
int imap_listing_flags(struct zs_span joined, struct zs_buf *flags, struct zs_buf *tags, struct zs_err *err) ZS_MUST_USE;

/* --------------------------------------------------------------- imap_catalog.c */

/* All folders and messages, in path order, in bounded memory. */
struct imap_catalog {
	const struct imap_account *account;
	struct zs_span root;		/* borrowed */
	struct imap_folders folders;
	struct imap_folder **todo;	/* folders to be listed in this round, and from which UID */
	uint32_t *from;
	size_t todo_n;
	struct zs_sorter *sorter;
	int is_sorted, has_ahead;
	struct zs_buf key, value;	/* the record read ahead; while adding, the one added */
	struct zs_buf path, taken;	/* the record given last */
};
struct imap_record {
	struct zs_span path;		/* below the root; borrowed until the next call */
	struct imap_folder *folder;	/* NULL: a directory */
	struct imap_message message;	/* spans likewise */
};
/* LIST and STATUS; notes about it. */
int imap_catalog_folders(struct imap_catalog *k, struct imap_conn *c, struct zs_err *err) ZS_MUST_USE;
/* The messages of every folder.  A folder that cannot be read is named.  *c is replaced if it is lost. */
int imap_catalog_list(struct imap_catalog *k, struct imap_conn **c, struct zs_err *err) ZS_MUST_USE;
/* What changed since then, again. */
int imap_catalog_settle(struct imap_catalog *k, struct imap_conn **c, struct zs_err *err) ZS_MUST_USE;
int imap_catalog_next(struct imap_catalog *k, struct imap_record *out, struct zs_err *err) ZS_MUST_USE; /* 1, 0, -1 */
void imap_catalog_fini(struct imap_catalog *k);

#endif
