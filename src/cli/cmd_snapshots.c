/*
 * zstore snapshots and forget.
 */
#include <stdlib.h>
#include <string.h>

#include "manifest_text.h"

struct filter {
	const struct zs_strings *hosts, *tags, *paths;
	int64_t since_ns, until_ns, last;
};

static int has(const struct zs_strings *l, const char *text)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i], text) == 0)
			return 1;
	return 0;
}

static int shares(const struct zs_strings *wanted, const struct zs_strings *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (has(wanted, l->v[i]))
			return 1;
	return 0;
}

static int passes(const struct filter *f, const struct zs_snapshot *s)
{
	return (f->hosts->n == 0 || has(f->hosts, s->host)) && (f->tags->n == 0 || shares(f->tags, &s->tags)) &&
	       (f->paths->n == 0 || shares(f->paths, &s->paths)) && s->time_ns >= f->since_ns && s->time_ns <= f->until_ns;
}

static int filter_fill(struct session *s, struct filter *f, struct zs_err *err)
{
	*f = (struct filter){opt_list(s, OPT_HOST), opt_list(s, OPT_TAG), opt_list(s, OPT_PATH), INT64_MIN, INT64_MAX, 0};
	if (opt_given(s, OPT_SINCE) && zs_time_parse(opt_text(s, OPT_SINCE, NULL), &f->since_ns, err) < 0)
		return -1;
	if (opt_given(s, OPT_UNTIL) && zs_time_parse(opt_text(s, OPT_UNTIL, NULL), &f->until_ns, err) < 0)
		return -1;
	return opt_number(s, OPT_LAST, 1, INT32_MAX, &f->last, err);
}

static void row_text(struct session *s, const struct zs_snapshot_row *row)
{
	const struct zs_snapshot *snap = row->snapshot;
	char hex[ZS_NAME_HEX], when[32], size[16];

	printf("%.12s  %s  ", zs_name_hex(&row->name, hex), local_time(snap->time_ns, when));
	print_safe(stdout, zs_span_str(snap->host), 0);
	printf("  %8llu files  %10s %s ", (unsigned long long)snap->totals.files, size_text(snap->totals.bytes, size),
	    snap->flags & ZS_SNAPSHOT_PARTIAL ? " PARTIAL" : "");
	for (size_t i = 0; i < snap->paths.n; i++) {
		printf(" ");
		print_safe(stdout, zs_span_str(snap->paths.v[i]), 0);
	}
	for (size_t i = 0; i < snap->tags.n; i++) {
		printf(" #");
		print_safe(stdout, zs_span_str(snap->tags.v[i]), 0);
	}
	printf("\n");
	if (!s->verbose)
		return;
	printf("    %llu messages, %s new, by %s, program %s, id %s\n", (unsigned long long)snap->totals.messages,
	    size_text(snap->added_bytes, size), snap->user, snap->program, hex);
	for (size_t i = 0; i < snap->reasons.n; i++) {
		printf("    skipped: ");
		print_safe(stdout, zs_span_str(snap->reasons.v[i]), 0);
		printf("\n");
	}
	manifest_print(s, snap);
}

static int print_rows(struct session *s, const struct zs_snapshot_row **rows, size_t n)
{
	struct json j;

	if (!s->json) {
		for (size_t i = 0; i < n; i++)
			row_text(s, rows[i]);
		return EXIT_OK;
	}
	json_begin(&j, stdout);
	json_open(&j, '[');
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			(void)fputs("\n", stdout);
		json_snapshot(&j, rows[i]);
	}
	json_close(&j, ']');
	json_end(&j);
	return EXIT_OK;
}

static int select_rows(struct session *s, const struct zs_snapshot_list *l, int argc, char **argv,
    const struct zs_snapshot_row **rows, size_t *out_n, struct zs_err *err)
{
	struct filter f;
	size_t n = 0;

	if (filter_fill(s, &f, err) < 0)
		return -1;
	for (int i = 0; i < argc; i++)
		if (zs_snapshot_find(l, argv[i], &rows[n++], err) < 0)
			return -1;
	for (size_t i = 0; argc == 0 && i < l->n; i++)
		if (passes(&f, l->v[i].snapshot))
			rows[n++] = &l->v[i];
	if (f.last > 0 && n > (size_t)f.last) {
		memmove(rows, rows + (n - (size_t)f.last), (size_t)f.last * sizeof *rows);
		n = (size_t)f.last;
	}
	*out_n = n;
	return 0;
}

int cmd_snapshots(struct session *s, int argc, char **argv, struct zs_err *err)
{
	struct zs_snapshot_list l = {0};
	struct zs_names damaged = {0};
	const struct zs_snapshot_row **rows = NULL;
	char hex[ZS_NAME_HEX];
	size_t n = 0;
	int rc = -1;

	if (zs_store_snapshots(s->store, &l, &damaged, err) < 0)
		return -1;
	if (!(rows = calloc(l.n + (size_t)argc + 1, sizeof(const struct zs_snapshot_row *))))
		zs_fail_nomem(err);
	else if (select_rows(s, &l, argc, argv, rows, &n, err) == 0)
		rc = print_rows(s, rows, n);
	for (size_t i = 0; i < damaged.n; i++)
		say(s, "snapshot %s is damaged: run 'zstore check'", zs_name_hex(&damaged.v[i], hex));
	if (rc == EXIT_OK && damaged.n)
		rc = EXIT_DAMAGED;
	free(rows);
	zs_names_fini(&damaged);
	zs_snapshot_list_fini(&l);
	return rc;
}

/* One that cannot be read goes by its whole name only. */
static int is_named(const struct zs_names *damaged, const char *text, struct zs_name *out)
{
	return zs_name_parse(text, out) == 0 && zs_names_has(damaged, out);
}

int cmd_forget(struct session *s, int argc, char **argv, struct zs_err *err)
{
	struct zs_snapshot_list l = {0};
	struct zs_names gone = {0}, damaged = {0};
	const struct zs_snapshot_row *row;
	struct zs_name name;
	char hex[ZS_NAME_HEX];
	struct json j;
	int rc = -1;

	if (zs_store_snapshots(s->store, &l, &damaged, err) < 0)
		return -1;
	for (int i = 0; i < argc; i++) {
		if (!is_named(&damaged, argv[i], &name)) {
			if (zs_snapshot_find(&l, argv[i], &row, err) < 0)
				goto out;
			name = row->name;
		}
		if (!zs_names_has(&gone, &name) && zs_names_add(&gone, &name, err) < 0)
			goto out;
	}
	if (zs_store_forget(s->store, &gone, err) < 0)
		goto out;
	rc = EXIT_OK;
	if (s->json) {
		json_begin(&j, stdout);
		json_open(&j, '{');
		json_key(&j, "removed");
		json_open(&j, '[');
		for (size_t i = 0; i < gone.n; i++)
			json_text(&j, zs_name_hex(&gone.v[i], hex));
		json_close(&j, ']');
		json_close(&j, '}');
		json_end(&j);
	} else if (!s->quiet) {
		for (size_t i = 0; i < gone.n; i++)
			printf("removed snapshot %.12s\n", zs_name_hex(&gone.v[i], hex));
		printf("run 'zstore prune' to free the space\n");
	}
out:
	zs_names_fini(&damaged);
	zs_names_fini(&gone);
	zs_snapshot_list_fini(&l);
	return rc;
}
