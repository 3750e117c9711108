/*
 * zstore backup: from options to one source and one call of zs_backup, and the report.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define LIST_FILE_MAX (256u << 20)

struct request {
	struct zs_strings paths, excludes;
	struct zs_buf name; /* cleaned, for a stream */
	char host[256], user[128];
	int64_t time_ns, threads;
	int level;
	unsigned flags;
	char *const *command;
};

static void request_fini(struct request *r)
{
	zs_strings_fini(&r->paths);
	zs_strings_fini(&r->excludes);
	zs_buf_fini(&r->name);
}

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

static int request_identity(struct session *s, struct request *r, struct zs_err *err)
{
	struct passwd pw, *found = NULL;
	char buf[4096];

	r->time_ns = zs_now_ns();
	if (opt_given(s, OPT_TIME) && zs_time_parse(opt_text(s, OPT_TIME, NULL), &r->time_ns, err) < 0)
		return -1;
	if (gethostname(r->host, sizeof r->host - 1) < 0)
		(void)strcpy(r->host, "localhost");
	if (opt_given(s, OPT_HOST)) {
		if (strlen(opt_text(s, OPT_HOST, "")) >= sizeof r->host || !*opt_text(s, OPT_HOST, ""))
			return zs_fail(err, ZS_USAGE, "--host: 1 to 255 characters");
		(void)strcpy(r->host, opt_text(s, OPT_HOST, ""));
	}
	if (getpwuid_r(geteuid(), &pw, buf, sizeof buf, &found) == 0 && found)
		(void)snprintf(r->user, sizeof r->user, "%s", pw.pw_name);
	else
		(void)snprintf(r->user, sizeof r->user, "%u", (unsigned)geteuid());
	return 0;
}

static int request_stream(struct session *s, struct request *r, int argc, char **argv, struct zs_err *err)
{
	const char *name = opt_text(s, OPT_NAME, NULL);

	if (!name)
		return zs_fail(err, ZS_USAGE, "--stdin and --command need --name PATH: where the stream stands in the snapshot");
	if (zs_path_clean(zs_span_str(name), &r->name, err) < 0)
		return -1;
	if (!zs_path_valid(zs_buf_span(&r->name)))
		return zs_fail(err, ZS_USAGE, "--name '%s' is no path of a file", name);
	if (opt_given(s, OPT_STDIN) && (opt_given(s, OPT_COMMAND) || argc > 0))
		return zs_fail(err, ZS_USAGE, "--stdin goes with neither --command nor paths");
	if (opt_given(s, OPT_COMMAND) && argc == 0)
		return zs_fail(err, ZS_USAGE, "--command needs a command after '--'");
	r->command = argv;
	return zs_strings_add(&r->paths, zs_buf_span(&r->name), err);
}

static int request_paths(struct session *s, struct request *r, int argc, char **argv, struct zs_err *err)
{
	if (opt_given(s, OPT_NAME))
		return zs_fail(err, ZS_USAGE, "--name goes with --stdin or --command");
	for (int i = 0; i < argc; i++)
		if (zs_strings_add(&r->paths, zs_span_str(argv[i]), err) < 0)
			return -1;
	if (add_from_files(opt_list(s, OPT_FILES_FROM0), 0, &r->paths, err) < 0)
		return -1;
	if (r->paths.n == 0)
		return zs_fail(err, ZS_USAGE, "what shall be backed up? zstore backup PATH...");
	return 0;
}

static int request_fill(struct session *s, struct request *r, int argc, char **argv, struct zs_err *err)
{
	const struct zs_strings *excludes = opt_list(s, OPT_EXCLUDE);

	r->level = -1;
	r->flags = (opt_given(s, OPT_FORCE) ? ZS_BACKUP_FORCE : 0) | (opt_given(s, OPT_DRY_RUN) ? ZS_BACKUP_DRY_RUN : 0);
	if (opt_given(s, OPT_COMPRESSION) && parse_compression(opt_text(s, OPT_COMPRESSION, NULL), &r->level, err) < 0)
		return -1;
	if (opt_number(s, OPT_THREADS, 1, 64, &r->threads, err) < 0 || request_identity(s, r, err) < 0)
		return -1;
	for (size_t i = 0; i < excludes->n; i++)
		if (zs_strings_add(&r->excludes, zs_span_str(excludes->v[i]), err) < 0)
			return -1;
	if (add_from_files(opt_list(s, OPT_EXCLUDE_FROM), '\n', &r->excludes, err) < 0)
		return -1;
	if (opt_given(s, OPT_STDIN) || opt_given(s, OPT_COMMAND))
		return request_stream(s, r, argc, argv, err);
	return request_paths(s, r, argc, argv, err);
}

