/*
 * The table of commands and their options: the one source of the parser, of --help
 * and of what the test compares the man pages with.
 */
#include "cli.h"

const struct opt cli_common_options[] = {
    {OPT_REPO, 'r', "repo", "REPO", "the repository (or ZSTORE_REPO)", 0},
    {OPT_KEY_FILE, 0, "key-file", "FILE", "unlock with a key file (or ZSTORE_KEY_FILE)", 0},
    {OPT_PASSPHRASE_FILE, 0, "passphrase-file", "FILE", "passphrase: first line of a file (or ZSTORE_PASSPHRASE_FILE)", 0},
    {OPT_PASSPHRASE_COMMAND, 0, "passphrase-command", "COMMAND", "passphrase: first line of a command's output", 0},
    {OPT_CACHE_DIR, 0, "cache-dir", "DIR", "local index and state (or ZSTORE_CACHE_DIR; default ~/.cache/zstore)", 0},
    {OPT_CONFIG, 0, "config", "FILE", "configuration (or ZSTORE_CONFIG; default /etc/zstore/zstore.conf, ~/.config/zstore/zstore.conf)", 0},
    {OPT_PROFILE, 0, "profile", "NAME", "profile of the configuration (or ZSTORE_PROFILE)", 0},
    {OPT_JSON, 0, "json", NULL, "results as JSON on standard output", 0},
    {OPT_PROGRESS, 0, "progress", "WHEN", "auto (on a terminal), json (lines on standard error), none", 0},
    {OPT_QUIET, 'q', "quiet", NULL, "only errors", 0},
    {OPT_VERBOSE, 'v', "verbose", NULL, "say more", 0},
    {OPT_HELP, 'h', "help", NULL, "this help", 0},
    OPT_END,
};

static const struct opt no_options[] = {OPT_END};

static const struct opt init_options[] = {
    {OPT_COMPRESSION, 0, "compression", "HOW", "default for backups: none, zstd, zstd:1 .. zstd:19 (zstd:3)", 0},
    {OPT_CHUNK_SIZE, 0, "chunk-size", "KIND=MIN,AVG,MAX", "chunk sizes of text, attachment, file, sql or ldif", 1},
    {OPT_BLOCK_SIZE, 0, "block-size", "SIZE", "plain bytes compressed together (2M)", 0},
    {OPT_PACK_SIZE, 0, "pack-size", "SIZE", "size of a pack (32M)", 0},
    {OPT_LABEL, 0, "label", "TEXT", "name of the first key slot", 0},
    {OPT_RECOVERY_TO, 0, "recovery-code-to", "FILE", "write the recovery code to a new file instead of printing it", 0},
    {OPT_NO_RECOVERY, 0, "no-recovery", NULL, "make no recovery code", 0},
    OPT_END,
};

static const struct opt backup_options[] = {
    {OPT_STDIN, 0, "stdin", NULL, "back up standard input, under --name", 0},
    {OPT_NAME, 0, "name", "PATH", "path in the snapshot for --stdin or --command", 0},
    {OPT_COMMAND, 0, "command", NULL, "back up the output of the command after \"--\"", 0},
    {OPT_EXCLUDE, 'e', "exclude", "PATTERN", "leave out what matches (as in .gitignore)", 1},
    {OPT_EXCLUDE_FROM, 0, "exclude-from", "FILE", "patterns from a file, one a line", 1},
    {OPT_ONE_FILE_SYSTEM, 'x', "one-file-system", NULL, "do not cross into other file systems", 0},
    {OPT_FILES_FROM0, 0, "files-from0", "FILE", "paths from a file (- for standard input), each ended by a NUL byte", 1},
    {OPT_ACCOUNT, 0, "account", "ADDRESS", "of a Zimbra server: only this account (a pattern as the shell's)", 1},
    {OPT_EXCLUDE_ACCOUNT, 0, "exclude-account", "ADDRESS", "of a Zimbra server: not this account", 1},
    {OPT_DOMAIN, 0, "domain", "DOMAIN", "of a Zimbra server: only the accounts of this domain", 1},
    {OPT_COS, 0, "cos", "NAME", "of a Zimbra server: only the accounts of this class of service", 1},
    {OPT_TAG, 't', "tag", "TAG", "tag the snapshot", 1},
    {OPT_HOST, 0, "host", "NAME", "host name to record (default: this host's)", 0},
    {OPT_TIME, 0, "time", "TIME", "time to record (default: now)", 0},
    {OPT_DRY_RUN, 'n', "dry-run", NULL, "store nothing, only say what would be done", 0},
    {OPT_FORCE, 'f', "force", NULL, "read all files again, also those that seem unchanged", 0},
    {OPT_COMPRESSION, 0, "compression", "HOW", "none, zstd, zstd:1 .. zstd:19 (default: the repository's)", 0},
    {OPT_THREADS, 0, "threads", "N", "workers, 1 to 64 (default: cores)", 0},
    OPT_END,
};

