/*
 * The tables and columns of one database as the server has them, so that older and newer schemas can be read: what is unknown
 * is backed up like the rest.
 */
#include "zimbra_private.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int add_table(struct zimbra_schema *s, struct zs_span name, struct zimbra_table **out, struct zs_err *err)
{
	struct zimbra_table *grown;

	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 32;

		if (!(grown = realloc(s->v, cap * sizeof *grown)))
			return zs_fail_nomem(err);
		s->v = grown;
		s->cap = cap;
	}
	s->v[s->n] = (struct zimbra_table){.name = strndup((const char *)name.p, name.n)};
	if (!s->v[s->n].name)
		return zs_fail_nomem(err);
	*out = &s->v[s->n++];
	return 0;
}

/* Zimbra's own tables have such names only; what else somebody made is the MariaDB source's. */
static int is_ordinary(struct zs_span name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!isalnum(name.p[i]) && name.p[i] != '_' && name.p[i] != '-')
			return 0;
	return name.n > 0 && name.n <= 64;
}

static int take_column(struct zimbra_schema *s, struct zs_span table, struct zs_span column, struct zs_err *err)
{
	struct zimbra_table *t = s->n ? &s->v[s->n - 1] : NULL;

	if (!table.p || !column.p || memchr(table.p, 0, table.n) || memchr(column.p, 0, column.n))
		return zs_fail(err, ZS_SOURCE, "a table without a name");
	if (!is_ordinary(table)) {
		s->odd++;
		return 0;
	}
	if ((!t || !zs_span_eq(zs_span_str(t->name), table)) && add_table(s, table, &t, err) < 0)
		return -1;
	if (zs_span_eq(column, zs_span_str("mailbox_id")))
		t->is_of_mailbox = 1;
	return zs_strings_add(&t->columns, column, err);
}

/* As their files in the snapshot are ordered, which have a '.' behind the name. */
static int by_file(const void *a, const void *b)
{
	const char *x = ((const struct zimbra_table *)a)->name, *y = ((const struct zimbra_table *)b)->name;
	unsigned char c, d;

	while (*x && *x == *y) {
		x++;
		y++;
	}
	c = *x ? (unsigned char)*x : '.';
	d = *y ? (unsigned char)*y : '.';
	return c < d ? -1 : c > d;
}

int zimbra_schema_load(struct sql_conn *c, const char *database, struct zimbra_schema *out, struct zs_err *err)
{
	struct zs_buf q = ZS_BUF_INIT;
	struct sql_result r;
	int rc = -1;

	if (zs_buf_printf(&q, err, "SELECT c.TABLE_NAME,c.COLUMN_NAME FROM information_schema.COLUMNS c JOIN information_schema.TABLES t "
				   "USING (TABLE_SCHEMA,TABLE_NAME) WHERE t.TABLE_TYPE='BASE TABLE' AND c.TABLE_SCHEMA=") == 0 &&
	    sql_quote_text(&q, zs_span_str(database), err) == 0 &&
	    zs_buf_printf(&q, err, " ORDER BY BINARY c.TABLE_NAME,c.ORDINAL_POSITION") == 0)
		rc = sql_conn_query(c, zs_buf_span(&q), &r, err);
	zs_buf_fini(&q);
	if (rc < 0)
		return -1;
	while (rc == 0 && sql_result_next(&r))
		rc = take_column(out, sql_result_get(&r, 0), sql_result_get(&r, 1), err);
	sql_result_fini(&r);
	if (rc == 0 && out->n > 0)
		qsort(out->v, out->n, sizeof *out->v, by_file);
	return rc;
}

/* ---------------------------------------------------------------------------- groups */

struct names { uint32_t group; uint64_t sum; }; /* of all tables and columns of one database */

static int add_odd(struct zimbra_source *s, uint32_t group, struct zs_err *err)
{
	void *grown = realloc(s->odd_groups, (s->odd_groups_n + 1) * sizeof *s->odd_groups);
	char database[32];

	if (!grown)
		return zs_fail_nomem(err);
	s->odd_groups = grown;
	s->odd_groups[s->odd_groups_n].group = group;
	memset(&s->odd_groups[s->odd_groups_n].tables, 0, sizeof s->odd_groups->tables);
	s->odd_groups_n++;
	(void)snprintf(database, sizeof database, "mboxgroup%u", group);
	return zimbra_schema_load(&s->conn, database, &s->odd_groups[s->odd_groups_n - 1].tables, err);
}

