/*
 * The items of one mailbox: first their ids only, in the order of the paths they will have; then their rows, some hundred at a
 * time.
 */
#include "zimbra_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct { const char *table; int is_revision; } froms[ZIMBRA_FROMS] = {
	[ZIMBRA_FROM_ITEMS] = {"mail_item", 0},
	[ZIMBRA_FROM_DUMPSTER] = {"mail_item_dumpster", 0},
	[ZIMBRA_FROM_REVISIONS] = {"revision", 1},
	[ZIMBRA_FROM_DUMPSTER_REVISIONS] = {"revision_dumpster", 1},
};

/* ------------------------------------------------------------------------------ ids */

static int keys_add(struct zimbra_keys *k, struct zimbra_key key, struct zs_err *err)
{
	if (k->n == k->cap) {
		size_t cap = k->cap ? 2 * k->cap : 1024;
		struct zimbra_key *grown = realloc(k->v, cap * sizeof *grown);

		if (!grown)
			return zs_fail_nomem(err);
		k->v = grown;
		k->cap = cap;
	}
	k->v[k->n++] = key;
	return 0;
}

/* As their decimal digits compare, with a '-' behind, which is less than any digit. */
static int digits_cmp(uint32_t a, uint32_t b)
{
	uint64_t x = a, y = b, scale_x = 1, scale_y = 1;

	if (a == b)
		return 0;
	while (x / scale_x >= 10)
		scale_x *= 10;
	while (y / scale_y >= 10)
		scale_y *= 10;
	if (scale_x < scale_y)
		x *= scale_y / scale_x;
	else
		y *= scale_x / scale_y;
	if (x != y)
		return x < y ? -1 : 1;
	return scale_x < scale_y ? -1 : 1;
}

static int by_path(const void *a, const void *b)
{
	const struct zimbra_key *x = a, *y = b;
	int c;

	if (x->folder != y->folder)
		return x->folder < y->folder ? -1 : 1;
	c = digits_cmp(x->id, y->id);
	return c ? c : digits_cmp(x->version, y->version);
}

static int ask_ids(struct zimbra_source *s, const struct zimbra_mailbox *m, enum zimbra_from from, struct sql_result *out, struct zs_err *err)
{
	if (froms[from].is_revision)
		return sql_conn_queryf(&s->conn, out, err, "SELECT item_id,0,version,0 FROM mboxgroup%u.%s WHERE mailbox_id=%u AND blob_digest IS NOT NULL",
		    m->group, froms[from].table, m->id);
	return sql_conn_queryf(&s->conn, out, err,
	    "SELECT id,folder_id,0,IF(type=6,LENGTH(metadata),0) FROM mboxgroup%u.%s WHERE mailbox_id=%u AND type NOT IN (1,2,3,4,10,12,13) AND "
	    "(type IN (5,6,8,16) OR blob_digest IS NOT NULL OR locator IS NOT NULL)",
	    m->group, froms[from].table, m->id);
}

/* Where an item of that folder goes: the folder's number, or ZIMBRA_HIDDEN. */
static uint32_t place_of(struct zimbra_folders *f, uint32_t folder, size_t *lost)
{
	const struct zimbra_folder *x = zimbra_folders_find(f, folder);

	if (!x) {
		(*lost)++;
		x = zimbra_folders_find(f, ZIMBRA_USER_ROOT);
	}
	return x->is_shown ? (uint32_t)(x - f->v) : ZIMBRA_HIDDEN;
}

static void give_ranges(struct zimbra_folders *f, const struct zimbra_keys *k)
{
	for (size_t i = 0; i < k->n && k->v[i].folder != ZIMBRA_HIDDEN; i++) {
		struct zimbra_folder *x = &f->v[k->v[i].folder];

		if (x->items++ == 0)
			x->first_item = (uint32_t)i;
	}
}

int zimbra_items_list(struct zimbra_source *s, struct zimbra_mailbox *m, enum zimbra_from from, struct zimbra_folders *f, struct zimbra_keys *out,
    struct zs_err *err)
{
	struct zs_err why = {0};
	struct sql_result r;
	size_t lost = 0;
	int rc = 0;

