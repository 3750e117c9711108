/* What the parts of the command line share. Only this layer prints, exits, or looks at the environment. */
#ifndef ZS_CLI_H
#define ZS_CLI_H

#include <stdio.h>

#include "values.h"
#include "zstore/work.h"

/* ----------------------------------------------------------------- exit codes */

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_SKIPPED = 3, EXIT_DAMAGED = 4, EXIT_BUSY = 5, EXIT_KEY = 6 };

/* -------------------------------------------------------------------- options */

/* Every option of every command has one number; its row in a command's table says letter, argument and help. */
enum opt_id {
	OPT_REPO, OPT_KEY_FILE, OPT_PASSPHRASE_FILE, OPT_PASSPHRASE_COMMAND, OPT_CACHE_DIR, OPT_JSON, OPT_QUIET, OPT_VERBOSE,
	OPT_PROGRESS, OPT_HELP, OPT_CONFIG, OPT_PROFILE,
	OPT_COMPRESSION, OPT_CHUNK_SIZE, OPT_BLOCK_SIZE, OPT_PACK_SIZE, OPT_RECOVERY_TO, OPT_NO_RECOVERY, OPT_LABEL,
	OPT_STDIN, OPT_NAME, OPT_COMMAND, OPT_EXCLUDE, OPT_EXCLUDE_FROM, OPT_ONE_FILE_SYSTEM, OPT_TAG, OPT_HOST, OPT_TIME,
	OPT_DRY_RUN, OPT_FORCE, OPT_THREADS, OPT_FILES_FROM0, OPT_ACCOUNT, OPT_EXCLUDE_ACCOUNT, OPT_DOMAIN, OPT_COS,
	OPT_PATH, OPT_SINCE, OPT_UNTIL, OPT_LAST,
	OPT_LONG, OPT_RECURSIVE, OPT_SORT, OPT_REVERSE, OPT_ALL_SNAPSHOTS,
	OPT_DIRECTORY, OPT_STDOUT, OPT_STRIP, OPT_OVERWRITE, OPT_TAR, OPT_MESSAGE_ID, OPT_NUMERIC_OWNER, OPT_SYNC, OPT_SQL, OPT_LDIF,
	OPT_KEEP_LAST, OPT_KEEP_HOURLY, OPT_KEEP_DAILY, OPT_KEEP_WEEKLY, OPT_KEEP_MONTHLY, OPT_KEEP_YEARLY, OPT_KEEP_WITHIN,
	OPT_KEEP_TAG, OPT_GROUP_BY, OPT_MAX_UNUSED, OPT_MAX_REPACK, OPT_REMOVE_ALL, OPT_END_SESSION,
	OPT_READ_DATA, OPT_NEW_KEY_FILE, OPT_NEW_PASSPHRASE_FILE, OPT_RECOVERY,
	OPT_COUNT
};

struct opt {
	enum opt_id id;
	char letter;	   /* or 0 */
	const char *name;  /* without dashes */
	const char *arg;   /* name of its argument, or NULL */
	const char *help;  /* one line */
	int repeats;	   /* may be given several times */
};
#define OPT_END {OPT_COUNT, 0, NULL, NULL, NULL, 0}

struct opt_value {
	int count;
	const char *text;	 /* last one given */
	struct zs_strings list;	 /* all of them */
};

enum needs {
	NEED_NOTHING,
	NEED_SETTINGS, /* the configuration is read; the command opens the repository itself, if it needs it */
	NEED_STORE,    /* the repository is open */
};

struct session;
struct command {
	const char *name, *operands, *summary;
	int min_operands, max_operands; /* max -1: any */
	unsigned needs;
	const struct opt *options;
	int (*run)(struct session *, int argc, char **argv, struct zs_err *); /* exit code, or -1 with err */
};
extern const struct command *const cli_commands[]; /* NULL-terminated */
extern const struct opt cli_common_options[];

