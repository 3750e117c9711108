/* Retention: which snapshots stay, and the reasons given. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "zstore/work.h"

#define MAX 500
#define HOUR INT64_C(3600000000000)
#define DAY (24 * HOUR)

static struct zs_snapshot snapshots[MAX];
static struct zs_snapshot_row rows[MAX];
static struct zs_snapshot_list list = {rows, 0};
static char hosts[4][8] = {"a", "b", "c", "d"};
static struct zs_keep_decision *decisions;
static size_t groups;

static int setup(void **state)
{
	(void)state;
	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	tzset();
	memset(snapshots, 0, sizeof(snapshots));
	list.n = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < list.n; i++) {
		zs_strings_fini(&snapshots[i].tags);
		zs_strings_fini(&snapshots[i].paths);
	}
	free(decisions);
	decisions = NULL;
	return 0;
}

static struct zs_snapshot *add(const char *when)
{
	struct zs_snapshot *s = &snapshots[list.n];
	char utc[40];
	struct zs_err err;

	assert_true(list.n < MAX);
	(void)snprintf(utc, sizeof(utc), "%sZ", when);
	assert_int_equal(zs_time_parse(utc, &s->time_ns, &err), 0);
	s->host = hosts[0];
	rows[list.n].snapshot = s;
	rows[list.n].name.b[0] = (uint8_t)list.n;
	list.n++;
	return s;
}

static void tag(struct zs_strings *l, const char *text)
{
	struct zs_err err;

	assert_int_equal(zs_strings_add(l, zs_span_str(text), &err), 0);
}

/* `kept`: a character a snapshot, oldest first: K or - */
static void expect(const struct zs_keep_policy *p, const char *kept)
{
	char got[MAX + 1];
	struct zs_err err = {0};

	free(decisions);
	decisions = NULL;
	assert_int_equal(zs_keep_decide(&list, p, &decisions, &groups, &err), 0);
	for (size_t i = 0; i < list.n; i++) {
		assert_ptr_equal(decisions[i].row, &rows[i]);
		assert_true(decisions[i].why[0] && decisions[i].group < groups);
		got[i] = decisions[i].keep ? 'K' : '-';
	}
	got[list.n] = '\0';
	assert_string_equal(got, kept);
}

static void why(size_t i, const char *text)
{
	assert_string_equal(decisions[i].why, text);
}

static void test_last(void **state)
{
	(void)state;
	add("2026-11-20T10:00");
	add("2026-11-20T11:00");
	add("2026-11-20T12:00");
	expect(&(struct zs_keep_policy){.last = 2}, "-KK");
	why(0, "no rule keeps it");
	why(1, "last 2");
	why(2, "last 1");
	expect(&(struct zs_keep_policy){.last = 1}, "--K");
	expect(&(struct zs_keep_policy){.last = 9}, "KKK");
	expect(&(struct zs_keep_policy){.last = -1}, "KKK");
	why(0, "last 3");
}

static void test_nothing_asked(void **state)
{
	(void)state;
	expect(&(struct zs_keep_policy){.last = 1}, "");
	assert_int_equal(groups, 0);
	add("2026-11-20T10:00");
	add("2026-11-21T10:00")->flags = ZS_SNAPSHOT_PARTIAL;
	expect(&(struct zs_keep_policy){0}, "KK");
	why(0, "no rule is given");
}

static void test_bad_numbers(void **state)
{
	const struct zs_keep_policy bad[] = {{.last = -2}, {.hourly = -2}, {.daily = -9}, {.weekly = -2},
	    {.monthly = -2}, {.yearly = -2}, {.within_ns = -1}};
	struct zs_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(zs_keep_decide(&list, &bad[i], &decisions, &groups, &err), -1);
		assert_int_equal(err.cause, ZS_USAGE);
	}
}

static void test_periods(void **state)
{
	(void)state;
	add("2025-12-31T23:00"); /* 0: ISO week 2026-W01 */
	add("2026-01-01T01:00");
	add("2026-10-31T22:00");
	add("2026-11-15T22:00"); /* 3: Sunday, W46 */
	add("2026-11-16T22:00"); /* Monday, W47 */
	add("2026-11-22T10:00"); /* 5: Sunday, W47 */
	add("2026-11-22T10:59");
	add("2026-11-22T22:00"); /* 7 */
	expect(&(struct zs_keep_policy){.hourly = 2}, "------KK");
	why(6, "hourly 2026-11-22 10:00");
	expect(&(struct zs_keep_policy){.daily = 2}, "----K--K");
	why(7, "daily 2026-11-22");
	expect(&(struct zs_keep_policy){.daily = 3}, "---KK--K");
	expect(&(struct zs_keep_policy){.weekly = 2}, "---K---K");
	why(3, "weekly 2026-W46");
	expect(&(struct zs_keep_policy){.weekly = -1}, "-KKK---K");
	why(1, "weekly 2026-W01");
	expect(&(struct zs_keep_policy){.monthly = 2}, "--K----K");
	why(2, "monthly 2026-10");
	expect(&(struct zs_keep_policy){.yearly = 5}, "K------K");
	why(0, "yearly 2025");
	expect(&(struct zs_keep_policy){.last = 1, .daily = 1, .weekly = 1, .yearly = 1}, "-------K");
	why(7, "last 1, daily 2026-11-22, weekly 2026-W47, yearly 2026");
	expect(&(struct zs_keep_policy){.last = 2, .monthly = 2}, "--K---KK");
}

