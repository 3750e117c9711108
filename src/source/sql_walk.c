/*
 * The order of items: accounts, then each database with its tables, then the summary.  What is small is read whole, when its
 * turn comes, so that what turns out to be empty is no item at all.
 */
#include "sql_source_private.h"

#include <mysqld_error.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct { const char *name; enum sql_stream stream; unsigned skipped_by; } streams[] = {
	[SQL_STEP_ACCOUNTS_ROLES] = {"accounts-roles.sql", SQL_ACCOUNTS_ROLES, SQL_SKIP_ACCOUNTS},
	[SQL_STEP_ACCOUNTS_TABLES] = {"accounts-tables.sql", SQL_ACCOUNTS_TABLES, SQL_SKIP_ACCOUNTS},
	[SQL_STEP_ACCOUNTS] = {"accounts.sql", SQL_ACCOUNTS, SQL_SKIP_ACCOUNTS},
	[SQL_STEP_DATABASE] = {"database.sql", SQL_DATABASE, 0},
	[SQL_STEP_EVENTS] = {"events.sql", SQL_EVENTS, SQL_SKIP_EVENTS},
	[SQL_STEP_ROUTINES] = {"routines.sql", SQL_ROUTINES, SQL_SKIP_PROGRAMS},
	[SQL_STEP_SEQUENCES] = {"sequences.sql", SQL_SEQUENCES, 0},
	[SQL_STEP_VIEW_CHECKS] = {"view-checks.sql", SQL_VIEW_CHECKS, SQL_SKIP_VIEWS},
	[SQL_STEP_VIEW_PLACEHOLDERS] = {"view-placeholders.sql", SQL_VIEW_PLACEHOLDERS, SQL_SKIP_VIEWS},
	[SQL_STEP_VIEWS] = {"views.sql", SQL_VIEWS, SQL_SKIP_VIEWS},
};

static const struct sql_database *database_at(const struct sql_source *s)
{
	return &s->catalog.databases[s->walk.database];
}

/* The path of the item to come: below the root, below a database, below a table of it. */
static int set_path(struct sql_source *s, const char *database, const char *table, const char *name, struct zs_err *err)
{
	struct zs_buf *p = &s->walk.path;

	zs_buf_clear(p);
	if (zs_buf_add_span(p, zs_buf_span(&s->root), err) < 0 || (p->n && zs_buf_add_u8(p, '/', err) < 0))
		return -1;
	if (database && zs_buf_printf(p, err, "databases/%s/", database) < 0)
		return -1;
	if (table && zs_buf_printf(p, err, "tables/%s%s", table, name ? "/" : "") < 0)
		return -1;
	return name ? zs_buf_printf(p, err, "%s", name) : 0;
}

/* There is an item: how many bytes of its path name directories that the one before stood in, too? */
static void make_item(struct sql_walk *w, int is_rows, uint64_t bytes)
{
	size_t n = 0, common = 0;

	while (n < w->path.n && n < w->last.n && w->path.p[n] == w->last.p[n]) {
		if (w->path.p[n] == '/')
			common = n;
		n++;
	}
	w->given_n = common;
	w->is_rows = is_rows;
	w->bytes = bytes;
	w->has_item = 1;
	w->generation++;
}

/* One thing could not be read: named, and the others go on; unless none can be read any more. */
static int name_problem(struct sql_source *s, struct zs_err *err)
{
	if (err->cause != ZS_SOURCE || s->meta.is_lost)
		return -1;
	s->facts.failed++;
	s->settings->problem(s->settings->ctx, zs_buf_span(&s->walk.path), err);
	zs_err_clear(err);
	return 0;
}

/* A stream that is read whole. */
static int make_stream(struct sql_source *s, struct sql_conn *conn, enum sql_stream stream, struct zs_span database, struct zs_span table,
    struct zs_err *err)
{
	const struct sql_define d = {.conn = conn, .stream = stream, .database = database, .table = table,
	    .path = zs_buf_span(&s->walk.path), .settings = s->settings, .out_named_zones = &s->facts.named_zones,
	    .out_inactive = &s->facts.inactive, .out_left_out = &s->facts.failed};

	zs_buf_clear(&s->walk.text);
	if (sql_define_stream(&d, &s->walk.text, err) < 0) {
		zs_buf_clear(&s->walk.text);
		return conn->is_lost ? -1 : name_problem(s, err);
	}
	if (stream == SQL_ACCOUNTS && s->facts.inactive)
		sql_note(s, ZS_NOTE_WARNING, "accounts of named hosts that are not in use on this server (skip_name_resolve): %llu; they are in accounts-tables.sql only",
		    (unsigned long long)s->facts.inactive);
	if (s->walk.text.n > 0)
		make_item(&s->walk, 0, s->walk.text.n);
	return 0;
}

