/*
 * The columns and the order of one table, and the two texts that follow from them: the question for its rows, and the
 * beginning of the statement that puts them back.
 */
#include "sql_source_private.h"

#include <stdlib.h>
#include <string.h>

struct loading {
	struct sql_conn *conn;
	const struct sql_columns_want *want;
	struct sql_columns *out;
	struct zs_buf list; /* of what is asked for */
	int has_row_start;  /* among the columns; otherwise a versioned table has it hidden */
};

static int span_is(struct zs_span s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static int span_has(struct zs_span s, const char *text)
{
	return s.p && s.n > 0 && memmem(s.p, s.n, text, strlen(text)) != NULL;
}

static struct zs_span field(const struct sql_result *r, const char *name)
{
	int column = sql_result_column(r, name);

	return column < 0 ? zs_span(NULL, 0) : sql_result_get(r, (unsigned)column);
}

/* The rows of information_schema.COLUMNS; it may have more than were asked for, as it compares names in its own way. */
static int ask_columns(struct sql_conn *c, const struct sql_columns_want *w, struct sql_result *out, struct zs_err *err)
{
	struct zs_buf q = ZS_BUF_INIT;
	int rc = -1;

	if (zs_buf_printf(&q, err, "SELECT * FROM information_schema.COLUMNS WHERE TABLE_SCHEMA=") == 0 &&
	    sql_quote_text(&q, w->database, err) == 0 && zs_buf_printf(&q, err, " AND TABLE_NAME=") == 0 &&
	    sql_quote_text(&q, w->table, err) == 0 && zs_buf_printf(&q, err, " ORDER BY ORDINAL_POSITION") == 0)
		rc = sql_conn_query(c, zs_buf_span(&q), out, err);
	zs_buf_fini(&q);
	return rc;
}

static int is_wanted(const struct sql_result *r, const struct sql_columns_want *w)
{
	return zs_span_eq(field(r, "TABLE_SCHEMA"), w->database) && zs_span_eq(field(r, "TABLE_NAME"), w->table);
}

static uint64_t sign(const struct sql_result *r, uint64_t before)
{
	static const char *const parts[] = {"COLUMN_NAME", "COLUMN_TYPE", "CHARACTER_SET_NAME", "EXTRA", "GENERATION_EXPRESSION", NULL};

	for (size_t i = 0; parts[i]; i++)
		before = zs_hash64(before + i, field(r, parts[i]));
	return before;
}

int sql_columns_signature(struct sql_conn *c, const struct sql_columns_want *w, uint64_t *out, struct zs_err *err)
{
	struct sql_result r;

	*out = 0;
	if (ask_columns(c, w, &r, err) < 0)
		return -1;
	while (sql_result_next(&r))
		if (is_wanted(&r, w))
			*out = sign(&r, *out);
	sql_result_fini(&r);
	return 0;
}

static int add_asked(struct zs_buf *list, enum sql_ask ask, struct zs_span name, struct zs_err *err)
{
	if (list->n > 0 && zs_buf_add_u8(list, ',', err) < 0)
		return -1;
	/* text shows no sign of a zero: what is too small for any type, but has one, comes in its place */
	if (ask == SQL_ASK_DOUBLE && (zs_buf_printf(list, err, "IF(ATAN2(0,") < 0 || sql_quote_name(list, name, err) < 0 ||
		zs_buf_printf(list, err, ")>3 AND ") < 0 || sql_quote_name(list, name, err) < 0 || zs_buf_printf(list, err, "=0,'-1e-60',") < 0))
		return -1;
	if (ask == SQL_ASK_NUMBER && zs_buf_printf(list, err, "CAST(") < 0)
		return -1;
	if (sql_quote_name(list, name, err) < 0)
		return -1;
	return ask == SQL_ASK_PLAIN ? 0 : zs_buf_printf(list, err, "%s", ask == SQL_ASK_NUMBER ? " AS UNSIGNED)" : "+0e0)");
}

static int add_column(struct loading *l, struct zs_span name, const struct sql_type *type, struct zs_err *err)
{
	struct sql_columns *o = l->out;
	struct sql_column *grown = realloc(o->v, (o->n + 1) * sizeof *grown), *c;
	enum sql_ask ask;

	if (!grown)
		return zs_fail_nomem(err);
	o->v = grown;
	c = &o->v[o->n];
	*c = (struct sql_column){.name = strndup((const char *)name.p, name.n)};
	if (!c->name)
		return zs_fail_nomem(err);
	o->n++;
	ask = sql_type_choose(type, l->want->is_hex, c);
	o->has_blobs |= sql_type_is_blob(type);
	if (o->n > 1 && zs_buf_add_u8(&o->insert, ',', err) < 0)
		return -1;
	if (sql_quote_name(&o->insert, name, err) < 0)
		return -1;
	return add_asked(&l->list, ask, name, err);
}

/* One row of information_schema.COLUMNS. */
static int take_column(struct loading *l, const struct sql_result *r, struct zs_err *err)
{
	struct zs_span extra = field(r, "EXTRA"), expression = field(r, "GENERATION_EXPRESSION");
	struct sql_type type = {.data_type = field(r, "DATA_TYPE"), .column_type = field(r, "COLUMN_TYPE"),
	    .charset = field(r, "CHARACTER_SET_NAME")};
	int is_period = span_is(expression, "ROW START") || span_is(expression, "ROW END");

	if (!type.data_type.p || !type.column_type.p || !field(r, "COLUMN_NAME").p)
		return zs_fail(err, ZS_SOURCE, "a column without name or type");
	if (is_period && span_is(type.data_type, "bigint")) {
		l->out->lacks_history = 1;
		return 0;
	}
	l->has_row_start |= is_period;
	if (!is_period && (span_has(extra, "GENERATED") || span_has(extra, "VIRTUAL") || span_has(extra, "PERSISTENT")))
		return 0;
	return add_column(l, field(r, "COLUMN_NAME"), &type, err);
}

static int take_columns(struct loading *l, struct zs_err *err)
{
	static const struct sql_type hidden = {.data_type = {(const uint8_t *)"timestamp", 9}, .column_type = {(const uint8_t *)"timestamp(6)", 12}};
	struct sql_result r;
	int rc = 0, any = 0;

	if (ask_columns(l->conn, l->want, &r, err) < 0)
		return -1;
	while (rc == 0 && sql_result_next(&r)) {
		if (!is_wanted(&r, l->want))
			continue;
		any = 1;
		l->out->signature = sign(&r, l->out->signature);
		rc = take_column(l, &r, err);
	}
	sql_result_fini(&r);
	if (rc == 0 && !any)
		return zs_fail(err, ZS_SOURCE, "the server says nothing of its columns");
	if (rc == 0 && l->want->is_versioned && !l->has_row_start && !l->out->lacks_history)
		if (add_column(l, zs_span_str("row_start"), &hidden, err) < 0 || add_column(l, zs_span_str("row_end"), &hidden, err) < 0)
			return -1;
	return rc;
}

/* ---------------------------------------------------------------------------- order */

struct order { /* of the key being looked at, or chosen */
	struct zs_buf name, list; /* list: for ORDER BY */
	struct { char *column; } parts[64];
	unsigned n;
	int is_usable;
};

static void order_clear(struct order *o)
{
	for (unsigned i = 0; i < o->n; i++)
		free(o->parts[i].column);
	o->n = 0;
	zs_buf_clear(&o->name);
	zs_buf_clear(&o->list);
}

static void order_fini(struct order *o)
{
	order_clear(o);
	zs_buf_fini(&o->name);
	zs_buf_fini(&o->list);
}

/* One row of SHOW KEYS. */
static int add_part(struct order *o, const struct sql_result *r, struct zs_err *err)
{
	struct zs_span column = field(r, "Column_name"), type = field(r, "Index_type");

	o->is_usable &= span_is(field(r, "Non_unique"), "0") && !span_is(field(r, "Null"), "YES") && !field(r, "Sub_part").p &&
	    column.p && span_is(type, "BTREE") && !span_is(field(r, "Ignored"), "YES") && o->n < 64;
	if (!o->is_usable)
		return 0;
	o->parts[o->n].column = strndup((const char *)column.p, column.n);
	if (!o->parts[o->n].column)
		return zs_fail_nomem(err);
	o->n++;
	if (o->list.n > 0 && zs_buf_add_u8(&o->list, ',', err) < 0)
		return -1;
	if (sql_quote_name(&o->list, column, err) < 0)
		return -1;
	return span_is(field(r, "Collation"), "D") ? zs_buf_printf(&o->list, err, " DESC") : 0;
}

/* The first key that is unique and has no NULL in it; the primary one is the first of all.  is_usable 0: there is none. */
static int find_order(struct loading *l, struct order *o, struct zs_err *err)
{
	struct zs_buf q = ZS_BUF_INIT;
	struct sql_result r;
	int rc = -1;

	if (zs_buf_printf(&q, err, "SHOW KEYS FROM ") == 0 && sql_quote_name(&q, l->want->table, err) == 0 &&
	    zs_buf_printf(&q, err, " FROM ") == 0 && sql_quote_name(&q, l->want->database, err) == 0)
		rc = sql_conn_query(l->conn, zs_buf_span(&q), &r, err);
	zs_buf_fini(&q);
	if (rc < 0)
		return -1;
	while (rc == 0 && sql_result_next(&r)) {
		struct zs_span name = field(&r, "Key_name");

		if (!zs_span_eq(name, zs_buf_span(&o->name))) {
			if (o->is_usable)
				break;
			order_clear(o);
			o->is_usable = 1;
			rc = zs_buf_add_span(&o->name, name, err);
		}
		if (rc == 0)
			rc = add_part(o, &r, err);
	}
	sql_result_fini(&r);
	return rc;
}

/* Which of the columns asked for make the key; none if one of them is not asked for. */
static int take_key(struct sql_columns *c, const struct order *o, struct zs_err *err)
{
	c->key = calloc(o->n ? o->n : 1, sizeof *c->key);
	if (!c->key)
		return zs_fail_nomem(err);
	for (unsigned i = 0; i < o->n; i++) {
		unsigned k = 0;

		while (k < c->n && strcmp(c->v[k].name, o->parts[i].column) != 0)
			k++;
		if (k == c->n) {
			c->key_n = 0;
			return 0;
		}
		c->key[c->key_n++] = k;
	}
	return 0;
}

static int make_select(struct loading *l, const struct order *o, struct zs_err *err)
{
	struct zs_buf *q = &l->out->select;

	zs_buf_clear(q);
	if (zs_buf_printf(q, err, "SELECT SQL_NO_CACHE ") < 0 ||
	    (l->list.n ? zs_buf_add_span(q, zs_buf_span(&l->list), err) : zs_buf_printf(q, err, "NULL")) < 0 ||
	    zs_buf_printf(q, err, " FROM ") < 0 || sql_quote_name(q, l->want->database, err) < 0 || zs_buf_add_u8(q, '.', err) < 0 ||
	    sql_quote_name(q, l->want->table, err) < 0)
		return -1;
	if (l->want->is_versioned && !l->out->lacks_history && zs_buf_printf(q, err, " FOR SYSTEM_TIME ALL") < 0)
		return -1;
	l->out->where_at = q->n;
	if (!o)
		return 0;
	if (l->want->is_clustered && (zs_buf_printf(q, err, " FORCE INDEX (") < 0 ||
					 sql_quote_name(q, zs_buf_span(&o->name), err) < 0 || zs_buf_add_u8(q, ')', err) < 0))
		return -1;
	l->out->where_at = q->n;
	if (zs_buf_printf(q, err, " ORDER BY ") < 0)
		return -1;
	return zs_buf_add_span(q, zs_buf_span(&o->list), err);
}

/* Would the server have to sort?  1, 0, -1 */
static int needs_sort(struct loading *l, struct zs_err *err)
{
	struct sql_result r;
	int rc = 0;

	if (sql_conn_queryf(l->conn, &r, err, "EXPLAIN %.*s", (int)l->out->select.n, (const char *)l->out->select.p) < 0) {
		if (l->conn->is_lost || err->cause != ZS_SOURCE)
			return -1;
		zs_err_clear(err);
		return 1;
	}
	while (sql_result_next(&r))
		rc |= span_has(field(&r, "Extra"), "filesort") || span_has(field(&r, "Extra"), "temporary");
	sql_result_fini(&r);
	return rc;
}

static int choose_order(struct loading *l, struct zs_err *err)
{
	struct order o = {.is_usable = 0};
	int rc;

	rc = find_order(l, &o, err);
	if (rc == 0 && o.is_usable && o.n > 0) {
		rc = take_key(l->out, &o, err);
		if (rc == 0)
			rc = make_select(l, &o, err);
		if (rc == 0)
			rc = needs_sort(l, err);
		if (rc > 0)
			rc = make_select(l, NULL, err);
	} else if (rc == 0) {
		rc = make_select(l, NULL, err);
	}
	order_fini(&o);
	return rc;
}

int sql_columns_load(struct sql_conn *c, const struct sql_columns_want *w, struct sql_columns *out, struct zs_err *err)
{
	struct loading l = {.conn = c, .want = w, .out = out};
	int rc = -1;

	if (zs_buf_printf(&out->insert, err, "INSERT INTO ") < 0 ||
	    (w->is_qualified && (sql_quote_name(&out->insert, w->database, err) < 0 || zs_buf_add_u8(&out->insert, '.', err) < 0)) ||
	    sql_quote_name(&out->insert, w->table, err) < 0 ||
	    zs_buf_printf(&out->insert, err, " (") < 0)
		goto out;
	if (take_columns(&l, err) < 0 || zs_buf_printf(&out->insert, err, ") VALUES\n") < 0)
		goto out;
	if (w->is_versioned && !out->lacks_history &&
	    zs_buf_printf(&out->first, err, "/*!101100 SET SESSION system_versioning_insert_history=1 */;\n") < 0)
		goto out;
	if (zs_buf_add_span(&out->first, zs_buf_span(&out->insert), err) < 0)
		goto out;
	rc = choose_order(&l, err);
out:
	zs_buf_fini(&l.list);
	return rc;
}

void sql_columns_fini(struct sql_columns *c)
{
	for (unsigned i = 0; i < c->n; i++)
		free(c->v[i].name);
	free(c->v);
	free(c->key);
	zs_buf_fini(&c->select);
	zs_buf_fini(&c->insert);
	zs_buf_fini(&c->first);
	*c = (struct sql_columns){0};
}
