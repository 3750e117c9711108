/*
 * What a backup did, in numbers: of the whole, and of each source where there is more
 * than files.
 */
#include "backup.h"

#include <string.h>

static const char *const states[] = {"done", "partial", "failed"};

/* Left open, for its parts. */
static void source_json(struct json *j, const struct zs_member_report *r, const struct zs_backup_member *m, const char *label)
{
	json_open(j, '{');
	json_kv_text(j, "name", r->name);
	json_kv_text(j, "type", r->type);
	if (label)
		json_kv_text(j, "url", label);
	json_kv_text(j, "state", states[r->state]);
	json_kv_u64(j, "entries", m->entries);
	json_kv_u64(j, "files", m->files);
	json_kv_u64(j, "bytes", m->bytes);
	json_kv_u64(j, "files_new", m->files_new);
	json_kv_u64(j, "files_changed", m->files_changed);
	json_kv_u64(j, "added_bytes", m->added_bytes);
	json_kv_u64(j, "problems", r->problems);
	if (r->state == ZS_MEMBER_FAILED)
		json_kv_text(j, "why", r->why);
}

static void part_json(struct json *j, const struct zs_part_report *r, const struct zs_backup_part *p)
{
	json_open(j, '{');
	json_kv_text(j, "name", r->name);
	json_kv_text(j, "state", states[r->state]);
	json_kv_u64(j, "items", r->items);
	json_kv_u64(j, "files", p->files);
	json_kv_u64(j, "bytes", p->bytes);
	json_kv_u64(j, "files_new", p->files_new);
	json_kv_u64(j, "files_changed", p->files_changed);
	json_kv_u64(j, "added_bytes", p->added_bytes);
	json_kv_u64(j, "problems", r->problems);
	if (r->problems > 0)
		json_kv_text(j, "why", r->why);
	json_close(j, '}');
}

static const struct zs_backup_part *counts_of(const struct zs_backup_member *m, unsigned part)
{
	static const struct zs_backup_part none;

	return part < m->part_count ? &m->parts[part] : &none;
}

static void parts_json(struct json *j, const struct backup_run *b, unsigned member)
{
	struct zs_source *s = zs_source_set_source(b->sources.set);
	unsigned n = zs_source_parts(s, member);
	struct zs_part_report r;

	if (n == 0)
		return;
	json_key(j, "accounts");
	json_open(j, '[');
	for (unsigned i = 0; i < n; i++) {
		zs_source_part(s, member, i, &r);
		part_json(j, &r, counts_of(&b->members[member], i));
	}
	json_close(j, ']');
}

static const char *label_of(const struct backup_run *b, const char *name)
{
	for (size_t i = 0; i < b->sources.server_count; i++)
		if (strcmp(b->sources.servers[i]->name, name) == 0)
			return b->sources.servers[i]->url.label;
	return NULL;
}

static void sources_json(struct json *j, const struct backup_run *b)
{
	struct zs_member_report r;

	json_key(j, "sources");
	json_open(j, '[');
	for (unsigned i = 0; i < b->member_count; i++) {
		zs_source_set_report(b->sources.set, i, &r);
		source_json(j, &r, &b->members[i], label_of(b, r.name));
		parts_json(j, b, i);
		json_close(j, '}');
	}
	json_close(j, ']');
}

void backup_report_json(const struct backup_run *b)
{
	const struct zs_backup_report *rep = &b->report;
	char hex[ZS_NAME_HEX];
	struct json j;

	json_begin(&j, stdout);
	json_open(&j, '{');
	if (!b->dry)
		json_kv_text(&j, "snapshot", zs_name_hex(&rep->snapshot, hex));
	json_kv_bool(&j, "dry_run", b->dry);
	json_kv_bool(&j, "partial", rep->partial);
	json_totals(&j, &rep->totals);
	json_kv_u64(&j, "files_new", rep->files_new);
	json_kv_u64(&j, "files_changed", rep->files_changed);
	json_kv_u64(&j, "files_unmodified", rep->files_unmodified);
	json_kv_u64(&j, "dirs", rep->dirs);
	json_kv_u64(&j, "skipped", rep->skipped);
	json_kv_u64(&j, "read_bytes", rep->read_bytes);
	json_kv_u64(&j, "added_bytes", rep->added_bytes);
	json_kv_u64(&j, "stored_bytes", rep->stored_bytes);
	json_kv_u64(&j, "elapsed_ms", (zs_monotonic_ns() - b->began_ns) / 1000000);
	sources_json(&j, b);
	json_close(&j, '}');
	json_end(&j);
}

