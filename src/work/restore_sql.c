/*
 * What a MariaDB source stored, as one script: the tree is walked once for each phase of the script, and every stream that
 * belongs to it is put together and written.
 */
#include <stdlib.h>
#include <string.h>

#include "zstore/mail.h"
#include "zstore/work.h"

#define WALK_CACHE_BYTES (4u << 20)
#define CACHE_BYTES (24u << 20)
#define OUT_BYTES (256u << 10)
#define SUMMARY_MAX (64u << 20)

struct choice { /* one of what was asked for */
	uint8_t is_database; /* a database of exactly that name is there */
	uint64_t found;	     /* streams */
	uint64_t tables, rows, listed; /* if it is a table: definitions, rows, and how often the summary says that it is complete */
};

struct script {
	const struct zs_sql_restore *s;
	int fd;
	struct zs_store_reader *walk, *content;
	enum zs_sql_phase phase;
	struct zs_buf out, current, notes, database; /* database: of the summary's table at hand */
	struct choice *choices; /* for each of what */
	int is_partial, has_list; /* has_list: the summary's tables are known */
	struct zs_progress progress;
};

static size_t what_count(const struct script *x)
{
	return x->s->what ? x->s->what->n : 0;
}

static struct zs_span below_prefix(const struct script *x, struct zs_span path)
{
	size_t skip = x->s->prefix.n ? x->s->prefix.n + 1 : 0;

	return path.n > skip ? zs_span(path.p + skip, path.n - skip) : zs_span(NULL, 0);
}

/* ---------------------------------------------------------------------- output */

static int flush(struct script *x, struct zs_err *err)
{
	int rc = zs_write_all(x->fd, x->out.p, x->out.n, ZS_TARGET, "standard output", err);

	zs_buf_clear(&x->out);
	return rc;
}

static int chunk(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err)
{
	return zs_store_read(((struct script *)ctx)->content, id, out, err);
}

static int put(void *ctx, struct zs_span bytes, struct zs_err *err)
{
	struct script *x = ctx;
	const struct zs_observer *o = x->s->observer;

	if (o && o->stop && o->stop(o->ctx))
		return zs_fail(err, ZS_STOPPED, "stopped");
	if (zs_buf_add_span(&x->out, bytes, err) < 0)
		return -1;
	x->progress.bytes += bytes.n;
	return x->out.n >= OUT_BYTES ? flush(x, err) : 0;
}

static int no_hole(void *ctx, uint64_t bytes, struct zs_err *err)
{
	(void)ctx;
	(void)bytes;
	return zs_fail(err, ZS_CORRUPT, "a hole in a stream of SQL");
}

/* --------------------------------------------------------------------- streams */

/* Shall it be in the script?  Counts for whoever asked for it. */
static int is_wanted(struct script *x, const struct zs_sql_place *p, int *out_replaces)
{
	int wanted = what_count(x) == 0;

	*out_replaces = 0;
	for (size_t i = 0; i < what_count(x); i++) {
		struct zs_span what = zs_span_str(x->s->what->v[i]);
		struct choice *c = &x->choices[i];

		if (!zs_sql_place_wanted(p, what) || (c->is_database && what.n != p->database.n))
			continue;
		wanted = 1;
		*out_replaces |= what.n != p->database.n;
		c->found += what.n == p->database.n || p->table.n > 0;
		c->tables += p->phase == ZS_SQL_TABLES;
		c->rows += p->phase == ZS_SQL_ROWS;
	}
	return wanted;
}

static int write_stream(struct script *x, const struct zs_sql_stream *stream, const struct zs_entry *e, struct zs_err *err)
{
	const struct zs_join_io io = {x, chunk, put, no_hole};

	if (zs_sql_stream_begin(stream, &x->current, &x->out, err) < 0 || zs_mail_join(e, &io, err) < 0)
		return -1;
	return zs_sql_stream_end(stream, &x->out, err);
}