static const struct opt snapshots_options[] = {
    {OPT_HOST, 0, "host", "NAME", "only of this host", 1},
    {OPT_TAG, 't', "tag", "TAG", "only with this tag", 1},
    {OPT_PATH, 0, "path", "PATH", "only those that backed up this path", 1},
    {OPT_SINCE, 0, "since", "TIME", "only from then on", 0},
    {OPT_UNTIL, 0, "until", "TIME", "only until then", 0},
    {OPT_LAST, 0, "last", "N", "only the newest N", 0},
    OPT_END,
};

static const struct opt ls_options[] = {
    {OPT_LONG, 'l', "long", NULL, "dates, sizes, owners; for messages flags, From and Subject", 0},
    {OPT_RECURSIVE, 'R', "recursive", NULL, "everything below", 0},
    {OPT_DIRECTORY, 'd', "directory", NULL, "the directory itself, not its content", 0},
    {OPT_SORT, 0, "sort", "KEY", "name, size, date, from or subject", 0},
    {OPT_REVERSE, 0, "reverse", NULL, "the other way round", 0},
    {OPT_ALL_SNAPSHOTS, 0, "all-snapshots", NULL, "one path in every snapshot", 0},
    OPT_END,
};

static const struct opt extract_options[] = {
    {OPT_DIRECTORY, 'C', "directory", "DIR", "restore below this directory (default: here)", 0},
    {OPT_STDOUT, 0, "stdout", NULL, "contents to standard output", 0},
    {OPT_TAR, 0, "tar", NULL, "a tar archive to standard output", 0},
    {OPT_STRIP, 0, "strip", "N", "drop the first N components of every path", 0},
    {OPT_EXCLUDE, 'e', "exclude", "PATTERN", "leave out what matches (as in .gitignore)", 1},
    {OPT_OVERWRITE, 0, "overwrite", "WHEN", "always, never, newer or if-different (default)", 0},
    {OPT_MESSAGE_ID, 0, "message-id", "ID", "the message with this Message-ID (of the newest snapshot that has it)", 0},
    {OPT_SQL, 0, "sql", "[=DB[.TABLE]]", "databases as one SQL script to standard output", 1},
    {OPT_LDIF, 0, "ldif", "[=BASE]", "a directory as LDIF to standard output; --profile full (default) or live", 0},
    {OPT_NUMERIC_OWNER, 0, "numeric-owner", NULL, "owners by number, not by name", 0},
    {OPT_SYNC, 0, "sync", NULL, "be done only when all of it is on the disk", 0},
    {OPT_DRY_RUN, 'n', "dry-run", NULL, "write nothing, only say what would be restored", 0},
    {OPT_THREADS, 0, "threads", "N", "workers, 1 to 64 (default: cores)", 0},
    OPT_END,
};

