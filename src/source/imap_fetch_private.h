/* The engine that fetches bodies ahead of who reads them: what imap.c uses of it, and what its files share. */
#ifndef ZSTORE_IMAP_FETCH_PRIVATE_H
#define ZSTORE_IMAP_FETCH_PRIVATE_H

#include "imap_private.h"

#include <pthread.h>

#define IMAP_CHUNK_BYTES (64u << 10)  /* a body that is no longer is seen only when it is complete */
#define IMAP_HELD_MAX (8u << 20)      /* bytes that wait for their readers */
#define IMAP_WINDOW 32		      /* bodies on their way on one connection */
#define IMAP_WINDOW_BYTES (1u << 20)  /* likewise, by what the listing says of their sizes */
#define IMAP_STARVING_NS 2000000000ull /* nothing moved for that long: give up what is held */
#define IMAP_CONNECTIONS_MAX 16
#define IMAP_LATE_MAX 65536	      /* messages that arrived since the listing and are remembered */

enum imap_body_state {
	IMAP_BODY_NEW,	   /* nobody fetches it */
	IMAP_BODY_QUEUED,
	IMAP_BODY_SENT,	   /* asked for on some connection */
	IMAP_BODY_MISSING, /* not where it was: to be looked for */
	IMAP_BODY_DONE, IMAP_BODY_GONE, IMAP_BODY_FAILED,
};
struct imap_chunk {
	struct imap_chunk *next;
	size_t n, cap;
	uint8_t p[];
};
struct imap_body { /* a message: the handle of its item, and what the engine knows of it */
	struct zs_source_handle base;
	struct imap_fetch *fetch;
	const struct imap_folder *listed_in;
	uint32_t listed_uid;
	uint64_t size, identity; /* size: UINT64_MAX: not known */
	int64_t date_ns;
	size_t flags_n, tags_n;	 /* of words */
	/* from here: under the engine's lock */
	enum imap_body_state state;
	unsigned refs;		 /* handle, readers, queue or connection, the source's last item */
	unsigned is_kept;	 /* by its handle and readers: 0: nobody will ask for it */
	int is_same;		 /* its content will not be asked for */
	unsigned waiters, attempts, looks;
	const struct imap_folder *folder; /* where it is now */
	uint32_t uid;
	uint64_t sequence;
	struct imap_body *next;	 /* in the queue, or among the missing */
	struct imap_chunk *first, **last;
	int is_streamed;	 /* longer than a chunk: seen as it comes */
	uint64_t announced;	 /* bytes of the literal */
	uint64_t given;		 /* bytes that became chunks */
	uint64_t came;		 /* bytes that came on this connection */
	uint64_t again;		 /* bytes that were given before the connection was lost: they come again first */
	uint64_t again_sum;
	struct zs_hasher *hasher; /* of what came on this connection, if streamed */
	struct zs_err why;
	uint8_t words[];	 /* flags, then tags */
};
struct imap_late { const struct imap_folder *folder; uint32_t uid; uint64_t size; int64_t date_ns; int is_used; };
struct imap_sent { /* a command on its way */
	const struct imap_folder *folder;
	struct imap_body *body; /* NULL: EXAMINE */
	uint32_t uid, tag;
	int has_come;		/* the body did, or need not come any more; the result may be later: servers save them up */
};
#define IMAP_SENT_MAX (2 * IMAP_WINDOW)
struct imap_fetcher { /* one connection and its thread */
	struct imap_fetch *fetch;
	struct imap_conn *conn;
	pthread_t thread;
	struct imap_sent sent[IMAP_SENT_MAX]; /* the first is the eldest */
	unsigned count, bodies;
	uint64_t bytes;		/* of bodies on their way, as the listing says */
	const struct imap_folder *asked; /* of the last EXAMINE on its way or answered */
	const struct imap_folder *open;	 /* that the server has open */
	char refusal[160];	/* why it has not */
	uint64_t uidvalidity;	/* as the server said last */
	struct imap_sent *now;	/* whose body is coming; NULL: none */
	int is_discarded;	/* nobody wants it, or there is no room */
	struct imap_chunk *chunk; /* being filled */
};
struct imap_fetch_counts { uint64_t fetched, bytes, followed, gone, resized, reconnects; };
struct imap_fetch {
	const struct imap_account *account;
	const struct imap_folders *listed;
	struct zs_span root;
	size_t held_max;	/* tests make these small */
	uint64_t starving_ns;
	atomic_int ending;
	uint64_t sequence;	/* of bodies; the thread's that calls next */
	struct imap_conn *adopted;
	struct imap_fetcher fetchers[IMAP_CONNECTIONS_MAX];
	unsigned running;	/* likewise */

