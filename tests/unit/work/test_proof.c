/*
 * What a source can prove: a directory that is as it was is taken from the previous snapshot, unless somebody failed there; content
 * that several items share is read once, if it was found good; an item keeps its content under whatever path.
 */
#include "work_help.h"

#define FILES 9u

struct account { /* "a" with a/1 .. a/9, proven by "z/a" */
	struct zs_source base;
	unsigned next, skips, problems;
};
struct handle {
	struct zs_source_handle base;
	struct zs_source_reader reader;
	unsigned number;
	int is_given;
};
static struct {
	uint64_t probe;	   /* of the whole */
	unsigned bad;	   /* number of the file that cannot be read; 0: none */
	unsigned torn;	   /* of the one that is not as it should be */
	unsigned later;	   /* of the one that is a later version */
	int same;	   /* a/8 and a/9 have a key */
	int moves;	   /* a/2 and a/9 have other paths */
	int is_other;	   /* and other content */
	int64_t mtime_ns;
	unsigned opened;
} facts;

static int account_open(struct zs_source_handle *base, struct zs_source_reader **out, struct zs_err *err)
{
	struct handle *h = (struct handle *)base;

	facts.opened++;
	if (facts.bad && h->number == facts.bad)
		return zs_fail(err, ZS_SOURCE, "it is not there");
	*out = &h->reader;
	return 0;
}

static int account_read(struct zs_source_reader *r, void *p, size_t n, size_t *out_n, uint64_t *out_hole, struct zs_err *err)
{
	struct handle *h = (struct handle *)(void *)((char *)r - offsetof(struct handle, reader));

	(void)n;
	(void)err;
	*out_hole = 0;
	*out_n = h->is_given ? 0 : 5;
	memcpy(p, "hello", *out_n);
	h->is_given = 1;
	return 0;
}

static int account_close(struct zs_source_reader *r, int *out_changed, struct zs_err *err)
{
	struct handle *h = (struct handle *)(void *)((char *)r - offsetof(struct handle, reader));

	*out_changed = facts.later && h->number == facts.later ? ZS_CONTENT_LATER : ZS_CONTENT_AS_LISTED;
	return facts.torn && h->number == facts.torn ? zs_fail(err, ZS_SOURCE, "it is not what it should be") : 0;
}

static int account_same_key(struct zs_source_handle *base, uint64_t out_key[2])
{
	if (((struct handle *)base)->number < 8)
		return 0;
	out_key[0] = out_key[1] = 4711;
	return facts.same;
}

/* What was read is what was listed, unless it is a later version: then it is something else. */
static int account_read_key(struct zs_source_reader *r, uint64_t out_key[2])
{
	struct handle *h = (struct handle *)(void *)((char *)r - offsetof(struct handle, reader));
	int rc = account_same_key(&h->base, out_key);

	if (facts.later && h->number == facts.later)
		out_key[0] = 1;
	return rc;
}

static int account_fill(struct zs_source_handle *base, struct zs_entry *e, struct zs_buf *storage, struct zs_err *err)
{
	(void)storage;
	(void)err;
	e->flags |= ZS_ENTRY_HAS_ITEM;
	e->item_id = ((struct handle *)base)->number;
	return 0;
}

static int account_same_content(const struct zs_source_handle *base, const struct zs_entry *old)
{
	return !facts.is_other && old->identity == 1000 + ((const struct handle *)base)->number;
}

static void account_handle_free(struct zs_source_handle *h)
{
	free(h);
}

static int give(struct zs_source_item *out, const char *path, unsigned number)
{
	static const struct zs_source_ops ops = {.open = account_open, .read = account_read, .close = account_close, .same_key = account_same_key, .read_key = account_read_key,
	    .fill = account_fill, .same_content = account_same_content, .handle_free = account_handle_free};
	struct handle *h = calloc(1, sizeof *h);

	assert_non_null(h);
	h->base.ops = h->reader.ops = &ops;
	h->number = number;
	*out = (struct zs_source_item){.path = zs_span_str(path), .handle = &h->base, .content = ZS_KIND_FILE, .part = number ? 1 : 0};
	out->entry = (struct zs_entry){.kind = ZS_ENTRY_FILE, .size = 5, .date_ns = INT64_MIN, .item_date_ns = INT64_MIN, .item_id = number, .mtime_ns = facts.mtime_ns};
	out->home = zs_span_str(number ? "a" : "");
	return 1;
}