/* Options and operands may be mixed; "--" ends options.  *out_argv: operands, owned (free), pointing into argv. */
int options_parse(const struct command *c, int argc, char **argv, struct opt_value values[OPT_COUNT], int *out_argc,
    char ***out_argv, struct zs_err *err) ZS_MUST_USE;
void options_fini(struct opt_value values[OPT_COUNT]);
void options_help(const struct command *c);
void options_overview(void);

/* -------------------------------------------------------------------- session */

struct session {
	struct opt_value values[OPT_COUNT];
	const struct command *command;
	struct zs_backend *backend;
	struct zs_store *store;
	struct zs_buf secret_buf;
	struct zs_secret secret;
	char *cache_dir;
	int json, quiet, verbose;
	struct zs_observer observer;
	struct progress *progress;
	uint64_t problems; /* named so far */
	struct conf *conf; /* NULL: not read */
	const struct conf_section *profile; /* NULL: none applies; the defaults do */
	const char *conf_path; /* if it is one file */
	struct zs_strings conf_closed; /* files that this user may not read */
};

int session_prepare(struct session *s, struct zs_err *err) ZS_MUST_USE; /* configuration and store as command->needs says */
int session_open(struct session *s, struct zs_err *err) ZS_MUST_USE; /* the repository, with its secret */
void session_close(struct session *s);
const char *session_tmp_dir(void);
void session_fini(struct session *s);
/* Those that can be read; those that cannot are named on stderr, and *out_damaged is set: they bar no other. */
int session_snapshots(struct session *s, struct zs_snapshot_list *out, int *out_damaged, struct zs_err *err) ZS_MUST_USE;
void say_snapshot(struct zs_err *err, const struct zs_snapshot_row *row); /* to an err that something is not there: of what the snapshot is */
int session_repo(struct session *s, const char **out, struct zs_err *err) ZS_MUST_USE;

