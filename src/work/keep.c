/*
 * Which snapshots a retention policy keeps, and why.  Pure: looks at the list and nothing else; removing is left to
 * zs_store_forget.
 */
#include "zstore/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum period { HOURLY, DAILY, WEEKLY, MONTHLY, YEARLY, PERIODS };

/* strftime; what it gives is also what tells two periods apart */
static const struct {
	const char *name, *format;
} periods[PERIODS] = {
    {"hourly", "%Y-%m-%d %H:00"},
    {"daily", "%Y-%m-%d"},
    {"weekly", "%G-W%V"},
    {"monthly", "%Y-%m"},
    {"yearly", "%Y"},
};

struct label {
	char text[32];
};

struct keeper {
	const struct zs_keep_policy *policy;
	struct zs_keep_decision *rows;
	size_t n;
	struct label *seen; /* periods that a rule has kept one of, in this group */
};

/* ------------------------------------------------------------------------ groups */

static int has_string(const struct zs_strings *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i], s) == 0)
			return 1;
	return 0;
}

static int same_set(const struct zs_strings *a, const struct zs_strings *b)
{
	for (size_t i = 0; i < a->n; i++)
		if (!has_string(b, a->v[i]))
			return 0;
	for (size_t i = 0; i < b->n; i++)
		if (!has_string(a, b->v[i]))
			return 0;
	return 1;
}

static int same_group(const struct zs_snapshot *a, const struct zs_snapshot *b, unsigned by)
{
	return (!(by & ZS_GROUP_HOST) || strcmp(a->host, b->host) == 0) &&
	       (!(by & ZS_GROUP_PATHS) || same_set(&a->paths, &b->paths)) &&
	       (!(by & ZS_GROUP_TAGS) || same_set(&a->tags, &b->tags));
}

/* Numbers groups in the order in which they first appear: how many. */
static size_t make_groups(struct keeper *k)
{
	size_t groups = 0, i, j;

	for (i = 0; i < k->n; i++) {
		for (j = 0; j < i; j++)
			if (same_group(k->rows[j].row->snapshot, k->rows[i].row->snapshot, k->policy->group_by))
				break;
		k->rows[i].group = j < i ? k->rows[j].group : groups++;
	}
	return groups;
}

/* ------------------------------------------------------------------------- rules */

static void keep(struct zs_keep_decision *d, const char *rule, const char *which)
{
	size_t n = strlen(d->why), room = sizeof(d->why) - n;
	int want;

	d->keep = 1;
	want = snprintf(d->why + n, room, "%s%s%s%s", n ? ", " : "", rule, *which ? " " : "", which);
	if (want < 0 || (size_t)want >= room)
		d->why[n] = '\0'; /* one reason is enough */
}

static int is_complete(const struct zs_keep_decision *d)
{
	return !(d->row->snapshot->flags & ZS_SNAPSHOT_PARTIAL);
}

static void keep_last(struct keeper *k, size_t group)
{
	char number[24];
	int left = k->policy->last, count = 0;

	for (size_t i = k->n; i-- > 0 && left != 0;) {
		if (k->rows[i].group != group || !is_complete(&k->rows[i]))
			continue;
		(void)snprintf(number, sizeof(number), "%d", ++count);
		keep(&k->rows[i], "last", number);
		left -= left > 0;
	}
}

static struct label period_of(int64_t ns, enum period p)
{
	time_t seconds = (time_t)(ns / 1000000000 - (ns % 1000000000 < 0));
	struct label l = {"?"};
	struct tm tm;

	if (!localtime_r(&seconds, &tm) || strftime(l.text, sizeof(l.text), periods[p].format, &tm) == 0)
		(void)snprintf(l.text, sizeof(l.text), "?");
	return l;
}

static void keep_period(struct keeper *k, size_t group, enum period p, int left)
{
	size_t seen = 0, s;
	struct label label;

	for (size_t i = k->n; i-- > 0 && left != 0;) {
		if (k->rows[i].group != group || !is_complete(&k->rows[i]))
			continue;
		label = period_of(k->rows[i].row->snapshot->time_ns, p);
		/* newest first: nearly always the period that was seen last */
		for (s = seen; s-- > 0;)
			if (strcmp(k->seen[s].text, label.text) == 0)
				break;
		if (s != SIZE_MAX)
			continue;
		k->seen[seen++] = label;
		keep(&k->rows[i], periods[p].name, label.text);
		left -= left > 0;
	}
}

