/*
 * Which databases and tables there are, in the order of their paths.  Names are compared byte by byte here, whatever the
 * server's collations make of them, and no pattern is ever asked for.
 */
#include "sql_source_private.h"

#include <stdlib.h>
#include <string.h>

static int is_any(struct zs_span word, const char *const list[])
{
	for (; *list; list++)
		if (strlen(*list) == word.n && strncasecmp(*list, (const char *)word.p, word.n) == 0)
			return 1;
	return 0;
}

unsigned sql_catalog_engine_flags(struct zs_span engine, struct zs_span type)
{
	static const char *const elsewhere[] = {"MRG_MyISAM", "MRG_ISAM", "FEDERATED", "CONNECT", "SPIDER", "OQGRAPH", "SPHINX", "VP", NULL};
	static const char *const safe[] = {"InnoDB", "ROCKSDB", "TokuDB", "S3", "BLACKHOLE", NULL};
	static const char *const views[] = {"VIEW", "SYSTEM VIEW", NULL}, *const sequences[] = {"SEQUENCE", NULL},
				 *const versioned[] = {"SYSTEM VERSIONED", NULL};
	unsigned flags = 0;

	if (is_any(type, views))
		return SQL_TABLE_IS_VIEW;
	if (is_any(type, sequences))
		return SQL_TABLE_IS_SEQUENCE;
	if (is_any(type, versioned))
		flags |= SQL_TABLE_IS_VERSIONED;
	if (is_any(engine, elsewhere))
		flags |= SQL_TABLE_NO_ROWS;
	else if (engine.n > 0 && !is_any(engine, safe))
		flags |= SQL_TABLE_UNSAFE;
	return flags;
}

int sql_catalog_component(struct zs_span name, struct zs_buf *out, struct zs_err *err)
{
	int is_dots = (name.n == 1 || name.n == 2) && name.p[0] == '.' && name.p[name.n - 1] == '.';
	size_t before = out->n;

	if (name.n == 0)
		return zs_buf_add_u8(out, '%', err);
	if (zs_buf_reserve(out, 3 * name.n, err) < 0)
		return -1;
	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = name.p[i];

		if (c >= 0x20 && c != 0x7f && c != '/' && c != '%' && !is_dots) {
			out->p[out->n++] = c;
			continue;
		}
		out->p[out->n++] = '%';
		out->n += sql_escape_hex(out->p + out->n, &c, 1);
	}
	if (out->n - before > ZS_COMPONENT_MAX)
		return zs_fail(err, ZS_SOURCE, "a name of %zu bytes is too long for a path", name.n);
	return 0;
}

const char *sql_catalog_text(const struct sql_catalog *c, uint32_t at)
{
	return (const char *)c->text.p + at;
}

static int add_text(struct sql_catalog *c, struct zs_span name, int is_component, uint32_t *out, struct zs_err *err)
{
	size_t at = c->text.n;

	if (at > UINT32_MAX - 4096)
		return zs_fail(err, ZS_LIMIT, "names of tables take more than 4 GiB");
	if ((is_component ? sql_catalog_component(name, &c->text, err) : zs_buf_add_span(&c->text, name, err)) < 0 ||
	    zs_buf_add_u8(&c->text, 0, err) < 0)
		return -1;
	*out = (uint32_t)at;
	return 0;
}

/* Both names; the component is the name itself, mostly, and then stands there once. */
static int add_name(struct sql_catalog *c, struct zs_span name, uint32_t *out_name, uint32_t *out_component, struct zs_err *err)
{
	size_t before;

	if (name.n > 1024 || (name.n > 0 && memchr(name.p, 0, name.n)))
		return zs_fail(err, ZS_SOURCE, "the server has a name of %zu bytes", name.n);
	if (add_text(c, name, 0, out_name, err) < 0)
		return -1;
	before = c->text.n;
	if (add_text(c, name, 1, out_component, err) < 0)
		return -1;
	if (strcmp(sql_catalog_text(c, *out_name), sql_catalog_text(c, *out_component)) == 0) {
		c->text.n = before;
		*out_component = *out_name;
	}
	return 0;
}

static int add_database(struct sql_catalog *c, struct zs_span name, struct zs_err *err)
{
	struct sql_database d = {0};

	if (c->databases_n == c->databases_cap) {
		size_t cap = c->databases_cap ? 2 * c->databases_cap : 16;
		struct sql_database *grown = realloc(c->databases, cap * sizeof *grown);

		if (!grown)
			return zs_fail_nomem(err);
		c->databases = grown;
		c->databases_cap = cap;
	}
	if (add_name(c, name, &d.name_at, &d.component_at, err) < 0)
		return -1;
	c->databases[c->databases_n++] = d;
	return 0;
}

static int add_table(struct sql_catalog *c, struct zs_span name, unsigned flags, uint64_t bytes, struct zs_err *err)
{
	struct sql_table_name t = {.flags = flags, .bytes = bytes};

	if (c->tables_n == c->tables_cap) {
		size_t cap = c->tables_cap ? 2 * c->tables_cap : 64;
		struct sql_table_name *grown = realloc(c->tables, cap * sizeof *grown);

		if (!grown)
			return zs_fail_nomem(err);
		c->tables = grown;
		c->tables_cap = cap;
	}
	if (add_name(c, name, &t.name_at, &t.component_at, err) < 0)
		return -1;
	c->tables[c->tables_n++] = t;
	return 0;
}

