/*
 * zstore prune: which snapshots go, and why; then the space that nobody needs.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct pruning {
	struct session *s;
	struct zs_snapshot_list snapshots;
	struct zs_keep_policy policy;
	int has_rules, dry;
	struct zs_keep_decision *decisions;
	size_t groups;
	struct zs_names gone;
	struct zs_collect_settings collect;
	struct zs_collect_report report;
};

static int rule(struct session *s, enum opt_id id, int *out, int *has, struct zs_err *err)
{
	int64_t v = 0;

	if (opt_number(s, id, -1, INT32_MAX, &v, err) < 0)
		return -1;
	*out = (int)v;
	*has |= opt_given(s, id);
	return 0;
}

static int parse_limits(struct pruning *p, struct zs_err *err)
{
	const char *repack = opt_text(p->s, OPT_MAX_REPACK, NULL);

	p->collect.max_repack_bytes = UINT64_MAX;
	if (parse_unused(opt_text(p->s, OPT_MAX_UNUSED, "5%"), &p->collect.max_unused_bytes, &p->collect.max_unused_percent, err) < 0)
		return -1;
	return repack ? parse_size(repack, &p->collect.max_repack_bytes, err) : 0;
}

static int pruning_fill(struct pruning *p, struct zs_err *err)
{
	struct session *s = p->s;
	struct zs_keep_policy *k = &p->policy;

	if (rule(s, OPT_KEEP_LAST, &k->last, &p->has_rules, err) < 0 || rule(s, OPT_KEEP_HOURLY, &k->hourly, &p->has_rules, err) < 0 ||
	    rule(s, OPT_KEEP_DAILY, &k->daily, &p->has_rules, err) < 0 || rule(s, OPT_KEEP_WEEKLY, &k->weekly, &p->has_rules, err) < 0 ||
	    rule(s, OPT_KEEP_MONTHLY, &k->monthly, &p->has_rules, err) < 0 || rule(s, OPT_KEEP_YEARLY, &k->yearly, &p->has_rules, err) < 0)
		return -1;
	if (opt_given(s, OPT_KEEP_WITHIN)) {
		p->has_rules = 1;
		if (parse_within(opt_text(s, OPT_KEEP_WITHIN, NULL), &k->within_ns, err) < 0)
			return -1;
	}
	p->has_rules |= opt_given(s, OPT_KEEP_TAG) || opt_given(s, OPT_REMOVE_ALL);
	k->tags = opt_list(s, OPT_KEEP_TAG);
	p->dry = opt_given(s, OPT_DRY_RUN);
	if (parse_groups(opt_text(s, OPT_GROUP_BY, "host,paths"), &k->group_by, err) < 0)
		return -1;
	return parse_limits(p, err);
}

/* ---------------------------------------------------------------------- deciding */

static int check_groups(struct pruning *p, struct zs_err *err)
{
	if (opt_given(p->s, OPT_REMOVE_ALL))
		return 0;
	for (size_t g = 0; g < p->groups; g++) {
		size_t kept = 0, first = p->snapshots.n;

		for (size_t i = 0; i < p->snapshots.n; i++) {
			if (p->decisions[i].group != g)
				continue;
			kept += p->decisions[i].keep != 0;
			if (first == p->snapshots.n)
				first = i;
		}
		if (first < p->snapshots.n && kept == 0)
			return zs_fail(err, ZS_USAGE, "these rules would remove every snapshot of host %s (%s ...); say --remove-all if that is meant",
			    p->snapshots.v[first].snapshot->host,
			    p->snapshots.v[first].snapshot->paths.n ? p->snapshots.v[first].snapshot->paths.v[0] : "no path");
	}
	return 0;
}

/* Rules were given, and none of them keeps anything: "--keep-last 0", or --remove-all alone. */
static int keeps_nothing(const struct zs_keep_policy *k)
{
	return !k->last && !k->hourly && !k->daily && !k->weekly && !k->monthly && !k->yearly && !k->within_ns && !k->tags->n;
}

static int decide(struct pruning *p, struct zs_err *err)
{
	if (!p->has_rules)
		return 0;
	if (zs_keep_decide(&p->snapshots, &p->policy, &p->decisions, &p->groups, err) < 0)
		return -1;
	for (size_t i = 0; keeps_nothing(&p->policy) && i < p->snapshots.n; i++) {
		p->decisions[i].keep = 0;
		(void)strcpy(p->decisions[i].why, "no rule keeps it");
	}
	if (check_groups(p, err) < 0)
		return -1;
	for (size_t i = 0; i < p->snapshots.n; i++)
		if (!p->decisions[i].keep && zs_names_add(&p->gone, &p->decisions[i].row->name, err) < 0)
			return -1;
	return 0;
}

static void show_decisions(struct pruning *p)
{
	char hex[ZS_NAME_HEX], when[32];

	for (size_t i = 0; p->decisions && i < p->snapshots.n; i++) {
		const struct zs_keep_decision *d = &p->decisions[i];

		if (d->keep && !p->dry && !p->s->verbose)
			continue;
		printf("%s %.12s  %s  ", d->keep ? "keep  " : "remove", zs_name_hex(&d->row->name, hex),
		    local_time(d->row->snapshot->time_ns, when));
		print_safe(stdout, zs_span_str(d->row->snapshot->host), 0);
		printf("  (");
		print_safe(stdout, zs_span_str(d->why), 0);
		printf(")\n");
	}
}

/* --------------------------------------------------------------------- reporting */

