/*
 * zstore ls: what is in a snapshot, or one path over time.  Unsorted listings stream; sorted
 * ones go through the external sorter, so memory is bounded in both.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define CACHE_BYTES (8u << 20)
#define SORT_BYTES (8u << 20)

enum sort_key { SORT_NONE, SORT_NAME, SORT_SIZE, SORT_DATE, SORT_FROM, SORT_SUBJECT };

struct listing {
	struct session *s;
	struct zs_span base; /* what was asked for: names are shown relative to it, unless recursive */
	enum sort_key key;
	struct zs_sorter *sorter;
	const struct zs_snapshot_row *row; /* --all-snapshots: shown in front */
	struct json json;
	uint64_t count, last_sum;
};

/* The date that people mean: received, else the header's, else the file's. */
static int64_t entry_date(const struct zs_entry *e)
{
	if ((e->flags & ZS_ENTRY_HAS_ITEM) && e->item_date_ns != INT64_MIN)
		return e->item_date_ns;
	if ((e->flags & ZS_ENTRY_MESSAGE) && e->date_ns != INT64_MIN)
		return e->date_ns;
	return e->mtime_ns;
}

static void print_joined(struct zs_span joined)
{
	for (size_t i = 0; i < joined.n; i++) {
		const uint8_t *end = memchr(joined.p + i, 0, joined.n - i);
		size_t n = end ? (size_t)(end - joined.p) - i : joined.n - i;

		print_safe(stdout, zs_span(joined.p + i, n), 0);
		i += n;
		if (i + 1 < joined.n)
			(void)fputc(',', stdout);
	}
}

static void print_mode(const struct zs_entry *e)
{
	static const char types[] = "?-dlpscb";
	char text[11] = "?rwxrwxrwx";

	text[0] = types[e->kind < 8 ? e->kind : 0];
	for (int i = 0; i < 9; i++)
		if (!(e->mode >> (8 - i) & 1) || !(e->flags & ZS_ENTRY_HAS_MODE))
			text[i + 1] = '-';
	if (e->mode & 04000)
		text[3] = text[3] == 'x' ? 's' : 'S';
	if (e->mode & 02000)
		text[6] = text[6] == 'x' ? 's' : 'S';
	if (e->mode & 01000)
		text[9] = text[9] == 'x' ? 't' : 'T';
	printf("%s ", text);
}

static void print_owner(struct zs_span name, uint32_t id)
{
	if (name.n)
		print_safe(stdout, name, 16);
	else
		printf("%u", id);
	printf(" ");
}

static void print_message(const struct zs_entry *e)
{
	printf("  ");
	if (e->item_flags.n || e->item_tags.n) {
		printf("[");
		print_joined(e->item_flags);
		if (e->item_tags.n) {
			printf("%s#", e->item_flags.n ? " " : "");
			print_joined(e->item_tags);
		}
		printf("] ");
	}
	print_safe(stdout, e->from, 40);
	printf(" | ");
	print_safe(stdout, e->subject, 80);
}

static void print_long(const struct zs_entry *e, struct zs_span shown)
{
	char when[32];

	if (!(e->flags & ZS_ENTRY_MESSAGE)) {
		print_mode(e);
		print_owner(e->user, e->uid);
		print_owner(e->group, e->gid);
	}
	printf("%10llu  %.16s  ", (unsigned long long)(e->kind == ZS_ENTRY_FILE ? e->size : 0), local_time(entry_date(e), when));
	print_safe(stdout, shown, 0);
	if (e->kind == ZS_ENTRY_DIR)
		printf("/");
	if (e->kind == ZS_ENTRY_SYMLINK) {
		printf(" -> ");
		print_safe(stdout, e->target, 0);
	}
	if (e->flags & ZS_ENTRY_UNSTABLE)
		printf("  (changed while read)");
	if (e->flags & ZS_ENTRY_MESSAGE)
		print_message(e);
}

