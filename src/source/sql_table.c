/*
 * One table: locked against changes of its definition, its definition, then its rows, all on one connection, inside one
 * savepoint.  A table that changed after the snapshot is read in a later one.
 */
#include "sql_source_private.h"

#include <mysqld_error.h>
#include <string.h>

#define AGAIN_MAX 3

static struct sql_columns_want want(const struct sql_source *s)
{
	const struct sql_table *t = &s->table;

	return (struct sql_columns_want){.database = zs_span_str(t->database), .table = zs_span_str(t->name),
	    .is_versioned = (t->flags & SQL_TABLE_IS_VERSIONED) != 0, .is_hex = s->options.is_hex,
	    .is_clustered = !(t->flags & SQL_TABLE_UNSAFE)};
}

static int is_in_transaction(const struct sql_conn *c)
{
	return (c->my->server_status & SERVER_STATUS_IN_TRANS) != 0;
}

/* "`db`.`t`" appended. */
static int add_full_name(const struct sql_table *t, struct zs_buf *q, struct zs_err *err)
{
	if (sql_quote_name(q, zs_span_str(t->database), err) < 0 || zs_buf_add_u8(q, '.', err) < 0)
		return -1;
	return sql_quote_name(q, zs_span_str(t->name), err);
}

/*
 * Reading nothing of it locks its definition until the end of the transaction (or the savepoint): what is read from here
 * on fits together.
 */
static int lock_definition(struct sql_table *t, struct zs_err *err)
{
	struct zs_buf q = ZS_BUF_INIT;
	int rc = -1;

	if (zs_buf_printf(&q, err, "SELECT 1 FROM ") == 0 && add_full_name(t, &q, err) == 0 && zs_buf_printf(&q, err, " LIMIT 0") == 0)
		rc = sql_conn_exec(t->conn, zs_buf_span(&q), err);
	zs_buf_fini(&q);
	return rc;
}

/* Since it was listed it may have become something else: a view, a table of another engine. */
static int look_again(struct sql_table *t, int *out_is_partitioned, struct zs_err *err)
{
	struct zs_buf q = ZS_BUF_INIT;
	struct sql_result r;
	unsigned flags = SQL_TABLE_IS_VIEW;
	int rc = -1;

	if (zs_buf_printf(&q, err, "SELECT TABLE_SCHEMA,TABLE_NAME,TABLE_TYPE,ENGINE,CREATE_OPTIONS FROM information_schema.TABLES "
				   "WHERE TABLE_SCHEMA=") == 0 &&
	    sql_quote_text(&q, zs_span_str(t->database), err) == 0 && zs_buf_printf(&q, err, " AND TABLE_NAME=") == 0 &&
	    sql_quote_text(&q, zs_span_str(t->name), err) == 0)
		rc = sql_conn_query(t->conn, zs_buf_span(&q), &r, err);
	zs_buf_fini(&q);
	if (rc < 0)
		return -1;
	while (sql_result_next(&r)) {
		struct zs_span options = sql_result_get(&r, 4);

		if (!zs_span_eq(sql_result_get(&r, 0), zs_span_str(t->database)) || !zs_span_eq(sql_result_get(&r, 1), zs_span_str(t->name)))
			continue;
		flags = sql_catalog_engine_flags(sql_result_get(&r, 3), sql_result_get(&r, 2));
		*out_is_partitioned = options.n > 0 && memmem(options.p, options.n, "partitioned", 11) != NULL;
	}
	sql_result_fini(&r);
	if (flags & (SQL_TABLE_IS_VIEW | SQL_TABLE_IS_SEQUENCE))
		return zs_fail(err, ZS_SOURCE, "it is no table any more, since the backup began");
	t->flags = flags | (t->flags & SQL_TABLE_IS_LOCKED);
	return 0;
}

/*
 * A partition that was made after the snapshot would be found out in mid-table only, when rows were given out already: one
 * row of each is asked for first.
 */