int opt_given(const struct session *s, enum opt_id id);
const char *opt_text(const struct session *s, enum opt_id id, const char *otherwise);
const struct zs_strings *opt_list(const struct session *s, enum opt_id id);
int opt_number(const struct session *s, enum opt_id id, int64_t min, int64_t max, int64_t *io_value, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------------- settings */

struct conf;
struct conf_section;
/* The configuration files; what is wrong in them is in s->conf->errors. */
int settings_read(struct session *s, struct zs_err *err) ZS_MUST_USE;
/* ... and the profile, and what it says for this command as if it were options.  ZS_USAGE: an error in a file. */
int settings_load(struct session *s, struct zs_err *err) ZS_MUST_USE;
int settings_choose(struct session *s, struct zs_err *err) ZS_MUST_USE; /* s->profile */
const char *settings_profile_name(const struct session *s); /* as asked for by option or environment, or NULL */
const char *settings_text(const struct session *s, const char *key); /* of the profile, else the defaults; or NULL */
int settings_has_profiles(const struct session *s);
int settings_no_file(const struct session *s, struct zs_err *err); /* ZS_USAGE: which files there could be; -1 */
void settings_fini(struct session *s);
const char *env_text(const char *name); /* NULL also if it is set to nothing */

/* -------------------------------------------------------------------- secrets */

enum secret_use { SECRET_OPEN, SECRET_NEW };
/*
 * Where the secret comes from, first of: key file, passphrase file, passphrase command (options, then
 * ZSTORE_KEY_FILE, ZSTORE_PASSPHRASE_FILE, ZSTORE_PASSPHRASE_COMMAND), ZSTORE_PASSPHRASE, the profile, the terminal.  NEW asks twice, creates
 * an absent key file, and takes --new-... where the command has it.
 */
int secret_get(struct session *s, enum secret_use use, int second, struct zs_buf *buf, struct zs_secret *out, struct zs_err *err) ZS_MUST_USE;
/* A server's password: the first line of a file (rights checked) or of a command's output, else an environment variable; 1, or 0: none is given. */
struct password_ways { const char *file, *command, *variable; };
int password_get(const struct password_ways *ways, struct zs_buf *buf, struct zs_err *err) ZS_MUST_USE;
int secret_looks_like_recovery(struct zs_span text);

/* --------------------------------------------------------------------- output */

/* Text made safe for a terminal: control characters, bidirectional overrides and bytes that are no UTF-8 are escaped. */
void print_safe(FILE *f, struct zs_span text, size_t max_columns); /* 0: no limit */
const char *size_text(uint64_t bytes, char out[static 16]);
const char *local_time(int64_t ns, char out[static 32]);
void stdout_flush(void);
int stdout_close(struct zs_err *err) ZS_MUST_USE; /* flush; an error that happened while writing is one */

/* JSON: a value at a time; commas and nesting are kept by the writer. */
struct json { FILE *f; int depth; char first[32]; int after_key; };
void json_begin(struct json *j, FILE *f);
void json_open(struct json *j, char bracket); /* '{' or '[' */
void json_close(struct json *j, char bracket);
void json_key(struct json *j, const char *key);
void json_bytes(struct json *j, struct zs_span text); /* as a string; bad UTF-8 becomes U+FFFD */
void json_text(struct json *j, const char *text);
void json_u64(struct json *j, uint64_t v);
void json_i64(struct json *j, int64_t v);
void json_bool(struct json *j, int v);
void json_time(struct json *j, int64_t ns); /* ISO 8601, UTC */
void json_end(struct json *j);		    /* newline */
/* "path": "...", and "path_base64" if its bytes are no UTF-8 */
void json_path(struct json *j, const char *key, struct zs_span path);
void json_kv_text(struct json *j, const char *key, const char *text);
void json_kv_u64(struct json *j, const char *key, uint64_t v);
void json_kv_bool(struct json *j, const char *key, int v);
void json_raw(struct json *j, struct zs_span json); /* what is JSON already */
void json_kv_list(struct json *j, const char *key, const struct zs_strings *list);
void json_kv_joined(struct json *j, const char *key, struct zs_span nul_joined);

/* One snapshot's row as a JSON object, shared by snapshots, backup, prune. */
void json_snapshot(struct json *j, const struct zs_snapshot_row *row);
void json_entry(struct json *j, struct zs_span path, const struct zs_entry *e);
void json_totals(struct json *j, const struct zs_totals *t);

/* Messages on stderr, above the progress line. */
void say(struct session *s, const char *fmt, ...) ZS_PRINTF(2, 3);
void say_error(struct session *s, const struct zs_err *err);
int exit_code_of(const struct zs_err *err);

/* ------------------------------------------------------------------- progress */

struct progress;
/* Fills s->observer: progress as --progress says, problems named, stop after a signal. */
int progress_start(struct session *s, struct zs_err *err) ZS_MUST_USE;
void progress_clear(struct session *s); /* take the line away before printing */
void progress_end(struct session *s);
int interrupted(void);
void signals_setup(void);
void signals_child(pid_t pid); /* whose process group ends with us; 0: none */

/* ------------------------------------------------------------------- commands */

int cmd_init(struct session *, int, char **, struct zs_err *);
int cmd_backup(struct session *, int, char **, struct zs_err *);
int cmd_snapshots(struct session *, int, char **, struct zs_err *);
int cmd_ls(struct session *, int, char **, struct zs_err *);
int cmd_extract(struct session *, int, char **, struct zs_err *);
int cmd_prune(struct session *, int, char **, struct zs_err *);
int cmd_forget(struct session *, int, char **, struct zs_err *);
int cmd_check(struct session *, int, char **, struct zs_err *);
int cmd_key(struct session *, int, char **, struct zs_err *);
int cmd_config(struct session *, int, char **, struct zs_err *);
int cmd_stats(struct session *, int, char **, struct zs_err *);
int cmd_version(struct session *, int, char **, struct zs_err *);
int cmd_help(struct session *, int, char **, struct zs_err *);

#endif