static void print_entry(struct listing *l, struct zs_span path, const struct zs_entry *e)
{
	struct zs_span shown = path;
	char hex[ZS_NAME_HEX], when[32];

	l->count++;
	if (l->s->json) {
		json_begin(&l->json, stdout);
		json_open(&l->json, '{');
		if (l->row) {
			json_kv_text(&l->json, "snapshot", zs_name_hex(&l->row->name, hex));
			json_key(&l->json, "snapshot_time");
			json_time(&l->json, l->row->snapshot->time_ns);
		}
		json_entry(&l->json, path, e);
		json_close(&l->json, '}');
		json_end(&l->json);
		return;
	}
	if (l->row)
		printf("%.12s  %s  ", zs_name_hex(&l->row->name, hex), local_time(l->row->snapshot->time_ns, when));
	else if (!opt_given(l->s, OPT_RECURSIVE) && l->base.n < path.n && zs_path_below(path, l->base))
		shown = zs_span(path.p + l->base.n + (l->base.n > 0), path.n - l->base.n - (l->base.n > 0));
	if (opt_given(l->s, OPT_LONG) || l->row) {
		print_long(e, shown);
	} else {
		print_safe(stdout, shown, 0);
		if (e->kind == ZS_ENTRY_DIR)
			printf("/");
	}
	printf("\n");
}

/* ---------------------------------------------------------------------- sorting */

static void big_endian(uint8_t out[8], uint64_t v)
{
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(v >> (56 - 8 * i));
}

static struct zs_span sort_field(const struct listing *l, struct zs_span path, const struct zs_entry *e, uint8_t number[8])
{
	switch (l->key) {
	case SORT_SIZE:
		big_endian(number, e->kind == ZS_ENTRY_FILE ? e->size : 0);
		return zs_span(number, 8);
	case SORT_DATE:
		big_endian(number, (uint64_t)entry_date(e) + (UINT64_C(1) << 63));
		return zs_span(number, 8);
	case SORT_FROM:
		return e->from;
	case SORT_SUBJECT:
		return e->subject;
	default:
		return opt_given(l->s, OPT_RECURSIVE) ? path : zs_path_base(path);
	}
}

static int sort_add(struct listing *l, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	struct zs_buf key = ZS_BUF_INIT, value = ZS_BUF_INIT;
	int reverse = opt_given(l->s, OPT_REVERSE), rc = -1;
	struct zs_span field;
	uint8_t number[8];

	field = sort_field(l, path, e, number);
	/* NUL ends a text, so that a shorter one comes first; all is turned round for --reverse. */
	if (zs_buf_add_span(&key, field, err) < 0 || zs_buf_add_u8(&key, 0, err) < 0 || zs_buf_add_span(&key, path, err) < 0)
		goto out;
	for (size_t i = 0; reverse && i < key.n; i++)
		key.p[i] = (uint8_t)~key.p[i];
	if (reverse && zs_buf_add_u8(&key, 0xff, err) < 0)
		goto out;
	if (zs_buf_add_varint(&value, path.n, err) < 0 || zs_buf_add_span(&value, path, err) < 0 ||
	    zs_format_entry_encode(e, &value, err) < 0)
		goto out;
	rc = zs_sorter_add(l->sorter, zs_buf_span(&key), zs_buf_span(&value), err);
out:
	zs_buf_fini(&key);
	zs_buf_fini(&value);
	return rc;
}

static int sort_print(struct listing *l, struct zs_err *err)
{
	struct zs_span key, value, path;
	struct zs_entry e;
	uint64_t n;
	int rc;

	if (zs_sorter_sort(l->sorter, err) < 0)
		return -1;
	while ((rc = zs_sorter_next(l->sorter, &key, &value, err)) > 0) {
		if (zs_take_varint(&value, &n) < 0 || zs_take_bytes(&value, (size_t)n, &path) < 0)
			return zs_fail(err, ZS_INTERNAL, "sorted listing");
		if (zs_format_entry_decode(value, &e, err) < 0)
			return -1;
		print_entry(l, path, &e);
	}
	return rc;
}

