/*
 * Content in groups: each is a chunk of its own, wherever it stands and however it is read; large ones are cut; what comes out
 * is what went in; a group that did not change is not stored again.
 */
#include "work_help.h"

#define GROUPS_MAX 3000

struct grouped { /* one file, of groups of pseudorandom bytes */
	struct zs_source base;
	struct zs_source_handle handle;
	struct zs_source_reader reader;
	unsigned n, group;
	uint32_t sizes[GROUPS_MAX], seeds[GROUPS_MAX];
	uint32_t at;	   /* in the group */
	unsigned slice;	   /* bytes that a read gives at most */
	unsigned fail_at;  /* group */
	int given, announced;
};

static struct grouped *of_reader(struct zs_source_reader *r)
{
	return (struct grouped *)(void *)((char *)r - offsetof(struct grouped, reader));
}

static uint8_t byte_of(uint32_t seed, uint32_t at)
{
	uint64_t v = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ (at / 7 + 1) * UINT64_C(0xc2b2ae3d27d4eb4f);

	v ^= v >> 29;
	return (uint8_t)(v * UINT64_C(0xbf58476d1ce4e5b9) >> 40);
}

static int grouped_next(struct zs_source *base, struct zs_source_item *out, struct zs_err *err)
{
	struct grouped *g = (struct grouped *)base;

	(void)err;
	if (g->given)
		return 0;
	g->given = 1;
	*out = (struct zs_source_item){.path = zs_span_str("rows.sql"), .handle = &g->handle, .content = ZS_KIND_SQL, .serial = 1};
	out->entry = (struct zs_entry){.kind = ZS_ENTRY_FILE, .date_ns = INT64_MIN, .item_date_ns = INT64_MIN};
	return 1;
}

static int grouped_open(struct zs_source_handle *h, struct zs_source_reader **out, struct zs_err *err)
{
	(void)err;
	*out = &((struct grouped *)(void *)((char *)h - offsetof(struct grouped, handle)))->reader;
	return 0;
}

static int grouped_read(struct zs_source_reader *r, void *p, size_t n, size_t *out_n, uint64_t *out_hole, struct zs_err *err)
{
	struct grouped *g = of_reader(r);
	uint32_t left = g->announced ? g->sizes[g->group] - g->at : 0;

	*out_hole = 0;
	if (g->announced && g->group == g->fail_at && g->at > 0)
		return zs_fail(err, ZS_SOURCE, "the stream was cut");
	n = n < left ? n : left;
	n = n < g->slice ? n : g->slice;
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = byte_of(g->seeds[g->group], g->at + (uint32_t)i);
	g->at += (uint32_t)n;
	*out_n = n;
	return 0;
}

static int grouped_next_group(struct zs_source_reader *r, uint64_t *out_tag, struct zs_err *err)
{
	struct grouped *g = of_reader(r);

	(void)err;
	if (g->announced)
		assert_int_equal(g->at, g->sizes[g->group]);
	g->group += (unsigned)g->announced;
	g->announced = 1;
	g->at = 0;
	*out_tag = g->group;
	return g->group < g->n;
}

static int grouped_close(struct zs_source_reader *r, int *out_changed, struct zs_err *err)
{
	(void)r;
	(void)err;
	*out_changed = 0;
	return 0;
}

static void nothing(struct zs_source_handle *h)
{
	(void)h;
}

static void grouped_free(struct zs_source *base)
{
	free(base);
}

static struct grouped *grouped_new(unsigned n, uint32_t (*size)(unsigned), unsigned slice)
{
	static const struct zs_source_ops ops = {.next = grouped_next, .free = grouped_free, .open = grouped_open, .read = grouped_read,
	    .next_group = grouped_next_group, .close = grouped_close, .handle_free = nothing};
	struct grouped *g = calloc(1, sizeof *g);

	assert_non_null(g);
	*g = (struct grouped){.base = {&ops}, .handle = {&ops}, .reader = {&ops}, .n = n, .slice = slice, .fail_at = UINT32_MAX};
	for (unsigned i = 0; i < n; i++) {
		g->sizes[i] = size(i);
		g->seeds[i] = i;
	}
	return g;
}

static int back_up(struct zs_store *st, struct grouped *g, unsigned threads, struct zs_backup_report *report, struct zs_err *err)
{
	struct zs_backup_problems *problems = NULL;
	struct zs_strings none = {0};
	struct zs_backup_settings s = {.source = &g->base, .host = "h", .user = "u", .program = "p", .paths = &none, .level = 1, .threads = threads};
	int rc;

	assert_int_equal(zs_backup_problems_new(NULL, &problems, err), 0);
	rc = zs_backup(st, &s, problems, report, err);
	zs_backup_problems_free(problems);
	return rc;
}

struct check { struct zs_store_reader *reader; const struct grouped *g; unsigned group; uint32_t at; uint64_t bytes; };

static int check_chunk(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err)
{
	return zs_store_read(((struct check *)ctx)->reader, id, out, err);
}

static int check_bytes(void *ctx, struct zs_span bytes, struct zs_err *err)
{
	struct check *c = ctx;

	(void)err;
	for (size_t i = 0; i < bytes.n; i++) {
		while (c->at == c->g->sizes[c->group]) {
			c->group++;
			c->at = 0;
		}
		if (bytes.p[i] != byte_of(c->g->seeds[c->group], c->at++))
			fail_msg("another byte in group %u", c->group);
	}
	c->bytes += bytes.n;
	return 0;
}