static int probe_partitions(struct sql_table *t, struct zs_err *err)
{
	struct zs_buf q = ZS_BUF_INIT;
	struct sql_result r;
	int rc = -1;

	if (zs_buf_printf(&q, err, "SELECT IFNULL(SUBPARTITION_NAME,PARTITION_NAME) FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA=") == 0 &&
	    sql_quote_text(&q, zs_span_str(t->database), err) == 0 && zs_buf_printf(&q, err, " AND TABLE_NAME=") == 0 &&
	    sql_quote_text(&q, zs_span_str(t->name), err) == 0)
		rc = sql_conn_query(t->conn, zs_buf_span(&q), &r, err);
	if (rc < 0)
		goto out;
	while (rc == 0 && sql_result_next(&r)) {
		if (!sql_result_get(&r, 0).p)
			continue;
		zs_buf_clear(&q);
		rc = -1;
		if (zs_buf_printf(&q, err, "SELECT 1 FROM ") == 0 && add_full_name(t, &q, err) == 0 &&
		    zs_buf_printf(&q, err, " PARTITION (") == 0 && sql_quote_name(&q, sql_result_get(&r, 0), err) == 0 &&
		    zs_buf_printf(&q, err, ") LIMIT 1") == 0)
			rc = sql_conn_exec(t->conn, zs_buf_span(&q), err);
	}
	sql_result_fini(&r);
out:
	zs_buf_fini(&q);
	return rc;
}

static int define(struct sql_source *s, struct zs_err *err)
{
	struct sql_table *t = &s->table;
	const struct sql_define d = {.conn = t->conn, .stream = SQL_TABLE_DEFINITION, .database = zs_span_str(t->database),
	    .table = zs_span_str(t->name), .path = zs_buf_span(&s->walk.path), .settings = s->settings};

	if (sql_define_stream(&d, &t->definition, err) < 0)
		return -1;
	return t->definition.n > 0 ? 0 : zs_fail(err, ZS_SOURCE, "the server says nothing of its definition");
}

/* On t->conn. */
static int begin_on(struct sql_source *s, struct zs_err *err)
{
	struct sql_table *t = &s->table;
	struct sql_columns_want w;
	int rc, is_partitioned = 0;

	if (!(t->flags & SQL_TABLE_IS_LOCKED)) {
		if (sql_conn_execf(t->conn, err, "SAVEPOINT zstore") < 0)
			return -1;
		if (!is_in_transaction(t->conn)) {
			t->conn->is_lost = 1;
			return zs_fail(err, ZS_SOURCE, "the server ended the snapshot");
		}
		t->has_savepoint = 1;
	}
	if (lock_definition(t, err) < 0 || look_again(t, &is_partitioned, err) < 0 || define(s, err) < 0)
		return -1;
	if (t->flags & SQL_TABLE_NO_ROWS)
		return 0;
	w = want(s);
	if (sql_columns_load(t->conn, &w, &t->columns, err) < 0 || (is_partitioned && probe_partitions(t, err) < 0))
		return -1;
	rc = sql_rows_begin(&t->rows, t->conn, &t->columns, err);
	t->has_rows = rc > 0;
	return rc < 0 ? -1 : 0;
}

/* Free what there is of it; the lock on its definition goes, too.  The number of the failure, if it was left because of one. */
static unsigned leave(struct sql_table *t)
{
	unsigned failed = t->conn ? t->conn->failed : 0;
	struct zs_err ignored = {0};

	sql_rows_end(&t->rows);
	sql_columns_fini(&t->columns);
	zs_buf_clear(&t->definition);
	t->has_rows = 0;
	if (t->has_savepoint && t->conn && !t->conn->is_lost && sql_conn_execf(t->conn, &ignored, "ROLLBACK TO SAVEPOINT zstore") < 0)
		t->conn->is_lost = 1; /* without its savepoint the snapshot cannot be trusted */
	t->has_savepoint = 0;
	return failed;
}