static int open_source(struct session *s, const struct request *r, struct zs_backup_problems *problems, struct zs_source **out,
    struct zs_err *err)
{
	struct zs_source_settings settings = {.problem = zs_backup_problem, .ctx = problems, .tmp_dir = zs_store_tmp_dir(s->store)};
	struct zs_files_settings files = {&r->paths, &r->excludes, opt_given(s, OPT_ONE_FILE_SYSTEM) ? ZS_FILES_ONE_FILE_SYSTEM : 0};

	if (opt_given(s, OPT_STDIN))
		return zs_source_fd_new(STDIN_FILENO, zs_buf_span(&r->name), ZS_KIND_FILE, &settings, out, err);
	if (opt_given(s, OPT_COMMAND))
		return zs_source_command_new(r->command, zs_buf_span(&r->name), ZS_KIND_FILE, &settings, out, err);
	return zs_source_files_new(&files, &settings, out, err);
}

static void report_json(const struct zs_backup_report *rep, int dry, uint64_t elapsed_ns)
{
	char hex[ZS_NAME_HEX];
	struct json j;

	json_begin(&j, stdout);
	json_open(&j, '{');
	if (!dry)
		json_kv_text(&j, "snapshot", zs_name_hex(&rep->snapshot, hex));
	json_kv_bool(&j, "dry_run", dry);
	json_kv_bool(&j, "partial", rep->partial);
	json_totals(&j, &rep->totals);
	json_kv_u64(&j, "files_new", rep->files_new);
	json_kv_u64(&j, "files_changed", rep->files_changed);
	json_kv_u64(&j, "files_unmodified", rep->files_unmodified);
	json_kv_u64(&j, "dirs", rep->dirs);
	json_kv_u64(&j, "skipped", rep->skipped);
	json_kv_u64(&j, "read_bytes", rep->read_bytes);
	json_kv_u64(&j, "added_bytes", rep->added_bytes);
	json_kv_u64(&j, "stored_bytes", rep->stored_bytes);
	json_kv_u64(&j, "elapsed_ms", elapsed_ns / 1000000);
	json_close(&j, '}');
	json_end(&j);
}

static void report_text(const struct zs_backup_report *rep, int dry, uint64_t elapsed_ns)
{
	char hex[ZS_NAME_HEX], a[16], b[16], c[16];

	printf("%llu files (%llu new, %llu changed, %llu unmodified), %llu directories, %s in all\n",
	    (unsigned long long)rep->totals.files, (unsigned long long)rep->files_new, (unsigned long long)rep->files_changed,
	    (unsigned long long)rep->files_unmodified, (unsigned long long)rep->dirs, size_text(rep->totals.bytes, a));
	if (dry) {
		printf("%s would be read; nothing was stored (dry run)\n", size_text(rep->read_bytes, a));
		return;
	}
	printf("%s read, %s new, %s stored, in %.1f s\n", size_text(rep->read_bytes, a), size_text(rep->added_bytes, b),
	    size_text(rep->stored_bytes, c), (double)elapsed_ns / 1e9);
	if (rep->partial)
		printf("PARTIAL: %llu items could not be backed up\n", (unsigned long long)rep->skipped);
	printf("snapshot %.12s saved\n", zs_name_hex(&rep->snapshot, hex));
}

int cmd_backup(struct session *s, int argc, char **argv, struct zs_err *err)
{
	struct request r;
	struct zs_backup_problems *problems = NULL;
	struct zs_source *source = NULL;
	struct zs_backup_settings settings;
	struct zs_backup_report report;
	uint64_t began = zs_monotonic_ns();
	int rc = -1;

	memset(&r, 0, sizeof r);
	if (request_fill(s, &r, argc, argv, err) < 0 || zs_backup_problems_new(&s->observer, &problems, err) < 0 ||
	    open_source(s, &r, problems, &source, err) < 0)
		goto out;
	settings = (struct zs_backup_settings){.source = source, .host = r.host, .user = r.user, .program = "zstore " ZS_PROGRAM_VERSION,
	    .tags = opt_list(s, OPT_TAG), .paths = &r.paths, .time_ns = r.time_ns, .level = r.level,
	    .threads = (unsigned)r.threads, .flags = r.flags, .observer = &s->observer};
	if (zs_backup(s->store, &settings, problems, &report, err) < 0) {
		if (err->cause == ZS_STOPPED)
			zs_fail(err, ZS_STOPPED, "interrupted; no snapshot was made, but what is stored so far will not be stored again");
		goto out;
	}
	progress_clear(s);
	if (s->json)
		report_json(&report, (r.flags & ZS_BACKUP_DRY_RUN) != 0, zs_monotonic_ns() - began);
	else if (!s->quiet)
		report_text(&report, (r.flags & ZS_BACKUP_DRY_RUN) != 0, zs_monotonic_ns() - began);
	rc = report.partial ? EXIT_SKIPPED : EXIT_OK;
out:
	zs_source_free(source);
	zs_backup_problems_free(problems);
	request_fini(&r);
	return rc;
}