static int no_hole(void *ctx, uint64_t bytes, struct zs_err *err)
{
	(void)ctx;
	(void)bytes;
	(void)err;
	return -1;
}

/* The newest snapshot gives back the content. */
static void assert_comes_back(struct zs_store *st, const struct grouped *g)
{
	struct check c = {.g = g};
	const struct zs_join_io io = {&c, check_chunk, check_bytes, no_hole};
	struct zs_snapshot_list l = {0};
	struct zs_buf entry = ZS_BUF_INIT;
	struct zs_err err = {0};
	struct zs_tree_io tree;
	struct zs_entry e;
	uint64_t want = 0;

	for (unsigned i = 0; i < g->n; i++)
		want += g->sizes[i];
	assert_int_equal(zs_store_snapshots(st, &l, NULL, &err), 0);
	assert_int_equal(zs_store_reader_new(st, 8 << 20, &c.reader, &err), 0);
	tree = zs_reader_tree_io(c.reader);
	assert_int_equal(zs_tree_lookup(&tree, &l.v[l.n - 1].snapshot->root, zs_span_str("rows.sql"), &entry, &err), 1);
	assert_int_equal(zs_format_entry_decode(zs_buf_span(&entry), &e, &err), 0);
	assert_int_equal(e.size, want);
	if (zs_mail_join(&e, &io, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(c.bytes, want);
	zs_buf_fini(&entry);
	zs_store_reader_free(c.reader);
	zs_snapshot_list_fini(&l);
}

static uint32_t small(unsigned i)
{
	return i % 97 == 5 ? 0 : 200 + i * 7919u % 30000;
}

static uint32_t mixed(unsigned i)
{
	return i == 3 ? (5u << 20) + 11 : i == 4 ? ZS_CHUNK_MAX : i == 5 ? ZS_CHUNK_MAX - 1 : i == 6 ? 1 : i == 7 ? ZS_CHUNK_MAX + 1 : 10000 + i * 104729u % 500000;
}

static uint32_t tiny(unsigned i)
{
	return 10 + i;
}

static void what_went_in_comes_out(void **state)
{
	static const struct { unsigned n; uint32_t (*size)(unsigned); unsigned slice, threads; } runs[] = {
	    {2500, small, UINT32_MAX, 2}, {2500, small, 1000, 1}, {40, mixed, UINT32_MAX, 3}, {40, mixed, 70000, 2}, {3, tiny, UINT32_MAX, 2}, {1, mixed, 4096, 2}, {0, tiny, 1, 1}};

	(void)state;
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		struct zs_backend *be = help_repo();
		struct zs_store *st = help_open(be);
		struct grouped *g = grouped_new(runs[i].n, runs[i].size, runs[i].slice);
		struct zs_backup_report report;
		struct zs_err err = {0};

		if (back_up(st, g, runs[i].threads, &report, &err) < 0)
			fail_msg("%s", err.text);
		assert_false(report.partial);
		assert_comes_back(st, g);
		grouped_free(&g->base);
		zs_store_free(st);
		zs_backend_free(be);
	}
}

/* One group in the middle changes: only that is new, whatever the slices and the number of workers are. */
static void only_what_changed_is_stored(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct grouped *g = grouped_new(800, small, UINT32_MAX);
	struct zs_backup_report report;
	struct zs_err err = {0};
	uint64_t overhead;

	(void)state;
	assert_int_equal(back_up(st, g, 2, &report, &err), 0);
	grouped_free(&g->base);
	g = grouped_new(800, small, 333);
	assert_int_equal(back_up(st, g, 4, &report, &err), 0);
	overhead = report.added_bytes; /* the tree's node */
	assert_true(overhead < 5000);
	grouped_free(&g->base);
	g = grouped_new(800, small, 4097);
	g->seeds[400] = 123456;
	assert_int_equal(back_up(st, g, 1, &report, &err), 0);
	assert_true(report.added_bytes >= g->sizes[400]);
	assert_true(report.added_bytes < g->sizes[400] + 70000); /* the group, the part of the recipe that names it, the node */
	assert_comes_back(st, g);
	grouped_free(&g->base);
	zs_store_free(st);
	zs_backend_free(be);
}

/* A stream that is cut is named, and not stored. */
static void cut_streams(void **state)
{
	static const unsigned at[] = {0, 1, 700, 799};

	(void)state;
	for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
		struct zs_backend *be = help_repo();
		struct zs_store *st = help_open(be);
		struct grouped *g = grouped_new(800, small, 5000);
		struct zs_backup_report report;
		struct zs_err err = {0};

		g->fail_at = at[i];
		g->sizes[at[i]] = 20000;
		assert_int_equal(back_up(st, g, 2, &report, &err), 0);
		assert_true(report.partial);
		assert_int_equal(report.totals.files, 0);
		grouped_free(&g->base);
		zs_store_free(st);
		zs_backend_free(be);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_went_in_comes_out),
		cmocka_unit_test(only_what_changed_is_stored),
		cmocka_unit_test(cut_streams),
	};

	return cmocka_run_group_tests(tests, help_setup, help_teardown);
}
