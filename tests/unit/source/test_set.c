/* Sets of sources: order, doubles, what the failure of one means for the others, reports and manifests. */
#include "util.h"

#define PATHS_MAX 8

struct fake { /* yields its paths; fails at a phase or after some items */
	struct zs_source base;
	const char *paths[PATHS_MAX];
	int fail_phase; /* -1: never */
	int fail_after; /* items; -1: never */
	enum zs_cause cause;
	unsigned next;
	int frozen; /* phases seen, in order */
	const struct zs_source_settings *settings;
};

static int fakes_alive, handles_alive, phase_log[16], phase_count;

static void fake_handle_free(struct zs_source_handle *h)
{
	handles_alive--;
	free(h);
}

static int fake_next(struct zs_source *base, struct zs_source_item *out, struct zs_err *err)
{
	static const struct zs_source_ops handle_ops = {.handle_free = fake_handle_free};
	struct fake *f = (struct fake *)base;
	const char *path = f->paths[f->next];

	if (f->fail_after >= 0 && (int)f->next == f->fail_after)
		return zs_fail(err, f->cause, "the line is dead");
	if (!path)
		return 0;
	f->next++;
	*out = (struct zs_source_item){.path = zs_span_str(path), .serial = 1};
	out->entry.kind = path[strlen(path) - 1] == 'd' ? ZS_ENTRY_DIR : ZS_ENTRY_FILE;
	out->handle = malloc(sizeof *out->handle);
	assert_non_null(out->handle);
	out->handle->ops = &handle_ops;
	handles_alive++;
	return 1;
}

static void fake_free(struct zs_source *base)
{
	fakes_alive--;
	free(base);
}

static char held_log[32]; /* f, j, t: who froze, joined, thawed */
static size_t held_count;

static int fake_prepare(struct zs_source *base, enum zs_source_phase phase, struct zs_err *err)
{
	struct fake *f = (struct fake *)base;

	if (phase == ZS_PHASE_JOIN || phase == ZS_PHASE_THAW) {
		assert_int_equal(f->frozen, ZS_PHASE_FREEZE + 1);
		if (held_count < sizeof held_log - 1)
			held_log[held_count++] = phase == ZS_PHASE_JOIN ? 'j' : 't';
		return f->fail_phase == (int)phase ? zs_fail(err, f->cause, "no") : 0;
	}
	assert_int_equal(phase, f->frozen);
	f->frozen++;
	if (phase == ZS_PHASE_FREEZE && held_count < sizeof held_log - 1)
		held_log[held_count++] = 'f';
	if (phase_count < 16)
		phase_log[phase_count++] = phase;
	return f->fail_phase == (int)phase ? zs_fail(err, f->cause, "no") : 0;
}

static int fake_manifest(struct zs_source *base, struct zs_buf *out, struct zs_err *err)
{
	return zs_buf_printf(out, err, "{\"items\":%u}", ((struct fake *)base)->next);
}

static const struct zs_source_ops fake_ops = {.next = fake_next, .free = fake_free, .prepare = fake_prepare, .manifest = fake_manifest};

static const struct zs_source_ops joining_ops = {.next = fake_next, .free = fake_free, .prepare = fake_prepare, .joins = 1};

static struct fake *fake_new(const char *const *paths)
{
	struct fake *f = calloc(1, sizeof *f);

	assert_non_null(f);
	f->base.ops = &fake_ops;
	f->fail_phase = f->fail_after = -1;
	f->cause = ZS_SOURCE;
	for (unsigned i = 0; paths[i]; i++)
		f->paths[i] = paths[i];
	fakes_alive++;
	return f;
}

static struct zs_source_set *set_new(struct problems *problems)
{
	const struct zs_source_settings settings = {.problem = note_problem, .ctx = problems, .tmp_dir = "/tmp"};
	struct zs_source_set *set = NULL;
	struct zs_err err = {0};

	memset(problems, 0, sizeof *problems);
	phase_count = 0;
	held_count = 0;
	memset(held_log, 0, sizeof held_log);
	assert_int_equal(zs_source_set_new(&settings, &set, &err), 0);
	return set;
}

