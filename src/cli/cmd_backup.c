/*
 * zstore backup: from options to one set of sources and one call of zs_backup.
 */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup.h"
#include "hooks.h"

#define LIST_FILE_MAX (256u << 20)

static int read_list_file(const char *path, struct zs_buf *out, struct zs_err *err)
{
	uint8_t part[4096];
	size_t n;

	if (strcmp(path, "-") != 0)
		return zs_read_file(path, LIST_FILE_MAX, out, ZS_SYSTEM, err);
	do {
		if (zs_read_full(STDIN_FILENO, part, sizeof part, &n, ZS_SYSTEM, "standard input", err) < 0 ||
		    zs_buf_add(out, part, n, err) < 0)
			return -1;
	} while (n == sizeof part && out->n <= LIST_FILE_MAX);
	return 0;
}

/* Every piece of the files named by an option, split at end (NUL or newline). */
static int add_from_files(const struct zs_strings *files, uint8_t end, struct zs_strings *out, struct zs_err *err)
{
	for (size_t i = 0; i < files->n; i++) {
		struct zs_buf b = ZS_BUF_INIT;
		int rc = read_list_file(files->v[i], &b, err);

		for (size_t at = 0; rc == 0 && at < b.n;) {
			uint8_t *stop = memchr(b.p + at, end, b.n - at);
			size_t n = stop ? (size_t)(stop - b.p) - at : b.n - at;

			if (n > 0)
				rc = zs_strings_add(out, zs_span(b.p + at, n), err);
			at += n + 1;
		}
		zs_buf_fini(&b);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int run_identity(struct session *s, struct backup_run *b, struct zs_err *err)
{
	struct passwd pw, *found = NULL;
	char buf[4096];

	b->time_ns = zs_now_ns();
	if (opt_given(s, OPT_TIME) && zs_time_parse(opt_text(s, OPT_TIME, NULL), &b->time_ns, err) < 0)
		return -1;
	if (gethostname(b->host, sizeof b->host - 1) < 0)
		(void)strcpy(b->host, "localhost");
	if (opt_given(s, OPT_HOST)) {
		if (strlen(opt_text(s, OPT_HOST, "")) >= sizeof b->host || !*opt_text(s, OPT_HOST, ""))
			return zs_fail(err, ZS_USAGE, "--host: 1 to 255 characters");
		(void)strcpy(b->host, opt_text(s, OPT_HOST, ""));
	}
	if (getpwuid_r(geteuid(), &pw, buf, sizeof buf, &found) == 0 && found)
		(void)snprintf(b->user, sizeof b->user, "%s", pw.pw_name);
	else
		(void)snprintf(b->user, sizeof b->user, "%u", (unsigned)geteuid());
	return 0;
}

static int run_stream(struct session *s, struct backup_run *b, int argc, char **argv, struct zs_err *err)
{
	const char *name = opt_text(s, OPT_NAME, NULL);

	if (!name)
		return zs_fail(err, ZS_USAGE, "--stdin and --command need --name PATH: where the stream stands in the snapshot");
	if (zs_path_clean(zs_span_str(name), &b->sources.stream, err) < 0)
		return -1;
	if (!zs_path_valid(zs_buf_span(&b->sources.stream)))
		return zs_fail(err, ZS_USAGE, "--name '%s' is no path of a file", name);
	if (opt_given(s, OPT_STDIN) && (opt_given(s, OPT_COMMAND) || argc > 0))
		return zs_fail(err, ZS_USAGE, "--stdin goes with neither --command nor paths");
	if (opt_given(s, OPT_COMMAND) && argc == 0)
		return zs_fail(err, ZS_USAGE, "--command needs a command after '--'");
	b->sources.command = opt_given(s, OPT_COMMAND) ? argv : NULL;
	return zs_strings_add(&b->sources.labels, zs_buf_span(&b->sources.stream), err);
}

static int nothing_asked(struct session *s, struct zs_err *err)
{
	if (s->profile)
		return zs_fail(err, ZS_USAGE, "what shall be backed up? The profile names no source; say zstore backup PATH...");
	if (settings_has_profiles(s))
		return zs_fail(err, ZS_USAGE, "what shall be backed up? There are several profiles: say --profile NAME, or zstore backup PATH...");
	return zs_fail(err, ZS_USAGE, "what shall be backed up? zstore backup PATH..., or make a profile in a configuration file");
}

static int run_operands(struct session *s, struct backup_run *b, int argc, char **argv, struct zs_err *err)
{
	struct zs_strings listed = {0};
	int rc;

	if (opt_given(s, OPT_NAME))
		return zs_fail(err, ZS_USAGE, "--name goes with --stdin or --command");
	for (int i = 0; i < argc; i++)
		if (sources_add(&b->sources, argv[i], NULL, err) < 0)
			return -1;
	rc = add_from_files(opt_list(s, OPT_FILES_FROM0), 0, &listed, err);
	for (size_t i = 0; rc == 0 && i < listed.n; i++)
		rc = sources_add_path(&b->sources, listed.v[i], err);
	zs_strings_fini(&listed);
	if (rc < 0)
		return -1;
	if (argc == 0 && !opt_given(s, OPT_FILES_FROM0) && sources_add_profile(&b->sources, err) < 0)
		return -1;
	return b->sources.labels.n ? 0 : nothing_asked(s, err);
}

static int run_prepare(struct session *s, struct backup_run *b, int argc, char **argv, struct zs_err *err)
{
	const struct zs_strings *excludes = opt_list(s, OPT_EXCLUDE);

	b->level = -1;
	b->dry = opt_given(s, OPT_DRY_RUN);
	b->sources.s = s;
	b->sources.excludes = &b->excludes;
	b->sources.files_flags = opt_given(s, OPT_ONE_FILE_SYSTEM) ? ZS_FILES_ONE_FILE_SYSTEM : 0;
	b->flags = (opt_given(s, OPT_FORCE) ? ZS_BACKUP_FORCE : 0) | (opt_given(s, OPT_DRY_RUN) ? ZS_BACKUP_DRY_RUN : 0);
	if (opt_given(s, OPT_COMPRESSION) && parse_compression(opt_text(s, OPT_COMPRESSION, NULL), &b->level, err) < 0)
		return -1;
	if (opt_number(s, OPT_THREADS, 1, 64, &b->threads, err) < 0 || run_identity(s, b, err) < 0)
		return -1;
	for (size_t i = 0; i < excludes->n; i++)
		if (zs_strings_add(&b->excludes, zs_span_str(excludes->v[i]), err) < 0)
			return -1;
	if (add_from_files(opt_list(s, OPT_EXCLUDE_FROM), '\n', &b->excludes, err) < 0)
		return -1;
	if (opt_given(s, OPT_STDIN) || opt_given(s, OPT_COMMAND) ? run_stream(s, b, argc, argv, err) < 0 : run_operands(s, b, argc, argv, err) < 0)
		return -1;
	return sources_select(&b->sources, err);
}

/* --dry-run -v: every item by name. */
static void on_dry_item(void *ctx, const struct zs_progress *p)
{
	(void)ctx;
	print_safe(stdout, p->current, 0);
	printf("\n");
}

static int run_source(struct backup_run *b, struct zs_backup_problems *problems, struct zs_err *err)
{
	struct session *s = b->s;
	struct zs_observer observer = s->observer;
	struct zs_backup_settings settings = {.source = zs_source_set_source(b->sources.set), .host = b->host, .user = b->user,
	    .program = "zstore " ZS_PROGRAM_VERSION, .tags = opt_list(s, OPT_TAG), .paths = &b->sources.labels, .time_ns = b->time_ns,
	    .level = b->level, .threads = (unsigned)b->threads, .flags = b->flags, .observer = &observer};

	if (b->dry && s->verbose && !s->json)
		observer.progress = on_dry_item;
	b->member_count = zs_source_set_count(b->sources.set);
	if (!(b->members = calloc(b->member_count, sizeof *b->members)))
		return zs_fail_nomem(err);
	settings.members = b->members;
	settings.member_count = b->member_count;
	if (zs_backup(s->store, &settings, problems, &b->report, err) == 0)
		return 0;
	if (err->cause == ZS_STOPPED)
		zs_fail(err, ZS_STOPPED, "interrupted; no snapshot was made, but what is stored so far will not be stored again");
	return -1;
}

/* Why it is partial, in one line: how many problems, and which sources failed altogether. */
static void say_why(struct backup_run *b)
{
	const unsigned long long n = (unsigned long long)b->report.skipped;
	size_t at = (size_t)snprintf(b->why, sizeof b->why, "%llu problem%s", n, n == 1 ? "" : "s");
	struct zs_member_report r;

	for (unsigned i = 0; i < b->member_count && at < sizeof b->why; i++) {
		zs_source_set_report(b->sources.set, i, &r);
		if (r.state == ZS_MEMBER_FAILED)
			at += (size_t)snprintf(b->why + at, sizeof b->why - at, "; %s failed: %s", r.name, r.why);
	}
}

static int run_backup(struct backup_run *b, struct zs_err *err)
{
	struct session *s = b->s;
	struct zs_backup_problems *problems = NULL;
	int rc = -1;

	if (session_open(s, err) < 0 || zs_backup_problems_new(&s->observer, &problems, err) < 0 ||
	    sources_make(&b->sources, problems, err) < 0 || run_source(b, problems, err) < 0)
		goto out;
	progress_clear(s);
	say_why(b);
	if (s->json)
		backup_report_json(b);
	else if (!s->quiet)
		backup_report_text(b);
	rc = b->report.partial ? EXIT_SKIPPED : EXIT_OK;
out:
	sources_drop_set(&b->sources);
	zs_backup_problems_free(problems);
	return rc;
}

/* -------------------------------------------------------------------------- hooks */

/* What goes wrong here is said at once: the result stands already. */
static void run_late_hook(struct session *s, enum hook which, struct hook_facts *f)
{
	struct zs_err err = {0};

	if (hooks_run(s, which, f, &err) == 0)
		return;
	say_error(s, &err);
	if (f->exit_code == EXIT_OK)
		f->exit_code = EXIT_FAILED;
}

/* before -> the backup -> after or failed -> finally; whatever happens, the last one is run. */
static int run_with_hooks(struct backup_run *b, struct zs_err *err)
{
	struct session *s = b->s;
	struct hook_facts facts = {0};
	char hex[ZS_NAME_HEX];
	int rc = -1;

	if (session_repo(s, &facts.repo, err) < 0)
		return -1;
	if (hooks_run(s, HOOK_BEFORE, &facts, err) == 0)
		rc = run_backup(b, err);
	facts.exit_code = rc < 0 ? exit_code_of(err) : rc;
	facts.status = rc < 0 ? "failed" : rc == EXIT_SKIPPED ? "partial" : "done";
	if (rc < 0) {
		say_error(s, err); /* before what the hooks may have to say */
		facts.error = err->text;
		run_late_hook(s, HOOK_FAILED, &facts);
	} else {
		facts.error = b->report.partial ? b->why : NULL;
		facts.snapshot = zs_name_hex(&b->report.snapshot, hex);
		run_late_hook(s, HOOK_AFTER, &facts);
	}
	run_late_hook(s, HOOK_FINALLY, &facts);
	return facts.exit_code;
}

static int has_hooks(struct session *s)
{
	return settings_text(s, "hook-before") || settings_text(s, "hook-after") || settings_text(s, "hook-failed") ||
	       settings_text(s, "hook-finally");
}

int cmd_backup(struct session *s, int argc, char **argv, struct zs_err *err)
{
	struct backup_run b;
	int rc = -1;

	memset(&b, 0, sizeof b);
	b.s = s;
	b.began_ns = zs_monotonic_ns();
	if (run_prepare(s, &b, argc, argv, err) == 0)
		rc = has_hooks(s) && !b.dry ? run_with_hooks(&b, err) : run_backup(&b, err);
	sources_fini(&b.sources);
	zs_strings_fini(&b.excludes);
	for (unsigned i = 0; i < b.member_count; i++)
		zs_backup_member_fini(&b.members[i]);
	free(b.members);
	return rc;
}