/* Rows are elsewhere: the definition is asked for without opening the table, which might fail. */
static int begin_definition(struct sql_source *s, struct zs_err *err)
{
	struct sql_table *t = &s->table;

	t->conn = &s->meta;
	if (define(s, err) < 0)
		return t->conn->is_lost || err->cause != ZS_SOURCE ? -1 : 0;
	if (t->flags & SQL_TABLE_NO_ROWS)
		sql_note(s, ZS_NOTE_WARNING, "%s.%s: its rows are not in this server; only its definition is backed up", t->database,
		    t->name);
	return 1;
}

static int changed_since(unsigned number)
{
	return number == ER_TABLE_DEF_CHANGED || number == ER_NO_SUCH_TABLE;
}

static int named(struct zs_err *err, const char *what)
{
	(void)zs_context(err, "%s", what);
	return 0;
}

/* 1, 0, -1 as sql_table_begin. */
static int begin_again(struct sql_source *s, struct zs_err *err)
{
	struct sql_table *t = &s->table;

	for (int i = 0; i < AGAIN_MAX; i++) {
		unsigned failed;

		if (sql_stop(s, err) < 0)
			return -1;
		zs_err_clear(err);
		if ((i > 0 || !s->snapshot.again.my) && sql_snapshot_again(s, err) < 0)
			return err->cause == ZS_SOURCE ? 0 : -1;
		t->conn = &s->snapshot.again;
		t->is_retried = 1;
		if (begin_on(s, err) == 0)
			return 1;
		failed = leave(t);
		if (err->cause != ZS_SOURCE)
			return -1;
		if (!changed_since(failed) && !t->conn->is_lost)
			return 0;
		if (failed == ER_NO_SUCH_TABLE && i > 0)
			return named(err, "it was dropped or renamed since the backup began");
	}
	return named(err, "it keeps changing");
}

int sql_table_begin(struct sql_source *s, size_t number, const struct sql_database *db, struct zs_err *err)
{
	struct sql_table *t = &s->table;
	const struct sql_table_name *n = &s->catalog.tables[number];
	struct zs_buf definition = t->definition; /* its memory is used again */
	unsigned failed;

	zs_buf_clear(&definition);
	*t = (struct sql_table){.database = sql_catalog_text(&s->catalog, db->name_at), .name = sql_catalog_text(&s->catalog, n->name_at),
	    .component = sql_catalog_text(&s->catalog, n->component_at), .flags = n->flags, .definition = definition};
	if ((n->flags & SQL_TABLE_NO_ROWS) || !s->snapshot.is_taken)
		return begin_definition(s, err);
	t->conn = sql_snapshot_reader(s, number, n->flags);
	if (begin_on(s, err) == 0)
		return 1;
	failed = leave(t);
	if (t->conn->is_lost || err->cause != ZS_SOURCE)
		return -1;
	return changed_since(failed) && !(n->flags & SQL_TABLE_IS_LOCKED) ? begin_again(s, err) : 0;
}

int sql_table_verify(struct sql_source *s, struct zs_err *err)
{
	struct sql_table *t = &s->table;
	const struct sql_columns_want w = want(s);
	uint64_t signature;

	if (sql_columns_signature(t->conn, &w, &signature, err) < 0)
		return zs_context(err, "its columns after its rows");
	if (signature != t->columns.signature)
		return zs_fail(err, ZS_SOURCE, "its columns changed while it was read");
	return 0;
}

void sql_table_end(struct sql_source *s)
{
	struct sql_table *t = &s->table;
	struct zs_err ignored = {0};

	if (!t->conn)
		return;
	/* if nobody wants the rest, let the server stop, rather than listen to it */
	if (t->rows.res && t->rows.row && !t->conn->is_lost &&
	    sql_conn_execf(&s->meta, &ignored, "KILL QUERY %lu", mysql_thread_id(t->conn->my)) < 0)
		zs_err_clear(&ignored);
	(void)leave(t);
	sql_snapshot_was_read(s, t->flags);
	if (t->is_retried && s->snapshot.has_binlog) {
		sql_conn_close(&s->snapshot.again); /* it would keep its lock */
		s->snapshot.again = (struct sql_conn){0};
	}
	t->conn = NULL;
}