static void add_fake(struct zs_source_set *set, const char *name, struct fake *f)
{
	struct zs_member m = {name, "fake", &f->base};
	struct zs_err err = {0};

	f->settings = zs_source_set_settings(set);
	assert_non_null(f->settings);
	assert_int_equal(zs_source_set_add(set, &m, NULL, &err), 0);
}

/* All paths with the member's number, joined; the last result of next. */
static int walk(struct zs_source_set *set, char *out, struct zs_err *err)
{
	struct zs_source_item item;
	int rc;

	*out = 0;
	while ((rc = zs_source_next(zs_source_set_source(set), &item, err)) > 0) {
		(void)sprintf(out + strlen(out), "%u:%.*s ", item.member, (int)item.path.n, (const char *)item.path.p);
		zs_source_handle_free(item.handle);
	}
	return rc;
}

static void done(struct zs_source_set *set)
{
	zs_source_free(zs_source_set_source(set));
	assert_int_equal(fakes_alive, 0);
	assert_int_equal(handles_alive, 0);
}

static void merges_in_path_order(void **state)
{
	struct problems problems;
	struct zs_source_set *set = set_new(&problems);
	struct zs_err err = {0};
	char text[256];

	(void)state;
	add_fake(set, "one", fake_new((const char *const[]){"ad", "ad/x", "c", NULL}));
	add_fake(set, "two", fake_new((const char *const[]){"ad", "ad/b", "b", NULL}));
	add_fake(set, "none", fake_new((const char *const[]){NULL}));
	assert_int_equal(walk(set, text, &err), 0);
	assert_string_equal(text, "0:ad 1:ad/b 0:ad/x 1:b 0:c ");
	assert_int_equal(problems.n, 0);
	done(set);
}

static void a_second_file_of_one_path_is_named(void **state)
{
	struct problems problems;
	struct zs_source_set *set = set_new(&problems);
	struct zs_member_report r;
	struct zs_err err = {0};
	char text[256];

	(void)state;
	add_fake(set, "one", fake_new((const char *const[]){"b", NULL}));
	add_fake(set, "two", fake_new((const char *const[]){"b", "c", NULL}));
	assert_int_equal(walk(set, text, &err), 0);
	assert_string_equal(text, "0:b 1:c ");
	assert_int_equal(problems.n, 1);
	assert_string_equal(problems.path, "b");
	zs_source_set_report(set, 0, &r);
	assert_int_equal(r.state, ZS_MEMBER_DONE);
	zs_source_set_report(set, 1, &r);
	assert_int_equal(r.state, ZS_MEMBER_PARTIAL);
	assert_int_equal(r.problems, 1);
	done(set);
}

/* What could not be read by whoever reads counts for its member. */
static void failed_items_count(void **state)
{
	struct problems problems;
	struct zs_source_set *set = set_new(&problems);
	struct zs_source *whole = zs_source_set_source(set);
	struct zs_member_report r;
	struct zs_err err = {0};

	(void)state;
	add_fake(set, "one", fake_new((const char *const[]){"a", NULL}));
	add_fake(set, "two", fake_new((const char *const[]){"b", NULL}));
	zs_source_failed(whole, 1, 0, &err);
	zs_source_failed(whole, 1, 0, &err);
	zs_source_failed(whole, 7, 0, &err); /* nobody's */
	zs_source_set_report(set, 0, &r);
	assert_int_equal(r.state, ZS_MEMBER_DONE);
	zs_source_set_report(set, 1, &r);
	assert_int_equal(r.state, ZS_MEMBER_PARTIAL);
	assert_int_equal(r.problems, 2);
	assert_int_equal(problems.n, 0); /* named already */
	done(set);
}