	pthread_mutex_t lock;	/* guards all below, and bodies */
	pthread_cond_t to_readers, to_fetchers;
	struct imap_body *queue, *queue_last, *missing;
	unsigned queued, waiting, connected; /* waiting: readers */
	size_t held;
	uint64_t progress_ns;	/* when something came or was read last */
	unsigned losses;	/* connections lost in a row, without a body in between */
	int is_looking;
	uint64_t may_look_ns;	/* not before: looking must not be all that is done */
	int is_dead;
	struct zs_err why;
	struct imap_fetch_counts counts;
	unsigned notes_gone, notes_resized;

	/* of whoever is looking (imap_look.c) */
	struct imap_folders known; /* what is known of each: as of the listing, then as of the last look */
	struct imap_folders kept;  /* folders that late messages are in */
	struct imap_late *late;	   /* what arrived since the listing */
	size_t late_n, late_cap, late_max;
	int is_late_cut;	   /* more arrived than can be remembered */
};

struct imap_fetch *imap_fetch_new(const struct imap_account *a, const struct imap_folders *folders, struct zs_span root); /* NULL: no memory */
void imap_fetch_free(struct imap_fetch *e); /* all handles are gone */
/* A connection that is not needed for listing any more; taken. */
void imap_fetch_adopt(struct imap_fetch *e, struct imap_conn **c);
/* With one reference, for the handle.  NULL: no memory. */
struct imap_body *imap_fetch_body(struct imap_fetch *e, const struct zs_source_ops *ops, const struct imap_folder *f, const struct imap_message *m);
struct imap_body *imap_fetch_ref(struct imap_body *b);
void imap_fetch_unref(struct imap_body *b);
/* If its handle is still there and its content not known to be the same, it will be read: fetch it ahead.  Takes the reference. */
int imap_fetch_expect(struct imap_body *b, struct zs_err *err) ZS_MUST_USE;
void imap_fetch_same(struct imap_body *b);
void imap_fetch_release(struct imap_body *b); /* the handle ends, with its reference */
int imap_fetch_failed(struct imap_fetch *e, struct zs_err *err); /* -1: it cannot go on; 0 */
void imap_fetch_count(struct imap_fetch *e, struct imap_fetch_counts *out);
/* Readers.  ZS_NOTFOUND: it was deleted. */
int imap_fetch_open(struct imap_body *b, struct zs_err *err) ZS_MUST_USE;
int imap_fetch_read(struct imap_body *b, struct imap_chunk **cur, size_t *at, void *p, size_t n, size_t *out_n, struct zs_err *err) ZS_MUST_USE;
void imap_fetch_close(struct imap_body *b, struct imap_chunk *cur);

/* Between the engine's files; with the lock held: */
void imap_fetch_wait(struct imap_fetch *e, pthread_cond_t *cond); /* a quarter of a second at most */
void imap_fetch_enqueue(struct imap_body *b); /* takes a reference of its own */
struct imap_body *imap_fetch_dequeue(struct imap_fetch *e); /* the first, with the queue's reference; NULL */
void imap_fetch_drop(struct imap_body *b);    /* a reference */
void imap_fetch_restart(struct imap_body *b); /* it will come from its beginning again */
void imap_fetch_end(struct imap_body *b, enum imap_body_state state); /* DONE, GONE, FAILED (why is set) */
void imap_fetch_dead(struct imap_fetch *e, const struct zs_err *why);

/* imap_fetcher.c */
void *imap_fetcher_main(void *fetcher);

/* imap_look.c.  Look for all that is missing, on a connection without commands on their way.  -1: the connection is of no use. */
int imap_look_for_missing(struct imap_fetch *e, struct imap_conn *c, struct zs_err *err) ZS_MUST_USE;
void imap_look_fini(struct imap_fetch *e);

#endif