static int on_entry(void *ctx, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	struct script *x = ctx;
	const struct zs_observer *o = x->s->observer;
	struct zs_sql_place place;
	struct zs_sql_stream stream = {.place = &place};
	int rc;

	if (e->kind != ZS_ENTRY_FILE)
		return 0;
	if ((rc = zs_sql_place_parse(below_prefix(x, path), &place, err)) <= 0)
		return rc;
	rc = 0;
	if (place.phase == x->phase && is_wanted(x, &place, &stream.replaces)) {
		x->progress.current = path;
		x->progress.files++;
		if (o && o->progress)
			o->progress(o->ctx, &x->progress);
		rc = write_stream(x, &stream, e, err);
		if (rc < 0)
			(void)zs_context(err, "%.*s", (int)(path.n < 200 ? path.n : 200), (const char *)path.p);
	}
	zs_sql_place_fini(&place);
	return rc;
}

static int on_count(void *ctx, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	struct script *x = ctx;
	struct zs_sql_place place;
	int rc, unused;

	(void)e;
	if ((rc = zs_sql_place_parse(below_prefix(x, path), &place, err)) <= 0)
		return rc;
	(void)is_wanted(x, &place, &unused);
	zs_sql_place_fini(&place);
	return 0;
}

/* A database of exactly the name that was asked for is there: then no table is meant. */
static int on_name(void *ctx, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	struct script *x = ctx;
	struct zs_sql_place place;
	int rc;

	(void)e;
	if ((rc = zs_sql_place_parse(below_prefix(x, path), &place, err)) <= 0)
		return rc;
	for (size_t i = 0; place.phase == ZS_SQL_DATABASES && i < what_count(x); i++)
		x->choices[i].is_database |= zs_span_eq(zs_span_str(x->s->what->v[i]), zs_buf_span(&place.database));
	zs_sql_place_fini(&place);
	return 0;
}

/* ----------------------------------------------------------------------- notes */

struct notes {
	struct script *x;
	struct zs_err *err;
};

static int is_key_of_table(const char *key, const char *name)
{
	static const char tables[] = "tables.";
	const char *dot = strrchr(key, '.');

	return strncmp(key, tables, sizeof tables - 1) == 0 && dot && strcmp(dot + 1, name) == 0;
}

/* A table is in the summary if all its rows were read. */
static int note_listed(struct script *x, struct zs_span table, struct zs_err *err)
{
	size_t database_n = x->database.n;

	if (zs_buf_add_u8(&x->database, '.', err) < 0 || zs_buf_add_span(&x->database, table, err) < 0)
		return -1;
	for (size_t i = 0; i < what_count(x); i++)
		x->choices[i].listed += zs_span_eq(zs_span_str(x->s->what->v[i]), zs_buf_span(&x->database));
	x->database.n = database_n;
	return 0;
}

static int on_fact(void *ctx, const char *key, struct zs_span value)
{
	struct notes *n = ctx;
	struct script *x = n->x;

	if (strcmp(key, "totals.failed") == 0) {
		x->has_list = 1;
		x->is_partial |= !zs_span_eq(value, zs_span_str("0"));
	}
	if (is_key_of_table(key, "db")) {
		zs_buf_clear(&x->database);
		return zs_buf_add_span(&x->database, value, n->err);
	}
	if (is_key_of_table(key, "table"))
		return note_listed(x, value, n->err);
	return zs_sql_script_fact(key, value, &n->x->notes, n->err);
}

static int gather(void *ctx, struct zs_span bytes, struct zs_err *err)
{
	return zs_buf_add_span(&((struct script *)ctx)->out, bytes, err);
}

/* The source's summary, if there is one that can be read: what it says goes into the head of the script. */
static int on_summary(void *ctx, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	struct script *x = ctx;
	const struct zs_join_io io = {x, chunk, gather, no_hole};
	struct notes n = {x, err};
	int rc;

	(void)path;
	if (e->kind != ZS_ENTRY_FILE || e->size > SUMMARY_MAX)
		return 0;
	if (zs_buf_reserve(&x->out, (size_t)e->size, err) < 0)
		return -1;
	rc = zs_mail_join(e, &io, err);
	if (rc == 0)
		rc = zs_manifest_walk(zs_buf_span(&x->out), on_fact, &n, err);
	zs_buf_clear(&x->out);
	return rc;
}

/* ------------------------------------------------------------------- the whole */

