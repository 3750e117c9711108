/*
 * What the files that write definitions share: the stream at hand, statements in it, and what surrounds a program.
 */
#ifndef ZSTORE_SQL_DEFINE_PRIVATE_H
#define ZSTORE_SQL_DEFINE_PRIVATE_H

#include "sql_private.h"

struct sql_writer { /* one stream; the functions below append to out */
	const struct sql_define *d;
	struct sql_conn *conn;
	struct zs_buf *out;
};

/* ---------------------------------------------------------------- sql_define.c */

/* Something of the stream that cannot be backed up: named, and a comment in its place.  what: "view"; -1 only for ours. */
int sql_define_leave_out(struct sql_writer *w, const char *what, struct zs_span name, const struct zs_err *why, struct zs_err *err) ZS_MUST_USE;
/* Ask with names quoted in: each '?' of the text is replaced by the next of names (ended by one with p NULL), as `name` after
 * a '`', as 'text' after a '\'' ; the mark itself is dropped. */
int sql_define_ask(struct sql_writer *w, const char *text, const struct zs_span *names, struct sql_result *out, struct zs_err *err) ZS_MUST_USE;
int sql_define_add(struct sql_writer *w, const char *text, struct zs_err *err) ZS_MUST_USE;
/* All values of the first column, copied. */
int sql_define_list(struct sql_result *r, struct zs_strings *out, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------- sql_define_program.c */

int sql_define_program_routines(struct sql_writer *w, struct zs_err *err) ZS_MUST_USE;
int sql_define_program_triggers(struct sql_writer *w, struct zs_err *err) ZS_MUST_USE;
int sql_define_program_events(struct sql_writer *w, struct zs_err *err) ZS_MUST_USE;
/* Any other statement whose text is kept in a character set of its own: a view's. */
int sql_define_program_run(struct sql_writer *w, struct zs_span text, struct zs_span client, struct zs_span connection, struct zs_err *err) ZS_MUST_USE;

/* -------------------------------------------------------- sql_define_plugin.c */

int sql_define_plugin_logins(struct sql_writer *w, struct zs_err *err) ZS_MUST_USE;
int sql_define_plugin_engine(struct sql_writer *w, struct zs_span text, struct zs_err *err) ZS_MUST_USE; /* text: SHOW CREATE TABLE */

/* ------------------------------------------------------- sql_define_delimiter.c */

/* A delimiter that is nowhere in the statement: into out, at least 24 bytes. */
void sql_define_delimiter(struct zs_span statement, char out[static 24]);

/* ---------------------------------------------------------- sql_define_view.c */

int sql_define_view_placeholders(struct sql_writer *w, struct zs_err *err) ZS_MUST_USE;
int sql_define_view_all(struct sql_writer *w, struct zs_err *err) ZS_MUST_USE;
/* Those with a check option once more: it needs views below that can be written, which placeholders cannot. */
int sql_define_view_checks(struct sql_writer *w, struct zs_err *err) ZS_MUST_USE;

/* --------------------------------------------------------- sql_define_grant.c */

int sql_define_grant_account(struct sql_writer *w, struct zs_span user, struct zs_span host, int is_role, struct zs_err *err) ZS_MUST_USE;
int sql_define_grant_public(struct sql_writer *w, struct zs_err *err) ZS_MUST_USE; /* what everybody has; nobody's account */

/* ------------------------------------------------------- sql_define_account.c */

int sql_define_account_all(struct sql_writer *w, struct zs_err *err) ZS_MUST_USE;
int sql_define_account_roles(struct sql_writer *w, struct zs_err *err) ZS_MUST_USE;
int sql_define_account_tables(struct sql_writer *w, struct zs_err *err) ZS_MUST_USE;

#endif
