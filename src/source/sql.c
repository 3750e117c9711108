/*
 * MariaDB as a source: the table of operations, the phases, and reading one item.  What is read, and in which order, is in
 * sql_walk.c.
 */
#include "sql_source_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct handle {
	struct zs_source_handle base;
	struct sql_source *source;
	uint64_t generation;
};

struct reader {
	struct zs_source_reader base;
	struct sql_source *source;
	size_t at; /* in the text */
	int is_rows;
};

static const struct zs_source_ops table;

void sql_note(struct sql_source *s, enum zs_note_level level, const char *fmt, ...)
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
	if (level != ZS_NOTE_WARNING)
		return;
	if (s->facts.warnings.n >= SQL_WARNINGS_MAX || zs_strings_add(&s->facts.warnings, zs_span_str(text), &ignored) < 0)
		s->facts.more_warnings++;
}

int sql_stop(const struct sql_source *s, struct zs_err *err)
{
	return s->settings->stop && s->settings->stop(s->settings->stop_ctx) ? zs_fail(err, ZS_STOPPED, "stopped") : 0;
}

/* ---------------------------------------------------------------------------- phases */

static int prepare_connect(struct sql_source *s, struct zs_err *err)
{
	if (sql_conn_open(&s->options.login, &s->meta, err) < 0 || sql_manifest_server(s, err) < 0 ||
	    sql_catalog_load(&s->meta, &s->options, SQL_CATALOG_NAMES, &s->catalog, err) < 0)
		return -1;
	s->snapshot.time_ns = zs_now_ns();
	s->is_connected = 1;
	return sql_check(s, err);
}

/* Which of the tables listed now were locked before?  Both lists are in the same order. */
static void take_over_locks(struct sql_source *s, const struct sql_catalog *before)
{
	struct sql_catalog *now = &s->catalog;
	size_t locked = 0, open = 0;

	for (size_t d = 0, e = 0; d < now->databases_n; d++) {
		const char *name = sql_catalog_text(now, now->databases[d].component_at);
		size_t k = 0;

		while (e < before->databases_n && strcmp(sql_catalog_text(before, before->databases[e].component_at), name) < 0)
			e++;
		if (e == before->databases_n)
			break;
		for (size_t i = now->databases[d].first; i < now->databases[d].first + now->databases[d].n; i++) {
			struct sql_table_name *t = &now->tables[i];
			const struct sql_table_name *old = &before->tables[before->databases[e].first];
			const char *component = sql_catalog_text(now, t->component_at);

			while (k < before->databases[e].n && strcmp(sql_catalog_text(before, old[k].component_at), component) < 0)
				k++;
			if (k < before->databases[e].n && strcmp(sql_catalog_text(before, old[k].component_at), component) == 0)
				t->flags |= old[k].flags & SQL_TABLE_IS_LOCKED;
			locked += (t->flags & SQL_TABLE_IS_LOCKED) != 0;
			open += (t->flags & SQL_TABLE_UNSAFE) && !(t->flags & SQL_TABLE_IS_LOCKED);
		}
	}
	if (s->snapshot.locked_left > 0 && open > 0)
		sql_note(s, ZS_NOTE_WARNING, "%zu tables of engines without transactions were made while the snapshot was taken: they are not of its point in time", open);
	s->snapshot.locked_left = locked;
}

/* The list of tables is that of the snapshot: they are listed again after it, and what was made in between is found. */
static int prepare_thaw(struct sql_source *s, struct zs_err *err)
{
	struct sql_catalog before;
	int rc;

	sql_snapshot_thaw(s);
	before = s->catalog;
	s->catalog = (struct sql_catalog){0};
	rc = sql_catalog_load(&s->meta, &s->options, SQL_CATALOG_NAMES, &s->catalog, err);
	if (rc == 0)
		take_over_locks(s, &before);
	sql_catalog_fini(&before);
	return rc;
}

/* Which server it is, for what ends the whole source. */
static int named(const struct sql_source *s, int rc, struct zs_err *err)
{
	return rc < 0 && err->cause == ZS_SOURCE ? zs_context(err, "%s", s->options.login.label) : rc;
}

static int sql_prepare(struct zs_source *base, enum zs_source_phase phase, struct zs_err *err)
{
	struct sql_source *s = (struct sql_source *)base;

	if (sql_stop(s, err) < 0)
		return -1;
	if (phase == ZS_PHASE_CONNECT)
		return named(s, prepare_connect(s, err), err);
	if (!s->is_connected)
		return zs_fail(err, ZS_INTERNAL, "not connected");
	if (phase == ZS_PHASE_FREEZE)
		return named(s, sql_snapshot_take(s, err), err);
	return phase == ZS_PHASE_THAW ? named(s, prepare_thaw(s, err), err) : 0;
}

static int sql_next(struct zs_source *base, struct zs_source_item *out, struct zs_err *err)
{
	struct sql_source *s = (struct sql_source *)base;

	if (!s->is_connected)
		return zs_fail(err, ZS_INTERNAL, "not connected");
	if (!s->snapshot.is_taken && !s->is_dry) {
		s->is_dry = 1;
		sql_catalog_fini(&s->catalog);
		if (sql_catalog_load(&s->meta, &s->options, SQL_CATALOG_SIZES, &s->catalog, err) < 0)
			return named(s, -1, err);
	}
	return named(s, sql_walk_next(s, out, err), err);
}