static void test_many_reasons_fit(void **state)
{
	(void)state;
	add("2026-11-22T22:00");
	expect(&(struct zs_keep_policy){-1, -1, -1, -1, -1, -1, DAY, NULL, 0}, "K");
	why(0, "last 1, hourly 2026-11-22 22:00, daily 2026-11-22, weekly 2026-W47, monthly 2026-11, within");
}

/* Days of local time, not of UTC. */
static void test_local_time(void **state)
{
	(void)state;
	assert_int_equal(setenv("TZ", "XXX-5", 1), 0); /* five hours east */
	tzset();
	add("2026-11-20T18:30");
	add("2026-11-20T19:30"); /* the 21st there */
	add("2026-11-21T02:00");
	expect(&(struct zs_keep_policy){.daily = -1}, "K-K");
	why(0, "daily 2026-11-20");
	why(2, "daily 2026-11-21");
}

/* A month of nights: what people expect of --keep-daily 7 --keep-weekly 4 --keep-monthly 6. */
static void test_a_year_of_nights(void **state)
{
	struct zs_keep_policy p = {.daily = 7, .weekly = 4, .monthly = 6};
	unsigned kept = 0;
	int64_t day0;

	(void)state;
	add("2025-11-22T02:00");
	day0 = snapshots[0].time_ns;
	for (int i = 1; i <= 365; i++)
		add("2025-11-22T02:00")->time_ns = day0 + i * DAY;
	free(decisions);
	assert_int_equal(zs_keep_decide(&list, &p, &decisions, &groups, &(struct zs_err){0}), 0);
	for (size_t i = 0; i < list.n; i++)
		kept += (unsigned)decisions[i].keep;
	/* 16..22 Nov; Sundays 15, 8, 1 Nov; 31 Oct, 30 Sep, 31 Aug, 31 Jul, 30 Jun */
	assert_int_equal(kept, 7 + 3 + 5);
	for (size_t i = list.n - 7; i < list.n; i++)
		assert_true(decisions[i].keep);
	why(list.n - 8, "weekly 2026-W46");
}

/* Applied night after night the policy keeps what it keeps when applied once. */
static void test_repeated(void **state)
{
	struct zs_keep_policy p = {.daily = 7, .weekly = 4, .monthly = 6};
	int64_t day0;
	size_t n = 0;

	(void)state;
	add("2025-11-22T02:00");
	day0 = snapshots[0].time_ns;
	list.n = 0;
	for (int i = 0; i <= 365; i++) {
		snapshots[list.n].time_ns = day0 + i * DAY;
		snapshots[list.n].host = hosts[0];
		rows[list.n].snapshot = &snapshots[list.n];
		list.n++;
		free(decisions);
		decisions = NULL;
		assert_int_equal(zs_keep_decide(&list, &p, &decisions, &groups, &(struct zs_err){0}), 0);
		n = 0;
		for (size_t k = 0; k < list.n; k++)
			if (decisions[k].keep)
				snapshots[n++].time_ns = snapshots[k].time_ns;
		list.n = n;
	}
	assert_int_equal(n, 7 + 3 + 5);
}

static void test_within(void **state)
{
	(void)state;
	add("2026-11-19T12:00");
	add("2026-11-20T12:00");
	add("2026-11-21T11:00");
	add("2026-11-22T12:00");
	expect(&(struct zs_keep_policy){.within_ns = 2 * DAY}, "-KKK");
	why(1, "within");
	expect(&(struct zs_keep_policy){.within_ns = 2 * DAY - 1}, "--KK");
	expect(&(struct zs_keep_policy){.within_ns = 1}, "---K");
	expect(&(struct zs_keep_policy){.within_ns = INT64_MAX}, "KKKK");
	snapshots[3].time_ns = INT64_MIN + 5; /* nonsense from a server: no overflow */
	expect(&(struct zs_keep_policy){.within_ns = INT64_MAX}, "KKKK");
	snapshots[3].time_ns = INT64_MAX;
	expect(&(struct zs_keep_policy){.within_ns = DAY, .daily = 1}, "---K");
}

