/*
 * What is known of a backup beside its content: versions, position, counts, what a restore needs.  All of it is in
 * summary.json; what fits is in the snapshot's manifest, too.
 */
#include "sql_source_private.h"

#include <stdlib.h>
#include <string.h>

#define DETAIL_MAX (256u << 10)

static int ask_server(struct sql_source *s, const char *question, struct zs_buf *out, struct zs_err *err)
{
	struct sql_result r;
	int rc = 0;

	if (sql_conn_queryf(&s->meta, &r, err, "SELECT %s", question) < 0)
		return zs_context(err, "SELECT %s", question);
	if (sql_result_next(&r))
		rc = zs_buf_add_span(out, sql_result_get(&r, 0), err);
	sql_result_fini(&r);
	return rc;
}

int sql_manifest_server(struct sql_source *s, struct zs_err *err)
{
	struct zs_buf packet = ZS_BUF_INIT, log = ZS_BUF_INIT;
	int rc = -1;

	if (ask_server(s, "VERSION()", &s->facts.version, err) < 0 || ask_server(s, "@@GLOBAL.character_set_server", &s->facts.charset, err) < 0 ||
	    ask_server(s, "@@GLOBAL.max_allowed_packet", &packet, err) < 0 || ask_server(s, "@@GLOBAL.log_bin", &log, err) < 0 ||
	    zs_buf_add_u8(&packet, 0, err) < 0)
		goto out;
	s->facts.max_allowed_packet = strtoull((const char *)packet.p, NULL, 10);
	s->snapshot.has_binlog = log.n > 0 && log.p[0] == '1';
	rc = 0;
out:
	zs_buf_fini(&packet);
	zs_buf_fini(&log);
	return rc;
}

static int add_text(struct zs_buf *out, const char *key, const char *text, struct zs_err *err)
{
	if (zs_buf_printf(out, err, "%s\"%s\":", out->n && out->p[out->n - 1] != '{' ? "," : "", key) < 0)
		return -1;
	return text ? zs_buf_json(out, zs_span_str(text), err) : zs_buf_printf(out, err, "null");
}

static int add_position(struct zs_buf *out, const struct sql_position *p, struct zs_err *err)
{
	if (zs_buf_printf(out, err, ",\"position\":") < 0)
		return -1;
	if (!p->file && !p->replica)
		return zs_buf_printf(out, err, "null");
	if (zs_buf_add_u8(out, '{', err) < 0)
		return -1;
	if (p->file && (add_text(out, "file", p->file, err) < 0 || zs_buf_printf(out, err, ",\"pos\":%llu", (unsigned long long)p->pos) < 0))
		return -1;
	if (p->gtid && add_text(out, "gtid", p->gtid, err) < 0)
		return -1;
	if (p->replica && add_text(out, "replica_gtid", p->replica, err) < 0)
		return -1;
	return zs_buf_add_u8(out, '}', err);
}

static int add_retried(struct sql_source *s, struct zs_err *err)
{
	struct zs_buf *b = &s->facts.retried;

	sql_note(s, ZS_NOTE_WARNING, "%s.%s: it changed after the snapshot and was read in a later one", s->table.database, s->table.name);
	if ((b->n && zs_buf_add_u8(b, ',', err) < 0) || zs_buf_add_u8(b, '{', err) < 0 || add_text(b, "db", s->table.database, err) < 0 ||
	    add_text(b, "table", s->table.name, err) < 0 || add_position(b, &s->snapshot.again_position, err) < 0)
		return -1;
	return zs_buf_add_u8(b, '}', err);
}

/* A row that the server itself would not take back is nobody's mistake, but somebody has to know. */
static int note_longest(struct sql_source *s, const struct sql_rows *r, struct zs_err *err)
{
	struct sql_facts *f = &s->facts;

	if (r->longest >= f->max_allowed_packet && f->max_allowed_packet)
		sql_note(s, ZS_NOTE_WARNING, "%s.%s: a statement of %llu bytes; to restore it, a server needs a larger max_allowed_packet than this one has (%llu)",
		    s->table.database, s->table.name, (unsigned long long)r->longest, (unsigned long long)f->max_allowed_packet);
	if (r->longest <= f->longest)
		return 0;
	f->longest = r->longest;
	zs_buf_clear(&f->longest_of);
	return zs_buf_printf(&f->longest_of, err, "%s.%s", s->table.database, s->table.name);
}

int sql_manifest_table(struct sql_source *s, struct zs_err *err)
{
	struct sql_facts *f = &s->facts;
	const struct sql_rows *r = &s->table.rows;
	struct zs_buf *b = &f->per_table;

	f->tables++;
	f->rows += r->rows;
	f->bytes += r->bytes;
	if (r->odd)
		sql_note(s, ZS_NOTE_WARNING, "%s.%s: %llu values are no text of their columns' own encoding; they are kept as they are, byte by byte",
		    s->table.database, s->table.name, (unsigned long long)r->odd);
	if (s->table.is_retried && add_retried(s, err) < 0)
		return -1;
	if (note_longest(s, r, err) < 0 || (b->n && zs_buf_printf(b, err, ",\n") < 0) || zs_buf_add_u8(b, '{', err) < 0 ||
	    add_text(b, "db", s->table.database, err) < 0 || add_text(b, "table", s->table.name, err) < 0)
		return -1;
	return zs_buf_printf(b, err, ",\"rows\":%llu,\"bytes\":%llu,\"groups\":%llu,\"sum\":\"%016llx\"}", (unsigned long long)r->rows,
	    (unsigned long long)r->bytes, (unsigned long long)r->groups, r->sum ? (unsigned long long)zs_hasher_sum(r->sum) : 0ull);
}