static int give_directory(struct zs_source_item *out, const char *path)
{
	*out = (struct zs_source_item){.path = zs_span_str(path)};
	out->entry = (struct zs_entry){.kind = ZS_ENTRY_DIR, .date_ns = INT64_MIN, .item_date_ns = INT64_MIN};
	return 1;
}

static int account_next(struct zs_source *base, struct zs_source_item *out, struct zs_err *err)
{
	static char path[8];
	struct account *a = (struct account *)base;
	unsigned n = a->next++;

	(void)err;
	if (n == 0) {
		(void)give_directory(out, "a");
		out->part = 1;
		out->proof = zs_span_str("z/a");
		out->proof_identity = facts.probe;
	} else if (n <= FILES) {
		(void)snprintf(path, sizeof path, !facts.moves || (n != 2 && n != 9) ? "a/%u" : n == 2 ? "a/1/%u" : "a/9/%u", n);
		(void)give(out, path, n);
		out->serial = n == 8; /* so that a/9 comes when it was read */
		out->entry.identity = 1000 + n;
	} else if (n == FILES + 1) {
		(void)give_directory(out, "z");
		out->serial = 1;
	} else if (n == FILES + 2) {
		(void)give(out, "z/a", 0);
		out->serial = 1;
		out->entry.identity = a->problems ? 0 : facts.probe;
	} else {
		return 0;
	}
	return 1;
}

static void account_skip(struct zs_source *base)
{
	struct account *a = (struct account *)base;

	assert_int_equal(a->next, 1); /* the directory was the last that was given */
	a->skips++;
	a->next = FILES + 1;
}

static void account_failed(struct zs_source *base, unsigned member, unsigned part, const struct zs_err *why)
{
	(void)member;
	(void)why;
	((struct account *)base)->problems += part == 1;
}

static void account_free(struct zs_source *base)
{
	(void)base;
}

struct outcome { struct zs_backup_report report; struct zs_backup_member member; unsigned opened, skips; };

static void back_up(struct zs_store *st, unsigned flags, struct outcome *out)
{
	static const struct zs_source_ops ops = {.next = account_next, .free = account_free, .skip = account_skip, .failed = account_failed};
	struct account a = {.base = {&ops}};
	struct zs_backup_problems *problems = NULL;
	struct zs_strings none = {0};
	struct zs_backup_settings s = {.source = &a.base, .host = "h", .user = "u", .program = "p", .paths = &none, .time_ns = 1000, .level = -1, .threads = 2,
	    .flags = flags, .members = &out->member, .member_count = 1};
	struct zs_err err = {0};

	memset(out, 0, sizeof *out);
	facts.opened = 0;
	assert_int_equal(zs_backup_problems_new(NULL, &problems, &err), 0);
	assert_int_equal(zs_backup(st, &s, problems, &out->report, &err), 0);
	zs_backup_problems_free(problems);
	out->opened = facts.opened;
	out->skips = a.skips;
	if (!out->report.partial) {
		assert_int_equal(out->report.totals.files, FILES + 1);
		assert_int_equal(out->report.totals.bytes, 5 * (FILES + 1));
		assert_int_equal(out->member.parts[0].files, FILES);
	}
	zs_backup_member_fini(&out->member);
}

static void what_is_proven_is_taken(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct outcome o;

	(void)state;
	memset(&facts, 0, sizeof facts);
	facts.probe = 1;
	back_up(st, 0, &o);
	assert_int_equal(o.opened, FILES + 1);
	back_up(st, 0, &o);
	assert_int_equal(o.opened, 0);
	assert_int_equal(o.skips, 1);
	assert_int_equal(o.report.files_new + o.report.files_changed, 0);
	back_up(st, ZS_BACKUP_FORCE, &o);
	assert_int_equal(o.opened, FILES + 1);
	facts.probe = 2;
	back_up(st, 0, &o);
	assert_int_equal(o.opened, 1); /* items vouch for themselves, but not for each other */
	facts.probe = 0; /* not known */
	back_up(st, 0, &o);
	assert_int_equal(o.skips, 0);
	zs_store_free(st);
	zs_backend_free(be);
}

