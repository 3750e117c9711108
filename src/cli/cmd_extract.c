/*
 * zstore extract: from SNAPSHOT[:PATH]... to a directory, a tar or standard output; dump.c does --sql and --ldif.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dump.h"

#define CACHE_BYTES (16u << 20)

struct place { /* paths of one snapshot */
	const struct zs_snapshot_row *row;
	struct zs_strings paths; /* none: all of it */
	int whole;
};

struct extraction {
	struct session *s;
	struct zs_snapshot_list snapshots;
	struct place *places;
	size_t place_count;
	struct zs_excludes *excludes;
	int64_t strip, threads;
	enum zs_overwrite overwrite;
	struct zs_restore_report total;
	int damaged;
};

static int add_place(struct extraction *x, const struct zs_snapshot_row *row, struct zs_span path, struct zs_err *err)
{
	struct place *p = NULL, *grown;

	for (size_t i = 0; i < x->place_count; i++)
		if (x->places[i].row == row)
			p = &x->places[i];
	if (!p) {
		if (!(grown = realloc(x->places, (x->place_count + 1) * sizeof *grown)))
			return zs_fail_nomem(err);
		x->places = grown;
		p = &x->places[x->place_count++];
		memset(p, 0, sizeof *p);
		p->row = row;
	}
	if (path.n == 0)
		p->whole = 1;
	return path.n ? zs_strings_add(&p->paths, path, err) : 0;
}

