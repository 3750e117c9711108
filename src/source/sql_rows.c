/*
 * The rows of one table as text, straight from the connection into the reader's buffer: an INSERT a group, a row a line.
 * Where a group ends depends on the hashes of keys and the sizes of rows only, so that a change moves no boundaries but its
 * own.  A row that does not fit into the reader's buffer comes in pieces.
 */
#include "sql_source_private.h"

#include <stdlib.h>
#include <string.h>

#define TARGET_BYTES (4u << 10)
#define TARGET_BLOB_BYTES (64u << 10)
#define VALUE_BYTES 3 /* that a value counts for, beyond its own: quotes, comma */

static uint64_t hash_column(const struct sql_rows *r, unsigned i, uint64_t before)
{
	/* NULL is not '', and the end of one value is not the beginning of the next */
	if (!r->row[i])
		return zs_hash64(before + 1, zs_span(NULL, 0));
	return zs_hash64(before + 2 * r->lengths[i], zs_span(r->row[i], r->lengths[i]));
}

static void measure(struct sql_rows *r)
{
	const struct sql_columns *c = r->columns;
	uint64_t bytes = 2, hash = 0;

	for (unsigned i = 0; i < c->n; i++)
		bytes += r->lengths[i] + VALUE_BYTES;
	r->row_bytes = bytes;
	if (c->key_n > 0) {
		for (unsigned i = 0; i < c->key_n; i++)
			hash = hash_column(r, c->key[i], hash);
	} else {
		for (unsigned i = 0; i < c->n; i++)
			hash = hash_column(r, i, hash);
	}
	r->key_hash = hash;
}

/* The next row, or NULL in r->row at the end: a stream that was cut is told from one that ended by the error number only. */
static int fetch(struct sql_rows *r, struct zs_err *err)
{
	r->row = mysql_fetch_row(r->res);
	if (!r->row)
		return mysql_errno(r->conn->my) != 0 ? sql_conn_fail(r->conn, err) : 0;
	r->lengths = mysql_fetch_lengths(r->res);
	measure(r);
	return 0;
}

int sql_rows_begin(struct sql_rows *r, struct sql_conn *conn, const struct sql_columns *columns, struct zs_err *err)
{
	unsigned got;

	*r = (struct sql_rows){.conn = conn, .columns = columns, .target = columns->has_blobs ? TARGET_BLOB_BYTES : TARGET_BYTES};
	conn->failed = 0;
	if (mysql_real_query(conn->my, (const char *)columns->select.p, columns->select.n) != 0 ||
	    !(r->res = mysql_use_result(conn->my)))
		return sql_conn_fail(conn, err);
	got = mysql_num_fields(r->res);
	if (got != (columns->n ? columns->n : 1)) {
		sql_rows_end(r);
		return zs_fail(err, ZS_SOURCE, "the server sends %u columns where %u were asked for", got, columns->n);
	}
	if (fetch(r, err) < 0 || !r->row) {
		int rc = r->row || mysql_errno(conn->my) != 0 ? -1 : 0;

		sql_rows_end(r);
		return rc;
	}
	if (!(r->sum = zs_hasher_new())) {
		sql_rows_end(r);
		return zs_fail_nomem(err);
	}
	return 1;
}

int sql_rows_next_group(struct sql_rows *r, uint64_t *out_tag, struct zs_err *err)
{
	if (r->state != SQL_ROWS_BETWEEN)
		return zs_fail(err, ZS_INTERNAL, "the group before was not read to its end");
	if (!r->row)
		return 0;
	*out_tag = r->key_hash;
	r->pending = zs_buf_span(r->groups == 0 ? &r->columns->first : &r->columns->insert);
	r->state = SQL_ROWS_ROW;
	r->is_ending = 0;
	r->group_bytes = 0;
	r->statement = 0;
	r->groups++;
	return 1;
}

/* Does the group end after the row that was just written?  A large row is a group of its own. */
static int ends_by_itself(const struct sql_rows *r)
{
	if (r->row_bytes > r->target || r->group_bytes >= 8 * r->target)
		return 1;
	if (r->group_bytes < r->target / 4)
		return 0;
	/* What is there before counts: together, groups of target bytes on the average. */
	return (r->key_hash >> 32) * (r->target - r->target / 4) < r->row_bytes << 32;
}