static void phases_go_through_all_members(void **state)
{
	static const int want[] = {0, 0, 1, 1, 2, 2, 3, 3};
	struct problems problems;
	struct zs_source_set *set = set_new(&problems);
	struct zs_err err = {0};

	(void)state;
	add_fake(set, "one", fake_new((const char *const[]){"a", NULL}));
	add_fake(set, "two", fake_new((const char *const[]){"b", NULL}));
	for (int p = ZS_PHASE_CONNECT; p <= ZS_PHASE_SETTLE; p++)
		assert_int_equal(zs_source_prepare(zs_source_set_source(set), (enum zs_source_phase)p, &err), 0);
	assert_int_equal(phase_count, 8);
	assert_memory_equal(phase_log, want, sizeof want);
	done(set);
}

/* Nobody is held still for longer than his own snapshot takes, unless somebody joins; then until all have theirs. */
static void joined_snapshots(void **state)
{
	for (int joins = 0; joins < 2; joins++) {
		struct problems problems;
		struct zs_source_set *set = set_new(&problems);
		struct zs_err err = {0};
		struct fake *second = fake_new((const char *const[]){"b", NULL});

		(void)state;
		if (joins)
			second->base.ops = &joining_ops;
		add_fake(set, "one", fake_new((const char *const[]){"a", NULL}));
		add_fake(set, "two", second);
		for (int p = ZS_PHASE_CONNECT; p <= ZS_PHASE_SETTLE; p++)
			assert_int_equal(zs_source_prepare(zs_source_set_source(set), (enum zs_source_phase)p, &err), 0);
		assert_string_equal(held_log, joins ? "ffjjtt" : "fjtfjt");
		done(set);
	}
}

static int prepare_all(struct zs_source_set *set, struct zs_err *err)
{
	for (int p = ZS_PHASE_CONNECT; p <= ZS_PHASE_SETTLE; p++)
		if (zs_source_prepare(zs_source_set_source(set), (enum zs_source_phase)p, err) < 0)
			return -1;
	return 0;
}

static void one_that_fails_ends_alone(void **state)
{
	(void)state;
	for (int phase = ZS_PHASE_CONNECT; phase <= ZS_PHASE_SETTLE + 1; phase++) { /* the last: in next */
		struct problems problems;
		struct zs_source_set *set = set_new(&problems);
		struct fake *bad = fake_new((const char *const[]){"a", "a2", NULL});
		struct zs_member_report r;
		struct zs_err err = {0};
		char text[256];

		bad->fail_phase = phase <= ZS_PHASE_SETTLE ? phase : -1;
		bad->fail_after = 1;
		add_fake(set, "bad", bad);
		add_fake(set, "good", fake_new((const char *const[]){"b", NULL}));
		assert_int_equal(prepare_all(set, &err), 0);
		assert_int_equal(walk(set, text, &err), 0);
		assert_string_equal(text, phase <= ZS_PHASE_SETTLE ? "1:b " : "0:a 1:b ");
		assert_int_equal(problems.n, 1);
		assert_string_equal(problems.path, "bad");
		zs_source_set_report(set, 0, &r);
		assert_int_equal(r.state, ZS_MEMBER_FAILED);
		assert_non_null(strstr(r.why, phase <= ZS_PHASE_SETTLE ? "no" : "dead"));
		zs_source_set_report(set, 1, &r);
		assert_int_equal(r.state, ZS_MEMBER_DONE);
		done(set);
	}
}

static void the_only_one_and_all_of_them_fail_the_set(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 2; n++) {
		struct problems problems;
		struct zs_source_set *set = set_new(&problems);
		struct zs_err err = {0};
		char text[256];

		for (unsigned i = 0; i < n; i++) {
			struct fake *bad = fake_new((const char *const[]){"a", NULL});

			bad->fail_after = 0;
			add_fake(set, "bad", bad);
		}
		assert_int_equal(walk(set, text, &err), -1);
		assert_int_equal(err.cause, ZS_SOURCE);
		assert_int_equal(problems.n, n == 1 ? 0 : 2);
		assert_non_null(strstr(err.text, n == 1 ? "dead" : "every source failed"));
		done(set);
	}
}