static int list(struct script *x, const char *below, unsigned flags, zs_list_fn *fn, struct zs_err *err)
{
	struct zs_buf path = ZS_BUF_INIT;
	int rc = zs_buf_add_span(&path, x->s->prefix, err);

	if (rc == 0 && *below && path.n)
		rc = zs_buf_add_u8(&path, '/', err);
	if (rc == 0)
		rc = zs_buf_add_span(&path, zs_span_str(below), err);
	if (rc == 0)
		rc = zs_list(x->walk, &x->s->root, zs_buf_span(&path), flags, fn, x, err);
	zs_buf_fini(&path);
	return rc;
}

/* What is known of the whole. */
static int read_summary(struct script *x, struct zs_err *err)
{
	int rc = list(x, "summary.json", ZS_LIST_SELF, on_summary, err);

	if (rc < 0 && err->cause == ZS_NOTFOUND) { /* the last thing that a source gives */
		zs_err_clear(err);
		x->is_partial = 1;
		rc = zs_buf_printf(&x->notes, err, "-- PARTIAL: reading the server broke off; whole databases and tables may be missing\n");
	}
	if (rc == 0 && x->s->is_partial && !x->is_partial)
		rc = zs_buf_printf(&x->notes, err, "-- PARTIAL: something is missing in the snapshot that this was made of; 'zstore snapshots -v' names it\n");
	x->is_partial |= x->s->is_partial;
	return rc;
}

/* Before anything is written: is there what was asked for? */
static int check_found(struct script *x, struct zs_err *err)
{
	if (what_count(x) > 0 && (list(x, "", ZS_LIST_RECURSIVE, on_name, err) < 0 || list(x, "", ZS_LIST_RECURSIVE, on_count, err) < 0))
		return -1;
	for (size_t i = 0; i < what_count(x); i++)
		if (x->choices[i].found == 0)
			return zs_fail(err, ZS_NOTFOUND, "no database or table %s in this snapshot (say DB or DB.TABLE)", x->s->what->v[i]);
	return 0;
}

/*
 * A single table takes the place of the one that is there, so that it must be whole.  In a summary it is; where there is none
 * (the source broke off), rows are: they are stored when all were read.
 */
static int check_whole(const struct script *x, struct zs_err *err)
{
	for (size_t i = 0; x->is_partial && i < what_count(x); i++) {
		const struct choice *c = &x->choices[i];

		if (c->is_database || (c->tables > 0 && (x->has_list ? c->listed : c->rows) >= c->tables))
			continue;
		return zs_fail(err, ZS_NOTFOUND, "table %s is not complete in this snapshot, which is partial: it would take the place of one that is; "
						 "take another snapshot, or what there is of it as files (extract without --sql)", x->s->what->v[i]);
	}
	return 0;
}

static int all_phases(struct script *x, struct zs_err *err)
{
	for (int phase = 0; phase < ZS_SQL_PHASES; phase++) {
		x->phase = (enum zs_sql_phase)phase;
		if (list(x, "", ZS_LIST_RECURSIVE, on_entry, err) < 0)
			return -1;
	}
	if (zs_sql_script_end(x->is_partial ? ZS_SQL_END_PARTIAL : ZS_SQL_END_COMPLETE, &x->out, err) < 0)
		return -1;
	return flush(x, err);
}

int zs_restore_sql(struct zs_store *st, const struct zs_sql_restore *s, int fd, struct zs_err *err)
{
	struct script x = {.s = s, .fd = fd, .progress = {.phase = "restoring"}};
	size_t n = what_count(&x);
	int rc = -1;

	x.choices = calloc(n + 1, sizeof *x.choices);
	if (!x.choices) {
		(void)zs_fail_nomem(err);
		goto out;
	}
	if (zs_store_reader_new(st, WALK_CACHE_BYTES, &x.walk, err) < 0 || zs_store_reader_new(st, CACHE_BYTES, &x.content, err) < 0)
		goto out;
	if (check_found(&x, err) == 0 && read_summary(&x, err) == 0 && check_whole(&x, err) == 0 &&
	    zs_sql_script_begin(zs_buf_span(&x.notes), &x.out, err) == 0)
		rc = all_phases(&x, err);
out:
	zs_store_reader_free(x.walk);
	zs_store_reader_free(x.content);
	zs_buf_fini(&x.out);
	zs_buf_fini(&x.current);
	zs_buf_fini(&x.notes);
	zs_buf_fini(&x.database);
	free(x.choices);
	return rc;
}