static void test_tags(void **state)
{
	struct zs_strings wanted = {0};
	struct zs_keep_policy p = {.last = 1, .tags = &wanted};
	char longest[200];

	(void)state;
	tag(&add("2026-11-19T12:00")->tags, "legal");
	tag(&add("2026-11-20T12:00")->tags, "other");
	tag(&add("2026-11-21T12:00")->tags, "x");
	snapshots[2].flags = ZS_SNAPSHOT_PARTIAL;
	tag(&snapshots[2].tags, "year end");
	memset(longest, 'l', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	tag(&add("2026-11-21T13:00")->tags, longest);
	add("2026-11-22T12:00");
	tag(&wanted, "legal");
	tag(&wanted, "year end");
	tag(&wanted, longest);
	expect(&p, "K-KKK");
	why(0, "tag legal");
	why(2, "tag year end");
	why(3, "tag");
	p.last = 0;
	expect(&p, "K-KK-");
	zs_strings_fini(&wanted);
}

static void test_partial(void **state)
{
	(void)state;
	add("2026-11-20T12:00");
	add("2026-11-21T12:00")->flags = ZS_SNAPSHOT_PARTIAL;
	add("2026-11-22T12:00");
	add("2026-11-22T13:00")->flags = ZS_SNAPSHOT_PARTIAL;
	add("2026-11-22T14:00")->flags = ZS_SNAPSHOT_PARTIAL;
	expect(&(struct zs_keep_policy){.last = 2}, "K-KKK");
	why(1, "partial, a later complete one exists");
	why(2, "last 1");
	why(3, "partial, but no later complete one exists");
	expect(&(struct zs_keep_policy){.daily = 2, .within_ns = HOUR}, "K-KKK");
	why(2, "daily 2026-11-22, within");
	for (size_t i = 0; i < list.n; i++)
		snapshots[i].flags = ZS_SNAPSHOT_PARTIAL;
	expect(&(struct zs_keep_policy){.last = 1}, "KKKKK");
}

static void test_groups(void **state)
{
	struct zs_keep_policy p = {.last = 1};

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		add("2026-11-20T12:00")->host = hosts[i % 2];
	expect(&p, "-----K");
	assert_int_equal(groups, 1);
	p.group_by = ZS_GROUP_HOST;
	expect(&p, "----KK");
	assert_int_equal(groups, 2);
	assert_int_equal(decisions[2].group, 0);
	assert_int_equal(decisions[3].group, 1);
	for (unsigned i = 0; i < 6; i++) {
		tag(&snapshots[i].paths, i < 4 ? "/srv" : "/home");
		tag(&snapshots[i].paths, i < 4 ? "/var" : "/srv");
	}
	zs_strings_fini(&snapshots[0].paths); /* the same in another order */
	tag(&snapshots[0].paths, "/var");
	tag(&snapshots[0].paths, "/srv");
	p.group_by = ZS_GROUP_PATHS;
	expect(&p, "---K-K");
	p.group_by = ZS_GROUP_HOST | ZS_GROUP_PATHS;
	expect(&p, "--KKKK");
	assert_int_equal(groups, 4);
	tag(&snapshots[1].tags, "t");
	p.group_by = ZS_GROUP_TAGS;
	expect(&p, "-K---K");
	/* a partial one waits for a complete one of its own group */
	snapshots[1].flags = ZS_SNAPSHOT_PARTIAL;
	expect(&p, "-K---K");
	why(1, "partial, but no later complete one exists");
	p.group_by = 0;
	expect(&p, "-----K");
}

/* The order of the list counts, not what clocks said: a clock that went back does not cost the newest snapshot. */
static void test_clock_went_back(void **state)
{
	(void)state;
	add("2026-11-20T12:00");
	add("2026-11-21T12:00");
	add("1970-01-01T00:00");
	snapshots[2].time_ns -= 1; /* before the epoch */
	expect(&(struct zs_keep_policy){.daily = 2}, "-KK");
	why(2, "daily 1969-12-31");
	/* one period that comes up again is still one period */
	add("2026-11-21T13:00");
	expect(&(struct zs_keep_policy){.daily = 3}, "K-KK");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_last),
	    T(test_nothing_asked),
	    T(test_bad_numbers),
	    T(test_periods),
	    T(test_many_reasons_fit),
	    T(test_local_time),
	    T(test_a_year_of_nights),
	    T(test_repeated),
	    T(test_within),
	    T(test_tags),
	    T(test_partial),
	    T(test_groups),
	    T(test_clock_went_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