static int places_from_operands(struct extraction *x, int argc, char **argv, struct zs_err *err)
{
	const struct zs_snapshot_row *row;

	for (int i = 0; i < argc; i++) {
		struct zs_buf path = ZS_BUF_INIT;
		int rc = zs_place_find(&x->snapshots, argv[i], &row, &path, err);

		if (rc == 0)
			rc = add_place(x, row, zs_buf_span(&path), err);
		zs_buf_fini(&path);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* -------------------------------------------------------------------- by Message-ID */

struct finding {
	struct extraction *x;
	const struct zs_snapshot_row *row;
	uint64_t found;
};

static int on_message(void *ctx, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	struct finding *f = ctx;

	(void)e;
	/* To a stream, one copy of the message is what was asked for. */
	if (f->found++ > 0 && opt_given(f->x->s, OPT_STDOUT))
		return 0;
	return add_place(f->x, f->row, path, err);
}

/* The messages of that id in one snapshot: how many, or -1. */
static long find_in(struct extraction *x, struct zs_store_reader *r, const struct zs_snapshot_row *row, const char *id, struct zs_err *err)
{
	struct zs_span wanted = zs_span_str(id);
	struct finding f = {.x = x, .row = row};

	if (wanted.n >= 2 && wanted.p[0] == '<' && wanted.p[wanted.n - 1] == '>')
		wanted = zs_span(wanted.p + 1, wanted.n - 2);
	return zs_find_message(r, &row->snapshot->root, wanted, on_message, &f, err) < 0 ? -1 : (long)f.found;
}

/* In the newest snapshot that has it: it may have been deleted long ago. */
static long find_newest(struct extraction *x, struct zs_store_reader *r, const char *id, struct zs_err *err)
{
	char hex[ZS_NAME_HEX], when[32];
	long found = 0;

	for (size_t i = x->snapshots.n; found == 0 && i-- > 0;) {
		const struct zs_snapshot_row *row = &x->snapshots.v[i];

		if (x->s->observer.stop && x->s->observer.stop(x->s->observer.ctx))
			return zs_fail(err, ZS_STOPPED, "interrupted");
		found = find_in(x, r, row, id, err);
		if (found > 0 && i + 1 < x->snapshots.n && !x->s->quiet)
			say(x->s, "found in snapshot %.12s of %s", zs_name_hex(&row->name, hex), zs_time_iso(row->snapshot->time_ns, when));
	}
	return found;
}

static long find_among(struct extraction *x, struct zs_store_reader *r, int argc, char **argv, const char *id, struct zs_err *err)
{
	const struct zs_snapshot_row *row;
	long sum = 0, found;

	for (int i = 0; i < argc; i++) {
		if (zs_snapshot_find(&x->snapshots, argv[i], &row, err) < 0 || (found = find_in(x, r, row, id, err)) < 0)
			return -1;
		sum += found;
	}
	return sum;
}

static int places_from_message_id(struct extraction *x, int argc, char **argv, struct zs_err *err)
{
	const char *id = opt_text(x->s, OPT_MESSAGE_ID, NULL);
	struct zs_store_reader *r = NULL;
	long found;

	if (zs_store_reader_new(x->s->store, CACHE_BYTES, &r, err) < 0)
		return -1;
	found = argc == 0 ? find_newest(x, r, id, err) : find_among(x, r, argc, argv, id, err);
	zs_store_reader_free(r);
	if (found == 0)
		return zs_fail(err, ZS_NOTFOUND, "no message with Message-ID %s in %s", id, argc == 0 ? "any snapshot" : argc == 1 ? argv[0] : "these snapshots");
	return found < 0 ? -1 : 0;
}

/* ----------------------------------------------------------------------- restoring */

static void on_metadata_problem(void *ctx, struct zs_span path, const struct zs_err *err)
{
	struct session *s = ctx;

	s->observer.problem(s->observer.ctx, path, err);
}

static void add_report(struct zs_restore_report *sum, const struct zs_restore_report *r)
{
	sum->files += r->files;
	sum->dirs += r->dirs;
	sum->others += r->others;
	sum->bytes += r->bytes;
	sum->left_alone += r->left_alone;
	sum->failed += r->failed;
}

static struct zs_restore_settings settings_of(struct extraction *x, const struct place *p)
{
	static const struct zs_strings everything;

	return (struct zs_restore_settings){.root = p->row->snapshot->root, .paths = p->whole ? &everything : &p->paths,
	    .excludes = x->excludes, .strip = (unsigned)x->strip, .threads = (unsigned)x->threads,
	    .dry_run = opt_given(x->s, OPT_DRY_RUN), .observer = &x->s->observer};
}

static int to_directory(struct extraction *x, struct zs_err *err)
{
	const struct zs_files_target_settings settings = {x->overwrite, opt_given(x->s, OPT_NUMERIC_OWNER), on_metadata_problem, x->s};
	struct zs_restore_report report;
	struct zs_files *files = NULL;
	int damaged, rc = 0;

	if (!opt_given(x->s, OPT_DRY_RUN) && zs_files_new(opt_text(x->s, OPT_DIRECTORY, "."), &settings, &files, err) < 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < x->place_count; i++) {
		struct zs_restore_settings r = settings_of(x, &x->places[i]);

		damaged = 0;
		memset(&report, 0, sizeof report);
		rc = zs_restore_files(x->s->store, files, &r, &report, &damaged, err);
		add_report(&x->total, &report);
		x->damaged |= damaged;
		if (rc < 0)
			say_snapshot(err, x->places[i].row);
	}
	if (rc == 0 && files && opt_given(x->s, OPT_SYNC))
		rc = zs_files_sync(files, err);
	zs_files_free(files);
	return rc;
}

static int to_stream(struct extraction *x, struct zs_err *err)
{
	struct zs_restore_report report;
	struct zs_target *target = NULL;
	int rc;

	if (x->place_count > 1 && opt_given(x->s, OPT_TAR))
		return zs_fail(err, ZS_USAGE, "--tar takes the paths of one snapshot");
	rc = opt_given(x->s, OPT_TAR) ? zs_target_tar_new(STDOUT_FILENO, &target, err) : zs_target_stdout_new(STDOUT_FILENO, &target, err);
	for (size_t i = 0; rc == 0 && i < x->place_count; i++) {
		struct zs_restore_settings r = settings_of(x, &x->places[i]);

		memset(&report, 0, sizeof report);
		rc = zs_restore_stream(x->s->store, target, &r, &report, err);
		add_report(&x->total, &report);
		if (rc < 0)
			say_snapshot(err, x->places[i].row);
	}
	if (target)
		target->ops->free(target);
	return rc;
}

static void report(struct extraction *x)
{
	const struct zs_restore_report *t = &x->total;
	int dry = opt_given(x->s, OPT_DRY_RUN);
	char size[16];
	struct json j;

	progress_clear(x->s);
	if (x->s->json) {
		json_begin(&j, stdout);
		json_open(&j, '{');
		json_kv_bool(&j, "dry_run", dry);
		json_kv_u64(&j, "files", t->files);
		json_kv_u64(&j, "dirs", t->dirs);
		json_kv_u64(&j, "others", t->others);
		json_kv_u64(&j, "bytes", t->bytes);
		json_kv_u64(&j, "left_alone", t->left_alone);
		json_kv_u64(&j, "failed", t->failed);
		json_close(&j, '}');
		json_end(&j);
		return;
	}
	if (x->s->quiet)
		return;
	printf("%s%llu files, %llu directories, %llu others, %s%s\n", dry ? "would restore " : "restored ",
	    (unsigned long long)t->files, (unsigned long long)t->dirs, (unsigned long long)t->others, size_text(t->bytes, size),
	    dry ? " (dry run)" : "");
	if (t->left_alone)
		printf("%llu were there already and left alone\n", (unsigned long long)t->left_alone);
	if (t->failed)
		printf("FAILED: %llu\n", (unsigned long long)t->failed);
}

static int parse_overwrite(struct session *s, enum zs_overwrite *out, struct zs_err *err)
{
	static const char *const names[] = {"always", "never", "newer", "if-different"};
	const char *text = opt_text(s, OPT_OVERWRITE, "if-different");

	for (int i = 0; i < 4; i++) {
		if (strcmp(text, names[i]) == 0) {
			*out = i;
			return 0;
		}
	}
	return zs_fail(err, ZS_USAGE, "--overwrite is always, never, newer or if-different, not '%s'", text);
}

static int extraction_fill(struct extraction *x, int argc, char **argv, struct zs_err *err)
{
	if (parse_overwrite(x->s, &x->overwrite, err) < 0 || opt_number(x->s, OPT_STRIP, 0, 10000, &x->strip, err) < 0 ||
	    opt_number(x->s, OPT_THREADS, 1, 64, &x->threads, err) < 0)
		return -1;
	if (opt_given(x->s, OPT_STDOUT) + opt_given(x->s, OPT_TAR) + opt_given(x->s, OPT_DIRECTORY) > 1)
		return zs_fail(err, ZS_USAGE, "choose one of --directory, --stdout and --tar");
	if (argc == 0 && !opt_given(x->s, OPT_MESSAGE_ID))
		return zs_fail(err, ZS_USAGE, "extract what? zstore extract SNAPSHOT[:PATH]...");
	if (zs_excludes_new(opt_list(x->s, OPT_EXCLUDE), &x->excludes, err) < 0 ||
	    session_snapshots(x->s, &x->snapshots, &x->damaged, err) < 0)
		return -1;
	return opt_given(x->s, OPT_MESSAGE_ID) ? places_from_message_id(x, argc, argv, err) : places_from_operands(x, argc, argv, err);
}

int cmd_extract(struct session *s, int argc, char **argv, struct zs_err *err)
{
	struct extraction x = {.s = s};
	int streams = opt_given(s, OPT_STDOUT) || opt_given(s, OPT_TAR), rc;

	if (dump_is_asked(s))
		return dump_run(s, argc, argv, err);
	rc = extraction_fill(&x, argc, argv, err);
	if (rc == 0)
		rc = streams && !opt_given(s, OPT_DRY_RUN) ? to_stream(&x, err) : to_directory(&x, err);
	if (rc == 0) {
		if (!streams || opt_given(s, OPT_DRY_RUN))
			report(&x);
		rc = x.damaged ? EXIT_DAMAGED : x.total.failed || s->problems ? EXIT_SKIPPED : EXIT_OK;
	}
	for (size_t i = 0; i < x.place_count; i++)
		zs_strings_fini(&x.places[i].paths);
	free(x.places);
	zs_excludes_free(x.excludes);
	zs_snapshot_list_fini(&x.snapshots);
	return rc;
}
