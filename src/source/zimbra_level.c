/*
 * One directory of an account: its items in the order of their names, fetched some hundred at a time.
 */
#include "zimbra_private.h"

#include <string.h>

static const char *extension_of(unsigned type)
{
	switch (type) {
	case ZIMBRA_MESSAGE:
	case ZIMBRA_CHAT:
		return ".eml";
	case ZIMBRA_CONTACT:
		return ".vcf";
	case ZIMBRA_APPOINTMENT:
	case ZIMBRA_TASK:
		return ".ics";
	case ZIMBRA_DOCUMENT:
	case ZIMBRA_WIKI:
		return "";
	default:
		return ".blob";
	}
}

static int is_calendar(const struct zimbra_row *row)
{
	return row->type == ZIMBRA_APPOINTMENT || row->type == ZIMBRA_TASK;
}

static int has_blob(const struct zimbra_row *row)
{
	return row->digest.p || row->locator.p;
}

/* What comes first of a row: what people can read, then the blob that it was made of. */
static enum zimbra_what first_of(const struct zimbra_row *row)
{
	return row->type == ZIMBRA_CONTACT ? ZIMBRA_VCARD : is_calendar(row) ? ZIMBRA_CALENDAR : ZIMBRA_BLOB;
}

static int make_name(struct zimbra_level *l, const struct zimbra_row *row, struct zs_err *err)
{
	int is_revision = l->from == ZIMBRA_FROM_REVISIONS || l->from == ZIMBRA_FROM_DUMPSTER_REVISIONS;
	struct zs_span text = row->name.n > 0 ? row->name : row->subject;
	int rc;

	zs_buf_clear(&l->name);
	rc = is_revision ? zs_buf_printf(&l->name, err, "%u-%u-", row->id, row->version) : zs_buf_printf(&l->name, err, "%u-", row->id);
	if (rc == 0 && *extension_of(row->type) == 0 && text.n > 0 && text.n < 64)
		rc = zimbra_names_component(text, row->id, &l->name, err);
	else if (rc == 0)
		rc = zimbra_names_slug(text, &l->name, err);
	if (rc == 0)
		rc = zs_buf_add_span(&l->name, zs_span_str(extension_of(row->type)), err);
	if (rc == 0 && l->what == ZIMBRA_BLOB && first_of(row) != ZIMBRA_BLOB)
		rc = zs_buf_add_span(&l->name, zs_span_str(".eml"), err);
	return rc;
}

static int fetch(struct zimbra_source *s, struct zimbra_level *l, struct zs_err *err)
{
	const struct zimbra_key *keys = s->walk.keys[l->from].v + l->next_item;
	size_t n = 0, left = l->end_item - l->next_item;
	uint64_t bytes = 0;

	do
		bytes += keys[n++].bytes;
	while (n < left && n < ZIMBRA_BATCH && bytes + keys[n].bytes <= ZIMBRA_BATCH_BYTES);
	if (zimbra_items_fetch(s, &s->mailboxes[s->walk.next], l->from, keys, n, &l->batch, err) < 0)
		return -1;
	l->next_item += n;
	l->what = first_of(&l->batch.rows[0]);
	return 0;
}

int zimbra_level_item(struct zimbra_source *s, struct zimbra_level *l, struct zs_err *err)
{
	if (l->name.n > 0)
		return 1;
	if (l->kind == ZIMBRA_LEVEL_ROWS)
		return 0;
	if (l->batch.next == l->batch.n) {
		if (l->next_item == l->end_item)
			return 0;
		if (fetch(s, l, err) < 0)
			return -1;
	}
	return make_name(l, zimbra_level_row(l), err) < 0 ? -1 : 1;
}

const struct zimbra_row *zimbra_level_row(const struct zimbra_level *l)
{
	return &l->batch.rows[l->batch.next];
}

void zimbra_level_taken(struct zimbra_level *l)
{
	const struct zimbra_row *row = zimbra_level_row(l);

	zs_buf_clear(&l->name);
	if (l->what != ZIMBRA_BLOB && has_blob(row)) {
		l->what = ZIMBRA_BLOB;
		return;
	}
	l->batch.next++;
	if (l->batch.next < l->batch.n)
		l->what = first_of(zimbra_level_row(l));
}

void zimbra_level_fini(struct zimbra_level *l)
{
	zimbra_batch_fini(&l->batch);
	zs_buf_fini(&l->name);
	memset(l, 0, sizeof *l);
}
