/*
 * A backup of several sources: what came from which, the manifest in the snapshot, and what the failure of one means for
 * the snapshot.
 */
#include "work_help.h"

struct part { /* yields files of its name's directory, each with its own path as content */
	struct zs_source base;
	const char *dir;
	unsigned files, next, fail_after;
	int frozen;
	char path[64];
};
static uint64_t part_identity; /* of every item, if not 0 */
static const char *part_flags;
static unsigned part_opened;
struct part_handle {
	struct zs_source_handle base;
	struct zs_source_reader reader;
	char text[64];
	size_t at;
};

static int part_open(struct zs_source_handle *h, struct zs_source_reader **out, struct zs_err *err)
{
	(void)err;
	part_opened++;
	*out = &((struct part_handle *)h)->reader;
	return 0;
}

static int part_read(struct zs_source_reader *r, void *p, size_t n, size_t *out_n, uint64_t *out_hole, struct zs_err *err)
{
	struct part_handle *h = (struct part_handle *)(void *)((char *)r - offsetof(struct part_handle, reader));
	size_t left = strlen(h->text) - h->at;

	(void)err;
	*out_hole = 0;
	*out_n = n < left ? n : left;
	memcpy(p, h->text + h->at, *out_n);
	h->at += *out_n;
	return 0;
}

static int part_close(struct zs_source_reader *r, int *out_changed, struct zs_err *err)
{
	(void)r;
	(void)err;
	*out_changed = 0;
	return 0;
}

static int part_fill(struct zs_source_handle *h, struct zs_entry *e, struct zs_buf *storage, struct zs_err *err)
{
	(void)h;
	(void)storage;
	(void)err;
	if (part_flags) {
		e->flags |= ZS_ENTRY_HAS_ITEM;
		e->item_flags = zs_span_str(part_flags);
	}
	return 0;
}

/* Content changes with the upper half of the identity. */
static int part_same(const struct zs_source_handle *h, const struct zs_entry *old)
{
	(void)h;
	return part_identity != 0 && old->identity >> 32 == part_identity >> 32;
}

static void part_handle_free(struct zs_source_handle *h)
{
	free(h);
}

static int part_next(struct zs_source *base, struct zs_source_item *out, struct zs_err *err)
{
	static const struct zs_source_ops ops = {.fill = part_fill, .same_content = part_same, .open = part_open, .read = part_read, .close = part_close, .handle_free = part_handle_free};
	struct part *p = (struct part *)base;
	struct part_handle *h;

	assert_int_equal(p->frozen, 4);
	if (p->next == p->fail_after)
		return zs_fail(err, ZS_SOURCE, "the server went away");
	if (p->next == p->files)
		return 0;
	h = calloc(1, sizeof *h);
	assert_non_null(h);
	h->base.ops = h->reader.ops = &ops;
	(void)snprintf(p->path, sizeof p->path, "%s-%03u", p->dir, p->next++);
	(void)strcpy(h->text, p->path);
	*out = (struct zs_source_item){.path = zs_span_str(p->path), .handle = &h->base, .content = ZS_KIND_FILE, .serial = 1};
	out->entry = (struct zs_entry){.kind = ZS_ENTRY_FILE, .identity = part_identity, .size = strlen(p->path), .date_ns = INT64_MIN, .item_date_ns = INT64_MIN};
	return 1;
}

static int part_prepare(struct zs_source *base, enum zs_source_phase phase, struct zs_err *err)
{
	(void)err;
	if (phase != ZS_PHASE_JOIN && phase != ZS_PHASE_THAW) /* parts of FREEZE */
		assert_int_equal(((struct part *)base)->frozen++, phase);
	return 0;
}

static int part_manifest(struct zs_source *base, struct zs_buf *out, struct zs_err *err)
{
	return zs_buf_printf(out, err, "{\"given\":%u}", ((struct part *)base)->next);
}

static void part_free(struct zs_source *base)
{
	free(base);
}

static void add_part(struct zs_source_set *set, const char *dir, unsigned files, unsigned fail_after)
{
	static const struct zs_source_ops ops = {.next = part_next, .free = part_free, .prepare = part_prepare, .manifest = part_manifest};
	struct part *p = calloc(1, sizeof *p);
	struct zs_member m = {dir, "part", &p->base};
	struct zs_err err = {0};

	assert_non_null(p);
	*p = (struct part){.base = {&ops}, .dir = dir, .files = files, .fail_after = fail_after};
	assert_int_equal(zs_source_set_add(set, &m, NULL, &err), 0);
}

struct run {
	struct zs_backup_member members[2];
	struct zs_backup_report report;
	struct zs_err err;
	int rc;
};

static void back_up(struct zs_store *st, unsigned fail_first, unsigned fail_second, struct run *out)
{
	struct zs_backup_problems *problems = NULL;
	struct zs_source_settings settings = {.problem = zs_backup_problem, .tmp_dir = help_tmp};
	struct zs_source_set *set = NULL;
	struct zs_strings none = {0};
	struct zs_backup_settings s = {.host = "h", .user = "u", .program = "p", .paths = &none, .level = -1, .threads = 2,
	    .members = out->members, .member_count = 2};

	memset(out, 0, sizeof *out);
	assert_int_equal(zs_backup_problems_new(NULL, &problems, &out->err), 0);
	settings.ctx = problems;
	assert_int_equal(zs_source_set_new(&settings, &set, &out->err), 0);
	add_part(set, "one", 3, fail_first);
	add_part(set, "two", 300, fail_second);
	s.source = zs_source_set_source(set);
	out->rc = zs_backup(st, &s, problems, &out->report, &out->err);
	zs_source_free(s.source);
	zs_backup_problems_free(problems);
}

