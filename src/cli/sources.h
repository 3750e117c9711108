/* What a backup reads: paths, servers, or one stream, put together to one set. Used by backup and config. */
#ifndef ZS_CLI_SOURCES_H
#define ZS_CLI_SOURCES_H

#include "cli.h"

struct server_type;
struct server {
	struct session *s;
	const struct server_type *type;
	char *name; /* place in the snapshot */
	struct zs_url url;
	struct zs_buf password;
	int has_password;
	struct zs_source_settings settings; /* the set's, with notes named after this one */
	void (*note)(void *ctx, const struct server *server, enum zs_note_level level, const char *text);
	void *note_ctx;
};

struct sources {
	struct session *s;
	struct zs_strings paths;  /* files, as typed */
	struct zs_strings labels; /* what the snapshot records: paths and URLs, in the order given */
	struct server **servers;
	size_t server_count;
	struct zs_buf stream;	/* cleaned path of a stream; empty: none */
	char *const *command;	/* of the stream; NULL: standard input */
	const struct zs_strings *excludes;
	unsigned files_flags;
	struct zs_source_set *set;
	unsigned failed; /* members that could not even be made */
	/* Instead of messages on stderr; may be NULL. */
	void (*note)(void *ctx, const struct server *server, enum zs_note_level level, const char *text);
	void *note_ctx;
};

/* A path or a URL.  default_name: of a server that has no name in its URL; NULL: "sql" or "ldap". */
int sources_add(struct sources *l, const char *text, const char *default_name, struct zs_err *err) ZS_MUST_USE;
int sources_add_path(struct sources *l, const char *path, struct zs_err *err) ZS_MUST_USE;
/* Only some accounts, as the options say, of every server that has any.  ZS_USAGE if they are given and no server has. */
int sources_select(struct sources *l, struct zs_err *err) ZS_MUST_USE;
/* All that the profile names. */
int sources_add_profile(struct sources *l, struct zs_err *err) ZS_MUST_USE;
/* The set of all.  Passwords are read now.  A server whose password cannot be had is a failed member, unless it is alone. */
int sources_make(struct sources *l, struct zs_backup_problems *problems, struct zs_err *err) ZS_MUST_USE;
/* One server alone, for config check: *out is the caller's. */
int sources_make_one(struct server *v, const struct zs_source_settings *settings, struct zs_source **out, struct zs_err *err) ZS_MUST_USE;
void sources_drop_set(struct sources *l);
void sources_fini(struct sources *l); /* the set too */
const char *server_type(const struct server *v); /* "mariadb", "ldap", ... */

#endif