	out->n = 0;
	if (!zimbra_schema_find(zimbra_schema_of(s, m->group), froms[from].table))
		return 0;
	if (ask_ids(s, m, from, &r, err) < 0)
		return -1;
	while (rc == 0 && sql_result_next(&r)) {
		struct zimbra_key key = {.id = (uint32_t)sql_result_number(&r, 0), .version = (uint32_t)sql_result_number(&r, 2),
		    .bytes = (uint32_t)sql_result_number(&r, 3)};

		if (from == ZIMBRA_FROM_ITEMS)
			key.folder = place_of(f, (uint32_t)sql_result_number(&r, 1), &lost);
		rc = keys_add(out, key, err);
	}
	sql_result_fini(&r);
	if (rc < 0)
		return -1;
	if (out->n > 0)
		qsort(out->v, out->n, sizeof *out->v, by_path);
	if (from == ZIMBRA_FROM_ITEMS)
		give_ranges(f, out);
	if (lost > 0) {
		(void)zs_fail(&why, ZS_SOURCE, "%zu items are in folders that do not exist: they are stored at the top of the account", lost);
		zimbra_problem(s, m, zs_span_str(m->name), &why);
	}
	return 0;
}

/* ----------------------------------------------------------------------------- rows */

static int add_select(const struct zimbra_source *s, enum zimbra_from from, uint32_t group, struct zs_buf *q, struct zs_err *err)
{
	const struct zimbra_table *t = zimbra_schema_find(zimbra_schema_of(s, group), froms[from].table);
	const char *uuid = zimbra_schema_has(t, "uuid") ? "uuid" : "NULL";

	if (froms[from].is_revision)
		return zs_buf_printf(q, err, "SELECT item_id,version,8,mod_content,mod_metadata,0,NULL,size,date,locator,blob_digest,NULL,name,NULL,NULL,NULL "
					     "FROM mboxgroup%u.%s WHERE mailbox_id=", group, froms[from].table);
	return zs_buf_printf(q, err, "SELECT id,0,type,mod_content,mod_metadata,flags,unread,size,date,locator,blob_digest,tag_names,name,subject,"
				     "IF(type=6,metadata,NULL),%s FROM mboxgroup%u.%s WHERE mailbox_id=", uuid, group, froms[from].table);
}

/* The row's texts go to the batch's text, which moves: offsets first, plus one, so that 0 is NULL. */
static int keep(struct zimbra_batch *b, struct zs_span v, struct zs_span *out, struct zs_err *err)
{
	if (!v.p) {
		*out = zs_span(NULL, 0);
		return 0;
	}
	*out = zs_span((const void *)(uintptr_t)(b->text.n + 1), v.n);
	return zs_buf_add_span(&b->text, v, err);
}

static void settle(struct zimbra_batch *b, struct zs_span *s)
{
	static const uint8_t empty[1];

	if (s->p)
		s->p = b->text.p ? b->text.p + ((uintptr_t)s->p - 1) : empty;
}

static int take_row(struct zimbra_batch *b, uint32_t mailbox_id, const struct sql_result *r, struct zs_err *err)
{
	struct zimbra_row *row;

	if (b->n == b->cap) {
		size_t cap = b->cap ? 2 * b->cap : 64;
		struct zimbra_row *grown = realloc(b->rows, cap * sizeof *grown);

		if (!grown)
			return zs_fail_nomem(err);
		b->rows = grown;
		b->cap = cap;
	}
	row = &b->rows[b->n];
	*row = (struct zimbra_row){.mailbox_id = mailbox_id, .id = (uint32_t)sql_result_number(r, 0),
	    .version = (uint32_t)sql_result_number(r, 1), .type = (unsigned)sql_result_number(r, 2),
	    .mod_content = (uint32_t)sql_result_number(r, 3), .mod_metadata = (uint32_t)sql_result_number(r, 4),
	    .flags = (uint32_t)sql_result_number(r, 5), .size = sql_result_number(r, 7), .date_s = (int64_t)sql_result_number(r, 8)};
	row->unread = sql_result_get(r, 6).p ? sql_result_number(r, 6) > 0 : -1;
	if (keep(b, sql_result_get(r, 9), &row->locator, err) < 0 || keep(b, sql_result_get(r, 10), &row->digest, err) < 0 ||
	    keep(b, sql_result_get(r, 11), &row->tags, err) < 0 || keep(b, sql_result_get(r, 12), &row->name, err) < 0 ||
	    keep(b, sql_result_get(r, 13), &row->subject, err) < 0 || keep(b, sql_result_get(r, 14), &row->metadata, err) < 0 ||
	    keep(b, sql_result_get(r, 15), &row->uuid, err) < 0)
		return -1;
	b->n++;
	return 0;
}