static int add_names(struct sql_source *s, struct zs_buf *out, struct zs_err *err)
{
	if (zs_buf_printf(out, err, ",\"databases\":[") < 0)
		return -1;
	for (size_t i = 0; i < s->catalog.databases_n; i++)
		if ((i && zs_buf_add_u8(out, ',', err) < 0) ||
		    zs_buf_json(out, zs_span_str(sql_catalog_text(&s->catalog, s->catalog.databases[i].name_at)), err) < 0)
			return -1;
	return zs_buf_add_u8(out, ']', err);
}

static int add_warnings(const struct sql_facts *f, struct zs_buf *out, struct zs_err *err)
{
	if (zs_buf_printf(out, err, ",\"warnings\":[") < 0)
		return -1;
	for (size_t i = 0; i < f->warnings.n; i++)
		if ((i && zs_buf_add_u8(out, ',', err) < 0) || zs_buf_json(out, zs_span_str(f->warnings.v[i]), err) < 0)
			return -1;
	return zs_buf_printf(out, err, "],\"more_warnings\":%llu", (unsigned long long)f->more_warnings);
}

/* All but what grows with the number of tables. */
static int add_head(struct sql_source *s, struct zs_buf *out, struct zs_err *err)
{
	struct sql_facts *f = &s->facts;
	char iso[32];

	if (zs_buf_printf(out, err, "{\"server\":{\"version\":") < 0 || zs_buf_json(out, zs_buf_span(&f->version), err) < 0 ||
	    zs_buf_printf(out, err, ",\"character_set\":") < 0 || zs_buf_json(out, zs_buf_span(&f->charset), err) < 0 ||
	    zs_buf_printf(out, err, ",\"max_allowed_packet\":%llu},\"consistency\":\"%s\",\"time\":\"%s\"",
		(unsigned long long)f->max_allowed_packet, sql_options_consistency_name(s->snapshot.used),
		zs_time_iso(s->snapshot.time_ns, iso)) < 0 ||
	    add_position(out, &s->snapshot.position, err) < 0)
		return -1;
	if (zs_buf_printf(out, err, ",\"totals\":{\"databases\":%zu,\"tables\":%llu,\"rows\":%llu,\"bytes\":%llu,\"failed\":%llu,\"inactive_accounts\":%llu}",
		s->catalog.databases_n, (unsigned long long)f->tables, (unsigned long long)f->rows, (unsigned long long)f->bytes,
		(unsigned long long)f->failed, (unsigned long long)f->inactive) < 0 ||
	    zs_buf_printf(out, err, ",\"longest_statement_bytes\":%llu,\"longest_statement_table\":", (unsigned long long)f->longest) < 0 ||
	    zs_buf_json(out, zs_buf_span(&f->longest_of), err) < 0)
		return -1;
	if (zs_buf_printf(out, err, ",\"needs\":{\"max_allowed_packet\":%llu,\"named_time_zones\":%s}", (unsigned long long)f->longest + 1,
		f->named_zones ? "true" : "false") < 0)
		return -1;
	return add_warnings(f, out, err);
}

static int add_list(struct zs_buf *out, const char *key, const struct zs_buf *elements, struct zs_err *err)
{
	if (zs_buf_printf(out, err, ",\"%s\":[", key) < 0 || zs_buf_add_span(out, zs_buf_span(elements), err) < 0)
		return -1;
	return zs_buf_add_u8(out, ']', err);
}

/* A part that would make it too long is left out: it is in summary.json. */
static int keep_if_short(struct zs_buf *out, size_t begin, size_t before, int rc)
{
	if (rc == 0 && out->n - begin > DETAIL_MAX - 16)
		out->n = before;
	return rc;
}

int sql_manifest_detail(struct sql_source *s, struct zs_buf *out, struct zs_err *err)
{
	size_t begin = out->n, before;

	if (!s->snapshot.is_taken)
		return 0;
	if (add_head(s, out, err) < 0)
		return -1;
	before = out->n;
	if (keep_if_short(out, begin, before, add_names(s, out, err)) < 0)
		return -1;
	before = out->n;
	if (keep_if_short(out, begin, before, add_list(out, "retried", &s->facts.retried, err)) < 0)
		return -1;
	before = out->n;
	if (keep_if_short(out, begin, before, add_list(out, "tables", &s->facts.per_table, err)) < 0)
		return -1;
	return zs_buf_add_u8(out, '}', err);
}

int sql_manifest_summary(struct sql_source *s, struct zs_buf *out, struct zs_err *err)
{
	if (add_head(s, out, err) < 0 || add_names(s, out, err) < 0 || add_list(out, "retried", &s->facts.retried, err) < 0 ||
	    add_list(out, "tables", &s->facts.per_table, err) < 0)
		return -1;
	return zs_buf_printf(out, err, "}\n");
}

void sql_manifest_fini(struct sql_facts *f)
{
	zs_buf_fini(&f->longest_of);
	zs_buf_fini(&f->version);
	zs_buf_fini(&f->charset);
	zs_buf_fini(&f->per_table);
	zs_buf_fini(&f->retried);
	zs_strings_fini(&f->warnings);
}