static void an_error_that_is_not_the_sources_ends_all(void **state)
{
	struct problems problems;
	struct zs_source_set *set = set_new(&problems);
	struct fake *bad = fake_new((const char *const[]){"a", NULL});
	struct zs_err err = {0};
	char text[256];

	(void)state;
	bad->fail_after = 0;
	bad->cause = ZS_STOPPED;
	add_fake(set, "bad", bad);
	add_fake(set, "good", fake_new((const char *const[]){"b", NULL}));
	assert_int_equal(walk(set, text, &err), -1);
	assert_int_equal(err.cause, ZS_STOPPED);
	done(set);
}

static void one_that_could_not_be_made_counts_as_failed(void **state)
{
	struct problems problems;
	struct zs_source_set *set = set_new(&problems);
	struct zs_member m = {"lost", "fake", NULL};
	struct zs_member_report r;
	struct zs_err err = {0}, why = {0};
	char text[256];

	(void)state;
	(void)zs_fail(&why, ZS_SOURCE, "nothing there");
	assert_int_equal(zs_source_set_add(set, &m, &why, &err), 0);
	add_fake(set, "good", fake_new((const char *const[]){"b", NULL}));
	assert_int_equal(prepare_all(set, &err), 0);
	assert_int_equal(walk(set, text, &err), 0);
	assert_string_equal(text, "1:b ");
	zs_source_set_report(set, 0, &r);
	assert_int_equal(r.state, ZS_MEMBER_FAILED);
	assert_string_equal(r.why, "nothing there");
	assert_int_equal(problems.n, 1);
	done(set);
}

static int keep_line(void *ctx, const char *key, struct zs_span value)
{
	char *out = ctx;

	(void)sprintf(out + strlen(out), "%s=%.*s\n", key, (int)value.n, (const char *)value.p);
	return 0;
}

static void the_manifest_says_it_all(void **state)
{
	struct problems problems;
	struct zs_source_set *set = set_new(&problems);
	struct fake *bad = fake_new((const char *const[]){"a", NULL});
	struct zs_buf json = ZS_BUF_INIT;
	struct zs_err err = {0};
	char text[256], lines[1024] = "";

	(void)state;
	bad->fail_after = 1;
	add_fake(set, "q\"uote", bad);
	add_fake(set, "good", fake_new((const char *const[]){"b", NULL}));
	assert_int_equal(walk(set, text, &err), 0);
	assert_int_equal(zs_source_manifest(zs_source_set_source(set), &json, &err), 0);
#ifdef HAVE_JANSSON
	assert_true(zs_manifest_valid(zs_buf_span(&json)));
	assert_int_equal(zs_manifest_walk(zs_buf_span(&json), keep_line, lines, &err), 0);
	assert_string_equal(lines, "sources.0.name=q\"uote\nsources.0.type=fake\nsources.0.state=failed\nsources.0.problems=0\n"
	    "sources.0.why=the line is dead\nsources.0.detail.items=1\nsources.1.name=good\nsources.1.type=fake\n"
	    "sources.1.state=done\nsources.1.problems=0\nsources.1.detail.items=1\n");
	assert_false(zs_manifest_valid(zs_span_str("{\"a\":")));
	assert_int_equal(zs_manifest_walk(zs_span_str("[1,"), keep_line, lines, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
#else
	assert_int_equal(zs_manifest_walk(zs_buf_span(&json), keep_line, lines, &err), 0);
#endif
	zs_buf_fini(&json);
	done(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merges_in_path_order),
		cmocka_unit_test(a_second_file_of_one_path_is_named),
		cmocka_unit_test(failed_items_count),
		cmocka_unit_test(joined_snapshots), cmocka_unit_test(phases_go_through_all_members),
		cmocka_unit_test(one_that_fails_ends_alone),
		cmocka_unit_test(the_only_one_and_all_of_them_fail_the_set),
		cmocka_unit_test(an_error_that_is_not_the_sources_ends_all),
		cmocka_unit_test(one_that_could_not_be_made_counts_as_failed),
		cmocka_unit_test(the_manifest_says_it_all),
	};

	return cmocka_run_group_tests(tests, util_setup, util_teardown);
}