static const struct opt prune_options[] = {
    {OPT_KEEP_LAST, 0, "keep-last", "N", "keep the newest N snapshots", 0},
    {OPT_KEEP_HOURLY, 0, "keep-hourly", "N", "keep the newest of each of the last N hours with a snapshot", 0},
    {OPT_KEEP_DAILY, 0, "keep-daily", "N", "the same by days", 0},
    {OPT_KEEP_WEEKLY, 0, "keep-weekly", "N", "the same by weeks", 0},
    {OPT_KEEP_MONTHLY, 0, "keep-monthly", "N", "the same by months", 0},
    {OPT_KEEP_YEARLY, 0, "keep-yearly", "N", "the same by years", 0},
    {OPT_KEEP_WITHIN, 0, "keep-within", "TIME", "keep all within this time of the newest: 36h, 14d, 2w, 6m, 1y", 0},
    {OPT_KEEP_TAG, 0, "keep-tag", "TAG", "keep all with this tag", 1},
    {OPT_GROUP_BY, 0, "group-by", "WHAT", "apply the rules to each group: host, paths, tags, or none (host,paths)", 0},
    {OPT_REMOVE_ALL, 0, "remove-all", NULL, "allow that a group loses all its snapshots", 0},
    {OPT_MAX_UNUSED, 0, "max-unused", "LIMIT", "unused bytes that may stay in packs: 5%, 1G, unlimited (5%)", 0},
    {OPT_MAX_REPACK, 0, "max-repack", "SIZE", "rewrite no more than this in one run", 0},
    {OPT_END_SESSION, 0, "end-session", "ID", "declare the session of a dead writer ended", 1},
    {OPT_DRY_RUN, 'n', "dry-run", NULL, "remove nothing, say what would happen", 0},
    OPT_END,
};

static const struct opt check_options[] = {
    {OPT_READ_DATA, 0, "read-data", NULL, "also read and verify all data", 0},
    {OPT_THREADS, 0, "threads", "N", "workers, 1 to 64 (default: cores)", 0},
    OPT_END,
};

static const struct opt key_options[] = {
    {OPT_LABEL, 0, "label", "TEXT", "name of the new slot", 0},
    {OPT_NEW_KEY_FILE, 0, "new-key-file", "FILE", "add, passwd: a key file (made if it does not exist)", 0},
    {OPT_NEW_PASSPHRASE_FILE, 0, "new-passphrase-file", "FILE", "add, passwd: the new passphrase (or ZSTORE_NEW_PASSPHRASE)", 0},
    {OPT_RECOVERY, 0, "recovery", NULL, "add: a new recovery code", 0},
    OPT_END,
};

static const struct command command_init = {"init", "[REPO]", "make a repository", 0, 1, NEED_SETTINGS, init_options, cmd_init};
static const struct command command_backup = {"backup", "[PATH|URL...] | --stdin --name PATH | --command --name PATH -- COMMAND [ARG...]",
    "store a snapshot of files, servers, a stream or a command's output", 0, -1, NEED_SETTINGS, backup_options, cmd_backup};
static const struct command command_snapshots = {"snapshots", "[SNAPSHOT...]", "list snapshots", 0, -1, NEED_STORE, snapshots_options, cmd_snapshots};
static const struct command command_ls = {"ls", "SNAPSHOT[:PATH]... | --all-snapshots PATH", "list what is in a snapshot", 1, -1, NEED_STORE, ls_options, cmd_ls};
static const struct command command_extract = {"extract", "SNAPSHOT[:PATH]... | --sql SNAPSHOT [DB[.TABLE]...] | --ldif SNAPSHOT [BASE]", "give back files, messages, databases, directories", 0, -1, NEED_STORE, extract_options, cmd_extract};
static const struct command command_prune = {"prune", "", "remove snapshots by rules, and free what no snapshot needs", 0, 0, NEED_STORE, prune_options, cmd_prune};
static const struct command command_forget = {"forget", "SNAPSHOT...", "remove snapshots (prune frees their space)", 1, -1, NEED_STORE, no_options, cmd_forget};
static const struct command command_check = {"check", "", "verify the repository", 0, 0, NEED_STORE, check_options, cmd_check};
static const struct command command_key = {"key", "list | add | remove SLOT | passwd", "manage passphrases, key files, recovery codes", 1, 2, NEED_STORE, key_options, cmd_key};
static const struct command command_config = {"config", "check | show", "look at the configuration and at what it names", 1, 1, NEED_NOTHING, no_options, cmd_config};
static const struct command command_stats = {"stats", "", "sizes of the repository", 0, 0, NEED_STORE, no_options, cmd_stats};
static const struct command command_version = {"version", "", "versions of the program and of the repository format", 0, 0, NEED_NOTHING, no_options, cmd_version};
static const struct command command_help = {"help", "[COMMAND]", "this help", 0, 1, NEED_NOTHING, no_options, cmd_help};

const struct command *const cli_commands[] = {&command_init, &command_backup, &command_snapshots, &command_ls, &command_extract,
    &command_prune, &command_forget, &command_check, &command_key, &command_config, &command_stats, &command_version, &command_help, NULL};