/* A hash for each database: those with the same one have the same tables and columns. */
static int sum_names(struct zimbra_source *s, struct zs_buf *out, struct zs_err *err)
{
	struct sql_result r;
	struct names last = {0};
	int rc = 0;

	if (sql_conn_queryf(&s->conn, &r, err, "SELECT SUBSTR(TABLE_SCHEMA,10)+0,TABLE_NAME,COLUMN_NAME FROM information_schema.COLUMNS "
					       "WHERE TABLE_SCHEMA REGEXP '^mboxgroup[0-9]+$' ORDER BY 1,BINARY TABLE_NAME,ORDINAL_POSITION") < 0)
		return -1;
	while (rc == 0 && sql_result_next(&r)) {
		struct zs_span table = sql_result_get(&r, 1), column = sql_result_get(&r, 2);
		uint32_t group = sql_result_get(&r, 0).p ? (uint32_t)strtoul((const char *)sql_result_get(&r, 0).p, NULL, 10) : 0;

		if (group != last.group) {
			if (last.group)
				rc = zs_buf_add(out, &last, sizeof last, err);
			last = (struct names){.group = group};
		}
		last.sum = zs_hash64(zs_hash64(last.sum + table.n, table) + column.n, column);
	}
	sql_result_fini(&r);
	return rc == 0 && last.group ? zs_buf_add(out, &last, sizeof last, err) : rc;
}

static int by_sum(const void *a, const void *b)
{
	const struct names *x = a, *y = b;

	return x->sum != y->sum ? (x->sum < y->sum ? -1 : 1) : x->group < y->group ? -1 : x->group > y->group;
}

/* The first of the largest set of databases that are alike; v is sorted by sums. */
static const struct names *usual_of(const struct names *v, size_t n)
{
	size_t best = 0, best_n = 0;

	for (size_t i = 0, k; i < n; i = k) {
		for (k = i; k < n && v[k].sum == v[i].sum; k++)
			;
		if (k - i > best_n) {
			best = i;
			best_n = k - i;
		}
	}
	return n ? &v[best] : NULL;
}

int zimbra_schema_groups(struct zimbra_source *s, struct zs_err *err)
{
	struct zs_buf all = ZS_BUF_INIT;
	const struct names *usual;
	struct names *v;
	char database[32];
	size_t n;
	int rc = sum_names(s, &all, err);

	v = (struct names *)(void *)all.p;
	n = all.n / sizeof *v;
	if (n > 0)
		qsort(v, n, sizeof *v, by_sum);
	if ((usual = usual_of(v, n)) && rc == 0) {
		(void)snprintf(database, sizeof database, "mboxgroup%u", usual->group);
		rc = zimbra_schema_load(&s->conn, database, &s->group_tables, err);
	}
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (v[i].sum != usual->sum)
			rc = add_odd(s, v[i].group, err);
	zs_buf_fini(&all);
	return rc;
}

const struct zimbra_schema *zimbra_schema_of(const struct zimbra_source *s, uint32_t group)
{
	for (size_t i = 0; i < s->odd_groups_n; i++)
		if (s->odd_groups[i].group == group)
			return &s->odd_groups[i].tables;
	return &s->group_tables;
}

/* ---------------------------------------------------------------------------- tables */

const struct zimbra_table *zimbra_schema_find(const struct zimbra_schema *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i].name, name) == 0)
			return &s->v[i];
	return NULL;
}

int zimbra_schema_has(const struct zimbra_table *t, const char *column)
{
	for (size_t i = 0; t && i < t->columns.n; i++)
		if (strcmp(t->columns.v[i], column) == 0)
			return 1;
	return 0;
}

uint64_t zimbra_schema_sum(const struct zimbra_schema *s)
{
	uint64_t sum = s->n;

	for (size_t i = 0; i < s->n; i++) {
		const struct zimbra_table *t = &s->v[i];

		sum = zs_hash64(sum + t->columns.n, zs_span_str(t->name));
		for (size_t k = 0; k < t->columns.n; k++)
			sum = zs_hash64(sum + 1, zs_span_str(t->columns.v[k]));
	}
	return sum;
}

void zimbra_schema_fini(struct zimbra_schema *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].name);
		zs_strings_fini(&s->v[i].columns);
	}
	free(s->v);
	memset(s, 0, sizeof *s);
}
