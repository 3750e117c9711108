/*
 * What is known of a backup beside its content: versions, the position, each mailbox's highest change number, what became of it.
 */
#include "zimbra_private.h"

#include <stdio.h>
#include <string.h>

#define ACCOUNTS_BYTES (4u << 20) /* of the manifest; each account's state is an entry, too */

static const char *state_of(const struct zimbra_mailbox *m)
{
	return m->has_failed ? "failed" : m->problems > 0 ? "partial" : "done";
}

static void take_text(struct sql_conn *c, const char *question, char *out, size_t size)
{
	struct zs_err ignored = {0};
	struct sql_result r;

	if (sql_conn_queryf(c, &r, &ignored, "%s", question) < 0)
		return;
	if (sql_result_next(&r) && sql_result_get(&r, 0).p)
		(void)snprintf(out, size, "%.*s", (int)sql_result_get(&r, 0).n, (const char *)sql_result_get(&r, 0).p);
	sql_result_fini(&r);
}

int zimbra_manifest_server(struct zimbra_source *s, struct zs_err *err)
{
	take_text(&s->conn, "SELECT VERSION()", s->version, sizeof s->version);
	take_text(&s->conn, "SELECT value FROM zimbra.config WHERE name='db.version'", s->db_version, sizeof s->db_version);
	if (s->conn.is_lost)
		return zs_fail(err, ZS_SOURCE, "the connection to Zimbra's database was lost");
	if (!*s->db_version)
		zimbra_note(s, ZS_NOTE_WARNING, "zimbra.config does not say which version of the schema this is");
	return 0;
}

/* Of this very transaction, if the server keeps a binary log. */
void zimbra_manifest_position(struct zimbra_source *s)
{
	struct zs_err ignored = {0};
	char file[160] = "", pos[32] = "";
	struct sql_result r;

	if (sql_conn_queryf(&s->conn, &r, &ignored, "SHOW STATUS LIKE 'binlog_snapshot_%%'") < 0)
		return;
	while (sql_result_next(&r)) {
		struct zs_span name = sql_result_get(&r, 0), value = sql_result_get(&r, 1);

		if (zs_span_eq(name, zs_span_str("Binlog_snapshot_file")))
			(void)snprintf(file, sizeof file, "%.*s", (int)value.n, (const char *)value.p);
		if (zs_span_eq(name, zs_span_str("Binlog_snapshot_position")))
			(void)snprintf(pos, sizeof pos, "%.*s", (int)value.n, (const char *)value.p);
	}
	sql_result_fini(&r);
	if (*file)
		(void)snprintf(s->position, sizeof s->position, "%s:%s", file, pos);
}

int zimbra_manifest_state(struct zimbra_source *s, const struct zimbra_mailbox *m, struct zs_buf *out, struct zs_err *err)
{
	(void)s;
	if (zs_buf_printf(out, err, "{\"account\":") < 0 || zs_buf_json(out, zs_span_str(m->name), err) < 0 ||
	    zs_buf_printf(out, err, ",\"zimbraId\":") < 0 || zs_buf_json(out, zs_span_str(m->account_id), err) < 0 ||
	    zs_buf_printf(out, err, ",\"mailbox\":%u,\"group\":%u,\"items\":%llu,\"highest_change\":%llu,\"state\":\"%s\",\"problems\":%llu", m->id, m->group,
		(unsigned long long)m->items, (unsigned long long)m->highest, state_of(m), (unsigned long long)m->problems) < 0)
		return -1;
	if (m->deleted + m->rewritten > 0 && zs_buf_printf(out, err, ",\"deleted_meanwhile\":%llu,\"rewritten_meanwhile\":%llu",
		(unsigned long long)m->deleted, (unsigned long long)m->rewritten) < 0)
		return -1;
	if (m->problems > 0 && (zs_buf_printf(out, err, ",\"why\":") < 0 || zs_buf_json(out, zs_span_str(m->why), err) < 0))
		return -1;
	return zs_buf_printf(out, err, "}\n");
}

static int add_accounts(struct zimbra_source *s, struct zs_buf *out, struct zs_err *err)
{
	size_t before = out->n, done = 0, partial = 0, failed = 0;

	for (size_t i = 0; i < s->mailboxes_n; i++) {
		const struct zimbra_mailbox *m = &s->mailboxes[i];

		failed += m->has_failed != 0;
		partial += !m->has_failed && m->problems > 0;
		done += !m->has_failed && m->problems == 0;
	}
	if (zs_buf_printf(out, err, ",\"accounts_done\":%zu,\"accounts_partial\":%zu,\"accounts_failed\":%zu,\"mailboxes\":{", done, partial, failed) < 0)
		return -1;
	for (size_t i = 0; i < s->mailboxes_n && out->n - before < ACCOUNTS_BYTES; i++) {
		const struct zimbra_mailbox *m = &s->mailboxes[i];

		if ((i && zs_buf_add_u8(out, ',', err) < 0) || zs_buf_json(out, zs_span_str(m->component), err) < 0 ||
		    zs_buf_printf(out, err, ":{\"mailbox\":%u,\"highest_change\":%llu,\"items\":%llu,\"state\":\"%s\"}", m->id, (unsigned long long)m->highest,
			(unsigned long long)m->items, state_of(m)) < 0)
			return -1;
	}
	return zs_buf_add_u8(out, '}', err);
}

int zimbra_manifest_detail(struct zimbra_source *s, struct zs_buf *out, struct zs_err *err)
{
	uint64_t deleted = 0, rewritten = 0;
	char when[32];

	if (!s->is_frozen)
		return 0;
	for (size_t i = 0; i < s->mailboxes_n; i++) {
		deleted += s->mailboxes[i].deleted;
		rewritten += s->mailboxes[i].rewritten;
	}
	if (zs_buf_printf(out, err, "{\"server\":") < 0 || zs_buf_json(out, zs_span_str(s->version), err) < 0 ||
	    zs_buf_printf(out, err, ",\"schema\":") < 0 || zs_buf_json(out, zs_span_str(s->db_version), err) < 0 ||
	    zs_buf_printf(out, err, ",\"snapshot_time\":\"%s\",\"position\":", zs_time_iso(s->time_ns, when)) < 0 ||
	    (*s->position ? zs_buf_json(out, zs_span_str(s->position), err) : zs_buf_printf(out, err, "null")) < 0 ||
	    zs_buf_printf(out, err, ",\"rows\":%llu,\"deleted_meanwhile\":%llu,\"rewritten_meanwhile\":%llu", (unsigned long long)s->rows.counted,
		(unsigned long long)deleted, (unsigned long long)rewritten) < 0 ||
	    zs_buf_printf(out, err, ",\"warnings\":[") < 0)
		return -1;
	for (size_t i = 0; i < s->warnings.n; i++)
		if ((i && zs_buf_add_u8(out, ',', err) < 0) || zs_buf_json(out, zs_span_str(s->warnings.v[i]), err) < 0)
			return -1;
	if (zs_buf_add_u8(out, ']', err) < 0 || add_accounts(s, out, err) < 0)
		return -1;
	return zs_buf_add_u8(out, '}', err);
}
