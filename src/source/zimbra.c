/*
 * A local Zimbra server as a source: the table of operations and the phases.  Its mailboxes are read in one snapshot of its database;
 * what is in which order is in zimbra_walk.c.
 */
#include "zimbra_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARNINGS_MAX 100

void zimbra_note(struct zimbra_source *s, enum zs_note_level level, const char *fmt, ...)
{
	struct zs_err ignored = {0};
	char text[480];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?'; /* of a name */
	if (s->settings->note)
		s->settings->note(s->settings->note_ctx, level, text);
	if (level == ZS_NOTE_WARNING && s->warnings.n < WARNINGS_MAX && zs_strings_add(&s->warnings, zs_span_str(text), &ignored) < 0)
		zs_err_clear(&ignored);
}

int zimbra_stop(const struct zimbra_source *s, struct zs_err *err)
{
	return s->settings->stop && s->settings->stop(s->settings->stop_ctx) ? zs_fail(err, ZS_STOPPED, "stopped") : 0;
}

static void count_problem(struct zimbra_source *s, struct zimbra_mailbox *m, const struct zs_err *why)
{
	(void)pthread_mutex_lock(&s->lock);
	if (m->problems++ == 0)
		(void)snprintf(m->why, sizeof m->why, "%.230s", why->text);
	(void)pthread_mutex_unlock(&s->lock);
}

void zimbra_problem(struct zimbra_source *s, struct zimbra_mailbox *m, struct zs_span path, const struct zs_err *why)
{
	if (m)
		count_problem(s, m, why);
	s->settings->problem(s->settings->ctx, path, why);
}

/* ---------------------------------------------------------------------------- phases */

static int named(const struct zimbra_source *s, int rc, struct zs_err *err)
{
	return rc < 0 && err->cause == ZS_SOURCE ? zs_context(err, "%s", s->options.label) : rc;
}

static int freeze(struct zimbra_source *s, struct zs_err *err)
{
	if (sql_conn_execf(&s->conn, err, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ") < 0 ||
	    sql_conn_execf(&s->conn, err, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY") < 0)
		return -1;
	s->time_ns = zs_now_ns();
	zimbra_manifest_position(s);
	s->is_frozen = 1;
	return 0;
}

/* Accounts that were made or renamed between the first listing and the snapshot. */
static int settle(struct zimbra_source *s, struct zs_err *err)
{
	struct zimbra_directory later = {0};
	int rc = zimbra_connect_directory(s, &later, err);

	if (rc == 0)
		rc = zimbra_directory_merge(&s->directory, &later, err);
	zimbra_directory_fini(&later);
	return rc;
}

static int zimbra_prepare(struct zs_source *base, enum zs_source_phase phase, struct zs_err *err)
{
	struct zimbra_source *s = (struct zimbra_source *)base;

	if (zimbra_stop(s, err) < 0)
		return -1;
	switch (phase) {
	case ZS_PHASE_CONNECT:
		if (zimbra_connect_all(s, err) < 0)
			return named(s, -1, err);
		s->is_connected = 1;
		return 0;
	case ZS_PHASE_JOIN:
		return named(s, s->is_connected ? freeze(s, err) : zs_fail(err, ZS_INTERNAL, "not connected"), err);
	case ZS_PHASE_SETTLE:
		return named(s, settle(s, err), err);
	case ZS_PHASE_LIST:
	case ZS_PHASE_FREEZE:
	case ZS_PHASE_THAW:
		break;
	}
	return 0;
}

static int zimbra_next(struct zs_source *base, struct zs_source_item *out, struct zs_err *err)
{
	struct zimbra_source *s = (struct zimbra_source *)base;

	if (!s->is_connected)
		return zs_fail(err, ZS_INTERNAL, "not connected");
	if (!s->is_listed) {
		if (!s->is_frozen && freeze(s, err) < 0) /* a dry run */
			return named(s, -1, err);
		if (zimbra_connect_volumes(s, err) < 0 || zimbra_mailbox_list(s, err) < 0 || zimbra_mailbox_probe(s, err) < 0)
			return named(s, -1, err);
		s->is_listed = 1;
	}
	return named(s, zimbra_walk_next(s, out, err), err);
}

/* ------------------------------------------------------------------------------ parts */

static unsigned zimbra_parts(struct zs_source *base, unsigned member)
{
	(void)member;
	return (unsigned)((struct zimbra_source *)base)->mailboxes_n;
}

static void zimbra_part(struct zs_source *base, unsigned member, unsigned number, struct zs_part_report *out)
{
	struct zimbra_source *s = (struct zimbra_source *)base;
	const struct zimbra_mailbox *m = &s->mailboxes[number];

	(void)member;
	(void)pthread_mutex_lock(&s->lock);
	*out = (struct zs_part_report){.name = m->name, .items = m->items, .problems = m->problems,
	    .state = m->has_failed ? ZS_MEMBER_FAILED : m->problems > 0 ? ZS_MEMBER_PARTIAL : ZS_MEMBER_DONE};
	memcpy(out->why, m->why, sizeof out->why);
	(void)pthread_mutex_unlock(&s->lock);
}

static void zimbra_failed(struct zs_source *base, unsigned member, unsigned part, const struct zs_err *why)
{
	struct zimbra_source *s = (struct zimbra_source *)base;

	(void)member;
	if (part > 0 && part <= s->mailboxes_n)
		count_problem(s, &s->mailboxes[part - 1], why);
}

static void zimbra_skip(struct zs_source *base)
{
	zimbra_walk_skip((struct zimbra_source *)base);
}

static int zimbra_manifest(struct zs_source *base, struct zs_buf *out, struct zs_err *err)
{
	return zimbra_manifest_detail((struct zimbra_source *)base, out, err);
}

static void zimbra_free(struct zs_source *base)
{
	struct zimbra_source *s = (struct zimbra_source *)base;

	zimbra_rows_fini(s);
	zimbra_walk_fini(s);
	for (size_t i = 0; i < s->mailboxes_n; i++)
		zimbra_mailbox_fini(&s->mailboxes[i]);
	free(s->mailboxes);
	sql_conn_close(&s->conn);
	sql_conn_close(&s->fresh);
	zimbra_volumes_fini(&s->volumes);
	zimbra_schema_fini(&s->server_tables);
	zimbra_schema_fini(&s->group_tables);
	for (size_t i = 0; i < s->odd_groups_n; i++)
		zimbra_schema_fini(&s->odd_groups[i].tables);
	free(s->odd_groups);
	zimbra_directory_fini(&s->directory);
	zimbra_config_free(s->config);
	zimbra_options_fini(&s->options);
	zs_strings_fini(&s->warnings);
	zs_buf_fini(&s->root);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

static const struct zs_source_ops ops = {
	.next = zimbra_next,
	.free = zimbra_free,
	.prepare = zimbra_prepare,
	.joins = 1,
	.manifest = zimbra_manifest,
	.failed = zimbra_failed,
	.skip = zimbra_skip,
	.parts = zimbra_parts,
	.part = zimbra_part,
};

int zs_source_zimbra_new(const struct zs_server_settings *server, const struct zs_source_settings *settings, struct zs_source **out, struct zs_err *err)
{
	struct zimbra_source *s = calloc(1, sizeof *s);

	if (!s)
		return zs_fail_nomem(err);
	s->base.ops = &ops;
	s->settings = settings;
	(void)pthread_mutex_init(&s->lock, NULL);
	if (zimbra_options_parse(server, &s->options, err) < 0 || zs_buf_add_span(&s->root, server->root, err) < 0) {
		zimbra_free(&s->base);
		return -1;
	}
	*out = &s->base;
	return 0;
}