static void nothing_is_proven_where_something_failed(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct outcome o;

	(void)state;
	memset(&facts, 0, sizeof facts);
	facts.probe = 1;
	facts.bad = 3;
	back_up(st, 0, &o);
	assert_true(o.report.partial);
	facts.bad = 0;
	back_up(st, 0, &o);
	assert_int_equal(o.skips, 0);
	assert_false(o.report.partial);
	back_up(st, 0, &o);
	assert_int_equal(o.skips, 1);
	zs_store_free(st);
	zs_backend_free(be);
}

/* What is shared is only what was read and found good. */
static void equal_content_is_read_once(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct outcome o;

	(void)state;
	memset(&facts, 0, sizeof facts);
	back_up(st, ZS_BACKUP_FORCE, &o);
	assert_int_equal(o.opened, FILES + 1);
	facts.same = 1;
	back_up(st, ZS_BACKUP_FORCE, &o);
	assert_int_equal(o.opened, FILES);
	facts.bad = 8; /* the other one does not depend on it */
	back_up(st, ZS_BACKUP_FORCE, &o);
	assert_int_equal(o.opened, FILES + 1);
	assert_int_equal(o.report.skipped, 1);
	facts.bad = 0;
	facts.torn = 8;
	back_up(st, ZS_BACKUP_FORCE, &o);
	assert_int_equal(o.opened, FILES + 1);
	assert_int_equal(o.report.skipped, 1);
	facts.torn = 0;
	facts.later = 8;
	back_up(st, ZS_BACKUP_FORCE, &o);
	assert_int_equal(o.opened, FILES + 1);
	zs_store_free(st);
	zs_backend_free(be);
}

/* It is no problem, but the item is not taken for unchanged. */
static void later_versions_are_read_again(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct outcome o;

	(void)state;
	memset(&facts, 0, sizeof facts);
	facts.later = 5;
	back_up(st, 0, &o);
	assert_false(o.report.partial);
	facts.later = 0;
	back_up(st, 0, &o);
	assert_int_equal(o.opened, 2); /* a/5, and z/a, for which nobody vouches */
	back_up(st, 0, &o);
	assert_int_equal(o.opened, 1);
	zs_store_free(st);
	zs_backend_free(be);
}

/* Backwards and forwards in the order of paths; but not what is newer than the previous snapshot, or has other content. */
static void what_moves_is_not_read(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct outcome o;

	(void)state;
	memset(&facts, 0, sizeof facts);
	facts.bad = 4; /* nobody vouches for what is not there */
	back_up(st, 0, &o);
	facts.bad = 0;
	back_up(st, 0, &o);
	assert_int_equal(o.opened, 2); /* a/4, and z/a, for which nobody ever vouches here */
	for (int round = 0; round < 2; round++) {
		facts.moves = !facts.moves;
		back_up(st, 0, &o);
		assert_int_equal(o.opened, 1);
		assert_int_equal(o.report.files_new, 2);
		assert_int_equal(o.report.read_bytes, 5);
	}
	facts.moves = facts.is_other = 1;
	back_up(st, 0, &o);
	assert_int_equal(o.opened, 3);
	facts.moves = facts.is_other = 0;
	facts.mtime_ns = INT64_MAX;
	back_up(st, 0, &o);
	assert_int_equal(o.opened, 3);
	facts.mtime_ns = 0;
	facts.moves = 1;
	back_up(st, ZS_BACKUP_FORCE, &o);
	assert_int_equal(o.opened, FILES + 1);
	zs_store_free(st);
	zs_backend_free(be);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_proven_is_taken), cmocka_unit_test(nothing_is_proven_where_something_failed),
	    cmocka_unit_test(equal_content_is_read_once), cmocka_unit_test(later_versions_are_read_again), cmocka_unit_test(what_moves_is_not_read)};

	return cmocka_run_group_tests(tests, help_setup, help_teardown);
}