static int parse_sort(struct session *s, enum sort_key *out, struct zs_err *err)
{
	static const char *const names[] = {"none", "name", "size", "date", "from", "subject"};
	const char *text = opt_text(s, OPT_SORT, opt_given(s, OPT_REVERSE) ? "name" : "none");

	for (int i = 0; i < 6; i++) {
		if (strcmp(text, names[i]) == 0) {
			*out = i;
			return 0;
		}
	}
	return zs_fail(err, ZS_USAGE, "--sort is name, size, date, from or subject, not '%s'", text);
}

/* --------------------------------------------------------------------- listing */

static int on_entry(void *ctx, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	struct listing *l = ctx;

	if (interrupted())
		return zs_fail(err, ZS_STOPPED, "interrupted");
	if (ferror(stdout))
		return stdout_close(err);
	if (l->sorter)
		return sort_add(l, path, e, err);
	print_entry(l, path, e);
	return 0;
}

static unsigned list_flags(struct session *s)
{
	return (opt_given(s, OPT_RECURSIVE) ? ZS_LIST_RECURSIVE : 0) | (opt_given(s, OPT_DIRECTORY) ? ZS_LIST_SELF : 0);
}

static int list_place(struct session *s, struct zs_store_reader *r, const struct zs_snapshot_list *snapshots, const char *text,
    struct zs_err *err)
{
	struct listing l = {.s = s};
	const struct zs_snapshot_row *row;
	struct zs_buf path = ZS_BUF_INIT;
	int rc = -1;

	if (parse_sort(s, &l.key, err) < 0 || zs_place_find(snapshots, text, &row, &path, err) < 0)
		goto out;
	l.base = zs_buf_span(&path);
	if (l.key != SORT_NONE && zs_sorter_new(SORT_BYTES, zs_store_tmp_dir(s->store), &l.sorter, err) < 0)
		goto out;
	rc = zs_list(r, &row->snapshot->root, l.base, list_flags(s), on_entry, &l, err);
	if (rc == 0 && l.sorter)
		rc = sort_print(&l, err);
	if (rc < 0)
		say_snapshot(err, row);
out:
	zs_sorter_free(l.sorter);
	zs_buf_fini(&path);
	return rc;
}

static int list_history(struct session *s, struct zs_store_reader *r, const struct zs_snapshot_list *snapshots, const char *text,
    struct zs_err *err)
{
	struct listing l = {.s = s};
	struct zs_buf path = ZS_BUF_INIT;
	int rc = zs_path_clean(zs_span_str(text), &path, err);

	l.base = zs_buf_span(&path);
	for (size_t i = 0; rc == 0 && i < snapshots->n; i++) {
		l.row = &snapshots->v[i];
		rc = zs_list(r, &l.row->snapshot->root, l.base, ZS_LIST_SELF, on_entry, &l, err);
		if (rc < 0 && err->cause == ZS_NOTFOUND) {
			zs_err_clear(err);
			rc = 0;
		}
	}
	if (rc == 0 && l.count == 0)
		rc = zs_fail(err, ZS_NOTFOUND, "%s: in no snapshot", text);
	zs_buf_fini(&path);
	return rc;
}

int cmd_ls(struct session *s, int argc, char **argv, struct zs_err *err)
{
	struct zs_snapshot_list snapshots = {0};
	struct zs_store_reader *r = NULL;
	int rc = -1, damaged = 0;

	if (session_snapshots(s, &snapshots, &damaged, err) < 0)
		return -1;
	if (zs_store_reader_new(s->store, CACHE_BYTES, &r, err) < 0)
		goto out;
	rc = 0;
	for (int i = 0; rc == 0 && i < argc; i++) {
		if (argc > 1 && !s->json)
			printf("%s%s:\n", i ? "\n" : "", argv[i]);
		rc = opt_given(s, OPT_ALL_SNAPSHOTS) ? list_history(s, r, &snapshots, argv[i], err) :
						       list_place(s, r, &snapshots, argv[i], err);
	}
	if (rc == 0 && damaged)
		rc = EXIT_DAMAGED;
out:
	zs_store_reader_free(r);
	zs_snapshot_list_fini(&snapshots);
	return rc;
}
