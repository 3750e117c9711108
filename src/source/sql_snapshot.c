/*
 * One point in time for all tables of engines that have transactions: one or several connections whose transactions begin
 * while a second one holds back commits (BACKUP STAGE) for a moment.  Tables of other engines are locked against writing
 * at the same time, by a connection that reads them itself and lets them go when the last one was read.
 */
#include "sql_source_private.h"

#include <stdlib.h>
#include <string.h>

#define STAGE_SINCE 100400 /* BACKUP STAGE */
#define SNAPSHOTS_LOGGED 8 /* connections with a binary log, see reader_count */

static int open_reader(struct sql_source *s, struct sql_conn *out, struct zs_err *err)
{
	return sql_conn_open(&s->options.login, out, err);
}

static int begin_transaction(struct sql_conn *c, struct zs_err *err)
{
	return sql_conn_execf(c, err, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
}

/* ------------------------------------------------------------------------ position */

static void position_fini(struct sql_position *p)
{
	free(p->file);
	free(p->gtid);
	free(p->replica);
	*p = (struct sql_position){0};
}

static char *copy(struct zs_span text)
{
	return text.n > 0 ? strndup((const char *)text.p, text.n) : NULL;
}

/* The first value of the first row; NULL if there is none, also if the server refuses: a position is never a must. */
static char *ask_value(struct sql_conn *c, const char *question, const char *argument, unsigned column)
{
	struct zs_err ignored = {0};
	struct zs_buf q = ZS_BUF_INIT;
	struct sql_result r;
	char *value = NULL;

	if (zs_buf_printf(&q, &ignored, question, argument) == 0 && sql_conn_query(c, zs_buf_span(&q), &r, &ignored) == 0) {
		if (sql_result_next(&r))
			value = copy(sql_result_get(&r, column));
		sql_result_fini(&r);
	}
	zs_buf_fini(&q);
	return value;
}

/* The binary log as of the transaction that c is in: no lock is needed for it. */
static void read_position(struct sql_conn *c, struct sql_position *out)
{
	char *pos = ask_value(c, "SHOW STATUS LIKE 'binlog_snapshot_position'%s", "", 1);
	struct zs_buf arguments = ZS_BUF_INIT;
	struct zs_err ignored = {0};

	position_fini(out);
	out->file = ask_value(c, "SHOW STATUS LIKE 'binlog_snapshot_file'%s", "", 1);
	out->pos = pos ? strtoull(pos, NULL, 10) : 0;
	out->replica = ask_value(c, "SELECT @@GLOBAL.gtid_slave_pos%s", "", 0);
	free(pos);
	if (!out->file)
		return;
	if (sql_quote_text(&arguments, zs_span_str(out->file), &ignored) == 0 &&
	    zs_buf_printf(&arguments, &ignored, ",%llu", (unsigned long long)out->pos) == 0)
		out->gtid = ask_value(c, "SELECT BINLOG_GTID_POS(%s)", (const char *)arguments.p, 0);
	zs_buf_fini(&arguments);
}

/* ------------------------------------------------------- tables without transactions */

static int lock_statement(struct sql_source *s, struct zs_buf *q, size_t *out_n, struct zs_err *err)
{
	const struct sql_catalog *c = &s->catalog;

	*out_n = 0;
	zs_buf_clear(q);
	for (size_t i = 0; i < c->databases_n; i++) {
		const struct sql_database *d = &c->databases[i];

		for (size_t k = d->first; k < d->first + d->n; k++) {
			if (!(c->tables[k].flags & SQL_TABLE_UNSAFE))
				continue;
			if (zs_buf_printf(q, err, "%s", q->n ? "," : "LOCK TABLES ") < 0 ||
			    sql_quote_name(q, zs_span_str(sql_catalog_text(c, d->name_at)), err) < 0 || zs_buf_add_u8(q, '.', err) < 0 ||
			    sql_quote_name(q, zs_span_str(sql_catalog_text(c, c->tables[k].name_at)), err) < 0 ||
			    zs_buf_printf(q, err, " READ") < 0)
				return -1;
			++*out_n;
		}
	}
	return 0;
}

static void mark_locked(struct sql_source *s, size_t n)
{
	for (size_t i = 0; i < s->catalog.tables_n; i++)
		if (s->catalog.tables[i].flags & SQL_TABLE_UNSAFE)
			s->catalog.tables[i].flags |= SQL_TABLE_IS_LOCKED;
	s->snapshot.locked_left = n;
}

/* 0 also if it was not possible: then it is said, and the tables are read as they are. */
static int lock_unsafe(struct sql_source *s, struct zs_err *err)
{
	struct sql_snapshot *p = &s->snapshot;
	struct zs_buf q = ZS_BUF_INIT;
	size_t n;
	int rc = lock_statement(s, &q, &n, err);

	if (rc < 0 || n == 0)
		goto out;
	if (s->options.skip & SQL_SKIP_LOCKS) {
		sql_note(s, ZS_NOTE_WARNING, "%zu tables of engines without transactions are read without a lock (skip=locks): they are not of one point in time", n);
		goto out;
	}
	rc = open_reader(s, &p->locker, err);
	if (rc == 0)
		rc = sql_conn_execf(&p->locker, err, "SET SESSION lock_wait_timeout=%u", s->options.lock_timeout_s);
	if (rc == 0 && sql_conn_exec(&p->locker, zs_buf_span(&q), err) == 0) {
		mark_locked(s, n);
		goto out;
	}
	if (rc < 0 || err->cause != ZS_SOURCE)
		goto out;
	sql_note(s, ZS_NOTE_WARNING, "%zu tables of engines without transactions could not be locked, they are not of one point in time: %s", n,
	    err->text);
	zs_err_clear(err);
	sql_conn_close(&p->locker);
out:
	zs_buf_fini(&q);
	return rc;
}

/* -------------------------------------------------------------------------- freezing */

/*
 * With a binary log, what a transaction has read stays locked against ALTER until its end; several transactions that see
 * the same, each for a part of the tables, let go earlier.
 */
static unsigned reader_count(const struct sql_source *s)
{
	size_t tables = s->catalog.tables_n;
	unsigned n = s->options.snapshots ? s->options.snapshots : s->snapshot.has_binlog ? SNAPSHOTS_LOGGED : 1;

	if (s->snapshot.used == SQL_PLAIN || s->snapshot.used == SQL_BLOCK_DDL)
		return 1; /* only commits that are held back make two transactions see the same */
	return n > tables ? (tables ? (unsigned)tables : 1) : n;
}

static int open_readers(struct sql_source *s, unsigned n, struct zs_err *err)
{
	struct sql_snapshot *p = &s->snapshot;

	p->readers = calloc(n, sizeof *p->readers);
	if (!p->readers)
		return zs_fail_nomem(err);
	for (unsigned i = 0; i < n; i++) {
		if (open_reader(s, &p->readers[i], err) < 0)
			return -1;
		p->readers_n = i + 1;
	}
	return 0;
}

static int begin_readers(struct sql_source *s, struct zs_err *err)
{
	for (unsigned i = 0; i < s->snapshot.readers_n; i++)
		if (begin_transaction(&s->snapshot.readers[i], err) < 0)
			return -1;
	s->snapshot.time_ns = zs_now_ns();
	return 0;
}

static void release(struct sql_source *s)
{
	struct zs_err ignored = {0};

	if (sql_conn_execf(&s->meta, &ignored, s->snapshot.used == SQL_FTWRL ? "UNLOCK TABLES" : "BACKUP STAGE END") < 0)
		zs_err_clear(&ignored); /* nothing was held, or the connection is gone and with it what was held */
}

/*
 * Stop what must stop.  Tables without transactions are locked when their writers wait for the stage: before it, those that
 * wait for the table would be in the way of the stage; and before commits wait, as it may take a while.
 */
static int hold(struct sql_source *s, struct zs_err *err)
{
	static const char *const stages[] = {"START", "FLUSH", "BLOCK_DDL", "BLOCK_COMMIT"};
	enum { BLOCK_DDL = 2 };
	unsigned n = s->snapshot.used == SQL_BLOCK_DDL ? 3 : 4;

	if (sql_conn_execf(&s->meta, err, "SET SESSION lock_wait_timeout=%u", s->options.lock_timeout_s) < 0)
		return -1;
	if (s->snapshot.used == SQL_FTWRL)
		return sql_conn_execf(&s->meta, err, "FLUSH TABLES WITH READ LOCK") < 0 ? -1 : lock_unsafe(s, err);
	for (unsigned i = 0; i < n; i++) {
		if (sql_stop(s, err) < 0)
			return -1;
		if (sql_conn_execf(&s->meta, err, "BACKUP STAGE %s", stages[i]) < 0)
			return zs_context(err, "BACKUP STAGE %s", stages[i]);
		if (i == BLOCK_DDL && lock_unsafe(s, err) < 0)
			return -1;
	}
	return 0;
}

static enum sql_consistency choose(const struct sql_source *s)
{
	enum sql_consistency c = s->options.consistency;
	int may_reload = (s->rights.everywhere & SQL_RELOAD) != 0;

	if (c == SQL_AUTO)
		c = may_reload ? SQL_STAGE : SQL_PLAIN;
	if ((c == SQL_STAGE || c == SQL_BLOCK_DDL) && s->meta.version < STAGE_SINCE)
		c = SQL_FTWRL;
	return c;
}

/* Held back, begun, let go.  1 done, 0 it could not be held (said, and released), -1. */
static int freeze_held(struct sql_source *s, struct zs_err *err)
{
	int rc;

	if (hold(s, err) < 0) {
		release(s);
		if (s->meta.is_lost || err->cause != ZS_SOURCE)
			return -1;
		sql_note(s, ZS_NOTE_WARNING, "the server could not be held still for the snapshot, it is a plain transaction: %s", err->text);
		zs_err_clear(err);
		return 0;
	}
	rc = begin_readers(s, err);
	if (rc == 0)
		read_position(&s->snapshot.readers[0], &s->snapshot.position);
	if (rc < 0)
		release(s);
	else
		s->snapshot.holds_stage = 1;
	return rc < 0 ? -1 : 1;
}

static int freeze_plain(struct sql_source *s, struct zs_err *err)
{
	while (s->snapshot.readers_n > 1)
		sql_conn_close(&s->snapshot.readers[--s->snapshot.readers_n]);
	s->snapshot.used = SQL_PLAIN;
	if (!s->snapshot.locker.my && lock_unsafe(s, err) < 0)
		return -1;
	if (begin_readers(s, err) < 0)
		return -1;
	read_position(&s->snapshot.readers[0], &s->snapshot.position);
	return 0;
}

int sql_snapshot_take(struct sql_source *s, struct zs_err *err)
{
	struct sql_snapshot *p = &s->snapshot;
	int rc = 0;

	p->used = choose(s);
	if (open_readers(s, reader_count(s), err) < 0)
		return -1;
	if (p->used != SQL_PLAIN)
		rc = freeze_held(s, err);
	if (rc == 0)
		rc = freeze_plain(s, err);
	p->is_taken = rc >= 0;
	return rc < 0 ? -1 : 0;
}

void sql_snapshot_thaw(struct sql_source *s)
{
	if (!s->snapshot.holds_stage || s->snapshot.used == SQL_BLOCK_DDL)
		return;
	release(s);
	s->snapshot.holds_stage = 0;
}

int sql_snapshot_again(struct sql_source *s, struct zs_err *err)
{
	struct sql_snapshot *p = &s->snapshot;

	sql_conn_close(&p->again);
	p->again = (struct sql_conn){0};
	if (open_reader(s, &p->again, err) < 0 || begin_transaction(&p->again, err) < 0)
		return -1;
	read_position(&p->again, &p->again_position);
	return 0;
}

/* -------------------------------------------------------------------------- reading */

struct sql_conn *sql_snapshot_reader(struct sql_source *s, size_t number, unsigned flags)
{
	struct sql_snapshot *p = &s->snapshot;
	size_t all = s->catalog.tables_n ? s->catalog.tables_n : 1;

	if (flags & SQL_TABLE_IS_LOCKED)
		return &p->locker;
	while (p->reader + 1 < p->readers_n && number * p->readers_n / all > p->reader)
		sql_conn_close(&p->readers[p->reader++]); /* ends its transaction, and with it its locks */
	return &p->readers[p->reader];
}

void sql_snapshot_was_read(struct sql_source *s, unsigned flags)
{
	struct sql_snapshot *p = &s->snapshot;

	if ((flags & SQL_TABLE_IS_LOCKED) && p->locked_left > 0 && --p->locked_left == 0) {
		sql_conn_close(&p->locker);
		p->locker = (struct sql_conn){0};
	}
}

void sql_snapshot_release(struct sql_source *s)
{
	struct sql_snapshot *p = &s->snapshot;

	if (p->holds_stage && !s->meta.is_lost)
		release(s);
	p->holds_stage = 0;
	for (unsigned i = 0; i < p->readers_n; i++)
		sql_conn_close(&p->readers[i]);
	sql_conn_close(&p->locker);
	sql_conn_close(&p->again);
}

void sql_snapshot_fini(struct sql_source *s)
{
	struct sql_snapshot *p = &s->snapshot;

	sql_snapshot_release(s);
	free(p->readers);
	p->readers = NULL;
	p->readers_n = 0;
	position_fini(&p->position);
	position_fini(&p->again_position);
}