static int step_stream(struct sql_source *s, enum sql_step step, struct zs_err *err)
{
	int is_account = step <= SQL_STEP_ACCOUNTS;
	const struct sql_database *d = is_account ? NULL : database_at(s);
	const char *component = d ? sql_catalog_text(&s->catalog, d->component_at) : NULL;
	uint64_t failed = s->facts.failed;

	if ((s->options.skip & streams[step].skipped_by) || (is_account && s->options.databases.n > 0))
		return 0;
	if (set_path(s, component, NULL, streams[step].name, err) < 0 ||
	    make_stream(s, &s->meta, streams[step].stream, zs_span_str(d ? sql_catalog_text(&s->catalog, d->name_at) : ""), zs_span(NULL, 0),
		err) < 0)
		return -1;
	if (step == SQL_STEP_DATABASE && failed < s->facts.failed && s->meta.failed == ER_BAD_DB_ERROR)
		s->walk.step = SQL_STEP_VIEWS; /* it was dropped: that was said, once is enough */
	return 0;
}

/* ---------------------------------------------------------------------------- tables */

static int begin_table(struct sql_source *s, size_t number, struct zs_err *err)
{
	const char *database = sql_catalog_text(&s->catalog, database_at(s)->component_at);
	const char *table = sql_catalog_text(&s->catalog, s->catalog.tables[number].component_at);
	int rc;

	if (set_path(s, database, table, NULL, err) < 0)
		return -1;
	rc = sql_table_begin(s, number, database_at(s), err);
	if (rc <= 0) {
		sql_table_end(s);
		return rc < 0 ? -1 : name_problem(s, err);
	}
	s->walk.part = SQL_PART_DEFINITION;
	if (set_path(s, database, table, "definition.sql", err) < 0)
		return -1;
	zs_buf_clear(&s->walk.text);
	if (zs_buf_add_span(&s->walk.text, zs_buf_span(&s->table.definition), err) < 0)
		return -1;
	make_item(&s->walk, 0, s->walk.text.n);
	return 0;
}

static int begin_rows(struct sql_source *s, struct zs_err *err)
{
	uint64_t bytes = s->is_dry ? s->catalog.tables[s->walk.table].bytes : 0;

	s->walk.part = SQL_PART_ROWS;
	if (s->table.columns.lacks_history && set_path(s, sql_catalog_text(&s->catalog, database_at(s)->component_at), s->table.component, "rows.sql", err) == 0) {
		(void)zs_fail(err, ZS_SOURCE, "its history is kept by numbers of transactions and cannot be written again: only its current rows are in the backup");
		if (name_problem(s, err) < 0)
			return -1;
	}
	if (!s->table.has_rows && !bytes) {
		s->table.is_complete = 1;
		return s->is_dry ? 0 : sql_manifest_table(s, err);
	}
	if (set_path(s, sql_catalog_text(&s->catalog, database_at(s)->component_at), s->table.component, "rows.sql", err) < 0)
		return -1;
	make_item(&s->walk, 1, bytes);
	return 0;
}

static int begin_triggers(struct sql_source *s, struct zs_err *err)
{
	struct sql_table *t = &s->table;

	s->walk.part = SQL_PART_TRIGGERS;
	if (t->conn->is_lost)
		return zs_fail(err, ZS_SOURCE, "the connection was lost");
	sql_rows_end(&t->rows);
	if (s->options.skip & SQL_SKIP_TRIGGERS)
		return 0;
	if (set_path(s, sql_catalog_text(&s->catalog, database_at(s)->component_at), t->component, "triggers.sql", err) < 0)
		return -1;
	return make_stream(s, t->conn, SQL_TABLE_TRIGGERS, zs_span_str(t->database), zs_span_str(t->name), err);
}

static int is_table(const struct sql_source *s, size_t number)
{
	return !(s->catalog.tables[number].flags & (SQL_TABLE_IS_VIEW | SQL_TABLE_IS_SEQUENCE));
}