static void report_json(struct pruning *p)
{
	const struct zs_collect_report *r = &p->report;
	char hex[ZS_NAME_HEX];
	struct json j;

	json_begin(&j, stdout);
	json_open(&j, '{');
	json_kv_bool(&j, "dry_run", p->dry);
	json_key(&j, "snapshots");
	json_open(&j, '[');
	for (size_t i = 0; p->decisions && i < p->snapshots.n; i++) {
		json_open(&j, '{');
		json_kv_text(&j, "id", zs_name_hex(&p->decisions[i].row->name, hex));
		json_kv_bool(&j, "keep", p->decisions[i].keep);
		json_kv_text(&j, "why", p->decisions[i].why);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_kv_u64(&j, "snapshots_removed", p->gone.n);
	json_kv_u64(&j, "packs", r->packs_total);
	json_kv_u64(&j, "bytes", r->bytes_total);
	json_kv_u64(&j, "bytes_live", r->bytes_live);
	json_kv_u64(&j, "packs_deleted", r->packs_deleted);
	json_kv_u64(&j, "bytes_deleted", r->bytes_deleted);
	json_kv_u64(&j, "packs_repacked", r->packs_repacked);
	json_kv_u64(&j, "bytes_repacked", r->bytes_repacked);
	json_kv_u64(&j, "packs_condemned", r->packs_condemned);
	json_kv_u64(&j, "bytes_condemned", r->bytes_condemned);
	json_kv_u64(&j, "bytes_unused", r->bytes_unused);
	json_key(&j, "sessions");
	json_open(&j, '[');
	for (size_t i = 0; i < r->sessions.n; i++)
		json_text(&j, zs_name_hex(&r->sessions.v[i], hex));
	json_close(&j, ']');
	json_close(&j, '}');
	json_end(&j);
}

static void report_text(struct pruning *p)
{
	const struct zs_collect_report *r = &p->report;
	uint64_t freed = r->bytes_deleted > r->bytes_repacked ? r->bytes_deleted - r->bytes_repacked : 0;
	char a[16], b[16], hex[ZS_NAME_HEX];

	if (p->s->quiet)
		return;
	printf("%s%llu of %llu snapshots\n", p->dry ? "would remove " : "removed ", (unsigned long long)p->gone.n,
	    (unsigned long long)p->snapshots.n);
	printf("%sfreed %s: %llu of %llu packs deleted, %llu repacked; %s unused stay\n", p->dry ? "would have " : "",
	    size_text(freed, a), (unsigned long long)r->packs_deleted, (unsigned long long)r->packs_total,
	    (unsigned long long)r->packs_repacked, size_text(r->bytes_unused, b));
	if (r->packs_condemned == 0)
		return;
	printf("%s in %llu packs cannot be freed yet: a backup is running. Sessions:\n", size_text(r->bytes_condemned, a),
	    (unsigned long long)r->packs_condemned);
	for (size_t i = 0; i < r->sessions.n; i++)
		printf("    %s\n", zs_name_hex(&r->sessions.v[i], hex));
	printf("the next prune will; if such a writer is known to be dead: zstore prune --end-session ID\n");
}

/* ------------------------------------------------------------------------ running */

static int end_one(struct session *s, const struct zs_session_list *l, const char *text, struct zs_err *err)
{
	const struct zs_session_row *found = NULL;
	char hex[ZS_NAME_HEX];
	size_t n = strlen(text);

	for (size_t i = 0; i < l->n; i++) {
		if (n < 4 || strncmp(zs_name_hex(&l->v[i].name, hex), text, n) != 0)
			continue;
		if (found)
			return zs_fail(err, ZS_USAGE, "session %s: several begin so", text);
		found = &l->v[i];
	}
	if (!found)
		return zs_fail(err, ZS_NOTFOUND, "no session %s", text);
	if (zs_store_session_end(s->store, &found->name, err) < 0)
		return -1;
	if (!s->quiet && !s->json)
		printf("ended session %.12s of host %s, process %llu\n", zs_name_hex(&found->name, hex),
		    found->session.host ? found->session.host : "?", (unsigned long long)found->session.pid);
	return 0;
}

static int end_sessions(struct session *s, struct zs_err *err)
{
	const struct zs_strings *ids = opt_list(s, OPT_END_SESSION);
	struct zs_session_list l = {0};
	int rc = 0;

	if (ids->n == 0)
		return 0;
	if (zs_store_sessions(s->store, &l, err) < 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < ids->n; i++)
		rc = end_one(s, &l, ids->v[i], err);
	zs_session_list_fini(&l);
	return rc;
}

static int prune_run(struct pruning *p, struct zs_err *err)
{
	if (end_sessions(p->s, err) < 0 || zs_store_snapshots(p->s->store, &p->snapshots, NULL, err) < 0 || decide(p, err) < 0)
		return -1;
	if (!p->s->json && !p->s->quiet)
		show_decisions(p);
	if (!p->dry && p->gone.n > 0 && zs_store_forget(p->s->store, &p->gone, err) < 0)
		return -1;
	p->collect.dry_run = p->dry;
	p->collect.forgotten = &p->gone;
	if (zs_prune_collect(p->s->store, &p->collect, &p->s->observer, &p->report, err) < 0)
		return -1;
	progress_clear(p->s);
	if (p->s->json)
		report_json(p);
	else
		report_text(p);
	return EXIT_OK;
}

int cmd_prune(struct session *s, int argc, char **argv, struct zs_err *err)
{
	struct pruning p = {.s = s};
	int rc = -1;

	(void)argc;
	(void)argv;
	if (pruning_fill(&p, err) == 0)
		rc = prune_run(&p, err);
	free(p.decisions);
	zs_names_fini(&p.gone);
	zs_names_fini(&p.report.sessions);
	zs_snapshot_list_fini(&p.snapshots);
	return rc;
}
