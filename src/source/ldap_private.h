/*
 * What the files of the LDAP source share: a connection, entries as LDIF, the spool that they wait in.
 */
#ifndef ZSTORE_LDAP_PRIVATE_H
#define ZSTORE_LDAP_PRIVATE_H

#include <ldap.h>

#include "zstore/source.h"

/* --------------------------------------------------------------- ldap_options.c */

struct ldap_options {
	const struct zs_url *url; /* borrowed, as all texts */
	struct zs_span password;
	char *uri;		  /* owned: scheme, host and port only */
	const char *base, *bind_dn, *ca_file, *cert_file, *key_file;
	int is_anonymous, starttls, config, accesslog, needs_passwords; /* config: 1 yes, 0 no, -1 where it can be read */
	unsigned page, timeout_s;
	struct zs_strings excludes, ephemeral; /* DNs; names of attributes */
};
int ldap_options_parse(const struct zs_server_settings *server, struct ldap_options *out, struct zs_err *err) ZS_MUST_USE;
void ldap_options_fini(struct ldap_options *o);

/* ------------------------------------------------------------------ ldap_conn.c */

struct ldap_conn {
	LDAP *ld;
	const struct ldap_options *options;
	const struct zs_source_settings *settings;
	struct zs_buf who; /* the identity that the server gave us */
};
int ldap_conn_open(const struct ldap_options *o, const struct zs_source_settings *s, struct ldap_conn *out, struct zs_err *err) ZS_MUST_USE;
void ldap_conn_close(struct ldap_conn *c);
/* err from a result code; what: "search below dc=x".  Returns -1. */
int ldap_conn_fail(const struct ldap_conn *c, int rc, const char *what, const char *where, struct zs_err *err);
int ldap_conn_is_limit(int rc); /* a size, time or page limit of the server */

typedef int ldap_entry_fn(void *ctx, LDAPMessage *entry, struct zs_err *err); /* 1: enough, the search is abandoned */
struct ldap_search {
	const char *base, *filter;
	int scope;
	const char *const *attributes; /* NULL-terminated */
	unsigned page;		       /* 0: not in pages */
	int size_limit;		       /* 0: none asked for */
};
/* Everything that the search gives, one after the other, referrals as what they are.  0; -1 with *out_rc: the LDAP result
 * (LDAP_SUCCESS if it was not the server's). */
int ldap_conn_search(struct ldap_conn *c, const struct ldap_search *s, ldap_entry_fn *fn, void *ctx, int *out_rc, struct zs_err *err) ZS_MUST_USE;

/* ----------------------------------------------------------------- ldap_watch.c */

/* What ld does until ldap_watch_end (1 thread) takes no longer than that: its socket is shut down, and the call that waits fails. */
struct ldap_watch;
int ldap_watch_begin(LDAP *ld, unsigned seconds, struct ldap_watch **out, struct zs_err *err) ZS_MUST_USE;
int ldap_watch_end(struct ldap_watch *w); /* 1: it took longer, 0.  Frees w */

/* ------------------------------------------------------------------ ldap_ldif.c */

struct ldap_text { /* one entry as LDIF, without the empty line behind */
	struct zs_buf dn;	/* as the server gave it */
	struct zs_buf main, side; /* side: what changes by itself; empty if there is none.  Both begin with the DN's line */
	struct zs_buf csn, uuid; /* entryCSN (or modifyTimestamp), entryUUID; may be empty */
	int is_group, has_children;
};
void ldap_text_fini(struct ldap_text *t);
struct ldap_text_rules { const struct zs_strings *ephemeral; int is_schema; /* the entry of built-in schema */ };
int ldap_text_read(LDAP *ld, LDAPMessage *e, const struct ldap_text_rules *r, struct ldap_text *out, struct zs_err *err) ZS_MUST_USE;
/* "name: value\n" or "name:: base64\n" */
int ldap_ldif_line(struct zs_buf *out, struct zs_span name, struct zs_span value, struct zs_err *err) ZS_MUST_USE;
int ldap_ldif_is_safe(struct zs_span value); /* 1 if it may stand as it is */

/* -------------------------------------------------------------------- ldap_dn.c */

/* A DN as one component of a path. */
int ldap_dn_component(struct zs_span dn, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;

/* ----------------------------------------------------------------- ldap_spool.c */

struct ldap_row { /* one entry, 80 bytes and its key */
	uint8_t id[16];
	uint64_t csn, dn;	/* hashes */
	uint64_t at;		/* in the spool: main, then side */
	uint32_t main_n, side_n;
	uint32_t round;		/* seen last */
	uint32_t key_n;
	uint64_t key_at;	/* in keys */
	int has_children;
};
struct ldap_spool {
	struct ldap_row *rows;
	size_t n, cap, live;
	uint32_t *table;	/* by id: number + 1; 0: empty; open addressing */
	size_t table_n;
	struct zs_buf keys, tail; /* tail: text that is not in the file yet */
	uint64_t written;	/* text bytes in the file */
	int fd;			/* -1: all of it is in tail */
	const char *tmp_dir;
	int keeps_order;	/* as they were put, instead of parents first: a server's own configuration */
};
void ldap_spool_init(struct ldap_spool *s, const char *tmp_dir, int keeps_order);
void ldap_spool_fini(struct ldap_spool *s); /* as after init */
/* Add, or replace what has the same id. */
int ldap_spool_put(struct ldap_spool *s, const struct ldap_text *t, uint32_t round, struct zs_err *err) ZS_MUST_USE;
struct ldap_row *ldap_spool_find(struct ldap_spool *s, const uint8_t id[16]); /* NULL: not there */
/* An entry is known by its name and its entryUUID (empty: a server that has none) together: nothing hinders two from having the same
 * entryUUID (a tree that was loaded twice); one that is renamed is another one. */
void ldap_spool_id(struct zs_span uuid, struct zs_span dn, uint8_t out[static 16]);
void ldap_spool_drop(struct ldap_spool *s, struct ldap_row *r);
void ldap_spool_sort(struct ldap_spool *s); /* by key; finding and putting are over */
int ldap_spool_text(struct ldap_spool *s, const struct ldap_row *r, int is_side, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------------ ldap_read.c */

struct ldap_context { /* one naming context */
	char *suffix;		 /* owned */
	struct zs_buf component; /* its directory */
	struct ldap_spool spool;
	struct zs_strings before, after; /* contextCSN */
	uint64_t entries, bytes, side_bytes;
	unsigned rounds;
	int is_clean, is_optional, is_config, is_used; /* optional: passed over if it cannot be read */
};
int ldap_read_list(struct ldap_conn *c, struct ldap_context *x, struct zs_err *err) ZS_MUST_USE;
int ldap_read_settle(struct ldap_conn *c, struct ldap_context *x, struct zs_err *err) ZS_MUST_USE;
/* The suffixes to back up, appended to *out; and what must be right for a complete backup. */
int ldap_read_contexts(struct ldap_conn *c, struct zs_strings *out, struct zs_buf *out_config, struct zs_buf *vendor, struct zs_err *err) ZS_MUST_USE;
int ldap_read_check(struct ldap_conn *c, struct ldap_context *x, struct zs_err *err) ZS_MUST_USE;
void ldap_read_note(const struct ldap_conn *c, enum zs_note_level level, const char *fmt, ...) ZS_PRINTF(3, 4);

#endif