/* The next part of the table at hand, or the next table.  *more 0: there is none. */
static int step_tables(struct sql_source *s, int *more, struct zs_err *err)
{
	struct sql_walk *w = &s->walk;
	const struct sql_database *d = database_at(s);

	*more = 1;
	switch (w->part) {
	case SQL_PART_DEFINITION:
		return begin_rows(s, err);
	case SQL_PART_ROWS:
		return begin_triggers(s, err);
	case SQL_PART_TRIGGERS:
		sql_table_end(s);
		w->part = SQL_PART_NONE;
		w->table++;
		return 0;
	case SQL_PART_NONE:
		break;
	}
	if (w->table < d->first)
		w->table = d->first;
	while (w->table < d->first + d->n && !is_table(s, w->table))
		w->table++;
	*more = w->table < d->first + d->n;
	if (!*more)
		return 0;
	if (begin_table(s, w->table, err) < 0)
		return -1;
	w->table += w->part == SQL_PART_NONE;
	return 0;
}

/* ----------------------------------------------------------------------------- items */

static int step_summary(struct sql_source *s, struct zs_err *err)
{
	sql_snapshot_release(s); /* other sources may take long after this one */
	zs_buf_clear(&s->walk.text);
	if (set_path(s, NULL, NULL, "summary.json", err) < 0 || sql_manifest_summary(s, &s->walk.text, err) < 0)
		return -1;
	make_item(&s->walk, 0, s->walk.text.n);
	return 0;
}

/* One step; there may be an item after it, or not yet. */
static int step(struct sql_source *s, struct zs_err *err)
{
	struct sql_walk *w = &s->walk;
	int more = 0;

	switch (w->step) {
	case SQL_STEP_TABLES:
		if (step_tables(s, &more, err) < 0)
			return -1;
		break;
	case SQL_STEP_SUMMARY:
		if (!s->is_dry && step_summary(s, err) < 0)
			return -1;
		break;
	case SQL_STEP_END:
		return 0;
	default:
		if (w->step >= SQL_STEP_DATABASE && w->database == s->catalog.databases_n) {
			w->step = SQL_STEP_SUMMARY;
			return 0;
		}
		if (step_stream(s, w->step, err) < 0)
			return -1;
	}
	if (more)
		return 0;
	if (w->step == SQL_STEP_VIEWS) {
		w->database++;
		w->step = SQL_STEP_DATABASE;
	} else {
		w->step++;
	}
	return 0;
}

/* The next directory on the way to the item, if there is one that was not given. */
static int take_directory(struct sql_walk *w, struct zs_source_item *out)
{
	size_t from = w->given_n ? w->given_n + 1 : 0;
	const uint8_t *slash = memchr(w->path.p + from, '/', w->path.n - from);

	if (!slash)
		return 0;
	w->given_n = (size_t)(slash - w->path.p);
	out->path = zs_span(w->path.p, w->given_n);
	out->entry.kind = ZS_ENTRY_DIR;
	out->entry.mode = 0700;
	return 1;
}

static int take_item(struct sql_source *s, struct zs_source_item *out, struct zs_err *err)
{
	struct sql_walk *w = &s->walk;

	/* only the summary is made after its step was left */
	*out = (struct zs_source_item){.content = w->step == SQL_STEP_END ? ZS_KIND_FILE : ZS_KIND_SQL, .serial = 1};
	out->entry = (struct zs_entry){.kind = ZS_ENTRY_FILE, .flags = ZS_ENTRY_HAS_MODE, .mode = 0600, .uid = geteuid(), .gid = getegid(),
	    .mtime_ns = s->snapshot.time_ns, .size = w->bytes, .date_ns = INT64_MIN, .item_date_ns = INT64_MIN};
	if (take_directory(w, out)) {
		out->serial = 0;
		return 1;
	}
	if (sql_handle_new(s, &out->handle, err) < 0)
		return -1;
	out->path = zs_buf_span(&w->path);
	zs_buf_clear(&w->last);
	if (zs_buf_add_span(&w->last, out->path, err) < 0)
		return -1;
	w->has_item = 0;
	return 1;
}

int sql_walk_next(struct sql_source *s, struct zs_source_item *out, struct zs_err *err)
{
	struct sql_walk *w = &s->walk;

	while (!w->has_item) {
		if (w->step == SQL_STEP_END)
			return 0;
		if (sql_stop(s, err) < 0 || step(s, err) < 0)
			return -1;
	}
	return take_item(s, out, err);
}

void sql_walk_fini(struct sql_walk *w)
{
	zs_buf_fini(&w->path);
	zs_buf_fini(&w->last);
	zs_buf_fini(&w->text);
}