static void source_text(const struct zs_member_report *r, const struct zs_backup_member *m, int dry)
{
	static const char *const shown[] = {"done", "PARTIAL", "FAILED"};
	char size[16], added[16];

	printf("  %-8s %9llu  %10s  %10s %9llu  ", shown[r->state], (unsigned long long)m->files, size_text(m->bytes, size),
	    dry ? "-" : size_text(m->added_bytes, added), (unsigned long long)r->problems);
	print_safe(stdout, zs_span_str(r->name), 0);
	if (r->state == ZS_MEMBER_FAILED) {
		printf(": ");
		print_safe(stdout, zs_span_str(r->why), 0);
	}
	printf("\n");
}

static void part_text(const struct zs_part_report *r, const struct zs_backup_part *p)
{
	static const char *const shown[] = {"done", "PARTIAL", "FAILED"};
	char added[16];

	printf("  %-8s %9llu %9llu %9llu  %10s  ", shown[r->state], (unsigned long long)r->items, (unsigned long long)p->files,
	    (unsigned long long)(p->files_new + p->files_changed), size_text(p->added_bytes, added));
	print_safe(stdout, zs_span_str(r->name), 0);
	if (r->problems > 0) {
		printf(": ");
		print_safe(stdout, zs_span_str(r->why), 0);
		if (r->problems > 1)
			printf(" (and %llu more)", (unsigned long long)r->problems - 1);
	}
	printf("\n");
}

/* What matters of many accounts: those that are not done, those with something new; with --verbose, all. */
static void parts_text(const struct backup_run *b, unsigned member)
{
	struct zs_source *s = zs_source_set_source(b->sources.set);
	unsigned n = zs_source_parts(s, member), counts[3] = {0};
	struct zs_part_report r;
	int has_title = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct zs_backup_part *p = counts_of(&b->members[member], i);

		zs_source_part(s, member, i, &r);
		counts[r.state]++;
		if (r.state == ZS_MEMBER_DONE && p->files_new + p->files_changed == 0 && !b->s->verbose)
			continue;
		if (!has_title)
			printf("  %-8s %9s %9s %9s  %10s  %s\n", "state", "items", "files", "new", "new bytes", "account");
		has_title = 1;
		part_text(&r, p);
	}
	if (n > 0)
		printf("%u accounts: %u done, %u partial, %u failed\n", n, counts[ZS_MEMBER_DONE], counts[ZS_MEMBER_PARTIAL], counts[ZS_MEMBER_FAILED]);
}

static void sources_text(const struct backup_run *b)
{
	struct zs_member_report r;

	if (b->member_count < 2 && b->sources.server_count == 0)
		return;
	printf("  %-8s %9s  %10s  %10s %9s  %s\n", "state", "files", "size", "new", "problems", "source");
	for (unsigned i = 0; i < b->member_count; i++) {
		zs_source_set_report(b->sources.set, i, &r);
		source_text(&r, &b->members[i], b->dry);
	}
	for (unsigned i = 0; i < b->member_count; i++)
		parts_text(b, i);
}

void backup_report_text(const struct backup_run *b)
{
	const struct zs_backup_report *rep = &b->report;
	char hex[ZS_NAME_HEX], size[16], added[16], stored[16];

	printf("%llu files (%llu new, %llu changed, %llu unmodified), %llu directories, %s in all\n",
	    (unsigned long long)rep->totals.files, (unsigned long long)rep->files_new, (unsigned long long)rep->files_changed,
	    (unsigned long long)rep->files_unmodified, (unsigned long long)rep->dirs, size_text(rep->totals.bytes, size));
	sources_text(b);
	if (b->dry) {
		printf("%s would be read; nothing was stored (dry run)\n", size_text(rep->read_bytes, size));
		return;
	}
	printf("%s read, %s new, %s stored, in %.1f s\n", size_text(rep->read_bytes, size), size_text(rep->added_bytes, added),
	    size_text(rep->stored_bytes, stored), (double)(zs_monotonic_ns() - b->began_ns) / 1e9);
	if (rep->partial)
		printf("PARTIAL: %llu problem%s, each of which was named\n", (unsigned long long)rep->skipped, rep->skipped == 1 ? "" : "s");
	printf("snapshot %.12s saved\n", zs_name_hex(&rep->snapshot, hex));
}