static void keep_within(struct keeper *k, size_t group)
{
	const struct zs_snapshot *newest = NULL;
	int64_t from = INT64_MIN;

	for (size_t i = k->n; i-- > 0;) {
		const struct zs_snapshot *s = k->rows[i].row->snapshot;

		if (k->rows[i].group != group || !is_complete(&k->rows[i]))
			continue;
		if (!newest) {
			newest = s;
			if (__builtin_sub_overflow(s->time_ns, k->policy->within_ns, &from))
				from = INT64_MIN;
		}
		if (s->time_ns >= from)
			keep(&k->rows[i], "within", "");
	}
}

static void keep_tags(struct keeper *k)
{
	for (size_t i = 0; i < k->n; i++) {
		const struct zs_strings *tags = &k->rows[i].row->snapshot->tags;

		for (size_t t = 0; t < tags->n; t++)
			if (has_string(k->policy->tags, tags->v[t]))
				keep(&k->rows[i], "tag", tags->v[t]);
	}
}

/* Partial snapshots, and what is said of those that no rule keeps. */
static void finish_group(struct keeper *k, size_t group)
{
	int later_complete = 0;

	for (size_t i = k->n; i-- > 0;) {
		struct zs_keep_decision *d = &k->rows[i];

		if (d->group != group)
			continue;
		if (is_complete(d)) {
			later_complete = 1;
			if (!d->keep)
				(void)snprintf(d->why, sizeof(d->why), "no rule keeps it");
		} else if (!later_complete) {
			keep(d, "partial, but no later complete one exists", "");
		} else if (!d->keep) {
			(void)snprintf(d->why, sizeof(d->why), "partial, a later complete one exists");
		}
		if (d->keep && !d->why[0]) /* a tag too long to be shown */
			(void)snprintf(d->why, sizeof(d->why), "tag");
	}
}

static int has_rule(const struct zs_keep_policy *p)
{
	return p->last || p->hourly || p->daily || p->weekly || p->monthly || p->yearly || p->within_ns ||
	       (p->tags && p->tags->n);
}

static void decide(struct keeper *k, size_t groups)
{
	const struct zs_keep_policy *p = k->policy;
	const int counts[PERIODS] = {p->hourly, p->daily, p->weekly, p->monthly, p->yearly};

	if (p->tags)
		keep_tags(k);
	for (size_t g = 0; g < groups; g++) {
		keep_last(k, g);
		for (int i = 0; i < PERIODS; i++)
			keep_period(k, g, (enum period)i, counts[i]);
		if (p->within_ns)
			keep_within(k, g);
		finish_group(k, g);
	}
}

int zs_keep_decide(const struct zs_snapshot_list *l, const struct zs_keep_policy *policy, struct zs_keep_decision **out,
    size_t *out_groups, struct zs_err *err)
{
	struct keeper k = {.policy = policy, .n = l->n};
	size_t groups;

	if (policy->last < -1 || policy->hourly < -1 || policy->daily < -1 || policy->weekly < -1 ||
	    policy->monthly < -1 || policy->yearly < -1 || policy->within_ns < 0)
		return zs_fail(err, ZS_USAGE, "a number of snapshots to keep is negative");
	k.rows = calloc(l->n ? l->n : 1, sizeof(*k.rows));
	k.seen = calloc(l->n ? l->n : 1, sizeof(*k.seen));
	if (!k.rows || !k.seen) {
		free(k.rows);
		free(k.seen);
		return zs_fail_nomem(err);
	}
	for (size_t i = 0; i < l->n; i++)
		k.rows[i].row = &l->v[i];
	groups = make_groups(&k);
	if (has_rule(policy))
		decide(&k, groups);
	else
		for (size_t i = 0; i < l->n; i++) /* nothing asked for is not everything given up */
			keep(&k.rows[i], "no rule is given", "");
	free(k.seen);
	*out = k.rows;
	*out_groups = groups;
	return 0;
}
