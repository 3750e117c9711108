/*
 * Rows of Zimbra's tables as SQL, through what the MariaDB source reads and writes rows with; and small texts.  One at a time, each
 * read to its end before the next is begun.
 */
#include "zimbra_private.h"

#include <stdlib.h>
#include <string.h>

struct handle {
	struct zs_source_handle base;
	struct zimbra_source *source;
	uint64_t generation;
};

struct reader {
	struct zs_source_reader base;
	struct zimbra_source *source;
	size_t at;
	int is_complete;
};

static const struct zs_source_ops table;

/* ---------------------------------------------------------------------------- tables */

static int know(struct zimbra_rows *r, struct zs_span name, struct sql_columns **out, struct zs_err *err)
{
	if (r->known_n == r->known_cap) {
		size_t cap = r->known_cap ? 2 * r->known_cap : 64;
		void *grown = realloc(r->known, cap * sizeof *r->known);

		if (!grown)
			return zs_fail_nomem(err);
		r->known = grown;
		r->known_cap = cap;
	}
	r->known[r->known_n].name = strndup((const char *)name.p, name.n);
	r->known[r->known_n].columns = calloc(1, sizeof(struct sql_columns));
	r->known_n++;
	*out = r->known[r->known_n - 1].columns;
	return r->known[r->known_n - 1].name && *out ? 0 : zs_fail_nomem(err);
}

/* The columns of a table: asked for once. */
static int columns_of(struct zimbra_source *s, const char *database, const struct zimbra_table *t, struct sql_columns **out, struct zs_err *err)
{
	const struct sql_columns_want want = {.database = zs_span_str(database), .table = zs_span_str(t->name), .is_clustered = 1, .is_qualified = 1};
	struct zimbra_rows *r = &s->rows;
	struct zs_buf name = ZS_BUF_INIT;
	int rc = zs_buf_printf(&name, err, "%s.%s", database, t->name);

	*out = NULL;
	for (size_t i = 0; rc == 0 && i < r->known_n && !*out; i++)
		if (zs_span_eq(zs_span_str(r->known[i].name), zs_buf_span(&name)))
			*out = r->known[i].columns;
	if (rc == 0 && !*out) {
		rc = know(r, zs_buf_span(&name), out, err);
		if (rc == 0 && (rc = sql_columns_load(&s->conn, &want, *out, err)) < 0) {
			sql_columns_fini(*out);
			free(r->known[--r->known_n].columns);
			free(r->known[r->known_n].name);
		}
	}
	zs_buf_fini(&name);
	return rc;
}

/* The question, for the rows of one mailbox only. */
static int ask_for(const struct sql_columns *all, uint32_t mailbox_id, struct zs_buf *out, struct zs_err *err)
{
	zs_buf_clear(out);
	if (zs_buf_add(out, all->select.p, all->where_at, err) < 0 ||
	    (mailbox_id && zs_buf_printf(out, err, " WHERE mailbox_id=%u", mailbox_id) < 0))
		return -1;
	return zs_buf_add(out, all->select.p + all->where_at, all->select.n - all->where_at, err);
}

int zimbra_rows_begin(struct zimbra_source *s, const char *database, const struct zimbra_table *t, uint32_t mailbox_id, struct zs_err *err)
{
	struct zimbra_rows *r = &s->rows;
	struct zs_buf select = r->one.select; /* its memory is used again */
	struct sql_columns *all;
	int rc;

	zimbra_rows_end(s);
	if (columns_of(s, database, t, &all, err) < 0)
		return zs_context(err, "%s.%s", database, t->name);
	rc = ask_for(all, mailbox_id, &select, err);
	r->one = *all;
	r->one.select = select;
	if (rc == 0)
		rc = sql_rows_begin(&r->rows, &s->conn, &r->one, err);
	r->is_rows = r->is_open = rc > 0;
	return rc < 0 ? zs_context(err, "%s.%s", database, t->name) : rc;
}

void zimbra_rows_end(struct zimbra_source *s)
{
	struct zimbra_rows *r = &s->rows;

	if (r->is_open) {
		r->counted += r->rows.rows;
		sql_rows_end(&r->rows);
	}
	r->is_open = r->is_rows = 0;
	zs_buf_clear(&r->text);
	r->generation++;
}

void zimbra_rows_fini(struct zimbra_source *s)
{
	struct zimbra_rows *r = &s->rows;

	zimbra_rows_end(s);
	for (size_t i = 0; i < r->known_n; i++) {
		if (r->known[i].columns)
			sql_columns_fini(r->known[i].columns);
		free(r->known[i].columns);
		free(r->known[i].name);
	}
	free(r->known);
	zs_buf_fini(&r->one.select);
	zs_buf_fini(&r->text);
}

/* --------------------------------------------------------------------------- reading */

int zimbra_rows_handle(struct zimbra_source *s, struct zs_source_handle **out, struct zs_err *err)
{
	struct handle *h = malloc(sizeof *h);

	if (!h)
		return zs_fail_nomem(err);
	*h = (struct handle){.base = {&table}, .source = s, .generation = s->rows.generation};
	*out = &h->base;
	return 0;
}

static void handle_free(struct zs_source_handle *h)
{
	free(h);
}

static int rows_open(struct zs_source_handle *base, struct zs_source_reader **out, struct zs_err *err)
{
	const struct handle *h = (const struct handle *)base;
	const struct zimbra_rows *rows = &h->source->rows;
	struct reader *r;

	if (h->generation != rows->generation || (rows->is_rows && (!rows->is_open || rows->rows.groups > 0)))
		return zs_fail(err, ZS_SOURCE, "this can be read once only, and in its turn");
	if (!(r = calloc(1, sizeof *r)))
		return zs_fail_nomem(err);
	*r = (struct reader){.base = {&table}, .source = h->source};
	*out = &r->base;
	return 0;
}

static int rows_read(struct zs_source_reader *base, void *p, size_t n, size_t *out_n, uint64_t *out_hole, struct zs_err *err)
{
	struct reader *r = (struct reader *)base;
	struct zimbra_rows *rows = &r->source->rows;

	*out_n = 0;
	*out_hole = 0;
	if (zimbra_stop(r->source, err) < 0)
		return -1;
	if (rows->is_rows)
		return sql_rows_read(&rows->rows, p, n, out_n, err);
	*out_n = n < rows->text.n - r->at ? n : rows->text.n - r->at;
	if (*out_n > 0)
		memcpy(p, rows->text.p + r->at, *out_n);
	r->at += *out_n;
	r->is_complete = r->at == rows->text.n;
	return 0;
}

static int rows_next_group(struct zs_source_reader *base, uint64_t *out_tag, struct zs_err *err)
{
	struct reader *r = (struct reader *)base;
	int rc;

	if (!r->source->rows.is_rows)
		return 0;
	rc = sql_rows_next_group(&r->source->rows.rows, out_tag, err);
	r->is_complete = rc == 0;
	return rc;
}

static int rows_close(struct zs_source_reader *base, int *out_changed, struct zs_err *err)
{
	struct reader *r = (struct reader *)base;
	int is_complete = r->is_complete || r->source->rows.text.n == r->at;

	*out_changed = 0;
	if (r->source->rows.is_rows)
		is_complete = r->is_complete;
	free(r);
	return is_complete ? 0 : zs_fail(err, ZS_SOURCE, "it was not read to its end");
}

static const struct zs_source_ops table = {
	.open = rows_open,
	.read = rows_read,
	.next_group = rows_next_group,
	.close = rows_close,
	.handle_free = handle_free,
};