static int compare_databases(const void *a, const void *b, void *text)
{
	const struct sql_database *x = a, *y = b;

	return strcmp((const char *)text + x->component_at, (const char *)text + y->component_at);
}

static int compare_tables(const void *a, const void *b, void *text)
{
	const struct sql_table_name *x = a, *y = b;

	return strcmp((const char *)text + x->component_at, (const char *)text + y->component_at);
}

/* A directory that is no database, a file that is no table: the server shows them under this name. */
static int is_leftover(struct zs_span name)
{
	return name.n >= 9 && memcmp(name.p, "#mysql50#", 9) == 0;
}

static int load_databases(struct sql_conn *conn, const struct sql_options *o, struct sql_catalog *c, struct zs_err *err)
{
	struct sql_result r;
	int rc = 0;

	if (sql_conn_queryf(conn, &r, err, "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA") < 0)
		return zs_context(err, "databases");
	while (rc == 0 && sql_result_next(&r)) {
		struct zs_span name = sql_result_get(&r, 0);

		if (is_leftover(name))
			c->odd_names++;
		else if (sql_options_wants_database(o, name))
			rc = add_database(c, name, err);
	}
	sql_result_fini(&r);
	if (rc == 0 && c->databases_n > 0)
		qsort_r(c->databases, c->databases_n, sizeof *c->databases, compare_databases, c->text.p);
	return rc;
}

static uint64_t number(struct zs_span text)
{
	uint64_t n = 0;

	for (size_t i = 0; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++)
		n = n * 10 + (text.p[i] - '0');
	return n;
}

static int ask_tables(struct sql_conn *conn, const char *database, enum sql_catalog_detail detail, struct sql_result *out,
    struct zs_err *err)
{
	struct zs_buf q = ZS_BUF_INIT;
	int rc = -1;

	if (zs_buf_printf(&q, err, "SELECT TABLE_SCHEMA,TABLE_NAME,TABLE_TYPE,ENGINE%s FROM information_schema.TABLES WHERE TABLE_SCHEMA=",
		detail == SQL_CATALOG_SIZES ? ",DATA_LENGTH" : "") == 0 &&
	    sql_quote_text(&q, zs_span_str(database), err) == 0)
		rc = sql_conn_query(conn, zs_buf_span(&q), out, err);
	zs_buf_fini(&q);
	return rc;
}

static int load_tables(struct sql_conn *conn, const struct sql_options *o, enum sql_catalog_detail detail, struct sql_catalog *c,
    struct sql_database *d, struct zs_err *err)
{
	struct sql_result r;
	struct zs_span database;
	int rc = 0;

	d->first = c->tables_n;
	if (ask_tables(conn, sql_catalog_text(c, d->name_at), detail, &r, err) < 0)
		return zs_context(err, "tables of %s", sql_catalog_text(c, d->name_at));
	while (rc == 0 && sql_result_next(&r)) {
		struct zs_span name = sql_result_get(&r, 1);

		database = zs_span_str(sql_catalog_text(c, d->name_at));
		if (!zs_span_eq(sql_result_get(&r, 0), database))
			continue;
		if (is_leftover(name))
			c->odd_names++;
		else if (sql_options_wants_table(o, database, name))
			rc = add_table(c, name, sql_catalog_engine_flags(sql_result_get(&r, 3), sql_result_get(&r, 2)),
			    number(sql_result_get(&r, 4)), err);
	}
	sql_result_fini(&r);
	d->n = c->tables_n - d->first;
	if (rc == 0 && d->n > 0)
		qsort_r(c->tables + d->first, d->n, sizeof *c->tables, compare_tables, c->text.p);
	return rc;
}

static int has_database(const struct sql_catalog *c, const char *name)
{
	for (size_t i = 0; i < c->databases_n; i++)
		if (strcmp(sql_catalog_text(c, c->databases[i].name_at), name) == 0)
			return 1;
	return 0;
}

int sql_catalog_load(struct sql_conn *conn, const struct sql_options *o, enum sql_catalog_detail detail, struct sql_catalog *out,
    struct zs_err *err)
{
	struct sql_catalog c = {0};

	if (load_databases(conn, o, &c, err) < 0)
		goto fail;
	for (size_t i = 0; i < o->databases.n; i++)
		if (sql_options_wants_database(o, zs_span_str(o->databases.v[i])) && !has_database(&c, o->databases.v[i])) {
			(void)zs_fail(err, ZS_SOURCE, "there is no database '%s', or this account may not see it",
			    o->databases.v[i]);
			goto fail;
		}
	for (size_t i = 0; i < c.databases_n; i++)
		if (load_tables(conn, o, detail, &c, &c.databases[i], err) < 0)
			goto fail;
	*out = c;
	return 0;
fail:
	sql_catalog_fini(&c);
	return -1;
}

void sql_catalog_fini(struct sql_catalog *c)
{
	zs_buf_fini(&c->text);
	free(c->databases);
	free(c->tables);
	*c = (struct sql_catalog){0};
}