/* The row is written: what stands behind it depends on itself and on the next one. */
static int after_row(struct sql_rows *r, struct zs_err *err)
{
	int ends;

	r->rows++;
	r->group_bytes += r->row_bytes;
	ends = ends_by_itself(r);
	if (fetch(r, err) < 0)
		return -1;
	ends |= !r->row || r->row_bytes > r->target;
	r->is_ending = ends;
	memcpy(r->mark, ends ? ";\n" : ",\n", 2);
	r->pending = zs_span(r->mark, 2);
	r->state = ends ? SQL_ROWS_BETWEEN : SQL_ROWS_ROW;
	return 0;
}

static void write_row(struct sql_rows *r, uint8_t *p, uint8_t **end)
{
	const struct sql_columns *c = r->columns;

	*p++ = '(';
	for (unsigned i = 0; i < c->n; i++) {
		struct sql_value v = {(const uint8_t *)r->row[i], r->lengths[i]};

		if (i > 0)
			*p++ = ',';
		p = sql_format_value(&c->v[i], v, p, &r->odd);
	}
	*p++ = ')';
	*end = p;
}

/* The next piece of the row, to be written from a buffer of our own. */
static int prepare_piece(struct sql_rows *r, struct zs_err *err)
{
	size_t n;

	if (!r->pieces && !(r->pieces = malloc(SQL_PIECE_ROOM)))
		return zs_fail_nomem(err);
	if (r->state == SQL_ROWS_ROW)
		r->piecewise = (struct sql_piecewise){.column = 0};
	r->state = SQL_ROWS_PIECES;
	n = sql_format_piece(&r->piecewise, r->columns->v, r->columns->n, (const char *const *)r->row, r->lengths, r->pieces, &r->odd);
	if (n == 0)
		return after_row(r, err);
	r->pending = zs_span(r->pieces, n);
	return 0;
}

/* As many whole rows as there is surely room for. */
static int write_rows(struct sql_rows *r, uint8_t **p, const uint8_t *end, struct zs_err *err)
{
	size_t fixed = (size_t)r->columns->n * (SQL_FORMAT_OVERHEAD + 1) + SQL_ESCAPE_SLACK + 8;

	while (r->state == SQL_ROWS_ROW && r->row_bytes <= SIZE_MAX / 4 && 2 * r->row_bytes + fixed <= (size_t)(end - *p)) {
		write_row(r, *p, p);
		if (after_row(r, err) < 0)
			return -1;
		memcpy(*p, r->pending.p, r->pending.n); /* the mark: the room was counted */
		*p += r->pending.n;
		r->pending.n = 0;
	}
	return 0;
}

static void write_pending(struct sql_rows *r, uint8_t **p, const uint8_t *end)
{
	size_t n = r->pending.n < (size_t)(end - *p) ? r->pending.n : (size_t)(end - *p);

	if (n == 0)
		return;
	memcpy(*p, r->pending.p, n);
	*p += n;
	r->pending.p += n;
	r->pending.n -= n;
}

int sql_rows_read(struct sql_rows *r, uint8_t *p, size_t n, size_t *out_n, struct zs_err *err)
{
	uint8_t *at = p;
	const uint8_t *end = p + n;

	*out_n = 0;
	while (at < end) {
		write_pending(r, &at, end);
		if (r->pending.n > 0 || r->state == SQL_ROWS_BETWEEN)
			break;
		if (r->state == SQL_ROWS_ROW && write_rows(r, &at, end, err) < 0)
			return -1;
		if (r->pending.n > 0 || r->state == SQL_ROWS_BETWEEN)
			continue;
		if (r->state == SQL_ROWS_ROW && (at > p + n / 2 || at == end))
			break; /* the next call brings more room */
		if (prepare_piece(r, err) < 0)
			return -1;
	}
	*out_n = (size_t)(at - p);
	zs_hasher_add(r->sum, zs_span(p, *out_n));
	r->bytes += *out_n;
	r->statement += *out_n;
	if (r->statement > r->longest)
		r->longest = r->statement;
	return 0;
}

/* Nothing more is wanted: the server is still to be heard to the end, or the connection could not be used again. */
void sql_rows_end(struct sql_rows *r)
{
	mysql_free_result(r->res);
	r->res = NULL;
	r->row = NULL;
	zs_hasher_free(r->sum);
	r->sum = NULL;
	free(r->pieces);
	r->pieces = NULL;
}