static int row_cmp(const void *a, const void *b)
{
	const struct zimbra_row *x = a, *y = b;
	int c = digits_cmp(x->id, y->id);

	return c ? c : digits_cmp(x->version, y->version);
}

/* The answer, in the order of paths. */
static int run(struct sql_conn *c, uint32_t mailbox_id, struct zs_span q, struct zimbra_batch *out, struct zs_err *err)
{
	struct sql_result r;
	int rc = 0;

	out->n = out->next = 0;
	zs_buf_clear(&out->text);
	if (sql_conn_query(c, q, &r, err) < 0)
		return -1;
	while (rc == 0 && sql_result_next(&r))
		rc = take_row(out, mailbox_id, &r, err);
	sql_result_fini(&r);
	for (size_t i = 0; i < out->n; i++) {
		struct zimbra_row *row = &out->rows[i];
		struct zs_span *const texts[] = {&row->locator, &row->digest, &row->tags, &row->name, &row->subject, &row->metadata, &row->uuid};

		for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
			settle(out, texts[k]);
	}
	if (out->n > 0)
		qsort(out->rows, out->n, sizeof *out->rows, row_cmp);
	return rc;
}

int zimbra_items_fetch(struct zimbra_source *s, const struct zimbra_mailbox *m, enum zimbra_from from, const struct zimbra_key *keys, size_t n,
    struct zimbra_batch *out, struct zs_err *err)
{
	struct zs_buf q = ZS_BUF_INIT;
	int rc = add_select(s, from, m->group, &q, err);

	if (rc == 0)
		rc = zs_buf_printf(&q, err, "%u AND %s IN (", m->id, froms[from].is_revision ? "(item_id,version)" : "id");
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = froms[from].is_revision ? zs_buf_printf(&q, err, "%s(%u,%u)", i ? "," : "", keys[i].id, keys[i].version)
					     : zs_buf_printf(&q, err, "%s%u", i ? "," : "", keys[i].id);
	if (rc == 0)
		rc = zs_buf_add_u8(&q, ')', err);
	if (rc == 0)
		rc = run(&s->conn, m->id, zs_buf_span(&q), out, err);
	zs_buf_fini(&q);
	if (rc == 0 && out->n != n)
		return zs_fail(err, ZS_SOURCE, "%zu rows were listed, and now there are %zu, though this is a snapshot", n, out->n);
	return rc;
}

static int ask_again(struct zimbra_source *s, uint32_t group, const struct zimbra_row *row, enum zimbra_from from, struct zimbra_batch *out, struct zs_err *err)
{
	struct zs_buf q = ZS_BUF_INIT;
	int rc;

	out->n = 0;
	if (!zimbra_schema_find(zimbra_schema_of(s, group), froms[from].table))
		return 0;
	rc = add_select(s, from, group, &q, err);
	if (rc == 0)
		rc = froms[from].is_revision ? zs_buf_printf(&q, err, "%u AND item_id=%u AND version=%u", row->mailbox_id, row->id, row->version)
					     : zs_buf_printf(&q, err, "%u AND id=%u", row->mailbox_id, row->id);
	if (rc == 0)
		rc = run(&s->fresh, row->mailbox_id, zs_buf_span(&q), out, err);
	zs_buf_fini(&q);
	return rc < 0 ? -1 : out->n > 0;
}

int zimbra_items_again(struct zimbra_source *s, uint32_t group, const struct zimbra_row *row, enum zimbra_from from, struct zimbra_batch *out,
    struct zs_err *err)
{
	enum zimbra_from dumpster = froms[from].is_revision ? ZIMBRA_FROM_DUMPSTER_REVISIONS : ZIMBRA_FROM_DUMPSTER;
	int rc;

	if ((!s->fresh.my || s->fresh.is_lost) && (sql_conn_close(&s->fresh), zimbra_connect_sql(s, &s->fresh, err)) < 0)
		return -1;
	rc = ask_again(s, group, row, from, out, err);
	return rc == 0 && from != dumpster ? ask_again(s, group, row, dumpster, out, err) : rc;
}

void zimbra_batch_fini(struct zimbra_batch *b)
{
	free(b->rows);
	zs_buf_fini(&b->text);
	memset(b, 0, sizeof *b);
}