static void counts_and_manifest(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_snapshot_list l = {0};
	struct zs_err err = {0};
	struct run r;

	(void)state;
	back_up(st, UINT32_MAX, UINT32_MAX, &r);
	assert_int_equal(r.rc, 0);
	assert_false(r.report.partial);
	assert_int_equal(r.members[0].files, 3);
	assert_int_equal(r.members[0].bytes, 3 * 7);
	assert_int_equal(r.members[0].files_new, 3);
	assert_int_equal(r.members[1].entries, 300);
	assert_int_equal(zs_store_snapshots(st, &l, NULL, &err), 0);
	assert_int_equal(l.n, 1);
	assert_non_null(memmem(l.v[0].snapshot->manifest.p, l.v[0].snapshot->manifest.n, "{\"given\":300}", 13));
	zs_snapshot_list_fini(&l);
	back_up(st, UINT32_MAX, UINT32_MAX, &r);
	assert_int_equal(r.members[1].files_new, 0);
	assert_int_equal(r.members[1].files_changed, 300);
	zs_store_free(st);
	zs_backend_free(be);
}

static void one_that_fails_makes_it_partial(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_snapshot_list l = {0};
	struct zs_err err = {0};
	struct run r;

	(void)state;
	back_up(st, 1, UINT32_MAX, &r);
	assert_int_equal(r.rc, 0);
	assert_true(r.report.partial);
	assert_int_equal(r.members[0].files, 1);
	assert_int_equal(r.members[1].files, 300);
	assert_int_equal(zs_store_snapshots(st, &l, NULL, &err), 0);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.v[0].snapshot->reasons.n, 1);
	assert_string_equal(l.v[0].snapshot->reasons.v[0], "one: the server went away");
	assert_non_null(memmem(l.v[0].snapshot->manifest.p, l.v[0].snapshot->manifest.n, "\"state\":\"failed\"", 16));
	zs_snapshot_list_fini(&l);
	zs_store_free(st);
	zs_backend_free(be);
}

static void all_failed_is_no_snapshot(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_snapshot_list l = {0};
	struct zs_err err = {0};
	struct run r;

	(void)state;
	back_up(st, 2, 250, &r);
	assert_int_equal(r.rc, -1);
	assert_int_equal(r.err.cause, ZS_SOURCE);
	assert_int_equal(zs_store_snapshots(st, &l, NULL, &err), 0);
	assert_int_equal(l.n, 0);
	zs_snapshot_list_fini(&l);
	zs_store_free(st);
	zs_backend_free(be);
}

/* Only the flags changed: the content is kept without being read, and comes out. */
static void metadata_alone(void **state)
{
	static const struct { uint64_t identity; const char *flags; unsigned opened, changed; } runs[] = {
	    {UINT64_C(0x100000001), "a", 303, 0}, {UINT64_C(0x100000001), "a", 0, 0}, {UINT64_C(0x100000002), "b", 0, 303},
	    {UINT64_C(0x200000003), "c", 303, 303}};
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_snapshot_list l = {0};
	struct zs_buf entry = ZS_BUF_INIT;
	struct zs_err err = {0};
	struct zs_entry e;
	struct run r;

	(void)state;
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		struct zs_store_reader *reader = NULL;
		struct zs_tree_io io;

		part_identity = runs[i].identity;
		part_flags = runs[i].flags;
		part_opened = 0;
		back_up(st, UINT32_MAX, UINT32_MAX, &r);
		assert_int_equal(r.rc, 0);
		assert_int_equal(part_opened, runs[i].opened);
		assert_int_equal(r.report.files_changed, runs[i].changed);
		assert_int_equal(zs_store_snapshots(st, &l, NULL, &err), 0);
		assert_int_equal(zs_store_reader_new(st, 1 << 20, &reader, &err), 0);
		io = zs_reader_tree_io(reader);
		assert_int_equal(zs_tree_lookup(&io, &l.v[i].snapshot->root, zs_span_str("two-123"), &entry, &err), 1);
		assert_int_equal(zs_format_entry_decode(zs_buf_span(&entry), &e, &err), 0);
		assert_true(zs_span_eq(e.item_flags, zs_span_str(runs[i].flags)));
		assert_true(zs_span_eq(e.inline_data, zs_span_str("two-123")));
		assert_int_equal(e.identity, runs[i].identity);
		zs_buf_clear(&entry);
		zs_store_reader_free(reader);
		zs_snapshot_list_fini(&l);
	}
	part_identity = 0;
	part_flags = NULL;
	zs_buf_fini(&entry);
	zs_store_free(st);
	zs_backend_free(be);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_and_manifest),
		cmocka_unit_test(one_that_fails_makes_it_partial),
		cmocka_unit_test(all_failed_is_no_snapshot),
		cmocka_unit_test(metadata_alone),
	};

	return cmocka_run_group_tests(tests, help_setup, help_teardown);
}