/* --------------------------------------------------------------------------- reading */

int sql_handle_new(struct sql_source *s, struct zs_source_handle **out, struct zs_err *err)
{
	struct handle *h = malloc(sizeof *h);

	if (!h)
		return zs_fail_nomem(err);
	*h = (struct handle){.base = {&table}, .source = s, .generation = s->walk.generation};
	*out = &h->base;
	return 0;
}

static void sql_handle_free(struct zs_source_handle *h)
{
	free(h);
}

static int sql_open(struct zs_source_handle *base, struct zs_source_reader **out, struct zs_err *err)
{
	const struct handle *h = (const struct handle *)base;
	struct sql_source *s = h->source;
	struct reader *r;

	if (h->generation != s->walk.generation || s->is_dry || (s->walk.is_rows && s->table.rows.groups > 0))
		return zs_fail(err, ZS_SOURCE, "this can be read once only, and in its turn");
	if (!(r = malloc(sizeof *r)))
		return zs_fail_nomem(err);
	*r = (struct reader){.base = {&table}, .source = s, .is_rows = s->walk.is_rows};
	*out = &r->base;
	return 0;
}

static int sql_read(struct zs_source_reader *base, void *p, size_t n, size_t *out_n, uint64_t *out_hole, struct zs_err *err)
{
	struct reader *r = (struct reader *)base;
	const struct zs_buf *text = &r->source->walk.text;

	*out_n = 0;
	*out_hole = 0;
	if (sql_stop(r->source, err) < 0)
		return -1;
	if (r->is_rows)
		return sql_rows_read(&r->source->table.rows, p, n, out_n, err);
	*out_n = n < text->n - r->at ? n : text->n - r->at;
	if (*out_n)
		memcpy(p, text->p + r->at, *out_n);
	r->at += *out_n;
	return 0;
}

static int sql_next_group(struct zs_source_reader *base, uint64_t *out_tag, struct zs_err *err)
{
	struct reader *r = (struct reader *)base;
	struct sql_source *s = r->source;
	int rc;

	if (!r->is_rows)
		return 0;
	rc = sql_rows_next_group(&s->table.rows, out_tag, err);
	if (rc != 0 || s->table.is_complete)
		return rc;
	if (sql_table_verify(s, err) < 0 || sql_manifest_table(s, err) < 0)
		return -1;
	s->table.is_complete = 1;
	return 0;
}

static int sql_close(struct zs_source_reader *base, int *out_changed, struct zs_err *err)
{
	struct reader *r = (struct reader *)base;
	int is_cut = r->is_rows && !r->source->table.is_complete;

	*out_changed = 0;
	r->source->facts.failed += (unsigned)is_cut;
	free(r);
	return is_cut ? zs_fail(err, ZS_SOURCE, "its rows were not read to the end") : 0;
}

static int sql_manifest(struct zs_source *base, struct zs_buf *out, struct zs_err *err)
{
	return sql_manifest_detail((struct sql_source *)base, out, err);
}

/* Rows may still be on their way: nobody listens any more, and nothing is asked. */
static void hang_up(struct sql_source *s)
{
	struct sql_conn *c = s->table.conn;

	if (!c || !s->table.rows.res)
		return;
	(void)shutdown(mysql_get_socket(c->my), SHUT_RDWR);
	c->is_lost = 1;
}

static void sql_free(struct zs_source *base)
{
	struct sql_source *s = (struct sql_source *)base;

	hang_up(s);
	sql_table_end(s);
	zs_buf_fini(&s->table.definition);
	sql_snapshot_fini(s);
	sql_conn_close(&s->meta);
	sql_walk_fini(&s->walk);
	sql_manifest_fini(&s->facts);
	sql_catalog_fini(&s->catalog);
	sql_privileges_fini(&s->rights);
	sql_options_fini(&s->options);
	zs_buf_fini(&s->root);
	free(s);
}

static const struct zs_source_ops table = {
	.next = sql_next,
	.free = sql_free,
	.open = sql_open,
	.read = sql_read,
	.next_group = sql_next_group,
	.close = sql_close,
	.prepare = sql_prepare,
	.manifest = sql_manifest,
	.handle_free = sql_handle_free,
};

int zs_source_sql_new(const struct zs_server_settings *server, const struct zs_source_settings *settings, struct zs_source **out,
    struct zs_err *err)
{
	struct sql_source *s;

	if (server->root.n > 0 && !zs_path_valid(server->root))
		return zs_fail(err, ZS_USAGE, "a source needs a valid path to be stored under");
	s = calloc(1, sizeof *s);
	if (!s)
		return zs_fail_nomem(err);
	s->base.ops = &table;
	s->settings = settings;
	if (sql_options_parse(server, &s->options, err) < 0 || zs_buf_add_span(&s->root, server->root, err) < 0) {
		sql_free(&s->base);
		return -1;
	}
	*out = &s->base;
	return 0;
}
